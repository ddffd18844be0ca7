/* SPDX-License-Identifier: Apache-2.0 */
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

/* Static wherever it is used: the end of the machine stops its devices. */
struct requester {
    vsdk_status status;
    atomic_int calls, starts, stops;
};

static void request_pause(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct requester *requester = user;

    if (access->value == 3)
        requester->status = vsdk_vm_pause_request(vsdk_device_vm(device), NULL);
    atomic_fetch_add(&requester->calls, 1);
}

static void note_start(void *user, vsdk_device *device)
{
    atomic_fetch_add(&((struct requester *)user)->starts, 1);
}

static vsdk_stop_answer note_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    atomic_fetch_add(&((struct requester *)user)->stops, 1);
    return VSDK_STOP_DONE;
}

static const vsdk_device_ops requester_ops = {
    .size = sizeof requester_ops, .write = request_pause, .start = note_start, .stop = note_stop};

Test(pause, requested_by_a_callback_takes_effect_after_it)
{
    static struct requester requester = {.status = 1};
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
    cr_assert_eq(atomic_load(&requester.stops), 1);
    cr_assert_eq(atomic_load(&requester.starts), 1);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(atomic_load(&requester.starts), 2);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
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

/* A device whose callback asks for a pause and then waits, and a timer of another one. */
struct waiting {
    struct requester of_other;
    atomic_int asked, go_on, ticks;
};

static void ask_and_wait(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct waiting *waiting = user;

    if (atomic_load(&waiting->asked))
        return;
    vsdk_vm_pause_request(vsdk_device_vm(device), NULL);
    atomic_store(&waiting->asked, 1);
    while (!atomic_load(&waiting->go_on))
        sleep_ms(1);
}

static void count_tick(void *user, vsdk_timer *timer)
{
    atomic_fetch_add(&((struct waiting *)user)->ticks, 1);
}

static int has_asked(void *user)
{
    return atomic_load(&((struct waiting *)user)->asked);
}

/* Until the pause comes to be devices go on; when it is withdrawn none has been told of it. */
Test(pause, request_that_is_withdrawn_leaves_nothing_behind)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = ask_and_wait};
    static struct waiting waiting;
    struct runner runner = {.vcpu = m.vcpu};
    vsdk_device *device = make_device(m.vm, &ops, &waiting, 0);
    vsdk_device *other = make_device(m.vm, &requester_ops, &waiting.of_other, 0);
    vsdk_timer *timer = NULL;

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 1, 0, E));
    ok(vsdk_device_add_range(other, VSDK_SPACE_PIO, PORT_READY, 1, 0, E));
    ok(vsdk_timer_create(loop_of(m.vm), other, count_tick, &waiting, NULL, &timer, E));
    machine_start(&m, &guest_widths_out, NULL);
    runner_start(&runner);
    wait_for(has_asked, &waiting, "the callback");
    ok(vsdk_timer_arm(timer, 0, 0, E));
    while (!atomic_load(&waiting.ticks))
        ok(vsdk_loop_dispatch(loop_of(m.vm), VSDK_FOREVER, NULL, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING, "paused while a callback runs");
    ok(vsdk_vm_resume(m.vm, E));
    atomic_store(&waiting.go_on, 1);
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.address, PORT_OUT);
    cr_assert_eq(runner.last.width, 2);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
    cr_assert_eq(atomic_load(&waiting.of_other.starts), 1);
    cr_assert_eq(atomic_load(&waiting.of_other.stops), 0);
    vsdk_timer_close(timer);
    vsdk_device_close(other);
    vsdk_device_close(device);
}

static void withdraw_own_request(void *user, vsdk_device *device, const vsdk_access *access)
{
    vsdk_status *got = user;

    if (access->value != 3)
        return;
    got[0] = vsdk_vm_pause_request(vsdk_device_vm(device), NULL);
    got[1] = vsdk_vm_resume(vsdk_device_vm(device), NULL);
}

/* A callback resumes nothing, but it may take a request back. */
Test(pause, request_is_withdrawn_in_a_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = withdraw_own_request};
    vsdk_status got[2] = {1, 1};
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    vsdk_device *device = make_device(m.vm, &ops, got, 0);
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&m, &guest_out_forever, NULL);
    runner_start(&runner);
    while (counters.claimed < 10)
        ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    ok(got[0]);
    ok(got[1]);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
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

struct entering {
    struct slow slow;
    vsdk_device *device;
};

static void *enter_slowly(void *user)
{
    struct entering *entering = user;

    if (vsdk_device_enter(entering->device, NULL) != VSDK_OK)
        return user;
    write_slowly(&entering->slow, entering->device, NULL);
    vsdk_device_leave(entering->device);
    return NULL;
}

static void wait_for_who_entered(uint32_t flags)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    struct entering entering = {.device = make_device(m.vm, &ops, NULL, flags)};
    pthread_t thread;
    void *failed;

    ok(vsdk_device_add_range(entering.device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    machine_start(&m, &guest_spin, NULL);
    cr_assert(pthread_create(&thread, NULL, enter_slowly, &entering) == 0);
    wait_for(is_inside, &entering.slow, "the thread");
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert(atomic_load(&entering.slow.left), "pause returned while a thread was in the device");
    pthread_join(thread, &failed);
    cr_assert(!failed);
    vsdk_device_close(entering.device);
}

Test(pause, waits_for_who_has_entered_a_device)
{
    wait_for_who_entered(0);
}

Test(pause, waits_for_who_has_entered_a_concurrent_device)
{
    wait_for_who_entered(VSDK_DEVICE_CONCURRENT);
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
