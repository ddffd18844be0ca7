/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a change in a virtual machine's life, its clock, and requests to its vCPUs: what the
 * floors above the ground share before there are transitions. */
#ifndef VSDK_CORE_LIFE_WAIT_H
#define VSDK_CORE_LIFE_WAIT_H

#include "core/object.h"

/* Something changed that a waiter may wait for. Any thread, with or without life.lock,
 * async-signal-safe. */
void life_changed(vsdk_vm *vm);

/* life.lock held, and given back meanwhile: waits until life.changes is no longer `seen`, which was
 * loaded before the condition was looked at. 0 when the deadline (0: none) has passed. */
int life_wait(vsdk_vm *vm, uint32_t seen, uint64_t deadline_ns);

/* The clock: nanoseconds in RUNNING. start and stop with life.lock held. */
void life_clock_start(vsdk_vm *vm);
void life_clock_stop(vsdk_vm *vm);
uint64_t life_clock(vsdk_vm *vm);

/* Sets bits of a vCPU's requests and makes its thread see them, wherever it is. Any thread and
 * async-signal-safe, inside vm_use or with life.lock held. */
void vcpu_request(vsdk_vcpu *vcpu, uint32_t bits);

/* The same for all vCPUs, and the reverse; life.lock held. After vm_request a place that is read
 * as BUSY belongs to a thread that will see the request and call life_changed. */
void vm_request(vsdk_vm *vm, uint32_t bits);
void vm_withdraw(vsdk_vm *vm, uint32_t bits);

/* life.lock held: 1 if some vCPU's thread is at one of the places of a mask (1 << place). */
enum {
    PLACES_IN_GUEST = 1 << PLACE_BUSY,
    PLACES_MOVING = 1 << PLACE_BUSY | 1 << PLACE_ASIDE | 1 << PLACE_WAIT,
    PLACES_INSIDE = PLACES_MOVING | 1 << PLACE_PARKED
};
int vm_any_at(vsdk_vm *vm, uint32_t places);

/* Locks a vCPU's place for the state, or for the record: nobody comes in, and a thread that is
 * PARKED stays. 0 when a thread moves in it. */
int vcpu_lock_place(vsdk_vcpu *vcpu, int parked_too);
void vcpu_unlock_place(vsdk_vcpu *vcpu);
/* For who locked it for itself: a reset may have found it locked, and waits. */
void vcpu_unlock_place_tell(vsdk_vcpu *vcpu);
/* Sleeps while the place is locked by another. */
void vcpu_await_place(vsdk_vcpu *vcpu);

#endif
