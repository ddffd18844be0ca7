#include "base/error.h"
#include "core/vm_state.h"

vsdk_status vsdk_vcpu_kick(vsdk_vcpu *vcpu, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_kick";
    vm_use use;

    if (!vcpu)
        return error_null(error, operation, "vcpu");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, operation, error);
    if (status)
        return status;
    vcpu_request(vcpu, REQUEST_KICK);
    vm_use_end(use);
    return VSDK_OK;
}
