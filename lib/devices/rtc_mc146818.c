/* SPDX-License-Identifier: Apache-2.0 */
/* The CMOS clock's registers. The time is never kept: it is the host's with the difference that the
 * guest made, put into the registers when somebody looks. */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"
#include "devices/rtc.h"
#include <string.h>

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

static uint64_t rtc_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    rtc *clock = user;

    return access->offset == 0 ? clock->index : rtc_get(clock);
}

static void rtc_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    rtc *clock = user;

    if (access->offset == 0)
        clock->index = access->value & (RTC_BYTES - 1);
    if (access->width == 2)
        rtc_set(clock, (uint8_t)(access->value >> 8));
    else if (access->offset == 1)
        rtc_set(clock, (uint8_t)access->value);
}

/* Wall time went on while the guest stood: what happened then is noticed, and the timer is set. */
static void rtc_start(void *user, vsdk_device *device)
{
    rtc *clock = user;

    rtc_notice(clock);
    rtc_settle(clock);
}

static void rtc_power_on(rtc *clock)
{
    memset(clock->memory, 0, sizeof clock->memory);
    clock->index = 0;
    clock->memory[RTC_A] = A_DIVIDER;
    clock->memory[RTC_B] = B_24_HOURS;
    clock->memory[RTC_D] = D_VALID;
    rtc_forget(clock);
}

/* A battery keeps the time and the memory; what a reset clears is B's enables, C and the line. */
static void rtc_reset(void *user, vsdk_device *device)
{
    rtc *clock = user;

    clock->index = 0;
    clock->memory[RTC_B] &= (uint8_t) ~(B_SET | RTC_EVENTS);
    clock->memory[RTC_C] = 0;
    vsdk_irq_lower(clock->irq, NULL);
    vsdk_timer_disarm(clock->timer, NULL);
    rtc_forget(clock);
}

static vsdk_status rtc_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                            vsdk_error *error)
{
    const rtc *clock = user;
    vsdk_status status = vsdk_state_put_number(writer, "index", clock->index, error);

    if (!status)
        status = vsdk_state_put_bytes(writer, "memory", clock->memory, RTC_BYTES, error);
    if (!status)
        status = vsdk_state_put_number(writer, "offset", (uint64_t)clock->offset, error);
    if (!status)
        status = vsdk_state_put_number(writer, "second", (uint64_t)clock->second, error);
    return status ? status : vsdk_state_put_number(writer, "period", clock->period, error);
}

/* The guest's time may be any that fits: it is the host's with an offset. */
enum { YEARS = 100000 };

static vsdk_status rtc_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                            vsdk_error *error)
{
    const int64_t most = INT64_C(86400) * 366 * YEARS;
    rtc *clock = user, loaded = *clock;
    uint64_t index, length, offset, second;
    vsdk_status status = vsdk_state_get_number(reader, "index", RTC_BYTES - 1, &index, error);

    if (!status)
        status = vsdk_state_get_bytes(reader, "memory", loaded.memory, RTC_BYTES, &length, error);
    if (!status)
        status = vsdk_state_get_number(reader, "offset", UINT64_MAX, &offset, error);
    if (!status)
        status = vsdk_state_get_number(reader, "second", UINT64_MAX, &second, error);
    if (!status)
        status = vsdk_state_get_number(reader, "period", UINT64_MAX, &loaded.period, error);
    if (status)
        return status;
    loaded.index = (uint8_t)index;
    loaded.offset = (int64_t)offset;
    loaded.second = (int64_t)second;
    if (length != RTC_BYTES || loaded.offset > most || loaded.offset < -most ||
        loaded.second > most || loaded.second < -most)
        return error_set(error, VSDK_ERROR_FORMAT, "vsdk_device_load",
                         "the memory is not whole, or the time is out of range");
    *clock = loaded;
    return VSDK_OK;
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
    .start = rtc_start,
    .reset = rtc_reset,
    .save = rtc_save,
    .load = rtc_load,
    .release = rtc_release,
};

/* The device first, so that line and timer are its own; then its range, which lets a guest reach
 * it.
 */
vsdk_status vsdk_rtc_create(vsdk_vm *vm, const vsdk_rtc_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    vsdk_device_config make = {.size = sizeof make, .name = "rtc"};
    vsdk_device *made = NULL;
    vsdk_rtc_config c;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_rtc_config, reserved), config,
                                    __func__, error);
    if (status)
        return status;
    rtc *clock = alloc_zeroed(sizeof *clock);
    if (!clock)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a device");
    status = vsdk_device_create(vm, &rtc_ops, clock, &make, &made, error);
    if (status)
        return status;
    clock->device = made;
    rtc_power_on(clock);
    vsdk_irq_config line = {.size = sizeof line, .gsi = c.gsi ? c.gsi : RTC_GSI, .device = made};
    status = vsdk_irq_create(vm, &line, &clock->irq, error);
    if (!status)
        status = vsdk_device_add_range(made, VSDK_SPACE_PIO, c.address ? c.address : RTC_PORT, 2, 0,
                                       error);
    if (status) {
        vsdk_device_close(made);
        return status;
    }
    *device = made;
    return VSDK_OK;
}
