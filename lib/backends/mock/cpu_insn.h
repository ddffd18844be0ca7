/* SPDX-License-Identifier: Apache-2.0 */
/* What executes each kind of instruction; cpu_decode.c chooses. They return STEP_DONE when the
 * instruction is over, or why it is not; then nothing has changed. */
#ifndef VSDK_MOCK_CPU_INSN_H
#define VSDK_MOCK_CPU_INSN_H

#include "backends/mock/cpu.h"

#define INSN(name) step name(cpu *c, const insn *in)
INSN(in_alu_rm_reg);
INSN(in_alu_reg_rm);
INSN(in_alu_rm_imm);
INSN(in_test_rm_reg);
INSN(in_test_rm_imm);
INSN(in_shift_imm);
INSN(in_shift_one);
INSN(in_shift_cl);
INSN(in_group3);
INSN(in_group4);
INSN(in_inc);
INSN(in_dec);
INSN(in_imul_rm);
INSN(in_imul_imm);
INSN(in_bit_reg);
INSN(in_bit_imm);
INSN(in_xadd);
INSN(in_cmpxchg);
INSN(in_cbw);
INSN(in_cwd);
INSN(in_mov_rm_reg);
INSN(in_mov_reg_rm);
INSN(in_mov_rm_imm);
INSN(in_mov_reg_imm);
INSN(in_mov_acc_moffs);
INSN(in_mov_moffs_acc);
INSN(in_movzx);
INSN(in_movsx);
INSN(in_movsxd);
INSN(in_lea);
INSN(in_xchg_rm_reg);
INSN(in_xchg_acc);
INSN(in_push_reg);
INSN(in_pop_reg);
INSN(in_push_imm);
INSN(in_pop_rm);
INSN(in_pushf);
INSN(in_popf);
INSN(in_leave);
INSN(in_setcc);
INSN(in_cmovcc);
INSN(in_bswap);
INSN(in_mov_rm_seg);
INSN(in_mov_seg_rm);
INSN(in_nop);
INSN(in_flag);
INSN(in_jcc);
INSN(in_jmp);
INSN(in_call);
INSN(in_ret);
INSN(in_loop);
INSN(in_jcxz);
INSN(in_group5);
INSN(in_jmp_far);
INSN(in_ret_far);
INSN(in_iret);
INSN(in_int);
INSN(in_int3);
INSN(in_ud);
INSN(in_movs);
INSN(in_stos);
INSN(in_lods);
INSN(in_scas);
INSN(in_cmps);
INSN(in_ins);
INSN(in_outs);
INSN(in_in_imm);
INSN(in_in_dx);
INSN(in_out_imm);
INSN(in_out_dx);
INSN(in_hlt);
INSN(in_cli);
INSN(in_sti);
INSN(in_group6);
INSN(in_group7);
INSN(in_mov_from_cr);
INSN(in_mov_to_cr);
INSN(in_rdmsr);
INSN(in_wrmsr);
INSN(in_rdtsc);
INSN(in_cpuid);
INSN(in_privileged_nop);
INSN(in_clts);
INSN(in_fence);
#undef INSN

#endif
