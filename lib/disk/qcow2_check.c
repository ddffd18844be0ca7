/* SPDX-License-Identifier: Apache-2.0 */
/* Checking: what each refcount must be is counted from the tables and compared with what it is.
 *
 * The memory for it does not grow with the image: WINDOW clusters of the file are counted at a
 * time, and the tables are walked once for each window. A walk visits at most as many L2 tables for
 * one L1 table as the file has clusters. What is malformed is counted in the first walk, and passed
 * over.
 *
 * Repair: a refcount that is too high is lowered (leaks), one that is too low is raised; then the
 * entries say again whether their cluster is theirs alone. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "disk/qcow2.h"
#include <stdarg.h>
#include <stdio.h>

enum { WINDOW = 4 << 20, WINDOWS_MOST = 4096, SNAPSHOT_HEAD = 40, BITMAP_HEAD = 24 };

typedef struct checking {
    qcow2 *q;
    vsdk_disk_report *report;
    vsdk_error *error;
    vsdk_status status; /* not of the image: that it could not be read */
    int repair;
    uint64_t clusters; /* of the file, and of what refcount blocks count */
    qcow2_run window;
    uint32_t *counts;

} checking;

static void check_note(checking *c, uint64_t *counter, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void check_note(checking *c, uint64_t *counter, const char *format, ...)
{
    va_list arguments;

    if (!c->report->first[0]) {
        va_start(arguments, format);
        vsnprintf(c->report->first, sizeof c->report->first, format, arguments);
        va_end(arguments);
        error_cut(c->report->first, strlen(c->report->first));
    }
    ++*counter;
}

/* A call failed: what an image says is counted in the first walk, anything else ends the check. */
static void check_failed(checking *c, vsdk_status status, const vsdk_error *error)
{
    if (status == VSDK_ERROR_FORMAT) {
        if (!c->window.first)
            check_note(c, &c->report->errors, "%s", error->message);
    } else if (!c->status) {
        c->status = status;
        if (c->error)
            *c->error = *error;
    }
}

/* Some bytes of the file are in use. */
static void check_use(checking *c, uint64_t offset, uint64_t bytes)
{
    uint64_t first = qcow2_cluster(c->q, offset);
    uint64_t end = bytes ? qcow2_cluster(c->q, offset + bytes - 1) + 1 : first;

    if (first < c->window.first)
        first = c->window.first;
    if (end > c->window.first + c->window.count)
        end = c->window.first + c->window.count;
    for (; first < end; first++)
        if (c->counts[first - c->window.first] < UINT32_MAX)
            c->counts[first - c->window.first]++;
}

/* A table that must lie in the file, its last cluster perhaps not whole. */
static int check_in_file(checking *c, const char *what, uint64_t offset, uint64_t bytes)
{
    qcow2 *q = c->q;
    uint64_t end = qcow2_clusters(q, q->length) << q->cluster_bits;

    if (offset && !qcow2_within(q, offset) && checked_within(offset, bytes, end)) {
        check_use(c, offset, bytes);
        return 1;
    }
    if (!c->window.first)
        check_note(c, &c->report->errors, "%s at 0x%llx is not aligned, or outside the file", what,
                   (unsigned long long)offset);
    return 0;
}

/* Compressed data may begin in one cluster and end in the next: both count. */
static void check_entry(checking *c, uint64_t entry, int active)
{
    vsdk_error error = {0};
    qcow2_place place;
    vsdk_status status = qcow2_place_of(c->q, entry, &place, &error);

    if (status) {
        check_failed(c, status, &error);
        return;
    }
    if (place.host)
        check_use(c, place.host, place.kind == QCOW2_COMPRESSED ? place.bytes : 1);
    if (active && !c->window.first && (place.host || place.kind == QCOW2_ZERO))
        c->report->allocated++;
}

/* Through the cache, where a table may be newer than in the file. */
static void check_l2(checking *c, uint64_t table, int active)
{
    qcow2 *q = c->q;

    for (uint64_t at = 0; at < q->cluster_size && !c->status; at += q->l2.size) {
        vsdk_error error = {0};
        qcow2_slice *slice;
        vsdk_status status = qcow2_cache_get(q, &q->l2, table + at, &slice, &error);
        if (status) {
            check_failed(c, status, &error);
            return;
        }
        for (uint32_t i = 0; i < q->l2.size; i += sizeof(uint64_t))
            check_entry(c, qcow2_load64(slice->bytes + i), active);
    }
}

/* Of the image, or of a snapshot: read piece by piece, since a snapshot's may be of any size. */
static void check_l1(checking *c, const char *what, uint64_t offset, uint64_t entries, int active)
{
    uint64_t visited = 0, piece[QCOW2_SLICE_ENTRIES];
    qcow2 *q = c->q;

    if (!entries || !check_in_file(c, what, offset, entries * sizeof(uint64_t)))
        return;
    for (uint64_t i = 0; i < entries && !c->status; i++) {
        vsdk_error error = {0};
        uint64_t within = i % QCOW2_SLICE_ENTRIES, left = entries - i;
        vsdk_status status = VSDK_OK;
        if (!within)
            status = qcow2_file_read(q, offset + i * sizeof(uint64_t), piece,
                                     (left < QCOW2_SLICE_ENTRIES ? left : QCOW2_SLICE_ENTRIES) *
                                         sizeof(uint64_t),
                                     &error);
        if (status) {
            check_failed(c, status, &error);
            return;
        }
        uint64_t table = be64toh(piece[within]) & QCOW2_OFFSET;
        if (!piece[within] || !check_in_file(c, "an L2 table", table, q->cluster_size))
            continue;
        if (++visited > c->clusters) {
            if (!c->window.first)
                check_note(c, &c->report->errors,
                           "%s names more L2 tables than the file has clusters", what);
            return;
        }
        check_l2(c, table, active);
    }
}

/* The snapshots' tables, one after the other: entries of different lengths. */
static void check_snapshots(checking *c)
{
    qcow2 *q = c->q;
    uint64_t at = q->snapshot_table;
    uint8_t head[SNAPSHOT_HEAD];

    for (uint32_t i = 0; i < q->snapshots && !c->status; i++) {
        vsdk_error error = {0};
        if (!checked_within(at, sizeof head, q->length)) {
            if (!c->window.first)
                check_note(c, &c->report->errors, "snapshot %u of nb_snapshots is outside the file",
                           i);
            return;
        }
        vsdk_status status = qcow2_file_read(q, at, head, sizeof head, &error);
        if (status) {
            check_failed(c, status, &error);
            return;
        }
        uint64_t entries = qcow2_load32(head + 8);
        if (entries > QCOW2_L1_MOST / sizeof(uint64_t)) {
            if (!c->window.first)
                check_note(c, &c->report->errors, "snapshot %u has an L1 table of %llu entries", i,
                           (unsigned long long)entries);
        } else {
            check_l1(c, "a snapshot's L1 table", qcow2_load64(head), entries, 0);
        }
        at += (SNAPSHOT_HEAD + (uint64_t)qcow2_load32(head + 36) + (head[12] << 8 | head[13]) +
               (head[14] << 8 | head[15]) + 7) &
              ~UINT64_C(7);
    }
    if (q->snapshots)
        check_in_file(c, "the snapshot table", q->snapshot_table, at - q->snapshot_table);
}

static void check_bitmap(checking *c, uint64_t table, uint64_t entries)
{
    qcow2 *q = c->q;
    uint8_t bytes[8];

    if (!check_in_file(c, "a bitmap table", table, entries * sizeof bytes))
        return;
    for (uint64_t i = 0; i < entries && !c->status; i++) {
        vsdk_error error = {0};
        vsdk_status status =
            qcow2_file_read(q, table + i * sizeof bytes, bytes, sizeof bytes, &error);
        if (status) {
            check_failed(c, status, &error);
            return;
        }
        uint64_t data = qcow2_load64(bytes) & QCOW2_OFFSET;
        if (data)
            check_in_file(c, "a bitmap's cluster", data, 1);
    }
}

/* Only as long as their auto-clear bit says that they are valid; else they are leaks, as for QEMU.
 */
static void check_bitmaps(checking *c)
{
    qcow2 *q = c->q;
    uint64_t at = q->bitmap_directory, end = at + q->bitmap_directory_size;
    uint8_t head[BITMAP_HEAD];

    if (!q->bitmaps || q->touched ||
        !check_in_file(c, "the bitmap directory", at, q->bitmap_directory_size))
        return;
    while (at + sizeof head <= end && !c->status) {
        vsdk_error error = {0};
        vsdk_status status = qcow2_file_read(q, at, head, sizeof head, &error);
        if (status) {
            check_failed(c, status, &error);
            return;
        }
        check_bitmap(c, qcow2_load64(head), qcow2_load32(head + 8));
        at += (BITMAP_HEAD + (uint64_t)(head[18] << 8 | head[19]) + qcow2_load32(head + 20) + 7) &
              ~UINT64_C(7);
    }
}

/* Everything that uses clusters, for one window. */
static void check_walk(checking *c)
{
    qcow2 *q = c->q;

    memset(c->counts, 0, c->window.count * sizeof c->counts[0]);
    check_use(c, 0, 1);
    check_in_file(c, "the refcount table", q->reftable_offset, q->reftable_size * sizeof(uint64_t));
    for (uint64_t i = 0; i < q->reftable_size; i++) {
        vsdk_error error = {0};
        uint64_t block;
        vsdk_status status = qcow2_refcount_block(q, i, &block, &error);
        if (status)
            check_failed(c, status, &error);
        else if (block)
            check_use(c, block, 1);
    }
    check_l1(c, "the L1 table", q->l1_offset, q->l1_size, 1);
    check_snapshots(c);
    check_bitmaps(c);
}

/* A refcount that has no block, or no room for the number, stays wrong. */
static int check_mend(checking *c, uint64_t cluster, uint64_t wanted)
{
    if (!c->repair || wanted > qcow2_refcount_most(c->q) ||
        qcow2_refcount_set(c->q, cluster, wanted, NULL))
        return 0;
    c->report->repaired++;
    if (!wanted && cluster < c->q->free_from)
        c->q->free_from = cluster;
    return 1;
}

static void check_compare(checking *c)
{
    for (uint64_t i = 0; i < c->window.count && !c->status; i++) {
        uint64_t cluster = c->window.first + i, count, wanted = c->counts[i];
        vsdk_error error = {0};
        vsdk_status status = qcow2_refcount_get(c->q, cluster, &count, &error);
        if (status == VSDK_ERROR_FORMAT)
            continue; /* counted with its block */
        if (status)
            check_failed(c, status, &error);
        else if (count < wanted && !check_mend(c, cluster, wanted))
            check_note(c, &c->report->errors, "the refcount of cluster %llu is %llu, not %llu",
                       (unsigned long long)cluster, (unsigned long long)count,
                       (unsigned long long)wanted);
        else if (count > wanted && !check_mend(c, cluster, wanted))
            check_note(c, &c->report->leaks, "cluster %llu is lost: its refcount is %llu, not %llu",
                       (unsigned long long)cluster, (unsigned long long)count,
                       (unsigned long long)wanted);
    }
}

/* Whether an entry of the active tables says rightly that its cluster is its own; the right entry.
 */
static uint64_t check_mine(checking *c, uint64_t entry, uint64_t host, const char *what)
{
    vsdk_error error = {0};
    uint64_t count;
    vsdk_status status = qcow2_refcount_get(c->q, qcow2_cluster(c->q, host), &count, &error);
    uint64_t right = count == 1 ? entry | QCOW2_MINE : entry & ~QCOW2_MINE;

    if (status)
        check_failed(c, status, &error);
    if (status || right == entry)
        return entry;
    if (c->repair) {
        c->report->repaired++;
        return right;
    }
    check_note(c, &c->report->errors, "%s 0x%llx: its bit 63 is wrong, the refcount is %llu", what,
               (unsigned long long)entry, (unsigned long long)count);
    return entry;
}

static void check_mine_entries(checking *c, uint64_t table)
{
    qcow2 *q = c->q;
    qcow2_place place;

    for (uint64_t at = 0; at < q->cluster_size && !c->status; at += sizeof(uint64_t)) {
        vsdk_error error = {0};
        qcow2_slice *slice;
        vsdk_status status = qcow2_cache_get(q, &q->l2, table + at, &slice, &error);
        if (status) {
            check_failed(c, status, &error);
            return;
        }
        uint8_t *bytes = slice->bytes + at % q->l2.size;
        uint64_t entry = qcow2_load64(bytes);
        if (qcow2_place_of(q, entry, &place, NULL) || !place.host || place.kind == QCOW2_COMPRESSED)
            continue;
        uint64_t right = check_mine(c, entry, place.host, "L2 entry");
        if (right != entry) {
            qcow2_store64(bytes, right);
            qcow2_cache_dirty(&q->l2, slice);
        }
    }
}

static void check_mine_all(checking *c)
{
    qcow2 *q = c->q;
    uint64_t covers = UINT64_C(1) << (qcow2_l2_bits(q) + q->cluster_bits);

    for (uint64_t i = 0; i < q->l1_size && !c->status; i++) {
        uint64_t table, entry = be64toh(q->l1[i]);
        vsdk_error error = {0};
        int mine;
        if (qcow2_l2_of(q, i * covers, &table, &mine, NULL) || !table)
            continue;
        uint64_t right = check_mine(c, entry, table, "L1 entry");
        if (right != entry) {
            q->l1[i] = htobe64(right);
            vsdk_status status = qcow2_file_write(q, q->l1_offset + i * sizeof(uint64_t), &q->l1[i],
                                                  sizeof(uint64_t), &error);
            if (status)
                check_failed(c, status, &error);
        }
        /* Entries of a table that is a snapshot's too tell nothing. */
        if (right & QCOW2_MINE)
            check_mine_entries(c, table);
    }
}

/* How many clusters there are to look at. */
static vsdk_status check_size(checking *c)
{
    qcow2 *q = c->q;

    c->clusters = qcow2_clusters(q, q->length);
    for (uint64_t i = q->reftable_size; i-- > 0;)
        if (q->reftable[i]) {
            uint64_t counted = (i + 1) << qcow2_block_bits(q);
            c->clusters = c->clusters > counted ? c->clusters : counted;
            break;
        }
    if (c->clusters / WINDOW < WINDOWS_MOST)
        return VSDK_OK;
    return error_set(c->error, VSDK_ERROR_LIMIT, operation,
                     "%s has %llu clusters: too many to be checked", file_name(q->file),
                     (unsigned long long)c->clusters);
}

static vsdk_status check_run(checking *c)
{
    qcow2 *q = c->q;
    vsdk_status status = check_size(c);

    if (status)
        return status;
    uint64_t step = c->clusters < WINDOW ? c->clusters : WINDOW;
    c->counts = alloc_array(step, sizeof c->counts[0]);
    if (!c->counts)
        return qcow2_no_memory(q, c->error);
    for (uint64_t first = 0; first < c->clusters && !c->status; first += step) {
        c->window.first = first;
        c->window.count = c->clusters - first < step ? c->clusters - first : step;
        check_walk(c);
        check_compare(c);
    }
    alloc_free(c->counts);
    if (!c->status)
        check_mine_all(c);
    c->report->clusters = qcow2_clusters(q, q->size);
    return c->status;
}

static vsdk_status check_all(qcow2 *q, int repair, vsdk_disk_report *report, vsdk_error *error)
{
    checking c = {.q = q, .report = report, .error = error, .repair = repair};
    vsdk_status status = VSDK_OK;

    /* Twice: what the first frees, the second writes. */
    if (q->writable)
        status = qcow2_sync(q, error);
    if (!status)
        status = check_run(&c);
    if (!status && q->writable)
        status = qcow2_sync(q, error);
    return status;
}

vsdk_status qcow2_check(disk_image *image, vsdk_disk_check_flags flags, vsdk_disk_report *report,
                        vsdk_error *error)
{
    qcow2 *q = image->state;
    int repair = flags & VSDK_DISK_REPAIR && q->writable;

    qcow2_lock(q);
    vsdk_status status = repair ? qcow2_touch(q, error) : VSDK_OK;
    if (!status)
        status = check_all(q, repair, report, error);
    qcow2_unlock(q);
    return status;
}

/* The dirty bit goes only when all that can be wrong was mended and is on the disk. */
vsdk_status qcow2_rebuild(qcow2 *q, vsdk_error *error)
{
    vsdk_disk_report report = {0};
    uint8_t field[8];
    vsdk_status status = check_all(q, 1, &report, error);

    if (!status && report.errors)
        return qcow2_malformed(q, error, "its dirty bit is set, and it can't be mended: %s",
                               report.first);
    if (status)
        return status;
    q->incompatible &= ~(uint64_t)QCOW2_DIRTY;
    qcow2_store64(field, q->incompatible);
    status = qcow2_file_write(q, QCOW2_AT_INCOMPATIBLE, field, sizeof field, error);
    return status ? status : file_flush(q->file, error);
}
