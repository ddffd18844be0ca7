/* SPDX-License-Identifier: Apache-2.0 */
/* A device's life: made, listed, attached by its first range, detached, released. The list has
 * every device that has not been released, in the order of creation, so that a walk that holds a
 * reference to the one it is at always finds the next.
 *
 * Two things are told apart. A device takes part in starts and stops from its creation to a detach,
 * whatever it owns: a doorbell, a timer, a line, or nothing but DMA. It is attached, which means
 * that the virtual machine keeps it, from its first range to a detach. */
#include "core/device.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "core/life_wait.h"
#include "core/loop.h"
#include <stdio.h>

/* A table too short for `release` has none. */
static vsdk_release_fn release_of(const vsdk_device_ops *ops)
{
    if (!ops || ops->size < offsetof(vsdk_device_ops, release) + sizeof ops->release)
        return NULL;
    return ops->release;
}

static vsdk_status arguments_check(vsdk_vm *vm, const vsdk_device_ops *ops,
                                   const vsdk_device_config *config, vsdk_device_ops *ops_copy,
                                   vsdk_device_config *config_copy, const char *operation,
                                   vsdk_error *error)
{
    if (!vm)
        return error_null(error, operation, "vm");
    if (!ops)
        return error_null(error, operation, "ops");
    vsdk_status status = record_read(ops_copy, sizeof *ops_copy, ops, 0, operation, error);
    if (!status && (ops_copy->reserved[0] || ops_copy->reserved[1]))
        status = record_later(operation, error);
    if (!status)
        status = record_read(config_copy, sizeof *config_copy, config, VSDK_DEVICE_CONCURRENT,
                             operation, error);
    if (!status && (config_copy->reserved[0] || config_copy->reserved[1]))
        status = record_later(operation, error);
    return status;
}

static vsdk_status list_add(vsdk_device *device, const char *operation, vsdk_error *error)
{
    vsdk_vm *vm = device->vm;
    vsdk_status status = VSDK_OK;

    lock_take(&vm->bus.lock);
    if (vm->devices.ended || atomic_load(&vm->gone)) {
        status = vm_gone(operation, error);
    } else {
        device->previous = vm->devices.last;
        if (device->previous)
            device->previous->next = device;
        else
            vm->devices.first = device;
        vm->devices.last = device;
        device->listed = 1;
        device_take_part(device);
    }
    lock_give(&vm->bus.lock);
    return status;
}

static void list_remove(vsdk_device *device)
{
    device_list *list = &device->vm->devices;

    lock_take(&device->vm->bus.lock);
    if (device->next)
        device->next->previous = device->previous;
    else
        list->last = device->previous;
    if (device->previous)
        device->previous->next = device->next;
    else
        list->first = device->next;
    device->listed = 0;
    lock_give(&device->vm->bus.lock);
}

static vsdk_status create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                          const vsdk_device_config *config, vsdk_device **device,
                          const char *operation, vsdk_error *error)
{
    vsdk_device_ops ops_copy;
    vsdk_device_config config_copy;
    vsdk_status status =
        arguments_check(vm, ops, config, &ops_copy, &config_copy, operation, error);

    if (status)
        return status;
    vsdk_device *made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the device");
    refs_init(&made->refs);
    refs_init(&made->memory);
    lock_init(&made->lock, RANK_SOURCES);
    made->vm = vm;
    vm_keep(vm);
    made->concurrent = config_copy.flags & VSDK_DEVICE_CONCURRENT;
    made->ops = ops_copy;
    made->kind = ops;
    made->user = user;
    snprintf(made->name, sizeof made->name, "%s", config_copy.name ? config_copy.name : "unnamed");
    error_cut(made->name, sizeof made->name - 1);
    status = list_add(made, operation, error);
    if (status) {
        device_memory_put(made);
        return status;
    }
    *device = made;
    return VSDK_OK;
}

vsdk_status vsdk_device_create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                               const vsdk_device_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    static const char operation[] = "vsdk_device_create";
    vsdk_status status;

    if (device)
        *device = NULL;
    if (vm && vm_is_foreign(vm))
        return vm_forked(operation, error);
    status = device ? create(vm, ops, user, config, device, operation, error)
                    : error_null(error, operation, "device");
    vsdk_release_fn release = release_of(ops);
    if (status && release)
        release(user);
    return status;
}

/* No thread is in it. Nobody waits for a stop of it any more. */
static void forget_phase(vsdk_device *device)
{
    uint32_t phase = atomic_load(&device->phase);

    while ((phase == DEVICE_STARTED || phase == DEVICE_PENDING) &&
           !atomic_compare_exchange_weak(&device->phase, &phase, DEVICE_IDLE))
        ;
    if (phase == DEVICE_PENDING)
        device_stop_is_over(device->vm);
}

/* One without a range may be started, or its stop pending: who closes it knows. */
void device_put(vsdk_device *device)
{
    if (!refs_put(&device->refs))
        return;
    list_remove(device);
    sources_end(device);
    forget_phase(device);
    if (device->ops.release)
        device->ops.release(device->user);
    device_memory_put(device);
}

vsdk_device *device_next(vsdk_vm *vm, vsdk_device *at)
{
    lock_take(&vm->bus.lock);
    vsdk_device *next = at ? at->next : vm->devices.first;
    while (next && !refs_try_get(&next->refs))
        next = next->next;
    lock_give(&vm->bus.lock);
    if (at)
        device_put(at);
    return next;
}

int device_take(vsdk_device *device)
{
    lock_take(&device->vm->bus.lock);
    int attached = (int)device->attached;
    bus_remove_ranges(device);
    device->attached = device->wants_part = 0;
    device->detaching++;
    device_part_changed(device);
    lock_give(&device->vm->bus.lock);
    devices_changed(device->vm);
    sources_end(device);
    return attached;
}

void device_forget(vsdk_device *device, int attached)
{
    forget_phase(device);
    lock_take(&device->vm->bus.lock);
    device->detaching--;
    device_part_changed(device);
    lock_give(&device->vm->bus.lock);
    if (attached)
        device_put(device);
}

void devices_end(vsdk_vm *vm)
{
    vsdk_device *device = NULL;

    lock_take(&vm->bus.lock);
    vm->devices.ended = 1;
    lock_give(&vm->bus.lock);
    while ((device = device_next(vm, device)))
        device_forget(device, device_take(device));
}

vsdk_device *vsdk_device_ref(vsdk_device *device)
{
    if (device && !vm_is_foreign(device->vm))
        refs_get(&device->refs);
    return device;
}

void vsdk_device_close(vsdk_device *device)
{
    if (device && !vm_is_foreign(device->vm))
        device_put(device);
}

void *vsdk_device_user(vsdk_device *device, const vsdk_device_ops *ops)
{
    return device && device->kind == ops ? device->user : NULL;
}

vsdk_vm *vsdk_device_vm(vsdk_device *device)
{
    return device ? device->vm : NULL;
}
