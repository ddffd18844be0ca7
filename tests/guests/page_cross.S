/* Accesses that cross a page of nobody's memory: reads a dword at GUEST_MMIO + 0xffe and reports it,
 * writes the qword 0x8877665544332211 at GUEST_MMIO + 0x1ffc. Runs at CPL 0 and 3. */
#include "guest.inc"
start:
        mov     $GUEST_MMIO, %ebx
        mov     0xffe(%rbx), %eax
        mov     $PORT_REPORT, %edx
        out     %eax, %dx
        movabs  $0x8877665544332211, %rax
        mov     %rax, 0x1ffc(%rbx)
        DONE    0
