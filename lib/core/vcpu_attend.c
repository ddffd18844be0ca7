/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread inside run does when something is asked of its vCPU: it goes, stands still, or
 * finishes what it is at first. The order in which requests are looked at is the order of
 * precedence in vcpu.h. */
#include "base/sys.h"
#include "core/counters.h"
#include "core/log.h"
#include "core/vcpu_state.h"
#include <errno.h>
#include <string.h>

void vcpu_keep_answer(vsdk_vcpu *vcpu)
{
    if (!atomic_load_explicit(&vcpu->pending, memory_order_relaxed) || vcpu->kept)
        return;
    vcpu->answer = *vcpu->backend.exit;
    vcpu->kept = 1;
}

void vcpu_restore_answer(vsdk_vcpu *vcpu)
{
    if (vcpu->kept)
        *vcpu->backend.exit = vcpu->answer;
    vcpu->kept = 0;
}

void vcpu_fill_kicked(vsdk_vcpu *vcpu, uint32_t detail)
{
    vcpu_keep_answer(vcpu);
    memset(vcpu->backend.exit, 0, sizeof *vcpu->backend.exit);
    vcpu->backend.exit->reason = VSDK_EXIT_KICKED;
    vcpu->backend.exit->detail = detail;
    counter_add(&vcpu->counters.kicked, 1);
}

void vcpu_fill_end(vsdk_vcpu *vcpu)
{
    vcpu_keep_answer(vcpu);
    lock_take(&vcpu->vm->life.lock);
    *vcpu->backend.exit = vcpu->vm->life.end;
    lock_give(&vcpu->vm->life.lock);
    counter_add(&vcpu->counters.returned, 1);
}

static vcpu_verdict kicked(vsdk_vcpu *vcpu, uint32_t detail, vsdk_status *status)
{
    vcpu_fill_kicked(vcpu, detail);
    *status = VSDK_OK;
    return VERDICT_RETURN;
}

static vcpu_verdict kicked_on_request(vsdk_vcpu *vcpu, vsdk_status *status)
{
    atomic_fetch_and(&vcpu->backend.requests, ~(uint32_t)REQUEST_KICK);
    return kicked(vcpu, VSDK_KICK_REQUEST, status);
}

void vcpu_wait_for_writer(vsdk_vcpu *vcpu)
{
    const uint32_t ends = REQUEST_GONE | REQUEST_STOP;
    uint32_t requests;

    atomic_store(&vcpu->place, PLACE_WAIT);
    life_changed(vcpu->vm);
    while ((requests = atomic_load(&vcpu->backend.requests)) & REQUEST_WRITER && !(requests & ends))
        sys_futex_wait(&vcpu->backend.requests, requests, 0);
    vcpu_step_back(vcpu);
}

/* Leaves PARKED; another thread may be reaching for the state just now. */
static void unpark(vsdk_vcpu *vcpu)
{
    uint32_t parked = PLACE_PARKED;

    while (!atomic_compare_exchange_strong(&vcpu->place, &parked, PLACE_BUSY)) {
        vcpu_await_place(vcpu);
        parked = PLACE_PARKED;
    }
}

int vcpu_settles_itself(const vsdk_vcpu *vcpu)
{
    return (atomic_load(&vcpu->place) & (PLACE_LOCKED - 1)) == PLACE_PARKED &&
           atomic_load_explicit(&vcpu->pending, memory_order_relaxed);
}

/* A pause that settles came after the one that this thread is parked for. In PAUSED nothing is
 * finished by who is parked. */
static int is_to_settle(const vsdk_vcpu *vcpu, uint32_t requests)
{
    return requests & REQUEST_SETTLE &&
           atomic_load_explicit(&vcpu->pending, memory_order_relaxed) &&
           atomic_load(&vcpu->vm->life.state) == VSDK_VM_RUNNING;
}

/* A run in CREATED is right where several threads begin, and a silent hang where a resume was
 * forgotten. PARKED: whatever the log function waits for, nobody waits for this thread. */
static void tell_to_resume(vsdk_vm *vm)
{
    if (atomic_load(&vm->life.state) == VSDK_VM_CREATED && !atomic_exchange(&vm->told_to_resume, 1))
        host_log(vm->host, VSDK_LOG_INFO, "a run waits for vsdk_vm_resume, which starts the guest");
}

/* Stands still until something else is asked. What becomes due meanwhile this thread makes: it may
 * be the only one inside. */
static vcpu_verdict park(vsdk_vcpu *vcpu, vsdk_status *status)
{
    const uint32_t ends = REQUEST_GONE | REQUEST_STOP | REQUEST_KICK | REQUEST_LEAVE;
    uint32_t requests;
    int result = 0;

    atomic_store(&vcpu->place, PLACE_PARKED);
    life_changed(vcpu->vm);
    tell_to_resume(vcpu->vm);
    atomic_fetch_or(&vcpu->backend.requests, REQUEST_LOOK);
    while (result != -EINTR && result != -ETIMEDOUT) {
        requests = atomic_load(&vcpu->backend.requests);
        if (requests & REQUEST_LOOK) {
            atomic_fetch_and(&vcpu->backend.requests, ~(uint32_t)REQUEST_LOOK);
            life_settle(vcpu->vm);
            continue;
        }
        if (!(requests & REQUEST_HOLD) || requests & ends || is_to_settle(vcpu, requests))
            break;
        result = sys_futex_wait(&vcpu->backend.requests, requests, vcpu->backend.deadline_ns);
    }
    unpark(vcpu);
    requests = atomic_load(&vcpu->backend.requests);
    if (!(requests & REQUEST_HOLD) || requests & ends || is_to_settle(vcpu, requests))
        return VERDICT_LOOK;
    if (result == -ETIMEDOUT)
        return kicked(vcpu, VSDK_KICK_DEADLINE, status);
    return result == -EINTR ? kicked(vcpu, VSDK_KICK_SIGNAL, status) : VERDICT_LOOK;
}

/* An access that a device has answered, wholly or in part, while a pause was coming is finished
 * before the thread parks, and so is any while the pause settles. One that the embedder answered in
 * PAUSED, or whose device has stopped, stays as it is. */
static int finishes_first(const vsdk_vcpu *vcpu, uint32_t requests)
{
    if (!atomic_load_explicit(&vcpu->pending, memory_order_relaxed))
        return 0;
    if (!(requests & REQUEST_HOLD))
        return !(vcpu->deferred && requests);
    if (vcpu->deferred) /* its device may not serve for long: a kick ends that wait, too */
        return requests & REQUEST_SETTLE && !(requests & (REQUEST_KICK | REQUEST_LEAVE));
    return vcpu->claimed || requests & REQUEST_SETTLE;
}

vcpu_verdict vcpu_attend(vsdk_vcpu *vcpu, uint32_t requests, const char *operation,
                         vsdk_status *status, vsdk_error *error)
{
    atomic_fetch_and(&vcpu->backend.requests, ~(uint32_t)REQUEST_LOOK); /* parked, it will look */
    if (requests & REQUEST_GONE) {
        *status = vm_gone(operation, error);
        return VERDICT_RETURN;
    }
    if (requests & REQUEST_STOP) {
        vcpu_fill_end(vcpu);
        *status = VSDK_OK;
        return VERDICT_RETURN;
    }
    if (requests & REQUEST_WRITER) {
        vcpu_wait_for_writer(vcpu);
        return VERDICT_LOOK;
    }
    if (finishes_first(vcpu, requests))
        return VERDICT_ENTER;
    if (requests & REQUEST_KICK)
        return kicked_on_request(vcpu, status);
    if (requests & REQUEST_LEAVE)
        return kicked(vcpu, VSDK_KICK_REQUEST, status);
    return requests & REQUEST_HOLD ? park(vcpu, status) : VERDICT_ENTER;
}
