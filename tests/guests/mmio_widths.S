/* SPDX-License-Identifier: Apache-2.0 */
/* For widths 1, 2, 4 and 8 reads MMIO + 8 * n and writes the value plus one 0x100 above it.
 * Runs at CPL 0 and 3. */
#include "guest.inc"
guest mmio_widths
        mov     $MMIO, %ebx
        movb    0x00(%rbx), %al
        inc     %al
        movb    %al, 0x100(%rbx)
        movw    0x08(%rbx), %ax
        inc     %ax
        movw    %ax, 0x108(%rbx)
        movl    0x10(%rbx), %eax
        inc     %eax
        movl    %eax, 0x110(%rbx)
        movq    0x18(%rbx), %rax
        inc     %rax
        movq    %rax, 0x118(%rbx)
        DONE    0
end mmio_widths
