/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of x86-64.
 *
 * The neutral register records of the x86-64 architecture. Values are the processor's own; reserved
 * fields are zero.
 *
 * Generated from abi/regs.toml by abi/generate.py.
 */

#ifndef VSDK_REGS_H
#define VSDK_REGS_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * General registers.
 *
 * Source: Intel SDM volume 1, section 3.4. 144 bytes. Since 0.1.
 */
typedef struct vsdk_regs {
    uint64_t rax;    /* RAX */
    uint64_t rbx;    /* RBX */
    uint64_t rcx;    /* RCX */
    uint64_t rdx;    /* RDX */
    uint64_t rsi;    /* RSI */
    uint64_t rdi;    /* RDI */
    uint64_t rsp;    /* RSP */
    uint64_t rbp;    /* RBP */
    uint64_t r8;     /* R8 */
    uint64_t r9;     /* R9 */
    uint64_t r10;    /* R10 */
    uint64_t r11;    /* R11 */
    uint64_t r12;    /* R12 */
    uint64_t r13;    /* R13 */
    uint64_t r14;    /* R14 */
    uint64_t r15;    /* R15 */
    uint64_t rip;    /* RIP, relative to the base of CS */
    uint64_t rflags; /* RFLAGS; bit 1 is always set */
} vsdk_regs;

/*
 * A segment register with its hidden part.
 *
 * Source: Intel SDM volume 3, section 3.4.3; the access rights are those of the descriptor's bits
 * 40-55 without the limit. 24 bytes. Since 0.1.
 */
typedef struct vsdk_segment {
    uint64_t base;     /* Base address */
    uint32_t limit;    /* Limit in bytes, granularity applied */
    uint16_t selector; /* Selector */
    uint16_t access;   /* Access rights: type (bits 3-0), S (4), DPL (6-5), P (7), AVL (12), L
                          (13), D/B (14), G (15). A segment without P is unusable. */
    uint64_t reserved; /* Zero */
} vsdk_segment;

/*
 * A descriptor-table register.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_table {
    uint64_t base;        /* Base address */
    uint16_t limit;       /* Limit in bytes */
    uint16_t reserved[3]; /* Zero */
} vsdk_table;

/*
 * Segment, descriptor-table and control registers.
 *
 * 288 bytes. Since 0.1.
 */
typedef struct vsdk_sregs {
    vsdk_segment cs;      /* CS */
    vsdk_segment ds;      /* DS */
    vsdk_segment es;      /* ES */
    vsdk_segment fs;      /* FS */
    vsdk_segment gs;      /* GS */
    vsdk_segment ss;      /* SS */
    vsdk_segment tr;      /* TR */
    vsdk_segment ldt;     /* LDTR */
    vsdk_table gdt;       /* GDTR */
    vsdk_table idt;       /* IDTR */
    uint64_t cr0;         /* CR0 */
    uint64_t cr2;         /* CR2 */
    uint64_t cr3;         /* CR3 */
    uint64_t cr4;         /* CR4 */
    uint64_t efer;        /* IA32_EFER */
    uint64_t apic_base;   /* IA32_APIC_BASE; read, and ignored when set */
    uint64_t reserved[2]; /* Zero */
} vsdk_sregs;

/*
 * x87 and SSE state in the layout of FXSAVE64.
 *
 * Source: Intel SDM volume 1, section 10.5. 512 bytes. Since 0.1.
 */
typedef struct vsdk_fpu {
    uint16_t fcw;          /* Control word */
    uint16_t fsw;          /* Status word */
    uint8_t ftw;           /* Abridged tag word */
    uint8_t reserved;      /* Zero */
    uint16_t fop;          /* Last opcode */
    uint64_t fip;          /* Last instruction's address */
    uint64_t fdp;          /* Last operand's address */
    uint32_t mxcsr;        /* MXCSR */
    uint32_t mxcsr_mask;   /* Bits of MXCSR that exist; ignored when set */
    uint8_t st[128];       /* ST0 to ST7, 16 bytes each */
    uint8_t xmm[256];      /* XMM0 to XMM15, 16 bytes each */
    uint8_t reserved2[96]; /* Zero */
} vsdk_fpu;

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_REGS_H */
