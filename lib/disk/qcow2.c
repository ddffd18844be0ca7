/* SPDX-License-Identifier: Apache-2.0 */
/* The qcow2 driver: opening, closing, flushing, and what all its rooms use. qcow2.h says how the
 * rooms keep an image whole. */
#include "disk/qcow2.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include <stdarg.h>
#include <stdio.h>

vsdk_status qcow2_malformed(const qcow2 *q, vsdk_error *error, const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(error, VSDK_ERROR_FORMAT, operation, "%s: %s", file_name(q->file), text);
}

vsdk_status qcow2_no_memory(const qcow2 *q, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for tables of %s",
                     file_name(q->file));
}

vsdk_status qcow2_file_read(qcow2 *q, uint64_t offset, void *buffer, uint64_t length,
                            vsdk_error *error)
{
    /* Read once: writers make it larger beside us. */
    uint64_t end = q->length, there = offset >= end ? 0 : end - offset;

    if (there > length)
        there = length;
    memset((uint8_t *)buffer + there, 0, length - there);
    return there ? file_read(q->file, offset, buffer, there, error) : VSDK_OK;
}

vsdk_status qcow2_file_write(qcow2 *q, uint64_t offset, const void *buffer, uint64_t length,
                             vsdk_error *error)
{
    vsdk_status status = file_write(q->file, offset, buffer, length, error);

    if (status)
        return status;
    if (q->length < offset + length)
        q->length = offset + length;
    if (q->fresh_from < qcow2_clusters(q, offset + length))
        q->fresh_from = qcow2_clusters(q, offset + length);
    return VSDK_OK;
}

void qcow2_lock(qcow2 *q)
{
    pthread_mutex_lock(&q->mutex);
}

void qcow2_unlock(qcow2 *q)
{
    pthread_mutex_unlock(&q->mutex);
}

/* A thread that is cancelled here would leave its change behind. */
void qcow2_wait(qcow2 *q)
{
    int before = sys_cancel_off();

    q->waiting++;
    pthread_cond_wait(&q->changed, &q->mutex);
    q->waiting--;
    sys_cancel_back(before);
}

/* Waiting is rare: a write to a cluster that another one is placing. */
static void qcow2_tell(qcow2 *q)
{
    if (q->waiting)
        pthread_cond_broadcast(&q->changed);
}

/* A use counts to the generation in which it began: what was freed before it can wait for no use
 * that comes later. */
uint32_t qcow2_use_begin(qcow2 *q)
{
    q->uses[q->generation]++;
    return q->generation;
}

void qcow2_use_end(qcow2 *q, uint32_t generation)
{
    q->uses[generation]--;
    qcow2_free_drain(q);
    qcow2_tell(q);
}

/* Changes are on the stacks of those who make them. */
void qcow2_change_begin(qcow2 *q, qcow2_change *change)
{
    change->next = q->changes;
    q->changes = change;
}

void qcow2_change_end(qcow2 *q, qcow2_change *change)
{
    qcow2_change **at = &q->changes;

    while (*at != change)
        at = &(*at)->next;
    *at = change->next;
    qcow2_tell(q);
}

uint64_t qcow2_unchanging(const qcow2 *q, qcow2_run run)
{
    for (const qcow2_change *change = q->changes; change; change = change->next) {
        if (!ranges_overlap(run.first, run.count, change->run.first, change->run.count))
            continue;
        run.count = change->run.first > run.first ? change->run.first - run.first : 0;
        if (!run.count)
            break;
    }
    return run.count;
}

/* Auto-clear features are promises about data beside the guest's, which we don't keep. */
vsdk_status qcow2_touch(qcow2 *q, vsdk_error *error)
{
    static const uint8_t none[8];
    vsdk_status status = VSDK_OK;

    if (q->failed)
        return error_set(error, VSDK_ERROR_STATE, operation,
                         "%s: writing its tables failed before; open it again", file_name(q->file));
    if (q->touched)
        return VSDK_OK;
    if (q->version >= 3 && q->autoclear) {
        status = qcow2_file_write(q, QCOW2_AT_AUTOCLEAR, none, sizeof none, error);
        if (!status)
            status = file_flush(q->file, error);
    }
    q->touched = !status;
    return status;
}

/* Whatever of it there is: an open may fail half way. */
static void qcow2_free(qcow2 *q)
{
    qcow2_cache_free(&q->l2);
    qcow2_cache_free(&q->refs);
    alloc_free(q->metadata.cells);
    alloc_free(q->l1);
    alloc_free(q->reftable);
    alloc_free(q->unpacked);
    alloc_free(q->packed);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->mutex);
    pthread_mutex_destroy(&q->unpack_mutex);
    alloc_free(q);
}

/* What only who writes has to know and to mend. */
static vsdk_status open_to_write(qcow2 *q, vsdk_error *error)
{
    /* What refcounts say may be wrong: a write could land anywhere. */
    if (q->incompatible & QCOW2_CORRUPT) {
        q->image->flags |= DISK_IMAGE_READ_ONLY;
        return VSDK_OK;
    }
    q->writable = 1;
    q->fresh_from = qcow2_clusters(q, q->length);
    vsdk_status status = qcow2_metadata_collect(q, error);
    if (!status && q->incompatible & QCOW2_DIRTY)
        status = qcow2_rebuild(q, error);
    return status;
}

static vsdk_status qcow2_open(disk_image *image, vsdk_error *error)
{
    qcow2 *q = alloc_zeroed(sizeof *q);

    if (!q)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for an image");
    q->image = image;
    q->file = image->file;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_mutex_init(&q->unpack_mutex, NULL);
    pthread_cond_init(&q->changed, NULL);
    vsdk_status status = qcow2_header_read(q, error);
    if (!status && !(image->flags & DISK_IMAGE_READ_ONLY) && !file_is_read_only(q->file))
        status = open_to_write(q, error);
    if (status) {
        qcow2_free(q);
        return status;
    }
    image->state = q;
    image->capacity = q->size & ~(uint64_t)(DISK_SECTOR - 1);
    image->block_size = q->cluster_size;
    return VSDK_OK;
}

/* With clean tables only data has to go to the disk, and nobody waits for the lock meanwhile. */
static vsdk_status qcow2_flush(disk_image *image, vsdk_error *error)
{
    qcow2 *q = image->state;

    qcow2_lock(q);
    int dirty = q->l2.dirty || q->refs.dirty || q->freed_count || q->durable_count;
    vsdk_status status = dirty ? qcow2_sync(q, error) : VSDK_OK;
    qcow2_unlock(q);
    return dirty || status ? status : file_flush(q->file, error);
}

/* Twice: what the first frees is written by the second. */
static void qcow2_close(disk_image *image)
{
    qcow2 *q = image->state;

    qcow2_lock(q);
    if (q->writable && (q->l2.dirty || q->freed_count || q->durable_count))
        qcow2_sync(q, NULL);
    if (q->writable)
        qcow2_write_back(q, NULL);
    qcow2_unlock(q);
    qcow2_free(q);
    image->state = NULL;
}

const disk_format disk_qcow2_format = {
    .name = "qcow2",
    .id = VSDK_DISK_QCOW2,
    .probe = qcow2_probe,
    .open = qcow2_open,
    .close = qcow2_close,
    .read = qcow2_read,
    .write = qcow2_write,
    .zero = qcow2_zero,
    .discard = qcow2_discard,
    .flush = qcow2_flush,
    .resize = qcow2_resize,
    .check = qcow2_check,
    .map = qcow2_map,
    .create = qcow2_create,
};
