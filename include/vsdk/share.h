/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders shared with a guest.
 *
 * A folder of the host's that a guest uses as a file system. A share answers requests of FUSE, the
 * protocol of Linux (7.31 and later). A virtio file system device (virtio_fs.h) carries them; an
 * embedder with a transport of its own gives them to vsdk_share_request.
 *
 * Confinement. The guest reaches what lies beneath the folder, and nothing else. It names a file by
 * its folder, which the share has open, and one name in it; names with a slash, . and .. are
 * refused, and the host follows no symbolic link: links are read by the guest, which walks them
 * itself. Only files and folders are opened. Devices are never made, and other special files only
 * if a flag says so. What is moved out of the folder on the host while the guest knows it stays in
 * the guest's reach.
 *
 * Owners. Unless ranges say otherwise, a process of root's gives the guest the owners as they are,
 * and a process of any other user's has all files of the guest belong to itself: the guest sees
 * root as their owner, and nobody (65534) as that of all other files.
 *
 * Limits bound what a guest makes the host keep: inodes remembered, files open, descriptors for
 * inodes.
 *
 * A share is one guest's: the numbers of its inodes and files are those of one session. Several
 * threads may give it requests at a time.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/share.toml by abi/generate.py.
 */

#ifndef VSDK_SHARE_H
#define VSDK_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/state.h>
#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* A shared folder. Counted. Since 0.1. */
typedef struct vsdk_share vsdk_share;

/*
 * Flags of vsdk_share_config.
 *
 * Since 0.1.
 */
enum vsdk_share_flags_values {
    VSDK_SHARE_READ_ONLY = 0x1, /* Nothing is changed */
    VSDK_SHARE_SQUASH = 0x2,    /* All files of the guest belong to the process's user, also for
                                   root */
    VSDK_SHARE_XATTRS = 0x4,    /* Extended attributes whose name begins with user. */
    VSDK_SHARE_SPECIAL = 0x8,   /* The guest may make FIFOs and sockets. The host never opens
                                   them. */
    VSDK_SHARE_MOUNTS = 0x10,   /* Also what is mounted beneath the folder. Without it a mount is
                                   refused. */
};
typedef uint32_t vsdk_share_flags;

/*
 * A range of user or group ids. Frozen: 16 bytes.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_share_ids {
    uint32_t guest;    /* The first id in the guest */
    uint32_t host;     /* The id on the host that it is */
    uint32_t count;    /* How many follow each other, not 0 */
    uint32_t reserved; /* Zero */
} vsdk_share_ids;

/*
 * How to share a folder. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 96 bytes. Since 0.1.
 */
typedef struct vsdk_share_config {
    uint32_t size;                /* sizeof(vsdk_share_config) */
    uint32_t flags;               /* vsdk_share_flags */
    const char *path;             /* The folder. NULL: the descriptor is. */
    int32_t descriptor;           /* The folder, with path NULL: any descriptor of it, O_PATH
                                     too; stays the caller's */
    uint32_t cache_ms;            /* (ms) How long the guest may trust names and attributes; 0
                                     for 1000. 1 is nearly no time. */
    /*
     * (user_count elements, may be NULL) Users of the guest's, and who they are on the host. What
     * the guest does for one is done with that user's rights; a user in no range has none. Needs
     * root.
     */
    const vsdk_share_ids *users;
    const vsdk_share_ids *groups; /* (group_count elements, may be NULL) The same of groups.
                                     Both, or neither. */
    uint32_t user_count;          /* (entries) How many, up to 32 */
    uint32_t group_count;         /* (entries) How many, up to 32 */
    uint32_t inodes_max;          /* (entries) Inodes that are remembered, as long as the guest
                                     does not forget them; 0 for 262144, up to 16777216. About
                                     200 bytes each. */
    uint32_t files_max;           /* (entries) Files and folders that the guest has open, a
                                     descriptor each; 0 for 1024, up to 1048576 */
    uint32_t descriptors_max;     /* (entries) Descriptors that are kept for inodes; 0 for 256,
                                     up to 1048576. An inode without one is opened again when it
                                     is used. */
    uint32_t reserved0;           /* Zero */
    uint64_t reserved[4];         /* Zero */
} vsdk_share_config;

/*
 * A run of bytes. Frozen: 16 bytes.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_share_buffer {
    void *data;      /* (length bytes) The first byte */
    uint64_t length; /* (bytes) How many */
} vsdk_share_buffer;

/*
 * Take a reference more.
 *
 *   share  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_share *vsdk_share_ref(vsdk_share *share);

/*
 * Share a folder.
 *
 * The path is followed as any path is, links too. The folder is then held: it may be renamed.
 *
 *   config  What and how.
 *   share   Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, it is no folder, or a range is empty,
 *                     wraps or overlaps another
 *   NOT_FOUND         there is no such folder
 *   PERMISSION        it may not be read, or the process is not root's and there are ranges
 *   LIMIT             a limit or a count of ranges is too high, or no more descriptors
 *   UNSUPPORTED       the configuration has a later version's field, or the system lacks openat2 or
 *                     /proc
 *   NO_MEMORY         no memory
 *   SYSTEM            the host refuses it for another reason
 * Threads: any. Blocks: briefly: as long as the host's file system takes. From callbacks: yes.
 * States: any. Backends: all. Since 0.1.
 * Source: Linux, uapi/linux/fuse.h.
 */
vsdk_status vsdk_share_open(const vsdk_share_config *config, vsdk_share **share, vsdk_error *error);

/*
 * Drop a reference to a share; the last one closes all that it has open.
 *
 *   share  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: briefly: as long as the host's file system takes. From callbacks: yes.
 * States: any. Backends: all. Since 0.1.
 */
void vsdk_share_close(vsdk_share *share);

/*
 * Answer one request.
 *
 * A failed operation is an answer too: the call succeeds, and the guest is told. The bytes may be a
 * guest's memory: what is checked is copied first. Data of files goes between file and buffers
 * without a copy.
 *
 * It takes as long as the host's file system does. The most data of one request is 1 MiB.
 *
 *   request        (request_count elements) The request: a fuse_in_header and what follows it.
 *   request_count  (entries) Entries of it.
 *   reply          (reply_count elements, may be NULL) Where the answer goes.
 *   reply_count    (entries) Entries of it.
 *   written        (out, bytes) The answer's length; 0 when there is none to give, as to FORGET.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   FORMAT            it is no request: shorter than its header, or there is no room for the header
 *                     of the answer
 *   STATE             called in a forked child
 * Threads: any. Blocks: as long as the host's file system takes. From callbacks: yes. States: any.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_share_request(vsdk_share *share, const vsdk_share_buffer *request,
                               uint32_t request_count, const vsdk_share_buffer *reply,
                               uint32_t reply_count, uint64_t *written, vsdk_error *error);

/*
 * End the guest's session: all that it has open is closed, and forgotten.
 *
 * Locks and files of the host's are as they are. The next request is INIT.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  share is NULL
 *   NO_MEMORY         no memory; nothing has changed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly: as long as the host's file system takes. From callbacks: yes.
 * States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_share_reset(vsdk_share *share, vsdk_error *error);

/*
 * Write the guest's session: what it knows and has open, by path beneath the folder.
 *
 * No request is under way. The contents of files are not part of it.
 *
 *   writer  (inout) Takes the field share.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   EXISTS            the state has such a field already
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: the one of the callback. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_share_save(vsdk_share *share, vsdk_state_writer *writer, vsdk_error *error);

/*
 * Read a session back, into the same folder or a copy of it.
 *
 * Each file and folder is opened again by its path. One that is gone, or is of another kind now,
 * answers ESTALE to the guest; of the same folder also one that was replaced. With ranges of ids a
 * state reaches no more than users of the guest could, so one answers ESTALE too that its owner, as
 * the guest's, can't open, or that lies in a folder which its owner can't search. No request is
 * under way. When it fails the session is what it was.
 *
 *   reader  (inout) Gives the field share.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   FORMAT            the field is missing, or is no such session, or one beyond the limits
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: the one of the callback. Blocks: as long as the host's file system takes. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_share_load(vsdk_share *share, vsdk_state_reader *reader, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_SHARE_H */
