/* SPDX-License-Identifier: Apache-2.0 */
/* More than one processor: started by INIT and SIPI, each on a thread of its own. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>

static struct machine m;
static vsdk_vcpu *second;

static void setup(void)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 2};

    machine_make_with(&m, &config);
    ok(vsdk_vcpu_create(m.vm, 1, NULL, &second, E));
}

static void teardown(void)
{
    machine_end(&m);
    vsdk_vcpu_close(second);
}

TestSuite(smp, .init = setup, .fini = teardown);

static void load(const struct guest *first, const struct guest *other)
{
    machine_load(&m, first, 0, NULL);
    ok(vsdk_vm_write(m.vm, SECOND_CODE, other->code, (uint64_t)(other->end - other->code), E));
    ok(vsdk_vm_resume(m.vm, E));
}

Test(smp, both_are_counted)
{
    vsdk_vm_info info = {.size = sizeof info};

    ok(vsdk_vm_get_info(m.vm, &info, E));
    cr_assert_eq(info.vcpus, 2);
    cr_assert_eq(info.vcpus_max, 2);
}

static int until_three(struct runner *runner, vsdk_exit *exit)
{
    uint64_t *next = runner->user;

    if (exit->reason != VSDK_EXIT_PIO || exit->address != PORT_SECOND || exit->value != ++*next)
        return 0;
    return *next < 3;
}

Test(smp, second_waits_for_init_and_sipi)
{
    uint64_t next = 0;
    struct runner runner = {.vcpu = second, .on_exit = until_three, .user = &next};

    load(&guest_second, &guest_second_start);
    runner_start(&runner);
    cr_assert_eq(run_to_end(&m), 0x5a);
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.address, PORT_SECOND, "%s", vsdk_exit_reason_name(runner.last.reason));
    cr_assert_eq(next, 3);
}

Test(smp, one_that_waits_for_sipi_can_be_kicked)
{
    load(&guest_spin, &guest_second_start);
    ok(vsdk_vcpu_kick(second, E));
    ok(vsdk_vcpu_run(second, VSDK_FOREVER, E));
    cr_assert_eq(vsdk_vcpu_record(second)->reason, VSDK_EXIT_KICKED);
    cr_assert_eq(vsdk_vcpu_record(second)->detail, VSDK_KICK_REQUEST);
    ok(vsdk_vcpu_run(second, 3000000, E));
    cr_assert_eq(vsdk_vcpu_record(second)->detail, VSDK_KICK_DEADLINE);
}

Test(smp, one_that_waits_for_sipi_ends_with_the_machine)
{
    struct runner runner = {.vcpu = second};

    load(&guest_spin, &guest_second_start);
    runner_start(&runner);
    sleep_ms(3);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 6, 0, E));
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.reason, VSDK_EXIT_STOP);
    cr_assert_eq(runner.last.value, 6);
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_STOP);
}

Test(smp, destroy_ends_both_runs)
{
    struct runner first = {.vcpu = m.vcpu}, other = {.vcpu = second};

    load(&guest_spin, &guest_second_start);
    runner_start(&first);
    runner_start(&other);
    wait_for_vcpu(m.vcpu, VSDK_VCPU_IN_GUEST);
    ok(vsdk_vm_destroy(m.vm, E));
    runner_join(&first);
    runner_join(&other);
    cr_assert_eq(first.status, VSDK_ERROR_GONE);
    cr_assert_eq(other.status, VSDK_ERROR_GONE);
}

static int flag_is_up(void *user)
{
    (void)user;
    return m.memory[FLAG] == 0x5a;
}

static int count_exits(struct runner *runner, vsdk_exit *exit)
{
    (void)exit;
    atomic_fetch_add((atomic_int *)runner->user, 1);
    return 1;
}

/* Pause holds both, one in the guest and one on its way through exits. */
Test(smp, pause_holds_both)
{
    atomic_int exits = 0;
    struct runner first = {
        .vcpu = m.vcpu, .until_kicked = 1, .on_exit = count_exits, .user = &exits};
    struct runner other = {
        .vcpu = second, .until_kicked = 1, .on_exit = count_exits, .user = &exits};

    load(&guest_second, &guest_second_start);
    runner_start(&first);
    runner_start(&other);
    wait_for(flag_is_up, NULL, "the second processor");
    for (int i = 0; i < 5; i++) {
        vsdk_vcpu_phase state;
        int at;

        ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
        ok(vsdk_vcpu_get_phase(m.vcpu, &state, E));
        cr_assert_neq(state, VSDK_VCPU_IN_GUEST);
        ok(vsdk_vcpu_get_phase(second, &state, E));
        cr_assert_neq(state, VSDK_VCPU_IN_GUEST);
        sleep_ms(2);
        at = atomic_load(&exits);
        sleep_ms(2);
        cr_assert(atomic_load(&exits) - at <= 1, "it runs in PAUSED");
        ok(vsdk_vm_resume(m.vm, E));
    }
    ok(vsdk_vcpu_kick(m.vcpu, E));
    ok(vsdk_vcpu_kick(second, E));
    runner_join(&first);
    runner_join(&other);
    ok(first.status);
    ok(other.status);
}

/* The first takes interrupts, the second is not there yet and drops what is for it. */
Test(smp, messages_find_their_processor)
{
    load(&guest_interrupts, &guest_second_start);
    run_to_write(&m, PORT_READY);
    ok(vsdk_vm_send_msi(m.vm, 0xfee00000 | 2 << 12, VECTOR_SECOND, E));
    ok(vsdk_vm_send_msi(m.vm, 0xfee00000, VECTOR, E));
    cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, VECTOR);
    ok(vsdk_vm_send_msi(m.vm, 0xfee00000, VECTOR, E));
    cr_assert_eq(run_to_write(&m, PORT_IRQ)->value, VECTOR);
}

static atomic_int inside, together, of_the_other;

/* What the second counts is never 0x5a for long, which is what the first writes. */
static void write_alone(void *user, vsdk_device *device, const vsdk_access *access)
{
    atomic_int *writes = user;

    if (access->vcpu != second && (access->vcpu != m.vcpu || access->value != 0x5a))
        atomic_fetch_add(&of_the_other, 1);
    if (atomic_fetch_add(&inside, 1))
        atomic_store(&together, 1);
    sleep_ms(1);
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&writes[access->value == 0x5a], 1);
}

static int is_done(void *user)
{
    atomic_int *writes = user;

    return atomic_load(&writes[0]) >= 10 && atomic_load(&writes[1]) >= 10;
}

/* Two processors on one device: its lock lets one callback in at a time. */
Test(smp, device_is_entered_by_one_at_a_time)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = write_alone};
    static atomic_int writes[2];
    struct runner first = {.vcpu = m.vcpu}, other = {.vcpu = second};
    vsdk_device *device = make_device(m.vm, &ops, writes, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_SECOND, 1, 0, E));
    load(&guest_second_and_out, &guest_second_start);
    runner_start(&first);
    runner_start(&other);
    wait_for(is_done, writes, "ten writes of each");
    ok(vsdk_device_detach(device, E));
    runner_join(&first);
    runner_join(&other);
    ok(first.status);
    ok(other.status);
    cr_assert_eq(first.last.address, PORT_SECOND);
    cr_assert_eq(other.last.address, PORT_SECOND);
    cr_assert(!atomic_load(&together));
    cr_assert(!atomic_load(&of_the_other), "an access names the vCPU that did not make it");
    vsdk_device_close(device);
}
