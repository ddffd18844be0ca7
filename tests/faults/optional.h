/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that may fail without the caller's hearing of it, and what happens instead. */
#ifndef VSDK_TESTS_FAULTS_OPTIONAL_H
#define VSDK_TESTS_FAULTS_OPTIONAL_H

#include "seam.h"

struct optional_call {
    const char *function;
    uint64_t request; /* 0: any */
    int error;        /* 0: any */
    const char *step; /* NULL: any */
    const char *fallback;
};

/* The entry that a call belongs to, NULL if it has to be reported. */
const struct optional_call *optional_find(const struct seam_call *call, int error,
                                          const char *step);
/* ioctl's request by name, or the function. */
const char *optional_name(const struct seam_call *call);

#endif
