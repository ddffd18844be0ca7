/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an autonomous guest executes. Two kinds of threads have a say: movers want it to or not,
 * writers hold it for a moment. It executes when it is wanted and nobody holds it; each changes its
 * own word and makes it so, under vm->serial, so that neither waits for the other's work. */
#include "core/life_moves.h"

/* vm->serial held. */
static vsdk_status make_it_so(vsdk_vm *vm, vsdk_error *error)
{
    const backend_ops *ops = vm->backend.host->ops;
    uint32_t runs = vm->life.guest_wanted && !vm->life.guest_held;

    if (runs == vm->life.guest_runs)
        return VSDK_OK;
    vsdk_status status =
        runs ? ops->vm_resume(&vm->backend, error) : ops->vm_pause(&vm->backend, error);
    if (!status)
        vm->life.guest_runs = runs;
    return status;
}

vsdk_status guest_want(vsdk_vm *vm, int runs, vsdk_error *error)
{
    if (!vm_autonomous(vm))
        return VSDK_OK;
    lock_take(&vm->serial);
    uint32_t before = vm->life.guest_wanted;
    vm->life.guest_wanted = runs != 0;
    vsdk_status status = make_it_so(vm, error);
    if (status)
        vm->life.guest_wanted = before;
    lock_give(&vm->serial);
    return status;
}

vsdk_status guest_hold(vsdk_vm *vm, int held, vsdk_error *error)
{
    if (!vm_autonomous(vm))
        return VSDK_OK;
    lock_take(&vm->serial);
    vm->life.guest_held += held ? 1u : UINT32_MAX;
    vsdk_status status = make_it_so(vm, error);
    if (status && held)
        vm->life.guest_held--;
    else if (status) /* refused for want of memory, say: the end of the guest if it stays so */
        status = make_it_so(vm, error);
    lock_give(&vm->serial);
    return status;
}

int guest_executes(vsdk_vm *vm)
{
    lock_take(&vm->serial);
    int runs = (int)vm->life.guest_runs;
    lock_give(&vm->serial);
    return runs;
}
