#include "base/error.h"
#include "core/vcpu_state.h"
#include <sched.h>
#include <string.h>

/* How the calling thread reached a vCPU's registers. */
typedef struct reach {
    vm_use use;
    int locked; /* place has PLACE_LOCKED: to be taken away */
} reach;

static int in_own_callback(const vsdk_vcpu *vcpu)
{
    for (const callback_frame *f = callback_top(); f; f = f->outer)
        if (f->vcpu == vcpu)
            return 1;
    return 0;
}

/* Nobody is inside, or the thread is parked: it can't go on while the lock bit is there. */
static int lock_place(vsdk_vcpu *vcpu)
{
    uint32_t place = atomic_load(&vcpu->place);

    return (place == PLACE_OUT || place == PLACE_PARKED) &&
           atomic_compare_exchange_strong(&vcpu->place, &place, place | PLACE_LOCKED);
}

static void unlock_place(vsdk_vcpu *vcpu)
{
    atomic_fetch_and(&vcpu->place, ~(uint32_t)PLACE_LOCKED);
}

enum stand { STAND_STILL, STAND_SOON, STAND_MOVES };

/* With the place locked: whether the vCPU itself stands. */
static enum stand stand_of_locked(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = vcpu->vm;

    if (!vm_autonomous(vm) || atomic_load_explicit(&vcpu->pending, memory_order_relaxed))
        return STAND_STILL;
    pthread_mutex_lock(&vm->lock);
    int runs = vm->state == VSDK_VM_RUNNING || vm->guest_runs;
    pthread_mutex_unlock(&vm->lock);
    return runs ? STAND_MOVES : STAND_STILL;
}

/* Its thread moves: in CREATED and PAUSED that is for a moment only, but for callbacks of a drain.
 */
static enum stand stand_of_moving(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = vcpu->vm;

    pthread_mutex_lock(&vm->lock);
    int held = vm_stands(vm);
    pthread_mutex_unlock(&vm->lock);
    uint32_t place = atomic_load(&vcpu->place);
    if (place & PLACE_LOCKED)
        return STAND_SOON;
    return held && place != PLACE_ASIDE ? STAND_SOON : STAND_MOVES;
}

static enum stand try_reach(vsdk_vcpu *vcpu)
{
    if (!lock_place(vcpu))
        return stand_of_moving(vcpu);
    enum stand stand = stand_of_locked(vcpu);
    if (stand != STAND_STILL)
        unlock_place(vcpu);
    return stand;
}

static vsdk_status in_guest(const vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    return error_hint(error,
                      error_set(error, VSDK_ERROR_STATE, operation, "vCPU %u is in the guest",
                                vcpu->backend.index),
                      "pause the virtual machine first");
}

/* Outside of the use while it waits: what it waits for may wait for uses. */
static vsdk_status reach_place(vsdk_vcpu *vcpu, reach *r, const char *operation, vsdk_error *error)
{
    for (;;) {
        vsdk_status status = vm_use_begin(vcpu->vm, &r->use, operation, error);
        if (status)
            return status;
        r->locked = !in_own_callback(vcpu);
        if (!r->locked)
            return VSDK_OK;
        enum stand stand = try_reach(vcpu);
        if (stand == STAND_STILL)
            return VSDK_OK;
        vm_use_end(r->use);
        if (stand == STAND_MOVES)
            return in_guest(vcpu, operation, error);
        sched_yield();
    }
}

static void reach_end(vsdk_vcpu *vcpu, reach *r)
{
    if (r->locked)
        unlock_place(vcpu);
    vm_use_end(r->use);
}

static vsdk_status reach_begin(vsdk_vcpu *vcpu, const void *record, const char *name, reach *r,
                               const char *operation, vsdk_error *error)
{
    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (!record)
        return error_null(error, operation, name);
    return reach_place(vcpu, r, operation, error);
}

/* The access that the vCPU stands at allows no registers to be set. */
static vsdk_status check_settable(vsdk_vcpu *vcpu, uint32_t settable, const char *operation,
                                  vsdk_error *error)
{
    if (!atomic_load_explicit(&vcpu->pending, memory_order_relaxed) || settable)
        return VSDK_OK;
    return error_hint(error,
                      error_set(error, VSDK_ERROR_STATE, operation,
                                "the access of vCPU %u is unfinished", vcpu->backend.index),
                      "finish it with vsdk_vcpu_complete");
}

static vsdk_status unsupported(const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "this backend has no such state");
}

/* One get or set: `call` names the entry of the operations table. */
#define SERIALISED(vcpu, status, call, record)                                                     \
    do {                                                                                           \
        const backend_ops *ops = (vcpu)->vm->backend.host->ops;                                    \
        pthread_mutex_lock(&(vcpu)->vm->serial);                                                   \
        status = ops->call ? ops->call(&(vcpu)->backend, record, error)                            \
                           : unsupported(operation, error);                                        \
        pthread_mutex_unlock(&(vcpu)->vm->serial);                                                 \
    } while (0)

vsdk_status vsdk_vcpu_get_regs(vsdk_vcpu *vcpu, vsdk_regs *regs, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_get_regs";
    reach r;

    if (regs)
        memset(regs, 0, sizeof *regs);
    vsdk_status status = reach_begin(vcpu, regs, "regs", &r, operation, error);
    if (status)
        return status;
    SERIALISED(vcpu, status, vcpu_get_regs, regs);
    reach_end(vcpu, &r);
    return status;
}

vsdk_status vsdk_vcpu_set_regs(vsdk_vcpu *vcpu, const vsdk_regs *regs, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_set_regs";
    reach r;
    vsdk_status status = reach_begin(vcpu, regs, "regs", &r, operation, error);

    if (status)
        return status;
    status = check_settable(vcpu, vcpu->settable, operation, error);
    if (!status)
        SERIALISED(vcpu, status, vcpu_set_regs, regs);
    reach_end(vcpu, &r);
    return status;
}

vsdk_status vsdk_vcpu_get_sregs(vsdk_vcpu *vcpu, vsdk_sregs *sregs, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_get_sregs";
    reach r;

    if (sregs)
        memset(sregs, 0, sizeof *sregs);
    vsdk_status status = reach_begin(vcpu, sregs, "sregs", &r, operation, error);
    if (status)
        return status;
    SERIALISED(vcpu, status, vcpu_get_sregs, sregs);
    reach_end(vcpu, &r);
    return status;
}

enum { CR0_PE = 1 << 0, CR4_PAE = 1 << 5, EFER_LME = 1 << 8, EFER_LMA = 1 << 10 };
#define CR0_PG (UINT64_C(1) << 31)

/* Of the architecture, here once for all backends; these check what their hypervisor alone knows.
 */
static const char *contradiction(const vsdk_sregs *sregs)
{
    int paging = (sregs->cr0 & CR0_PG) != 0, active = (sregs->efer & EFER_LMA) != 0;

    if (sregs->cr0 >> 32)
        return "cr0 has reserved bits";
    if (paging && !(sregs->cr0 & CR0_PE))
        return "cr0 has PG but no PE";
    if (active != (paging && (sregs->efer & EFER_LME)))
        return "LMA of efer is not what PG of cr0 and LME of efer make it";
    return active && !(sregs->cr4 & CR4_PAE) ? "efer has LMA but cr4 has no PAE" : NULL;
}

static vsdk_status check_sregs(const vsdk_sregs *sregs, const char *operation, vsdk_error *error)
{
    const char *what = contradiction(sregs);

    if (!what)
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what);
}

vsdk_status vsdk_vcpu_set_sregs(vsdk_vcpu *vcpu, const vsdk_sregs *sregs, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_set_sregs";
    reach r;
    vsdk_status status = reach_begin(vcpu, sregs, "sregs", &r, operation, error);

    if (status)
        return status;
    status = check_sregs(sregs, operation, error);
    if (!status)
        status = check_settable(vcpu, 0, operation, error);
    if (!status)
        SERIALISED(vcpu, status, vcpu_set_sregs, sregs);
    reach_end(vcpu, &r);
    return status;
}

vsdk_status vsdk_vcpu_get_fpu(vsdk_vcpu *vcpu, vsdk_fpu *fpu, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_get_fpu";
    reach r;

    if (fpu)
        memset(fpu, 0, sizeof *fpu);
    vsdk_status status = reach_begin(vcpu, fpu, "fpu", &r, operation, error);
    if (status)
        return status;
    SERIALISED(vcpu, status, vcpu_get_fpu, fpu);
    reach_end(vcpu, &r);
    return status;
}

static vsdk_status check_fpu(const vsdk_fpu *fpu, const char *operation, vsdk_error *error)
{
    if (!(fpu->mxcsr & ~0xffffu))
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "mxcsr 0x%x has a reserved bit",
                     fpu->mxcsr);
}

vsdk_status vsdk_vcpu_set_fpu(vsdk_vcpu *vcpu, const vsdk_fpu *fpu, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_set_fpu";
    reach r;
    vsdk_status status = reach_begin(vcpu, fpu, "fpu", &r, operation, error);

    if (status)
        return status;
    status = check_fpu(fpu, operation, error);
    if (!status)
        status = check_settable(vcpu, 0, operation, error);
    if (!status)
        SERIALISED(vcpu, status, vcpu_set_fpu, fpu);
    reach_end(vcpu, &r);
    return status;
}

vsdk_status vsdk_vcpu_get_cpuid(vsdk_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                vsdk_cpuid_entry *entry, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_get_cpuid";
    vm_use use;

    if (entry)
        memset(entry, 0, sizeof *entry);
    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (!entry)
        return error_null(error, operation, "entry");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, operation, error);
    if (status)
        return status;
    const backend_ops *ops = vcpu->vm->backend.host->ops;
    pthread_mutex_lock(&vcpu->vm->serial);
    status = ops->vcpu_get_cpuid(&vcpu->backend, leaf, subleaf, entry, error);
    pthread_mutex_unlock(&vcpu->vm->serial);
    vm_use_end(use);
    return status;
}

vsdk_status vsdk_vcpu_inject_nmi(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_inject_nmi";
    vm_use use;

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, operation, error);
    if (status)
        return status;
    const backend_ops *ops = vcpu->vm->backend.host->ops;
    status = ops->vcpu_inject_nmi ? ops->vcpu_inject_nmi(&vcpu->backend, error)
                                  : unsupported(operation, error);
    vm_use_end(use);
    return status;
}
