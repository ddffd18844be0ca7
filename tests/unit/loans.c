/* SPDX-License-Identifier: Apache-2.0 */
/* A device that one vCPU has to itself is lent to it. What is seen of that from outside is nothing:
 * one callback at a time, a detach that waits, tables that hold at once. */
#include "core/device.h"
#include "core_rig.h"
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { PIO = VSDK_SPACE_PIO, MMIO = VSDK_SPACE_MMIO, PORT = 0x60 };

static struct core_rig rig;
static struct notes notes, others;
static vsdk_device *device;

/* One access fewer than a loan takes, and then the loan. */
static void lend(void)
{
    for (int i = 1; i < DEVICE_LEND_AFTER; i++) {
        cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
        cr_assert_eq(atomic_load(&device->count), 0);
    }
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
}

static int is_lent(void)
{
    return atomic_load(&device->count) == DEVICE_LENT && atomic_load(&device->lent);
}

static void begin(void)
{
    rig_make(&rig);
    rig_run(&rig);
    notes = others = (struct notes){0};
    device = rig_device(&rig, &notes, 0);
    ok(vsdk_device_add_range(device, PIO, PORT, 4, 7, NULL));
}

static void end(void)
{
    vsdk_device_close(device);
    rig_end(&rig);
}

TestSuite(loans, .init = begin, .fini = end);

Test(loans, a_device_is_lent_to_who_has_it_to_itself)
{
    lend();
    cr_assert(is_lent());
    notes.answer = 0x11223344;
    cr_assert_eq(rig_read(&rig, PIO, PORT + 1, 2), BUS_CLAIMED);
    cr_assert_eq(rig.exit.value, 0xffffffffffff3344);
    cr_assert_eq(notes.offset, 1);
    cr_assert_eq(notes.width, 2);
    cr_assert_eq(notes.region, 7);
    cr_assert_eq(rig_write(&rig, PIO, PORT + 3, 1, 0x5a), BUS_CLAIMED);
    cr_assert_eq(notes.value, 0x5a);
    cr_assert(is_lent());
    cr_assert_null(atomic_load(&rig.vcpu->loan.inside));
}

Test(loans, who_enters_recalls_it)
{
    lend();
    ok(vsdk_device_enter(device, NULL));
    cr_assert_eq(atomic_load(&device->count), 1);
    cr_assert_null(atomic_load(&device->lent));
    vsdk_device_leave(device);
    lend();
    cr_assert(is_lent());
}

Test(loans, a_concurrent_device_is_never_lent)
{
    vsdk_device *concurrent = rig_device(&rig, &others, VSDK_DEVICE_CONCURRENT);

    ok(vsdk_device_add_range(concurrent, PIO, 0x80, 1, 0, NULL));
    for (int i = 0; i < 3 * DEVICE_LEND_AFTER; i++)
        cr_assert_eq(rig_write(&rig, PIO, 0x80, 1, 0), BUS_CLAIMED);
    cr_assert_eq(atomic_load(&concurrent->count), 0);
    vsdk_device_close(concurrent);
}

Test(loans, nothing_is_lent_where_both_fences_are_full)
{
    atomic_store(&fence_is_full, 1);
    for (int i = 0; i < 3 * DEVICE_LEND_AFTER; i++)
        cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
    cr_assert_eq(atomic_load(&device->count), 0);
}

Test(loans, two_that_take_turns_borrow_nothing)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 2};
    struct core_rig pair;
    vsdk_vcpu *vcpus[2];

    rig_make_with(&pair, &config);
    vcpus[0] = pair.vcpu;
    ok(vsdk_vcpu_create(pair.vm, 1, NULL, &vcpus[1], NULL));
    rig_run(&pair);
    vsdk_device *shared = rig_device(&pair, &others, 0);
    ok(vsdk_device_add_range(shared, PIO, 0x80, 1, 0, NULL));
    for (int i = 0; i < 4 * DEVICE_LEND_AFTER; i++) {
        pair.vcpu = vcpus[i % 2];
        cr_assert_eq(rig_write(&pair, PIO, 0x80, 1, 0), BUS_CLAIMED);
        cr_assert_eq(atomic_load(&shared->count), 0);
    }
    vsdk_device_close(shared);
    vsdk_vcpu_close(vcpus[1]);
    pair.vcpu = vcpus[0];
    rig_end(&pair);
}

/* From the next access on, whatever the vCPU remembers. */
Test(loans, a_range_that_goes_is_gone)
{
    lend();
    ok(vsdk_device_remove_range(device, PIO, PORT, NULL));
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_UNCLAIMED);
    vsdk_device *other = rig_device(&rig, &others, 0);
    ok(vsdk_device_add_range(other, PIO, PORT + 1, 1, 0, NULL));
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, PORT + 1, 1, 0), BUS_CLAIMED);
    cr_assert_eq(others.writes, 1);
    vsdk_device_close(other);
}

Test(loans, a_doorbell_in_the_range_rings)
{
    vsdk_doorbell_config config = {
        .size = sizeof config, .space = PIO, .width = 1, .address = PORT};
    vsdk_doorbell *bell;

    lend();
    uint32_t before = notes.writes;
    ok(vsdk_doorbell_create(rig.vm, &config, &bell, NULL));
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_RUNG);
    cr_assert_eq(rig_write(&rig, PIO, PORT + 1, 1, 0), BUS_CLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_RUNG);
    cr_assert_eq(rig_read(&rig, PIO, PORT, 1), BUS_CLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_RUNG);
    cr_assert_eq(notes.writes, before + 1);
    vsdk_doorbell_close(bell);
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
}

/* What is lent at a port says nothing of the same address in memory, nor of what crosses its end.
 */
Test(loans, only_the_same_range_is_found_again)
{
    lend();
    cr_assert_eq(rig_write(&rig, MMIO, PORT, 1, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, PORT + 3, 2, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, PORT - 1, 2, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, PORT + 2, 2, 0), BUS_CLAIMED);
}

Test(loans, a_stopped_device_defers)
{
    lend();
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    cr_assert_eq(atomic_load(&device->count) & DEVICE_LENT, 0);
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_DEFERRED);
    ok(vsdk_vm_resume(rig.vm, NULL));
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
}

/* A device that is not lent may be freed between two looks at it, since nobody recalls it: what the
 * vCPU remembers of it is not followed. */
static void only_looked_up(void)
{
    rig.vcpu->found.device = (vsdk_device *)(uintptr_t)64; /* nothing is there */
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
    cr_assert_eq(rig.vcpu->found.device, device);
}

Test(loans, a_device_that_was_never_lent_is_not_looked_at)
{
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
    only_looked_up();
}

Test(loans, a_device_that_was_recalled_is_not_looked_at)
{
    lend();
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
    ok(vsdk_device_enter(device, NULL));
    vsdk_device_leave(device);
    only_looked_up();
    only_looked_up();
}

static vsdk_status detach_inside(struct notes *unused)
{
    return vsdk_device_detach(device, NULL);
}

Test(loans, a_detach_from_inside_is_refused_and_from_outside_recalls)
{
    lend();
    notes.inside = detach_inside;
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
    cr_assert_eq(notes.status, VSDK_ERROR_BUSY);
    notes.inside = NULL;
    ok(vsdk_device_detach(device, NULL));
    cr_assert_eq(atomic_load(&device->count), 0);
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_UNCLAIMED);
}

static _Atomic unsigned came, inside_now, two;

static void *enter(void *unused)
{
    ok(vsdk_device_enter(device, NULL));
    if (atomic_fetch_add(&inside_now, 1))
        atomic_store(&two, 1);
    atomic_store(&came, 1);
    atomic_fetch_sub(&inside_now, 1);
    vsdk_device_leave(device);
    return unused;
}

static void *detach(void *unused)
{
    ok(vsdk_device_detach(device, NULL));
    atomic_store(&came, 1);
    return unused;
}

static _Atomic unsigned begun;

/* In the lent device, until the other thread has been counted beside this one; it is not in. */
static vsdk_status wait_for_recall(struct notes *unused)
{
    atomic_store(&begun, 1);
    while ((atomic_load(&device->count) & DEVICE_THREADS) < 2)
        sched_yield();
    usleep(1000);
    return atomic_load(&came) ? VSDK_ERROR_SYSTEM : VSDK_OK;
}

/* Not before the vCPU is inside: who came and went earlier would never be counted beside it. */
static void *recall_when_begun(void *recall)
{
    while (!atomic_load(&begun))
        sched_yield();
    return (*(void *(**)(void *))recall)(NULL);
}

static void recall_from_a_thread(void *(*recall)(void *))
{
    pthread_t thread;

    lend();
    notes.inside = wait_for_recall;
    notes.status = VSDK_ERROR_SYSTEM;
    cr_assert(is_lent());
    pthread_create(&thread, NULL, recall_when_begun, &recall);
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
    pthread_join(thread, NULL);
    ok(notes.status);
    cr_assert_eq(atomic_load(&device->count), 0);
    cr_assert_null(rig.vcpu->loan.counted);
}

Test(loans, who_enters_waits_for_the_vcpu_inside, .timeout = 60)
{
    recall_from_a_thread(enter);
    notes.inside = NULL;
    lend();
    cr_assert(is_lent());
}

Test(loans, who_detaches_waits_for_the_vcpu_inside, .timeout = 60)
{
    recall_from_a_thread(detach);
}

static void *write_to_it(void *unused)
{
    cr_assert_eq(rig_write(&rig, PIO, PORT, 1, 0), BUS_CLAIMED);
    return unused;
}

/* Whoever has a device closes doorbells while a vCPU waits for it: that one reads no table. */
Test(loans, who_waits_at_the_gate_keeps_no_doorbell, .timeout = 60)
{
    const vsdk_doorbell_config config = {
        .size = sizeof config, .space = PIO, .address = 0x500, .width = 1};
    vsdk_doorbell *bell = NULL;
    pthread_t thread;

    ok(vsdk_doorbell_create(rig.vm, &config, &bell, NULL));
    ok(vsdk_device_enter(device, NULL));
    pthread_create(&thread, NULL, write_to_it, NULL);
    while ((atomic_load(&device->count) & DEVICE_THREADS) < 2)
        sched_yield();
    vsdk_doorbell_close(bell);
    vsdk_device_leave(device);
    pthread_join(thread, NULL);
    cr_assert_eq(notes.writes, 1);
}

/* The devices' own words are plain: what excludes nobody is seen by a thread sanitizer, and here.
 */
enum { ACCESSES = 20000 };
static uint64_t sum;
static _Atomic unsigned over;

static vsdk_status add_one(struct notes *unused)
{
    if (atomic_fetch_add(&inside_now, 1))
        atomic_store(&two, 1);
    sum++;
    atomic_fetch_sub(&inside_now, 1);
    return VSDK_OK;
}

static void *enter_often(void *entered)
{
    while (!atomic_load(&over)) {
        if (vsdk_device_enter(device, NULL))
            continue;
        add_one(NULL);
        ++*(uint64_t *)entered;
        vsdk_device_leave(device);
        for (int i = 0; i < 50; i++)
            sched_yield();
    }
    return NULL;
}

/* `forgets`: each access looks the device up, as after a change of the tables. */
static void storm(int forgets)
{
    static uint64_t entered[2];
    pthread_t threads[2];
    uint64_t claimed = 0;

    notes.inside = add_one;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, enter_often, &entered[i]);
    for (int i = 0; i < ACCESSES; i++) {
        if (forgets)
            rig.vcpu->found = (bus_found){0};
        claimed += rig_write(&rig, PIO, PORT, 1, 0) == BUS_CLAIMED;
    }
    atomic_store(&over, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cr_assert(!atomic_load(&two));
    cr_assert_eq(claimed, ACCESSES);
    cr_assert_eq(sum, claimed + entered[0] + entered[1]);
}

Test(loans, one_at_a_time_is_inside, .timeout = 120)
{
    storm(0);
}

Test(loans, one_at_a_time_is_inside_of_what_was_looked_up, .timeout = 120)
{
    storm(1);
}

/* Released as soon as it is detached: what is touched after that a sanitizer sees. */
static void *come_and_go(void *unused)
{
    for (int i = 0; i < 500; i++) {
        static struct notes mine;
        vsdk_device *made = rig_device(&rig, &mine, 0);
        ok(vsdk_device_add_range(made, PIO, 0x80, 4, 0, NULL));
        for (int turns = 0; turns < 20; turns++)
            sched_yield();
        ok(vsdk_device_detach(made, NULL));
        vsdk_device_close(made);
    }
    atomic_store(&over, 1);
    return unused;
}

Test(loans, devices_come_and_go_under_a_vcpu, .timeout = 120)
{
    pthread_t thread;
    uint64_t claimed = 0;

    pthread_create(&thread, NULL, come_and_go, NULL);
    for (unsigned n = 1; !atomic_load(&over); n++) {
        claimed += rig_write(&rig, PIO, 0x80, 1, 0) == BUS_CLAIMED;
        if (n % 64 == 0) /* some checkers run one thread at a time, for as long as it likes */
            sched_yield();
    }
    pthread_join(thread, NULL);
    cr_assert_gt(claimed, 0);
    cr_assert_eq(rig_write(&rig, PIO, 0x80, 1, 0), BUS_UNCLAIMED);
}
