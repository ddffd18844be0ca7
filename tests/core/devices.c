/* Devices whose callbacks, locks and ends meet a pause on other threads. */
#include "../contract/tap.h"
#include "core/object.h"
#include "puppet.h"
#include <pthread.h>
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

static _Atomic unsigned paused, resumed, in_callback, go_on, turn;

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static void on_pause(void *user)
{
    atomic_fetch_add(&paused, 1);
}

static void on_resume(void *user)
{
    atomic_fetch_add(&resumed, 1);
}

static void rig_open(rig *r, puppet_script_fn script, const vsdk_device_ops *ops)
{
    puppet_script = script;
    atomic_store(&paused, 0);
    atomic_store(&resumed, 0);
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
    vsdk_vcpu_close(r->vcpu);
    vsdk_vm_close(r->vm);
    vsdk_host_close(r->host);
}

static vsdk_vm_state state_of(const rig *r)
{
    vsdk_vm_info info = {.size = sizeof info};

    return vsdk_vm_get_info(r->vm, &info, NULL) ? 99 : info.state;
}

static void waiting_line(void *user, uint32_t gsi, uint32_t level)
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

static void a_pause_waits_for_a_locked_device(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .pause = on_pause};
    pthread_t thread;
    rig r;
    int busy = 1;

    rig_open(&r, idle, &ops);
    vsdk_irq_controller_attach(r.vm, LINE, 1, waiting_line, NULL, NULL, NULL);
    vsdk_irq_create(r.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = LINE}, &r.irq,
                    NULL);
    vsdk_vm_resume(r.vm, NULL);
    pthread_create(&thread, NULL, locked_raise, &r);
    PUPPET_WAIT(atomic_load(&in_callback));
    tap(!vsdk_vm_pause_request(r.vm, NULL) && state_of(&r) == VSDK_VM_RUNNING,
        "a pause waits for a line's callback");
    atomic_store(&go_on, 1);
    tap(PUPPET_WAIT(atomic_load(&locked_over)), "an interrupt raised under a device's lock");
    pthread_join(thread, NULL);
    tap(state_of(&r) == VSDK_VM_PAUSED && atomic_load(&paused) == 1,
        "the pause is taken when the lock is free");
    for (unsigned i = 1; i < 6; i++)
        busy &= under_lock[i] == VSDK_ERROR_BUSY;
    tap(!under_lock[0] && busy, "what would wait for the lock is BUSY under it");
    rig_close(&r);
}

static enum puppet_act write_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT - 1, 7);
    return PUPPET_EXIT;
}

static _Atomic unsigned resumed_inside, drain_over;
static int pauses_last;

static void resuming_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    rig *r = user;

    atomic_store(&resumed_inside, !vsdk_vm_resume(r->vm, NULL));
    if (pauses_last)
        vsdk_vm_pause_request(r->vm, NULL);
}

static void *drain(void *argument)
{
    rig *r = argument;
    vsdk_status status = vsdk_vm_pause(r->vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL);

    atomic_store(&drain_over, 1);
    return (void *)(intptr_t)status;
}

/* The first part of the access is nobody's, the next the device's. */
static void a_device_resumes_inside_a_drain(int last)
{
    const vsdk_device_ops ops = {
        .size = sizeof ops, .write = resuming_write, .pause = on_pause, .resume = on_resume};
    pthread_t thread;
    void *status;
    rig r;

    pauses_last = last;
    atomic_store(&drain_over, 0);
    rig_open(&r, write_once, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    atomic_store(&puppet_fragments, 1);
    pthread_create(&thread, NULL, drain, &r);
    tap(PUPPET_WAIT(atomic_load(&drain_over)) && atomic_load(&resumed_inside),
        "a device's callback inside a drain resumes");
    pthread_join(thread, &status);
    tap(!status && state_of(&r) == (last ? VSDK_VM_PAUSED : VSDK_VM_RUNNING) &&
            atomic_load(&resumed) == !last,
        last ? "and a pause that it asks for then counts"
             : "and it takes effect after the callback");
    rig_close(&r);
}

static void quiet_line(void *user, uint32_t gsi, uint32_t level)
{
}

static void resuming_and_waiting_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    resuming_write(user, access->region, access->offset, access->width, access->value);
    atomic_store(&in_callback, 1);
    PUPPET_WAIT(atomic_load(&go_on));
}

/* The end of another thread's callback is not that of the one that resumes. */
static void a_resume_waits_for_the_callback_that_asked(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = resuming_and_waiting_write};
    pthread_t thread;
    rig r;

    pauses_last = 0;
    rig_open(&r, write_once, &ops);
    vsdk_irq_controller_attach(r.vm, LINE, 1, quiet_line, NULL, NULL, NULL);
    vsdk_irq_create(r.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = LINE}, &r.irq,
                    NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    atomic_store(&puppet_fragments, 1);
    pthread_create(&thread, NULL, drain, &r);
    PUPPET_WAIT(atomic_load(&in_callback));
    vsdk_irq_pulse(r.irq, NULL);
    tap(state_of(&r) == VSDK_VM_PAUSED, "a resume waits for the callback that asked for it");
    atomic_store(&go_on, 1);
    pthread_join(thread, NULL);
    tap(state_of(&r) == VSDK_VM_RUNNING, "and is taken after it");
    rig_close(&r);
}

static void *locked_resume(void *argument)
{
    rig *r = argument;

    vsdk_device_enter(r->device, NULL);
    under_lock[0] = vsdk_vm_resume(r->vm, NULL);
    under_lock[1] = state_of(r);
    vsdk_device_leave(r->device);
    atomic_store(&locked_over, 1);
    return NULL;
}

static void a_resume_under_a_lock_waits_for_the_unlock(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .resume = on_resume};
    pthread_t thread;
    rig r;

    rig_open(&r, idle, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    atomic_store(&locked_over, 0);
    pthread_create(&thread, NULL, locked_resume, &r);
    tap(PUPPET_WAIT(atomic_load(&locked_over)) && !under_lock[0] &&
            under_lock[1] == VSDK_VM_PAUSED && state_of(&r) == VSDK_VM_RUNNING &&
            atomic_load(&resumed) == 1,
        "a resume under a device's lock is taken by the unlock");
    pthread_join(thread, NULL);
    rig_close(&r);
}

static _Atomic unsigned attached, late, pauses_over;

static void checked_event(void *user)
{
    if (!atomic_load(&attached))
        atomic_store(&late, 1);
}

/* A thread that dawdles wherever it gives a lock back, and one that stays there. */
static _Thread_local int dawdles, stays;
static _Atomic unsigned may_move;
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    int result = __real_pthread_mutex_unlock(lock);

    if (dawdles)
        puppet_nap();
    while (stays && !atomic_load(&may_move))
        puppet_nap();
    return result;
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
    const vsdk_device_ops ops = {
        .size = sizeof ops, .pause = checked_event, .resume = checked_event};
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
        puppet_nap();
        atomic_store(&attached, 1);
        vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    }
    pthread_join(thread, NULL);
    tap(!atomic_load(&late), "no pause or resume callback begins after a detach");
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
    const vsdk_device_ops ops = {.size = sizeof ops, .pause = on_pause, .resume = on_resume};
    rig r;

    rig_open(&r, idle, &ops);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_device_detach(r.device, NULL);
    vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT + 16, 8, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&paused) == 1 && atomic_load(&resumed) == 1,
        "a device that is moved in a pause is told of its end");
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_device_detach(r.device, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&paused) == 3 && atomic_load(&resumed) == 2,
        "one that comes back after it is told of the next");
    rig_close(&r);
}

static enum puppet_act write_twice(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1) > 1)
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT, 7);
    return PUPPET_EXIT;
}

static _Atomic unsigned writes;

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
    pthread_mutex_lock(&vm->lock);
    uint32_t n = vm->pausers;
    pthread_mutex_unlock(&vm->lock);
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
    PUPPET_WAIT(state_of(&r) == VSDK_VM_PAUSED);
    vsdk_vm_resume(r.vm, NULL);
    tap(PUPPET_WAIT(atomic_load(&writes) == 2) && state_of(&r) == VSDK_VM_RUNNING,
        "a callback resumes a guest that runs");
    atomic_store(&may_move, 1);
    pthread_join(other, &status);
    tap(!status && !vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL) && state_of(&r) == VSDK_VM_PAUSED,
        "that is no resume after the next pause");
    vsdk_vm_resume(r.vm, NULL);
    vsdk_vcpu_kick(r.vcpu, NULL);
    pthread_join(runner, NULL);
    rig_close(&r);
}

static void stopping_event(void *user)
{
    rig *r = user;

    vsdk_vm_stop(r->vm, VSDK_EXIT_STOP, 0, 0, NULL);
}

static void on_ready(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
}

static void nothing_fires_after_an_end_inside_a_resume(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .resume = stopping_event};
    int ready = eventfd(1, EFD_CLOEXEC);
    vsdk_watch *watch = NULL;
    uint32_t running = 0, ended = 0;
    vsdk_loop *loop;
    rig r;

    rig_open(&r, idle, &ops);
    vsdk_vm_get_loop(r.vm, &loop, NULL);
    vsdk_watch_create(loop, r.device, ready, VSDK_LOOP_READ, on_ready, NULL, NULL, &watch, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_loop_dispatch(loop, 0, &running, NULL);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    vsdk_vm_resume(r.vm, NULL);
    vsdk_loop_dispatch(loop, 0, &ended, NULL);
    tap(running == 1 && !ended && state_of(&r) == VSDK_VM_STOPPED,
        "a guest that is stopped inside a resume has ended for its devices too");
    vsdk_watch_close(watch);
    close(ready);
    rig_close(&r);
}

int main(void)
{
    parts_of_an_access_go_to_whom_they_belong();
    no_callback_begins_after_detach();
    a_pause_waits_for_a_locked_device();
    a_device_resumes_inside_a_drain(0);
    a_device_resumes_inside_a_drain(1);
    a_resume_waits_for_the_callback_that_asked();
    a_resume_under_a_lock_waits_for_the_unlock();
    a_device_moves_in_a_pause();
    a_resume_is_for_no_later_pause();
    nothing_fires_after_an_end_inside_a_resume();
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
