/* SPDX-License-Identifier: Apache-2.0 */
/* Small valid images of each format, for tests to spoil. */
#ifndef VSDK_TESTS_UNIT_IMAGES_H
#define VSDK_TESTS_UNIT_IMAGES_H

#include <stdint.h>

enum { IMAGE_MOST = 8192 };

typedef struct test_image {
    uint8_t bytes[IMAGE_MOST];
    uint32_t length;
} test_image;

void image_bzimage(test_image *image); /* 2.15, loads at 1 MiB, 64 KiB of init_size */
void image_pvh64(test_image *image);   /* two segments at 1 MiB and 0x110000, a note */
void image_pvh32(test_image *image);
void image_multiboot_elf(test_image *image);    /* ELF32 at 1 MiB */
void image_multiboot_kludge(test_image *image); /* by addresses, at 0x120000, bss after it */

void image_put(test_image *image, uint64_t offset, uint64_t value, uint32_t width);

#endif
