/* SPDX-License-Identifier: Apache-2.0 */
/* Disks: made, told, resized, checked, closed. Everything that a disk has is taken back in
 * disk_put, in whichever state it is; so a creation that fails at any step ends there.
 *
 * Who uses the layers is counted in `inside`. The last handle goes when nobody can be inside: each
 * call has a handle, and each request in flight holds its channel, which holds the disk. */
#include "disk/disk.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/record.h"
#include "base/sys.h"
#include "base/sys_file.h"
#include <errno.h>
#include <stdio.h>

static const uint32_t OPEN_FLAGS = VSDK_DISK_READ_ONLY | VSDK_DISK_DIRECT | VSDK_DISK_NO_LOCK;

/* What every function asks first. In a forked child locks may be held by threads that it does not
 * have. */
vsdk_status disk_begin(vsdk_disk *disk, const char *operation, vsdk_error *error)
{
    if (!disk)
        return error_null(error, operation, "disk");
    return disk->process == process_id() ? VSDK_OK : error_forked(error, operation);
}

vsdk_status disk_failed(const vsdk_disk *disk, vsdk_status status, const char *operation,
                        vsdk_error *error)
{
    if (status && error && error->code == status && (!disk || disk->format != VSDK_DISK_CUSTOM))
        snprintf(error->operation, sizeof error->operation, "%s", operation);
    return status;
}

/* One instruction that is locked, unless somebody is alone: then it sleeps until that is over. */
void disk_enter(vsdk_disk *disk)
{
    uint32_t inside = atomic_load(&disk->inside);

    for (;;)
        if (inside & INSIDE_ALONE) {
            sys_futex_wait(&disk->inside, inside, 0);
            inside = atomic_load(&disk->inside);
        } else if (atomic_compare_exchange_weak(&disk->inside, &inside, inside + 1)) {
            return;
        }
}

void disk_leave(vsdk_disk *disk)
{
    if (atomic_fetch_sub(&disk->inside, 1) == (INSIDE_ALONE | 1))
        sys_futex_wake(&disk->inside);
}

/* Others who want to be alone wait as those who want in. */
void disk_enter_alone(vsdk_disk *disk)
{
    uint32_t inside = atomic_load(&disk->inside);

    for (;;)
        if (inside & INSIDE_ALONE) {
            sys_futex_wait(&disk->inside, inside, 0);
            inside = atomic_load(&disk->inside);
        } else if (atomic_compare_exchange_weak(&disk->inside, &inside, inside | INSIDE_ALONE)) {
            break;
        }
    while ((inside = atomic_load(&disk->inside)) != INSIDE_ALONE)
        sys_futex_wait(&disk->inside, inside, 0);
}

void disk_leave_alone(vsdk_disk *disk)
{
    atomic_store(&disk->inside, 0);
    sys_futex_wake(&disk->inside);
}

/* From here on disk_put takes it back, whatever it has by then. */
vsdk_disk *disk_new(uint32_t flags, vsdk_disk_cache cache)
{
    vsdk_disk *disk = alloc_zeroed(sizeof *disk);

    if (!disk)
        return NULL;
    refs_init(&disk->refs);
    refs_init(&disk->memory);
    lock_init(&disk->lock, RANK_LEAF);
    disk->process = process_id();
    disk->flags = flags;
    disk->cache = cache;
    return disk;
}

/* A worker's callback may still look at a disk that is closed: it finds no reference, and goes. */
void disk_memory_put(vsdk_disk *disk)
{
    if (!refs_put(&disk->memory))
        return;
    lock_destroy(&disk->lock);
    alloc_free(disk->workers);
    alloc_free(disk);
}

/* No request is under way. The workers first: nobody comes in after that. Layers are closed before
 * what they point to. */
void disk_put(vsdk_disk *disk)
{
    if (!refs_put(&disk->refs))
        return;
    channel_workers_end(disk);
    vsdk_pool_close(disk->pool);
    disk_image_close(disk->image);
    disk_context_clear(&disk->context);
    disk_memory_put(disk);
}

/* What the format could not promise (a file that is only read) is the disk's from here on. */
vsdk_status disk_finish(vsdk_disk *made, vsdk_pool *pool, uint32_t workers, vsdk_disk **disk,
                        vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    if (made->image->flags & DISK_IMAGE_READ_ONLY)
        made->flags |= VSDK_DISK_READ_ONLY;
    if (!made->format)
        made->format = made->image->format->id;
    made->pool = vsdk_pool_ref(pool);
    if (pool)
        status = channel_workers_make(made, workers ? workers : WORKERS, error);
    if (status)
        disk_put(made);
    else
        *disk = made;
    return status;
}

/* Fields whose value no disk can have. */
static vsdk_status check_config(const vsdk_disk_config *c, const char *operation, vsdk_error *error)
{
    const char *what = NULL;

    if (!c->path && c->descriptor < 3)
        what = "there is neither a path nor a descriptor above 2";
    else if (c->format && c->format < VSDK_DISK_MEMORY && !disk_format_find(c->format))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "the format %s can't be opened by this library",
                         vsdk_disk_format_name(c->format));
    else if (c->format >= VSDK_DISK_MEMORY)
        what = "the format is none of files";
    else if (c->cache > VSDK_DISK_UNSAFE)
        what = "cache has an unknown value";
    else if (c->allowed_count && !c->allowed)
        what = "allowed is NULL";
    else if (c->workers > WORKERS_MOST)
        what = "there are at most 64 workers";
    if (what)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what);
    for (unsigned i = 0; i < sizeof c->reserved / sizeof *c->reserved; i++)
        if (c->reserved32 || c->reserved[i])
            return record_later(operation, error);
    return VSDK_OK;
}

/* The same for all files of a chain. */
static uint32_t file_flags_of(const vsdk_disk_config *c)
{
    return (c->flags & VSDK_DISK_DIRECT ? DISK_FILE_DIRECT : 0) |
           (c->flags & VSDK_DISK_NO_LOCK ? DISK_FILE_NO_LOCK : 0) |
           (c->cache == VSDK_DISK_UNSAFE ? DISK_FILE_UNSAFE : 0);
}

/* The first file, and by its driver all that lie under it. */
static vsdk_status open_layers(vsdk_disk *disk, const vsdk_disk_config *c, vsdk_error *error)
{
    uint32_t read_only = c->flags & VSDK_DISK_READ_ONLY;
    disk_file *file;
    vsdk_status status = disk_context_fill(&disk->context, c->allowed, c->allowed_count, error);

    disk->context.file_flags = file_flags_of(c);
    if (!status)
        status = disk_file_open(c->path, c->descriptor,
                                disk->context.file_flags | (read_only ? DISK_FILE_READ_ONLY : 0),
                                &file, error);
    if (status)
        return status;
    if (!c->path) /* as the embedder opened it */
        disk->flags = (disk->flags & ~(uint32_t)VSDK_DISK_DIRECT) |
                      (file_alignment(file) > 1 ? VSDK_DISK_DIRECT : 0);
    return disk_image_open(&disk->context, file, c->format ? disk_format_find(c->format) : NULL,
                           read_only || file_is_read_only(file) ? DISK_IMAGE_READ_ONLY : 0, 0,
                           &disk->image, error);
}

vsdk_status vsdk_disk_open(const vsdk_disk_config *config, vsdk_disk **disk, vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_open";
    vsdk_disk_config c;

    if (disk)
        *disk = NULL;
    if (!config || !disk)
        return error_null(error, operation, config ? "disk" : "config");
    vsdk_status status = record_read(&c, sizeof c, config, OPEN_FLAGS, operation, error);
    if (!status)
        status = check_config(&c, operation, error);
    if (status)
        return status;
    vsdk_disk *made = disk_new(c.flags, c.cache);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    status = disk_failed(NULL, open_layers(made, &c, error), operation, error);
    if (status) {
        disk_put(made);
        return status;
    }
    return disk_finish(made, c.pool, c.workers, disk, error);
}

/* For both kinds of disks without a file. */
static vsdk_status read_custom(vsdk_disk_custom *c, const vsdk_disk_custom *given,
                               const char *operation, vsdk_error *error)
{
    const char *what = NULL;
    vsdk_status status = record_read(c, sizeof *c, given, VSDK_DISK_READ_ONLY, operation, error);

    if (status)
        return status;
    if (!c->capacity || c->capacity % DISK_SECTOR || c->capacity > INT64_MAX)
        what = "the capacity is 0, no multiple of 512, or too large";
    else if (c->workers > WORKERS_MOST)
        what = "there are at most 64 workers";
    else if (c->block_size & (c->block_size - 1) || c->block_size > 32 << 20 ||
             (c->block_size && c->block_size < DISK_SECTOR))
        what = "block_size is no power of two from 512 to 32 MiB";
    if (what)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what);
    for (unsigned i = 0; i < sizeof c->reserved / sizeof *c->reserved; i++)
        if (c->reserved[i])
            return record_later(operation, error);
    return VSDK_OK;
}

/* A table of an earlier version is shorter: what it lacks is NULL. */
static vsdk_status read_ops(vsdk_disk_ops *copy, const vsdk_disk_ops *ops, const char *operation,
                            vsdk_error *error)
{
    vsdk_status status = record_read(copy, sizeof *copy, ops, 0, operation, error);

    if (!status && !copy->read)
        status = error_null(error, operation, "ops->read");
    for (unsigned i = 0; !status && i < sizeof copy->reserved / sizeof *copy->reserved; i++)
        if (copy->reserved[i])
            status = record_later(operation, error);
    return status;
}

/* Until there is a layer that has it, a failure gives `user` back here. */
vsdk_status vsdk_disk_create(const vsdk_disk_ops *ops, void *user, const vsdk_disk_custom *config,
                             vsdk_disk **disk, vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_create";
    vsdk_disk_ops copied = {0};
    vsdk_disk_custom c;
    vsdk_disk *made = NULL;
    vsdk_status status =
        ops ? read_ops(&copied, ops, operation, error) : error_null(error, operation, "ops");

    if (disk)
        *disk = NULL;
    if (!status && (!config || !disk))
        status = error_null(error, operation, config ? "disk" : "config");
    if (!status)
        status = read_custom(&c, config, operation, error);
    if (!status && !(made = disk_new(c.flags, VSDK_DISK_WRITEBACK)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    if (!status)
        status = custom_make(&copied, user, c.capacity, c.block_size, &made->image, error);
    if (!status)
        return disk_finish(made, c.pool, c.workers, disk, error);
    if (made)
        disk_put(made);
    if (copied.release)
        copied.release(user);
    return status;
}

/* A file without a name, in memory: all that is said of raw disks goes for it. */
vsdk_status vsdk_disk_create_memory(const vsdk_disk_custom *config, vsdk_disk **disk,
                                    vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_create_memory";
    vsdk_disk_custom c;
    disk_file *file = NULL;

    if (disk)
        *disk = NULL;
    if (!config || !disk)
        return error_null(error, operation, config ? "disk" : "config");
    vsdk_status status = read_custom(&c, config, operation, error);
    if (status)
        return status;
    vsdk_disk *made = disk_new(c.flags, VSDK_DISK_UNSAFE);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    int fd = sys_memory_file("vsdk-disk");
    if (fd < 0)
        status =
            error_set_errno(error, error_status_of_errno(-fd), -fd, operation, "memory for a disk");
    if (!status)
        status = disk_file_open(NULL, fd, DISK_FILE_UNSAFE | DISK_FILE_NO_LOCK, &file, error);
    sys_close(fd);
    if (!status && (status = file_set_length(file, c.capacity, error)))
        disk_file_close(file);
    if (!status)
        status = disk_image_open(NULL, file, &disk_raw_format, 0, 0, &made->image, error);
    if (status) {
        disk_put(made);
        return disk_failed(NULL, status, operation, error);
    }
    made->format = VSDK_DISK_MEMORY;
    made->image->block_size = c.block_size;
    return disk_finish(made, c.pool, c.workers, disk, error);
}

vsdk_disk *vsdk_disk_ref(vsdk_disk *disk)
{
    if (disk && disk->process == process_id())
        refs_get(&disk->refs);
    return disk;
}

void vsdk_disk_close(vsdk_disk *disk)
{
    if (disk && disk->process == process_id())
        disk_put(disk);
}

/* A chain stays as it was opened. */
static uint32_t depth_of(const disk_image *image)
{
    uint32_t depth = 0;

    while ((image = image->backing))
        depth++;
    return depth;
}

/* Not inside: this is asked where nobody may wait for a resize or a check. All of it is atomic, or
 * as it was when the disk was opened. */
static void fill_info(vsdk_disk *disk, vsdk_disk_info *info)
{
    disk_image *image = disk->image;

    *info = (vsdk_disk_info){
        .flags = disk->flags,
        .capacity = atomic_load(&image->capacity),
        .format = disk->format,
        .cache = disk->cache,
        .sector_size = DISK_SECTOR,
        .block_size = image->block_size ? image->block_size : DISK_SECTOR,
        .depth = depth_of(image),
        .in_flight = atomic_load(&disk->in_flight),
        .path = image->file ? file_path(image->file) : NULL,
        .backing = image->backing_name,
    };
    if (image->format->allocated)
        info->allocated = image->format->allocated(image);
    else if (image->file)
        info->allocated = file_allocated(image->file);
}

vsdk_status vsdk_disk_get_info(vsdk_disk *disk, vsdk_disk_info *info, vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_get_info";
    vsdk_disk_info now;

    record_clear(info, sizeof *info);
    vsdk_status status = disk_begin(disk, operation, error);
    if (!status && !info)
        status = error_null(error, operation, "info");
    if (status)
        return status;
    fill_info(disk, &now);
    return record_write(info, &now, sizeof now, sizeof now, operation, error);
}

/* Watches are told by who has resized, when others may come in again: a watch may use the disk. */
vsdk_status vsdk_disk_resize(vsdk_disk *disk, uint64_t capacity, vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_resize";
    vsdk_status status = disk_begin(disk, operation, error);

    if (status)
        return status;
    if (!capacity || capacity % DISK_SECTOR || capacity > INT64_MAX)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the capacity %llu is 0, no multiple of 512, or too large",
                         (unsigned long long)capacity);
    if (disk->flags & VSDK_DISK_READ_ONLY)
        return error_set(error, VSDK_ERROR_PERMISSION, operation, "the disk is read-only");
    if (!disk->image->format->resize)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "a %s disk can't be resized",
                         disk->image->format->name);
    disk_enter_alone(disk);
    int changes = atomic_load(&disk->image->capacity) != capacity;
    if (changes)
        status = disk_failed(disk, disk->image->format->resize(disk->image, capacity, error),
                             operation, error);
    disk_leave_alone(disk);
    if (!status && changes)
        watch_tell_all(disk);
    return status;
}

/* The report is written once before, so that a size that does not fit is told before an hour of
 * work. */
vsdk_status vsdk_disk_check(vsdk_disk *disk, vsdk_disk_check_flags flags, vsdk_disk_report *report,
                            vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_check";
    vsdk_disk_report found = {0};

    record_clear(report, sizeof *report);
    vsdk_status status = disk_begin(disk, operation, error);
    if (!status && !report)
        status = error_null(error, operation, "report");
    if (!status && flags & ~(uint32_t)VSDK_DISK_REPAIR)
        status =
            error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown flags 0x%x", flags);
    if (!status)
        status = record_write(report, &found, sizeof found, sizeof found, operation, error);
    if (status)
        return status;
    if (flags & VSDK_DISK_REPAIR && disk->flags & VSDK_DISK_READ_ONLY)
        return error_set(error, VSDK_ERROR_PERMISSION, operation, "the disk is read-only");
    if (!disk->image->format->check)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "a %s disk has nothing that could be checked", disk->image->format->name);
    disk_enter_alone(disk);
    status = disk_failed(disk, disk->image->format->check(disk->image, flags, &found, error),
                         operation, error);
    disk_leave_alone(disk);
    return status ? status
                  : record_write(report, &found, sizeof found, sizeof found, operation, error);
}
