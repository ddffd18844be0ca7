/* SPDX-License-Identifier: Apache-2.0 */
/* The fence whose cost lies on one side, and reader sections of a slot, which stand on it: where
 * the kernel has membarrier, where it refuses to register, and where a filter takes it away later.
 */
#include "base/fence.h"
#include "base/readers.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of membarrier, what is refused; and how often it was made. And how often somebody slept. */
static _Atomic int refuse_registration, refuse_barrier, barriers, sleeps;

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_membarrier &&
        atomic_load(a == MEMBARRIER_CMD_PRIVATE_EXPEDITED ? &refuse_barrier
                                                          : &refuse_registration)) {
        errno = EPERM;
        return -1;
    }
    if (number == SYS_membarrier && a == MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        atomic_fetch_add(&barriers, 1);
    if (number == SYS_futex)
        atomic_fetch_add(&sleeps, 1);
    return __real_syscall(number, a, b, c, d, e, f);
}

static _Atomic unsigned flags[2], looks[2], rounds_done[2];
static unsigned both_missed;
enum { ROUNDS = 2000 };

static void meet(unsigned self, unsigned round)
{
    atomic_store(&rounds_done[self], round);
    while (atomic_load(&rounds_done[1 - self]) < round)
        sched_yield();
}

/* Whether the two pass fence_none and fence_heavy_for_none, and in how many rounds. */
static struct {
    int none;
    unsigned rounds;
} pair = {0, ROUNDS};

static void pass(unsigned heavy)
{
    if (pair.none && heavy)
        fence_heavy_for_none();
    else if (pair.none)
        fence_none();
    else if (heavy)
        fence_heavy();
    else
        fence_light();
}

/* The one passes light, the other heavy: of two that store and then look one sees the other. */
static void *store_and_look(void *argument)
{
    unsigned self = argument != NULL;

    for (unsigned round = 1; round < pair.rounds; round += 2) {
        meet(self, round);
        atomic_store_explicit(&flags[self], round, memory_order_relaxed);
        pass(self);
        atomic_store_explicit(&looks[self],
                              atomic_load_explicit(&flags[1 - self], memory_order_relaxed),
                              memory_order_relaxed);
        meet(self, round + 1);
        if (self && looks[0] != round && looks[1] != round)
            both_missed++;
    }
    return NULL;
}

static void one_of_two_sees_the_other(void)
{
    pthread_t threads[2];

    pthread_create(&threads[0], NULL, store_and_look, NULL);
    pthread_create(&threads[1], NULL, store_and_look, &both_missed);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(both_missed, 0);
}

Test(fences, one_of_two_sees_the_other)
{
    fence_prepare();
    cr_assert(!atomic_load(&fence_is_full));
    one_of_two_sees_the_other();
    cr_assert(atomic_load(&barriers) >= ROUNDS / 2);
}

Test(fences, both_are_full_where_there_is_no_membarrier)
{
    atomic_store(&refuse_registration, 1);
    fence_prepare();
    cr_assert(atomic_load(&fence_is_full));
    one_of_two_sees_the_other();
    cr_assert_eq(atomic_load(&barriers), 0);
}

/* Others may count on full ones by then. */
Test(fences, what_was_refused_once_is_not_asked_again)
{
    atomic_store(&refuse_registration, 1);
    fence_prepare();
    atomic_store(&refuse_registration, 0);
    fence_prepare();
    cr_assert(atomic_load(&fence_is_full));
}

Test(fences, both_are_full_after_membarrier_was_taken_away)
{
    fence_prepare();
    atomic_store(&refuse_barrier, 1);
    errno = 42;
    fence_heavy();
    cr_assert_eq(errno, 42);
    cr_assert(atomic_load(&fence_is_full));
    one_of_two_sees_the_other();
}

/* It is taken away while threads pass; what is light until then must not be missed by who finds
 * out. */
Test(fences, membarrier_may_be_taken_away_at_any_time)
{
    pthread_t threads[2];

    fence_prepare();
    pthread_create(&threads[0], NULL, store_and_look, NULL);
    pthread_create(&threads[1], NULL, store_and_look, &both_missed);
    while (atomic_load(&rounds_done[0]) < ROUNDS / 2)
        sched_yield();
    atomic_store(&refuse_barrier, 1);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    fence_heavy(); /* on a busy computer both had ended before */
    cr_assert(atomic_load(&fence_is_full));
    cr_assert_eq(both_missed, 0);
}

/* A store is given its time where no membarrier fetches it, and there alone. */
Test(fences, only_without_membarrier_it_takes_its_time)
{
    fence_prepare();
    errno = 42;
    fence_heavy_for_none();
    cr_assert_eq(atomic_load(&sleeps), 0);
    atomic_store(&refuse_barrier, 1);
    fence_heavy(); /* finds out */
    int before = atomic_load(&sleeps);
    cr_assert(before > 0);
    fence_heavy();
    cr_assert_eq(atomic_load(&sleeps), before);
    fence_heavy_for_none();
    cr_assert(atomic_load(&sleeps) > before);
    cr_assert_eq(errno, 42);
}

/* Who never passes a full fence is waited for, also when membarrier is gone. */
Test(fences, none_is_enough_against_the_heavy_one_for_it)
{
    pthread_t threads[2];

    fence_prepare();
    pair.none = 1;
    pair.rounds = 100;
    for (int refused = 0; refused < 2; refused++) {
        atomic_store(&refuse_barrier, refused);
        for (unsigned i = 0; i < 2; i++)
            atomic_store(&rounds_done[i], 0);
        pthread_create(&threads[0], NULL, store_and_look, NULL);
        pthread_create(&threads[1], NULL, store_and_look, &both_missed);
        for (unsigned i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        cr_assert_eq(both_missed, 0, "refused: %d", refused);
    }
}

static readers section;
static readers_slot slots[2];
static _Atomic(int *) shown;
static _Atomic unsigned finished, torn;

static void *read_always(void *slot)
{
    while (!atomic_load(&finished)) {
        readers_slot_enter(slot);
        const volatile int *value = atomic_load_explicit(&shown, memory_order_acquire);
        for (int i = 0; i < 20; i++) /* long enough to be waited for */
            if (*value != 1)
                atomic_store(&torn, 1);
        readers_slot_leave(&section, slot);
    }
    return NULL;
}

static void a_writer_waits_for_slots(void)
{
    int values[2] = {1, 1};
    pthread_t threads[2];

    readers_init(&section);
    atomic_store(&shown, &values[0]);
    for (unsigned i = 0; i < 2; i++) {
        readers_add_slot(&section, &slots[i]);
        pthread_create(&threads[i], NULL, read_always, &slots[i]);
    }
    for (unsigned i = 1; i < 2000; i++) {
        values[i % 2] = 1;
        int *old = atomic_exchange(&shown, &values[i % 2]);
        readers_wait(&section);
        *old = 0;
    }
    atomic_store(&finished, 1);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cr_assert(!atomic_load(&torn));
    readers_destroy(&section);
}

Test(fences, a_writer_waits_for_slots)
{
    fence_prepare();
    a_writer_waits_for_slots();
}

Test(fences, a_writer_waits_for_slots_where_there_is_no_membarrier)
{
    atomic_store(&refuse_registration, 1);
    fence_prepare();
    a_writer_waits_for_slots();
}

static _Atomic unsigned waiting_over;

static void *wait_for_readers(void *unused)
{
    readers_wait(&section);
    atomic_store(&waiting_over, 1);
    return unused;
}

/* Asleep: the count of changes says that it has come, `awaited` that it looks at the slots. */
Test(fences, a_writer_sleeps_until_a_slot_is_left, .timeout = 60)
{
    pthread_t thread;

    fence_prepare();
    readers_init(&section);
    for (unsigned i = 0; i < 2; i++)
        readers_add_slot(&section, &slots[i]); /* the first is looked at last */
    readers_wait(&section);                    /* nobody is inside */
    readers_slot_enter(&slots[0]);
    uint64_t changes = atomic_load(&section.changes);
    pthread_create(&thread, NULL, wait_for_readers, NULL);
    while (!atomic_load(&section.awaited))
        sched_yield();
    cr_assert_neq(atomic_load(&section.changes), changes);
    usleep(1000);
    cr_assert(!atomic_load(&waiting_over));
    readers_slot_leave(&section, &slots[0]);
    pthread_join(thread, NULL);
    cr_assert(!atomic_load(&section.awaited));
    readers_destroy(&section);
}
