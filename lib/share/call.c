/* SPDX-License-Identifier: Apache-2.0 */
/* One request's bytes and its answer's. Both are runs of somebody else's memory, which may change
 * at any time: what is looked at was copied before, and offsets and lengths are ours. */
#include "share/share.h"
#include <errno.h>
#include <string.h>

int call_cut(const vsdk_share_buffer *buffers, uint32_t count, uint64_t skip, uint64_t length,
             struct iovec *pieces, int most)
{
    int n = 0;

    for (uint32_t i = 0; i < count && length && n < most; i++) {
        if (skip >= buffers[i].length) {
            skip -= buffers[i].length;
            continue;
        }
        uint64_t part = share_least(buffers[i].length - skip, length);
        pieces[n].iov_base = (char *)buffers[i].data + skip;
        pieces[n++].iov_len = part;
        length -= part;
        skip = 0;
    }
    return n;
}

/* The copy that everything is checked on. There are so many bytes, for the header's length was held
 * against the buffers. */
int call_take(share_call *c, void *to, uint64_t bytes)
{
    uint64_t skip = c->at;

    if (bytes > c->in_length - c->at)
        return -EINVAL;
    c->at += bytes;
    for (uint32_t i = 0; bytes; i++) {
        const vsdk_share_buffer *b = &c->in[i];
        if (skip >= b->length) {
            skip -= b->length;
            continue;
        }
        uint64_t part = share_least(b->length - skip, bytes);
        memcpy(to, (const char *)b->data + skip, part);
        to = (char *)to + part;
        bytes -= part;
        skip = 0;
    }
    return 0;
}

/* Up to and with the zero that ends it. */
int call_take_text(share_call *c, char *to, size_t room, int too_long)
{
    uint64_t left = c->in_length - c->at, start = c->at;
    uint64_t part = share_least(left, room);

    if (call_take(c, to, part))
        return -EINVAL;
    /* Without an end it is cut off by our room, or by the request's. */
    const char *end = memchr(to, '\0', part);
    if (!end)
        return left > part ? too_long : -EINVAL;
    c->at = start + (uint64_t)(end - to) + 1;
    return 0;
}

/* One name in a folder, and no way out of it. Linux never asks for `.` and `..` by name: they are
 * refused below the root too, where they would be harmless. */
int call_take_name(share_call *c, share_name name)
{
    int failure = call_take_text(c, name, sizeof(share_name), -ENAMETOOLONG);

    if (failure)
        return failure;
    if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return -EINVAL;
    return 0;
}

uint64_t call_room(const share_call *c)
{
    return c->out_length - sizeof(struct fuse_out_header);
}

/* `offset` counts from the header of the answer on. */
int call_put(share_call *c, uint64_t offset, const void *bytes, uint64_t length)
{
    uint64_t skip = offset;

    for (uint32_t i = 0; length && i < c->out_count; i++) {
        const vsdk_share_buffer *b = &c->out[i];
        if (skip >= b->length) {
            skip -= b->length;
            continue;
        }
        uint64_t part = share_least(b->length - skip, length);
        memcpy((char *)b->data + skip, bytes, part);
        bytes = (const char *)bytes + part;
        length -= part;
        skip = 0;
    }
    return length ? -EINVAL : 0;
}

/* All of it or nothing: half a structure would be read as a whole one. */
int call_answer(share_call *c, const void *bytes, uint64_t length)
{
    if (length > call_room(c))
        return -EINVAL;
    c->body = length;
    return call_put(c, sizeof(struct fuse_out_header), bytes, length);
}

int call_descriptor(share_call *c, int by_file, uint64_t id, share_file **file)
{
    int failure;

    *file = NULL;
    if (!by_file)
        return c->inode->fd;
    failure = file_get(c->share, id, c->inode, file);
    return failure ? failure : (*file)->fd;
}

int call_entry(share_call *c, share_inode *inode, const struct stat *status)
{
    struct fuse_entry_out entry;

    attributes_fill_entry(c->share, inode, status, &entry);
    return call_answer(c, &entry, sizeof entry);
}
