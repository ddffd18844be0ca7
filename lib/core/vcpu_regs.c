/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and setting a vCPU's state, one class at a time or from the areas beside the record: who
 * may reach it and when. What a class holds is the architecture's: x86_state.c. Nobody is inside
 * the vCPU's run while its state is reached, unless it is the thread that asks. */
#include "base/error.h"
#include "core/callback.h"
#include "core/vcpu_state.h"
#include "core/x86.h"
#include <inttypes.h>
#include <string.h>

/* How the calling thread reached a vCPU's state. */
typedef struct reach {
    vm_use use;
    int locked; /* its place: to be unlocked */
} reach;

static vsdk_status in_guest(const vsdk_vcpu *vcpu, const char *operation, vsdk_error *error)
{
    return error_hint(error,
                      error_set(error, VSDK_ERROR_STATE, operation, "vCPU %u is in the guest",
                                vcpu->backend.index),
                      "pause the virtual machine first");
}

/* With the place locked: an autonomous guest stands at an unanswered access, or while it is held.
 */
static int stands(vsdk_vcpu *vcpu)
{
    return !vm_autonomous(vcpu->vm) || atomic_load_explicit(&vcpu->pending, memory_order_relaxed) ||
           !guest_executes(vcpu->vm);
}

/* A thread is in it. In CREATED and PAUSED that is for a moment, until it parks or has left: no
 * device has a callback then that could last. 1 after such a moment. */
static int moves_for_a_moment(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = vcpu->vm;
    int moment = 0;

    vcpu_await_place(vcpu);
    lock_take(&vm->life.lock);
    uint32_t seen = atomic_load(&vm->life.changes);
    uint32_t place = atomic_load(&vcpu->place), state = atomic_load(&vm->life.state);
    if (place == PLACE_OUT || place == PLACE_PARKED || place & PLACE_LOCKED) {
        moment = 1;
    } else if (state == VSDK_VM_CREATED || state == VSDK_VM_PAUSED) {
        life_wait(vm, seen, 0);
        moment = 1;
    }
    lock_give(&vm->life.lock);
    return moment;
}

/* Outside of the use while it waits: what it waits for may wait for uses. */
static vsdk_status reach_place(vsdk_vcpu *vcpu, reach *r, const char *operation, vsdk_error *error)
{
    for (;;) {
        vsdk_status status = vm_use_begin(vcpu->vm, &r->use, operation, error);
        if (status)
            return status;
        r->locked = !callback_in_vcpu(vcpu);
        if (!r->locked)
            return VSDK_OK;
        if (vcpu_lock_place(vcpu, 1)) {
            if (stands(vcpu))
                return VSDK_OK;
            vcpu_unlock_place_tell(vcpu);
            vm_use_end(r->use);
            return in_guest(vcpu, operation, error);
        }
        vm_use_end(r->use);
        if (!moves_for_a_moment(vcpu))
            return in_guest(vcpu, operation, error);
    }
}

static void reach_end(vsdk_vcpu *vcpu, reach *r)
{
    if (r->locked)
        vcpu_unlock_place_tell(vcpu);
    vm_use_end(r->use);
}

/* The access that the vCPU stands at allows no registers to be set. */
static vsdk_status check_settable(vsdk_vcpu *vcpu, uint32_t settable, const char *operation,
                                  vsdk_error *error)
{
    if (!atomic_load_explicit(&vcpu->pending, memory_order_relaxed) || settable)
        return VSDK_OK;
    error_set(error, VSDK_ERROR_STATE, operation, "the access of vCPU %u is unfinished",
              vcpu->backend.index);
    if (vcpu->vm->host->backend.ops->traits & BACKEND_EXACT_COMPLETE)
        return error_hint(error, VSDK_ERROR_STATE, "finish it with vsdk_vcpu_complete");
    return error_hint(error, VSDK_ERROR_STATE, "run the vCPU, which finishes it");
}

/* The arguments that reading and setting share. */
static vsdk_status check_arguments(const vsdk_vcpu *vcpu, uint32_t state_class, const void *state,
                                   uint64_t bytes, const char *operation, vsdk_error *error)
{
    uint64_t size = x86_state_size(state_class);

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (vm_is_foreign(vcpu->vm))
        return vm_forked(operation, error);
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
    lock_take(&vcpu->vm->serial);
    status = x86_state_get(&vcpu->backend, state_class, state, operation, error);
    lock_give(&vcpu->vm->serial);
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
        lock_take(&vcpu->vm->serial);
        status = x86_state_set(&vcpu->backend, state_class, state, operation, error);
        lock_give(&vcpu->vm->serial);
    }
    reach_end(vcpu, &r);
    return status;
}

/* What the areas held at one moment: what is checked is what is set. */
typedef struct area_values {
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
} area_values;

static vsdk_status check_classes(const vsdk_vcpu *vcpu, uint32_t classes, const char *operation,
                                 vsdk_error *error)
{
    const uint32_t known = VSDK_VCPU_SYNC_GENERAL | VSDK_VCPU_SYNC_SREGS;

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (vm_is_foreign(vcpu->vm))
        return vm_forked(operation, error);
    if (!classes || classes & ~known)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "classes %#x are unknown",
                         classes);
    if (classes & ~vcpu->backend.flags)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "vCPU %u was made without the classes %#x", vcpu->backend.index,
                         classes & ~vcpu->backend.flags);
    return VSDK_OK;
}

/* Reached. Control registers first: nothing but the hypervisor's own trouble can refuse the general
 * ones then, because they are not settable together while an access is unfinished. */
static vsdk_status write_areas(vsdk_vcpu *vcpu, uint32_t classes, const char *operation,
                               vsdk_error *error)
{
    area_values taken = {vcpu->regs, vcpu->sregs};
    uint32_t settable = classes & VSDK_VCPU_SYNC_SREGS ? 0 : vcpu->settable;
    vsdk_status status = check_settable(vcpu, settable, operation, error);

    if (!status && classes & VSDK_VCPU_SYNC_SREGS)
        status = x86_state_check(VSDK_X86_SREGS, &taken.sregs, operation, error);
    if (status)
        return status;
    lock_take(&vcpu->vm->serial);
    if (classes & VSDK_VCPU_SYNC_SREGS)
        status = x86_state_set(&vcpu->backend, VSDK_X86_SREGS, &taken.sregs, operation, error);
    if (!status && classes & VSDK_VCPU_SYNC_GENERAL)
        status = x86_state_set(&vcpu->backend, VSDK_X86_REGS, &taken.regs, operation, error);
    lock_give(&vcpu->vm->serial);
    return status;
}

vsdk_status vsdk_x86_vcpu_sync_write(vsdk_vcpu *vcpu, vsdk_vcpu_flags classes, vsdk_error *error)
{
    static const char operation[] = "vsdk_x86_vcpu_sync_write";
    vsdk_status status = check_classes(vcpu, classes, operation, error);
    reach r;

    if (!status)
        status = reach_place(vcpu, &r, operation, error);
    if (status)
        return status;
    status = write_areas(vcpu, classes, operation, error);
    reach_end(vcpu, &r);
    return status;
}
