/* SPDX-License-Identifier: Apache-2.0 */
/* A shared folder by its public functions, and the file system device with a driver that a guest
 * has. tests/unit/share.c has what each request does. */
#include "common.h"
#include "driver.h"
#include "fuse.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RINGS = 0x40000, BYTES = 0x50000, LINES = 24 };

#define VERSION_1 (UINT64_C(1) << 32)
#define ROOT FUSE_ROOT_ID

static char top[64];
static struct machine m;
static struct driver d;
static struct fuse f;
static vsdk_share *share;
static vsdk_device *device;

static const char *at(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static void put_file(const char *name, const char *text)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void make_folder(void)
{
    strcpy(top, "/tmp/vsdk-conf-XXXXXX");
    cr_assert(mkdtemp(top) != NULL);
    put_file("file", "hello");
}

static vsdk_share_config config_of(void)
{
    return (vsdk_share_config){.size = sizeof(vsdk_share_config), .path = top};
}

static void setup_share(void)
{
    vsdk_share_config config = config_of();

    make_folder();
    config.path = top;
    ok(vsdk_share_open(&config, &share, E));
}

static int take(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static void teardown_share(void)
{
    vsdk_share_close(share);
    nftw(top, take, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(share, .init = setup_share, .fini = teardown_share);

Test(share, opening_refuses)
{
    vsdk_share_ids one[] = {{.guest = 0, .host = 1000, .count = 10},
                            {.guest = 9, .host = 5000, .count = 1}};
    vsdk_share_config config = config_of();
    vsdk_share *made;

    fails(INVALID_ARGUMENT, vsdk_share_open(NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, NULL, E));
    config.flags = 1 << 30;
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    config = config_of();
    config.reserved[3] = 1;
    fails(UNSUPPORTED, vsdk_share_open(&config, &made, E));
    config = config_of();
    config.reserved0 = 1;
    fails(UNSUPPORTED, vsdk_share_open(&config, &made, E));
    config = config_of();
    config.path = at("none");
    fails(NOT_FOUND, vsdk_share_open(&config, &made, E));
    cr_assert(strstr(test_error.message, "/none"));
    config.path = at("file");
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    cr_assert(!symlink("loop", at("loop")));
    config.path = at("loop");
    fails(SYSTEM, vsdk_share_open(&config, &made, E));
    config.path = NULL;
    config.descriptor = -1;
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    config = config_of();
    config.inodes_max = 1 << 25;
    fails(LIMIT, vsdk_share_open(&config, &made, E));
    config = config_of();
    config.files_max = 1 << 25;
    fails(LIMIT, vsdk_share_open(&config, &made, E));
    config = config_of();
    config.descriptors_max = 1 << 25;
    fails(LIMIT, vsdk_share_open(&config, &made, E));
    config = config_of();
    config.users = one;
    config.user_count = 1;
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    config.groups = one;
    config.group_count = 2; /* 9 is in both */
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    config.group_count = 33;
    fails(LIMIT, vsdk_share_open(&config, &made, E));
    config.group_count = 1;
    config.flags = VSDK_SHARE_SQUASH;
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    config.flags = 0;
    one[0].count = 0;
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    one[0].count = UINT32_MAX;
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    config.groups = NULL;
    fails(INVALID_ARGUMENT, vsdk_share_open(&config, &made, E));
    cr_assert(made == NULL);
}

/* The rights by which this thread opens files. */
Test(share, a_folder_that_may_not_be_read)
{
    vsdk_share_config config = config_of();
    vsdk_share *made;

    if (geteuid())
        skip(NULL, "not root's");
    setfsuid(65534);
    fails(PERMISSION, vsdk_share_open(&config, &made, E));
    setfsuid(0);
    ok(vsdk_share_open(&config, &made, E));
    vsdk_share_close(made);
}

Test(share, needs_descriptors)
{
    vsdk_share_config config = config_of();
    struct rlimit limit;
    vsdk_share *made;
    int next = dup(0);

    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    for (int more = 0; more < 3; more++) {
        limit.rlim_cur = (rlim_t)(next + more);
        setrlimit(RLIMIT_NOFILE, &limit);
        vsdk_status status = vsdk_share_open(&config, &made, E);
        limit.rlim_cur = before;
        setrlimit(RLIMIT_NOFILE, &limit);
        cr_assert_eq(status, VSDK_ERROR_LIMIT, "%d: %s", more, test_error.message);
    }
}

/* By its path, by a descriptor to read, by one that only names it. */
Test(share, a_folder_by_its_descriptor)
{
    const int flags[] = {O_RDONLY | O_DIRECTORY, O_PATH};

    for (unsigned i = 0; i < 2; i++) {
        vsdk_share_config config = config_of();
        vsdk_share *made;
        config.path = NULL;
        config.descriptor = open(top, flags[i]);
        ok(vsdk_share_open(&config, &made, E));
        close(config.descriptor);
        cr_assert_eq(fuse_begin(&f, made), 0);
        cr_assert_eq(fuse_lookup(&f, ROOT, "file", NULL), 0);
        vsdk_share_close(made);
    }
}

Test(share, requests)
{
    struct fuse_in_header head = {.len = sizeof head, .opcode = FUSE_STATFS, .nodeid = ROOT};
    uint8_t reply[128];
    vsdk_share_buffer in = {&head, sizeof head}, out = {reply, sizeof reply};
    uint64_t written = 1;

    fails(INVALID_ARGUMENT, vsdk_share_request(NULL, &in, 1, &out, 1, &written, E));
    fails(INVALID_ARGUMENT, vsdk_share_request(share, NULL, 1, &out, 1, &written, E));
    fails(INVALID_ARGUMENT, vsdk_share_request(share, &in, 1, NULL, 1, &written, E));
    fails(INVALID_ARGUMENT, vsdk_share_request(share, &in, 1, &out, 1, NULL, E));
    fails(FORMAT, vsdk_share_request(share, &in, 0, &out, 1, &written, E));
    fails(FORMAT, vsdk_share_request(share, &in, 1, NULL, 0, &written, E));
    cr_assert_eq(written, 0);
    ok(vsdk_share_request(share, &in, 1, &out, 1, &written, E));
    cr_assert(written == 16 && ((struct fuse_out_header *)reply)->error == -EIO);
    fails(INVALID_ARGUMENT, vsdk_share_reset(NULL, E));
    ok(vsdk_share_reset(share, E));
    cr_assert(vsdk_share_ref(share) == share && !vsdk_share_ref(NULL));
    vsdk_share_close(share);
    ok(vsdk_share_request(share, &in, 1, &out, 1, &written, E));
}

static void setup_device(void)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};
    vsdk_virtio_fs_config config = {.size = sizeof config, .tag = "work"};

    setup_share();
    config.share = share;
    machine_make(&m);
    ok(vsdk_irq_controller_attach(m.vm, 0, LINES, no_line, NULL, NULL, E));
    ok(vsdk_virtio_fs_create(m.vm, &config, &device, E));
    ok(vsdk_virtio_attach(device, &place, E));
}

static void teardown_device(void)
{
    vsdk_device_close(device);
    machine_end(&m);
    teardown_share();
}

TestSuite(fs, .init = setup_device, .fini = teardown_device);

/* The guest waits for a command between these calls. */
static uint32_t poke_read(uint32_t offset)
{
    return machine_peek(&m, DRIVER_MMIO + offset);
}

static void poke_write(uint32_t offset, uint32_t value)
{
    machine_poke(&m, DRIVER_MMIO + offset, value);
}

static void begin(void)
{
    d = (struct driver){.read = poke_read, .write = poke_write, .memory = m.memory};
    machine_start(&m, &guest_poke, NULL);
    run_to_read(&m, PORT_IN);
    cr_assert(driver_negotiate(&d, VERSION_1));
    driver_queue(&d, 1, 16, RINGS, 0);
    driver_ok(&d);
    dispatch_all(m.vm);
}

/* A request of this length at BYTES, its answer behind it in two pieces; how long it was. */
static uint32_t request(uint32_t length, uint32_t room)
{
    driver_buffer b[4] = {{BYTES, 40, 0},
                          {BYTES + 40, length - 40, 0},
                          {BYTES + 0x2000, 16, 1},
                          {BYTES + 0x2010, room, 1}};
    driver_buffer bare[3] = {b[0], b[2], b[3]};
    uint32_t id, written = 0;

    cr_assert_geq(driver_add(&d, length > 40 ? b : bare, length > 40 ? 4 : 3, 0), 0);
    driver_kick(&d, 1);
    dispatch_all(m.vm);
    cr_assert(driver_take(&d, &id, &written));
    return written;
}

static int call(uint32_t opcode, uint64_t node, const void *args, uint32_t length)
{
    struct fuse_in_header head = {
        .len = 40 + length, .opcode = opcode, .unique = 7, .nodeid = node};
    struct fuse_out_header out;

    memcpy(m.memory + BYTES, &head, 40);
    if (length)
        memcpy(m.memory + BYTES + 40, args, length);
    uint32_t written = request(40 + length, 0x4000);
    memcpy(&out, m.memory + BYTES + 0x2000, sizeof out);
    cr_assert(written == out.len && out.unique == 7);
    return -out.error;
}

static const void *body(void)
{
    return m.memory + BYTES + 0x2010;
}

static uint64_t open_file(void)
{
    struct fuse_init_in init = {.major = 7, .minor = 31};
    struct fuse_open_in in = {.flags = O_RDWR};

    cr_assert_eq(call(FUSE_INIT, 0, &init, sizeof init), 0);
    cr_assert_eq(call(FUSE_LOOKUP, ROOT, "file", 5), 0);
    uint64_t node = ((const struct fuse_entry_out *)body())->nodeid;
    cr_assert_eq(call(FUSE_OPEN, node, &in, sizeof in), 0);
    return node;
}

static int read_all(uint64_t node, uint64_t file)
{
    struct fuse_read_in in = {.fh = file, .size = 100};

    return call(FUSE_READ, node, &in, sizeof in);
}

Test(fs, tells_its_tag_and_its_queues)
{
    uint8_t space[40];

    ok(vsdk_virtio_get_space(device, 0, space, sizeof space, E));
    cr_assert(!memcmp(space, "work\0\0", 6) && space[36] == 1 && !space[37]);
    cr_assert(vsdk_virtio_queue_device(device, 1) && !vsdk_virtio_queue_device(device, 2));
}

Test(fs, a_guest_reads_and_writes)
{
    struct {
        struct fuse_write_in in;
        char bytes[6];
    } write_in = {.in = {.offset = 5, .size = 6}, .bytes = " world"};

    begin();
    uint64_t node = open_file(), file = ((const struct fuse_open_out *)body())->fh;
    cr_assert_eq(read_all(node, file), 0);
    cr_assert(!memcmp(body(), "hello", 5));
    write_in.in.fh = file;
    cr_assert_eq(call(FUSE_WRITE, node, &write_in, sizeof write_in.in + 6), 0);
    cr_assert_eq(read_all(node, file), 0);
    cr_assert(!memcmp(body(), "hello world", 11));
    cr_assert_eq(call(FUSE_LOOKUP, ROOT, "..", 3), EINVAL);
    cr_assert_eq(call(200, ROOT, NULL, 0), ENOSYS);
}

/* What is no request is given back empty, and the device goes on. */
Test(fs, a_guest_that_sends_anything)
{
    struct fuse_in_header head = {.len = 4096, .opcode = FUSE_LOOKUP, .nodeid = ROOT};
    uint32_t id, written;

    begin();
    uint64_t node = open_file(), file = ((const struct fuse_open_out *)body())->fh;
    driver_buffer shorter[2] = {{BYTES, 39, 0}, {BYTES + 0x2000, 100, 1}};
    cr_assert_geq(driver_add(&d, shorter, 2, 0), 0);
    driver_buffer none[1] = {{BYTES + 0x2000, 100, 1}};
    cr_assert_geq(driver_add(&d, none, 1, 0), 0);
    driver_buffer mute[1] = {{BYTES, 40, 0}};
    memcpy(m.memory + BYTES, &head, sizeof head);
    cr_assert_geq(driver_add(&d, mute, 1, 0), 0);
    driver_buffer nowhere[2] = {{BYTES, 40, 0}, {UINT64_C(1) << 40, 100, 1}};
    cr_assert_geq(driver_add(&d, nowhere, 2, 0), 0);
    driver_buffer unread[2] = {{UINT64_C(1) << 40, 40, 0}, {BYTES + 0x2000, 100, 1}};
    cr_assert_geq(driver_add(&d, unread, 2, 0), 0);
    driver_kick(&d, 5);
    dispatch_all(m.vm);
    for (unsigned i = 0; i < 5; i++)
        cr_assert(driver_take(&d, &id, &written) && written == 0, "%u", i);
    memcpy(m.memory + BYTES, &head, sizeof head); /* longer than the chain */
    cr_assert_eq(request(50, 100), 16);
    cr_assert_eq(((const struct fuse_out_header *)(m.memory + BYTES + 0x2000))->error, -EINVAL);
    cr_assert_eq(read_all(node, file), 0);
}

Test(fs, a_reset_ends_the_session)
{
    begin();
    uint64_t node = open_file(), file = ((const struct fuse_open_out *)body())->fh;
    cr_assert(driver_negotiate(&d, VERSION_1));
    driver_queue(&d, 1, 16, RINGS, 0);
    driver_ok(&d);
    cr_assert_eq(read_all(node, file), EIO);
    /* As a new one, whose numbers are its own. */
    uint64_t again = open_file();
    cr_assert_eq(read_all(again, ((const struct fuse_open_out *)body())->fh), 0);
}

static uint8_t state[1 << 16];

/* Saved with a file open, and loaded by another device on the same folder. */
Test(fs, is_saved_and_loaded)
{
    vsdk_share_config folder = config_of();
    vsdk_virtio_fs_config config = {.size = sizeof config, .tag = "work"};
    vsdk_device *other;
    uint64_t needed;

    begin();
    uint64_t node = open_file(), file = ((const struct fuse_open_out *)body())->fh;
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_PARK, VSDK_FOREVER, E));
    ok(vsdk_device_save(device, state, sizeof state, &needed, E));
    ok(vsdk_share_open(&folder, &config.share, E));
    ok(vsdk_virtio_fs_create(m.vm, &config, &other, E));
    ok(vsdk_device_load(other, state, needed, E));
    f = (struct fuse){.share = config.share};
    cr_assert_eq(fuse_read(&f, node, file, 0, 100), 0);
    cr_assert(f.length == 5 && !memcmp(f.body, "hello", 5));
    vsdk_device_close(other);
    vsdk_share_close(config.share);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(read_all(node, file), 0);
}

/* In a device of the embedder's own: the writer and the reader are of its callbacks. */
static vsdk_status own_save(void *user, vsdk_device *of, vsdk_state_writer *writer,
                            vsdk_error *error)
{
    (void)user, (void)of, (void)error;
    fails(INVALID_ARGUMENT, vsdk_share_save(NULL, writer, E));
    fails(INVALID_ARGUMENT, vsdk_share_save(share, NULL, E));
    ok(vsdk_share_save(share, writer, E));
    fails(EXISTS, vsdk_share_save(share, writer, E));
    return VSDK_OK;
}

static vsdk_status own_load(void *user, vsdk_device *of, vsdk_state_reader *reader,
                            vsdk_error *error)
{
    (void)user, (void)of, (void)error;
    fails(INVALID_ARGUMENT, vsdk_share_load(NULL, reader, E));
    fails(INVALID_ARGUMENT, vsdk_share_load(share, NULL, E));
    ok(vsdk_share_load(share, reader, E));
    return VSDK_OK;
}

static vsdk_status bare_save(void *user, vsdk_device *of, vsdk_state_writer *writer,
                             vsdk_error *error)
{
    (void)user, (void)of, (void)writer, (void)error;
    return VSDK_OK;
}

static vsdk_status bare_load(void *user, vsdk_device *of, vsdk_state_reader *reader,
                             vsdk_error *error)
{
    (void)user, (void)of, (void)error;
    fails(FORMAT, vsdk_share_load(share, reader, E));
    return VSDK_OK;
}

Test(fs, a_session_in_a_device_of_ones_own)
{
    static const vsdk_device_ops own = {.size = sizeof own, .save = own_save, .load = own_load};
    static const vsdk_device_ops bare = {.size = sizeof bare, .save = bare_save, .load = bare_load};
    vsdk_device *made = make_device(m.vm, &own, NULL, 0);
    uint64_t needed;

    ok(vsdk_device_save(made, state, sizeof state, &needed, E));
    ok(vsdk_device_load(made, state, needed, E));
    vsdk_device_close(made);
    made = make_device(m.vm, &bare, NULL, 0);
    ok(vsdk_device_save(made, state, sizeof state, &needed, E));
    ok(vsdk_device_load(made, state, needed, E));
    vsdk_device_close(made);
}

Test(fs, creation_refuses)
{
    vsdk_virtio_fs_config config = {.size = sizeof config, .tag = "t", .share = share};
    vsdk_device *made;

    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(NULL, &config, &made, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, &config, NULL, E));
    config.flags = 1;
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.flags = 0;
    config.tag = "";
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.tag = "1234567890123456789012345678901234567";
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.tag = NULL;
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.tag = "123456789012345678901234567890123456";
    config.share = NULL;
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.share = share;
    config.queues = 17;
    fails(INVALID_ARGUMENT, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.queues = 16;
    config.reserved[0] = 1;
    fails(UNSUPPORTED, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.reserved[0] = 0;
    config.reserved0 = 1;
    fails(UNSUPPORTED, vsdk_virtio_fs_create(m.vm, &config, &made, E));
    config.reserved0 = 0;
    ok(vsdk_virtio_fs_create(m.vm, &config, &made, E));
    cr_assert(vsdk_virtio_queue_device(made, 16) != NULL);
    vsdk_device_close(made);
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_virtio_fs_create(m.vm, &config, &made, E));
}
