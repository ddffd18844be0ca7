/* SPDX-License-Identifier: Apache-2.0 */
/* What the library's devices share: making a device with its ranges, and output to the embedder. */
#ifndef VSDK_DEVICES_DEVICE_H
#define VSDK_DEVICES_DEVICE_H

#include <stddef.h>
#include <vsdk/devices.h>

typedef struct device_range {
    vsdk_space space;
    uint64_t address, length;
    uint32_t region;
} device_range;

/* Creates a device and attaches its ranges. `self` is taken over: ops->release gets it, on failure
 * too. */
vsdk_status device_make(vsdk_vm *vm, const vsdk_device_ops *ops, void *self,
                        const vsdk_device_config *config, const device_range *ranges,
                        uint32_t count, vsdk_device **device, vsdk_error *error);

/* A device of one range of ports that has no state of its own. */
vsdk_status device_make_plain(vsdk_vm *vm, const vsdk_device_ops *ops, const char *name,
                              uint64_t address, uint64_t length, vsdk_device **device,
                              vsdk_error *error);

/* The beginning of a constructor: *device becomes NULL, vm and device are checked, and that this is
 * no forked child: nothing may be allocated there, since nobody would release it. */
vsdk_status device_begin(vsdk_vm *vm, vsdk_device **device, const char *operation,
                         vsdk_error *error);

/* record_read, and what is from `reserved` on to the end of the structure is zero. */
vsdk_status device_read_config(void *copy, size_t known, size_t reserved, const void *given,
                               const char *operation, vsdk_error *error);

/* VSDK_ERROR_STATE in a forked child, for a function that asks the core for nothing else that would
 * say so. A virtual machine that is gone is fine. */
vsdk_status device_check_process(vsdk_vm *vm, const char *operation, vsdk_error *error);

/* A device's pointer; NULL and VSDK_ERROR_INVALID_ARGUMENT if it is none of this table. */
void *device_of(vsdk_device *device, const vsdk_device_ops *ops, const char *kind,
                const char *operation, vsdk_error *error);

/* What an access writes, cut to its width. */
uint64_t device_value(const vsdk_access *access);

/* A byte of a saved state that may be anything. */
vsdk_status device_load_u8(vsdk_state_reader *reader, const char *name, uint8_t *value,
                           vsdk_error *error);

/* The library's table that also tells the kind of a device. */
extern const vsdk_device_ops fw_cfg_ops;

#endif
