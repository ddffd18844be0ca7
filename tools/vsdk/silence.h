/* A guest that has written nothing for a while: whether it works, waits or has halted for good. */
#ifndef VSDK_SILENCE_H
#define VSDK_SILENCE_H

#include "console.h"
#include "file.h"
#include "machine.h"

typedef struct silence {
    const run_options *options;
    const machine *machine;
    console *console;
    const file *image;
    vsdk_timer *timer;
    int looks;     /* how often the threads were looked at */
    int awake;     /* how often one of them was at work */
    int ended_run; /* to look at the processors */
    int told;      /* causes */
} silence;

/* Begins to wait; a guest that says nothing makes the run return, and `ended_run` is set. */
vsdk_status silence_watch(silence *s, vsdk_error *error);
/* Between two runs: says what is known. 1 if the guest will never go on. */
int silence_tell(silence *s);
void silence_close(silence *s);

#endif
