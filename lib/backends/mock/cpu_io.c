/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"

/* Answers are kept in the order of the instruction's accesses; what has none yet exits. */
static step replay(cpu *c, const cpu_access *access, uint64_t *value)
{
    *value = 0;
    if (c->replayed < c->answers) {
        *value = c->replay[c->replayed++];
        return STEP_DONE;
    }
    if (c->answers == REPLAY_MOST)
        return cpu_give_up(c, UNKNOWN_MODE, c->cr0);
    c->access = *access;
    return STEP_EXIT;
}

step cpu_outside_read(cpu *c, int port, uint64_t address, unsigned width, uint64_t *value)
{
    cpu_access access = {
        .address = address, .count = 1, .width = (uint16_t)width, .port = (uint8_t)port};
    step s = replay(c, &access, value);

    if (!s)
        *value &= size_mask(width);
    return s;
}

step cpu_outside_write(cpu *c, int port, uint64_t address, unsigned width, uint64_t value)
{
    uint64_t ignored;
    cpu_access access = {.address = address,
                         .value = value & size_mask(width),
                         .count = 1,
                         .width = (uint16_t)width,
                         .port = (uint8_t)port,
                         .write = 1};

    return replay(c, &access, &ignored);
}

/* At CPL 3 by IOPL alone: a permission map in the task segment is not looked at. */
step cpu_port_permission(cpu *c)
{
    unsigned iopl = (unsigned)(c->flags & F_IOPL) >> 12;

    if ((c->cr0 & CR0_PE) && c->cpl > iopl)
        return cpu_raise_error(c, VECTOR_GP, 0);
    return STEP_DONE;
}

static step port_in(cpu *c, const insn *in, uint16_t port)
{
    unsigned width = in->size == 8 ? 4 : in->size;
    uint64_t value;
    step s = cpu_port_permission(c);

    if (!s)
        s = cpu_outside_read(c, 1, port, width, &value);
    if (s)
        return s;
    register_set(c, R_AX, width, value);
    return next(c, in);
}

/* The instruction is over when it exits: registers may be set at that exit. */
static step port_out(cpu *c, const insn *in, uint16_t port)
{
    unsigned width = in->size == 8 ? 4 : in->size;
    step s = cpu_port_permission(c);

    if (s)
        return s;
    c->access = (cpu_access){.address = port,
                             .value = c->r[R_AX] & size_mask(width),
                             .count = 1,
                             .width = (uint16_t)width,
                             .port = 1,
                             .write = 1,
                             .over = 1,
                             .settable = 1};
    next(c, in);
    return STEP_EXIT;
}

step in_in_imm(cpu *c, const insn *in)
{
    return port_in(c, in, (uint8_t)in->imm);
}

step in_in_dx(cpu *c, const insn *in)
{
    return port_in(c, in, (uint16_t)c->r[R_DX]);
}

step in_out_imm(cpu *c, const insn *in)
{
    return port_out(c, in, (uint8_t)in->imm);
}

step in_out_dx(cpu *c, const insn *in)
{
    return port_out(c, in, (uint16_t)c->r[R_DX]);
}
