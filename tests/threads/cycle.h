/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a small virtual machine. */
#ifndef VSDK_TESTS_THREADS_CYCLE_H
#define VSDK_TESTS_THREADS_CYCLE_H

#include "rig.h"

struct cycle {
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_vcpu *vcpu;
};

/* Makes it and runs it to its first exit. On failure what was made stays for cycle_end. */
vsdk_status cycle_begin(struct cycle *cycle, vsdk_host *host, vsdk_error *error);
/* Destroys and closes. */
void cycle_end(struct cycle *cycle);

/* `cycles` lives from each of 8 threads; the first half of them share `host`, the others open their
 * own every now and then. Any failure ends the program. */
void cycles_from_threads(vsdk_host *host, uint32_t cycles);

#endif
