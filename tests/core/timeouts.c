/* SPDX-License-Identifier: Apache-2.0 */
/* A pause waits for nobody longer than its time: not for a thread that is in a device, nor for a
 * callback of a loop. */
#include "../contract/tap.h"
#include "core/device.h"
#include "puppet.h"
#include <pthread.h>
#include <string.h>

enum { PORT = 0x100 };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_device *busy, *other;
    vsdk_work *work;
    vsdk_loop *loop;
} rig;

static const char *label;
static _Atomic unsigned inside, go_on;
static _Atomic unsigned starts[2], stops[2];

static enum puppet_act idle(backend_vcpu *vcpu, vsdk_exit *exit)
{
    return PUPPET_IDLE;
}

static void on_start(void *user, vsdk_device *device)
{
    atomic_fetch_add(&starts[*(int *)user], 1);
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    atomic_fetch_add(&stops[*(int *)user], 1);
    return VSDK_STOP_DONE;
}

static void stay(void)
{
    atomic_store(&inside, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
    atomic_store(&inside, 0);
}

static void staying_work(void *user, vsdk_work *work)
{
    stay();
}

static void *enter_it(void *argument)
{
    rig *r = argument;

    vsdk_device_enter(r->busy, NULL);
    stay();
    vsdk_device_leave(r->busy);
    return NULL;
}

static void *dispatch_it(void *argument)
{
    rig *r = argument;

    vsdk_work_post(r->work, NULL);
    vsdk_loop_dispatch(r->loop, VSDK_FOREVER, NULL, NULL);
    return NULL;
}

static void rig_open(rig *r, int autonomous, uint32_t flags)
{
    static int numbers[2] = {0, 1};
    static const vsdk_device_ops ops = {.size = sizeof ops, .start = on_start, .stop = on_stop};
    const vsdk_device_config config = {.size = sizeof config, .flags = flags};

    label = autonomous ? "autonomous" : "driven";
    puppet_script = idle;
    atomic_store(&inside, 0);
    atomic_store(&go_on, 0);
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&starts[i], 0);
        atomic_store(&stops[i], 0);
    }
    memset(r, 0, sizeof *r);
    r->host = puppet_open(autonomous);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    vsdk_device_create(r->vm, &ops, &numbers[1], NULL, &r->other, NULL);
    vsdk_device_add_range(r->other, VSDK_SPACE_PIO, PORT + 8, 8, 1, NULL);
    vsdk_device_create(r->vm, &ops, &numbers[0], &config, &r->busy, NULL);
    vsdk_device_add_range(r->busy, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    vsdk_loop_create(&r->loop, NULL);
    vsdk_work_create(r->loop, r->busy, staying_work, NULL, NULL, &r->work, NULL);
    vsdk_vm_resume(r->vm, NULL);
}

static void rig_close(rig *r)
{
    vsdk_work_close(r->work);
    vsdk_loop_close(r->loop);
    vsdk_device_close(r->busy);
    vsdk_device_close(r->other);
    puppet_close(r->host, r->vm, r->vcpu);
}

typedef struct call {
    rig *rig;
    uint64_t timeout_ns;
    vsdk_status status;
    _Atomic unsigned done;
} call;

static void *pause_it(void *argument)
{
    call *c = argument;

    c->status = vsdk_vm_pause(c->rig->vm, 0, c->timeout_ns, NULL);
    atomic_store(&c->done, 1);
    return NULL;
}

/* A pause without time, one with a little, one without end. */
static void a_device_is_busy(int autonomous, void *(*stays)(void *), uint32_t flags,
                             const char *who)
{
    static call c[2];
    pthread_t thread, pauser[2];
    rig r;

    rig_open(&r, autonomous, flags);
    pthread_create(&thread, NULL, stays, &r);
    PUPPET_WAIT(atomic_load(&inside));
    c[0] = (call){.rig = &r};
    c[1] = (call){.rig = &r, .timeout_ns = 2000000};
    for (unsigned i = 0; i < 2; i++) {
        pthread_create(&pauser[i], NULL, pause_it, &c[i]);
        int over = PUPPET_WAIT(atomic_load(&c[i].done));
        tap(over && c[i].status == VSDK_ERROR_TIMEOUT && puppet_state(r.vm) == VSDK_VM_RUNNING &&
                atomic_load(&inside),
            "%s: a pause of %u ms does not wait for %s", label, i * 2, who);
    }
    tap(atomic_load(&starts[0]) - atomic_load(&stops[0]) == 1 &&
            atomic_load(&starts[1]) - atomic_load(&stops[1]) == 1,
        "%s: devices that had stopped are started again", label);
    vsdk_error error;
    tap(vsdk_vcpu_run(r.vcpu, 1000000, &error) == VSDK_OK &&
            vsdk_vcpu_record(r.vcpu)->detail == VSDK_KICK_DEADLINE,
        "%s: the guest goes on", label);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(pauser[i], NULL);
    c[0] = (call){.rig = &r, .timeout_ns = VSDK_FOREVER};
    pthread_create(&pauser[0], NULL, pause_it, &c[0]);
    PUPPET_WAIT(atomic_load(&r.vm->life.waiters));
    tap(!atomic_load(&c[0].done) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "%s: one without end waits", label);
    atomic_store(&go_on, 1);
    pthread_join(pauser[0], NULL);
    pthread_join(thread, NULL);
    tap(!c[0].status && puppet_state(r.vm) == VSDK_VM_PAUSED &&
            atomic_load(&starts[0]) == atomic_load(&stops[0]),
        "%s: and comes to be when %s has ended", label, who);
    vsdk_vm_resume(r.vm, NULL);
    tap(atomic_load(&starts[0]) == atomic_load(&stops[0]) + 1, "%s: then all start", label);
    rig_close(&r);
}

static void *run_it(void *argument)
{
    rig *r = argument;

    return (void *)(intptr_t)vsdk_vcpu_run(r->vcpu, VSDK_FOREVER, NULL);
}

/* Nobody waits for the pause: a thread that waits inside run makes the rest of it. */
static void a_request_comes_to_be_when_a_device_is_left(int autonomous)
{
    pthread_t thread, runner;
    rig r;

    rig_open(&r, autonomous, 0);
    pthread_create(&thread, NULL, enter_it, &r);
    PUPPET_WAIT(atomic_load(&inside));
    pthread_create(&runner, NULL, run_it, &r);
    vsdk_vm_pause_request(r.vm, NULL);
    tap(PUPPET_WAIT(atomic_load(&stops[1])) && puppet_state(r.vm) == VSDK_VM_RUNNING,
        "%s: a request stops the devices that it can", label);
    tap(vsdk_device_enter(r.other, NULL) == VSDK_ERROR_STATE, "%s: they are not entered", label);
    atomic_store(&go_on, 1);
    tap(PUPPET_WAIT(puppet_state(r.vm) == VSDK_VM_PAUSED) && atomic_load(&stops[0]) == 1,
        "%s: and is made by who waits inside run when the last one is left", label);
    pthread_join(thread, NULL);
    vsdk_vcpu_kick(r.vcpu, NULL);
    pthread_join(runner, NULL);
    rig_close(&r);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        a_device_is_busy(autonomous, enter_it, 0, "a thread in a device");
        a_device_is_busy(autonomous, enter_it, VSDK_DEVICE_CONCURRENT, "one of several");
        a_device_is_busy(autonomous, dispatch_it, 0, "a callback of a loop");
        a_request_comes_to_be_when_a_device_is_left(autonomous);
    }
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
