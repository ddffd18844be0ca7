/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers an access: devices, tagged ranges and doorbells by address.
 *
 * Immutable tables for each space, read inside a reader section of vm->readers. Writers take
 * `lock`, publish a new table and wait for the readers; the writers of the guest-address map take
 * it too, so that memory and ranges never overlap. It is never held over a callback and never taken
 * inside a reader section. */
#ifndef VSDK_CORE_BUS_H
#define VSDK_CORE_BUS_H

#include "base/lock.h"
#include "core/snapshot.h"
#include "core/span_map.h"
#include <stdatomic.h>
#include <vsdk/device.h>
#include <vsdk/vcpu.h>

typedef struct bus_range {
    span at;
    vsdk_device *device; /* or NULL, and a tag */
    uint64_t tag;
    uint32_t region;
    vsdk_space space;
    struct bus_range *next, **link; /* of the device's; under bus.lock */
} bus_range;

typedef struct bus {
    span_map ranges[2];      /* by vsdk_space: bus_range */
    snapshot_box bells[2];   /* by vsdk_space: see doorbell.h */
    lock lock;               /* RANK_TOPOLOGY */
    vsdk_vm_range *reserved; /* what the hypervisor serves itself, asked once */
    uint32_t reserved_count, reserved_known;
} bus;

/* What a vCPU has of the devices that are lent to it; see device_gate.c. */
typedef struct device_loan {
    _Atomic(vsdk_device *) inside; /* the lent device that the vCPU's thread is in, or comes to */
    _Atomic uint32_t recalled;     /* set by who recalls: the thread looks at `counted` */
    const vsdk_device *held;       /* the thread's own: lent to it, if nothing was recalled since */
    vsdk_device *counted;          /* under lock: a recall found it inside, and has counted it */
    lock lock;                     /* RANK_LEAF */
} device_loan;

/* The range that a vCPU's last access was given to: the next one mostly goes there too. It holds as
 * long as vm->readers.changes is `changes`. The vCPU's thread alone uses it. */
typedef struct bus_found {
    uint64_t first, most; /* most: its length - 1 */
    vsdk_device *device;
    uint64_t changes;        /* 0: looked up each time */
    vsdk_exit_reason reason; /* of the accesses: which space */
    uint32_t region;
} bus_found;

/* Whom an access belongs to. */
typedef enum bus_answer {
    BUS_UNCLAIMED, /* the embedder's */
    BUS_TAGGED,    /* the embedder's, exit->tag is set */
    BUS_CLAIMED,   /* a device answered; run goes on */
    BUS_RUNG,      /* doorbells took all of it; run goes on */
    BUS_DEFERRED   /* a device answers, but not all of it yet, or it is stopped */
} bus_answer;

/* Gives a PIO or MMIO exit to whom it belongs, from its element vcpu->element on; on the thread
 * inside run and outside of any reader section; callbacks run inside. Doorbells that ring are
 * counted in the vCPU's counters. Elements that rang are taken out of an access that then is not
 * claimed. Between elements it looks whether the thread is wanted elsewhere. */
bus_answer bus_access(vsdk_vm *vm, vsdk_vcpu *vcpu, vsdk_exit *exit);

/* range.c, with bus.lock held. */
vsdk_status bus_check_reserved(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                               const char *operation, vsdk_error *error);
/* Takes the ranges of a device away. Waits for the readers. */
void bus_remove_ranges(vsdk_device *device);
/* For writers of the guest-address map: an error if a range, a doorbell or reserved addresses lie
 * in the guest addresses given. */
vsdk_status bus_check_memory(vsdk_vm *vm, uint64_t gpa, uint64_t length, const char *operation,
                             vsdk_error *error);
/* Arguments, place and publication of one range, like `wanted` but for its place. */
vsdk_status bus_add_range(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                          const bus_range *wanted, const char *operation, vsdk_error *error);
/* One range that begins at an address: a device's, or (NULL) a tagged one. 0 if there is none. */
int bus_remove_range(vsdk_vm *vm, vsdk_space space, uint64_t address, vsdk_device *device);
/* Drops all tables; vm->gone is set. */
void bus_clear(vsdk_vm *vm);

#endif
