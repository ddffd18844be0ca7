/* SPDX-License-Identifier: Apache-2.0 */
/* Writes 1 to PORT_REPORT when it is ready, and 2 to PORT_BYTE for each NMI; the second ends it.
 * CPL 0, needs a local APIC. */
#include "guest.inc"
guest nmi
        GATE    2, handler
        ENABLE_LAPIC
        xor     %ecx, %ecx
        mov     $PORT_REPORT, %edx
        mov     $1, %eax
        out     %eax, %dx
1:      pause
        cmp     $2, %ecx
        jne     1b
        DONE    0

handler:
        push    %rax
        push    %rdx
        mov     $PORT_BYTE, %edx
        mov     $2, %al
        out     %al, %dx
        inc     %ecx
        pop     %rdx
        pop     %rax
        iretq
end nmi
