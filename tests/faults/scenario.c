/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the scenario, in the order of a machine's life. Each takes one call of the
 * library's, or a few that can fail only together. */
#include "scenario.h"
#include "../generated/api_table.h"
#include "guests.h"
#include "layout.h"
#include "start.h"
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXTRA_BYTES = 0x10000, RUN_NS = 5000000, MSI_TO_FIRST = 0xfee00000, TAGGED = 0x1000 };

static void released(void *user)
{
    ++*(uint32_t *)user;
}

/* Each call that takes a user pointer promises one release, whether it succeeds or not. */
static uint32_t *promise(struct scenario *s, unsigned number)
{
    s->promised[number]++;
    return &s->releases[number];
}

static void on_log(void *user, vsdk_log_level level, const char *text)
{
    (void)user;
    (void)level;
    (void)text;
}

enum { PATH_BYTES = 64 };

static void get_socket_path(char *path)
{
    snprintf(path, PATH_BYTES, "/tmp/vsdk-faults-%d", getpid());
}

/* Where its removal was made to fail the socket is still there, and a later process may have this
 * one's id. By syscall, since this is no call of the library's that is to fail. */
static void remove_socket(void)
{
    char path[PATH_BYTES];

    get_socket_path(path);
    syscall(SYS_unlink, path);
}

static vsdk_status open_host(struct scenario *s, vsdk_error *error)
{
    vsdk_host_config config = {
        .size = sizeof config, .log = on_log, .log_user = promise(s, 0), .log_release = released};

    remove_socket();
    return vsdk_host_open(s->backend, &config, &s->host, error);
}

static vsdk_status query(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    for (uint32_t what = 1; what <= API_LAST_CAPABILITY && !status; what++) {
        vsdk_capability_info info = {.size = sizeof info};
        status = vsdk_host_query(s->host, what, &info, error);
    }
    return status;
}

static vsdk_status host_cpuid(struct scenario *s, vsdk_error *error)
{
    vsdk_x86_cpuid_entry entries[256];
    uint32_t needed;
    vsdk_status status = vsdk_x86_host_get_cpuid(s->host, entries, 256, &needed, error);

    return status ? status : vsdk_host_list_orphans(s->host, NULL, 0, &needed, error);
}

/* There is none of that number. */
static vsdk_status reap(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_host_reap(s->host, 1, error);

    return status == VSDK_ERROR_NOT_FOUND ? VSDK_OK : status;
}

static vsdk_status create_vm(struct scenario *s, vsdk_error *error)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 2, .memory_max = 16u << 20};
    return vsdk_vm_create(s->host, &config, &s->vm, error);
}

/* A line of the hypervisor's own controllers. */
static vsdk_status use_line(vsdk_vm *vm, vsdk_error *error)
{
    vsdk_irq *irq = NULL;
    vsdk_status status = vsdk_irq_create(
        vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4}, &irq, error);

    if (!status)
        status = vsdk_irq_raise(irq, error);
    if (!status)
        status = vsdk_irq_lower(irq, error);
    if (!status)
        status = vsdk_irq_pulse(irq, error);
    vsdk_irq_close(irq);
    return status;
}

/* The other kind of machine, made and thrown away. */
static vsdk_status other_vm(struct scenario *s, vsdk_error *error)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_KERNEL};
    vsdk_vm *vm = NULL;
    vsdk_vcpu *vcpu = NULL;
    vsdk_status status = vsdk_vm_create(s->host, &config, &vm, error);

    if (status == VSDK_ERROR_UNSUPPORTED)
        return VSDK_OK;
    if (!status)
        status = vsdk_vcpu_create(vm, 0, NULL, &vcpu, error);
    if (!status)
        status = use_line(vm, error);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    return status;
}

static vsdk_status boot_pc(vsdk_pc *pc, vsdk_error *error)
{
    static const uint8_t image[] = {0xeb, 0xfe};
    vsdk_boot_config config = {
        .size = sizeof config,
        .format = VSDK_BOOT_FLAT,
        .image = image,
        .image_length = sizeof image,
        .address = CODE,
    };
    vsdk_boot_entry entry = {.size = sizeof entry, .mode = VSDK_BOOT_REAL, .rip = CODE};
    vsdk_status status = vsdk_pc_boot(pc, &config, error);

    return status ? status : vsdk_boot_apply(vsdk_pc_vcpu(pc, 0), &entry, error);
}

/* A machine of the library's, made and thrown away. */
static vsdk_status make_pc(struct scenario *s, vsdk_error *error)
{
    vsdk_pc_config config = {.size = sizeof config, .memory = 2 << 20};
    vsdk_pc *pc = NULL;
    vsdk_status status = vsdk_pc_create(s->host, &config, &pc, error);

    if (!status)
        status = boot_pc(pc, error);
    vsdk_pc_close(pc);
    return status;
}

static vsdk_status set_cpuid(struct scenario *s, vsdk_error *error)
{
    vsdk_x86_cpuid_entry entries[256];
    uint32_t count;
    vsdk_status status = vsdk_x86_host_get_cpuid(s->host, entries, 256, &count, error);

    if (!status)
        status = vsdk_x86_vm_set_cpuid(s->vm, entries, count, error);
    return status == VSDK_ERROR_UNSUPPORTED ? VSDK_OK : status;
}

static vsdk_status create_ram(struct scenario *s, vsdk_error *error)
{
    return vsdk_ram_create(s->vm, RAM_BYTES, NULL, &s->ram, error);
}

static vsdk_status map(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_map(s->vm, 0, s->ram, 0, RAM_BYTES, 0, error);
}

static vsdk_status fill(struct scenario *s, vsdk_error *error)
{
    uint8_t *memory = vsdk_ram_data(s->ram);

    start_write_tables(memory);
    memcpy(memory + CODE, guest_out_forever.code,
           (size_t)(guest_out_forever.end - guest_out_forever.code));
    return vsdk_ram_mark_dirty(s->ram, 0, RAM_BYTES, error);
}

static uint64_t on_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user;
    (void)device;
    return access->width;
}

static vsdk_status create_device(struct scenario *s, vsdk_error *error)
{
    vsdk_device_ops ops = {.size = sizeof ops, .read = on_read, .release = released};
    vsdk_device_config config = {.size = sizeof config, .name = "faults"};

    return vsdk_device_create(s->vm, &ops, promise(s, 1), &config, &s->device, error);
}

static vsdk_status attach_device(struct scenario *s, vsdk_error *error)
{
    return vsdk_device_add_range(s->device, VSDK_SPACE_PIO, PORT_IN, 1, 0, error);
}

static vsdk_status attach_mmio(struct scenario *s, vsdk_error *error)
{
    return vsdk_device_add_range(s->device, VSDK_SPACE_MMIO, MMIO, 0x1000, 1, error);
}

static vsdk_status create_virtio(struct scenario *s, vsdk_error *error)
{
    vsdk_virtio_ops ops = {.size = sizeof ops, .release = released};
    vsdk_virtio_config config = {.size = sizeof config, .type = 42, .queues = 2, .queue_size = 8};

    return vsdk_virtio_create(s->vm, &ops, promise(s, 7), &config, &s->virtio, error);
}

static vsdk_status set_virtio_loop(struct scenario *s, vsdk_error *error)
{
    vsdk_loop *loop = vsdk_vm_loop(s->vm, error);

    return loop ? vsdk_virtio_set_loop(s->virtio, 1, loop, error) : error->code;
}

static vsdk_status attach_virtio(struct scenario *s, vsdk_error *error)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = MMIO + 0x2000, .gsi = 9};

    return vsdk_virtio_attach(s->virtio, &place, error);
}

static vsdk_status open_share(struct scenario *s, vsdk_error *error)
{
    vsdk_share_config config = {.size = sizeof config, .path = "/tmp"};

    return vsdk_share_open(&config, &s->share, error);
}

static vsdk_status reset_share(struct scenario *s, vsdk_error *error)
{
    return vsdk_share_reset(s->share, error);
}

static vsdk_status save_share(void *user, vsdk_device *device, vsdk_state_writer *writer,
                              vsdk_error *error)
{
    return vsdk_share_save(user, writer, error);
}

static vsdk_status load_share(void *user, vsdk_device *device, vsdk_state_reader *reader,
                              vsdk_error *error)
{
    return vsdk_share_load(user, reader, error);
}

/* In a state of a device that is there for that. */
static vsdk_status move_share(struct scenario *s, vsdk_error *error)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .save = save_share, .load = load_share};
    uint8_t state[1024];
    vsdk_device *device = NULL;
    uint64_t needed;
    vsdk_status status = vsdk_device_create(s->vm, &ops, s->share, NULL, &device, error);

    if (!status)
        status = vsdk_device_save(device, state, sizeof state, &needed, error);
    if (!status)
        status = vsdk_device_load(device, state, needed, error);
    vsdk_device_close(device);
    return status;
}

static vsdk_status create_fs(struct scenario *s, vsdk_error *error)
{
    vsdk_virtio_fs_config config = {.size = sizeof config, .share = s->share, .tag = "fs"};
    vsdk_device *device = NULL;
    vsdk_status status = vsdk_virtio_fs_create(s->vm, &config, &device, error);

    vsdk_device_close(device);
    return status;
}

static vsdk_status detach_virtio(struct scenario *s, vsdk_error *error)
{
    return vsdk_virtio_detach(s->virtio, error);
}

static vsdk_status create_vsock(struct scenario *s, vsdk_error *error)
{
    char path[PATH_BYTES];
    vsdk_virtio_vsock_config config = {.size = sizeof config, .cid = 3, .path = path};

    get_socket_path(path);
    return vsdk_virtio_vsock_create(s->vm, &config, &s->vsock, error);
}

static vsdk_status listen_vsock(struct scenario *s, vsdk_error *error)
{
    return vsdk_virtio_vsock_listen(s->vsock, 5, 0, error);
}

static vsdk_status connect_vsock(struct scenario *s, vsdk_error *error)
{
    int32_t fd;
    vsdk_status status = vsdk_virtio_vsock_connect(s->vsock, 5, &fd, error);

    if (!status)
        syscall(SYS_close, fd); /* close would be where a cancelled thread ends */
    return status;
}

static vsdk_status create_rng(struct scenario *s, vsdk_error *error)
{
    vsdk_virtio_rng_config config = {
        .size = sizeof config, .user = promise(s, 8), .release = released};

    return vsdk_virtio_rng_create(s->vm, &config, &s->rng, error);
}

static vsdk_status create_events(struct scenario *s, vsdk_error *error)
{
    const vsdk_ged_config config = {.size = sizeof config, .gsi = 10};

    return vsdk_ged_create(s->vm, &config, &s->events, error);
}

static vsdk_status create_pci(struct scenario *s, vsdk_error *error)
{
    const vsdk_pci_config config = {.size = sizeof config, .events = s->events};

    return vsdk_pci_create(s->vm, &config, &s->pci, error);
}

static vsdk_status create_function(struct scenario *s, vsdk_error *error)
{
    const vsdk_pci_function_ops ops = {.size = sizeof ops, .release = released};
    const vsdk_pci_function_config config = {
        .size = sizeof config, .vendor_id = 0x1234, .vectors = 1, .bars = {{.length = 0x2000}}};

    return vsdk_pci_function_create(s->vm, &ops, promise(s, 10), &config, &s->function, error);
}

static vsdk_status attach_function(struct scenario *s, vsdk_error *error)
{
    return vsdk_pci_function_attach(s->function, s->pci, VSDK_PCI_ANY, error);
}

static vsdk_status save_function(void *user, vsdk_device *device, vsdk_state_writer *writer,
                                 vsdk_error *error)
{
    struct scenario *s = user;

    (void)device;
    return vsdk_pci_function_save(s->function, writer, error);
}

static vsdk_status load_function(void *user, vsdk_device *device, vsdk_state_reader *reader,
                                 vsdk_error *error)
{
    struct scenario *s = user;

    (void)device;
    return vsdk_pci_function_load(s->function, reader, error);
}

/* The device beside whose state the function's is. */
static vsdk_status create_owner(struct scenario *s, vsdk_error *error)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .save = save_function, .load = load_function};

    return vsdk_device_create(s->vm, &ops, s, NULL, &s->owner, error);
}

static vsdk_status move_function(struct scenario *s, vsdk_error *error)
{
    uint8_t state[1024];
    uint64_t length;
    vsdk_status status = vsdk_device_save(s->owner, state, sizeof state, &length, error);

    return status ? status : vsdk_device_load(s->owner, state, length, error);
}

/* No guest answers: the time is longer than the scenario. */
static vsdk_status eject_function(struct scenario *s, vsdk_error *error)
{
    return vsdk_pci_function_eject(s->function, UINT64_C(3600000000000), error);
}

static vsdk_status detach_function(struct scenario *s, vsdk_error *error)
{
    return vsdk_pci_function_detach(s->function, error);
}

/* Of streams that nobody is at the other end of. */
static vsdk_status create_console(struct scenario *s, vsdk_error *error)
{
    vsdk_stream *near = NULL, *far = NULL;
    vsdk_status status = vsdk_stream_create(NULL, &near, &far, error);
    vsdk_virtio_port port = {.stream = far};
    vsdk_virtio_console_config config = {.size = sizeof config,
                                         .ports = &port,
                                         .port_count = 1,
                                         .user = promise(s, 9),
                                         .release = released};

    if (!status)
        status = vsdk_virtio_console_create(s->vm, &config, &s->console, error);
    else
        released(config.user);
    vsdk_stream_close(near);
    vsdk_stream_close(far);
    return status;
}

static vsdk_status connect_console(struct scenario *s, vsdk_error *error)
{
    vsdk_stream *near = NULL, *far = NULL;
    vsdk_status status = vsdk_stream_create(NULL, &near, &far, error);

    if (!status)
        status = vsdk_virtio_console_connect(s->console, 0, far, error);
    vsdk_stream_close(near);
    vsdk_stream_close(far);
    return status;
}

static void on_done(void *user, vsdk_disk_request *request)
{
    (void)user;
    (void)request;
}

static void on_resized(void *user, vsdk_disk *disk, uint64_t capacity)
{
    (void)user;
    (void)disk;
    (void)capacity;
}

static vsdk_status on_disk_read(void *user, uint64_t offset, void *buffer, uint64_t length,
                                vsdk_error *error)
{
    (void)user;
    (void)offset;
    (void)error;
    memset(buffer, 0, length);
    return VSDK_OK;
}

/* Who submits to it, and who is told. */
static vsdk_status use_disk(struct scenario *s, vsdk_disk *disk, vsdk_error *error)
{
    const vsdk_virtio_block_config config = {.size = sizeof config, .disk = disk};
    vsdk_disk_channel *channel = NULL;
    vsdk_disk_watch *watch = NULL;
    vsdk_device *device = NULL;
    vsdk_status status = vsdk_disk_channel_create(disk, on_done, NULL, NULL, &channel, error);

    if (!status)
        status = vsdk_disk_watch_create(disk, on_resized, NULL, NULL, &watch, error);
    if (!status)
        status = vsdk_virtio_block_create(s->vm, &config, &device, error);
    vsdk_device_close(device);
    vsdk_disk_watch_close(watch);
    vsdk_disk_channel_close(channel);
    return status;
}

/* Disks of each kind, made and thrown away. */
static vsdk_status make_disks(struct scenario *s, vsdk_error *error)
{
    const vsdk_disk_ops ops = {.size = sizeof ops, .read = on_disk_read};
    vsdk_disk_custom config = {.size = sizeof config, .capacity = 4096};
    vsdk_disk *disk = NULL;
    vsdk_status status = vsdk_disk_create_memory(&config, &disk, error);

    if (!status)
        status = use_disk(s, disk, error);
    vsdk_disk_close(disk);
    disk = NULL;
    if (!status)
        status = vsdk_disk_create(&ops, NULL, &config, &disk, error);
    vsdk_disk_close(disk);
    return status;
}

static vsdk_status make_image(struct scenario *s, vsdk_error *error)
{
    char path[64];
    vsdk_disk_image image = {
        .size = sizeof image, .path = path, .format = VSDK_DISK_RAW, .capacity = 4096};
    vsdk_disk_config config = {.size = sizeof config, .path = path};
    vsdk_disk *disk = NULL;

    (void)s;
    snprintf(path, sizeof path, "/tmp/vsdk-faults-disk-%d", (int)getpid());
    unlink(path);
    vsdk_status status = vsdk_disk_create_image(&image, error);
    if (!status)
        status = vsdk_disk_open(&config, &disk, error);
    vsdk_disk_close(disk);
    unlink(path);
    return status;
}

static vsdk_status check_image(struct scenario *s, vsdk_error *error)
{
    char path[64];
    vsdk_disk_image image = {
        .size = sizeof image, .path = path, .format = VSDK_DISK_QCOW2, .capacity = 1 << 20};
    vsdk_disk_config config = {.size = sizeof config, .path = path, .format = VSDK_DISK_QCOW2};
    vsdk_disk_report report = {.size = sizeof report};
    const uint8_t sector[512] = {1};
    vsdk_disk *disk = NULL;

    (void)s;
    snprintf(path, sizeof path, "/tmp/vsdk-faults-image-%d", (int)getpid());
    unlink(path);
    vsdk_status status = vsdk_disk_create_image(&image, error);
    if (!status)
        status = vsdk_disk_open(&config, &disk, error);
    if (!status)
        status = vsdk_disk_write(disk, 0, sector, sizeof sector, error);
    if (!status)
        status = vsdk_disk_flush(disk, error);
    vsdk_disk_close(disk);
    disk = NULL;
    if (!status)
        status = vsdk_disk_open(&config, &disk, error);
    if (!status)
        status = vsdk_disk_check(disk, 0, &report, error);
    vsdk_disk_close(disk);
    unlink(path);
    return status;
}

static vsdk_status attach_range(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_add_range(s->vm, VSDK_SPACE_PIO, TAGGED, 4, 9, error);
}

static int has(const struct scenario *s, vsdk_capability what)
{
    vsdk_capability_info info = {.size = sizeof info};

    return !vsdk_host_query(s->host, what, &info, NULL) && info.answer != VSDK_ANSWER_NO;
}

static vsdk_status create_first(struct scenario *s, vsdk_error *error)
{
    vsdk_vcpu_config config = {.size = sizeof config};

    if (has(s, VSDK_CAPABILITY_SYNC_GENERAL) && has(s, VSDK_CAPABILITY_SYNC_SREGS))
        config.flags = VSDK_VCPU_SYNC_GENERAL | VSDK_VCPU_SYNC_SREGS;
    return vsdk_vcpu_create(s->vm, 0, &config, &s->vcpu, error);
}

static vsdk_status create_second(struct scenario *s, vsdk_error *error)
{
    return vsdk_vcpu_create(s->vm, 1, NULL, &s->second, error);
}

static vsdk_status create_loop(struct scenario *s, vsdk_error *error)
{
    return vsdk_loop_create(&s->loop, error);
}

static vsdk_status get_loop(struct scenario *s, vsdk_error *error)
{
    vsdk_error why = {0};

    s->own_loop = vsdk_vm_loop(s->vm, &why);
    if (!s->own_loop)
        *error = why;
    return s->own_loop ? VSDK_OK : why.code;
}

static void on_ready(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)user;
    (void)watch;
    (void)descriptor;
    (void)events;
}

static void on_due(void *user, vsdk_timer *timer)
{
    (void)user;
    (void)timer;
}

static void on_work(void *user, vsdk_work *work)
{
    (void)user;
    (void)work;
}

static void on_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    (void)user;
    (void)vm;
    (void)gsi;
    (void)level;
}

static vsdk_status create_watch(struct scenario *s, vsdk_error *error)
{
    return vsdk_watch_create(s->loop, s->device, s->pipe[0], VSDK_LOOP_READ, on_ready,
                             promise(s, 2), released, &s->watch, error);
}

static vsdk_status change_watch(struct scenario *s, vsdk_error *error)
{
    return vsdk_watch_set_events(s->watch, VSDK_LOOP_READ | VSDK_LOOP_ERROR, error);
}

static vsdk_status create_timer(struct scenario *s, vsdk_error *error)
{
    return vsdk_timer_create(s->own_loop, NULL, on_due, promise(s, 3), released, &s->timer, error);
}

static vsdk_status arm_timer(struct scenario *s, vsdk_error *error)
{
    return vsdk_timer_arm(s->timer, 1, 0, error);
}

static vsdk_status create_work(struct scenario *s, vsdk_error *error)
{
    return vsdk_work_create(s->loop, NULL, on_work, promise(s, 4), released, &s->work, error);
}

static vsdk_status post_work(struct scenario *s, vsdk_error *error)
{
    return vsdk_work_post(s->work, error);
}

static vsdk_status dispatch(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_loop_dispatch(s->loop, 1000000, NULL, error);

    return status ? status : vsdk_loop_dispatch(s->own_loop, 1000000, NULL, error);
}

static vsdk_status create_stream(struct scenario *s, vsdk_error *error)
{
    return vsdk_stream_create(NULL, &s->near, &s->far, error);
}

static void on_stream(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user;
    (void)stream;
    (void)events;
}

static vsdk_status handle_stream(struct scenario *s, vsdk_error *error)
{
    return vsdk_stream_set_handler(s->near, on_stream, promise(s, 6), released, error);
}

static vsdk_status describe_stream(struct scenario *s, vsdk_error *error)
{
    vsdk_error why = {0};

    if (vsdk_stream_descriptor(s->far, &why) >= 0)
        return VSDK_OK;
    *error = why;
    return why.code;
}

static vsdk_status use_stream(struct scenario *s, vsdk_error *error)
{
    char byte;
    uint64_t got;
    vsdk_status status = vsdk_stream_write(s->near, "x", 1, NULL, error);

    return status ? status : vsdk_stream_read(s->far, &byte, 1, &got, error);
}

static vsdk_status create_doorbell(struct scenario *s, vsdk_error *error)
{
    vsdk_doorbell_config config = {.size = sizeof config, .address = 0x2000, .width = 4};

    return vsdk_doorbell_create(s->vm, &config, &s->doorbell, error);
}

static vsdk_status take_doorbell(struct scenario *s, vsdk_error *error)
{
    uint64_t rings;

    return vsdk_doorbell_take(s->doorbell, &rings, error);
}

static vsdk_status attach_controller(struct scenario *s, vsdk_error *error)
{
    return vsdk_irq_controller_attach(s->vm, 0, 24, on_line, promise(s, 5), released, error);
}

static vsdk_status create_irq(struct scenario *s, vsdk_error *error)
{
    return vsdk_irq_create(s->vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4},
                           &s->irq, error);
}

static vsdk_status pulse(struct scenario *s, vsdk_error *error)
{
    return vsdk_irq_pulse(s->irq, error);
}

static vsdk_status set_registers(struct scenario *s, vsdk_error *error)
{
    vsdk_x86_regs regs = {.rip = CODE, .rsp = STACK, .rflags = 2};
    vsdk_x86_sregs sregs;
    vsdk_status status =
        vsdk_vcpu_get_state(s->vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);

    if (status)
        return status;
    start_set_long_mode(&sregs, 0);
    status = vsdk_vcpu_set_state(s->vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);
    return status
               ? status
               : vsdk_vcpu_set_state(s->vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), error);
}

/* A change that the hypervisor is to judge, there and back. */
static vsdk_status write_areas(struct scenario *s, vsdk_error *error)
{
    const vsdk_vcpu_flags classes = VSDK_VCPU_SYNC_GENERAL | VSDK_VCPU_SYNC_SREGS;
    vsdk_x86_regs *regs = vsdk_x86_vcpu_sync_regs(s->vcpu);
    vsdk_x86_sregs *sregs = vsdk_x86_vcpu_sync_sregs(s->vcpu);
    vsdk_status status;

    if (!regs)
        return VSDK_OK;
    status = vsdk_vcpu_get_state(s->vcpu, VSDK_X86_REGS, regs, sizeof *regs, error);
    if (!status)
        status = vsdk_vcpu_get_state(s->vcpu, VSDK_X86_SREGS, sregs, sizeof *sregs, error);
    for (int i = 0; i < 2 && !status; i++) {
        sregs->cr0 ^= 1 << 16; /* WP */
        status = vsdk_x86_vcpu_sync_write(s->vcpu, classes, error);
    }
    return status;
}

/* A processor that waits to be started. */
static vsdk_status set_second_registers(struct scenario *s, vsdk_error *error)
{
    vsdk_x86_regs regs = {.rflags = 2};

    return vsdk_vcpu_set_state(s->second, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), error);
}

static vsdk_status resume(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_resume(s->vm, error);
}

static vsdk_status run(struct scenario *s, vsdk_error *error)
{
    vsdk_exit *exit = vsdk_vcpu_record(s->vcpu);
    vsdk_status status;

    do
        status = vsdk_vcpu_run(s->vcpu, VSDK_FOREVER, error);
    while (!status && exit->reason == VSDK_EXIT_KICKED);
    return status;
}

static vsdk_status run_to_deadline(struct scenario *s, vsdk_error *error)
{
    return vsdk_vcpu_run(s->second, 1000000, error);
}

static vsdk_status kick(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_vcpu_kick(s->second, error);

    return status ? status : vsdk_vcpu_run(s->second, 1000000, error);
}

static vsdk_status pause_vm(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_pause(s->vm, 0, VSDK_FOREVER, error);
}

static vsdk_status complete(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_vcpu_complete(s->vcpu, error);

    return status == VSDK_ERROR_UNSUPPORTED ? VSDK_OK : status;
}

static vsdk_status drain(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_vm_pause(s->vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, error);

    return status == VSDK_ERROR_UNSUPPORTED ? VSDK_OK : status;
}

static vsdk_status read_registers(struct scenario *s, vsdk_error *error)
{
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
    vsdk_x86_fpu fpu;
    vsdk_status status =
        vsdk_vcpu_get_state(s->vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), error);

    if (!status)
        status =
            vsdk_vcpu_get_state(s->vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);
    if (status)
        return status;
    status = vsdk_vcpu_get_state(s->vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), error);
    if (!status)
        status = vsdk_vcpu_set_state(s->vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), error);
    return status == VSDK_ERROR_UNSUPPORTED || status == VSDK_ERROR_STATE ? VSDK_OK : status;
}

static vsdk_status look(struct scenario *s, vsdk_error *error)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_vcpu_counters counters = {.size = sizeof counters};
    vsdk_x86_cpuid_entry entry;
    uint32_t needed;
    vsdk_status status = vsdk_vm_get_info(s->vm, &info, error);

    if (!status)
        status = vsdk_vcpu_get_counters(s->vcpu, &counters, error);
    if (!status)
        status = vsdk_x86_vcpu_get_cpuid(s->vcpu, 1, 0, &entry, error);
    return status ? status : vsdk_vm_list_reserved(s->vm, NULL, 0, &needed, error);
}

static vsdk_status use_gate(struct scenario *s, vsdk_error *error)
{
    uint64_t value = 5;
    vsdk_status status = vsdk_vm_write(s->vm, DATA, &value, sizeof value, error);

    return status ? status : vsdk_vm_read(s->vm, DATA, &value, sizeof value, error);
}

static vsdk_status pin(struct scenario *s, vsdk_error *error)
{
    s->view = (vsdk_dma_view){.size = sizeof s->view};
    return vsdk_dma_map(s->device, DATA, 64, VSDK_DMA_FROM_GUEST, &s->view, error);
}

static vsdk_status enter(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_device_enter(s->device, error);

    if (!status)
        vsdk_device_leave(s->device);
    return status;
}

static vsdk_status create_msi(struct scenario *s, vsdk_error *error)
{
    vsdk_msi_config config = {.size = sizeof config, .device = s->device};

    return vsdk_msi_create(s->vm, &config, &s->msi, error);
}

static vsdk_status send_own(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_msi_send(s->msi, error);

    return status ? status : vsdk_msi_set(s->msi, MSI_TO_FIRST, VECTOR + 1, error);
}

static vsdk_status describe_msi(struct scenario *s, vsdk_error *error)
{
    vsdk_error why = {0};

    if (!has(s, VSDK_CAPABILITY_MSI_DESCRIPTOR) || vsdk_msi_descriptor(s->msi, &why) >= 0)
        return VSDK_OK;
    *error = why;
    return why.code;
}

/* The hypervisor hears of the message now, where there is a descriptor. */
static vsdk_status set_msi(struct scenario *s, vsdk_error *error)
{
    return vsdk_msi_set(s->msi, MSI_TO_FIRST, VECTOR, error);
}

static vsdk_status create_extra(struct scenario *s, vsdk_error *error)
{
    vsdk_ram_config config = {.size = sizeof config};

    config.flags = has(s, VSDK_CAPABILITY_DIRTY) ? VSDK_RAM_TRACKED : 0;
    return vsdk_ram_create(s->vm, EXTRA_BYTES, &config, &s->extra, error);
}

static vsdk_status create_shared(struct scenario *s, vsdk_error *error)
{
    const vsdk_ram_config config = {
        .size = sizeof config, .backing = VSDK_RAM_MEMFD, .sharing = VSDK_RAM_SHARED};

    if (!has(s, VSDK_CAPABILITY_RAM_SHARED))
        return VSDK_OK;
    return vsdk_ram_create(s->vm, EXTRA_BYTES, &config, &s->shared, error);
}

static vsdk_status create_own(struct scenario *s, vsdk_error *error)
{
    static _Alignas(4096) char pages[4096];
    const vsdk_ram_config config = {
        .size = sizeof config, .backing = VSDK_RAM_CALLER, .address = pages};

    if (!has(s, VSDK_CAPABILITY_RAM_CALLER))
        return VSDK_OK;
    return vsdk_ram_create(s->vm, sizeof pages, &config, &s->own, error);
}

/* A change stands where the guest did not go on after it: then that is what is left to do. */
static int is_mapped(struct scenario *s)
{
    uint8_t byte;

    return vsdk_vm_read(s->vm, EXTRA_RAM, &byte, sizeof byte, NULL) == VSDK_OK;
}

static vsdk_status map_extra(struct scenario *s, vsdk_error *error)
{
    if (is_mapped(s))
        return vsdk_vm_resume(s->vm, error);
    return vsdk_vm_map(s->vm, EXTRA_RAM, s->extra, 0, EXTRA_BYTES, 0, error);
}

static vsdk_status harvest_extra(struct scenario *s, vsdk_error *error)
{
    vsdk_ram_range range;
    uint64_t cursor = 0;
    uint32_t count;

    if (!has(s, VSDK_CAPABILITY_DIRTY))
        return VSDK_OK;
    return vsdk_ram_get_dirty(s->extra, 0, &cursor, &range, 1, &count, error);
}

static vsdk_status protect_extra(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_protect(s->vm, EXTRA_RAM, EXTRA_BYTES, VSDK_MAP_READONLY, error);
}

static vsdk_status unmap_extra(struct scenario *s, vsdk_error *error)
{
    if (!is_mapped(s))
        return vsdk_vm_resume(s->vm, error);
    return vsdk_vm_unmap(s->vm, EXTRA_RAM, EXTRA_BYTES, error);
}

static vsdk_status send_msi(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_send_msi(s->vm, MSI_TO_FIRST, VECTOR, error);
}

static vsdk_status inject_nmi(struct scenario *s, vsdk_error *error)
{
    return vsdk_x86_vcpu_inject_nmi(s->second, error);
}

static vsdk_status detach_range(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_remove_range(s->vm, VSDK_SPACE_PIO, TAGGED, error);
}

static vsdk_status detach_device(struct scenario *s, vsdk_error *error)
{
    return vsdk_device_detach(s->device, error);
}

static vsdk_status detach_controller(struct scenario *s, vsdk_error *error)
{
    return vsdk_irq_controller_detach(s->vm, 0, error);
}

/* Without exits, whose number would change from time to time. */
static vsdk_status run_vm(struct scenario *s, vsdk_error *error)
{
    static const uint8_t spin[] = {0xeb, 0xfe};
    uint8_t code[64];
    vsdk_exit end;

    memset(code, 0x90, sizeof code);
    memcpy(code + sizeof code - sizeof spin, spin, sizeof spin);
    vsdk_status status = vsdk_vm_write(s->vm, CODE, code, sizeof code, error);
    if (status)
        return status;
    return vsdk_vm_run(s->vm, NULL, RUN_NS, &end, error);
}

static vsdk_status stop(struct scenario *s, vsdk_error *error)
{
    vsdk_status status = vsdk_vm_stop(s->vm, VSDK_EXIT_STOP, 1, 0, error);

    return status ? status : vsdk_vcpu_run(s->vcpu, VSDK_FOREVER, error);
}

static vsdk_status reset(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_reset(s->vm, VSDK_FOREVER, error);
}

static vsdk_status destroy(struct scenario *s, vsdk_error *error)
{
    return vsdk_vm_destroy(s->vm, error);
}

const struct scenario_step scenario_steps[] = {
    {"host_open", open_host},
    {"host_query", query},
    {"host_get_cpuid", host_cpuid},
    {"host_reap", reap},
    {"vm_create", create_vm},
    {"vm_create kernel", other_vm},
    {"pc_create", make_pc},
    {"vm_set_cpuid", set_cpuid},
    {"ram_create", create_ram},
    {"vm_map", map},
    {"ram_data", fill},
    {"ram_create shared", create_shared},
    {"ram_create of the caller's", create_own},
    {"device_create", create_device},
    {"device_attach ports", attach_device},
    {"device_attach memory", attach_mmio},
    {"virtio_create", create_virtio},
    {"virtio_set_loop", set_virtio_loop},
    {"virtio_attach", attach_virtio},
    {"virtio_vsock_create", create_vsock},
    {"virtio_vsock_listen", listen_vsock},
    {"virtio_vsock_connect", connect_vsock},
    {"virtio_rng_create", create_rng},
    {"virtio_console_create", create_console},
    {"virtio_console_connect", connect_console},
    {"ged_create", create_events},
    {"pci_create", create_pci},
    {"pci_function_create", create_function},
    {"pci_function_attach", attach_function},
    {"device_create of the function's", create_owner},
    {"pci_function_save", move_function},
    {"share_open", open_share},
    {"share_reset", reset_share},
    {"share_save", move_share},
    {"virtio_fs_create", create_fs},
    {"range_attach", attach_range},
    {"vcpu_create 0", create_first},
    {"vcpu_create 1", create_second},
    {"loop_create", create_loop},
    {"vm_loop", get_loop},
    {"watch_create", create_watch},
    {"watch_set_events", change_watch},
    {"timer_create", create_timer},
    {"timer_arm", arm_timer},
    {"work_create", create_work},
    {"work_post", post_work},
    {"loop_dispatch", dispatch},
    {"stream_create", create_stream},
    {"stream_set_handler", handle_stream},
    {"stream_descriptor", describe_stream},
    {"stream_write", use_stream},
    {"doorbell_create", create_doorbell},
    {"doorbell_take", take_doorbell},
    {"irq_controller_attach", attach_controller},
    {"irq_create", create_irq},
    {"irq_pulse", pulse},
    {"vcpu_set_regs", set_registers},
    {"sync_write", write_areas},
    {"vcpu_set_regs of the second", set_second_registers},
    {"vm_resume", resume},
    {"vcpu_run", run},
    {"vcpu_run again", run},
    {"vcpu_run to a deadline", run_to_deadline},
    {"vcpu_kick", kick},
    {"dma_map", pin},
    {"device_enter", enter},
    {"msi_create", create_msi},
    {"msi_descriptor", describe_msi},
    {"msi_set", set_msi},
    {"msi_send", send_own},
    {"vm_map in RUNNING", create_extra},
    {"vm_map in RUNNING", map_extra},
    {"ram_get_dirty", harvest_extra},
    {"vm_protect", protect_extra},
    {"vm_unmap", unmap_extra},
    {"vm_pause", pause_vm},
    {"vcpu_complete", complete},
    {"vcpu_get_regs", read_registers},
    {"vm_get_info", look},
    {"dma_read", use_gate},
    {"vm_send_msi", send_msi},
    {"vcpu_inject_nmi", inject_nmi},
    {"vm_resume again", resume},
    {"vcpu_run after a pause", run},
    {"range_detach", detach_range},
    {"disks", make_disks},
    {"disk_image", make_image},
    {"disk_check", check_image},
    {"pci_function_eject", eject_function},
    {"pci_function_detach", detach_function},
    {"networks", scenario_networks},
    {"virtio_detach", detach_virtio},
    {"device_detach", detach_device},
    {"irq_controller_detach", detach_controller},
    {"vm_pause again", pause_vm},
    {"vm_drain", drain},
    {"vm_run", run_vm},
    {"vm_stop", stop},
    {"vm_reset", reset},
    {"vcpu_set_regs after a reset", set_registers},
    {"vm_resume after a reset", resume},
    {"vcpu_run to a deadline after a reset", run_to_deadline},
    {"vm_destroy", destroy},
};
const unsigned scenario_step_count = sizeof scenario_steps / sizeof *scenario_steps;

void scenario_end(struct scenario *s)
{
    vsdk_dma_unmap(&s->view);
    vsdk_work_close(s->work);
    vsdk_timer_close(s->timer);
    vsdk_watch_close(s->watch);
    vsdk_doorbell_close(s->doorbell);
    vsdk_share_close(s->share);
    vsdk_stream_close(s->near);
    vsdk_stream_close(s->far);
    vsdk_msi_close(s->msi);
    vsdk_irq_close(s->irq);
    vsdk_device_close(s->owner);
    vsdk_device_close(s->function);
    vsdk_device_close(s->pci);
    vsdk_device_close(s->events);
    vsdk_device_close(s->console);
    vsdk_device_close(s->rng);
    vsdk_device_close(s->virtio);
    vsdk_device_close(s->vsock);
    vsdk_device_close(s->device);
    vsdk_vcpu_close(s->second);
    vsdk_vcpu_close(s->vcpu);
    vsdk_ram_close(s->own);
    vsdk_ram_close(s->shared);
    vsdk_ram_close(s->extra);
    vsdk_ram_close(s->ram);
    vsdk_vm_close(s->vm);
    vsdk_loop_close(s->loop);
    vsdk_host_close(s->host);
    remove_socket();
    close(s->pipe[0]);
    close(s->pipe[1]);
}
