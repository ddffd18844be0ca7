/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
/* clang-format off */
#ifndef VSDK_TESTS_NULL_CALLS_H
#define VSDK_TESTS_NULL_CALLS_H

#include <stddef.h>
#include <vsdk/vsdk.h>

enum null_outcome {
    NULL_REFUSED,  /* a required pointer is NULL: VSDK_ERROR_INVALID_ARGUMENT */
    NULL_ANY,      /* a status, whichever: no pointer is required */
    NULL_HARMLESS, /* no status: it must not crash; the answer is in its text */
    NULL_NO_CRASH, /* no status and no pointer: any answer */
};

/* One public function, called with NULL for each pointer and zero for each number. */
struct null_call {
    const char *function;
    enum null_outcome outcome;
    int takes_error; /* whether `error` reaches the function */
    int64_t (*call)(vsdk_error *error);
};

extern const struct null_call null_calls[];
extern const size_t null_calls_count;

#endif
