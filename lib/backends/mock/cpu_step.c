/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"
#include <string.h>

enum { BOOT_SIGNATURE = 0x600, RESET_CR0 = 0x60000010u };

step cpu_raise_error(cpu *c, uint8_t vector, uint32_t error)
{
    c->fault.vector = vector;
    c->fault.has_error = 1;
    c->fault.error = error;
    return STEP_FAULT;
}

step cpu_raise(cpu *c, uint8_t vector)
{
    cpu_raise_error(c, vector, 0);
    c->fault.has_error = 0;
    return STEP_FAULT;
}

step cpu_give_up(cpu *c, uint32_t kind, uint64_t native)
{
    c->unknown.kind = kind;
    c->unknown.native = native;
    return STEP_UNKNOWN;
}

/* Tells the bytes at the instruction pointer as far as they can be read. */
step cpu_unknown_code(cpu *c)
{
    uint64_t native = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t linear = cpu_linear(c, S_CS, c->r[R_IP] + i);
        const uint8_t *host = cpu_reach(c, linear, 1, ACCESS_EXECUTE);

        if (!host)
            break;
        native |= guest_load(host, 1) << 8 * i;
    }
    return cpu_give_up(c, UNKNOWN_INSTRUCTION, native);
}

step cpu_unknown_insn(cpu *c, const insn *in)
{
    return cpu_unknown_code(c);
}

void cpu_forget_access(cpu *c)
{
    c->held = NULL;
    c->answers = c->replayed = c->bulk = 0;
}

void cpu_answer(cpu *c, uint64_t value)
{
    if (c->access.count > 1)
        c->bulk = c->access.write ? 0 : c->access.count;
    else if (c->answers < REPLAY_MOST)
        c->replay[c->answers++] = value;
}

static step run(cpu *c, const insn *in)
{
    step s = in->run(c, in);

    if (s == STEP_EXIT && !c->access.over) {
        c->held = in;
        return s;
    }
    cpu_forget_access(c);
    return s == STEP_FAULT ? cpu_deliver_fault(c) : s;
}

step cpu_finish(cpu *c)
{
    c->replayed = 0;
    return run(c, c->held);
}

static step look_outside(cpu *c)
{
    step s = cpu_take_events(c);

    if (!s && c->activity != CPU_RUNNING)
        s = STEP_IDLE;
    return s;
}

step cpu_step(cpu *c)
{
    const insn *in;
    step s;

    if (atomic_load_explicit(&c->attention, memory_order_relaxed)) {
        s = look_outside(c);
        if (s)
            return s;
    } else if (c->activity != CPU_RUNNING) {
        return STEP_IDLE;
    }
    c->instructions++;
    s = cpu_fetch(c, &in);
    if (s)
        return s == STEP_FAULT ? cpu_deliver_fault(c) : s;
    return run(c, in);
}

void cpu_refresh(cpu *c)
{
    cpu_flush(c);
    cpu_update_mode(c);
    atomic_store_explicit(&c->attention, 1, memory_order_relaxed);
}

static void reset_segments(cpu *c)
{
    for (unsigned i = 0; i < S_COUNT; i++)
        c->segment[i] = (vsdk_x86_segment){.limit = 0xffff, .access = 0x93};
    c->segment[S_CS] =
        (vsdk_x86_segment){.base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .access = 0x9b};
    c->ldt = (vsdk_x86_segment){.limit = 0xffff, .access = 0x82};
    c->tr = (vsdk_x86_segment){.limit = 0xffff, .access = 0x8b};
    c->gdt = c->idt = (vsdk_x86_table){.limit = 0xffff};
}

void cpu_reset(cpu *c)
{
    memset(c->r, 0, sizeof c->r);
    c->r[R_IP] = 0xfff0;
    c->r[R_DX] = BOOT_SIGNATURE;
    c->flags = F_FIXED;
    c->cr0 = RESET_CR0;
    c->cr2 = c->cr3 = c->cr4 = c->efer = 0;
    c->shadow = c->nmi_blocked = c->down = 0;
    reset_segments(c);
    cpu_forget_access(c);
    lapic_reset(c);
    cpu_refresh(c);
}

void cpu_power_on(cpu *c, struct mock_vm *vm, uint32_t index)
{
    c->vm = vm;
    c->index = index;
    for (unsigned i = 0; i < DECODED_ENTRIES; i++)
        c->cache[i].linear = TLB_EMPTY;
    c->fpu = (vsdk_x86_fpu){.fcw = 0x37f, .mxcsr = 0x1f80, .mxcsr_mask = 0xffff};
    c->instructions = 0;
    atomic_store(&c->signals, 0);
    lapic_power_on(c);
    cpu_reset(c);
    c->activity = index ? CPU_WAIT_SIPI : CPU_RUNNING;
}
