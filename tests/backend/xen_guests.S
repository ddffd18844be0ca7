/* SPDX-License-Identifier: Apache-2.0 */
/* Guests of the Xen backend's own test: 64-bit code that the test copies to 0x10000. RDI has an
 * argument. Every guest begins and ends with a label that the test sees. */
    .section .rodata
    .code64
    .macro guest name
    .balign 16
    .globl guest_\name
guest_\name:
    .endm
    .macro ends name
    .globl guest_\name\()_end
guest_\name\()_end:
    .byte 0
    .endm

guest port
    mov $0x1234abcd, %eax
    mov $0x100, %edx
    out %eax, %dx
    mov $0x5a, %al
    out %al, %dx
    mov $0x104, %edx
    in %dx, %ax
    movzwl %ax, %eax
    mov $0x100, %edx
    out %eax, %dx
    mov %ebx, %eax
    out %eax, %dx
1:  hlt
    jmp 1b
ends port

guest memory
    mov $0x3f000000, %esi
    movb $0x11, (%rsi)
    movw $0x2222, 2(%rsi)
    movl $0x33333333, 4(%rsi)
    mov $0x4444444455555555, %rax
    mov %rax, 8(%rsi)
    mov 16(%rsi), %rbx
    movb 24(%rsi), %cl
    mov $0x100, %edx
    mov %ebx, %eax
    out %eax, %dx
    mov %cl, %al
    out %al, %dx
    cld
    mov $0x3f000100, %edi
    mov $3, %ecx
    mov $0x77, %eax
    rep stosl
    mov $0x3f000200, %esi
    mov $0x8000, %edi
    mov $2, %ecx
    rep movsl
    mov 0x8000, %eax
    out %eax, %dx
    mov 0x8004, %eax
    out %eax, %dx
1:  hlt
    jmp 1b
ends memory

guest string
    cld
    mov $0x100, %edx
    mov $0x8000, %edi
    mov $4, %ecx
    rep insb
    mov 0x8000, %eax
    out %eax, %dx
    mov $0x8000, %esi
    mov $4, %ecx
    rep outsb
    std
    mov $0x8003, %esi
    mov $4, %ecx
    rep outsb
    cld
    out %eax, %dx
1:  hlt
    jmp 1b
ends string

guest spin
    mov $0x100, %edx
    out %eax, %dx
1:  inc %rbx
    mov %rbx, 0x8000
    test %r15, %r15
    jz 1b
    mov %r15d, %eax
    out %eax, %dx
2:  hlt
    jmp 2b
ends spin

guest readonly
    mov $0x100, %edx
    mov (%rdi), %eax
    out %eax, %dx
    movl $0x99, (%rdi)
    mov (%rdi), %eax
    out %eax, %dx
    movl $0x98, (%rdi)
    mov (%rdi), %eax
    out %eax, %dx
1:  hlt
    jmp 1b
ends readonly

guest interrupt
    mov $0xfee000f0, %ebx
    movl $0x1ff, (%rbx)
    mov $0x100, %edx
    mov $1, %eax
    out %eax, %dx
    sti
1:  hlt
    jmp 1b
ends interrupt

guest handler
    mov $0x102, %edx
    mov $0x77, %eax
    out %eax, %dx
    mov $0xfee000b0, %ebx
    movl $0, (%rbx)
    iretq
ends handler

guest halt
    cli
    hlt
ends halt

guest fault
    lidt (%rdi)
    int3
ends fault

guest config
    mov $0xcf8, %edx
    mov $0x80001804, %eax
    out %eax, %dx
    mov $0xcfe, %edx
    in %dx, %ax
    mov $0xcfc, %edx
    mov $0xfeed, %eax
    out %eax, %dx
    mov $0xcf8, %edx
    mov $0x80002008, %eax
    out %eax, %dx
    mov $0xcfc, %edx
    in %dx, %eax
    mov $0xcf8, %edx
    xor %eax, %eax
    out %eax, %dx
    mov $0xcfd, %edx
    in %dx, %al
1:  hlt
    jmp 1b
ends config

guest floating
    mov $0x100, %edx
    movl $0x3f800000, 0x8000
    movss 0x8000, %xmm3
    fld1
    out %eax, %dx
    movss %xmm5, 0x8000
    mov 0x8000, %eax
    out %eax, %dx
    movss %xmm3, 0x8000
    mov 0x8000, %eax
    out %eax, %dx
1:  hlt
    jmp 1b
ends floating

guest identity
    mov $0x100, %edx
    mov $1, %eax
    cpuid
    mov $0x100, %edx
    mov %ebx, %eax
    out %eax, %dx
    mov $0xb, %eax
    mov $1, %ecx
    cpuid
    mov %edx, %eax
    mov $0x100, %edx
    out %eax, %dx
    mov $0x80000008, %eax
    cpuid
    mov $0x100, %edx
    mov %ecx, %eax
    out %eax, %dx
1:  hlt
    jmp 1b
ends identity

guest brand
    mov $0x80000002, %eax
    cpuid
    mov $0x100, %edx
    out %eax, %dx
1:  hlt
    jmp 1b
ends brand

/* Starts the processor with APIC id 2 at 0x9000. */
guest second
    mov $0x100, %edx
    xor %eax, %eax
    out %eax, %dx
    mov $0xfee000f0, %ebx
    movl $0x1ff, (%rbx)
    mov $0xfee00310, %ebx
    movl $0x02000000, (%rbx)
    mov $0xfee00300, %ebx
    movl $0x4500, (%rbx)
    mov $0xfee00310, %ebx
    movl $0x02000000, (%rbx)
    mov $0xfee00300, %ebx
    movl $0x4609, (%rbx)
    mov $0x100, %edx
    out %eax, %dx
1:  pause
    jmp 1b
ends second

    .code16
guest trampoline
    mov $0x110, %dx
    mov $0x5432, %ax
    out %ax, %dx
    cli
1:  hlt
    jmp 1b
ends trampoline
    .code64

/* IOAPIC of Xen's: line RDI to vector 0x40, level. */
guest line
    mov $0xfee000f0, %ebx
    movl $0x1ff, (%rbx)
    mov $0xfec00000, %ebx
    lea 0x11(,%rdi,2), %eax
    mov %eax, (%rbx)
    movl $0, 0x10(%rbx)
    dec %eax
    mov %eax, (%rbx)
    movl $0x8040, 0x10(%rbx)
    mov $0x100, %edx
    out %eax, %dx
    sti
1:  hlt
    jmp 1b
ends line

/* Where Xen itself listens in full emulation, and next to it. */
guest neighbour
    mov $0xe9, %edx
    in %dx, %al
    mov $0x62, %edx
    in %dx, %al
    mov $0xa0000, %esi
    movb $0x12, (%rsi)
    mov (%rsi), %al
    mov $0xfed00000, %esi
    mov (%rsi), %eax
    mov $0x100, %edx
    out %al, %dx
1:  hlt
    jmp 1b
ends neighbour

/* Counts at port 0x100 for ever. */
guest counter
    mov $0x100, %edx
1:  out %eax, %dx
    inc %eax
    jmp 1b
ends counter

/* Xen's page of hypercalls at 0x30000; CPUID tells the register by which it is asked for. */
    .macro hypercalls
    mov $0x40000002, %eax
    cpuid
    mov %ebx, %ecx
    mov $0x30000, %eax
    xor %edx, %edx
    wrmsr
    .endm
/* Arguments in RDI and RSI, the answer in RAX. */
    .macro hypercall number
    mov $(0x30000 + \number * 32), %eax
    call *%rax
    .endm
    .set MEMORY_OP, 12
    .set SCHED_OP, 29
    .set EVENT_CHANNEL_OP, 32
    .set HVM_OP, 34

/* Suspends itself again and again, and tells the answer. */
guest suspend
    hypercalls
    movl $2, 0x8000
    xor %ebp, %ebp
1:  mov $0x100, %edx
    mov %ebp, %eax
    out %eax, %dx
    mov $2, %edi
    mov $0x8000, %esi
    hypercall SCHED_OP
    mov %eax, %ebp
    jmp 1b
ends suspend

/* Shuts down with the reason in RDI. */
guest shutdown
    mov %edi, 0x8000
    hypercalls
    mov $2, %edi
    mov $0x8000, %esi
    hypercall SCHED_OP
1:  jmp 1b
ends shutdown

/* Opens event channels until it may have no more. */
guest channels
    hypercalls
    xor %ebp, %ebp
1:  movl $0x7ff07ff0, 0x8000
    mov $6, %edi
    mov $0x8000, %esi
    hypercall EVENT_CHANNEL_OP
    inc %ebp
    test %eax, %eax
    jz 1b
    mov $0x100, %edx
    mov %ebp, %eax
    out %eax, %dx
2:  hlt
    jmp 2b
ends channels

/* A timer that interrupts every millisecond, if RDI is not 0; else one that is not set off. */
guest timer
    mov $0xfee000f0, %ebx
    movl $0x1ff, (%rbx)
    mov $0xfee003e0, %ebx
    movl $0xb, (%rbx)
    mov $0xfee00320, %ebx
    test %edi, %edi
    jz 1f
    movl $0x20041, (%rbx)
    mov $0xfee00380, %ebx
    movl $100000, (%rbx)
    jmp 2f
1:  movl $0x41, (%rbx)
2:  mov $0x100, %edx
    mov %edi, %eax
    out %eax, %dx
    sti
3:  hlt
    jmp 3b
ends timer

/* Writes to the console that Xen names, reads a byte from it, writes again without a notification
 * and halts for good. */
guest console
    hypercalls
    movl $0x7ff0, 0x8000
    movl $17, 0x8004
    mov $1, %edi
    mov $0x8000, %esi
    hypercall HVM_OP
    mov 0x8008, %rbp
    shl $12, %rbp
    movl $18, 0x8004
    mov $1, %edi
    mov $0x8000, %esi
    hypercall HVM_OP
    mov 0x8008, %r12
    movl $0x0a216948, 1024(%rbp)
    movl $4, 3084(%rbp)
    mov %r12d, 0x8000
    mov $4, %edi
    mov $0x8000, %esi
    hypercall EVENT_CHANNEL_OP
1:  pause
    mov 3076(%rbp), %eax
    cmp 3072(%rbp), %eax
    je 1b
    movzbl (%rbp), %eax
    incl 3072(%rbp)
    mov $0x100, %edx
    out %eax, %dx
    movl $0x2e657962, 1028(%rbp)
    movl $8, 3084(%rbp)
    cli
    hlt
ends console

/* Gives the page at RDI away, tells, takes another, writes to it and tells. */
guest balloon
    mov %rdi, %rbp
    shr $12, %rdi
    mov %rdi, 0x8100
    hypercalls
    movl $0x11, (%rbp)
    movq $0x8100, 0x8000
    movq $1, 0x8008
    movl $0, 0x8010
    movl $0, 0x8014
    movw $0x7ff0, 0x8018
    mov $1, %edi
    mov $0x8000, %esi
    hypercall MEMORY_OP
    mov $0x100, %edx
    out %eax, %dx
    mov $6, %edi
    mov $0x8000, %esi
    hypercall MEMORY_OP
    movl $0x22, (%rbp)
    mov $0x100, %edx
    out %eax, %dx
    mov (%rbp), %eax
    out %eax, %dx
1:  hlt
    jmp 1b
ends balloon

    .section .note.GNU-stack, "", @progbits
