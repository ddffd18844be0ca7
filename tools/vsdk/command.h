/* The parts of the vsdk command. Each cmd_ function is given the arguments from its own name on and
 * returns the exit status. */
#ifndef VSDK_COMMAND_H
#define VSDK_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <vsdk/vsdk.h>

enum {
    STATUS_CRASH = 134,   /* the guest crashed: 128 + SIGABRT */
    STATUS_LEFT = 130,    /* the user left: 128 + SIGINT */
    STATUS_TIMEOUT = 124, /* as timeout(1) */
    STATUS_FAILED = 125   /* our own failure, as env(1) and its kin */
};

int cmd_info(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_reap(int argc, char **argv);

/* Prints "vsdk: operation: message" and the hint; returns STATUS_FAILED. */
int report(const vsdk_error *error);
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The library's messages, to standard error. */
void print_log(void *user, vsdk_log_level level, const char *text);

#endif
