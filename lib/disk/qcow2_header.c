/* SPDX-License-Identifier: Apache-2.0 */
/* The header and its extensions, the L1 table and the refcount table: read once, each field checked
 * before it is used. No table is larger than the limits of qcow2.h, nor than the file that it is
 * in. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "disk/qcow2.h"
#include <stdio.h>

enum {
    EXTENSION_BACKING_FORMAT = 0xe2792aca,
    EXTENSION_FEATURES = 0x6803f857,
    EXTENSION_BITMAPS = 0x23852875,
    FEATURE_ROW = 48, /* of the table of names: type, bit, name */
    KNOWN_FEATURES =
        QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_EXTERNAL | QCOW2_COMPRESSION | QCOW2_EXTENDED_L2,
    HEADER_MOST = 65536, /* bytes of header and extensions */
};

/* The first cluster as far as it is of interest. */
typedef struct header {
    uint8_t *bytes;
    uint64_t length;
    char backing_format[16];
    char features[96]; /* the names of incompatible features that we don't know */
} header;

int qcow2_probe(disk_file *file, const uint8_t *head, size_t length)
{
    return length >= QCOW2_HEADER_V2 && qcow2_load32(head) == QCOW2_MAGIC &&
                   qcow2_load32(head + QCOW2_AT_VERSION) >= 2
               ? 100
               : 0;
}

/* Whole features that are valid, and that this driver has not. */
static vsdk_status header_unsupported(qcow2 *q, vsdk_error *error, const char *what)
{
    return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "%s: %s", file_name(q->file), what);
}

/* What the other fields need to be found: version, cluster size, the header's own length. */
static vsdk_status header_size(qcow2 *q, const uint8_t *head, vsdk_error *error)
{
    if (q->length < QCOW2_HEADER_V2 || qcow2_load32(head) != QCOW2_MAGIC)
        return qcow2_malformed(q, error, "no qcow2 image: magic is not QFI");
    q->version = qcow2_load32(head + QCOW2_AT_VERSION);
    if (q->version < 2 || q->version > 3)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "%s: version is %u, and 2 and 3 are known", file_name(q->file),
                         q->version);
    q->cluster_bits = qcow2_load32(head + QCOW2_AT_CLUSTER_BITS);
    if (q->cluster_bits < QCOW2_CLUSTER_BITS_LEAST || q->cluster_bits > QCOW2_CLUSTER_BITS_MOST)
        return qcow2_malformed(q, error, "cluster_bits is %u, not %u to %u", q->cluster_bits,
                               (unsigned)QCOW2_CLUSTER_BITS_LEAST,
                               (unsigned)QCOW2_CLUSTER_BITS_MOST);
    q->cluster_size = 1u << q->cluster_bits;
    q->header_length = QCOW2_HEADER_V2;
    if (q->version == 3) {
        q->header_length = qcow2_load32(head + QCOW2_AT_HEADER_LENGTH);
        if (q->header_length < QCOW2_HEADER_V3 || q->header_length % 8 ||
            q->header_length > q->cluster_size || q->header_length > HEADER_MOST)
            return qcow2_malformed(q, error, "header_length is %u", q->header_length);
    }
    return VSDK_OK;
}

static vsdk_status header_load(qcow2 *q, header *header, vsdk_error *error)
{
    uint8_t head[QCOW2_HEADER_V3];

    q->length = file_length(q->file);
    vsdk_status status = qcow2_file_read(q, 0, head, sizeof head, error);
    if (!status)
        status = header_size(q, head, error);
    if (status)
        return status;
    header->length = q->cluster_size < HEADER_MOST ? q->cluster_size : HEADER_MOST;
    header->bytes = alloc_zeroed(header->length);
    if (!header->bytes)
        return qcow2_no_memory(q, error);
    return qcow2_file_read(q, 0, header->bytes, header->length, error);
}

/* Not checked yet. Version 2 ends before the features, which it has none of. */
static void header_fields(qcow2 *q, const uint8_t *bytes)
{
    q->size = qcow2_load64(bytes + QCOW2_AT_SIZE);
    q->l1_size = qcow2_load32(bytes + QCOW2_AT_L1_SIZE);
    q->l1_offset = qcow2_load64(bytes + QCOW2_AT_L1);
    q->reftable_offset = qcow2_load64(bytes + QCOW2_AT_REFTABLE);
    q->reftable_clusters = qcow2_load32(bytes + QCOW2_AT_REFTABLE_CLUSTERS);
    q->snapshots = qcow2_load32(bytes + QCOW2_AT_SNAPSHOTS);
    q->snapshot_table = qcow2_load64(bytes + QCOW2_AT_SNAPSHOT_TABLE);
    q->refcount_order = 4;
    if (q->version < 3)
        return;
    q->incompatible = qcow2_load64(bytes + QCOW2_AT_INCOMPATIBLE);
    q->autoclear = qcow2_load64(bytes + QCOW2_AT_AUTOCLEAR);
    q->refcount_order = qcow2_load32(bytes + QCOW2_AT_REFCOUNT_ORDER);
    if (q->header_length > QCOW2_AT_COMPRESSION)
        q->compression = bytes[QCOW2_AT_COMPRESSION];
}

/* The image's own names for features of `unknown`. */
static void features_name(header *header, uint64_t unknown, const uint8_t *rows, uint32_t length)
{
    size_t used = 0;

    for (; length >= FEATURE_ROW; rows += FEATURE_ROW, length -= FEATURE_ROW) {
        if (rows[0] != 0 || rows[1] > 63 || !(unknown >> rows[1] & 1) ||
            used >= sizeof header->features - 1)
            continue;
        int printed = snprintf(header->features + used, sizeof header->features - used, " (%.46s)",
                               (const char *)rows + 2);
        used += printed > 0 ? (size_t)printed : 0;
    }
}

/* Without their auto-clear bit somebody wrote the image who does not know bitmaps: they are void.
 */
static vsdk_status extension_bitmaps(qcow2 *q, const uint8_t *data, uint32_t length,
                                     vsdk_error *error)
{
    if (!(q->autoclear & QCOW2_BITMAPS))
        return VSDK_OK;
    if (length < 24)
        return qcow2_malformed(q, error, "the bitmaps extension has %u bytes, not 24", length);
    q->bitmaps = qcow2_load32(data);
    q->bitmap_directory_size = qcow2_load64(data + 8);
    q->bitmap_directory = qcow2_load64(data + 16);
    return VSDK_OK;
}

/* Unknown extensions stay in the file as they are: the header is changed field by field. */
static vsdk_status extension_take(qcow2 *q, header *header, uint32_t type, const uint8_t *data,
                                  uint32_t length, vsdk_error *error)
{
    if (type == EXTENSION_FEATURES)
        features_name(header, q->incompatible & ~(uint64_t)KNOWN_FEATURES, data, length);
    if (type == EXTENSION_BITMAPS)
        return extension_bitmaps(q, data, length, error);
    if (type != EXTENSION_BACKING_FORMAT)
        return VSDK_OK;
    if (length >= sizeof header->backing_format)
        return qcow2_malformed(q, error, "the backing file's format has a name of %u bytes",
                               length);
    memcpy(header->backing_format, data, length);
    return VSDK_OK;
}

/* From the header to the backing file's name, or to the end of what was read. The loop ends: each
 * turn takes 8 bytes or more. */
static vsdk_status extensions_read(qcow2 *q, header *header, vsdk_error *error)
{
    uint64_t name = qcow2_load64(header->bytes + QCOW2_AT_BACKING), at = q->header_length;
    uint64_t end = name && name < header->length ? name : header->length;
    vsdk_status status = VSDK_OK;

    while (!status && at + 8 <= end) {
        uint32_t type = qcow2_load32(header->bytes + at);
        uint32_t length = qcow2_load32(header->bytes + at + 4);
        at += 8;
        if (!type)
            break;
        if (length > end - at)
            return qcow2_malformed(q, error,
                                   "the header extension 0x%x has %u bytes and leaves the first "
                                   "cluster",
                                   type, length);
        status = extension_take(q, header, type, header->bytes + at, length, error);
        at += ((uint64_t)length + 7) & ~UINT64_C(7);
    }
    return status;
}

/* Incompatible features first: with an unknown one nothing else means what we think. */
static vsdk_status check_features(qcow2 *q, const header *header, vsdk_error *error)
{
    uint64_t unknown = q->incompatible & ~(uint64_t)KNOWN_FEATURES;

    if (unknown)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "%s: incompatible_features has the unknown bits 0x%llx%s",
                         file_name(q->file), (unsigned long long)unknown, header->features);
    if (qcow2_load32(header->bytes + QCOW2_AT_CRYPT))
        return header_unsupported(q, error, "crypt_method: encrypted images can't be used");
    if (q->incompatible & QCOW2_EXTERNAL)
        return header_unsupported(q, error,
                                  "incompatible_features: an external data file can't be used");
    if (q->incompatible & QCOW2_EXTENDED_L2)
        return header_unsupported(q, error,
                                  "incompatible_features: extended L2 entries can't be used");
    if (q->compression > 1 || !q->compression != !(q->incompatible & QCOW2_COMPRESSION))
        return qcow2_malformed(q, error, "compression_type is %u, and its feature bit is %s",
                               q->compression,
                               q->incompatible & QCOW2_COMPRESSION ? "set" : "clear");
    if (q->refcount_order > 6)
        return qcow2_malformed(q, error, "refcount_order is %u, not 0 to 6", q->refcount_order);
    return VSDK_OK;
}

/* A table is never longer than the file, so a small file can't ask for much memory. */
static vsdk_status check_table(qcow2 *q, const char *field, uint64_t offset, uint64_t bytes,
                               uint64_t most, vsdk_error *error)
{
    if (offset < q->cluster_size || qcow2_within(q, offset) ||
        !checked_within(offset, bytes, INT64_MAX) || offset >= q->length)
        return qcow2_malformed(q, error,
                               "%s is 0x%llx: not aligned to a cluster, or outside the file", field,
                               (unsigned long long)offset);
    if (bytes > most || bytes > q->length)
        return qcow2_malformed(q, error, "%s names a table of %llu bytes, which is too large",
                               field, (unsigned long long)bytes);
    return VSDK_OK;
}

static vsdk_status check_tables(qcow2 *q, vsdk_error *error)
{
    uint64_t covers = UINT64_C(1) << (qcow2_l2_bits(q) + q->cluster_bits);
    uint64_t needed = q->size / covers + (q->size % covers != 0);
    vsdk_status status = VSDK_OK;

    if (q->size > INT64_MAX)
        return qcow2_malformed(q, error, "size is %llu: too large", (unsigned long long)q->size);
    if (q->l1_size < needed)
        return qcow2_malformed(q, error, "l1_size is %u, and size needs %llu", q->l1_size,
                               (unsigned long long)needed);
    if (q->l1_size > QCOW2_L1_MOST / sizeof(uint64_t))
        return qcow2_malformed(q, error, "l1_size is %u: more than %u", q->l1_size,
                               (unsigned)(QCOW2_L1_MOST / sizeof(uint64_t)));
    if (q->l1_size)
        status = check_table(q, "l1_table_offset", q->l1_offset, q->l1_size * sizeof(uint64_t),
                             QCOW2_L1_MOST, error);
    if (status)
        return status;
    if (!q->reftable_clusters ||
        q->reftable_clusters > (uint32_t)QCOW2_REFTABLE_MOST >> q->cluster_bits)
        return qcow2_malformed(q, error, "refcount_table_clusters is %u, not 1 to %u",
                               q->reftable_clusters,
                               (unsigned)(QCOW2_REFTABLE_MOST >> q->cluster_bits));
    if (q->snapshots > QCOW2_SNAPSHOTS_MOST)
        return qcow2_malformed(q, error, "nb_snapshots is %u: more than %u", q->snapshots,
                               (unsigned)QCOW2_SNAPSHOTS_MOST);
    /* The file may end in the table's last cluster. */
    return check_table(q, "refcount_table_offset", q->reftable_offset, q->cluster_size,
                       q->cluster_size, error);
}

static vsdk_status read_table(qcow2 *q, uint64_t offset, uint64_t entries, uint64_t **table,
                              vsdk_error *error)
{
    *table = alloc_array(entries ? entries : 1, sizeof(uint64_t));
    if (!*table)
        return qcow2_no_memory(q, error);
    return qcow2_file_read(q, offset, *table, entries * sizeof(uint64_t), error);
}

/* L1 and the refcount table stay in memory, as they are in the file. */
static vsdk_status read_tables(qcow2 *q, vsdk_error *error)
{
    vsdk_status status = read_table(q, q->l1_offset, q->l1_size, &q->l1, error);

    q->reftable_size = (uint64_t)q->reftable_clusters << (q->cluster_bits - 3);
    if (!status)
        status = read_table(q, q->reftable_offset, q->reftable_size, &q->reftable, error);
    uint32_t slice = q->cluster_size < QCOW2_SLICE ? q->cluster_size : QCOW2_SLICE;
    qcow2_cache_init(&q->l2, slice, QCOW2_L2_SLICES);
    qcow2_cache_init(&q->refs, slice, QCOW2_REF_SLICES);
    return status;
}

/* Names that QEMU writes. */
static vsdk_status backing_format(qcow2 *q, const char *name, vsdk_disk_format *format,
                                  vsdk_error *error)
{
    static const struct {
        const char *name;
        vsdk_disk_format format;
    } known[] = {
        {"", VSDK_DISK_AUTO},     {"raw", VSDK_DISK_RAW}, {"qcow2", VSDK_DISK_QCOW2},
        {"vmdk", VSDK_DISK_VMDK}, {"vpc", VSDK_DISK_VHD}, {"vhdx", VSDK_DISK_VHDX},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(known[i].name, name)) {
            *format = known[i].format;
            return VSDK_OK;
        }
    return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                     "%s: the format of its backing file, %s, is unknown", file_name(q->file),
                     name);
}

/* The name is as hostile as the rest: whether that file may be opened the core decides. */
static vsdk_status backing_open(qcow2 *q, const header *header, vsdk_error *error)
{
    uint64_t offset = qcow2_load64(header->bytes + QCOW2_AT_BACKING);
    uint32_t length = qcow2_load32(header->bytes + QCOW2_AT_BACKING_SIZE);
    char name[QCOW2_NAME_MOST + 1];
    vsdk_disk_format format = VSDK_DISK_AUTO;

    if (!offset)
        return VSDK_OK;
    if (!length || length > QCOW2_NAME_MOST || !checked_within(offset, length, q->cluster_size))
        return qcow2_malformed(q, error,
                               "backing_file_size is %u, or backing_file_offset 0x%llx leaves the "
                               "first cluster",
                               length, (unsigned long long)offset);
    vsdk_status status = qcow2_file_read(q, offset, name, length, error);
    if (status)
        return status;
    name[length] = 0;
    if (strlen(name) != length)
        return qcow2_malformed(q, error, "the backing file's name has a zero byte");
    status = backing_format(q, header->backing_format, &format, error);
    return status ? status : disk_open_backing(q->image, name, format, error);
}

vsdk_status qcow2_header_read(qcow2 *q, vsdk_error *error)
{
    header header = {0};
    vsdk_status status = header_load(q, &header, error);

    if (!status) {
        header_fields(q, header.bytes);
        status = extensions_read(q, &header, error);
    }
    if (!status)
        status = check_features(q, &header, error);
    if (!status)
        status = check_tables(q, error);
    if (!status)
        status = read_tables(q, error);
    if (!status)
        status = backing_open(q, &header, error);
    alloc_free(header.bytes);
    return status;
}
