/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, virtual machines and processors. */
#include "calls.h"
#include <string.h>

enum { CODE = 0x1000, NS_A_UNIT = 100, WAIT_NS = 200000 };

static vsdk_exit records[RECORDS] __attribute__((aligned(64)));

static void on_log(void *user, vsdk_log_level level, const char *text)
{
    (void)user;
    demand(level >= VSDK_LOG_ERROR && level <= VSDK_LOG_DEBUG && text[0], "a log line");
}

static void host_open(void)
{
    unsigned slot = take_slot();
    vsdk_host_config config = {.size = sizeof config,
                               .log = on_log,
                               .log_level = take8() % 6,
                               .log_release = on_release,
                               .seed = take8()};

    if (calls.hosts[slot] || !(config.log_user = promise()))
        return;
    CALL(vsdk_host_open, calls.backend, &config, &calls.hosts[slot]);
}

static void host_close(void)
{
    unsigned slot = take_slot();

    vsdk_host_close(calls.hosts[slot]);
    calls.hosts[slot] = NULL;
}

static void host_query(void)
{
    vsdk_capability_info info = {.size = sizeof info};
    vsdk_host *host = calls.hosts[take_slot()];
    uint32_t needed;

    if (CALL(vsdk_host_query, host, take8() % 40, &info) == VSDK_OK)
        demand(info.answer == VSDK_ANSWER_YES || info.reason[0], "a reason");
    CALL(vsdk_host_list_orphans, host, NULL, 0, &needed);
    CALL(vsdk_x86_host_get_cpuid, host, NULL, take8() & 1, &needed);
}

static void vm_create(void)
{
    unsigned slot = take_slot();
    vsdk_host *host = calls.hosts[take_slot()];
    uint8_t how = take8();
    vsdk_vm_config config = {.size = sizeof config,
                             .flags = how >> 7,
                             .vcpus_max = how & 15,
                             .irqchip = how >> 4 & 3,
                             .memory_max = take_number() << 12};

    if (calls.vms[slot])
        return;
    CALL(vsdk_vm_create, host, how & 64 ? NULL : &config, &calls.vms[slot]);
}

static void vm_close(void)
{
    unsigned slot = take_slot();

    vsdk_vm_close(calls.vms[slot]);
    calls.vms[slot] = NULL;
}

static void vm_destroy(void)
{
    CALL(vsdk_vm_destroy, calls.vms[take_slot()]);
}

static void vm_resume(void)
{
    calls_settle();
    calls.endless++;
    CALL(vsdk_vm_resume, calls.vms[take_slot()]);
    calls.endless--;
}

static void vm_pause(void)
{
    CALL(vsdk_vm_pause, calls.vms[take_slot()], 0, WAIT_NS);
}

static void vm_pause_request(void)
{
    CALL(vsdk_vm_pause_request, calls.vms[take_slot()]);
}

static void vm_settle(void)
{
    CALL(vsdk_vm_pause, calls.vms[take_slot()], VSDK_PAUSE_SETTLE, WAIT_NS);
}

static void vm_stop(void)
{
    CALL(vsdk_vm_stop, calls.vms[take_slot()], take8() % 20, take8(), take8());
}

static void vm_look(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_vm_info info = {.size = take8() & 1 ? sizeof info : take8() % sizeof info};
    vsdk_vm_range ranges[4];
    uint32_t needed;

    CALL(vsdk_vm_get_info, vm, &info);
    CALL(vsdk_vm_list_reserved, vm, ranges, 4, &needed);
    vsdk_vm_clock(vm);
}

static void vm_set_cpuid(void)
{
    vsdk_x86_cpuid_entry entries[2] = {{.leaf = 0, .eax = 1}, {.leaf = take8()}};

    CALL(vsdk_x86_vm_set_cpuid, calls.vms[take_slot()], entries, take8() % 3);
}

static void vm_run(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];
    vsdk_exit end;

    calls_settle();
    calls.threads++;
    CALL(vsdk_vm_run, vm, NULL, 1 + take8() * NS_A_UNIT, &end);
    calls.threads--;
}

static void vm_run_cancel(void)
{
    CALL(vsdk_vm_run_cancel, calls.vms[take_slot()]);
}

static void vcpu_create(void)
{
    unsigned slot = take_slot();
    vsdk_vm *vm = calls.vms[take_slot()];
    uint8_t how = take8();
    vsdk_vcpu_config config = {.size = sizeof config, .flags = how >> 4 & 1};

    if (calls.vcpus[slot])
        return;
    if (how & 0x20 && calls.records < RECORDS)
        config.exit = &records[calls.records++];
    CALL(vsdk_vcpu_create, vm, how & 15, &config, &calls.vcpus[slot]);
}

static void vcpu_close(void)
{
    unsigned slot = take_slot();

    vsdk_vcpu_close(calls.vcpus[slot]);
    calls.vcpus[slot] = NULL;
}

static void check_access(const vsdk_exit *exit)
{
    demand(exit->data && exit->count >= 1, "an access has data");
    demand(exit->width == 1 || exit->width == 2 || exit->width == 4 || exit->width == 8, "a width");
    demand(exit->reason == VSDK_EXIT_PIO || exit->count == 1, "MMIO comes one by one");
    if (exit->direction == VSDK_DIRECTION_READ)
        memset((void *)(uintptr_t)exit->data, take8(), (size_t)exit->count * exit->width);
}

static void vcpu_run(void)
{
    vsdk_vcpu *vcpu = calls.vcpus[take_slot()];
    vsdk_exit *exit = vsdk_vcpu_record(vcpu);

    if (CALL(vsdk_vcpu_run, vcpu, 1 + take8() * NS_A_UNIT) != VSDK_OK)
        return;
    demand(exit->reason != VSDK_EXIT_NONE, "a reason");
    if (exit->reason == VSDK_EXIT_PIO || exit->reason == VSDK_EXIT_MMIO)
        check_access(exit);
}

static void vcpu_complete(void)
{
    calls_settle();
    CALL(vsdk_vcpu_complete, calls.vcpus[take_slot()]);
}

static void vcpu_kick(void)
{
    CALL(vsdk_vcpu_kick, calls.vcpus[take_slot()]);
}

static void vcpu_nmi(void)
{
    CALL(vsdk_x86_vcpu_inject_nmi, calls.vcpus[take_slot()]);
}

static void vcpu_look(void)
{
    vsdk_vcpu *vcpu = calls.vcpus[take_slot()];
    vsdk_vcpu_counters counters = {.size = sizeof counters};
    vsdk_x86_cpuid_entry entry;
    vsdk_vcpu_phase state;

    CALL(vsdk_vcpu_get_phase, vcpu, &state);
    CALL(vsdk_vcpu_get_counters, vcpu, &counters);
    CALL(vsdk_x86_vcpu_get_cpuid, vcpu, take8(), take8() & 3, &entry);
    vsdk_x86_vcpu_sync_regs(vcpu);
    vsdk_x86_vcpu_sync_sregs(vcpu);
}

static void vcpu_registers(void)
{
    vsdk_vcpu *vcpu = calls.vcpus[take_slot()];
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
    vsdk_x86_fpu fpu;

    if (CALL(vsdk_vcpu_get_state, vcpu, VSDK_X86_REGS, &regs, sizeof regs) == VSDK_OK) {
        ((uint64_t *)&regs)[take8() % 18] = take_address();
        CALL(vsdk_vcpu_set_state, vcpu, VSDK_X86_REGS, &regs, sizeof regs);
    }
    if (CALL(vsdk_vcpu_get_state, vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs) == VSDK_OK) {
        ((uint8_t *)&sregs)[take_number() % sizeof sregs] ^= take8();
        CALL(vsdk_vcpu_set_state, vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs);
    }
    if (CALL(vsdk_vcpu_get_state, vcpu, VSDK_X86_FPU, &fpu, sizeof fpu) == VSDK_OK)
        CALL(vsdk_vcpu_set_state, vcpu, VSDK_X86_FPU, &fpu, sizeof fpu);
}

/* The beginning of a guest in real mode: it reads and writes ports and memory where devices may be,
 * and does what the input says. */
static void begin_guest(vsdk_vm *vm, vsdk_vcpu *vcpu)
{
    static const uint8_t loop[] = {0xe4, 0x10, 0xe6, 0x11, 0xa0, 0x00, 0x50, 0xa2, 0x00, 0x60};
    vsdk_x86_regs regs = {.rip = CODE, .rflags = 2, .rsp = 0x900};
    uint8_t code[sizeof loop + 10];
    vsdk_x86_sregs sregs;

    memcpy(code, loop, sizeof loop);
    for (unsigned i = 0; i < 8; i++)
        code[sizeof loop + i] = take8() ^ 0x90;
    memcpy(code + sizeof loop + 8, (uint8_t[]){0xeb, (uint8_t) - (int)sizeof code}, 2);
    CALL(vsdk_vm_write, vm, CODE, code, sizeof code);
    if (CALL(vsdk_vcpu_get_state, vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs) != VSDK_OK)
        return;
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    CALL(vsdk_vcpu_set_state, vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs);
    CALL(vsdk_vcpu_set_state, vcpu, VSDK_X86_REGS, &regs, sizeof regs);
}

static void load_guest(void)
{
    vsdk_vm *vm = calls.vms[take_slot()];

    begin_guest(vm, calls.vcpus[take_slot()]);
}

/* What most sequences need before they get anywhere. */
static int make_machine(unsigned slot)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 2, .irqchip = take8() % 3};

    if (calls.vms[slot] || calls.vcpus[slot] || calls.rams[slot])
        return -1;
    if (CALL(vsdk_vm_create, calls.hosts[slot] ? calls.hosts[slot] : calls.hosts[0], &config,
             &calls.vms[slot]) != VSDK_OK)
        return -1;
    vsdk_ram_config tracked = {.size = sizeof tracked, .flags = VSDK_RAM_TRACKED};
    CALL(vsdk_ram_create, calls.vms[slot], 0x5000, &tracked, &calls.rams[slot]);
    CALL(vsdk_vm_map, calls.vms[slot], 0, calls.rams[slot], 0, 0x5000, 0);
    CALL(vsdk_vcpu_create, calls.vms[slot], 0, NULL, &calls.vcpus[slot]);
    begin_guest(calls.vms[slot], calls.vcpus[slot]);
    return 0;
}

static void small_machine(void)
{
    make_machine(take_slot());
}

/* With a device, a controller and a line, a timer of the device; and it runs. */
static void furnished_machine(void)
{
    unsigned slot = take_slot();

    if (make_machine(slot) == 0) {
        calls_furnish(slot);
        calls.endless++;
        CALL(vsdk_vm_resume, calls.vms[slot]);
        calls.endless--;
    }
}

const struct calls_op calls_machine_ops[] = {
    {small_machine, 0},    {furnished_machine, 0}, {load_guest, 0},     {host_open, 1},
    {host_close, 1},       {host_query, 1},        {vm_create, 1},      {vm_close, 1},
    {vm_destroy, 1},       {vm_resume, 1},         {vm_pause, 1},       {vm_settle, 1},
    {vm_pause_request, 1}, {vm_stop, 1},           {vm_look, 1},        {vm_run, 1},
    {vm_set_cpuid, 0},     {vm_run_cancel, 1},     {vcpu_create, 1},    {vcpu_close, 1},
    {vcpu_run, 1},         {vcpu_run, 1},          {vcpu_complete, 1},  {vcpu_kick, 1},
    {vcpu_nmi, 1},         {vcpu_look, 1},         {vcpu_registers, 1},
};
const unsigned calls_machine_count = sizeof calls_machine_ops / sizeof *calls_machine_ops;
