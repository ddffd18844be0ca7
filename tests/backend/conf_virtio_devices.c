/* SPDX-License-Identifier: Apache-2.0 */
/* The library's virtio devices as a guest meets them on each backend, and what their functions
 * refuse. tests/unit/virtio_devices.c has what needs no guest. */
#include "common.h"
#include "driver.h"

enum { RINGS = 0x40000, BYTES = 0x50000, LINES = 24, QUEUES = 6, SIZE = 8 };
enum { MULTIPORT = 2, CONTROL_IN = 2, CONTROL_OUT = 3 };

#define VERSION_1 (UINT64_C(1) << 32)

static struct machine m;
static struct driver q[QUEUES];
static vsdk_device *device;
static vsdk_stream *near_end, *far_end;
static unsigned releases, changes;

/* The guest waits for a command between these calls. */
static uint32_t poke_read(uint32_t offset)
{
    return machine_peek(&m, DRIVER_MMIO + offset);
}

static void poke_write(uint32_t offset, uint32_t value)
{
    machine_poke(&m, DRIVER_MMIO + offset, value);
}

static void release(void *user)
{
    ++*(unsigned *)user;
}

static void changed(void *user, vsdk_device *of, uint32_t port, uint32_t open)
{
    cr_assert(user == &releases && of == device && port == 0 && open < 2);
    changes++;
}

static void setup(void)
{
    releases = changes = 0;
    machine_make(&m);
    ok(vsdk_irq_controller_attach(m.vm, 0, LINES, no_line, NULL, NULL, E));
    ok(vsdk_stream_create(NULL, &near_end, &far_end, E));
    for (unsigned i = 0; i < QUEUES; i++)
        q[i] = (struct driver){.read = poke_read, .write = poke_write, .memory = m.memory};
}

static void start(void)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};

    ok(vsdk_virtio_attach(device, &place, E));
    machine_start(&m, &guest_poke, NULL);
    run_to_read(&m, PORT_IN);
}

static void teardown(void)
{
    vsdk_stream_close(near_end);
    vsdk_stream_close(far_end);
    vsdk_device_close(device);
    machine_end(&m);
}

TestSuite(virtio_devices, .init = setup, .fini = teardown);

static void use(uint64_t features, unsigned queues)
{
    cr_assert(driver_negotiate(&q[0], features | VERSION_1));
    for (unsigned i = 0; i < queues; i++)
        driver_queue(&q[i], i, SIZE, RINGS + 0x1000 * i, features);
    driver_ok(&q[0]);
    dispatch_all(m.vm);
}

/* One buffer there and back; how much was written into it. */
static uint32_t exchange(unsigned queue, uint32_t length, int writable)
{
    driver_buffer b = {BYTES, length, writable};
    uint32_t id, written;

    cr_assert_geq(driver_add(&q[queue], &b, 1, 0), 0);
    driver_kick(&q[queue], 1);
    dispatch_all(m.vm);
    cr_assert(driver_take(&q[queue], &id, &written));
    return written;
}

static uint64_t count_up(void *user, void *bytes, uint64_t length)
{
    (void)user;
    for (uint64_t i = 0; i < length; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)i;
    return length;
}

Test(virtio_devices, entropy)
{
    vsdk_virtio_rng_config config = {
        .size = sizeof config, .source = count_up, .user = &releases, .release = release};

    ok(vsdk_virtio_rng_create(m.vm, &config, &device, E));
    start();
    use(0, 1);
    cr_assert_eq(exchange(0, 200, 1), 200);
    for (unsigned i = 0; i < 200; i++)
        cr_assert_eq(m.memory[BYTES + i], i);
}

Test(virtio_devices, entropy_of_the_host)
{
    ok(vsdk_virtio_rng_create(m.vm, NULL, &device, E));
    start();
    use(0, 1);
    uint32_t length = exchange(0, 1000, 1), zeros = 0;
    cr_assert(length >= 100 && length <= 1000);
    for (uint32_t i = 0; i < length; i++)
        zeros += !m.memory[BYTES + i];
    cr_assert(zeros < length / 4);
}

Test(virtio_devices, entropy_refuses)
{
    vsdk_virtio_rng_config config = {
        .size = sizeof config, .rate = UINT64_MAX, .user = &releases, .release = release};

    fails(INVALID_ARGUMENT, vsdk_virtio_rng_create(m.vm, &config, &device, E));
    config.rate = 0;
    config.reserved[0] = 1;
    fails(UNSUPPORTED, vsdk_virtio_rng_create(m.vm, &config, &device, E));
    config.reserved[0] = 0;
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_virtio_rng_create(m.vm, &config, &device, E));
    cr_assert(releases == 3 && !device);
}

static void make_console(void)
{
    vsdk_virtio_port port = {.stream = far_end, .flags = VSDK_VIRTIO_PORT_CONSOLE, .name = "one"};
    vsdk_virtio_console_config config = {.size = sizeof config,
                                         .ports = &port,
                                         .port_count = 1,
                                         .changed = changed,
                                         .user = &releases,
                                         .release = release};

    ok(vsdk_virtio_console_create(m.vm, &config, &device, E));
}

static void control(uint16_t event, uint16_t value)
{
    const uint16_t words[4] = {0, 0, event, value};

    memcpy(m.memory + BYTES, words, sizeof words);
    exchange(CONTROL_OUT, sizeof words, 0);
}

Test(virtio_devices, console)
{
    char text[16] = {0};
    uint64_t got;

    make_console();
    start();
    use(MULTIPORT, 4);
    control(3, 1);
    control(6, 1);
    cr_assert(changes == 1 && vsdk_virtio_console_is_open(device, 0) == 1);
    ok(vsdk_stream_write(near_end, "hello", 5, NULL, E));
    cr_assert(exchange(0, 100, 1) == 5 && !memcmp(m.memory + BYTES, "hello", 5));
    memcpy(m.memory + BYTES, "guest", 5);
    cr_assert_eq(exchange(1, 5, 0), 0);
    ok(vsdk_stream_read(near_end, text, sizeof text, &got, E));
    cr_assert(got == 5 && !memcmp(text, "guest", 5));
    ok(vsdk_virtio_console_resize(device, 0, 90, 30, E));
    cr_assert_eq(poke_read(0x100), 30 << 16 | 90);
    cr_assert_eq(exchange(CONTROL_IN, 100, 1), 8);
    control(6, 0);
    cr_assert(changes == 2 && !vsdk_virtio_console_is_open(device, 0));
}

Test(virtio_devices, console_refuses)
{
    vsdk_virtio_port ports[32] = {{.reserved = 1}};
    vsdk_virtio_console_config config = {.size = sizeof config,
                                         .ports = ports,
                                         .port_count = 32,
                                         .user = &releases,
                                         .release = release};
    vsdk_device *plain =
        make_device(m.vm, &(vsdk_device_ops){.size = sizeof(vsdk_device_ops)}, NULL, 0);

    fails(INVALID_ARGUMENT, vsdk_virtio_console_create(m.vm, &config, &device, E));
    config.port_count = 1;
    fails(UNSUPPORTED, vsdk_virtio_console_create(m.vm, &config, &device, E));
    cr_assert(releases == 2 && !device);
    make_console();
    fails(INVALID_ARGUMENT, vsdk_virtio_console_connect(device, 1, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_console_connect(plain, 0, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_console_resize(device, 1, 1, 1, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_console_resize(device, 0, 1, 0, E));
    ok(vsdk_virtio_console_connect(device, 0, NULL, E));
    ok(vsdk_vm_destroy(m.vm, E));
    vsdk_device *late = NULL;
    config.port_count = 0;
    fails(GONE, vsdk_virtio_console_create(m.vm, &config, &late, E));
    vsdk_device_close(plain);
}
