/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: epoll over an eventfd (wakes and posted work), a timerfd (the earliest timer) and the
 * watched descriptors. The epoll descriptor is the one that nests.
 *
 * A source is a timer, a watch or work. One of a device does not keep the device: the device lists
 * its sources and ends them. Nothing here waits for a callback: a source that is ended while its
 * callback runs is released by the thread that runs it. */
#ifndef VSDK_CORE_LOOP_H
#define VSDK_CORE_LOOP_H

#include "core/device.h"

enum { LOOP_NOT_IN_HEAP = UINT32_MAX };

typedef enum source_kind { SOURCE_TIMER, SOURCE_WATCH, SOURCE_WORK } source_kind;

typedef struct loop_source {
    refs handles; /* the embedder's; the last close ends it */
    refs refs;    /* handles together, the dispatcher that is about to call, who ends it */
    source_kind kind;
    vsdk_loop *loop;                                /* its memory is counted */
    vsdk_device *device;                            /* its memory is counted; or NULL */
    struct loop_source *device_next, **device_link; /* under device->lock; link NULL: not listed */

    /* Under loop->lock. */
    uint32_t dead;
    uint32_t parked; /* its device was stopped when it was due: device_start revives it */
    uint32_t running;
    struct loop_source *grave; /* freed when the dispatch that may still name it is over */

    void *user;
    vsdk_release_fn release;
} loop_source;

struct vsdk_timer {
    loop_source source;
    vsdk_timer_fn fn;
    uint32_t armed;
    uint32_t place;    /* in the heap, or LOOP_NOT_IN_HEAP */
    uint64_t deadline; /* on its own clock */
    uint64_t period;
    uint64_t due; /* on CLOCK_MONOTONIC, and `order` where that is equal: the heap's key */
    uint64_t order;
};

struct vsdk_watch {
    loop_source source;
    vsdk_watch_fn fn;
    int32_t given; /* the caller's number, for the callback */
    int32_t fd;    /* a duplicate: what epoll knows stays the loop's */
    uint32_t events;
    uint32_t polled; /* epoll tells of it */
};

struct vsdk_work {
    loop_source source;
    vsdk_work_fn fn;
    uint32_t posted; /* in the loop's queue, or due while parked */
    uint32_t queued;
    uint64_t order; /* of the loop, when it was queued */
    struct vsdk_work *next, **link;
};

/* Who hears of a loop's events: a transition that waits for devices does where nobody else does. */
enum loop_dispatcher { DISPATCHER_NONE, DISPATCHER_CALLER, DISPATCHER_TRANSITION };

struct vsdk_loop {
    refs refs;        /* handles, dispatchers */
    refs memory;      /* refs together, each source */
    uint32_t process; /* who made it: a forked child shares what epoll watches */
    int epoll, event, timer;

    lock lock;   /* RANK_LOOP */
    vsdk_vm *vm; /* whose own loop it is, until that is destroyed; or NULL */
    uint32_t gone;
    _Atomic uint32_t dispatching; /* loop_dispatcher; a futex while TRANSITION */
    uint32_t wanted;  /* threads that would dispatch it as soon as a transition does not */
    uint32_t calling; /* callbacks run; the timerfd is programmed after them */
    uint64_t order;   /* grows with each arming and each queueing */

    vsdk_timer **heap;
    uint32_t heap_count, heap_room, timers; /* room for every timer that lives */
    uint64_t programmed;                    /* of the timerfd; UINT64_MAX: nothing */

    vsdk_work *work, **work_end;
    loop_source *graves;
};

/* loop.c */
vsdk_status loop_make(vsdk_loop **loop, const char *operation, vsdk_error *error);
void loop_put(vsdk_loop *loop);
void loop_memory_put(vsdk_loop *loop);
int loop_is_foreign(const vsdk_loop *loop);
void loop_wake(vsdk_loop *loop); /* async-signal-safe */
/* Of what epoll tells: the eventfd; the eventfd or the timerfd. The rest are watches. */
int loop_is_event(const void *data);
int loop_is_own(const void *data);

/* loop_heap.c, loop_poll.c, with loop->lock held. */
void timer_place(vsdk_timer *timer);
void timer_take_out(vsdk_timer *timer);
void timers_program(vsdk_loop *loop);
int timer_room(vsdk_loop *loop);
uint64_t timer_clock(const vsdk_timer *timer); /* its own, now */
int watch_poll(vsdk_watch *watch, int polled); /* -errno */
int watch_add(vsdk_watch *watch, int polled);  /* -errno */
void watch_remove(vsdk_watch *watch);
uint32_t watch_events(const vsdk_watch *watch, uint32_t epoll_events);
void work_queue(vsdk_work *work);
void work_unqueue(vsdk_work *work);

/* loop_source.c. */
void source_init(loop_source *source, source_kind kind, vsdk_loop *loop, vsdk_device *device,
                 void *user, vsdk_release_fn release);
/* Makes it one of its device's, if it has one. */
vsdk_status source_link(loop_source *source, const char *operation, vsdk_error *error);
/* Runs its callback unless it is dead, not due any more, or its device is stopped: then it is
 * parked. `round` says what is due in this dispatch. The device, if it has one, and its virtual
 * machine are kept by the caller. 1 if it ran. */
typedef struct source_round {
    uint64_t now, order;   /* timers */
    uint32_t epoll_events; /* watches */
} source_round;
int source_fire(loop_source *source, const source_round *round);
/* With loop->lock held: it fires no more until its device starts. */
void source_park(loop_source *source);
void source_close(loop_source *source); /* drops a handle; the last ends it */
void source_put(loop_source *source);

/* All sources of a device: over for good; those that were parked may fire again. */
void sources_end(vsdk_device *device);
void sources_revive(vsdk_device *device);

#endif
