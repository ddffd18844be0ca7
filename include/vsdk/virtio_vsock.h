/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio sockets.
 *
 * The virtio socket device (virtio 1.2, section 5.10): stream sockets between programs of the guest
 * (AF_VSOCK) and programs of the host, without a network and without a module of the host's kernel.
 * The host is CID 2 for the guest.
 *
 * It is a virtio device as any other: vsdk_virtio_attach (virtio.h) puts it where the guest reaches
 * it.
 *
 * Programs of the host reach the guest by Unix sockets, in the convention that Firecracker has:
 *
 * - The guest connects to port P of the host: the device connects to the socket PATH_P (its path,
 *   an underscore, the port in decimal). If nobody listens there the guest is refused.
 * - A program connects to the socket PATH and sends CONNECT P and a newline. When the guest has
 *   accepted at its port P it reads OK L and a newline, L being the host's port. If the guest
 *   refuses or does not answer in time the socket is closed.
 *
 * The embedder has connections of its own, as descriptors of connected stream sockets (Unix
 * sockets, blocking until it says otherwise). They belong to the embedder, who closes them:
 *
 * - vsdk_virtio_vsock_listen takes a port of the host's; vsdk_virtio_vsock_descriptor is readable
 *   when a connection waits there, and vsdk_virtio_vsock_accept gives it. A port that the embedder
 *   listens at is not looked for by a path.
 * - vsdk_virtio_vsock_connect connects to a port of the guest's.
 *
 * A half that is shut down is shut down on the other side too. What one side has sent before is
 * delivered first. Who does not read stops the other side when the buffer of the connection is
 * full, and nobody else.
 *
 * Connections end with a reset of the device, and with the load of a state, of which the guest's
 * driver is told (transport reset). Who listens, goes on.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/virtio_vsock.toml by abi/generate.py.
 */

#ifndef VSDK_VIRTIO_VSOCK_H
#define VSDK_VIRTIO_VSOCK_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/loop.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * How to make a socket device. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 96 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_vsock_config {
    uint32_t size;        /* sizeof(vsdk_virtio_vsock_config) */
    uint32_t flags;       /* Zero */
    const char *name;     /* For messages and saved states; cut to 31 bytes. NULL: vsock. */
    uint64_t cid;         /* The guest's address: 3 to 4294967294. Only this device knows it: two
                             virtual machines may have the same. */
    /*
     * Where programs of the host come to, 1 to 96 bytes; also the beginning of the paths where the
     * guest goes to. The socket is made here, and removed with the device. NULL: only the embedder
     * has connections.
     */
    const char *path;
    vsdk_loop *loop;      /* Where the device runs; NULL for the virtual machine's loop. Kept. */
    uint32_t connections; /* The most at a time, up to 65536; 0 for 1024. The guest is refused
                             more. */
    uint32_t buffer;      /* (bytes) What the guest may send on one connection before the host
                             has read it, 4096 to 4 MiB; 0 for 64 KiB */
    uint64_t timeout_ns;  /* (ns) How long the guest may take to answer, and a program of the
                             host to say which port it wants, while the guest runs; 0 for 2
                             seconds */
    uint64_t reserved[5]; /* Zero */
} vsdk_virtio_vsock_config;

/*
 * Make a virtio socket device; no guest sees it yet.
 *
 *   config  What it is.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, or a field has a value that it can't
 *                     have
 *   UNSUPPORTED       the structure has a later version's field
 *   EXISTS            there is a file at the path already
 *   NOT_FOUND         there is no folder for the path
 *   PERMISSION        no file may be made there
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 5.10.
 */
vsdk_status vsdk_virtio_vsock_create(vsdk_vm *vm, const vsdk_virtio_vsock_config *config,
                                     vsdk_device **device, vsdk_error *error);

/*
 * Take the guest's connections to a port of the host's.
 *
 *   port     The port; not 4294967295.
 *   backlog  (entries) How many may wait to be accepted, up to 4096; 0 for 16. The guest is refused
 *            more.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio socket device, or a number is out
 *                     of its bounds
 *   EXISTS            the port is listened at already
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_vsock_listen(vsdk_device *device, uint32_t port, uint32_t backlog,
                                     vsdk_error *error);

/*
 * Take no more connections at a port.
 *
 * Those that wait there are closed; those that were accepted go on. The descriptor of the port is
 * closed too: nobody may wait for it any more.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio socket device, or the port is none
 *   NOT_FOUND         nobody listens there
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_vsock_unlisten(vsdk_device *device, uint32_t port, vsdk_error *error);

/*
 * A descriptor that is readable while a connection waits at a port.
 *
 * For poll and vsdk_watch_create. It is not read: vsdk_virtio_vsock_accept does that.
 *
 * Returns: a pollable descriptor, until vsdk_virtio_vsock_unlisten; -1 if nobody listens there
 * (borrowed).
 * Given NULL: returns -1.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
int32_t vsdk_virtio_vsock_descriptor(vsdk_device *device, uint32_t port);

/*
 * Take a connection that waits at a port.
 *
 *   descriptor  (out) A connected stream socket, the caller's to close; -1 on failure.
 *   peer        (out, may be NULL) The guest's port.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio socket device, or the port is none
 *   NOT_FOUND         none waits there, or nobody listens there
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_vsock_accept(vsdk_device *device, uint32_t port, int32_t *descriptor,
                                     uint32_t *peer, vsdk_error *error);

/*
 * Connect to a port of the guest's.
 *
 * The descriptor is there at once. What is written to it goes to the guest when the guest has
 * accepted; if it refuses, or does not answer in time, the descriptor hangs up.
 *
 *   port        The guest's port; not 4294967295.
 *   descriptor  (out) A connected stream socket, the caller's to close; -1 on failure.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the device is no virtio socket device, or the port is none
 *   LIMIT             there are as many connections as may be, or no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_vsock_connect(vsdk_device *device, uint32_t port, int32_t *descriptor,
                                      vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VIRTIO_VSOCK_H */
