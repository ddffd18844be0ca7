/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzing the interpreter: a guest whose code, tables and registers are the input, on one of the
 * mocks, with some answers, interrupts and mappings between its runs. */
#include "core/backend.h"
#include "start.h"
#include "target.h"

#include <string.h>
#include <time.h>

enum { CODE_MOST = 256, RUNS = 24, RUN_NS = 200000, HEADER = 16, MEMORY = 0x400000 };

typedef struct fuzzed {
    backend_host host;
    backend_vm vm;
    backend_vcpu vcpu;
    backend_vcpu *vcpus[1];
    _Alignas(64) vsdk_exit exit;
    backend_ram ram;
    backend_slot slot, second;
    uint64_t seed;
} fuzzed;

static uint64_t draw(fuzzed *g)
{
    g->seed ^= g->seed << 13;
    g->seed ^= g->seed >> 7;
    g->seed ^= g->seed << 17;
    return g->seed * 0x2545f4914f6cdd1d;
}

static uint64_t wild(fuzzed *g)
{
    uint64_t value = draw(g);

    switch (value % 4) {
    case 0:
        return DATA + (value >> 32 & 0xfff);
    case 1:
        return MEMORY - (value >> 32 & 15);
    case 2:
        return ~(value >> 32 & 63);
    default:
        return value >> (value & 63);
    }
}

static int make(fuzzed *g, unsigned kind)
{
    vsdk_host_config config = {.size = sizeof config, .seed = g->seed};
    const backend_ops *ops = kind & 1 ? backend_mock_autonomous() : backend_mock();

    g->host.ops = ops;
    g->vm = (backend_vm){.host = &g->host, .vcpus = g->vcpus};
    g->vm.config = (vsdk_vm_config){
        .vcpus_max = 1, .irqchip = kind & 2 ? VSDK_IRQCHIP_NONE : VSDK_IRQCHIP_PORTABLE};
    g->vcpu = (backend_vcpu){.vm = &g->vm, .exit = &g->exit};
    g->vcpus[0] = &g->vcpu;
    g->ram = (backend_ram){.vm = &g->vm, .bytes = MEMORY};
    g->slot = (backend_slot){.ram = &g->ram, .length = MEMORY / 2};
    g->second = (backend_slot){
        .ram = &g->ram, .gpa = MEMORY / 2, .offset = MEMORY / 2, .length = MEMORY / 2, .index = 1};
    return !ops->host_open(&g->host, &config, NULL) && !ops->vm_create(&g->vm, NULL) &&
           !ops->ram_create(&g->ram, NULL) && !ops->vm_map(&g->vm, &g->slot, NULL) &&
           !ops->vm_map(&g->vm, &g->second, NULL) && !ops->vcpu_create(&g->vcpu, NULL);
}

static void take_away(fuzzed *g)
{
    const backend_ops *ops = g->host.ops;

    ops->vm_destroy(&g->vm);
    ops->vcpu_destroy(&g->vcpu);
    ops->ram_free(&g->ram);
    ops->vm_free(&g->vm);
    ops->host_close(&g->host);
}

/* The code, and what is left of the input over page tables, GDT and IDT. */
static void fill(fuzzed *g, unsigned kind, const uint8_t *bytes, size_t length)
{
    uint8_t *memory = g->ram.memory;
    size_t code = length < CODE_MOST ? length : CODE_MOST;

    start_write_tables(memory);
    memcpy(memory + CODE, bytes, code);
    for (size_t i = code; i + 10 <= length; i += 10) {
        size_t at = (bytes[i] << 8 | bytes[i + 1]) & 0x7ff8;

        memcpy(memory + PAGE_TABLES + at, bytes + i + 2, 8);
    }
    if (kind & 4)
        memcpy(memory + MEMORY - code, bytes, code);
}

static void set_registers(fuzzed *g, unsigned kind, size_t code)
{
    const backend_ops *ops = g->host.ops;
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;

    ops->vcpu_get_sregs(&g->vcpu, &sregs, NULL);
    start_set_long_mode(&sregs, kind & 8 ? 3 : 0);
    sregs.idt.limit = 0xfff;
    sregs.tr = (vsdk_x86_segment){.base = DATA, .limit = 0x67, .selector = 0x30, .access = 0x8b};
    if (kind & 16)
        start_set_real_mode(&sregs);
    else if (kind & 32)
        sregs.cs.access ^= 0x6000;
    if ((kind & 0xc0) == 0xc0)
        sregs.gdt.base = sregs.idt.base = sregs.cr3 = wild(g);
    ops->vcpu_set_sregs(&g->vcpu, &sregs, NULL);
    start_set_regs(&regs, kind & 8 ? 3 : 0);
    for (int i = 0; i < 16; i++)
        (&regs.rax)[i] = wild(g);
    regs.rflags |= draw(g);
    regs.rip = kind & 16 ? 0 : kind & 4 ? MEMORY - code : CODE;
    ops->vcpu_set_regs(&g->vcpu, &regs, NULL);
}

static void answer(fuzzed *g)
{
    uint8_t *data = (uint8_t *)(uintptr_t)g->exit.data;

    if (g->exit.reason != VSDK_EXIT_PIO && g->exit.reason != VSDK_EXIT_MMIO)
        return;
    for (size_t i = 0;
         g->exit.direction == VSDK_DIRECTION_READ && i < g->exit.count * g->exit.width; i++)
        data[i] = (uint8_t)draw(g);
}

static void shake(fuzzed *g)
{
    const backend_ops *ops = g->host.ops;
    uint64_t what = draw(g);

    if (what % 5 == 0)
        ops->vm_send_msi(&g->vm, 0xfee00000, (uint8_t)(what >> 8) | 16, NULL);
    if (what % 7 == 0)
        ops->vcpu_inject_nmi(&g->vcpu, NULL);
    if (what % 11 == 0 && ops->vcpu_complete)
        ops->vcpu_complete(&g->vcpu, NULL);
    if (what % 13 == 0)
        ops->vm_protect(&g->vm, &g->second, what >> 16 & 1, NULL);
    if (what % 17 == 0)
        ops->vm_unmap(&g->vm, &g->second, NULL);
}

static void run(fuzzed *g)
{
    const backend_ops *ops = g->host.ops;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    g->vcpu.deadline_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + RUN_NS;
    ops->vcpu_run(&g->vcpu, NULL);
}

/* The first byte chooses the kind of guest, the next eight the registers. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static fuzzed g;
    size_t code = length - HEADER < CODE_MOST ? length - HEADER : CODE_MOST;

    if (length <= HEADER)
        return 0;
    g = (fuzzed){0};
    memcpy(&g.seed, bytes + 1, 8);
    g.seed |= 1;
    if (!make(&g, bytes[0]))
        __builtin_trap();
    fill(&g, bytes[0], bytes + HEADER, length - HEADER);
    set_registers(&g, bytes[0], code);
    if (g.host.ops->vm_resume)
        g.host.ops->vm_resume(&g.vm, NULL);
    for (int i = 0; i < RUNS; i++) {
        run(&g);
        if (g.exit.flags & VSDK_EXIT_TERMINAL || g.exit.reason == VSDK_EXIT_INTERNAL_ERROR)
            break;
        answer(&g);
        shake(&g);
    }
    take_away(&g);
    return 0;
}
