/* SPDX-License-Identifier: Apache-2.0 */
/* Layers as the core of the room makes and ends them. */
#ifndef VSDK_DISK_IMAGE_H
#define VSDK_DISK_IMAGE_H

#include "disk/format.h"

/* What the embedder allowed, for all layers of one disk. */
struct disk_context {
    char **allowed;
    uint32_t allowed_count;
    uint32_t file_flags; /* of each further file: DISK_FILE_DIRECT, UNSAFE, NO_LOCK */
};

vsdk_status disk_context_fill(disk_context *context, const char *const *allowed, uint32_t count,
                              vsdk_error *error);
void disk_context_clear(disk_context *context);

/* The surest format. */
vsdk_status disk_format_probe(disk_file *file, const disk_format **found, vsdk_error *error);
/* A layer on a file, which is the layer's from here on, on failure too; NULL for AUTO. */
vsdk_status disk_image_open(const disk_context *context, disk_file *file, const disk_format *format,
                            uint32_t flags, uint32_t depth, disk_image **image, vsdk_error *error);
/* By the format's write. */
vsdk_status disk_image_write_zeros(disk_image *image, uint64_t offset, uint64_t length,
                                   vsdk_error *error);

#endif
