/* SPDX-License-Identifier: Apache-2.0 */
/* What both kinds of schedules share: a machine whose guest writes and reads two ports for ever,
 * numbers that repeat with their seed, and a watchdog. */
#ifndef VSDK_TESTS_SCHEDULES_WORLD_H
#define VSDK_TESTS_SCHEDULES_WORLD_H

#include "../threads/tap.h"
#include <stdatomic.h>
#include <stdint.h>
#include <vsdk/vsdk.h>

enum { DEVICES = 3, VCPUS = 2, GSI = 30, MESSAGE = 0x41, OFTEN = 20 };
#define MESSAGE_ADDRESS UINT64_C(0xfee00000)

typedef struct world {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram, *extra;
    vsdk_vcpu *vcpus[VCPUS];
    unsigned vcpu_count;
} world;

/* Of `backend`; CREATED. Bails out where it can't. */
void world_make(world *w, const char *backend, unsigned vcpus);
/* The registers that the guest begins with, also after a reset: its memory stays. */
vsdk_status world_load(world *w);
/* All handles but that of the virtual machine. */
void world_close(world *w);
/* Where a device's range is: the guest uses the first two. */
uint64_t world_port(unsigned device);

/* A generator of its own for each schedule and thread. */
static inline uint32_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}
static inline uint32_t below(uint64_t *seed, uint32_t limit)
{
    return (uint32_t)((uint64_t)draw(seed) * limit >> 32);
}
static inline uint64_t seed_of(uint64_t base, uint64_t number)
{
    uint64_t x = base + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) | 1;
}

/* A schedule begins; one that lasts longer than 20 seconds ends the program, with all stacks. */
void watchdog_start(void);
void watchdog_feed(const char *kind, const char *backend, uint64_t number, uint64_t seed);

/* $VSDK_TEST_SCALE, and for one schedule alone: its number. */
uint32_t scale(void);

/* single.c, many.c: one schedule. The number of differences. */
unsigned single_run(const char *backend, uint64_t number, uint64_t seed);
unsigned many_run(const char *backend, uint64_t number, uint64_t seed);

/* Calls in a forked child, on the objects of its parent: all answer STATE, and closing releases
 * nothing. 0 if so, else the number of the first that did not. */
int child_of_fork(world *w, vsdk_device *device, const _Atomic unsigned *released);

#endif
