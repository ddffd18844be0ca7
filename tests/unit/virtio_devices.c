/* SPDX-License-Identifier: Apache-2.0 */
/* The library's virtio devices against a driver that keeps to the rules, one that does not, and one
 * that is moved to another machine in mid-work. */
#include "core_rig.h"
#include "driver.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 1 << 20, RINGS = 0x1000, DATA = 0x40000, QUEUES = 8, SIZE = 16 };

#define VERSION_1 (UINT64_C(1) << 32)
#define EVENT_INDEX (UINT64_C(1) << 29)
#define PACKED (UINT64_C(1) << 34)
#define IN_ORDER (UINT64_C(1) << 35)
#define RING_RESET (UINT64_C(1) << 40)

static struct core_rig rig;
static struct driver q[QUEUES];
static vsdk_ram *ram;
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

static void begin(void)
{
    rig_make(&rig);
    ram = rig_ram(&rig, 0, MEMORY, 0);
    interrupts = 0;
    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, line, NULL, NULL, NULL));
    for (unsigned i = 0; i < QUEUES; i++)
        q[i] = (struct driver){
            .read = read_register, .write = write_register, .memory = vsdk_ram_data(ram)};
}

static void dispatch(void)
{
    uint32_t count;

    do
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 0, &count, NULL));
    while (count);
}

/* To a guest that runs, or does not yet. */
static void attach(void)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};

    ok(vsdk_virtio_attach(device, &place, NULL));
    dispatch();
}

static void use(uint64_t features, unsigned queues)
{
    cr_assert(driver_negotiate(&q[0], features | VERSION_1));
    for (unsigned i = 0; i < queues; i++)
        driver_queue(&q[i], i, SIZE, RINGS + 0x1000 * i, features);
    driver_ok(&q[0]);
    dispatch();
}

static void end(void)
{
    vsdk_device_close(device);
    vsdk_ram_close(ram);
    rig_end(&rig);
}

static uint8_t *data(unsigned number)
{
    return q[0].memory + DATA + number * 0x1000;
}

/* A buffer for the device to write: block `number` of the guest's. */
static void offer(unsigned queue, unsigned number, uint32_t length)
{
    driver_buffer b = {DATA + number * 0x1000, length, 1};

    cr_assert_geq(driver_add(&q[queue], &b, 1, 0), 0);
    driver_kick(&q[queue], 1);
}

static void transmit(unsigned queue, unsigned number, const void *bytes, uint32_t length)
{
    driver_buffer b = {DATA + number * 0x1000, length, 0};

    memcpy(data(number), bytes, length);
    cr_assert_geq(driver_add(&q[queue], &b, 1, 0), 0);
    driver_kick(&q[queue], 1);
}

/* How much came back, or -1 for nothing. */
static int64_t taken(unsigned queue)
{
    uint32_t id, length;

    return driver_take(&q[queue], &id, &length) ? (int64_t)length : -1;
}

static void pause_vm(void)
{
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
}

static void resume(void)
{
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
}

/* Entropy */

static struct {
    unsigned calls, releases;
    uint64_t most; /* how many bytes it gives at most */
    uint8_t next;
} source;

static uint64_t counting(void *user, void *bytes, uint64_t length)
{
    uint8_t *to = bytes;
    uint64_t count = length < source.most ? length : source.most;

    cr_assert(user == &source);
    source.calls++;
    for (uint64_t i = 0; i < count; i++)
        to[i] = source.next++;
    return count;
}

static void released(void *user)
{
    ++*(unsigned *)user;
}

static void source_gone(void *user)
{
    source.releases++;
}

static void make_rng(uint64_t rate, uint64_t burst)
{
    vsdk_virtio_rng_config config = {.size = sizeof config,
                                     .source = counting,
                                     .user = &source,
                                     .release = source_gone,
                                     .rate = rate,
                                     .burst = burst};

    ok(vsdk_virtio_rng_create(rig.vm, &config, &device, NULL));
    attach();
}

static void begin_rng(void)
{
    begin();
    memset(&source, 0, sizeof source);
    source.most = UINT64_MAX;
    rig_run(&rig);
}

static void end_rng(void)
{
    unsigned made = device != NULL;

    end();
    cr_assert(!source.calls || source.releases >= made);
}

TestSuite(rng, .init = begin_rng, .fini = end_rng);

/* Each byte once, in the order in which they came. */
Test(rng, buffers_get_the_sources_bytes)
{
    static const uint64_t forms[] = {0, EVENT_INDEX, PACKED, PACKED | EVENT_INDEX};
    uint8_t next = 0;

    make_rng(0, 0);
    for (unsigned f = 0; f < 4; f++) {
        use(forms[f], 1);
        for (unsigned i = 0; i < 100; i++) {
            offer(0, 0, 100);
            dispatch();
            int64_t length = taken(0);
            cr_assert(length > 0 && length <= 100);
            for (int64_t k = 0; k < length; k++)
                cr_assert_eq(data(0)[k], next++);
        }
        driver_write(&q[0], 0x70, 0);
    }
}

Test(rng, the_hosts_bytes_differ)
{
    unsigned counts[256] = {0}, most = 0;

    ok(vsdk_virtio_rng_create(rig.vm, NULL, &device, NULL));
    attach();
    use(0, 1);
    for (unsigned i = 0; i < 32; i++) {
        offer(0, 0, 1024);
        dispatch();
        int64_t length = taken(0);
        cr_assert_gt(length, 0);
        for (int64_t k = 0; k < length; k++)
            counts[data(0)[k]]++;
    }
    for (unsigned i = 0; i < 256; i++)
        most = counts[i] > most ? counts[i] : most;
    cr_assert(most && most < 1000, "one byte came %u times", most);
}

/* 1 a second and 40 at once: the rest of a buffer's wish stays a wish. */
Test(rng, a_rate_holds_bytes_back)
{
    make_rng(1, 40);
    use(0, 1);
    offer(0, 0, 30);
    offer(0, 1, 30);
    offer(0, 2, 30);
    dispatch();
    cr_assert_eq(taken(0), 30);
    cr_assert_eq(taken(0), 10);
    cr_assert_eq(taken(0), -1);
}

/* However fast it is asked, what came in a time is bounded by the clock that it is measured by. */
Test(rng, a_rate_is_of_the_virtual_machines_clock)
{
    uint64_t sum = 0, rate = 20000, burst = 10;

    make_rng(rate, burst);
    use(0, 1);
    for (unsigned i = 0; i < 200; i++) {
        offer(0, 0, 1000);
        uint32_t count;
        int64_t length;
        while ((length = taken(0)) < 0)
            ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 1000000000, &count, NULL));
        sum += (uint64_t)length;
    }
    uint64_t clock = vsdk_vm_clock(rig.vm);
    cr_assert_leq(sum, burst + clock / 1000 * rate / 1000000 + 1);
}

Test(rng, a_source_that_has_none_is_asked_again)
{
    uint32_t count;

    make_rng(0, 0);
    source.most = 0;
    use(0, 1);
    offer(0, 0, 8);
    dispatch();
    cr_assert_eq(taken(0), -1);
    source.most = 3;
    while (taken(0) < 0)
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 1000000000, &count, NULL));
    cr_assert(memcmp(data(0), "\0\1\2", 3) == 0);
}

/* Anything in the ring; the next driver is served. */
Test(rng, hostile_drivers_are_contained)
{
    make_rng(100000, 1000);
    for (unsigned seed = 0; seed < 200; seed++) {
        srand(seed);
        use(seed % 2 ? PACKED : 0, 1);
        for (unsigned i = 0; i < 20; i++) {
            driver_buffer b[4];
            unsigned count = 1 + (unsigned)rand() % 4;
            for (unsigned k = 0; k < count; k++)
                b[k] = (driver_buffer){DATA + (uint64_t)rand() % MEMORY,
                                       rand() % 8 ? (uint32_t)rand() % 5000 : UINT32_MAX,
                                       rand() % 4 != 0};
            driver_add(&q[0], b, count, 0);
            driver_kick(&q[0], count);
            if (rand() % 2)
                dispatch();
            if (rand() % 16 == 0)
                q[0].memory[RINGS + rand() % 0x400] ^= (uint8_t)rand();
        }
        dispatch();
    }
    use(0, 1);
    offer(0, 0, 10);
    uint32_t count;
    while (taken(0) < 0)
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 1000000000, &count, NULL));
    cr_assert_eq(driver_read(&q[0], 0x70), 15);
}

Test(rng, buffers_that_are_not_there_get_nothing)
{
    driver_buffer bad[] = {{MEMORY + 0x1000, 64, 1}, {DATA, 64, 0}};

    make_rng(0, 0);
    use(0, 1);
    for (unsigned i = 0; i < 2; i++) {
        driver_add(&q[0], &bad[i], 1, 0);
        driver_kick(&q[0], 1);
        dispatch();
        cr_assert_eq(taken(0), 0);
    }
    cr_assert_eq(driver_read(&q[0], 0x70), 15);
}

/* A chain that waits for the rate waits on another machine, which has what is left of the rate. */
Test(rng, moves_while_a_chain_waits)
{
    uint8_t state[4096], again[4096];
    uint64_t length, second;

    make_rng(1, 40);
    use(0, 1);
    offer(0, 0, 35);
    offer(0, 1, 35);
    offer(0, 2, 35);
    dispatch();
    cr_assert(taken(0) == 35 && taken(0) == 5 && taken(0) == -1);
    pause_vm();
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    ok(vsdk_virtio_detach(device, NULL));
    vsdk_device_close(device);
    make_rng(1, 40);
    ok(vsdk_device_load(device, state, length, NULL));
    ok(vsdk_device_save(device, again, sizeof again, &second, NULL));
    cr_assert(second == length && !memcmp(state, again, length));
    resume();
    cr_assert_eq(taken(0), -1, "a move makes no bytes");
    uint32_t count;
    while (taken(0) < 0)
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 2000000000, &count, NULL));
}

Test(rng, wrong_configurations_are_refused)
{
    unsigned releases = 0;
    vsdk_virtio_rng_config config = {.size = sizeof config, .release = released, .user = &releases};
    vsdk_device *made;

    config.rate = (UINT64_C(1) << 40) + 1;
    fails(INVALID_ARGUMENT, vsdk_virtio_rng_create(rig.vm, &config, &made, E));
    config.rate = 0;
    config.burst = UINT64_MAX;
    fails(INVALID_ARGUMENT, vsdk_virtio_rng_create(rig.vm, &config, &made, E));
    config.burst = 0;
    config.reserved[1] = 1;
    fails(UNSUPPORTED, vsdk_virtio_rng_create(rig.vm, &config, &made, E));
    config.reserved[1] = 0;
    fails(INVALID_ARGUMENT, vsdk_virtio_rng_create(NULL, &config, &made, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_rng_create(rig.vm, &config, NULL, E));
    cr_assert_eq(releases, 5);
}

/* Console */

enum { CONTROL_IN = 2, CONTROL_OUT = 3, IN_1 = 4, OUT_1 = 5, MULTIPORT = 2, CAPACITY = 256 };
enum { READY, ADD, REMOVE, PORT_READY, IS_CONSOLE, RESIZE, OPEN, NAME };

static vsdk_stream *ends[2], *far[2]; /* ours, the device's */
static unsigned changes[2][2], gone;

static void changed(void *user, vsdk_device *of, uint32_t port, uint32_t open)
{
    cr_assert(user == &gone && of == device && port < 2 && open < 2);
    changes[port][open]++;
}

static void make_stream(unsigned i)
{
    vsdk_stream_config config = {.size = sizeof config, .capacity = CAPACITY};

    vsdk_stream_close(ends[i]);
    vsdk_stream_close(far[i]);
    ok(vsdk_stream_create(&config, &ends[i], &far[i], NULL));
}

static void make_console(uint32_t flags)
{
    vsdk_virtio_port ports[2] = {{.flags = VSDK_VIRTIO_PORT_CONSOLE, .stream = far[0]},
                                 {.name = "org.vsdk.test", .stream = far[1]}};
    vsdk_virtio_console_config config = {.size = sizeof config,
                                         .flags = flags,
                                         .ports = ports,
                                         .port_count = 2,
                                         .columns = 100,
                                         .rows = 40,
                                         .changed = changed,
                                         .user = &gone,
                                         .release = released};

    ok(vsdk_virtio_console_create(rig.vm, &config, &device, NULL));
    attach();
}

static void begin_console(void)
{
    begin();
    memset(changes, 0, sizeof changes);
    gone = 0;
    for (unsigned i = 0; i < 2; i++)
        make_stream(i);
    make_console(0);
    rig_run(&rig);
}

static void end_console(void)
{
    end();
    cr_assert_eq(gone, 1);
    for (unsigned i = 0; i < 2; i++) {
        vsdk_stream_close(ends[i]);
        vsdk_stream_close(far[i]);
        ends[i] = far[i] = NULL;
    }
}

TestSuite(console, .init = begin_console, .fini = end_console);

static void control(uint32_t port, uint16_t event, uint16_t value)
{
    struct {
        uint32_t port;
        uint16_t event, value;
    } m = {port, event, value};

    transmit(CONTROL_OUT, 60, &m, sizeof m);
    dispatch();
    cr_assert_eq(taken(CONTROL_OUT), 0);
}

vsdk_status __real_vsdk_virtio_pop(vsdk_device *of, uint32_t queue, vsdk_virtio_chain *chain,
                                   vsdk_error *error);
vsdk_status __wrap_vsdk_virtio_pop(vsdk_device *of, uint32_t queue, vsdk_virtio_chain *chain,
                                   vsdk_error *error);
static int leaves_meanwhile;

/* Once, the embedder takes its stream away after a buffer was popped for what was to be told. */
vsdk_status __wrap_vsdk_virtio_pop(vsdk_device *of, uint32_t queue, vsdk_virtio_chain *chain,
                                   vsdk_error *error)
{
    vsdk_status status = __real_vsdk_virtio_pop(of, queue, chain, error);

    if (!status && leaves_meanwhile && queue == CONTROL_IN) {
        leaves_meanwhile = 0;
        ok(vsdk_virtio_console_connect(of, 1, NULL, NULL));
    }
    return status;
}

/* What the device tells next, as "PORT EVENT VALUE REST"; its block goes back to it. */
static const char *told(void)
{
    static char text[128];
    uint32_t id, length, port;
    uint16_t words[4] = {0};

    dispatch();
    if (!driver_take(&q[CONTROL_IN], &id, &length))
        return "";
    uint64_t at = *(uint64_t *)(q[0].memory + q[CONTROL_IN].rings + 16 * id);
    memcpy(&port, q[0].memory + at, 4);
    memcpy(words, q[0].memory + at + 4, 8);
    if (length < 8)
        snprintf(text, sizeof text, "a buffer of %u bytes", length);
    else if (words[0] == NAME)
        snprintf(text, sizeof text, "%u %u %u %.*s", port, words[0], words[1], (int)length - 8,
                 (const char *)q[0].memory + at + 8);
    else if (length == 12)
        snprintf(text, sizeof text, "%u %u %u %u,%u", port, words[0], words[1], words[2], words[3]);
    else
        snprintf(text, sizeof text, "%u %u %u", port, words[0], words[1]);
    offer(CONTROL_IN, (unsigned)(at - DATA) / 0x1000, 64);
    return text;
}

#define told_is(what) cr_assert_str_eq(told(), what)

/* A driver of several ports, up to its ports' being ready. */
static void use_ports(uint64_t form)
{
    use(form | MULTIPORT | 1, 6);
    for (unsigned i = 0; i < 8; i++)
        offer(CONTROL_IN, 40 + i, 64);
    control(UINT32_MAX, READY, 1);
    told_is("0 1 1");
    told_is("1 1 1");
    control(0, PORT_READY, 1);
    told_is("0 4 1");
    told_is("0 6 1");
    told_is("0 5 0 100,40");
    control(1, PORT_READY, 1);
    told_is("1 7 1 org.vsdk.test");
    told_is("1 6 1");
    told_is("");
}

static void write_end(unsigned i, const char *text)
{
    uint64_t accepted;

    ok(vsdk_stream_write(ends[i], text, strlen(text), &accepted, NULL));
    cr_assert_eq(accepted, strlen(text));
    dispatch();
}

static const char *read_end(unsigned i)
{
    static char text[4 * CAPACITY + 1];
    uint64_t got = 0;

    dispatch();
    ok(vsdk_stream_read(ends[i], text, sizeof text - 1, &got, NULL));
    text[got] = 0;
    dispatch();
    return text;
}

Test(console, a_driver_of_one_port)
{
    use(1, 2);
    cr_assert_eq(driver_read(&q[0], 0x100), 40 << 16 | 100);
    cr_assert_eq(driver_read(&q[0], 0x104), 2);
    write_end(0, "early");
    offer(0, 0, 3);
    offer(0, 1, 100);
    dispatch();
    cr_assert(taken(0) == 3 && !memcmp(data(0), "ear", 3));
    cr_assert(taken(0) == 2 && !memcmp(data(1), "ly", 2));
    transmit(1, 2, "hello", 5);
    cr_assert_str_eq(read_end(0), "hello");
    cr_assert_eq(taken(1), 0);
    unsigned before = interrupts;
    ok(vsdk_virtio_console_resize(device, 0, 120, 50, NULL));
    cr_assert_eq(interrupts, before + 1);
    cr_assert_eq(driver_read(&q[0], 0x100), 50 << 16 | 120);
}

Test(console, ports_are_introduced)
{
    use_ports(0);
    cr_assert_eq(driver_read(&q[0], 0x70), 15);
    driver_write(&q[0], 0x70, 0);
    use_ports(PACKED | EVENT_INDEX);
    driver_write(&q[0], 0x70, 0);
    use_ports(IN_ORDER);
}

Test(console, open_and_close_are_told_both_ways)
{
    use_ports(0);
    control(1, OPEN, 1);
    cr_assert(vsdk_virtio_console_is_open(device, 1) && !vsdk_virtio_console_is_open(device, 0));
    control(1, OPEN, 1);
    cr_assert(changes[1][1] == 1 && changes[1][0] == 0);
    control(1, OPEN, 0);
    cr_assert(changes[1][0] == 1 && !vsdk_virtio_console_is_open(device, 1));
    control(1, OPEN, 1);
    vsdk_stream_close(ends[1]);
    ends[1] = NULL;
    told_is("1 6 0");
    make_stream(1);
    ok(vsdk_virtio_console_connect(device, 1, far[1], NULL));
    told_is("1 6 1");
    make_stream(1);
    ok(vsdk_virtio_console_connect(device, 1, far[1], NULL));
    told_is("1 6 0");
    told_is("1 6 1");
    ok(vsdk_virtio_console_connect(device, 1, NULL, NULL));
    told_is("1 6 0");
    told_is("");
    driver_write(&q[0], 0x70, 0);
    cr_assert(changes[1][0] == 2 && !vsdk_virtio_console_is_open(device, 1));
}

Test(console, who_connects_and_leaves_at_once_is_told_of)
{
    use_ports(0);
    ok(vsdk_virtio_console_connect(device, 1, NULL, NULL));
    told_is("1 6 0");
    make_stream(1);
    leaves_meanwhile = 1;
    ok(vsdk_virtio_console_connect(device, 1, far[1], NULL));
    told_is("1 6 0");
    cr_assert_eq(leaves_meanwhile, 0);
    told_is("");
}

Test(console, what_is_typed_waits_for_an_open_port)
{
    use_ports(0);
    offer(IN_1, 0, 64);
    write_end(1, "patience");
    cr_assert_eq(taken(IN_1), -1);
    control(1, OPEN, 1);
    dispatch();
    cr_assert(taken(IN_1) == 8 && !memcmp(data(0), "patience", 8));
}

Test(console, sizes)
{
    use_ports(0);
    ok(vsdk_virtio_console_resize(device, 0, 132, 43, NULL));
    told_is("0 5 0 132,43");
    cr_assert_eq(driver_read(&q[0], 0x100), 43 << 16 | 132);
    ok(vsdk_virtio_console_resize(device, 0, 1, 2, NULL));
    ok(vsdk_virtio_console_resize(device, 0, 3, 4, NULL));
    told_is("0 5 0 3,4");
    told_is("");
    fails(INVALID_ARGUMENT, vsdk_virtio_console_resize(device, 1, 3, 4, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_console_resize(device, 2, 3, 4, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_console_resize(device, 0, 0, 4, E));
}

/* An embedder that does not read stops the guest at what the stream holds, to the byte; and what
 * stood in the middle of a buffer goes on there. */
static void fill_up(unsigned blocks)
{
    char text[101];

    control(1, OPEN, 1);
    for (unsigned i = 0; i < blocks; i++) {
        memset(text, 'a' + (int)i, 100);
        transmit(OUT_1, i, text, 100);
    }
    dispatch();
    cr_assert(taken(OUT_1) == 0 && taken(OUT_1) == 0 && taken(OUT_1) == -1);
}

static void expect_blocks(unsigned blocks, unsigned seen)
{
    unsigned at = seen;

    while (at < blocks * 100) {
        const char *text = read_end(1);
        cr_assert(*text, "nothing after %u bytes", at);
        for (; *text; text++, at++)
            cr_assert_eq(*text, 'a' + (int)(at / 100));
    }
    cr_assert_eq(at, blocks * 100);
}

Test(console, an_embedder_that_does_not_read_stops_the_guest)
{
    use_ports(0);
    fill_up(10);
    expect_blocks(10, 0);
    for (unsigned i = 2; i < 10; i++)
        cr_assert_eq(taken(OUT_1), 0);
}

Test(console, a_guest_that_does_not_read_stops_the_embedder)
{
    char text[600], *from = text;
    uint64_t accepted;
    unsigned at = 0;

    use_ports(0);
    control(1, OPEN, 1);
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    ok(vsdk_stream_write(ends[1], text, sizeof text, &accepted, NULL));
    cr_assert_eq(accepted, CAPACITY);
    from += accepted;
    while (at < sizeof text) {
        int64_t length;
        offer(IN_1, 0, 50);
        dispatch();
        cr_assert_gt((length = taken(IN_1)), 0);
        for (int64_t k = 0; k < length; k++)
            cr_assert_eq(data(0)[k], 'a' + (char)(at++ % 26));
        ok(vsdk_stream_write(ends[1], from, (uint64_t)(text + sizeof text - from), &accepted,
                             NULL));
        from += accepted;
        dispatch();
    }
}

Test(console, the_last_bytes_come_before_the_end)
{
    use_ports(0);
    write_end(1, "farewell");
    vsdk_stream_close(ends[1]);
    ends[1] = NULL;
    told_is("");
    control(1, OPEN, 1);
    offer(IN_1, 0, 5);
    dispatch();
    cr_assert_eq(taken(IN_1), 5);
    told_is("");
    offer(IN_1, 1, 5);
    dispatch();
    cr_assert_eq(taken(IN_1), 3);
    told_is("1 6 0");
}

/* Somebody who closed the other end reads nothing, and holds nobody up. */
Test(console, what_nobody_reads_is_dropped)
{
    use_ports(0);
    fill_up(10);
    vsdk_stream_close(ends[1]);
    ends[1] = NULL;
    dispatch();
    for (unsigned i = 2; i < 10; i++)
        cr_assert_eq(taken(OUT_1), 0);
    transmit(OUT_1, 0, "x", 1);
    dispatch();
    cr_assert_eq(taken(OUT_1), 0);
}

static void replace_console(void)
{
    ok(vsdk_virtio_detach(device, NULL));
    vsdk_device_close(device);
    cr_assert_eq(gone, 1);
    gone = 0;
    for (unsigned i = 0; i < 2; i++)
        make_stream(i);
    make_console(0);
}

/* Half a buffer was taken; the other half comes out of the other machine's stream, no byte twice,
 * and the guest is told nothing that it knows. */
Test(console, moves_in_the_middle_of_a_buffer)
{
    uint8_t state[65536], again[65536];
    uint64_t length, second;

    use_ports(0);
    fill_up(10);
    write_end(1, "late");
    pause_vm();
    const char *seen = read_end(1);
    cr_assert_eq(strlen(seen), CAPACITY);
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    replace_console();
    ok(vsdk_device_load(device, state, length, NULL));
    ok(vsdk_device_save(device, again, sizeof again, &second, NULL));
    cr_assert(second == length && !memcmp(state, again, length));
    resume();
    expect_blocks(10, CAPACITY);
    cr_assert(vsdk_virtio_console_is_open(device, 1));
    told_is("");
    offer(IN_1, 20, 64);
    write_end(1, "on");
    cr_assert(taken(IN_1) == 2 && !memcmp(data(20), "on", 2));
    vsdk_stream_close(ends[1]);
    ends[1] = NULL;
    told_is("1 6 0");
}

/* Messages that the driver had no buffers for come after the move. */
Test(console, moves_with_things_to_tell)
{
    uint8_t state[65536];
    uint64_t length;

    use(MULTIPORT | 1, 6);
    control(UINT32_MAX, READY, 1);
    control(1, PORT_READY, 1);
    pause_vm();
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    replace_console();
    ok(vsdk_device_load(device, state, length, NULL));
    resume();
    for (unsigned i = 0; i < 8; i++)
        offer(CONTROL_IN, 40 + i, 64);
    told_is("0 1 1");
    told_is("1 7 1 org.vsdk.test");
    told_is("1 6 1");
    told_is("");
}

Test(console, states_are_not_trusted)
{
    uint8_t state[65536], bad[65536];
    uint64_t length;
    unsigned good = 0, refused = 0;

    use_ports(0);
    fill_up(10);
    pause_vm();
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    for (uint64_t at = 0; at < length; at++) {
        static const uint8_t flips[] = {1, 0x80, 0xff};
        memcpy(bad, state, length);
        bad[at] ^= flips[at % 3];
        if (vsdk_device_load(device, bad, length, NULL)) {
            refused++;
            continue;
        }
        good++;
        resume();
        pause_vm();
    }
    for (uint64_t cut = 0; cut < length; cut++)
        cr_assert(vsdk_device_load(device, state, cut, NULL));
    cr_assert(good > 50 && refused > 50, "%u loaded, %u refused", good, refused);
}

/* The half of a buffer that was taken is gone with the queue's reset, and the next one is whole. */
Test(console, a_queue_is_reset_alone)
{
    use_ports(RING_RESET);
    fill_up(4);
    write_register(0x30, OUT_1);
    write_register(0xc0, 1);
    cr_assert_eq(read_register(0x44), 0);
    cr_assert_eq(strlen(read_end(1)), CAPACITY);
    driver_queue(&q[OUT_1], OUT_1, SIZE, RINGS + 0x1000 * OUT_1, RING_RESET);
    transmit(OUT_1, 0, "whole", 5);
    cr_assert_str_eq(read_end(1), "whole");
    cr_assert_eq(taken(OUT_1), 0);
    cr_assert(vsdk_virtio_console_is_open(device, 1));
}

/* Anything in any queue: the device goes on, or wants a reset, and serves the next driver. */
Test(console, hostile_drivers_are_contained)
{
    for (unsigned seed = 0; seed < 300; seed++) {
        srand(seed);
        use(seed % 4 ? MULTIPORT | 1 : 0, 6);
        for (unsigned i = 0; i < 40; i++) {
            unsigned queue = (unsigned)rand() % 6;
            driver_buffer b[3];
            unsigned count = 1 + (unsigned)rand() % 3;
            for (unsigned k = 0; k < count; k++) {
                b[k] = (driver_buffer){(uint64_t)rand() % (MEMORY + 0x10000),
                                       1 + (uint32_t)rand() % 5000, rand() % 2};
                b[k].writable |= k && b[k - 1].writable;
                if (b[k].gpa < DATA)
                    b[k].gpa += DATA;
                uint16_t words[4] = {(uint16_t)(rand() % 3), 0, (uint16_t)(rand() % 9),
                                     (uint16_t)(rand() % 2)};
                if (b[k].gpa + 8 < MEMORY)
                    memcpy(q[0].memory + b[k].gpa, words, 8);
            }
            driver_add(&q[queue], b, count, 0);
            driver_kick(&q[queue], count);
            if (rand() % 4 == 0) {
                char text[300];
                uint64_t some;
                vsdk_stream_write(ends[rand() % 2], "typed", 5, &some, NULL);
                vsdk_stream_read(ends[rand() % 2], text, sizeof text, &some, NULL);
                dispatch();
            }
            if (rand() % 30 == 0)
                write_register(0x70, 0);
        }
        dispatch();
    }
    for (unsigned i = 0; i < 2; i++)
        while (*read_end(i))
            ;
    use_ports(0);
    control(1, OPEN, 1);
    transmit(OUT_1, 0, "still", 5);
    cr_assert_str_eq(read_end(1), "still");
}

static _Atomic int over;

/* An embedder's thread that does all it may while the guest works, or is saved. */
static void *do_everything(void *unused)
{
    char text[CAPACITY];
    uint64_t some;

    for (unsigned i = 0; !atomic_load(&over); i++) {
        vsdk_stream_write(ends[1], "typed", 5, &some, NULL);
        vsdk_stream_read(ends[1], text, sizeof text, &some, NULL);
        vsdk_virtio_console_resize(device, 0, (uint16_t)(i % 100 + 1), 25, NULL);
        vsdk_virtio_console_is_open(device, 1);
        if (i % 8)
            continue;
        make_stream(1);
        vsdk_virtio_console_connect(device, 1, i % 16 ? far[1] : NULL, NULL);
    }
    return unused;
}

Test(console, threads_meet)
{
    pthread_t thread;
    uint8_t state[65536];
    uint64_t length;

    atomic_store(&over, 0);
    use(MULTIPORT | 1, 6);
    cr_assert_eq(pthread_create(&thread, NULL, do_everything, NULL), 0);
    for (unsigned i = 0; i < 300; i++) {
        if (i % 50 == 49)
            use(MULTIPORT | 1, 6);
        if (i % 10 == 9) {
            pause_vm();
            ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
            resume();
        }
        if (i % 50 < 2)
            control(1, i % 2 ? OPEN : PORT_READY, 1);
        if (i % 50 < 12)
            offer(CONTROL_IN, 40 + i % 50, 64);
        if (q[OUT_1].free)
            transmit(OUT_1, i % 16, "from the guest", 14);
        if (q[IN_1].free)
            offer(IN_1, 20 + i % 16, 10);
        dispatch();
        while (taken(OUT_1) >= 0 || taken(IN_1) >= 0)
            ;
    }
    atomic_store(&over, 1);
    pthread_join(thread, NULL);
    cr_assert_eq(driver_read(&q[0], 0x70), 15);
}

Test(console, wrong_configurations_are_refused)
{
    char name[65];
    unsigned releases = 0;
    vsdk_virtio_port ports[32] = {{0}};
    vsdk_virtio_console_config config = {.size = sizeof config,
                                         .ports = ports,
                                         .port_count = 1,
                                         .user = &releases,
                                         .release = released};
    vsdk_device *made;

#define REFUSED(code) fails(code, vsdk_virtio_console_create(rig.vm, &config, &made, E))
    config.port_count = 32;
    REFUSED(INVALID_ARGUMENT);
    config.port_count = 1;
    ports[0].name = "";
    REFUSED(INVALID_ARGUMENT);
    memset(name, 'x', 64);
    name[64] = 0;
    ports[0].name = name;
    REFUSED(INVALID_ARGUMENT);
    name[63] = 0;
    ports[0].flags = 2;
    REFUSED(INVALID_ARGUMENT);
    ports[0].flags = 1;
    ports[0].reserved2 = 1;
    REFUSED(UNSUPPORTED);
    ports[0].reserved2 = 0;
    config.reserved[0] = 1;
    REFUSED(UNSUPPORTED);
    config.reserved[0] = 0;
    cr_assert_eq(releases, 6);
    config.flags = 2;
    REFUSED(INVALID_ARGUMENT);
    config.flags = 0;
    config.ports = NULL;
    REFUSED(INVALID_ARGUMENT);
    cr_assert_eq(releases, 7);
    config.ports = ports;
    ok(vsdk_virtio_console_create(rig.vm, &config, &made, NULL));
    fails(INVALID_ARGUMENT, vsdk_virtio_console_connect(made, 1, NULL, E));
    cr_assert(!vsdk_virtio_console_is_open(made, 1) && !vsdk_virtio_console_is_open(NULL, 0));
    vsdk_device_close(made);
    cr_assert_eq(releases, 8);
    ok(vsdk_virtio_console_create(rig.vm, NULL, &made, NULL));
    vsdk_device_close(made);
}
