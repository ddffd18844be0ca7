/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzing the packets of the socket device: the input becomes packets, buffers, what programs of
 * the host and the embedder do, resets and pauses, on a virtual machine of the mock. The rings are
 * kept by the rules; tests/unit/virtio.c and other targets break those.
 *
 * What must hold: nothing crashes, leaks or grows, every packet comes back, and what the device
 * sends has a known operation, the guest's address and no more bytes than the buffer. */
#include "base/sys.h"
#include "core/object.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum {
    MEMORY = 1 << 20,
    MMIO = 0xd0000000,
    SIZE = 16,
    RINGS = 0x1000,
    RING_STEP = 0x1000,
    PACKETS = 0x10000,
    PACKET_STEP = 0x2000,
    BUFFERS = 0x80000,
    FDS = 8,
    STEPS_MOST = 2000
};

struct header {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, length;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));

struct input {
    const uint8_t *bytes;
    size_t left;
};

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_vcpu *vcpu;
static vsdk_device *device;
static uint8_t *memory;
static uint16_t added[3], seen[3];
static int fds[FDS];
static unsigned fd_count;
static uint32_t ports[16]; /* of the host's, as the device named them */
static unsigned port_count;
static char path[64];

static void demand(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static uint8_t take8(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->bytes++;
}

static uint32_t take32(struct input *in)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 8 | take8(in);
    return value;
}

static void reach(uint32_t offset, uint32_t value)
{
    vsdk_exit exit = {.reason = VSDK_EXIT_MMIO,
                      .address = MMIO + offset,
                      .value = value,
                      .count = 1,
                      .width = 4,
                      .direction = VSDK_DIRECTION_WRITE};

    exit.data = (uintptr_t)&exit.value;
    vcpu->element = 0;
    bus_access(vm, vcpu, &exit);
}

static uint64_t ring_at(unsigned queue)
{
    return RINGS + RING_STEP * queue;
}

static uint16_t *avail(unsigned queue)
{
    return (uint16_t *)(memory + ring_at(queue) + 0x200);
}

static uint16_t *used(unsigned queue)
{
    return (uint16_t *)(memory + ring_at(queue) + 0x400);
}

static void driver_begins(void)
{
    static const uint32_t begin[][2] = {{0x70, 0}, {0x70, 1}, {0x70, 3}, {0x24, 0},
                                        {0x20, 1}, {0x24, 1}, {0x20, 1}, {0x70, 11}};

    for (unsigned i = 0; i < sizeof begin / sizeof *begin; i++)
        reach(begin[i][0], begin[i][1]);
    for (unsigned q = 0; q < 3; q++) {
        memset(memory + ring_at(q), 0, RING_STEP);
        added[q] = seen[q] = 0;
        reach(0x30, q);
        reach(0x38, SIZE);
        reach(0x80, (uint32_t)ring_at(q));
        reach(0x90, (uint32_t)ring_at(q) + 0x200);
        reach(0xa0, (uint32_t)ring_at(q) + 0x400);
        reach(0x44, 1);
    }
    reach(0x70, 15);
    port_count = 0;
}

/* A chain of one or two buffers at the next place, if there is room. */
static void add(unsigned queue, uint64_t gpa, uint32_t first, uint32_t second, int writable)
{
    uint16_t at = added[queue] % (SIZE / 2) * 2;
    struct {
        uint64_t gpa;
        uint32_t length;
        uint16_t flags, next;
    } d[2] = {{gpa, first, (uint16_t)(second ? 1 : 0), (uint16_t)(at + 1)},
              {gpa + first, second, 0, 0}};

    if ((uint16_t)(added[queue] - seen[queue]) >= SIZE / 2)
        return;
    d[0].flags |= (uint16_t)(writable ? 2 : 0);
    d[1].flags |= (uint16_t)(writable ? 2 : 0);
    memcpy(memory + ring_at(queue) + 16 * at, d, sizeof d);
    avail(queue)[2 + added[queue] % SIZE] = at;
    avail(queue)[1] = ++added[queue];
    reach(0x50, queue);
}

static void look(void)
{
    for (; seen[0] != used(0)[1]; seen[0]++) {
        const uint32_t *entry = (const uint32_t *)(used(0) + 2) + 2 * (seen[0] % SIZE);
        struct header h;
        uint64_t gpa;
        memcpy(&gpa, memory + ring_at(0) + 16 * entry[0], sizeof gpa);
        if (!entry[1] || gpa >= MEMORY)
            continue;
        memcpy(&h, memory + gpa, sizeof h);
        demand(entry[1] == sizeof h + h.length, "a packet is as long as it says");
        demand(h.op >= 1 && h.op <= 7 && h.dst_cid == 3, "a packet is one");
        if (h.op == 1)
            ports[port_count++ % 16] = h.src_port;
    }
    seen[1] = used(1)[1];
    seen[2] = used(2)[1];
}

static void dispatch(void)
{
    uint32_t count;

    for (int i = 0; i < 100; i++)
        if (vsdk_loop_dispatch(vsdk_vm_loop(vm, NULL), 0, &count, NULL) || !count)
            break;
    look();
}

static void keep(int fd)
{
    if (fd_count == FDS)
        close(fds[--fd_count]);
    fds[fd_count++] = fd;
}

/* Few values each, so that packets meet the connections of others. */
static void packet(struct input *in)
{
    uint8_t shape = take8(in), which = take8(in);
    uint64_t at = PACKETS + PACKET_STEP * (added[1] % (SIZE / 2));
    struct header h = {.src_cid = shape & 0x80 && shape & 0x40 ? 4 : 3,
                       .dst_cid = shape & 0x80 && shape & 0x20 ? 7 : 2,
                       .src_port = which & 3,
                       .dst_port = which & 4 ? ports[which >> 4] : 5u + (which >> 3 & 1),
                       .type = shape & 0x80 && shape & 0x10 ? 2 : 1,
                       .op = shape & 0xf,
                       .flags = which >> 4,
                       .buf_alloc = take8(in) * 64u,
                       .fwd_cnt = take8(in) * 16u};
    uint32_t bytes = take8(in) * 24u;

    if (h.op == 1 || h.op == 5)
        h.flags = 0;
    h.length = h.op == 5 ? bytes : 0;
    if (shape == 0xff)
        h.length = take32(in);
    memcpy(memory + at, &h, sizeof h);
    memset(memory + at + sizeof h, which, bytes);
    add(1, at, shape == 0xfe ? bytes % sizeof h + 1 : sizeof h, shape == 0xfe ? 0 : bytes, 0);
}

/* A program of the host, where there is a path. */
static int program(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void host_side(struct input *in)
{
    uint8_t what = take8(in), bytes[512];
    int fd = fd_count ? fds[what % fd_count] : -1;
    int32_t made;

    memset(bytes, what, sizeof bytes);
    switch (what >> 4) {
    case 0:
    case 1:
        if (!vsdk_virtio_vsock_accept(device, 5, &made, NULL, NULL))
            keep(made);
        break;
    case 2:
        if (!vsdk_virtio_vsock_connect(device, what & 3, &made, NULL))
            keep(made);
        break;
    case 3:
    case 4:
    case 5:
        send(fd, bytes, take8(in) * 2u, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 6:
    case 7:
    case 8:
        recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        break;
    case 9:
        shutdown(fd, what & 1 ? SHUT_WR : SHUT_RD);
        break;
    case 10:
        if (fd_count)
            close(fds[--fd_count]);
        break;
    case 11:
        vsdk_virtio_vsock_unlisten(device, 5, NULL);
        break;
    case 12:
        vsdk_virtio_vsock_listen(device, 5, 1 + (what & 3), NULL);
        break;
    case 13:
        made = program();
        if (made >= 0)
            keep(made);
        break;
    case 14:
        send(fd, what & 1 ? "CONNECT 2\n" : "CONNECT ", what & 1 ? 10 : 8,
             MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    default:
        send(fd, what & 1 ? "3\n" : "33333333", what & 1 ? 2 : 8, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    }
}

static void move(void)
{
    static uint8_t state[1 << 16];
    uint64_t length;

    demand(!vsdk_vm_pause(vm, 0, VSDK_FOREVER, NULL), "a pause");
    if (!vsdk_device_save(device, state, sizeof state, &length, NULL))
        demand(!vsdk_device_load(device, state, length, NULL), "a state of its own is loaded");
    demand(!vsdk_vm_resume(vm, NULL), "a resume");
}

static void step(struct input *in)
{
    uint8_t what = take8(in);

    switch (what & 15) {
    default:
        packet(in);
        break;
    case 8:
    case 9:
    case 10:
        host_side(in);
        break;
    case 11:
        for (int i = 0; i <= what >> 4; i++)
            add(0, BUFFERS + 0x1000 * (added[0] % (SIZE / 2)), 44, 0xf00, 1);
        break;
    case 12:
        add(0, BUFFERS + 0x1000 * (added[0] % (SIZE / 2)), 1 + take8(in), take8(in), 1);
        break;
    case 13:
        add(2, RINGS - 0x100, 4, 0, 1);
        break;
    case 14:
        if (what >> 4 >= 14)
            driver_begins();
        break;
    case 15:
        if (what >> 4 == 15)
            move();
        else
            dispatch();
        break;
    }
}

/* How patient it is, and whether programs of the host come, is the input's first byte. */
static void make(uint8_t how)
{
    vsdk_virtio_vsock_config config = {.size = sizeof config,
                                .cid = 3,
                                .connections = 12,
                                .buffer = 4096,
                                .path = how & 1 ? path : NULL,
                                .timeout_ns = how & 2};
    vsdk_virtio_place place = {.size = sizeof place, .address = MMIO, .gsi = 5};
    vsdk_ram *ram = NULL;

    demand(!vsdk_host_open("mock", NULL, &host, NULL) && !vsdk_vm_create(host, NULL, &vm, NULL) &&
               !vsdk_vcpu_create(vm, 0, NULL, &vcpu, NULL) &&
               !vsdk_ram_create(vm, MEMORY, NULL, &ram, NULL) &&
               !vsdk_vm_map(vm, 0, ram, 0, MEMORY, 0, NULL) &&
               !vsdk_virtio_vsock_create(vm, &config, &device, NULL) &&
               !vsdk_virtio_attach(device, &place, NULL) && !vsdk_vm_resume(vm, NULL) &&
               !vsdk_virtio_vsock_listen(device, 5, 4, NULL),
           "a machine is made");
    memory = vsdk_ram_data(ram);
    vsdk_ram_close(ram);
    vsdk_loop_dispatch(vsdk_vm_loop(vm, NULL), 0, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input in = {bytes, length};

    snprintf(path, sizeof path, "/tmp/vsdk-fuzz-vsock-%d", (int)getpid());
    unlink(path); /* of one that crashed */
    make(take8(&in));
    driver_begins();
    for (int i = 0; in.left && i < STEPS_MOST; i++)
        step(&in);
    dispatch();
    while (fd_count)
        close(fds[--fd_count]);
    vsdk_virtio_detach(device, NULL);
    vsdk_device_close(device);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return 0;
}
