#include "base/alloc.h"
#include "base/error.h"
#include "core/loop.h"
#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_KNOWN = VSDK_LOOP_READ | VSDK_LOOP_WRITE | VSDK_LOOP_ERROR };

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

void watch_poll_off(vsdk_watch *watch)
{
    if (watch->polled && !watch->source.loop->gone)
        epoll_change(watch, EPOLL_CTL_MOD, 0);
    watch->polled = 0;
}

int watch_poll_on(vsdk_watch *watch)
{
    if (watch->polled || !watch->events || watch->source.loop->gone)
        return 0;
    int result = epoll_change(watch, EPOLL_CTL_MOD, 1);
    watch->polled = result == 0;
    return result;
}

void watch_unlist(vsdk_watch *watch)
{
    if (!watch->link)
        return;
    if (!watch->source.loop->gone)
        epoll_change(watch, EPOLL_CTL_DEL, 0);
    watch->polled = 0;
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    watch->link = NULL;
}

void watch_free(vsdk_watch *watch)
{
    vsdk_loop *loop = watch->source.loop;

    pthread_mutex_lock(&loop->lock);
    int keep = (int)loop->dispatching;
    if (keep) {
        watch->grave = loop->graves;
        loop->graves = watch;
    }
    pthread_mutex_unlock(&loop->lock);
    if (!keep)
        alloc_free(watch);
}

static uint32_t events_of(const vsdk_watch *watch, uint32_t epoll_events)
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

typedef struct watch_round {
    uint32_t epoll_events, events;
} watch_round;

static int watch_still_due(loop_source *source, void *context)
{
    vsdk_watch *watch = (vsdk_watch *)source;
    watch_round *round = context;

    if (!watch->polled)
        return 0;
    round->events = events_of(watch, round->epoll_events);
    return round->events != 0;
}

static void watch_call(loop_source *source, void *context)
{
    vsdk_watch *watch = (vsdk_watch *)source;

    watch->fn(source->user, watch->fd, ((watch_round *)context)->events);
}

int watch_fire(vsdk_watch *watch, uint32_t epoll_events)
{
    watch_round round = {.epoll_events = epoll_events};

    return watch->source.dead ? 0
                              : source_fire(&watch->source, watch_still_due, watch_call, &round);
}

static int is_watched(const vsdk_loop *loop, int32_t fd)
{
    for (const vsdk_watch *w = loop->watches; w; w = w->next) {
        if (w->fd == fd)
            return 1;
    }
    return 0;
}

/* 0 or -errno: whether epoll takes the descriptor, and polls it unless it is parked. */
static int try_descriptor(vsdk_watch *watch)
{
    int polled = !watch->source.parked && watch->events;
    int result = epoll_change(watch, EPOLL_CTL_ADD, polled);

    watch->polled = polled && !result;
    return result;
}

static vsdk_status descriptor_add(vsdk_watch *watch, const char *op, vsdk_error *error)
{
    vsdk_loop *loop = watch->source.loop;
    int result = -EEXIST;

    pthread_mutex_lock(&loop->lock);
    int ended = (int)watch->source.dead;
    if (ended)
        result = 0;
    else if (!is_watched(loop, watch->fd))
        result = try_descriptor(watch);
    if (!result && !ended) {
        watch->next = loop->watches;
        if (watch->next)
            watch->next->link = &watch->next;
        watch->link = &loop->watches;
        loop->watches = watch;
    }
    pthread_mutex_unlock(&loop->lock);
    if (!result)
        return VSDK_OK;
    if (result == -EEXIST)
        return error_set(error, VSDK_ERROR_EXISTS, op, "the loop watches descriptor %d already",
                         watch->fd);
    if (result == -ENOMEM || result == -ENOSPC)
        return error_set_errno(error, VSDK_ERROR_NO_MEMORY, -result, op, "descriptor %d",
                               watch->fd);
    return error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, -result, op,
                           "descriptor %d can't be polled", watch->fd);
}

static vsdk_status arguments_check(const vsdk_loop *loop, uint32_t events, vsdk_watch_fn fn,
                                   vsdk_watch **watch, const char *op, vsdk_error *error)
{
    if (!loop || !fn || !watch)
        return error_null(error, op, !loop ? "loop" : !fn ? "fn" : "watch");
    if (events & ~(uint32_t)EVENTS_KNOWN)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op, "events %#x are unknown", events);
    return VSDK_OK;
}

/* Not reachable for anybody else yet but for its device: closing it takes all of it back. */
static vsdk_status start(vsdk_watch *watch, const char *op, vsdk_error *error)
{
    vsdk_status status = source_link(&watch->source, op, error);

    return status ? status : descriptor_add(watch, op, error);
}

vsdk_status vsdk_watch_create(vsdk_loop *loop, vsdk_device *device, int32_t descriptor,
                              uint32_t events, vsdk_watch_fn fn, void *user,
                              vsdk_release_fn release, vsdk_watch **watch, vsdk_error *error)
{
    static const char op[] = "vsdk_watch_create";
    vsdk_watch *made = NULL;

    if (watch)
        *watch = NULL;
    vsdk_status status = arguments_check(loop, events, fn, watch, op, error);
    if (!status && !(made = alloc_zeroed(sizeof *made)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the watch");
    if (status) {
        if (release)
            release(user);
        return status;
    }
    source_init(&made->source, loop, device, user, release);
    made->fn = fn;
    made->fd = descriptor;
    made->events = events;
    status = start(made, op, error);
    if (status) {
        source_close(&made->source);
        return status;
    }
    *watch = made;
    return VSDK_OK;
}

vsdk_status vsdk_watch_set_events(vsdk_watch *watch, uint32_t events, vsdk_error *error)
{
    static const char op[] = "vsdk_watch_set_events";
    int result = 0;

    if (!watch)
        return error_null(error, op, "watch");
    if (events & ~(uint32_t)EVENTS_KNOWN)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op, "events %#x are unknown", events);
    vsdk_loop *loop = watch->source.loop;
    pthread_mutex_lock(&loop->lock);
    watch->events = events;
    if (watch->source.dead || watch->source.parked)
        result = 0;
    else if (!events)
        watch_poll_off(watch);
    else if (watch->polled)
        result = epoll_change(watch, EPOLL_CTL_MOD, 1);
    else
        result = watch_poll_on(watch);
    pthread_mutex_unlock(&loop->lock);
    if (result)
        return error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, -result, op,
                               "descriptor %d can't be polled", watch->fd);
    return VSDK_OK;
}

void vsdk_watch_close(vsdk_watch *watch)
{
    if (watch && !loop_is_foreign(watch->source.loop))
        source_close(&watch->source);
}
