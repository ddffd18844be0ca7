/* SPDX-License-Identifier: Apache-2.0 */
/* vsdk_vm_run: the whole guest from one call. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
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

TestSuite(run, .init = setup, .fini = teardown);
TestSuite(run_bare);

enum { SHORT_NS = 20000000 };

static void end_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_GUEST_EXIT, access->value, 0, NULL);
}

/* A exit-port device of the test's own. */
static void attach_end(uint16_t port)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = end_write};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, port, 1, 0, E));
    vsdk_device_close(device);
}

Test(run, ends_with_the_guest)
{
    vsdk_exit end = {0};

    attach_end(PORT_END);
    machine_load(&m, &guest_widths_out, native_cpl(m.host), NULL);
    ok(vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_GUEST_EXIT);
    cr_assert_eq(end.value, 0x11);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_STOPPED);
    fails(STATE, vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &end, E));
}

Test(run, end_may_be_null)
{
    attach_end(PORT_END);
    machine_load(&m, &guest_widths_out, native_cpl(m.host), NULL);
    ok(vsdk_vm_run(m.vm, NULL, UINT64_MAX, NULL, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_STOPPED);
}

Test(run, unclaimed_reads_are_ones)
{
    vsdk_exit end;

    attach_end(PORT_END);
    machine_load(&m, &guest_mmio_in, native_cpl(m.host),
                 &(vsdk_x86_regs){.rbx = MMIO, .rdi = RESULT});
    ok(vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT + 24), UINT64_MAX);
    cr_assert_eq(*(uint64_t *)(m.memory + RESULT), 0x11223344556677ff);
}

Test(run, timeout_leaves_it_paused_and_it_goes_on)
{
    uint64_t before, after;
    vsdk_exit end;

    machine_load(&m, &guest_count, native_cpl(m.host), &(vsdk_x86_regs){.rbx = RESULT});
    do {
        ok(vsdk_vm_run(m.vm, NULL, SHORT_NS, &end, E));
        cr_assert_eq(end.reason, VSDK_EXIT_KICKED);
        cr_assert_eq(end.detail, VSDK_KICK_DEADLINE);
        cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
        ok(vsdk_vm_read(m.vm, RESULT, &before, 8, E));
    } while (before == 0);
    do {
        ok(vsdk_vm_run(m.vm, NULL, SHORT_NS, &end, E));
        ok(vsdk_vm_read(m.vm, RESULT, &after, 8, E));
    } while (after == before);
    cr_assert(after > before);
}

Test(run, cancel_before_makes_it_return)
{
    vsdk_exit end;

    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    ok(vsdk_vm_run_cancel(m.vm, E));
    ok(vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_KICKED);
    cr_assert_eq(end.detail, VSDK_KICK_REQUEST);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    ok(vsdk_vm_run(m.vm, NULL, SHORT_NS, &end, E));
    cr_assert_eq(end.detail, VSDK_KICK_DEADLINE, "one cancel, two returns");
    fails(INVALID_ARGUMENT, vsdk_vm_run_cancel(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_vm_run(NULL, NULL, 1, &end, E));
}

Test(run, without_time_returns_at_once)
{
    vsdk_exit end;

    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    ok(vsdk_vm_run(m.vm, NULL, 0, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_KICKED);
    cr_assert_eq(end.detail, VSDK_KICK_DEADLINE);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
}

/* What the embedder gets in a run, and how it answers. */
struct exits {
    char text[512];
    uint64_t reply;
    uint64_t last_port; /* after an access there the run ends */
    uint32_t stop;      /* by stopping the guest instead */
    atomic_int released;
};

static vsdk_run_answer take_exit(void *user, vsdk_vcpu *vcpu, vsdk_exit *exit)
{
    struct exits *exits = user;
    size_t used = strlen(exits->text);

    cr_assert(vcpu == m.vcpu && exit == m.exit);
    snprintf(exits->text + used, sizeof exits->text - used, "%s%c%llx.%u%s ",
             exit->reason == VSDK_EXIT_PIO    ? "p"
             : exit->reason == VSDK_EXIT_MMIO ? "m"
                                              : vsdk_exit_reason_name(exit->reason),
             exit->direction == VSDK_DIRECTION_READ ? 'r' : 'w', (unsigned long long)exit->address,
             exit->width, exit->tag ? "!" : "");
    if (exit->direction == VSDK_DIRECTION_READ)
        answer(exit, exits->reply);
    if (exit->address != exits->last_port)
        return VSDK_RUN_GO_ON;
    if (exits->stop)
        vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 33, 0, NULL);
    return exits->stop ? VSDK_RUN_GO_ON : VSDK_RUN_END;
}

static void release_exits(void *user)
{
    atomic_fetch_add(&((struct exits *)user)->released, 1);
}

static vsdk_run_config config_of(struct exits *exits)
{
    return (vsdk_run_config){.size = sizeof(vsdk_run_config),
                             .exit = take_exit,
                             .user = exits,
                             .release = release_exits};
}

static void ignore_write(void *user, vsdk_device *device, const vsdk_access *access)
{
}

/* What a device claims does not come; what is tagged or nobody's does, in order. */
Test(run, gives_what_nobody_claims_to_its_callback)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = ignore_write};
    struct exits exits = {.last_port = PORT_END};
    vsdk_run_config config = config_of(&exits);
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    vsdk_exit end;

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 1, 0, E));
    ok(vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, PORT_WIDE, 2, 5, E));
    machine_load(&m, &guest_widths_out, native_cpl(m.host), NULL);
    ok(vsdk_vm_run(m.vm, &config, VSDK_FOREVER, &end, E));
    cr_assert_str_eq(exits.text, "pw84.2 pw84.4 pw1234.1! pw1234.2! pw1234.4 pwf4.1 ", "%s",
                     exits.text);
    cr_assert_eq(end.reason, VSDK_EXIT_PIO);
    cr_assert_eq(end.address, PORT_END);
    cr_assert_eq(end.value, 0x11);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    cr_assert_eq(atomic_load(&exits.released), 1);
    vsdk_device_close(device);
}

/* A run that its callback ended goes on where it was: at the answer that the callback gave. */
Test(run, answers_of_its_callback_reach_the_guest)
{
    struct exits exits = {.reply = 0x77, .last_port = PORT_IN};
    vsdk_run_config config = config_of(&exits);
    vsdk_exit end;

    machine_load(&m, &guest_echo, native_cpl(m.host), NULL);
    for (int i = 0; i < 3; i++) {
        ok(vsdk_vm_run(m.vm, &config, VSDK_FOREVER, &end, E));
        cr_assert_eq(end.address, PORT_IN);
        exits.reply++;
    }
    cr_assert_str_eq(exits.text, "pr81.4 pw82.4 pr81.4 pw82.4 pr81.4 ", "%s", exits.text);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 0x79);
}

Test(run, callback_may_stop_the_guest)
{
    struct exits exits = {.last_port = PORT_OUT, .stop = 1};
    vsdk_run_config config = config_of(&exits);
    vsdk_exit end;

    machine_load(&m, &guest_out_forever, native_cpl(m.host), NULL);
    ok(vsdk_vm_run(m.vm, &config, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_STOP);
    cr_assert_eq(end.value, 33);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_STOPPED);
}

Test(run, configuration_is_checked)
{
    struct exits exits = {.last_port = PORT_END};
    vsdk_run_config config = config_of(&exits);
    struct {
        vsdk_run_config config;
        uint64_t later;
    } longer = {.config = config, .later = 1};

    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    config.flags = 1;
    fails(INVALID_ARGUMENT, vsdk_vm_run(m.vm, &config, 1, NULL, E));
    cr_assert_eq(atomic_load(&exits.released), 1);
    config.flags = 0;
    config.reserved[1] = 1;
    fails(UNSUPPORTED, vsdk_vm_run(m.vm, &config, 1, NULL, E));
    config.reserved[1] = 0;
    longer.config.size = sizeof longer;
    fails(UNSUPPORTED, vsdk_vm_run(m.vm, &longer.config, 1, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_vm_run(NULL, &config, 1, NULL, E));
    cr_assert_eq(atomic_load(&exits.released), 4);
    config.size = 4;
    fails(INVALID_ARGUMENT, vsdk_vm_run(m.vm, &config, 1, NULL, E));
    config.size = sizeof config;
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    fails(STATE, vsdk_vm_run(m.vm, &config, 1, NULL, E));
    cr_assert_eq(atomic_load(&exits.released), 5);
}

/* `cli; hlt` is no power-off: a guest that panicked ends like that, by the same name everywhere. */
Test(run, guest_that_halts_for_good_has_halted)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_exit end;

    machine_load(&m, &guest_halt_for_good, 0, NULL);
    ok(vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_HALTED, "%s", vsdk_exit_reason_name(end.reason));
    cr_assert(end.flags & VSDK_EXIT_TERMINAL);
    ok(vsdk_vm_get_info(m.vm, &info, E));
    cr_assert_eq(info.state, VSDK_VM_STOPPED);
    cr_assert_eq(info.stop_reason, VSDK_EXIT_HALTED);
}

/* One that waits for an interrupt has not, however long it is silent. */
Test(run, guest_that_waits_for_an_interrupt_has_not_halted)
{
    vsdk_exit end;

    machine_load(&m, &guest_interrupts_halted, 0, NULL);
    ok(vsdk_vm_run(m.vm, NULL, 3 * UINT64_C(1000000000), &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_KICKED, "%s", vsdk_exit_reason_name(end.reason));
    cr_assert_eq(end.detail, VSDK_KICK_DEADLINE);
}

Test(run_bare, callback_gets_halts_where_nobody_can_wake)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_NONE};
    struct exits exits = {.last_port = PORT_OUT};
    vsdk_run_config run_config = config_of(&exits);
    vsdk_host *host = open_host();
    vsdk_exit end;

    need(host, VSDK_CAPABILITY_IRQCHIP_NONE);
    need(host, VSDK_CAPABILITY_HALT_EXIT);
    machine_make_on(&m, host, &config);
    machine_add_vcpu(&m);
    machine_load(&m, &guest_halt, 0, NULL);
    ok(vsdk_vm_run(m.vm, &run_config, VSDK_FOREVER, &end, E));
    cr_assert_str_eq(exits.text, "haltr0.0 pw84.1 ", "%s", exits.text);
    cr_assert_eq(end.address, PORT_OUT);
    machine_end(&m);
}

struct whole {
    vsdk_status status;
    vsdk_exit end;
    pthread_t thread;
};

static void *whole_main(void *user)
{
    struct whole *whole = user;

    whole->status = vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &whole->end, NULL);
    return NULL;
}

static void whole_start(struct whole *whole)
{
    cr_assert(pthread_create(&whole->thread, NULL, whole_main, whole) == 0);
    wait_for_vcpu(m.vcpu, VSDK_VCPU_IN_GUEST);
}

static int has_entered(void *user)
{
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    (void)user;
    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    return counters.runs > 0;
}

Test(run, cancel_ends_it_and_it_is_busy_meanwhile)
{
    struct whole whole = {0};

    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    whole_start(&whole);
    wait_for(has_entered, NULL, "the run");
    fails(BUSY, vsdk_vm_run(m.vm, NULL, 1, NULL, E));
    fails(BUSY, vsdk_vcpu_run(m.vcpu, 1, E));
    ok(vsdk_vm_run_cancel(m.vm, E));
    pthread_join(whole.thread, NULL);
    ok(whole.status);
    cr_assert_eq(whole.end.reason, VSDK_EXIT_KICKED);
    cr_assert_eq(whole.end.detail, VSDK_KICK_REQUEST);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
}

Test(run, stop_and_destroy_end_it)
{
    struct whole whole = {0};

    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    whole_start(&whole);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 4, 0, E));
    pthread_join(whole.thread, NULL);
    ok(whole.status);
    cr_assert_eq(whole.end.reason, VSDK_EXIT_STOP);
    cr_assert_eq(whole.end.value, 4);
    machine_end(&m);

    machine_make(&m);
    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    whole_start(&whole);
    ok(vsdk_vm_destroy(m.vm, E));
    pthread_join(whole.thread, NULL);
    cr_assert_eq(whole.status, VSDK_ERROR_GONE);
}

static void end_by_timer(void *user, vsdk_timer *timer)
{
    *(int *)user = 1;
    vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 8, 0, NULL);
}

Test(run, dispatches_the_loop_of_the_machine)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    vsdk_timer *timer = NULL;
    vsdk_exit end;
    int fired = 0;

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    ok(vsdk_timer_create(loop_of(m.vm), device, end_by_timer, &fired, NULL, &timer, E));
    ok(vsdk_timer_arm(timer, SHORT_NS / 10, 0, E));
    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    ok(vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.value, 8);
    cr_assert(fired);
    vsdk_timer_close(timer);
    vsdk_device_close(device);
}

static void run_again(void *user, vsdk_work *work)
{
    *(vsdk_status *)user = vsdk_vm_run(m.vm, NULL, 1, NULL, NULL);
    vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, NULL);
}

Test(run, from_a_callback_is_busy)
{
    vsdk_status got = VSDK_OK;
    vsdk_work *work = NULL;

    machine_load(&m, &guest_spin, native_cpl(m.host), NULL);
    ok(vsdk_work_create(loop_of(m.vm), NULL, run_again, &got, NULL, &work, E));
    ok(vsdk_work_post(work, E));
    ok(vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, NULL, E));
    cr_assert_eq(got, VSDK_ERROR_BUSY);
    vsdk_work_close(work);
}

Test(run_bare, all_processors_run)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 2};
    vsdk_vcpu *second = NULL;
    vsdk_exit end;

    machine_make_with(&m, &config);
    ok(vsdk_vcpu_create(m.vm, 1, NULL, &second, E));
    attach_end(PORT_SECOND);
    machine_load(&m, &guest_second, 0, NULL);
    ok(vsdk_vm_write(m.vm, SECOND_CODE, guest_second_start.code,
                     (uint64_t)(guest_second_start.end - guest_second_start.code), E));
    ok(vsdk_vm_run(m.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_GUEST_EXIT);
    cr_assert_eq(end.value, 1);
    machine_end(&m);
    vsdk_vcpu_close(second);
}

/* What nobody claims is told to the log, once an address. */
static atomic_int told;

static void count_log(void *user, vsdk_log_level level, const char *text)
{
    (void)user;
    if (level == VSDK_LOG_DEBUG && strstr(text, "84"))
        atomic_fetch_add(&told, 1);
}

Test(run_bare, unclaimed_accesses_are_told_once)
{
    vsdk_host_config config = {
        .size = sizeof config, .log = count_log, .log_level = VSDK_LOG_DEBUG};
    vsdk_host *host = NULL;
    vsdk_exit end;

    ok(vsdk_host_open(test_backend(), &config, &host, E));
    machine_make_on(&m, host, NULL);
    machine_add_vcpu(&m);
    machine_load(&m, &guest_out_forever, native_cpl(m.host), NULL);
    do
        ok(vsdk_vm_run(m.vm, NULL, SHORT_NS, &end, E));
    while (!atomic_load(&told));
    cr_assert(atomic_load(&told) == 1, "told %d times in one run", atomic_load(&told));
    machine_end(&m);
}
