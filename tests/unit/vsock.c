/* SPDX-License-Identifier: Apache-2.0 */
/* The socket device against a driver that is written out here: each kind of packet, both credits,
 * both ends of every connection, and guests and programs of the host that do not behave. */
#include "core_rig.h"
#include "driver.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MEMORY = 2 << 20, RINGS = 0x1000, RX = 0x10000, RX_STEP = 0x2000, TX = 0x180000 };
enum { HEADER = 44, ROOM = 4096, RX_CHAINS = 16, CID = 42, PORT = 1000, GUEST_PORT = 77 };
enum { REQUEST = 1, RESPONSE, RESET, SHUTDOWN, DATA, CREDIT_UPDATE, CREDIT_REQUEST };

struct header {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, length;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));

struct packet {
    struct header h;
    uint8_t bytes[ROOM];
};

static struct core_rig rig;
static struct driver rx, tx, events;
static vsdk_ram *ram;
static vsdk_device *device;
static char path[64];
static uint32_t rx_room; /* of the buffers that the guest gives */
static uint64_t form;
static uint64_t rx_at[DRIVER_QUEUE_MOST]; /* where the buffer of an id is */

/* What the guest knows of the connection that a test is about. */
static struct {
    uint32_t host_port, guest_port;
    uint32_t room, took; /* as the device told */
    uint32_t sent;
    uint32_t buf_alloc, fwd_cnt;
} guest;

static uint32_t read_register(uint32_t offset)
{
    cr_assert_eq(rig_read(&rig, VSDK_SPACE_MMIO, DRIVER_MMIO + offset, 4), BUS_CLAIMED);
    return (uint32_t)rig.exit.value;
}

static void write_register(uint32_t offset, uint32_t value)
{
    cr_assert_geq(rig_write(&rig, VSDK_SPACE_MMIO, DRIVER_MMIO + offset, 4, value), BUS_CLAIMED);
}

static _Atomic int is_served; /* a thread of its own dispatches */

static void dispatch(void)
{
    uint32_t count = 0;

    if (is_served)
        return;
    do
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 0, &count, NULL));
    while (count);
}

static void line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
}

static vsdk_virtio_vsock_config config_of(void)
{
    return (vsdk_virtio_vsock_config){.size = sizeof(vsdk_virtio_vsock_config),
                               .cid = CID,
                               .path = path,
                               .connections = 300,
                               .buffer = 16384,
                               .timeout_ns = UINT64_C(3600000000000)};
}

static void make_device(const vsdk_virtio_vsock_config *config)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};

    ok(vsdk_virtio_vsock_create(rig.vm, config, &device, NULL));
    ok(vsdk_virtio_attach(device, &place, NULL));
}

static void end_device(void)
{
    ok(vsdk_virtio_detach(device, NULL));
    vsdk_device_close(device);
}

static void give_one(uint64_t at)
{
    driver_buffer b[2] = {{at, HEADER, 1}, {at + 0x100, rx_room, 1}};
    int id = driver_add(&rx, b, 2, 0);

    cr_assert_geq(id, 0);
    rx_at[id] = at;
}

static void give_rx(uint32_t chains)
{
    for (uint32_t i = 0; i < chains; i++)
        give_one(RX + RX_STEP * i);
    driver_kick(&rx, rx.packed ? 2 * chains : chains);
}

/* The guest's driver begins, as after each reset. */
static void use(uint32_t rx_chains)
{
    tx = (struct driver){
        .read = read_register, .write = write_register, .memory = vsdk_ram_data(ram)};
    rx = events = tx;
    cr_assert(driver_negotiate(&tx, 1 | form | UINT64_C(1) << 32));
    driver_queue(&rx, 0, 64, RINGS, form);
    driver_queue(&tx, 1, 64, RINGS + 0x4000, form);
    driver_queue(&events, 2, 8, RINGS + 0x8000, form);
    driver_ok(&tx);
    rx_room = ROOM;
    give_rx(rx_chains);
    dispatch();
    memset(&guest, 0, sizeof guest);
    guest.guest_port = GUEST_PORT;
    guest.host_port = PORT;
    guest.buf_alloc = 1 << 18;
}

static void begin(void)
{
    form = 0;
    snprintf(path, sizeof path, "/tmp/vsdk-vsock-%d", getpid());
    unlink(path);
    rig_make(&rig);
    ram = rig_ram(&rig, 0, MEMORY, 0);
    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, line, NULL, NULL, NULL));
    make_device(&(vsdk_virtio_vsock_config){
        config_of().size, 0, NULL, CID, path, NULL, 300, 16384, UINT64_C(3600000000000), {0}});
    rig_run(&rig);
    use(RX_CHAINS);
}

static void end(void)
{
    end_device();
    vsdk_ram_close(ram);
    rig_end(&rig);
    cr_assert(access(path, F_OK), "the socket is left");
}

TestSuite(vsock, .init = begin, .fini = end, .timeout = 60);

/* Hands a packet over; whether it was taken is seen later. */
static void put(const struct header *h, const void *bytes, uint32_t length)
{
    uint64_t at = TX + (uint64_t)(tx.free % 64) * 0x1100;
    driver_buffer b[2] = {{at, HEADER, 0}, {at + HEADER, length, 0}};

    memcpy(tx.memory + at, h, HEADER);
    memcpy(tx.memory + at + HEADER, bytes, length);
    cr_assert_geq(driver_add(&tx, b, length ? 2 : 1, 0), 0);
    driver_kick(&tx, tx.packed && length ? 2 : 1);
}

static uint32_t taken(void)
{
    uint32_t id, length, count = 0;

    while (driver_take(&tx, &id, &length)) {
        cr_assert_eq(length, 0);
        count++;
    }
    return count;
}

static struct header header_of(uint16_t op)
{
    return (struct header){.src_cid = CID,
                           .dst_cid = 2,
                           .src_port = guest.guest_port,
                           .dst_port = guest.host_port,
                           .type = 1,
                           .op = op,
                           .buf_alloc = guest.buf_alloc,
                           .fwd_cnt = guest.fwd_cnt};
}

static void say_with(uint16_t op, uint32_t flags, const void *bytes, uint32_t length)
{
    struct header h = header_of(op);

    h.flags = flags;
    h.length = length;
    put(&h, bytes, length);
    dispatch();
    cr_assert_eq(taken(), 1);
    guest.sent += length;
}

static void say(uint16_t op)
{
    say_with(op, 0, "", 0);
}

/* The next packet of the device's, whose buffer it gets back. */
static int hear(struct packet *p)
{
    uint32_t id, length;

    dispatch();
    if (!driver_take(&rx, &id, &length))
        return 0;
    cr_assert(length >= HEADER && length <= HEADER + ROOM);
    uint64_t at = rx_at[id];
    memcpy(&p->h, rx.memory + at, HEADER);
    memcpy(p->bytes, rx.memory + at + 0x100, length - HEADER);
    cr_assert_eq(p->h.length, length - HEADER);
    cr_assert_eq(p->h.dst_cid, CID);
    guest.room = p->h.buf_alloc;
    guest.took = p->h.fwd_cnt;
    give_one(at);
    driver_kick(&rx, rx.packed ? 2 : 1);
    return 1;
}

static void hears(uint16_t op, struct packet *p)
{
    struct packet other;

    p = p ? p : &other;
    cr_assert(hear(p), "nothing came for %u", op);
    cr_assert_eq(p->h.op, op, "%u came for %u", p->h.op, op);
    cr_assert(p->h.src_cid == 2 && p->h.type == 1);
    cr_assert_eq(p->h.src_port, guest.host_port);
    cr_assert_eq(p->h.dst_port, guest.guest_port);
}

static void hears_nothing(void)
{
    struct packet p;

    cr_assert(!hear(&p), "%u came", p.h.op);
}

static int is_readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};

    return poll(&look, 1, 0) == 1 && look.revents & POLLIN;
}

/* -1 when there is nothing, 0 at the end. */
static ssize_t take(int fd, void *to, size_t most)
{
    return recv(fd, to, most, MSG_DONTWAIT);
}

static int is_over(int fd)
{
    char byte;

    dispatch();
    return take(fd, &byte, 1) == 0;
}

/* A connection to a port of the embedder's. */
static int connected(void)
{
    int32_t fd;
    uint32_t peer;

    if (vsdk_virtio_vsock_descriptor(device, PORT) < 0)
        ok(vsdk_virtio_vsock_listen(device, PORT, 0, NULL));
    say(REQUEST);
    hears(RESPONSE, NULL);
    cr_assert_eq(guest.room, 16384);
    cr_assert(is_readable(vsdk_virtio_vsock_descriptor(device, PORT)));
    ok(vsdk_virtio_vsock_accept(device, PORT, &fd, &peer, NULL));
    cr_assert(fd > 2 && peer == guest.guest_port);
    return fd;
}

Test(vsock, registers_say_what_it_is)
{
    cr_assert_eq(read_register(8), 19);
    cr_assert_eq(read_register(0x100), CID);
    cr_assert_eq(read_register(0x104), 0);
    write_register(0x30, 2);
    cr_assert_eq(read_register(0x34), 256);
    write_register(0x30, 3);
    cr_assert_eq(read_register(0x34), 0);
    write_register(0x14, 0);
    cr_assert_eq(read_register(0x10) & 0xffffff, 1, "streams");
}

Test(vsock, the_guest_connects_to_the_embedder)
{
    struct packet p;
    char text[16] = "";
    int fd = connected();
    int32_t none;

    fails(NOT_FOUND, vsdk_virtio_vsock_accept(device, PORT, &none, NULL, E));
    cr_assert(none == -1 && !is_readable(vsdk_virtio_vsock_descriptor(device, PORT)));
    say_with(DATA, 0, "hello", 5);
    cr_assert(take(fd, text, sizeof text) == 5 && !memcmp(text, "hello", 5));
    cr_assert_eq(send(fd, "world!", 6, 0), 6);
    hears(DATA, &p);
    cr_assert(p.h.length == 6 && !memcmp(p.bytes, "world!", 6));
    cr_assert_eq(p.h.fwd_cnt, 5);
    say_with(SHUTDOWN, 3, "", 0);
    hears(RESET, NULL);
    cr_assert(is_over(fd));
    close(fd);
    say(CREDIT_UPDATE);
    hears(RESET, NULL);
    hears_nothing();
}

Test(vsock, the_embedder_connects_to_the_guest)
{
    struct packet p;
    char text[8];
    int32_t fd;

    ok(vsdk_virtio_vsock_connect(device, GUEST_PORT, &fd, NULL));
    cr_assert_eq(send(fd, "early", 5, 0), 5);
    cr_assert(hear(&p) && p.h.op == REQUEST);
    cr_assert(p.h.dst_port == GUEST_PORT && p.h.src_port >= 1u << 30 && p.h.src_cid == 2);
    guest.host_port = p.h.src_port;
    hears_nothing();
    say(RESPONSE);
    hears(DATA, &p);
    cr_assert(p.h.length == 5 && !memcmp(p.bytes, "early", 5));
    say_with(DATA, 0, "late", 4);
    cr_assert_eq(take(fd, text, sizeof text), 4);
    close(fd);
    hears(SHUTDOWN, &p);
    cr_assert_eq(p.h.flags, 3);
    say_with(DATA, 0, "lost", 4);
    say(RESET);
    hears_nothing();
    say(CREDIT_UPDATE);
    hears(RESET, NULL);

    ok(vsdk_virtio_vsock_connect(device, GUEST_PORT, &fd, NULL));
    cr_assert(hear(&p) && p.h.op == REQUEST && p.h.src_port != guest.host_port);
    guest.host_port = p.h.src_port;
    say(RESET);
    cr_assert(is_over(fd));
    close(fd);
    hears_nothing();
}

Test(vsock, packets_for_nobody_are_answered_by_a_reset)
{
    struct packet p;
    struct header h;

    for (uint16_t op = 0; op < 12; op++) {
        say_with(op, 0, "x", op == DATA);
        if (op != RESET)
            hears(RESET, NULL);
        hears_nothing();
    }
    h = header_of(REQUEST);
    h.dst_cid = 5;
    put(&h, "", 0);
    cr_assert(hear(&p) && p.h.op == RESET && p.h.src_cid == 5);
    h = header_of(REQUEST);
    h.type = 2;
    put(&h, "", 0);
    cr_assert(hear(&p) && p.h.op == RESET && p.h.type == 2);
    h = header_of(REQUEST);
    h.src_cid = CID + 1;
    put(&h, "", 0);
    hears_nothing();
    cr_assert_eq(taken(), 3);
}

static uint8_t byte_at(uint64_t place)
{
    return (uint8_t)((place * 2654435761u) >> 11);
}

static void fill(uint8_t *bytes, uint64_t place, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = byte_at(place + i);
}

static void compare(const uint8_t *bytes, uint64_t place, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++)
        if (bytes[i] != byte_at(place + i))
            cr_assert_fail("byte %llu", (unsigned long long)(place + i));
}

enum { MUCH = 1 << 20 };

/* The host reads little at a time; the guest never has more than its credit, and is never left
 * without any for good. */
Test(vsock, a_slow_reader_on_the_host_gets_every_byte)
{
    static uint8_t bytes[ROOM];
    struct packet p;
    uint32_t sent = 0, got = 0, stood = 0;
    int fd = connected(), small = 4096;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    while (got < MUCH) {
        uint32_t credit = guest.room - (guest.sent - guest.took),
                 most = (uint32_t)rand() % ROOM + 1;
        most = most < credit ? most : credit;
        most = most < MUCH - sent ? most : MUCH - sent;
        if (most) {
            fill(bytes, sent, most);
            say_with(DATA, 0, bytes, most);
            sent += most;
        }
        stood += !credit;
        if (credit && rand() % 2)
            continue;
        ssize_t came = take(fd, bytes, (size_t)rand() % sizeof bytes + 1);
        if (came > 0)
            compare(bytes, got, (uint64_t)came), got += (uint32_t)came;
        while (hear(&p))
            cr_assert_eq(p.h.op, CREDIT_UPDATE);
    }
    cr_assert(stood, "the credit was never used up");
    hears_nothing();
    close(fd);
}

/* The guest takes little at a time, and tells of it late. */
Test(vsock, a_slow_reader_in_the_guest_gets_every_byte)
{
    static uint8_t bytes[ROOM];
    struct packet p;
    uint32_t sent = 0, got = 0, asked = 0;

    guest.buf_alloc = 5000;
    int fd = connected();
    while (got < MUCH) {
        uint32_t most = MUCH - sent < ROOM ? MUCH - sent : ROOM;
        fill(bytes, sent, most);
        ssize_t put_now = most ? send(fd, bytes, most, MSG_DONTWAIT) : 0;
        sent += put_now > 0 ? (uint32_t)put_now : 0;
        while (hear(&p)) {
            asked += p.h.op == CREDIT_REQUEST;
            if (p.h.op == CREDIT_REQUEST)
                continue;
            cr_assert_eq(p.h.op, DATA);
            compare(p.bytes, got, p.h.length);
            got += p.h.length;
            cr_assert_leq(got - guest.fwd_cnt, 5000, "more than the guest has room for");
        }
        guest.fwd_cnt = got - (uint32_t)rand() % (got - guest.fwd_cnt + 1);
        if (rand() % 2)
            guest.fwd_cnt = got;
        say(CREDIT_UPDATE);
    }
    cr_assert_geq(asked, 1);
    close(fd);
}

Test(vsock, bytes_go_both_ways_at_once)
{
    static uint8_t bytes[ROOM];
    struct packet p;
    uint32_t up = 0, down = 0, up_got = 0, down_got = 0;

    guest.buf_alloc = 20000;
    int fd = connected();
    while (up_got < MUCH || down_got < MUCH) {
        uint32_t credit = guest.room - (guest.sent - guest.took), most = MUCH - up;
        most = most < credit ? most : credit;
        most = most < ROOM ? most : ROOM;
        if (most) {
            fill(bytes, up, most);
            say_with(DATA, 0, bytes, most);
            up += most;
        }
        most = MUCH - down < ROOM ? MUCH - down : ROOM;
        fill(bytes, down + 7, most);
        ssize_t moved = most ? send(fd, bytes, most, MSG_DONTWAIT) : 0;
        down += moved > 0 ? (uint32_t)moved : 0;
        moved = take(fd, bytes, sizeof bytes);
        if (moved > 0)
            compare(bytes, up_got, (uint64_t)moved), up_got += (uint32_t)moved;
        while (hear(&p))
            if (p.h.op == DATA)
                compare(p.bytes, down_got + 7, p.h.length), down_got += p.h.length;
        guest.fwd_cnt = down_got;
    }
    close(fd);
}

Test(vsock, who_sends_more_than_its_credit_is_reset)
{
    static const uint8_t bytes[ROOM];
    int fd = connected(), small = 1;
    struct packet p;

    /* What the socket takes is not held; what it does not take is. */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < 200; i++) {
        say_with(DATA, 0, bytes, ROOM);
        if (hear(&p) && p.h.op == RESET) {
            say_with(DATA, 0, bytes, ROOM);
            hears(RESET, NULL);
            close(fd);
            return;
        }
    }
    cr_assert_fail("the device takes whatever comes");
}

Test(vsock, halves_are_shut_down_one_by_one)
{
    struct packet p;
    char text[8];
    int fd = connected();

    cr_assert_eq(send(fd, "last", 4, 0), 4);
    shutdown(fd, SHUT_WR);
    hears(DATA, NULL);
    hears(SHUTDOWN, &p);
    cr_assert_eq(p.h.flags, 2);
    hears_nothing();
    say_with(DATA, 0, "still", 5);
    cr_assert_eq(take(fd, text, sizeof text), 5);
    say_with(SHUTDOWN, 2, "", 0);
    cr_assert(is_over(fd));
    hears(SHUTDOWN, &p);
    cr_assert_eq(p.h.flags, 3);
    say_with(SHUTDOWN, 3, "", 0);
    hears(RESET, NULL);
    close(fd);

    fd = connected();
    say_with(SHUTDOWN, 2, "", 0);
    cr_assert(is_over(fd));
    cr_assert_eq(send(fd, "answer", 6, 0), 6);
    hears(DATA, &p);
    cr_assert_eq(p.h.length, 6);
    close(fd);
    hears(SHUTDOWN, &p);
    cr_assert_eq(p.h.flags, 3);
    say(RESET);

    fd = connected();
    say_with(SHUTDOWN, 1, "", 0);
    hears_nothing();
    cr_assert(send(fd, "x", 1, MSG_NOSIGNAL) < 0, "nobody reads that");
    say_with(DATA, 0, "more", 4);
    cr_assert_eq(take(fd, text, sizeof text), 4);
    close(fd);
    hears(SHUTDOWN, NULL);
    say_with(DATA, 0, "to a half that is shut", 5);
    hears_nothing();
}

Test(vsock, bytes_after_a_shutdown_are_a_breach)
{
    int fd = connected();

    say_with(SHUTDOWN, 2, "", 0);
    say_with(DATA, 0, "x", 1);
    hears(RESET, NULL);
    close(fd);
}

/* The guest has sent everything and is gone; the reader takes its time. */
Test(vsock, what_was_sent_before_the_end_is_delivered)
{
    static uint8_t bytes[ROOM];
    uint32_t sent = 0, got = 0;
    struct packet p;
    ssize_t came;
    int fd = connected();

    for (;;) {
        uint32_t credit = guest.room - (guest.sent - guest.took);
        if (credit < ROOM)
            break;
        fill(bytes, sent, ROOM);
        say_with(DATA, 0, bytes, ROOM);
        sent += ROOM;
        while (hear(&p))
            ;
    }
    say_with(SHUTDOWN, 3, "", 0);
    hears_nothing();
    say(RESET);
    hears_nothing();
    while ((came = take(fd, bytes, sizeof bytes)) > 0) {
        compare(bytes, got, (uint64_t)came);
        got += (uint32_t)came;
        dispatch();
    }
    cr_assert(came == 0 && got == sent, "%u of %u", got, sent);
    close(fd);
}

Test(vsock, each_state_has_its_packets)
{
    struct packet p;
    int32_t fd;

    for (uint16_t op = 0; op < 12; op++) {
        int open_one = connected();
        say_with(op, op == SHUTDOWN ? 4 : 0, "", 0);
        if (op == CREDIT_REQUEST)
            hears(CREDIT_UPDATE, NULL);
        else if (op != DATA && op != CREDIT_UPDATE && op != SHUTDOWN && op != RESET)
            hears(RESET, NULL);
        hears_nothing();
        cr_assert_eq(is_over(open_one), op == RESET || (op != DATA && op != SHUTDOWN && op < 6) ||
                                            op > CREDIT_REQUEST);
        close(open_one);
        say(RESET);
        while (hear(&p))
            ;
        ok(vsdk_virtio_vsock_connect(device, GUEST_PORT, &fd, NULL));
        cr_assert(hear(&p) && p.h.op == REQUEST);
        guest.host_port = p.h.src_port;
        say_with(op, 0, "", 0);
        if (op != RESPONSE && op != RESET && op != CREDIT_UPDATE && op != CREDIT_REQUEST)
            hears(RESET, NULL);
        hears_nothing();
        say(RESET);
        cr_assert(is_over(fd));
        close(fd);
        guest.host_port = PORT;
    }
}

static int unix_socket(const char *at, int listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", at);
    unlink(listens ? at : "");
    cr_assert_eq(listens ? bind(fd, (void *)&address, sizeof address)
                         : connect(fd, (void *)&address, sizeof address),
                 0);
    if (listens)
        cr_assert_eq(listen(fd, 8), 0);
    return fd;
}

Test(vsock, a_program_of_the_host_comes_by_the_path)
{
    struct packet p;
    char text[64] = "", want[64];
    int fd = unix_socket(path, 0);

    cr_assert_eq(send(fd, "CONN", 4, 0), 4);
    hears_nothing();
    cr_assert_eq(send(fd, "ECT 77\nfirst", 12, 0), 12);
    cr_assert(hear(&p) && p.h.op == REQUEST && p.h.dst_port == 77);
    guest.host_port = p.h.src_port;
    hears_nothing();
    cr_assert(take(fd, text, sizeof text) < 0);
    say(RESPONSE);
    snprintf(want, sizeof want, "OK %u\n", guest.host_port);
    cr_assert_eq(take(fd, text, sizeof text), (ssize_t)strlen(want));
    cr_assert_str_eq(text, want);
    hears(DATA, &p);
    cr_assert(p.h.length == 5 && !memcmp(p.bytes, "first", 5));
    say_with(SHUTDOWN, 3, "", 0);
    hears(RESET, NULL);
    cr_assert(is_over(fd));
    close(fd);

    fd = unix_socket(path, 0);
    cr_assert_eq(send(fd, "CONNECT 77\n", 11, 0), 11);
    cr_assert(hear(&p) && p.h.op == REQUEST);
    guest.host_port = p.h.src_port;
    say(RESET);
    cr_assert(is_over(fd));
    close(fd);
}

Test(vsock, lines_that_are_none_close_the_socket)
{
    static const char *const bad[] = {"\n",
                                      "CONNECT \n",
                                      "CONNECT\n",
                                      "connect 5\n",
                                      "CONNECT 5x\n",
                                      "CONNECT -5\n",
                                      "CONNECT 4294967295\n",
                                      "CONNECT 99999999999999999999\n",
                                      "CONNECT 000000000000000000000000000000000000000005\n",
                                      "GET / HTTP/1.1\r\n",
                                      "################################################"};

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = unix_socket(path, 0);
        send(fd, bad[i], strlen(bad[i]), 0);
        dispatch();
        char byte;
        ssize_t came = recv(fd, &byte, 1, MSG_DONTWAIT);
        cr_assert(came == 0 || (came < 0 && errno == ECONNRESET), "row %u", i);
        close(fd);
    }
    for (int half = 0; half < 2; half++) { /* who leaves before it has said anything, or all */
        int fd = unix_socket(path, 0);
        send(fd, "CONNECT", half ? 7 : 0, 0);
        dispatch();
        close(fd);
        dispatch();
    }
    hears_nothing();
}

Test(vsock, the_guest_reaches_a_path)
{
    char at[80], text[8];
    int listening, fd;

    hears_nothing();
    say(REQUEST);
    hears(RESET, NULL);
    snprintf(at, sizeof at, "%s_%d", path, PORT);
    listening = unix_socket(at, 1);
    say(REQUEST);
    hears(RESPONSE, NULL);
    fd = accept(listening, NULL, NULL);
    say_with(DATA, 0, "hello", 5);
    cr_assert_eq(take(fd, text, sizeof text), 5);
    close(fd);
    close(listening);
    unlink(at);
    hears(SHUTDOWN, NULL);
    say(RESET);
    hears_nothing();
}

/* Another device, whose times are short. */
static void hurry(void)
{
    vsdk_virtio_vsock_config config = config_of();

    config.timeout_ns = 1000000;
    end_device();
    make_device(&config);
    use(RX_CHAINS);
}

static void wait_for(int fd)
{
    while (!is_readable(fd))
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 10000000, NULL, NULL));
}

Test(vsock, who_does_not_answer_in_time_is_given_up)
{
    struct packet p;
    int32_t fd;

    hurry();
    int silent = unix_socket(path, 0), half = unix_socket(path, 0);
    send(half, "CONN", 4, MSG_NOSIGNAL);
    wait_for(silent);
    wait_for(half);
    cr_assert(is_over(silent));
    close(silent);
    close(half);
    ok(vsdk_virtio_vsock_connect(device, GUEST_PORT, &fd, NULL));
    cr_assert(hear(&p) && p.h.op == REQUEST);
    guest.host_port = p.h.src_port;
    wait_for(fd);
    cr_assert(is_over(fd));
    close(fd);
    hears(RESET, NULL);
    say(RESPONSE);
    hears(RESET, NULL);
    /* A guest that does not answer a shutdown. */
    guest.host_port = PORT;
    fd = connected();
    close(fd);
    hears(SHUTDOWN, NULL);
    do
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 10000000, NULL, NULL));
    while (!hear(&p));
    cr_assert_eq(p.h.op, RESET);
}

Test(vsock, a_program_is_taken_in_when_there_are_descriptors_again)
{
    struct rlimit before, none;
    struct packet p;
    int client, next;

    hurry();
    client = unix_socket(path, 0);
    next = dup(0);
    close(next);
    cr_assert(next > 0 && !getrlimit(RLIMIT_NOFILE, &before));
    none = (struct rlimit){(rlim_t)next, before.rlim_max};
    cr_assert(!setrlimit(RLIMIT_NOFILE, &none));
    dispatch();
    cr_assert(!setrlimit(RLIMIT_NOFILE, &before));
    send(client, "CONNECT 77\n", 11, MSG_NOSIGNAL);
    while (!hear(&p)) {
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 10000000, NULL, NULL));
        if (!is_over(client))
            continue;
        close(client); /* its time was over before it was read */
        client = unix_socket(path, 0);
        send(client, "CONNECT 77\n", 11, MSG_NOSIGNAL);
    }
    cr_assert(p.h.op == REQUEST && p.h.dst_port == 77);
    close(client);
}

/* A driver that gives no buffers: its packets wait, and nothing grows. */
Test(vsock, a_flood_waits_for_its_own_buffers)
{
    struct packet p;
    unsigned sent = 0, resets = 0;

    write_register(0x70, 0);
    use(0);
    for (; tx.free; sent++) {
        struct header h = header_of(REQUEST);
        h.src_port = sent;
        put(&h, "", 0);
        dispatch();
        taken();
        cr_assert_lt(sent, 1000, "all of them were taken");
    }
    cr_assert_geq(sent, 256);
    give_rx(RX_CHAINS);
    while (hear(&p)) {
        cr_assert_eq(p.h.op, RESET);
        cr_assert_eq(p.h.dst_port, resets);
        resets++;
    }
    cr_assert_eq(resets, sent);
    cr_assert_eq(taken(), 64);
}

Test(vsock, there_are_so_many_connections)
{
    struct packet p;
    int32_t fds[301];
    unsigned open_ones = 0, refused = 0;

    ok(vsdk_virtio_vsock_listen(device, PORT, 4096, NULL));
    for (unsigned i = 0; i < 400; i++) {
        guest.guest_port = i;
        say(REQUEST);
        cr_assert(hear(&p));
        open_ones += p.h.op == RESPONSE;
        refused += p.h.op == RESET;
    }
    cr_assert(open_ones == 300 && refused == 100);
    fails(LIMIT, vsdk_virtio_vsock_connect(device, 5, &fds[0], E));
    int late = unix_socket(path, 0);
    send(late, "CONNECT 9\n", 10, 0);
    hears_nothing();
    for (unsigned i = 0; i < 300; i++)
        ok(vsdk_virtio_vsock_accept(device, PORT, &fds[i], NULL, NULL));
    guest.guest_port = 7;
    say(RESET);
    cr_assert(is_over(fds[7]), "the place of one that is over is another's");
    cr_assert(hear(&p) && p.h.op == REQUEST && p.h.dst_port == 9);
    for (unsigned i = 0; i < 300; i++)
        close(fds[i]);
    close(late);
}

Test(vsock, a_full_queue_of_the_embedders_refuses)
{
    struct packet p;

    ok(vsdk_virtio_vsock_listen(device, PORT, 2, NULL));
    for (unsigned i = 0; i < 4; i++) {
        guest.guest_port = i;
        say(REQUEST);
        cr_assert(hear(&p) && p.h.op == (i < 2 ? RESPONSE : RESET));
    }
    ok(vsdk_virtio_vsock_unlisten(device, PORT, NULL));
    for (unsigned i = 0; i < 2; i++)
        cr_assert(hear(&p) && p.h.op == SHUTDOWN && p.h.dst_port == i, "what waits is closed");
    guest.guest_port = 9;
    say(REQUEST);
    hears(RESET, NULL);
}

Test(vsock, packets_that_lie_of_their_length)
{
    static const uint8_t bytes[64];
    static const uint32_t lengths[] = {65, 1 << 20, UINT32_MAX, UINT32_MAX - 43};
    struct packet p;
    struct header h;

    for (unsigned i = 0; i < 4; i++) {
        int fd = connected();
        h = header_of(DATA);
        h.length = lengths[i];
        put(&h, bytes, sizeof bytes);
        hears(RESET, NULL);
        cr_assert(is_over(fd));
        close(fd);
        cr_assert_eq(taken(), 1);
    }
    for (uint32_t length = 1; length < HEADER; length += 7) {
        driver_buffer b = {TX, length, 0};
        driver_add(&tx, &b, 1, 0);
        driver_kick(&tx, 1);
        hears_nothing();
        cr_assert_eq(taken(), 1);
    }
    driver_buffer nowhere[2] = {{TX, HEADER, 0}, {MEMORY - 8, 64, 0}};
    int fd = connected();
    h = header_of(DATA);
    h.length = 64;
    memcpy(tx.memory + TX, &h, HEADER);
    driver_add(&tx, nowhere, 2, 0);
    driver_kick(&tx, 2);
    hears(RESET, NULL);
    close(fd);
    cr_assert_eq(taken(), 1);
    cr_assert(!hear(&p));
}

Test(vsock, buffers_that_are_too_small_or_nowhere)
{
    driver_buffer tiny = {RX, HEADER - 1, 1}, only = {RX, HEADER, 1},
                  nowhere[2] = {{RX + 0x200, HEADER, 1}, {MEMORY, 64, 1}};
    uint32_t id, length;
    int fd;

    write_register(0x70, 0);
    use(1);
    fd = connected();
    say_with(SHUTDOWN, 0, "", 0);
    cr_assert_eq(send(fd, "bytes", 5, 0), 5);
    hears(DATA, NULL);
    write_register(0x70, 0);
    close(fd);
    use(0);
    driver_add(&rx, &tiny, 1, 0);
    driver_add(&rx, &only, 1, 0);
    driver_kick(&rx, 2);
    say(REQUEST);
    cr_assert(driver_take(&rx, &id, &length) && length == 0);
    cr_assert(driver_take(&rx, &id, &length) && length == HEADER);
    ok(vsdk_virtio_vsock_accept(device, PORT, &fd, NULL, NULL));
    driver_add(&rx, nowhere, 2, 0);
    driver_kick(&rx, 1);
    cr_assert_eq(send(fd, "bytes", 5, 0), 5);
    dispatch();
    cr_assert(driver_take(&rx, &id, &length) && length == 0);
    give_rx(1);
    hears(RESET, NULL);
    cr_assert(is_over(fd));
    close(fd);
}

Test(vsock, a_reset_ends_connections_and_no_listener)
{
    int fd = connected(), other;
    int32_t wanted;
    struct packet p;

    ok(vsdk_virtio_vsock_connect(device, 5, &wanted, NULL));
    cr_assert(hear(&p) && p.h.op == REQUEST);
    say_with(DATA, 0, "x", 1);
    write_register(0x70, 0);
    dispatch();
    char text[4];
    cr_assert_eq(take(fd, text, sizeof text), 1);
    cr_assert(is_over(fd) && is_over(wanted));
    close(fd);
    close(wanted);
    use(RX_CHAINS);
    say(DATA);
    hears(RESET, NULL);
    other = connected();
    close(other);
}

/* The loop has not run since the reset, when the driver of after it sends its first packets. */
Test(vsock, packets_of_after_a_reset_meet_no_connection_of_before)
{
    int fd = connected();
    struct header h;

    write_register(0x70, 0);
    tx = (struct driver){
        .read = read_register, .write = write_register, .memory = vsdk_ram_data(ram)};
    rx = tx;
    cr_assert(driver_negotiate(&tx, UINT64_C(1) << 32));
    driver_queue(&rx, 0, 64, RINGS, 0);
    driver_queue(&tx, 1, 64, RINGS + 0x4000, 0);
    driver_ok(&tx);
    h = header_of(DATA);
    h.length = 4;
    put(&h, "evil", 4);
    give_rx(4);
    hears(RESET, NULL);
    cr_assert(is_over(fd));
    close(fd);
}

Test(vsock, a_pause_holds_everything)
{
    struct packet p;
    char text[8];
    int fd = connected();
    struct header h = header_of(DATA);

    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    cr_assert_eq(send(fd, "while", 5, 0), 5);
    hears_nothing();
    ok(vsdk_vm_resume(rig.vm, NULL));
    hears(DATA, &p);
    cr_assert_eq(p.h.length, 5);
    h.length = 2;
    put(&h, "ab", 2);
    ok(vsdk_vm_pause(rig.vm, VSDK_STOP_PARK, VSDK_FOREVER, NULL));
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
    cr_assert_eq(take(fd, text, sizeof text), 2);
    cr_assert_eq(taken(), 1);
    close(fd);
}

/* In mid-work: bytes are under way in both directions, a buffer is at hand. */
static void move_to_another(int gives_event)
{
    static uint8_t state[65536];
    vsdk_virtio_vsock_config config = config_of();
    driver_buffer event = {TX - 0x1000, 4, 1};
    uint64_t length;
    uint32_t id, written;
    int fd = connected();

    cr_assert_eq(send(fd, "never", 5, 0), 5);
    say_with(DATA, 0, "there", 5);
    if (gives_event) {
        driver_add(&events, &event, 1, 0);
        driver_kick(&events, 1);
        dispatch();
    }
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    end_device();
    config.cid = 99;
    make_device(&config);
    ok(vsdk_virtio_vsock_listen(device, PORT, 0, NULL));
    ok(vsdk_device_load(device, state, length, NULL));
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
    memset(tx.memory + event.gpa, 0xff, 4);
    if (!gives_event) {
        cr_assert(!driver_take(&events, &id, &written));
        driver_add(&events, &event, 1, 0);
        driver_kick(&events, 1);
        dispatch();
        cr_assert_eq(*(uint32_t *)(tx.memory + event.gpa), 0, "a transport reset");
    }
    cr_assert(driver_take(&events, &id, &written) && written == 4);
    char text[8];
    cr_assert_eq(take(fd, text, sizeof text), 5);
    cr_assert(take(fd, text, sizeof text) <= 0, "a connection stays behind");
    close(fd);
    struct packet p;
    while (hear(&p))
        ;
    cr_assert_eq(read_register(0x100), CID, "the guest keeps its address");
    say(CREDIT_UPDATE);
    hears(RESET, NULL);
    fd = connected();
    say_with(DATA, 0, "again", 5);
    cr_assert_eq(take(fd, text, sizeof text), 5);
    close(fd);
    hears(SHUTDOWN, NULL);
    driver_add(&events, &event, 1, 0);
    driver_kick(&events, 1);
    dispatch();
    cr_assert(!driver_take(&events, &id, &written), "it is told once");
}

Test(vsock, a_state_goes_on_without_its_connections)
{
    move_to_another(1);
}

Test(vsock, a_guest_is_told_when_it_has_a_buffer_for_it)
{
    move_to_another(0);
}

Test(vsock, states_are_not_trusted)
{
    static uint8_t state[65536], bad[65536];
    uint64_t length;
    unsigned loaded = 0, refused = 0;

    close(connected());
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    for (uint64_t at = 0; at < length; at++) {
        memcpy(bad, state, length);
        bad[at] ^= (uint8_t)(1 + at % 255);
        if (vsdk_device_load(device, bad, length, NULL)) {
            refused++;
            continue;
        }
        loaded++;
        ok(vsdk_vm_resume(rig.vm, NULL));
        dispatch();
        ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    }
    cr_assert(loaded && refused);
    ok(vsdk_vm_resume(rig.vm, NULL));
}

Test(vsock, it_ends_with_connections_of_every_state)
{
    int fd = connected(), program = unix_socket(path, 0), silent = unix_socket(path, 0);
    int32_t wanted, waits;

    send(program, "CONNECT 5\n", 10, 0);
    ok(vsdk_virtio_vsock_connect(device, 5, &wanted, NULL));
    dispatch();
    guest.guest_port++;
    say(REQUEST);                                           /* nobody accepts it */
    ok(vsdk_virtio_vsock_connect(device, 5, &waits, NULL)); /* nor takes that */
    end_device();
    cr_assert(take(fd, (char[1]){0}, 1) == 0 && take(wanted, (char[1]){0}, 1) == 0 &&
              take(waits, (char[1]){0}, 1) == 0 && take(silent, (char[1]){0}, 1) == 0);
    close(fd);
    close(program);
    close(silent);
    close(wanted);
    close(waits);
    make_device(&(vsdk_virtio_vsock_config){.size = sizeof(vsdk_virtio_vsock_config), .cid = CID});
}

/* Connections stay on the device's loop, whoever serves its queues. */
Test(vsock, queues_may_have_loops_of_their_own)
{
    vsdk_loop *loops[3];
    struct packet p;
    char text[8];

    ok(vsdk_virtio_detach(device, NULL));
    for (uint32_t i = 0; i < 3; i++) {
        ok(vsdk_loop_create(&loops[i], NULL));
        ok(vsdk_virtio_set_loop(device, i, loops[i], NULL));
    }
    ok(vsdk_virtio_attach(device,
                          &(vsdk_virtio_place){.size = sizeof(vsdk_virtio_place),
                                               .address = DRIVER_MMIO,
                                               .gsi = DRIVER_GSI},
                          NULL));
    use(RX_CHAINS);
    ok(vsdk_virtio_vsock_listen(device, PORT, 0, NULL));
    struct header h = header_of(REQUEST);
    put(&h, "", 0);
    dispatch();
    cr_assert_eq(taken(), 0, "its loop has not run");
    for (uint32_t i = 0; i < 3; i++)
        ok(vsdk_loop_dispatch(loops[i], 0, NULL, NULL));
    cr_assert_eq(taken(), 0, "connections are elsewhere");
    hears(RESPONSE, NULL);
    cr_assert_eq(taken(), 1);
    int32_t fd;
    ok(vsdk_virtio_vsock_accept(device, PORT, &fd, NULL, NULL));
    h = header_of(DATA);
    h.length = 4;
    put(&h, "text", 4);
    ok(vsdk_loop_dispatch(loops[1], 0, NULL, NULL));
    dispatch();
    cr_assert_eq(take(fd, text, sizeof text), 4);
    cr_assert_eq(taken(), 1);
    close(fd);
    hears(SHUTDOWN, &p);
    for (uint32_t i = 0; i < 3; i++)
        vsdk_loop_close(loops[i]);
}

static void *serve(void *none)
{
    while (is_served)
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 1000000, NULL, NULL));
    return none;
}

static void *embed(void *none)
{
    char bytes[64] = "";
    uint32_t round = 0;
    int32_t fd;

    for (; is_served; round++) {
        if (round % 64 == 0)
            vsdk_virtio_vsock_unlisten(device, PORT, NULL);
        vsdk_virtio_vsock_listen(device, PORT, 4, NULL);
        if (!vsdk_virtio_vsock_accept(device, PORT, &fd, NULL, NULL) ||
            (round % 4 == 0 && !vsdk_virtio_vsock_connect(device, GUEST_PORT, &fd, NULL))) {
            send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
            recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
            close(fd);
        }
    }
    return none;
}

/* A driver that begins anew in mid-work, an embedder on a thread, the loop on another. */
Test(vsock, resets_meet_work_of_every_kind)
{
    enum { ROUNDS = 150 };
    static const uint8_t bytes[256];
    pthread_t loop, embedder;
    int32_t fd;

    is_served = 1;
    cr_assert(!pthread_create(&loop, NULL, serve, NULL) &&
              !pthread_create(&embedder, NULL, embed, NULL));
    for (unsigned round = 0; round < ROUNDS; round++) {
        write_register(0x70, 0);
        use(RX_CHAINS);
        for (unsigned i = 0; i < 8; i++) {
            guest.guest_port = i;
            struct header h = header_of(REQUEST);
            put(&h, "", 0);
            h = header_of(DATA);
            h.length = sizeof bytes;
            put(&h, bytes, sizeof bytes);
        }
        for (unsigned i = 0; i < round % 8; i++)
            sched_yield();
    }
    is_served = 0;
    pthread_join(loop, NULL);
    pthread_join(embedder, NULL);
    dispatch();
    write_register(0x70, 0);
    use(RX_CHAINS);
    vsdk_virtio_vsock_unlisten(device, PORT, NULL);
    fd = connected();
    close(fd);
    hears(SHUTDOWN, NULL);
}

Test(vsock, a_path_is_one_devices)
{
    vsdk_virtio_vsock_config config = config_of();
    vsdk_device *other;

    fails(EXISTS, vsdk_virtio_vsock_create(rig.vm, &config, &other, E));
    config.path = "/nowhere/vsock";
    fails(NOT_FOUND, vsdk_virtio_vsock_create(rig.vm, &config, &other, E));
    end_device();
    make_device(&(vsdk_virtio_vsock_config){.size = sizeof(vsdk_virtio_vsock_config), .cid = CID, .path = path});
    unlink(path);
    int others = unix_socket(path, 1);
    end_device();
    cr_assert(!access(path, F_OK), "another's socket was removed");
    close(others);
    unlink(path);
    make_device(&(vsdk_virtio_vsock_config){.size = sizeof(vsdk_virtio_vsock_config), .cid = CID});
}
