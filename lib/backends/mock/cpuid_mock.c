/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include "base/topology_x86_64.h"

/* A small processor: what the interpreter can do, and the vendor that says so. */
enum {
    FEATURES_1_ECX = 1u << 31, /* a hypervisor is present */
    FEATURES_1_EDX = 1u << 4 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 15 | 1u << 13,
    /* TSC, MSR, PAE, APIC, CMOV, PGE */
    EXTENDED_EDX = FEATURES_1_EDX | 1u << 20 | 1u << 26 | 1u << 29, /* NX, 1 GiB pages, LM */
    SIGNATURE = 0x600,
    WITH_SUBLEAF = 1
};

static const vsdk_x86_cpuid_entry leaves[] = {
    {.leaf = 0, .eax = 0xb, .ebx = 0x6b647356, .edx = 0x6b636f4d, .ecx = 0x20555043},
    {.leaf = 1, .eax = SIGNATURE, .ecx = FEATURES_1_ECX, .edx = FEATURES_1_EDX},
    {.leaf = 4, .flags = WITH_SUBLEAF},
    {.leaf = 7, .flags = WITH_SUBLEAF},
    {.leaf = 0xb, .subleaf = 0, .flags = WITH_SUBLEAF},
    {.leaf = 0xb, .subleaf = 1, .flags = WITH_SUBLEAF},
    {.leaf = 0x40000000,
     .eax = 0x40000000,
     .ebx = 0x6b647356,
     .edx = 0x6b636f4d,
     .ecx = 0x6b647356},
    {.leaf = 0x80000000, .eax = 0x80000008},
    {.leaf = 0x80000001, .eax = SIGNATURE, .edx = EXTENDED_EDX},
    {.leaf = 0x80000008, .eax = 48 << 8 | 48},
};

enum { LEAVES = sizeof leaves / sizeof leaves[0] };

vsdk_status mock_host_get_cpuid(backend_host *host, vsdk_x86_cpuid_entry *entries,
                                uint32_t capacity, uint32_t *needed, vsdk_error *error)
{
    *needed = LEAVES;
    for (uint32_t i = 0; i < LEAVES && i < capacity; i++)
        entries[i] = leaves[i];
    return VSDK_OK;
}

static int hidden(const mock_vm *vm, uint32_t leaf)
{
    return leaf == 0x40000000 && (vm->backend->config.flags & VSDK_VM_HIDE_HYPERVISOR);
}

int mock_cpuid(const cpu *c, uint32_t leaf, uint32_t subleaf, vsdk_x86_cpuid_entry *entry)
{
    const mock_vm *vm = c->vm;

    *entry = (vsdk_x86_cpuid_entry){.leaf = leaf, .subleaf = subleaf};
    for (uint32_t i = 0; i < LEAVES; i++) {
        if (leaves[i].leaf != leaf || hidden(vm, leaf) ||
            ((leaves[i].flags & WITH_SUBLEAF) && leaves[i].subleaf != subleaf))
            continue;
        *entry = leaves[i];
        topology_apply(entry, c->index, vm->vcpus_max);
        if (leaf == 1 && (vm->backend->config.flags & VSDK_VM_HIDE_HYPERVISOR))
            entry->ecx &= ~(uint32_t)FEATURES_1_ECX;
        if (leaf == 1 && !c->apic.enabled)
            entry->edx &= ~(1u << 9);
        return 1;
    }
    return 0;
}
