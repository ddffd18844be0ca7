#include "base/error.h"
#include "core/vm_state.h"

static void halt_guest(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->serial);
    vm->backend.host->ops->vm_pause(&vm->backend, NULL);
    pthread_mutex_unlock(&vm->serial);
}

static void begin_transition(vsdk_vm *vm, uint32_t transition)
{
    vm_take_seat(vm);
    vm->writer.transition = transition;
}

static void take_pause(vsdk_vm *vm)
{
    uint32_t guest_runs = vm->guest_runs;

    begin_transition(vm, TRANSITION_PAUSE);
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
    begin_transition(vm, TRANSITION_HALT);
    vm->guest_runs = 0;
    pthread_mutex_unlock(&vm->lock);
    halt_guest(vm);
    pthread_mutex_lock(&vm->lock);
    vm_leave_seat(vm);
}

static vsdk_status start_guest(vsdk_vm *vm, vsdk_error *error)
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

vsdk_status vm_take_resume(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_vm_state before = vm->state;

    begin_transition(vm, TRANSITION_RESUME);
    atomic_store(&vm->pause_wanted, 0);
    vm->state = VSDK_VM_RUNNING;
    vm_clock_start(vm);
    pthread_mutex_unlock(&vm->lock);
    bus_resume_devices(vm);
    vsdk_status status = start_guest(vm, error);
    pthread_mutex_lock(&vm->lock);
    if (status)
        take_back_resume(vm, before);
    else
        vm->guest_runs = vm_autonomous(vm);
    if (!status && !atomic_load(&vm->pause_wanted))
        vm_withdraw(vm, REQUEST_HOLD);
    vm->resume_wanted = 0;
    vm_leave_seat(vm);
    return status;
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

static vsdk_status stopped(const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_STATE, operation, "the guest has ended");
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
            return stopped(operation, error);
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
        status = stopped(operation, error);
    else if (vm->state == VSDK_VM_RUNNING) {
        vm->resume_wanted = 0;
        want_pause(vm);
        while (vm_settle_once(vm))
            ;
    }
    pthread_mutex_unlock(&vm->lock);
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
        return stopped(operation, error);
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

/* vm->lock held: one look. 1 when all is said, 0 to wait for a change. */
static int resume_once(vsdk_vm *vm, int inside, const char *operation, vsdk_status *status,
                       vsdk_error *error)
{
    int under_way = vm->writer.transition || (vm->state == VSDK_VM_RUNNING && vm->pausers);

    *status = may_resume(vm, operation, error);
    if (*status)
        return 1;
    if (under_way && inside) {
        if (vm->writer.transition == TRANSITION_RESUME)
            atomic_store(&vm->pause_wanted, 0);
        else
            vm->resume_wanted = 1;
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
    *status = vm_take_resume(vm, operation, error);
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
