/* SPDX-License-Identifier: Apache-2.0 */
/* Packets from and to the guest. A header is copied once, checked, and the copy is used.
 *
 * A packet for nobody is answered with a reset. Such answers wait in a list of fixed length; when
 * it is full no more packets are taken until the guest has given buffers for them (5.10.6.1.2). So
 * whatever a guest sends, the memory for it is bounded, and a guest that gives no buffers stops
 * itself.
 *
 * The buffer at hand (`chain`) is popped before it is known whether there are bytes for it, since
 * bytes that were read from a descriptor can't be put back. It stays popped until there are some.
 */
#include "virtio/devices/vsock.h"
#include <stddef.h>

/* What the guest had before its reset is over. That packets of after it meet connections of before
 * it is impossible: they are popped after the reset was counted. */
void vsock_catch_up(vsock *s)
{
    uint32_t now = atomic_load(&s->resets);

    if (now == s->resets_seen)
        return;
    s->resets_seen = now;
    connection_end_all(s, 0);
    s->reply_count = 0;
    s->has_chain = 0;
}

int vsock_reply_reset(vsock *s, const vsock_header *to)
{
    if (to->op == OP_RESET)
        return 1;
    if (s->reply_count == VSOCK_REPLIES_MOST)
        return 0;
    uint32_t at = (s->reply_first + s->reply_count++) % VSOCK_REPLIES_MOST;
    s->replies[at] = (vsock_reply){.host_cid = to->dst_cid,
                                   .guest_port = to->src_port,
                                   .host_port = to->dst_port,
                                   .type = to->type};
    vsock_want_send(s);
    return 1;
}

void vsock_want_send(vsock *s)
{
    vsdk_work_post(s->sender, NULL);
}

/* The guest has asked for a connection to a port of the host's. */
static void take_request(vsock *s, const vsock_header *h)
{
    connection *c = NULL;
    int given = -1, fd;

    if (!host_count_up(s)) {
        vsock_reply_reset(s, h);
        return;
    }
    fd = host_reach(s, h->dst_port, &given);
    if (fd >= 0)
        c = connection_make(s, fd, CONNECTION_OPEN);
    if (!c) {
        host_give(s, h->dst_port, h->src_port, given, 0);
        host_count_down(s);
        vsock_reply_reset(s, h);
        return;
    }
    connection_name(c, h->src_port, h->dst_port);
    c->guest_room = h->buf_alloc;
    c->guest_took = h->fwd_cnt;
    connection_mark(c, DUE_RESPONSE);
    host_give(s, h->dst_port, h->src_port, given, 1);
}

/* A packet with a source that is not the guest's is nobody's: it gets no answer. */
static void take_packet(vsock *s, const vsdk_virtio_chain *chain)
{
    vsock_header h;

    if (vsdk_virtio_read(s->device, chain, 0, &h, sizeof h, NULL) || h.src_cid != s->cid)
        return;
    connection *c = h.dst_cid == VSOCK_HOST && h.type == VSOCK_STREAM
                        ? connection_find(s, h.src_port, h.dst_port)
                        : NULL;
    if (h.op == OP_DATA && h.length > chain->readable - sizeof h)
        h.op = OP_INVALID;
    if (c)
        connection_take(c, &h, chain);
    else if (h.op == OP_REQUEST && h.dst_cid == VSOCK_HOST && h.type == VSOCK_STREAM)
        take_request(s, &h);
    else
        vsock_reply_reset(s, &h);
}

/* Under the lock of TX. Each packet wants one answer at the most. */
void vsock_receive(vsock *s)
{
    vsdk_virtio_chain chain;

    vsock_catch_up(s);
    s->tx_waits = 0;
    for (uint32_t i = 0; i < VSOCK_TURN; i++) {
        if (s->reply_count == VSOCK_REPLIES_MOST) {
            s->tx_waits = 1;
            return;
        }
        if (vsdk_virtio_pop(s->device, VSOCK_TX, &chain, NULL))
            return;
        vsock_catch_up(s);
        take_packet(s, &chain);
        vsdk_virtio_push(s->device, &chain, 0, NULL);
    }
    vsdk_work_post(s->receiver, NULL);
}

/* 0 if the guest gave no buffer. One without room for a header is given back. */
static int get_chain(vsock *s, uint32_t *budget)
{
    while (!s->has_chain && *budget) {
        if (vsdk_virtio_pop(s->device, VSOCK_RX, &s->chain, NULL))
            return 0;
        vsock_catch_up(s);
        s->has_chain = s->chain.writable >= sizeof(vsock_header);
        if (s->has_chain)
            break;
        vsdk_virtio_push(s->device, &s->chain, 0, NULL);
        --*budget;
    }
    return (int)s->has_chain;
}

/* 0 if the guest's buffer is not in its memory. */
static int put_packet(vsock *s, const vsock_header *h)
{
    vsdk_status status = vsdk_virtio_write(s->device, &s->chain, 0, h, sizeof *h, NULL);

    if (!status && h->length)
        status = vsdk_virtio_write(s->device, &s->chain, sizeof *h, s->scratch, h->length, NULL);
    vsdk_virtio_push(s->device, &s->chain, status ? 0 : (uint32_t)sizeof *h + h->length, NULL);
    s->has_chain = 0;
    return !status;
}

static void send_reply(vsock *s)
{
    const vsock_reply *r = &s->replies[s->reply_first];
    vsock_header h = {.src_cid = r->host_cid,
                      .dst_cid = s->cid,
                      .src_port = r->host_port,
                      .dst_port = r->guest_port,
                      .type = r->type,
                      .op = OP_RESET};

    put_packet(s, &h);
    s->reply_first = (s->reply_first + 1) % VSOCK_REPLIES_MOST;
    s->reply_count--;
}

/* What is due, in the order in which it means something to the guest: first that there is a
 * connection, last that there is none. Bytes that the host's end has sent come before its end. */
static vsock_op choose(connection *c, vsock_header *h)
{
    static const struct {
        unsigned due;
        vsock_op op;
    } order[] = {
        {DUE_RESET, OP_RESET},
        {DUE_REQUEST, OP_REQUEST},
        {DUE_RESPONSE, OP_RESPONSE},
        {DUE_CREDIT, OP_CREDIT_UPDATE},
        {DUE_CREDIT_REQUEST, OP_CREDIT_REQUEST},
        {DUE_SHUTDOWN, OP_SHUTDOWN},
    };

    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < sizeof order / sizeof *order; k++) {
            if (!(c->due & order[k].due))
                continue;
            c->due &= (uint8_t)~order[k].due;
            if (order[k].op == OP_SHUTDOWN)
                h->flags = c->host_shut;
            return order[k].op;
        }
        h->length = i ? 0 : connection_pull(c, (uint32_t)(c->s->chain.writable - sizeof *h));
        if (h->length)
            return OP_DATA;
    }
    return OP_INVALID;
}

/* One packet of one connection; the buffer stays if there is none. */
static void send_one(vsock *s, connection *c)
{
    vsock_header h = {.src_cid = VSOCK_HOST,
                      .dst_cid = s->cid,
                      .src_port = c->host_port,
                      .dst_port = c->guest_port,
                      .type = VSOCK_STREAM,
                      .buf_alloc = s->buffer};
    vsock_op op = choose(c, &h);

    if (op != OP_INVALID) {
        h.op = (uint16_t)op;
        h.fwd_cnt = c->told = c->forwarded;
        c->due &= (uint8_t)~DUE_CREDIT; /* every packet tells it */
        c->sent += h.length;
        if (!put_packet(s, &h) && h.length) {
            connection_reset(c); /* these bytes are lost */
            return;
        }
    }
    if (op == OP_RESET)
        connection_end(c);
    else
        connection_sent_data(c);
}

/* Under the lock of RX. Connections have their turns one packet each. */
void vsock_send(vsock *s)
{
    uint32_t budget = VSOCK_TURN;

    vsock_catch_up(s);
    host_take_wishes(s);
    while (budget && (s->reply_count || s->ready.next != &s->ready) && get_chain(s, &budget)) {
        budget -= budget != 0;
        if (s->reply_count)
            send_reply(s);
        else if (s->ready.next != &s->ready)
            send_one(s, (connection *)((uint8_t *)s->ready.next - offsetof(connection, ready)));
    }
    vsdk_virtio_signal(s->device, VSOCK_RX, NULL);
    if (!budget)
        vsock_want_send(s);
    if (s->tx_waits && s->reply_count < VSOCK_REPLIES_MOST)
        vsdk_work_post(s->receiver, NULL);
}

/* After a load the guest's connections are on another machine, or in the past (5.10.6.7). */
void vsock_event(vsock *s)
{
    static const uint8_t transport_reset[4];
    vsdk_virtio_chain chain;
    int told = 0;

    for (uint32_t i = 0; i < VSOCK_TURN && atomic_load(&s->event_due) && !told; i++) {
        if (vsdk_virtio_pop(s->device, VSOCK_EVENT, &chain, NULL))
            return;
        told =
            !vsdk_virtio_write(s->device, &chain, 0, transport_reset, sizeof transport_reset, NULL);
        vsdk_virtio_push(s->device, &chain, told ? sizeof transport_reset : 0, NULL);
    }
    if (told)
        atomic_store(&s->event_due, 0);
}
