/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal local APIC: identity, priorities, EOI and inter-processor interrupts. No timer: its
 * registers hold what is written. Interrupts arrive from any thread without a lock. */
#ifndef VSDK_MOCK_LAPIC_H
#define VSDK_MOCK_LAPIC_H

#include <stdatomic.h>
#include <stdint.h>

struct cpu;
struct mock_vm;

#define LAPIC_BASE 0xfee00000ull

enum { LAPIC_BYTES = 4096, LAPIC_ID_ALL = 0xff };

enum lapic_mode {
    LAPIC_FIXED = 0,
    LAPIC_LOWEST = 1,
    LAPIC_SMI = 2,
    LAPIC_NMI = 4,
    LAPIC_INIT = 5,
    LAPIC_SIPI = 6,
    LAPIC_EXTINT = 7
};

typedef struct lapic {
    _Atomic uint32_t requested[8]; /* IRR */
    uint32_t in_service[8];        /* ISR */
    _Atomic uint32_t spurious, logical, format, priority;
    _Atomic uint32_t id;
    uint32_t command_high, command_low;
    uint32_t local[8];        /* LVT entries, timer count and divider: kept, without effect */
    _Atomic uint32_t enabled; /* IA32_APIC_BASE bit 11 */
} lapic;

void lapic_power_on(struct cpu *c);
void lapic_reset(struct cpu *c);
uint32_t lapic_read(struct cpu *c, uint32_t offset);
void lapic_write(struct cpu *c, uint32_t offset, uint32_t value);
/* The vector that may interrupt now, or -1; lapic_accept puts it in service. */
int lapic_pending(const struct cpu *c);
void lapic_accept(struct cpu *c, uint8_t vector);
uint32_t lapic_get_priority(const struct cpu *c);
void lapic_set_priority(struct cpu *c, uint32_t value);
/* Sends to every processor that the destination names. */
void lapic_send(struct mock_vm *vm, uint32_t destination, int logical, uint32_t mode,
                uint8_t vector);

#endif
