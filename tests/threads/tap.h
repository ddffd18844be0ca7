/* SPDX-License-Identifier: Apache-2.0 */
/* Plain programs that print TAP: Criterion can't run under ThreadSanitizer. */
#ifndef VSDK_TESTS_THREADS_TAP_H
#define VSDK_TESTS_THREADS_TAP_H

struct tap_test {
    const char *name;
    void (*run)(void);
};

/* Runs the tests, or those that `only` (may be NULL) names, and returns the exit status. */
int tap_run(const struct tap_test *tests, unsigned count, const char *only);

/* From any thread of a test. The first failure of a test is printed, and the test goes on. */
#define check(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            tap_fail(__FILE__, __LINE__, __VA_ARGS__);                                             \
    } while (0)

void tap_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line that is no result. */
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* This test can't run here. Then return from it. */
void tap_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program: nothing after this could be trusted. */
_Noreturn void tap_bail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
