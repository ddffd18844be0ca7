/* SPDX-License-Identifier: Apache-2.0 */
/* The way of an access to whoever claims it. The device is found and claimed inside a reader
 * section, called outside of it: a callback may change the tables. A device that is stopped answers
 * nothing; its access waits in the record until it has started. */
#include "core/bus.h"
#include "base/exit_path.h"
#include "base/sys.h"
#include "core/counters.h"
#include "core/device.h"
#include "core/doorbell.h"
#include <string.h>

static uint64_t element_get(const uint8_t *data, uint32_t width)
{
    uint64_t value = 0;

    switch (width) {
    case 1:
        return *data;
    case 2:
        memcpy(&value, data, 2);
        return value;
    case 4:
        memcpy(&value, data, 4);
        return value;
    default:
        memcpy(&value, data, 8);
        return value;
    }
}

static void element_put(uint8_t *data, uint32_t width, uint64_t value)
{
    switch (width) {
    case 1:
        *data = (uint8_t)value;
        break;
    case 2:
        memcpy(data, &value, 2);
        break;
    case 4:
        memcpy(data, &value, 4);
        break;
    default:
        memcpy(data, &value, 8);
        break;
    }
}

/* The range that has all of an access, or NULL. */
static const bus_range *range_find(const snapshot *s, uint64_t address, uint32_t width)
{
    uint32_t low = 0, high = snapshot_count(s);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const bus_range *range = (const bus_range *)s->items + middle;
        if (address < range->first)
            high = middle;
        else if (address > range->last)
            low = middle + 1;
        else
            return width - 1 <= range->last - address ? range : NULL;
    }
    return NULL;
}

/* Something is asked of the vCPU, or the time of its run is over. */
OFF_EXIT_PATH static int vcpu_is_due(const vsdk_vcpu *vcpu)
{
    uint64_t deadline = vcpu->backend.deadline_ns;

    return atomic_load(&vcpu->backend.requests) || (deadline && sys_clock() >= deadline);
}

/* The device was claimed inside the reader section; the rest is done outside of it. A string of
 * elements is the guest's to make long, so requests and the deadline are looked at between them. */
static bus_answer device_call(vsdk_vm *vm, vsdk_vcpu *vcpu, const bus_range *range, int entered,
                              vsdk_exit *exit)
{
    vsdk_device *device = range->device;
    callback_frame frame = {.vm = vm, .vcpu = vcpu, .device = device};
    vsdk_access access = {.vcpu = vcpu,
                          .offset = exit->address - range->first,
                          .region = range->region,
                          .width = exit->width};
    uint8_t *data = (uint8_t *)(uintptr_t)exit->data + (size_t)vcpu->element * exit->width;

    callback_enter(&frame);
    if (!entered)
        device_wait(device);
    while (vcpu->element < exit->count && device_serves(device)) {
        if (exit->direction == VSDK_DIRECTION_READ) {
            element_put(data, exit->width,
                        device->ops.read ? device->ops.read(device->user, device, &access)
                                         : UINT64_MAX);
        } else if (device->ops.write) {
            access.value = element_get(data, exit->width);
            device->ops.write(device->user, device, &access);
        }
        data += exit->width;
        if (++vcpu->element < exit->count && vcpu_is_due(vcpu))
            break;
    }
    device_leave(device);
    callback_leave(&frame);
    return vcpu->element == exit->count ? BUS_CLAIMED : BUS_DEFERRED;
}

/* Elements that ring are taken out; 1 if all rang. The record is changed only if some did not. */
__attribute__((noinline)) static int bells_ring(const snapshot *bells, vsdk_vcpu *vcpu,
                                                vsdk_exit *exit)
{
    uint8_t *data = (uint8_t *)(uintptr_t)exit->data;
    uint32_t width = exit->width, kept = 0;

    for (uint32_t i = 0; i < exit->count; i++) {
        uint64_t value = element_get(data + (size_t)i * width, width);
        if (doorbell_ring(bells, exit->address, width, value))
            counter_add(&vcpu->counters.doorbells, 1);
        else
            element_put(data + (size_t)kept++ * width, width, value);
    }
    if (!kept)
        return 1;
    if (kept == 1 && exit->count > 1) {
        exit->value = element_get(data, width);
        exit->data = (uint64_t)(uintptr_t)&exit->value;
    }
    exit->count = kept;
    return 0;
}

EXIT_PATH bus_answer bus_access(vsdk_vm *vm, vsdk_vcpu *vcpu, vsdk_exit *exit)
{
    vsdk_space space = exit->reason == VSDK_EXIT_MMIO ? VSDK_SPACE_MMIO : VSDK_SPACE_PIO;
    readers_token token = readers_enter(&vm->readers);
    const snapshot *bells = snapshot_live(&vm->bus.bells[space]);

    if (snapshot_count(bells) && exit->direction == VSDK_DIRECTION_WRITE && !vcpu->element &&
        bells_ring(bells, vcpu, exit)) {
        readers_leave(token);
        return BUS_RUNG;
    }
    const bus_range *found =
        range_find(snapshot_live(&vm->bus.ranges[space]), exit->address, exit->width);
    if (!found) {
        readers_leave(token);
        return BUS_UNCLAIMED;
    }
    bus_range range = *found;
    /* One that starts, or has not, is not waited for at its gate, where no kick ends the wait. */
    if (range.device && !device_serves(range.device)) {
        readers_leave(token);
        return BUS_DEFERRED;
    }
    int entered = range.device ? device_claim(range.device) : 0;
    readers_leave(token);
    if (!range.device) {
        exit->tag = range.tag;
        return BUS_TAGGED;
    }
    return device_call(vm, vcpu, &range, entered, exit);
}
