#include "base/error.h"
#include "core/vm_state.h"

vsdk_status vm_start_guest(vsdk_vm *vm, vsdk_error *error)
{
    if (!vm_autonomous(vm))
        return VSDK_OK;
    pthread_mutex_lock(&vm->serial);
    vsdk_status status = vm->backend.host->ops->vm_resume(&vm->backend, error);
    pthread_mutex_unlock(&vm->serial);
    return status;
}

/* vm->lock held: goes on where a start failed. */
static void take_back_resume(vsdk_vm *vm, vsdk_vm_state before)
{
    vm_clock_stop(vm);
    pthread_mutex_unlock(&vm->lock);
    bus_pause_devices(vm);
    pthread_mutex_lock(&vm->lock);
    if (vm->state == VSDK_VM_RUNNING)
        vm->state = before;
}

vsdk_status vm_take_resume(vsdk_vm *vm, vsdk_error *error)
{
    vsdk_vm_state before = vm->state;

    vm_take_seat(vm, TRANSITION_RESUME);
    atomic_store(&vm->pause_wanted, 0);
    vm->state = VSDK_VM_RUNNING;
    vm_clock_start(vm);
    pthread_mutex_unlock(&vm->lock);
    bus_resume_devices(vm);
    vsdk_status status = vm_start_guest(vm, error);
    pthread_mutex_lock(&vm->lock);
    if (status)
        take_back_resume(vm, before);
    else
        vm->guest_runs = vm_autonomous(vm);
    if (!status && !atomic_load(&vm->pause_wanted))
        vm_withdraw(vm, REQUEST_HOLD);
    atomic_store(&vm->resume_wanted, 0);
    vm_leave_seat(vm);
    return status;
}

static vsdk_status may_resume(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    if (atomic_load(&vm->gone))
        return vm_gone(operation, error);
    if (vm->writer.transition && vm_seat_is_mine(vm))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a pause or resume callback");
    if (vm->state == VSDK_VM_STOPPED)
        return vm_ended(operation, error);
    if (!vm->vcpu_count)
        return error_hint(
            error, error_set(error, VSDK_ERROR_STATE, operation, "the virtual machine has no vCPU"),
            "call vsdk_vcpu_create first");
    return VSDK_OK;
}

/* RUNNING: takes back a pause that nobody waits for. */
static void withdraw_pause(vsdk_vm *vm)
{
    if (!atomic_load(&vm->pause_wanted))
        return;
    atomic_store(&vm->pause_wanted, 0);
    vm_withdraw(vm, REQUEST_HOLD);
}

/* vm->lock held. A guest that a writer could not let go on stands until its pause is taken. */
static int pause_under_way(const vsdk_vm *vm)
{
    int stands = vm_autonomous(vm) && !vm->guest_runs;

    return vm->state == VSDK_VM_RUNNING && (vm->pausers || stands);
}

/* vm->lock held: one look. 1 when all is said, 0 to wait for a change. */
static int resume_once(vsdk_vm *vm, int inside, const char *operation, vsdk_status *status,
                       vsdk_error *error)
{
    int under_way = vm->writer.transition || pause_under_way(vm);

    *status = may_resume(vm, operation, error);
    if (*status)
        return 1;
    if (inside && (under_way || vm_stands(vm))) {
        if (vm->writer.transition == TRANSITION_RESUME)
            atomic_store(&vm->pause_wanted, 0);
        else
            atomic_store(&vm->resume_wanted, 1);
        return 1;
    }
    if (under_way)
        return 0;
    if (vm->state == VSDK_VM_RUNNING) {
        withdraw_pause(vm);
        return 1;
    }
    if (vm->writer.depth && !vm_seat_is_mine(vm))
        return 0;
    *status = vm_take_resume(vm, error);
    return 1;
}

vsdk_status vsdk_vm_resume(vsdk_vm *vm, vsdk_error *error)
{
    const char *operation = "vsdk_vm_resume";
    vsdk_status status;

    if (!vm)
        return error_null(error, operation, "vm");
    int inside = callback_in_vm(vm);
    pthread_mutex_lock(&vm->lock);
    for (;;) {
        uint32_t seen = atomic_load(&vm->changes);
        if (resume_once(vm, inside, operation, &status, error))
            break;
        vm_wait(vm, seen, 0);
    }
    while (vm_settle_once(vm))
        ;
    pthread_mutex_unlock(&vm->lock);
    if (!status)
        bus_wake_sources(vm);
    return status;
}
