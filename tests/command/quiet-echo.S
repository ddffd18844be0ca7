/* SPDX-License-Identifier: Apache-2.0 */
/* Sends back what it receives at the serial port, and says nothing else. Real mode at 0:0x7c00. */
    .code16
1:  mov $0x3fd, %dx
    in %dx, %al
    test $1, %al
    jz 1b
    mov $0x3f8, %dx
    in %dx, %al
    out %al, %dx
    jmp 1b
