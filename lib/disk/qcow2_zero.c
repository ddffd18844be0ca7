/* SPDX-License-Identifier: Apache-2.0 */
/* Zeros and discards: entries change, bytes hardly. Whole clusters become zero clusters, or nothing
 * where nothing reads as zeros anyway. Version 2 has no zero clusters: above a backing the zeros
 * are written there, and a discard leaves all as it is. */
#include "base/alloc.h"
#include "disk/qcow2.h"

/* What becomes of whole clusters. */
typedef enum zero_way {
    ZERO_KEEP,   /* zeros, and the clusters stay theirs */
    ZERO_FREE,   /* zeros */
    ZERO_FORGET, /* nothing: what the backing has shows */
} zero_way;

/* Whether nothing at this cluster would show something below. */
static int has_backing(const qcow2 *q, uint64_t cluster)
{
    return q->image->backing && cluster << q->cluster_bits < q->image->backing->capacity;
}

/* The entry that a guest's cluster gets, whose entry is `place` now. */
static uint64_t zero_entry(const qcow2 *q, const qcow2_place *place, uint64_t cluster, zero_way way)
{
    if (way == ZERO_FORGET)
        return 0;
    if (way == ZERO_KEEP && place->mine && q->version >= 3)
        return place->host | QCOW2_MINE | QCOW2_ZERO_BIT;
    /* Not by the length of a backing, which another one may have some day. */
    return q->version >= 3 && (q->image->backing_name || q->image->backing) ? QCOW2_ZERO_BIT : 0;
}

static vsdk_status zero_entries(qcow2 *q, qcow2_run run, zero_way way, uint64_t *done,
                                vsdk_error *error)
{
    qcow2_slice *slice;
    qcow2_place place;
    uint8_t *entries;
    uint64_t count, i;
    vsdk_status status =
        qcow2_entries(q, run.first << q->cluster_bits, &slice, &entries, &count, error);

    if (count > run.count)
        count = run.count;
    for (i = 0; !status && i < count; i++) {
        uint8_t *at = entries + i * sizeof(uint64_t);
        status = qcow2_place_of(q, qcow2_load64(at), &place, error);
        if (status)
            break;
        uint64_t entry = zero_entry(q, &place, run.first + i, way);
        if (entry == qcow2_load64(at))
            continue;
        if (!(entry & QCOW2_OFFSET))
            qcow2_release(q, &place);
        qcow2_store64(at, entry);
        qcow2_cache_dirty(&q->l2, slice);
    }
    *done = i;
    return status;
}

/* A part of a run that has no L2 table, and needs none. */
static vsdk_status zero_nothing(qcow2 *q, qcow2_run run, zero_way way, uint64_t *done,
                                vsdk_error *error)
{
    uint64_t table, entries = UINT64_C(1) << qcow2_l2_bits(q);
    int mine;
    vsdk_status status = qcow2_l2_of(q, run.first << q->cluster_bits, &table, &mine, error);

    *done = 0;
    if (status || table)
        return status;
    uint64_t rest = entries - run.first % entries;
    if (rest > run.count)
        rest = run.count;
    if (way == ZERO_FORGET || !has_backing(q, run.first))
        *done = rest;
    return VSDK_OK;
}

static vsdk_status zero_some(qcow2 *q, qcow2_run run, zero_way way, uint64_t *done,
                             vsdk_error *error)
{
    vsdk_status status = qcow2_touch(q, error);

    if (!status)
        status = qcow2_free_room(q, error);
    *done = 0;
    run.count = qcow2_unchanging(q, run);
    if (!status && !run.count) {
        qcow2_wait(q);
        return VSDK_OK;
    }
    if (!status)
        status = zero_nothing(q, run, way, done, error);
    if (status || *done)
        return status;
    status = qcow2_l2_own(q, run.first << q->cluster_bits, error);
    return status ? status : zero_entries(q, run, way, done, error);
}

static vsdk_status zero_clusters(qcow2 *q, qcow2_run run, zero_way way, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;
    uint64_t done;

    qcow2_lock(q);
    while (!status && run.count) {
        status = zero_some(q, run, way, &done, error);
        if (status)
            break;
        run.first += done;
        run.count -= done;
    }
    qcow2_unlock(q);
    return status;
}

/* The clusters that lie within; the image's last one also where the image ends in it. */
static qcow2_run clusters_within(const qcow2 *q, uint64_t offset, uint64_t length)
{
    uint64_t first = qcow2_clusters(q, offset), end = qcow2_cluster(q, offset + length);

    if (offset + length == q->image->capacity)
        end = qcow2_clusters(q, offset + length);
    return (qcow2_run){first, end > first ? end - first : 0};
}

/* Zeros as bytes, but where zeros are. */
static vsdk_status zero_bytes(disk_image *image, uint64_t offset, uint64_t length,
                              vsdk_error *error)
{
    qcow2 *q = image->state;
    uint64_t same, piece = length < QCOW2_COPY ? length : QCOW2_COPY;
    uint8_t *zeros = length ? alloc_zeroed(piece) : NULL;
    vsdk_status status = VSDK_OK;
    qcow2_place place;

    if (length && !zeros)
        return qcow2_no_memory(q, error);
    for (; !status && length; offset += same, length -= same) {
        qcow2_lock(q);
        status = qcow2_look(q, offset, length < piece ? length : piece, &place, &same, error);
        qcow2_unlock(q);
        if (status)
            break;
        if (!qcow2_reads_zero(q, &place, offset, same))
            status = qcow2_write(image, offset, zeros, same, error);
    }
    alloc_free(zeros);
    return status;
}

vsdk_status qcow2_zero(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                       vsdk_error *error)
{
    qcow2 *q = image->state;
    qcow2_run run = clusters_within(q, offset, length);
    uint64_t start = run.first << q->cluster_bits, end = start + (run.count << q->cluster_bits);

    if (!run.count || (q->version < 3 && image->backing))
        return zero_bytes(image, offset, length, error);
    vsdk_status status = zero_bytes(image, offset, start - offset, error);
    if (!status)
        status = zero_clusters(q, run, flags & DISK_ZERO_MAY_UNMAP ? ZERO_FREE : ZERO_KEEP, error);
    if (!status && end < offset + length)
        status = zero_bytes(image, end, offset + length - end, error);
    return status;
}

vsdk_status qcow2_discard(disk_image *image, uint64_t offset, uint64_t length, vsdk_error *error)
{
    qcow2 *q = image->state;
    qcow2_run run = clusters_within(q, offset, length);

    if (!run.count || (q->version < 3 && image->backing))
        return VSDK_OK;
    return zero_clusters(q, run, ZERO_FREE, error);
}

vsdk_status qcow2_cut(qcow2 *q, uint64_t offset, uint64_t length, vsdk_error *error)
{
    return zero_clusters(q, clusters_within(q, offset, length), ZERO_FORGET, error);
}
