/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side: programs that come by the device's Unix socket, programs that the guest reaches
 * by PATH_PORT, and the embedder's own ports and connections.
 *
 * A host's program that comes says "CONNECT PORT\n" and hears "OK PORT\n" when the guest has
 * accepted. The line is all that is read of it; what follows is the guest's. There are few who have
 * not said it yet, each for a limited time, so they keep nobody out.
 *
 * What other threads share with the loop stands under `lock`: it is taken for a few loads and
 * stores, and system calls on descriptors of its own. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "virtio/devices/device.h"
#include "virtio/devices/vsock.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BACKLOG = 16, BACKLOG_MOST = 4096, ACCEPTS = 16 };
#define ANY_PORT UINT32_MAX

int host_count_up(vsock *s)
{
    lock_take(&s->lock);
    int may = s->count < s->most;
    s->count += (uint32_t)may;
    lock_give(&s->lock);
    return may;
}

void host_count_down(vsock *s)
{
    lock_take(&s->lock);
    s->count--;
    lock_give(&s->lock);
}

/* While as many as may be have not said what they want, others wait in the socket's own queue. */
void host_may_accept(vsock *s)
{
    if (!s->accepts || !s->accepts_stopped || s->greeters >= s->greeters_most)
        return;
    s->accepts_stopped = 0;
    vsdk_watch_set_events(s->accepts, VSDK_LOOP_READ, NULL);
}

/* The end of a connection lets others in; so does the timer, since descriptors are the process's,
 * and nobody tells when there are some again. */
static void stop_accepting(vsock *s)
{
    s->accepts_stopped = 1;
    vsdk_watch_set_events(s->accepts, 0, NULL);
    connection_wake(s, s->timeout);
}

void host_accept(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    vsock *s = user;

    (void)watch, (void)descriptor, (void)events;
    vsock_catch_up(s);
    for (int i = 0; i < ACCEPTS; i++) {
        if (s->greeters >= s->greeters_most || !host_count_up(s)) {
            stop_accepting(s);
            return;
        }
        int fd = socket_accept(s->listening);
        if (fd >= 0 && connection_make(s, fd, CONNECTION_GREETS))
            continue;
        host_count_down(s);
        if (fd != -EAGAIN)
            stop_accepting(s);
        return;
    }
}

/* Decimal digits alone, as the convention has it. 0 if it is no port. */
static int read_port(const uint8_t *line, uint32_t length, uint32_t *port)
{
    static const char word[] = "CONNECT ";
    uint64_t value = 0;
    uint32_t at = sizeof word - 1;

    if (length <= at || length > VSOCK_LINE_MOST || memcmp(line, word, at) != 0)
        return 0;
    for (; at < length; at++) {
        if (line[at] < '0' || line[at] > '9')
            return 0;
        value = value * 10 + (line[at] - '0');
        if (value >= ANY_PORT)
            return 0;
    }
    *port = (uint32_t)value;
    return 1;
}

/* Looked at before it is taken: what stands behind the line stays where it is. `held` is how much
 * of the line has come. Ends the connection when there will be no line. */
void host_greeting(connection *c)
{
    uint8_t *line = c->bytes;
    uint32_t room = VSOCK_LINE_MOST - c->held, port;
    int got = socket_peek(c->fd, line + c->held, room);

    if (got == -EAGAIN)
        return;
    const uint8_t *end = got > 0 ? memchr(line + c->held, '\n', (size_t)got) : NULL;
    uint32_t take = end ? (uint32_t)(end - line) + 1 - c->held : got > 0 ? (uint32_t)got : 0;
    if (!take || socket_receive(c->fd, line + c->held, take) != (int)take) {
        connection_end(c);
        return;
    }
    c->held += take;
    if (!end && c->held < VSOCK_LINE_MOST)
        return;
    if (!end || !read_port(line, c->held - 1, &port)) {
        connection_end(c);
        return;
    }
    c->held = 0;
    c->greets = 1;
    connection_request(c, port);
}

/* With `lock` held. */
static listener *find_listener(const vsock *s, uint32_t port)
{
    listener *l = s->listeners;

    while (l && l->port != port)
        l = l->next;
    return l;
}

/* A listener of the embedder's comes before a path. */
int host_reach(vsock *s, uint32_t port, int *given)
{
    char path[SOCKET_PATH_MOST + 1];
    int pair[2];

    *given = -1;
    lock_take(&s->lock);
    const listener *l = find_listener(s, port);
    int is_there = l != NULL, has_room = l && l->count < l->most;
    lock_give(&s->lock);
    if (is_there) {
        if (!has_room || socket_pair(pair))
            return -1;
        *given = pair[1];
        return pair[0];
    }
    if (!s->path[0])
        return -1;
    /* Room for the number was asked of the path. */
    snprintf(path, sizeof path, "%s_%u", s->path, port);
    return socket_connect(path);
}

/* The listener may have gone meanwhile: closing this end tells the guest. */
void host_give(vsock *s, uint32_t port, uint32_t peer, int given, int made)
{
    if (given < 0)
        return;
    lock_take(&s->lock);
    listener *l = made ? find_listener(s, port) : NULL;
    if (l && l->count < l->most) {
        uint32_t at = (l->first + l->count++) % l->most;
        l->waiting[at].fd = given;
        l->waiting[at].peer = peer;
        sys_eventfd_write(l->event, 1);
        given = -1;
    }
    lock_give(&s->lock);
    sys_close(given);
}

/* Those that the embedder has asked for are at home here from now on. */
void host_take_wishes(vsock *s)
{
    lock_take(&s->lock);
    connection *c = s->wishes;
    s->wishes = NULL;
    s->last_wish = &s->wishes;
    lock_give(&s->lock);
    while (c) {
        connection *next = c->same;
        connection_join(c);
        connection_request(c, c->guest_port);
        c = next;
    }
}

static void end_listener(listener *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        sys_close(l->waiting[(l->first + i) % l->most].fd);
    sys_close(l->event);
    alloc_free(l);
}

/* Nobody else is there any more. */
void host_end(vsock *s)
{
    while (s->wishes) {
        connection *c = s->wishes;
        s->wishes = c->same;
        connection_end(c);
    }
    while (s->listeners) {
        listener *l = s->listeners;
        s->listeners = l->next;
        end_listener(l);
    }
    if (s->listening >= 0)
        socket_unlink(s->path, s->identity);
    sys_close(s->listening);
}

/* INVALID_ARGUMENT if it is no device of this kind, STATE in a forked child. */
static vsdk_status get(vsdk_device *device, uint32_t port, vsock **s, const char *operation,
                       vsdk_error *error)
{
    vsdk_status status;

    *s = virtio_device_of(device, &vsock_ops, "virtio socket device", operation, &status, error);
    if (status)
        return status;
    if (port == ANY_PORT)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "port %u is no port", port);
    return VSDK_OK;
}

static vsdk_status failed(int result, const char *operation, vsdk_error *error)
{
    return error_set_errno(error, error_status_of_errno(-result), -result, operation,
                           "no descriptor can be made");
}

vsdk_status vsdk_virtio_vsock_listen(vsdk_device *device, uint32_t port, uint32_t backlog,
                                     vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_vsock_listen";
    vsock *s = NULL;
    vsdk_status status = get(device, port, &s, operation, error);

    if (status)
        return status;
    if (backlog > BACKLOG_MOST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "a backlog of %u, above %u",
                         backlog, BACKLOG_MOST);
    backlog = backlog ? backlog : BACKLOG;
    listener *l = alloc_zeroed(sizeof *l + backlog * sizeof *l->waiting);
    if (!l)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    l->port = port;
    l->most = backlog;
    l->event = sys_eventfd();
    if (l->event < 0) {
        status = failed(l->event, operation, error);
        alloc_free(l);
        return status;
    }
    lock_take(&s->lock);
    int exists = find_listener(s, port) != NULL;
    if (!exists) {
        l->next = s->listeners;
        s->listeners = l;
    }
    lock_give(&s->lock);
    if (!exists)
        return VSDK_OK;
    end_listener(l);
    return error_set(error, VSDK_ERROR_EXISTS, operation, "port %u is listened at already", port);
}

vsdk_status vsdk_virtio_vsock_unlisten(vsdk_device *device, uint32_t port, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_vsock_unlisten";
    vsock *s = NULL;
    vsdk_status status = get(device, port, &s, operation, error);

    if (status)
        return status;
    lock_take(&s->lock);
    listener **at = &s->listeners;
    while (*at && (*at)->port != port)
        at = &(*at)->next;
    listener *l = *at;
    if (l)
        *at = l->next;
    lock_give(&s->lock);
    if (!l)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "nobody listens at port %u", port);
    end_listener(l);
    return VSDK_OK;
}

int32_t vsdk_virtio_vsock_descriptor(vsdk_device *device, uint32_t port)
{
    vsock *s = NULL;
    int32_t found = -1;

    if (get(device, port, &s, "vsdk_virtio_vsock_descriptor", NULL))
        return -1;
    lock_take(&s->lock);
    const listener *l = find_listener(s, port);
    if (l)
        found = l->event;
    lock_give(&s->lock);
    return found;
}

vsdk_status vsdk_virtio_vsock_accept(vsdk_device *device, uint32_t port, int32_t *descriptor,
                                     uint32_t *peer, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_vsock_accept";
    vsock *s = NULL;
    uint64_t rings;

    if (descriptor)
        *descriptor = -1;
    if (peer)
        *peer = 0;
    vsdk_status status = get(device, port, &s, operation, error);
    if (status)
        return status;
    if (!descriptor)
        return error_null(error, operation, "descriptor");
    lock_take(&s->lock);
    listener *l = find_listener(s, port);
    int is_there = l != NULL;
    if (l && l->count) {
        *descriptor = l->waiting[l->first].fd;
        if (peer)
            *peer = l->waiting[l->first].peer;
        l->first = (l->first + 1) % l->most;
        if (!--l->count)
            sys_eventfd_read(l->event, &rings);
    }
    lock_give(&s->lock);
    if (*descriptor >= 0)
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_NOT_FOUND, operation,
                     is_there ? "no connection waits at port %u" : "nobody listens at port %u",
                     port);
}

/* The other end is the caller's at once; the guest is asked on the loop. */
vsdk_status vsdk_virtio_vsock_connect(vsdk_device *device, uint32_t port, int32_t *descriptor,
                                      vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_vsock_connect";
    connection *c;
    vsock *s = NULL;
    int pair[2];

    if (descriptor)
        *descriptor = -1;
    vsdk_status status = get(device, port, &s, operation, error);
    if (status)
        return status;
    if (!descriptor)
        return error_null(error, operation, "descriptor");
    vsdk_vm_info info = {.size = sizeof info};
    status = vsdk_vm_get_info(vsdk_device_vm(device), &info, NULL);
    if (status)
        return error_set(error, status, operation, "the virtual machine was destroyed");
    if (!host_count_up(s))
        return error_set(error, VSDK_ERROR_LIMIT, operation, "there are %u connections already",
                         s->most);
    int result = socket_pair(pair);
    if (result) {
        host_count_down(s);
        return failed(result, operation, error);
    }
    status = connection_new(s, pair[0], CONNECTION_REQUESTED, &c, operation, error);
    if (status) {
        host_count_down(s);
        sys_close(pair[1]);
        return status;
    }
    c->guest_port = port;
    lock_take(&s->lock);
    *s->last_wish = c;
    s->last_wish = &c->same;
    lock_give(&s->lock);
    *descriptor = pair[1];
    vsock_want_send(s);
    return VSDK_OK;
}
