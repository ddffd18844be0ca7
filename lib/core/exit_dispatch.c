/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an exit: an access goes to whoever claims it, an end ends the virtual machine,
 * the rest is the embedder's. A part of an access that could not be given to its device yet is
 * deferred: it stays in the record, and is given when the vCPU runs again. */
#include "base/exit_path.h"
#include "core/bus.h"
#include "core/counters.h"
#include "core/vcpu_state.h"

static int is_terminal(vsdk_exit_reason reason)
{
    return (reason >= VSDK_EXIT_POWEROFF && reason <= VSDK_EXIT_STOP) || reason == VSDK_EXIT_HALTED;
}

/* The guest may have ended by itself. Another reason may have come first: the run returns that one.
 */
OFF_EXIT_PATH static int dispatch_other(vsdk_vcpu *vcpu, const vsdk_exit *exit)
{
    counter_add(&vcpu->counters.exits, 1);
    atomic_store_explicit(&vcpu->pending, 0, memory_order_relaxed);
    if (exit->reason == VSDK_EXIT_HALT)
        counter_add(&vcpu->counters.halts, 1);
    if (!is_terminal(exit->reason))
        return 0;
    life_end(vcpu->vm, exit);
    return 1;
}

/* Nobody has answered, or not yet. */
OFF_EXIT_PATH static int access_is_left(vsdk_vcpu *vcpu, bus_answer answer)
{
    if (answer == BUS_UNCLAIMED || answer == BUS_TAGGED) {
        /* Of a string: those before it a device has answered, and then it went. */
        vcpu->backend.exit->detail = vcpu->element;
        return 0;
    }
    vcpu->claimed = 1;
    vcpu->deferred = answer == BUS_DEFERRED;
    return 1;
}

/* 1 when the access was somebody's. */
static inline int access_give(vsdk_vcpu *vcpu, vsdk_exit *exit)
{
    bus_answer answer = bus_access(vcpu->vm, vcpu, exit);

    if (__builtin_expect(answer != BUS_CLAIMED, 0))
        return access_is_left(vcpu, answer);
    vcpu->claimed = 1;
    counter_add(&vcpu->counters.claimed, 1);
    return 1;
}

EXIT_PATH int exit_dispatch(vsdk_vcpu *vcpu)
{
    vsdk_exit *exit = vcpu->backend.exit;

    if (__builtin_expect(vcpu->deferred, 0)) {
        vcpu->deferred = 0;
        return access_give(vcpu, exit);
    }
    if (exit->reason == VSDK_EXIT_PIO)
        counter_add(&vcpu->counters.pio, 1);
    else if (exit->reason == VSDK_EXIT_MMIO)
        counter_add(&vcpu->counters.mmio, 1);
    else
        return dispatch_other(vcpu, exit);
    vcpu->settable = exit->flags & VSDK_EXIT_REGS_SETTABLE;
    vcpu->claimed = vcpu->element = 0;
    atomic_store_explicit(&vcpu->pending, 1, memory_order_relaxed);
    return access_give(vcpu, exit);
}
