/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio block device against a driver by hand: every request, drivers that break the rules,
 * and resets, stops and moves with requests under way. */
#include "core_rig.h"
#include "driver.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY = 4 << 20,
    RINGS = 0x1000,
    HEADERS = 0x20000,
    DATA = 0x100000,
    STATUS = 0x30000,
    HOLE = 0x10000000, /* no memory */
    READ_ONLY = 0x8000000,
    SECTOR = 512,
    SECTORS = 2048,
    CAPACITY = SECTORS * SECTOR,
};
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { F_FLUSH = 1 << 9, F_WCE = 1 << 11 };

#define VERSION_1 (UINT64_C(1) << 32)
#define RING_RESET (UINT64_C(1) << 40)
#define PACKED (UINT64_C(1) << 34)

/* The disk: memory of ours that can be held in the middle of a request. */
static struct backing {
    uint8_t bytes[2 * CAPACITY];
    _Atomic int holds;
    _Atomic unsigned held, reads, writes, flushes, discards, zeroes, unmaps;
    vsdk_status answer;
    sem_t began, goes_on;
} backing;

static void hold(void)
{
    if (!backing.holds)
        return;
    backing.held++;
    sem_post(&backing.began);
    sem_wait(&backing.goes_on);
}

static vsdk_status disk_read(void *user, uint64_t offset, void *buffer, uint64_t length,
                             vsdk_error *error)
{
    backing.reads++;
    hold();
    memcpy(buffer, backing.bytes + offset, length);
    return backing.answer;
}

static vsdk_status disk_write(void *user, uint64_t offset, const void *buffer, uint64_t length,
                              vsdk_error *error)
{
    backing.writes++;
    hold();
    memcpy(backing.bytes + offset, buffer, length);
    return backing.answer;
}

static vsdk_status disk_flush(void *user, vsdk_error *error)
{
    backing.flushes++;
    return backing.answer;
}

static vsdk_status disk_discard(void *user, uint64_t offset, uint64_t length,
                                vsdk_disk_request_flags flags, vsdk_error *error)
{
    backing.discards++;
    memset(backing.bytes + offset, 0, length);
    return backing.answer;
}

static vsdk_status disk_zeroes(void *user, uint64_t offset, uint64_t length,
                               vsdk_disk_request_flags flags, vsdk_error *error)
{
    backing.zeroes++;
    backing.unmaps += flags;
    memset(backing.bytes + offset, 0, length);
    return backing.answer;
}

static vsdk_status disk_resize(void *user, uint64_t capacity, vsdk_error *error)
{
    return VSDK_OK;
}

static const vsdk_disk_ops disk_ops = {.size = sizeof disk_ops,
                                       .read = disk_read,
                                       .write = disk_write,
                                       .flush = disk_flush,
                                       .discard = disk_discard,
                                       .write_zeroes = disk_zeroes,
                                       .resize = disk_resize};

static struct core_rig rig;
static struct driver d;
static vsdk_ram *ram, *fixed;
static vsdk_disk *disk;
static vsdk_pool *pool;
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

static void make_device(uint32_t flags, uint32_t queues)
{
    vsdk_virtio_block_config config = {.size = sizeof config,
                                       .flags = flags,
                                       .disk = disk,
                                       .serial = "a-serial-number-that-is-long",
                                       .queues = queues,
                                       .queue_size = DRIVER_QUEUE_MOST};
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};

    ok(vsdk_virtio_block_create(rig.vm, &config, &device, NULL));
    ok(vsdk_virtio_attach(device, &place, NULL));
}

static void begin_with(int with_pool, uint32_t flags)
{
    vsdk_disk_custom config = {.size = sizeof config, .capacity = CAPACITY, .block_size = 4096};

    memset(&backing, 0, sizeof backing);
    for (unsigned i = 0; i < sizeof backing.bytes; i++)
        backing.bytes[i] = (uint8_t)(i / SECTOR * 7 + i);
    sem_init(&backing.began, 0, 0);
    sem_init(&backing.goes_on, 0, 0);
    if (with_pool)
        ok(vsdk_pool_create(NULL, &pool, NULL));
    config.pool = pool;
    ok(vsdk_disk_create(&disk_ops, &backing, &config, &disk, NULL));
    rig_make(&rig);
    ram = rig_ram(&rig, 0, MEMORY, 0);
    interrupts = 0;
    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, line, NULL, NULL, NULL));
    make_device(flags, 2);
    rig_run(&rig);
    d = (struct driver){
        .read = read_register, .write = write_register, .memory = vsdk_ram_data(ram)};
}

static void begin(void)
{
    pool = NULL;
    fixed = NULL;
    begin_with(0, 0);
}

static void begin_pool(void)
{
    pool = NULL;
    fixed = NULL;
    begin_with(1, 0);
}

static void begin_fixed(void)
{
    pool = NULL;
    fixed = NULL;
    begin_with(0, VSDK_VIRTIO_BLOCK_READ_ONLY);
}

static void end(void)
{
    vsdk_device_close(device);
    vsdk_disk_close(disk);
    vsdk_ram_close(ram);
    vsdk_ram_close(fixed);
    rig_end(&rig);
    vsdk_pool_close(pool);
}

TestSuite(block, .init = begin, .fini = end);
TestSuite(block_fixed, .init = begin_fixed, .fini = end);
TestSuite(block_pool, .init = begin_pool, .fini = end);

static void dispatch(void)
{
    uint32_t count;

    do
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 0, &count, NULL));
    while (count);
}

static void use(uint64_t features)
{
    cr_assert(driver_negotiate(&d, features | VERSION_1));
    driver_queue(&d, 0, 16, RINGS, features);
    cr_assert_eq(driver_read(&d, 0x44), 1);
    driver_ok(&d);
    dispatch();
}

/* A request in slot `n` of our memory; the chain's id. */
static int add(unsigned n, uint32_t type, uint64_t sector, uint64_t data, uint32_t length,
               int writable)
{
    uint64_t header = HEADERS + n * 64;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } h = {type, 0, sector};
    driver_buffer b[3] = {{header, sizeof h, 0}, {data, length, writable}, {STATUS + n, 1, 1}};

    memcpy(d.memory + header, &h, sizeof h);
    d.memory[STATUS + n] = 0xee;
    if (!length)
        b[1] = b[2];
    return driver_add(&d, b, length ? 3 : 2, 0);
}

static uint8_t status_of(unsigned n)
{
    return d.memory[STATUS + n];
}

static int needs_reset(void)
{
    return (driver_read(&d, 0x70) & 64) != 0;
}

static uint32_t take(void)
{
    uint32_t id, length;

    cr_assert(driver_take(&d, &id, &length), "no answer");
    return length;
}

/* With the request alone: its status. */
static uint8_t ask(uint32_t type, uint64_t sector, uint64_t data, uint32_t length, int writable)
{
    cr_assert_geq(add(0, type, sector, data, length, writable), 0);
    driver_kick(&d, 1);
    dispatch();
    take();
    return status_of(0);
}

Test(block, the_space_tells_of_the_disk)
{
    cr_assert_eq(driver_read(&d, 8), 2);
    cr_assert_eq(driver_read(&d, 0x100), SECTORS);
    cr_assert_eq(driver_read(&d, 0x10c), 126);
    cr_assert_eq(driver_read(&d, 0x114), 512);
    cr_assert_eq(driver_read(&d, 0x118) & 0xff, 3);
    cr_assert_eq(driver_read(&d, 0x120) >> 16, 2);
    driver_write(&d, 0x14, 0);
    cr_assert_eq(driver_read(&d, 0x10) & 0xffffff, 0x7e44);
}

static void reads_and_writes(uint64_t features)
{
    use(features);
    cr_assert_eq(ask(IN, 5, DATA, 4 * SECTOR, 1), 0);
    cr_assert(!memcmp(d.memory + DATA, backing.bytes + 5 * SECTOR, 4 * SECTOR));
    memset(d.memory + DATA, 0xa5, 8 * SECTOR);
    cr_assert_eq(ask(OUT, SECTORS - 8, DATA, 8 * SECTOR, 0), 0);
    cr_assert(!memcmp(d.memory + DATA, backing.bytes + CAPACITY - 8 * SECTOR, 8 * SECTOR));
    cr_assert_eq(ask(FLUSH, 0, 0, 0, 0), 0);
    cr_assert_geq(backing.flushes, 1);
    cr_assert_eq(ask(GET_ID, 0, DATA, 20, 1), 0);
    cr_assert(!memcmp(d.memory + DATA, "a-serial-number-that", 20));
    cr_assert_eq(ask(99, 0, DATA, SECTOR, 1), 2);
    driver_write(&d, 0x70, 0);
}

Test(block, reads_writes_flushes_and_says_who_it_is)
{
    reads_and_writes(0);
    reads_and_writes(PACKED);
}

/* Buffers of any sizes, and the header in two of them. */
Test(block, framing_means_nothing)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } h = {OUT, 0, 9};
    driver_buffer b[6] = {{HEADERS, 3, 0},      {HEADERS + 3, 13, 0}, {DATA, 100, 0},
                          {DATA + 100, 600, 0}, {DATA + 700, 324, 0}, {STATUS, 1, 1}};

    use(0);
    memcpy(d.memory + HEADERS, &h, sizeof h);
    memset(d.memory + DATA, 0x5a, 1024);
    driver_add(&d, b, 6, 0);
    driver_kick(&d, 1);
    dispatch();
    cr_assert_eq(take(), 1);
    cr_assert_eq(status_of(0), 0);
    cr_assert(!memcmp(backing.bytes + 9 * SECTOR, d.memory + DATA, 1024));
    h.type = IN;
    memcpy(d.memory + HEADERS, &h, sizeof h);
    memset(d.memory + DATA, 0, 1024);
    driver_buffer r[3] = {{HEADERS, 16, 0}, {DATA + 1, 1000, 1}, {DATA + 1001, 25, 1}};
    driver_add(&d, r, 3, 0);
    driver_kick(&d, 1);
    dispatch();
    cr_assert_eq(take(), 1025);
    cr_assert(!memcmp(backing.bytes + 9 * SECTOR, d.memory + DATA + 1, 1024));
    cr_assert_eq(d.memory[DATA + 1025], 0);
}

/* One page of memory in two mappings, and what can't be pinned: more than the queue's buffer has.
 */
static int refuse_maps;
vsdk_status __real_vsdk_virtio_map(vsdk_device *of, const vsdk_virtio_chain *chain,
                                   vsdk_dma_intent intent, uint64_t offset, uint64_t length,
                                   vsdk_dma_view *views, uint32_t capacity, uint32_t *count,
                                   vsdk_error *error);
vsdk_status __wrap_vsdk_virtio_map(vsdk_device *of, const vsdk_virtio_chain *chain,
                                   vsdk_dma_intent intent, uint64_t offset, uint64_t length,
                                   vsdk_dma_view *views, uint32_t capacity, uint32_t *count,
                                   vsdk_error *error);

vsdk_status __wrap_vsdk_virtio_map(vsdk_device *of, const vsdk_virtio_chain *chain,
                                   vsdk_dma_intent intent, uint64_t offset, uint64_t length,
                                   vsdk_dma_view *views, uint32_t capacity, uint32_t *count,
                                   vsdk_error *error)
{
    *count = 0;
    if (refuse_maps)
        return VSDK_ERROR_LIMIT;
    return __real_vsdk_virtio_map(of, chain, intent, offset, length, views, capacity, count, error);
}

static void through_the_buffer(void)
{
    enum { LENGTH = 200 * 1024 };

    refuse_maps = 1;
    use(0);
    /* three at once: one has the buffer, the others wait */
    for (unsigned n = 0; n < 3; n++)
        cr_assert_geq(add(n, IN, 3 + n, DATA + n * 0x40000, LENGTH, 1), 0);
    driver_kick(&d, 3);
    for (int answers = 0; answers < 3;) {
        uint32_t id, length;
        dispatch();
        if (driver_take(&d, &id, &length))
            answers += length == LENGTH + 1;
    }
    for (unsigned n = 0; n < 3; n++) {
        cr_assert_eq(status_of(n), 0);
        cr_assert(!memcmp(d.memory + DATA + n * 0x40000, backing.bytes + (3 + n) * SECTOR, LENGTH));
    }
    memset(d.memory + DATA, 0x11, LENGTH);
    add(0, OUT, 100, DATA, LENGTH, 0);
    driver_kick(&d, 1);
    for (uint32_t id, length; !driver_take(&d, &id, &length);)
        dispatch();
    cr_assert_eq(status_of(0), 0);
    cr_assert(!memcmp(d.memory + DATA, backing.bytes + 100 * SECTOR, LENGTH));
    cr_assert_geq(backing.writes, 4);
    refuse_maps = 0;
}

Test(block, memory_that_is_not_mapped_goes_through_a_buffer)
{
    through_the_buffer();
}

Test(block_pool, memory_that_is_not_mapped_goes_through_a_buffer)
{
    through_the_buffer();
}

static void put_range(uint64_t at, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    struct {
        uint64_t sector;
        uint32_t sectors, flags;
    } s = {sector, sectors, flags};

    memcpy(d.memory + at, &s, sizeof s);
}

Test(block, discards_and_zeroes)
{
    static const uint8_t zeros[8 * SECTOR];

    use(F_FLUSH);
    for (unsigned i = 0; i < 3; i++)
        put_range(DATA + 16 * i, 8 * i, 4, 0);
    cr_assert_eq(ask(DISCARD, 0, DATA, 48, 0), 0);
    cr_assert_eq(backing.discards, 3);
    cr_assert(!memcmp(backing.bytes + 16 * SECTOR, zeros, 4 * SECTOR));
    cr_assert(memcmp(backing.bytes + 4 * SECTOR, zeros, SECTOR));
    put_range(DATA, 100, 8, 1);
    cr_assert_eq(ask(ZEROES, 0, DATA, 16, 0), 0);
    cr_assert(backing.zeroes == 1 && backing.unmaps == 1);
    put_range(DATA, 100, 8, 0);
    cr_assert_eq(ask(ZEROES, 0, DATA, 16, 0), 0);
    cr_assert(backing.zeroes == 2 && backing.unmaps == 1);
    /* flags, lengths, places */
    put_range(DATA, 0, 4, 1);
    cr_assert_eq(ask(DISCARD, 0, DATA, 16, 0), 2);
    put_range(DATA, 0, 4, 2);
    cr_assert_eq(ask(ZEROES, 0, DATA, 16, 0), 2);
    put_range(DATA, 0, 4, 0);
    cr_assert_eq(ask(DISCARD, 0, DATA, 15, 0), 1);
    cr_assert_eq(ask(DISCARD, 0, DATA, 0, 0), 1);
    cr_assert_eq(ask(DISCARD, 0, DATA, 16 * 33, 0), 1);
    put_range(DATA, SECTORS - 1, 2, 0);
    cr_assert_eq(ask(DISCARD, 0, DATA, 16, 0), 1);
    put_range(DATA, UINT64_MAX / 512, 2, 0);
    cr_assert_eq(ask(ZEROES, 0, DATA, 16, 0), 1);
    put_range(DATA, UINT64_MAX, 2, 0);
    cr_assert_eq(ask(ZEROES, 0, DATA, 16, 0), 1);
    put_range(DATA, 0, UINT32_MAX, 0);
    cr_assert_eq(ask(ZEROES, 0, DATA, 16, 0), 1);
    cr_assert(!needs_reset());
}

Test(block, what_is_wrong_with_a_request_is_its_status)
{
    use(0);
    cr_assert_eq(ask(IN, SECTORS, DATA, SECTOR, 1), 1);
    cr_assert_eq(ask(IN, SECTORS - 1, DATA, 2 * SECTOR, 1), 1);
    cr_assert_eq(ask(OUT, UINT64_MAX, DATA, SECTOR, 0), 1);
    cr_assert_eq(ask(OUT, UINT64_MAX / 512, DATA, SECTOR, 0), 1);
    cr_assert_eq(ask(IN, 0, DATA, SECTOR - 1, 1), 1);
    cr_assert_eq(ask(OUT, 0, DATA, SECTOR + 1, 0), 1);
    cr_assert_eq(ask(IN, 0, HOLE, SECTOR, 1), 1);
    cr_assert_eq(ask(OUT, 0, HOLE, SECTOR, 0), 1);
    cr_assert_eq(ask(OUT, 0, MEMORY - SECTOR, 2 * SECTOR, 0), 1);
    cr_assert(!backing.writes);
    backing.answer = VSDK_ERROR_SYSTEM;
    cr_assert_eq(ask(IN, 0, DATA, SECTOR, 1), 1);
    cr_assert_eq(ask(FLUSH, 0, 0, 0, 0), 1);
    cr_assert(!needs_reset());
}

/* Chains that nobody can answer. */
static void breaks(const driver_buffer *b, uint32_t count)
{
    uint32_t id, length;

    use(0);
    memset(d.memory + HEADERS, 0, 16);
    driver_add(&d, b, count, 0);
    driver_kick(&d, 1);
    dispatch();
    cr_assert(needs_reset());
    cr_assert(!driver_take(&d, &id, &length));
    driver_write(&d, 0x70, 0);
    cr_assert(!needs_reset());
}

Test(block, a_chain_without_room_for_an_answer_breaks_a_rule)
{
    const driver_buffer short_header[] = {{HEADERS, 15, 0}, {STATUS, 1, 1}};
    const driver_buffer no_status[] = {{HEADERS, 16, 0}, {DATA, SECTOR, 0}};
    const driver_buffer no_header[] = {{DATA, SECTOR, 1}, {STATUS, 1, 1}};
    const driver_buffer lost_header[] = {{HOLE, 16, 0}, {STATUS, 1, 1}};
    const driver_buffer lost_status[] = {{HEADERS, 16, 0}, {DATA, SECTOR, 1}, {HOLE, 1, 1}};
    const driver_buffer fixed_status[] = {{HEADERS, 16, 0}, {DATA, SECTOR, 1}, {READ_ONLY, 1, 1}};

    fixed = rig_ram(&rig, READ_ONLY, 4096, VSDK_MAP_READONLY);
    breaks(short_header, 2);
    breaks(no_status, 2);
    breaks(no_header, 2);
    breaks(lost_header, 2);
    breaks(lost_status, 3);
    breaks(fixed_status, 3);
    /* and after all that it works */
    use(0);
    cr_assert_eq(ask(IN, 5, DATA, SECTOR, 1), 0);
}

Test(block_fixed, a_read_only_one_is_not_written)
{
    driver_write(&d, 0x14, 0);
    cr_assert_eq(driver_read(&d, 0x10) & 0xffffff, 0x1e64);
    use(0);
    cr_assert_eq(ask(OUT, 0, DATA, SECTOR, 0), 1);
    put_range(DATA, 0, 4, 0);
    cr_assert_eq(ask(DISCARD, 0, DATA, 16, 0), 1);
    cr_assert_eq(ask(ZEROES, 0, DATA, 16, 0), 1);
    cr_assert_eq(ask(IN, 0, DATA, SECTOR, 1), 0);
    cr_assert(!backing.writes && !backing.discards && !backing.zeroes);
}

/* Without a flush that the driver could ask for, a write is safe when it is answered. */
Test(block, the_cache_is_as_the_driver_wants_it)
{
    use(0);
    cr_assert_eq(ask(OUT, 0, DATA, SECTOR, 0), 0);
    cr_assert_eq(backing.flushes, 1);
    driver_write(&d, 0x70, 0);
    use(F_FLUSH);
    cr_assert_eq(ask(OUT, 0, DATA, SECTOR, 0), 0);
    cr_assert_eq(backing.flushes, 1);
    driver_write(&d, 0x70, 0);
    use(F_FLUSH | F_WCE);
    cr_assert_eq(ask(OUT, 0, DATA, SECTOR, 0), 0);
    cr_assert_eq(backing.flushes, 1);
    rig_write(&rig, VSDK_SPACE_MMIO, DRIVER_MMIO + 0x120, 1, 0);
    cr_assert_eq(ask(OUT, 0, DATA, SECTOR, 0), 0);
    cr_assert_eq(backing.flushes, 2);
    cr_assert_eq(driver_read(&d, 0x120) & 0xff, 0);
    /* what else it writes into the space is put back */
    driver_write(&d, 0x100, 0x12345678);
    cr_assert_eq(driver_read(&d, 0x100), SECTORS);
    driver_write(&d, 0x70, 0);
    cr_assert_eq(driver_read(&d, 0x120) & 0xff, 1);
}

Test(block, the_driver_hears_of_another_capacity)
{
    use(F_FLUSH);
    unsigned before = interrupts;
    uint32_t generation = driver_read(&d, 0xfc);
    ok(vsdk_disk_resize(disk, 2 * CAPACITY, NULL));
    dispatch();
    cr_assert_gt(interrupts, before);
    cr_assert_eq(driver_read(&d, 0x60) & 2, 2);
    cr_assert_neq(driver_read(&d, 0xfc), generation);
    cr_assert_eq(driver_read(&d, 0x100), 2 * SECTORS);
    cr_assert_eq(ask(IN, SECTORS, DATA, SECTOR, 1), 0);
}

/* With a pool: requests that are held in the disk. */
static void wait_for_answers(unsigned count)
{
    uint32_t id, length;

    while (count) {
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), VSDK_FOREVER, NULL, NULL));
        while (count && driver_take(&d, &id, &length))
            count--;
    }
}

static void hold_requests(unsigned count)
{
    backing.holds = 1;
    for (unsigned n = 0; n < count; n++)
        cr_assert_geq(add(n, n % 2 ? OUT : IN, n * 8, DATA + n * 4096, 4096, !(n % 2)), 0);
    driver_kick(&d, count);
    dispatch();
    sem_wait(&backing.began);
}

static void let_go(void)
{
    backing.holds = 0;
    for (int i = 0; i < 8; i++)
        sem_post(&backing.goes_on);
}

Test(block_pool, requests_go_through_the_pool)
{
    use(F_FLUSH);
    hold_requests(4);
    uint32_t id, length;
    cr_assert(!driver_take(&d, &id, &length));
    let_go();
    wait_for_answers(4);
    for (unsigned n = 0; n < 4; n++)
        cr_assert_eq(status_of(n), 0);
    cr_assert_gt(interrupts, 0);
    cr_assert(!memcmp(d.memory + DATA + 2 * 4096, backing.bytes + 16 * SECTOR, 4096));
}

static void *lets_go(void *unused)
{
    while (!backing.held)
        ;
    let_go();
    return NULL;
}

/* A reset returns when the disk does not touch the guest's memory any more. */
static void resets(int queue_alone)
{
    pthread_t thread;

    use(F_FLUSH | (queue_alone ? RING_RESET : 0));
    hold_requests(5);
    uint8_t old = status_of(0);
    pthread_create(&thread, NULL, lets_go, NULL);
    if (queue_alone) {
        driver_write(&d, 0x30, 0);
        driver_write(&d, 0xc0, 1);
    } else {
        driver_write(&d, 0x70, 0);
    }
    vsdk_disk_info info = {.size = sizeof info};
    ok(vsdk_disk_get_info(disk, &info, NULL));
    cr_assert_eq(info.in_flight, 0);
    memset(d.memory + DATA, 0x77, 8 * 4096);
    dispatch();
    cr_assert_eq(d.memory[DATA], 0x77);
    cr_assert_eq(status_of(0), old);
    pthread_join(thread, NULL);
    if (!queue_alone)
        use(F_FLUSH);
    else {
        driver_queue(&d, 0, 16, RINGS, RING_RESET);
        dispatch();
    }
    add(0, IN, 5, DATA, SECTOR, 1);
    driver_kick(&d, 1);
    wait_for_answers(1);
    cr_assert_eq(status_of(0), 0);
    driver_write(&d, 0x70, 0);
}

Test(block_pool, a_reset_waits_for_the_disk)
{
    resets(0);
}

Test(block_pool, a_reset_of_one_queue_waits_for_the_disk)
{
    resets(1);
}

static void *pauses(void *argument)
{
    ok(vsdk_vm_pause(rig.vm, *(vsdk_pause_flags *)argument, VSDK_FOREVER, NULL));
    return NULL;
}

static void pause_with_requests(vsdk_pause_flags how)
{
    pthread_t thread;

    pthread_create(&thread, NULL, pauses, &how);
    for (int i = 0; i < 1000; i++)
        if (!sem_trywait(&backing.began))
            break;
    let_go();
    pthread_join(thread, NULL);
}

Test(block_pool, a_pause_finishes_what_is_under_way)
{
    uint32_t id, length;

    use(F_FLUSH);
    hold_requests(4);
    pause_with_requests(0);
    for (unsigned n = 0; n < 4; n++) {
        cr_assert_eq(status_of(n), 0);
        cr_assert(driver_take(&d, &id, &length));
    }
    ok(vsdk_vm_resume(rig.vm, NULL));
    dispatch();
    cr_assert_gt(interrupts, 0);
    add(0, IN, 5, DATA, SECTOR, 1);
    driver_kick(&d, 1);
    wait_for_answers(1);
}

Test(block_pool, a_parked_device_answers_after_the_start)
{
    uint32_t id, length;

    use(F_FLUSH);
    hold_requests(4);
    pause_with_requests(VSDK_PAUSE_PARK);
    for (unsigned n = 0; n < 4; n++)
        cr_assert_eq(status_of(n), 0xee);
    cr_assert(!driver_take(&d, &id, &length));
    ok(vsdk_vm_resume(rig.vm, NULL));
    wait_for_answers(4);
    for (unsigned n = 0; n < 4; n++)
        cr_assert_eq(status_of(n), 0);
}

/* In another device of the same disk the requests are done again. */
Test(block_pool, a_state_has_what_is_under_way)
{
    static uint8_t state[65536];
    uint64_t length;

    use(F_FLUSH | F_WCE);
    rig_write(&rig, VSDK_SPACE_MMIO, DRIVER_MMIO + 0x120, 1, 0);
    hold_requests(4);
    pause_with_requests(VSDK_PAUSE_PARK);
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    unsigned reads = backing.reads;
    ok(vsdk_virtio_detach(device, NULL));
    vsdk_device_close(device);
    ok(vsdk_disk_resize(disk, 2 * CAPACITY, NULL));
    make_device(0, 2);
    ok(vsdk_device_load(device, state, length, NULL));
    unsigned flushes = backing.flushes;
    ok(vsdk_vm_resume(rig.vm, NULL));
    wait_for_answers(4);
    for (unsigned n = 0; n < 4; n++)
        cr_assert_eq(status_of(n), 0);
    cr_assert_eq(backing.reads, reads + 2);
    cr_assert_eq(backing.flushes, flushes + 2, "the cache is off");
    cr_assert_eq(driver_read(&d, 0x100), 2 * SECTORS);
}

/* Loading into the device that has parked requests forgets these. */
Test(block_pool, a_state_is_loaded_over_parked_requests)
{
    static uint8_t state[65536];
    uint64_t length;

    use(F_FLUSH);
    hold_requests(3);
    pause_with_requests(VSDK_PAUSE_PARK);
    ok(vsdk_device_save(device, state, sizeof state, &length, NULL));
    ok(vsdk_device_load(device, state, length, NULL));
    ok(vsdk_vm_resume(rig.vm, NULL));
    wait_for_answers(3);
    for (unsigned n = 0; n < 3; n++)
        cr_assert_eq(status_of(n), 0);
}

Test(block_pool, a_device_may_go_with_requests_under_way)
{
    use(F_FLUSH);
    hold_requests(4);
    vsdk_device_close(device);
    device = NULL;
    vsdk_disk_close(disk);
    disk = NULL;
    rig_end(&rig);
    let_go();
    ok(vsdk_pool_stop(pool, NULL));
    rig_make(&rig);
}
