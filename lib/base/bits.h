/* SPDX-License-Identifier: Apache-2.0 */
/* Bitmaps that threads set and clear side by side. Who sets a bit has written what it stands for
 * before; who clears it looks at that afterwards. Each change is a read-modify-write, also where
 * the bit is as wanted already: a plain look could pass the write before it. */
#ifndef VSDK_BASE_BITS_H
#define VSDK_BASE_BITS_H

#include <stdatomic.h>
#include <stdint.h>

enum { BITS_A_WORD = 64 };

static inline uint64_t bits_words(uint64_t bits)
{
    return bits / BITS_A_WORD + (bits % BITS_A_WORD != 0);
}

/* The bits of one word from `first` on, `count` of them or as many as there are. */
static inline uint64_t bits_mask(uint64_t first, uint64_t count)
{
    uint64_t shift = first % BITS_A_WORD, most = BITS_A_WORD - shift;

    return (count >= most ? UINT64_MAX : (UINT64_C(1) << count) - 1) << shift;
}

static inline void bits_set(_Atomic uint64_t *bits, uint64_t first, uint64_t count)
{
    while (count) {
        uint64_t piece = BITS_A_WORD - first % BITS_A_WORD;
        piece = piece < count ? piece : count;
        atomic_fetch_or_explicit(&bits[first / BITS_A_WORD], bits_mask(first, piece),
                                 memory_order_release);
        first += piece;
        count -= piece;
    }
}

/* Sets those that are set in `from`, whose bit 0 stands for bit `first`. */
static inline void bits_or(_Atomic uint64_t *bits, uint64_t first, const uint64_t *from,
                           uint64_t count)
{
    uint64_t shift = first % BITS_A_WORD;
    _Atomic uint64_t *to = &bits[first / BITS_A_WORD];

    for (uint64_t i = 0; i < bits_words(count); i++) {
        uint64_t word = from[i] & bits_mask(0, count - i * BITS_A_WORD);
        if (!word)
            continue;
        atomic_fetch_or_explicit(&to[i], word << shift, memory_order_release);
        if (shift && word >> (BITS_A_WORD - shift))
            atomic_fetch_or_explicit(&to[i + 1], word >> (BITS_A_WORD - shift),
                                     memory_order_release);
    }
}

#endif
