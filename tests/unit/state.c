/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that are saved in the midst of their work and go on elsewhere as they would have here,
 * and states that are hostile: refused, and nothing of the device has changed. */
#include "core/fields.h"
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };

static uint8_t state[ROOM];
static uint64_t length;
static vsdk_device *device;

static void begin(void)
{
    rig_begin();
    device = NULL;
    length = 0;
}

static void end(void)
{
    vsdk_device_close(device);
    rig_end();
}

TestSuite(state, .init = begin, .fini = end);

static void save(void)
{
    fake_pause(&vm, 1);
    cr_assert(eq(i32, vsdk_device_save(device, state, ROOM, &length, NULL), VSDK_OK));
    cr_assert(length && length <= ROOM);
}

/* The machine that it was saved on is gone, with its stream. */
static void move(void)
{
    vsdk_device_close(device);
    device = NULL;
    fake_end(&vm);
    vsdk_stream_close(wire);
    rig_begin();
}

static void load(void)
{
    fake_pause(&vm, 1);
    cr_assert(eq(i32, vsdk_device_load(device, state, length, NULL), VSDK_OK));
    fake_pause(&vm, 0);
}

static void is_same(void)
{
    static uint8_t now[ROOM];
    uint64_t n = 0;

    cr_assert(eq(i32, vsdk_device_save(device, now, ROOM, &n, NULL), VSDK_OK));
    cr_assert(eq(u64, n, length));
    cr_assert(zero(memcmp(now, state, length)));
}

/* From memory of exactly that length. 1 if it is taken. */
static int takes(const uint8_t *bytes, uint64_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    vsdk_error error = {0};

    memcpy(copy, bytes, size);
    vsdk_status status = vsdk_device_load(device, copy, size, &error);
    free(copy);
    cr_assert(eq(i32, error.code, status));
    cr_assert(status == VSDK_OK || status == VSDK_ERROR_FORMAT);
    return !status;
}

/* Whatever is done to a device's state, refusing it changes nothing, and a device that takes it can
 * be saved, and what it saves it takes. */
static void survives_hostile_states(void)
{
    uint8_t hostile[ROOM], own[ROOM];
    uint64_t n;

    for (uint64_t cut = 0; cut < length; cut++) {
        cr_assert(zero(takes(state, cut)), "cut at %u", (unsigned)cut);
        is_same();
    }
    for (uint64_t at = 0; at < length; at++)
        for (int way = 0; way < 3; way++) {
            memcpy(hostile, state, length);
            hostile[at] = way == 0 ? (uint8_t)~hostile[at] : way == 1 ? 0xff : hostile[at] ^ 1;
            if (!takes(hostile, length)) {
                is_same();
                continue;
            }
            cr_assert(eq(i32, vsdk_device_save(device, own, ROOM, &n, NULL), VSDK_OK));
            cr_assert(takes(own, n));
            cr_assert(takes(state, length));
            is_same();
        }
}

/* The state with one field changed to a number, or to bytes. */
static uint64_t change(uint8_t *to, const char *name, const uint64_t *number, const void *bytes,
                       uint64_t size)
{
    uint64_t at = 0, made = 0;

    while (at < length) {
        const uint8_t *f = state + at;
        uint32_t run;
        memcpy(&run, f + 2 + f[0], 4);
        uint64_t whole = 2u + f[0] + (f[1 + f[0]] == 1 ? 8u : 4u + run);
        at += whole;
        if (f[0] != strlen(name) || memcmp(f + 1, name, f[0])) {
            memcpy(to + made, f, whole);
            made += whole;
            continue;
        }
        memcpy(to + made, f, 1u + f[0]);
        made += 1u + f[0];
        to[made++] = number ? 1 : 2;
        if (number)
            memcpy(to + made, number, 8);
        else
            memcpy(to + made, &(uint32_t){(uint32_t)size}, 4), memcpy(to + made + 4, bytes, size);
        made += number ? 8 : 4 + size;
    }
    return made;
}

static int takes_number(const char *name, uint64_t value)
{
    uint8_t changed[2 * ROOM];
    int taken = takes(changed, change(changed, name, &value, NULL, 0));

    if (!taken)
        is_same();
    return taken;
}

static int takes_bytes(const char *name, uint64_t size)
{
    static const uint8_t zeros[ROOM];
    uint8_t changed[2 * ROOM];
    int taken = takes(changed, change(changed, name, NULL, zeros, size));

    if (!taken)
        is_same();
    return taken;
}

/* The serial port. */

static void serial(uint64_t capacity)
{
    device = rig_serial_on(rig_stream(capacity, 0));
}

/* Bytes on the wire, bytes that the transmitter could not get rid of, an overrun and bytes of
 * loopback in the FIFO, interrupts enabled. */
static void serial_at_work(void)
{
    serial(4);
    fake_out(&vm, LCR, 0x83);
    fake_out(&vm, DATA, 0x34);
    fake_out(&vm, IER, 0x12);
    fake_out(&vm, LCR, 0x1b);
    fake_out(&vm, SCR, 0x5a);
    fake_out(&vm, IIR, 0x41); /* FIFO, trigger 4 */
    fake_out(&vm, MCR, 0x10);
    for (int i = 0; i < 17; i++)
        fake_out(&vm, DATA, (uint8_t)('a' + i)); /* the last is one too many */
    fake_out(&vm, MCR, 2);
    rig_input("wire", 4);
    fake_in(&vm, LSR); /* takes the wire off the stream, and the overrun */
    fake_out(&vm, MCR, 0x10);
    fake_out(&vm, DATA, 'x');
    fake_out(&vm, MCR, 2);
    for (int i = 0; i < 9; i++)
        fake_out(&vm, DATA, (uint8_t)('0' + i)); /* four in the stream, five wait */
    fake_out(&vm, IER, 5);
}

Test(state, serial_goes_on)
{
    char bytes[32];
    uint64_t n;

    serial_at_work();
    save();
    cr_assert(eq(i32, vsdk_stream_read(wire, bytes, sizeof bytes, &n, NULL), VSDK_OK));
    cr_assert(eq(u64, n, 4)); /* what the stream had is the embedder's */
    move();
    serial(64);
    load();
    cr_assert(eq(u32, vm.level[4], 1)); /* it asks as it did */
    cr_assert(eq(u8, fake_in(&vm, IER), 5));
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc6)); /* the overrun */
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x63)); /* what waited has gone out */
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc4));
    cr_assert(eq(u8, fake_in(&vm, LCR), 0x1b));
    cr_assert(eq(u8, fake_in(&vm, MCR), 2));
    cr_assert(eq(u8, fake_in(&vm, SCR), 0x5a));
    cr_assert(eq(i32, vsdk_stream_read(wire, bytes, sizeof bytes, &n, NULL), VSDK_OK));
    cr_assert(eq(u64, n, 5));
    cr_assert(zero(memcmp(bytes, "45678", 5)));
    for (int i = 0; i < 16; i++)
        cr_assert(eq(u8, fake_in(&vm, DATA), 'a' + i));
    for (int i = 0; i < 4; i++)
        cr_assert(eq(u8, fake_in(&vm, DATA), "wire"[i]));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
    fake_out(&vm, LCR, 0x80);
    cr_assert(eq(u8, fake_in(&vm, DATA), 0x34));
    cr_assert(eq(u8, fake_in(&vm, IER), 0x12));
    fake_out(&vm, LCR, 3);
    rig_input("more", 4); /* the new stream is connected */
    cr_assert(eq(u8, fake_in(&vm, DATA), 'm'));
}

/* Five bytes wait still, where the new stream has no more room than the old one. */
Test(state, serial_waits_on_for_room)
{
    char bytes[8];
    uint64_t n;

    serial_at_work();
    save();
    move();
    serial(4);
    load();
    cr_assert(eq(u8, fake_in(&vm, LSR) & 0x60, 0));
    fake_out(&vm, IER, 2);
    fake_in(&vm, IIR);
    cr_assert(eq(i32, vsdk_stream_read(wire, bytes, 8, &n, NULL), VSDK_OK));
    cr_assert(zero(memcmp(bytes, "4567", 4)));
    cr_assert(eq(u32, vm.level[4], 1));
    cr_assert(eq(u8, fake_in(&vm, LSR) & 0x60, 0x60));
}

Test(state, serial_refuses)
{
    serial_at_work();
    save();
    survives_hostile_states();
    cr_assert(zero(takes_number("ier", 256)));
    cr_assert(zero(takes_number("fifo", 1)));
    cr_assert(zero(takes_bytes("ier", 1)));
    cr_assert(zero(takes_bytes("fifo", 17)));
    cr_assert(zero(takes_bytes("wire", 17)));
    cr_assert(zero(takes_bytes("transmit", 17)));
    cr_assert(takes_bytes("transmit", 16));
}

/* A port that takes any value behaves: no bit that a register hasn't. */
Test(state, serial_cuts_bits)
{
    serial_at_work();
    save();
    cr_assert(takes_number("ier", 255));
    cr_assert(takes_number("mcr", 255));
    cr_assert(takes_number("overrun", 255));
    fake_pause(&vm, 0);
    cr_assert(zero(fake_in(&vm, LSR) & 0x9c));
    cr_assert(eq(u8, fake_in(&vm, IER) & 0xf0, 0));
    cr_assert(eq(u8, fake_in(&vm, MCR) & 0xe0, 0));
}

/* The clock. */

static void rtc(void)
{
    cr_assert(eq(i32, vsdk_rtc_create(&vm, NULL, &device, NULL), VSDK_OK));
}

static uint8_t cmos(uint8_t index)
{
    fake_out(&vm, 0x70, index);
    return fake_in(&vm, 0x71);
}

static void cmos_set(uint8_t index, uint8_t value)
{
    fake_out(&vm, 0x70, index);
    fake_out(&vm, 0x71, value);
}

static void rtc_at_work(void)
{
    rtc();
    cmos_set(9, 0x03); /* the guest's time: 2003 */
    cmos_set(0x40, 0xa5);
    cmos_set(1, 0xc0);
    cmos_set(3, 0xc0);
    cmos_set(5, 0xc0);
    cmos_set(10, 0x2f);
    vm.clock += 600000000; /* a period has begun, and the guest has not looked */
    cmos_set(11, 0x42);
    fake_out(&vm, 0x70, 0x32);
}

Test(state, rtc_goes_on)
{
    uint64_t clock;

    rtc_at_work();
    cr_assert(eq(u32, vm.level[8], 1));
    clock = vm.clock;
    save();
    move();
    vm.clock = clock; /* the virtual machine's, which moves with it */
    rtc();
    load();
    cr_assert(eq(u32, vm.level[8], 1)); /* still unanswered */
    cr_assert(eq(u8, fake_in(&vm, 0x70), 0x32));
    cr_assert(eq(u8, cmos(12) & 0xc0, 0xc0));
    cr_assert(eq(u32, vm.level[8], 0));
    cr_assert(ne(u64, vm.delay, UINT64_MAX)); /* it waits for the next one */
    cr_assert(eq(u8, cmos(9), 3));
    cr_assert(eq(u8, cmos(0x40), 0xa5));
    cr_assert(eq(u8, cmos(11), 0x42));
    cr_assert(eq(u8, cmos(10) & 0x7f, 0x2f));
}

Test(state, rtc_refuses)
{
    rtc_at_work();
    save();
    survives_hostile_states();
    cr_assert(zero(takes_number("index", 128)));
    cr_assert(zero(takes_bytes("memory", 127)));
    cr_assert(zero(takes_bytes("memory", 129)));
    cr_assert(zero(takes_number("offset", INT64_MAX)));
    cr_assert(zero(takes_number("offset", (uint64_t)INT64_MIN)));
    cr_assert(zero(takes_number("second", INT64_MAX)));
    cr_assert(zero(takes_number("second", (uint64_t)INT64_MIN)));
}

/* Times that are far away are told, and cost nothing. */
Test(state, rtc_tells_any_time)
{
    static const int64_t offsets[] = {INT64_C(3000000000000), INT64_C(-3000000000000), 0};

    rtc_at_work();
    save();
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < 3; k++) {
            cr_assert(takes_number("offset", (uint64_t)offsets[i]));
            save();
            cr_assert(takes_number("second", (uint64_t)offsets[k]));
            fake_pause(&vm, 0);
            cmos(12);
            cmos(0);
            cmos(9);
            cmos(0x32);
            fake_pause(&vm, 1);
        }
}

/* The IOAPIC. */

static void ioapic(void)
{
    vsdk_ioapic_config config = {.size = sizeof config, .id = 3};

    cr_assert(eq(i32, vsdk_ioapic_create(&vm, &config, &device, NULL), VSDK_OK));
}

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

static void line(uint32_t gsi, uint32_t level)
{
    vm.set_line(vm.controller, &vm, gsi, level);
}

/* An edge came while its entry was masked, and its line is low again. */
static void ioapic_at_work(void)
{
    ioapic();
    io_set(0, 0x05000000);
    io_set(0x19, 0x06000000);
    io_set(0x18, 0x10841);
    io_set(0x20, 0x52);
    line(4, 1);
    line(4, 0);
    line(8, 1);
    cr_assert(eq(u32, vm.messages, 1));
    fake_write(&vm, VSDK_SPACE_MMIO, 0xfec00000, 4, 0x18);
}

Test(state, ioapic_goes_on)
{
    ioapic_at_work();
    save();
    move();
    ioapic();
    load();
    cr_assert(eq(u32, vm.messages, 0)); /* what was delivered is not again */
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_MMIO, 0xfec00000, 4), 0x18));
    cr_assert(eq(u32, io_get(0), 0x05000000));
    cr_assert(eq(u32, io_get(0x19), 0x06000000));
    cr_assert(eq(u32, io_get(0x20), 0x52));
    io_set(0x18, 0x841); /* the masked edge was kept */
    cr_assert(eq(u32, vm.messages, 1));
    cr_assert(eq(u32, vm.message[0].data, 0x41));
    cr_assert(eq(u64, vm.message[0].address, 0xfee06004));
    io_set(0x18, 0x10841);
    io_set(0x18, 0x841); /* once */
    cr_assert(eq(u32, vm.messages, 1));
}

Test(state, ioapic_refuses)
{
    ioapic_at_work();
    save();
    survives_hostile_states();
    cr_assert(zero(takes_number("select", 256)));
    cr_assert(zero(takes_number("id", 0x10000000)));
    cr_assert(zero(takes_number("missed", 1 << 24)));
    cr_assert(zero(takes_bytes("entries", 191)));
    cr_assert(zero(takes_bytes("entries", 193)));
    cr_assert(takes_bytes("entries", 192));
    fake_pause(&vm, 0);
    cr_assert(zero(io_get(0x10) & 0x5000));
}

Test(state, ioapic_reset)
{
    ioapic_at_work();
    fake_pause(&vm, 1);
    fake_reset(device);
    fake_pause(&vm, 0);
    cr_assert(eq(u32, io_get(0), 3 << 24));
    cr_assert(eq(u32, io_get(0x18), 0x10000));
    io_set(0x18, 0x41); /* the edge that was kept is of a guest before */
    cr_assert(eq(u32, vm.messages, 1));
    io_set(0x20, 0x53); /* a line that is high stays high: its user has not changed */
    cr_assert(eq(u32, vm.messages, 2));
}

/* The firmware configuration. */

static void fw_cfg(void)
{
    cr_assert(eq(i32, vsdk_fw_cfg_create(&vm, NULL, &device, NULL), VSDK_OK));
    cr_assert(eq(i32, vsdk_fw_cfg_add(device, 0, "opt/text", "0123456789", 10, NULL), VSDK_OK));
}

static void fw_cfg_at_work(void)
{
    fw_cfg();
    fake_write(&vm, VSDK_SPACE_PIO, 0x510, 2, 0x20);
    for (int i = 0; i < 4; i++)
        fake_in(&vm, 0x511);
    fake_write(&vm, VSDK_SPACE_PIO, 0x514, 4, __builtin_bswap32(1)); /* half of an address */
}

Test(state, fw_cfg_goes_on)
{
    uint32_t head[4] = {__builtin_bswap32(2), __builtin_bswap32(3), 0, __builtin_bswap32(0x2000)};
    char bytes[4] = {0};

    fw_cfg_at_work();
    save();
    move();
    fw_cfg();
    load();
    cr_assert(eq(u8, fake_in(&vm, 0x511), '4'));
    fake_ram(&vm, UINT64_C(1) << 32, 0x3000); /* where the other half lies, too */
    vsdk_vm_write(&vm, (UINT64_C(1) << 32) + 0x1000, head, sizeof head, NULL);
    head[3] = __builtin_bswap32(0x2000);
    fake_ram(&vm, 0, 0x3000);
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, __builtin_bswap32(0x1000));
    vsdk_vm_read(&vm, 0x2000, bytes, 3, NULL);
    cr_assert(eq(str, (char *)bytes, "567"));
}

Test(state, fw_cfg_refuses)
{
    fw_cfg_at_work();
    save();
    survives_hostile_states();
    cr_assert(zero(takes_number("key", 65536)));
    cr_assert(zero(takes_number("offset", 11))); /* beyond the item */
    cr_assert(zero(takes_number("dma_high", UINT64_C(1) << 32)));
    cr_assert(zero(takes_number("key", 0x7fff))); /* with an offset into what is not there */
    cr_assert(takes_number("offset", 10));
    fake_pause(&vm, 0);
    cr_assert(eq(u8, fake_in(&vm, 0x511), 0));
}

/* One that was made with other items takes no place that it hasn't. */
Test(state, fw_cfg_of_other_items)
{
    fw_cfg_at_work();
    save();
    move();
    cr_assert(eq(i32, vsdk_fw_cfg_create(&vm, NULL, &device, NULL), VSDK_OK));
    cr_assert(zero(takes(state, length)));
    cr_assert(eq(u8, fake_in(&vm, 0x511), 'Q'));
}

/* Power management and the keyboard controller. */

static void acpi(vsdk_acpi_pm_kind kind)
{
    vsdk_acpi_pm_config config = {.size = sizeof config, .kind = kind};

    cr_assert(eq(i32, vsdk_acpi_pm_create(&vm, &config, &device, NULL), VSDK_OK));
}

Test(state, acpi_pm_goes_on)
{
    acpi(VSDK_ACPI_PM_FIXED);
    fake_write(&vm, VSDK_SPACE_PIO, 0xb002, 2, 0x120);
    fake_write(&vm, VSDK_SPACE_PIO, 0xb004, 2, 5 << 10);
    save();
    survives_hostile_states();
    cr_assert(zero(takes_number("sleep_control", 256)));
    cr_assert(zero(takes_number("enable", 65536)));
    cr_assert(zero(takes_number("control", 65536)));
    cr_assert(takes_number("control", 5 << 10 | 1 << 13)); /* enabling is no state */
    move();
    acpi(VSDK_ACPI_PM_FIXED);
    load();
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb002, 2), 0x120));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb004, 2), 5 << 10 | 1));
    cr_assert(eq(u32, vm.stop, 0));
    fake_pause(&vm, 1);
    fake_reset(device);
    fake_pause(&vm, 0);
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb002, 2), 0));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0xb004, 2), 1));
}

Test(state, reduced_acpi_pm_goes_on)
{
    acpi(VSDK_ACPI_PM_REDUCED);
    fake_out(&vm, 0x600, 5 << 2);
    save();
    move();
    acpi(VSDK_ACPI_PM_REDUCED);
    load();
    cr_assert(eq(u8, fake_in(&vm, 0x600), 5 << 2));
    fake_pause(&vm, 1);
    cr_assert(takes_number("sleep_control", 0x34));
    fake_pause(&vm, 0);
    cr_assert(eq(u32, vm.stop, 0));
    cr_assert(eq(u8, fake_in(&vm, 0x600), 5 << 2));
}

/* Between the command and its byte. */
Test(state, i8042_goes_on)
{
    cr_assert(eq(i32, vsdk_i8042_create(&vm, NULL, &device, NULL), VSDK_OK));
    fake_out(&vm, 0x64, 0xd1);
    save();
    survives_hostile_states();
    cr_assert(zero(takes_number("command", 256)));
    move();
    cr_assert(eq(i32, vsdk_i8042_create(&vm, NULL, &device, NULL), VSDK_OK));
    load();
    fake_out(&vm, 0x60, 0xfe);
    cr_assert(eq(u32, vm.stop, VSDK_EXIT_RESET));
    vm.stop = 0;
    fake_out(&vm, 0x64, 0xd1);
    fake_pause(&vm, 1);
    fake_reset(device);
    fake_pause(&vm, 0);
    fake_out(&vm, 0x60, 0xfe); /* the byte of no command */
    cr_assert(eq(u32, vm.stop, 0));
}

/* A state is of one kind of device. */
Test(state, of_another_kind)
{
    serial_at_work();
    save();
    move();
    rtc();
    cr_assert(zero(takes(state, length)));
}
