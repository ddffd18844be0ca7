/* SPDX-License-Identifier: Apache-2.0 */
/* A share's parts, as its files see them.
 *
 * The share's lock guards the table: inodes, files, descriptors. It is not held over reading and
 * writing of files. Who uses an inode or a file outside of it counts itself in `busy`: then its
 * descriptor stays open, and its memory too. A folder's lock guards its position; it is taken
 * before the share's. */
#ifndef VSDK_SHARE_SHARE_H
#define VSDK_SHARE_SHARE_H

#include "base/lock.h"
#include "base/refs.h"
#include <limits.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <vsdk/share.h>

enum {
    SHARE_ROOT = FUSE_ROOT_ID,
    SHARE_DATA_MOST = 1 << 20, /* bytes of one request */
    SHARE_RANGES_MOST = 32,
    SHARE_HANDLE_MOST = 32
};

/* What the file system calls a file. Of length 0: it has no name for it, or a longer one. */
typedef struct share_handle {
    uint32_t length;
    int32_t type;
    uint8_t bytes[SHARE_HANDLE_MOST];
} share_handle;

/* What makes a file itself, whatever its name. */
typedef struct share_identity {
    uint64_t device, number;
    share_handle handle;
} share_identity;

typedef struct share_inode {
    uint64_t id;      /* the guest's name for it */
    uint64_t lookups; /* that the guest has not taken back */
    uint32_t busy;    /* calls under way: its descriptor stays */
    uint32_t refs;    /* children in the table and open files */
    int fd;           /* O_PATH, or -1: it is opened again by its place */
    uint32_t type;    /* S_IFMT's bits */
    uint32_t dead;    /* a session that ended had it */
    share_identity identity;
    struct share_inode *parent; /* where it was seen last; counted in its refs */
    char *name;                 /* NULL: it has no place any more */
    struct share_inode *chained;
    struct share_inode *older, *newer; /* among those with a descriptor */
} share_inode;

typedef struct share_file {
    uint64_t id;
    share_inode *inode; /* counted in its refs */
    uint32_t busy;
    uint32_t dead;     /* closed while it was busy */
    int fd;            /* -1: what a saved session had open is gone */
    uint32_t flags;    /* O_ACCMODE and the like, that it was opened with */
    lock lock;         /* RANK_SHARE_FOLDER: of a folder's position */
    uint64_t position; /* where the next entry comes from */
} share_file;

/* A slot's number and its generation make an id, so that an old id is never taken for a new one. */
typedef struct share_slot {
    void *object;
    uint32_t generation;
    uint32_t next; /* free */
} share_slot;

typedef struct share_slots {
    share_slot *list;
    uint32_t count, most, free; /* 0: none is free */
} share_slots;

typedef struct share_table {
    share_slots inodes, files; /* an inode's slot 1 is the root */
    share_inode **chains;      /* by identity; a power of two */
    uint32_t chain_count, inode_count;
    share_inode *oldest, *newest;
    uint32_t descriptors; /* of inodes */
    uint32_t begun;       /* INIT was answered */
} share_table;

typedef enum share_owners { OWNERS_KEPT, OWNERS_SQUASHED, OWNERS_MAPPED } share_owners;

struct vsdk_share {
    refs refs;
    uint32_t process;
    uint32_t flags;
    uint32_t cache_ms;
    uint32_t inodes_max, files_max, descriptors_max;
    int root;             /* the folder */
    int proc;             /* /proc/self/fd: descriptors are opened again through it */
    uint32_t by_handle;   /* the host lets us open files by their handles */
    uint64_t size_most;   /* a longer file would be a signal: RLIMIT_FSIZE */
    uint32_t user, group; /* the process's */
    share_owners owners;
    uint32_t user_count, group_count;
    vsdk_share_ids users[SHARE_RANGES_MOST], groups[SHARE_RANGES_MOST];
    gid_t extra[NGROUPS_MAX < 64 ? NGROUPS_MAX : 64]; /* the thread's, while it is mapped */
    int extra_count;

    lock lock; /* RANK_SHARE */
    share_table table;
};

/* One request while it is answered. */
typedef struct share_call {
    vsdk_share *share;
    const vsdk_share_buffer *in, *out;
    uint32_t in_count, out_count;
    uint64_t in_length; /* what the header says; no more than there is */
    uint64_t out_length;
    uint64_t at;   /* how much was taken */
    uint64_t body; /* bytes of the answer behind its header */
    struct fuse_in_header head;
    share_inode *inode; /* of the header's node; busy */
    share_inode *other; /* RENAME's new folder, or LINK's file; busy */
    union {             /* what follows the header, of a fixed size */
        struct fuse_init_in init;
        struct fuse_forget_in forget;
        struct fuse_batch_forget_in batch;
        struct fuse_getattr_in getattr;
        struct fuse_setattr_in setattr;
        struct fuse_mknod_in mknod;
        struct fuse_mkdir_in mkdir;
        struct fuse_rename_in rename;
        struct fuse_rename2_in rename2;
        struct fuse_link_in link;
        struct fuse_open_in open;
        struct fuse_create_in create;
        struct fuse_read_in read;
        struct fuse_write_in write;
        struct fuse_release_in release;
        struct fuse_fsync_in fsync;
        struct fuse_flush_in flush;
        struct fuse_access_in access;
        struct fuse_lseek_in lseek;
        struct fuse_fallocate_in fallocate;
        struct fuse_copy_file_range_in copy;
        struct fuse_getxattr_in getxattr;
        uint32_t setxattr[2]; /* size and flags: the form before FUSE_SETXATTR_EXT */
    } args;
} share_call;

typedef char share_name[NAME_MAX + 1];

static inline uint64_t share_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* host.c: the host's file system. Each returns -errno. */
int host_open_root(const vsdk_share_config *config);
int host_open_proc(void);
int host_open_name(vsdk_share *share, int folder, const char *path); /* O_PATH, a link itself */
int host_create(vsdk_share *share, int folder, const char *name, int flags, mode_t mode);
int host_open_again(vsdk_share *share, int fd, int flags); /* a regular file's or folder's */
int host_open_handle(vsdk_share *share, const share_handle *handle);
int host_identify(int fd, share_identity *identity, struct stat *status);
int host_set_mode(vsdk_share *share, int fd, mode_t mode);
int host_set_times(vsdk_share *share, int fd, const struct timespec times[2]);
int host_link(vsdk_share *share, int fd, int folder, const char *name);
int host_access(vsdk_share *share, int fd, int mask);
int host_rename(int from, const char *old, int to, const char *name, uint32_t flags);
ssize_t host_entries(int fd, void *to, size_t bytes);
/* Runs the thread with the mapped rights of a caller in the guest, and back. */
int host_become(vsdk_share *share, uint32_t user, uint32_t group);
void host_return(vsdk_share *share);
/* The same as a user of the guest's who may have opened this: its owner, if that is one. Without
 * ranges it does nothing. */
int host_become_owner(vsdk_share *share, int fd);

/* owners.c: 0 when there is no such id. */
int owner_to_host(const vsdk_share *share, uint32_t user, uint32_t group, uint32_t *host_user,
                  uint32_t *host_group);
uint32_t owner_guest_user(const vsdk_share *share, uint32_t user);
uint32_t owner_guest_group(const vsdk_share *share, uint32_t group);
/* The host's ids of a file, where they are the guest's; else the first ones that the guest has. */
void owner_in_guest(const vsdk_share *share, const struct stat *status, uint32_t *user,
                    uint32_t *group);
vsdk_status owners_read(vsdk_share *share, const vsdk_share_config *config, const char *operation,
                        vsdk_error *error);

/* slots.c: with the share's lock. */
int slots_add(share_slots *slots, void *object, uint64_t *id); /* -ENFILE, -ENOMEM */
int slots_put(share_slots *slots, void *object, uint64_t id);  /* there; -EINVAL */
void *slots_get(const share_slots *slots, uint64_t id);
void slots_remove(share_slots *slots, uint64_t id);
void slots_order(share_slots *slots); /* which are free, after slots_put */

/* inodes.c. `busy` inodes are given back with inode_put. */
int inode_table_begin(vsdk_share *share); /* an empty table with the root in it */
void inode_table_end(share_table *table);
int inode_get(vsdk_share *share, uint64_t id, int with_descriptor, share_inode **inode);
void inode_put(vsdk_share *share, share_inode *inode);
/* One that a name of a folder is now; the guest has a lookup more. */
int inode_lookup(vsdk_share *share, share_inode *folder, const char *name, share_inode **inode,
                 struct stat *status);
/* The same if the table has it, with no lookup; NULL if not. What loses its name is still to be
 * reached by those who know it, so it has a descriptor from here on. */
int inode_find(vsdk_share *share, share_inode *folder, const char *name, share_inode **inode);
void inode_forget(vsdk_share *share, uint64_t id, uint64_t count);
/* Its place is this now; folder NULL: none, if it was this one. */
void inode_place(vsdk_share *share, share_inode *inode, share_inode *folder, const char *name);
void inode_unplace(vsdk_share *share, share_inode *inode, const share_inode *folder,
                   const char *name);
/* With the share's lock: a saved one. */
int inode_restore(vsdk_share *share, uint64_t id, uint64_t lookups, uint32_t type,
                  const share_identity *identity, share_inode *parent, const char *name);
int inode_open(vsdk_share *share, share_inode *inode);
/* With no lock: gives descriptors of inodes back, so that others can be opened; 0: there is none.
 */
int inode_spare(vsdk_share *share);

/* files.c. `fd` is one that is busy: a descriptor to use the file by, where another may be spared.
 */
int file_open(vsdk_share *share, int fd, int flags);
int file_add(vsdk_share *share, share_inode *inode, int fd, uint32_t flags, uint64_t *id);
int file_get(vsdk_share *share, uint64_t id, const share_inode *inode, share_file **file);
void file_put(vsdk_share *share, share_file *file);
void file_remove(vsdk_share *share, uint64_t id, const share_inode *inode);
int file_restore(vsdk_share *share, uint64_t id, share_inode *inode, uint32_t flags);
void file_free(share_file *file);

/* state.c: an empty session. */
int share_reset(vsdk_share *share);

/* call.c: taking from a request and putting into an answer. */
int call_take(share_call *c, void *to, uint64_t bytes);
int call_take_text(share_call *c, char *to, size_t room, int too_long);
int call_take_name(share_call *c, share_name name);
int call_put(share_call *c, uint64_t offset, const void *bytes, uint64_t length);
int call_answer(share_call *c, const void *bytes, uint64_t length);
/* The descriptor to act on: that of a file if the request names one, else the inode's own. */
int call_descriptor(share_call *c, int by_file, uint64_t id, share_file **file);
int call_entry(share_call *c, share_inode *inode, const struct stat *status);
uint64_t call_room(const share_call *c); /* behind the header */
/* Pieces of `length` bytes from `skip` on; how many, up to `most`. */
int call_cut(const vsdk_share_buffer *buffers, uint32_t count, uint64_t skip, uint64_t length,
             struct iovec *pieces, int most);

/* attributes.c */
void attributes_fill(const vsdk_share *share, const struct stat *status, struct fuse_attr *attr);
void attributes_fill_entry(const vsdk_share *share, const share_inode *inode,
                           const struct stat *status, struct fuse_entry_out *entry);

/* The operations, which request.c has in a table. */
typedef int share_operation(share_call *c);
share_operation share_op_getattr, share_op_setattr, share_op_access, share_op_statfs;
share_operation share_op_getxattr, share_op_setxattr, share_op_listxattr, share_op_removexattr;
share_operation share_op_lookup, share_op_readlink, share_op_symlink, share_op_mknod,
    share_op_mkdir, share_op_unlink, share_op_rmdir;
share_operation share_op_rename, share_op_rename2, share_op_link, share_op_create;
share_operation share_op_open, share_op_opendir, share_op_release, share_op_read, share_op_write,
    share_op_flush, share_op_fsync, share_op_lseek;
share_operation share_op_fallocate, share_op_copy, share_op_readdir, share_op_readdirplus;

#endif
