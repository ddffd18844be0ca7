/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatching a loop: wait, then run what is due once. A callback that is a device's runs while its
 * virtual machine is kept alive here, and after it the transitions that are due are made: this is
 * one of the calls that make them. */
#include "core/dispatch.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "core/life_moves.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, SECOND = 1000000000, MILLISECOND = 1000000 };

/* The system call itself: libc's function is a cancellation point, and a thread that vanished here
 * would leave the loop dispatched for ever. */
static int wait_once(int epoll, struct epoll_event *events, int capacity, uint64_t timeout_ns)
{
    static _Atomic int coarse; /* the kernel, or a filter of its calls, has no epoll_pwait2 */
    struct timespec t = {(time_t)(timeout_ns / SECOND), (long)(timeout_ns % SECOND)};

    if (!atomic_load(&coarse)) {
        long n = syscall(SYS_epoll_pwait2, epoll, events, capacity,
                         timeout_ns == VSDK_FOREVER ? NULL : &t, NULL, 0);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n < 0 ? -errno : (int)n;
        atomic_store(&coarse, 1);
    }
    uint64_t ms = timeout_ns / MILLISECOND + (timeout_ns % MILLISECOND != 0);
    long n = syscall(SYS_epoll_pwait, epoll, events, capacity,
                     timeout_ns == VSDK_FOREVER ? -1
                     : ms > INT32_MAX           ? INT32_MAX
                                                : (int)ms,
                     NULL, 0);
    return n < 0 ? -errno : (int)n;
}

/* A signal does not end the wait: vsdk_loop_wake in its handler does. */
static int wait_for_events(const vsdk_loop *loop, struct epoll_event *events, uint64_t timeout_ns)
{
    uint64_t deadline = sys_deadline(timeout_ns), left = timeout_ns;

    for (;;) {
        int n = wait_once(loop->epoll, events, EVENTS, left);
        if (n != -EINTR)
            return n;
        left = sys_time_left(deadline);
    }
}

/* With loop->lock held, given back meanwhile: 1 if the callback ran. A source whose virtual machine
 * was destroyed, or whose device is gone, only waits to be closed. */
static uint32_t fire(loop_source *source, const source_round *round)
{
    vsdk_loop *loop = source->loop;
    vsdk_device *device = source->device;
    int ran = 0;

    if (source->dead)
        return 0;
    refs_get(&source->refs);
    if (!device) {
        lock_give(&loop->lock);
        ran = source_fire(source, round);
        lock_take(&loop->lock);
    } else if (!vm_enter(device->vm)) {
        source_park(source);
    } else {
        vsdk_vm *vm = device->vm;
        lock_give(&loop->lock);
        if (refs_try_get(&device->refs)) {
            device_start_late(device);
            if (atomic_load(&vm->life.due))
                life_settle(vm); /* of a guest that has ended nothing fires any more */
            ran = source_fire(source, round);
            device_put(device);
        } else {
            lock_take(&loop->lock);
            source_park(source);
            lock_give(&loop->lock);
        }
        if (atomic_load(&vm->life.due))
            life_settle(vm);
        vm_leave(vm);
        lock_take(&loop->lock);
    }
    lock_give(&loop->lock);
    source_put(source);
    lock_take(&loop->lock);
    return (uint32_t)ran;
}

/* Work that was posted before this began, in order; what is posted meanwhile waits for the next. */
static uint32_t work_run(vsdk_loop *loop)
{
    uint64_t until = loop->order;
    uint32_t ran = 0;

    while (loop->work && loop->work->order <= until) {
        vsdk_work *work = loop->work;
        work_unqueue(work);
        ran += fire(&work->source, NULL);
    }
    return ran;
}

static uint32_t timers_run(vsdk_loop *loop)
{
    source_round round = {.now = sys_clock(), .order = loop->order};
    uint32_t ran = 0;

    while (loop->heap_count && loop->heap[0]->due <= round.now &&
           loop->heap[0]->order <= round.order)
        ran += fire(&loop->heap[0]->source, &round);
    return ran;
}

static uint32_t callbacks_run(vsdk_loop *loop, const struct epoll_event *events, int count)
{
    uint32_t ran = 0;
    uint64_t rings;

    for (int i = 0; i < count; i++)
        if (loop_is_event(events[i].data.ptr))
            sys_eventfd_read(loop->event, &rings);
    ran += work_run(loop);
    ran += timers_run(loop);
    for (int i = 0; i < count; i++) {
        source_round round = {.epoll_events = events[i].events};
        if (!loop_is_own(events[i].data.ptr))
            ran += fire(&((vsdk_watch *)events[i].data.ptr)->source, &round);
    }
    return ran;
}

/* The loop is a virtual machine's: what is due there is done here. */
static void settle_owner(vsdk_loop *loop)
{
    lock_take(&loop->lock);
    vsdk_vm *vm = loop->vm;
    int entered = vm && atomic_load(&vm->life.due) && vm_enter(vm);
    lock_give(&loop->lock);
    if (!entered)
        return;
    life_settle(vm);
    life_changed(vm); /* who waits may dispatch now */
    vm_leave(vm);
}

/* NONE: it is this thread now; else who it is. */
static uint32_t dispatch_begin(vsdk_loop *loop, uint32_t dispatcher, int *work_waits)
{
    lock_take(&loop->lock);
    uint32_t before = atomic_load(&loop->dispatching);
    if (before == DISPATCHER_NONE)
        atomic_store(&loop->dispatching, dispatcher);
    *work_waits = loop->work != NULL;
    lock_give(&loop->lock);
    return before;
}

/* loop->lock held, given back at the end. */
static void dispatch_end(vsdk_loop *loop)
{
    loop->calling = 0;
    timers_program(loop);
    atomic_store(&loop->dispatching, DISPATCHER_NONE);
    int wanted = loop->wanted != 0;
    loop_source *graves = loop->graves;
    loop->graves = NULL;
    lock_give(&loop->lock);
    if (wanted)
        sys_futex_wake(&loop->dispatching);
    while (graves) {
        loop_source *next = graves->grave;
        alloc_free(graves);
        graves = next;
    }
}

int loop_may_dispatch(vsdk_loop *loop)
{
    lock_take(&loop->lock);
    int may = !atomic_load(&loop->dispatching) && !loop->gone && !loop->wanted;
    lock_give(&loop->lock);
    return may;
}

/* Between dispatch_begin, by which this thread is the one that hears of events, and loop_put. */
static uint32_t dispatch_once(vsdk_loop *loop, uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS];

    refs_get(&loop->refs);
    int count = wait_for_events(loop, events, timeout_ns);
    lock_take(&loop->lock);
    loop->calling = 1;
    uint32_t ran = callbacks_run(loop, events, count);
    dispatch_end(loop);
    settle_owner(loop);
    loop_put(loop);
    return ran;
}

/* Only who dispatches takes the eventfd's count, and it looks at the changes after it has begun: so
 * no change is lost between the look and the wait. */
void loop_dispatch_until(vsdk_vm *vm, vsdk_loop *loop, uint32_t seen, uint64_t timeout_ns)
{
    int work_waits;

    atomic_store(&vm->life.loop_event, loop->event);
    atomic_fetch_add(&vm->life.dispatchers, 1);
    if (!dispatch_begin(loop, DISPATCHER_TRANSITION, &work_waits)) {
        int changed = atomic_load(&vm->life.changes) != seen;
        dispatch_once(loop, work_waits || changed ? 0 : timeout_ns);
    }
    atomic_fetch_sub(&vm->life.dispatchers, 1);
}

/* A transition dispatches, and gives it up for who asks. 0 when the time is over. */
static int wait_for_transition(vsdk_loop *loop, uint64_t deadline)
{
    lock_take(&loop->lock);
    loop->wanted++;
    lock_give(&loop->lock);
    loop_wake(loop);
    int result = sys_futex_wait(&loop->dispatching, DISPATCHER_TRANSITION, deadline);
    lock_take(&loop->lock);
    loop->wanted--;
    lock_give(&loop->lock);
    return result != -ETIMEDOUT;
}

vsdk_status vsdk_loop_dispatch(vsdk_loop *loop, uint64_t timeout_ns, uint32_t *dispatched,
                               vsdk_error *error)
{
    static const char operation[] = "vsdk_loop_dispatch";
    int work_waits;

    if (dispatched)
        *dispatched = 0;
    if (!loop)
        return error_null(error, operation, "loop");
    if (loop_is_foreign(loop))
        return vm_forked(operation, error);
    if (callback_in_some_device())
        return error_set(error, VSDK_ERROR_BUSY, operation, "called from a callback of a device");
    uint32_t other = dispatch_begin(loop, DISPATCHER_CALLER, &work_waits);
    uint64_t deadline = other ? sys_deadline(timeout_ns) : 0;
    while (other) {
        if (other == DISPATCHER_CALLER || callback_top())
            return error_set(error, VSDK_ERROR_BUSY, operation,
                             "another thread dispatches this loop, or this is a callback of it");
        if (!wait_for_transition(loop, deadline)) {
            settle_owner(loop); /* the transition has let go of the loop for this thread */
            return VSDK_OK;
        }
        timeout_ns = sys_time_left(deadline);
        other = dispatch_begin(loop, DISPATCHER_CALLER, &work_waits);
    }
    uint32_t ran = dispatch_once(loop, work_waits ? 0 : timeout_ns);
    if (dispatched)
        *dispatched = ran;
    return VSDK_OK;
}
