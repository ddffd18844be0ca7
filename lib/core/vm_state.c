/* SPDX-License-Identifier: Apache-2.0 */
/* Resume, pause, reset and stop: the functions with which an embedder moves a virtual machine from
 * state to state. What is allowed is life_table.h; how it is done is life.c; here threads wait for
 * each other until it is done. */
#include "core/vm_state.h"
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/callback.h"
#include "core/device.h"
#include "core/dispatch.h"
#include "core/vcpu_state.h"

/* What every transition begins with. Ends with vm_leave. */
static vsdk_status transition_begin(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (callback_in_vm(vm))
        return error_hint(error, callback_busy(operation, error), "use vsdk_vm_pause_request");
    if (!vm_enter(vm))
        return vm_gone(operation, error);
    if (!atomic_load(&vm->gone))
        return VSDK_OK;
    vm_leave(vm);
    return vm_gone(operation, error);
}

/* The loop that a transition may dispatch, with a reference, or NULL. A destroy may take it
 * meanwhile. */
static vsdk_loop *own_loop(vsdk_vm *vm, const char *operation)
{
    vsdk_loop *loop = NULL;
    vm_use use;

    if (!vm->life.stopping || !atomic_load(&vm->devices.stops) || callback_top() ||
        vm_use_begin(vm, &use, operation, NULL))
        return NULL;
    loop = vsdk_loop_ref(atomic_load(&vm->loop));
    vm_use_end(use);
    return loop;
}

/* life.lock held, given back meanwhile: 0 when the time is over. Devices whose stop is pending may
 * need the virtual machine's own loop, and this thread may be the only one that there is: so
 * whoever waits for a stop dispatches it. What else the thread waits for wakes that loop. */
static int transition_sleep(vsdk_vm *vm, uint32_t seen, uint64_t deadline, const char *operation)
{
    vsdk_loop *loop = own_loop(vm, operation);

    if (!loop)
        return life_wait(vm, seen, deadline);
    uint64_t left = sys_time_left(deadline);
    lock_give(&vm->life.lock); /* the loop's lock comes before it */
    int dispatches = loop_may_dispatch(loop);
    if (dispatches) {
        loop_dispatch_until(vm, loop, seen, left);
        if (atomic_load(&vm->gone)) /* else the virtual machine keeps the descriptor open */
            readers_wait(&vm->readers);
    }
    vsdk_loop_close(loop);
    lock_take(&vm->life.lock);
    return dispatches ? left != 0 : life_wait(vm, seen, deadline);
}

/* life.lock held. */
static vsdk_status may_resume(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_status status = life_check(vm, EVENT_RESUME, operation, error);

    if (status || vm->vcpu_count)
        return status;
    error_set(error, VSDK_ERROR_STATE, operation, "the virtual machine has no vCPU");
    return error_hint(error, VSDK_ERROR_STATE,
                      "call vsdk_vcpu_create first; of a vsdk_pc vsdk_pc_boot does it");
}

/* Of vm_resume_unless_ended: whatever has happened before. */
enum { ANY_END = -1 };

/* life.lock held: one look. 1 when all is said, 0 to look again after a change. */
static int resume_once(vsdk_vm *vm, uint64_t ends, const char *operation, vsdk_status *status,
                       vsdk_error *error)
{
    int running = atomic_load(&vm->life.state) == VSDK_VM_RUNNING;

    *status = VSDK_OK;
    if (ends != (uint64_t)ANY_END && ends != vm->life.ends && !atomic_load(&vm->gone))
        return 1;
    *status = may_resume(vm, operation, error);
    if (*status)
        return 1;
    if (vm->life.moving)
        return 0;
    if (running && (vm->life.stopping || atomic_load(&vm->life.due))) {
        if (!vm->life.pausers)
            life_give_up_pause(vm);
        return !vm->life.pausers;
    }
    if (running)
        return 1;
    if (vm->life.stopping || atomic_load(&vm->life.due))
        return 0;
    *status = life_start(vm, error);
    return 1;
}

/* In a callback a pause that was asked for can be taken back, no more. */
static vsdk_status withdraw_inside(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    vsdk_status status = VSDK_ERROR_BUSY;

    lock_take(&vm->life.lock);
    if (atomic_load(&vm->gone)) {
        status = VSDK_ERROR_GONE;
    } else if (atomic_load(&vm->life.state) == VSDK_VM_RUNNING && !vm->life.moving &&
               !vm->life.stopping && !vm->life.pausers) {
        life_give_up_pause(vm);
        status = VSDK_OK;
    }
    lock_give(&vm->life.lock);
    if (status == VSDK_ERROR_GONE)
        return vm_gone(operation, error);
    return status ? callback_busy(operation, error) : VSDK_OK;
}

static vsdk_status resume(vsdk_vm *vm, uint64_t ends, vsdk_error *error)
{
    const char *operation = "vsdk_vm_resume";
    vsdk_status status = transition_begin(vm, operation, error);
    if (status)
        return status;
    lock_take(&vm->life.lock);
    for (;;) {
        uint32_t seen = atomic_load(&vm->life.changes);
        if (resume_once(vm, ends, operation, &status, error))
            break;
        if (!life_settle_once(vm))
            transition_sleep(vm, seen, 0, operation);
    }
    while (life_settle_once(vm))
        ;
    lock_give(&vm->life.lock);
    vm_leave(vm);
    return status;
}

vsdk_status vm_resume_unless_ended(vsdk_vm *vm, uint64_t ends, vsdk_error *error)
{
    return resume(vm, ends, error);
}

vsdk_status vsdk_vm_resume(vsdk_vm *vm, vsdk_error *error)
{
    if (vm && !vm_is_foreign(vm) && callback_in_vm(vm))
        return withdraw_inside(vm, "vsdk_vm_resume", error);
    return resume(vm, (uint64_t)ANY_END, error);
}

/* What a thread inside vsdk_vm_pause waits for. */
typedef struct pause_wait {
    uint64_t refusals, pauses;
    uint64_t deadline;
    uint32_t flags;
    int settled;
    uint32_t next; /* the vCPU whose access is to be finished next: those before it are done */
    vsdk_status settle_status;
    vsdk_error settle_error;
} pause_wait;

/* life.lock held. In RUNNING accesses are finished when no thread moves, nor is about to because it
 * has an access of its own to finish (vcpu_attend.c). What moves in PAUSED is of no concern. */
static int may_settle(vsdk_vm *vm)
{
    if (vm->life.settling)
        return 0;
    if (atomic_load(&vm->life.state) != VSDK_VM_RUNNING)
        return 1;
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i] && vcpu_settles_itself(vm->vcpus[i]))
            return 0;
    return !vm_any_at(vm, PLACES_MOVING);
}

/* life.lock held, given back meanwhile; a pause that settles, nobody stops before it is done. 1
 * when all unanswered accesses are finished, with settle_status, 0 to be called again after a
 * change. A thread that comes into run in RUNNING meanwhile finishes its access itself. */
static int settle_accesses(vsdk_vm *vm, pause_wait *w, const char *operation)
{
    uint32_t count = vm->backend.config.vcpus_max;

    if (!may_settle(vm))
        return 0;
    vm->life.settling = 1;
    int running = atomic_load(&vm->life.state) == VSDK_VM_RUNNING;
    lock_give(&vm->life.lock);
    for (; w->next < count; w->next++) {
        vsdk_error why;
        vsdk_status one =
            vm->vcpus[w->next] ? vcpu_settle(vm->vcpus[w->next], operation, &why) : VSDK_OK;
        if (one == VSDK_ERROR_BUSY && running)
            break;
        if (one && !w->settle_status)
            w->settle_error = why;
        w->settle_status = w->settle_status ? w->settle_status : one;
    }
    lock_take(&vm->life.lock);
    vm->life.settling = 0;
    life_changed(vm);
    return w->next == count;
}

/* The pause was there already, or came to be by who does not settle: only another that settles is
 * waited for. */
static void settle_in_pause(vsdk_vm *vm, pause_wait *w, const char *operation)
{
    while (!atomic_load(&vm->gone) && atomic_load(&vm->life.state) == VSDK_VM_PAUSED) {
        uint32_t seen = atomic_load(&vm->life.changes);
        if (settle_accesses(vm, w, operation))
            return;
        life_wait(vm, seen, 0);
    }
}

static void settled(vsdk_vm *vm, pause_wait *w)
{
    if (w->settled)
        return;
    w->settled = 1;
    if (!--vm->life.settlers)
        vm_withdraw(vm, REQUEST_SETTLE);
}

/* life.lock held: 1 when the pause came to be, or can't. */
static int pause_is_over(vsdk_vm *vm, pause_wait *w, const char *operation, vsdk_status *status,
                         vsdk_error *error)
{
    *status = life_check(vm, EVENT_PAUSE, operation, error);
    if (*status || vm->life.pauses != w->pauses)
        return 1;
    if (vm->life.refusals != w->refusals) {
        *status = vm->life.refusal.code;
        if (error)
            *error = vm->life.refusal;
        return 1;
    }
    return atomic_load(&vm->life.state) != VSDK_VM_RUNNING && !vm->life.moving &&
           !vm->life.stopping; /* as it does after a resume that was refused */
}

static vsdk_status pause_wait_for(vsdk_vm *vm, pause_wait *w, const char *operation,
                                  vsdk_error *error)
{
    vsdk_status status;

    for (;;) {
        uint32_t seen = atomic_load(&vm->life.changes);
        if (pause_is_over(vm, w, operation, &status, error))
            return status;
        if (!vm->life.moving && !vm->life.stopping) {
            life_want_pause(vm);
            if (!w->settled && settle_accesses(vm, w, operation)) {
                settled(vm, w);
                continue;
            }
        }
        if (life_settle_once(vm) || transition_sleep(vm, seen, w->deadline, operation))
            continue;
        if (pause_is_over(vm, w, operation, &status, error))
            return status;
        return error_set(error, VSDK_ERROR_TIMEOUT, operation,
                         "the guest, or a device, did not stop in time");
    }
}

/* life.lock held: this thread waits no more. The last one that gives up lets the guest go on. */
static void pause_leave(vsdk_vm *vm, pause_wait *w, vsdk_status status)
{
    settled(vm, w);
    if (w->flags & VSDK_PAUSE_PARK)
        vm->life.parks--;
    vm->life.pausers--;
    while (status == VSDK_ERROR_TIMEOUT && !vm->life.pausers && vm->life.moving) {
        uint32_t seen = atomic_load(&vm->life.changes);
        life_wait(vm, seen, 0);
    }
    if (status == VSDK_ERROR_TIMEOUT && !vm->life.pausers && !atomic_load(&vm->gone) &&
        atomic_load(&vm->life.state) == VSDK_VM_RUNNING)
        life_give_up_pause(vm);
    life_changed(vm);
}

vsdk_status vsdk_vm_pause(vsdk_vm *vm, vsdk_pause_flags flags, uint64_t timeout_ns,
                          vsdk_error *error)
{
    const char *operation = "vsdk_vm_pause";
    vsdk_status status = transition_begin(vm, operation, error);
    pause_wait w = {.flags = flags, .settled = !(flags & VSDK_PAUSE_SETTLE)};

    if (status)
        return status;
    if (flags & ~(uint32_t)(VSDK_PAUSE_SETTLE | VSDK_PAUSE_PARK)) {
        vm_leave(vm);
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "flags %#x are unknown",
                         flags);
    }
    w.deadline = sys_deadline(timeout_ns);
    lock_take(&vm->life.lock);
    w.refusals = vm->life.refusals;
    w.pauses = vm->life.pauses;
    vm->life.pausers++;
    if (flags & VSDK_PAUSE_PARK)
        vm->life.parks++;
    if (flags & VSDK_PAUSE_SETTLE && !vm->life.settlers++)
        vm_request(vm, REQUEST_SETTLE);
    status = pause_wait_for(vm, &w, operation, error);
    if (!status && !w.settled)
        settle_in_pause(vm, &w, operation);
    pause_leave(vm, &w, status);
    while (life_settle_once(vm))
        ;
    lock_give(&vm->life.lock);
    vm_leave(vm);
    if (!status && w.settle_status) {
        if (error)
            *error = w.settle_error;
        status = w.settle_status;
    }
    return status;
}

vsdk_status vsdk_vm_pause_request(vsdk_vm *vm, vsdk_error *error)
{
    const char *operation = "vsdk_vm_pause_request";
    vm_use use;

    if (!vm)
        return error_null(error, operation, "vm");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    lock_take(&vm->life.lock);
    status = life_check(vm, EVENT_REQUEST, operation, error);
    if (!status && atomic_load(&vm->life.state) == VSDK_VM_RUNNING)
        life_want_pause(vm);
    lock_give(&vm->life.lock);
    if (!status)
        vm_wake_loop(vm);
    vm_use_end(use);
    return status;
}

/* life.lock held. Locks all vCPUs' places (NULL), or none: then it is the vCPU that stands in the
 * way. A thread that waits inside run stays there and goes on with the new guest; but when the old
 * one has ended it is about to return with that end, and does so first. */
static vsdk_vcpu *lock_vcpus(vsdk_vm *vm)
{
    uint32_t n = 0, count = vm->backend.config.vcpus_max;
    int parked_too = atomic_load(&vm->life.state) != VSDK_VM_STOPPED;

    while (n < count && (!vm->vcpus[n] || vcpu_lock_place(vm->vcpus[n], parked_too)))
        n++;
    if (n == count)
        return NULL;
    vsdk_vcpu *other = vm->vcpus[n];
    while (n--)
        if (vm->vcpus[n])
            vcpu_unlock_place(vm->vcpus[n]);
    return other;
}

static void unlock_vcpus(vsdk_vm *vm)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            vcpu_unlock_place(vm->vcpus[i]);
}

/* The records stay as they are: the thread whose run returned one may be reading it. */
static void forget_exits(vsdk_vm *vm)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++) {
        vsdk_vcpu *vcpu = vm->vcpus[i];
        if (!vcpu)
            continue;
        atomic_store(&vcpu->pending, 0);
        vcpu->kept = vcpu->deferred = vcpu->claimed = vcpu->settable = 0;
        vcpu_unlock_place(vcpu);
    }
}

/* life.lock held, given back meanwhile; all vCPUs' places are locked until the backend is done. */
static vsdk_status reset_now(vsdk_vm *vm, const char *operation, vsdk_error *error)
{
    const backend_ops *ops = vm->backend.host->ops;
    vsdk_status status;

    vm->life.moving = 1;
    lock_give(&vm->life.lock);
    status = guest_want(vm, 0, error); /* it may have refused to halt at its end */
    if (!status) {
        lock_take(&vm->serial);
        status = ops->vm_reset ? ops->vm_reset(&vm->backend, error)
                               : error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                                           "the %s backend has no reset", ops->name);
        lock_give(&vm->serial);
    }
    if (status) {
        unlock_vcpus(vm);
    } else {
        forget_exits(vm);
        devices_reset(vm);
    }
    lock_take(&vm->life.lock);
    vm->life.moving = 0;
    if (!status) {
        vm->life.end = (vsdk_exit){.reason = VSDK_EXIT_NONE};
        vm->life.clock_ns = 0;
        atomic_store(&vm->life.due, 0);
        vm_request(vm, REQUEST_HOLD);
        vm_withdraw(vm, REQUEST_STOP | REQUEST_KICK);
        atomic_store(&vm->life.state, VSDK_VM_CREATED);
    }
    life_changed(vm);
    return status;
}

vsdk_status vsdk_vm_reset(vsdk_vm *vm, uint64_t timeout_ns, vsdk_error *error)
{
    const char *operation = "vsdk_vm_reset";
    vsdk_status status = transition_begin(vm, operation, error);
    uint64_t deadline = sys_deadline(timeout_ns);

    if (status)
        return status;
    lock_take(&vm->life.lock);
    for (;;) {
        uint32_t seen = atomic_load(&vm->life.changes);
        status = life_check(vm, EVENT_RESET, operation, error);
        if (status)
            break;
        if (life_settle_once(vm))
            continue;
        if (!vm->life.moving && !vm->life.stopping && !atomic_load(&vm->life.due)) {
            vsdk_vcpu *other = lock_vcpus(vm);
            if (!other) {
                status = reset_now(vm, operation, error);
                break;
            }
            if (atomic_load(&other->place) & PLACE_LOCKED) { /* by who changes no life */
                lock_give(&vm->life.lock);
                vcpu_await_place(other);
                lock_take(&vm->life.lock);
                continue;
            }
        }
        if (!transition_sleep(vm, seen, deadline, operation)) {
            status = error_set(error, VSDK_ERROR_TIMEOUT, operation,
                               "a thread is inside run, or a device has not stopped");
            break;
        }
    }
    lock_give(&vm->life.lock);
    vm_leave(vm);
    return status;
}

vsdk_status vsdk_vm_stop(vsdk_vm *vm, vsdk_exit_reason reason, uint64_t code, uint64_t detail,
                         vsdk_error *error)
{
    const char *operation = "vsdk_vm_stop";
    const vsdk_exit end = {.reason = reason, .value = code, .detail = detail};
    vm_use use;

    if (!vm)
        return error_null(error, operation, "vm");
    if ((reason < VSDK_EXIT_POWEROFF || reason > VSDK_EXIT_STOP) && reason != VSDK_EXIT_HALTED)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "reason %u is not a terminal one", reason);
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    life_end(vm, &end);
    vm_use_end(use);
    return VSDK_OK;
}

enum { FIRST_SIZE = 64 };

vsdk_status vsdk_vm_get_info(vsdk_vm *vm, vsdk_vm_info *info, vsdk_error *error)
{
    const char *operation = "vsdk_vm_get_info";
    vsdk_vm_info answer = {.size = sizeof answer};
    vm_use use;

    record_clear(info, sizeof *info);
    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!info)
        return error_null(error, operation, "info");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    answer.clock_ns = life_clock(vm);
    lock_take(&vm->life.lock);
    answer.state = atomic_load(&vm->life.state);
    answer.stop_reason = vm->life.end.reason;
    answer.stop_code = vm->life.end.value;
    answer.stop_detail = vm->life.end.detail;
    answer.vcpus = vm->vcpu_count;
    lock_give(&vm->life.lock);
    answer.vcpus_max = vm->backend.config.vcpus_max;
    answer.irqchip = vm->backend.config.irqchip;
    answer.domain = vm->backend.domain;
    vm_use_end(use);
    return record_write(info, &answer, sizeof answer, FIRST_SIZE, operation, error);
}

uint64_t vsdk_vm_clock(vsdk_vm *vm)
{
    return vm && !vm_is_foreign(vm) ? life_clock(vm) : 0;
}
