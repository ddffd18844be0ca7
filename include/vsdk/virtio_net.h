/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio network device.
 *
 * A network card whose wire is a vsdk_net. It is a virtio device (virtio.h): vsdk_virtio_attach
 * puts it where the guest finds it, and it is saved and loaded as every device.
 *
 * What the network has as offloads the device offers to its driver, in both directions. Frames that
 * arrive wait in the network while the guest has no buffers for them; while it has no driver, or
 * the link is down, they are dropped.
 *
 * Queue 0 receives, queue 1 sends, queue 2 controls: addresses and filters are accepted, and every
 * frame is given to the guest all the same.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/virtio_net.toml by abi/generate.py.
 */

#ifndef VSDK_VIRTIO_NET_H
#define VSDK_VIRTIO_NET_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/loop.h>
#include <vsdk/net.h>
#include <vsdk/types.h>
#include <vsdk/virtio.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * How to make a network device. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 72 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_net_config {
    uint32_t size;        /* sizeof(vsdk_virtio_net_config) */
    uint32_t flags;       /* Zero */
    const char *name;     /* (may be NULL) For messages and saved states; cut to 31 bytes.
                             Copied. */
    vsdk_net *net;        /* Its wire. Kept. */
    uint8_t mac[6];       /* Its address, not that of a group. All zero: one is chosen at random. */
    uint16_t mtu;         /* (bytes) Told to the guest: 68 to 65535; 0 for nothing, which means
                             1500 */
    uint32_t queue_size;  /* (entries) As of vsdk_virtio_config; 0 for 256 */
    uint32_t padding;     /* Zero */
    vsdk_loop *loop;      /* Where its queues are served; NULL for the virtual machine's loop.
                             Kept. */
    uint64_t reserved[3]; /* Zero */
} vsdk_virtio_net_config;

/*
 * What a network device has done since it was made.
 *
 * The caller sets size to sizeof; the library fills in the rest. 64 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_net_counts {
    uint32_t size;            /* sizeof(vsdk_virtio_net_counts) */
    uint32_t flags;           /* Zero */
    uint64_t sent;            /* Frames that the network took from the guest */
    uint64_t received;        /* Frames that the guest got */
    uint64_t send_dropped;    /* Frames of the guest's that were malformed, or sent while the
                                 link was down */
    uint64_t receive_dropped; /* Frames that came without a driver or a link, or for which the
                                 driver's buffers are too small */
    uint64_t reserved[3];     /* Zero */
} vsdk_virtio_net_counts;

/*
 * Make a network device; no guest sees it yet.
 *
 *   config  What it is.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, or a field has a value that it can't
 *                     have
 *   UNSUPPORTED       the configuration has a later version's field
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 5.1.
 */
vsdk_status vsdk_virtio_net_create(vsdk_vm *vm, const vsdk_virtio_net_config *config,
                                   vsdk_device **device, vsdk_error *error);

/*
 * Plug the cable in, or pull it out.
 *
 * The driver is told. A new device is plugged in.
 *
 *   up  1: plugged in; 0: pulled out.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL or no network device of this kind, or up is neither
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_net_set_link(vsdk_device *device, uint32_t up, vsdk_error *error);

/*
 * What a device has done.
 *
 *   counts  (inout) Filled; size set by the caller.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the size is wrong, or the device is no network device of
 *                     this kind
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_virtio_net_get_counts(vsdk_device *device, vsdk_virtio_net_counts *counts,
                                       vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VIRTIO_NET_H */
