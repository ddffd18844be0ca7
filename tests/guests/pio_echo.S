/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a port of each width and writes what it got to the same port. Runs at CPL 0 and 3. */
#include "guest.inc"
guest pio_echo
        mov     $PORT_BYTE, %edx
        in      %dx, %al
        out     %al, %dx
        mov     $PORT_WORD, %edx
        in      %dx, %ax
        out     %ax, %dx
        mov     $PORT_LONG, %edx
        in      %dx, %eax
        out     %eax, %dx
        DONE    0
end pio_echo
