/* SPDX-License-Identifier: Apache-2.0 */
/* Where a port of the guest's goes: a descriptor whose reader may be slow, stuck or gone. */
#ifndef VSDK_OUTPUT_H
#define VSDK_OUTPUT_H

#include <stddef.h>

typedef struct output {
    int fd;   /* -1: nowhere */
    int mine; /* to be closed */
    int kind;
    const char *port; /* for the complaint */
} output;

/* On a descriptor of somebody else's, which stays as it is. */
void output_borrow(output *out, int fd, const char *port);
/* Into a file; 0, or -1 after a complaint. */
int output_create(output *out, const char *path, const char *port);
/* Writes without waiting: bytes taken, 0 for none now, -1 when it is lost, after a complaint. */
long output_try(output *out, const void *bytes, size_t length);
/* Waits up to `ms` for a reader. */
void output_wait(const output *out, int ms);
void output_close(output *out);

#endif
