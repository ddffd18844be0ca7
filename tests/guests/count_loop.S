/* Counts up the qword at GUEST_DATA for ever. Runs at CPL 0 and 3. */
#include "guest.inc"
start:
        mov     $GUEST_DATA, %ebx
1:      incq    (%rbx)
        jmp     1b
