/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest guest that says something: a letter on the serial port, by PVH. */
    .section .note.Xen, "a", @note
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long _start

    .text
    .code32
    .globl _start
_start:
    movw $0x3f8, %dx
    movb $'v', %al
    outb %al, %dx
1:  hlt
    jmp 1b
