/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a folder. The guest says where it goes on by what the host's file system said of an
 * entry, and may say anything: that is the file system's to judge. An answer has 64 KiB at most, so
 * that one request looks up no more than some hundreds of names. */
#include "share/share.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MOST = 1 << 16, BATCH = 8192 };

/* As the kernel writes it. */
typedef struct host_entry {
    uint64_t number;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[];
} host_entry;

static int is_dots(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* What is there may be gone, or a mount that is not shared: then the guest has its name alone. */
static int look_up(share_call *c, const char *name, struct fuse_entry_out *entry)
{
    share_inode *inode;
    struct stat status;

    memset(entry, 0, sizeof *entry);
    if (is_dots(name) || inode_lookup(c->share, c->inode, name, &inode, &status))
        return 0;
    attributes_fill_entry(c->share, inode, &status, entry);
    inode_put(c->share, inode);
    return 1;
}

/* 1 when it is in the answer, 0 when there is no room for it. */
static int put_entry(share_call *c, const host_entry *e, uint64_t room, int plus)
{
    static const char nothing[8];
    const size_t name_length = strlen(e->name);
    struct fuse_dirent out = {.ino = e->number,
                              .off = (uint64_t)e->next,
                              .namelen = (uint32_t)name_length,
                              .type = e->type};
    struct fuse_entry_out entry;
    uint64_t before = plus ? sizeof entry : 0, bare = before + FUSE_NAME_OFFSET + name_length;
    uint64_t length = FUSE_DIRENT_ALIGN(bare), at = sizeof(struct fuse_out_header) + c->body;

    if (length > room - c->body)
        return 0;
    /* What is above the folder is nobody's business. */
    if (c->inode->id == SHARE_ROOT && is_dots(e->name))
        out.ino = c->inode->identity.number;
    if (plus) {
        look_up(c, e->name, &entry);
        call_put(c, at, &entry, sizeof entry);
    }
    call_put(c, at + before, &out, FUSE_NAME_OFFSET);
    call_put(c, at + before + FUSE_NAME_OFFSET, e->name, name_length);
    call_put(c, at + bare, nothing, length - bare);
    c->body += length;
    return 1;
}

/* Entries that the host gave and the answer has no room for are asked for again. */
static int fill(share_call *c, share_file *file, uint64_t room, int plus)
{
    union {
        host_entry entry;
        char bytes[BATCH];
    } batch;

    for (;;) {
        ssize_t got = host_entries(file->fd, batch.bytes, sizeof batch.bytes);
        if (got <= 0)
            return got < 0 && !c->body ? (int)got : 0;
        for (ssize_t at = 0; at < got;) {
            const host_entry *e = (const host_entry *)(batch.bytes + at);
            if (!put_entry(c, e, room, plus)) {
                lseek(file->fd, (off_t)file->position, SEEK_SET);
                return c->body ? 0 : -EINVAL;
            }
            file->position = (uint64_t)e->next;
            at += e->length;
        }
    }
}

static int read_folder(share_call *c, int plus)
{
    const struct fuse_read_in *in = &c->args.read;
    uint64_t room = in->size < ANSWER_MOST ? in->size : ANSWER_MOST;
    share_file *file;
    int failure = file_get(c->share, in->fh, c->inode, &file);

    if (failure)
        return failure;
    if (c->inode->type != S_IFDIR) {
        file_put(c->share, file);
        return -ENOTDIR;
    }
    if (room > call_room(c))
        room = call_room(c);
    lock_take(&file->lock);
    if (in->offset != file->position && lseek(file->fd, (off_t)in->offset, SEEK_SET) < 0)
        failure = -errno;
    else
        file->position = in->offset;
    if (!failure)
        failure = fill(c, file, room, plus);
    lock_give(&file->lock);
    file_put(c->share, file);
    return failure;
}

int share_op_readdir(share_call *c)
{
    return read_folder(c, 0);
}

int share_op_readdirplus(share_call *c)
{
    return read_folder(c, 1);
}
