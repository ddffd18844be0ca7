/* SPDX-License-Identifier: Apache-2.0 */
/* The network device with a driver that the test plays: frames go both ways, in all shapes of
 * buffers, and drivers that break the rules harm themselves alone. */
#include "core_rig.h"
#include "driver.h"
#include <stdlib.h>

enum { MEMORY = 0x400000, RING = 0x10000, DATA = 0x100000, ROOM = 0x10000 };
enum { RX, TX, CONTROL, FRAME_MOST = 65554, HEAD = 12 };
enum { LINK_UP = 1, ANNOUNCE = 2 };

#define BIT(n) (UINT64_C(1) << (n))
#define VERSION_1 BIT(32)
#define PACKED BIT(34)
#define CSUM (BIT(0) | BIT(1))
#define TSO4 (BIT(7) | BIT(11))
#define MAC BIT(5)
#define MERGE BIT(15)
#define STATUS BIT(16)
#define COMMANDS (BIT(17) | BIT(18) | BIT(23))
#define GUEST_ANNOUNCE BIT(21)
#define ALL (MAC | MERGE | STATUS | COMMANDS | GUEST_ANNOUNCE | VERSION_1)

static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

static struct core_rig rig;
static struct driver q[3];
static vsdk_ram *ram;
static vsdk_net *wire, *far;
static vsdk_device *device;
static unsigned interrupts;

static void line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    interrupts += level;
}

static uint32_t read_register(uint32_t offset)
{
    cr_assert_eq(rig_read(&rig, VSDK_SPACE_MMIO, DRIVER_MMIO + offset, 4), BUS_CLAIMED);
    return (uint32_t)rig.exit.value;
}

static void write_register(uint32_t offset, uint32_t value)
{
    cr_assert_geq(rig_write(&rig, VSDK_SPACE_MMIO, DRIVER_MMIO + offset, 4, value), BUS_CLAIMED);
}

static void dispatch(void)
{
    uint32_t count;
    unsigned rounds = 0;

    do {
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 0, &count, NULL));
        cr_assert(++rounds < 1000, "the loop does not come to rest");
    } while (count);
}

static void make(vsdk_net_offloads offloads, uint32_t queue_size)
{
    vsdk_net_config pair = {.size = sizeof pair, .offloads = offloads};
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};
    vsdk_virtio_net_config config = {.size = sizeof config, .mtu = 1500, .queue_size = queue_size};

    memcpy(config.mac, mac, 6);
    rig_make(&rig);
    ram = rig_ram(&rig, 0, MEMORY, 0);
    interrupts = 0;
    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, line, NULL, NULL, NULL));
    ok(vsdk_net_create_pair(&pair, &wire, &far, NULL));
    config.net = wire;
    ok(vsdk_virtio_net_create(rig.vm, &config, &device, NULL));
    vsdk_net_close(wire);
    ok(vsdk_virtio_attach(device, &place, NULL));
    rig_run(&rig);
    for (unsigned i = 0; i < 3; i++)
        q[i] = (struct driver){
            .read = read_register, .write = write_register, .memory = vsdk_ram_data(ram)};
}

static void begin(void)
{
    make(0, 64);
}

static void end(void)
{
    vsdk_device_close(device);
    vsdk_net_close(far);
    vsdk_ram_close(ram);
    rig_end(&rig);
}

TestSuite(virtio_net, .init = begin, .fini = end);

static void use(uint64_t features)
{
    cr_assert(driver_negotiate(&q[0], features | VERSION_1));
    for (unsigned i = 0; i < 3; i++)
        driver_queue(&q[i], i, 64, RING + i * 0x4000, features);
    driver_ok(&q[0]);
    dispatch();
}

static vsdk_net_piece one;

static vsdk_status far_send(const void *bytes, uint64_t length)
{
    one = (vsdk_net_piece){(void *)(uintptr_t)bytes, length};
    return vsdk_net_send(far, NULL, &one, 1, NULL);
}

static uint64_t far_receive(void *bytes)
{
    uint64_t length;

    one = (vsdk_net_piece){bytes, FRAME_MOST};
    vsdk_status status = vsdk_net_receive(far, NULL, &one, 1, &length, NULL);
    cr_assert(status == VSDK_OK || status == VSDK_ERROR_NOT_FOUND);
    return status ? 0 : length;
}

static uint8_t *room(unsigned number)
{
    return q[0].memory + DATA + number * ROOM;
}

/* The guest sends what stands at the room's byte 12, behind a header of zeros. */
static void guest_send(unsigned number, uint32_t length)
{
    memset(room(number), 0, HEAD);
    driver_buffer buffers[2] = {{DATA + number * ROOM, HEAD, 0},
                                {DATA + number * ROOM + HEAD, length, 0}};
    cr_assert_geq(driver_add(&q[TX], buffers, 2, 0), 0);
    driver_kick(&q[TX], q[TX].packed ? 2 : 1);
}

static void guest_room(unsigned number, uint32_t length)
{
    driver_buffer buffer = {DATA + number * ROOM, length, 1};

    memset(room(number), 0xee, length);
    cr_assert_geq(driver_add(&q[RX], &buffer, 1, 0), 0);
    driver_kick(&q[RX], 1);
}

static vsdk_virtio_net_counts counts(void)
{
    vsdk_virtio_net_counts c = {.size = sizeof c};

    ok(vsdk_virtio_net_get_counts(device, &c, NULL));
    return c;
}

static uint32_t take(unsigned queue)
{
    uint32_t id, length = UINT32_MAX;

    return driver_take(&q[queue], &id, &length) ? length : UINT32_MAX;
}

Test(virtio_net, says_what_it_is)
{
    cr_assert_eq(driver_read(&q[0], 8), 1);
    cr_assert_eq(driver_read(&q[0], 0x100), 0x01005452);
    cr_assert_eq(driver_read(&q[0], 0x104), 0x00010302);
    cr_assert_eq(driver_read(&q[0], 0x108), 1500u << 16 | 1);
    driver_write(&q[0], 0x14, 0);
    uint64_t features = driver_read(&q[0], 0x10);
    cr_assert_eq(features & 0xffffff, (ALL | BIT(3)) & 0xffffff);
}

static void both_ways(uint64_t form)
{
    static uint8_t bytes[FRAME_MOST];

    use(form | MAC | MERGE | STATUS);
    for (unsigned i = 0; i < 200; i++) {
        uint32_t length = 14 + (i * 37) % 1501;
        memset(room(0) + HEAD, (int)i, length);
        guest_send(0, length);
        dispatch();
        cr_assert_eq(take(TX), 0);
        cr_assert_eq(far_receive(bytes), length);
        cr_assert(bytes[0] == (uint8_t)i && bytes[length - 1] == (uint8_t)i);
        guest_room(1, 1526);
        memset(bytes, (int)~i, length);
        ok(far_send(bytes, length));
        dispatch();
        cr_assert_eq(take(RX), length + HEAD);
        static const uint8_t head[HEAD] = {[10] = 1};
        cr_assert_arr_eq(room(1), head, HEAD);
        cr_assert_arr_eq(room(1) + HEAD, bytes, length);
        cr_assert_eq(room(1)[HEAD + length], 0xee);
    }
    cr_assert(interrupts >= 200);
    cr_assert(counts().sent == 200 && counts().received == 200);
    cr_assert(counts().send_dropped == 0 && counts().receive_dropped == 0);
}

Test(virtio_net, frames_go_both_ways)
{
    both_ways(0);
}

Test(virtio_net, frames_go_both_ways_through_packed_rings)
{
    both_ways(PACKED);
}

/* A frame of 9000 bytes in buffers of 1000; it waits until there are enough. */
Test(virtio_net, a_frame_lies_in_several_buffers)
{
    static uint8_t bytes[9000], back[9000 + HEAD];
    uint32_t length, got = 0;

    use(ALL);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    ok(far_send(bytes, sizeof bytes));
    dispatch();
    for (unsigned i = 0; i < 10; i++) {
        cr_assert_eq(take(RX), UINT32_MAX);
        guest_room(i, 1000);
        dispatch();
    }
    for (unsigned i = 0; i < 10; i++) {
        length = take(RX);
        cr_assert_eq(length, i < 9 ? 1000 : 12);
        memcpy(back + got, room(i), length);
        got += length;
    }
    cr_assert_eq(got, sizeof back);
    cr_assert_eq(back[10], 10, "how many buffers");
    cr_assert_arr_eq(back + HEAD, bytes, sizeof bytes);
    cr_assert_eq(counts().received, 1);
}

Test(virtio_net, without_merging_what_does_not_fit_is_dropped)
{
    static uint8_t bytes[2000];

    use(MAC | STATUS);
    guest_room(0, 1000);
    guest_room(1, 1000);
    ok(far_send(bytes, 2000));
    ok(far_send(bytes, 988));
    dispatch();
    cr_assert_eq(take(RX), 1000);
    cr_assert_eq(take(RX), UINT32_MAX);
    cr_assert(counts().receive_dropped == 1 && counts().received == 1);
}

Test(virtio_net, frames_wait_for_buffers_and_slow_the_sender)
{
    static uint8_t bytes[1514];
    unsigned sent = 0;

    use(ALL);
    while (!far_send(bytes, sizeof bytes))
        if (++sent % 50 == 0)
            dispatch();
    cr_assert(sent > 150);
    dispatch();
    for (unsigned i = 0; i < sent; i++) {
        guest_room(0, 1526);
        dispatch();
        cr_assert_eq(take(RX), 1526);
    }
    guest_room(0, 1526);
    dispatch();
    cr_assert_eq(take(RX), UINT32_MAX);
    cr_assert(counts().received == sent && counts().receive_dropped == 0);
}

Test(virtio_net, a_wire_that_is_full_slows_the_driver)
{
    static uint8_t bytes[FRAME_MOST];
    unsigned all = 0, out = 0, arrived = 0;

    use(ALL);
    for (unsigned i = 0; i < 30; i++) {
        guest_send(0, 60000);
        dispatch();
        all++;
    }
    while (take(TX) == 0)
        out++;
    cr_assert_eq(out, 4, "the wire has room for four");
    while (far_receive(bytes)) {
        arrived++;
        dispatch();
    }
    cr_assert_eq(arrived, all);
    while (take(TX) == 0)
        out++;
    cr_assert_eq(out, all);
    cr_assert_eq(counts().sent, all);
}

Test(virtio_net, without_a_driver_or_a_link_frames_are_dropped)
{
    uint8_t bytes[64] = {0};

    ok(far_send(bytes, 64));
    dispatch();
    cr_assert_eq(counts().receive_dropped, 1);
    use(ALL);
    ok(vsdk_virtio_net_set_link(device, 0, NULL));
    cr_assert_eq(driver_read(&q[0], 0x104) >> 16, 0);
    unsigned before = interrupts;
    guest_room(0, 1526);
    guest_send(1, 64);
    ok(far_send(bytes, 64));
    dispatch();
    cr_assert_eq(take(TX), 0);
    cr_assert_eq(take(RX), UINT32_MAX);
    cr_assert(counts().receive_dropped == 2 && counts().send_dropped == 1);
    ok(vsdk_virtio_net_set_link(device, 1, NULL));
    ok(vsdk_virtio_net_set_link(device, 1, NULL));
    cr_assert(interrupts > before, "the driver hears of it");
    cr_assert_eq(driver_read(&q[0], 0x104) >> 16, LINK_UP);
    ok(far_send(bytes, 64));
    dispatch();
    cr_assert_eq(take(RX), 64 + HEAD);
    driver_write(&q[0], 0x70, 0);
    for (unsigned i = 0; i < 6000; i++) {
        ok(far_send(bytes, 64));
        if (i % 500 == 0)
            dispatch();
    }
    dispatch();
    cr_assert_eq(counts().receive_dropped, 6002);
}

/* What the device has of before a reset is not given to the driver of after it. */
Test(virtio_net, a_reset_while_chains_are_held)
{
    static uint8_t bytes[FRAME_MOST];

    use(ALL);
    for (unsigned i = 0; i < 8; i++)
        guest_send(0, 60000);
    ok(far_send(bytes, 5000));
    guest_room(1, 1000);
    dispatch();
    use(ALL);
    cr_assert_eq(take(TX), UINT32_MAX);
    cr_assert_eq(take(RX), UINT32_MAX);
    while (far_receive(bytes))
        ;
    dispatch();
    ok(far_send(bytes, 100));
    guest_room(1, 1000);
    guest_send(0, 77);
    dispatch();
    cr_assert_eq(take(TX), 0);
    cr_assert_eq(far_receive(bytes), 77);
}

struct wrong {
    uint8_t header[HEAD];
    uint32_t length;
    int good;
};

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

/* flags, gso, header_length, gso_size, checksum_start, checksum_offset */
static int sent_with(uint8_t flags, uint8_t gso, uint16_t headers, uint16_t size, uint16_t start,
                     uint16_t offset, uint32_t length)
{
    static uint8_t bytes[FRAME_MOST];
    uint64_t before = counts().sent, dropped = counts().send_dropped;
    uint8_t *at = room(0);
    driver_buffer buffers[2] = {{DATA, HEAD, 0}, {DATA + HEAD, length, 0}};

    memset(at, 0, HEAD);
    at[0] = flags;
    at[1] = gso;
    put16(at + 2, headers);
    put16(at + 4, size);
    put16(at + 6, start);
    put16(at + 8, offset);
    cr_assert_geq(driver_add(&q[TX], buffers, length ? 2 : 1, 0), 0);
    driver_kick(&q[TX], 1);
    dispatch();
    cr_assert_eq(take(TX), 0);
    uint64_t got = far_receive(bytes);
    cr_assert_eq(counts().sent - before + counts().send_dropped - dropped, 1);
    cr_assert(!got || (got == length && counts().sent == before + 1));
    return got > 0;
}

static void headers_begin(void)
{
    make(VSDK_NET_CHECKSUM | VSDK_NET_TSO4, 64);
    vsdk_net_accept(far, VSDK_NET_CHECKSUM | VSDK_NET_TSO4, NULL);
}

TestSuite(virtio_net_headers, .init = headers_begin, .fini = end);

Test(virtio_net_headers, of_hostile_drivers)
{
    use(ALL | CSUM | TSO4);
    cr_assert(sent_with(0, 0, 0, 0, 0, 0, 14));
    cr_assert(!sent_with(0, 0, 0, 0, 0, 0, 13), "tiny");
    cr_assert(!sent_with(0, 0, 0, 0, 0, 0, 0), "nothing");
    cr_assert(sent_with(1, 0, 0, 0, 50, 8, 60));
    cr_assert(!sent_with(1, 0, 0, 0, 51, 8, 60), "the checksum is behind the end");
    cr_assert(!sent_with(1, 0, 0, 0, 0xffff, 0xffff, 60));
    cr_assert(sent_with(1, 1, 54, 40, 34, 16, 200));
    cr_assert(sent_with(1, 0x81, 54, 40, 34, 16, 200));
    cr_assert(!sent_with(1, 1, 54, 0, 34, 16, 200), "no segment size");
    cr_assert(!sent_with(0, 1, 54, 40, 34, 16, 200), "no checksum");
    cr_assert(!sent_with(1, 1, 201, 40, 34, 16, 200), "headers behind the end");
    cr_assert(!sent_with(1, 4, 54, 40, 34, 16, 200), "over IPv6 was not offered");
    cr_assert(!sent_with(1, 5, 54, 40, 34, 16, 200), "UDP neither");
    cr_assert(!sent_with(1, 3, 54, 40, 34, 16, 200));
    cr_assert(!sent_with(1, 0x7f, 54, 40, 34, 16, 200));
    cr_assert(sent_with(0xfe, 0, 1, 2, 3, 4, 60), "unknown flags mean nothing");
    use(ALL);
    cr_assert(!sent_with(1, 0, 0, 0, 50, 8, 60), "the driver has not asked for it");
    cr_assert(sent_with(0, 0, 0, 0, 0, 0, 60));
}

Test(virtio_net_headers, reach_a_driver_that_takes_them)
{
    uint8_t bytes[200] = {0};
    vsdk_net_piece piece = {bytes, sizeof bytes};
    vsdk_net_offload o = {VSDK_NET_NEEDS_CHECKSUM, VSDK_NET_GSO_TCP4, 40, 54, 34, 16};
    static const uint8_t head[HEAD] = {1, 1, 54, 0, 40, 0, 34, 0, 16, 0, 1, 0};

    use(ALL | CSUM | TSO4);
    guest_room(0, 1526);
    ok(vsdk_net_send(far, &o, &piece, 1, NULL));
    dispatch();
    cr_assert_eq(take(RX), 200 + HEAD);
    cr_assert_arr_eq(room(0), head, HEAD);
    use(ALL | CSUM);
    guest_room(0, 1526);
    ok(vsdk_net_send(far, &o, &piece, 1, NULL));
    o = (vsdk_net_offload){VSDK_NET_NEEDS_CHECKSUM, 0, 0, 0, 34, 16};
    piece.length = 100;
    ok(vsdk_net_send(far, &o, &piece, 1, NULL));
    dispatch();
    cr_assert_eq(take(RX), 100 + HEAD);
    use(ALL);
    guest_room(0, 1526);
    ok(vsdk_net_send(far, &o, &piece, 1, NULL));
    dispatch();
    cr_assert_eq(take(RX), 100 + HEAD);
    cr_assert(room(0)[0] == 0 && (room(0)[HEAD + 50] | room(0)[HEAD + 51]), "it is completed");
}

/* Buffers that are no memory, or too small for a header. */
Test(virtio_net, buffers_of_hostile_drivers)
{
    uint8_t bytes[100] = {0};
    driver_buffer nowhere = {MEMORY - 10, 1000, 1}, tiny = {DATA, 3, 1};
    driver_buffer send[2] = {{DATA, HEAD, 0}, {MEMORY + 100, 500, 0}}, both = {DATA, 200, 1};

    use(ALL);
    cr_assert_geq(driver_add(&q[RX], &nowhere, 1, 0), 0);
    cr_assert_geq(driver_add(&q[RX], &tiny, 1, 0), 0);
    driver_kick(&q[RX], 2);
    ok(far_send(bytes, 100));
    dispatch();
    cr_assert_eq(take(RX), 0);
    cr_assert_eq(take(RX), 0);
    guest_room(1, 1526);
    dispatch();
    cr_assert_eq(take(RX), 100 + HEAD);
    cr_assert_geq(driver_add(&q[TX], send, 2, 0), 0);
    cr_assert_geq(driver_add(&q[TX], &both, 1, 0), 0);
    driver_kick(&q[TX], 2);
    dispatch();
    cr_assert(take(TX) == 0 && take(TX) == 0);
    cr_assert_eq(counts().send_dropped, 2);
    /* A frame in more buffers than a driver may use for one. */
    ok(far_send(bytes, 100));
    for (unsigned i = 0; i < 60; i++)
        guest_room(0, i ? 1 : 12);
    dispatch();
    cr_assert_eq(counts().receive_dropped, 0);
    cr_assert_eq(driver_read(&q[0], 0x70), 15);
}

static int command(const void *bytes, uint32_t length)
{
    driver_buffer buffers[2] = {{DATA, length, 0}, {DATA + 0x8000, 1, 1}};

    memcpy(room(0), bytes, length);
    room(0)[0x8000] = 0xee;
    cr_assert_geq(driver_add(&q[CONTROL], buffers, 2, 0), 0);
    driver_kick(&q[CONTROL], 1);
    dispatch();
    cr_assert_eq(take(CONTROL), 1);
    return room(0)[0x8000];
}

Test(virtio_net, commands)
{
    static const uint8_t promiscuous[] = {0, 0, 1}, unknown[] = {0, 6, 1},
                         long_one[] = {0, 0, 1, 1}, short_one[] = {0},
                         address[] = {1, 1, 2, 4, 6, 8, 10, 12},
                         group[] = {1, 1, 3, 4, 6, 8, 10, 12}, short_address[] = {1, 1, 2, 4, 6},
                         no_table[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
                         table[] = {1, 0, 1, 0, 0, 0, 2, 4, 6, 8, 10, 12, 0, 0, 0, 0},
                         huge[] = {1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
                         cut[] = {1, 0, 0, 0, 0, 0, 0, 0},
                         more[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}, queues[] = {4, 0, 2, 0},
                         announced[] = {3, 0}, announced_more[] = {3, 1};
    driver_buffer no_answer = {DATA, 3, 0}, no_command = {DATA, 5, 1};

    use(ALL);
    cr_assert_eq(command(promiscuous, sizeof promiscuous), 0);
    cr_assert_eq(command(unknown, sizeof unknown), 1);
    cr_assert_eq(command(long_one, sizeof long_one), 1);
    cr_assert_eq(command(short_one, sizeof short_one), 1);
    cr_assert_eq(command(address, sizeof address), 0);
    cr_assert_eq(driver_read(&q[0], 0x100), 0x08060402);
    cr_assert_eq(command(group, sizeof group), 1);
    cr_assert_eq(command(short_address, sizeof short_address), 1);
    cr_assert_eq(driver_read(&q[0], 0x100), 0x08060402);
    cr_assert_eq(command(no_table, sizeof no_table), 0);
    cr_assert_eq(command(table, sizeof table), 0);
    cr_assert_eq(command(huge, sizeof huge), 1);
    cr_assert_eq(command(cut, sizeof cut), 1);
    cr_assert_eq(command(more, sizeof more), 1);
    cr_assert_eq(command(queues, sizeof queues), 1);
    cr_assert_eq(command(announced, sizeof announced), 0);
    cr_assert_eq(command(announced_more, sizeof announced_more), 1);
    cr_assert_geq(driver_add(&q[CONTROL], &no_answer, 1, 0), 0);
    cr_assert_geq(driver_add(&q[CONTROL], &no_command, 1, 0), 0);
    driver_kick(&q[CONTROL], 2);
    dispatch();
    cr_assert_eq(take(CONTROL), 0);
    cr_assert_eq(take(CONTROL), 1);
    cr_assert_eq(room(0)[0], 1);
}

/* Saved with a frame on its way in each direction: both arrive after the load. */
Test(virtio_net, is_saved_and_loaded_in_the_middle)
{
    static uint8_t bytes[FRAME_MOST], state[1 << 16];
    uint64_t needed;
    unsigned out = 0;

    use(ALL);
    for (unsigned i = 0; i < 6; i++)
        guest_send(0, 60000);
    guest_room(1, 1000);
    ok(far_send(bytes, 1500));
    dispatch();
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_save(device, state, sizeof state, &needed, NULL));
    cr_assert_leq(needed, sizeof state);
    ok(vsdk_device_load(device, state, needed, NULL));
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
    cr_assert_eq(driver_read(&q[0], 0x104) >> 16, LINK_UP | ANNOUNCE);
    while (far_receive(bytes)) {
        out++;
        dispatch();
    }
    cr_assert_eq(out, 6);
    guest_room(2, 1000);
    dispatch();
    cr_assert(take(RX) == 1000 && take(RX) == 512);
    static const uint8_t announced[] = {3, 0};
    cr_assert_eq(command(announced, 2), 0);
    cr_assert_eq(driver_read(&q[0], 0x104) >> 16, LINK_UP);
}

Test(virtio_net, arguments_are_checked)
{
    vsdk_virtio_net_config config = {.size = sizeof config, .net = far};
    vsdk_virtio_net_counts c = {.size = sizeof c};
    vsdk_device *made = device, *other;

    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(NULL, &config, &made, E));
    cr_assert_null(made);
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(rig.vm, NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(rig.vm, &config, NULL, E));
    config.flags = 1;
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(rig.vm, &config, &made, E));
    config.flags = 0;
    config.net = NULL;
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(rig.vm, &config, &made, E));
    config.net = far;
    config.mtu = 67;
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(rig.vm, &config, &made, E));
    config.mtu = 0;
    config.mac[0] = 1;
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(rig.vm, &config, &made, E));
    config.mac[0] = 0;
    config.queue_size = 3;
    fails(INVALID_ARGUMENT, vsdk_virtio_net_create(rig.vm, &config, &made, E));
    config.queue_size = 0;
    config.padding = 1;
    fails(UNSUPPORTED, vsdk_virtio_net_create(rig.vm, &config, &made, E));
    config.padding = 0;
    ok(vsdk_virtio_net_create(rig.vm, &config, &made, NULL));
    uint8_t chosen[6];
    ok(vsdk_virtio_get_space(made, 0, chosen, 6, NULL));
    cr_assert_eq(chosen[0] & 3, 2);
    vsdk_device_close(made);
    struct notes notes = {0};
    other = rig_device(&rig, &notes, 0);
    fails(INVALID_ARGUMENT, vsdk_virtio_net_set_link(other, 1, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_net_set_link(NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_net_set_link(device, 2, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_net_get_counts(other, &c, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_net_get_counts(device, NULL, E));
    c.size = 8;
    fails(INVALID_ARGUMENT, vsdk_virtio_net_get_counts(device, &c, E));
    vsdk_device_close(other);
}

/* The driver resets the queue from which the device holds a buffer, and gives it other ones. */
Test(virtio_net, one_queue_is_reset)
{
    static uint8_t bytes[2000];

    use(ALL | BIT(40));
    guest_room(0, 1000);
    ok(far_send(bytes, 2000));
    dispatch();
    cr_assert_eq(take(RX), UINT32_MAX);
    driver_write(&q[0], 0x30, RX);
    driver_write(&q[0], 0xc0, 1);
    cr_assert_eq(driver_read(&q[0], 0xc0), 0);
    driver_queue(&q[RX], RX, 32, RING + 0x10000, ALL);
    guest_room(1, 1000);
    guest_room(2, 1000);
    guest_room(3, 1000);
    dispatch();
    cr_assert_eq(take(RX), 1000);
    cr_assert_eq(take(RX), 1000);
    cr_assert_eq(take(RX), 12);
    cr_assert_eq(counts().received, 1);
    cr_assert_eq(room(0)[0], 0xee);
}

/* More chains than are served in one turn. */

static void use_long(uint32_t queue_size)
{
    make(0, queue_size);
    cr_assert(driver_negotiate(&q[0], ALL));
    uint32_t size = driver_read(&q[0], 0x34);
    for (unsigned i = 0; i < 3; i++)
        driver_queue(&q[i], i, size, RING + i * 0x8000, ALL);
    driver_ok(&q[0]);
    dispatch();
}

static void add_frames(unsigned count)
{
    driver_buffer buffer = {DATA, HEAD + 60, 0};

    memset(room(0), 0, HEAD + 60);
    for (unsigned i = 0; i < count; i++)
        cr_assert_geq(driver_add(&q[TX], &buffer, 1, 0), 0);
}

static unsigned take_all(void)
{
    unsigned count = 0;

    while (take(TX) == 0)
        count++;
    return count;
}

TestSuite(virtio_net_turns, .fini = end);

Test(virtio_net_turns, one_kick_for_more_than_a_turn)
{
    use_long(1024);
    add_frames(600);
    cr_assert(driver_kick(&q[TX], 600));
    dispatch();
    cr_assert_eq(take_all(), 600);
    cr_assert_eq(counts().sent, 600);
}

/* The driver hears after a whole turn too that the device listens. */
Test(virtio_net_turns, one_more_after_exactly_a_turn)
{
    use_long(0);
    cr_assert_eq(q[TX].size, 256);
    add_frames(256);
    cr_assert(driver_kick(&q[TX], 256));
    dispatch();
    cr_assert_eq(take_all(), 256);
    add_frames(1);
    cr_assert(driver_kick(&q[TX], 1), "the device does not listen");
    dispatch();
    cr_assert_eq(take_all(), 1);
}

/* They wait behind one that had no room: nobody kicks for them. */
Test(virtio_net_turns, room_for_more_than_a_turn)
{
    static uint8_t bytes[FRAME_MOST];
    unsigned arrived = 0;

    use_long(1024);
    for (unsigned i = 0; i < 5; i++)
        guest_send(0, 60000);
    dispatch();
    cr_assert_eq(take_all(), 4);
    add_frames(600);
    while (far_receive(bytes))
        arrived++;
    dispatch();
    cr_assert_eq(take_all(), 601);
    while (far_receive(bytes))
        arrived++;
    cr_assert_eq(arrived, 605);
}

/* A state without a frame that waits, loaded while one does: the room is nothing to wake for. */
Test(virtio_net, is_loaded_while_a_frame_waits)
{
    static uint8_t bytes[FRAME_MOST], state[1 << 16];
    uint64_t needed;

    use(ALL);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_save(device, state, sizeof state, &needed, NULL));
    ok(vsdk_vm_resume(rig.vm, NULL));
    for (unsigned i = 0; i < 5; i++)
        guest_send(0, 60000);
    dispatch();
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_load(device, state, needed, NULL));
    /* The driver of the state has sent nothing. */
    for (unsigned i = 0; i < 3; i++)
        memset(q[0].memory + RING + i * 0x4000, 0, 0x4000);
    ok(vsdk_vm_resume(rig.vm, NULL));
    while (far_receive(bytes))
        ;
    dispatch();
}
