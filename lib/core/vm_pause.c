#include "base/error.h"
#include "core/vm_state.h"

static void halt_guest(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->serial);
    vm->backend.host->ops->vm_pause(&vm->backend, NULL);
    pthread_mutex_unlock(&vm->serial);
}

static void take_pause(vsdk_vm *vm)
{
    uint32_t guest_runs = vm->guest_runs;

    vm_take_seat(vm, TRANSITION_PAUSE);
    bus_quiet(vm);
    atomic_store(&vm->pause_wanted, 0);
    vm->guest_runs = 0;
    vm_clock_stop(vm);
    pthread_mutex_unlock(&vm->lock);
    if (guest_runs)
        halt_guest(vm);
    bus_pause_devices(vm);
    pthread_mutex_lock(&vm->lock);
    if (vm->state == VSDK_VM_RUNNING)
        vm->state = VSDK_VM_PAUSED;
    vm->pauses++;
    vm_leave_seat(vm);
}

static void take_halt(vsdk_vm *vm)
{
    vm_take_seat(vm, TRANSITION_HALT);
    vm->guest_runs = 0;
    pthread_mutex_unlock(&vm->lock);
    halt_guest(vm);
    pthread_mutex_lock(&vm->lock);
    vm_leave_seat(vm);
}

static int everybody_stands(vsdk_vm *vm)
{
    return !atomic_load(&vm->callbacks) && !vm_any_at(vm, MOVING_PLACES);
}

int vm_settle_once(vsdk_vm *vm)
{
    if (vm->writer.depth || atomic_load(&vm->gone))
        return 0;
    if (vm->state == VSDK_VM_RUNNING && atomic_load(&vm->pause_wanted) && everybody_stands(vm)) {
        take_pause(vm);
        return 1;
    }
    if (vm->state == VSDK_VM_STOPPED && vm->guest_runs && !vm_any_at(vm, IN_GUEST_PLACES)) {
        take_halt(vm);
        return 1;
    }
    if (vm->state == VSDK_VM_PAUSED && vm->resume_wanted) {
        vm_take_resume(vm, "vsdk_vm_resume", NULL);
        return 1;
    }
    return 0;
}

void vm_settle(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->lock);
    while (vm_settle_once(vm))
        ;
    pthread_mutex_unlock(&vm->lock);
}

/* vm->lock held. */
static void want_pause(vsdk_vm *vm)
{
    if (atomic_load(&vm->pause_wanted))
        return;
    atomic_store(&vm->pause_wanted, 1);
    vm_request(vm, REQUEST_HOLD);
}

static vsdk_status wait_for_pause(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    uint64_t before = vm->pauses;

    for (;;) {
        uint32_t seen = atomic_load(&vm->changes);
        if (atomic_load(&vm->gone))
            return vm_gone(operation, error);
        if (vm->pauses != before)
            return VSDK_OK;
        if (vm->state == VSDK_VM_STOPPED)
            return vm_ended(operation, error);
        if (vm->state != VSDK_VM_RUNNING)
            return VSDK_OK;
        if (!vm->writer.transition)
            want_pause(vm);
        if (!vm_settle_once(vm))
            vm_wait(vm, seen, 1);
    }
}

vsdk_status vsdk_vm_pause(vsdk_vm *vm, vsdk_error *error)
{
    const char *operation = "vsdk_vm_pause";

    if (!vm)
        return error_null(error, operation, "vm");
    if (callback_in_vm(vm))
        return error_hint(error,
                          error_set(error, VSDK_ERROR_BUSY, operation,
                                    "called from a callback of this virtual machine"),
                          "use vsdk_vm_pause_request");
    pthread_mutex_lock(&vm->lock);
    vm->pausers++;
    vsdk_status status = wait_for_pause(vm, operation, error);
    vm->pausers--;
    vm_changed(vm);
    while (vm_settle_once(vm))
        ;
    pthread_mutex_unlock(&vm->lock);
    return status;
}

vsdk_status vsdk_vm_pause_request(vsdk_vm *vm, vsdk_error *error)
{
    const char *operation = "vsdk_vm_pause_request";
    vsdk_status status = VSDK_OK;

    if (!vm)
        return error_null(error, operation, "vm");
    pthread_mutex_lock(&vm->lock);
    if (atomic_load(&vm->gone))
        status = vm_gone(operation, error);
    else if (vm->state == VSDK_VM_STOPPED)
        status = vm_ended(operation, error);
    else if (vm->state == VSDK_VM_RUNNING) {
        vm->resume_wanted = 0;
        want_pause(vm);
        while (vm_settle_once(vm))
            ;
    }
    pthread_mutex_unlock(&vm->lock);
    return status;
}
