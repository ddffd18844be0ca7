/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_operand.h"

enum {
    ACCESS_TYPE_CODE = 8,
    ACCESS_CONFORMING = 4,
    ACCESS_WRITABLE = 2,
    ACCESS_S = 0x10,
    ACCESS_P = 0x80,
    ACCESS_L = 0x2000,
    ACCESS_DB = 0x4000,
    ACCESS_G = 0x8000,
    DATA_ACCESS = 0x93,
    CODE_ACCESS = 0x9b
};

void cpu_update_mode(cpu *c)
{
    uint16_t access = c->segment[S_CS].access;

    if ((c->efer & EFER_LMA) && (access & ACCESS_L))
        c->bits = 64;
    else
        c->bits = access & ACCESS_DB ? 32 : 16;
    c->cpl = c->cr0 & CR0_PE ? c->segment[S_CS].selector & 3 : 0;
}

/* Paging exists in long mode only; a guest that wants another kind is told apart. */
step cpu_set_cr0(cpu *c, uint64_t value)
{
    uint64_t was = c->cr0;

    if ((value & CR0_PG) && !(value & CR0_PE))
        return cpu_raise_error(c, VECTOR_GP, 0);
    if ((value & CR0_PG) && !(was & CR0_PG)) {
        if (!(c->efer & EFER_LME))
            return cpu_give_up(c, UNKNOWN_MODE, value);
        if (!(c->cr4 & CR4_PAE))
            return cpu_raise_error(c, VECTOR_GP, 0);
        c->efer |= EFER_LMA;
    }
    if (!(value & CR0_PG) && (was & CR0_PG)) {
        if (c->bits == 64)
            return cpu_raise_error(c, VECTOR_GP, 0);
        c->efer &= ~(uint64_t)EFER_LMA;
    }
    c->cr0 = (uint32_t)value | CR0_ET;
    cpu_update_mode(c);
    cpu_flush(c);
    return STEP_DONE;
}

static void unpack(uint64_t raw, uint16_t selector, vsdk_x86_segment *segment)
{
    uint32_t limit = (uint32_t)(raw & 0xffff) | (uint32_t)(raw >> 32 & 0xf0000);

    *segment = (vsdk_x86_segment){
        .base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000),
        .limit = raw >> 55 & 1 ? limit << 12 | 0xfff : limit,
        .selector = selector,
        .access = (uint16_t)(raw >> 40 & 0xf0ff),
    };
}

static step descriptor(cpu *c, uint16_t selector, unsigned bytes, uint64_t raw[2])
{
    uint32_t offset = selector & 0xfff8;
    uint64_t base = selector & 4 ? c->ldt.base : c->gdt.base;
    uint64_t limit = selector & 4 ? c->ldt.limit : c->gdt.limit;
    step s;

    if (offset + bytes - 1 > limit || ((selector & 4) && !(c->ldt.access & ACCESS_P)))
        return cpu_raise_error(c, VECTOR_GP, selector & 0xfffc);
    s = cpu_system_read(c, base + offset, 8, &raw[0]);
    if (!s && bytes == 16)
        s = cpu_system_read(c, base + offset + 8, 8, &raw[1]);
    return s;
}

static void load_real(cpu *c, unsigned segment, uint16_t selector)
{
    c->segment[segment].selector = selector;
    c->segment[segment].base = (uint64_t)selector << 4;
}

static step load_null(cpu *c, unsigned segment, uint16_t selector)
{
    if (segment == S_SS && (c->bits != 64 || c->cpl == 3))
        return cpu_raise_error(c, VECTOR_GP, 0);
    uint64_t base = segment >= S_FS ? 0 : c->segment[segment].base;
    c->segment[segment] = (vsdk_x86_segment){.selector = selector, .base = base};
    return STEP_DONE;
}

static int usable(const cpu *c, unsigned segment, const vsdk_x86_segment *s)
{
    unsigned dpl = s->access >> 5 & 3, rpl = s->selector & 3;
    int code = s->access & ACCESS_TYPE_CODE;

    if (!(s->access & ACCESS_S))
        return 0;
    if (segment == S_SS)
        return !code && (s->access & ACCESS_WRITABLE) && dpl == c->cpl && rpl == c->cpl;
    if (code)
        return (s->access & 2) != 0;
    return dpl >= c->cpl && dpl >= rpl;
}

step cpu_load_segment(cpu *c, unsigned segment, uint16_t selector)
{
    vsdk_x86_segment loaded;
    uint64_t raw[2];
    step s;

    if (!(c->cr0 & CR0_PE)) {
        load_real(c, segment, selector);
        return STEP_DONE;
    }
    if (!(selector & 0xfffc))
        return load_null(c, segment, selector);
    s = descriptor(c, selector, 8, raw);
    if (s)
        return s;
    unpack(raw[0], selector, &loaded);
    if (!usable(c, segment, &loaded))
        return cpu_raise_error(c, VECTOR_GP, selector & 0xfffc);
    if (!(loaded.access & ACCESS_P))
        return cpu_raise_error(c, segment == S_SS ? VECTOR_SS : VECTOR_NP, selector & 0xfffc);
    c->segment[segment] = loaded;
    return STEP_DONE;
}

static step load_code_real(cpu *c, uint16_t selector, vsdk_x86_segment *cs)
{
    *cs = c->segment[S_CS];
    cs->selector = selector;
    cs->base = (uint64_t)selector << 4;
    return STEP_DONE;
}

static int code_allowed(const cpu *c, const vsdk_x86_segment *cs, unsigned cpl)
{
    unsigned dpl = cs->access >> 5 & 3;

    if (!(cs->access & ACCESS_S) || !(cs->access & ACCESS_TYPE_CODE))
        return 0;
    if ((c->efer & EFER_LMA) && (cs->access & ACCESS_L) && (cs->access & ACCESS_DB))
        return 0;
    return cs->access & ACCESS_CONFORMING ? dpl <= cpl : dpl == cpl;
}

step cpu_load_code(cpu *c, uint16_t selector, unsigned cpl, vsdk_x86_segment *cs)
{
    uint64_t raw[2];
    step s;

    if (!(c->cr0 & CR0_PE))
        return load_code_real(c, selector, cs);
    if (!(selector & 0xfffc))
        return cpu_raise_error(c, VECTOR_GP, 0);
    s = descriptor(c, selector, 8, raw);
    if (s)
        return s;
    unpack(raw[0], (uint16_t)((selector & ~3u) | cpl), cs);
    if (!(cs->access & ACCESS_S) && (cs->access & 0xf) >= 4 && (cs->access & 0xf) != 9)
        return cpu_give_up(c, UNKNOWN_MODE, c->cr0);
    if (!code_allowed(c, cs, cpl))
        return cpu_raise_error(c, VECTOR_GP, selector & 0xfffc);
    if (!(cs->access & ACCESS_P))
        return cpu_raise_error(c, VECTOR_NP, selector & 0xfffc);
    return STEP_DONE;
}

/* LDTR (type 2) and TR (type 9, then busy). */
step cpu_load_system(cpu *c, vsdk_x86_segment *to, uint16_t selector, unsigned type)
{
    unsigned bytes = c->efer & EFER_LMA ? 16 : 8;
    uint64_t raw[2] = {0, 0};
    step s;

    if (!(selector & 0xfffc) && type == 2) {
        *to = (vsdk_x86_segment){.selector = selector};
        return STEP_DONE;
    }
    if (selector & 4 || !(selector & 0xfffc))
        return cpu_raise_error(c, VECTOR_GP, selector & 0xfffc);
    s = descriptor(c, selector, bytes, raw);
    if (s)
        return s;
    vsdk_x86_segment loaded;
    unpack(raw[0], selector, &loaded);
    loaded.base |= raw[1] << 32;
    if ((loaded.access & (ACCESS_S | 0xf)) != type)
        return cpu_raise_error(c, VECTOR_GP, selector & 0xfffc);
    if (!(loaded.access & ACCESS_P))
        return cpu_raise_error(c, VECTOR_NP, selector & 0xfffc);
    if (type == 9) {
        loaded.access |= 2;
        s = cpu_system_write(c, c->gdt.base + (selector & 0xfff8u), 8, raw[0] | 2ull << 40);
    }
    if (!s)
        *to = loaded;
    return s;
}
