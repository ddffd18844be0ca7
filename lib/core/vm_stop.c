#include "base/error.h"
#include "core/vm_state.h"
#include <string.h>

void vm_end(vsdk_vm *vm, const vsdk_exit *end)
{
    if (vm->state == VSDK_VM_STOPPED)
        return;
    vm->end = (vsdk_exit){
        .reason = end->reason,
        .flags = VSDK_EXIT_TERMINAL,
        .value = end->value,
        .detail = end->detail,
        .native = end->native,
    };
    vm->state = VSDK_VM_STOPPED;
    vm_clock_stop(vm);
    vm_request(vm, REQUEST_STOP);
    vm_changed(vm);
}

static vsdk_status stop(vsdk_vm *vm, const vsdk_exit *end, const char *operation, vsdk_error *error)
{
    pthread_mutex_lock(&vm->lock);
    int gone = atomic_load(&vm->gone) != 0;
    if (!gone)
        vm_end(vm, end);
    pthread_mutex_unlock(&vm->lock);
    return gone ? vm_gone(operation, error) : VSDK_OK;
}

vsdk_status vsdk_vm_stop(vsdk_vm *vm, vsdk_exit_reason reason, uint64_t code, uint64_t detail,
                         vsdk_error *error)
{
    const char *operation = "vsdk_vm_stop";
    const vsdk_exit end = {.reason = reason, .value = code, .detail = detail};
    vm_use use;

    if (!vm)
        return error_null(error, operation, "vm");
    if (reason < VSDK_EXIT_POWEROFF || reason > VSDK_EXIT_STOP)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "reason %u is not a terminal one", reason);
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    status = stop(vm, &end, operation, error);
    bus_quiet(vm);
    vm_use_end(use);
    vm_settle(vm);
    return status;
}
