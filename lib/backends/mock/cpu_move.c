/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"

step in_nop(cpu *c, const insn *in)
{
    return next(c, in);
}

step in_mov_rm_reg(cpu *c, const insn *in)
{
    step s = rm_set(c, in, reg_get(c, in));

    return s ? s : next(c, in);
}

step in_mov_reg_rm(cpu *c, const insn *in)
{
    uint64_t value;
    step s = rm_get(c, in, ACCESS_READ, &value);

    if (s)
        return s;
    reg_set(c, in, value);
    return next(c, in);
}

step in_mov_rm_imm(cpu *c, const insn *in)
{
    step s;

    if (in->reg & 7)
        return cpu_unknown_insn(c, in);
    s = rm_set(c, in, in->imm);
    return s ? s : next(c, in);
}

step in_mov_reg_imm(cpu *c, const insn *in)
{
    reg_set(c, in, in->imm);
    return next(c, in);
}

static uint64_t moffs(const cpu *c, const insn *in)
{
    return cpu_linear(c, in->segment, in->disp);
}

step in_mov_acc_moffs(cpu *c, const insn *in)
{
    uint64_t value;
    step s = cpu_read(c, moffs(c, in), in->size, ACCESS_READ, &value);

    if (s)
        return s;
    register_set(c, R_AX, in->size, value);
    return next(c, in);
}

step in_mov_moffs_acc(cpu *c, const insn *in)
{
    step s = cpu_write(c, moffs(c, in), in->size, c->r[R_AX] & size_mask(in->size));

    return s ? s : next(c, in);
}

/* `in` with an operand of another size, for the moves that widen. */
static insn narrow(const insn *in, unsigned size)
{
    insn source = *in;

    source.size = (uint8_t)size;
    if (size == 1 && !(in->flags & IN_MEMORY) && (in->flags & IN_RM_HIGH) == 0)
        source.flags &= (uint8_t)~IN_RM_HIGH;
    return source;
}

step in_movzx(cpu *c, const insn *in)
{
    insn source = narrow(in, in->op);
    uint64_t value;
    step s = rm_get(c, &source, ACCESS_READ, &value);

    if (s)
        return s;
    reg_set(c, in, value);
    return next(c, in);
}

step in_movsx(cpu *c, const insn *in)
{
    insn source = narrow(in, in->op);
    uint64_t value;
    step s = rm_get(c, &source, ACCESS_READ, &value);

    if (s)
        return s;
    reg_set(c, in, sign_extend(value, in->op));
    return next(c, in);
}

step in_movsxd(cpu *c, const insn *in)
{
    insn source = narrow(in, 4);
    uint64_t value;
    step s;

    if (c->bits != 64)
        return cpu_unknown_insn(c, in);
    s = rm_get(c, &source, ACCESS_READ, &value);
    if (s)
        return s;
    reg_set(c, in, sign_extend(value, 4));
    return next(c, in);
}

step in_lea(cpu *c, const insn *in)
{
    if (!(in->flags & IN_MEMORY))
        return cpu_raise(c, VECTOR_UD);
    reg_set(c, in, effective_address(c, in));
    return next(c, in);
}

/* XCHG with memory is locked without a prefix. */
step in_xchg_rm_reg(cpu *c, const insn *in)
{
    insn locked = *in;
    uint64_t value;
    int again;
    step s = rm_get(c, in, ACCESS_WRITE, &value);

    locked.flags |= IN_LOCK;
    if (!s)
        s = rm_update(c, &locked, value, reg_get(c, in), &again);
    if (s || again)
        return s;
    reg_set(c, in, value);
    return next(c, in);
}

/* 90 is NOP, or PAUSE with F3; with REX.B it is an exchange after all. */
step in_xchg_acc(cpu *c, const insn *in)
{
    uint64_t value = c->r[in->reg];

    if (in->reg == R_AX)
        return next(c, in);
    register_set(c, in->reg, in->size, c->r[R_AX]);
    register_set(c, R_AX, in->size, value);
    return next(c, in);
}

step in_bswap(cpu *c, const insn *in)
{
    uint64_t value = c->r[in->reg];

    if (in->size == 2)
        return cpu_unknown_insn(c, in);
    value = in->size == 8 ? __builtin_bswap64(value) : __builtin_bswap32((uint32_t)value);
    register_set(c, in->reg, in->size, value);
    return next(c, in);
}

step in_setcc(cpu *c, const insn *in)
{
    step s = rm_set(c, in, (uint64_t)condition(c, in->op));

    return s ? s : next(c, in);
}

step in_cmovcc(cpu *c, const insn *in)
{
    uint64_t value;
    step s = rm_get(c, in, ACCESS_READ, &value);

    if (s)
        return s;
    reg_set(c, in, condition(c, in->op) ? value : reg_get(c, in));
    return next(c, in);
}

/* The stack. */

static step push(cpu *c, const insn *in, uint64_t value)
{
    step s = stack_push(c, in->size, value);

    return s ? s : next(c, in);
}

step in_push_reg(cpu *c, const insn *in)
{
    return push(c, in, c->r[in->reg]);
}

step in_push_imm(cpu *c, const insn *in)
{
    return push(c, in, in->imm);
}

step in_pop_reg(cpu *c, const insn *in)
{
    uint64_t value;
    step s = stack_peek(c, 0, in->size, &value);

    if (s)
        return s;
    stack_drop(c, in->size);
    register_set(c, in->reg, in->size, value);
    return next(c, in);
}

/* An address that uses the stack pointer sees it raised. */
step in_pop_rm(cpu *c, const insn *in)
{
    uint64_t value, before = c->r[R_SP];
    step s;

    if (in->reg & 7)
        return cpu_unknown_insn(c, in);
    s = stack_peek(c, 0, in->size, &value);
    if (s)
        return s;
    stack_drop(c, in->size);
    s = rm_set(c, in, value);
    if (s) {
        c->r[R_SP] = before;
        return s;
    }
    return next(c, in);
}

step in_pushf(cpu *c, const insn *in)
{
    return push(c, in, c->flags & ~(uint64_t)(F_RF | F_VM));
}

step in_popf(cpu *c, const insn *in)
{
    uint64_t value, may = F_POPPED;
    unsigned iopl = (unsigned)(c->flags & F_IOPL) >> 12;
    step s = stack_peek(c, 0, in->size, &value);

    if (s)
        return s;
    if (c->cpl == 0)
        may |= F_IOPL;
    if (c->cpl <= iopl)
        may |= F_IF;
    if (in->size == 2)
        may &= 0xffff;
    stack_drop(c, in->size);
    c->flags = (c->flags & ~may) | (value & may);
    atomic_store_explicit(&c->attention, 1, memory_order_relaxed);
    return next(c, in);
}

step in_leave(cpu *c, const insn *in)
{
    uint64_t value, before = c->r[R_SP];
    step s;

    register_set(c, R_SP, stack_size(c), c->r[R_BP]);
    s = stack_peek(c, 0, in->size, &value);
    if (s) {
        c->r[R_SP] = before;
        return s;
    }
    stack_drop(c, in->size);
    register_set(c, R_BP, in->size, value);
    return next(c, in);
}

/* CMC, CLC, STC, CLD, STD by the low bits of the opcode. */
step in_flag(cpu *c, const insn *in)
{
    switch (in->op) {
    case 5:
        c->flags ^= F_CF;
        break;
    case 8:
    case 9:
        flag_set(c, F_CF, in->op & 1);
        break;
    default:
        flag_set(c, F_DF, in->op & 1);
    }
    return next(c, in);
}

/* Segment registers. */

step in_mov_rm_seg(cpu *c, const insn *in)
{
    insn to = *in;
    unsigned segment = in->reg & 7;
    step s;

    if (segment >= S_COUNT)
        return cpu_raise(c, VECTOR_UD);
    if (in->flags & IN_MEMORY)
        to.size = 2;
    s = rm_set(c, &to, c->segment[segment].selector);
    return s ? s : next(c, in);
}

step in_mov_seg_rm(cpu *c, const insn *in)
{
    insn from = *in;
    unsigned segment = in->reg & 7;
    uint64_t value;
    step s;

    if (segment >= S_COUNT || segment == S_CS)
        return cpu_raise(c, VECTOR_UD);
    from.size = 2;
    s = rm_get(c, &from, ACCESS_READ, &value);
    if (!s)
        s = cpu_load_segment(c, segment, (uint16_t)value);
    if (s)
        return s;
    if (segment == S_SS) {
        c->shadow = 1;
        atomic_store_explicit(&c->attention, 1, memory_order_relaxed);
    }
    return next(c, in);
}
