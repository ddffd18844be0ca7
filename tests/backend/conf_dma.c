/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: the one way from a guest address to bytes, for embedders and, as long as they are
 * started, for devices. */
#include "common.h"

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(dma, .init = setup, .fini = teardown);

static vsdk_device *make_attached(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, MMIO, 4096, 0, E));
    return device;
}

/* A device that may act: its guest spins. */
static vsdk_device *make_started(void)
{
    vsdk_device *device = make_attached();

    machine_start(&m, &guest_spin, NULL);
    return device;
}

static uint8_t bytes[RAM_BYTES + 0x2000];

static void copy_both_ways(vsdk_device *device, uint8_t first)
{
    for (unsigned i = 0; i < 300; i++)
        bytes[i] = (uint8_t)(first + i);
    if (device)
        ok(vsdk_dma_write(device, RESULT + 3, bytes, 300, E));
    else
        ok(vsdk_vm_write(m.vm, RESULT + 3, bytes, 300, E));
    memset(bytes, 0, 300);
    if (device)
        ok(vsdk_dma_read(device, RESULT + 3, bytes, 300, E));
    else
        ok(vsdk_vm_read(m.vm, RESULT + 3, bytes, 300, E));
    for (unsigned i = 0; i < 300; i++)
        cr_assert_eq(bytes[i], (uint8_t)(first + i));
    cr_assert(memcmp(m.memory + RESULT + 3, bytes, 300) == 0);
}

Test(dma, copies_both_ways)
{
    copy_both_ways(NULL, 0);
}

Test(dma, of_a_device_copies_both_ways)
{
    vsdk_device *device = make_started();

    copy_both_ways(device, 7);
    vsdk_device_close(device);
}

Test(dma, of_nothing_succeeds)
{
    vsdk_device *device = make_started();

    ok(vsdk_vm_read(m.vm, 0, bytes, 0, E));
    ok(vsdk_vm_write(m.vm, 0, bytes, 0, E));
    ok(vsdk_vm_probe(m.vm, 0, 0, VSDK_DMA_FROM_GUEST, E));
    ok(vsdk_dma_read(device, 0, bytes, 0, E));
    ok(vsdk_dma_write(device, 0, bytes, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_read(m.vm, 0, NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_vm_write(m.vm, 0, NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_vm_read(NULL, 0, bytes, 1, E));
    fails(INVALID_ARGUMENT, vsdk_vm_write(NULL, 0, bytes, 1, E));
    fails(INVALID_ARGUMENT, vsdk_dma_read(device, 0, NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_dma_write(device, 0, NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_dma_read(NULL, 0, bytes, 1, E));
    fails(INVALID_ARGUMENT, vsdk_dma_write(NULL, 0, bytes, 1, E));
    fails(INVALID_ARGUMENT, vsdk_vm_probe(NULL, 0, 1, VSDK_DMA_FROM_GUEST, E));
    fails(INVALID_ARGUMENT, vsdk_vm_probe(m.vm, 0, 1, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_probe(m.vm, 0, 1, 0x10, E));
    vsdk_device_close(device);
}

/* Each bad range, by each function of the gate. */
static void refused(vsdk_device *device, uint64_t gpa, uint64_t length)
{
    const uint32_t both = VSDK_DMA_FROM_GUEST | VSDK_DMA_TO_GUEST;
    vsdk_dma_view view = {.size = sizeof view};

    fails(RANGE, vsdk_vm_read(m.vm, gpa, bytes, length, E));
    fails(RANGE, vsdk_vm_write(m.vm, gpa, bytes, length, E));
    fails(RANGE, vsdk_vm_probe(m.vm, gpa, length, VSDK_DMA_FROM_GUEST, E));
    fails(RANGE, vsdk_vm_probe(m.vm, gpa, length, both, E));
    fails(RANGE, vsdk_dma_read(device, gpa, bytes, length, E));
    fails(RANGE, vsdk_dma_write(device, gpa, bytes, length, E));
    fails(RANGE, vsdk_dma_map(device, gpa, length, VSDK_DMA_FROM_GUEST, &view, E));
    fails(RANGE, vsdk_dma_map(device, gpa, length, both, &view, E));
}

Test(dma, refuses_what_is_not_memory)
{
    vsdk_device *device = make_started();

    refused(device, RAM_BYTES - 1, 2);
    refused(device, RAM_BYTES, 1);
    refused(device, MMIO, 4);
    refused(device, UINT64_MAX, 1);
    refused(device, UINT64_MAX, 2);
    refused(device, UINT64_MAX - 3, 16);
    refused(device, 0, UINT64_MAX);
    refused(device, RESULT, UINT64_MAX);
    refused(device, 0xfee00000, 4);
    vsdk_device_close(device);
}

Test(dma, is_all_or_nothing)
{
    memset(bytes, 0x5a, sizeof bytes);
    fails(RANGE, vsdk_vm_write(m.vm, RAM_BYTES - 16, bytes, 32, E));
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(m.memory[RAM_BYTES - 16 + i], 0, "some of it was written");
    memset(bytes, 0, 16);
    fails(RANGE, vsdk_vm_read(m.vm, RAM_BYTES - 16, bytes, 32, E));
}

Test(dma, crosses_mappings_side_by_side)
{
    vsdk_dma_view view = {.size = sizeof view};
    vsdk_device *device = make_started();
    vsdk_ram *ram = NULL;
    uint8_t got[16];

    ok(vsdk_ram_create(m.vm, 0x2000, NULL, &ram, E));
    ok(vsdk_vm_map(m.vm, RAM_BYTES, ram, 0x1000, 0x1000, 0, E));
    ok(vsdk_vm_map(m.vm, RAM_BYTES + 0x1000, ram, 0, 0x1000, 0, E));
    ok(vsdk_vm_write(m.vm, RAM_BYTES - 8, "left....right...", 16, E));
    ok(vsdk_vm_read(m.vm, RAM_BYTES - 8, got, 16, E));
    cr_assert(memcmp(got, "left....right...", 16) == 0);
    ok(vsdk_vm_write(m.vm, RAM_BYTES - 0x800, bytes, 0x2000, E));
    fails(RANGE, vsdk_dma_map(device, RAM_BYTES - 8, 16, VSDK_DMA_FROM_GUEST, &view, E));
    vsdk_ram_close(ram);
    vsdk_device_close(device);
}

Test(dma, does_not_write_to_read_only_memory)
{
    vsdk_dma_view view = {.size = sizeof view};
    vsdk_device *device;
    vsdk_ram *ram = NULL;

    need(m.host, VSDK_CAPABILITY_READONLY);
    device = make_started();
    ok(vsdk_ram_create(m.vm, 0x1000, NULL, &ram, E));
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, VSDK_MAP_READONLY, E));
    ok(vsdk_vm_read(m.vm, EXTRA_RAM, bytes, 16, E));
    ok(vsdk_vm_probe(m.vm, EXTRA_RAM, 16, VSDK_DMA_FROM_GUEST, E));
    fails(RANGE, vsdk_vm_write(m.vm, EXTRA_RAM, bytes, 16, E));
    fails(RANGE, vsdk_vm_probe(m.vm, EXTRA_RAM, 16, VSDK_DMA_TO_GUEST, E));
    fails(RANGE, vsdk_dma_write(device, EXTRA_RAM, bytes, 16, E));
    fails(RANGE, vsdk_dma_map(device, EXTRA_RAM, 16, VSDK_DMA_TO_GUEST, &view, E));
    ok(vsdk_dma_map(device, EXTRA_RAM, 16, VSDK_DMA_FROM_GUEST, &view, E));
    vsdk_dma_unmap(&view);
    vsdk_ram_close(ram);
    vsdk_device_close(device);
}

/* Of two pins for writing each alone keeps the memory writable; one for reading does not. */
Test(dma, pin_for_writing_keeps_memory_from_becoming_read_only)
{
    vsdk_dma_view first = {.size = sizeof first}, second = first, reads = first;
    vsdk_device *device;
    vsdk_ram *ram = NULL;

    need(m.host, VSDK_CAPABILITY_READONLY);
    device = make_started();
    ok(vsdk_ram_create(m.vm, 0x2000, NULL, &ram, E));
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x2000, 0, E));
    ok(vsdk_dma_map(device, EXTRA_RAM, 16, VSDK_DMA_FROM_GUEST, &reads, E));
    ok(vsdk_dma_map(device, EXTRA_RAM, 16, VSDK_DMA_TO_GUEST, &first, E));
    ok(vsdk_dma_map(device, EXTRA_RAM + 0x1000, 16, VSDK_DMA_TO_GUEST, &second, E));
    fails(BUSY, vsdk_vm_protect(m.vm, EXTRA_RAM, 0x2000, VSDK_MAP_READONLY, E));
    ok(vsdk_vm_protect(m.vm, EXTRA_RAM, 0x2000, 0, E));
    vsdk_dma_unmap(&first);
    fails(BUSY, vsdk_vm_protect(m.vm, EXTRA_RAM, 0x2000, VSDK_MAP_READONLY, E));
    ok(vsdk_vm_write(m.vm, EXTRA_RAM, bytes, 16, E));
    vsdk_dma_unmap(&second);
    ok(vsdk_vm_protect(m.vm, EXTRA_RAM, 0x2000, VSDK_MAP_READONLY, E));
    fails(RANGE, vsdk_vm_write(m.vm, EXTRA_RAM, bytes, 16, E));
    vsdk_dma_unmap(&reads);
    vsdk_ram_close(ram);
    vsdk_device_close(device);
}

Test(dma, view_is_a_window)
{
    vsdk_dma_view view = {.size = sizeof view}, zero = {0};
    vsdk_device *device = make_started();

    ok(vsdk_dma_map(device, RESULT + 100, 50, VSDK_DMA_FROM_GUEST | VSDK_DMA_TO_GUEST, &view, E));
    cr_assert(view.data == m.memory + RESULT + 100);
    cr_assert_eq(view.length, 50);
    cr_assert_eq(view.gpa, RESULT + 100);
    cr_assert_eq(view.flags, VSDK_DMA_FROM_GUEST | VSDK_DMA_TO_GUEST);
    memset(view.data, 7, 50);
    ok(vsdk_vm_read(m.vm, RESULT + 100, bytes, 50, E));
    cr_assert_eq(bytes[49], 7);
    vsdk_dma_unmap(&view);
    view.size = 0;
    cr_assert(memcmp(&view, &zero, sizeof view) == 0, "the view was not cleared");
    vsdk_dma_unmap(&view);
    vsdk_dma_unmap(NULL);
    vsdk_device_close(device);
}

Test(dma, arguments_of_a_view_are_checked)
{
    vsdk_dma_view view = {.size = sizeof view};
    vsdk_device *device = make_started();

    fails(INVALID_ARGUMENT, vsdk_dma_map(device, RESULT, 0, VSDK_DMA_FROM_GUEST, &view, E));
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, RESULT, 1, 0, &view, E));
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, RESULT, 1, 0x10, &view, E));
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, RESULT, 1, VSDK_DMA_FROM_GUEST, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_dma_map(NULL, RESULT, 1, VSDK_DMA_FROM_GUEST, &view, E));
    view.size = 8;
    fails(INVALID_ARGUMENT, vsdk_dma_map(device, RESULT, 1, VSDK_DMA_FROM_GUEST, &view, E));
    vsdk_device_close(device);
}

Test(dma, view_outlives_unmap_close_and_destroy)
{
    vsdk_dma_view view = {.size = sizeof view};
    vsdk_device *device = make_started();
    vsdk_ram *ram = NULL;

    ok(vsdk_ram_create(m.vm, 0x1000, NULL, &ram, E));
    ok(vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 0x1000, 0, E));
    ok(vsdk_dma_map(device, EXTRA_RAM, 0x1000, VSDK_DMA_TO_GUEST, &view, E));
    vsdk_device_close(device);
    ok(vsdk_vm_unmap(m.vm, EXTRA_RAM, 0x1000, E));
    vsdk_ram_close(ram);
    memset(view.data, 1, 0x1000);
    ok(vsdk_vm_destroy(m.vm, E));
    memset(view.data, 2, 0x1000);
    machine_end(&m);
    memset(view.data, 3, 0x1000);
    vsdk_dma_unmap(&view);
}

Test(dma, guest_sees_it_and_is_seen)
{
    const uint64_t value = 0x0123456789abcdef;
    uint64_t got = 0;

    ok(vsdk_vm_write(m.vm, DATA, &value, 8, E));
    machine_start(&m, &guest_copy, &(vsdk_x86_regs){.rbx = DATA, .rdi = RESULT});
    run_to_end(&m);
    ok(vsdk_vm_read(m.vm, RESULT, &got, 8, E));
    cr_assert_eq(got, value);
}

/* A device's own way to memory is open from its start to its stop, the embedder's always. */
static void expect_dma(vsdk_device *device, vsdk_status expected)
{
    vsdk_dma_view view = {.size = sizeof view};
    uint8_t byte = 0;

    if (expected) {
        check_fails(expected, (check_clear(), vsdk_dma_read(device, RESULT, &byte, 1, E)), "read",
                    __FILE__, __LINE__);
        check_fails(expected, (check_clear(), vsdk_dma_write(device, RESULT, &byte, 1, E)), "write",
                    __FILE__, __LINE__);
        check_fails(expected,
                    (check_clear(), vsdk_dma_map(device, RESULT, 1, VSDK_DMA_FROM_GUEST, &view, E)),
                    "map", __FILE__, __LINE__);
        cr_assert(view.data == NULL && view.pin == NULL);
        return;
    }
    ok(vsdk_dma_read(device, RESULT, &byte, 1, E));
    ok(vsdk_dma_write(device, RESULT, &byte, 1, E));
    ok(vsdk_dma_map(device, RESULT, 1, VSDK_DMA_FROM_GUEST, &view, E));
    vsdk_dma_unmap(&view);
}

Test(dma, of_a_stopped_device_is_refused)
{
    vsdk_dma_view view = {.size = sizeof view};
    vsdk_device *device = make_attached();
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *bare = make_device(m.vm, &ops, NULL, 0);

    expect_dma(device, VSDK_ERROR_STATE);
    machine_start(&m, &guest_spin, NULL);
    expect_dma(device, VSDK_OK);
    expect_dma(bare, VSDK_OK); /* it has no range, and needs none */
    ok(vsdk_dma_map(device, RESULT, 16, VSDK_DMA_TO_GUEST, &view, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_dma(device, VSDK_ERROR_STATE);
    ok(vsdk_vm_write(m.vm, RESULT, "embedder", 8, E));
    cr_assert(memcmp(view.data, "embedder", 8) == 0, "a pin's pointer does not stay valid");
    vsdk_dma_unmap(&view);
    ok(vsdk_vm_resume(m.vm, E));
    expect_dma(device, VSDK_OK);
    ok(vsdk_device_detach(device, E));
    expect_dma(device, VSDK_ERROR_STATE);
    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, MMIO, 4096, 0, E));
    expect_dma(device, VSDK_OK);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    expect_dma(device, VSDK_ERROR_STATE);
    ok(vsdk_vm_read(m.vm, RESULT, bytes, 8, E));
    ok(vsdk_vm_destroy(m.vm, E));
    expect_dma(device, VSDK_ERROR_GONE);
    vsdk_device_close(bare);
    vsdk_device_close(device);
}
