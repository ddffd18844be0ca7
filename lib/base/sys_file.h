/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the system-call seam (sys.h) that files on disks need. Each is called by its number,
 * since libc's functions are cancellation points; each is tried again after a signal. -errno on
 * failure. */
#ifndef VSDK_BASE_SYS_FILE_H
#define VSDK_BASE_SYS_FILE_H

#include <stddef.h>
#include <stdint.h>

/* A new file, readable and writable, that did not exist; CLOEXEC, >= 3. */
int sys_create(const char *path, int flags);
/* Memory as a file without a name, empty, that may grow. */
int sys_memory_file(const char *name);
int sys_unlink(const char *path);
/* How many bytes, 0 at the end. */
int64_t sys_pread(int fd, void *to, size_t bytes, uint64_t offset);
int64_t sys_pwrite(int fd, const void *from, size_t bytes, uint64_t offset);
/* An array of struct iovec. */
int64_t sys_preadv(int fd, const void *to, int count, uint64_t offset);
int64_t sys_pwritev(int fd, const void *from, int count, uint64_t offset);
int sys_fdatasync(int fd);
int sys_fsync(int fd);
int sys_fallocate(int fd, int mode, uint64_t offset, uint64_t bytes);
int sys_ftruncate(int fd, uint64_t bytes);
int64_t sys_seek(int fd, uint64_t offset, int whence);
int sys_flags(int fd); /* those that it was opened with */

/* Bytes of a file, and the room that it takes; -EINVAL for what is neither a regular file nor a
 * block device. Two paths with one device and inode are one file. */
typedef struct sys_file {
    uint64_t bytes, allocated, device, inode;
    uint32_t is_block, alignment;
} sys_file;
int sys_file_look(int fd, sys_file *file);
int sys_file_look_at(const char *path, sys_file *file);

/* A lock of the open file description on one byte: shared, or gone again. -EAGAIN if another has it
 * exclusively. */
int sys_lock_byte(int fd, uint64_t offset, int held);
/* 1 if somebody else's lock is there, of either kind. */
int sys_lock_is_held(int fd, uint64_t offset);

#endif
