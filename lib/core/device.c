#include "core/device.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/exit_path.h"
#include "base/record.h"
#include "core/host.h"
#include "core/loop.h"
#include <errno.h>
#include <stdio.h>

void device_wait(vsdk_device *device)
{
    while (sem_wait(&device->gate) && errno == EINTR)
        ;
}

EXIT_PATH void device_leave(vsdk_device *device)
{
    vsdk_vm *vm = device->vm;
    int concurrent = (int)device->concurrent;
    uint32_t before = atomic_fetch_sub(&device->count, 1);

    if (before == 1)
        return;
    if ((before & ~(uint32_t)DEVICE_DRAIN) > 1) {
        if (!concurrent)
            sem_post(&device->gate); /* whoever waits is counted: the device is still there */
        return;
    }
    drain_tell(vm);
}

void device_memory_put(vsdk_device *device)
{
    if (!refs_put(&device->memory))
        return;
    sem_destroy(&device->gate);
    pthread_mutex_destroy(&device->lock);
    alloc_free(device);
}

static void list_remove(vsdk_device *device)
{
    bus *b = &device->vm->bus;

    pthread_mutex_lock(&b->lock);
    if (device->next)
        device->next->previous = device->previous;
    else
        b->newest = device->previous;
    if (device->previous)
        device->previous->next = device->next;
    else
        b->devices = device->next;
    pthread_mutex_unlock(&b->lock);
}

void device_put(vsdk_device *device)
{
    if (!refs_put(&device->refs))
        return;
    list_remove(device);
    sources_end(device);
    if (device->ops.release)
        device->ops.release(device->user);
    device_memory_put(device);
}

int device_borrow(vsdk_device *device)
{
    pthread_mutex_lock(&device->lock);
    int alive = device->reach && refs_try_get(&device->vm->refs);
    if (alive)
        refs_get(&device->refs);
    pthread_mutex_unlock(&device->lock);
    return alive;
}

void device_give_back(vsdk_device *device)
{
    vsdk_vm *vm = device->vm;

    device_put(device);
    vm_put(vm);
}

/* A table too short for `release` has none. */
static vsdk_release_fn release_of(const vsdk_device_ops *ops)
{
    if (!ops || ops->size < offsetof(vsdk_device_ops, release) + sizeof ops->release)
        return NULL;
    return ops->release;
}

static vsdk_status ops_read(vsdk_device_ops *copy, const vsdk_device_ops *ops, const char *op,
                            vsdk_error *error)
{
    vsdk_status status = record_read(copy, sizeof *copy, ops, 0, op, error);

    if (!status && (copy->reserved[0] || copy->reserved[1]))
        return record_later(op, error);
    return status;
}

static vsdk_status config_read(vsdk_device_config *copy, const vsdk_device_config *config,
                               const char *op, vsdk_error *error)
{
    vsdk_status status = record_read(copy, sizeof *copy, config, VSDK_DEVICE_CONCURRENT, op, error);

    if (!status && (copy->reserved[0] || copy->reserved[1]))
        return record_later(op, error);
    return status;
}

static vsdk_status list_add(vsdk_device *device, const char *op, vsdk_error *error)
{
    bus *b = &device->vm->bus;

    pthread_mutex_lock(&b->lock);
    vsdk_status status = bus_usable(device->vm, op, error);
    if (!status) {
        device->previous = b->newest;
        *(b->newest ? &b->newest->next : &b->devices) = device;
        b->newest = device;
    }
    pthread_mutex_unlock(&b->lock);
    return status;
}

static void name_set(vsdk_device *device, const char *name)
{
    const size_t room = sizeof device->name;

    if ((size_t)snprintf(device->name, room, "%s", name) >= room)
        error_cut(device->name, room - 1);
}

static vsdk_device *device_make(vsdk_vm *vm, const vsdk_device_ops *ops,
                                const vsdk_device_config *config)
{
    vsdk_device *device = alloc_zeroed(sizeof *device);

    if (!device)
        return NULL;
    refs_init(&device->refs);
    refs_init(&device->memory);
    device->vm = vm;
    device->concurrent = config->flags & VSDK_DEVICE_CONCURRENT;
    sem_init(&device->gate, 0, 0);
    pthread_mutex_init(&device->lock, NULL);
    device->ops = *ops;
    device->reach = DEVICE_HANDLE;
    name_set(device, config->name ? config->name : "unnamed");
    return device;
}

static vsdk_status create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                          const vsdk_device_config *config, vsdk_device **device, const char *op,
                          vsdk_error *error)
{
    vsdk_device_ops ops_copy;
    vsdk_device_config config_copy;

    if (!vm)
        return error_null(error, op, "vm");
    if (!ops)
        return error_null(error, op, "ops");
    vsdk_status status = ops_read(&ops_copy, ops, op, error);
    if (!status)
        status = config_read(&config_copy, config, op, error);
    if (status)
        return status;

    vsdk_device *made = device_make(vm, &ops_copy, &config_copy);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the device");
    made->kind = ops;
    made->user = user;
    status = list_add(made, op, error);
    if (status) {
        device_memory_put(made);
        return status;
    }
    vm_get(vm);
    *device = made;
    return VSDK_OK;
}

vsdk_status vsdk_device_create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                               const vsdk_device_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    static const char op[] = "vsdk_device_create";
    vsdk_status status;

    if (device) {
        *device = NULL;
        status = create(vm, ops, user, config, device, op, error);
    } else {
        status = error_null(error, op, "device");
    }
    vsdk_release_fn release = release_of(ops);
    if (status && release)
        release(user);
    return status;
}

void vsdk_device_close(vsdk_device *device)
{
    if (!device || host_is_foreign(device->vm->host))
        return;
    vsdk_vm *vm = device->vm;
    pthread_mutex_lock(&device->lock);
    device->reach &= ~(uint32_t)DEVICE_HANDLE;
    pthread_mutex_unlock(&device->lock);
    device_put(device);
    vm_put(vm);
}

static vsdk_status ranges_take(vsdk_device *device, int *had_ranges, const char *op,
                               vsdk_error *error)
{
    vsdk_vm *vm = device->vm;

    *had_ranges = 0;
    pthread_mutex_lock(&vm->bus.lock);
    vsdk_status status = bus_usable(vm, op, error);
    if (!status)
        *had_ranges = bus_remove_ranges(vm, device);
    pthread_mutex_unlock(&vm->bus.lock);
    return status;
}

vsdk_status vsdk_device_detach(vsdk_device *device, vsdk_error *error)
{
    static const char op[] = "vsdk_device_detach";
    drain_wait wait;
    int had_ranges;

    if (!device)
        return error_null(error, op, "device");
    vsdk_status status = drain_begin(&wait, device, op, error);
    if (status)
        return status;
    status = ranges_take(device, &had_ranges, op, error);
    if (!status)
        sources_end(device);
    drain_finish(&wait);
    if (had_ranges)
        device_put(device);
    return status;
}

void *vsdk_device_user(vsdk_device *device, const vsdk_device_ops *ops)
{
    return device && device->kind == ops ? device->user : NULL;
}
