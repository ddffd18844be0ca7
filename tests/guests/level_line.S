/* SPDX-License-Identifier: Apache-2.0 */
/* Takes interrupts of pin 5 of an IOAPIC, programmed for level: finds each to have come as an edge,
 * writes its vector to PORT_BYTE, and ends it by masking and unmasking the pin. Writes 1 to
 * PORT_REPORT when it is ready; vector LINE_LAST ends it. CPL 0, needs a local APIC. */
#include "guest.inc"
guest level_line
        GATE    LINE_VECTOR, handler
        GATE    LINE_LAST, last
        ENABLE_LAPIC
        mov     $IOAPIC, %ecx
        movl    $(0x11 + 2 * LINE), (%rcx)
        movl    $0, IOAPIC_WINDOW(%rcx)
        movl    $(0x10 + 2 * LINE), (%rcx)
        movl    $(IOAPIC_LEVEL | LINE_VECTOR), IOAPIC_WINDOW(%rcx)
        mov     $PORT_REPORT, %edx
        mov     $1, %eax
        out     %eax, %dx
1:      sti
        hlt
        cli
        jmp     1b

handler:
        mov     $LAPIC, %ebx
        mov     (LAPIC_TMR + LINE_VECTOR / 32 * 16)(%rbx), %eax
        and     $(1 << (LINE_VECTOR % 32)), %eax
        cmp     $0, %eax
        EXPECT_EQUAL
        mov     $PORT_BYTE, %edx
        mov     $LINE_VECTOR, %al
        out     %al, %dx
        END_OF_INTERRUPT
        movl    $(IOAPIC_MASKED | LINE_VECTOR), IOAPIC_WINDOW(%rcx)
        movl    $(IOAPIC_LEVEL | LINE_VECTOR), IOAPIC_WINDOW(%rcx)
        iretq

last:   DONE    0
end level_line
