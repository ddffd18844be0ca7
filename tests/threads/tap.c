/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES_MAX = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned failures;
static char reason[256];

static void print(const char *prefix, const char *format, va_list arguments)
{
    fputs(prefix, stdout);
    vfprintf(stdout, format, arguments);
    putchar('\n');
    fflush(stdout);
}

void tap_note(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    print("# ", format, arguments);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void tap_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (failures++ < LINES_MAX) {
        printf("# %s:%d: ", file, line);
        print("", format, arguments);
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

void tap_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
}

void tap_bail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print("Bail out! ", format, arguments);
    va_end(arguments);
    _exit(1);
}

static int run_one(const struct tap_test *test, unsigned number)
{
    failures = 0;
    reason[0] = 0;
    test->run();
    printf("%s %u - %s", failures ? "not ok" : "ok", number, test->name);
    if (!failures && reason[0])
        printf(" # SKIP %s", reason);
    putchar('\n');
    fflush(stdout);
    return failures != 0;
}

int tap_run(const struct tap_test *tests, unsigned count, const char *only)
{
    unsigned number = 0, chosen = 0, failed = 0;

    for (unsigned i = 0; i < count; i++)
        chosen += !only || strstr(tests[i].name, only);
    printf("1..%u\n", chosen);
    fflush(stdout);
    for (unsigned i = 0; i < count; i++)
        if (!only || strstr(tests[i].name, only))
            failed += (unsigned)run_one(&tests[i], ++number);
    return failed ? 1 : 0;
}
