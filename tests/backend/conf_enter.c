/* SPDX-License-Identifier: Apache-2.0 */
/* Devices from outside their callbacks: who may enter and when, and what they have to be saved. */
#include "common.h"

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(enter, .init = setup, .fini = teardown);

/* From outside a device is entered while it acts, and not from where that would wait for itself. */
struct entered {
    vsdk_device *self, *other;
    vsdk_status of_self, of_other;
    int calls;
};

static void enter_both(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct entered *entered = user;

    if (entered->calls++)
        return;
    entered->of_self = vsdk_device_enter(entered->self, NULL);
    entered->of_other = vsdk_device_enter(entered->other, NULL);
    vsdk_device_leave(entered->other);
}

static void enter_in_each_state(uint32_t flags)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, flags);

    fails(STATE, vsdk_device_enter(device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    fails(STATE, vsdk_device_enter(device, E));
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_device_enter(device, E));
    fails(BUSY, vsdk_device_enter(device, E));
    fails(BUSY, vsdk_device_detach(device, E));
    fails(BUSY, vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    fails(BUSY, vsdk_vm_destroy(m.vm, E));
    vsdk_device_leave(device);
    vsdk_device_leave(device); /* without an enter: nothing */
    ok(vsdk_device_enter(device, E));
    vsdk_device_leave(device);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    fails(STATE, vsdk_device_enter(device, E));
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_device_enter(device, E));
    vsdk_device_leave(device);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    fails(STATE, vsdk_device_enter(device, E));
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_device_enter(device, E));
    vsdk_device_close(device);
}

Test(enter, device_is_entered_while_it_acts)
{
    enter_in_each_state(0);
}

Test(enter, concurrent_device_is_entered_while_it_acts)
{
    enter_in_each_state(VSDK_DEVICE_CONCURRENT);
}

Test(enter, device_is_entered_from_another_ones_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = enter_both};
    const vsdk_device_ops other_ops = {.size = sizeof other_ops};
    static struct entered entered = {.of_self = 1, .of_other = 1};

    entered.other = make_device(m.vm, &other_ops, NULL, 0);
    ok(vsdk_device_add_range(entered.other, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    entered.self = make_device(m.vm, &ops, &entered, 0);
    ok(vsdk_device_add_range(entered.self, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&m, &guest_widths_out, NULL);
    run_to_write(&m, PORT_WIDE);
    cr_assert_eq(entered.of_self, VSDK_ERROR_BUSY);
    ok(entered.of_other);
    vsdk_device_close(entered.other);
    vsdk_device_close(entered.self);
}

/* What a device writes as its state it reads back, while it is stopped and not otherwise. */
struct stored {
    uint64_t number;
    char bytes[8];
};

static vsdk_status save_stored(void *user, vsdk_device *device, vsdk_state_writer *writer,
                               vsdk_error *error)
{
    struct stored *stored = user;
    vsdk_status status = vsdk_state_put_number(writer, "number", stored->number, error);

    return status
               ? status
               : vsdk_state_put_bytes(writer, "bytes", stored->bytes, sizeof stored->bytes, error);
}

static vsdk_status load_stored(void *user, vsdk_device *device, vsdk_state_reader *reader,
                               vsdk_error *error)
{
    struct stored loaded = {0}, *stored = user;
    uint64_t length = 0;
    vsdk_status status = vsdk_state_get_number(reader, "number", 100, &loaded.number, error);

    if (!status)
        status = vsdk_state_get_bytes(reader, "bytes", loaded.bytes, sizeof loaded.bytes, &length,
                                      error);
    if (!status)
        *stored = loaded;
    return status;
}

Test(enter, stopped_device_is_saved_and_loaded)
{
    static const vsdk_device_ops ops = {
        .size = sizeof ops, .save = save_stored, .load = load_stored};
    static struct stored stored = {.number = 77, .bytes = "saved"};
    vsdk_device *device = make_device(m.vm, &ops, &stored, 0);
    uint8_t bytes[256];
    uint64_t needed = 0, again = 0;

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    machine_start(&m, &guest_spin, NULL);
    fails(STATE, vsdk_device_save(device, bytes, sizeof bytes, &needed, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_device_save(device, NULL, 0, &needed, E));
    cr_assert(needed > 16 && needed < sizeof bytes);
    ok(vsdk_device_save(device, bytes, sizeof bytes, &again, E));
    cr_assert_eq(again, needed);
    stored = (struct stored){.number = 1, .bytes = "lost"};
    ok(vsdk_device_load(device, bytes, needed, E));
    cr_assert(stored.number == 77 && strcmp(stored.bytes, "saved") == 0);
    ok(vsdk_vm_resume(m.vm, E));
    fails(STATE, vsdk_device_save(device, bytes, sizeof bytes, &again, E));
    fails(STATE, vsdk_device_load(device, bytes, needed, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    for (uint64_t cut = 0; cut < needed; cut++) {
        stored.number = 5;
        fails(FORMAT, vsdk_device_load(device, bytes, cut, E));
        cr_assert_eq(stored.number, 5);
    }
    stored.number = 101; /* above what the reader takes */
    ok(vsdk_device_save(device, bytes, sizeof bytes, &needed, E));
    fails(FORMAT, vsdk_device_load(device, bytes, needed, E));
    vsdk_device_close(device);
}
