/* SPDX-License-Identifier: Apache-2.0 */
/* What mutations of the core's parts showed to be untested, from the inside. */
#include "core/device.h"
#include "core/loop.h"
#include "core/ram.h"
#include "core_rig.h"
#include <pthread.h>
#include <sched.h>

enum { P = 4096 };

static struct core_rig rig;

static void begin(void)
{
    rig_make(&rig);
}

static void end(void)
{
    rig_end(&rig);
}

TestSuite(mutants, .init = begin, .fini = end);

static _Atomic int is_over;
static vsdk_status status;

static void *protect(void *unused)
{
    status = vsdk_vm_protect(rig.vm, 0x10000, P, VSDK_MAP_READONLY, NULL);
    atomic_store(&is_over, 1);
    return unused;
}

/* Whoever looked at the flags before they changed may still write. */
Test(mutants, read_only_waits_for_who_writes)
{
    vsdk_ram *ram = rig_ram(&rig, 0x10000, P, 0);
    readers_token writer = readers_enter(&rig.vm->readers);
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, protect, NULL), 0);
    while (!atomic_load(&is_over) && !(atomic_load(writer) & READERS_WAITED))
        sched_yield();
    cr_assert(!atomic_load(&is_over), "the mapping became read-only while somebody wrote");
    readers_leave(writer);
    pthread_join(thread, NULL);
    ok(status);
    vsdk_ram_close(ram);
}

static void never(void *user, vsdk_timer *timer)
{
}

/* A loop has room for each of its timers, and for no other. */
Test(mutants, timer_that_is_not_made_is_not_counted)
{
    struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, 0);
    vsdk_timer *timer;
    vsdk_loop *loop;

    ok(vsdk_loop_create(&loop, NULL));
    ok(vsdk_vm_destroy(rig.vm, NULL));
    fails(GONE, vsdk_timer_create(loop, device, never, NULL, NULL, &timer, E));
    cr_assert_eq(loop->timers, 0);
    vsdk_device_close(device);
    vsdk_loop_close(loop);
}
