/* SPDX-License-Identifier: Apache-2.0 */
/* Guests that mean harm: the host must not notice. What they do is drawn from fixed seeds. */
#include "mock_rig.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { GUESTS = 300, RUNS = 60, RUN_NS = 300000 };

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * 0x2545f4914f6cdd1d;
}

static void scatter(uint8_t *to, size_t bytes, uint64_t *seed)
{
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t value = draw(seed);

        memcpy(to + i, &value, 8);
    }
}

/* Sometimes small, sometimes near an end, sometimes anything. */
static uint64_t wild(uint64_t *seed)
{
    uint64_t value = draw(seed);

    switch (value % 5) {
    case 0:
        return value >> 32 & 0xffff;
    case 1:
        return RIG_RAM_BYTES - (value >> 32 & 31);
    case 2:
        return ~0ull - (value >> 32 & 63);
    case 3:
        return value >> 32;
    default:
        return value;
    }
}

static void wild_registers(rig *r, uint64_t *seed)
{
    vsdk_x86_regs regs;

    start_set_regs(&regs, 0);
    for (int i = 0; i < 16; i++)
        (&regs.rax)[i] = wild(seed);
    regs.rflags = draw(seed);
    if (draw(seed) % 4 == 0)
        regs.rip = wild(seed);
    r->host.ops->vcpu_set_regs(&r->vcpu[0], &regs, NULL);
}

static void wild_tables(rig *r, uint64_t *seed)
{
    vsdk_x86_sregs sregs;
    const backend_ops *ops = r->host.ops;

    ops->vcpu_get_sregs(&r->vcpu[0], &sregs, NULL);
    start_set_long_mode(&sregs, draw(seed) % 2 ? 0 : 3);
    if (draw(seed) % 2)
        sregs.cr3 = wild(seed);
    sregs.idt = (vsdk_x86_table){.base = wild(seed), .limit = (uint16_t)draw(seed)};
    sregs.gdt = (vsdk_x86_table){.base = wild(seed), .limit = (uint16_t)draw(seed)};
    sregs.tr.base = wild(seed);
    sregs.tr.limit = (uint32_t)draw(seed);
    sregs.fs.base = wild(seed);
    sregs.es.base = wild(seed);
    if (draw(seed) % 3 == 0)
        start_set_real_mode(&sregs);
    if (draw(seed) % 3 == 0)
        sregs.cs.access ^= 0x6000;
    ops->vcpu_set_sregs(&r->vcpu[0], &sregs, NULL);
    if (draw(seed) % 2)
        scatter(r->memory + PAGE_TABLES, 0x7000, seed);
}

static void answer(rig *r, uint64_t *seed)
{
    uint64_t data = r->exit->data;

    if ((r->exit->reason == VSDK_EXIT_PIO || r->exit->reason == VSDK_EXIT_MMIO) &&
        r->exit->direction == VSDK_DIRECTION_READ)
        scatter((uint8_t *)(uintptr_t)data, (size_t)r->exit->count * r->exit->width, seed);
}

static void shake(rig *r, uint64_t *seed)
{
    const backend_ops *ops = r->host.ops;

    switch (draw(seed) % 8) {
    case 0:
        ops->vm_send_msi(&r->vm, 0xfee00000 | (draw(seed) & 0xff00c), (uint8_t)draw(seed) | 16,
                         NULL);
        break;
    case 1:
        ops->vcpu_inject_nmi(&r->vcpu[0], NULL);
        break;
    case 2:
        if (ops->vcpu_complete)
            ops->vcpu_complete(&r->vcpu[0], NULL);
        break;
    default:
        break;
    }
}

static void one_guest(int autonomous, uint64_t seed)
{
    rig r = {.seed = seed, .irqchip = seed % 3 ? VSDK_IRQCHIP_PORTABLE : VSDK_IRQCHIP_NONE};

    seed = seed * 0x9e3779b97f4a7c15 + 1;
    rig_open(&r, autonomous);
    rig_code(&r, "\x90", 1, 0);
    scatter(r.memory + CODE, 0x4000, &seed);
    wild_tables(&r, &seed);
    wild_registers(&r, &seed);
    rig_start(&r);
    for (int i = 0; i < RUNS; i++) {
        rig_run_for(&r, 0, RUN_NS);
        if (r.exit->flags & VSDK_EXIT_TERMINAL || r.exit->reason == VSDK_EXIT_INTERNAL_ERROR)
            break;
        answer(&r, &seed);
        shake(&r, &seed);
    }
    rig_close(&r);
}

BOTH(hostile, anything)
{
    for (uint64_t seed = 1; seed <= GUESTS; seed++)
        one_guest(autonomous, seed);
}

/* A repeated instruction over all of the address space stops for a kick. */
BOTH(hostile, endless_strings)
{
    static const char *const codes[] = {"\xf3\x48\xab", "\xf3\xa4", "\xf3\x48\xa7", "\xf2\xae"};

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        vsdk_x86_regs regs;
        rig r = {0};

        rig_open(&r, autonomous);
        rig_code(&r, codes[i], strlen(codes[i]), 3);
        r.host.ops->vcpu_get_regs(&r.vcpu[0], &regs, NULL);
        regs.rcx = ~0ull;
        regs.rdi = STACK + 0x20000;
        regs.rsi = STACK + 0x20000;
        r.host.ops->vcpu_set_regs(&r.vcpu[0], &regs, NULL);
        rig_start(&r);
        rig_run_for(&r, 0, 1000000000);
        cr_assert(r.exit->reason == VSDK_EXIT_MMIO || r.exit->reason == VSDK_EXIT_PIO ||
                  r.exit->reason == VSDK_EXIT_INTERNAL_ERROR || r.exit->reason == VSDK_EXIT_CRASH ||
                  r.exit->reason == VSDK_EXIT_KICKED);
        rig_close(&r);
    }
}
