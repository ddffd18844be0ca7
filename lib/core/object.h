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
#include <vsdk/vsdk.h>

struct vsdk_host {
    backend_host backend;
    refs refs;
    vsdk_log_fn log;
    void *log_user;
    vsdk_release_fn log_release;
    uint32_t log_level;
};

/* A vCPU's place seen by the core; vcpu_state.c. */
struct vsdk_vcpu {
    backend_vcpu backend;
    refs refs;
    _Atomic uint32_t inside;     /* 1 while a thread is in vsdk_vcpu_run or _complete */
    _Atomic uint32_t parked;     /* that thread stands still for a hold; under vm->lock */
    uint32_t pending;            /* the record shows an unanswered access; the runner's, or held */
    vsdk_vcpu_counters counters; /* written by the runner only, read relaxed */
};

struct vsdk_vm {
    backend_vm backend;
    refs refs;
    vsdk_host *host; /* counted */
    vsdk_loop *loop; /* counted */
    vsdk_vcpu **vcpus;

    /* API calls that use the virtual machine from outside the vCPUs' runs enter here, so that
     * destroy waits for them; also what guards the snapshots of bus and guest-address map. */
    readers readers;
    _Atomic uint32_t gone;

    /* Writers of the topology (map, attach, create, destroy) one at a time; see vm_hold.h. */
    pthread_mutex_t lock; /* state, holds, parked; leaf lock, never held over a callback */
    pthread_cond_t changed;
    vsdk_vm_state state;
    vsdk_exit end; /* in STOPPED, the terminal exit */

    gpa_map map;
    bus bus;
    irq_router irq;
    struct vm_run *run; /* vsdk_vm_run's, NULL when it is not */
};

/* vm.c: references from children. */
void vm_get(vsdk_vm *vm);
void vm_put(vsdk_vm *vm);

/* A use of a virtual machine by a public function: fails with GONE after destroy. */
typedef readers_token vm_use;
vsdk_status vm_use_begin(vsdk_vm *vm, vm_use *use, const char *operation, vsdk_error *error);
static inline void vm_use_end(vm_use use)
{
    readers_leave(use);
}

/* vm_hold.c: what a writer of the topology needs. vm_hold serialises writers and stops every vCPU
 * except that of the calling thread, if it calls from a callback; a vCPU that is AT_EXIT, or whose
 * thread waits in vm_hold itself, counts as stopped. With `guest` an autonomous guest is paused
 * too. vm_release ends it. Fails with GONE, never with BUSY. */
vsdk_status vm_hold(vsdk_vm *vm, int guest, const char *operation, vsdk_error *error);
void vm_release(vsdk_vm *vm);

/* vcpu_wait.c: while the thread inside run of a vCPU waits for a callback of another thread it
 * counts as stopped. vcpu_wait_end returns 1 if a hold was asked for meanwhile: then the thread
 * goes no further than to give back what it waited for, and is held. */
void vcpu_wait_begin(vsdk_vcpu *vcpu);
int vcpu_wait_end(vsdk_vcpu *vcpu);

/* vm_clock.c: nanoseconds in RUNNING; never takes a lock but vm->lock. */
uint64_t vm_clock(vsdk_vm *vm);

/* callback.c: which callbacks this thread is in. */
typedef struct callback_frame {
    struct callback_frame *outer;
    vsdk_vm *vm;         /* or NULL */
    vsdk_vcpu *vcpu;     /* whose access it is, or NULL */
    vsdk_device *device; /* or NULL */
    vsdk_loop *loop;     /* or NULL */
} callback_frame;

void callback_enter(callback_frame *frame);
void callback_leave(callback_frame *frame);
const callback_frame *callback_top(void);
int callback_in_vm(const vsdk_vm *vm);
int callback_in_device(const vsdk_device *device);
int callback_in_loop(const vsdk_loop *loop);

#endif
