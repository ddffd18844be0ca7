/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's side of FUSE: requests for a share, as Linux makes them, and its answers. */
#ifndef VSDK_TESTS_VIRTIO_FUSE_H
#define VSDK_TESTS_VIRTIO_FUSE_H

#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <vsdk/share.h>

enum { FUSE_ANSWER = 1 << 20 };

struct fuse {
    vsdk_share *share;
    uint32_t uid, gid;
    uint64_t room;  /* for the answer, header and all; 0 for as much as there is */
    uint32_t split; /* not 0: request and answer lie in pieces of so many bytes */
    uint64_t unique;
    uint64_t written; /* of the last answer */
    uint32_t length;  /* of its body */
    _Alignas(8) uint8_t body[FUSE_ANSWER];
};

/* Header, then `args` and `more`; the answer's error, a number from errno or 0. A negative one: the
 * call itself failed, with the negated status. */
int fuse_call(struct fuse *f, uint32_t opcode, uint64_t node, const void *args, size_t length,
              const void *more, size_t more_length);
int fuse_begin(struct fuse *f, vsdk_share *share); /* and INIT */

int fuse_lookup(struct fuse *f, uint64_t folder, const char *name, uint64_t *node);
int fuse_mkdir(struct fuse *f, uint64_t folder, const char *name, uint32_t mode, uint64_t *node);
int fuse_mknod(struct fuse *f, uint64_t folder, const char *name, uint32_t mode, uint64_t *node);
int fuse_symlink(struct fuse *f, uint64_t folder, const char *name, const char *target,
                 uint64_t *node);
int fuse_create(struct fuse *f, uint64_t folder, const char *name, uint32_t flags, uint32_t mode,
                uint64_t *node, uint64_t *file);
int fuse_open(struct fuse *f, uint64_t node, uint32_t flags, uint64_t *file);
int fuse_opendir(struct fuse *f, uint64_t node, uint64_t *file);
int fuse_release(struct fuse *f, uint64_t node, uint64_t file);
int fuse_read(struct fuse *f, uint64_t node, uint64_t file, uint64_t offset, uint32_t size);
int fuse_write(struct fuse *f, uint64_t node, uint64_t file, uint64_t offset, const void *bytes,
               uint32_t size, uint32_t flags);
int fuse_name(struct fuse *f, uint32_t opcode, uint64_t folder, const char *name);
int fuse_rename(struct fuse *f, uint64_t folder, const char *old, uint64_t to, const char *name,
                uint32_t flags);
int fuse_link(struct fuse *f, uint64_t node, uint64_t folder, const char *name);
int fuse_setattr(struct fuse *f, uint64_t node, struct fuse_setattr_in in);
int fuse_forget(struct fuse *f, uint64_t node, uint64_t count);

/* What is in the body of the last answer. */
const struct fuse_entry_out *fuse_entry(const struct fuse *f);
const struct fuse_attr *fuse_attr_of(struct fuse *f, uint64_t node); /* GETATTR; NULL */

#endif
