/* SPDX-License-Identifier: Apache-2.0 */
/* Registers. Those that a vCPU is made with come with each exit in kvm_run, and all but the
 * extended state are set through it, where the kernel has that; so a program that looks at them and
 * changes them at each exit makes no request of its own for it.
 *
 * A class of kvm_run is the vCPU's while it came with the last exit (in_run), or was set and is not
 * taken over yet (kvm_dirty_regs). The kernel takes it over before it finishes a pending access. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(vsdk_x86_regs) == sizeof(struct kvm_regs), "general registers");
_Static_assert(offsetof(vsdk_x86_regs, rdi) == offsetof(struct kvm_regs, rdi) &&
                   offsetof(vsdk_x86_regs, rsp) == offsetof(struct kvm_regs, rsp) &&
                   offsetof(vsdk_x86_regs, rbp) == offsetof(struct kvm_regs, rbp) &&
                   offsetof(vsdk_x86_regs, r15) == offsetof(struct kvm_regs, r15) &&
                   offsetof(vsdk_x86_regs, rflags) == offsetof(struct kvm_regs, rflags),
               "general registers are in the kernel's order");

enum { RFLAGS_IF = 1 << 9 };

static struct kvm_run *run_of(const vcpu_kvm *v)
{
    return atomic_load_explicit(&v->run, memory_order_relaxed);
}

static int is_in_run(const vcpu_kvm *v, uint32_t class)
{
    return ((v->in_run | run_of(v)->kvm_dirty_regs) & class) != 0;
}

/* What waits in kvm_run at the next entry would undo what a request sets now. */
static void leave_run(vcpu_kvm *v, uint32_t class)
{
    v->in_run &= ~class;
    run_of(v)->kvm_dirty_regs &= ~(uint64_t) class;
}

/* A processor that waits to be started must not find them when it is. */
static int can_wait_in_run(const vcpu_kvm *v, uint32_t class)
{
    return v->started && kvm_has(kvm_host_of(v->vcpu->vm), KVM_ASK_SYNC_REGS) & class;
}

vsdk_status kvm_vcpu_get_regs(backend_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_error *error)
{
    const vcpu_kvm *v = vcpu->data;
    if (is_in_run(v, KVM_SYNC_X86_REGS)) {
        memcpy(regs, &run_of(v)->s.regs.regs, sizeof *regs);
        return VSDK_OK;
    }
    int r = sys_ioctl_retry(v->fd, KVM_GET_REGS, (uintptr_t)regs);
    return r < 0 ? kvm_system_error(error, r, "KVM_GET_REGS", "the registers can't be read")
                 : VSDK_OK;
}

/* Through kvm_run the next entry takes them over without a call of its own. */
static int set_regs(vcpu_kvm *v, const vsdk_x86_regs *regs)
{
    struct kvm_run *run = run_of(v);
    if (can_wait_in_run(v, KVM_SYNC_X86_REGS)) {
        memcpy(&run->s.regs.regs, regs, sizeof *regs);
        run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
        return 0;
    }
    leave_run(v, KVM_SYNC_X86_REGS);
    return sys_ioctl_retry(v->fd, KVM_SET_REGS, (uintptr_t)regs);
}

/* The kernel finishes a pending access before it looks at RIP, and some kernels move RIP at the
 * access, some at its end: another RIP would be lost, or taken for one that stands before or behind
 * the instruction. */
static vsdk_status check_rip(backend_vcpu *vcpu, uint64_t rip, vsdk_error *error)
{
    vsdk_x86_regs now;
    vsdk_status status = kvm_vcpu_get_regs(vcpu, &now, error);
    if (status || now.rip == rip)
        return status;
    error_set(error, VSDK_ERROR_STATE, "vsdk_vcpu_set_state",
              "RIP is 0x%llx, not 0x%llx, while the access of vCPU %u is unfinished",
              (unsigned long long)now.rip, (unsigned long long)rip, vcpu->index);
    return error_hint(error, VSDK_ERROR_STATE, "finish it with vsdk_vcpu_complete first");
}

static int read_mp_state(const vcpu_kvm *v, uint32_t *state)
{
    struct kvm_mp_state mp = {0};
    int r = sys_ioctl_retry(v->fd, KVM_GET_MP_STATE, (uintptr_t)&mp);
    *state = mp.mp_state;
    return r;
}

/* New registers are a new program, which begins to execute. */
static int end_halt(vcpu_kvm *v)
{
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
    uint32_t state;
    if (!v->may_be_halted)
        return 0;
    int r = read_mp_state(v, &state);
    if (r == 0 && state == KVM_MP_STATE_HALTED)
        r = sys_ioctl_retry(v->fd, KVM_SET_MP_STATE, (uintptr_t)&runnable);
    if (r == 0)
        v->may_be_halted = 0;
    return r;
}

/* Halted with interrupts off; an NMI that is pending ends it all the same. */
int kvm_vcpu_is_halted(backend_vcpu *vcpu)
{
    vcpu_kvm *v = vcpu->data;
    struct kvm_vcpu_events events = {0};
    vsdk_x86_regs regs;
    uint32_t state;
    if (!v->may_be_halted || read_mp_state(v, &state) < 0 || state != KVM_MP_STATE_HALTED)
        return 0;
    if (kvm_vcpu_get_regs(vcpu, &regs, NULL) || regs.rflags & RFLAGS_IF)
        return 0;
    if (sys_ioctl_retry(v->fd, KVM_GET_VCPU_EVENTS, (uintptr_t)&events) < 0)
        return 0;
    return !events.nmi.pending && !events.nmi.injected && !atomic_load(&v->nmi);
}

vsdk_status kvm_vcpu_set_regs(backend_vcpu *vcpu, const vsdk_x86_regs *regs, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    vsdk_status status = v->pending ? check_rip(vcpu, regs->rip, error) : VSDK_OK;
    if (status)
        return status;
    int r = end_halt(v);
    if (r < 0)
        return kvm_system_error(error, r, "KVM_SET_MP_STATE", "the halt can't be ended");
    r = set_regs(v, regs);
    return r < 0 ? kvm_system_error(error, r, "KVM_SET_REGS", "the registers can't be set")
                 : VSDK_OK;
}

enum {
    ACCESS_S = 1 << 4,
    ACCESS_P = 1 << 7,
    ACCESS_AVL = 1 << 12,
    ACCESS_L = 1 << 13,
    ACCESS_DB = 1 << 14,
    ACCESS_G = 1 << 15
};

static void segment_from_kvm(vsdk_x86_segment *to, const struct kvm_segment *from)
{
    *to = (vsdk_x86_segment){.base = from->base, .limit = from->limit, .selector = from->selector};
    to->access = (uint16_t)((from->type & 15) | (from->s ? ACCESS_S : 0) | (from->dpl & 3) << 5 |
                            (from->present && !from->unusable ? ACCESS_P : 0) |
                            (from->avl ? ACCESS_AVL : 0) | (from->l ? ACCESS_L : 0) |
                            (from->db ? ACCESS_DB : 0) | (from->g ? ACCESS_G : 0));
}

static void segment_to_kvm(struct kvm_segment *to, const vsdk_x86_segment *from)
{
    uint16_t access = from->access;
    *to = (struct kvm_segment){
        .base = from->base,
        .limit = from->limit,
        .selector = from->selector,
        .type = access & 15,
        .present = !!(access & ACCESS_P),
        .dpl = access >> 5 & 3,
        .db = !!(access & ACCESS_DB),
        .s = !!(access & ACCESS_S),
        .l = !!(access & ACCESS_L),
        .g = !!(access & ACCESS_G),
        .avl = !!(access & ACCESS_AVL),
        .unusable = !(access & ACCESS_P),
    };
}

static void table_from_kvm(vsdk_x86_table *to, const struct kvm_dtable *from)
{
    *to = (vsdk_x86_table){.base = from->base, .limit = from->limit};
}

static void table_to_kvm(struct kvm_dtable *to, const vsdk_x86_table *from)
{
    *to = (struct kvm_dtable){.base = from->base, .limit = from->limit};
}

/* Into v->sregs. What is read to be changed and set again is asked for once. */
static vsdk_status read_sregs(vcpu_kvm *v, vsdk_error *error)
{
    if (is_in_run(v, KVM_SYNC_X86_SREGS)) {
        v->sregs = run_of(v)->s.regs.sregs;
        return VSDK_OK;
    }
    if (v->sregs_known)
        return VSDK_OK;
    int r = sys_ioctl_retry(v->fd, KVM_GET_SREGS, (uintptr_t)&v->sregs);
    if (r < 0)
        return kvm_system_error(error, r, "KVM_GET_SREGS", "the control registers can't be read");
    v->sregs_known = 1;
    return VSDK_OK;
}

static void sregs_from_kvm(vsdk_x86_sregs *sregs, const struct kvm_sregs *from)
{
    memset(sregs, 0, sizeof *sregs);
    segment_from_kvm(&sregs->cs, &from->cs);
    segment_from_kvm(&sregs->ds, &from->ds);
    segment_from_kvm(&sregs->es, &from->es);
    segment_from_kvm(&sregs->fs, &from->fs);
    segment_from_kvm(&sregs->gs, &from->gs);
    segment_from_kvm(&sregs->ss, &from->ss);
    segment_from_kvm(&sregs->tr, &from->tr);
    segment_from_kvm(&sregs->ldt, &from->ldt);
    table_from_kvm(&sregs->gdt, &from->gdt);
    table_from_kvm(&sregs->idt, &from->idt);
    sregs->cr0 = from->cr0;
    sregs->cr2 = from->cr2;
    sregs->cr3 = from->cr3;
    sregs->cr4 = from->cr4;
    sregs->efer = from->efer;
    sregs->apic_base = from->apic_base;
}

vsdk_status kvm_vcpu_get_sregs(backend_vcpu *vcpu, vsdk_x86_sregs *sregs, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    vsdk_status status = read_sregs(v, error);
    if (!status)
        sregs_from_kvm(sregs, &v->sregs);
    return status;
}

static void sregs_to_kvm(struct kvm_sregs *k, const vsdk_x86_sregs *sregs)
{
    segment_to_kvm(&k->cs, &sregs->cs);
    segment_to_kvm(&k->ds, &sregs->ds);
    segment_to_kvm(&k->es, &sregs->es);
    segment_to_kvm(&k->fs, &sregs->fs);
    segment_to_kvm(&k->gs, &sregs->gs);
    segment_to_kvm(&k->ss, &sregs->ss);
    segment_to_kvm(&k->tr, &sregs->tr);
    segment_to_kvm(&k->ldt, &sregs->ldt);
    table_to_kvm(&k->gdt, &sregs->gdt);
    table_to_kvm(&k->idt, &sregs->idt);
    k->cr0 = sregs->cr0;
    k->cr2 = sregs->cr2;
    k->cr3 = sregs->cr3;
    k->cr4 = sregs->cr4;
    k->efer = sregs->efer;
}

/* Of these the kernel alone knows whether the vCPU's processor has them: bits of CR4 and EFER by
 * its CPUID, bits of CR3 by the width of its addresses, which is 36 bits at least. */
static int kernel_must_check(const struct kvm_sregs *now, const struct kvm_sregs *wanted)
{
    enum { ADDRESS_BITS_LEAST = 36 };
    return now->cr0 != wanted->cr0 || now->cr4 != wanted->cr4 || now->efer != wanted->efer ||
           now->cs.l != wanted->cs.l || (now->cr3 ^ wanted->cr3) >> ADDRESS_BITS_LEAST;
}

/* At the next entry a refusal would come too late for who set them. */
static int set_sregs(vcpu_kvm *v, struct kvm_sregs *wanted)
{
    struct kvm_run *run = run_of(v);
    int must_ask = !can_wait_in_run(v, KVM_SYNC_X86_SREGS) || kernel_must_check(&v->sregs, wanted);
    v->sregs_known = 0;
    if (!must_ask) {
        run->s.regs.sregs = *wanted;
        run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
        return 0;
    }
    int r = sys_ioctl_retry(v->fd, KVM_SET_SREGS, (uintptr_t)wanted);
    if (r == 0)
        leave_run(v, KVM_SYNC_X86_SREGS);
    return r;
}

vsdk_status kvm_vcpu_set_sregs(backend_vcpu *vcpu, const vsdk_x86_sregs *sregs, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    vsdk_status status = read_sregs(v, error);
    if (status)
        return status;
    struct kvm_sregs k = v->sregs;
    sregs_to_kvm(&k, sregs);
    int r = set_sregs(v, &k);
    if (r == -EINVAL)
        return error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, EINVAL, "KVM_SET_SREGS",
                               "cr0 %llx, cr4 %llx and efer %llx contradict each other or have "
                               "bits that the vCPU lacks",
                               (unsigned long long)sregs->cr0, (unsigned long long)sregs->cr4,
                               (unsigned long long)sregs->efer);
    return r < 0 ? kvm_system_error(error, r, "KVM_SET_SREGS", "the control registers can't be set")
                 : VSDK_OK;
}

uint32_t kvm_regs_deliver(const vcpu_kvm *v)
{
    const struct kvm_run *run = run_of(v);
    if (v->in_run & KVM_SYNC_X86_REGS)
        memcpy(v->vcpu->sync_regs, &run->s.regs.regs, sizeof(vsdk_x86_regs));
    if (v->in_run & KVM_SYNC_X86_SREGS)
        sregs_from_kvm(v->vcpu->sync_sregs, &run->s.regs.sregs);
    return v->in_run == v->synced ? VSDK_EXIT_REGS_SYNCED : 0;
}

/* The extended state area: 512 bytes in the layout of FXSAVE64, then the header whose first word
 * says which parts are not in their initial state. */
enum { XSAVE_HEADER = 512, XSTATE_X87_SSE = 3, FPU_FIELDS = offsetof(vsdk_x86_fpu, reserved2) };

static vsdk_status read_xsave(const backend_vcpu *vcpu, char **area, vsdk_error *error)
{
    const vcpu_kvm *v = vcpu->data;
    uint32_t bytes = kvm_xsave_bytes(kvm_host_of(vcpu->vm));
    if (!bytes)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "KVM_GET_XSAVE",
                         "this kernel's KVM lacks KVM_CAP_XSAVE");
    *area = alloc_zeroed(bytes);
    if (!*area)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "KVM_GET_XSAVE",
                         "no memory for %u bytes of extended state", bytes);
    int large = bytes > sizeof(struct kvm_xsave);
    int r = sys_ioctl_retry(v->fd, large ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, (uintptr_t)*area);
    if (r == 0)
        return VSDK_OK;
    alloc_free(*area);
    *area = NULL;
    return kvm_system_error(error, r, "KVM_GET_XSAVE", "the floating-point state can't be read");
}

vsdk_status kvm_vcpu_get_fpu(backend_vcpu *vcpu, vsdk_x86_fpu *fpu, vsdk_error *error)
{
    char *area = NULL;
    vsdk_status status = read_xsave(vcpu, &area, error);
    if (status)
        return status;
    memset(fpu, 0, sizeof *fpu);
    memcpy(fpu, area, FPU_FIELDS);
    fpu->reserved = 0;
    alloc_free(area);
    return VSDK_OK;
}

static void merge_fpu(char *area, const vsdk_x86_fpu *fpu)
{
    uint64_t in_use;
    vsdk_x86_fpu legacy = *fpu;
    memcpy(&legacy.mxcsr_mask, area + offsetof(vsdk_x86_fpu, mxcsr_mask), sizeof legacy.mxcsr_mask);
    legacy.reserved = 0;
    memcpy(area, &legacy, FPU_FIELDS);
    memcpy(&in_use, area + XSAVE_HEADER, sizeof in_use);
    in_use |= XSTATE_X87_SSE;
    memcpy(area + XSAVE_HEADER, &in_use, sizeof in_use);
}

vsdk_status kvm_vcpu_set_fpu(backend_vcpu *vcpu, const vsdk_x86_fpu *fpu, vsdk_error *error)
{
    const vcpu_kvm *v = vcpu->data;
    char *area = NULL;
    vsdk_status status = read_xsave(vcpu, &area, error);
    if (status)
        return status;
    merge_fpu(area, fpu);
    int r = sys_ioctl_retry(v->fd, KVM_SET_XSAVE, (uintptr_t)area);
    alloc_free(area);
    if (r == -EINVAL)
        return error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, EINVAL, "KVM_SET_XSAVE",
                               "MXCSR %x has a reserved bit", fpu->mxcsr);
    return r < 0 ? kvm_system_error(error, r, "KVM_SET_XSAVE",
                                    "the floating-point state can't be set")
                 : VSDK_OK;
}
