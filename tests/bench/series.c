/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of measurements and their statistics: medians and order statistics only, as a few outliers
 * of a shared machine would decide a mean. */
#include "series.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

double series_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

double series_thread_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static double *room(size_t count)
{
    double *values = calloc(count, sizeof *values);
    if (!values)
        abort();
    return values;
}

/* Ours comes first, second and third in turn, so that what the one leaves behind for the next
 * (caches, freed memory) falls on all alike. */
series series_take(size_t pairs, size_t warm_up, series_fn ours, series_fn raw, series_fn again,
                   void *user)
{
    const series_fn fn[3] = {ours, raw, again};
    series s = {pairs, room(pairs), room(pairs), room(pairs)};
    for (size_t i = 0; i < warm_up + pairs; i++) {
        double value[3];
        for (size_t k = 0; k < 3; k++) {
            size_t which = (k + i) % 3;
            value[which] = fn[which](user);
        }
        if (i < warm_up)
            continue;
        s.ours[i - warm_up] = value[0];
        s.raw[i - warm_up] = value[1];
        s.again[i - warm_up] = value[2];
    }
    return s;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

typedef struct middle {
    double low, median, high;
    double least, most; /* where 95 % of the single values lie */
} middle;

static middle middle_of(const double *values, size_t count)
{
    double *sorted = room(count);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    double half = 0.98 * sqrt((double)count);
    size_t low = half < count / 2.0 ? (size_t)(count / 2.0 - half) : 0;
    size_t tail = count / 40;
    middle m = {sorted[low], sorted[count / 2], sorted[count - 1 - low], sorted[tail],
                sorted[count - 1 - tail]};
    free(sorted);
    return m;
}

static middle middle_of_ratios(const double *a, const double *b, size_t count)
{
    double *ratios = room(count);
    for (size_t i = 0; i < count; i++)
        ratios[i] = a[i] / b[i];
    middle m = middle_of(ratios, count);
    free(ratios);
    return m;
}

double series_median_difference(const series *s)
{
    double *differences = room(s->pairs);
    for (size_t i = 0; i < s->pairs; i++)
        differences[i] = s->ours[i] - s->raw[i];
    double median = middle_of(differences, s->pairs).median;
    free(differences);
    return median;
}

void series_print(series *s, const char *unit)
{
    middle ratio = middle_of_ratios(s->ours, s->raw, s->pairs);
    middle noise = middle_of_ratios(s->again, s->raw, s->pairs);
    printf("{\"unit\": \"%s\", \"ours\": %.4g, \"raw\": %.4g, \"ratio\": %.4f, \"low\": %.4f, "
           "\"high\": %.4f, \"noise\": %.4f, \"noise_low\": %.4f, \"noise_high\": %.4f, "
           "\"pair_low\": %.4f, \"pair_high\": %.4f, \"runs\": %zu}\n",
           unit, middle_of(s->ours, s->pairs).median, middle_of(s->raw, s->pairs).median,
           ratio.median, ratio.low, ratio.high, noise.median, noise.low, noise.high, noise.least,
           noise.most, s->pairs);
    fflush(stdout);
}

void series_free(series *s)
{
    free(s->ours);
    free(s->raw);
    free(s->again);
}
