/* SPDX-License-Identifier: Apache-2.0 */
/* PCI functions as a guest meets them on each backend: it walks the configuration space and moves
 * BARs by its own accesses. tests/unit/pci.c has what needs no guest. */
#include "common.h"
#include "pci_driver.h"

enum { SLOT = PCI_TEST_SLOT, WINDOW = 0xc0000000, EJECT = 0x624, TAG = 77, MSIX = 0x40 };

static struct machine m;
static vsdk_device *host, *events, *function;
static unsigned releases, ejections[2], writes;
static uint64_t last_value;
static vsdk_status inside;

/* The guest waits for a command between these calls. */
static uint64_t poke_read(uint64_t address, uint16_t width)
{
    (void)width;
    return machine_peek(&m, (uint32_t)address);
}

static void poke_write(uint64_t address, uint16_t width, uint64_t value)
{
    (void)width;
    machine_poke(&m, (uint32_t)address, (uint32_t)value);
}

static uint64_t bar_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user, (void)device;
    return 0xabc000 + access->offset;
}

static void bar_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user;
    writes++;
    last_value = access->value;
    inside = vsdk_pci_function_detach(device, E);
}

static void ejected(void *user, vsdk_device *device, vsdk_pci_ejected what)
{
    (void)user, (void)device;
    ejections[what]++;
}

static void release(void *user)
{
    (void)user;
    releases++;
}

static const vsdk_pci_function_ops ops = {.size = sizeof ops,
                                          .read = bar_read,
                                          .write = bar_write,
                                          .ejected = ejected,
                                          .release = release};

/* BAR 0 is the function's, BAR 2 has a tag, messages are in BAR 3. */
static vsdk_pci_function_config config_of(void)
{
    return (vsdk_pci_function_config){.size = sizeof(vsdk_pci_function_config),
                                      .vendor_id = 0x1234,
                                      .device_id = 0x5678,
                                      .vectors = 1,
                                      .vectors_bar = 3,
                                      .bars = {{.length = 0x1000, .flags = VSDK_PCI_BAR_64},
                                               {0},
                                               {.length = 0x1000, .tag = TAG},
                                               {.length = 0x2000}}};
}

static void setup(void)
{
    vsdk_pci_function_config config = config_of();
    vsdk_pci_config c = {.size = sizeof c};

    releases = writes = ejections[0] = ejections[1] = 0;
    machine_make(&m);
    ok(vsdk_irq_controller_attach(m.vm, 0, 24, no_line, NULL, NULL, E));
    ok(vsdk_ged_create(m.vm, NULL, &events, E));
    c.events = events;
    ok(vsdk_pci_create(m.vm, &c, &host, E));
    ok(vsdk_pci_function_create(m.vm, &ops, NULL, &config, &function, E));
    ok(vsdk_pci_function_attach(function, host, SLOT, E));
    pci_way_of = (pci_way){poke_read, poke_write};
}

static void start(void)
{
    machine_start(&m, &guest_poke, NULL);
    run_to_read(&m, PORT_IN);
}

static void teardown(void)
{
    vsdk_device_close(function);
    vsdk_device_close(host);
    vsdk_device_close(events);
    machine_end(&m);
    cr_assert_eq(releases, 1);
}

TestSuite(pci, .init = setup, .fini = teardown);

Test(pci, a_guest_finds_and_moves_a_function)
{
    vsdk_pci_function_info info = {.size = sizeof info};

    start();
    cr_assert_eq(pci_config(SLOT, 0, 4), 0x56781234);
    cr_assert_eq(pci_config(SLOT + 1, 0, 4), UINT32_MAX);
    pci_set_config(SLOT, 0x10, 4, UINT32_MAX);
    cr_assert_eq(pci_config(SLOT, 0x10, 4), 0xfffff004);
    pci_set_config(SLOT, 0x10, 4, WINDOW + 0x100000);
    pci_set_config(SLOT, 4, 4, 6);
    cr_assert_eq(poke_read(WINDOW + 0x100020, 4), 0xabc020);
    poke_write(WINDOW + 0x100000, 4, 0x1234);
    cr_assert(writes == 1 && last_value == 0x1234);
    cr_assert_eq(inside, VSDK_ERROR_BUSY, "from its own callback");
    ok(vsdk_pci_function_get_info(function, &info, E));
    cr_assert_eq(info.flags, VSDK_PCI_ATTACHED | VSDK_PCI_DECODES | VSDK_PCI_MASTERS);
    cr_assert(info.slot == SLOT && info.bars[0] == WINDOW + 0x100000);
    pci_set_config(SLOT, MSIX, 4, 0x80000000);
    ok(vsdk_pci_function_interrupt(function, 0, E));
    cr_assert_eq(poke_read(info.bars[3] + 0x1000, 4), 1, "pending, since it is masked");
}

/* Whoever pulls: the access returns from run with the tag. */
Test(pci, a_bar_has_a_tag)
{
    start();
    pci_set_config(SLOT, 4, 4, 2);
    uint32_t at = pci_config(SLOT, 0x18, 4);
    machine_tell(&m, 0, at + 8, 0);
    const vsdk_exit *exit = run(&m);
    cr_assert(exit->reason == VSDK_EXIT_MMIO && exit->tag == TAG && exit->address == at + 8);
    answer(exit, 0x5a5a);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 0x5a5a);
    run_to_read(&m, PORT_IN);
    pci_set_config(SLOT, 4, 4, 0);
    machine_tell(&m, 0, at + 8, 0);
    exit = run(&m);
    cr_assert(exit->reason == VSDK_EXIT_MMIO && exit->tag == 0);
}

Test(pci, a_function_is_asked_to_go)
{
    uint32_t count;

    fails(STATE, vsdk_pci_function_eject(function, 0, E));
    start();
    ok(vsdk_pci_function_eject(function, 1000000, E));
    while (!ejections[VSDK_PCI_TIMED_OUT])
        ok(vsdk_loop_dispatch(loop_of(m.vm), 10000000, &count, E));
    ok(vsdk_pci_function_detach(function, E));
    cr_assert_eq(pci_config(SLOT, 0, 4), UINT32_MAX);
    fails(NOT_FOUND, vsdk_pci_function_eject(function, 0, E));
    fails(NOT_FOUND, vsdk_pci_function_detach(function, E));
    ok(vsdk_pci_function_attach(function, host, SLOT, E));
    cr_assert_eq(pci_config(SLOT, 0, 4), 0x56781234);
}

static vsdk_status make_host(vsdk_pci_config c, vsdk_vm *vm)
{
    vsdk_device *made;

    c.size = sizeof c;
    vsdk_status status = vsdk_pci_create(vm, &c, &made, E);
    if (!status) {
        ok(vsdk_device_detach(made, E));
        vsdk_device_close(made);
    }
    return status;
}

Test(pci, a_host_refuses)
{
    vsdk_vm_config none = {.size = sizeof none, .irqchip = VSDK_IRQCHIP_NONE};
    vsdk_vm *bare;

    fails(EXISTS, make_host((vsdk_pci_config){0}, m.vm));
    fails(EXISTS, make_host((vsdk_pci_config){.ecam = 0xd0000000, .events = events}, m.vm));
    fails(INVALID_ARGUMENT, make_host((vsdk_pci_config){.flags = 1}, m.vm));
    fails(INVALID_ARGUMENT, make_host((vsdk_pci_config){.ecam = 0xd0000800}, m.vm));
    fails(INVALID_ARGUMENT, make_host((vsdk_pci_config){.window = 0xd0000000}, m.vm));
    fails(INVALID_ARGUMENT,
          make_host((vsdk_pci_config){.window = UINT64_MAX, .window_length = 2}, m.vm));
    fails(INVALID_ARGUMENT, make_host((vsdk_pci_config){.events = host}, m.vm));
    fails(UNSUPPORTED, make_host((vsdk_pci_config){.reserved = 1}, m.vm));
    fails(RANGE, make_host((vsdk_pci_config){.ecam = UINT64_C(0xfffffffffff00000)}, m.vm));
    ok(make_host((vsdk_pci_config){.ecam = 0xd0000000}, m.vm));
    if (capability(m.host, VSDK_CAPABILITY_IRQCHIP_NONE) != VSDK_ANSWER_NO) {
        ok(vsdk_vm_create(m.host, &none, &bare, E));
        fails(UNSUPPORTED, make_host((vsdk_pci_config){0}, bare));
        vsdk_vm_close(bare);
    }
}

Test(pci, a_host_keeps_out_of_what_is_the_hypervisors)
{
    vsdk_vm_range list[64];
    uint32_t needed;

    ok(vsdk_vm_list_reserved(m.vm, list, 64, &needed, E));
    for (uint32_t i = 0; i < needed && i < 64; i++) {
        uint64_t ecam = list[i].address & ~UINT64_C(0xfffff);
        if (list[i].space == VSDK_SPACE_MMIO && ecam > 0xe0000000)
            fails(RESERVED, make_host((vsdk_pci_config){.ecam = ecam}, m.vm));
    }
}

Test(pci, a_function_refuses)
{
    vsdk_pci_function_config config = config_of();
    vsdk_pci_function_info small = {.size = 8}, info = {.size = sizeof info};
    static const uint8_t much[256];
    const vsdk_pci_capability big = {.id = 9, .bytes = much, .length = sizeof much};
    vsdk_device *made, *full[32];
    vsdk_device *lonely;
    unsigned count = 0;

    fails(EXISTS, vsdk_pci_function_attach(function, host, 5, E));
    fails(RANGE, vsdk_pci_function_interrupt(function, 1, E));
    fails(NOT_FOUND, vsdk_pci_function_interrupt(function, 0, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_get_info(function, &small, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_get_info(host, &info, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_attach(host, host, 5, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_detach(host, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_eject(host, 0, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_interrupt(host, 0, E));
    fails(INVALID_ARGUMENT, vsdk_ged_raise(host, 1, E));
    ok(vsdk_ged_raise(events, 1, E));
    cr_assert_null(vsdk_pci_function_user(host, &ops));
    config.reserved = 1;
    fails(UNSUPPORTED, vsdk_pci_function_create(m.vm, &ops, NULL, &config, &made, E));
    config = config_of();
    config.vendor_id = 0;
    fails(INVALID_ARGUMENT, vsdk_pci_function_create(m.vm, &ops, NULL, &config, &made, E));
    config = config_of();
    config.capabilities = &big;
    config.capability_count = 1;
    fails(LIMIT, vsdk_pci_function_create(m.vm, &ops, NULL, &config, &made, E));
    cr_assert_eq(releases, 3);
    config = config_of();
    for (; count < 31; count++) {
        ok(vsdk_pci_function_create(m.vm, &ops, NULL, &config, &full[count], E));
        if (count < 30)
            ok(vsdk_pci_function_attach(full[count], host, VSDK_PCI_ANY, E));
    }
    fails(LIMIT, vsdk_pci_function_attach(full[30], host, VSDK_PCI_ANY, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_attach(full[30], host, 32, E));
    fails(INVALID_ARGUMENT, vsdk_pci_function_attach(full[30], events, 0, E));
    ok(vsdk_pci_create(
        m.vm, &(vsdk_pci_config){.size = sizeof(vsdk_pci_config), .ecam = 0xd0000000}, &lonely, E));
    ok(vsdk_pci_function_attach(full[30], lonely, 0, E));
    fails(UNSUPPORTED, vsdk_pci_function_eject(full[30], 0, E));
    while (count)
        vsdk_device_close(full[--count]);
    vsdk_device_close(lonely);
    ok(vsdk_vm_destroy(m.vm, E));
    releases -= 34;
}

/* What the state of one is another's, and a state is read as it was written. */
Test(pci, a_function_is_saved)
{
    vsdk_pci_function_config config = config_of();
    vsdk_device *other;
    uint8_t state[1024];
    uint64_t length;

    ok(vsdk_device_save(function, state, sizeof state, &length, E));
    ok(vsdk_device_load(function, state, length, E));
    fails(FORMAT, vsdk_device_load(function, state, length / 2, E));
    config.device_id++;
    ok(vsdk_pci_function_create(m.vm, &ops, NULL, &config, &other, E));
    fails(FORMAT, vsdk_device_load(other, state, length, E));
    vsdk_device_close(other);
    releases = 0;
}

Test(pci, is_gone_with_its_machine)
{
    vsdk_pci_function_config config = config_of();
    vsdk_device *made, *other;

    ok(vsdk_pci_function_create(m.vm, &ops, NULL, &config, &other, E));
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_pci_function_create(m.vm, &ops, NULL, &config, &made, E));
    fails(GONE, vsdk_pci_function_attach(other, host, 5, E));
    fails(GONE, make_host((vsdk_pci_config){0}, m.vm));
    fails(GONE, vsdk_ged_create(m.vm, NULL, &made, E));
    vsdk_device_close(other);
    releases -= 2;
}
