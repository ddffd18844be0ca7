/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: two ends, a ring of bytes each way, one lock for both.
 *
 * What happens at one end is noted in the other end's `events` under the lock, and told by its
 * handler outside of it. One thread at a time tells (`telling`); what comes meanwhile is told by
 * the same thread after that. A descriptor is an eventfd that holds 1 while there is something to
 * do. */
#include "core/stream.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/record.h"
#include "base/refs.h"
#include "base/sys.h"
#include "core/object.h"
#include <inttypes.h>
#include <string.h>

enum { CAPACITY = 4096, CAPACITY_MOST = 16 << 20 };

typedef struct ring {
    uint8_t *bytes;
    uint64_t size; /* the capacity, and a reserve for what is written last */
    uint64_t first, held;
} ring;

typedef struct handler {
    vsdk_stream_fn fn;
    void *user;
    vsdk_release_fn release;
    uint32_t calls; /* of it that run; under the lock */
    uint32_t dead;  /* replaced: released when no call runs */
} handler;

struct vsdk_stream {
    refs refs;
    struct stream_pair *pair;
    struct vsdk_stream *peer; /* its memory goes with the pair's */

    /* Under the pair's lock. */
    ring in;          /* what the peer wrote */
    uint32_t closed;  /* this end's last reference is gone */
    uint32_t refused; /* the last write of this end took less than all */
    uint32_t offered; /* since then half of the room was free, and events has said so */
    uint32_t events;  /* that its handler has not been told of */
    uint32_t telling; /* a thread tells them */
    handler *handler; /* or NULL */
    int32_t fd;       /* or -1 */
    uint32_t raised;  /* the descriptor holds 1 */
};

typedef struct stream_pair {
    refs memory; /* each end */
    lock lock;   /* RANK_STREAM */
    uint32_t process;
    uint64_t capacity;
    vsdk_stream ends[2];
} stream_pair;

static int is_foreign(const vsdk_stream *stream)
{
    return stream->pair->process != process_id();
}

static void pair_put(stream_pair *pair)
{
    if (!refs_put(&pair->memory))
        return;
    for (unsigned i = 0; i < 2; i++) {
        alloc_free(pair->ends[i].in.bytes);
        sys_close(pair->ends[i].fd);
    }
    lock_destroy(&pair->lock);
    alloc_free(pair);
}

/* With the lock held. */
static uint32_t ready_now(const vsdk_stream *s)
{
    uint32_t ready = s->in.held ? VSDK_STREAM_READABLE : 0;

    if (s->peer->closed)
        return ready | VSDK_STREAM_ENDED | VSDK_STREAM_WRITABLE;
    return ready | (s->peer->in.held < s->pair->capacity ? VSDK_STREAM_WRITABLE : 0);
}

/* With the lock held: room came back after a write that took less than all. */
static int has_room_again(const vsdk_stream *s)
{
    return s->refused && s->peer->in.held <= s->pair->capacity / 2;
}

/* With the lock held: the descriptor says whether there is something to do. */
static void descriptor_update(vsdk_stream *s)
{
    uint32_t raised = s->in.held || s->peer->closed || has_room_again(s);
    uint64_t rings;

    if (s->fd < 0 || raised == s->raised)
        return;
    s->raised = raised;
    if (raised)
        sys_eventfd_write(s->fd, 1);
    else
        sys_eventfd_read(s->fd, &rings);
}

static void handler_release(handler *h)
{
    if (h->release)
        h->release(h->user);
    alloc_free(h);
}

/* With the lock held, given back meanwhile: tells an end what happened at it. A handler may close
 * both ends, also that of the call that it runs in: 1 if the pair's memory was counted for the
 * caller, who still has the lock. */
static int tell(vsdk_stream *s)
{
    if (s->telling || !s->events || !s->handler || s->closed)
        return 0;
    refs_get(&s->pair->memory);
    s->telling = 1;
    while (s->events && s->handler && !s->closed) {
        handler *h = s->handler;
        uint32_t events = s->events;
        s->events = 0;
        h->calls++;
        lock_give(&s->pair->lock);
        h->fn(h->user, s, events);
        lock_take(&s->pair->lock);
        if (!--h->calls && h->dead) {
            lock_give(&s->pair->lock);
            handler_release(h);
            lock_take(&s->pair->lock);
        }
    }
    s->telling = 0;
    return 1;
}

/* As tell. */
static int happen(vsdk_stream *s, uint32_t events)
{
    if (s->closed)
        return 0;
    s->events |= events;
    descriptor_update(s);
    return tell(s);
}

/* Ends what began with the lock. */
static void lock_leave(stream_pair *pair, int kept)
{
    lock_give(&pair->lock);
    if (kept)
        pair_put(pair);
}

static vsdk_status read_config(const vsdk_stream_config *given, vsdk_stream_config *config,
                               const char *operation, vsdk_error *error)
{
    vsdk_status status = record_read(config, sizeof *config, given, 0, operation, error);

    if (status)
        return status;
    if (config->reserved[0] || config->reserved[1])
        return record_later(operation, error);
    if (config->capacity > CAPACITY_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "capacity %" PRIu64 " is above 16 MiB",
                         config->capacity);
    return VSDK_OK;
}

vsdk_status vsdk_stream_create(const vsdk_stream_config *given, vsdk_stream **near,
                               vsdk_stream **far, vsdk_error *error)
{
    static const char operation[] = "vsdk_stream_create";
    vsdk_stream_config config;

    if (near)
        *near = NULL;
    if (far)
        *far = NULL;
    if (!near || !far)
        return error_null(error, operation, near ? "far" : "near");
    vsdk_status status = read_config(given, &config, operation, error);
    if (status)
        return status;
    stream_pair *pair = alloc_zeroed(sizeof *pair);
    if (!pair)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the stream");
    refs_init(&pair->memory);
    refs_get(&pair->memory);
    lock_init(&pair->lock, RANK_STREAM);
    pair->process = process_id();
    pair->capacity = config.capacity ? config.capacity : CAPACITY;
    for (unsigned i = 0; i < 2; i++) {
        vsdk_stream *end = &pair->ends[i];
        refs_init(&end->refs);
        end->pair = pair;
        end->peer = &pair->ends[1 - i];
        end->fd = -1;
        end->in.bytes = alloc_zeroed(pair->capacity);
        end->in.size = pair->capacity;
    }
    if (!pair->ends[0].in.bytes || !pair->ends[1].in.bytes) {
        error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for %" PRIu64 " bytes",
                  pair->capacity);
        refs_put(&pair->memory);
        pair_put(pair);
        return VSDK_ERROR_NO_MEMORY;
    }
    *near = &pair->ends[0];
    *far = &pair->ends[1];
    return VSDK_OK;
}

vsdk_stream *vsdk_stream_ref(vsdk_stream *stream)
{
    if (stream && !is_foreign(stream))
        refs_get(&stream->refs);
    return stream;
}

/* With the lock held: it starts no more. NULL, or the one that is to be released now. */
static handler *handler_take(vsdk_stream *s)
{
    handler *h = s->handler;

    s->handler = NULL;
    if (!h)
        return NULL;
    h->dead = 1;
    return h->calls ? NULL : h;
}

void vsdk_stream_close(vsdk_stream *stream)
{
    if (!stream || is_foreign(stream) || !refs_put(&stream->refs))
        return;
    stream_pair *pair = stream->pair;
    lock_take(&pair->lock);
    stream->closed = 1;
    handler *h = handler_take(stream);
    lock_leave(pair, happen(stream->peer, VSDK_STREAM_ENDED));
    if (h)
        handler_release(h);
    pair_put(pair);
}

static uint64_t ring_take(ring *r, uint8_t *to, uint64_t most)
{
    uint64_t length = r->held < most ? r->held : most;
    uint64_t first = r->size - r->first < length ? r->size - r->first : length;

    memcpy(to, r->bytes + r->first, first);
    memcpy(to + first, r->bytes, length - first);
    r->first = (r->first + length) % r->size;
    r->held -= length;
    return length;
}

/* Up to `limit` bytes are held then. */
static uint64_t ring_put(ring *r, uint64_t limit, const uint8_t *from, uint64_t most)
{
    uint64_t room = r->held < limit ? limit - r->held : 0, length = room < most ? room : most;
    uint64_t at = (r->first + r->held) % r->size;
    uint64_t first = r->size - at < length ? r->size - at : length;

    memcpy(r->bytes + at, from, first);
    memcpy(r->bytes, from + first, length - first);
    r->held += length;
    return length;
}

vsdk_status vsdk_stream_read(vsdk_stream *stream, void *buffer, uint64_t capacity, uint64_t *got,
                             vsdk_error *error)
{
    static const char operation[] = "vsdk_stream_read";

    if (got)
        *got = 0;
    if (!stream)
        return error_null(error, operation, "stream");
    if (is_foreign(stream))
        return vm_forked(operation, error);
    if (!buffer || !got)
        return error_null(error, operation, buffer ? "got" : "buffer");
    stream_pair *pair = stream->pair;
    vsdk_stream *peer = stream->peer;
    lock_take(&pair->lock);
    *got = ring_take(&stream->in, buffer, capacity);
    int ended = peer->closed && !*got && capacity && !stream->in.held;
    descriptor_update(stream);
    int kept = 0;
    if (has_room_again(peer) && !peer->offered) {
        peer->offered = 1;
        kept = happen(peer, VSDK_STREAM_WRITABLE);
    }
    lock_leave(pair, kept);
    if (ended)
        return error_set(error, VSDK_ERROR_GONE, operation, "the other end was closed");
    return VSDK_OK;
}

/* Writes until `limit` bytes are held, and tells the other end. What it will never read is taken.
 */
static uint64_t write_some(vsdk_stream *stream, const void *bytes, uint64_t length, uint64_t limit)
{
    stream_pair *pair = stream->pair;
    vsdk_stream *peer = stream->peer;
    uint64_t taken = length;
    int kept = 0;

    lock_take(&pair->lock);
    if (!peer->closed) {
        taken = ring_put(&peer->in, limit, bytes, length);
        stream->refused = taken < length;
        stream->offered = 0;
        descriptor_update(stream);
        if (taken)
            kept = happen(peer, VSDK_STREAM_READABLE);
    }
    lock_leave(pair, kept);
    return taken;
}

vsdk_status vsdk_stream_write(vsdk_stream *stream, const void *bytes, uint64_t length,
                              uint64_t *accepted, vsdk_error *error)
{
    static const char operation[] = "vsdk_stream_write";

    if (accepted)
        *accepted = 0;
    if (!stream)
        return error_null(error, operation, "stream");
    if (is_foreign(stream))
        return vm_forked(operation, error);
    if (!bytes)
        return error_null(error, operation, "bytes");
    uint64_t taken = write_some(stream, bytes, length, stream->pair->capacity);
    if (accepted)
        *accepted = taken;
    return VSDK_OK;
}

uint64_t stream_write_last(vsdk_stream *stream, const void *bytes, uint64_t length)
{
    return is_foreign(stream) ? length : write_some(stream, bytes, length, stream->peer->in.size);
}

vsdk_status stream_reserve(vsdk_stream *stream, uint64_t bytes, const char *operation,
                           vsdk_error *error)
{
    ring *in = &stream->peer->in, larger = {.size = stream->pair->capacity + bytes};

    if (is_foreign(stream))
        return vm_forked(operation, error);
    larger.bytes = alloc_zeroed(larger.size);
    if (!larger.bytes)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for %" PRIu64 " bytes",
                         larger.size);
    lock_take(&stream->pair->lock);
    uint8_t *spare = larger.bytes;
    if (in->size < larger.size) {
        spare = in->bytes;
        larger.held = ring_take(in, larger.bytes, in->held);
        *in = larger;
    }
    lock_give(&stream->pair->lock);
    alloc_free(spare);
    return VSDK_OK;
}

vsdk_stream_events vsdk_stream_ready(vsdk_stream *stream)
{
    if (!stream || is_foreign(stream))
        return 0;
    lock_take(&stream->pair->lock);
    uint32_t ready = ready_now(stream);
    lock_give(&stream->pair->lock);
    return ready;
}

int32_t vsdk_stream_descriptor(vsdk_stream *stream, vsdk_error *error)
{
    static const char operation[] = "vsdk_stream_descriptor";

    if (!stream)
        return error_null(error, operation, "stream"), -1;
    if (is_foreign(stream))
        return vm_forked(operation, error), -1;
    lock_take(&stream->pair->lock);
    if (stream->fd < 0) {
        int fd = sys_eventfd();
        stream->fd = fd < 0 ? -1 : fd;
        if (fd < 0)
            error_set_errno(error, error_status_of_errno(-fd), -fd, operation,
                            "no descriptor for the stream");
        descriptor_update(stream);
    }
    int32_t fd = stream->fd;
    lock_give(&stream->pair->lock);
    return fd;
}

vsdk_status vsdk_stream_set_handler(vsdk_stream *stream, vsdk_stream_fn fn, void *user,
                                    vsdk_release_fn release, vsdk_error *error)
{
    static const char operation[] = "vsdk_stream_set_handler";
    vsdk_status status = VSDK_OK;
    handler *made = NULL;

    if (stream && is_foreign(stream))
        return vm_forked(operation, error);
    if (!stream)
        status = error_null(error, operation, "stream");
    else if (fn && !(made = alloc_zeroed(sizeof *made)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the handler");
    if (status || !fn) {
        if (release)
            release(user);
        if (status)
            return status;
    }
    if (made)
        *made = (handler){.fn = fn, .user = user, .release = release};
    stream_pair *pair = stream->pair;
    int kept = 0;
    lock_take(&pair->lock);
    handler *old = handler_take(stream);
    stream->handler = made;
    if (made) {
        stream->events = ready_now(stream) & (VSDK_STREAM_READABLE | VSDK_STREAM_ENDED);
        if (has_room_again(stream) && !stream->peer->closed)
            stream->events |= VSDK_STREAM_WRITABLE;
        kept = tell(stream);
    }
    lock_leave(pair, kept);
    if (old)
        handler_release(old);
    return VSDK_OK;
}
