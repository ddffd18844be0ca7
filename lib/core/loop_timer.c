#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
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

static void heap_remove(vsdk_timer *timer)
{
    vsdk_loop *loop = timer->source.loop;
    uint32_t place = timer->place;

    if (place == LOOP_NEVER_PLACED)
        return;
    timer->place = LOOP_NEVER_PLACED;
    vsdk_timer *last = loop->heap[--loop->heap_count];
    if (last == timer)
        return;
    if (place && is_before(last, loop->heap[(place - 1) / 2]))
        heap_up(loop, place, last);
    else
        heap_down(loop, place, last);
}

/* `clock`: the timer's own, now. */
static void timer_place(vsdk_timer *timer, uint64_t clock)
{
    vsdk_loop *loop = timer->source.loop;
    uint64_t left = timer->deadline > clock ? timer->deadline - clock : 0;

    timer->due = timer->source.device ? add_capped(sys_clock(), left) : timer->deadline;
    heap_up(loop, loop->heap_count++, timer);
}

/* The virtual machine is alive. */
static uint64_t own_clock(const vsdk_timer *timer)
{
    return timer->source.device ? vm_clock(timer->source.device->vm) : sys_clock();
}

void timer_unpark(vsdk_timer *timer)
{
    if (!timer->armed)
        return;
    timer_place(timer, own_clock(timer));
    timers_program(timer->source.loop);
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

void timer_remove(vsdk_timer *timer)
{
    heap_remove(timer);
    timers_program(timer->source.loop);
}

typedef struct timer_round {
    uint64_t now, order;
} timer_round;

static void next_period(vsdk_timer *timer, uint64_t clock)
{
    uint64_t missed = (clock - timer->deadline) / timer->period;

    timer->deadline = add_capped(timer->deadline + missed * timer->period, timer->period);
    timer->order = ++timer->source.loop->order;
    timer_place(timer, clock);
}

static int timer_still_due(loop_source *source, void *context)
{
    vsdk_timer *timer = (vsdk_timer *)source;
    const timer_round *round = context;

    if (timer->place == LOOP_NEVER_PLACED || timer->due > round->now || timer->order > round->order)
        return 0;
    uint64_t clock = own_clock(timer);
    heap_remove(timer);
    if (clock < timer->deadline) {
        timer_place(timer, clock);
        return 0;
    }
    if (timer->period)
        next_period(timer, clock);
    else
        timer->armed = 0;
    return 1;
}

static void timer_call(loop_source *source, void *context)
{
    (void)context;
    ((vsdk_timer *)source)->fn(source->user);
}

uint32_t timers_fire(vsdk_loop *loop)
{
    timer_round round = {sys_clock(), loop->order};
    uint32_t fired = 0;

    while (loop->heap_count && loop->heap[0]->due <= round.now &&
           loop->heap[0]->order <= round.order)
        fired += (uint32_t)source_fire(&loop->heap[0]->source, timer_still_due, timer_call, &round);
    return fired;
}

/* Room in the heap is made here, so that arming never fails. */
static int room_make(vsdk_loop *loop)
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

static vsdk_status no_memory(const char *op, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the timer");
}

static vsdk_status create(vsdk_loop *loop, vsdk_device *device, vsdk_timer *made, const char *op,
                          vsdk_error *error)
{
    pthread_mutex_lock(&loop->lock);
    int room = room_make(loop);
    loop->timers += (uint32_t)room;
    pthread_mutex_unlock(&loop->lock);
    if (!room)
        return no_memory(op, error);
    vsdk_status status = source_link(&made->source, op, error);
    if (status) {
        pthread_mutex_lock(&loop->lock);
        loop->timers--;
        pthread_mutex_unlock(&loop->lock);
    }
    return status;
}

vsdk_status vsdk_timer_create(vsdk_loop *loop, vsdk_device *device, vsdk_timer_fn fn, void *user,
                              vsdk_release_fn release, vsdk_timer **timer, vsdk_error *error)
{
    static const char op[] = "vsdk_timer_create";
    vsdk_status status = VSDK_OK;
    vsdk_timer *made = NULL;

    if (timer)
        *timer = NULL;
    if (!loop || !fn || !timer)
        status = error_null(error, op, !loop ? "loop" : !fn ? "fn" : "timer");
    if (!status && !(made = alloc_zeroed(sizeof *made)))
        status = no_memory(op, error);
    if (!status) {
        source_init(&made->source, loop, device, user, release);
        made->source.is_timer = 1;
        made->fn = fn;
        made->place = LOOP_NEVER_PLACED;
        status = create(loop, device, made, op, error);
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

/* With the loop's lock held, the device's too if there is one. */
static void arm(vsdk_timer *timer, uint64_t delay_ns, uint64_t period_ns)
{
    const vsdk_device *device = timer->source.device;

    if (timer->source.dead || (device && !device->reach))
        return;
    uint64_t clock = own_clock(timer);
    heap_remove(timer);
    timer->armed = 1;
    timer->deadline = add_capped(clock, delay_ns);
    timer->period = period_ns;
    timer->order = ++timer->source.loop->order;
    if (!timer->source.parked)
        timer_place(timer, clock);
    timers_program(timer->source.loop);
}

vsdk_status vsdk_timer_arm(vsdk_timer *timer, uint64_t delay_ns, uint64_t period_ns,
                           vsdk_error *error)
{
    if (!timer)
        return error_null(error, "vsdk_timer_arm", "timer");
    vsdk_device *device = timer->source.device;
    if (device)
        pthread_mutex_lock(&device->lock);
    pthread_mutex_lock(&timer->source.loop->lock);
    arm(timer, delay_ns, period_ns);
    pthread_mutex_unlock(&timer->source.loop->lock);
    if (device)
        pthread_mutex_unlock(&device->lock);
    return VSDK_OK;
}

vsdk_status vsdk_timer_disarm(vsdk_timer *timer, vsdk_error *error)
{
    if (!timer)
        return error_null(error, "vsdk_timer_disarm", "timer");
    pthread_mutex_lock(&timer->source.loop->lock);
    timer->armed = 0;
    timer_remove(timer);
    pthread_mutex_unlock(&timer->source.loop->lock);
    return VSDK_OK;
}

void vsdk_timer_close(vsdk_timer *timer)
{
    if (timer && !loop_is_foreign(timer->source.loop))
        source_close(&timer->source);
}
