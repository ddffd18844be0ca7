#include "core/loop.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, SECOND = 1000000000, MILLISECOND = 1000000 };

/* What epoll's data says of the loop's own descriptors; a watch's is its address. */
static char of_event, of_timer;

static int poll_own(const vsdk_loop *loop, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int descriptors_open(vsdk_loop *loop)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if ((loop->epoll = fd < 0 ? -errno : sys_high(fd)) < 0)
        return loop->epoll;
    if ((loop->event = sys_eventfd()) < 0)
        return loop->event;
    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if ((loop->timer = fd < 0 ? -errno : sys_high(fd)) < 0)
        return loop->timer;
    int result = poll_own(loop, loop->event, &of_event);
    return result ? result : poll_own(loop, loop->timer, &of_timer);
}

static void descriptors_close(vsdk_loop *loop)
{
    sys_close(loop->timer < 0 ? -1 : loop->timer);
    sys_close(loop->event < 0 ? -1 : loop->event);
    sys_close(loop->epoll < 0 ? -1 : loop->epoll);
    loop->timer = loop->event = loop->epoll = -1;
}

int loop_is_foreign(const vsdk_loop *loop)
{
    return loop->pid != getpid();
}

void loop_memory_put(vsdk_loop *loop)
{
    if (!refs_put(&loop->memory))
        return;
    pthread_cond_destroy(&loop->idle);
    pthread_mutex_destroy(&loop->lock);
    alloc_free(loop->heap);
    alloc_free(loop);
}

static loop_work *work_take(vsdk_loop *loop)
{
    loop_work *work = loop->work;

    loop->work = NULL;
    loop->work_end = &loop->work;
    return work;
}

/* Nobody can dispatch it any more; timers and watches that are left are only memory. */
static void loop_put(vsdk_loop *loop)
{
    if (!refs_put(&loop->refs))
        return;
    pthread_mutex_lock(&loop->lock);
    loop->gone = 1;
    loop_work *work = work_take(loop);
    descriptors_close(loop);
    pthread_mutex_unlock(&loop->lock);
    while (work) {
        loop_work *next = work->next;
        if (work->release)
            work->release(work->user);
        alloc_free(work);
        work = next;
    }
    loop_memory_put(loop);
}

vsdk_status loop_make(vsdk_loop **loop, const char *operation, vsdk_error *error)
{
    vsdk_loop *made = alloc_zeroed(sizeof *made);

    *loop = NULL;
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the loop");
    refs_init(&made->refs);
    refs_init(&made->memory);
    made->pid = getpid();
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->idle, NULL);
    made->programmed = UINT64_MAX;
    made->work_end = &made->work;
    made->epoll = made->event = made->timer = -1;
    int result = descriptors_open(made);
    if (result < 0) {
        loop_put(made);
        vsdk_status code =
            result == -ENOMEM || result == -ENOSPC ? VSDK_ERROR_NO_MEMORY : VSDK_ERROR_LIMIT;
        return error_set_errno(error, code, -result, operation, "no descriptors for the loop");
    }
    *loop = made;
    return VSDK_OK;
}

vsdk_status vsdk_loop_create(vsdk_loop **loop, vsdk_error *error)
{
    static const char op[] = "vsdk_loop_create";

    return loop ? loop_make(loop, op, error) : error_null(error, op, "loop");
}

void vsdk_loop_close(vsdk_loop *loop)
{
    if (loop && !loop_is_foreign(loop))
        loop_put(loop);
}

int32_t vsdk_loop_descriptor(vsdk_loop *loop)
{
    return loop ? loop->epoll : -1;
}

vsdk_status vsdk_loop_wake(vsdk_loop *loop, vsdk_error *error)
{
    if (!loop)
        return error_null(error, "vsdk_loop_wake", "loop");
    sys_eventfd_write(loop->event, 1);
    return VSDK_OK;
}

vsdk_status vsdk_loop_defer(vsdk_loop *loop, vsdk_timer_fn fn, void *user, vsdk_release_fn release,
                            vsdk_error *error)
{
    static const char op[] = "vsdk_loop_defer";
    vsdk_status status = VSDK_OK;
    loop_work *work = NULL;

    if (!loop || !fn)
        status = error_null(error, op, loop ? "fn" : "loop");
    else if (!(work = alloc_zeroed(sizeof *work)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the work");
    if (status) {
        if (release)
            release(user);
        return status;
    }
    *work = (loop_work){.fn = fn, .user = user, .release = release};
    pthread_mutex_lock(&loop->lock);
    *loop->work_end = work;
    loop->work_end = &work->next;
    sys_eventfd_write(loop->event, 1);
    pthread_mutex_unlock(&loop->lock);
    return VSDK_OK;
}

static int wait_once(int epoll, struct epoll_event *events, int capacity, uint64_t timeout_ns)
{
    static _Atomic int coarse; /* the kernel, or a filter of its calls, has no epoll_pwait2 */
    struct timespec t = {(time_t)(timeout_ns / SECOND), (long)(timeout_ns % SECOND)};

    if (!atomic_load(&coarse)) {
        int n = epoll_pwait2(epoll, events, capacity, timeout_ns == UINT64_MAX ? NULL : &t, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n < 0 ? -errno : n;
        atomic_store(&coarse, 1);
    }
    uint64_t ms = timeout_ns / MILLISECOND + (timeout_ns % MILLISECOND != 0);
    int n = epoll_wait(epoll, events, capacity,
                       timeout_ns == UINT64_MAX ? -1
                       : ms > INT32_MAX         ? INT32_MAX
                                                : (int)ms);
    return n < 0 ? -errno : n;
}

/* A signal does not end the wait: vsdk_loop_wake in its handler does. */
static int wait_for_events(const vsdk_loop *loop, struct epoll_event *events, uint64_t timeout_ns)
{
    uint64_t begun = sys_clock(), left = timeout_ns;

    for (;;) {
        int n = wait_once(loop->epoll, events, EVENTS, left);
        if (n != -EINTR)
            return n;
        if (timeout_ns == UINT64_MAX)
            continue;
        uint64_t passed = sys_clock() - begun;
        left = passed < timeout_ns ? timeout_ns - passed : 0;
    }
}

static uint32_t work_do(vsdk_loop *loop)
{
    loop_work *work = work_take(loop);
    uint32_t done = 0;

    pthread_mutex_unlock(&loop->lock);
    for (; work; done++) {
        callback_frame frame = {.loop = loop};
        loop_work *next = work->next;
        callback_enter(&frame);
        work->fn(work->user);
        callback_leave(&frame);
        if (work->release)
            work->release(work->user);
        alloc_free(work);
        work = next;
    }
    pthread_mutex_lock(&loop->lock);
    return done;
}

static uint32_t callbacks_run(vsdk_loop *loop, const struct epoll_event *events, int count)
{
    uint64_t rings;

    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &of_event)
            sys_eventfd_read(loop->event, &rings);
    }
    uint32_t ran = work_do(loop) + timers_fire(loop);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr != &of_event && events[i].data.ptr != &of_timer)
            ran += (uint32_t)watch_fire(events[i].data.ptr, events[i].events);
    }
    return ran;
}

static int dispatch_begin(vsdk_loop *loop, int *work_waits)
{
    pthread_mutex_lock(&loop->lock);
    int free = !loop->dispatching;
    loop->dispatching = 1;
    *work_waits = loop->work != NULL;
    pthread_mutex_unlock(&loop->lock);
    return free;
}

static void dispatch_end(vsdk_loop *loop)
{
    loop->calling = 0;
    timers_program(loop);
    loop->dispatching = 0;
    vsdk_watch *graves = loop->graves;
    loop->graves = NULL;
    pthread_mutex_unlock(&loop->lock);
    while (graves) {
        vsdk_watch *next = graves->grave;
        alloc_free(graves);
        graves = next;
    }
}

vsdk_status vsdk_loop_dispatch(vsdk_loop *loop, uint64_t timeout_ns, uint32_t *dispatched,
                               vsdk_error *error)
{
    static const char op[] = "vsdk_loop_dispatch";
    struct epoll_event events[EVENTS];
    int work_waits;

    if (dispatched)
        *dispatched = 0;
    if (!loop)
        return error_null(error, op, "loop");
    if (callback_in_some_device())
        return error_set(error, VSDK_ERROR_BUSY, op, "called from a callback of a device");
    if (!dispatch_begin(loop, &work_waits))
        return error_set(error, VSDK_ERROR_BUSY, op,
                         "another thread dispatches this loop, or this is a callback of it");
    refs_get(&loop->refs);
    int count = wait_for_events(loop, events, work_waits ? 0 : timeout_ns);
    pthread_mutex_lock(&loop->lock);
    loop->calling = 1;
    uint32_t ran = callbacks_run(loop, events, count);
    dispatch_end(loop);
    loop_put(loop);
    if (dispatched)
        *dispatched = ran;
    return VSDK_OK;
}
