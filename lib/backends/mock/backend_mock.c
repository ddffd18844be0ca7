/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"

static const backend_ops driven = {
    .size = sizeof(backend_ops),
    .abi = BACKEND_ABI,
    .name = "mock",
    .traits = BACKEND_RAM_ALIAS | BACKEND_EXACT_COMPLETE,
    .host_open = mock_host_open,
    .host_close = mock_host_close,
    .host_query = mock_host_query,
    .host_get_cpuid = mock_host_get_cpuid,
    .vm_create = mock_vm_create,
    .vm_destroy = mock_vm_destroy,
    .vm_free = mock_vm_free,
    .vm_reset = mock_vm_reset,
    .vm_list_reserved = mock_vm_list_reserved,
    .ram_create = mock_ram_create,
    .ram_free = mock_ram_free,
    .vm_map = mock_vm_map,
    .vm_unmap = mock_vm_unmap,
    .vm_protect = mock_vm_protect,
    .doorbell_assign = mock_doorbell_assign,
    .doorbell_deassign = mock_doorbell_deassign,
    .irq_lines = mock_irq_lines,
    .irq_set_line = mock_irq_set_line,
    .vm_send_msi = mock_vm_send_msi,
    .vcpu_inject_nmi = mock_vcpu_inject_nmi,
    .vcpu_create = mock_vcpu_create,
    .vcpu_destroy = mock_vcpu_destroy,
    .vcpu_run = mock_vcpu_run,
    .vcpu_interrupt = mock_vcpu_interrupt,
    .vcpu_complete = mock_vcpu_complete,
    .vcpu_is_halted = mock_vcpu_is_halted,
    .vcpu_get_regs = mock_vcpu_get_regs,
    .vcpu_set_regs = mock_vcpu_set_regs,
    .vcpu_get_sregs = mock_vcpu_get_sregs,
    .vcpu_set_sregs = mock_vcpu_set_sregs,
    .vcpu_get_fpu = mock_vcpu_get_fpu,
    .vcpu_set_fpu = mock_vcpu_set_fpu,
    .vcpu_get_cpuid = mock_vcpu_get_cpuid,
};

static const backend_ops autonomous = {
    .size = sizeof(backend_ops),
    .abi = BACKEND_ABI,
    .name = "mock-autonomous",
    .traits = BACKEND_AUTONOMOUS,
    .host_open = mock_host_open,
    .host_close = mock_host_close,
    .host_query = mock_host_query,
    .host_get_cpuid = mock_host_get_cpuid,
    .vm_create = mock_vm_create,
    .vm_destroy = mock_vm_destroy,
    .vm_free = mock_vm_free,
    .vm_resume = mock_autonomous_resume,
    .vm_pause = mock_autonomous_pause,
    .vm_reset = mock_vm_reset,
    .vm_list_reserved = mock_vm_list_reserved,
    .ram_create = mock_ram_create,
    .ram_free = mock_ram_free,
    .vm_map = mock_vm_map,
    .vm_unmap = mock_vm_unmap,
    .vm_protect = mock_vm_protect,
    .irq_lines = mock_irq_lines,
    .irq_set_line = mock_irq_set_line,
    .vm_send_msi = mock_vm_send_msi,
    .vcpu_inject_nmi = mock_vcpu_inject_nmi,
    .vcpu_create = mock_vcpu_create,
    .vcpu_destroy = mock_vcpu_destroy,
    .vcpu_run = mock_autonomous_run,
    .vcpu_interrupt = mock_vcpu_interrupt,
    .vcpu_is_halted = mock_vcpu_is_halted,
    .vcpu_get_regs = mock_vcpu_get_regs,
    .vcpu_set_regs = mock_vcpu_set_regs,
    .vcpu_get_sregs = mock_vcpu_get_sregs,
    .vcpu_set_sregs = mock_vcpu_set_sregs,
    .vcpu_get_fpu = mock_vcpu_get_fpu,
    .vcpu_set_fpu = mock_vcpu_set_fpu,
    .vcpu_get_cpuid = mock_vcpu_get_cpuid,
};

const backend_ops *backend_mock(void)
{
    return &driven;
}

const backend_ops *backend_mock_autonomous(void)
{
    return &autonomous;
}
