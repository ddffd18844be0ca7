/* Faults that the guest handles and goes on from: an invalid instruction, a page fault on the first
 * address above what is mapped (CR2 is checked), a division by zero and a software interrupt. Each
 * handler writes its vector to PORT_BYTE. CPL 0. */
#include "guest.inc"
        .set    UNMAPPED, 0x100000000
start:
        GATE    0, divide
        GATE    6, invalid
        GATE    14, page
        GATE    0x80, software
        LOAD_IDT
        ud2
        movabs  UNMAPPED, %al
        xor     %edx, %edx
        xor     %ecx, %ecx
        div     %ecx
        int     $0x80
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
software:
        REPORT  0x80
        iretq
