/* SPDX-License-Identifier: Apache-2.0 */
/* A process with many machines, of which one more is made, run and destroyed when it is asked to.
 */
#ifndef TESTS_BENCH_CROWD_H
#define TESTS_BENCH_CROWD_H

#include <stddef.h>
#include <sys/types.h>

typedef struct crowd {
    pid_t pid;
    int ask, answer;
} crowd;

/* In a child process, so that ours and raw do not meet in one: `fill` makes the many, and `once`
 * gives the microseconds that one more took. */
crowd crowd_start(void (*fill)(void *user), double (*once)(void *user), void *user);
double crowd_once(const crowd *c);
void crowd_end(crowd *c);

#endif
