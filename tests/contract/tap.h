/* SPDX-License-Identifier: Apache-2.0 */
/* TAP for the programs that cannot use Criterion: it has threads, descriptors and processes of its
 * own, and these programs count all of them. */
#ifndef VSDK_TESTS_CONTRACT_TAP_H
#define VSDK_TESTS_CONTRACT_TAP_H

#include <stdarg.h>
#include <stdio.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3))) static inline void tap(int holds, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    printf("%sok %d - ", holds ? "" : "not ", ++tap_count);
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    va_end(arguments);
    tap_failed += !holds;
}

static inline int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#endif
