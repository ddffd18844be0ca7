/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest has open. A file keeps its inode in the table, and is closed with the last call
 * that uses it. */
#include "base/alloc.h"
#include "base/sys.h"
#include "share/share.h"
#include <errno.h>

int file_open(vsdk_share *share, int fd, int flags)
{
    int opened = host_open_again(share, fd, flags);

    if ((opened == -EMFILE || opened == -ENFILE) && inode_spare(share))
        opened = host_open_again(share, fd, flags);
    return opened;
}

/* Its inode is counted by who puts it into the table. */
static share_file *file_new(share_inode *inode, int fd, uint32_t flags)
{
    share_file *file = alloc_zeroed(sizeof *file);

    if (!file)
        return NULL;
    lock_init(&file->lock, RANK_SHARE_FOLDER);
    file->inode = inode;
    file->fd = fd;
    file->flags = flags;
    return file;
}

/* Outside of the lock where it may be: a close may write what waits, and takes its time. */
void file_free(share_file *file)
{
    sys_close(file->fd);
    lock_destroy(&file->lock);
    alloc_free(file);
}

int file_add(vsdk_share *share, share_inode *inode, int fd, uint32_t flags, uint64_t *id)
{
    share_file *file = file_new(inode, fd, flags);
    int failure = file ? 0 : -ENOMEM;

    lock_take(&share->lock);
    if (!failure && inode->dead)
        failure = -ESTALE;
    if (!failure)
        failure = slots_add(&share->table.files, file, &file->id);
    if (!failure) {
        inode->refs++;
        *id = file->id;
    }
    lock_give(&share->lock);
    if (failure && file)
        file_free(file);
    else if (failure)
        sys_close(fd);
    return failure;
}

/* The request names the inode too: they must fit. */
int file_get(vsdk_share *share, uint64_t id, const share_inode *inode, share_file **file)
{
    lock_take(&share->lock);
    share_file *found = slots_get(&share->table.files, id);
    int failure = !found || found->inode != inode ? -EBADF : found->fd < 0 ? -ESTALE : 0;
    if (!failure)
        found->busy++;
    lock_give(&share->lock);
    *file = failure ? NULL : found;
    return failure;
}

void file_put(vsdk_share *share, share_file *file)
{
    if (!file)
        return;
    lock_take(&share->lock);
    int last = !--file->busy && file->dead;
    lock_give(&share->lock);
    if (last)
        file_free(file);
}

/* `inode` is busy, so it outlives the file's part of it. */
void file_remove(vsdk_share *share, uint64_t id, const share_inode *inode)
{
    lock_take(&share->lock);
    share_file *file = slots_get(&share->table.files, id);
    if (file && file->inode == inode) {
        slots_remove(&share->table.files, id);
        file->inode->refs--;
        file->inode = NULL;
        file->dead = 1;
    } else {
        file = NULL;
    }
    int last = file && !file->busy;
    lock_give(&share->lock);
    if (last)
        file_free(file);
}

/* A state may be somebody's making: it opens no more than a guest could. */
static int open_as_owner(vsdk_share *share, int fd, int flags)
{
    int failure = host_become_owner(share, fd);

    if (failure)
        return failure;
    int opened = host_open_again(share, fd, flags);
    host_return(share);
    return opened;
}

/* With the share's lock. What can't be opened again is there, and stale. */
int file_restore(vsdk_share *share, uint64_t id, share_inode *inode, uint32_t flags)
{
    share_file *file = file_new(inode, -1, flags);

    if (!file)
        return -ENOMEM;
    int failure = slots_put(&share->table.files, file, id);
    if (failure) {
        file_free(file);
        return failure;
    }
    file->id = id;
    inode->refs++;
    if (!inode_open(share, inode)) {
        int fd = open_as_owner(share, inode->fd, (int)flags);
        file->fd = fd < 0 ? -1 : fd;
    }
    return 0;
}
