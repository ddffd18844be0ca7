/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio over PCI (virtio 1.2, section 4.1), modern only, on a public PCI function (vsdk/pci.h).
 *
 * One BAR has all: the common registers, the interrupt status, the configuration space, a doorbell
 * a queue, and behind them the MSI-X table, which is the function's. A doorbell is put when its
 * queue is enabled, since the BAR has its place then, and put anew where the BAR goes.
 *
 * The registers' device answers the BAR, so its gate is that of all registers. What the host's gate
 * does to them (the BAR moves, the window in the configuration space) enters it. */
#include "base/element.h"
#include "base/error.h"
#include "virtio/virtio.h"
#include <string.h>

static const char operation[] = "vsdk_virtio_attach";

enum {
    AT_COMMON = 0,
    AT_ISR = 0x1000,
    AT_SPACE = 0x2000,
    AT_NOTIFY = 0x3000,
    AT_VECTORS = 0x4000,
    BAR_LENGTH = 0x8000,
    PART = 0x1000,
    NOTIFY_STRIDE = 4
};
/* 4.1.4.3 */
enum {
    DEVICE_FEATURE_SELECT = 0,
    DEVICE_FEATURE = 4,
    DRIVER_FEATURE_SELECT = 8,
    DRIVER_FEATURE = 12,
    CONFIG_VECTOR = 16,
    NUM_QUEUES = 18,
    DEVICE_STATUS = 20,
    GENERATION = 21,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_VECTOR = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY_OFF = 30,
    QUEUE_DESC = 32,
    QUEUE_DRIVER = 40,
    QUEUE_DEVICE = 48,
    QUEUE_RESET = 58,
    COMMON_LENGTH = 60
};
enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_SPACE, CAP_WINDOW };
enum { CAP_VENDOR = 9, CAP_BYTES = 14, CAP_BYTES_MORE = 18, CAPS_MOST = 5 };
/* Behind MSI-X, common, notify and ISR in the configuration space. */
enum { WINDOW = 0x80, WINDOW_BAR = 0x84, WINDOW_OFFSET = 0x88, WINDOW_LENGTH = 0x8c };
enum { WINDOW_DATA = 0x90 };
enum {
    VENDOR = 0x1af4,
    DEVICE_BASE = 0x1040,
    SUBSYSTEM = 0x1100,
    TYPE_MOST = 0xffff - DEVICE_BASE
};

static void put(uint8_t *to, uint64_t value, uint32_t width)
{
    element_copy(to, &value, width);
}

/* Everything of a queue that is not there reads 0, its size first of all. */
static uint64_t common_read(virtio *v, uint64_t offset, uint32_t width)
{
    const virtio_queue *q = virtio_selected(v);
    uint8_t r[COMMON_LENGTH] = {0};
    uint64_t value = 0;

    if (offset > COMMON_LENGTH || width > COMMON_LENGTH - offset)
        return 0;
    put(r + DEVICE_FEATURE_SELECT, v->selected.device_features, 4);
    if (v->selected.device_features < 2)
        put(r + DEVICE_FEATURE, v->offered >> 32 * v->selected.device_features, 4);
    put(r + DRIVER_FEATURE_SELECT, v->selected.driver_features, 4);
    if (v->selected.driver_features < 2)
        put(r + DRIVER_FEATURE, v->driver_bits >> 32 * v->selected.driver_features, 4);
    put(r + CONFIG_VECTOR, atomic_load(&v->pci.vector), 2);
    put(r + NUM_QUEUES, v->queue_count, 2);
    r[DEVICE_STATUS] = (uint8_t)atomic_load(&v->status);
    r[GENERATION] = (uint8_t)atomic_load(&v->generation);
    put(r + QUEUE_SELECT, v->selected.queue, 2);
    if (q) {
        put(r + QUEUE_SIZE, q->size, 2);
        put(r + QUEUE_VECTOR, atomic_load(&q->vector), 2);
        put(r + QUEUE_ENABLE, q->ready, 2);
        put(r + QUEUE_NOTIFY_OFF, q->index, 2);
        put(r + QUEUE_DESC, q->descriptors, 8);
        put(r + QUEUE_DRIVER, q->driver, 8);
        put(r + QUEUE_DEVICE, q->device_area, 8);
    }
    memcpy(&value, r + offset, width);
    return value;
}

/* One that there is not reads back as none. */
static uint32_t vector_of(const virtio *v, uint64_t value)
{
    return value <= v->queue_count ? (uint32_t)value : VIRTIO_NO_VECTOR;
}

/* While it is ready what it is made of does not change; only a reset ends that. */
static void pci_write_queue(virtio *v, virtio_queue *q, uint64_t offset, uint32_t width,
                            uint64_t value)
{
    uint64_t *area[3] = {&q->descriptors, &q->driver, &q->device_area};

    if (offset == QUEUE_VECTOR && width == 2)
        atomic_store(&q->vector, vector_of(v, value));
    else if (offset == QUEUE_RESET && width == 2 && value == 1)
        queue_reset_alone(q); /* over when this returns: it is read as 0 */
    else if (q->ready)
        return;
    else if (offset == QUEUE_SIZE && width == 2)
        q->size = (uint32_t)value;
    else if (offset == QUEUE_ENABLE && width == 2 && value == 1)
        queue_enable(q);
    else if (offset >= QUEUE_DESC && offset < QUEUE_DEVICE + 8 && (width == 4 || width == 8) &&
             !(offset % width))
        memcpy((uint8_t *)area[(offset - QUEUE_DESC) / 8] + offset % 8, &value, width);
}

/* A register is written in its own width (4.1.3.1). */
static void common_write(virtio *v, uint64_t offset, uint32_t width, uint64_t value)
{
    virtio_queue *q = virtio_selected(v);

    if (offset >= COMMON_LENGTH)
        return;
    if (offset == DEVICE_FEATURE_SELECT && width == 4)
        v->selected.device_features = (uint32_t)value;
    else if (offset == DRIVER_FEATURE_SELECT && width == 4)
        v->selected.driver_features = (uint32_t)value;
    else if (offset == DRIVER_FEATURE && width == 4)
        virtio_accept_features(v, v->selected.driver_features, (uint32_t)value);
    else if (offset == CONFIG_VECTOR && width == 2)
        atomic_store(&v->pci.vector, vector_of(v, value));
    else if (offset == DEVICE_STATUS && width == 1)
        virtio_set_status(v, value & 0xff);
    else if (offset == QUEUE_SELECT && width == 2)
        v->selected.queue = (uint32_t)value;
    else if (q && offset >= QUEUE_SIZE)
        pci_write_queue(v, q, offset, width, value);
}

/* Parts are pages; doorbells read 0. */
static uint64_t bar_read(virtio *v, uint64_t offset, uint32_t width)
{
    switch (offset / PART) {
    case AT_COMMON / PART:
        return common_read(v, offset, width);
    case AT_ISR / PART: /* and reading it clears it */
        return offset == AT_ISR ? atomic_exchange(&v->interrupts, 0) : 0;
    case AT_SPACE / PART:
        return virtio_read_space(v, offset - AT_SPACE, width);
    default:
        return 0;
    }
}

static void bar_write(virtio *v, uint64_t offset, uint32_t width, uint64_t value)
{
    uint64_t queue = (offset - AT_NOTIFY) / NOTIFY_STRIDE;

    switch (offset / PART) {
    case AT_COMMON / PART:
        common_write(v, offset, width, value);
        break;
    case AT_SPACE / PART:
        virtio_write_space(v, offset - AT_SPACE, width, value);
        break;
    case AT_NOTIFY / PART: /* without a doorbell */
        if (queue < v->queue_count)
            queue_wake(&v->queues[queue]);
        break;
    }
}

static uint64_t pci_read(virtio *v, const vsdk_access *access)
{
    return bar_read(v, access->offset, access->width);
}

static void pci_write(virtio *v, const vsdk_access *access)
{
    bar_write(v, access->offset, access->width, access->value);
}

static void pci_place_doorbell(virtio *v, uint32_t queue, vsdk_doorbell_config *config)
{
    uint64_t bar = atomic_load(&v->pci.address);

    config->space = VSDK_SPACE_MMIO;
    config->address = bar + AT_NOTIFY + NOTIFY_STRIDE * queue;
    config->width = bar ? 2 : 0;
}

/* A reference of the caller's, or NULL: the guest may let it go at any time. */
vsdk_device *virtio_get_function(virtio *v)
{
    lock_take(&v->lock);
    vsdk_device *function = vsdk_device_ref(v->pci.function);
    lock_give(&v->lock);
    return function;
}

/* With messages a queue's event has no bit in the status (4.1.4.5.1). */
static void pci_interrupt(virtio *v, uint32_t queue, uint32_t why)
{
    uint32_t vector =
        atomic_load(why == INTERRUPT_QUEUE ? &v->queues[queue].vector : &v->pci.vector);

    if (why == INTERRUPT_CONFIG)
        atomic_fetch_or(&v->interrupts, INTERRUPT_CONFIG);
    vsdk_device *function = virtio_get_function(v);
    if (vector == VIRTIO_NO_VECTOR || vsdk_pci_function_interrupt(function, vector, NULL))
        atomic_fetch_or(&v->interrupts, why);
    vsdk_device_close(function);
}

static void pci_reset(virtio *v)
{
    atomic_store(&v->pci.vector, VIRTIO_NO_VECTOR);
}

static vsdk_status pci_save(virtio *v, vsdk_state_writer *writer, vsdk_error *error)
{
    vsdk_status status =
        vsdk_state_put_number(writer, "config_vector", atomic_load(&v->pci.vector), error);

    if (!status)
        status = vsdk_state_put_number(writer, "window_bar", v->pci.window_bar, error);
    if (!status)
        status = vsdk_state_put_number(writer, "window_offset", v->pci.window_offset, error);
    if (!status)
        status = vsdk_state_put_number(writer, "window_length", v->pci.window_length, error);
    return status ? status : vsdk_pci_function_save(v->pci.function, writer, error);
}

/* Vectors are the guest's: one that there is not sends nothing. */
static vsdk_status pci_load(virtio *v, vsdk_state_reader *reader, vsdk_error *error)
{
    uint64_t vector, bar, offset, length;
    vsdk_status status =
        vsdk_state_get_number(reader, "config_vector", VIRTIO_NO_VECTOR, &vector, error);

    if (!status)
        status = vsdk_state_get_number(reader, "window_bar", UINT8_MAX, &bar, error);
    if (!status)
        status = vsdk_state_get_number(reader, "window_offset", UINT32_MAX, &offset, error);
    if (!status)
        status = vsdk_state_get_number(reader, "window_length", UINT32_MAX, &length, error);

    if (!status)
        status = vsdk_pci_function_load(v->pci.function, reader, error);
    if (status)
        return status;
    atomic_store(&v->pci.vector, (uint32_t)vector);
    v->pci.window_bar = (uint8_t)bar;
    v->pci.window_offset = (uint32_t)offset;
    v->pci.window_length = (uint32_t)length;
    return VSDK_OK;
}

/* Who interrupts just now has a reference of its own. */
static void drop_function(virtio *v)
{
    lock_take(&v->lock);
    vsdk_device *function = v->pci.function;
    v->pci.function = NULL;
    lock_give(&v->lock);
    vsdk_device_close(function);
}

static int is_inside(vsdk_device *device, vsdk_error *error)
{
    vsdk_status status = vsdk_device_enter(device, error);

    if (!status)
        vsdk_device_leave(device);
    return status == VSDK_ERROR_BUSY;
}

/* The function is dropped before the transport is: from then on the device may be attached again.
 */
static void leave_function(virtio *v)
{
    vsdk_device_detach(v->device, NULL);
    drop_function(v);
    virtio_leave(v);
}

/* The function first: with it the guest's way to the registers is gone. */
static vsdk_status pci_detach(virtio *v, vsdk_error *error)
{
    if (is_inside(v->device, error))
        return VSDK_ERROR_BUSY;
    vsdk_device *function = virtio_get_function(v);
    vsdk_status status = function ? vsdk_pci_function_detach(function, error)
                                  : error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_virtio_detach",
                                              "the guest has let it go");
    vsdk_device_close(function);
    if (!status)
        leave_function(v);
    return status;
}

const virtio_transport virtio_pci = {
    .read = pci_read,
    .write = pci_write,
    .place_doorbell = pci_place_doorbell,
    .interrupt = pci_interrupt,
    .reset = pci_reset,
    .detach = pci_detach,
    .save = pci_save,
    .load = pci_load,
};

/* The function's callbacks, in the host's gate. Stopped, the registers' device has nobody inside.
 */
static int enter_registers(virtio *v)
{
    return !vsdk_device_enter(v->device, NULL);
}

static void leave_registers(virtio *v, int entered)
{
    if (entered)
        vsdk_device_leave(v->device);
}

static void placed(void *user, vsdk_device *function, uint32_t bar, uint64_t address)
{
    virtio *v = user;
    int entered = enter_registers(v);

    (void)function, (void)bar;
    atomic_store(&v->pci.address, address);
    for (uint32_t i = 0; i < v->queue_count; i++) {
        virtio_queue *q = &v->queues[i];
        if (!address && q->doorbell)
            queue_take_doorbell(q);
        else if (address && q->ready)
            queue_put_doorbell(q);
    }
    leave_registers(v, entered);
}

/* Where the window in the configuration space shows (4.1.4.9). 0: nowhere. */
static int window_is_sound(const virtio *v)
{
    uint32_t offset = v->pci.window_offset, length = v->pci.window_length;

    return !v->pci.window_bar && (length == 1 || length == 2 || length == 4) &&
           !(offset % length) && offset < AT_VECTORS;
}

static uint64_t config_read(void *user, vsdk_device *function, uint32_t offset, uint32_t width,
                            uint64_t stored)
{
    virtio *v = user;

    (void)function;
    if (offset != WINDOW_DATA || width != v->pci.window_length || !window_is_sound(v))
        return stored;
    int entered = enter_registers(v);
    uint64_t value = bar_read(v, v->pci.window_offset, width);
    leave_registers(v, entered);
    return value;
}

/* Its registers are dwords, but the first, which is a byte. */
static void config_written(void *user, vsdk_device *function, uint32_t offset, uint32_t width,
                           uint64_t stored)
{
    virtio *v = user;

    (void)function;
    if (offset == WINDOW_BAR)
        v->pci.window_bar = (uint8_t)stored;
    else if (offset == WINDOW_OFFSET && width == 4)
        v->pci.window_offset = (uint32_t)stored;
    else if (offset == WINDOW_LENGTH && width == 4)
        v->pci.window_length = (uint32_t)stored;
    else if (offset == WINDOW_DATA && width == v->pci.window_length && window_is_sound(v)) {
        int entered = enter_registers(v);
        bar_write(v, v->pci.window_offset, width, stored);
        leave_registers(v, entered);
    }
}

/* The guest let it go: what a detach does, but for what the function has done. */
static void ejected(void *user, vsdk_device *function, vsdk_pci_ejected what)
{
    virtio *v = user;

    (void)function;
    if (what == VSDK_PCI_EJECTED)
        leave_function(v);
    if (v->ops.ejected)
        v->ops.ejected(v->user, v->device, what);
}

static void function_release(void *user)
{
    virtio_put(user);
}

static const vsdk_pci_function_ops function_ops = {
    .size = sizeof(vsdk_pci_function_ops),
    .placed = placed,
    .config_read = config_read,
    .config_written = config_written,
    .ejected = ejected,
    .release = function_release,
};

/* What drivers match is the id; the class is for people. */
static uint32_t class_of(uint32_t type)
{
    switch (type) {
    case 1:
        return 0x020000; /* network */
    case 2:
        return 0x018000; /* storage */
    case 3:
        return 0x078000; /* communication */
    case 4:
        return 0x00ff00; /* older than classes */
    default:
        return 0xff0000;
    }
}

/* Id and next are the function's; then length, type, BAR, three zeros, offset, length. */
static vsdk_pci_capability capability(uint8_t *bytes, uint8_t type, uint32_t offset,
                                      uint32_t length, uint32_t more)
{
    uint32_t size = type == CAP_NOTIFY || type == CAP_WINDOW ? CAP_BYTES_MORE : CAP_BYTES;

    bytes[0] = (uint8_t)(size + 2);
    bytes[1] = type;
    put(bytes + 6, offset, 4);
    put(bytes + 10, length, 4);
    put(bytes + CAP_BYTES, more, 4);
    return (vsdk_pci_capability){.id = CAP_VENDOR, .bytes = bytes, .length = size};
}

static vsdk_status make_function(virtio *v, vsdk_device **function, vsdk_error *error)
{
    static const uint8_t writable[CAP_BYTES_MORE] = {
        [2] = 0xff, [6] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t bytes[CAPS_MOST][CAP_BYTES_MORE] = {{0}};
    vsdk_pci_capability capabilities[CAPS_MOST] = {
        capability(bytes[0], CAP_COMMON, AT_COMMON, COMMON_LENGTH, 0),
        capability(bytes[1], CAP_NOTIFY, AT_NOTIFY, PART, NOTIFY_STRIDE),
        capability(bytes[2], CAP_ISR, AT_ISR, 1, 0),
        capability(bytes[3], CAP_WINDOW, 0, 0, 0),
        capability(bytes[4], CAP_SPACE, AT_SPACE, v->space_length, 0),
    };
    vsdk_pci_function_config config = {
        .size = sizeof config,
        .name = "virtio-pci",
        .vendor_id = VENDOR,
        .device_id = DEVICE_BASE + v->type,
        .subsystem_vendor_id = VENDOR,
        .subsystem_id = SUBSYSTEM,
        .class_code = class_of(v->type),
        .revision = 1,
        .vectors = v->queue_count + 1,
        .vectors_offset = AT_VECTORS,
        .capabilities = capabilities,
        .capability_count = v->space_length ? CAPS_MOST : CAPS_MOST - 1,
        .bars = {{.length = BAR_LENGTH, .device = v->device, .flags = VSDK_PCI_BAR_64}},
    };

    capabilities[3].writable = writable;
    capabilities[3].flags = VSDK_PCI_CAPABILITY_READ;
    refs_get(&v->memory); /* which the function's release gives back */
    return vsdk_pci_function_create(vsdk_device_vm(v->device), &function_ops, v, &config, function,
                                    error);
}

static vsdk_status check_place(const virtio *v, const vsdk_virtio_place *p, vsdk_device **host,
                               vsdk_error *error)
{
    *host = p->pc ? vsdk_pc_device(p->pc, VSDK_PC_PCI_HOST) : p->host;
    if (!*host && p->pc)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "the machine has no PCI host");
    if (!*host)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "PCI wants a machine or a host");
    if (p->address != VSDK_PC_ANY && p->address >= VSDK_PCI_ANY)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "there is no such slot");
    if (v->type > TYPE_MOST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "type %u has no PCI device id", v->type);
    return VSDK_OK;
}

/* The transport before the slot: a guest may be there at once. */
vsdk_status pci_attach(virtio *v, const vsdk_virtio_place *p, vsdk_error *error)
{
    uint32_t slot = p->address == VSDK_PC_ANY ? VSDK_PCI_ANY : (uint32_t)p->address;
    vsdk_device *host, *function;
    vsdk_status status = check_place(v, p, &host, error);

    if (!status)
        status = make_function(v, &function, error);
    if (status)
        return status;
    v->pci.window_bar = 0;
    v->pci.window_offset = v->pci.window_length = 0;
    atomic_store(&v->pci.address, 0);
    pci_reset(v);
    lock_take(&v->lock);
    v->pci.function = function;
    lock_give(&v->lock);
    atomic_store(&v->transport, &virtio_pci);
    status = vsdk_pci_function_attach(function, host, slot, error);
    if (status) {
        atomic_store(&v->transport, NULL);
        drop_function(v);
        return status;
    }
    /* In RUNNING a queue's device starts with its first work, or when its driver enables it. */
    for (uint32_t i = 0; i < v->queue_count; i++)
        queue_wake(&v->queues[i]);
    return VSDK_OK;
}
