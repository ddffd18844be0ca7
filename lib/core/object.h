/* The objects of the core, as its files share them. Each part's state is in the part's own header;
 * this one says who holds whom and which lock guards what. */
#ifndef VSDK_CORE_OBJECT_H
#define VSDK_CORE_OBJECT_H

#include "base/readers.h"
#include "base/refs.h"
#include "core/backend.h"
#include "core/bus.h"
#include "core/gpa_map.h"
#include "core/irq.h"
#include <pthread.h>
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
    int32_t pid; /* who opened it: a forked child only frees memory */
    vsdk_log_fn log;
    void *log_user;
    vsdk_release_fn log_release;
    uint32_t log_level;
    log_limit backend_messages;
    uint32_t vcpus_max;       /* asked once */
    uint32_t irqchip_missing; /* bit by vsdk_irqchip */
};

/* Where the thread that has a vCPU stands; it alone changes it, but for PLACE_LOCKED.
 * BUSY: in the guest. ASIDE: between exits, in a callback, or waiting for a device. WAIT: for a
 * writer of the topology. PARKED: the virtual machine is not RUNNING, or a pause is coming. LOCKED
 * is added to OUT and PARKED while another thread reaches for the registers or moves the record. */
enum vcpu_place {
    PLACE_OUT = 0,
    PLACE_BUSY = 1,
    PLACE_ASIDE = 2,
    PLACE_WAIT = 3,
    PLACE_PARKED = 4,
    PLACE_LOCKED = 16
};

enum vm_transition { TRANSITION_PAUSE = 1, TRANSITION_RESUME = 2, TRANSITION_HALT = 3 };

/* Core's own bits of backend_vcpu.requests, beside backend_request. */
enum core_request {
    REQUEST_WRITER = 16, /* a writer of the topology wants, or has, the vCPUs aside */
    REQUEST_LEAVE = 32   /* vsdk_vm_run takes its threads back */
};

/* The handle's count keeps the virtual machine, which owns the vCPU: closing never stops it. */
struct vsdk_vcpu {
    backend_vcpu backend;
    vsdk_vm *vm;
    refs refs;
    _Atomic uint32_t closed; /* the last handle, and the record is at home */
    _Atomic uint32_t place;
    _Atomic uint32_t pending; /* the last access is unfinished */
    uint32_t settable;        /* of that access: VSDK_EXIT_REGS_SETTABLE */
    uint32_t claimed;         /* a device has answered it */
    uint32_t kept;            /* `answer` is the record of a pending access that KICKED covers */
    vsdk_exit answer;
    vsdk_vcpu_counters counters; /* written by the runner only, relaxed: see counters.h */
    vsdk_exit exit __attribute__((aligned(64))); /* the record, unless the caller gave one */
    vsdk_x86_regs regs;
};

struct vsdk_vm {
    backend_vm backend;
    refs refs;       /* alive: the handle, vCPUs, RAM and devices that the embedder holds */
    refs memory;     /* refs together, each line, doorbell and pin: what devices hold themselves */
    vsdk_host *host; /* counted */
    vsdk_loop *_Atomic loop; /* counted; NULL until somebody needs it: vm_loop.c */
    vsdk_vcpu **vcpus;       /* config.vcpus_max entries; filled by a writer, under lock */
    uint32_t vcpu_count;

    /* Short uses from outside the vCPUs' runs (vm_use_begin), so that destroy waits for them; they
     * also keep the snapshots of bus and guest-address map that they have loaded. */
    readers readers;
    _Atomic uint32_t gone;

    /* Around each call of the operations table that backend.h does not call free of serialisation.
     * A leaf: nothing else is taken inside, no callback and no readers_wait. */
    pthread_mutex_t serial;

    /* What follows; a leaf, never held over a callback or a call of the backend. */
    pthread_mutex_t lock;
    _Atomic uint32_t changes; /* grows with each change that somebody may wait for: vm_state.c */
    _Atomic uint32_t waiters;
    vsdk_vm_state state;
    vsdk_exit end; /* in STOPPED, the terminal exit */
    struct vm_writer {
        uint32_t depth; /* 0: nobody */
        pthread_t owner;
        uint32_t guest_paused; /* by vm_hold */
        uint32_t transition;   /* vm_transition: one that is on its way, and calls the devices */
    } writer;
    uint32_t pausers;       /* threads inside vsdk_vm_pause that wait for the next one to end */
    uint64_t pauses;        /* pauses that came to be */
    uint64_t pauses_failed; /* that the hypervisor refused, the last of them for this: */
    vsdk_error pause_error;
    _Atomic uint32_t resume_wanted; /* by a callback: taken after a pause under way, and it */
    uint32_t guest_runs;            /* autonomous: what vm_resume and vm_pause made of it */
    _Atomic uint32_t pause_wanted;  /* take it when the vCPUs are parked and callbacks are over */
    _Atomic uint32_t callbacks;     /* that run outside vCPUs' runs */
    uint32_t destroyed;             /* the backend's part is gone */
    uint64_t clock_ns;              /* up to clock_since */
    uint64_t clock_since;           /* CLOCK_MONOTONIC of the start, 0: it stands */

    gpa_map map;
    bus bus;
    irq_router irq;
    struct vm_run *run; /* vsdk_vm_run's, NULL when it is not */
    _Atomic uint32_t run_cancelled;
};

/* vm.c: references from children. The last vm_put destroys and frees; never inside a callback of
 * this virtual machine (who calls one has a reference). */
void vm_get(vsdk_vm *vm);
void vm_put(vsdk_vm *vm);
/* The same for children that keep the handle's memory only: a device may hold such a child for as
 * long as it is attached, and yet the virtual machine ends with its last outside reference. */
void vm_keep(vsdk_vm *vm);
void vm_drop(vsdk_vm *vm);

/* A short use of a virtual machine by a public function: fails with GONE after destroy. Nothing may
 * wait for another thread inside, except for `serial`. */
typedef readers_token vm_use;
vsdk_status vm_use_begin(vsdk_vm *vm, vm_use *use, const char *operation, vsdk_error *error);
static inline void vm_use_end(vm_use use)
{
    readers_leave(use);
}

/* vm_hold.c: what a writer of the topology needs. vm_hold makes the calling thread the one writer
 * and returns when no vCPU is in the guest. Threads between exits and in callbacks are not waited
 * for (the snapshots that they use are kept by the reader sections); they wait for vm_release
 * before they enter the guest. So it may be called from callbacks; and it nests on one thread. With
 * `guest` an autonomous guest is paused too. Never inside vm_use. Fails with GONE, and with `guest`
 * where the hypervisor does not stop the guest: nothing is held then. vm_release fails only where
 * such a guest does not go on; all is released, and a pause wanted. */
vsdk_status vm_hold(vsdk_vm *vm, int guest, const char *operation, vsdk_error *error);
vsdk_status vm_release(vsdk_vm *vm, vsdk_error *error);

/* vm_clock.c: nanoseconds in RUNNING; takes no lock but vm->lock. */
uint64_t vm_clock(vsdk_vm *vm);

/* callback.c: which callbacks this thread is in. Entered before a device's lock is taken and left
 * after it was given back: leaving the outermost frame of a virtual machine takes a pause that was
 * requested, which calls the devices. The frame's vm must be alive until callback_leave returns. A
 * thread between vsdk_device_lock and unlock is in a frame too: what would wait for that lock, or
 * for a pause, which waits for it, is refused as in a callback. */
typedef struct callback_frame {
    struct callback_frame *outer;
    vsdk_vm *vm;         /* or NULL */
    vsdk_vcpu *vcpu;     /* whose access it is, or NULL */
    vsdk_device *device; /* or NULL */
    vsdk_loop *loop;     /* or NULL */
    uint32_t counted;    /* in vm->callbacks */
} callback_frame;

void callback_enter(callback_frame *frame);
void callback_leave(callback_frame *frame);
const callback_frame *callback_top(void);
int callback_in_vm(const vsdk_vm *vm);
int callback_in_device(const vsdk_device *device);
int callback_in_loop(const vsdk_loop *loop);
int callback_in_some_device(void);

#endif
