/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual machines: creation, states, the end, and GONE everywhere. */
#include "common.h"
#include <pthread.h>
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

TestSuite(vm, .init = setup, .fini = teardown);
TestSuite(vm_create);

static vsdk_status create_with(vsdk_host *host, const vsdk_vm_config *config)
{
    vsdk_vm *vm = (vsdk_vm *)1;
    vsdk_status status = vsdk_vm_create(host, config, &vm, E);

    if (status != VSDK_OK)
        cr_assert(vm == NULL, "the output of a failed create is not NULL");
    vsdk_vm_close(status == VSDK_OK ? vm : NULL);
    return status;
}

Test(vm_create, configuration_is_checked)
{
    vsdk_host *host = open_host();
    vsdk_vm_config config = {.size = sizeof config};

    ok(create_with(host, NULL));
    ok(create_with(host, &config));
    config.irqchip = 99;
    fails(INVALID_ARGUMENT, create_with(host, &config));
    config.irqchip = 0;
    config.flags = 0x80000000;
    fails(INVALID_ARGUMENT, create_with(host, &config));
    config.flags = 0;
    config.size = 4;
    fails(INVALID_ARGUMENT, create_with(host, &config));
    config.size = sizeof config;
    config.vcpus_max = (uint32_t)capability_value(host, VSDK_CAPABILITY_VCPUS_MAX) + 1;
    fails(LIMIT, create_with(host, &config));
    config.vcpus_max = UINT32_MAX;
    fails(LIMIT, create_with(host, &config));
    config.vcpus_max = 1;
    config.memory_max = UINT64_MAX;
    if (capability_value(host, VSDK_CAPABILITY_MEMORY_MAX))
        fails(LIMIT, create_with(host, &config));
    else
        ok(create_with(host, &config));
    vsdk_host_close(host);
}

Test(vm_create, interrupt_controller_is_a_capability)
{
    static const struct {
        vsdk_irqchip irqchip;
        vsdk_capability capability;
    } kinds[] = {{VSDK_IRQCHIP_PORTABLE, VSDK_CAPABILITY_IRQCHIP_PORTABLE},
                 {VSDK_IRQCHIP_KERNEL, VSDK_CAPABILITY_IRQCHIP_KERNEL},
                 {VSDK_IRQCHIP_NONE, VSDK_CAPABILITY_IRQCHIP_NONE}};
    vsdk_host *host = open_host();

    for (unsigned i = 0; i < 3; i++) {
        vsdk_vm_config config = {.size = sizeof config, .irqchip = kinds[i].irqchip};

        if (capability(host, kinds[i].capability) == VSDK_ANSWER_NO)
            fails(UNSUPPORTED, create_with(host, &config));
        else
            ok(create_with(host, &config));
    }
    cr_assert_neq(capability(host, VSDK_CAPABILITY_IRQCHIP_PORTABLE), VSDK_ANSWER_NO);
    vsdk_host_close(host);
}

/* Where there is none, the answer is not a console that stays silent. */
Test(vm_create, console_is_a_capability)
{
    vsdk_host *host = open_host();
    vsdk_vm_config config = {.size = sizeof config};
    vsdk_stream *ours;

    ok(vsdk_stream_create(NULL, &config.console, &ours, E));
    if (capability(host, VSDK_CAPABILITY_CONSOLE) == VSDK_ANSWER_NO) {
        fails(UNSUPPORTED, create_with(host, &config));
        cr_assert(!(vsdk_stream_ready(ours) & VSDK_STREAM_ENDED), "a refused console was closed");
        vsdk_stream_close(config.console);
    } else {
        ok(create_with(host, &config));
        cr_assert(!(vsdk_stream_ready(ours) & VSDK_STREAM_ENDED), "our reference was given back");
        vsdk_stream_close(config.console);
        cr_assert(vsdk_stream_ready(ours) & VSDK_STREAM_ENDED, "the machine's reference was not");
    }
    vsdk_stream_close(ours);
    vsdk_host_close(host);
}

enum { LEAF_HYPERVISOR = 0x40000000 };

static int on_xen(void)
{
    return strcmp(test_backend(), "xen") == 0;
}

/* Xen makes the leaf when the guest asks, and does not tell it. */
static int tells_of_hypervisor(const vsdk_vm_config *config)
{
    vsdk_x86_cpuid_entry entry;
    struct machine other;

    machine_make_with(&other, config);
    ok(vsdk_x86_vcpu_get_cpuid(other.vcpu, 1, 0, &entry, E));
    int bit = entry.ecx >> 31,
        leaf = !vsdk_x86_vcpu_get_cpuid(other.vcpu, LEAF_HYPERVISOR, 0, &entry, E);
    machine_end(&other);
    cr_assert_eq(leaf, bit && !on_xen(), "the bit is %d, the leaf is %sthere", bit,
                 leaf ? "" : "not ");
    return bit;
}

Test(vm_create, hypervisor_can_be_hidden_but_on_xen)
{
    vsdk_host *host = open_host();
    vsdk_vm_config config = {.size = sizeof config, .flags = VSDK_VM_HIDE_HYPERVISOR};

    cr_assert(tells_of_hypervisor(NULL));
    if (on_xen())
        fails(UNSUPPORTED, create_with(host, &config));
    else
        cr_assert(!tells_of_hypervisor(&config));
    vsdk_host_close(host);
}

Test(vm_create, several_live_side_by_side)
{
    struct machine two[3];

    for (int i = 0; i < 3; i++) {
        machine_make(&two[i]);
        machine_start(&two[i], &guest_out_forever, NULL);
    }
    for (int round = 1; round <= 3; round++)
        for (int i = 0; i < 3; i++)
            cr_assert_eq(run_to_write(&two[i], PORT_OUT)->value, (uint64_t)round);
    for (int i = 0; i < 3; i++)
        machine_end(&two[i]);
}

Test(vm, tells_about_itself)
{
    vsdk_vm_info info = {.size = sizeof info};

    ok(vsdk_vm_get_info(m.vm, &info, E));
    cr_assert_eq(info.state, VSDK_VM_CREATED);
    cr_assert_eq(info.vcpus, 1);
    cr_assert_eq(info.vcpus_max, 1);
    cr_assert_eq(info.irqchip, VSDK_IRQCHIP_PORTABLE);
    cr_assert_eq(info.clock_ns, 0);
    info.size = 8;
    fails(INVALID_ARGUMENT, vsdk_vm_get_info(m.vm, &info, E));
    fails(INVALID_ARGUMENT, vsdk_vm_get_info(m.vm, NULL, E));
}

Test(vm, goes_from_created_to_stopped)
{
    machine_load(&m, &guest_out_forever, native_cpl(m.host), NULL);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_CREATED);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 1);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, 2);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 5, 0, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_STOPPED);
}

Test(vm_create, needs_a_processor_to_start)
{
    struct machine bare;

    machine_make_bare(&bare, NULL);
    fails(STATE, vsdk_vm_resume(bare.vm, E));
    fails(STATE, vsdk_vm_run(bare.vm, NULL, 1, NULL, E));
    fails(STATE, vsdk_vm_send_msi(bare.vm, 0xfee00000, VECTOR, E));
    machine_add_vcpu(&bare);
    ok(vsdk_vm_resume(bare.vm, E));
    machine_end(&bare);
}

Test(vm, ended_guest_refuses_to_go_on)
{
    vsdk_ram *ram = NULL;

    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    ok(vsdk_ram_create(m.vm, 4096, NULL, &ram, E));
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_POWEROFF, 0, 0, E));
    fails(STATE, vsdk_vm_resume(m.vm, E));
    fails(STATE, vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    fails(STATE, vsdk_vm_pause_request(m.vm, E));
    fails(STATE, vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    fails(STATE, vsdk_vm_run(m.vm, NULL, 1, NULL, E));
    fails(STATE, vsdk_vm_map(m.vm, EXTRA_RAM, ram, 0, 4096, 0, E));
    fails(STATE, vsdk_vm_unmap(m.vm, 0, RAM_BYTES, E));
    fails(STATE, vsdk_vm_protect(m.vm, 0, RAM_BYTES, VSDK_MAP_READONLY, E));
    vsdk_ram_close(ram);
}

static void expect_end(vsdk_exit_reason reason, uint64_t code, uint64_t detail)
{
    const vsdk_exit expected = {
        .reason = reason, .flags = VSDK_EXIT_TERMINAL, .value = code, .detail = detail};
    vsdk_exit got = *m.exit;

    got.native = 0;
    got.flags &= (uint32_t)~VSDK_EXIT_REGS_SYNCED;
    got.data = 0;
    cr_assert(memcmp(&got, &expected, sizeof got) == 0, "%s, flags %#x, value %#llx, detail %#llx",
              vsdk_exit_reason_name(got.reason), got.flags, (unsigned long long)got.value,
              (unsigned long long)got.detail);
}

Test(vm, terminal_exit_is_the_same_for_ever)
{
    vsdk_vm_info info = {.size = sizeof info};

    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_CRASH, 77, VSDK_CRASH_PANIC, E));
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_RESET, 1, 0, E));
    for (int i = 0; i < 3; i++) {
        ok(vsdk_vcpu_kick(m.vcpu, E));
        ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
        expect_end(VSDK_EXIT_CRASH, 77, VSDK_CRASH_PANIC);
    }
    ok(vsdk_vm_get_info(m.vm, &info, E));
    cr_assert_eq(info.stop_reason, VSDK_EXIT_CRASH);
    cr_assert_eq(info.stop_code, 77);
    cr_assert_eq(info.stop_detail, VSDK_CRASH_PANIC);
}

/* A call that lets an autonomous guest go on, if it may. */
static uint64_t count_after_a_call(void)
{
    vsdk_x86_cpuid_entry entry;
    uint64_t count;

    ok(vsdk_x86_vcpu_get_cpuid(m.vcpu, 0, 0, &entry, E));
    ok(vsdk_vm_read(m.vm, RESULT, &count, 8, E));
    return count;
}

Test(vm, ended_guest_executes_nothing)
{
    uint64_t at;

    machine_start(&m, &guest_count, &(vsdk_x86_regs){.rbx = RESULT});
    do
        ok(vsdk_vcpu_run(m.vcpu, 1000000, E));
    while (count_after_a_call() == 0);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_STOP);
    at = count_after_a_call();
    sleep_ms(3);
    cr_assert_eq(count_after_a_call(), at);
}

Test(vm, every_terminal_reason_can_be_given)
{
    for (vsdk_exit_reason reason = VSDK_EXIT_POWEROFF; reason <= VSDK_EXIT_HALTED; reason++) {
        if (reason == VSDK_EXIT_STOP + 1)
            reason = VSDK_EXIT_HALTED;
        struct machine other;

        machine_make(&other);
        ok(vsdk_vm_stop(other.vm, reason, reason + 1, 0, E));
        ok(vsdk_vcpu_run(other.vcpu, VSDK_FOREVER, E));
        cr_assert_eq(other.exit->reason, reason);
        cr_assert_eq(other.exit->value, reason + 1);
        machine_end(&other);
    }
    fails(INVALID_ARGUMENT, vsdk_vm_stop(m.vm, VSDK_EXIT_PIO, 0, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_stop(m.vm, VSDK_EXIT_KICKED, 0, 0, E));
    fails(INVALID_ARGUMENT, vsdk_vm_stop(m.vm, 12345, 0, 0, E));
}

Test(vm, stop_ends_a_run_that_is_under_way)
{
    struct runner runner = {.vcpu = m.vcpu};

    machine_start(&m, &guest_spin, NULL);
    runner_start(&runner);
    wait_for_vcpu(m.vcpu, VSDK_VCPU_IN_GUEST);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 9, 0, E));
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.reason, VSDK_EXIT_STOP);
    cr_assert_eq(runner.last.value, 9);
}

Test(vm, triple_fault_is_a_crash)
{
    vsdk_x86_sregs sregs;

    machine_load(&m, &guest_crash, native_cpl(m.host), NULL);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    sregs.idt.limit = 0;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    ok(vsdk_vm_resume(m.vm, E));
    run(&m);
    expect_end(VSDK_EXIT_CRASH, 0,
               capability(m.host, VSDK_CAPABILITY_CRASH_DETAIL) == VSDK_ANSWER_NO
                   ? VSDK_CRASH_UNKNOWN
                   : VSDK_CRASH_TRIPLE_FAULT);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_STOPPED);
}

Test(vm_create, halt_exits_where_nobody_can_wake)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_NONE};
    vsdk_vcpu_counters counters = {.size = sizeof counters};
    struct machine none;

    none.host = open_host();
    need(none.host, VSDK_CAPABILITY_IRQCHIP_NONE);
    need(none.host, VSDK_CAPABILITY_HALT_EXIT);
    vsdk_host_close(none.host);
    machine_make_with(&none, &config);
    machine_load(&none, &guest_halt, 0, NULL);
    ok(vsdk_vm_resume(none.vm, E));
    cr_assert_eq(run(&none)->reason, VSDK_EXIT_HALT);
    cr_assert_eq(run_to_write(&none, PORT_OUT)->value, 0x55);
    cr_assert_eq(run(&none)->reason, VSDK_EXIT_HALT);
    ok(vsdk_vcpu_get_counters(none.vcpu, &counters, E));
    cr_assert(counters.halts == 2 && counters.pio == 1 && counters.exits == 3);
    machine_end(&none);
}

Test(vm_create, halt_ends_the_run_of_all_where_nobody_can_wake)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = VSDK_IRQCHIP_NONE};
    struct machine none;
    vsdk_exit end;

    none.host = open_host();
    need(none.host, VSDK_CAPABILITY_IRQCHIP_NONE);
    need(none.host, VSDK_CAPABILITY_HALT_EXIT);
    vsdk_host_close(none.host);
    machine_make_with(&none, &config);
    machine_load(&none, &guest_halt, 0, NULL);
    ok(vsdk_vm_run(none.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_HALT);
    cr_assert_eq(vm_state(none.vm), VSDK_VM_PAUSED);
    ok(vsdk_vm_run(none.vm, NULL, VSDK_FOREVER, &end, E));
    cr_assert_eq(end.reason, VSDK_EXIT_HALT);
    machine_end(&none);
}

Test(vm, run_waits_until_it_is_started)
{
    struct runner runner = {.vcpu = m.vcpu};

    machine_load(&m, &guest_out_forever, native_cpl(m.host), NULL);
    ok(vsdk_vcpu_run(m.vcpu, 1000000, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    cr_assert_eq(m.exit->detail, VSDK_KICK_DEADLINE);
    runner_start(&runner);
    sleep_ms(5);
    ok(vsdk_vm_resume(m.vm, E));
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.reason, VSDK_EXIT_PIO);
    cr_assert_eq(runner.last.value, 1);
}

Test(vm, destroy_ends_a_run_and_answers_gone)
{
    struct runner runner = {.vcpu = m.vcpu};

    machine_start(&m, &guest_spin, NULL);
    runner_start(&runner);
    wait_for_vcpu(m.vcpu, VSDK_VCPU_IN_GUEST);
    ok(vsdk_vm_destroy(m.vm, E));
    runner_join(&runner);
    cr_assert_eq(runner.status, VSDK_ERROR_GONE);
    fails(GONE, vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    ok(vsdk_vm_destroy(m.vm, E));
}

Test(vm, destroy_ends_a_run_that_waits_for_the_start)
{
    struct runner runner = {.vcpu = m.vcpu};

    runner_start(&runner);
    sleep_ms(5);
    ok(vsdk_vm_destroy(m.vm, E));
    runner_join(&runner);
    cr_assert_eq(runner.status, VSDK_ERROR_GONE);
}

static void ignore_line(void *user, vsdk_vm *vm, uint32_t gsi, uint32_t level)
{
}

static void ignore_timer(void *user, vsdk_timer *timer)
{
}

static void ignore_work(void *user, vsdk_work *work)
{
}

static void ignore_watch(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
}

static void expect_vm_gone(void)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_x86_cpuid_entry entry = {0};
    uint32_t needed;

    fails(GONE, vsdk_vm_resume(m.vm, E));
    fails(GONE, vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    fails(GONE, vsdk_vm_pause_request(m.vm, E));
    fails(GONE, vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    fails(GONE, vsdk_vm_reset(m.vm, 0, E));
    fails(GONE, vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    fails(GONE, vsdk_vm_get_info(m.vm, &info, E));
    fails(GONE, vsdk_vm_list_reserved(m.vm, NULL, 0, &needed, E));
    fails(GONE, vsdk_x86_vm_set_cpuid(m.vm, &entry, 1, E));
    fails(GONE, vsdk_vm_run(m.vm, NULL, 1, NULL, E));
    fails(GONE, vsdk_vm_run_cancel(m.vm, E));
    fails(GONE, vsdk_vm_send_msi(m.vm, 0xfee00000, VECTOR, E));
}

static void expect_vcpu_gone(void)
{
    vsdk_vcpu_counters counters = {.size = sizeof counters};
    static vsdk_x86_fpu fpu;
    static vsdk_x86_sregs sregs;
    static vsdk_x86_regs regs;
    vsdk_x86_cpuid_entry entry;
    vsdk_vcpu_phase state;
    vsdk_vcpu *vcpu = NULL;

    fails(GONE, vsdk_vcpu_create(m.vm, 0, NULL, &vcpu, E));
    fails(GONE, vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    fails(GONE, vsdk_vcpu_complete(m.vcpu, E));
    fails(GONE, vsdk_vcpu_kick(m.vcpu, E));
    fails(GONE, vsdk_vcpu_get_phase(m.vcpu, &state, E));
    fails(GONE, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    fails(GONE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    fails(GONE, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    fails(GONE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), E));
    fails(GONE, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    fails(GONE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    fails(GONE, vsdk_x86_vcpu_get_cpuid(m.vcpu, 0, 0, &entry, E));
    fails(GONE, vsdk_x86_vcpu_inject_nmi(m.vcpu, E));
    fails(GONE, vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    cr_assert(vsdk_vcpu_record(m.vcpu) == m.exit);
}

static void expect_memory_gone(void)
{
    vsdk_ram *ram = NULL;
    uint8_t byte = 0;

    fails(GONE, vsdk_ram_create(m.vm, 4096, NULL, &ram, E));
    fails(GONE, vsdk_vm_map(m.vm, 0, m.ram, 0, 4096, 0, E));
    fails(GONE, vsdk_vm_unmap(m.vm, 0, RAM_BYTES, E));
    fails(GONE, vsdk_vm_protect(m.vm, 0, RAM_BYTES, 0, E));
    fails(GONE, vsdk_vm_read(m.vm, 0, &byte, 1, E));
    fails(GONE, vsdk_vm_write(m.vm, 0, &byte, 1, E));
    fails(GONE, vsdk_vm_probe(m.vm, 0, 1, VSDK_DMA_FROM_GUEST, E));
    fails(GONE, vsdk_ram_mark_dirty(m.ram, 0, 1, E));
}

/* Views of memory stay valid; on Xen their contents are lost. */
static void expect_memory_stays(void)
{
    cr_assert(vsdk_ram_data(m.ram) == m.memory);
    cr_assert_eq(vsdk_ram_size(m.ram), RAM_BYTES);
    m.memory[0] = 1;
    m.memory[RAM_BYTES - 1] = 1;
}

static void expect_devices_gone(vsdk_device *device)
{
    vsdk_dma_view view = {.size = sizeof view};
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *other = NULL;
    uint64_t needed;
    uint8_t bytes[64] = {0};

    fails(GONE, vsdk_device_create(m.vm, &ops, NULL, NULL, &other, E));
    fails(GONE, vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, 1, 0, E));
    fails(GONE, vsdk_device_remove_range(device, VSDK_SPACE_PIO, 0x500, E));
    fails(GONE, vsdk_device_detach(device, E));
    fails(GONE, vsdk_device_enter(device, E));
    fails(GONE, vsdk_device_save(device, NULL, 0, &needed, E));
    fails(GONE, vsdk_dma_read(device, 0, bytes, 1, E));
    fails(GONE, vsdk_dma_write(device, 0, bytes, 1, E));
    fails(GONE, vsdk_dma_map(device, 0, 1, VSDK_DMA_FROM_GUEST, &view, E));
    ok(vsdk_device_stopped(device, E));
    cr_assert(vsdk_device_vm(device) == m.vm);
    fails(GONE, vsdk_vm_add_range(m.vm, VSDK_SPACE_PIO, 1, 1, 1, E));
    fails(GONE, vsdk_vm_remove_range(m.vm, VSDK_SPACE_PIO, 1, E));
    cr_assert(vsdk_device_user(device, &ops) == NULL);
}

/* The other children of the machine, and its loop. */
struct children {
    vsdk_irq *irq;
    vsdk_msi *msi;
    vsdk_doorbell *doorbell;
    vsdk_loop *loop;
};

static void expect_interrupts_gone(const struct children *c)
{
    vsdk_irq_config config = {.size = sizeof config, .gsi = 4};
    vsdk_irq *line = NULL;
    vsdk_msi *message = NULL;

    fails(GONE, vsdk_irq_create(m.vm, &config, &line, E));
    fails(GONE, vsdk_irq_raise(c->irq, E));
    fails(GONE, vsdk_irq_lower(c->irq, E));
    fails(GONE, vsdk_irq_pulse(c->irq, E));
    fails(GONE, vsdk_msi_create(m.vm, NULL, &message, E));
    fails(GONE, vsdk_msi_set(c->msi, 0xfee00000, VECTOR, E));
    fails(GONE, vsdk_msi_send(c->msi, E));
    cr_assert(vsdk_msi_descriptor(c->msi, E) == -1 && test_error.code == VSDK_ERROR_GONE);
    fails(GONE, vsdk_irq_controller_attach(m.vm, 0, 1, ignore_line, NULL, NULL, E));
    fails(GONE, vsdk_irq_controller_detach(m.vm, 0, E));
}

static void expect_sources_gone(vsdk_device *device, const struct children *c)
{
    vsdk_doorbell_config config = {.size = sizeof config, .address = 1};
    vsdk_doorbell *second = NULL;
    vsdk_timer *timer = NULL;
    vsdk_watch *watch = NULL;
    vsdk_work *work = NULL;
    uint64_t rings;

    fails(GONE, vsdk_doorbell_create(m.vm, &config, &second, E));
    ok(vsdk_doorbell_take(c->doorbell, &rings, E));
    cr_assert(vsdk_vm_loop(m.vm, E) == NULL && test_error.code == VSDK_ERROR_GONE);
    fails(GONE, vsdk_timer_create(c->loop, device, ignore_timer, NULL, NULL, &timer, E));
    fails(GONE, vsdk_watch_create(c->loop, device, 0, VSDK_LOOP_READ, ignore_watch, NULL, NULL,
                                  &watch, E));
    fails(GONE, vsdk_work_create(c->loop, device, ignore_work, NULL, NULL, &work, E));
}

Test(vm, destroyed_answers_gone_everywhere)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);
    vsdk_doorbell_config config = {.size = sizeof config, .address = 0x510};
    vsdk_irq_config line = {.size = sizeof line, .gsi = 4};
    struct children c = {.loop = loop_of(m.vm)};

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    ok(vsdk_irq_create(m.vm, &line, &c.irq, E));
    ok(vsdk_msi_create(m.vm, NULL, &c.msi, E));
    ok(vsdk_doorbell_create(m.vm, &config, &c.doorbell, E));
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    ok(vsdk_vm_destroy(m.vm, E));
    expect_vm_gone();
    expect_vcpu_gone();
    expect_memory_gone();
    expect_memory_stays();
    expect_devices_gone(device);
    expect_interrupts_gone(&c);
    expect_sources_gone(device, &c);
    vsdk_doorbell_close(c.doorbell);
    vsdk_msi_close(c.msi);
    vsdk_irq_close(c.irq);
    vsdk_device_close(device);
}

/* What must not be called from a callback of the virtual machine. */
static void try_from_a_callback(void *user, vsdk_device *device, const vsdk_access *access)
{
    vsdk_status *got = user;
    vsdk_vcpu *vcpu = NULL;

    got[0] = vsdk_vm_destroy(m.vm, NULL);
    got[1] = vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, NULL);
    got[2] = vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, NULL);
    got[3] = vsdk_vm_run(m.vm, NULL, 1, NULL, NULL);
    got[4] = vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, NULL);
    got[5] = vsdk_vcpu_create(m.vm, 0, NULL, &vcpu, NULL);
    got[6] = vsdk_vcpu_complete(m.vcpu, NULL);
    got[7] = vsdk_vm_reset(m.vm, 0, NULL);
    got[8] = vsdk_vm_resume(m.vm, NULL);
}

Test(vm, callbacks_may_not_wait_for_themselves)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = try_from_a_callback};
    vsdk_status got[9] = {0};
    vsdk_device *device = make_device(m.vm, &ops, got, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 1, 0, E));
    machine_start(&m, &guest_many_widths, &(vsdk_x86_regs){.rbx = MMIO});
    run_to_write(&m, PORT_WIDE); /* two bytes wide: leaves the device's range */
    for (int i = 0; i < 8; i++)
        cr_assert_eq(got[i], VSDK_ERROR_BUSY, "call %d: %s", i, vsdk_status_name(got[i]));
    ok(got[8]); /* in RUNNING a resume does nothing */
    vsdk_device_close(device);
}

static vsdk_stop_answer resume_in_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    *(vsdk_status *)user = vsdk_vm_resume(vsdk_device_vm(device), NULL);
    return VSDK_STOP_DONE;
}

Test(vm, resume_in_a_stop_callback_is_busy)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .stop = resume_in_stop};
    static vsdk_status got = VSDK_OK;
    vsdk_device *device = make_device(m.vm, &ops, &got, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 1, 0, E));
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    cr_assert_eq(got, VSDK_ERROR_BUSY);
    vsdk_device_close(device);
}

Test(vm, reserved_addresses_are_listed_in_pieces)
{
    static vsdk_vm_range all[256];
    uint32_t count = 0, again = 0;

    ok(vsdk_vm_list_reserved(m.vm, NULL, 0, &count, E));
    cr_assert(count > 0 && count <= 256, "%u ranges", count);
    ok(vsdk_vm_list_reserved(m.vm, all, 256, &again, E));
    cr_assert_eq(again, count);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(all[i].length > 0 && all[i].space <= VSDK_SPACE_MMIO);
        cr_assert(all[i].reason[0] && memchr(all[i].reason, 0, sizeof all[i].reason));
    }
    fails(INVALID_ARGUMENT, vsdk_vm_list_reserved(m.vm, NULL, 1, &again, E));
    fails(INVALID_ARGUMENT, vsdk_vm_list_reserved(m.vm, all, 256, NULL, E));
}

static void expect_clock_stands(void)
{
    uint64_t now = vsdk_vm_clock(m.vm);

    sleep_ms(2);
    cr_assert_eq(vsdk_vm_clock(m.vm), now);
}

Test(vm, clock_stands_unless_running)
{
    uint64_t at_pause;

    cr_assert_eq(vsdk_vm_clock(m.vm), 0);
    machine_start(&m, &guest_out_forever, NULL);
    sleep_ms(2);
    ok(vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E));
    at_pause = vsdk_vm_clock(m.vm);
    cr_assert(at_pause >= 2000000, "%llu", (unsigned long long)at_pause);
    expect_clock_stands();
    ok(vsdk_vm_resume(m.vm, E));
    sleep_ms(1);
    cr_assert(vsdk_vm_clock(m.vm) > at_pause);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    expect_clock_stands();
}

Test(vm, clock_stands_when_destroyed)
{
    machine_start(&m, &guest_out_forever, NULL);
    ok(vsdk_vm_destroy(m.vm, E));
    expect_clock_stands();
}

Test(vm_create, processors_are_checked)
{
    static vsdk_exit records[2] __attribute__((aligned(64)));
    vsdk_vcpu_config config = {.size = sizeof config, .exit = &records[0]};
    vsdk_vm_config two = {.size = sizeof two, .vcpus_max = 2};
    vsdk_vcpu *second = NULL;
    struct machine bare;

    machine_make_bare(&bare, &two);
    fails(LIMIT, vsdk_vcpu_create(bare.vm, 2, NULL, &second, E));
    config.flags = 0x80000000;
    fails(INVALID_ARGUMENT, vsdk_vcpu_create(bare.vm, 0, &config, &second, E));
    config.flags = 0;
    config.exit = (vsdk_exit *)((uintptr_t)&records[0] + 8);
    fails(INVALID_ARGUMENT, vsdk_vcpu_create(bare.vm, 0, &config, &second, E));
    config.exit = &records[0];
    config.size = 4;
    fails(INVALID_ARGUMENT, vsdk_vcpu_create(bare.vm, 0, &config, &second, E));
    config.size = sizeof config;
    memset(records, 0xff, sizeof records);
    ok(vsdk_vcpu_create(bare.vm, 0, &config, &bare.vcpu, E));
    cr_assert(vsdk_vcpu_record(bare.vcpu) == &records[0]);
    cr_assert(memcmp(&records[0], &(vsdk_exit){0}, sizeof records[0]) == 0);
    cr_assert_eq(records[1].reason, UINT32_MAX, "more than the record was written");
    cr_assert(vsdk_x86_vcpu_sync_regs(bare.vcpu) == NULL);
    fails(EXISTS, vsdk_vcpu_create(bare.vm, 0, NULL, &second, E));
    machine_start(&bare, &guest_out_forever, NULL);
    fails(STATE, vsdk_vcpu_create(bare.vm, 1, NULL, &second, E));
    ok(vsdk_vcpu_run(bare.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(records[0].reason, VSDK_EXIT_PIO);
    machine_end(&bare);
}

static void close_its_processor(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct machine *its = user;

    (void)device;
    (void)access;
    vsdk_vcpu_close(its->vcpu);
    its->vcpu = NULL;
    ok(vsdk_vm_stop(its->vm, VSDK_EXIT_STOP, 0, 0, E));
}

/* The last handle goes while its run is under way, in a callback of it: the close does not wait for
 * the run, which writes to the caller's record to its end. */
Test(vm_create, processor_that_is_closed_in_its_run)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = close_its_processor};
    static vsdk_exit record __attribute__((aligned(64)));
    vsdk_vcpu_config config = {.size = sizeof config, .exit = &record};
    static struct machine its; /* outlives the test, as its device may */

    machine_make_bare(&its, NULL);
    ok(vsdk_vcpu_create(its.vm, 0, &config, &its.vcpu, E));
    vsdk_device *device = make_device(its.vm, &ops, &its, 0);
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&its, &guest_out_forever, NULL);
    ok(vsdk_vcpu_run(its.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(record.reason, VSDK_EXIT_STOP);
    cr_assert(its.vcpu == NULL);
    vsdk_device_close(device);
    machine_end(&its);
}

Test(vm_create, closed_processor_still_belongs_to_the_guest)
{
    vsdk_vcpu *again = NULL;
    struct machine other;

    machine_make(&other);
    vsdk_vcpu_close(other.vcpu);
    other.vcpu = NULL;
    fails(EXISTS, vsdk_vcpu_create(other.vm, 0, NULL, &again, E));
    ok(vsdk_vm_resume(other.vm, E));
    ok(vsdk_vm_pause(other.vm, 0, VSDK_FOREVER, E));
    machine_end(&other);
}
