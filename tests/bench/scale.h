/* SPDX-License-Identifier: Apache-2.0 */
/* What grows: the same operation with few and with many devices, slots or watches there. */
#ifndef TESTS_BENCH_SCALE_H
#define TESTS_BENCH_SCALE_H

#include <stddef.h>

/* pause, map, watch or attach, with `n` there: microseconds an operation, ours and raw (null where
 * there is no such thing), one JSON object on a line. 0, or 2 for another name. */
int scale_time(const char *what, const char *backend, size_t n, size_t rounds);
/* Ours alone, so many times: for callgrind. */
int scale_only(const char *what, size_t n, size_t operations);

#endif
