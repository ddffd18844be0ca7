/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual machine's life: its state, who may change it and when.
 *
 * The table of states and events is life_table.h. Two kinds of threads come here:
 * - Movers make transitions: they start and stop devices, and let the guest go and hold it. One at
 *   a time (life.moving), only inside pause, resume, reset, run, complete, dispatch and destroy,
 *   never on a thread that is in a callback of the virtual machine. A mover may wait for callbacks.
 * - Writers change memory and what a backend freezes (life_hold). They keep the vCPUs out of the
 *   guest for a moment, may come from callbacks, and wait for other writers only. So a mover that
 *   waits for a callback never waits for itself. */
#ifndef VSDK_CORE_LIFE_H
#define VSDK_CORE_LIFE_H

#include "base/lock.h"
#include <stdatomic.h>
#include <vsdk/exit.h>
#include <vsdk/types.h>
#include <vsdk/vm.h>

/* What the next call that makes transitions is to do; bits of life.due. */
enum life_due {
    DUE_PAUSE = 1, /* somebody asked for a pause */
    DUE_END = 2    /* the guest has ended: its devices are to be stopped */
};

typedef struct life {
    lock lock;
    /* Grows with each change that somebody may wait for, here or in a device's phase; a futex. */
    _Atomic uint32_t changes;
    _Atomic uint32_t waiters;
    _Atomic uint32_t dispatchers; /* of those who wait, in the virtual machine's loop: */
    _Atomic int32_t loop_event;   /* its eventfd, open inside a reader section then */
    _Atomic uint32_t state;       /* vsdk_vm_state; written under lock */
    _Atomic uint32_t due;         /* written under lock */

    /* Under lock. */
    vsdk_exit end;       /* in STOPPED, the terminal exit */
    uint32_t moving;     /* a mover is at work */
    uint32_t destroyed;  /* vsdk_vm_destroy is done */
    uint32_t stopping;   /* a pause or an end has begun to stop the devices... */
    uint32_t stopped;    /* ... and that is done */
    vsdk_stop_mode mode; /* ... in this mode */
    uint32_t pausers;    /* threads inside vsdk_vm_pause */
    uint32_t parks;      /* of them, those that want VSDK_STOP_PARK */
    uint32_t settlers;   /* of them, those that finish accesses first: no stop begins before */
    uint32_t settling;   /* one of them is at it */
    uint64_t ends;       /* of the guest: how often it became STOPPED */
    uint64_t pauses;     /* that came to be */
    uint64_t refusals;   /* that the hypervisor refused, the last one for this: */
    vsdk_error refusal;
    uint64_t clock_ns;    /* up to clock_since */
    uint64_t clock_since; /* CLOCK_MONOTONIC of the start, 0: it stands */
    struct life_writer {
        uint32_t depth; /* 0: nobody */
        pthread_t owner;
    } writer;

    /* An autonomous guest executes when movers want it to and no writer holds it. Under vm->serial.
     */
    uint32_t guest_wanted, guest_held, guest_runs;
} life;

#endif
