/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on names in folders. A name goes with the descriptor of its folder to the host, which
 * takes it as the last part of a path or not at all: none of these follows a link.
 *
 * What the guest makes is its user's: with ranges the host does that, as the thread has the user's
 * rights; else it is given to the user after it was made. */
#include "base/sys.h"
#include "share/share.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <unistd.h>

enum { MODE_BITS = 07777, TRIES = 4 };

static int answer_lookup(share_call *c, share_inode *folder, const char *name)
{
    share_inode *inode;
    struct stat status;
    int failure = inode_lookup(c->share, folder, name, &inode, &status);

    if (failure)
        return failure;
    failure = call_entry(c, inode, &status);
    if (failure)
        inode_forget(c->share, inode->id, 1);
    inode_put(c->share, inode);
    return failure;
}

/* A name that is not there is told each time: the host may make it. */
int share_op_lookup(share_call *c)
{
    share_name name;
    int failure = call_take_name(c, name);

    return failure ? failure : answer_lookup(c, c->inode, name);
}

int share_op_readlink(share_call *c)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(c->inode->fd, "", target, sizeof target);

    if (length < 0)
        return errno == ENOENT ? -EINVAL : -errno; /* how the host says that it is no link */
    return call_answer(c, target, (uint64_t)length);
}

/* In a folder with S_ISGID the host has chosen the group. */
static int give_owner(share_call *c, int fd)
{
    const vsdk_share *share = c->share;
    struct stat folder;

    if (share->owners != OWNERS_KEPT || (c->head.uid == share->user && c->head.gid == share->group))
        return 0;
    if (fstatat(c->inode->fd, "", &folder, AT_EMPTY_PATH) != 0)
        return -errno;
    gid_t group = folder.st_mode & S_ISGID ? (gid_t)-1 : c->head.gid;
    return fchownat(fd, "", c->head.uid, group, AT_EMPTY_PATH) ? -errno : 0;
}

/* The guest has taken its own mask off; the process's took more, and a new owner may. */
static int give_mode(share_call *c, int fd, mode_t mode)
{
    struct stat made;

    if (fstatat(fd, "", &made, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (S_ISLNK(made.st_mode) || !(mode & ~made.st_mode & MODE_BITS))
        return 0;
    return host_set_mode(c->share, fd, (made.st_mode | mode) & MODE_BITS);
}

/* What was made just now is `name`: it gets its owner and mode, and the guest hears of it. When
 * that fails it is taken back. */
static int finish(share_call *c, const char *name, mode_t mode, int is_folder)
{
    share_inode *inode;
    struct stat status;
    int failure = inode_lookup(c->share, c->inode, name, &inode, &status);

    if (failure) {
        unlinkat(c->inode->fd, name, is_folder ? AT_REMOVEDIR : 0);
        return failure;
    }
    failure = give_owner(c, inode->fd);
    if (!failure)
        failure = give_mode(c, inode->fd, mode & MODE_BITS);
    if (!failure && fstatat(inode->fd, "", &status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
        failure = -errno;
    if (!failure)
        failure = call_entry(c, inode, &status);
    if (failure) {
        unlinkat(c->inode->fd, name, is_folder ? AT_REMOVEDIR : 0);
        inode_forget(c->share, inode->id, 1);
    }
    inode_put(c->share, inode);
    return failure;
}

int share_op_symlink(share_call *c)
{
    char target[PATH_MAX];
    share_name name;
    int failure = call_take_name(c, name);

    if (!failure)
        failure = call_take_text(c, target, sizeof target, -ENAMETOOLONG);
    if (failure)
        return failure;
    if (symlinkat(target, c->inode->fd, name) != 0)
        return -errno;
    return finish(c, name, 0, 0);
}

/* A device would be the host's. */
static int may_make(const vsdk_share *share, uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return 1;
    case S_IFIFO:
    case S_IFSOCK:
        return (share->flags & VSDK_SHARE_SPECIAL) != 0;
    default:
        return 0;
    }
}

int share_op_mknod(share_call *c)
{
    uint32_t mode = c->args.mknod.mode;
    share_name name;
    int failure = call_take_name(c, name);

    if (failure)
        return failure;
    if (!may_make(c->share, mode))
        return -EPERM;
    if (mknodat(c->inode->fd, name, mode & (S_IFMT | MODE_BITS), 0) != 0)
        return -errno;
    return finish(c, name, mode, 0);
}

int share_op_mkdir(share_call *c)
{
    uint32_t mode = c->args.mkdir.mode & MODE_BITS;
    share_name name;
    int failure = call_take_name(c, name);

    if (failure)
        return failure;
    if (mkdirat(c->inode->fd, name, mode) != 0)
        return -errno;
    return finish(c, name, mode, 1);
}

/* Who knows the file reaches it after that too. */
static int take_away(share_call *c, int flags)
{
    share_inode *victim;
    share_name name;
    int failure = call_take_name(c, name);

    if (!failure)
        failure = inode_find(c->share, c->inode, name, &victim);
    if (failure)
        return failure;
    if (unlinkat(c->inode->fd, name, flags) != 0)
        failure = -errno;
    if (!failure && victim)
        inode_unplace(c->share, victim, c->inode, name);
    inode_put(c->share, victim);
    return failure;
}

int share_op_unlink(share_call *c)
{
    return take_away(c, 0);
}

int share_op_rmdir(share_call *c)
{
    return take_away(c, AT_REMOVEDIR);
}

/* The table learns where both are now. A name that is not there is no failure: it may be new. */
static int move(share_call *c, uint32_t flags)
{
    share_name old, name;
    share_inode *to = c->other, *moved = NULL, *met = NULL;
    int failure = flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE) ? -EINVAL : 0;

    if (!failure)
        failure = call_take_name(c, old);
    if (!failure)
        failure = call_take_name(c, name);
    if (!failure)
        failure = inode_find(c->share, c->inode, old, &moved);
    if (failure)
        return failure;
    inode_find(c->share, to, name, &met);
    failure = host_rename(c->inode->fd, old, to->fd, name, flags);
    if (!failure && met && met != moved) {
        if (flags & RENAME_EXCHANGE)
            inode_place(c->share, met, c->inode, old);
        else
            inode_unplace(c->share, met, to, name);
    }
    if (!failure && moved && met != moved)
        inode_place(c->share, moved, to, name);
    inode_put(c->share, met);
    inode_put(c->share, moved);
    return failure;
}

int share_op_rename(share_call *c)
{
    return move(c, 0);
}

int share_op_rename2(share_call *c)
{
    return move(c, c->args.rename2.flags);
}

/* By the descriptor, which may be of a symbolic link: then the link has two names. */
int share_op_link(share_call *c)
{
    share_name name;
    int failure = call_take_name(c, name);

    if (!failure)
        failure = host_link(c->share, c->other->fd, c->inode->fd, name);
    return failure ? failure : answer_lookup(c, c->inode, name);
}

/* Two answers in one, for the entry is given back when the file can't be kept. */
static int answer_created(share_call *c, share_inode *inode, int fd, const struct stat *status,
                          uint32_t flags)
{
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out = {0};
    int failure = file_add(c->share, inode, fd, flags, &out.open.fh);

    if (failure)
        return failure;
    attributes_fill_entry(c->share, inode, status, &out.entry);
    failure = call_answer(c, &out, sizeof out);
    if (failure)
        file_remove(c->share, out.open.fh, inode);
    return failure;
}

/* A new file is the only one that O_EXCL opens: never a link's target, nor something special. */
static int create(share_call *c, const char *name, int flags, int *is_new)
{
    int fd = host_create(c->share, c->inode->fd, name, flags, c->args.create.mode & MODE_BITS);

    if ((fd == -EMFILE || fd == -ENFILE) && inode_spare(c->share))
        fd = host_create(c->share, c->inode->fd, name, flags, c->args.create.mode & MODE_BITS);
    *is_new = fd >= 0;
    return fd;
}

/* A new file of which the guest does not hear. One that somebody else has put in its place stays.
 */
static int take_back(share_call *c, const char *name, int is_new, int failure)
{
    if (is_new && failure && failure != -EAGAIN)
        unlinkat(c->inode->fd, name, 0);
    return failure;
}

/* The file that has the name already, as OPEN would open it; or the new one, which has to be the
 * one that the name is, for others make and take names too. */
static int create_once(share_call *c, const char *name, uint32_t flags)
{
    share_inode *inode;
    struct stat status, opened;
    int is_new, failure = 0;
    int fd = create(c, name, (int)(flags & ~(uint32_t)O_TRUNC), &is_new);

    if (fd < 0 && (fd != -EEXIST || c->args.create.flags & O_EXCL))
        return fd;
    if (is_new)
        failure = give_owner(c, fd);
    if (is_new && !failure)
        failure = give_mode(c, fd, c->args.create.mode & MODE_BITS);
    if (!failure) {
        failure = inode_lookup(c->share, c->inode, name, &inode, &status);
        failure = failure == -ENOENT ? -EAGAIN : failure;
    }
    if (failure) {
        sys_close(is_new ? fd : -1);
        return take_back(c, name, is_new, failure);
    }
    if (!is_new)
        fd = failure = inode->type == S_IFREG   ? file_open(c->share, inode->fd, (int)flags)
                       : inode->type == S_IFLNK ? -EAGAIN
                                                : -EACCES;
    if (fd >= 0 && fstat(fd, &opened) != 0)
        failure = -errno;
    else if (fd >= 0)
        failure = opened.st_ino == status.st_ino && opened.st_dev == status.st_dev ? 0 : -EAGAIN;
    if (!failure)
        failure = answer_created(c, inode, fd, &opened, flags & ~(uint32_t)O_TRUNC);
    else if (fd >= 0)
        sys_close(fd);
    if (failure)
        inode_forget(c->share, inode->id, 1);
    inode_put(c->share, inode);
    return take_back(c, name, is_new, failure);
}

/* -EAGAIN: somebody else was quicker, and there is another file now. */
int share_op_create(share_call *c)
{
    const uint32_t known = O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC;
    share_name name;
    int failure = call_take_name(c, name);

    if (failure)
        return failure;
    failure = -EAGAIN;
    for (int i = 0; i < TRIES && failure == -EAGAIN; i++)
        failure = create_once(c, name, c->args.create.flags & known);
    return failure == -EAGAIN ? -ESTALE : failure;
}
