#include "base/alloc.h"
#include "core/loop.h"

void source_init(loop_source *source, vsdk_loop *loop, vsdk_device *device, void *user,
                 vsdk_release_fn release)
{
    refs_init(&source->refs);
    refs_get(&loop->memory);
    if (device)
        refs_get(&device->memory);
    source->loop = loop;
    source->device = device;
    source->user = user;
    source->release = release;
}

static void source_free(loop_source *source)
{
    if (source->is_timer)
        alloc_free(source);
    else
        watch_free((vsdk_watch *)source);
}

void source_put(loop_source *source)
{
    vsdk_loop *loop = source->loop;
    vsdk_device *device = source->device;

    if (!refs_put(&source->refs))
        return;
    source_free(source);
    loop_memory_put(loop);
    if (device)
        device_memory_put(device);
}

/* The virtual machine is alive. A pause that is coming counts: see bus_resume_devices. */
static int is_quiet(const vsdk_device *device)
{
    return atomic_load(&device->vm->bus.quiet) || atomic_load(&device->vm->pause_wanted);
}

vsdk_status source_link(loop_source *source, const char *operation, vsdk_error *error)
{
    vsdk_device *device = source->device;

    if (!device)
        return VSDK_OK;
    pthread_mutex_lock(&device->vm->bus.lock);
    vsdk_status status = bus_usable(device->vm, operation, error);
    if (!status) {
        pthread_mutex_lock(&device->lock);
        source->device_next = device->sources;
        if (device->sources)
            device->sources->device_link = &source->device_next;
        source->device_link = &device->sources;
        device->sources = source;
        source->parked = (uint32_t)is_quiet(device);
        pthread_mutex_unlock(&device->lock);
    }
    pthread_mutex_unlock(&device->vm->bus.lock);
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

/* With loop->lock held. */
static void park(loop_source *source)
{
    source->parked = 1;
    if (source->is_timer)
        timer_remove((vsdk_timer *)source);
    else
        watch_poll_off((vsdk_watch *)source);
}

static void unpark(loop_source *source)
{
    if (source->dead || !source->parked || is_quiet(source->device))
        return;
    source->parked = 0;
    if (source->is_timer)
        timer_unpark((vsdk_timer *)source);
    else
        watch_poll_on((vsdk_watch *)source);
}

/* With loop->lock held: 1 if the callback may begin, and the source is running then. */
static int run_begin(loop_source *source, int (*still_due)(loop_source *source, void *context),
                     void *context)
{
    if (source->dead)
        return 0;
    if (source->device && is_quiet(source->device)) {
        park(source);
        return 0;
    }
    if (!still_due(source, context))
        return 0;
    source->running = 1;
    source->runner = pthread_self();
    return 1;
}

/* With loop->lock held. Who ends a source whose callback runs leaves the release to this. */
static void run_end(loop_source *source)
{
    vsdk_loop *loop = source->loop;

    if (source->dead && source->release) {
        pthread_mutex_unlock(&loop->lock);
        source->release(source->user);
        pthread_mutex_lock(&loop->lock);
    }
    source->running = 0;
    pthread_cond_broadcast(&loop->idle);
}

static int fire_inside(loop_source *source, int (*still_due)(loop_source *source, void *context),
                       void (*call)(loop_source *source, void *context), void *context)
{
    vsdk_loop *loop = source->loop;

    pthread_mutex_lock(&loop->lock);
    int runs = run_begin(source, still_due, context);
    pthread_mutex_unlock(&loop->lock);
    if (!runs)
        return 0;
    call(source, context);
    pthread_mutex_lock(&loop->lock);
    run_end(source);
    pthread_mutex_unlock(&loop->lock);
    return 1;
}

static int fire_in_device(loop_source *source, int (*still_due)(loop_source *source, void *context),
                          void (*call)(loop_source *source, void *context), void *context)
{
    vsdk_device *device = source->device;
    callback_frame frame = {.vm = device->vm, .device = device, .loop = source->loop};

    callback_enter(&frame);
    device_enter(device);
    int ran = fire_inside(source, still_due, call, context);
    device_leave(device);
    callback_leave(&frame);
    return ran;
}

static int fire_alone(loop_source *source, int (*still_due)(loop_source *source, void *context),
                      void (*call)(loop_source *source, void *context), void *context)
{
    callback_frame frame = {.loop = source->loop};

    callback_enter(&frame);
    int ran = fire_inside(source, still_due, call, context);
    callback_leave(&frame);
    return ran;
}

int source_fire(loop_source *source, int (*still_due)(loop_source *source, void *context),
                void (*call)(loop_source *source, void *context), void *context)
{
    vsdk_loop *loop = source->loop;
    int ran = 0;

    refs_get(&source->refs);
    pthread_mutex_unlock(&loop->lock);
    if (!source->device) {
        ran = fire_alone(source, still_due, call, context);
    } else if (device_borrow(source->device)) {
        ran = fire_in_device(source, still_due, call, context);
        device_give_back(source->device);
    } else {
        pthread_mutex_lock(&loop->lock);
        park(source);
        pthread_mutex_unlock(&loop->lock);
    }
    source_put(source);
    pthread_mutex_lock(&loop->lock);
    return ran;
}

static void take_out(loop_source *source)
{
    if (source->is_timer) {
        timer_remove((vsdk_timer *)source);
        source->loop->timers--;
    } else {
        watch_unlist((vsdk_watch *)source);
    }
}

static void source_end(loop_source *source, int wait)
{
    vsdk_loop *loop = source->loop;

    pthread_mutex_lock(&loop->lock);
    int first = !source->dead, release = first && !source->running;
    source->dead = 1;
    if (first)
        take_out(source);
    while (wait && source->running && !pthread_equal(source->runner, pthread_self()))
        pthread_cond_wait(&loop->idle, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
    if (release && source->release)
        source->release(source->user);
}

void source_close(loop_source *source)
{
    if (source->device) {
        pthread_mutex_lock(&source->device->lock);
        unlink_locked(source);
        pthread_mutex_unlock(&source->device->lock);
    }
    source_end(source, 1);
    source_put(source);
}

static loop_source *sources_pop(vsdk_device *device)
{
    pthread_mutex_lock(&device->lock);
    loop_source *source = device->sources;
    if (source) {
        unlink_locked(source);
        refs_get(&source->refs);
    }
    pthread_mutex_unlock(&device->lock);
    return source;
}

void sources_end(vsdk_device *device)
{
    loop_source *source;

    while ((source = sources_pop(device))) {
        source_end(source, 0);
        source_put(source);
    }
}

static void sources_each(vsdk_device *device, void (*change)(loop_source *source))
{
    pthread_mutex_lock(&device->lock);
    for (loop_source *s = device->sources; s; s = s->device_next) {
        pthread_mutex_lock(&s->loop->lock);
        change(s);
        pthread_mutex_unlock(&s->loop->lock);
    }
    pthread_mutex_unlock(&device->lock);
}

void sources_park(vsdk_device *device)
{
    sources_each(device, park);
}

void sources_unpark(vsdk_device *device)
{
    sources_each(device, unpark);
}
