/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on lengths and addresses that cannot wrap unnoticed. Each returns 1 when the result is
 * valid and stored, 0 otherwise. */
#ifndef VSDK_BASE_CHECKED_H
#define VSDK_BASE_CHECKED_H

#include <stdint.h>

static inline int checked_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

/* For moments: the end of time where the sum would wrap. */
static inline uint64_t add_capped(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return checked_add(a, b, &sum) ? sum : UINT64_MAX;
}

/* [start, start + length) lies within [0, limit); length may be 0. */
static inline int checked_within(uint64_t start, uint64_t length, uint64_t limit)
{
    return start <= limit && length <= limit - start;
}

/* Two non-empty ranges overlap; neither may wrap. */
static inline int ranges_overlap(uint64_t a, uint64_t a_length, uint64_t b, uint64_t b_length)
{
    return a <= b ? b - a < a_length : a - b < b_length;
}

#endif
