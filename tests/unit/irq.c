/* SPDX-License-Identifier: Apache-2.0 */
#include "core_rig.h"

static struct core_rig rig;

static void begin(void)
{
    rig_make(&rig);
}

static void end(void)
{
    rig_end(&rig);
}

TestSuite(irq, .init = begin, .fini = end);

struct lines {
    uint32_t changes, gsi, level, releases, twice;
    vsdk_irq *again; /* pulsed once inside the callback */
    char trace[32];
};

static void set_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
    struct lines *lines = user;
    vsdk_irq *again = lines->again;

    cr_assert_eq(vm, rig.vm);
    lines->twice += lines->gsi == gsi && lines->level == level && lines->changes;
    lines->trace[lines->changes++ % sizeof lines->trace] = level ? '1' : '0';
    lines->gsi = gsi;
    lines->level = level;
    lines->again = NULL;
    if (again)
        ok(vsdk_irq_pulse(again, NULL));
}

static void release(void *user)
{
    ((struct lines *)user)->releases++;
}

static vsdk_irq *line(uint32_t gsi)
{
    vsdk_irq *irq;

    ok(vsdk_irq_create(rig.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = gsi},
                       &irq, NULL));
    return irq;
}

Test(irq, handles_are_ored)
{
    struct lines lines = {0};
    vsdk_irq *a = line(5), *b = line(5);

    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, set_line, &lines, release, NULL));
    ok(vsdk_irq_raise(a, NULL));
    ok(vsdk_irq_raise(a, NULL));
    ok(vsdk_irq_raise(b, NULL));
    cr_assert_eq(lines.changes, 1);
    cr_assert_eq(lines.gsi, 5);
    ok(vsdk_irq_lower(a, NULL));
    ok(vsdk_irq_lower(a, NULL));
    ok(vsdk_irq_pulse(a, NULL));
    cr_assert_eq(lines.changes, 1);
    vsdk_irq_close(b);
    cr_assert_eq(lines.level, 0);
    ok(vsdk_irq_pulse(a, NULL));
    cr_assert_eq(lines.changes, 4);
    cr_assert_eq(lines.twice, 0);
    vsdk_irq_close(a);
    cr_assert_eq(lines.changes, 4);
    ok(vsdk_vm_destroy(rig.vm, NULL));
    cr_assert_eq(lines.releases, 1);
}

Test(irq, a_controller_may_pulse_the_line_that_it_is_told_of)
{
    struct lines lines = {0};
    vsdk_irq *a = line(5);

    lines.again = line(5);
    vsdk_irq *b = lines.again;
    ok(vsdk_irq_controller_attach(rig.vm, 0, 24, set_line, &lines, NULL, NULL));
    ok(vsdk_irq_pulse(a, NULL));
    cr_assert_str_eq(lines.trace, "10");
    lines = (struct lines){.again = b};
    lines.level = 1;
    ok(vsdk_irq_raise(a, NULL));
    ok(vsdk_irq_lower(a, NULL));
    cr_assert_str_eq(lines.trace, "10");
    lines = (struct lines){0};
    ok(vsdk_irq_raise(a, NULL));
    lines.again = b;
    ok(vsdk_irq_lower(a, NULL));
    cr_assert_str_eq(lines.trace, "1010");
    vsdk_irq_close(a);
    vsdk_irq_close(b);
}

Test(irq, lines_need_a_controller)
{
    struct lines lines = {0};
    vsdk_irq *irq = line(30), *top = line(1023), *none;

    fails(LIMIT,
          vsdk_irq_create(rig.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 1024},
                          &none, E));
    cr_assert_null(none);
    fails(NOT_FOUND, vsdk_irq_raise(irq, E));
    fails(NOT_FOUND, vsdk_irq_lower(irq, E));
    fails(NOT_FOUND, vsdk_irq_pulse(irq, E));
    ok(vsdk_irq_controller_attach(rig.vm, 24, 8, set_line, &lines, release, NULL));
    ok(vsdk_irq_raise(irq, NULL));
    cr_assert_eq(lines.changes, 1);
    ok(vsdk_irq_controller_detach(rig.vm, 24, NULL));
    cr_assert_eq(lines.releases, 1);
    fails(NOT_FOUND, vsdk_irq_lower(irq, E));
    vsdk_irq_close(irq);
    vsdk_irq_close(top);
}

Test(irq, controllers_do_not_overlap)
{
    struct lines lines = {0};

    ok(vsdk_irq_controller_attach(rig.vm, 8, 8, set_line, &lines, release, NULL));
    fails(EXISTS, vsdk_irq_controller_attach(rig.vm, 15, 2, set_line, &lines, release, E));
    fails(EXISTS, vsdk_irq_controller_attach(rig.vm, 0, 9, set_line, &lines, release, E));
    cr_assert_eq(lines.releases, 2);
    fails(LIMIT, vsdk_irq_controller_attach(rig.vm, 1000, 25, set_line, &lines, release, E));
    fails(LIMIT,
          vsdk_irq_controller_attach(rig.vm, UINT32_MAX, UINT32_MAX, set_line, &lines, release, E));
    fails(INVALID_ARGUMENT, vsdk_irq_controller_attach(rig.vm, 0, 0, set_line, &lines, release, E));
    fails(INVALID_ARGUMENT, vsdk_irq_controller_attach(rig.vm, 0, 1, NULL, &lines, release, E));
    fails(INVALID_ARGUMENT, vsdk_irq_controller_attach(NULL, 0, 1, set_line, &lines, release, E));
    cr_assert_eq(lines.releases, 7);
    ok(vsdk_irq_controller_attach(rig.vm, 0, 8, set_line, &lines, release, NULL));
    fails(NOT_FOUND, vsdk_irq_controller_detach(rig.vm, 9, E));
    ok(vsdk_irq_controller_detach(rig.vm, 8, NULL));
    ok(vsdk_irq_controller_detach(rig.vm, 0, NULL));
    cr_assert_eq(lines.releases, 9);
    ok(vsdk_vm_destroy(rig.vm, NULL));
    fails(GONE, vsdk_irq_controller_attach(rig.vm, 0, 8, set_line, &lines, release, E));
    fails(GONE, vsdk_irq_controller_detach(rig.vm, 0, E));
    cr_assert_eq(lines.releases, 10);
}

Test(irq, messages_are_checked)
{
    struct core_rig bare = {0};

    fails(INVALID_ARGUMENT, vsdk_vm_send_msi(NULL, 0xfee00000, 0x40, E));
    fails(INVALID_ARGUMENT, vsdk_vm_send_msi(rig.vm, 0xfed00000, 0x40, E));
    fails(INVALID_ARGUMENT, vsdk_vm_send_msi(rig.vm, 0x1fee00000, 0x40, E));
    fails(INVALID_ARGUMENT, vsdk_vm_send_msi(rig.vm, 0xfee00000, 0x0f, E));
    ok(vsdk_vm_send_msi(rig.vm, 0xfee00000, 0x40, NULL));
    ok(vsdk_vm_create(rig.host, NULL, &bare.vm, NULL));
    fails(STATE, vsdk_vm_send_msi(bare.vm, 0xfee00000, 0x40, E));
    vsdk_vm_close(bare.vm);
    ok(vsdk_vm_destroy(rig.vm, NULL));
    fails(GONE, vsdk_vm_send_msi(rig.vm, 0xfee00000, 0x40, E));
}

Test(irq, a_destroyed_machine_answers_gone)
{
    struct lines lines = {0};
    vsdk_irq *irq = line(3), *none;

    ok(vsdk_irq_controller_attach(rig.vm, 0, 8, set_line, &lines, release, NULL));
    ok(vsdk_irq_raise(irq, NULL));
    ok(vsdk_vm_destroy(rig.vm, NULL));
    fails(GONE, vsdk_irq_raise(irq, E));
    fails(GONE, vsdk_irq_lower(irq, E));
    fails(GONE, vsdk_irq_pulse(irq, E));
    fails(GONE,
          vsdk_irq_create(rig.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 3},
                          &none, E));
    vsdk_irq_close(irq);
    cr_assert_eq(lines.changes, 1);
}
