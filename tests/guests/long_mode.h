/* SPDX-License-Identifier: Apache-2.0 */
/* The state that the assembled guests start in: long mode at GUEST_CODE, the first 4 GiB mapped one
 * to one by pages of 2 MiB that CPL 3 may use too, a flat GDT, an empty place for an IDT, a stack
 * below GUEST_STACK_TOP, interrupts off. At CPL 3 the I/O privilege level is 3. */
#ifndef TESTS_GUESTS_LONG_MODE_H
#define TESTS_GUESTS_LONG_MODE_H

#include "guests.h"
#include "layout.h"
#include <vsdk/vsdk.h>

/* Page tables and GDT, to be written to guest address 0. */
void guest_state_tables(uint8_t low[GUEST_LOW_BYTES]);
/* Changes what a fresh vCPU has; `cpl` is 0 or 3. */
void guest_state_sregs(vsdk_sregs *sregs, unsigned cpl);
/* All registers zero but RIP, RSP and RFLAGS. */
void guest_state_regs(vsdk_regs *regs, unsigned cpl);
/* Real mode at GUEST_CODE. */
void guest_real_sregs(vsdk_sregs *sregs);
void guest_real_regs(vsdk_regs *regs);

/* load.c: the same through the library. RAM is mapped at 0, at least GUEST_RAM_BYTES. */
vsdk_status guest_load(vsdk_vm *vm, const guest_image *image, vsdk_error *error);
vsdk_status guest_start(vsdk_vcpu *vcpu, unsigned cpl, vsdk_error *error);
/* With the guest's argument in RDI. */
vsdk_status guest_start_with(vsdk_vcpu *vcpu, unsigned cpl, uint64_t argument, vsdk_error *error);

#endif
