/* SPDX-License-Identifier: Apache-2.0 */
/* What timers, watches and work have in common: whose they are, when they may fire, how they end.
 *
 * A source fires under its device's gate. One that finds its device stopped is parked; the start
 * revives it. The two meet: a source is parked before it looks at the phase again, a start changes
 * the phase before it looks for parked sources. So each sees the other or is seen. */
#include "base/alloc.h"
#include "core/loop.h"

void source_init(loop_source *source, source_kind kind, vsdk_loop *loop, vsdk_device *device,
                 void *user, vsdk_release_fn release)
{
    refs_init(&source->handles);
    refs_init(&source->refs);
    refs_get(&loop->memory);
    if (device)
        refs_get(&device->memory);
    source->kind = kind;
    source->loop = loop;
    source->device = device;
    source->user = user;
    source->release = release;
}

void source_put(loop_source *source)
{
    vsdk_loop *loop = source->loop;
    vsdk_device *device = source->device;

    if (!refs_put(&source->refs))
        return;
    lock_take(&loop->lock);
    int named = (int)loop->dispatching;
    if (named) {
        source->grave = loop->graves;
        loop->graves = source;
    }
    lock_give(&loop->lock);
    if (!named)
        alloc_free(source);
    loop_memory_put(loop);
    if (device)
        device_memory_put(device);
}

vsdk_status source_link(loop_source *source, const char *operation, vsdk_error *error)
{
    vsdk_device *device = source->device;
    vsdk_status status = VSDK_OK;

    if (!device)
        return VSDK_OK;
    lock_take(&device->vm->bus.lock);
    if (device->vm->devices.ended || !device->listed) {
        status = vm_gone(operation, error);
    } else {
        lock_take(&device->lock);
        source->device_next = device->sources;
        if (device->sources)
            device->sources->device_link = &source->device_next;
        source->device_link = &device->sources;
        device->sources = source;
        lock_give(&device->lock);
        device_take_part(device); /* after a detach: it starts before this fires */
    }
    lock_give(&device->vm->bus.lock);
    return status;
}

/* With device->lock held. */
static void unlink_locked(loop_source *source)
{
    if (!source->device_link)
        return;
    *source->device_link = source->device_next;
    if (source->device_next)
        source->device_next->device_link = source->device_link;
    source->device_link = NULL;
}

/* With loop->lock held: what the loop waits for without it. */
static void disarm(loop_source *source)
{
    switch (source->kind) {
    case SOURCE_TIMER:
        timer_take_out((vsdk_timer *)source);
        timers_program(source->loop);
        break;
    case SOURCE_WATCH:
        if (((vsdk_watch *)source)->polled)
            watch_poll((vsdk_watch *)source, 0);
        break;
    case SOURCE_WORK:
        work_unqueue((vsdk_work *)source);
        break;
    }
}

static void arm(loop_source *source)
{
    vsdk_timer *timer = (vsdk_timer *)source;
    vsdk_watch *watch = (vsdk_watch *)source;
    vsdk_work *work = (vsdk_work *)source;

    switch (source->kind) {
    case SOURCE_TIMER:
        if (timer->armed && timer->place == LOOP_NOT_IN_HEAP)
            timer_place(timer);
        timers_program(source->loop);
        break;
    case SOURCE_WATCH:
        if (watch->events && !watch->polled)
            watch_poll(watch, 1);
        break;
    case SOURCE_WORK:
        if (work->posted && !source->loop->gone) {
            work_queue(work);
            loop_wake(source->loop);
        }
        break;
    }
}

static void unpark(loop_source *source)
{
    if (source->dead || !source->parked)
        return;
    source->parked = 0;
    arm(source);
}

void source_park(loop_source *source)
{
    disarm(source);
    source->parked = 1;
    if (source->device && device_serves(source->device))
        unpark(source);
}

/* With loop->lock held: whether it is still due, and then it is no more. */
static int take_due(loop_source *source, const source_round *round)
{
    vsdk_timer *timer = (vsdk_timer *)source;
    vsdk_work *work = (vsdk_work *)source;

    if (source->kind == SOURCE_WATCH)
        return ((vsdk_watch *)source)->polled &&
               watch_events((vsdk_watch *)source, round->epoll_events);
    if (source->kind == SOURCE_WORK) {
        int posted = (int)work->posted;
        work->posted = 0;
        work_unqueue(work);
        return posted;
    }
    if (timer->place == LOOP_NOT_IN_HEAP || timer->due > round->now || timer->order > round->order)
        return 0;
    uint64_t clock = timer_clock(timer);
    timer_take_out(timer);
    if (clock < timer->deadline) {
        timer_place(timer);
        return 0;
    }
    if (!timer->period) {
        timer->armed = 0;
        return 1;
    }
    uint64_t missed = (clock - timer->deadline) / timer->period;
    if (__builtin_add_overflow(timer->deadline + missed * timer->period, timer->period,
                               &timer->deadline))
        timer->deadline = UINT64_MAX;
    timer->order = ++source->loop->order;
    timer_place(timer);
    return 1;
}

static void call(loop_source *source, const source_round *round)
{
    vsdk_timer *timer = (vsdk_timer *)source;
    vsdk_watch *watch = (vsdk_watch *)source;
    vsdk_work *work = (vsdk_work *)source;

    if (source->kind == SOURCE_TIMER)
        timer->fn(source->user, timer);
    else if (source->kind == SOURCE_WATCH)
        watch->fn(source->user, watch, watch->given, watch_events(watch, round->epoll_events));
    else
        work->fn(source->user, work);
}

/* With loop->lock held: 1 if the callback is to begin. */
static int fire_begin(loop_source *source, const source_round *round)
{
    if (source->dead || source->parked)
        return 0;
    if (source->device && !device_serves(source->device)) {
        source_park(source);
        return 0;
    }
    source->running = (uint32_t)take_due(source, round);
    return (int)source->running;
}

/* Who ends a source whose callback runs leaves the release to this thread. */
static void fire_end(loop_source *source)
{
    lock_take(&source->loop->lock);
    source->running = 0;
    int release = source->dead && source->release;
    lock_give(&source->loop->lock);
    if (release)
        source->release(source->user);
}

int source_fire(loop_source *source, const source_round *round)
{
    vsdk_device *device = source->device;
    callback_frame frame = {
        .vm = device ? device->vm : NULL, .device = device, .loop = source->loop};

    callback_enter(&frame);
    if (device)
        device_enter(device);
    lock_take(&source->loop->lock);
    int fires = fire_begin(source, round);
    lock_give(&source->loop->lock);
    if (fires) {
        call(source, round);
        fire_end(source);
    }
    if (device)
        device_leave(device);
    callback_leave(&frame);
    return fires;
}

static void source_end(loop_source *source)
{
    vsdk_loop *loop = source->loop;

    lock_take(&loop->lock);
    int first = !source->dead;
    source->dead = 1;
    if (first) {
        disarm(source);
        if (source->kind == SOURCE_TIMER)
            loop->timers--;
        else if (source->kind == SOURCE_WATCH)
            watch_remove((vsdk_watch *)source);
    }
    int release = first && !source->running && source->release;
    lock_give(&loop->lock);
    if (release)
        source->release(source->user);
}

void source_close(loop_source *source)
{
    if (!refs_put(&source->handles))
        return;
    if (source->device) {
        lock_take(&source->device->lock);
        unlink_locked(source);
        lock_give(&source->device->lock);
    }
    source_end(source);
    source_put(source);
}

static loop_source *sources_pop(vsdk_device *device)
{
    lock_take(&device->lock);
    loop_source *source = device->sources;
    if (source) {
        unlink_locked(source);
        refs_get(&source->refs);
    }
    lock_give(&device->lock);
    return source;
}

void sources_end(vsdk_device *device)
{
    loop_source *source;

    while ((source = sources_pop(device))) {
        source_end(source);
        source_put(source);
    }
}

void sources_revive(vsdk_device *device)
{
    lock_take(&device->lock);
    for (loop_source *s = device->sources; s; s = s->device_next) {
        lock_take(&s->loop->lock);
        unpark(s);
        lock_give(&s->loop->lock);
    }
    lock_give(&device->lock);
}
