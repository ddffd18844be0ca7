/* SPDX-License-Identifier: Apache-2.0 */
/* A multiboot 1 guest: says at the serial port the text and the bytes of each of its modules, a line
 * each, then writes their number to the exit port. */
    .code32
    .section .multiboot, "ax"
    .align 4
    .long 0x1badb002, 0x00000003, -(0x1badb002 + 0x00000003)

    .text
    .globl _start
_start:
    mov 20(%ebx), %ecx          /* how many modules */
    mov 24(%ebx), %ebp          /* their list: first, end, text, nothing */
    mov %ecx, %ebx
1:  test %ecx, %ecx
    jz 9f
    mov 8(%ebp), %esi
2:  lodsb
    test %al, %al
    jz 3f
    mov $0x3f8, %edx
    out %al, %dx
    jmp 2b
3:  mov $':', %al
    mov $0x3f8, %edx
    out %al, %dx
    mov (%ebp), %esi
4:  cmp 4(%ebp), %esi
    jae 5f
    lodsb
    out %al, %dx
    jmp 4b
5:  mov $'\n', %al
    out %al, %dx
    add $16, %ebp
    dec %ecx
    jmp 1b
9:  mov %ebx, %eax
    out %eax, $0xf4
1:  hlt
    jmp 1b
