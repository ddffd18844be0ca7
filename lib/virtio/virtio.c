/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device as a whole: made, attached, taken away; its configuration space.
 *
 * The registers' device owns the queues' devices: its release closes them. The memory lasts until
 * the last of them is released, since a callback of a queue may still run. */
#include "virtio/virtio.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/record.h"
#include <string.h>

enum { QUEUE_SIZE = 256 };
#define DEVICE_BITS (UINT64_C(0xffffff) | ~UINT64_C(0) << 50)
#define RING_BITS                                                                                  \
    (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED |     \
     VIRTIO_F_IN_ORDER)

void virtio_put(virtio *v)
{
    if (!refs_put(&v->memory))
        return;
    vsdk_release_fn release = v->ops.release;
    void *user = v->user;
    lock_destroy(&v->lock);
    alloc_free(v);
    if (release)
        release(user);
}

/* A range is there only while a transport is. */
static uint64_t registers_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    virtio *v = user;

    (void)device;
    return v->transport->read(v, access);
}

static void registers_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    virtio *v = user;

    (void)device;
    v->transport->write(v, access);
}

static void registers_start(void *user, vsdk_device *device)
{
    virtio *v = user;
    const virtio_transport *transport = atomic_load(&v->transport);

    (void)device;
    if (transport && transport->start)
        transport->start(v);
}

static void registers_reset(void *user, vsdk_device *device)
{
    (void)device;
    virtio_reset(user, 1);
}

/* Nobody reaches the registers any more. Each queue's device goes when its last callback has
 * returned, and takes its part of the memory with it. */
static void registers_release(void *user)
{
    virtio *v = user;

    for (uint32_t i = 0; i < v->queue_count; i++)
        queue_end(&v->queues[i]);
    vsdk_irq_close(v->mmio.irq);
    vsdk_device_close(v->pci.function);
    virtio_put(v);
}

const vsdk_device_ops virtio_register_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = registers_read,
    .write = registers_write,
    .start = registers_start,
    .reset = registers_reset,
    .save = virtio_save,
    .load = virtio_load,
    .release = registers_release,
};

/* The table says that it is one of ours. The answer in a forked child costs a load. */
vsdk_status virtio_get(vsdk_device *device, virtio **v, const char *operation, vsdk_error *error)
{
    *v = vsdk_device_user(device, &virtio_register_ops);
    if (!device)
        return error_null(error, operation, "device");
    if (!*v)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the device is no virtio device");
    return (*v)->process == process_id() ? VSDK_OK : error_forked(error, operation);
}

vsdk_status virtio_get_queue(vsdk_device *device, uint32_t queue, virtio_queue **q,
                             const char *operation, vsdk_error *error)
{
    virtio *v;
    vsdk_status status = virtio_get(device, &v, operation, error);

    *q = NULL;
    if (status)
        return status;
    if (queue >= v->queue_count)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "there is no queue %u",
                         queue);
    *q = &v->queues[queue];
    return VSDK_OK;
}

/* Feature bits of the rings are not the embedder's to offer: what the library lacks it would offer
 * in vain. */
static vsdk_status check_config(const vsdk_virtio_config *c, const char *operation,
                                vsdk_error *error)
{
    uint32_t size = c->queue_size;
    const char *what = NULL;

    if (!c->type)
        what = "the type is 0";
    else if (!c->queues || c->queues > VIRTIO_QUEUES_MOST)
        what = "there are 1 to 256 queues";
    else if (size & (size - 1) || size > RING_SIZE_MOST)
        what = "a queue's size is a power of two up to 32768";
    else if (c->chain_max > RING_CHAIN_MOST)
        what = "a chain has 1024 buffers at most";
    else if (c->features & ~DEVICE_BITS)
        what = "feature bits 24 to 49 are the library's";
    else if (c->space_length > VIRTIO_SPACE_MOST || (c->space_length && !c->space))
        what = "the configuration space has 256 bytes at most";
    if (what)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what);
    for (size_t i = 0; i < sizeof c->reserved / sizeof *c->reserved; i++)
        if (c->reserved[i])
            return record_later(operation, error);
    return VSDK_OK;
}

/* Asked before anything is allocated: in a forked child nobody is called, so nobody would free it.
 */
static int is_foreign(vsdk_vm *vm)
{
    vsdk_vm_info info = {.size = sizeof info};

    return vsdk_vm_get_info(vm, &info, NULL) == VSDK_ERROR_STATE;
}

/* A table of an earlier version is shorter: what it lacks is NULL. */
static vsdk_status read_ops(vsdk_virtio_ops *copy, const vsdk_virtio_ops *ops,
                            const char *operation, vsdk_error *error)
{
    if (!ops)
        return error_null(error, operation, "ops");
    vsdk_status status = record_read(copy, sizeof *copy, ops, 0, operation, error);
    if (!status && (copy->reserved))
        status = record_later(operation, error);
    return status;
}

/* From here on the registers' device has it: its release gives everything back, user too. */
static vsdk_status make(vsdk_vm *vm, virtio *v, const vsdk_virtio_config *c, vsdk_error *error)
{
    vsdk_device_config config = {.size = sizeof config, .name = c->name};
    vsdk_error why;
    vsdk_loop *loop = c->loop ? c->loop : vsdk_vm_loop(vm, &why);
    vsdk_status status;

    if (!loop) {
        virtio_put(v);
        if (error)
            *error = why;
        return why.code;
    }
    status = vsdk_device_create(vm, &virtio_register_ops, v, &config, &v->device, error);
    if (status)
        return status;
    for (uint32_t i = 0; !status && i < c->queues; i++) {
        v->queue_count = i + 1;
        status = queue_make(v, i, c, loop, error);
    }
    if (status)
        vsdk_device_close(v->device);
    return status;
}

/* Until the device has it, a failure gives `user` back here. */
vsdk_status vsdk_virtio_create(vsdk_vm *vm, const vsdk_virtio_ops *ops, void *user,
                               const vsdk_virtio_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_create";
    vsdk_virtio_config c;
    vsdk_virtio_ops copied = {0};
    vsdk_status status = read_ops(&copied, ops, operation, error);

    if (device)
        *device = NULL;
    if (!status && !vm)
        status = error_null(error, operation, "vm");
    if (!status && !device)
        status = error_null(error, operation, "device");
    if (!status && !config)
        status = error_null(error, operation, "config");
    if (!status && is_foreign(vm))
        return error_forked(error, operation); /* where nobody is called */
    if (!status)
        status = record_read(&c, sizeof c, config, 0, operation, error);
    if (!status)
        status = check_config(&c, operation, error);
    virtio *v = status ? NULL : alloc_zeroed(sizeof *v + c.queues * sizeof *v->queues);
    if (!status && !v)
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    if (status) {
        if (copied.release)
            copied.release(user);
        return status;
    }
    refs_init(&v->memory);
    lock_init(&v->lock, RANK_LEAF);
    v->process = process_id();
    v->kind = ops;
    v->ops = copied;
    v->user = user;
    v->type = c.type;
    v->queue_size = c.queue_size ? c.queue_size : QUEUE_SIZE;
    v->offered = c.features | RING_BITS | (copied.queue_reset ? VIRTIO_F_RING_RESET : 0);
    v->space_length = (uint32_t)c.space_length;
    if (c.space_length)
        memcpy(v->space, c.space, c.space_length);
    status = make(vm, v, &c, error);
    if (!status)
        *device = v->device;
    return status;
}

vsdk_status vsdk_virtio_attach(vsdk_device *device, const vsdk_virtio_place *place,
                               vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_attach";
    vsdk_virtio_place p;
    virtio *v;
    vsdk_status status = virtio_get(device, &v, operation, error);

    if (status)
        return status;
    if (!place)
        return error_null(error, operation, "place");
    status = record_read(&p, sizeof p, place, 0, operation, error);
    if (status)
        return status;
    if (p.reserved[0])
        return record_later(operation, error);
    if (p.transport > VSDK_VIRTIO_PCI)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown transport %u",
                         p.transport);
    if (p.pc && vsdk_pc_vm(p.pc) != vsdk_device_vm(device))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the machine is another virtual machine's");
    if (atomic_load(&v->transport))
        return error_set(error, VSDK_ERROR_EXISTS, operation, "the device is attached");
    return p.transport == VSDK_VIRTIO_PCI ? pci_attach(v, &p, error) : mmio_attach(v, &p, error);
}

/* The registers are gone, so that nobody makes a queue ready again. The queues' devices stay: their
 * work is needed when it is attached elsewhere. */
void virtio_leave(virtio *v)
{
    virtio_reset(v, 0);
    for (uint32_t i = 0; i < v->queue_count; i++)
        queue_take_doorbell(&v->queues[i]);
    atomic_store(&v->transport, NULL);
}

vsdk_status vsdk_virtio_detach(vsdk_device *device, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_detach";
    virtio *v;
    vsdk_status status = virtio_get(device, &v, operation, error);

    if (status)
        return status;
    const virtio_transport *transport = atomic_load(&v->transport);
    if (!transport)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "the device is not attached");
    for (uint32_t i = 0; i < v->queue_count; i++) {
        /* From a callback of a queue its reset could not wait for that callback. */
        status = vsdk_device_enter(v->queues[i].device, error);
        if (status == VSDK_ERROR_BUSY)
            return status;
        if (!status)
            vsdk_device_leave(v->queues[i].device);
    }
    return transport->detach(v, error);
}

vsdk_device *vsdk_virtio_function(vsdk_device *device)
{
    virtio *v = vsdk_device_user(device, &virtio_register_ops);

    return v ? virtio_get_function(v) : NULL;
}

virtio_queue *virtio_selected(virtio *v)
{
    return v->selected.queue < v->queue_count ? &v->queues[v->selected.queue] : NULL;
}

/* The address of the caller's own table tells kinds apart, as for devices. */
void *vsdk_virtio_user(vsdk_device *device, const vsdk_virtio_ops *ops)
{
    const virtio *v = vsdk_device_user(device, &virtio_register_ops);

    return v && v->kind == ops ? v->user : NULL;
}

/* Works, doorbells and watches are made with the loop; a queue without a place has work only. */
vsdk_status vsdk_virtio_set_loop(vsdk_device *device, uint32_t queue, vsdk_loop *loop,
                                 vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_set_loop";
    virtio_queue *q;
    vsdk_status status = virtio_get_queue(device, queue, &q, operation, error);

    if (status)
        return status;
    if (!loop)
        return error_null(error, operation, "loop");
    if (atomic_load(&q->v->transport))
        return error_set(error, VSDK_ERROR_EXISTS, operation, "the device is attached");
    return queue_set_loop(q, loop, error);
}

vsdk_loop *vsdk_virtio_queue_loop(vsdk_device *device, uint32_t queue)
{
    virtio *v = vsdk_device_user(device, &virtio_register_ops);

    return v && queue < v->queue_count ? v->queues[queue].loop : NULL;
}

vsdk_device *vsdk_virtio_queue_device(vsdk_device *device, uint32_t queue)
{
    virtio *v = vsdk_device_user(device, &virtio_register_ops);

    return v && queue < v->queue_count ? v->queues[queue].device : NULL;
}

uint64_t vsdk_virtio_features(vsdk_device *device)
{
    virtio *v = vsdk_device_user(device, &virtio_register_ops);

    return v ? atomic_load(&v->accepted) : 0;
}

uint64_t virtio_read_space(virtio *v, uint64_t offset, uint32_t width)
{
    uint64_t value = 0;

    lock_take(&v->lock);
    if (offset < v->space_length && width <= v->space_length - offset)
        memcpy(&value, v->space + offset, width);
    lock_give(&v->lock);
    return value;
}

/* Only a device that asks for it has a space that the driver can write. */
void virtio_write_space(virtio *v, uint64_t offset, uint32_t width, uint64_t value)
{
    if (!v->ops.config_written)
        return;
    lock_take(&v->lock);
    int fits = offset < v->space_length && width <= v->space_length - offset;
    if (fits)
        memcpy(v->space + offset, &value, width);
    lock_give(&v->lock);
    if (fits)
        v->ops.config_written(v->user, v->device, (uint32_t)offset, width);
}

/* Offsets and lengths are the embedder's, and may be anything. */
static vsdk_status get_space(vsdk_device *device, uint64_t offset, const void *bytes,
                             uint64_t length, virtio **v, const char *operation, vsdk_error *error)
{
    vsdk_status status = virtio_get(device, v, operation, error);

    if (status)
        return status;
    if (!bytes && length)
        return error_null(error, operation, "bytes");
    if (offset > (*v)->space_length || length > (*v)->space_length - offset)
        return error_set(error, VSDK_ERROR_RANGE, operation, "the configuration space has %u bytes",
                         (*v)->space_length);
    return VSDK_OK;
}

vsdk_status vsdk_virtio_get_space(vsdk_device *device, uint64_t offset, void *bytes,
                                  uint64_t length, vsdk_error *error)
{
    virtio *v;
    vsdk_status status =
        get_space(device, offset, bytes, length, &v, "vsdk_virtio_get_space", error);

    if (status || !length)
        return status;
    lock_take(&v->lock);
    memcpy(bytes, v->space + offset, length);
    lock_give(&v->lock);
    return VSDK_OK;
}

/* The generation changes with the bytes, so that a driver which reads them in pieces notices
 * (2.5.1). */
vsdk_status vsdk_virtio_set_space(vsdk_device *device, uint64_t offset, const void *bytes,
                                  uint64_t length, vsdk_error *error)
{
    virtio *v;
    vsdk_status status =
        get_space(device, offset, bytes, length, &v, "vsdk_virtio_set_space", error);

    if (status || !length)
        return status;
    lock_take(&v->lock);
    memcpy(v->space + offset, bytes, length);
    atomic_fetch_add(&v->generation, 1);
    lock_give(&v->lock);
    if (atomic_load(&v->status) & STATUS_DRIVER_OK)
        virtio_interrupt(v, 0, INTERRUPT_CONFIG);
    return VSDK_OK;
}

vsdk_status vsdk_virtio_fail(vsdk_device *device, vsdk_error *error)
{
    virtio *v;
    vsdk_status status = virtio_get(device, &v, "vsdk_virtio_fail", error);

    if (status)
        return status;
    virtio_needs_reset(v);
    return VSDK_OK;
}
