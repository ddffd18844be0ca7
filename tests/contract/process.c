/* SPDX-License-Identifier: Apache-2.0 */
/* What the library leaves behind in its process: nothing. After a warm-up, cycles of create, run
 * and destroy change no descriptor, signal, directory, child or mapping; a forked child may close;
 * and descriptors 0 to 2 stay free. */
#include "api_table.h"
#include "tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

enum { WARM = 4, CYCLES = 30, TEXT = 65536, SIGNALS = 64, GROWTH = 1 << 20 };

static const unsigned char code[] = {
    0xb0, 0x2a, /* mov al, 42 */
    0xe6, 0xf4, /* out 0xf4, al */
    0xeb, 0xfc, /* jmp to it */
};

static const char *backend;

struct guest {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_vcpu *vcpu;
};

static vsdk_status set_start(vsdk_vcpu *vcpu)
{
    vsdk_x86_regs regs = {.rip = 0x1000, .rflags = 2};
    vsdk_x86_sregs sregs;
    vsdk_status status =
        vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), NULL);

    if (status != VSDK_OK)
        return status;
    sregs.cs.base = sregs.cs.selector = 0;
    status = vsdk_vcpu_set_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), NULL);
    return status == VSDK_OK
               ? vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL)
               : status;
}

static vsdk_status guest_make(struct guest *g)
{
    vsdk_status status;

    memset(g, 0, sizeof *g);
    if ((status = vsdk_host_open(backend, NULL, &g->host, NULL)) == VSDK_OK &&
        (status = vsdk_vm_create(g->host, NULL, &g->vm, NULL)) == VSDK_OK &&
        (status = vsdk_ram_create(g->vm, 1 << 20, NULL, &g->ram, NULL)) == VSDK_OK &&
        (status = vsdk_vm_map(g->vm, 0, g->ram, 0, 0xa0000, 0, NULL)) == VSDK_OK &&
        (status = vsdk_vm_write(g->vm, 0x1000, code, sizeof code, NULL)) == VSDK_OK &&
        (status = vsdk_vcpu_create(g->vm, 0, NULL, &g->vcpu, NULL)) == VSDK_OK &&
        (status = set_start(g->vcpu)) == VSDK_OK)
        status = vsdk_vm_resume(g->vm, NULL);
    return status;
}

static int guest_answers(struct guest *g)
{
    const vsdk_exit *exit = vsdk_vcpu_record(g->vcpu);

    return vsdk_vcpu_run(g->vcpu, VSDK_FOREVER, NULL) == VSDK_OK && exit->reason == VSDK_EXIT_PIO &&
           exit->address == 0xf4 && exit->value == 42;
}

static void guest_close(struct guest *g)
{
    vsdk_vcpu_close(g->vcpu);
    vsdk_ram_close(g->ram);
    vsdk_vm_close(g->vm);
    vsdk_host_close(g->host);
}

static void *cycle(void *failures)
{
    struct guest g;

    if (guest_make(&g) != VSDK_OK || !guest_answers(&g) || !guest_answers(&g))
        ++*(int *)failures;
    if (vsdk_vm_destroy(g.vm, NULL) != VSDK_OK)
        ++*(int *)failures;
    guest_close(&g);
    return NULL;
}

/* The last two runs of a cycle are of another thread, so that the main one never ran a vCPU. */
static int cycles(int count)
{
    int failures = 0;

    for (int i = 0; i < count; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, cycle, &failures) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    return failures;
}

/* The library's own threads of vsdk_vm_run come and go, too. */
static int run_cycles(int count)
{
    int failures = 0;

    for (int i = 0; i < count; i++) {
        struct guest g;
        vsdk_exit end;

        if (guest_make(&g) != VSDK_OK || vsdk_vm_run(g.vm, NULL, 2000000, &end, NULL) != VSDK_OK)
            failures++;
        guest_close(&g);
    }
    return failures;
}

struct snapshot {
    char descriptors[TEXT / 8], maps[TEXT], directory[4096];
    struct sigaction actions[SIGNALS + 1];
    sigset_t mask;
    mode_t umask;
    int children, threads;
    uint64_t anonymous;
};

static void append(char *text, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t room, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, room - used, format, arguments);
    va_end(arguments);
}

static void list_descriptors(char *text, size_t room)
{
    char target[256];

    for (int fd = 0; fd < 1100; fd++) {
        char link[32];
        ssize_t length;

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = 0;
        append(text, room, "%d %s %d\n", fd, target, fcntl(fd, F_GETFD));
    }
}

/* Files by name; of anonymous memory only the sum, since allocators come by it as they like. */
static void list_maps(struct snapshot *s)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin = 0, end = 0;
        const char *path = strchr(line, '/');

        if (path)
            append(s->maps, sizeof s->maps, "%s", path);
        else if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && !strstr(line, "[stack]"))
            s->anonymous += end - begin;
    }
    if (maps)
        fclose(maps);
}

static int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static void snapshot_take(struct snapshot *s)
{
    memset(s, 0, sizeof *s);
    list_descriptors(s->descriptors, sizeof s->descriptors);
    list_maps(s);
    if (!getcwd(s->directory, sizeof s->directory))
        s->directory[0] = 0;
    for (int number = 1; number <= SIGNALS; number++)
        sigaction(number, NULL, &s->actions[number]);
    pthread_sigmask(SIG_BLOCK, NULL, &s->mask);
    s->umask = umask(022);
    umask(s->umask);
    s->children = waitpid(-1, NULL, WNOHANG) >= 0;
    s->threads = count_entries("/proc/self/task");
}

static int same_signals(const struct snapshot *a, const struct snapshot *b)
{
    for (int number = 1; number <= SIGNALS; number++)
        if (a->actions[number].sa_handler != b->actions[number].sa_handler)
            return 0;
    return 1;
}

static int same_mask(const struct snapshot *a, const struct snapshot *b)
{
    for (int number = 1; number < SIGNALS; number++)
        if (sigismember(&a->mask, number) != sigismember(&b->mask, number))
            return 0;
    return 1;
}

/* Only there under AddressSanitizer or ThreadSanitizer, which keep memory that was freed. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static void compare(const struct snapshot *a, const struct snapshot *b, const char *after)
{
    tap(strcmp(a->descriptors, b->descriptors) == 0, "%s: the same descriptors", after);
    tap(same_signals(a, b), "%s: the same signal dispositions", after);
    tap(same_mask(a, b), "%s: the same signal mask of the main thread", after);
    tap(strcmp(a->directory, b->directory) == 0, "%s: the same directory", after);
    tap(a->umask == b->umask, "%s: the same umask", after);
    tap(a->children == b->children, "%s: the same children", after);
    tap(a->threads == b->threads, "%s: the same threads", after);
    tap(strcmp(a->maps, b->maps) == 0, "%s: the same mapped files", after);
    if (!__asan_init && !__tsan_init)
        tap(b->anonymous <= a->anonymous + GROWTH, "%s: no more memory (%llu, then %llu)", after,
            (unsigned long long)a->anonymous, (unsigned long long)b->anonymous);
}

static struct snapshot before, after;

static void test_cycles(void)
{
    tap(cycles(WARM) == 0, "warm-up");
    snapshot_take(&before);
    tap(cycles(CYCLES) == 0, "%d cycles of create, run and destroy", CYCLES);
    snapshot_take(&after);
    compare(&before, &after, "cycles");
}

static void test_run(void)
{
    tap(run_cycles(WARM) == 0, "warm-up of vsdk_vm_run");
    snapshot_take(&before);
    tap(run_cycles(WARM) == 0, "cycles of vsdk_vm_run");
    snapshot_take(&after);
    compare(&before, &after, "vsdk_vm_run");
}

static int count_inherited(void)
{
    int count = 0;

    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) == 0;
    return count;
}

/* While a guest lives every descriptor of the library's is closed by exec. */
static void test_descriptors(void)
{
    int own = count_inherited();
    struct guest g;

    tap(guest_make(&g) == VSDK_OK && guest_answers(&g), "a guest runs");
    tap(count_inherited() == own, "exec inherits no descriptor of the library's");
    guest_close(&g);
}

/* A failed open leaves nothing. */
static void test_failure(void)
{
    vsdk_host *host = NULL;

    snapshot_take(&before);
    for (int i = 0; i < 10; i++) {
        vsdk_host_open("no-such-backend", NULL, &host, NULL);
        if (vsdk_host_open("xen", NULL, &host, NULL) == VSDK_OK)
            vsdk_host_close(host);
    }
    snapshot_take(&after);
    compare(&before, &after, "failed opens");
}

static int child_status(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

struct children {
    vsdk_device *device, *virtio, *vsock, *console, *ged, *pci, *function, *card;
    vsdk_net *near_net, *far_net;
    vsdk_irq *irq;
    vsdk_doorbell *doorbell;
    vsdk_loop *loop;
    vsdk_watch *watch;
    vsdk_timer *timer;
    vsdk_work *work;
    vsdk_msi *msi;
    vsdk_stream *near_end, *far_end;
    vsdk_share *share;
    vsdk_pool *pool;
    vsdk_loop *pool_loop;
    vsdk_disk *disk;
    vsdk_disk_channel *channel;
    vsdk_disk_watch *disk_watch;
    vsdk_dma_view view;
    int pipe[2];
};

static int called, released;

static void on_release(void *user)
{
    released++;
}

static void on_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    called++;
}

static void on_ready(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    called++;
}

static void on_time(void *user, vsdk_timer *timer)
{
    called++;
}

static void on_work(void *user, vsdk_work *work)
{
    called++;
}

static void on_stream(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    called++;
}

static const vsdk_device_ops quiet = {.size = sizeof quiet, .release = on_release};

static void on_done(void *user, vsdk_disk_request *request)
{
    called++;
}

static void on_resized(void *user, vsdk_disk *disk, uint64_t capacity)
{
    called++;
}

static const vsdk_virtio_ops quiet_virtio = {.size = sizeof quiet_virtio, .release = on_release};
static const vsdk_virtio_config virtio_config = {
    .size = sizeof virtio_config, .type = 42, .queues = 1, .space = "x", .space_length = 1};
static const vsdk_virtio_place virtio_place = {
    .size = sizeof virtio_place, .address = 0xd0100000, .gsi = 7};
static const vsdk_virtio_chain no_chain;
static const vsdk_virtio_vsock_config vsock_config = {.size = sizeof vsock_config, .cid = 3};
static const vsdk_share_config folder = {.size = sizeof folder, .path = "/"};
static vsdk_virtio_fs_config fs = {.size = sizeof fs, .tag = "fs"};
static vsdk_share_buffer buffer;

static const vsdk_pci_function_ops quiet_function = {.size = sizeof quiet_function,
                                                     .release = on_release};
static const vsdk_pci_function_config function_config = {
    .size = sizeof function_config, .vendor_id = 1, .vectors = 1, .bars = {{.length = 0x2000}}};
static const vsdk_ged_config ged_config = {.size = sizeof ged_config, .address = 0x720};

static int make_pci(const struct guest *g, struct children *c)
{
    vsdk_pci_config config = {.size = sizeof config, .eject_port = 0x730};

    return !vsdk_ged_create(g->vm, &ged_config, &c->ged, NULL) && (config.events = c->ged) &&
           !vsdk_pci_create(g->vm, &config, &c->pci, NULL) &&
           !vsdk_pci_function_create(g->vm, &quiet_function, NULL, &function_config, &c->function,
                                     NULL) &&
           !vsdk_pci_function_attach(c->function, c->pci, 1, NULL);
}
static const vsdk_disk_custom disk_config = {.size = sizeof disk_config, .capacity = 4096};
static const vsdk_net_filter_config filter_config = {.size = sizeof filter_config};
static const vsdk_virtio_net_config card_config = {.size = sizeof card_config};
static const vsdk_net_forward forward = {.size = sizeof forward, .guest_port = 80};

static const vsdk_doorbell_config bell = {
    .size = sizeof bell, .space = VSDK_SPACE_PIO, .address = 0x700, .width = 1};

static int children_make(const struct guest *g, struct children *c)
{
    *c = (struct children){.view.size = sizeof c->view};
    return (c->loop = vsdk_vm_loop(g->vm, NULL)) != NULL && pipe(c->pipe) == 0 &&
           !vsdk_device_create(g->vm, &quiet, NULL, NULL, &c->device, NULL) &&
           !vsdk_irq_controller_attach(g->vm, 0, 24, on_line, NULL, on_release, NULL) &&
           !vsdk_irq_create(g->vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4},
                            &c->irq, NULL) &&
           !vsdk_irq_raise(c->irq, NULL) &&
           !vsdk_doorbell_create(g->vm, &bell, &c->doorbell, NULL) &&
           !vsdk_watch_create(c->loop, NULL, c->pipe[0], VSDK_LOOP_READ, on_ready, NULL, on_release,
                              &c->watch, NULL) &&
           !vsdk_timer_create(c->loop, NULL, on_time, NULL, on_release, &c->timer, NULL) &&
           !vsdk_work_create(c->loop, c->device, on_work, NULL, on_release, &c->work, NULL) &&
           !vsdk_msi_create(g->vm, NULL, &c->msi, NULL) &&
           !vsdk_stream_create(NULL, &c->near_end, &c->far_end, NULL) &&
           !vsdk_share_open(&folder, &c->share, NULL) &&
           !vsdk_stream_set_handler(c->near_end, on_stream, NULL, on_release, NULL) &&
           !vsdk_pool_create(NULL, &c->pool, NULL) && !vsdk_loop_create(&c->pool_loop, NULL) &&
           !vsdk_pool_add_loop(c->pool, c->pool_loop, NULL) &&
           !vsdk_disk_create_memory(&disk_config, &c->disk, NULL) &&
           !vsdk_disk_channel_create(c->disk, on_done, NULL, on_release, &c->channel, NULL) &&
           !vsdk_disk_watch_create(c->disk, on_resized, NULL, on_release, &c->disk_watch, NULL) &&
           !vsdk_device_add_range(c->device, VSDK_SPACE_PIO, 0x710, 4, 0, NULL) &&
           !vsdk_virtio_create(g->vm, &quiet_virtio, NULL, &virtio_config, &c->virtio, NULL) &&
           !vsdk_virtio_attach(c->virtio, &virtio_place, NULL) &&
           !vsdk_virtio_vsock_create(g->vm, &vsock_config, &c->vsock, NULL) &&
           !vsdk_virtio_console_create(g->vm, NULL, &c->console, NULL) && make_pci(g, c) &&
           !vsdk_net_create_pair(NULL, &c->near_net, &c->far_net, NULL) &&
           !vsdk_virtio_net_create(g->vm,
                                   &(vsdk_virtio_net_config){.size = sizeof(vsdk_virtio_net_config),
                                                             .net = c->near_net},
                                   &c->card, NULL) &&
           !vsdk_dma_map(c->device, 0, 4096, VSDK_DMA_FROM_GUEST, &c->view, NULL);
}

static void children_close(struct children *c)
{
    vsdk_irq_close(c->irq);
    vsdk_doorbell_close(c->doorbell);
    vsdk_watch_close(c->watch);
    vsdk_timer_close(c->timer);
    vsdk_work_close(c->work);
    vsdk_msi_close(c->msi);
    vsdk_share_close(c->share);
    vsdk_stream_close(c->far_end);
    vsdk_stream_close(c->near_end);
    vsdk_pool_close(c->pool);
    vsdk_loop_close(c->pool_loop);
    vsdk_disk_watch_close(c->disk_watch);
    vsdk_disk_channel_close(c->channel);
    vsdk_disk_close(c->disk);
    vsdk_dma_unmap(&c->view);
    vsdk_device_close(c->console);
    vsdk_device_close(c->function);
    vsdk_device_close(c->pci);
    vsdk_device_close(c->ged);
    vsdk_device_close(c->virtio);
    vsdk_device_close(c->vsock);
    vsdk_device_close(c->card);
    vsdk_net_close(c->near_net);
    vsdk_net_close(c->far_net);
    vsdk_device_close(c->device);
    close(c->pipe[0]);
    close(c->pipe[1]);
}

/* In the child: 0 if closing everything called nobody. */
static int close_in_child(struct guest *g, struct children *c)
{
    called = released = 0;
    children_close(c);
    guest_close(g);
    return called * 16 + released;
}

static void compare_children(const struct guest *g, struct children *c)
{
    vsdk_doorbell *other = NULL;
    uint32_t ran = 0;

    called = 0;
    tap(write(c->pipe[1], "", 1) == 1 && vsdk_loop_dispatch(c->loop, 0, &ran, NULL) == VSDK_OK &&
            called == 1,
        "the parent's loop still watches");
    tap(vsdk_doorbell_create(g->vm, &bell, &other, NULL) == VSDK_ERROR_EXISTS,
        "the parent's doorbell is still there");
    called = 0;
    tap(vsdk_stream_write(c->far_end, "x", 1, NULL, NULL) == VSDK_OK && called == 1,
        "the parent's stream still carries");
    tap(vsdk_pool_stop(c->pool, NULL) == VSDK_OK, "the parent's pool can be stopped");
    tap(vsdk_device_enter(c->device, NULL) == VSDK_OK, "the parent's device can be entered");
    vsdk_device_leave(c->device);
}

/* One of everything that a machine of the library's has; and what the calls below read. */
struct objects {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_pc *pc;
    vsdk_ram *ram;
    vsdk_vcpu *vcpu;
    struct children c;
    vsdk_boot_config boot;
    vsdk_boot_entry entry;
};

static int objects_make(struct objects *o)
{
    vsdk_pc_config config = {.size = sizeof config, .memory = 2 << 20};
    struct guest g;

    memset(o, 0, sizeof *o);
    o->boot = (vsdk_boot_config){.size = sizeof o->boot,
                                 .format = VSDK_BOOT_FLAT,
                                 .mode = VSDK_BOOT_LONG,
                                 .image = code,
                                 .image_length = sizeof code,
                                 .address = 0x100000};
    o->entry.size = sizeof o->entry;
    if (vsdk_host_open(backend, NULL, &o->host, NULL) ||
        vsdk_pc_create(o->host, &config, &o->pc, NULL) || !(o->vm = vsdk_pc_vm(o->pc)) ||
        vsdk_boot_load(o->vm, &o->boot, &o->entry, NULL) || vsdk_pc_boot(o->pc, &o->boot, NULL) ||
        vsdk_ram_create(o->vm, 4096, NULL, &o->ram, NULL) ||
        vsdk_irq_controller_detach(o->vm, 0, NULL) || vsdk_vm_resume(o->vm, NULL))
        return 0;
    o->vcpu = vsdk_pc_vcpu(o->pc, 0);
    g = (struct guest){.vm = o->vm};
    int made = children_make(&g, &o->c);
    fs.share = o->c.share;
    return made;
}

static void objects_close(struct objects *o)
{
    children_close(&o->c);
    vsdk_ram_close(o->ram);
    vsdk_pc_close(o->pc);
    vsdk_host_close(o->host);
}

/* Every function that says STATE of a forked child, with arguments that it takes elsewhere. */
#define EVERY(X)                                                                                   \
    X(host_query, o->host, VSDK_CAPABILITY_AUTONOMOUS, &r.capability)                              \
    X(host_list_orphans, o->host, NULL, 0, &r.n32)                                                 \
    X(host_reap, o->host, 1)                                                                       \
    X(x86_host_get_cpuid, o->host, NULL, 0, &r.n32)                                                \
    X(vm_create, o->host, NULL, HANDLE)                                                            \
    X(vm_destroy, o->vm)                                                                           \
    X(vm_resume, o->vm)                                                                            \
    X(vm_pause, o->vm, 0, VSDK_FOREVER)                                                            \
    X(vm_pause_request, o->vm)                                                                     \
    X(vm_reset, o->vm, VSDK_FOREVER)                                                               \
    X(vm_stop, o->vm, VSDK_EXIT_POWEROFF, 0, 0)                                                    \
    X(vm_get_info, o->vm, &r.info)                                                                 \
    X(vm_list_reserved, o->vm, NULL, 0, &r.n32)                                                    \
    X(vm_add_range, o->vm, VSDK_SPACE_PIO, 0x720, 1, 1)                                            \
    X(vm_remove_range, o->vm, VSDK_SPACE_PIO, 0x720)                                               \
    X(vm_map, o->vm, 0x40000000, o->ram, 0, 4096, 0)                                               \
    X(vm_unmap, o->vm, 0x100000, 4096)                                                             \
    X(vm_protect, o->vm, 0x100000, 4096, 0)                                                        \
    X(vm_read, o->vm, 0x100000, r.bytes, 8)                                                        \
    X(vm_write, o->vm, 0x100000, r.bytes, 8)                                                       \
    X(vm_probe, o->vm, 0x100000, 8, VSDK_DMA_FROM_GUEST)                                           \
    X(vm_send_msi, o->vm, 0xfee00000, 32)                                                          \
    X(vm_run, o->vm, NULL, VSDK_FOREVER, &r.exit)                                                  \
    X(vm_run_cancel, o->vm)                                                                        \
    X(x86_vm_set_cpuid, o->vm, &r.cpuid, 1)                                                        \
    X(vcpu_create, o->vm, 0, NULL, HANDLE)                                                         \
    X(vcpu_run, o->vcpu, VSDK_FOREVER)                                                             \
    X(vcpu_complete, o->vcpu)                                                                      \
    X(vcpu_kick, o->vcpu)                                                                          \
    X(vcpu_get_phase, o->vcpu, &r.n32)                                                             \
    X(vcpu_get_state, o->vcpu, VSDK_X86_REGS, &r.regs, sizeof r.regs)                              \
    X(vcpu_set_state, o->vcpu, VSDK_X86_REGS, &r.regs, sizeof r.regs)                              \
    X(vcpu_get_counters, o->vcpu, &r.counters)                                                     \
    X(x86_vcpu_inject_nmi, o->vcpu)                                                                \
    X(x86_vcpu_sync_write, o->vcpu, VSDK_VCPU_SYNC_GENERAL)                                        \
    X(x86_vcpu_get_cpuid, o->vcpu, 0, 0, &r.cpuid)                                                 \
    X(ram_create, o->vm, 4096, NULL, HANDLE)                                                       \
    X(ram_mark_dirty, o->ram, 0, 4096)                                                             \
    X(ram_get_dirty, o->ram, 0, &r.n64, &r.range, 1, &r.n32)                                       \
    X(device_create, o->vm, &plain, NULL, NULL, HANDLE)                                            \
    X(device_add_range, o->c.device, VSDK_SPACE_PIO, 0x730, 1, 0)                                  \
    X(device_remove_range, o->c.device, VSDK_SPACE_PIO, 0x710)                                     \
    X(device_detach, o->c.device)                                                                  \
    X(device_stopped, o->c.device)                                                                 \
    X(device_enter, o->c.device)                                                                   \
    X(device_save, o->c.device, NULL, 0, &r.n64)                                                   \
    X(device_load, o->c.device, r.bytes, 8)                                                        \
    X(dma_read, o->c.device, 0x100000, r.bytes, 8)                                                 \
    X(dma_write, o->c.device, 0x100000, r.bytes, 8)                                                \
    X(dma_map, o->c.device, 0x100000, 8, VSDK_DMA_FROM_GUEST, &r.view)                             \
    X(irq_create, o->vm, &line, HANDLE)                                                            \
    X(irq_raise, o->c.irq)                                                                         \
    X(irq_lower, o->c.irq)                                                                         \
    X(irq_pulse, o->c.irq)                                                                         \
    X(irq_controller_attach, o->vm, 100, 1, on_line, NULL, NULL)                                   \
    X(irq_controller_detach, o->vm, 0)                                                             \
    X(msi_create, o->vm, NULL, HANDLE)                                                             \
    X(msi_set, o->c.msi, 0xfee00000, 32)                                                           \
    X(msi_send, o->c.msi)                                                                          \
    X(doorbell_create, o->vm, &other_bell, HANDLE)                                                 \
    X(doorbell_take, o->c.doorbell, &r.n64)                                                        \
    X(loop_dispatch, o->c.loop, 0, &r.n32)                                                         \
    X(loop_wake, o->c.loop)                                                                        \
    X(watch_create, o->c.loop, NULL, o->c.pipe[0], 1, on_ready, NULL, NULL, HANDLE)                \
    X(watch_set_events, o->c.watch, 0)                                                             \
    X(timer_create, o->c.loop, NULL, on_time, NULL, NULL, HANDLE)                                  \
    X(timer_arm, o->c.timer, 1, 0)                                                                 \
    X(timer_disarm, o->c.timer)                                                                    \
    X(work_create, o->c.loop, NULL, on_work, NULL, NULL, HANDLE)                                   \
    X(work_post, o->c.work)                                                                        \
    X(stream_read, o->c.near_end, r.bytes, 8, &r.n64)                                              \
    X(stream_write, o->c.near_end, r.bytes, 8, &r.n64)                                             \
    X(stream_set_handler, o->c.near_end, on_stream, NULL, NULL)                                    \
    X(share_request, o->c.share, &buffer, 1, &buffer, 1, &r.n64)                                   \
    X(share_reset, o->c.share)                                                                     \
    X(share_save, o->c.share, (vsdk_state_writer *)(void *)r.bytes)                                \
    X(share_load, o->c.share, (vsdk_state_reader *)(void *)r.bytes)                                \
    X(virtio_fs_create, o->vm, &fs, HANDLE)                                                        \
    X(virtio_create, o->vm, &quiet_virtio, NULL, &virtio_config, HANDLE)                           \
    X(virtio_set_loop, o->c.virtio, 0, o->c.loop)                                                  \
    X(virtio_attach, o->c.virtio, &virtio_place)                                                   \
    X(virtio_detach, o->c.virtio)                                                                  \
    X(virtio_get_space, o->c.virtio, 0, r.bytes, 1)                                                \
    X(virtio_set_space, o->c.virtio, 0, r.bytes, 1)                                                \
    X(virtio_fail, o->c.virtio)                                                                    \
    X(virtio_pop, o->c.virtio, 0, &r.chain)                                                        \
    X(virtio_read, o->c.virtio, &no_chain, 0, r.bytes, 1)                                          \
    X(virtio_write, o->c.virtio, &no_chain, 0, r.bytes, 1)                                         \
    X(virtio_map, o->c.virtio, &no_chain, VSDK_DMA_TO_GUEST, 0, 1, &r.view, 1, &r.n32)             \
    X(virtio_push, o->c.virtio, &no_chain, 0)                                                      \
    X(virtio_signal, o->c.virtio, 0)                                                               \
    X(virtio_vsock_create, o->vm, &vsock_config, HANDLE)                                           \
    X(virtio_vsock_listen, o->c.vsock, 5, 0)                                                       \
    X(virtio_vsock_unlisten, o->c.vsock, 5)                                                        \
    X(virtio_vsock_accept, o->c.vsock, 5, &r.descriptor, NULL)                                     \
    X(virtio_vsock_connect, o->c.vsock, 5, &r.descriptor)                                          \
    X(virtio_rng_create, o->vm, NULL, HANDLE)                                                      \
    X(virtio_console_create, o->vm, NULL, HANDLE)                                                  \
    X(virtio_console_connect, o->c.console, 0, NULL)                                               \
    X(virtio_console_resize, o->c.console, 0, 1, 1)                                                \
    X(pci_create, o->vm, NULL, HANDLE)                                                             \
    X(pci_function_create, o->vm, &quiet_function, NULL, &function_config, HANDLE)                 \
    X(pci_function_attach, o->c.function, o->c.pci, 2)                                             \
    X(pci_function_detach, o->c.function)                                                          \
    X(pci_function_eject, o->c.function, 0)                                                        \
    X(pci_function_interrupt, o->c.function, 0)                                                    \
    X(pci_function_get_info, o->c.function, &r.function)                                           \
    X(pci_function_save, o->c.function, (vsdk_state_writer *)r.bytes)                              \
    X(pci_function_load, o->c.function, (vsdk_state_reader *)r.bytes)                              \
    X(ged_raise, o->c.ged, 1)                                                                      \
    X(net_send, o->c.near_net, NULL, &r.piece, 1)                                                  \
    X(net_receive, o->c.near_net, NULL, &r.piece, 1, &r.n64)                                       \
    X(net_skip, o->c.near_net)                                                                     \
    X(net_accept, o->c.near_net, 0)                                                                \
    X(net_notify, o->c.near_net, 0)                                                                \
    X(net_create_filter, o->c.near_net, &filter_config, HANDLE)                                    \
    X(net_add_forward, o->c.near_net, &forward, &r.n32)                                            \
    X(net_remove_forward, o->c.near_net, &forward)                                                 \
    X(virtio_net_create, o->vm, &card_config, HANDLE)                                              \
    X(virtio_net_set_link, o->c.card, 1)                                                           \
    X(virtio_net_get_counts, o->c.card, &r.card_counts)                                            \
    X(pool_add_loop, o->c.pool, o->c.loop)                                                         \
    X(pool_stop, o->c.pool)                                                                        \
    X(pool_remove_loop, o->c.pool, o->c.loop)                                                      \
    X(disk_get_info, o->c.disk, &r.disk)                                                           \
    X(disk_read, o->c.disk, 0, r.bytes, 0)                                                         \
    X(disk_write, o->c.disk, 0, r.bytes, 0)                                                        \
    X(disk_flush, o->c.disk)                                                                       \
    X(disk_discard, o->c.disk, 0, 512)                                                             \
    X(disk_write_zeroes, o->c.disk, 0, 512, 0)                                                     \
    X(disk_resize, o->c.disk, 512)                                                                 \
    X(disk_check, o->c.disk, 0, &r.report)                                                         \
    X(disk_channel_create, o->c.disk, on_done, NULL, NULL, HANDLE)                                 \
    X(disk_submit, o->c.channel, NULL, 0)                                                          \
    X(disk_drain, o->c.channel, 0)                                                                 \
    X(disk_watch_create, o->c.disk, on_resized, NULL, NULL, HANDLE)                                \
    X(virtio_block_create, o->vm, &block, HANDLE)                                                  \
    X(serial_create, o->vm, NULL, HANDLE)                                                          \
    X(rtc_create, o->vm, NULL, HANDLE)                                                             \
    X(i8042_create, o->vm, NULL, HANDLE)                                                           \
    X(acpi_pm_create, o->vm, NULL, HANDLE)                                                         \
    X(exit_port_create, o->vm, NULL, HANDLE)                                                       \
    X(debug_console_create, o->vm, NULL, HANDLE)                                                   \
    X(fw_cfg_create, o->vm, NULL, HANDLE)                                                          \
    X(fw_cfg_add, vsdk_pc_device(o->pc, VSDK_PC_FW_CFG), 9, NULL, "x", 1)                          \
    X(pvpanic_create, o->vm, NULL, HANDLE)                                                         \
    X(ioapic_create, o->vm, NULL, HANDLE)                                                          \
    X(port92_create, o->vm, NULL, HANDLE)                                                          \
    X(ged_create, o->vm, NULL, HANDLE)                                                             \
    X(boot_load, o->vm, &o->boot, &r.entry)                                                        \
    X(boot_apply, o->vcpu, &o->entry)                                                              \
    X(pc_create, o->host, NULL, HANDLE)                                                            \
    X(pc_get_config, o->pc, &r.config)                                                             \
    X(pc_claim, o->pc, VSDK_PC_PORTS, VSDK_PC_ANY, 1, &r.n64)                                      \
    X(pc_unclaim, o->pc, VSDK_PC_PORTS, 0x1000)                                                    \
    X(pc_add_node, o->pc, &node)                                                                   \
    X(pc_remove_node, o->pc, "LNRO0005", 0)                                                        \
    X(pc_boot, o->pc, &o->boot)                                                                    \
    X(pc_get_memory_map, o->pc, NULL, 0, &r.n32)

/* The child is told what it is, whatever else is wrong with the call. */
#define WRONG(X)                                                                                   \
    X(vm_map, o->vm, 1, o->ram, 0, 4096, 0)                                                        \
    X(vm_protect, o->vm, 0, 4096, 1u << 31)                                                        \
    X(x86_vm_set_cpuid, o->vm, &r.cpuid, 0)                                                        \
    X(vcpu_get_state, o->vcpu, 99, &r.regs, sizeof r.regs)                                         \
    X(vcpu_set_state, o->vcpu, 99, &r.regs, sizeof r.regs)                                         \
    X(x86_vcpu_sync_write, o->vcpu, 1u << 31)                                                      \
    X(device_add_range, o->c.device, 99, 0x730, 1, 0)                                              \
    X(device_remove_range, o->c.device, 99, 0x710)                                                 \
    X(work_create, o->c.loop, NULL, NULL, NULL, NULL, HANDLE)                                      \
    X(timer_create, o->c.loop, NULL, NULL, NULL, NULL, HANDLE)

static const vsdk_device_ops plain = {.size = sizeof plain};
static const vsdk_pc_node node = {.hid = "LNRO0005"};
static const vsdk_irq_config line = {.size = sizeof line, .gsi = 5};
static const vsdk_doorbell_config other_bell = {
    .size = sizeof other_bell, .space = VSDK_SPACE_PIO, .address = 0x701, .width = 1};

/* In the child: how many functions answered anything else. The handles that they give back are of
 * many types, and none of them is to be one. */
static int call_everything(const struct objects *o)
{
    struct {
        uint8_t bytes[8];
        uint32_t n32;
        uint64_t n64;
        vsdk_ram_range range;
        void *handle;
        vsdk_capability_info capability;
        vsdk_vm_info info;
        vsdk_vcpu_counters counters;
        vsdk_x86_regs regs;
        vsdk_x86_cpuid_entry cpuid;
        vsdk_boot_entry entry;
        vsdk_pc_config config;
        vsdk_dma_view view;
        vsdk_virtio_chain chain;
        int32_t descriptor;
        vsdk_pci_function_info function;
        vsdk_disk_info disk;
        vsdk_disk_report report;
        vsdk_net_piece piece;
        vsdk_virtio_net_counts card_counts;
        vsdk_exit exit;
    } r = {.capability.size = sizeof r.capability,
           .info.size = sizeof r.info,
           .counters.size = sizeof r.counters,
           .entry.size = sizeof r.entry,
           .config.size = sizeof r.config,
           .view.size = sizeof r.view,
           .function.size = sizeof r.function,
           .disk.size = sizeof r.disk,
           .report.size = sizeof r.report,
           .card_counts.size = sizeof r.card_counts};
    vsdk_error error;
    const vsdk_virtio_block_config block = {.size = sizeof block, .disk = o->c.disk};
    int others = 0;

#define HANDLE (void *)&r.handle
#define CALL(function, ...)                                                                        \
    {                                                                                              \
        vsdk_status status = vsdk_##function(__VA_ARGS__, &error);                                 \
        if (status != VSDK_ERROR_STATE || !strstr(error.message, "fork")) {                        \
            printf("# vsdk_" #function ": %s\n", vsdk_status_name(status));                        \
            others++;                                                                              \
        }                                                                                          \
    }
    EVERY(CALL)
    WRONG(CALL)
    fflush(stdout);
    return others;
}

static const char *const every[] = {
#define NAME(function, ...) "vsdk_" #function,
    EVERY(NAME)};

/* That EVERY has all of them. */
static int count_missing(void)
{
    int missing = 0;

    for (size_t i = 0; i < sizeof api_functions / sizeof *api_functions; i++) {
        size_t at = 0, count = sizeof every / sizeof *every;

        if (!api_functions[i].fallible || !strstr(api_functions[i].errors, "STATE"))
            continue;
        while (at < count && strcmp(every[at], api_functions[i].name) != 0)
            at++;
        if (at == count)
            printf("# not called: %s\n", api_functions[i].name);
        missing += at == count;
    }
    return missing;
}

/* Whatever else a forked child calls says STATE, and changes nothing. */
static void test_calls_in_child(void)
{
    vsdk_error error = {0};
    struct objects o;
    vsdk_exit end;
    pid_t child;

    tap(count_missing() == 0, "every function that says STATE is called");
    tap(objects_make(&o), "a machine has one of everything");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        int others;

        called = released = 0;
        others = call_everything(&o);
        others += called + released;
        /* Once more: what the C library keeps for itself is there by now. */
        size_t before = mallinfo2().uordblks;
        others += call_everything(&o);
        size_t after = mallinfo2().uordblks;
        if (after > before)
            printf("# %zu bytes more in the child\n", after - before);
        fflush(stdout);
        _exit(others + called + released + (after > before));
    }
    tap(child_status(child) == 0,
        "every call in the child says STATE, and nobody was called; nothing is kept");
    tap(vsdk_vm_run(o.vm, NULL, VSDK_FOREVER, &end, &error) == VSDK_OK &&
            end.reason == VSDK_EXIT_GUEST_EXIT,
        "the parent's machine still runs: %s", error.message);
    objects_close(&o);
}

/* A forked child may only close, and that touches no virtual machine. */
static void test_fork(void)
{
    struct children c;
    struct guest g;
    pid_t child;

    tap(guest_make(&g) == VSDK_OK && guest_answers(&g), "a guest runs before the fork");
    tap(children_make(&g, &c), "it has one of everything");
    child = fork();
    if (child == 0)
        _exit(close_in_child(&g, &c));
    tap(child_status(child) == 0, "the child closed its handles, and nobody was called");
    compare_children(&g, &c);
    children_close(&c);
    tap(guest_answers(&g), "the parent's guest still runs");
    tap(vsdk_vm_pause(g.vm, 0, VSDK_FOREVER, NULL) == VSDK_OK, "the parent's guest can be paused");
    tap(vsdk_vm_destroy(g.vm, NULL) == VSDK_OK, "the parent's guest can be destroyed");
    guest_close(&g);
}

/* In a child: 0 if a guest ran with descriptors 0 to 2 closed, and they are free again. */
static int run_without_standard_streams(void)
{
    struct guest g;

    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (guest_make(&g) != VSDK_OK || !guest_answers(&g))
        return 1;
    for (int fd = 0; fd < 3; fd++)
        if (strcmp(backend, "xen") != 0 && fcntl(fd, F_GETFD) >= 0)
            return 2;
    guest_close(&g);
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 3;
    return 0;
}

static void test_standard_streams(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(run_without_standard_streams());
    status = child_status(child);
    tap(status == 0, "works with stdin, stdout and stderr closed (%d)", status);
}

int main(void)
{
    vsdk_host *host = NULL;
    vsdk_error error;

    backend = getenv("VSDK_TEST_BACKEND") ? getenv("VSDK_TEST_BACKEND") : "mock";
    if (vsdk_host_open(backend, NULL, &host, &error) != VSDK_OK) {
        printf("1..0 # SKIP %s: %s\n", backend, error.message);
        return 0;
    }
    vsdk_host_close(host);
    test_standard_streams();
    test_failure();
    test_cycles();
    test_descriptors();
    test_fork();
    test_calls_in_child();
    test_run();
    return tap_end();
}
