/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that the guest handles and goes on from: an invalid instruction, a page fault on the first
 * address above what is mapped (CR2 is checked) and a division by zero. Each handler writes its
 * vector to PORT_BYTE. CPL 0. */
#include "guest.inc"
        .set    UNMAPPED, 0x100000000
guest exceptions
        GATE    0, divide
        GATE    6, invalid
        GATE    14, page
        ud2
        movabs  UNMAPPED, %al
        xor     %edx, %edx
        xor     %ecx, %ecx
        div     %ecx
        DONE    0

.macro REPORT vector
        mov     $PORT_BYTE, %edx
        mov     $\vector, %al
        out     %al, %dx
.endm
invalid:
        REPORT  6
        addq    $2, (%rsp)
        iretq
page:
        movabs  $UNMAPPED, %rbx
        mov     %cr2, %rax
        cmp     %rbx, %rax
        EXPECT_EQUAL
        REPORT  14
        add     $8, %rsp
        addq    $9, (%rsp)
        iretq
divide:
        REPORT  0
        addq    $2, (%rsp)
        iretq
end exceptions
