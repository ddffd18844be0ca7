/* Interrupts: lines, controllers, messages and NMI. */
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

TestSuite(irq, .init = setup, .fini = teardown);
TestSuite(irq_chip);

#define MSI_TO_FIRST UINT64_C(0xfee00000)

struct lines {
    char text[256];
    int released;
};

static void note_line(void *user, uint32_t gsi, uint32_t level)
{
    struct lines *lines = user;
    size_t used = strlen(lines->text);

    snprintf(lines->text + used, sizeof lines->text - used, "%u:%u ", gsi, level);
}

static void count_release(void *user)
{
    ((struct lines *)user)->released++;
}

static vsdk_irq *make_irq(uint32_t gsi)
{
    vsdk_irq *irq = NULL;
    ok(vsdk_irq_create(m.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = gsi}, &irq,
                       E));
    return irq;
}

Test(irq, line_without_a_controller_is_not_found)
{
    vsdk_irq *irq = make_irq(7);

    fails(NOT_FOUND, vsdk_irq_raise(irq, E));
    fails(NOT_FOUND, vsdk_irq_pulse(irq, E));
    fails(NOT_FOUND, vsdk_irq_lower(irq, E));
    vsdk_irq_close(irq);
}

Test(irq, arguments_are_checked)
{
    vsdk_irq *irq = (vsdk_irq *)1;

    fails(LIMIT,
          vsdk_irq_create(m.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 1024},
                          &irq, E));
    cr_assert(irq == NULL);
    fails(INVALID_ARGUMENT,
          vsdk_irq_create(m.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 1}, NULL,
                          E));
    fails(INVALID_ARGUMENT,
          vsdk_irq_create(NULL, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 1}, &irq,
                          E));
    fails(INVALID_ARGUMENT, vsdk_irq_raise(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_irq_lower(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_irq_pulse(NULL, E));
    ok(vsdk_irq_create(m.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 1023}, &irq,
                       E));
    vsdk_irq_close(irq);
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

static atomic_int slow_inside, slow_left;

static void set_line_slowly(void *user, uint32_t gsi, uint32_t level)
{
    (void)user, (void)gsi, (void)level;
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
    fails(EXISTS, vsdk_irq_controller_attach(m.vm, 4, 1, note_line, &lines, NULL, E));
    ok(vsdk_irq_raise(irq, E));
    ok(vsdk_irq_lower(irq, E));
    ok(vsdk_irq_pulse(irq, E));
    vsdk_irq_close(irq);
    machine_end(&m);
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

Test(irq_chip, messages_need_a_local_apic)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_NONE};
    vsdk_host *host = open_host();

    need(host, VSDK_CAPABILITY_IRQCHIP_NONE);
    vsdk_host_close(host);
    machine_make_with(&m, &config);
    fails(UNSUPPORTED, vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, VECTOR, E));
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

/* Interrupt handlers are at CPL 0. */
static void start_interrupts(const struct guest *guest)
{
    machine_load(&m, guest, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_write(&m, PORT_READY);
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

static void send_by_line(void *user, uint32_t gsi, uint32_t level)
{
    (void)user;
    if (level)
        vsdk_vm_send_msi(m.vm, MSI_TO_FIRST, VECTOR + gsi, NULL);
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
