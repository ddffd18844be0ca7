/* SPDX-License-Identifier: Apache-2.0 */
/* A multiboot 1 guest that knows nothing of this library: a serial port at 0x3f8, the number of
 * processors from fw_cfg, every one of them started by INIT and SIPI, an exit port at 0xf4.
 *
 * Prints its command line, its modules and the number; ends with that number, or 0xe1 to 0xe4 for
 * what failed. */
        .set    MAGIC, 0x1badb002
        .set    FLAGS, 3
        .set    AP_PAGE, 0x8
        .set    AP_CODE, 0x8000
        .set    AP_COUNT, 0x8ff0
        .set    LAPIC, 0xfee00000

        .section .text
        .balign 4
        .long   MAGIC, FLAGS, -(MAGIC + FLAGS)

        .globl  _start
_start:
        mov     $stack_top, %esp
        cmp     $0x2badb002, %eax
        mov     $0xe1, %edi
        jne     end
        cmpw    $640, 0x413             /* KiB of base memory, by the BIOS data area */
        mov     $0xe4, %edi
        jne     end
        mov     16(%ebx), %esi          /* command line */
        call    print
        call    modules
        call    processors
        mov     %eax, %ebp
        call    start_others
        mov     $text_cpus, %esi
        call    print
        lea     '0'(%ebp), %eax
        call    put
        mov     $'\n', %al
        call    put
        mov     %ebp, %edi

end:    mov     %edi, %eax
        mov     $0xf4, %dx
        outl    %eax, %dx
1:      hlt
        jmp     1b

/* Each module on a line: its string, a colon, its bytes. */
modules:
        mov     20(%ebx), %ebp
        mov     24(%ebx), %ebx
1:      test    %ebp, %ebp
        jz      3f
        mov     $'\n', %al
        call    put
        mov     8(%ebx), %esi
        call    print
        mov     $':', %al
        call    put
        mov     0(%ebx), %esi
2:      cmp     4(%ebx), %esi
        je      4f
        lodsb
        call    put
        jmp     2b
4:      add     $16, %ebx
        dec     %ebp
        jmp     1b
3:      ret

/* EAX: how many, from fw_cfg's key 5. */
processors:
        xor     %eax, %eax
        call    select
        call    item
        cmp     $0x4d455551 & 0xff, %al /* Q */
        mov     $0xe2, %edi
        jne     end
        mov     $5, %eax
        call    select
        call    item
        mov     %al, %cl
        call    item
        movzbl  %cl, %ecx
        movzbl  %al, %eax
        shl     $8, %eax
        or      %ecx, %eax
        ret
select: mov     $0x510, %dx
        outw    %ax, %dx
        ret
item:   mov     $0x511, %dx
        inb     %dx, %al
        ret

start_others:
        movw    $0, AP_COUNT
        mov     $ap_begin, %esi
        mov     $AP_CODE, %edi
        mov     $(ap_end - ap_begin), %ecx
        rep movsb
        movl    $0x1ff, LAPIC + 0xf0
        movl    $0x000c4500, LAPIC + 0x300
        call    settle
        movl    $0x000c4600 + AP_PAGE, LAPIC + 0x300
        mov     $100000000, %ecx
        lea     -1(%ebp), %edx
1:      cmp     AP_COUNT, %dx
        je      2f
        pause
        loop    1b
        mov     $0xe3, %edi
        jmp     end
2:      ret

settle: mov     $10000, %ecx
1:      pause
        loop    1b
        ret

print:  lodsb
        test    %al, %al
        jz      1f
        call    put
        jmp     print
1:      ret

put:    mov     %al, %ah
        mov     $0x3fd, %dx
1:      inb     %dx, %al
        test    $0x20, %al
        jz      1b
        mov     %ah, %al
        mov     $0x3f8, %dx
        outb    %al, %dx
        ret

        .code16
ap_begin:
        xor     %ax, %ax
        mov     %ax, %ds
        lock incw AP_COUNT
1:      hlt
        jmp     1b
ap_end:
        .code32

text_cpus:
        .asciz  "\ncpus "

        .bss
        .balign 16
        .skip   4096
stack_top:
