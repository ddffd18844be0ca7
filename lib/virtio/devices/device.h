/* SPDX-License-Identifier: Apache-2.0 */
/* What the library's virtio devices share. They are made of the public functions, as an embedder's
 * are. */
#ifndef VSDK_VIRTIO_DEVICES_DEVICE_H
#define VSDK_VIRTIO_DEVICES_DEVICE_H

#include <vsdk/vsdk.h>

/* The beginning of a constructor: *device becomes NULL, vm and device are checked. `foreign` is set
 * in a forked child, where nobody is called: nothing may be released there. */
vsdk_status virtio_device_begin(vsdk_vm *vm, vsdk_device **device, int *foreign,
                                const char *operation, vsdk_error *error);

/* record_read, and what is from `reserved` on to the end of the structure is zero. */
vsdk_status virtio_device_config(void *copy, size_t known, size_t reserved, const void *given,
                                 uint32_t known_flags, const char *operation, vsdk_error *error);

/* What a device of this kind was made with: NULL and INVALID_ARGUMENT if it is of another, NULL and
 * STATE in a forked child. */
void *virtio_device_of(vsdk_device *device, const vsdk_virtio_ops *ops, const char *kind,
                       const char *operation, vsdk_status *status, vsdk_error *error);

#endif
