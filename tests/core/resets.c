/* SPDX-License-Identifier: Apache-2.0 */
/* What a reset leaves to the threads of the guest before: their records, and their place inside
 * run. And a guest that goes on after its end while a device's stop is pending. */
#include "../contract/tap.h"
#include "core/device.h"
#include "puppet.h"
#include <pthread.h>
#include <string.h>

enum { PORT_DEVICE = 0x100, PORT_FREE = 0x200 };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_device *device;
    vsdk_work *work;
} rig;

static const char *label;
static _Atomic unsigned turn, stops, worked;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static enum puppet_act read_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_READ, PORT_FREE, 0);
    return PUPPET_EXIT;
}

static enum puppet_act suspend_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    *exit = (vsdk_exit){.reason = VSDK_EXIT_SUSPEND};
    return PUPPET_EXIT;
}

static void rig_open(rig *r, int autonomous, puppet_script_fn script, const vsdk_device_ops *ops)
{
    label = autonomous ? "autonomous" : "driven";
    puppet_script = script;
    atomic_store(&turn, 0);
    atomic_store(&stops, 0);
    atomic_store(&worked, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(autonomous);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    if (!ops)
        return;
    vsdk_device_create(r->vm, ops, r, NULL, &r->device, NULL);
    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT_DEVICE, 8, 1, NULL);
}

static void rig_close(rig *r)
{
    vsdk_work_close(r->work);
    vsdk_device_close(r->device);
    puppet_close(r->host, r->vm, r->vcpu);
}

static uint32_t place_of(const rig *r)
{
    return atomic_load(&r->vcpu->place) & (PLACE_LOCKED - 1);
}

static _Atomic unsigned run_over, read_over;
static vsdk_exit seen;

static void *run_and_read(void *argument)
{
    rig *r = argument;

    vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, NULL);
    atomic_store(&run_over, 1);
    for (unsigned i = 0; i < 1000 && !atomic_load(&read_over); i++)
        seen = *vsdk_vcpu_record(r->vcpu);
    return NULL;
}

/* Another thread resets while the one whose run has returned reads what it returned. */
static void a_reset_leaves_the_record(int autonomous)
{
    pthread_t runner;
    rig r;

    rig_open(&r, autonomous, read_once, NULL);
    atomic_store(&run_over, 0);
    atomic_store(&read_over, 0);
    vsdk_vm_resume(r.vm, NULL);
    pthread_create(&runner, NULL, run_and_read, &r);
    PUPPET_WAIT(atomic_load(&run_over));
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_status status = vsdk_vm_reset(r.vm, VSDK_FOREVER, NULL);
    atomic_store(&read_over, 1);
    pthread_join(runner, NULL);
    const vsdk_exit *exit = vsdk_vcpu_record(r.vcpu);
    tap(!status && exit->reason == VSDK_EXIT_PIO && exit->address == PORT_FREE && exit->count == 1,
        "%s: a reset leaves the record to its reader", label);
    vsdk_vcpu_phase phase = 99;
    tap(!vsdk_vcpu_get_phase(r.vcpu, &phase, NULL) && phase == VSDK_VCPU_HELD,
        "%s: but the access is forgotten", label);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, 1000000, NULL);
    tap(exit->reason == VSDK_EXIT_KICKED && exit->detail == VSDK_KICK_DEADLINE,
        "%s: and the next run fills it anew", label);
    rig_close(&r);
}

static vsdk_status run_status;

static void *run_it(void *argument)
{
    rig *r = argument;

    run_status = vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, NULL);
    atomic_store(&run_over, 1);
    return NULL;
}

/* From PAUSED: nothing has ended for the thread inside. */
static void a_run_that_waits_stays_over_a_reset(int autonomous)
{
    pthread_t runner;
    rig r;

    rig_open(&r, autonomous, read_once, NULL);
    atomic_store(&run_over, 0);
    atomic_store(&turn, 1);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    pthread_create(&runner, NULL, run_it, &r);
    PUPPET_WAIT(place_of(&r) == PLACE_PARKED);
    tap(!vsdk_vm_reset(r.vm, 0, NULL) && !atomic_load(&run_over) && place_of(&r) == PLACE_PARKED,
        "%s: a run that waits in PAUSED stays inside over a reset", label);
    atomic_store(&turn, 0);
    vsdk_vm_resume(r.vm, NULL);
    tap(PUPPET_WAIT(atomic_load(&run_over)) && !run_status &&
            vsdk_vcpu_record(r.vcpu)->address == PORT_FREE,
        "%s: and goes on with the new guest", label);
    pthread_join(runner, NULL);
    rig_close(&r);
}

/* From STOPPED: a run that was inside when the guest ended returns that end, however soon the reset
 * comes. */
static void a_run_returns_the_end_before_a_reset(int autonomous)
{
    unsigned missed = 0;
    pthread_t runner;
    rig r;

    for (unsigned i = 0; i < 50; i++) {
        rig_open(&r, autonomous, idle, NULL);
        atomic_store(&run_over, 0);
        pthread_create(&runner, NULL, run_it, &r);
        PUPPET_WAIT(place_of(&r) == PLACE_PARKED);
        vsdk_vm_stop(r.vm, VSDK_EXIT_STOP, 5, 0, NULL);
        vsdk_vm_reset(r.vm, VSDK_FOREVER, NULL);
        missed += place_of(&r) != PLACE_OUT;
        vsdk_vcpu_kick(r.vcpu, NULL);
        pthread_join(runner, NULL);
        missed += vsdk_vcpu_record(r.vcpu)->reason != VSDK_EXIT_STOP;
        rig_close(&r);
    }
    tap(!missed, "%s: a run returns the end of its guest before a reset", label);
}

static vsdk_stop_answer pending_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    rig *r = user;

    atomic_fetch_add(&stops, 1);
    vsdk_work_post(r->work, NULL);
    return VSDK_STOP_PENDING;
}

static void finish(void *user, vsdk_work *work)
{
    rig *r = user;

    atomic_fetch_add(&worked, 1);
    vsdk_device_stopped(r->device, NULL);
}

static vsdk_status resume_it(rig *r)
{
    return vsdk_vm_resume(r->vm, NULL);
}

static vsdk_status reset_it(rig *r)
{
    return vsdk_vm_reset(r->vm, VSDK_FOREVER, NULL);
}

typedef struct call {
    vsdk_status (*function)(rig *r);
    rig *rig;
    vsdk_status status;
    _Atomic unsigned done;
} call;

static void *call_it(void *argument)
{
    call *c = argument;

    c->status = c->function(c->rig);
    atomic_store(&c->done, 1);
    return NULL;
}

/* The device ends its stop in work of the virtual machine's loop, and no other thread is there. */
static void who_waits_dispatches(int autonomous, vsdk_status (*function)(rig *r),
                                 vsdk_vm_state after, const char *name)
{
    static call c;
    const vsdk_device_ops ops = {.size = sizeof ops, .stop = pending_stop};
    pthread_t thread;
    rig r;

    rig_open(&r, autonomous, suspend_once, &ops);
    vsdk_work_create(vsdk_vm_loop(r.vm, NULL), r.device, finish, &r, NULL, &r.work, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    c = (call){.function = function, .rig = &r};
    pthread_create(&thread, NULL, call_it, &c);
    int alone = PUPPET_WAIT(atomic_load(&c.done));
    tap(alone && !c.status && atomic_load(&stops) == 1 && atomic_load(&worked) == 1 &&
            puppet_state(r.vm) == after,
        "%s: a %s after SUSPEND dispatches the loop that a pending stop needs", label, name);
    if (!alone)
        vsdk_loop_dispatch(vsdk_vm_loop(r.vm, NULL), VSDK_FOREVER, NULL, NULL);
    pthread_join(thread, NULL);
    rig_close(&r);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        a_reset_leaves_the_record(autonomous);
        a_run_that_waits_stays_over_a_reset(autonomous);
        a_run_returns_the_end_before_a_reset(autonomous);
        who_waits_dispatches(autonomous, resume_it, VSDK_VM_RUNNING, "resume");
        who_waits_dispatches(autonomous, reset_it, VSDK_VM_CREATED, "reset");
    }
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
