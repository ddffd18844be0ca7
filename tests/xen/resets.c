/* SPDX-License-Identifier: Apache-2.0 */
/* Guests that begin again, or go on after they had suspended themselves, and what is told of an end
 * beyond Xen's code for it. */
#include "rig.h"
#include <string.h>
#include <xen/sched.h>

enum { CALL_AT = 0x2000, NOT_A_CALL_AT = 0x3000, SOFT_RESET = SHUTDOWN_soft_reset };

static const struct ioreq read_a_port = {
    .type = IOREQ_TYPE_PIO, .dir = IOREQ_READ, .addr = 0x104, .size = 2, .count = 1};

static cpu_user_regs_x86_64_t *registers(struct rig *rig)
{
    return &rig_domain(rig)->context[0].x64.user_regs;
}

/* The processor has just executed what is at `address`: VMCALL or something else. */
static void stands_behind(struct rig *rig, uint64_t address)
{
    memcpy((uint8_t *)rig->ram.memory + CALL_AT, "\x0f\x01\xc1", 3);
    memcpy((uint8_t *)rig->ram.memory + NOT_A_CALL_AT, "\x0f\x01\xc2", 3);
    registers(rig)->rip = address + 3;
    registers(rig)->rax = 0;
}

static const vsdk_exit *shut_at(struct rig *rig, uint64_t address, int code)
{
    stands_behind(rig, address);
    fake_shut(rig_domain(rig), code);
    return rig_run(rig, PATIENCE_MS);
}

static void end(struct rig *rig)
{
    rig_end(rig);
    rig_check_nothing_left("in the end");
}

static void expect_alive(struct rig *rig)
{
    check(!rig_ops->vm_resume(&rig->vm, &rig_error), "%s", rig_error.message);
    check(rig_domain(rig)->pauses == 0, "%u pauses", rig_domain(rig)->pauses);
    check(rig_run(rig, 0)->reason == VSDK_EXIT_KICKED, "reason %u", rig->exit.reason);
    fake_request(rig_domain(rig), 0, read_a_port);
    check(rig_run(rig, PATIENCE_MS)->reason == VSDK_EXIT_PIO, "reason %u", rig->exit.reason);
    rig_run(rig, 0);
    fake_shut(rig_domain(rig), SHUTDOWN_reboot);
    check(rig_run(rig, PATIENCE_MS)->reason == VSDK_EXIT_RESET, "reason %u", rig->exit.reason);
}

static void reset(struct rig *rig)
{
    vsdk_x86_regs regs;

    check(!rig_ops->vm_reset(&rig->vm, &rig_error), "%s", rig_error.message);
    check(!rig_ops->vcpu_get_regs(&rig->vcpu, &regs, &rig_error) && regs.rip == 0xfff0 &&
              regs.rax == 0,
          "rip %#llx", (unsigned long long)regs.rip);
    regs.rip = 0x1234;
    check(!rig_ops->vcpu_set_regs(&rig->vcpu, &regs, &rig_error), "%s", rig_error.message);
}

/* With an access shown, and one that nobody has seen. */
static void at_an_access(void)
{
    for (int shown = 0; shown < 2; shown++) {
        struct rig rig;
        if (!rig_begin(&rig))
            return;
        fake_request(rig_domain(&rig), 0, read_a_port);
        if (shown)
            rig_run(&rig, PATIENCE_MS);
        rig_domain(&rig)->timers = 3;
        registers(&rig)->rax = 99;
        *(uint32_t *)rig.ram.memory = 0x5555;
        check(!rig_ops->vm_pause(&rig.vm, &rig_error), "%s", rig_error.message);
        reset(&rig);
        check(rig_domain(&rig)->requests[0].state == STATE_IORESP_READY, "the guest waits");
        check(rig_domain(&rig)->soft_resets == 1 && !rig_domain(&rig)->shut, "not reset");
        check(*(uint32_t *)rig.ram.memory == 0x5555, "memory is lost");
        expect_alive(&rig);
        check(registers(&rig)->rip == 0x1234 && registers(&rig)->rax == 0, "rip %#llx",
              (unsigned long long)registers(&rig)->rip);
        check(rig_domain(&rig)->timers == 0, "old timers run on: %u", rig_domain(&rig)->timers);
        check(rig_domain(&rig)->online == 1, "processors %x", rig_domain(&rig)->online);
        end(&rig);
    }
}

static void after_an_end(void)
{
    for (int taken = 0; taken < 2; taken++) {
        struct rig rig;
        rig_prepare(&rig);
        fake.virq_taken = taken;
        if (!rig_start(&rig))
            return;
        fake_shut(rig_domain(&rig), SHUTDOWN_crash);
        check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_CRASH, "reason %u", rig.exit.reason);
        reset(&rig);
        expect_alive(&rig);
        end(&rig);
    }
}

static void before_the_start(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    rig_ops->vm_pause(&rig.vm, &rig_error);
    reset(&rig);
    reset(&rig);
    check(rig_domain(&rig)->soft_resets == 1, "%u resets", rig_domain(&rig)->soft_resets);
    expect_alive(&rig);
    end(&rig);
}

static void of_a_domain_that_is_gone(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    rig_domain(&rig)->dying = 1;
    fake_shut(rig_domain(&rig), 0);
    rig_run(&rig, PATIENCE_MS);
    check(rig_ops->vm_reset(&rig.vm, &rig_error) == VSDK_ERROR_GONE, "a dead domain was reset");
    rig_domain(&rig)->dying = 0;
    end(&rig);
}

static void pauses_do_not_add_up(void)
{
    struct rig rig;

    if (!rig_begin(&rig))
        return;
    for (int i = 0; i < 2; i++)
        check(!rig_ops->vm_pause(&rig.vm, &rig_error), "%s", rig_error.message);
    check(rig_domain(&rig)->pauses == 1, "%u pauses", rig_domain(&rig)->pauses);
    for (int i = 0; i < 2; i++)
        check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
    check(rig_domain(&rig)->pauses == 0, "%u pauses", rig_domain(&rig)->pauses);
    end(&rig);
}

/* A second processor that ran in the last life waits to be started in the next. */
static void second_processor(void)
{
    struct rig rig;
    vsdk_exit exit;
    backend_vcpu other = {.index = 1, .exit = &exit};
    vsdk_x86_regs regs;

    if (!rig_begin(&rig))
        return;
    other.vm = &rig.vm;
    rig.list[1] = &other;
    check(!rig_ops->vcpu_create(&other, &rig_error), "%s", rig_error.message);
    check(!rig_ops->vcpu_is_halted(&other), "halted before it was started");
    rig_domain(&rig)->online = rig_domain(&rig)->initialised = 3;
    rig_domain(&rig)->context[1].x64.user_regs.rip = 0x4444;
    fake_request(rig_domain(&rig), 1, read_a_port);
    rig_ops->vm_pause(&rig.vm, &rig_error);
    reset(&rig);
    check(rig_domain(&rig)->requests[1].state == STATE_IORESP_READY, "the second waits");
    check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
    check(rig_domain(&rig)->online == 1, "processors %x", rig_domain(&rig)->online);
    check(!rig_ops->vcpu_is_halted(&other), "halted before it was started again");
    check(!rig_ops->vcpu_get_regs(&other, &regs, &rig_error) && regs.rip == 0xfff0, "rip %#llx",
          (unsigned long long)regs.rip);
    rig_domain(&rig)->context[1].x64.user_regs.rip = 0x4445;
    check(rig_ops->vcpu_is_halted(&other), "not halted");
    rig_ops->vm_destroy(&rig.vm);
    rig_ops->vcpu_destroy(&other);
    rig_ops->vcpu_destroy(&rig.vcpu);
    rig_ops->ram_free(&rig.ram);
    rig_ops->vm_free(&rig.vm);
    rig_ops->host_close(&rig.host);
    rig_check_nothing_left("in the end");
}

/* Whoever suspended by a hypercall gets 1 for an answer; who was stopped elsewhere, nothing. */
static void goes_on_after_suspending(void)
{
    static const uint64_t places[] = {CALL_AT, NOT_A_CALL_AT};

    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        if (!rig_begin(&rig))
            return;
        for (int again = 0; again < 2; again++) {
            check(shut_at(&rig, places[i], SHUTDOWN_suspend)->reason == VSDK_EXIT_SUSPEND,
                  "reason %u", rig.exit.reason);
            if (again)
                rig_ops->vm_pause(&rig.vm, &rig_error);
            check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
            check(rig_run(&rig, 0)->reason == VSDK_EXIT_KICKED, "reason %u", rig.exit.reason);
            check(registers(&rig)->rip == places[i] + 3 && registers(&rig)->rax == (i == 0),
                  "answer %llu", (unsigned long long)registers(&rig)->rax);
        }
        check(rig_domain(&rig)->resumed == 2, "%u", rig_domain(&rig)->resumed);
        expect_alive(&rig);
        end(&rig);
    }
}

static void halted_or_off(void)
{
    struct rig rig;
    vsdk_x86_regs regs;

    if (!rig_begin(&rig))
        return;
    check(!rig_ops->vcpu_is_halted(&rig.vcpu), "halted from the start");
    rig_domain(&rig)->online = 0;
    check(rig_ops->vcpu_is_halted(&rig.vcpu), "not halted");
    check(!rig_ops->vcpu_get_regs(&rig.vcpu, &regs, &rig_error) &&
              !rig_ops->vcpu_set_regs(&rig.vcpu, &regs, &rig_error),
          "%s", rig_error.message);
    check(rig_domain(&rig)->online == 1 && !rig_ops->vcpu_is_halted(&rig.vcpu), "down for ever");
    rig_domain(&rig)->online = 0;
    fake_shut(rig_domain(&rig), SHUTDOWN_poweroff);
    check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_HALTED &&
              rig.exit.flags & VSDK_EXIT_TERMINAL,
          "reason %u", rig.exit.reason);
    reset(&rig);
    check(!rig_ops->vm_resume(&rig.vm, &rig_error), "%s", rig_error.message);
    fake_shut(rig_domain(&rig), SHUTDOWN_poweroff);
    check(rig_run(&rig, PATIENCE_MS)->reason == VSDK_EXIT_POWEROFF, "reason %u", rig.exit.reason);
    end(&rig);
}

static void kinds_of_crashes(void)
{
    static const struct kind {
        uint64_t address;
        int code;
        vsdk_exit_reason reason;
        uint64_t detail;
        int from_log;
    } kinds[] = {
        {CALL_AT, SHUTDOWN_crash, VSDK_EXIT_CRASH, VSDK_CRASH_PANIC, 0},
        {NOT_A_CALL_AT, SHUTDOWN_crash, VSDK_EXIT_CRASH, VSDK_CRASH_UNKNOWN, 1},
        {CALL_AT, SOFT_RESET, VSDK_EXIT_SOFT_RESET, 0, 0},
        {NOT_A_CALL_AT, SOFT_RESET, VSDK_EXIT_CRASH, VSDK_CRASH_TRIPLE_FAULT, 1},
    };

    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *kind = &kinds[i];
        struct rig rig;
        const vsdk_exit *exit;
        if (!rig_begin(&rig))
            return;
        check(rig_domain(&rig)->domid == 5, "the number is %u", rig_domain(&rig)->domid);
        fake.log = "(XEN) d55v0 nonsense\n(XEN) d4v1 other\n(XEN) d5v0 Triple fault\nHVM5 saved\n";
        exit = shut_at(&rig, kind->address, kind->code);
        check(exit->reason == kind->reason && exit->detail == kind->detail &&
                  exit->native == (uint64_t)kind->code,
              "kind %u: reason %u detail %llu", i, exit->reason, (unsigned long long)exit->detail);
        check(!strstr(rig_log, "nonsense") && !strstr(rig_log, "other"), "another's: %s", rig_log);
        check(!!strstr(rig_log, "d5v0 Triple fault") == kind->from_log, "kind %u: log: %s", i,
              rig_log);
        rig_log[0] = 0;
        rig_run(&rig, PATIENCE_MS);
        check(!rig_log[0], "told twice: %s", rig_log);
        end(&rig);
    }
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"reset at an access", at_an_access},
        {"reset after an end", after_an_end},
        {"reset of what was not started", before_the_start},
        {"reset of a domain that another destroyed", of_a_domain_that_is_gone},
        {"reset with a second processor", second_processor},
        {"pauses do not add up", pauses_do_not_add_up},
        {"a suspended guest goes on", goes_on_after_suspending},
        {"all processors halted, or the power is off", halted_or_off},
        {"crashes: by the guest's word, a triple fault, by Xen", kinds_of_crashes},
    };

    rig_init();
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
