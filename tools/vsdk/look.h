/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a guest that says nothing, and at one that sleeps: whether it works, waits or has halted
 * for good. */
#ifndef VSDK_LOOK_H
#define VSDK_LOOK_H

#include "console.h"
#include "machine.h"

typedef struct look {
    const run_options *options;
    const machine *machine;
    console *console;
    const file *image;
    vsdk_timer *timer;
    int silent;     /* it is waited for the guest's first word */
    unsigned looks; /* how often the threads were looked at, and how often one was at work */
    unsigned awake;
    unsigned asleep; /* looks in a row that found all of them asleep, and how many are enough */
    unsigned enough;
    int ended_run; /* to look at the processors */
    int told;      /* causes */
} look;

/* Begins to look, by a timer; a guest that is to be looked at closely makes the run return, and
 * `ended_run` is set. */
vsdk_status look_begin(look *l, vsdk_error *error);
/* Between two runs: says what is known. 1 if the guest will never go on. */
int look_closely(look *l);
void look_end(look *l);

#endif
