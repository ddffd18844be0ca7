/* SPDX-License-Identifier: Apache-2.0 */
/* A multiboot 1 guest: says at the serial port how many processors fw_cfg tells of, and its command
 * line's last word, then writes that number plus 40 to the exit port. */
    .code32
    .section .multiboot, "ax"
    .align 4
    .long 0x1badb002, 0x00000003, -(0x1badb002 + 0x00000003)

    .text
    .globl _start
_start:
    mov $stack_top, %esp
    mov %eax, %esi              /* 0x2badb002 from the loader */
    cmp $0x2badb002, %esi
    jne refuse
    mov %ebx, %ebp
    mov $text_cpus, %esi
    call print
    mov $0x510, %edx            /* fw_cfg: key 5, the number of processors */
    mov $5, %eax
    outw %ax, %dx
    inc %edx
    inb %dx, %al
    movzbl %al, %ebx
    inb %dx, %al
    mov %al, %bh
    lea '0'(%ebx), %eax
    call print_character
    mov $text_line, %esi
    call print
    mov 16(%ebp), %esi          /* the command line */
    call print
    mov $'\n', %al
    call print_character
    lea 40(%ebx), %eax
    out %eax, $0xf4
refuse:
    mov $1, %eax
    out %eax, $0xf4
1:  hlt
    jmp 1b

print:
    lodsb
    test %al, %al
    jz 1f
    call print_character
    jmp print
1:  ret

print_character:
    mov %al, %ah
    mov $0x3fd, %edx
1:  inb %dx, %al
    test $0x20, %al
    jz 1b
    mov %ah, %al
    mov $0x3f8, %edx
    outb %al, %dx
    ret

    .section .rodata
text_cpus: .asciz "processors: "
text_line: .asciz " command line: "

    .bss
    .skip 4096
stack_top:
