/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's serial port, and the console that the hypervisor gives it, on standard input and
 * output, or in a file; its debug console in a file.
 *
 * Ctrl-A is the escape where standard input is a terminal: X leaves, a second Ctrl-A sends one. */
#ifndef VSDK_CONSOLE_H
#define VSDK_CONSOLE_H

#include "answers.h"
#include "output.h"
#include <pthread.h>
#include <signal.h>
#include <vsdk/vsdk.h>

typedef struct console {
    output serial, debug;
    answers answers;
    int interactive; /* standard input is used */
    int terminal;    /* and is a terminal */
    int escaped;     /* Ctrl-A was typed */
    int shows;       /* what the guest writes goes somewhere */

    volatile sig_atomic_t left; /* output waits for nobody any more; set by a signal handler too */
    volatile sig_atomic_t waiting; /* output waits for a reader */
    volatile sig_atomic_t spoke;   /* the guest has written something */
    uint64_t deadline_ns;          /* output waits for nobody from then on; 0: never */

    vsdk_vm *vm;
    vsdk_stream *port;
    vsdk_watch *watch;

    pthread_mutex_t writing; /* the output of the serial port and the hypervisor's console */
    pthread_mutex_t lock;    /* typed and typed_length */
    pthread_cond_t more;
    unsigned char typed[1024]; /* not taken by the feeder yet */
    size_t typed_length;
    int feeder;              /* the thread was started */
    pthread_mutex_t feeding; /* held while the port is given bytes */
    int detached;            /* by feeding: there is no port any more */
} console;

/* 0, or -1 after a complaint. */
int console_open(console *c, const char *serial, const char *debug);
vsdk_status console_attach(console *c, vsdk_vm *vm, vsdk_stream *port, vsdk_error *error);
/* What is typed goes nowhere from now on, and the terminal is as it was. */
void console_detach(console *c);

/* What the guest writes: handlers of the streams to its ports. */
void console_output(void *user, vsdk_stream *stream, vsdk_stream_events events);
void console_debug(void *user, vsdk_stream *stream, vsdk_stream_events events);

#endif
