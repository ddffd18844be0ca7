/* SPDX-License-Identifier: Apache-2.0 */
/* What a library may change behind a program's back. */
#ifndef VSDK_TESTS_THREADS_PROCESS_STATE_H
#define VSDK_TESTS_THREADS_PROCESS_STATE_H

#include <stdint.h>

enum { PROCESS_LINES = 2048 };

struct process_state {
    /* Descriptors with what they are; signal dispositions; this thread's mask; working directory;
     * umask; children; mappings that have a name. One line each, sorted as they were found. */
    char *lines[PROCESS_LINES];
    unsigned count;
    /* Mappings without a name, other than malloc's arenas and threads' stacks. */
    uint64_t anonymous_bytes;
    uint64_t resident_bytes;
};

void process_state_take(struct process_state *state);
void process_state_free(struct process_state *state);
/* Prints what differs as notes; returns the number of differences. Memory is not compared. */
unsigned process_state_compare(const struct process_state *before,
                               const struct process_state *after);
unsigned process_descriptors(void); /* how many are open */

#endif
