/* SPDX-License-Identifier: Apache-2.0 */
/* Writes 1, 2 and 3 to PORT_WORD (words), then to MMIO (dwords). Runs at CPL 0 and 3. */
#include "guest.inc"
guest rings
        mov     $PORT_WORD, %edx
        mov     $1, %eax
        out     %ax, %dx
        mov     $2, %eax
        out     %ax, %dx
        mov     $3, %eax
        out     %ax, %dx
        mov     $MMIO, %ebx
        movl    $1, (%rbx)
        movl    $2, (%rbx)
        movl    $3, (%rbx)
        DONE    0
end rings
