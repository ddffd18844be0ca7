/* SPDX-License-Identifier: Apache-2.0 */
/* The rooms of the qcow2 driver, and what they share.
 *
 * A guest's cluster is found through L1 (in memory) and L2 (a cache of slices). Which clusters of
 * the file are in use is counted in refcount blocks (another cache of slices), found through the
 * refcount table (in memory). `mutex` guards all of it; it is held over metadata's input and
 * output, never over a guest's data.
 *
 * What a kill at any point may cost is leaked clusters and nothing else. So:
 *  - An L2 entry is written behind a flush that covers the refcount and the bytes of its cluster
 *    (qcow2_write_back).
 *  - What an entry no longer points to stays counted until the change of the entry is on the disk,
 * and until nobody who saw the old entry still reads or writes there (qcow2_free_later).
 *  - New tables and refcount blocks are written and flushed before something points to them. */
#ifndef VSDK_DISK_QCOW2_H
#define VSDK_DISK_QCOW2_H

#include "disk/format.h"
#include <endian.h>
#include <pthread.h>
#include <string.h>

enum {
    QCOW2_MAGIC = 0x514649fb,
    QCOW2_HEADER_V2 = 72,
    QCOW2_HEADER_V3 = 104,
    QCOW2_CLUSTER_BITS_LEAST = 9,
    QCOW2_CLUSTER_BITS_MOST = 21,
    QCOW2_NAME_MOST = 1023,
    QCOW2_L1_MOST = 32 << 20,      /* bytes of an L1 table */
    QCOW2_REFTABLE_MOST = 8 << 20, /* bytes of a refcount table */
    QCOW2_SNAPSHOTS_MOST = 65536,
    QCOW2_SLICE = 4096, /* what is read and written of a table at once */
    QCOW2_SLICE_ENTRIES = QCOW2_SLICE / 8,
    QCOW2_L2_SLICES = 256, /* 1 MiB */
    QCOW2_REF_SLICES = 64,
    QCOW2_WAYS = 4, /* slices that one place of a table may be in */
    QCOW2_FREED = 1200,
    QCOW2_FREED_ROOM = QCOW2_SLICE_ENTRIES + 64, /* what one pass may free at most */
    QCOW2_COPY = 65536,                          /* bytes copied at once */
};

enum { QCOW2_DIRTY = 0x1, QCOW2_CORRUPT = 0x2, QCOW2_EXTERNAL = 0x4, QCOW2_COMPRESSION = 0x8 };
enum { QCOW2_EXTENDED_L2 = 0x10, QCOW2_BITMAPS = 0x1 };

/* Where the fields of the header are. */
enum {
    QCOW2_AT_VERSION = 4,
    QCOW2_AT_BACKING = 8,
    QCOW2_AT_BACKING_SIZE = 16,
    QCOW2_AT_CLUSTER_BITS = 20,
    QCOW2_AT_SIZE = 24,
    QCOW2_AT_CRYPT = 32,
    QCOW2_AT_L1_SIZE = 36,
    QCOW2_AT_L1 = 40,
    QCOW2_AT_REFTABLE = 48,
    QCOW2_AT_REFTABLE_CLUSTERS = 56,
    QCOW2_AT_SNAPSHOTS = 60,
    QCOW2_AT_SNAPSHOT_TABLE = 64,
    QCOW2_AT_INCOMPATIBLE = 72,
    QCOW2_AT_COMPATIBLE = 80,
    QCOW2_AT_AUTOCLEAR = 88,
    QCOW2_AT_REFCOUNT_ORDER = 96,
    QCOW2_AT_HEADER_LENGTH = 100,
    QCOW2_AT_COMPRESSION = 104,
};

#define QCOW2_OFFSET UINT64_C(0x00fffffffffffe00)
#define QCOW2_MINE UINT64_C(0x8000000000000000) /* its refcount is exactly one */
#define QCOW2_COMPRESSED_BIT UINT64_C(0x4000000000000000)
#define QCOW2_ZERO_BIT UINT64_C(1)

/* For all errors: the core puts the function that was called in its place. */
static const char operation[] = "vsdk_disk_open";

/* What an L2 entry says. */
typedef enum qcow2_kind {
    QCOW2_UNALLOCATED, /* the backing's bytes, or zeros */
    QCOW2_ZERO,        /* zeros; `host` is a cluster that is kept for it, or 0 */
    QCOW2_DATA,
    QCOW2_COMPRESSED,
} qcow2_kind;

typedef struct qcow2_place {
    qcow2_kind kind;
    int mine;       /* its cluster may be written in place */
    uint64_t host;  /* of its cluster; of the first byte where compressed */
    uint64_t bytes; /* of compressed data, at most */
} qcow2_place;

/* Clusters of the file, by number. */
typedef struct qcow2_run {
    uint64_t first, count;
} qcow2_run;

typedef struct qcow2_slice {
    uint64_t offset; /* in the file; 0: empty */
    uint64_t used;   /* when, by the cache's clock */
    int dirty;
    uint8_t *bytes; /* NULL until it was first needed */
} qcow2_slice;

typedef struct qcow2_cache {
    uint32_t size; /* of a slice */
    uint32_t count;
    uint32_t dirty; /* how many are */
    uint64_t clock;
    qcow2_slice slices[QCOW2_L2_SLICES];
} qcow2_cache;

/* The clusters that metadata is in, so that none is handed out or written as a guest's. */
typedef struct qcow2_set {
    uint64_t *cells; /* a cluster's number plus 1; 0: empty */
    uint64_t room;   /* a power of two */
    uint64_t count;
} qcow2_set;

/* Guest clusters whose entries are about to change. Others who would change them wait. */
typedef struct qcow2_change {
    qcow2_run run;
    struct qcow2_change *next;
} qcow2_change;

typedef struct qcow2 {
    disk_image *image;
    disk_file *file;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a change or a use is over */
    uint32_t waiting;

    uint32_t version, cluster_bits, refcount_order, header_length;
    uint32_t cluster_size, compression;
    uint64_t incompatible, autoclear;
    uint64_t size;           /* the header's, in bytes */
    _Atomic uint64_t length; /* of the file, as far as it is known to be written */
    uint32_t snapshots;
    uint64_t snapshot_table;
    uint64_t bitmap_directory, bitmap_directory_size; /* 0: none, or not valid */
    uint32_t bitmaps;
    int writable, touched;
    int failed; /* what the header or L1 says in the file is not known: nothing is written any more
                 */

    uint64_t l1_offset, reftable_offset;
    uint32_t l1_size; /* entries */
    uint32_t reftable_clusters;
    uint64_t *l1;       /* as in the file: big endian */
    uint64_t *reftable; /* the same */
    uint64_t reftable_size;

    qcow2_cache l2, refs;
    qcow2_set metadata;
    uint64_t free_from;  /* no cluster before is free */
    uint64_t fresh_from; /* no cluster from here on was ever in the file */
    qcow2_change *changes;

    /* Clusters to be freed: once the change that let go of them is on the disk they go from `freed`
     * to `durable`, and the generation changes; when all uses of the old one are over, they are
     * free. */
    uint32_t freed_count, durable_count;
    qcow2_run freed[QCOW2_FREED], durable[QCOW2_FREED];
    uint32_t generation;
    uint64_t uses[2];

    /* The compressed cluster that was read last. */
    pthread_mutex_t unpack_mutex;
    uint64_t unpacked_host;
    uint8_t *unpacked, *packed;
} qcow2;

static inline uint64_t qcow2_cluster(const qcow2 *q, uint64_t offset)
{
    return offset >> q->cluster_bits;
}

static inline uint64_t qcow2_within(const qcow2 *q, uint64_t offset)
{
    return offset & (q->cluster_size - 1);
}

static inline uint64_t qcow2_clusters(const qcow2 *q, uint64_t bytes)
{
    return qcow2_cluster(q, bytes) + (qcow2_within(q, bytes) != 0);
}

/* Entries of an L2 table, as bits. */
static inline uint32_t qcow2_l2_bits(const qcow2 *q)
{
    return q->cluster_bits - 3;
}

/* Refcounts of a refcount block, as bits. */
static inline uint32_t qcow2_block_bits(const qcow2 *q)
{
    return q->cluster_bits + 3 - q->refcount_order;
}

static inline uint64_t qcow2_load64(const void *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof value);
    return be64toh(value);
}

static inline uint32_t qcow2_load32(const void *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof value);
    return be32toh(value);
}

static inline void qcow2_store64(void *bytes, uint64_t value)
{
    value = htobe64(value);
    memcpy(bytes, &value, sizeof value);
}

static inline void qcow2_store32(void *bytes, uint32_t value)
{
    value = htobe32(value);
    memcpy(bytes, &value, sizeof value);
}

/* qcow2.c: FORMAT. */
vsdk_status qcow2_malformed(const qcow2 *q, vsdk_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
vsdk_status qcow2_no_memory(const qcow2 *q, vsdk_error *error);
/* Bytes of the file; zeros past its end, where the last cluster may be cut. */
vsdk_status qcow2_file_read(qcow2 *q, uint64_t offset, void *buffer, uint64_t length,
                            vsdk_error *error);
/* Writes a table, and knows of the file's new end. */
vsdk_status qcow2_file_write(qcow2 *q, uint64_t offset, const void *buffer, uint64_t length,
                             vsdk_error *error);
/* The lock, and waiting for a change or a use that ends. */
void qcow2_lock(qcow2 *q);
void qcow2_unlock(qcow2 *q);
void qcow2_wait(qcow2 *q);
/* All that the caller saw of the tables stays as it is in the file, until the use ends. */
uint32_t qcow2_use_begin(qcow2 *q);
void qcow2_use_end(qcow2 *q, uint32_t generation);
void qcow2_change_begin(qcow2 *q, qcow2_change *change);
void qcow2_change_end(qcow2 *q, qcow2_change *change);
/* How many clusters of a run come before the first that somebody else is changing. */
uint64_t qcow2_unchanging(const qcow2 *q, qcow2_run run);
/* Before the first change of an image: takes back what would not be true any more. */
vsdk_status qcow2_touch(qcow2 *q, vsdk_error *error);

/* qcow2_header.c */
int qcow2_probe(disk_file *file, const uint8_t *head, size_t length);
vsdk_status qcow2_header_read(qcow2 *q, vsdk_error *error);

/* qcow2_cache.c */
void qcow2_cache_init(qcow2_cache *cache, uint32_t size, uint32_t count);
void qcow2_cache_free(qcow2_cache *cache);
/* The slice that has this byte of a table; it stays until the next call for this cache. */
vsdk_status qcow2_cache_get(qcow2 *q, qcow2_cache *cache, uint64_t offset, qcow2_slice **slice,
                            vsdk_error *error);
void qcow2_cache_dirty(qcow2_cache *cache, qcow2_slice *slice);
/* What is cached of this cluster counts no more. */
void qcow2_cache_forget(qcow2 *q, qcow2_cache *cache, uint64_t cluster);
/* All dirty tables into the file, in an order that is right after a kill. */
vsdk_status qcow2_write_back(qcow2 *q, vsdk_error *error);
/* And onto the disk; frees what could not be freed before. */
vsdk_status qcow2_sync(qcow2 *q, vsdk_error *error);

/* qcow2_metadata.c */
vsdk_status qcow2_metadata_add(qcow2 *q, qcow2_run run, const char *what, vsdk_error *error);
void qcow2_metadata_remove(qcow2 *q, qcow2_run run);
int qcow2_metadata_has(const qcow2 *q, uint64_t cluster);
/* All that the header and the tables name; an error for what overlaps. */
vsdk_status qcow2_metadata_collect(qcow2 *q, vsdk_error *error);

/* qcow2_refcount.c */
vsdk_status qcow2_refcount_get(qcow2 *q, uint64_t cluster, uint64_t *count, vsdk_error *error);
vsdk_status qcow2_refcount_set(qcow2 *q, uint64_t cluster, uint64_t count, vsdk_error *error);
uint64_t qcow2_refcount_most(const qcow2 *q);
/* The offset of a refcount block; 0 for none. */
vsdk_status qcow2_refcount_block(qcow2 *q, uint64_t index, uint64_t *offset, vsdk_error *error);
/* One to `wanted` free clusters, with `exactly` all of them; they are in use from now on. */
vsdk_status qcow2_allocate(qcow2 *q, uint64_t wanted, int exactly, qcow2_run *run,
                           vsdk_error *error);
/* Of clusters that nothing points to and nobody knows of. */
void qcow2_free_now(qcow2 *q, qcow2_run run);
/* Of clusters that a table in memory no longer points to. */
void qcow2_free_later(qcow2 *q, qcow2_run run);
void qcow2_free_drain(qcow2 *q);
/* Until a pass may free as much as it can; may wait, and gives the lock away for it. */
vsdk_status qcow2_free_room(qcow2 *q, vsdk_error *error);

/* qcow2_map.c */
vsdk_status qcow2_place_of(const qcow2 *q, uint64_t entry, qcow2_place *place, vsdk_error *error);
/* What is at a guest's offset, and how far that goes on in the file, at most `length`. */
vsdk_status qcow2_look(qcow2 *q, uint64_t offset, uint64_t length, qcow2_place *place,
                       uint64_t *same, vsdk_error *error);
/* The offset of the L2 table of a guest's offset, and whether it may be written; 0 for none. */
vsdk_status qcow2_l2_of(const qcow2 *q, uint64_t offset, uint64_t *table, int *mine,
                        vsdk_error *error);
/* Sees to it that there is an L2 table of our own. */
vsdk_status qcow2_l2_own(qcow2 *q, uint64_t offset, vsdk_error *error);
/* The entries from a guest's offset on, and how many are in one piece there; NULL without a table.
 */
vsdk_status qcow2_entries(qcow2 *q, uint64_t offset, qcow2_slice **slice, uint8_t **entries,
                          uint64_t *count, vsdk_error *error);
/* Frees later what an entry pointed to. */
void qcow2_release(qcow2 *q, const qcow2_place *place);

/* qcow2_read.c */
vsdk_status qcow2_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                       vsdk_error *error);
/* Whether what is there reads as zeros without a look at bytes. */
int qcow2_reads_zero(const qcow2 *q, const qcow2_place *place, uint64_t offset, uint64_t length);
/* Bytes of one extent. The caller uses the tables, and has not the lock. */
vsdk_status qcow2_read_place(qcow2 *q, const qcow2_place *place, uint64_t offset, void *buffer,
                             uint64_t length, vsdk_error *error);
vsdk_status qcow2_map(disk_image *image, uint64_t offset, uint64_t length, disk_extent *extent,
                      vsdk_error *error);

/* qcow2_write.c */
vsdk_status qcow2_write(disk_image *image, uint64_t offset, const void *buffer, uint64_t length,
                        vsdk_error *error);

/* qcow2_zero.c */
vsdk_status qcow2_zero(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                       vsdk_error *error);
vsdk_status qcow2_discard(disk_image *image, uint64_t offset, uint64_t length, vsdk_error *error);
/* The clusters that lie within, to nothing: what the backing has shows. */
vsdk_status qcow2_cut(qcow2 *q, uint64_t offset, uint64_t length, vsdk_error *error);

/* qcow2_resize.c */
vsdk_status qcow2_resize(disk_image *image, uint64_t capacity, vsdk_error *error);

/* qcow2_create.c */
vsdk_status qcow2_create(disk_file *file, const disk_create_options *options, vsdk_error *error);

/* qcow2_check.c */
vsdk_status qcow2_check(disk_image *image, vsdk_disk_check_flags flags, vsdk_disk_report *report,
                        vsdk_error *error);
/* What the refcounts must be, from the tables: for an image whose dirty bit is set. */
vsdk_status qcow2_rebuild(qcow2 *q, vsdk_error *error);

/* qcow2_unpack.c */
vsdk_status qcow2_unpack(qcow2 *q, const qcow2_place *place, uint64_t within, void *buffer,
                         uint64_t length, vsdk_error *error);

#endif
