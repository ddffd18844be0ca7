/* SPDX-License-Identifier: Apache-2.0 */
/* The host's file system, as a share may use it. Here is what keeps a guest below its folder:
 *
 * - A name is looked up from the descriptor of its folder, beneath it and through no link
 *   (openat2), and what comes out is an O_PATH descriptor: it opens nothing.
 * - A descriptor is opened for reading or writing only when it is of a regular file or a folder,
 *   through /proc/self/fd, which goes to that very inode. So no name is walked twice.
 *
 * The calls are libc's or by number; cancellation is off (request.c). */
#include "base/sys.h"
#include "share/share.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Descriptors are to be 3 and above, so that a program without standard streams keeps them free. */
static int high(int fd)
{
    return fd < 0 ? -errno : sys_high(fd);
}

/* The name of a descriptor in /proc/self/fd. */
typedef struct fd_name {
    char text[12];
} fd_name;

static fd_name name_of(int fd)
{
    fd_name name;

    snprintf(name.text, sizeof name.text, "%d", fd);
    return name;
}

/* To read, where that is allowed: handles are opened with such a one. */
int host_open_root(const vsdk_share_config *config)
{
    const char *path = config->path ? config->path : ".";
    int at = config->path ? AT_FDCWD : config->descriptor;
    int fd = high(openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    return fd == -EACCES ? high(openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC)) : fd;
}

/* That it is the kernel's own is looked at: everything is opened through it. */
int host_open_proc(void)
{
    struct statfs found;
    int fd = sys_open("/proc/self/fd", O_PATH | O_DIRECTORY);

    if (fd < 0 || (!fstatfs(fd, &found) && found.f_type == PROC_SUPER_MAGIC))
        return fd;
    sys_close(fd);
    return -ENOENT;
}

static int open_beneath(vsdk_share *share, int folder, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
                   (share->flags & VSDK_SHARE_MOUNTS ? 0 : RESOLVE_NO_XDEV),
    };

    return high((int)syscall(SYS_openat2, folder, path, &how, sizeof how));
}

int host_open_name(vsdk_share *share, int folder, const char *path)
{
    return open_beneath(share, folder, path, O_PATH, 0);
}

/* O_EXCL: a file that somebody else has put there may be special. */
int host_create(vsdk_share *share, int folder, const char *name, int flags, mode_t mode)
{
    return open_beneath(share, folder, name, flags | O_CREAT | O_EXCL | O_NOCTTY, mode);
}

/* What kind of file it is can't change; only these two kinds have no other side that an open
 * would reach. */
int host_open_again(vsdk_share *share, int fd, int flags)
{
    struct stat status;

    if (fstatat(fd, "", &status, AT_EMPTY_PATH) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return -EACCES;
    return high(openat(share->proc, name_of(fd).text,
                       (flags & ~(O_NOFOLLOW | O_CREAT | O_EXCL)) | O_CLOEXEC | O_NOCTTY));
}

/* libc's structure ends in an array; this one has its room. */
typedef union handle_room {
    struct file_handle handle;
    uint8_t bytes[sizeof(struct file_handle) + SHARE_HANDLE_MOST];
} handle_room;

int host_open_handle(vsdk_share *share, const share_handle *handle)
{
    handle_room room = {.handle = {.handle_bytes = handle->length, .handle_type = handle->type}};

    if (!share->by_handle || !handle->length)
        return -ESTALE;
    memcpy(room.bytes + sizeof room.handle, handle->bytes, handle->length);
    return high(open_by_handle_at(share->root, &room.handle, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

/* Another mount's handle may be the same bytes as one of ours: it is opened beneath our root, and
 * what is found so is compared with the device, too (inodes.c, check). */
static void find_handle(int fd, share_handle *handle)
{
    handle_room room = {.handle = {.handle_bytes = SHARE_HANDLE_MOST}};
    int mount;

    memset(handle, 0, sizeof *handle);
    if (name_to_handle_at(fd, "", &room.handle, &mount, AT_EMPTY_PATH) != 0 ||
        room.handle.handle_bytes > SHARE_HANDLE_MOST)
        return;
    handle->length = room.handle.handle_bytes;
    handle->type = room.handle.handle_type;
    memcpy(handle->bytes, room.bytes + sizeof room.handle, handle->length);
}

int host_identify(int fd, share_identity *identity, struct stat *status)
{
    if (fstatat(fd, "", status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    identity->device = status->st_dev;
    identity->number = status->st_ino;
    find_handle(fd, &identity->handle);
    return 0;
}

int host_set_mode(vsdk_share *share, int fd, mode_t mode)
{
    return fchmodat(share->proc, name_of(fd).text, mode, 0) ? -errno : 0;
}

int host_set_times(vsdk_share *share, int fd, const struct timespec times[2])
{
    return utimensat(share->proc, name_of(fd).text, times, 0) ? -errno : 0;
}

int host_link(vsdk_share *share, int fd, int folder, const char *name)
{
    return linkat(share->proc, name_of(fd).text, folder, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

/* With the rights by which files are opened, not those of the real user. */
int host_access(vsdk_share *share, int fd, int mask)
{
    return syscall(SYS_faccessat2, share->proc, name_of(fd).text, mask, AT_EACCESS) ? -errno : 0;
}

int host_rename(int from, const char *old, int to, const char *name, uint32_t flags)
{
    return syscall(SYS_renameat2, from, old, to, name, flags) ? -errno : 0;
}

ssize_t host_entries(int fd, void *to, size_t bytes)
{
    ssize_t got = syscall(SYS_getdents64, fd, to, bytes);

    return got < 0 ? -errno : got;
}

/* Of this thread alone: libc would change them for all, so the group list goes by number. With the
 * user goes what root may do to files. */
int host_become(vsdk_share *share, uint32_t user, uint32_t group)
{
    if (syscall(SYS_setgroups, 0, NULL) != 0)
        return -EPERM;
    setfsgid(group);
    setfsuid(user);
    if ((uint32_t)setfsgid((gid_t)-1) == group && (uint32_t)setfsuid((uid_t)-1) == user)
        return 0;
    host_return(share);
    return -EPERM;
}

int host_become_owner(vsdk_share *share, int fd)
{
    struct stat status;
    uint32_t user, group;

    if (share->owners != OWNERS_MAPPED)
        return 0;
    if (fstatat(fd, "", &status, AT_EMPTY_PATH) != 0)
        return -errno;
    owner_in_guest(share, &status, &user, &group);
    return host_become(share, user, group);
}

void host_return(vsdk_share *share)
{
    if (share->owners != OWNERS_MAPPED)
        return;
    setfsuid(share->user);
    setfsgid(share->group);
    syscall(SYS_setgroups, share->extra_count, share->extra);
}
