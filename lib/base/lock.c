/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of locks with ranks. Without VSDK_CHECKED a lock is a mutex and this file is its
 * making and unmaking only. */
#include "base/lock.h"

void lock_init(lock *l, lock_rank rank)
{
    pthread_mutex_init(&l->mutex, NULL);
#ifdef VSDK_CHECKED
    l->rank = rank;
#endif
}

void lock_destroy(lock *l)
{
    pthread_mutex_destroy(&l->mutex);
}

#ifdef VSDK_CHECKED
#include <stdio.h>
#include <stdlib.h>

enum { HELD_MOST = 16 };

static _Thread_local const lock *held[HELD_MOST];
static _Thread_local unsigned held_count;

/* Test builds only: there is nobody to return an error to, and to go on would hide it. */
static void refuse(const char *what, const lock *l)
{
    fprintf(stderr, "vsdk: lock of rank %d: %s; held:", (int)l->rank, what);
    for (unsigned i = 0; i < held_count; i++)
        fprintf(stderr, " %d", (int)held[i]->rank);
    fputs("\n", stderr);
    abort();
}

void lock_take(lock *l)
{
    if (held_count && held[held_count - 1]->rank >= l->rank)
        refuse("taken out of order", l);
    if (held_count == HELD_MOST)
        refuse("too many", l);
    pthread_mutex_lock(&l->mutex);
    held[held_count++] = l;
}

void lock_give(lock *l)
{
    unsigned at = held_count;

    while (at && held[at - 1] != l)
        at--;
    if (!at)
        refuse("given back by a thread that does not hold it", l);
    for (held_count--; at <= held_count; at++)
        held[at - 1] = held[at];
    pthread_mutex_unlock(&l->mutex);
}

void lock_assert_none(void)
{
    if (held_count)
        refuse("held over a callback", held[held_count - 1]);
}
#endif
