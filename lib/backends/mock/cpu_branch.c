/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"

static step jump(cpu *c, const insn *in, uint64_t target)
{
    c->r[R_IP] = target & ip_mask(c) & size_mask(in->size);
    return STEP_DONE;
}

static uint64_t relative(const cpu *c, const insn *in)
{
    return c->r[R_IP] + in->length + in->imm;
}

step in_jcc(cpu *c, const insn *in)
{
    return condition(c, in->op) ? jump(c, in, relative(c, in)) : next(c, in);
}

step in_jmp(cpu *c, const insn *in)
{
    return jump(c, in, relative(c, in));
}

static step call(cpu *c, const insn *in, uint64_t target)
{
    step s = stack_push(c, in->size, next_ip(c, in));

    return s ? s : jump(c, in, target);
}

step in_call(cpu *c, const insn *in)
{
    return call(c, in, relative(c, in));
}

step in_ret(cpu *c, const insn *in)
{
    uint64_t target;
    step s = stack_peek(c, 0, in->size, &target);

    if (s)
        return s;
    stack_drop(c, in->size + in->imm);
    return jump(c, in, target);
}

/* LOOPNE, LOOPE, LOOP. */
step in_loop(cpu *c, const insn *in)
{
    uint64_t count = (c->r[R_CX] - 1) & size_mask(in->address);
    int zero = (c->flags & F_ZF) != 0;
    int again = count && (in->op == 2 || zero == in->op);

    register_set(c, R_CX, in->address, count);
    return again ? jump(c, in, relative(c, in)) : next(c, in);
}

step in_jcxz(cpu *c, const insn *in)
{
    int zero = !(c->r[R_CX] & size_mask(in->address));

    return zero ? jump(c, in, relative(c, in)) : next(c, in);
}

/* Changes of the code segment; call gates and task switches are not interpreted. */

static step jump_far(cpu *c, uint16_t selector, uint64_t target)
{
    vsdk_x86_segment cs;
    step s = cpu_load_code(c, selector, c->cpl, &cs);

    if (s)
        return s;
    c->segment[S_CS] = cs;
    cpu_update_mode(c);
    c->r[R_IP] = target & ip_mask(c);
    return STEP_DONE;
}

step in_jmp_far(cpu *c, const insn *in)
{
    return jump_far(c, in->selector, in->imm);
}

static step jump_far_memory(cpu *c, const insn *in)
{
    uint64_t linear = memory_operand(c, in), target, selector;
    step s;

    if (!(in->flags & IN_MEMORY))
        return cpu_raise(c, VECTOR_UD);
    s = cpu_read(c, linear, in->size, ACCESS_READ, &target);
    if (!s)
        s = cpu_read(c, linear + in->size, 2, ACCESS_READ, &selector);
    return s ? s : jump_far(c, (uint16_t)selector, target);
}

step in_ret_far(cpu *c, const insn *in)
{
    uint64_t target, selector;
    unsigned before = c->bits == 64 ? 8 : stack_size(c);
    step s = stack_peek(c, 0, in->size, &target);

    if (!s)
        s = stack_peek(c, in->size, in->size, &selector);
    if (s)
        return s;
    if ((c->cr0 & CR0_PE) && (selector & 3) != c->cpl)
        return cpu_unknown_insn(c, in);
    s = jump_far(c, (uint16_t)selector, target);
    if (!s)
        register_set(c, R_SP, before, c->r[R_SP] + 2u * in->size + in->imm);
    return s;
}

static step branch_near(cpu *c, const insn *in, int is_call)
{
    insn wide = *in;
    uint64_t target;
    step s;

    if (c->bits == 64)
        wide.size = 8;
    s = rm_get(c, &wide, ACCESS_READ, &target);
    if (s)
        return s;
    return is_call ? call(c, &wide, target) : jump(c, &wide, target);
}

static step push_rm(cpu *c, const insn *in)
{
    insn wide = *in;
    uint64_t value;
    step s;

    if (c->bits == 64 && in->size == 4)
        wide.size = 8;
    s = rm_get(c, &wide, ACCESS_READ, &value);
    if (!s)
        s = stack_push(c, wide.size, value);
    return s ? s : next(c, in);
}

step in_group5(cpu *c, const insn *in)
{
    switch (in->reg & 7) {
    case 0:
        return in_inc(c, in);
    case 1:
        return in_dec(c, in);
    case 2:
    case 4:
        return branch_near(c, in, (in->reg & 7) == 2);
    case 5:
        return jump_far_memory(c, in);
    case 6:
        return push_rm(c, in);
    default:
        return cpu_unknown_insn(c, in);
    }
}

step in_int(cpu *c, const insn *in)
{
    return cpu_software_interrupt(c, (uint8_t)in->imm, next_ip(c, in));
}

step in_int3(cpu *c, const insn *in)
{
    return cpu_software_interrupt(c, VECTOR_BP, next_ip(c, in));
}

step in_ud(cpu *c, const insn *in)
{
    return cpu_raise(c, VECTOR_UD);
}

/* IRET. */

typedef struct frame {
    uint64_t ip, cs, flags, sp, ss;
} frame;

static step peek_frame(cpu *c, const insn *in, frame *f, int with_stack)
{
    uint64_t *fields[5] = {&f->ip, &f->cs, &f->flags, &f->sp, &f->ss};
    step s = STEP_DONE;

    for (unsigned i = 0; i < (with_stack ? 5u : 3u) && !s; i++)
        s = stack_peek(c, (uint64_t)i * in->size, in->size, fields[i]);
    return s;
}

static void set_flags(cpu *c, const insn *in, uint64_t value)
{
    uint64_t may = F_POPPED | F_RF;
    unsigned iopl = (unsigned)(c->flags & F_IOPL) >> 12;

    if (c->cpl == 0)
        may |= F_IOPL;
    if (c->cpl <= iopl)
        may |= F_IF;
    if (in->size == 2)
        may &= 0xffff;
    c->flags = (c->flags & ~may) | (value & may);
    c->nmi_blocked = 0;
    atomic_store_explicit(&c->attention, 1, memory_order_relaxed);
}

/* The stack segment for CPL `cpl`, put in place of the old one. */
static step return_stack(cpu *c, const frame *f, unsigned cpl)
{
    unsigned before = c->cpl;
    step s;

    c->cpl = cpl;
    s = cpu_load_segment(c, S_SS, (uint16_t)f->ss);
    c->cpl = before;
    return s;
}

step in_iret(cpu *c, const insn *in)
{
    int protected_mode = (c->cr0 & CR0_PE) != 0, was_64 = c->bits == 64;
    vsdk_x86_segment cs, old_ss = c->segment[S_SS];
    frame f;
    step s = peek_frame(c, in, &f, 0);

    if (s)
        return s;
    if (protected_mode && (f.flags & F_VM) && !was_64)
        return cpu_unknown_insn(c, in);
    unsigned cpl = protected_mode ? (unsigned)f.cs & 3 : 0;
    int with_stack = was_64 || cpl != c->cpl;
    if (cpl < c->cpl)
        return cpu_raise_error(c, VECTOR_GP, (uint32_t)f.cs & 0xfffc);
    if (with_stack)
        s = peek_frame(c, in, &f, 1);
    if (!s)
        s = cpu_load_code(c, (uint16_t)f.cs, cpl, &cs);
    if (!s && with_stack)
        s = return_stack(c, &f, cpl);
    if (s) {
        c->segment[S_SS] = old_ss;
        return s;
    }
    set_flags(c, in, f.flags);
    if (with_stack)
        register_set(c, R_SP, was_64 ? 8 : stack_size(c), f.sp);
    else
        stack_drop(c, 3u * in->size);
    c->segment[S_CS] = cs;
    cpu_update_mode(c);
    c->r[R_IP] = f.ip & ip_mask(c);
    return STEP_DONE;
}
