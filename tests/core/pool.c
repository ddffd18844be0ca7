/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: loops that are dispatched by threads of the library's, and how those end. */
#include "../contract/tap.h"
#include "puppet.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct task {
    vsdk_loop *loop;
    vsdk_work *work;
    vsdk_pool *pool;
    _Atomic unsigned runs, inside, releases, go_on;
    pthread_t thread;
    void (*what)(struct task *task);
    vsdk_status status;
    unsigned signals; /* that are open in the thread */
} task;

static void run(void *user, vsdk_work *work)
{
    task *t = user;

    t->thread = pthread_self();
    atomic_store(&t->inside, 1);
    if (t->what)
        t->what(t);
    atomic_store(&t->inside, 0);
    atomic_fetch_add(&t->runs, 1);
}

static void release(void *user)
{
    atomic_fetch_add(&((task *)user)->releases, 1);
}

static void wait_inside(task *t)
{
    PUPPET_WAIT(atomic_load(&t->go_on));
}

static void task_make(task *t, vsdk_pool *pool, void (*what)(task *t))
{
    memset(t, 0, sizeof *t);
    t->pool = pool;
    t->what = what;
    vsdk_loop_create(&t->loop, NULL);
    vsdk_work_create(t->loop, NULL, run, t, release, &t->work, NULL);
}

static void task_end(task *t)
{
    vsdk_work_close(t->work);
    vsdk_loop_close(t->loop);
}

static vsdk_pool *pool_of(uint32_t threads)
{
    vsdk_pool_config config = {.size = sizeof config, .threads = threads};
    vsdk_pool *pool = NULL;

    vsdk_pool_create(&config, &pool, NULL);
    return pool;
}

static void arguments(void)
{
    vsdk_pool_config config = {.size = sizeof config, .threads = 257};
    vsdk_pool *pool = (vsdk_pool *)1;
    task t;

    tap(vsdk_pool_create(&config, &pool, NULL) == VSDK_ERROR_LIMIT && !pool, "257 threads");
    config.threads = 0;
    config.flags = 1;
    tap(vsdk_pool_create(&config, &pool, NULL) == VSDK_ERROR_INVALID_ARGUMENT, "unknown flags");
    config.flags = 0;
    config.reserved[4] = 1;
    tap(vsdk_pool_create(&config, &pool, NULL) == VSDK_ERROR_UNSUPPORTED, "a later field");
    tap(!vsdk_pool_create(NULL, &pool, NULL) && vsdk_pool_ref(pool) == pool, "all defaults");
    task_make(&t, pool, NULL);
    tap(vsdk_pool_add_loop(NULL, t.loop, NULL) == VSDK_ERROR_INVALID_ARGUMENT &&
            vsdk_pool_add_loop(pool, NULL, NULL) == VSDK_ERROR_INVALID_ARGUMENT &&
            vsdk_pool_stop(NULL, NULL) == VSDK_ERROR_INVALID_ARGUMENT && !vsdk_pool_ref(NULL),
        "NULL");
    tap(!vsdk_pool_add_loop(pool, t.loop, NULL) &&
            vsdk_pool_add_loop(pool, t.loop, NULL) == VSDK_ERROR_EXISTS,
        "a loop that it has");
    vsdk_pool_close(pool);
    vsdk_work_post(t.work, NULL);
    tap(PUPPET_WAIT(atomic_load(&t.runs)), "a reference keeps its threads");
    vsdk_pool_close(pool);
    vsdk_pool_close(NULL);
    task_end(&t);
}

/* Each thread gets the loop that it has fewest of: two that wait for each other run at once. */
static void meet(task *t)
{
    task *other = t->go_on ? t - 1 : t + 1;

    PUPPET_WAIT(atomic_load(&other->inside) || atomic_load(&other->runs));
}

static void loops_are_spread(void)
{
    vsdk_pool *pool = pool_of(2);
    task tasks[4];

    for (unsigned i = 0; i < 4; i++) {
        task_make(&tasks[i], pool, i < 2 ? meet : NULL);
        vsdk_pool_add_loop(pool, tasks[i].loop, NULL);
    }
    atomic_store(&tasks[1].go_on, 1);
    for (unsigned i = 0; i < 2; i++)
        vsdk_work_post(tasks[i].work, NULL);
    tap(PUPPET_WAIT(atomic_load(&tasks[0].runs) && atomic_load(&tasks[1].runs)) &&
            !pthread_equal(tasks[0].thread, tasks[1].thread),
        "two loops are dispatched at once by two threads");
    for (unsigned i = 2; i < 4; i++)
        vsdk_work_post(tasks[i].work, NULL);
    tap(PUPPET_WAIT(atomic_load(&tasks[2].runs) && atomic_load(&tasks[3].runs)),
        "and two more by the same two");
    vsdk_pool_stop(pool, NULL);
    vsdk_pool_close(pool);
    for (unsigned i = 0; i < 4; i++)
        task_end(&tasks[i]);
}

static void look_at_signals(task *t)
{
    sigset_t open;

    pthread_sigmask(SIG_SETMASK, NULL, &open);
    for (int number = 1; number < NSIG; number++)
        t->signals += number != SIGKILL && number != SIGSTOP &&
                      (number < 32 || number >= SIGRTMIN) && sigismember(&open, number) == 0;
    t->status = vsdk_pool_stop(t->pool, NULL);
}

static void expired(void *user, vsdk_timer *timer)
{
    atomic_fetch_add(&((task *)user)->runs, 1);
}

static void its_threads(void)
{
    vsdk_pool *pool = pool_of(1);
    vsdk_timer *timer = NULL;
    sigset_t was, before, after;
    task t;

    pthread_sigmask(SIG_SETMASK, NULL, &was);
    task_make(&t, pool, look_at_signals);
    vsdk_pool_add_loop(pool, t.loop, NULL);
    vsdk_work_post(t.work, NULL);
    tap(PUPPET_WAIT(atomic_load(&t.runs)) && !t.signals, "no signal is open in them");
    tap(t.status == VSDK_ERROR_BUSY, "they do not stop their own pool");
    vsdk_timer_create(t.loop, NULL, expired, &t, NULL, &timer, NULL);
    vsdk_timer_arm(timer, 1000, 0, NULL);
    tap(PUPPET_WAIT(atomic_load(&t.runs) == 2), "timers expire there");
    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    vsdk_pool_close(pool_of(3));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    int differs = 0;
    for (int number = 1; number < NSIG; number++)
        differs |= sigismember(&before, number) != sigismember(&after, number);
    tap(!differs, "whoever makes a pool keeps his mask");
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    vsdk_timer_close(timer);
    vsdk_pool_stop(pool, NULL);
    vsdk_pool_close(pool);
    task_end(&t);
}

static _Atomic unsigned stopped;

static void *stop_it(void *argument)
{
    vsdk_status status = vsdk_pool_stop(argument, NULL);

    atomic_store(&stopped, 1);
    return (void *)(intptr_t)status;
}

/* A thread of the pool is inside the callback until `go_on`. */
static void work_begins(task *t, vsdk_pool *pool)
{
    task_make(t, pool, wait_inside);
    vsdk_pool_add_loop(pool, t->loop, NULL);
    vsdk_work_post(t->work, NULL);
    PUPPET_WAIT(atomic_load(&t->inside));
}

static void a_stop_waits(void)
{
    vsdk_pool *pool = pool_of(2);
    pthread_t thread;
    void *status;
    task t;

    atomic_store(&stopped, 0);
    work_begins(&t, pool);
    pthread_create(&thread, NULL, stop_it, pool);
    for (unsigned i = 0; i < 20; i++)
        puppet_nap();
    tap(!atomic_load(&stopped), "a stop waits for a callback");
    atomic_store(&t.go_on, 1);
    pthread_join(thread, &status);
    tap(!status && atomic_load(&t.runs) == 1 && !atomic_load(&t.inside), "until it has returned");
    vsdk_work_post(t.work, NULL);
    for (unsigned i = 0; i < 20; i++)
        puppet_nap();
    tap(atomic_load(&t.runs) == 1, "its loops are dispatched no more");
    tap(!vsdk_loop_dispatch(t.loop, 0, NULL, NULL) && atomic_load(&t.runs) == 2,
        "but by whoever likes to");
    tap(!vsdk_pool_stop(pool, NULL) && vsdk_pool_add_loop(pool, t.loop, NULL) == VSDK_ERROR_GONE,
        "a second stop does nothing, and it takes no loop");
    vsdk_pool_close(pool);
    task_end(&t);
}

/* Whoever stops a pool may free what its callbacks use. */
static void a_second_stop_waits_too(void)
{
    vsdk_pool *pool = pool_of(1);
    pthread_t first, second;
    task t;

    work_begins(&t, pool);
    pthread_create(&first, NULL, stop_it, pool);
    PUPPET_WAIT(vsdk_pool_add_loop(pool, t.loop, NULL) == VSDK_ERROR_GONE);
    atomic_store(&stopped, 0);
    pthread_create(&second, NULL, stop_it, pool);
    for (unsigned i = 0; i < 20; i++)
        puppet_nap();
    tap(!atomic_load(&stopped), "a second stop waits for the callback, too");
    atomic_store(&t.go_on, 1);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    vsdk_pool_close(pool);
    task_end(&t);
}

static void *stop_it_cancelled(void *argument)
{
    pthread_cancel(pthread_self());
    vsdk_pool_stop(argument, NULL);
    atomic_store(&stopped, 1);
    return NULL;
}

/* A thread that vanished in a stop would leave the pool half stopped. */
static void a_stop_is_no_cancellation_point(void)
{
    vsdk_pool *pool = pool_of(2);
    pthread_t thread;
    task t;

    atomic_store(&stopped, 0);
    work_begins(&t, pool);
    pthread_create(&thread, NULL, stop_it_cancelled, pool);
    PUPPET_WAIT(vsdk_pool_add_loop(pool, t.loop, NULL) == VSDK_ERROR_GONE);
    atomic_store(&t.go_on, 1);
    pthread_join(thread, NULL);
    tap(atomic_load(&stopped), "a thread that is cancelled stops the pool first");
    vsdk_pool_close(pool);
    task_end(&t);
}

static void ready(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
}

/* Loops that watch each other, as deep as Linux allows: a pool would be one more. */
static void a_loop_that_is_too_deep(void)
{
    vsdk_pool *pool = pool_of(1);
    vsdk_loop *loops[8] = {0};
    vsdk_watch *watches[8] = {0};
    vsdk_error error = {0};
    unsigned n = 0;

    vsdk_loop_create(&loops[0], NULL);
    while (++n < 8 && !vsdk_loop_create(&loops[n], NULL))
        if (vsdk_watch_create(loops[n], NULL, vsdk_loop_descriptor(loops[n - 1]), VSDK_LOOP_READ,
                              ready, NULL, NULL, &watches[n], NULL))
            break;
    tap(n < 8 && vsdk_pool_add_loop(pool, loops[n - 1], &error) == VSDK_ERROR_INVALID_ARGUMENT &&
            error.os_errno,
        "a loop that can't be waited for: %s", error.message);
    tap(!vsdk_pool_add_loop(pool, loops[0], NULL), "one that it watches can");
    vsdk_pool_stop(pool, NULL);
    vsdk_pool_close(pool);
    for (unsigned i = 8; i--;) {
        vsdk_watch_close(watches[i]);
        vsdk_loop_close(loops[i]);
    }
}

/* What the pool has of a loop goes with the stop. */
static void a_stop_gives_loops_back(void)
{
    vsdk_pool *pool = pool_of(1);
    vsdk_loop *loop;

    vsdk_loop_create(&loop, NULL);
    int fd = vsdk_loop_descriptor(loop);
    vsdk_pool_add_loop(pool, loop, NULL);
    vsdk_loop_close(loop);
    tap(fcntl(fd, F_GETFD) >= 0, "a pool keeps its loops");
    vsdk_pool_stop(pool, NULL);
    tap(fcntl(fd, F_GETFD) < 0, "until it is stopped");
    vsdk_pool_close(pool);
}

/* Nobody is waited for; what runs is finished, and then all goes. */
static void a_close_waits_for_nobody(void)
{
    vsdk_pool *pool = pool_of(2);
    task t;

    task_make(&t, pool, wait_inside);
    vsdk_pool_add_loop(pool, t.loop, NULL);
    int fd = vsdk_loop_descriptor(t.loop);
    vsdk_work_post(t.work, NULL);
    PUPPET_WAIT(atomic_load(&t.inside));
    vsdk_pool_close(pool);
    tap(atomic_load(&t.inside) == 1, "a close waits for no callback");
    vsdk_work_post(t.work, NULL);
    atomic_store(&t.go_on, 1);
    tap(PUPPET_WAIT(atomic_load(&t.runs)), "which is finished");
    task_end(&t);
    tap(PUPPET_WAIT(fcntl(fd, F_GETFD) < 0) && atomic_load(&t.runs) == 1,
        "and is the last; the pool has gone with its loops");
}

/* A line of /proc/self/status: a number of threads, or of KiB. */
static unsigned long process_has(const char *what)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    unsigned long number = 0;

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, what, strlen(what)) == 0)
            number = strtoul(line + strlen(what), NULL, 10);
    if (file)
        fclose(file);
    return number;
}

/* A thread that nobody joined keeps its stack; the C library keeps a few for the next ones. */
static void a_close_leaves_no_stacks(void)
{
    enum { POOLS = 64, THREADS = 2 };
    unsigned long threads = process_has("Threads:"), before = process_has("VmSize:"), stack;
    pthread_attr_t attributes;
    size_t bytes = 0;

    pthread_attr_init(&attributes);
    pthread_attr_getstacksize(&attributes, &bytes);
    pthread_attr_destroy(&attributes);
    stack = bytes / 1024;
    for (unsigned i = 0; i < POOLS; i++) {
        vsdk_pool_close(pool_of(THREADS));
        PUPPET_WAIT(process_has("Threads:") <= threads);
    }
    tap(process_has("Threads:") <= threads && process_has("VmSize:") < before + POOLS / 2 * stack,
        "closed pools leave no stacks of their threads");
}

static void close_inside(task *t)
{
    vsdk_pool_close(t->pool);
    vsdk_work_post(t->work, NULL);
}

static void a_close_from_its_own_thread(void)
{
    vsdk_pool *pool = pool_of(1);
    task t;

    task_make(&t, pool, close_inside);
    vsdk_pool_add_loop(pool, t.loop, NULL);
    int fd = vsdk_loop_descriptor(t.loop);
    vsdk_work_post(t.work, NULL);
    tap(PUPPET_WAIT(atomic_load(&t.runs)), "a callback closes its pool");
    task_end(&t);
    tap(PUPPET_WAIT(fcntl(fd, F_GETFD) < 0) && atomic_load(&t.runs) == 1 &&
            atomic_load(&t.releases) == 1,
        "and is the last that runs");
}

static void count_up(task *t)
{
    if (atomic_load(&t->runs) < 1000)
        vsdk_work_post(t->work, NULL);
}

static void *post_often(void *argument)
{
    task *t = argument;

    for (unsigned i = 0; i < 2000; i++)
        vsdk_work_post(t->work, NULL);
    return NULL;
}

/* Posts from everywhere, then a stop in their midst. */
static void a_storm(void)
{
    vsdk_pool *pool = pool_of(3);
    pthread_t threads[6];
    task tasks[6];

    for (unsigned i = 0; i < 6; i++) {
        task_make(&tasks[i], pool, count_up);
        vsdk_pool_add_loop(pool, tasks[i].loop, NULL);
        pthread_create(&threads[i], NULL, post_often, &tasks[i]);
    }
    tap(PUPPET_WAIT(atomic_load(&tasks[0].runs) > 100), "posts from everywhere run");
    tap(!vsdk_pool_stop(pool, NULL), "a stop in their midst");
    for (unsigned i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        task_end(&tasks[i]);
    }
    vsdk_pool_close(pool);
}

int main(void)
{
    arguments();
    loops_are_spread();
    its_threads();
    a_stop_waits();
    a_second_stop_waits_too();
    a_stop_is_no_cancellation_point();
    a_loop_that_is_too_deep();
    a_stop_gives_loops_back();
    a_close_waits_for_nobody();
    a_close_leaves_no_stacks();
    a_close_from_its_own_thread();
    a_storm();
    return tap_end();
}
