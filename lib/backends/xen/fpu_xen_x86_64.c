/* SPDX-License-Identifier: Apache-2.0 */
/* Floating point: the legacy part of a processor's XSAVE area, after two words of Xen's. */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { MOST = 16384, WORDS = 16, LEGACY = 512, MXCSR_BITS = 0xffff };

typedef struct extended {
    uint64_t enabled, ever_enabled;
    vsdk_x86_fpu legacy;
    uint64_t present; /* XSTATE_BV */
} extended;
_Static_assert(offsetof(extended, legacy) == WORDS, "Xen's words come first");
_Static_assert(sizeof(vsdk_x86_fpu) == LEGACY, "the layout is FXSAVE64's");

void fpu_reset(vsdk_x86_fpu *fpu)
{
    *fpu = (vsdk_x86_fpu){.fcw = 0x37f, .mxcsr = 0x1f80, .mxcsr_mask = MXCSR_BITS};
}

/* What is not present has its initial value, whatever the area says. */
static void legacy_read(vsdk_x86_fpu *fpu, const extended *state)
{
    vsdk_x86_fpu initial;

    fpu_reset(&initial);
    *fpu = state->legacy;
    if (!(state->present & 1)) {
        memcpy(fpu, &initial, offsetof(vsdk_x86_fpu, mxcsr));
        memcpy(fpu->st, initial.st, sizeof fpu->st);
    }
    if (!(state->present & 2))
        memcpy(fpu->xmm, initial.xmm, sizeof fpu->xmm);
    if (!(state->present & 3))
        fpu->mxcsr = initial.mxcsr;
    fpu->mxcsr_mask = MXCSR_BITS;
    fpu->reserved = 0;
    memset(fpu->reserved2, 0, sizeof fpu->reserved2);
}

static int extended_get(xen_vcpu *vcpu, uint8_t *bytes)
{
    int size = compat_get_extended(vcpu->vm->host->control, vcpu->vm->domid, vcpu->vcpu->index,
                                   bytes, MOST);

    return size > 0 && size < (int)sizeof(extended) ? -EPROTO : size;
}

static int legacy_get(xen_vcpu *vcpu, vsdk_x86_fpu *fpu)
{
    int result = compat_get_legacy(vcpu->vm->host->control, vcpu->vm->domid, vcpu->vcpu->index,
                                   (uint8_t *)fpu);

    if (result == 0 || result == -ENODATA)
        *fpu = vcpu->fpu;
    fpu->mxcsr_mask = MXCSR_BITS;
    return result == -ENODATA ? 0 : result;
}

vsdk_status xen_vcpu_get_fpu(backend_vcpu *vcpu, vsdk_x86_fpu *fpu, vsdk_error *error)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    uint8_t *bytes;
    int size;

    if (!made->vm->started) {
        *fpu = made->fpu;
        return VSDK_OK;
    }
    bytes = alloc_aligned(64, MOST);
    if (!bytes)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vcpu_get_state", "no memory");
    size = extended_get(made, bytes);
    if (size > 0)
        legacy_read(fpu, (const extended *)bytes);
    else if (size == 0)
        size = legacy_get(made, fpu);
    alloc_free(bytes);
    return size < 0 ? xen_failed(error, size, "XEN_DOMCTL_getvcpuextstate",
                                 "the floating-point state can't be read")
                    : VSDK_OK;
}

static int state_set(xen_vcpu *vcpu, const vsdk_x86_fpu *fpu)
{
    xen_control *control = vcpu->vm->host->control;
    uint32_t domid = vcpu->vm->domid, index = vcpu->vcpu->index;
    uint8_t *bytes = alloc_aligned(64, MOST);
    extended *state = (extended *)bytes;
    vsdk_x86_fpu wanted = *fpu;
    int size;

    if (!bytes)
        return -ENOMEM;
    wanted.mxcsr_mask = 0;
    size = extended_get(vcpu, bytes);
    if (size > 0) {
        state->legacy = wanted;
        state->present |= 3;
        state->ever_enabled |= 3;
        size = compat_set_extended(control, domid, index, bytes, (uint32_t)size);
    } else if (size == 0) {
        size = compat_set_legacy(control, domid, index, (const uint8_t *)&wanted);
    }
    alloc_free(bytes);
    return size;
}

vsdk_status xen_vcpu_set_fpu(backend_vcpu *vcpu, const vsdk_x86_fpu *fpu, vsdk_error *error)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    int result;

    if (!made->vm->started) {
        made->fpu = *fpu;
        made->fpu.mxcsr_mask = MXCSR_BITS;
        return VSDK_OK;
    }
    result = state_set(made, fpu);
    if (result == -ENODATA)
        return error_set(error, VSDK_ERROR_STATE, "vsdk_vcpu_set_state",
                         "the processor has not been started");
    return result < 0 ? xen_failed(error, result, "XEN_DOMCTL_setvcpuextstate",
                                   "Xen refused the floating-point state")
                      : VSDK_OK;
}
