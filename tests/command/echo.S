/* SPDX-License-Identifier: Apache-2.0 */
/* Says "ready" at the serial port and sends back what it receives. Real mode at 0:0x7c00. */
    .code16
    mov $text, %si
1:  mov (%si), %al
    test %al, %al
    jz 2f
    mov $0x3f8, %dx
    out %al, %dx
    inc %si
    jmp 1b
2:  mov $0x3fd, %dx
    in %dx, %al
    test $1, %al
    jz 2b
    mov $0x3f8, %dx
    in %dx, %al
    out %al, %dx
    jmp 2b
text: .asciz "ready\r\n"
