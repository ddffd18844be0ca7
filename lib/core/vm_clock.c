#include "base/sys.h"
#include "core/vm_state.h"

void vm_clock_start(vsdk_vm *vm)
{
    if (!vm->clock_since)
        vm->clock_since = sys_clock();
}

void vm_clock_stop(vsdk_vm *vm)
{
    if (vm->clock_since)
        vm->clock_ns += sys_clock() - vm->clock_since;
    vm->clock_since = 0;
}

uint64_t vm_clock(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->lock);
    uint64_t now = vm->clock_ns;
    if (vm->clock_since)
        now += sys_clock() - vm->clock_since;
    pthread_mutex_unlock(&vm->lock);
    return now;
}

uint64_t vsdk_vm_clock(vsdk_vm *vm)
{
    return vm ? vm_clock(vm) : 0;
}
