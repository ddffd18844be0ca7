#include "base/error.h"
#include "core/loop.h"
#include "core/vm_state.h"

vsdk_status vm_need_loop(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_loop *none = NULL, *made;

    if (atomic_load(&vm->loop))
        return VSDK_OK;
    vsdk_status status = loop_make(&made, operation, error);
    if (!status && !atomic_compare_exchange_strong(&vm->loop, &none, made))
        vsdk_loop_close(made);
    return status;
}

void vm_wake_loop(vsdk_vm *vm)
{
    vsdk_loop *loop = atomic_load(&vm->loop);

    if (loop)
        vsdk_loop_wake(loop, NULL);
}

vsdk_status vsdk_vm_get_loop(vsdk_vm *vm, vsdk_loop **loop, vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_get_loop";
    vm_use use;

    if (loop)
        *loop = NULL;
    if (!vm || !loop)
        return error_null(error, operation, vm ? "loop" : "vm");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    status = vm_need_loop(vm, operation, error);
    if (!status)
        *loop = atomic_load(&vm->loop);
    vm_use_end(use);
    return status;
}
