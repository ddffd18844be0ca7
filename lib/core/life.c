/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where a virtual machine changes its state.
 *
 * A stop of the devices takes several steps, because it may take its time: a device may have a
 * thread inside, and one that was told may be pending. A mover tells those that it can
 * (stop_begin), whoever comes after a change tells the others (stop_devices), and when all have
 * stopped the next thread that looks makes the new state (stop_finish). From the first step to the
 * last life.stopping is set and no other transition begins, but for giving the pause up. So nobody
 * waits for a device inside a step, and a thread whose time is over can leave between two.
 *
 * One mover at a time: life.moving is set while it has given life.lock back.
 */
#include "base/error.h"
#include "core/callback.h"
#include "core/console.h"
#include "core/device.h"
#include "core/life_moves.h"
#include "core/log.h"

/* SUSPENDED is STOPPED with VSDK_EXIT_SUSPEND. */
enum { SUSPENDED = VSDK_VM_STOPPED + 1 };
#define ROW(from, on, to, answer) {.state = from, .event = EVENT_##on, .status = answer},
#define CREATED VSDK_VM_CREATED
#define RUNNING VSDK_VM_RUNNING
#define PAUSED VSDK_VM_PAUSED
#define STOPPED VSDK_VM_STOPPED
static const struct life_row {
    uint32_t state, event;
    vsdk_status status;
} rows[] = {LIFE_TABLE(ROW)};

static vsdk_vm_state state_of(const vsdk_vm *vm)
{
    return atomic_load_explicit(&vm->life.state, memory_order_relaxed);
}

static void state_set(vsdk_vm *vm, vsdk_vm_state state)
{
    atomic_store(&vm->life.state, state);
    life_changed(vm);
}

static vsdk_status refuse(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_vm_state state = state_of(vm);

    if (state == VSDK_VM_STOPPED) {
        error_set(error, VSDK_ERROR_STATE, operation, "the guest has ended: %s",
                  vsdk_exit_reason_name(vm->life.end.reason));
        return error_hint(error, VSDK_ERROR_STATE, "vsdk_vm_reset gives it its power-on state");
    }
    error_set(error, VSDK_ERROR_STATE, operation, "the virtual machine is %s",
              vsdk_vm_state_name(state));
    return error_hint(error, VSDK_ERROR_STATE, "call vsdk_vm_pause first");
}

vsdk_status life_check(vsdk_vm *vm, enum life_event event, const char *operation, vsdk_error *error)
{
    uint32_t state = state_of(vm);

    if (state == VSDK_VM_STOPPED && vm->life.end.reason == VSDK_EXIT_SUSPEND)
        state = SUSPENDED;
    if (atomic_load(&vm->gone))
        return vm_gone(operation, error);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].state == state && rows[i].event == event)
            return rows[i].status ? refuse(vm, operation, error) : VSDK_OK;
    return refuse(vm, operation, error);
}

void life_end(vsdk_vm *vm, const vsdk_exit *end)
{
    lock_take(&vm->life.lock);
    if (state_of(vm) != VSDK_VM_STOPPED) {
        vm->life.end = (vsdk_exit){
            .reason = end->reason,
            .flags = VSDK_EXIT_TERMINAL,
            .value = end->value,
            .detail = end->detail,
            .native = end->native,
        };
        vm->life.ends++;
        atomic_store(&vm->life.due, DUE_END);
        state_set(vm, VSDK_VM_STOPPED);
        life_clock_stop(vm);
        vm_request(vm, REQUEST_STOP);
    }
    lock_give(&vm->life.lock);
    vm_wake_loop(vm);
}

void life_break(vsdk_vm *vm, const char *what, const vsdk_error *why)
{
    const vsdk_exit end = {.reason = VSDK_EXIT_INTERNAL_ERROR, .native = (uint64_t)why->os_errno};

    host_log(vm->host, VSDK_LOG_ERROR, "%s: %s", what, why->message);
    life_end(vm, &end);
}

void life_want_pause(vsdk_vm *vm)
{
    if (atomic_load(&vm->life.due) & DUE_PAUSE)
        return;
    atomic_fetch_or(&vm->life.due, DUE_PAUSE);
    vm_request(vm, REQUEST_HOLD | REQUEST_LOOK);
}

/* Nobody wants the pause any more, and nothing has been done for it. */
static void withdraw(vsdk_vm *vm)
{
    atomic_fetch_and(&vm->life.due, ~(uint32_t)DUE_PAUSE);
    vm_withdraw(vm, REQUEST_HOLD | REQUEST_LOOK);
    life_changed(vm);
}

/* life.lock is given back meanwhile. Tells devices to stop as far as no thread is inside of them.
 */
static void stop_devices(vsdk_vm *vm)
{
    vm->life.moving = 1;
    lock_give(&vm->life.lock);
    int all = devices_stop(vm, vm->life.mode);
    lock_take(&vm->life.lock);
    vm->life.moving = 0;
    vm->life.stopped = all != 0;
    life_changed(vm);
}

/* A stop begins, with life.lock given back meanwhile. A guest that does not stop at its end is left
 * to destroy; one that does not stop for a pause goes on. */
static void stop_begin(vsdk_vm *vm)
{
    int pauses = state_of(vm) == VSDK_VM_RUNNING;
    uint32_t pausers = vm->life.pausers;
    vsdk_error why;

    vm->life.mode = pauses && vm->life.parks ? VSDK_STOP_PARK : VSDK_STOP_FINISH;
    vm->life.moving = 1;
    life_clock_stop(vm);
    lock_give(&vm->life.lock);
    vsdk_status status = guest_want(vm, 0, &why);
    if (status && (!pauses || !pausers))
        host_log(vm->host, VSDK_LOG_ERROR, "the guest does not stop: %s", why.message);
    if (!status || !pauses)
        console_finish(vm);
    lock_take(&vm->life.lock);
    if (!status || !pauses) {
        vm->life.stopping = 1;
        stop_devices(vm);
        return;
    }
    vm->life.moving = 0;
    if (state_of(vm) == VSDK_VM_RUNNING) {
        vm->life.refusal = why;
        vm->life.refusals++;
        life_clock_start(vm);
        withdraw(vm);
    }
    life_changed(vm);
}

/* life.lock is given back meanwhile. No device acts any more, and the state is not yet PAUSED. */
static void guest_settled(vsdk_vm *vm)
{
    const backend_ops *ops = vm->backend.host->ops;

    if (!ops->vm_settled || state_of(vm) != VSDK_VM_RUNNING)
        return;
    vm->life.moving = 1;
    lock_give(&vm->life.lock);
    lock_take(&vm->serial);
    ops->vm_settled(&vm->backend);
    lock_give(&vm->serial);
    lock_take(&vm->life.lock);
    vm->life.moving = 0;
}

static void stop_finish(vsdk_vm *vm)
{
    guest_settled(vm);
    vm->life.stopping = 0;
    atomic_store(&vm->life.due, 0);
    if (state_of(vm) == VSDK_VM_RUNNING) {
        vm->life.pauses++;
        state_set(vm, VSDK_VM_PAUSED);
    } else {
        life_changed(vm);
    }
}

int life_settle_once(vsdk_vm *vm)
{
    uint32_t due = atomic_load(&vm->life.due);

    if (vm->life.moving || atomic_load(&vm->gone))
        return 0;
    if (vm->life.stopping) {
        if (!vm->life.stopped) {
            if (!atomic_load(&vm->devices.look))
                return 0;
            stop_devices(vm);
            return 1;
        }
        /* The guest ended while devices stopped for a pause: they have stopped for its end too. */
        stop_finish(vm);
        return 1;
    }
    if (!due || vm->life.settlers || vm_any_at(vm, PLACES_MOVING))
        return 0;
    stop_begin(vm);
    return 1;
}

void life_settle(vsdk_vm *vm)
{
    if (callback_in_vm(vm))
        return;
    lock_take(&vm->life.lock);
    while (life_settle_once(vm))
        ;
    lock_give(&vm->life.lock);
}

void life_give_up_pause(vsdk_vm *vm)
{
    vsdk_error why;

    if (!vm->life.stopping) {
        withdraw(vm);
        return;
    }
    vm->life.stopping = 0;
    vm->life.moving = 1;
    atomic_fetch_and(&vm->life.due, ~(uint32_t)DUE_PAUSE);
    lock_give(&vm->life.lock);
    devices_start(vm);
    vsdk_status status = guest_want(vm, 1, &why);
    if (status)
        life_break(vm, "the guest does not go on", &why);
    lock_take(&vm->life.lock);
    vm->life.moving = 0;
    if (state_of(vm) == VSDK_VM_RUNNING)
        life_clock_start(vm);
    /* A pause that was asked for meanwhile, in a start callback or elsewhere, is a new one. */
    if (!(atomic_load(&vm->life.due) & DUE_PAUSE))
        vm_withdraw(vm, REQUEST_HOLD);
    life_changed(vm);
}

vsdk_status life_start(vsdk_vm *vm, vsdk_error *error)
{
    vsdk_vm_state before = state_of(vm);

    vm->life.moving = 1;
    atomic_store(&vm->life.due, 0);
    state_set(vm, VSDK_VM_RUNNING);
    life_clock_start(vm);
    lock_give(&vm->life.lock);
    devices_start(vm);
    vsdk_status status = guest_want(vm, 1, error);
    lock_take(&vm->life.lock);
    if (status) {
        vm->life.stopping = 1;
        vm->life.mode = VSDK_STOP_FINISH;
        stop_devices(vm);
    }
    vm->life.moving = 0;
    if (status) {
        life_clock_stop(vm);
        if (state_of(vm) == VSDK_VM_RUNNING)
            state_set(vm, before);
    } else if (state_of(vm) == VSDK_VM_RUNNING) {
        if (before == VSDK_VM_STOPPED) {
            vm->life.end = (vsdk_exit){.reason = VSDK_EXIT_NONE};
            vm_withdraw(vm, REQUEST_STOP);
        }
        if (!(atomic_load(&vm->life.due) & DUE_PAUSE))
            vm_withdraw(vm, REQUEST_HOLD | REQUEST_LOOK);
    }
    life_changed(vm);
    return status;
}
