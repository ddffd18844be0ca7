/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio: console.
 *
 * A virtio device of up to 31 ports, each of which carries bytes both ways: consoles (/dev/hvc0 in
 * Linux) and named ports (/dev/vport0p1, which a guest's programs find by their names). It is
 * attached by vsdk_virtio_attach.
 *
 * What a port carries goes through a stream (stream.h). Nothing is lost: a guest that does not read
 * leaves the bytes in the stream, where its writer finds no room; an embedder that does not read
 * leaves the guest's buffers with the device, so that the guest waits. A port without a stream is
 * closed for the guest, and drops what a guest still writes; so is one whose other end was closed,
 * for the guest's reader after the last byte.
 *
 * A driver that knows one port only uses port 0, and is told nothing of open and closed.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/virtio_console.toml by abi/generate.py.
 */

#ifndef VSDK_VIRTIO_CONSOLE_H
#define VSDK_VIRTIO_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/loop.h>
#include <vsdk/stream.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Flags of vsdk_virtio_console_config.
 *
 * Since 0.1.
 */
enum vsdk_virtio_console_flags_values {
    VSDK_VIRTIO_CONSOLE_ROWS_FIRST = 0x1, /* The message of a new size has its rows first, as
                                             Linux read it until 2025. Without it the columns are
                                             first, as the specification says. */
};
typedef uint32_t vsdk_virtio_console_flags;

/*
 * Flags of vsdk_virtio_port.
 *
 * Since 0.1.
 */
enum vsdk_virtio_port_flags_values {
    VSDK_VIRTIO_PORT_CONSOLE = 0x1, /* The guest makes it a console */
};
typedef uint32_t vsdk_virtio_port_flags;

/*
 * One port. Frozen: 32 bytes.
 *
 * 32 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_port {
    const char *name;             /* By which the guest's programs find it, 1 to 63 bytes;
                                     copied. NULL: it has none. */
    vsdk_stream *stream;          /* The device's end of a stream; the device takes a reference.
                                     NULL: nothing is connected yet. */
    vsdk_virtio_port_flags flags; /* What it is */
    uint32_t reserved;            /* Zero */
    uint64_t reserved2;           /* Zero */
} vsdk_virtio_port;

/*
 * A program of the guest's has opened or closed a port. A reset of the device closes it.
 *
 *   user    (may be NULL) The configuration's pointer.
 *   device  (inout) The device; borrowed.
 *   port    The port's number.
 *   open    1 if it is open now, else 0.
 *
 * Runs on: As vsdk_device_write_fn, or the thread that dispatches the device's loop; a reset also
 * inside vsdk_vm_reset.
 * May call: as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef void (*vsdk_virtio_port_fn)(void *user, vsdk_device *device, uint32_t port, uint32_t open);

/*
 * How to make a console. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 72 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_console_config {
    uint32_t size;                 /* sizeof(vsdk_virtio_console_config) */
    uint32_t flags;                /* vsdk_virtio_console_flags */
    const vsdk_virtio_port *ports; /* (port_count elements, may be NULL) The ports, by their
                                      numbers */
    uint32_t port_count;           /* (entries) How many, 1 to 31; 0 for one console that nothing
                                      is connected to */
    uint16_t columns;              /* Of each console; 0 for 80 */
    uint16_t rows;                 /* Of each console; 0 for 25 */
    vsdk_virtio_port_fn changed;   /* (may be NULL) Hears of ports that the guest opens and
                                      closes */
    void *user;                    /* (may be NULL) Given to it */
    vsdk_release_fn release;       /* (may be NULL) Called once with user when the device is
                                      gone, on failure too */
    vsdk_loop *loop;               /* Where it runs; NULL for the virtual machine's loop. Kept. */
    uint64_t reserved[2];          /* Zero */
} vsdk_virtio_console_config;

/*
 * Make a console; no guest sees it yet.
 *
 * What is saved of it is which ports the guest has open and how much of a buffer of its was taken.
 * The bytes that are in a stream are the embedder's to move: who reads all of them after a pause,
 * and writes them to the other stream before the resume, loses none.
 *
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm or device is NULL, a flag is unknown, there are too many ports, or a name
 *                     is empty or too long
 *   UNSUPPORTED       a structure has a later version's field
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 5.3.
 */
vsdk_status vsdk_virtio_console_create(vsdk_vm *vm, const vsdk_virtio_console_config *config,
                                       vsdk_device **device, vsdk_error *error);

/*
 * Give a port another stream.
 *
 * The guest finds the port closed, and open again with the new stream. Of what was in the old one
 * nothing goes to the new one; a buffer of the guest's of which a part was taken goes on there.
 *
 *   device  The console.
 *   port    The port's number.
 *   stream  The device's end; the device takes a reference. NULL: nothing is connected.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL or no console, or has no such port
 *   NO_MEMORY         no memory; nothing is connected then
 *   STATE             called in a forked child
 * Threads: any; one at a time a device. Blocks: no. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_virtio_console_connect(vsdk_device *device, uint32_t port, vsdk_stream *stream,
                                        vsdk_error *error);

/*
 * Tell the guest of the size of a console.
 *
 *   device   The console.
 *   port     The port's number.
 *   columns  Not 0.
 *   rows     Not 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL or no console, has no such port, the port is no console, or a
 *                     number is 0
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 5.3.
 */
vsdk_status vsdk_virtio_console_resize(vsdk_device *device, uint32_t port, uint16_t columns,
                                       uint16_t rows, vsdk_error *error);

/*
 * Whether the guest has a port open.
 *
 *   device  The console.
 *   port    The port's number.
 *
 * Returns: 1 if it has, else 0; 0 if the device is no console, or has no such port.
 * Given NULL: returns 0.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
uint32_t vsdk_virtio_console_is_open(vsdk_device *device, uint32_t port);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VIRTIO_CONSOLE_H */
