/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the probe (layout.h), a device of the embedder's, waiting for each answer:
 * 1. reads its id from a port and writes id + 1 to another
 * 2. PROBE_FILL: the device writes 64 bytes of the pattern to BUFFER and interrupts; the guest
 *    writes the sum of the bytes to PROBE_SUM
 * 3. PROBE_DRAIN: the device reads 64 bytes from BUFFER_SECOND and interrupts; the guest reads
 *    PROBE_TOTAL and compares
 * 4. PROBE_TIMER three times: the device interrupts after a while; the guest writes how many such
 *    interrupts it took to PROBE_TICKS
 * Ends with 0, or 1 if something was wrong. CPL 0, needs a local APIC. */
#include "guest.inc"
guest device_trace
        GATE    PROBE_VECTOR_FILL, took_fill
        GATE    PROBE_VECTOR_DRAIN, took_drain
        GATE    PROBE_VECTOR_TIMER, took_timer
        ENABLE_LAPIC
        mov     $PROBE_MMIO, %r12d

        mov     $(PROBE_PORT + PROBE_ID), %edx
        in      %dx, %eax
        inc     %eax
        mov     $(PROBE_PORT + PROBE_ECHO), %edx
        out     %eax, %dx

        movl    $BUFFER, PROBE_ADDRESS(%r12)
        movl    $64, PROBE_LENGTH(%r12)
        movl    $PROBE_FILL, PROBE_COMMAND(%r12)
        mov     $1, %r14d
        call    wait
        mov     $BUFFER, %esi
        call    sum
        mov     %rax, PROBE_SUM(%r12)

        mov     $BUFFER_SECOND, %esi
        mov     $64, %ecx
        xor     %eax, %eax
1:      mov     %al, (%rsi)
        add     $5, %al
        inc     %rsi
        dec     %ecx
        jnz     1b
        movl    $BUFFER_SECOND, PROBE_ADDRESS(%r12)
        movl    $PROBE_DRAIN, PROBE_COMMAND(%r12)
        mov     $2, %r14d
        call    wait
        mov     $BUFFER_SECOND, %esi
        call    sum
        mov     PROBE_TOTAL(%r12), %rbx
        cmp     %rbx, %rax
        EXPECT_EQUAL

        xor     %r15d, %r15d
2:      movl    $PROBE_TIMER, PROBE_COMMAND(%r12)
        mov     $3, %r14d
        call    wait
        inc     %r15d
        mov     %r15d, PROBE_TICKS(%r12)
        cmp     $PROBE_TIMER_TICKS, %r15d
        jne     2b
        DONE    0

/* Until the interrupt whose number is in r14 was taken; r13 holds the last one. */
wait:
        cli
        cmp     %r14d, %r13d
        je      3f
        sti
        hlt
        jmp     wait
3:      xor     %r13d, %r13d
        ret

/* Of the 64 bytes at rsi. */
sum:
        xor     %eax, %eax
        mov     $64, %ecx
4:      movzbl  (%rsi), %edx
        add     %rdx, %rax
        inc     %rsi
        dec     %ecx
        jnz     4b
        ret

took_fill:
        mov     $1, %r13d
        jmp     5f
took_drain:
        mov     $2, %r13d
        jmp     5f
took_timer:
        mov     $3, %r13d
5:      END_OF_INTERRUPT
        iretq
end device_trace
