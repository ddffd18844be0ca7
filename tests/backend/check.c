/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include <criterion/criterion.h>
#include <string.h>
#include <vsdk/vsdk.h>

vsdk_error test_error;

void check_clear(void)
{
    memset(&test_error, 0, sizeof test_error);
}

void check_ok(vsdk_status status, const char *call, const char *file, int line)
{
    if (status != VSDK_OK)
        cr_assert_fail("%s:%d: %s: %s: %s: %s", file, line, call, vsdk_status_name(status),
                       test_error.operation, test_error.message);
}

/* A text of the record: NUL-terminated within its room. */
static int is_text(const char *text, size_t room)
{
    return memchr(text, 0, room) != NULL;
}

static int is_filled(const vsdk_error *error)
{
    static const uint8_t zero[sizeof error->reserved];

    return is_text(error->operation, sizeof error->operation) && error->operation[0] &&
           is_text(error->message, sizeof error->message) && error->message[0] &&
           is_text(error->hint, sizeof error->hint) &&
           memcmp(error->reserved, zero, sizeof zero) == 0;
}

void check_fails(vsdk_status expected, vsdk_status status, const char *call, const char *file,
                 int line)
{
    if (status != expected)
        cr_assert_fail("%s:%d: %s: %s, not %s (%s)", file, line, call, vsdk_status_name(status),
                       vsdk_status_name(expected), test_error.message);
    if (test_error.code != status || !is_filled(&test_error))
        cr_assert_fail(
            "%s:%d: %s: the error record has code %d, operation '%.64s', message '%.99s'", file,
            line, call, test_error.code, test_error.operation, test_error.message);
}
