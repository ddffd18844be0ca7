/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of a decoded instruction: registers, memory, the stack, and the end of an instruction.
 */
#ifndef VSDK_MOCK_CPU_OPERAND_H
#define VSDK_MOCK_CPU_OPERAND_H

#include "backends/mock/cpu_insn.h"

static inline uint64_t size_mask(unsigned size)
{
    return ~0ull >> (64 - 8 * size);
}

static inline uint64_t sign_bit(unsigned size)
{
    return 1ull << (8 * size - 1);
}

static inline uint64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned shift = 64 - 8 * size;

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* A write of 32 bits clears the upper half, smaller ones keep the rest. */
static inline void register_set(cpu *c, unsigned number, unsigned size, uint64_t value)
{
    if (size == 8)
        c->r[number] = value;
    else if (size == 4)
        c->r[number] = (uint32_t)value;
    else
        c->r[number] = (c->r[number] & ~size_mask(size)) | (value & size_mask(size));
}

static inline uint64_t part_get(const cpu *c, unsigned number, unsigned size, unsigned high)
{
    return c->r[number] >> (high ? 8 : 0) & size_mask(size);
}

static inline void part_set(cpu *c, unsigned number, unsigned size, unsigned high, uint64_t value)
{
    if (high)
        c->r[number] = (c->r[number] & ~0xff00ull) | (value & 0xff) << 8;
    else
        register_set(c, number, size, value);
}

static inline uint64_t reg_get(const cpu *c, const insn *in)
{
    return part_get(c, in->reg, in->size, in->flags & IN_REG_HIGH);
}

static inline void reg_set(cpu *c, const insn *in, uint64_t value)
{
    part_set(c, in->reg, in->size, in->flags & IN_REG_HIGH, value);
}

static inline uint64_t effective_address(const cpu *c, const insn *in)
{
    uint64_t sum = in->disp + c->r[in->base] + (c->r[in->index] << in->scale);

    return sum & size_mask(in->address);
}

static inline uint64_t memory_operand(const cpu *c, const insn *in)
{
    return cpu_linear(c, in->segment, effective_address(c, in));
}

static inline step rm_get(cpu *c, const insn *in, unsigned access, uint64_t *value)
{
    if (in->flags & IN_MEMORY)
        return cpu_read(c, memory_operand(c, in), in->size, access, value);
    *value = part_get(c, in->rm, in->size, in->flags & IN_RM_HIGH);
    return STEP_DONE;
}

static inline step rm_set(cpu *c, const insn *in, uint64_t value)
{
    if (in->flags & IN_MEMORY)
        return cpu_write(c, memory_operand(c, in), in->size, value);
    part_set(c, in->rm, in->size, in->flags & IN_RM_HIGH, value);
    return STEP_DONE;
}

/* Writes what replaces `old`, which rm_get gave. With LOCK on memory it is one atomic step: if the
 * operand changed meanwhile nothing is written, *again is set and the instruction starts over. */
step rm_update(cpu *c, const insn *in, uint64_t old, uint64_t value, int *again);

static inline uint64_t ip_mask(const cpu *c)
{
    return c->bits == 64 ? ~0ull : c->bits == 32 ? 0xffffffffu : 0xffffu;
}

/* The instruction is over. */
static inline step next(cpu *c, const insn *in)
{
    c->r[R_IP] = (c->r[R_IP] + in->length) & ip_mask(c);
    return STEP_DONE;
}

static inline uint64_t next_ip(const cpu *c, const insn *in)
{
    return (c->r[R_IP] + in->length) & ip_mask(c);
}

static inline unsigned stack_size(const cpu *c)
{
    return c->bits == 64 ? 8 : c->segment[S_SS].access & 0x4000 ? 4 : 2;
}

/* Reads `size` bytes at `offset` above the stack pointer, which stays. */
step stack_peek(cpu *c, uint64_t offset, unsigned size, uint64_t *value);
/* Writes below it and lowers it. */
step stack_push(cpu *c, unsigned size, uint64_t value);
void stack_drop(cpu *c, uint64_t bytes);

/* The sum or difference, with all its flags. */
uint64_t alu_add(cpu *c, uint64_t a, uint64_t b, unsigned carry, unsigned size);
uint64_t alu_subtract(cpu *c, uint64_t a, uint64_t b, unsigned borrow, unsigned size);
int condition(const cpu *c, unsigned number);
/* Sets the arithmetic flags but CF, OF and AF from a result. */
void flags_of_result(cpu *c, uint64_t result, unsigned size);
static inline void flag_set(cpu *c, uint64_t flag, int on)
{
    c->flags = on ? c->flags | flag : c->flags & ~flag;
}

#endif
