/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are open, and their bytes. Data goes between the file and the buffers of the request
 * as they are. Offsets are the guest's, and may be any: what would be beyond the limit of the
 * process for files is refused here, for the host would send a signal for it. */
#include "base/sys.h"
#include "base/sys_file.h"
#include "share/share.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECES = 256, COPY_MOST = 16 << 20 };

/* What is read only must not get a new time of access, where the process may say so. */
static int open_to_use(share_call *c, int flags)
{
    vsdk_share *share = c->share;
    int quiet = share->flags & VSDK_SHARE_READ_ONLY ? O_NOATIME : 0;
    int fd = file_open(share, c->inode->fd, flags | quiet);

    return fd == -EPERM && quiet ? file_open(share, c->inode->fd, flags) : fd;
}

/* The file is the guest's only when the answer has told it. */
static int answer_open(share_call *c, int fd, uint32_t flags)
{
    struct fuse_open_out out = {0};
    int failure = fd < 0 ? fd : file_add(c->share, c->inode, fd, flags, &out.fh);

    if (failure)
        return failure;
    failure = call_answer(c, &out, sizeof out);
    if (failure)
        file_remove(c->share, out.fh, c->inode);
    return failure;
}

/* O_APPEND is the business of each write: pages of a mapped file go where they belong. */
int share_op_open(share_call *c)
{
    uint32_t flags = c->args.open.flags & (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC);

    if (c->inode->type != S_IFREG)
        return c->inode->type == S_IFDIR ? -EISDIR : -EACCES;
    if (c->share->flags & VSDK_SHARE_READ_ONLY &&
        ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC))
        return -EROFS;
    return answer_open(c, open_to_use(c, (int)flags), flags & ~(uint32_t)O_TRUNC);
}

int share_op_opendir(share_call *c)
{
    if (c->inode->type != S_IFDIR)
        return -ENOTDIR;
    return answer_open(c, open_to_use(c, O_RDONLY | O_DIRECTORY), O_RDONLY | O_DIRECTORY);
}

int share_op_release(share_call *c)
{
    file_remove(c->share, c->args.release.fh, c->inode);
    return 0;
}

/* A folder has no bytes. */
static int get_file(share_call *c, uint64_t id, const share_inode *inode, share_file **file)
{
    *file = NULL;
    return inode->type == S_IFDIR ? -EISDIR : file_get(c->share, id, inode, file);
}

/* Reading less than was asked for tells the guest where the file ends, so it goes on until then. */
static int64_t transfer(int fd, const vsdk_share_buffer *buffers, uint32_t count, uint64_t skip,
                        uint64_t length, uint64_t offset, int flags, int writes)
{
    struct iovec pieces[PIECES];
    uint64_t done = 0;

    while (done < length) {
        int n = call_cut(buffers, count, skip + done, length - done, pieces, PIECES);
        off_t at = (off_t)(offset + done);
        ssize_t moved = writes ? pwritev2(fd, pieces, n, at, flags) : preadv(fd, pieces, n, at);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0)
            return done ? (int64_t)done : -errno;
        if (!moved)
            break;
        done += (uint64_t)moved;
    }
    return (int64_t)done;
}

int share_op_read(share_call *c)
{
    const struct fuse_read_in *in = &c->args.read;
    uint64_t length = share_least(share_least(in->size, SHARE_DATA_MOST), call_room(c));
    share_file *file;
    int failure = get_file(c, in->fh, c->inode, &file);

    if (failure)
        return failure;
    if (in->offset > INT64_MAX - SHARE_DATA_MOST)
        length = 0;
    int64_t got = transfer(file->fd, c->out, c->out_count, sizeof(struct fuse_out_header), length,
                           in->offset, 0, 0);
    file_put(c->share, file);
    c->body = got < 0 ? 0 : (uint64_t)got;
    return got < 0 ? (int)got : 0;
}

/* With the process's limit too. */
static int is_too_far(const vsdk_share *share, uint64_t offset, uint64_t length)
{
    uint64_t end;

    return __builtin_add_overflow(offset, length, &end) || end > INT64_MAX ||
           end > share->size_most;
}

/* What appends goes to the end that the file has now, which the guest may not know. Where that is
 * near the limit, the host would send its signal: so it is looked at. */
static int write_flags(share_call *c, const share_file *file, uint64_t length)
{
    const struct fuse_write_in *in = &c->args.write;
    struct stat status;

    if (!(in->flags & O_APPEND) || in->write_flags & FUSE_WRITE_CACHE)
        return 0;
    if (fstat(file->fd, &status) != 0)
        return -errno;
    return is_too_far(c->share, (uint64_t)status.st_size, length) ? -EFBIG : RWF_APPEND;
}

int share_op_write(share_call *c)
{
    const struct fuse_write_in *in = &c->args.write;
    struct fuse_write_out out = {0};
    share_file *file;

    if (in->size > SHARE_DATA_MOST || in->size > c->in_length - c->at)
        return -EINVAL;
    if (is_too_far(c->share, in->offset, in->size))
        return -EFBIG;
    int failure = get_file(c, in->fh, c->inode, &file);
    if (failure)
        return failure;
    int flags = write_flags(c, file, in->size);
    int64_t put =
        flags < 0 ? flags
                  : transfer(file->fd, c->in, c->in_count, c->at, in->size, in->offset, flags, 1);
    file_put(c->share, file);
    if (put < 0)
        return (int)put;
    out.size = (uint32_t)put;
    return call_answer(c, &out, sizeof out);
}

/* Nothing waits in the share, and an error of the host's comes with the write or with FSYNC. */
int share_op_flush(share_call *c)
{
    share_file *file;
    int failure = file_get(c->share, c->args.flush.fh, c->inode, &file);

    file_put(c->share, file);
    return failure;
}

int share_op_fsync(share_call *c)
{
    share_file *file;
    int failure = file_get(c->share, c->args.fsync.fh, c->inode, &file);

    if (failure)
        return failure;
    failure = c->args.fsync.fsync_flags & FUSE_FSYNC_FDATASYNC ? sys_fdatasync(file->fd)
                                                               : sys_fsync(file->fd);
    file_put(c->share, file);
    return failure;
}

/* The other kinds the guest does by itself. */
int share_op_lseek(share_call *c)
{
    const struct fuse_lseek_in *in = &c->args.lseek;
    struct fuse_lseek_out out = {0};
    share_file *file;

    if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
        return -EINVAL;
    int failure = get_file(c, in->fh, c->inode, &file);
    if (failure)
        return failure;
    int64_t found = sys_seek(file->fd, in->offset, (int)in->whence);
    file_put(c->share, file);
    out.offset = (uint64_t)found;
    return found < 0 ? (int)found : call_answer(c, &out, sizeof out);
}

int share_op_fallocate(share_call *c)
{
    const struct fuse_fallocate_in *in = &c->args.fallocate;
    share_file *file;

    if (in->mode & ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        return -EOPNOTSUPP;
    if (is_too_far(c->share, in->offset, in->length))
        return -EFBIG;
    int failure = get_file(c, in->fh, c->inode, &file);
    if (failure)
        return failure;
    failure = sys_fallocate(file->fd, (int)in->mode, in->offset, in->length);
    file_put(c->share, file);
    return failure;
}

/* A part of a long one: the guest asks for the rest. */
static int copy(share_call *c, const share_file *from, const share_file *to)
{
    const struct fuse_copy_file_range_in *in = &c->args.copy;
    struct fuse_write_out out = {0};
    off_t from_offset = (off_t)in->off_in, to_offset = (off_t)in->off_out;

    if (in->off_in > INT64_MAX ||
        is_too_far(c->share, in->off_out, share_least(in->len, COPY_MOST)))
        return -EFBIG;
    ssize_t copied = copy_file_range(from->fd, &from_offset, to->fd, &to_offset,
                                     share_least(in->len, COPY_MOST), 0);
    if (copied < 0)
        return -errno;
    out.size = (uint32_t)copied;
    return call_answer(c, &out, sizeof out);
}

int share_op_copy(share_call *c)
{
    const struct fuse_copy_file_range_in *in = &c->args.copy;
    share_inode *inode = NULL;
    share_file *from = NULL, *to = NULL;
    int failure = in->flags ? -EINVAL : get_file(c, in->fh_in, c->inode, &from);

    if (!failure)
        failure = inode_get(c->share, in->nodeid_out, 0, &inode);
    if (!failure)
        failure = get_file(c, in->fh_out, inode, &to);
    if (!failure)
        failure = copy(c, from, to);
    file_put(c->share, to);
    inode_put(c->share, inode);
    file_put(c->share, from);
    return failure;
}
