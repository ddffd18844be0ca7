/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of kvm_rig.h, and the count of checks. Each test opens one and closes it. */
#include "kvm_rig.h"
#include <string.h>

const backend_ops *rig_ops;
unsigned rig_test_count, rig_failures;
uint32_t rig_vcpus = 1, rig_long_mode = 1;
static unsigned failures_of_test;

void rig_check(int good, const char *text, const char *file, int line)
{
    if (good)
        return;
    failures_of_test++;
    if (failures_of_test < 20)
        printf("# %s:%d: %s\n", file, line, text);
}

void rig_test(void (*test)(void), const char *name)
{
    const char *only = getenv("RIG_TEST");

    if (only && strcmp(only, name) != 0)
        return;
    failures_of_test = 0;
    test();
    rig_test_count++;
    rig_failures += failures_of_test != 0;
    printf("%s %u - %s\n", failures_of_test ? "not ok" : "ok", rig_test_count, name);
    fflush(stdout);
}

int rig_finish(void)
{
    printf("1..%u\n", rig_test_count);
    return rig_failures != 0;
}

static void log_nothing(backend_host *host, vsdk_log_level level, const char *text)
{
    (void)host;
    (void)level;
    printf("# log: %s\n", text);
}

static const core_table core = {.size = sizeof core, .abi = BACKEND_ABI, .log = log_nothing};

void rig_begin(void)
{
    backend_host host = {.core = &core};
    vsdk_host_config config = {.size = sizeof config};
    vsdk_error error;
    rig_ops = backend_kvm();
    host.ops = rig_ops;
    if (rig_ops->host_open(&host, &config, &error) == VSDK_OK) {
        rig_ops->host_close(&host);
        return;
    }
    printf("1..0 # SKIP %s; %s\n", error.message, error.hint);
    exit(0);
}

static void must(vsdk_status status, rig *r, const char *what)
{
    if (status == VSDK_OK)
        return;
    printf("Bail out! %s: %s: %s (%s)\n", what, r->error.operation, r->error.message,
           r->error.hint);
    exit(1);
}

static void fill_tables(char *memory)
{
    uint64_t *pml4 = (void *)(memory + 0x2000), *pdpt = (void *)(memory + 0x3000);
    pml4[0] = 0x3007;
    for (uint64_t g = 0; g < 4; g++) {
        uint64_t *pd = (void *)(memory + 0x20000 + g * 0x1000);
        pdpt[g] = (0x20000 + g * 0x1000) | 7;
        for (uint64_t i = 0; i < 512; i++)
            pd[i] = (g * 512 + i) << 21 | 0xe7;
    }
}

void rig_set_long_mode(rig *r)
{
    vsdk_x86_sregs s;
    must(rig_ops->vcpu_get_sregs(&r->vcpu, &s, &r->error), r, "get_sregs");
    vsdk_x86_segment cs = {.limit = UINT32_MAX, .selector = 0x0b, .access = 0xa0fb};
    vsdk_x86_segment ds = {.limit = UINT32_MAX, .selector = 0x13, .access = 0xc0f3};
    s.cs = cs;
    s.ds = s.es = s.fs = s.gs = s.ss = ds;
    s.cr0 = 0x80050033;
    s.cr3 = 0x2000;
    s.cr4 = 0x620;
    s.efer = 0x500;
    must(rig_ops->vcpu_set_sregs(&r->vcpu, &s, &r->error), r, "set_sregs");
}

void rig_open(rig *r, vsdk_irqchip irqchip, uint32_t vcpu_flags)
{
    vsdk_host_config config = {.size = sizeof config};
    memset(r, 0, sizeof *r);
    r->host.ops = rig_ops;
    r->host.core = &core;
    must(rig_ops->host_open(&r->host, &config, &r->error), r, "host_open");
    r->vm.host = &r->host;
    r->vm.vcpus = r->vcpus;
    r->vm.config = (vsdk_vm_config){.size = sizeof r->vm.config,
                                    .vcpus_max = rig_vcpus,
                                    .memory_max = UINT64_C(1) << 32,
                                    .irqchip = irqchip};
    must(rig_ops->vm_create(&r->vm, &r->error), r, "vm_create");
    r->ram.vm = &r->vm;
    r->ram.bytes = RIG_BYTES;
    must(rig_ops->ram_create(&r->ram, &r->error), r, "ram_create");
    r->slot = (backend_slot){.ram = &r->ram, .length = RIG_BYTES};
    must(rig_ops->vm_map(&r->vm, &r->slot, &r->error), r, "vm_map");
    fill_tables(r->ram.memory);
    r->vcpu.vm = &r->vm;
    r->vcpu.exit = &r->exit;
    r->vcpu.flags = vcpu_flags;
    r->vcpu.sync_regs = vcpu_flags & VSDK_VCPU_SYNC_GENERAL ? &r->sync : NULL;
    r->vcpu.sync_sregs = vcpu_flags & VSDK_VCPU_SYNC_SREGS ? &r->sync_sregs : NULL;
    must(rig_ops->vcpu_create(&r->vcpu, &r->error), r, "vcpu_create");
    r->vcpus[0] = &r->vcpu;
    if (rig_long_mode)
        rig_set_long_mode(r);
}

void rig_close(rig *r)
{
    rig_ops->vm_destroy(&r->vm);
    rig_ops->vcpu_destroy(&r->vcpu);
    rig_ops->ram_free(&r->ram);
    rig_ops->vm_free(&r->vm);
    rig_ops->host_close(&r->host);
}

void rig_load(rig *r, const char *begin, const char *end)
{
    memcpy((char *)r->ram.memory + RIG_CODE, begin, end - begin);
    rig_set(r, 0, 0, 0, 0);
}

void rig_set(rig *r, uint64_t rcx, uint64_t rdx, uint64_t rsi, uint64_t rdi)
{
    vsdk_x86_regs regs = {.rip = RIG_CODE, .rflags = 0x3002, .rsp = RIG_STACK};
    regs.rcx = rcx;
    regs.rdx = rdx;
    regs.rsi = rsi;
    regs.rdi = rdi;
    must(rig_ops->vcpu_set_regs(&r->vcpu, &regs, &r->error), r, "set_regs");
}

void rig_set_kernel_mode(rig *r)
{
    vsdk_x86_sregs s;
    must(rig_ops->vcpu_get_sregs(&r->vcpu, &s, &r->error), r, "get_sregs");
    s.cs.access = 0xa09b;
    s.cs.selector = 8;
    s.ss.access = 0xc093;
    s.ss.selector = 16;
    must(rig_ops->vcpu_set_sregs(&r->vcpu, &s, &r->error), r, "set_sregs");
}

vsdk_status rig_run(rig *r)
{
    vsdk_status status = rig_ops->vcpu_enter(&r->vcpu, &r->error);
    if (status != VSDK_OK)
        return status;
    status = rig_ops->vcpu_run(&r->vcpu, &r->error);
    rig_ops->vcpu_leave(&r->vcpu);
    if (status != VSDK_OK)
        printf("# run: %s: %s\n", r->error.operation, r->error.message);
    return status;
}
