/* SPDX-License-Identifier: Apache-2.0 */
/* Each operation is done and undone, so that the number of what is there stays the same:
 *
 *   pause    pause and resume with n devices
 *   map      one more slot of a page with n slots, and away again; raw: KVM's own call
 *   watch    one more watch with n watches, and closed again; raw: epoll's own call
 *   attach   one more device with a range, with n such devices, and detached again */
#include "scale.h"
#include "series.h"
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

enum { PAGE = 4096, STRIDE = 2 * PAGE }; /* a gap after each, so that nothing can be merged */
#define DEVICES UINT64_C(0x100000000)

typedef struct many {
    size_t n;
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_ram *ram;
    vsdk_device **devices;
    vsdk_loop *loop;
    vsdk_watch **watches;
    int *descriptors; /* n + 1 */
    int kvm, raw_vm, epoll;
    char *raw_memory;
} many;

typedef struct operation {
    const char *name;
    void (*fill)(many *c);
    void (*once)(many *c);
    void (*raw_fill)(many *c);
    void (*raw_once)(many *c);
} operation;

static vsdk_error error;

static void must(vsdk_status status)
{
    if (status == VSDK_OK)
        return;
    fprintf(stderr, "%s: %s %s\n", error.operation, error.message, error.hint);
    exit(1);
}

static void must_be(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static void *room(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);
    must_be(memory != NULL, "memory");
    return memory;
}

/* Devices. */

static vsdk_device *attach(many *c, size_t index)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device;
    must(vsdk_device_create(c->vm, &ops, NULL, NULL, &device, &error));
    must(vsdk_device_add_range(device, VSDK_SPACE_MMIO, DEVICES + index * STRIDE, 8, 0, &error));
    return device;
}

static void fill_devices(many *c)
{
    c->devices = room(c->n, sizeof *c->devices);
    for (size_t i = 0; i < c->n; i++)
        c->devices[i] = attach(c, i);
}

static void attach_once(many *c)
{
    vsdk_device *device = attach(c, c->n);
    must(vsdk_device_detach(device, &error));
    vsdk_device_close(device);
}

static void fill_running(many *c)
{
    fill_devices(c);
    must(vsdk_vcpu_create(c->vm, 0, NULL, &c->vcpu, &error));
    must(vsdk_vm_resume(c->vm, &error));
}

static void pause_once(many *c)
{
    must(vsdk_vm_pause(c->vm, 0, VSDK_FOREVER, &error));
    must(vsdk_vm_resume(c->vm, &error));
}

/* Slots. */

static void fill_slots(many *c)
{
    must(vsdk_ram_create(c->vm, (c->n + 1) * PAGE, NULL, &c->ram, &error));
    for (size_t i = 0; i < c->n; i++)
        must(vsdk_vm_map(c->vm, i * STRIDE, c->ram, i * PAGE, PAGE, 0, &error));
}

static void map_once(many *c)
{
    must(vsdk_vm_map(c->vm, c->n * STRIDE, c->ram, c->n * PAGE, PAGE, 0, &error));
    must(vsdk_vm_unmap(c->vm, c->n * STRIDE, PAGE, &error));
}

static void raw_slot(many *c, size_t index, size_t bytes)
{
    struct kvm_userspace_memory_region region = {.slot = (uint32_t)index,
                                                 .guest_phys_addr = index * STRIDE,
                                                 .memory_size = bytes,
                                                 .userspace_addr =
                                                     (uintptr_t)c->raw_memory + index * PAGE};
    must_be(ioctl(c->raw_vm, KVM_SET_USER_MEMORY_REGION, &region) == 0, "a slot");
}

static void raw_fill_slots(many *c)
{
    c->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    must_be(c->kvm >= 0, "/dev/kvm");
    c->raw_vm = ioctl(c->kvm, KVM_CREATE_VM, 0);
    must_be(c->raw_vm >= 0, "KVM_CREATE_VM");
    c->raw_memory = mmap(NULL, (c->n + 1) * PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must_be(c->raw_memory != MAP_FAILED, "memory");
    for (size_t i = 0; i < c->n; i++)
        raw_slot(c, i, PAGE);
}

static void raw_map_once(many *c)
{
    raw_slot(c, c->n, PAGE);
    raw_slot(c, c->n, 0);
}

/* Watches. */

static void ready(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)user, (void)watch, (void)descriptor, (void)events;
}

static vsdk_watch *watch(many *c, size_t index)
{
    vsdk_watch *made;
    must(vsdk_watch_create(c->loop, NULL, c->descriptors[index], VSDK_LOOP_READ, ready, NULL, NULL,
                           &made, &error));
    return made;
}

/* The library keeps a descriptor of its own for each watch. */
static void open_descriptors(many *c)
{
    struct rlimit limit;
    must_be(getrlimit(RLIMIT_NOFILE, &limit) == 0, "limits");
    limit.rlim_cur = limit.rlim_max;
    must_be(setrlimit(RLIMIT_NOFILE, &limit) == 0, "limits");
    c->descriptors = room(c->n, sizeof *c->descriptors);
    for (size_t i = 0; i <= c->n; i++) {
        c->descriptors[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        must_be(c->descriptors[i] >= 0, "descriptors");
    }
}

static void fill_watches(many *c)
{
    open_descriptors(c);
    must(vsdk_loop_create(&c->loop, &error));
    c->watches = room(c->n, sizeof *c->watches);
    for (size_t i = 0; i < c->n; i++)
        c->watches[i] = watch(c, i);
}

static void watch_once(many *c)
{
    vsdk_watch_close(watch(c, c->n));
}

static void raw_watch(many *c, size_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
    must_be(epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->descriptors[index], &event) == 0, "a watch");
}

static void raw_fill_watches(many *c)
{
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    must_be(c->epoll >= 0, "epoll");
    for (size_t i = 0; i < c->n; i++)
        raw_watch(c, i);
}

static void raw_watch_once(many *c)
{
    raw_watch(c, c->n);
    must_be(epoll_ctl(c->epoll, EPOLL_CTL_DEL, c->descriptors[c->n], NULL) == 0, "a watch");
}

static const operation operations[] = {
    {"pause", fill_running, pause_once, NULL, NULL},
    {"map", fill_slots, map_once, raw_fill_slots, raw_map_once},
    {"watch", fill_watches, watch_once, raw_fill_watches, raw_watch_once},
    {"attach", fill_devices, attach_once, NULL, NULL},
};

static const operation *operation_called(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

static void open_many(many *c, const operation *op, const char *backend, size_t n)
{
    const vsdk_vm_config config = {.size = sizeof config, .memory_max = (n + 1) * STRIDE};
    *c = (many){.n = n};
    must(vsdk_host_open(backend, NULL, &c->host, &error));
    must(vsdk_vm_create(c->host, &config, &c->vm, &error));
    op->fill(c);
}

/* What is made here lives to the end of the process, but for what has a thread inside. */
static void close_many(many *c)
{
    for (size_t i = 0; c->watches && i < c->n; i++)
        vsdk_watch_close(c->watches[i]);
    vsdk_loop_close(c->loop);
    for (size_t i = 0; c->devices && i < c->n; i++)
        vsdk_device_close(c->devices[i]);
    vsdk_ram_close(c->ram);
    vsdk_vcpu_close(c->vcpu);
    must(vsdk_vm_destroy(c->vm, &error));
    vsdk_vm_close(c->vm);
    vsdk_host_close(c->host);
}

static double best_of(void (*once)(many *c), many *c, size_t rounds)
{
    double best = 0;
    for (size_t i = 0; i < rounds; i++) {
        double start = series_now_us();
        once(c);
        double took = series_now_us() - start;
        if (i == 0 || took < best)
            best = took;
    }
    return best;
}

int scale_time(const char *what, const char *backend, size_t n, size_t rounds)
{
    const operation *op = operation_called(what);
    many c;
    if (!op)
        return 2;
    open_many(&c, op, backend, n);
    double ours = best_of(op->once, &c, rounds);
    printf("{\"n\": %zu, \"ours\": %.4g, \"raw\": ", n, ours);
    if (op->raw_once && (op->raw_fill != raw_fill_slots || access("/dev/kvm", R_OK | W_OK) == 0)) {
        op->raw_fill(&c);
        printf("%.4g}\n", best_of(op->raw_once, &c, rounds));
    } else {
        printf("null}\n");
    }
    close_many(&c);
    return 0;
}

int scale_only(const char *what, size_t n, size_t count)
{
    const operation *op = operation_called(what);
    many c;
    if (!op)
        return 2;
    open_many(&c, op, "mock", n);
    for (size_t i = 0; i < count; i++)
        op->once(&c);
    close_many(&c);
    return 0;
}
