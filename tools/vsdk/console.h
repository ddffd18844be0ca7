/* The guest's serial port on standard input and output, or in a file.
 *
 * Input is read by a watch of the virtual machine's loop, or, where standard input can't be polled
 * (a file), by a timer. Ctrl-A is the escape: X leaves, a second Ctrl-A sends one.
 *
 * What is typed and finds no room is lost, so that the escape is seen whatever the guest does.
 *
 * Output waits for its reader, but not for longer than the guest is to run. Where it can't be
 * written the guest goes on without it, after a complaint. */
#ifndef VSDK_CONSOLE_H
#define VSDK_CONSOLE_H

#include <signal.h>
#include <vsdk/vsdk.h>

typedef struct console {
    int output, debug;          /* descriptors, -1: nowhere */
    int interactive;            /* standard input is used */
    int terminal;               /* and is a terminal */
    int escaped;                /* Ctrl-A was typed */
    int ended;                  /* no more input */
    volatile sig_atomic_t left; /* output waits for nobody any more; set by a signal handler too */
    uint64_t deadline_ns;       /* the same from then on, by CLOCK_MONOTONIC; 0: never */
    vsdk_vm *vm;
    vsdk_device *serial;
    vsdk_watch *watch;
    vsdk_timer *timer;
    unsigned char waiting[1024]; /* typed, not taken by the port yet */
    size_t waiting_length;
} console;

/* 0, or -1 after a complaint. */
int console_open(console *c, const char *serial, const char *debug);
vsdk_status console_attach(console *c, vsdk_vm *vm, vsdk_device *serial, uint64_t timeout_ns,
                           vsdk_error *error);
void console_detach(console *c);
void console_close(console *c);

void console_output(void *user, const void *bytes, uint64_t length);
void console_debug(void *user, const void *bytes, uint64_t length);

#endif
