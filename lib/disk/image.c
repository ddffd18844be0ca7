/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a disk. Who wrote an image chose the names in it: a name is only compared with the
 * paths that the embedder allowed, and what is opened is the allowed path, never the name. */
#include "disk/image.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys_file.h"
#include <string.h>

enum { ZEROS = 1 << 16 };

static const char no_memory[] = "no memory";

/* NULL without memory. */
static char *copy_of(const char *text)
{
    char *copy = alloc_unset(strlen(text) + 1);

    return copy ? strcpy(copy, text) : NULL;
}

/* Copied: they are needed again when a chain is opened anew. What was copied before a failure is
 * freed by the disk's end. */
vsdk_status disk_context_fill(disk_context *context, const char *const *allowed, uint32_t count,
                              vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_open";

    if (!count)
        return VSDK_OK;
    context->allowed = alloc_array(count, sizeof *context->allowed);
    if (!context->allowed)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, no_memory);
    for (uint32_t i = 0; i < count; i++) {
        if (!allowed[i])
            return error_null(error, operation, "allowed");
        context->allowed[i] = copy_of(allowed[i]);
        if (!context->allowed[i])
            return error_set(error, VSDK_ERROR_NO_MEMORY, operation, no_memory);
        context->allowed_count = i + 1;
    }
    return VSDK_OK;
}

void disk_context_clear(disk_context *context)
{
    for (uint32_t i = 0; i < context->allowed_count; i++)
        alloc_free(context->allowed[i]);
    alloc_free(context->allowed);
}

/* What a driver has not undone when its open fails, and what every layer has. */
static void layer_free(disk_image *image)
{
    disk_image_close(image->backing);
    disk_file_close(image->file);
    alloc_free(image->backing_name);
    alloc_free(image);
}

vsdk_status disk_image_open(const disk_context *context, disk_file *file, const disk_format *format,
                            uint32_t flags, uint32_t depth, disk_image **image, vsdk_error *error)
{
    disk_image *made = alloc_zeroed(sizeof *made);
    vsdk_status status = VSDK_OK;

    *image = NULL;
    if (!made) {
        disk_file_close(file);
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_open", no_memory);
    }
    made->file = file;
    made->context = context;
    made->flags = flags;
    made->depth = depth;
    if (!format)
        status = disk_format_probe(file, &format, error);
    made->format = format;
    if (!status)
        status = format->open(made, error);
    if (status) {
        layer_free(made);
        return status;
    }
    if (!format->write || file_is_read_only(file))
        made->flags |= DISK_IMAGE_READ_ONLY;
    *image = made;
    return VSDK_OK;
}

/* The topmost first, which may still write; what it lies on is closed after it. */
void disk_image_close(disk_image *image)
{
    if (!image)
        return;
    if (image->format->close)
        image->format->close(image);
    layer_free(image);
}

/* The name as a path: relative ones begin in the folder of the image's own file. NULL without
 * memory. */
static char *path_of(const disk_image *image, const char *name)
{
    const char *own = image->file ? file_path(image->file) : NULL;
    const char *slash = own && name[0] != '/' ? strrchr(own, '/') : NULL;
    size_t folder = slash ? (size_t)(slash - own) + 1 : 0;
    char *path = alloc_unset(folder + strlen(name) + 1);

    if (!path)
        return NULL;
    memcpy(path, own ? own : "", folder);
    strcpy(path + folder, name);
    return path;
}

/* One file has many paths. The allowed one is opened, so it does not matter when the other one
 * changes after this look. */
static int is_same(const char *one, const char *other)
{
    sys_file a, b;

    if (!strcmp(one, other))
        return 1;
    return !sys_file_look_at(one, &a) && !sys_file_look_at(other, &b) && a.device == b.device &&
           a.inode == b.inode && a.is_block == b.is_block;
}

/* NULL if it is none of the allowed ones. */
static const char *allowed_path(const disk_context *context, const char *path)
{
    for (uint32_t i = 0; context && i < context->allowed_count; i++)
        if (is_same(context->allowed[i], path))
            return context->allowed[i];
    return NULL;
}

/* Protocols of QEMU's ("nbd:", "json:") are names like any other here, and allowed by nobody. Never
 * for writing: others may lie on the same file. */
static vsdk_status open_named(disk_image *image, const char *name, disk_file **file,
                              vsdk_error *error)
{
    char *path = path_of(image, name);

    *file = NULL;
    if (!path)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_open", no_memory);
    const char *allowed = allowed_path(image->context, path);
    alloc_free(path);
    if (allowed)
        return disk_file_open(allowed, -1, DISK_FILE_READ_ONLY | image->context->file_flags, file,
                              error);
    error_set(error, VSDK_ERROR_PERMISSION, "vsdk_disk_open",
              "%s names the file %s, which is not allowed",
              image->file ? file_name(image->file) : "the image", name);
    return error_hint(error, VSDK_ERROR_PERMISSION,
                      "list its path in `allowed` if you trust who made the image");
}

vsdk_status disk_open_backing(disk_image *image, const char *name, vsdk_disk_format format,
                              vsdk_error *error)
{
    const disk_format *known = disk_format_find(format);
    disk_file *file;

    alloc_free(image->backing_name);
    image->backing_name = copy_of(name);
    if (!image->backing_name)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_open", no_memory);
    if (image->flags & DISK_IMAGE_NO_BACKING)
        return VSDK_OK;
    if (image->depth >= DISK_DEPTH_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_disk_open",
                         "%s: more than %d files lie under one another, or they name each other",
                         name, DISK_DEPTH_MOST);
    if (!known && format != VSDK_DISK_AUTO)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_disk_open",
                         "the format of the backing file %s is not known", name);
    vsdk_status status = open_named(image, name, &file, error);
    if (status)
        return status;
    return disk_image_open(image->context, file, known, DISK_IMAGE_READ_ONLY, image->depth + 1,
                           &image->backing, error);
}

vsdk_status disk_read_backing(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                              vsdk_error *error)
{
    disk_image *backing = image->backing;
    uint64_t end = backing ? atomic_load(&backing->capacity) : 0;
    uint64_t there = offset < end ? end - offset : 0;

    if (there > length)
        there = length;
    memset((char *)buffer + there, 0, (size_t)(length - there));
    return there ? disk_image_read(backing, offset, buffer, there, error) : VSDK_OK;
}

vsdk_status disk_image_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                            vsdk_error *error)
{
    return image->format->read(image, offset, buffer, length, error);
}

/* The disk's own check comes first; this one is for layers without a disk. */
static vsdk_status read_only(vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_PERMISSION, "vsdk_disk_write", "the disk is read-only");
}

vsdk_status disk_image_write(disk_image *image, uint64_t offset, const void *buffer,
                             uint64_t length, vsdk_error *error)
{
    if (image->flags & DISK_IMAGE_READ_ONLY)
        return read_only(error);
    return image->format->write(image, offset, buffer, length, error);
}

vsdk_status disk_image_write_zeros(disk_image *image, uint64_t offset, uint64_t length,
                                   vsdk_error *error)
{
    void *zeros = alloc_zeroed(length < ZEROS ? length : ZEROS);
    vsdk_status status = VSDK_OK;

    if (!zeros)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_write_zeroes", no_memory);
    while (!status && length) {
        uint64_t count = length < ZEROS ? length : ZEROS;
        status = image->format->write(image, offset, zeros, count, error);
        offset += count;
        length -= count;
    }
    alloc_free(zeros);
    return status;
}

vsdk_status disk_image_zero(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                            vsdk_error *error)
{
    if (image->flags & DISK_IMAGE_READ_ONLY)
        return read_only(error);
    if (image->format->zero)
        return image->format->zero(image, offset, length, flags, error);
    return disk_image_write_zeros(image, offset, length, error);
}

vsdk_status disk_image_discard(disk_image *image, uint64_t offset, uint64_t length,
                               vsdk_error *error)
{
    if (image->flags & DISK_IMAGE_READ_ONLY)
        return read_only(error);
    return image->format->discard ? image->format->discard(image, offset, length, error) : VSDK_OK;
}

vsdk_status disk_image_flush(disk_image *image, vsdk_error *error)
{
    if (image->format->flush)
        return image->format->flush(image, error);
    return image->file && !(image->flags & DISK_IMAGE_READ_ONLY) ? file_flush(image->file, error)
                                                                 : VSDK_OK;
}
