/* SPDX-License-Identifier: Apache-2.0 */
/* rdi is the address of read-only memory: reads a dword there, writes it plus one, reads it again
 * and reports both. Runs at CPL 0 and 3. */
#include "guest.inc"
guest readonly_write
        mov     $PORT_REPORT, %edx
        mov     (%rdi), %eax
        out     %eax, %dx
        inc     %eax
        mov     %eax, (%rdi)
        mov     (%rdi), %eax
        out     %eax, %dx
        DONE    0
end readonly_write
