/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include "base/error.h"

uint32_t mock_irq_lines(backend_vm *vm)
{
    return 0;
}

vsdk_status mock_irq_set_line(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_irq_raise",
                     "the mock has no interrupt controller for line %u", gsi);
}

static vsdk_status check(const mock_vm *vm, uint32_t mode, vsdk_error *error)
{
    if (vm->irqchip == VSDK_IRQCHIP_NONE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_send_msi",
                         "this virtual machine has no local APIC");
    if (mode == LAPIC_FIXED || mode == LAPIC_LOWEST)
        return VSDK_OK;
    if (!vm->autonomous && (mode == LAPIC_NMI || mode == LAPIC_INIT))
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_send_msi",
                     "delivery mode %u is not interpreted", mode);
}

vsdk_status mock_vm_send_msi(backend_vm *backend, uint64_t address, uint32_t data,
                             vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);
    uint32_t mode = data >> 8 & 7, destination = address >> 12 & 0xff;
    vsdk_status status = check(vm, mode, error);

    if (status)
        return status;
    mock_enter(vm);
    lapic_send(vm, destination, address >> 2 & 1, mode, (uint8_t)data);
    mock_leave(vm);
    return VSDK_OK;
}

vsdk_status mock_vcpu_inject_nmi(backend_vcpu *backend, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend->vm);
    cpu *c = &mock_vcpu_of(backend)->cpu;

    mock_enter(vm);
    atomic_fetch_or(&c->signals, (uint32_t)SIGNAL_NMI);
    mock_attend(c);
    mock_leave(vm);
    return VSDK_OK;
}
