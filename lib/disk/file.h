/* SPDX-License-Identifier: Apache-2.0 */
/* A host's file or block device, as a format's driver uses it: bytes at any offset, all of them or
 * an error. Any thread, several at once; two that overlap are in no order. No lock of base/lock.h
 * is held over these: they sleep.
 *
 * Bytes past the end are an error of a read (FORMAT: "the file ends at"), and make the file longer
 * when they are written. Errors name the file. */
#ifndef VSDK_DISK_FILE_H
#define VSDK_DISK_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <vsdk/disk.h>

typedef struct disk_file disk_file;

enum {
    DISK_FILE_READ_ONLY = 0x1,
    DISK_FILE_DIRECT = 0x2,  /* past the page cache; what is not aligned goes through a buffer */
    DISK_FILE_UNSAFE = 0x4,  /* flushes do nothing */
    DISK_FILE_NO_LOCK = 0x8, /* does not tell other programs that it is in use */
    DISK_FILE_CREATE = 0x10, /* must not exist yet */
};

/* `path` is opened, or without one `descriptor` is duplicated; `path` may then be NULL. */
vsdk_status disk_file_open(const char *path, int32_t descriptor, uint32_t flags, disk_file **file,
                           vsdk_error *error);
void disk_file_close(disk_file *file); /* may be NULL */

vsdk_status file_read(disk_file *file, uint64_t offset, void *buffer, uint64_t length,
                      vsdk_error *error);
vsdk_status file_write(disk_file *file, uint64_t offset, const void *buffer, uint64_t length,
                       vsdk_error *error);
/* The same of several pieces one behind the other, whose sum is `length`; in one call where that
 * can be. */
enum { FILE_PIECES_MOST = 1024 };
vsdk_status file_read_pieces(disk_file *file, uint64_t offset, const vsdk_disk_buffer *pieces,
                             uint32_t count, uint64_t length, vsdk_error *error);
vsdk_status file_write_pieces(disk_file *file, uint64_t offset, const vsdk_disk_buffer *pieces,
                              uint32_t count, uint64_t length, vsdk_error *error);
/* What was written is on the disk. */
vsdk_status file_flush(disk_file *file, vsdk_error *error);
/* These bytes read as zeros and take no room any more. UNSUPPORTED where the host can't. */
vsdk_status file_punch(disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error);
/* These bytes read as zeros, and the room for them is kept where the host can; else they are
 * written. */
vsdk_status file_zero(disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error);
/* How long it is now. */
uint64_t file_length(const disk_file *file);
/* A block device's can't be changed: UNSUPPORTED. */
vsdk_status file_set_length(disk_file *file, uint64_t length, vsdk_error *error);
/* The room for its first `length` bytes is taken; they read as before, new ones as zeros. */
vsdk_status file_allocate(disk_file *file, uint64_t length, vsdk_error *error);
/* Somebody else may have changed its length. */
vsdk_status file_look_again(disk_file *file, vsdk_error *error);
/* How many bytes it takes on its host. */
uint64_t file_allocated(const disk_file *file);
/* Whether there is a hole at `offset`, and how far that answer reaches, at most `length`. */
int file_is_hole(disk_file *file, uint64_t offset, uint64_t length, uint64_t *same);

const char *file_name(const disk_file *file); /* for messages */
const char *file_path(const disk_file *file); /* NULL for a descriptor */
int file_is_read_only(const disk_file *file);
/* What direct input and output must be aligned to; 1 for any. */
uint32_t file_alignment(const disk_file *file);

#endif
