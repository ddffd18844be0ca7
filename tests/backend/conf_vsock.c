/* SPDX-License-Identifier: Apache-2.0 */
/* The socket device as a guest and an embedder meet it on each backend: what each function refuses,
 * and bytes both ways through rings in the guest's memory. tests/unit/vsock.c has what needs no
 * guest. */
#include "common.h"
#include "driver.h"
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RINGS = 0x40000, BYTES = 0x50000, LINES = 24, PORT = 5, NO_PORT = -1 };

static struct machine m;
static struct driver rx, tx;
static vsdk_device *device;
static char path[64];

static uint32_t poke_read(uint32_t offset)
{
    return machine_peek(&m, DRIVER_MMIO + offset);
}

static void poke_write(uint32_t offset, uint32_t value)
{
    machine_poke(&m, DRIVER_MMIO + offset, value);
}

static vsdk_virtio_vsock_config config_of(void)
{
    return (vsdk_virtio_vsock_config){
        .size = sizeof(vsdk_virtio_vsock_config), .cid = 3, .path = path, .connections = 2};
}

static void setup(void)
{
    vsdk_virtio_vsock_config config = config_of();

    snprintf(path, sizeof path, "/tmp/vsdk-conf-vsock-%d", getpid());
    unlink(path);
    machine_make(&m);
    ok(vsdk_irq_controller_attach(m.vm, 0, LINES, no_line, NULL, NULL, E));
    ok(vsdk_virtio_vsock_create(m.vm, &config, &device, E));
}

static void teardown(void)
{
    vsdk_device_close(device);
    machine_end(&m);
}

TestSuite(vsock, .init = setup, .fini = teardown);

static vsdk_status create(const vsdk_virtio_vsock_config *config)
{
    vsdk_device *made;
    vsdk_status status = vsdk_virtio_vsock_create(m.vm, config, &made, E);

    cr_assert_eq(!status, made != NULL);
    vsdk_device_close(made);
    return status;
}

Test(vsock, creation_refuses)
{
    char long_path[98] = "/tmp/";
    vsdk_virtio_vsock_config config = config_of();

    memset(long_path + 5, 'x', 92);
    fails(EXISTS, create(&config));
#define REFUSED(code, field, bad)                                                                  \
    do {                                                                                           \
        vsdk_virtio_vsock_config wrong = {.size = sizeof wrong, .cid = 3};                         \
        wrong.field = bad;                                                                         \
        fails(code, create(&wrong));                                                               \
    } while (0)
    REFUSED(INVALID_ARGUMENT, flags, 1);
    REFUSED(INVALID_ARGUMENT, cid, 2);
    REFUSED(INVALID_ARGUMENT, cid, UINT32_MAX);
    REFUSED(INVALID_ARGUMENT, path, "");
    REFUSED(INVALID_ARGUMENT, path, long_path);
    REFUSED(INVALID_ARGUMENT, connections, 65537);
    REFUSED(INVALID_ARGUMENT, buffer, 4095);
    REFUSED(INVALID_ARGUMENT, buffer, (4 << 20) + 1);
    REFUSED(INVALID_ARGUMENT, timeout_ns, VSDK_FOREVER);
    REFUSED(UNSUPPORTED, reserved[4], 1);
    REFUSED(NOT_FOUND, path, "/nowhere/at-all");
    REFUSED(PERMISSION, path, "/sys/vsdk-vsock");
    ok(create(&(vsdk_virtio_vsock_config){.size = sizeof config, .cid = 3}));
}

/* No further descriptor while `limit` is set. */
static void limit_descriptors(struct rlimit *before)
{
    int next = dup(0);
    struct rlimit none;

    cr_assert(next > 0 && getrlimit(RLIMIT_NOFILE, before) == 0);
    close(next);
    none = (struct rlimit){(rlim_t)next, before->rlim_max};
    cr_assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
}

Test(vsock, descriptors_run_out)
{
    vsdk_virtio_vsock_config config = config_of();
    char other[80];
    struct rlimit before;
    int32_t fd;

    snprintf(other, sizeof other, "%s-other", path);
    config.path = other;
    limit_descriptors(&before);
    vsdk_status made = create(&config), listens = vsdk_virtio_vsock_listen(device, PORT, 0, E),
                connects = vsdk_virtio_vsock_connect(device, PORT, &fd, E);
    cr_assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
    cr_assert(made == VSDK_ERROR_LIMIT && listens == VSDK_ERROR_LIMIT &&
              connects == VSDK_ERROR_LIMIT && fd == -1);
    ok(create(&config));
    ok(vsdk_virtio_vsock_listen(device, PORT, 0, E));
}

Test(vsock, ports_are_listened_at)
{
    uint32_t peer = 1;
    int32_t fd = 1;

    cr_assert_eq(vsdk_virtio_vsock_descriptor(device, PORT), -1);
    fails(NOT_FOUND, vsdk_virtio_vsock_accept(device, PORT, &fd, &peer, E));
    cr_assert(fd == -1 && peer == 0);
    fails(NOT_FOUND, vsdk_virtio_vsock_unlisten(device, PORT, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_vsock_listen(device, (uint32_t)NO_PORT, 0, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_vsock_listen(device, PORT, 4097, E));
    ok(vsdk_virtio_vsock_listen(device, PORT, 4096, E));
    fails(EXISTS, vsdk_virtio_vsock_listen(device, PORT, 0, E));
    ok(vsdk_virtio_vsock_listen(device, PORT + 1, 0, E));
    cr_assert_geq(vsdk_virtio_vsock_descriptor(device, PORT), 3);
    fails(NOT_FOUND, vsdk_virtio_vsock_accept(device, PORT, &fd, NULL, E));
    ok(vsdk_virtio_vsock_unlisten(device, PORT, E));
    cr_assert_eq(vsdk_virtio_vsock_descriptor(device, PORT), -1);
    cr_assert_geq(vsdk_virtio_vsock_descriptor(device, PORT + 1), 3);
}

Test(vsock, other_devices_are_refused)
{
    static const vsdk_virtio_ops ops = {.size = sizeof ops};
    vsdk_virtio_config config = {.size = sizeof config, .type = 42, .queues = 1};
    vsdk_device *other;
    int32_t fd;

    ok(vsdk_virtio_create(m.vm, &ops, NULL, &config, &other, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_vsock_listen(other, PORT, 0, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_vsock_unlisten(other, PORT, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_vsock_accept(other, PORT, &fd, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_vsock_connect(other, PORT, &fd, E));
    cr_assert_eq(vsdk_virtio_vsock_descriptor(other, PORT), -1);
    vsdk_device_close(other);
}

Test(vsock, so_many_connections)
{
    int32_t fds[3];
    char byte;

    ok(vsdk_virtio_vsock_connect(device, PORT, &fds[0], E));
    ok(vsdk_virtio_vsock_connect(device, PORT, &fds[1], E));
    fails(LIMIT, vsdk_virtio_vsock_connect(device, PORT, &fds[2], E));
    cr_assert_eq(fds[2], -1);
    vsdk_device_close(device);
    device = NULL;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(recv(fds[i], &byte, 1, MSG_DONTWAIT), 0, "it ends with its device");
        close(fds[i]);
    }
    cr_assert(access(path, F_OK) != 0);
}

Test(vsock, is_gone_with_its_machine)
{
    vsdk_virtio_vsock_config config = config_of();
    vsdk_device *other = device;
    int32_t fd;

    ok(vsdk_vm_destroy(m.vm, E));
    config.path = NULL;
    fails(GONE, vsdk_virtio_vsock_create(m.vm, &config, &other, E));
    cr_assert(!other);
    fails(GONE, vsdk_virtio_vsock_connect(device, PORT, &fd, E));
    cr_assert_str_eq(E->operation, "vsdk_virtio_vsock_connect");
}

struct packet {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, length;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
    char bytes[20];
} __attribute__((packed));

/* The guest sends one, and answers with what comes. */
static struct packet exchange(uint16_t op, const char *bytes, int comes)
{
    struct packet p = {.src_cid = 3,
                       .dst_cid = 2,
                       .src_port = 9,
                       .dst_port = PORT,
                       .type = 1,
                       .op = op,
                       .length = (uint32_t)strlen(bytes),
                       .buf_alloc = 1000};
    driver_buffer out = {BYTES, 44 + p.length, 0}, in = {BYTES + 0x1000, 64, 1};
    uint32_t id, length;

    memcpy(p.bytes, bytes, p.length);
    memcpy(m.memory + BYTES, &p, sizeof p);
    cr_assert_geq(driver_add(&tx, &out, 1, 0), 0);
    driver_kick(&tx, 1);
    cr_assert_geq(driver_add(&rx, &in, 1, 0), 0);
    driver_kick(&rx, 1);
    dispatch_all(m.vm);
    cr_assert(driver_take(&tx, &id, &length));
    cr_assert_eq(driver_take(&rx, &id, &length), comes);
    memcpy(&p, m.memory + BYTES + 0x1000, sizeof p);
    return p;
}

Test(vsock, bytes_go_both_ways)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = DRIVER_MMIO, .gsi = DRIVER_GSI};
    char text[16];
    uint32_t peer;
    int32_t fd;

    ok(vsdk_virtio_attach(device, &place, E));
    ok(vsdk_virtio_vsock_listen(device, PORT, 0, E));
    machine_start(&m, &guest_poke, NULL);
    run_to_read(&m, PORT_IN);
    dispatch_all(m.vm);
    tx = rx = (struct driver){.read = poke_read, .write = poke_write, .memory = m.memory};
    cr_assert_eq(driver_read(&tx, 8), 19);
    cr_assert_eq(driver_read(&tx, 0x100), 3);
    cr_assert(driver_negotiate(&tx, UINT64_C(1) << 32 | 1));
    driver_queue(&rx, 0, 16, RINGS, 0);
    driver_queue(&tx, 1, 16, RINGS + 0x1000, 0);
    driver_ok(&tx);
    dispatch_all(m.vm);
    cr_assert_eq(exchange(1, "", 1).op, 2, "a response to the request");
    ok(vsdk_virtio_vsock_accept(device, PORT, &fd, &peer, E));
    cr_assert_eq(peer, 9);
    cr_assert_eq(send(fd, "to the guest", 12, 0), 12);
    struct packet p = exchange(5, "to the host", 1);
    cr_assert(p.op == 5 && p.length == 12 && !memcmp(p.bytes, "to the guest", 12));
    cr_assert(recv(fd, text, sizeof text, 0) == 11 && !memcmp(text, "to the host", 11));
    cr_assert_eq(exchange(3, "", 0).dst_port, 9);
    cr_assert_eq(recv(fd, text, sizeof text, 0), 0);
    close(fd);
}
