/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions on a status. `error` is one record that every checked call of a test fills. */
#ifndef VSDK_TESTS_BACKEND_CHECK_H
#define VSDK_TESTS_BACKEND_CHECK_H

#include <vsdk/types.h>

extern vsdk_error test_error;
#define E (&test_error)

/* ok(call): it succeeds. fails(NAME, call): it fails with VSDK_ERROR_NAME and a filled record. */
#define ok(call) check_ok((call), #call, __FILE__, __LINE__)
#define fails(name, call)                                                                          \
    check_fails(VSDK_ERROR_##name, (check_clear(), (call)), #call, __FILE__, __LINE__)

void check_clear(void);
void check_ok(vsdk_status status, const char *call, const char *file, int line);
void check_fails(vsdk_status expected, vsdk_status status, const char *call, const char *file,
                 int line);

#endif
