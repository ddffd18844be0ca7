/* SPDX-License-Identifier: Apache-2.0 */
/* Guests. Each begins at CODE in 64-bit mode, with a stack below STACK. */
#include "guest.inc"

/* Nothing, for ever. */
guest spin
1:	jmp 1b
end spin

/* Counts at (rbx), for ever. */
guest count
1:	mov (%rbx), %rax
	add $1, %rax
	mov %rax, (%rbx)
	jmp 1b
end count

/* Writes 1, 2, 3... to a port. */
guest out_forever
	mov $0, %eax
1:	add $1, %eax
	out %eax, $PORT_OUT
	jmp 1b
end out_forever

/* Reads a port and writes what it got to another. */
guest echo
1:	in $PORT_IN, %eax
	out %eax, $PORT_ECHO
	jmp 1b
end echo

/* The same by memory: reads (rbx), writes a port. */
guest echo_mmio
1:	mov (%rbx), %eax
	out %eax, $PORT_ECHO
	jmp 1b
end echo_mmio

/* Port writes of each width, to a short and a long port. */
guest widths_out
	mov $0x44332211, %eax
	out %al, $PORT_OUT
	out %ax, $PORT_OUT
	out %eax, $PORT_OUT
	mov $PORT_WIDE, %edx
	out %al, %dx
	out %ax, %dx
	out %eax, %dx
	DONE
end widths_out

/* Port reads of each width; RAX after each is stored at (rdi). */
guest widths_in
	mov $PORT_WIDE, %edx
	mov $0x1122334455667788, %rax
	in $PORT_IN, %al
	mov %rax, (%rdi)
	mov $0x1122334455667788, %rax
	in $PORT_IN, %ax
	mov %rax, 8(%rdi)
	mov $0x1122334455667788, %rax
	in $PORT_IN, %eax
	mov %rax, 16(%rdi)
	mov $0x1122334455667788, %rax
	in %dx, %al
	mov %rax, 24(%rdi)
	mov $0x1122334455667788, %rax
	in %dx, %ax
	mov %rax, 32(%rdi)
	mov $0x1122334455667788, %rax
	in %dx, %eax
	mov %rax, 40(%rdi)
	DONE
end widths_in

/* String writes of rbx elements from (rsi) in each width; the last one downwards. */
guest strings_out
	cld
	mov $PORT_WIDE, %edx
	mov %rbx, %rcx
	rep outsb
	mov %rbx, %rcx
	rep outsw
	mov %rbx, %rcx
	rep outsl
	sub $1, %rsi
	std
	mov %rbx, %rcx
	rep outsb
	cld
	DONE
end strings_out

/* String reads of rbx elements to (rdi) in each width. */
guest strings_in
	cld
	mov $PORT_WIDE, %edx
	mov %rbx, %rcx
	rep insb
	mov %rbx, %rcx
	rep insw
	mov %rbx, %rcx
	rep insl
	mov %rdi, %rax
	out %eax, $PORT_OUT
	DONE
end strings_in

/* Memory writes of each width at (rbx). */
guest mmio_out
	mov $0x8877665544332211, %rax
	mov %al, (%rbx)
	mov %ax, 2(%rbx)
	mov %eax, 4(%rbx)
	mov %rax, 8(%rbx)
	DONE
end mmio_out

/* Memory reads of each width at (rbx); RAX after each is stored at (rdi). */
guest mmio_in
	mov $0x1122334455667788, %rax
	mov (%rbx), %al
	mov %rax, (%rdi)
	mov $0x1122334455667788, %rax
	mov 2(%rbx), %ax
	mov %rax, 8(%rdi)
	mov 4(%rbx), %eax
	mov %rax, 16(%rdi)
	mov 8(%rbx), %rax
	mov %rax, 24(%rdi)
	DONE
end mmio_in

/* Reads 8 bytes at (rbx), stores them at (rdi). */
guest copy
	mov (%rbx), %rax
	mov %rax, (%rdi)
	DONE
end copy

/* For ever: reads a number from a port, takes so many offsets of 4 bytes from (rdi), and writes r8
 * at each, counted from rbx. */
guest store_list
1:	in $PORT_IN, %eax
	mov %eax, %ecx
	mov %rdi, %rsi
2:	mov (%rsi), %eax
	add $4, %rsi
	mov %r8, (%rbx,%rax)
	sub $1, %ecx
	jnz 2b
	jmp 1b
end store_list

/* Stores of each kind to pages 0, 1, 2, 3, 5, 6 and 7 from rbx on. */
guest many_stores
	cld
	mov %rbx, %rdi
	mov $512, %ecx
	rep stosq
	mov %rbx, %rsi
	lea 0x1800(%rbx), %rdi
	mov $0x1000, %ecx
	rep movsb
	lock addq $1, 0x3000(%rbx)
	mov %rsp, %rbp
	lea 0x5008(%rbx), %rsp
	push %rax
	mov %rbp, %rsp
	mov %rax, 0x6ffc(%rbx)
	DONE
end many_stores

/* Writes to a port what is at rbx in FS, for ever. */
guest out_from_fs
1:	mov %fs:(%rbx), %eax
	out %eax, $PORT_OUT
	jmp 1b
end out_from_fs

/* Writes r8 at (rbx). */
guest put
	mov %r8, (%rbx)
	DONE
end put

/* For ever: writes r8 at (rbx), reads it again and writes its low half to a port. */
guest store_load
1:	mov %r8, (%rbx)
	mov (%rbx), %rax
	out %eax, $PORT_OUT
	add $1, %r8
	jmp 1b
end store_load

/* For ever: writes EAX to a port, without changing it. */
guest out_rax
1:	out %eax, $PORT_OUT
	jmp 1b
end out_rax

/* Halts, says so, and halts for good. */
guest halt
	hlt
	mov $0x55, %eax
	out %al, $PORT_OUT
1:	hlt
	jmp 1b
end halt

guest halt_for_good
	cli
1:	hlt
	jmp 1b
end halt_for_good

/* Triple fault where the IDT has no entry. */
guest crash
	ud2
1:	jmp 1b
end crash

/* Enables the local APIC, takes interrupts and says which; a port tells when it is ready. IDT
 * entries come from the host: VECTOR at CODE + 0x100, VECTOR_SECOND at + 0x140, NMI at + 0x180. */
.macro take_interrupts wait
	mov $0xfee00000, %ebx
	movl $0x1ff, 0xf0(%rbx)
	mov $0, %eax
	out %al, $PORT_READY
	sti
1:	\wait
	jmp 1b
	.balign 0x100
	push %rax
	mov $VECTOR, %eax
	out %al, $PORT_IRQ
	movl $0, 0xb0(%rbx)
	pop %rax
	iretq
	.balign 0x40
	push %rax
	mov $VECTOR_SECOND, %eax
	out %al, $PORT_IRQ
	movl $0, 0xb0(%rbx)
	pop %rax
	iretq
	.balign 0x40
	push %rax
	mov $2, %eax
	out %al, $PORT_NMI
	pop %rax
	iretq
.endm

guest interrupts
	take_interrupts nop
end interrupts

guest interrupts_halted
	take_interrupts hlt
end interrupts_halted

/* Starts the second processor (APIC id 2) by INIT and SIPI and waits for its FLAG. */
.macro start_second
	mov $0xfee00000, %ebx
	movl $0x1ff, 0xf0(%rbx)
	movl $0x2000000, 0x310(%rbx)
	movl $0x4500, 0x300(%rbx)
	movl $0x2000000, 0x310(%rbx)
	movl $(0x4600 | SECOND_CODE >> 12), 0x300(%rbx)
	mov $FLAG, %edi
1:	mov (%rdi), %al
	cmp $0x5a, %al
	jne 1b
.endm

guest second
	start_second
	DONE
end second

/* Then writes to the second one's port, for ever. */
guest second_and_out
	start_second
1:	out %al, $PORT_SECOND
	jmp 1b
end second_and_out

/* The second processor, in real mode at SECOND_CODE: raises the flag, then counts at a port. */
	.code16
guest second_start
	xor %ax, %ax
	mov %ax, %ds
	mov $0x5a, %al
	mov %al, FLAG
	mov $0, %al
1:	add $1, %al
	out %al, $PORT_SECOND
	jmp 1b
end second_start

guest second_spin
	xor %ax, %ax
	mov %ax, %ds
	mov $0x5a, %al
	mov %al, FLAG
1:	jmp 1b
end second_spin
	.code64

/* Rings: 1, 2 and 3 at a port in three widths, then at (rbx). */
guest doorbell
	mov $PORT_WIDE, %edx
	mov $1, %eax
	out %al, %dx
	mov $2, %eax
	out %ax, %dx
	mov $3, %eax
	out %eax, %dx
	mov $1, %eax
	mov %eax, (%rbx)
	mov $2, %eax
	mov %eax, (%rbx)
	DONE
end doorbell

/* Each width at each alignment of a device at (rbx) and at a port. */
guest many_widths
	mov $PORT_WIDE, %edx
	mov $0x01, %eax
	out %al, %dx
	mov $0x0203, %eax
	out %ax, %dx
	mov $0x04050607, %eax
	out %eax, %dx
	in %dx, %al
	in %dx, %ax
	in %dx, %eax
	mov %al, 1(%rbx)
	mov %ax, 3(%rbx)
	mov %eax, 5(%rbx)
	mov %rax, 8(%rbx)
	mov 8(%rbx), %rax
	mov 5(%rbx), %eax
	mov 3(%rbx), %ax
	mov 1(%rbx), %al
	DONE
end many_widths

/* Does what it is told, by three reads of a port: 0 to read or 1 to write, an address, a value.
 * What it has read it writes to another port. */
guest poke
1:	in $PORT_IN, %eax
	mov %eax, %ecx
	in $PORT_IN, %eax
	mov %eax, %ebx
	in $PORT_IN, %eax
	test %ecx, %ecx
	jnz 2f
	mov (%rbx), %eax
	out %eax, $PORT_OUT
	jmp 1b
2:	mov %eax, (%rbx)
	jmp 1b
end poke
