/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-License-Identifier: Apache-2.0 */
/* A pause that settles: accesses that the embedder has not answered are finished before the guest
 * is held, exactly where the backend can, so that a machine can be saved. */
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

TestSuite(settle, .init = setup, .fini = teardown);

static int is_exact(void)
{
    return capability(m.host, VSDK_CAPABILITY_COMPLETE_EXACT) != VSDK_ANSWER_NO;
}

static vsdk_status settle(void)
{
    return vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E);
}

static vsdk_x86_regs regs_now(void)
{
    vsdk_x86_regs regs;

    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof regs, E));
    return regs;
}

static void expect_phase(vsdk_vcpu_phase expected)
{
    vsdk_vcpu_phase phase;

    ok(vsdk_vcpu_get_phase(m.vcpu, &phase, E));
    cr_assert_eq(phase, expected, "%s", vsdk_vcpu_phase_name(phase));
}

/* After it nothing is unfinished: the vCPU is HELD, and where completing is exact it stands right
 * behind the access, with registers that can be set. */
static void expect_settled_in(uint64_t answer, int in_pause)
{
    vsdk_x86_regs regs;

    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    expect_phase(VSDK_VCPU_HELD);
    cr_assert_eq(m.exit->reason, VSDK_EXIT_NONE, "%s", vsdk_exit_reason_name(m.exit->reason));
    regs = regs_now();
    /* Finished in PAUSED, the answer reaches the processor when that goes on. */
    if (in_pause && !is_exact())
        return;
    cr_assert_eq(regs.rax, answer);
    if (!is_exact())
        return;
    cr_assert_eq(regs.rip, CODE + 2, "RIP is %#llx", (unsigned long long)regs.rip);
    regs.rax++;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof regs, E));
}

static void expect_settled(uint64_t answer)
{
    expect_settled_in(answer, 0);
}

static void expect_echo(uint64_t answered)
{
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, is_exact() ? answered + 1 : answered);
}

Test(settle, finishes_what_is_answered)
{
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 0x77665544);
    ok(settle());
    expect_settled(0x77665544);
    ok(settle());
    expect_echo(0x77665544);
}

/* With what is in the record: nobody wrote there, so all ones. */
Test(settle, finishes_what_is_not_answered)
{
    machine_start(&m, &guest_echo, NULL);
    run_to_read(&m, PORT_IN);
    ok(settle());
    expect_settled(0xffffffff);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, is_exact() ? 0 : 0xffffffff);
}

/* A pause before it, and KICKED in the record's place, take nothing away. */
Test(settle, finishes_in_pause_what_was_left)
{
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 0x1234);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_phase(VSDK_VCPU_AT_EXIT);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    ok(settle());
    expect_settled_in(0x1234, 1);
    expect_echo(0x1234);
}

Test(settle, finishes_writes_too)
{
    vsdk_x86_regs regs;

    machine_start(&m, &guest_out_forever, NULL);
    for (uint64_t value = 1; value < 5; value++) {
        cr_assert_eq(run_to_write(&m, PORT_OUT)->value, value);
        ok(settle());
        expect_phase(VSDK_VCPU_HELD);
        regs = regs_now();
        cr_assert(regs.rip >= CODE && regs.rip < CODE + 16);
        ok(vsdk_vm_resume(m.vm, E));
    }
}

Test(settle, of_memory)
{
    machine_start(&m, &guest_echo_mmio, &(vsdk_x86_regs){.rbx = MMIO});
    for (uint64_t value = 1; value < 4; value++) {
        const vsdk_exit *exit = run(&m);

        cr_assert_eq(exit->reason, VSDK_EXIT_MMIO);
        answer(exit, value);
        ok(settle());
        expect_phase(VSDK_VCPU_HELD);
        ok(vsdk_vm_resume(m.vm, E));
        cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, value);
    }
}

Test(settle, without_an_access_does_nothing)
{
    ok(settle());
    cr_assert_eq(vm_state(m.vm), VSDK_VM_CREATED);
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vcpu_run(m.vcpu, 1000000, E));
    ok(settle());
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    ok(settle());
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    fails(STATE, settle());
}

Test(settle, flags_are_checked)
{
    machine_start(&m, &guest_spin, NULL);
    fails(INVALID_ARGUMENT, vsdk_vm_pause(m.vm, 0x80, VSDK_FOREVER, E));
    fails(INVALID_ARGUMENT, vsdk_vm_pause(NULL, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
}

/* A thread is inside run all the while: on its way it finishes what devices and the embedder have
 * answered, and the pause finds nothing left. */
static int answer_all(struct runner *runner, vsdk_exit *exit)
{
    uint64_t *last = runner->user;

    if (exit->direction == VSDK_DIRECTION_READ)
        answer(exit, ++*last);
    else if (exit->value != *last && exit->value != UINT32_MAX)
        return 0; /* all ones: the pause finished the read before it was answered */
    return 1;
}

Test(settle, from_another_thread_finishes_each_access)
{
    static uint64_t last;
    struct runner runner = {
        .vcpu = m.vcpu, .until_kicked = 1, .on_exit = answer_all, .user = &last};
    int held = 0;

    machine_start(&m, &guest_echo, NULL);
    runner_start(&runner);
    for (int i = 0; i < 50; i++) {
        vsdk_vcpu_phase phase;
        vsdk_status status = settle();

        /* The embedder's thread has the record: it may come back into run meanwhile. */
        cr_assert(!status || status == VSDK_ERROR_BUSY, "%s", test_error.message);
        ok(vsdk_vcpu_get_phase(m.vcpu, &phase, E));
        held += !status && phase == VSDK_VCPU_HELD;
        ok(vsdk_vm_resume(m.vm, E));
    }
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.reason, VSDK_EXIT_KICKED, "a wrong value at %#llx",
                 (unsigned long long)runner.last.address);
    cr_assert(held > 0);
}

static int has_entered(void *user)
{
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    return counters.runs > *(uint64_t *)user;
}

Test(settle, with_a_run_inside_in_pause_is_busy)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    uint64_t runs = 1;

    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 5);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    runner_start(&runner);
    wait_for(has_entered, &runs, "the run");
    fails(BUSY, settle());
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 5);
}

/* A part that no device answers is the embedder's: it is told, and the machine is paused. */
Test(settle, stops_at_the_next_fragment)
{
    const uint64_t at = MMIO + 0xffc;
    uint64_t got;

    need(m.host, VSDK_CAPABILITY_COMPLETE_EXACT);
    machine_start(&m, &guest_copy, &(vsdk_x86_regs){.rbx = at, .rdi = RESULT});
    cr_assert_eq(run(&m)->address, at);
    cr_assert_eq(m.exit->width, 4, "width %u", m.exit->width);
    answer(m.exit, 0x11111111);
    fails(STATE, settle());
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    cr_assert_eq(m.exit->address, MMIO + 0x1000);
    answer(m.exit, 0x22222222);
    ok(settle());
    expect_phase(VSDK_VCPU_HELD);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_end(&m);
    ok(vsdk_vm_read(m.vm, RESULT, &got, 8, E));
    cr_assert_eq(got, 0x2222222211111111);
}

static uint64_t read_threes(void *user, vsdk_device *device, const vsdk_access *access)
{
    ++*(int *)user;
    return 0x33333333;
}

/* One that a device answers is finished while the device is still started. */
Test(settle, gives_the_next_fragment_to_its_device)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .read = read_threes};
    static int reads;
    vsdk_device *device = make_device(m.vm, &ops, &reads, 0);
    uint64_t got;

    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, MMIO + 0x1000, 0x1000, 0, E));
    machine_start(&m, &guest_copy, &(vsdk_x86_regs){.rbx = MMIO + 0xffc, .rdi = RESULT});
    answer(run(&m), 0x11111111);
    ok(settle());
    expect_phase(VSDK_VCPU_HELD);
    if (is_exact())
        cr_assert_eq(reads, 1);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_end(&m);
    cr_assert_eq(reads, 1);
    ok(vsdk_vm_read(m.vm, RESULT, &got, 8, E));
    cr_assert_eq(got, 0x3333333311111111);
    vsdk_device_close(device);
}
