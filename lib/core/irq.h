/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt lines: handles are ORed per line, a change of the line goes to the controller that a
 * device registered for it, else to the hypervisor's. */
#ifndef VSDK_CORE_IRQ_H
#define VSDK_CORE_IRQ_H

#include "base/lock.h"
#include "core/numbers.h"
#include "core/snapshot.h"
#include <stdatomic.h>
#include <vsdk/irq.h>

enum { IRQ_LINES = 1024, IRQ_BLOCK = 64, IRQ_BLOCKS = IRQ_LINES / IRQ_BLOCK };

/* How many handles hold it high, and whether a thread is delivering its changes; see irq.c. */
typedef struct irq_line {
    _Atomic uint32_t word;
    uint32_t level; /* as last delivered; the deliverer's */
} irq_line;

typedef struct irq_controller irq_controller;

typedef struct irq_router {
    _Atomic(irq_line *) lines[IRQ_BLOCKS]; /* made when a line of the block gets its first user */
    snapshot_box controllers;              /* irq_controller * */
    lock lock;                             /* RANK_CONTROLLERS: writers of it */
    numbers messages;                      /* under bus.lock: of those that are assigned */
} irq_router;

/* irq_controller.c. A change of a line goes to whoever serves it: VSDK_ERROR_NOT_FOUND if nobody
 * does. Not inside a reader section. irq_served only looks. */
vsdk_status irq_deliver(vsdk_vm *vm, uint32_t gsi, uint32_t level, const char *operation,
                        vsdk_error *error);
vsdk_status irq_served(vsdk_vm *vm, uint32_t gsi, const char *operation, vsdk_error *error);
uint32_t irq_own_lines(vsdk_vm *vm);
/* Takes away all controllers; vm->gone is set. A callback that runs releases its own. */
void irq_end(vsdk_vm *vm);

/* msi.c: inside a use; of a message that may be any. */
vsdk_status msi_send(vsdk_vm *vm, uint64_t address, uint32_t data, const char *operation,
                     vsdk_error *error);

#endif
