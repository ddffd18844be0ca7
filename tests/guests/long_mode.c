/* SPDX-License-Identifier: Apache-2.0 */
#include "long_mode.h"
#include <string.h>

enum {
    TABLE_ENTRY = 0x7,      /* present, writable, for CPL 3 too */
    LARGE_PAGE_ENTRY = 0xe7 /* that, accessed, dirty, 2 MiB */
};

static void put(uint8_t *low, uint64_t at, uint64_t value)
{
    memcpy(low + at, &value, sizeof value);
}

static void put_pages(uint8_t *low)
{
    uint64_t pointers = GUEST_PML4 + 0x1000, directories = GUEST_PML4 + 0x2000;

    put(low, GUEST_PML4, pointers | TABLE_ENTRY);
    for (uint64_t i = 0; i < 4; i++)
        put(low, pointers + 8 * i, (directories + 0x1000 * i) | TABLE_ENTRY);
    for (uint64_t i = 0; i < 4 * 512; i++)
        put(low, directories + 8 * i, i << 21 | LARGE_PAGE_ENTRY);
}

void guest_state_tables(uint8_t low[GUEST_LOW_BYTES])
{
    memset(low, 0, GUEST_LOW_BYTES);
    put_pages(low);
    put(low, GUEST_GDT + GUEST_CS, 0x00af9b000000ffff);
    put(low, GUEST_GDT + GUEST_DS, 0x00cf93000000ffff);
    put(low, GUEST_GDT + (GUEST_USER_DS & ~7), 0x00cff3000000ffff);
    put(low, GUEST_GDT + (GUEST_USER_CS & ~7), 0x00affb000000ffff);
    put(low, GUEST_GDT + GUEST_CS32, 0x00cf9b000000ffff);
}

void guest_state_sregs(vsdk_sregs *s, unsigned cpl)
{
    uint16_t dpl = (uint16_t)(cpl << 5);
    vsdk_segment code = {
        .limit = 0xffffffff, .selector = cpl ? GUEST_USER_CS : GUEST_CS, .access = 0xa09b | dpl};
    vsdk_segment data = {
        .limit = 0xffffffff, .selector = cpl ? GUEST_USER_DS : GUEST_DS, .access = 0xc093 | dpl};

    s->cs = code;
    s->ds = s->es = s->fs = s->gs = s->ss = data;
    s->gdt = (vsdk_table){.base = GUEST_GDT, .limit = 0x37};
    s->idt = (vsdk_table){.base = GUEST_IDT, .limit = 0};
    s->cr0 = 0x80010031; /* PG, WP, NE, ET, PE */
    s->cr2 = 0;
    s->cr3 = GUEST_PML4;
    s->cr4 = 0x20;   /* PAE */
    s->efer = 0x500; /* LMA, LME */
}

void guest_state_regs(vsdk_regs *r, unsigned cpl)
{
    *r = (vsdk_regs){
        .rip = GUEST_CODE, .rsp = GUEST_STACK_TOP - 0x100, .rflags = 2 | (uint64_t)cpl << 12};
}

void guest_real_sregs(vsdk_sregs *s)
{
    vsdk_segment code = {
        .base = GUEST_CODE, .limit = 0xffff, .selector = GUEST_CODE >> 4, .access = 0x9b};
    vsdk_segment data = code;

    data.access = 0x93;
    s->cs = code;
    s->ds = s->es = s->fs = s->gs = s->ss = data;
    s->idt = (vsdk_table){.limit = 0x3ff};
    s->cr0 = 0x10;
    s->cr3 = s->cr4 = s->efer = 0;
}

void guest_real_regs(vsdk_regs *r)
{
    *r = (vsdk_regs){.rsp = 0xff00, .rflags = 2};
}
