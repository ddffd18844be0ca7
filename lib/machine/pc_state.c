/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a call on a machine comes at its time. A machine has no state of its own: it asks its
 * virtual machine. */
#include "base/error.h"
#include "machine/pc.h"

/* STATE is all that is of interest here: what only reads the description works after the end. */
vsdk_status pc_check_process(const vsdk_pc *pc, const char *operation, vsdk_error *error)
{
    vsdk_vm_info info = {.size = sizeof info};

    if (vsdk_vm_get_info(pc->vm, &info, NULL) != VSDK_ERROR_STATE)
        return VSDK_OK;
    return error_forked(error, operation);
}

vsdk_status pc_check_created(const vsdk_pc *pc, const char *operation, vsdk_error *error)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_status status = vsdk_vm_get_info(pc->vm, &info, error);

    if (!status && info.state != VSDK_VM_CREATED)
        status = error_hint(
            error, error_set(error, VSDK_ERROR_STATE, operation, "the guest was started already"),
            info.state == VSDK_VM_RUNNING ? "call vsdk_vm_pause and vsdk_vm_reset first"
                                          : "call vsdk_vm_reset first");
    return status;
}
