/* Writes the low byte of rdi to PORT_EXIT. Runs at CPL 0 and 3. */
#include "guest.inc"
start:
        mov     %edi, %eax
        out     %al, $PORT_EXIT
1:      pause
        jmp     1b
