/* SPDX-License-Identifier: Apache-2.0 */
/* Work: posts that count as one, their order, and when work does not run. */
#include "core_rig.h"
#include <poll.h>
#include <pthread.h>

static vsdk_loop *loop;

static void begin(void)
{
    ok(vsdk_loop_create(&loop, NULL));
}

static void end(void)
{
    vsdk_loop_close(loop);
}

TestSuite(work, .init = begin, .fini = end);

struct task {
    vsdk_work *work;
    uint32_t runs, releases, late;
    char *trace;
    char mark;
    void (*inside)(struct task *task);
    struct task *other;
    vsdk_status status;
};

static void run(void *user, vsdk_work *work)
{
    struct task *task = user;

    cr_assert_eq(work, task->work);
    task->late += task->releases;
    task->runs++;
    if (task->trace)
        task->trace[strlen(task->trace)] = task->mark;
    if (task->inside)
        task->inside(task);
}

static void release(void *user)
{
    ((struct task *)user)->releases++;
}

static void make_for(struct task *task, vsdk_device *device)
{
    ok(vsdk_work_create(loop, device, run, task, release, &task->work, NULL));
}

static void make(struct task *task)
{
    make_for(task, NULL);
}

static void post(struct task *task)
{
    ok(vsdk_work_post(task->work, NULL));
}

static uint32_t dispatch(uint64_t timeout)
{
    uint32_t n = 99;

    ok(vsdk_loop_dispatch(loop, timeout, &n, NULL));
    return n;
}

static int readable(void)
{
    struct pollfd p = {.fd = vsdk_loop_descriptor(loop), .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

Test(work, posts_before_it_runs_are_one)
{
    struct task task = {0};

    make(&task);
    cr_assert_eq(dispatch(0), 0);
    cr_assert_not(readable());
    for (int i = 0; i < 3; i++)
        post(&task);
    cr_assert(readable());
    cr_assert_eq(dispatch(VSDK_FOREVER), 1);
    cr_assert_eq(dispatch(0), 0);
    cr_assert_not(readable());
    post(&task);
    cr_assert_eq(dispatch(VSDK_FOREVER), 1);
    cr_assert_eq(task.runs, 2);
    vsdk_work_close(task.work);
    cr_assert_eq(task.releases, 1);
}

Test(work, runs_in_the_order_of_posts)
{
    char trace[16] = {0};
    struct task tasks[4] = {{0}};

    for (int i = 0; i < 4; i++) {
        tasks[i] = (struct task){.trace = trace, .mark = (char)('a' + i)};
        make(&tasks[i]);
    }
    for (int i = 3; i >= 0; i--)
        post(&tasks[i]);
    post(&tasks[3]); /* it keeps its place */
    cr_assert_eq(dispatch(0), 4);
    cr_assert_str_eq(trace, "dcba");
    for (int i = 0; i < 4; i++)
        vsdk_work_close(tasks[i].work);
}

static void post_again(struct task *task)
{
    if (task->runs < 3)
        post(task);
}

static void post_other(struct task *task)
{
    post(task->other);
}

Test(work, a_post_while_it_runs_makes_it_run_again)
{
    char trace[16] = {0};
    struct task a = {.trace = trace, .mark = 'a', .inside = post_again};
    struct task b = {.trace = trace, .mark = 'b'};

    make(&a);
    make(&b);
    post(&a);
    post(&b);
    cr_assert_eq(dispatch(0), 2); /* what is posted meanwhile waits for the next dispatch */
    cr_assert(readable());
    cr_assert_eq(dispatch(VSDK_FOREVER), 1);
    cr_assert_eq(dispatch(VSDK_FOREVER), 1);
    cr_assert_eq(dispatch(0), 0);
    cr_assert_str_eq(trace, "abaa");
    a.inside = post_other;
    a.other = &b;
    post(&b);
    post(&a);
    cr_assert_eq(dispatch(0), 2); /* b has run when a posts it */
    cr_assert_eq(dispatch(0), 1);
    cr_assert_str_eq(trace, "abaabab");
    vsdk_work_close(a.work);
    vsdk_work_close(b.work);
}

static void close_other_and_post(struct task *task)
{
    if (task->runs == 1) {
        vsdk_work_close(task->other->work);
        cr_assert_eq(task->other->releases, 1);
    }
    if (task->runs < 10)
        post(task);
}

/* Also where what was posted last is gone when its turn would come: a dispatch ends. */
Test(work, a_dispatch_runs_each_post_once)
{
    struct task last = {0}, first = {.inside = close_other_and_post, .other = &last};

    make(&first);
    make(&last);
    post(&first);
    post(&last);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(first.runs, 1);
    cr_assert_eq(last.runs, 0);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(first.runs, 2);
    vsdk_work_close(first.work);
}

Test(work, closed_while_posted_does_not_run)
{
    struct task a = {0}, b = {0};

    make(&a);
    make(&b);
    post(&a);
    post(&b);
    cr_assert_eq(vsdk_work_ref(a.work), a.work);
    vsdk_work_close(a.work);
    cr_assert_eq(a.releases, 0);
    vsdk_work_close(a.work);
    cr_assert_eq(a.releases, 1);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(a.runs, 0);
    cr_assert_eq(b.runs, 1);
    vsdk_work_close(b.work);
}

static void close_self(struct task *task)
{
    post(task);
    vsdk_work_close(task->work);
    cr_assert_eq(task->releases, 0);
}

Test(work, closed_in_its_own_callback_runs_no_more)
{
    struct task task = {.inside = close_self};

    make(&task);
    post(&task);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(task.releases, 1);
    cr_assert_eq(dispatch(0), 0);
    cr_assert_eq(task.runs, 1);
}

static void close_loop(struct task *task)
{
    vsdk_loop_close(loop);
}

Test(work, its_loop_may_be_closed_first)
{
    struct task a = {.inside = close_loop}, b = {0};

    make(&a);
    make(&b);
    post(&a);
    cr_assert_eq(dispatch(0), 1);
    post(&b); /* nobody will run it */
    vsdk_work_close(a.work);
    vsdk_work_close(b.work);
    cr_assert_eq(a.releases + b.releases, 2);
    cr_assert_eq(b.runs, 0);
    begin();
}

static void *post_it(void *argument)
{
    post(argument);
    return NULL;
}

Test(work, a_post_ends_a_wait_of_another_thread)
{
    struct task task = {0};
    pthread_t thread;

    make(&task);
    pthread_create(&thread, NULL, post_it, &task);
    while (!task.runs)
        dispatch(VSDK_FOREVER);
    pthread_join(thread, NULL);
    cr_assert_eq(task.runs, 1);
    vsdk_work_close(task.work);
}

/* Of devices. */

struct of_device {
    struct core_rig rig;
    struct notes notes;
    vsdk_device *device;
};

static void of_device_make(struct of_device *d)
{
    memset(d, 0, sizeof *d);
    rig_make(&d->rig);
    d->device = rig_device(&d->rig, &d->notes, 0);
    ok(vsdk_device_add_range(d->device, VSDK_SPACE_PIO, 0x80, 1, 0, NULL));
}

static void of_device_end(struct of_device *d)
{
    vsdk_device_close(d->device);
    rig_end(&d->rig);
}

Test(work, that_of_a_stopped_device_waits_for_its_start)
{
    char trace[16] = {0};
    struct task a = {.trace = trace, .mark = 'a'}, b = {.trace = trace, .mark = 'b'};
    struct of_device d;

    of_device_make(&d);
    make_for(&a, d.device);
    make(&b);
    post(&a); /* in CREATED */
    post(&b);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(dispatch(0), 0);
    cr_assert_not(readable());
    post(&a);
    cr_assert_not(readable()); /* it is known to wait */
    rig_run(&d.rig);
    cr_assert(readable());
    cr_assert_eq(dispatch(0), 1);
    cr_assert_str_eq(trace, "ba");
    ok(vsdk_vm_pause(d.rig.vm, 0, VSDK_FOREVER, NULL));
    for (int i = 0; i < 3; i++) {
        post(&a);
        cr_assert_eq(dispatch(0), 0);
    }
    rig_run(&d.rig);
    ok(vsdk_vm_pause(d.rig.vm, 0, VSDK_FOREVER, NULL));
    cr_assert_eq(dispatch(0), 0); /* revived, and stopped again before its turn */
    rig_run(&d.rig);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(a.runs, 2);
    vsdk_work_close(a.work);
    vsdk_work_close(b.work);
    of_device_end(&d);
}

Test(work, closed_while_it_waits_for_a_start)
{
    struct task task = {0};
    struct of_device d;

    of_device_make(&d);
    make_for(&task, d.device);
    post(&task);
    dispatch(0);
    vsdk_work_close(task.work);
    cr_assert_eq(task.releases, 1);
    rig_run(&d.rig);
    cr_assert_eq(dispatch(0), 0);
    of_device_end(&d);
}

Test(work, a_detach_and_a_destroy_end_it)
{
    struct task a = {0}, b = {0}, late = {0};
    struct of_device d;

    of_device_make(&d);
    rig_run(&d.rig);
    make_for(&a, d.device);
    post(&a);
    ok(vsdk_device_detach(d.device, NULL));
    cr_assert_eq(a.releases, 1);
    post(&a);
    cr_assert_eq(dispatch(0), 0);
    ok(vsdk_device_add_range(d.device, VSDK_SPACE_PIO, 0x80, 1, 0, NULL));
    make_for(&b, d.device);
    post(&b);
    ok(vsdk_vm_destroy(d.rig.vm, NULL));
    cr_assert_eq(b.releases, 1);
    post(&b);
    cr_assert_eq(dispatch(0), 0);
    fails(GONE, vsdk_work_create(loop, d.device, run, &late, release, &late.work, E));
    cr_assert_eq(late.releases, 1);
    cr_assert_null(late.work);
    vsdk_work_close(a.work);
    vsdk_work_close(b.work);
    cr_assert_eq(a.releases + b.releases, 2);
    cr_assert_eq(a.runs + b.runs, 0);
    of_device_end(&d);
}

static struct of_device *held;

static void try_device(struct task *task)
{
    task->status = vsdk_device_enter(held->device, NULL);
}

/* It runs as the device's other callbacks do: under its lock. */
Test(work, holds_its_devices_lock)
{
    struct task task = {.inside = try_device};
    struct of_device d;

    of_device_make(&d);
    held = &d;
    rig_run(&d.rig);
    make_for(&task, d.device);
    post(&task);
    cr_assert_eq(dispatch(0), 1);
    cr_assert_eq(task.status, VSDK_ERROR_BUSY);
    vsdk_work_close(task.work);
    of_device_end(&d);
}
