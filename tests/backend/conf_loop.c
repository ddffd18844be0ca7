/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: descriptors, timers and work on the thread that dispatches. */
#include "common.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct machine m;
static vsdk_loop *loop;
static int ends[2];

static void setup(void)
{
    machine_make(&m);
    ok(vsdk_loop_create(&loop, E));
    cr_assert(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
}

static void teardown(void)
{
    vsdk_loop_close(loop);
    machine_end(&m);
}

TestSuite(loop, .init = setup, .fini = teardown);

enum { MS = 1000000 };

static uint32_t dispatch(vsdk_loop *which, uint64_t timeout_ns)
{
    uint32_t ran = 12345;
    ok(vsdk_loop_dispatch(which, timeout_ns, &ran, E));
    return ran;
}

static void count_timer(void *user, vsdk_timer *timer)
{
    ++*(int *)user;
}

static void count_work(void *user, vsdk_work *work)
{
    ++*(int *)user;
}

static void count_watch(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    cr_assert_eq(descriptor, ends[events == VSDK_LOOP_WRITE]);
    ++*(int *)user;
}

static vsdk_watch *make_watch(vsdk_device *device, int fd, uint32_t events, int *count)
{
    vsdk_watch *watch = NULL;
    ok(vsdk_watch_create(loop, device, fd, events, count_watch, count, NULL, &watch, E));
    return watch;
}

static vsdk_work *make_work(vsdk_loop *which, vsdk_device *device, vsdk_work_fn fn, void *user)
{
    vsdk_work *work = NULL;
    ok(vsdk_work_create(which, device, fn, user, NULL, &work, E));
    return work;
}

static vsdk_timer *make_timer(vsdk_loop *which, vsdk_device *device, int *count)
{
    vsdk_timer *timer = NULL;
    ok(vsdk_timer_create(which, device, count_timer, count, NULL, &timer, E));
    return timer;
}

Test(loop, with_nothing_to_do_returns)
{
    cr_assert_eq(dispatch(loop, 0), 0);
    cr_assert_eq(dispatch(loop, MS), 0);
    ok(vsdk_loop_dispatch(loop, 0, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_loop_dispatch(NULL, 0, NULL, E));
}

Test(loop, wake_is_kept_and_ends_a_wait)
{
    ok(vsdk_loop_wake(loop, E));
    ok(vsdk_loop_wake(loop, E));
    cr_assert_eq(dispatch(loop, UINT64_MAX), 0);
    cr_assert_eq(dispatch(loop, 0), 0);
    fails(INVALID_ARGUMENT, vsdk_loop_wake(NULL, E));
}

static void *wake_later(void *user)
{
    sleep_ms(5);
    vsdk_loop_wake(user, NULL);
    return NULL;
}

Test(loop, wake_from_another_thread)
{
    pthread_t thread;

    cr_assert(pthread_create(&thread, NULL, wake_later, loop) == 0);
    cr_assert_eq(dispatch(loop, UINT64_MAX), 0);
    pthread_join(thread, NULL);
}

Test(loop, watch_is_called_while_ready)
{
    int count = 0;
    vsdk_watch *watch = make_watch(NULL, ends[0], VSDK_LOOP_READ, &count);

    cr_assert_eq(dispatch(loop, 0), 0);
    cr_assert(write(ends[1], "x", 1) == 1);
    cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert_eq(count, 2);
    ok(vsdk_watch_set_events(watch, 0, E));
    cr_assert_eq(dispatch(loop, 0), 0);
    ok(vsdk_watch_set_events(watch, VSDK_LOOP_READ, E));
    cr_assert_eq(dispatch(loop, 0), 1);
    vsdk_watch_close(watch);
    cr_assert_eq(dispatch(loop, 0), 0);
}

Test(loop, watch_for_writing)
{
    int count = 0;
    vsdk_watch *watch = make_watch(NULL, ends[1], VSDK_LOOP_WRITE, &count);

    cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
    cr_assert_eq(count, 1);
    vsdk_watch_close(watch);
}

Test(loop, watches_are_checked)
{
    int count = 0, file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    vsdk_watch *watch = (vsdk_watch *)1;

    fails(INVALID_ARGUMENT,
          vsdk_watch_create(loop, NULL, -1, VSDK_LOOP_READ, count_watch, &count, NULL, &watch, E));
    cr_assert(watch == NULL);
    fails(INVALID_ARGUMENT, vsdk_watch_create(loop, NULL, file, VSDK_LOOP_READ, count_watch, &count,
                                              NULL, &watch, E));
    fails(INVALID_ARGUMENT,
          vsdk_watch_create(loop, NULL, ends[0], 0x80, count_watch, &count, NULL, &watch, E));
    fails(INVALID_ARGUMENT,
          vsdk_watch_create(loop, NULL, ends[0], VSDK_LOOP_READ, NULL, &count, NULL, &watch, E));
    fails(INVALID_ARGUMENT, vsdk_watch_create(NULL, NULL, ends[0], VSDK_LOOP_READ, count_watch,
                                              &count, NULL, &watch, E));
    watch = make_watch(NULL, ends[0], VSDK_LOOP_READ, &count);
    fails(INVALID_ARGUMENT, vsdk_watch_set_events(watch, 0x80, E));
    fails(INVALID_ARGUMENT, vsdk_watch_set_events(NULL, VSDK_LOOP_READ, E));
    vsdk_watch_close(watch);
    close(file);
}

/* Two parts of a program may look at one descriptor, each for what it wants. */
Test(loop, two_watches_of_one_descriptor)
{
    int counts[2] = {0};
    vsdk_watch *first = make_watch(NULL, ends[0], VSDK_LOOP_READ, &counts[0]);
    vsdk_watch *second = make_watch(NULL, ends[0], VSDK_LOOP_READ, &counts[1]);

    cr_assert(write(ends[1], "x", 1) == 1);
    cr_assert_eq(dispatch(loop, UINT64_MAX), 2);
    ok(vsdk_watch_set_events(first, 0, E));
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert(counts[0] == 1 && counts[1] == 2);
    ok(vsdk_watch_set_events(first, VSDK_LOOP_READ, E));
    vsdk_watch_close(second);
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert(counts[0] == 2 && counts[1] == 2);
    vsdk_watch_close(first);
}

/* What is watched is the pipe: neither its descriptor's end nor its number's next use matters. */
Test(loop, descriptor_that_is_closed_before_its_watch)
{
    int count = 0, copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 3), next[2];
    vsdk_watch *watch = make_watch(NULL, ends[0], VSDK_LOOP_READ, &count);

    close(ends[0]);
    cr_assert(pipe2(next, O_CLOEXEC | O_NONBLOCK) == 0);
    cr_assert_eq(next[0], ends[0], "the number was not used again");
    cr_assert(write(next[1], "x", 1) == 1);
    cr_assert_eq(dispatch(loop, 0), 0, "another pipe is watched");
    cr_assert(write(ends[1], "x", 1) == 1);
    cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
    cr_assert_eq(count, 1);
    vsdk_watch_close(watch);
    close(next[0]);
    close(next[1]);
    close(copy);
}

Test(loop, timer_expires_once)
{
    int count = 0;
    vsdk_timer *timer = make_timer(loop, NULL, &count);

    cr_assert_eq(dispatch(loop, 0), 0);
    ok(vsdk_timer_arm(timer, 2 * MS, 0, E));
    while (count == 0)
        dispatch(loop, UINT64_MAX);
    cr_assert_eq(dispatch(loop, 5 * MS), 0);
    cr_assert_eq(count, 1);
    vsdk_timer_close(timer);
    fails(INVALID_ARGUMENT, vsdk_timer_arm(NULL, 0, 0, E));
    fails(INVALID_ARGUMENT, vsdk_timer_disarm(NULL, E));
}

Test(loop, timer_may_be_due_at_once)
{
    int count = 0;
    vsdk_timer *timer = make_timer(loop, NULL, &count);

    ok(vsdk_timer_arm(timer, 0, 0, E));
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert_eq(count, 1);
    vsdk_timer_close(timer);
}

Test(loop, periodic_timer_that_is_late_expires_once)
{
    int count = 0;
    vsdk_timer *timer = make_timer(loop, NULL, &count);

    ok(vsdk_timer_arm(timer, MS, MS, E));
    sleep_ms(10);
    cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
    cr_assert_eq(count, 1);
    while (count < 3)
        dispatch(loop, UINT64_MAX);
    ok(vsdk_timer_disarm(timer, E));
    cr_assert_eq(dispatch(loop, 5 * MS), 0);
    vsdk_timer_close(timer);
}

Test(loop, timers_expire_in_the_order_of_their_times)
{
    int counts[3] = {0};
    vsdk_timer *late = make_timer(loop, NULL, &counts[0]);
    vsdk_timer *early = make_timer(loop, NULL, &counts[1]);

    ok(vsdk_timer_arm(late, 3600000 * (uint64_t)MS, 0, E));
    ok(vsdk_timer_arm(early, 2 * MS, 0, E));
    while (counts[1] == 0)
        dispatch(loop, UINT64_MAX);
    cr_assert_eq(counts[0], 0);
    ok(vsdk_timer_arm(late, 0, 0, E));
    cr_assert_eq(dispatch(loop, 0), 1);
    vsdk_timer_close(early);
    vsdk_timer_close(late);
}

static char order[16];

static void note_letter(void *user, vsdk_work *work)
{
    size_t used = strlen(order);

    order[used] = *(const char *)user;
    order[used + 1] = 0;
}

static void note_release(void *user)
{
    (void)user;
    order[strlen(order)] = '.';
}

Test(loop, work_runs_in_the_order_of_its_posts_once)
{
    static char letters[] = "abc";
    vsdk_work *work[3];

    for (int i = 0; i < 3; i++)
        ok(vsdk_work_create(loop, NULL, note_letter, &letters[i], note_release, &work[i], E));
    cr_assert_eq(dispatch(loop, 0), 0, "it was not posted");
    for (int i = 2; i >= 0; i--) {
        ok(vsdk_work_post(work[i], E));
        ok(vsdk_work_post(work[2], E));
    }
    cr_assert_eq(dispatch(loop, 0), 3);
    cr_assert_str_eq(order, "cba");
    cr_assert_eq(dispatch(loop, 0), 0);
    for (int i = 0; i < 3; i++)
        vsdk_work_close(work[i]);
    cr_assert_str_eq(order, "cba...");
    fails(INVALID_ARGUMENT, vsdk_work_post(NULL, E));
}

Test(loop, work_is_checked)
{
    vsdk_work *work = (vsdk_work *)1;

    fails(INVALID_ARGUMENT, vsdk_work_create(loop, NULL, NULL, NULL, note_release, &work, E));
    cr_assert(work == NULL);
    fails(INVALID_ARGUMENT,
          vsdk_work_create(NULL, NULL, note_letter, NULL, note_release, &work, E));
    fails(INVALID_ARGUMENT, vsdk_work_create(loop, NULL, note_letter, NULL, note_release, NULL, E));
    cr_assert_str_eq(order, "...");
}

/* Closed before it has run it does not run; its release comes with the close. */
Test(loop, work_that_is_closed_does_not_run)
{
    static char letter = 'a';
    vsdk_work *work = NULL;

    ok(vsdk_work_create(loop, NULL, note_letter, &letter, note_release, &work, E));
    ok(vsdk_work_post(work, E));
    cr_assert(vsdk_work_ref(work) == work);
    vsdk_work_close(work);
    cr_assert_str_empty(order);
    vsdk_work_close(work);
    cr_assert_str_eq(order, ".");
    cr_assert_eq(dispatch(loop, 0), 0);
    cr_assert_str_eq(order, ".");
}

struct posting {
    vsdk_work *work;
    int left, ran;
};

static void post_again(void *user, vsdk_work *work)
{
    struct posting *posting = user;

    cr_assert(work == posting->work);
    posting->ran++;
    if (posting->left-- > 0)
        vsdk_work_post(work, NULL);
}

/* A post while it runs makes it run again, in the next dispatch. */
Test(loop, work_that_posts_itself_does_not_keep_a_dispatch)
{
    struct posting posting = {.left = 2};

    posting.work = make_work(loop, NULL, post_again, &posting);
    ok(vsdk_work_post(posting.work, E));
    for (int i = 1; i <= 3; i++) {
        cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
        cr_assert_eq(posting.ran, i);
    }
    cr_assert_eq(dispatch(loop, 0), 0);
    vsdk_work_close(posting.work);
}

static void dispatch_again(void *user, vsdk_work *work)
{
    *(vsdk_status *)user = vsdk_loop_dispatch(loop, 0, NULL, NULL);
}

Test(loop, dispatch_from_its_own_callback_is_busy)
{
    vsdk_status got = VSDK_OK;
    vsdk_work *work = make_work(loop, NULL, dispatch_again, &got);

    ok(vsdk_work_post(work, E));
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert_eq(got, VSDK_ERROR_BUSY);
    vsdk_work_close(work);
}

static void dispatch_in_device(void *user, vsdk_device *device, const vsdk_access *access)
{
    dispatch_again(user, NULL);
}

/* Of any loop: the device is locked. */
Test(loop, dispatch_from_a_callback_of_a_device_is_busy)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = dispatch_in_device};
    vsdk_status got = VSDK_OK;
    vsdk_device *device = make_device(m.vm, &ops, &got, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 1, 0, E));
    machine_start(&m, &guest_widths_out, NULL);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->width, 2);
    cr_assert_eq(got, VSDK_ERROR_BUSY);
    vsdk_device_close(device);
}

struct again {
    vsdk_timer *timer;
    int count;
};

static void arm_again(void *user, vsdk_timer *timer)
{
    struct again *again = user;

    cr_assert(timer == again->timer);
    again->count++;
    vsdk_timer_arm(again->timer, 0, 0, NULL);
}

Test(loop, timer_that_is_always_due_does_not_keep_a_dispatch)
{
    struct again again = {0};

    ok(vsdk_timer_create(loop, NULL, arm_again, &again, NULL, &again.timer, E));
    ok(vsdk_timer_arm(again.timer, 0, 0, E));
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert_eq(again.count, 2);
    vsdk_timer_close(again.timer);
}

static atomic_int is_dispatching;

static void tell_and_wait(void *user, vsdk_work *work)
{
    atomic_store(&is_dispatching, 1);
    while (!atomic_load((atomic_int *)user))
        sleep_ms(1);
}

static void *dispatch_main(void *user)
{
    (void)user;
    vsdk_loop_dispatch(loop, UINT64_MAX, NULL, NULL);
    return NULL;
}

static int has_begun(void *user)
{
    (void)user;
    return atomic_load(&is_dispatching);
}

Test(loop, another_thread_that_dispatches_is_busy)
{
    atomic_int go_on = 0;
    pthread_t thread;
    vsdk_work *work = make_work(loop, NULL, tell_and_wait, &go_on);

    ok(vsdk_work_post(work, E));
    cr_assert(pthread_create(&thread, NULL, dispatch_main, NULL) == 0);
    wait_for(has_begun, NULL, "the other thread");
    fails(BUSY, vsdk_loop_dispatch(loop, 0, NULL, E));
    atomic_store(&go_on, 1);
    pthread_join(thread, NULL);
    vsdk_work_close(work);
}

static int is_ready(vsdk_loop *which, int ms)
{
    struct pollfd poll_for = {.fd = vsdk_loop_descriptor(which), .events = POLLIN};
    return poll(&poll_for, 1, ms) == 1;
}

/* The loop nests in another: its one descriptor is readable when there is something to do. */
Test(loop, nests_in_poll)
{
    int count = 0;
    vsdk_timer *timer = make_timer(loop, NULL, &count);
    vsdk_watch *watch = make_watch(NULL, ends[0], VSDK_LOOP_READ, &count);
    vsdk_work *work = make_work(loop, NULL, count_work, &count);

    cr_assert(vsdk_loop_descriptor(loop) >= 3);
    cr_assert(!is_ready(loop, 0));
    ok(vsdk_timer_arm(timer, MS, 0, E));
    cr_assert(is_ready(loop, -1));
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert(!is_ready(loop, 0));
    cr_assert(write(ends[1], "x", 1) == 1);
    cr_assert(is_ready(loop, -1));
    cr_assert_eq(dispatch(loop, 0), 1);
    vsdk_watch_close(watch);
    cr_assert(!is_ready(loop, 0));
    ok(vsdk_work_post(work, E));
    cr_assert(is_ready(loop, -1));
    cr_assert_eq(dispatch(loop, 0), 1);
    ok(vsdk_loop_wake(loop, E));
    cr_assert(is_ready(loop, -1));
    dispatch(loop, 0);
    cr_assert(!is_ready(loop, 0));
    vsdk_work_close(work);
    vsdk_timer_close(timer);
}

static vsdk_watch *closing_watch;
static vsdk_timer *closing_timer;
static vsdk_work *closing_work;

static void close_watch(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    cr_assert(watch == closing_watch);
    vsdk_watch_close(watch);
}

static void close_timer(void *user, vsdk_timer *timer)
{
    cr_assert(timer == closing_timer);
    vsdk_timer_close(timer);
}

static void close_work(void *user, vsdk_work *work)
{
    vsdk_work_close(work);
}

Test(loop, callbacks_may_close_themselves)
{
    cr_assert(write(ends[1], "x", 1) == 1);
    ok(vsdk_watch_create(loop, NULL, ends[0], VSDK_LOOP_READ, close_watch, NULL, note_release,
                         &closing_watch, E));
    ok(vsdk_timer_create(loop, NULL, close_timer, NULL, note_release, &closing_timer, E));
    ok(vsdk_timer_arm(closing_timer, 0, 0, E));
    ok(vsdk_work_create(loop, NULL, close_work, NULL, note_release, &closing_work, E));
    ok(vsdk_work_post(closing_work, E));
    cr_assert_eq(dispatch(loop, UINT64_MAX) + dispatch(loop, 0), 3);
    cr_assert_str_eq(order, "...");
    cr_assert_eq(dispatch(loop, 0), 0);
}

Test(loop, descriptors_are_limited)
{
    vsdk_loop *second = (vsdk_loop *)1;
    struct rlimit limit, none;
    vsdk_watch *watch = NULL;
    int next = dup(ends[0]);

    cr_assert(next > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    close(next);
    none = limit;
    none.rlim_cur = (rlim_t)next;
    cr_assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
    fails(LIMIT, vsdk_loop_create(&second, E));
    cr_assert(second == NULL);
    check_clear();
    cr_assert(vsdk_vm_loop(m.vm, E) == NULL && test_error.code == VSDK_ERROR_LIMIT);
    fails(LIMIT, vsdk_watch_create(loop, NULL, ends[0], VSDK_LOOP_READ, count_watch, NULL, NULL,
                                   &watch, E));
    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    fails(LIMIT, vsdk_vm_run(m.vm, NULL, 1, NULL, E));
    cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    fails(INVALID_ARGUMENT, vsdk_loop_create(NULL, E));
}

/* Timers of a device are on the virtual machine's clock, which stands unless RUNNING. */
Test(loop, timers_of_a_device_stand_in_pause)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    vsdk_loop *own = loop_of(m.vm);
    int count = 0;
    vsdk_timer *timer = make_timer(own, device, &count);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    ok(vsdk_timer_arm(timer, MS, 0, E));
    sleep_ms(3);
    cr_assert_eq(dispatch(own, 2 * MS), 0, "fired in CREATED");
    machine_start(&m, &guest_spin, NULL);
    while (count == 0)
        dispatch(own, UINT64_MAX);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_timer_arm(timer, MS, 0, E));
    sleep_ms(3);
    cr_assert_eq(dispatch(own, 2 * MS), 0, "fired in PAUSED");
    ok(vsdk_vm_resume(m.vm, E));
    while (count == 1)
        dispatch(own, UINT64_MAX);
    cr_assert_eq(count, 2);
    vsdk_timer_close(timer);
    vsdk_device_close(device);
}

Test(loop, watches_of_a_device_are_quiet_in_pause)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    int count = 0;
    vsdk_watch *watch = make_watch(device, ends[0], VSDK_LOOP_READ, &count);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert(write(ends[1], "x", 1) == 1);
    cr_assert_eq(dispatch(loop, 2 * MS), 0, "called in PAUSED");
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
    vsdk_watch_close(watch);
    vsdk_device_close(device);
}

/* Posted in time or not: it runs after the start, once. */
Test(loop, work_of_a_device_waits_for_its_start)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    int count = 0;
    vsdk_work *work = make_work(loop, device, count_work, &count);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    ok(vsdk_work_post(work, E));
    cr_assert_eq(dispatch(loop, 2 * MS), 0, "ran in CREATED");
    machine_start(&m, &guest_spin, NULL);
    cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
    ok(vsdk_work_post(work, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_work_post(work, E));
    cr_assert_eq(dispatch(loop, 2 * MS), 0, "ran in PAUSED");
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(dispatch(loop, UINT64_MAX), 1);
    cr_assert_eq(dispatch(loop, 0), 0);
    cr_assert_eq(count, 2);
    vsdk_work_close(work);
    vsdk_device_close(device);
}

Test(loop, detach_ends_what_a_device_has_in_a_loop)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    int count = 0;
    vsdk_timer *timer = make_timer(loop, device, &count);
    vsdk_watch *watch = make_watch(device, ends[0], VSDK_LOOP_READ, &count);
    vsdk_work *work = make_work(loop, device, count_work, &count);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_timer_arm(timer, MS, MS, E));
    ok(vsdk_work_post(work, E));
    ok(vsdk_device_detach(device, E));
    cr_assert(write(ends[1], "x", 1) == 1);
    ok(vsdk_work_post(work, E));
    sleep_ms(3);
    cr_assert_eq(dispatch(loop, 5 * MS), 0);
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    cr_assert_eq(dispatch(loop, 5 * MS), 0, "over for good, it said");
    cr_assert_eq(count, 0);
    vsdk_work_close(work);
    vsdk_watch_close(watch);
    vsdk_timer_close(timer);
    vsdk_device_close(device);
}

static atomic_int slow_inside, slow_may_leave, slow_released;

static void be_slow(void)
{
    atomic_store(&slow_inside, 1);
    while (!atomic_load(&slow_may_leave))
        sleep_ms(1);
    cr_assert(!atomic_load(&slow_released), "released while it runs");
}

static void fire_slowly(void *user, vsdk_timer *timer)
{
    be_slow();
}

static void watch_slowly(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    be_slow();
}

static void work_slowly(void *user, vsdk_work *work)
{
    be_slow();
}

static void release_slow(void *user)
{
    atomic_fetch_add(&slow_released, 1);
}

static int slow_is_inside(void *user)
{
    return atomic_load(&slow_inside);
}

/* A close waits for nobody: the callback goes on, and release comes when it has returned. */
static void close_while_it_runs(void (*close)(void *), void *source)
{
    pthread_t thread;

    cr_assert(pthread_create(&thread, NULL, dispatch_main, NULL) == 0);
    wait_for(slow_is_inside, NULL, "the callback");
    close(source);
    cr_assert(!atomic_load(&slow_released));
    atomic_store(&slow_may_leave, 1);
    pthread_join(thread, NULL);
    cr_assert_eq(atomic_load(&slow_released), 1);
    cr_assert_eq(dispatch(loop, 0), 0);
}

static void close_a_timer(void *timer)
{
    vsdk_timer_close(timer);
}

static void close_a_watch(void *watch)
{
    vsdk_watch_close(watch);
}

static void close_a_work(void *work)
{
    vsdk_work_close(work);
}

Test(loop, close_of_a_timer_waits_for_no_callback)
{
    vsdk_timer *timer = NULL;

    ok(vsdk_timer_create(loop, NULL, fire_slowly, NULL, release_slow, &timer, E));
    ok(vsdk_timer_arm(timer, 0, 0, E));
    close_while_it_runs(close_a_timer, timer);
}

Test(loop, close_of_a_watch_waits_for_no_callback)
{
    vsdk_watch *watch = NULL;

    cr_assert(write(ends[1], "x", 1) == 1);
    ok(vsdk_watch_create(loop, NULL, ends[0], VSDK_LOOP_READ, watch_slowly, NULL, release_slow,
                         &watch, E));
    close_while_it_runs(close_a_watch, watch);
}

Test(loop, close_of_work_waits_for_no_callback)
{
    vsdk_work *work = NULL;

    ok(vsdk_work_create(loop, NULL, work_slowly, NULL, release_slow, &work, E));
    ok(vsdk_work_post(work, E));
    close_while_it_runs(close_a_work, work);
}

Test(loop, of_a_machine_lives_with_its_handle)
{
    vsdk_loop *own = loop_of(m.vm);
    int count = 0;
    vsdk_work *work = make_work(own, NULL, count_work, &count);

    cr_assert(own == loop_of(m.vm));
    check_clear();
    cr_assert(vsdk_vm_loop(NULL, E) == NULL && test_error.code == VSDK_ERROR_INVALID_ARGUMENT);
    ok(vsdk_work_post(work, E));
    ok(vsdk_vm_destroy(m.vm, E));
    cr_assert_eq(dispatch(own, 0), 1);
    cr_assert_eq(count, 1);
    ok(vsdk_work_post(work, E));
    cr_assert_eq(dispatch(own, UINT64_MAX), 1);
    vsdk_work_close(work);
}

/* Who dispatches it takes a reference; it goes on without its machine. */
Test(loop, of_a_machine_that_was_closed)
{
    vsdk_loop *own = vsdk_loop_ref(loop_of(m.vm));
    int count = 0;
    vsdk_timer *timer = make_timer(own, NULL, &count);

    machine_end(&m);
    ok(vsdk_timer_arm(timer, 0, 0, E));
    cr_assert_eq(dispatch(own, UINT64_MAX), 1);
    cr_assert_eq(count, 1);
    vsdk_timer_close(timer);
    vsdk_loop_close(own);
}
