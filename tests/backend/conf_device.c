/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and ranges: who answers an access, and when a device is gone. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(device, .init = setup, .fini = teardown);

/* A device that notes each access in a line and answers reads with a number of its own. */
struct notes {
    char text[1024];
    uint64_t reply;
    atomic_int released;
};

static struct notes notes; /* outlives the test, as its device may */

static void note(struct notes *to, char kind, uint32_t region, uint64_t offset, uint32_t width,
                 uint64_t value)
{
    size_t used = strlen(to->text);

    snprintf(to->text + used, sizeof to->text - used, "%c%u+%llx.%u=%llx ", kind, region,
             (unsigned long long)offset, width, (unsigned long long)value);
}

static void noting_release(void *user)
{
    atomic_fetch_add(&((struct notes *)user)->released, 1);
}

static uint64_t noting_read(void *user, vsdk_device *device, const vsdk_access *access);
static void noting_write(void *user, vsdk_device *device, const vsdk_access *access);

static const vsdk_device_ops noting_ops = {.size = sizeof noting_ops,
                                           .read = noting_read,
                                           .write = noting_write,
                                           .release = noting_release};

/* What is the same in every record; a difference becomes part of the text. */
static void note_wrong(struct notes *to, vsdk_device *device, const vsdk_access *access)
{
    if (access->vcpu != m.vcpu || access->reserved || vsdk_device_user(device, &noting_ops) != to ||
        vsdk_device_vm(device) != m.vm)
        strncat(to->text, "WRONG ", sizeof to->text - strlen(to->text) - 1);
}

static uint64_t noting_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct notes *mine = user;

    note_wrong(mine, device, access);
    note(mine, 'r', access->region, access->offset, access->width, access->value);
    return mine->reply;
}

static void noting_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    note_wrong(user, device, access);
    note(user, 'w', access->region, access->offset, access->width, access->value);
}

Test(device, answers_each_width_in_both_spaces)
{
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    notes.reply = 0xffeeddccbbaa9988;
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 7, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, MMIO, 0x1000, 8, E));
    machine_start(&m, &guest_many_widths, &(vsdk_x86_regs){.rbx = MMIO + 0x10});
    cr_assert_eq(run_to_end(&m), 0x88, "the last read was not the device's");
    cr_assert_str_eq(notes.text, "w7+0.1=1 w7+0.2=203 w7+0.4=4050607 r7+0.1=0 r7+0.2=0 r7+0.4=0 "
                                 "w8+11.1=88 w8+13.2=9988 w8+15.4=bbaa9988 w8+18.8=bbaa9988 "
                                 "r8+18.8=0 r8+15.4=0 r8+13.2=0 r8+11.1=0 ");
    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    cr_assert_eq(counters.claimed, 14);
    cr_assert_eq(counters.returned, 1);
    vsdk_device_close(device);
}

/* Bits of an answer above the width are ignored. */
Test(device, answer_is_cut_to_the_width)
{
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);

    notes.reply = 0xffeeddccbbaa9988;
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_IN, 4, 0, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    machine_start(&m, &guest_widths_in, &(vsdk_x86_regs){.rdi = RESULT});
    run_to_end(&m);
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT), 0x1122334455667788);
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT + 8), 0x1122334455669988);
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT + 16), 0xbbaa9988);
    vsdk_device_close(device);
}

Test(device, strings_come_element_by_element)
{
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);

    notes.reply = 0x31;
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    ok(vsdk_vm_write(m.vm, DATA, "abcdefghijklmno", 15, E));
    machine_start(&m, &guest_strings_out, &(vsdk_x86_regs){.rsi = DATA, .rbx = 2});
    run_to_end(&m);
    cr_assert_str_eq(notes.text, "w0+0.1=61 w0+0.1=62 w0+0.2=6463 w0+0.2=6665 w0+0.4=6a696867 "
                                 "w0+0.4=6e6d6c6b w0+0.1=6e w0+0.1=6d ");
    vsdk_device_close(device);
}

Test(device, string_reads_are_answered_one_by_one)
{
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);

    notes.reply = 0x31;
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    machine_start(&m, &guest_strings_in, &(vsdk_x86_regs){.rdi = RESULT, .rbx = 3});
    run_to_write(&m, PORT_OUT);
    cr_assert_str_eq(notes.text, "r0+0.1=0 r0+0.1=0 r0+0.1=0 r0+0.2=0 r0+0.2=0 r0+0.2=0 "
                                 "r0+0.4=0 r0+0.4=0 r0+0.4=0 ");
    cr_assert(memcmp(m.memory + RESULT, "111", 3) == 0);
    cr_assert(memcmp(m.memory + RESULT + 3, "1\0001\0001\0", 6) == 0);
    cr_assert(memcmp(m.memory + RESULT + 9, "1\0\0\0001\0\0\0001\0\0\0", 12) == 0);
    vsdk_device_close(device);
}

Test(device, access_that_leaves_the_range_is_unclaimed)
{
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 2, 0, E));
    machine_start(&m, &guest_widths_out, NULL);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->width, 4);
    cr_assert_str_eq(notes.text, "w0+0.1=11 w0+0.2=2211 ");
    vsdk_device_close(device);
}

Test(device, without_callbacks_reads_ones)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_IN, 4, 0, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    machine_start(&m, &guest_widths_in, &(vsdk_x86_regs){.rdi = RESULT});
    run_to_end(&m);
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT), 0x11223344556677ff);
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT + 16), 0xffffffff);
    vsdk_device_close(device);
}

Test(device, detached_claims_nothing)
{
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);

    ok(vsdk_device_detach(device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_IN, 4, 0, E));
    machine_start(&m, &guest_echo, NULL);
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0);
    ok(vsdk_device_detach(device, E));
    answer(run_to_read(&m, PORT_IN), 5);
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 5);
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_IN, 4, 0, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0);
    cr_assert_eq(notes.released, 0);
    vsdk_device_close(device);
    cr_assert_eq(notes.released, 0, "released while attached");
    ok(vsdk_vm_destroy(m.vm, E));
    cr_assert_eq(notes.released, 1);
}

Test(device, arguments_of_attach_are_checked)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);

    fails(INVALID_ARGUMENT, vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, 0, 0, E));
    fails(INVALID_ARGUMENT, vsdk_device_add_range(device, 7, 1, 1, 0, E));
    fails(INVALID_ARGUMENT, vsdk_device_add_range(NULL, VSDK_SPACE_PIO, 1, 1, 0, E));
    fails(RANGE, vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x10000, 1, 0, E));
    fails(RANGE, vsdk_device_add_range(device, VSDK_SPACE_PIO, 0xffff, 2, 0, E));
    fails(RANGE, vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, UINT64_MAX, 0, E));
    fails(RANGE, vsdk_device_add_range(device, VSDK_SPACE_MMIO, UINT64_MAX, 2, 0, E));
    fails(EXISTS, vsdk_device_add_range(device, VSDK_SPACE_MMIO, 0, 1, 0, E));
    fails(EXISTS, vsdk_device_add_range(device, VSDK_SPACE_MMIO, RAM_BYTES - 1, 2, 0, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 8, 0, E));
    fails(EXISTS, vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x507, 1, 1, E));
    fails(EXISTS, vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x4ff, 2, 1, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x508, 1, 1, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x4ff, 1, 1, E));
    fails(EXISTS, vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, 0x500, 1, 9, E));
    vsdk_device_close(device);
}

/* All of the library's devices that begin at an address which the configuration gives. */
#define DEVICES(X)                                                                                 \
    X(serial, PIO)                                                                                 \
    X(rtc, PIO)                                                                                    \
    X(i8042, PIO)                                                                                  \
    X(acpi_pm, PIO)                                                                                \
    X(exit_port, PIO) X(debug_console, PIO) X(fw_cfg, PIO) X(pvpanic, PIO) X(port92, PIO)          \
        X(ged, PIO) X(ioapic, MMIO)

#define TRY(name, where)                                                                           \
    if (range->space == VSDK_SPACE_##where) {                                                      \
        vsdk_##name##_config config = {.size = sizeof config};                                     \
        vsdk_device *device;                                                                       \
        config.address = range->address;                                                           \
        fails(RESERVED, vsdk_##name##_create(vm, &config, &device, E));                            \
    }

static void refuse_devices_at(vsdk_vm *vm, const vsdk_vm_range *range){DEVICES(TRY)}

Test(device, of_the_librarys_where_the_hypervisor_serves)
{
    static vsdk_vm_range ranges[256];
    uint32_t count;

    for (vsdk_irqchip chip = VSDK_IRQCHIP_PORTABLE; chip <= VSDK_IRQCHIP_KERNEL; chip++) {
        vsdk_vm_config config = {.size = sizeof config, .irqchip = chip};
        vsdk_vm *vm;

        if (vsdk_vm_create(m.host, &config, &vm, E) == VSDK_ERROR_UNSUPPORTED)
            continue;
        ok(vsdk_vm_list_reserved(vm, ranges, 256, &count, E));
        for (uint32_t i = 0; i < count && i < 256; i++)
            refuse_devices_at(vm, &ranges[i]);
        vsdk_vm_close(vm);
    }
}

Test(device, what_the_hypervisor_serves_cannot_be_claimed)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    static vsdk_vm_range ranges[256];
    uint32_t count = 0;

    ok(vsdk_vm_list_reserved(m.vm, ranges, 256, &count, E));
    cr_assert(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        vsdk_doorbell_config config = {.size = sizeof config,
                                       .space = ranges[i].space,
                                       .address = ranges[i].address,
                                       .width = 1};
        vsdk_doorbell *doorbell;

        fails(RESERVED, vsdk_device_add_range(device, ranges[i].space, ranges[i].address,
                                              ranges[i].length, 0, E));
        fails(RESERVED, vsdk_vm_add_range(m.vm, ranges[i].space, ranges[i].address, 1, 1, E));
        fails(RESERVED, vsdk_doorbell_create(m.vm, &config, &doorbell, E));
    }
    vsdk_device_close(device);
}

Test(device, tagged_range_returns_with_its_tag)
{
    machine_start(&m, &guest_echo, NULL);
    ok(vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, PORT_IN, 4, 0x1234567890abcdef, E));
    cr_assert_eq(run_to_read(&m, PORT_IN)->tag, 0x1234567890abcdef);
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->tag, 0, "the access leaves the range");
    ok(vsdk_vm_remove_range(m.vm, VSDK_SPACE_PIO, PORT_IN, E));
    cr_assert_eq(run_to_read(&m, PORT_IN)->tag, 0);
}

Test(device, tagged_ranges_of_memory)
{
    machine_start(&m, &guest_mmio_out, &(vsdk_x86_regs){.rbx = MMIO});
    ok(vsdk_vm_add_range(m.vm, VSDK_SPACE_MMIO, MMIO, 4, 1, E));
    ok(vsdk_vm_add_range(m.vm, VSDK_SPACE_MMIO, MMIO + 4, 8, 2, E));
    for (unsigned i = 0; i < 4; i++) {
        static const uint64_t tags[] = {1, 1, 2, 0}; /* the last one leaves its range */

        cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
        cr_assert_eq(m.exit->tag, tags[i], "access %u", i);
    }
}

Test(device, arguments_of_tagged_ranges_are_checked)
{
    fails(INVALID_ARGUMENT, vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, 1, 1, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, 1, 0, 1, E));
    fails(INVALID_ARGUMENT, vsdk_vm_add_range(m.vm, 9, 1, 1, 1, E));
    fails(INVALID_ARGUMENT, vsdk_vm_add_range(NULL, VSDK_SPACE_PIO, 1, 1, 1, E));
    fails(RANGE, vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, 0xffff, 2, 1, E));
    fails(EXISTS, vsdk_vm_add_range(m.vm, VSDK_SPACE_MMIO, 0x1000, 1, 1, E));
    ok(vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, 0x500, 2, 1, E));
    fails(EXISTS, vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, 0x501, 2, 1, E));
    fails(NOT_FOUND, vsdk_vm_remove_range(m.vm, VSDK_SPACE_PIO, 0x501, E));
    fails(NOT_FOUND, vsdk_vm_remove_range(m.vm, VSDK_SPACE_MMIO, 0x500, E));
    fails(INVALID_ARGUMENT, vsdk_vm_remove_range(m.vm, 9, 0x500, E));
    fails(INVALID_ARGUMENT, vsdk_vm_remove_range(NULL, VSDK_SPACE_PIO, 0x500, E));
    ok(vsdk_vm_remove_range(m.vm, VSDK_SPACE_PIO, 0x500, E));
    fails(NOT_FOUND, vsdk_vm_remove_range(m.vm, VSDK_SPACE_PIO, 0x500, E));
}

/* Two devices that act upon each other and themselves. */
struct actor {
    vsdk_device *self, *other;
    vsdk_status of_self, of_other, attached;
    int calls;
};

static void act(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct actor *actor = user;

    if (actor->calls++ > 0)
        return;
    actor->of_self = vsdk_device_detach(actor->self, NULL);
    actor->of_other = vsdk_device_detach(actor->other, NULL);
    actor->attached = vsdk_device_add_range(actor->self, VSDK_SPACE_PIO, PORT_ECHO, 4, 1, NULL);
}

Test(device, detach_and_attach_from_a_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = act};
    struct actor actor = {.attached = 1, .of_other = 1};

    notes.reply = 0x77;
    actor.other = make_device(m.vm, &noting_ops, &notes, 0);
    actor.self = make_device(m.vm, &ops, &actor, 0);
    ok(vsdk_device_add_range(actor.other, VSDK_SPACE_PIO, PORT_OUT, 1, 0, E));
    ok(vsdk_device_add_range(actor.self, VSDK_SPACE_PIO, PORT_WIDE, 1, 0, E));
    machine_start(&m, &guest_widths_out, NULL);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->width, 2);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->width, 4);
    run_to_write(&m, PORT_WIDE); /* after the callback has run once */
    cr_assert_eq(actor.calls, 1);
    cr_assert_eq(actor.of_self, VSDK_ERROR_BUSY);
    ok(actor.of_other);
    ok(actor.attached);
    ok(vsdk_device_detach(actor.self, E));
    vsdk_device_close(actor.other);
    vsdk_device_close(actor.self);
    cr_assert_eq(notes.released, 1);
}

struct slow {
    atomic_int inside, left;
};

static uint64_t read_slowly(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct slow *slow = user;

    atomic_store(&slow->inside, 1);
    sleep_ms(20);
    atomic_store(&slow->left, 1);
    return 1;
}

static int is_inside(void *user)
{
    return atomic_load(&((struct slow *)user)->inside);
}

static int stop_at_read(struct runner *runner, vsdk_exit *exit)
{
    (void)runner;
    return exit->direction != VSDK_DIRECTION_READ;
}

Test(device, detach_waits_for_a_running_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .read = read_slowly};
    struct slow slow = {0};
    struct runner runner = {.vcpu = m.vcpu, .on_exit = stop_at_read};
    vsdk_device *device = make_device(m.vm, &ops, &slow, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_IN, 1, 0, E));
    ok(vsdk_device_detach(device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_IN, 4, 0, E));
    machine_start(&m, &guest_echo, NULL);
    runner_start(&runner);
    wait_for(is_inside, &slow, "the callback");
    ok(vsdk_device_detach(device, E));
    cr_assert(atomic_load(&slow.left), "detach returned while a callback was running");
    runner_join(&runner);
    ok(runner.status);
    vsdk_device_close(device);
}

/* From outside its callbacks a device is entered by its lock; a CONCURRENT one has none. */
static void *enter(void *user)
{
    vsdk_device *device = user;
    vsdk_status status = vsdk_device_enter(device, NULL);

    vsdk_device_leave(device);
    return status ? user : NULL;
}

static int until_end(struct runner *runner, vsdk_exit *exit)
{
    (void)runner;
    return exit->address != PORT_END;
}

Test(device, lock_keeps_callbacks_out)
{
    struct runner runner = {.vcpu = m.vcpu, .on_exit = until_end};
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);

    notes.reply = 1;
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    machine_start(&m, &guest_widths_out, NULL);
    ok(vsdk_device_enter(device, E));
    runner_start(&runner);
    sleep_ms(20);
    cr_assert_eq(notes.text[0], 0, "a callback ran while the device was locked");
    vsdk_device_leave(device);
    runner_join(&runner);
    ok(runner.status);
    cr_assert_str_eq(notes.text, "w0+0.1=11 w0+0.2=2211 w0+0.4=44332211 ");
    vsdk_device_close(device);
}

Test(device, concurrent_device_has_no_lock)
{
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, VSDK_DEVICE_CONCURRENT);
    struct runner runner = {.vcpu = m.vcpu};
    pthread_t thread;
    void *failed;

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    machine_start(&m, &guest_many_widths, &(vsdk_x86_regs){.rbx = MMIO});
    ok(vsdk_device_enter(device, E));
    cr_assert(pthread_create(&thread, NULL, enter, device) == 0);
    pthread_join(thread, &failed);
    cr_assert(!failed);
    runner_start(&runner);
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.reason, VSDK_EXIT_MMIO);
    cr_assert(strstr(notes.text, "w0+0.4=4050607"));
    vsdk_device_leave(device);
    vsdk_device_close(device);
}

Test(device, user_is_given_to_its_own_kind)
{
    const vsdk_device_ops other = noting_ops;
    vsdk_device *device = make_device(m.vm, &noting_ops, &notes, 0);

    cr_assert(vsdk_device_user(device, &noting_ops) == &notes);
    cr_assert(vsdk_device_user(device, &other) == NULL);
    cr_assert(vsdk_device_user(NULL, &noting_ops) == NULL);
    vsdk_device_close(device);
}

Test(device, arguments_of_create_are_checked)
{
    vsdk_device_ops ops = {.size = sizeof ops, .flags = 1};
    vsdk_device_config config = {.size = sizeof config, .flags = 0x100};
    vsdk_device *device = (vsdk_device *)1;

    fails(INVALID_ARGUMENT, vsdk_device_create(m.vm, &ops, NULL, NULL, &device, E));
    cr_assert(device == NULL);
    fails(INVALID_ARGUMENT, vsdk_device_create(m.vm, NULL, NULL, NULL, &device, E));
    fails(INVALID_ARGUMENT, vsdk_device_detach(NULL, E));
    ops.flags = 0;
    fails(INVALID_ARGUMENT, vsdk_device_create(m.vm, &ops, NULL, &config, &device, E));
    config.flags = 0;
    config.name = "a name that is far longer than thirty-one bytes are";
    ok(vsdk_device_create(m.vm, &ops, NULL, &config, &device, E));
    vsdk_device_close(device);
}

static void stop_the_guest(void *user, vsdk_device *device, const vsdk_access *access)
{
    *(vsdk_status *)user = vsdk_vm_stop(m.vm, VSDK_EXIT_GUEST_EXIT, access->value, 0, NULL);
}

Test(device, ends_a_run_by_stopping_the_guest)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = stop_the_guest};
    vsdk_status status = 1;
    vsdk_device *device = make_device(m.vm, &ops, &status, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&m, &guest_out_forever, NULL);
    run(&m);
    ok(status);
    cr_assert_eq(m.exit->reason, VSDK_EXIT_GUEST_EXIT);
    cr_assert_eq(m.exit->value, 1);
    cr_assert(m.exit->flags & VSDK_EXIT_TERMINAL);
    vsdk_device_close(device);
}
