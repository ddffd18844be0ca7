/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: watches, timers, work, waits and wakes, and kernels that lack a call. */
#include "core_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000000 };

static vsdk_loop *loop;

static void begin(void)
{
    ok(vsdk_loop_create(&loop, NULL));
}

static void end(void)
{
    vsdk_loop_close(loop);
}

TestSuite(loop, .init = begin, .fini = end);

struct calls {
    uint32_t count, releases, events;
    char *trace;
    char mark;
    void (*inside)(struct calls *calls);
    vsdk_timer *timer;
    vsdk_watch *watch;
    vsdk_work *work;
    int fd;
    vsdk_status status;
};

static void called(void *user)
{
    struct calls *calls = user;

    calls->count++;
    if (calls->trace)
        calls->trace[strlen(calls->trace)] = calls->mark;
    if (calls->inside)
        calls->inside(calls);
}

static void timed(void *user, vsdk_timer *timer)
{
    cr_assert_not_null(timer);
    called(user);
}

static void worked(void *user, vsdk_work *work)
{
    cr_assert_eq(((struct calls *)user)->work, work);
    called(user);
}

static void ready(void *user, vsdk_watch *watch, int32_t fd, uint32_t events)
{
    struct calls *calls = user;

    calls->fd = fd;
    calls->events = events;
    called(user);
}

static void release(void *user)
{
    ((struct calls *)user)->releases++;
}

static vsdk_timer *timer_of(struct calls *calls)
{
    ok(vsdk_timer_create(loop, NULL, timed, calls, release, &calls->timer, NULL));
    return calls->timer;
}

static vsdk_work *work_of(struct calls *calls)
{
    ok(vsdk_work_create(loop, NULL, worked, calls, release, &calls->work, NULL));
    return calls->work;
}

static uint32_t dispatch(uint64_t timeout)
{
    uint32_t n = 99;

    ok(vsdk_loop_dispatch(loop, timeout, &n, NULL));
    return n;
}

static int readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, timeout_ms) == 1;
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

Test(loop, its_descriptor_is_readable_when_something_is_due)
{
    struct calls calls = {0};
    vsdk_timer *timer = timer_of(&calls);
    int fd = vsdk_loop_descriptor(loop);

    cr_assert_geq(fd, 3);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert_not(readable(fd, 0));
    ok(vsdk_timer_arm(timer, 5 * MS, 0, NULL));
    cr_assert_not(readable(fd, 0));
    cr_assert(readable(fd, 5000));
    cr_assert_eq(dispatch(0), 1);
    cr_assert_not(readable(fd, 0));
    ok(vsdk_work_post(work_of(&calls), NULL));
    cr_assert(readable(fd, 0));
    cr_assert_eq(dispatch(0), 1);
    cr_assert_not(readable(fd, 0));
    ok(vsdk_loop_wake(loop, NULL));
    cr_assert(readable(fd, 0));
    cr_assert_eq(dispatch(UINT64_MAX), 0);
    cr_assert_not(readable(fd, 0));
    cr_assert_eq(calls.count, 2);
    vsdk_timer_close(timer);
    vsdk_work_close(calls.work);
    cr_assert_eq(calls.releases, 2);
}

Test(loop, nests_in_another_loop)
{
    struct calls inner = {0}, outer = {0};
    vsdk_loop *parent;
    vsdk_timer *timer = timer_of(&inner);
    vsdk_watch *watch;
    uint32_t n;

    ok(vsdk_loop_create(&parent, NULL));
    ok(vsdk_watch_create(parent, NULL, vsdk_loop_descriptor(loop), VSDK_LOOP_READ, ready, &outer,
                         NULL, &watch, NULL));
    ok(vsdk_timer_arm(timer, 2 * MS, 0, NULL));
    ok(vsdk_loop_dispatch(parent, UINT64_MAX, &n, NULL));
    cr_assert_eq(n, 1);
    cr_assert_eq(dispatch(0), 1);
    ok(vsdk_loop_dispatch(parent, 0, &n, NULL));
    cr_assert_eq(n, 0);
    vsdk_watch_close(watch);
    vsdk_loop_close(parent);
    vsdk_timer_close(timer);
}

Test(loop, timers_run_in_their_order)
{
    static const uint32_t delay[8] = {7, 3, 5, 1, 8, 2, 6, 4};
    struct calls calls[8] = {0};
    char trace[16] = {0};

    for (int i = 0; i < 8; i++) {
        calls[i].trace = trace;
        calls[i].mark = (char)('0' + delay[i]);
        ok(vsdk_timer_arm(timer_of(&calls[i]), delay[i] * 20 * MS, 0, NULL));
    }
    ok(vsdk_timer_disarm(calls[2].timer, NULL));
    usleep(170000);
    cr_assert_eq(dispatch(0), 7);
    cr_assert_str_eq(trace, "1234678");
    for (int i = 0; i < 8; i++)
        vsdk_timer_close(calls[i].timer);
}

Test(loop, many_timers)
{
    enum { N = 500 };
    static struct calls calls[N];
    uint32_t ran = 0;

    for (uint32_t i = 0; i < N; i++)
        ok(vsdk_timer_arm(timer_of(&calls[i]), i * 7919 % N * 1000, 0, NULL));
    for (uint32_t i = 0; i < N; i += 3)
        ok(vsdk_timer_disarm(calls[i].timer, NULL));
    for (uint32_t i = 1; i < N; i += 3)
        vsdk_timer_close(calls[i].timer);
    usleep(1000);
    while (ran < N / 3)
        ran += dispatch(100 * MS);
    for (uint32_t i = 0; i < N; i++) {
        cr_assert_eq(calls[i].count, i % 3 == 2);
        if (i % 3 != 1)
            vsdk_timer_close(calls[i].timer);
        cr_assert_eq(calls[i].releases, 1);
    }
}

static void arm_again(struct calls *calls)
{
    ok(vsdk_timer_arm(calls->timer, 0, 0, NULL));
}

Test(loop, a_timer_armed_inside_its_callback_waits_for_the_next_dispatch)
{
    struct calls calls = {.inside = arm_again};

    ok(vsdk_timer_arm(timer_of(&calls), 0, 0, NULL));
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_eq(calls.count, 2);
    vsdk_timer_close(calls.timer);
}

Test(loop, a_late_period_comes_once_and_keeps_its_phase)
{
    struct calls calls = {0};
    uint64_t start = now();

    ok(vsdk_timer_arm(timer_of(&calls), 10 * MS, 10 * MS, NULL));
    usleep(35000);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_eq(calls.count, 2);
    cr_assert_geq(now() - start, 40 * MS);
    ok(vsdk_timer_disarm(calls.timer, NULL));
    cr_assert_eq(dispatch(15 * MS), 0);
    vsdk_timer_close(calls.timer);
}

Test(loop, extreme_times_are_never)
{
    struct calls calls = {0};

    ok(vsdk_timer_arm(timer_of(&calls), UINT64_MAX, 0, NULL));
    cr_assert_eq(dispatch(MS), 0);
    ok(vsdk_timer_arm(calls.timer, 0, UINT64_MAX, NULL));
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_eq(dispatch(MS), 0);
    vsdk_timer_close(calls.timer);
}

static void disarm_other(struct calls *calls)
{
    ok(vsdk_timer_disarm(calls->timer, NULL));
}

Test(loop, a_due_timer_that_another_disarms_does_not_run)
{
    struct calls first = {.inside = disarm_other}, second = {0};
    vsdk_timer *one = timer_of(&first), *two = timer_of(&second);

    first.timer = two;
    ok(vsdk_timer_arm(one, 0, 0, NULL));
    ok(vsdk_timer_arm(two, 1, 0, NULL));
    usleep(1000);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(second.count, 0);
    vsdk_timer_close(one);
    vsdk_timer_close(two);
}

static void close_own(struct calls *calls)
{
    vsdk_timer_close(calls->timer);
    vsdk_watch_close(calls->watch);
    cr_assert_eq(calls->releases, 0);
}

Test(loop, close_from_its_own_callback)
{
    struct calls timer = {.inside = close_own}, watch = {.inside = close_own};
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    ok(vsdk_timer_arm(timer_of(&timer), 0, MS, NULL));
    ok(vsdk_watch_create(loop, NULL, fds[0], VSDK_LOOP_READ, ready, &watch, release, &watch.watch,
                         NULL));
    cr_assert_eq(write(fds[1], "x", 1), 1);
    usleep(2000);
    cr_assert_eq(dispatch(1000 * MS), 2);
    cr_assert_eq(dispatch(3 * MS), 0);
    cr_assert_eq(timer.releases, 1);
    cr_assert_eq(watch.releases, 1);
    close(fds[0]);
    close(fds[1]);
}

static volatile sig_atomic_t handled;

static void wake_in_handler(int signal)
{
    (void)signal;
    if (++handled == 3)
        vsdk_loop_wake(loop, NULL);
}

Test(loop, a_signal_does_not_end_the_wait_but_a_wake_in_its_handler_does)
{
    struct itimerval often = {.it_interval = {0, 10000}, .it_value = {0, 10000}}, never = {0};

    signal(SIGALRM, wake_in_handler);
    setitimer(ITIMER_REAL, &often, NULL);
    cr_assert_eq(dispatch(UINT64_MAX), 0);
    cr_assert_geq(handled, 3);
    handled = 10;
    uint64_t start = now();
    cr_assert_eq(dispatch(50 * MS), 0);
    cr_assert_geq(now() - start, 50 * MS);
    setitimer(ITIMER_REAL, &never, NULL);
}

static void dispatch_inside(struct calls *calls)
{
    calls->status = vsdk_loop_dispatch(loop, 0, NULL, NULL);
}

Test(loop, a_callback_does_not_dispatch_its_loop)
{
    struct calls calls = {.inside = dispatch_inside};

    ok(vsdk_work_post(work_of(&calls), NULL));
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(calls.status, VSDK_ERROR_BUSY);
    vsdk_work_close(calls.work);
}

Test(loop, watches_are_level_triggered)
{
    struct calls calls = {0};
    vsdk_watch *watch;
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    ok(vsdk_watch_create(loop, NULL, fds[0], VSDK_LOOP_READ, ready, &calls, release, &watch, NULL));
    cr_assert_eq(dispatch(0), 0);
    cr_assert_eq(write(fds[1], "x", 1), 1);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(calls.events, VSDK_LOOP_READ);
    cr_assert_eq(calls.fd, fds[0]); /* the caller's number, not that of a duplicate */
    ok(vsdk_watch_set_events(watch, 0, NULL));
    cr_assert_eq(dispatch(0), 0);
    close(fds[1]);
    cr_assert_eq(dispatch(0), 0);
    ok(vsdk_watch_set_events(watch, VSDK_LOOP_READ, NULL));
    cr_assert_eq(dispatch(0), 1);
    fails(INVALID_ARGUMENT, vsdk_watch_set_events(watch, 8, E));
    vsdk_watch_close(watch);
    cr_assert_eq(calls.releases, 1);
    cr_assert_eq(dispatch(0), 0);
    ok(vsdk_watch_create(loop, NULL, fds[0], VSDK_LOOP_READ, ready, &calls, NULL, &watch, NULL));
    vsdk_watch_close(watch);
    close(fds[0]);
}

/* An older kernel says ENOSYS, a filter EPERM: each time, and the first answer is not the last. */
static int no_epoll_pwait2;
static unsigned asked_for_it;

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number != SYS_epoll_pwait2 || !no_epoll_pwait2)
        return __real_syscall(number, a, b, c, d, e, f);
    asked_for_it++;
    errno = no_epoll_pwait2;
    return -1;
}

static void watches_without(int answer)
{
    struct calls calls = {0};
    vsdk_watch *watch;
    int fds[2];

    no_epoll_pwait2 = answer;
    cr_assert_eq(pipe(fds), 0);
    ok(vsdk_watch_create(loop, NULL, fds[0], VSDK_LOOP_READ, ready, &calls, release, &watch, NULL));
    cr_assert_eq(dispatch(0), 0);
    cr_assert_eq(write(fds[1], "x", 1), 1);
    cr_assert_eq(dispatch(VSDK_FOREVER), 1);
    cr_assert_eq(calls.fd, fds[0]);
    vsdk_watch_close(watch);
    uint64_t before = now();
    cr_assert_eq(dispatch(MS / 2), 0);
    cr_assert(now() - before >= MS / 2);
    cr_assert_eq(asked_for_it, 1);
    close(fds[0]);
    close(fds[1]);
}

Test(loop, waits_on_a_kernel_without_epoll_pwait2)
{
    watches_without(ENOSYS);
}

Test(loop, waits_where_a_filter_forbids_epoll_pwait2)
{
    watches_without(EPERM);
}

Test(loop, one_descriptor_has_several_watches)
{
    struct calls a = {0}, b = {0};
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    ok(vsdk_watch_create(loop, NULL, fds[0], VSDK_LOOP_READ, ready, &a, release, &a.watch, NULL));
    ok(vsdk_watch_create(loop, NULL, fds[0], VSDK_LOOP_READ, ready, &b, release, &b.watch, NULL));
    cr_assert_eq(write(fds[1], "x", 1), 1);
    cr_assert_eq(dispatch(0), 2);
    vsdk_watch_close(a.watch);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(a.count, 1);
    cr_assert_eq(b.count, 2);
    vsdk_watch_close(b.watch);
    cr_assert_eq(a.releases + b.releases, 2);
    close(fds[0]);
    close(fds[1]);
}

/* A caller who closes his descriptor first leaves a watch that works: it has a duplicate, and what
 * gets the same number next is none of its business. */
Test(loop, a_watch_keeps_its_descriptor)
{
    struct calls calls = {0};
    int fds[2], other[2];

    cr_assert_eq(pipe(fds), 0);
    ok(vsdk_watch_create(loop, NULL, fds[0], VSDK_LOOP_READ, ready, &calls, release, &calls.watch,
                         NULL));
    close(fds[0]);
    cr_assert_eq(pipe(other), 0);
    cr_assert_eq(other[0], fds[0]);
    cr_assert_eq(write(other[1], "y", 1), 1);
    cr_assert_eq(dispatch(0), 0);
    cr_assert_eq(write(fds[1], "x", 1), 1); /* no SIGPIPE: the read end is open still */
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(calls.fd, fds[0]);
    ok(vsdk_watch_set_events(calls.watch, 0, NULL));
    cr_assert_eq(dispatch(0), 0);
    ok(vsdk_watch_set_events(calls.watch, VSDK_LOOP_READ, NULL));
    cr_assert_eq(dispatch(0), 1);
    vsdk_watch_close(calls.watch);
    cr_assert_eq(calls.releases, 1);
    cr_assert_eq(dispatch(0), 0);
    cr_assert_not(readable(vsdk_loop_descriptor(loop), 0));
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(write(fds[1], "x", 1), -1); /* and now it is closed */
    close(fds[1]);
    close(other[0]);
    close(other[1]);
}

Test(loop, what_cannot_be_watched_is_refused)
{
    struct calls calls = {0};
    vsdk_watch *watch;
    int file = open("/", O_RDONLY);

    fails(INVALID_ARGUMENT,
          vsdk_watch_create(loop, NULL, -1, VSDK_LOOP_READ, ready, &calls, release, &watch, E));
    fails(INVALID_ARGUMENT,
          vsdk_watch_create(loop, NULL, file, VSDK_LOOP_READ, ready, &calls, release, &watch, E));
    fails(INVALID_ARGUMENT, vsdk_watch_create(loop, NULL, 0, 8, ready, &calls, release, &watch, E));
    fails(INVALID_ARGUMENT, vsdk_watch_create(loop, NULL, 0, 1, NULL, &calls, release, &watch, E));
    fails(INVALID_ARGUMENT, vsdk_timer_create(loop, NULL, NULL, &calls, release, &calls.timer, E));
    fails(INVALID_ARGUMENT, vsdk_work_create(loop, NULL, NULL, &calls, release, &calls.work, E));
    fails(INVALID_ARGUMENT, vsdk_work_create(NULL, NULL, worked, &calls, release, &calls.work, E));
    fails(INVALID_ARGUMENT, vsdk_work_create(loop, NULL, worked, &calls, release, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_work_post(NULL, E));
    cr_assert_eq(calls.releases, 8);
    close(file);
}

static void close_other(struct calls *calls)
{
    vsdk_watch_close(calls->watch);
    calls->watch = NULL;
}

Test(loop, a_ready_watch_that_another_closes_does_not_run)
{
    struct calls a = {.inside = close_other}, b = {.inside = close_other};
    vsdk_watch *one, *two;
    int fds[2][2];

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(pipe(fds[i]), 0);
        cr_assert_eq(write(fds[i][1], "x", 1), 1);
    }
    ok(vsdk_watch_create(loop, NULL, fds[0][0], VSDK_LOOP_READ, ready, &a, release, &one, NULL));
    ok(vsdk_watch_create(loop, NULL, fds[1][0], VSDK_LOOP_READ, ready, &b, release, &two, NULL));
    a.watch = two;
    b.watch = one;
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(a.count + b.count, 1);
    cr_assert_eq(a.releases + b.releases, 1);
    vsdk_watch_close(a.count ? one : two);
}

/* Timers and watches of devices. */

struct of_device {
    struct core_rig rig;
    struct notes notes;
    struct calls timer, watch;
    vsdk_device *device;
    int fds[2];
};

static void of_device_make(struct of_device *d)
{
    memset(d, 0, sizeof *d);
    rig_make(&d->rig);
    d->device = rig_device(&d->rig, &d->notes, 0);
    ok(vsdk_device_add_range(d->device, VSDK_SPACE_PIO, 0x80, 1, 0, NULL));
    ok(vsdk_timer_create(loop, d->device, timed, &d->timer, release, &d->timer.timer, NULL));
    cr_assert_eq(pipe(d->fds), 0);
    ok(vsdk_watch_create(loop, d->device, d->fds[0], VSDK_LOOP_READ, ready, &d->watch, release,
                         &d->watch.watch, NULL));
    cr_assert_eq(write(d->fds[1], "x", 1), 1);
}

static void of_device_end(struct of_device *d)
{
    vsdk_device_close(d->device);
    rig_end(&d->rig);
    vsdk_timer_close(d->timer.timer);
    vsdk_watch_close(d->watch.watch);
    cr_assert_eq(d->timer.releases, 1);
    cr_assert_eq(d->watch.releases, 1);
    cr_assert_eq(d->notes.releases, 1);
    close(d->fds[0]);
    close(d->fds[1]);
}

/* Nothing runs; what became due may wake the loop once, and no more after that. */
static void quiet(void)
{
    cr_assert_eq(dispatch(0), 0);
    cr_assert_not(readable(vsdk_loop_descriptor(loop), 5));
}

Test(loop, a_devices_timers_and_watches_stand_while_its_machine_does)
{
    struct of_device d;

    of_device_make(&d);
    ok(vsdk_timer_arm(d.timer.timer, 200 * MS, 0, NULL));
    quiet();
    usleep(250000);
    quiet();
    ok(vsdk_vm_resume(d.rig.vm, NULL));
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_eq(d.watch.count, 1);
    ok(vsdk_watch_set_events(d.watch.watch, 0, NULL));
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_eq(d.timer.count, 1);
    ok(vsdk_timer_arm(d.timer.timer, 0, 0, NULL));
    ok(vsdk_watch_set_events(d.watch.watch, VSDK_LOOP_READ, NULL));
    ok(vsdk_vm_pause(d.rig.vm, 0, VSDK_FOREVER, NULL));
    quiet();
    ok(vsdk_timer_arm(d.timer.timer, 20 * MS, 0, NULL));
    ok(vsdk_watch_set_events(d.watch.watch, 0, NULL));
    usleep(25000);
    cr_assert_eq(dispatch(0), 0);
    uint64_t start = now();
    ok(vsdk_vm_resume(d.rig.vm, NULL));
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_geq(now() - start, 19 * MS);
    cr_assert_eq(d.timer.count, 2);
    of_device_end(&d);
}

Test(loop, detach_ends_timers_and_watches)
{
    struct of_device d;

    of_device_make(&d);
    ok(vsdk_vm_resume(d.rig.vm, NULL));
    ok(vsdk_timer_arm(d.timer.timer, 0, 0, NULL));
    ok(vsdk_device_detach(d.device, NULL));
    cr_assert_eq(d.timer.releases, 1);
    cr_assert_eq(dispatch(2 * MS), 0);
    ok(vsdk_timer_arm(d.timer.timer, 0, 0, NULL));
    ok(vsdk_watch_set_events(d.watch.watch, VSDK_LOOP_READ, NULL));
    cr_assert_eq(dispatch(2 * MS), 0);
    of_device_end(&d);
}

Test(loop, a_guest_that_ended_has_no_timers)
{
    struct of_device d;

    of_device_make(&d);
    ok(vsdk_vm_resume(d.rig.vm, NULL));
    ok(vsdk_timer_arm(d.timer.timer, 0, 0, NULL));
    ok(vsdk_vm_stop(d.rig.vm, VSDK_EXIT_STOP, 0, 0, NULL));
    cr_assert_eq(dispatch(MS), 0);
    cr_assert_not(readable(vsdk_loop_descriptor(loop), 5));
    of_device_end(&d);
}

Test(loop, destroy_ends_timers_and_watches)
{
    struct of_device d;
    struct calls late = {0};

    of_device_make(&d);
    ok(vsdk_vm_resume(d.rig.vm, NULL));
    ok(vsdk_timer_arm(d.timer.timer, 0, 0, NULL));
    ok(vsdk_vm_destroy(d.rig.vm, NULL));
    cr_assert_eq(dispatch(MS), 0);
    ok(vsdk_timer_arm(d.timer.timer, 0, 0, NULL));
    cr_assert_eq(dispatch(MS), 0);
    fails(GONE, vsdk_timer_create(loop, d.device, timed, &late, release, &late.timer, E));
    fails(GONE, vsdk_watch_create(loop, d.device, d.fds[1], VSDK_LOOP_WRITE, ready, &late, release,
                                  &late.watch, E));
    cr_assert_eq(late.releases, 2);
    of_device_end(&d);
}

Test(loop, a_pause_that_is_withdrawn_lets_timers_fire)
{
    struct of_device d;

    of_device_make(&d);
    ok(vsdk_vm_resume(d.rig.vm, NULL));
    ok(vsdk_vm_pause_request(d.rig.vm, NULL));
    ok(vsdk_vm_resume(d.rig.vm, NULL));
    ok(vsdk_timer_arm(d.timer.timer, 0, 0, NULL));
    usleep(1000);
    cr_assert_eq(dispatch(1000 * MS), 2);
    of_device_end(&d);
}

static struct core_rig last;
static vsdk_device *last_device;

/* A timer of a device closes all there is of its virtual machine: that is destroyed on this thread
 * when the callback is over, and the device released without a stop. */
static void drop_all(struct calls *calls)
{
    struct notes *notes = vsdk_device_user(last_device, &notes_ops);

    vsdk_device_close(last_device);
    vsdk_timer_close(calls->timer);
    rig_end(&last);
    cr_assert_eq(notes->releases, 0);
}

Test(loop, a_timer_may_drop_the_last_of_its_machine)
{
    struct notes notes = {0};
    struct calls calls = {.inside = drop_all};

    rig_make(&last);
    last_device = rig_device(&last, &notes, 0);
    ok(vsdk_device_add_range(last_device, VSDK_SPACE_PIO, 0x80, 1, 0, NULL));
    ok(vsdk_timer_create(loop, last_device, timed, &calls, release, &calls.timer, NULL));
    ok(vsdk_timer_arm(calls.timer, 0, 0, NULL));
    rig_run(&last);
    cr_assert_eq(dispatch(1000 * MS), 1);
    cr_assert_eq(notes.releases, 1);
    cr_assert_eq(notes.stops, 0);
    cr_assert_eq(calls.releases, 1);
}
