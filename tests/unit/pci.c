/* SPDX-License-Identifier: Apache-2.0 */
/* PCI functions without a guest: the configuration space in every width, BARs that are sized, moved
 * and put where they can't be, messages that wait, and functions that come and go. */
#include "core_rig.h"
#include "pci_driver.h"
#include <stdlib.h>
#include <string.h>

enum { SLOT = PCI_TEST_SLOT, WINDOW = 0xc0000000, PORT = 0x624, EVENTS = 0x620, MSIX = 0x40 };
enum { VECTORS = 70, TABLE = 0x1000, PBA = 0x2000, BAR_LENGTH = 0x4000, OWN = 0x4c };

static struct core_rig rig;
static vsdk_device *host, *events, *function;
static unsigned sent, edges, releases, ejections[2], placed_calls;
static uint32_t last_data, last_offset, last_config;
static uint64_t last_address, where[6], last_stored;

vsdk_status __real_vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data,
                                    vsdk_error *error);
vsdk_status __wrap_vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data,
                                    vsdk_error *error);
vsdk_status __wrap_vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    vsdk_status status = __real_vsdk_vm_send_msi(vm, address, data, error);

    sent += !status;
    last_address = address;
    last_data = data;
    return status;
}

static uint64_t way_read(uint64_t address, uint16_t width)
{
    rig_read(&rig, VSDK_SPACE_MMIO, address, width);
    return width == 8 ? rig.exit.value : rig.exit.value & ((UINT64_C(1) << 8 * width) - 1);
}

static void way_write(uint64_t address, uint16_t width, uint64_t value)
{
    rig_write(&rig, VSDK_SPACE_MMIO, address, width, value);
}

static uint64_t bar_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    cr_assert(user == &rig && device == function);
    last_offset = (uint32_t)access->offset;
    return 0x1000 + access->region;
}

static void moved(void *user, vsdk_device *device, uint32_t bar, uint64_t address)
{
    where[bar] = address;
    placed_calls++;
}

static uint64_t asked(void *user, vsdk_device *device, uint32_t offset, uint32_t width,
                      uint64_t stored)
{
    return stored ^ 0xff;
}

static void written(void *user, vsdk_device *device, uint32_t offset, uint32_t width,
                    uint64_t stored)
{
    last_config = offset;
    last_stored = stored;
}

static void ejected(void *user, vsdk_device *device, vsdk_pci_ejected what)
{
    ejections[what]++;
}

static void released(void *user)
{
    releases++;
}

static const vsdk_pci_function_ops ops = {.size = sizeof ops,
                                          .read = bar_read,
                                          .placed = moved,
                                          .config_read = asked,
                                          .config_written = written,
                                          .ejected = ejected,
                                          .release = released};

static const uint8_t own_bytes[] = {1, 2, 3, 4, 5, 6}, own_mask[] = {0, 0, 0xff, 0x0f, 0, 0};
static const vsdk_pci_capability capabilities[] = {
    {.id = 9, .bytes = own_bytes, .writable = own_mask, .length = 6},
    {.id = 1, .bytes = own_bytes, .length = 3, .flags = VSDK_PCI_CAPABILITY_READ}};

/* BAR 0 has 64 bits and messages at its end, BAR 2 has 32. */
static vsdk_pci_function_config config_of(void)
{
    return (vsdk_pci_function_config){
        .size = sizeof(vsdk_pci_function_config),
        .name = "function",
        .vendor_id = 0x1234,
        .device_id = 0x5678,
        .subsystem_vendor_id = 0x9abc,
        .subsystem_id = 0xdef0,
        .class_code = 0x010203,
        .revision = 7,
        .vectors = VECTORS,
        .vectors_offset = TABLE,
        .capabilities = capabilities,
        .capability_count = 2,
        .bars = {{.length = BAR_LENGTH, .flags = VSDK_PCI_BAR_64}, {0}, {.length = 0x100}}};
}

static void line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    edges += gsi == 6 && level;
}

static void begin(void)
{
    vsdk_pci_function_config config = config_of();
    vsdk_pci_config c = {.size = sizeof c};

    sent = edges = releases = placed_calls = ejections[0] = ejections[1] = 0;
    memset(where, 0, sizeof where);
    pci_way_of = (pci_way){way_read, way_write};
    rig_make(&rig);
    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, line, NULL, NULL, NULL));
    ok(vsdk_ged_create(rig.vm, NULL, &events, NULL));
    c.events = events;
    ok(vsdk_pci_create(rig.vm, &c, &host, NULL));
    ok(vsdk_pci_function_create(rig.vm, &ops, &rig, &config, &function, NULL));
    ok(vsdk_pci_function_attach(function, host, SLOT, NULL));
}

static void end(void)
{
    vsdk_device_close(function);
    vsdk_device_close(host);
    vsdk_device_close(events);
    rig_end(&rig);
    cr_assert_eq(releases, 1);
}

TestSuite(pci, .init = begin, .fini = end);

static uint32_t get(uint32_t offset, uint16_t width)
{
    return pci_config(SLOT, offset, width);
}

static void set(uint32_t offset, uint16_t width, uint64_t value)
{
    pci_set_config(SLOT, offset, width, value);
}

Test(pci, the_configuration_space_says_what_it_is)
{
    rig_run(&rig);
    cr_assert_eq(get(0, 4), 0x56781234);
    cr_assert_eq(get(8, 4), 0x01020307);
    cr_assert_eq(get(0x2c, 4), 0xdef09abc);
    cr_assert_eq(get(0x3d, 1), 0, "an interrupt pin");
    cr_assert_eq(get(6, 2), 0x10);
    cr_assert_eq(way_read(PCI_TEST_ECAM + SLOT * 0x8000, 8), UINT64_C(0x0010000056781234));
    cr_assert_eq(get(0x100, 4), 0, "extended capabilities");
    cr_assert_eq(get(0xffc, 4), 0);
    cr_assert_eq(get(0x1000, 4), UINT32_MAX, "function 1");
    cr_assert_eq(pci_config(SLOT + 1, 0, 4), UINT32_MAX, "an empty slot");
    pci_set_config(SLOT + 1, 4, 2, 6);
    set(0x1004, 2, 6);
    cr_assert_eq(get(4, 2), 0);
}

Test(pci, capabilities_are_a_list)
{
    rig_run(&rig);
    cr_assert_eq(pci_find(SLOT, 0x11, 0), MSIX);
    cr_assert_eq(get(MSIX + 2, 2), VECTORS - 1);
    cr_assert_eq(get(MSIX + 4, 4), TABLE);
    cr_assert_eq(get(MSIX + 8, 4), PBA);
    cr_assert_eq(pci_find(SLOT, 9, 0), OWN);
    cr_assert_eq(get(OWN + 2, 4), 0x04030201);
    cr_assert_eq(pci_find(SLOT, 1, 0), OWN + 8);
    cr_assert_eq(get(OWN + 9, 1), 0, "the last one");
    cr_assert_eq(get(OWN + 10, 1), 1 ^ 0xff, "its owner is asked");
    set(OWN, 4, UINT32_MAX);
    set(OWN + 4, 4, UINT32_MAX);
    cr_assert_eq(get(OWN + 2, 4), 0x0fff0201, "but for the mask it stays");
    cr_assert_eq(get(OWN, 1), 9);
    cr_assert_eq(last_config, OWN + 4);
    cr_assert_eq(last_stored, 0x06050fff);
}

/* Whatever is written, in whatever width and wherever: bits that are not the guest's stay. */
Test(pci, nothing_else_can_be_written)
{
    uint8_t before[256], after[256];

    rig_run(&rig);
    srand(1);
    for (unsigned i = 0; i < sizeof before; i++)
        before[i] = (uint8_t)get(i, 1);
    for (unsigned i = 0; i < 20000; i++) {
        uint16_t width = (uint16_t)(1u << rand() % 4);
        set((uint32_t)rand() % 0x120, width, (uint64_t)rand() << 32 | (uint32_t)rand() << 1);
    }
    for (unsigned i = 0; i < sizeof after; i++)
        after[i] = (uint8_t)get(i, 1);
    cr_assert_eq(memcmp(before, after, 4), 0);
    cr_assert_eq((after[4] & ~6) | (after[5] & ~4) | (after[6] ^ 0x10) | after[7], 0);
    cr_assert_eq(memcmp(before + 8, after + 8, 4), 0);
    cr_assert_eq(after[0x10] & 0xf, 4);
    cr_assert_eq(memcmp(before + 0x1c, after + 0x1c, 0x3c - 0x1c), 0);
    cr_assert_eq(memcmp(before + 0x3d, after + 0x3d, MSIX + 3 - 0x3d), 0);
    cr_assert_eq(memcmp(before + MSIX + 4, after + MSIX + 4, 12), 0);
    cr_assert_eq(memcmp(before + 0x60, after + 0x60, 256 - 0x60), 0);
    set(4, 2, 0);
    cr_assert(!where[0] && !where[2]);
}

Test(pci, bars_are_sized)
{
    rig_run(&rig);
    cr_assert_eq(get(0x10, 4), WINDOW | 4);
    cr_assert_eq(get(0x14, 4), 0);
    cr_assert_eq(get(0x18, 4), WINDOW + BAR_LENGTH);
    set(0x10, 4, UINT32_MAX);
    set(0x14, 4, UINT32_MAX);
    set(0x18, 4, UINT32_MAX);
    cr_assert_eq(get(0x10, 4), (uint32_t)-BAR_LENGTH | 4);
    cr_assert_eq(get(0x14, 4), UINT32_MAX);
    cr_assert_eq(get(0x18, 4), 0xffffff00);
    set(0x1c, 4, UINT32_MAX);
    cr_assert_eq(get(0x1c, 4), 0, "one that is not there");
    set(0x30, 4, UINT32_MAX);
    cr_assert_eq(get(0x30, 4), 0, "the ROM");
}

static int answers(uint64_t address)
{
    return rig_read(&rig, VSDK_SPACE_MMIO, address, 4) == BUS_CLAIMED;
}

Test(pci, bars_answer_where_they_are_put)
{
    rig_run(&rig);
    cr_assert(!answers(WINDOW));
    set(4, 2, 2);
    cr_assert_eq(where[0], WINDOW);
    cr_assert_eq(way_read(WINDOW + 0x24, 4), 0x1000);
    cr_assert_eq(last_offset, 0x24);
    cr_assert_eq(way_read(WINDOW + BAR_LENGTH + 8, 4), 0x1002);
    cr_assert_eq(way_read(WINDOW + TABLE + 12, 4), 1, "a vector begins masked");
    set(4, 2, 0);
    set(0x10, 4, WINDOW + 0x100000);
    cr_assert(!answers(WINDOW));
    set(4, 2, 2);
    cr_assert(answers(WINDOW + 0x100000) && !answers(WINDOW));
    set(0x10, 4, WINDOW + 0x200000);
    cr_assert(answers(WINDOW + 0x200000) && !answers(WINDOW + 0x100000), "with decoding on");
    /* Two change places. */
    set(4, 2, 0);
    set(0x10, 4, WINDOW);
    set(0x18, 4, WINDOW + 0x8000);
    set(4, 2, 2);
    set(4, 2, 0);
    set(0x10, 4, WINDOW + 0x8000);
    set(0x18, 4, WINDOW);
    set(4, 2, 2);
    cr_assert_eq(way_read(WINDOW, 4), 0x1002);
    cr_assert_eq(way_read(WINDOW + 0x8000, 4), 0x1000);
}

/* RAM, another function, the host itself, the addresses beyond the window: none of them. */
Test(pci, no_address_is_trusted)
{
    vsdk_ram *ram = rig_ram(&rig, WINDOW + 0x10000, 0x10000, 0);
    struct notes notes = {0};
    vsdk_device *other = rig_device(&rig, &notes, 0);
    const uint64_t bad[] = {
        WINDOW + 0x10000,
        WINDOW + 0x1c000,
        WINDOW + 0x20000,
        PCI_TEST_ECAM,
        0,
        0xfee00000,
        WINDOW - BAR_LENGTH,
        UINT64_C(0x1c0000000),
        UINT64_MAX - BAR_LENGTH + 1,
        WINDOW + 0x20000000 - BAR_LENGTH / 2,
    };

    /* The second range of the BAR meets this one. */
    ok(vsdk_device_add_range(other, VSDK_SPACE_MMIO, WINDOW + 0x20000 + TABLE, 4, 0, NULL));
    rig_run(&rig);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t reads = bad[i] & ~UINT64_C(0x3fff);
        set(4, 2, 0);
        set(0x10, 8, bad[i]);
        set(4, 2, 2);
        cr_assert_eq(way_read(PCI_TEST_ECAM + SLOT * 0x8000 + 0x10, 8), reads | 4);
        if (reads != WINDOW + 0x20000000 - BAR_LENGTH)
            cr_assert_eq(where[0], 0, "0x%llx", (unsigned long long)bad[i]);
    }
    cr_assert(!answers(WINDOW + 0x20000), "half of it");
    /* What was in the way has gone: the next write finds room. */
    set(0x10, 8, WINDOW + 0x20000);
    ok(vsdk_device_detach(other, NULL));
    set(0x3c, 1, 1);
    cr_assert_eq(where[0], WINDOW + 0x20000);
    vsdk_device_close(other);
    vsdk_ram_close(ram);
}

static uint64_t entry(uint32_t vector)
{
    return WINDOW + TABLE + 16 * vector;
}

static void use_messages(void)
{
    rig_run(&rig);
    set(4, 2, 6);
    set(MSIX + 2, 2, 0x8000);
    for (uint32_t i = 0; i < VECTORS; i++) {
        way_write(entry(i), 8, 0xfee00000);
        way_write(entry(i) + 8, 4, 0x40 + i);
        way_write(entry(i) + 12, 4, 0);
    }
}

static uint64_t pending(uint32_t word)
{
    return way_read(WINDOW + PBA + 8 * word, 8);
}

static void interrupt(uint32_t vector)
{
    ok(vsdk_pci_function_interrupt(function, vector, NULL));
}

Test(pci, messages_are_sent)
{
    fails(NOT_FOUND, vsdk_pci_function_interrupt(function, 0, E));
    use_messages();
    interrupt(69);
    cr_assert_eq(sent, 1);
    cr_assert_eq(last_address, 0xfee00000);
    cr_assert_eq(last_data, 0x40 + 69);
    fails(RANGE, vsdk_pci_function_interrupt(function, VECTORS, E));
    way_write(entry(3), 4, 0xd0000000);
    interrupt(3);
    cr_assert_eq(sent, 1, "to an address that is none");
    cr_assert_eq(pending(0), 0);
}

/* One after the other of what keeps a message back; it is sent once, when the last goes. */
Test(pci, messages_wait_until_they_can_be_sent)
{
    use_messages();
    way_write(entry(69) + 12, 4, 1);
    interrupt(69);
    interrupt(69);
    cr_assert_eq(sent, 0);
    cr_assert_eq(pending(1), 1 << 5);
    cr_assert_eq(way_read(WINDOW + PBA + 8, 4), 1 << 5);
    set(MSIX + 2, 2, 0xc000);
    way_write(entry(69) + 12, 4, 0);
    interrupt(2);
    cr_assert_eq(sent, 0);
    set(4, 2, 2);
    set(MSIX + 2, 2, 0x8000);
    cr_assert_eq(sent, 0, "without bus mastering");
    way_write(entry(69) + 8, 4, 0x99);
    set(4, 2, 6);
    cr_assert_eq(sent, 2);
    cr_assert_eq(last_data, 0x99, "as the table says now");
    cr_assert_eq(pending(0) | pending(1), 0);
    way_write(WINDOW + PBA, 8, UINT64_MAX);
    cr_assert_eq(pending(0), 0, "nobody writes there");
    set(MSIX + 2, 2, 0xc000);
    interrupt(2);
    set(MSIX + 2, 2, 0);
    fails(NOT_FOUND, vsdk_pci_function_interrupt(function, 2, E));
    set(MSIX + 2, 2, 0x8000);
    cr_assert_eq(sent, 2, "what was pending is nobody's");
}

Test(pci, messages_wait_while_the_device_is_stopped)
{

    use_messages();
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    interrupt(1);
    cr_assert_eq(sent, 0);
    ok(vsdk_vm_resume(rig.vm, NULL));
    cr_assert_eq(sent, 1);
}

Test(pci, the_table_has_dwords)
{
    use_messages();
    way_write(entry(1) + 8, 2, 0x77);
    way_write(entry(1) + 9, 4, 0x77);
    way_write(entry(1) + 4, 8, 0x77);
    way_write(entry(1) + 12, 1, 1);
    cr_assert_eq(way_read(entry(1) + 8, 4), 0x41);
    cr_assert_eq(way_read(entry(1) + 8, 2), 0);
    cr_assert_eq(way_read(entry(1) + 8, 8), 0x41);
    way_write(entry(1), 4, UINT32_MAX);
    way_write(entry(1) + 12, 4, UINT32_MAX);
    cr_assert_eq(way_read(entry(1), 4), 0xfffffffc);
    cr_assert_eq(way_read(entry(1) + 12, 4), 1);
    way_write(entry(VECTORS), 8, UINT64_MAX);
    cr_assert_eq(way_read(entry(VECTORS), 8), 0, "behind the table");
    cr_assert_eq(way_read(WINDOW + PBA + 16, 8), 0);
    cr_assert_eq(way_read(WINDOW + BAR_LENGTH - 8, 8), 0);
}

Test(pci, a_reset_puts_it_back)
{
    use_messages();
    set(0x10, 4, WINDOW + 0x40000);
    set(OWN + 4, 2, 0xffff);
    cr_assert(where[0] && where[2]);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_vm_reset(rig.vm, 0, NULL));
    cr_assert(!where[0] && !where[2]);
    rig_run(&rig);
    cr_assert_eq(get(4, 2), 0);
    cr_assert_eq(get(0x10, 4), WINDOW | 4);
    cr_assert_eq(get(OWN + 4, 2), 0x0403);
    cr_assert_eq(get(MSIX + 2, 2), VECTORS - 1);
    set(4, 2, 2);
    cr_assert_eq(way_read(entry(1), 8), 0);
}

static uint32_t port_read(uint16_t port)
{
    rig_read(&rig, VSDK_SPACE_PIO, port, 4);
    return (uint32_t)rig.exit.value;
}

Test(pci, functions_come_and_go)
{
    vsdk_pci_function_info info = {.size = sizeof info};

    fails(STATE, vsdk_pci_function_eject(function, 0, E));
    rig_run(&rig);
    cr_assert_eq(port_read(EVENTS), 0);
    ok(vsdk_pci_function_eject(function, 0, NULL));
    cr_assert_eq(edges, 1);
    cr_assert_eq(port_read(EVENTS), 2);
    cr_assert_eq(port_read(EVENTS), 0);
    rig_read(&rig, VSDK_SPACE_PIO, PORT, 2);
    cr_assert_eq(port_read(PORT), 1 << SLOT, "another width takes nothing");
    cr_assert_eq(port_read(PORT), 0);
    set(4, 2, 6);
    rig_write(&rig, VSDK_SPACE_PIO, PORT, 4, ~(1u << SLOT));
    rig_write(&rig, VSDK_SPACE_PIO, PORT, 2, 1u << SLOT);
    cr_assert(where[0] && !ejections[0]);
    rig_write(&rig, VSDK_SPACE_PIO, PORT, 4, 1u << SLOT);
    cr_assert(!where[0] && ejections[0] == 1);
    cr_assert_eq(get(0, 4), UINT32_MAX);
    cr_assert(!answers(WINDOW));
    fails(NOT_FOUND, vsdk_pci_function_detach(function, E));
    fails(NOT_FOUND, vsdk_pci_function_eject(function, 0, E));
    ok(vsdk_pci_function_get_info(function, &info, NULL));
    cr_assert(!info.flags && info.slot == VSDK_PCI_ANY);
    /* And once more. */
    ok(vsdk_pci_function_attach(function, host, VSDK_PCI_ANY, NULL));
    cr_assert_eq(edges, 2);
    cr_assert_eq(port_read(EVENTS), 1);
    ok(vsdk_pci_function_get_info(function, &info, NULL));
    cr_assert(info.flags == VSDK_PCI_ATTACHED && info.slot == 1);
    cr_assert_eq(pci_config(1, 0, 4), 0x56781234);
    cr_assert_eq(pci_config(1, 4, 2), 0);
    ok(vsdk_pci_function_detach(function, NULL));
    cr_assert_eq(ejections[0], 1);
}

/* It may come when the guest has read the events and not yet its answer: none is lost. */
Test(pci, events_stay_until_they_are_read)
{
    ok(vsdk_ged_raise(events, 0x10, NULL));
    cr_assert_eq(edges, 0, "before the start");
    rig_run(&rig);
    cr_assert_eq(edges, 1);
    ok(vsdk_ged_raise(events, 0x20, NULL));
    cr_assert_eq(edges, 2);
    rig_read(&rig, VSDK_SPACE_PIO, EVENTS, 1);
    cr_assert_eq(port_read(EVENTS), 0x30);
    fails(INVALID_ARGUMENT, vsdk_ged_raise(host, 1, E));
}

Test(pci, who_does_not_answer_is_told_once)
{
    uint32_t count;

    rig_run(&rig);
    ok(vsdk_pci_function_eject(function, 1, NULL));
    while (!ejections[VSDK_PCI_TIMED_OUT])
        ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 1000000, &count, NULL));
    ok(vsdk_loop_dispatch(vsdk_vm_loop(rig.vm, NULL), 0, &count, NULL));
    cr_assert(ejections[VSDK_PCI_TIMED_OUT] == 1 && !ejections[VSDK_PCI_EJECTED]);
    rig_write(&rig, VSDK_SPACE_PIO, PORT, 4, 1u << SLOT);
    cr_assert_eq(ejections[VSDK_PCI_EJECTED], 1);
}

Test(pci, slots_are_full)
{
    vsdk_pci_function_config config = config_of();
    vsdk_device *many[33];
    unsigned count = 0;

    rig_run(&rig);
    fails(EXISTS, vsdk_pci_function_attach(function, host, 4, E));
    for (; count < 31; count++) {
        ok(vsdk_pci_function_create(rig.vm, &ops, &rig, &config, &many[count], NULL));
        if (count == 30)
            break;
        ok(vsdk_pci_function_attach(many[count], host, VSDK_PCI_ANY, NULL));
        cr_assert_eq(pci_config(count < SLOT - 1 ? count + 1 : count + 2, 0x10, 4),
                     (WINDOW + BAR_LENGTH * (count + 2)) | 4, "%u", count);
    }
    fails(LIMIT, vsdk_pci_function_attach(many[30], host, VSDK_PCI_ANY, E));
    fails(EXISTS, vsdk_pci_function_attach(many[30], host, SLOT, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_attach(many[30], host, 32, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_attach(many[30], events, 0, E));
    ok(vsdk_pci_function_attach(many[30], host, 0, NULL));
    for (unsigned i = 0; i <= 30; i++) {
        ok(vsdk_pci_function_detach(many[i], NULL));
        vsdk_device_close(many[i]);
    }
    releases -= 31;
}

Test(pci, a_state_goes_on)
{
    static uint8_t bytes[4096], wrong[4096];
    vsdk_pci_function_config config = config_of();
    vsdk_device *other;
    uint64_t length;

    use_messages();
    set(0x10, 4, WINDOW + 0x40000);
    set(0x10, 4, WINDOW);
    way_write(entry(5) + 12, 4, 1);
    interrupt(5);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    ok(vsdk_device_save(function, bytes, sizeof bytes, &length, NULL));
    memcpy(wrong, bytes, length);
    ok(vsdk_pci_function_detach(function, NULL));
    ok(vsdk_pci_function_attach(function, host, SLOT, NULL));
    cr_assert_eq(where[0], 0);
    ok(vsdk_device_load(function, bytes, length, NULL));
    cr_assert_eq(where[0], WINDOW);
    rig_run(&rig);
    cr_assert_eq(pending(0), 1 << 5);
    cr_assert_eq(sent, 0);
    way_write(entry(5) + 12, 4, 0);
    cr_assert_eq(sent, 1);
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    config.device_id++;
    ok(vsdk_pci_function_create(rig.vm, &ops, &rig, &config, &other, NULL));
    fails(FORMAT, vsdk_device_load(other, wrong, length, E));
    vsdk_device_close(other);
    releases--;
}

static void refuses(vsdk_pci_function_config config, vsdk_status why)
{
    vsdk_device *made = host;

    cr_assert_eq(vsdk_pci_function_create(rig.vm, &ops, &rig, &config, &made, NULL), why);
    cr_assert(!made && releases == 1);
    releases = 0;
}

Test(pci, wrong_descriptions_are_refused)
{
    static const uint8_t much[192] = {0};
    const vsdk_pci_capability bad[] = {{.id = 5, .bytes = much, .length = 1},
                                       {.id = 9, .length = 1},
                                       {.id = 9, .bytes = much},
                                       {.id = 256, .bytes = much, .length = 1},
                                       {.id = 9, .bytes = much, .length = 1, .flags = 2}};
    const vsdk_pci_capability big = {.id = 9, .bytes = much, .length = 191};

#define WITH(change, why)                                                                          \
    do {                                                                                           \
        vsdk_pci_function_config c = config_of();                                                  \
        change;                                                                                    \
        refuses(c, why);                                                                           \
    } while (0)
    WITH(c.vendor_id = 0, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.vendor_id = 0xffff, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.device_id = 0x10000, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.class_code = 1 << 24, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.flags = 1, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.reserved2[3] = 1, VSDK_ERROR_UNSUPPORTED);
    WITH(c.bars[2].length = 24, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.bars[2].length = 8, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.bars[2].length = UINT64_C(1) << 32, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.bars[2].flags = 4, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.bars[2].reserved = 1, VSDK_ERROR_UNSUPPORTED);
    WITH((c.bars[2].device = host, c.bars[2].tag = 1), VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.bars[1].length = 16, VSDK_ERROR_INVALID_ARGUMENT);
    WITH((c.bars[5].length = 16, c.bars[5].flags = 1), VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.vectors = 2049, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.vectors_bar = 6, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.vectors_bar = 2, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.vectors_offset = 0x1008, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.vectors_offset = 0x3000, VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.vectors_offset = UINT64_MAX - 15, VSDK_ERROR_INVALID_ARGUMENT);
    /* The capability has 32 bits for it. */
    WITH((c.bars[0].length = UINT64_C(1) << 40, c.vectors_offset = UINT64_C(1) << 32),
         VSDK_ERROR_INVALID_ARGUMENT);
    WITH(c.capabilities = NULL, VSDK_ERROR_INVALID_ARGUMENT);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        WITH((c.capabilities = &bad[i], c.capability_count = 1), VSDK_ERROR_INVALID_ARGUMENT);
    WITH((c.capabilities = &big, c.capability_count = 1), VSDK_ERROR_LIMIT);
}
