/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"

/* BT, BTS, BTR and BTC (0 to 3), and the operations that exchange with memory. */

static step bit(cpu *c, const insn *in, const insn *operand, unsigned op, unsigned number)
{
    uint64_t a, result, one = 1ull << number;
    int again = 0;
    step s = rm_get(c, operand, op ? ACCESS_WRITE : ACCESS_READ, &a);

    if (s)
        return s;
    result = op == 1 ? a | one : op == 2 ? a & ~one : a ^ one;
    if (op)
        s = rm_update(c, operand, a, result, &again);
    if (s || again)
        return s;
    flag_set(c, F_CF, (a & one) != 0);
    return next(c, in);
}

/* A register's bit number reaches memory beyond the operand. */
step in_bit_reg(cpu *c, const insn *in)
{
    insn operand = *in;
    unsigned bits = 8u * in->size;
    int64_t number = (int64_t)sign_extend(reg_get(c, in), in->size);

    if (in->flags & IN_MEMORY)
        operand.disp += (uint64_t)(number >> (in->size == 8   ? 6
                                              : in->size == 4 ? 5
                                                              : 4)) *
                        in->size;
    return bit(c, in, &operand, in->op, (unsigned)number & (bits - 1));
}

step in_bit_imm(cpu *c, const insn *in)
{
    if ((in->reg & 7) < 4)
        return cpu_unknown_insn(c, in);
    return bit(c, in, in, in->reg & 3, (unsigned)in->imm & (8u * in->size - 1));
}

step in_xadd(cpu *c, const insn *in)
{
    uint64_t a, sum, flags = c->flags;
    int again;
    step s = rm_get(c, in, ACCESS_WRITE, &a);

    if (s)
        return s;
    sum = alu_add(c, a, reg_get(c, in), 0, in->size);
    s = rm_update(c, in, a, sum, &again);
    if (s || again) {
        c->flags = flags;
        return s;
    }
    reg_set(c, in, a);
    if (!(in->flags & IN_MEMORY))
        part_set(c, in->rm, in->size, in->flags & IN_RM_HIGH, sum);
    return next(c, in);
}

step in_cmpxchg(cpu *c, const insn *in)
{
    uint64_t a, accumulator = c->r[R_AX] & size_mask(in->size);
    int again = 0;
    step s = rm_get(c, in, ACCESS_WRITE, &a);

    if (s)
        return s;
    if (a == accumulator)
        s = rm_update(c, in, a, reg_get(c, in), &again);
    if (s || again)
        return s;
    alu_subtract(c, accumulator, a, 0, in->size);
    if (a != accumulator)
        register_set(c, R_AX, in->size, a);
    return next(c, in);
}
