/* SPDX-License-Identifier: Apache-2.0 */
/* A new image: header, refcount table, refcount blocks, L1, one after the other, in an empty file.
 * The header comes last, so that what a kill leaves is no image. Version 3, refcounts of 16 bits.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "disk/qcow2.h"

enum { CREATE_CLUSTER = 65536, CREATE_ORDER = 4, CREATE_BACKING_FORMAT = 0xe2792aca };

typedef struct layout {
    uint32_t bits, size; /* of a cluster */
    uint64_t l1_entries, l1_clusters;
    uint64_t table_clusters; /* of the refcount table */
    uint64_t blocks, total;
} layout;

static uint64_t whole(uint64_t amount, uint64_t unit)
{
    return amount / unit + (amount % unit != 0);
}

static vsdk_status layout_plan(layout *at, const disk_create_options *options, vsdk_error *error)
{
    uint64_t covers, counts;

    at->size = options->cluster_size ? options->cluster_size : CREATE_CLUSTER;
    if (at->size & (at->size - 1) || at->size < 1u << QCOW2_CLUSTER_BITS_LEAST ||
        at->size > 1u << QCOW2_CLUSTER_BITS_MOST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "cluster_size is %u: not a power of two from 512 to 2 MiB", at->size);
    at->bits = (uint32_t)__builtin_ctz(at->size);
    covers = (uint64_t)at->size * (at->size / sizeof(uint64_t));
    counts = (uint64_t)at->size * 8 >> CREATE_ORDER;
    at->l1_entries = whole(options->capacity, covers);
    if (options->capacity > INT64_MAX || at->l1_entries > QCOW2_L1_MOST / sizeof(uint64_t))
        return error_set(error, VSDK_ERROR_LIMIT, operation,
                         "capacity is %llu: too large for clusters of %u bytes",
                         (unsigned long long)options->capacity, at->size);
    at->l1_clusters = whole(at->l1_entries * sizeof(uint64_t), at->size);
    /* Blocks count also themselves and the table: more of them until it fits. */
    at->blocks = at->table_clusters = 1;
    for (;;) {
        at->total = 1 + at->table_clusters + at->blocks + at->l1_clusters;
        uint64_t blocks = whole(at->total, counts);
        uint64_t table = whole(blocks * sizeof(uint64_t), at->size);
        if (blocks <= at->blocks && table <= at->table_clusters)
            return VSDK_OK;
        at->blocks = blocks;
        at->table_clusters = table;
    }
}

/* The file's length when every cluster is in use. */
static uint64_t layout_whole(const layout *at, uint64_t capacity)
{
    uint64_t clusters = at->total + whole(capacity, at->size) + at->l1_entries;

    return (clusters + whole(clusters, (uint64_t)at->size * 8 >> CREATE_ORDER)) << at->bits;
}

static vsdk_status write_refcounts(disk_file *file, const layout *at, vsdk_error *error)
{
    uint64_t first = 1 + at->table_clusters, room = at->blocks << at->bits;
    uint64_t table_bytes = at->table_clusters << at->bits;
    uint8_t *blocks = alloc_zeroed(room), *table = alloc_zeroed(table_bytes);
    vsdk_status status = VSDK_OK;

    if (!blocks || !table)
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for tables");
    for (uint64_t i = 0; !status && i < at->total; i++)
        blocks[2 * i + 1] = 1;
    for (uint64_t i = 0; !status && i < at->blocks; i++)
        qcow2_store64(table + i * sizeof(uint64_t), (first + i) << at->bits);
    if (!status)
        status = file_write(file, first << at->bits, blocks, room, error);
    if (!status)
        status = file_write(file, at->size, table, table_bytes, error);
    alloc_free(blocks);
    alloc_free(table);
    return status;
}

/* The format's name as QEMU writes it. */
static const char *backing_name(vsdk_disk_format format)
{
    return format == VSDK_DISK_VHD ? "vpc" : vsdk_disk_format_name(format);
}

/* Behind the header: the backing's format, the end of extensions, the backing's name. */
static vsdk_status put_backing(uint8_t *head, const layout *at, const disk_create_options *options,
                               vsdk_error *error)
{
    const char *format = backing_name(options->backing_format);
    size_t length = strlen(options->backing), format_length = strlen(format);
    size_t start = QCOW2_HEADER_V3, name = start + 8 + (format_length + 7) / 8 * 8 + 8;

    if (!length || length > QCOW2_NAME_MOST || name + length > at->size)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the backing file's name has %zu bytes, and there is room for %zu", length,
                         at->size - name < QCOW2_NAME_MOST ? at->size - name
                                                           : (size_t)QCOW2_NAME_MOST);
    qcow2_store32(head + start, CREATE_BACKING_FORMAT);
    qcow2_store32(head + start + 4, (uint32_t)format_length);
    memcpy(head + start + 8, format, format_length);
    memcpy(head + name, options->backing, length);
    qcow2_store64(head + QCOW2_AT_BACKING, name);
    qcow2_store32(head + QCOW2_AT_BACKING_SIZE, (uint32_t)length);
    return VSDK_OK;
}

static void put_header(uint8_t *head, const layout *at, const disk_create_options *options)
{
    qcow2_store32(head, QCOW2_MAGIC);
    qcow2_store32(head + QCOW2_AT_VERSION, 3);
    qcow2_store32(head + QCOW2_AT_CLUSTER_BITS, at->bits);
    qcow2_store64(head + QCOW2_AT_SIZE, options->capacity);
    qcow2_store32(head + QCOW2_AT_L1_SIZE, (uint32_t)at->l1_entries);
    qcow2_store64(head + QCOW2_AT_L1, (1 + at->table_clusters + at->blocks) << at->bits);
    qcow2_store64(head + QCOW2_AT_REFTABLE, at->size);
    qcow2_store32(head + QCOW2_AT_REFTABLE_CLUSTERS, (uint32_t)at->table_clusters);
    /* Ours are never late; for a program that makes use of it. */
    if (options->flags & VSDK_DISK_LAZY_REFCOUNTS)
        qcow2_store64(head + QCOW2_AT_COMPATIBLE, 1);
    qcow2_store32(head + QCOW2_AT_REFCOUNT_ORDER, CREATE_ORDER);
    qcow2_store32(head + QCOW2_AT_HEADER_LENGTH, QCOW2_HEADER_V3);
}

vsdk_status qcow2_create(disk_file *file, const disk_create_options *options, vsdk_error *error)
{
    layout at = {0};
    vsdk_status status = layout_plan(&at, options, error);

    if (status)
        return status;
    uint8_t *head = alloc_zeroed(at.size);
    if (!head)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for a header");
    put_header(head, &at, options);
    if (options->backing)
        status = put_backing(head, &at, options, error);
    /* What is not written below is the L1 table: zeros. */
    if (!status)
        status = file_set_length(file, at.total << at.bits, error);
    if (!status)
        status = write_refcounts(file, &at, error);
    if (!status)
        status = file_flush(file, error);
    if (!status)
        status = file_write(file, 0, head, at.size, error);
    alloc_free(head);
    if (!status && options->flags & VSDK_DISK_PREALLOCATE)
        status = file_allocate(file, layout_whole(&at, options->capacity), error);
    return status;
}
