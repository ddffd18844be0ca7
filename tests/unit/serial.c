/* SPDX-License-Identifier: Apache-2.0 */
/* The serial port by its registers, on the fake. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(serial, .init = rig_begin, .fini = rig_end);

/* The device holds its end of the stream, until it is released. */
Test(serial, transmits_and_ends_its_stream_once)
{
    vsdk_device *device = rig_serial();

    fake_out(&vm, DATA, 'h');
    fake_out(&vm, DATA, 'i');
    cr_assert(eq(u32, got_length, 2));
    cr_assert(zero(memcmp(got, "hi", 2)));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
    vsdk_device_close(device);
    cr_assert(eq(u32, ended, 0));
    fake_end(&vm);
    cr_assert(eq(u32, ended, 1));
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

    fake_out(&vm, IIR, 0x81); /* FIFO, trigger 8 */
    fake_out(&vm, IER, 1);
    cr_assert(eq(u64, rig_input("abc", 3), 3));
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xcc)); /* below the trigger: time-out */
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x61));
    rig_input("defgh", 5);
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc4));
    cr_assert(eq(u32, vm.edges[4], 1));
    for (char c = 'a'; c <= 'h'; c++)
        cr_assert(eq(u8, fake_in(&vm, DATA), c));
    cr_assert(eq(u32, vm.level[4], 0));
    cr_assert(eq(u8, fake_in(&vm, DATA), 0));
    rig_input("x", 1);
    fake_out(&vm, IIR, 0x83); /* clearing the receiver leaves what is still on the wire */
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x61));
    vsdk_device_close(device);
}

/* The port takes input off the stream sixteen bytes ahead of the guest. */
Test(serial, refused_input_is_told_when_it_fits)
{
    static const char many[5000];
    vsdk_device *device = rig_serial();

    cr_assert(eq(u64, rig_input(many, sizeof many), 4096));
    for (int i = 0; i < 2048 - 17; i++)
        fake_in(&vm, DATA);
    cr_assert(eq(u32, spaces, 0));
    for (int i = 0; i < 17; i++)
        fake_in(&vm, DATA);
    cr_assert(eq(u32, spaces, 1));
    fake_in(&vm, DATA);
    cr_assert(eq(u32, spaces, 1));
    vsdk_device_close(device);
}

Test(serial, input_from_its_own_output)
{
    vsdk_device_close(rig_serial());
    echo = 1;
    fake_out(&vm, DATA, 'e');
    cr_assert(eq(u8, fake_in(&vm, LSR) & 1, 1));
    cr_assert(eq(u8, fake_in(&vm, DATA), 'e'));
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

    rig_input("early", 5);
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
    rig_input("p", 1);
    cr_assert(eq(u32, vm.edges[4], 0));
    fake_pause(&vm, 0);
    cr_assert(eq(u32, vm.edges[4], 1));
    vsdk_device_close(device);
}

/* What the embedder takes of it now. */
static uint32_t drain(char *bytes, uint32_t most)
{
    uint64_t n = 0;

    cr_assert(eq(i32, vsdk_stream_read(wire, bytes, most, &n, NULL), VSDK_OK));
    return (uint32_t)n;
}

/* An embedder that does not read stops the guest's driver, not the guest, and loses nothing. */
Test(serial, is_busy_while_the_stream_is_full)
{
    char bytes[64];

    vsdk_device_close(rig_serial_on(rig_stream(4, 0)));
    fake_out(&vm, IIR, 1);
    fake_out(&vm, IER, 2);
    for (char c = 'a'; c < 'e'; c++) {
        cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
        fake_out(&vm, DATA, (uint8_t)c);
    }
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc2));
    fake_out(&vm, DATA, 'e');
    cr_assert(eq(u8, fake_in(&vm, LSR), 0)); /* neither THR nor the transmitter is empty */
    cr_assert(eq(u8, fake_in(&vm, IIR), 0xc1));
    cr_assert(eq(u32, vm.level[4], 0));
    for (char c = 'f'; c <= 't'; c++) /* a driver with a FIFO fills it without looking */
        fake_out(&vm, DATA, (uint8_t)c);
    cr_assert(eq(u32, drain(bytes, 1), 1)); /* room for one, but not half of it is free */
    cr_assert(eq(u32, vm.level[4], 0));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0));
    for (uint32_t n = 1; n < 17; n += 4) {
        cr_assert(eq(u32, drain(bytes + n, 8), 4));
        cr_assert(eq(u32, vm.level[4], 1)); /* there is room: the guest is told, and looks */
        cr_assert(eq(u8, fake_in(&vm, IIR) & 0x0f, n < 13 ? 1 : 2));
        cr_assert(eq(u8, fake_in(&vm, LSR), n < 13 ? 0 : 0x60));
    }
    cr_assert(eq(u32, drain(bytes + 17, 8), 3));
    cr_assert(eq(u32, vm.level[4], 0)); /* nothing waited any more */
    cr_assert(zero(memcmp(bytes, "abcdefghijklmnopqrst", 20)));
}

/* A guest that has said all it wants to say, and never looks at the port again. */
Test(serial, a_reader_that_makes_room_gets_the_last_bytes)
{
    char bytes[64];

    vsdk_device_close(rig_serial_on(rig_stream(4, 0)));
    for (char c = 'a'; c <= 't'; c++)
        fake_out(&vm, DATA, (uint8_t)c);
    for (uint32_t n = 0; n < 20; n += 4) {
        cr_assert(eq(u32, drain(bytes + n, 8), 4));
        fake_work(&vm);
    }
    cr_assert(zero(memcmp(bytes, "abcdefghijklmnopqrst", 20)));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
}

Test(serial, moves_nothing_while_it_is_stopped)
{
    char bytes[64];

    vsdk_device_close(rig_serial_on(rig_stream(4, 0)));
    for (char c = 'a'; c <= 'h'; c++)
        fake_out(&vm, DATA, (uint8_t)c);
    fake_pause(&vm, 1);
    cr_assert(eq(u32, drain(bytes, 8), 4));
    fake_work(&vm);
    cr_assert(eq(u32, drain(bytes, 8), 0));
    fake_pause(&vm, 0);
    fake_work(&vm);
    cr_assert(eq(u32, drain(bytes, 8), 4));
    cr_assert(zero(memcmp(bytes, "efgh", 4)));
}

/* Without memory for it the guest has to look, as before. */
Test(serial, goes_on_without_memory_for_its_work)
{
    char bytes[64];

    vsdk_device_close(rig_serial_on(rig_stream(4, 0)));
    vm.fail = 1;
    for (char c = 'a'; c <= 'h'; c++)
        fake_out(&vm, DATA, (uint8_t)c);
    cr_assert(eq(u32, drain(bytes, 8), 4));
    fake_in(&vm, LSR);
    cr_assert(eq(u32, drain(bytes, 8), 4));
}

/* The same by the handler of an embedder that reads inside of it, one byte at a time. */
static void happened_slow(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    uint64_t n = 0;

    if (events & VSDK_STREAM_READABLE && got_length < sizeof got)
        vsdk_stream_read(stream, got + got_length, 1, &n, NULL);
    got_length += (uint32_t)n;
}

Test(serial, loses_no_byte_to_a_slow_reader)
{
    uint8_t next = 1;

    vsdk_device_close(rig_serial_on(rig_stream(3, 0)));
    cr_assert(eq(i32, vsdk_stream_set_handler(wire, happened_slow, NULL, NULL, NULL), VSDK_OK));
    for (uint32_t polls = 0; got_length < 200; polls++) {
        uint64_t n = 0;

        cr_assert(polls < 10000);
        if (next <= 200 && fake_in(&vm, LSR) & 0x20)
            fake_out(&vm, DATA, next++);
        else if (!vsdk_stream_read(wire, got + got_length, 1, &n, NULL))
            got_length += (uint32_t)n;
    }
    for (uint32_t i = 0; i < 200; i++)
        cr_assert(eq(u8, (uint8_t)got[i], (uint8_t)(i + 1)));
}

/* Nobody will ever read: what is sent is dropped, and the guest goes on. */
Test(serial, is_not_busy_when_the_stream_has_ended)
{
    vsdk_device_close(rig_serial_on(rig_stream(1, 0)));
    fake_out(&vm, IER, 2);
    fake_out(&vm, DATA, 'a');
    fake_out(&vm, DATA, 'b');
    cr_assert(eq(u8, fake_in(&vm, LSR), 0));
    cr_assert(eq(u8, fake_in(&vm, IIR), 1));
    vsdk_stream_close(wire);
    wire = NULL;
    cr_assert(eq(u32, vm.level[4], 1));
    cr_assert(eq(u8, fake_in(&vm, IIR), 2));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
    fake_out(&vm, DATA, 'c');
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
}

Test(serial, without_a_stream_it_drops)
{
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_serial_create(&vm, NULL, &device, NULL), VSDK_OK));
    for (int i = 0; i < 100; i++)
        fake_out(&vm, DATA, 'x');
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
    cr_assert(eq(u8, fake_in(&vm, DATA), 0));
    vsdk_device_close(device);
}

/* What the guest has not read of the wire is gone, what is in the stream is not. */
Test(serial, reset_is_power_on)
{
    vsdk_device *device = rig_serial();

    rig_input("0123456789abcdefgh", 18);
    fake_out(&vm, LCR, 0x83);
    fake_out(&vm, DATA, 1);
    fake_out(&vm, LCR, 3);
    fake_out(&vm, IER, 3);
    fake_out(&vm, IIR, 0xc1);
    fake_out(&vm, MCR, 0x1b);
    fake_out(&vm, SCR, 9);
    fake_out(&vm, DATA, 'l');
    fake_out(&vm, MCR, 2);
    cr_assert(eq(u32, vm.level[4], 1));
    fake_pause(&vm, 1);
    fake_reset(device);
    cr_assert(eq(u32, vm.level[4], 0));
    fake_pause(&vm, 0);
    cr_assert(eq(u8, fake_in(&vm, IER), 0));
    cr_assert(eq(u8, fake_in(&vm, IIR), 1));
    cr_assert(eq(u8, fake_in(&vm, LCR), 0));
    cr_assert(eq(u8, fake_in(&vm, MCR), 0));
    cr_assert(eq(u8, fake_in(&vm, SCR), 0));
    cr_assert(eq(u8, fake_in(&vm, DATA), 'g'));
    cr_assert(eq(u8, fake_in(&vm, DATA), 'h'));
    cr_assert(eq(u8, fake_in(&vm, LSR), 0x60));
    fake_out(&vm, LCR, 0x80);
    cr_assert(eq(u8, fake_in(&vm, DATA), 12));
    vsdk_device_close(device);
}
