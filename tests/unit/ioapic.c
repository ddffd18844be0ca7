/* SPDX-License-Identifier: Apache-2.0 */
/* The IOAPIC by its registers, on the fake. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(ioapic, .init = rig_begin, .fini = rig_end);

static void io_set(uint32_t index, uint32_t value)
{
    fake_write(&vm, VSDK_SPACE_MMIO, 0xfec00000, 4, index);
    fake_write(&vm, VSDK_SPACE_MMIO, 0xfec00010, 4, value);
}

static uint32_t io_get(uint32_t index)
{
    fake_write(&vm, VSDK_SPACE_MMIO, 0xfec00000, 4, index);
    return (uint32_t)fake_read(&vm, VSDK_SPACE_MMIO, 0xfec00010, 4);
}

static void ioapic(void)
{
    vsdk_ioapic_config config = {.size = sizeof config, .id = 1};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_ioapic_create(&vm, &config, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
}

Test(ioapic, registers)
{
    ioapic();
    cr_assert(eq(u32, io_get(0), 1 << 24));
    cr_assert(eq(u32, io_get(1), 0x170011));
    cr_assert(eq(u32, io_get(0x10), 0x10000));
    cr_assert(eq(u32, io_get(0x3f), 0));
    cr_assert(eq(u32, io_get(0x40), 0));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_MMIO, 0xfec00000, 4), 0x40));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_MMIO, 0xfec00020, 4), 0));
    cr_assert(eq(u32, io_get(2), io_get(0)));
    io_set(1, 0); /* the version stays */
    cr_assert(eq(u32, io_get(1), 0x170011));
    io_set(0, 0xffffffff);
    cr_assert(eq(u32, io_get(0), 0x0f000000));
    io_set(0x12, 0xffffffff);
    cr_assert(eq(u32, io_get(0x12), 0xffffafff)); /* status and remote IRR are read-only */
    io_set(0x13, 0x12345678);
    cr_assert(eq(u32, io_get(0x13), 0x12345678));
    io_set(0x40, 1);
}

static void line(uint32_t gsi, uint32_t level)
{
    vm.set_line(vm.controller, &vm, gsi, level);
}

Test(ioapic, rising_edges_become_messages)
{
    ioapic();
    io_set(0x19, 0x06000000);
    io_set(0x18, 0x0834); /* pin 4: vector 0x34, logical */
    line(4, 1);
    line(4, 1);
    cr_assert(eq(u32, vm.messages, 1));
    cr_assert(eq(u64, vm.message[0].address, 0xfee06004));
    cr_assert(eq(u32, vm.message[0].data, 0x34));
    line(4, 0);
    line(4, 1);
    cr_assert(eq(u32, vm.messages, 2));
    io_set(0x18, 0x0834); /* written again while high: no edge */
    cr_assert(eq(u32, vm.messages, 2));
    io_set(0x18, 0x10834); /* masked */
    line(4, 0);
    line(4, 1);
    cr_assert(eq(u32, vm.messages, 2));
    io_set(0x18, 0x8134); /* unmasked while high: level, lowest priority */
    cr_assert(eq(u32, vm.messages, 3));
    cr_assert(eq(u32, vm.message[2].data, 0x134));
    line(23, 1);
    cr_assert(eq(u32, vm.messages, 3));
}

/* A device that rings before its driver has unmasked the entry is heard then, once, however often
 * it rang and whether or not its line is still high. */
Test(ioapic, an_edge_that_came_while_masked_is_kept)
{
    ioapic();
    for (uint32_t rings = 1; rings < 4; rings++) { /* masked, as after a reset */
        line(4, 1);
        line(4, 0);
    }
    cr_assert(eq(u32, vm.messages, 0));
    io_set(0x19, 0x06000000); /* the other half does not unmask */
    io_set(0x18, 0x10041);    /* nor does a vector */
    cr_assert(eq(u32, vm.messages, 0));
    io_set(0x18, 0x41);
    cr_assert(eq(u32, vm.messages, 1));
    cr_assert(eq(u32, vm.message[0].data, 0x41));
    cr_assert(eq(u64, vm.message[0].address, 0xfee06000));
    io_set(0x18, 0x10041);
    io_set(0x18, 0x41); /* it was delivered */
    cr_assert(eq(u32, vm.messages, 1));
    line(4, 1); /* and edges go on as ever */
    line(4, 0);
    cr_assert(eq(u32, vm.messages, 2));
    io_set(0x18, 0x10041);
    line(4, 1); /* high while masked, and still high when unmasked: one, not two */
    io_set(0x18, 0x41);
    cr_assert(eq(u32, vm.messages, 3));
    io_set(0x20, 0x42); /* another pin has none */
    cr_assert(eq(u32, vm.messages, 3));
}

/* How Linux and others end a level interrupt of an IOAPIC of this version that came as an edge:
 * masked and edge, then as it was. Sent again exactly while the line is still high. */
Test(ioapic, level_entry_is_sent_again_at_its_end)
{
    ioapic();
    io_set(0x14, 0x8051); /* pin 2: level */
    line(2, 1);
    cr_assert(eq(u32, vm.messages, 1));
    cr_assert(eq(u32, vm.message[0].data, 0x51)); /* no level in it: nobody hears of its end */
    io_set(0x14, 0x8051);
    cr_assert(eq(u32, vm.messages, 1)); /* it was not masked */
    io_set(0x14, 0x10051);
    io_set(0x14, 0x8051);
    cr_assert(eq(u32, vm.messages, 2));
    cr_assert(eq(u32, io_get(0x14), 0x8051)); /* remote IRR is never set */
    line(2, 0);
    io_set(0x14, 0x10051);
    io_set(0x14, 0x8051);
    cr_assert(eq(u32, vm.messages, 2));
}

Test(ioapic, each_pin_is_its_own)
{
    ioapic();
    for (uint32_t pin = 0; pin < 24; pin++) {
        io_set(0x10 + 2 * pin, 0x40 + pin);
        line(pin, 1);
        cr_assert(eq(u32, vm.messages, pin + 1));
        cr_assert(eq(u32, vm.message[pin].data, 0x40 + pin));
    }
}

Test(ioapic, serves_a_serial_port)
{
    ioapic();
    vsdk_device_close(rig_serial());
    io_set(0x18, 0x41);
    fake_out(&vm, IER, 2);
    cr_assert(eq(u32, vm.messages, 1));
    cr_assert(eq(u32, vm.message[0].data, 0x41));
}

Test(ioapic, needs_local_apics)
{
    vsdk_device *device;
    vsdk_error error;

    vm.irqchip = VSDK_IRQCHIP_NONE;
    cr_assert(eq(i32, vsdk_ioapic_create(&vm, NULL, &device, &error), VSDK_ERROR_UNSUPPORTED));
    cr_assert_null(device);
    cr_assert(error.code == VSDK_ERROR_UNSUPPORTED && error.hint[0]);
}
