/* SPDX-License-Identifier: Apache-2.0 */
/* The CMOS clock by its registers, on the fake. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <time.h>

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

TestSuite(rtc, .init = rig_begin, .fini = rig_end);

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

enum { NOON = 946728000 }; /* 2000-01-01 12:00:00 */

static void make_rtc_at(time_t second)
{
    stopped = (struct timespec){.tv_sec = second};
    make_rtc();
}

/* time() is behind by up to a tick of the kernel. */
static time_t wall_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

Test(rtc, tells_wall_time)
{
    time_t before = wall_time(), now;

    make_rtc();
    now = cmos_time();
    cr_assert(now >= before && now <= wall_time());
    cr_assert(eq(u8, cmos(11), 2));
    cr_assert(eq(u8, cmos(12) & ~0x10, 0)); /* a second may have ended meanwhile */
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
    make_rtc_at(NOON);
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
