/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, devices, interrupts, doorbells and loops. */
#include "calls.h"
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void ram_create(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_ram_config config = {.size = sizeof config, .backing = take8() < 0xf0 ? 0 : take8() % 6};
    uint64_t bytes = take8() < 0xf0 ? (1 + take8() % 8) * 0x1000ull : take_number();

    if (calls.rams[slot] || bytes > 1ull << 40)
        return;
    CALL(vsdk_ram_create, vm, bytes, &config, &calls.rams[slot]);
}

static void ram_close(void)
{
    unsigned slot = take_slot();

    vsdk_ram_close(calls.rams[slot]);
    calls.rams[slot] = NULL;
}

static void ram_touch(void)
{
    vsdk_ram *ram = calls.rams[take_slot()];
    void *data = vsdk_ram_data(ram);

    demand(!data == !ram, "memory is somewhere");
    if (data && vsdk_ram_size(ram) <= 0x10000)
        memset(data, take8(), vsdk_ram_size(ram));
}

static uint64_t take_length(void)
{
    uint8_t byte = take8();

    return byte < 0xf0 ? (1 + byte % 8) * 0x1000ull : take_number();
}

static void vm_map(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_ram *ram = calls.rams[take_slot()];

    CALL(vsdk_vm_map, vm, take_address(), ram, (take8() & 3) * 0x1000, take_length(), take8() & 1);
}

static void vm_unmap(void)
{
    CALL(vsdk_vm_unmap, calls.vms[take_slot()], take_address(), take_length());
}

static void vm_protect(void)
{
    CALL(vsdk_vm_protect, calls.vms[take_slot()], take_address(), take_length(), take8() % 3);
}

static void dma(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    uint8_t bytes[64];
    uint64_t length = take8() % sizeof bytes;

    if (CALL(vsdk_vm_read, vm, take_address(), bytes, length) == VSDK_OK)
        CALL(vsdk_vm_write, vm, take_address(), bytes, length);
}

static void dma_map(void)
{
    unsigned slot = take_slot();
    vsdk_dma_view view = {.size = sizeof view};

    vsdk_dma_unmap(&calls.views[slot]);
    if (CALL(vsdk_dma_map, calls.devices[take_slot()], take_address(), take_length(), take8() & 3,
             &view) == VSDK_OK) {
        *(volatile uint8_t *)view.data;
        calls.views[slot] = view;
    }
}

static uint64_t on_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user;
    demand(device && access->vcpu && access->value == 0, "a read");
    (void)access->region;
    (void)access->offset;
    nest();
    return access->width;
}

static void on_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user;
    (void)access->region;
    (void)access->offset;
    (void)access->value;
    demand(device && access->vcpu && access->width <= 8, "a write");
    nest();
}

static void on_event(void *user, vsdk_device *device)
{
    (void)user;
    demand(device != NULL, "a device");
    nest();
}

/* Not done at once, now and then: then its device is kept until calls_settle. */
static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    (void)user;
    demand(mode <= VSDK_STOP_PARK, "a mode");
    nest();
    if (calls.threads || calls.endless || !calls.left || calls.pending_count == PENDING_MOST ||
        calls.ops % 4)
        return VSDK_STOP_DONE;
    calls.pending[calls.pending_count++] = vsdk_device_ref(device);
    return VSDK_STOP_PENDING;
}

void calls_settle(void)
{
    while (calls.pending_count) {
        vsdk_device *device = calls.pending[--calls.pending_count];

        CALL(vsdk_device_stopped, device);
        vsdk_device_close(device);
    }
}

/* What a device of this kind has to say is one number; more is left to the other tests. */
static vsdk_status on_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                           vsdk_error *error)
{
    (void)user;
    return vsdk_state_put_number(writer, device ? "number" : "", 7, error);
}

static vsdk_status on_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                           vsdk_error *error)
{
    uint64_t number = 0;
    vsdk_status status = vsdk_state_get_number(reader, "number", 7, &number, error);

    (void)user;
    demand(device && number <= 7, "a number within its bound");
    return status;
}

static void on_timer(void *user, vsdk_timer *timer)
{
    (void)user;
    demand(timer != NULL, "a timer");
    nest();
}

static void on_work(void *user, vsdk_work *work)
{
    (void)user;
    demand(work != NULL, "work");
    nest();
}

static void on_stream(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user;
    demand(stream && events, "something happened at an end");
    nest();
}

static void on_ready(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)user;
    (void)descriptor;
    demand(watch && events != 0, "events");
    nest();
}

static void on_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    (void)user;
    (void)gsi;
    demand(vm && level <= 1, "a level");
    nest();
}

static const vsdk_device_ops device_ops = {.size = sizeof device_ops,
                                           .read = on_read,
                                           .write = on_write,
                                           .start = on_event,
                                           .stop = on_stop,
                                           .reset = on_event,
                                           .save = on_save,
                                           .load = on_load,
                                           .release = on_release};

static void device_create(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_device_config config = {.size = sizeof config, .flags = take8() % 3, .name = "fuzz"};
    void *user = calls.devices[slot] ? NULL : promise();

    if (user)
        CALL(vsdk_device_create, vm, &device_ops, user, &config, &calls.devices[slot]);
}

static void on_notify(void *user, vsdk_device *device, uint32_t queue)
{
    vsdk_virtio_chain chain;

    (void)user;
    while (!vsdk_virtio_pop(device, queue, &chain, NULL))
        vsdk_virtio_push(device, &chain, 0, NULL);
}

static void virtio_create(void)
{
    static const vsdk_virtio_ops ops = {
        .size = sizeof ops, .notify = on_notify, .release = on_release};
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_virtio_config config = {
        .size = sizeof config, .type = 42, .queues = take8() % 4, .queue_size = 8};
    void *user = calls.devices[slot] ? NULL : promise();

    if (user)
        CALL(vsdk_virtio_create, vm, &ops, user, &config, &calls.devices[slot]);
}

static void virtio_rng(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_virtio_rng_config config = {
        .size = sizeof config, .rate = take_number(), .burst = take8(), .release = on_release};

    if (!calls.devices[slot] && (config.user = promise()))
        CALL(vsdk_virtio_rng_create, vm, &config, &calls.devices[slot]);
}

static void virtio_console(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_virtio_port ports[2] = {{.flags = take8() % 3, .stream = calls.streams[take_slot()]},
                                 {.name = "fuzz", .stream = calls.streams[take_slot()]}};
    vsdk_virtio_console_config config = {
        .size = sizeof config, .ports = ports, .port_count = take8() % 3, .release = on_release};

    if (!calls.devices[slot] && (config.user = promise()))
        CALL(vsdk_virtio_console_create, vm, &config, &calls.devices[slot]);
}

static void virtio_console_change(void)
{
    vsdk_device *device = calls.devices[take_slot()];
    uint32_t port = take8() % 4;

    CALL(vsdk_virtio_console_resize, device, port, take8(), take8());
    vsdk_virtio_console_is_open(device, port);
    if (take8() & 1)
        CALL(vsdk_virtio_console_connect, device, port, calls.streams[take_slot()]);
}

static void virtio_attach(void)
{
    vsdk_virtio_place place = {.size = sizeof place, .address = take_address(), .gsi = take8()};

    CALL(vsdk_virtio_attach, calls.devices[take_slot()], &place);
}

static void virtio_detach(void)
{
    CALL(vsdk_virtio_detach, calls.devices[take_slot()]);
}

static void virtio_space(void)
{
    vsdk_device *device = calls.devices[take_slot()];
    uint64_t bytes = 0;

    CALL(vsdk_virtio_set_space, device, take_number(), &bytes, take_number());
    CALL(vsdk_virtio_signal, device, take8());
    if (take8() & 1)
        CALL(vsdk_virtio_fail, device);
}

static void vsock_create(void)
{
    unsigned slot = take_slot();
    vsdk_virtio_vsock_config config = {.size = sizeof config, .cid = 3, .connections = 1 + take8() % 4};

    if (!calls.devices[slot])
        CALL(vsdk_virtio_vsock_create, calls.vms[take_slot()], &config, &calls.devices[slot]);
}

static void vsock_use(void)
{
    vsdk_device *device = calls.devices[take_slot()];
    uint8_t what = take8();
    int32_t fd = -1;

    if (what & 1)
        CALL(vsdk_virtio_vsock_listen, device, what >> 6, what);
    else
        CALL(vsdk_virtio_vsock_unlisten, device, what >> 6);
    CALL(vsdk_virtio_vsock_accept, device, what >> 6, &fd, NULL);
    vsdk_virtio_vsock_descriptor(device, what >> 6);
    if (what & 2)
        CALL(vsdk_virtio_vsock_connect, device, what >> 6, &fd);
    if (fd >= 0)
        close(fd);
}

static void device_close(void)
{
    unsigned slot = take_slot();

    vsdk_device_close(calls.devices[slot]);
    calls.devices[slot] = NULL;
}

static void device_attach(void)
{
    vsdk_device *device = calls.devices[take_slot()];
    uint32_t space = take8() % 3;
    uint64_t address = take8() & 1 ? 0x10u + (take8() & 7) : take_address();

    CALL(vsdk_device_add_range, device, space, address, take_number(), take8());
}

static void device_detach(void)
{
    CALL(vsdk_device_detach, calls.devices[take_slot()]);
}

static void device_enter(void)
{
    vsdk_device *device = calls.devices[take_slot()];

    if (CALL(vsdk_device_enter, device) == VSDK_OK)
        vsdk_device_leave(device);
    demand(vsdk_device_user(device, NULL) == NULL, "no such kind");
}

static void range_attach(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    uint64_t address = take8() & 1 ? 0x10u + (take8() & 7) : take_address();

    CALL(vsdk_vm_add_range, vm, take8() % 3, address, take_number(), take8());
}

static void range_detach(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    uint64_t address = take8() & 1 ? 0x10u + (take8() & 7) : take_address();

    CALL(vsdk_vm_remove_range, vm, take8() % 3, address);
}

static void controller_attach(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    void *user = promise();

    if (user)
        CALL(vsdk_irq_controller_attach, vm, take_number() & 2047, take8(), on_line, user,
             on_release);
}

static void controller_detach(void)
{
    CALL(vsdk_irq_controller_detach, calls.vms[take_slot()], take_number() & 2047);
}

static void irq_create(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_irq_config config = {.size = sizeof config, .gsi = take_number() & 2047};

    if (!calls.irqs[slot])
        CALL(vsdk_irq_create, vm, &config, &calls.irqs[slot]);
}

/* Not while a call of a line's is on its way: it may be this one's. */
static void irq_close(void)
{
    unsigned slot = take_slot();

    if (calls.lines)
        return;
    vsdk_irq_close(calls.irqs[slot]);
    calls.irqs[slot] = NULL;
}

static void irq_use(void)
{
    vsdk_irq *irq = calls.irqs[take_slot()];

    calls.lines++;
    switch (take8() % 3) {
    case 0:
        CALL(vsdk_irq_raise, irq);
        break;
    case 1:
        CALL(vsdk_irq_lower, irq);
        break;
    default:
        CALL(vsdk_irq_pulse, irq);
        break;
    }
    calls.lines--;
}

static void send_msi(void)
{
    CALL(vsdk_vm_send_msi, calls.vms[take_slot()], 0xfee00000 | take8() << 12 | (take8() & 12),
         take8() | (take8() & 7u) << 8);
}

static void doorbell_create(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_doorbell_config config = {.size = sizeof config,
                                   .flags = take8() & 1,
                                   .space = take8() % 3,
                                   .width = take8() % 9,
                                   .address = take8() & 1 ? 0x10u + (take8() & 7) : take_address(),
                                   .match = take8()};

    if (!calls.doorbells[slot])
        CALL(vsdk_doorbell_create, vm, &config, &calls.doorbells[slot]);
}

static void doorbell_close(void)
{
    unsigned slot = take_slot();

    vsdk_doorbell_close(calls.doorbells[slot]);
    calls.doorbells[slot] = NULL;
}

static void doorbell_take(void)
{
    vsdk_doorbell *doorbell = calls.doorbells[take_slot()];
    uint64_t rings;

    CALL(vsdk_doorbell_take, doorbell, &rings);
    demand((vsdk_doorbell_descriptor(doorbell) >= 3) == (doorbell != NULL), "a descriptor");
}

static void loop_create(void)
{
    unsigned slot = take_slot();

    if (!calls.loops[slot])
        CALL(vsdk_loop_create, &calls.loops[slot]);
}

static void loop_close(void)
{
    unsigned slot = take_slot();

    vsdk_loop_close(calls.loops[slot]);
    calls.loops[slot] = NULL;
}

static vsdk_loop *loop_of(vsdk_vm *vm)
{
    vsdk_loop *loop = vsdk_vm_loop(vm, E);

    demand(loop || (calls.error.code && calls.error.message[0]), "a loop, or why not");
    return loop;
}

/* One of its own, or a virtual machine's. */
static vsdk_loop *take_loop(void)
{
    unsigned slot = take_slot();

    return take8() & 1 ? calls.loops[slot] : loop_of(calls.vms[slot]);
}

static void loop_dispatch(void)
{
    vsdk_loop *loop = take_loop();
    uint32_t ran;

    CALL(vsdk_loop_dispatch, loop, take8() & 1, &ran);
}

static void loop_wake(void)
{
    CALL(vsdk_loop_wake, take_loop());
}

/* Where a loop's deferred calls were: work of no device, posted at once. */
static void work_begin(void)
{
    vsdk_loop *loop = take_loop();
    vsdk_work **work = &calls.works[calls.ops % FEW];
    void *user = *work ? NULL : promise();

    if (user)
        CALL(vsdk_work_create, loop, NULL, on_work, user, on_release, work);
    CALL(vsdk_work_post, *work);
}

static void work_create(void)
{
    unsigned slot = take_slot();
    vsdk_loop *loop = take_loop();
    vsdk_device *device = calls.devices[take_slot()];
    void *user = calls.works[slot] ? NULL : promise();

    if (user)
        CALL(vsdk_work_create, loop, device, on_work, user, on_release, &calls.works[slot]);
}

static void work_post(void)
{
    CALL(vsdk_work_post, calls.works[take_slot()]);
}

static void work_close(void)
{
    unsigned slot = take_slot();
    vsdk_work *work = calls.works[slot];

    calls.works[slot] = NULL;
    vsdk_work_close(work);
}

/* One descriptor that is readable and one that is not, for all time. */
static int descriptor(void)
{
    static int descriptors[2];

    if (!descriptors[0]) {
        descriptors[0] = eventfd(1, EFD_CLOEXEC);
        descriptors[1] = eventfd(0, EFD_CLOEXEC);
    }
    uint8_t which = take8();
    return which < 0xf0 ? descriptors[which & 1] : which - 0xf1;
}

static void watch_create(void)
{
    unsigned slot = take_slot();
    vsdk_loop *loop = take_loop();
    vsdk_device *device = take8() & 1 ? calls.devices[take_slot()] : NULL;
    int fd = descriptor();
    void *user = calls.watches[slot] ? NULL : promise();

    if (user)
        CALL(vsdk_watch_create, loop, device, fd, take8() & 7, on_ready, user, on_release,
             &calls.watches[slot]);
}

static void watch_close(void)
{
    unsigned slot = take_slot();
    vsdk_watch *watch = calls.watches[slot];

    calls.watches[slot] = NULL;
    vsdk_watch_close(watch);
}

static void watch_set_events(void)
{
    CALL(vsdk_watch_set_events, calls.watches[take_slot()], take8() & 15);
}

static void timer_create_one(void)
{
    unsigned slot = take_slot();
    vsdk_loop *loop = take_loop();
    vsdk_device *device = take8() & 1 ? calls.devices[take_slot()] : NULL;
    void *user = calls.timers[slot] ? NULL : promise();

    if (user)
        CALL(vsdk_timer_create, loop, device, on_timer, user, on_release, &calls.timers[slot]);
}

static void timer_close(void)
{
    unsigned slot = take_slot();
    vsdk_timer *timer = calls.timers[slot];

    calls.timers[slot] = NULL;
    vsdk_timer_close(timer);
}

static void timer_arm(void)
{
    CALL(vsdk_timer_arm, calls.timers[take_slot()], take_number(), take_number());
}

static void timer_disarm(void)
{
    CALL(vsdk_timer_disarm, calls.timers[take_slot()]);
}

void calls_furnish(unsigned slot)
{
    vsdk_vm *vm = calls.vms[slot];
    const vsdk_irq_config line = {.size = sizeof line, .gsi = 4};
    void *users[3] = {NULL};

    if (calls.devices[slot] || calls.timers[slot] || calls.irqs[slot] ||
        calls.promised + 3 > PROMISES)
        return;
    for (unsigned i = 0; i < 3; i++)
        users[i] = promise();
    CALL(vsdk_device_create, vm, &device_ops, users[0], NULL, &calls.devices[slot]);
    CALL(vsdk_device_add_range, calls.devices[slot], VSDK_SPACE_PIO, 0x10, 2, 0);
    CALL(vsdk_device_add_range, calls.devices[slot], VSDK_SPACE_MMIO, 0x5000, 0x1000, 1);
    CALL(vsdk_irq_controller_attach, vm, 0, 24, on_line, users[1], on_release);
    CALL(vsdk_irq_create, vm, &line, &calls.irqs[slot]);
    CALL(vsdk_timer_create, loop_of(vm), calls.devices[slot], on_timer, users[2], on_release,
         &calls.timers[slot]);
    CALL(vsdk_timer_arm, calls.timers[slot], 0, take8());
}

static uint64_t take_message(void)
{
    uint8_t byte = take8();

    return byte & 3 ? 0xfee00000 | (uint64_t)byte << 12 : byte & 4 ? 0 : take_address();
}

static void msi_create(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_msi_config config = {.size = sizeof config,
                              .address = take_message(),
                              .data = take8(),
                              .device = take8() & 1 ? calls.devices[take_slot()] : NULL};

    if (!calls.msis[slot])
        CALL(vsdk_msi_create, vm, take8() & 1 ? &config : NULL, &calls.msis[slot]);
}

static void msi_close(void)
{
    unsigned slot = take_slot();

    vsdk_msi_close(calls.msis[slot]);
    calls.msis[slot] = NULL;
}

static void msi_set(void)
{
    vsdk_msi *msi = calls.msis[take_slot()];
    uint64_t address = take_message();

    CALL(vsdk_msi_set, msi, address, take8() | (take8() & 7u) << 8);
}

static void msi_send(void)
{
    CALL(vsdk_msi_send, calls.msis[take_slot()]);
}

/* One that a device owns; not while a call of a line's is on its way, as irq_close. */
static void irq_of_device(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_irq_config config = {.size = sizeof config,
                              .gsi = take8() % 24,
                              .trigger = take8() % 3,
                              .device = calls.devices[take_slot()]};

    if (calls.lines)
        return;
    vsdk_irq_close(calls.irqs[slot]);
    calls.irqs[slot] = NULL;
    CALL(vsdk_irq_create, vm, &config, &calls.irqs[slot]);
}

static unsigned take_end(void)
{
    return take8() % (2 * FEW);
}

static void stream_create(void)
{
    unsigned slot = take_slot();
    vsdk_stream_config config = {.size = sizeof config, .capacity = take_number() & 0xffff};

    if (calls.streams[2 * slot] || calls.streams[2 * slot + 1])
        return;
    CALL(vsdk_stream_create, &config, &calls.streams[2 * slot], &calls.streams[2 * slot + 1]);
}

static void stream_close(void)
{
    unsigned end = take_end();
    vsdk_stream *stream = calls.streams[end];

    calls.streams[end] = NULL;
    vsdk_stream_close(stream);
}

static void stream_listen(void)
{
    vsdk_stream *stream = vsdk_stream_ref(calls.streams[take_end()]);
    void *user = take8() & 3 ? promise() : NULL;

    if (user)
        CALL(vsdk_stream_set_handler, stream, on_stream, user, on_release);
    else
        CALL(vsdk_stream_set_handler, stream, NULL, NULL, NULL);
    vsdk_stream_close(stream);
}

static void stream_write(void)
{
    vsdk_stream *stream = vsdk_stream_ref(calls.streams[take_end()]);
    uint8_t bytes[256] = {take8()};
    uint64_t length = take8(), accepted = 0;

    CALL(vsdk_stream_write, stream, bytes, length, &accepted);
    demand(accepted <= length, "a stream takes what there is");
    vsdk_stream_close(stream);
}

static void stream_read(void)
{
    vsdk_stream *stream = vsdk_stream_ref(calls.streams[take_end()]);
    uint8_t bytes[256];
    uint64_t room = take8(), got = 0;

    CALL(vsdk_stream_read, stream, bytes, room, &got);
    demand(got <= room, "a stream gives what there is room for");
    demand((vsdk_stream_descriptor(stream, E) >= 3) == (stream != NULL), "a descriptor");
    vsdk_stream_ready(stream);
    vsdk_stream_close(stream);
}

/* The library's serial port at one end. */
static void serial_create(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_serial_config config = {.size = sizeof config, .stream = calls.streams[take_end()]};
    vsdk_device *device = NULL;

    CALL(vsdk_serial_create, vm, &config, &device);
    vsdk_device_close(device);
}

static void device_dma(void)
{
    vsdk_device *device = calls.devices[take_slot()];
    uint8_t bytes[64];
    uint64_t length = take8() % sizeof bytes;

    if (CALL(vsdk_dma_read, device, take_address(), bytes, length) == VSDK_OK)
        CALL(vsdk_dma_write, device, take_address(), bytes, length);
}

static void memory_look(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_ram *ram = calls.rams[take_slot()];

    CALL(vsdk_vm_probe, vm, take_address(), take_length(), take8() & 3);
    CALL(vsdk_ram_mark_dirty, ram, take8() * 0x100u, take_length());
    vsdk_ram_range ranges[2];
    uint64_t cursor = (uint64_t)(take8() & 7) * 0x1000;
    uint32_t count;
    CALL(vsdk_ram_get_dirty, ram, take8() & 3, &cursor, ranges, take8() % 3, &count);
}

static void device_remove(void)
{
    vsdk_device *device = calls.devices[take_slot()];
    uint64_t address = take8() & 1 ? 0x10u + (take8() & 7) : take_address();

    CALL(vsdk_device_remove_range, device, take8() % 3, address);
}

/* Between enter and leave a call may come as from a callback of the device. */
static void device_inside(void)
{
    vsdk_device *device = vsdk_device_ref(calls.devices[take_slot()]);

    if (CALL(vsdk_device_enter, device) == VSDK_OK) {
        nest();
        vsdk_device_leave(device);
    }
    vsdk_device_close(device);
}

static void device_stopped(void)
{
    CALL(vsdk_device_stopped, calls.devices[take_slot()]);
}

static void device_save(void)
{
    vsdk_device *device = vsdk_device_ref(calls.devices[take_slot()]);
    uint8_t bytes[128] = {0};
    uint64_t needed = 0;

    if (CALL(vsdk_device_save, device, bytes, sizeof bytes, &needed) == VSDK_OK &&
        needed <= sizeof bytes) {
        bytes[take8() % sizeof bytes] ^= take8();
        CALL(vsdk_device_load, device, bytes, needed);
    }
    vsdk_device_close(device);
}

static void settle(void)
{
    calls_settle();
}

static void vm_reset(void)
{
    CALL(vsdk_vm_reset, calls.vms[take_slot()], 0);
}

static void vm_park(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];

    CALL(vsdk_vm_pause, vm, take8() & 7, 0);
}

const struct calls_op calls_late_ops[] = {
    {work_create, 1},    {work_post, 1},
    {work_close, 1},     {msi_create, 1},
    {msi_close, 1},      {msi_set, 1},
    {msi_send, 1},       {irq_of_device, 1},
    {stream_create, 1},  {stream_close, 1},
    {stream_listen, 1},  {stream_write, 1},
    {stream_read, 1},    {serial_create, 1},
    {device_dma, 1},     {memory_look, 1},
    {device_remove, 1},  {device_stopped, 1},
    {device_save, 1},    {settle, 1},
    {vm_reset, 1},       {device_inside, 1},
    {vm_park, 1},        {virtio_rng, 1},
    {virtio_console, 1}, {virtio_console_change, 1},
};
const unsigned calls_late_count = sizeof calls_late_ops / sizeof *calls_late_ops;

const struct calls_op calls_part_ops[] = {
    {ram_create, 1},
    {ram_close, 1},
    {ram_touch, 1},
    {vm_map, 1},
    {vm_unmap, 1},
    {vm_protect, 1},
    {dma, 1},
    {dma_map, 1},
    {device_create, 1},
    {virtio_create, 1},
    {virtio_attach, 1},
    {virtio_detach, 1},
    {virtio_space, 1},
    {device_close, 1},
    {device_attach, 1},
    {device_attach, 1},
    {device_detach, 1},
    {device_enter, 1},
    {range_attach, 1},
    {range_detach, 1},
    {controller_attach, 0},
    {controller_detach, 0},
    {irq_create, 1},
    {irq_close, 1},
    {irq_use, 1},
    {send_msi, 1},
    {doorbell_create, 1},
    {doorbell_close, 1},
    {doorbell_take, 1},
    {loop_create, 1},
    {loop_close, 1},
    {loop_dispatch, 1},
    {loop_dispatch, 1},
    {loop_wake, 1},
    {work_begin, 1},
    {watch_create, 1},
    {watch_close, 1},
    {watch_set_events, 1},
    {timer_create_one, 1},
    {timer_close, 1},
    {timer_arm, 1},
    {timer_disarm, 1},
    {vsock_create, 1},
    {vsock_use, 1},
};
const unsigned calls_part_count = sizeof calls_part_ops / sizeof *calls_part_ops;
