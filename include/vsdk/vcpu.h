/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual processors.
 *
 * A vCPU is IN_GUEST, AT_EXIT (its run returned) or HELD (the virtual machine is not RUNNING). On
 * an autonomous backend an unanswered access alone keeps it AT_EXIT: after KICKED or HALT it is
 * IN_GUEST. A portable program pauses before it looks at registers. The embedder gives it a thread
 * by calling vsdk_vcpu_run in a loop; any thread may, one at a time.
 *
 * What a run returns, in order of precedence: VSDK_ERROR_GONE, the terminal exit, an exit, KICKED.
 *
 * Kicks are sticky and coalesce: a kick before, during or after a run makes the current or the next
 * run return KICKED once. A kick never cancels an access.
 *
 * On KVM an exit costs one system call, and each call of run one more. Two signals are blocked in a
 * thread that runs a vCPU, and the kernel opens them while the guest executes: the real-time signal
 * kick_signal of vsdk_host_config, and SIGSTKFLT for when the kernel has no room for another
 * real-time signal. No handler is installed. They stay blocked afterwards: that is the one effect
 * on a thread.
 *
 * The guest executes with the signal mask that the thread has when run is called. A program may
 * change the mask between two runs as it likes; each run blocks the two signals again. A device
 * callback that changes the mask gives it back before it returns, and leaves the two signals
 * blocked.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/vcpu.toml by abi/generate.py.
 */

#ifndef VSDK_VCPU_H
#define VSDK_VCPU_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/exit.h>
#include <vsdk/host.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* A virtual processor. Counted; keeps the memory of its virtual machine's handle. Since 0.1. */
typedef struct vsdk_vcpu vsdk_vcpu;

/*
 * Where a virtual processor is.
 *
 * Since 0.1.
 */
enum vsdk_vcpu_phase_values {
    VSDK_VCPU_HELD = 0,     /* Stands still because its virtual machine is CREATED, PAUSED or
                               STOPPED */
    VSDK_VCPU_IN_GUEST = 1, /* Executes, or may: someone is inside run, or the backend is
                               autonomous */
    VSDK_VCPU_AT_EXIT = 2,  /* Stands at an exit that its last run returned; on an autonomous
                               backend, at an access that is not answered yet */
};
typedef uint32_t vsdk_vcpu_phase;

/*
 * Flags of vsdk_vcpu_config.
 *
 * Since 0.1.
 */
enum vsdk_vcpu_flags_values {
    VSDK_VCPU_SYNC_GENERAL = 0x1, /* Deliver the general registers with each exit that returns to
                                     the embedder, at vsdk_x86_vcpu_sync_regs. See
                                     VSDK_CAPABILITY_SYNC_GENERAL. */
    VSDK_VCPU_SYNC_SREGS = 0x2,   /* Deliver the segment, descriptor-table and control registers
                                     with each exit that returns to the embedder, at
                                     vsdk_x86_vcpu_sync_sregs. See VSDK_CAPABILITY_SYNC_SREGS. */
};
typedef uint32_t vsdk_vcpu_flags;

/*
 * How to make a vCPU.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_vcpu_config {
    uint32_t size;        /* sizeof(vsdk_vcpu_config) */
    uint32_t flags;       /* vsdk_vcpu_flags */
    vsdk_exit *exit;      /* Memory for the exit record, aligned to 64; stays the caller's and
                             must outlive the last reference. NULL: the library's. */
    uint64_t reserved[2]; /* Zero */
} vsdk_vcpu_config;

/*
 * Counts since the vCPU was created.
 *
 * The caller sets size to sizeof; the library fills in the rest. 96 bytes. Since 0.1.
 */
typedef struct vsdk_vcpu_counters {
    uint32_t size;      /* sizeof(vsdk_vcpu_counters), set by the caller */
    uint32_t flags;     /* Zero */
    uint64_t runs;      /* Calls of run */
    uint64_t exits;     /* Exits that the hypervisor delivered to user space */
    uint64_t pio;       /* Of these, port accesses */
    uint64_t mmio;      /* Of these, memory accesses */
    uint64_t claimed;   /* Accesses that an attached device answered */
    uint64_t returned;  /* Exits that run returned, KICKED not counted */
    uint64_t kicked;    /* Times that run returned KICKED */
    uint64_t halts;     /* HALT exits */
    uint64_t internal;  /* Exits that the library handled itself (EINTR of its own, EAGAIN, Xen's
                           housekeeping) */
    uint64_t doorbells; /* Doorbells that this vCPU's thread rang */
    uint64_t reserved;  /* Zero */
} vsdk_vcpu_counters;

/*
 * Take a reference more.
 *
 *   vcpu  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_vcpu *vsdk_vcpu_ref(vsdk_vcpu *vcpu);

/*
 * The name of a vsdk_vcpu_phase: held, in_guest, at_exit.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_vcpu_phase_name(vsdk_vcpu_phase value);

/*
 * Create a virtual processor.
 *
 * Number 0 is the boot processor: its registers are the caller's to set before the start, by
 * vsdk_boot_apply or vsdk_vcpu_set_state. Until then it has the architectural reset state: real
 * mode at 0xfffffff0, where a machine without firmware has no memory. To begin in real mode at an
 * address below 64 KiB read vsdk_x86_sregs, make base and selector of cs 0, set them, and set rip
 * (with rflags 2). The others wait inside run for INIT and SIPI. The APIC id is 2 * index. The
 * first creation freezes the platform.
 *
 *   index   0 to vcpus_max - 1.
 *   config  NULL for all defaults.
 *   vcpu    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the record is not aligned to 64, or a flag is unknown
 *   LIMIT             index is not below vcpus_max, or there are no more descriptors
 *   EXISTS            this vCPU was created before
 *   STATE             the guest was started already, or called in a forked child
 *   UNSUPPORTED       the configuration has a later version's field, or a class of registers can
 *                     not come with exits here (VSDK_CAPABILITY_SYNC_GENERAL,
 *                     VSDK_CAPABILITY_SYNC_SREGS)
 *   NO_MEMORY         no memory
 *   SYSTEM            the hypervisor refused
 *   BUSY              called from a callback
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: briefly: asks the hypervisor. From callbacks: no: VSDK_ERROR_BUSY. States:
 * CREATED. Backends: all. Since 0.1.
 * Source: Linux api.rst, KVM_CREATE_VCPU.
 */
vsdk_status vsdk_vcpu_create(vsdk_vm *vm, uint32_t index, const vsdk_vcpu_config *config,
                             vsdk_vcpu **vcpu, vsdk_error *error);

/*
 * Drop a reference to a vCPU.
 *
 * The guest keeps its processor; closing never stops it.
 *
 *   vcpu  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_vcpu_close(vsdk_vcpu *vcpu);

/*
 * Where this vCPU's exit record is.
 *
 * What the record shows stays until the next vsdk_vcpu_run or vsdk_vcpu_complete of this vCPU, or a
 * pause with VSDK_PAUSE_SETTLE while its access is unanswered, by any thread. So who reads it after
 * a run makes sure that no other thread does one of these. A pause without that flag, a reset, a
 * stop and a destroy leave it as it is. After a reset an access in it is forgotten: what is written
 * there has no effect.
 *
 * Returns the record: the same address for the vCPU's life (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_exit *vsdk_vcpu_record(vsdk_vcpu *vcpu);

/*
 * Execute the guest until something needs the embedder.
 *
 * Finishes the access of the last exit with the answer in the record, enters the guest, lets
 * attached devices answer what they claim, and returns with the record filled. In CREATED and
 * PAUSED it waits inside; of the first wait in CREATED a log at VSDK_LOG_INFO is told.
 *
 * VSDK_OK says that the record is filled, not that the guest goes on: a loop ends when the exit has
 * VSDK_EXIT_TERMINAL, or a reason that it does not handle.
 *
 * A processor that halts waits inside for an interrupt; VSDK_EXIT_HALT is for a machine without
 * interrupt controllers. One that halts with interrupts off waits for ever on KVM; on Xen it goes
 * down, and the last one to do so ends the guest with HALTED. vsdk_vm_run ends with HALTED on both;
 * on KVM it takes seconds to find out.
 *
 * While another thread's pause finishes the access (VSDK_PAUSE_SETTLE) the run waits for that
 * first, whatever its deadline.
 *
 * With a deadline that has passed the run returns KICKED with VSDK_KICK_DEADLINE. On KVM a deadline
 * costs three system calls more a run: a program of many short runs may prefer one timer of its own
 * that kicks.
 *
 *   timeout_ns  (ns) Longest time from now, in real time; 0 does not enter the guest, VSDK_FOREVER
 *               has no end.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vcpu is NULL
 *   BUSY              another thread is inside run of this vCPU, or called from a callback
 *   GONE              the virtual machine was destroyed
 *   LIMIT             KVM: no room for the timer of the deadline among the user's pending signals
 *                     (ulimit -i)
 *   SYSTEM            the hypervisor refused to run it
 *   STATE             called in a forked child
 * Threads: any; one at a time a vCPU. Blocks: until an exit, a kick or the deadline. From
 * callbacks: no: VSDK_ERROR_BUSY from a callback of this virtual machine. States: any; waits in
 * CREATED and PAUSED. Backends: all. Since 0.1.
 * Source: Linux api.rst, KVM_RUN; xen/include/public/hvm/ioreq.h.
 */
vsdk_status vsdk_vcpu_run(vsdk_vcpu *vcpu, uint64_t timeout_ns, vsdk_error *error);

/*
 * Finish the access of the last exit without executing anything after it.
 *
 * Afterwards registers are exact. Without an unfinished access it does nothing. An access that
 * crosses a page comes in fragments: the next one goes to the device that claims it, as in a run;
 * else the record shows it, and the call is repeated. A fragment whose device has stopped waits for
 * the start of the device: the answer is VSDK_ERROR_STATE, and the next run after the start goes on
 * with it. Needs VSDK_CAPABILITY_COMPLETE_EXACT.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vcpu is NULL
 *   UNSUPPORTED       the backend has no exact completion
 *   STATE             a further fragment of the access is for a device that has stopped, or called
 *                     in a forked child
 *   BUSY              another thread is inside run, or called from a callback
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any; one at a time a vCPU. Blocks: while devices answer further fragments. From
 * callbacks: no: VSDK_ERROR_BUSY. States: any but IN_GUEST, which is BUSY. Backends: kvm, mock.
 * Since 0.1.
 */
vsdk_status vsdk_vcpu_complete(vsdk_vcpu *vcpu, vsdk_error *error);

/*
 * Make the current or the next run return KICKED once.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vcpu is NULL
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any; async-signal-safe. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_vcpu_kick(vsdk_vcpu *vcpu, vsdk_error *error);

/*
 * Where a vCPU is.
 *
 * A moment's answer: unless the virtual machine is PAUSED it may be old when it is read.
 *
 *   phase  Out.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vcpu_get_phase(vsdk_vcpu *vcpu, vsdk_vcpu_phase *phase, vsdk_error *error);

/*
 * Read one class of a vCPU's state.
 *
 * The classes and their records stand in the architecture's header (x86.h).
 *
 *   state_class  Which class, such as VSDK_X86_REGS.
 *   state        (out, bytes bytes) Filled with the class's record.
 *   bytes        (bytes) The size of the record, by sizeof.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the class is unknown or bytes is not its size
 *   STATE             the vCPU is IN_GUEST, or called in a forked child
 *   UNSUPPORTED       the backend has no such state
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 * Threads: any. Blocks: no. From callbacks: from callbacks of this vCPU's own accesses. States:
 * AT_EXIT, HELD. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vcpu_get_state(vsdk_vcpu *vcpu, uint32_t state_class, void *state, uint64_t bytes,
                                vsdk_error *error);

/*
 * Set one class of a vCPU's state.
 *
 *   state_class  Which class, such as VSDK_X86_REGS.
 *   state        (bytes bytes) The class's record.
 *   bytes        (bytes) The size of the record, by sizeof.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the class is unknown, bytes is not its size, or the values
 *                     contradict each other: CR0.PG without CR0.PE, EFER.LMA that is not what
 *                     CR0.PG and EFER.LME make it or is without CR4.PAE, a reserved bit of CR0 or
 *                     MXCSR
 *   STATE             the vCPU is IN_GUEST, its access is unfinished, or it is down and the backend
 *                     lacks VSDK_CAPABILITY_DOWN_REGS, or called in a forked child
 *   UNSUPPORTED       the backend has no such state
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused the values
 * Threads: any. Blocks: no. From callbacks: as vsdk_vcpu_get_state. States: AT_EXIT without an
 * unfinished access, HELD. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vcpu_set_state(vsdk_vcpu *vcpu, uint32_t state_class, const void *state,
                                uint64_t bytes, vsdk_error *error);

/*
 * Exit counters.
 *
 * Read without stopping the vCPU: each number is exact at some moment of the call.
 *
 *   counters  (inout) size set by the caller.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or size is too small
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vcpu_get_counters(vsdk_vcpu *vcpu, vsdk_vcpu_counters *counters,
                                   vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VCPU_H */
