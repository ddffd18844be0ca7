/* SPDX-License-Identifier: Apache-2.0 */
/* What each leaf says of one vCPU's place. APIC ids are two apart (topology_apic_id), so each count
 * of ids here is twice the number of vCPUs. */
#include "base/topology_x86_64.h"

static uint32_t bits_of_ids(uint32_t vcpus)
{
    uint32_t bits = 1;

    while ((1u << bits) < 2 * vcpus && bits < 31)
        bits++;
    return bits;
}

/* Caches: the third level is shared by all, the others by nobody. Each field holds ids less one. */
static void share_caches(vsdk_x86_cpuid_entry *entry, uint32_t vcpus)
{
    uint32_t ids = 2 * vcpus - 1;
    uint32_t cores = ids > 63 ? 63 : ids;

    if (!(entry->eax & 31))
        return;
    entry->eax = (entry->eax & 0x3fff) | cores << 26;
    if (entry->subleaf == 3)
        entry->eax |= ids << 14;
}

int topology_apply(vsdk_x86_cpuid_entry *entry, uint32_t index, uint32_t vcpus)
{
    uint32_t id = topology_apic_id(index);

    switch (entry->leaf) {
    case 1:
        entry->ebx = (entry->ebx & 0xffff) | (2 * vcpus & 0xff) << 16 | (id & 0xff) << 24;
        entry->edx |= 1u << 28; /* HTT */
        return 1;
    case 4:
        share_caches(entry, vcpus);
        return 1;
    case 0xb:
    case 0x1f:
        entry->eax = entry->ebx = 0;
        entry->ecx = entry->subleaf;
        entry->edx = id;
        return 1;
    case 0x80000001:
        entry->ecx &= ~(1u << 22); /* TOPOEXT */
        entry->ecx |= 1u << 1;     /* CMP_LEGACY */
        return 1;
    case 0x80000008:
        entry->ecx &= ~0xf0ffu;
        entry->ecx |= bits_of_ids(vcpus) << 12 | ((2 * vcpus - 1) & 0xff);
        return 1;
    case 0x8000001d:
    case 0x8000001e:
        entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
        return 1;
    default:
        return 0;
    }
}
