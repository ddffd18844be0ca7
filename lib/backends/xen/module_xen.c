/* SPDX-License-Identifier: Apache-2.0 */
/* What the module exports. */
#include "backends/xen/xen.h"

const backend_ops *vsdk_backend_module(const core_table *core);

static const backend_ops ops = {
    .size = sizeof ops,
    .abi = BACKEND_ABI,
    .name = "xen",
    .traits = BACKEND_AUTONOMOUS,
    .host_open = xen_host_open,
    .host_close = xen_host_close,
    .host_query = xen_host_query,
    .host_get_cpuid = xen_host_get_cpuid,
    .host_list_orphans = xen_host_list_orphans,
    .host_reap = xen_host_reap,
    .vm_create = xen_vm_create,
    .vm_destroy = xen_vm_destroy,
    .vm_free = xen_vm_free,
    .vm_resume = xen_vm_resume,
    .vm_pause = xen_vm_pause,
    .vm_settled = xen_vm_settled,
    .vm_reset = xen_vm_reset,
    .vm_list_reserved = xen_vm_list_reserved,
    .vm_set_cpuid = xen_vm_set_cpuid,
    .ram_create = xen_ram_create,
    .ram_free = xen_ram_free,
    .vm_map = xen_vm_map,
    .vm_unmap = xen_vm_unmap,
    .vm_protect = xen_vm_protect,
    .irq_lines = xen_irq_lines,
    .irq_set_line = xen_irq_set_line,
    .vm_send_msi = xen_vm_send_msi,
    .vcpu_inject_nmi = xen_vcpu_inject_nmi,
    .console_output = xen_console_output,
    .console_input = xen_console_input,
    .vcpu_create = xen_vcpu_create,
    .vcpu_destroy = xen_vcpu_destroy,
    .vcpu_run = xen_vcpu_run,
    .vcpu_interrupt = xen_vcpu_interrupt,
    .vcpu_is_halted = xen_vcpu_is_halted,
    .vcpu_get_regs = xen_vcpu_get_regs,
    .vcpu_set_regs = xen_vcpu_set_regs,
    .vcpu_get_sregs = xen_vcpu_get_sregs,
    .vcpu_set_sregs = xen_vcpu_set_sregs,
    .vcpu_get_fpu = xen_vcpu_get_fpu,
    .vcpu_set_fpu = xen_vcpu_set_fpu,
    .vcpu_get_cpuid = xen_vcpu_get_cpuid,
};

__attribute__((visibility("default"))) const backend_ops *
vsdk_backend_module(const core_table *core)
{
    return core && core->size >= sizeof *core && core->abi == BACKEND_ABI ? &ops : NULL;
}
