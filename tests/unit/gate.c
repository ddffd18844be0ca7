/* SPDX-License-Identifier: Apache-2.0 */
/* From guest addresses to bytes: reading, writing, pins, and mappings that change meanwhile. */
#include "core/gpa_map.h"
#include "core_rig.h"

enum { P = 4096 };

static struct core_rig rig;
static struct notes notes;
static vsdk_device *device; /* the one whose DMA it is; started */

static void begin(void)
{
    rig_make(&rig);
    notes = (struct notes){0};
    device = rig_device(&rig, &notes, 0);
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x80, 1, 0, NULL));
    rig_run(&rig);
}

static void end(void)
{
    vsdk_device_close(device);
    rig_end(&rig);
    cr_assert_eq(notes.releases, 1);
}

TestSuite(gate, .init = begin, .fini = end);

Test(gate, copies_what_was_written)
{
    vsdk_ram *ram = rig_ram(&rig, 0x10000, 2 * P, 0);
    char text[6] = {0};
    void *data;

    ok(vsdk_vm_write(rig.vm, 0x10ffe, "hello", 6, NULL));
    ok(vsdk_vm_read(rig.vm, 0x10ffe, text, 6, NULL));
    cr_assert_str_eq(text, "hello");
    data = vsdk_ram_data(ram);
    cr_assert_str_eq((char *)data + 0xffe, "hello");
    vsdk_ram_close(ram);
}

/* What a backend's module copies by: it leaves no reader behind, for whom a change would wait. */
Test(gate, lets_a_backend_copy)
{
    vsdk_ram *ram = rig_ram(&rig, 0x10000, 2 * P, 0);
    backend_vm *backend = &rig.vm->backend;
    char text[6] = {0};

    ok(gate_write(backend, 0x10ffe, "hello", 6));
    ok(gate_read(backend, 0x10ffe, text, 6));
    cr_assert_str_eq(text, "hello");
    cr_assert_eq(gate_read(backend, 0x11ffe, text, 6), VSDK_ERROR_RANGE);
    cr_assert_eq(gate_write(backend, 0x11ffe, text, 6), VSDK_ERROR_RANGE);
    ok(vsdk_vm_unmap(rig.vm, 0x10000, 2 * P, NULL));
    cr_assert_eq(gate_read(backend, 0x10ffe, text, 6), VSDK_ERROR_RANGE);
    vsdk_ram_close(ram);
}

Test(gate, copies_across_adjacent_mappings)
{
    vsdk_ram *low = rig_ram(&rig, 0x10000, P, 0), *high = rig_ram(&rig, 0x12000, P, 0);
    vsdk_ram *middle = rig_ram(&rig, 0x11000, P, 0);
    static uint8_t out[2 * P + 2], in[sizeof out];

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 7);
    ok(vsdk_vm_write(rig.vm, 0x10ffe, out, P + 3, NULL));
    ok(vsdk_vm_read(rig.vm, 0x10ffe, in, P + 3, NULL));
    cr_assert_arr_eq(in, out, P + 3);
    vsdk_ram_close(low);
    vsdk_ram_close(middle);
    vsdk_ram_close(high);
}

Test(gate, refuses_a_hole_and_copies_nothing)
{
    vsdk_ram *low = rig_ram(&rig, 0x10000, P, 0), *high = rig_ram(&rig, 0x12000, P, 0);
    uint8_t bytes[2 * P + 16];

    memset(bytes, 0x5a, sizeof bytes);
    fails(RANGE, vsdk_vm_write(rig.vm, 0x10ff8, bytes, 2 * P, E));
    fails(RANGE, vsdk_vm_read(rig.vm, 0x10ff8, bytes, 2 * P, E));
    cr_assert_eq(bytes[0], 0x5a);
    ok(vsdk_vm_read(rig.vm, 0x10ff8, bytes, 8, NULL));
    cr_assert_eq(bytes[0], 0);
    fails(RANGE, vsdk_vm_read(rig.vm, 0x11000, bytes, 1, E));
    fails(RANGE, vsdk_vm_read(rig.vm, 0xffff, bytes, 2, E));
    fails(RANGE, vsdk_vm_read(rig.vm, 0x12fff, bytes, 2, E));
    vsdk_ram_close(low);
    vsdk_ram_close(high);
}

Test(gate, refuses_what_wraps)
{
    vsdk_ram *ram = rig_ram(&rig, 0, P, 0);
    uint8_t bytes[16];
    vsdk_dma_view view = {.size = sizeof view};

    fails(RANGE, vsdk_vm_read(rig.vm, UINT64_MAX - 7, bytes, 8, E));
    fails(RANGE, vsdk_vm_read(rig.vm, UINT64_MAX - 7, bytes, 16, E));
    fails(RANGE, vsdk_vm_write(rig.vm, 16, bytes, UINT64_MAX, E));
    fails(RANGE, vsdk_vm_write(rig.vm, 0, bytes, UINT64_MAX, E));
    fails(RANGE, vsdk_dma_map(device, 1, UINT64_MAX, VSDK_DMA_FROM_GUEST, &view, E));
    vsdk_ram_close(ram);
}

Test(gate, length_0_succeeds_anywhere)
{
    uint8_t byte = 7;

    ok(vsdk_vm_read(rig.vm, 0x123456, &byte, 0, NULL));
    ok(vsdk_vm_write(rig.vm, UINT64_MAX, &byte, 0, NULL));
    cr_assert_eq(byte, 7);
    fails(INVALID_ARGUMENT, vsdk_vm_read(rig.vm, 0, NULL, 0, E));
}

Test(gate, does_not_write_read_only_memory)
{
    vsdk_ram *rw = rig_ram(&rig, 0, P, 0), *ro = rig_ram(&rig, P, P, VSDK_MAP_READONLY);
    uint8_t bytes[4] = {1, 2, 3, 4};
    vsdk_dma_view view = {.size = sizeof view};

    fails(RANGE, vsdk_vm_write(rig.vm, P - 2, bytes, 4, E));
    ok(vsdk_vm_read(rig.vm, P - 2, bytes, 4, NULL));
    cr_assert_eq(bytes[0] | bytes[1], 0);
    fails(RANGE, vsdk_dma_map(device, P, 4, VSDK_DMA_FROM_GUEST | VSDK_DMA_TO_GUEST, &view, E));
    ok(vsdk_dma_map(device, P, 4, VSDK_DMA_FROM_GUEST, &view, NULL));
    vsdk_dma_unmap(&view);
    ok(vsdk_vm_protect(rig.vm, P, P, 0, NULL));
    ok(vsdk_vm_write(rig.vm, P - 2, bytes, 4, NULL));
    ok(vsdk_vm_protect(rig.vm, P, P, VSDK_MAP_READONLY, NULL));
    fails(RANGE, vsdk_vm_write(rig.vm, P, bytes, 1, E));
    vsdk_ram_close(rw);
    vsdk_ram_close(ro);
}

Test(gate, does_not_reach_devices)
{
    uint8_t bytes[4];

    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, 0x20000, 0x100, 0, NULL));
    fails(RANGE, vsdk_vm_read(rig.vm, 0x20000, bytes, 4, E));
    fails(RANGE, vsdk_dma_read(device, 0x20000, bytes, 4, E));
    cr_assert_eq(notes.reads, 0);
}

Test(gate, a_pin_keeps_its_bytes)
{
    vsdk_ram *ram = rig_ram(&rig, 0x10000, P, 0);
    vsdk_dma_view view = {.size = sizeof view}, zero = {0};

    ok(vsdk_dma_map(device, 0x10010, 16, VSDK_DMA_FROM_GUEST | VSDK_DMA_TO_GUEST, &view, NULL));
    cr_assert_eq(view.length, 16);
    cr_assert_eq(view.gpa, 0x10010);
    ok(vsdk_vm_unmap(rig.vm, 0x10000, P, NULL));
    vsdk_ram_close(ram);
    memset(view.data, 0x11, 16);
    ok(vsdk_vm_destroy(rig.vm, NULL));
    memset(view.data, 0x22, 16);
    vsdk_dma_unmap(&view);
    cr_assert_arr_eq(&view, &zero, sizeof view);
    vsdk_dma_unmap(&view);
    fails(GONE, vsdk_vm_read(rig.vm, 0x10010, &zero, 1, E));
    fails(GONE, vsdk_dma_read(device, 0x10010, &zero, 1, E));
}

Test(gate, a_pin_lies_in_one_mapping)
{
    vsdk_ram *a = rig_ram(&rig, 0, P, 0), *b = rig_ram(&rig, P, P, 0);
    vsdk_dma_view view = {.size = sizeof view};

    fails(RANGE, vsdk_dma_map(device, P - 1, 2, VSDK_DMA_FROM_GUEST, &view, E));
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, P - 1, 0, VSDK_DMA_FROM_GUEST, &view, E));
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, 0, 1, 0, &view, E));
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, 0, 1, 4, &view, E));
    view.size = 8;
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, 0, 1, VSDK_DMA_FROM_GUEST, &view, E));
    cr_assert_null(view.pin);
    vsdk_ram_close(a);
    vsdk_ram_close(b);
}

/* From stop to start a device reaches nothing, the embedder everything. */
Test(gate, a_stopped_device_makes_no_dma)
{
    vsdk_ram *ram = rig_ram(&rig, 0, P, 0);
    vsdk_dma_view view = {.size = sizeof view};
    uint8_t byte = 5;

    ok(vsdk_dma_write(device, 1, &byte, 1, NULL));
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    byte = 6;
    fails(STATE, vsdk_dma_write(device, 1, &byte, 1, E));
    fails(STATE, vsdk_dma_read(device, 1, &byte, 1, E));
    fails(STATE, vsdk_dma_map(device, 1, 1, VSDK_DMA_FROM_GUEST, &view, E));
    cr_assert_null(view.pin);
    cr_assert_eq(byte, 6);
    ok(vsdk_vm_read(rig.vm, 1, &byte, 1, NULL));
    cr_assert_eq(byte, 5);
    ok(vsdk_vm_write(rig.vm, 2, &byte, 1, NULL));
    rig_run(&rig);
    ok(vsdk_dma_read(device, 2, &byte, 1, NULL));
    ok(vsdk_vm_stop(rig.vm, VSDK_EXIT_STOP, 0, 0,
                    NULL)); /* at once, though nobody has stopped it */
    cr_assert_eq(notes.stops, 1);
    fails(STATE, vsdk_dma_write(device, 1, &byte, 1, E));
    ok(vsdk_vm_write(rig.vm, 1, &byte, 1, NULL));
    ok(vsdk_vm_destroy(rig.vm, NULL));
    fails(GONE, vsdk_dma_read(device, 1, &byte, 1, E));
    fails(GONE, vsdk_dma_map(device, 1, 1, VSDK_DMA_FROM_GUEST, &view, E));
    vsdk_ram_close(ram);
}

/* What a device may still write does not become read-only under its hands. */
Test(gate, a_pin_for_writing_keeps_its_mapping_writable)
{
    vsdk_ram *ram = rig_ram(&rig, 0, 4 * P, 0);
    vsdk_dma_view view[2] = {{.size = sizeof *view}, {.size = sizeof *view}};

    ok(vsdk_dma_map(device, P, 16, VSDK_DMA_FROM_GUEST, &view[0], NULL));
    ok(vsdk_vm_protect(rig.vm, 0, 4 * P, VSDK_MAP_READONLY, NULL));
    ok(vsdk_vm_protect(rig.vm, 0, 4 * P, 0, NULL));
    ok(vsdk_dma_map(device, 2 * P, 16, VSDK_DMA_TO_GUEST, &view[1], NULL));
    fails(BUSY, vsdk_vm_protect(rig.vm, 0, 4 * P, VSDK_MAP_READONLY, E));
    ok(vsdk_vm_write(rig.vm, 0, "x", 1, NULL)); /* it is what it was */
    ok(vsdk_vm_protect(rig.vm, 0, 4 * P, 0, NULL));
    vsdk_dma_unmap(&view[1]);
    ok(vsdk_vm_protect(rig.vm, 0, 4 * P, VSDK_MAP_READONLY, NULL));
    fails(RANGE, vsdk_vm_write(rig.vm, 0, "x", 1, E));
    vsdk_dma_unmap(&view[0]);
    vsdk_ram_close(ram);
}

/* A pin of a mapping that is gone says nothing of the one that is there now. */
Test(gate, a_pin_is_of_one_mapping)
{
    vsdk_ram *ram = rig_ram(&rig, 0, P, 0);
    vsdk_dma_view view = {.size = sizeof view};

    ok(vsdk_dma_map(device, 0, 16, VSDK_DMA_TO_GUEST, &view, NULL));
    ok(vsdk_vm_unmap(rig.vm, 0, P, NULL));
    ok(vsdk_vm_map(rig.vm, 0, ram, 0, P, 0, NULL));
    ok(vsdk_vm_protect(rig.vm, 0, P, VSDK_MAP_READONLY, NULL));
    vsdk_dma_unmap(&view);
    ok(vsdk_vm_protect(rig.vm, 0, P, 0, NULL));
    ok(vsdk_vm_protect(rig.vm, 0, P, VSDK_MAP_READONLY, NULL));
    vsdk_ram_close(ram);
}

Test(gate, a_probe_touches_nothing)
{
    vsdk_ram *rw = rig_ram(&rig, 0, P, 0), *ro = rig_ram(&rig, P, P, VSDK_MAP_READONLY);

    ok(vsdk_vm_probe(rig.vm, 0, 2 * P, VSDK_DMA_FROM_GUEST, NULL));
    fails(RANGE, vsdk_vm_probe(rig.vm, P - 1, 2, VSDK_DMA_TO_GUEST, E));
    ok(vsdk_vm_probe(rig.vm, P - 1, 1, VSDK_DMA_TO_GUEST | VSDK_DMA_FROM_GUEST, NULL));
    fails(RANGE, vsdk_vm_probe(rig.vm, 2 * P - 1, 2, VSDK_DMA_FROM_GUEST, E));
    fails(RANGE, vsdk_vm_probe(rig.vm, UINT64_MAX, 2, VSDK_DMA_FROM_GUEST, E));
    ok(vsdk_vm_probe(rig.vm, UINT64_MAX, 0, VSDK_DMA_FROM_GUEST, NULL));
    fails(INVALID_ARGUMENT, vsdk_vm_probe(rig.vm, 0, 1, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_probe(rig.vm, 0, 1, 4, E));
    fails(INVALID_ARGUMENT, vsdk_vm_probe(NULL, 0, 1, VSDK_DMA_FROM_GUEST, E));
    ok(vsdk_vm_destroy(rig.vm, NULL));
    fails(GONE, vsdk_vm_probe(rig.vm, 0, 1, VSDK_DMA_FROM_GUEST, E));
    vsdk_ram_close(rw);
    vsdk_ram_close(ro);
}

Test(gate, mappings_do_not_overlap)
{
    vsdk_ram *a = rig_ram(&rig, 4 * P, 2 * P, 0), *b;

    ok(vsdk_ram_create(rig.vm, 4 * P, NULL, &b, NULL));
    fails(EXISTS, vsdk_vm_map(rig.vm, 3 * P, b, 0, 2 * P, 0, E));
    fails(EXISTS, vsdk_vm_map(rig.vm, 5 * P, b, 0, P, 0, E));
    fails(EXISTS, vsdk_vm_map(rig.vm, 3 * P, b, 0, 4 * P, 0, E));
    ok(vsdk_vm_map(rig.vm, 3 * P, b, 0, P, 0, NULL));
    ok(vsdk_vm_map(rig.vm, 6 * P, b, P, P, 0, NULL));
    fails(RANGE, vsdk_vm_map(rig.vm, 8 * P, b, 3 * P, 2 * P, 0, E));
    fails(RANGE, vsdk_vm_map(rig.vm, UINT64_MAX - P + 1, b, 2 * P, P, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(rig.vm, 8 * P + 1, b, 2 * P, P, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(rig.vm, 8 * P, b, 2 * P, 0, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_map(rig.vm, 8 * P, b, 2 * P, P, 8, E));
    fails(NOT_FOUND, vsdk_vm_unmap(rig.vm, 4 * P, P, E));
    fails(NOT_FOUND, vsdk_vm_unmap(rig.vm, 5 * P, P, E));
    fails(NOT_FOUND, vsdk_vm_protect(rig.vm, 0, P, 0, E));
    ok(vsdk_vm_unmap(rig.vm, 4 * P, 2 * P, NULL));
    ok(vsdk_vm_map(rig.vm, 4 * P, b, 2 * P, 2 * P, 0, NULL));
    vsdk_ram_close(a);
    vsdk_ram_close(b);
}

Test(gate, memory_max_is_kept)
{
    struct core_rig small;
    vsdk_vm_config config = {.size = sizeof config, .memory_max = 2 * P};
    vsdk_ram *ram;

    rig_make_with(&small, &config);
    ok(vsdk_ram_create(small.vm, 4 * P, NULL, &ram, NULL));
    ok(vsdk_vm_map(small.vm, 0, ram, 0, P, 0, NULL));
    fails(LIMIT, vsdk_vm_map(small.vm, 4 * P, ram, P, 2 * P, 0, E));
    ok(vsdk_vm_map(small.vm, 4 * P, ram, P, P, 0, NULL));
    vsdk_ram_close(ram);
    rig_end(&small);
}

Test(gate, many_mappings_are_found)
{
    enum { N = 100 };
    vsdk_ram *ram;
    uint32_t value;

    ok(vsdk_ram_create(rig.vm, N * P, NULL, &ram, NULL));
    for (uint64_t i = 0; i < N; i++)
        ok(vsdk_vm_map(rig.vm, (i * 37 % N) * 2 * P, ram, i * P, P, 0, NULL));
    for (uint32_t i = 0; i < N; i++)
        ok(vsdk_vm_write(rig.vm, i * 2 * P + 8, &i, 4, NULL));
    for (uint32_t i = 0; i < N; i++) {
        ok(vsdk_vm_read(rig.vm, i * 2 * P + 8, &value, 4, NULL));
        cr_assert_eq(value, i);
        fails(RANGE, vsdk_vm_read(rig.vm, i * 2 * P + P, &value, 4, E));
    }
    for (uint64_t i = 0; i < N; i += 2)
        ok(vsdk_vm_unmap(rig.vm, i * 2 * P, P, NULL));
    fails(RANGE, vsdk_vm_read(rig.vm, 8, &value, 4, E));
    ok(vsdk_vm_read(rig.vm, 2 * P + 8, &value, 4, NULL));
    cr_assert_eq(value, 1);
    vsdk_ram_close(ram);
}

Test(gate, memory_outlives_all_else)
{
    vsdk_ram *ram;
    void *data;
    vsdk_ram_config config = {.size = sizeof config, .backing = VSDK_RAM_HUGE};

    fails(UNSUPPORTED, vsdk_ram_create(rig.vm, P, &config, &ram, E));
    fails(INVALID_ARGUMENT, vsdk_ram_create(rig.vm, 0, NULL, &ram, E));
    fails(INVALID_ARGUMENT, vsdk_ram_create(rig.vm, P + 1, NULL, &ram, E));
    fails(NO_MEMORY, vsdk_ram_create(rig.vm, UINT64_C(1) << 63, NULL, &ram, E));
    ram = rig_ram(&rig, 0, P, 0);
    ok(vsdk_vm_destroy(rig.vm, NULL));
    data = vsdk_ram_data(ram);
    memset(data, 1, P);
    fails(GONE, vsdk_vm_map(rig.vm, P, ram, 0, P, 0, E));
    fails(GONE, vsdk_vm_unmap(rig.vm, 0, P, E));
    vsdk_ram_close(ram);
    fails(GONE, vsdk_ram_create(rig.vm, P, NULL, &ram, E));
    cr_assert_null(ram);
}

/* A writer also holds the mapping, and with it the memory; a reader holds the memory alone. */
Test(gate, a_pin_for_reading_keeps_its_bytes)
{
    vsdk_ram *ram = rig_ram(&rig, 0x10000, P, 0);
    vsdk_dma_view view = {.size = sizeof view};
    uint8_t bytes[16] = {1, 2, 3};

    ok(vsdk_vm_write(rig.vm, 0x10010, bytes, sizeof bytes, NULL));
    ok(vsdk_dma_map(device, 0x10010, sizeof bytes, VSDK_DMA_FROM_GUEST, &view, NULL));
    ok(vsdk_vm_unmap(rig.vm, 0x10000, P, NULL));
    vsdk_ram_close(ram);
    cr_assert_arr_eq(view.data, bytes, sizeof bytes);
    ok(vsdk_vm_destroy(rig.vm, NULL));
    cr_assert_arr_eq(view.data, bytes, sizeof bytes);
    vsdk_dma_unmap(&view);
}
