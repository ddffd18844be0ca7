/* SPDX-License-Identifier: Apache-2.0 */
/* A network of the embedder's own functions.
 *
 * No lock is held over them. One thread at a time asks for a frame (`asking`); another that comes
 * meanwhile finds none. What came is kept here until its reader has room for it, so that the
 * embedder gives each frame once.
 *
 * What vsdk_net_notify has told holds until a function has been asked after that: the note is taken
 * away before the call, and put back when there may be more. So none that comes during a call is
 * lost. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/record.h"
#include "net/net.h"

typedef struct custom {
    vsdk_net net;
    vsdk_net_ops ops;
    void *user;
    lock lock; /* RANK_NET */
    uint32_t readable, writable, ended;
    uint32_t asking;
    vsdk_net_offloads accepted;
    net_signal frames, room;
    /* The frame that was given and not taken yet. */
    vsdk_net_offload offload;
    uint32_t length; /* 0: none */
    uint8_t bytes[];
} custom;

/* With the lock held. */
static void custom_tell(custom *c)
{
    net_signal_set(&c->frames, c->length || c->readable || c->ended);
    net_signal_set(&c->room, c->writable || c->ended);
}

static vsdk_status custom_send(vsdk_net *net, const vsdk_net_offload *offload,
                               const net_frame *frame)
{
    custom *c = (custom *)net;

    if (!c->ops.send)
        return VSDK_OK;
    lock_take(&c->lock);
    c->writable = 0;
    custom_tell(c);
    lock_give(&c->lock);
    lock_assert_none();
    vsdk_status status =
        c->ops.send(c->user, net, offload, frame->pieces, frame->count, frame->length);
    return status == VSDK_ERROR_BUSY ? status : VSDK_OK;
}

/* What the embedder's function filled in is checked as what it would send. */
static int is_sound(const custom *c, const vsdk_net_offload *o, uint64_t length)
{
    return length >= NET_FRAME_LEAST && length <= NET_FRAME_MOST &&
           !net_fault(o, (uint32_t)length) && net_is_within(o, c->net.offloads);
}

/* With the lock held, given back meanwhile: asks for the next frame. */
static vsdk_status ask(custom *c)
{
    uint64_t length = 0;
    vsdk_net_offload offload = {0};

    if (c->asking)
        return VSDK_ERROR_NOT_FOUND;
    if (!c->ops.receive || (c->ended && !c->readable))
        return c->ended ? VSDK_ERROR_GONE : VSDK_ERROR_NOT_FOUND;
    c->asking = 1;
    c->readable = 0;
    lock_give(&c->lock);
    lock_assert_none();
    vsdk_status status =
        c->ops.receive(c->user, &c->net, &offload, c->bytes, NET_FRAME_MOST, &length);
    lock_take(&c->lock);
    c->asking = 0;
    if (status == VSDK_ERROR_GONE)
        c->ended = 1;
    if (status)
        return status == VSDK_ERROR_GONE ? status : VSDK_ERROR_NOT_FOUND;
    c->readable = 1;
    if (!is_sound(c, &offload, length) || (offload.gso && !net_is_within(&offload, c->accepted)))
        return VSDK_ERROR_NOT_FOUND; /* dropped: the next one is asked for by the next call */
    if (!net_is_within(&offload, c->accepted))
        net_complete(c->bytes, (uint32_t)length, &offload);
    c->offload = offload;
    c->length = (uint32_t)length;
    return VSDK_OK;
}

static vsdk_status custom_receive(vsdk_net *net, vsdk_net_offload *offload, const net_frame *room,
                                  uint32_t *length)
{
    custom *c = (custom *)net;

    lock_take(&c->lock);
    vsdk_status status = c->length ? VSDK_OK : ask(c);
    if (!status) {
        *length = c->length;
        *offload = c->offload;
        if (room->length < c->length) {
            status = VSDK_ERROR_RANGE;
        } else {
            net_scatter(room, 0, c->bytes, c->length);
            c->length = 0;
        }
    }
    custom_tell(c);
    lock_give(&c->lock);
    return status;
}

/* The embedder is asked for it as for one that is read. */
static vsdk_status custom_skip(vsdk_net *net)
{
    custom *c = (custom *)net;

    lock_take(&c->lock);
    vsdk_status status = c->length ? VSDK_OK : ask(c);
    if (!status)
        c->length = 0;
    custom_tell(c);
    lock_give(&c->lock);
    return status;
}

static vsdk_net_events custom_ready(vsdk_net *net)
{
    custom *c = (custom *)net;

    lock_take(&c->lock);
    vsdk_net_events ready = c->length || c->readable || c->ended ? VSDK_NET_READABLE : 0;
    ready |= VSDK_NET_WRITABLE | (c->ended ? VSDK_NET_ENDED : 0);
    lock_give(&c->lock);
    return ready;
}

static int custom_descriptor(vsdk_net *net, vsdk_net_events event)
{
    custom *c = (custom *)net;

    lock_take(&c->lock);
    int fd = event == VSDK_NET_READABLE
                 ? net_signal_descriptor(&c->frames, c->length || c->readable || c->ended)
                 : net_signal_descriptor(&c->room, c->writable || c->ended);
    lock_give(&c->lock);
    return fd;
}

static void custom_accept(vsdk_net *net, vsdk_net_offloads offloads)
{
    custom *c = (custom *)net;

    lock_take(&c->lock);
    c->accepted = offloads;
    lock_give(&c->lock);
}

/* What was given and not read goes with it. */
static void custom_close(vsdk_net *net)
{
    custom *c = (custom *)net;
    vsdk_release_fn release = c->ops.release;
    void *user = c->user;

    net_signal_end(&c->frames);
    net_signal_end(&c->room);
    lock_destroy(&c->lock);
    alloc_free(c);
    if (release)
        release(user);
}

static const net_kind custom_kind = {
    .send = custom_send,
    .receive = custom_receive,
    .skip = custom_skip,
    .ready = custom_ready,
    .descriptor = custom_descriptor,
    .accept = custom_accept,
    .close = custom_close,
};

static vsdk_status read_ops(const vsdk_net_ops *given, vsdk_net_ops *ops, const char *operation,
                            vsdk_error *error)
{
    if (!given)
        return error_null(error, operation, "ops");
    vsdk_status status = record_read(ops, sizeof *ops, given, 0, operation, error);
    if (!status && (ops->reserved[0] || ops->reserved[1]))
        status = record_later(operation, error);
    return status;
}

vsdk_status vsdk_net_create(const vsdk_net_ops *given, void *user, const vsdk_net_config *config,
                            vsdk_net **net, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_create";
    vsdk_net_ops ops = {0};
    vsdk_net_config made;
    custom *c = NULL;
    vsdk_status status = read_ops(given, &ops, operation, error);

    if (net)
        *net = NULL;
    if (!status && !net)
        status = error_null(error, operation, "net");
    if (!status)
        status = net_read_config(config, &made, operation, error);
    if (!status && made.capacity)
        status = error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                           "capacity: a network of one's own keeps no frames");
    if (!status && !(c = alloc_unset(sizeof *c + NET_FRAME_MOST)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the network");
    if (status) {
        if (ops.release)
            ops.release(user);
        return status;
    }
    *c = (custom){.ops = ops, .user = user, .readable = ops.receive != NULL};
    net_init(&c->net, &custom_kind, made.offloads);
    lock_init(&c->lock, RANK_NET);
    net_signal_init(&c->frames);
    net_signal_init(&c->room);
    *net = &c->net;
    return VSDK_OK;
}

vsdk_status vsdk_net_notify(vsdk_net *net, vsdk_net_events events, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_notify";

    if (!net)
        return error_null(error, operation, "net");
    if (net->process != process_id())
        return error_forked(error, operation);
    if (net->kind != &custom_kind)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the network is none of vsdk_net_create");
    if (events & ~(VSDK_NET_READABLE | VSDK_NET_WRITABLE | VSDK_NET_ENDED))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown events 0x%x",
                         events);
    custom *c = (custom *)net;
    lock_take(&c->lock);
    c->readable |= !!(events & VSDK_NET_READABLE);
    c->writable |= !!(events & VSDK_NET_WRITABLE);
    c->ended |= !!(events & VSDK_NET_ENDED);
    custom_tell(c);
    lock_give(&c->lock);
    return VSDK_OK;
}
