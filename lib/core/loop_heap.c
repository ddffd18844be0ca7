/* SPDX-License-Identifier: Apache-2.0 */
/* The timers of a loop that are armed, as a heap by the moment at which they are due, and the
 * timerfd that tells of the first. A timer of a device runs on the virtual machine's clock: its
 * moment is where that clock would be if it went on, and is found again when it comes too early.
 * loop->lock is held. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/sys.h"
#include "core/life_wait.h"
#include "core/loop.h"
#include <sys/timerfd.h>

enum { SECOND = 1000000000 };

static int is_before(const vsdk_timer *a, const vsdk_timer *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_set(vsdk_loop *loop, uint32_t place, vsdk_timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

static void heap_up(vsdk_loop *loop, uint32_t place, vsdk_timer *timer)
{
    while (place && is_before(timer, loop->heap[(place - 1) / 2])) {
        heap_set(loop, place, loop->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_set(loop, place, timer);
}

static void heap_down(vsdk_loop *loop, uint32_t place, vsdk_timer *timer)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < loop->heap_count && is_before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (child >= loop->heap_count || !is_before(loop->heap[child], timer))
            break;
        heap_set(loop, place, loop->heap[child]);
        place = child;
    }
    heap_set(loop, place, timer);
}

uint64_t timer_clock(const vsdk_timer *timer)
{
    return timer->source.device ? life_clock(timer->source.device->vm) : sys_clock();
}

void timer_place(vsdk_timer *timer)
{
    vsdk_loop *loop = timer->source.loop;
    uint64_t clock = timer_clock(timer);
    uint64_t left = timer->deadline > clock ? timer->deadline - clock : 0;

    timer->due = timer->source.device ? add_capped(sys_clock(), left) : timer->deadline;
    heap_up(loop, loop->heap_count++, timer);
}

void timer_take_out(vsdk_timer *timer)
{
    vsdk_loop *loop = timer->source.loop;
    uint32_t place = timer->place;

    if (place == LOOP_NOT_IN_HEAP)
        return;
    timer->place = LOOP_NOT_IN_HEAP;
    vsdk_timer *last = loop->heap[--loop->heap_count];
    if (last == timer)
        return;
    if (place && is_before(last, loop->heap[(place - 1) / 2]))
        heap_up(loop, place, last);
    else
        heap_down(loop, place, last);
}

void timers_program(vsdk_loop *loop)
{
    uint64_t due = loop->heap_count ? loop->heap[0]->due : UINT64_MAX;

    if (due == loop->programmed || loop->gone || loop->calling)
        return;
    struct itimerspec spec = {0};
    if (due != UINT64_MAX) {
        spec.it_value.tv_sec = (time_t)(due / SECOND);
        spec.it_value.tv_nsec = (long)(due % SECOND) + (due == 0);
    }
    timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &spec, NULL);
    loop->programmed = due;
}

/* Room for one timer more is made when it is made, so that arming never fails. */
int timer_room(vsdk_loop *loop)
{
    if (loop->timers < loop->heap_room)
        return 1;
    uint32_t room = loop->heap_room ? 2 * loop->heap_room : 8;
    vsdk_timer **heap = alloc_array(room, sizeof *heap);
    if (!heap)
        return 0;
    for (uint32_t i = 0; i < loop->heap_count; i++)
        heap[i] = loop->heap[i];
    alloc_free(loop->heap);
    loop->heap = heap;
    loop->heap_room = room;
    return 1;
}
