/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio devices as a guest meets them on each backend: registers and doorbells are reached by its
 * accesses, rings lie in its memory. tests/unit/virtio.c has what needs no guest. */
#include "common.h"
#include "driver.h"

enum { RINGS = 0x40000, BYTES = 0x50000, TABLE = 0x5f000, LINES = 24 };

#define VERSION_1 (UINT64_C(1) << 32)
#define INDIRECT (UINT64_C(1) << 28)
#define EVENT_INDEX (UINT64_C(1) << 29)
#define PACKED (UINT64_C(1) << 34)

static struct machine m;
static struct driver d;
static vsdk_device *device;
static unsigned edges;
static int holds; /* chains are kept */
static vsdk_virtio_chain held[16];
static unsigned held_count;
static vsdk_status last;

/* The guest waits for a command between these calls. */
static uint32_t poke_read(uint32_t offset)
{
    return machine_peek(&m, DRIVER_MMIO + offset);
}

static void poke_write(uint32_t offset, uint32_t value)
{
    machine_poke(&m, DRIVER_MMIO + offset, value);
}

static void invert(const vsdk_virtio_chain *chain)
{
    uint8_t bytes[64];

    cr_assert(chain->readable <= sizeof bytes && chain->writable >= chain->readable);
    ok(vsdk_virtio_read(device, chain, 0, bytes, chain->readable, E));
    for (uint64_t i = 0; i < chain->readable; i++)
        bytes[i] ^= 0xff;
    ok(vsdk_virtio_write(device, chain, 0, bytes, chain->readable, E));
    ok(vsdk_virtio_push(device, chain, (uint32_t)chain->readable, E));
}

static void notify(void *user, vsdk_device *of, uint32_t queue)
{
    vsdk_virtio_chain chain;

    (void)user;
    while (!(last = vsdk_virtio_pop(of, queue, &chain, E))) {
        if (holds)
            held[held_count++] = chain;
        else
            invert(&chain);
    }
}

static const vsdk_virtio_ops ops = {.size = sizeof ops, .notify = notify};

static void line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    (void)user, (void)vm;
    if (gsi == DRIVER_GSI)
        edges += level;
}

static void release(void *user)
{
    ++*(unsigned *)user;
}

static vsdk_virtio_config config_of(void)
{
    return (vsdk_virtio_config){.size = sizeof(vsdk_virtio_config),
                                .type = 42,
                                .queues = 1,
                                .queue_size = 16,
                                .chain_max = 8,
                                .space = "12345678",
                                .space_length = 8};
}

static void setup(void)
{
    vsdk_virtio_config config = config_of();
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};

    edges = 0;
    holds = held_count = 0;
    machine_make(&m);
    ok(vsdk_irq_controller_attach(m.vm, 0, LINES, line, NULL, NULL, E));
    ok(vsdk_virtio_create(m.vm, &ops, &d, &config, &device, E));
    ok(vsdk_virtio_attach(device, &place, E));
    d = (struct driver){.read = poke_read, .write = poke_write, .memory = m.memory};
    machine_start(&m, &guest_poke, NULL);
    run_to_read(&m, PORT_IN);
}

static void teardown(void)
{
    vsdk_device_close(device);
    machine_end(&m);
}

TestSuite(virtio, .init = setup, .fini = teardown);

static void use(uint64_t features)
{
    cr_assert(driver_negotiate(&d, features | VERSION_1));
    driver_queue(&d, 0, 16, RINGS, features);
    driver_ok(&d);
    dispatch_all(m.vm);
}

static void add(unsigned number, uint64_t table)
{
    driver_buffer b[3] = {{BYTES + number * 0x100, 10, 0},
                          {BYTES + number * 0x100 + 0x20, 5, 1},
                          {BYTES + number * 0x100 + 0x40, 20, 1}};

    memset(d.memory + b[0].gpa, (int)number, 10);
    cr_assert_geq(driver_add(&d, b, 3, table), 0);
}

static void exchange(uint64_t form)
{
    uint32_t id, length;

    use(form | INDIRECT);
    for (unsigned round = 0; round < 12; round++) {
        unsigned before = edges;
        int asleep = !driver_sleep(&d);
        add(round, round % 2 ? TABLE : 0);
        driver_kick(&d, d.packed && !(round % 2) ? 3 : 1);
        dispatch_all(m.vm);
        cr_assert(driver_take(&d, &id, &length) && length == 10, "round %u", round);
        for (unsigned i = 0; i < 10; i++)
            cr_assert_eq(d.memory[BYTES + round * 0x100 + (i < 5 ? 0x20 + i : 0x40 + i - 5)],
                         (uint8_t)~round);
        cr_assert(!asleep || edges == before + 1);
        cr_assert_eq(driver_read(&d, 0x60), 1);
        driver_write(&d, 0x64, 1);
        cr_assert_eq(driver_read(&d, 0x60), 0);
    }
    driver_write(&d, 0x70, 0);
}

Test(virtio, rings_of_each_form)
{
    exchange(0);
    exchange(EVENT_INDEX);
    exchange(PACKED);
    exchange(PACKED | EVENT_INDEX);
}

/* One chain that is held, of 10 bytes to read and 25 to write. */
static const vsdk_virtio_chain *one(void)
{
    use(0);
    holds = 1;
    add(0, 0);
    driver_kick(&d, 1);
    dispatch_all(m.vm);
    cr_assert_eq(held_count, 1);
    return &held[0];
}

Test(virtio, a_chain_has_so_many_bytes)
{
    const vsdk_virtio_chain *chain = one();
    vsdk_dma_view views[2];
    uint8_t bytes[32] = {0};
    uint32_t count;

    cr_assert(chain->count == 3 && chain->readable_count == 1 && chain->readable == 10 &&
              chain->writable == 25);
    fails(RANGE, vsdk_virtio_read(device, chain, 1, bytes, 10, E));
    fails(RANGE, vsdk_virtio_write(device, chain, 20, bytes, 6, E));
    fails(RANGE, vsdk_virtio_push(device, chain, 26, E));
    fails(RANGE, vsdk_virtio_map(device, chain, VSDK_DMA_FROM_GUEST, 0, 11, views, 2, &count, E));
    fails(LIMIT, vsdk_virtio_map(device, chain, VSDK_DMA_TO_GUEST, 0, 25, views, 1, &count, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_map(device, chain, 0, 0, 1, views, 2, &count, E));
    ok(vsdk_virtio_map(device, chain, VSDK_DMA_TO_GUEST, 0, 25, views, 2, &count, E));
    cr_assert_eq(count, 2);
    vsdk_dma_unmap(&views[0]);
    vsdk_dma_unmap(&views[1]);
    ok(vsdk_virtio_push(device, chain, 25, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_push(device, chain, 25, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_read(device, chain, 0, bytes, 1, E));
}

Test(virtio, a_chain_ends_with_a_reset)
{
    const vsdk_virtio_chain *chain = one();
    vsdk_dma_view view;
    uint8_t byte = 0;
    uint32_t count;

    driver_write(&d, 0x70, 0);
    fails(STATE, vsdk_virtio_read(device, chain, 0, &byte, 1, E));
    fails(STATE, vsdk_virtio_write(device, chain, 0, &byte, 1, E));
    fails(STATE, vsdk_virtio_map(device, chain, VSDK_DMA_TO_GUEST, 0, 1, &view, 1, &count, E));
    ok(vsdk_virtio_push(device, chain, 1, E));
}

Test(virtio, a_stopped_queue_reaches_no_memory)
{
    const vsdk_virtio_chain *chain = one();
    uint8_t byte = 0;

    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    fails(STATE, vsdk_virtio_read(device, chain, 0, &byte, 1, E));
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_virtio_read(device, chain, 0, &byte, 1, E));
}

Test(virtio, a_driver_that_breaks_a_rule_needs_a_reset)
{
    use(0);
    d.memory[RINGS + 256 + 2] = 17; /* the available index */
    driver_write(&d, 0x50, 0);
    dispatch_all(m.vm);
    cr_assert_eq(last, VSDK_ERROR_FORMAT);
    cr_assert_eq(test_error.code, VSDK_ERROR_FORMAT);
    cr_assert_eq(driver_read(&d, 0x70), 15 | 64);
    cr_assert(driver_negotiate(&d, VERSION_1));
    ok(vsdk_virtio_fail(device, E));
    cr_assert(driver_read(&d, 0x70) & 64);
}

Test(virtio, the_configuration_space)
{
    uint8_t bytes[8];

    use(0);
    cr_assert_eq(driver_read(&d, 0x104), 0x38373635);
    ok(vsdk_virtio_set_space(device, 4, "x", 1, E));
    cr_assert_eq(edges, 1);
    cr_assert_eq(driver_read(&d, 0x60), 2);
    cr_assert_eq(driver_read(&d, 0x104), 0x38373678);
    ok(vsdk_virtio_get_space(device, 0, bytes, 8, E));
    cr_assert(memcmp(bytes, "1234x678", 8) == 0);
    fails(RANGE, vsdk_virtio_set_space(device, 8, "x", 1, E));
    fails(RANGE, vsdk_virtio_get_space(device, 8, bytes, 1, E));
}

Test(virtio, what_it_is)
{
    vsdk_device *plain =
        make_device(m.vm, &(vsdk_device_ops){.size = sizeof(vsdk_device_ops)}, NULL, 0);
    vsdk_virtio_chain chain;

    cr_assert(vsdk_virtio_user(device, &ops) == &d);
    cr_assert(!vsdk_virtio_user(device, &(vsdk_virtio_ops){0}) && !vsdk_virtio_user(plain, &ops));
    cr_assert(vsdk_virtio_queue_device(device, 0) && !vsdk_virtio_queue_device(device, 1));
    cr_assert_eq(vsdk_virtio_features(device), 0);
    use(EVENT_INDEX);
    cr_assert_eq(vsdk_virtio_features(device), VERSION_1 | EVENT_INDEX);
    ok(vsdk_device_enter(vsdk_virtio_queue_device(device, 0), E));
    fails(NOT_FOUND, vsdk_virtio_pop(device, 0, &chain, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_pop(device, 1, &chain, E));
    ok(vsdk_virtio_signal(device, 0, E));
    vsdk_device_leave(vsdk_virtio_queue_device(device, 0));
    fails(INVALID_ARGUMENT, vsdk_virtio_signal(device, 1, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_fail(plain, E));
    vsdk_device_close(plain);
}

Test(virtio, a_queue_has_a_loop)
{
    vsdk_virtio_config config = config_of();
    vsdk_device *made;
    vsdk_loop *loop;

    ok(vsdk_virtio_create(m.vm, &ops, NULL, &config, &made, E));
    ok(vsdk_loop_create(&loop, E));
    fails(EXISTS, vsdk_virtio_set_loop(device, 0, loop, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_set_loop(made, config.queues, loop, E));
    ok(vsdk_virtio_set_loop(made, 0, loop, E));
    cr_assert(vsdk_virtio_queue_loop(made, 0) == loop);
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_virtio_set_loop(made, 0, loop, E));
    vsdk_device_close(made);
    vsdk_loop_close(loop);
}

Test(virtio, creation_refuses)
{
    vsdk_virtio_config config = config_of();
    vsdk_device *made;
    unsigned releases = 0;
    vsdk_virtio_ops counting = {.size = sizeof counting, .release = release};

    config.queues = 0;
    fails(INVALID_ARGUMENT, vsdk_virtio_create(m.vm, &counting, &releases, &config, &made, E));
    config = config_of();
    config.reserved[0] = 1;
    fails(UNSUPPORTED, vsdk_virtio_create(m.vm, &counting, &releases, &config, &made, E));
    cr_assert_eq(releases, 2);
    config.reserved[0] = 0;
    ok(vsdk_virtio_create(m.vm, &counting, &releases, &config, &made, E));
    vsdk_device_close(made);
    cr_assert_eq(releases, 3);
}

static vsdk_status attach(vsdk_device *to, uint64_t address, uint32_t gsi, uint64_t reserved)
{
    return vsdk_virtio_attach(to,
                              &(vsdk_virtio_place){.size = sizeof(vsdk_virtio_place),
                                                   .address = address,
                                                   .gsi = gsi,
                                                   .reserved = {reserved}},
                              E);
}

Test(virtio, an_attach_refuses)
{
    vsdk_virtio_config config = config_of();
    vsdk_device *made;

    ok(vsdk_virtio_create(m.vm, &ops, NULL, &config, &made, E));
    fails(NOT_FOUND, vsdk_virtio_detach(made, E));
    fails(EXISTS, attach(device, MMIO + 0x10000, 5, 0));
    fails(EXISTS, attach(made, DRIVER_MMIO, 5, 0));
    fails(INVALID_ARGUMENT, attach(made, 2, 5, 0));
    fails(LIMIT, attach(made, MMIO + 0x10000, 1024, 0));
    fails(RANGE, attach(made, ~UINT64_C(3), 5, 0));
    fails(UNSUPPORTED, attach(made, MMIO + 0x10000, 5, 1));
    ok(attach(made, MMIO + 0x10000, 5, 0));
    ok(vsdk_virtio_detach(made, E));
    vsdk_device_close(made);
}

Test(virtio, is_gone_with_its_machine)
{
    const vsdk_virtio_chain *chain = one();
    vsdk_virtio_config config = config_of();
    vsdk_device *made = NULL, *other = NULL;
    vsdk_dma_view view;
    uint8_t byte = 0;
    uint32_t count;

    ok(vsdk_virtio_create(m.vm, &ops, NULL, &config, &made, E));
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_virtio_create(m.vm, &ops, NULL, &config, &other, E));
    fails(GONE, attach(made, MMIO + 0x10000, 5, 0));
    fails(GONE, vsdk_virtio_read(device, chain, 0, &byte, 1, E));
    fails(GONE, vsdk_virtio_write(device, chain, 0, &byte, 1, E));
    fails(GONE, vsdk_virtio_map(device, chain, VSDK_DMA_TO_GUEST, 0, 1, &view, 1, &count, E));
    vsdk_device_close(made);
}

static vsdk_status inside;

static void detach_inside(void *user, vsdk_device *of, uint32_t queue)
{
    (void)user, (void)queue;
    inside = vsdk_virtio_detach(of, E);
}

Test(virtio, is_not_detached_from_its_own_callback)
{
    static const vsdk_virtio_ops detaching = {.size = sizeof detaching, .notify = detach_inside};
    vsdk_virtio_config config = config_of();

    ok(vsdk_virtio_detach(device, E));
    vsdk_device_close(device);
    ok(vsdk_virtio_create(m.vm, &detaching, NULL, &config, &device, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(attach(device, DRIVER_MMIO, DRIVER_GSI, 0));
    ok(vsdk_vm_resume(m.vm, E));
    inside = VSDK_OK;
    use(0);
    cr_assert_eq(inside, VSDK_ERROR_BUSY);
    ok(vsdk_virtio_detach(device, E));
}

/* The local APIC's addresses, where the hypervisor serves them. */
Test(virtio, keeps_out_of_what_is_the_hypervisors)
{
    vsdk_virtio_config config = config_of();
    vsdk_device *made;
    vsdk_vm_range list[64];
    uint32_t needed;

    ok(vsdk_vm_list_reserved(m.vm, list, 64, &needed, E));
    ok(vsdk_virtio_create(m.vm, &ops, NULL, &config, &made, E));
    for (uint32_t i = 0; i < needed && i < 64; i++)
        if (list[i].space == VSDK_SPACE_MMIO && list[i].length >= 0x200 && list[i].address % 4 == 0)
            fails(RESERVED, attach(made, list[i].address, 5, 0));
    vsdk_device_close(made);
}
