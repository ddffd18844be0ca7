/* SPDX-License-Identifier: Apache-2.0 */
/* Raw disks: the bytes of a file or block device as they are. A file whose length is no multiple of
 * 512 has a last sector that ends in zeros; a write there makes the file as long as the disk. */
#include "base/error.h"
#include "disk/format.h"
#include <string.h>

/* Whatever else is surer. */
static int raw_probe(disk_file *file, const uint8_t *head, size_t length)
{
    (void)file, (void)head, (void)length;
    return 1;
}

static vsdk_status raw_open(disk_image *image, vsdk_error *error)
{
    uint64_t length = file_length(image->file);

    if (!length)
        return error_set(error, VSDK_ERROR_FORMAT, "vsdk_disk_open", "%s is empty",
                         file_name(image->file));
    if (length > INT64_MAX - DISK_SECTOR)
        return error_set(error, VSDK_ERROR_FORMAT, "vsdk_disk_open", "%s is too long",
                         file_name(image->file));
    atomic_store(&image->capacity, (length + DISK_SECTOR - 1) & ~(uint64_t)(DISK_SECTOR - 1));
    if (file_alignment(image->file) > DISK_SECTOR)
        image->block_size = file_alignment(image->file);
    return VSDK_OK;
}

/* How many of these bytes the file has: all, unless they reach into a last sector that it has a
 * part of. A file that became shorter than that is told by the read. */
static uint64_t in_file(const disk_image *image, uint64_t offset, uint64_t length)
{
    uint64_t end = file_length(image->file), capacity = atomic_load(&image->capacity);

    if (offset + length <= end || capacity - end >= DISK_SECTOR)
        return length;
    return offset < end ? end - offset : 0;
}

static vsdk_status raw_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                            vsdk_error *error)
{
    uint64_t there = in_file(image, offset, length);

    memset((char *)buffer + there, 0, (size_t)(length - there));
    return file_read(image->file, offset, buffer, there, error);
}

static vsdk_status raw_write(disk_image *image, uint64_t offset, const void *buffer,
                             uint64_t length, vsdk_error *error)
{
    return file_write(image->file, offset, buffer, length, error);
}

/* One call to the host for all pieces, but in that last sector. */
static vsdk_status raw_read_pieces(disk_image *image, uint64_t offset,
                                   const vsdk_disk_buffer *pieces, uint32_t count, uint64_t length,
                                   vsdk_error *error)
{
    if (in_file(image, offset, length) == length)
        return file_read_pieces(image->file, offset, pieces, count, length, error);
    vsdk_status status = VSDK_OK;
    for (uint32_t i = 0; !status && i < count; offset += pieces[i++].length)
        status = raw_read(image, offset, pieces[i].data, pieces[i].length, error);
    return status;
}

static vsdk_status raw_write_pieces(disk_image *image, uint64_t offset,
                                    const vsdk_disk_buffer *pieces, uint32_t count, uint64_t length,
                                    vsdk_error *error)
{
    return file_write_pieces(image->file, offset, pieces, count, length, error);
}

static vsdk_status raw_zero(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                            vsdk_error *error)
{
    if (flags & DISK_ZERO_MAY_UNMAP && !file_punch(image->file, offset, length, NULL))
        return VSDK_OK;
    return file_zero(image->file, offset, length, error);
}

/* Where the host can't have holes the bytes stay. */
static vsdk_status raw_discard(disk_image *image, uint64_t offset, uint64_t length,
                               vsdk_error *error)
{
    vsdk_error why;
    vsdk_status status = file_punch(image->file, offset, length, &why);

    if (status == VSDK_ERROR_UNSUPPORTED)
        return VSDK_OK;
    if (status && error)
        *error = why;
    return status;
}

static vsdk_status raw_flush(disk_image *image, vsdk_error *error)
{
    return file_flush(image->file, error);
}

/* A block device is what it is: somebody made it larger, and this looks at it. */
static vsdk_status raw_resize(disk_image *image, uint64_t capacity, vsdk_error *error)
{
    vsdk_status status = file_look_again(image->file, error);

    if (!status && file_length(image->file) != capacity)
        status = file_set_length(image->file, capacity, error);
    if (!status)
        atomic_store(&image->capacity, capacity);
    return status;
}

/* A hole reads as zeros, and a copy need not read it. */
static vsdk_status raw_map(disk_image *image, uint64_t offset, uint64_t length, disk_extent *extent,
                           vsdk_error *error)
{
    (void)error;
    extent->kind = file_is_hole(image->file, offset, length, &extent->length) ? DISK_EXTENT_ZERO
                                                                              : DISK_EXTENT_DATA;
    extent->file = image->file;
    extent->file_offset = offset;
    return VSDK_OK;
}

static vsdk_status raw_create(disk_file *file, const disk_create_options *options,
                              vsdk_error *error)
{
    if (options->backing || options->cluster_size ||
        options->flags & ~(uint32_t)VSDK_DISK_PREALLOCATE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_disk_create_image",
                         "a raw image has no backing file, no clusters, no reference counts");
    vsdk_status status = file_set_length(file, options->capacity, error);
    if (!status && options->flags & VSDK_DISK_PREALLOCATE)
        status = file_allocate(file, options->capacity, error);
    return status;
}

const disk_format disk_raw_format = {
    .name = "raw",
    .id = VSDK_DISK_RAW,
    .probe = raw_probe,
    .open = raw_open,
    .read = raw_read,
    .write = raw_write,
    .zero = raw_zero,
    .discard = raw_discard,
    .flush = raw_flush,
    .resize = raw_resize,
    .map = raw_map,
    .create = raw_create,
    .read_pieces = raw_read_pieces,
    .write_pieces = raw_write_pieces,
};
