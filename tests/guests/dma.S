/* SPDX-License-Identifier: Apache-2.0 */
/* Gives the addresses of two buffers of 64 bytes to PORT_LONG: the first is to be written by the
 * device and holds the pattern when the following IN from PORT_BYTE is answered; the second holds
 * the pattern from the guest. Ends with 0, or 1 if what it got is wrong. Runs at CPL 0 and 3. */
#include "guest.inc"
guest dma
        mov     $BUFFER_SECOND, %ebx
        mov     $PATTERN_FIRST, %al
        xor     %ecx, %ecx
1:      mov     %al, (%rbx,%rcx)
        add     $PATTERN_STEP, %al
        inc     %ecx
        cmp     $64, %ecx
        jne     1b

        mov     $PORT_LONG, %edx
        mov     $BUFFER, %eax
        out     %eax, %dx
        mov     $BUFFER_SECOND, %eax
        out     %eax, %dx
        mov     $PORT_BYTE, %edx
        in      %dx, %al

        mov     $BUFFER, %ebx
        mov     $PATTERN_FIRST, %al
        xor     %ecx, %ecx
2:      cmp     %al, (%rbx,%rcx)
        EXPECT_EQUAL
        add     $PATTERN_STEP, %al
        inc     %ecx
        cmp     $64, %ecx
        jne     2b
        DONE    0
end dma
