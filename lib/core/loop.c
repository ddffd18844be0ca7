/* SPDX-License-Identifier: Apache-2.0 */
/* A loop's descriptors and its life. What it runs is dispatch.c's; this file knows no virtual
 * machine. */
#include "core/loop.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

/* What epoll's data says of the loop's own descriptors; a watch's is its address. */
static char of_event, of_timer;

int loop_is_event(const void *data)
{
    return data == &of_event;
}

int loop_is_own(const void *data)
{
    return data == &of_event || data == &of_timer;
}

static int poll_own(const vsdk_loop *loop, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int descriptors_open(vsdk_loop *loop)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if ((loop->epoll = fd < 0 ? -errno : sys_high(fd)) < 0)
        return loop->epoll;
    if ((loop->event = sys_eventfd()) < 0)
        return loop->event;
    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if ((loop->timer = fd < 0 ? -errno : sys_high(fd)) < 0)
        return loop->timer;
    int result = poll_own(loop, loop->event, &of_event);
    return result ? result : poll_own(loop, loop->timer, &of_timer);
}

static void descriptors_close(vsdk_loop *loop)
{
    sys_close(loop->timer);
    sys_close(loop->event);
    sys_close(loop->epoll);
    loop->timer = loop->event = loop->epoll = -1;
}

int loop_is_foreign(const vsdk_loop *loop)
{
    return loop->process != process_id();
}

void loop_memory_put(vsdk_loop *loop)
{
    if (!refs_put(&loop->memory))
        return;
    lock_destroy(&loop->lock);
    alloc_free(loop->heap);
    alloc_free(loop);
}

/* Nobody can dispatch it any more; sources that are left are only memory. */
void loop_put(vsdk_loop *loop)
{
    if (!refs_put(&loop->refs))
        return;
    lock_take(&loop->lock);
    loop->gone = 1;
    descriptors_close(loop);
    lock_give(&loop->lock);
    loop_memory_put(loop);
}

vsdk_status loop_make(vsdk_loop **loop, const char *operation, vsdk_error *error)
{
    vsdk_loop *made = alloc_zeroed(sizeof *made);

    *loop = NULL;
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the loop");
    refs_init(&made->refs);
    refs_init(&made->memory);
    made->process = process_id();
    lock_init(&made->lock, RANK_LOOP);
    made->programmed = UINT64_MAX;
    made->work_end = &made->work;
    made->epoll = made->event = made->timer = -1;
    int result = descriptors_open(made);
    if (result < 0) {
        loop_put(made);
        vsdk_status code =
            result == -ENOMEM || result == -ENOSPC ? VSDK_ERROR_NO_MEMORY : VSDK_ERROR_LIMIT;
        return error_set_errno(error, code, -result, operation, "no descriptors for the loop");
    }
    *loop = made;
    return VSDK_OK;
}

vsdk_status vsdk_loop_create(vsdk_loop **loop, vsdk_error *error)
{
    static const char operation[] = "vsdk_loop_create";

    return loop ? loop_make(loop, operation, error) : error_null(error, operation, "loop");
}

vsdk_loop *vsdk_loop_ref(vsdk_loop *loop)
{
    if (loop && !loop_is_foreign(loop))
        refs_get(&loop->refs);
    return loop;
}

void vsdk_loop_close(vsdk_loop *loop)
{
    if (loop && !loop_is_foreign(loop))
        loop_put(loop);
}

int32_t vsdk_loop_descriptor(vsdk_loop *loop)
{
    return loop ? loop->epoll : -1;
}

void loop_wake(vsdk_loop *loop)
{
    sys_eventfd_write(loop->event, 1);
}

vsdk_status vsdk_loop_wake(vsdk_loop *loop, vsdk_error *error)
{
    static const char operation[] = "vsdk_loop_wake";

    if (!loop)
        return error_null(error, operation, "loop");
    if (loop_is_foreign(loop))
        return vm_forked(operation, error);
    loop_wake(loop);
    return VSDK_OK;
}
