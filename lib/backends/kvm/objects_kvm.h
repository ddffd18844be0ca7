/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the KVM backend share: its own part of each object, and the operations.
 *
 * Order of a virtual machine's making: interrupt controllers, identity map, TSS, memory slots,
 * processors. All but the last two happen in vm_create, because in this order the kernel does the
 * least work; the other way round costs up to thirteen milliseconds when the machine goes. */
#ifndef VSDK_BACKENDS_OBJECTS_KVM_H
#define VSDK_BACKENDS_OBJECTS_KVM_H

#include "backends/kvm/kvm_uapi.h"
#include "core/backend.h"
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum {
    KVM_PINS = 24,        /* of the split IOAPIC, and lines of the kernel's own */
    KVM_VCPUS_MOST = 127, /* APIC ids 2 * index below 255, and twice the number fits CPUID */
    KVM_CPUID_MOST = 256, /* leaves of a vCPU */
    KVM_SLOTS_LEAST = 32  /* that a kernel has which does not tell */
};
#define KVM_IDENTITY_MAP UINT64_C(0xfeff8000)
#define KVM_TSS UINT64_C(0xfeff9000)
#define KVM_LAPIC UINT64_C(0xfee00000)

/* What KVM_CHECK_EXTENSION is asked; host_kvm.c has the numbers. */
typedef enum kvm_question {
    KVM_ASK_IMMEDIATE_EXIT,
    KVM_ASK_VCPUS,
    KVM_ASK_VCPU_IDS,
    KVM_ASK_SPLIT_IRQCHIP,
    KVM_ASK_IRQCHIP,
    KVM_ASK_PIT2,
    KVM_ASK_SLOTS,
    KVM_ASK_SYNC_REGS,
    KVM_ASK_READONLY,
    KVM_ASK_IOEVENTFD,
    KVM_ASK_IOEVENTFD_ANY_LENGTH,
    KVM_ASK_SIGNAL_MSI,
    KVM_ASK_TSC_DEADLINE,
    KVM_ASK_USER_NMI,
    KVM_ASK_XCRS,
    KVM_ASK_NESTED,
    KVM_ASK_IRQFD,
    KVM_ASK_ROUTES,
    KVM_ASK_MCE,
    KVM_ASK_XSAVE,
    KVM_ASK_XSAVE_BYTES,
    KVM_QUESTIONS
} kvm_question;

typedef struct host_kvm {
    int fd;
    int kick_signal;
    pid_t pid; /* of the process that opened it */
    uint32_t run_bytes;
    uint32_t vcpus_max;
    _Atomic uint32_t told[KVM_QUESTIONS]; /* the answer + 1, 0: not asked yet */
    uint32_t physical_bits;
    uint32_t cpuid_count;
    vsdk_x86_cpuid_entry *cpuid; /* what the kernel supports, asked once */
} host_kvm;

typedef struct vm_kvm {
    int fd;
    vsdk_x86_cpuid_entry *cpuid; /* chosen by vm_set_cpuid, or NULL for the host's */
    uint32_t cpuid_count;
    struct msi_kvm *msis; /* by number; msi_kvm.c */
    uint32_t msi_count;
    struct reset_kvm *reset; /* what a reset writes; NULL before the first */
    /* Descriptors by index of vCPUs whose creation failed later on, else 0: the kernel never takes
     * a vCPU back, so the next creation goes on with it. */
    int kept[KVM_VCPUS_MOST];
} vm_kvm;

/* Who may signal which thread; kick_kvm.c. A thread's frames form a stack, since a callback may run
 * a vCPU of another machine. */
typedef struct kick_kvm {
    _Alignas(64) _Atomic pid_t thread; /* inside vcpu_enter .. vcpu_leave, else 0 */
    _Atomic uint32_t kickers;          /* inside vcpu_interrupt */
    _Atomic uint32_t signalled;        /* a signal is on its way or pending */
    _Alignas(64) int signal;           /* the rest is the running thread's */
    pid_t pid;
    uint64_t mask; /* of KVM_SET_SIGNAL_MASK, once it is known */
    uint32_t mask_known;
    uint64_t timer_of; /* serial of the thread that `timer` signals, 0: no timer */
    timer_t timer;
    uint64_t armed;    /* the deadline that the timer waits for, 0: none */
    uint32_t expired;  /* it has passed */
    uint32_t leftover; /* a signal may be pending that no flag tells of */
    struct kick_kvm *outer;
} kick_kvm;

typedef struct vcpu_kvm {
    kick_kvm kick;
    _Alignas(64) struct kvm_run *_Atomic run; /* NULL once the machine is gone */
    backend_vcpu *vcpu;
    int fd;
    uint32_t run_bytes;
    uint32_t pending;      /* the kernel waits for KVM_RUN to finish an access */
    uint32_t unanswered;   /* of that access there is something to do before the next KVM_RUN */
    uint32_t synced;       /* KVM_SYNC_X86_ classes that come with each exit */
    uint32_t in_run;       /* those of them in kvm_run that are the vCPU's now */
    uint8_t started;       /* it has executed, or is the boot processor */
    uint8_t may_be_halted; /* its last KVM_RUN was interrupted */
    uint8_t sregs_known;   /* `sregs` is what KVM_GET_SREGS would say */
    void *answer;          /* where the record's value goes, NULL: nowhere */
    uint32_t answer_width;
    uint32_t mmio_done;   /* bytes of the pending MMIO access that records have shown */
    _Atomic uint32_t nmi; /* inject one before the next entry */
    struct kvm_sregs sregs;
} vcpu_kvm;

static inline host_kvm *kvm_host_of(const backend_vm *vm)
{
    return vm->host->data;
}

/* A forked child may only close: what it did not inherit may be something else there by now. */
static inline int kvm_is_ours(const backend_vm *vm)
{
    return kvm_host_of(vm)->pid == getpid();
}

static inline int kvm_has_lapic(const backend_vm *vm)
{
    return vm->config.irqchip != VSDK_IRQCHIP_NONE;
}

/* host_kvm.c: what the kernel answers, asked at the first need and then kept; 0 for what it does
 * not have. Any thread, no lock: two that ask at once are told the same. */
uint32_t kvm_has(host_kvm *host, kvm_question question);
uint32_t kvm_slots_max(host_kvm *host);
uint32_t kvm_xsave_bytes(host_kvm *host); /* 0 without KVM_CAP_XSAVE */
static inline int kvm_has_kernel_irqchip(host_kvm *host)
{
    return kvm_has(host, KVM_ASK_IRQCHIP) && kvm_has(host, KVM_ASK_PIT2);
}

/* error_kvm.c: the status of a failed request; `result` is -errno. NO_MEMORY for ENOMEM, LIMIT when
 * there are no more descriptors, else SYSTEM; with advice where there is some. */
vsdk_status kvm_error(vsdk_error *error, int result, const char *request, const char *what);
/* The same where SYSTEM is the only answer. */
vsdk_status kvm_system_error(vsdk_error *error, int result, const char *request, const char *what);

/* kick_kvm.c */
void kvm_kick_init(vcpu_kvm *v, const host_kvm *host);
/* Waits until no kicker is inside vcpu_interrupt; the timer goes. */
void kvm_kick_close(vcpu_kvm *v);
vsdk_status kvm_kick_arm(vcpu_kvm *v, vsdk_error *error); /* the timer of vcpu->deadline_ns */
/* After KVM_RUN failed with EINTR: takes our signals. 1 if the interruption was ours. */
int kvm_kick_take(vcpu_kvm *v);

/* exit_kvm.c: fills the record from kvm_run; 0 if there is nothing for anybody to see. */
int kvm_exit_fill(vcpu_kvm *v);
/* What is unanswered: the record's value goes to the kernel. 1 if the record then shows the next
 * part of an access whose width is no power of two. */
int kvm_exit_answer(vcpu_kvm *v);
void kvm_exit_none(vcpu_kvm *v);
void kvm_exit_kicked(vcpu_kvm *v, vsdk_kick_detail detail);
void kvm_exit_memory_fault(vcpu_kvm *v);

/* regs_kvm_x86_64.c: v->in_run is not 0; puts these classes where the core wants them. Flags of the
 * exit. */
uint32_t kvm_regs_deliver(const vcpu_kvm *v);

/* vcpu_kvm.c */
/* What makes a new vCPU of the kernel's one of ours: CPUID, MTRRs and machine-check banks. */
vsdk_status kvm_vcpu_set_up(backend_vcpu *vcpu, int fd, vsdk_error *error);
/* A pending access is dropped, and what is known of registers is forgotten. */
vsdk_status kvm_vcpu_forget(vcpu_kvm *v, vsdk_error *error);
void kvm_vcpu_release(backend_vcpu *vcpu); /* what it holds in the kernel */

/* vm_kvm.c: a virtual machine of the kernel's with the controllers of `vm`. */
vsdk_status kvm_vm_open(const backend_vm *vm, int *fd, vsdk_error *error);

/* reset_kvm_x86_64.c */
void kvm_reset_free(struct reset_kvm *reset);

/* cpuid_kvm_x86_64.c */
vsdk_status kvm_cpuid_read_supported(host_kvm *host, vsdk_error *error);
vsdk_status kvm_cpuid_install(backend_vcpu *vcpu, int fd, vsdk_error *error);

/* kernel_mode_kvm.c: picoseconds that an instruction at CPL 0 takes, measured once a process;
 * negative -errno if that did not work. */
int64_t kvm_kernel_mode_ps(const host_kvm *host);

/* The operations, by file. */
vsdk_status kvm_host_open(backend_host *host, const vsdk_host_config *config, vsdk_error *error);
void kvm_host_close(backend_host *host);
vsdk_status kvm_host_query(backend_host *host, vsdk_capability capability,
                           vsdk_capability_info *info, vsdk_error *error);
vsdk_status kvm_host_get_cpuid(backend_host *host, vsdk_x86_cpuid_entry *entries, uint32_t capacity,
                               uint32_t *needed, vsdk_error *error);
vsdk_status kvm_vm_create(backend_vm *vm, vsdk_error *error);
void kvm_vm_destroy(backend_vm *vm);
void kvm_vm_free(backend_vm *vm);
vsdk_status kvm_vm_reset(backend_vm *vm, vsdk_error *error);
vsdk_status kvm_vm_list_reserved(backend_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                 uint32_t *needed, vsdk_error *error);
vsdk_status kvm_vm_set_cpuid(backend_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                             vsdk_error *error);
vsdk_status kvm_ram_create(backend_ram *ram, vsdk_error *error);
void kvm_ram_free(backend_ram *ram);
vsdk_status kvm_vm_map(backend_vm *vm, backend_slot *slot, vsdk_error *error);
vsdk_status kvm_vm_unmap(backend_vm *vm, backend_slot *slot, vsdk_error *error);
vsdk_status kvm_vm_protect(backend_vm *vm, backend_slot *slot, uint32_t flags, vsdk_error *error);
vsdk_status kvm_slot_dirty(backend_vm *vm, backend_slot *slot, vsdk_error *error);
vsdk_status kvm_doorbell_assign(backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                                const uint64_t *match, int fd, vsdk_error *error);
void kvm_doorbell_deassign(backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                           const uint64_t *match, int fd);
uint32_t kvm_irq_lines(backend_vm *vm);
vsdk_status kvm_irq_set_line(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error);
vsdk_status kvm_vm_send_msi(backend_vm *vm, uint64_t address, uint32_t data, vsdk_error *error);
vsdk_status kvm_msi_assign(backend_vm *vm, uint32_t id, uint64_t address, uint32_t data,
                           uint32_t device_id, int fd, vsdk_error *error);
void kvm_msi_deassign(backend_vm *vm, uint32_t id, int fd);
vsdk_status kvm_vcpu_inject_nmi(backend_vcpu *vcpu, vsdk_error *error);
vsdk_status kvm_vcpu_create(backend_vcpu *vcpu, vsdk_error *error);
void kvm_vcpu_destroy(backend_vcpu *vcpu);
vsdk_status kvm_vcpu_enter(backend_vcpu *vcpu, vsdk_error *error);
void kvm_vcpu_leave(backend_vcpu *vcpu);
vsdk_status kvm_vcpu_run(backend_vcpu *vcpu, vsdk_error *error);
void kvm_vcpu_interrupt(backend_vcpu *vcpu);
vsdk_status kvm_vcpu_complete(backend_vcpu *vcpu, vsdk_error *error);
int kvm_vcpu_is_halted(backend_vcpu *vcpu);
vsdk_status kvm_vcpu_get_regs(backend_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_error *error);
vsdk_status kvm_vcpu_set_regs(backend_vcpu *vcpu, const vsdk_x86_regs *regs, vsdk_error *error);
vsdk_status kvm_vcpu_get_sregs(backend_vcpu *vcpu, vsdk_x86_sregs *sregs, vsdk_error *error);
vsdk_status kvm_vcpu_set_sregs(backend_vcpu *vcpu, const vsdk_x86_sregs *sregs, vsdk_error *error);
vsdk_status kvm_vcpu_get_fpu(backend_vcpu *vcpu, vsdk_x86_fpu *fpu, vsdk_error *error);
vsdk_status kvm_vcpu_set_fpu(backend_vcpu *vcpu, const vsdk_x86_fpu *fpu, vsdk_error *error);
vsdk_status kvm_vcpu_get_cpuid(backend_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                               vsdk_x86_cpuid_entry *entry, vsdk_error *error);

#endif
