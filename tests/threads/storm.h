/* SPDX-License-Identifier: Apache-2.0 */
/* A machine of one or two processors that hammer a device, and the threads that disturb it. */
#ifndef VSDK_TESTS_THREADS_STORM_H
#define VSDK_TESTS_THREADS_STORM_H

#include "rig.h"

struct storm {
    struct rig rig;
    vsdk_device *device;
    struct runner runners[RIG_VCPUS];
    int joined;
    uint32_t rounds;

    /* The device's. `plain` and `events` (starts and stops) are guarded by its lock alone. */
    uint32_t concurrent;
    uint64_t plain, events;
    _Atomic uint64_t reads, writes, overlaps, late;
    _Atomic uint32_t inside, attached, released;
    _Atomic uint32_t started, repeated, stopped_calls, resets;

    /* Of threads that enter it. */
    _Atomic uint32_t over;
    _Atomic uint64_t entered;
};

void storm_make(struct storm *storm, vsdk_host *host, unsigned vcpus, uint32_t device_flags);
void storm_attach(struct storm *storm);
/* A started device is not told. */
void storm_detach(struct storm *storm);
/* Starts the guest and a runner for each processor. */
void storm_run(struct storm *storm);
/* Stops the runners unless `joined`, destroys, closes, and checks that release came once, after a
 * stop, and that starts and stops took turns. */
void storm_end(struct storm *storm);

/* Threads. The first two take the virtual machine, the others the storm. */
void *storm_pause(void *vm);
void *storm_resume_later(void *vm);
void *storm_ranges(void *storm);
void *storm_maps(void *storm);
void *storm_gate(void *storm);
void *storm_doorbells(void *storm);
void *storm_looks(void *storm);

/* storm_close.c: makes one of everything and closes it from several threads. */
void storm_close_round(vsdk_host *host, uint32_t round);

#define GUEST(name) extern const struct guest guest_##name
GUEST(hammer);
GUEST(hammers);
GUEST(hammers_second);
#undef GUEST

#endif
