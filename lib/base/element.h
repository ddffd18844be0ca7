/* SPDX-License-Identifier: Apache-2.0 */
/* One element of an access: 1, 2, 4 or 8 bytes, lowest first, where they lie. One byte is what a
 * guest's port mostly is. */
#ifndef VSDK_BASE_ELEMENT_H
#define VSDK_BASE_ELEMENT_H

#include <stdint.h>
#include <string.h>

static inline void element_copy(void *to, const void *from, uint32_t width)
{
    if (__builtin_expect(width == 1, 1))
        memcpy(to, from, 1);
    else if (width == 4)
        memcpy(to, from, 4);
    else if (width == 2)
        memcpy(to, from, 2);
    else
        memcpy(to, from, 8);
}

/* Zero-extended. */
static inline uint64_t element_get(const void *data, uint32_t width)
{
    uint64_t value = 0;

    element_copy(&value, data, width);
    return value;
}

#endif
