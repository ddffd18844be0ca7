/* SPDX-License-Identifier: Apache-2.0 */
/* String instructions. One element a step: a repeated instruction stays at its address until its
 * count is used up, so interrupts, kicks and accesses that wait for an answer come between
 * elements. Plain fills and copies in memory take a short run of elements at once. */
#include "backends/mock/cpu_operand.h"

enum { RUN_MOST = 256 };

static int repeated(const insn *in)
{
    return (in->flags & (IN_REP | IN_REPNE)) != 0;
}

static uint64_t count_left(const cpu *c, const insn *in)
{
    return c->r[R_CX] & size_mask(in->address);
}

static uint64_t source(const cpu *c, const insn *in)
{
    return cpu_linear(c, in->segment, c->r[R_SI] & size_mask(in->address));
}

static uint64_t destination(const cpu *c, const insn *in)
{
    return cpu_linear(c, S_ES, c->r[R_DI] & size_mask(in->address));
}

static void advance(cpu *c, const insn *in, unsigned number, uint64_t elements)
{
    uint64_t bytes = elements * in->size;

    register_set(c, number, in->address,
                 c->flags & F_DF ? c->r[number] - bytes : c->r[number] + bytes);
}

/* `elements` are done. */
static step element_done(cpu *c, const insn *in, uint64_t elements)
{
    if (repeated(in)) {
        register_set(c, R_CX, in->address, c->r[R_CX] - elements);
        if (count_left(c, in))
            return STEP_DONE;
    }
    return next(c, in);
}

static int nothing_to_do(const cpu *c, const insn *in)
{
    return repeated(in) && !count_left(c, in);
}

/* Elements from `linear` on that lie in its page and may be done in one go. */
static uint64_t run_in_page(const cpu *c, const insn *in, uint64_t linear)
{
    uint64_t left = (PAGE_BYTES - (linear & (PAGE_BYTES - 1))) / in->size;
    uint64_t most = repeated(in) && !(c->flags & F_DF) ? count_left(c, in) : 1;

    most = most < RUN_MOST ? most : RUN_MOST;
    return left < most ? left : most;
}

static uint64_t copy_run(cpu *c, const insn *in, uint64_t elements)
{
    unsigned bytes = (unsigned)elements * in->size;
    uint8_t *to = cpu_direct(c, destination(c, in), bytes, ACCESS_WRITE);
    const uint8_t *from = cpu_direct(c, source(c, in), bytes, ACCESS_READ);

    if (!to || !from)
        return 0;
    for (unsigned i = 0; i < bytes; i += in->size)
        guest_store(to + i, in->size, guest_load(from + i, in->size));
    cpu_wrote(c, to);
    return elements;
}

step in_movs(cpu *c, const insn *in)
{
    uint64_t value, done = 0, from = source(c, in), to = destination(c, in);
    step s;

    if (nothing_to_do(c, in))
        return next(c, in);
    uint64_t run = run_in_page(c, in, from), other = run_in_page(c, in, to);
    if (run > other)
        run = other;
    if (run > 1)
        done = copy_run(c, in, run);
    if (!done) {
        s = cpu_read(c, from, in->size, ACCESS_READ, &value);
        if (!s)
            s = cpu_write(c, to, in->size, value);
        if (s)
            return s;
        done = 1;
    }
    advance(c, in, R_SI, done);
    advance(c, in, R_DI, done);
    return element_done(c, in, done);
}

static uint64_t fill_run(cpu *c, const insn *in, uint64_t elements)
{
    unsigned bytes = (unsigned)elements * in->size;
    uint8_t *to = cpu_direct(c, destination(c, in), bytes, ACCESS_WRITE);

    for (unsigned i = 0; to && i < bytes; i += in->size)
        guest_store(to + i, in->size, c->r[R_AX]);
    if (to)
        cpu_wrote(c, to);
    return to ? elements : 0;
}

step in_stos(cpu *c, const insn *in)
{
    uint64_t done = 0, to = destination(c, in);

    if (nothing_to_do(c, in))
        return next(c, in);
    uint64_t run = run_in_page(c, in, to);
    if (run > 1)
        done = fill_run(c, in, run);
    if (!done) {
        step s = cpu_write(c, to, in->size, c->r[R_AX] & size_mask(in->size));

        if (s)
            return s;
        done = 1;
    }
    advance(c, in, R_DI, done);
    return element_done(c, in, done);
}

step in_lods(cpu *c, const insn *in)
{
    uint64_t value;
    step s;

    if (nothing_to_do(c, in))
        return next(c, in);
    s = cpu_read(c, source(c, in), in->size, ACCESS_READ, &value);
    if (s)
        return s;
    register_set(c, R_AX, in->size, value);
    advance(c, in, R_SI, 1);
    return element_done(c, in, 1);
}

/* REPE and REPNE end early by ZF. */
static step compared(cpu *c, const insn *in, uint64_t a, uint64_t b)
{
    int equal;

    alu_subtract(c, a, b, 0, in->size);
    equal = (c->flags & F_ZF) != 0;
    if (repeated(in) && equal != !!(in->flags & IN_REP)) {
        register_set(c, R_CX, in->address, c->r[R_CX] - 1);
        return next(c, in);
    }
    return element_done(c, in, 1);
}

step in_scas(cpu *c, const insn *in)
{
    uint64_t value;
    step s;

    if (nothing_to_do(c, in))
        return next(c, in);
    s = cpu_read(c, destination(c, in), in->size, ACCESS_READ, &value);
    if (s)
        return s;
    advance(c, in, R_DI, 1);
    return compared(c, in, c->r[R_AX] & size_mask(in->size), value);
}

step in_cmps(cpu *c, const insn *in)
{
    uint64_t a, b;
    step s;

    if (nothing_to_do(c, in))
        return next(c, in);
    s = cpu_read(c, source(c, in), in->size, ACCESS_READ, &a);
    if (!s)
        s = cpu_read(c, destination(c, in), in->size, ACCESS_READ, &b);
    if (s)
        return s;
    advance(c, in, R_SI, 1);
    advance(c, in, R_DI, 1);
    return compared(c, in, a, b);
}

/* Ports. */

static unsigned port_width(const insn *in)
{
    return in->size == 8 ? 4 : in->size;
}

/* Elements that one exit may carry. */
static uint64_t counted(const cpu *c, const insn *in)
{
    uint64_t most = PAGE_BYTES / in->size;

    if (!repeated(in) || c->one_by_one)
        return 1;
    return count_left(c, in) < most ? count_left(c, in) : most;
}

static step access_of(cpu *c, const insn *in, int write, uint64_t count, uint64_t value)
{
    c->access = (cpu_access){.address = c->r[R_DX] & 0xffff,
                             .value = value,
                             .count = (uint32_t)count,
                             .width = (uint16_t)in->size,
                             .port = 1,
                             .write = (uint8_t)write,
                             .over = (uint8_t)write};
    return STEP_EXIT;
}

/* Nothing is left to do after a port write, so the instruction is over when it exits. */
static step outs(cpu *c, const insn *in)
{
    uint64_t most = counted(c, in), count = 0, value = 0, first = 0;
    uint64_t before = c->r[R_SI];
    step s = STEP_DONE;

    for (; count < most; count++) {
        if (count && !cpu_direct(c, source(c, in), in->size, ACCESS_READ))
            break;
        s = cpu_read(c, source(c, in), in->size, ACCESS_READ, &value);
        if (s)
            break;
        first = count ? first : value;
        guest_store(c->buffer + count * in->size, in->size, value);
        advance(c, in, R_SI, 1);
    }
    if (s) {
        c->r[R_SI] = before;
        return s;
    }
    element_done(c, in, count);
    return access_of(c, in, 1, count, first);
}

step in_outs(cpu *c, const insn *in)
{
    insn narrow = *in;
    step s = cpu_port_permission(c);

    if (s || nothing_to_do(c, in))
        return s ? s : next(c, in);
    narrow.size = (uint8_t)port_width(in);
    return outs(c, &narrow);
}

static step ins_one(cpu *c, const insn *in)
{
    uint64_t value;
    step s = cpu_outside_read(c, 1, c->r[R_DX] & 0xffff, in->size, &value);

    if (!s)
        s = cpu_write(c, destination(c, in), in->size, value);
    if (s)
        return s;
    advance(c, in, R_DI, 1);
    return element_done(c, in, 1);
}

/* The answers of a counted exit go to memory; what can't be written is asked for again. */
static step ins_answered(cpu *c, const insn *in)
{
    uint64_t count = c->bulk, done = 0;

    c->bulk = 0;
    while (done < count) {
        uint8_t *to = cpu_reach(c, destination(c, in), in->size, ACCESS_WRITE);

        if (!to)
            break;
        guest_store(to, in->size, guest_load(c->buffer + done * in->size, in->size));
        cpu_wrote(c, to);
        advance(c, in, R_DI, 1);
        done++;
    }
    return done ? element_done(c, in, done) : STEP_DONE;
}

/* How many elements can be written from here: within the page, in the direction of DF. */
static uint64_t writable(cpu *c, const insn *in, uint64_t most)
{
    uint64_t to = destination(c, in), offset = to & (PAGE_BYTES - 1);
    uint64_t room = c->flags & F_DF ? offset / in->size + 1 : (PAGE_BYTES - offset) / in->size;

    if (!cpu_reach(c, to, in->size, ACCESS_WRITE))
        return 1;
    return room < most ? room : most;
}

static step ins(cpu *c, const insn *in)
{
    uint64_t count;

    if (c->bulk)
        return ins_answered(c, in);
    count = c->answers ? 1 : writable(c, in, counted(c, in));
    if (count <= 1)
        return ins_one(c, in);
    return access_of(c, in, 0, count, 0);
}

step in_ins(cpu *c, const insn *in)
{
    insn narrow = *in;
    step s = cpu_port_permission(c);

    if (s || nothing_to_do(c, in))
        return s ? s : next(c, in);
    narrow.size = (uint8_t)port_width(in);
    return ins(c, &narrow);
}
