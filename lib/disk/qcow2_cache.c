/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of L2 tables and of refcount blocks in memory, written back later.
 *
 * A slice is at one of QCOW2_WAYS places, so that finding it is a few comparisons. The one that was
 * not used for longest makes room. A dirty slice of an L2 table is written only by
 * qcow2_write_back, which puts refcounts and data onto the disk before; a refcount may be written
 * at any time, since it is raised before something points to its cluster and lowered after nothing
 * does. */
#include "base/alloc.h"
#include "disk/qcow2.h"

void qcow2_cache_init(qcow2_cache *cache, uint32_t size, uint32_t count)
{
    cache->size = size;
    cache->count = count;
}

void qcow2_cache_free(qcow2_cache *cache)
{
    for (uint32_t i = 0; i < cache->count; i++)
        alloc_free(cache->slices[i].bytes);
}

/* The first of the places where it may be. Neighbours go to different ones. */
static qcow2_slice *cache_set(qcow2_cache *cache, uint64_t offset)
{
    uint64_t sets = cache->count / QCOW2_WAYS, number = offset / cache->size;

    return &cache->slices[(number ^ number >> 10) % sets * QCOW2_WAYS];
}

static qcow2_slice *cache_find(qcow2_cache *cache, uint64_t offset)
{
    qcow2_slice *set = cache_set(cache, offset);

    for (unsigned i = 0; i < QCOW2_WAYS; i++)
        if (set[i].offset == offset)
            return &set[i];
    return NULL;
}

static qcow2_slice *cache_oldest(qcow2_cache *cache, uint64_t offset)
{
    qcow2_slice *set = cache_set(cache, offset), *oldest = set;

    for (unsigned i = 0; i < QCOW2_WAYS; i++) {
        if (!set[i].offset)
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    return oldest;
}

static void cache_clean(qcow2_cache *cache, qcow2_slice *slice)
{
    cache->dirty -= slice->dirty != 0;
    slice->dirty = 0;
}

static vsdk_status cache_write(qcow2 *q, qcow2_cache *cache, qcow2_slice *slice, vsdk_error *error)
{
    vsdk_status status = qcow2_file_write(q, slice->offset, slice->bytes, cache->size, error);

    if (!status)
        cache_clean(cache, slice);
    return status;
}

static vsdk_status cache_write_all(qcow2 *q, qcow2_cache *cache, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    for (uint32_t i = 0; !status && cache->dirty && i < cache->count; i++)
        if (cache->slices[i].dirty)
            status = cache_write(q, cache, &cache->slices[i], error);
    return status;
}

vsdk_status qcow2_write_back(qcow2 *q, vsdk_error *error)
{
    vsdk_status status = cache_write_all(q, &q->refs, error);

    if (status || !q->l2.dirty)
        return status;
    /* Not only the refcounts: also the bytes that were copied into new clusters. */
    status = file_flush(q->file, error);
    return status ? status : cache_write_all(q, &q->l2, error);
}

vsdk_status qcow2_sync(qcow2 *q, vsdk_error *error)
{
    vsdk_status status = qcow2_write_back(q, error);

    if (!status)
        status = file_flush(q->file, error);
    if (status)
        return status;
    qcow2_free_drain(q);
    if (!q->durable_count && q->freed_count) {
        memcpy(q->durable, q->freed, q->freed_count * sizeof q->freed[0]);
        q->durable_count = q->freed_count;
        q->freed_count = 0;
        q->generation ^= 1;
    }
    qcow2_free_drain(q);
    return VSDK_OK;
}

static vsdk_status cache_make_room(qcow2 *q, qcow2_cache *cache, qcow2_slice *slice,
                                   vsdk_error *error)
{
    if (!slice->bytes && !(slice->bytes = alloc_unset(cache->size)))
        return qcow2_no_memory(q, error);
    if (!slice->dirty)
        return VSDK_OK;
    return cache == &q->refs ? cache_write(q, cache, slice, error) : qcow2_write_back(q, error);
}

vsdk_status qcow2_cache_get(qcow2 *q, qcow2_cache *cache, uint64_t offset, qcow2_slice **slice,
                            vsdk_error *error)
{
    offset &= ~(uint64_t)(cache->size - 1);
    qcow2_slice *found = cache_find(cache, offset);
    if (!found) {
        found = cache_oldest(cache, offset);
        vsdk_status status = cache_make_room(q, cache, found, error);
        if (status)
            return status;
        found->offset = 0; /* nothing, if reading fails half way */
        status = qcow2_file_read(q, offset, found->bytes, cache->size, error);
        if (status)
            return status;
        found->offset = offset;
    }
    found->used = ++cache->clock;
    *slice = found;
    return VSDK_OK;
}

void qcow2_cache_dirty(qcow2_cache *cache, qcow2_slice *slice)
{
    cache->dirty += !slice->dirty;
    slice->dirty = 1;
}

void qcow2_cache_forget(qcow2 *q, qcow2_cache *cache, uint64_t cluster)
{
    uint64_t start = cluster << q->cluster_bits;

    for (uint64_t offset = start; offset < start + q->cluster_size; offset += cache->size) {
        qcow2_slice *slice = cache_find(cache, offset);
        if (slice) {
            cache_clean(cache, slice);
            slice->offset = 0;
        }
    }
}
