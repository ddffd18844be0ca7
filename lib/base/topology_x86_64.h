/* SPDX-License-Identifier: Apache-2.0 */
/* The CPUID leaves of the portable machine that carry the APIC id and the topology: the same on
 * every backend. n vCPUs are n cores of one thread in one package; the APIC id of vCPU i is 2 * i.
 */
#ifndef VSDK_BASE_TOPOLOGY_X86_64_H
#define VSDK_BASE_TOPOLOGY_X86_64_H

#include <vsdk/x86.h>

/* Rewrites one leaf for vCPU `index` of `vcpus`: leaves 1, 4, 0xb, 0x1f, 0x80000001, 0x80000008,
 * 0x8000001d and 0x8000001e; others are left alone. 1 if it changed the entry. */
int topology_apply(vsdk_x86_cpuid_entry *entry, uint32_t index, uint32_t vcpus);

static inline uint32_t topology_apic_id(uint32_t index)
{
    return 2 * index;
}

#endif
