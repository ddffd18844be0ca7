/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the operations that KVM has. Those that are absent the core does itself: an
 * autonomous guest's resume and pause, orphans. */
#include "backends/kvm/objects_kvm.h"

static const backend_ops ops = {
    .size = sizeof ops,
    .abi = BACKEND_ABI,
    .name = "kvm",
    .traits = BACKEND_RAM_ALIAS | BACKEND_EXACT_COMPLETE,
    .host_open = kvm_host_open,
    .host_close = kvm_host_close,
    .host_query = kvm_host_query,
    .host_get_cpuid = kvm_host_get_cpuid,
    .vm_create = kvm_vm_create,
    .vm_destroy = kvm_vm_destroy,
    .vm_free = kvm_vm_free,
    .vm_reset = kvm_vm_reset,
    .vm_list_reserved = kvm_vm_list_reserved,
    .vm_set_cpuid = kvm_vm_set_cpuid,
    .ram_create = kvm_ram_create,
    .ram_free = kvm_ram_free,
    .vm_map = kvm_vm_map,
    .vm_unmap = kvm_vm_unmap,
    .vm_protect = kvm_vm_protect,
    .slot_dirty = kvm_slot_dirty,
    .doorbell_assign = kvm_doorbell_assign,
    .doorbell_deassign = kvm_doorbell_deassign,
    .irq_lines = kvm_irq_lines,
    .irq_set_line = kvm_irq_set_line,
    .vm_send_msi = kvm_vm_send_msi,
    .msi_assign = kvm_msi_assign,
    .msi_deassign = kvm_msi_deassign,
    .vcpu_inject_nmi = kvm_vcpu_inject_nmi,
    .vcpu_create = kvm_vcpu_create,
    .vcpu_destroy = kvm_vcpu_destroy,
    .vcpu_enter = kvm_vcpu_enter,
    .vcpu_leave = kvm_vcpu_leave,
    .vcpu_run = kvm_vcpu_run,
    .vcpu_interrupt = kvm_vcpu_interrupt,
    .vcpu_complete = kvm_vcpu_complete,
    .vcpu_is_halted = kvm_vcpu_is_halted,
    .vcpu_get_regs = kvm_vcpu_get_regs,
    .vcpu_set_regs = kvm_vcpu_set_regs,
    .vcpu_get_sregs = kvm_vcpu_get_sregs,
    .vcpu_set_sregs = kvm_vcpu_set_sregs,
    .vcpu_get_fpu = kvm_vcpu_get_fpu,
    .vcpu_set_fpu = kvm_vcpu_set_fpu,
    .vcpu_get_cpuid = kvm_vcpu_get_cpuid,
};

const backend_ops *backend_kvm(void)
{
    return &ops;
}
