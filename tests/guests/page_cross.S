/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses that cross a page of nobody's memory: reads a dword at MMIO + 0xffe and reports it,
 * writes the qword 0x8877665544332211 at MMIO + 0x1ffc. Runs at CPL 0 and 3. */
#include "guest.inc"
guest page_cross
        mov     $MMIO, %ebx
        mov     0xffe(%rbx), %eax
        mov     $PORT_REPORT, %edx
        out     %eax, %dx
        movabs  $0x8877665544332211, %rax
        mov     %rax, 0x1ffc(%rbx)
        DONE    0
end page_cross
