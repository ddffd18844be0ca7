/* Pause: the guest is held, accesses stay unfinished, devices are quiet. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(pause, .init = setup, .fini = teardown);

static int is_exact(void)
{
    return capability(m.host, VSDK_CAPABILITY_COMPLETE_EXACT) != VSDK_ANSWER_NO;
}

static uint64_t counter(void)
{
    uint64_t value;
    ok(vsdk_vm_read(m.vm, RESULT, &value, 8, E));
    return value;
}

static int has_counted(void *above)
{
    return counter() > *(uint64_t *)above;
}

Test(pause, guest_stands_and_goes_on)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    uint64_t at = 0;

    machine_start(&m, &guest_count, &(vsdk_x86_regs){.rbx = RESULT});
    runner_start(&runner);
    for (int i = 0; i < 3; i++) {
        vsdk_vcpu_phase state;

        wait_for(has_counted, &at, "the guest to go on");
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        at = counter();
        ok(vsdk_vcpu_get_phase(m.vcpu, &state, E));
        cr_assert_eq(state, VSDK_VCPU_HELD);
        sleep_ms(3);
        cr_assert_eq(counter(), at, "the guest went on in PAUSED");
        ok(vsdk_vm_resume(m.vm, E));
    }
    wait_for(has_counted, &at, "the guest to go on");
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    ok(runner.status);
}

/* Not calling run is no pause on an autonomous host, and pause is one on every host. */
Test(pause, works_with_nobody_inside)
{
    uint64_t at;

    machine_start(&m, &guest_count, &(vsdk_x86_regs){.rbx = RESULT});
    ok(vsdk_vcpu_run(m.vcpu, 2000000, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    at = counter();
    sleep_ms(3);
    cr_assert_eq(counter(), at);
    ok(vsdk_vm_resume(m.vm, E));
    do
        ok(vsdk_vcpu_run(m.vcpu, 2000000, E));
    while (counter() == at);
}

Test(pause, unanswered_read_is_answered_after_the_resume)
{
    machine_start(&m, &guest_echo, NULL);
    for (uint64_t value = 1; value < 6; value++) {
        const vsdk_exit *exit = run_to_read(&m, PORT_IN);

        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        if (value % 2)
            answer(exit, value);
        ok(vsdk_vm_resume(m.vm, E));
        if (!(value % 2))
            answer(exit, value);
        cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, value);
    }
}

static void expect_at_exit(void)
{
    vsdk_vcpu_phase state;

    ok(vsdk_vcpu_get_phase(m.vcpu, &state, E));
    cr_assert_eq(state, VSDK_VCPU_AT_EXIT, "%s", vsdk_vcpu_phase_name(state));
}

Test(pause, an_unfinished_access_is_at_exit_in_every_state)
{
    machine_start(&m, &guest_echo, NULL);
    run_to_read(&m, PORT_IN);
    expect_at_exit();
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_at_exit();
    ok(vsdk_vm_resume(m.vm, E));
    expect_at_exit();
}

/* KICKED takes the record's place; the answer that was in it is not lost. */
static void expect_kicked_in_pause(vsdk_kick_detail detail)
{
    ok(vsdk_vcpu_run(m.vcpu, 1000000, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    cr_assert_eq(m.exit->detail, detail);
}

static void answer_and_be_kicked_in_pause(uint64_t value)
{
    answer(run_to_read(&m, PORT_IN), value);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_kicked_in_pause(VSDK_KICK_DEADLINE);
    expect_kicked_in_pause(VSDK_KICK_DEADLINE);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    expect_kicked_in_pause(VSDK_KICK_REQUEST);
}

Test(pause, runs_in_it_keep_the_answer)
{
    machine_start(&m, &guest_echo, NULL);
    answer_and_be_kicked_in_pause(0x1234);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0x1234);
}

Test(pause, runs_in_it_keep_the_answer_for_complete)
{
    vsdk_x86_regs regs;

    need(m.host, VSDK_CAPABILITY_COMPLETE_EXACT);
    machine_start(&m, &guest_echo, NULL);
    answer_and_be_kicked_in_pause(0x1234);
    ok(vsdk_vcpu_complete(m.vcpu, E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    cr_assert_eq(regs.rax, 0x1234);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0x1234);
}

static void note_value(void *user, vsdk_device *device, const vsdk_access *access)
{
    *(uint64_t *)user = access->value;
}

/* Whether a device answered is known of each access anew. */
Test(pause, an_access_after_a_claimed_one_stays_unfinished)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = note_value};
    uint64_t echoed = 0;
    vsdk_device *device = make_device(m.vm, &ops, &echoed, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_ECHO, 4, 0, E));
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 1);
    answer(run_to_read(&m, PORT_IN), 2);
    cr_assert_eq(echoed, 1);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    expect_kicked_in_pause(VSDK_KICK_DEADLINE);
    expect_at_exit();
    ok(vsdk_vm_resume(m.vm, E));
    run_to_read(&m, PORT_IN);
    cr_assert_eq(echoed, 2);
    vsdk_device_close(device);
}

Test(pause, unanswered_memory_read_is_answered_after_the_resume)
{
    machine_start(&m, &guest_echo_mmio, &(vsdk_x86_regs){.rbx = MMIO});
    for (uint64_t value = 1; value < 4; value++) {
        const vsdk_exit *exit = run(&m);

        cr_assert_eq(exit->reason, VSDK_EXIT_MMIO);
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        ok(vsdk_vm_resume(m.vm, E));
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        answer(exit, value);
        ok(vsdk_vm_resume(m.vm, E));
        cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, value);
    }
}

/* Another thread pauses while the runner is on its way; the runner's exits stay complete. */
static int answer_next(struct runner *runner, vsdk_exit *exit)
{
    uint64_t *state = runner->user; /* the last answer, how many to go */

    if (exit->direction == VSDK_DIRECTION_READ) {
        answer(exit, ++state[0]);
        return 1;
    }
    if (exit->value != (state[0] & 0xffffffff))
        state[2]++;
    return --state[1] > 0;
}

Test(pause, from_another_thread_loses_no_access)
{
    uint64_t state[3] = {0, 300, 0};
    struct runner runner = {.vcpu = m.vcpu, .on_exit = answer_next, .user = state};

    machine_start(&m, &guest_echo, NULL);
    runner_start(&runner);
    for (int i = 0; i < 20; i++) {
        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
        ok(vsdk_vm_resume(m.vm, E));
    }
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(state[2], 0, "%llu wrong answers", (unsigned long long)state[2]);
}

struct requester {
    vsdk_status status;
    atomic_int calls, pauses, resumes;
};

static void request_pause(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct requester *requester = user;

    if (access->value == 3)
        requester->status = vsdk_vm_pause_request(m.vm, NULL);
    atomic_fetch_add(&requester->calls, 1);
}

static void note_pause(void *user)
{
    atomic_fetch_add(&((struct requester *)user)->pauses, 1);
}

static void note_resume(void *user)
{
    atomic_fetch_add(&((struct requester *)user)->resumes, 1);
}

static const vsdk_device_ops requester_ops = {.size = sizeof requester_ops,
                                              .write = request_pause,
                                              .pause = note_pause,
                                              .resume = note_resume};

Test(pause, requested_by_a_callback_takes_effect_after_it)
{
    struct requester requester = {.status = 1};
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    vsdk_device *device = make_device(m.vm, &requester_ops, &requester, 0);
    int calls;

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&m, &guest_out_forever, NULL);
    runner_start(&runner);
    wait_for_vm(m.vm, VSDK_VM_PAUSED);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(requester.status);
    calls = atomic_load(&requester.calls);
    cr_assert(calls >= 3);
    sleep_ms(3);
    cr_assert_eq(atomic_load(&requester.calls), calls, "a callback ran in PAUSED");
    cr_assert_eq(atomic_load(&requester.pauses), 1);
    cr_assert_eq(atomic_load(&requester.resumes), 0);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(atomic_load(&requester.resumes), 1);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    vsdk_device_close(device);
}

Test(pause, devices_are_not_told_in_created)
{
    struct requester requester = {0};
    vsdk_device *device = make_device(m.vm, &requester_ops, &requester, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    machine_start(&m, &guest_out_forever, NULL);
    cr_assert_eq(atomic_load(&requester.pauses) + atomic_load(&requester.resumes), 0);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert_eq(atomic_load(&requester.pauses), 1);
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(atomic_load(&requester.resumes), 1);
    vsdk_device_close(device);
}

Test(pause, request_is_withdrawn_by_resume)
{
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    ok(vsdk_vm_pause_request(m.vm, E));
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 2);
    ok(vsdk_vm_pause_request(m.vm, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
}

/* A device whose callback asks for a pause and then waits, and one whose timer the pause keeps
 * quiet. */
struct waiting {
    atomic_int asked, go_on, ticks;
};

static void ask_and_wait(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct waiting *waiting = user;

    if (atomic_load(&waiting->asked))
        return;
    vsdk_vm_pause_request(m.vm, NULL);
    atomic_store(&waiting->asked, 1);
    while (!atomic_load(&waiting->go_on))
        sleep_ms(1);
}

static void count_tick(void *user)
{
    atomic_fetch_add(&((struct waiting *)user)->ticks, 1);
}

static int has_asked(void *user)
{
    return atomic_load(&((struct waiting *)user)->asked);
}

static vsdk_loop *own_loop(void)
{
    vsdk_loop *loop = NULL;

    loop = vsdk_vm_loop(m.vm, E);
    return loop;
}

Test(pause, request_that_is_withdrawn_leaves_nothing_behind)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = ask_and_wait};
    struct waiting waiting = {0};
    struct runner runner = {.vcpu = m.vcpu};
    vsdk_device *device = make_device(m.vm, &ops, &waiting, 0);
    vsdk_device *other = make_device(m.vm, &(vsdk_device_ops){.size = sizeof ops}, NULL, 0);
    vsdk_timer *timer = NULL;

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 1, 0, E));
    ok(vsdk_timer_create(own_loop(), other, count_tick, &waiting, NULL, &timer, E));
    machine_start(&m, &guest_widths_out, NULL);
    runner_start(&runner);
    wait_for(has_asked, &waiting, "the callback");
    ok(vsdk_timer_arm(timer, 0, 0, E));
    ok(vsdk_loop_dispatch(own_loop(), 2000000, NULL, E));
    cr_assert_eq(atomic_load(&waiting.ticks), 0, "a timer fired while a pause was coming");
    ok(vsdk_vm_resume(m.vm, E));
    atomic_store(&waiting.go_on, 1);
    while (!atomic_load(&waiting.ticks))
        ok(vsdk_loop_dispatch(own_loop(), UINT64_MAX, NULL, E));
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.address, PORT_OUT);
    cr_assert_eq(runner.last.width, 2);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
    vsdk_timer_close(timer);
    vsdk_device_close(other);
    vsdk_device_close(device);
}

struct slow {
    atomic_int inside, left;
};

static void write_slowly(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct slow *slow = user;

    atomic_store(&slow->inside, 1);
    sleep_ms(20);
    atomic_store(&slow->left, 1);
}

static int is_inside(void *user)
{
    return atomic_load(&((struct slow *)user)->inside);
}

Test(pause, waits_for_a_running_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = write_slowly};
    struct slow slow = {0};
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    vsdk_device *device = make_device(m.vm, &ops, &slow, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&m, &guest_out_forever, NULL);
    runner_start(&runner);
    wait_for(is_inside, &slow, "the callback");
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert(atomic_load(&slow.left), "pause returned while a callback was running");
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    vsdk_device_close(device);
}

static void set_line_slowly(void *user, uint32_t gsi, uint32_t level)
{
    write_slowly(user, 0, gsi, 1, level);
}

static void *raise_line(void *irq)
{
    vsdk_irq_raise(irq, NULL);
    return NULL;
}

/* Of a controller, which is no device. */
Test(pause, waits_for_a_callback_of_another_thread)
{
    struct slow slow = {0};
    vsdk_irq *irq = NULL;
    pthread_t thread;

    ok(vsdk_irq_controller_attach(m.vm, 0, 24, set_line_slowly, &slow, NULL, E));
    ok(vsdk_irq_create(m.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 3}, &irq,
                       E));
    machine_start(&m, &guest_spin, NULL);
    cr_assert(pthread_create(&thread, NULL, raise_line, irq) == 0);
    wait_for(is_inside, &slow, "the callback");
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert(atomic_load(&slow.left), "pause returned while a callback was running");
    pthread_join(thread, NULL);
    vsdk_irq_close(irq);
}

Test(pause, drain_finishes_what_is_answered)
{
    vsdk_x86_regs regs;

    fails(STATE, vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 0x77665544);
    fails(STATE, vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    if (is_exact()) {
        ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
        ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
        cr_assert_eq(regs.rax, 0x77665544);
        cr_assert_eq(regs.rip, CODE + 2, "RIP is %#llx", (unsigned long long)regs.rip);
        regs.rax = 0x11;
        ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
        ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    } else {
        fails(UNSUPPORTED, vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    }
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, is_exact() ? 0x11 : 0x77665544);
}

Test(pause, drain_without_an_access_does_nothing)
{
    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vcpu_run(m.vcpu, 1000000, E));
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
}

static int has_entered(void *user)
{
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    (void)user;
    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    return counters.runs > 0;
}

Test(pause, drain_with_a_run_inside_is_busy)
{
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    runner_start(&runner);
    wait_for(has_entered, NULL, "the run");
    fails(BUSY, vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
}

Test(pause, drain_stops_at_the_next_fragment)
{
    const uint64_t at = MMIO + 0xffc;
    uint64_t got;

    need(m.host, VSDK_CAPABILITY_COMPLETE_EXACT);
    machine_start(&m, &guest_copy, &(vsdk_x86_regs){.rbx = at, .rdi = RESULT});
    cr_assert_eq(run(&m)->address, at);
    cr_assert_eq(m.exit->width, 4, "width %u", m.exit->width);
    answer(m.exit, 0x11111111);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    fails(STATE, vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->address, MMIO + 0x1000);
    answer(m.exit, 0x22222222);
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    ok(vsdk_vm_resume(m.vm, E));
    run_to_end(&m);
    ok(vsdk_vm_read(m.vm, RESULT, &got, 8, E));
    cr_assert_eq(got, 0x2222222211111111);
}

Test(pause, complete_finishes_one_access)
{
    vsdk_x86_regs regs;

    need(m.host, VSDK_CAPABILITY_COMPLETE_EXACT);
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 0xabcd);
    ok(vsdk_vcpu_complete(m.vcpu, E));
    ok(vsdk_vcpu_complete(m.vcpu, E));
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    cr_assert_eq(regs.rax, 0xabcd);
    regs.rax = 0x1234;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0x1234);
}

static uint64_t read_threes(void *user, vsdk_device *device, const vsdk_access *access)
{
    (void)user;
    return 0x33333333;
}

Test(pause, complete_gives_the_next_fragment_to_its_device)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .read = read_threes};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    uint64_t got;

    need(m.host, VSDK_CAPABILITY_COMPLETE_EXACT);
    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, MMIO + 0x1000, 0x1000, 0, E));
    machine_start(&m, &guest_copy, &(vsdk_x86_regs){.rbx = MMIO + 0xffc, .rdi = RESULT});
    answer(run(&m), 0x11111111);
    ok(vsdk_vcpu_complete(m.vcpu, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_NONE, "the next fragment came to the embedder");
    run_to_end(&m);
    ok(vsdk_vm_read(m.vm, RESULT, &got, 8, E));
    cr_assert_eq(got, 0x3333333311111111);
    vsdk_device_close(device);
}

Test(pause, completing_exactly_is_a_capability)
{
    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 0xabcd);
    if (is_exact())
        ok(vsdk_vcpu_complete(m.vcpu, E));
    else
        fails(UNSUPPORTED, vsdk_vcpu_complete(m.vcpu, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0xabcd);
}

Test(pause, destroyed_while_paused)
{
    machine_start(&m, &guest_echo, NULL);
    run_to_read(&m, PORT_IN);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_destroy(m.vm, E));
    fails(GONE, vsdk_vm_resume(m.vm, E));
}

Test(pause, stopped_while_paused)
{
    machine_start(&m, &guest_echo, NULL);
    run_to_read(&m, PORT_IN);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 3, 0, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_STOPPED);
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_STOP);
    cr_assert_eq(m.exit->value, 3);
}
