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

/* A device of one range of ports whose user pointer is the virtual machine itself. */
vsdk_status device_make_plain(vsdk_vm *vm, const vsdk_device_ops *ops, const char *name,
                              uint64_t address, uint64_t length, vsdk_device **device,
                              vsdk_error *error);

/* Where the guest's bytes go. */
typedef struct device_output {
    vsdk_output_fn fn;
    void *user;
    vsdk_release_fn release;
} device_output;

void device_output_write(const device_output *output, uint8_t byte);
void device_output_release(const device_output *output);

/* The beginning of a constructor: *device becomes NULL, vm and device are checked. */
vsdk_status device_begin(vsdk_vm *vm, vsdk_device **device, const char *operation,
                         vsdk_error *error);

/* record_read, and what is from `reserved` on to the end of the structure is zero. */
vsdk_status device_read_config(void *copy, size_t known, size_t reserved, const void *given,
                               const char *operation, vsdk_error *error);

/* A device's pointer; NULL and VSDK_ERROR_INVALID_ARGUMENT if it is none of this table. */
void *device_of(vsdk_device *device, const vsdk_device_ops *ops, const char *kind,
                const char *operation, vsdk_error *error);

/* `value` cut to an access of `width` bytes. */
uint64_t device_cut(uint64_t value, uint32_t width);

/* The library's tables, which also tell the kinds of devices apart. */
extern const vsdk_device_ops serial_ops;
extern const vsdk_device_ops fw_cfg_ops;

#endif
