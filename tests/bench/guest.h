/* SPDX-License-Identifier: Apache-2.0 */
/* The guest of the benches: writes AL to port DX, RCX times, then to GUEST_DONE, and begins again
 * with the count in RSI. For KVM it runs at CPL 3 in long mode, memory one to one, so that it is
 * native on every host; for the interpreters in real mode. */
#ifndef TESTS_BENCH_GUEST_H
#define TESTS_BENCH_GUEST_H

#include <stddef.h>
#include <stdint.h>

enum {
    GUEST_TABLES = 0x2000,
    GUEST_CODE = 0x8000,
    GUEST_PORT = 0x3f8,
    GUEST_DONE = 0xf4,
    GUEST_LETTER = 'v',
    GUEST_CR4 = 0x620,
    GUEST_EFER = 0x500,
    GUEST_CS = 0x0b,
    GUEST_DS = 0x13,
    GUEST_CS_ACCESS = 0xa0fb,
    GUEST_DS_ACCESS = 0xc0f3,
    GUEST_RFLAGS = 0x3002
};
#define GUEST_CR0 UINT64_C(0x80050033)

void guest_fill_long(void *memory);
/* Without `exits` the loop executes a NOP in the place of the OUT. */
void guest_fill_real(void *memory, int exits);

#endif
