/* SPDX-License-Identifier: Apache-2.0 */
/* Starts in real mode with CS and DS 0x1000, IP 0: writes to PORT_WORD the word at 0x1000:data, what
 * INT 0x21 through the table at 0 gives, and after a switch to 32-bit protected mode to PORT_LONG a
 * dword. */
#include "guest.inc"
#define REAL(label) (label - guest_code_real_mode)
#define FLAT(label) (REAL(label) + CODE)
        .code16
guest real_mode
        xor     %ax, %ax
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0xf000, %sp
        movw    $REAL(service), %es:0x21 * 4
        movw    %cs, %ax
        movw    %ax, %es:0x21 * 4 + 2

        mov     REAL(data), %ax
        mov     $PORT_WORD, %dx
        out     %ax, %dx
        int     $0x21
        out     %ax, %dx

        cli
        lgdtl   REAL(gdt_pointer)
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $8, $FLAT(protected)

service:
        mov     $0x2121, %ax
        iret

        .balign 4
data:   .word   0x1234
gdt_pointer:
        .word   23
        .long   FLAT(gdt)
        .balign 8
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff

        .code32
protected:
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $0xf000, %esp
        push    $0x12345678
        call    1f
1:      pop     %ebx
        pop     %eax
        mov     $PORT_LONG, %edx
        out     %eax, %dx
        mov     $MMIO, %ebx
        movl    $0x87654321, (%ebx)
        movb    $0, %al
        out     %al, $PORT_END
2:      pause
        jmp     2b
end real_mode
