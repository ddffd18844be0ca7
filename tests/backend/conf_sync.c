/* SPDX-License-Identifier: Apache-2.0 */
/* Registers that come with each exit, and that the embedder changes where they are. What is written
 * holds to the rules of vsdk_vcpu_set_state; each rule is tried at each kind of pending access. */
#include "common.h"

enum { BOTH = VSDK_VCPU_SYNC_GENERAL | VSDK_VCPU_SYNC_SREGS };

static struct machine m;
static vsdk_x86_regs *regs;
static vsdk_x86_sregs *sregs;

/* A machine whose processor has these classes; the test is skipped where the host lacks one. */
static void make(uint32_t classes)
{
    vsdk_vcpu_config config = {.size = sizeof config, .flags = classes};

    machine_make_bare(&m, NULL);
    if (classes & VSDK_VCPU_SYNC_GENERAL)
        need(m.host, VSDK_CAPABILITY_SYNC_GENERAL);
    if (classes & VSDK_VCPU_SYNC_SREGS)
        need(m.host, VSDK_CAPABILITY_SYNC_SREGS);
    ok(vsdk_vcpu_create(m.vm, 0, &config, &m.vcpu, E));
    m.exit = vsdk_vcpu_record(m.vcpu);
    regs = vsdk_x86_vcpu_sync_regs(m.vcpu);
    sregs = vsdk_x86_vcpu_sync_sregs(m.vcpu);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(sync, .fini = teardown);

static vsdk_status sync_write(uint32_t classes)
{
    return vsdk_x86_vcpu_sync_write(m.vcpu, classes, E);
}

static vsdk_x86_regs regs_now(void)
{
    vsdk_x86_regs now;

    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &now, sizeof now, E));
    return now;
}

static vsdk_x86_sregs sregs_now(void)
{
    vsdk_x86_sregs now;

    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &now, sizeof now, E));
    return now;
}

/* Nothing is unfinished afterwards, and the areas hold the registers. */
static void finish(void)
{
    if (capability(m.host, VSDK_CAPABILITY_COMPLETE_EXACT) != VSDK_ANSWER_NO) {
        ok(vsdk_vcpu_complete(m.vcpu, E));
        return;
    }
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    if (regs)
        *regs = regs_now();
    if (sregs)
        *sregs = sregs_now();
}

/* After finish(). An autonomous guest may have gone on to another access by then: its registers can
 * be set there no more than at the first. */
static void write_finished(uint32_t classes)
{
    vsdk_status status = sync_write(classes);

    if (status == VSDK_ERROR_STATE && is_autonomous(m.host))
        skip(m.host, "the guest was at its next access before it could be paused");
    ok(status);
}

static void go_on(void)
{
    if (vm_state(m.vm) == VSDK_VM_PAUSED)
        ok(vsdk_vm_resume(m.vm, E));
}

Test(sync, both_classes_come_with_an_exit)
{
    make(BOTH);
    machine_start(&m, &guest_out_forever, &(vsdk_x86_regs){.r12 = 0x1234567890});
    for (uint64_t value = 1; value < 4; value++) {
        vsdk_x86_regs general;
        vsdk_x86_sregs control;

        cr_assert(run_to_write(&m, PORT_OUT)->flags & VSDK_EXIT_REGS_SYNCED);
        general = regs_now();
        control = sregs_now();
        cr_assert_eq(regs->rax, value);
        cr_assert(memcmp(regs, &general, sizeof general) == 0);
        cr_assert(memcmp(sregs, &control, sizeof control) == 0);
        cr_assert_eq(sregs->cr3, PAGE_TABLES);
        cr_assert(vsdk_x86_vcpu_sync_regs(m.vcpu) == regs);
        cr_assert(vsdk_x86_vcpu_sync_sregs(m.vcpu) == sregs);
    }
}

Test(sync, a_class_comes_alone)
{
    make(VSDK_VCPU_SYNC_SREGS);
    cr_assert(!regs && sregs);
    machine_start(&m, &guest_out_forever, NULL);
    cr_assert(run_to_write(&m, PORT_OUT)->flags & VSDK_EXIT_REGS_SYNCED);
    cr_assert_eq(sregs->cr3, PAGE_TABLES);
    fails(INVALID_ARGUMENT, sync_write(VSDK_VCPU_SYNC_GENERAL));
    fails(INVALID_ARGUMENT, sync_write(BOTH));
}

Test(sync, classes_that_are_unknown_or_not_asked_for_are_refused)
{
    make(VSDK_VCPU_SYNC_GENERAL);
    cr_assert(regs && !sregs);
    machine_load(&m, &guest_spin, 0, NULL);
    fails(INVALID_ARGUMENT, sync_write(0));
    fails(INVALID_ARGUMENT, sync_write(4));
    fails(INVALID_ARGUMENT, sync_write(VSDK_VCPU_SYNC_GENERAL | 4));
    fails(INVALID_ARGUMENT, sync_write(VSDK_VCPU_SYNC_SREGS));
}

Test(sync, written_general_registers_reach_the_guest_at_a_port_write)
{
    make(VSDK_VCPU_SYNC_GENERAL);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    for (uint64_t value = 100; value < 1000; value += 100) {
        regs->rax = value;
        regs->r15 = ~value;
        ok(sync_write(VSDK_VCPU_SYNC_GENERAL));
        regs->rax = 7; /* too late: the value was taken */
        cr_assert_eq(regs_now().rax, value);
        cr_assert_eq(run_to_write(&m, PORT_OUT)->value, value + 1);
        cr_assert_eq(regs->rax, value + 1);
        cr_assert_eq(regs->r15, ~value);
    }
}

Test(sync, what_is_not_told_has_no_effect)
{
    make(BOTH);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    memset(regs, 0xff, sizeof *regs);
    memset(sregs, 0xff, sizeof *sregs);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 2);
    cr_assert_eq(regs->rax, 2);
}

Test(sync, another_rip_at_a_port_write_is_refused)
{
    make(VSDK_VCPU_SYNC_GENERAL);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    regs->rax = 50;
    regs->rip++;
    fails(STATE, sync_write(VSDK_VCPU_SYNC_GENERAL));
    cr_assert_eq(regs_now().rax, 1);
    regs->rip--;
    ok(sync_write(VSDK_VCPU_SYNC_GENERAL));
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 51);
}

/* The second of two values is the one, also when the first came another way. */
Test(sync, the_last_value_counts)
{
    vsdk_x86_regs other;

    make(VSDK_VCPU_SYNC_GENERAL);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    regs->rax = 10;
    ok(sync_write(VSDK_VCPU_SYNC_GENERAL));
    other = regs_now();
    cr_assert_eq(other.rax, 10);
    other.rax = 20;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &other, sizeof other, E));
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 21);
    other = regs_now();
    other.rax = 30;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &other, sizeof other, E));
    regs->rax = 40;
    ok(sync_write(VSDK_VCPU_SYNC_GENERAL));
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 41);
}

/* Refused while the answer is on its way; written after it the values stay, and the answer with
 * them. */
static void refused_until_finished(uint64_t expected)
{
    vsdk_x86_regs before;

    fails(STATE, sync_write(VSDK_VCPU_SYNC_GENERAL));
    fails(STATE, sync_write(VSDK_VCPU_SYNC_SREGS));
    fails(STATE, sync_write(BOTH));
    finish();
    before = regs_now();
    if (capability(m.host, VSDK_CAPABILITY_COMPLETE_EXACT) != VSDK_ANSWER_NO)
        cr_assert_eq(before.rax, expected);
    cr_assert(memcmp(regs, &before, sizeof before) == 0);
    regs->r13 = 0x1313131313131313;
    sregs->cr2 = 0x4000;
    write_finished(BOTH);
    cr_assert_eq(regs_now().r13, 0x1313131313131313);
    cr_assert_eq(sregs_now().cr2, 0x4000);
    go_on();
}

static void expect_kept(void)
{
    cr_assert_eq(regs->r13, 0x1313131313131313);
    cr_assert_eq(regs_now().r13, 0x1313131313131313);
    cr_assert_eq(sregs->cr2, 0x4000);
}

Test(sync, a_port_read_gets_its_answer_first)
{
    make(BOTH);
    machine_start(&m, &guest_echo, NULL);
    for (uint64_t value = 0x1000; value < 0x1004; value++) {
        answer(run_to_read(&m, PORT_IN), value);
        refused_until_finished(value);
        cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, value);
        expect_kept();
    }
}

Test(sync, a_memory_read_gets_its_answer_first)
{
    const vsdk_exit *exit;

    make(BOTH);
    machine_start(&m, &guest_echo_mmio, &(vsdk_x86_regs){.rbx = 0xd0000000});
    exit = run(&m);
    cr_assert(exit->reason == VSDK_EXIT_MMIO && exit->direction == VSDK_DIRECTION_READ);
    answer(exit, 0x2345);
    refused_until_finished(0x2345);
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0x2345);
    expect_kept();
}

/* The destination is RDI's, which moves with each part. */
Test(sync, a_string_read_gets_its_elements_first)
{
    uint64_t seen = 0;

    make(BOTH);
    machine_start(&m, &guest_strings_in, &(vsdk_x86_regs){.rbx = 6, .rdi = RESULT});
    for (;;) {
        const vsdk_exit *exit = run(&m);

        if (exit->address != PORT_WIDE)
            break;
        answer(exit, 0x5a);
        seen += exit->count;
        fails(STATE, sync_write(VSDK_VCPU_SYNC_GENERAL));
    }
    cr_assert_eq(seen, 18);
    cr_assert_eq(m.exit->value, RESULT + 6 * 7, "the last RDI");
    for (int i = 0; i < 6 * 7; i += i < 6 ? 1 : i < 18 ? 2 : 4)
        cr_assert_eq(m.memory[RESULT + i], 0x5a, "byte %d", i);
}

Test(sync, written_segments_reach_the_guest)
{
    make(BOTH);
    for (uint32_t i = 0; i < 8; i++)
        memcpy(m.memory + RESULT + 0x100 * i, &(uint32_t){0x700 + i}, 4);
    machine_start(&m, &guest_out_from_fs, &(vsdk_x86_regs){.rbx = RESULT});
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 0x700);
    for (uint32_t i = 1; i < 8; i++) {
        fails(STATE, sync_write(VSDK_VCPU_SYNC_SREGS));
        finish();
        sregs->fs.base = 0x100 * i;
        regs->r9 = i;
        write_finished(BOTH);
        cr_assert_eq(sregs_now().fs.base, 0x100 * i);
        cr_assert_eq(regs_now().r9, i);
        go_on();
        /* An autonomous guest may have read before it was held. */
        while (run_to_write(&m, PORT_OUT)->value != 0x700 + i)
            cr_assert_eq(m.exit->value, 0x700 + i - 1);
        cr_assert_eq(sregs->fs.base, 0x100 * i);
        cr_assert_eq(regs->r9, i);
    }
}

Test(sync, sound_control_registers_are_set_by_way_of_the_area)
{
    make(VSDK_VCPU_SYNC_SREGS);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    finish();
    sregs->cr0 ^= 1 << 16; /* WP */
    sregs->cr4 ^= 1 << 7;  /* PGE */
    sregs->gs.base = 0x7000;
    vsdk_x86_sregs wanted = *sregs;
    write_finished(VSDK_VCPU_SYNC_SREGS);
    vsdk_x86_sregs got = sregs_now();
    cr_assert(got.cr0 == wanted.cr0 && got.cr4 == wanted.cr4 && got.gs.base == 0x7000);
    go_on();
    run_to_write(&m, PORT_OUT);
    cr_assert(sregs->cr0 == wanted.cr0 && sregs->cr4 == wanted.cr4 && sregs->gs.base == 0x7000);
}

static void start_and_pause_a_spinning_guest(void)
{
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    *regs = regs_now();
    *sregs = sregs_now();
}

Test(sync, a_paused_guest_goes_on_with_what_was_written)
{
    make(BOTH);
    start_and_pause_a_spinning_guest();
    regs->rbx = 0x1111;
    sregs->gs.base = 0x2222;
    ok(sync_write(BOTH));
    cr_assert(regs_now().rbx == 0x1111 && sregs_now().gs.base == 0x2222);
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, 10000000, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert(regs_now().rbx == 0x1111 && sregs_now().gs.base == 0x2222);
}

/* Neither class is set when one is refused. */
Test(sync, contradicting_control_registers_are_refused)
{
    vsdk_x86_sregs before;

    make(BOTH);
    start_and_pause_a_spinning_guest();
    before = *sregs;
    uint64_t rax = regs->rax;
    regs->rax = 0x5555;
    sregs->efer ^= 1 << 10; /* LMA */
    fails(INVALID_ARGUMENT, sync_write(BOTH));
    *sregs = before;
    sregs->cr4 |= UINT64_C(1) << 63;
    cr_assert_neq(sync_write(BOTH), VSDK_OK);
    vsdk_x86_sregs after = sregs_now();
    cr_assert(after.cr4 == before.cr4 && after.cr0 == before.cr0 && after.efer == before.efer);
    cr_assert_eq(regs_now().rax, rax);
}

Test(sync, a_processor_in_the_guest_is_refused)
{
    struct runner runner = {0};

    make(BOTH);
    machine_start(&m, &guest_spin, NULL);
    runner.vcpu = m.vcpu;
    runner.until_kicked = 1;
    runner_start(&runner);
    wait_for_vcpu(m.vcpu, VSDK_VCPU_IN_GUEST);
    fails(STATE, sync_write(BOTH));
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
}

Test(sync, areas_give_the_registers_of_the_start)
{
    make(VSDK_VCPU_SYNC_GENERAL);
    machine_load(&m, &guest_out_rax, native_cpl(m.host), NULL);
    *regs = regs_now();
    regs->rax = 0x4711;
    ok(sync_write(VSDK_VCPU_SYNC_GENERAL));
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run(&m)->value, 0x4711);
}

static vsdk_status told;

static void write_in_callback(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user, (void)device;
    regs->rax = access->value + 100;
    told = sync_write(VSDK_VCPU_SYNC_GENERAL);
}

Test(sync, a_device_writes_in_its_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = write_in_callback};
    vsdk_device *device;

    make(VSDK_VCPU_SYNC_GENERAL);
    device = make_device(m.vm, &ops, NULL, 0);
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    told = VSDK_ERROR_STATE;
    machine_start(&m, &guest_out_forever, NULL);
    do { /* on a busy machine a guest may get nowhere in this time */
        ok(vsdk_vcpu_run(m.vcpu, 20000000, E));
        cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    } while (told == VSDK_ERROR_STATE);
    ok(told);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert_geq(regs_now().rax, 101);
    vsdk_device_close(device);
}

/* What was written waits for the next run, and does not outlive a reset. */
Test(sync, a_reset_drops_what_was_written)
{
    make(BOTH);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    finish();
    regs->rax = 0x1234;
    regs->rip = 0x5678;
    sregs->fs.base = 0x9abc;
    write_finished(BOTH);
    if (vm_state(m.vm) != VSDK_VM_PAUSED)
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_reset(m.vm, VSDK_FOREVER, E));
    cr_assert_eq(regs_now().rip, 0xfff0);
    cr_assert_eq(regs_now().rax, 0);
    cr_assert_eq(sregs_now().fs.base, 0);
    machine_start(&m, &guest_out_forever, NULL);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 1);
    cr_assert_eq(sregs->fs.base, 0);
}

/* A kick that comes first takes nothing away. */
Test(sync, a_kick_keeps_what_was_written)
{
    make(VSDK_VCPU_SYNC_GENERAL);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    regs->rax = 500;
    ok(sync_write(VSDK_VCPU_SYNC_GENERAL));
    ok(vsdk_vcpu_kick(m.vcpu, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    while (m.exit->reason == VSDK_EXIT_KICKED)
        ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->value, 501);
}

Test(sync, areas_outlive_the_guest_and_writing_does_not)
{
    make(BOTH);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, sync_write(BOTH));
    cr_assert_eq(regs->rax, 1);
    cr_assert(vsdk_x86_vcpu_sync_sregs(m.vcpu) == sregs);
}
