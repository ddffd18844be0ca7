/* SPDX-License-Identifier: Apache-2.0 */
/* Streams between threads: both ways at once, pulled by their descriptors or pushed to handlers
 * that are replaced meanwhile, and closed while bytes are under way. */
#include "../contract/tap.h"
#include "core/stream.h"
#include "puppet.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 64, ROUNDS = 200 };
static unsigned total = 20000; /* bytes each way */

typedef struct side {
    vsdk_stream *stream;
    uint64_t written, read;
    uint8_t next_in, next_out;
    _Atomic unsigned broken;
} side;

static void write_some(side *s)
{
    uint8_t bytes[ROOM + 8];
    uint64_t accepted = 0, wanted = 1 + s->written % sizeof bytes;

    if (wanted > total - s->written)
        wanted = total - s->written;
    for (uint64_t i = 0; i < wanted; i++)
        bytes[i] = (uint8_t)(s->next_in + i);
    if (wanted && vsdk_stream_write(s->stream, bytes, wanted, &accepted, NULL))
        atomic_store(&s->broken, 1);
    s->written += accepted;
    s->next_in = (uint8_t)(s->next_in + accepted);
}

static void read_some(side *s)
{
    uint8_t bytes[ROOM];
    uint64_t got = 0;

    vsdk_stream_read(s->stream, bytes, 1 + s->read % sizeof bytes, &got, NULL);
    for (uint64_t i = 0; i < got; i++)
        if (bytes[i] != s->next_out++)
            atomic_store(&s->broken, 2);
    s->read += got;
}

/* Sleeps when there is nothing to do: a descriptor that forgot to say so ends in the poll. */
static void *pull(void *argument)
{
    side *s = argument;
    struct pollfd p = {.fd = vsdk_stream_descriptor(s->stream, NULL), .events = POLLIN};

    while (s->written < total || s->read < total) {
        uint64_t before = s->written + s->read;
        write_some(s);
        read_some(s);
        if (before == s->written + s->read && poll(&p, 1, 10000) != 1) {
            atomic_store(&s->broken, 3);
            break;
        }
    }
    return NULL;
}

static void two_threads_pull(void)
{
    vsdk_stream_config config = {.size = sizeof config, .capacity = ROOM};
    pthread_t threads[2];
    side sides[2] = {{.stream = NULL}, {.stream = NULL}};

    vsdk_stream_create(&config, &sides[0].stream, &sides[1].stream, NULL);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, pull, &sides[i]);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    tap(!sides[0].broken && !sides[1].broken, "%u bytes each way, pulled by two threads (%u, %u)",
        total, sides[0].broken, sides[1].broken);
    vsdk_stream_close(sides[0].stream);
    vsdk_stream_close(sides[1].stream);
}

/* A handler may run on any thread that writes or reads at the other end; one at a time. */
typedef struct listener {
    pthread_mutex_t lock; /* of `side`: the one that replaces handlers reads too */
    side side;
    _Atomic unsigned inside, most, releases, made, late;
} listener;

typedef struct made {
    listener *of;
    _Atomic unsigned released;
} made;

static void heard(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    made *m = user;
    listener *l = m->of;

    if (atomic_load(&m->released))
        atomic_store(&l->late, 1);
    if (atomic_fetch_add(&l->inside, 1))
        atomic_store(&l->most, 2);
    pthread_mutex_lock(&l->lock);
    read_some(&l->side);
    pthread_mutex_unlock(&l->lock);
    atomic_fetch_sub(&l->inside, 1);
    if (atomic_load(&m->released))
        atomic_store(&l->late, 2);
}

static void over(void *user)
{
    made *m = user;

    if (atomic_exchange(&m->released, 1))
        atomic_store(&m->of->late, 3);
    atomic_fetch_add(&m->of->releases, 1);
}

static void *push(void *argument)
{
    side *s = argument;

    while (s->written < total) {
        uint64_t before = s->written;
        write_some(s);
        if (before == s->written)
            puppet_nap();
    }
    return NULL;
}

static void handlers_are_replaced(void)
{
    static made all[ROUNDS];
    vsdk_stream_config config = {.size = sizeof config, .capacity = ROOM};
    side writer = {.stream = NULL};
    listener l = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;

    vsdk_stream_create(&config, &writer.stream, &l.side.stream, NULL);
    pthread_create(&thread, NULL, push, &writer);
    for (unsigned i = 0; i < ROUNDS; i++) {
        all[i] = (made){.of = &l};
        vsdk_stream_set_handler(l.side.stream, heard, &all[i], over, NULL);
        puppet_nap();
    }
    while (l.side.read < total) { /* what came while one was replaced is told to the next */
        pthread_mutex_lock(&l.lock);
        read_some(&l.side);
        pthread_mutex_unlock(&l.lock);
    }
    pthread_join(thread, NULL);
    vsdk_stream_close(l.side.stream);
    vsdk_stream_close(writer.stream);
    tap(!writer.broken && !l.side.broken && !atomic_load(&l.late) && !atomic_load(&l.most),
        "handlers are replaced while they run (%u)", atomic_load(&l.late));
    tap(atomic_load(&l.releases) == ROUNDS, "each is released once, after its last call");
}

static void quiet(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    char byte;
    uint64_t got;

    vsdk_stream_read(stream, &byte, 1, &got, NULL);
}

static _Atomic unsigned releases;

static void count(void *user)
{
    atomic_fetch_add(&releases, 1);
}

static void *write_and_close(void *argument)
{
    vsdk_stream *stream = argument;

    for (unsigned i = 0; i < 20; i++)
        vsdk_stream_write(stream, "abc", 3, NULL, NULL);
    vsdk_stream_close(stream);
    return NULL;
}

/* Both ends are written, told and closed at once. */
static void both_ends_close(void)
{
    atomic_store(&releases, 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_t threads[2];
        vsdk_stream *ends[2];
        vsdk_stream_create(NULL, &ends[0], &ends[1], NULL);
        for (unsigned e = 0; e < 2; e++)
            vsdk_stream_set_handler(ends[e], quiet, NULL, count, NULL);
        for (unsigned e = 0; e < 2; e++)
            pthread_create(&threads[e], NULL, write_and_close, ends[e]);
        for (unsigned e = 0; e < 2; e++)
            pthread_join(threads[e], NULL);
    }
    tap(atomic_load(&releases) == 2 * ROUNDS, "both ends close at once");
}

/* The room that is kept for last words is nobody else's, and what was there before it stays. */
static void a_reserve(void)
{
    const vsdk_stream_config config = {.size = sizeof config, .capacity = ROOM};
    uint8_t bytes[3 * ROOM], got[3 * ROOM];
    uint64_t count = 0;
    vsdk_stream *one, *other;

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    vsdk_stream_create(&config, &one, &other, NULL);
    vsdk_stream_write(one, bytes, 10, NULL, NULL);
    tap(!stream_reserve(one, ROOM, "a_reserve", NULL), "a reserve");
    vsdk_stream_write(one, bytes + 10, sizeof bytes - 10, &count, NULL);
    tap(count == ROOM - 10, "is not for what is written before: %u bytes", (unsigned)count);
    count = stream_write_last(one, bytes + ROOM, sizeof bytes - ROOM);
    tap(count == ROOM, "is for the last words: %u bytes", (unsigned)count);
    vsdk_stream_write(one, bytes, 1, &count, NULL);
    tap(!count && !stream_write_last(one, bytes, 1), "nothing more has room");
    vsdk_stream_read(other, got, sizeof got, &count, NULL);
    tap(count == 2 * ROOM && !memcmp(got, bytes, count), "all of it is read: %u bytes",
        (unsigned)count);
    vsdk_stream_close(one);
    vsdk_stream_close(other);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        total = (unsigned)strtoul(argv[1], NULL, 0);
    two_threads_pull();
    handlers_are_replaced();
    both_ends_close();
    a_reserve();
    return tap_end();
}
