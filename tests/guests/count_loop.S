/* SPDX-License-Identifier: Apache-2.0 */
/* Counts up the qword at DATA for ever. Runs at CPL 0 and 3. */
#include "guest.inc"
guest count_loop
        mov     $DATA, %ebx
1:      incq    (%rbx)
        jmp     1b
end count_loop
