/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID: what the kernel supports is asked once a host, since the question costs more than a vCPU;
 * each vCPU then gets the leaves that carry its APIC id and the topology, the same as on every
 * backend. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/topology_x86_64.h"
#include <errno.h>
#include <string.h>

enum {
    LEAF_TOPOLOGY = 0xb,
    LEAF_TOPOLOGY_2 = 0x1f,
    LEAF_HYPERVISOR = 0x40000000,
    LEAF_HYPERVISOR_LAST = 0x4fffffff,
    LEAF_ADDRESS_BITS = 0x80000008,
    ECX1_X2APIC = 1 << 21,
    ECX1_TSC_DEADLINE = 1 << 24
};
#define ECX1_HYPERVISOR (1u << 31)

/* struct kvm_cpuid2 with its room. */
typedef struct cpuid_list {
    uint32_t count, padding;
    struct kvm_cpuid_entry2 entries[KVM_CPUID_MOST];
} cpuid_list;

_Static_assert(offsetof(cpuid_list, entries) == sizeof(struct kvm_cpuid2), "struct kvm_cpuid2");

static void from_kvm(vsdk_x86_cpuid_entry *to, const struct kvm_cpuid_entry2 *from)
{
    *to = (vsdk_x86_cpuid_entry){
        .leaf = from->function,
        .subleaf = from->index,
        .flags = from->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX ? 1 : 0,
        .eax = from->eax,
        .ebx = from->ebx,
        .ecx = from->ecx,
        .edx = from->edx,
    };
}

static void to_kvm(struct kvm_cpuid_entry2 *to, const vsdk_x86_cpuid_entry *from)
{
    *to = (struct kvm_cpuid_entry2){
        .function = from->leaf,
        .index = from->subleaf,
        .flags = from->flags & 1 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = from->eax,
        .ebx = from->ebx,
        .ecx = from->ecx,
        .edx = from->edx,
    };
}

/* KVM serves the deadline timer but does not tell of it. */
static void note_leaf(host_kvm *host, vsdk_x86_cpuid_entry *entry)
{
    if (entry->leaf == 1)
        entry->ecx |=
            ECX1_HYPERVISOR | (kvm_has(host, KVM_ASK_TSC_DEADLINE) ? ECX1_TSC_DEADLINE : 0);
    if (entry->leaf == LEAF_ADDRESS_BITS && entry->eax & 0x3f)
        host->physical_bits = entry->eax & 0x3f;
}

static vsdk_status keep(host_kvm *host, cpuid_list *list, vsdk_error *error)
{
    host->cpuid = alloc_array(list->count + 1, sizeof *host->cpuid);
    if (!host->cpuid)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "KVM_GET_SUPPORTED_CPUID",
                         "no memory for CPUID");
    host->physical_bits = 36;
    for (uint32_t i = 0; i < list->count; i++) {
        from_kvm(&host->cpuid[i], &list->entries[i]);
        note_leaf(host, &host->cpuid[i]);
    }
    host->cpuid_count = list->count;
    return VSDK_OK;
}

/* Asked with room for all: each time that there is too little costs as much as the answer. */
vsdk_status kvm_cpuid_read_supported(host_kvm *host, vsdk_error *error)
{
    cpuid_list *list = alloc_unset(sizeof *list); /* the kernel writes what it has, a third */
    if (!list)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "KVM_GET_SUPPORTED_CPUID",
                         "no memory for CPUID");
    list->count = KVM_CPUID_MOST;
    list->padding = 0;
    int r = sys_ioctl_retry(host->fd, KVM_GET_SUPPORTED_CPUID, (uintptr_t)list);
    vsdk_status status =
        r < 0 ? kvm_error(error, r, "KVM_GET_SUPPORTED_CPUID", "KVM did not tell its CPUID leaves")
              : keep(host, list, error);
    alloc_free(list);
    return status;
}

vsdk_status kvm_host_get_cpuid(backend_host *host, vsdk_x86_cpuid_entry *entries, uint32_t capacity,
                               uint32_t *needed, vsdk_error *error)
{
    const host_kvm *h = host->data;
    uint32_t count = h->cpuid_count < capacity ? h->cpuid_count : capacity;
    if (count)
        memcpy(entries, h->cpuid, count * sizeof *entries);
    *needed = h->cpuid_count;
    return VSDK_OK;
}

vsdk_status kvm_vm_set_cpuid(backend_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                             vsdk_error *error)
{
    vm_kvm *k = vm->data;
    if (count > KVM_CPUID_MOST - 2)
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_x86_vm_set_cpuid",
                         "%u leaves; KVM takes %u and needs two for the topology", count,
                         KVM_CPUID_MOST);
    vsdk_x86_cpuid_entry *copy = alloc_array(count, sizeof *copy);
    if (!copy)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_x86_vm_set_cpuid",
                         "no memory for CPUID");
    memcpy(copy, entries, count * sizeof *copy);
    alloc_free(k->cpuid);
    k->cpuid = copy;
    k->cpuid_count = count;
    return VSDK_OK;
}

static int is_hypervisor_leaf(uint32_t leaf)
{
    return leaf >= LEAF_HYPERVISOR && leaf <= LEAF_HYPERVISOR_LAST;
}

static void apply_features(const backend_vm *vm, vsdk_x86_cpuid_entry *entry)
{
    const vm_kvm *k = vm->data;
    if (vm->config.flags & VSDK_VM_HIDE_HYPERVISOR)
        entry->ecx &= ~ECX1_HYPERVISOR;
    if (!kvm_has_lapic(vm) && !k->cpuid)
        entry->ecx &= ~(uint32_t)(ECX1_X2APIC | ECX1_TSC_DEADLINE);
}

/* One leaf of the machine's list as this vCPU sees it; 0 if it does not. */
static int personal(const backend_vcpu *vcpu, const vsdk_x86_cpuid_entry *from,
                    vsdk_x86_cpuid_entry *entry)
{
    const backend_vm *vm = vcpu->vm;
    *entry = *from;
    if (from->leaf == LEAF_TOPOLOGY || from->leaf == LEAF_TOPOLOGY_2)
        return 0;
    if (vm->config.flags & VSDK_VM_HIDE_HYPERVISOR && is_hypervisor_leaf(from->leaf))
        return 0;
    if (from->leaf == 0 && entry->eax < LEAF_TOPOLOGY)
        entry->eax = LEAF_TOPOLOGY;
    if (from->leaf == 1)
        apply_features(vm, entry);
    topology_apply(entry, vcpu->index, vm->config.vcpus_max);
    return 1;
}

static void topology_leaf(const backend_vcpu *vcpu, uint32_t subleaf, vsdk_x86_cpuid_entry *entry)
{
    *entry = (vsdk_x86_cpuid_entry){.leaf = LEAF_TOPOLOGY, .subleaf = subleaf, .flags = 1};
    topology_apply(entry, vcpu->index, vcpu->vm->config.vcpus_max);
}

static const vsdk_x86_cpuid_entry *leaves(const backend_vm *vm, uint32_t *count)
{
    const vm_kvm *k = vm->data;
    const host_kvm *h = kvm_host_of(vm);
    *count = k->cpuid ? k->cpuid_count : h->cpuid_count;
    return k->cpuid ? k->cpuid : h->cpuid;
}

static void build(const backend_vcpu *vcpu, cpuid_list *list)
{
    uint32_t count, used = 0;
    const vsdk_x86_cpuid_entry *from = leaves(vcpu->vm, &count);
    vsdk_x86_cpuid_entry entry;
    for (uint32_t i = 0; i < count && used < KVM_CPUID_MOST - 2; i++)
        if (personal(vcpu, &from[i], &entry))
            to_kvm(&list->entries[used++], &entry);
    for (uint32_t subleaf = 0; subleaf < 2; subleaf++) {
        topology_leaf(vcpu, subleaf, &entry);
        to_kvm(&list->entries[used++], &entry);
    }
    list->count = used;
}

vsdk_status kvm_cpuid_install(backend_vcpu *vcpu, int fd, vsdk_error *error)
{
    const vm_kvm *k = vcpu->vm->data;
    uint32_t count;
    leaves(vcpu->vm, &count);
    /* What `build` fills and no more: this lies at the end of a start's heap, and a page is a
     * fault. */
    count = count < KVM_CPUID_MOST - 2 ? count + 2 : KVM_CPUID_MOST;
    cpuid_list *list = alloc_unset(offsetof(cpuid_list, entries) + count * sizeof list->entries[0]);
    if (!list)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "KVM_SET_CPUID2", "no memory for CPUID");
    list->padding = 0;
    build(vcpu, list);
    int r = sys_ioctl_retry(fd, KVM_SET_CPUID2, (uintptr_t)list);
    alloc_free(list);
    if (r == -EINVAL && k->cpuid)
        return error_set_errno(error, VSDK_ERROR_UNSUPPORTED, EINVAL, "KVM_SET_CPUID2",
                               "KVM refused the leaves of vsdk_x86_vm_set_cpuid");
    return r < 0 ? kvm_error(error, r, "KVM_SET_CPUID2", "CPUID can't be set") : VSDK_OK;
}

static int is_leaf(const vsdk_x86_cpuid_entry *entry, uint32_t leaf, uint32_t subleaf)
{
    return entry->leaf == leaf && (!(entry->flags & 1) || entry->subleaf == subleaf);
}

vsdk_status kvm_vcpu_get_cpuid(backend_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                               vsdk_x86_cpuid_entry *entry, vsdk_error *error)
{
    uint32_t count;
    const vsdk_x86_cpuid_entry *from = leaves(vcpu->vm, &count);
    if (leaf == LEAF_TOPOLOGY && subleaf < 2) {
        topology_leaf(vcpu, subleaf, entry);
        return VSDK_OK;
    }
    for (uint32_t i = 0; i < count; i++)
        if (is_leaf(&from[i], leaf, subleaf) && personal(vcpu, &from[i], entry))
            return VSDK_OK;
    memset(entry, 0, sizeof *entry);
    return error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_x86_vcpu_get_cpuid",
                     "the vCPU has no leaf 0x%x, subleaf 0x%x", leaf, subleaf);
}
