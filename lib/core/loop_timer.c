/* SPDX-License-Identifier: Apache-2.0 */
/* The API of timers. Arming never fails: the heap has room for every timer that lives. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "core/loop.h"

static vsdk_status create(vsdk_loop *loop, vsdk_device *device, vsdk_timer *made,
                          const char *operation, vsdk_error *error)
{
    lock_take(&loop->lock);
    int room = timer_room(loop);
    loop->timers += (uint32_t)room;
    lock_give(&loop->lock);
    if (!room)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the timer");
    vsdk_status status = source_link(&made->source, operation, error);
    if (status) {
        lock_take(&loop->lock);
        loop->timers--;
        lock_give(&loop->lock);
    }
    return status;
}

vsdk_status vsdk_timer_create(vsdk_loop *loop, vsdk_device *device, vsdk_timer_fn fn, void *user,
                              vsdk_release_fn release, vsdk_timer **timer, vsdk_error *error)
{
    static const char operation[] = "vsdk_timer_create";
    vsdk_status status = VSDK_OK;
    vsdk_timer *made = NULL;

    if (timer)
        *timer = NULL;
    if (!loop || !fn || !timer)
        status = error_null(error, operation, !loop ? "loop" : !fn ? "fn" : "timer");
    if (loop && loop_is_foreign(loop))
        return vm_forked(operation, error);
    if (!status && !(made = alloc_zeroed(sizeof *made)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the timer");
    if (!status) {
        source_init(&made->source, SOURCE_TIMER, loop, device, user, release);
        made->fn = fn;
        made->place = LOOP_NOT_IN_HEAP;
        status = create(loop, device, made, operation, error);
    }
    if (status) {
        if (made)
            source_put(&made->source);
        if (release)
            release(user);
        return status;
    }
    *timer = made;
    return VSDK_OK;
}

vsdk_status vsdk_timer_arm(vsdk_timer *timer, uint64_t delay_ns, uint64_t period_ns,
                           vsdk_error *error)
{
    static const char operation[] = "vsdk_timer_arm";

    if (!timer)
        return error_null(error, operation, "timer");
    vsdk_loop *loop = timer->source.loop;
    if (loop_is_foreign(loop))
        return vm_forked(operation, error);
    lock_take(&loop->lock);
    if (!timer->source.dead) {
        timer_take_out(timer);
        timer->armed = 1;
        timer->deadline = add_capped(timer_clock(timer), delay_ns);
        timer->period = period_ns;
        timer->order = ++loop->order;
        if (!timer->source.parked)
            timer_place(timer);
        timers_program(loop);
    }
    lock_give(&loop->lock);
    return VSDK_OK;
}

vsdk_status vsdk_timer_disarm(vsdk_timer *timer, vsdk_error *error)
{
    static const char operation[] = "vsdk_timer_disarm";

    if (!timer)
        return error_null(error, operation, "timer");
    if (loop_is_foreign(timer->source.loop))
        return vm_forked(operation, error);
    lock_take(&timer->source.loop->lock);
    timer->armed = 0;
    timer_take_out(timer);
    timers_program(timer->source.loop);
    lock_give(&timer->source.loop->lock);
    return VSDK_OK;
}

vsdk_timer *vsdk_timer_ref(vsdk_timer *timer)
{
    if (timer && !loop_is_foreign(timer->source.loop))
        refs_get(&timer->source.handles);
    return timer;
}

void vsdk_timer_close(vsdk_timer *timer)
{
    if (timer && !loop_is_foreign(timer->source.loop))
        source_close(&timer->source);
}
