/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86-64 architecture.
 *
 * All that is of the x86-64 architecture and of no other: register records, CPUID, non-maskable
 * interrupts. The portable headers hold none of it.
 *
 * Registers are read and written by vsdk_vcpu_get_state and vsdk_vcpu_set_state (vcpu.h), one class
 * at a time; each class has its record here. Values are the processor's own; reserved fields are
 * zero.
 *
 * A message-signalled interrupt of x86 (vsdk_vm_send_msi) has the address 0xfee00000 | destination
 * << 12 | redirection << 3 | mode << 2 and the data vector | delivery mode << 8 (Intel SDM volume
 * 3, section 11.11).
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/x86.toml by abi/generate.py.
 */

#ifndef VSDK_X86_H
#define VSDK_X86_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/host.h>
#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Classes of a vCPU's state, for vsdk_vcpu_get_state and vsdk_vcpu_set_state.
 *
 * Since 0.1.
 */
enum vsdk_x86_state_class_values {
    /*
     * vsdk_x86_regs. With an access unfinished RIP and the destination of a read are unspecified,
     * and setting is VSDK_ERROR_STATE unless the exit has VSDK_EXIT_REGS_SETTABLE. With that flag
     * all but RIP may change: a RIP that differs from the one that is read is VSDK_ERROR_STATE too,
     * so finish the access first: by vsdk_vcpu_complete, or where VSDK_CAPABILITY_COMPLETE_EXACT is
     * missing by vsdk_vm_pause with VSDK_PAUSE_SETTLE. Setting the registers of a processor that
     * has halted makes it runnable: it goes on at RIP.
     */
    VSDK_X86_REGS = 1,
    VSDK_X86_SREGS = 2, /* vsdk_x86_sregs. Of a processor that is down (not started, or halted
                           for good) a backend without VSDK_CAPABILITY_DOWN_REGS tells control
                           registers only; the rest is zero, or as it was set before the start. */
    VSDK_X86_FPU = 3,   /* vsdk_x86_fpu. Extended state above it is kept when it is set. See
                           VSDK_CAPABILITY_FPU. */
};
typedef uint32_t vsdk_x86_state_class;

/*
 * General registers.
 *
 * Source: Intel SDM volume 1, section 3.4. 144 bytes. Since 0.1.
 */
typedef struct vsdk_x86_regs {
    uint64_t rax;    /* RAX */
    uint64_t rbx;    /* RBX */
    uint64_t rcx;    /* RCX */
    uint64_t rdx;    /* RDX */
    uint64_t rsi;    /* RSI */
    uint64_t rdi;    /* RDI */
    uint64_t rsp;    /* RSP */
    uint64_t rbp;    /* RBP */
    uint64_t r8;     /* R8 */
    uint64_t r9;     /* R9 */
    uint64_t r10;    /* R10 */
    uint64_t r11;    /* R11 */
    uint64_t r12;    /* R12 */
    uint64_t r13;    /* R13 */
    uint64_t r14;    /* R14 */
    uint64_t r15;    /* R15 */
    uint64_t rip;    /* RIP, relative to the base of CS */
    uint64_t rflags; /* RFLAGS; bit 1 is always set */
} vsdk_x86_regs;

/*
 * A segment register with its hidden part.
 *
 * Source: Intel SDM volume 3, section 3.4.3; the access rights are those of the descriptor's bits
 * 40-55 without the limit. 24 bytes. Since 0.1.
 */
typedef struct vsdk_x86_segment {
    uint64_t base;     /* Base address */
    uint32_t limit;    /* Limit in bytes, granularity applied */
    uint16_t selector; /* Selector */
    uint16_t access;   /* Access rights: type (bits 3-0), S (4), DPL (6-5), P (7), AVL (12), L
                          (13), D/B (14), G (15). A segment without P is unusable. */
    uint64_t reserved; /* Zero */
} vsdk_x86_segment;

/*
 * A descriptor-table register.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_x86_table {
    uint64_t base;        /* Base address */
    uint16_t limit;       /* Limit in bytes */
    uint16_t reserved[3]; /* Zero */
} vsdk_x86_table;

/*
 * Segment, descriptor-table and control registers.
 *
 * 288 bytes. Since 0.1.
 */
typedef struct vsdk_x86_sregs {
    vsdk_x86_segment cs;  /* CS */
    vsdk_x86_segment ds;  /* DS */
    vsdk_x86_segment es;  /* ES */
    vsdk_x86_segment fs;  /* FS */
    vsdk_x86_segment gs;  /* GS */
    vsdk_x86_segment ss;  /* SS */
    vsdk_x86_segment tr;  /* TR */
    vsdk_x86_segment ldt; /* LDTR */
    vsdk_x86_table gdt;   /* GDTR */
    vsdk_x86_table idt;   /* IDTR */
    uint64_t cr0;         /* CR0 */
    uint64_t cr2;         /* CR2 */
    uint64_t cr3;         /* CR3 */
    uint64_t cr4;         /* CR4 */
    uint64_t efer;        /* IA32_EFER */
    uint64_t apic_base;   /* IA32_APIC_BASE; read, and ignored when set */
    uint64_t reserved[2]; /* Zero */
} vsdk_x86_sregs;

/*
 * x87 and SSE state in the layout of FXSAVE64.
 *
 * Source: Intel SDM volume 1, section 10.5. 512 bytes. Since 0.1.
 */
typedef struct vsdk_x86_fpu {
    uint16_t fcw;          /* Control word */
    uint16_t fsw;          /* Status word */
    uint8_t ftw;           /* Abridged tag word */
    uint8_t reserved;      /* Zero */
    uint16_t fop;          /* Last opcode */
    uint64_t fip;          /* Last instruction's address */
    uint64_t fdp;          /* Last operand's address */
    uint32_t mxcsr;        /* MXCSR */
    uint32_t mxcsr_mask;   /* Bits of MXCSR that exist; ignored when set */
    uint8_t st[128];       /* ST0 to ST7, 16 bytes each */
    uint8_t xmm[256];      /* XMM0 to XMM15, 16 bytes each */
    uint8_t reserved2[96]; /* Zero */
} vsdk_x86_fpu;

/*
 * One CPUID leaf.
 *
 * 32 bytes. Since 0.1.
 */
typedef struct vsdk_x86_cpuid_entry {
    uint32_t leaf;     /* EAX before CPUID */
    uint32_t subleaf;  /* ECX before CPUID; 0 for leaves that have none */
    uint32_t flags;    /* 1 if the leaf depends on the subleaf */
    uint32_t reserved; /* Zero */
    uint32_t eax;      /* EAX after CPUID */
    uint32_t ebx;      /* EBX after CPUID */
    uint32_t ecx;      /* ECX after CPUID */
    uint32_t edx;      /* EDX after CPUID */
} vsdk_x86_cpuid_entry;

/*
 * CPUID leaves that guests of this host get by default.
 *
 * Before the topology of a particular vCPU is filled in. Copies at most capacity entries and always
 * tells how many there are.
 *
 *   entries   (out, capacity elements) Filled; NULL with capacity 0 just asks for the number.
 *   capacity  (entries) Room in entries.
 *   needed    (out, entries) How many there are.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  host or needed is NULL, or entries is NULL with a capacity
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Linux api.rst, KVM_GET_SUPPORTED_CPUID; xenctrl.h, xc_cpu_policy.
 */
vsdk_status vsdk_x86_host_get_cpuid(vsdk_host *host, vsdk_x86_cpuid_entry *entries,
                                    uint32_t capacity, uint32_t *needed, vsdk_error *error);

/*
 * Choose the CPUID leaves of the guest.
 *
 * Replaces the default of vsdk_x86_host_get_cpuid. The library then fills in, for each vCPU, the
 * leaves that carry its APIC id and the topology (1, 4, 0xb, 0x1f, 0x80000001, 0x80000008,
 * 0x8000001d, 0x8000001e), the same on every backend. On Xen only leaves that its policy has can be
 * changed.
 *
 *   entries  (count elements) The leaves. Copied.
 *   count    (entries) 1 to 256.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or count is 0
 *   LIMIT             count is above 256
 *   STATE             a vCPU exists already, or called in a forked child
 *   UNSUPPORTED       the backend can't, or refused a leaf
 *   NO_MEMORY         no memory
 *   GONE              it was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: CREATED, before the first
 * vsdk_vcpu_create. Backends: kvm, xen; see VSDK_CAPABILITY_CPUID_SET. Since 0.1.
 */
vsdk_status vsdk_x86_vm_set_cpuid(vsdk_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                                  vsdk_error *error);

/*
 * What CPUID answers on this vCPU.
 *
 * Leaves and subleaves that do not exist answer VSDK_ERROR_NOT_FOUND. So do those of the hypervisor
 * (0x40000000 to 0x4fffffff) on Xen, which makes them when the guest asks.
 *
 *   leaf     EAX.
 *   subleaf  ECX; ignored for leaves without subleaves.
 *   entry    (out) Filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   NOT_FOUND         no such leaf
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_x86_vcpu_get_cpuid(vsdk_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                    vsdk_x86_cpuid_entry *entry, vsdk_error *error);

/*
 * Send a non-maskable interrupt.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vcpu is NULL
 *   UNSUPPORTED       the backend has none
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all; see
 * VSDK_CAPABILITY_NMI. Since 0.1.
 */
vsdk_status vsdk_x86_vcpu_inject_nmi(vsdk_vcpu *vcpu, vsdk_error *error);

/*
 * Where the general registers are after an exit.
 *
 * For a vCPU made with VSDK_VCPU_SYNC_GENERAL. The area holds the registers when the exit has
 * VSDK_EXIT_REGS_SYNCED. The embedder may change it, and says so by vsdk_x86_vcpu_sync_write; a
 * change that is not told has no effect. The next exit overwrites it.
 *
 * Returns the registers: the same address for the vCPU's life; NULL without VSDK_VCPU_SYNC_GENERAL
 * (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: AT_EXIT. Backends: all. Since 0.1.
 */
vsdk_x86_regs *vsdk_x86_vcpu_sync_regs(vsdk_vcpu *vcpu);

/*
 * Where the segment, descriptor-table and control registers are after an exit.
 *
 * For a vCPU made with VSDK_VCPU_SYNC_SREGS. As vsdk_x86_vcpu_sync_regs in everything else.
 *
 * Returns the registers: the same address for the vCPU's life; NULL without VSDK_VCPU_SYNC_SREGS
 * (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: AT_EXIT. Backends: all. Since 0.1.
 */
vsdk_x86_sregs *vsdk_x86_vcpu_sync_sregs(vsdk_vcpu *vcpu);

/*
 * Set registers to what their areas hold.
 *
 * Does what vsdk_vcpu_set_state does for each class, with the area as the record, and under the
 * same conditions. The values are taken during the call: a later change of an area needs a call of
 * its own. An area is taken whole, so one that no exit has filled is to be filled by the caller.
 *
 * Both classes are checked before one of them is set. After VSDK_ERROR_SYSTEM one of them may be
 * set.
 *
 * On KVM the values wait in the memory that the kernel shares, and the next run takes them without
 * a system call more. A change of CR0, CR4, EFER, the L bit of CS, or the bits of CR3 from 36 on is
 * a request of its own, because only the kernel can say whether the processor has such values.
 * vsdk_vcpu_get_state tells what was set at once. A reset drops it.
 *
 *   classes  VSDK_VCPU_SYNC_GENERAL, VSDK_VCPU_SYNC_SREGS or both: of those that the vCPU was made
 *            with.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vcpu is NULL, classes is 0 or has a class that the vCPU was not made with, or
 *                     the values contradict each other as vsdk_vcpu_set_state says
 *   STATE             the vCPU is IN_GUEST, its access is unfinished, RIP differs where the access
 *                     needs it, or it is down and the backend lacks VSDK_CAPABILITY_DOWN_REGS, or
 *                     called in a forked child
 *   GONE              the virtual machine was destroyed
 *   SYSTEM            the hypervisor refused the values
 * Threads: any. Blocks: no. From callbacks: as vsdk_vcpu_get_state. States: AT_EXIT without an
 * unfinished access, HELD. General registers also at an exit with VSDK_EXIT_REGS_SETTABLE.
 * Backends: all. Since 0.1.
 * Source: Linux api.rst, KVM_CAP_SYNC_REGS.
 */
vsdk_status vsdk_x86_vcpu_sync_write(vsdk_vcpu *vcpu, vsdk_vcpu_flags classes, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_X86_H */
