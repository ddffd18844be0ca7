#include "base/error.h"
#include "core/vcpu_state.h"

static vsdk_status inexact(const char *operation, vsdk_error *error)
{
    return error_hint(error,
                      error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                                "this backend cannot finish an access without going on"),
                      "ask vsdk_host_query for VSDK_CAPABILITY_COMPLETE_EXACT");
}

static int is_exact(const vsdk_vm *vm)
{
    const backend_ops *ops = vm->backend.host->ops;

    return (ops->traits & BACKEND_EXACT_COMPLETE) && ops->vcpu_complete;
}

/* Place BUSY. *more: the record shows something else that happened, as after a run. */
static vsdk_status finish_once(vsdk_vcpu *vcpu, int *more, const char *operation, vsdk_error *error)
{
    vsdk_vm *vm = vcpu->vm;

    if (atomic_load(&vcpu->backend.requests) & REQUEST_WRITER)
        vcpu_wait_for_writer(vcpu);
    if (atomic_load(&vcpu->backend.requests) & REQUEST_GONE)
        return vm_gone(operation, error);
    vcpu_restore_answer(vcpu);
    pthread_mutex_lock(&vm->serial);
    vsdk_status status = vm->backend.host->ops->vcpu_complete(&vcpu->backend, error);
    pthread_mutex_unlock(&vm->serial);
    if (status)
        return status;
    atomic_store_explicit(&vcpu->pending, 0, memory_order_relaxed);
    *more = vcpu->backend.exit->reason != VSDK_EXIT_NONE;
    return VSDK_OK;
}

/* Place BUSY. Parts of the access that follow go to the devices; the first that none claims is left
 * pending. */
static vsdk_status finish_access(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    while (atomic_load_explicit(&vcpu->pending, memory_order_relaxed)) {
        int more = 0;
        vsdk_status status = finish_once(vcpu, &more, operation, error);
        if (status || !more)
            return status;
        vcpu_step_aside(vcpu);
        int claimed = exit_dispatch(vcpu);
        vcpu_step_back(vcpu);
        if (!claimed)
            return VSDK_OK;
    }
    return VSDK_OK;
}

static vsdk_status complete_inside(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    if (atomic_load(&vcpu->backend.requests) & REQUEST_GONE)
        return vm_gone(operation, error);
    if (!is_exact(vcpu->vm))
        return inexact(operation, error);
    return finish_access(vcpu, operation, error);
}

vsdk_status vsdk_vcpu_complete(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_complete";

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    vsdk_vm *vm = vcpu->vm;
    if (callback_in_vm(vm))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a callback of this virtual machine");
    if (!vcpu_come_in(vcpu))
        return error_set(error, VSDK_ERROR_BUSY, operation, "a thread is inside run of vCPU %u",
                         vcpu->backend.index);
    vm_get(vm);
    vsdk_status status = complete_inside(vcpu, operation, error);
    vcpu_go_out(vcpu);
    vm_put(vm);
    return status;
}

static vsdk_status drain_inside(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    if (!atomic_load_explicit(&vcpu->pending, memory_order_relaxed))
        return VSDK_OK;
    vsdk_status status = complete_inside(vcpu, operation, error);
    if (status || !atomic_load_explicit(&vcpu->pending, memory_order_relaxed))
        return status;
    return error_set(error, VSDK_ERROR_STATE, operation,
                     "vCPU %u has a further part of its access, which no device answers",
                     vcpu->backend.index);
}

static vsdk_status drain_vcpu(vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    int counted = vcpu_keep_record(vcpu);
    vsdk_status status;

    if (vcpu_come_in(vcpu)) {
        status = drain_inside(vcpu, operation, error);
        vcpu_go_out(vcpu);
    } else {
        status = error_set(error, VSDK_ERROR_BUSY, operation, "a thread is inside run of vCPU %u",
                           vcpu->backend.index);
    }
    if (counted)
        vsdk_vcpu_close(vcpu);
    return status;
}

static vsdk_status may_drain(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    pthread_mutex_lock(&vm->lock);
    if (atomic_load(&vm->gone))
        status = vm_gone(operation, error);
    else if (vm->state != VSDK_VM_PAUSED)
        status = error_hint(error,
                            error_set(error, VSDK_ERROR_STATE, operation,
                                      "the virtual machine is %s", vsdk_vm_state_name(vm->state)),
                            "call vsdk_vm_pause first");
    else if (vm_any_at(vm, ~(1u << PLACE_OUT)))
        status =
            error_hint(error, error_set(error, VSDK_ERROR_BUSY, operation, "a vCPU is inside run"),
                       "kick it and let its run return first");
    pthread_mutex_unlock(&vm->lock);
    return status;
}

vsdk_status vsdk_vm_drain(vsdk_vm *vm, vsdk_error *error)
{
    const char *operation = "vsdk_vm_drain";

    if (!vm)
        return error_null(error, operation, "vm");
    if (callback_in_vm(vm))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a callback of this virtual machine");
    vsdk_status status = may_drain(vm, operation, error);
    for (uint32_t i = 0; !status && i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            status = drain_vcpu(vm->vcpus[i], operation, error);
    return status;
}
