/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal answers to the guest, and how the shell is kept from reading it. */
#ifndef VSDK_ANSWERS_H
#define VSDK_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct answers {
    int state;         /* within an escape sequence */
    uint64_t asked_ns; /* when the guest last asked; 0: never */
} answers;

/* Looks for questions in what the guest writes. */
void answers_look(answers *a, const void *bytes, size_t length);
/* The guest is gone: takes off the raw terminal `in` whatever `out` still answers to it. */
void answers_settle(const answers *a, int in, int out);

#endif
