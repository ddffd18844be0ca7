/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the low byte of rdi to PORT_END. Runs at CPL 0 and 3. */
#include "guest.inc"
guest exit_port
        mov     %edi, %eax
        out     %al, $PORT_END
1:      pause
        jmp     1b
end exit_port
