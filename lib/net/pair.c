/* SPDX-License-Identifier: Apache-2.0 */
/* A pair: two queues of frames, one each way, each with a lock of its own.
 *
 * A queue is a ring of bytes in which a frame lies behind its record; both may wrap around its end.
 * So nothing is allocated for a frame. A frame is refused when it has no room; the sender hears
 * again when half of the ring is free, and the least capacity is such that the largest frame has
 * room then.
 *
 * A ring that is emptied begins at its start again: one that is drained in time touches few pages.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/lock.h"
#include "net/net.h"
#include <inttypes.h>
#include <string.h>

enum { CAPACITY = 256 << 10, CAPACITY_MOST = 64 << 20 };

typedef struct record {
    uint32_t length, zero;
    vsdk_net_offload offload;
} record;

typedef struct way {
    lock lock; /* RANK_NET */
    uint8_t *bytes;
    uint64_t size, first, held; /* in bytes, records too */
    uint32_t sender_gone, reader_gone;
    uint32_t refused; /* the last frame had no room */
    vsdk_net_offloads accepted;
    net_signal frames, room;
} way;

typedef struct end {
    vsdk_net net;
    struct pair *pair;
    way *in, *out;
} end;

typedef struct pair {
    refs memory; /* each end */
    way ways[2];
    end ends[2];
} pair;

static void pair_put(pair *p)
{
    if (!refs_put(&p->memory))
        return;
    for (unsigned i = 0; i < 2; i++) {
        alloc_free(p->ways[i].bytes);
        net_signal_end(&p->ways[i].frames);
        net_signal_end(&p->ways[i].room);
        lock_destroy(&p->ways[i].lock);
    }
    alloc_free(p);
}

/* With the lock held. */
static uint32_t has_frames(const way *w)
{
    return w->held || w->sender_gone;
}

static uint32_t has_room_again(const way *w)
{
    return w->reader_gone || (w->refused && w->held <= w->size / 2);
}

/* With the lock held, by who has changed something: the descriptors say what is true. */
static void way_tell(way *w)
{
    net_signal_set(&w->frames, has_frames(w));
    net_signal_set(&w->room, has_room_again(w));
}

/* There is room. */
static void put(way *w, const void *bytes, uint64_t length)
{
    uint64_t at = (w->first + w->held) % w->size;
    uint64_t first = w->size - at < length ? w->size - at : length;

    memcpy(w->bytes + at, bytes, first);
    memcpy(w->bytes, (const uint8_t *)bytes + first, length - first);
    w->held += length;
}

/* `offset` is from the first byte that is held. */
static void copy_out(const way *w, uint64_t offset, void *bytes, uint64_t length)
{
    uint64_t at = (w->first + offset) % w->size;
    uint64_t first = w->size - at < length ? w->size - at : length;

    memcpy(bytes, w->bytes + at, first);
    memcpy((uint8_t *)bytes + first, w->bytes, length - first);
}

static void drop(way *w, const record *r)
{
    w->held -= sizeof *r + r->length;
    w->first = w->held ? (w->first + sizeof *r + r->length) % w->size : 0;
}

static vsdk_status pair_send(vsdk_net *net, const vsdk_net_offload *offload, const net_frame *frame)
{
    way *w = ((end *)net)->out;
    record r = {.length = frame->length, .offload = *offload};
    vsdk_status status = VSDK_OK;

    lock_take(&w->lock);
    if (w->reader_gone) {
        /* nobody will read it */
    } else if (w->size - w->held < sizeof r + r.length) {
        w->refused = 1;
        status = VSDK_ERROR_BUSY;
    } else {
        w->refused = 0;
        put(w, &r, sizeof r);
        for (uint32_t i = 0; i < frame->count; i++)
            if (frame->pieces[i].length)
                put(w, frame->pieces[i].data, frame->pieces[i].length);
    }
    way_tell(w);
    lock_give(&w->lock);
    return status;
}

/* Writes a checksum into the ring, where the frame may wrap. */
static void complete(way *w, record *r)
{
    uint64_t start = sizeof *r + r->offload.checksum_start, end = sizeof *r + r->length;
    uint64_t sum = 0;

    for (uint64_t offset = start; offset < end;) {
        uint64_t at = (w->first + offset) % w->size;
        uint64_t length = end - offset < w->size - at ? end - offset : w->size - at;
        sum = net_sum(sum, w->bytes + at, length, offset - start);
        offset += length;
    }
    uint16_t word = net_sum_end(sum);
    uint8_t bytes[2];
    if (!word)
        word = 0xffff; /* see net_complete */
    memcpy(bytes, &word, 2);
    for (unsigned i = 0; i < 2; i++)
        w->bytes[(w->first + start + r->offload.checksum_offset + i) % w->size] = bytes[i];
    r->offload = (vsdk_net_offload){.flags = VSDK_NET_CHECKED};
}

/* With the lock held: the next frame that its reader takes. */
static vsdk_status next(way *w, record *r)
{
    while (w->held) {
        copy_out(w, 0, r, sizeof *r);
        if (net_is_within(&r->offload, w->accepted))
            return VSDK_OK;
        if (!r->offload.gso)
            return VSDK_OK; /* completed when it is taken */
        drop(w, r);
    }
    return w->sender_gone ? VSDK_ERROR_GONE : VSDK_ERROR_NOT_FOUND;
}

static vsdk_status pair_receive(vsdk_net *net, vsdk_net_offload *offload, const net_frame *room,
                                uint32_t *length)
{
    way *w = ((end *)net)->in;
    record r = {0};

    lock_take(&w->lock);
    vsdk_status status = next(w, &r);
    *length = r.length;
    if (!status && room->length < r.length)
        status = VSDK_ERROR_RANGE;
    if (!status) {
        if (!net_is_within(&r.offload, w->accepted))
            complete(w, &r);
        uint64_t done = 0;
        for (uint32_t i = 0; done < r.length; i++) {
            uint64_t count = room->pieces[i].length;
            if (count > r.length - done)
                count = r.length - done;
            if (count)
                copy_out(w, sizeof r + done, room->pieces[i].data, count);
            done += count;
        }
        drop(w, &r);
        *offload = r.offload;
    } else if (status != VSDK_ERROR_RANGE) {
        *length = 0;
    }
    way_tell(w);
    lock_give(&w->lock);
    return status;
}

static vsdk_status pair_skip(vsdk_net *net)
{
    way *w = ((end *)net)->in;
    record r;

    lock_take(&w->lock);
    vsdk_status status = next(w, &r);
    if (!status)
        drop(w, &r);
    way_tell(w);
    lock_give(&w->lock);
    return status;
}

/* Room for the largest frame: so a frame of any size is taken then. */
static vsdk_net_events pair_ready(vsdk_net *net)
{
    end *e = (end *)net;

    lock_take(&e->in->lock);
    vsdk_net_events ready = has_frames(e->in) ? VSDK_NET_READABLE : 0;
    if (e->in->sender_gone)
        ready |= VSDK_NET_ENDED;
    lock_give(&e->in->lock);
    lock_take(&e->out->lock);
    if (e->out->reader_gone || e->out->size - e->out->held >= sizeof(record) + NET_FRAME_MOST)
        ready |= VSDK_NET_WRITABLE;
    lock_give(&e->out->lock);
    return ready;
}

static int pair_descriptor(vsdk_net *net, vsdk_net_events event)
{
    end *e = (end *)net;
    way *w = event == VSDK_NET_READABLE ? e->in : e->out;

    lock_take(&w->lock);
    int fd = event == VSDK_NET_READABLE ? net_signal_descriptor(&w->frames, has_frames(w))
                                        : net_signal_descriptor(&w->room, has_room_again(w));
    lock_give(&w->lock);
    return fd;
}

static void pair_accept(vsdk_net *net, vsdk_net_offloads offloads)
{
    way *w = ((end *)net)->in;

    lock_take(&w->lock);
    w->accepted = offloads;
    lock_give(&w->lock);
}

/* What waits for the other end stays until that one has read it, or is closed too. */
static void pair_close(vsdk_net *net)
{
    end *e = (end *)net;

    lock_take(&e->in->lock);
    e->in->reader_gone = 1;
    way_tell(e->in);
    lock_give(&e->in->lock);
    lock_take(&e->out->lock);
    e->out->sender_gone = 1;
    way_tell(e->out);
    lock_give(&e->out->lock);
    pair_put(e->pair);
}

static const net_kind pair_kind = {
    .send = pair_send,
    .receive = pair_receive,
    .skip = pair_skip,
    .ready = pair_ready,
    .descriptor = pair_descriptor,
    .accept = pair_accept,
    .close = pair_close,
};

static vsdk_status way_init(way *w, uint64_t size)
{
    lock_init(&w->lock, RANK_NET);
    net_signal_init(&w->frames);
    net_signal_init(&w->room);
    w->size = size;
    w->bytes = alloc_unset(size);
    return w->bytes ? VSDK_OK : VSDK_ERROR_NO_MEMORY;
}

vsdk_status vsdk_net_create_pair(const vsdk_net_config *given, vsdk_net **near, vsdk_net **far,
                                 vsdk_error *error)
{
    static const char operation[] = "vsdk_net_create_pair";
    vsdk_net_config config;

    if (near)
        *near = NULL;
    if (far)
        *far = NULL;
    if (!near || !far)
        return error_null(error, operation, near ? "far" : "near");
    vsdk_status status = net_read_config(given, &config, operation, error);
    if (status)
        return status;
    uint64_t capacity = config.capacity ? config.capacity : CAPACITY;
    if (capacity < CAPACITY || capacity > CAPACITY_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation,
                         "capacity %" PRIu64 " is not of 256 KiB to 64 MiB", capacity);
    pair *p = alloc_zeroed(sizeof *p);
    if (!p)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the network");
    refs_init(&p->memory);
    refs_get(&p->memory);
    for (unsigned i = 0; i < 2; i++) {
        if (way_init(&p->ways[i], capacity))
            status = VSDK_ERROR_NO_MEMORY;
        p->ends[i].pair = p;
        p->ends[i].in = &p->ways[i];
        p->ends[i].out = &p->ways[1 - i];
        net_init(&p->ends[i].net, &pair_kind, config.offloads);
    }
    if (status) {
        refs_put(&p->memory);
        pair_put(p);
        return error_set(error, status, operation, "no memory for %" PRIu64 " bytes", capacity);
    }
    *near = &p->ends[0].net;
    *far = &p->ends[1].net;
    return VSDK_OK;
}
