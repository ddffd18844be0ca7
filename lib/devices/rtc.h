/* SPDX-License-Identifier: Apache-2.0 */
/* The clock inside: its registers (rtc_mc146818.c) and its interrupts (rtc_events.c). */
#ifndef VSDK_DEVICES_RTC_H
#define VSDK_DEVICES_RTC_H

#include <stdint.h>
#include <time.h>
#include <vsdk/device.h>
#include <vsdk/irq.h>
#include <vsdk/loop.h>

enum { RTC_BYTES = 128 };
enum {
    RTC_SECONDS = 0,
    RTC_SECONDS_ALARM = 1,
    RTC_MINUTES = 2,
    RTC_MINUTES_ALARM = 3,
    RTC_HOURS = 4,
    RTC_HOURS_ALARM = 5,
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
enum { A_RATE = 0x0f, A_DIVIDER = 0x26, A_UPDATING = 0x80 };
enum { B_24_HOURS = 2, B_BINARY = 4, B_SET = 0x80 };
/* Events: flags in C, and what enables an interrupt for each in B. */
enum { RTC_UPDATE = 0x10, RTC_ALARM = 0x20, RTC_PERIODIC = 0x40, RTC_EVENTS = 0x70 };
enum { C_REQUEST = 0x80, D_VALID = 0x80 };

typedef struct rtc {
    vsdk_device *device; /* its own, not counted; set before a guest reaches it */
    vsdk_irq *irq;
    vsdk_timer *timer; /* made when a guest first enables an interrupt */
    uint8_t index;
    uint8_t memory[RTC_BYTES]; /* the time's bytes count while B_SET only */
    int64_t offset;            /* of the guest's time from the host's, in seconds */
    int64_t second;            /* of the guest's time, up to which events were noticed */
    uint64_t period;           /* number of the period up to which they were */
} rtc;

struct timespec rtc_now(const rtc *clock);
int rtc_decode(const rtc *clock, uint8_t byte);
int rtc_decode_hours(const rtc *clock, uint8_t byte);

/* Puts into C what has happened by now. Called before anything that it depends on changes. */
void rtc_notice(rtc *clock);
/* What happened is over, whatever its registers say. */
void rtc_forget(rtc *clock);
/* Brings the line to what B and C say, and the timer to the next event that would change it. */
void rtc_settle(rtc *clock);
/* C, which reading clears. */
uint8_t rtc_take_events(rtc *clock);

#endif
