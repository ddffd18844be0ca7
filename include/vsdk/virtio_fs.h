/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio file system device.
 *
 * A guest mounts a shared folder (share.h) by the tag of this device: in Linux mount -t virtiofs
 * TAG /mnt. The device has a queue for what must not wait (FORGET), and queues for requests. A
 * request is answered in the call that takes it from the queue, on the thread of the queue's loop.
 *
 * It is attached by vsdk_virtio_attach. A reset of the device ends the session of the share. Save
 * and load take the session with them.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/virtio_fs.toml by abi/generate.py.
 */

#ifndef VSDK_VIRTIO_FS_H
#define VSDK_VIRTIO_FS_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/loop.h>
#include <vsdk/share.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * How to make the device. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 64 bytes. Since 0.1.
 */
typedef struct vsdk_virtio_fs_config {
    uint32_t size;        /* sizeof(vsdk_virtio_fs_config) */
    uint32_t flags;       /* Zero */
    vsdk_share *share;    /* What is shared; kept. One device has it. */
    const char *tag;      /* The name to mount it by: 1 to 36 bytes. Copied. */
    vsdk_loop *loop;      /* Where requests are answered; NULL for the virtual machine's loop.
                             Kept. */
    uint32_t queues;      /* Queues for requests, 1 to 16; 0 for 1 */
    uint32_t reserved0;   /* Zero */
    uint64_t reserved[3]; /* Zero */
} vsdk_virtio_fs_config;

/*
 * Make a file system device; no guest sees it yet.
 *
 *   config  What it is.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, the tag is empty or too long, or there
 *                     are too many queues
 *   UNSUPPORTED       the configuration has a later version's field
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 * Source: Virtio 1.2, section 5.11.
 */
vsdk_status vsdk_virtio_fs_create(vsdk_vm *vm, const vsdk_virtio_fs_config *config,
                                  vsdk_device **device, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_VIRTIO_FS_H */
