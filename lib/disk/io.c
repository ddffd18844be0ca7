/* SPDX-License-Identifier: Apache-2.0 */
/* One operation on a disk: checked, then done in the thread that is here. What a driver of a format
 * trusts is checked in this file. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "disk/disk.h"
#include <string.h>

enum { BOUNCE = 1 << 16 };

/* What every driver relies on. */
static int is_whole(uint64_t number)
{
    return number % DISK_SECTOR == 0;
}

/* The sum of the buffers, or of what needs none. Sums that wrap are no multiple of anything. */
static vsdk_status measure(const vsdk_disk_request *r, uint64_t *length, const char *operation,
                           vsdk_error *error)
{
    *length = r->length;
    if (r->operation != VSDK_DISK_READ && r->operation != VSDK_DISK_WRITE)
        return VSDK_OK;
    *length = 0;
    if (r->count > BUFFERS_MOST || (r->count && !r->buffers))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%u buffers: at most %d, and not NULL", r->count, BUFFERS_MOST);
    for (uint32_t i = 0; i < r->count; i++)
        if (!checked_add(*length, r->buffers[i].length, length) ||
            (!r->buffers[i].data && r->buffers[i].length))
            return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                             "buffer %u is NULL, or the lengths overflow", i);
    return VSDK_OK;
}

/* In this order: what a caller got wrong by itself, then what depends on the disk. */
static vsdk_status check(vsdk_disk *disk, const vsdk_disk_request *r, uint64_t *length,
                         const char *operation, vsdk_error *error)
{
    uint64_t capacity = atomic_load(&disk->image->capacity);
    vsdk_status status = measure(r, length, operation, error);

    if (status)
        return status;
    if (r->operation < VSDK_DISK_READ || r->operation > VSDK_DISK_WRITE_ZEROES)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown operation %u",
                         r->operation);
    if (r->flags & ~(uint32_t)VSDK_DISK_MAY_UNMAP)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown flags 0x%x",
                         r->flags);
    /* A flush has no place. */
    if (r->operation == VSDK_DISK_FLUSH)
        return VSDK_OK;
    if (!is_whole(r->offset) || !is_whole(*length))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%llu bytes at %llu are no multiples of 512", (unsigned long long)*length,
                         (unsigned long long)r->offset);
    if (!checked_within(r->offset, *length, capacity))
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "%llu bytes at %llu leave the disk of %llu bytes",
                         (unsigned long long)*length, (unsigned long long)r->offset,
                         (unsigned long long)capacity);
    if (r->operation != VSDK_DISK_READ && disk->flags & VSDK_DISK_READ_ONLY)
        return error_set(error, VSDK_ERROR_PERMISSION, operation, "the disk is read-only");
    return VSDK_OK;
}

static vsdk_status transfer(disk_image *image, int writes, uint64_t offset, void *buffer,
                            uint64_t length, vsdk_error *error)
{
    return writes ? disk_image_write(image, offset, buffer, length, error)
                  : disk_image_read(image, offset, buffer, length, error);
}

/* The bytes of the buffers from `at` on, to or from `flat`. */
static void copy_pieces(const vsdk_disk_request *r, uint64_t at, uint8_t *flat, uint64_t length,
                        int to_flat)
{
    for (uint32_t i = 0; length && i < r->count; i++) {
        uint64_t here = r->buffers[i].length;
        if (at >= here) {
            at -= here;
            continue;
        }
        uint64_t count = here - at < length ? here - at : length;
        uint8_t *piece = (uint8_t *)r->buffers[i].data + at;
        if (to_flat)
            memcpy(flat, piece, (size_t)count);
        else
            memcpy(piece, flat, (size_t)count);
        flat += count;
        length -= count;
        at = 0;
    }
}

/* Buffers that end within a sector: no driver gets such a piece. */
static vsdk_status run_bounced(disk_image *image, const vsdk_disk_request *r, int writes,
                               uint64_t length, vsdk_error *error)
{
    uint8_t *flat = alloc_unset(length < BOUNCE ? length : BOUNCE);
    vsdk_status status = VSDK_OK;

    if (!flat)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_submit", "no memory");
    for (uint64_t done = 0; !status && done < length; done += BOUNCE) {
        uint64_t count = length - done < BOUNCE ? length - done : BOUNCE;
        if (writes)
            copy_pieces(r, done, flat, count, 1);
        status = transfer(image, writes, r->offset + done, flat, count, error);
        if (!status && !writes)
            copy_pieces(r, done, flat, count, 0);
    }
    alloc_free(flat);
    return status;
}

/* As few calls as the format allows: one for all buffers, else one for each that is whole sectors.
 */
static vsdk_status run_buffers(disk_image *image, const vsdk_disk_request *r, uint64_t length,
                               vsdk_error *error)
{
    int writes = r->operation == VSDK_DISK_WRITE;
    uint64_t offset = r->offset;
    vsdk_status status = VSDK_OK;

    if (r->count == 1)
        return transfer(image, writes, offset, r->buffers->data, length, error);
    if (writes && image->format->write_pieces)
        return image->format->write_pieces(image, offset, r->buffers, r->count, length, error);
    if (!writes && image->format->read_pieces)
        return image->format->read_pieces(image, offset, r->buffers, r->count, length, error);
    for (uint32_t i = 0; i < r->count; i++)
        if (!is_whole(r->buffers[i].length))
            return run_bounced(image, r, writes, length, error);
    for (uint32_t i = 0; !status && i < r->count; offset += r->buffers[i++].length)
        if (r->buffers[i].length)
            status =
                transfer(image, writes, offset, r->buffers[i].data, r->buffers[i].length, error);
    return status;
}

/* A write-through disk has no state in between: a write that was not flushed did not succeed. */
static vsdk_status run_checked(vsdk_disk *disk, const vsdk_disk_request *r, uint64_t length,
                               vsdk_error *error)
{
    disk_image *image = disk->image;
    vsdk_status status = VSDK_OK;

    if (r->operation == VSDK_DISK_FLUSH)
        return disk->cache == VSDK_DISK_UNSAFE ? VSDK_OK : disk_image_flush(image, error);
    if (!length)
        return VSDK_OK;
    if (r->operation == VSDK_DISK_READ)
        return run_buffers(image, r, length, error);
    if (r->operation == VSDK_DISK_WRITE)
        status = run_buffers(image, r, length, error);
    else if (r->operation == VSDK_DISK_DISCARD)
        status = disk_image_discard(image, r->offset, length, error);
    else
        status = disk_image_zero(image, r->offset, length,
                                 r->flags & VSDK_DISK_MAY_UNMAP ? DISK_ZERO_MAY_UNMAP : 0, error);
    if (!status && disk->cache == VSDK_DISK_WRITETHROUGH)
        status = disk_image_flush(image, error);
    return status;
}

/* The capacity does not change while it is inside. */
vsdk_status disk_run(vsdk_disk *disk, const vsdk_disk_request *request, const char *operation,
                     vsdk_error *error)
{
    static const char *const names[] = {
        [VSDK_DISK_READ] = "vsdk_disk_read",
        [VSDK_DISK_WRITE] = "vsdk_disk_write",
        [VSDK_DISK_FLUSH] = "vsdk_disk_flush",
        [VSDK_DISK_DISCARD] = "vsdk_disk_discard",
        [VSDK_DISK_WRITE_ZEROES] = "vsdk_disk_write_zeroes",
    };
    uint64_t length;

    disk_enter(disk);
    vsdk_status status = check(disk, request, &length, operation, error);
    if (!status)
        status = disk_failed(disk, run_checked(disk, request, length, error),
                             names[request->operation], error);
    disk_leave(disk);
    return status;
}

/* A plain function is a request with one buffer that never leaves this thread. */
static vsdk_status run_one(vsdk_disk *disk, vsdk_disk_request *request, void *buffer,
                           uint64_t length, const char *operation, vsdk_error *error)
{
    const vsdk_disk_buffer one = {buffer, length};
    vsdk_status status = disk_begin(disk, operation, error);

    if (status)
        return status;
    if (request->operation <= VSDK_DISK_WRITE) {
        if (!buffer && length)
            return error_null(error, operation, "buffer");
        request->buffers = &one;
        request->count = 1;
    } else {
        request->length = length;
    }
    return disk_run(disk, request, operation, error);
}

vsdk_status vsdk_disk_read(vsdk_disk *disk, uint64_t offset, void *buffer, uint64_t length,
                           vsdk_error *error)
{
    vsdk_disk_request request = {.operation = VSDK_DISK_READ, .offset = offset};

    return run_one(disk, &request, buffer, length, "vsdk_disk_read", error);
}

/* The buffer of a request has one type for both ways; a write changes nothing in it. */
vsdk_status vsdk_disk_write(vsdk_disk *disk, uint64_t offset, const void *buffer, uint64_t length,
                            vsdk_error *error)
{
    vsdk_disk_request request = {.operation = VSDK_DISK_WRITE, .offset = offset};

    return run_one(disk, &request, (void *)(uintptr_t)buffer, length, "vsdk_disk_write", error);
}

vsdk_status vsdk_disk_flush(vsdk_disk *disk, vsdk_error *error)
{
    vsdk_disk_request request = {.operation = VSDK_DISK_FLUSH};

    return run_one(disk, &request, NULL, 0, "vsdk_disk_flush", error);
}

vsdk_status vsdk_disk_discard(vsdk_disk *disk, uint64_t offset, uint64_t length, vsdk_error *error)
{
    vsdk_disk_request request = {.operation = VSDK_DISK_DISCARD, .offset = offset};

    return run_one(disk, &request, NULL, length, "vsdk_disk_discard", error);
}

vsdk_status vsdk_disk_write_zeroes(vsdk_disk *disk, uint64_t offset, uint64_t length,
                                   vsdk_disk_request_flags flags, vsdk_error *error)
{
    vsdk_disk_request request = {
        .operation = VSDK_DISK_WRITE_ZEROES, .flags = flags, .offset = offset};

    return run_one(disk, &request, NULL, length, "vsdk_disk_write_zeroes", error);
}
