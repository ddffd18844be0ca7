/* SPDX-License-Identifier: Apache-2.0 */
/* A share as an object: opened, counted, closed, and its session ended.
 *
 * It has the folder and /proc/self/fd open for its life. The rest that it has open is the
 * session's, which begins empty and ends with a reset. */
#include "share/share.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/record.h"
#include "base/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

enum {
    FLAGS = VSDK_SHARE_READ_ONLY | VSDK_SHARE_SQUASH | VSDK_SHARE_XATTRS | VSDK_SHARE_SPECIAL |
            VSDK_SHARE_MOUNTS,
    INODES = 1 << 18,
    INODES_MOST = 1 << 24,
    FILES = 1024,
    FILES_MOST = 1 << 20,
    DESCRIPTORS = 256,
    CACHE_MS = 1000
};

/* In reverse order; what was never opened is -1. */
static void share_free(vsdk_share *share)
{
    inode_table_end(&share->table);
    sys_close(share->proc);
    sys_close(share->root);
    lock_destroy(&share->lock);
    alloc_free(share);
}

/* The path in the message is the caller's own, not the guest's. */
static vsdk_status folder_failed(const vsdk_share_config *config, int failure,
                                 const char *operation, vsdk_error *error)
{
    vsdk_status status = failure == ENOENT                        ? VSDK_ERROR_NOT_FOUND
                         : failure == ENOTDIR || failure == EBADF ? VSDK_ERROR_INVALID_ARGUMENT
                                                                  : error_status_of_errno(failure);

    if (config->path)
        return error_set_errno(error, status, failure, operation, "the folder %s can't be opened",
                               config->path);
    return error_set_errno(error, status, failure, operation,
                           "descriptor %d is of no folder that can be opened", config->descriptor);
}

/* Above these the tables themselves would be a burden. */
static vsdk_status check_limits(const vsdk_share_config *c, const char *operation,
                                vsdk_error *error)
{
    if (c->inodes_max > INODES_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "inodes_max %u is above %d",
                         c->inodes_max, INODES_MOST);
    if (c->files_max > FILES_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "files_max %u is above %d",
                         c->files_max, FILES_MOST);
    if (c->descriptors_max > FILES_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "descriptors_max %u is above %d",
                         c->descriptors_max, FILES_MOST);
    return VSDK_OK;
}

static vsdk_status read_config(const vsdk_share_config *given, vsdk_share_config *config,
                               const char *operation, vsdk_error *error)
{
    vsdk_status status = record_read(config, sizeof *config, given, FLAGS, operation, error);

    for (size_t i = 0; !status && i < sizeof config->reserved / sizeof *config->reserved; i++)
        if (config->reserved[i] || config->reserved0)
            status = record_later(operation, error);
    return status ? status : check_limits(config, operation, error);
}

/* What the host can do is tried on the folder itself. */
static vsdk_status look_at_host(vsdk_share *share, const vsdk_share_config *config,
                                const char *operation, vsdk_error *error)
{
    share_identity identity;
    struct rlimit limit;
    struct stat status;
    int fd = host_open_name(share, share->root, ".");

    /* Sandboxes that don't know the call say EPERM. */
    if (fd == -ENOSYS || fd == -EPERM)
        return error_set_errno(error, VSDK_ERROR_UNSUPPORTED, -fd, operation,
                               "the system does not open names beneath a folder (openat2)");
    if (fd < 0)
        return folder_failed(config, -fd, operation, error);
    /* Root may open by handles, on file systems that have them. */
    share->by_handle = 1;
    int handle =
        host_identify(fd, &identity, &status) ? -1 : host_open_handle(share, &identity.handle);
    share->by_handle = handle >= 0;
    sys_close(handle);
    sys_close(fd);
    /* Asked once: a limit that is lowered later ends the process, as it would without us. */
    share->size_most = getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY
                           ? INT64_MAX
                           : limit.rlim_cur;
    return VSDK_OK;
}

/* Where it is not there, or not to be seen, there is no other way. */
static vsdk_status proc_failed(int failure)
{
    switch (failure) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
        return VSDK_ERROR_UNSUPPORTED;
    default:
        return error_status_of_errno(failure);
    }
}

static vsdk_status open_all(vsdk_share *share, const vsdk_share_config *config,
                            const char *operation, vsdk_error *error)
{
    share->root = host_open_root(config);
    if (share->root < 0)
        return folder_failed(config, -share->root, operation, error);
    share->proc = host_open_proc();
    if (share->proc < 0)
        return error_set_errno(error, proc_failed(-share->proc), -share->proc, operation,
                               "/proc/self/fd can't be opened");
    vsdk_status status = look_at_host(share, config, operation, error);
    if (status)
        return status;
    return inode_table_begin(share)
               ? error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the table")
               : VSDK_OK;
}

vsdk_status vsdk_share_open(const vsdk_share_config *given, vsdk_share **share, vsdk_error *error)
{
    static const char operation[] = "vsdk_share_open";
    vsdk_share_config config;

    if (share)
        *share = NULL;
    if (!share || !given)
        return error_null(error, operation, share ? "config" : "share");
    vsdk_status status = read_config(given, &config, operation, error);
    if (status)
        return status;
    vsdk_share *made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the share");
    refs_init(&made->refs);
    lock_init(&made->lock, RANK_SHARE);
    made->process = process_id();
    made->root = made->proc = -1;
    made->flags = config.flags;
    made->cache_ms = config.cache_ms ? config.cache_ms : CACHE_MS;
    made->inodes_max = config.inodes_max ? config.inodes_max : INODES;
    made->files_max = config.files_max ? config.files_max : FILES;
    made->descriptors_max = config.descriptors_max ? config.descriptors_max : DESCRIPTORS;
    int before = sys_cancel_off();
    status = owners_read(made, &config, operation, error);
    if (!status)
        status = open_all(made, &config, operation, error);
    if (status)
        share_free(made);
    else
        *share = made;
    sys_cancel_back(before);
    return status;
}

/* In a forked child nobody counts: the descriptors there are copies. */
vsdk_share *vsdk_share_ref(vsdk_share *share)
{
    if (share && share->process == process_id())
        refs_get(&share->refs);
    return share;
}

void vsdk_share_close(vsdk_share *share)
{
    if (!share || share->process != process_id() || !refs_put(&share->refs))
        return;
    int before = sys_cancel_off();
    share_free(share);
    sys_cancel_back(before);
}

vsdk_status vsdk_share_reset(vsdk_share *share, vsdk_error *error)
{
    static const char operation[] = "vsdk_share_reset";

    if (!share)
        return error_null(error, operation, "share");
    if (share->process != process_id())
        return error_forked(error, operation);
    return share_reset(share)
               ? error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the table")
               : VSDK_OK;
}
