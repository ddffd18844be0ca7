/* Interrupt lines: handles are ORed per line, a change of the line goes to the controller that a
 * device registered for it, else to the hypervisor's. */
#ifndef VSDK_CORE_IRQ_H
#define VSDK_CORE_IRQ_H

#include <pthread.h>
#include <stdatomic.h>
#include <vsdk/irq.h>

enum { IRQ_LINES = 1024 };

/* How many handles hold it high, and who is delivering its changes; see irq.c. */
typedef struct irq_line {
    _Atomic uint32_t word;
    uint32_t level; /* as last delivered; the deliverer's */
} irq_line;

typedef struct irq_table irq_table;

typedef struct irq_router {
    irq_line lines[IRQ_LINES];
    _Atomic(irq_table *) table; /* controllers, an immutable snapshot; NULL is empty */
    pthread_mutex_t lock;       /* writers of it, and waits for callbacks that run */
    pthread_cond_t drained;
    uint32_t gone;
} irq_router;

void irq_init(vsdk_vm *vm);
/* Takes away and releases all controllers; vm->gone is set. Blocks until their callbacks have
 * returned; before the operations' vm_destroy. */
void irq_destroy(vsdk_vm *vm);

#endif
