/* SPDX-License-Identifier: Apache-2.0 */
/* The clock's interrupts. What has happened is worked out from the time when somebody looks; a
 * timer looks only while the guest waits for an interrupt and has none outstanding, so that a guest
 * that does not answer costs nothing. */
#include "devices/rtc.h"

enum { DAY = 24 * 3600, HOUR = 3600, MINUTE = 60, SECOND_NS = 1000000000, OSCILLATOR_HZ = 32768 };
enum { ALARM_ANY = 0xc0 };

static int alarm_is(uint8_t byte, int wanted, int64_t value)
{
    return (byte & ALARM_ANY) == ALARM_ANY || wanted == value;
}

static int alarm_at(const rtc *clock, int64_t second)
{
    const uint8_t *m = clock->memory;
    uint8_t s = m[RTC_SECONDS_ALARM], min = m[RTC_MINUTES_ALARM], h = m[RTC_HOURS_ALARM];
    int64_t of_day = (second % DAY + DAY) % DAY;

    return alarm_is(s, rtc_decode(clock, s), of_day % MINUTE) &&
           alarm_is(min, rtc_decode(clock, min), of_day / MINUTE % MINUTE) &&
           alarm_is(h, rtc_decode_hours(clock, h), of_day / HOUR);
}

/* After one second, up to another. A day has every time that there is. */
static int alarm_between(const rtc *clock, int64_t after, int64_t until)
{
    int64_t second = until - after > DAY ? until - DAY : after;

    while (++second <= until)
        if (alarm_at(clock, second))
            return 1;
    return 0;
}

/* A period is this many ticks of the oscillator, as a power of two; 0 for none. */
static uint32_t period_shift(const rtc *clock)
{
    uint32_t rate = clock->memory[RTC_A] & A_RATE;

    return !rate ? 0 : rate < 3 ? rate + 6 : rate - 1;
}

static uint64_t period_now(const rtc *clock)
{
    uint64_t ns = vsdk_vm_clock(vsdk_device_vm(clock->device)), shift = period_shift(clock);

    if (!shift)
        return 0;
    return (ns / SECOND_NS * OSCILLATOR_HZ + ns % SECOND_NS * OSCILLATOR_HZ / SECOND_NS) >> shift;
}

/* Until the next period begins. */
static uint64_t period_left(const rtc *clock)
{
    uint64_t ticks = (period_now(clock) + 1) << period_shift(clock);
    uint64_t begins = ticks / OSCILLATOR_HZ * SECOND_NS +
                      (ticks % OSCILLATOR_HZ * SECOND_NS + OSCILLATOR_HZ - 1) / OSCILLATOR_HZ;
    uint64_t now = vsdk_vm_clock(vsdk_device_vm(clock->device));

    return begins > now ? begins - now : 0;
}

void rtc_forget(rtc *clock)
{
    clock->second = rtc_now(clock).tv_sec;
    clock->period = period_now(clock);
}

void rtc_notice(rtc *clock)
{
    int64_t second = rtc_now(clock).tv_sec;
    uint8_t *events = &clock->memory[RTC_C];

    if (!(clock->memory[RTC_B] & B_SET)) {
        if (second != clock->second)
            *events |= RTC_UPDATE;
        if (alarm_between(clock, clock->second, second))
            *events |= RTC_ALARM;
    }
    if (period_now(clock) != clock->period)
        *events |= RTC_PERIODIC;
    rtc_forget(clock);
}

static void rtc_expired(void *user, vsdk_timer *timer)
{
    rtc_notice(user);
    rtc_settle(user);
}

static int rtc_make_timer(rtc *clock)
{
    vsdk_loop *loop = clock->timer ? NULL : vsdk_vm_loop(vsdk_device_vm(clock->device), NULL);

    if (loop)
        vsdk_timer_create(loop, clock->device, rtc_expired, clock, NULL, &clock->timer, NULL);
    return clock->timer != NULL;
}

/* Until the next event of those; UINT64_MAX for never. */
static uint64_t rtc_next(const rtc *clock, uint8_t events)
{
    uint64_t next = UINT64_MAX, second = SECOND_NS - (uint64_t)rtc_now(clock).tv_nsec;

    if (events & RTC_PERIODIC && period_shift(clock))
        next = period_left(clock);
    if (events & (RTC_UPDATE | RTC_ALARM) && !(clock->memory[RTC_B] & B_SET) && second < next)
        next = second;
    return next;
}

void rtc_settle(rtc *clock)
{
    uint8_t enabled = clock->memory[RTC_B] & RTC_EVENTS;
    int request = clock->memory[RTC_C] & enabled;
    uint64_t next = request ? UINT64_MAX : rtc_next(clock, enabled);

    if (request)
        vsdk_irq_raise(clock->irq, NULL);
    else
        vsdk_irq_lower(clock->irq, NULL);
    if (next != UINT64_MAX && rtc_make_timer(clock))
        vsdk_timer_arm(clock->timer, next, 0, NULL);
    else if (clock->timer)
        vsdk_timer_disarm(clock->timer, NULL);
}

uint8_t rtc_take_events(rtc *clock)
{
    uint8_t events;

    rtc_notice(clock);
    events = clock->memory[RTC_C];
    clock->memory[RTC_C] = 0;
    rtc_settle(clock);
    return events & clock->memory[RTC_B] & RTC_EVENTS ? events | C_REQUEST : events;
}
