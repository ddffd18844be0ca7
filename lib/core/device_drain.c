#include "base/error.h"
#include "core/device.h"

static int frames_have(const callback_frame *frame, const vsdk_device *device)
{
    for (; frame; frame = frame->outer) {
        if (frame->device == device)
            return 1;
    }
    return 0;
}

/* A callback of `device` waits, directly or through others, for a device whose callback the thread
 * with `frames` is in. The waits that there are have no circle. */
static int waits_for(const drain_wait *waits, const vsdk_device *device,
                     const callback_frame *frames)
{
    for (const drain_wait *w = waits; w; w = w->next) {
        if (!frames_have(w->frames, device))
            continue;
        if (frames_have(frames, w->device) || waits_for(waits, w->device, frames))
            return 1;
    }
    return 0;
}

vsdk_status drain_begin(drain_wait *wait, vsdk_device *device, const char *operation,
                        vsdk_error *error)
{
    bus *b = &device->vm->bus;

    *wait = (drain_wait){callback_top(), device, NULL};
    if (frames_have(wait->frames, device))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a callback of device %s itself", device->name);
    pthread_mutex_lock(&b->drain_lock);
    int circle = waits_for(b->waits, device, wait->frames);
    if (!circle) {
        atomic_fetch_or(&device->count, DEVICE_DRAIN);
        wait->next = b->waits;
        b->waits = wait;
    }
    pthread_mutex_unlock(&b->drain_lock);
    if (circle)
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "a callback of device %s waits for this one to end", device->name);
    return VSDK_OK;
}

static void wait_unlink(bus *b, const drain_wait *wait)
{
    int others = 0;

    for (drain_wait **at = &b->waits; *at;) {
        if (*at == wait) {
            *at = wait->next;
            continue;
        }
        others |= (*at)->device == wait->device;
        at = &(*at)->next;
    }
    if (!others)
        atomic_fetch_and(&wait->device->count, ~(uint32_t)DEVICE_DRAIN);
}

void drain_finish(drain_wait *wait)
{
    bus *b = &wait->device->vm->bus;

    pthread_mutex_lock(&b->drain_lock);
    while (atomic_load(&wait->device->count) & ~(uint32_t)DEVICE_DRAIN)
        pthread_cond_wait(&b->drained, &b->drain_lock);
    wait_unlink(b, wait);
    pthread_mutex_unlock(&b->drain_lock);
}

void drain_tell(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->bus.drain_lock);
    pthread_cond_broadcast(&vm->bus.drained);
    pthread_mutex_unlock(&vm->bus.drain_lock);
}
