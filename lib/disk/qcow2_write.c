/* SPDX-License-Identifier: Apache-2.0 */
/* Writing. A cluster of our own is written in place. Any other gets a new cluster: what the guest
 * writes, and around it what was there before. Only when all of it is in the file the entry
 * changes. Until then readers see the old cluster, and other writers of this one wait. */
#include "base/alloc.h"
#include "disk/qcow2.h"

/* New clusters for a run of guest clusters. */
typedef struct placing {
    qcow2_change change;
    uint64_t offset, length; /* what the guest writes of them */
    const uint8_t *bytes;
    qcow2_place first, last; /* what was there at both ends */
    qcow2_run run;           /* in the file */
    int fresh;               /* was never in the file: reads as zeros */
    int kept;                /* was kept for these: not new */
    uint64_t end;            /* of what was written, in the file */
} placing;

/* What was there before goes around what the guest writes. */
static vsdk_status copy_around(qcow2 *q, placing *p, const qcow2_place *place, uint64_t offset,
                               uint64_t length, vsdk_error *error)
{
    uint64_t host =
        (p->run.first << q->cluster_bits) + offset - (p->change.run.first << q->cluster_bits);
    uint64_t piece = length < QCOW2_COPY ? length : QCOW2_COPY;
    vsdk_status status = VSDK_OK;

    if (!length)
        return VSDK_OK;
    if (qcow2_reads_zero(q, place, offset, length))
        return p->fresh ? VSDK_OK : file_zero(q->file, host, length, error);
    uint8_t *buffer = alloc_unset(piece);
    if (!buffer)
        return qcow2_no_memory(q, error);
    for (uint64_t done = 0; !status && done < length; done += piece) {
        if (piece > length - done)
            piece = length - done;
        status = qcow2_read_place(q, place, offset + done, buffer, piece, error);
        if (!status)
            status = file_write(q->file, host + done, buffer, piece, error);
    }
    p->end = host + length;
    alloc_free(buffer);
    return status;
}

/* In the order of the file: before, the guest's, behind. */
static vsdk_status placing_fill(qcow2 *q, placing *p, vsdk_error *error)
{
    uint64_t start = p->change.run.first << q->cluster_bits;
    uint64_t end = start + (p->change.run.count << q->cluster_bits);
    uint64_t host = (p->run.first << q->cluster_bits) + p->offset - start;
    vsdk_status status = copy_around(q, p, &p->first, start, p->offset - start, error);

    if (!status)
        status = file_write(q->file, host, p->bytes, p->length, error);
    if (status)
        return status;
    p->end = host + p->length;
    return copy_around(q, p, &p->last, p->offset + p->length, end - p->offset - p->length, error);
}

/* The entries point to the new clusters from now on. */
static vsdk_status placing_enter(qcow2 *q, const placing *p, vsdk_error *error)
{
    qcow2_slice *slice;
    qcow2_place before;
    uint8_t *entries;
    uint64_t count, host = p->run.first << q->cluster_bits;
    vsdk_status status = qcow2_entries(q, p->offset, &slice, &entries, &count, error);

    if (status)
        return status;
    if (q->length < p->end)
        q->length = p->end;
    for (uint64_t i = 0; i < p->change.run.count; i++, host += q->cluster_size) {
        uint8_t *entry = entries + i * sizeof(uint64_t);
        if (!p->kept && !qcow2_place_of(q, qcow2_load64(entry), &before, NULL))
            qcow2_release(q, &before);
        qcow2_store64(entry, host | QCOW2_MINE);
    }
    qcow2_cache_dirty(&q->l2, slice);
    return VSDK_OK;
}

/* How many clusters from p's first on get new ones together: those of one slice that are not to be
 * written in place. Both ends are remembered. */
static vsdk_status placing_extent(qcow2 *q, placing *p, uint64_t wanted, vsdk_error *error)
{
    qcow2_slice *slice;
    uint8_t *entries;
    uint64_t most;
    vsdk_status status = qcow2_entries(q, p->offset, &slice, &entries, &most, error);

    p->last = p->first;
    p->change.run.count = 1;
    if (status || p->kept)
        return status;
    if (most > wanted)
        most = wanted;
    while (p->change.run.count < most) {
        qcow2_place place;
        uint64_t entry = qcow2_load64(entries + p->change.run.count * sizeof(uint64_t));
        if (qcow2_place_of(q, entry, &place, NULL) || (place.mine && place.host))
            break;
        p->last = place;
        p->change.run.count++;
    }
    return VSDK_OK;
}

/* What the run in the file has room for. */
static vsdk_status placing_allocate(qcow2 *q, placing *p, vsdk_error *error)
{
    uint64_t fresh_from = q->fresh_from, wanted = p->change.run.count;
    uint64_t start = p->change.run.first << q->cluster_bits;

    if (p->kept) {
        p->run = (qcow2_run){qcow2_cluster(q, p->first.host), 1};
        return VSDK_OK;
    }
    vsdk_status status = qcow2_allocate(q, wanted, 0, &p->run, error);
    if (status)
        return status;
    p->fresh = p->run.first >= fresh_from;
    p->change.run.count = p->run.count;
    if (p->run.count < wanted) {
        /* The guest's bytes fill all clusters to the end then: nothing goes behind them. */
        p->length = start + (p->run.count << q->cluster_bits) - p->offset;
    }
    return VSDK_OK;
}

/* Gives new clusters to the first that are in [offset, offset + length); has the lock, and gives it
 * away while bytes are written. */
static vsdk_status write_placing(qcow2 *q, placing *p, vsdk_error *error)
{
    uint64_t wanted = qcow2_clusters(q, p->offset + p->length) - qcow2_cluster(q, p->offset);
    uint64_t end;
    vsdk_status status = qcow2_l2_own(q, p->offset, error);

    p->change.run.first = qcow2_cluster(q, p->offset);
    wanted = qcow2_unchanging(q, (qcow2_run){p->change.run.first, wanted});
    if (!status)
        status = placing_extent(q, p, wanted, error);
    if (status)
        return status;
    end = (p->change.run.first + p->change.run.count) << q->cluster_bits;
    if (p->offset + p->length > end)
        p->length = end - p->offset;
    status = placing_allocate(q, p, error);
    if (status)
        return status;
    qcow2_change_begin(q, &p->change);
    uint32_t use = qcow2_use_begin(q);
    qcow2_unlock(q);
    status = placing_fill(q, p, error);
    qcow2_lock(q);
    qcow2_use_end(q, use);
    if (!status)
        status = qcow2_free_room(q, error);
    if (!status)
        status = placing_enter(q, p, error);
    if (status && !p->kept)
        qcow2_free_now(q, p->run);
    qcow2_change_end(q, &p->change);
    return status;
}

/* Never into a table, whatever an entry says. */
static vsdk_status check_apart(qcow2 *q, const qcow2_place *place, uint64_t offset, uint64_t *same,
                               vsdk_error *error)
{
    uint64_t first = qcow2_cluster(q, place->host);
    uint64_t count = qcow2_clusters(q, qcow2_within(q, offset) + *same);

    for (uint64_t i = 0; i < count; i++)
        if (qcow2_metadata_has(q, first + i))
            return qcow2_malformed(q, error,
                                   "the guest's cluster at 0x%llx is at 0x%llx of the file, where "
                                   "a table is",
                                   (unsigned long long)offset,
                                   (unsigned long long)(first + i) << q->cluster_bits);
    return VSDK_OK;
}

static vsdk_status write_in_place(qcow2 *q, const qcow2_place *place, uint64_t offset,
                                  const void *bytes, uint64_t length, vsdk_error *error)
{
    uint64_t host = place->host + qcow2_within(q, offset);
    uint32_t use = qcow2_use_begin(q);

    qcow2_unlock(q);
    vsdk_status status = file_write(q->file, host, bytes, length, error);
    qcow2_lock(q);
    qcow2_use_end(q, use);
    if (!status && q->length < host + length)
        q->length = host + length;
    return status;
}

static vsdk_status write_some(qcow2 *q, uint64_t offset, const uint8_t *bytes, uint64_t length,
                              uint64_t *done, vsdk_error *error)
{
    placing p = {.offset = offset, .length = length, .bytes = bytes};
    vsdk_status status = qcow2_touch(q, error);

    if (!status)
        status = qcow2_free_room(q, error);
    if (!status)
        status = qcow2_look(q, offset, length, &p.first, done, error);
    if (!status && p.first.mine)
        status = check_apart(q, &p.first, offset, done, error);
    if (status)
        return status;
    if (p.first.kind == QCOW2_DATA && p.first.mine)
        return write_in_place(q, &p.first, offset, bytes, *done, error);
    if (!qcow2_unchanging(q, (qcow2_run){qcow2_cluster(q, offset), 1})) {
        qcow2_wait(q);
        *done = 0;
        return VSDK_OK;
    }
    p.kept = p.first.kind == QCOW2_ZERO && p.first.mine;
    status = write_placing(q, &p, error);
    *done = p.length;
    return status;
}

vsdk_status qcow2_write(disk_image *image, uint64_t offset, const void *buffer, uint64_t length,
                        vsdk_error *error)
{
    qcow2 *q = image->state;
    const uint8_t *bytes = buffer;
    vsdk_status status = VSDK_OK;
    uint64_t done;

    qcow2_lock(q);
    while (!status && length) {
        status = write_some(q, offset, bytes, length, &done, error);
        if (status)
            break;
        offset += done;
        bytes += done;
        length -= done;
    }
    qcow2_unlock(q);
    return status;
}
