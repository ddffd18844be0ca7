/* SPDX-License-Identifier: Apache-2.0 */
/* Finishing the access of the last exit without going on: for an embedder by vsdk_vcpu_complete,
 * for a pause that settles by vcpu_settle. Parts of the access that follow go to their devices
 * while those are started; in PAUSED they stay in the record. */
#include "base/error.h"
#include "core/callback.h"
#include "core/vcpu_state.h"

static int is_exact(const vsdk_vm *vm)
{
    const backend_ops *ops = vm->backend.host->ops;

    return (ops->traits & BACKEND_EXACT_COMPLETE) && ops->vcpu_complete;
}

/* Place BUSY. *more: the record shows something else that happened, as after a run. Where finishing
 * is not exact the answer is sent, with a request that keeps the run from going on; what the guest
 * does until it is held is another access, which nobody has seen. */
static vsdk_status finish_once(vsdk_vcpu *vcpu, int *more, const char *operation, vsdk_error *error)
{
    vsdk_vm *vm = vcpu->vm;
    const backend_ops *ops = vm->backend.host->ops;
    vsdk_status status;

    if (atomic_load(&vcpu->backend.requests) & REQUEST_WRITER)
        vcpu_wait_for_writer(vcpu);
    if (atomic_load(&vcpu->backend.requests) & REQUEST_GONE)
        return vm_gone(operation, error);
    if (is_exact(vm)) {
        lock_take(&vm->serial);
        status = ops->vcpu_complete(&vcpu->backend, error);
        lock_give(&vm->serial);
    } else {
        status = ops->vcpu_run(&vcpu->backend, error);
        if (!status && vcpu->backend.exit->reason == VSDK_EXIT_KICKED)
            *vcpu->backend.exit = (vsdk_exit){.reason = VSDK_EXIT_NONE};
    }
    if (status)
        return status;
    atomic_store_explicit(&vcpu->pending, 0, memory_order_relaxed);
    *more = vcpu->backend.exit->reason != VSDK_EXIT_NONE;
    return VSDK_OK;
}

static vsdk_status left_over(const vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_STATE, operation,
                     "vCPU %u has a further part of its access, whose device is stopped",
                     vcpu->backend.index);
}

/* Place BUSY. The first part that nobody claims is left pending. */
static vsdk_status finish_access(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    vcpu_restore_answer(vcpu);
    while (atomic_load_explicit(&vcpu->pending, memory_order_relaxed)) {
        int more = 1;
        uint32_t given = vcpu->deferred ? vcpu->element : 0;
        vsdk_status status = VSDK_OK;
        if (!vcpu->deferred)
            status = finish_once(vcpu, &more, operation, error);
        if (status || !more)
            return status;
        vcpu_step_aside(vcpu);
        int claimed = exit_dispatch(vcpu);
        vcpu_step_back(vcpu);
        if (!claimed)
            return VSDK_OK;
        if (vcpu->deferred && vcpu->element == given) /* its device does not serve */
            return left_over(vcpu, operation, error);
    }
    return VSDK_OK;
}

static vsdk_status complete_inside(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    if (atomic_load(&vcpu->backend.requests) & REQUEST_GONE)
        return vm_gone(operation, error);
    if (is_exact(vcpu->vm))
        return finish_access(vcpu, operation, error);
    return error_hint(error,
                      error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                                "this backend cannot finish an access without going on"),
                      "run the vCPU, or pause with VSDK_PAUSE_SETTLE: either finishes the access, "
                      "and the guest may go on a little");
}

static vsdk_status busy(const vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_BUSY, operation, "a thread is inside run of vCPU %u",
                     vcpu->backend.index);
}

vsdk_status vsdk_vcpu_complete(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_complete";

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    vsdk_vm *vm = vcpu->vm;
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (callback_in_vm(vm))
        return callback_busy(operation, error);
    if (!vm_enter(vm))
        return vm_gone(operation, error);
    vsdk_status status;
    if (vcpu_come_in(vcpu)) {
        status = complete_inside(vcpu, operation, error);
        vcpu_go_out(vcpu);
    } else {
        status = busy(vcpu, operation, error);
    }
    vm_leave(vm);
    return status;
}

/* Place BUSY, HOLD requested: outside of a run, so the backend's bracket is made here. */
static vsdk_status finish_inexactly(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    const backend_ops *ops = vcpu->vm->backend.host->ops;
    vsdk_status status;

    if (atomic_load(&vcpu->backend.requests) & REQUEST_GONE)
        return vm_gone(operation, error);
    status = ops->vcpu_enter ? ops->vcpu_enter(&vcpu->backend, error) : VSDK_OK;
    if (status)
        return status;
    status = finish_access(vcpu, operation, error);
    if (ops->vcpu_leave)
        ops->vcpu_leave(&vcpu->backend);
    return status;
}

vsdk_status vcpu_settle(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    if (!atomic_load_explicit(&vcpu->pending, memory_order_relaxed))
        return VSDK_OK;
    int counted = vcpu_keep_record(vcpu);
    atomic_fetch_add(&vcpu->settles, 1);
    if (!vcpu_come_in(vcpu)) {
        status = busy(vcpu, operation, error);
    } else {
        if (is_exact(vcpu->vm))
            status = finish_access(vcpu, operation, error);
        else
            status = finish_inexactly(vcpu, operation, error);
        if (!status && atomic_load_explicit(&vcpu->pending, memory_order_relaxed))
            status = error_set(error, VSDK_ERROR_STATE, operation,
                               "vCPU %u has a further part of its access, which no device answers",
                               vcpu->backend.index);
        atomic_store(&vcpu->place, PLACE_OUT);
    }
    atomic_fetch_add(&vcpu->settles, 1);
    life_changed(vcpu->vm);
    if (counted)
        vsdk_vcpu_close(vcpu);
    return status;
}
