/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as bits of an array that doubles. The lowest free one is given, so that they stay small:
 * hypervisors have tables of them. */
#include "core/numbers.h"
#include "base/alloc.h"
#include "base/bits.h"

static int make_room(numbers *n)
{
    uint32_t words = n->words ? 2 * n->words : 1;
    uint64_t *taken = alloc_array(words, sizeof *taken);

    if (!taken)
        return 0;
    for (uint32_t i = 0; i < n->words; i++)
        taken[i] = n->taken[i];
    alloc_free(n->taken);
    n->taken = taken;
    n->words = words;
    return 1;
}

int numbers_take(numbers *n, uint32_t *number)
{
    uint32_t word = n->free_word;

    while (word < n->words && n->taken[word] == UINT64_MAX)
        word++;
    if (word == n->words && !make_room(n))
        return 0;
    uint32_t bit = (uint32_t)__builtin_ctzll(~n->taken[word]);
    n->taken[word] |= UINT64_C(1) << bit;
    n->free_word = word;
    *number = BITS_A_WORD * word + bit;
    return 1;
}

/* Searches begin where the lowest free one may be. */
void numbers_give(numbers *n, uint32_t number)
{
    uint32_t word = number / BITS_A_WORD;

    n->taken[word] &= ~(UINT64_C(1) << number % BITS_A_WORD);
    if (word < n->free_word)
        n->free_word = word;
}

void numbers_free(numbers *n)
{
    alloc_free(n->taken);
    *n = (numbers){.taken = NULL};
}
