/* SPDX-License-Identifier: Apache-2.0 */
/* Devices whose callbacks, locks and ends meet a pause on other threads. */
#include "../contract/tap.h"
#include "core/device.h"
#include "puppet.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PORT = 0x100, LINE = 5 };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_device *device;
    vsdk_irq *irq;
} rig;

static _Atomic unsigned starts, stops, in_callback, go_on, turn;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static void on_start(void *user, vsdk_device *device)
{
    atomic_fetch_add(&starts, 1);
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    atomic_fetch_add(&stops, 1);
    return VSDK_STOP_DONE;
}

static void rig_open(rig *r, puppet_script_fn script, const vsdk_device_ops *ops)
{
    puppet_script = script;
    atomic_store(&starts, 0);
    atomic_store(&stops, 0);
    atomic_store(&turn, 0);
    atomic_store(&in_callback, 0);
    atomic_store(&go_on, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(0);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    vsdk_device_create(r->vm, ops, r, NULL, &r->device, NULL);
    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
}

static void rig_close(rig *r)
{
    vsdk_irq_close(r->irq);
    vsdk_device_close(r->device);
    puppet_close(r->host, r->vm, r->vcpu);
}

static void waiting_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    atomic_store(&in_callback, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
}

static vsdk_status under_lock[6];
static _Atomic unsigned locked_over;

/* As input from another thread does: the device's lock, then an interrupt. */
static void *locked_raise(void *argument)
{
    rig *r = argument;

    vsdk_device_enter(r->device, NULL);
    under_lock[0] = vsdk_irq_pulse(r->irq, NULL);
    under_lock[1] = vsdk_vm_pause(r->vm, 0, VSDK_FOREVER, NULL);
    under_lock[2] = vsdk_vm_destroy(r->vm, NULL);
    under_lock[3] = vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, NULL);
    under_lock[4] = vsdk_device_detach(r->device, NULL);
    under_lock[5] = vsdk_vm_run(r->vm, NULL, VSDK_FOREVER, NULL, NULL);
    vsdk_device_leave(r->device);
    atomic_store(&locked_over, 1);
    return NULL;
}

static void *pause_it(void *argument)
{
    rig *r = argument;

    return (void *)(intptr_t)vsdk_vm_pause(r->vm, 0, VSDK_FOREVER, NULL);
}

static void a_pause_waits_for_a_locked_device(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .stop = on_stop};
    pthread_t thread, pauser;
    void *status;
    rig r;
    int busy = 1;

    rig_open(&r, idle, &ops);
    atomic_store(&locked_over, 0);
    vsdk_irq_controller_attach(r.vm, LINE, 1, waiting_line, NULL, NULL, NULL);
    vsdk_irq_create(r.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = LINE}, &r.irq,
                    NULL);
    vsdk_vm_resume(r.vm, NULL);
    pthread_create(&thread, NULL, locked_raise, &r);
    PUPPET_WAIT(atomic_load(&in_callback));
    tap(!vsdk_vm_pause_request(r.vm, NULL) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "a pause is asked for while a line's callback runs");
    pthread_create(&pauser, NULL, pause_it, &r);
    PUPPET_WAIT(atomic_load(&r.device->count) & DEVICE_AWAITED);
    tap(puppet_state(r.vm) == VSDK_VM_RUNNING && !atomic_load(&stops) && !atomic_load(&locked_over),
        "a pause waits for who entered a device");
    atomic_store(&go_on, 1);
    tap(PUPPET_WAIT(atomic_load(&locked_over)), "an interrupt raised under a device's lock");
    pthread_join(thread, NULL);
    pthread_join(pauser, &status);
    tap(!status && puppet_state(r.vm) == VSDK_VM_PAUSED && atomic_load(&stops) == 1,
        "the pause is made when the device is left");
    for (unsigned i = 1; i < 6; i++)
        busy &= under_lock[i] == VSDK_ERROR_BUSY;
    tap(!under_lock[0] && busy, "what would wait for the lock is BUSY under it");
    rig_close(&r);
}

/* Who leaves makes no transition: that is left to the calls that do. */
static void leaving_makes_no_pause(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .stop = on_stop};
    rig r;

    rig_open(&r, idle, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_device_enter(r.device, NULL);
    vsdk_vm_pause_request(r.vm, NULL);
    vsdk_device_leave(r.device);
    tap(puppet_state(r.vm) == VSDK_VM_RUNNING && !atomic_load(&stops),
        "leaving a device makes no pause");
    vsdk_loop_dispatch(vsdk_vm_loop(r.vm, NULL), 0, NULL, NULL);
    tap(puppet_state(r.vm) == VSDK_VM_PAUSED && atomic_load(&stops) == 1, "a dispatch does");
    rig_close(&r);
}

static enum puppet_act write_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT - 1, 7);
    return PUPPET_EXIT;
}

static _Atomic unsigned said[3], settle_over, writes;

static void asking_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    rig *r = user;

    atomic_fetch_add(&writes, 1);
    atomic_store(&said[0], (unsigned)-vsdk_vm_resume(r->vm, NULL));
    atomic_store(&said[1], (unsigned)-vsdk_vm_pause_request(r->vm, NULL));
}

static void *settle(void *argument)
{
    rig *r = argument;
    vsdk_status status = vsdk_vm_pause(r->vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL);

    atomic_store(&settle_over, 1);
    return (void *)(intptr_t)status;
}

/* The first part of the access is nobody's, the next the device's. What that wants of a pause
 * changes nothing of the one that is being made. */
static void a_device_is_called_while_a_pause_settles(void)
{
    const vsdk_device_ops ops = {
        .size = sizeof ops, .write = asking_write, .start = on_start, .stop = on_stop};
    pthread_t thread;
    void *status;
    rig r;

    atomic_store(&settle_over, 0);
    atomic_store(&writes, 0);
    rig_open(&r, write_once, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    atomic_store(&puppet_fragments, 1);
    pthread_create(&thread, NULL, settle, &r);
    tap(PUPPET_WAIT(atomic_load(&settle_over)) && atomic_load(&writes) == 1,
        "a part of an access goes to its device while a pause settles");
    pthread_join(thread, &status);
    tap(said[0] == -VSDK_ERROR_BUSY && said[1] == VSDK_OK, "a resume inside is BUSY");
    tap(!status && puppet_state(r.vm) == VSDK_VM_PAUSED && atomic_load(&stops) == 1,
        "the pause comes to be, the device stops after the access");
    rig_close(&r);
}

static void waiting_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_store(&in_callback, 1);
    PUPPET_WAIT(atomic_load(&go_on));
}

static _Atomic unsigned ran;

static void *run_it(void *argument)
{
    rig *r = argument;
    vsdk_status status = vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, NULL);

    atomic_store(&ran, 1);
    return (void *)(intptr_t)status;
}

/* The thread that runs the vCPU comes back while another one's pause finishes its access: it is no
 * second runner, and waits. */
static void a_run_waits_while_a_pause_settles(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = waiting_write};
    pthread_t pauser, runner;
    void *paused, *status;
    rig r;

    atomic_store(&settle_over, 0);
    atomic_store(&ran, 0);
    rig_open(&r, write_once, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    atomic_store(&puppet_fragments, 1);
    pthread_create(&pauser, NULL, settle, &r);
    PUPPET_WAIT(atomic_load(&in_callback));
    pthread_create(&runner, NULL, run_it, &r);
    for (int i = 0; i < 100 && !atomic_load(&ran); i++)
        puppet_nap();
    tap(!atomic_load(&ran) && !atomic_load(&settle_over), "a run waits while a pause settles");
    atomic_store(&go_on, 1);
    pthread_join(pauser, &paused);
    tap(!paused && puppet_state(r.vm) == VSDK_VM_PAUSED, "which then comes to be");
    vsdk_vcpu_kick(r.vcpu, NULL);
    pthread_join(runner, &status);
    tap(!status && vsdk_vcpu_record(r.vcpu)->reason == VSDK_EXIT_KICKED, "and the run goes on");
    rig_close(&r);
}

/* In PAUSED a device gets no part of an access: it waits for the next start. */
static void a_stopped_device_is_not_called_to_settle(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = asking_write};
    vsdk_exit *exit;
    rig r;

    atomic_store(&writes, 0);
    rig_open(&r, write_once, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    atomic_store(&puppet_fragments, 1);
    tap(vsdk_vm_pause(r.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL) == VSDK_ERROR_STATE &&
            !atomic_load(&writes) && puppet_state(r.vm) == VSDK_VM_PAUSED,
        "settling in PAUSED calls no device that has stopped");
    vsdk_vm_resume(r.vm, NULL);
    exit = vsdk_vcpu_record(r.vcpu);
    vsdk_vcpu_run(r.vcpu, 1000000, NULL);
    tap(atomic_load(&writes) == 1 && exit->reason == VSDK_EXIT_KICKED,
        "the part is given to it after the start");
    rig_close(&r);
}

static vsdk_status waiting_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                                vsdk_error *error)
{
    atomic_store(&in_callback, 1);
    PUPPET_WAIT(atomic_load(&go_on));
    return VSDK_OK;
}

static void *save_it(void *argument)
{
    rig *r = argument;
    uint64_t needed;

    return (void *)(intptr_t)vsdk_device_save(r->device, NULL, 0, &needed, NULL);
}

static void *complete_it(void *argument)
{
    rig *r = argument;

    return (void *)(intptr_t)vsdk_vcpu_complete(r->vcpu, NULL);
}

static void *read_registers(void *argument)
{
    rig *r = argument;
    vsdk_x86_regs regs;

    return (void *)(intptr_t)vsdk_vcpu_get_state(r->vcpu, VSDK_X86_REGS, &regs, sizeof regs, NULL);
}

static void waiting_complete(backend_vcpu *vcpu)
{
    PUPPET_WAIT(atomic_load(&go_on));
}

/* A thread that finishes an access, of which a part is for a stopped device that is being saved, is
 * in the vCPU for a moment: in PAUSED it is waited for. */
static void registers_are_there_in_a_pause(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = asking_write, .save = waiting_save};
    void *(*const steps[])(void *) = {save_it, complete_it, read_registers};
    pthread_t threads[3];
    void *results[3];
    rig r;

    rig_open(&r, write_once, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    atomic_store(&puppet_fragments, 1);
    puppet_completing = waiting_complete;
    for (unsigned i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, steps[i], &r);
        if (i == 0)
            PUPPET_WAIT(atomic_load(&in_callback));
        if (i == 1)
            PUPPET_WAIT(atomic_load(&r.vcpu->place) == PLACE_BUSY);
    }
    PUPPET_WAIT(atomic_load(&r.vm->life.waiters));
    atomic_store(&go_on, 1);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], &results[i]);
    tap(!results[0] && (intptr_t)results[1] == VSDK_ERROR_STATE,
        "a part of an access whose device is stopped is left over");
    tap(!results[2], "registers can be read in PAUSED, whoever tries");
    puppet_completing = NULL;
    rig_close(&r);
}

/* Entering: refused while stopped, from own callbacks, between enter and leave. */
static vsdk_status entered[4];

static void entering_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    entered[0] = vsdk_device_enter(device, NULL);
    vsdk_device_leave(device); /* it was not entered: nothing */
}

static enum puppet_act write_device(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT, 7);
    return PUPPET_EXIT;
}

static void entering_is_refused(uint32_t flags)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = entering_write};
    const vsdk_device_config config = {.size = sizeof config, .flags = flags};
    const char *what = flags ? "concurrent" : "one at a time";
    vsdk_device *device;
    vsdk_error error;
    rig r;

    rig_open(&r, write_device, &ops);
    vsdk_device_detach(r.device, NULL);
    vsdk_device_create(r.vm, &ops, &r, &config, &device, NULL);
    vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    tap(vsdk_device_enter(device, &error) == VSDK_ERROR_STATE && error.code == VSDK_ERROR_STATE,
        "%s: a device that never started is not entered", what);
    vsdk_device_leave(device);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_device_leave(device);
    tap(!vsdk_device_enter(device, NULL), "%s: leaving what was not entered does nothing", what);
    entered[1] = vsdk_device_enter(device, NULL);
    vsdk_device_leave(device);
    tap(entered[1] == VSDK_ERROR_BUSY, "%s: entered twice by one thread", what);
    vsdk_device_leave(device);
    vsdk_vcpu_run(r.vcpu, 1000000, NULL);
    tap(entered[0] == VSDK_ERROR_BUSY, "%s: from its own callback", what);
    tap(!vsdk_device_enter(device, NULL), "%s: and after it", what);
    vsdk_device_leave(device);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(vsdk_device_enter(device, NULL) == VSDK_ERROR_STATE, "%s: in PAUSED", what);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vm_stop(r.vm, VSDK_EXIT_STOP, 0, 0, NULL);
    tap(vsdk_device_enter(device, NULL) == VSDK_ERROR_STATE, "%s: of a guest that ended", what);
    vsdk_vm_destroy(r.vm, NULL);
    tap(vsdk_device_enter(device, NULL) == VSDK_ERROR_GONE, "%s: of one that was destroyed", what);
    vsdk_device_leave(device);
    vsdk_device_close(device);
    rig_close(&r);
}

typedef struct pair {
    rig *rig;
    vsdk_device *first, *second;
    _Atomic unsigned *mine, *other;
    vsdk_status status;
} pair;

/* Each is in one device and wants the other's; the one that comes last is told. */
static void *enter_two(void *argument)
{
    pair *p = argument;

    vsdk_device_enter(p->first, NULL);
    atomic_store(p->mine, 1);
    PUPPET_WAIT(atomic_load(p->other));
    p->status = vsdk_device_enter(p->second, NULL);
    if (!p->status)
        vsdk_device_leave(p->second);
    vsdk_device_leave(p->first);
    return NULL;
}

static void two_devices_in_a_circle(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    _Atomic unsigned there[2] = {0, 0};
    vsdk_device *other;
    pthread_t threads[2];
    rig r;

    rig_open(&r, idle, &ops);
    vsdk_device_create(r.vm, &ops, NULL, NULL, &other, NULL);
    vsdk_device_add_range(other, VSDK_SPACE_PIO, PORT + 8, 1, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    pair pairs[2] = {{&r, r.device, other, &there[0], &there[1], VSDK_OK},
                     {&r, other, r.device, &there[1], &there[0], VSDK_OK}};
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, enter_two, &pairs[i]);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    tap((pairs[0].status == VSDK_ERROR_BUSY) + (pairs[1].status == VSDK_ERROR_BUSY) == 1 &&
            pairs[0].status + pairs[1].status == VSDK_ERROR_BUSY,
        "of two threads that enter each other's device one is BUSY");
    vsdk_device_close(other);
    rig_close(&r);
}

/* A request is withdrawn from inside a device. */
static void a_resume_inside_withdraws(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .start = on_start, .stop = on_stop};
    rig r;

    rig_open(&r, idle, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_device_enter(r.device, NULL);
    vsdk_vm_pause_request(r.vm, NULL);
    vsdk_status status = vsdk_vm_resume(r.vm, NULL);
    vsdk_device_leave(r.device);
    vsdk_loop_dispatch(vsdk_vm_loop(r.vm, NULL), 0, NULL, NULL);
    tap(!status && puppet_state(r.vm) == VSDK_VM_RUNNING && !atomic_load(&stops) &&
            atomic_load(&starts) == 1,
        "a resume inside a device takes a request back");
    rig_close(&r);
}

static _Atomic unsigned attached, late, pauses_over;

static void checked_start(void *user, vsdk_device *device)
{
    if (!atomic_load(&attached))
        atomic_store(&late, 1);
    if (atomic_fetch_add(&starts, 1))
        atomic_store(&late, 2);
}

static vsdk_stop_answer checked_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    if (!atomic_load(&attached))
        atomic_store(&late, 3);
    if (atomic_exchange(&starts, 0) != 1)
        atomic_store(&late, 4);
    return VSDK_STOP_DONE;
}

/* A thread that dawdles wherever it gives a lock back, and one that stays there. */
static _Thread_local int dawdles, stays, stays_after; /* so many unlocks */
static _Atomic unsigned may_move, has_stayed;
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    int result = __real_pthread_mutex_unlock(lock);

    if (dawdles)
        puppet_nap();
    if (stays_after && !--stays_after) {
        stays = 1;
        atomic_store(&has_stayed, 1);
    }
    while (stays && !atomic_load(&may_move))
        puppet_nap();
    return result;
}

/* And before each callback. */
void __real_callback_enter(callback_frame *frame);
void __wrap_callback_enter(callback_frame *frame);

void __wrap_callback_enter(callback_frame *frame)
{
    if (dawdles)
        puppet_nap();
    __real_callback_enter(frame);
}

static void *pause_often(void *argument)
{
    vsdk_vm *vm = argument;

    dawdles = 1;
    for (unsigned i = 0; i < 50; i++) {
        vsdk_vm_pause(vm, 0, VSDK_FOREVER, NULL);
        vsdk_vm_resume(vm, NULL);
    }
    atomic_store(&pauses_over, 1);
    return NULL;
}

static void no_callback_begins_after_detach(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .start = checked_start, .stop = checked_stop};
    pthread_t thread;
    rig r;

    rig_open(&r, idle, &ops);
    atomic_store(&attached, 1);
    atomic_store(&late, 0);
    atomic_store(&pauses_over, 0);
    vsdk_vm_resume(r.vm, NULL);
    pthread_create(&thread, NULL, pause_often, r.vm);
    while (!atomic_load(&pauses_over)) {
        puppet_nap();
        vsdk_device_detach(r.device, NULL);
        atomic_store(&attached, 0);
        atomic_store(&starts, 0); /* it is not told: who detaches knows */
        puppet_nap();
        atomic_store(&attached, 1);
        vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    }
    pthread_join(thread, NULL);
    if (atomic_load(&late))
        printf("# late: %u\n", atomic_load(&late));
    tap(!atomic_load(&late), "no start or stop begins after a detach; they come in turn");
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&starts) == 1, "at last it is started");
    rig_close(&r);
}

static _Atomic unsigned detaches_over;

static void *detach_slowly(void *argument)
{
    rig *r = argument;

    /* Listing the wait, taking the ranges, ending the sources, and then when nobody is inside. */
    stays_after = 4;
    vsdk_device_detach(r->device, NULL);
    atomic_store(&detaches_over, 1);
    return NULL;
}

/* Two threads detach, one of them is fast and attaches the device again. */
static void a_late_detach_forgets_no_new_start(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .start = on_start, .stop = on_stop};
    pthread_t slow;
    rig r;

    rig_open(&r, idle, &ops);
    atomic_store(&may_move, 0);
    atomic_store(&has_stayed, 0);
    atomic_store(&detaches_over, 0);
    vsdk_vm_resume(r.vm, NULL);
    pthread_create(&slow, NULL, detach_slowly, &r);
    PUPPET_WAIT(atomic_load(&has_stayed));
    vsdk_device_detach(r.device, NULL);
    vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    atomic_store(&may_move, 1);
    pthread_join(slow, NULL);
    tap(atomic_load(&detaches_over) && atomic_load(&starts) == 2 &&
            atomic_load(&r.device->phase) == DEVICE_STARTED,
        "a device that is attached again during a late detach starts once");
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    tap(atomic_load(&stops) == 1, "and hears of the next stop");
    rig_close(&r);
}

static uint64_t five(void *user, vsdk_device *device, const vsdk_access *access)
{
    return 5;
}

static enum puppet_act read_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_READ, PORT - 1, 0);
    return PUPPET_EXIT;
}

/* An access of three parts: nobody's, the device's, a tagged range's. */
static void parts_of_an_access_go_to_whom_they_belong(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .read = five};
    vsdk_vcpu_counters counters = {.size = sizeof counters};
    vsdk_exit *exit;
    rig r;

    rig_open(&r, read_once, &ops);
    vsdk_device_detach(r.device, NULL);
    vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT, 1, 1, NULL);
    vsdk_vm_add_range(r.vm, VSDK_SPACE_PIO, PORT + 1, 1, 77, NULL);
    exit = vsdk_vcpu_record(r.vcpu);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    exit->value = 4;
    atomic_store(&puppet_fragments, 2);
    tap(!vsdk_vcpu_complete(r.vcpu, NULL) && puppet_answer(r.vcpu) == 5,
        "complete gives the next part to its device");
    tap(exit->reason == VSDK_EXIT_PIO && exit->address == PORT + 1 && exit->tag == 77,
        "and shows the next with its tag");
    vsdk_vcpu_get_counters(r.vcpu, &counters, NULL);
    tap(counters.exits == 3 && counters.pio == 3 && counters.claimed == 1, "all are counted");
    exit->value = 6;
    tap(!vsdk_vcpu_complete(r.vcpu, NULL) && puppet_answer(r.vcpu) == 6 &&
            exit->reason == VSDK_EXIT_NONE,
        "the last is finished");
    rig_close(&r);
}

static void a_device_moves_in_a_pause(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .start = on_start, .stop = on_stop};
    rig r;

    rig_open(&r, idle, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_device_detach(r.device, NULL);
    vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT + 16, 8, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&stops) == 1 && atomic_load(&starts) == 2,
        "a device that is moved in a pause starts after it");
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_device_detach(r.device, NULL);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&starts) == 2, "one without a range does not");
    vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    tap(atomic_load(&starts) == 3, "but with its first one");
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&stops) == 3 && atomic_load(&starts) == 4, "and is told of the next pause");
    rig_close(&r);
}

static enum puppet_act write_twice(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1) > 1)
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT, 7);
    return PUPPET_EXIT;
}

/* The first waits, the second resumes. */
static void waiting_or_resuming_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    rig *r = user;

    atomic_store(&in_callback, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
    if (atomic_load(&writes))
        vsdk_vm_resume(r->vm, NULL);
    atomic_fetch_add(&writes, 1);
}

static void *slow_pause(void *argument)
{
    stays = 1;
    return (void *)(intptr_t)vsdk_vm_pause(argument, 0, VSDK_FOREVER, NULL);
}

static void *run_once(void *argument)
{
    return (void *)(intptr_t)vsdk_vcpu_run(argument, VSDK_FOREVER, NULL);
}

static uint32_t pausers(vsdk_vm *vm)
{
    lock_take(&vm->life.lock);
    uint32_t n = vm->life.pausers;
    lock_give(&vm->life.lock);
    return n;
}

/* The thread that paused learns of it when the guest runs again and a callback has resumed that. */
static void a_resume_is_for_no_later_pause(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = waiting_or_resuming_write};
    pthread_t runner, other;
    void *status;
    rig r;

    rig_open(&r, write_twice, &ops);
    atomic_store(&writes, 0);
    atomic_store(&may_move, 0);
    vsdk_vm_resume(r.vm, NULL);
    pthread_create(&runner, NULL, run_once, r.vcpu);
    PUPPET_WAIT(atomic_load(&in_callback));
    pthread_create(&other, NULL, slow_pause, r.vm);
    PUPPET_WAIT(pausers(r.vm));
    atomic_store(&go_on, 1);
    PUPPET_WAIT(puppet_state(r.vm) == VSDK_VM_PAUSED);
    vsdk_vm_resume(r.vm, NULL);
    tap(PUPPET_WAIT(atomic_load(&writes) == 2) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "a callback resumes a guest that runs");
    atomic_store(&may_move, 1);
    pthread_join(other, &status);
    tap(!status && !vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL) &&
            puppet_state(r.vm) == VSDK_VM_PAUSED,
        "that is no resume after the next pause");
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_kick(r.vcpu, NULL);
    pthread_join(runner, NULL);
    rig_close(&r);
}

static vsdk_device *other_device;
static _Atomic unsigned has_range, has_entered;
static vsdk_status attach_status, enter_status;

static unsigned threads_at(vsdk_device *device)
{
    return atomic_load(&device->count) & DEVICE_THREADS;
}

/* In a callback of the first device: the other one gets its first range, while a thread that is in
 * the other one waits for this one. */
static void attaching_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_store(&in_callback, 1);
    PUPPET_WAIT(threads_at(device) == 2);
    attach_status = vsdk_device_add_range(other_device, VSDK_SPACE_PIO, PORT + 16, 8, 1, NULL);
    atomic_store(&has_range, 1);
}

static void enter_the_first(rig *r)
{
    enter_status = vsdk_device_enter(r->device, NULL);
    if (!enter_status)
        vsdk_device_leave(r->device);
    atomic_store(&has_entered, 1);
}

static void entering_work(void *user, vsdk_work *work)
{
    enter_the_first(user);
}

static void entering_start(void *user, vsdk_device *device)
{
    enter_the_first(user);
}

static void no_work(void *user, vsdk_work *work)
{
}

static void *dispatch_once(void *argument)
{
    vsdk_loop_dispatch(argument, VSDK_FOREVER, NULL, NULL);
    return NULL;
}

static void a_first_range_closes_no_circle(int in_start)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = attaching_write};
    const vsdk_device_ops other_ops = {.size = sizeof ops,
                                       .start = in_start ? entering_start : NULL};
    pthread_t runner, dispatcher;
    vsdk_work *work;
    rig r;

    rig_open(&r, write_device, &ops);
    atomic_store(&has_range, 0);
    atomic_store(&has_entered, 0);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_device_create(r.vm, &other_ops, &r, NULL, &other_device, NULL);
    vsdk_loop *loop = vsdk_vm_loop(r.vm, NULL);
    vsdk_work_create(loop, other_device, in_start ? no_work : entering_work, &r, NULL, &work, NULL);
    pthread_create(&runner, NULL, run_once, r.vcpu);
    PUPPET_WAIT(atomic_load(&in_callback));
    vsdk_work_post(work, NULL);
    pthread_create(&dispatcher, NULL, dispatch_once, loop);
    int over = PUPPET_WAIT(atomic_load(&has_range) && atomic_load(&has_entered));
    tap(over && !attach_status && !enter_status,
        "a first range that is given in a callback waits for nobody who waits for that, %s",
        in_start ? "in a start" : "in work");
    if (!over) /* the threads wait for ever */
        exit(tap_end());
    pthread_join(dispatcher, NULL);
    vsdk_vcpu_kick(r.vcpu, NULL);
    pthread_join(runner, NULL);
    vsdk_work_close(work);
    vsdk_device_close(other_device);
    rig_close(&r);
}

static void stopping_start(void *user, vsdk_device *device)
{
    rig *r = user;

    if (atomic_fetch_add(&starts, 1))
        vsdk_vm_stop(r->vm, VSDK_EXIT_STOP, 0, 0, NULL);
}

static void on_ready(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
}

static void nothing_fires_after_an_end_inside_a_resume(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .start = stopping_start, .stop = on_stop};
    int ready = eventfd(1, EFD_CLOEXEC);
    vsdk_watch *watch = NULL;
    uint32_t running = 0, ended = 0;
    vsdk_loop *loop;
    rig r;

    rig_open(&r, idle, &ops);
    loop = vsdk_vm_loop(r.vm, NULL);
    vsdk_watch_create(loop, r.device, ready, VSDK_LOOP_READ, on_ready, NULL, NULL, &watch, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_loop_dispatch(loop, 0, &running, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_loop_dispatch(loop, 0, &ended, NULL);
    tap(running == 1 && !ended && puppet_state(r.vm) == VSDK_VM_STOPPED && atomic_load(&stops) == 2,
        "a guest that is stopped inside a resume has ended for its devices too");
    vsdk_watch_close(watch);
    close(ready);
    rig_close(&r);
}

int main(void)
{
    parts_of_an_access_go_to_whom_they_belong();
    no_callback_begins_after_detach();
    a_late_detach_forgets_no_new_start();
    a_pause_waits_for_a_locked_device();
    leaving_makes_no_pause();
    a_device_is_called_while_a_pause_settles();
    a_run_waits_while_a_pause_settles();
    a_stopped_device_is_not_called_to_settle();
    registers_are_there_in_a_pause();
    entering_is_refused(0);
    entering_is_refused(VSDK_DEVICE_CONCURRENT);
    two_devices_in_a_circle();
    a_resume_inside_withdraws();
    a_device_moves_in_a_pause();
    a_resume_is_for_no_later_pause();
    nothing_fires_after_an_end_inside_a_resume();
    a_first_range_closes_no_circle(0);
    a_first_range_closes_no_circle(1);
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
