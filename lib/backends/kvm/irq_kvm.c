/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts by call: lines of the kernel's controllers, messages, NMIs. Any thread, and nothing
 * here waits for a vCPU that is in the guest. */
#include "backends/kvm/objects_kvm.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/topology_x86_64.h"
#include <errno.h>

enum { DELIVERY_NMI = 4 << 8 };

uint32_t kvm_irq_lines(backend_vm *vm)
{
    return vm->config.irqchip == VSDK_IRQCHIP_KERNEL ? KVM_PINS : 0;
}

vsdk_status kvm_irq_set_line(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error)
{
    const vm_kvm *k = vm->data;
    struct kvm_irq_level line = {.irq = gsi, .level = level != 0};
    int r = sys_ioctl_retry(k->fd, KVM_IRQ_LINE, (uintptr_t)&line);
    return r < 0 ? kvm_system_error(error, r, "KVM_IRQ_LINE", "the line can't be set") : VSDK_OK;
}

/* A message to an APIC that does not exist or is off is dropped, as in hardware: KVM tells the
 * first by EPERM, which here is only the value -1. */
vsdk_status kvm_vm_send_msi(backend_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    const vm_kvm *k = vm->data;
    if (!kvm_has_lapic(vm) || !kvm_has(kvm_host_of(vm), KVM_ASK_SIGNAL_MSI))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_send_msi",
                         "this machine has no local APICs, or KVM lacks KVM_CAP_SIGNAL_MSI");
    struct kvm_msi msi = {
        .address_lo = (uint32_t)address,
        .address_hi = (uint32_t)(address >> 32),
        .data = data,
    };
    int r = sys_ioctl_retry(k->fd, KVM_SIGNAL_MSI, (uintptr_t)&msi);
    return r < 0 && r != -EPERM
               ? kvm_system_error(error, r, "KVM_SIGNAL_MSI", "the message can't be sent")
               : VSDK_OK;
}

/* KVM_NMI waits for a vCPU that is in the guest. A message does not; without a local APIC the
 * vCPU's own thread injects it at its next entry. */
vsdk_status kvm_vcpu_inject_nmi(backend_vcpu *vcpu, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    uint64_t id = topology_apic_id(vcpu->index);
    if (kvm_has_lapic(vcpu->vm))
        return kvm_vm_send_msi(vcpu->vm, KVM_LAPIC | id << 12, DELIVERY_NMI, error);
    if (!kvm_has(kvm_host_of(vcpu->vm), KVM_ASK_USER_NMI))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_x86_vcpu_inject_nmi",
                         "this kernel's KVM lacks KVM_CAP_USER_NMI");
    atomic_store(&v->nmi, 1);
    kvm_vcpu_interrupt(vcpu);
    return VSDK_OK;
}
