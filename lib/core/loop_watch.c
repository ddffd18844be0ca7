/* SPDX-License-Identifier: Apache-2.0 */
/* The API of watches. Epoll has a duplicate of the caller's descriptor: see loop_poll.c. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "core/loop.h"
#include <errno.h>

enum { EVENTS_KNOWN = VSDK_LOOP_READ | VSDK_LOOP_WRITE | VSDK_LOOP_ERROR };

static vsdk_status cannot_poll(int failure, int32_t fd, const char *operation, vsdk_error *error)
{
    if (failure == ENOMEM || failure == ENOSPC)
        return error_set_errno(error, VSDK_ERROR_NO_MEMORY, failure, operation, "descriptor %d",
                               fd);
    if (failure == EMFILE || failure == ENFILE)
        return error_set_errno(error, VSDK_ERROR_LIMIT, failure, operation,
                               "no more descriptors for the watch");
    error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, failure, operation,
                    "descriptor %d can't be polled", fd);
    return failure == EPERM ? error_hint(error, VSDK_ERROR_INVALID_ARGUMENT,
                                         "a file is always ready: read it without a watch")
                            : VSDK_ERROR_INVALID_ARGUMENT;
}

static vsdk_status arguments_check(const vsdk_loop *loop, uint32_t events, vsdk_watch_fn fn,
                                   vsdk_watch **watch, const char *operation, vsdk_error *error)
{
    if (!loop || !fn || !watch)
        return error_null(error, operation, !loop ? "loop" : !fn ? "fn" : "watch");
    if (events & ~(uint32_t)EVENTS_KNOWN)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "events %#x are unknown",
                         events);
    return VSDK_OK;
}

/* Not reachable for anybody else yet but for its device: closing it takes all of it back. */
static vsdk_status start(vsdk_watch *watch, const char *operation, vsdk_error *error)
{
    vsdk_loop *loop = watch->source.loop;
    int fd = sys_dup(watch->given), failure = fd < 0 ? -fd : 0;

    if (failure)
        return cannot_poll(failure, watch->given, operation, error);
    watch->fd = fd;
    vsdk_status status = source_link(&watch->source, operation, error);
    if (status)
        return status;
    lock_take(&loop->lock);
    if (!watch->source.dead)
        failure = -watch_add(watch, watch->events != 0);
    lock_give(&loop->lock);
    return failure ? cannot_poll(failure, watch->given, operation, error) : VSDK_OK;
}

vsdk_status vsdk_watch_create(vsdk_loop *loop, vsdk_device *device, int32_t descriptor,
                              uint32_t events, vsdk_watch_fn fn, void *user,
                              vsdk_release_fn release, vsdk_watch **watch, vsdk_error *error)
{
    static const char operation[] = "vsdk_watch_create";
    vsdk_watch *made = NULL;

    if (watch)
        *watch = NULL;
    if (loop && loop_is_foreign(loop))
        return vm_forked(operation, error);
    vsdk_status status = arguments_check(loop, events, fn, watch, operation, error);
    if (!status && !(made = alloc_zeroed(sizeof *made)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the watch");
    if (status) {
        if (release)
            release(user);
        return status;
    }
    source_init(&made->source, SOURCE_WATCH, loop, device, user, release);
    made->fn = fn;
    made->given = descriptor;
    made->fd = -1;
    made->events = events;
    status = start(made, operation, error);
    if (status) {
        source_close(&made->source);
        return status;
    }
    *watch = made;
    return VSDK_OK;
}

vsdk_status vsdk_watch_set_events(vsdk_watch *watch, uint32_t events, vsdk_error *error)
{
    static const char operation[] = "vsdk_watch_set_events";
    int result = 0;

    if (!watch)
        return error_null(error, operation, "watch");
    vsdk_loop *loop = watch->source.loop;
    if (loop_is_foreign(loop))
        return vm_forked(operation, error);
    if (events & ~(uint32_t)EVENTS_KNOWN)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "events %#x are unknown",
                         events);
    lock_take(&loop->lock);
    watch->events = events;
    if (!watch->source.dead && !watch->source.parked && (events || watch->polled))
        result = watch_poll(watch, events != 0);
    lock_give(&loop->lock);
    return result ? cannot_poll(-result, watch->given, operation, error) : VSDK_OK;
}

vsdk_watch *vsdk_watch_ref(vsdk_watch *watch)
{
    if (watch && !loop_is_foreign(watch->source.loop))
        refs_get(&watch->source.handles);
    return watch;
}

void vsdk_watch_close(vsdk_watch *watch)
{
    if (watch && !loop_is_foreign(watch->source.loop))
        source_close(&watch->source);
}
