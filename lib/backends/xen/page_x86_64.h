/* SPDX-License-Identifier: Apache-2.0 */
/* Clearing, copying and looking at pages of guest memory: much of it at a time, and not soon needed
 * by this processor, so past its caches. */
#ifndef VSDK_XEN_PAGE_X86_64_H
#define VSDK_XEN_PAGE_X86_64_H

#include <emmintrin.h>
#include <stdint.h>

enum { PAGE_PIECES = 4096 / sizeof(__m128i) };

static inline void page_clear(uint8_t *page)
{
    __m128i *to = (__m128i *)page;

    for (unsigned i = 0; i < PAGE_PIECES; i++)
        _mm_stream_si128(to + i, _mm_setzero_si128());
}

static inline void page_copy(uint8_t *page, const uint8_t *source)
{
    __m128i *to = (__m128i *)page;
    const __m128i *from = (const __m128i *)source;

    for (unsigned i = 0; i < PAGE_PIECES; i++)
        _mm_stream_si128(to + i, _mm_load_si128(from + i));
}

static inline int page_is_clear(const uint8_t *page)
{
    const __m128i *from = (const __m128i *)page;
    __m128i any = _mm_setzero_si128();

    for (unsigned i = 0; i < PAGE_PIECES; i++)
        any = _mm_or_si128(any, _mm_load_si128(from + i));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) == 0xffff;
}

static inline void page_done(void)
{
    _mm_sfence();
}

#endif
