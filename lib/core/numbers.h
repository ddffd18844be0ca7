/* SPDX-License-Identifier: Apache-2.0 */
/* Small numbers that are given out and come back: the hypervisor's for mappings and messages. */
#ifndef VSDK_CORE_NUMBERS_H
#define VSDK_CORE_NUMBERS_H

#include <stdint.h>

/* All zero: none is taken. The caller serialises. */
typedef struct numbers {
    uint64_t *taken; /* a bit for each */
    uint32_t words;
    uint32_t free_word; /* no word before it has a free one */
} numbers;

/* The lowest that is free; 0 when there is no memory to note it. */
int numbers_take(numbers *n, uint32_t *number);
void numbers_give(numbers *n, uint32_t number);
void numbers_free(numbers *n);

#endif
