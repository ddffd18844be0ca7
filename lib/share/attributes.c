/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is besides its contents: attributes, extended ones, and the file system that it is
 * in. Numbers of devices are not told: a guest that opened one would open a device of its own. */
#include "base/alloc.h"
#include "base/sys.h"
#include "base/sys_file.h"
#include "share/share.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MODE_BITS = 07777, XATTR_MOST = 1 << 16 };

/* st_rdev stays behind. */
void attributes_fill(const vsdk_share *share, const struct stat *s, struct fuse_attr *attr)
{
    *attr = (struct fuse_attr){
        .ino = s->st_ino,
        .size = (uint64_t)s->st_size,
        .blocks = (uint64_t)s->st_blocks,
        .atime = (uint64_t)s->st_atim.tv_sec,
        .mtime = (uint64_t)s->st_mtim.tv_sec,
        .ctime = (uint64_t)s->st_ctim.tv_sec,
        .atimensec = (uint32_t)s->st_atim.tv_nsec,
        .mtimensec = (uint32_t)s->st_mtim.tv_nsec,
        .ctimensec = (uint32_t)s->st_ctim.tv_nsec,
        .mode = s->st_mode,
        .nlink = (uint32_t)s->st_nlink,
        .uid = owner_guest_user(share, s->st_uid),
        .gid = owner_guest_group(share, s->st_gid),
        .blksize = (uint32_t)s->st_blksize,
    };
}

void attributes_fill_entry(const vsdk_share *share, const share_inode *inode,
                           const struct stat *status, struct fuse_entry_out *entry)
{
    *entry = (struct fuse_entry_out){
        .nodeid = inode->id,
        .entry_valid = share->cache_ms / 1000,
        .attr_valid = share->cache_ms / 1000,
        .entry_valid_nsec = share->cache_ms % 1000 * 1000000,
        .attr_valid_nsec = share->cache_ms % 1000 * 1000000,
    };
    attributes_fill(share, status, &entry->attr);
}

static int answer_attributes(share_call *c, int fd)
{
    struct fuse_attr_out out = {.attr_valid = c->share->cache_ms / 1000,
                                .attr_valid_nsec = c->share->cache_ms % 1000 * 1000000};
    struct stat status;

    if (fstatat(fd, "", &status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    attributes_fill(c->share, &status, &out.attr);
    return call_answer(c, &out, sizeof out);
}

/* By a file where the guest has one: its name may be gone, and its inode's descriptor with it. */
int share_op_getattr(share_call *c)
{
    share_file *file;
    int by_file = (c->args.getattr.getattr_flags & FUSE_GETATTR_FH) != 0;
    int fd = call_descriptor(c, by_file, c->args.getattr.fh, &file);
    int failure = fd < 0 ? fd : answer_attributes(c, fd);

    file_put(c->share, file);
    return failure;
}

/* A share whose files are all one user's takes a new owner for that one. */
static int set_owner(share_call *c, int fd)
{
    const struct fuse_setattr_in *in = &c->args.setattr;
    uint32_t user = in->valid & FATTR_UID ? in->uid : c->head.uid;
    uint32_t group = in->valid & FATTR_GID ? in->gid : c->head.gid;
    vsdk_share *share = c->share;

    if (share->owners == OWNERS_SQUASHED)
        return 0;
    if (!owner_to_host(share, user, group, &user, &group))
        return -EPERM;
    return fchownat(fd, "", in->valid & FATTR_UID ? user : (uid_t)-1,
                    in->valid & FATTR_GID ? group : (gid_t)-1, AT_EMPTY_PATH)
               ? -errno
               : 0;
}

/* Only what can be written is cut; by a descriptor of its own if the file's is not for writing. */
static int set_size(share_call *c, int fd, const share_file *file)
{
    uint64_t size = c->args.setattr.size;
    int writes = file && (file->flags & O_ACCMODE) != O_RDONLY;

    if (size > INT64_MAX || size > c->share->size_most)
        return -EFBIG;
    if (c->inode->type != S_IFREG)
        return c->inode->type == S_IFDIR ? -EISDIR : -EINVAL;
    int by = writes ? fd : file_open(c->share, fd, O_WRONLY);
    if (by < 0)
        return by;
    int failure = sys_ftruncate(by, size);
    if (!writes)
        sys_close(by);
    return failure;
}

/* A time that is none, with more than a second of nanoseconds, is that second: the host would
 * refuse the others with it. */
static struct timespec time_of(uint32_t valid, uint32_t set, uint32_t now, uint64_t seconds,
                               uint32_t nanoseconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds};

    if (!(valid & set))
        time.tv_nsec = UTIME_OMIT;
    else if (valid & now)
        time.tv_nsec = UTIME_NOW;
    else if (nanoseconds >= 1000000000)
        time.tv_nsec = 0;
    return time;
}

static int set_times(share_call *c, int fd)
{
    const struct fuse_setattr_in *in = &c->args.setattr;
    struct timespec times[2] = {
        time_of(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
        time_of(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec)};

    return host_set_times(c->share, fd, times);
}

int share_op_setattr(share_call *c)
{
    const struct fuse_setattr_in *in = &c->args.setattr;
    share_file *file;
    int fd = call_descriptor(c, (in->valid & FATTR_FH) != 0, in->fh, &file);
    int failure = fd < 0 ? fd : 0;

    /* A new owner takes bits of the mode away, so the mode comes after it. */
    if (!failure && in->valid & (FATTR_UID | FATTR_GID))
        failure = set_owner(c, fd);
    if (!failure && in->valid & FATTR_MODE)
        failure = c->inode->type == S_IFLNK ? -EOPNOTSUPP
                                            : host_set_mode(c->share, fd, in->mode & MODE_BITS);
    if (!failure && in->valid & FATTR_SIZE)
        failure = set_size(c, fd, file);
    if (!failure && in->valid & (FATTR_ATIME | FATTR_MTIME))
        failure = set_times(c, fd);
    if (!failure)
        failure = answer_attributes(c, fd);
    file_put(c->share, file);
    return failure;
}

/* Linux asks only where it does not look at the mode itself. */
int share_op_access(share_call *c)
{
    return host_access(c->share, c->inode->fd, (int)(c->args.access.mask & (R_OK | W_OK | X_OK)));
}

int share_op_statfs(share_call *c)
{
    struct fuse_statfs_out out = {0};
    struct statfs s;

    if (fstatfs(c->inode->fd, &s) != 0)
        return -errno;
    out.st.blocks = s.f_blocks;
    out.st.bfree = s.f_bfree;
    out.st.bavail = s.f_bavail;
    out.st.files = s.f_files;
    out.st.ffree = s.f_ffree;
    out.st.bsize = (uint32_t)s.f_bsize;
    out.st.namelen = (uint32_t)s.f_namelen;
    out.st.frsize = (uint32_t)s.f_frsize;
    return call_answer(c, &out, sizeof out);
}

/* A guest's root can set any attribute of its own, and some mean rights to the host's kernel: only
 * those without a meaning are let through. */
static int take_attribute_name(share_call *c, char name[XATTR_NAME_MAX + 1])
{
    if (!(c->share->flags & VSDK_SHARE_XATTRS))
        return -ENOSYS;
    int failure = call_take_text(c, name, XATTR_NAME_MAX + 1, -ERANGE);
    if (failure)
        return failure;
    return strncmp(name, "user.", 5) || !name[5] ? -EOPNOTSUPP : 0;
}

/* There are no calls for a descriptor of this kind. */
typedef struct fd_path {
    char text[32];
} fd_path;

static fd_path proc_path(const share_call *c)
{
    fd_path path;

    snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", c->inode->fd);
    return path;
}

/* The names in a list that the guest may see; how many bytes they have. */
static ssize_t keep_ours(char *names, ssize_t length)
{
    ssize_t kept = 0;

    for (ssize_t at = 0; at < length;) {
        ssize_t one = (ssize_t)strlen(names + at) + 1;
        if (!strncmp(names + at, "user.", 5)) {
            memmove(names + kept, names + at, (size_t)one);
            kept += one;
        }
        at += one;
    }
    return kept;
}

/* With size 0 the guest asks how much there is. */
static int answer_bytes(share_call *c, const void *bytes, ssize_t length)
{
    struct fuse_getxattr_out out = {.size = (uint32_t)length};

    if (!c->args.getxattr.size)
        return call_answer(c, &out, sizeof out);
    if ((uint64_t)length > c->args.getxattr.size)
        return -ERANGE;
    return call_answer(c, bytes, (uint64_t)length);
}

int share_op_getxattr(share_call *c)
{
    char name[XATTR_NAME_MAX + 1];
    int failure = take_attribute_name(c, name);

    if (failure)
        return failure;
    char *value = alloc_unset(XATTR_MOST);
    if (!value)
        return -ENOMEM;
    /* The value is taken whole, so that one that grows meanwhile is not cut. */
    ssize_t length = getxattr(proc_path(c).text, name, value, XATTR_MOST);
    failure = length < 0 ? -errno : answer_bytes(c, value, length);
    alloc_free(value);
    return failure;
}

int share_op_listxattr(share_call *c)
{
    if (!(c->share->flags & VSDK_SHARE_XATTRS))
        return -ENOSYS;
    /* A zero more than the host may write ends the last name. */
    char *names = alloc_zeroed(XATTR_MOST + 1);
    if (!names)
        return -ENOMEM;
    ssize_t length = listxattr(proc_path(c).text, names, XATTR_MOST);
    int failure = length < 0 ? -errno : answer_bytes(c, names, keep_ours(names, length));
    alloc_free(names);
    return failure;
}

/* In the form without flags of its own: FUSE_SETXATTR_EXT is not agreed on. */
int share_op_setxattr(share_call *c)
{
    uint32_t size = c->args.setxattr[0], flags = c->args.setxattr[1];
    char name[XATTR_NAME_MAX + 1];
    int failure = take_attribute_name(c, name);

    if (failure)
        return failure;
    if (size > XATTR_MOST)
        return -E2BIG;
    if (flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    char *value = alloc_unset(size ? size : 1);
    if (!value)
        return -ENOMEM;
    failure = call_take(c, value, size);
    if (!failure && setxattr(proc_path(c).text, name, value, size, (int)flags) != 0)
        failure = -errno;
    alloc_free(value);
    return failure;
}

int share_op_removexattr(share_call *c)
{
    char name[XATTR_NAME_MAX + 1];
    int failure = take_attribute_name(c, name);

    if (failure)
        return failure;
    return removexattr(proc_path(c).text, name) ? -errno : 0;
}
