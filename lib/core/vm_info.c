#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/vm_state.h"

enum { FIRST_SIZE = 64 };

static void fill(vsdk_vm *vm, vsdk_vm_info *info)
{
    uint64_t clock = vm_clock(vm);

    pthread_mutex_lock(&vm->lock);
    *info = (vsdk_vm_info){
        .size = sizeof *info,
        .state = vm->state,
        .stop_reason = vm->end.reason,
        .stop_code = vm->end.value,
        .stop_detail = vm->end.detail,
        .vcpus = vm->vcpu_count,
        .vcpus_max = vm->backend.config.vcpus_max,
        .irqchip = vm->backend.config.irqchip,
        .clock_ns = clock,
        .domain = vm->backend.domain,
    };
    pthread_mutex_unlock(&vm->lock);
}

vsdk_status vsdk_vm_get_info(vsdk_vm *vm, vsdk_vm_info *info, vsdk_error *error)
{
    const char *operation = "vsdk_vm_get_info";
    vsdk_vm_info answer;
    vm_use use;

    record_clear(info, sizeof *info);
    if (!vm)
        return error_null(error, operation, "vm");
    if (!info)
        return error_null(error, operation, "info");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    fill(vm, &answer);
    vm_use_end(use);
    return record_write(info, &answer, sizeof answer, FIRST_SIZE, operation, error);
}
