/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State as named fields.
 *
 * A device writes its state as named, typed fields and reads it back by name. A reader finds fields
 * in any order, ignores those that nobody asks for, and answers VSDK_ERROR_FORMAT for one that is
 * missing, of another type or too large. So a later version may add fields, and a reader decides
 * what their absence means.
 *
 * The bytes are the same on every machine: little-endian, without padding. Each field is: name
 * length (1 byte), the name, type (1 byte: 1 number, 2 bytes), then 8 bytes of number, or 4 bytes
 * of length and the bytes.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/state.toml by abi/generate.py.
 */

#ifndef VSDK_STATE_H
#define VSDK_STATE_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Takes fields. The library's: valid during the callback that gets it. Since 0.1. */
typedef struct vsdk_state_writer vsdk_state_writer;

/* Gives fields. The library's: valid during the callback that gets it. Since 0.1. */
typedef struct vsdk_state_reader vsdk_state_reader;

/*
 * Write a number.
 *
 *   name   The field's name: 1 to 63 bytes, once per state.
 *   value  Its value.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or the name is too long or empty
 *   EXISTS            a field has this name already
 *   NO_MEMORY         no memory
 * Threads: the one of the callback. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_state_put_number(vsdk_state_writer *writer, const char *name, uint64_t value,
                                  vsdk_error *error);

/*
 * Write a run of bytes.
 *
 *   name    The field's name: 1 to 63 bytes, once per state.
 *   bytes   (length bytes) The bytes; NULL with length 0.
 *   length  (bytes) How many, at most 4 GiB - 1.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or the name is too long or empty
 *   EXISTS            a field has this name already
 *   LIMIT             too many bytes
 *   NO_MEMORY         no memory
 * Threads: the one of the callback. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_state_put_bytes(vsdk_state_writer *writer, const char *name, const void *bytes,
                                 uint64_t length, vsdk_error *error);

/*
 * Read a number.
 *
 *   name   The field's name.
 *   most   The largest value that it may have.
 *   value  (out) Its value.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   FORMAT            the field is missing, is no number, or above most
 * Threads: the one of the callback. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_state_get_number(vsdk_state_reader *reader, const char *name, uint64_t most,
                                  uint64_t *value, vsdk_error *error);

/*
 * Read a run of bytes.
 *
 *   name      The field's name.
 *   bytes     (out, capacity bytes) Filled from the first byte on; NULL with capacity 0.
 *   capacity  (bytes) Room in bytes: the most that the field may have.
 *   length    (out, bytes) How many it has.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   FORMAT            the field is missing, is no run of bytes, or longer than capacity
 * Threads: the one of the callback. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
vsdk_status vsdk_state_get_bytes(vsdk_state_reader *reader, const char *name, void *bytes,
                                 uint64_t capacity, uint64_t *length, vsdk_error *error);

/*
 * Whether a field is there.
 *
 *   name  The field's name.
 *
 * Returns: 1 if it is, else 0.
 * Given NULL: returns 0.
 * Threads: the one of the callback. Blocks: no. From callbacks: yes. States: any. Backends: all.
 * Since 0.1.
 */
uint32_t vsdk_state_has(vsdk_state_reader *reader, const char *name);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_STATE_H */
