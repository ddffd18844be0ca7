/* SPDX-License-Identifier: Apache-2.0 */
#include "core_rig.h"

void rig_make_with(struct core_rig *rig, const vsdk_vm_config *config)
{
    memset(rig, 0, sizeof *rig);
    ok(vsdk_host_open("mock", NULL, &rig->host, NULL));
    ok(vsdk_vm_create(rig->host, config, &rig->vm, NULL));
    ok(vsdk_vcpu_create(rig->vm, 0, NULL, &rig->vcpu, NULL));
}

void rig_make(struct core_rig *rig)
{
    rig_make_with(rig, NULL);
}

void rig_run(struct core_rig *rig)
{
    ok(vsdk_vm_resume(rig->vm, NULL));
}

void rig_end(struct core_rig *rig)
{
    vsdk_vcpu_close(rig->vcpu);
    vsdk_vm_close(rig->vm);
    vsdk_host_close(rig->host);
}

static bus_answer give(struct core_rig *rig, vsdk_space space, uint64_t address, uint16_t width,
                       vsdk_direction direction, void *data, uint32_t count)
{
    vsdk_exit *exit = &rig->exit;

    exit->reason = space == VSDK_SPACE_MMIO ? VSDK_EXIT_MMIO : VSDK_EXIT_PIO;
    exit->address = address;
    exit->data = (uintptr_t)data;
    exit->count = count;
    exit->width = width;
    exit->direction = direction;
    exit->tag = 0;
    rig->vcpu->element = 0;
    return bus_access(rig->vm, rig->vcpu, exit);
}

bus_answer rig_write(struct core_rig *rig, vsdk_space space, uint64_t address, uint16_t width,
                     uint64_t value)
{
    rig->exit.value = value;
    return give(rig, space, address, width, VSDK_DIRECTION_WRITE, &rig->exit.value, 1);
}

bus_answer rig_read(struct core_rig *rig, vsdk_space space, uint64_t address, uint16_t width)
{
    rig->exit.value = UINT64_MAX;
    return give(rig, space, address, width, VSDK_DIRECTION_READ, &rig->exit.value, 1);
}

bus_answer rig_write_many(struct core_rig *rig, uint64_t port, uint16_t width, void *data,
                          uint32_t count)
{
    return give(rig, VSDK_SPACE_PIO, port, width, VSDK_DIRECTION_WRITE, data, count);
}

vsdk_ram *rig_ram(struct core_rig *rig, uint64_t gpa, uint64_t bytes, uint32_t flags)
{
    vsdk_ram *ram;

    ok(vsdk_ram_create(rig->vm, bytes, NULL, &ram, NULL));
    ok(vsdk_vm_map(rig->vm, gpa, ram, 0, bytes, flags, NULL));
    return ram;
}

static void note(struct notes *notes, uint32_t region, uint64_t offset, uint32_t width)
{
    notes->region = region;
    notes->offset = offset;
    notes->width = width;
}

static uint64_t note_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct notes *notes = user;

    note(notes, access->region, access->offset, access->width);
    notes->reads++;
    return notes->answer;
}

static void note_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct notes *notes = user;

    note(notes, access->region, access->offset, access->width);
    notes->writes++;
    notes->value = access->value;
    if (notes->inside)
        notes->status = notes->inside(notes);
}

static void note_start(void *user, vsdk_device *device)
{
    ((struct notes *)user)->starts++;
}

static vsdk_stop_answer note_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    ((struct notes *)user)->stops++;
    return VSDK_STOP_DONE;
}

static void note_reset(void *user, vsdk_device *device)
{
    ((struct notes *)user)->resets++;
}

static void note_release(void *user)
{
    ((struct notes *)user)->releases++;
}

const vsdk_device_ops notes_ops = {
    .size = sizeof notes_ops,
    .read = note_read,
    .write = note_write,
    .start = note_start,
    .stop = note_stop,
    .reset = note_reset,
    .release = note_release,
};

vsdk_device *rig_device(struct core_rig *rig, struct notes *notes, uint32_t flags)
{
    vsdk_device_config config = {.size = sizeof config, .flags = flags, .name = "notes"};
    vsdk_device *device;

    ok(vsdk_device_create(rig->vm, &notes_ops, notes, &config, &device, NULL));
    notes->device = device;
    return device;
}
