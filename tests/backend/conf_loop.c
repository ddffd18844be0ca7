/* Loops: descriptors, timers and deferred work on the thread that dispatches. */
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

static void count_timer(void *user)
{
    ++*(int *)user;
}

static void count_watch(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
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
    vsdk_watch *watch = (vsdk_watch *)1, *first;

    fails(INVALID_ARGUMENT,
          vsdk_watch_create(loop, NULL, -1, VSDK_LOOP_READ, count_watch, &count, NULL, &watch, E));
    cr_assert(watch == NULL);
    fails(INVALID_ARGUMENT, vsdk_watch_create(loop, NULL, file, VSDK_LOOP_READ, count_watch, &count,
                                              NULL, &watch, E));
    fails(INVALID_ARGUMENT,
          vsdk_watch_create(loop, NULL, ends[0], 0x80, count_watch, &count, NULL, &watch, E));
    first = make_watch(NULL, ends[0], VSDK_LOOP_READ, &count);
    fails(EXISTS, vsdk_watch_create(loop, NULL, ends[0], VSDK_LOOP_READ, count_watch, &count, NULL,
                                    &watch, E));
    fails(INVALID_ARGUMENT, vsdk_watch_set_events(first, 0x80, E));
    fails(INVALID_ARGUMENT, vsdk_watch_set_events(NULL, VSDK_LOOP_READ, E));
    vsdk_watch_close(first);
    first = make_watch(NULL, ends[0], VSDK_LOOP_READ, &count);
    vsdk_watch_close(first);
    close(file);
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

static void note_letter(void *user)
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

Test(loop, deferred_work_runs_in_order_once)
{
    static char letters[] = "abc";

    for (int i = 0; i < 3; i++)
        ok(vsdk_loop_defer(loop, note_letter, &letters[i], note_release, E));
    cr_assert_eq(dispatch(loop, 0), 3);
    cr_assert_str_eq(order, "a.b.c.");
    cr_assert_eq(dispatch(loop, 0), 0);
    fails(INVALID_ARGUMENT, vsdk_loop_defer(loop, NULL, NULL, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_loop_defer(NULL, note_letter, NULL, NULL, E));
}

static void dispatch_again(void *user)
{
    *(vsdk_status *)user = vsdk_loop_dispatch(loop, 0, NULL, NULL);
}

Test(loop, dispatch_from_its_own_callback_is_busy)
{
    vsdk_status got = VSDK_OK;

    ok(vsdk_loop_defer(loop, dispatch_again, &got, NULL, E));
    cr_assert_eq(dispatch(loop, 0), 1);
    cr_assert_eq(got, VSDK_ERROR_BUSY);
}

static void dispatch_in_device(void *user, vsdk_device *device, const vsdk_access *access)
{
    dispatch_again(user);
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

static void arm_again(void *user)
{
    struct again *again = user;

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

static void tell_and_wait(void *user)
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

    ok(vsdk_loop_defer(loop, tell_and_wait, &go_on, NULL, E));
    cr_assert(pthread_create(&thread, NULL, dispatch_main, NULL) == 0);
    wait_for(has_begun, NULL, "the other thread");
    fails(BUSY, vsdk_loop_dispatch(loop, 0, NULL, E));
    atomic_store(&go_on, 1);
    pthread_join(thread, NULL);
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
    ok(vsdk_loop_defer(loop, count_timer, &count, NULL, E));
    cr_assert(is_ready(loop, -1));
    cr_assert_eq(dispatch(loop, 0), 1);
    ok(vsdk_loop_wake(loop, E));
    cr_assert(is_ready(loop, -1));
    dispatch(loop, 0);
    cr_assert(!is_ready(loop, 0));
    vsdk_timer_close(timer);
}

static vsdk_watch *closing_watch;
static vsdk_timer *closing_timer;

static void close_watch(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    (void)user, (void)descriptor, (void)events;
    vsdk_watch_close(closing_watch);
}

static void close_timer(void *user)
{
    (void)user;
    vsdk_timer_close(closing_timer);
}

Test(loop, callbacks_may_close_themselves)
{
    cr_assert(write(ends[1], "x", 1) == 1);
    ok(vsdk_watch_create(loop, NULL, ends[0], VSDK_LOOP_READ, close_watch, NULL, note_release,
                         &closing_watch, E));
    ok(vsdk_timer_create(loop, NULL, close_timer, NULL, note_release, &closing_timer, E));
    ok(vsdk_timer_arm(closing_timer, 0, 0, E));
    cr_assert_eq(dispatch(loop, UINT64_MAX) + dispatch(loop, 0), 2);
    cr_assert_str_eq(order, "..");
    cr_assert_eq(dispatch(loop, 0), 0);
}

Test(loop, descriptors_are_limited)
{
    vsdk_loop *second = (vsdk_loop *)1;
    struct rlimit limit, none;
    int next = dup(ends[0]);

    cr_assert(next > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    close(next);
    none = limit;
    none.rlim_cur = (rlim_t)next;
    cr_assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
    fails(LIMIT, vsdk_loop_create(&second, E));
    cr_assert(second == NULL);
    second = (vsdk_loop *)1;
    fails(LIMIT, vsdk_vm_get_loop(m.vm, &second, E));
    cr_assert(second == NULL);
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

Test(loop, detach_ends_the_timers_of_a_device)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    int count = 0;
    vsdk_timer *timer = make_timer(loop, device, &count);
    vsdk_watch *watch = make_watch(device, ends[0], VSDK_LOOP_READ, &count);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_timer_arm(timer, MS, MS, E));
    ok(vsdk_device_detach(device, E));
    cr_assert(write(ends[1], "x", 1) == 1);
    sleep_ms(3);
    cr_assert_eq(dispatch(loop, 5 * MS), 0);
    vsdk_watch_close(watch);
    vsdk_timer_close(timer);
    vsdk_device_close(device);
}

static atomic_int slow_inside, slow_left;

static void fire_slowly(void *user)
{
    (void)user;
    atomic_store(&slow_inside, 1);
    sleep_ms(20);
    atomic_store(&slow_left, 1);
}

static int slow_is_inside(void *user)
{
    (void)user;
    return atomic_load(&slow_inside);
}

Test(loop, close_waits_for_a_running_callback)
{
    vsdk_timer *timer = NULL;
    pthread_t thread;

    ok(vsdk_timer_create(loop, NULL, fire_slowly, NULL, NULL, &timer, E));
    ok(vsdk_timer_arm(timer, 0, 0, E));
    cr_assert(pthread_create(&thread, NULL, dispatch_main, NULL) == 0);
    wait_for(slow_is_inside, NULL, "the callback");
    vsdk_timer_close(timer);
    cr_assert(atomic_load(&slow_left), "close returned while the callback was running");
    pthread_join(thread, NULL);
}

Test(loop, of_a_machine_lives_with_its_handle)
{
    vsdk_loop *own = loop_of(m.vm);
    int count = 0;

    cr_assert(own && own == loop_of(m.vm));
    fails(INVALID_ARGUMENT, vsdk_vm_get_loop(m.vm, NULL, E));
    ok(vsdk_loop_defer(own, count_timer, &count, NULL, E));
    ok(vsdk_vm_destroy(m.vm, E));
    dispatch(own, 0);
    cr_assert_eq(count, 1);
}
