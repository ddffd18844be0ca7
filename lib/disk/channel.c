/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: who does them, and how they are answered.
 *
 * A disk with a pool has workers: a loop each, which the pool dispatches, and a work that is posted
 * when there is something to do. A worker takes requests from the disk's list until that is empty,
 * or its turn is over. `awake` says that a worker has been posted and will look at the list once
 * more: it is set and cleared under the lock, so no request is left with all workers asleep.
 *
 * Without a pool the thread that submits does them. One that is submitted by a request's own
 * callback is done when that has returned, by the call that is under way: the stack does not grow.
 *
 * Who drains a channel does its waiting requests itself, so that a drain ends whatever the pool's
 * threads are busy with, and when the pool was stopped. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "disk/disk.h"
#include <errno.h>

/* Requests that a worker does before other loops of its thread have their turn. */
enum { TURN = 64 };

/* This thread answers a request of this disk; what its callback submits to a disk without a pool
 * waits here. */
typedef struct answering {
    const vsdk_disk *disk;
    request_list later;
    struct answering *outer;
} answering;

static _Thread_local answering *innermost __attribute__((tls_model("initial-exec")));

_Static_assert(sizeof(request_scratch) <= sizeof((vsdk_disk_request *)0)->scratch, "scratch");

static request_scratch *scratch_of(vsdk_disk_request *request)
{
    return (request_scratch *)(void *)request->scratch;
}

static void list_add(request_list *list, vsdk_disk_request *request)
{
    scratch_of(request)->next = NULL;
    if (list->last)
        scratch_of(list->last)->next = request;
    else
        list->first = request;
    list->last = request;
}

/* The first one; of a channel, if it is not NULL. */
static vsdk_disk_request *list_take(request_list *list, const vsdk_disk_channel *of)
{
    vsdk_disk_request *before = NULL, *request = list->first;

    while (request && of && scratch_of(request)->channel != of) {
        before = request;
        request = scratch_of(request)->next;
    }
    if (!request)
        return NULL;
    vsdk_disk_request *next = scratch_of(request)->next;
    if (before)
        scratch_of(before)->next = next;
    else
        list->first = next;
    if (list->last == request)
        list->last = before;
    return request;
}

static answering *answering_of(const vsdk_disk *disk)
{
    answering *frame = innermost;

    while (frame && frame->disk != disk)
        frame = frame->outer;
    return frame;
}

static void channel_put(vsdk_disk_channel *channel)
{
    vsdk_disk *disk = channel->disk;

    if (!refs_put(&channel->refs))
        return;
    if (channel->release)
        channel->release(channel->user);
    alloc_free(channel);
    disk_put(disk);
}

/* When the callback has returned the request may be gone, or submitted again. */
static void answer_request(vsdk_disk_request *request)
{
    vsdk_disk_channel *channel = scratch_of(request)->channel;

    lock_assert_none();
    channel->done(channel->user, request);
    atomic_fetch_sub(&channel->disk->in_flight, 1);
    atomic_fetch_sub(&channel->in_flight, 1);
    if (atomic_load(&channel->waiters))
        sys_futex_wake(&channel->in_flight);
    channel_put(channel);
}

static void do_request(vsdk_disk_request *request)
{
    vsdk_disk *disk = scratch_of(request)->channel->disk;

    request->status = disk_run(disk, request, "vsdk_disk_submit", request->error);
    answer_request(request);
}

/* With the frame that a callback's own submits find. */
static void do_with_frame(vsdk_disk_request *request)
{
    answering frame = {.disk = scratch_of(request)->channel->disk, .outer = innermost};

    innermost = &frame;
    while (request) {
        do_request(request);
        request = list_take(&frame.later, NULL);
    }
    innermost = frame.outer;
}

static vsdk_disk_request *take_waiting(vsdk_disk *disk, const vsdk_disk_channel *of)
{
    lock_take(&disk->lock);
    vsdk_disk_request *request = list_take(&disk->waiting, of);
    lock_give(&disk->lock);
    return request;
}

/* For a worker: the next one, or it is not awake any more. */
static vsdk_disk_request *next_or_sleep(disk_worker *worker)
{
    vsdk_disk *disk = worker->disk;

    lock_take(&disk->lock);
    vsdk_disk_request *request = list_take(&disk->waiting, NULL);
    if (!request)
        worker->awake = 0;
    lock_give(&disk->lock);
    return request;
}

/* A disk that is closed at this moment has no request. */
static void woken(void *user, vsdk_work *work)
{
    disk_worker *worker = user;
    vsdk_disk *disk = worker->disk;
    vsdk_disk_request *request;

    if (!refs_try_get(&disk->refs))
        return;
    for (int i = 0; i < TURN && (request = next_or_sleep(worker)); i++)
        do_with_frame(request);
    if (request)
        vsdk_work_post(work, NULL);
    disk_put(disk);
}

static void worker_released(void *user)
{
    disk_memory_put(((disk_worker *)user)->disk);
}

static vsdk_status worker_make(vsdk_disk *disk, disk_worker *worker, vsdk_error *error)
{
    vsdk_status status = vsdk_loop_create(&worker->loop, error);

    if (status)
        return status;
    worker->disk = disk;
    refs_get(&disk->memory);
    status =
        vsdk_work_create(worker->loop, NULL, woken, worker, worker_released, &worker->work, error);
    return status ? status : vsdk_pool_add_loop(disk->pool, worker->loop, error);
}

/* The statuses of loops and pools are a disk's too, but for these. */
static vsdk_status as_of_disk(vsdk_status status, vsdk_error *error)
{
    if (status != VSDK_ERROR_GONE && status != VSDK_ERROR_STATE)
        return status;
    return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_disk_open",
                     "the pool was stopped, or is of another process");
}

vsdk_status channel_workers_make(vsdk_disk *disk, uint32_t count, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    disk->workers = alloc_array(count, sizeof *disk->workers);
    if (!disk->workers)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_open", "no memory");
    for (uint32_t i = 0; !status && i < count; i++) {
        disk->worker_count = i + 1;
        status = worker_make(disk, &disk->workers[i], error);
    }
    return as_of_disk(status, error);
}

void channel_workers_end(vsdk_disk *disk)
{
    for (uint32_t i = 0; i < disk->worker_count; i++) {
        disk_worker *worker = &disk->workers[i];
        vsdk_loop *loop = worker->loop;
        if (loop)
            vsdk_pool_remove_loop(disk->pool, loop, NULL);
        vsdk_work_close(worker->work);
        vsdk_loop_close(loop);
    }
}

/* Under the lock: wakes as many as there is work for, and says whom to post. */
static uint64_t choose_workers(vsdk_disk *disk, uint32_t count)
{
    uint64_t chosen = 0;

    for (uint32_t i = 0; count && i < disk->worker_count; i++)
        if (!disk->workers[i].awake) {
            disk->workers[i].awake = 1;
            chosen |= UINT64_C(1) << i;
            count--;
        }
    return chosen;
}

static void give_to_workers(vsdk_disk *disk, vsdk_disk_request *const *requests, uint32_t count)
{
    lock_take(&disk->lock);
    for (uint32_t i = 0; i < count; i++)
        list_add(&disk->waiting, requests[i]);
    uint64_t chosen = choose_workers(disk, count);
    lock_give(&disk->lock);
    for (uint32_t i = 0; i < disk->worker_count; i++)
        if (chosen & UINT64_C(1) << i)
            vsdk_work_post(disk->workers[i].work, NULL);
}

static void do_here(vsdk_disk *disk, vsdk_disk_request *const *requests, uint32_t count)
{
    answering *frame = answering_of(disk);

    for (uint32_t i = 0; i < count; i++)
        if (frame)
            list_add(&frame->later, requests[i]);
        else
            do_with_frame(requests[i]);
}

static vsdk_status channel_begin(vsdk_disk_channel *channel, const char *operation,
                                 vsdk_error *error)
{
    if (!channel)
        return error_null(error, operation, "channel");
    return disk_begin(channel->disk, operation, error);
}

/* The caller's handle keeps disk and channel until this returns. */
vsdk_status vsdk_disk_submit(vsdk_disk_channel *channel, vsdk_disk_request *const *requests,
                             uint32_t count, vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_submit";
    vsdk_status status = channel_begin(channel, operation, error);

    if (status)
        return status;
    if (!requests && count)
        return error_null(error, operation, "requests");
    for (uint32_t i = 0; i < count; i++)
        if (!requests[i])
            return error_null(error, operation, "requests[i]");
    for (uint32_t i = 0; i < count; i++) {
        scratch_of(requests[i])->channel = channel;
        refs_get(&channel->refs);
    }
    atomic_fetch_add(&channel->in_flight, count);
    atomic_fetch_add(&channel->disk->in_flight, count);
    if (channel->disk->pool)
        give_to_workers(channel->disk, requests, count);
    else
        do_here(channel->disk, requests, count);
    return VSDK_OK;
}

vsdk_status vsdk_disk_drain(vsdk_disk_channel *channel, uint64_t timeout_ns, vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_drain";
    uint64_t deadline = sys_deadline(timeout_ns);
    vsdk_disk_request *request;
    uint32_t left;
    vsdk_status status = channel_begin(channel, operation, error);

    if (status)
        return status;
    if (answering_of(channel->disk))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from the callback of a request to this disk");
    atomic_fetch_add(&channel->waiters, 1);
    while (!status && (left = atomic_load(&channel->in_flight))) {
        if (timeout_ns == VSDK_FOREVER && (request = take_waiting(channel->disk, channel)))
            do_with_frame(request);
        else if (!timeout_ns || sys_futex_wait(&channel->in_flight, left, deadline) == -ETIMEDOUT)
            status =
                error_set(error, VSDK_ERROR_TIMEOUT, operation, "%u requests are in flight", left);
    }
    atomic_fetch_sub(&channel->waiters, 1);
    return status;
}

vsdk_status vsdk_disk_channel_create(vsdk_disk *disk, vsdk_disk_done_fn done, void *user,
                                     vsdk_release_fn release, vsdk_disk_channel **channel,
                                     vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_channel_create";
    vsdk_disk_channel *made = NULL;
    vsdk_status status = disk_begin(disk, operation, error);

    if (channel)
        *channel = NULL;
    if (status == VSDK_ERROR_STATE)
        return status; /* in a forked child nobody is called */
    if (!status && (!done || !channel))
        status = error_null(error, operation, done ? "channel" : "done");
    if (!status && !(made = alloc_zeroed(sizeof *made)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    if (!made) {
        if (release)
            release(user);
        return status;
    }
    refs_init(&made->handles);
    refs_init(&made->refs);
    refs_get(&disk->refs);
    made->disk = disk;
    made->done = done;
    made->user = user;
    made->release = release;
    *channel = made;
    return VSDK_OK;
}

vsdk_disk_channel *vsdk_disk_channel_ref(vsdk_disk_channel *channel)
{
    if (channel && channel->disk->process == process_id())
        refs_get(&channel->handles);
    return channel;
}

/* What nobody has begun is given back undone: the pool may have been stopped, and then nobody
 * would. */
void vsdk_disk_channel_close(vsdk_disk_channel *channel)
{
    vsdk_disk_request *request;

    if (!channel || channel->disk->process != process_id() || !refs_put(&channel->handles))
        return;
    while ((request = take_waiting(channel->disk, channel))) {
        request->status = error_set(request->error, VSDK_ERROR_STATE, "vsdk_disk_channel_close",
                                    "the channel was closed before the request was begun");
        answer_request(request);
    }
    channel_put(channel);
}
