/* SPDX-License-Identifier: Apache-2.0 */
/* Locks with ranks. A thread takes locks in rising rank only; two of one rank never at a time. In a
 * build with VSDK_CHECKED each lock asserts that, and that it is given back by the thread that took
 * it. The ranks of all rooms stand here, so that the order is one list.
 *
 * A lock is never held over a callback of the embedder's, but over the log function, which may call
 * nothing of the library's. A device's gate (core/device.h) is held over its callbacks: it is no
 * lock of this kind, and has no rank. */
#ifndef VSDK_BASE_LOCK_H
#define VSDK_BASE_LOCK_H

#include <pthread.h>
#include <stdint.h>

typedef enum lock_rank {
    RANK_RUN = 10,          /* vsdk_vm_run's result */
    RANK_TOPOLOGY = 20,     /* who changes ranges, doorbells, mappings of a virtual machine */
    RANK_CONTROLLERS = 25,  /* who changes interrupt controllers */
    RANK_SOURCES = 30,      /* the timers, watches and work of a device */
    RANK_LOOP = 40,         /* what a loop knows */
    RANK_LIFE = 50,         /* a virtual machine's state */
    RANK_SERIAL = 60,       /* calls of the operations table */
    RANK_DRAIN = 70,        /* who waits for a device's callbacks */
    RANK_NET_USER = 78,     /* a network stack in this process */
    RANK_STREAM = 80,       /* a stream's two buffers */
    RANK_NET = 82,          /* one direction of a network */
    RANK_POOL = 85,         /* a pool's list of loops */
    RANK_SHARE_FOLDER = 86, /* a guest's open folder in a share */
    RANK_SHARE = 87,        /* a share's inodes and files */
    RANK_BACKEND = 90,      /* a backend's own */
    RANK_BACKEND_PART = 95, /* and of a part of it, inside */
    RANK_LEAF = 100         /* anything that takes nothing inside */
} lock_rank;

typedef struct lock {
    pthread_mutex_t mutex;
#ifdef VSDK_CHECKED
    lock_rank rank;
#endif
} lock;

/* For one that lasts as long as the process. */
#ifdef VSDK_CHECKED
#define LOCK_INITIALIZER(of)                                                                       \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (of)                                           \
    }
#else
#define LOCK_INITIALIZER(of)                                                                       \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                                         \
    }
#endif

void lock_init(lock *l, lock_rank rank);
void lock_destroy(lock *l);

#ifdef VSDK_CHECKED
void lock_take(lock *l);
void lock_give(lock *l);
/* Aborts, with the ranks on stderr, when the thread holds any lock: before a callback. */
void lock_assert_none(void);
#else
static inline void lock_take(lock *l)
{
    pthread_mutex_lock(&l->mutex);
}

static inline void lock_give(lock *l)
{
    pthread_mutex_unlock(&l->mutex);
}

static inline void lock_assert_none(void)
{
}
#endif

#endif
