/* SPDX-License-Identifier: Apache-2.0 */
/* Another capacity. Runs alone. The header's size changes last: until then the image is as it was,
 * but that what lies behind the new end is gone already, and what lies behind the old end is zeros.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "disk/qcow2.h"

/* The header says where L1 is and how many entries it has in one write. */
static vsdk_status l1_adopt(qcow2 *q, qcow2_run run, uint64_t *entries, uint32_t size,
                            vsdk_error *error)
{
    qcow2_run old = {qcow2_cluster(q, q->l1_offset),
                     qcow2_clusters(q, (uint64_t)q->l1_size * sizeof(uint64_t))};
    uint8_t field[12];

    qcow2_store32(field, size);
    qcow2_store64(field + 4, run.first << q->cluster_bits);
    vsdk_status status = qcow2_file_write(q, QCOW2_AT_L1_SIZE, field, sizeof field, error);
    q->failed = status ? 1 : 0;
    if (status)
        return status;
    if (q->l1_size) {
        qcow2_metadata_remove(q, old);
        qcow2_free_later(q, old);
    }
    alloc_free(q->l1);
    q->l1 = entries;
    q->l1_size = size;
    q->l1_offset = run.first << q->cluster_bits;
    return VSDK_OK;
}

/* Whole clusters, so that nothing old is behind its last entry. */
static vsdk_status l1_write(qcow2 *q, qcow2_run run, uint64_t *entries, uint32_t size,
                            vsdk_error *error)
{
    vsdk_status status = qcow2_metadata_add(q, run, "a larger L1 table", error);

    for (uint64_t i = 0; !status && i < run.count; i++) {
        qcow2_cache_forget(q, &q->l2, run.first + i);
        qcow2_cache_forget(q, &q->refs, run.first + i);
    }
    if (!status)
        status = qcow2_file_write(q, run.first << q->cluster_bits, entries,
                                  run.count << q->cluster_bits, error);
    if (!status)
        status = file_flush(q->file, error);
    if (!status)
        status = l1_adopt(q, run, entries, size, error);
    if (status)
        qcow2_metadata_remove(q, run);
    return status;
}

static vsdk_status l1_grow(qcow2 *q, uint64_t size, vsdk_error *error)
{
    uint64_t clusters = qcow2_clusters(q, size * sizeof(uint64_t));
    qcow2_run run;

    if (size > QCOW2_L1_MOST / sizeof(uint64_t))
        return error_set(error, VSDK_ERROR_LIMIT, operation,
                         "%s: clusters of %u bytes are too small for this capacity",
                         file_name(q->file), q->cluster_size);
    uint64_t *entries = alloc_zeroed(clusters << q->cluster_bits);
    if (!entries)
        return qcow2_no_memory(q, error);
    memcpy(entries, q->l1, q->l1_size * sizeof(uint64_t));
    vsdk_status status = qcow2_allocate(q, clusters, 1, &run, error);
    if (!status) {
        status = qcow2_write_back(q, error);
        if (!status)
            status = l1_write(q, run, entries, (uint32_t)size, error);
        /* Unless the header may name them. */
        if (status && !q->failed)
            qcow2_free_now(q, run);
    }
    if (status)
        alloc_free(entries);
    return status;
}

/* The one write that makes the new capacity true, with all it needs on the disk before it. */
static vsdk_status size_write(qcow2 *q, uint64_t capacity, vsdk_error *error)
{
    uint8_t field[8];
    vsdk_status status = qcow2_sync(q, error);

    qcow2_store64(field, capacity);
    if (!status)
        status = qcow2_file_write(q, QCOW2_AT_SIZE, field, sizeof field, error);
    if (!status)
        status = file_flush(q->file, error);
    if (status)
        return status;
    q->size = capacity;
    q->image->capacity = capacity;
    return VSDK_OK;
}

/* What shows at the old end must be zeros: neither the rest of the last cluster nor the backing. */
static vsdk_status resize_clear(qcow2 *q, uint64_t old, uint64_t capacity, vsdk_error *error)
{
    uint64_t end = qcow2_clusters(q, old) << q->cluster_bits;

    if (q->image->backing && end < q->image->backing->capacity)
        end = q->image->backing->capacity;
    if (end > capacity)
        end = capacity;
    return end > old ? qcow2_zero(q->image, old, end - old, DISK_ZERO_MAY_UNMAP, error) : VSDK_OK;
}

/* A larger L1 is good for the old size too, if we are killed before the new one is written. */
static vsdk_status resize_grow(qcow2 *q, uint64_t capacity, vsdk_error *error)
{
    uint64_t covers = UINT64_C(1) << (qcow2_l2_bits(q) + q->cluster_bits);
    uint64_t needed = capacity / covers + (capacity % covers != 0);
    vsdk_status status = VSDK_OK;

    qcow2_lock(q);
    if (needed > q->l1_size)
        status = l1_grow(q, needed, error);
    qcow2_unlock(q);
    return status ? status : resize_clear(q, q->image->capacity, capacity, error);
}

/* Snapshots of version 2 don't say how large the disk was. */
vsdk_status qcow2_resize(disk_image *image, uint64_t capacity, vsdk_error *error)
{
    qcow2 *q = image->state;
    uint64_t end = qcow2_clusters(q, capacity) << q->cluster_bits;
    vsdk_status status;

    if (q->snapshots && q->version < 3)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "%s: an image of version 2 with snapshots can't be resized",
                         file_name(q->file));
    if (capacity > INT64_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%s: capacity is too large",
                         file_name(q->file));
    status = qcow2_touch(q, error);
    if (!status && capacity > image->capacity)
        status = resize_grow(q, capacity, error);
    else if (!status && end < image->capacity)
        status = qcow2_cut(q, end, image->capacity - end, error);
    if (!status) {
        qcow2_lock(q);
        status = size_write(q, capacity, error);
        qcow2_unlock(q);
    }
    return status;
}
