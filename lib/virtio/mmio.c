/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio over memory-mapped registers (virtio 1.2, section 4.2), version 2.
 *
 * Its line is an edge that each event pulses. An event may come between the driver's reading of the
 * interrupt status and its acknowledgement: what the acknowledgement leaves pulses once more. */
#include "base/error.h"
#include "virtio/virtio.h"

enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DEVICE_LOW = 0x0a0,
    SHM_LENGTH_LOW = 0x0b0,
    SHM_BASE_HIGH = 0x0bc,
    QUEUE_RESET = 0x0c0,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100
};
enum { MMIO_BYTES = 0x200 };
enum { MAGIC = 0x74726976, VENDOR = 0x4b445356 /* "VSDK" */ };

/* Registers are read and written as dwords, the configuration space in any width (4.2.2.2). */
static uint64_t mmio_read(virtio *v, const vsdk_access *access)
{
    const virtio_queue *q = virtio_selected(v);

    if (access->offset >= CONFIG)
        return virtio_read_space(v, access->offset - CONFIG, access->width);
    if (access->width != 4)
        return 0;
    switch (access->offset) {
    case MAGIC_VALUE:
        return MAGIC;
    case VERSION:
        return 2;
    case DEVICE_ID:
        return v->type;
    case VENDOR_ID:
        return VENDOR;
    case DEVICE_FEATURES:
        return v->selected.device_features > 1
                   ? 0
                   : (uint32_t)(v->offered >> 32 * v->selected.device_features);
    case QUEUE_SIZE_MAX:
        return q ? v->queue_size : 0;
    case QUEUE_READY:
        return q ? q->ready : 0;
    case INTERRUPT_STATUS:
        return atomic_load(&v->interrupts);
    case STATUS:
        return atomic_load(&v->status);
    case CONFIG_GENERATION:
        return atomic_load(&v->generation);
    default:
        /* No shared memory: a length and a base of ones. */
        return access->offset >= SHM_LENGTH_LOW && access->offset <= SHM_BASE_HIGH ? UINT32_MAX : 0;
    }
}

/* While it is ready what it is made of does not change. */
static void set_half(virtio_queue *q, uint64_t *address, int high, uint32_t value)
{
    if (q->ready)
        return;
    *address = high ? (*address & UINT32_MAX) | (uint64_t)value << 32
                    : (*address & ~UINT64_C(0xffffffff)) | value;
}

static void write_queue(virtio_queue *q, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case QUEUE_SIZE:
        if (!q->ready)
            q->size = value;
        break;
    case QUEUE_READY:
        if (value == 1 && !q->ready)
            queue_enable(q);
        else if (!value && q->ready)
            queue_disable(q);
        break;
    case QUEUE_RESET: /* over when this returns: it is read as 0 */
        if (value == 1)
            queue_reset_alone(q);
        break;
    case QUEUE_DESC_LOW:
    case QUEUE_DESC_LOW + 4:
        set_half(q, &q->descriptors, offset & 4, value);
        break;
    case QUEUE_DRIVER_LOW:
    case QUEUE_DRIVER_LOW + 4:
        set_half(q, &q->driver, offset & 4, value);
        break;
    case QUEUE_DEVICE_LOW:
    case QUEUE_DEVICE_LOW + 4:
        set_half(q, &q->device_area, offset & 4, value);
        break;
    }
}

/* From any thread: a detach may close the line meanwhile. */
static void pulse(virtio *v)
{
    lock_take(&v->lock);
    vsdk_irq *irq = vsdk_irq_ref(v->mmio.irq);
    lock_give(&v->lock);
    vsdk_irq_pulse(irq, NULL);
    vsdk_irq_close(irq);
}

/* What came after the driver's look would have no edge of its own. */
static void acknowledge(virtio *v, uint32_t bits)
{
    if (atomic_fetch_and(&v->interrupts, ~bits) & ~bits)
        pulse(v);
}

static void mmio_write(virtio *v, const vsdk_access *access)
{
    uint32_t value = (uint32_t)access->value;
    virtio_queue *q = virtio_selected(v);

    if (access->offset >= CONFIG) {
        virtio_write_space(v, access->offset - CONFIG, access->width, access->value);
        return;
    }
    if (access->width != 4)
        return;
    switch (access->offset) {
    case DEVICE_FEATURES_SEL:
        v->selected.device_features = value;
        break;
    case DRIVER_FEATURES:
        virtio_accept_features(v, v->selected.driver_features, value);
        break;
    case DRIVER_FEATURES_SEL:
        v->selected.driver_features = value;
        break;
    case QUEUE_SEL:
        v->selected.queue = value;
        break;
    case QUEUE_NOTIFY: /* without a doorbell */
        if (value < v->queue_count)
            queue_wake(&v->queues[value]);
        break;
    case INTERRUPT_ACK:
        acknowledge(v, value);
        break;
    case STATUS:
        virtio_set_status(v, value & 0xff);
        break;
    default:
        if (q)
            write_queue(q, access->offset, value);
    }
}

/* All queues share a register: the value written tells them apart. */
static void mmio_place_doorbell(virtio *v, uint32_t queue, vsdk_doorbell_config *config)
{
    config->space = VSDK_SPACE_MMIO;
    config->address = v->mmio.address + QUEUE_NOTIFY;
    config->width = 4;
    config->flags = VSDK_DOORBELL_MATCH;
    config->match = queue;
}

/* The status is there before the edge. */
static void mmio_interrupt(virtio *v, uint32_t queue, uint32_t why)
{
    (void)queue;
    atomic_fetch_or(&v->interrupts, why);
    pulse(v);
}

/* The line of a stopped device gives no edge. A queue that stops later than the registers may have
 * finished something by then, and a loaded state may have what its driver has not seen. */
static void mmio_start(virtio *v)
{
    if (atomic_load(&v->interrupts))
        pulse(v);
}

/* Who interrupts just now keeps the line that was. */
static void set_line(virtio *v, vsdk_irq *irq)
{
    lock_take(&v->lock);
    vsdk_irq *before = v->mmio.irq;
    v->mmio.irq = irq;
    lock_give(&v->lock);
    vsdk_irq_close(before);
}

static vsdk_status mmio_detach(virtio *v, vsdk_error *error)
{
    vsdk_status status = vsdk_device_detach(v->device, error);

    if (status)
        return status;
    virtio_leave(v);
    set_line(v, NULL);
    return VSDK_OK;
}

const virtio_transport virtio_mmio = {
    .read = mmio_read,
    .write = mmio_write,
    .place_doorbell = mmio_place_doorbell,
    .interrupt = mmio_interrupt,
    .start = mmio_start,
    .detach = mmio_detach,
};

/* The line before the range: a guest may be there at once. */
static vsdk_status attach_at(virtio *v, uint64_t address, uint32_t gsi, vsdk_error *error)
{
    vsdk_irq_config line = {.size = sizeof line, .gsi = gsi, .device = v->device};
    vsdk_irq *irq;
    vsdk_status status = vsdk_irq_create(vsdk_device_vm(v->device), &line, &irq, error);

    if (status)
        return status;
    set_line(v, irq);
    v->mmio.address = address;
    atomic_store(&v->transport, &virtio_mmio);
    status = vsdk_device_add_range(v->device, VSDK_SPACE_MMIO, address, MMIO_BYTES, 0, error);
    /* In RUNNING a queue's device starts with its first work, or when its driver enables it. */
    for (uint32_t i = 0; !status && i < v->queue_count; i++)
        queue_wake(&v->queues[i]);
    if (status) {
        atomic_store(&v->transport, NULL);
        set_line(v, NULL);
    }
    return status;
}

/* Claims, attaches, tells: what was done is undone when the next fails. */
static vsdk_status attach_to_pc(virtio *v, const vsdk_virtio_place *p, vsdk_error *error)
{
    uint64_t address = 0, line = 0;
    int any = p->address == VSDK_PC_ANY;
    vsdk_status status =
        vsdk_pc_claim(p->pc, VSDK_PC_MEMORY, p->address, MMIO_BYTES, &address, error);

    if (status)
        return status;
    status = vsdk_pc_claim(p->pc, VSDK_PC_LINES, any ? VSDK_PC_ANY : p->gsi, 1, &line, error);
    if (status)
        goto no_line;
    status = attach_at(v, address, (uint32_t)line, error);
    if (status)
        goto no_device;
    vsdk_pc_node node = {
        .hid = "LNRO0005",
        .uid = (uint32_t)(address / MMIO_BYTES),
        .resource_count = 2,
        .resources = {{VSDK_PC_MEMORY, 0, address, MMIO_BYTES}, {VSDK_PC_LINES, 0, line, 1}}};
    status = vsdk_pc_add_node(p->pc, &node, error);
    if (!status)
        return VSDK_OK;
    vsdk_virtio_detach(v->device, NULL);
no_device:
    vsdk_pc_unclaim(p->pc, VSDK_PC_LINES, line, NULL);
no_line:
    vsdk_pc_unclaim(p->pc, VSDK_PC_MEMORY, address, NULL);
    return status;
}

vsdk_status mmio_attach(virtio *v, const vsdk_virtio_place *p, vsdk_error *error)
{
    if (!(p->pc && p->address == VSDK_PC_ANY) && p->address % 4)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_virtio_attach",
                         "the address is no multiple of 4");
    return p->pc ? attach_to_pc(v, p, error) : attach_at(v, p->address, p->gsi, error);
}
