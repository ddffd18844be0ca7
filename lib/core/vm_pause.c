#include "base/error.h"
#include "core/log.h"
#include "core/vm_state.h"

vsdk_status vm_halt_guest(vsdk_vm *vm, vsdk_error *error)
{
    pthread_mutex_lock(&vm->serial);
    vsdk_status status = vm->backend.host->ops->vm_pause(&vm->backend, error);
    pthread_mutex_unlock(&vm->serial);
    return status;
}

/* For what fails where nobody waits for it. No lock held. */
static void tell(vsdk_vm *vm, const char *what, const vsdk_error *why)
{
    host_log(vm->host, VSDK_LOG_ERROR, "%s: %s", what, why->message);
}

/* vm->lock held: the guest stands. */
static void end_pause(vsdk_vm *vm)
{
    if (vm->state == VSDK_VM_RUNNING)
        vm->state = VSDK_VM_PAUSED;
    vm->pauses++;
    vm->pausers = 0;
}

/* vm->lock held: the guest goes on as if there had been no pause. */
static void take_back_pause(vsdk_vm *vm, const vsdk_error *why)
{
    vm->guest_runs = 1;
    if (vm->state == VSDK_VM_RUNNING)
        vm_clock_start(vm);
    if (!atomic_load(&vm->pause_wanted))
        vm_withdraw(vm, REQUEST_HOLD);
    atomic_store(&vm->resume_wanted, 0);
    vm->pause_error = *why;
    vm->pauses_failed++;
    vm->pausers = 0;
}

static void take_pause(vsdk_vm *vm)
{
    uint32_t guest_runs = vm->guest_runs, told = vm->pausers;
    vsdk_error why;

    vm_take_seat(vm, TRANSITION_PAUSE);
    bus_quiet(vm);
    atomic_store(&vm->pause_wanted, 0);
    vm->guest_runs = 0;
    vm_clock_stop(vm);
    pthread_mutex_unlock(&vm->lock);
    vsdk_status status = guest_runs ? vm_halt_guest(vm, &why) : VSDK_OK;
    if (!status)
        bus_pause_devices(vm);
    else
        bus_unquiet(vm);
    if (status && !told)
        tell(vm, "the guest does not pause", &why);
    pthread_mutex_lock(&vm->lock);
    if (status)
        take_back_pause(vm, &why);
    else
        end_pause(vm);
    vm_leave_seat(vm);
}

/* A guest that does not stop even now is left to destroy. */
static void take_halt(vsdk_vm *vm)
{
    vsdk_error why;

    vm_take_seat(vm, TRANSITION_HALT);
    vm->guest_runs = 0;
    pthread_mutex_unlock(&vm->lock);
    if (vm_halt_guest(vm, &why))
        tell(vm, "the guest goes on after its end", &why);
    pthread_mutex_lock(&vm->lock);
    vm_leave_seat(vm);
}

/* What a callback asked for. */
static void take_wanted_resume(vsdk_vm *vm)
{
    vsdk_error why;

    if (!vm_take_resume(vm, &why))
        return;
    pthread_mutex_unlock(&vm->lock);
    tell(vm, "the guest does not go on", &why);
    pthread_mutex_lock(&vm->lock);
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
    if (atomic_load(&vm->resume_wanted) && vm_stands(vm) && everybody_stands(vm)) {
        take_wanted_resume(vm);
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

void vm_want_pause(vsdk_vm *vm)
{
    if (atomic_load(&vm->pause_wanted))
        return;
    atomic_store(&vm->pause_wanted, 1);
    vm_request(vm, REQUEST_HOLD);
}

static vsdk_status refused(const vsdk_vm *vm, vsdk_error *error)
{
    if (error)
        *error = vm->pause_error;
    return vm->pause_error.code;
}

static uint64_t pauses_ended(const vsdk_vm *vm)
{
    return vm->pauses + vm->pauses_failed;
}

static vsdk_status wait_for_pause(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    uint64_t before = vm->pauses, failed = vm->pauses_failed;

    for (;;) {
        uint32_t seen = atomic_load(&vm->changes);
        if (atomic_load(&vm->gone))
            return vm_gone(operation, error);
        if (vm->pauses != before)
            return VSDK_OK;
        if (vm->pauses_failed != failed)
            return refused(vm, error);
        if (vm->state == VSDK_VM_STOPPED)
            return vm_ended(operation, error);
        if (vm->state != VSDK_VM_RUNNING)
            return VSDK_OK;
        if (!vm->writer.transition)
            vm_want_pause(vm);
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
    uint64_t before = pauses_ended(vm);
    vm->pausers++;
    vsdk_status status = wait_for_pause(vm, operation, error);
    if (pauses_ended(vm) == before)
        vm->pausers--;
    vm_changed(vm);
    while (vm_settle_once(vm))
        ;
    pthread_mutex_unlock(&vm->lock);
    return status;
}

/* vm->lock held. What a callback has asked for before counts no more. */
static void ask_for_pause(vsdk_vm *vm)
{
    atomic_store(&vm->resume_wanted, 0);
    if (vm->state != VSDK_VM_RUNNING)
        return;
    vm_want_pause(vm);
    while (vm_settle_once(vm))
        ;
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
    else
        ask_for_pause(vm);
    pthread_mutex_unlock(&vm->lock);
    return status;
}
