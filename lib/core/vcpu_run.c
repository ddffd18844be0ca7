/* SPDX-License-Identifier: Apache-2.0 */
/* The run of a vCPU: into the guest, out to a device, back, until something is the embedder's.
 *
 * One thread at a time has the vCPU (place is not OUT). Whatever others want of it stands in its
 * requests; they are looked at before each entry and are not zero seldom. Nothing is allocated and
 * no lock is shared on the way. */
#include "base/error.h"
#include "base/exit_path.h"
#include "base/sys.h"
#include "core/callback.h"
#include "core/console.h"
#include "core/counters.h"
#include "core/device.h"
#include "core/vcpu_state.h"
#include <errno.h>

static const char operation[] = "vsdk_vcpu_run";

int vcpu_come_in(vsdk_vcpu *vcpu)
{
    uint32_t out = PLACE_OUT;

    while (!atomic_compare_exchange_weak(&vcpu->place, &out, PLACE_BUSY)) {
        if ((out & (PLACE_LOCKED - 1)) != PLACE_OUT)
            return 0;
        if (out)
            vcpu_await_place(vcpu);
        out = PLACE_OUT;
    }
    return 1;
}

void vcpu_go_out(vsdk_vcpu *vcpu)
{
    atomic_store(&vcpu->place, PLACE_OUT);
    if (atomic_load(&vcpu->backend.requests) == 0)
        return;
    life_changed(vcpu->vm);
    life_settle(vcpu->vm);
}

/* The backend came back without an exit: to tell the caller of it, or to look again. */
OFF_EXIT_PATH static int kick_ends_run(vsdk_vcpu *vcpu)
{
    const uint32_t first = REQUEST_GONE | REQUEST_STOP | REQUEST_KICK;
    uint32_t detail = (uint32_t)vcpu->backend.exit->detail;

    atomic_store_explicit(&vcpu->pending, 0, memory_order_relaxed);
    if (vcpu->backend.index == 0)
        console_serve(vcpu->vm);
    if (detail == 0 || atomic_load(&vcpu->backend.requests) & first)
        return 0;
    vcpu_fill_kicked(vcpu, detail);
    return 1;
}

/* Place ASIDE after the backend's vcpu_run. */
static int run_is_over(vsdk_vcpu *vcpu)
{
    if (vcpu->backend.exit->reason == VSDK_EXIT_KICKED)
        return kick_ends_run(vcpu);
    if (exit_dispatch(vcpu))
        return 0;
    counter_add(&vcpu->counters.returned, 1);
    return 1;
}

/* An access at which an autonomous guest waits already comes before a kick, or kicks that follow
 * each other closely would keep it from the embedder. */
static int access_comes_first(const vsdk_vcpu *vcpu, uint32_t requests)
{
    return requests == REQUEST_KICK &&
           !atomic_load_explicit(&vcpu->pending, memory_order_relaxed) &&
           vcpu->backend.vm->host->ops->traits & BACKEND_AUTONOMOUS;
}

/* Place BUSY before and after: until something is asked of the vCPU, a device has started or a
 * range has gone since `changes`, or the time is over. A pause that settles asks for the access
 * itself. -EINTR for a signal. */
static int wait_for_device(vsdk_vcpu *vcpu, uint32_t changes)
{
    const uint32_t for_this = REQUEST_HOLD | REQUEST_SETTLE;
    device_list *devices = &vcpu->vm->devices;
    int result = 0;

    atomic_store(&vcpu->place, PLACE_WAIT);
    atomic_fetch_add(&devices->waiting, 1);
    uint32_t requests = atomic_load(&vcpu->backend.requests);
    if (atomic_load(&devices->changes) == changes && !(requests & ~for_this))
        result = sys_futex_wait(&vcpu->backend.requests, requests, vcpu->backend.deadline_ns);
    atomic_fetch_sub(&devices->waiting, 1);
    vcpu_step_back(vcpu);
    return result;
}

/* A part of an access that waited for its device: 1 when the run is over, because it, or what
 * follows of it, is the embedder's, or because the time is over. The first thing in a run
 * one element is tried whatever the time: a guest whose runs are short goes on, too. A device that
 * does not serve took none: this thread sleeps until that may be otherwise. */
OFF_EXIT_PATH static int deferred_is_over(vsdk_vcpu *vcpu, int first)
{
    uint32_t changes = atomic_load(&vcpu->vm->devices.changes), given = vcpu->element;
    uint64_t deadline = vcpu->backend.deadline_ns;

    if (!first && deadline && sys_clock() >= deadline) {
        vcpu_fill_kicked(vcpu, VSDK_KICK_DEADLINE);
        return 1;
    }
    vcpu_step_aside(vcpu);
    if (!exit_dispatch(vcpu)) {
        counter_add(&vcpu->counters.returned, 1);
        return 1;
    }
    vcpu_step_back(vcpu);
    if (!vcpu->deferred || vcpu->element != given)
        return 0;
    if (wait_for_device(vcpu, changes) != -EINTR)
        return 0;
    vcpu_fill_kicked(vcpu, VSDK_KICK_SIGNAL);
    return 1;
}

static vsdk_status run_loop(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const backend_ops *ops = vcpu->backend.vm->host->ops;
    vsdk_status status;

    for (int first = 1;; first = 0) {
        uint32_t requests = atomic_load(&vcpu->backend.requests);
        if (requests && !(first && access_comes_first(vcpu, requests))) {
            vcpu_verdict verdict = vcpu_attend(vcpu, requests, operation, &status, error);
            if (verdict == VERDICT_RETURN)
                return status;
            if (verdict == VERDICT_LOOK)
                continue;
        }
        if (vcpu->deferred) {
            if (deferred_is_over(vcpu, first))
                return VSDK_OK;
            continue;
        }
        status = ops->vcpu_run(&vcpu->backend, error);
        vcpu_step_aside(vcpu);
        if (status || run_is_over(vcpu))
            return status;
        vcpu_step_back(vcpu);
    }
}

/* The backend's bracket is for threads that may reach the guest. */
static vsdk_status run_inside(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const backend_ops *ops = vcpu->backend.vm->host->ops;

    if (atomic_load(&vcpu->backend.requests) & REQUEST_GONE)
        return vm_gone(operation, error);
    vsdk_status status = ops->vcpu_enter ? ops->vcpu_enter(&vcpu->backend, error) : VSDK_OK;
    if (status)
        return status;
    vcpu_restore_answer(vcpu);
    counter_add(&vcpu->counters.runs, 1);
    status = run_loop(vcpu, error);
    if (ops->vcpu_leave)
        ops->vcpu_leave(&vcpu->backend);
    return status;
}

/* Somebody else is inside. A pause that finishes the access is waited for: it has not asked for the
 * vCPU, and who runs one vCPU by one thread need not know of it. */
OFF_EXIT_PATH static int come_in_after_settling(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = vcpu->vm;

    for (;;) {
        uint32_t settles = atomic_load(&vcpu->settles);
        if (vcpu_come_in(vcpu))
            return 1;
        lock_take(&vm->life.lock);
        uint32_t seen = atomic_load(&vm->life.changes), now = atomic_load(&vcpu->settles);
        if (now & 1)
            life_wait(vm, seen, 0);
        lock_give(&vm->life.lock);
        if (now == settles && !(now & 1))
            return 0;
    }
}

EXIT_PATH vsdk_status vsdk_vcpu_run(vsdk_vcpu *vcpu, uint64_t timeout_ns, vsdk_error *error)
{
    if (!vcpu)
        return error_null(error, operation, "vcpu");
    vsdk_vm *vm = vcpu->vm;
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (callback_in_vm(vm))
        return callback_busy(operation, error);
    if (!vm_enter(vm))
        return vm_gone(operation, error);
    vsdk_status status;
    if (vcpu_come_in(vcpu) || come_in_after_settling(vcpu)) {
        vcpu->backend.deadline_ns = sys_deadline(timeout_ns);
        status = run_inside(vcpu, error);
        vcpu_go_out(vcpu);
    } else {
        status = error_set(error, VSDK_ERROR_BUSY, operation,
                           "another thread is inside run of vCPU %u", vcpu->backend.index);
    }
    vm_leave(vm);
    return status;
}

vsdk_status vsdk_vcpu_kick(vsdk_vcpu *vcpu, vsdk_error *error)
{
    static const char kicking[] = "vsdk_vcpu_kick";
    vm_use use;

    if (!vcpu)
        return error_null(error, kicking, "vcpu");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, kicking, error);
    if (status)
        return status;
    vcpu_request(vcpu, REQUEST_KICK);
    vm_use_end(use);
    return VSDK_OK;
}
