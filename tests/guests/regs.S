/* SPDX-License-Identifier: Apache-2.0 */
/* Stores the registers that it was given at DATA in the order of vsdk_x86_regs without RIP and
 * RFLAGS, loads register n (in the same order) with (n + 1) * 0x0101010101010101 and writes AL to
 * PORT_LOOK; RAX as it is after that goes to DATA + 0x80. Runs at CPL 0 and 3. */
#include "guest.inc"
guest regs
.set offset, 0
.irp register, rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        mov     %\register, DATA + offset
        .set    offset, offset + 8
.endr
.set value, 0x0101010101010101
.irp register, rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        movabs  $value, %\register
        .set    value, value + 0x0101010101010101
.endr
        out     %al, $PORT_LOOK
        mov     %rax, DATA + 0x80
        DONE    0
end regs
