/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzing sequences of calls on the mocks: each byte chooses a function, the bytes after it choose
 * among a few handles, which may be NULL, of another virtual machine, or destroyed, and its
 * arguments. Callbacks take bytes too, and so call the library from inside. */
#ifndef VSDK_TESTS_FUZZ_CALLS_H
#define VSDK_TESTS_FUZZ_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <vsdk/vsdk.h>

enum { FEW = 3, PROMISES = 256, RECORDS = 32, OPS_MOST = 400, DEPTH_MOST = 3, PENDING_MOST = 4 };

struct calls {
    const char *backend;
    const uint8_t *bytes;
    size_t left;
    unsigned ops, depth;
    unsigned lines; /* calls of lines' that have not returned */
    int threads;    /* inside vsdk_vm_run: callbacks come from other threads */

    int endless; /* inside a call that waits for a stop without an end: none is pending then */

    vsdk_host *hosts[FEW];
    vsdk_vm *vms[FEW];
    vsdk_vcpu *vcpus[FEW];
    vsdk_ram *rams[FEW];
    vsdk_device *devices[FEW];
    vsdk_irq *irqs[FEW];
    vsdk_doorbell *doorbells[FEW];
    vsdk_loop *loops[FEW];
    vsdk_watch *watches[FEW];
    vsdk_timer *timers[FEW];
    vsdk_work *works[FEW];
    vsdk_msi *msis[FEW];
    vsdk_stream *streams[2 * FEW];      /* both ends, one after the other */
    vsdk_device *pending[PENDING_MOST]; /* their stop is not done */
    unsigned pending_count;
    vsdk_dma_view views[FEW];
    vsdk_error error;

    uint32_t promised, records;
    uint8_t released[PROMISES];
};

extern struct calls calls;

/* Input: zeros when it is used up. */
uint8_t take8(void);
uint64_t take_number(void);  /* small, or near a power of two */
uint64_t take_address(void); /* a guest address where things are, or any */
static inline unsigned take_slot(void)
{
    return take8() % FEW;
}

/* A user pointer whose release is promised; NULL when there are no more: then call nothing. */
void *promise(void);
void on_release(void *user);
/* What a callback does: nothing, or one call of the library. */
void nest(void);

/* Checks what every function promises: a documented status, and an error that explains it. */
#define CALL(function, ...)                                                                        \
    ({                                                                                             \
        vsdk_error call_error = {0}; /* its own: callbacks call, too, and fail */                  \
        vsdk_status call_status = function(__VA_ARGS__, &call_error);                              \
        check_status(#function, call_status, &call_error);                                         \
    })
#define E (&calls.error)
vsdk_status check_status(const char *function, vsdk_status status, const vsdk_error *error);
void demand(int holds, const char *what);

/* A device at the ports and the memory that the guest uses, and what belongs to it. */
void calls_furnish(unsigned slot);

struct calls_op {
    void (*run)(void);
    int nests; /* may be called from callbacks */
};

/* Stops that are pending are done: before what waits for them without an end. */
void calls_settle(void);

/* The corpus names operations by number: new ones go into calls_late_ops, at the end. */
extern const struct calls_op calls_machine_ops[], calls_part_ops[], calls_late_ops[];
extern const unsigned calls_machine_count, calls_part_count, calls_late_count;

#endif
