/* SPDX-License-Identifier: Apache-2.0 */
#include "core_rig.h"

enum { PIO = VSDK_SPACE_PIO, MMIO = VSDK_SPACE_MMIO };

static struct core_rig rig;

static void begin(void)
{
    rig_make(&rig);
    rig_run(&rig);
}

static void end(void)
{
    rig_end(&rig);
}

TestSuite(bus, .init = begin, .fini = end);

Test(bus, nobody_claims_what_nobody_has)
{
    cr_assert_eq(rig_write(&rig, PIO, 0x10, 1, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_read(&rig, MMIO, UINT64_MAX - 3, 4), BUS_UNCLAIMED);
}

Test(bus, an_access_reaches_its_device)
{
    static struct notes a = {.answer = 0x1122334455667788}, b = {0};
    vsdk_device *one = rig_device(&rig, &a, 0), *two = rig_device(&rig, &b, 0);

    ok(vsdk_device_add_range(one, PIO, 0x60, 1, 3, NULL));
    ok(vsdk_device_add_range(one, PIO, 0x64, 4, 4, NULL));
    ok(vsdk_device_add_range(two, PIO, 0x61, 3, 5, NULL));
    ok(vsdk_device_add_range(two, MMIO, 0x61, 3, 6, NULL));
    cr_assert_eq(rig_write(&rig, PIO, 0x66, 2, 0xabcd), BUS_CLAIMED);
    cr_assert_eq(a.region, 4);
    cr_assert_eq(a.offset, 2);
    cr_assert_eq(a.width, 2);
    cr_assert_eq(a.value, 0xabcd);
    cr_assert_eq(rig_read(&rig, PIO, 0x60, 1), BUS_CLAIMED);
    cr_assert_eq(rig.exit.value, 0xffffffffffffff88);
    cr_assert_eq(a.region, 3);
    cr_assert_eq(rig_read(&rig, PIO, 0x64, 4), BUS_CLAIMED);
    cr_assert_eq(rig.exit.value, 0xffffffff55667788);
    cr_assert_eq(rig_write(&rig, MMIO, 0x62, 1, 9), BUS_CLAIMED);
    cr_assert_eq(b.region, 6);
    vsdk_device_close(one);
    vsdk_device_close(two);
    cr_assert_eq(a.releases, 0);
    vsdk_vm_destroy(rig.vm, NULL);
    cr_assert_eq(a.releases, 1);
    cr_assert_eq(b.releases, 1);
}

Test(bus, an_access_that_leaves_its_range_is_nobodys)
{
    static struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, 0);

    ok(vsdk_device_add_range(device, PIO, 0x60, 3, 0, NULL));
    ok(vsdk_device_add_range(device, PIO, 0x63, 4, 0, NULL));
    ok(vsdk_device_add_range(device, PIO, 0xffff, 1, 0, NULL));
    cr_assert_eq(rig_write(&rig, PIO, 0x61, 4, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0x5f, 2, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0xffff, 2, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0x61, 2, 0), BUS_CLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0x63, 4, 0), BUS_CLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0xffff, 1, 0), BUS_CLAIMED);
    vsdk_device_close(device);
}

Test(bus, ranges_do_not_overlap)
{
    static struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, 0);
    vsdk_ram *ram = rig_ram(&rig, 0x10000, 0x2000, 0);

    ok(vsdk_device_add_range(device, PIO, 0x60, 4, 0, NULL));
    fails(EXISTS, vsdk_device_add_range(device, PIO, 0x63, 1, 0, E));
    fails(EXISTS, vsdk_device_add_range(device, PIO, 0x5f, 2, 0, E));
    fails(EXISTS, vsdk_vm_add_range(rig.vm, PIO, 0x50, 0x100, 1, E));
    ok(vsdk_vm_add_range(rig.vm, PIO, 0x64, 1, 1, NULL));
    fails(EXISTS, vsdk_device_add_range(device, PIO, 0x64, 1, 0, E));
    fails(EXISTS, vsdk_device_add_range(device, MMIO, 0x11fff, 2, 0, E));
    fails(EXISTS, vsdk_vm_add_range(rig.vm, MMIO, 0xffff, 2, 1, E));
    ok(vsdk_device_add_range(device, MMIO, 0x12000, 0x1000, 0, NULL));
    fails(EXISTS, vsdk_vm_map(rig.vm, 0x12000, ram, 0, 0x1000, 0, E));
    ok(vsdk_device_detach(device, NULL));
    ok(vsdk_device_add_range(device, PIO, 0x60, 4, 0, NULL));
    vsdk_device_close(device);
    vsdk_ram_close(ram);
}

Test(bus, arguments_are_checked)
{
    static struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, 0);

    fails(INVALID_ARGUMENT, vsdk_device_add_range(device, 2, 0, 1, 0, E));
    fails(INVALID_ARGUMENT, vsdk_device_add_range(device, PIO, 0, 0, 0, E));
    fails(RANGE, vsdk_device_add_range(device, PIO, 0xffff, 2, 0, E));
    fails(RANGE, vsdk_device_add_range(device, PIO, 0x10000, 1, 0, E));
    fails(RANGE, vsdk_device_add_range(device, MMIO, UINT64_MAX, 2, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_add_range(rig.vm, PIO, 0, 1, 0, E));
    fails(NOT_FOUND, vsdk_vm_remove_range(rig.vm, PIO, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_remove_range(rig.vm, 7, 0, E));
    ok(vsdk_device_add_range(device, PIO, 0x80, 1, 0, NULL));
    fails(NOT_FOUND, vsdk_vm_remove_range(rig.vm, PIO, 0x80, E));
    vsdk_device_close(device);
}

Test(bus, a_tagged_range_tells_its_tag)
{
    ok(vsdk_vm_add_range(rig.vm, MMIO, 0xd0000000, 0x1000, 0x77, NULL));
    cr_assert_eq(rig_read(&rig, MMIO, 0xd0000ffc, 4), BUS_TAGGED);
    cr_assert_eq(rig.exit.tag, 0x77);
    cr_assert_eq(rig_read(&rig, MMIO, 0xd0000ffd, 4), BUS_UNCLAIMED);
    cr_assert_eq(rig.exit.tag, 0);
    ok(vsdk_vm_remove_range(rig.vm, MMIO, 0xd0000000, NULL));
    cr_assert_eq(rig_read(&rig, MMIO, 0xd0000ffc, 4), BUS_UNCLAIMED);
}

Test(bus, every_element_is_given)
{
    static struct notes notes = {.answer = 0x1234};
    vsdk_device *device = rig_device(&rig, &notes, 0);
    uint16_t data[3] = {1, 2, 3};

    ok(vsdk_device_add_range(device, PIO, 0x80, 2, 0, NULL));
    cr_assert_eq(rig_write_many(&rig, 0x80, 2, data, 3), BUS_CLAIMED);
    cr_assert_eq(notes.writes, 3);
    cr_assert_eq(notes.value, 3);
    rig.exit.direction = VSDK_DIRECTION_READ;
    rig.vcpu->element = 0;
    cr_assert_eq(bus_access(rig.vm, rig.vcpu, &rig.exit), BUS_CLAIMED);
    cr_assert_eq(notes.reads, 3);
    cr_assert_eq(data[0], 0x1234);
    cr_assert_eq(data[2], 0x1234);
    vsdk_device_close(device);
}

Test(bus, a_device_without_callbacks_reads_ones)
{
    static const vsdk_device_ops none = {.size = sizeof none};
    vsdk_device *device;

    ok(vsdk_device_create(rig.vm, &none, NULL, NULL, &device, NULL));
    ok(vsdk_device_add_range(device, PIO, 0x80, 4, 0, NULL));
    cr_assert_eq(rig_read(&rig, PIO, 0x80, 4), BUS_CLAIMED);
    cr_assert_eq(rig.exit.value, UINT64_MAX);
    cr_assert_eq(rig_write(&rig, PIO, 0x80, 4, 1), BUS_CLAIMED);
    cr_assert_eq(vsdk_device_user(device, &notes_ops), NULL);
    vsdk_device_close(device);
}

Test(bus, release_comes_once_on_failure_too)
{
    static struct notes notes = {0};
    vsdk_device_ops ops = notes_ops;
    vsdk_device_config config = {.size = sizeof config, .flags = 0x80};
    vsdk_device *device;

    fails(INVALID_ARGUMENT, vsdk_device_create(rig.vm, &ops, &notes, &config, &device, E));
    cr_assert_eq(notes.releases, 1);
    fails(INVALID_ARGUMENT, vsdk_device_create(NULL, &ops, &notes, NULL, &device, E));
    fails(INVALID_ARGUMENT, vsdk_device_create(rig.vm, &ops, &notes, NULL, NULL, E));
    ops.reserved[1] = 1;
    fails(UNSUPPORTED, vsdk_device_create(rig.vm, &ops, &notes, NULL, &device, E));
    cr_assert_eq(notes.releases, 4);
    vsdk_vm_destroy(rig.vm, NULL);
    fails(GONE, vsdk_device_create(rig.vm, &notes_ops, &notes, NULL, &device, E));
    cr_assert_eq(notes.releases, 5);
    cr_assert_null(device);
}

Test(bus, detach_ends_a_device)
{
    static struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, 0);

    ok(vsdk_device_detach(device, NULL));
    ok(vsdk_device_add_range(device, PIO, 0x80, 1, 0, NULL));
    ok(vsdk_device_add_range(device, MMIO, 0x80, 1, 0, NULL));
    ok(vsdk_device_detach(device, NULL));
    cr_assert_eq(rig_write(&rig, PIO, 0x80, 1, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, MMIO, 0x80, 1, 0), BUS_UNCLAIMED);
    cr_assert_eq(notes.releases, 0);
    vsdk_device_close(device);
    cr_assert_eq(notes.releases, 1);
}

static vsdk_status detach_self(struct notes *notes)
{
    vsdk_error error;
    vsdk_status status = vsdk_device_detach(notes->device, &error);

    cr_assert_eq(error.code, status);
    return status;
}

static vsdk_status detach_other(struct notes *notes)
{
    return vsdk_device_detach(((struct notes *)notes->context)->device, NULL);
}

Test(bus, detach_from_callbacks)
{
    static struct notes a = {.inside = detach_self}, b = {.inside = detach_other, .context = &a};
    vsdk_device *one = rig_device(&rig, &a, 0), *two = rig_device(&rig, &b, 0);

    ok(vsdk_device_add_range(one, PIO, 0x80, 1, 0, NULL));
    ok(vsdk_device_add_range(two, PIO, 0x81, 1, 0, NULL));
    rig_write(&rig, PIO, 0x80, 1, 0);
    cr_assert_eq(a.status, VSDK_ERROR_BUSY);
    cr_assert_eq(rig_write(&rig, PIO, 0x80, 1, 0), BUS_CLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0x81, 1, 0), BUS_CLAIMED);
    cr_assert_eq(b.status, VSDK_OK);
    cr_assert_eq(rig_write(&rig, PIO, 0x80, 1, 0), BUS_UNCLAIMED);
    vsdk_device_close(one);
    cr_assert_eq(a.releases, 1);
    vsdk_device_close(two);
}

static vsdk_status attach_more(struct notes *notes)
{
    struct core_rig *r = notes->context;

    vsdk_ram_close(rig_ram(r, 0x40000, 0x1000, 0));
    return vsdk_device_add_range(notes->device, VSDK_SPACE_PIO, 0x90, 1, 0, NULL);
}

Test(bus, map_and_attach_from_a_callback)
{
    static struct notes notes = {.inside = attach_more, .context = &rig, .status = 99};
    vsdk_device *device = rig_device(&rig, &notes, 0);

    ok(vsdk_device_add_range(device, PIO, 0x80, 1, 0, NULL));
    cr_assert_eq(rig_write(&rig, PIO, 0x80, 1, 0), BUS_CLAIMED);
    cr_assert_eq(notes.status, VSDK_OK);
    notes.inside = NULL;
    cr_assert_eq(rig_write(&rig, PIO, 0x90, 1, 0), BUS_CLAIMED);
    vsdk_device_close(device);
}

/* A device hears start at every entry into RUNNING, and with its first range there; stop at every
 * leaving; with or without a range, until it is detached. */
Test(bus, start_and_stop_reach_devices_until_a_detach)
{
    struct core_rig other;
    struct notes a = {0}, b = {0};
    vsdk_device *one, *two;

    rig_make(&other);
    one = rig_device(&other, &a, 0);
    two = rig_device(&other, &b, 0);
    ok(vsdk_device_add_range(one, PIO, 0x80, 1, 0, NULL));
    cr_assert_eq(a.starts, 0);
    rig_run(&other);
    cr_assert_eq(a.starts, 1);
    cr_assert_eq(b.starts, 1);
    ok(vsdk_vm_resume(other.vm, NULL));
    cr_assert_eq(a.starts, 1);
    ok(vsdk_vm_pause(other.vm, 0, VSDK_FOREVER, NULL));
    cr_assert_eq(a.stops, 1);
    cr_assert_eq(b.stops, 1);
    ok(vsdk_device_add_range(two, PIO, 0x81, 1, 0, NULL));
    cr_assert_eq(b.starts, 1);
    ok(vsdk_device_detach(two, NULL));
    ok(vsdk_vm_resume(other.vm, NULL));
    cr_assert_eq(a.starts, 2);
    cr_assert_eq(b.starts, 1);
    ok(vsdk_device_add_range(two, PIO, 0x81, 1, 0, NULL));
    cr_assert_eq(b.starts, 2);
    ok(vsdk_device_add_range(two, PIO, 0x82, 1, 0, NULL));
    cr_assert_eq(b.starts, 2);
    ok(vsdk_device_remove_range(two, PIO, 0x81, NULL)); /* it goes on, also without any */
    ok(vsdk_device_remove_range(two, PIO, 0x82, NULL));
    ok(vsdk_vm_stop(other.vm, VSDK_EXIT_STOP, 0, 0, NULL));
    cr_assert_eq(a.stops, 1); /* by the next call that makes transitions */
    ok(vsdk_vm_reset(other.vm, VSDK_FOREVER, NULL));
    cr_assert_eq(a.stops, 2);
    cr_assert_eq(b.stops, 2);
    cr_assert_eq(a.resets, 1);
    cr_assert_eq(b.resets, 1);
    rig_run(&other);
    cr_assert_eq(a.starts, 3);
    cr_assert_eq(b.starts, 3);
    ok(vsdk_device_detach(two, NULL)); /* who takes it away knows */
    cr_assert_eq(b.stops, 2);
    ok(vsdk_vm_destroy(other.vm, NULL));
    cr_assert_eq(a.stops, 3);
    vsdk_device_close(one);
    vsdk_device_close(two);
    cr_assert_eq(a.releases + b.releases, 2);
    rig_end(&other);
}

/* From stop to start nothing of a guest's reaches a device; what was cut goes on after it. */
Test(bus, an_access_of_a_stopped_device_is_deferred)
{
    struct notes notes = {.answer = 7};
    vsdk_device *device = rig_device(&rig, &notes, 0);

    ok(vsdk_device_add_range(device, PIO, 0x80, 1, 0, NULL));
    ok(vsdk_vm_pause(rig.vm, 0, VSDK_FOREVER, NULL));
    cr_assert_eq(rig_read(&rig, PIO, 0x80, 1), BUS_DEFERRED);
    cr_assert_eq(notes.reads, 0);
    cr_assert_eq(rig.vcpu->element, 0);
    rig_run(&rig);
    cr_assert_eq(bus_access(rig.vm, rig.vcpu, &rig.exit), BUS_CLAIMED);
    cr_assert_eq(rig.exit.value & 0xff, 7);
    ok(vsdk_device_detach(device, NULL));
    vsdk_device_close(device);
}

static vsdk_status kick(struct notes *notes)
{
    atomic_store(&rig.vcpu->backend.requests, notes->writes == 2 ? REQUEST_KICK : 0);
    return VSDK_OK;
}

/* A guest makes a string of elements as long as it likes: a request is heard between them. */
Test(bus, a_request_is_heard_between_elements)
{
    struct notes notes = {.inside = kick};
    vsdk_device *device = rig_device(&rig, &notes, 0);
    uint16_t data[4] = {1, 2, 3, 4};

    ok(vsdk_device_add_range(device, PIO, 0x80, 2, 0, NULL));
    cr_assert_eq(rig_write_many(&rig, 0x80, 2, data, 4), BUS_DEFERRED);
    cr_assert_eq(notes.writes, 2);
    cr_assert_eq(notes.value, 2);
    notes.inside = NULL;
    atomic_store(&rig.vcpu->backend.requests, 0);
    cr_assert_eq(bus_access(rig.vm, rig.vcpu, &rig.exit), BUS_CLAIMED);
    cr_assert_eq(notes.writes, 4);
    cr_assert_eq(notes.value, 4);
    ok(vsdk_device_detach(device, NULL));
    vsdk_device_close(device);
}

Test(bus, one_range_of_a_device_goes)
{
    struct notes a = {0}, b = {0};
    vsdk_device *one = rig_device(&rig, &a, 0), *two = rig_device(&rig, &b, 0);

    ok(vsdk_device_add_range(one, PIO, 0x80, 2, 1, NULL));
    ok(vsdk_device_add_range(one, PIO, 0x90, 2, 2, NULL));
    ok(vsdk_device_add_range(one, MMIO, 0x80, 2, 3, NULL));
    ok(vsdk_device_add_range(two, PIO, 0xa0, 2, 4, NULL));
    fails(NOT_FOUND, vsdk_device_remove_range(one, PIO, 0x81, E));
    fails(NOT_FOUND, vsdk_device_remove_range(one, PIO, 0xa0, E));
    fails(NOT_FOUND, vsdk_device_remove_range(one, MMIO, 0x90, E));
    fails(INVALID_ARGUMENT, vsdk_device_remove_range(one, 2, 0x80, E));
    ok(vsdk_device_remove_range(one, PIO, 0x80, NULL));
    cr_assert_eq(rig_write(&rig, PIO, 0x80, 1, 0), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0x90, 1, 0), BUS_CLAIMED);
    cr_assert_eq(rig_write(&rig, MMIO, 0x80, 1, 0), BUS_CLAIMED);
    cr_assert_eq(a.region, 3);
    fails(NOT_FOUND, vsdk_device_remove_range(one, PIO, 0x80, E));
    ok(vsdk_device_add_range(two, PIO, 0x80, 2, 5, NULL));
    vsdk_device_close(one);
    vsdk_device_close(two);
    ok(vsdk_vm_destroy(rig.vm, NULL));
    cr_assert_eq(a.releases + b.releases, 2);
}

Test(bus, many_ranges_are_found)
{
    enum { N = 200 };
    static struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, VSDK_DEVICE_CONCURRENT);

    for (uint32_t i = 0; i < N; i++) {
        uint32_t n = i * 77 % N;
        ok(vsdk_device_add_range(device, PIO, n * 8, 4, n, NULL));
    }
    for (uint32_t i = 0; i < N; i++) {
        cr_assert_eq(rig_write(&rig, PIO, i * 8 + 3, 1, 0), BUS_CLAIMED);
        cr_assert_eq(notes.region, i);
        cr_assert_eq(rig_write(&rig, PIO, i * 8 + 4, 1, 0), BUS_UNCLAIMED);
    }
    vsdk_device_close(device);
}

Test(bus, a_destroyed_machine_answers_gone)
{
    static struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, 0);

    ok(vsdk_device_add_range(device, PIO, 0x80, 1, 0, NULL));
    ok(vsdk_vm_destroy(rig.vm, NULL));
    fails(GONE, vsdk_device_add_range(device, PIO, 0x90, 1, 0, E));
    fails(GONE, vsdk_device_detach(device, E));
    fails(GONE, vsdk_vm_add_range(rig.vm, PIO, 0x90, 1, 1, E));
    fails(GONE, vsdk_vm_remove_range(rig.vm, PIO, 0x90, E));
    fails(GONE, vsdk_device_remove_range(device, PIO, 0x80, E));
    fails(GONE, vsdk_device_enter(device, E));
    vsdk_device_leave(device);
    vsdk_device_close(device);
    cr_assert_eq(notes.releases, 1);
}

/* Doorbells. */

static vsdk_doorbell *bell_at(vsdk_space space, uint64_t address, uint32_t width, uint32_t flags,
                              uint64_t match)
{
    vsdk_doorbell_config config = {.size = sizeof config,
                                   .flags = flags,
                                   .space = space,
                                   .width = width,
                                   .address = address,
                                   .match = match};
    vsdk_doorbell *bell;

    ok(vsdk_doorbell_create(rig.vm, &config, &bell, NULL));
    return bell;
}

static uint64_t rings(vsdk_doorbell *bell)
{
    uint64_t n = 99;

    ok(vsdk_doorbell_take(bell, &n, NULL));
    return n;
}

Test(bus, a_doorbell_comes_before_ranges)
{
    static struct notes notes = {0};
    vsdk_device *device = rig_device(&rig, &notes, 0);
    vsdk_doorbell *bell;

    ok(vsdk_device_add_range(device, MMIO, 0xd0000000, 0x1000, 0, NULL));
    bell = bell_at(MMIO, 0xd0000100, 4, 0, 0);
    cr_assert_geq(vsdk_doorbell_descriptor(bell), 3);
    cr_assert_eq(rings(bell), 0);
    cr_assert_eq(rig_write(&rig, MMIO, 0xd0000100, 4, 5), BUS_RUNG);
    cr_assert_eq(rig_write(&rig, MMIO, 0xd0000100, 4, 6), BUS_RUNG);
    cr_assert_eq(rig_write(&rig, MMIO, 0xd0000100, 2, 6), BUS_CLAIMED);
    cr_assert_eq(rig_write(&rig, MMIO, 0xd0000104, 4, 6), BUS_CLAIMED);
    cr_assert_eq(rig_read(&rig, MMIO, 0xd0000100, 4), BUS_CLAIMED);
    cr_assert_eq(notes.writes, 2);
    cr_assert_eq(rings(bell), 2);
    cr_assert_eq(rings(bell), 0);
    vsdk_doorbell_close(bell);
    cr_assert_eq(rig_write(&rig, MMIO, 0xd0000100, 4, 6), BUS_CLAIMED);
    vsdk_device_close(device);
}

Test(bus, doorbells_match_values)
{
    vsdk_doorbell *one = bell_at(PIO, 0x500, 2, VSDK_DOORBELL_MATCH, 1);
    vsdk_doorbell *two = bell_at(PIO, 0x500, 2, VSDK_DOORBELL_MATCH, 2);
    vsdk_doorbell *any = bell_at(PIO, 0x502, 0, 0, 0);

    cr_assert_eq(rig_write(&rig, PIO, 0x500, 2, 1), BUS_RUNG);
    cr_assert_eq(rig_write(&rig, PIO, 0x500, 2, 2), BUS_RUNG);
    cr_assert_eq(rig_write(&rig, PIO, 0x500, 2, 2), BUS_RUNG);
    cr_assert_eq(rig_write(&rig, PIO, 0x500, 2, 3), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0x500, 1, 1), BUS_UNCLAIMED);
    cr_assert_eq(rig_write(&rig, PIO, 0x502, 1, 9), BUS_RUNG);
    cr_assert_eq(rig_write(&rig, PIO, 0x502, 4, 9), BUS_RUNG);
    cr_assert_eq(rings(one), 1);
    cr_assert_eq(rings(two), 2);
    cr_assert_eq(rings(any), 2);
    vsdk_doorbell_close(two);
    vsdk_doorbell_close(one);
    vsdk_doorbell_close(any);
    cr_assert_eq(rig_write(&rig, PIO, 0x500, 2, 1), BUS_UNCLAIMED);
}

Test(bus, elements_that_ring_are_taken_out)
{
    vsdk_doorbell *bell = bell_at(PIO, 0x500, 2, VSDK_DOORBELL_MATCH, 7);
    uint16_t data[5] = {7, 1, 7, 2, 7}, all[2] = {7, 7}, one[3] = {7, 9, 7};

    cr_assert_eq(rig_write_many(&rig, 0x500, 2, data, 5), BUS_UNCLAIMED);
    cr_assert_eq(rig.exit.count, 2);
    cr_assert_eq(data[0], 1);
    cr_assert_eq(data[1], 2);
    cr_assert_eq(rings(bell), 3);
    cr_assert_eq(rig_write_many(&rig, 0x500, 2, all, 2), BUS_RUNG);
    cr_assert_eq(rig_write_many(&rig, 0x500, 2, one, 3), BUS_UNCLAIMED);
    cr_assert_eq(rig.exit.count, 1);
    cr_assert_eq(rig.exit.value, 9);
    cr_assert_eq(rig.exit.data, (uintptr_t)&rig.exit.value);
    vsdk_doorbell_close(bell);
}

Test(bus, doorbells_are_checked)
{
    vsdk_ram *ram = rig_ram(&rig, 0x10000, 0x1000, 0);
    vsdk_doorbell *bell = bell_at(MMIO, 0x20000, 4, 0, 0), *other;
    vsdk_doorbell_config config = {
        .size = sizeof config, .space = MMIO, .width = 4, .address = 0x20000};

    fails(EXISTS, vsdk_doorbell_create(rig.vm, &config, &other, E));
    cr_assert_null(other);
    config.address = 0x10ffc;
    fails(EXISTS, vsdk_doorbell_create(rig.vm, &config, &other, E));
    fails(EXISTS, vsdk_vm_map(rig.vm, 0x20000, ram, 0, 0x1000, 0, E));
    config.address = 0x30000;
    config.width = 3;
    fails(INVALID_ARGUMENT, vsdk_doorbell_create(rig.vm, &config, &other, E));
    config.width = 0;
    config.flags = VSDK_DOORBELL_MATCH;
    fails(INVALID_ARGUMENT, vsdk_doorbell_create(rig.vm, &config, &other, E));
    config.flags = 2;
    fails(INVALID_ARGUMENT, vsdk_doorbell_create(rig.vm, &config, &other, E));
    config =
        (vsdk_doorbell_config){.size = sizeof config, .space = PIO, .width = 4, .address = 0xfffd};
    fails(RANGE, vsdk_doorbell_create(rig.vm, &config, &other, E));
    ok(vsdk_vm_destroy(rig.vm, NULL));
    config.address = 0x80;
    fails(GONE, vsdk_doorbell_create(rig.vm, &config, &other, E));
    cr_assert_eq(rings(bell), 0);
    vsdk_doorbell_close(bell);
    vsdk_ram_close(ram);
}
