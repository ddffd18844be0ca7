/* SPDX-License-Identifier: Apache-2.0 */
/* Structures of other versions than this library's. A caller's may be shorter or longer: a field
 * that it lacks counts as zero, a field that this library does not know must be zero. Nothing
 * beyond the caller's `size` is ever read or written. */
#include "base/record.h"
#include "base/error.h"
#include <inttypes.h>
#include <string.h>

enum { HEAD = 2 * sizeof(uint32_t) };

static int is_zero(const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i])
            return 0;
    return 1;
}

/* A size that was forgotten is whatever was in that place: nothing may be read or written by it. */
static vsdk_status size_check(uint32_t size, size_t least, const char *operation, vsdk_error *error)
{
    if (size >= least && size <= RECORD_MOST)
        return VSDK_OK;
    error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
              "size %" PRIu32 " of the structure is not from %zu to %d", size, least, RECORD_MOST);
    return error_hint(error, VSDK_ERROR_INVALID_ARGUMENT,
                      "set its size to sizeof of the structure before the call");
}

vsdk_status record_later(const char *operation, vsdk_error *error)
{
    error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
              "a reserved field of the structure is not 0, or it is of a later version");
    return error_hint(error, VSDK_ERROR_UNSUPPORTED,
                      "clear the whole structure before filling it in");
}

vsdk_status record_read(void *copy, size_t known, const void *given, uint32_t known_flags,
                        const char *operation, vsdk_error *error)
{
    uint32_t size = 0, flags = 0, own = (uint32_t)known;

    memset(copy, 0, known);
    memcpy(copy, &own, sizeof own);
    if (!given)
        return VSDK_OK;
    memcpy(&size, given, sizeof size);
    vsdk_status status = size_check(size, HEAD, operation, error);
    if (status)
        return status;
    memcpy(&flags, (const char *)given + sizeof size, sizeof flags);
    if (flags & ~known_flags)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "flags 0x%" PRIx32 " has an unknown bit", flags);
    if (size > known && !is_zero((const unsigned char *)given + known, size - known))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "the structure of %" PRIu32 " bytes has a field that this version "
                         "does not know (it knows %zu bytes)",
                         size, known);
    memcpy((char *)copy + sizeof size, (const char *)given + sizeof size,
           (size < known ? size : known) - sizeof size);
    return VSDK_OK;
}

void record_clear(void *given, size_t known)
{
    uint32_t size = 0;

    if (given)
        memcpy(&size, given, sizeof size);
    if (size > sizeof size)
        memset((char *)given + sizeof size, 0, (size < known ? size : known) - sizeof size);
}

vsdk_status record_write(void *given, const void *result, size_t known, size_t least,
                         const char *operation, vsdk_error *error)
{
    uint32_t size;

    memcpy(&size, given, sizeof size);
    vsdk_status status =
        size_check(size, least > sizeof size ? least : sizeof size, operation, error);
    if (status)
        return status;
    memcpy((char *)given + sizeof size, (const char *)result + sizeof size,
           (size < known ? size : known) - sizeof size);
    if (size > known)
        memset((char *)given + known, 0, size - known);
    return VSDK_OK;
}
