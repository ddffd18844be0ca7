/* SPDX-License-Identifier: Apache-2.0 */
/* The boot processor starts all others by INIT and SIPI; each reports its APIC id to PORT_REPORT
 * from long mode, adds one to the counter at DATA, and waits. rdi is how many others there
 * are: when all have come the boot processor reports its own id and ends. CPL 0, needs local
 * APICs. */
#include "guest.inc"
guest smp
        lea     trampoline(%rip), %rsi
        mov     $SECOND_CODE, %ebx
        mov     $(trampoline_end - trampoline), %ecx
1:      mov     (%rsi), %al
        mov     %al, (%rbx)
        inc     %rsi
        inc     %rbx
        dec     %ecx
        jnz     1b

        ENABLE_LAPIC
        movl    $0, LAPIC_ICR_HIGH(%rbx)
        movl    $0xc4500, LAPIC_ICR_LOW(%rbx)
        mov     $20000, %ecx
2:      pause
        dec     %ecx
        jnz     2b
        movl    $(0xc4600 | SECOND_CODE >> 12), LAPIC_ICR_LOW(%rbx)

3:      pause
        mov     DATA, %eax
        cmp     %edi, %eax
        jne     3b
        call    report_id
        DONE    0

report_id:
        mov     $LAPIC, %ebx
        mov     LAPIC_ID(%rbx), %eax
        shr     $24, %eax
        mov     $PORT_REPORT, %edx
        out     %eax, %dx
        ret

/* In long mode, each on a stack of its own by its id. */
other:
        mov     $LAPIC, %ebx
        mov     LAPIC_ID(%rbx), %eax
        shr     $24, %eax
        inc     %eax
        shl     $12, %eax
        lea     STACKS(%rax), %rsp
        call    report_id
        mov     $DATA, %ebx
        lock incl (%rbx)
4:      cli
        hlt
        jmp     4b

/* Copied to SECOND_CODE; starts in real mode at offset 0 of that segment. */
#define AT(label) (SECOND_CODE + label - trampoline)
        .balign 16
        .code16
trampoline:
        cli
        mov     %cs, %ax
        mov     %ax, %ds
        lgdtl   gdt_pointer - trampoline
        mov     $0x20, %eax
        mov     %eax, %cr4
        mov     $PAGE_TABLES, %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        mov     $0x100, %eax
        xor     %edx, %edx
        wrmsr
        mov     $0x80000011, %eax
        mov     %eax, %cr0
        ljmpl   *(entry - trampoline)
        .balign 8
gdt_pointer:
        .word   0x37
        .long   GDT
        .balign 8
entry:  .long   AT(long_entry)
        .word   SELECTOR_CODE
        .balign 8
        .code64
long_entry:
        mov     $SELECTOR_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $(other - guest_code_smp + CODE), %eax
        jmp     *%rax
trampoline_end:
end smp
