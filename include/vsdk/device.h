/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices.
 *
 * A device answers the guest's accesses to ranges of ports or guest physical addresses. An access
 * that a device claims is answered on the thread that called run, and run goes on. One that nobody
 * claims returns from run. The library's own devices are made of this table and nothing else.
 *
 * What a device does, it does through its own handle: DMA (dma.h), interrupt lines and messages
 * (irq.h), doorbells (doorbell.h), timers, watches and work (loop.h). So a device needs no handle
 * of its virtual machine, and holds none.
 *
 * Start and stop. A device starts when its virtual machine enters RUNNING, also the first time, and
 * stops when it leaves RUNNING, also into STOPPED. That holds for every device from its creation to
 * its detach, whatever it owns: ranges, a doorbell, a timer, a line, or nothing.
 *
 * A device that is made while the virtual machine is RUNNING starts when it gets its first range.
 * One without a range starts before the first callback of its timers, watches and work, with the
 * first vsdk_device_enter, or at the next entry into RUNNING. A detached device starts again as a
 * new one does, when it has got a range, a timer, a watch or work.
 *
 * From stop to start it makes no DMA, no interrupt and no completion: DMA, lines and messages
 * answer VSDK_ERROR_STATE, its timers, watches and work do not run, and vsdk_device_enter is
 * refused. Its state then belongs to who paused.
 *
 * A stop may take time: the callback answers VSDK_STOP_PENDING and the device calls
 * vsdk_device_stopped later, from any thread. Until then its DMA, its timers, watches and work go
 * on, so that what is under way can finish. When the pause gives up first, the device hears start
 * instead.
 *
 * Ranges never overlap each other, and there are no priorities. An access that leaves the range in
 * which it begins is unclaimed as a whole. What the hypervisor serves itself can't be claimed
 * (vsdk_vm_list_reserved).
 *
 * One lock per device serialises its callbacks, those of its timers, watches and work included.
 * VSDK_DEVICE_CONCURRENT leaves that to the device. No lock is shared between devices.
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
#include <vsdk/state.h>
#include <vsdk/types.h>
#include <vsdk/vcpu.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * A device. Counted; keeps the memory of its virtual machine's handle, not the guest. The virtual
 * machine keeps it from its first range to a detach. Since 0.1.
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
 * What a device does with work that is under way when it stops.
 *
 * Since 0.1.
 */
enum vsdk_stop_mode_values {
    VSDK_STOP_FINISH = 0, /* Finish it */
    VSDK_STOP_PARK = 1,   /* Leave it as it is, so that it can be saved and goes on after the
                             start. A device that can't do that finishes it. */
};
typedef uint32_t vsdk_stop_mode;

/*
 * What a device's stop callback answers.
 *
 * Since 0.1.
 */
enum vsdk_stop_answer_values {
    VSDK_STOP_DONE = 0,    /* Stopped */
    VSDK_STOP_PENDING = 1, /* Not yet: vsdk_device_stopped will say so */
};
typedef uint32_t vsdk_stop_answer;

/*
 * One access of a guest's to a device. Frozen: 32 bytes. Valid during the callback.
 *
 * 32 bytes. Since 0.1.
 */
typedef struct vsdk_access {
    vsdk_vcpu *vcpu;   /* The vCPU that makes it; borrowed */
    uint64_t offset;   /* (bytes) From the start of the range */
    uint64_t value;    /* What is written, zero-extended; 0 for a read */
    uint32_t region;   /* The number given with the range */
    uint16_t width;    /* (bytes) 1, 2, 4 or 8 */
    uint16_t reserved; /* Zero */
} vsdk_access;

/*
 * The guest reads.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   access  What is read.
 *
 * Returns the value; bits above the width are ignored.
 * Runs on: The thread that called run, or vsdk_vcpu_complete, or a settling pause, of the vCPU that
 * reads; in vsdk_vm_run a thread of the library's.
 * May call: everything but pause, reset, destroy, run and functions that say otherwise.
 * Since 0.1.
 */
typedef uint64_t (*vsdk_device_read_fn)(void *user, vsdk_device *device, const vsdk_access *access);

/*
 * The guest writes.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   access  What is written.
 *
 * Runs on: As vsdk_device_read_fn, of the vCPU that writes.
 * May call: as vsdk_device_read_fn.
 * Since 0.1.
 */
typedef void (*vsdk_device_write_fn)(void *user, vsdk_device *device, const vsdk_access *access);

/*
 * The device starts, or takes its power-on state.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *
 * Runs on: The thread that makes the transition: inside resume, reset, vsdk_vm_run, pause (which
 * gives up), vsdk_device_add_range, vsdk_device_detach or vsdk_device_enter in RUNNING, or the
 * dispatch of a loop in RUNNING.
 * May call: everything but pause, resume, reset, destroy and run.
 * Since 0.1.
 */
typedef void (*vsdk_device_event_fn)(void *user, vsdk_device *device);

/*
 * The device stops. No vCPU is in the guest and no callback of the device is running.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   mode    What to do with work that is under way.
 *
 * Returns whether it has stopped.
 * Runs on: The thread that makes the transition: inside pause, run, dispatch, resume, reset or
 * destroy.
 * May call: as vsdk_device_event_fn.
 * Since 0.1.
 */
typedef vsdk_stop_answer (*vsdk_device_stop_fn)(void *user, vsdk_device *device,
                                                vsdk_stop_mode mode);

/*
 * The device writes its state, as named fields. It is stopped, and stays as it is.
 *
 *   user    (may be NULL) The device's pointer.
 *   device  (inout) The device; borrowed.
 *   writer  Inout.
 *
 * Returns: VSDK_OK, or why not: what the writer answered, or a code of the device's own.
 * Runs on: The thread that called vsdk_device_save.
 * May call: functions of the writer.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_device_save_fn)(void *user, vsdk_device *device,
                                           vsdk_state_writer *writer, vsdk_error *error);

/*
 * The device reads its state back. It is stopped. The fields are not trusted: any of them may be
 * missing, or hold what the device never wrote.
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
typedef vsdk_status (*vsdk_device_load_fn)(void *user, vsdk_device *device,
                                           vsdk_state_reader *reader, vsdk_error *error);

/*
 * A device's callbacks. Copied when the device is made; a NULL entry does nothing, reads as all
 * ones, stops at once.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 88 bytes. Since 0.1.
 */
typedef struct vsdk_device_ops {
    uint32_t size;              /* sizeof(vsdk_device_ops) */
    uint32_t flags;             /* Zero */
    vsdk_device_read_fn read;   /* (may be NULL) The guest reads */
    vsdk_device_write_fn write; /* (may be NULL) The guest writes */
    vsdk_device_event_fn start; /* (may be NULL) RUNNING begins */
    vsdk_device_stop_fn stop;   /* (may be NULL) RUNNING ends */
    vsdk_device_event_fn reset; /* (may be NULL) Take the power-on state (vsdk_vm_reset) */
    vsdk_device_save_fn save;   /* Write the state. NULL: the device has none, unless load is
                                   there. */
    vsdk_device_load_fn load;   /* (may be NULL) Read it back */
    vsdk_release_fn release;    /* (may be NULL) The device is gone: called once. When the
                                   virtual machine was destroyed it may come without a stop
                                   before it; DMA answers VSDK_ERROR_GONE then. */
    uint64_t reserved[2];       /* Zero */
} vsdk_device_ops;

/*
 * How to make a device.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_device_config {
    uint32_t size;        /* sizeof(vsdk_device_config) */
    uint32_t flags;       /* vsdk_device_flags */
    const char *name;     /* (may be NULL) For messages and saved states; cut to 31 bytes.
                             Copied. */
    uint64_t reserved[2]; /* Zero */
} vsdk_device_config;

/*
 * Take a reference more.
 *
 *   device  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_device *vsdk_device_ref(vsdk_device *device);

/*
 * The name of a vsdk_stop_mode: finish, park.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_stop_mode_name(vsdk_stop_mode value);

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
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                               const vsdk_device_config *config, vsdk_device **device,
                               vsdk_error *error);

/*
 * Drop a reference to a device.
 *
 * A device that has had a range stays: detach it to take it away. One without a range is released
 * by the last close, without a stop before it.
 *
 *   device  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_device_close(vsdk_device *device);

/*
 * Let a device answer a range.
 *
 * A device may have any number of ranges in both spaces. The first one that it gets in RUNNING
 * starts it; while another thread detaches it, the end of that detach does.
 *
 *   space    Ports or guest physical addresses.
 *   address  First.
 *   length   (bytes) How many, not 0.
 *   region   Any number, given back with each access.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL, the length 0 or the space unknown
 *   RANGE             the range wraps or leaves the space
 *   EXISTS            guest memory or another range is there
 *   RESERVED          the hypervisor serves these addresses itself; the message says what is there
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly; with the first range in RUNNING while its start callback runs.
 * From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_add_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                  uint64_t length, uint32_t region, vsdk_error *error);

/*
 * Take one range of a device away.
 *
 * Waits for nobody: an access that found the range before may still be answered. A device without
 * ranges goes on as it is: started, with its timers, until it is detached.
 *
 *   space    As added.
 *   address  As added.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL or the space unknown
 *   NOT_FOUND         no range of this device begins there
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: briefly. From callbacks: yes, from its own too. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_device_remove_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                     vsdk_error *error);

/*
 * Take a device away from its virtual machine.
 *
 * Its ranges go, and its timers, watches and work are over for good. When it returns none of the
 * device's callbacks is running and none will start. A device that was started is not told: the
 * caller knows. Of an access of several elements of which the device has answered some, the
 * embedder gets the others (vsdk_exit, detail). It may be given ranges and timers anew, and then
 * starts as a new one does. A range that another thread gives it meanwhile is kept; when all
 * detaches that are under way are over it starts for that, once.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL
 *   BUSY              called from its own callback or between enter and leave, or two devices would
 *                     wait for each other
 *   GONE              the virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: until its callbacks have returned. From callbacks: yes from another
 * device's; VSDK_ERROR_BUSY from its own, or where two devices would wait for each other. States:
 * any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_detach(vsdk_device *device, vsdk_error *error);

/*
 * Say that a pending stop is done.
 *
 * For a device whose stop callback answered VSDK_STOP_PENDING. Without a stop that is pending it
 * does nothing: the pause may have given up meanwhile. It does not say which stop it means: a
 * device whose pause gave up, and which stops again, counts what is still under way, so that a late
 * call does not end the second stop.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes, from its own too. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_device_stopped(vsdk_device *device, vsdk_error *error);

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
 * A device's virtual machine.
 *
 * To end the guest (vsdk_vm_stop), ask for a pause, or read its clock from a device's callbacks.
 *
 * Returns the virtual machine, as long as the device's handle; after its destruction calls on it
 * answer VSDK_ERROR_GONE (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_vm *vsdk_device_vm(vsdk_device *device);

/*
 * Enter a device from outside its callbacks.
 *
 * Takes the device's lock, so that no callback of it runs until vsdk_device_leave. One that was
 * made in RUNNING and has no range starts with this. For input that arrives on another thread. Not
 * recursive; a CONCURRENT device is entered without a lock. Until it leaves the thread is as in a
 * callback of this device: a pause waits for it. A language that moves its code between threads
 * pins it to one from enter to leave.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device is NULL
 *   STATE             the device is stopped, or called in a forked child
 *   BUSY              called from its own callback or between enter and leave, or two devices would
 *                     wait for each other
 *   NO_MEMORY         no memory, for a CONCURRENT device
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: until a callback that runs has returned. From callbacks: yes from another
 * device's; VSDK_ERROR_BUSY from its own, or where two devices would wait for each other. States:
 * RUNNING. Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_enter(vsdk_device *device, vsdk_error *error);

/*
 * Leave a device.
 *
 * Without an enter of this thread before it does nothing.
 *
 * Given NULL: does nothing.
 * Threads: the one that entered. Blocks: no. From callbacks: yes. States: any. Backends: all. Since
 * 0.1.
 */
void vsdk_device_leave(vsdk_device *device);

/*
 * Write a device's state to memory.
 *
 * A stream of named, typed fields (state.h), for vsdk_device_load of a device of the same kind: in
 * this process or another, on this hypervisor or the other.
 *
 *   bytes     (out, capacity bytes) Filled if it has room for all; NULL with capacity 0 just asks
 *             for the size.
 *   capacity  (bytes) Room in bytes.
 *   needed    (out, bytes) How many there are.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  device or needed is NULL, or bytes is NULL with a capacity
 *   STATE             the device is not stopped, or called in a forked child
 *   BUSY              called from a callback of this virtual machine
 *   UNSUPPORTED       the device has a load callback, but no save callback
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: while its save callback runs. From callbacks: no: VSDK_ERROR_BUSY from a
 * callback of this virtual machine. States: CREATED, PAUSED, STOPPED, when the device has stopped.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_save(vsdk_device *device, void *bytes, uint64_t capacity, uint64_t *needed,
                             vsdk_error *error);

/*
 * Read a device's state back.
 *
 *   device  The device, of the same kind.
 *   bytes   (length bytes) What vsdk_device_save wrote. Not trusted.
 *   length  (bytes) How many.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   FORMAT            the bytes are not such a state, or a field is missing or has a value that it
 *                     can't have
 *   STATE             the device is not stopped, or called in a forked child
 *   BUSY              called from a callback of this virtual machine
 *   UNSUPPORTED       the device has a save callback, but no load callback
 *   NO_MEMORY         no memory
 *   GONE              the virtual machine was destroyed
 * Threads: any. Blocks: while its load callback runs. From callbacks: no: VSDK_ERROR_BUSY from a
 * callback of this virtual machine. States: CREATED, PAUSED, STOPPED, when the device has stopped.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_device_load(vsdk_device *device, const void *bytes, uint64_t length,
                             vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_DEVICE_H */
