/* SPDX-License-Identifier: Apache-2.0 */
/* Doorbells that the core rings: all of them, also those that the hypervisor serves, since a write
 * may come here all the same. */
#ifndef VSDK_CORE_DOORBELL_H
#define VSDK_CORE_DOORBELL_H

#include "core/object.h"

/* Inside a reader section: rings what a write of one element matches, 1 if there was one. */
int doorbell_ring(const snapshot *bells, uint64_t address, uint32_t width, uint64_t value);

/* With bus.lock held: 1 if one lies in a range of guest physical addresses. */
int doorbell_within(const vsdk_vm *vm, uint64_t gpa, uint64_t length);

#endif
