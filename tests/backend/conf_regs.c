/* SPDX-License-Identifier: Apache-2.0 */
/* Registers: general, segment and control, FPU, CPUID; and when they can be reached. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(regs, .init = setup, .fini = teardown);
TestSuite(cpuid);

Test(regs, begin_in_the_reset_state)
{
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;

    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    cr_assert_eq(regs.rip, 0xfff0);
    cr_assert_eq(regs.rflags, 2);
    cr_assert_eq(sregs.cs.base, 0xffff0000);
    cr_assert_eq(sregs.cs.selector, 0xf000);
    cr_assert_eq(sregs.cr0 & 0x80000001, 0, "protected or paged");
    cr_assert_eq(sregs.efer, 0);
}

static vsdk_x86_regs some_regs(void)
{
    return (vsdk_x86_regs){.rax = 0x1111111111111111,
                           .rbx = 0x2222222222222222,
                           .rcx = 0x3333333333333333,
                           .rdx = 0x4444444444444444,
                           .rsi = 0x5555555555555555,
                           .rdi = 0x6666666666666666,
                           .rsp = STACK,
                           .rbp = 0x7777777777777777,
                           .r8 = 8,
                           .r9 = 9,
                           .r10 = 10,
                           .r11 = 11,
                           .r12 = 12,
                           .r13 = 13,
                           .r14 = 14,
                           .r15 = UINT64_MAX,
                           .rip = CODE,
                           .rflags = 2};
}

Test(regs, general_registers_round_trip)
{
    vsdk_x86_regs set = some_regs(), got;

    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &set, sizeof(vsdk_x86_regs), E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &got, sizeof(vsdk_x86_regs), E));
    cr_assert(memcmp(&set, &got, sizeof got) == 0);
}

Test(regs, general_registers_reach_the_guest)
{
    vsdk_x86_regs set = some_regs(), got;

    set.rbx = RESULT;
    machine_start(&m, &guest_put, &set);
    run_to_end(&m);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &got, sizeof(vsdk_x86_regs), E));
    got.rip = set.rip;
    got.rsp = set.rsp;
    got.rflags = set.rflags;
    cr_assert(memcmp(&set, &got, sizeof got) == 0);
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT), set.r8);
}

static void expect_segment(const vsdk_x86_segment *a, const vsdk_x86_segment *b, const char *name)
{
    cr_assert(a->base == b->base && a->limit == b->limit && a->selector == b->selector &&
                  (a->access & ~1u) == (b->access & ~1u),
              "%s: base %#llx limit %#x selector %#x access %#x, set %#llx %#x %#x %#x", name,
              (unsigned long long)b->base, b->limit, b->selector, b->access,
              (unsigned long long)a->base, a->limit, a->selector, a->access);
}

Test(regs, segment_and_control_registers_round_trip)
{
    vsdk_x86_sregs set, got;

    machine_load(&m, &guest_spin, 0, NULL);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &set, sizeof(vsdk_x86_sregs), E));
    set.fs.base = 0x123456789a;
    set.gs.base = 0x7fff00001000;
    set.cr2 = 0xdeadbeef000;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &set, sizeof(vsdk_x86_sregs), E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &got, sizeof(vsdk_x86_sregs), E));
    expect_segment(&set.cs, &got.cs, "cs");
    expect_segment(&set.ss, &got.ss, "ss");
    expect_segment(&set.ds, &got.ds, "ds");
    expect_segment(&set.fs, &got.fs, "fs");
    expect_segment(&set.gs, &got.gs, "gs");
    expect_segment(&set.tr, &got.tr, "tr");
    cr_assert(memcmp(&set.gdt, &got.gdt, sizeof got.gdt) == 0);
    cr_assert(memcmp(&set.idt, &got.idt, sizeof got.idt) == 0);
    cr_assert_eq(got.cr0, set.cr0);
    cr_assert_eq(got.cr2, set.cr2);
    cr_assert_eq(got.cr3, PAGE_TABLES);
    cr_assert_eq(got.cr4, set.cr4);
    cr_assert_eq(got.efer, set.efer);
}

/* Flips bits of the registers that the machine has and that are sound. */
static void refuse_flipped(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    vsdk_x86_sregs sregs;

    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    sregs.cr0 ^= cr0;
    sregs.cr4 ^= cr4;
    sregs.efer ^= efer;
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
}

Test(regs, contradicting_control_registers_are_refused)
{
    const uint64_t pe = 1, pg = UINT64_C(1) << 31, pae = 1 << 5, lme = 1 << 8, lma = 1 << 10;
    vsdk_x86_sregs before, after;

    machine_load(&m, &guest_out_forever, native_cpl(m.host), NULL);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &before, sizeof(vsdk_x86_sregs), E));
    refuse_flipped(pg, 0, 0);
    refuse_flipped(pe, 0, 0);
    refuse_flipped(pe, 0, lme | lma);
    refuse_flipped(UINT64_C(1) << 32, 0, 0);
    refuse_flipped(0, pae, 0);
    refuse_flipped(0, 0, lme);
    refuse_flipped(0, 0, lma);
    refuse_flipped(pg, 0, lme);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &after, sizeof(vsdk_x86_sregs), E));
    cr_assert(memcmp(&before, &after, sizeof after) == 0, "a refused call changed something");
    ok(vsdk_vm_resume(m.vm, E));
    run_to_write(&m, PORT_OUT);
}

Test(regs, fpu_round_trips)
{
    static vsdk_x86_fpu set, got;

    need(m.host, VSDK_CAPABILITY_FPU);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &set, sizeof(vsdk_x86_fpu), E));
    for (unsigned i = 0; i < sizeof set.xmm; i++)
        set.xmm[i] = (uint8_t)(i * 7 + 1);
    set.fcw = 0x37f;
    set.mxcsr = 0x1f80;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &set, sizeof(vsdk_x86_fpu), E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &got, sizeof(vsdk_x86_fpu), E));
    cr_assert(memcmp(set.xmm, got.xmm, sizeof got.xmm) == 0);
    cr_assert_eq(got.fcw, 0x37f);
    cr_assert_eq(got.mxcsr, 0x1f80);
    set.mxcsr = 0xffff0000;
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &set, sizeof(vsdk_x86_fpu), E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &got, sizeof(vsdk_x86_fpu), E));
    cr_assert_eq(got.mxcsr, 0x1f80);
}

Test(regs, fpu_is_a_capability)
{
    static vsdk_x86_fpu fpu;

    if (capability(m.host, VSDK_CAPABILITY_FPU) == VSDK_ANSWER_NO) {
        fails(UNSUPPORTED,
              vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
        fails(UNSUPPORTED,
              vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    } else {
        ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
        ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    }
}

/* A guest that stopped itself with `cli; hlt` goes on with the registers that it is given. Where
 * the last processor that does so ends the guest that is not possible. */
Test(regs, given_to_a_halted_processor_start_it)
{
    if (is_autonomous(m.host))
        return;
    machine_load(&m, &guest_halt_for_good, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, 50000000, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    machine_load(&m, &guest_out_rax, 0, &(vsdk_x86_regs){.rax = 0x1234});
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, 5000000000u, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_PIO);
    cr_assert_eq(m.exit->value, 0x1234);
}

static void expect_all_refused(void)
{
    static vsdk_x86_sregs sregs;
    static vsdk_x86_regs regs;
    static vsdk_x86_fpu fpu;

    fails(STATE, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    fails(STATE, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    if (capability(m.host, VSDK_CAPABILITY_FPU) == VSDK_ANSWER_NO)
        return;
    fails(STATE, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
}

Test(regs, cannot_be_reached_in_the_guest)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};

    machine_start(&m, &guest_spin, NULL);
    runner_start(&runner);
    wait_for_vcpu(m.vcpu, VSDK_VCPU_IN_GUEST);
    expect_all_refused();
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
}

/* KICKED leaves a driven vCPU AT_EXIT and an autonomous one IN_GUEST. */
Test(regs, after_a_kick)
{
    vsdk_vcpu_phase state;
    vsdk_x86_regs regs;

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    ok(vsdk_vcpu_get_phase(m.vcpu, &state, E));
    if (is_autonomous(m.host)) {
        cr_assert_eq(state, VSDK_VCPU_IN_GUEST);
        fails(STATE, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    } else {
        cr_assert_eq(state, VSDK_VCPU_AT_EXIT);
        ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    }
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    cr_assert_eq(regs.rip, CODE);
}

static void expect_setting_refused(int general)
{
    static vsdk_x86_sregs sregs;
    static vsdk_x86_regs regs;
    static vsdk_x86_fpu fpu;

    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    if (general)
        fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    if (capability(m.host, VSDK_CAPABILITY_FPU) == VSDK_ANSWER_NO)
        return;
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
}

Test(regs, cannot_be_set_with_an_access_unfinished)
{
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 5);
    expect_setting_refused(1);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_setting_refused(1);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 5);
    expect_setting_refused(0);
}

/* What the advice names is there on this backend, and works. */
Test(regs, rip_changes_after_what_the_hint_says)
{
    int exact = capability(m.host, VSDK_CAPABILITY_COMPLETE_EXACT) != VSDK_ANSWER_NO;
    vsdk_x86_regs regs;

    machine_start(&m, &guest_out_rax, &(vsdk_x86_regs){.rax = 7});
    run_to_write(&m, PORT_OUT);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof regs, E));
    regs.rip = CODE + 64;
    fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof regs, E));
    cr_assert(strstr(E->hint, exact ? "vsdk_vcpu_complete" : "VSDK_PAUSE_SETTLE") != NULL, "%s",
              E->hint);
    if (exact) {
        ok(vsdk_vcpu_complete(m.vcpu, E));
    } else {
        fails(UNSUPPORTED, vsdk_vcpu_complete(m.vcpu, E));
        cr_assert(strstr(E->hint, "VSDK_PAUSE_SETTLE") != NULL, "%s", E->hint);
        ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    }
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof regs, E));
}

Test(regs, can_be_changed_in_pause)
{
    uint64_t here, there;
    vsdk_x86_regs regs;

    machine_start(&m, &guest_count, &(vsdk_x86_regs){.rbx = RESULT});
    do {
        ok(vsdk_vcpu_run(m.vcpu, 2000000, E));
        ok(vsdk_vm_read(m.vm, RESULT, &here, 8, E));
    } while (here == 0);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    cr_assert(regs.rip >= CODE && regs.rip < CODE + 16, "RIP is %#llx",
              (unsigned long long)regs.rip);
    regs.rbx = RESULT + 64;
    regs.rip = CODE;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    ok(vsdk_vm_read(m.vm, RESULT, &here, 8, E));
    ok(vsdk_vm_resume(m.vm, E));
    do {
        ok(vsdk_vcpu_run(m.vcpu, 2000000, E));
        ok(vsdk_vm_read(m.vm, RESULT + 64, &there, 8, E));
    } while (there == 0);
    ok(vsdk_vm_read(m.vm, RESULT, &there, 8, E));
    cr_assert_eq(there, here, "the guest used the old register");
}

struct coming {
    atomic_int runs, end;
};

static void *come_and_go(void *user)
{
    struct coming *coming = user;

    while (!atomic_load(&coming->end) && vsdk_vcpu_run(m.vcpu, 1, NULL) == VSDK_OK)
        atomic_fetch_add(&coming->runs, 1);
    return NULL;
}

/* In PAUSED a thread that comes into run and leaves it is in nobody's way. */
Test(regs, can_be_reached_in_pause_whoever_runs)
{
    struct coming coming = {0};
    pthread_t thread;
    vsdk_x86_regs regs;

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert(pthread_create(&thread, NULL, come_and_go, &coming) == 0);
    for (int i = 0; i < 200 || atomic_load(&coming.runs) < 200; i++)
        ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    atomic_store(&coming.end, 1);
    pthread_join(thread, NULL);
    cr_assert(atomic_load(&coming.runs) >= 200);
}

static void look_from_callback(void *user, vsdk_device *device, const vsdk_access *access)
{
    vsdk_x86_regs regs = {0};
    vsdk_status *got = user;

    got[0] = vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL);
    got[1] = (regs.rax & 0xff) == access->value ? VSDK_OK : VSDK_ERROR_RANGE;
    regs.rax = 100;
    got[2] = vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL);
}

Test(regs, of_a_guest_call_from_its_own_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = look_from_callback};
    vsdk_status got[3] = {1, 1, 1};
    vsdk_device *device = make_device(m.vm, &ops, got, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 1, 0, E));
    machine_start(&m, &guest_widths_out, NULL);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 100, "RAX was not set");
    ok(got[0]);
    ok(got[1]);
    ok(got[2]);
    vsdk_device_close(device);
}

Test(regs, pointers_are_checked)
{
    static vsdk_x86_sregs sregs;
    vsdk_x86_cpuid_entry entry;
    vsdk_vcpu_phase state;

    fails(INVALID_ARGUMENT,
          vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, NULL, sizeof(vsdk_x86_regs), E));
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, NULL, sizeof(vsdk_x86_regs), E));
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, NULL, sizeof(vsdk_x86_sregs), E));
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, NULL, sizeof(vsdk_x86_sregs), E));
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_get_state(NULL, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, NULL, sizeof(vsdk_x86_fpu), E));
    fails(INVALID_ARGUMENT,
          vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, NULL, sizeof(vsdk_x86_fpu), E));
    fails(INVALID_ARGUMENT, vsdk_x86_vcpu_get_cpuid(m.vcpu, 0, 0, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_x86_vcpu_get_cpuid(NULL, 0, 0, &entry, E));
    fails(INVALID_ARGUMENT, vsdk_vcpu_get_phase(m.vcpu, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_vcpu_get_phase(NULL, &state, E));
}

Test(cpuid, leaves_can_be_asked_for)
{
    struct machine other;
    vsdk_x86_cpuid_entry entry;

    machine_make(&other);
    ok(vsdk_x86_vcpu_get_cpuid(other.vcpu, 0, 0, &entry, E));
    cr_assert(entry.eax >= 1, "no basic leaves");
    ok(vsdk_x86_vcpu_get_cpuid(other.vcpu, 1, 0, &entry, E));
    cr_assert_eq(entry.ebx >> 24, 0, "the APIC id of the boot processor");
    fails(NOT_FOUND, vsdk_x86_vcpu_get_cpuid(other.vcpu, 0x7fffffff, 0, &entry, E));
    machine_end(&other);
}

Test(cpuid, apic_id_is_twice_the_index)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 2};
    vsdk_x86_cpuid_entry entry;
    vsdk_vcpu *second = NULL;
    struct machine other;

    machine_make_with(&other, &config);
    ok(vsdk_vcpu_create(other.vm, 1, NULL, &second, E));
    ok(vsdk_x86_vcpu_get_cpuid(second, 1, 0, &entry, E));
    cr_assert_eq(entry.ebx >> 24, 2);
    vsdk_vcpu_close(second);
    machine_end(&other);
}

static vsdk_x86_cpuid_entry entries[257];

Test(cpuid, can_be_chosen_before_the_first_processor)
{
    uint32_t count = 0;
    struct machine other;

    machine_make_bare(&other, NULL);
    ok(vsdk_x86_host_get_cpuid(other.host, entries, 256, &count, E));
    fails(INVALID_ARGUMENT, vsdk_x86_vm_set_cpuid(other.vm, NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_x86_vm_set_cpuid(other.vm, entries, 0, E));
    if (capability(other.host, VSDK_CAPABILITY_CPUID_SET) == VSDK_ANSWER_NO) {
        fails(UNSUPPORTED, vsdk_x86_vm_set_cpuid(other.vm, entries, count, E));
    } else {
        vsdk_x86_cpuid_entry entry;

        fails(LIMIT, vsdk_x86_vm_set_cpuid(other.vm, entries, 257, E));
        ok(vsdk_x86_vm_set_cpuid(other.vm, entries, count, E));
        machine_add_vcpu(&other);
        fails(STATE, vsdk_x86_vm_set_cpuid(other.vm, entries, count, E));
        ok(vsdk_x86_vcpu_get_cpuid(other.vcpu, 0, 0, &entry, E));
        machine_start(&other, &guest_out_forever, NULL);
        run_to_write(&other, PORT_OUT);
    }
    machine_end(&other);
}
