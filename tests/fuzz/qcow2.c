/* SPDX-License-Identifier: Apache-2.0 */
/* A qcow2 image of the fuzzer's bytes, in memory: opened to be read and to be written, read,
 * written, discarded, resized, checked and mended. The last bytes of an input choose the offsets.
 * Images may be as wrong as they like; nothing is written past the file's limit, and an image that
 * a check calls clean still is after it was written. */
#include "qcow2_rig.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 72, LIMIT = 1 << 20, PIECE = 65536, TAIL = 16, TURNS = 8 };

static uint8_t buffer[PIECE];

/* A range of the image, from two bytes. */
static uint64_t range_of(disk_image *image, const uint8_t *bytes, uint64_t *length)
{
    uint64_t sectors = image->capacity / 512;
    uint64_t first = sectors ? ((uint64_t)bytes[0] << 8 | bytes[1]) % sectors : 0;

    if (bytes[0] >= 0xf0 && sectors)
        first = sectors - 1 - first % (sectors < 256 ? sectors : 256);
    *length = (1 + (bytes[1] & 127)) * UINT64_C(512);
    if (*length > (sectors - first) * 512)
        *length = (sectors - first) * 512;
    return first * 512;
}

static void use(disk_image *image, const uint8_t *tail, int writes)
{
    for (unsigned i = 0; i < TURNS; i++) {
        uint64_t length, offset = range_of(image, tail + i % (TAIL - 1), &length);
        disk_extent extent;
        if (!length)
            return;
        image->format->read(image, offset, buffer, length, NULL);
        image->format->map(image, offset, length, &extent, NULL);
        if (!writes)
            continue;
        memset(buffer, 0x5a, length);
        image->format->write(image, offset, buffer, length, NULL);
        if (tail[i] & 1)
            image->format->zero(image, offset, length, tail[i] >> 1 & 1, NULL);
        if (tail[i] & 4)
            image->format->discard(image, offset, length, NULL);
        if (tail[i] & 8)
            image->format->flush(image, NULL);
        if ((tail[i] & 0x70) == 0x70)
            image->format->resize(image, (1 + tail[i + 1]) * UINT64_C(4096), NULL);
    }
}

/* Bitmaps, which are not valid any more after a write, leak. And where two entries had one cluster,
 * the one that is left does not know that it has it alone. */
static int is_clean(disk_image *image, vsdk_disk_check_flags flags)
{
    vsdk_disk_report report = {0};

    return !image->format->check(image, flags, &report, NULL) &&
           (!report.errors || strstr(report.first, "bit 63"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    vsdk_error error;
    disk_image *image;

    if (length < LEAST + TAIL)
        return 0;
    const uint8_t *tail = bytes + length - TAIL;
    disk_file *file = rig_file_of(bytes, length - TAIL);
    rig_limit(file, LIMIT);
    rig_name("b", file, VSDK_DISK_QCOW2);
    if (!rig_open(file, DISK_IMAGE_READ_ONLY, &image, &error)) {
        use(image, tail, 0);
        is_clean(image, 0);
        rig_close(image);
    }
    if (!rig_open(file, 0, &image, &error)) {
        int writes = !(image->flags & DISK_IMAGE_READ_ONLY);
        int clean = writes && is_clean(image, tail[0] & 1 ? VSDK_DISK_REPAIR : 0);
        /* An image on itself changes while it is its own backing: no promise holds there. */
        clean = clean && !image->backing;
        use(image, tail, writes);
        if (clean && !is_clean(image, 0))
            abort();
        rig_close(image);
    }
    rig_file_free(file);
    return 0;
}
