/* SPDX-License-Identifier: Apache-2.0 */
/* Which clusters of the file are in use: reading and changing refcounts, finding free clusters,
 * freeing.
 *
 * We only ever raise a refcount from 0 to 1, and lower it. A new refcount block lies in the part of
 * the file that it counts, and counts itself. When the refcount table is full a larger one is
 * written behind everything that the old one could count, with the blocks that count it. */
#include "base/alloc.h"
#include "base/error.h"
#include "disk/qcow2.h"

enum { PUNCH_LEAST = 4096 }; /* bytes: less takes no room of its own on a host */

uint64_t qcow2_refcount_most(const qcow2 *q)
{
    return q->refcount_order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << q->refcount_order)) - 1;
}

/* Below 8 bits the first one is in the lowest bits; wider ones are big endian. */
static uint64_t refcount_load(const uint8_t *bytes, uint32_t order, uint64_t index)
{
    uint64_t value = 0;

    if (order < 3) {
        unsigned bits = 1u << order, shift = index * bits % 8;
        return bytes[index * bits / 8] >> shift & ((1u << bits) - 1);
    }
    for (unsigned i = 0; i < 1u << (order - 3); i++)
        value = value << 8 | bytes[(index << (order - 3)) + i];
    return value;
}

static void refcount_store(uint8_t *bytes, uint32_t order, uint64_t index, uint64_t value)
{
    if (order < 3) {
        unsigned bits = 1u << order, shift = index * bits % 8, mask = (1u << bits) - 1;
        uint8_t *byte = &bytes[index * bits / 8];
        *byte = (uint8_t)((*byte & ~(mask << shift)) | (value & mask) << shift);
        return;
    }
    for (unsigned i = 1u << (order - 3); i-- > 0; value >>= 8)
        bytes[(index << (order - 3)) + i] = (uint8_t)value;
}

vsdk_status qcow2_refcount_block(qcow2 *q, uint64_t index, uint64_t *offset, vsdk_error *error)
{
    *offset = index < q->reftable_size ? be64toh(q->reftable[index]) : 0;
    if (*offset & (q->cluster_size - 1) || (*offset && *offset >= q->length))
        return qcow2_malformed(q, error,
                               "refcount table entry %llu is 0x%llx: not aligned, or past the end "
                               "of the file",
                               (unsigned long long)index, (unsigned long long)*offset);
    return VSDK_OK;
}

/* The slice with a cluster's refcount, and which one it is there; NULL without a block. */
static vsdk_status refcount_slice(qcow2 *q, uint64_t cluster, qcow2_slice **slice, uint64_t *index,
                                  vsdk_error *error)
{
    uint64_t block, within = cluster & ((UINT64_C(1) << qcow2_block_bits(q)) - 1);
    uint64_t in_slice = (uint64_t)q->refs.size * 8 >> q->refcount_order;
    vsdk_status status = qcow2_refcount_block(q, cluster >> qcow2_block_bits(q), &block, error);

    *slice = NULL;
    *index = within % in_slice;
    if (status || !block)
        return status;
    return qcow2_cache_get(q, &q->refs, block + within / in_slice * q->refs.size, slice, error);
}

vsdk_status qcow2_refcount_get(qcow2 *q, uint64_t cluster, uint64_t *count, vsdk_error *error)
{
    qcow2_slice *slice;
    uint64_t index;
    vsdk_status status = refcount_slice(q, cluster, &slice, &index, error);

    *count = status || !slice ? 0 : refcount_load(slice->bytes, q->refcount_order, index);
    return status;
}

vsdk_status qcow2_refcount_set(qcow2 *q, uint64_t cluster, uint64_t count, vsdk_error *error)
{
    qcow2_slice *slice;
    uint64_t index;
    vsdk_status status = refcount_slice(q, cluster, &slice, &index, error);

    if (status)
        return status;
    if (!slice)
        return qcow2_malformed(q, error, "cluster %llu is in use and has no refcount block",
                               (unsigned long long)cluster);
    refcount_store(slice->bytes, q->refcount_order, index, count);
    qcow2_cache_dirty(&q->refs, slice);
    return VSDK_OK;
}

/* The host may have the room of free clusters back. */
static void refcount_punch(qcow2 *q, qcow2_run run)
{
    uint64_t bytes = run.count << q->cluster_bits;

    if (bytes >= PUNCH_LEAST)
        file_punch(q->file, run.first << q->cluster_bits, bytes, NULL);
}

/* One off a refcount. What goes wrong here costs a cluster and is told to nobody. A table stays,
 * whatever entries say that pointed to it: it leaves the set of metadata before it is freed. */
static void refcount_lower(qcow2 *q, qcow2_run run)
{
    qcow2_run empty = {run.first, 0};
    uint64_t count;

    for (uint64_t cluster = run.first; cluster < run.first + run.count; cluster++) {
        int is_free = !qcow2_metadata_has(q, cluster) &&
                      !qcow2_refcount_get(q, cluster, &count, NULL) && count &&
                      !qcow2_refcount_set(q, cluster, count - 1, NULL) && count == 1;
        if (is_free && cluster < q->free_from)
            q->free_from = cluster;
        if (is_free) {
            empty.count++;
            continue;
        }
        refcount_punch(q, empty);
        empty = (qcow2_run){cluster + 1, 0};
    }
    refcount_punch(q, empty);
}

/* Writes a block of one that counts `run`, which lies in its part of the file. Not yet pointed to.
 */
static vsdk_status block_write(qcow2 *q, uint64_t offset, uint64_t index, qcow2_run run,
                               vsdk_error *error)
{
    uint8_t *bytes = alloc_zeroed(q->cluster_size);
    uint64_t start = index << qcow2_block_bits(q),
             end = start + (UINT64_C(1) << qcow2_block_bits(q));

    if (!bytes)
        return qcow2_no_memory(q, error);
    for (uint64_t cluster = start; cluster < end; cluster++)
        if (cluster >= run.first && cluster < run.first + run.count)
            refcount_store(bytes, q->refcount_order, cluster - start, 1);
    qcow2_cache_forget(q, &q->refs, qcow2_cluster(q, offset));
    qcow2_cache_forget(q, &q->l2, qcow2_cluster(q, offset));
    vsdk_status status = qcow2_file_write(q, offset, bytes, q->cluster_size, error);
    alloc_free(bytes);
    return status;
}

/* A block for the part of the file that `cluster` is in, at `cluster`, which nothing can be in. */
static vsdk_status block_add(qcow2 *q, uint64_t cluster, vsdk_error *error)
{
    uint64_t index = cluster >> qcow2_block_bits(q), offset = cluster << q->cluster_bits;
    qcow2_run run = {cluster, 1};
    vsdk_status status = qcow2_metadata_add(q, run, "a new refcount block", error);

    if (status)
        return status;
    status = block_write(q, offset, index, run, error);
    if (!status)
        status = file_flush(q->file, error);
    if (!status) {
        q->reftable[index] = htobe64(offset);
        status = qcow2_file_write(q, q->reftable_offset + index * sizeof(uint64_t),
                                  &q->reftable[index], sizeof(uint64_t), error);
    }
    if (status) {
        /* Whether the entry was written nobody knows: then it is right, as the block is. */
        q->reftable[index] = 0;
        qcow2_metadata_remove(q, run);
    }
    return status;
}

/* A larger refcount table: `area` has first the table and then the blocks that count the area. */
typedef struct larger_table {
    qcow2_run area;
    uint64_t clusters; /* of the table */
    uint64_t size;     /* its entries */
    uint64_t *entries;
    uint64_t first_block, blocks;
} larger_table;

/* Half as large again, at least; and as many blocks as count the area. */
static vsdk_status larger_plan(qcow2 *q, larger_table *larger, vsdk_error *error)
{
    uint64_t block_bits = qcow2_block_bits(q);
    uint64_t wanted = q->reftable_size + q->reftable_size / 2 + 1;

    larger->area.first = q->reftable_size << block_bits;
    larger->first_block = q->reftable_size;
    larger->blocks = 1;
    for (;;) {
        uint64_t least = larger->first_block + larger->blocks;
        larger->clusters = qcow2_clusters(q, (wanted > least ? wanted : least) * sizeof(uint64_t));
        larger->area.count = larger->clusters + larger->blocks;
        uint64_t need = ((larger->area.count - 1) >> block_bits) + 1;
        if (need <= larger->blocks)
            break;
        larger->blocks = need;
    }
    larger->size = larger->clusters << (q->cluster_bits - 3);
    if (larger->size * sizeof(uint64_t) > QCOW2_REFTABLE_MOST ||
        (larger->area.first + larger->area.count) << q->cluster_bits > QCOW2_OFFSET)
        return error_set(error, VSDK_ERROR_LIMIT, operation,
                         "%s can't grow: its refcount table would be larger than %u bytes",
                         file_name(q->file), (unsigned)QCOW2_REFTABLE_MOST);
    return VSDK_OK;
}

/* Nothing points there yet. */
static vsdk_status larger_write(qcow2 *q, larger_table *larger, vsdk_error *error)
{
    uint64_t offset = larger->area.first << q->cluster_bits;
    uint64_t block = offset + (larger->clusters << q->cluster_bits);
    vsdk_status status = VSDK_OK;

    memcpy(larger->entries, q->reftable, q->reftable_size * sizeof(uint64_t));
    for (uint64_t i = 0; !status && i < larger->blocks; i++, block += q->cluster_size) {
        larger->entries[larger->first_block + i] = htobe64(block);
        status = block_write(q, block, larger->first_block + i, larger->area, error);
    }
    if (!status)
        status =
            qcow2_file_write(q, offset, larger->entries, larger->size * sizeof(uint64_t), error);
    return status ? status : file_flush(q->file, error);
}

/* The header says where it is and how large in one write. */
static vsdk_status larger_adopt(qcow2 *q, larger_table *larger, vsdk_error *error)
{
    uint64_t offset = larger->area.first << q->cluster_bits;
    qcow2_run old = {qcow2_cluster(q, q->reftable_offset),
                     qcow2_clusters(q, q->reftable_size * sizeof(uint64_t))};
    uint8_t field[12];

    qcow2_store64(field, offset);
    qcow2_store32(field + 8, (uint32_t)larger->clusters);
    vsdk_status status = qcow2_file_write(q, QCOW2_AT_REFTABLE, field, sizeof field, error);
    q->failed = status ? 1 : 0;
    if (status)
        return status;
    alloc_free(q->reftable);
    q->reftable = larger->entries;
    q->reftable_size = larger->size;
    q->reftable_offset = offset;
    q->reftable_clusters = (uint32_t)larger->clusters;
    larger->entries = NULL;
    qcow2_metadata_remove(q, old);
    qcow2_free_later(q, old);
    return VSDK_OK;
}

static vsdk_status reftable_grow(qcow2 *q, vsdk_error *error)
{
    larger_table larger = {.blocks = 0};
    vsdk_status status = larger_plan(q, &larger, error);

    if (status)
        return status;
    larger.entries = alloc_array(larger.size, sizeof(uint64_t));
    if (!larger.entries)
        return qcow2_no_memory(q, error);
    status = qcow2_metadata_add(q, larger.area, "a larger refcount table", error);
    if (status) {
        alloc_free(larger.entries);
        return status;
    }
    status = larger_write(q, &larger, error);
    if (!status)
        status = larger_adopt(q, &larger, error);
    if (status)
        qcow2_metadata_remove(q, larger.area);
    alloc_free(larger.entries);
    return status;
}

/* Whether a cluster is free. Adds the block that would count it. */
static vsdk_status allocate_try(qcow2 *q, uint64_t cluster, int *is_free, vsdk_error *error)
{
    uint64_t count = 0, block = 0, index = cluster >> qcow2_block_bits(q);
    vsdk_status status = VSDK_OK;

    if (cluster >= QCOW2_OFFSET >> q->cluster_bits)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%s is full", file_name(q->file));
    if (index >= q->reftable_size)
        status = reftable_grow(q, error);
    if (!status)
        status = qcow2_refcount_block(q, index, &block, error);
    if (!status && !block)
        status = block_add(q, cluster, error);
    if (!status)
        status = qcow2_refcount_get(q, cluster, &count, error);
    *is_free = !status && !count;
    if (*is_free && qcow2_metadata_has(q, cluster))
        return qcow2_malformed(q, error, "the refcount of cluster %llu is 0, and metadata is in it",
                               (unsigned long long)cluster);
    return status;
}

vsdk_status qcow2_allocate(qcow2 *q, uint64_t wanted, int exactly, qcow2_run *run,
                           vsdk_error *error)
{
    uint64_t cluster = q->free_from;
    vsdk_status status = VSDK_OK;
    int is_free = 0, skipped = 0;

    run->count = 0;
    while (!status && run->count < wanted) {
        status = allocate_try(q, cluster, &is_free, error);
        if (!status && is_free) {
            if (!run->count)
                run->first = cluster;
            run->count++;
        } else if (run->count && !exactly) {
            break;
        } else if (run->count) {
            run->count = 0;
            skipped = 1;
        }
        cluster++;
    }
    for (uint64_t i = 0; !status && i < run->count; i++)
        status = qcow2_refcount_set(q, run->first + i, 1, error);
    if (!status && !skipped)
        q->free_from = run->first + run->count;
    if (!status && q->fresh_from < run->first + run->count)
        q->fresh_from = run->first + run->count;
    return status;
}

void qcow2_free_now(qcow2 *q, qcow2_run run)
{
    refcount_lower(q, run);
}

void qcow2_free_later(qcow2 *q, qcow2_run run)
{
    qcow2_run *last = q->freed_count ? &q->freed[q->freed_count - 1] : NULL;

    if (last && last->first + last->count == run.first)
        last->count += run.count;
    else if (q->freed_count < QCOW2_FREED)
        q->freed[q->freed_count++] = run;
    /* Else they are lost until a repair: can't be, see qcow2_free_room. */
}

void qcow2_free_drain(qcow2 *q)
{
    if (!q->durable_count || q->uses[q->generation ^ 1])
        return;
    for (uint32_t i = 0; i < q->durable_count; i++)
        refcount_lower(q, q->durable[i]);
    q->durable_count = 0;
}

vsdk_status qcow2_free_room(qcow2 *q, vsdk_error *error)
{
    while (q->freed_count > QCOW2_FREED - QCOW2_FREED_ROOM) {
        vsdk_status status = qcow2_sync(q, error);
        if (status)
            return status;
        if (q->freed_count > QCOW2_FREED - QCOW2_FREED_ROOM)
            qcow2_wait(q);
    }
    return VSDK_OK;
}
