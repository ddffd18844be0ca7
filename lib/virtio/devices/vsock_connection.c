/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: two credits, two halves, and how it ends. All of it runs on the loop.
 *
 * The guest may send what it was promised room for; what its packets carry beyond that is a breach
 * and resets the connection. To the guest goes what it says that it has room for; what it says is
 * taken as it is, since the buffers that it gives bound everything.
 *
 * A connection ends once: connection_end takes it out of every list. One that the guest is to hear
 * the end of stays, without a descriptor, until its reset was sent. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "virtio/devices/vsock.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { LINGER = 15 }; /* timeouts */
/* Ports of the host's for its own connections; below are those that somebody may listen at. */
#define FIRST_PORT (UINT32_C(1) << 30)

static connection **bucket(vsock *s, uint32_t guest_port, uint32_t host_port)
{
    uint32_t mixed = (guest_port ^ host_port * UINT32_C(0x9e3779b1)) * UINT32_C(0x85ebca6b);

    return &s->hash[mixed >> 24];
}

static void link_at_end(list_link *list, list_link *l)
{
    l->next = list;
    l->before = list->before;
    list->before->next = l;
    list->before = l;
}

static void link_out(list_link *l)
{
    l->next->before = l->before;
    l->before->next = l->next;
    l->next = l->before = l;
}

connection *connection_find(const vsock *s, uint32_t guest_port, uint32_t host_port)
{
    connection *c = *bucket((vsock *)s, guest_port, host_port);

    while (c && (c->guest_port != guest_port || c->host_port != host_port))
        c = c->same;
    return c;
}

void connection_name(connection *c, uint32_t guest_port, uint32_t host_port)
{
    connection **to = bucket(c->s, guest_port, host_port);

    c->guest_port = guest_port;
    c->host_port = host_port;
    c->same = *to;
    *to = c;
    c->is_hashed = 1;
}

static void unname(connection *c)
{
    connection **at = bucket(c->s, c->guest_port, c->host_port);

    if (!c->is_hashed)
        return;
    while (*at != c)
        at = &(*at)->same;
    *at = c->same;
    c->is_hashed = 0;
}

/* An empty set of events leaves the loop alone; ERROR is reported with any other. */
static void watch_for(connection *c, uint32_t events)
{
    if (c->watch && events != c->watched)
        vsdk_watch_set_events(c->watch, events, NULL);
    c->watched = events;
}

/* Then only a hang-up is waited for. */
static int reads_no_more(const connection *c)
{
    return c->state == CONNECTION_OPEN &&
           (c->host_shut & NO_MORE_WRITES || c->guest_shut & NO_MORE_READS);
}

/* Bytes are wanted while the guest has room for them; a hang-up while there is anything to learn.
 */
static void watch_again(connection *c)
{
    uint32_t events = c->held ? VSDK_LOOP_WRITE : 0;

    if (c->state == CONNECTION_GREETS)
        events = VSDK_LOOP_READ;
    else if (c->state == CONNECTION_OPEN && !c->readable && !reads_no_more(c))
        events |= VSDK_LOOP_READ;
    else if (reads_no_more(c))
        events |= VSDK_LOOP_ERROR;
    watch_for(c, events);
}

static void drop_host(connection *c)
{
    vsdk_watch_close(c->watch);
    c->watch = NULL;
    sys_close(c->fd);
    c->fd = -1;
    c->held = 0;
    c->readable = 0;
}

void connection_end(connection *c)
{
    vsock *s = c->s;

    drop_host(c);
    unname(c);
    link_out(&c->all);
    link_out(&c->ready);
    if (c->state == CONNECTION_GREETS)
        s->greeters--;
    alloc_free(c);
    host_count_down(s);
    host_may_accept(s);
}

void connection_end_all(vsock *s, int greeters_too)
{
    list_link *next;

    for (list_link *l = s->all.next; l != &s->all; l = next) {
        connection *c = (connection *)((uint8_t *)l - offsetof(connection, all));
        next = l->next;
        if (greeters_too || c->state != CONNECTION_GREETS)
            connection_end(c);
    }
}

void connection_mark(connection *c, unsigned due)
{
    c->due |= (uint8_t)due;
    if (!c->is_ready) {
        link_at_end(&c->s->ready, &c->ready);
        c->is_ready = 1;
    }
    vsock_want_send(c->s);
}

uint64_t connection_wake(vsock *s, uint64_t delay)
{
    uint64_t at = vsdk_vm_clock(vsdk_device_vm(s->device)) + delay + 1; /* not 0 */

    if (s->timer_due && s->timer_due <= at)
        return at;
    s->timer_due = at;
    vsdk_timer_arm(s->timer, delay, 0, NULL);
    return at;
}

static void set_deadline(connection *c, uint64_t delay)
{
    c->deadline = connection_wake(c->s, delay);
}

void connection_reset(connection *c)
{
    unname(c);
    /* Its ports are given up with the reset, which names them; found it is no more. */
    c->state = CONNECTION_RESETS;
    c->deadline = 0;
    c->due = 0;
    drop_host(c);
    connection_mark(c, DUE_RESET);
}

/* What the guest is told by a shutdown: neither half goes on. It answers with a reset, or the
 * deadline does. */
static void host_is_gone(connection *c)
{
    c->forwarded += c->held;
    drop_host(c);
    c->host_shut = NO_MORE;
    if (c->state == CONNECTION_LINGERS) {
        set_deadline(c, 0); /* the timer ends it, for a caller may have it in hand */
        return;
    }
    if (c->guest_shut == NO_MORE) {
        connection_reset(c);
        return;
    }
    set_deadline(c, c->s->timeout);
    connection_mark(c, DUE_SHUTDOWN);
}

/* The guest hears of room when half of what it may send has gone on: so it always hears of some
 * before it stands still for good. */
static void tell_credit(connection *c)
{
    if (c->state == CONNECTION_OPEN && c->forwarded - c->told >= c->s->buffer / 2)
        connection_mark(c, DUE_CREDIT);
}

static void finish_half(connection *c)
{
    if (c->held || c->fd < 0)
        return;
    if (c->state == CONNECTION_LINGERS)
        set_deadline(c, 0);
    else if (c->guest_shut == NO_MORE)
        connection_reset(c);
    else if (c->guest_shut & NO_MORE_WRITES)
        socket_shutdown(c->fd, SOCKET_NO_MORE_WRITES);
}

static void flush(connection *c)
{
    while (c->held) {
        uint32_t straight = c->s->buffer - c->first;
        int put = socket_send(c->fd, c->bytes + c->first, c->held < straight ? c->held : straight);
        if (put == -EAGAIN)
            break;
        if (put < 0) {
            host_is_gone(c);
            return;
        }
        c->first = (c->first + (uint32_t)put) % c->s->buffer;
        c->held -= (uint32_t)put;
        c->forwarded += (uint32_t)put;
    }
    if (!c->held)
        c->first = 0;
    tell_credit(c);
    finish_half(c);
    watch_again(c);
}

uint32_t connection_credit(const connection *c)
{
    uint32_t out = c->sent - c->guest_took;

    return out < c->guest_room ? c->guest_room - out : 0;
}

/* Whether there may be bytes for the guest, and room. One request tells the guest that its credit
 * is missing. */
static int may_pull(connection *c)
{
    if (c->state != CONNECTION_OPEN || !c->readable || reads_no_more(c))
        return 0;
    if (connection_credit(c))
        return 1;
    if (!c->asked)
        c->due |= DUE_CREDIT_REQUEST;
    c->asked = 1;
    return 0;
}

/* After a packet was sent: it goes to the end of the list, or waits for its descriptor. */
void connection_sent_data(connection *c)
{
    link_out(&c->ready);
    c->is_ready = 0;
    if (may_pull(c) || c->due)
        connection_mark(c, 0);
    watch_again(c);
}

/* The end of the host's bytes is told apart from the end of the host. */
uint32_t connection_pull(connection *c, uint32_t most)
{
    uint32_t credit = connection_credit(c);

    if (!may_pull(c))
        return 0;
    most = most < credit ? most : credit;
    most = most < VSOCK_SCRATCH ? most : VSOCK_SCRATCH;
    if (!most)
        return 0;
    int got = socket_receive(c->fd, c->s->scratch, most);
    if (got > 0)
        return (uint32_t)got;
    c->readable = 0;
    if (got == -EAGAIN)
        return 0;
    if (got < 0 || socket_is_hung_up(c->fd)) {
        host_is_gone(c);
    } else {
        c->host_shut |= NO_MORE_WRITES;
        c->due |= DUE_SHUTDOWN;
    }
    return 0;
}

/* On the loop, under the lock of RX. */
static void connection_event(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    connection *c = user;
    vsock *s = c->s;
    uint32_t resets = s->resets_seen;

    (void)watch, (void)descriptor;
    vsock_catch_up(s);
    if (resets != s->resets_seen)
        return; /* this one may be gone with the others; it is called again if not */
    if (c->state == CONNECTION_GREETS) {
        host_greeting(c);
        vsock_send(s);
        return;
    }
    if (events & VSDK_LOOP_WRITE && c->held)
        flush(c);
    if (c->fd >= 0 && reads_no_more(c) && !c->held && socket_is_hung_up(c->fd))
        host_is_gone(c);
    if (events & VSDK_LOOP_READ && c->fd >= 0 && c->state == CONNECTION_OPEN && !reads_no_more(c)) {
        c->readable = 1;
        if (may_pull(c) || c->due)
            connection_mark(c, 0);
        watch_again(c);
    }
    vsock_send(s);
}

/* The room for the guest's bytes comes with it: no packet allocates. */
vsdk_status connection_new(vsock *s, int fd, connection_state state, connection **made,
                           const char *operation, vsdk_error *error)
{
    connection *c = alloc_unset(sizeof *c + s->buffer);
    vsdk_status status = VSDK_OK;

    *made = NULL;
    if (!c) {
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
        goto out;
    }
    memset(c, 0, sizeof *c);
    c->s = s;
    c->fd = fd;
    c->state = state;
    c->watched = state == CONNECTION_REQUESTED ? 0 : VSDK_LOOP_READ;
    c->all.next = c->all.before = &c->all;
    c->ready.next = c->ready.before = &c->ready;
    status = vsdk_watch_create(s->loop, vsdk_virtio_queue_device(s->device, VSOCK_RX), fd,
                               c->watched, connection_event, c, NULL, &c->watch, error);
    if (!status) {
        *made = c;
        return VSDK_OK;
    }
out:
    alloc_free(c);
    sys_close(fd);
    return status;
}

void connection_join(connection *c)
{
    link_at_end(&c->s->all, &c->all);
    if (c->state != CONNECTION_GREETS)
        return;
    c->s->greeters++;
    set_deadline(c, c->s->timeout);
}

connection *connection_make(vsock *s, int fd, connection_state state)
{
    connection *c;

    if (!connection_new(s, fd, state, &c, "vsock", NULL))
        connection_join(c);
    return c;
}

/* A port of the host's that no connection to this port of the guest's has. There are more ports
 * than connections. */
void connection_request(connection *c, uint32_t guest_port)
{
    vsock *s = c->s;

    do {
        s->next_port = s->next_port < FIRST_PORT || s->next_port >= UINT32_MAX - 1
                           ? FIRST_PORT
                           : s->next_port + 1;
    } while (connection_find(s, guest_port, s->next_port));
    if (c->state == CONNECTION_GREETS)
        s->greeters--;
    c->state = CONNECTION_REQUESTED;
    connection_name(c, guest_port, s->next_port);
    set_deadline(c, s->timeout);
    watch_again(c);
    connection_mark(c, DUE_REQUEST);
    host_may_accept(s);
}

static void take_response(connection *c)
{
    char line[VSOCK_LINE_MOST];

    if (c->state != CONNECTION_REQUESTED) {
        connection_reset(c);
        return;
    }
    c->state = CONNECTION_OPEN;
    c->deadline = 0;
    if (c->greets) {
        int length = snprintf(line, sizeof line, "OK %u\n", c->host_port);
        if (socket_send(c->fd, line, (size_t)length) != length) {
            connection_reset(c);
            return;
        }
    }
    watch_again(c);
}

/* Two pieces at the most, straight into the ring. */
static void take_data(connection *c, const vsock_header *h, const vsdk_virtio_chain *chain)
{
    vsock *s = c->s;
    uint32_t at = (c->first + c->held) % s->buffer, straight = s->buffer - at;
    uint32_t first = h->length < straight ? h->length : straight;

    if (c->state != CONNECTION_OPEN || c->guest_shut & NO_MORE_WRITES ||
        h->length > s->buffer - c->held) {
        connection_reset(c);
        return;
    }
    if (c->fd < 0) { /* sent before it heard of the end */
        c->forwarded += h->length;
        return;
    }
    if (vsdk_virtio_read(s->device, chain, sizeof *h, c->bytes + at, first, NULL) ||
        vsdk_virtio_read(s->device, chain, sizeof *h + first, c->bytes, h->length - first, NULL)) {
        connection_reset(c);
        return;
    }
    /* Who waits for the descriptor goes on by its watch. */
    int waits = c->held != 0;
    c->held += h->length;
    if (!waits)
        flush(c);
}

static void take_shutdown(connection *c, uint32_t flags)
{
    if (c->state != CONNECTION_OPEN) {
        connection_reset(c);
        return;
    }
    unsigned before = c->guest_shut;
    c->guest_shut |= (uint8_t)(flags & NO_MORE);
    if (c->fd < 0) {
        if (c->guest_shut == NO_MORE)
            connection_reset(c);
        return;
    }
    if (c->guest_shut & ~before & NO_MORE_READS)
        socket_shutdown(c->fd, SOCKET_NO_MORE_READS);
    if (c->guest_shut == NO_MORE && c->held)
        set_deadline(c, LINGER * c->s->timeout);
    finish_half(c);
    if (c->fd >= 0)
        watch_again(c);
}

/* What the guest has sent before it left still goes to the host. */
static void take_reset(connection *c)
{
    if (!c->held || !(c->guest_shut & NO_MORE_WRITES)) {
        connection_end(c);
        return;
    }
    unname(c);
    link_out(&c->ready);
    c->is_ready = 0;
    c->due = 0;
    c->state = CONNECTION_LINGERS;
    set_deadline(c, LINGER * c->s->timeout);
    watch_again(c);
}

void connection_take(connection *c, const vsock_header *h, const vsdk_virtio_chain *chain)
{
    c->guest_room = h->buf_alloc;
    c->guest_took = h->fwd_cnt;
    switch (h->op) {
    case OP_RESPONSE:
        take_response(c);
        break;
    case OP_RESET:
        take_reset(c);
        return;
    case OP_SHUTDOWN:
        take_shutdown(c, h->flags);
        break;
    case OP_DATA:
        take_data(c, h, chain);
        break;
    case OP_CREDIT_UPDATE:
        break;
    case OP_CREDIT_REQUEST:
        if (c->state == CONNECTION_OPEN)
            connection_mark(c, DUE_CREDIT);
        break;
    default: /* a second request for it, too */
        connection_reset(c);
        break;
    }
    if (connection_credit(c))
        c->asked = 0;
    if (c->readable && (may_pull(c) || c->due))
        connection_mark(c, 0);
}

static void expire(connection *c)
{
    c->deadline = 0;
    if (c->state == CONNECTION_GREETS || c->state == CONNECTION_LINGERS ||
        (c->state == CONNECTION_REQUESTED && c->due & DUE_REQUEST))
        connection_end(c); /* the guest knows nothing of it */
    else
        connection_reset(c);
}

/* The next deadline is looked for when one is over: there are few with one. */
void connection_expire(vsock *s)
{
    uint64_t now = vsdk_vm_clock(vsdk_device_vm(s->device)), first = 0;
    list_link *next;

    for (list_link *l = s->all.next; l != &s->all; l = next) {
        connection *c = (connection *)((uint8_t *)l - offsetof(connection, all));
        next = l->next;
        if (c->deadline && c->deadline <= now)
            expire(c);
        else if (c->deadline && (!first || c->deadline < first))
            first = c->deadline;
    }
    s->timer_due = first;
    if (first)
        vsdk_timer_arm(s->timer, first - now, 0, NULL);
    host_may_accept(s);
}
