/* SPDX-License-Identifier: Apache-2.0 */
/* Files on disks, as sys.h has the rest: a result is never errno, a signal is no failure. The locks
 * are those of the open file description (F_OFD_SETLK), which a close of another descriptor of the
 * same file does not take away. */
#include "base/sys_file.h"
#include "base/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's answer, again after a signal. */
#define AGAIN(call)                                                                                \
    ({                                                                                             \
        long answer_;                                                                              \
        do                                                                                         \
            answer_ = (call);                                                                      \
        while (answer_ < 0 && errno == EINTR);                                                     \
        answer_ < 0 ? -errno : answer_;                                                            \
    })

int sys_create(const char *path, int flags)
{
    int fd = (int)AGAIN(
        syscall(SYS_openat, AT_FDCWD, path, flags | O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666));

    return sys_high(fd);
}

int sys_memory_file(const char *name)
{
    const unsigned close_on_exec = 1, no_exec_seal = 8; /* kernels before 6.3 do not know it */
    int fd = (int)AGAIN(syscall(SYS_memfd_create, name, close_on_exec | no_exec_seal));

    if (fd == -EINVAL)
        fd = (int)AGAIN(syscall(SYS_memfd_create, name, close_on_exec));
    return sys_high(fd);
}

int sys_unlink(const char *path)
{
    return (int)AGAIN(syscall(SYS_unlink, path));
}

int64_t sys_pread(int fd, void *to, size_t bytes, uint64_t offset)
{
    return AGAIN(syscall(SYS_pread64, fd, to, bytes, offset));
}

int64_t sys_pwrite(int fd, const void *from, size_t bytes, uint64_t offset)
{
    return AGAIN(syscall(SYS_pwrite64, fd, from, bytes, offset));
}

/* The offset is one register here, and the next one would be its upper half elsewhere. */
int64_t sys_preadv(int fd, const void *to, int count, uint64_t offset)
{
    return AGAIN(syscall(SYS_preadv, fd, to, count, offset, 0));
}

int64_t sys_pwritev(int fd, const void *from, int count, uint64_t offset)
{
    return AGAIN(syscall(SYS_pwritev, fd, from, count, offset, 0));
}

int sys_fdatasync(int fd)
{
    return (int)AGAIN(syscall(SYS_fdatasync, fd));
}

int sys_fsync(int fd)
{
    return (int)AGAIN(syscall(SYS_fsync, fd));
}

int sys_fallocate(int fd, int mode, uint64_t offset, uint64_t bytes)
{
    return (int)AGAIN(syscall(SYS_fallocate, fd, mode, offset, bytes));
}

int sys_ftruncate(int fd, uint64_t bytes)
{
    return (int)AGAIN(syscall(SYS_ftruncate, fd, bytes));
}

int64_t sys_seek(int fd, uint64_t offset, int whence)
{
    return AGAIN(syscall(SYS_lseek, fd, offset, whence));
}

/* How it was opened, not how it is locked. */
int sys_flags(int fd)
{
    return (int)AGAIN(syscall(SYS_fcntl, fd, F_GETFL));
}

/* A block device is as long as its end is far; what it takes is all of it. */
static int fill_look(int fd, const struct stat *status, sys_file *file)
{
    *file = (sys_file){.device = status->st_dev, .inode = status->st_ino, .alignment = 512};
    if (S_ISREG(status->st_mode)) {
        file->bytes = (uint64_t)status->st_size;
        file->allocated = (uint64_t)status->st_blocks * 512;
        file->alignment = (uint32_t)status->st_blksize;
        return 0;
    }
    if (!S_ISBLK(status->st_mode))
        return -EINVAL;
    file->is_block = 1;
    file->device = status->st_rdev;
    file->inode = 0;
    if (fd < 0)
        return 0;
    int sector = 0;
    int64_t end = sys_seek(fd, 0, SEEK_END);
    if (end < 0)
        return (int)end;
    if (sys_ioctl(fd, BLKSSZGET, (uintptr_t)&sector) == 0 && sector > 0)
        file->alignment = (uint32_t)sector;
    file->bytes = file->allocated = (uint64_t)end;
    return 0;
}

int sys_file_look(int fd, sys_file *file)
{
    struct stat status;

    return fstat(fd, &status) ? -errno : fill_look(fd, &status, file);
}

/* By its path: nothing is opened, so a block device says which one it is and no more. */
int sys_file_look_at(const char *path, sys_file *file)
{
    struct stat status;

    int result = (int)AGAIN(syscall(SYS_newfstatat, AT_FDCWD, path, &status, 0));

    return result ? result : fill_look(-1, &status, file);
}

int sys_lock_byte(int fd, uint64_t offset, int held)
{
    struct flock lock = {.l_type = held ? F_RDLCK : F_UNLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)offset,
                         .l_len = 1};

    return (int)AGAIN(syscall(SYS_fcntl, fd, F_OFD_SETLK, &lock));
}

/* Asked as one who wanted it for itself: locks that are shared are in the way then, too. */
int sys_lock_is_held(int fd, uint64_t offset)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1};
    int result = (int)AGAIN(syscall(SYS_fcntl, fd, F_OFD_GETLK, &lock));

    return result ? result : lock.l_type != F_UNLCK;
}
