/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exit record.
 *
 * What a virtual processor did that it can't go on from alone. Each vCPU has one record of 64 bytes
 * at one address for its whole life, in memory of the library or of the caller (given at creation);
 * a binding maps it once and reads it with no call. It is valid from the return of vsdk_vcpu_run
 * (or vsdk_vcpu_complete) to the next call of either.
 *
 * Fields by reason; those not named are zero:
 *
 * - PIO, MMIO: address, width, direction, count, data, value (of a write with count 1,
 *   zero-extended), tag (of the range attached there, else 0).
 * - POWEROFF, RESET, CRASH, SUSPEND, WATCHDOG, SOFT_RESET, GUEST_EXIT, STOP, HALTED (terminal):
 *   value is the code given to vsdk_vm_stop or by the guest, detail a vsdk_crash_detail for CRASH.
 * - KICKED: detail is a vsdk_kick_detail.
 * - INTERNAL_ERROR, FAIL_ENTRY, UNKNOWN: native and detail as the hypervisor gave them.
 * - MEMORY_FAULT: address (gpa), detail as the hypervisor gave it.
 *
 * Accesses. data is the address of count * width bytes (&value when count is 1). For a read they
 * are all ones until they are answered, by writing there before the next run; for a write they are
 * the guest's data. A count above 1 occurs for PIO only and is never promised: the same string
 * instruction may come as one exit of count n or n exits of count 1. Elements are in the order of
 * execution. detail is 0, but where a device was detached, or its range removed, between two
 * elements of one access: then it says how many of the elements, from the first, that device has
 * answered. Only the others are the embedder's. An access wider than 8 bytes comes in ascending
 * parts.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/exit.toml by abi/generate.py.
 */

#ifndef VSDK_EXIT_H
#define VSDK_EXIT_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Why a run returned. A terminal reason has VSDK_EXIT_TERMINAL in its flags: the virtual machine is
 * STOPPED, and each further run returns the same.
 *
 * Since 0.1.
 */
enum vsdk_exit_reason_values {
    VSDK_EXIT_NONE = 0,            /* No exit yet */
    VSDK_EXIT_PIO = 1,             /* Port I/O that no device claimed, or a tagged range */
    VSDK_EXIT_MMIO = 2,            /* Access to a guest address without memory, or a write to
                                      read-only memory, that no device claimed, or a tagged range */
    VSDK_EXIT_HALT = 3,            /* The processor halted and nobody else can wake it: with
                                      VSDK_IRQCHIP_NONE only, elsewhere a run waits for an
                                      interrupt. Running again goes on after the HLT. */
    VSDK_EXIT_POWEROFF = 4,        /* Terminal: the guest turned itself off */
    VSDK_EXIT_RESET = 5,           /* Terminal: the guest asked for a reset */
    VSDK_EXIT_CRASH = 6,           /* Terminal: the guest crashed; by a triple fault, or it said
                                      so */
    VSDK_EXIT_SUSPEND = 7,         /* Terminal: the guest suspended itself */
    VSDK_EXIT_WATCHDOG = 8,        /* Terminal: a watchdog expired */
    VSDK_EXIT_SOFT_RESET = 9,      /* Terminal: the guest asked to be started again in its own
                                      memory */
    VSDK_EXIT_GUEST_EXIT = 10,     /* Terminal: the guest wrote its exit code to an exit-port
                                      device */
    VSDK_EXIT_STOP = 11,           /* Terminal: the embedder or a device stopped it for another
                                      reason */
    VSDK_EXIT_KICKED = 12,         /* The run was interrupted; see vsdk_kick_detail */
    /*
     * The hypervisor could not go on (KVM_EXIT_INTERNAL_ERROR): most often there is no code where
     * the processor is, or an instruction that the hypervisor can't emulate (for KVM detail is 1
     * then). The registers tell where. Where VSDK_CAPABILITY_KERNEL_MODE is emulated much that a
     * kernel does is such an instruction.
     */
    VSDK_EXIT_INTERNAL_ERROR = 13,
    VSDK_EXIT_FAIL_ENTRY = 14,     /* The processor refused the state (KVM_EXIT_FAIL_ENTRY) */
    VSDK_EXIT_MEMORY_FAULT = 15,   /* The host could not provide a page */
    VSDK_EXIT_UNKNOWN = 16,        /* A reason newer than this library; native has its number */
    VSDK_EXIT_DEBUG = 17,          /* Reserved: step, breakpoint or watchpoint */
    VSDK_EXIT_MSR = 18,            /* Reserved: model-specific register access */
    VSDK_EXIT_CPUID = 19,          /* Reserved: CPUID */
    VSDK_EXIT_IRQ_WINDOW = 20,     /* Reserved: interrupts can be taken */
    VSDK_EXIT_HALTED = 21,         /* Terminal: every processor halted with interrupts off, so
                                      that nothing in the guest can go on. Not a power-off: a
                                      guest that panicked may end like this. */
};
typedef uint32_t vsdk_exit_reason;

/*
 * Flags of an exit.
 *
 * Since 0.1.
 */
enum vsdk_exit_flags_values {
    /*
     * General registers but RIP may be set although the access is unfinished: a non-string port
     * write. On KVM a string write too: its registers are settled, and KVM does not tell the two
     * apart.
     */
    VSDK_EXIT_REGS_SETTABLE = 0x1,
    VSDK_EXIT_TERMINAL = 0x2,      /* The virtual machine is STOPPED */
    VSDK_EXIT_REGS_SYNCED = 0x4,   /* The classes of registers that the vCPU was made with
                                      (VSDK_VCPU_SYNC_GENERAL, VSDK_VCPU_SYNC_SREGS) are in their
                                      areas: vsdk_x86_vcpu_sync_regs, vsdk_x86_vcpu_sync_sregs */
};
typedef uint32_t vsdk_exit_flags;

/*
 * Direction of an access, as the guest sees it.
 *
 * Since 0.1.
 */
enum vsdk_direction_values {
    VSDK_DIRECTION_READ = 0,  /* The guest reads: IN, load */
    VSDK_DIRECTION_WRITE = 1, /* The guest writes: OUT, store */
};
typedef uint8_t vsdk_direction;

/*
 * The two address spaces of an x86 guest in which accesses exit.
 *
 * Since 0.1.
 */
enum vsdk_space_values {
    VSDK_SPACE_PIO = 0,  /* I/O ports, 0 to 0xffff */
    VSDK_SPACE_MMIO = 1, /* Guest physical addresses */
};
typedef uint32_t vsdk_space;

/*
 * What interrupted a run.
 *
 * Since 0.1.
 */
enum vsdk_kick_detail_values {
    VSDK_KICK_REQUEST = 1,  /* vsdk_vcpu_kick */
    VSDK_KICK_DEADLINE = 2, /* The run's deadline passed */
    VSDK_KICK_SIGNAL = 3,   /* A signal of somebody else's was handled by this thread while it
                               waited. One that lands outside the wait may go unnoticed: a
                               handler that must be noticed kicks. */
};
typedef uint32_t vsdk_kick_detail;

/*
 * What is known about a crash.
 *
 * Since 0.1.
 */
enum vsdk_crash_detail_values {
    VSDK_CRASH_UNKNOWN = 0,      /* Nothing more (see VSDK_CAPABILITY_CRASH_DETAIL) */
    VSDK_CRASH_TRIPLE_FAULT = 1, /* A fault while handling a double fault */
    VSDK_CRASH_PANIC = 2,        /* The guest's system said that it panicked */
};
typedef uint32_t vsdk_crash_detail;

/*
 * The record. Frozen: 64 bytes, aligned to 64.
 *
 * 64 bytes. Since 0.1.
 */
typedef struct vsdk_exit {
    vsdk_exit_reason reason;  /* Why the run returned */
    uint32_t flags;           /* vsdk_exit_flags */
    uint64_t address;         /* Port, or guest physical address */
    uint64_t value;           /* The element of an access with count 1, or a code */
    uint64_t data;            /* Address, in this process, of the elements */
    uint32_t count;           /* Elements */
    uint16_t width;           /* Bytes an element: 1, 2, 4 or 8 */
    vsdk_direction direction; /* Read or write */
    uint8_t reserved;         /* Zero */
    uint64_t detail;          /* By reason */
    uint64_t tag;             /* Tag of the range that the access hit, 0 if none */
    uint64_t native;          /* The hypervisor's own number for the reason; for people, never to
                                 branch on */
} vsdk_exit;

/*
 * The name of a vsdk_exit_reason: none, pio, mmio and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_exit_reason_name(vsdk_exit_reason value);

/*
 * The name of a vsdk_direction: read, write.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_direction_name(vsdk_direction value);

/*
 * The name of a vsdk_space: pio, mmio.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_space_name(vsdk_space value);

/*
 * The name of a vsdk_kick_detail: request, deadline, signal.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_kick_detail_name(vsdk_kick_detail value);

/*
 * The name of a vsdk_crash_detail: unknown, triple_fault, panic.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_crash_detail_name(vsdk_crash_detail value);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_EXIT_H */
