/* SPDX-License-Identifier: Apache-2.0 */
#include "long_mode.h"

vsdk_status guest_load(vsdk_vm *vm, const guest_image *image, vsdk_error *error)
{
    uint8_t low[GUEST_LOW_BYTES];
    vsdk_status status;

    guest_state_tables(low);
    status = vsdk_dma_write(vm, 0, low, sizeof low, error);
    if (!status)
        status = vsdk_dma_write(vm, GUEST_CODE, image->bytes, image->length, error);
    return status;
}

vsdk_status guest_start_with(vsdk_vcpu *vcpu, unsigned cpl, uint64_t argument, vsdk_error *error)
{
    vsdk_sregs sregs;
    vsdk_regs regs;
    vsdk_status status = vsdk_vcpu_get_sregs(vcpu, &sregs, error);

    if (status)
        return status;
    guest_state_sregs(&sregs, cpl);
    guest_state_regs(&regs, cpl);
    regs.rdi = argument;
    status = vsdk_vcpu_set_sregs(vcpu, &sregs, error);
    return status ? status : vsdk_vcpu_set_regs(vcpu, &regs, error);
}

vsdk_status guest_start(vsdk_vcpu *vcpu, unsigned cpl, vsdk_error *error)
{
    return guest_start_with(vcpu, cpl, 0, error);
}
