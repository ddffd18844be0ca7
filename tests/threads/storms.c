/* SPDX-License-Identifier: Apache-2.0 */
/* What several threads may do at once to one virtual machine. Run under ThreadSanitizer too. */
#include "rig.h"
#include "storm.h"
#include <string.h>

static const struct sizes many = {
    .plain = {20000, 20000, 20000, 1000, 300},
    .sanitized = {2000, 2000, 2000, 200, 100},
};
static const struct sizes some = {
    .plain = {500, 500, 200, 40, 20},
    .sanitized = {100, 100, 60, 20, 10},
};

/* Two vCPUs on one device: its lock keeps them apart. The counts are plain on purpose. */
static void two_vcpus_on_one_device(void)
{
    vsdk_host *host = rig_host();
    struct storm storm;
    uint64_t wanted = rig_size(&many);

    storm_make(&storm, host, 2, 0);
    storm_attach(&storm);
    storm_run(&storm);
    rig_wait(&storm.reads, wanted, "accesses of two processors");
    rig_wait(&storm.writes, wanted, "accesses of two processors");
    must(vsdk_vm_pause(storm.rig.vm, 0, VSDK_FOREVER, E));
    check(storm.plain == atomic_load(&storm.reads) + atomic_load(&storm.writes),
          "%llu plainly counted", (unsigned long long)storm.plain);
    check(atomic_load(&storm.overlaps) == 0, "two callbacks at once");
    must(vsdk_vm_resume(storm.rig.vm, E));
    storm_end(&storm);
    vsdk_host_close(host);
}

static void two_vcpus_on_a_concurrent_device(void)
{
    vsdk_host *host = rig_host();
    struct storm storm;

    storm_make(&storm, host, 2, VSDK_DEVICE_CONCURRENT);
    storm_attach(&storm);
    storm_run(&storm);
    rig_wait(&storm.reads, rig_size(&many), "accesses of two processors");
    storm_end(&storm);
    vsdk_host_close(host);
}

/* After a detach no callback runs; before it they come. */
static void detach_during_dispatch(void)
{
    vsdk_host *host = rig_host();
    struct storm storm;
    uint32_t seed = rig_seed(10);

    storm_make(&storm, host, 2, 0);
    storm_run(&storm);
    for (uint32_t i = 0; i < rig_size(&some); i++) {
        uint64_t before = atomic_load(&storm.writes);

        storm_attach(&storm);
        check(atomic_load(&storm.started), "attached in RUNNING and not started");
        rig_wait(&storm.writes, before + 1 + rig_random(&seed, 4),
                 "accesses of an attached device");
        storm_detach(&storm);
        check(atomic_load(&storm.inside) == 0, "a callback runs after detach");
    }
    check(atomic_load(&storm.late) == 0, "%llu callbacks after detach",
          (unsigned long long)atomic_load(&storm.late));
    storm_end(&storm);
    vsdk_host_close(host);
}

/* The record is the guest's read; somebody else pauses, and the answer is given then. */
static void pause_at_an_unanswered_read(void)
{
    vsdk_host *host = rig_host();
    struct rig rig;

    rig_make(&rig, host, 1, &guest_echo, 1);
    must(vsdk_vm_resume(rig.vm, E));
    vsdk_exit *exit = vsdk_vcpu_record(rig.vcpus[0]);
    for (uint32_t i = 1; i <= rig_size(&some); i++) {
        pthread_t pauser;

        must(vsdk_vcpu_run(rig.vcpus[0], VSDK_FOREVER, E));
        check(exit->reason == VSDK_EXIT_PIO && exit->address == PORT_IN, "%s at %llx",
              vsdk_exit_reason_name(exit->reason), (unsigned long long)exit->address);
        if (i % 2)
            memcpy((void *)(uintptr_t)exit->data, &i, sizeof i);
        thread_start(&pauser, storm_pause, rig.vm);
        thread_join(pauser);
        if (i % 2 == 0)
            memcpy((void *)(uintptr_t)exit->data, &i, sizeof i);
        thread_start(&pauser, storm_resume_later, rig.vm);
        must(vsdk_vcpu_run(rig.vcpus[0], VSDK_FOREVER, E));
        check(exit->address == PORT_ECHO && exit->value == i, "the guest saw %llx instead of %x",
              (unsigned long long)exit->value, i);
        thread_join(pauser);
    }
    rig_end(&rig);
    vsdk_host_close(host);
}

/* While it is paused nothing happens. */
static void pause_means_silence(void)
{
    vsdk_host *host = rig_host();
    struct storm storm;
    uint32_t seed = rig_seed(11);

    storm_make(&storm, host, 2, 0);
    storm_attach(&storm);
    storm_run(&storm);
    for (uint32_t i = 0; i < rig_size(&some); i++) {
        must(vsdk_vm_pause(storm.rig.vm, 0, VSDK_FOREVER, E));
        check(atomic_load(&storm.inside) == 0, "a callback runs in PAUSED");
        check(storm.events == 2 * i + 2 && !atomic_load(&storm.started),
              "the device was told %llu times", (unsigned long long)storm.events);
        uint64_t before = storm.plain, value = 0;
        check(vsdk_dma_read(storm.device, DATA, &value, 8, NULL) == VSDK_ERROR_STATE,
              "DMA in PAUSED");
        check(vsdk_device_enter(storm.device, NULL) == VSDK_ERROR_STATE, "entered in PAUSED");
        rig_sleep_us(rig_random(&seed, 8) == 0 ? 500 : 0);
        check(storm.plain == before, "accesses in PAUSED");
        must(vsdk_vm_resume(storm.rig.vm, E));
        check(atomic_load(&storm.started), "RUNNING and not started");
        rig_wait(&storm.reads, atomic_load(&storm.reads) + rig_random(&seed, 3),
                 "accesses after a pause");
    }
    storm_end(&storm);
    vsdk_host_close(host);
}

/* One of the ways to hold it. */
static void hold_somehow(vsdk_vm *vm, uint32_t *seed)
{
    vsdk_pause_flags flags = rig_random(seed, 2) ? VSDK_PAUSE_PARK : 0;
    vsdk_status status;

    switch (rig_random(seed, 4)) {
    case 0:
        must(vsdk_vm_pause_request(vm, E));
        break;
    case 1:
        status = vsdk_vm_pause(vm, flags, rig_random(seed, 50000), E);
        check(status == VSDK_OK || status == VSDK_ERROR_TIMEOUT, "%s", vsdk_status_name(status));
        break;
    default:
        must(vsdk_vm_pause(vm, flags, VSDK_FOREVER, E));
    }
}

static void *pauser(void *argument)
{
    static _Atomic uint32_t number;
    struct storm *storm = argument;
    uint32_t seed = rig_seed(100 + atomic_fetch_add(&number, 1));

    for (uint32_t i = 0; i < rig_size(&some); i++) {
        hold_somehow(storm->rig.vm, &seed);
        must(vsdk_vm_resume(storm->rig.vm, E));
    }
    return NULL;
}

static void many_pausers(void)
{
    vsdk_host *host = rig_host();
    struct storm storm;
    pthread_t threads[3];

    storm_make(&storm, host, 2, 0);
    storm_attach(&storm);
    storm_run(&storm);
    for (unsigned i = 0; i < 3; i++)
        thread_start(&threads[i], pauser, &storm);
    for (unsigned i = 0; i < 3; i++)
        thread_join(threads[i]);
    must(vsdk_vm_resume(storm.rig.vm, E));
    rig_wait(&storm.reads, atomic_load(&storm.reads) + 10, "accesses after the last pause");
    must(vsdk_vm_pause(storm.rig.vm, 0, VSDK_FOREVER, E));
    check(storm.plain > 0 && atomic_load(&storm.overlaps) == 0, "two callbacks at once");
    storm_end(&storm);
    vsdk_host_close(host);
}

/* A detach means the end of starts and stops too, whoever pauses at that moment. */
static void detach_under_pauses(void)
{
    vsdk_host *host = rig_host();
    pthread_t threads[2];
    struct storm storm;
    uint32_t seed = rig_seed(12);

    storm_make(&storm, host, 2, 0);
    storm_run(&storm);
    for (unsigned i = 0; i < 2; i++)
        thread_start(&threads[i], pauser, &storm);
    for (uint32_t i = 0; i < rig_size(&some) * 4; i++) {
        storm_attach(&storm);
        rig_sleep_us(rig_random(&seed, 3) * 20);
        must(vsdk_device_detach(storm.device, E));
        uint64_t events = storm.events;
        atomic_store(&storm.attached, 0);
        atomic_store(&storm.started, 0);
        check(atomic_load(&storm.inside) == 0, "a callback runs after detach");
        rig_sleep_us(rig_random(&seed, 3) * 20);
        check(storm.events == events, "a start or a stop after detach");
    }
    for (unsigned i = 0; i < 2; i++)
        thread_join(threads[i]);
    check(atomic_load(&storm.late) == 0, "%llu callbacks after detach",
          (unsigned long long)atomic_load(&storm.late));
    must(vsdk_vm_resume(storm.rig.vm, E));
    storm_end(&storm);
    vsdk_host_close(host);
}

/* Threads enter the device from outside, while its processors use it and others pause. */
static void *enterer(void *argument)
{
    struct storm *storm = argument;
    uint64_t entered = 0, value = 0;

    while (!atomic_load(&storm->over)) {
        vsdk_status status = vsdk_device_enter(storm->device, E);

        check(status == VSDK_OK || status == VSDK_ERROR_STATE, "%s", vsdk_status_name(status));
        if (status) {
            rig_sleep_us(20);
            continue;
        }
        check(atomic_fetch_add(&storm->inside, 1) == 0, "entered together with a callback");
        check(atomic_load(&storm->started), "entered while it is stopped");
        storm->plain++;
        must(vsdk_dma_read(storm->device, DATA, &value, sizeof value, E));
        check(vsdk_device_enter(storm->device, NULL) == VSDK_ERROR_BUSY, "entered twice");
        atomic_fetch_sub(&storm->inside, 1);
        vsdk_device_leave(storm->device);
        entered++;
    }
    atomic_fetch_add(&storm->entered, entered);
    return NULL;
}

static void enter_from_outside(void)
{
    vsdk_host *host = rig_host();
    pthread_t threads[2], pausing;
    struct storm storm;

    storm_make(&storm, host, 2, 0);
    storm_attach(&storm);
    storm_run(&storm);
    for (unsigned i = 0; i < 2; i++)
        thread_start(&threads[i], enterer, &storm);
    thread_start(&pausing, pauser, &storm);
    thread_join(pausing);
    rig_wait(&storm.reads, atomic_load(&storm.reads) + 10, "accesses beside those who enter");
    atomic_store(&storm.over, 1);
    for (unsigned i = 0; i < 2; i++)
        thread_join(threads[i]);
    must(vsdk_vm_pause(storm.rig.vm, 0, VSDK_FOREVER, E));
    check(storm.plain ==
              atomic_load(&storm.reads) + atomic_load(&storm.writes) + atomic_load(&storm.entered),
          "%llu plainly counted", (unsigned long long)storm.plain);
    check(atomic_load(&storm.overlaps) == 0, "two callbacks at once");
    check(atomic_load(&storm.entered) > 0, "nobody entered");
    storm_end(&storm);
    vsdk_host_close(host);
}

/* Everything that changes the topology, while two processors run. */
static void topology_storm(void)
{
    static void *(*const kinds[])(void *) = {storm_ranges, storm_maps, storm_gate, storm_doorbells,
                                             storm_looks};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    vsdk_host *host = rig_host();
    pthread_t threads[KINDS];
    struct storm storm;

    storm_make(&storm, host, 2, 0);
    storm.rounds = rig_size(&some);
    storm_attach(&storm);
    storm_run(&storm);
    for (unsigned i = 0; i < KINDS; i++)
        thread_start(&threads[i], kinds[i], &storm);
    for (unsigned i = 0; i < KINDS; i++)
        thread_join(threads[i]);
    rig_wait(&storm.reads, atomic_load(&storm.reads) + 10, "accesses after the storm");
    storm_end(&storm);
    vsdk_host_close(host);
}

/* Destroyed while two processors run: each run says GONE. */
static void destroy_while_running(void)
{
    vsdk_host *host = rig_host();
    uint32_t seed = rig_seed(13);

    for (uint32_t i = 0; i < rig_size(&some) / 4; i++) {
        struct storm storm;

        storm_make(&storm, host, 2, 0);
        storm_attach(&storm);
        storm_run(&storm);
        rig_wait(&storm.writes, rig_random(&seed, 4), "accesses");
        must(vsdk_vm_destroy(storm.rig.vm, E));
        for (unsigned v = 0; v < RIG_VCPUS; v++) {
            runner_join(&storm.runners[v]);
            check(storm.runners[v].status == VSDK_ERROR_GONE, "run: %s",
                  vsdk_status_name(storm.runners[v].status));
        }
        storm.joined = 1;
        storm_end(&storm);
    }
    vsdk_host_close(host);
}

static void *stopper(void *argument)
{
    must(vsdk_vm_stop(argument, VSDK_EXIT_STOP, 7, 0, E));
    return NULL;
}

/* Several stop it; both processors tell the same end. */
static void stop_while_running(void)
{
    vsdk_host *host = rig_host();
    uint32_t seed = rig_seed(13);

    for (uint32_t i = 0; i < rig_size(&some) / 4; i++) {
        struct storm storm;
        pthread_t threads[2];

        storm_make(&storm, host, 2, 0);
        storm_attach(&storm);
        storm_run(&storm);
        rig_wait(&storm.writes, rig_random(&seed, 4), "accesses");
        for (unsigned t = 0; t < 2; t++)
            thread_start(&threads[t], stopper, storm.rig.vm);
        for (unsigned v = 0; v < RIG_VCPUS; v++) {
            runner_join(&storm.runners[v]);
            check(storm.runners[v].last.reason == VSDK_EXIT_STOP &&
                      storm.runners[v].last.value == 7,
                  "%s", vsdk_exit_reason_name(storm.runners[v].last.reason));
        }
        for (unsigned t = 0; t < 2; t++)
            thread_join(threads[t]);
        storm.joined = 1;
        check(!atomic_load(&storm.started), "STOPPED, and the device was not told");
        uint64_t value;
        check(vsdk_dma_read(storm.device, DATA, &value, sizeof value, NULL) == VSDK_ERROR_STATE,
              "DMA in STOPPED");
        storm_end(&storm);
    }
    vsdk_host_close(host);
}

static void *canceller(void *argument)
{
    rig_sleep_us(2000);
    must(vsdk_vm_run_cancel(argument, E));
    return NULL;
}

/* Stopped, reset, loaded anew and started, again and again; others look and kick meanwhile. */
static void stop_reset_resume(void)
{
    vsdk_host *host = rig_host();
    struct storm storm;
    uint32_t seed = rig_seed(14);

    storm_make(&storm, host, 2, 0);
    storm_attach(&storm);
    for (uint32_t i = 0; i < rig_size(&some) / 4; i++) {
        pthread_t looking, stopping;
        vsdk_status status;

        storm_run(&storm);
        storm.rounds = 4;
        thread_start(&looking, storm_looks, &storm);
        rig_wait(&storm.writes, atomic_load(&storm.writes) + rig_random(&seed, 4), "accesses");
        thread_start(&stopping, stopper, storm.rig.vm);
        for (unsigned v = 0; v < RIG_VCPUS; v++)
            runner_join(&storm.runners[v]); /* the record is theirs until then */
        do
            status = vsdk_vm_reset(storm.rig.vm, rig_random(&seed, 2) ? VSDK_FOREVER : 0, E);
        while (status == VSDK_ERROR_STATE || status == VSDK_ERROR_TIMEOUT);
        check(status == VSDK_OK, "%s: %s", vsdk_status_name(status), E->message);
        thread_join(stopping);
        check(!atomic_load(&storm.started), "reset, and the device was not stopped");
        thread_join(looking);
        rig_load(&storm.rig, &guest_hammers, 0);
    }
    check(atomic_load(&storm.resets) >= rig_size(&some) / 4, "%u resets",
          atomic_load(&storm.resets));
    storm.joined = 1;
    storm_end(&storm);
    vsdk_host_close(host);
}

/* The convenience that makes threads, cancelled by another thread; all its threads are gone. */
static void run_and_cancel(void)
{
    vsdk_host *host = rig_host();
    struct storm storm;
    vsdk_exit end;

    storm_make(&storm, host, 2, 0);
    storm_attach(&storm);
    for (uint32_t i = 0; i < rig_size(&some) / 4; i++) {
        pthread_t thread;

        thread_start(&thread, canceller, storm.rig.vm);
        must(vsdk_vm_run(storm.rig.vm, NULL, VSDK_FOREVER, &end, E));
        thread_join(thread);
        check(end.reason == VSDK_EXIT_KICKED && end.detail == VSDK_KICK_REQUEST, "%s",
              vsdk_exit_reason_name(end.reason));
        check(!atomic_load(&storm.started), "the run is over, and the device was not stopped");
    }
    storm.joined = 1;
    storm_end(&storm);
    vsdk_host_close(host);
}

/* Each round another order, from a thread for each handle; every release comes once. */
static void close_in_any_order(void)
{
    vsdk_host *host = rig_host();

    for (uint32_t i = 0; i < rig_size(&some); i++)
        storm_close_round(host, i);
    vsdk_host_close(host);
}

int main(int argc, char **argv)
{
    static const struct tap_test tests[] = {
        {"two vCPUs on one device", two_vcpus_on_one_device},
        {"two vCPUs on a concurrent device", two_vcpus_on_a_concurrent_device},
        {"detach during dispatch", detach_during_dispatch},
        {"pause at an unanswered read", pause_at_an_unanswered_read},
        {"pause means silence", pause_means_silence},
        {"many pausers", many_pausers},
        {"detach under pauses", detach_under_pauses},
        {"threads enter the device", enter_from_outside},
        {"ranges, maps, doorbells and the gate at once", topology_storm},
        {"destroy while running", destroy_while_running},
        {"stop while running", stop_while_running},
        {"stop, reset and resume", stop_reset_resume},
        {"vsdk_vm_run cancelled", run_and_cancel},
        {"close in any order", close_in_any_order},
    };

    tap_note("seed %u", rig_seed(0));
    return tap_run(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}
