/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and address ranges.
 *
 * A device answers the guest's accesses to ranges of ports or guest physical addresses. An access
 * that a device claims is answered on the thread that called run, and run goes on; one that nobody
 * claims returns from run. The library's own devices are made of this table and nothing else.
 *
 * A range may also be attached without a device, with a tag: its accesses return from run with the
 * tag, which is the device model for languages that can't be called from foreign threads.
 *
 * Ranges never overlap each other, and there are no priorities. An access that leaves the range in
 * which it begins is unclaimed as a whole. What the hypervisor serves itself can't be claimed
 * (vsdk_vm_list_reserved).
 *
 * One lock a device serialises its callbacks, those of its timers and watches included (loop.h);
 * VSDK_DEVICE_CONCURRENT leaves that to the device. No lock is shared between devices. Between its
 * pause and resume callbacks a device makes no DMA, interrupt or completion.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/device.toml by abi/generate.py.
 */

#ifndef VSDK_DEVICE_H
#define VSDK_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/exit.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * A device. Counted; keeps its virtual machine's handle alive. While attached the virtual machine
 * keeps it. Since 0.1.
 */
typedef struct vsdk_device vsdk_device;

/*
 * Flags of vsdk_device_config.
 *
 * Since 0.1.
 */
enum vsdk_device_flags_values {
    VSDK_DEVICE_CONCURRENT = 0x1, /* Callbacks may run on several threads at once; no lock is
                                     taken */
};
typedef uint32_t vsdk_device_flags;

/*
 * The guest reads. Returns the value; bits above the width are ignored.
 *
 *   user    (may be NULL) The device's pointer.
 *   region  The number given when the range was attached.
 *   offset  (bytes) From the start of the range.
 *   width   (bytes) 1, 2, 4 or 8.
 *
 * Runs on: The thread that called run (or complete or drain) of the vCPU that reads; in vsdk_vm_run
 * a thread of the library's.
 * May call: everything but pause, destroy, run and functions that say otherwise.
 * Since 0.1.
 */
typedef uint64_t (*vsdk_device_read_fn)(void *user, uint32_t region, uint64_t offset,
                                        uint32_t width);

/*
 * The guest writes.
 *
 *   user    (may be NULL) The device's pointer.
 *   region  The number given when the range was attached.
 *   offset  (bytes) From the start of the range.
 *   width   (bytes) 1, 2, 4 or 8.
 *   value   Zero-extended.
 *
 * Runs on: As vsdk_device_read_fn, of the vCPU that writes.
 * May call: as vsdk_device_read_fn.
 * Since 0.1.
 */
typedef void (*vsdk_device_write_fn)(void *user, uint32_t region, uint64_t offset, uint32_t width,
                                     uint64_t value);

/*
 * The virtual machine is paused or goes on.
 *
 *   user  (may be NULL) The device's pointer.
 *
 * Runs on: Any thread inside a function of the library that takes a pause or a resume: those by
 * name, a run, and whatever ends that for which a pause waited (the end of a callback, of a lock,
 * of a change of the memory).
 * May call: everything but pause, resume, destroy and run.
 * Since 0.1.
 */
typedef void (*vsdk_device_event_fn)(void *user);

/*
 * A device's callbacks. Copied when the device is made; NULL entries do nothing and read as all
 * ones. Reset, save and load will be entries after these.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 64 bytes. Since 0.1.
 */
typedef struct vsdk_device_ops {
    uint32_t size;               /* sizeof(vsdk_device_ops) */
    uint32_t flags;              /* Zero */
    vsdk_device_read_fn read;    /* (may be NULL) The guest reads */
    vsdk_device_write_fn write;  /* (may be NULL) The guest writes */
    /*
     * (may be NULL) Become quiet: no vCPU is in the guest. Not called for a pause in CREATED; but
     * where a first resume failed, and devices had been told of it, they are told to be quiet
     * again.
     */
    vsdk_device_event_fn pause;
    vsdk_device_event_fn resume; /* (may be NULL) Go on; after a pause only */
    vsdk_release_fn release;     /* (may be NULL) The device is gone: called once */
    uint64_t reserved[2];        /* Zero */
} vsdk_device_ops;

/*
 * How to make a device.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_device_config {
    uint32_t size;        /* sizeof(vsdk_device_config) */
    uint32_t flags;       /* vsdk_device_flags */
    const char *name;     /* (may be NULL) For messages; cut to 31 bytes. Copied. */
    uint64_t reserved[2]; /* Zero */
} vsdk_device_config;

/*
 * Make a device; it claims nothing yet.
 *
 *   ops     Its callbacks. The address also identifies the kind of device, see vsdk_device_user.
 *   user    (may be NULL) Given to the callbacks. ops->release is called once with it, on failure
 *           too.
 *   config  NULL for all defaults.
 *   device  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or a flag is unknown
 *   UNSUPPORTED       a structure has a later version's field
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                               const vsdk_device_config *config, vsdk_device **device,
                               vsdk_error *error);

/*
 * Drop a reference to a device.
 *
 * An attached device stays attached: detach it to take it away.
 *
 *   device  May be NULL.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_device_close(vsdk_device *device);

/*
 * Let a device answer a range.
 *
 * A device may have any number of ranges in both spaces.
 *
 *   space    Ports or guest physical addresses.
 *   address  First.
 *   length   (bytes) How many, not 0.
 *   region   Any number, given back to the callbacks.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL, the length 0 or the space unknown
 *   RANGE             the range wraps or leaves the space
 *   EXISTS            guest memory or another range is there
 *   UNSUPPORTED       the hypervisor serves these addresses itself; the message says what is there
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_add_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                  uint64_t length, uint32_t region, vsdk_error *error);

/*
 * Take all ranges of a device away.
 *
 * When it returns none of the device's callbacks is running and none will start, its timers and
 * watches included: those that exist are over for good, also if the device has no range. It may be
 * attached again, and given new ones. One that was detached in a pause and is attached after it is
 * told of no resume: attach it before the resume.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL
 *   BUSY              called from its own callback or under its lock, or two devices would wait for
 *                     each other
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: until its callbacks have returned. From callbacks: yes from another
 * device's; VSDK_ERROR_BUSY from its own, or where two devices would wait for each other. States:
 * any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_detach(vsdk_device *device, vsdk_error *error);

/*
 * The pointer that a device was made with, if it is of a kind.
 *
 *   ops  The table that it should have been made with.
 *
 * Returns the pointer if the device was made with this very table, else NULL (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void *vsdk_device_user(vsdk_device *device, const vsdk_device_ops *ops);

/*
 * Enter a device from outside its callbacks.
 *
 * Takes the device's lock, so that no callback of it runs until vsdk_device_unlock. For input that
 * arrives on another thread. Not recursive; does nothing for a CONCURRENT device. Until the unlock
 * the thread is as in a callback of this device: a pause waits for it, and pause, destroy, run and
 * a detach of the device are VSDK_ERROR_BUSY. Leave the memory and CPUID as they are meanwhile:
 * map, unmap, protect and vsdk_x86_vm_set_cpuid wait for a pause or resume that has begun, and that
 * waits for the lock. A language that moves its code between threads pins it to one from lock to
 * unlock.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: until a callback that runs has returned. From callbacks: not from its own
 * callbacks, which hold the lock already. States: any. Backends: all. Since 0.1.
 */
void vsdk_device_lock(vsdk_device *device);

/*
 * Leave a device.
 *
 * Given NULL: does nothing.
 * Threads: the one that locked it. Blocks: while it takes a pause that waited for the lock. From
 * callbacks: as vsdk_device_lock. States: any. Backends: all. Since 0.1.
 */
void vsdk_device_unlock(vsdk_device *device);

/*
 * Give a range a tag: its accesses return from run with it.
 *
 *   space    Ports or guest physical addresses.
 *   address  First.
 *   length   (bytes) How many, not 0.
 *   tag      Any value but 0.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL, the length or the tag 0 or the space unknown
 *   RANGE             the range wraps or leaves the space
 *   EXISTS            guest memory or another range is there
 *   UNSUPPORTED       the hypervisor serves these addresses itself
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_add_range(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                              uint64_t tag, vsdk_error *error);

/*
 * Take a tagged range away.
 *
 *   space    As attached.
 *   address  As attached.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  vm is NULL or the space unknown
 *   NOT_FOUND         no tagged range begins there
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: briefly: until accesses and calls that are under way have passed. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_vm_remove_range(vsdk_vm *vm, vsdk_space space, uint64_t address,
                                 vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_DEVICE_H */
