/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts: lines, controllers, messages and NMI. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(irq, .init = setup, .fini = teardown);
TestSuite(irq_chip);

#define MSI_TO_FIRST UINT64_C(0xfee00000)

struct lines {
    char text[256];
    int released;
};

static void note_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    struct lines *lines = user;
    size_t used = strlen(lines->text);

    cr_assert(vm == m.vm);
    snprintf(lines->text + used, sizeof lines->text - used, "%u:%u ", gsi, level);
}

static void count_release(void *user)
{
    ((struct lines *)user)->released++;
}

static vsdk_irq *make_irq_of(vsdk_device *device, uint32_t gsi)
{
    vsdk_irq_config config = {.size = sizeof config, .gsi = gsi, .device = device};
    vsdk_irq *irq = NULL;

    ok(vsdk_irq_create(m.vm, &config, &irq, E));
    return irq;
}

static vsdk_irq *make_irq(uint32_t gsi)
{
    return make_irq_of(NULL, gsi);
}

Test(irq, line_without_a_controller_is_not_found)
{
    vsdk_irq *irq = make_irq(7);

    fails(NOT_FOUND, vsdk_irq_raise(irq, E));
    fails(NOT_FOUND, vsdk_irq_pulse(irq, E));
    fails(NOT_FOUND, vsdk_irq_lower(irq, E));
    vsdk_irq_close(irq);
}

static vsdk_device *make_idle(vsdk_vm *vm)
{
    static const vsdk_device_ops ops = {.size = sizeof ops};

    return make_device(vm, &ops, NULL, 0);
}

Test(irq, arguments_are_checked)
{
    vsdk_irq_config config = {.size = sizeof config, .gsi = 1024};
    vsdk_irq *irq = (vsdk_irq *)1;
    struct {
        vsdk_irq_config config;
        uint64_t later;
    } longer = {.config = {.size = sizeof longer, .gsi = 1}, .later = 1};

    fails(LIMIT, vsdk_irq_create(m.vm, &config, &irq, E));
    cr_assert(irq == NULL);
    config.gsi = 1;
    fails(INVALID_ARGUMENT, vsdk_irq_create(m.vm, &config, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_irq_create(NULL, &config, &irq, E));
    fails(INVALID_ARGUMENT, vsdk_irq_create(m.vm, NULL, &irq, E));
    fails(UNSUPPORTED, vsdk_irq_create(m.vm, &longer.config, &irq, E));
    config.flags = 1;
    fails(INVALID_ARGUMENT, vsdk_irq_create(m.vm, &config, &irq, E));
    config.flags = 0;
    config.reserved = 1;
    fails(UNSUPPORTED, vsdk_irq_create(m.vm, &config, &irq, E));
    config.reserved = 0;
    config.trigger = VSDK_IRQ_LEVEL + 1;
    fails(INVALID_ARGUMENT, vsdk_irq_create(m.vm, &config, &irq, E));
    config.trigger = VSDK_IRQ_LEVEL; /* in the portable machine lines are edges */
    fails(UNSUPPORTED, vsdk_irq_create(m.vm, &config, &irq, E));
    cr_assert(strstr(E->hint, "VSDK_IRQ_EDGE") != NULL, "%s", E->hint);
    fails(INVALID_ARGUMENT, vsdk_irq_raise(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_irq_lower(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_irq_pulse(NULL, E));
    config.trigger = VSDK_IRQ_EDGE;
    config.gsi = 1023;
    ok(vsdk_irq_create(m.vm, &config, &irq, E));
    cr_assert(vsdk_irq_ref(irq) == irq);
    vsdk_irq_close(irq);
    vsdk_irq_close(irq);
}

Test(irq, device_of_a_line_or_message_is_of_this_machine)
{
    vsdk_irq_config line = {.size = sizeof line, .gsi = 1};
    vsdk_msi_config message = {.size = sizeof message};
    vsdk_irq *irq = NULL;
    vsdk_msi *msi = NULL;
    struct machine other;

    machine_make(&other);
    line.device = message.device = make_idle(other.vm);
    fails(INVALID_ARGUMENT, vsdk_irq_create(m.vm, &line, &irq, E));
    fails(INVALID_ARGUMENT, vsdk_msi_create(m.vm, &message, &msi, E));
    vsdk_device_close(line.device);
    machine_end(&other);
}

Test(irq, controllers_are_checked)
{
    struct lines lines = {0};

    fails(INVALID_ARGUMENT,
          vsdk_irq_controller_attach(m.vm, 0, 0, note_line, &lines, count_release, E));
    fails(INVALID_ARGUMENT, vsdk_irq_controller_attach(m.vm, 0, 1, NULL, &lines, count_release, E));
    fails(LIMIT, vsdk_irq_controller_attach(m.vm, 1023, 2, note_line, &lines, count_release, E));
    fails(LIMIT, vsdk_irq_controller_attach(m.vm, 1, UINT32_MAX, note_line, &lines, NULL, E));
    ok(vsdk_irq_controller_attach(m.vm, 8, 8, note_line, &lines, count_release, E));
    fails(EXISTS, vsdk_irq_controller_attach(m.vm, 0, 9, note_line, &lines, count_release, E));
    fails(EXISTS, vsdk_irq_controller_attach(m.vm, 15, 1, note_line, &lines, count_release, E));
    ok(vsdk_irq_controller_attach(m.vm, 0, 8, note_line, &lines, count_release, E));
    fails(NOT_FOUND, vsdk_irq_controller_detach(m.vm, 9, E));
    fails(INVALID_ARGUMENT, vsdk_irq_controller_detach(NULL, 8, E));
    cr_assert_eq(lines.released, 5);
    ok(vsdk_irq_controller_detach(m.vm, 8, E));
    cr_assert_eq(lines.released, 6);
    fails(NOT_FOUND, vsdk_irq_controller_detach(m.vm, 8, E));
}

Test(irq, controller_sees_edges)
{
    struct lines lines = {0};
    vsdk_irq *irq = make_irq(9);

    ok(vsdk_irq_controller_attach(m.vm, 8, 8, note_line, &lines, NULL, E));
    ok(vsdk_irq_raise(irq, E));
    ok(vsdk_irq_raise(irq, E));
    cr_assert_str_eq(lines.text, "9:1 ");
    ok(vsdk_irq_lower(irq, E));
    ok(vsdk_irq_lower(irq, E));
    cr_assert_str_eq(lines.text, "9:1 9:0 ");
    ok(vsdk_irq_pulse(irq, E));
    cr_assert_str_eq(lines.text, "9:1 9:0 9:1 9:0 ");
    ok(vsdk_irq_raise(irq, E));
    vsdk_irq_close(irq);
    cr_assert_str_eq(lines.text, "9:1 9:0 9:1 9:0 9:1 9:0 ");
}

Test(irq, line_is_shared)
{
    struct lines lines = {0};
    vsdk_irq *first = make_irq(3), *second = make_irq(3);

    ok(vsdk_irq_controller_attach(m.vm, 0, 8, note_line, &lines, NULL, E));
    ok(vsdk_irq_raise(first, E));
    ok(vsdk_irq_raise(second, E));
    ok(vsdk_irq_pulse(second, E));
    ok(vsdk_irq_lower(first, E));
    cr_assert_str_eq(lines.text, "3:1 ", "%s", lines.text);
    vsdk_irq_close(second);
    cr_assert_str_eq(lines.text, "3:1 3:0 ");
    vsdk_irq_close(first);
}

/* A line and a message of a device, and what comes of using them. */
struct owned {
    vsdk_device *device;
    vsdk_irq *irq;
    vsdk_msi *msi;
};

static void expect_interrupts(const struct owned *o, vsdk_status expected)
{
    if (expected) {
        check_fails(expected, (check_clear(), vsdk_irq_raise(o->irq, E)), "raise", __FILE__,
                    __LINE__);
        check_fails(expected, (check_clear(), vsdk_irq_pulse(o->irq, E)), "pulse", __FILE__,
                    __LINE__);
        check_fails(expected, (check_clear(), vsdk_msi_send(o->msi, E)), "send", __FILE__,
                    __LINE__);
        return;
    }
    ok(vsdk_irq_raise(o->irq, E));
    ok(vsdk_irq_lower(o->irq, E));
    ok(vsdk_irq_pulse(o->irq, E));
    ok(vsdk_msi_send(o->msi, E));
}

/* From stop to start a device makes no interrupt; it may lower what it has raised. */
Test(irq, of_a_stopped_device_is_refused)
{
    vsdk_msi_config message = {.size = sizeof message, .address = MSI_TO_FIRST, .data = VECTOR};
    struct owned o = {.device = make_idle(m.vm)};
    struct lines lines = {0};

    o.irq = make_irq_of(o.device, 3);
    message.device = o.device;
    ok(vsdk_msi_create(m.vm, &message, &o.msi, E));
    ok(vsdk_irq_controller_attach(m.vm, 0, 8, note_line, &lines, NULL, E));
    expect_interrupts(&o, VSDK_ERROR_STATE);
    ok(vsdk_device_add_range(o.device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    expect_interrupts(&o, VSDK_ERROR_STATE);
    cr_assert_str_empty(lines.text);
    machine_start(&m, &guest_spin, NULL);
    expect_interrupts(&o, VSDK_OK);
    cr_assert_str_eq(lines.text, "3:1 3:0 3:1 3:0 ");
    lines.text[0] = 0;
    ok(vsdk_irq_raise(o.irq, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_interrupts(&o, VSDK_ERROR_STATE);
    ok(vsdk_irq_lower(o.irq, E));
    cr_assert_str_eq(lines.text, "3:1 3:0 ");
    ok(vsdk_vm_resume(m.vm, E));
    expect_interrupts(&o, VSDK_OK);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    expect_interrupts(&o, VSDK_ERROR_STATE);
    ok(vsdk_vm_destroy(m.vm, E));
    expect_interrupts(&o, VSDK_ERROR_GONE);
    vsdk_irq_close(o.irq);
    vsdk_msi_close(o.msi);
    vsdk_device_close(o.device);
}

static atomic_int slow_inside, slow_left;

static void set_line_slowly(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    atomic_store(&slow_inside, 1);
    sleep_ms(20);
    atomic_store(&slow_left, 1);
}

static void *raise_line(void *irq)
{
    vsdk_irq_raise(irq, NULL);
    return NULL;
}

static int is_inside(void *user)
{
    (void)user;
    return atomic_load(&slow_inside);
}

Test(irq, detach_waits_for_a_running_callback)
{
    vsdk_irq *irq = make_irq(3);
    pthread_t thread;

    ok(vsdk_irq_controller_attach(m.vm, 0, 8, set_line_slowly, NULL, NULL, E));
    cr_assert(pthread_create(&thread, NULL, raise_line, irq) == 0);
    wait_for(is_inside, NULL, "the callback");
    ok(vsdk_irq_controller_detach(m.vm, 0, E));
    cr_assert(atomic_load(&slow_left), "detach returned while a callback was running");
    pthread_join(thread, NULL);
    vsdk_irq_close(irq);
}

Test(irq, controller_that_went_away)
{
    struct lines lines = {0};
    vsdk_irq *irq = make_irq(3);

    ok(vsdk_irq_controller_attach(m.vm, 0, 8, note_line, &lines, NULL, E));
    ok(vsdk_irq_raise(irq, E));
    ok(vsdk_irq_controller_detach(m.vm, 0, E));
    fails(NOT_FOUND, vsdk_irq_lower(irq, E));
    vsdk_irq_close(irq);
}

/* The hypervisor's own controllers, where it has them. */
Test(irq_chip, of_the_hypervisor)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_KERNEL};
    vsdk_host *host = open_host();
    struct lines lines = {0};
    vsdk_irq *irq;

    need(host, VSDK_CAPABILITY_IRQCHIP_KERNEL);
    vsdk_host_close(host);
    machine_make_with(&m, &config);
    irq = make_irq(4);
    fails(RESERVED, vsdk_irq_controller_attach(m.vm, 4, 1, note_line, &lines, NULL, E));
    ok(vsdk_irq_raise(irq, E));
    ok(vsdk_irq_lower(irq, E));
    ok(vsdk_irq_pulse(irq, E));
    vsdk_irq_close(irq);
    machine_end(&m);
}

/* Interrupt handlers are at CPL 0. */
static void start_interrupts(const struct guest *guest)
{
    machine_load(&m, guest, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_write(&m, PORT_READY);
}

Test(irq, messages_are_checked)
{
    fails(INVALID_ARGUMENT, vsdk_vm_send_msi(NULL, MSI_TO_FIRST, VECTOR, E));
    fails(INVALID_ARGUMENT, vsdk_vm_send_msi(m.vm, 0x1000, VECTOR, E));
    fails(INVALID_ARGUMENT, vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, 15, E));
    if (capability(m.host, VSDK_CAPABILITY_MSI_ALL_MODES) == VSDK_ANSWER_NO)
        fails(UNSUPPORTED, vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, 0x400 | VECTOR, E));
    else
        ok(vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, 0x400 | VECTOR, E));
}

Test(irq, message_objects_are_checked)
{
    vsdk_msi_config config = {.size = sizeof config, .address = 0x1000, .data = VECTOR};
    vsdk_msi *msi = (vsdk_msi *)1;

    fails(INVALID_ARGUMENT, vsdk_msi_create(m.vm, &config, &msi, E));
    cr_assert(msi == NULL);
    config.address = MSI_TO_FIRST;
    config.data = 15;
    fails(INVALID_ARGUMENT, vsdk_msi_create(m.vm, &config, &msi, E));
    config.data = VECTOR;
    config.flags = 1;
    fails(INVALID_ARGUMENT, vsdk_msi_create(m.vm, &config, &msi, E));
    config.flags = 0;
    config.reserved = 1;
    fails(UNSUPPORTED, vsdk_msi_create(m.vm, &config, &msi, E));
    fails(INVALID_ARGUMENT, vsdk_msi_create(m.vm, NULL, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_msi_create(NULL, NULL, &msi, E));
    fails(INVALID_ARGUMENT, vsdk_msi_send(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_msi_set(NULL, MSI_TO_FIRST, VECTOR, E));
    ok(vsdk_msi_create(m.vm, NULL, &msi, E));
    fails(STATE, vsdk_msi_send(msi, E));
    fails(INVALID_ARGUMENT, vsdk_msi_set(msi, 0x1000, VECTOR, E));
    fails(INVALID_ARGUMENT, vsdk_msi_set(msi, MSI_TO_FIRST, 15, E));
    fails(STATE, vsdk_msi_send(msi, E));
    ok(vsdk_msi_set(msi, MSI_TO_FIRST, VECTOR, E));
    ok(vsdk_msi_send(msi, E));
    ok(vsdk_msi_set(msi, 0, 0, E));
    fails(STATE, vsdk_msi_send(msi, E));
    cr_assert(vsdk_msi_ref(msi) == msi);
    vsdk_msi_close(msi);
    vsdk_msi_close(msi);
}

/* By call and, where the hypervisor has it, by descriptor; what it says can change in between. */
Test(irq, message_object_reaches_the_guest)
{
    const uint64_t one = 1;
    vsdk_msi *msi = NULL;
    int32_t fd;

    start_interrupts(&guest_interrupts);
    ok(vsdk_msi_create(m.vm, NULL, &msi, E));
    for (int i = 0; i < 4; i++) {
        uint32_t vector = i % 2 ? VECTOR_SECOND : VECTOR;

        ok(vsdk_msi_set(msi, MSI_TO_FIRST, vector, E));
        ok(vsdk_msi_send(msi, E));
        cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, vector);
    }
    check_clear();
    fd = vsdk_msi_descriptor(msi, E);
    if (capability(m.host, VSDK_CAPABILITY_MSI_DESCRIPTOR) == VSDK_ANSWER_NO) {
        cr_assert_eq(fd, -1);
        cr_assert_eq(test_error.code, VSDK_ERROR_UNSUPPORTED);
    } else {
        cr_assert(fd >= 3 && fd == vsdk_msi_descriptor(msi, E));
        for (int i = 0; i < 4; i++) {
            uint32_t vector = i % 2 ? VECTOR : VECTOR_SECOND;

            ok(vsdk_msi_set(msi, MSI_TO_FIRST, vector, E));
            cr_assert(write(fd, &one, sizeof one) == sizeof one);
            cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, vector);
        }
    }
    cr_assert_eq(vsdk_msi_descriptor(NULL, E), -1);
    vsdk_msi_close(msi);
}

Test(irq_chip, messages_need_a_local_apic)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_NONE};
    vsdk_host *host = open_host();

    need(host, VSDK_CAPABILITY_IRQCHIP_NONE);
    vsdk_host_close(host);
    machine_make_with(&m, &config);
    fails(UNSUPPORTED, vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, VECTOR, E));

    vsdk_msi_config message = {.size = sizeof message, .address = MSI_TO_FIRST, .data = VECTOR};
    vsdk_msi *msi;
    ok(vsdk_msi_create(m.vm, &message, &msi, E));
    fails(UNSUPPORTED, vsdk_msi_send(msi, E));
    vsdk_msi_close(msi);
    machine_end(&m);
}

/* The guest's first access is to the local APIC that it lacks. */
Test(irq_chip, nmi_needs_none)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_NONE};
    struct runner runner = {0};
    vsdk_host *host = open_host();

    need(host, VSDK_CAPABILITY_IRQCHIP_NONE);
    need(host, VSDK_CAPABILITY_NMI);
    machine_make_on(&m, host, &config);
    machine_add_vcpu(&m);
    machine_load(&m, &guest_interrupts, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
    run_to_write(&m, PORT_READY);
    runner.vcpu = m.vcpu;
    runner_start(&runner);
    wait_for_vcpu(m.vcpu, VSDK_VCPU_IN_GUEST);
    sleep_ms(5);
    ok(vsdk_x86_vcpu_inject_nmi(m.vcpu, E));
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.address, PORT_NMI);
    machine_end(&m);
}

Test(irq, message_reaches_the_guest)
{
    start_interrupts(&guest_interrupts);
    for (int i = 0; i < 5; i++) {
        uint32_t vector = i % 2 ? VECTOR_SECOND : VECTOR;

        ok(vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, vector, E));
        cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, vector);
    }
}

Test(irq, two_messages_come_by_priority)
{
    start_interrupts(&guest_interrupts);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, VECTOR, E));
    ok(vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, VECTOR_SECOND, E));
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, VECTOR_SECOND);
    cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, VECTOR);
}

Test(irq, message_wakes_a_halted_processor)
{
    struct runner runner = {.vcpu = m.vcpu};

    start_interrupts(&guest_interrupts_halted);
    for (int i = 0; i < 3; i++) {
        runner_start(&runner);
        sleep_ms(2);
        ok(vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, VECTOR, E));
        runner_join(&runner);
        ok(runner.status);
        cr_assert_eq(runner.last.address, PORT_IRQ);
        cr_assert_eq(runner.last.value, VECTOR);
    }
}

Test(irq, halted_processor_waits_inside_and_can_be_kicked)
{
    start_interrupts(&guest_interrupts_halted);
    ok(vsdk_vcpu_run(m.vcpu, 5000000, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    cr_assert_eq(m.exit->detail, VSDK_KICK_DEADLINE);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->detail, VSDK_KICK_REQUEST);
}

static void send_by_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    if (level)
        vsdk_vm_send_msi(vm, MSI_TO_FIRST, VECTOR + gsi, NULL);
}

/* The way of every line in the portable machine. */
Test(irq, line_becomes_a_message)
{
    vsdk_irq *irq = make_irq(1);

    ok(vsdk_irq_controller_attach(m.vm, 0, 24, send_by_line, NULL, NULL, E));
    start_interrupts(&guest_interrupts);
    ok(vsdk_irq_pulse(irq, E));
    cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, VECTOR + 1);
    ok(vsdk_irq_raise(irq, E));
    cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, VECTOR + 1);
    ok(vsdk_irq_lower(irq, E));
    vsdk_irq_close(irq);
}

Test(irq, nmi_reaches_the_guest)
{
    start_interrupts(&guest_interrupts);
    if (capability(m.host, VSDK_CAPABILITY_NMI) == VSDK_ANSWER_NO) {
        fails(UNSUPPORTED, vsdk_x86_vcpu_inject_nmi(m.vcpu, E));
    } else {
        ok(vsdk_x86_vcpu_inject_nmi(m.vcpu, E));
        run_to_write(&m, PORT_NMI);
    }
    fails(INVALID_ARGUMENT, vsdk_x86_vcpu_inject_nmi(NULL, E));
}
