/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/cpu_insn.h"
#include <string.h>

/* What follows an opcode, and how big its operand is. */
enum {
    MODRM = 1,
    BYTE = 2,    /* operand of one byte */
    IMM8 = 4,    /* sign-extended */
    IMMZ = 8,    /* 16 or 32 bits, sign-extended */
    IMMV = 0x10, /* of the operand's size */
    IMM16 = 0x20,
    MOFFS = 0x40,    /* an address */
    WIDE = 0x80,     /* 64 bits in long mode without REX.W */
    NO64 = 0x100,    /* not in long mode */
    FAR = 0x200,     /* offset and selector */
    OPREG = 0x400,   /* register in the opcode */
    ACC = 0x800,     /* rm is the accumulator */
    ALU = 0x1000,    /* a group: op is modrm.reg */
    TEST = 0x2000,   /* group 3: an immediate for /0 and /1 */
    NATIVE = 0x4000, /* 64 bits in long mode, else 32 */
    GROUP = 0x8000   /* modrm.reg is an operation */
};

typedef struct opcode {
    insn_fn run;
    uint16_t form;
    uint8_t op;
} opcode;

#define ALU_ROW(base, number)                                                                      \
    [base] = {in_alu_rm_reg, MODRM | BYTE, number}, [base + 1] = {in_alu_rm_reg, MODRM, number},   \
    [base + 2] = {in_alu_reg_rm, MODRM | BYTE, number},                                            \
    [base + 3] = {in_alu_reg_rm, MODRM, number},                                                   \
    [base + 4] = {in_alu_rm_imm, ACC | BYTE | IMM8, number},                                       \
    [base + 5] = {in_alu_rm_imm, ACC | IMMZ, number}

static const opcode one_byte[256] = {
    ALU_ROW(0x00, 0),
    ALU_ROW(0x08, 1),
    ALU_ROW(0x10, 2),
    ALU_ROW(0x18, 3),
    ALU_ROW(0x20, 4),
    ALU_ROW(0x28, 5),
    ALU_ROW(0x30, 6),
    ALU_ROW(0x38, 7),
    [0x40 ... 0x47] = {in_inc, OPREG | NO64, 0},
    [0x48 ... 0x4f] = {in_dec, OPREG | NO64, 0},
    [0x50 ... 0x57] = {in_push_reg, OPREG | WIDE, 0},
    [0x58 ... 0x5f] = {in_pop_reg, OPREG | WIDE, 0},
    [0x63] = {in_movsxd, MODRM, 0},
    [0x68] = {in_push_imm, IMMZ | WIDE, 0},
    [0x69] = {in_imul_imm, MODRM | IMMZ, 0},
    [0x6a] = {in_push_imm, IMM8 | WIDE, 0},
    [0x6b] = {in_imul_imm, MODRM | IMM8, 0},
    [0x6c] = {in_ins, BYTE, 0},
    [0x6d] = {in_ins, 0, 0},
    [0x6e] = {in_outs, BYTE, 0},
    [0x6f] = {in_outs, 0, 0},
    [0x70 ... 0x7f] = {in_jcc, IMM8 | WIDE, 0},
    [0x80] = {in_alu_rm_imm, MODRM | BYTE | IMM8 | ALU, 0},
    [0x81] = {in_alu_rm_imm, MODRM | IMMZ | ALU, 0},
    [0x83] = {in_alu_rm_imm, MODRM | IMM8 | ALU, 0},
    [0x84] = {in_test_rm_reg, MODRM | BYTE, 0},
    [0x85] = {in_test_rm_reg, MODRM, 0},
    [0x86] = {in_xchg_rm_reg, MODRM | BYTE, 0},
    [0x87] = {in_xchg_rm_reg, MODRM, 0},
    [0x88] = {in_mov_rm_reg, MODRM | BYTE, 0},
    [0x89] = {in_mov_rm_reg, MODRM, 0},
    [0x8a] = {in_mov_reg_rm, MODRM | BYTE, 0},
    [0x8b] = {in_mov_reg_rm, MODRM, 0},
    [0x8c] = {in_mov_rm_seg, MODRM, 0},
    [0x8d] = {in_lea, MODRM, 0},
    [0x8e] = {in_mov_seg_rm, MODRM, 0},
    [0x8f] = {in_pop_rm, MODRM | WIDE, 0},
    [0x90 ... 0x97] = {in_xchg_acc, OPREG, 0},
    [0x98] = {in_cbw, 0, 0},
    [0x99] = {in_cwd, 0, 0},
    [0x9c] = {in_pushf, WIDE, 0},
    [0x9d] = {in_popf, WIDE, 0},
    [0xa0] = {in_mov_acc_moffs, BYTE | MOFFS, 0},
    [0xa1] = {in_mov_acc_moffs, MOFFS, 0},
    [0xa2] = {in_mov_moffs_acc, BYTE | MOFFS, 0},
    [0xa3] = {in_mov_moffs_acc, MOFFS, 0},
    [0xa4] = {in_movs, BYTE, 0},
    [0xa5] = {in_movs, 0, 0},
    [0xa6] = {in_cmps, BYTE, 0},
    [0xa7] = {in_cmps, 0, 0},
    [0xa8] = {in_test_rm_imm, ACC | BYTE | IMM8, 0},
    [0xa9] = {in_test_rm_imm, ACC | IMMZ, 0},
    [0xaa] = {in_stos, BYTE, 0},
    [0xab] = {in_stos, 0, 0},
    [0xac] = {in_lods, BYTE, 0},
    [0xad] = {in_lods, 0, 0},
    [0xae] = {in_scas, BYTE, 0},
    [0xaf] = {in_scas, 0, 0},
    [0xb0 ... 0xb7] = {in_mov_reg_imm, OPREG | BYTE | IMM8, 0},
    [0xb8 ... 0xbf] = {in_mov_reg_imm, OPREG | IMMV, 0},
    [0xc0] = {in_shift_imm, MODRM | BYTE | GROUP | IMM8, 0},
    [0xc1] = {in_shift_imm, MODRM | IMM8, 0},
    [0xc2] = {in_ret, IMM16 | WIDE, 0},
    [0xc3] = {in_ret, WIDE, 0},
    [0xc6] = {in_mov_rm_imm, MODRM | BYTE | GROUP | IMM8, 0},
    [0xc7] = {in_mov_rm_imm, MODRM | IMMZ, 0},
    [0xc9] = {in_leave, WIDE, 0},
    [0xca] = {in_ret_far, IMM16, 0},
    [0xcb] = {in_ret_far, 0, 0},
    [0xcc] = {in_int3, 0, 0},
    [0xcd] = {in_int, IMM8, 0},
    [0xcf] = {in_iret, 0, 0},
    [0xd0] = {in_shift_one, MODRM | BYTE | GROUP, 0},
    [0xd1] = {in_shift_one, MODRM, 0},
    [0xd2] = {in_shift_cl, MODRM | BYTE | GROUP, 0},
    [0xd3] = {in_shift_cl, MODRM, 0},
    [0xe0 ... 0xe2] = {in_loop, IMM8 | WIDE, 0},
    [0xe3] = {in_jcxz, IMM8 | WIDE, 0},
    [0xe4] = {in_in_imm, BYTE | IMM8, 0},
    [0xe5] = {in_in_imm, IMM8, 0},
    [0xe6] = {in_out_imm, BYTE | IMM8, 0},
    [0xe7] = {in_out_imm, IMM8, 0},
    [0xe8] = {in_call, IMMZ | WIDE, 0},
    [0xe9] = {in_jmp, IMMZ | WIDE, 0},
    [0xea] = {in_jmp_far, FAR | NO64, 0},
    [0xeb] = {in_jmp, IMM8 | WIDE, 0},
    [0xec] = {in_in_dx, BYTE, 0},
    [0xed] = {in_in_dx, 0, 0},
    [0xee] = {in_out_dx, BYTE, 0},
    [0xef] = {in_out_dx, 0, 0},
    [0xf4] = {in_hlt, 0, 0},
    [0xf5] = {in_flag, 0, 5},
    [0xf6] = {in_group3, MODRM | BYTE | TEST, 0},
    [0xf7] = {in_group3, MODRM | TEST, 0},
    [0xf8] = {in_flag, 0, 8},
    [0xf9] = {in_flag, 0, 9},
    [0xfa] = {in_cli, 0, 0},
    [0xfb] = {in_sti, 0, 0},
    [0xfc] = {in_flag, 0, 12},
    [0xfd] = {in_flag, 0, 13},
    [0xfe] = {in_group4, MODRM | BYTE | GROUP, 0},
    [0xff] = {in_group5, MODRM, 0},
};

static const opcode two_byte[256] = {
    [0x00] = {in_group6, MODRM, 0},
    [0x01] = {in_group7, MODRM, 0},
    [0x06] = {in_clts, 0, 0},
    [0x08] = {in_privileged_nop, 0, 0},
    [0x09] = {in_privileged_nop, 0, 0},
    [0x0b] = {in_ud, 0, 0},
    [0x18 ... 0x1f] = {in_nop, MODRM, 0},
    [0x20] = {in_mov_from_cr, MODRM | NATIVE, 0},
    [0x22] = {in_mov_to_cr, MODRM | NATIVE, 0},
    [0x30] = {in_wrmsr, 0, 0},
    [0x31] = {in_rdtsc, 0, 0},
    [0x32] = {in_rdmsr, 0, 0},
    [0x40 ... 0x4f] = {in_cmovcc, MODRM, 0},
    [0x80 ... 0x8f] = {in_jcc, IMMZ | WIDE, 0},
    [0x90 ... 0x9f] = {in_setcc, MODRM | BYTE, 0},
    [0xa2] = {in_cpuid, 0, 0},
    [0xa3] = {in_bit_reg, MODRM, 0},
    [0xab] = {in_bit_reg, MODRM, 1},
    [0xae] = {in_fence, MODRM, 0},
    [0xaf] = {in_imul_rm, MODRM, 0},
    [0xb0] = {in_cmpxchg, MODRM | BYTE, 0},
    [0xb1] = {in_cmpxchg, MODRM, 0},
    [0xb3] = {in_bit_reg, MODRM, 2},
    [0xb6] = {in_movzx, MODRM, 1},
    [0xb7] = {in_movzx, MODRM, 2},
    [0xba] = {in_bit_imm, MODRM | IMM8, 0},
    [0xbb] = {in_bit_reg, MODRM, 3},
    [0xbe] = {in_movsx, MODRM, 1},
    [0xbf] = {in_movsx, MODRM, 2},
    [0xc0] = {in_xadd, MODRM | BYTE, 0},
    [0xc1] = {in_xadd, MODRM, 0},
    [0xc3] = {in_mov_rm_reg, MODRM, 0},
    [0xc8 ... 0xcf] = {in_bswap, OPREG, 0},
};

typedef struct reader {
    const uint8_t *bytes;
    unsigned have, at;
    int more; /* ran out of bytes */
} reader;

static uint64_t take(reader *r, unsigned size)
{
    uint64_t value = 0;

    if (r->have - r->at < size) {
        r->more = 1;
        return 0;
    }
    memcpy(&value, r->bytes + r->at, size);
    r->at += size;
    return value;
}

static uint64_t take_signed(reader *r, unsigned size)
{
    unsigned shift = 64 - 8 * size;

    return (uint64_t)((int64_t)(take(r, size) << shift) >> shift);
}

typedef struct prefixes {
    uint8_t rex, opsize, address, flags, segment, overridden;
} prefixes;

static int take_prefix(prefixes *p, uint8_t byte)
{
    static const uint8_t segments[4] = {S_ES, S_CS, S_SS, S_DS};

    if (byte == 0x66)
        p->opsize = 1;
    else if (byte == 0x67)
        p->address = 1;
    else if (byte == 0xf0)
        p->flags |= IN_LOCK;
    else if (byte == 0xf2 || byte == 0xf3)
        p->flags = (uint8_t)((p->flags & IN_LOCK) | (byte == 0xf3 ? IN_REP : IN_REPNE));
    else if ((byte & 0xe7) == 0x26)
        p->segment = segments[byte >> 3 & 3], p->overridden = 1;
    else if (byte == 0x64 || byte == 0x65)
        p->segment = byte == 0x64 ? S_FS : S_GS, p->overridden = 1;
    else
        return 0;
    p->rex = 0;
    return 1;
}

static uint8_t take_prefixes(reader *r, prefixes *p, unsigned bits)
{
    for (;;) {
        uint8_t byte = (uint8_t)take(r, 1);

        if (r->more)
            return 0;
        if (bits == 64 && (byte & 0xf0) == 0x40)
            p->rex = byte;
        else if (!take_prefix(p, byte))
            return byte;
    }
}

static void address_16(reader *r, insn *in, unsigned mod, unsigned rm)
{
    static const uint8_t base[8] = {R_BX, R_BX, R_BP, R_BP, R_NONE, R_NONE, R_BP, R_BX};
    static const uint8_t index[8] = {R_SI, R_DI, R_SI, R_DI, R_SI, R_DI, R_NONE, R_NONE};

    in->base = base[rm];
    in->index = index[rm];
    if (mod == 0 && rm == 6) {
        in->base = R_NONE;
        in->disp = take(r, 2);
    } else if (mod) {
        in->disp = take_signed(r, mod == 1 ? 1 : 2);
    }
    if (in->base == R_BP)
        in->segment = S_SS;
}

static void address_sib(reader *r, insn *in, unsigned mod, unsigned rex)
{
    uint8_t sib = (uint8_t)take(r, 1);
    unsigned index = (sib >> 3 & 7) | (rex & 2) << 2;
    unsigned base = sib & 7;

    in->scale = sib >> 6;
    in->index = index == R_SP ? R_NONE : (uint8_t)index;
    if (base == R_BP && mod == 0) {
        in->base = R_NONE;
        in->disp = take_signed(r, 4);
    } else {
        in->base = (uint8_t)(base | (rex & 1) << 3);
    }
    if (in->base == R_SP || in->base == R_BP)
        in->segment = S_SS;
}

static void address_32(reader *r, insn *in, unsigned mod, unsigned rm, unsigned rex, unsigned bits)
{
    if (rm == R_SP) {
        address_sib(r, in, mod, rex);
    } else if (rm == R_BP && mod == 0) {
        in->disp = take_signed(r, 4);
        in->base = bits == 64 ? R_IP : R_NONE;
    } else {
        in->base = (uint8_t)(rm | (rex & 1) << 3);
        if (rm == R_BP && !(rex & 1))
            in->segment = S_SS;
    }
    if (mod)
        in->disp += take_signed(r, mod == 1 ? 1 : 4);
}

static void take_modrm(reader *r, insn *in, unsigned rex, unsigned bits)
{
    uint8_t byte = (uint8_t)take(r, 1);
    unsigned mod = byte >> 6, rm = byte & 7;

    in->reg = (uint8_t)((byte >> 3 & 7) | (rex & 4) << 1);
    if (mod == 3) {
        in->rm = (uint8_t)(rm | (rex & 1) << 3);
        return;
    }
    in->flags |= IN_MEMORY;
    if (in->address == 2)
        address_16(r, in, mod, rm);
    else
        address_32(r, in, mod, rm, rex, bits);
}

static uint8_t operand_size(const prefixes *p, unsigned form, unsigned bits)
{
    if (form & BYTE)
        return 1;
    if (form & NATIVE)
        return bits == 64 ? 8 : 4;
    if (p->rex & 8)
        return 8;
    if ((form & WIDE) && bits == 64 && !p->opsize)
        return 8;
    return (bits == 16) != (p->opsize != 0) ? 2 : 4;
}

static uint8_t address_size(const prefixes *p, unsigned bits)
{
    if (bits == 64)
        return p->address ? 4 : 8;
    return (bits == 16) != (p->address != 0) ? 2 : 4;
}

static void take_immediate(reader *r, insn *in, unsigned form)
{
    if (form & IMM8)
        in->imm = take_signed(r, 1);
    else if (form & IMMZ)
        in->imm = take_signed(r, in->size == 2 ? 2 : 4);
    else if (form & IMMV)
        in->imm = take(r, in->size);
    else if (form & IMM16)
        in->imm = take(r, 2);
    else if (form & MOFFS)
        in->disp = take(r, in->address);
    else if (form & FAR)
        in->imm = take(r, in->size), in->selector = (uint16_t)take(r, 2);
}

/* Without REX the byte registers 4 to 7 are AH, CH, DH and BH. */
static void note_high_bytes(insn *in, const opcode *code, unsigned rex)
{
    int byte_rm =
        in->size == 1 || ((code->run == in_movzx || code->run == in_movsx) && code->op == 1);

    if (rex)
        return;
    if (in->size == 1 && !(code->form & (ALU | TEST | GROUP)) && (in->reg & 12) == 4)
        in->reg -= 4, in->flags |= IN_REG_HIGH;
    if (byte_rm && !(in->flags & IN_MEMORY) && (in->rm & 12) == 4)
        in->rm -= 4, in->flags |= IN_RM_HIGH;
}

static void take_operands(reader *r, insn *in, const opcode *code, uint8_t byte, const prefixes *p,
                          unsigned bits)
{
    unsigned form = code->form;

    if (form & MODRM)
        take_modrm(r, in, p->rex, bits);
    if (form & OPREG)
        in->reg = in->rm = (uint8_t)((byte & 7) | (p->rex & 1) << 3);
    if (form & TEST)
        form |= (in->reg & 7) < 2 ? (form & BYTE ? IMM8 : IMMZ) : 0;
    if (p->overridden && (bits != 64 || p->segment >= S_FS))
        in->segment = p->segment;
    in->op = form & ALU ? in->reg & 7 : code->op;
    take_immediate(r, in, form);
}

static int finish(insn *in, const reader *r, const opcode *code, uint8_t byte, const prefixes *p)
{
    if (r->more)
        return r->have >= INSN_MOST ? DECODE_LONG : DECODE_MORE;
    if (code->run == in_jcc || code->run == in_setcc || code->run == in_cmovcc ||
        code->run == in_loop)
        in->op = byte & 15;
    note_high_bytes(in, code, p->rex);
    if (in->base == R_IP)
        in->disp += r->at;
    in->run = code->run;
    in->length = (uint8_t)r->at;
    return (int)r->at;
}

int cpu_decode(const uint8_t *bytes, unsigned have, unsigned bits, insn *in)
{
    reader r = {bytes, have < INSN_MOST ? have : INSN_MOST, 0, 0};
    prefixes p = {0};
    const opcode *table = one_byte;
    uint8_t byte = take_prefixes(&r, &p, bits);

    if (!r.more && byte == 0x0f) {
        table = two_byte;
        byte = (uint8_t)take(&r, 1);
    }
    if (r.more)
        return r.have >= INSN_MOST ? DECODE_LONG : DECODE_MORE;
    const opcode *code = &table[byte];
    if (!code->run || ((code->form & NO64) && bits == 64))
        return DECODE_UNKNOWN;
    *in = (insn){.base = R_NONE, .index = R_NONE, .segment = S_DS};
    in->size = operand_size(&p, code->form, bits);
    in->address = address_size(&p, bits);
    in->flags = (uint8_t)(p.flags | (p.rex & 8 ? IN_REX_W : 0) | (p.opsize ? IN_OPSIZE : 0));
    take_operands(&r, in, code, byte, &p, bits);
    return finish(in, &r, code, byte, &p);
}
