/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"
#include "devices/rtc.h"

enum { RTC_PORT = 0x70, RTC_GSI = 8, HOURS_PM = 0x80 };
/* Before each second, while the registers are about to change and change: 244 us and 1984. */
enum { UPDATE_NS = 2228000 };

static uint8_t rtc_encode(const rtc *clock, int value)
{
    if (clock->memory[RTC_B] & B_BINARY)
        return (uint8_t)value;
    return (uint8_t)(value / 10 << 4 | value % 10);
}

int rtc_decode(const rtc *clock, uint8_t byte)
{
    return clock->memory[RTC_B] & B_BINARY ? byte : (byte >> 4) * 10 + (byte & 15);
}

static uint8_t rtc_encode_hours(const rtc *clock, int hours)
{
    if (clock->memory[RTC_B] & B_24_HOURS)
        return rtc_encode(clock, hours);
    return rtc_encode(clock, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? HOURS_PM : 0);
}

int rtc_decode_hours(const rtc *clock, uint8_t byte)
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

struct timespec rtc_now(const rtc *clock)
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
    rtc_forget(clock);
}

static uint8_t rtc_get(rtc *clock)
{
    int setting = clock->memory[RTC_B] & B_SET;

    if (clock->index == RTC_A)
        return clock->memory[RTC_A] |
               (!setting && rtc_now(clock).tv_nsec >= 1000000000 - UPDATE_NS ? A_UPDATING : 0);
    if (clock->index == RTC_C)
        return rtc_take_events(clock);
    if (rtc_is_time(clock->index) && !setting)
        rtc_latch(clock);
    return clock->memory[clock->index];
}

static void rtc_set_b(rtc *clock, uint8_t value)
{
    uint8_t old = clock->memory[RTC_B];

    if (!(old & B_SET))
        rtc_latch(clock);
    clock->memory[RTC_B] = value & B_SET ? value & ~RTC_UPDATE : value;
    if (old & B_SET && !(value & B_SET))
        rtc_adopt(clock);
}

static void rtc_set_plain(rtc *clock, uint8_t value)
{
    int running = rtc_is_time(clock->index) && !(clock->memory[RTC_B] & B_SET);

    if (running)
        rtc_latch(clock);
    clock->memory[clock->index] = value;
    if (running)
        rtc_adopt(clock);
}

static void rtc_set(rtc *clock, uint8_t value)
{
    rtc_notice(clock);
    switch (clock->index) {
    case RTC_A:
        clock->memory[RTC_A] = value & ~A_UPDATING;
        rtc_forget(clock);
        break;
    case RTC_B:
        rtc_set_b(clock, value);
        break;
    case RTC_C:
    case RTC_D:
        break;
    default:
        rtc_set_plain(clock, value);
    }
    rtc_settle(clock);
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

static void rtc_release(void *user)
{
    rtc *clock = user;

    vsdk_timer_close(clock->timer);
    vsdk_irq_close(clock->irq);
    alloc_free(clock);
}

static const vsdk_device_ops rtc_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = rtc_read,
    .write = rtc_write,
    .release = rtc_release,
};

static vsdk_status rtc_make(vsdk_vm *vm, const vsdk_rtc_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    vsdk_device_config make = {.size = sizeof make, .name = "rtc"};
    device_range range = {VSDK_SPACE_PIO, config->address ? config->address : RTC_PORT, 2, 0};
    rtc *clock = alloc_zeroed(sizeof *clock);
    vsdk_status status;

    if (!clock)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_rtc_create", "no memory for a device");
    clock->vm = vm;
    clock->memory[RTC_A] = A_DIVIDER;
    clock->memory[RTC_B] = B_24_HOURS;
    clock->memory[RTC_D] = D_VALID;
    rtc_forget(clock);
    status = vsdk_irq_create(vm, config->gsi ? config->gsi : RTC_GSI, &clock->irq, error);
    if (status) {
        rtc_release(clock);
        return status;
    }
    status = device_make(vm, &rtc_ops, clock, &make, &range, 1, device, error);
    if (status)
        return status;
    vsdk_device_lock(*device);
    clock->device = *device;
    vsdk_device_unlock(*device);
    return VSDK_OK;
}

vsdk_status vsdk_rtc_create(vsdk_vm *vm, const vsdk_rtc_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    vsdk_rtc_config c;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_rtc_config, reserved), config,
                                    __func__, error);
    return status ? status : rtc_make(vm, &c, device, error);
}
