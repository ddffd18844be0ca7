/* SPDX-License-Identifier: Apache-2.0 */
/* Files below disks: what threads do to one at the same time, in an order that the test sets by
 * what it wraps, and locks that are not ours. */
#include "disk/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, BLOCK = 4096 };

static char path[64];
static disk_file *file;
static uint8_t *block; /* aligned */
static vsdk_error last;
#define ok(call) cr_assert_eq((call), VSDK_OK, "%s: %s", #call, last.message)

/* What comes between two steps of a function, once. */
static void (*after_unlock)(void), (*before_write)(void);
static _Thread_local int is_other;
static sem_t other_goes;

int __real_pthread_rwlock_unlock(pthread_rwlock_t *lock);
int __real_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int64_t __real_sys_pwrite(int fd, const void *from, size_t bytes, uint64_t offset);
int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int64_t __wrap_sys_pwrite(int fd, const void *from, size_t bytes, uint64_t offset);
int __wrap_sys_memory_file(const char *name);

static void once(void (**hook)(void))
{
    void (*now)(void) = *hook;

    *hook = NULL;
    if (now)
        now();
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    int result = __real_pthread_rwlock_unlock(lock);

    if (!is_other)
        once(&after_unlock);
    return result;
}

/* The other thread is about to wait. */
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    if (is_other)
        sem_post(&other_goes);
    return __real_pthread_rwlock_rdlock(lock);
}

int64_t __wrap_sys_pwrite(int fd, const void *from, size_t bytes, uint64_t offset)
{
    if (!is_other)
        once(&before_write);
    return __real_sys_pwrite(fd, from, bytes, offset);
}

/* There is no memory file for anybody here. */
static int memory_answer;

int __wrap_sys_memory_file(const char *name)
{
    (void)name;
    return memory_answer;
}

static void begin(void)
{
    strcpy(path, "/tmp/vsdk-file-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    cr_assert(!posix_memalign((void **)&block, BLOCK, BLOCK));
    file = NULL;
    sem_init(&other_goes, 0, 0);
}

static void end(void)
{
    disk_file_close(file);
    free(block);
    unlink(path);
}

TestSuite(disk_file, .init = begin, .fini = end);

static void open_file(uint64_t length)
{
    ok(disk_file_open(path, -1, DISK_FILE_DIRECT, &file, &last));
    ok(file_set_length(file, length, &last));
}

static void expect(uint64_t offset, uint8_t value, size_t length)
{
    uint8_t bytes[BLOCK];
    int fd = open(path, O_RDONLY);

    cr_assert_eq(pread(fd, bytes, length, (off_t)offset), (ssize_t)length);
    close(fd);
    for (size_t i = 0; i < length; i++)
        cr_assert_eq(bytes[i], value, "byte %zu", offset + i);
}

static void write_sector(void)
{
    uint8_t bytes[SECTOR];

    memset(bytes, 3, sizeof bytes);
    ok(file_write(file, 0, bytes, sizeof bytes, &last));
}

/* A write of a part of a block cuts the file to where it ends: not what has just come behind. */
Test(disk_file, a_longer_file_is_not_cut)
{
    vsdk_disk_buffer pieces[] = {{block, BLOCK / 2}, {block + BLOCK / 2, BLOCK / 2}};

    for (int way = 0; way < 3; way++) {
        pieces[0].length = BLOCK;
        open_file(BLOCK + SECTOR);
        memset(block, way ? 7 : 5, BLOCK);
        after_unlock = write_sector;
        if (way == 2)
            ok(file_zero(file, 2 * BLOCK, BLOCK, &last));
        else if (way)
            ok(file_write_pieces(file, 2 * BLOCK, pieces, 1, BLOCK, &last));
        else
            ok(file_write(file, 2 * BLOCK, block, BLOCK, &last));
        cr_assert_null(after_unlock, "way %d", way);
        expect(2 * BLOCK, way == 2 ? 0 : way ? 7 : 5, BLOCK);
        expect(0, 3, SECTOR);
        cr_assert_eq(file_length(file), 3 * BLOCK);
        disk_file_close(file);
        file = NULL;
    }
}

/* The second sector becomes zeros while the first is written with what was around it. */
static pthread_t other;
static int punches;

static void *clears(void *user)
{
    (void)user;
    is_other = 1;
    vsdk_status status =
        punches ? file_punch(file, SECTOR, SECTOR, NULL) : file_zero(file, SECTOR, SECTOR, NULL);
    sem_post(&other_goes);
    return (void *)(uintptr_t)status;
}

/* It has done it, or waits for us. */
static void start_other(void)
{
    cr_assert_eq(pthread_create(&other, NULL, clears, NULL), 0);
    sem_wait(&other_goes);
}

Test(disk_file, zeros_beside_a_write_stay)
{
    for (punches = 0; punches < 2; punches++) {
        void *status;
        open_file(2 * BLOCK);
        memset(block, 9, BLOCK);
        ok(file_write(file, 0, block, BLOCK, &last));
        before_write = start_other;
        write_sector();
        cr_assert_null(before_write);
        cr_assert_eq(pthread_join(other, &status), 0);
        cr_assert_eq((uintptr_t)status, VSDK_OK);
        expect(0, 3, SECTOR);
        expect(SECTOR, 0, SECTOR);
        expect(2 * SECTOR, 9, SECTOR);
        while (!sem_trywait(&other_goes))
            ;
        disk_file_close(file);
        file = NULL;
    }
}

/* A descriptor that is refused keeps what its owner has locked. */
Test(disk_file, locks_of_others_stay)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};
    int fd = open(path, O_WRONLY), look = open(path, O_RDWR);

    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    cr_assert_eq(disk_file_open(NULL, fd, 0, &file, &last), VSDK_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(fcntl(look, F_OFD_GETLK, &lock), 0);
    cr_assert_eq(lock.l_type, F_WRLCK);
    close(look);
    close(fd);
}

/* Why the host has no memory for a disk is told as it is. */
Test(disk_file, no_memory_has_its_reason)
{
    static const struct {
        int error;
        vsdk_status status;
    } answers[] = {{EMFILE, VSDK_ERROR_LIMIT},
                   {ENFILE, VSDK_ERROR_LIMIT},
                   {ENOMEM, VSDK_ERROR_NO_MEMORY},
                   {EPERM, VSDK_ERROR_PERMISSION},
                   {ENOSYS, VSDK_ERROR_SYSTEM}};
    vsdk_disk_custom config = {.size = sizeof config, .capacity = SECTOR};
    vsdk_disk *disk;

    for (unsigned i = 0; i < sizeof answers / sizeof *answers; i++) {
        memory_answer = -answers[i].error;
        cr_assert_eq(vsdk_disk_create_memory(&config, &disk, &last), answers[i].status, "%s",
                     last.message);
        cr_assert_eq(last.os_errno, answers[i].error);
    }
}
