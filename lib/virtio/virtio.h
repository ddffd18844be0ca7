/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device from the inside. It is a vsdk_device, whose callbacks are its transport's
 * registers, and a vsdk_device a queue, whose lock is the queue's.
 *
 * Locks. The registers' device is entered first, a queue's then; never the other way round. So what
 * queues do to the whole (interrupt bits, the configuration space, NEEDS_RESET) is atomic or under
 * the leaf lock. */
#ifndef VSDK_VIRTIO_VIRTIO_H
#define VSDK_VIRTIO_VIRTIO_H

#include "base/lock.h"
#include "base/refs.h"
#include "virtio/ring.h"
#include <stdatomic.h>
#include <vsdk/vsdk.h>

enum {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64,
    STATUS_FAILED = 128
};
enum { INTERRUPT_QUEUE = 1, INTERRUPT_CONFIG = 2 };
enum { VIRTIO_QUEUES_MOST = 256, VIRTIO_SPACE_MOST = 256, VIRTIO_NO_VECTOR = 0xffff };

#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)
#define VIRTIO_F_RING_PACKED (UINT64_C(1) << 34)
#define VIRTIO_F_IN_ORDER (UINT64_C(1) << 35)
#define VIRTIO_F_RING_RESET (UINT64_C(1) << 40)

typedef struct virtio virtio;

/* What a transport does for the rest. */
typedef struct virtio_transport {
    uint64_t (*read)(virtio *v, const vsdk_access *access);
    void (*write)(virtio *v, const vsdk_access *access);
    /* Where a write tells of new chains; the width stays 0 if that is nowhere just now. */
    void (*place_doorbell)(virtio *v, uint32_t queue, vsdk_doorbell_config *config);
    void (*interrupt)(virtio *v, uint32_t queue, uint32_t why);
    /* What was told while the registers' device was stopped is told again. May be NULL. */
    void (*start)(virtio *v);
    void (*reset)(virtio *v);
    /* Takes the device away, after which no callback of its registers runs. */
    vsdk_status (*detach)(virtio *v, vsdk_error *error);
    /* What only this transport has; NULL if that is nothing. A load fails or takes all. */
    vsdk_status (*save)(virtio *v, vsdk_state_writer *writer, vsdk_error *error);
    vsdk_status (*load)(virtio *v, vsdk_state_reader *reader, vsdk_error *error);
} virtio_transport;

typedef struct virtio_queue {
    virtio *v;
    uint32_t index;
    vsdk_device *device;
    vsdk_loop *loop;
    vsdk_work *work; /* serves it, when nobody rings */
    vsdk_doorbell *doorbell;
    vsdk_watch *watch;
    /* As the driver chose; changed under both locks. */
    uint32_t size, ready;
    _Atomic uint32_t vector; /* PCI */
    uint64_t descriptors, driver, device_area;
    /* Under the queue's lock. */
    ring ring;
    vsdk_dma_view views[3];
    uint64_t life;   /* one more with each reset */
    uint32_t turn;   /* chains that notify may still take */
    uint8_t serving; /* notify runs */
    uint8_t heard;   /* the driver tells of new chains */
    uint8_t more;    /* notify was ended by its turn */
    /* From a load to the next start, which opens the ring. */
    struct queue_state *loaded;
    struct queue_state *incoming; /* of a load that is not over */
} virtio_queue;

struct virtio {
    refs memory; /* the registers' device, each queue's */
    uint32_t process;
    vsdk_device *device;
    const vsdk_virtio_ops *kind; /* the caller's table */
    vsdk_virtio_ops ops;
    void *user;
    uint32_t type, queue_count, queue_size;
    uint64_t offered;
    _Atomic uint64_t accepted;
    _Atomic uint32_t status, interrupts, generation;
    const virtio_transport *_Atomic transport; /* NULL: attached nowhere */
    struct {
        uint32_t device_features, driver_features, queue;
    } selected;
    struct {
        uint64_t address;
        vsdk_irq *irq; /* under `lock`: who interrupts has a reference of its own */
    } mmio;
    struct {
        vsdk_device *function;    /* as the line */
        _Atomic uint64_t address; /* of its BAR; 0: nowhere */
        _Atomic uint32_t vector;  /* of the configuration */
        uint8_t window_bar;       /* what a driver reads by the configuration space */
        uint32_t window_offset, window_length;
    } pci;
    lock lock; /* of the space, and of line and function */
    uint32_t space_length;
    uint8_t space[VIRTIO_SPACE_MOST];
    uint64_t driver_bits; /* written, not yet accepted */
    virtio_queue queues[];
};

extern const vsdk_device_ops virtio_register_ops, virtio_queue_ops;
extern const virtio_transport virtio_mmio, virtio_pci;

/* mmio.c, pci.c: the place was checked, the device is attached nowhere. */
vsdk_status mmio_attach(virtio *v, const vsdk_virtio_place *place, vsdk_error *error);
vsdk_status pci_attach(virtio *v, const vsdk_virtio_place *place, vsdk_error *error);
/* What both end with: the device was reset and its queues ring nowhere. */
/* NULL: the driver has selected one that is not there. */
virtio_queue *virtio_selected(virtio *v);
void virtio_leave(virtio *v);
vsdk_device *virtio_get_function(virtio *v); /* pci.c */

/* The configuration space, in any width. */
uint64_t virtio_read_space(virtio *v, uint64_t offset, uint32_t width);
void virtio_write_space(virtio *v, uint64_t offset, uint32_t width, uint64_t value);

/* INVALID_ARGUMENT if the device is no virtio device, STATE in a forked child. */
vsdk_status virtio_get(vsdk_device *device, virtio **v, const char *operation, vsdk_error *error);
/* And if there is no such queue. */
vsdk_status virtio_get_queue(vsdk_device *device, uint32_t queue, virtio_queue **q,
                             const char *operation, vsdk_error *error);
void virtio_put(virtio *v);

/* The negotiation (status.c), in the registers' callbacks. */
void virtio_accept_features(virtio *v, uint32_t word, uint32_t bits);
void virtio_set_status(virtio *v, uint32_t status);
void virtio_needs_reset(virtio *v);
/* Any thread; one that can't be delivered is lost, but for what a start tells again. */
void virtio_interrupt(virtio *v, uint32_t queue, uint32_t why);
/* Power-on state. `stopped`: inside a transition, where no queue can be entered and none runs. */
void virtio_reset(virtio *v, int stopped);

/* Queues (queue.c). */
vsdk_status queue_make(virtio *v, uint32_t index, const vsdk_virtio_config *config, vsdk_loop *loop,
                       vsdk_error *error);
void queue_end(virtio_queue *q);
void queue_enable(virtio_queue *q);      /* in the registers' callback */
void queue_disable(virtio_queue *q);     /* there too */
void queue_reset(virtio_queue *q);       /* the queue's lock is held, or nothing runs */
void queue_reset_alone(virtio_queue *q); /* by the driver, which sets it up again */
vsdk_status queue_set_loop(virtio_queue *q, vsdk_loop *loop, vsdk_error *error);
void queue_put_doorbell(virtio_queue *q);
void queue_take_doorbell(virtio_queue *q);
/* The queue's lock. 0: there is nothing to wait for, since it is stopped, or its machine has ended,
 * or this thread is inside. */
int queue_enter(virtio_queue *q);
void queue_leave(virtio_queue *q, int entered);
void queue_wake(virtio_queue *q);

/* State (state.c). */
void state_restore(virtio_queue *q); /* the queue starts, and a state was loaded */
void state_forget(virtio_queue *q);  /* the state is not wanted any more */
int queue_open(virtio_queue *q);     /* queue.c: pins and opens the ring; 0 if that can't be */
vsdk_status virtio_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                        vsdk_error *error);
vsdk_status virtio_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                        vsdk_error *error);

#endif
