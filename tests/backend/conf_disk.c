/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of disks answer, and with which errors. Nothing of it needs a guest; it runs
 * on each backend as all the public functions do. tests/unit/disk.c has how disks behave. */
#include "common.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, KIB = 1024 };
#define GIB (UINT64_C(1) << 30)

static char folder[64], path[96];
static vsdk_disk *disk;

static void begin(void)
{
    strcpy(folder, "/tmp/conf-disk-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/disk", folder);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, 64 * KIB) == 0);
    close(fd);
    disk = NULL;
}

static void end(void)
{
    vsdk_disk_close(disk);
    unlink(path);
    rmdir(folder);
}

TestSuite(disk, .init = begin, .fini = end);

/* A driver of a format does not know which function has failed. */
static void said_by(const char *function)
{
    cr_assert_str_eq(E->operation, function);
}

static vsdk_disk_config config_of(void)
{
    return (vsdk_disk_config){.size = sizeof(vsdk_disk_config), .path = path};
}

static void open_disk(uint32_t flags)
{
    vsdk_disk_config config = config_of();

    config.flags = flags;
    ok(vsdk_disk_open(&config, &disk, E));
}

Test(disk, opening_refuses_what_it_must)
{
    vsdk_disk *made;

#define REFUSED(code, field, bad)                                                                  \
    do {                                                                                           \
        vsdk_disk_config config = config_of();                                                     \
        config.field = bad;                                                                        \
        fails(code, vsdk_disk_open(&config, &made, E));                                            \
        cr_assert_null(made);                                                                      \
    } while (0)
    REFUSED(INVALID_ARGUMENT, path, NULL);
    REFUSED(INVALID_ARGUMENT, flags, 8);
    REFUSED(INVALID_ARGUMENT, format, VSDK_DISK_MEMORY);
    REFUSED(INVALID_ARGUMENT, format, 99);
    REFUSED(INVALID_ARGUMENT, cache, 3);
    REFUSED(INVALID_ARGUMENT, workers, 65);
    REFUSED(INVALID_ARGUMENT, allowed_count, 1);
    REFUSED(INVALID_ARGUMENT, path, "/dev/null");
    REFUSED(UNSUPPORTED, reserved[3], 1);
    REFUSED(UNSUPPORTED, reserved32, 1);
    REFUSED(NOT_FOUND, path, "/tmp/there-is-no-such-file");
    REFUSED(NOT_FOUND, path, "/dev/null/file");
#undef REFUSED
    vsdk_disk_config config = config_of();
    fails(INVALID_ARGUMENT, vsdk_disk_open(NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_disk_open(&config, NULL, E));
    static const char *const none[] = {NULL};
    config.allowed = none;
    config.allowed_count = 1;
    fails(INVALID_ARGUMENT, vsdk_disk_open(&config, &made, E));
    cr_assert_eq(truncate(path, 0), 0);
    config = config_of();
    fails(FORMAT, vsdk_disk_open(&config, &made, E));
}

/* Root may open anything: so another one asks. */
Test(disk, who_may_not_is_told)
{
    vsdk_disk_config config = config_of();

    char fresh[96];

    snprintf(fresh, sizeof fresh, "%s/new", folder); /* a folder of the owner's alone */
    if (geteuid())
        cr_assert(!chmod(path, 0) && !chmod(folder, 0500));
    else
        cr_assert_eq(seteuid(65534), 0);
    fails(PERMISSION, vsdk_disk_open(&config, &disk, E));
    vsdk_disk_image image = {
        .size = sizeof image, .path = fresh, .format = VSDK_DISK_RAW, .capacity = SECTOR};
    fails(PERMISSION, vsdk_disk_create_image(&image, E));
    cr_assert(!seteuid(getuid()) && !chmod(folder, 0700));
}

/* As on a file system that has no such large files: how large they may be is its own business. */
static void let_files_have(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(disk, one_that_is_locked_is_busy)
{
    vsdk_disk_config config = config_of();
    vsdk_disk *other;

    open_disk(0);
    fails(BUSY, vsdk_disk_open(&config, &other, E));
}

static vsdk_status reads(void *user, uint64_t offset, void *buffer, uint64_t length,
                         vsdk_error *error)
{
    return user ? VSDK_ERROR_GONE : VSDK_OK;
}

static unsigned releases;

static void release(void *user)
{
    releases++;
}

Test(disk, making_refuses_what_it_must)
{
    vsdk_disk_ops ops = {.size = sizeof ops, .read = reads, .release = release};
    vsdk_disk *made;
    unsigned calls = 0;

#define REFUSED(code, field, bad)                                                                  \
    do {                                                                                           \
        vsdk_disk_custom config = {.size = sizeof config, .capacity = SECTOR};                     \
        config.field = bad;                                                                        \
        fails(code, vsdk_disk_create(&ops, NULL, &config, &made, E));                              \
        fails(code, vsdk_disk_create_memory(&config, &made, E));                                   \
        calls++;                                                                                   \
    } while (0)
    releases = 0;
    REFUSED(INVALID_ARGUMENT, flags, 2);
    REFUSED(INVALID_ARGUMENT, capacity, 0);
    REFUSED(INVALID_ARGUMENT, capacity, 100);
    REFUSED(INVALID_ARGUMENT, capacity, UINT64_MAX - 511);
    REFUSED(INVALID_ARGUMENT, workers, 65);
    REFUSED(INVALID_ARGUMENT, block_size, 513);
    REFUSED(INVALID_ARGUMENT, block_size, 256);
    REFUSED(UNSUPPORTED, reserved[0], 1);
#undef REFUSED
    vsdk_disk_custom config = {.size = sizeof config, .capacity = SECTOR};
    fails(INVALID_ARGUMENT, vsdk_disk_create(&ops, NULL, NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_disk_create(&ops, NULL, &config, NULL, E));
    cr_assert_eq(releases, calls + 2);
    fails(INVALID_ARGUMENT, vsdk_disk_create_memory(NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_disk_create_memory(&config, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_disk_create(NULL, NULL, &config, &made, E));
    ops.reserved[0] = 1;
    fails(UNSUPPORTED, vsdk_disk_create(&ops, NULL, &config, &made, E));
    ops.reserved[0] = 0;
    ops.read = NULL;
    fails(INVALID_ARGUMENT, vsdk_disk_create(&ops, NULL, &config, &made, E));
}

Test(disk, images_are_made_of_what_can_be)
{
    char fresh[96];
    vsdk_disk_image whole = {
        .size = sizeof whole, .path = fresh, .format = VSDK_DISK_RAW, .capacity = SECTOR};

    snprintf(fresh, sizeof fresh, "%s/new", folder);
#define REFUSED(code, field, bad)                                                                  \
    do {                                                                                           \
        vsdk_disk_image image = whole;                                                             \
        image.field = bad;                                                                         \
        fails(code, vsdk_disk_create_image(&image, E));                                            \
        cr_assert_neq(access(fresh, F_OK), 0, "%s", #field);                                       \
    } while (0)
    REFUSED(INVALID_ARGUMENT, path, NULL);
    REFUSED(INVALID_ARGUMENT, flags, 4);
    REFUSED(INVALID_ARGUMENT, format, VSDK_DISK_AUTO);
    REFUSED(INVALID_ARGUMENT, format, VSDK_DISK_CUSTOM);
    REFUSED(INVALID_ARGUMENT, capacity, 0);
    REFUSED(INVALID_ARGUMENT, capacity, 513);
    REFUSED(INVALID_ARGUMENT, backing, "some");
    REFUSED(UNSUPPORTED, cluster_size, 4096);
    REFUSED(UNSUPPORTED, reserved[2], 1);
    let_files_have(GIB);
    REFUSED(LIMIT, capacity, 2 * GIB);
    let_files_have(RLIM_INFINITY);
    REFUSED(EXISTS, path, path);
    REFUSED(NOT_FOUND, path, "/tmp/there-is-no-such-folder/new");
#undef REFUSED
    fails(INVALID_ARGUMENT, vsdk_disk_create_image(NULL, E));
    ok(vsdk_disk_create_image(&whole, E));
    unlink(fresh);
}

Test(disk, input_and_output_refuse_what_they_must)
{
    uint8_t bytes[SECTOR] = {0};

    open_disk(0);
    fails(INVALID_ARGUMENT, vsdk_disk_read(NULL, 0, bytes, SECTOR, E));
    fails(INVALID_ARGUMENT, vsdk_disk_write(NULL, 0, bytes, SECTOR, E));
    fails(INVALID_ARGUMENT, vsdk_disk_flush(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_disk_discard(disk, 1, SECTOR, E));
    fails(INVALID_ARGUMENT, vsdk_disk_write_zeroes(disk, 0, SECTOR, 8, E));
    fails(RANGE, vsdk_disk_read(disk, 64 * KIB, bytes, SECTOR, E));
    fails(RANGE, vsdk_disk_write(disk, 64 * KIB, bytes, SECTOR, E));
    fails(RANGE, vsdk_disk_discard(disk, 64 * KIB, SECTOR, E));
    fails(RANGE, vsdk_disk_write_zeroes(disk, 64 * KIB, SECTOR, 0, E));
    fails(INVALID_ARGUMENT, vsdk_disk_resize(disk, 1, E));
    ok(vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    ok(vsdk_disk_write_zeroes(disk, 0, SECTOR, VSDK_DISK_MAY_UNMAP, E));
    ok(vsdk_disk_discard(disk, 0, SECTOR, E));
    ok(vsdk_disk_flush(disk, E));
    let_files_have(GIB);
    fails(LIMIT, vsdk_disk_resize(disk, 2 * GIB, E));
    said_by("vsdk_disk_resize");
    let_files_have(RLIM_INFINITY);
    ok(vsdk_disk_resize(disk, 128 * KIB, E));
    cr_assert_eq(truncate(path, SECTOR), 0);
    fails(FORMAT, vsdk_disk_read(disk, 32 * KIB, bytes, SECTOR, E));
    vsdk_disk_report report = {.size = sizeof report};
    fails(UNSUPPORTED, vsdk_disk_check(disk, 0, &report, E));
    fails(INVALID_ARGUMENT, vsdk_disk_check(disk, 2, &report, E));
    fails(INVALID_ARGUMENT, vsdk_disk_check(disk, 0, NULL, E));
    vsdk_disk_info info = {.size = 4};
    fails(INVALID_ARGUMENT, vsdk_disk_get_info(disk, &info, E));
    info.size = sizeof info;
    ok(vsdk_disk_get_info(disk, &info, E));
    cr_assert_eq(info.capacity, 128 * KIB);
}

Test(disk, a_read_only_disk_refuses_changes)
{
    uint8_t bytes[SECTOR] = {0};
    vsdk_disk_report report = {.size = sizeof report};

    open_disk(VSDK_DISK_READ_ONLY);
    fails(PERMISSION, vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    fails(PERMISSION, vsdk_disk_discard(disk, 0, SECTOR, E));
    fails(PERMISSION, vsdk_disk_write_zeroes(disk, 0, SECTOR, 0, E));
    fails(PERMISSION, vsdk_disk_resize(disk, SECTOR, E));
    fails(PERMISSION, vsdk_disk_check(disk, VSDK_DISK_REPAIR, &report, E));
    ok(vsdk_disk_read(disk, 0, bytes, SECTOR, E));
}

static uint64_t big_endian(int fd, uint64_t at)
{
    uint8_t bytes[8];
    uint64_t value = 0;

    cr_assert_eq(pread(fd, bytes, 8, (off_t)at), 8);
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* An entry of the second table that points beyond the file. */
Test(disk, an_image_that_is_damaged)
{
    vsdk_disk_image image = {
        .size = sizeof image, .path = path, .format = VSDK_DISK_QCOW2, .capacity = 64 * KIB};
    vsdk_disk_config config = config_of();
    vsdk_disk_report report = {.size = sizeof report};
    uint8_t bytes[SECTOR] = {1}, entry[8] = {0x80, 0, 0, 0x7f, 0, 0, 0, 0};

    unlink(path);
    ok(vsdk_disk_create_image(&image, E));
    config.format = VSDK_DISK_QCOW2;
    ok(vsdk_disk_open(&config, &disk, E));
    ok(vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    ok(vsdk_disk_check(disk, 0, &report, E));
    cr_assert(!report.errors && !report.leaks);
    vsdk_disk_close(disk);
    int fd = open(path, O_RDWR);
    uint64_t first = big_endian(fd, 40), second = big_endian(fd, first) & ~(UINT64_C(1) << 63);
    cr_assert_eq(pwrite(fd, entry, sizeof entry, (off_t)second), (ssize_t)sizeof entry);
    close(fd);
    ok(vsdk_disk_open(&config, &disk, E));
    fails(FORMAT, vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    said_by("vsdk_disk_write");
    fails(FORMAT, vsdk_disk_discard(disk, 0, 64 * KIB, E));
    said_by("vsdk_disk_discard");
    fails(FORMAT, vsdk_disk_write_zeroes(disk, 0, SECTOR, 0, E));
    said_by("vsdk_disk_write_zeroes");
    fails(FORMAT, vsdk_disk_read(disk, 0, bytes, SECTOR, E));
    said_by("vsdk_disk_read");
    ok(vsdk_disk_check(disk, 0, &report, E));
    cr_assert(report.errors > 0);
}

/* Its refcount table says that there are blocks for far more than the file has. */
Test(disk, an_image_that_is_too_large_to_be_checked)
{
    enum { CLUSTER = 64 * KIB, TABLE_CLUSTERS = 128, ENTRIES = TABLE_CLUSTERS * CLUSTER / 8 };
    vsdk_disk_image image = {
        .size = sizeof image, .path = path, .format = VSDK_DISK_QCOW2, .capacity = 64 * KIB};
    vsdk_disk_config config = config_of();
    vsdk_disk_report report = {.size = sizeof report};
    const uint8_t table[12] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, TABLE_CLUSTERS}; /* at 16 MiB */
    const off_t at = 16 << 20;
    uint8_t block[8];

    unlink(path);
    ok(vsdk_disk_create_image(&image, E));
    int fd = open(path, O_RDWR);
    cr_assert_eq(pread(fd, block, sizeof block, (off_t)big_endian(fd, 48)), (ssize_t)sizeof block);
    cr_assert_eq(pwrite(fd, table, sizeof table, 48), (ssize_t)sizeof table);
    cr_assert_eq(pwrite(fd, block, sizeof block, at), (ssize_t)sizeof block);
    cr_assert_eq(pwrite(fd, block, sizeof block, at + 8 * (ENTRIES - 1)), (ssize_t)sizeof block);
    close(fd);
    config.format = VSDK_DISK_QCOW2;
    config.flags = VSDK_DISK_READ_ONLY;
    ok(vsdk_disk_open(&config, &disk, E));
    fails(LIMIT, vsdk_disk_check(disk, 0, &report, E));
    cr_assert(strstr(E->message, "too many"), "%s", E->message);
    said_by("vsdk_disk_check");
}

static vsdk_status fails_all(void *user, uint64_t offset, const void *buffer, uint64_t length,
                             vsdk_error *error)
{
    return VSDK_ERROR_LIMIT;
}

static vsdk_status fails_range(void *user, uint64_t offset, uint64_t length,
                               vsdk_disk_request_flags flags, vsdk_error *error)
{
    return VSDK_ERROR_LIMIT;
}

static vsdk_status fails_flush(void *user, vsdk_error *error)
{
    return VSDK_ERROR_LIMIT;
}

static vsdk_status fails_resize(void *user, uint64_t capacity, vsdk_error *error)
{
    return VSDK_ERROR_LIMIT;
}

Test(disk, an_embedders_disk_that_fails)
{
    const vsdk_disk_ops ops = {.size = sizeof ops,
                               .read = reads,
                               .write = fails_all,
                               .flush = fails_flush,
                               .discard = fails_range,
                               .write_zeroes = fails_range,
                               .resize = fails_resize};
    const vsdk_disk_ops least = {.size = sizeof least, .read = reads, .write = fails_all};
    vsdk_disk_custom config = {.size = sizeof config, .capacity = SECTOR};
    uint8_t bytes[SECTOR] = {0};

    ok(vsdk_disk_create(&ops, &config, &config, &disk, E));
    fails(SYSTEM, vsdk_disk_read(disk, 0, bytes, SECTOR, E));
    fails(SYSTEM, vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    fails(SYSTEM, vsdk_disk_flush(disk, E));
    fails(SYSTEM, vsdk_disk_discard(disk, 0, SECTOR, E));
    fails(SYSTEM, vsdk_disk_write_zeroes(disk, 0, SECTOR, 0, E));
    fails(SYSTEM, vsdk_disk_resize(disk, 2 * SECTOR, E));
    vsdk_disk_close(disk);
    ok(vsdk_disk_create(&least, &config, &config, &disk, E));
    fails(UNSUPPORTED, vsdk_disk_resize(disk, 2 * SECTOR, E));
}

/* As on a file system that is full: no file may reach beyond 1 GiB. That is more than whoever
 * writes down this test needs. */
Test(disk, the_host_may_have_no_room)
{
    uint8_t bytes[SECTOR] = {0};

    cr_assert_eq(truncate(path, 2 * GIB), 0);
    open_disk(0);
    let_files_have(GIB);
    fails(LIMIT, vsdk_disk_write(disk, GIB, bytes, SECTOR, E));
    cr_assert(strstr(E->message, path) && E->hint[0], "%s", E->message);
    cr_assert_eq(truncate(path, GIB), 0);
    fails(LIMIT, vsdk_disk_write_zeroes(disk, GIB, SECTOR, 0, E));
    ok(vsdk_disk_write(disk, 0, bytes, SECTOR, E));
}

/* All descriptors are taken, but for `spare`. */
static void use_descriptors(unsigned spare)
{
    const struct rlimit few = {64, 64};
    int fds[64];
    unsigned count = 0;

    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 64 && (fds[count] = dup(2)) >= 0)
        count++;
    while (spare-- && count)
        close(fds[--count]);
}

Test(disk, the_process_may_have_no_descriptors)
{
    vsdk_disk_config config = config_of();
    vsdk_disk_ops ops = {.size = sizeof ops, .read = reads};
    vsdk_disk_custom custom = {.size = sizeof custom, .capacity = SECTOR};
    vsdk_disk_image image = {
        .size = sizeof image, .path = "/tmp/one", .format = VSDK_DISK_RAW, .capacity = SECTOR};

    ok(vsdk_pool_create(NULL, &custom.pool, E));
    use_descriptors(0);
    fails(LIMIT, vsdk_disk_open(&config, &disk, E));
    fails(LIMIT, vsdk_disk_create_memory(&custom, &disk, E));
    said_by("vsdk_disk_create_memory");
    fails(LIMIT, vsdk_disk_create(&ops, NULL, &custom, &disk, E));
    fails(LIMIT, vsdk_disk_create_image(&image, E));
    said_by("vsdk_disk_create_image");
    vsdk_pool_close(custom.pool);
}

/* A link that leads to itself. */
Test(disk, the_host_may_refuse)
{
    char loop[96], inside[128];
    vsdk_disk_config config = config_of();
    vsdk_disk_image image = {
        .size = sizeof image, .path = inside, .format = VSDK_DISK_RAW, .capacity = SECTOR};

    snprintf(loop, sizeof loop, "%s/loop", folder);
    snprintf(inside, sizeof inside, "%s/new", loop);
    cr_assert_eq(symlink(loop, loop), 0);
    config.path = loop;
    fails(SYSTEM, vsdk_disk_open(&config, &disk, E));
    fails(SYSTEM, vsdk_disk_create_image(&image, E));
    unlink(loop);
}

static vsdk_disk_channel *channel;
static unsigned answers;
static vsdk_status drained;

static void done(void *user, vsdk_disk_request *request)
{
    answers++;
    if (user)
        drained = vsdk_disk_drain(channel, 0, E);
}

static void resized(void *user, vsdk_disk *of, uint64_t capacity)
{
}

Test(disk, channels_and_watches)
{
    vsdk_disk_watch *watch;
    vsdk_disk_request request = {.operation = VSDK_DISK_FLUSH}, *list = &request;

    open_disk(0);
    releases = answers = 0;
    fails(INVALID_ARGUMENT, vsdk_disk_channel_create(NULL, done, NULL, release, &channel, E));
    fails(INVALID_ARGUMENT, vsdk_disk_channel_create(disk, NULL, NULL, release, &channel, E));
    fails(INVALID_ARGUMENT, vsdk_disk_channel_create(disk, done, NULL, release, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_disk_watch_create(NULL, resized, NULL, release, &watch, E));
    fails(INVALID_ARGUMENT, vsdk_disk_watch_create(disk, NULL, NULL, release, &watch, E));
    fails(INVALID_ARGUMENT, vsdk_disk_watch_create(disk, resized, NULL, release, NULL, E));
    cr_assert_eq(releases, 6);
    ok(vsdk_disk_watch_create(disk, resized, NULL, NULL, &watch, E));
    vsdk_disk_watch_close(vsdk_disk_watch_ref(watch));
    vsdk_disk_watch_close(watch);
    ok(vsdk_disk_channel_create(disk, done, &answers, release, &channel, E));
    vsdk_disk_channel_close(vsdk_disk_channel_ref(channel));
    vsdk_disk_close(vsdk_disk_ref(disk));
    fails(INVALID_ARGUMENT, vsdk_disk_submit(channel, NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_disk_submit(NULL, &list, 1, E));
    fails(INVALID_ARGUMENT, vsdk_disk_drain(NULL, 0, E));
    ok(vsdk_disk_submit(channel, &list, 1, E));
    cr_assert(answers == 1 && drained == VSDK_ERROR_BUSY);
    ok(vsdk_disk_drain(channel, VSDK_FOREVER, E));
    vsdk_disk_channel_close(channel);
    cr_assert_eq(releases, 7);
}

/* Nobody does what a pool that was stopped was asked for. */
Test(disk, a_drain_has_an_end)
{
    vsdk_disk_config config = config_of();
    vsdk_disk_request request = {.operation = VSDK_DISK_FLUSH}, *list = &request;

    ok(vsdk_pool_create(NULL, &config.pool, E));
    ok(vsdk_disk_open(&config, &disk, E));
    ok(vsdk_disk_channel_create(disk, done, NULL, NULL, &channel, E));
    ok(vsdk_pool_stop(config.pool, E));
    ok(vsdk_disk_submit(channel, &list, 1, E));
    fails(TIMEOUT, vsdk_disk_drain(channel, 1000, E));
    ok(vsdk_disk_drain(channel, VSDK_FOREVER, E));
    vsdk_disk_channel_close(channel);
    vsdk_disk *other;
    vsdk_disk_custom memory = {.size = sizeof memory, .capacity = SECTOR, .pool = config.pool};
    fails(INVALID_ARGUMENT, vsdk_disk_create_memory(&memory, &other, E));
    vsdk_pool_close(config.pool);
}

Test(disk, a_pool_gives_a_loop_back)
{
    vsdk_pool *pool;
    vsdk_loop *loop;

    ok(vsdk_pool_create(NULL, &pool, E));
    ok(vsdk_loop_create(&loop, E));
    fails(INVALID_ARGUMENT, vsdk_pool_remove_loop(NULL, loop, E));
    fails(INVALID_ARGUMENT, vsdk_pool_remove_loop(pool, NULL, E));
    fails(NOT_FOUND, vsdk_pool_remove_loop(pool, loop, E));
    for (int i = 0; i < 2; i++) {
        ok(vsdk_pool_add_loop(pool, loop, E));
        ok(vsdk_pool_remove_loop(pool, loop, E));
    }
    fails(NOT_FOUND, vsdk_pool_remove_loop(pool, loop, E));
    vsdk_loop_close(loop);
    vsdk_pool_close(pool);
}
