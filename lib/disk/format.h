/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver of an image format is, and what it gets from the room's core.
 *
 * A disk is a chain of layers (disk_image): the topmost is written, each further one is the backing
 * of the one above and only read. A layer is of one format. A driver may trust its arguments:
 * offset and length are multiples of 512, length is not 0, and both lie within the capacity. It
 * trusts nothing that an image says: every number in it is checked before it is used, and work and
 * memory are bounded by the size of the file, or of the request.
 *
 * Threads. read, write, zero, discard, flush and map are called by several threads at once. A
 * driver locks itself. No lock of base/lock.h is held over file_* or over a call of another layer:
 * they sleep, and the lowest layer may be the embedder's code. What must be held over them is a
 * pthread mutex or rwlock of the driver's own, taken from the topmost layer down. open, close,
 * resize and check run alone.
 *
 * A failed call changes nothing that a guest was promised: what had been flushed is still there. */
#ifndef VSDK_DISK_FORMAT_H
#define VSDK_DISK_FORMAT_H

#include "disk/file.h"
#include <stdatomic.h>
#include <vsdk/disk.h>

typedef struct disk_format disk_format;
typedef struct disk_context disk_context; /* the core's: what the caller allowed */

enum {
    DISK_DEPTH_MOST = 16, /* layers of a chain */
    DISK_SECTOR = 512,
    DISK_HEAD = 4096, /* bytes that a probe sees at most */
};

/* Flags of an image. */
enum {
    DISK_IMAGE_READ_ONLY = 0x1,  /* set before open; a driver may add it in open */
    DISK_IMAGE_NO_BACKING = 0x2, /* set before open: don't open the backing, only note its name */
};

typedef struct disk_image {
    const disk_format *format;
    disk_file *file;           /* owned by the core; NULL for a layer without one */
    _Atomic uint64_t capacity; /* bytes, a multiple of 512: set by open and resize */
    void *state;               /* the driver's */
    struct disk_image
        *backing;       /* set by disk_open_backing; NULL: what is unallocated reads as zeros */
    char *backing_name; /* as the image has it, or NULL: set by disk_open_backing */
    const disk_context *context;
    uint32_t flags;
    uint32_t depth; /* 0 for the topmost */
    uint32_t
        block_size; /* what the driver likes best, such as its cluster: set by open; 0 for 512 */
} disk_image;

/* Flags of zero. */
enum { DISK_ZERO_MAY_UNMAP = 0x1 }; /* the room for them need not be kept */

typedef enum disk_extent_kind {
    DISK_EXTENT_DATA,        /* bytes of `file` from `file_offset` on */
    DISK_EXTENT_ZERO,        /* zeros */
    DISK_EXTENT_UNALLOCATED, /* not in this layer: the backing's, or zeros */
    DISK_EXTENT_OTHER,       /* only read can tell: compressed and the like */
} disk_extent_kind;

typedef struct disk_extent {
    disk_extent_kind kind;
    uint64_t length; /* how far it reaches: 1 to what was asked for */
    disk_file *file;
    uint64_t file_offset;
} disk_extent;

/* What create is told; the core has checked that capacity is a multiple of 512 and not 0. */
typedef struct disk_create_options {
    uint64_t capacity;
    uint32_t cluster_size;           /* 0 for the format's own choice */
    vsdk_disk_format backing_format; /* with backing: never VSDK_DISK_AUTO */
    const char *backing;             /* the name to write, or NULL */
    uint32_t flags;                  /* vsdk_disk_image_flags */
} disk_create_options;

/* An error may say any function: the core, which knows which one was called, puts it in its place.
 *
 * A NULL entry is something that the format can't: the core answers UNSUPPORTED for it, zeros are
 * written instead for zero, and a discard does nothing. An image without write is read-only. */
struct disk_format {
    const char *name; /* lower case: "qcow2" */
    vsdk_disk_format id;
    /* How sure it is that a file is of this format: 0 (no) to 100. `head` has the first `length`
     * bytes, DISK_HEAD at most; what is further back the driver may read from the file. */
    int (*probe)(disk_file *file, const uint8_t *head, size_t length);
    /* Sets capacity and state. It may open its backing (disk_open_backing). After a failure the
     * core closes file and backing, and does not call close. */
    vsdk_status (*open)(disk_image *image, vsdk_error *error);
    /* Writes what is dirty, and frees state. The error is told by vsdk_disk_flush before, or to
     * nobody. */
    void (*close)(disk_image *image);
    vsdk_status (*read)(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                        vsdk_error *error);
    vsdk_status (*write)(disk_image *image, uint64_t offset, const void *buffer, uint64_t length,
                         vsdk_error *error);
    vsdk_status (*zero)(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                        vsdk_error *error);
    /* What is there may be forgotten; reads as zeros or as it was. Never the backing's old bytes.
     */
    vsdk_status (*discard)(disk_image *image, uint64_t offset, uint64_t length, vsdk_error *error);
    /* All that was written before is safe against a loss of power, tables included. */
    vsdk_status (*flush)(disk_image *image, vsdk_error *error);
    vsdk_status (*resize)(disk_image *image, uint64_t capacity, vsdk_error *error);
    /* Counts what is wrong; with `repair` mends it. An error only when it could not look. */
    vsdk_status (*check)(disk_image *image, vsdk_disk_check_flags flags, vsdk_disk_report *report,
                         vsdk_error *error);
    vsdk_status (*map)(disk_image *image, uint64_t offset, uint64_t length, disk_extent *extent,
                       vsdk_error *error);
    /* Fills an empty file; the core flushes it. */
    vsdk_status (*create)(disk_file *file, const disk_create_options *options, vsdk_error *error);
    /* NULL: what the file takes. Called at any time, beside resize and check too; never waits. */
    uint64_t (*allocated)(disk_image *image);
    /* Several buffers in one call, for a format that hands them on to the host as they are; their
     * sum is `length`. NULL: the core calls read and write for each. */
    vsdk_status (*read_pieces)(disk_image *image, uint64_t offset, const vsdk_disk_buffer *pieces,
                               uint32_t count, uint64_t length, vsdk_error *error);
    vsdk_status (*write_pieces)(disk_image *image, uint64_t offset, const vsdk_disk_buffer *pieces,
                                uint32_t count, uint64_t length, vsdk_error *error);
};

/* All formats; VSDK_DISK_AUTO takes the surest probe, and raw is what is left. */
extern const disk_format disk_raw_format;
extern const disk_format disk_qcow2_format;
const disk_format *disk_format_find(vsdk_disk_format id); /* NULL for none */

/* What a driver calls. `name` is as the image has it: relative to the folder of the image's own
 * file. PERMISSION unless the caller allowed this path; LIMIT for a chain that is too deep or has a
 * loop. */
vsdk_status disk_open_backing(disk_image *image, const char *name, vsdk_disk_format format,
                              vsdk_error *error);
/* Bytes of the backing; zeros past its end, and where there is none. */
vsdk_status disk_read_backing(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                              vsdk_error *error);

/* Layers without a vsdk_disk around them: for drivers that have others inside, and for tests. */
vsdk_status disk_image_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                            vsdk_error *error);
vsdk_status disk_image_write(disk_image *image, uint64_t offset, const void *buffer,
                             uint64_t length, vsdk_error *error);
vsdk_status disk_image_zero(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                            vsdk_error *error);
vsdk_status disk_image_discard(disk_image *image, uint64_t offset, uint64_t length,
                               vsdk_error *error);
vsdk_status disk_image_flush(disk_image *image, vsdk_error *error);
void disk_image_close(disk_image *image); /* with its backing; may be NULL */

#endif
