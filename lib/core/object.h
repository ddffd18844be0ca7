/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of the core, as its files share them. Each part's state is in the part's own header;
 * this one says who holds whom. Which lock guards what stands beside the fields; the order of the
 * locks is base/lock.h. */
#ifndef VSDK_CORE_OBJECT_H
#define VSDK_CORE_OBJECT_H

#include "base/lock.h"
#include "base/readers.h"
#include "base/refs.h"
#include "core/backend.h"
#include "core/bus.h"
#include "core/callback.h"
#include "core/gpa_map.h"
#include "core/irq.h"
#include "core/life.h"
#include <stdatomic.h>
#include <vsdk/vsdk.h>

/* See log.h. */
typedef struct log_limit {
    _Atomic uint64_t second; /* CLOCK_MONOTONIC, in seconds, of the window */
    _Atomic uint32_t used;   /* messages in it */
} log_limit;

struct vsdk_host {
    backend_host backend;
    refs refs;
    uint32_t process; /* who opened it: process_id */
    vsdk_log_fn log;
    void *log_user;
    vsdk_release_fn log_release;
    uint32_t log_level;
    log_limit backend_messages;
    uint32_t vcpus_max;       /* asked once */
    uint32_t irqchip_missing; /* bit by vsdk_irqchip */
};

/* Where the thread that has a vCPU stands; it alone changes it, but for PLACE_LOCKED.
 * BUSY: in the guest, or on the way. ASIDE: in a device, or between exits. WAIT: for a writer of
 * the topology. PARKED: the virtual machine is not RUNNING, or a pause is coming. LOCKED is added
 * to OUT and PARKED while another thread reaches for the state or moves the record. */
enum vcpu_place {
    PLACE_OUT = 0,
    PLACE_BUSY = 1,
    PLACE_ASIDE = 2,
    PLACE_WAIT = 3,
    PLACE_PARKED = 4,
    PLACE_LOCKED = 16,
    PLACE_AWAITED = 32 /* with LOCKED: somebody sleeps until it is unlocked */
};

/* Core's own bits of backend_vcpu.requests, beside backend_request. */
enum core_request {
    REQUEST_WRITER = 16, /* a writer of the topology wants, or has, the vCPUs aside */
    REQUEST_LEAVE = 32,  /* vsdk_vm_run takes its threads back */
    REQUEST_SETTLE = 64, /* with HOLD: the access is finished before the thread parks */
    REQUEST_LOOK = 128   /* with HOLD: a transition is due that a thread which is parked makes */
};

/* The virtual machine owns the vCPU: closing the handle never stops it. */
struct vsdk_vcpu {
    backend_vcpu backend;
    vsdk_vm *vm; /* its memory is counted by the handle */
    refs refs;
    _Atomic uint32_t closed;  /* the last handle, and the record is at home; a futex */
    _Atomic uint32_t place;   /* a futex while LOCKED */
    _Atomic uint32_t settles; /* odd while a pause finishes its access, in place BUSY */
    _Atomic uint32_t pending; /* the last access is unfinished */
    uint32_t settable;        /* of that access: VSDK_EXIT_REGS_SETTABLE */
    uint32_t claimed;         /* a device has answered it */
    uint32_t element;
    uint32_t deferred; /* its elements from `element` on wait for a device (exit_dispatch.c) */
    uint32_t kept;     /* `answer` is the record of a pending access that KICKED covers */
    vsdk_exit answer;
    /* Written by the runner only, relaxed: see counters.h. `exits` has those that are no access. */
    vsdk_vcpu_counters counters;
    readers_slot reading; /* the bus's tables: the runner's section of vm->readers */
    device_loan loan;
    bus_found found;
    callback_frame frame;                        /* of the access that a device answers now */
    vsdk_exit exit __attribute__((aligned(64))); /* the record, unless the caller gave one */
    vsdk_x86_regs regs;                          /* the areas of classes that come with exits */
    vsdk_x86_sregs sregs;
};

/* Every device that has not been released, in the order of creation. */
typedef struct device_list {
    vsdk_device *first, *last; /* under bus.lock */
    _Atomic uint32_t running;  /* devices that take part are, or become, started */
    _Atomic uint32_t stops;    /* whose stop is pending */
    /* Grows when a device starts or a range goes: for accesses that wait for their device. */
    _Atomic uint32_t changes;
    _Atomic uint32_t waiting; /* vCPUs whose access waits for such a change */
    _Atomic uint32_t look;    /* a stop under way may be nearer to its end: look again */
    uint32_t ended;           /* under bus.lock: no device is made any more */
} device_list;

/* Of console.c. What is here was taken at one side and had no room at the other. */
typedef struct vm_console {
    vsdk_stream *stream;   /* counted; NULL: what the guest writes is dropped */
    _Atomic uint32_t busy; /* a thread moves bytes; a futex for who must */
    uint32_t out_held, in_held;
    uint8_t out[256], in[256];
} vm_console;

struct vsdk_vm {
    backend_vm backend;
    refs refs;       /* alive: handles, and threads inside a run, a dispatch or a transition */
    refs memory;     /* refs together, and each child's handle */
    vsdk_host *host; /* counted */
    vsdk_loop *_Atomic loop; /* counted; NULL until somebody needs it: vm_loop.c */
    vsdk_vcpu **vcpus;       /* config.vcpus_max entries; filled by a writer, under life.lock */
    uint32_t vcpu_count;

    /* Short uses by public functions (vm_use_begin), so that destroy waits for them; they also keep
     * the snapshots of bus and guest-address map that they have loaded. */
    readers readers;
    _Atomic uint32_t gone;

    /* Around each call of the operations table that backend.h does not call free of serialisation.
     */
    lock serial;

    life life;
    gpa_map map;
    bus bus;
    device_list devices;
    irq_router irq;
    vm_console console;
    struct vm_run *run;              /* vsdk_vm_run's, NULL when it is not; under life.lock */
    _Atomic uint32_t told_to_resume; /* the log was: see vcpu_attend.c */
    _Atomic uint32_t run_cancelled;
    _Atomic uint32_t run_word; /* grows with what vsdk_vm_run waits for; a futex */
};

/* object.c: memory of hosts and virtual machines. Who keeps a virtual machine's memory may call
 * every function on it; it answers GONE after the destruction. */
void host_get(vsdk_host *host);
void host_put(vsdk_host *host);
void vm_keep(vsdk_vm *vm);
void vm_drop(vsdk_vm *vm);
void vm_free(vsdk_vm *vm); /* one that the backend has no part of */

/* In a child of fork nothing of the hypervisor may be touched, and locks may be held by threads
 * that the child does not have. 1: this object was made before. */
int host_is_foreign(const vsdk_host *host);
static inline int vm_is_foreign(const vsdk_vm *vm)
{
    return host_is_foreign(vm->host);
}

/* A short use of a virtual machine by a public function: fails with STATE in a forked child and
 * with GONE after destroy. It is a reader section: only locks of ranks above RANK_SOURCES are taken
 * inside, for nobody waits for readers with one of those held. It waits for nothing else. */
typedef readers_token vm_use;
vsdk_status vm_use_begin(vsdk_vm *vm, vm_use *use, const char *operation, vsdk_error *error);
static inline void vm_use_end(vm_use use)
{
    readers_leave(use);
}

vsdk_status vm_gone(const char *operation, vsdk_error *error);
/* Of any object: hosts, loops, streams and pools answer the same. */
vsdk_status vm_forked(const char *operation, vsdk_error *error);

static inline int vm_autonomous(const vsdk_vm *vm)
{
    return (vm->backend.host->ops->traits & BACKEND_AUTONOMOUS) != 0;
}

#endif
