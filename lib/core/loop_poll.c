/* SPDX-License-Identifier: Apache-2.0 */
/* What epoll knows of a loop's watches, and the queue of posted work. The descriptor in epoll is a
 * duplicate of the loop's own, so that a caller who closes his early leaves nothing in epoll that
 * nobody can take out. loop->lock is held. */
#include "base/sys.h"
#include "core/loop.h"
#include <errno.h>
#include <sys/epoll.h>

/* A watch that is not polled stays in epoll, which then tells of a hang-up once: polling it again
 * needs no memory and can't fail. */
static int epoll_change(vsdk_watch *watch, int change, int polled)
{
    struct epoll_event event = {.events = polled ? 0 : EPOLLET, .data.ptr = watch};

    if (polled && watch->events & VSDK_LOOP_READ)
        event.events |= EPOLLIN;
    if (polled && watch->events & VSDK_LOOP_WRITE)
        event.events |= EPOLLOUT;
    return epoll_ctl(watch->source.loop->epoll, change, watch->fd, &event) ? -errno : 0;
}

int watch_add(vsdk_watch *watch, int polled)
{
    int result = epoll_change(watch, EPOLL_CTL_ADD, polled);

    watch->polled = polled && !result;
    return result;
}

int watch_poll(vsdk_watch *watch, int polled)
{
    if (watch->source.loop->gone || watch->fd < 0)
        return 0;
    int result = epoll_change(watch, EPOLL_CTL_MOD, polled);
    watch->polled = polled && !result;
    return result;
}

void watch_remove(vsdk_watch *watch)
{
    if (watch->fd < 0)
        return;
    if (!watch->source.loop->gone)
        epoll_change(watch, EPOLL_CTL_DEL, 0);
    sys_close(watch->fd);
    watch->fd = -1;
    watch->polled = 0;
}

uint32_t watch_events(const vsdk_watch *watch, uint32_t epoll_events)
{
    uint32_t events = 0;

    if (epoll_events & EPOLLERR)
        events |= VSDK_LOOP_ERROR;
    if (epoll_events & (EPOLLIN | EPOLLHUP))
        events |= VSDK_LOOP_READ;
    if (epoll_events & EPOLLOUT)
        events |= VSDK_LOOP_WRITE;
    if ((epoll_events & EPOLLHUP) && !(watch->events & VSDK_LOOP_READ))
        events |= VSDK_LOOP_ERROR;
    return events & (watch->events | VSDK_LOOP_ERROR);
}

void work_queue(vsdk_work *work)
{
    vsdk_loop *loop = work->source.loop;

    if (work->queued)
        return;
    work->queued = 1;
    work->order = ++loop->order;
    work->next = NULL;
    work->link = loop->work_end;
    *loop->work_end = work;
    loop->work_end = &work->next;
}

void work_unqueue(vsdk_work *work)
{
    vsdk_loop *loop = work->source.loop;

    if (!work->queued)
        return;
    work->queued = 0;
    *work->link = work->next;
    if (work->next)
        work->next->link = work->link;
    else
        loop->work_end = work->link;
}
