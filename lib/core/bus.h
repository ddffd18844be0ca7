/* Who answers an access: devices, tagged ranges and doorbells by address.
 *
 * One immutable sorted table a space, read inside a reader section of vm->readers. Writers take
 * `lock`, publish a new table and wait for the readers; the writers of the guest-address map take
 * it too, so that memory and ranges never overlap. Order: vm_hold, then `lock`, then vm->lock. It
 * is never held over a callback and never taken inside a reader section. */
#ifndef VSDK_CORE_BUS_H
#define VSDK_CORE_BUS_H

#include "core/snapshot.h"
#include <pthread.h>
#include <stdatomic.h>
#include <vsdk/device.h>
#include <vsdk/vcpu.h>

struct drain_wait;

typedef struct bus_range {
    uint64_t first, last;
    vsdk_device *device; /* or NULL, and a tag */
    uint64_t tag;
    uint32_t region;
} bus_range;

typedef struct bus {
    snapshot_box ranges[2]; /* by vsdk_space: bus_range by address */
    snapshot_box bells[2];  /* by vsdk_space: see doorbell.h */
    pthread_mutex_t lock;
    uint32_t gone;
    _Atomic uint32_t quiet; /* no timer or watch of a device may fire */
    vsdk_device *devices;   /* every device that lives, in the order of creation */
    vsdk_device *newest;
    uint64_t round;          /* of visits to all of them */
    vsdk_vm_range *reserved; /* what the hypervisor serves itself, asked once */
    uint32_t reserved_count, reserved_known;

    pthread_mutex_t drain_lock; /* leaf; waits for a device's callbacks, see device_drain.c */
    pthread_cond_t drained;
    struct drain_wait *waits;
} bus;

/* Whom an access belongs to. */
typedef enum bus_answer {
    BUS_UNCLAIMED, /* the embedder's */
    BUS_TAGGED,    /* the embedder's, exit->tag is set */
    BUS_CLAIMED,   /* a device answered; run goes on */
    BUS_RUNG       /* doorbells took all of it; run goes on */
} bus_answer;

void bus_init(vsdk_vm *vm);

/* Gives a PIO or MMIO exit to whom it belongs, on the thread inside run and outside of any reader
 * section; callbacks run inside. Doorbells that ring are counted in the vCPU's counters. Elements
 * that rang are taken out of an access that then is not claimed. */
bus_answer bus_access(vsdk_vm *vm, vsdk_vcpu *vcpu, vsdk_exit *exit);

/* No timer or watch of a device starts a callback from now on. Any thread, never blocks, may be
 * called with vm->lock held: when the guest ends, and for a pause before pause_wanted is cleared.
 */
void bus_quiet(vsdk_vm *vm);
/* The reverse, unless the guest has ended meanwhile; no lock held. */
void bus_unquiet(vsdk_vm *vm);
/* Returns when no callback of a device runs and all pause callbacks have returned. The vCPUs stand,
 * no lock is held. */
void bus_pause_devices(vsdk_vm *vm);
/* The guest starts or goes on: resume callbacks of those that were paused, timers and watches fire
 * again. The state is RUNNING and the clock goes, the vCPUs stand, no lock is held. */
void bus_resume_devices(vsdk_vm *vm);
/* A pause that was wanted was withdrawn: timers and watches that it kept from firing fire. */
void bus_wake_sources(vsdk_vm *vm);

/* Detaches and releases everything. vm->gone is set and no vCPU is inside run; before the
 * operations' vm_destroy. */
void bus_destroy(vsdk_vm *vm);

/* bus_range.c, with bus.lock held: VSDK_ERROR_GONE, and whether the hypervisor serves an address.
 */
vsdk_status bus_usable(vsdk_vm *vm, const char *operation, vsdk_error *error);
vsdk_status bus_check_reserved(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                               vsdk_status code, const char *operation, vsdk_error *error);
/* Takes a device's ranges away, or all; 1 if there were any. Waits for the readers. */
int bus_remove_ranges(vsdk_vm *vm, vsdk_device *device);

/* For writers of the guest-address map, with bus.lock held: VSDK_ERROR_EXISTS if a range, a
 * doorbell or reserved addresses lie in the guest addresses given. */
vsdk_status bus_check_memory(vsdk_vm *vm, uint64_t gpa, uint64_t length, const char *operation,
                             vsdk_error *error);

#endif
