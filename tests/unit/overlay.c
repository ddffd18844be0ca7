/* SPDX-License-Identifier: Apache-2.0 */
/* The overlay in memory above a qcow2 image: random operations beside plain bytes, its limit, and
 * that the layer below is never written. */
#include "disk/overlay.h"
#include "qcow2_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 6 << 20, MOST_PIECE = 3 << 20, STEPS = 3000 };

static uint64_t random_state = 1;

static uint64_t chance(uint64_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % below;
}

/* An image with a pattern in it, and the pattern. */
static disk_file *below_make(uint8_t *pattern)
{
    disk_create_options options = {.capacity = CAPACITY, .cluster_size = 4096};
    disk_file *file = rig_file();
    disk_image *image;

    for (uint64_t i = 0; i < CAPACITY; i++)
        pattern[i] = i / 65536 % 3 ? (uint8_t)(i * 7 + i / 512) : 0;
    cr_assert(!disk_qcow2_format.create(file, &options, NULL));
    cr_assert(!rig_open(file, 0, &image, NULL));
    cr_assert(!image->format->write(image, 0, pattern, CAPACITY, NULL));
    rig_close(image);
    return file;
}

static disk_image *overlay_open(disk_file *file, uint64_t most)
{
    disk_image *below, *image;

    cr_assert(!rig_open(file, DISK_IMAGE_READ_ONLY, &below, NULL));
    cr_assert(!overlay_make(below, most, &image, NULL));
    return image;
}

static void expect_bytes(disk_image *image, const uint8_t *model, uint64_t offset, uint64_t length,
                         uint8_t *buffer)
{
    cr_assert(!image->format->read(image, offset, buffer, length, NULL));
    cr_assert(!memcmp(buffer, model + offset, length), "at %llu", (unsigned long long)offset);
}

static void one_step(disk_image *image, uint8_t *model, uint8_t *buffer)
{
    uint64_t capacity = image->capacity, most = chance(4) ? 16384 : MOST_PIECE;
    uint64_t offset = chance(capacity / 512) * 512, length = (1 + chance(most / 512)) * 512;

    if (length > capacity - offset)
        length = capacity - offset;
    switch (chance(6)) {
    case 0:
    case 1:
        memset(buffer, (int)chance(256), length);
        cr_assert(!image->format->write(image, offset, buffer, length, NULL));
        memcpy(model + offset, buffer, length);
        break;
    case 2:
        cr_assert(!image->format->zero(image, offset, length, 0, NULL));
        memset(model + offset, 0, length);
        break;
    case 3:
        cr_assert(!image->format->discard(image, offset, length, NULL));
        cr_assert(!image->format->read(image, offset, buffer, length, NULL));
        for (uint64_t i = 0; i < length; i++)
            if (!buffer[i])
                model[offset + i] = 0;
        break;
    case 4:
        length = (1 + chance(CAPACITY / 512)) * 512;
        if (chance(20))
            break;
        cr_assert(!image->format->resize(image, length, NULL));
        if (length < CAPACITY)
            memset(model + length, 0, CAPACITY - length);
        break;
    default:
        expect_bytes(image, model, offset, length, buffer);
    }
}

Test(overlay, random_operations_are_as_in_plain_bytes)
{
    uint8_t *pattern = malloc(CAPACITY), *model = malloc(CAPACITY), *buffer = malloc(CAPACITY);
    cr_assert(pattern && model && buffer);
    disk_file *file = below_make(pattern);
    uint64_t writes = rig_writes(file);

    for (int round = 0; round < 4; round++) {
        disk_image *image = overlay_open(file, 64 << 20);
        memcpy(model, pattern, CAPACITY);
        for (int i = 0; i < STEPS / 4; i++)
            one_step(image, model, buffer);
        expect_bytes(image, model, 0, image->capacity, buffer);
        rig_close(image);
    }
    cr_assert_eq(rig_writes(file), writes, "the layer below was written");
    rig_file_free(file);
    free(pattern);
    free(model);
    free(buffer);
}

Test(overlay, its_memory_is_limited_and_comes_back)
{
    uint8_t *pattern = malloc(CAPACITY), *buffer = calloc(1, CAPACITY);
    vsdk_error error = {0};
    cr_assert(pattern && buffer);
    disk_file *file = below_make(pattern);
    disk_image *image = overlay_open(file, 1 << 20);

    memset(buffer, 9, CAPACITY);
    cr_assert_eq(image->format->write(image, 0, buffer, CAPACITY, &error), VSDK_ERROR_LIMIT);
    cr_assert(strstr(error.message, "1048576"), "%s", error.message);
    cr_assert_leq(image->format->allocated(image), 1 << 20);
    cr_assert_gt(image->format->allocated(image), (1 << 20) - 16384);
    /* What did not fit is as it was; the rest is there. */
    expect_bytes(image, pattern, CAPACITY - 65536, 65536, buffer);
    memset(buffer, 9, CAPACITY);
    uint8_t *read = malloc(65536);
    cr_assert(read);
    expect_bytes(image, buffer, 0, 65536, read);
    /* Zeros give the memory back. */
    cr_assert(!image->format->zero(image, 0, CAPACITY, DISK_ZERO_MAY_UNMAP, NULL));
    cr_assert_leq(image->format->allocated(image), 4096);
    cr_assert(!image->format->write(image, 512, buffer, 65536, &error), "%s", error.message);
    rig_close(image);
    rig_file_free(file);
    free(read);
    free(pattern);
    free(buffer);
}
