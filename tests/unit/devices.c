/* The devices by their registers, on the fake. */
#include "fake.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <time.h>

static vsdk_vm vm;
static char got[256];
static uint32_t got_length, released, spaces;
static vsdk_device *echo;

static void begin(void)
{
    memset(&vm, 0, sizeof vm);
    vm.vcpus_max = 3;
    got_length = released = spaces = 0;
    echo = NULL;
}

static void end(void)
{
    fake_end(&vm);
    cr_assert(eq(u32, vm.devices, 0));
    cr_assert(zero(fake_leaks()));
}

static void output(void *user, const void *bytes, uint64_t length)
{
    cr_assert(eq(ptr, user, &got));
    memcpy(got + got_length, bytes, length);
    got_length += (uint32_t)length;
    if (echo)
        cr_assert(eq(i32, vsdk_serial_input(echo, bytes, length, NULL, NULL), VSDK_OK));
}

static void space(void *user)
{
    spaces++;
}

static void release(void *user)
{
    cr_assert(eq(ptr, user, &got));
    released++;
}

static vsdk_device *serial(void)
{
    vsdk_serial_config config = {
        .size = sizeof config, .output = output, .space = space, .user = &got, .release = release};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_serial_create(&vm, &config, &device, NULL), VSDK_OK));
    return device;
}

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };

TestSuite(serial, .init = begin, .fini = end);

Test(serial, transmits_and_releases_once)
{
    vsdk_device *device = serial();

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
    vsdk_device_close(serial());
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
    vsdk_device_close(serial());
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
    vsdk_device_close(serial());
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
    vsdk_device *device = serial();
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
    vsdk_device *device = serial();
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
    echo = serial();
    fake_out(&vm, DATA, 'e');
    cr_assert(eq(u8, fake_in(&vm, LSR) & 1, 1));
    cr_assert(eq(u8, fake_in(&vm, DATA), 'e'));
    vsdk_device_close(echo);
}

Test(serial, loopback)
{
    vsdk_device_close(serial());
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
    vsdk_device_close(serial());
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
    vsdk_device_close(serial());
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
    vsdk_device *device = serial();

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
    vsdk_device *device = serial();

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
    vsdk_device *device = serial();

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
    rtc = serial();
    cr_assert(eq(i32, vsdk_serial_input(rtc, NULL, 1, NULL, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_serial_input(rtc, NULL, 0, NULL, NULL), VSDK_OK));
    vsdk_device_close(rtc);
}

/* The host's time as the devices see it: the real one until a test stops it. */
static struct timespec stopped;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_REALTIME || !stopped.tv_sec)
        return __real_clock_gettime(clock, now);
    *now = stopped;
    return 0;
}

TestSuite(rtc, .init = begin, .fini = end);

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

static int bcd(uint8_t byte)
{
    return (byte >> 4) * 10 + (byte & 15);
}

static time_t cmos_time(void)
{
    struct tm tm = {0};

    do {
        while (cmos(10) & 0x80)
            ;
        tm = (struct tm){.tm_sec = bcd(cmos(0)),
                         .tm_min = bcd(cmos(2)),
                         .tm_hour = bcd(cmos(4)),
                         .tm_mday = bcd(cmos(7)),
                         .tm_mon = bcd(cmos(8)) - 1,
                         .tm_year = bcd(cmos(0x32)) * 100 + bcd(cmos(9)) - 1900};
    } while (tm.tm_sec != bcd(cmos(0)));
    return timegm(&tm);
}

static void make_rtc(void)
{
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_rtc_create(&vm, NULL, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
}

Test(rtc, tells_wall_time)
{
    time_t before = time(NULL), now;

    make_rtc();
    now = cmos_time();
    cr_assert(now >= before && now <= time(NULL));
    cr_assert(eq(u8, cmos(11), 2));
    cr_assert(eq(u8, cmos(12), 0));
    cr_assert(eq(u8, cmos(13), 0x80));
}

Test(rtc, update_in_progress_reads_clear)
{
    int clear = 0;

    make_rtc();
    for (int i = 0; i < 1000 && !clear; i++)
        clear = !(cmos(10) & 0x80);
    cr_assert(clear);
    cr_assert(eq(u8, cmos(10) & 0x7f, 0x26));
}

/* Once a second; the suite's time ends a search in vain. */
Test(rtc, update_in_progress_is_shown, .timeout = 60)
{
    make_rtc();
    while (!(cmos(10) & 0x80))
        ;
}

Test(rtc, status_is_not_writable)
{
    make_rtc();
    cmos_set(12, 0xff);
    cmos_set(13, 0);
    cr_assert(eq(u8, cmos(12), 0));
    cr_assert(eq(u8, cmos(13), 0x80));
}

Test(rtc, binary_and_12_hours)
{
    struct tm tm;
    time_t now;
    uint8_t hours;

    make_rtc();
    cmos_set(11, 4); /* binary, 12 hours */
    now = time(NULL);
    hours = cmos(4);
    gmtime_r(&now, &tm);
    cr_assert(eq(i32, hours & 0x7f, tm.tm_hour % 12 ? tm.tm_hour % 12 : 12));
    cr_assert(eq(i32, !!(hours & 0x80), tm.tm_hour >= 12));
    cr_assert(eq(i32, cmos(9), tm.tm_year % 100));
}

/* A time that was set is over at once; how long ago is the machine's affair. */
static int follows(time_t now, time_t set)
{
    return now >= set && now - set < 600;
}

Test(rtc, can_be_set)
{
    make_rtc();
    cmos_set(11, 0x82);
    cr_assert(eq(u8, cmos(0x32), 0x20)); /* the time of this moment stands in the registers */
    cmos_set(0, 0x30);
    cmos_set(2, 0x59);
    cmos_set(4, 0x23);
    cmos_set(7, 0x31);
    cmos_set(8, 0x12);
    cmos_set(9, 0x99);
    cmos_set(0x32, 0x19);
    cr_assert(eq(u8, cmos(2), 0x59));
    cmos_set(11, 2);
    cr_assert(follows(cmos_time(), 946684770)); /* 1999-12-31 23:59:30 */
}

Test(rtc, can_be_set_while_it_runs)
{
    make_rtc();
    cmos_set(9, 0x03);
    cmos_set(8, 0x02);
    cmos_set(7, 0x01);
    cmos_set(4, 0x11);
    cmos_set(2, 0x10);
    cr_assert(follows(cmos_time(), 1044097800)); /* 2003-02-01 11:10:00 */
}

/* Half an hour after midnight and after noon. */
Test(rtc, can_be_set_in_12_hours)
{
    make_rtc();
    cmos_set(11, 0x80);
    cmos_set(0, 0);
    cmos_set(2, 0x30);
    cmos_set(4, 0x12);
    cmos_set(7, 0x01);
    cmos_set(8, 0x01);
    cmos_set(9, 0x00);
    cmos_set(11, 0);
    cmos_set(11, 2);
    cr_assert(follows(cmos_time(), 946686600));
    cmos_set(11, 0);
    cmos_set(4, 0x92);
    cmos_set(11, 2);
    cr_assert(follows(cmos_time(), 946686600 + 12 * 3600));
}

Test(rtc, memory_and_alarm_are_plain)
{
    make_rtc();
    cmos_set(1, 0x77);
    cmos_set(0x40, 0xa5);
    cr_assert(eq(u8, cmos(1), 0x77));
    cr_assert(eq(u8, cmos(0x40 | 0x80), 0xa5)); /* bit 7 masks NMI elsewhere */
    cr_assert(eq(u8, fake_in(&vm, 0x70), 0x40));
    fake_write(&vm, VSDK_SPACE_PIO, 0x70, 2, 0x5541);
    cr_assert(eq(u8, cmos(0x41), 0x55));
}

enum { NOON = 946728000 }; /* 2000-01-01 12:00:00 */

static void make_rtc_at(time_t second)
{
    stopped = (struct timespec){.tv_sec = second};
    make_rtc();
}

Test(rtc, update_in_progress_is_before_each_second)
{
    make_rtc_at(NOON);
    stopped.tv_nsec = 1000000000 - 2228001;
    cr_assert(eq(u8, cmos(10), 0x26));
    stopped.tv_nsec++;
    cr_assert(eq(u8, cmos(10), 0xa6));
    cmos_set(11, 0x82); /* not while it is being set */
    cr_assert(eq(u8, cmos(10), 0x26));
}

Test(rtc, every_hour_both_ways)
{
    static const uint8_t twelve[4] = {0x12, 0x01, 0x92, 0x81};
    static const int hour[4] = {0, 1, 12, 13};

    make_rtc_at(NOON);
    for (int i = 0; i < 4; i++) {
        cmos_set(11, 0x80); /* BCD, 12 hours */
        cmos_set(4, twelve[i]);
        cmos_set(11, 0x00);
        cr_assert(eq(u8, cmos(4), twelve[i]));
        cmos_set(11, 0x06); /* binary, 24 hours */
        cr_assert(eq(u8, cmos(4), hour[i]));
    }
}

Test(rtc, century_turns)
{
    make_rtc_at(4102444799); /* 2099-12-31 23:59:59 */
    cr_assert(eq(u8, cmos(9), 0x99));
    cr_assert(eq(u8, cmos(0x32), 0x20));
    stopped.tv_sec++;
    cr_assert(eq(u8, cmos(9), 0));
    cr_assert(eq(u8, cmos(0x32), 0x21));
    cr_assert(eq(u8, cmos(6), 6)); /* a Friday */
}

Test(rtc, events_are_seen_without_interrupts)
{
    make_rtc_at(NOON);
    cr_assert(eq(u8, cmos(12), 0));
    stopped.tv_sec++;
    cr_assert(eq(u8, cmos(12), 0x10));
    cr_assert(eq(u8, cmos(12), 0)); /* reading took it away */
    vm.clock = 976562;
    cr_assert(eq(u8, cmos(12), 0));
    vm.clock = 976563; /* 1024 Hz */
    cr_assert(eq(u8, cmos(12), 0x40));
    cmos_set(5, 0xff);
    cmos_set(3, 0xff);
    cmos_set(1, 0x03);
    cr_assert(eq(u8, cmos(12), 0));
    stopped.tv_sec += 2;
    cr_assert(eq(u8, cmos(12), 0x30));
    cr_assert(eq(ptr, vm.timer, NULL));
    cr_assert(eq(u32, vm.edges[8], 0));
}

Test(rtc, update_interrupt)
{
    make_rtc_at(NOON);
    stopped.tv_nsec = 400000000;
    cmos_set(11, 0x12);
    cr_assert(eq(u64, vm.delay, 600000000));
    fake_expire(&vm); /* early: nothing happened yet */
    cr_assert(eq(u32, vm.level[8], 0));
    cr_assert(eq(u64, vm.delay, 600000000));
    stopped = (struct timespec){.tv_sec = NOON + 1, .tv_nsec = 1000};
    fake_expire(&vm);
    cr_assert(eq(u32, vm.edges[8], 1));
    cr_assert(eq(u64, vm.delay, UINT64_MAX)); /* until the guest answers */
    cr_assert(eq(u8, cmos(12), 0x90));
    cr_assert(eq(u32, vm.level[8], 0));
    cr_assert(eq(u64, vm.delay, 999999000));
    cmos_set(11, 0x92); /* setting it ends updates, and their interrupt */
    cr_assert(eq(u8, cmos(11), 0x82));
    cr_assert(eq(u64, vm.delay, UINT64_MAX));
}

Test(rtc, line_of_its_own)
{
    vsdk_rtc_config config = {.size = sizeof config, .gsi = 5};
    vsdk_device *device;

    stopped = (struct timespec){.tv_sec = NOON};
    cr_assert(eq(i32, vsdk_rtc_create(&vm, &config, &device, NULL), VSDK_OK));
    cmos_set(11, 0x12);
    stopped.tv_sec++;
    fake_expire(&vm);
    cr_assert(eq(u32, vm.level[5], 1));
    cr_assert(eq(u32, vm.level[8], 0));
    vsdk_device_close(device);
}

Test(rtc, alarm_interrupt)
{
    make_rtc_at(NOON);
    cmos_set(5, 0x12);
    cmos_set(3, 0x00);
    cmos_set(1, 0x02);
    cmos_set(11, 0x22);
    stopped.tv_sec++;
    fake_expire(&vm);
    cr_assert(eq(u32, vm.level[8], 0));
    cr_assert(eq(u64, vm.delay, 1000000000));
    stopped.tv_sec += 3600; /* late, and past it */
    fake_expire(&vm);
    cr_assert(eq(u32, vm.level[8], 1));
    cr_assert(eq(u8, cmos(12), 0xb0));
    cmos_set(11, 0x20); /* 12 hours: one in the afternoon */
    cmos_set(5, 0x81);
    cr_assert(eq(u8, cmos(12), 0));
    stopped.tv_sec = NOON + 3602;
    fake_expire(&vm);
    cr_assert(eq(u8, cmos(12), 0xb0));
    stopped.tv_sec += 100 * 86400;
    fake_expire(&vm);
    cr_assert(eq(u8, cmos(12), 0xb0));
    cmos_set(4, 0x82); /* setting the time is no way to reach it */
    cr_assert(eq(u8, cmos(12), 0));
}

Test(rtc, periodic_interrupt)
{
    static const uint64_t hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};

    make_rtc_at(NOON);
    for (uint8_t rate = 1; rate < 16; rate++) {
        cmos_set(11, 0x02);
        cmos_set(10, 0x20 | rate);
        cmos(12);
        cmos_set(11, 0x42);
        vm.clock += vm.delay;
        fake_expire(&vm);
        cr_assert(eq(u8, cmos(12), 0xc0));
        cr_assert(vm.delay <= 1000000000 / hz[rate] + 1 && vm.delay >= 1000000000 / hz[rate] - 1);
        vm.clock += vm.delay - 1;
        cr_assert(eq(u8, cmos(12), 0));
    }
    cr_assert(eq(u32, vm.edges[8], 15));
    cmos_set(10, 0x20); /* none */
    cr_assert(eq(u64, vm.delay, UINT64_MAX));
}

/* An event that came before its interrupt was enabled asks at once. */
Test(rtc, enabling_asks_for_what_happened)
{
    make_rtc_at(NOON);
    stopped.tv_sec++;
    cmos_set(11, 0x12);
    cr_assert(eq(u32, vm.level[8], 1));
    cmos_set(11, 0x02);
    cr_assert(eq(u32, vm.level[8], 0));
}

Test(rtc, without_memory_for_a_timer_it_still_tells_time)
{
    make_rtc_at(NOON);
    for (uint32_t n = 1; n <= 2; n++) {
        vm.fail = n;
        cmos_set(11, 0x12);
        cr_assert(eq(ptr, vm.timer, NULL));
    }
    cr_assert(eq(u8, cmos(4), 0x12));
    cmos_set(11, 0x12);
    cr_assert(ne(ptr, vm.timer, NULL));
}

TestSuite(ends, .init = begin, .fini = end);

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

Test(ends, debug_exit_of_any_width)
{
    static const uint64_t value[] = {0x12, 0x3412, 0, 0x78563412};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_debug_exit_create(&vm, NULL, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
    for (uint32_t width = 1; width <= 4; width *= 2) {
        fake_write(&vm, VSDK_SPACE_PIO, 0xf4, width, value[width - 1]);
        stops(VSDK_EXIT_DEBUG_EXIT, value[width - 1], 0);
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

TestSuite(debug_console, .init = begin, .fini = end);

Test(debug_console, takes_text)
{
    vsdk_debug_console_config config = {
        .size = sizeof config, .output = output, .user = &got, .release = release};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_debug_console_create(&vm, &config, &device, NULL), VSDK_OK));
    vsdk_device_close(device);
    cr_assert(eq(u8, fake_in(&vm, 0x402), 0xe9));
    fake_out(&vm, 0x402, '!');
    cr_assert(eq(u32, got_length, 1));
    fake_end(&vm);
    cr_assert(eq(u32, released, 1));
}

TestSuite(fw_cfg, .init = begin, .fini = end);

static vsdk_device *fw_cfg(void)
{
    vsdk_fw_cfg_config config = {.size = sizeof config, .ram = UINT64_C(5) << 30};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_fw_cfg_create(&vm, &config, &device, NULL), VSDK_OK));
    return device;
}

static uint64_t item(uint16_t key, uint32_t length)
{
    uint64_t value = 0;

    fake_write(&vm, VSDK_SPACE_PIO, 0x510, 2, key);
    for (uint32_t i = 0; i < length; i++)
        value |= (uint64_t)fake_in(&vm, 0x511) << (8 * i);
    return value;
}

Test(fw_cfg, usual_keys)
{
    vsdk_device_close(fw_cfg());
    cr_assert(eq(u64, item(0, 4), 0x554d4551));
    cr_assert(eq(u64, item(1, 4), 3));
    cr_assert(eq(u64, item(3, 8), UINT64_C(5) << 30));
    cr_assert(eq(u64, item(5, 2), 3));
    cr_assert(eq(u64, item(0xf, 2), 3));
    cr_assert(eq(u64, item(0x19, 4), 0));
    cr_assert(eq(u64, item(0x18, 8), 0)); /* not there */
    cr_assert(eq(u64, item(0xffff, 8), 0));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x510, 1), 0xff)); /* what is selected */
    item(5, 2);
    cr_assert(eq(u8, fake_in(&vm, 0x511), 0)); /* beyond the end */
    fake_write(&vm, VSDK_SPACE_PIO, 0x510, 2, 0);
    fake_out(&vm, 0x510, 5); /* the selector is a word */
    cr_assert(eq(u8, fake_in(&vm, 0x511), 'Q'));
}

Test(fw_cfg, files_are_listed)
{
    vsdk_device *device = fw_cfg();
    char name[56];

    cr_assert(eq(i32, vsdk_fw_cfg_add(device, 0, "opt/one", "1234", 4, NULL), VSDK_OK));
    cr_assert(eq(i32, vsdk_fw_cfg_add(device, 0, "opt/two", NULL, 0, NULL), VSDK_OK));
    cr_assert(eq(u64, item(0x19, 4), 0x02000000));
    cr_assert(eq(u64, item(0x20, 4), 0x34333231));
    item(0x19, 4);
    for (int i = 0; i < 4; i++)
        cr_assert(eq(u8, fake_in(&vm, 0x511), i == 3 ? 4 : 0)); /* length */
    cr_assert(eq(u8, fake_in(&vm, 0x511), 0));
    cr_assert(eq(u8, fake_in(&vm, 0x511), 0x20)); /* key */
    fake_in(&vm, 0x511);
    fake_in(&vm, 0x511);
    for (int i = 0; i < 56; i++)
        name[i] = (char)fake_in(&vm, 0x511);
    cr_assert(eq(str, name, "opt/one"));
    cr_assert(eq(u64, item(0x60, 8), 0)); /* after the last file that there can be */
    vsdk_device_close(device);
}

Test(fw_cfg, add_checks)
{
    static const struct {
        uint32_t key;
        const char *name, *bytes;
        uint64_t length;
        vsdk_status status;
    } row[] = {
        {0, NULL, "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {0x19, NULL, "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {0x20, NULL, "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {0, "", "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {7, NULL, NULL, 1, VSDK_ERROR_INVALID_ARGUMENT},
        {5, NULL, "x", 1, VSDK_ERROR_EXISTS},
        {0, "a", "x", UINT64_C(1) << 32, VSDK_ERROR_LIMIT},
        {0, "56 bytes: 0123456789abcdef0123456789abcdef0123456789abcde", "x", 1, VSDK_ERROR_LIMIT},
        {7, NULL, "x", 1, VSDK_OK},
        {7, NULL, "x", 1, VSDK_ERROR_EXISTS},
        {0, "a", "x", 1, VSDK_OK},
        {0, "a", "x", 1, VSDK_ERROR_EXISTS},
    };
    vsdk_device *device = fw_cfg();
    char name[] = "f00";

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        cr_assert(
            eq(i32,
               vsdk_fw_cfg_add(device, row[i].key, row[i].name, row[i].bytes, row[i].length, NULL),
               row[i].status),
            "row %zu", i);
    for (int i = 1; i < 65; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        cr_assert(eq(i32, vsdk_fw_cfg_add(device, 0, name, "", 0, NULL),
                     i < 64 ? VSDK_OK : VSDK_ERROR_LIMIT));
    }
    vsdk_device_close(device);
}

static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
    uint32_t head[2] = {__builtin_bswap32(control), __builtin_bswap32(length)}, answer;
    uint64_t to = __builtin_bswap64(address);

    vsdk_dma_write(&vm, 0x1000, head, 8, NULL);
    vsdk_dma_write(&vm, 0x1008, &to, 8, NULL);
    fake_write(&vm, VSDK_SPACE_PIO, 0x514, 4, 0);
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, __builtin_bswap32(0x1000));
    vsdk_dma_read(&vm, 0x1000, &answer, 4, NULL);
    return __builtin_bswap32(answer);
}

Test(fw_cfg, dma)
{
    char bytes[8];

    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, 0x10000);
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x514, 4), 0x554d4551)); /* QEMU */
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x518, 4), 0x47464320)); /* " CFG" */
    memset(vm.block[0].bytes + 0x2000, 0xff, 16);
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 8, 0x2000), 0));
    vsdk_dma_read(&vm, 0x2000, bytes, 8, NULL);
    cr_assert(zero(memcmp(bytes, "QEMU\0\0\0\0", 8)));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 4, 2, 0), 0));
    cr_assert(eq(u32, dma(2, 2, 0x2000), 0));
    vsdk_dma_read(&vm, 0x2000, bytes, 2, NULL);
    cr_assert(zero(memcmp(bytes, "MU", 2)));
    cr_assert(eq(u32, dma(8 | 16, 4, 0x2000), 1));         /* items are read-only */
    cr_assert(eq(u32, dma(8 | 2, UINT32_MAX, 0x2000), 1)); /* leaves RAM */
    cr_assert(eq(u32, dma(8 | 2, 4, UINT64_MAX - 2), 1));
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, 0xffffffff); /* no RAM there: nothing happens */
}

/* Each transfer has an address of its own. */
Test(fw_cfg, dma_forgets_the_high_half_of_its_address)
{
    uint32_t head[4] = {__builtin_bswap32(8 | 2), __builtin_bswap32(4), 0,
                        __builtin_bswap32(0x2000)};
    char bytes[4];

    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, 0x10000);
    vsdk_dma_write(&vm, 0x1000, head, sizeof head, NULL);
    fake_write(&vm, VSDK_SPACE_PIO, 0x514, 4, __builtin_bswap32(7));
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, __builtin_bswap32(0x1000));
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, __builtin_bswap32(0x1000));
    vsdk_dma_read(&vm, 0x2000, bytes, sizeof bytes, NULL);
    cr_assert(zero(memcmp(bytes, "QEMU", 4)));
}

static uint32_t fw_cfg_word(uint64_t gpa)
{
    uint32_t word;

    vsdk_dma_read(&vm, gpa, &word, sizeof word, NULL);
    return word;
}

/* A guest asks for 4 GiB of nothing: it gets an error, not a callback that lasts. */
Test(fw_cfg, dma_beyond_an_item_is_bounded)
{
    enum { BEYOND = 1 << 20 };

    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, UINT64_C(5) << 30);
    memset(vm.block[0].bytes + 0x2000, 0xff, 8);
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, UINT32_MAX, 0x2000), 1));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 4 + BEYOND + 1, 0x2000), 1));
    cr_assert(eq(u32, dma(0x18 << 16 | 8 | 2, BEYOND + 1, 0x2000), 1)); /* no such item */
    cr_assert(eq(u32, fw_cfg_word(0x2000), UINT32_MAX));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 4 + BEYOND, 0x2000), 0));
    cr_assert(eq(u32, fw_cfg_word(0x2000), 0x554d4551));
    cr_assert(eq(u32, fw_cfg_word(0x2004), 0));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 4, UINT32_MAX, 0), 0)); /* skipping costs nothing */
}

/* The guest waits until its control field changes, so that a descriptor that leaves RAM is told. */
Test(fw_cfg, dma_descriptor_at_the_end_of_ram)
{
    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, 0x10000);
    fake_write(&vm, VSDK_SPACE_PIO, 0x514, 8, __builtin_bswap64(0xfff8));
    cr_assert(eq(u32, fw_cfg_word(0xfff8), __builtin_bswap32(1)));
    cr_assert(eq(u32, fw_cfg_word(0xfffc), 0));
}

TestSuite(ioapic, .init = begin, .fini = end);

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
    vm.set_line(vm.controller, gsi, level);
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
    vsdk_device_close(serial());
    io_set(0x18, 0x41);
    fake_out(&vm, IER, 2);
    cr_assert(eq(u32, vm.messages, 1));
    cr_assert(eq(u32, vm.message[0].data, 0x41));
}

/* Every constructor: what they all share. */

TestSuite(constructors, .init = begin, .fini = end);

#define CONSTRUCTORS(X)                                                                            \
    X(serial)                                                                                      \
    X(rtc) X(i8042) X(acpi_pm) X(debug_exit) X(debug_console) X(fw_cfg) X(pvpanic) X(ioapic)

/* A configuration of any kind begins with size, flags, address. */
typedef struct any_config {
    uint32_t size, flags;
    uint64_t address;
    uint8_t rest[240];
} any_config;

#define ROW(name)                                                                                  \
    static vsdk_status make_##name##_any(any_config *config, vsdk_device **device,                 \
                                         vsdk_error *error)                                        \
    {                                                                                              \
        return vsdk_##name##_create(&vm, (void *)config, device, error);                           \
    }                                                                                              \
    static vsdk_status make_##name##_null(vsdk_device **device, int which, vsdk_error *error)      \
    {                                                                                              \
        return vsdk_##name##_create(which ? NULL : &vm, NULL, which ? device : NULL, error);       \
    }
CONSTRUCTORS(ROW)

#define ENTRY(name) {#name, make_##name##_any, make_##name##_null, sizeof(vsdk_##name##_config)},
static const struct {
    const char *name;
    vsdk_status (*any)(any_config *, vsdk_device **, vsdk_error *);
    vsdk_status (*null)(vsdk_device **, int, vsdk_error *);
    uint32_t size;
} constructor[] = {CONSTRUCTORS(ENTRY)};
enum { CONSTRUCTORS_COUNT = sizeof constructor / sizeof *constructor };

static void expect(uint32_t i, any_config config, vsdk_status status)
{
    vsdk_device *device = (vsdk_device *)&vm;
    vsdk_error error = {0};

    cr_assert(eq(i32, constructor[i].any(&config, &device, &error), status), "%s",
              constructor[i].name);
    cr_assert(eq(i32, error.code, status), "%s", constructor[i].name);
    if (status)
        cr_assert(eq(ptr, device, NULL), "%s", constructor[i].name);
    else
        vsdk_device_close(device);
}

Test(constructors, check_pointers)
{
    for (uint32_t i = 0; i < CONSTRUCTORS_COUNT; i++) {
        vsdk_device *device = (vsdk_device *)&vm;

        cr_assert(eq(i32, constructor[i].null(&device, 0, NULL), VSDK_ERROR_INVALID_ARGUMENT));
        cr_assert(eq(i32, constructor[i].null(&device, 1, NULL), VSDK_ERROR_INVALID_ARGUMENT));
        cr_assert(eq(ptr, device, NULL));
    }
}

Test(constructors, check_configurations)
{
    for (uint32_t i = 0; i < CONSTRUCTORS_COUNT; i++) {
        any_config later = {.size = sizeof later}, inside = {.size = constructor[i].size};

        expect(i, (any_config){.size = constructor[i].size, .flags = 0x80000000},
               VSDK_ERROR_INVALID_ARGUMENT);
        later.rest[sizeof later.rest - 1] = 1;
        expect(i, later, VSDK_ERROR_UNSUPPORTED);
        ((uint8_t *)&inside)[constructor[i].size - 1] = 1;
        expect(i, inside, VSDK_ERROR_UNSUPPORTED);
        expect(i, (any_config){.size = sizeof later}, VSDK_OK);
        expect(i, (any_config){.size = sizeof later}, VSDK_ERROR_EXISTS);
        fake_end(&vm);
        if (strcmp(constructor[i].name, "ioapic"))
            expect(i, (any_config){.size = constructor[i].size, .address = 0xffff8},
                   VSDK_ERROR_RANGE);
    }
}

Test(constructors, survive_every_failure)
{
    for (uint32_t i = 0; i < CONSTRUCTORS_COUNT; i++) {
        vsdk_status status = VSDK_ERROR_NO_MEMORY;

        for (uint32_t n = 1; status; n++) {
            any_config config = {.size = constructor[i].size};
            vsdk_device *device;

            vm.fail = n;
            status = constructor[i].any(&config, &device, NULL);
            cr_assert(status == VSDK_OK || status == VSDK_ERROR_NO_MEMORY);
            if (status)
                cr_assert(eq(u32, vm.devices, 0), "%s %u", constructor[i].name, n);
            else
                vsdk_device_close(device);
        }
        vm.fail = 0;
        fake_end(&vm);
    }
}

Test(constructors, release_once_whatever_happens)
{
    vsdk_serial_config s = {.size = sizeof s, .user = &got, .release = release};
    vsdk_debug_console_config d = {.size = sizeof d, .user = &got, .release = release};
    vsdk_device *device;
    uint32_t want = 0;

    s.flags = d.flags = 1;
    vsdk_serial_create(&vm, &s, &device, NULL);
    vsdk_debug_console_create(&vm, &d, &device, NULL);
    cr_assert(eq(u32, released, want += 2));
    s.flags = d.flags = 0;
    vsdk_serial_create(NULL, &s, &device, NULL);
    vsdk_debug_console_create(NULL, &d, &device, NULL);
    cr_assert(eq(u32, released, want += 2));
    for (uint32_t n = 1; n <= 2; n++) {
        vm.fail = n;
        cr_assert(vsdk_serial_create(&vm, &s, &device, NULL) != VSDK_OK);
        vm.fail = n;
        cr_assert(vsdk_debug_console_create(&vm, &d, &device, NULL) != VSDK_OK);
        cr_assert(eq(u32, released, want += 2));
    }
    s.gsi = 1024;
    cr_assert(eq(i32, vsdk_serial_create(&vm, &s, &device, NULL), VSDK_ERROR_LIMIT));
    cr_assert(eq(u32, released, want + 1));
}

Test(constructors, values_out_of_range)
{
    vsdk_acpi_pm_config pm = {.size = sizeof pm, .kind = 3};
    vsdk_ioapic_config io = {.size = sizeof io, .id = 16};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_acpi_pm_create(&vm, &pm, &device, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_ioapic_create(&vm, &io, &device, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    io.id = 0;
    io.first_gsi = 1001;
    cr_assert(eq(i32, vsdk_ioapic_create(&vm, &io, &device, NULL), VSDK_ERROR_LIMIT));
}
