/* SPDX-License-Identifier: Apache-2.0 */
/* An access whose device does not serve yet waits inside run: it sleeps, and kicks, the deadline
 * and a detach end that as they end any run. And what an embedder gets of an access whose device
 * goes in its midst. */
#include "../contract/tap.h"
#include "base/sys.h"
#include "core/device.h"
#include "puppet.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { PORT = 0x100, ELEMENTS = 6 };

typedef struct rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_device *device;
    pthread_t attacher;
} rig;

static const char *label;
static _Atomic unsigned turn, starting, go_on, accesses;

static enum puppet_act write_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT, 7);
    return PUPPET_EXIT;
}

static void slow_start(void *user, vsdk_device *device)
{
    atomic_store(&starting, 1);
    while (!atomic_load(&go_on))
        puppet_nap();
}

static void on_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_fetch_add(&accesses, 1);
}

static void *attach_it(void *argument)
{
    rig *r = argument;

    vsdk_device_add_range(r->device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    return NULL;
}

/* A device is attached in RUNNING, and its start takes long. */
static void rig_open(rig *r, int autonomous, uint32_t flags)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .start = slow_start, .write = on_write};
    const vsdk_device_config config = {.size = sizeof config, .flags = flags};

    label = autonomous ? "autonomous" : "driven";
    puppet_script = write_once;
    atomic_store(&turn, 0);
    atomic_store(&starting, 0);
    atomic_store(&go_on, 0);
    atomic_store(&accesses, 0);
    memset(r, 0, sizeof *r);
    r->host = puppet_open(autonomous);
    r->vm = puppet_vm(r->host, 1, &r->vcpu);
    vsdk_vm_resume(r->vm, NULL);
    vsdk_device_create(r->vm, &ops, r, &config, &r->device, NULL);
    pthread_create(&r->attacher, NULL, attach_it, r);
    PUPPET_WAIT(atomic_load(&starting));
}

static void rig_close(rig *r)
{
    vsdk_device_close(r->device);
    puppet_close(r->host, r->vm, r->vcpu);
}

typedef struct run_thread {
    pthread_t thread;
    vsdk_vcpu *vcpu;
    uint64_t timeout_ns;
    _Atomic unsigned done;
} run_thread;

static void *run_it(void *argument)
{
    run_thread *t = argument;

    vsdk_vcpu_run(t->vcpu, t->timeout_ns, NULL);
    atomic_store(&t->done, 1);
    return NULL;
}

static void run_start(run_thread *t, rig *r, uint64_t timeout_ns)
{
    *t = (run_thread){.vcpu = r->vcpu, .timeout_ns = timeout_ns};
    pthread_create(&t->thread, NULL, run_it, t);
}

static int ends_with(run_thread *t, uint64_t detail)
{
    const vsdk_exit *exit = vsdk_vcpu_record(t->vcpu);

    if (!PUPPET_WAIT(atomic_load(&t->done)))
        return 0;
    pthread_join(t->thread, NULL);
    return exit->reason == VSDK_EXIT_KICKED && exit->detail == detail;
}

static void ignore(int number)
{
}

static void an_access_waits_for_a_start(int autonomous, uint32_t flags)
{
    struct sigaction action = {.sa_handler = ignore}, before;
    static run_thread t[4];
    rig r;

    rig_open(&r, autonomous, flags);
    run_start(&t[0], &r, 2000000);
    int ended = ends_with(&t[0], VSDK_KICK_DEADLINE);
    tap(ended, "%s: a run whose access waits for a start ends by its deadline", label);
    if (!ended) { /* else the next ones hang */
        atomic_store(&go_on, 1);
        pthread_join(r.attacher, NULL);
        rig_close(&r);
        return;
    }
    run_start(&t[1], &r, VSDK_FOREVER);
    tap(PUPPET_WAIT((atomic_load(&r.vcpu->place)) == PLACE_WAIT), "%s: it sleeps meanwhile", label);
    vsdk_vcpu_kick(r.vcpu, NULL);
    tap(ends_with(&t[1], VSDK_KICK_REQUEST), "%s: a kick ends it", label);
    sigaction(SIGUSR1, &action, &before);
    run_start(&t[2], &r, VSDK_FOREVER);
    for (unsigned i = 0; i < 1000 && !atomic_load(&t[2].done); i++) {
        pthread_kill(t[2].thread, SIGUSR1);
        puppet_nap();
    }
    tap(ends_with(&t[2], VSDK_KICK_SIGNAL), "%s: so does a signal", label);
    sigaction(SIGUSR1, &before, NULL);
    run_start(&t[3], &r, VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&r.vcpu->place) == PLACE_WAIT);
    tap(!atomic_load(&accesses), "%s: the device is not called before it has started", label);
    atomic_store(&go_on, 1);
    tap(PUPPET_WAIT(atomic_load(&accesses) == 1), "%s: but then", label);
    vsdk_vcpu_kick(r.vcpu, NULL);
    ends_with(&t[3], VSDK_KICK_REQUEST);
    pthread_join(r.attacher, NULL);
    rig_close(&r);
}

/* The range goes while the access waits: it is the embedder's. */
static void an_access_whose_range_goes(int autonomous)
{
    static run_thread t;
    rig r;

    rig_open(&r, autonomous, 0);
    run_start(&t, &r, VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&r.vcpu->place) == PLACE_WAIT);
    vsdk_device_remove_range(r.device, VSDK_SPACE_PIO, PORT, NULL);
    tap(PUPPET_WAIT(atomic_load(&t.done)) && vsdk_vcpu_record(r.vcpu)->reason == VSDK_EXIT_PIO &&
            vsdk_vcpu_record(r.vcpu)->address == PORT,
        "%s: an access whose range goes while it waits is the embedder's", label);
    atomic_store(&go_on, 1);
    pthread_join(t.thread, NULL);
    pthread_join(r.attacher, NULL);
    rig_close(&r);
}

/* The words of a vCPU that is about to sleep, and has looked at everything before. */
static _Atomic(_Atomic uint32_t *) watched;
static _Atomic unsigned looked, may_sleep;

int __real_sys_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns);
int __wrap_sys_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns);

int __wrap_sys_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    _Atomic uint32_t *wanted = word;

    if (atomic_compare_exchange_strong(&watched, &wanted, NULL)) {
        atomic_store(&looked, 1);
        PUPPET_WAIT(atomic_load(&may_sleep));
    }
    return __real_sys_futex_wait(word, value, deadline_ns);
}

/* The device starts between the last look and the sleep, and so does a pause that is taken back. */
static void a_start_is_not_hidden_by_a_pause(int autonomous)
{
    static run_thread t;
    rig r;

    rig_open(&r, autonomous, 0);
    atomic_store(&looked, 0);
    atomic_store(&may_sleep, 0);
    atomic_store(&watched, &r.vcpu->backend.requests);
    run_start(&t, &r, VSDK_FOREVER);
    PUPPET_WAIT(atomic_load(&looked));
    atomic_store(&go_on, 1);
    pthread_join(r.attacher, NULL);
    vsdk_vm_pause_request(r.vm, NULL);
    vsdk_vm_resume(r.vm, NULL);
    atomic_store(&may_sleep, 1);
    tap(PUPPET_WAIT(atomic_load(&accesses) == 1),
        "%s: a pause that comes and goes hides no start from who waits for it", label);
    vsdk_vcpu_kick(r.vcpu, NULL);
    pthread_join(t.thread, NULL);
    rig_close(&r);
}

static uint8_t elements[ELEMENTS] = {1, 2, 3, 4, 5, 6};
static uint64_t sum;

static enum puppet_act write_string_once(backend_vcpu *vcpu, vsdk_exit *exit)
{
    if (atomic_fetch_add(&turn, 1))
        return PUPPET_IDLE;
    puppet_pio(exit, VSDK_DIRECTION_WRITE, PORT, 0);
    exit->count = ELEMENTS;
    exit->data = (uintptr_t)elements;
    return PUPPET_EXIT;
}

/* With the second element it has enough. */
static void kicking_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    sum += access->value;
    if (access->value == 2)
        vsdk_vcpu_kick(access->vcpu, NULL);
}

/* The device goes between two elements of one access. */
static void an_access_whose_device_goes_in_its_midst(int autonomous)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = kicking_write};
    rig r = {.host = puppet_open(autonomous)};

    label = autonomous ? "autonomous" : "driven";
    puppet_script = write_string_once;
    atomic_store(&turn, 0);
    sum = 0;
    r.vm = puppet_vm(r.host, 1, &r.vcpu);
    vsdk_device_create(r.vm, &ops, NULL, NULL, &r.device, NULL);
    vsdk_device_add_range(r.device, VSDK_SPACE_PIO, PORT, 8, 1, NULL);
    vsdk_vm_resume(r.vm, NULL);
    const vsdk_exit *exit = vsdk_vcpu_record(r.vcpu);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    tap(exit->reason == VSDK_EXIT_KICKED && sum == 3, "%s: a kick between two elements", label);
    vsdk_device_detach(r.device, NULL);
    vsdk_vcpu_run(r.vcpu, VSDK_FOREVER, NULL);
    tap(exit->reason == VSDK_EXIT_PIO && exit->count == ELEMENTS && exit->detail == 2 && sum == 3,
        "%s: the record says how many a device that went has answered", label);
    rig_close(&r);
}

int main(void)
{
    for (int autonomous = 0; autonomous < 2; autonomous++) {
        an_access_waits_for_a_start(autonomous, 0);
        an_access_waits_for_a_start(autonomous, VSDK_DEVICE_CONCURRENT);
        an_access_whose_range_goes(autonomous);
        a_start_is_not_hidden_by_a_pause(autonomous);
        an_access_whose_device_goes_in_its_midst(autonomous);
    }
    tap(!atomic_load(&puppet_breaches), "the core kept the rules of the operations table");
    tap(!atomic_load(&puppet_alive), "everything was given back");
    return tap_end();
}
