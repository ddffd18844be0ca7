/* SPDX-License-Identifier: Apache-2.0 */
/* The state in which a guest begins: 64-bit mode at CODE, the first 4 GiB mapped one to one by
 * pages of 2 MiB that every level may use, a flat GDT, an IDT with the gates of layout.h, a stack
 * below STACK, interrupts off. At CPL 3 all ports are allowed, by IOPL and by the task segment. */
#ifndef VSDK_TESTS_GUESTS_START_H
#define VSDK_TESTS_GUESTS_START_H

#include "guests.h"
#include "layout.h"
#include <vsdk/vsdk.h>

/* Page tables, GDT, IDT and TSS into the LOW_BYTES at guest address 0. */
void start_write_tables(uint8_t *memory);
/* Changes what the processor has now into 64-bit mode at level 0 or 3. */
void start_set_long_mode(vsdk_x86_sregs *sregs, int cpl);
/* All zero but RIP, RSP and RFLAGS. */
void start_set_regs(vsdk_x86_regs *regs, int cpl);
/* Real mode with CS and DS at CODE. */
void start_set_real_mode(vsdk_x86_sregs *sregs);
void start_set_real_regs(vsdk_x86_regs *regs);

/* load.c: the same through the library; RAM_BYTES are mapped at 0. */
vsdk_status start_load(vsdk_vm *vm, const struct guest *guest, vsdk_error *error);
/* With the guest's argument in RDI. */
vsdk_status start_vcpu(vsdk_vcpu *vcpu, int cpl, uint64_t argument, vsdk_error *error);

#endif
