#include "base/exit_path.h"
#include "core/counters.h"
#include "core/vcpu_state.h"

static int dispatch_access(vsdk_vcpu *vcpu)
{
    vsdk_exit *exit = vcpu->backend.exit;

    counter_add(exit->reason == VSDK_EXIT_PIO ? &vcpu->counters.pio : &vcpu->counters.mmio, 1);
    vcpu->settable = exit->flags & VSDK_EXIT_REGS_SETTABLE;
    vcpu->claimed = 0;
    atomic_store_explicit(&vcpu->pending, 1, memory_order_relaxed);
    bus_answer answer = bus_access(vcpu->vm, vcpu, exit);
    if (answer == BUS_UNCLAIMED || answer == BUS_TAGGED)
        return 0;
    vcpu->claimed = 1;
    if (answer == BUS_CLAIMED)
        counter_add(&vcpu->counters.claimed, 1);
    return 1;
}

static int is_terminal(vsdk_exit_reason reason)
{
    return reason >= VSDK_EXIT_POWEROFF && reason <= VSDK_EXIT_STOP;
}

/* The guest ended by itself. Another reason may have come first. */
OFF_EXIT_PATH static int dispatch_end(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = vcpu->vm;

    pthread_mutex_lock(&vm->lock);
    vm_end(vm, vcpu->backend.exit);
    *vcpu->backend.exit = vm->end;
    pthread_mutex_unlock(&vm->lock);
    bus_quiet(vm);
    return 0;
}

EXIT_PATH int exit_dispatch(vsdk_vcpu *vcpu)
{
    vsdk_exit_reason reason = vcpu->backend.exit->reason;

    counter_add(&vcpu->counters.exits, 1);
    if (reason == VSDK_EXIT_PIO || reason == VSDK_EXIT_MMIO)
        return dispatch_access(vcpu);
    if (reason == VSDK_EXIT_HALT)
        counter_add(&vcpu->counters.halts, 1);
    return is_terminal(reason) ? dispatch_end(vcpu) : 0;
}
