/* SPDX-License-Identifier: Apache-2.0 */
/* Files in memory with a journal of what was not flushed. A loss of power keeps of it whole
 * changes, pieces of 512 bytes of them, or nothing. */
#include "qcow2_rig.h"
#include "base/error.h"
#include "disk/unpack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 4 };
int rig_no_module;

const disk_unpack_ops *vsdk_disk_unpack_module(void);

static const char operation[] = "vsdk_disk_read";

typedef struct change {
    struct change *next;
    uint64_t offset, length;
    uint8_t *bytes; /* NULL: a new length of the file */
} change;

/* Some bytes and how many there are. */
typedef struct content {
    uint8_t *bytes;
    uint64_t length, room;
} content;

struct disk_file {
    pthread_mutex_t mutex;
    content now, flushed;
    change *journal, **last;
    uint64_t limit, left, writes;
    int counts, dead;
};

static struct {
    char name[64];
    disk_file *file;
    vsdk_disk_format format;
} names[NAMES];

static void *memory_of(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);

    if (!memory)
        abort();
    return memory;
}

static void content_length(content *to, uint64_t length)
{
    if (length > to->room) {
        uint64_t room = length + length / 2 + 4096;
        uint8_t *bytes = memory_of(room);
        if (to->length)
            memcpy(bytes, to->bytes, to->length);
        free(to->bytes);
        to->bytes = bytes;
        to->room = room;
    }
    if (length < to->length)
        memset(to->bytes + length, 0, to->length - length);
    to->length = length;
}

static void content_write(content *to, uint64_t offset, const uint8_t *bytes, uint64_t length)
{
    if (offset + length > to->length)
        content_length(to, offset + length);
    memcpy(to->bytes + offset, bytes, length);
}

disk_file *rig_file(void)
{
    disk_file *file = memory_of(sizeof *file);

    pthread_mutex_init(&file->mutex, NULL);
    file->last = &file->journal;
    file->limit = UINT64_C(1) << 32;
    return file;
}

disk_file *rig_file_of(const void *bytes, uint64_t length)
{
    disk_file *file = rig_file();

    content_write(&file->now, 0, bytes, length);
    content_write(&file->flushed, 0, bytes, length);
    return file;
}

disk_file *rig_file_load(const char *path)
{
    FILE *stream = fopen(path, "r");
    long length = stream && !fseek(stream, 0, SEEK_END) ? ftell(stream) : -1;
    uint8_t *bytes = length >= 0 ? memory_of((size_t)length) : NULL;

    if (!bytes || fseek(stream, 0, SEEK_SET) ||
        fread(bytes, 1, (size_t)length, stream) != (size_t)length)
        abort();
    fclose(stream);
    disk_file *file = rig_file_of(bytes, (uint64_t)length);
    free(bytes);
    return file;
}

void rig_file_store(disk_file *file, const char *path)
{
    FILE *stream = fopen(path, "w");

    if (!stream || fwrite(file->now.bytes, 1, file->now.length, stream) != file->now.length ||
        fclose(stream))
        abort();
}

static void journal_clear(disk_file *file)
{
    while (file->journal) {
        change *next = file->journal->next;
        free(file->journal->bytes);
        free(file->journal);
        file->journal = next;
    }
    file->last = &file->journal;
}

void rig_file_free(disk_file *file)
{
    journal_clear(file);
    free(file->now.bytes);
    free(file->flushed.bytes);
    pthread_mutex_destroy(&file->mutex);
    free(file);
}

uint8_t *rig_bytes(disk_file *file)
{
    return file->now.bytes;
}

void rig_limit(disk_file *file, uint64_t length)
{
    file->limit = length;
}

void rig_kill_after(disk_file *file, uint64_t changes)
{
    file->counts = changes != 0;
    file->left = changes;
}

int rig_is_dead(const disk_file *file)
{
    return file->dead;
}

uint64_t rig_writes(const disk_file *file)
{
    return file->writes;
}

static void journal_apply(content *to, const change *of)
{
    if (of->bytes)
        content_write(to, of->offset, of->bytes, of->length);
    else
        content_length(to, of->length);
}

/* Some of its sectors. A file's new end is kept or not with the change. */
static void journal_tear(content *to, const change *of, uint64_t (*chance)(uint64_t below))
{
    for (uint64_t at = 0; at < of->length;) {
        uint64_t piece = 512 - (of->offset + at) % 512;
        if (piece > of->length - at)
            piece = of->length - at;
        if (chance(2))
            content_write(to, of->offset + at, of->bytes + at, piece);
        at += piece;
    }
}

void rig_revive(disk_file *file, uint64_t (*chance)(uint64_t below))
{
    for (const change *of = file->journal; of; of = of->next) {
        uint64_t how = chance(3);
        if (how == 1)
            journal_apply(&file->flushed, of);
        else if (how == 2 && of->bytes)
            journal_tear(&file->flushed, of, chance);
    }
    journal_clear(file);
    content_length(&file->now, 0);
    content_write(&file->now, 0, file->flushed.bytes, file->flushed.length);
    file->dead = file->counts = 0;
}

static vsdk_status broken(int os_errno, vsdk_error *error)
{
    return error_set_errno(error, VSDK_ERROR_SYSTEM, os_errno, operation, "the rig's file fails");
}

/* Whether one more change may happen. */
static vsdk_status one_more(disk_file *file, uint64_t end, vsdk_error *error)
{
    if (!file->dead && file->counts && !file->left--)
        file->dead = 1;
    if (file->dead)
        return broken(EIO, error);
    file->writes++;
    return end > file->limit ? broken(ENOSPC, error) : VSDK_OK;
}

static vsdk_status journal_add(disk_file *file, uint64_t offset, const void *bytes, uint64_t length,
                               vsdk_error *error)
{
    vsdk_status status;

    pthread_mutex_lock(&file->mutex);
    status = one_more(file, bytes ? offset + length : length, error);
    if (!status) {
        change *added = memory_of(sizeof *added);
        added->offset = offset;
        added->length = length;
        if (bytes) {
            added->bytes = memory_of(length);
            memcpy(added->bytes, bytes, length);
        }
        *file->last = added;
        file->last = &added->next;
        journal_apply(&file->now, added);
    }
    pthread_mutex_unlock(&file->mutex);
    return status;
}

vsdk_status file_read(disk_file *file, uint64_t offset, void *buffer, uint64_t length,
                      vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    pthread_mutex_lock(&file->mutex);
    if (file->dead)
        status = broken(EIO, error);
    else if (offset > file->now.length || length > file->now.length - offset)
        status = error_set(error, VSDK_ERROR_FORMAT, operation, "the rig's file ends at %llu",
                           (unsigned long long)file->now.length);
    else
        memcpy(buffer, file->now.bytes + offset, length);
    pthread_mutex_unlock(&file->mutex);
    return status;
}

vsdk_status file_write(disk_file *file, uint64_t offset, const void *buffer, uint64_t length,
                       vsdk_error *error)
{
    return journal_add(file, offset, buffer, length, error);
}

vsdk_status file_flush(disk_file *file, vsdk_error *error)
{
    vsdk_status status;

    pthread_mutex_lock(&file->mutex);
    status = one_more(file, 0, error);
    if (!status) {
        for (const change *of = file->journal; of; of = of->next)
            journal_apply(&file->flushed, of);
        journal_clear(file);
    }
    pthread_mutex_unlock(&file->mutex);
    return status;
}

vsdk_status file_zero(disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error)
{
    uint8_t *zeros = memory_of(length);
    vsdk_status status = journal_add(file, offset, zeros, length, error);

    free(zeros);
    return status;
}

/* A hole does not make a file longer. */
vsdk_status file_punch(disk_file *file, uint64_t offset, uint64_t length, vsdk_error *error)
{
    uint64_t end = file_length(file);

    if (offset >= end)
        return VSDK_OK;
    return file_zero(file, offset, length < end - offset ? length : end - offset, error);
}

uint64_t file_length(const disk_file *file)
{
    return file->now.length;
}

vsdk_status file_set_length(disk_file *file, uint64_t length, vsdk_error *error)
{
    return journal_add(file, 0, NULL, length, error);
}

uint64_t file_allocated(const disk_file *file)
{
    return file->now.length;
}

vsdk_status file_allocate(disk_file *file, uint64_t length, vsdk_error *error)
{
    return length > file->now.length ? file_set_length(file, length, error) : VSDK_OK;
}

int file_is_read_only(const disk_file *file)
{
    return 0;
}

const char *file_name(const disk_file *file)
{
    return "the rig's file";
}

void rig_name(const char *name, disk_file *file, vsdk_disk_format format)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (!names[i].file || !strcmp(names[i].name, name)) {
            snprintf(names[i].name, sizeof names[i].name, "%s", name);
            names[i].file = file;
            names[i].format = format;
            return;
        }
    abort();
}

static vsdk_status open_as(disk_file *file, vsdk_disk_format format, uint32_t flags, uint32_t depth,
                           disk_image **image, vsdk_error *error)
{
    disk_image *made = memory_of(sizeof *made);
    vsdk_status status = VSDK_OK;

    made->file = file;
    made->flags = flags;
    made->depth = depth;
    made->capacity = file->now.length;
    if (format == VSDK_DISK_QCOW2) {
        made->format = &disk_qcow2_format;
        status = disk_qcow2_format.open(made, error);
    }
    *image = status ? NULL : made;
    if (status) {
        rig_close(made->backing);
        free(made->backing_name);
        free(made);
    }
    return status;
}

vsdk_status rig_open(disk_file *file, uint32_t flags, disk_image **image, vsdk_error *error)
{
    return open_as(file, VSDK_DISK_QCOW2, flags, 0, image, error);
}

void rig_close(disk_image *image)
{
    if (!image)
        return;
    if (image->state)
        image->format->close(image);
    rig_close(image->backing);
    free(image->backing_name);
    free(image);
}

vsdk_status disk_open_backing(disk_image *image, const char *name, vsdk_disk_format format,
                              vsdk_error *error)
{
    image->backing_name = strdup(name);
    if (image->flags & DISK_IMAGE_NO_BACKING)
        return VSDK_OK;
    for (unsigned i = 0; i < NAMES && image->depth < DISK_DEPTH_MOST; i++)
        if (names[i].file && !strcmp(names[i].name, name))
            return open_as(names[i].file, format == VSDK_DISK_AUTO ? names[i].format : format,
                           DISK_IMAGE_READ_ONLY, image->depth + 1, &image->backing, error);
    return error_set(error, VSDK_ERROR_PERMISSION, operation, "%s is not allowed", name);
}

vsdk_status disk_read_backing(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                              vsdk_error *error)
{
    disk_image *backing = image->backing;
    uint64_t end = backing ? backing->capacity : 0, there = offset < end ? end - offset : 0;

    if (there > length)
        there = length;
    memset((uint8_t *)buffer + there, 0, length - there);
    if (!there)
        return VSDK_OK;
    return backing->format ? backing->format->read(backing, offset, buffer, there, error)
                           : file_read(backing->file, offset, buffer, there, error);
}

/* The module, linked in. */
vsdk_status disk_unpack_load(const char *of, const disk_unpack_ops **ops, vsdk_error *error)
{
    if (rig_no_module)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, of, "the module compress.so is not there");
    *ops = vsdk_disk_unpack_module();
    return VSDK_OK;
}
