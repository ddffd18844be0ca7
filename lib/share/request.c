/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to its answer. The header and what follows it in a fixed size are copied and
 * checked here; the table says what each operation needs. An operation returns 0 or -errno, which
 * is the guest's to see: one that failed has no body.
 *
 * Between the beginning and the end of a request the thread can't be cancelled, and with ranges of
 * users it has the rights of the guest's user. */
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "share/share.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

enum {
    CHANGES = 1,  /* refused where the share is read-only */
    NO_NODE = 2,  /* the header's node is nobody's */
    SILENT = 4,   /* no answer */
    EARLY = 8,    /* also before INIT */
    BY_FILE = 16, /* the node's own descriptor is not needed */
    TWO_NODES = 32,
    MINOR = 31, /* of the protocol that is spoken */
    PAGE = 4096
};

/* Without these two a guest would send what 7.31 does not have. */
static int op_init(share_call *c)
{
    const uint32_t wanted = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
                            FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO |
                            FUSE_PARALLEL_DIROPS | FUSE_AUTO_INVAL_DATA | FUSE_MAX_PAGES;
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = MINOR};
    vsdk_share *share = c->share;

    if (c->args.init.major < FUSE_KERNEL_VERSION ||
        (c->args.init.major == FUSE_KERNEL_VERSION && c->args.init.minor < MINOR))
        return -EPROTO;
    /* A later one asks again, in the form of this one. */
    if (c->args.init.major > FUSE_KERNEL_VERSION)
        return call_answer(c, &out, sizeof out);
    out.max_readahead = c->args.init.max_readahead;
    out.flags = c->args.init.flags & wanted;
    out.max_background = 64;
    out.congestion_threshold = 48;
    out.max_write = SHARE_DATA_MOST;
    out.time_gran = 1;
    out.max_pages = SHARE_DATA_MOST / PAGE;
    lock_take(&share->lock);
    share->table.begun = 1;
    lock_give(&share->lock);
    return call_answer(c, &out, sizeof out);
}

static int op_destroy(share_call *c)
{
    return share_reset(c->share);
}

static int op_forget(share_call *c)
{
    inode_forget(c->share, c->head.nodeid, c->args.forget.nlookup);
    return 0;
}

/* The count is believed as far as there are bytes. */
static int op_batch_forget(share_call *c)
{
    struct fuse_forget_one one;

    for (uint32_t i = 0; i < c->args.batch.count && !call_take(c, &one, sizeof one); i++)
        inode_forget(c->share, one.nodeid, one.nlookup);
    return 0;
}

/* Requests are answered one after the other where they are taken: what it wants to end has ended.
 */
static int op_interrupt(share_call *c)
{
    (void)c;
    return 0;
}

typedef struct share_rule {
    share_operation *run;
    uint16_t flags;
    uint16_t args; /* bytes that follow the header */
} share_rule;

#define ARGS(member) sizeof(((share_call *)0)->args.member)

/* Locks are not here: without FUSE_POSIX_LOCKS and FUSE_FLOCK_LOCKS the guest has its own. */
static const share_rule rules[] = {
    [FUSE_LOOKUP] = {share_op_lookup, 0, 0},
    [FUSE_FORGET] = {op_forget, NO_NODE | SILENT, ARGS(forget)},
    [FUSE_GETATTR] = {share_op_getattr, BY_FILE, ARGS(getattr)},
    [FUSE_SETATTR] = {share_op_setattr, CHANGES | BY_FILE, ARGS(setattr)},
    [FUSE_READLINK] = {share_op_readlink, 0, 0},
    [FUSE_SYMLINK] = {share_op_symlink, CHANGES, 0},
    [FUSE_MKNOD] = {share_op_mknod, CHANGES, ARGS(mknod)},
    [FUSE_MKDIR] = {share_op_mkdir, CHANGES, ARGS(mkdir)},
    [FUSE_UNLINK] = {share_op_unlink, CHANGES, 0},
    [FUSE_RMDIR] = {share_op_rmdir, CHANGES, 0},
    [FUSE_RENAME] = {share_op_rename, CHANGES | TWO_NODES, ARGS(rename)},
    [FUSE_LINK] = {share_op_link, CHANGES | TWO_NODES, ARGS(link)},
    [FUSE_OPEN] = {share_op_open, 0, ARGS(open)},
    [FUSE_READ] = {share_op_read, BY_FILE, ARGS(read)},
    [FUSE_WRITE] = {share_op_write, CHANGES | BY_FILE, ARGS(write)},
    [FUSE_STATFS] = {share_op_statfs, 0, 0},
    [FUSE_RELEASE] = {share_op_release, BY_FILE, ARGS(release)},
    [FUSE_FSYNC] = {share_op_fsync, BY_FILE, ARGS(fsync)},
    [FUSE_SETXATTR] = {share_op_setxattr, CHANGES, ARGS(setxattr)},
    [FUSE_GETXATTR] = {share_op_getxattr, 0, ARGS(getxattr)},
    [FUSE_LISTXATTR] = {share_op_listxattr, 0, ARGS(getxattr)},
    [FUSE_REMOVEXATTR] = {share_op_removexattr, CHANGES, 0},
    [FUSE_FLUSH] = {share_op_flush, BY_FILE, ARGS(flush)},
    [FUSE_INIT] = {op_init, NO_NODE | EARLY, 16}, /* as it was before 7.36 */
    [FUSE_OPENDIR] = {share_op_opendir, 0, ARGS(open)},
    [FUSE_READDIR] = {share_op_readdir, BY_FILE, ARGS(read)},
    [FUSE_RELEASEDIR] = {share_op_release, BY_FILE, ARGS(release)},
    [FUSE_FSYNCDIR] = {share_op_fsync, BY_FILE, ARGS(fsync)},
    [FUSE_ACCESS] = {share_op_access, 0, ARGS(access)},
    [FUSE_CREATE] = {share_op_create, CHANGES, ARGS(create)},
    [FUSE_INTERRUPT] = {op_interrupt, NO_NODE | SILENT, 0},
    [FUSE_DESTROY] = {op_destroy, NO_NODE | EARLY, 0},
    [FUSE_BATCH_FORGET] = {op_batch_forget, NO_NODE | SILENT, ARGS(batch)},
    [FUSE_FALLOCATE] = {share_op_fallocate, CHANGES | BY_FILE, ARGS(fallocate)},
    [FUSE_READDIRPLUS] = {share_op_readdirplus, 0, ARGS(read)},
    [FUSE_RENAME2] = {share_op_rename2, CHANGES | TWO_NODES, ARGS(rename2)},
    [FUSE_LSEEK] = {share_op_lseek, BY_FILE, ARGS(lseek)},
    [FUSE_COPY_FILE_RANGE] = {share_op_copy, CHANGES | BY_FILE, ARGS(copy)},
};

static const share_rule *rule_of(uint32_t opcode)
{
    if (opcode >= sizeof rules / sizeof *rules || !rules[opcode].run)
        return NULL;
    return &rules[opcode];
}

static int has_begun(vsdk_share *share)
{
    lock_take(&share->lock);
    int begun = (int)share->table.begun;
    lock_give(&share->lock);
    return begun;
}

static int run_mapped(share_call *c, const share_rule *op)
{
    uint32_t user, group;

    if (c->share->owners != OWNERS_MAPPED || op->flags & NO_NODE)
        return op->run(c);
    if (!owner_to_host(c->share, c->head.uid, c->head.gid, &user, &group))
        return -EACCES;
    int failure = host_become(c->share, user, group);
    if (failure)
        return failure;
    failure = op->run(c);
    host_return(c->share);
    return failure;
}

/* Descriptors of inodes are opened with the process's rights: that the guest knows an inode is its
 * right to it, whoever asks. */
static int get_inodes(share_call *c, const share_rule *op)
{
    int with_descriptor = !(op->flags & BY_FILE);
    uint64_t other = 0;

    switch (c->head.opcode) {
    case FUSE_GETATTR:
        with_descriptor = !(c->args.getattr.getattr_flags & FUSE_GETATTR_FH);
        break;
    case FUSE_SETATTR:
        with_descriptor = !(c->args.setattr.valid & FATTR_FH);
        break;
    case FUSE_RENAME:
        other = c->args.rename.newdir;
        break;
    case FUSE_RENAME2:
        other = c->args.rename2.newdir;
        break;
    case FUSE_LINK:
        other = c->args.link.oldnodeid;
        break;
    }
    int failure = inode_get(c->share, c->head.nodeid, with_descriptor, &c->inode);
    if (!failure && op->flags & TWO_NODES)
        failure = inode_get(c->share, other, 1, &c->other);
    return failure;
}

/* The order matters: what is no request at all is said before what is not allowed. */
static int run(share_call *c, const share_rule *op)
{
    if (!op)
        return -ENOSYS;
    if (c->head.len > c->in_length || c->head.len < sizeof c->head)
        return -EINVAL;
    c->in_length = c->head.len;
    int failure = call_take(c, &c->args, op->args);
    if (failure)
        return failure;
    if (!(op->flags & EARLY) && !has_begun(c->share))
        return -EIO;
    if (op->flags & CHANGES && c->share->flags & VSDK_SHARE_READ_ONLY)
        return -EROFS;
    if (!(op->flags & NO_NODE))
        failure = get_inodes(c, op);
    if (!failure)
        failure = run_mapped(c, op);
    inode_put(c->share, c->other);
    inode_put(c->share, c->inode);
    return failure;
}

static uint64_t length_of(const vsdk_share_buffer *buffers, uint32_t count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        if (__builtin_add_overflow(sum, buffers[i].length, &sum))
            return UINT64_MAX;
    return sum;
}

/* errno values that a guest knows; ours for what goes wrong between us are none. */
static uint64_t answer(share_call *c, int failure)
{
    struct fuse_out_header out = {.error = failure, .unique = c->head.unique};

    if (failure)
        c->body = 0;
    out.len = (uint32_t)(sizeof out + c->body);
    call_put(c, 0, &out, sizeof out);
    return out.len;
}

vsdk_status vsdk_share_request(vsdk_share *share, const vsdk_share_buffer *request,
                               uint32_t request_count, const vsdk_share_buffer *reply,
                               uint32_t reply_count, uint64_t *written, vsdk_error *error)
{
    static const char operation[] = "vsdk_share_request";
    share_call c = {.share = share,
                    .in = request,
                    .out = reply,
                    .in_count = request_count,
                    .out_count = reply_count};

    if (written)
        *written = 0;
    if (!share || !request || !written || (!reply && reply_count))
        return error_null(error, operation,
                          !share     ? "share"
                          : !request ? "request"
                          : !written ? "written"
                                     : "reply");
    if (share->process != process_id())
        return error_forked(error, operation);
    c.in_length = length_of(request, request_count);
    c.out_length = length_of(reply, reply_count);
    if (call_take(&c, &c.head, sizeof c.head))
        return error_set(error, VSDK_ERROR_FORMAT, operation,
                         "the request is shorter than its header");
    const share_rule *op = rule_of(c.head.opcode);
    int silent = op && op->flags & SILENT;
    if (!silent && c.out_length < sizeof(struct fuse_out_header))
        return error_set(error, VSDK_ERROR_FORMAT, operation,
                         "there is no room for the header of the answer to operation %u",
                         c.head.opcode);
    int before = sys_cancel_off();
    int failure = run(&c, op);
    sys_cancel_back(before);
    if (!silent)
        *written = answer(&c, failure);
    return VSDK_OK;
}
