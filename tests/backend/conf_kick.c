/* SPDX-License-Identifier: Apache-2.0 */
/* Kicks: sticky, coalescing, never lost and never spurious. */
#include "common.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(kick, .init = setup, .fini = teardown);

enum { SHORT_NS = 20000000, KICKERS = 3, TICKETS = 60, ROUNDS = 30000 };

/* The next run returns KICKED with this detail. */
static void expect_kicked(uint64_t timeout_ns, vsdk_kick_detail detail)
{
    vsdk_exit expected = {.reason = VSDK_EXIT_KICKED, .detail = detail};
    vsdk_exit got;

    ok(vsdk_vcpu_run(m.vcpu, timeout_ns, E));
    got = *m.exit;
    got.native = got.data = 0;
    got.flags &= (uint32_t)~VSDK_EXIT_REGS_SYNCED;
    cr_assert(memcmp(&got, &expected, sizeof got) == 0, "%s, detail %llu instead of %u",
              vsdk_exit_reason_name(got.reason), (unsigned long long)got.detail, detail);
}

Test(kick, before_a_run_is_kept)
{
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    expect_kicked(VSDK_FOREVER, VSDK_KICK_REQUEST);
    expect_kicked(SHORT_NS, VSDK_KICK_DEADLINE);
}

Test(kick, before_the_start_is_kept)
{
    ok(vsdk_vcpu_kick(m.vcpu, E));
    expect_kicked(VSDK_FOREVER, VSDK_KICK_REQUEST);
    machine_start(&m, &guest_spin, NULL);
    expect_kicked(SHORT_NS, VSDK_KICK_DEADLINE);
}

Test(kick, several_are_one)
{
    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < 10; i++)
        ok(vsdk_vcpu_kick(m.vcpu, E));
    expect_kicked(VSDK_FOREVER, VSDK_KICK_REQUEST);
    expect_kicked(SHORT_NS, VSDK_KICK_DEADLINE);
}

Test(kick, ends_a_run_under_way)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};

    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < 10; i++) {
        runner_start(&runner);
        if (i % 2)
            sleep_ms(1);
        ok(vsdk_vcpu_kick(m.vcpu, E));
        runner_join(&runner);
        ok(runner.status);
        cr_assert_eq(runner.last.detail, VSDK_KICK_REQUEST);
    }
    expect_kicked(SHORT_NS, VSDK_KICK_DEADLINE);
}

Test(kick, ends_a_run_that_waits_in_pause)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_kicked(SHORT_NS, VSDK_KICK_DEADLINE);
    runner_start(&runner);
    sleep_ms(1);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
}

/* Accesses and a kick: all come, each once and in order; the kick soon. */
Test(kick, never_cancels_an_access)
{
    uint64_t last = 0;

    machine_start(&m, &guest_out_forever, NULL);
    for (int i = 0; i < 20; i++) {
        ok(vsdk_vcpu_kick(m.vcpu, E));
        for (int exits = 0;; exits++) {
            ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
            if (m.exit->reason == VSDK_EXIT_KICKED)
                break;
            cr_assert_eq(m.exit->value, ++last);
            cr_assert(exits < 3, "the kick is late");
        }
        cr_assert_eq(run(&m)->value, ++last);
    }
}

/* An autonomous guest gets to its accesses between the runs; they come before the kicks. */
Test(kick, before_each_run_keeps_no_access_away)
{
    need(m.host, VSDK_CAPABILITY_AUTONOMOUS);
    machine_start(&m, &guest_out_forever, NULL);
    for (uint64_t value = 1; value < 5; value++) {
        do {
            ok(vsdk_vcpu_kick(m.vcpu, E));
            ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
        } while (m.exit->reason == VSDK_EXIT_KICKED);
        cr_assert_eq(m.exit->value, value);
    }
}

Test(kick, at_an_unanswered_read_keeps_the_read)
{
    machine_start(&m, &guest_echo, NULL);
    for (uint64_t value = 1; value <= 10; value++) {
        const vsdk_exit *exit = run_to_read(&m, PORT_IN);

        answer(exit, value);
        ok(vsdk_vcpu_kick(m.vcpu, E));
        ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
        if (m.exit->reason == VSDK_EXIT_KICKED)
            run(&m);
        cr_assert_eq(m.exit->address, PORT_ECHO);
        cr_assert_eq(m.exit->value, value, "the guest saw %#llx",
                     (unsigned long long)m.exit->value);
    }
}

static vsdk_vcpu *kicked_by_signal;

static void kick_in_handler(int number)
{
    (void)number;
    vsdk_vcpu_kick(kicked_by_signal, NULL);
}

static void ignore_signal(int number)
{
    (void)number;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    cr_assert(sigaction(number, &action, NULL) == 0);
}

static int until_request(struct runner *runner, vsdk_exit *exit)
{
    (void)runner, (void)exit;
    return 1;
}

/* A guest that runs by itself ends by itself, and kicks before every run do not hide it. */
Test(kick, before_every_run_does_not_keep_the_end)
{
    int again = is_autonomous(m.host);
    vsdk_x86_sregs sregs;

    machine_load(&m, &guest_crash, native_cpl(m.host), NULL);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    sregs.idt.limit = 0;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    ok(vsdk_vm_resume(m.vm, E));
    for (int i = 0; i < ROUNDS && !(m.exit->flags & VSDK_EXIT_TERMINAL); i++) {
        if (i == 0 || again)
            ok(vsdk_vcpu_kick(m.vcpu, E));
        ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
        sleep_ms(1);
    }
    cr_assert_eq(m.exit->reason, VSDK_EXIT_CRASH, "%s", vsdk_exit_reason_name(m.exit->reason));
}

Test(kick, from_a_signal_handler)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1, .on_exit = until_request};

    kicked_by_signal = m.vcpu;
    handle(SIGUSR1, kick_in_handler);
    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < 5; i++) {
        do {
            runner_start(&runner);
            pthread_kill((pthread_t)runner.thread, SIGUSR1);
            runner_join(&runner);
            ok(runner.status);
        } while (runner.last.detail == VSDK_KICK_SIGNAL);
        cr_assert_eq(runner.last.detail, VSDK_KICK_REQUEST);
    }
}

struct signalled {
    struct runner runner;
    atomic_int ended;
};

static void *run_once(void *user)
{
    struct signalled *s = user;

    s->runner.status = vsdk_vcpu_run(s->runner.vcpu, VSDK_FOREVER, NULL);
    s->runner.last = *vsdk_vcpu_record(s->runner.vcpu);
    atomic_store(&s->ended, 1);
    return NULL;
}

/* A signal may land outside the wait; so it is sent until one lands inside. The guest is halted:
 * the mocks wait for nothing else. */
static void expect_signal_is_told(void)
{
    struct signalled s = {.runner.vcpu = m.vcpu};
    pthread_t thread;

    handle(SIGUSR2, ignore_signal);
    cr_assert(pthread_create(&thread, NULL, run_once, &s) == 0);
    while (!atomic_load(&s.ended)) {
        pthread_kill(thread, SIGUSR2);
        sleep_ms(5);
    }
    pthread_join(thread, NULL);
    ok(s.runner.status);
    cr_assert_eq(s.runner.last.reason, VSDK_EXIT_KICKED);
    cr_assert_eq(s.runner.last.detail, VSDK_KICK_SIGNAL);
}

Test(kick, foreign_signal_is_told)
{
    machine_load(&m, &guest_interrupts_halted, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_write(&m, PORT_READY);
    expect_signal_is_told();
}

/* The write before it is over: RIP may be set. The signal came before the guest halted, and it
 * begins again at once, or after, and the interrupt returns to the beginning. */
Test(kick, registers_can_be_set_after_a_foreign_signal)
{
    vsdk_x86_regs regs;

    machine_load(&m, &guest_interrupts_halted, 0, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_write(&m, PORT_READY);
    expect_signal_is_told();
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    regs.rip = CODE;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vm_send_msi(m.vm, 0xfee00000, VECTOR, E));
    uint64_t first = run(&m)->address, second = run(&m)->address;
    cr_assert((first == PORT_IRQ && second == PORT_READY) ||
                  (first == PORT_READY && second == PORT_IRQ),
              "writes at %#llx and %#llx", (unsigned long long)first, (unsigned long long)second);
}

Test(kick, foreign_signal_is_told_before_the_start_and_in_pause)
{
    expect_signal_is_told();
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_signal_is_told();
}

Test(kick, deadline_passes_while_the_guest_exits)
{
    uint64_t last = 0;

    machine_start(&m, &guest_out_forever, NULL);
    for (int i = 0; i < 50; i++) {
        ok(vsdk_vcpu_run(m.vcpu, 1, E));
        if (m.exit->reason == VSDK_EXIT_KICKED) {
            cr_assert_eq(m.exit->detail, VSDK_KICK_DEADLINE);
            continue;
        }
        cr_assert_eq(m.exit->value, last + 1, "an exit was lost");
        last = m.exit->value;
    }
    cr_assert_eq(run(&m)->value, last + 1);
}

static void served(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user, (void)device, (void)access;
}

/* The guest is at its next access as soon as the device has served this one. */
Test(kick, deadline_passes_while_a_device_serves)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = served};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&m, &guest_out_forever, NULL);
    for (int i = 0; i < 3; i++) {
        ok(vsdk_vcpu_run(m.vcpu, 1000000, E));
        cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
        cr_assert_eq(m.exit->detail, VSDK_KICK_DEADLINE);
    }
    vsdk_device_close(device);
}

Test(kick, the_longest_deadline_is_none)
{
    machine_start(&m, &guest_out_forever, NULL);
    for (int i = 0; i < 10; i++) {
        ok(vsdk_vcpu_run(m.vcpu, UINT64_MAX, E));
        cr_assert_eq(m.exit->reason, VSDK_EXIT_PIO);
    }
}

/* Each kicker takes a ticket, kicks, and waits until run has returned KICKED with a ticket at least
 * its own. */
static atomic_ulong tickets, seen;
static atomic_int ended_kickers;

static void *kicker_main(void *user)
{
    vsdk_vcpu *vcpu = user;

    for (int i = 0; i < TICKETS; i++) {
        unsigned long ticket = atomic_fetch_add(&tickets, 1) + 1;

        if (vsdk_vcpu_kick(vcpu, NULL) != VSDK_OK)
            break;
        while (atomic_load(&seen) < ticket)
            sched_yield();
    }
    atomic_fetch_add(&ended_kickers, 1);
    return NULL;
}

Test(kick, tickets_are_neither_lost_nor_spurious)
{
    pthread_t kickers[KICKERS];
    unsigned long kicked = 0;

    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < KICKERS; i++)
        cr_assert(pthread_create(&kickers[i], NULL, kicker_main, m.vcpu) == 0);
    while (atomic_load(&seen) < KICKERS * TICKETS) {
        unsigned long taken;

        ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
        cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
        cr_assert_eq(m.exit->detail, VSDK_KICK_REQUEST);
        taken = atomic_load(&tickets);
        cr_assert(taken > kicked, "KICKED without a kick");
        atomic_store(&seen, taken);
        kicked++;
    }
    for (int i = 0; i < KICKERS; i++)
        pthread_join(kickers[i], NULL);
}

static int has_entered(void *user)
{
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    (void)user;
    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    return counters.runs > 0;
}

Test(kick, another_thread_inside_is_busy)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};

    machine_start(&m, &guest_spin, NULL);
    runner_start(&runner);
    wait_for(has_entered, NULL, "the run");
    fails(BUSY, vsdk_vcpu_run(m.vcpu, 1, E));
    fails(BUSY, vsdk_vcpu_complete(m.vcpu, E));
    fails(BUSY, vsdk_vm_run(m.vm, NULL, 1, NULL, E));
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
}

/* The library's thread of a run may be another one each time. */
Test(kick, run_moves_between_threads)
{
    struct runner runner = {.vcpu = m.vcpu};

    machine_start(&m, &guest_out_forever, NULL);
    for (uint64_t value = 1; value < 8; value++) {
        if (value % 2) {
            runner_start(&runner);
            runner_join(&runner);
            ok(runner.status);
            cr_assert_eq(runner.last.value, value);
        } else {
            cr_assert_eq(run_to_write(&m, PORT_OUT)->value, value);
        }
    }
}

/* Any process of the same user can use up the pending signals that the user may have. */
Test(kick, needs_no_room_for_signals)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    struct rlimit limit;

    cr_assert(getrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    limit.rlim_cur = 0;
    cr_assert(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < 3; i++) {
        runner_start(&runner);
        sleep_ms(10);
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        ok(vsdk_vm_resume(m.vm, E));
        sleep_ms(10);
        ok(vsdk_vcpu_kick(m.vcpu, E));
        runner_join(&runner);
        ok(runner.status);
        cr_assert_eq(runner.last.detail, VSDK_KICK_REQUEST);
    }
    runner_start(&runner);
    sleep_ms(10);
    ok(vsdk_vm_destroy(m.vm, E));
    runner_join(&runner);
    cr_assert_eq(runner.status, VSDK_ERROR_GONE);
}
