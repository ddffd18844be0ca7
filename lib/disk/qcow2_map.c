/* SPDX-License-Identifier: Apache-2.0 */
/* From a guest's offset to what is there: L1, L2, and entries. Every entry is checked each time
 * that it is used: its reserved bits, its alignment, and that it points into the file. */
#include "base/alloc.h"
#include "disk/qcow2.h"

#define RESERVED_L1 (~(QCOW2_OFFSET | QCOW2_MINE))
#define RESERVED_L2 (~(QCOW2_OFFSET | QCOW2_MINE | QCOW2_ZERO_BIT))

/* Its bytes may end behind the file: what is missing is no data then. */
static vsdk_status place_compressed(const qcow2 *q, uint64_t entry, qcow2_place *place,
                                    vsdk_error *error)
{
    unsigned bits = 62 - (q->cluster_bits - 8); /* of the offset */
    uint64_t sectors = (entry & (QCOW2_COMPRESSED_BIT - 1)) >> bits;

    place->kind = QCOW2_COMPRESSED;
    place->host = entry & ((UINT64_C(1) << bits) - 1);
    place->bytes = (sectors + 1) * DISK_SECTOR - place->host % DISK_SECTOR;
    if (entry & QCOW2_MINE || place->host < q->cluster_size || place->host >= q->length)
        return qcow2_malformed(q, error,
                               "L2 entry 0x%llx of a compressed cluster points outside the file",
                               (unsigned long long)entry);
    return VSDK_OK;
}

vsdk_status qcow2_place_of(const qcow2 *q, uint64_t entry, qcow2_place *place, vsdk_error *error)
{
    uint64_t host = entry & QCOW2_OFFSET;

    *place = (qcow2_place){.kind = QCOW2_UNALLOCATED};
    if (!entry)
        return VSDK_OK;
    if (entry & QCOW2_COMPRESSED_BIT)
        return place_compressed(q, entry, place, error);
    if (entry & RESERVED_L2 || (entry & QCOW2_ZERO_BIT && q->version < 3))
        return qcow2_malformed(q, error, "L2 entry 0x%llx has reserved bits",
                               (unsigned long long)entry);
    if (qcow2_within(q, host) || host >= q->length || (entry & QCOW2_MINE && !host))
        return qcow2_malformed(
            q, error, "L2 entry 0x%llx points outside the file, or is not aligned to a cluster",
            (unsigned long long)entry);
    place->host = host;
    place->mine = (entry & QCOW2_MINE) != 0;
    place->kind = entry & QCOW2_ZERO_BIT ? QCOW2_ZERO : QCOW2_DATA;
    return VSDK_OK;
}

vsdk_status qcow2_l2_of(const qcow2 *q, uint64_t offset, uint64_t *table, int *mine,
                        vsdk_error *error)
{
    uint64_t index = qcow2_cluster(q, offset) >> qcow2_l2_bits(q);
    uint64_t entry = index < q->l1_size ? be64toh(q->l1[index]) : 0;

    *table = entry & QCOW2_OFFSET;
    *mine = (entry & QCOW2_MINE) != 0;
    if (entry & RESERVED_L1 || qcow2_within(q, *table) || *table >= q->length || (entry && !*table))
        return qcow2_malformed(q, error,
                               "L1 entry %llu is 0x%llx: it has reserved bits, is not aligned to a "
                               "cluster, or points outside the file",
                               (unsigned long long)index, (unsigned long long)entry);
    return VSDK_OK;
}

/* `mine`: whether the table is. */
static vsdk_status entries_of(qcow2 *q, uint64_t offset, qcow2_slice **slice, uint8_t **entries,
                              uint64_t *count, int *mine, vsdk_error *error)
{
    uint64_t table, in_slice = q->l2.size / sizeof(uint64_t);
    uint64_t index = qcow2_cluster(q, offset) & ((UINT64_C(1) << qcow2_l2_bits(q)) - 1);
    vsdk_status status = qcow2_l2_of(q, offset, &table, mine, error);

    *slice = NULL;
    *entries = NULL;
    *count = in_slice - index % in_slice;
    if (status || !table)
        return status;
    status = qcow2_cache_get(q, &q->l2, table + index * sizeof(uint64_t), slice, error);
    if (!status)
        *entries = (*slice)->bytes + index % in_slice * sizeof(uint64_t);
    return status;
}

vsdk_status qcow2_entries(qcow2 *q, uint64_t offset, qcow2_slice **slice, uint8_t **entries,
                          uint64_t *count, vsdk_error *error)
{
    int mine;

    return entries_of(q, offset, slice, entries, count, &mine, error);
}

/* Whether `next`, `distance` clusters on, is more of the same. */
static int look_goes_on(const qcow2 *q, const qcow2_place *place, const qcow2_place *next,
                        uint64_t distance)
{
    if (next->kind != place->kind || place->kind == QCOW2_COMPRESSED)
        return 0;
    if (!place->host)
        return !next->host;
    return next->mine == place->mine && next->host == place->host + (distance << q->cluster_bits);
}

vsdk_status qcow2_look(qcow2 *q, uint64_t offset, uint64_t length, qcow2_place *place,
                       uint64_t *same, vsdk_error *error)
{
    qcow2_slice *slice;
    qcow2_place next;
    uint8_t *entries;
    uint64_t count, wanted = qcow2_clusters(q, qcow2_within(q, offset) + length), i = 1;
    int mine;
    vsdk_status status = entries_of(q, offset, &slice, &entries, &count, &mine, error);

    if (status)
        return status;
    if (count > wanted)
        count = wanted;
    if (entries) {
        status = qcow2_place_of(q, qcow2_load64(entries), place, error);
        /* An entry that is malformed ends what is the same: it is told when it is asked for. */
        while (!status && i < count &&
               !qcow2_place_of(q, qcow2_load64(entries + i * sizeof(uint64_t)), &next, NULL) &&
               look_goes_on(q, place, &next, i))
            i++;
        count = i;
        /* In a table that is a snapshot's too no entry tells. */
        place->mine = place->mine && mine;
    } else {
        *place = (qcow2_place){.kind = QCOW2_UNALLOCATED};
    }
    *same = (count << q->cluster_bits) - qcow2_within(q, offset);
    if (*same > length)
        *same = length;
    return status;
}

void qcow2_release(qcow2 *q, const qcow2_place *place)
{
    uint64_t first = qcow2_cluster(q, place->host);

    if (place->kind == QCOW2_COMPRESSED)
        qcow2_free_later(
            q, (qcow2_run){first, qcow2_cluster(q, place->host + place->bytes - 1) - first + 1});
    else if (place->host)
        qcow2_free_later(q, (qcow2_run){first, 1});
}

/* The new table: what the old one had, which snapshots go on using, or nothing. */
static vsdk_status l2_write(qcow2 *q, uint64_t old, uint64_t table, vsdk_error *error)
{
    uint8_t *bytes = alloc_zeroed(q->cluster_size);
    vsdk_status status = bytes ? VSDK_OK : qcow2_no_memory(q, error);

    /* Its clusters are the snapshots' too: no entry is ours alone. */
    if (!status && old)
        status = qcow2_file_read(q, old, bytes, q->cluster_size, error);
    for (uint64_t i = 0; !status && old && i < q->cluster_size; i += sizeof(uint64_t))
        qcow2_store64(bytes + i, qcow2_load64(bytes + i) & ~QCOW2_MINE);
    if (!status)
        status = qcow2_file_write(q, table, bytes, q->cluster_size, error);
    alloc_free(bytes);
    return status ? status : file_flush(q->file, error);
}

/* One entry, in one write. If that fails nobody knows what is in the file. */
static vsdk_status l1_point(qcow2 *q, uint64_t index, uint64_t table, vsdk_error *error)
{
    uint64_t before = q->l1[index];

    q->l1[index] = htobe64(table | QCOW2_MINE);
    vsdk_status status = qcow2_file_write(q, q->l1_offset + index * sizeof(uint64_t), &q->l1[index],
                                          sizeof(uint64_t), error);
    if (status) {
        q->l1[index] = before;
        q->failed = 1;
    }
    return status;
}

/* A cluster for a table of our own; the old one, if any, stays a snapshot's. */
static vsdk_status l2_replace(qcow2 *q, uint64_t index, uint64_t old, vsdk_error *error)
{
    qcow2_run run, before = {qcow2_cluster(q, old), 1};
    vsdk_status status = qcow2_allocate(q, 1, 0, &run, error);

    if (status)
        return status;
    /* The old one as it is in memory, and the refcount of the new one before it is pointed to. */
    status = qcow2_write_back(q, error);
    qcow2_cache_forget(q, &q->l2, run.first);
    qcow2_cache_forget(q, &q->refs, run.first);
    if (!status)
        status = l2_write(q, old, run.first << q->cluster_bits, error);
    if (!status)
        status = qcow2_metadata_add(q, run, "a new L2 table", error);
    if (status) {
        qcow2_free_now(q, run);
        return status;
    }
    status = l1_point(q, index, run.first << q->cluster_bits, error);
    if (!status && old) {
        qcow2_metadata_remove(q, before);
        qcow2_free_later(q, before);
    }
    return status;
}

/* Only for a guest's offset within the size, which L1 covers. */
vsdk_status qcow2_l2_own(qcow2 *q, uint64_t offset, vsdk_error *error)
{
    uint64_t table, index = qcow2_cluster(q, offset) >> qcow2_l2_bits(q);
    int mine;
    vsdk_status status = qcow2_l2_of(q, offset, &table, &mine, error);

    if (status || (table && mine))
        return status;
    if (index >= q->l1_size)
        return qcow2_malformed(q, error, "l1_size is %u: too small for the size", q->l1_size);
    return l2_replace(q, index, table, error);
}
