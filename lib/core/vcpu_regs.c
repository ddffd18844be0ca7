/* Reading and setting a vCPU's state, one class at a time: who may reach it and when. What a class
 * holds is the architecture's: x86_state.c. Nobody is inside the vCPU's run while its state is
 * reached, unless it is the thread that asks. */
#include "base/error.h"
#include "core/vcpu_state.h"
#include "core/x86.h"
#include <inttypes.h>
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

/* The arguments that reading and setting share. */
static vsdk_status check_arguments(const vsdk_vcpu *vcpu, uint32_t state_class, const void *state,
                                   uint64_t bytes, const char *operation, vsdk_error *error)
{
    uint64_t size = x86_state_size(state_class);

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (!state)
        return error_null(error, operation, "state");
    if (!size)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "class %u is unknown",
                         state_class);
    if (bytes != size)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%" PRIu64 " bytes are not the %" PRIu64 " of class %u", bytes, size,
                         state_class);
    return VSDK_OK;
}

vsdk_status vsdk_vcpu_get_state(vsdk_vcpu *vcpu, uint32_t state_class, void *state, uint64_t bytes,
                                vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_get_state";
    reach r;

    if (state && bytes && bytes == x86_state_size(state_class))
        memset(state, 0, bytes);
    vsdk_status status = check_arguments(vcpu, state_class, state, bytes, operation, error);
    if (status)
        return status;
    status = reach_place(vcpu, &r, operation, error);
    if (status)
        return status;
    pthread_mutex_lock(&vcpu->vm->serial);
    status = x86_state_get(&vcpu->backend, state_class, state, operation, error);
    pthread_mutex_unlock(&vcpu->vm->serial);
    reach_end(vcpu, &r);
    return status;
}

vsdk_status vsdk_vcpu_set_state(vsdk_vcpu *vcpu, uint32_t state_class, const void *state,
                                uint64_t bytes, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_set_state";
    vsdk_status status = check_arguments(vcpu, state_class, state, bytes, operation, error);
    reach r;

    if (!status)
        status = x86_state_check(state_class, state, operation, error);
    if (!status)
        status = reach_place(vcpu, &r, operation, error);
    if (status)
        return status;
    uint32_t settable = state_class == VSDK_X86_REGS ? vcpu->settable : 0;
    status = check_settable(vcpu, settable, operation, error);
    if (!status) {
        pthread_mutex_lock(&vcpu->vm->serial);
        status = x86_state_set(&vcpu->backend, state_class, state, operation, error);
        pthread_mutex_unlock(&vcpu->vm->serial);
    }
    reach_end(vcpu, &r);
    return status;
}
