/* SPDX-License-Identifier: Apache-2.0 */
/* Guests of the storms of threads. */
#include "guest.inc"

/* Writes and reads two ports for ever. */
guest hammer
1:	out %al, $PORT_OUT
	in $PORT_IN, %al
	jmp 1b
end hammer

/* The same on two processors: starts the second (APIC id 2) by INIT and SIPI. */
guest hammers
	mov $0xfee00000, %ebx
	movl $0x1ff, 0xf0(%rbx)
	movl $0x2000000, 0x310(%rbx)
	movl $0x4500, 0x300(%rbx)
	movl $0x2000000, 0x310(%rbx)
	movl $(0x4600 | SECOND_CODE >> 12), 0x300(%rbx)
1:	out %al, $PORT_OUT
	in $PORT_IN, %al
	jmp 1b
end hammers

	.code16
guest hammers_second
1:	out %al, $PORT_OUT
	in $PORT_IN, %al
	jmp 1b
end hammers_second
	.code64
