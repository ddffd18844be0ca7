/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio devices.
 *
 * A virtio device of the embedder's, or of the library's: feature bits, a configuration space, and
 * callbacks for what the driver does. The library has the transport, the negotiation and the rings.
 * Every value that the driver controls is copied, checked, and the copy is used. A driver that
 * breaks a rule of the rings finds its device in need of a reset (DEVICE_NEEDS_RESET), and nothing
 * of its ring is served until then.
 *
 * It is a device (device.h) as any other: it is closed, saved and loaded as such, its queues with
 * it.
 *
 * Queues. The guest puts chains of buffers into a queue. notify runs when a queue may have some;
 * vsdk_virtio_pop gives them, vsdk_virtio_read and vsdk_virtio_write copy from and to their
 * buffers, vsdk_virtio_map gives pointers into them, and vsdk_virtio_push gives a chain back. When
 * notify returns the driver is interrupted once for all that was pushed, if it wants that.
 *
 * Locks. Each queue is a device of its own (vsdk_virtio_queue_device), with its own lock and its
 * own place to run: the loop that it was given. notify holds this lock. Who wants to use a queue
 * outside of its callbacks makes its timers, watches and work part of the queue's device, or enters
 * it by vsdk_device_enter, and calls vsdk_virtio_signal when it is done. The configuration and the
 * negotiation are of the device as a whole.
 *
 * Start and stop are those of devices (device.h), a queue at a time. What a queue has popped and
 * not pushed when it stops is saved with it (VSDK_STOP_PARK), and after a load it is popped again.
 *
 * Split and packed rings, indirect descriptors, event indices, buffers in order, and the reset of
 * one queue. Virtio 1.2, modern devices only.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/virtio.toml by abi/generate.py.
 */

#ifndef VSDK_VIRTIO_H
#define VSDK_VIRTIO_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/dma.h>
#include <vsdk/loop.h>
#include <vsdk/machine.h>
#include <vsdk/pci.h>
#include <vsdk/state.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * How a guest finds and reaches a device.
 *
 * Since 0.1.
 */
enum vsdk_virtio_transport_values {
    VSDK_VIRTIO_MMIO = 0, /* Registers in 512 bytes of guest physical addresses, and one
                             interrupt line */
    VSDK_VIRTIO_PCI = 1,  /* A function of a PCI host (pci.h), with one memory BAR and messages */
};
typedef uint32_t vsdk_virtio_transport;

/*
 * Flags of vsdk_virtio_part.
 *
 * Since 0.1.
 */
enum vsdk_virtio_part_flags_values {
    VSDK_VIRTIO_WRITABLE = 0x1, /* The device writes it. Without it the device reads it. */
};
typedef uint32_t vsdk_virtio_part_flags;

/*
 * One buffer of a chain, as the driver described it. Frozen: 16 bytes.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_part {
    uint64_t gpa;                 /* Guest physical address. That there is memory is not known
                                     before it is used. */
    uint32_t length;              /* (bytes) Not 0 */
    vsdk_virtio_part_flags flags; /* Who writes it */
} vsdk_virtio_part;

/*
 * A chain of buffers that was popped. Filled by vsdk_virtio_pop; who has it changes nothing in it.
 * Frozen: 64 bytes.
 *
 * 64 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_chain {
    const vsdk_virtio_part *parts; /* (count elements) The buffers: first those that the device
                                      reads. Valid until the push, or the reset of the queue. */
    uint64_t readable;             /* (bytes) The sum of what the device reads */
    uint64_t writable;             /* (bytes) The sum of what the device writes */
    uint32_t count;                /* (entries) How many buffers */
    uint32_t readable_count;       /* (entries) How many of them the device reads */
    uint32_t queue;                /* Which queue it is of */
    uint32_t slot;                 /* The library's */
    uint64_t life;                 /* The library's */
    uint64_t reserved[2];          /* Zero */
} vsdk_virtio_chain;

/*
 * A queue may have chains. It is called again only when the driver adds some after a pop that
 * answered NOT_FOUND, or when so many were popped in this call that others should have their turn.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   queue   The queue's number.
 *
 * Runs on: The thread that dispatches the queue's loop.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef void (*vsdk_virtio_queue_fn)(void *user, vsdk_device *device, uint32_t queue);

/*
 * The driver is ready (ready), or the device takes its power-on state (reset).
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *
 * Runs on: As vsdk_device_write_fn; a reset also inside vsdk_vm_reset.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef void (*vsdk_virtio_event_fn)(void *user, vsdk_device *device);

/*
 * The driver has written to the configuration space.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   offset  (bytes) Where.
 *   length  (bytes) How much.
 *
 * Runs on: As vsdk_device_write_fn.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef void (*vsdk_virtio_config_fn)(void *user, vsdk_device *device, uint32_t offset,
                                      uint32_t length);

/*
 * A queue stops.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   queue   The queue's number.
 *   mode    What to do with what was popped.
 *
 * Returns whether it has stopped. What is pending ends by vsdk_device_stopped with the queue's
 * device.
 * Runs on: As vsdk_device_stop_fn.
 * May call: as vsdk_device_event_fn.
 * Since 0.1.
 */
typedef vsdk_stop_answer (*vsdk_virtio_stop_fn)(void *user, vsdk_device *device, uint32_t queue,
                                                vsdk_stop_mode mode);

/*
 * The device writes what is its own: the rings, the negotiation and the configuration space are the
 * library's.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   writer  Inout.
 *
 * Returns: VSDK_OK, or why not.
 * Runs on: The thread that called vsdk_device_save.
 * May call: functions of the writer.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_virtio_save_fn)(void *user, vsdk_device *device,
                                           vsdk_state_writer *writer, vsdk_error *error);

/*
 * The device reads back what is its own. The fields are not trusted.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   reader  Inout.
 *
 * Returns: VSDK_OK, or why not. A device that fails keeps the state that it had.
 * Runs on: The thread that called vsdk_device_load.
 * May call: functions of the reader.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_virtio_load_fn)(void *user, vsdk_device *device,
                                           vsdk_state_reader *reader, vsdk_error *error);

/*
 * A virtio device's callbacks. Copied when the device is made; a NULL entry does nothing.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 104 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_ops {
    uint32_t size;                        /* sizeof(vsdk_virtio_ops) */
    uint32_t flags;                       /* Zero */
    vsdk_virtio_queue_fn notify;          /* (may be NULL) A queue may have chains */
    vsdk_virtio_event_fn ready;           /* (may be NULL) The driver is ready (DRIVER_OK):
                                             features and queues are final */
    /*
     * (may be NULL) By the driver, or vsdk_vm_reset. Every queue was emptied before: what was
     * popped is not the device's any more, and its memory is not touched when this has returned.
     */
    vsdk_virtio_event_fn reset;
    vsdk_virtio_config_fn config_written; /* The driver has written to the configuration space.
                                             NULL: it can't. */
    vsdk_virtio_queue_fn start;           /* (may be NULL) A queue starts */
    vsdk_virtio_stop_fn stop;             /* A queue stops. NULL: what was popped is left as it
                                             is. */
    vsdk_virtio_save_fn save;             /* (may be NULL) Write the device's own state */
    vsdk_virtio_load_fn load;             /* (may be NULL) Read it back */
    vsdk_release_fn release;              /* (may be NULL) The device is gone: called once, on
                                             failure too */
    vsdk_virtio_queue_fn queue_reset;     /* One queue is emptied by the driver: as reset, for
                                             this queue. NULL: the device offers no reset of one
                                             queue (RING_RESET), and is not told. */
    vsdk_pci_ejected_fn ejected;          /* (may be NULL) PCI: as of a function; function is the
                                             virtio device. When the guest let it go it is
                                             detached and was reset. */
    uint64_t reserved;                    /* Zero */
} vsdk_virtio_ops;

/*
 * How to make a virtio device. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 96 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_config {
    uint32_t size;         /* sizeof(vsdk_virtio_config) */
    uint32_t flags;        /* Zero */
    const char *name;      /* (may be NULL) For messages and saved states; cut to 31 bytes.
                              Copied. */
    uint64_t features;     /* The device type's feature bits, 0 to 23 and 50 to 63. Those of the
                              rings are the library's. */
    uint32_t type;         /* The device ID of the specification (section 5), not 0: 2 for block,
                              4 for entropy */
    uint32_t queues;       /* How many, 1 to 256 */
    uint32_t queue_size;   /* (entries) The most that the driver may choose, a power of two up to
                              32768; 0 for 256 */
    uint32_t chain_max;    /* (entries) The longest chain, up to 1024; 0 for 128. A driver that
                              makes a longer one breaks a rule. */
    const void *space;     /* (space_length bytes, may be NULL) The configuration space at
                              power-on; copied */
    uint64_t space_length; /* (bytes) Up to 256 */
    vsdk_loop *loop;       /* Where notify runs, for all queues; NULL for the virtual machine's
                              loop. Kept. */
    uint64_t reserved[4];  /* Zero */
} vsdk_virtio_config;

/*
 * Where a device is.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_place {
    uint32_t size;                   /* sizeof(vsdk_virtio_place) */
    uint32_t flags;                  /* Zero */
    uint64_t address;                /* MMIO: the first of its 512 bytes, a multiple of 4.
                                        VSDK_PC_ANY with a machine: it chooses this and the line.
                                        PCI: the slot, or VSDK_PC_ANY. */
    vsdk_virtio_transport transport; /* How it is reached */
    uint32_t gsi;                    /* MMIO: its interrupt line, an edge */
    /*
     * (may be NULL) A machine whose tables tell of the device: address and line are claimed, and a
     * node (LNRO0005, its uid the address divided by 512) is added. PCI: the machine whose host it
     * is put into. Borrowed for the call.
     */
    vsdk_pc *pc;
    vsdk_device *host;               /* (may be NULL) PCI: the host, where there is no machine */
    uint64_t reserved[1];            /* Zero */
} vsdk_virtio_place;

/*
 * The name of a vsdk_virtio_transport: mmio, pci.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_virtio_transport_name(vsdk_virtio_transport value);

/*
 * Make a virtio device; no guest sees it yet.
 *
 *   ops     Its callbacks. The address also identifies the kind of device, see vsdk_virtio_user.
 *   user    (may be NULL) Given to the callbacks. ops->release is called once with it, on failure
 *           too.
 *   config  What it is.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, or a field has a value that it can't
 *                     have
 *   UNSUPPORTED       a structure has a later version's field
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, sections 2 and 5.
 */
vsdk_status vsdk_virtio_create(vsdk_vm *vm, const vsdk_virtio_ops *ops, void *user,
                               const vsdk_virtio_config *config, vsdk_device **device,
                               vsdk_error *error);

/*
 * Put a device where the guest reaches it.
 *
 *   place  Where.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, a value or flag is
 *                     unknown, or the machine is another virtual machine's
 *   UNSUPPORTED       the structure has a later version's field, the machine has no PCI host, or as
 *                     vsdk_pc_add_node
 *   EXISTS            it is attached already, or something else is there
 *   RESERVED          the hypervisor serves some of it itself
 *   RANGE             it leaves its space
 *   LIMIT             nothing is free, or as vsdk_pc_add_node
 *   STATE             the machine's guest was started already, or called in a forked child
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any; one at a time a device, and on PCI a host. Blocks: briefly: until accesses and
 * calls that are under way have passed. From callbacks: yes. States: any; MMIO: CREATED with a
 * machine. Backends: all. Since 0.1.
 * Source: Virtio 1.2, sections 4.1 and 4.2.
 */
vsdk_status vsdk_virtio_attach(vsdk_device *device, const vsdk_virtio_place *place,
                               vsdk_error *error);

/*
 * Take a device away from its guest.
 *
 * As vsdk_device_detach, and the device is reset. It may be attached again. vsdk_device_detach
 * alone takes the registers away, and the queues are served as before. What was claimed of a
 * machine, and its node, stay.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no virtio device
 *   NOT_FOUND         it is not attached
 *   BUSY              as vsdk_device_detach
 *   STATE             called in a forked child
 * Threads: any; one at a time a device, and on PCI a host. Blocks: until the callbacks that run
 * have returned. From callbacks: no: VSDK_ERROR_BUSY from its own callbacks. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_virtio_detach(vsdk_device *device, vsdk_error *error);

/*
 * The pointer of a device of one's own kind.
 *
 *   ops  Its callbacks.
 *
 * Returns the pointer given with it; NULL if the device was made with other callbacks (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void *vsdk_virtio_user(vsdk_device *device, const vsdk_virtio_ops *ops);

/*
 * The device that a queue is.
 *
 * Its lock is the queue's. Give it to timers, watches and work that use the queue.
 *
 *   queue  The queue's number.
 *
 * Returns the device, alive as long as the virtio device; NULL if there is no such queue
 * (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_device *vsdk_virtio_queue_device(vsdk_device *device, uint32_t queue);

/*
 * The loop on which a queue is served.
 *
 *   queue  The queue's number.
 *
 * Returns the loop, alive until another one is set; NULL if there is no such queue (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_loop *vsdk_virtio_queue_loop(vsdk_device *device, uint32_t queue);

/*
 * Serve a queue on a loop of its own.
 *
 * Before the device is attached. So the queues of one device are served by several threads. What
 * the device's author has made for the queue before stays on the loop of before.
 *
 *   queue  The queue's number.
 *   loop   Where. Kept.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, or there is no such queue
 *   EXISTS            the device is attached
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any; one at a time a device. Blocks: no. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_virtio_set_loop(vsdk_device *device, uint32_t queue, vsdk_loop *loop,
                                 vsdk_error *error);

/*
 * The feature bits that the driver accepted.
 *
 * Returns the bits, those of the rings too; 0 before the driver has accepted them (FEATURES_OK).
 * Given NULL: returns 0.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
uint64_t vsdk_virtio_features(vsdk_device *device);

/*
 * Read the configuration space.
 *
 *   offset  (bytes) Where.
 *   bytes   (out, length bytes) Filled.
 *   length  (bytes) How much.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no virtio device
 *   RANGE             there are not so many bytes
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_get_space(vsdk_device *device, uint64_t offset, void *bytes,
                                  uint64_t length, vsdk_error *error);

/*
 * Change the configuration space, and tell the driver.
 *
 *   offset  (bytes) Where.
 *   bytes   (length bytes) What it becomes.
 *   length  (bytes) How much.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no virtio device
 *   RANGE             there are not so many bytes
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_set_space(vsdk_device *device, uint64_t offset, const void *bytes,
                                  uint64_t length, vsdk_error *error);

/*
 * Say that the device needs a reset.
 *
 * The driver is told. The queues answer NOT_FOUND until the reset.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the device is no virtio device
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 2.1.2.
 */
vsdk_status vsdk_virtio_fail(vsdk_device *device, vsdk_error *error);

/*
 * Take the next chain of a queue.
 *
 * Called with the queue's lock. Each chain is given back by vsdk_virtio_push; in which order does
 * not matter.
 *
 *   queue  The queue's number.
 *   chain  (out) Filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, or there is no such queue
 *   NOT_FOUND         there is none now: notify will tell of the next
 *   FORMAT            the driver broke a rule, and the device needs a reset now
 *   STATE             called in a forked child
 * Threads: any that has the queue's lock. Blocks: no. From callbacks: yes. States: while the queue
 * is started. Backends: all. Since 0.1.
 * Source: Virtio 1.2, sections 2.7 and 2.8.
 */
vsdk_status vsdk_virtio_pop(vsdk_device *device, uint32_t queue, vsdk_virtio_chain *chain,
                            vsdk_error *error);

/*
 * Copy from the readable part of a chain.
 *
 *   offset  (bytes) From the first byte that is readable.
 *   buffer  (out, length bytes) Filled.
 *   length  (bytes) 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, or the chain is none of
 *                     this device's
 *   RANGE             the chain has not so many bytes, or the guest has no memory there
 *   STATE             the queue is stopped, or was reset since the pop, or called in a forked child
 *   GONE              the virtual machine was destroyed
 * Threads: any that has the queue's lock. Blocks: no. From callbacks: yes. States: while the queue
 * is started. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_read(vsdk_device *device, const vsdk_virtio_chain *chain, uint64_t offset,
                             void *buffer, uint64_t length, vsdk_error *error);

/*
 * Copy to the writable part of a chain.
 *
 *   offset  (bytes) From the first byte that is writable.
 *   buffer  (length bytes) What to write.
 *   length  (bytes) 0 succeeds and does nothing.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, or the chain is none of
 *                     this device's
 *   RANGE             the chain has not so many bytes, or the guest has no memory there that can be
 *                     written
 *   STATE             the queue is stopped, or was reset since the pop, or called in a forked child
 *   GONE              the virtual machine was destroyed
 * Threads: any that has the queue's lock. Blocks: no. From callbacks: yes. States: while the queue
 * is started. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_write(vsdk_device *device, const vsdk_virtio_chain *chain, uint64_t offset,
                              const void *buffer, uint64_t length, vsdk_error *error);

/*
 * Pin bytes of a chain and get pointers to them.
 *
 * For input and output without a copy. Each view is ended by vsdk_dma_unmap, before the push. When
 * it fails nothing is pinned.
 *
 *   intent    VSDK_DMA_FROM_GUEST for bytes that are readable, VSDK_DMA_TO_GUEST for those that are
 *             writable.
 *   offset    (bytes) From the first byte of this kind.
 *   length    (bytes) How many.
 *   views     (out, capacity elements) Filled; the size of each is set by the library.
 *   capacity  (entries) Room in views.
 *   count     (out, entries) How many were filled.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, the intent is not one of
 *                     the two, or the chain is none of this device's
 *   RANGE             the chain has not so many bytes, or the guest has no memory there for this
 *   LIMIT             there is no room for so many views, or no more pins
 *   STATE             the queue is stopped, or was reset since the pop, or called in a forked child
 *   GONE              the virtual machine was destroyed
 * Threads: any that has the queue's lock. Blocks: no. From callbacks: yes. States: while the queue
 * is started. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_map(vsdk_device *device, const vsdk_virtio_chain *chain,
                            vsdk_dma_intent intent, uint64_t offset, uint64_t length,
                            vsdk_dma_view *views, uint32_t capacity, uint32_t *count,
                            vsdk_error *error);

/*
 * Give a chain back to the driver.
 *
 * Called with the queue's lock. A chain of before a reset is forgotten: that is no error. The
 * driver is not interrupted by it: that comes when notify returns, or by vsdk_virtio_signal.
 *
 *   chain    The chain; not used again.
 *   written  (bytes) How many bytes from the first writable one on were written.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, or the chain is none of
 *                     this device's, or was pushed already
 *   RANGE             more was written than is writable
 *   STATE             called in a forked child
 * Threads: any that has the queue's lock. Blocks: no. From callbacks: yes. States: while the queue
 * is started. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_push(vsdk_device *device, const vsdk_virtio_chain *chain, uint32_t written,
                             vsdk_error *error);

/*
 * Interrupt the driver for what was pushed, if it wants that.
 *
 * Called with the queue's lock. notify does it at its end. An interrupt that can't be delivered is
 * lost.
 *
 *   queue  The queue's number.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio device, or there is no such queue
 *   STATE             called in a forked child
 * Threads: any that has the queue's lock. Blocks: no. From callbacks: yes. States: while the queue
 * is started. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_signal(vsdk_device *device, uint32_t queue, vsdk_error *error);

/*
 * The PCI function that a device is.
 *
 * To ask where it is, or to ask the guest to let it go (vsdk_pci_function_eject). It is detached by
 * vsdk_virtio_detach, and saved with the virtio device.
 *
 * Returns the function; NULL if the device is not attached to PCI (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_device *vsdk_virtio_function(vsdk_device *device);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VIRTIO_H */
