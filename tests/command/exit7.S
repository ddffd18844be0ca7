/* SPDX-License-Identifier: Apache-2.0 */
    .code16
    mov $7, %al
    out %al, $0xf4
1:  jmp 1b
