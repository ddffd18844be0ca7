/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"
#include "backends/mock/mock.h"

enum { MSR_APIC_BASE = 0x1b, MSR_TSC = 0x10, MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101 };
#define MSR_EFER 0xc0000080u

static step privileged(cpu *c)
{
    return c->cpl ? cpu_raise_error(c, VECTOR_GP, 0) : STEP_DONE;
}

static void look_again(cpu *c)
{
    atomic_store_explicit(&c->attention, 1, memory_order_relaxed);
}

step in_hlt(cpu *c, const insn *in)
{
    step s = privileged(c);

    if (s)
        return s;
    next(c, in);
    if (c->halt == HALT_EXITS)
        return STEP_HALT;
    if (c->halt == HALT_DOWN && !(c->flags & F_IF)) {
        c->activity = CPU_WAIT_SIPI;
        c->down = 1;
        return STEP_DOWN;
    }
    c->activity = CPU_HALTED;
    c->shadow = 0;
    look_again(c);
    return STEP_DONE;
}

static step interrupt_flag(cpu *c, const insn *in)
{
    unsigned iopl = (unsigned)(c->flags & F_IOPL) >> 12;

    if ((c->cr0 & CR0_PE) && c->cpl > iopl)
        return cpu_raise_error(c, VECTOR_GP, 0);
    return next(c, in);
}

step in_cli(cpu *c, const insn *in)
{
    step s = interrupt_flag(c, in);

    if (!s)
        c->flags &= ~(uint64_t)F_IF;
    return s;
}

step in_sti(cpu *c, const insn *in)
{
    step s = interrupt_flag(c, in);

    if (s)
        return s;
    c->shadow = !(c->flags & F_IF);
    c->flags |= F_IF;
    look_again(c);
    return STEP_DONE;
}

step in_privileged_nop(cpu *c, const insn *in)
{
    step s = privileged(c);

    return s ? s : next(c, in);
}

step in_clts(cpu *c, const insn *in)
{
    step s = privileged(c);

    if (s)
        return s;
    c->cr0 &= ~(uint64_t)CR0_TS;
    return next(c, in);
}

/* LFENCE, MFENCE, SFENCE; the rest of the group is floating point. */
step in_fence(cpu *c, const insn *in)
{
    if ((in->flags & IN_MEMORY) || (in->reg & 7) < 5)
        return cpu_unknown_insn(c, in);
    atomic_thread_fence(memory_order_seq_cst);
    return next(c, in);
}

/* Descriptor tables. */

static step store_selector(cpu *c, const insn *in, uint16_t selector)
{
    insn to = *in;
    step s;

    if (in->flags & IN_MEMORY)
        to.size = 2;
    s = rm_set(c, &to, selector);
    return s ? s : next(c, in);
}

step in_group6(cpu *c, const insn *in)
{
    unsigned op = in->reg & 7;
    insn from = *in;
    uint64_t selector;
    step s;

    if (!(c->cr0 & CR0_PE))
        return cpu_raise(c, VECTOR_UD);
    if (op < 2)
        return store_selector(c, in, op ? c->tr.selector : c->ldt.selector);
    if (op > 3)
        return cpu_unknown_insn(c, in);
    from.size = 2;
    s = privileged(c);
    if (!s)
        s = rm_get(c, &from, ACCESS_READ, &selector);
    if (!s)
        s = cpu_load_system(c, op == 2 ? &c->ldt : &c->tr, (uint16_t)selector, op == 2 ? 2 : 9);
    return s ? s : next(c, in);
}

static step store_table(cpu *c, const insn *in, const vsdk_x86_table *table)
{
    uint64_t at = memory_operand(c, in);
    step s = cpu_write(c, at, 2, table->limit);

    if (!s)
        s = cpu_write(c, at + 2, c->bits == 64 ? 8 : 4,
                      c->bits == 64 ? table->base : table->base & 0xffffffff);
    return s ? s : next(c, in);
}

static step load_table(cpu *c, const insn *in, vsdk_x86_table *table)
{
    uint64_t at = memory_operand(c, in), limit, base;
    step s = privileged(c);

    if (!s)
        s = cpu_read(c, at, 2, ACCESS_READ, &limit);
    if (!s)
        s = cpu_read(c, at + 2, c->bits == 64 ? 8 : 4, ACCESS_READ, &base);
    if (s)
        return s;
    if (c->bits != 64 && in->size == 2)
        base &= 0xffffff;
    *table = (vsdk_x86_table){.base = base, .limit = (uint16_t)limit};
    return next(c, in);
}

static step invalidate_page(cpu *c, const insn *in)
{
    step s = privileged(c);

    if (s)
        return s;
    cpu_flush(c);
    return next(c, in);
}

static step status_word(cpu *c, const insn *in)
{
    insn from = *in;
    uint64_t value;
    step s = privileged(c);

    from.size = 2;
    if (!s)
        s = rm_get(c, &from, ACCESS_READ, &value);
    if (!s)
        s = cpu_set_cr0(c, (c->cr0 & ~14ull) | (value & 15));
    return s ? s : next(c, in);
}

step in_group7(cpu *c, const insn *in)
{
    unsigned op = in->reg & 7;
    int memory = (in->flags & IN_MEMORY) != 0;

    if (op == 4)
        return store_selector(c, in, (uint16_t)c->cr0);
    if (op == 6)
        return status_word(c, in);
    if (!memory || op == 5)
        return cpu_unknown_insn(c, in);
    if (op == 7)
        return invalidate_page(c, in);
    if (op < 2)
        return store_table(c, in, op ? &c->idt : &c->gdt);
    return load_table(c, in, op == 2 ? &c->gdt : &c->idt);
}

/* Control and model-specific registers. */

step in_mov_from_cr(cpu *c, const insn *in)
{
    uint64_t value;
    step s = privileged(c);

    if (s)
        return s;
    switch (in->reg) {
    case 0:
        value = c->cr0;
        break;
    case 2:
        value = c->cr2;
        break;
    case 3:
        value = c->cr3;
        break;
    case 4:
        value = c->cr4;
        break;
    case 8:
        value = lapic_get_priority(c) >> 4;
        break;
    default:
        return cpu_raise(c, VECTOR_UD);
    }
    register_set(c, in->rm, in->size, value);
    return next(c, in);
}

static step set_cr4(cpu *c, uint64_t value)
{
    if ((c->efer & EFER_LMA) && !(value & CR4_PAE))
        return cpu_raise_error(c, VECTOR_GP, 0);
    c->cr4 = (uint32_t)value;
    cpu_flush(c);
    return STEP_DONE;
}

step in_mov_to_cr(cpu *c, const insn *in)
{
    uint64_t value = c->r[in->flags & IN_MEMORY ? R_NONE : in->rm] & size_mask(in->size);
    step s = privileged(c);

    if (s)
        return s;
    switch (in->reg) {
    case 0:
        s = value >> 32 ? cpu_raise_error(c, VECTOR_GP, 0) : cpu_set_cr0(c, value);
        break;
    case 2:
        c->cr2 = value;
        break;
    case 3:
        c->cr3 = value;
        cpu_flush(c);
        break;
    case 4:
        s = set_cr4(c, value);
        break;
    case 8:
        lapic_set_priority(c, (uint32_t)value << 4 & 0xf0);
        break;
    default:
        s = cpu_raise(c, VECTOR_UD);
    }
    return s ? s : next(c, in);
}

static int read_msr(const cpu *c, uint32_t number, uint64_t *value)
{
    switch (number) {
    case MSR_TSC:
        *value = c->instructions;
        return 1;
    case MSR_APIC_BASE:
        *value = cpu_apic_base(c);
        return 1;
    case MSR_EFER:
        *value = c->efer;
        return 1;
    case MSR_FS_BASE:
    case MSR_GS_BASE:
        *value = c->segment[number == MSR_FS_BASE ? S_FS : S_GS].base;
        return 1;
    default:
        return 0;
    }
}

static int write_efer(cpu *c, uint64_t value)
{
    uint64_t may = EFER_SCE | EFER_LME | EFER_NXE;

    if (value & ~(may | EFER_LMA) || ((c->cr0 & CR0_PG) && ((value ^ c->efer) & EFER_LME)))
        return 0;
    c->efer = (value & may) | (c->efer & EFER_LMA);
    cpu_flush(c);
    return 1;
}

static int write_msr(cpu *c, uint32_t number, uint64_t value)
{
    switch (number) {
    case MSR_TSC:
        c->instructions = value;
        return 1;
    case MSR_APIC_BASE:
        return value == cpu_apic_base(c);
    case MSR_EFER:
        return write_efer(c, value);
    case MSR_FS_BASE:
    case MSR_GS_BASE:
        c->segment[number == MSR_FS_BASE ? S_FS : S_GS].base = value;
        return 1;
    default:
        return 0;
    }
}

step in_rdmsr(cpu *c, const insn *in)
{
    uint64_t value;

    if (c->cpl || !read_msr(c, (uint32_t)c->r[R_CX], &value))
        return cpu_raise_error(c, VECTOR_GP, 0);
    c->r[R_AX] = (uint32_t)value;
    c->r[R_DX] = value >> 32;
    return next(c, in);
}

step in_wrmsr(cpu *c, const insn *in)
{
    uint64_t value = (uint32_t)c->r[R_AX] | c->r[R_DX] << 32;

    if (c->cpl || !write_msr(c, (uint32_t)c->r[R_CX], value))
        return cpu_raise_error(c, VECTOR_GP, 0);
    return next(c, in);
}

step in_rdtsc(cpu *c, const insn *in)
{
    c->r[R_AX] = (uint32_t)c->instructions;
    c->r[R_DX] = c->instructions >> 32;
    return next(c, in);
}

step in_cpuid(cpu *c, const insn *in)
{
    vsdk_x86_cpuid_entry entry;

    mock_cpuid(c, (uint32_t)c->r[R_AX], (uint32_t)c->r[R_CX], &entry);
    c->r[R_AX] = entry.eax;
    c->r[R_BX] = entry.ebx;
    c->r[R_CX] = entry.ecx;
    c->r[R_DX] = entry.edx;
    return next(c, in);
}
