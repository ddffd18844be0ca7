/* SPDX-License-Identifier: Apache-2.0 */
/* Filling the caller's error record. Every function takes a NULL record and returns the status that
 * it was given, so that a failure is one `return error_set(...)`. Nothing here allocates. */
#ifndef VSDK_BASE_ERROR_H
#define VSDK_BASE_ERROR_H

#include <stddef.h>
#include <vsdk/types.h>

/* `operation` and `format` make the text; cut at a UTF-8 boundary. os_errno is left 0. */
vsdk_status error_set(vsdk_error *error, vsdk_status code, const char *operation,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with the errno value of the call that failed; its text is appended to the message. */
vsdk_status error_set_errno(vsdk_error *error, vsdk_status code, int os_errno,
                            const char *operation, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Adds advice to a record that was set just now. Returns `code` of the record, or VSDK_OK. */
vsdk_status error_hint(vsdk_error *error, vsdk_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* VSDK_ERROR_INVALID_ARGUMENT: a pointer argument is NULL. */
vsdk_status error_null(vsdk_error *error, const char *operation, const char *argument);

/* VSDK_ERROR_STATE: a child of fork has a handle of its parent's. */
vsdk_status error_forked(vsdk_error *error, const char *operation);

/* The status that fits an errno value: ENOMEM, EACCES/EPERM, EBUSY, ENOENT ... else SYSTEM. */
vsdk_status error_status_of_errno(int os_errno);

/* Of mapping a file: ENODEV says that this one can't be mapped, not that a device is missing. */
vsdk_status error_status_of_map(int os_errno);

/* Takes the beginning of a character away with which a text of `length` bytes, that was cut, ends.
 */
void error_cut(char *text, size_t length);

#endif
