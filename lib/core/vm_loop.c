/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a virtual machine, made when somebody needs it: it costs three descriptors. The loop
 * knows the virtual machine until that is destroyed, so that its dispatcher makes transitions. */
#include "base/error.h"
#include "core/life_moves.h"
#include "core/loop.h"

vsdk_status vm_need_loop(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_loop *none = NULL, *made;

    if (atomic_load(&vm->loop))
        return VSDK_OK;
    vsdk_status status = loop_make(&made, operation, error);
    if (status)
        return status;
    made->vm = vm;
    if (!atomic_compare_exchange_strong(&vm->loop, &none, made))
        loop_put(made);
    else
        life_changed(vm); /* who waits may dispatch it */
    return VSDK_OK;
}

void vm_wake_loop(vsdk_vm *vm)
{
    vsdk_loop *loop = atomic_load(&vm->loop);

    if (loop)
        loop_wake(loop);
}

vsdk_loop *vsdk_vm_loop(vsdk_vm *vm, vsdk_error *error)
{
    static const char operation[] = "vsdk_vm_loop";
    vsdk_loop *loop = NULL;
    vm_use use;

    if (!vm)
        return error_null(error, operation, "vm"), NULL;
    if (vm_use_begin(vm, &use, operation, error))
        return NULL;
    if (!vm_need_loop(vm, operation, error))
        loop = atomic_load(&vm->loop);
    vm_use_end(use);
    return loop;
}
