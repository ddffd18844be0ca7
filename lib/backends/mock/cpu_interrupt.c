/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"

/* Delivery of interrupts and exceptions by the interrupt table. Everything read or written here is
 * memory; what can't be done raises a fault in its turn, a double fault, and ends in a crash. */

enum { GATE_INTERRUPT = 0xe, GATE_TRAP = 0xf, GATE_P = 0x8000, TSS_SP0 = 4, TSS_IST1 = 0x24 };

typedef struct event {
    uint8_t vector, has_error, software, external;
    uint32_t error;
    uint64_t return_ip;
} event;

typedef struct gate {
    uint64_t offset;
    uint16_t selector, attributes; /* the second 16 bits of the descriptor's high half */
    uint8_t ist;
} gate;

static step bad_gate(cpu *c, const event *e)
{
    return cpu_raise_error(c, VECTOR_GP, (uint32_t)e->vector * 8 + 2 + (e->software ? 0 : 1));
}

static step read_gate(cpu *c, const event *e, gate *g)
{
    unsigned bytes = c->efer & EFER_LMA ? 16 : 8;
    uint64_t raw = 0, high = 0, at = c->idt.base + (uint64_t)e->vector * bytes;
    step s;

    if ((uint32_t)e->vector * bytes + bytes - 1 > c->idt.limit)
        return bad_gate(c, e);
    s = cpu_system_read(c, at, 8, &raw);
    if (!s && bytes == 16)
        s = cpu_system_read(c, at + 8, 8, &high);
    if (s)
        return s;
    *g = (gate){.offset = (raw & 0xffff) | (raw >> 32 & 0xffff0000) | high << 32,
                .selector = (uint16_t)(raw >> 16),
                .attributes = (uint16_t)(raw >> 32),
                .ist = bytes == 16 ? raw >> 32 & 7 : 0};
    unsigned type = g->attributes >> 8 & 0x1f;
    if ((type != GATE_INTERRUPT && type != GATE_TRAP) ||
        (e->software && (g->attributes >> 13 & 3u) < c->cpl))
        return bad_gate(c, e);
    if (!(g->attributes & GATE_P))
        return cpu_raise_error(c, VECTOR_NP, (uint32_t)e->vector * 8 + 2);
    return STEP_DONE;
}

static step tss_read(cpu *c, unsigned offset, unsigned size, uint64_t *value)
{
    if (offset + size - 1 > c->tr.limit || !(c->tr.access & 0x80))
        return cpu_raise_error(c, VECTOR_TS, c->tr.selector & 0xfffc);
    return cpu_system_read(c, c->tr.base + offset, size, value);
}

/* The code segment of a handler, and the privilege that it runs at: not below the current one. */
static step handler_code(cpu *c, const gate *g, vsdk_x86_segment *cs)
{
    unsigned level = c->cpl;

    for (;; level--) {
        step s = cpu_load_code(c, g->selector, level, cs);

        if (s != STEP_FAULT || level == 0)
            return s;
    }
}

static step push_all(cpu *c, uint64_t base, uint64_t *sp, unsigned size, const uint64_t *values,
                     unsigned count)
{
    step s = STEP_DONE;

    for (unsigned i = 0; i < count && !s; i++) {
        *sp -= size;
        s = cpu_system_write(c, base + *sp, size, values[i]);
    }
    return s;
}

static void enter_handler(cpu *c, const gate *g, const vsdk_x86_segment *cs)
{
    if ((g->attributes >> 8 & 0xf) == GATE_INTERRUPT)
        c->flags &= ~(uint64_t)F_IF;
    c->flags &= ~(uint64_t)(F_TF | F_NT | F_RF);
    c->segment[S_CS] = *cs;
    cpu_update_mode(c);
    c->r[R_IP] = g->offset & ip_mask(c);
}

static step stack_64(cpu *c, const gate *g, unsigned cpl, uint64_t *sp)
{
    step s = STEP_DONE;

    *sp = c->r[R_SP];
    if (g->ist)
        s = tss_read(c, TSS_IST1 + 8u * (g->ist - 1u), 8, sp);
    else if (cpl != c->cpl)
        s = tss_read(c, TSS_SP0 + 8 * cpl, 8, sp);
    *sp &= ~15ull;
    return s;
}

static step deliver_64(cpu *c, const event *e)
{
    uint64_t values[6] = {c->segment[S_SS].selector, c->r[R_SP],   c->flags,
                          c->segment[S_CS].selector, e->return_ip, e->error};
    vsdk_x86_segment cs;
    uint64_t sp;
    gate g;
    step s = read_gate(c, e, &g);

    if (!s)
        s = handler_code(c, &g, &cs);
    if (!s && !(cs.access & 0x2000))
        s = cpu_raise_error(c, VECTOR_GP, g.selector & 0xfffc);
    if (s)
        return s;
    unsigned cpl = cs.selector & 3;
    s = stack_64(c, &g, cpl, &sp);
    if (!s)
        s = push_all(c, 0, &sp, 8, values, e->has_error ? 6 : 5);
    if (s)
        return s;
    if (cpl != c->cpl)
        c->segment[S_SS] = (vsdk_x86_segment){.selector = (uint16_t)cpl};
    c->r[R_SP] = sp;
    enter_handler(c, &g, &cs);
    return STEP_DONE;
}

/* Same privilege only: a 32-bit guest has one ring here. */
static step deliver_32(cpu *c, const event *e)
{
    uint64_t values[4] = {c->flags, c->segment[S_CS].selector, e->return_ip, e->error};
    uint64_t sp = c->r[R_SP] & size_mask(stack_size(c));
    vsdk_x86_segment cs;
    gate g;
    step s = read_gate(c, e, &g);

    if (!s)
        s = handler_code(c, &g, &cs);
    if (s)
        return s;
    if ((cs.selector & 3u) != c->cpl)
        return cpu_give_up(c, UNKNOWN_MODE, c->cr0);
    s = push_all(c, c->segment[S_SS].base, &sp, 4, values, e->has_error ? 4 : 3);
    if (s)
        return s;
    register_set(c, R_SP, stack_size(c), sp);
    enter_handler(c, &g, &cs);
    return STEP_DONE;
}

static step deliver_real(cpu *c, const event *e)
{
    uint64_t values[3] = {c->flags, c->segment[S_CS].selector, e->return_ip};
    uint64_t sp = c->r[R_SP] & 0xffff, entry;
    step s;

    if (e->vector * 4u + 3 > c->idt.limit)
        return cpu_raise_error(c, VECTOR_GP, 0);
    s = cpu_system_read(c, c->idt.base + e->vector * 4u, 4, &entry);
    if (!s)
        s = push_all(c, c->segment[S_SS].base, &sp, 2, values, 3);
    if (s)
        return s;
    register_set(c, R_SP, 2, sp);
    c->flags &= ~(uint64_t)(F_IF | F_TF | F_AC);
    c->r[R_IP] = entry & 0xffff;
    return cpu_load_code(c, (uint16_t)(entry >> 16), 0, &c->segment[S_CS]);
}

static step deliver(cpu *c, const event *e)
{
    if (!(c->cr0 & CR0_PE))
        return deliver_real(c, e);
    return c->efer & EFER_LMA ? deliver_64(c, e) : deliver_32(c, e);
}

static int contributory(unsigned vector)
{
    return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* What happens when the delivery of `first` (-1: not an exception) raised cpu.fault. */
static step escalate(cpu *c, int first)
{
    for (int rounds = 0; rounds < 4; rounds++) {
        unsigned second = c->fault.vector;
        event e = {.vector = (uint8_t)second,
                   .has_error = c->fault.has_error,
                   .error = c->fault.error,
                   .return_ip = c->r[R_IP]};

        if (first == VECTOR_DF)
            return STEP_CRASH;
        if (first >= 0 && ((contributory((unsigned)first) && contributory(second)) ||
                           (first == VECTOR_PF && (contributory(second) || second == VECTOR_PF))))
            e = (event){.vector = VECTOR_DF, .has_error = 1, .return_ip = c->r[R_IP]};
        if (e.vector == VECTOR_PF)
            c->cr2 = c->fault.address;
        step s = deliver(c, &e);
        if (s != STEP_FAULT)
            return s;
        first = e.vector;
    }
    return STEP_CRASH;
}

step cpu_deliver_fault(cpu *c)
{
    return escalate(c, -1);
}

step cpu_deliver_interrupt(cpu *c, uint8_t vector)
{
    event e = {.vector = vector, .external = 1, .return_ip = c->r[R_IP]};
    step s = deliver(c, &e);

    return s == STEP_FAULT ? escalate(c, -1) : s;
}

step cpu_software_interrupt(cpu *c, uint8_t vector, uint64_t return_ip)
{
    event e = {.vector = vector, .software = 1, .return_ip = return_ip};

    return deliver(c, &e);
}

/* Signals from outside, in the order of their priority. */

static void start_up(cpu *c, uint32_t signals)
{
    uint16_t vector = (uint16_t)(signals >> SIGNAL_VECTOR_SHIFT & 0xff);

    c->segment[S_CS].selector = (uint16_t)(vector << 8);
    c->segment[S_CS].base = (uint64_t)vector << 12;
    c->r[R_IP] = 0;
    c->activity = CPU_RUNNING;
    c->down = 0;
}

static void take_init_and_startup(cpu *c)
{
    uint32_t signals = atomic_load_explicit(&c->signals, memory_order_acquire);

    if (signals & SIGNAL_INIT) {
        atomic_fetch_and(&c->signals, ~(uint32_t)SIGNAL_INIT);
        cpu_reset(c);
        c->activity = c->index ? CPU_WAIT_SIPI : CPU_RUNNING;
        signals = atomic_load(&c->signals);
    }
    if (signals & SIGNAL_SIPI) {
        atomic_fetch_and(&c->signals, (uint32_t)SIGNAL_NMI | SIGNAL_INIT);
        if (c->activity == CPU_WAIT_SIPI)
            start_up(c, signals);
    }
}

static int take_nmi(cpu *c, step *s)
{
    if (c->nmi_blocked || !(atomic_load(&c->signals) & SIGNAL_NMI))
        return 0;
    atomic_fetch_and(&c->signals, ~(uint32_t)SIGNAL_NMI);
    c->activity = CPU_RUNNING;
    c->nmi_blocked = 1;
    *s = cpu_deliver_interrupt(c, VECTOR_NMI);
    return 1;
}

static step take_interrupt(cpu *c)
{
    int vector = c->flags & F_IF ? lapic_pending(c) : -1;

    if (vector < 0)
        return STEP_DONE;
    c->activity = CPU_RUNNING;
    lapic_accept(c, (uint8_t)vector);
    return cpu_deliver_interrupt(c, (uint8_t)vector);
}

step cpu_take_events(cpu *c)
{
    step s;

    atomic_exchange(&c->attention, 0);
    take_init_and_startup(c);
    if (c->activity == CPU_WAIT_SIPI)
        return STEP_DONE;
    if (c->shadow) {
        c->shadow = 0;
        atomic_store_explicit(&c->attention, 1, memory_order_relaxed);
        return STEP_DONE;
    }
    return take_nmi(c, &s) ? s : take_interrupt(c);
}
