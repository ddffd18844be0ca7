/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of a vCPU: one writer, any readers. */
#ifndef VSDK_CORE_COUNTERS_H
#define VSDK_CORE_COUNTERS_H

#include <stdint.h>
#include <vsdk/vsdk.h>

static inline void counter_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/* All exits. A vCPU's own `exits` has those that are no access. */
uint64_t counters_exits(const vsdk_vcpu *vcpu);

#endif
