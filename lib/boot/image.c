/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where bytes of an image are read: everything else asks here, with offset and
 * length. */
#include "boot/image.h"

#include "base/checked.h"
#include <string.h>

const uint8_t *image_at(const image *i, uint64_t offset, uint64_t length)
{
    return checked_within(offset, length, i->length) ? i->bytes + offset : NULL;
}

int image_read(const image *i, uint64_t offset, void *to, uint64_t length)
{
    const uint8_t *from = image_at(i, offset, length);

    if (from && length)
        memcpy(to, from, length);
    return !!from;
}

uint8_t image_u8(const image *i, uint64_t offset)
{
    uint8_t value = 0;

    image_read(i, offset, &value, sizeof value);
    return value;
}

uint16_t image_u16(const image *i, uint64_t offset)
{
    uint16_t value = 0;

    image_read(i, offset, &value, sizeof value);
    return value;
}

uint32_t image_u32(const image *i, uint64_t offset)
{
    uint32_t value = 0;

    image_read(i, offset, &value, sizeof value);
    return value;
}

uint64_t image_u64(const image *i, uint64_t offset)
{
    uint64_t value = 0;

    image_read(i, offset, &value, sizeof value);
    return value;
}
