/* SPDX-License-Identifier: Apache-2.0 */
/* The clusters that hold metadata: header, L1 table, refcount table, refcount blocks, L2 tables.
 *
 * An image may say that one cluster is two things, or that a guest's cluster is one of these, and
 * its refcounts may say that one is free. A guest that writes must never reach a table that way. So
 * an image is written only when all its tables are apart, and each cluster is looked for here
 * before it is handed out or written. Kept for writable images only: a reader can't be harmed.
 *
 * Open addressing with linear probing; at most half of the cells are in use. */
#include "base/alloc.h"
#include "base/error.h"
#include "disk/qcow2.h"

enum { SET_LEAST = 64 };

static uint64_t set_home(const qcow2_set *set, uint64_t cluster)
{
    return (cluster * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (set->room - 1);
}

/* Its cell, or the empty one where it would be. */
static uint64_t set_cell(const qcow2_set *set, uint64_t cluster)
{
    uint64_t at = set_home(set, cluster);

    while (set->cells[at] && set->cells[at] != cluster + 1)
        at = (at + 1) & (set->room - 1);
    return at;
}

static int set_grow(qcow2_set *set)
{
    qcow2_set bigger = {.room = set->room ? set->room * 2 : SET_LEAST, .count = set->count};

    bigger.cells = alloc_array(bigger.room, sizeof bigger.cells[0]);
    if (!bigger.cells)
        return 0;
    for (uint64_t i = 0; i < set->room; i++)
        if (set->cells[i])
            bigger.cells[set_cell(&bigger, set->cells[i] - 1)] = set->cells[i];
    alloc_free(set->cells);
    *set = bigger;
    return 1;
}

/* Those behind it that could have been here move up, so that looking for them finds no gap. */
static void set_remove(qcow2_set *set, uint64_t cluster)
{
    uint64_t mask = set->room - 1, gap = set_cell(set, cluster);

    if (!set->cells[gap])
        return;
    for (uint64_t at = (gap + 1) & mask; set->cells[at]; at = (at + 1) & mask) {
        uint64_t home = set_home(set, set->cells[at] - 1);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        set->cells[gap] = set->cells[at];
        gap = at;
    }
    set->cells[gap] = 0;
    set->count--;
}

int qcow2_metadata_has(const qcow2 *q, uint64_t cluster)
{
    return q->metadata.room && q->metadata.cells[set_cell(&q->metadata, cluster)] != 0;
}

vsdk_status qcow2_metadata_add(qcow2 *q, qcow2_run run, const char *what, vsdk_error *error)
{
    qcow2_set *set = &q->metadata;

    if (!q->writable)
        return VSDK_OK;
    for (uint64_t cluster = run.first; cluster < run.first + run.count; cluster++) {
        if (2 * (set->count + 1) > set->room && !set_grow(set))
            return qcow2_no_memory(q, error);
        uint64_t cell = set_cell(set, cluster);
        if (set->cells[cell])
            return qcow2_malformed(q, error, "%s is at 0x%llx, where another table is", what,
                                   (unsigned long long)cluster << q->cluster_bits);
        set->cells[cell] = cluster + 1;
        set->count++;
    }
    return VSDK_OK;
}

void qcow2_metadata_remove(qcow2 *q, qcow2_run run)
{
    for (uint64_t cluster = run.first; q->writable && cluster < run.first + run.count; cluster++)
        set_remove(&q->metadata, cluster);
}

static qcow2_run table_run(const qcow2 *q, uint64_t offset, uint64_t bytes)
{
    return (qcow2_run){qcow2_cluster(q, offset), qcow2_clusters(q, bytes)};
}

static vsdk_status collect_blocks(qcow2 *q, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    for (uint64_t i = 0; !status && i < q->reftable_size; i++) {
        uint64_t offset = 0;
        status = qcow2_refcount_block(q, i, &offset, error);
        if (!status && offset)
            status = qcow2_metadata_add(q, table_run(q, offset, 1), "a refcount block", error);
    }
    return status;
}

static vsdk_status collect_l2(qcow2 *q, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;
    uint64_t covers = UINT64_C(1) << (qcow2_l2_bits(q) + q->cluster_bits);

    for (uint64_t i = 0; !status && i < q->l1_size; i++) {
        uint64_t offset = 0;
        int mine;
        if (q->l1[i])
            status = qcow2_l2_of(q, i * covers, &offset, &mine, error);
        if (!status && offset)
            status = qcow2_metadata_add(q, table_run(q, offset, 1), "an L2 table", error);
    }
    return status;
}

vsdk_status qcow2_metadata_collect(qcow2 *q, vsdk_error *error)
{
    vsdk_status status = qcow2_metadata_add(q, (qcow2_run){0, 1}, "the header", error);

    if (!status)
        status = qcow2_metadata_add(
            q, table_run(q, q->reftable_offset, q->reftable_size * sizeof(uint64_t)),
            "refcount_table_offset", error);
    if (!status && q->l1_size)
        status = qcow2_metadata_add(
            q, table_run(q, q->l1_offset, (uint64_t)q->l1_size * sizeof(uint64_t)),
            "l1_table_offset", error);
    if (!status)
        status = collect_blocks(q, error);
    return status ? status : collect_l2(q, error);
}
