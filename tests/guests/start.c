/* SPDX-License-Identifier: Apache-2.0 */
/* The tables and registers of start.h. What they hold is the processor's to judge, so nothing here
 * depends on the backend. */
#include "start.h"
#include <string.h>

enum {
    PRESENT_USER = 7, /* present, writable, user */
    LARGE = 0x80,
    CR0_LONG = 0x80010033u, /* PG, WP, NE, ET, MP, PE */
    CR4_LONG = 0x620,       /* PAE, OSFXSR, OSXMMEXCPT */
    EFER_LONG = 0x500,      /* LME, LMA */
    GIB_TABLES = 4
};

static void put64(uint8_t *memory, uint64_t at, uint64_t value)
{
    memcpy(memory + at, &value, sizeof value);
}

static void write_page_tables(uint8_t *memory)
{
    const uint64_t second = PAGE_TABLES + 0x1000, third = PAGE_TABLES + 0x2000;

    put64(memory, PAGE_TABLES, second | PRESENT_USER);
    for (uint64_t i = 0; i < GIB_TABLES; i++)
        put64(memory, second + 8 * i, (third + 0x1000 * i) | PRESENT_USER);
    for (uint64_t i = 0; i < 512 * GIB_TABLES; i++)
        put64(memory, third + 8 * i, i << 21 | PRESENT_USER | LARGE);
}

static uint64_t gate(uint64_t handler)
{
    return (handler & 0xffff) | (uint64_t)SELECTOR_CODE << 16 | 0x8e00ull << 32 |
           (handler & 0xffff0000) << 32;
}

void start_write_tables(uint8_t *memory)
{
    write_page_tables(memory);
    put64(memory, GDT + SELECTOR_CODE, 0x00af9b000000ffff);
    put64(memory, GDT + SELECTOR_DATA, 0x00cf93000000ffff);
    put64(memory, GDT + SELECTOR_USER_CODE, 0x00affb000000ffff);
    put64(memory, GDT + SELECTOR_USER_DATA, 0x00cff3000000ffff);
    put64(memory, GDT + SELECTOR_CODE_32, 0x00cf9b000000ffff);
    put64(memory, GDT + SELECTOR_TSS, 0x0000890000000000 | TSS_LIMIT | (uint64_t)TSS << 16);
    memory[TSS + 0x66] = 0x68; /* where the permissions of ports begin */
    memory[TSS + TSS_LIMIT] = 0xff;
    put64(memory, IDT + 16 * 2, gate(CODE + 0x180));
    put64(memory, IDT + 16 * VECTOR, gate(CODE + 0x100));
    put64(memory, IDT + 16 * VECTOR_SECOND, gate(CODE + 0x140));
}

static vsdk_x86_segment segment(unsigned selector, unsigned access, int cpl)
{
    return (vsdk_x86_segment){.limit = 0xffffffff,
                              .selector = (uint16_t)(selector | (unsigned)cpl),
                              .access = (uint16_t)(access | (unsigned)cpl << 5)};
}

void start_set_long_mode(vsdk_x86_sregs *sregs, int cpl)
{
    vsdk_x86_segment data = segment(cpl ? SELECTOR_USER_DATA : SELECTOR_DATA, 0xc093, cpl);

    sregs->cs = segment(cpl ? SELECTOR_USER_CODE : SELECTOR_CODE, 0xa09b, cpl);
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    sregs->tr = (vsdk_x86_segment){
        .base = TSS, .limit = TSS_LIMIT, .selector = SELECTOR_TSS, .access = 0x8b};
    sregs->ldt = (vsdk_x86_segment){0};
    sregs->gdt = (vsdk_x86_table){.base = GDT, .limit = SELECTOR_TSS + 15};
    sregs->idt = (vsdk_x86_table){.base = IDT, .limit = 0xfff};
    sregs->cr0 = CR0_LONG;
    sregs->cr3 = PAGE_TABLES;
    sregs->cr4 = CR4_LONG;
    sregs->efer = EFER_LONG;
}

void start_set_regs(vsdk_x86_regs *regs, int cpl)
{
    *regs = (vsdk_x86_regs){.rip = CODE, .rsp = STACK - 0x100, .rflags = 2 | (uint64_t)cpl << 12};
}

void start_set_real_mode(vsdk_x86_sregs *sregs)
{
    vsdk_x86_segment code = {.base = CODE, .limit = 0xffff, .selector = CODE >> 4, .access = 0x9b};
    vsdk_x86_segment data = code;

    data.access = 0x93;
    sregs->cs = code;
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    sregs->idt = (vsdk_x86_table){.limit = 0x3ff};
    sregs->cr0 = 0x10;
    sregs->cr3 = sregs->cr4 = sregs->efer = 0;
}

void start_set_real_regs(vsdk_x86_regs *regs)
{
    *regs = (vsdk_x86_regs){.rsp = 0xff00, .rflags = 2};
}
