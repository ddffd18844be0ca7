/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of x86-64 state: their sizes, what the architecture forbids in them whatever the
 * backend, and which entry of the operations table serves each. */
#include "base/error.h"
#include "core/x86.h"
#include <inttypes.h>

uint64_t x86_state_size(uint32_t state_class)
{
    switch (state_class) {
    case VSDK_X86_REGS:
        return sizeof(vsdk_x86_regs);
    case VSDK_X86_SREGS:
        return sizeof(vsdk_x86_sregs);
    case VSDK_X86_FPU:
        return sizeof(vsdk_x86_fpu);
    default:
        return 0;
    }
}

enum { CR0_PE = 1 << 0, CR4_PAE = 1 << 5, EFER_LME = 1 << 8, EFER_LMA = 1 << 10 };
#define CR0_PG (UINT64_C(1) << 31)

/* Of the architecture, here once for all backends; these check what their hypervisor alone knows.
 */
static const char *contradiction(const vsdk_x86_sregs *sregs)
{
    int paging = (sregs->cr0 & CR0_PG) != 0, active = (sregs->efer & EFER_LMA) != 0;

    if (sregs->cr0 >> 32)
        return "cr0 has reserved bits";
    if (paging && !(sregs->cr0 & CR0_PE))
        return "cr0 has PG but no PE";
    if (active != (paging && (sregs->efer & EFER_LME)))
        return "LMA of efer is not what PG of cr0 and LME of efer make it";
    return active && !(sregs->cr4 & CR4_PAE) ? "efer has LMA but cr4 has no PAE" : NULL;
}

vsdk_status x86_state_check(uint32_t state_class, const void *state, const char *operation,
                            vsdk_error *error)
{
    const char *what = state_class == VSDK_X86_SREGS ? contradiction(state) : NULL;

    if (what)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what);
    if (state_class == VSDK_X86_FPU && ((const vsdk_x86_fpu *)state)->mxcsr & ~0xffffu)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "mxcsr 0x%x has a reserved bit", ((const vsdk_x86_fpu *)state)->mxcsr);
    return VSDK_OK;
}

static vsdk_status unsupported(const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "this backend has no such state");
}

vsdk_status x86_state_get(backend_vcpu *vcpu, uint32_t state_class, void *state,
                          const char *operation, vsdk_error *error)
{
    const backend_ops *ops = vcpu->vm->host->ops;

    if (state_class == VSDK_X86_REGS && ops->vcpu_get_regs)
        return ops->vcpu_get_regs(vcpu, state, error);
    if (state_class == VSDK_X86_SREGS && ops->vcpu_get_sregs)
        return ops->vcpu_get_sregs(vcpu, state, error);
    if (state_class == VSDK_X86_FPU && ops->vcpu_get_fpu)
        return ops->vcpu_get_fpu(vcpu, state, error);
    return unsupported(operation, error);
}

vsdk_status x86_state_set(backend_vcpu *vcpu, uint32_t state_class, const void *state,
                          const char *operation, vsdk_error *error)
{
    const backend_ops *ops = vcpu->vm->host->ops;

    if (state_class == VSDK_X86_REGS && ops->vcpu_set_regs)
        return ops->vcpu_set_regs(vcpu, state, error);
    if (state_class == VSDK_X86_SREGS && ops->vcpu_set_sregs)
        return ops->vcpu_set_sregs(vcpu, state, error);
    if (state_class == VSDK_X86_FPU && ops->vcpu_set_fpu)
        return ops->vcpu_set_fpu(vcpu, state, error);
    return unsupported(operation, error);
}

vsdk_status x86_message_check(uint64_t address, uint32_t data, const char *operation,
                              vsdk_error *error)
{
    enum { LOWEST_PRIORITY = 1, FIRST_VECTOR = 16 };
    uint32_t mode = data >> 8 & 7;

    if ((address & ~UINT64_C(0xfffff)) != 0xfee00000)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%#" PRIx64 " is not a message address (0xfeexxxxx)", address);
    if (mode <= LOWEST_PRIORITY && (data & 0xff) < FIRST_VECTOR)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "vector %u is below 16",
                         data & 0xff);
    return VSDK_OK;
}
