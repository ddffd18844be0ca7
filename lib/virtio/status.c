/* SPDX-License-Identifier: Apache-2.0 */
/* The negotiation between driver and device (virtio 1.2, sections 2.1, 2.2 and 3.1). The driver
 * writes bits into the status; what it may not say yet is not taken, and it reads that back. All of
 * it runs in the callbacks of the registers' device, one at a time, but virtio_needs_reset. */
#include "base/error.h"
#include "virtio/virtio.h"
#include <string.h>

void virtio_accept_features(virtio *v, uint32_t word, uint32_t bits)
{
    if (word > 1 || atomic_load(&v->status) & STATUS_FEATURES_OK)
        return;
    v->driver_bits &= ~(UINT64_C(0xffffffff) << (32 * word));
    v->driver_bits |= (uint64_t)bits << (32 * word);
}

void virtio_needs_reset(virtio *v)
{
    uint32_t before = atomic_fetch_or(&v->status, STATUS_NEEDS_RESET);

    if (!(before & STATUS_NEEDS_RESET) && before & STATUS_DRIVER_OK)
        virtio_interrupt(v, 0, INTERRUPT_CONFIG);
}

void virtio_interrupt(virtio *v, uint32_t queue, uint32_t why)
{
    const virtio_transport *transport = atomic_load(&v->transport);

    if (transport)
        transport->interrupt(v, queue, why);
}

/* First nothing is served, then each queue is emptied, and only then the device hears of it. */
void virtio_reset(virtio *v, int stopped)
{
    atomic_store(&v->status, 0);
    for (uint32_t i = 0; i < v->queue_count; i++) {
        int entered = !stopped && queue_enter(&v->queues[i]);
        queue_reset(&v->queues[i]);
        queue_leave(&v->queues[i], entered);
    }
    atomic_store(&v->accepted, 0);
    atomic_store(&v->interrupts, 0);
    v->driver_bits = 0;
    memset(&v->selected, 0, sizeof v->selected);
    if (v->transport && v->transport->reset)
        v->transport->reset(v);
    if (v->ops.reset)
        v->ops.reset(v->user, v->device);
}

static int features_are_sound(const virtio *v)
{
    return !(v->driver_bits & ~v->offered) && v->driver_bits & VIRTIO_F_VERSION_1;
}

void virtio_set_status(virtio *v, uint32_t status)
{
    uint32_t before = atomic_load(&v->status), wanted = status & ~before;

    if (!status) {
        virtio_reset(v, 0);
        return;
    }
    /* Bits are never taken back but by a reset; NEEDS_RESET is the device's to set. */
    wanted &=
        STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK | STATUS_FAILED;
    if (wanted & STATUS_FEATURES_OK) {
        if (features_are_sound(v))
            atomic_store(&v->accepted, v->driver_bits);
        else
            wanted &= ~(uint32_t)STATUS_FEATURES_OK;
    }
    if (!((before | wanted) & STATUS_FEATURES_OK))
        wanted &= ~(uint32_t)STATUS_DRIVER_OK;
    atomic_fetch_or(&v->status, wanted);
    if (!(wanted & STATUS_DRIVER_OK))
        return;
    if (v->ops.ready)
        v->ops.ready(v->user, v->device);
    for (uint32_t i = 0; i < v->queue_count; i++)
        if (v->queues[i].ready)
            queue_wake(&v->queues[i]);
}
