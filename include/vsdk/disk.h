/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks.
 *
 * A disk is a number of bytes that stay: a file of some image format, a block device, memory, or
 * something of the embedder's. A guest gets it through a device (virtio_block.h); a program may
 * read and write it by itself.
 *
 * Offsets and lengths are multiples of 512 bytes.
 *
 * Two ways to use it. The plain functions (vsdk_disk_read) wait until it is done. A channel
 * (vsdk_disk_channel_create) takes requests and calls back for each: on a thread of the disk's
 * pool, or inside the submit when the disk has none. Requests that overlap are in no order. What
 * was done before a flush began is safe when the flush is done.
 *
 * Backing files. An image may name another one for what it does not have itself. Who made the image
 * chose that name, and may be the guest: so a backing file is opened only when its path is one of
 * those that the embedder allows. For the same reason give format for an image that a guest has
 * written: a raw disk can be made to look like any other format.
 *
 * Locks. An image that is open is locked for other programs as QEMU does it: two may read it, one
 * may write it and nobody else then. qemu-img refuses a disk that is open here, and the other way
 * round.
 *
 * Nothing of a virtual machine is needed for a disk.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/disk.toml by abi/generate.py.
 */

#ifndef VSDK_DISK_H
#define VSDK_DISK_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/pool.h>
#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * A disk. Counted; with the last reference it is closed when what is in flight is done. Since 0.1.
 */
typedef struct vsdk_disk vsdk_disk;

/* Where requests to a disk are submitted and answered. Counted; it keeps the disk. Since 0.1. */
typedef struct vsdk_disk_channel vsdk_disk_channel;

/*
 * Who is told that a disk has another capacity. Counted; closing the last reference ends it. Since
 * 0.1.
 */
typedef struct vsdk_disk_watch vsdk_disk_watch;

/*
 * What a disk is made of.
 *
 * Since 0.1.
 */
enum vsdk_disk_format_values {
    VSDK_DISK_AUTO = 0,   /* Look at the file: raw is what is none of the others. Not for one
                             that a guest may have written as raw. */
    VSDK_DISK_RAW = 1,    /* The bytes as they are: a file, or a block device */
    VSDK_DISK_QCOW2 = 2,  /* QEMU's, version 2 and 3 */
    VSDK_DISK_VMDK = 3,   /* VMware's. This release has no driver for it: UNSUPPORTED. */
    VSDK_DISK_VHD = 4,    /* Of Virtual PC and older Hyper-V; VPC in QEMU. This release has no
                             driver for it: UNSUPPORTED. */
    VSDK_DISK_VHDX = 5,   /* Of Hyper-V. This release has no driver for it: UNSUPPORTED. */
    VSDK_DISK_MEMORY = 6, /* Memory of this process; it is lost with the disk */
    VSDK_DISK_CUSTOM = 7, /* Functions of the embedder's */
};
typedef uint32_t vsdk_disk_format;

/*
 * When a write is safe against a loss of power.
 *
 * Since 0.1.
 */
enum vsdk_disk_cache_values {
    VSDK_DISK_WRITEBACK = 0,    /* After the next flush */
    VSDK_DISK_WRITETHROUGH = 1, /* When it is done */
    VSDK_DISK_UNSAFE = 2,       /* Some time: flushes do nothing. For disks that can be made
                                   again. */
};
typedef uint32_t vsdk_disk_cache;

/*
 * Flags of a disk.
 *
 * Since 0.1.
 */
enum vsdk_disk_flags_values {
    VSDK_DISK_READ_ONLY = 0x1, /* It is only read */
    VSDK_DISK_DIRECT = 0x2,    /* Past the host's page cache (O_DIRECT) */
    VSDK_DISK_NO_LOCK = 0x4,   /* Neither lock it for other programs, nor look whether they have */
};
typedef uint32_t vsdk_disk_flags;

/*
 * Flags of a new image.
 *
 * Since 0.1.
 */
enum vsdk_disk_image_flags_values {
    VSDK_DISK_PREALLOCATE = 0x1,    /* Take the room on the host now */
    VSDK_DISK_LAZY_REFCOUNTS = 0x2, /* qcow2: reference counts may be late, and are mended after
                                       a crash */
};
typedef uint32_t vsdk_disk_image_flags;

/*
 * Flags of vsdk_disk_check.
 *
 * Since 0.1.
 */
enum vsdk_disk_check_flags_values {
    VSDK_DISK_REPAIR = 0x1, /* Mend what can be mended without losing data */
};
typedef uint32_t vsdk_disk_check_flags;

/*
 * What a request does.
 *
 * Since 0.1.
 */
enum vsdk_disk_operation_values {
    VSDK_DISK_READ = 1,         /* Fill the buffers */
    VSDK_DISK_WRITE = 2,        /* Write the buffers */
    VSDK_DISK_FLUSH = 3,        /* Make safe what was written */
    VSDK_DISK_DISCARD = 4,      /* Forget the bytes: they read as zeros, or as before */
    VSDK_DISK_WRITE_ZEROES = 5, /* Make the bytes zeros */
};
typedef uint32_t vsdk_disk_operation;

/*
 * Flags of a request.
 *
 * Since 0.1.
 */
enum vsdk_disk_request_flags_values {
    VSDK_DISK_MAY_UNMAP = 0x1, /* WRITE_ZEROES: the room on the host need not be kept */
};
typedef uint32_t vsdk_disk_request_flags;

/*
 * A piece of memory. Frozen: 16 bytes.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_disk_buffer {
    void *data;      /* (may be NULL) Its first byte. A write does not change it. */
    uint64_t length; /* (bytes) Any number; only the sum is a multiple of 512 */
} vsdk_disk_buffer;

/*
 * Something to do with a disk. The caller's, and the library's from the submit to the callback:
 * neither it nor its buffers are changed or freed meanwhile. Frozen: 128 bytes.
 *
 * 128 bytes. Since 0.1.
 */
typedef struct vsdk_disk_request {
    vsdk_disk_operation operation;   /* What to do */
    vsdk_disk_request_flags flags;   /* How */
    uint64_t offset;                 /* (bytes) Where */
    uint64_t length;                 /* (bytes) DISCARD and WRITE_ZEROES: how much. Not used by
                                        the others. */
    const vsdk_disk_buffer *buffers; /* (count elements, may be NULL) READ and WRITE: what to
                                        fill or write */
    uint32_t count;                  /* (entries) How many buffers, up to 1024 */
    vsdk_status status;              /* Out: how it went */
    uint64_t cookie;                 /* The caller's; not looked at */
    vsdk_error *error;               /* (may be NULL) Filled in when it fails, before the
                                        callback */
    uint64_t scratch[9];             /* The library's */
} vsdk_disk_request;

/*
 * A request is done. Its memory is the caller's again, and may be submitted again.
 *
 *   user     (may be NULL) The channel's pointer.
 *   request  (inout) The request: status says how it went.
 *
 * Runs on: A thread of the disk's pool, the one that submitted, or the one that drains or closes
 * the channel.
 * May call: everything but vsdk_disk_drain of this disk.
 * Since 0.1.
 */
typedef void (*vsdk_disk_done_fn)(void *user, vsdk_disk_request *request);

/*
 * A disk has another capacity.
 *
 *   user      (may be NULL) The pointer given with it.
 *   disk      (inout) The disk; borrowed.
 *   capacity  (bytes) What it has now.
 *
 * Runs on: The one that resized it.
 * May call: as vsdk_disk_done_fn.
 * Since 0.1.
 */
typedef void (*vsdk_disk_resized_fn)(void *user, vsdk_disk *disk, uint64_t capacity);

/*
 * Read from a disk of the embedder's. Several calls may run at once. The range lies within the
 * capacity.
 *
 *   user    (may be NULL) The disk's pointer.
 *   offset  (bytes) Where.
 *   buffer  (out, length bytes) To be filled.
 *   length  (bytes) How much.
 *
 * Returns: VSDK_OK when all bytes were read, or why not.
 * Runs on: A thread of the disk's pool, or the one that uses the disk.
 * May call: nothing of this disk.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_disk_read_fn)(void *user, uint64_t offset, void *buffer, uint64_t length,
                                         vsdk_error *error);

/*
 * Write to a disk of the embedder's. As vsdk_disk_read_fn.
 *
 *   user    (may be NULL) The disk's pointer.
 *   offset  (bytes) Where.
 *   buffer  (length bytes) What to write.
 *   length  (bytes) How much.
 *
 * Returns: VSDK_OK when all bytes were written, or why not.
 * Runs on: A thread of the disk's pool, or the one that uses the disk.
 * May call: nothing of this disk.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_disk_write_fn)(void *user, uint64_t offset, const void *buffer,
                                          uint64_t length, vsdk_error *error);

/*
 * Make safe what was written.
 *
 *   user  (may be NULL) The disk's pointer.
 *
 * Returns: VSDK_OK, or why not.
 * Runs on: A thread of the disk's pool, or the one that uses the disk.
 * May call: nothing of this disk.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_disk_flush_fn)(void *user, vsdk_error *error);

/*
 * Forget bytes, or make them zeros.
 *
 *   user    (may be NULL) The disk's pointer.
 *   offset  (bytes) Where.
 *   length  (bytes) How much.
 *   flags   How.
 *
 * Returns: VSDK_OK, or why not.
 * Runs on: A thread of the disk's pool, or the one that uses the disk.
 * May call: nothing of this disk.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_disk_range_fn)(void *user, uint64_t offset, uint64_t length,
                                          vsdk_disk_request_flags flags, vsdk_error *error);

/*
 * Give a disk of the embedder's another capacity. No other callback of it runs meanwhile.
 *
 *   user      (may be NULL) The disk's pointer.
 *   capacity  (bytes) What it shall have.
 *
 * Returns: VSDK_OK, or why not.
 * Runs on: The one that called vsdk_disk_resize.
 * May call: nothing of this disk.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_disk_resize_fn)(void *user, uint64_t capacity, vsdk_error *error);

/*
 * The functions of a disk of the embedder's. Copied.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 96 bytes. Since 0.1.
 */
typedef struct vsdk_disk_ops {
    uint32_t size;                   /* sizeof(vsdk_disk_ops) */
    uint32_t flags;                  /* Zero */
    vsdk_disk_read_fn read;          /* Read */
    vsdk_disk_write_fn write;        /* Write. NULL: the disk is read-only. */
    vsdk_disk_flush_fn flush;        /* Make safe what was written. NULL: it is when the write
                                        returns. */
    vsdk_disk_range_fn discard;      /* Forget bytes. NULL: they stay. */
    vsdk_disk_range_fn write_zeroes; /* Make bytes zeros. NULL: zeros are written. */
    vsdk_disk_resize_fn resize;      /* Change the capacity. NULL: it can't change. */
    vsdk_release_fn release;         /* (may be NULL) The disk is gone: called once, on failure
                                        too */
    uint64_t reserved[4];            /* Zero */
} vsdk_disk_ops;

/*
 * How to open a disk. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 88 bytes. Since 0.1.
 */
typedef struct vsdk_disk_config {
    uint32_t size;              /* sizeof(vsdk_disk_config) */
    uint32_t flags;             /* How it is used: vsdk_disk_flags */
    const char *path;           /* (may be NULL) The file or block device */
    int32_t descriptor;         /* Without a path: an open descriptor, above 2. Duplicated. What
                                   it was opened for is what can be done; DIRECT is as it was
                                   opened. */
    vsdk_disk_format format;    /* What is in the file */
    vsdk_disk_cache cache;      /* When a write is safe */
    uint32_t allowed_count;     /* (entries) How many paths are allowed */
    const char *const *allowed; /* (allowed_count elements, may be NULL) Paths that the image may
                                   name: its backing files, theirs, and the parts of a split
                                   image. The same file by another path counts as this one. */
    vsdk_pool *pool;            /* The threads for submitted requests. NULL: the thread that
                                   submits. Kept. */
    uint32_t workers;           /* (entries) How many requests may run at once on the pool, up to
                                   64; 0 for 4 */
    uint32_t reserved32;        /* Zero */
    uint64_t reserved[4];       /* Zero */
} vsdk_disk_config;

/*
 * What a disk of the embedder's, or one of memory, is. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 64 bytes. Since 0.1.
 */
typedef struct vsdk_disk_custom {
    uint32_t size;        /* sizeof(vsdk_disk_custom) */
    uint32_t flags;       /* READ_ONLY or zero */
    uint64_t capacity;    /* (bytes) A multiple of 512, not 0 */
    vsdk_pool *pool;      /* The threads for submitted requests. NULL: the thread that submits.
                             Kept. */
    uint32_t workers;     /* (entries) How many requests may run at once on the pool, up to 64; 0
                             for 4 */
    uint32_t block_size;  /* (bytes) What it likes best: a power of two from 512 to 32 MiB; 0 for
                             512 */
    uint64_t reserved[4]; /* Zero */
} vsdk_disk_custom;

/*
 * A new image. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 72 bytes. Since 0.1.
 */
typedef struct vsdk_disk_image {
    uint32_t size;                   /* sizeof(vsdk_disk_image) */
    uint32_t flags;                  /* How: vsdk_disk_image_flags */
    const char *path;                /* Where. There must be nothing yet. */
    vsdk_disk_format format;         /* What to make; not AUTO */
    vsdk_disk_format backing_format; /* Of the backing file; not AUTO when there is one */
    uint64_t capacity;               /* (bytes) A multiple of 512, not 0 */
    const char *backing;             /* (may be NULL) The backing file's name as the image shall
                                        have it: from its own folder when it is relative. It is
                                        not opened. */
    uint32_t cluster_size;           /* (bytes) How much room is taken at a time; 0 for the
                                        format's own choice */
    uint32_t reserved32;             /* Zero */
    uint64_t reserved[3];            /* Zero */
} vsdk_disk_image;

/*
 * What a disk is.
 *
 * The caller sets size to sizeof; the library fills in the rest. 88 bytes. Since 0.1.
 */
typedef struct vsdk_disk_info {
    uint32_t size;           /* sizeof(vsdk_disk_info) */
    uint32_t flags;          /* READ_ONLY also when the format or the descriptor can't be
                                written; DIRECT when it is */
    uint64_t capacity;       /* (bytes) How much it holds */
    uint64_t allocated;      /* (bytes) What it takes of the host's disk or memory; 0 if nobody
                                knows */
    vsdk_disk_format format; /* What it is made of */
    vsdk_disk_cache cache;   /* When a write is safe */
    uint32_t sector_size;    /* (bytes) What offsets and lengths are multiples of: 512 */
    uint32_t block_size;     /* (bytes) What it likes best, a power of two */
    uint32_t depth;          /* (entries) How many files lie under the first one */
    uint32_t in_flight;      /* (entries) Requests that are not done */
    const char *path;        /* (may be NULL) The path that it was opened by. As long as the
                                disk. */
    const char *backing;     /* (may be NULL) The backing file's name, as the image has it. As
                                long as the disk. */
    uint64_t reserved[3];    /* Zero */
} vsdk_disk_info;

/*
 * What a check has found.
 *
 * The caller sets size to sizeof; the library fills in the rest. 208 bytes. Since 0.1.
 */
typedef struct vsdk_disk_report {
    uint32_t size;        /* sizeof(vsdk_disk_report) */
    uint32_t flags;       /* Zero */
    uint64_t errors;      /* What is wrong, and may lose data. What was mended is not counted. */
    uint64_t leaks;       /* Clusters that take room and nobody uses. What was mended is not
                             counted. */
    uint64_t repaired;    /* How many of both were mended */
    uint64_t clusters;    /* How many clusters the capacity has; 0 for a format without */
    uint64_t allocated;   /* How many of them the image has */
    char first[128];      /* The first thing that was found, for a person; empty if there was
                             none */
    uint64_t reserved[4]; /* Zero */
} vsdk_disk_report;

/*
 * Take a reference more.
 *
 *   disk  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_disk *vsdk_disk_ref(vsdk_disk *disk);

/*
 * Take a reference more.
 *
 *   disk_channel  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_disk_channel *vsdk_disk_channel_ref(vsdk_disk_channel *disk_channel);

/*
 * Take a reference more.
 *
 *   disk_watch  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_disk_watch *vsdk_disk_watch_ref(vsdk_disk_watch *disk_watch);

/*
 * The name of a vsdk_disk_format: auto, raw, qcow2 and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_disk_format_name(vsdk_disk_format value);

/*
 * The name of a vsdk_disk_cache: writeback, writethrough, unsafe.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_disk_cache_name(vsdk_disk_cache value);

/*
 * The name of a vsdk_disk_operation: read, write, flush and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_disk_operation_name(vsdk_disk_operation value);

/*
 * Open a file or block device as a disk.
 *
 * For writing, unless it shall be read-only. What the image names is opened read-only.
 *
 *   config  What to open, and how.
 *   disk    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag or value is unknown, there is neither path nor
 *                     descriptor, the descriptor is none of a file or block device that can be
 *                     read, or the pool was stopped
 *   UNSUPPORTED       a structure has a later version's field, there is no driver for the format,
 *                     the image has a feature that is not known, or the host can't do direct input
 *                     and output there
 *   NOT_FOUND         there is no such file
 *   PERMISSION        the process may not open it, or the image names a file that is not allowed
 *   BUSY              another program, or another disk, has it locked
 *   FORMAT            the image is damaged; the message names the field
 *   LIMIT             more than 16 files lie under one another, or no more descriptors
 *   NO_MEMORY         no memory
 *   SYSTEM            the host refuses
 * Threads: any. Blocks: while it reads the image's tables. From callbacks: yes. States: any.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_open(const vsdk_disk_config *config, vsdk_disk **disk, vsdk_error *error);

/*
 * Make a disk of functions.
 *
 *   ops     Its functions.
 *   user    (may be NULL) Given to them. ops->release is called once with it, on failure too.
 *   config  What it is.
 *   disk    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, a field has a value that it can't have,
 *                     or the pool was stopped
 *   UNSUPPORTED       a structure has a later version's field
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_create(const vsdk_disk_ops *ops, void *user, const vsdk_disk_custom *config,
                             vsdk_disk **disk, vsdk_error *error);

/*
 * Make a disk of memory.
 *
 * It is zeros, and takes memory of the host where it was written.
 *
 *   config  What it is.
 *   disk    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, a field has a value that it can't have,
 *                     or the pool was stopped
 *   UNSUPPORTED       a structure has a later version's field
 *   PERMISSION        the system does not let the process have it
 *   LIMIT             no more descriptors, or a file may not be so large
 *   NO_MEMORY         no memory
 *   SYSTEM            the host refuses
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_create_memory(const vsdk_disk_custom *config, vsdk_disk **disk,
                                    vsdk_error *error);

/*
 * Make an image in a new file.
 *
 * A file that could not be finished is removed.
 *
 *   image  What to make.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag or value is unknown, or a field has a value that it
 *                     can't have
 *   UNSUPPORTED       the structure has a later version's field, or this format, or this feature of
 *                     it, is only read
 *   EXISTS            there is a file already
 *   NOT_FOUND         there is no such folder
 *   PERMISSION        the process may not
 *   LIMIT             the host's file system is full, the format does not hold so much, or no more
 *                     descriptors
 *   NO_MEMORY         no memory
 *   SYSTEM            the host refuses
 * Threads: any. Blocks: until it is done. From callbacks: yes. States: any. Backends: all. Since
 * 0.1.
 */
vsdk_status vsdk_disk_create_image(const vsdk_disk_image *image, vsdk_error *error);

/*
 * Drop a reference to a disk.
 *
 * With the last one the disk is closed, when what is in flight is done. It is not flushed.
 *
 *   disk  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: the last one: while the image's tables are written. From callbacks: yes.
 * States: any. Backends: all. Since 0.1.
 */
void vsdk_disk_close(vsdk_disk *disk);

/*
 * What a disk is.
 *
 *   info  (inout) Filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or size is too small
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_get_info(vsdk_disk *disk, vsdk_disk_info *info, vsdk_error *error);

/*
 * Read.
 *
 *   offset  (bytes) Where; a multiple of 512.
 *   buffer  (out, length bytes) Filled.
 *   length  (bytes) How much; a multiple of 512. 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or offset or length is no multiple of 512
 *   RANGE             it leaves the disk
 *   FORMAT            the image is damaged, or its file is shorter than it was
 *   SYSTEM            the host's disk fails, or the embedder's says so
 *   STATE             called in a forked child
 * Threads: any. Blocks: until it is done. From callbacks: yes. States: any. Backends: all. Since
 * 0.1.
 */
vsdk_status vsdk_disk_read(vsdk_disk *disk, uint64_t offset, void *buffer, uint64_t length,
                           vsdk_error *error);

/*
 * Write.
 *
 *   offset  (bytes) Where; a multiple of 512.
 *   buffer  (length bytes) What to write.
 *   length  (bytes) How much; a multiple of 512. 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or offset or length is no multiple of 512
 *   RANGE             it leaves the disk
 *   FORMAT            the image is damaged, or its file is shorter than it was
 *   SYSTEM            the host's disk fails, or the embedder's says so
 *   PERMISSION        the disk is read-only
 *   LIMIT             the host's file system is full
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: until it is done. From callbacks: yes. States: any. Backends: all. Since
 * 0.1.
 */
vsdk_status vsdk_disk_write(vsdk_disk *disk, uint64_t offset, const void *buffer, uint64_t length,
                            vsdk_error *error);

/*
 * Make safe what was written.
 *
 * All writes that were done before it are safe against a loss of power after it.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  disk is NULL
 *   SYSTEM            the host's disk fails, or the embedder's says so
 *   STATE             called in a forked child
 * Threads: any. Blocks: until it is done. From callbacks: yes. States: any. Backends: all. Since
 * 0.1.
 */
vsdk_status vsdk_disk_flush(vsdk_disk *disk, vsdk_error *error);

/*
 * Forget bytes.
 *
 * They read as zeros or as before. A disk that can't do it keeps them.
 *
 *   offset  (bytes) Where; a multiple of 512.
 *   length  (bytes) How much; a multiple of 512. 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or offset or length is no multiple of 512
 *   RANGE             it leaves the disk
 *   FORMAT            the image is damaged
 *   PERMISSION        the disk is read-only
 *   SYSTEM            the host's disk fails, or the embedder's says so
 *   STATE             called in a forked child
 * Threads: any. Blocks: until it is done. From callbacks: yes. States: any. Backends: all. Since
 * 0.1.
 */
vsdk_status vsdk_disk_discard(vsdk_disk *disk, uint64_t offset, uint64_t length, vsdk_error *error);

/*
 * Make bytes zeros.
 *
 *   offset  (bytes) Where; a multiple of 512.
 *   length  (bytes) How much; a multiple of 512. 0 succeeds and does nothing.
 *   flags   VSDK_DISK_MAY_UNMAP or 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or offset or length is no multiple of 512, or a flag is
 *                     unknown
 *   RANGE             it leaves the disk
 *   FORMAT            the image is damaged
 *   PERMISSION        the disk is read-only
 *   SYSTEM            the host's disk fails, or the embedder's says so
 *   LIMIT             the host's file system is full
 *   STATE             called in a forked child
 * Threads: any. Blocks: until it is done. From callbacks: yes. States: any. Backends: all. Since
 * 0.1.
 */
vsdk_status vsdk_disk_write_zeroes(vsdk_disk *disk, uint64_t offset, uint64_t length,
                                   vsdk_disk_request_flags flags, vsdk_error *error);

/*
 * Change the capacity.
 *
 * Waits until what is in flight is done; what comes meanwhile waits. New bytes are zeros. Who
 * watches the disk is told before it returns.
 *
 *   capacity  (bytes) A multiple of 512, not 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  disk is NULL, or the capacity is 0 or no multiple of 512
 *   PERMISSION        the disk is read-only
 *   UNSUPPORTED       this disk or format can't
 *   LIMIT             the host's file system is full, or the format does not hold so much
 *   SYSTEM            the host's disk fails, or the embedder's says so
 *   STATE             called in a forked child
 * Threads: any. Blocks: until what is in flight is done, and then until it is. From callbacks: yes,
 * but not from a function of the disk itself. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_resize(vsdk_disk *disk, uint64_t capacity, vsdk_error *error);

/*
 * Look whether an image is sound.
 *
 * What is wrong is in the report and no error. As vsdk_disk_resize it runs alone.
 *
 *   flags   VSDK_DISK_REPAIR or 0.
 *   report  (inout) Filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, size is too small or a flag is unknown
 *   PERMISSION        it shall be mended, and the disk is read-only
 *   UNSUPPORTED       this format has nothing that could be wrong
 *   LIMIT             the image says that it has more clusters than can be checked, or the host's
 *                     file system is full
 *   NO_MEMORY         no memory
 *   SYSTEM            the host's disk fails
 *   STATE             called in a forked child
 * Threads: any. Blocks: until what is in flight is done, and then until it is. From callbacks: yes,
 * but not from a function of the disk itself. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_check(vsdk_disk *disk, vsdk_disk_check_flags flags, vsdk_disk_report *report,
                            vsdk_error *error);

/*
 * Make a channel for requests.
 *
 * Several channels of a disk share its pool. Who drains one waits for its own requests only.
 *
 *   done     Called once for each request.
 *   user     (may be NULL) The reference to drop.
 *   release  (may be NULL) Called once when the channel is gone, on failure too.
 *   channel  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_channel_create(vsdk_disk *disk, vsdk_disk_done_fn done, void *user,
                                     vsdk_release_fn release, vsdk_disk_channel **channel,
                                     vsdk_error *error);

/*
 * Drop a reference to a channel.
 *
 * With the last one the channel ends. A request that nobody has begun is answered with
 * VSDK_ERROR_STATE, on this thread, and not done; drain before, so that all are. One that is under
 * way is done, and answered.
 *
 *   channel  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_disk_channel_close(vsdk_disk_channel *channel);

/*
 * Start requests.
 *
 * Allocates nothing. Each request is answered by the channel's callback, whatever is wrong with it:
 * its status is one of the plain functions'. The answer may come before this returns.
 *
 *   requests  Count elements.
 *   count     (entries) How many.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL; no request was started then
 *   STATE             called in a forked child
 * Threads: any. Blocks: without a pool until they are done; else no. From callbacks: yes, from a
 * request's own too. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_submit(vsdk_disk_channel *channel, vsdk_disk_request *const *requests,
                             uint32_t count, vsdk_error *error);

/*
 * Wait until nothing of a channel is in flight.
 *
 * The callbacks of all requests that were submitted before have returned.
 *
 *   timeout_ns  (ns) Longest wait; 0 does not wait, VSDK_FOREVER has no end.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  channel is NULL
 *   TIMEOUT           something still is
 *   BUSY              called from the callback of a request to this disk
 *   STATE             called in a forked child
 * Threads: any. Blocks: up to the timeout. From callbacks: VSDK_ERROR_BUSY from the callback of a
 * request to this disk. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_drain(vsdk_disk_channel *channel, uint64_t timeout_ns, vsdk_error *error);

/*
 * Be told when the capacity changes.
 *
 * The watch keeps the disk.
 *
 *   fn       Called.
 *   user     (may be NULL) The reference to drop.
 *   release  (may be NULL) Called once when the watch is gone, on failure too.
 *   watch    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_disk_watch_create(vsdk_disk *disk, vsdk_disk_resized_fn fn, void *user,
                                   vsdk_release_fn release, vsdk_disk_watch **watch,
                                   vsdk_error *error);

/*
 * Drop a reference to a watch; the last one ends it.
 *
 * The callback does not start any more. One that runs on another thread just now is not waited for:
 * release comes when it has returned.
 *
 *   watch  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_disk_watch_close(vsdk_disk_watch *watch);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_DISK_H */
