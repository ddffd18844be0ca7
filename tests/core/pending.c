/* SPDX-License-Identifier: Apache-2.0 */
/* Devices whose stop takes time: who waits for it, who ends it, and what the device may do until
 * then and no longer. Driven and autonomous. */
#include "../contract/tap.h"
#include "core/device.h"
#include "core/loop.h"
#include "puppet.h"
#include <pthread.h>
#include <string.h>

enum { PORT = 0x100, LINE = 5, GPA = 0x1000, BYTES = 0x1000 };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_device *device;
    vsdk_ram *ram;
    vsdk_irq *irq;
    vsdk_work *work;
} rig;

static const char *label;
static _Atomic unsigned starts, stops, resets, worked;
static int says_so_inside;
static vsdk_status inside[3]; /* what the device could do while its stop was pending */

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static void on_start(void *user, vsdk_device *device)
{
    atomic_fetch_add(&starts, 1);
}

static void on_reset(void *user, vsdk_device *device)
{
    atomic_fetch_add(&resets, 1);
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    atomic_fetch_add(&stops, 1);
    if (says_so_inside)
        vsdk_device_stopped(device, NULL);
    return VSDK_STOP_PENDING;
}

static void quiet_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
}

static void do_all(rig *r)
{
    uint8_t byte = 1;

    inside[0] = vsdk_dma_write(r->device, GPA, &byte, 1, NULL);
    inside[1] = vsdk_irq_pulse(r->irq, NULL);
    inside[2] = vsdk_device_enter(r->device, NULL);
    vsdk_device_leave(r->device);
}

static int all_are(vsdk_status status)
{
    return inside[0] == status && inside[1] == status && inside[2] == status;
}

/* What is under way ends: the last completion, then the word. */
static void finish(void *user, vsdk_work *work)
{
    rig *r = user;
    uint8_t byte = 1;

    atomic_fetch_add(&worked, 1);
    inside[0] = vsdk_dma_write(r->device, GPA, &byte, 1, NULL);
    inside[1] = inside[2] = vsdk_irq_pulse(r->irq, NULL);
    vsdk_device_stopped(r->device, NULL);
}

static void rig_open(rig *r, int autonomous)
{
    static const vsdk_device_ops ops = {
        .size = sizeof ops, .start = on_start, .stop = on_stop, .reset = on_reset};
    vsdk_irq_config line = {.size = sizeof line, .gsi = LINE};

    label = autonomous ? "autonomous" : "driven";
    puppet_script = idle;
    says_so_inside = 0;
    atomic_store(&starts, 0);
    atomic_store(&stops, 0);
    atomic_store(&resets, 0);
    atomic_store(&worked, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(autonomous);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    vsdk_ram_create(r->vm, BYTES, NULL, &r->ram, NULL);
    vsdk_vm_map(r->vm, GPA, r->ram, 0, BYTES, 0, NULL);
    vsdk_device_create(r->vm, &ops, r, NULL, &r->device, NULL);
    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    vsdk_irq_controller_attach(r->vm, LINE, 1, quiet_line, NULL, NULL, NULL);
    line.device = r->device;
    vsdk_irq_create(r->vm, &line, &r->irq, NULL);
    vsdk_vm_resume(r->vm, NULL);
}

static void rig_close(rig *r)
{
    vsdk_work_close(r->work);
    vsdk_irq_close(r->irq);
    vsdk_device_close(r->device);
    vsdk_ram_close(r->ram);
    puppet_close(r->host, r->vm, r->vcpu);
}

static int is_pending(const rig *r)
{
    return atomic_load(&r->device->phase) == DEVICE_PENDING;
}

typedef struct call {
    pthread_t thread;
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

static void call_start(call *c, vsdk_status (*function)(rig *r), rig *r)
{
    *c = (call){.function = function, .rig = r};
    pthread_create(&c->thread, NULL, call_it, c);
}

/* Ten seconds; 99 for one that hangs, which is left so that the test can end. */
static vsdk_status call_join(call *c)
{
    if (!PUPPET_WAIT(atomic_load(&c->done)))
        return 99;
    pthread_join(c->thread, NULL);
    return c->status;
}

static vsdk_status pause_it(rig *r)
{
    return vsdk_vm_pause(r->vm, 0, VSDK_FOREVER, NULL);
}

static vsdk_status reset_it(rig *r)
{
    return vsdk_vm_reset(r->vm, VSDK_FOREVER, NULL);
}

static vsdk_status run_it(rig *r)
{
    return vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, NULL);
}

static void another_thread_finishes(int autonomous)
{
    call pauser;
    rig r;

    rig_open(&r, autonomous);
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(is_pending(&r));
    do_all(&r);
    tap(all_are(VSDK_OK) && puppet_state(r.vm) == VSDK_VM_RUNNING && !atomic_load(&pauser.done),
        "%s: what is under way can finish while a stop is pending", label);
    vsdk_device_stopped(r.device, NULL);
    tap(!call_join(&pauser) && puppet_state(r.vm) == VSDK_VM_PAUSED, "%s: then it is PAUSED",
        label);
    do_all(&r);
    tap(all_are(VSDK_ERROR_STATE), "%s: and the device does nothing any more", label);
    tap(!vsdk_device_stopped(r.device, NULL) && !atomic_load(&r.vm->devices.stops),
        "%s: a second word does nothing", label);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&starts) == 2 && !vsdk_device_stopped(r.device, NULL) &&
            !atomic_load(&r.vm->devices.stops),
        "%s: nor does one after the start", label);
    do_all(&r);
    tap(all_are(VSDK_OK), "%s: which lets it act again", label);
    rig_close(&r);
}

/* The word comes before the callback has answered. */
static void it_has_stopped_already(int autonomous)
{
    rig r;

    rig_open(&r, autonomous);
    says_so_inside = 1;
    tap(!vsdk_vm_pause(r.vm, 0, 0, NULL) && puppet_state(r.vm) == VSDK_VM_PAUSED &&
            !atomic_load(&r.vm->devices.stops),
        "%s: the word inside the callback counts", label);
    rig_close(&r);
}

static _Atomic unsigned in_work, go_on;

static void slow_work(void *user, vsdk_work *work)
{
    atomic_store(&in_work, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
    atomic_store(&in_work, 0);
}

static vsdk_loop *other_loop;

static vsdk_status dispatch_it(rig *r)
{
    return vsdk_loop_dispatch(other_loop, VSDK_FOREVER, NULL, NULL);
}

static vsdk_status enter_it(rig *r)
{
    vsdk_status status = vsdk_device_enter(r->device, NULL);

    atomic_store(&in_work, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
    atomic_store(&in_work, 0);
    vsdk_device_leave(r->device);
    return status;
}

/* Another thread says that the device has stopped while a callback of it runs, or a thread is
 * inside: PAUSED is when those are over. */
static void a_callback_lasts_longer(int autonomous, vsdk_status (*inside_it)(rig *r))
{
    call pauser, other;
    rig r;

    rig_open(&r, autonomous);
    atomic_store(&in_work, 0);
    atomic_store(&go_on, 0);
    vsdk_loop_create(&other_loop, NULL);
    vsdk_work_create(other_loop, r.device, slow_work, &r, NULL, &r.work, NULL);
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(is_pending(&r));
    vsdk_work_post(r.work, NULL);
    call_start(&other, inside_it, &r);
    PUPPET_WAIT(atomic_load(&in_work));
    vsdk_device_stopped(r.device, NULL);
    PUPPET_WAIT(atomic_load(&r.device->count) & DEVICE_AWAITED || atomic_load(&pauser.done));
    tap(puppet_state(r.vm) == VSDK_VM_RUNNING && !atomic_load(&pauser.done),
        "%s: a pause waits for a callback that runs after the word", label);
    atomic_store(&go_on, 1);
    tap(!call_join(&pauser) && !atomic_load(&in_work) && puppet_state(r.vm) == VSDK_VM_PAUSED,
        "%s: and comes to be after it", label);
    tap(!call_join(&other), "%s: which was allowed", label);
    vsdk_loop_close(other_loop);
    rig_close(&r);
}

/* A pause that gives up starts the device again. */
static void the_time_is_over(int autonomous)
{
    rig r;

    rig_open(&r, autonomous);
    tap(vsdk_vm_pause(r.vm, 0, 2000000, NULL) == VSDK_ERROR_TIMEOUT &&
            puppet_state(r.vm) == VSDK_VM_RUNNING,
        "%s: a stop that lasts too long", label);
    do_all(&r);
    tap(atomic_load(&stops) == 1 && atomic_load(&starts) == 2 && all_are(VSDK_OK) &&
            !atomic_load(&r.vm->devices.stops),
        "%s: is given up, and the device started again", label);
    vsdk_device_stopped(r.device, NULL);
    do_all(&r);
    tap(all_are(VSDK_OK), "%s: a late word does not stop it", label);
    tap(!autonomous || r.vm->life.guest_runs, "%s: the guest goes on", label);
    says_so_inside = 1;
    tap(!vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL), "%s: the next pause works", label);
    rig_close(&r);
}

/* Its work is on the virtual machine's own loop, which nobody dispatches: the pause does. */
static void the_pause_dispatches(int autonomous)
{
    call pauser;
    rig r;

    rig_open(&r, autonomous);
    vsdk_work_create(vsdk_vm_loop(r.vm, NULL), r.device, finish, &r, NULL, &r.work, NULL);
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(is_pending(&r));
    tap(!atomic_load(&worked), "%s: nothing was posted yet", label);
    vsdk_work_post(r.work, NULL);
    tap(!call_join(&pauser) && atomic_load(&worked) == 1 && puppet_state(r.vm) == VSDK_VM_PAUSED &&
            all_are(VSDK_OK),
        "%s: a pause dispatches the loop that the device needs", label);
    vsdk_work_post(r.work, NULL);
    vsdk_loop_dispatch(vsdk_vm_loop(r.vm, NULL), 0, NULL, NULL);
    tap(atomic_load(&worked) == 1, "%s: after it the device's work waits", label);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_loop_dispatch(vsdk_vm_loop(r.vm, NULL), VSDK_FOREVER, NULL, NULL);
    tap(atomic_load(&worked) == 2, "%s: and runs after the start", label);
    rig_close(&r);
}

/* What is posted already needs no time. */
static void a_pause_without_time_dispatches_once(int autonomous)
{
    rig r;

    rig_open(&r, autonomous);
    vsdk_work_create(vsdk_vm_loop(r.vm, NULL), r.device, finish, &r, NULL, &r.work, NULL);
    vsdk_work_post(r.work, NULL);
    vsdk_status status = vsdk_vm_pause(r.vm, 0, 0, NULL);
    tap(!status && atomic_load(&worked) == 1 && puppet_state(r.vm) == VSDK_VM_PAUSED,
        "%s: a pause without time runs what is posted, and is over by it", label);
    rig_close(&r);
}

/* Whatever takes the device away ends the wait for it. `loop`: the waiting thread dispatches. */
static _Atomic unsigned pause_is_over;

/* Between two dispatches the pause may have the loop again, and run what is due. */
static vsdk_status dispatch_own(rig *r)
{
    vsdk_status status = VSDK_OK;

    while (!status && !atomic_load(&pause_is_over))
        status = vsdk_loop_dispatch(vsdk_vm_loop(r->vm, NULL), VSDK_FOREVER, NULL, NULL);
    return status;
}

/* Who dispatches the loop of a virtual machine is not refused because a pause does just now: it
 * gets the loop. */
static void a_dispatch_waits_for_the_pause(int autonomous)
{
    call pauser, dispatcher;
    vsdk_loop *loop;
    rig r;

    rig_open(&r, autonomous);
    atomic_store(&pause_is_over, 0);
    loop = vsdk_vm_loop(r.vm, NULL);
    vsdk_work_create(loop, r.device, finish, &r, NULL, &r.work, NULL);
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(atomic_load(&loop->dispatching) == DISPATCHER_TRANSITION);
    tap(!vsdk_loop_dispatch(loop, 0, NULL, NULL) &&
            PUPPET_WAIT(atomic_load(&loop->dispatching) == DISPATCHER_TRANSITION),
        "%s: a pause dispatches again after who asked and did not wait", label);
    call_start(&dispatcher, dispatch_own, &r);
    tap(PUPPET_WAIT(atomic_load(&loop->dispatching) == DISPATCHER_CALLER),
        "%s: the pause gives the loop to who dispatches", label);
    vsdk_work_post(r.work, NULL);
    tap(!call_join(&pauser), "%s: what the pause waits for is finished", label);
    atomic_store(&pause_is_over, 1);
    vsdk_loop_wake(loop, NULL);
    tap(!call_join(&dispatcher), "%s: and who dispatches was not refused", label);
    rig_close(&r);
}

static void it_is_taken_away(int autonomous, int loop)
{
    call pauser;
    rig r;

    rig_open(&r, autonomous);
    if (loop)
        vsdk_vm_loop(r.vm, NULL);
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(is_pending(&r));
    for (unsigned i = 0; i < 20; i++)
        puppet_nap(); /* until the pause waits in the loop */
    tap(!vsdk_device_detach(r.device, NULL) && !call_join(&pauser) &&
            puppet_state(r.vm) == VSDK_VM_PAUSED && !atomic_load(&r.vm->devices.stops),
        "%s: a detach ends the wait for a stop%s", label, loop ? " in the loop" : "");
    rig_close(&r);
}

/* A guest that ends meanwhile: the same stop is for its end. */
static void the_guest_ends(int autonomous)
{
    call pauser, resetter;
    rig r;

    rig_open(&r, autonomous);
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(is_pending(&r));
    vsdk_vm_stop(r.vm, VSDK_EXIT_STOP, 0, 0, NULL);
    tap(call_join(&pauser) == VSDK_ERROR_STATE && puppet_state(r.vm) == VSDK_VM_STOPPED,
        "%s: a guest that ends while a stop is pending is STOPPED at once", label);
    uint8_t byte = 1;
    tap(vsdk_dma_write(r.device, GPA, &byte, 1, NULL) == VSDK_ERROR_STATE,
        "%s: DMA is refused at once too", label);
    tap(vsdk_vm_reset(r.vm, 1000000, NULL) == VSDK_ERROR_TIMEOUT && !atomic_load(&resets) &&
            puppet_state(r.vm) == VSDK_VM_STOPPED,
        "%s: a reset waits for the device, and gives up", label);
    call_start(&resetter, reset_it, &r);
    PUPPET_WAIT(atomic_load(&r.vm->life.waiters));
    vsdk_device_stopped(r.device, NULL);
    tap(!call_join(&resetter) && puppet_state(r.vm) == VSDK_VM_CREATED &&
            atomic_load(&resets) == 1 && atomic_load(&stops) == 1,
        "%s: or comes to be with the word; the device was stopped once", label);
    rig_close(&r);
}

/* Nobody waits: the request comes to be by the next call that makes transitions. */
static void a_request_is_finished_by_a_run(int autonomous)
{
    call runner;
    rig r;

    rig_open(&r, autonomous);
    call_start(&runner, run_it, &r);
    vsdk_vm_pause_request(r.vm, NULL);
    tap(PUPPET_WAIT(is_pending(&r)) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "%s: a thread inside run begins a pause that was asked for", label);
    vsdk_device_stopped(r.device, NULL);
    vsdk_vcpu_kick(r.vcpu, NULL);
    tap(!call_join(&runner) && puppet_state(r.vm) == VSDK_VM_PAUSED, "%s: and a later one ends it",
        label);
    rig_close(&r);
}

/* A resume that meets a pause nobody waits for takes it back, in the midst of the stop too. */
static void a_resume_takes_it_back(int autonomous)
{
    call runner;
    rig r;

    rig_open(&r, autonomous);
    call_start(&runner, run_it, &r);
    vsdk_vm_pause_request(r.vm, NULL);
    PUPPET_WAIT(is_pending(&r));
    tap(!vsdk_vm_resume(r.vm, NULL) && puppet_state(r.vm) == VSDK_VM_RUNNING &&
            atomic_load(&starts) == 2 && !atomic_load(&r.vm->devices.stops),
        "%s: a resume takes a pending pause back", label);
    vsdk_vcpu_kick(r.vcpu, NULL);
    tap(!call_join(&runner) && vsdk_vcpu_record(r.vcpu)->reason == VSDK_EXIT_KICKED,
        "%s: and the vCPU goes on", label);
    rig_close(&r);
}

/* A resume that the hypervisor refuses stops the devices again: a pause means that they have. */
static void a_resume_is_refused(void)
{
    call pauser;
    rig r;

    rig_open(&r, 1);
    says_so_inside = 1;
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    says_so_inside = 0;
    atomic_store(&puppet_refusal, PUPPET_REFUSE_RESUME);
    tap(vsdk_vm_resume(r.vm, NULL) == VSDK_ERROR_SYSTEM && puppet_state(r.vm) == VSDK_VM_PAUSED &&
            is_pending(&r),
        "a resume is refused, and the stop after it is pending");
    tap(vsdk_vm_pause(r.vm, 0, 1000000, NULL) == VSDK_ERROR_TIMEOUT &&
            puppet_state(r.vm) == VSDK_VM_PAUSED && is_pending(&r),
        "a pause waits for it, and starts nothing when it gives up");
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(atomic_load(&r.vm->life.waiters));
    vsdk_device_stopped(r.device, NULL);
    tap(!call_join(&pauser) && puppet_state(r.vm) == VSDK_VM_PAUSED, "or until the word comes");
    tap(!vsdk_vm_resume(r.vm, NULL) && puppet_state(r.vm) == VSDK_VM_RUNNING, "then it goes on");
    rig_close(&r);
}

/* A destroy does not wait for it. */
static void it_is_destroyed(int autonomous)
{
    call pauser;
    rig r;

    rig_open(&r, autonomous);
    vsdk_vm_loop(r.vm, NULL);
    call_start(&pauser, pause_it, &r);
    PUPPET_WAIT(is_pending(&r));
    tap(!vsdk_vm_destroy(r.vm, NULL) && call_join(&pauser) == VSDK_ERROR_GONE,
        "%s: a destroy waits for no pending stop, and ends the pause", label);
    tap(!vsdk_device_stopped(r.device, NULL), "%s: a word after it", label);
    rig_close(&r);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        another_thread_finishes(autonomous);
        it_has_stopped_already(autonomous);
        a_callback_lasts_longer(autonomous, dispatch_it);
        a_callback_lasts_longer(autonomous, enter_it);
        the_time_is_over(autonomous);
        the_pause_dispatches(autonomous);
        a_pause_without_time_dispatches_once(autonomous);
        a_dispatch_waits_for_the_pause(autonomous);
        it_is_taken_away(autonomous, 0);
        it_is_taken_away(autonomous, 1);
        the_guest_ends(autonomous);
        a_request_is_finished_by_a_run(autonomous);
        a_resume_takes_it_back(autonomous);
        it_is_destroyed(autonomous);
    }
    a_resume_is_refused();
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
