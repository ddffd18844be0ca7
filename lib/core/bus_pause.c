#include "base/alloc.h"
#include "core/device.h"
#include "core/loop.h"

static uint64_t round_begin(bus *b)
{
    pthread_mutex_lock(&b->lock);
    uint64_t round = ++b->round;
    pthread_mutex_unlock(&b->lock);
    return round;
}

/* The next device in the order of creation, with a reference. */
static vsdk_device *round_next(bus *b, uint64_t round)
{
    vsdk_device *device;

    pthread_mutex_lock(&b->lock);
    for (device = b->devices; device; device = device->next) {
        if (device->visited == round || !refs_try_get(&device->refs))
            continue;
        device->visited = round;
        break;
    }
    pthread_mutex_unlock(&b->lock);
    return device;
}

/* Inside the device, so that a detach waits for what follows. Notes whether it is paused now; 1 if
 * it is attached and that is news to it. */
static int paused_change(vsdk_device *device, uint32_t paused)
{
    bus *b = &device->vm->bus;

    pthread_mutex_lock(&b->lock);
    int news = device->ranges && device->paused != paused;
    if (device->ranges)
        device->paused = paused;
    pthread_mutex_unlock(&b->lock);
    return news;
}

static void event_call(vsdk_device *device, uint32_t paused, vsdk_device_event_fn event)
{
    callback_frame frame = {.vm = device->vm, .device = device};

    callback_enter(&frame);
    device_enter(device);
    if (paused_change(device, paused) && event)
        event(device->user);
    device_leave(device);
    callback_leave(&frame);
}

void bus_quiet(vsdk_vm *vm)
{
    atomic_store(&vm->bus.quiet, 1);
}

/* A concurrent device has no lock to wait for. */
static void callbacks_wait(vsdk_device *device)
{
    drain_wait wait;

    if (device->concurrent && !drain_begin(&wait, device, "vsdk_vm_pause", NULL))
        drain_finish(&wait);
}

void bus_pause_devices(vsdk_vm *vm)
{
    uint64_t round = round_begin(&vm->bus);
    vsdk_device *device;

    bus_quiet(vm);
    while ((device = round_next(&vm->bus, round))) {
        sources_park(device);
        callbacks_wait(device);
        event_call(device, 1, device->ops.pause);
        device_put(device);
    }
}

/* Each looks for itself whether it may: see loop_source.c. Two threads may be here, so no round. */
void bus_wake_sources(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->bus.lock);
    for (vsdk_device *device = vm->bus.devices; device; device = device->next)
        sources_unpark(device);
    pthread_mutex_unlock(&vm->bus.lock);
}

void bus_unquiet(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->lock);
    if (vm->state == VSDK_VM_RUNNING)
        atomic_store(&vm->bus.quiet, 0);
    pthread_mutex_unlock(&vm->lock);
    bus_wake_sources(vm);
}

void bus_resume_devices(vsdk_vm *vm)
{
    uint64_t round = round_begin(&vm->bus);
    vsdk_device *device;

    while ((device = round_next(&vm->bus, round))) {
        event_call(device, 0, device->ops.resume);
        device_put(device);
    }
    bus_unquiet(vm);
}

static void device_end(vsdk_device *device)
{
    drain_wait wait;

    if (drain_begin(&wait, device, "vsdk_vm_destroy", NULL))
        return;
    pthread_mutex_lock(&device->vm->bus.lock);
    int had_ranges = bus_remove_ranges(device->vm, device);
    pthread_mutex_unlock(&device->vm->bus.lock);
    sources_end(device);
    drain_finish(&wait);
    if (had_ranges)
        device_put(device);
}

void bus_destroy(vsdk_vm *vm)
{
    bus *b = &vm->bus;
    vsdk_device *device;

    bus_quiet(vm);
    pthread_mutex_lock(&b->lock);
    b->gone = 1;
    pthread_mutex_unlock(&b->lock);
    uint64_t round = round_begin(b);
    while ((device = round_next(b, round))) {
        device_end(device);
        device_put(device);
    }
    pthread_mutex_lock(&b->lock);
    for (uint32_t space = 0; space < 2; space++) {
        snapshot_clear(&b->ranges[space], &vm->readers);
        snapshot_clear(&b->bells[space], &vm->readers);
    }
    alloc_free(b->reserved);
    b->reserved = NULL;
    b->reserved_count = 0;
    pthread_mutex_unlock(&b->lock);
}
