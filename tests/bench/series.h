/* SPDX-License-Identifier: Apache-2.0 */
/* Paired measurements and what is told of them: the median of the ratios ours to raw with its 95 %
 * interval by order statistics, and raw to raw, measured in the same pairs, as the noise: of its
 * median, which any number of pairs makes small, and of a single pair. */
#ifndef TESTS_BENCH_SERIES_H
#define TESTS_BENCH_SERIES_H

#include <stddef.h>

typedef struct series {
    size_t pairs;
    double *ours, *raw, *again;
} series;

/* What is measured: seconds are not assumed; the row names the unit. */
typedef double (*series_fn)(void *user);

double series_now_us(void);
double series_thread_us(void); /* of this thread's own time */
/* `again` is raw once more, on a machine of its own where `raw` has one: two of them differ by
 * where their memory lies, too. */
series series_take(size_t pairs, size_t warm_up, series_fn ours, series_fn raw, series_fn again,
                   void *user);
/* One JSON object on a line. */
void series_print(series *s, const char *unit);
double series_median_difference(const series *s); /* ours less raw */
void series_free(series *s);

#endif
