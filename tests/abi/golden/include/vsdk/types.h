/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common types.
 *
 * Status and error.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/types.toml by abi/generate.py.
 */

#ifndef VSDK_TYPES_H
#define VSDK_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * What a fallible function returns.
 *
 * Since 0.1.
 */
enum vsdk_status_values {
    VSDK_OK = 0,                      /* Success */
    VSDK_ERROR_INVALID_ARGUMENT = -1, /* An argument is wrong */
    VSDK_ERROR_STATE = -2,            /* Not in this state */
    VSDK_ERROR_GONE = -3,             /* It is no more */
    VSDK_ERROR_BUSY = -4,             /* Called from a callback */
};
typedef int32_t vsdk_status;

/*
 * What went wrong.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_error {
    int32_t code;     /* The status */
    char message[12]; /* In words */
} vsdk_error;

/*
 * Called once when user is no longer needed.
 *
 *   user  (may be NULL) The pointer.
 *
 * Runs on: any.
 * Since 0.1.
 */
typedef void (*vsdk_release_fn)(void *user);

/* As a timeout: no end. Since 0.1. */
#define VSDK_FOREVER UINT64_C(0xffffffffffffffff)

/*
 * The name of a vsdk_status: ok, invalid_argument, state and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_status_name(vsdk_status value);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_TYPES_H */
