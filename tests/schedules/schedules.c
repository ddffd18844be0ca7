/* SPDX-License-Identifier: Apache-2.0 */
/* Random schedules against a model of what vm.h and device.h say: in one thread, where each answer
 * and each start, stop and reset is foretold, and in several, where each answer must be possible.
 *
 * VSDK_TEST_SEED is the seed of all; a failure prints its value for that schedule alone, which then
 * is the first and only one: VSDK_TEST_SEED=... schedules KIND BACKEND 1. Without arguments: 1,000
 * and 100 schedules times VSDK_TEST_SCALE, half of them on each mock. */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SINGLE = 1000, MANY = 100 };
#define SEED_BY_DEFAULT UINT64_C(0x5eed)

static uint64_t base = SEED_BY_DEFAULT;
static int given; /* the seed is that of the first schedule itself */
static uint32_t count_given;

static void run(const char *kind, const char *backend, uint32_t count,
                unsigned (*one)(const char *, uint64_t, uint64_t))
{
    unsigned failed = 0;

    for (uint32_t i = 0; i < count && failed < 3; i++) {
        uint64_t seed = given && i == 0 ? base | 1 : seed_of(base, i);
        watchdog_feed(kind, backend, i, seed);
        unsigned differences = one(backend, i, seed);
        watchdog_feed(NULL, NULL, 0, 0);
        if (!differences)
            continue;
        failed++;
        check(0, "%u differences; again by VSDK_TEST_SEED=%#llx schedules %s %s 1", differences,
              (unsigned long long)seed, kind, backend);
    }
    tap_note("%u schedules from seed %#llx", count, (unsigned long long)base);
}

static uint32_t count_of(uint32_t usual)
{
    return count_given ? count_given : usual / 2 * scale();
}

static void single_driven(void)
{
    run("single", "mock", count_of(SINGLE), single_run);
}

static void single_autonomous(void)
{
    run("single", "mock-autonomous", count_of(SINGLE), single_run);
}

static void many_driven(void)
{
    run("many", "mock", count_of(MANY), many_run);
}

static void many_autonomous(void)
{
    run("many", "mock-autonomous", count_of(MANY), many_run);
}

int main(int argc, char **argv)
{
    static const struct tap_test tests[] = {
        {"one thread, mock", single_driven},
        {"one thread, mock-autonomous", single_autonomous},
        {"several threads, mock", many_driven},
        {"several threads, mock-autonomous", many_autonomous},
    };
    const char *seed = getenv("VSDK_TEST_SEED");

    if (seed)
        base = strtoull(seed, NULL, 0);
    watchdog_start();
    if (argc < 3)
        return tap_run(tests, sizeof tests / sizeof tests[0], argc > 1 ? argv[1] : NULL);
    given = seed != NULL;
    count_given = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 0;
    unsigned which = (strcmp(argv[1], "many") ? 0 : 2) + (strcmp(argv[2], "mock") != 0);
    return tap_run(&tests[which], 1, NULL);
}
