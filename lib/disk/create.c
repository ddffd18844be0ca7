/* SPDX-License-Identifier: Apache-2.0 */
/* New images. What was made of a file that could not be finished goes away again. */
#include "base/error.h"
#include "base/record.h"
#include "base/sys_file.h"
#include "disk/disk.h"

/* What no format has is wrong; what this format lacks is unsupported, and the driver says it. A
 * backing file is not looked at: it may be made later, or be on another host. */
static vsdk_status check_image(const vsdk_disk_image *i, const char *operation, vsdk_error *error)
{
    const disk_format *format = disk_format_find(i->format);
    const char *what = NULL;

    if (!i->path)
        return error_null(error, operation, "image->path");
    if (i->format == VSDK_DISK_AUTO || i->format >= VSDK_DISK_MEMORY)
        what = "the format is none of a new file";
    else if (!i->capacity || i->capacity % DISK_SECTOR || i->capacity > INT64_MAX)
        what = "the capacity is 0, no multiple of 512, or too large";
    else if (i->backing &&
             (i->backing_format == VSDK_DISK_AUTO || i->backing_format >= VSDK_DISK_MEMORY))
        what = "backing_format is none of a file";
    if (what)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what);
    if (!format || !format->create)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "a %s image can't be made",
                         vsdk_disk_format_name(i->format));
    for (unsigned n = 0; n < sizeof i->reserved / sizeof *i->reserved; n++)
        if (i->reserved32 || i->reserved[n])
            return record_later(operation, error);
    return VSDK_OK;
}

/* Flushed, so that a loss of power leaves a whole image or none that anybody was told of. */
vsdk_status vsdk_disk_create_image(const vsdk_disk_image *image, vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_create_image";
    vsdk_disk_image i;
    disk_file *file;

    if (!image)
        return error_null(error, operation, "image");
    vsdk_status status = record_read(
        &i, sizeof i, image, VSDK_DISK_PREALLOCATE | VSDK_DISK_LAZY_REFCOUNTS, operation, error);
    if (!status)
        status = check_image(&i, operation, error);
    if (!status)
        status = disk_file_open(i.path, -1, DISK_FILE_CREATE, &file, error);
    if (status)
        return disk_failed(NULL, status, operation, error);
    const disk_create_options options = {.capacity = i.capacity,
                                         .cluster_size = i.cluster_size,
                                         .backing = i.backing,
                                         .backing_format = i.backing_format,
                                         .flags = i.flags};
    /* The file is new and ours: nobody else writes it, and a failure may take it away. */
    status = disk_format_find(i.format)->create(file, &options, error);
    if (!status)
        status = file_flush(file, error);
    disk_file_close(file);
    if (status)
        sys_unlink(i.path);
    return disk_failed(NULL, status, operation, error);
}
