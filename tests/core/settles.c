/* SPDX-License-Identifier: Apache-2.0 */
/* A pause that settles where other threads move meanwhile: each access is finished once, by whoever
 * comes first, and nobody is told that a thread is inside run who only met another pause. */
#include "../contract/tap.h"
#include "core/life_wait.h"
#include "puppet.h"
#include <pthread.h>
#include <string.h>

enum { PORT_DEVICE = 0x100, PORT_FREE = 0x200, ANSWER = 0x22 };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpus[2];
    vsdk_device *device;
} rig;

static _Atomic unsigned turn[2], arrived, go_on;
static const char *label;

/* vCPU 0 reads a port of nobody's once, vCPU 1 writes to the device once. */
static enum puppet_act access_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn[vcpu->index], 1))
        return PUPPET_IDLE;
    if (vcpu->index)
        puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT_DEVICE, 7);
    else
        puppet_pio(exit, VSDK_DIRECTION_READ, PORT_FREE, 0);
    return PUPPET_EXIT;
}

static void waiting_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_store(&arrived, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
}

/* RUNNING; vCPU 0 stands at an access that the embedder has answered in the record. */
static void rig_open(rig *r, int autonomous)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = waiting_write};

    label = autonomous ? "autonomous" : "driven";
    puppet_script = access_once;
    atomic_store(&turn[0], 0);
    atomic_store(&turn[1], 0);
    atomic_store(&arrived, 0);
    atomic_store(&go_on, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(autonomous);
    r->vm = puppet_vm(r->host, 2, r->vcpus);
    vsdk_device_create(r->vm, &ops, NULL, NULL, &r->device, NULL);
    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT_DEVICE, 8, 1, NULL);
    vsdk_vm_resume(r->vm, NULL);
    vsdk_vcpu_run(r->vcpus[0], VSDK_FOREVER, NULL);
    vsdk_vcpu_record(r->vcpus[0])->value = ANSWER;
}

static void rig_close(rig *r)
{
    puppet_entering = puppet_completing = NULL;
    vsdk_device_close(r->device);
    vsdk_vcpu_close(r->vcpus[1]);
    puppet_close(r->host, r->vm, r->vcpus[0]);
}

typedef struct call {
    pthread_t thread;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_status status;
    _Atomic unsigned done;
} call;

static void *run(void *argument)
{
    call *c = argument;

    c->status = vsdk_vcpu_run(c->vcpu, VSDK_FOREVER, NULL);
    atomic_store(&c->done, 1);
    return NULL;
}

static void *settle(void *argument)
{
    call *c = argument;

    c->status = vsdk_vm_pause(c->vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL);
    atomic_store(&c->done, 1);
    return NULL;
}

static void start(call *c, void *(*fn)(void *), rig *r, unsigned vcpu)
{
    memset(c, 0, sizeof *c);
    c->vm = r->vm;
    c->vcpu = r->vcpus[vcpu];
    pthread_create(&c->thread, NULL, fn, c);
}

static int place_is(vsdk_vcpu *vcpu, uint32_t place)
{
    return atomic_load(&vcpu->place) == place;
}

static vsdk_vm *watched;

static int somebody_waits(void)
{
    return atomic_load(&watched->life.waiters) != 0;
}

static void stay_outside(backend_vcpu *vcpu)
{
    if (vcpu->index != 1)
        return;
    atomic_store(&arrived, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
}

/* In PAUSED a thread that comes into run moves for a moment, until it parks. */
static void while_another_vcpu_moves(int autonomous)
{
    call runner, pauser;
    rig r;

    rig_open(&r, autonomous);
    vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    puppet_entering = stay_outside;
    start(&runner, run, &r, 1);
    PUPPET_WAIT(atomic_load(&arrived));
    watched = r.vm;
    start(&pauser, settle, &r, 0);
    PUPPET_WAIT(atomic_load(&pauser.done) || somebody_waits());
    atomic_store(&go_on, 1);
    pthread_join(pauser.thread, NULL);
    tap(!pauser.status && puppet_answer(r.vcpus[0]) == ANSWER,
        "%s: settling in PAUSED finishes the access while another vCPU moves (%s)", label,
        vsdk_status_name(pauser.status));
    PUPPET_WAIT(place_is(r.vcpus[1], PLACE_PARKED));
    vsdk_vcpu_kick(r.vcpus[1], NULL);
    pthread_join(runner.thread, NULL);
    rig_close(&r);
}

/* The embedder has called run again, and a pause that does not settle came before it. */
static void after_a_request(int autonomous)
{
    call runners[2], pauser;
    rig r;

    rig_open(&r, autonomous);
    start(&runners[1], run, &r, 1);
    PUPPET_WAIT(atomic_load(&arrived));
    vsdk_vm_pause_request(r.vm, NULL);
    start(&runners[0], run, &r, 0);
    PUPPET_WAIT(place_is(r.vcpus[0], PLACE_PARKED));
    watched = r.vm;
    start(&pauser, settle, &r, 0);
    PUPPET_WAIT(somebody_waits());
    atomic_store(&go_on, 1);
    pthread_join(pauser.thread, NULL);
    tap(!pauser.status && puppet_answer(r.vcpus[0]) == ANSWER &&
            puppet_state(r.vm) == VSDK_VM_PAUSED,
        "%s: settling in RUNNING finishes the access of who waits inside run (%s)", label,
        vsdk_status_name(pauser.status));
    for (unsigned i = 0; i < 2; i++) {
        vsdk_vcpu_kick(r.vcpus[i], NULL);
        pthread_join(runners[i].thread, NULL);
    }
    rig_close(&r);
}

static _Atomic unsigned meets, ends, keeps, destroyed;
static call *second;

int __real_vcpu_keep_record(vsdk_vcpu *vcpu);
int __wrap_vcpu_keep_record(vsdk_vcpu *vcpu);

/* The first that is about to finish the access waits until the other pause is as far, or sleeps;
 * the second until the first has begun. */
int __wrap_vcpu_keep_record(vsdk_vcpu *vcpu)
{
    if (atomic_load(&ends)) {
        atomic_store(&arrived, 1);
        PUPPET_WAIT(atomic_load(&destroyed));
    } else if (atomic_load(&meets) && atomic_fetch_add(&keeps, 1) == 0) {
        atomic_store(&go_on, 1);
        PUPPET_WAIT(atomic_load(&keeps) == 2 || somebody_waits());
    } else if (atomic_load(&meets)) {
        PUPPET_WAIT(atomic_load(&arrived));
    }
    return __real_vcpu_keep_record(vcpu);
}

static void stay_until_the_second_is_over(backend_vcpu *vcpu)
{
    atomic_store(&arrived, 1);
    PUPPET_WAIT(atomic_load(&second->done) || somebody_waits());
}

static void two_at_once(int paused)
{
    call pausers[2];
    rig r;

    rig_open(&r, 0);
    if (paused)
        vsdk_vm_pause(r.vm, 0, VSDK_FOREVER, NULL);
    watched = r.vm;
    second = &pausers[1];
    puppet_completing = stay_until_the_second_is_over;
    atomic_store(&keeps, 0);
    atomic_store(&meets, 1);
    start(&pausers[0], settle, &r, 0);
    PUPPET_WAIT(atomic_load(&go_on));
    start(&pausers[1], settle, &r, 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(pausers[i].thread, NULL);
    atomic_store(&meets, 0);
    tap(!pausers[0].status && !pausers[1].status && puppet_answer(r.vcpus[0]) == ANSWER,
        "two pauses settle one access, %s (%s, %s)", paused ? "in PAUSED" : "in RUNNING",
        vsdk_status_name(pausers[0].status), vsdk_status_name(pausers[1].status));
    rig_close(&r);
}

/* The hypervisor's part has gone when the access is about to be finished. */
static void after_a_destroy(int autonomous)
{
    call pauser;
    rig r;

    rig_open(&r, autonomous);
    atomic_store(&destroyed, 0);
    atomic_store(&ends, 1);
    start(&pauser, settle, &r, 0);
    PUPPET_WAIT(atomic_load(&arrived));
    vsdk_vm_destroy(r.vm, NULL);
    atomic_store(&destroyed, 1);
    pthread_join(pauser.thread, NULL);
    atomic_store(&ends, 0);
    tap(pauser.status == VSDK_ERROR_GONE, "%s: a pause that settles meets a destroy (%s)", label,
        vsdk_status_name(pauser.status));
    rig_close(&r);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        while_another_vcpu_moves(autonomous);
        after_a_request(autonomous);
        after_a_destroy(autonomous);
    }
    two_at_once(0);
    two_at_once(1);
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
