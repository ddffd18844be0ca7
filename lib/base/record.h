/* SPDX-License-Identifier: Apache-2.0 */
/* Structs that begin with size and flags: checked once at the gate, then used from a copy. */
#ifndef VSDK_BASE_RECORD_H
#define VSDK_BASE_RECORD_H

#include <stddef.h>
#include <vsdk/types.h>

/* More than any version of a structure will have. */
enum { RECORD_MOST = 4096 };

/* Copies a caller's configuration (NULL: all zero) into `copy` of `known` bytes. Shorter than known
 * is zero-extended; longer is accepted when the tail is zero; `size` of the copy becomes `known`.
 * Flags outside `known_flags` are VSDK_ERROR_INVALID_ARGUMENT. */
vsdk_status record_read(void *copy, size_t known, const void *given, uint32_t known_flags,
                        const char *operation, vsdk_error *error);

/* Copies `known` bytes of a result to a caller's output record as far as its size allows, keeping
 * its `size`; a size below `least`, what the first version had, or above RECORD_MOST is
 * VSDK_ERROR_INVALID_ARGUMENT. */
vsdk_status record_write(void *given, const void *result, size_t known, size_t least,
                         const char *operation, vsdk_error *error);

/* VSDK_ERROR_UNSUPPORTED: a reserved field is not zero. */
vsdk_status record_later(const char *operation, vsdk_error *error);

/* What a function that fails leaves of an output record (may be NULL): zeros after its `size`. */
void record_clear(void *given, size_t known);

#endif
