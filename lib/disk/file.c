/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the host, read and written whole. The kernel may do less than it was asked for: the
 * loops here go on until all is done, or the end, or an error is reached.
 *
 * Direct input and output wants memory, offset and length aligned. What is not goes through a
 * buffer; a write then reads what lies around it first. Two such writes of one block may not cross,
 * nor may one and anything else that changes the file: `edges` is taken for writing by those, for
 * reading by the others. They say how long the file is before they give it back, since such a write
 * cuts the file to that length. */
#include "disk/file.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/sys_file.h"
#include "disk/file_lock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, NAME = 80, DIRECT_LEAST = 4096, LINUX_AT_ONCE = 0x7ffff000 };

/* A piece is the kernel's own record. */
_Static_assert(sizeof(vsdk_disk_buffer) == sizeof(struct iovec) &&
                   offsetof(vsdk_disk_buffer, length) == offsetof(struct iovec, iov_len),
               "vsdk_disk_buffer is struct iovec");

struct disk_file {
    int fd;
    uint32_t flags, is_block, alignment;
    _Atomic uint64_t length;
    int locked;             /* for other programs */
    pthread_rwlock_t edges; /* of direct writes; held over the input and output of them */
    char *path;
    char name[NAME]; /* the end of the path, for messages */
};

const char *file_name(const disk_file *file)
{
    return file->name;
}

const char *file_path(const disk_file *file)
{
    return file->path;
}

int file_is_read_only(const disk_file *file)
{
    return (file->flags & DISK_FILE_READ_ONLY) != 0;
}

uint32_t file_alignment(const disk_file *file)
{
    return file->alignment;
}

uint64_t file_length(const disk_file *file)
{
    return atomic_load(&file->length);
}

uint64_t file_allocated(const disk_file *file)
{
    sys_file look;

    return sys_file_look(file->fd, &look) ? 0 : look.allocated;
}

/* What a failed call means. A full disk is the one that a person can do something about. */
static vsdk_status failed(const disk_file *file, int error_number, const char *operation,
                          vsdk_error *error)
{
    if (error_number != ENOSPC && error_number != EDQUOT && error_number != EFBIG)
        return error_set_errno(error, VSDK_ERROR_SYSTEM, error_number, operation, "%s", file->name);
    error_set_errno(error, VSDK_ERROR_LIMIT, error_number, operation, "%s", file->name);
    return error_hint(error, VSDK_ERROR_LIMIT, "make room on the file system of %s", file->name);
}

/* A path through a file is as good as none. EINVAL is how a file system says that it has no
 * O_DIRECT. */
static vsdk_status cannot_open(const char *name, int error_number, vsdk_error *error)
{
    vsdk_status status = error_number == ENOENT || error_number == ENOTDIR
                             ? VSDK_ERROR_NOT_FOUND
                             : error_status_of_errno(error_number);

    if (error_number == EROFS)
        status = VSDK_ERROR_PERMISSION;
    if (error_number == EINVAL)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_disk_open",
                         "%s can't be opened for direct input and output", name);
    if (status == VSDK_ERROR_UNAVAILABLE)
        status = VSDK_ERROR_NOT_FOUND;
    return error_set_errno(error, status, error_number, "vsdk_disk_open", "%s", name);
}

/* The end of a path tells more than its beginning. Numbers by hand: a name must not depend on a
 * locale, nor fail. */
static void take_name(disk_file *file, const char *path, int descriptor)
{
    static const char prefix[] = "descriptor ";
    size_t length = path ? strlen(path) : 0;

    if (path && length < NAME) {
        memcpy(file->name, path, length + 1);
    } else if (path) {
        memcpy(file->name, "...", 3);
        memcpy(file->name + 3, path + length - (NAME - 4), NAME - 3);
    } else {
        char digits[12];
        int at = sizeof digits - 1;
        digits[at] = 0;
        do
            digits[--at] = (char)('0' + descriptor % 10);
        while (descriptor /= 10);
        memcpy(file->name, prefix, sizeof prefix);
        strcat(file->name, digits + at);
    }
}

/* The descriptor. A file that is opened for reading only must not be changed by mistake, so it is
 * not opened for more. */
static vsdk_status open_path(disk_file *file, vsdk_error *error)
{
    int direct = file->flags & DISK_FILE_DIRECT ? O_DIRECT : 0;

    if (file->flags & DISK_FILE_CREATE)
        file->fd = sys_create(file->path, direct);
    else /* NONBLOCK: a pipe is refused, and not waited for */
        file->fd = sys_open(file->path,
                            (file_is_read_only(file) ? O_RDONLY : O_RDWR) | direct | O_NONBLOCK);
    return file->fd < 0 ? cannot_open(file->name, -file->fd, error) : VSDK_OK;
}

/* What it was opened for is what it can do; flags that it lacks can't be added to it. */
static vsdk_status open_descriptor(disk_file *file, int descriptor, vsdk_error *error)
{
    file->fd = sys_dup(descriptor);
    if (file->fd == -EBADF)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_disk_open", "%s is not open",
                         file->name);
    if (file->fd < 0)
        return cannot_open(file->name, -file->fd, error);
    int flags = sys_flags(file->fd);
    if ((flags & O_ACCMODE) == O_WRONLY)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_disk_open", "%s can't be read",
                         file->name);
    if ((flags & O_ACCMODE) == O_RDONLY)
        file->flags |= DISK_FILE_READ_ONLY;
    file->flags &= ~(uint32_t)DISK_FILE_DIRECT;
    if (flags & O_DIRECT)
        file->flags |= DISK_FILE_DIRECT;
    return VSDK_OK;
}

/* Its kind and its length. A pipe or a terminal has neither. */
static vsdk_status look(disk_file *file, vsdk_error *error)
{
    sys_file found;
    int result = sys_file_look(file->fd, &found);

    if (result == -EINVAL)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_disk_open",
                         "%s is neither a file nor a block device", file->name);
    if (result)
        return failed(file, -result, "vsdk_disk_open", error);
    atomic_store(&file->length, found.bytes);
    file->is_block = found.is_block;
    file->alignment = 1;
    if (file->flags & DISK_FILE_DIRECT) /* what every file system is content with */
        file->alignment = found.is_block ? found.alignment : DIRECT_LEAST;
    return VSDK_OK;
}

vsdk_status disk_file_open(const char *path, int32_t descriptor, uint32_t flags, disk_file **file,
                           vsdk_error *error)
{
    disk_file *made = alloc_zeroed(sizeof *made);
    vsdk_status status;

    *file = NULL;
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_open", "no memory");
    made->fd = -1;
    made->flags = flags;
    pthread_rwlock_init(&made->edges, NULL);
    take_name(made, path, descriptor);
    if (path && !(made->path = alloc_zeroed(strlen(path) + 1)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_open", "no memory");
    else if (path)
        status = (strcpy(made->path, path), open_path(made, error));
    else
        status = open_descriptor(made, descriptor, error);
    if (!status)
        status = look(made, error);
    if (!status && !(flags & DISK_FILE_NO_LOCK))
        made->locked =
            !(status = file_lock_take(made->fd, !file_is_read_only(made), made->name, error));
    if (status)
        disk_file_close(made);
    else
        *file = made;
    return status;
}

/* The description may be shared with the embedder's descriptor, and lives on: so do its locks, and
 * those that are the embedder's own stay. */
void disk_file_close(disk_file *file)
{
    if (!file)
        return;
    if (file->locked)
        file_lock_give(file->fd);
    sys_close(file->fd);
    pthread_rwlock_destroy(&file->edges);
    alloc_free(file->path);
    alloc_free(file);
}

static vsdk_status ends(const disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_FORMAT, "vsdk_disk_read",
                     "%s: the file ends at %llu, before the end of %llu bytes at %llu", file->name,
                     (unsigned long long)file_length(file), (unsigned long long)length,
                     (unsigned long long)offset);
}

/* The kernel's offsets are signed. */
static int is_possible(uint64_t offset, uint64_t length)
{
    return checked_within(offset, length, INT64_MAX);
}

/* Up to `length`, less at the end of the file. */
static vsdk_status read_some(disk_file *file, uint64_t offset, void *buffer, uint64_t length,
                             uint64_t *got, vsdk_error *error)
{
    for (*got = 0; *got < length;) {
        uint64_t left = length - *got;
        int64_t count =
            sys_pread(file->fd, (char *)buffer + *got,
                      (size_t)(left < LINUX_AT_ONCE ? left : LINUX_AT_ONCE), offset + *got);
        if (count < 0)
            return failed(file, (int)-count, "vsdk_disk_read", error);
        if (!count)
            break;
        *got += (uint64_t)count;
    }
    return VSDK_OK;
}

/* All of it. A call that writes nothing would be repeated for ever. */
static vsdk_status write_all(disk_file *file, uint64_t offset, const void *buffer, uint64_t length,
                             vsdk_error *error)
{
    for (uint64_t done = 0; done < length;) {
        uint64_t left = length - done;
        int64_t count =
            sys_pwrite(file->fd, (const char *)buffer + done,
                       (size_t)(left < LINUX_AT_ONCE ? left : LINUX_AT_ONCE), offset + done);
        if (count <= 0)
            return failed(file, count ? (int)-count : EIO, "vsdk_disk_write", error);
        done += (uint64_t)count;
    }
    return VSDK_OK;
}

/* The length only grows here; who makes the file shorter is alone. */
static void has_reached(disk_file *file, uint64_t end)
{
    uint64_t before = atomic_load(&file->length);

    while (end > before && !atomic_compare_exchange_weak(&file->length, &before, end))
        ;
}

/* Around what changes the file without a look at what lies beside it. */
static void edges_share(disk_file *file)
{
    if (file->alignment > 1)
        pthread_rwlock_rdlock(&file->edges);
}

static void edges_give(disk_file *file)
{
    if (file->alignment > 1)
        pthread_rwlock_unlock(&file->edges);
}

static int is_aligned(const disk_file *file, uint64_t offset, const void *buffer, uint64_t length)
{
    return ((offset | length | (uintptr_t)buffer) & (file->alignment - 1)) == 0;
}

/* A piece of at most CHUNK bytes around `offset`, aligned at both ends. */
static uint64_t window(const disk_file *file, uint64_t offset, uint64_t length, uint64_t *start)
{
    uint64_t mask = file->alignment - 1, end = offset + length;

    *start = offset & ~mask;
    if (end > *start + CHUNK)
        return CHUNK;
    return ((end + mask) & ~mask) - *start;
}

/* The file may end within a window: what is there of the wanted bytes counts. */
static vsdk_status bounce_read(disk_file *file, uint64_t offset, void *buffer, uint64_t length,
                               uint64_t *got, vsdk_error *error)
{
    uint8_t *bounce = alloc_aligned(DIRECT_LEAST, CHUNK);
    vsdk_status status = VSDK_OK;

    *got = 0;
    if (!bounce)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_read", "no memory");
    while (!status && *got < length) {
        uint64_t start, here = 0, at = offset + *got;
        uint64_t size = window(file, at, length - *got, &start);
        status = read_some(file, start, bounce, size, &here, error);
        if (status || here <= at - start)
            break;
        uint64_t count = here - (at - start);
        if (count > length - *got)
            count = length - *got;
        memcpy((char *)buffer + *got, bounce + (at - start), (size_t)count);
        *got += count;
        if (here < size)
            break;
    }
    alloc_free(bounce);
    return status;
}

/* With `edges` for writing. Past the end of the file there is nothing around it, and the file does
 * not become longer than what was written. */
static vsdk_status bounce_write(disk_file *file, uint64_t offset, const void *buffer,
                                uint64_t length, vsdk_error *error)
{
    uint8_t *bounce = alloc_aligned(DIRECT_LEAST, CHUNK);
    uint64_t before = file_length(file), end = offset + length;
    vsdk_status status = VSDK_OK;

    if (!bounce)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_write", "no memory");
    for (uint64_t done = 0; !status && done < length;) {
        uint64_t start, here, at = offset + done;
        uint64_t size = window(file, at, length - done, &start);
        uint64_t count = start + size - at < length - done ? start + size - at : length - done;
        status = read_some(file, start, bounce, size, &here, error);
        if (status)
            break;
        memset(bounce + here, 0, (size_t)(size - here));
        memcpy(bounce + (at - start), (const char *)buffer + done, (size_t)count);
        status = write_all(file, start, bounce, size, error);
        done += count;
    }
    uint64_t wanted = end > before ? end : before;
    if (!status && !file->is_block && wanted & (file->alignment - 1)) {
        int result = sys_ftruncate(file->fd, wanted);
        if (result)
            status = failed(file, -result, "vsdk_disk_resize", error);
    }
    alloc_free(bounce);
    return status;
}

vsdk_status file_read(disk_file *file, uint64_t offset, void *buffer, uint64_t length,
                      vsdk_error *error)
{
    uint64_t got = 0;
    vsdk_status status;

    if (!is_possible(offset, length))
        return ends(file, offset, length, error);
    if (is_aligned(file, offset, buffer, length))
        status = read_some(file, offset, buffer, length, &got, error);
    else
        status = bounce_read(file, offset, buffer, length, &got, error);
    return status || got == length ? status : ends(file, offset, length, error);
}

vsdk_status file_write(disk_file *file, uint64_t offset, const void *buffer, uint64_t length,
                       vsdk_error *error)
{
    vsdk_status status;

    if (!is_possible(offset, length))
        return failed(file, EFBIG, "vsdk_disk_write", error);
    int bounced = !is_aligned(file, offset, buffer, length);
    if (bounced)
        pthread_rwlock_wrlock(&file->edges);
    else
        edges_share(file);
    status = (bounced ? bounce_write : write_all)(file, offset, buffer, length, error);
    if (!status)
        has_reached(file, offset + length);
    edges_give(file);
    return status;
}

/* All pieces in one call, when the kernel can take them as they are and does all of it; else one by
 * one. */
static int goes_at_once(const disk_file *file, const vsdk_disk_buffer *pieces, uint32_t count)
{
    if (count > FILE_PIECES_MOST)
        return 0;
    for (uint32_t i = 0; file->alignment > 1 && i < count; i++)
        if (!is_aligned(file, 0, pieces[i].data, pieces[i].length))
            return 0;
    return 1;
}

vsdk_status file_read_pieces(disk_file *file, uint64_t offset, const vsdk_disk_buffer *pieces,
                             uint32_t count, uint64_t length, vsdk_error *error)
{
    if (goes_at_once(file, pieces, count) && is_aligned(file, offset, NULL, length) &&
        sys_preadv(file->fd, pieces, (int)count, offset) == (int64_t)length)
        return VSDK_OK;
    vsdk_status status = VSDK_OK;
    for (uint32_t i = 0; !status && i < count; offset += pieces[i++].length)
        status = file_read(file, offset, pieces[i].data, pieces[i].length, error);
    return status;
}

vsdk_status file_write_pieces(disk_file *file, uint64_t offset, const vsdk_disk_buffer *pieces,
                              uint32_t count, uint64_t length, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    if (goes_at_once(file, pieces, count) && is_aligned(file, offset, NULL, length)) {
        edges_share(file);
        int is_whole = sys_pwritev(file->fd, pieces, (int)count, offset) == (int64_t)length;
        if (is_whole)
            has_reached(file, offset + length);
        edges_give(file);
        if (is_whole)
            return VSDK_OK;
    }
    for (uint32_t i = 0; !status && i < count; offset += pieces[i++].length)
        status = file_write(file, offset, pieces[i].data, pieces[i].length, error);
    return status;
}

vsdk_status file_flush(disk_file *file, vsdk_error *error)
{
    int result = file->flags & DISK_FILE_UNSAFE ? 0 : sys_fdatasync(file->fd);

    return result ? failed(file, -result, "vsdk_disk_flush", error) : VSDK_OK;
}

/* The file system, or the kind of file, does not know this. */
static int is_missing(int result)
{
    return result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL || result == -ENODEV;
}

/* For any thread, beside writes; `mode` is of fallocate. */
static int change_room(disk_file *file, int mode, uint64_t offset, uint64_t length)
{
    edges_share(file);
    int result = sys_fallocate(file->fd, mode, offset, length);
    if (!result && !(mode & FALLOC_FL_KEEP_SIZE))
        has_reached(file, offset + length);
    edges_give(file);
    return result;
}

/* A hole past the end would be none, and would not make the file longer. */
vsdk_status file_punch(disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error)
{
    uint64_t end = file_length(file);

    if (offset >= end || !length)
        return VSDK_OK;
    if (length > end - offset)
        length = end - offset;
    int result = change_room(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
    if (is_missing(result))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_disk_discard", "%s can't have holes",
                         file->name);
    return result ? failed(file, -result, "vsdk_disk_discard", error) : VSDK_OK;
}

static vsdk_status write_zeros(disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error)
{
    void *zeros = alloc_aligned(DIRECT_LEAST, CHUNK);
    vsdk_status status = VSDK_OK;

    if (!zeros)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_write", "no memory");
    while (!status && length) {
        uint64_t count = length < CHUNK ? length : CHUNK;
        status = file_write(file, offset, zeros, count, error);
        offset += count;
        length -= count;
    }
    alloc_free(zeros);
    return status;
}

vsdk_status file_zero(disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error)
{
    if (!length)
        return VSDK_OK;
    if (!is_possible(offset, length))
        return failed(file, EFBIG, "vsdk_disk_write_zeroes", error);
    int result = change_room(file, FALLOC_FL_ZERO_RANGE, offset, length);
    if (is_missing(result))
        return write_zeros(file, offset, length, error);
    return result ? failed(file, -result, "vsdk_disk_write_zeroes", error) : VSDK_OK;
}

/* Where the host can't promise room it is taken by writing. Only for files that were made now. */
vsdk_status file_allocate(disk_file *file, uint64_t length, vsdk_error *error)
{
    int result = change_room(file, 0, 0, length);

    if (is_missing(result))
        return write_zeros(file, 0, length, error);
    return result ? failed(file, -result, "vsdk_disk_write_zeroes", error) : VSDK_OK;
}

vsdk_status file_set_length(disk_file *file, uint64_t length, vsdk_error *error)
{
    if (file->is_block)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_disk_resize",
                         "%s is a block device, whose size is not ours to change", file->name);
    int result = length > INT64_MAX ? -EFBIG : sys_ftruncate(file->fd, length);
    if (result)
        return failed(file, -result, "vsdk_disk_resize", error);
    atomic_store(&file->length, length);
    return VSDK_OK;
}

/* For a block device that somebody else has made larger. */
vsdk_status file_look_again(disk_file *file, vsdk_error *error)
{
    sys_file found;
    int result = sys_file_look(file->fd, &found);

    if (result)
        return failed(file, -result, "vsdk_disk_open", error);
    atomic_store(&file->length, found.bytes);
    return VSDK_OK;
}

int file_is_hole(disk_file *file, uint64_t offset, uint64_t length, uint64_t *same)
{
    int64_t data = sys_seek(file->fd, offset, SEEK_DATA), hole;

    *same = length;
    if (data == -ENXIO)
        return 1; /* nothing but a hole until the end */
    if (data < 0)
        return 0;
    if ((uint64_t)data > offset) {
        if ((uint64_t)data - offset < length)
            *same = (uint64_t)data - offset;
        return 1;
    }
    hole = sys_seek(file->fd, offset, SEEK_HOLE);
    if (hole > (int64_t)offset && (uint64_t)hole - offset < length)
        *same = (uint64_t)hole - offset;
    return 0;
}
