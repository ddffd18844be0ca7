/* SPDX-License-Identifier: Apache-2.0 */
/* Disks without a guest: raw files through every function, requests with and without a pool, the
 * embedder's disks, what a watch is told, and locks that other programs respect. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

#define ok(call) cr_assert_eq((call), VSDK_OK, "%s: %s", #call, last.message)
#define fails(want, call)                                                                          \
    do {                                                                                           \
        memset(&last, 0, sizeof last);                                                             \
        cr_assert_eq((call), VSDK_ERROR_##want, "%s: %d %s", #call, last.code, last.message);      \
        cr_assert_eq(last.code, VSDK_ERROR_##want, "%s left the record alone", #call);             \
        cr_assert(last.operation[0] && last.message[0]);                                           \
    } while (0)

enum { MIB = 1 << 20, SECTOR = 512 };

static vsdk_error last;
#define E (&last)
static char folder[64], path[128];
static vsdk_disk *disk;

static void begin(void)
{
    strcpy(folder, "/tmp/vsdk-disk-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/disk", folder);
    disk = NULL;
}

static void end(void)
{
    char command[128];

    vsdk_disk_close(disk);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(disk, .init = begin, .fini = end);

static void make_file(uint64_t length)
{
    int fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);

    cr_assert(fd >= 0 && ftruncate(fd, (off_t)length) == 0);
    close(fd);
}

static vsdk_disk_config config_of(uint32_t flags)
{
    return (vsdk_disk_config){
        .size = sizeof(vsdk_disk_config), .flags = flags, .path = path, .format = VSDK_DISK_RAW};
}

static void open_disk(uint64_t length, uint32_t flags, vsdk_pool *pool)
{
    vsdk_disk_config config = config_of(flags);

    make_file(length);
    config.pool = pool;
    ok(vsdk_disk_open(&config, &disk, E));
}

static void fill(uint8_t *bytes, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)((i * 7 + i / 512 * 13 + seed) | 1);
}

static vsdk_disk_info info_of(vsdk_disk *of)
{
    vsdk_disk_info info = {.size = sizeof info};

    ok(vsdk_disk_get_info(of, &info, E));
    return info;
}

static void read_host(uint64_t offset, void *to, size_t length)
{
    int fd = open(path, O_RDONLY);

    cr_assert_eq(pread(fd, to, length, (off_t)offset), (ssize_t)length);
    close(fd);
}

/* What is in the file after a write is what was written, and the next read gives it back. */
static void write_and_read(uint32_t flags)
{
    static uint8_t wrote[256 * SECTOR], got[sizeof wrote];

    open_disk(4 * MIB, flags, NULL);
    fill(wrote, sizeof wrote, 3);
    ok(vsdk_disk_write(disk, 3 * SECTOR, wrote, sizeof wrote, E));
    ok(vsdk_disk_flush(disk, E));
    ok(vsdk_disk_read(disk, 3 * SECTOR, got, sizeof got, E));
    cr_assert(!memcmp(wrote, got, sizeof got));
    read_host(3 * SECTOR, got, sizeof got);
    cr_assert(!memcmp(wrote, got, sizeof got));
    /* one sector in the middle, from an odd address: its neighbours stay */
    fill(wrote + 1, SECTOR, 99);
    ok(vsdk_disk_write(disk, 100 * SECTOR, wrote + 1, SECTOR, E));
    ok(vsdk_disk_read(disk, 99 * SECTOR, got, 3 * SECTOR, E));
    cr_assert(!memcmp(got + SECTOR, wrote + 1, SECTOR));
    fill(wrote, sizeof wrote, 3);
    cr_assert(!memcmp(got, wrote + 96 * SECTOR, SECTOR));
    cr_assert(!memcmp(got + 2 * SECTOR, wrote + 98 * SECTOR, SECTOR));
    ok(vsdk_disk_read(disk, 0, got, SECTOR, E));
    for (int i = 0; i < SECTOR; i++)
        cr_assert_eq(got[i], 0);
    cr_assert_eq(info_of(disk).capacity, 4 * MIB);
    struct stat status;
    cr_assert(!stat(path, &status) && status.st_size == 4 * MIB);
}

Test(disk, what_is_written_is_read)
{
    write_and_read(0);
    vsdk_disk_info info = info_of(disk);
    cr_assert(info.format == VSDK_DISK_RAW && info.sector_size == 512 && info.block_size == 512);
    cr_assert(!info.flags && !info.depth && !info.backing && !strcmp(info.path, path));
    cr_assert(info.allocated >= 128 * 1024 && info.allocated < 2 * MIB);
}

Test(disk, direct_input_and_output_of_any_memory)
{
    int fd = open(folder, O_RDONLY | O_DIRECT);

    close(fd);
    write_and_read(VSDK_DISK_DIRECT);
    cr_assert_eq(info_of(disk).flags, VSDK_DISK_DIRECT);
}

/* A file system may want more than 512 bytes: the file does not become longer by that. */
Test(disk, direct_writes_at_an_odd_end)
{
    uint8_t bytes[SECTOR];
    struct stat status;

    open_disk(4 * 4096 + 3 * SECTOR, VSDK_DISK_DIRECT, NULL);
    fill(bytes, sizeof bytes, 1);
    ok(vsdk_disk_write(disk, 4 * 4096 + 2 * SECTOR, bytes, SECTOR, E));
    ok(vsdk_disk_write(disk, 2 * SECTOR, bytes, SECTOR, E));
    cr_assert(!stat(path, &status) && status.st_size == 4 * 4096 + 3 * SECTOR);
    uint8_t got[SECTOR];
    ok(vsdk_disk_read(disk, 4 * 4096 + 2 * SECTOR, got, SECTOR, E));
    cr_assert(!memcmp(got, bytes, SECTOR));
    fails(RANGE, vsdk_disk_read(disk, 4 * 4096 + 3 * SECTOR, got, SECTOR, E));
}

/* As raw disks they would be destroyed by the first write. */
Test(disk, a_format_without_a_driver_is_not_taken_for_raw)
{
    static const struct {
        const char *name, *magic;
        unsigned at;
    } files[] = {{"vmdk", "KDMV", 0},
                 {"vmdk", "COWD", 0},
                 {"vmdk", "# Disk DescriptorFile", 0},
                 {"vhd", "conectix", 0},
                 {"vhd", "conectix", MIB - SECTOR},
                 {"vhdx", "vhdxfile", 0},
                 {NULL, "vhdxfile", MIB - SECTOR},
                 {NULL, "conectix", SECTOR}};
    vsdk_disk_config config = config_of(0);

    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        size_t length = strlen(files[i].magic);
        make_file(MIB);
        int fd = open(path, O_WRONLY);
        cr_assert_eq(pwrite(fd, files[i].magic, length, files[i].at), (ssize_t)length);
        close(fd);
        config.format = VSDK_DISK_AUTO;
        if (files[i].name) {
            fails(UNSUPPORTED, vsdk_disk_open(&config, &disk, E));
            cr_assert(strstr(last.message, files[i].name) && last.hint[0], "%s", last.message);
            config.format = VSDK_DISK_RAW;
        }
        ok(vsdk_disk_open(&config, &disk, E));
        vsdk_disk_close(disk);
        disk = NULL;
        unlink(path);
    }
    make_file(4); /* shorter than what is looked for */
    config.format = VSDK_DISK_AUTO;
    ok(vsdk_disk_open(&config, &disk, E));
}

Test(disk, discards_and_zeros)
{
    uint8_t bytes[16 * SECTOR], got[16 * SECTOR];
    static const uint8_t zeros[sizeof got];

    open_disk(MIB, 0, NULL);
    for (int way = 0; way < 3; way++) {
        fill(bytes, sizeof bytes, 5);
        ok(vsdk_disk_write(disk, 0, bytes, sizeof bytes, E));
        if (way == 2)
            ok(vsdk_disk_discard(disk, 4 * SECTOR, 8 * SECTOR, E));
        else
            ok(vsdk_disk_write_zeroes(disk, 4 * SECTOR, 8 * SECTOR, way ? VSDK_DISK_MAY_UNMAP : 0,
                                      E));
        ok(vsdk_disk_read(disk, 0, got, sizeof got, E));
        cr_assert(!memcmp(got, bytes, 4 * SECTOR));
        cr_assert(!memcmp(got + 12 * SECTOR, bytes + 12 * SECTOR, 4 * SECTOR));
        cr_assert(!memcmp(got + 4 * SECTOR, zeros, 8 * SECTOR));
    }
    uint64_t before = info_of(disk).allocated;
    static uint8_t much[MIB];
    fill(much, sizeof much, 1);
    ok(vsdk_disk_write(disk, 0, much, sizeof much, E));
    cr_assert_gt(info_of(disk).allocated, before + MIB / 2);
    ok(vsdk_disk_discard(disk, 0, MIB, E));
    cr_assert_lt(info_of(disk).allocated, MIB / 2);
}

Test(disk, refusals_name_what_is_wrong)
{
    uint8_t bytes[2 * SECTOR];

    open_disk(MIB, 0, NULL);
    fails(RANGE, vsdk_disk_read(disk, MIB, bytes, SECTOR, E));
    fails(RANGE, vsdk_disk_read(disk, MIB - SECTOR, bytes, 2 * SECTOR, E));
    fails(RANGE, vsdk_disk_write(disk, UINT64_MAX - 511, bytes, SECTOR, E));
    fails(RANGE, vsdk_disk_discard(disk, MIB, SECTOR, E));
    fails(RANGE, vsdk_disk_write_zeroes(disk, SECTOR, UINT64_MAX - 511, 0, E));
    fails(INVALID_ARGUMENT, vsdk_disk_read(disk, 1, bytes, SECTOR, E));
    fails(INVALID_ARGUMENT, vsdk_disk_read(disk, 0, bytes, 100, E));
    fails(INVALID_ARGUMENT, vsdk_disk_write_zeroes(disk, 0, SECTOR, 2, E));
    fails(INVALID_ARGUMENT, vsdk_disk_read(disk, 0, NULL, SECTOR, E));
    ok(vsdk_disk_read(disk, 0, NULL, 0, E));
    cr_assert_eq(truncate(path, 100 * SECTOR), 0);
    fails(FORMAT, vsdk_disk_read(disk, 200 * SECTOR, bytes, SECTOR, E));
    cr_assert(strstr(last.message, "ends at") && strstr(last.message, path), "%s", last.message);
}

Test(disk, read_only_stays_as_it_is)
{
    uint8_t bytes[SECTOR] = {0};

    open_disk(MIB, VSDK_DISK_READ_ONLY, NULL);
    cr_assert_eq(info_of(disk).flags, VSDK_DISK_READ_ONLY);
    fails(PERMISSION, vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    fails(PERMISSION, vsdk_disk_discard(disk, 0, SECTOR, E));
    fails(PERMISSION, vsdk_disk_write_zeroes(disk, 0, SECTOR, 0, E));
    fails(PERMISSION, vsdk_disk_resize(disk, 2 * MIB, E));
    ok(vsdk_disk_flush(disk, E));
    ok(vsdk_disk_read(disk, 0, bytes, SECTOR, E));
}

Test(disk, a_descriptor_says_what_it_is_for)
{
    vsdk_disk_config config = config_of(0);
    uint8_t bytes[SECTOR] = {0};
    int ends[2];

    make_file(MIB);
    config.path = NULL;
    config.descriptor = open(path, O_RDONLY);
    ok(vsdk_disk_open(&config, &disk, E));
    close(config.descriptor);
    cr_assert_eq(info_of(disk).flags, VSDK_DISK_READ_ONLY);
    cr_assert_null(info_of(disk).path);
    ok(vsdk_disk_read(disk, 0, bytes, SECTOR, E));
    fails(PERMISSION, vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    vsdk_disk_close(disk);
    disk = NULL;
    cr_assert_eq(pipe(ends), 0);
    config.descriptor = ends[0];
    fails(INVALID_ARGUMENT, vsdk_disk_open(&config, &disk, E));
    config.descriptor = 999;
    fails(INVALID_ARGUMENT, vsdk_disk_open(&config, &disk, E));
    config.descriptor = 0;
    fails(INVALID_ARGUMENT, vsdk_disk_open(&config, &disk, E));
    config.descriptor = open(path, O_WRONLY);
    fails(INVALID_ARGUMENT, vsdk_disk_open(&config, &disk, E));
    close(config.descriptor);
    close(ends[0]);
    close(ends[1]);
}

Test(disk, an_odd_length_is_filled_up)
{
    uint8_t bytes[2 * SECTOR], got[2 * SECTOR];
    struct stat status;

    open_disk(SECTOR + 100, 0, NULL);
    cr_assert_eq(info_of(disk).capacity, 2 * SECTOR);
    memset(got, 1, sizeof got);
    ok(vsdk_disk_read(disk, 0, got, sizeof got, E));
    cr_assert_eq(got[SECTOR + 100], 0);
    fill(bytes, sizeof bytes, 1);
    ok(vsdk_disk_write(disk, SECTOR, bytes, SECTOR, E));
    cr_assert(!stat(path, &status) && status.st_size == 2 * SECTOR);
    ok(vsdk_disk_read(disk, SECTOR, got, SECTOR, E));
    cr_assert(!memcmp(bytes, got, SECTOR));
}

/* Requests */
typedef struct answers {
    _Atomic unsigned count, released;
    vsdk_disk_channel *channel;
    vsdk_disk_request *again; /* submitted by the callback, as often as `times` */
    unsigned times, depth, deepest;
    int drains;
    vsdk_status drained;
} answers;

static void done(void *user, vsdk_disk_request *request)
{
    answers *a = user;
    vsdk_disk_request *again = a->again;

    if (++a->depth > a->deepest)
        a->deepest = a->depth;
    if (a->drains)
        a->drained = vsdk_disk_drain(a->channel, VSDK_FOREVER, NULL);
    if (again && a->times) {
        a->times--;
        ok(vsdk_disk_submit(a->channel, &again, 1, E));
    }
    a->depth--;
    a->count++;
}

static void released(void *user)
{
    ((answers *)user)->released++;
}

static vsdk_disk_request request_of(vsdk_disk_operation operation, uint64_t offset,
                                    const vsdk_disk_buffer *buffers, uint32_t count)
{
    return (vsdk_disk_request){
        .operation = operation, .offset = offset, .buffers = buffers, .count = count, .status = 99};
}

Test(disk, requests_without_a_pool_are_done_by_who_submits)
{
    uint8_t bytes[3 * SECTOR], got[3 * SECTOR];
    vsdk_error error;
    answers a = {0};

    open_disk(MIB, 0, NULL);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    fill(bytes, sizeof bytes, 9);
    vsdk_disk_buffer out[3] = {{bytes, 100}, {bytes + 100, 0}, {bytes + 100, 3 * SECTOR - 100}};
    vsdk_disk_buffer in[2] = {{got, SECTOR + 1}, {got + SECTOR + 1, 2 * SECTOR - 1}};
    vsdk_disk_request r[4] = {
        request_of(VSDK_DISK_WRITE, SECTOR, out, 3), request_of(VSDK_DISK_FLUSH, 0, NULL, 0),
        request_of(VSDK_DISK_READ, SECTOR, in, 2), request_of(VSDK_DISK_READ, MIB, in, 2)};
    r[3].error = &error;
    vsdk_disk_request *list[4] = {&r[0], &r[1], &r[2], &r[3]};
    ok(vsdk_disk_submit(a.channel, list, 4, E));
    cr_assert_eq(a.count, 4);
    cr_assert(!r[0].status && !r[1].status && !r[2].status);
    cr_assert(r[3].status == VSDK_ERROR_RANGE && error.code == VSDK_ERROR_RANGE);
    cr_assert(!memcmp(bytes, got, sizeof got));
    ok(vsdk_disk_drain(a.channel, 0, E));
    vsdk_disk_channel_close(a.channel);
    cr_assert_eq(a.released, 1);
}

/* The last sector is not whole in the file: pieces end where the file ends, before, behind. */
Test(disk, an_odd_end_is_read_in_pieces)
{
    uint8_t got[2 * SECTOR];
    answers a = {0};

    open_disk(SECTOR + 488, 0, NULL);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    for (uint32_t cut = 1; cut < SECTOR; cut++) {
        vsdk_disk_buffer in[3] = {
            {got, SECTOR}, {got + SECTOR, cut}, {got + SECTOR + cut, SECTOR - cut}};
        vsdk_disk_request whole = request_of(VSDK_DISK_READ, 0, in, 3),
                          sector = request_of(VSDK_DISK_READ, SECTOR, in + 1, 2);
        vsdk_disk_request *list[2] = {&whole, &sector};
        memset(got, 1, sizeof got);
        ok(vsdk_disk_submit(a.channel, list, 2, E));
        cr_assert(!whole.status && !sector.status, "%u: %d %d", cut, whole.status, sector.status);
        for (int i = 0; i < 2 * SECTOR; i++)
            cr_assert_eq(got[i], 0);
    }
    vsdk_disk_channel_close(a.channel);
}

Test(disk, a_request_from_its_own_callback_does_not_nest)
{
    uint8_t bytes[SECTOR];
    vsdk_disk_buffer buffer = {bytes, SECTOR};
    vsdk_disk_request r = request_of(VSDK_DISK_READ, 0, &buffer, 1), *list = &r;
    answers a = {.again = &r, .times = 100000, .drains = 1};

    open_disk(MIB, 0, NULL);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    ok(vsdk_disk_submit(a.channel, &list, 1, E));
    cr_assert_eq(a.count, 100001);
    cr_assert_eq(a.deepest, 1);
    cr_assert_eq(a.drained, VSDK_ERROR_BUSY);
    vsdk_disk_channel_close(a.channel);
}

Test(disk, requests_are_checked_one_by_one)
{
    uint8_t bytes[SECTOR];
    vsdk_disk_buffer whole = {bytes, SECTOR}, wraps[2] = {{bytes, UINT64_MAX}, {bytes, 513}};
    vsdk_disk_buffer none = {NULL, SECTOR};
    const struct {
        vsdk_disk_request request;
        vsdk_status want;
    } bad[] = {
        {request_of(0, 0, &whole, 1), VSDK_ERROR_INVALID_ARGUMENT},
        {request_of(6, 0, &whole, 1), VSDK_ERROR_INVALID_ARGUMENT},
        {request_of(VSDK_DISK_READ, 0, wraps, 2), VSDK_ERROR_INVALID_ARGUMENT},
        {request_of(VSDK_DISK_READ, 0, &none, 1), VSDK_ERROR_INVALID_ARGUMENT},
        {request_of(VSDK_DISK_READ, 0, NULL, 1), VSDK_ERROR_INVALID_ARGUMENT},
        {request_of(VSDK_DISK_READ, 0, &whole, 1025), VSDK_ERROR_INVALID_ARGUMENT},
        {request_of(VSDK_DISK_READ, 3, &whole, 1), VSDK_ERROR_INVALID_ARGUMENT},
        {request_of(VSDK_DISK_WRITE, MIB, &whole, 1), VSDK_ERROR_RANGE},
        {request_of(VSDK_DISK_READ, 7 * SECTOR, NULL, 0), VSDK_OK},
    };
    answers a = {0};

    open_disk(MIB, 0, NULL);
    ok(vsdk_disk_channel_create(disk, done, &a, NULL, &a.channel, E));
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        vsdk_disk_request r = bad[i].request, *list = &r;
        ok(vsdk_disk_submit(a.channel, &list, 1, E));
        cr_assert_eq(r.status, bad[i].want, "request %u: %d", i, r.status);
    }
    vsdk_disk_request *null = NULL;
    fails(INVALID_ARGUMENT, vsdk_disk_submit(a.channel, &null, 1, E));
    fails(INVALID_ARGUMENT, vsdk_disk_submit(a.channel, NULL, 1, E));
    vsdk_disk_channel_close(a.channel);
}

static vsdk_pool *pool_of(uint32_t threads)
{
    vsdk_pool_config config = {.size = sizeof config, .threads = threads};
    vsdk_pool *pool;

    ok(vsdk_pool_create(&config, &pool, E));
    return pool;
}

/* Random writes of one stripe each by several threads of a pool; then the file is what they wrote.
 */
Test(disk, a_pool_does_them_all)
{
    enum { REQUESTS = 256, EACH = 8 * SECTOR };
    static uint8_t bytes[REQUESTS][EACH], got[EACH];
    static vsdk_disk_request r[REQUESTS], *list[REQUESTS];
    static vsdk_disk_buffer buffers[REQUESTS];
    vsdk_pool *pool = pool_of(3);
    answers a = {0};

    open_disk(4 * MIB, 0, pool);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < REQUESTS; i++) {
            fill(bytes[i], EACH, i + (unsigned)round);
            buffers[i] = (vsdk_disk_buffer){bytes[i], EACH};
            r[i] = request_of(VSDK_DISK_WRITE, (uint64_t)i * EACH, &buffers[i], 1);
            list[i] = &r[i];
        }
        for (unsigned i = 0; i < REQUESTS; i += 32)
            ok(vsdk_disk_submit(a.channel, list + i, 32, E));
        ok(vsdk_disk_drain(a.channel, VSDK_FOREVER, E));
        cr_assert_eq(a.count, REQUESTS * (unsigned)(round + 1));
        cr_assert_eq(info_of(disk).in_flight, 0);
        for (unsigned i = 0; i < REQUESTS; i++) {
            cr_assert_eq(r[i].status, VSDK_OK);
            ok(vsdk_disk_read(disk, (uint64_t)i * EACH, got, EACH, E));
            cr_assert(!memcmp(got, bytes[i], EACH));
        }
    }
    vsdk_disk_channel_close(a.channel);
    cr_assert_eq(a.released, 1);
    vsdk_pool_close(pool);
}

/* A disk of the embedder's that can be held in the middle of a read. */
typedef struct slow {
    sem_t began, goes_on;
    _Atomic unsigned reads, writes, flushes, discards, zeros, releases;
    _Atomic int held;
    uint8_t bytes[64 * SECTOR];
    vsdk_status answer;
    uint64_t resized, seen;
} slow;

static vsdk_status slow_read(void *user, uint64_t offset, void *buffer, uint64_t length,
                             vsdk_error *error)
{
    slow *s = user;

    s->reads++;
    if (s->held) {
        sem_post(&s->began);
        sem_wait(&s->goes_on);
    }
    memcpy(buffer, s->bytes + offset, length);
    return s->answer;
}

static vsdk_status slow_write(void *user, uint64_t offset, const void *buffer, uint64_t length,
                              vsdk_error *error)
{
    slow *s = user;

    s->writes++;
    memcpy(s->bytes + offset, buffer, length);
    return s->answer;
}

static vsdk_status slow_flush(void *user, vsdk_error *error)
{
    ((slow *)user)->flushes++;
    return ((slow *)user)->answer;
}

static vsdk_status slow_discard(void *user, uint64_t offset, uint64_t length,
                                vsdk_disk_request_flags flags, vsdk_error *error)
{
    ((slow *)user)->discards++;
    return ((slow *)user)->answer;
}

static vsdk_status slow_zeros(void *user, uint64_t offset, uint64_t length,
                              vsdk_disk_request_flags flags, vsdk_error *error)
{
    ((slow *)user)->zeros += 1 + flags;
    return ((slow *)user)->answer;
}

static vsdk_status slow_resize(void *user, uint64_t capacity, vsdk_error *error)
{
    slow *s = user;

    s->resized = capacity;
    s->seen = info_of(disk).capacity; /* who looks does not wait for who resizes */
    return s->answer;
}

static void slow_release(void *user)
{
    ((slow *)user)->releases++;
}

static slow s;

static vsdk_disk_ops ops_of(void)
{
    return (vsdk_disk_ops){.size = sizeof(vsdk_disk_ops),
                           .read = slow_read,
                           .write = slow_write,
                           .flush = slow_flush,
                           .discard = slow_discard,
                           .write_zeroes = slow_zeros,
                           .resize = slow_resize,
                           .release = slow_release};
}

static void make_slow(const vsdk_disk_ops *ops, vsdk_pool *pool)
{
    vsdk_disk_custom config = {.size = sizeof config,
                               .capacity = sizeof s.bytes,
                               .pool = pool,
                               .workers = 2,
                               .block_size = 4096};

    memset(&s, 0, sizeof s);
    sem_init(&s.began, 0, 0);
    sem_init(&s.goes_on, 0, 0);
    ok(vsdk_disk_create(ops, &s, &config, &disk, E));
}

Test(disk, an_embedders_disk_is_asked)
{
    vsdk_disk_ops ops = ops_of();
    uint8_t bytes[SECTOR] = {7};

    make_slow(&ops, NULL);
    vsdk_disk_info info = info_of(disk);
    cr_assert(info.format == VSDK_DISK_CUSTOM && info.block_size == 4096 && !info.allocated);
    ok(vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    ok(vsdk_disk_read(disk, 0, bytes, SECTOR, E));
    ok(vsdk_disk_flush(disk, E));
    ok(vsdk_disk_discard(disk, 0, SECTOR, E));
    ok(vsdk_disk_write_zeroes(disk, 0, SECTOR, VSDK_DISK_MAY_UNMAP, E));
    uint64_t before = info_of(disk).capacity;
    ok(vsdk_disk_resize(disk, 8 * SECTOR, E));
    cr_assert_eq(s.seen, before);
    cr_assert(s.writes == 1 && s.reads == 1 && s.flushes == 1 && s.discards == 1 && s.zeros == 2);
    cr_assert(s.resized == 8 * SECTOR && info_of(disk).capacity == 8 * SECTOR);
    fails(RANGE, vsdk_disk_read(disk, 8 * SECTOR, bytes, SECTOR, E));
    vsdk_disk_report report = {.size = sizeof report};
    fails(UNSUPPORTED, vsdk_disk_check(disk, 0, &report, E));
    s.answer = VSDK_ERROR_NOT_FOUND;
    fails(SYSTEM, vsdk_disk_read(disk, 0, bytes, SECTOR, E));
    fails(SYSTEM, vsdk_disk_write(disk, 0, bytes, SECTOR, E));
    fails(SYSTEM, vsdk_disk_flush(disk, E));
    fails(SYSTEM, vsdk_disk_discard(disk, 0, SECTOR, E));
    fails(SYSTEM, vsdk_disk_write_zeroes(disk, 0, SECTOR, 0, E));
    fails(SYSTEM, vsdk_disk_resize(disk, SECTOR, E));
    cr_assert_eq(info_of(disk).capacity, 8 * SECTOR);
    vsdk_disk_close(disk);
    disk = NULL;
    cr_assert_eq(s.releases, 1);
}

Test(disk, an_embedders_disk_may_lack_most)
{
    vsdk_disk_ops ops = {.size = sizeof ops, .read = slow_read, .write = slow_write};
    uint8_t bytes[2 * SECTOR];

    make_slow(&ops, NULL);
    memset(s.bytes, 1, sizeof s.bytes);
    ok(vsdk_disk_flush(disk, E));
    ok(vsdk_disk_discard(disk, 0, SECTOR, E));
    ok(vsdk_disk_write_zeroes(disk, 0, SECTOR, 0, E));
    ok(vsdk_disk_read(disk, 0, bytes, sizeof bytes, E));
    cr_assert(!bytes[0] && !bytes[SECTOR - 1] && bytes[SECTOR] == 1);
    fails(UNSUPPORTED, vsdk_disk_resize(disk, SECTOR, E));
    vsdk_disk_close(disk);
    ops.write = NULL;
    make_slow(&ops, NULL);
    cr_assert_eq(info_of(disk).flags, VSDK_DISK_READ_ONLY);
    fails(PERMISSION, vsdk_disk_write(disk, 0, bytes, SECTOR, E));
}

/* One worker is held in a read: a drain with an end gives up, and one without does by itself what
 * nobody has begun. */
Test(disk, a_drain_does_what_waits)
{
    vsdk_disk_ops ops = ops_of();
    vsdk_pool *pool = pool_of(1);
    uint8_t bytes[4][SECTOR];
    vsdk_disk_buffer buffers[4];
    vsdk_disk_request r[4], *list[4];
    answers a = {0}, other = {0};

    make_slow(&ops, pool);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    ok(vsdk_disk_channel_create(disk, done, &other, released, &other.channel, E));
    for (int i = 0; i < 4; i++) {
        buffers[i] = (vsdk_disk_buffer){bytes[i], SECTOR};
        r[i] = request_of(VSDK_DISK_READ, (uint64_t)i * SECTOR, &buffers[i], 1);
        list[i] = &r[i];
    }
    s.held = 1;
    ok(vsdk_disk_submit(other.channel, list, 1, E));
    sem_wait(&s.began);
    s.held = 0;
    ok(vsdk_disk_submit(a.channel, list + 1, 3, E));
    fails(TIMEOUT, vsdk_disk_drain(other.channel, 0, E));
    fails(TIMEOUT, vsdk_disk_drain(other.channel, 1000000, E));
    ok(vsdk_disk_drain(a.channel, VSDK_FOREVER, E));
    cr_assert(a.count == 3 && other.count == 0 && info_of(disk).in_flight == 1);
    /* The channel and the disk are closed with the request under way. */
    vsdk_disk_channel_close(other.channel);
    vsdk_disk_channel_close(a.channel);
    vsdk_disk_close(disk);
    disk = NULL;
    cr_assert(a.released == 1 && !other.released && !s.releases);
    sem_post(&s.goes_on);
    ok(vsdk_pool_stop(pool, E));
    cr_assert(other.count == 1 && other.released == 1 && s.releases == 1);
    vsdk_pool_close(pool);
}

Test(disk, a_stopped_pool_leaves_it_to_the_drain)
{
    vsdk_disk_ops ops = ops_of();
    vsdk_pool *pool = pool_of(2);
    uint8_t bytes[SECTOR];
    vsdk_disk_buffer buffer = {bytes, SECTOR};
    vsdk_disk_request r = request_of(VSDK_DISK_READ, 0, &buffer, 1), *list = &r;
    answers a = {0};

    make_slow(&ops, pool);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    ok(vsdk_pool_stop(pool, E));
    ok(vsdk_disk_submit(a.channel, &list, 1, E));
    cr_assert_eq(a.count, 0);
    ok(vsdk_disk_drain(a.channel, VSDK_FOREVER, E));
    cr_assert_eq(a.count, 1);
    vsdk_disk_channel_close(a.channel);
    vsdk_disk_close(disk);
    disk = NULL;
    cr_assert(a.released == 1 && s.releases == 1);
    vsdk_disk_custom config = {.size = sizeof config, .capacity = SECTOR, .pool = pool};
    fails(INVALID_ARGUMENT, vsdk_disk_create(&ops, &s, &config, &disk, E));
    cr_assert_eq(s.releases, 2);
    vsdk_pool_close(pool);
}

/* Nobody would do it: the memory of disk and request must come back all the same. */
Test(disk, a_closed_channel_gives_back_what_nobody_began)
{
    vsdk_disk_ops ops = ops_of();
    vsdk_pool *pool = pool_of(1);
    uint8_t bytes[SECTOR];
    vsdk_disk_buffer buffer = {bytes, SECTOR};
    vsdk_disk_request r = request_of(VSDK_DISK_READ, 0, &buffer, 1), *list = &r;
    answers a = {0};

    make_slow(&ops, pool);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    ok(vsdk_pool_stop(pool, E));
    ok(vsdk_disk_submit(a.channel, &list, 1, E));
    vsdk_disk_channel_close(a.channel);
    cr_assert(a.count == 1 && a.released == 1 && r.status == VSDK_ERROR_STATE && !s.reads);
    vsdk_pool_close(pool);
}

/* A pool outlives its disks: what they had of it is gone with them. */
Test(disk, a_disk_takes_its_loops_away)
{
    vsdk_pool *pool = pool_of(2);
    char name[64];
    int before = 0, after = 0;

    for (int round = 0; round < 3; round++) {
        vsdk_disk_custom config = {.size = sizeof config, .capacity = MIB, .pool = pool};
        ok(vsdk_disk_create_memory(&config, &disk, E));
        vsdk_disk_close(disk);
        disk = NULL;
        int count = 0;
        for (int fd = 0; fd < 200; fd++) {
            snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
            count += access(name, F_OK) == 0;
        }
        before = round ? before : count;
        after = count;
    }
    cr_assert_eq(before, after);
    vsdk_pool_close(pool);
}

/* Resizing */
static unsigned told, told_released;
static uint64_t told_capacity;

static void resized(void *user, vsdk_disk *of, uint64_t capacity)
{
    cr_assert(of == disk && user == &told);
    told++;
    told_capacity = capacity;
}

static void told_release(void *user)
{
    told_released++;
}

Test(disk, a_watch_is_told_of_each_capacity)
{
    vsdk_disk_watch *one, *two;
    uint8_t bytes[SECTOR] = {1};
    struct stat status;

    told = told_released = 0;
    open_disk(MIB, 0, NULL);
    ok(vsdk_disk_watch_create(disk, resized, &told, told_release, &one, E));
    ok(vsdk_disk_watch_create(disk, resized, &told, told_release, &two, E));
    ok(vsdk_disk_resize(disk, 2 * MIB, E));
    cr_assert(told == 2 && told_capacity == 2 * MIB);
    cr_assert(!stat(path, &status) && status.st_size == 2 * MIB);
    ok(vsdk_disk_write(disk, 2 * MIB - SECTOR, bytes, SECTOR, E));
    ok(vsdk_disk_resize(disk, 2 * MIB, E));
    cr_assert_eq(told, 2);
    vsdk_disk_watch_close(one);
    cr_assert_eq(told_released, 1);
    ok(vsdk_disk_resize(disk, SECTOR, E));
    cr_assert(told == 3 && told_capacity == SECTOR);
    fails(INVALID_ARGUMENT, vsdk_disk_resize(disk, 0, E));
    fails(INVALID_ARGUMENT, vsdk_disk_resize(disk, 100, E));
    vsdk_disk_watch_close(two);
    cr_assert_eq(told_released, 2);
}

/* A resize comes alone: it waits for the read, and what comes later sees the new end. */
static void *resizes(void *argument)
{
    vsdk_status *status = argument;

    *status = vsdk_disk_resize(disk, 2 * SECTOR, NULL);
    return NULL;
}

Test(disk, a_resize_waits_for_what_is_under_way)
{
    vsdk_disk_ops ops = ops_of();
    vsdk_pool *pool = pool_of(1);
    uint8_t bytes[SECTOR];
    vsdk_disk_buffer buffer = {bytes, SECTOR};
    vsdk_disk_request r = request_of(VSDK_DISK_READ, 8 * SECTOR, &buffer, 1), *list = &r;
    answers a = {0};
    vsdk_status status = 99;
    pthread_t thread;

    make_slow(&ops, pool);
    ok(vsdk_disk_channel_create(disk, done, &a, released, &a.channel, E));
    s.held = 1;
    ok(vsdk_disk_submit(a.channel, &list, 1, E));
    sem_wait(&s.began);
    pthread_create(&thread, NULL, resizes, &status);
    usleep(10000);
    cr_assert_eq(s.resized, 0);
    s.held = 0;
    sem_post(&s.goes_on);
    pthread_join(thread, NULL);
    cr_assert(!status && s.resized == 2 * SECTOR);
    ok(vsdk_disk_drain(a.channel, VSDK_FOREVER, E));
    cr_assert_eq(r.status, VSDK_OK);
    vsdk_disk_channel_close(a.channel);
    vsdk_pool_close(pool);
}

Test(disk, memory_is_a_disk)
{
    vsdk_disk_custom config = {.size = sizeof config, .capacity = MIB, .block_size = 4096};
    uint8_t bytes[SECTOR], got[SECTOR];

    ok(vsdk_disk_create_memory(&config, &disk, E));
    cr_assert_eq(info_of(disk).format, VSDK_DISK_MEMORY);
    fill(bytes, SECTOR, 1);
    ok(vsdk_disk_write(disk, MIB - SECTOR, bytes, SECTOR, E));
    ok(vsdk_disk_resize(disk, 2 * MIB, E));
    ok(vsdk_disk_read(disk, MIB - SECTOR, got, SECTOR, E));
    cr_assert(!memcmp(bytes, got, SECTOR));
    ok(vsdk_disk_flush(disk, E));
}

Test(disk, a_new_raw_image)
{
    vsdk_disk_image image = {
        .size = sizeof image, .path = path, .format = VSDK_DISK_RAW, .capacity = MIB};
    vsdk_disk_config config = config_of(0);
    struct stat status;

    ok(vsdk_disk_create_image(&image, E));
    fails(EXISTS, vsdk_disk_create_image(&image, E));
    config.format = VSDK_DISK_AUTO;
    ok(vsdk_disk_open(&config, &disk, E));
    cr_assert(info_of(disk).format == VSDK_DISK_RAW && info_of(disk).capacity == MIB);
    unlink(path);
    image.backing = "other";
    image.backing_format = VSDK_DISK_RAW;
    fails(UNSUPPORTED, vsdk_disk_create_image(&image, E));
    cr_assert(stat(path, &status), "what could not be finished is there");
    image.backing = NULL;
    image.flags = VSDK_DISK_PREALLOCATE;
    ok(vsdk_disk_create_image(&image, E));
    cr_assert(!stat(path, &status) && status.st_blocks * 512 >= MIB);
}

/* Locks */
Test(disk, two_writers_are_one_too_many)
{
    vsdk_disk_config config = config_of(0);
    vsdk_disk *other;

    open_disk(MIB, 0, NULL);
    fails(BUSY, vsdk_disk_open(&config, &other, E));
    config.flags = VSDK_DISK_READ_ONLY;
    fails(BUSY, vsdk_disk_open(&config, &other, E));
    config.flags = VSDK_DISK_NO_LOCK;
    ok(vsdk_disk_open(&config, &other, E));
    vsdk_disk_close(other);
    fails(BUSY, (config.flags = 0, vsdk_disk_open(&config, &other, E)));
    vsdk_disk_close(disk);
    config.flags = VSDK_DISK_READ_ONLY;
    ok(vsdk_disk_open(&config, &disk, E));
    ok(vsdk_disk_open(&config, &other, E));
    vsdk_disk_close(other);
    config.flags = 0;
    fails(BUSY, vsdk_disk_open(&config, &other, E));
}

/* 0 if it could do it. */
static int qemu(const char *command, const char *size)
{
    char line[256];

    snprintf(line, sizeof line, "%s %s %s > /dev/null 2>&1", command, path, size);
    return WEXITSTATUS(system(line));
}

/* Who reads a raw image lets others write it, in QEMU. */
Test(disk, qemu_respects_our_locks)
{
    vsdk_disk_config config = config_of(VSDK_DISK_READ_ONLY);
    static const char write[] = "qemu-io -f raw -c 'write 0 512'",
                      resize[] = "qemu-img resize -f raw";

    if (system("command -v qemu-io > /dev/null 2>&1"))
        cr_skip_test("qemu-io is missing");
    open_disk(MIB, 0, NULL);
    cr_assert(qemu(write, ""));
    cr_assert(qemu(resize, "2M"));
    cr_assert(!qemu("qemu-img info -f raw", ""));
    vsdk_disk_close(disk);
    cr_assert(!qemu(write, ""));
    cr_assert(!qemu(resize, "2M"));
    ok(vsdk_disk_open(&config, &disk, E));
    cr_assert_eq(info_of(disk).capacity, 2 * MIB);
    cr_assert(!qemu("qemu-img info -f raw", ""));
    cr_assert(qemu(write, ""));
    cr_assert(qemu(resize, "3M"));
}

/* It sleeps with the image open. */
static pid_t start_qemu(void)
{
    pid_t child = fork();

    if (child)
        return child;
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    execlp("qemu-io", "qemu-io", "-f", "raw", "-c", "sleep 100000", path, NULL);
    _exit(1);
}

Test(disk, we_respect_qemus_locks)
{
    vsdk_disk_config config = config_of(0);
    vsdk_status status;

    if (system("command -v qemu-io > /dev/null 2>&1"))
        cr_skip_test("qemu-io is missing");
    make_file(MIB);
    pid_t child = start_qemu();
    while (!(status = vsdk_disk_open(&config, &disk, E))) {
        vsdk_disk_close(disk);
        usleep(10000);
    }
    disk = NULL;
    cr_assert_eq(status, VSDK_ERROR_BUSY);
    cr_assert(strstr(last.message, path) && last.hint[0], "%s", last.message);
    config.flags = VSDK_DISK_READ_ONLY;
    fails(BUSY, vsdk_disk_open(&config, &disk, E));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ok(vsdk_disk_open(&config, &disk, E));
}
