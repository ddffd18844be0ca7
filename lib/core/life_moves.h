/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of a virtual machine's life, and who keeps it alive meanwhile. */
#ifndef VSDK_CORE_LIFE_MOVES_H
#define VSDK_CORE_LIFE_MOVES_H

#include "core/life_table.h"
#include "core/life_wait.h"

/* Keeps a virtual machine from being destroyed by a close: 0 if it was already. Who is inside a
 * run, a transition, a dispatch's callback or a device has it. The last vm_leave destroys, on this
 * thread; nothing of the virtual machine is used after it. */
int vm_enter(vsdk_vm *vm);
void vm_leave(vsdk_vm *vm);

/* guest.c: what movers want of an autonomous guest, and what writers do. Takes vm->serial. Where
 * the hypervisor refuses nothing has changed. */
vsdk_status guest_want(vsdk_vm *vm, int runs, vsdk_error *error);
vsdk_status guest_hold(vsdk_vm *vm, int held, vsdk_error *error);
int guest_executes(vsdk_vm *vm);

/* The guest has ended: STOPPED at once, its devices stopped by the next mover. The first end stays.
 * Any thread, no lock held. */
void life_end(vsdk_vm *vm, const vsdk_exit *end);
/* The same where the hypervisor did something that can't be taken back. */
void life_break(vsdk_vm *vm, const char *what, const vsdk_error *why);

/* By the table: whether an event is accepted now; life.lock held. */
vsdk_status life_check(vsdk_vm *vm, enum life_event event, const char *operation,
                       vsdk_error *error);

/* life.lock held: a pause is made as soon as that may be. RUNNING. */
void life_want_pause(vsdk_vm *vm);
/* life.lock held, given back meanwhile; 1 if it did something: what is due, as far as nothing has
 * to be waited for. On a thread in no callback of this virtual machine. */
int life_settle_once(vsdk_vm *vm);
/* All of it; no lock held. Nothing where the thread is in such a callback. */
void life_settle(vsdk_vm *vm);
/* life.lock held, given back meanwhile. A pause that is coming, or whose devices have not all
 * stopped, is given up: the guest goes on. */
void life_give_up_pause(vsdk_vm *vm);
/* The same lock: from CREATED, PAUSED or a suspended guest; nothing else is under way. */
vsdk_status life_start(vsdk_vm *vm, vsdk_error *error);

/* life_hold.c: what a writer of memory needs. life_hold makes the calling thread the one writer and
 * returns when no vCPU is in the guest; threads between exits and in callbacks are not waited for:
 * they wait for life_release before they enter the guest. It may be called from callbacks, and it
 * nests on one thread. With `guest` an autonomous guest is held too. Fails with GONE, with STATE in
 * a forked child, and where the hypervisor does not stop the guest: nothing is held then. Where the
 * guest does not go on after life_release the virtual machine is STOPPED. */
vsdk_status life_hold(vsdk_vm *vm, int guest, const char *operation, vsdk_error *error);
void life_release(vsdk_vm *vm, int guest);

/* vm_loop.c: the loop is there from then on. The wake is async-signal-safe, and nothing without
 * one. */
vsdk_status vm_need_loop(vsdk_vm *vm, const char *operation, vsdk_error *error);
void vm_wake_loop(vsdk_vm *vm);

#endif
