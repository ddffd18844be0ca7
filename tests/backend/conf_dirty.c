/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked memory: the pages that are told are those that were written, whoever wrote them, and each
 * write is told once. */
#include "common.h"
#include <stdlib.h>

enum {
    PAGE = 4096,
    PAGES = 4 * 64 + 3, /* the last word of the bitmap is not full */
    BYTES = PAGES * PAGE,
    LIST = RESULT /* of the guest, in memory that is not tracked */
};
#define AT UINT64_C(0x40000000)

static struct machine m;
static vsdk_ram *ram;
static uint8_t *memory;
static uint8_t expected[PAGES], told[PAGES];
static uint32_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % limit;
}

static vsdk_ram *make_tracked(uint64_t bytes)
{
    const vsdk_ram_config config = {.size = sizeof config, .flags = VSDK_RAM_TRACKED};
    vsdk_ram *made;

    ok(vsdk_ram_create(m.vm, bytes, &config, &made, E));
    return made;
}

static void setup(void)
{
    const char *seed = getenv("VSDK_TEST_SEED");

    random_state = seed ? (uint32_t)strtoul(seed, NULL, 0) : 1;
    machine_make(&m);
    need(m.host, VSDK_CAPABILITY_DIRTY);
    ram = make_tracked(BYTES);
    memory = vsdk_ram_data(ram);
    ok(vsdk_vm_map(m.vm, AT, ram, 0, BYTES, 0, E));
    memset(expected, 0, sizeof expected);
}

static void teardown(void)
{
    vsdk_ram_close(ram);
    machine_end(&m);
}

TestSuite(dirty, .init = setup, .fini = teardown);

/* A whole harvest into `told`; ranges rise, and no two of them touch. */
static uint32_t harvest(vsdk_dirty_flags flags, uint32_t capacity)
{
    vsdk_ram_range ranges[64];
    uint64_t cursor = 0, end = 0;
    uint32_t count, pages = 0;

    memset(told, 0, sizeof told);
    do {
        uint64_t before = cursor;
        ok(vsdk_ram_get_dirty(ram, flags, &cursor, ranges, capacity, &count, E));
        cr_assert_leq(count, capacity);
        cr_assert(cursor == BYTES || (cursor > before && count == capacity));
        for (uint32_t i = 0; i < count; i++) {
            cr_assert(!pages || ranges[i].offset > end, "ranges touch or fall");
            cr_assert(ranges[i].length && (ranges[i].offset | ranges[i].length) % PAGE == 0);
            end = ranges[i].offset + ranges[i].length;
            cr_assert_leq(end, cursor);
            memset(told + ranges[i].offset / PAGE, 1, ranges[i].length / PAGE);
            pages += (uint32_t)(ranges[i].length / PAGE);
        }
    } while (cursor < BYTES);
    return pages;
}

/* What is dirty is what was expected, which is forgotten. */
static void expect(void)
{
    harvest(0, 64);
    for (unsigned i = 0; i < PAGES; i++)
        cr_assert_eq(told[i], expected[i], "page %u is %s", i, told[i] ? "dirty" : "clean");
    memset(expected, 0, sizeof expected);
}

static void wrote(uint64_t offset, uint64_t length)
{
    for (uint64_t page = offset / PAGE; length && page * PAGE < offset + length; page++)
        expected[page] = 1;
}

/* A random part, of some pages at most, that keeps within the memory. */
static void draw_part(uint64_t *offset, uint64_t *length)
{
    *offset = below(BYTES - 1);
    *length = 1 + below(below(3) ? 3 * PAGE : 150 * PAGE);
    if (*length > BYTES - *offset)
        *length = BYTES - *offset;
}

/* The guest of store_list stands at its question for the number. */
static void start_guest(void)
{
    machine_start(&m, &guest_store_list,
                  &(vsdk_x86_regs){.rbx = AT, .rdi = LIST, .r8 = 0x4242424242424242});
    run_to_read(&m, PORT_IN);
}

/* It writes to that many pages, and asks again. */
static void guest_writes(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t offset = below(BYTES / 8) * 8;
        memcpy(m.memory + LIST + 4 * i, &offset, 4);
        wrote(offset, 8);
    }
    answer(m.exit, count);
    run_to_read(&m, PORT_IN);
}

static void pause_guest(void)
{
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
}

Test(dirty, memory_begins_clean)
{
    expect();
    start_guest();
    expect();
}

Test(dirty, pages_that_the_guest_wrote)
{
    start_guest();
    for (int round = 0; round < 6; round++) {
        guest_writes(1 + below(100));
        expect(); /* the guest stands at an exit */
        guest_writes(1 + below(100));
        pause_guest();
        expect();
        expect();
        ok(vsdk_vm_resume(m.vm, E));
    }
}

Test(dirty, stores_of_every_kind)
{
    machine_start(&m, &guest_many_stores, &(vsdk_x86_regs){.rbx = AT + 64 * PAGE});
    run_to_end(&m);
    wrote(64 * PAGE, 4 * PAGE);
    wrote(69 * PAGE, 3 * PAGE);
    expect();
}

Test(dirty, string_reads_of_the_guest)
{
    const vsdk_exit *exit;

    machine_start(&m, &guest_strings_in, &(vsdk_x86_regs){.rbx = 16, .rdi = AT + 10 * PAGE - 16});
    while ((exit = run(&m))->address == PORT_WIDE)
        answer(exit, 0x33);
    wrote(10 * PAGE - 16, 16 * 7);
    expect();
}

Test(dirty, writes_of_the_embedder)
{
    static uint8_t bytes[BYTES];

    for (int round = 0; round < 200; round++) {
        uint64_t offset, length;
        draw_part(&offset, &length);
        ok(vsdk_vm_write(m.vm, AT + offset, bytes, length, E));
        wrote(offset, length);
        if (round % 10 == 9)
            expect();
    }
    ok(vsdk_vm_write(m.vm, AT, bytes, 0, E));
    ok(vsdk_vm_read(m.vm, AT, bytes, BYTES, E));
    ok(vsdk_vm_probe(m.vm, AT, BYTES, VSDK_DMA_TO_GUEST, E));
    fails(RANGE, vsdk_vm_write(m.vm, AT + PAGE, bytes, BYTES, E));
    expect();
}

Test(dirty, what_is_marked)
{
    for (int round = 0; round < 200; round++) {
        uint64_t offset, length;
        draw_part(&offset, &length);
        ok(vsdk_ram_mark_dirty(ram, offset, length, E));
        wrote(offset, length);
        if (round % 10 == 9)
            expect();
    }
    ok(vsdk_ram_mark_dirty(ram, BYTES, 0, E));
    ok(vsdk_ram_mark_dirty(ram, 5, 0, E));
    fails(RANGE, vsdk_ram_mark_dirty(ram, PAGE, BYTES, E));
    expect();
    ok(vsdk_ram_mark_dirty(m.ram, 0, PAGE, E)); /* not tracked: nobody wants to know */
}

static vsdk_device *make_started(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, MMIO, 4096, 0, E));
    machine_start(&m, &guest_spin, NULL);
    return device;
}

Test(dirty, writes_of_a_device)
{
    static uint8_t bytes[3 * PAGE];
    vsdk_device *device = make_started();

    ok(vsdk_dma_write(device, AT + PAGE - 1, bytes, 2, E));
    ok(vsdk_dma_write(device, AT + 70 * PAGE, bytes, sizeof bytes, E));
    ok(vsdk_dma_read(device, AT + 20 * PAGE, bytes, sizeof bytes, E));
    wrote(PAGE - 1, 2);
    wrote(70 * PAGE, sizeof bytes);
    expect();
    vsdk_device_close(device);
}

static vsdk_dma_view pin(vsdk_device *device, uint64_t offset, uint64_t length,
                         vsdk_dma_intent intent)
{
    vsdk_dma_view view = {.size = sizeof view};

    ok(vsdk_dma_map(device, AT + offset, length, intent, &view, E));
    return view;
}

/* At each harvest while it lives, and once after it ended. */
Test(dirty, a_pin_for_writing)
{
    vsdk_device *device = make_started();
    vsdk_dma_view view = pin(device, 3 * PAGE - 1, 2, VSDK_DMA_TO_GUEST);

    for (int round = 0; round < 3; round++) {
        wrote(3 * PAGE - 1, 2);
        expect();
    }
    pause_guest();
    wrote(3 * PAGE - 1, 2);
    expect();
    vsdk_dma_unmap(&view);
    wrote(3 * PAGE - 1, 2);
    expect();
    expect();
    ok(vsdk_vm_resume(m.vm, E));
    view = pin(device, 0, PAGE, VSDK_DMA_FROM_GUEST);
    expect();
    vsdk_dma_unmap(&view);
    expect();
    vsdk_device_close(device);
}

/* Pins of any length that come and go in any order, against a list of them. */
Test(dirty, many_pins)
{
    enum { PINS = 12 };
    struct {
        uint64_t offset, length;
        vsdk_dma_view view;
    } pins[PINS] = {0};
    vsdk_device *device = make_started();

    for (int round = 0; round < 300; round++) {
        uint32_t i = below(PINS);
        if (pins[i].length) {
            vsdk_dma_unmap(&pins[i].view);
            wrote(pins[i].offset, pins[i].length);
            pins[i].length = 0;
        } else {
            draw_part(&pins[i].offset, &pins[i].length);
            if (below(3) == 0) /* whole words */
                pins[i].offset &= ~(uint64_t)(64 * PAGE - 1);
            pins[i].view = pin(device, pins[i].offset, pins[i].length, VSDK_DMA_TO_GUEST);
        }
        for (unsigned j = 0; j < PINS; j++)
            wrote(pins[j].offset, pins[j].length);
        expect();
    }
    for (unsigned j = 0; j < PINS; j++)
        vsdk_dma_unmap(&pins[j].view);
    vsdk_device_close(device);
}

Test(dirty, a_peek_changes_nothing)
{
    start_guest();
    guest_writes(40);
    for (int round = 0; round < 2; round++) {
        harvest(VSDK_DIRTY_PEEK, 64);
        cr_assert(memcmp(told, expected, PAGES) == 0);
    }
    expect();
    cr_assert_eq(harvest(VSDK_DIRTY_PEEK, 64), 0);
}

Test(dirty, a_harvest_in_small_parts)
{
    start_guest();
    for (uint32_t capacity = 1; capacity < 6; capacity++) {
        guest_writes(100);
        harvest(VSDK_DIRTY_PEEK, capacity);
        cr_assert(memcmp(told, expected, PAGES) == 0);
        harvest(0, capacity);
        cr_assert(memcmp(told, expected, PAGES) == 0);
        memset(expected, 0, sizeof expected);
        expect();
    }
}

/* What was not told yet stays dirty, and a page behind the cursor waits for the next harvest. */
Test(dirty, a_harvest_that_is_left)
{
    vsdk_ram_range range;
    uint64_t cursor = 0;
    uint32_t count;

    ok(vsdk_ram_mark_dirty(ram, 2 * PAGE, 1, E));
    ok(vsdk_ram_mark_dirty(ram, 9 * PAGE, 1, E));
    ok(vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, &count, E));
    cr_assert(count == 1 && range.offset == 2 * PAGE && range.length == PAGE);
    cr_assert_eq(cursor, 9 * PAGE);
    ok(vsdk_ram_mark_dirty(ram, PAGE, 1, E));
    ok(vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, &count, E));
    cr_assert(count == 1 && range.offset == 9 * PAGE && cursor == BYTES);
    ok(vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, &count, E));
    cr_assert(count == 0 && cursor == BYTES);
    wrote(PAGE, 1);
    expect();
}

Test(dirty, all_pages_are_one_range)
{
    vsdk_ram_range range;
    uint64_t cursor = 0;
    uint32_t count;

    ok(vsdk_ram_mark_dirty(ram, 0, BYTES, E));
    ok(vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, &count, E));
    cr_assert(count == 1 && cursor == BYTES && range.offset == 0 && range.length == BYTES);
}

Test(dirty, wrong_arguments)
{
    vsdk_ram_range range;
    uint64_t cursor = 0;
    uint32_t count = 7;

    fails(INVALID_ARGUMENT, vsdk_ram_get_dirty(NULL, 0, &cursor, &range, 1, &count, E));
    cr_assert_eq(count, 0);
    fails(INVALID_ARGUMENT, vsdk_ram_get_dirty(ram, 0, NULL, &range, 1, &count, E));
    fails(INVALID_ARGUMENT, vsdk_ram_get_dirty(ram, 0, &cursor, NULL, 1, &count, E));
    fails(INVALID_ARGUMENT, vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_ram_get_dirty(ram, 0, &cursor, &range, 0, &count, E));
    fails(INVALID_ARGUMENT, vsdk_ram_get_dirty(ram, 2, &cursor, &range, 1, &count, E));
    fails(STATE, vsdk_ram_get_dirty(m.ram, 0, &cursor, &range, 1, &count, E));
    cursor = 100;
    fails(INVALID_ARGUMENT, vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, &count, E));
    cursor = BYTES + PAGE;
    fails(RANGE, vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, &count, E));
    cr_assert_eq(cursor, BYTES + PAGE);
    cursor = 0;
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_ram_get_dirty(ram, 0, &cursor, &range, 1, &count, E));
}

Test(dirty, an_unmap_keeps_what_was_written)
{
    start_guest();
    guest_writes(30);
    ok(vsdk_vm_unmap(m.vm, AT, BYTES, E));
    expect();
    ok(vsdk_vm_map(m.vm, AT, ram, 0, BYTES, 0, E));
    expect();
    guest_writes(30);
    expect();
}

/* The mapping shows a part from the middle of a word on. */
Test(dirty, a_part_that_is_mapped_elsewhere)
{
    ok(vsdk_vm_unmap(m.vm, AT, BYTES, E));
    ok(vsdk_vm_map(m.vm, AT, ram, 37 * PAGE, 100 * PAGE, 0, E));
    machine_start(&m, &guest_many_stores, &(vsdk_x86_regs){.rbx = AT + 25 * PAGE});
    run_to_end(&m);
    wrote((37 + 25) * PAGE, 4 * PAGE);
    wrote((37 + 30) * PAGE, 3 * PAGE);
    ok(vsdk_vm_write(m.vm, AT + 99 * PAGE, "x", 1, E));
    wrote((37 + 99) * PAGE, 1);
    expect();
}

Test(dirty, two_mappings_are_united)
{
    static uint8_t byte;
    const uint64_t again = AT + 0x1000000;

    need(m.host, VSDK_CAPABILITY_RAM_ALIAS);
    ok(vsdk_vm_map(m.vm, again, ram, 5 * PAGE, 10 * PAGE, 0, E));
    machine_start(&m, &guest_many_stores, &(vsdk_x86_regs){.rbx = again});
    run_to_end(&m);
    wrote(5 * PAGE, 4 * PAGE);
    wrote(10 * PAGE, 3 * PAGE);
    ok(vsdk_vm_write(m.vm, AT + 100 * PAGE, &byte, 1, E));
    wrote(100 * PAGE, 1);
    expect();
}

Test(dirty, protection_comes_and_goes)
{
    need(m.host, VSDK_CAPABILITY_READONLY);
    start_guest();
    guest_writes(20);
    ok(vsdk_vm_protect(m.vm, AT, BYTES, VSDK_MAP_READONLY, E));
    expect();
    expect();
    ok(vsdk_ram_mark_dirty(ram, 0, 1, E));
    wrote(0, 1);
    expect();
    ok(vsdk_vm_protect(m.vm, AT, BYTES, 0, E));
    guest_writes(20);
    expect();
}

Test(dirty, a_reset_goes_on)
{
    start_guest();
    guest_writes(20);
    pause_guest();
    ok(vsdk_vm_reset(m.vm, VSDK_FOREVER, E));
    expect();
    start_guest();
    guest_writes(20);
    expect();
}

/* Harvested while the guest writes: it copies each page that is told. In the end the copy is the
 * memory, or a write was lost. */
Test(dirty, no_write_is_lost_while_the_guest_runs)
{
    static uint8_t copy[BYTES];
    struct runner runner = {0};

    for (uint32_t i = 0; i < 8192; i++) {
        uint32_t offset = below(BYTES / 8) * 8;
        memcpy(m.memory + LIST + 4 * i, &offset, 4);
    }
    machine_start(&m, &guest_store_list,
                  &(vsdk_x86_regs){.rbx = AT, .rdi = LIST, .r8 = 0x4242424242424242});
    run_to_read(&m, PORT_IN);
    answer(m.exit, 8192);
    runner.vcpu = m.vcpu;
    runner_start(&runner);
    vsdk_vcpu_phase phase;
    do {
        harvest(0, 3);
        for (unsigned i = 0; i < PAGES; i++)
            if (told[i])
                memcpy(copy + i * PAGE, memory + i * PAGE, PAGE);
        ok(vsdk_vcpu_get_phase(m.vcpu, &phase, E));
    } while (phase == VSDK_VCPU_IN_GUEST);
    runner_join(&runner);
    pause_guest();
    harvest(0, 64);
    for (unsigned i = 0; i < PAGES; i++)
        if (told[i])
            memcpy(copy + i * PAGE, memory + i * PAGE, PAGE);
    for (unsigned i = 0; i < PAGES; i++)
        cr_assert(memcmp(copy + i * PAGE, memory + i * PAGE, PAGE) == 0, "page %u", i);
}

Test(tracked, memory_that_cannot_be_is_refused)
{
    const vsdk_ram_config config = {.size = sizeof config, .flags = VSDK_RAM_TRACKED};
    vsdk_ram *made = NULL;

    machine_make(&m);
    if (capability(m.host, VSDK_CAPABILITY_DIRTY) == VSDK_ANSWER_NO)
        fails(UNSUPPORTED, vsdk_ram_create(m.vm, PAGE, &config, &made, E));
    else
        ok(vsdk_ram_create(m.vm, PAGE, &config, &made, E));
    vsdk_ram_close(made);
    machine_end(&m);
}
