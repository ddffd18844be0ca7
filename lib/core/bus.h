/* Who answers an access: devices, tagged ranges and doorbells by address.
 *
 * One immutable sorted table a space, read inside a reader section of vm->readers. Writers take
 * `lock`, publish a new table and wait for the readers; the writers of the guest-address map take
 * it too, so that memory and ranges never overlap. Order: vm_hold, then `lock`, then vm->lock. It
 * is never held over a callback and never taken inside a reader section. */
#ifndef VSDK_CORE_BUS_H
#define VSDK_CORE_BUS_H

#include <pthread.h>
#include <stdatomic.h>
#include <vsdk/device.h>
#include <vsdk/vcpu.h>

typedef struct bus_table bus_table;
struct drain_wait;

typedef struct bus {
    _Atomic(bus_table *) table[2]; /* by vsdk_space; NULL is empty */
    pthread_mutex_t lock;
    uint32_t gone;
    uint32_t paused;         /* between bus_pause_devices and bus_resume_devices */
    _Atomic uint32_t quiet;  /* no timer or watch of a device may fire */
    vsdk_device *devices;    /* every device that lives, in the order of creation */
    vsdk_vm_range *reserved; /* what the hypervisor serves itself, asked once */
    uint32_t reserved_count;

    pthread_mutex_t drain_lock; /* leaf; waits for a device's callbacks, see device.c */
    pthread_cond_t drained;
    struct drain_wait *waits;
} bus;

typedef enum bus_answer {
    BUS_UNCLAIMED, /* the embedder's */
    BUS_TAGGED,    /* the embedder's, exit->tag is set */
    BUS_CLAIMED,   /* a device answered; run goes on */
    BUS_RUNG,      /* doorbells took all of it; run goes on */
    BUS_HELD       /* nothing happened: hold this vCPU as requested, then ask again */
} bus_answer;

void bus_init(vsdk_vm *vm);

/* Gives a PIO or MMIO exit to whom it belongs, on the thread inside run and outside of any reader
 * section; callbacks run inside. Doorbells that ring are counted in the vCPU's counters. Elements
 * that rang are taken out of an access that then is not claimed. */
bus_answer bus_access(vsdk_vm *vm, vsdk_vcpu *vcpu, vsdk_exit *exit);

/* Devices become quiet: returns when no callback of a device runs and all pause callbacks have
 * returned. The vCPUs are held and none is in a callback. No lock may be held. */
void bus_pause_devices(vsdk_vm *vm);
/* The guest starts or goes on: resume callbacks of those that were paused, timers and watches fire
 * again. vm->state is RUNNING and the clock goes, the vCPUs are still held. No lock may be held. */
void bus_resume_devices(vsdk_vm *vm);
/* The guest has ended: timers and watches of devices stop. Any thread, never blocks. */
void bus_quiet(vsdk_vm *vm);

/* Detaches and releases everything. vm->gone is set and no vCPU is inside run; before the
 * operations' vm_destroy. */
void bus_destroy(vsdk_vm *vm);

/* For writers of the guest-address map, with bus.lock held: VSDK_ERROR_EXISTS if a range, a
 * doorbell or reserved addresses lie in the guest addresses given. */
vsdk_status bus_check_memory(vsdk_vm *vm, uint64_t gpa, uint64_t length, const char *operation,
                             vsdk_error *error);

#endif
