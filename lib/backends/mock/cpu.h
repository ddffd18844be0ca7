/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter: one processor's state and how it steps.
 *
 * A step executes one instruction (of a repeated string instruction, one element or a short run of
 * them). Nothing architectural is changed before the instruction is sure to finish, so an access
 * that must be answered from outside leaves the instruction `held`: the answer is noted, and the
 * same decoded instruction runs again from its start with the answers so far replayed in order.
 *
 * Everything a guest gives (addresses, descriptors, page tables, counts) is only ever used through
 * cpu_memory.c, which checks it against the guest's memory. */
#ifndef VSDK_MOCK_CPU_H
#define VSDK_MOCK_CPU_H

#include "backends/mock/lapic.h"
#include <stdatomic.h>
#include <stdint.h>
#include <vsdk/x86.h>

struct mock_vm;
typedef struct cpu cpu;
typedef struct insn insn;

typedef enum step {
    STEP_DONE,    /* go on */
    STEP_FAULT,   /* inside an instruction only: cpu.fault is to be delivered */
    STEP_EXIT,    /* cpu.access needs an answer */
    STEP_HALT,    /* HLT, and nobody can wake the processor */
    STEP_IDLE,    /* halted, or waiting for INIT and SIPI */
    STEP_DOWN,    /* HLT with interrupts off where that takes the processor down */
    STEP_CRASH,   /* triple fault */
    STEP_KICKED,  /* not of a processor: its runner was asked to leave */
    STEP_UNKNOWN, /* cpu.unknown: what the interpreter does not know */
} step;

typedef step (*insn_fn)(cpu *c, const insn *in);

/* Registers in the order of the encoding, then two that make addressing uniform. */
enum {
    R_AX,
    R_CX,
    R_DX,
    R_BX,
    R_SP,
    R_BP,
    R_SI,
    R_DI,
    R_NONE = 16, /* always 0 */
    R_IP = 17,
    R_COUNT = 18
};
enum { S_ES, S_CS, S_SS, S_DS, S_FS, S_GS, S_COUNT };

enum {
    F_CF = 1,
    F_FIXED = 2,
    F_PF = 4,
    F_AF = 0x10,
    F_ZF = 0x40,
    F_SF = 0x80,
    F_TF = 0x100,
    F_IF = 0x200,
    F_DF = 0x400,
    F_OF = 0x800,
    F_IOPL = 0x3000,
    F_NT = 0x4000,
    F_RF = 0x10000,
    F_VM = 0x20000,
    F_AC = 0x40000,
    F_ID = 0x200000,
    F_ARITHMETIC = F_CF | F_PF | F_AF | F_ZF | F_SF | F_OF,
    F_POPPED = F_ARITHMETIC | F_TF | F_DF | F_NT | F_AC | F_ID
};

enum {
    CR0_PE = 1u,
    CR0_TS = 8u,
    CR0_ET = 0x10u,
    CR0_WP = 0x10000u,
    CR0_PG = 0x80000000u,
    CR4_PAE = 0x20u,
    EFER_SCE = 1u,
    EFER_LME = 0x100u,
    EFER_LMA = 0x400u,
    EFER_NXE = 0x800u
};

enum {
    VECTOR_DE = 0,
    VECTOR_NMI = 2,
    VECTOR_BP = 3,
    VECTOR_UD = 6,
    VECTOR_DF = 8,
    VECTOR_TS = 10,
    VECTOR_NP = 11,
    VECTOR_SS = 12,
    VECTOR_GP = 13,
    VECTOR_PF = 14
};

/* What a decoded instruction knows of itself. */
enum {
    IN_MEMORY = 1,   /* rm is memory */
    IN_REG_HIGH = 2, /* reg is AH, CH, DH or BH */
    IN_RM_HIGH = 4,
    IN_LOCK = 8,
    IN_REP = 0x10,
    IN_REPNE = 0x20,
    IN_REX_W = 0x40,
    IN_OPSIZE = 0x80
};

struct insn {
    insn_fn run;
    uint64_t disp;
    uint64_t imm;
    uint8_t length;
    uint8_t size;    /* of the operand: 1, 2, 4, 8 */
    uint8_t address; /* size of an address: 2, 4, 8 */
    uint8_t reg, rm; /* reg is the operation in a group */
    uint8_t base, index, scale;
    uint8_t segment;
    uint8_t op; /* number in a family: ALU operation, condition */
    uint8_t flags;
    uint16_t selector; /* of a far pointer */
};

enum { DECODE_MORE = 0, DECODE_UNKNOWN = -1, DECODE_LONG = -2, INSN_MOST = 15 };

/* Decodes one instruction of at most `have` bytes in code of 16, 32 or 64 bits. Its length, or one
 * of DECODE_... */
int cpu_decode(const uint8_t *bytes, unsigned have, unsigned bits, insn *in);

/* Permission to reach a page: these bits for the supervisor, the same shifted by 3 for CPL 3. */
enum { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_EXECUTE = 4, ACCESS_USER_SHIFT = 3 };

typedef struct tlb_entry {
    uint64_t page;  /* linear address >> 12, TLB_EMPTY if none */
    uint8_t *host;  /* the page's memory */
    uint32_t allow; /* ACCESS_... that need no further look */
} tlb_entry;

enum { TLB_ENTRIES = 64, DECODED_ENTRIES = 256, PAGE_BYTES = 4096 };
#define TLB_EMPTY (~(uint64_t)0)

typedef struct decoded {
    uint64_t linear;
    uint64_t mask[2], bytes[2]; /* what memory must still hold */
    uint32_t bits;
    insn in;
} decoded;

/* An access that the outside answers. */
typedef struct cpu_access {
    uint64_t address;
    uint64_t value; /* of a write with count 1 */
    uint32_t count;
    uint16_t width;
    uint8_t port; /* 1: I/O port */
    uint8_t write;
    uint8_t over;     /* nothing is left to do when it is answered: a port write */
    uint8_t settable; /* and registers may be set meanwhile: not a string instruction */
} cpu_access;

enum { REPLAY_MOST = 8 };

/* HLT exits; waits for an interrupt; or waits, and with interrupts off takes the processor down. */
typedef enum cpu_halt { HALT_EXITS, HALT_WAITS, HALT_DOWN } cpu_halt;

typedef enum cpu_activity { CPU_RUNNING, CPU_HALTED, CPU_WAIT_SIPI } cpu_activity;

/* Bits of cpu.signals: what other threads ask of a processor. */
enum { SIGNAL_NMI = 1, SIGNAL_INIT = 2, SIGNAL_SIPI = 4, SIGNAL_VECTOR_SHIFT = 8 };

/* Kinds of cpu.unknown, the `detail` of an INTERNAL_ERROR exit. */
enum {
    UNKNOWN_INSTRUCTION = 1, /* native: its first eight bytes, the first in bits 7-0 */
    UNKNOWN_FETCH = 2,       /* code outside memory; native: the guest address */
    UNKNOWN_MODE = 3         /* a state that is not interpreted; native: CR0 */
};

struct cpu {
    uint64_t r[R_COUNT];
    uint64_t flags;
    uint32_t bits; /* of code: 16, 32, 64 */
    uint32_t cpl;
    _Atomic uint32_t attention; /* look at signals and interrupts before the next instruction */

    const insn *held; /* to be run again once cpu.access is answered */
    uint32_t replayed, answers;
    uint32_t bulk;       /* elements of a counted read that were answered */
    uint32_t one_by_one; /* no counted accesses */
    uint32_t halt;       /* what HLT does: cpu_halt */
    uint64_t replay[REPLAY_MOST];
    cpu_access access;

    struct mock_vm *vm;
    uint32_t index;
    uint32_t activity;
    uint32_t down;        /* it waits for SIPI because it halted with interrupts off */
    uint32_t shadow;      /* no interrupt before the next instruction is over */
    uint32_t nmi_blocked; /* until IRET */
    _Atomic uint32_t signals;
    _Atomic uint32_t wake, sleeping; /* wait_mock.c */

    struct {
        uint8_t vector, has_error;
        uint32_t error;
        uint64_t address; /* for CR2 */
    } fault;
    struct {
        uint64_t native;
        uint32_t kind;
    } unknown;

    vsdk_x86_segment segment[S_COUNT];
    vsdk_x86_segment tr, ldt;
    vsdk_x86_table gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, efer;
    uint64_t instructions; /* the time stamp counter too */
    lapic apic;
    vsdk_x86_fpu fpu;

    uint64_t map_seen; /* generation of the memory map that the tables below belong to */
    insn scratch;      /* an instruction that crosses a page */
    tlb_entry tlb[TLB_ENTRIES];
    decoded cache[DECODED_ENTRIES];
    uint8_t buffer[PAGE_BYTES]; /* elements of a counted access */
};

/* cpu_step.c */
step cpu_step(cpu *c);
/* Goes on with the held instruction; cpu_answer has noted what was read. Executes nothing else. */
step cpu_finish(cpu *c);
void cpu_answer(cpu *c, uint64_t value);
void cpu_power_on(cpu *c, struct mock_vm *vm, uint32_t index);
void cpu_reset(cpu *c);
/* After segments, control registers or memory changed behind the interpreter's back. */
void cpu_refresh(cpu *c);
void cpu_forget_access(cpu *c);
step cpu_raise(cpu *c, uint8_t vector);
step cpu_raise_error(cpu *c, uint8_t vector, uint32_t error);
step cpu_give_up(cpu *c, uint32_t kind, uint64_t native);
step cpu_unknown_code(cpu *c);
step cpu_unknown_insn(cpu *c, const insn *in);

/* cpu_memory.c */
uint64_t cpu_linear(const cpu *c, unsigned segment, uint64_t offset);
step cpu_read(cpu *c, uint64_t linear, unsigned size, unsigned access, uint64_t *value);
step cpu_write(cpu *c, uint64_t linear, unsigned size, uint64_t value);
/* The memory behind [linear, linear + size) if it lies in one page of RAM that allows `access`;
 * NULL otherwise, and nothing is raised. */
uint8_t *cpu_direct(cpu *c, uint64_t linear, unsigned size, unsigned access);
/* The same, translating first where that is needed. */
uint8_t *cpu_reach(cpu *c, uint64_t linear, unsigned size, unsigned access);
/* The processor's own accesses (tables, stack of an interrupt): supervisor, memory only. */
step cpu_system_read(cpu *c, uint64_t linear, unsigned size, uint64_t *value);
step cpu_system_write(cpu *c, uint64_t linear, unsigned size, uint64_t value);
step cpu_fetch(cpu *c, const insn **in);
void cpu_flush(cpu *c);
uint64_t guest_load(const void *host, unsigned size);
void guest_store(void *host, unsigned size, uint64_t value);
void cpu_wrote(const cpu *c, const uint8_t *host); /* after each store to memory, a page at most */
int guest_exchange(void *host, unsigned size, uint64_t expected, uint64_t desired);

/* cpu_io.c: an access that the outside answers, or its answer when it is replayed. */
step cpu_outside_read(cpu *c, int port, uint64_t address, unsigned width, uint64_t *value);
step cpu_outside_write(cpu *c, int port, uint64_t address, unsigned width, uint64_t value);
step cpu_port_permission(cpu *c);

/* cpu_interrupt.c */
step cpu_deliver_fault(cpu *c);
step cpu_deliver_interrupt(cpu *c, uint8_t vector);
step cpu_software_interrupt(cpu *c, uint8_t vector, uint64_t return_ip);
step cpu_take_events(cpu *c);

/* cpu_segment.c */
step cpu_load_segment(cpu *c, unsigned segment, uint16_t selector);
step cpu_load_code(cpu *c, uint16_t selector, unsigned cpl, vsdk_x86_segment *cs);
step cpu_load_system(cpu *c, vsdk_x86_segment *to, uint16_t selector, unsigned type);
void cpu_update_mode(cpu *c);
step cpu_set_cr0(cpu *c, uint64_t value);
uint64_t cpu_apic_base(const cpu *c);

#endif
