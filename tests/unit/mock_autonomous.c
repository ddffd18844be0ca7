/* SPDX-License-Identifier: Apache-2.0 */
/* What only mock-autonomous does. */
#include "mock_rig.h"
#include <criterion/criterion.h>
#include <string.h>

static uint64_t counted(const rig *r)
{
    uint64_t count;

    memcpy(&count, r->memory + DATA, sizeof count);
    return count;
}

static void any_call(rig *r)
{
    vsdk_x86_cpuid_entry entry;

    r->host.ops->vcpu_get_cpuid(&r->vcpu[0], 0, 0, &entry, NULL);
}

Test(autonomous, executes_when_it_is_called)
{
    rig r = {0};

    rig_open(&r, 1);
    rig_load(&r, &guest_count_loop, 3, 0);
    any_call(&r);
    cr_assert_eq(counted(&r), 0);
    rig_start(&r);
    any_call(&r);
    uint64_t first = counted(&r);
    any_call(&r);
    cr_assert_gt(counted(&r), first);
    cr_assert_eq(r.host.ops->vm_pause(&r.vm, NULL), VSDK_OK);
    first = counted(&r);
    any_call(&r);
    cr_assert_eq(counted(&r), first);
    rig_close(&r);
}

static void counts(uint64_t seed, uint64_t *to, int calls)
{
    rig r = {.seed = seed};

    rig_open(&r, 1);
    rig_load(&r, &guest_count_loop, 3, 0);
    rig_start(&r);
    for (int i = 0; i < calls; i++) {
        any_call(&r);
        to[i] = counted(&r);
    }
    rig_close(&r);
}

Test(autonomous, one_seed_is_one_schedule)
{
    uint64_t a[20], b[20], c[20];

    counts(1, a, 20);
    counts(1, b, 20);
    counts(2, c, 20);
    cr_assert_arr_eq(a, b, sizeof a);
    cr_assert_arr_neq(a, c, sizeof a);
}

Test(autonomous, goes_on_after_its_answer_without_a_run)
{
    vsdk_x86_regs regs;
    rig r = {0};

    rig_open(&r, 1);
    /* in al, dx; mov [rbx], al; again: inc dword [rbx+8]; jmp again */
    rig_code(&r, "\xec\x88\x03\xff\x43\x08\xeb\xfb", 8, 3);
    const backend_ops *ops = r.host.ops;
    ops->vcpu_get_regs(&r.vcpu[0], &regs, NULL);
    regs.rbx = DATA;
    regs.rdx = PORT_BYTE;
    ops->vcpu_set_regs(&r.vcpu[0], &regs, NULL);
    rig_start(&r);
    rig_answer(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 7);
    cr_assert_eq(ops->vcpu_get_regs(&r.vcpu[0], &regs, NULL), VSDK_OK);
    for (int i = 0; i < 5; i++)
        any_call(&r);
    cr_assert_eq(r.memory[DATA], 0);
    atomic_store(&r.vcpu[0].requests, REQUEST_KICK);
    rig_run(&r, 0);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
    cr_assert_eq(ops->vcpu_get_regs(&r.vcpu[0], &regs, NULL), VSDK_ERROR_STATE);
    for (int i = 0; i < 5; i++)
        any_call(&r);
    cr_assert_eq(r.memory[DATA], 7);
    cr_assert_neq(r.memory[DATA + 8], 0);
    rig_close(&r);
}

Test(autonomous, an_exit_waits_for_its_run)
{
    rig r = {0};

    rig_open(&r, 1);
    rig_load(&r, &guest_pio_echo, 3, 0);
    rig_start(&r);
    for (int i = 0; i < 5; i++)
        any_call(&r);
    atomic_store(&r.vcpu[0].requests, REQUEST_KICK | REQUEST_HOLD);
    rig_run(&r, 0);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
    atomic_store(&r.vcpu[0].requests, REQUEST_KICK);
    rig_answer(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 9);
    rig_run(&r, 0);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
    atomic_store(&r.vcpu[0].requests, 0);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 9);
    rig_close(&r);
}

Test(autonomous, memory_reads_zero_after_destroy)
{
    rig r = {0};

    rig_open(&r, 1);
    rig_load(&r, &guest_count_loop, 3, 0);
    r.host.ops->vm_destroy(&r.vm);
    for (size_t i = 0; i < RIG_RAM_BYTES; i += 512)
        cr_assert_eq(r.memory[i], 0);
    r.host.ops->vcpu_destroy(&r.vcpu[0]);
    r.host.ops->ram_free(&r.ram);
    r.host.ops->vm_free(&r.vm);
    r.host.ops->host_close(&r.host);
}

/* The second processor stands at an exit while the first ends the guest. */
Test(autonomous, the_end_is_told_when_exits_are_answered)
{
    rig r = {.vcpu_count = 2};
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;

    rig_open(&r, 1);
    const backend_ops *ops = r.host.ops;
    rig_load(&r, &guest_smp, 0, 1);
    rig_start(&r);
    do {
        rig_run_for(&r, 1, 1000000);
    } while (r.exits[1].reason == VSDK_EXIT_KICKED);
    cr_assert_eq(r.exits[1].value, 2);
    cr_assert_eq(ops->vm_pause(&r.vm, NULL), VSDK_OK);
    memcpy(r.memory + CODE, "\x0f\x0b", 2);
    cr_assert_eq(ops->vcpu_get_sregs(&r.vcpu[0], &sregs, NULL), VSDK_OK);
    start_set_long_mode(&sregs, 0);
    start_set_regs(&regs, 0);
    cr_assert_eq(ops->vcpu_set_sregs(&r.vcpu[0], &sregs, NULL), VSDK_OK);
    cr_assert_eq(ops->vcpu_set_regs(&r.vcpu[0], &regs, NULL), VSDK_OK);
    rig_start(&r);
    rig_run_for(&r, 0, 2000000);
    cr_assert_eq(r.exits[0].reason, VSDK_EXIT_KICKED);
    rig_run(&r, 1);
    cr_assert_eq(r.exits[1].reason, VSDK_EXIT_CRASH);
    rig_run(&r, 0);
    cr_assert_eq(r.exits[0].reason, VSDK_EXIT_CRASH);
    rig_close(&r);
}
