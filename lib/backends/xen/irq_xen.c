/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, messages and NMIs by hypercall. Xen's device model handle is not for two threads:
 * device_lock is around each call of it. Nothing is remembered here: Xen keeps the lines' levels.
 */
#include "backends/xen/xen.h"
#include <errno.h>

enum { LINES = 48, ISA_LINES = 16, DELIVERY_MODE = 7 << 8, LOWEST_PRIORITY = 1 << 8 };

uint32_t xen_irq_lines(backend_vm *vm)
{
    return vm->config.irqchip == VSDK_IRQCHIP_KERNEL ? LINES : 0;
}

/* Lines from 16 on belong to pins of PCI slots: 16 + ((4 * slot + slot / 8 + pin) mod 32). Line 2
 * is where the timer of ISA line 0 arrives. */
static int set_line(xen_vm *vm, uint32_t gsi, uint32_t level)
{
    domid_t domid = (domid_t)vm->domid;
    uint32_t pin = gsi - ISA_LINES;

    if (gsi < ISA_LINES)
        return xendevicemodel_set_isa_irq_level(vm->device, domid, gsi == 2 ? 0 : (uint8_t)gsi,
                                                level);
    return xendevicemodel_set_pci_intx_level(vm->device, domid, 0, 0, (uint8_t)(pin / 4),
                                             (uint8_t)(pin % 4), level);
}

vsdk_status xen_irq_set_line(backend_vm *vm, uint32_t gsi, uint32_t level, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    int result;

    lock_take(&made->device_lock);
    result = set_line(made, gsi, !!level) < 0 ? -errno : 0;
    lock_give(&made->device_lock);
    return result ? xen_refused(error, result, "XEN_DMOP_set_isa_irq_level", "Xen refused the line")
                  : VSDK_OK;
}

vsdk_status xen_vm_send_msi(backend_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    int result;

    if ((data & DELIVERY_MODE) > LOWEST_PRIORITY)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "XEN_DMOP_inject_msi",
                         "Xen takes messages of fixed and lowest-priority delivery, not mode %u",
                         data >> 8 & 7);
    lock_take(&made->device_lock);
    result = xendevicemodel_inject_msi(made->device, (domid_t)made->domid, address, data) < 0
                 ? -errno
                 : 0;
    lock_give(&made->device_lock);
    return result ? xen_refused(error, result, "XEN_DMOP_inject_msi", "Xen refused the message")
                  : VSDK_OK;
}

vsdk_status xen_vcpu_inject_nmi(backend_vcpu *vcpu, vsdk_error *error)
{
    xen_vm *vm = xen_vcpu_of(vcpu)->vm;
    int result = compat_nmi(vm->host->control, vm->domid, vcpu->index);

    return result < 0 ? xen_refused(error, result, "XEN_DOMCTL_sendtrigger", "Xen refused the NMI")
                      : VSDK_OK;
}
