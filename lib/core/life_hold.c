/* SPDX-License-Identifier: Apache-2.0 */
/* Writers of memory: they keep the vCPUs out of the guest for a moment. A writer waits for other
 * writers and for vCPUs to leave the guest, never for callbacks and never for a mover. */
#include "core/life_moves.h"

static int is_mine(const vsdk_vm *vm)
{
    return vm->life.writer.depth && pthread_equal(vm->life.writer.owner, pthread_self());
}

/* life.lock held. */
static vsdk_status take_turn(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    for (;;) {
        uint32_t seen = atomic_load(&vm->life.changes);
        if (atomic_load(&vm->gone))
            return vm_gone(operation, error);
        if (!vm->life.writer.depth)
            break;
        life_wait(vm, seen, 0);
    }
    vm->life.writer.depth = 1;
    vm->life.writer.owner = pthread_self();
    vm_request(vm, REQUEST_WRITER);
    for (;;) {
        uint32_t seen = atomic_load(&vm->life.changes);
        if (!vm_any_at(vm, PLACES_IN_GUEST))
            return VSDK_OK;
        life_wait(vm, seen, 0);
    }
}

static void give_turn(vsdk_vm *vm)
{
    if (--vm->life.writer.depth)
        return;
    vm_withdraw(vm, REQUEST_WRITER);
    life_changed(vm);
}

vsdk_status life_hold(vsdk_vm *vm, int guest, const char *operation, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    lock_take(&vm->life.lock);
    if (is_mine(vm))
        vm->life.writer.depth++;
    else
        status = take_turn(vm, operation, error);
    lock_give(&vm->life.lock);
    if (status || !guest)
        return status;
    status = guest_hold(vm, 1, error);
    if (status) {
        lock_take(&vm->life.lock);
        give_turn(vm);
        lock_give(&vm->life.lock);
    }
    return status;
}

void life_release(vsdk_vm *vm, int guest)
{
    vsdk_error why;

    if (guest && guest_hold(vm, 0, &why))
        life_break(vm, "the guest does not go on after a change of its memory", &why);
    lock_take(&vm->life.lock);
    give_turn(vm);
    lock_give(&vm->life.lock);
}
