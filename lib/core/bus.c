/* SPDX-License-Identifier: Apache-2.0 */
/* The way of an access to whoever claims it. The device is found and claimed inside a reader
 * section, called outside of it: a callback may change the tables. A device that is stopped answers
 * nothing; its access waits in the record until it has started.
 *
 * The way is short for what comes most often, one element for the device of the last access, which
 * is lent to this vCPU: plain stores alone. */
#include "core/bus.h"
#include "base/element.h"
#include "base/exit_path.h"
#include "base/sys.h"
#include "core/counters.h"
#include "core/device.h"
#include "core/doorbell.h"

/* The range that has all of an access, or NULL. A span in a table of ranges is its first member. */
static const bus_range *range_find(const span_node *root, uint64_t address, uint32_t width)
{
    const span *at = span_map_find(root, address);

    return at && width <= at->length - (address - at->first) ? (const bus_range *)at : NULL;
}

/* Something is asked of the vCPU, or the time of its run is over. */
OFF_EXIT_PATH static int vcpu_is_due(const vsdk_vcpu *vcpu)
{
    uint64_t deadline = vcpu->backend.deadline_ns;

    return atomic_load(&vcpu->backend.requests) || (deadline && sys_clock() >= deadline);
}

/* One element, to the device or from it, where it lies. */
static inline void element_give(vsdk_device *device, const vsdk_exit *exit, vsdk_access *access,
                                uint8_t *data)
{
    if (exit->direction == VSDK_DIRECTION_WRITE) {
        access->value = element_get(data, exit->width);
        if (device->ops.write)
            device->ops.write(device->user, device, access);
        return;
    }
    access->value = 0;
    uint64_t value = device->ops.read ? device->ops.read(device->user, device, access) : UINT64_MAX;
    element_copy(data, &value, exit->width);
}

/* The rest of a string of elements, which is the guest's to make long: requests and the deadline
 * are looked at between them. 1 when all were given. */
OFF_EXIT_PATH static int elements_give(vsdk_vcpu *vcpu, vsdk_device *device, const vsdk_exit *exit,
                                       vsdk_access *access)
{
    uint8_t *data = (uint8_t *)(uintptr_t)exit->data + (size_t)vcpu->element * exit->width;

    while (vcpu->element < exit->count && device_answers(device)) {
        element_give(device, exit, access, data);
        data += exit->width;
        if (++vcpu->element < exit->count && vcpu_is_due(vcpu))
            break;
    }
    return vcpu->element == exit->count;
}

/* This thread is in the device. */
static inline bus_answer device_call(vsdk_vcpu *vcpu, const bus_found *found, const vsdk_exit *exit)
{
    vsdk_device *device = found->device;
    bus_answer answer = BUS_DEFERRED;
    vsdk_access access;

    vcpu->frame.device = device;
    callback_push(&vcpu->frame);
    access.vcpu = vcpu; /* the value comes with each element */
    access.offset = exit->address - found->first;
    access.region = found->region;
    access.width = exit->width;
    access.reserved = 0;
    if (__builtin_expect(exit->count != 1, 0)) {
        if (elements_give(vcpu, device, exit, &access))
            answer = BUS_CLAIMED;
    } else if (__builtin_expect(device_answers(device), 1)) {
        element_give(device, exit, &access, (uint8_t *)(uintptr_t)exit->data);
        answer = BUS_CLAIMED;
    }
    if (__builtin_expect(!atomic_load_explicit(&vcpu->loan.inside, memory_order_relaxed), 0))
        device_leave_by(device, &vcpu->loan);
    else if (device_loan_end(&vcpu->loan))
        device_leave(device);
    callback_pop(&vcpu->frame);
    return answer;
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
            element_copy(data + (size_t)kept++ * width, &value, width);
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

/* The access goes where the last one went, to a device that is lent to this vCPU: 1, and it is in.
 * The device is there since whoever takes it away recalls it first, and sees that this thread comes
 * in. One that is not lent, or was recalled, may be freed at any moment and is not looked at. */
static inline int found_again(vsdk_vm *vm, vsdk_vcpu *vcpu, const bus_found *found,
                              const vsdk_exit *exit)
{
    uint64_t offset = exit->address - found->first;

    if (__builtin_expect(found->reason != exit->reason || offset > found->most ||
                             exit->width - 1u > found->most - offset ||
                             vcpu->loan.held != found->device,
                         0))
        return 0;
    atomic_store_explicit(&vcpu->loan.inside, found->device, memory_order_relaxed);
    fence_none();
    if (__builtin_expect(atomic_load_explicit(&vm->readers.changes, memory_order_acquire) ==
                                 found->changes &&
                             !atomic_load_explicit(&vcpu->loan.recalled, memory_order_relaxed),
                         1))
        return 1;
    return device_loan_end(&vcpu->loan);
}

/* Looked up in the tables; BUS_CLAIMED: this thread is in the device that was found. */
EXIT_PATH __attribute__((noinline)) static bus_answer look_up(vsdk_vm *vm, vsdk_vcpu *vcpu,
                                                              vsdk_exit *exit)
{
    vsdk_space space = exit->reason == VSDK_EXIT_MMIO ? VSDK_SPACE_MMIO : VSDK_SPACE_PIO;
    bus_found *found = &vcpu->found;
    bus_answer answer = BUS_UNCLAIMED;
    int entered = 1;

    readers_slot_enter(&vcpu->reading);
    uint64_t changes = atomic_load(&vm->readers.changes);
    const snapshot *bells = snapshot_live(&vm->bus.bells[space]);
    if (snapshot_count(bells) && exit->direction == VSDK_DIRECTION_WRITE && !vcpu->element &&
        bells_ring(bells, vcpu, exit)) {
        answer = BUS_RUNG;
        goto out;
    }
    const bus_range *range =
        range_find(span_map_root(&vm->bus.ranges[space]), exit->address, exit->width);
    if (!range)
        goto out;
    if (!range->device) {
        answer = BUS_TAGGED;
        exit->tag = range->tag;
        goto out;
    }
    /* One that starts, or has not, is not waited for at its gate, where no kick ends the wait. */
    if (!device_answers(range->device)) {
        answer = BUS_DEFERRED;
        goto out;
    }
    answer = BUS_CLAIMED;
    *found = (bus_found){.first = range->at.first,
                         .most = range->at.length - 1,
                         .device = range->device,
                         .changes = snapshot_count(bells) ? 0 : changes,
                         .reason = exit->reason,
                         .region = range->region};
    entered = device_claim_by(range->device, &vcpu->loan);
out:
    readers_slot_leave(&vm->readers, &vcpu->reading);
    if (!entered)
        device_wait(found->device);
    return answer;
}

EXIT_PATH bus_answer bus_access(vsdk_vm *vm, vsdk_vcpu *vcpu, vsdk_exit *exit)
{
    if (__builtin_expect(!found_again(vm, vcpu, &vcpu->found, exit), 0)) {
        bus_answer answer = look_up(vm, vcpu, exit);
        if (answer != BUS_CLAIMED)
            return answer;
    }
    return device_call(vcpu, &vcpu->found, exit);
}
