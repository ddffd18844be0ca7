/* SPDX-License-Identifier: Apache-2.0 */
/* Says something without end. Real mode at 0:0x7c00. */
    .code16
    mov $0x3f8, %dx
1:  out %al, %dx
    jmp 1b
