/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: extent by extent. The tables are looked at under the lock, the bytes are read without
 * it, and a use keeps the clusters of the extent from being given to something else meanwhile. */
#include "disk/qcow2.h"

/* A backing that is shorter has zeros behind its end. */
int qcow2_reads_zero(const qcow2 *q, const qcow2_place *place, uint64_t offset, uint64_t length)
{
    if (place->kind == QCOW2_UNALLOCATED)
        return !q->image->backing || offset >= q->image->backing->capacity;
    return place->kind == QCOW2_ZERO;
}

vsdk_status qcow2_read_place(qcow2 *q, const qcow2_place *place, uint64_t offset, void *buffer,
                             uint64_t length, vsdk_error *error)
{
    switch (place->kind) {
    case QCOW2_DATA:
        return qcow2_file_read(q, place->host + qcow2_within(q, offset), buffer, length, error);
    case QCOW2_COMPRESSED:
        return qcow2_unpack(q, place, qcow2_within(q, offset), buffer, length, error);
    case QCOW2_UNALLOCATED:
        if (!qcow2_reads_zero(q, place, offset, length))
            return disk_read_backing(q->image, offset, buffer, length, error);
        break;
    case QCOW2_ZERO:
        break;
    }
    memset(buffer, 0, length);
    return VSDK_OK;
}

/* The first extent of a range. */
static vsdk_status qcow2_read_some(qcow2 *q, uint64_t offset, void *buffer, uint64_t length,
                                   uint64_t *done, vsdk_error *error)
{
    qcow2_place place;

    qcow2_lock(q);
    vsdk_status status = qcow2_look(q, offset, length, &place, done, error);
    uint32_t use = qcow2_use_begin(q);
    qcow2_unlock(q);
    if (!status)
        status = qcow2_read_place(q, &place, offset, buffer, *done, error);
    qcow2_lock(q);
    qcow2_use_end(q, use);
    qcow2_unlock(q);
    return status;
}

vsdk_status qcow2_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                       vsdk_error *error)
{
    uint8_t *to = buffer;
    vsdk_status status = VSDK_OK;
    uint64_t done;

    while (!status && length) {
        status = qcow2_read_some(image->state, offset, to, length, &done, error);
        if (status)
            break;
        offset += done;
        to += done;
        length -= done;
    }
    return status;
}

/* Where bytes are now. What is data here may be elsewhere after the next write. */
vsdk_status qcow2_map(disk_image *image, uint64_t offset, uint64_t length, disk_extent *extent,
                      vsdk_error *error)
{
    static const disk_extent_kind kinds[] = {
        [QCOW2_UNALLOCATED] = DISK_EXTENT_UNALLOCATED,
        [QCOW2_ZERO] = DISK_EXTENT_ZERO,
        [QCOW2_DATA] = DISK_EXTENT_DATA,
        [QCOW2_COMPRESSED] = DISK_EXTENT_OTHER,
    };
    qcow2 *q = image->state;
    qcow2_place place;
    uint64_t same;

    qcow2_lock(q);
    vsdk_status status = qcow2_look(q, offset, length, &place, &same, error);
    qcow2_unlock(q);
    *extent = (disk_extent){0};
    if (status)
        return status;
    extent->kind = kinds[place.kind];
    extent->length = same;
    if (place.kind != QCOW2_DATA)
        return VSDK_OK;
    extent->file = q->file;
    extent->file_offset = place.host + qcow2_within(q, offset);
    /* The file may end in its last cluster. */
    if (extent->file_offset + same > q->length)
        extent->kind = DISK_EXTENT_OTHER;
    return VSDK_OK;
}
