/* SPDX-License-Identifier: Apache-2.0 */
/* Without an interrupt controller: writes 1, 2, 3 to PORT_BYTE and halts after each of the first
 * two. CPL 0. */
#include "guest.inc"
guest hlt
        mov     $PORT_BYTE, %edx
        mov     $1, %al
        out     %al, %dx
        hlt
        mov     $2, %al
        out     %al, %dx
        hlt
        mov     $3, %al
        out     %al, %dx
        DONE    0
end hlt
