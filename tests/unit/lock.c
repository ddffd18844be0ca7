/* SPDX-License-Identifier: Apache-2.0 */
/* What a checked build refuses of its own locks. Each offence is a child's, which it must end. */
#include "base/lock.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static lock low, middle, high, twin;

static void begin(void)
{
    lock_init(&low, RANK_LOOP);
    lock_init(&middle, RANK_LIFE);
    lock_init(&twin, RANK_LIFE);
    lock_init(&high, RANK_LEAF);
}

TestSuite(lock, .init = begin);

static char said[512];

/* How a child ended, and what it wrote on stderr. */
static int child_ends(void (*offence)(void))
{
    size_t length = 0;
    ssize_t n;
    int pipes[2], status = 0;

    cr_assert_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (!child) {
        dup2(pipes[1], STDERR_FILENO);
        offence();
        _exit(0);
    }
    close(pipes[1]);
    while ((n = read(pipes[0], said + length, sizeof said - 1 - length)) > 0)
        length += (size_t)n;
    said[length] = 0;
    close(pipes[0]);
    waitpid(child, &status, 0);
    return status;
}

static void is_refused(void (*offence)(void), const char *text)
{
    int status = child_ends(offence);

    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s", text);
    cr_assert_str_eq(said, text);
}

static void is_allowed(void (*use)(void))
{
    cr_assert_eq(child_ends(use), 0);
    cr_assert_str_eq(said, "");
}

static void in_order(void)
{
    for (int i = 0; i < 3; i++) {
        lock_assert_none();
        lock_take(&low);
        lock_take(&middle);
        lock_take(&high);
        lock_give(&middle); /* given back in any order */
        lock_give(&high);
        lock_take(&twin);
        lock_give(&low);
        lock_give(&twin);
    }
    lock_assert_none();
}

Test(lock, rising_ranks_are_allowed)
{
    is_allowed(in_order);
}

static void falling(void)
{
    lock_take(&low);
    lock_take(&high);
    lock_take(&middle);
}

static void equal(void)
{
    lock_take(&middle);
    lock_take(&twin);
}

static void again(void)
{
    lock_take(&low);
    lock_take(&low);
}

Test(lock, falling_and_equal_ranks_abort)
{
    is_refused(falling, "vsdk: lock of rank 50: taken out of order; held: 40 100\n");
    is_refused(equal, "vsdk: lock of rank 50: taken out of order; held: 50\n");
    is_refused(again, "vsdk: lock of rank 40: taken out of order; held: 40\n");
}

static void *take_it(void *argument)
{
    lock_take(argument);
    return NULL;
}

static void given_by_another(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, take_it, &middle);
    pthread_join(thread, NULL);
    lock_give(&middle);
}

static void given_twice(void)
{
    lock_take(&low);
    lock_take(&middle);
    lock_give(&middle);
    lock_give(&middle);
}

static void never_taken(void)
{
    lock_give(&high);
}

Test(lock, giving_what_one_does_not_hold_aborts)
{
    is_refused(given_by_another, "vsdk: lock of rank 50: given back by a thread that does not hold "
                                 "it; held:\n");
    is_refused(given_twice, "vsdk: lock of rank 50: given back by a thread that does not hold it; "
                            "held: 40\n");
    is_refused(never_taken, "vsdk: lock of rank 100: given back by a thread that does not hold it; "
                            "held:\n");
}

static void over_a_callback(void)
{
    lock_take(&low);
    lock_take(&middle);
    lock_assert_none();
}

Test(lock, a_callback_under_a_lock_aborts)
{
    is_refused(over_a_callback, "vsdk: lock of rank 50: held over a callback; held: 40 50\n");
}

static void *take_low(void *unused)
{
    lock_assert_none(); /* what another holds is none of its business */
    lock_take(&low);
    lock_give(&low);
    return unused;
}

static void each_thread_has_its_own(void)
{
    pthread_t thread;

    lock_take(&middle);
    pthread_create(&thread, NULL, take_low, NULL);
    pthread_join(thread, NULL);
    lock_give(&middle);
}

Test(lock, each_thread_has_its_own_order)
{
    is_allowed(each_thread_has_its_own);
}

static void too_many(void)
{
    lock locks[17];

    for (unsigned i = 0; i < 17; i++)
        lock_init(&locks[i], (lock_rank)(i + 1));
    for (unsigned i = 0; i < 17; i++)
        lock_take(&locks[i]);
}

Test(lock, sixteen_at_a_time_are_the_most)
{
    is_refused(too_many, "vsdk: lock of rank 17: too many; held: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 "
                         "15 16\n");
}

static int counter;

static void *count_up(void *unused)
{
    for (unsigned i = 0; i < 20000; i++) {
        lock_take(&middle);
        counter++;
        lock_give(&middle);
    }
    return unused;
}

/* It is a lock, too. */
Test(lock, excludes)
{
    pthread_t threads[2];

    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, count_up, NULL);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(counter, 40000);
}
