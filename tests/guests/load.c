/* SPDX-License-Identifier: Apache-2.0 */
/* A guest and the state that it begins in, put there through the library's own functions. */
#include "start.h"

vsdk_status start_load(vsdk_vm *vm, const struct guest *guest, vsdk_error *error)
{
    uint8_t low[LOW_BYTES] = {0};
    vsdk_status status;

    start_write_tables(low);
    status = vsdk_vm_write(vm, 0, low, sizeof low, error);
    if (!status)
        status = vsdk_vm_write(vm, CODE, guest->code, (uint64_t)(guest->end - guest->code), error);
    return status;
}

vsdk_status start_vcpu(vsdk_vcpu *vcpu, int cpl, uint64_t argument, vsdk_error *error)
{
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;
    vsdk_status status =
        vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);

    if (status)
        return status;
    start_set_long_mode(&sregs, cpl);
    start_set_regs(&regs, cpl);
    regs.rdi = argument;
    status = vsdk_vcpu_set_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);
    return status ? status
                  : vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), error);
}
