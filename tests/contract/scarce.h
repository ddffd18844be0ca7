/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail. The executable's calloc is the library's too, but under a sanitizer, which
 * has its own: there nothing fails. */
#ifndef VSDK_TESTS_CONTRACT_SCARCE_H
#define VSDK_TESTS_CONTRACT_SCARCE_H

#include "check.h"
#include <criterion/criterion.h>

/* The fail_at-th allocation of this thread from now on fails; 0: none. */
extern _Thread_local unsigned fail_at;

/* Whether an allocation can fail here: no sanitizer's allocator, nor valgrind's, asks this calloc.
 */
int allocations_can_fail(void);

/* With this errno each mapping of a file fails; 0: none. */
extern _Thread_local int fail_map;

/* `call` until it succeeds, with one more allocation each time; it fails with NO_MEMORY only. */
#define out_of_memory(call)                                                                        \
    do {                                                                                           \
        vsdk_status out = VSDK_ERROR_NO_MEMORY;                                                    \
        for (unsigned out_n = 1; out; out_n++) {                                                   \
            fail_at = out_n;                                                                       \
            out = (call);                                                                          \
            fail_at = 0;                                                                           \
            cr_assert(out == VSDK_OK || out == VSDK_ERROR_NO_MEMORY, "%s: %s", #call,              \
                      vsdk_status_name(out));                                                      \
        }                                                                                          \
    } while (0)

#endif
