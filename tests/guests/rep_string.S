/* SPDX-License-Identifier: Apache-2.0 */
/* String instructions: outs and ins on ports, movs and stos to memory of nobody.
 * 1. rep outsb: ten bytes 0x30 to 0x39 to PORT_BYTE
 * 2. rep outsl: three dwords 0x11111111, 0x22222222, 0x33333333 to PORT_LONG
 * 3. rep insb: ten bytes from PORT_BYTE; their sum goes to PORT_REPORT
 * 4. rep insw with the direction flag: three words from PORT_WORD, stored downwards; the last one
 *    stored goes to PORT_REPORT
 * 5. rep movsl: the three dwords to MMIO
 * 6. rep stosb: three bytes 0x5a to MMIO + 0x40
 * 7. rep movsw: two words from MMIO + 0x80; together they go to PORT_REPORT
 * Runs at CPL 0 and 3. */
#include "guest.inc"
guest rep_string
        cld
        lea     bytes(%rip), %rsi
        mov     $10, %ecx
        mov     $PORT_BYTE, %edx
        rep outsb
        lea     dwords(%rip), %rsi
        mov     $3, %ecx
        mov     $PORT_LONG, %edx
        rep outsl

        mov     $BUFFER, %edi
        mov     $10, %ecx
        mov     $PORT_BYTE, %edx
        rep insb
        xor     %eax, %eax
        mov     $BUFFER, %esi
        mov     $10, %ecx
1:      movzbl  (%rsi), %ebx
        add     %ebx, %eax
        inc     %rsi
        dec     %ecx
        jnz     1b
        mov     $PORT_REPORT, %edx
        out     %eax, %dx

        std
        mov     $(BUFFER + 0x104), %edi
        mov     $3, %ecx
        mov     $PORT_WORD, %edx
        rep insw
        cld
        movzwl  BUFFER + 0x100, %eax
        mov     $PORT_REPORT, %edx
        out     %eax, %dx

        lea     dwords(%rip), %rsi
        mov     $MMIO, %edi
        mov     $3, %ecx
        rep movsl
        mov     $MMIO + 0x40, %edi
        mov     $0x5a, %al
        mov     $3, %ecx
        rep stosb

        mov     $MMIO + 0x80, %esi
        mov     $BUFFER, %edi
        mov     $2, %ecx
        rep movsw
        mov     BUFFER, %eax
        mov     $PORT_REPORT, %edx
        out     %eax, %dx
        DONE    0

bytes:  .ascii  "0123456789"
dwords: .long   0x11111111, 0x22222222, 0x33333333
end rep_string
