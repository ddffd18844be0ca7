/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID. Xen has one policy a domain and fills in the APIC ids itself. */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include "base/topology_x86_64.h"
#include <errno.h>
#include <string.h>

static vsdk_status read_back(xen_vm *vm, vsdk_error *error)
{
    vsdk_x86_cpuid_entry *entries;
    uint32_t count;
    int result = compat_cpuid_domain(vm->host->control, vm->domid, &entries, &count);

    if (result < 0)
        return xen_failed(error, result, "XEN_DOMCTL_get_cpu_policy", "CPUID can't be read");
    alloc_free(vm->cpuid);
    vm->cpuid = entries;
    vm->cpuid_count = count;
    return VSDK_OK;
}

vsdk_status cpuid_open(xen_vm *vm, vsdk_error *error)
{
    int result = compat_cpuid_start(vm->host->control, vm->domid);

    if (result < 0)
        return xen_failed(error, result, "xc_cpuid_apply_policy", "Xen refused the CPUID policy");
    return read_back(vm, error);
}

void cpuid_close(xen_vm *vm)
{
    alloc_free(vm->cpuid);
    vm->cpuid = NULL;
    vm->cpuid_count = 0;
}

static const vsdk_x86_cpuid_entry *find(const xen_vm *vm, uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < vm->cpuid_count; i++) {
        const vsdk_x86_cpuid_entry *entry = &vm->cpuid[i];
        if (entry->leaf == leaf && (!(entry->flags & 1) || entry->subleaf == subleaf))
            return entry;
    }
    return NULL;
}

/* Xen answers every subleaf of leaf 0xb, though its policy lists few. */
static int find_for_guest(const xen_vm *vm, uint32_t leaf, uint32_t subleaf,
                          vsdk_x86_cpuid_entry *entry)
{
    const vsdk_x86_cpuid_entry *found = find(vm, leaf, subleaf), *basic = find(vm, 0, 0);

    if (found)
        *entry = *found;
    else if (leaf == 0xb && basic && basic->eax >= leaf)
        *entry = (vsdk_x86_cpuid_entry){.leaf = leaf, .subleaf = subleaf, .flags = 1};
    else
        return 0;
    return 1;
}

/* Leaf 0xb and the last two are made by Xen from the rest. */
static int is_ours(uint32_t leaf)
{
    return leaf != 0xb && leaf != 0x1f && leaf < 0x8000001d;
}

vsdk_status cpuid_freeze(xen_vm *vm, vsdk_error *error)
{
    vsdk_x86_cpuid_entry *changed;
    uint32_t count = 0;
    int result;

    if (vm->frozen)
        return VSDK_OK;
    changed = alloc_array(vm->cpuid_count, sizeof *changed);
    if (!changed)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vcpu_create", "no memory");
    for (uint32_t i = 0; i < vm->cpuid_count; i++) {
        vsdk_x86_cpuid_entry entry = vm->cpuid[i];
        if (is_ours(entry.leaf) && topology_apply(&entry, 0, vm->vm->config.vcpus_max))
            changed[count++] = entry;
    }
    result = compat_cpuid_update(vm->host->control, vm->domid, changed, count);
    alloc_free(changed);
    if (result < 0)
        return xen_failed(error, result, "XEN_DOMCTL_set_cpu_policy", "Xen refused the topology");
    vm->frozen = 1;
    return read_back(vm, error);
}

vsdk_status xen_vm_set_cpuid(backend_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                             vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    int result;

    for (uint32_t i = 0; i < count; i++)
        if (!find(made, entries[i].leaf, entries[i].subleaf))
            return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_x86_vm_set_cpuid",
                             "Xen's policy has no leaf %#x subleaf %#x", entries[i].leaf,
                             entries[i].subleaf);
    result = compat_cpuid_update(made->host->control, made->domid, entries, count);
    if (result == -ENOMEM)
        return xen_failed(error, result, "vsdk_x86_vm_set_cpuid", "no memory");
    if (result < 0)
        return error_set_errno(error, VSDK_ERROR_UNSUPPORTED, -result, "XEN_DOMCTL_set_cpu_policy",
                               "Xen refused a leaf");
    return read_back(made, error);
}

vsdk_status xen_vcpu_get_cpuid(backend_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                               vsdk_x86_cpuid_entry *entry, vsdk_error *error)
{
    xen_vm *vm = xen_vcpu_of(vcpu)->vm;

    if (!find_for_guest(vm, leaf, subleaf, entry))
        return error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_x86_vcpu_get_cpuid",
                         "the policy has no leaf %#x subleaf %#x", leaf, subleaf);
    topology_apply(entry, vcpu->index, vm->vm->config.vcpus_max);
    return VSDK_OK;
}
