/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed clusters, which are only read: a write gives the guest's cluster a new one. The last
 * one that was unpacked stays, for a guest reads it piece by piece.
 *
 * Nobody writes a compressed cluster in place, so its bytes stay as they are as long as an entry
 * points to them; `uses` sees to that while we read. Only when they were freed another may be there
 * later: it would be one of our own, which are never compressed. */
#include "base/alloc.h"
#include "base/error.h"
#include "disk/qcow2.h"
#include "disk/unpack.h"

static vsdk_status unpack_room(qcow2 *q, vsdk_error *error)
{
    /* The offset may be anywhere in its first sector, and the data is never much longer than a
     * cluster: an entry has no more bits for its length. */
    if (!q->packed)
        q->packed = alloc_unset(2 * (uint64_t)q->cluster_size);
    if (!q->unpacked)
        q->unpacked = alloc_unset(q->cluster_size);
    return q->packed && q->unpacked ? VSDK_OK : qcow2_no_memory(q, error);
}

static vsdk_status unpack_cluster(qcow2 *q, const qcow2_place *place, vsdk_error *error)
{
    disk_packing packing = q->compression ? DISK_PACKING_ZSTD : DISK_PACKING_DEFLATE;
    const disk_unpack_ops *ops;
    vsdk_status status = disk_unpack_load(operation, &ops, error);

    if (!status)
        status = unpack_room(q, error);
    q->unpacked_host = 0; /* nothing, if it fails half way */
    if (!status)
        status = qcow2_file_read(q, place->host, q->packed, place->bytes, error);
    if (status)
        return status;
    int done = ops->unpack(packing, q->packed, place->bytes, q->unpacked, q->cluster_size);
    if (done < 0)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "%s: compression_type is zstd, and compress.so was built without it",
                         file_name(q->file));
    if (!done)
        return qcow2_malformed(q, error, "the compressed cluster at 0x%llx is malformed",
                               (unsigned long long)place->host);
    q->unpacked_host = place->host;
    return VSDK_OK;
}

vsdk_status qcow2_unpack(qcow2 *q, const qcow2_place *place, uint64_t within, void *buffer,
                         uint64_t length, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    pthread_mutex_lock(&q->unpack_mutex);
    if (q->unpacked_host != place->host)
        status = unpack_cluster(q, place, error);
    if (!status)
        memcpy(buffer, q->unpacked + within, length);
    pthread_mutex_unlock(&q->unpack_mutex);
    return status;
}
