/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: what is written at one end is read at the other, in order, as much as fits, and each
 * side hears of it once. Threads are core/streams.c's. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <vsdk/vsdk.h>

#define ok(call) cr_assert_eq((call), VSDK_OK, "%s", #call)
#define fails(want, call)                                                                          \
    do {                                                                                           \
        vsdk_error error_ = {0}, *E = &error_;                                                     \
        cr_assert_eq((call), VSDK_ERROR_##want, "%s", #call);                                      \
        cr_assert_eq(error_.code, VSDK_ERROR_##want, "%s left the record alone", #call);           \
        cr_assert(error_.operation[0] && error_.message[0]);                                       \
    } while (0)

enum { R = VSDK_STREAM_READABLE, W = VSDK_STREAM_WRITABLE, ENDED = VSDK_STREAM_ENDED };

static vsdk_stream *a, *b;

static void make(uint64_t capacity)
{
    vsdk_stream_config config = {.size = sizeof config, .capacity = capacity};

    ok(vsdk_stream_create(&config, &a, &b, NULL));
}

static void end(void)
{
    vsdk_stream_close(a);
    vsdk_stream_close(b);
    a = b = NULL;
}

TestSuite(stream, .fini = end);

static uint64_t put(vsdk_stream *s, const void *bytes, uint64_t length)
{
    uint64_t accepted = 99;

    ok(vsdk_stream_write(s, bytes, length, &accepted, NULL));
    return accepted;
}

static uint64_t get(vsdk_stream *s, void *bytes, uint64_t capacity)
{
    uint64_t got = 99;

    ok(vsdk_stream_read(s, bytes, capacity, &got, NULL));
    return got;
}

static int readable(vsdk_stream *s)
{
    struct pollfd p = {.fd = vsdk_stream_descriptor(s, NULL), .events = POLLIN};

    cr_assert_geq(p.fd, 3);
    return poll(&p, 1, 0) == 1;
}

struct notes {
    uint32_t calls, events, releases;
    vsdk_stream *stream;
    void (*inside)(struct notes *notes, vsdk_stream *stream, vsdk_stream_events events);
    uint32_t depth, deepest, late;
};

static void happened(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    struct notes *notes = user;

    notes->calls++;
    notes->late += notes->releases;
    notes->events |= events;
    notes->stream = stream;
    if (++notes->depth > notes->deepest)
        notes->deepest = notes->depth;
    if (notes->inside)
        notes->inside(notes, stream, events);
    notes->depth--;
}

static void release(void *user)
{
    ((struct notes *)user)->releases++;
}

static void handle(vsdk_stream *s, struct notes *notes)
{
    ok(vsdk_stream_set_handler(s, happened, notes, release, NULL));
}

static uint32_t told(struct notes *notes)
{
    uint32_t events = notes->events;

    notes->events = 0;
    return events;
}

Test(stream, arguments_are_checked)
{
    vsdk_stream_config config = {.size = sizeof config, .flags = 1};
    static struct notes notes = {0};
    uint64_t n = 5;
    char byte = 0;

    fails(INVALID_ARGUMENT, vsdk_stream_create(&config, &a, &b, E));
    cr_assert(!a && !b);
    config.flags = 0;
    config.capacity = (UINT64_C(16) << 20) + 1;
    fails(LIMIT, vsdk_stream_create(&config, &a, &b, E));
    config.capacity = 0;
    config.reserved[1] = 1;
    fails(UNSUPPORTED, vsdk_stream_create(&config, &a, &b, E));
    fails(INVALID_ARGUMENT, vsdk_stream_create(NULL, NULL, &b, E));
    fails(INVALID_ARGUMENT, vsdk_stream_create(NULL, &a, NULL, E));
    ok(vsdk_stream_create(NULL, &a, &b, NULL));
    fails(INVALID_ARGUMENT, vsdk_stream_read(NULL, &byte, 1, &n, E));
    cr_assert_eq(n, 0);
    n = 5;
    fails(INVALID_ARGUMENT, vsdk_stream_read(a, NULL, 1, &n, E));
    cr_assert_eq(n, 0);
    fails(INVALID_ARGUMENT, vsdk_stream_read(a, &byte, 1, NULL, E));
    n = 5;
    fails(INVALID_ARGUMENT, vsdk_stream_write(NULL, &byte, 1, &n, E));
    cr_assert_eq(n, 0);
    fails(INVALID_ARGUMENT, vsdk_stream_write(a, NULL, 1, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_stream_set_handler(NULL, happened, &notes, release, E));
    cr_assert_eq(notes.releases, 1);
    cr_assert_eq(vsdk_stream_ready(NULL), 0);
    cr_assert_eq(vsdk_stream_descriptor(NULL, NULL), -1);
    cr_assert_null(vsdk_stream_ref(NULL));
    vsdk_stream_close(NULL);
    ok(vsdk_stream_write(a, &byte, 1, NULL, NULL));
    cr_assert_eq(get(b, &byte, 1), 1);
}

Test(stream, both_ways_in_order)
{
    char text[16] = {0};

    make(0);
    cr_assert_eq(put(a, "hello", 5), 5);
    cr_assert_eq(put(a, ", ", 2), 2);
    cr_assert_eq(put(b, "back", 4), 4);
    cr_assert_eq(put(a, "you", 3), 3);
    cr_assert_eq(get(b, text, 4), 4);
    cr_assert_arr_eq(text, "hell", 4);
    cr_assert_eq(get(b, text, sizeof text), 6);
    cr_assert_arr_eq(text, "o, you", 6);
    cr_assert_eq(get(b, text, sizeof text), 0);
    cr_assert_eq(get(a, text, sizeof text), 4);
    cr_assert_arr_eq(text, "back", 4);
    cr_assert_eq(put(a, text, 0), 0);
    cr_assert_eq(get(a, text, 0), 0);
}

Test(stream, the_usual_capacity_and_the_largest)
{
    static char many[4097];

    make(0);
    cr_assert_eq(put(a, many, sizeof many), 4096);
    cr_assert_eq(put(b, many, sizeof many), 4096); /* each way has its own */
    end();
    make(UINT64_C(16) << 20);
    cr_assert_eq(put(a, many, sizeof many), sizeof many);
}

/* Every size of write and read, at every place of the ring: a counting sequence comes out. */
Test(stream, wraps_around_and_loses_nothing)
{
    enum { ROOM = 7 };
    uint8_t bytes[ROOM + 2], next_in = 0, next_out = 0;
    uint64_t held = 0;

    make(ROOM);
    for (unsigned turn = 0; turn < 5000; turn++) {
        uint64_t wanted = turn * 7 % (ROOM + 3), room = ROOM - held;
        for (unsigned i = 0; i < wanted && i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(next_in + i);
        if (wanted > sizeof bytes)
            wanted = sizeof bytes;
        uint64_t taken = put(a, bytes, wanted);
        cr_assert_eq(taken, wanted < room ? wanted : room);
        next_in = (uint8_t)(next_in + taken);
        held += taken;
        uint64_t most = turn * 5 % (ROOM + 1), got = get(b, bytes, most);
        cr_assert_eq(got, most < held ? most : held);
        held -= got;
        for (uint64_t i = 0; i < got; i++)
            cr_assert_eq(bytes[i], next_out++);
    }
}

Test(stream, ready_says_what_may_be_done)
{
    char bytes[4];

    make(4);
    cr_assert_eq(vsdk_stream_ready(a), W);
    cr_assert_eq(vsdk_stream_ready(b), W);
    put(a, "1234", 4);
    cr_assert_eq(vsdk_stream_ready(a), 0);
    cr_assert_eq(vsdk_stream_ready(b), W | R);
    get(b, bytes, 1);
    cr_assert_eq(vsdk_stream_ready(a), W); /* there is room: the half is for who was refused */
    vsdk_stream_close(a);
    a = NULL;
    cr_assert_eq(vsdk_stream_ready(b), W | R | ENDED);
    get(b, bytes, 4);
    cr_assert_eq(vsdk_stream_ready(b), W | ENDED);
}

Test(stream, an_end_is_read_to_its_last_byte)
{
    uint64_t n = 5;
    char bytes[4];

    make(0);
    put(a, "bye", 3);
    vsdk_stream_close(a);
    a = NULL;
    cr_assert_eq(get(b, bytes, 2), 2);
    cr_assert_eq(get(b, bytes, 0), 0);
    cr_assert_eq(get(b, bytes, 2), 1);
    fails(GONE, vsdk_stream_read(b, bytes, 2, &n, E));
    cr_assert_eq(n, 0);
    cr_assert_eq(put(b, "nobody", 6), 6); /* dropped, and nobody is held up */
    cr_assert_eq(put(b, "nobody", 6), 6);
}

Test(stream, a_reference_keeps_an_end)
{
    static struct notes notes = {0};

    make(0);
    handle(b, &notes);
    cr_assert_eq(vsdk_stream_ref(a), a);
    vsdk_stream_close(a);
    cr_assert_eq(told(&notes), 0);
    cr_assert_eq(put(a, "x", 1), 1);
    vsdk_stream_close(a);
    a = NULL;
    cr_assert_eq(told(&notes), R | ENDED);
    cr_assert_eq(notes.releases, 0);
    vsdk_stream_close(b);
    b = NULL;
    cr_assert_eq(notes.releases, 1);
}

/* A writer that was refused hears once half of the room is free, and once only. */
Test(stream, room_is_told_at_half)
{
    static struct notes notes = {0};
    char bytes[8];

    make(8);
    handle(a, &notes);
    cr_assert_eq(put(a, "12345678", 8), 8);
    get(b, bytes, 8);
    cr_assert_eq(notes.calls, 0); /* it was not refused */
    cr_assert_eq(put(a, "123456789", 9), 8);
    get(b, bytes, 3);
    cr_assert_eq(notes.calls, 0);
    get(b, bytes, 1);
    cr_assert_eq(told(&notes), W);
    get(b, bytes, 1);
    get(b, bytes, 3);
    cr_assert_eq(notes.calls, 1);
    cr_assert_eq(notes.stream, a);
    put(a, "123456789", 9);
    put(a, "1", 1);
    cr_assert_eq(notes.calls, 1);
    get(b, bytes, 8);
    cr_assert_eq(told(&notes), W);
    cr_assert_eq(notes.calls, 2);
    put(a, "123456789", 9);
    get(b, bytes, 2);
    put(a, "1", 1); /* taken whole: it waits for room no more */
    get(b, bytes, 8);
    cr_assert_eq(notes.calls, 2);
}

/* The same with a descriptor, which is another way to hear of it. */
Test(stream, room_is_told_once_with_a_descriptor_too)
{
    static struct notes notes = {0};
    char bytes[8];

    make(8);
    handle(a, &notes);
    cr_assert_not(readable(a));
    put(a, "123456789", 9);
    for (unsigned i = 0; i < 8; i++)
        get(b, bytes, 1);
    cr_assert_eq(notes.calls, 1);
    cr_assert(readable(a)); /* until it writes again */
    put(a, "x", 1);
    cr_assert_not(readable(a));
}

static const char *rest;

static void write_rest(struct notes *notes, vsdk_stream *stream, vsdk_stream_events events)
{
    uint64_t accepted;

    if (!(events & W))
        return;
    ok(vsdk_stream_write(stream, rest, strlen(rest), &accepted, NULL));
    rest += accepted;
}

/* A writer that is refused again inside its handler hears again: nothing is left behind. */
Test(stream, a_handler_that_fills_the_room_hears_again)
{
    static struct notes notes = {.inside = write_rest};
    char bytes[4], all[32] = {0};
    uint64_t n, at = 0;

    make(4);
    handle(a, &notes);
    rest = "abcdefghijklmnopqrstuvwxyz";
    rest += put(a, rest, strlen(rest));
    for (unsigned turn = 0; turn < 100 && (n = get(b, bytes, 4)); turn++) {
        memcpy(all + at, bytes, n);
        at += n;
    }
    cr_assert_str_eq(all, "abcdefghijklmnopqrstuvwxyz");
    cr_assert_str_eq(rest, "");
    cr_assert_eq(notes.deepest, 1);
}

Test(stream, bytes_are_told_when_they_come)
{
    static struct notes notes = {0};
    char bytes[4];

    make(0);
    handle(b, &notes);
    put(a, "1", 1);
    cr_assert_eq(told(&notes), R);
    put(a, "2", 1); /* more came */
    cr_assert_eq(notes.calls, 2);
    put(a, "", 0);
    cr_assert_eq(notes.calls, 2);
    get(b, bytes, 1); /* what is left unread is told with what comes next */
    cr_assert_eq(notes.calls, 2);
    put(b, "x", 1);
    cr_assert_eq(notes.calls, 2);
}

/* What happened already is told at once to who begins to listen, and nothing else is. */
Test(stream, a_new_handler_hears_what_there_is)
{
    static struct notes first = {0}, second = {0}, third = {0};
    char bytes[8];

    make(4);
    handle(b, &first);
    cr_assert_eq(first.calls, 0);
    put(a, "12", 2);
    cr_assert_eq(told(&first), R);
    handle(b, &second);
    cr_assert_eq(first.releases, 1);
    cr_assert_eq(told(&second), R);
    get(b, bytes, 2);
    handle(b, &third); /* nothing waits any more */
    cr_assert_eq(third.calls, 0);
    ok(vsdk_stream_set_handler(b, NULL, NULL, NULL, NULL));
    cr_assert_eq(third.releases, 1);
    put(a, "12", 2);
    get(b, bytes, 2);
    handle(b, &third); /* what was read by pulling is not told */
    cr_assert_eq(third.calls, 0);
    put(b, "12345", 5);
    get(a, bytes, 4);
    cr_assert_eq(told(&third), W);
    handle(b, &first); /* the room is there still, and it has written nothing */
    cr_assert_eq(told(&first), W);
    vsdk_stream_close(a);
    a = NULL;
    cr_assert_eq(told(&first), ENDED);
    handle(b, &second);
    cr_assert_eq(told(&second), ENDED);
}

static uint32_t answered;

static void reply(struct notes *notes, vsdk_stream *stream, vsdk_stream_events events)
{
    char byte;
    uint64_t n;

    for (; !vsdk_stream_read(stream, &byte, 1, &n, NULL) && n; answered++)
        if (byte > '0')
            ok(vsdk_stream_write(stream, &(char){byte - 1}, 1, NULL, NULL));
}

/* Two handlers that answer each other: one call at a time per end, no call in a call. */
Test(stream, handlers_answer_each_other)
{
    static struct notes at_a = {.inside = reply}, at_b = {.inside = reply};

    make(0);
    handle(a, &at_a);
    handle(b, &at_b);
    put(a, "9", 1);
    cr_assert_eq(answered, 10);
    cr_assert_eq(at_a.deepest, 1);
    cr_assert_eq(at_b.deepest, 1);
    cr_assert_eq(vsdk_stream_ready(a) | vsdk_stream_ready(b), W);
}

static struct notes *successor;

static void replace_self(struct notes *notes, vsdk_stream *stream, vsdk_stream_events events)
{
    ok(vsdk_stream_set_handler(stream, successor ? happened : NULL, successor,
                               successor ? release : NULL, NULL));
    cr_assert_eq(notes->releases, 0); /* not under its feet */
}

Test(stream, a_handler_replaces_itself)
{
    static struct notes first = {.inside = replace_self}, second = {0};

    make(0);
    successor = &second;
    handle(b, &first);
    put(a, "1", 1);
    cr_assert_eq(first.calls, 1);
    cr_assert_eq(first.releases, 1);
    cr_assert_eq(told(&second), R); /* the byte waits */
    put(a, "2", 1);
    cr_assert_eq(first.calls, 1);
    cr_assert_eq(second.calls, 2);
    successor = NULL;
    second.inside = replace_self;
    put(a, "3", 1);
    cr_assert_eq(second.calls, 3);
    cr_assert_eq(second.releases, 1);
    put(a, "4", 1);
    cr_assert_eq(second.calls, 3);
    cr_assert_eq(first.late + second.late, 0);
}

static void close_self(struct notes *notes, vsdk_stream *stream, vsdk_stream_events events)
{
    vsdk_stream_close(stream);
    cr_assert_eq(notes->releases, 0);
}

Test(stream, a_handler_closes_its_end)
{
    static struct notes notes = {.inside = close_self}, other = {0};

    make(0);
    handle(b, &notes);
    handle(a, &other);
    put(a, "1", 1);
    b = NULL;
    cr_assert_eq(notes.calls, 1);
    cr_assert_eq(notes.releases, 1);
    cr_assert_eq(told(&other), ENDED);
    cr_assert_eq(put(a, "2", 1), 1);
    cr_assert_eq(notes.calls, 1);
}

/* Inside the close of the other end. */
Test(stream, a_handler_closes_its_end_at_the_end)
{
    static struct notes notes = {.inside = close_self};

    make(0);
    handle(b, &notes);
    vsdk_stream_close(a);
    a = b = NULL;
    cr_assert_eq(notes.calls, 1);
    cr_assert_eq(notes.events, ENDED);
    cr_assert_eq(notes.releases, 1);
}

static void close_both(struct notes *notes, vsdk_stream *s, vsdk_stream_events events)
{
    vsdk_stream_close(a);
    vsdk_stream_close(b);
    a = b = NULL;
}

/* What happened already is told inside the call: the stream's memory stays until that returns. A
 * sanitizer, or valgrind, sees it if it does not. */
Test(stream, a_handler_closes_the_last_end_when_it_is_set)
{
    static struct notes notes = {.inside = close_both};

    make(16);
    vsdk_stream_close(b);
    b = NULL;
    handle(a, &notes);
    cr_assert_eq(told(&notes), ENDED);
    cr_assert_eq(notes.releases, 1);
}

/* The same for who writes, reads or closes at the other end. */
Test(stream, a_handler_closes_both_ends)
{
    static struct notes notes[3] = {
        {.inside = close_both}, {.inside = close_both}, {.inside = close_both}};
    char bytes[16];

    make(16);
    handle(b, &notes[0]);
    cr_assert_eq(put(a, "x", 1), 1);
    cr_assert(!a && !b);
    cr_assert_eq(notes[0].releases, 1);
    make(16);
    put(b, "0123456789abcdef", 16);
    cr_assert_eq(put(b, "x", 1), 0);
    handle(b, &notes[1]);
    cr_assert_eq(get(a, bytes, 16), 16);
    cr_assert(!a && !b);
    cr_assert_eq(notes[1].releases, 1);
    make(16);
    handle(b, &notes[2]);
    vsdk_stream *last = a;
    a = NULL;
    vsdk_stream_close(last);
    cr_assert(!b);
    cr_assert_eq(notes[2].releases, 1);
}

Test(stream, release_comes_once)
{
    static struct notes notes[3] = {{0}};

    make(0);
    handle(a, &notes[0]);
    ok(vsdk_stream_set_handler(a, NULL, &notes[1], release, NULL)); /* no handler: over at once */
    cr_assert_eq(notes[0].releases, 1);
    cr_assert_eq(notes[1].releases, 1);
    handle(a, &notes[2]);
    end();
    cr_assert_eq(notes[2].releases, 1);
    cr_assert_eq(notes[0].releases + notes[1].releases, 2);
}

/* Readable exactly while there is something to do. */
Test(stream, its_descriptor)
{
    char bytes[8];

    make(4);
    put(a, "1", 1);
    cr_assert(readable(b)); /* made after it happened */
    cr_assert(readable(b)); /* looking changes nothing */
    cr_assert(fcntl(vsdk_stream_descriptor(b, NULL), F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(vsdk_stream_descriptor(b, NULL), vsdk_stream_descriptor(b, NULL));
    cr_assert_neq(vsdk_stream_descriptor(a, NULL), vsdk_stream_descriptor(b, NULL));
    cr_assert_not(readable(a));
    get(b, bytes, 4);
    cr_assert_not(readable(b));
    put(a, "12345", 5);
    cr_assert(readable(b));
    cr_assert_not(readable(a));
    get(b, bytes, 1);
    cr_assert(readable(b));
    cr_assert_not(readable(a)); /* room, but not half of it */
    get(b, bytes, 1);
    cr_assert(readable(a));
    get(b, bytes, 4);
    cr_assert_not(readable(b));
    cr_assert(readable(a));
    put(a, "1", 1);
    cr_assert_not(readable(a));
    cr_assert(readable(b));
    get(b, bytes, 1);
    vsdk_stream_close(a);
    a = NULL;
    cr_assert(readable(b)); /* and stays so */
    vsdk_stream_read(b, bytes, 1, &(uint64_t){0}, NULL);
    cr_assert(readable(b));
}

/* One that is made after the room came back says so, too. */
Test(stream, a_late_descriptor_tells_of_room)
{
    char bytes[4];

    make(4);
    put(a, "12345", 5);
    get(b, bytes, 4);
    cr_assert(readable(a));
    put(a, "1", 1);
    cr_assert_not(readable(a));
}

Test(stream, descriptors_go_with_the_stream)
{
    int fds[2];

    make(0);
    fds[0] = vsdk_stream_descriptor(a, NULL);
    fds[1] = vsdk_stream_descriptor(b, NULL);
    end();
    cr_assert_eq(fcntl(fds[0], F_GETFD), -1);
    cr_assert_eq(fcntl(fds[1], F_GETFD), -1);
}
