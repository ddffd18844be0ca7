/* SPDX-License-Identifier: Apache-2.0 */
/* What ends a guest or tells of it: power, reset, exit, panic, debug console; on the fake. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(ends, .init = rig_begin, .fini = rig_end);

static void stops(vsdk_exit_reason reason, uint64_t code, uint64_t detail)
{
    cr_assert(eq(u32, vm.stop, reason));
    cr_assert(eq(u64, vm.stop_code, code));
    cr_assert(eq(u64, vm.stop_detail, detail));
    vm.stop = 0;
    vm.stop_code = vm.stop_detail = 0;
}

static void acpi(vsdk_acpi_pm_kind kind)
{
    vsdk_acpi_pm_config config = {.size = sizeof config, .kind = kind};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_acpi_pm_create(&vm, &config, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
}

Test(ends, reduced_acpi)
{
    acpi(VSDK_ACPI_PM_REDUCED);
    fake_out(&vm, 0x600, 5 << 2);
    fake_out(&vm, 0x602, 0);
    fake_out(&vm, 0x602, 2);
    stops(0, 0, 0);
    cr_assert(eq(u8, fake_in(&vm, 0x600), 5 << 2));
    cr_assert(eq(u8, fake_in(&vm, 0x601), 0));
    fake_out(&vm, 0x600, 0x34);
    stops(VSDK_EXIT_POWEROFF, 0, 0);
    fake_out(&vm, 0x600, 3 << 2 | 0x20);
    stops(VSDK_EXIT_SUSPEND, 3, 0);
    fake_out(&vm, 0x602, 1);
    stops(VSDK_EXIT_RESET, 0, 0);
}

Test(ends, fixed_acpi)
{
    acpi(VSDK_ACPI_PM_FIXED);
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb004, 2), 1));
    fake_write(&vm, VSDK_SPACE_PIO, 0xb002, 2, 0x120);
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb000, 4), 0x1200000));
    fake_write(&vm, VSDK_SPACE_PIO, 0xb000, 2, 0xffff);
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb002, 2), 0x120));
    vm.clock = UINT64_C(2000000000);
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb008, 4), 2 * 3579545));
    fake_write(&vm, VSDK_SPACE_PIO, 0xb004, 2, 5 << 10 | 1);
    stops(0, 0, 0);
    fake_write(&vm, VSDK_SPACE_PIO, 0xb005, 1, (5 << 10 | 1 << 13) >> 8);
    stops(VSDK_EXIT_POWEROFF, 0, 0);
    fake_write(&vm, VSDK_SPACE_PIO, 0xb004, 2, 3 << 10 | 1 << 13);
    stops(VSDK_EXIT_SUSPEND, 3, 0);
    fake_out(&vm, 0xb00c, 1);
    stops(VSDK_EXIT_RESET, 0, 0);
}

Test(ends, acpi_leaves_to_others_what_is_theirs)
{
    acpi(VSDK_ACPI_PM_CONTROL);
    cr_assert(eq(ptr, (void *)fake_find(&vm, VSDK_SPACE_PIO, 0xb000, 4), NULL));
    cr_assert(eq(ptr, (void *)fake_find(&vm, VSDK_SPACE_PIO, 0xb008, 4), NULL));
    cr_assert(ne(ptr, (void *)fake_find(&vm, VSDK_SPACE_PIO, 0xb004, 2), NULL));
}

Test(ends, keyboard_controller)
{
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_i8042_create(&vm, NULL, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
    cr_assert(eq(u8, fake_in(&vm, 0x64), 0));
    cr_assert(eq(u8, fake_in(&vm, 0x60), 0));
    fake_out(&vm, 0x60, 0xfe);
    fake_out(&vm, 0x64, 0xd1);
    fake_out(&vm, 0x60, 0xdf);
    fake_out(&vm, 0x60, 0);
    stops(0, 0, 0);
    fake_out(&vm, 0x64, 0xd1);
    fake_out(&vm, 0x60, 0xfe);
    stops(VSDK_EXIT_RESET, 0, 0);
    for (uint32_t command = 0xf0; command <= 0xff; command++) {
        fake_out(&vm, 0x64, (uint8_t)command);
        stops(command & 1 ? 0 : VSDK_EXIT_RESET, 0, 0);
    }
}

Test(ends, exit_port_of_any_width)
{
    static const uint64_t value[] = {0x12, 0x3412, 0, 0x78563412};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_exit_port_create(&vm, NULL, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
    for (uint32_t width = 1; width <= 4; width *= 2) {
        fake_write(&vm, VSDK_SPACE_PIO, 0xf4, width, value[width - 1]);
        stops(VSDK_EXIT_GUEST_EXIT, value[width - 1], 0);
    }
    fake_out(&vm, 0xf5, 1);
    stops(0, 0, 0);
    cr_assert(eq(u8, fake_in(&vm, 0xf4), 0xff));
}

Test(ends, panic_port)
{
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_pvpanic_create(&vm, NULL, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
    cr_assert(eq(u8, fake_in(&vm, 0x505), 3));
    fake_out(&vm, 0x505, 2);
    stops(0, 0, 0);
    fake_out(&vm, 0x505, 1);
    stops(VSDK_EXIT_CRASH, 1, VSDK_CRASH_PANIC);
}

TestSuite(debug_console, .init = rig_begin, .fini = rig_end);

static void debug_console(vsdk_stream *end)
{
    vsdk_debug_console_config config = {.size = sizeof config, .stream = end};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_debug_console_create(&vm, &config, &device, NULL), VSDK_OK));
    vsdk_stream_close(end);
    vsdk_device_close(device);
}

Test(debug_console, takes_text)
{
    debug_console(rig_stream(0, 1));
    cr_assert(eq(u8, fake_in(&vm, 0x402), 0xe9));
    fake_out(&vm, 0x402, '!');
    cr_assert(eq(u32, got_length, 1));
    cr_assert(eq(u8, (uint8_t)got[0], '!'));
    fake_end(&vm);
    cr_assert(eq(u32, ended, 1));
}

/* A guest does not look whether there is room: what does not fit is dropped. */
Test(debug_console, drops_what_does_not_fit)
{
    char bytes[8];
    uint64_t n;

    debug_console(rig_stream(2, 0));
    for (uint8_t c = 'a'; c < 'e'; c++)
        fake_out(&vm, 0x402, c);
    cr_assert(eq(i32, vsdk_stream_read(wire, bytes, 8, &n, NULL), VSDK_OK));
    cr_assert(eq(u64, n, 2));
    fake_out(&vm, 0x402, 'e');
    cr_assert(eq(i32, vsdk_stream_read(wire, bytes + 2, 6, &n, NULL), VSDK_OK));
    cr_assert(eq(u64, n, 1));
    cr_assert(eq(u8, (uint8_t)bytes[0], 'a'));
    cr_assert(eq(u8, (uint8_t)bytes[1], 'b'));
    cr_assert(eq(u8, (uint8_t)bytes[2], 'e'));
    vsdk_stream_close(wire);
    wire = NULL;
    fake_out(&vm, 0x402, 'f');
}

Test(debug_console, needs_no_stream)
{
    debug_console(NULL);
    fake_out(&vm, 0x402, '!');
    cr_assert(eq(u8, fake_in(&vm, 0x402), 0xe9));
}
