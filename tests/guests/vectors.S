/* SPDX-License-Identifier: Apache-2.0 */
/* Takes interrupts 0x30 to 0x3f: writes 1 to PORT_REPORT when it is ready, and then each vector
 * taken to PORT_BYTE. VECTOR_LAST ends it. CPL 0, needs a local APIC. */
#include "guest.inc"
guest vectors
.irp vector, 0x30, 0x31, 0x32, 0x33, 0x3f
        GATE    \vector, handler_\vector
.endr
        ENABLE_LAPIC
        mov     $PORT_REPORT, %edx
        mov     $1, %eax
        out     %eax, %dx
1:      sti
        hlt
        cli
        jmp     1b

.irp vector, 0x30, 0x31, 0x32, 0x33, 0x3f
handler_\vector:
        push    %rax
        mov     $\vector, %al
        jmp     report
.endr

report: push    %rdx
        mov     $PORT_BYTE, %edx
        out     %al, %dx
        END_OF_INTERRUPT
        cmp     $VECTOR_LAST, %al
        je      2f
        pop     %rdx
        pop     %rax
        iretq
2:      DONE    0
end vectors
