/* Loops: epoll over an eventfd (wakes and deferred work), a timerfd (the earliest timer) and the
 * watched descriptors. The epoll descriptor is the one that nests.
 *
 * One lock a loop, a leaf but for vm->lock; never held over a callback. A source (timer or watch)
 * of a device does not keep the device: the device lists its sources and ends them. To run a
 * callback the loop borrows the device and its virtual machine, takes the device's lock, and looks
 * again. */
#ifndef VSDK_CORE_LOOP_H
#define VSDK_CORE_LOOP_H

#include "core/device.h"
#include <sys/types.h>

enum { LOOP_NEVER_PLACED = UINT32_MAX };

typedef struct loop_source {
    refs refs;       /* the handle, the dispatcher that is about to call, the device that ends it */
    vsdk_loop *loop; /* its memory is counted */
    vsdk_device *device;                            /* its memory is counted; or NULL */
    struct loop_source *device_next, **device_link; /* under device->lock; link NULL: not listed */
    uint32_t is_timer;

    /* Under loop->lock. */
    uint32_t dead;
    uint32_t parked; /* waits for bus_resume_devices */
    uint32_t running;
    pthread_t runner;

    void *user;
    vsdk_release_fn release;
} loop_source;

struct vsdk_timer {
    loop_source source;
    vsdk_timer_fn fn;
    uint32_t armed;
    uint32_t place;    /* in the heap, or LOOP_NEVER_PLACED */
    uint64_t deadline; /* on its own clock */
    uint64_t period;
    uint64_t due; /* on CLOCK_MONOTONIC, and `order` where that is equal: the heap's key */
    uint64_t order;
};

struct vsdk_watch {
    loop_source source;
    vsdk_watch_fn fn;
    int32_t fd;
    uint32_t events;
    uint32_t polled;                 /* epoll tells of it */
    struct vsdk_watch *next, **link; /* of the loop's list; epoll has those that are on it */
    struct vsdk_watch *grave;
};

typedef struct loop_work {
    struct loop_work *next;
    vsdk_timer_fn fn;
    void *user;
    vsdk_release_fn release;
} loop_work;

struct vsdk_loop {
    refs refs;   /* the handle, dispatchers */
    refs memory; /* refs together, each source */
    pid_t pid;   /* who made it: a forked child shares what epoll watches, and closes nothing */
    int epoll, event, timer;

    pthread_mutex_t lock;
    pthread_cond_t idle; /* a callback has returned */
    uint32_t gone, dispatching;
    uint32_t calling; /* callbacks run; the timerfd is programmed after them */
    uint64_t order;   /* grows with each arming */

    vsdk_timer **heap;
    uint32_t heap_count, heap_room, timers; /* room for every timer that lives */
    uint64_t programmed;                    /* of the timerfd; UINT64_MAX: nothing */

    vsdk_watch *watches;
    vsdk_watch *graves; /* closed during a dispatch, whose events may still name them */

    loop_work *work, **work_end;
};

vsdk_status loop_make(vsdk_loop **loop, const char *operation, vsdk_error *error);
void loop_memory_put(vsdk_loop *loop);
int loop_is_foreign(const vsdk_loop *loop);

/* loop_source.c. */
void source_init(loop_source *source, vsdk_loop *loop, vsdk_device *device, void *user,
                 vsdk_release_fn release);
/* Makes it one of its device's, if it has one; parks it when that may not fire now. */
vsdk_status source_link(loop_source *source, const char *operation, vsdk_error *error);
/* Called with loop->lock held, which is let go of and taken again: runs `call` unless the source is
 * dead, its device is going or quiet, or `still_due` says no. 1 if it ran. */
int source_fire(loop_source *source, int (*still_due)(loop_source *source, void *context),
                void (*call)(loop_source *source, void *context), void *context);
void source_close(loop_source *source); /* ends it, waits for its callback, drops the handle */
void source_put(loop_source *source);

/* All sources of a device. */
void sources_end(vsdk_device *device);
void sources_park(vsdk_device *device);
void sources_unpark(vsdk_device *device);

/* With loop->lock held. */
void timer_remove(vsdk_timer *timer); /* from the heap */
void timer_unpark(vsdk_timer *timer);
void timers_program(vsdk_loop *loop);
uint32_t timers_fire(vsdk_loop *loop);
void watch_poll_off(vsdk_watch *watch);
int watch_poll_on(vsdk_watch *watch); /* -errno */
int watch_fire(vsdk_watch *watch, uint32_t epoll_events);
void watch_unlist(vsdk_watch *watch);
void watch_free(vsdk_watch *watch);

#endif
