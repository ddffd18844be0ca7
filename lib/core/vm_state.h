/* What the files about a virtual machine's state share: requests to vCPUs, waiting for a change,
 * and the transitions that are taken when everybody stands. */
#ifndef VSDK_CORE_VM_STATE_H
#define VSDK_CORE_VM_STATE_H

#include "core/object.h"

/* Sets bits of a vCPU's requests and makes its thread see them, wherever it is. Any thread and
 * async-signal-safe, inside vm_use or with vm->lock held. */
void vcpu_request(vsdk_vcpu *vcpu, uint32_t bits);

/* The same for all vCPUs, and the reverse; vm->lock held. */
void vm_request(vsdk_vm *vm, uint32_t bits);
void vm_withdraw(vsdk_vm *vm, uint32_t bits);

/* Something changed that a waiter may wait for. Any thread, with or without vm->lock. */
void vm_changed(vsdk_vm *vm);

/* vm->lock held, and given back meanwhile: waits until vm->changes is no longer `seen`, which was
 * loaded before the condition was looked at. Places may change to ASIDE without telling: who waits
 * for that sets `places` and looks again after a moment. */
void vm_wait(vsdk_vm *vm, uint32_t seen, int places);

/* vm->lock held: 1 if some vCPU's thread is at one of the places of a mask (1 << place). */
enum {
    IN_GUEST_PLACES = 1 << PLACE_BUSY,
    MOVING_PLACES = 1 << PLACE_BUSY | 1 << PLACE_ASIDE | 1 << PLACE_WAIT
};
int vm_any_at(vsdk_vm *vm, uint32_t places);

/* The writer's seat, for a vm_transition or (0) something else; vm->lock held. */
void vm_take_seat(vsdk_vm *vm, uint32_t transition);
void vm_leave_seat(vsdk_vm *vm);
static inline int vm_seat_is_mine(const vsdk_vm *vm)
{
    return vm->writer.depth && pthread_equal(vm->writer.owner, pthread_self());
}

/* Takes what is due: a pause that was requested, a resume that waited for it, the halt of an
 * autonomous guest after STOPPED. No lock held; calls devices, and so takes no resume while there
 * is a callback. */
void vm_settle(vsdk_vm *vm);
/* The same with vm->lock held, given back meanwhile; 1 if something was done. */
int vm_settle_once(vsdk_vm *vm);
vsdk_status vm_take_resume(vsdk_vm *vm, vsdk_error *error);

/* The operations' vm_pause and vm_resume; no lock held. */
vsdk_status vm_halt_guest(vsdk_vm *vm, vsdk_error *error);
vsdk_status vm_start_guest(vsdk_vm *vm, vsdk_error *error);

/* vm->lock held: a pause is taken as soon as that may be. RUNNING. */
void vm_want_pause(vsdk_vm *vm);

/* vm_stop.c; vm->lock held. The first reason stays. */
void vm_end(vsdk_vm *vm, const vsdk_exit *end);

/* vm_clock.c; vm->lock held. */
void vm_clock_start(vsdk_vm *vm);
void vm_clock_stop(vsdk_vm *vm);

/* vm_loop.c: the loop is there from then on. The wake is async-signal-safe, and nothing without
 * one. */
vsdk_status vm_need_loop(vsdk_vm *vm, const char *operation, vsdk_error *error);
void vm_wake_loop(vsdk_vm *vm);

/* vm_destroy.c: once; no callback of this virtual machine is on the calling thread. */
void vm_destroy_all(vsdk_vm *vm);

vsdk_status vm_gone(const char *operation, vsdk_error *error);
vsdk_status vm_ended(const char *operation, vsdk_error *error);
int vm_autonomous(const vsdk_vm *vm);
/* vm->lock held: CREATED or PAUSED. */
int vm_stands(const vsdk_vm *vm);

#endif
