/* SPDX-License-Identifier: Apache-2.0 */
/* Reset: the same machine with its power-on state, its memory and what is attached kept. */
#include "common.h"
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

TestSuite(reset, .init = setup, .fini = teardown);
TestSuite(reset_smp);

enum { MS = 1000000 };

/* A backend without it says so. */
static void reset(void)
{
    vsdk_status status = (check_clear(), vsdk_vm_reset(m.vm, VSDK_FOREVER, E));

    if (status == VSDK_ERROR_UNSUPPORTED)
        skip(m.host, test_error.message);
    ok(status);
}

static void expect_power_on(void)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_vcpu_phase phase;
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;

    ok(vsdk_vm_get_info(m.vm, &info, E));
    cr_assert_eq(info.state, VSDK_VM_CREATED);
    cr_assert(!info.stop_reason && !info.stop_code && !info.stop_detail);
    cr_assert_eq(info.clock_ns, 0);
    ok(vsdk_vcpu_get_phase(m.vcpu, &phase, E));
    cr_assert_eq(phase, VSDK_VCPU_HELD);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof regs, E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs, E));
    cr_assert_eq(regs.rip, 0xfff0);
    cr_assert_eq(regs.rflags, 2);
    cr_assert_eq(regs.rbx, 0);
    cr_assert_eq(sregs.cs.base, 0xffff0000);
    cr_assert_eq(sregs.cs.selector, 0xf000);
    cr_assert_eq(sregs.cr0 & 0x80000001, 0, "protected or paged");
    cr_assert_eq(sregs.efer, 0);
}

static void expect_first_write(void)
{
    machine_start(&m, &guest_out_forever, &(vsdk_x86_regs){.rbx = 0x5555});
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 1);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 2);
}

Test(reset, from_pause)
{
    expect_first_write();
    fails(STATE, vsdk_vm_reset(m.vm, VSDK_FOREVER, E));
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 3, "a refused reset changed something");
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    reset();
    expect_power_on();
    expect_first_write();
}

Test(reset, before_the_start)
{
    machine_load(&m, &guest_out_forever, native_cpl(m.host), NULL);
    reset();
    expect_power_on();
    expect_first_write();
}

Test(reset, after_a_stop)
{
    expect_first_write();
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_CRASH, 5, VSDK_CRASH_PANIC, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert(m.exit->flags & VSDK_EXIT_TERMINAL);
    reset();
    expect_power_on();
    expect_first_write();
}

/* Nobody came to hear of the end. */
Test(reset, after_a_stop_that_nobody_saw)
{
    expect_first_write();
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_POWEROFF, 0, 0, E));
    reset();
    expect_power_on();
    expect_first_write();
}

Test(reset, after_a_crash_again_and_again)
{
    vsdk_x86_sregs sregs;

    for (int i = 0; i < 3; i++) {
        machine_load(&m, &guest_crash, native_cpl(m.host), NULL);
        ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs, E));
        sregs.idt.limit = 0;
        ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs, E));
        ok(vsdk_vm_resume(m.vm, E));
        cr_assert_eq(run(&m)->reason, VSDK_EXIT_CRASH);
        fails(STATE, vsdk_vm_resume(m.vm, E));
        reset();
        expect_power_on();
    }
    expect_first_write();
}

/* On one backend it waits for ever, on the other it has ended. */
Test(reset, after_a_halt_for_good)
{
    machine_load(&m, &guest_halt_for_good, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, 50 * MS, E));
    if (!(m.exit->flags & VSDK_EXIT_TERMINAL))
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    reset();
    expect_power_on();
    expect_first_write();
}

Test(reset, of_a_suspended_guest)
{
    expect_first_write();
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_SUSPEND, 0, 0, E));
    reset();
    expect_power_on();
    expect_first_write();
}

/* The access is dropped with the processor that made it, its answer too. */
Test(reset, forgets_an_unfinished_access)
{
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 0x1234);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vcpu_run(m.vcpu, 0, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    reset();
    expect_power_on();
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 0x77);
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0x77);
}

Test(reset, keeps_memory_and_what_is_attached)
{
    uint64_t word = 0x1122334455667788;
    vsdk_doorbell_config config = {.size = sizeof config, .address = PORT_WIDE, .width = 4};
    vsdk_doorbell *doorbell = NULL;
    uint64_t rings = 0;

    ok(vsdk_doorbell_create(m.vm, &config, &doorbell, E));
    ok(vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, PORT_OUT, 4, 99, E));
    ok(vsdk_vm_write(m.vm, RESULT, &word, sizeof word, E));
    machine_start(&m, &guest_out_forever, NULL);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->tag, 99);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    reset();
    word = 0;
    ok(vsdk_vm_read(m.vm, RESULT, &word, sizeof word, E));
    cr_assert_eq(word, 0x1122334455667788);
    machine_start(&m, &guest_widths_out, NULL);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(run_to_write(&m, PORT_OUT)->tag, 99);
    cr_assert_eq(run_to_write(&m, PORT_WIDE)->width, 1);
    cr_assert_eq(run_to_write(&m, PORT_WIDE)->width, 2);
    run_to_end(&m);
    ok(vsdk_doorbell_take(doorbell, &rings, E));
    cr_assert_eq(rings, 1);
    vsdk_doorbell_close(doorbell);
}

static char text[1000];

static void say(const void *user, const char *what)
{
    size_t used = strlen(text);

    snprintf(text + used, sizeof text - used, "%s%s ", (const char *)user, what);
}

static void on_start(void *user, vsdk_device *device)
{
    say(user, "+");
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    say(user, "-");
    return VSDK_STOP_DONE;
}

static vsdk_status entered_in_reset;

static void on_reset(void *user, vsdk_device *device)
{
    uint8_t byte;

    say(user, "r");
    entered_in_reset = vsdk_dma_read(device, RESULT, &byte, 1, NULL);
}

static vsdk_device *attach(char *name, uint64_t port)
{
    static const vsdk_device_ops ops = {
        .size = sizeof ops, .start = on_start, .stop = on_stop, .reset = on_reset};
    vsdk_device *device = make_device(m.vm, &ops, name, 0);

    if (port)
        ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, port, 1, 0, E));
    return device;
}

/* Each device that was not detached hears of it once, after its stop and without a start. */
Test(reset, tells_each_device)
{
    static char a[] = "a", b[] = "b", c[] = "c";
    vsdk_device *devices[] = {attach(a, 0x500), attach(b, 0x501), attach(c, 0)};

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    reset();
    cr_assert_str_eq(text, "a+ b+ c+ a- b- c- ar br cr ", "%s", text);
    cr_assert_eq(entered_in_reset, VSDK_ERROR_STATE, "it acts in its reset");
    text[0] = 0;
    ok(vsdk_device_detach(devices[0], E));
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    reset();
    cr_assert_str_eq(text, "b+ c+ b- c- br cr ", "%s", text);
    for (int i = 0; i < 3; i++)
        vsdk_device_close(devices[i]);
}

/* A device of the library's own: what the guest had set in its registers is gone. */
Test(reset, of_the_serial_port)
{
    /* Real mode: the scratch register to the exit port, once as it is and once with 0x5a in it. */
    static const uint8_t scratch[] = {0xba, 0x07, 0x20, 0xec, 0xe6, 0xf4, 0xb0,
                                      0x5a, 0xee, 0xec, 0xe6, 0xf4, 0xeb, 0xfe};
    vsdk_serial_config config = {.size = sizeof config, .address = 0x2000};
    vsdk_boot_config boot = {.size = sizeof boot,
                             .format = VSDK_BOOT_FLAT,
                             .image = scratch,
                             .image_length = sizeof scratch,
                             .address = 0x8000};
    vsdk_boot_entry entry = {.size = sizeof entry};
    vsdk_device *serial = NULL;

    ok(vsdk_serial_create(m.vm, &config, &serial, E));
    for (int i = 0; i < 2; i++) {
        ok(vsdk_boot_load(m.vm, &boot, &entry, E));
        ok(vsdk_boot_apply(m.vcpu, &entry, E));
        ok(vsdk_vm_resume(m.vm, E));
        cr_assert_eq(run_to_end(&m), 0);
        cr_assert_eq(run_to_end(&m), 0x5a);
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        reset();
    }
    vsdk_device_close(serial);
}

/* What waited at its local APIC is gone with it. */
Test(reset, forgets_interrupts)
{
    machine_load(&m, &guest_interrupts, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_write(&m, PORT_READY);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_send_msi(m.vm, 0xfee00000, VECTOR, E));
    reset();
    machine_load(&m, &guest_interrupts, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_write(&m, PORT_READY);
    ok(vsdk_vcpu_run(m.vcpu, 20 * MS, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED, "an interrupt of before the reset");
    ok(vsdk_vm_send_msi(m.vm, 0xfee00000, VECTOR_SECOND, E));
    cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, VECTOR_SECOND);
}

static int has_entered(void *user)
{
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    return counters.runs > *(uint64_t *)user;
}

/* A thread that waits inside run waits on, and goes with the new start. */
Test(reset, with_a_run_that_waits)
{
    struct runner runner = {.vcpu = m.vcpu};
    uint64_t runs = 2;

    expect_first_write();
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    runner_start(&runner);
    wait_for(has_entered, &runs, "the run");
    reset();
    cr_assert_eq(vm_state(m.vm), VSDK_VM_CREATED);
    machine_start(&m, &guest_out_forever, NULL);
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.address, PORT_OUT);
    cr_assert_eq(runner.last.value, 1);
}

Test(reset, run_of_all_after_it)
{
    vsdk_exit end;

    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    for (int i = 0; i < 3; i++) {
        ok(vsdk_vm_run(m.vm, NULL, 5 * MS, &end, E));
        cr_assert_eq(end.reason, VSDK_EXIT_KICKED);
        reset();
        machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    }
}

Test(reset, arguments_are_checked)
{
    fails(INVALID_ARGUMENT, vsdk_vm_reset(NULL, 0, E));
}

/* Further processors wait for INIT and SIPI again. */
Test(reset_smp, second_processor_is_started_again)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 2};
    vsdk_vcpu *second = NULL;

    machine_make_with(&m, &config);
    ok(vsdk_vcpu_create(m.vm, 1, NULL, &second, E));
    for (int i = 0; i < 3; i++) {
        struct runner runner = {.vcpu = second};

        m.memory[FLAG] = 0;
        machine_load(&m, &guest_second, 0, NULL);
        ok(vsdk_vm_write(m.vm, SECOND_CODE, guest_second_start.code,
                         (uint64_t)(guest_second_start.end - guest_second_start.code), E));
        ok(vsdk_vm_resume(m.vm, E));
        runner_start(&runner);
        cr_assert_eq(run_to_end(&m), 0x5a);
        runner_join(&runner);
        ok(runner.status);
        cr_assert_eq(runner.last.address, PORT_SECOND);
        cr_assert_eq(runner.last.value, 1);
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        reset();
        ok(vsdk_vcpu_run(second, MS, E));
        cr_assert_eq(vsdk_vcpu_record(second)->reason, VSDK_EXIT_KICKED);
    }
    machine_end(&m);
    vsdk_vcpu_close(second);
}
