#include "base/error.h"
#include "core/vm_state.h"

/* vm->lock held. 1: this thread is to do it; 0: it is done. */
static int begin(vsdk_vm *vm)
{
    for (;;) {
        uint32_t seen = atomic_load(&vm->changes);
        if (vm->destroyed)
            return 0;
        if (!atomic_load(&vm->gone))
            break;
        vm_wait(vm, seen, 0);
    }
    atomic_store(&vm->gone, 1);
    vm_clock_stop(vm);
    vm_request(vm, REQUEST_GONE);
    vm_changed(vm);
    return 1;
}

/* vm->lock held: until runs, writers and transitions have gone, and this thread has the seat. */
static void wait_for_all(vsdk_vm *vm)
{
    for (;;) {
        uint32_t seen = atomic_load(&vm->changes);
        if (!vm->writer.depth && !vm_any_at(vm, ~(1u << PLACE_OUT)))
            break;
        vm_wait(vm, seen, 1);
    }
    vm_take_seat(vm, 0);
}

static void destroy_backend(vsdk_vm *vm)
{
    const backend_ops *ops = vm->backend.host->ops;

    ops->vm_destroy(&vm->backend);
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++)
        if (vm->vcpus[i])
            ops->vcpu_destroy(&vm->vcpus[i]->backend);
}

static void destroy_parts(vsdk_vm *vm)
{
    readers_wait(&vm->readers);
    bus_destroy(vm);
    irq_destroy(vm);
    destroy_backend(vm);
    gpa_map_destroy(vm);
}

void vm_destroy_all(vsdk_vm *vm)
{
    pthread_mutex_lock(&vm->lock);
    if (begin(vm)) {
        wait_for_all(vm);
        pthread_mutex_unlock(&vm->lock);
        destroy_parts(vm);
        pthread_mutex_lock(&vm->lock);
        vm->destroyed = 1;
        vm_leave_seat(vm);
    }
    pthread_mutex_unlock(&vm->lock);
}

vsdk_status vsdk_vm_destroy(vsdk_vm *vm, vsdk_error *error)
{
    const char *operation = "vsdk_vm_destroy";

    if (!vm)
        return error_null(error, operation, "vm");
    if (callback_in_vm(vm))
        return error_set(error, VSDK_ERROR_BUSY, operation,
                         "called from a callback of this virtual machine");
    vm_destroy_all(vm);
    return VSDK_OK;
}
