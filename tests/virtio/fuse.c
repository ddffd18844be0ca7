/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of FUSE, one request at a time. */
#include "fuse.h"
#include <stdlib.h>
#include <string.h>

enum { PIECES = 4096 };

static uint32_t cut(const struct fuse *f, uint8_t *bytes, uint64_t length,
                    vsdk_share_buffer *pieces)
{
    uint64_t part = f->split ? f->split : length;
    uint32_t count = 0;

    for (uint64_t at = 0; at < length && count < PIECES; at += part) {
        uint64_t left = length - at;
        uint64_t one = left < part || count == PIECES - 1 ? left : part;
        pieces[count++] = (vsdk_share_buffer){bytes + at, one};
    }
    return count;
}

int fuse_call(struct fuse *f, uint32_t opcode, uint64_t node, const void *args, size_t length,
              const void *more, size_t more_length)
{
    static _Thread_local vsdk_share_buffer in[PIECES], out[PIECES];
    size_t total = sizeof(struct fuse_in_header) + length + more_length;
    uint64_t room = f->room ? f->room : sizeof(struct fuse_out_header) + FUSE_ANSWER;
    struct fuse_in_header head = {.len = (uint32_t)total,
                                  .opcode = opcode,
                                  .unique = ++f->unique,
                                  .nodeid = node,
                                  .uid = f->uid,
                                  .gid = f->gid};
    struct fuse_out_header answer = {0};
    uint8_t *request = malloc(total), *reply = calloc(1, room ? room : 1);

    if (!request || !reply)
        abort();
    memcpy(request, &head, sizeof head);
    if (length)
        memcpy(request + sizeof head, args, length);
    if (more_length)
        memcpy(request + sizeof head + length, more, more_length);
    uint32_t in_count = cut(f, request, total, in), out_count = cut(f, reply, room, out);
    vsdk_status status =
        vsdk_share_request(f->share, in, in_count, out, out_count, &f->written, NULL);
    f->length = 0;
    if (!status && f->written >= sizeof answer) {
        memcpy(&answer, reply, sizeof answer);
        if (answer.unique != f->unique || answer.len != f->written || f->written > room)
            abort();
        f->length = answer.len - (uint32_t)sizeof answer;
        memcpy(f->body, reply + sizeof answer, f->length);
    }
    free(request);
    free(reply);
    return status ? -(int)status : -answer.error;
}

int fuse_begin(struct fuse *f, vsdk_share *share)
{
    struct fuse_init_in in = {.major = 7, .minor = 36, .max_readahead = 1 << 17, .flags = ~0u};

    memset(f, 0, offsetof(struct fuse, body));
    f->share = share;
    return fuse_call(f, FUSE_INIT, 0, &in, sizeof in, NULL, 0);
}

static int entry(struct fuse *f, int failure, uint64_t *node)
{
    if (node)
        *node = failure ? 0 : fuse_entry(f)->nodeid;
    return failure;
}

int fuse_name(struct fuse *f, uint32_t opcode, uint64_t folder, const char *name)
{
    return fuse_call(f, opcode, folder, name, strlen(name) + 1, NULL, 0);
}

int fuse_lookup(struct fuse *f, uint64_t folder, const char *name, uint64_t *node)
{
    return entry(f, fuse_name(f, FUSE_LOOKUP, folder, name), node);
}

int fuse_mkdir(struct fuse *f, uint64_t folder, const char *name, uint32_t mode, uint64_t *node)
{
    struct fuse_mkdir_in in = {.mode = mode};

    return entry(f, fuse_call(f, FUSE_MKDIR, folder, &in, sizeof in, name, strlen(name) + 1), node);
}

int fuse_mknod(struct fuse *f, uint64_t folder, const char *name, uint32_t mode, uint64_t *node)
{
    struct fuse_mknod_in in = {.mode = mode, .rdev = 0x103};

    return entry(f, fuse_call(f, FUSE_MKNOD, folder, &in, sizeof in, name, strlen(name) + 1), node);
}

int fuse_symlink(struct fuse *f, uint64_t folder, const char *name, const char *target,
                 uint64_t *node)
{
    return entry(
        f, fuse_call(f, FUSE_SYMLINK, folder, name, strlen(name) + 1, target, strlen(target) + 1),
        node);
}

int fuse_create(struct fuse *f, uint64_t folder, const char *name, uint32_t flags, uint32_t mode,
                uint64_t *node, uint64_t *file)
{
    struct fuse_create_in in = {.flags = flags, .mode = mode};
    struct fuse_open_out out = {0};
    int failure =
        entry(f, fuse_call(f, FUSE_CREATE, folder, &in, sizeof in, name, strlen(name) + 1), node);

    memcpy(&out, f->body + sizeof(struct fuse_entry_out), sizeof out);
    *file = failure ? 0 : out.fh;
    return failure;
}

static int open_as(struct fuse *f, uint32_t opcode, uint64_t node, uint32_t flags, uint64_t *file)
{
    struct fuse_open_in in = {.flags = flags};
    struct fuse_open_out out;
    int failure = fuse_call(f, opcode, node, &in, sizeof in, NULL, 0);

    memcpy(&out, f->body, sizeof out);
    *file = failure ? 0 : out.fh;
    return failure;
}

int fuse_open(struct fuse *f, uint64_t node, uint32_t flags, uint64_t *file)
{
    return open_as(f, FUSE_OPEN, node, flags, file);
}

int fuse_opendir(struct fuse *f, uint64_t node, uint64_t *file)
{
    return open_as(f, FUSE_OPENDIR, node, 0, file);
}

int fuse_release(struct fuse *f, uint64_t node, uint64_t file)
{
    struct fuse_release_in in = {.fh = file};

    return fuse_call(f, FUSE_RELEASE, node, &in, sizeof in, NULL, 0);
}

int fuse_read(struct fuse *f, uint64_t node, uint64_t file, uint64_t offset, uint32_t size)
{
    struct fuse_read_in in = {.fh = file, .offset = offset, .size = size};

    return fuse_call(f, FUSE_READ, node, &in, sizeof in, NULL, 0);
}

int fuse_write(struct fuse *f, uint64_t node, uint64_t file, uint64_t offset, const void *bytes,
               uint32_t size, uint32_t flags)
{
    struct fuse_write_in in = {.fh = file, .offset = offset, .size = size, .flags = flags};

    return fuse_call(f, FUSE_WRITE, node, &in, sizeof in, bytes, size);
}

int fuse_rename(struct fuse *f, uint64_t folder, const char *old, uint64_t to, const char *name,
                uint32_t flags)
{
    struct fuse_rename2_in in = {.newdir = to, .flags = flags};
    size_t first = strlen(old) + 1, second = strlen(name) + 1;
    char *names = malloc(first + second);

    if (!names)
        abort();
    memcpy(names, old, first);
    memcpy(names + first, name, second);
    int failure = flags ? fuse_call(f, FUSE_RENAME2, folder, &in, sizeof in, names, first + second)
                        : fuse_call(f, FUSE_RENAME, folder, &in, sizeof(struct fuse_rename_in),
                                    names, first + second);
    free(names);
    return failure;
}

int fuse_link(struct fuse *f, uint64_t node, uint64_t folder, const char *name)
{
    struct fuse_link_in in = {.oldnodeid = node};

    return fuse_call(f, FUSE_LINK, folder, &in, sizeof in, name, strlen(name) + 1);
}

int fuse_setattr(struct fuse *f, uint64_t node, struct fuse_setattr_in in)
{
    return fuse_call(f, FUSE_SETATTR, node, &in, sizeof in, NULL, 0);
}

int fuse_forget(struct fuse *f, uint64_t node, uint64_t count)
{
    struct fuse_forget_in in = {.nlookup = count};

    return fuse_call(f, FUSE_FORGET, node, &in, sizeof in, NULL, 0);
}

const struct fuse_entry_out *fuse_entry(const struct fuse *f)
{
    return (const struct fuse_entry_out *)f->body;
}

const struct fuse_attr *fuse_attr_of(struct fuse *f, uint64_t node)
{
    struct fuse_getattr_in in = {0};

    if (fuse_call(f, FUSE_GETATTR, node, &in, sizeof in, NULL, 0))
        return NULL;
    return &((const struct fuse_attr_out *)f->body)->attr;
}
