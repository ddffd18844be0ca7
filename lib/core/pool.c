/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: threads that dispatch loops. Each thread waits with an epoll of its own for the
 * descriptors of its loops and dispatches those that are ready. A thread keeps what it needs of the
 * pool, so that closing the pool waits for nobody.
 *
 * A loop that is taken away may be one that epoll has just told a thread of: its entry is emptied,
 * and freed by that thread when it has seen to all that it was told. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/loop.h"
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS_MOST = 256, EVENTS = 16 };

typedef struct pool_loop {
    vsdk_loop *loop; /* a reference */
    struct pool_loop *next;
} pool_loop;

typedef struct pool_thread {
    struct vsdk_pool *pool;
    pthread_t thread;
    int epoll, event;   /* the event: leave */
    pool_loop *loops;   /* under the pool's lock */
    pool_loop *removed; /* too: their loop is NULL */
    uint32_t count;
} pool_thread;

struct vsdk_pool {
    refs refs;
    refs memory; /* refs together, each thread */
    uint32_t process;
    lock lock; /* RANK_POOL */
    _Atomic uint32_t ending;
    _Atomic uint32_t joined; /* and the loops given back; a futex for a second stop */
    uint32_t started;        /* threads that were made */
    uint32_t count;
    pool_thread threads[];
};

static _Thread_local const vsdk_pool *pool_of_thread __attribute__((tls_model("initial-exec")));

/* With the lock held: takes an entry out of its list. */
static pool_loop *loop_unlink(pool_loop **at)
{
    pool_loop *entry = *at;

    *at = entry->next;
    return entry;
}

static pool_loop *loops_pop(vsdk_pool *pool, pool_loop **list)
{
    lock_take(&pool->lock);
    pool_loop *entry = *list ? loop_unlink(list) : NULL;
    lock_give(&pool->lock);
    return entry;
}

static void loops_free(vsdk_pool *pool, pool_loop **list)
{
    pool_loop *entry;

    while ((entry = loops_pop(pool, list))) {
        if (entry->loop)
            loop_put(entry->loop);
        alloc_free(entry);
    }
}

/* No thread dispatches them, and none is added. */
static void loops_put(vsdk_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        loops_free(pool, &pool->threads[i].loops);
        loops_free(pool, &pool->threads[i].removed);
    }
}

static void memory_put(vsdk_pool *pool)
{
    if (!refs_put(&pool->memory))
        return;
    loops_put(pool);
    for (uint32_t i = 0; i < pool->count; i++) {
        sys_close(pool->threads[i].epoll);
        sys_close(pool->threads[i].event);
    }
    lock_destroy(&pool->lock);
    alloc_free(pool);
}

/* The system call itself: libc's function is a cancellation point. */
static int wait_for_loops(const pool_thread *t, struct epoll_event *events)
{
    long n = syscall(SYS_epoll_pwait, t->epoll, events, EVENTS, -1, NULL, 0);

    return n < 0 ? 0 : (int)n;
}

/* Under the lock by which it was added: what epoll tells orders nothing. A reference, or NULL when
 * it was taken away. */
static vsdk_loop *loop_of(vsdk_pool *pool, const pool_loop *entry)
{
    lock_take(&pool->lock);
    vsdk_loop *loop = entry->loop;
    if (loop)
        refs_get(&loop->refs);
    lock_give(&pool->lock);
    return loop;
}

static void dispatch(vsdk_pool *pool, const pool_loop *entry)
{
    vsdk_loop *loop = loop_of(pool, entry);

    if (!loop)
        return;
    vsdk_loop_dispatch(loop, 0, NULL, NULL);
    loop_put(loop);
}

static void *run_thread(void *argument)
{
    pool_thread *t = argument;
    vsdk_pool *pool = t->pool;
    struct epoll_event events[EVENTS];

    pool_of_thread = pool;
    while (!atomic_load(&pool->ending)) {
        int count = wait_for_loops(t, events);
        for (int i = 0; i < count && !atomic_load(&pool->ending); i++)
            if (events[i].data.ptr)
                dispatch(pool, events[i].data.ptr);
        loops_free(pool, &t->removed);
    }
    memory_put(pool);
    return NULL;
}

static int thread_prepare(pool_thread *t)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if ((fd = fd < 0 ? -errno : sys_high(fd)) < 0)
        return -fd;
    t->epoll = fd;
    if ((fd = sys_eventfd()) < 0)
        return -fd;
    t->event = fd;
    return epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->event, &event) ? errno : 0;
}

static void end_threads(vsdk_pool *pool)
{
    atomic_store(&pool->ending, 1);
    for (uint32_t i = 0; i < pool->started; i++)
        sys_eventfd_write(pool->threads[i].event, 1);
}

static vsdk_status start_threads(vsdk_pool *pool, const char *operation, vsdk_error *error)
{
    sigset_t all, before;
    int failure = 0;

    for (uint32_t i = 0; !failure && i < pool->count; i++)
        failure = thread_prepare(&pool->threads[i]);
    if (failure)
        return error_set_errno(error, error_status_of_errno(failure), failure, operation,
                               "no descriptors for the threads");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!failure && pool->started < pool->count) {
        pool_thread *t = &pool->threads[pool->started];
        refs_get(&pool->memory);
        failure = pthread_create(&t->thread, NULL, run_thread, t);
        if (failure)
            refs_put(&pool->memory);
        else
            pool->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failure)
        return VSDK_OK;
    return error_set_errno(error, VSDK_ERROR_NO_MEMORY, failure, operation, "no thread number %u",
                           pool->started);
}

static void join_threads(vsdk_pool *pool)
{
    for (uint32_t i = 0; i < pool->started; i++)
        sys_join(pool->threads[i].thread);
}

vsdk_status vsdk_pool_create(const vsdk_pool_config *given, vsdk_pool **pool, vsdk_error *error)
{
    static const char operation[] = "vsdk_pool_create";
    vsdk_pool_config config;

    if (!pool)
        return error_null(error, operation, "pool");
    *pool = NULL;
    vsdk_status status = record_read(&config, sizeof config, given, 0, operation, error);
    for (unsigned i = 0; !status && i < sizeof config.reserved / sizeof config.reserved[0]; i++)
        if (config.reserved[i])
            status = record_later(operation, error);
    if (!status && config.threads > THREADS_MOST)
        status = error_set(error, VSDK_ERROR_LIMIT, operation, "%u threads are more than %d",
                           config.threads, THREADS_MOST);
    if (status)
        return status;
    uint32_t count = config.threads ? config.threads : 1;
    vsdk_pool *made = alloc_zeroed(sizeof *made + count * sizeof(pool_thread));
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the pool");
    refs_init(&made->refs);
    refs_init(&made->memory);
    lock_init(&made->lock, RANK_POOL);
    made->process = process_id();
    made->count = count;
    for (uint32_t i = 0; i < count; i++)
        made->threads[i] = (pool_thread){.pool = made, .epoll = -1, .event = -1};
    status = start_threads(made, operation, error);
    if (status) {
        end_threads(made);
        join_threads(made);
        memory_put(made);
        return status;
    }
    *pool = made;
    return VSDK_OK;
}

vsdk_pool *vsdk_pool_ref(vsdk_pool *pool)
{
    if (pool && pool->process == process_id())
        refs_get(&pool->refs);
    return pool;
}

void vsdk_pool_close(vsdk_pool *pool)
{
    if (!pool || pool->process != process_id() || !refs_put(&pool->refs))
        return;
    if (!atomic_load(&pool->joined)) {
        for (uint32_t i = 0; i < pool->started; i++)
            pthread_detach(pool->threads[i].thread);
        end_threads(pool);
    }
    memory_put(pool);
}

static int has_loop(const vsdk_pool *pool, const vsdk_loop *loop)
{
    for (uint32_t i = 0; i < pool->count; i++)
        for (const pool_loop *l = pool->threads[i].loops; l; l = l->next)
            if (l->loop == loop)
                return 1;
    return 0;
}

/* With the lock held. */
static vsdk_status loop_add(vsdk_pool *pool, vsdk_loop *loop, pool_loop *entry,
                            const char *operation, vsdk_error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = entry};
    pool_thread *t = &pool->threads[0];

    if (atomic_load(&pool->ending))
        return error_set(error, VSDK_ERROR_GONE, operation, "the pool was stopped");
    if (has_loop(pool, loop))
        return error_set(error, VSDK_ERROR_EXISTS, operation, "the pool has this loop already");
    for (uint32_t i = 1; i < pool->count; i++)
        if (pool->threads[i].count < t->count)
            t = &pool->threads[i];
    refs_get(&loop->refs);
    entry->loop = loop;
    if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, loop->epoll, &event)) {
        int failure = errno;
        loop_put(loop);
        return error_set_errno(error,
                               failure == ENOMEM || failure == ENOSPC ? VSDK_ERROR_NO_MEMORY
                                                                      : VSDK_ERROR_INVALID_ARGUMENT,
                               failure, operation, "the loop can't be waited for");
    }
    entry->next = t->loops;
    t->loops = entry;
    t->count++;
    return VSDK_OK;
}

vsdk_status vsdk_pool_add_loop(vsdk_pool *pool, vsdk_loop *loop, vsdk_error *error)
{
    static const char operation[] = "vsdk_pool_add_loop";

    if (!pool || !loop)
        return error_null(error, operation, pool ? "loop" : "pool");
    if (pool->process != process_id() || loop_is_foreign(loop))
        return vm_forked(operation, error);
    pool_loop *entry = alloc_zeroed(sizeof *entry);
    if (!entry)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the loop");
    lock_take(&pool->lock);
    vsdk_status status = loop_add(pool, loop, entry, operation, error);
    lock_give(&pool->lock);
    if (status)
        alloc_free(entry);
    return status;
}

/* With the lock held: the entry is empty now, and its loop is the caller's. */
static vsdk_loop *loop_remove(vsdk_pool *pool, const vsdk_loop *loop)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        pool_thread *t = &pool->threads[i];
        pool_loop **at = &t->loops;
        while (*at && (*at)->loop != loop)
            at = &(*at)->next;
        if (!*at)
            continue;
        pool_loop *entry = loop_unlink(at);
        vsdk_loop *taken = entry->loop;
        epoll_ctl(t->epoll, EPOLL_CTL_DEL, taken->epoll, NULL);
        entry->loop = NULL;
        entry->next = t->removed;
        t->removed = entry;
        t->count--;
        return taken;
    }
    return NULL;
}

vsdk_status vsdk_pool_remove_loop(vsdk_pool *pool, vsdk_loop *loop, vsdk_error *error)
{
    static const char operation[] = "vsdk_pool_remove_loop";

    if (!pool || !loop)
        return error_null(error, operation, pool ? "loop" : "pool");
    if (pool->process != process_id() || loop_is_foreign(loop))
        return vm_forked(operation, error);
    lock_take(&pool->lock);
    vsdk_loop *taken = loop_remove(pool, loop);
    lock_give(&pool->lock);
    if (!taken)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "the pool has no such loop");
    loop_put(taken);
    return VSDK_OK;
}

vsdk_status vsdk_pool_stop(vsdk_pool *pool, vsdk_error *error)
{
    static const char operation[] = "vsdk_pool_stop";

    if (!pool)
        return error_null(error, operation, "pool");
    if (pool->process != process_id())
        return vm_forked(operation, error);
    if (pool_of_thread == pool)
        return error_set(error, VSDK_ERROR_BUSY, operation, "called from a thread of the pool");
    if (callback_in_some_device())
        return error_set(error, VSDK_ERROR_BUSY, operation, "called from a callback of a device");
    lock_take(&pool->lock);
    int first = !atomic_exchange(&pool->ending, 1);
    lock_give(&pool->lock);
    if (first) {
        end_threads(pool);
        join_threads(pool);
        loops_put(pool);
        atomic_store(&pool->joined, 1);
        sys_futex_wake(&pool->joined);
    }
    while (!atomic_load(&pool->joined))
        sys_futex_wait(&pool->joined, 0, 0);
    return VSDK_OK;
}
