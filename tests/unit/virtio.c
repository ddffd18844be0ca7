/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio devices: the negotiation, the rings against a driver that uses every form of them, and
 * drivers that break the rules. Over MMIO; with $VSDK_TEST_TRANSPORT=pci over PCI. */
#include "core_rig.h"
#include "driver.h"
#include "pci_driver.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY = 1 << 20, RINGS = 0x1000, DATA = 0x20000, TABLES = 0x80000, ROOM = 0x400 };

#define VERSION_1 (UINT64_C(1) << 32)
#define INDIRECT (UINT64_C(1) << 28)
#define EVENT_INDEX (UINT64_C(1) << 29)
#define PACKED (UINT64_C(1) << 34)
#define IN_ORDER (UINT64_C(1) << 35)
#define RING_RESET (UINT64_C(1) << 40)

static struct core_rig rig;
static struct driver d;
static vsdk_ram *ram;
static vsdk_device *device;
static _Atomic unsigned interrupts;

/* What the device under test does: by default each chain gets its bytes back, upside down. */
static struct echo {
    unsigned notified, ready, resets, queue_resets, releases, starts, stops;
    vsdk_status last; /* of the pop that ended notify */
    int holds;        /* chains are kept, to be pushed in another order */
    int finishes;     /* a stop answers what is held */
    uint32_t limit;   /* pops a notify, 0: all */
    vsdk_virtio_chain held[DRIVER_QUEUE_MOST];
    uint32_t count;
} echo;

static void answer(const vsdk_virtio_chain *chain)
{
    uint8_t bytes[ROOM * 8];
    uint64_t length = chain->readable < chain->writable ? chain->readable : chain->writable;

    cr_assert(chain->readable <= sizeof bytes);
    ok(vsdk_virtio_read(device, chain, 0, bytes, length, NULL));
    for (uint64_t i = 0; i < length; i++)
        bytes[i] ^= 0xff;
    ok(vsdk_virtio_write(device, chain, 0, bytes, length, NULL));
    ok(vsdk_virtio_push(device, chain, (uint32_t)length, NULL));
}

static void notified(void *user, vsdk_device *of, uint32_t queue)
{
    vsdk_virtio_chain chain;

    cr_assert(user == &echo && of == device && queue < 2);
    if (queue)
        return; /* a state has made it ready */
    echo.notified++;
    for (uint32_t i = 0; !echo.limit || i < echo.limit; i++) {
        echo.last = vsdk_virtio_pop(device, queue, &chain, NULL);
        if (echo.last)
            return;
        if (echo.holds)
            echo.held[echo.count++] = chain;
        else
            answer(&chain);
    }
}

static void ready(void *user, vsdk_device *of)
{
    ((struct echo *)user)->ready++;
}

static void was_reset(void *user, vsdk_device *of)
{
    ((struct echo *)user)->resets++;
    echo.count = 0;
}

static void queue_was_reset(void *user, vsdk_device *of, uint32_t queue)
{
    ((struct echo *)user)->queue_resets += queue == 0;
    echo.count = 0;
}

static void started(void *user, vsdk_device *of, uint32_t queue)
{
    ((struct echo *)user)->starts++;
}

static vsdk_stop_answer stopped(void *user, vsdk_device *of, uint32_t queue, vsdk_stop_mode mode)
{
    echo.stops++;
    while (echo.finishes && echo.count)
        answer(&echo.held[--echo.count]);
    if (echo.finishes && queue == 0)
        ok(vsdk_virtio_signal(of, queue, NULL));
    return VSDK_STOP_DONE;
}

static void released(void *user)
{
    ((struct echo *)user)->releases++;
}

static const vsdk_virtio_ops echo_ops = {.size = sizeof echo_ops,
                                         .notify = notified,
                                         .ready = ready,
                                         .reset = was_reset,
                                         .queue_reset = queue_was_reset,
                                         .start = started,
                                         .stop = stopped,
                                         .release = released};

static void line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    interrupts += level;
}

static vsdk_virtio_config config_of(void)
{
    static const uint8_t space[] = {1, 2, 3, 4, 5, 6, 7, 8};

    return (vsdk_virtio_config){.size = sizeof(vsdk_virtio_config),
                                .name = "echo",
                                .type = 42,
                                .features = 5,
                                .queues = 2,
                                .queue_size = DRIVER_QUEUE_MOST,
                                .chain_max = 16,
                                .space = space,
                                .space_length = sizeof space};
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

/* Messages: none of the devices here has anything else that sends some. */
vsdk_status __wrap_vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data,
                                    vsdk_error *error);

vsdk_status __wrap_vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    interrupts++;
    return VSDK_OK;
}

static int over_pci;
static vsdk_device *host;

static uint64_t way_read(uint64_t address, uint16_t width)
{
    cr_assert_eq(rig_read(&rig, VSDK_SPACE_MMIO, address, width), BUS_CLAIMED);
    return width == 8 ? rig.exit.value : rig.exit.value & ((UINT64_C(1) << 8 * width) - 1);
}

static void way_write(uint64_t address, uint16_t width, uint64_t value)
{
    cr_assert_geq(rig_write(&rig, VSDK_SPACE_MMIO, address, width, value), BUS_CLAIMED);
}

static vsdk_virtio_place place_of(void)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};

    if (over_pci)
        place = (vsdk_virtio_place){.size = sizeof place,
                                    .transport = VSDK_VIRTIO_PCI,
                                    .address = PCI_TEST_SLOT,
                                    .host = host};
    return place;
}

/* The guest is RUNNING, and has not met this device. */
static void find_device(void)
{
    if (over_pci)
        pci_driver_start();
}

static void only_mmio(void)
{
    if (over_pci)
        cr_skip_test("registers of MMIO");
}

static void begin(void)
{
    vsdk_virtio_config config = config_of();

    over_pci = getenv("VSDK_TEST_TRANSPORT") != NULL;
    pci_way_of = (pci_way){way_read, way_write};
    host = NULL;
    rig_make(&rig);
    if (over_pci)
        ok(vsdk_pci_create(rig.vm, NULL, &host, NULL));
    vsdk_virtio_place place = place_of();
    ram = rig_ram(&rig, 0, MEMORY, 0);
    memset(&echo, 0, sizeof echo);
    interrupts = 0;
    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, line, NULL, NULL, NULL));
    ok(vsdk_virtio_create(rig.vm, &echo_ops, &echo, &config, &device, NULL));
    ok(vsdk_virtio_attach(device, &place, NULL));
    rig_run(&rig);
    find_device();
    d = (struct driver){.read = over_pci ? pci_driver_read : read_register,
                        .write = over_pci ? pci_driver_write : write_register,
                        .memory = vsdk_ram_data(ram)};
}

static void end(void)
{
    vsdk_device_close(device);
    vsdk_device_close(host);
    vsdk_ram_close(ram);
    rig_end(&rig);
    cr_assert_eq(echo.releases, 1);
}

TestSuite(virtio, .init = begin, .fini = end);

static void dispatch(void)
{
    uint32_t count;

    do
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 0, &count, NULL));
    while (count);
}

static void use(uint64_t features, uint32_t size)
{
    cr_assert(driver_negotiate(&d, features | VERSION_1));
    driver_queue(&d, 0, size, RINGS, features);
    cr_assert_eq(driver_read(&d, 0x44), 1);
    driver_ok(&d);
    dispatch();
}

static const uint64_t forms[] = {0,      EVENT_INDEX,          IN_ORDER,
                                 PACKED, PACKED | EVENT_INDEX, PACKED | EVENT_INDEX | IN_ORDER};
enum { FORMS = sizeof forms / sizeof *forms };

Test(virtio, registers_say_what_it_is)
{
    only_mmio();
    cr_assert_eq(driver_read(&d, 0), 0x74726976);
    cr_assert_eq(driver_read(&d, 4), 2);
    cr_assert_eq(driver_read(&d, 8), 42);
    cr_assert_eq(driver_read(&d, 0x34), DRIVER_QUEUE_MOST);
    driver_write(&d, 0x30, 2);
    cr_assert_eq(driver_read(&d, 0x34), 0);
    cr_assert_eq(driver_read(&d, 0x100), 0x04030201);
    cr_assert_eq(driver_read(&d, 0x104), 0x08070605);
    cr_assert_eq(driver_read(&d, 0x108), 0);
    cr_assert_eq(driver_read(&d, 0x10), 5 | INDIRECT | EVENT_INDEX);
    driver_write(&d, 0x14, 1);
    cr_assert_eq(driver_read(&d, 0x10), 0x10d);
    driver_write(&d, 0x14, 2);
    cr_assert_eq(driver_read(&d, 0x10), 0);
}

Test(virtio, features_are_accepted_as_a_whole)
{
    cr_assert(!driver_negotiate(&d, 5), "a driver of old");
    cr_assert(!driver_negotiate(&d, VERSION_1 | 2), "a bit that was not offered");
    cr_assert_eq(vsdk_virtio_features(device), 0);
    cr_assert(driver_negotiate(&d, VERSION_1 | 4));
    cr_assert_eq(vsdk_virtio_features(device), VERSION_1 | 4);
    driver_write(&d, 0x24, 0);
    driver_write(&d, 0x20, 1);
    cr_assert_eq(vsdk_virtio_features(device), VERSION_1 | 4, "too late");
    driver_write(&d, 0x70, 0);
    cr_assert_eq(vsdk_virtio_features(device), 0);
    driver_write(&d, 0x70, 7);
    cr_assert_eq(driver_read(&d, 0x70), 3, "DRIVER_OK without features");
}

/* A chain that is out, by its id. */
static struct sent {
    driver_buffer buffers[8];
    uint32_t count, length; /* what comes back: the smaller of both sums */
} sent[DRIVER_QUEUE_MOST];

/* The ids that are out, in the order in which they were added. */
static struct {
    int kept;
    uint32_t ids[DRIVER_QUEUE_MOST], count;
} order;

/* A chain of any shape; how many descriptors of the ring it took, 0 if there was no room. */
static uint32_t add_any(void)
{
    struct sent made = {0};
    uint32_t readable = 1 + (uint32_t)rand() % 4, writable = (uint32_t)rand() % 4, number = 0;
    uint32_t sums[2] = {0};
    int indirect = rand() % 2;

    made.count = readable + writable;
    while (number < d.size && d.ids[number].busy)
        number++;
    if (!d.packed && d.free)
        number = d.unused[d.size - d.free];
    if (number >= d.size || d.free < (indirect ? 1 : made.count))
        return 0;
    for (uint32_t i = 0; i < made.count; i++) {
        driver_buffer *b = &made.buffers[i];
        *b = (driver_buffer){DATA + number * 0x1000 + i * 0x200, 1 + (uint32_t)rand() % 0x1ff,
                             i >= readable};
        sums[b->writable] += b->length;
        for (uint32_t k = 0; k < b->length; k++)
            d.memory[b->gpa + k] = (uint8_t)rand();
    }
    made.length = sums[0] < sums[1] ? sums[0] : sums[1];
    int id = driver_add(&d, made.buffers, made.count, indirect ? TABLES + number * 0x100 : 0);
    cr_assert_eq((uint32_t)id, number);
    sent[id] = made;
    order.ids[order.count++] = number;
    return indirect ? 1 : made.count;
}

/* The byte at `offset` of those that a chain's device reads, or writes. */
static uint8_t byte_of(const struct sent *chain, int writable, uint32_t offset)
{
    for (uint32_t i = 0; i < chain->count; i++) {
        const driver_buffer *b = &chain->buffers[i];
        if (b->writable != writable)
            continue;
        if (offset < b->length)
            return d.memory[b->gpa + offset];
        offset -= b->length;
    }
    cr_assert_fail("a chain is too short");
    return 0;
}

static void answer_any(void)
{
    vsdk_device *queue = vsdk_virtio_queue_device(device, 0);

    while (echo.count && rand() % 3) {
        uint32_t which = (uint32_t)rand() % echo.count;
        ok(vsdk_device_enter(queue, NULL));
        answer(&echo.held[which]);
        ok(vsdk_virtio_signal(device, 0, NULL));
        vsdk_device_leave(queue);
        echo.held[which] = echo.held[--echo.count];
    }
}

static void look_at_order(uint32_t id)
{
    cr_assert(!order.kept || order.ids[0] == id, "%u before %u", id, order.ids[0]);
    uint32_t at = 0;
    while (order.ids[at] != id)
        at++;
    memmove(&order.ids[at], &order.ids[at + 1], (--order.count - at) * sizeof *order.ids);
}

static unsigned take_and_look(void)
{
    uint32_t id, length;
    unsigned taken = 0;

    for (; driver_take(&d, &id, &length); taken++) {
        look_at_order(id);
        cr_assert_eq(length, sent[id].length);
        for (uint32_t k = 0; k < length; k++)
            cr_assert_eq(byte_of(&sent[id], 1, k), byte_of(&sent[id], 0, k) ^ 0xff);
    }
    return taken;
}

/* Chains of every shape, answered in any order; every byte is looked at, and an interrupt that the
 * driver waits for comes. */
static void exchange(uint64_t form, uint32_t size, unsigned seed, int holds)
{
    enum { ROUNDS = 600 };
    unsigned outstanding = 0, all = 0;

    srand(seed);
    use(form | INDIRECT, size);
    order.kept = !!(form & IN_ORDER);
    order.count = 0;
    echo.holds = holds;
    for (unsigned round = 0; round < ROUNDS || outstanding; round++) {
        uint32_t descriptors = 0, chains = 0, added;
        cr_assert(round < 4 * ROUNDS, "%u chains do not come back", outstanding);
        unsigned before = interrupts;
        int asleep = !driver_sleep(&d);
        while (round < ROUNDS && rand() % 4 && (added = add_any())) {
            descriptors += added;
            chains++;
        }
        if (chains)
            driver_kick(&d, d.packed ? descriptors : chains);
        dispatch();
        answer_any();
        unsigned taken = take_and_look();
        cr_assert(!taken || !asleep || interrupts > before, "no interrupt in round %u", round);
        outstanding += chains - taken;
        all += taken;
        driver_awake(&d);
    }
    cr_assert(all > ROUNDS / 2);
    cr_assert_eq(driver_read(&d, 0x70), 15);
    driver_write(&d, 0x70, 0);
}

Test(virtio, chains_are_answered)
{
    for (unsigned i = 0; i < FORMS; i++)
        exchange(forms[i], 16, i, 0);
    exchange(PACKED | EVENT_INDEX, 11, 7, 0);
}

Test(virtio, chains_are_answered_in_any_order)
{
    for (unsigned i = 0; i < FORMS; i++)
        exchange(forms[i], 8, 10 + i, 1);
    exchange(PACKED, 7, 17, 1);
}

Test(virtio, a_notify_takes_no_more_than_its_turn)
{
    driver_buffer b = {DATA, 8, 0};

    use(0, 64);
    unsigned before = echo.notified;
    echo.limit = 3;
    for (int i = 0; i < 10; i++)
        cr_assert_geq(driver_add(&d, &b, 1, 0), 0);
    driver_kick(&d, 10);
    dispatch();
    cr_assert_eq(echo.notified, before + 1, "who stops by itself goes on by itself");
    echo.limit = 0;
}

/* It tells of chains only when the device has found its ring empty. */
Test(virtio, a_driver_is_silent_while_the_device_is_at_work)
{
    driver_buffer b = {DATA, 8, 0};

    for (unsigned form = 0; form < 2; form++) {
        use(form ? PACKED : 0, 64);
        for (unsigned again = 0; again < 2; again++) {
            echo.limit = 1;
            driver_add(&d, &b, 1, 0);
            driver_add(&d, &b, 1, 0);
            cr_assert(driver_kick(&d, 2));
            dispatch();
            cr_assert(!driver_kick(&d, 0), "a bell for a device that has not seen all");
            echo.limit = 0;
            ok(vsdk_device_enter(vsdk_virtio_queue_device(device, 0), NULL));
            notified(&echo, device, 0);
            vsdk_device_leave(vsdk_virtio_queue_device(device, 0));
        }
        cr_assert(driver_kick(&d, 0));
        driver_write(&d, 0x70, 0);
    }
}

Test(virtio, a_driver_that_breaks_rules_needs_a_reset)
{
    /* avail index, head, descriptor 0 */
    static const struct {
        uint16_t index, head, flags, next;
        uint32_t length;
        uint64_t address;
    } bad[] = {
        {17, 0, 0, 0, 8, DATA},           /* too far */
        {1, 16, 0, 0, 8, DATA},           /* no such head */
        {1, 0, 1, 16, 8, DATA},           /* no such next */
        {1, 0, 1, 0, 8, DATA},            /* a loop */
        {1, 0, 4 | 1, 0, 16, DATA},       /* a table and more */
        {1, 0, 4, 0, 0, DATA},            /* an empty table */
        {1, 0, 4, 0, 17, DATA},           /* a table of half descriptors */
        {1, 0, 4, 0, 17 * 16, DATA},      /* a long table */
        {1, 0, 4, 0, 32, UINT64_MAX - 7}, /* a table nowhere */
        {1, 0, 0, 0, 16, UINT64_MAX - 7}, /* a buffer that wraps */
    };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        use(INDIRECT, 16);
        uint8_t *at = d.memory + RINGS;
        memcpy(at, &bad[i].address, 8);
        memcpy(at + 8, &bad[i].length, 4);
        memcpy(at + 12, &bad[i].flags, 2);
        memcpy(at + 14, &bad[i].next, 2);
        memcpy(at + 256 + 4, &bad[i].head, 2);
        memcpy(at + 256 + 2, &bad[i].index, 2);
        unsigned before = interrupts;
        driver_write(&d, 0x50, 0);
        dispatch();
        cr_assert_eq(echo.last, VSDK_ERROR_FORMAT, "row %u", i);
        cr_assert_eq(driver_read(&d, 0x70), 15 | 64, "row %u", i);
        cr_assert_eq(interrupts, before + 1);
        cr_assert_eq(driver_read(&d, 0x60), 2);
        echo.last = VSDK_OK;
        driver_write(&d, 0x50, 0);
        dispatch();
        cr_assert_eq(echo.last, VSDK_OK, "nothing is served until the reset");
        cr_assert(driver_negotiate(&d, VERSION_1), "row %u", i);
    }
}

Test(virtio, a_packed_driver_that_breaks_rules_needs_a_reset)
{
    static const struct {
        uint16_t flags;
        uint32_t length;
    } bad[] = {{4 | 1, 16}, {4, 0}, {4, 17 * 16}, {1, 8}};

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        use(INDIRECT | PACKED, 16);
        for (int k = 0; k < 16; k++) {
            uint8_t *at = d.memory + RINGS + 16 * k;
            uint64_t address = DATA;
            uint16_t flags = (uint16_t)(bad[i].flags | 1 << 7);
            memcpy(at, &address, 8);
            memcpy(at + 8, &bad[i].length, 4);
            memcpy(at + 14, &flags, 2);
        }
        driver_write(&d, 0x50, 0);
        dispatch();
        cr_assert_eq(echo.last, VSDK_ERROR_FORMAT, "row %u", i);
        cr_assert_eq(driver_read(&d, 0x70), 15 | 64, "row %u", i);
    }
}

Test(virtio, rings_that_are_not_there_need_a_reset)
{
    static const uint32_t places[][2] = {{0x80, 0xfffff000}, {0x90, 1}, {0xa0, MEMORY}, {0x80, 8}};

    for (unsigned i = 0; i < 4; i++) {
        cr_assert(driver_negotiate(&d, VERSION_1));
        driver_write(&d, 0x30, 0);
        driver_write(&d, 0x38, 16);
        driver_write(&d, 0x80, RINGS);
        driver_write(&d, 0x90, RINGS + 0x100);
        driver_write(&d, 0xa0, RINGS + 0x200);
        driver_write(&d, places[i][0], places[i][1]);
        driver_write(&d, 0x44, 1);
        cr_assert_eq(driver_read(&d, 0x44), 0);
        cr_assert_eq(driver_read(&d, 0x70), 11 | 64, "row %u", i);
    }
    static const uint32_t sizes[] = {0, 3, 128, 65536 + 16, 16};
    for (unsigned i = 0; i < 5; i++) {
        if (over_pci && sizes[i] > UINT16_MAX)
            continue;
        cr_assert(driver_negotiate(&d, VERSION_1));
        driver_write(&d, 0x30, 0);
        driver_write(&d, 0x38, sizes[i]);
        driver_write(&d, 0x80, RINGS);
        driver_write(&d, 0x90, RINGS + 0x100);
        driver_write(&d, 0xa0, RINGS + 0x200);
        driver_write(&d, 0x44, 1);
        cr_assert_eq(driver_read(&d, 0x44), i == 4, "size %u", sizes[i]);
    }
}

Test(virtio, a_reset_forgets_chains)
{
    driver_buffer b[2] = {{DATA, 8, 0}, {DATA + 8, 8, 1}};
    uint8_t byte;

    use(0, 16);
    echo.holds = 1;
    driver_add(&d, b, 2, 0);
    driver_kick(&d, 1);
    dispatch();
    cr_assert_eq(echo.count, 1);
    vsdk_virtio_chain old = echo.held[0];
    ok(vsdk_virtio_read(device, &old, 7, &byte, 1, NULL));
    fails(RANGE, vsdk_virtio_read(device, &old, 7, (uint8_t[2]){0}, 2, E));
    fails(RANGE, vsdk_virtio_push(device, &old, 9, E));
    driver_write(&d, 0x70, 0);
    cr_assert_eq(echo.resets, 2);
    fails(STATE, vsdk_virtio_read(device, &old, 0, &byte, 1, E));
    ok(vsdk_virtio_push(device, &old, 8, NULL));
    use(0, 16);
    ok(vsdk_virtio_push(device, &old, 8, NULL));
    fails(STATE, vsdk_virtio_read(device, &old, 0, &byte, 1, E));
    cr_assert(driver_sleep(&d) == 0);
}

Test(virtio, one_queue_is_reset)
{
    driver_buffer b[2] = {{DATA, 8, 0}, {DATA + 8, 8, 1}};

    use(0, 16);
    driver_write(&d, 0x30, 0);
    driver_write(&d, 0xc0, 1);
    cr_assert_eq(driver_read(&d, 0x44), 1, "it was not negotiated");
    use(RING_RESET, 16);
    echo.holds = 1;
    driver_add(&d, b, 2, 0);
    driver_kick(&d, 1);
    dispatch();
    vsdk_virtio_chain old = echo.held[0];
    driver_write(&d, 0x30, 0);
    driver_write(&d, 0xc0, 1);
    cr_assert_eq(echo.queue_resets, 1);
    cr_assert_eq(driver_read(&d, 0xc0), 0);
    cr_assert_eq(driver_read(&d, 0x44), 0);
    cr_assert_eq(driver_read(&d, 0x70), 15, "the others go on");
    fails(STATE, vsdk_virtio_read(device, &old, 0, (uint8_t[1]){0}, 1, E));
    ok(vsdk_virtio_push(device, &old, 8, NULL));
    echo.holds = 0;
    driver_queue(&d, 0, 8, RINGS + 0x1000, RING_RESET);
    driver_add(&d, b, 2, 0);
    driver_kick(&d, 1);
    dispatch();
    uint32_t id, length;
    cr_assert(driver_take(&d, &id, &length) && length == 8);
}

/* A thread that serves another loop finds nothing to do. */
Test(virtio, each_queue_has_a_loop)
{
    driver_buffer b[2] = {{DATA, 8, 0}, {DATA + 8, 8, 1}};
    vsdk_virtio_config config = config_of();
    vsdk_virtio_place place = place_of();
    vsdk_loop *loop;
    uint32_t count, id, length;

    ok(vsdk_loop_create(&loop, NULL));
    fails(EXISTS, vsdk_virtio_set_loop(device, 0, loop, E));
    ok(vsdk_virtio_detach(device, NULL));
    vsdk_device_close(device);
    echo.releases = 0;
    ok(vsdk_virtio_create(rig.vm, &echo_ops, &echo, &config, &device, NULL));
    cr_assert(vsdk_virtio_queue_loop(device, 0) == vsdk_vm_loop(rig.vm, NULL));
    ok(vsdk_virtio_set_loop(device, 0, loop, NULL));
    cr_assert(vsdk_virtio_queue_loop(device, 0) == loop && !vsdk_virtio_queue_loop(device, 2));
    cr_assert(vsdk_virtio_queue_loop(device, 1) == vsdk_vm_loop(rig.vm, NULL));
    ok(vsdk_virtio_attach(device, &place, NULL));
    find_device();
    use(0, 16);
    driver_add(&d, b, 2, 0);
    driver_kick(&d, 1);
    dispatch();
    cr_assert(!driver_take(&d, &id, &length));
    ok(vsdk_loop_dispatch(loop, 0, &count, NULL));
    cr_assert(driver_take(&d, &id, &length) && length == 8);
    vsdk_loop_close(loop);
}

Test(virtio, a_chain_is_pushed_once)
{
    driver_buffer b = {DATA, 8, 1};

    use(0, 16);
    echo.holds = 1;
    driver_add(&d, &b, 1, 0);
    driver_kick(&d, 1);
    dispatch();
    ok(vsdk_virtio_push(device, &echo.held[0], 8, NULL));
    fails(INVALID_ARGUMENT, vsdk_virtio_push(device, &echo.held[0], 8, E));
    use(IN_ORDER, 16);
    echo.count = 0;
    driver_add(&d, &b, 1, 0);
    driver_add(&d, &b, 1, 0);
    driver_kick(&d, 2);
    dispatch();
    ok(vsdk_virtio_push(device, &echo.held[1], 8, NULL));
    fails(INVALID_ARGUMENT, vsdk_virtio_push(device, &echo.held[1], 8, E));
}

Test(virtio, bytes_of_a_chain_are_pinned)
{
    driver_buffer b[3] = {{DATA, 100, 0}, {DATA + 0x1000, 100, 1}, {DATA + 0x2000, 100, 1}};
    vsdk_dma_view views[3];
    uint32_t count;

    use(0, 16);
    echo.holds = 1;
    driver_add(&d, b, 3, 0);
    driver_kick(&d, 1);
    dispatch();
    const vsdk_virtio_chain *chain = &echo.held[0];
    ok(vsdk_virtio_map(device, chain, VSDK_DMA_TO_GUEST, 50, 100, views, 3, &count, NULL));
    cr_assert_eq(count, 2);
    cr_assert(views[0].data == d.memory + DATA + 0x1000 + 50 && views[0].length == 50);
    cr_assert(views[1].data == d.memory + DATA + 0x2000 && views[1].length == 50);
    vsdk_dma_unmap(&views[0]);
    vsdk_dma_unmap(&views[1]);
    fails(LIMIT, vsdk_virtio_map(device, chain, VSDK_DMA_TO_GUEST, 0, 200, views, 1, &count, E));
    cr_assert(count == 0 && !views[0].data);
    fails(RANGE, vsdk_virtio_map(device, chain, VSDK_DMA_FROM_GUEST, 0, 101, views, 3, &count, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_map(device, chain, 3, 0, 1, views, 3, &count, E));
}

Test(virtio, the_space_changes_and_is_told)
{
    uint8_t bytes[8];

    use(0, 16);
    uint32_t generation = driver_read(&d, 0xfc);
    ok(vsdk_virtio_set_space(device, 2, "ab", 2, NULL));
    cr_assert_eq(driver_read(&d, 0x100), 0x62610201);
    cr_assert_neq(driver_read(&d, 0xfc), generation);
    cr_assert(interrupts == 1 && driver_read(&d, 0x60) == 2);
    driver_write(&d, 0x64, 2);
    cr_assert_eq(driver_read(&d, 0x60), 0);
    ok(vsdk_virtio_get_space(device, 0, bytes, 8, NULL));
    cr_assert(memcmp(bytes, "\1\2ab\5\6\7\10", 8) == 0);
    fails(RANGE, vsdk_virtio_set_space(device, 7, "ab", 2, E));
    driver_write(&d, 0x100, 0xffffffff);
    cr_assert_eq(driver_read(&d, 0x100), 0x62610201, "it can't be written by the driver");
}

/* An event between the driver's look at the status and its acknowledgement is told again. */
Test(virtio, what_an_acknowledgement_leaves_is_told_again)
{
    driver_buffer b = {DATA, 8, 1};

    only_mmio();
    use(0, 16);
    driver_add(&d, &b, 1, 0);
    driver_kick(&d, 1);
    dispatch();
    cr_assert(interrupts == 1 && driver_read(&d, 0x60) == 1);
    ok(vsdk_virtio_set_space(device, 0, "x", 1, NULL));
    cr_assert_eq(interrupts, 2);
    driver_write(&d, 0x64, 1);
    cr_assert_eq(interrupts, 3);
    driver_write(&d, 0x64, 2);
    cr_assert_eq(interrupts, 3);
}

Test(virtio, queues_stop_and_start)
{
    driver_buffer b = {DATA, 8, 1};
    uint32_t id, length;

    use(0, 16);
    driver_add(&d, &b, 1, 0);
    driver_kick(&d, 1);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    cr_assert_eq(echo.stops, 2);
    unsigned before = echo.notified;
    dispatch();
    cr_assert_eq(echo.notified, before);
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
    cr_assert(driver_take(&d, &id, &length));
}

Test(virtio, wrong_configurations_are_refused)
{
    vsdk_device *made;
    struct echo other = {0};

#define REFUSED(code, field, bad)                                                                  \
    do {                                                                                           \
        vsdk_virtio_config config = config_of();                                                   \
        config.field = bad;                                                                        \
        fails(code, vsdk_virtio_create(rig.vm, &echo_ops, &other, &config, &made, E));             \
    } while (0)
    REFUSED(INVALID_ARGUMENT, type, 0);
    REFUSED(INVALID_ARGUMENT, queues, 0);
    REFUSED(INVALID_ARGUMENT, queues, 257);
    REFUSED(INVALID_ARGUMENT, queue_size, 48);
    REFUSED(INVALID_ARGUMENT, queue_size, 65536);
    REFUSED(INVALID_ARGUMENT, chain_max, 1025);
    REFUSED(INVALID_ARGUMENT, features, INDIRECT);
    REFUSED(INVALID_ARGUMENT, space_length, 257);
    REFUSED(UNSUPPORTED, reserved[3], 1);
    cr_assert_eq(other.releases, 9, "released %u times", other.releases);
    fails(EXISTS,
          vsdk_virtio_attach(
              device,
              &(vsdk_virtio_place){.size = sizeof(vsdk_virtio_place), .address = DRIVER_MMIO}, E));
}

Test(virtio, it_is_detached_and_attached_again)
{
    vsdk_virtio_place place = place_of();

    place.gsi = over_pci ? 0 : 7;
    use(0, 16);
    ok(vsdk_virtio_detach(device, NULL));
    fails(NOT_FOUND, vsdk_virtio_detach(device, E));
    cr_assert_neq(rig_read(&rig, VSDK_SPACE_MMIO, DRIVER_MMIO, 4), BUS_CLAIMED);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_virtio_attach(device, &place, NULL));
    ok(vsdk_vm_resume(rig.vm, NULL));
    find_device();
    exchange(EVENT_INDEX, 16, 3, 0);
}

static void replace_device(void)
{
    vsdk_virtio_config config = config_of();
    vsdk_virtio_place place = place_of();

    ok(vsdk_virtio_detach(device, NULL));
    vsdk_device_close(device);
    cr_assert_eq(echo.releases, 1);
    echo.releases = 0;
    ok(vsdk_virtio_create(rig.vm, &echo_ops, &echo, &config, &device, NULL));
    ok(vsdk_virtio_attach(device, &place, NULL));
}

static unsigned take_all(void)
{
    uint32_t id, length;
    unsigned count = 0;

    while (driver_take(&d, &id, &length))
        count++;
    return count;
}

/* Chains that the device had, and one that it had not seen, are answered by another device that was
 * given the state. */
static void move(uint64_t form)
{
    driver_buffer b[2] = {{DATA, 8, 0}, {DATA + 8, 8, 1}};
    uint8_t state[16384], again[16384];
    uint64_t length, second;

    use(form | INDIRECT, 16);
    echo.holds = 1;
    for (int i = 0; i < 3; i++)
        cr_assert_geq(driver_add(&d, b, 2, i == 1 ? TABLES : 0), 0);
    driver_kick(&d, d.packed ? 5 : 3);
    dispatch();
    cr_assert_eq(echo.count, 3);
    ok(vsdk_device_enter(vsdk_virtio_queue_device(device, 0), NULL));
    answer(&echo.held[1]);
    vsdk_device_leave(vsdk_virtio_queue_device(device, 0));
    cr_assert_geq(driver_add(&d, b, 2, 0), 0);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    replace_device();
    ok(vsdk_device_load(device, state, length, NULL));
    ok(vsdk_device_save(device, again, sizeof again, &second, NULL));
    cr_assert(second == length && memcmp(state, again, length) == 0, "a state is kept as it is");
    echo.holds = echo.count = 0;
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
    cr_assert_eq(take_all(), 4);
    cr_assert_eq(driver_read(&d, 0x70), 15);
    cr_assert_eq(driver_add(&d, b, 2, 0) >= 0, 1);
    driver_kick(&d, d.packed ? 2 : 1);
    dispatch();
    cr_assert_eq(take_all(), 1);
    driver_write(&d, 0x70, 0);
}

Test(virtio, a_state_goes_on_in_another_device)
{
    for (unsigned i = 0; i < FORMS; i++)
        move(forms[i]);
}

/* Whatever a state holds, loading it is refused or its device can be reset. */
Test(virtio, states_are_not_trusted)
{
    driver_buffer b[2] = {{DATA, 8, 0}, {DATA + 8, 8, 1}};
    uint8_t state[16384], bad[16384];
    uint64_t length;
    unsigned taken = 0, refused = 0;

    for (unsigned form = 0; form < 2; form++) {
        use(form ? PACKED : 0, 16);
        echo.holds = 1;
        for (int i = 0; i < 3; i++)
            driver_add(&d, b, 2, 0);
        driver_kick(&d, d.packed ? 6 : 3);
        dispatch();
        ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
        ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
        for (uint64_t at = 0; at < length; at++) {
            static const uint8_t flips[] = {1, 0x80, 0xff};
            memcpy(bad, state, length);
            bad[at] ^= flips[at % 3];
            if (vsdk_device_load(device, bad, length, NULL)) {
                refused++;
                continue;
            }
            taken++;
            ok(vsdk_vm_resume(rig.vm, NULL));
            dispatch();
            echo.count = 0;
            ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
        }
        for (uint64_t cut = 0; cut < length; cut++)
            cr_assert(vsdk_device_load(device, state, cut, NULL), "%u bytes", (unsigned)cut);
        ok(vsdk_device_load(device, state, length, NULL));
        echo.count = 0;
        ok(vsdk_vm_resume(rig.vm, NULL));
        dispatch();
        cr_assert_eq(echo.count, 3);
        echo.count = 0;
        driver_write(&d, 0x70, 0);
    }
    cr_assert(taken > 100 && refused > 100, "%u taken, %u refused", taken, refused);
}

Test(virtio, one_that_is_attached_to_a_running_guest_serves_it)
{
    replace_device();
    find_device();
    exchange(EVENT_INDEX, 16, 4, 0);
}

/* The registers may have stopped before. */
Test(virtio, what_a_stop_finishes_is_told_after_the_start)
{
    driver_buffer b = {DATA, 8, 1};
    uint32_t id, length;

    use(0, 16);
    echo.holds = echo.finishes = 1;
    cr_assert(!driver_sleep(&d));
    driver_add(&d, &b, 1, 0);
    driver_kick(&d, 1);
    dispatch();
    unsigned before = interrupts;
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    cr_assert(driver_take(&d, &id, &length));
    ok(vsdk_vm_resume(rig.vm, NULL));
    cr_assert_gt(interrupts, before);
    cr_assert_eq(driver_read(&d, 0x60), over_pci ? 0 : 1);
}

/* A state that is refused takes nothing of one that was loaded before. */
Test(virtio, a_refused_state_changes_nothing)
{
    driver_buffer b = {DATA, 8, 1};
    uint8_t state[16384];
    uint64_t length;

    use(0, 16);
    echo.holds = 1;
    driver_add(&d, &b, 1, 0);
    driver_kick(&d, 1);
    dispatch();
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    ok(vsdk_device_load(device, state, length, NULL));
    for (uint64_t cut = 0; cut < length; cut++)
        cr_assert(vsdk_device_load(device, state, cut, NULL));
    echo.count = 0;
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
    cr_assert_eq(echo.count, 1);
}

/* A ring that meets a detach: the thread that dispatches comes to its watch while that is closed.
 */
static _Atomic int steered, goes, taking, closed_under_it;

vsdk_status __real_vsdk_doorbell_take(vsdk_doorbell *doorbell, uint64_t *rings, vsdk_error *error);
vsdk_status __wrap_vsdk_doorbell_take(vsdk_doorbell *doorbell, uint64_t *rings, vsdk_error *error);
void __real_vsdk_doorbell_close(vsdk_doorbell *doorbell);
void __wrap_vsdk_doorbell_close(vsdk_doorbell *doorbell);
void __real_vsdk_watch_close(vsdk_watch *watch);
void __wrap_vsdk_watch_close(vsdk_watch *watch);

vsdk_status __wrap_vsdk_doorbell_take(vsdk_doorbell *doorbell, uint64_t *rings, vsdk_error *error)
{
    if (!atomic_load(&steered))
        return __real_vsdk_doorbell_take(doorbell, rings, error);
    atomic_store(&taking, 1);
    while (!atomic_load(&closed_under_it))
        usleep(1000);
    return VSDK_OK;
}

void __wrap_vsdk_doorbell_close(vsdk_doorbell *doorbell)
{
    if (doorbell && atomic_load(&taking))
        atomic_store(&closed_under_it, 1);
    __real_vsdk_doorbell_close(doorbell);
}

void __wrap_vsdk_watch_close(vsdk_watch *watch)
{
    if (watch && atomic_load(&steered)) {
        atomic_store(&goes, 1);
        for (int i = 0; i < 200 && !atomic_load(&taking); i++)
            usleep(1000);
    }
    __real_vsdk_watch_close(watch);
}

static void *dispatch_when_it_goes(void *unused)
{
    while (!atomic_load(&goes))
        usleep(1000);
    vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 0, NULL, NULL);
    return unused;
}

Test(virtio, a_ring_that_meets_a_detach_has_its_doorbell)
{
    driver_buffer b = {DATA, 8, 1};
    pthread_t thread;

    use(0, 16);
    driver_add(&d, &b, 1, 0);
    driver_kick(&d, 1);
    cr_assert_eq(pthread_create(&thread, NULL, dispatch_when_it_goes, NULL), 0);
    atomic_store(&steered, 1);
    ok(vsdk_virtio_detach(device, NULL));
    atomic_store(&steered, 0);
    pthread_join(thread, NULL);
    cr_assert_eq(closed_under_it, 0);
}

/* A BAR that moves takes its doorbells with it, and the window in the configuration space shows the
 * same registers. */
Test(virtio, a_device_on_pci_moves)
{
    driver_buffer b = {DATA, 8, 1};
    enum { TO = 0xc0100000, WINDOW = 0x80 };

    if (!over_pci)
        cr_skip_test("not on PCI");
    use(0, 16);
    for (unsigned i = 0; i < 2; i++) {
        pci_set_config(PCI_TEST_SLOT, 4, 2, 4);
        pci_set_config(PCI_TEST_SLOT, 0x10, 4, TO);
        pci_set_config(PCI_TEST_SLOT, 4, 2, 6);
        pci_test_bar = TO;
        driver_add(&d, &b, 1, 0);
        cr_assert(driver_kick(&d, 1));
        dispatch();
        cr_assert_eq(take_all(), 1);
    }
    cr_assert_eq(rig_write(&rig, VSDK_SPACE_MMIO, TO + 0x3000, 2, 0), BUS_RUNG);
    cr_assert_neq(rig_write(&rig, VSDK_SPACE_MMIO, 0xc0003000, 2, 0), BUS_RUNG);
    cr_assert_eq(pci_find(PCI_TEST_SLOT, 9, 5), WINDOW);
    cr_assert_eq(pci_config(PCI_TEST_SLOT, WINDOW + 16, 4), 0);
    pci_set_config(PCI_TEST_SLOT, WINDOW + 4, 1, 0);
    pci_set_config(PCI_TEST_SLOT, WINDOW + 8, 4, 0x2000);
    pci_set_config(PCI_TEST_SLOT, WINDOW + 12, 4, 4);
    cr_assert_eq(pci_config(PCI_TEST_SLOT, WINDOW + 16, 4), 0x04030201);
    pci_set_config(PCI_TEST_SLOT, WINDOW + 8, 4, 20);
    pci_set_config(PCI_TEST_SLOT, WINDOW + 12, 4, 1);
    cr_assert_eq(pci_config(PCI_TEST_SLOT, WINDOW + 16, 1), 15);
    pci_set_config(PCI_TEST_SLOT, WINDOW + 16, 1, 0);
    cr_assert_eq(driver_read(&d, 0x70), 0, "reset by the window");
    static const uint32_t nowhere[][2] = {{0x4000, 4}, {1, 2}, {0, 3}, {0xfffffffc, 4}, {0, 0}};
    for (unsigned i = 0; i < 5; i++) {
        pci_set_config(PCI_TEST_SLOT, WINDOW + 8, 4, nowhere[i][0]);
        pci_set_config(PCI_TEST_SLOT, WINDOW + 12, 4, nowhere[i][1]);
        pci_config(PCI_TEST_SLOT, WINDOW + 16, 4);
        pci_set_config(PCI_TEST_SLOT, WINDOW + 16, 4, UINT32_MAX);
    }
    cr_assert_eq(driver_read(&d, 0x70), 0);
}

/* Widths and offsets that no register has change nothing and hurt nobody. */
Test(virtio, registers_on_pci_take_their_own_width)
{
    if (!over_pci)
        cr_skip_test("not on PCI");
    use(0, 16);
    srand(5);
    for (unsigned i = 0; i < 20000; i++) {
        uint16_t width = (uint16_t)(1u << rand() % 4);
        uint64_t at = pci_test_bar + (uint64_t)rand() % 0x4000;
        if (rand() % 2)
            rig_read(&rig, VSDK_SPACE_MMIO, at, width);
        else if (at - pci_test_bar != 20) /* not the status: that may be a reset */
            rig_write(&rig, VSDK_SPACE_MMIO, at, width, (uint64_t)rand());
    }
    driver_write(&d, 0x30, 0);
    cr_assert_eq(driver_read(&d, 0x44), 1);
    pci_way_of.write(pci_test_bar + 26, 2, 3);
    cr_assert_eq(pci_way_of.read(pci_test_bar + 26, 2), 0xffff, "no such vector");
    driver_write(&d, 0x30, 7);
    cr_assert_eq(pci_way_of.read(pci_test_bar + 24, 2), 0, "no such queue");
}
