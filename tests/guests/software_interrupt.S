/* SPDX-License-Identifier: Apache-2.0 */
/* INT 0x80, whose handler writes 0x80 to PORT_BYTE, then INT3, whose handler writes 3. CPL 0; an
 * instruction emulator may not know INT in long mode. */
#include "guest.inc"
guest software_interrupt
        GATE    3, breakpoint
        GATE    0x80, software
        int     $0x80
        int3
        DONE    0

software:
        mov     $PORT_BYTE, %edx
        mov     $0x80, %al
        out     %al, %dx
        iretq
breakpoint:
        mov     $PORT_BYTE, %edx
        mov     $3, %al
        out     %al, %dx
        iretq
end software_interrupt
