/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"

#include <time.h>

enum { RTC_PORT = 0x70, RTC_BYTES = 128 };
enum {
    RTC_SECONDS = 0,
    RTC_MINUTES = 2,
    RTC_HOURS = 4,
    RTC_WEEKDAY = 6,
    RTC_DAY = 7,
    RTC_MONTH = 8,
    RTC_YEAR = 9,
    RTC_A = 10,
    RTC_B = 11,
    RTC_C = 12,
    RTC_D = 13,
    RTC_CENTURY = 0x32,
};
enum { A_UPDATING = 0x80, A_DIVIDER = 0x26 };
enum { B_24_HOURS = 2, B_BINARY = 4, B_SET = 0x80 };
enum { D_VALID = 0x80, HOURS_PM = 0x80 };
enum { UPDATE_NS = 244000 }; /* before each second the registers are about to change */

typedef struct rtc {
    uint8_t index;
    uint8_t memory[RTC_BYTES]; /* the time's bytes count while B_SET only */
    int64_t offset;            /* of the guest's time from the host's, in seconds */
} rtc;

static uint8_t rtc_encode(const rtc *clock, int value)
{
    if (clock->memory[RTC_B] & B_BINARY)
        return (uint8_t)value;
    return (uint8_t)(value / 10 << 4 | value % 10);
}

static int rtc_decode(const rtc *clock, uint8_t byte)
{
    return clock->memory[RTC_B] & B_BINARY ? byte : (byte >> 4) * 10 + (byte & 15);
}

static uint8_t rtc_encode_hours(const rtc *clock, int hours)
{
    if (clock->memory[RTC_B] & B_24_HOURS)
        return rtc_encode(clock, hours);
    return rtc_encode(clock, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? HOURS_PM : 0);
}

static int rtc_decode_hours(const rtc *clock, uint8_t byte)
{
    if (clock->memory[RTC_B] & B_24_HOURS)
        return rtc_decode(clock, byte);
    return rtc_decode(clock, byte & ~HOURS_PM) % 12 + (byte & HOURS_PM ? 12 : 0);
}

static int rtc_is_time(uint8_t index)
{
    return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
           (index >= RTC_WEEKDAY && index <= RTC_YEAR) || index == RTC_CENTURY;
}

static struct timespec rtc_now(const rtc *clock)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += clock->offset;
    return now;
}

/* Puts the guest's time of now into the registers. */
static void rtc_latch(rtc *clock)
{
    struct timespec now = rtc_now(clock);
    uint8_t *m = clock->memory;
    struct tm tm;
    int year;

    if (!gmtime_r(&now.tv_sec, &tm))
        return;
    year = tm.tm_year < -1900 ? 0 : tm.tm_year + 1900; /* a guest may set month 0 of year 0 */
    m[RTC_SECONDS] = rtc_encode(clock, tm.tm_sec);
    m[RTC_MINUTES] = rtc_encode(clock, tm.tm_min);
    m[RTC_HOURS] = rtc_encode_hours(clock, tm.tm_hour);
    m[RTC_WEEKDAY] = rtc_encode(clock, tm.tm_wday + 1);
    m[RTC_DAY] = rtc_encode(clock, tm.tm_mday);
    m[RTC_MONTH] = rtc_encode(clock, tm.tm_mon + 1);
    m[RTC_YEAR] = rtc_encode(clock, year % 100);
    m[RTC_CENTURY] = rtc_encode(clock, year / 100);
}

/* Takes the time in the registers as the guest's time of now. */
static void rtc_adopt(rtc *clock)
{
    const uint8_t *m = clock->memory;
    struct tm tm = {
        .tm_sec = rtc_decode(clock, m[RTC_SECONDS]),
        .tm_min = rtc_decode(clock, m[RTC_MINUTES]),
        .tm_hour = rtc_decode_hours(clock, m[RTC_HOURS]),
        .tm_mday = rtc_decode(clock, m[RTC_DAY]),
        .tm_mon = rtc_decode(clock, m[RTC_MONTH]) - 1,
        .tm_year = rtc_decode(clock, m[RTC_CENTURY]) * 100 + rtc_decode(clock, m[RTC_YEAR]) - 1900,
    };
    time_t wanted = timegm(&tm);

    clock->offset += (int64_t)wanted - rtc_now(clock).tv_sec;
}

static uint8_t rtc_get(rtc *clock)
{
    int setting = clock->memory[RTC_B] & B_SET;

    if (clock->index == RTC_A)
        return clock->memory[RTC_A] |
               (!setting && rtc_now(clock).tv_nsec >= 1000000000 - UPDATE_NS ? A_UPDATING : 0);
    if (rtc_is_time(clock->index) && !setting)
        rtc_latch(clock);
    return clock->memory[clock->index];
}

static void rtc_set_b(rtc *clock, uint8_t value)
{
    uint8_t old = clock->memory[RTC_B];

    if (old & B_SET && !(value & B_SET)) {
        clock->memory[RTC_B] = value;
        rtc_adopt(clock);
        return;
    }
    if (!(old & B_SET))
        rtc_latch(clock);
    clock->memory[RTC_B] = value;
}

static void rtc_set(rtc *clock, uint8_t value)
{
    int running = rtc_is_time(clock->index) && !(clock->memory[RTC_B] & B_SET);

    if (clock->index == RTC_B) {
        rtc_set_b(clock, value);
        return;
    }
    if (clock->index == RTC_C || clock->index == RTC_D)
        return;
    if (running)
        rtc_latch(clock);
    clock->memory[clock->index] = clock->index == RTC_A ? value & ~A_UPDATING : value;
    if (running)
        rtc_adopt(clock);
}

static uint64_t rtc_read(void *user, uint32_t region, uint64_t offset, uint32_t width)
{
    rtc *clock = user;

    return offset == 0 ? clock->index : rtc_get(clock);
}

static void rtc_write(void *user, uint32_t region, uint64_t offset, uint32_t width, uint64_t value)
{
    rtc *clock = user;

    if (offset == 0)
        clock->index = value & (RTC_BYTES - 1);
    if (width == 2)
        rtc_set(clock, (uint8_t)(value >> 8));
    else if (offset == 1)
        rtc_set(clock, (uint8_t)value);
}

static const vsdk_device_ops rtc_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = rtc_read,
    .write = rtc_write,
    .release = alloc_free,
};

vsdk_status vsdk_rtc_create(vsdk_vm *vm, const vsdk_rtc_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    vsdk_rtc_config c;
    vsdk_device_config make = {.size = sizeof make, .name = "rtc"};
    vsdk_status status = device_begin(vm, device, __func__, error);
    rtc *clock;

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_rtc_config, reserved), config,
                                    __func__, error);
    if (status)
        return status;
    clock = alloc_zeroed(sizeof *clock);
    if (!clock)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a device");
    clock->memory[RTC_A] = A_DIVIDER;
    clock->memory[RTC_B] = B_24_HOURS;
    clock->memory[RTC_D] = D_VALID;
    device_range range = {VSDK_SPACE_PIO, c.address ? c.address : RTC_PORT, 2, 0};
    return device_make(vm, &rtc_ops, clock, &make, &range, 1, device, error);
}
