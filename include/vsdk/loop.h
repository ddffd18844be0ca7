/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loops, timers and descriptors.
 *
 * A loop runs callbacks for descriptors, timers and work on the thread that dispatches it. Every
 * virtual machine has one; more may be made, for instance as I/O threads. The library dispatches a
 * loop by itself in vsdk_vm_run only, and the virtual machine's own in pause, resume and reset
 * while they wait for a device's pending stop and nobody else dispatches it.
 *
 * vsdk_loop_descriptor is one pollable descriptor to nest the loop in another: GLib, asyncio,
 * libuv, epoll. When it is readable, dispatch with timeout 0.
 *
 * A timer, watch or work that is given a device is part of it: its callback holds the device's
 * lock, its timers use the virtual machine's clock (which stands in PAUSED), nothing fires while
 * the device is stopped, and a detach ends it.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/loop.toml by abi/generate.py.
 */

#ifndef VSDK_LOOP_H
#define VSDK_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/device.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* An event loop. Counted. Since 0.1. */
typedef struct vsdk_loop vsdk_loop;

/* A watched descriptor. Counted; closing the last reference stops it. Since 0.1. */
typedef struct vsdk_watch vsdk_watch;

/* A timer. Counted; closing the last reference stops it. Since 0.1. */
typedef struct vsdk_timer vsdk_timer;

/*
 * A callback that can be posted from any thread. Counted; closing the last reference ends it. Since
 * 0.1.
 */
typedef struct vsdk_work vsdk_work;

/*
 * Events of a descriptor.
 *
 * Since 0.1.
 */
enum vsdk_loop_events_values {
    VSDK_LOOP_READ = 0x1,  /* Readable, or the peer hung up */
    VSDK_LOOP_WRITE = 0x2, /* Writable */
    VSDK_LOOP_ERROR = 0x4, /* Error; always reported */
};
typedef uint32_t vsdk_loop_events;

/*
 * A descriptor is ready. Level-triggered: called again while it stays ready.
 *
 *   user    (may be NULL) The pointer given with it.
 *   watch   (inout) The watch; borrowed.
 *   events  vsdk_loop_events.
 *
 * Runs on: The thread that dispatches the loop.
 * May call: everything but dispatch of the same loop, and what the device's callbacks may not.
 * Since 0.1.
 */
typedef void (*vsdk_watch_fn)(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events);

/*
 * A timer expired.
 *
 *   user   (may be NULL) The pointer given with it.
 *   timer  (inout) The timer; borrowed.
 *
 * Runs on: The thread that dispatches the loop.
 * May call: as vsdk_watch_fn.
 * Since 0.1.
 */
typedef void (*vsdk_timer_fn)(void *user, vsdk_timer *timer);

/*
 * Work was posted.
 *
 *   user  (may be NULL) The pointer given with it.
 *   work  (inout) The work; borrowed.
 *
 * Runs on: The thread that dispatches the loop.
 * May call: as vsdk_watch_fn.
 * Since 0.1.
 */
typedef void (*vsdk_work_fn)(void *user, vsdk_work *work);

/*
 * Take a reference more.
 *
 *   loop  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_loop *vsdk_loop_ref(vsdk_loop *loop);

/*
 * Take a reference more.
 *
 *   watch  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_watch *vsdk_watch_ref(vsdk_watch *watch);

/*
 * Take a reference more.
 *
 *   timer  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_timer *vsdk_timer_ref(vsdk_timer *timer);

/*
 * Take a reference more.
 *
 *   work  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_work *vsdk_work_ref(vsdk_work *work);

/*
 * Make a loop.
 *
 *   loop  Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  loop is NULL
 *   NO_MEMORY         no memory
 *   LIMIT             no more descriptors
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_loop_create(vsdk_loop **loop, vsdk_error *error);

/*
 * Drop a reference to a loop.
 *
 *   loop  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_loop_close(vsdk_loop *loop);

/*
 * The loop of a virtual machine.
 *
 * Made when it is first asked for, by this or by vsdk_vm_run: a virtual machine without timers and
 * descriptors has none and opens nothing for it. It is the same one ever after.
 *
 * Returns the loop, as long as the virtual machine's handle; NULL when it fails, and error says
 * why: VSDK_ERROR_NO_MEMORY, VSDK_ERROR_LIMIT for descriptors, VSDK_ERROR_GONE (borrowed).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_loop *vsdk_vm_loop(vsdk_vm *vm, vsdk_error *error);

/*
 * One descriptor to wait for the whole loop.
 *
 * Returns: a pollable descriptor, the loop's; -1 for NULL (borrowed).
 * Given NULL: returns -1.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
int32_t vsdk_loop_descriptor(vsdk_loop *loop);

/*
 * Run the callbacks that are due.
 *
 * Waits up to the timeout for something to do, runs what is due once, and returns. A wake ends the
 * wait. A pause, resume or reset that dispatches the loop at that moment gives it up for this call;
 * until then this call waits, as long as the timeout allows, and runs nothing if that is over.
 *
 *   timeout_ns  (ns) Longest wait; 0 does not wait, VSDK_FOREVER has no end.
 *   dispatched  (out, may be NULL) How many callbacks ran.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  loop is NULL
 *   BUSY              another thread dispatches it, or called from a callback of it or of a device
 *   STATE             called in a forked child
 * Threads: any; one at a time a loop. Blocks: up to the timeout and the callbacks. From callbacks:
 * VSDK_ERROR_BUSY from a callback of the same loop, and from one of a device, which holds its lock.
 * States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_loop_dispatch(vsdk_loop *loop, uint64_t timeout_ns, uint32_t *dispatched,
                               vsdk_error *error);

/*
 * End the wait of the current or the next dispatch.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  loop is NULL
 *   STATE             called in a forked child
 * Threads: any; async-signal-safe. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_loop_wake(vsdk_loop *loop, vsdk_error *error);

/*
 * Watch a descriptor.
 *
 *   device      The device that it is part of, or NULL.
 *   descriptor  The descriptor; stays the caller's. The watch has a duplicate of it, so it may be
 *               closed first, and several watches may look at one.
 *   events      vsdk_loop_events; 0 watches nothing for now.
 *   fn          Called when it is ready.
 *   user        (may be NULL) Given to it.
 *   release     (may be NULL) Called once when the watch is gone, on failure too.
 *   watch       Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the descriptor can't be polled or an event is unknown
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   GONE              the device's virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_watch_create(vsdk_loop *loop, vsdk_device *device, int32_t descriptor,
                              uint32_t events, vsdk_watch_fn fn, void *user,
                              vsdk_release_fn release, vsdk_watch **watch, vsdk_error *error);

/*
 * Change what is waited for.
 *
 *   events  vsdk_loop_events.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  watch is NULL or an event is unknown
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_watch_set_events(vsdk_watch *watch, uint32_t events, vsdk_error *error);

/*
 * Drop a reference to a watch; the last one stops it.
 *
 * The callback does not start any more. One that runs on another thread just now is not waited for:
 * release comes when it has returned.
 *
 *   watch  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes, from its own too. States: any. Backends: all.
 * Since 0.1.
 */
void vsdk_watch_close(vsdk_watch *watch);

/*
 * Make a timer, disarmed.
 *
 *   device   The device that it is part of: then its clock is the virtual machine's. NULL:
 *            CLOCK_MONOTONIC.
 *   fn       Called when it expires.
 *   user     (may be NULL) Given to it.
 *   release  (may be NULL) Called once when the timer is gone, on failure too.
 *   timer    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   NO_MEMORY         no memory
 *   GONE              the device's virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_timer_create(vsdk_loop *loop, vsdk_device *device, vsdk_timer_fn fn, void *user,
                              vsdk_release_fn release, vsdk_timer **timer, vsdk_error *error);

/*
 * Let a timer expire.
 *
 * Replaces what it was armed for. A periodic timer that is late expires once for the periods missed
 * and keeps its phase.
 *
 *   delay_ns   (ns) From now on its clock.
 *   period_ns  (ns) 0 for once.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  timer is NULL
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_timer_arm(vsdk_timer *timer, uint64_t delay_ns, uint64_t period_ns,
                           vsdk_error *error);

/*
 * Stop a timer.
 *
 * It does not expire after that, unless its callback has begun on another thread.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  timer is NULL
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_timer_disarm(vsdk_timer *timer, vsdk_error *error);

/*
 * Drop a reference to a timer; the last one stops it.
 *
 * The callback does not start any more. One that runs on another thread just now is not waited for:
 * release comes when it has returned.
 *
 *   timer  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes, from its own too. States: any. Backends: all.
 * Since 0.1.
 */
void vsdk_timer_close(vsdk_timer *timer);

/*
 * Make work, not posted.
 *
 *   device   The device that it is part of, or NULL.
 *   fn       Called when it was posted.
 *   user     (may be NULL) Given to it.
 *   release  (may be NULL) Called once when the work is gone, on failure too.
 *   work     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   NO_MEMORY         no memory
 *   GONE              the device's virtual machine was destroyed
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_work_create(vsdk_loop *loop, vsdk_device *device, vsdk_work_fn fn, void *user,
                             vsdk_release_fn release, vsdk_work **work, vsdk_error *error);

/*
 * Run work once on the thread that dispatches its loop.
 *
 * Allocates nothing. Posts before it runs count as one; a post while it runs makes it run again.
 * Work runs in the order in which it was posted. That of a stopped device runs after its start.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  work is NULL
 *   STATE             called in a forked child
 * Threads: any; async-signal-safe it is not. Blocks: no. From callbacks: yes. States: any.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_work_post(vsdk_work *work, vsdk_error *error);

/*
 * Drop a reference to work; the last one ends it.
 *
 * The callback does not start any more, also if it was posted. One that runs on another thread just
 * now is not waited for: release comes when it has returned.
 *
 *   work  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes, from its own too. States: any. Backends: all.
 * Since 0.1.
 */
void vsdk_work_close(vsdk_work *work);

/*
 * The virtual machine's clock.
 *
 * Nanoseconds that it has been RUNNING.
 *
 * Returns ns.
 * Given NULL: returns 0.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
uint64_t vsdk_vm_clock(vsdk_vm *vm);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_LOOP_H */
