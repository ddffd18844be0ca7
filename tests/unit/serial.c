/* The serial port by its registers, on the fake. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(serial, .init = rig_begin, .fini = rig_end);

Test(serial, transmits_and_releases_once)
{
    vsdk_device *device = rig_serial();

    fake_out(&vm, DATA, 'h');
    fake_out(&vm, DATA, 'i');
    cr_assert(eq(u32, got_length, 2));
    cr_assert(zero(memcmp(got, "hi", 2)));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
    vsdk_device_close(device);
    cr_assert(eq(u32, released, 0));
    fake_end(&vm);
    cr_assert(eq(u32, released, 1));
}

Test(serial, divisor_latch_hides_data_and_ier)
{
    vsdk_device_close(rig_serial());
    fake_out(&vm, LCR, 0x83);
    fake_out(&vm, DATA, 0x34);
    fake_out(&vm, IER, 0x12);
    cr_assert(eq(u8, fake_in(&vm, DATA), 0x34));
    cr_assert(eq(u8, fake_in(&vm, IER), 0x12));
    fake_out(&vm, LCR, 0x03);
    cr_assert(eq(u8, fake_in(&vm, IER), 0));
    cr_assert(eq(u32, got_length, 0));
    fake_out(&vm, SCR, 0x5a);
    cr_assert(eq(u8, fake_in(&vm, SCR), 0x5a));
}

Test(serial, wide_accesses_are_one_of_each_register)
{
    vsdk_device_close(rig_serial());
    fake_out(&vm, LCR, 0x80);
    fake_write(&vm, VSDK_SPACE_PIO, DATA, 2, 0x1234);
    cr_assert(eq(u8, fake_in(&vm, DATA), 0x34));
    cr_assert(eq(u8, fake_in(&vm, IER), 0x12));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, DATA, 4), 0x80011234));
    fake_out(&vm, LCR, 3);
    fake_write(&vm, VSDK_SPACE_PIO, DATA, 2, 0x0500 | 'w');
    cr_assert(eq(u32, got_length, 1));
    cr_assert(eq(u8, fake_in(&vm, IER), 5));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, LSR, 2), 0xb060));
}

Test(serial, transmit_interrupt_is_an_edge_for_each_byte)
{
    vsdk_device_close(rig_serial());
    cr_assert(eq(u8, fake_in(&vm, IIR), 1));
    fake_out(&vm, IER, 2);
    cr_assert(eq(u32, vm.edges[4], 1));
    cr_assert(eq(u8, fake_in(&vm, IIR), 2));
    cr_assert(eq(u8, fake_in(&vm, IIR), 1)); /* reading it took it away */
    cr_assert(eq(u32, vm.level[4], 0));
    fake_out(&vm, DATA, 'a');
    fake_out(&vm, DATA, 'b');
    cr_assert(eq(u32, vm.edges[4], 3));
    fake_out(&vm, IER, 0);
    fake_out(&vm, IER, 2); /* enabling asks again */
    cr_assert(eq(u32, vm.level[4], 1));
    cr_assert(eq(u8, fake_in(&vm, IIR), 2));
    fake_out(&vm, IER, 2); /* what is enabled already does not */
    cr_assert(eq(u32, vm.level[4], 0));
}

Test(serial, input_interrupts_and_reads_back)
{
    vsdk_device *device = rig_serial();
    uint64_t accepted;

    fake_out(&vm, IIR, 0x81); /* FIFO, trigger 8 */
    fake_out(&vm, IER, 1);
    cr_assert(eq(i32, vsdk_serial_input(device, "abc", 3, &accepted, NULL), VSDK_OK));
    cr_assert(eq(u64, accepted, 3));
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xcc)); /* below the trigger: time-out */
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x61));
    vsdk_serial_input(device, "defgh", 5, NULL, NULL);
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc4));
    cr_assert(eq(u32, vm.edges[4], 1));
    for (char c = 'a'; c <= 'h'; c++)
        cr_assert(eq(u8, fake_in(&vm, DATA), c));
    cr_assert(eq(u32, vm.level[4], 0));
    cr_assert(eq(u8, fake_in(&vm, DATA), 0));
    vsdk_serial_input(device, "x", 1, NULL, NULL);
    fake_out(&vm, IIR, 0x83); /* clearing the receiver leaves what is still on the wire */
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x61));
    vsdk_device_close(device);
}

Test(serial, refused_input_is_told_when_it_fits)
{
    static const char many[5000];
    vsdk_device *device = rig_serial();
    uint64_t accepted;

    vsdk_serial_input(device, many, sizeof many, &accepted, NULL);
    cr_assert(eq(u64, accepted, 4096));
    for (int i = 0; i < 2047; i++)
        fake_in(&vm, DATA);
    cr_assert(eq(u32, spaces, 0));
    fake_in(&vm, DATA);
    fake_in(&vm, DATA);
    cr_assert(eq(u32, spaces, 1));
    vsdk_device_close(device);
}

Test(serial, input_from_its_own_output)
{
    echo = rig_serial();
    fake_out(&vm, DATA, 'e');
    cr_assert(eq(u8, fake_in(&vm, LSR) & 1, 1));
    cr_assert(eq(u8, fake_in(&vm, DATA), 'e'));
    vsdk_device_close(echo);
}

Test(serial, loopback)
{
    vsdk_device_close(rig_serial());
    cr_assert(eq(u8, fake_in(&vm, MSR), 0xb0));
    fake_out(&vm, MCR, 0x1a); /* loop, OUT2, RTS */
    cr_assert(eq(u8, fake_in(&vm, MSR) & 0xf0, 0x90));
    fake_out(&vm, DATA, 'l');
    cr_assert(eq(u32, got_length, 0));
    cr_assert(eq(u8, fake_in(&vm, DATA), 'l'));
    fake_out(&vm, IER, 8);
    cr_assert(eq(u8, fake_in(&vm, IIR), 1));
    fake_out(&vm, MCR, 0x1b);
    cr_assert(eq(u8, fake_in(&vm, IIR), 0));
    cr_assert(eq(u8, fake_in(&vm, MSR), 0xb2)); /* DSR changed */
    cr_assert(eq(u8, fake_in(&vm, MSR), 0xb0));
    fake_out(&vm, MCR, 0x1f);
    cr_assert(eq(u8, fake_in(&vm, MSR), 0xf0)); /* the ring's end counts, not its beginning */
    fake_out(&vm, MCR, 0x1b);
    cr_assert(eq(u8, fake_in(&vm, MSR), 0xb4));
    fake_out(&vm, IER, 4);
    fake_out(&vm, IIR, 1);
    for (int i = 0; i < 16; i++)
        fake_out(&vm, DATA, 'o');
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc1));
    fake_out(&vm, DATA, 'x');
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc6));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x63));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x61));
    fake_out(&vm, IIR, 3);
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
}

/* What drivers ask to tell one port of this family from another. */
Test(serial, is_taken_for_a_16550a)
{
    vsdk_device_close(rig_serial());
    fake_out(&vm, IER, 0);
    cr_assert(eq(u8, fake_in(&vm, IER), 0));
    fake_out(&vm, IER, 0xff);
    cr_assert(eq(u8, fake_in(&vm, IER), 0x0f)); /* no bit of later ones */
    fake_out(&vm, IER, 0);
    fake_out(&vm, IIR, 1);
    cr_assert(eq(u8, fake_in(&vm, IIR) >> 6, 3));
    fake_out(&vm, LCR, 0xbf);
    cr_assert(ne(u8, fake_in(&vm, IIR), 0)); /* no enhanced features behind it */
    fake_out(&vm, LCR, 0x80);
    fake_out(&vm, IIR, 0x21);
    cr_assert(eq(u8, fake_in(&vm, IIR) >> 5, 6)); /* no FIFO of 64 */
    fake_out(&vm, LCR, 0x03);
    fake_out(&vm, IIR, 0);
    cr_assert(eq(u8, fake_in(&vm, IIR), 1));
    fake_out(&vm, MCR, 0xff);
    cr_assert(eq(u8, fake_in(&vm, MCR), 0x1f));
}

/* Twice enabled, twice asked for: drivers that see one only poll for ever after. */
Test(serial, transmit_interrupt_comes_at_each_enabling)
{
    vsdk_device_close(rig_serial());
    for (int i = 0; i < 2; i++) {
        fake_out(&vm, IER, 2);
        cr_assert(eq(u8, fake_in(&vm, IIR), 2));
        fake_out(&vm, IER, 0);
    }
    fake_out(&vm, IER, 2);
    fake_in(&vm, IIR);
    fake_out(&vm, IER, 3); /* it stays enabled: nothing new */
    cr_assert(eq(u8, fake_in(&vm, IIR), 1));
}

/* Four causes at once are told by priority, each until it is served. */
Test(serial, causes_by_priority)
{
    vsdk_device *device = rig_serial();

    fake_out(&vm, MCR, 0x10);
    fake_out(&vm, DATA, 1);
    fake_out(&vm, DATA, 2); /* overrun: there is no FIFO */
    fake_out(&vm, IER, 0xf);
    cr_assert(eq(u8, fake_in(&vm, IIR), 6));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x63));
    cr_assert(eq(u8, fake_in(&vm, IIR), 4));
    cr_assert(eq(u8, fake_in(&vm, DATA), 1));
    cr_assert(eq(u8, fake_in(&vm, IIR), 2));
    cr_assert(eq(u8, fake_in(&vm, IIR), 0));
    cr_assert(eq(u32, vm.level[4], 1));
    cr_assert(eq(u8, fake_in(&vm, MSR), 0x0b)); /* three lines fell */
    cr_assert(eq(u8, fake_in(&vm, IIR), 1));
    cr_assert(eq(u32, vm.level[4], 0));
    vsdk_device_close(device);
}

/* As Linux begins: lines low, FIFO cleared, the data register read, then interrupts or RTS. */
Test(serial, input_waits_until_the_guest_listens)
{
    vsdk_device *device = rig_serial();

    vsdk_serial_input(device, "early", 5, NULL, NULL);
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x61));
    fake_out(&vm, MCR, 0);
    fake_out(&vm, IIR, 7);
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
    cr_assert(eq(u8, fake_in(&vm, DATA), 0));
    fake_out(&vm, MCR, 2);
    cr_assert(eq(u8, fake_in(&vm, DATA), 'e'));
    fake_out(&vm, MCR, 0);
    fake_out(&vm, IER, 1);
    cr_assert(eq(u32, vm.level[4], 1));
    cr_assert(eq(u8, fake_in(&vm, DATA), 'a'));
    fake_out(&vm, MCR, 0x10); /* in loopback the wire is cut */
    cr_assert(eq(u32, vm.level[4], 0));
    fake_out(&vm, MCR, 0);
    cr_assert(eq(u32, vm.level[4], 1));
    vsdk_device_close(device);
}

Test(serial, makes_no_interrupt_while_paused)
{
    vsdk_device *device = rig_serial();

    fake_out(&vm, IER, 1);
    fake_pause(&vm, 1);
    vsdk_serial_input(device, "p", 1, NULL, NULL);
    cr_assert(eq(u32, vm.edges[4], 0));
    fake_pause(&vm, 0);
    cr_assert(eq(u32, vm.edges[4], 1));
    vsdk_device_close(device);
}

Test(serial, input_wants_a_serial_port)
{
    vsdk_error error;
    vsdk_device *rtc;

    cr_assert(eq(i32, vsdk_rtc_create(&vm, NULL, &rtc, NULL), VSDK_OK));
    cr_assert(eq(i32, vsdk_serial_input(rtc, "x", 1, NULL, &error), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(ne(str, error.message, (char *)""));
    vsdk_device_close(rtc);
    rtc = rig_serial();
    cr_assert(eq(i32, vsdk_serial_input(rtc, NULL, 1, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_serial_input(rtc, NULL, 0, NULL, NULL), VSDK_OK));
    vsdk_device_close(rtc);
}
