/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the frequency of this processor's TSC in kHz.
 *
 * QEMU's TCG gives its guest the host's TSC. A guest that measures it against an emulated timer while
 * the host is busy can find a tenth of it, and its clock then runs ten times too fast. So the lab's
 * kernel is told.
 */

#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static int64_t nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Both clocks at one moment: of several tries the one whose ends are nearest. */
static void look(int64_t *time, uint64_t *tsc)
{
    uint64_t nearest = UINT64_MAX;

    for (int i = 0; i < 1000; i++) {
        uint64_t before = __rdtsc();
        int64_t now = nanoseconds();
        uint64_t after = __rdtsc();

        if (after - before < nearest) {
            nearest = after - before;
            *time = now;
            *tsc = before + (after - before) / 2;
        }
    }
}

int main(void)
{
    int64_t from = 0;
    int64_t to = 0;
    uint64_t first = 0;
    uint64_t last = 0;

    look(&from, &first);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    look(&to, &last);
    printf("%llu\n", (unsigned long long)((double)(last - first) * 1e6 / (double)(to - from)));
    return 0;
}
