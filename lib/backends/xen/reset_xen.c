/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that has ended or is to begin again: its domain is brought back, in place.
 *
 * Reset. Xen's soft reset takes back what the guest set up with Xen itself (event channels, its
 * processors' pages, the shared page), but only of a domain whose processors have all ended. So it
 * is ended first, as a crash, because that waits for nobody. The registers and controllers are set
 * when the guest starts, see regs_start. Accesses at which processors stand are answered, and what
 * they would have done is forgotten when the registers are set.
 *
 * Suspend. A guest suspends itself by a hypercall and is stopped behind it. The answer 1 says that
 * it goes on where it was; 0 would say that it woke up in another domain, with nothing of what it
 * had set up. */
#include "backends/xen/xen.h"
#include <errno.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

static int go_on(xen_vm *vm)
{
    xen_control *control = vm->host->control;
    compat_general general;
    int result = 0;

    if (vm->end_asker >= 0) {
        uint32_t asker = (uint32_t)vm->end_asker;
        result = compat_get_general(control, vm->domid, asker, &general);
        general.regs.rax = 1;
        if (result >= 0)
            result = compat_set_general(control, vm->domid, asker, &general.regs, 1);
    }
    return result < 0 ? result : compat_resume(control, vm->domid);
}

vsdk_status reset_suspend(xen_vm *vm, vsdk_error *error)
{
    int result = death_undo(vm, go_on);

    return result < 0 ? xen_refused(error, result, "XEN_DOMCTL_resumedomain",
                                    "the suspended guest does not go on")
                      : VSDK_OK;
}

/* An end that some processors have not reached yet is taken back, or it would keep them out of
 * ours. */
static int begin_again(xen_vm *vm)
{
    xen_control *control = vm->host->control;
    int result = compat_resume(control, vm->domid);

    if (result >= 0)
        result = compat_shutdown(control, vm->domid, SHUTDOWN_crash);
    if (result >= 0) {
        result = compat_soft_reset(control, vm->domid);
        if (result < 0)
            compat_resume(control, vm->domid); /* or our own end would be told as the guest's */
    }
    if (result >= 0)
        result = compat_set_param(control, vm->domid, HVM_PARAM_CALLBACK_IRQ, 0);
    if (result >= 0)
        result = pv_reset(vm);
    return result;
}

vsdk_status xen_vm_reset(backend_vm *vm, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    vsdk_status status = VSDK_OK;

    if (made->ended == COMPAT_DYING)
        return error_set(error, VSDK_ERROR_GONE, "vsdk_vm_reset",
                         "another program destroyed the domain");
    if (made->started) {
        int result;
        status = xen_vm_pause(vm, error);
        if (status)
            return status;
        exit_drop(made);
        result = death_undo(made, begin_again);
        if (result < 0)
            return xen_refused(error, result, "XEN_DOMCTL_soft_reset",
                               "Xen did not reset the domain");
        result = memory_refill(made);
        if (result < 0)
            return xen_failed(error, result, "XENMEM_populate_physmap",
                              "Xen gives no memory for pages that the guest gave away");
    }
    for (uint32_t i = 0; i < made->vm->config.vcpus_max; i++)
        if (made->vcpus[i])
            regs_reset(made->vcpus[i]);
    made->started = 0;
    return VSDK_OK;
}
