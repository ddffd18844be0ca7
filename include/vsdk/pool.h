/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that dispatch loops.
 *
 * A pool has a number of threads, made when the embedder asks for it, that dispatch loops. They and
 * those of vsdk_vm_run are the only threads of the library's. Signals are blocked in them.
 *
 * A loop that is given to a pool is dispatched by one of its threads; nobody else dispatches it
 * meanwhile. Several loops may share a thread.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/pool.toml by abi/generate.py.
 */

#ifndef VSDK_POOL_H
#define VSDK_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/loop.h>
#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Threads. Counted. Since 0.1. */
typedef struct vsdk_pool vsdk_pool;

/*
 * How to make a pool.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_pool_config {
    uint32_t size;        /* sizeof(vsdk_pool_config) */
    uint32_t flags;       /* Zero */
    uint32_t threads;     /* How many, 1 to 256; 0 for 1 */
    uint32_t reserved[5]; /* Zero */
} vsdk_pool_config;

/*
 * Take a reference more.
 *
 *   pool  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_pool *vsdk_pool_ref(vsdk_pool *pool);

/*
 * Make threads; they have nothing to do yet.
 *
 *   config  NULL for all defaults.
 *   pool    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  pool is NULL or a flag is unknown
 *   UNSUPPORTED       the configuration has a later version's field
 *   LIMIT             more than 256 threads, or no more descriptors
 *   NO_MEMORY         no memory, or no more threads
 * Threads: any. Blocks: briefly. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pool_create(const vsdk_pool_config *config, vsdk_pool **pool, vsdk_error *error);

/*
 * Drop a reference to a pool; with the last its threads end.
 *
 * They are not waited for: a callback that runs is finished. vsdk_pool_stop waits.
 *
 *   pool  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_pool_close(vsdk_pool *pool);

/*
 * Let a pool dispatch a loop.
 *
 * The thread with the fewest loops gets it. The pool keeps the loop until it is taken away, or the
 * pool is stopped or closed.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the loop watches loops that watch others, deeper than
 *                     Linux allows
 *   EXISTS            this pool has the loop already
 *   GONE              the pool was stopped
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pool_add_loop(vsdk_pool *pool, vsdk_loop *loop, vsdk_error *error);

/*
 * Take a loop away from a pool.
 *
 * It is not dispatched any more; a dispatch of it that is under way is not waited for.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   NOT_FOUND         the pool does not have it, or was stopped
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes, from the loop's own too. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_pool_remove_loop(vsdk_pool *pool, vsdk_loop *loop, vsdk_error *error);

/*
 * End a pool's threads and wait for them.
 *
 * Its loops are dispatched no more. A second stop waits for the first one, or does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  pool is NULL
 *   BUSY              called from a thread of the pool, from a callback of a device, or between
 *                     enter and leave
 *   STATE             called in a forked child
 * Threads: any but the pool's own. Blocks: until the callbacks that run have returned. From
 * callbacks: no: VSDK_ERROR_BUSY from a thread of the pool, and from a callback of a device, for
 * which one of them may wait. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_pool_stop(vsdk_pool *pool, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_POOL_H */
