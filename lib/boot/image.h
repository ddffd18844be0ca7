/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an image that is not trusted: every read names offset and length, and one that leaves the
 * image fails. Values are little-endian. */
#ifndef VSDK_BOOT_IMAGE_H
#define VSDK_BOOT_IMAGE_H

#include <stdint.h>

typedef struct image {
    const uint8_t *bytes;
    uint64_t length;
} image;

/* Where `length` bytes at `offset` are, or NULL. */
const uint8_t *image_at(const image *i, uint64_t offset, uint64_t length);

/* A copy; 1 when it lies inside. */
int image_read(const image *i, uint64_t offset, void *to, uint64_t length);

/* A value, 0 when it is outside. */
uint8_t image_u8(const image *i, uint64_t offset);
uint16_t image_u16(const image *i, uint64_t offset);
uint32_t image_u32(const image *i, uint64_t offset);
uint64_t image_u64(const image *i, uint64_t offset);

#endif
