/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

uint64_t alu_add(cpu *c, uint64_t a, uint64_t b, unsigned carry, unsigned size)
{
    uint64_t mask = size_mask(size), result = (a + b + carry) & mask;

    c->flags &= ~(uint64_t)F_ARITHMETIC;
    flag_set(c, F_CF, carry ? result <= (a & mask) : result < (a & mask));
    flag_set(c, F_OF, ((~(a ^ b) & (a ^ result)) & sign_bit(size)) != 0);
    flag_set(c, F_AF, ((a ^ b ^ result) & 0x10) != 0);
    flags_of_result(c, result, size);
    return result;
}

uint64_t alu_subtract(cpu *c, uint64_t a, uint64_t b, unsigned borrow, unsigned size)
{
    uint64_t mask = size_mask(size), result = (a - b - borrow) & mask;

    c->flags &= ~(uint64_t)F_ARITHMETIC;
    flag_set(c, F_CF, borrow ? (a & mask) <= (b & mask) : (a & mask) < (b & mask));
    flag_set(c, F_OF, (((a ^ b) & (a ^ result)) & sign_bit(size)) != 0);
    flag_set(c, F_AF, ((a ^ b ^ result) & 0x10) != 0);
    flags_of_result(c, result, size);
    return result;
}

static uint64_t logic(cpu *c, uint64_t result, unsigned size)
{
    c->flags &= ~(uint64_t)F_ARITHMETIC;
    flags_of_result(c, result, size);
    return result & size_mask(size);
}

static uint64_t alu(cpu *c, unsigned op, uint64_t a, uint64_t b, unsigned size)
{
    unsigned carry = c->flags & F_CF ? 1 : 0;

    switch (op) {
    case ALU_ADD:
        return alu_add(c, a, b, 0, size);
    case ALU_ADC:
        return alu_add(c, a, b, carry, size);
    case ALU_SUB:
    case ALU_CMP:
        return alu_subtract(c, a, b, 0, size);
    case ALU_SBB:
        return alu_subtract(c, a, b, carry, size);
    case ALU_AND:
        return logic(c, a & b, size);
    case ALU_OR:
        return logic(c, a | b, size);
    default:
        return logic(c, a ^ b, size);
    }
}

/* rm = rm op b, the flags kept if it does not finish. */
static step alu_rm(cpu *c, const insn *in, unsigned op, uint64_t b)
{
    uint64_t a, result, flags = c->flags;
    int again = 0;
    step s = rm_get(c, in, op == ALU_CMP ? ACCESS_READ : ACCESS_WRITE, &a);

    if (s)
        return s;
    result = alu(c, op, a, b, in->size);
    if (op != ALU_CMP)
        s = rm_update(c, in, a, result, &again);
    if (s || again) {
        c->flags = flags;
        return s;
    }
    return next(c, in);
}

step in_alu_rm_reg(cpu *c, const insn *in)
{
    return alu_rm(c, in, in->op, reg_get(c, in));
}

step in_alu_rm_imm(cpu *c, const insn *in)
{
    return alu_rm(c, in, in->op, in->imm);
}

step in_alu_reg_rm(cpu *c, const insn *in)
{
    uint64_t b, result;
    step s = rm_get(c, in, ACCESS_READ, &b);

    if (s)
        return s;
    result = alu(c, in->op, reg_get(c, in), b, in->size);
    if (in->op != ALU_CMP)
        reg_set(c, in, result);
    return next(c, in);
}

static step test(cpu *c, const insn *in, uint64_t b)
{
    uint64_t a;
    step s = rm_get(c, in, ACCESS_READ, &a);

    if (s)
        return s;
    logic(c, a & b, in->size);
    return next(c, in);
}

step in_test_rm_reg(cpu *c, const insn *in)
{
    return test(c, in, reg_get(c, in));
}

step in_test_rm_imm(cpu *c, const insn *in)
{
    return test(c, in, in->imm);
}

/* INC and DEC leave CF alone. */
static step step_by_one(cpu *c, const insn *in, int down)
{
    uint64_t a, result, flags = c->flags;
    int again = 0;
    step s = rm_get(c, in, ACCESS_WRITE, &a);

    if (s)
        return s;
    result = down ? alu_subtract(c, a, 1, 0, in->size) : alu_add(c, a, 1, 0, in->size);
    flag_set(c, F_CF, (flags & F_CF) != 0);
    s = rm_update(c, in, a, result, &again);
    if (s || again) {
        c->flags = flags;
        return s;
    }
    return next(c, in);
}

step in_inc(cpu *c, const insn *in)
{
    return step_by_one(c, in, 0);
}

step in_dec(cpu *c, const insn *in)
{
    return step_by_one(c, in, 1);
}

step in_group4(cpu *c, const insn *in)
{
    return (in->reg & 7) < 2 ? step_by_one(c, in, in->reg & 1) : cpu_unknown_insn(c, in);
}

/* Shifts and rotations. */

static uint64_t rotate(cpu *c, unsigned op, uint64_t a, unsigned count, unsigned size)
{
    unsigned bits = 8 * size, n = count % bits;
    uint64_t result = a;

    if (n)
        result = (op == 0 ? a << n | a >> (bits - n) : a >> n | a << (bits - n)) & size_mask(size);
    flag_set(c, F_CF, op == 0 ? (int)(result & 1) : (result & sign_bit(size)) != 0);
    flag_set(c, F_OF,
             op == 0 ? !(result & sign_bit(size)) != !(c->flags & F_CF)
                     : !(result & sign_bit(size)) != !(result & sign_bit(size) >> 1));
    return result;
}

static uint64_t shift_left(cpu *c, uint64_t a, unsigned count, unsigned size)
{
    uint64_t result = a << count & size_mask(size);
    int carry = count <= 8 * size && (a >> (8 * size - count) & 1);

    logic(c, result, size);
    flag_set(c, F_CF, carry);
    flag_set(c, F_OF, !(result & sign_bit(size)) != !carry);
    return result;
}

static uint64_t shift_right(cpu *c, uint64_t a, unsigned count, unsigned size, int arithmetic)
{
    uint64_t wide = arithmetic ? sign_extend(a, size) : a;
    uint64_t last = arithmetic ? (uint64_t)((int64_t)wide >> (count - 1)) : wide >> (count - 1);
    uint64_t result = arithmetic ? (uint64_t)((int64_t)last >> 1) : last >> 1;

    result &= size_mask(size);
    logic(c, result, size);
    flag_set(c, F_CF, (int)(last & 1));
    flag_set(c, F_OF, !arithmetic && (a & sign_bit(size)));
    return result;
}

static step shift(cpu *c, const insn *in, unsigned count)
{
    unsigned op = in->reg & 7;
    uint64_t a, result, flags = c->flags;
    step s;

    if (op == 2 || op == 3)
        return cpu_unknown_insn(c, in);
    s = rm_get(c, in, ACCESS_WRITE, &a);
    count &= in->size == 8 ? 63 : 31;
    if (s || !count)
        return s ? s : next(c, in);
    if (op < 2)
        result = rotate(c, op, a, count, in->size);
    else if (op == 4 || op == 6)
        result = shift_left(c, a, count, in->size);
    else
        result = shift_right(c, a, count, in->size, op == 7);
    s = rm_set(c, in, result);
    if (s) {
        c->flags = flags;
        return s;
    }
    return next(c, in);
}

step in_shift_imm(cpu *c, const insn *in)
{
    return shift(c, in, (uint8_t)in->imm);
}

step in_shift_one(cpu *c, const insn *in)
{
    return shift(c, in, 1);
}

step in_shift_cl(cpu *c, const insn *in)
{
    return shift(c, in, (uint8_t)c->r[R_CX]);
}

/* Multiplication and division. */

static void flags_of_product(cpu *c, int overflow)
{
    flag_set(c, F_CF, overflow);
    flag_set(c, F_OF, overflow);
}

static step multiply(cpu *c, const insn *in, uint64_t b, int with_sign)
{
    unsigned size = in->size, bits = 8 * size;
    unsigned __int128 product;
    uint64_t low, high;

    if (with_sign)
        product = (unsigned __int128)((__int128)(int64_t)sign_extend(c->r[R_AX], size) *
                                      (int64_t)sign_extend(b, size));
    else
        product = (unsigned __int128)(c->r[R_AX] & size_mask(size)) * b;
    low = (uint64_t)product & size_mask(size);
    high = (uint64_t)(product >> bits) & size_mask(size);
    if (size == 1) {
        register_set(c, R_AX, 2, low | high << 8);
    } else {
        register_set(c, R_AX, size, low);
        register_set(c, R_DX, size, high);
    }
    flags_of_product(c, high != (with_sign && (low & sign_bit(size)) ? size_mask(size) : 0));
    return next(c, in);
}

static step divide_unsigned(cpu *c, const insn *in, unsigned __int128 a, uint64_t b,
                            uint64_t *quotient, uint64_t *rest)
{
    if (!b || a / b > size_mask(in->size))
        return cpu_raise(c, VECTOR_DE);
    *quotient = (uint64_t)(a / b);
    *rest = (uint64_t)(a % b);
    return STEP_DONE;
}

static step divide_signed(cpu *c, const insn *in, unsigned __int128 a, uint64_t b,
                          uint64_t *quotient, uint64_t *rest)
{
    unsigned bits = 8 * in->size;
    __int128 x = (__int128)(a << (128 - 2 * bits)) >> (128 - 2 * bits);
    __int128 y = (int64_t)sign_extend(b, in->size);
    __int128 limit = (__int128)sign_bit(in->size);

    if (!y || (y == -1 && x >= limit * 2) || (y == -1 && x < -limit * 2))
        return cpu_raise(c, VECTOR_DE);
    __int128 q = y == -1 ? -x : x / y;
    if (q >= limit || q < -limit)
        return cpu_raise(c, VECTOR_DE);
    *quotient = (uint64_t)q;
    *rest = (uint64_t)(y == -1 ? 0 : x % y);
    return STEP_DONE;
}

static step divide(cpu *c, const insn *in, uint64_t b, int with_sign)
{
    unsigned size = in->size, bits = 8 * size;
    uint64_t low = c->r[R_AX] & size_mask(size);
    uint64_t high = (size == 1 ? c->r[R_AX] >> 8 : c->r[R_DX]) & size_mask(size);
    unsigned __int128 a = (unsigned __int128)high << bits | low;
    uint64_t quotient = 0, rest = 0;
    step s = with_sign ? divide_signed(c, in, a, b, &quotient, &rest)
                       : divide_unsigned(c, in, a, b, &quotient, &rest);

    if (s)
        return s;
    if (size == 1) {
        register_set(c, R_AX, 2, (quotient & 0xff) | (rest & 0xff) << 8);
    } else {
        register_set(c, R_AX, size, quotient);
        register_set(c, R_DX, size, rest);
    }
    return next(c, in);
}

static step complement(cpu *c, const insn *in, uint64_t a, int negate)
{
    uint64_t flags = c->flags;
    uint64_t result = negate ? alu_subtract(c, 0, a, 0, in->size) : ~a & size_mask(in->size);
    int again;
    step s = rm_update(c, in, a, result, &again);

    if (s || again) {
        c->flags = flags;
        return s;
    }
    return next(c, in);
}

step in_group3(cpu *c, const insn *in)
{
    unsigned op = in->reg & 7;
    uint64_t a;
    step s;

    if (op < 2)
        return test(c, in, in->imm);
    s = rm_get(c, in, op < 4 ? ACCESS_WRITE : ACCESS_READ, &a);
    if (s)
        return s;
    if (op < 4)
        return complement(c, in, a, op == 3);
    return op < 6 ? multiply(c, in, a, op == 5) : divide(c, in, a, op == 7);
}

static step imul(cpu *c, const insn *in, uint64_t a, uint64_t b)
{
    __int128 product =
        (__int128)(int64_t)sign_extend(a, in->size) * (int64_t)sign_extend(b, in->size);
    uint64_t low = (uint64_t)product & size_mask(in->size);

    flags_of_product(c, product != (__int128)(int64_t)sign_extend(low, in->size));
    reg_set(c, in, low);
    return next(c, in);
}

step in_imul_rm(cpu *c, const insn *in)
{
    uint64_t b;
    step s = rm_get(c, in, ACCESS_READ, &b);

    return s ? s : imul(c, in, reg_get(c, in), b);
}

step in_imul_imm(cpu *c, const insn *in)
{
    uint64_t a;
    step s = rm_get(c, in, ACCESS_READ, &a);

    return s ? s : imul(c, in, a, in->imm);
}

step in_cbw(cpu *c, const insn *in)
{
    register_set(c, R_AX, in->size, sign_extend(c->r[R_AX], in->size / 2));
    return next(c, in);
}

step in_cwd(cpu *c, const insn *in)
{
    register_set(c, R_DX, in->size, c->r[R_AX] & sign_bit(in->size) ? ~0ull : 0);
    return next(c, in);
}
