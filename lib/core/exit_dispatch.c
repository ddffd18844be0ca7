/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an exit: an access goes to whoever claims it, an end ends the virtual machine,
 * the rest is the embedder's. A part of an access that could not be given to its device yet is
 * deferred: it stays in the record, and is given when the vCPU runs again. */
#include "base/exit_path.h"
#include "core/bus.h"
#include "core/counters.h"
#include "core/vcpu_state.h"

static int dispatch_access(vsdk_vcpu *vcpu)
{
    vsdk_exit *exit = vcpu->backend.exit;

    if (!vcpu->deferred) {
        counter_add(exit->reason == VSDK_EXIT_PIO ? &vcpu->counters.pio : &vcpu->counters.mmio, 1);
        vcpu->settable = exit->flags & VSDK_EXIT_REGS_SETTABLE;
        vcpu->claimed = 0;
        vcpu->element = 0;
        atomic_store_explicit(&vcpu->pending, 1, memory_order_relaxed);
    }
    bus_answer answer = bus_access(vcpu->vm, vcpu, exit);
    vcpu->deferred = answer == BUS_DEFERRED;
    if (answer == BUS_UNCLAIMED || answer == BUS_TAGGED)
        return 0;
    vcpu->claimed = 1;
    if (answer == BUS_CLAIMED)
        counter_add(&vcpu->counters.claimed, 1);
    return 1;
}

static int is_terminal(vsdk_exit_reason reason)
{
    return (reason >= VSDK_EXIT_POWEROFF && reason <= VSDK_EXIT_STOP) || reason == VSDK_EXIT_HALTED;
}

/* The guest ended by itself. Another reason may have come first: the run returns that one. */
OFF_EXIT_PATH static int dispatch_end(vsdk_vcpu *vcpu)
{
    life_end(vcpu->vm, vcpu->backend.exit);
    return 1;
}

EXIT_PATH int exit_dispatch(vsdk_vcpu *vcpu)
{
    vsdk_exit_reason reason = vcpu->backend.exit->reason;

    if (!vcpu->deferred)
        counter_add(&vcpu->counters.exits, 1);
    if (reason == VSDK_EXIT_PIO || reason == VSDK_EXIT_MMIO)
        return dispatch_access(vcpu);
    if (reason == VSDK_EXIT_HALT)
        counter_add(&vcpu->counters.halts, 1);
    return is_terminal(reason) ? dispatch_end(vcpu) : 0;
}
