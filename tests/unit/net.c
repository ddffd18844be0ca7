/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: frames go through whole, in order, as many as there is room for, and each side hears of
 * it by a descriptor. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

#define ok(call) cr_assert_eq((call), VSDK_OK, "%s", #call)
#define fails(want, call)                                                                          \
    do {                                                                                           \
        vsdk_error error_ = {0}, *E = &error_;                                                     \
        cr_assert_eq((call), VSDK_ERROR_##want, "%s", #call);                                      \
        cr_assert_eq(error_.code, VSDK_ERROR_##want, "%s left the record alone", #call);           \
        cr_assert(error_.operation[0] && error_.message[0]);                                       \
    } while (0)

enum { R = VSDK_NET_READABLE, W = VSDK_NET_WRITABLE, ENDED = VSDK_NET_ENDED, MOST = 65554 };

static vsdk_net *a, *b;

static void make(vsdk_net_offloads offloads)
{
    vsdk_net_config config = {.size = sizeof config, .offloads = offloads};

    ok(vsdk_net_create_pair(&config, &a, &b, NULL));
}

static void end(void)
{
    vsdk_net_close(a);
    vsdk_net_close(b);
    a = b = NULL;
}

TestSuite(net, .fini = end);

static int readable(vsdk_net *net, vsdk_net_events event)
{
    struct pollfd p = {.fd = vsdk_net_descriptor(net, event, NULL), .events = POLLIN};

    cr_assert_geq(p.fd, 3);
    return poll(&p, 1, 0) == 1;
}

static vsdk_status send_bytes(vsdk_net *net, const void *bytes, uint64_t length)
{
    vsdk_net_piece piece = {(void *)(uintptr_t)bytes, length};

    return vsdk_net_send(net, NULL, &piece, 1, NULL);
}

static vsdk_status receive_bytes(vsdk_net *net, void *bytes, uint64_t room, uint64_t *length)
{
    vsdk_net_piece piece = {bytes, room};

    return vsdk_net_receive(net, NULL, &piece, 1, length, NULL);
}

Test(net, arguments_are_checked)
{
    vsdk_net_config config = {.size = sizeof config, .flags = 1};
    uint8_t bytes[64] = {0};
    vsdk_net_piece piece = {bytes, sizeof bytes};
    vsdk_net_offload offload = {0};
    uint64_t length = 5;

    fails(INVALID_ARGUMENT, vsdk_net_create_pair(&config, &a, &b, E));
    config.flags = 0;
    config.capacity = 1000;
    fails(LIMIT, vsdk_net_create_pair(&config, &a, &b, E));
    config.capacity = (64 << 20) + 1;
    fails(LIMIT, vsdk_net_create_pair(&config, &a, &b, E));
    config.capacity = 0;
    config.offloads = VSDK_NET_TSO4;
    fails(INVALID_ARGUMENT, vsdk_net_create_pair(&config, &a, &b, E));
    config.offloads = 1 << 20;
    fails(INVALID_ARGUMENT, vsdk_net_create_pair(&config, &a, &b, E));
    config.offloads = 0;
    config.reserved[2] = 1;
    fails(UNSUPPORTED, vsdk_net_create_pair(&config, &a, &b, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_pair(NULL, NULL, &b, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_pair(NULL, &a, NULL, E));
    ok(vsdk_net_create_pair(NULL, &a, &b, NULL));
    fails(INVALID_ARGUMENT, vsdk_net_send(NULL, NULL, &piece, 1, E));
    fails(INVALID_ARGUMENT, vsdk_net_send(a, NULL, NULL, 1, E));
    fails(LIMIT, vsdk_net_send(a, NULL, &piece, 1025, E));
    piece.length = 13;
    fails(RANGE, vsdk_net_send(a, NULL, &piece, 1, E));
    piece.length = MOST + 1;
    fails(RANGE, vsdk_net_send(a, NULL, &piece, 1, E));
    piece.length = UINT64_MAX;
    fails(RANGE, vsdk_net_send(a, NULL, (vsdk_net_piece[]){piece, piece}, 2, E));
    piece = (vsdk_net_piece){NULL, 20};
    fails(INVALID_ARGUMENT, vsdk_net_send(a, NULL, &piece, 1, E));
    piece = (vsdk_net_piece){bytes, sizeof bytes};
    offload.flags = VSDK_NET_NEEDS_CHECKSUM;
    fails(UNSUPPORTED, vsdk_net_send(a, &offload, &piece, 1, E));
    fails(INVALID_ARGUMENT, vsdk_net_receive(b, NULL, &piece, 1, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_net_receive(b, NULL, NULL, 1, &length, E));
    fails(LIMIT, vsdk_net_receive(b, NULL, &piece, 1025, &length, E));
    length = 5;
    fails(NOT_FOUND, vsdk_net_receive(b, NULL, &piece, 1, &length, E));
    cr_assert_eq(length, 0);
    fails(NOT_FOUND, vsdk_net_skip(b, E));
    fails(INVALID_ARGUMENT, vsdk_net_skip(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_net_accept(NULL, 0, E));
    fails(INVALID_ARGUMENT, vsdk_net_accept(a, VSDK_NET_USO, E));
    fails(INVALID_ARGUMENT, vsdk_net_notify(a, R, E));
    cr_assert_eq(vsdk_net_descriptor(a, R | W, NULL), -1);
    cr_assert_eq(vsdk_net_descriptor(NULL, R, NULL), -1);
    cr_assert_eq(vsdk_net_ready(NULL), 0);
    cr_assert_eq(vsdk_net_offloads_of(NULL), 0);
    cr_assert_null(vsdk_net_ref(NULL));
    vsdk_net_close(NULL);
}

Test(net, records_that_are_not_sound_are_refused)
{
    static const vsdk_net_offload wrong[] = {
        {.flags = 1 << 10},
        {.gso = 4},
        {.flags = VSDK_NET_NEEDS_CHECKSUM, .checksum_start = 63},
        {.flags = VSDK_NET_NEEDS_CHECKSUM, .checksum_start = 0xffff, .checksum_offset = 0xffff},
        {.gso = VSDK_NET_GSO_TCP4, .gso_size = 10},
        {.flags = VSDK_NET_NEEDS_CHECKSUM, .gso = VSDK_NET_GSO_TCP4},
        {.flags = VSDK_NET_NEEDS_CHECKSUM,
         .gso = VSDK_NET_GSO_TCP4,
         .gso_size = 10,
         .header_length = 65},
    };
    uint8_t bytes[64] = {0};
    vsdk_net_piece piece = {bytes, sizeof bytes};
    vsdk_net_offload good = {.flags = VSDK_NET_NEEDS_CHECKSUM, .checksum_start = 62};

    make(VSDK_NET_CHECKSUM | VSDK_NET_TSO4);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        fails(INVALID_ARGUMENT, vsdk_net_send(a, &wrong[i], &piece, 1, E));
    ok(vsdk_net_send(a, &good, &piece, 1, NULL));
    good = (vsdk_net_offload){
        .flags = VSDK_NET_NEEDS_CHECKSUM, .gso = VSDK_NET_GSO_UDP, .gso_size = 9};
    fails(UNSUPPORTED, vsdk_net_send(a, &good, &piece, 1, E));
}

/* Frames of every length in pieces of every size, through a ring that wraps: all come out. */
Test(net, frames_come_whole_and_in_order)
{
    static uint8_t out[MOST], in[MOST + 1];
    uint64_t length, lengths[64];
    unsigned first = 0, last = 0, refused = 0, got = 0;

    srand(7);
    make(0);
    while (got < 3000) {
        uint64_t size = rand() % 4 ? 14 + rand() % 1500 : 14 + rand() % (MOST - 13);
        if (last - first < 64 && rand() % 3) {
            vsdk_net_piece pieces[4];
            uint64_t left = size;
            memset(out, (int)last, size);
            for (unsigned i = 0; i < 4; i++) {
                uint64_t part = i == 3 ? left : (uint64_t)rand() % (left + 1);
                pieces[i] = (vsdk_net_piece){out + size - left, part};
                left -= part;
            }
            vsdk_status status = vsdk_net_send(a, NULL, pieces, 4, NULL);
            cr_assert(status == VSDK_OK || status == VSDK_ERROR_BUSY);
            refused += status != VSDK_OK;
            if (!status)
                lengths[last++ % 64] = size;
            continue;
        }
        if (first == last) {
            cr_assert_eq(receive_bytes(b, in, sizeof in, &length), VSDK_ERROR_NOT_FOUND);
            continue;
        }
        uint64_t want = lengths[first % 64];
        cr_assert_eq(receive_bytes(b, in, want - 1, &length), VSDK_ERROR_RANGE);
        cr_assert_eq(length, want);
        uint64_t part = (uint64_t)rand() % want;
        vsdk_net_piece room[3] = {{in, part}, {NULL, 0}, {in + part, sizeof in - part}};
        ok(vsdk_net_receive(b, NULL, room, 3, &length, NULL));
        cr_assert_eq(length, want);
        for (uint64_t i = 0; i < want; i++)
            cr_assert_eq(in[i], (uint8_t)first);
        first++;
        got++;
    }
    cr_assert(refused > 10);
}

Test(net, descriptors_tell_of_frames_and_room)
{
    static uint8_t bytes[MOST];
    uint64_t length;
    unsigned count = 0;

    make(0);
    cr_assert_eq(vsdk_net_ready(a), W);
    cr_assert(!readable(b, R) && !readable(a, W) && !readable(a, R));
    ok(send_bytes(a, bytes, 60));
    cr_assert(readable(b, R) && !readable(a, W) && !readable(a, R));
    cr_assert_eq(vsdk_net_ready(b), R | W);
    ok(vsdk_net_skip(b, NULL));
    cr_assert(!readable(b, R));
    while (!send_bytes(a, bytes, MOST))
        count++;
    cr_assert_eq(count, 3);
    cr_assert(!readable(a, W));
    cr_assert_eq(vsdk_net_ready(a), 0);
    ok(receive_bytes(b, bytes, MOST, &length));
    cr_assert(!readable(a, W), "less than half is free");
    ok(receive_bytes(b, bytes, MOST, &length));
    cr_assert(readable(a, W));
    ok(send_bytes(a, bytes, MOST));
    cr_assert(!readable(a, W));
}

Test(net, an_end_that_closes)
{
    uint8_t bytes[64] = {1};
    uint64_t length;

    make(0);
    ok(send_bytes(a, bytes, 64));
    cr_assert(!readable(b, W));
    vsdk_net_close(vsdk_net_ref(a));
    cr_assert_eq(vsdk_net_ready(b), R | W);
    vsdk_net_close(a);
    a = NULL;
    cr_assert_eq(vsdk_net_ready(b), R | W | ENDED);
    cr_assert(readable(b, R) && readable(b, W));
    ok(receive_bytes(b, bytes, 64, &length));
    cr_assert_eq(receive_bytes(b, bytes, 64, &length), VSDK_ERROR_GONE);
    cr_assert_eq(vsdk_net_skip(b, NULL), VSDK_ERROR_GONE);
    for (unsigned i = 0; i < 10000; i++)
        ok(send_bytes(b, bytes, 64));
    cr_assert(readable(b, R));
}

/* The sum of all words of what is summed, the checksum among them, is all ones. */
static int sums_up(const uint8_t *bytes, uint32_t length)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < length; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

/* At every place of the ring, so that the sum wraps, also within a word. */
Test(net, checksums_are_completed_for_who_does_not_take_them)
{
    uint8_t bytes[200], in[200];
    vsdk_net_piece piece = {bytes, 0}, room = {in, sizeof in};
    vsdk_net_offload missing = {.flags = VSDK_NET_NEEDS_CHECKSUM, .checksum_offset = 6}, got;
    uint64_t length;

    make(VSDK_NET_CHECKSUM);
    cr_assert_eq(vsdk_net_offloads_of(b), VSDK_NET_CHECKSUM);
    srand(3);
    for (unsigned i = 0; i < 5000; i++) {
        piece.length = 80 + (uint64_t)(rand() % 120);
        missing.checksum_start = (uint16_t)(34 + rand() % 8);
        for (unsigned k = 0; k < piece.length; k++)
            bytes[k] = (uint8_t)rand();
        bytes[missing.checksum_start + 6] = bytes[missing.checksum_start + 7] = 0;
        ok(vsdk_net_send(a, &missing, &piece, 1, NULL));
        ok(send_bytes(a, bytes, 14 + i % 31)); /* so that all places come up */
        ok(vsdk_net_receive(b, &got, &room, 1, &length, NULL));
        cr_assert_eq(length, piece.length);
        cr_assert_eq(got.flags, VSDK_NET_CHECKED);
        cr_assert(sums_up(in + missing.checksum_start, (uint32_t)length - missing.checksum_start));
        ok(vsdk_net_skip(b, NULL));
    }
    ok(vsdk_net_accept(b, VSDK_NET_CHECKSUM, NULL));
    ok(vsdk_net_send(a, &missing, &piece, 1, NULL));
    ok(vsdk_net_receive(b, &got, &room, 1, &length, NULL));
    cr_assert_eq(memcmp(&got, &missing, sizeof got), 0);
    cr_assert_eq(memcmp(in, bytes, length), 0);
}

Test(net, what_is_to_be_cut_goes_only_to_who_takes_it)
{
    uint8_t bytes[100] = {0};
    vsdk_net_piece piece = {bytes, sizeof bytes};
    vsdk_net_offload large = {
        .flags = VSDK_NET_NEEDS_CHECKSUM, .gso = VSDK_NET_GSO_TCP6, .gso_size = 40};
    uint64_t length;

    make(VSDK_NET_CHECKSUM | VSDK_NET_TSO6);
    ok(vsdk_net_send(a, &large, &piece, 1, NULL));
    ok(send_bytes(a, bytes, 50));
    ok(receive_bytes(b, bytes, sizeof bytes, &length));
    cr_assert_eq(length, 50);
    ok(vsdk_net_accept(b, VSDK_NET_CHECKSUM | VSDK_NET_TSO6, NULL));
    ok(vsdk_net_send(a, &large, &piece, 1, NULL));
    ok(receive_bytes(b, bytes, sizeof bytes, &length));
    cr_assert_eq(length, 100);
}

/* One thread sends, one receives, both wait by their descriptors. */
enum { MANY = 20000 };

static void await(vsdk_net *net, vsdk_net_events event)
{
    struct pollfd p = {.fd = vsdk_net_descriptor(net, event, NULL), .events = POLLIN};

    cr_assert_eq(poll(&p, 1, 60000), 1);
}

static void *send_many(void *user)
{
    static uint8_t bytes[1514];

    (void)user;
    for (uint32_t i = 0; i < MANY; i++) {
        memcpy(bytes + 14, &i, sizeof i);
        while (send_bytes(a, bytes, 60 + i % 1400))
            await(a, W);
    }
    vsdk_net_close(a);
    a = NULL;
    return NULL;
}

Test(net, two_threads)
{
    uint8_t bytes[1514];
    uint64_t length;
    pthread_t thread;
    uint32_t number, next = 0;
    vsdk_status status;

    make(0);
    pthread_create(&thread, NULL, send_many, NULL);
    while ((status = receive_bytes(b, bytes, sizeof bytes, &length)) != VSDK_ERROR_GONE) {
        if (status) {
            await(b, R);
            continue;
        }
        memcpy(&number, bytes + 14, sizeof number);
        cr_assert(number == next && length == 60 + next % 1400);
        next++;
    }
    pthread_join(thread, NULL);
    cr_assert_eq(next, MANY);
}

/* A network of one's own. */
static struct own {
    unsigned sent, asked, releases;
    uint64_t waiting; /* frames that receive will give */
    uint64_t length;
    vsdk_net_offload offload;
    vsdk_status busy, gone;
} own;

static vsdk_status own_send(void *user, vsdk_net *net, const vsdk_net_offload *offload,
                            const vsdk_net_piece *pieces, uint32_t count, uint32_t length)
{
    (void)net, (void)offload;
    cr_assert(user == &own && count == 1 && pieces[0].length == length);
    if (!own.busy)
        own.sent++;
    return own.busy;
}

static vsdk_status own_receive(void *user, vsdk_net *net, vsdk_net_offload *offload, void *bytes,
                               uint64_t capacity, uint64_t *length)
{
    (void)user, (void)net;
    own.asked++;
    cr_assert_eq(capacity, MOST);
    if (!own.waiting)
        return own.gone ? own.gone : VSDK_ERROR_NOT_FOUND;
    own.waiting--;
    memset(bytes, 7, own.length < capacity ? own.length : capacity);
    *length = own.length;
    *offload = own.offload;
    return VSDK_OK;
}

static void own_release(void *user)
{
    ((struct own *)user)->releases++;
}

static const vsdk_net_ops own_ops = {
    .size = sizeof own_ops, .send = own_send, .receive = own_receive, .release = own_release};

Test(net, functions_of_ones_own)
{
    vsdk_net_config config = {.size = sizeof config, .offloads = VSDK_NET_CHECKSUM};
    uint8_t bytes[100];
    uint64_t length;

    ok(vsdk_net_create(&own_ops, &own, &config, &a, NULL));
    cr_assert(readable(a, R), "it is asked once");
    cr_assert_eq(receive_bytes(a, bytes, 100, &length), VSDK_ERROR_NOT_FOUND);
    cr_assert(!readable(a, R));
    own.waiting = 2;
    own.length = 80;
    ok(vsdk_net_notify(a, R, NULL));
    cr_assert(readable(a, R));
    cr_assert_eq(receive_bytes(a, bytes, 79, &length), VSDK_ERROR_RANGE);
    cr_assert_eq(length, 80);
    ok(receive_bytes(a, bytes, 100, &length));
    cr_assert_eq(bytes[79], 7);
    cr_assert(readable(a, R));
    ok(vsdk_net_skip(a, NULL));
    cr_assert_eq(vsdk_net_skip(a, NULL), VSDK_ERROR_NOT_FOUND);
    cr_assert_eq(own.asked, 4);
    ok(send_bytes(a, bytes, 50));
    own.busy = VSDK_ERROR_BUSY;
    cr_assert_eq(send_bytes(a, bytes, 50), VSDK_ERROR_BUSY);
    cr_assert(!readable(a, W));
    ok(vsdk_net_notify(a, W, NULL));
    cr_assert(readable(a, W));
    own.busy = VSDK_OK;
    ok(send_bytes(a, bytes, 50));
    cr_assert(!readable(a, W));
    cr_assert_eq(own.sent, 2);
    own.gone = VSDK_ERROR_GONE;
    ok(vsdk_net_notify(a, R, NULL));
    cr_assert_eq(receive_bytes(a, bytes, 100, &length), VSDK_ERROR_GONE);
    cr_assert_eq(receive_bytes(a, bytes, 100, &length), VSDK_ERROR_GONE);
    cr_assert_eq(vsdk_net_ready(a), R | W | ENDED);
    end();
    cr_assert_eq(own.releases, 1);
}

/* Lengths and records that a function of the embedder's should not give are dropped. */
Test(net, functions_of_ones_own_that_lie)
{
    static const struct {
        uint64_t length;
        vsdk_net_offload offload;
    } lies[] = {
        {13, {0}},
        {MOST + 1, {0}},
        {UINT64_MAX, {0}},
        {60, {.gso = 77}},
        {60, {.flags = VSDK_NET_NEEDS_CHECKSUM, .checksum_start = 59}},
        {60, {.flags = VSDK_NET_NEEDS_CHECKSUM, .gso = VSDK_NET_GSO_UDP, .gso_size = 1}},
        {60, {.flags = 1 << 10}},
        {60, {.gso = VSDK_NET_GSO_TCP4, .gso_size = 10}},
        {60, {.flags = VSDK_NET_NEEDS_CHECKSUM, .gso = VSDK_NET_GSO_TCP4}},
        {60,
         {.flags = VSDK_NET_NEEDS_CHECKSUM,
          .gso = VSDK_NET_GSO_TCP4,
          .gso_size = 10,
          .header_length = 61}},
    };
    vsdk_net_config config = {.size = sizeof config, .offloads = VSDK_NET_CHECKSUM | VSDK_NET_TSO4};
    uint8_t bytes[100];
    uint64_t length;

    memset(&own, 0, sizeof own);
    ok(vsdk_net_create(&own_ops, &own, &config, &a, NULL));
    ok(vsdk_net_accept(a, config.offloads, NULL));
    for (unsigned i = 0; i < sizeof lies / sizeof *lies; i++) {
        own.waiting = 1;
        own.length = lies[i].length;
        own.offload = lies[i].offload;
        cr_assert_eq(receive_bytes(a, bytes, 100, &length), VSDK_ERROR_NOT_FOUND);
        cr_assert_eq(own.waiting, 0);
        cr_assert(readable(a, R), "more may wait");
    }
    own.waiting = 1;
    own.length = 60;
    own.offload = (vsdk_net_offload){.flags = VSDK_NET_NEEDS_CHECKSUM, .checksum_start = 40};
    ok(receive_bytes(a, bytes, 100, &length));
    cr_assert_eq(length, 60);
}

Test(net, functions_that_are_missing)
{
    vsdk_net_ops none = {.size = sizeof none};
    uint8_t bytes[100] = {0};
    uint64_t length;

    ok(vsdk_net_create(&none, NULL, NULL, &a, NULL));
    cr_assert(!readable(a, R));
    ok(send_bytes(a, bytes, 60));
    cr_assert_eq(receive_bytes(a, bytes, 100, &length), VSDK_ERROR_NOT_FOUND);
    ok(vsdk_net_notify(a, ENDED, NULL));
    cr_assert_eq(receive_bytes(a, bytes, 100, &length), VSDK_ERROR_GONE);
    cr_assert(readable(a, R) && readable(a, W));
    fails(INVALID_ARGUMENT, vsdk_net_notify(a, 8, E));
    fails(INVALID_ARGUMENT, vsdk_net_notify(NULL, R, E));
}

Test(net, functions_are_released_where_none_is_made)
{
    vsdk_net_ops ops = own_ops;
    vsdk_net_config config = {.size = sizeof config, .capacity = 1 << 20};

    memset(&own, 0, sizeof own);
    fails(INVALID_ARGUMENT, vsdk_net_create(NULL, &own, NULL, &a, E));
    fails(INVALID_ARGUMENT, vsdk_net_create(&ops, &own, NULL, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_net_create(&ops, &own, &config, &a, E));
    config = (vsdk_net_config){.size = sizeof config, .padding = 1};
    fails(UNSUPPORTED, vsdk_net_create(&ops, &own, &config, &a, E));
    cr_assert_eq(own.releases, 3);
    ops.reserved[1] = 1;
    fails(UNSUPPORTED, vsdk_net_create(&ops, &own, NULL, &a, E));
    cr_assert_null(a);
}

/* Sockets: `peer` is the test's end. */
static int peer = -1;

static void make_socket(int type)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    ok(vsdk_net_create_socket(fds[0], &a, NULL));
    close(fds[0]);
    peer = fds[1];
}

static void end_socket(void)
{
    end();
    close(peer);
}

TestSuite(socket, .fini = end_socket);

static void put_raw(const void *some, size_t length)
{
    cr_assert_eq(send(peer, some, length, 0), (ssize_t)length);
}

static void fill(uint8_t *frame, uint32_t length, unsigned seed)
{
    uint32_t prefix = htonl(length);

    memcpy(frame, &prefix, 4);
    for (uint32_t i = 0; i < length; i++)
        frame[4 + i] = (uint8_t)(seed + i);
}

static void is_frame(const uint8_t *bytes, uint64_t length, uint64_t wanted, unsigned seed)
{
    cr_assert_eq(length, wanted);
    for (uint64_t i = 0; i < length; i++)
        cr_assert_eq(bytes[i], (uint8_t)(seed + i));
}

/* The pieces end anywhere: within the length, the frame, between two of them. */
Test(socket, a_stream_that_comes_in_pieces)
{
    static uint8_t wire[4 * (4 + 3000)], in[MOST];
    size_t all = 0;
    uint64_t length;

    for (unsigned i = 0; i < 4; i++) {
        fill(wire + all, 14 + i * 900, i);
        all += 4 + 14 + i * 900;
    }
    make_socket(SOCK_STREAM);
    cr_assert(!readable(a, R));
    for (size_t step = 1; step < all; step += 1 + step / 3) {
        unsigned got = 0;
        for (size_t at = 0; at < all; at += step) {
            put_raw(wire + at, all - at < step ? all - at : step);
            while (!receive_bytes(a, in, sizeof in, &length)) {
                is_frame(in, length, 14 + got * 900, got);
                got++;
                if (vsdk_net_ready(a) & R)
                    cr_assert(readable(a, R), "a frame that is in the buffer is told of");
            }
            cr_assert(!readable(a, R), "a piece of a frame is nothing to do");
        }
        cr_assert_eq(got, 4);
    }
}

Test(socket, a_stream_of_hostile_lengths)
{
    static const uint32_t wrong[] = {0, 1, 13, MOST + 1, 0x7fffffff, 0xffffffff};
    uint8_t wire[100], in[100];
    uint64_t length;

    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint32_t prefix = htonl(wrong[i]);
        make_socket(SOCK_STREAM);
        fill(wire, 60, 1);
        put_raw(wire, 64);
        put_raw(&prefix, 4);
        put_raw(wire, 64);
        ok(receive_bytes(a, in, sizeof in, &length));
        is_frame(in, length, 60, 1);
        cr_assert_eq(receive_bytes(a, in, sizeof in, &length), VSDK_ERROR_GONE);
        cr_assert_eq(vsdk_net_ready(a), R | W | ENDED);
        cr_assert(readable(a, R) && readable(a, W));
        ok(send_bytes(a, wire, 60));
        cr_assert_eq(receive_bytes(a, in, sizeof in, &length), VSDK_ERROR_GONE);
        if (i + 1 < sizeof wrong / sizeof *wrong)
            end_socket();
    }
}

Test(socket, a_stream_that_closes)
{
    uint8_t wire[128], in[100];
    uint64_t length;

    make_socket(SOCK_STREAM);
    fill(wire, 60, 2);
    put_raw(wire, 64);
    put_raw(wire, 30);
    shutdown(peer, SHUT_WR);
    ok(receive_bytes(a, in, sizeof in, &length));
    cr_assert_eq(receive_bytes(a, in, sizeof in, &length), VSDK_ERROR_GONE);
    end_socket();
    make_socket(SOCK_STREAM);
    close(peer);
    for (unsigned i = 0; i < 10; i++)
        ok(send_bytes(a, wire, 60));
    cr_assert_eq(receive_bytes(a, in, sizeof in, &length), VSDK_ERROR_GONE);
    cr_assert_eq(vsdk_net_skip(a, NULL), VSDK_ERROR_GONE);
}

/* The end is found by who asks what may be done, and told to who waits for room. */
Test(socket, an_end_that_is_found_by_asking)
{
    static const uint8_t wrong[4] = {0};

    make_socket(SOCK_STREAM);
    cr_assert(!readable(a, W));
    put_raw(wrong, sizeof wrong);
    cr_assert_eq(vsdk_net_ready(a), R | W | ENDED);
    cr_assert(readable(a, R) && readable(a, W));
}

/* Frames that the peer takes in pieces: all arrive, whole and in order, also the last one, which
 * nobody sends after. */
Test(socket, a_stream_that_is_full)
{
    static uint8_t out[MOST], in[4 + MOST];
    unsigned sent = 0, refused = 0, got = 0;
    uint32_t held = 0;
    uint64_t length;
    int small = 4096;

    make_socket(SOCK_STREAM);
    cr_assert_eq(setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    cr_assert(!readable(a, W) && !readable(a, R));
    while (got < 40) {
        while (sent < 40) {
            memset(out, (int)sent, sizeof out);
            if (send_bytes(a, out, 14 + sent * 1600)) {
                refused++;
                break;
            }
            sent++;
        }
        if (sent == 40)
            receive_bytes(a, out, sizeof out,
                          &length); /* what a device does when its watch fires */
        for (unsigned i = 0; i < 3; i++) {
            uint32_t want = 4;
            if (held >= 4) {
                memcpy(&want, in, 4);
                want = 4 + ntohl(want);
                cr_assert_eq(want, 4 + 14 + got * 1600);
            }
            ssize_t n = recv(peer, in + held, want - held, MSG_DONTWAIT);
            if (n <= 0)
                break;
            held += (uint32_t)n;
            if (held == want && want > 4) {
                cr_assert(in[4] == got && in[want - 1] == got);
                got++;
                held = 0;
            }
        }
    }
    cr_assert(refused > 3);
    cr_assert(!readable(a, W));
}

Test(socket, messages)
{
    static uint8_t wire[MOST + 10], in[MOST];
    uint64_t length;
    ssize_t n;

    make_socket(SOCK_DGRAM);
    cr_assert(!readable(a, R));
    fill(wire, 1000, 5);
    put_raw(wire + 4, 13);
    put_raw(wire + 4, 0);
    put_raw(wire, MOST + 1);
    put_raw(wire + 4, 14);
    put_raw(wire + 4, 1000);
    cr_assert(readable(a, R));
    ok(receive_bytes(a, in, sizeof in, &length));
    is_frame(in, length, 14, 5);
    cr_assert_eq(receive_bytes(a, in, 999, &length), VSDK_ERROR_RANGE);
    cr_assert(readable(a, R), "it is in the buffer");
    ok(receive_bytes(a, in, 1000, &length));
    is_frame(in, length, 1000, 5);
    cr_assert_eq(receive_bytes(a, in, sizeof in, &length), VSDK_ERROR_NOT_FOUND);
    cr_assert(!readable(a, R));
    unsigned sent = 0;
    while (!send_bytes(a, wire + 4, 1000))
        sent++;
    cr_assert(sent > 0);
    cr_assert(!readable(a, W));
    for (unsigned i = 0; i < sent; i++) {
        n = recv(peer, in, sizeof in, MSG_DONTWAIT);
        cr_assert_eq(n, 1000);
    }
    cr_assert(readable(a, W));
    ok(send_bytes(a, wire + 4, 1000));
    cr_assert(!readable(a, W));
    close(peer);
    ok(send_bytes(a, wire + 4, 1000));
}

Test(socket, packets_that_end)
{
    uint8_t wire[64] = {1}, in[64];
    uint64_t length;

    make_socket(SOCK_SEQPACKET);
    put_raw(wire, 64);
    close(peer);
    ok(receive_bytes(a, in, sizeof in, &length));
    cr_assert_eq(receive_bytes(a, in, sizeof in, &length), VSDK_ERROR_GONE);
}

Test(socket, arguments_are_checked)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    make_socket(SOCK_STREAM);
    fails(INVALID_ARGUMENT, vsdk_net_create_socket(fd, &b, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_socket(-1, &b, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_socket(peer, NULL, E));
    cr_assert_null(b);
    close(fd);
}

/* Filters. The clock is the test's. */
static uint64_t now = 1000000000;

uint64_t __wrap_sys_clock(void);

uint64_t __wrap_sys_clock(void)
{
    return now;
}

static vsdk_net *limited;

static void make_filter(vsdk_net_filter_config config)
{
    config.size = sizeof config;
    make(0);
    ok(vsdk_net_create_filter(a, &config, &limited, NULL));
}

static void end_filter(void)
{
    vsdk_net_close(limited);
    end();
}

TestSuite(filter, .fini = end_filter);

static unsigned pass(unsigned frames, uint64_t length)
{
    static uint8_t bytes[MOST];
    unsigned passed = 0;

    while (passed < frames && !send_bytes(limited, bytes, length))
        passed++;
    while (!vsdk_net_skip(b, NULL))
        ;
    return passed;
}

Test(filter, frames_a_second)
{
    make_filter((vsdk_net_filter_config){.send_frames = 100});
    cr_assert_eq(pass(1000, 60), 10, "a tenth of a second's");
    cr_assert_eq(pass(1000, 60), 0);
    now += 1;
    cr_assert_eq(pass(1000, 60), 1, "there is something again");
    now += 9999998;
    cr_assert_eq(pass(1000, 60), 0);
    now += 3;
    cr_assert_eq(pass(1000, 60), 1);
    for (unsigned i = 0, all = 0; i < 50; i++) {
        now += 20000000;
        all += pass(1000, 60);
        cr_assert(all <= 2 * (i + 1) + 1 && all + 1 >= 2 * (i + 1));
    }
    now += UINT64_C(1) << 62;
    cr_assert_eq(pass(1000, 60), 10);
}

Test(filter, bytes_a_second)
{
    make_filter((vsdk_net_filter_config){.send_bytes = 100000, .burst_ns = 10000000});
    cr_assert_eq(pass(1000, 1000), 1);
    cr_assert_eq(pass(1000, 1000), 0);
    now += 10000001;
    cr_assert_eq(pass(1000, 50000), 1, "more than the burst goes when there is something");
    now += 300000000;
    cr_assert_eq(pass(1000, 60), 0, "and is paid for");
    now += 200000000;
    cr_assert_gt(pass(1000, 60), 0);
}

Test(filter, limits_without_bounds)
{
    make_filter((vsdk_net_filter_config){
        .send_bytes = UINT64_MAX, .send_frames = UINT64_MAX, .burst_ns = UINT64_C(10000000000)});
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(pass(3, MOST), 3);
        now += i % 2 ? UINT64_C(1) << 61 : 0;
    }
}

Test(filter, receiving_waits)
{
    uint8_t bytes[100] = {0};
    uint64_t length;

    make_filter((vsdk_net_filter_config){.receive_frames = 1});
    for (unsigned i = 0; i < 3; i++)
        ok(send_bytes(b, bytes, 60));
    cr_assert(readable(limited, R) && vsdk_net_ready(limited) == (R | W));
    cr_assert_eq(receive_bytes(limited, bytes, 59, &length), VSDK_ERROR_RANGE);
    ok(receive_bytes(limited, bytes, 100, &length));
    now += 1;
    ok(receive_bytes(limited, bytes, 100, &length));
    cr_assert_eq(receive_bytes(limited, bytes, 100, &length), VSDK_ERROR_NOT_FOUND);
    cr_assert(!readable(limited, R) && vsdk_net_ready(limited) == W);
    now += 1000000001;
    cr_assert(vsdk_net_ready(limited) == (R | W) && readable(limited, R));
    ok(vsdk_net_skip(limited, NULL));
}

/* The timer is the system's. */
Test(filter, a_descriptor_tells_when_the_wait_is_over)
{
    struct pollfd p = {.events = POLLIN};
    uint8_t bytes[60] = {0};

    make_filter((vsdk_net_filter_config){.send_frames = 50});
    p.fd = vsdk_net_descriptor(limited, W, NULL);
    cr_assert_eq(poll(&p, 1, 0), 0);
    cr_assert_eq(pass(1000, 60), 5);
    cr_assert_eq(poll(&p, 1, 20000), 1);
    now += 20000001;
    ok(send_bytes(limited, bytes, 60));
    cr_assert_eq(poll(&p, 1, 0), 0);
}

struct pcap_head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, figures, snap, link;
};

Test(filter, a_record_of_all_frames)
{
    char path[] = "/tmp/vsdk-pcap-XXXXXX";
    uint8_t bytes[300], file[4096];
    uint64_t length;
    int fd = mkstemp(path);
    struct pcap_head head;
    uint32_t frame[4];

    make_filter((vsdk_net_filter_config){.pcap = path, .snap = 100});
    memset(bytes, 1, sizeof bytes);
    ok(send_bytes(limited, bytes, 60));
    memset(bytes, 2, sizeof bytes);
    ok(send_bytes(b, bytes, 300));
    vsdk_net_piece room[2] = {{bytes, 33}, {bytes + 33, sizeof bytes - 33}};
    memset(bytes, 0, sizeof bytes);
    ok(vsdk_net_receive(limited, NULL, room, 2, &length, NULL));
    size_t got = (size_t)read(fd, file, sizeof file);
    cr_assert_eq(got, sizeof head + 16 + 60 + 16 + 100);
    memcpy(&head, file, sizeof head);
    cr_assert(head.magic == 0xa1b23c4d && head.major == 2 && head.minor == 4 && head.link == 1);
    memcpy(frame, file + sizeof head, 16);
    cr_assert(frame[0] > 1000000000 && frame[1] < 1000000000 && frame[2] == 60 && frame[3] == 60);
    cr_assert_eq(file[sizeof head + 16 + 59], 1);
    memcpy(frame, file + sizeof head + 16 + 60, 16);
    cr_assert(frame[2] == 100 && frame[3] == 300);
    cr_assert_eq(file[got - 1], 2);
    close(fd);
    unlink(path);
}

Test(filter, arguments_are_checked)
{
    vsdk_net_filter_config config = {.size = sizeof config};
    vsdk_net *made;

    make_filter(config);
    fails(INVALID_ARGUMENT, vsdk_net_create_filter(NULL, &config, &made, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_filter(a, NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_net_create_filter(a, &config, NULL, E));
    config.burst_ns = UINT64_C(10000000001);
    fails(INVALID_ARGUMENT, vsdk_net_create_filter(a, &config, &made, E));
    config.burst_ns = 0;
    config.padding = 1;
    fails(UNSUPPORTED, vsdk_net_create_filter(a, &config, &made, E));
    config.padding = 0;
    config.pcap = "/nowhere/file";
    fails(NOT_FOUND, vsdk_net_create_filter(a, &config, &made, E));
    config.pcap = "/tmp";
    fails(SYSTEM, vsdk_net_create_filter(a, &config, &made, E));
    cr_assert_null(made);
}

/* One that has a reader, and one that has none. */
Test(filter, a_record_is_no_pipe)
{
    char folder[] = "/tmp/vsdk-pcap-XXXXXX", path[64];
    vsdk_net_filter_config config = {.size = sizeof config, .pcap = path};
    vsdk_net *made;

    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/pipe", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    make_filter((vsdk_net_filter_config){0});
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    fails(SYSTEM, vsdk_net_create_filter(a, &config, &made, E));
    close(fd);
    fails(SYSTEM, vsdk_net_create_filter(a, &config, &made, E));
    cr_assert_null(made);
    unlink(path);
    rmdir(folder);
}
