/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's guest as bytes: the same loop in 64-bit mode for KVM and in real mode for the
 * interpreters, and the page tables that the first of them needs. */
#include "guest.h"
#include <string.h>

static const uint8_t long_code[] = {
    0xee,             /* 1: out dx, al */
    0x48, 0xff, 0xc9, /* dec rcx */
    0x75, 0xfa,       /* jnz 1b */
    0x48, 0x89, 0xf1, /* mov rcx, rsi */
    0xe6, 0xf4,       /* out 0xf4, al */
    0xeb, 0xf3,       /* jmp 1b */
};

static const uint8_t real_code[] = {
    0xee,             /* 1: out dx, al */
    0x66, 0xff, 0xc9, /* dec ecx */
    0x75, 0xfa,       /* jnz 1b */
    0x66, 0x89, 0xf1, /* mov ecx, esi */
    0xe6, 0xf4,       /* out 0xf4, al */
    0xeb, 0xf3,       /* jmp 1b */
};

enum { NOP = 0x90 };

void guest_fill_long(void *memory)
{
    char *at = memory;
    const uint64_t pml4 = (GUEST_TABLES + 0x1000) | 7, pdpt = (GUEST_TABLES + 0x2000) | 7;
    const uint64_t large_page = 0x87;
    memcpy(at + GUEST_TABLES, &pml4, sizeof pml4);
    memcpy(at + GUEST_TABLES + 0x1000, &pdpt, sizeof pdpt);
    memcpy(at + GUEST_TABLES + 0x2000, &large_page, sizeof large_page);
    memcpy(at + GUEST_CODE, long_code, sizeof long_code);
}

void guest_fill_real(void *memory, int exits)
{
    uint8_t *at = (uint8_t *)memory + GUEST_CODE;
    memcpy(at, real_code, sizeof real_code);
    if (!exits)
        *at = NOP;
}
