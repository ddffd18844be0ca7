/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting, the clock, and requests to vCPUs.
 *
 * The way that a thread steps out of the guest into a device and back costs no fence
 * (vcpu_state.h). So who asks vCPUs to leave passes a heavy fence after setting the requests: a
 * thread that stepped aside before is seen aside, one that steps aside after sees the request and
 * tells of it; one that stepped back before is seen BUSY, and one that steps back after sees the
 * request. */
#include "core/life_wait.h"
#include "base/fence.h"
#include "base/sys.h"

void life_changed(vsdk_vm *vm)
{
    atomic_fetch_add(&vm->life.changes, 1);
    if (atomic_load(&vm->life.waiters))
        sys_futex_wake(&vm->life.changes);
    if (!atomic_load(&vm->life.dispatchers))
        return;
    readers_token token = readers_enter(&vm->readers);
    if (atomic_load(&vm->life.dispatchers))
        sys_eventfd_write(atomic_load(&vm->life.loop_event), 1);
    readers_leave(token);
}

int life_wait(vsdk_vm *vm, uint32_t seen, uint64_t deadline_ns)
{
    if (deadline_ns && sys_clock() >= deadline_ns)
        return 0;
    atomic_fetch_add(&vm->life.waiters, 1);
    lock_give(&vm->life.lock);
    sys_futex_wait(&vm->life.changes, seen, deadline_ns);
    lock_take(&vm->life.lock);
    atomic_fetch_sub(&vm->life.waiters, 1);
    return 1;
}

void life_clock_start(vsdk_vm *vm)
{
    if (!vm->life.clock_since)
        vm->life.clock_since = sys_clock();
}

void life_clock_stop(vsdk_vm *vm)
{
    if (vm->life.clock_since)
        vm->life.clock_ns += sys_clock() - vm->life.clock_since;
    vm->life.clock_since = 0;
}

uint64_t life_clock(vsdk_vm *vm)
{
    lock_take(&vm->life.lock);
    uint64_t now = vm->life.clock_ns;
    if (vm->life.clock_since)
        now += sys_clock() - vm->life.clock_since;
    lock_give(&vm->life.lock);
    return now;
}

static uint32_t place_of(const vsdk_vcpu *vcpu)
{
    return atomic_load(&vcpu->place) & (PLACE_LOCKED - 1);
}

/* The thread waits on its requests; it said so before it looked at them. */
static void wake_waiting(vsdk_vcpu *vcpu)
{
    uint32_t place = place_of(vcpu);

    if (place == PLACE_WAIT || place == PLACE_PARKED)
        sys_futex_wake(&vcpu->backend.requests);
}

/* Wherever its thread is, it sees requests that were set before. */
static void make_look(vsdk_vcpu *vcpu)
{
    if (atomic_load(&vcpu->place) == PLACE_BUSY)
        vcpu->backend.vm->host->ops->vcpu_interrupt(&vcpu->backend);
    else
        wake_waiting(vcpu);
}

/* From OUT and PARKED a thread goes by a full fence; one that is seen BUSY need not be looked for.
 */
void vcpu_request(vsdk_vcpu *vcpu, uint32_t bits)
{
    atomic_fetch_or(&vcpu->backend.requests, bits);
    uint32_t place = atomic_load(&vcpu->place);
    if (place == PLACE_ASIDE || place == PLACE_WAIT)
        fence_heavy();
    make_look(vcpu);
}

void vm_request(vsdk_vm *vm, uint32_t bits)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            atomic_fetch_or(&vm->vcpus[i]->backend.requests, bits);
    fence_heavy();
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            make_look(vm->vcpus[i]);
}

/* Who waits (PLACE_WAIT) may not sleep yet, and has looked: LOOK stays, or requests that come and
 * go would hide from it what LOOK was set for (wait_for_device in vcpu_run.c). It takes LOOK back
 * itself. */
void vm_withdraw(vsdk_vm *vm, uint32_t bits)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++) {
        vsdk_vcpu *vcpu = vm->vcpus[i];
        if (!vcpu)
            continue;
        uint32_t stays = place_of(vcpu) == PLACE_WAIT ? REQUEST_LOOK : 0;
        atomic_fetch_and(&vcpu->backend.requests, ~bits | stays);
        wake_waiting(vcpu);
    }
}

int vm_any_at(vsdk_vm *vm, uint32_t places)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i] && places & 1u << place_of(vm->vcpus[i]))
            return 1;
    return 0;
}

int vcpu_lock_place(vsdk_vcpu *vcpu, int parked_too)
{
    uint32_t place = atomic_load(&vcpu->place);

    while (place == PLACE_OUT || (parked_too && place == PLACE_PARKED))
        if (atomic_compare_exchange_weak(&vcpu->place, &place, place | PLACE_LOCKED))
            return 1;
    return 0;
}

void vcpu_unlock_place(vsdk_vcpu *vcpu)
{
    uint32_t before = atomic_fetch_and(&vcpu->place, (uint32_t)(PLACE_LOCKED - 1));

    if (before & PLACE_AWAITED)
        sys_futex_wake(&vcpu->place);
}

void vcpu_unlock_place_tell(vsdk_vcpu *vcpu)
{
    vcpu_unlock_place(vcpu);
    life_changed(vcpu->vm);
}

void vcpu_await_place(vsdk_vcpu *vcpu)
{
    uint32_t place = atomic_load(&vcpu->place);

    while (place & PLACE_LOCKED) {
        if (atomic_compare_exchange_weak(&vcpu->place, &place, place | PLACE_AWAITED))
            sys_futex_wait(&vcpu->place, place | PLACE_AWAITED, 0);
        place = atomic_load(&vcpu->place);
    }
}
