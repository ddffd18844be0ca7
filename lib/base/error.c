/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of errors. Invariants: a text that does not fit is cut between two characters and
 * always ends; a record that is filled says nothing of an earlier error. */
#include "base/error.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Bytes that a UTF-8 sequence has by its first byte; 1 for what is none. */
static size_t sequence_length(unsigned char first)
{
    if (first >= 0xf0)
        return 4;
    if (first >= 0xe0)
        return 3;
    return first >= 0xc0 ? 2 : 1;
}

void error_cut(char *text, size_t length)
{
    size_t start = length;

    while (start > 0 && length - start < 4) {
        unsigned char byte = (unsigned char)text[--start];
        if (byte < 0x80)
            return;
        if (byte >= 0xc0) {
            if (start + sequence_length(byte) > length)
                text[start] = 0;
            return;
        }
    }
}

static void put_text(char *to, size_t room, const char *format, va_list arguments)
{
    int length = vsnprintf(to, room, format, arguments);

    if (length < 0)
        to[0] = 0;
    else if ((size_t)length >= room)
        error_cut(to, room - 1);
}

static void add_text(char *to, size_t room, const char *format, ...)
{
    va_list arguments;
    size_t length = strlen(to);

    va_start(arguments, format);
    put_text(to + length, room - length, format, arguments);
    va_end(arguments);
}

static void fill(vsdk_error *error, vsdk_status code, const char *operation, const char *format,
                 va_list arguments)
{
    memset(error, 0, sizeof *error);
    error->code = code;
    add_text(error->operation, sizeof error->operation, "%s", operation);
    put_text(error->message, sizeof error->message, format, arguments);
}

vsdk_status error_set(vsdk_error *error, vsdk_status code, const char *operation,
                      const char *format, ...)
{
    va_list arguments;

    if (!error)
        return code;
    va_start(arguments, format);
    fill(error, code, operation, format, arguments);
    va_end(arguments);
    return code;
}

vsdk_status error_set_errno(vsdk_error *error, vsdk_status code, int os_errno,
                            const char *operation, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return code;
    va_start(arguments, format);
    fill(error, code, operation, format, arguments);
    va_end(arguments);
    error->os_errno = os_errno;
    const char *text = strerrordesc_np(os_errno);
    if (text)
        add_text(error->message, sizeof error->message, ": %s", text);
    else
        add_text(error->message, sizeof error->message, ": error %d", os_errno);
    return code;
}

vsdk_status error_hint(vsdk_error *error, vsdk_status code, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return code;
    va_start(arguments, format);
    put_text(error->hint, sizeof error->hint, format, arguments);
    va_end(arguments);
    return code;
}

vsdk_status error_forked(vsdk_error *error, const char *operation)
{
    vsdk_status status = error_set(error, VSDK_ERROR_STATE, operation,
                                   "this process was forked after the object was made");

    return error_hint(error, status, "open a host of its own in the child; here only close works");
}

vsdk_status error_null(vsdk_error *error, const char *operation, const char *argument)
{
    return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s is NULL", argument);
}

vsdk_status error_status_of_errno(int os_errno)
{
    switch (os_errno) {
    case ENOMEM:
        return VSDK_ERROR_NO_MEMORY;
    case EACCES:
    case EPERM:
        return VSDK_ERROR_PERMISSION;
    case EBUSY:
        return VSDK_ERROR_BUSY;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return VSDK_ERROR_UNAVAILABLE;
    case EEXIST:
        return VSDK_ERROR_EXISTS;
    case EMFILE:
    case ENFILE:
        return VSDK_ERROR_LIMIT;
    default:
        return VSDK_ERROR_SYSTEM;
    }
}

vsdk_status error_status_of_map(int os_errno)
{
    return os_errno == ENODEV ? VSDK_ERROR_SYSTEM : error_status_of_errno(os_errno);
}
