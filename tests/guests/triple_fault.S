/* SPDX-License-Identifier: Apache-2.0 */
/* An invalid instruction with an empty interrupt table: the guest crashes. CPL 0. */
#include "guest.inc"
guest triple_fault
        lidt    empty(%rip)
        ud2
        DONE    1
        .balign 8
empty:  .word   0
        .quad   0
end triple_fault
