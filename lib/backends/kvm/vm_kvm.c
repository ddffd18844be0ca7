/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual machine of the kernel's: its controllers, helper pages and reserved addresses. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include <stdio.h>
#include <string.h>

static vsdk_status create_split_irqchip(int fd, vsdk_error *error)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {KVM_PINS}};
    int r = sys_ioctl_retry(fd, KVM_ENABLE_CAP, (uintptr_t)&cap);
    return r < 0 ? kvm_error(error, r, "KVM_ENABLE_CAP",
                             "the local APICs can't be created (KVM_CAP_SPLIT_IRQCHIP)")
                 : VSDK_OK;
}

static vsdk_status create_kernel_irqchip(int fd, vsdk_error *error)
{
    int r = sys_ioctl_retry(fd, KVM_CREATE_IRQCHIP, 0);
    if (r < 0)
        return kvm_error(error, r, "KVM_CREATE_IRQCHIP",
                         "the interrupt controllers can't be created");
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    r = sys_ioctl_retry(fd, KVM_CREATE_PIT2, (uintptr_t)&pit);
    return r < 0 ? kvm_error(error, r, "KVM_CREATE_PIT2", "the timer can't be created") : VSDK_OK;
}

static vsdk_status create_irqchip(const backend_vm *vm, int fd, vsdk_error *error)
{
    switch (vm->config.irqchip) {
    case VSDK_IRQCHIP_PORTABLE:
        return create_split_irqchip(fd, error);
    case VSDK_IRQCHIP_KERNEL:
        return create_kernel_irqchip(fd, error);
    default:
        return VSDK_OK;
    }
}

/* Pages that Intel processors without unrestricted guest mode need below 4 GiB. */
static vsdk_status place_helper_pages(int fd, vsdk_error *error)
{
    uint64_t identity = KVM_IDENTITY_MAP;
    int r = sys_ioctl_retry(fd, KVM_SET_IDENTITY_MAP_ADDR, (uintptr_t)&identity);
    if (r < 0)
        return kvm_error(error, r, "KVM_SET_IDENTITY_MAP_ADDR", "the identity map can't be placed");
    r = sys_ioctl_retry(fd, KVM_SET_TSS_ADDR, KVM_TSS);
    return r < 0 ? kvm_error(error, r, "KVM_SET_TSS_ADDR", "the task segment can't be placed")
                 : VSDK_OK;
}

static vsdk_status check_config(const backend_vm *vm, vsdk_error *error)
{
    host_kvm *h = kvm_host_of(vm);
    uint32_t irqchip = vm->config.irqchip;
    if (vm->config.vcpus_max > h->vcpus_max)
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_vm_create",
                         "%u vCPUs are more than the %u of this host", vm->config.vcpus_max,
                         h->vcpus_max);
    if ((irqchip == VSDK_IRQCHIP_PORTABLE && !kvm_has(h, KVM_ASK_SPLIT_IRQCHIP)) ||
        (irqchip == VSDK_IRQCHIP_KERNEL && !kvm_has_kernel_irqchip(h)))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_create",
                         "this kernel's KVM lacks %s",
                         irqchip == VSDK_IRQCHIP_KERNEL ? "KVM_CAP_IRQCHIP or KVM_CAP_PIT2"
                                                        : "KVM_CAP_SPLIT_IRQCHIP");
    return VSDK_OK;
}

vsdk_status kvm_vm_open(const backend_vm *vm, int *fd, vsdk_error *error)
{
    int made = sys_ioctl_retry(kvm_host_of(vm)->fd, KVM_CREATE_VM, 0);
    if (made >= 0)
        made = sys_high(made);
    if (made < 0)
        return kvm_error(error, made, "KVM_CREATE_VM", "the virtual machine can't be created");
    vsdk_status status = create_irqchip(vm, made, error);
    if (!status)
        status = place_helper_pages(made, error);
    if (!status)
        *fd = made;
    else
        sys_close(made);
    return status;
}

vsdk_status kvm_vm_create(backend_vm *vm, vsdk_error *error)
{
    vsdk_status status = check_config(vm, error);
    if (status)
        return status;
    vm_kvm *k = alloc_zeroed(sizeof *k);
    if (!k)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_create",
                         "no memory for a virtual machine");
    k->fd = -1;
    status = kvm_vm_open(vm, &k->fd, error);
    if (status) {
        alloc_free(k);
        return status;
    }
    vm->data = k;
    return VSDK_OK;
}

void kvm_vm_destroy(backend_vm *vm)
{
    vm_kvm *k = vm->data;
    for (uint32_t i = 0; i < vm->config.vcpus_max; i++) {
        if (vm->vcpus[i])
            kvm_vcpu_release(vm->vcpus[i]);
        if (k->kept[i])
            sys_close(k->kept[i]);
        k->kept[i] = 0;
    }
    sys_close(k->fd);
    k->fd = -1;
}

void kvm_vm_free(backend_vm *vm)
{
    vm_kvm *k = vm->data;
    if (!k)
        return;
    sys_close(k->fd);
    kvm_reset_free(k->reset);
    alloc_free(k->msis);
    alloc_free(k->cpuid);
    alloc_free(k);
    vm->data = NULL;
}

typedef struct reserved_range {
    vsdk_space space;
    uint64_t address, length;
    uint32_t chips; /* bits by vsdk_irqchip */
    const char *reason;
} reserved_range;

enum {
    WITH_PORTABLE = 1 << VSDK_IRQCHIP_PORTABLE,
    WITH_KERNEL = 1 << VSDK_IRQCHIP_KERNEL,
    WITH_NONE = 1 << VSDK_IRQCHIP_NONE,
    WITH_LAPIC = WITH_PORTABLE | WITH_KERNEL,
    WITH_ANY = WITH_LAPIC | WITH_NONE
};

static const reserved_range reserved[] = {
    {VSDK_SPACE_MMIO, 0xfee00000, 0x1000, WITH_LAPIC, "the local APICs"},
    {VSDK_SPACE_MMIO, 0xfeff8000, 0x1000, WITH_ANY, "KVM's identity map, needed on Intel"},
    {VSDK_SPACE_MMIO, 0xfeff9000, 0x3000, WITH_ANY, "KVM's task segment, needed on Intel"},
    {VSDK_SPACE_MMIO, 0xfec00000, 0x100, WITH_KERNEL, "the IOAPIC"},
    {VSDK_SPACE_PIO, 0x20, 2, WITH_KERNEL, "the first interrupt controller"},
    {VSDK_SPACE_PIO, 0xa0, 2, WITH_KERNEL, "the second interrupt controller"},
    {VSDK_SPACE_PIO, 0x4d0, 2, WITH_KERNEL, "the interrupt controllers' edge or level bits"},
    {VSDK_SPACE_PIO, 0x40, 4, WITH_KERNEL, "the interval timer"},
    {VSDK_SPACE_PIO, 0x61, 1, WITH_KERNEL, "the interval timer's speaker port"},
};

static void fill_range(vsdk_vm_range *range, const reserved_range *from)
{
    memset(range, 0, sizeof *range);
    range->space = from->space;
    range->address = from->address;
    range->length = from->length;
    snprintf(range->reason, sizeof range->reason, "%s", from->reason);
}

vsdk_status kvm_vm_list_reserved(backend_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                 uint32_t *needed, vsdk_error *error)
{
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (!(reserved[i].chips & 1u << vm->config.irqchip))
            continue;
        if (count < capacity)
            fill_range(&ranges[count], &reserved[i]);
        count++;
    }
    *needed = count;
    return VSDK_OK;
}
