/* Interrupt lines: handles are ORed per line, a change of the line goes to the controller that a
 * device registered for it, else to the hypervisor's. */
#ifndef VSDK_CORE_IRQ_H
#define VSDK_CORE_IRQ_H

#include "core/snapshot.h"
#include <pthread.h>
#include <stdatomic.h>
#include <vsdk/irq.h>

enum { IRQ_LINES = 1024 };

/* How many handles hold it high, and whether a thread is delivering its changes; see irq.c. */
typedef struct irq_line {
    _Atomic uint32_t word;
    uint32_t level; /* as last delivered; the deliverer's */
} irq_line;

typedef struct irq_controller irq_controller;

typedef struct irq_router {
    irq_line lines[IRQ_LINES];
    snapshot_box controllers; /* irq_controller * */
    pthread_mutex_t lock;     /* writers of it; never over a callback */
    pthread_mutex_t drain_lock;
    pthread_cond_t drained; /* a controller's callback has returned */
    uint32_t gone;
} irq_router;

void irq_init(vsdk_vm *vm);
/* Takes away and releases all controllers; vm->gone is set. Blocks until their callbacks have
 * returned; before the operations' vm_destroy. */
void irq_destroy(vsdk_vm *vm);

/* irq_controller.c. A change of a line goes to whoever serves it: VSDK_ERROR_NOT_FOUND if nobody
 * does. Not inside a reader section. irq_served only looks. */
vsdk_status irq_deliver(vsdk_vm *vm, uint32_t gsi, uint32_t level, const char *operation,
                        vsdk_error *error);
vsdk_status irq_served(vsdk_vm *vm, uint32_t gsi, const char *operation, vsdk_error *error);

#endif
