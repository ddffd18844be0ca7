/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/xen/xen.h"
#include <string.h>

/* Xen keeps access rights in twelve bits, without the hole where the limit is. */
static uint32_t packed(uint16_t access)
{
    return (access & 0xffu) | (access >> 4 & 0xf00u);
}

static uint16_t unpacked(uint32_t rights)
{
    return (uint16_t)((rights & 0xff) | (rights & 0xf00) << 4);
}

void record_from_regs(HVM_SAVE_TYPE(CPU) * record, const vsdk_x86_regs *regs)
{
    record->rax = regs->rax, record->rbx = regs->rbx;
    record->rcx = regs->rcx, record->rdx = regs->rdx;
    record->rsi = regs->rsi, record->rdi = regs->rdi;
    record->rsp = regs->rsp, record->rbp = regs->rbp;
    record->r8 = regs->r8, record->r9 = regs->r9;
    record->r10 = regs->r10, record->r11 = regs->r11;
    record->r12 = regs->r12, record->r13 = regs->r13;
    record->r14 = regs->r14, record->r15 = regs->r15;
    record->rip = regs->rip;
    record->rflags = regs->rflags | 2;
}

#define SEGMENT_TO_RECORD(name, from)                                                              \
    record->name##_sel = (from).selector, record->name##_base = (from).base,                       \
    record->name##_limit = (from).limit, record->name##_arbytes = packed((from).access)

#define SEGMENT_FROM_RECORD(name)                                                                  \
    (vsdk_x86_segment)                                                                             \
    {                                                                                              \
        .selector = (uint16_t)record->name##_sel, .base = record->name##_base,                     \
        .limit = record->name##_limit, .access = unpacked(record->name##_arbytes),                 \
    }

void record_from_sregs(HVM_SAVE_TYPE(CPU) * record, const vsdk_x86_sregs *sregs)
{
    SEGMENT_TO_RECORD(cs, sregs->cs);
    SEGMENT_TO_RECORD(ds, sregs->ds);
    SEGMENT_TO_RECORD(es, sregs->es);
    SEGMENT_TO_RECORD(fs, sregs->fs);
    SEGMENT_TO_RECORD(gs, sregs->gs);
    SEGMENT_TO_RECORD(ss, sregs->ss);
    SEGMENT_TO_RECORD(tr, sregs->tr);
    SEGMENT_TO_RECORD(ldtr, sregs->ldt);
    record->gdtr_base = sregs->gdt.base, record->gdtr_limit = sregs->gdt.limit;
    record->idtr_base = sregs->idt.base, record->idtr_limit = sregs->idt.limit;
    record->cr0 = sregs->cr0, record->cr2 = sregs->cr2;
    record->cr3 = sregs->cr3, record->cr4 = sregs->cr4;
    record->msr_efer = sregs->efer;
}

void record_to_sregs(vsdk_x86_sregs *sregs, const HVM_SAVE_TYPE(CPU) * record)
{
    sregs->cs = SEGMENT_FROM_RECORD(cs);
    sregs->ds = SEGMENT_FROM_RECORD(ds);
    sregs->es = SEGMENT_FROM_RECORD(es);
    sregs->fs = SEGMENT_FROM_RECORD(fs);
    sregs->gs = SEGMENT_FROM_RECORD(gs);
    sregs->ss = SEGMENT_FROM_RECORD(ss);
    sregs->tr = SEGMENT_FROM_RECORD(tr);
    sregs->ldt = SEGMENT_FROM_RECORD(ldtr);
    sregs->gdt = (vsdk_x86_table){.base = record->gdtr_base, .limit = (uint16_t)record->gdtr_limit};
    sregs->idt = (vsdk_x86_table){.base = record->idtr_base, .limit = (uint16_t)record->idtr_limit};
    sregs->cr0 = record->cr0, sregs->cr2 = record->cr2;
    sregs->cr3 = record->cr3, sregs->cr4 = record->cr4;
    sregs->efer = record->msr_efer;
}
