/* SPDX-License-Identifier: Apache-2.0 */
/* What mutations of the core's parts showed to be untested, from the inside. */
#include "base/error.h"
#include "base/sys.h"
#include "core/device.h"
#include "core/host.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/ram.h"
#include "core_rig.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* The mock with another operation or two. */
static void begin_with(backend_ops *ops)
{
    rig_end(&rig);
    ok(host_open_with(ops, NULL, &rig.host, NULL));
    ok(vsdk_vm_create(rig.host, NULL, &rig.vm, NULL));
    ok(vsdk_vcpu_create(rig.vm, 0, NULL, &rig.vcpu, NULL));
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
    int too_early = atomic_load(&is_over);
    readers_leave(writer);
    pthread_join(thread, NULL);
    cr_assert(!too_early, "the mapping became read-only while somebody wrote");
    ok(status);
    vsdk_ram_close(ram);
}

static readers late;

static void *wait_for_readers(void *unused)
{
    readers_wait(&late);
    atomic_store(&is_over, 1);
    return unused;
}

/* A reader looks at the phase, a writer passes, and then the reader counts itself: of the phase
 * that the next writer leaves alone at first. */
Test(mutants, writer_waits_for_a_reader_of_either_phase)
{
    pthread_t thread;

    readers_init(&late);
    readers_token reader = readers_enter(&late);
    atomic_fetch_add(&late.changes, 1);
    cr_assert_eq(pthread_create(&thread, NULL, wait_for_readers, NULL), 0);
    while (!atomic_load(&is_over) && !(atomic_load(reader) & READERS_WAITED))
        sched_yield();
    int too_early = atomic_load(&is_over);
    readers_leave(reader);
    pthread_join(thread, NULL);
    cr_assert(!too_early, "the writer did not wait for the reader");
    readers_destroy(&late);
}

static void never(void *user, vsdk_timer *timer)
{
}

/* A loop has room for each of its timers, and for no other. */
Test(mutants, timer_that_is_not_made_is_not_counted)
{
    static struct notes notes;
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

/* Two devices that a thread is in are left in any order. */
Test(mutants, devices_are_left_in_the_order_of_entering)
{
    static struct notes notes[2];
    vsdk_device *first = rig_device(&rig, &notes[0], 0), *second = rig_device(&rig, &notes[1], 0);

    ok(vsdk_device_add_range(first, VSDK_SPACE_PIO, 0x100, 1, 0, NULL));
    ok(vsdk_device_add_range(second, VSDK_SPACE_PIO, 0x200, 1, 0, NULL));
    rig_run(&rig);
    ok(vsdk_device_enter(first, NULL));
    ok(vsdk_device_enter(second, NULL));
    vsdk_device_leave(first);
    fails(BUSY, vsdk_device_enter(second, E));
    fails(BUSY, vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, E));
    vsdk_device_leave(second);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    vsdk_device_close(first);
    vsdk_device_close(second);
}

Test(mutants, messages_are_counted_anew_each_second)
{
    log_limit limit = {0};

    atomic_store(&limit.second, sys_clock() / 1000000000u - 2);
    atomic_store(&limit.used, 2);
    cr_assert(log_allowed(&limit, 2));
    cr_assert_lt(atomic_load(&limit.used), 2);
}

static vsdk_status talkative(backend_host *host, vsdk_capability capability,
                             vsdk_capability_info *info, vsdk_error *error)
{
    info->answer = VSDK_ANSWER_NO;
    memset(info->reason, 'x', sizeof info->reason);
    return VSDK_OK;
}

Test(mutants, reason_of_a_backend_ends)
{
    static backend_ops ops;

    ops = *backend_mock();
    vsdk_capability_info info = {.size = sizeof info};
    vsdk_host *host;

    ops.host_query = talkative;
    ok(host_open_with(&ops, NULL, &host, NULL));
    ok(vsdk_host_query(host, VSDK_CAPABILITY_FPU, &info, NULL));
    cr_assert_eq(strnlen(info.reason, sizeof info.reason), sizeof info.reason - 1);
    vsdk_host_close(host);
}

static vsdk_status refuse(backend_vcpu *vcpu, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_SYSTEM, "complete", "refused");
}

Test(mutants, complete_that_fails_is_told)
{
    static backend_ops ops;

    ops = *backend_mock();

    ops.vcpu_complete = refuse;
    begin_with(&ops);
    atomic_store(&rig.vcpu->pending, 1);
    fails(SYSTEM, vsdk_vcpu_complete(rig.vcpu, E));
    cr_assert(atomic_load(&rig.vcpu->pending), "and the access is still to be finished");
    atomic_store(&rig.vcpu->pending, 0);
}

/* Of vsdk_vm_run too: what one vCPU's thread was told is what the caller is told. */
Test(mutants, run_that_fails_is_told)
{
    static backend_ops ops;
    vsdk_exit end;

    ops = *backend_mock();
    ops.vcpu_run = refuse;
    begin_with(&ops);
    rig_run(&rig);
    fails(SYSTEM, vsdk_vm_run(rig.vm, NULL, VSDK_FOREVER, &end, E));
}

/* A device may answer more than was asked for. */
Test(mutants, answer_fills_its_width_only)
{
    static struct notes notes;
    vsdk_device *device = rig_device(&rig, &notes, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x100, 8, 0, NULL));
    rig_run(&rig);
    notes.answer = 0x1122334455667788;
    rig_read(&rig, VSDK_SPACE_PIO, 0x100, 1);
    cr_assert_eq(rig.exit.value, 0xffffffffffffff88);
    rig_read(&rig, VSDK_SPACE_PIO, 0x100, 2);
    cr_assert_eq(rig.exit.value, 0xffffffffffff7788);
    rig_read(&rig, VSDK_SPACE_PIO, 0x100, 4);
    cr_assert_eq(rig.exit.value, 0xffffffff55667788);
    vsdk_device_close(device);
}

static void unwanted(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    cr_assert_fail("nothing is ready");
}

/* Who waits for room is not woken by bytes that have come. */
Test(mutants, watch_for_writing_is_quiet_about_reading)
{
    const char bytes[4096] = {0};
    vsdk_watch *watch;
    vsdk_loop *loop;
    int ends[2];

    ok(vsdk_loop_create(&loop, NULL));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    while (write(ends[0], bytes, sizeof bytes) > 0)
        ;
    cr_assert_eq(write(ends[1], bytes, 1), 1);
    ok(vsdk_watch_create(loop, NULL, ends[0], VSDK_LOOP_WRITE, unwanted, NULL, NULL, &watch, NULL));
    struct pollfd due = {.fd = vsdk_loop_descriptor(loop), .events = POLLIN};
    cr_assert_eq(poll(&due, 1, 0), 0);
    vsdk_watch_close(watch);
    close(ends[0]);
    close(ends[1]);
    vsdk_loop_close(loop);
}

static unsigned long pages_mapped(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    cr_assert_eq(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages;
}

/* The place of a file that can't be mapped is given back. */
Test(mutants, mapping_that_fails_leaves_nothing)
{
    enum { MIB = 1 << 20 };
    unsigned long before = pages_mapped();

    for (int i = 0; i < 64; i++)
        cr_assert_null(sys_map_file(-1, 0, MIB, P, MAP_SHARED));
    cr_assert_lt(pages_mapped(), before + 64 * MIB / P / 2);
}
