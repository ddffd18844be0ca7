/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the vsdk command. Each cmd_ function is given the arguments from its own name on and
 * returns the exit status. */
#ifndef VSDK_COMMAND_H
#define VSDK_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <vsdk/vsdk.h>

enum {
    STATUS_SUSPENDED = 120, /* how a guest may end: vsdk(1) has the table */
    STATUS_WATCHDOG = 121,
    STATUS_SOFT_RESET = 122,
    STATUS_TIMEOUT = 124, /* as timeout(1) */
    STATUS_FAILED = 125,  /* our own failure, as env(1) and its kin */
    STATUS_LEFT = 130,    /* the user left: 128 + SIGINT */
    STATUS_HALTED = 133,
    STATUS_CRASH = 134 /* 128 + SIGABRT */
};

int cmd_info(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_disk(int argc, char **argv);
int cmd_reap(int argc, char **argv);

/* Prints "vsdk: operation: message" and the hint; returns STATUS_FAILED. */
int report(const vsdk_error *error);
/* One line on standard error, which is lost where nobody reads it; returns STATUS_FAILED. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The library's messages, to standard error. */
void print_log(void *user, vsdk_log_level level, const char *text);

/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);

#endif
