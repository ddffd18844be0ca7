#include "core/object.h"

void vcpu_wait_begin(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = (vsdk_vm *)vcpu->backend.vm;

    pthread_mutex_lock(&vm->lock);
    atomic_store(&vcpu->parked, 1);
    pthread_cond_broadcast(&vm->changed);
    pthread_mutex_unlock(&vm->lock);
}

int vcpu_wait_end(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = (vsdk_vm *)vcpu->backend.vm;

    pthread_mutex_lock(&vm->lock);
    atomic_store(&vcpu->parked, 0);
    int held = (atomic_load(&vcpu->backend.requests) & (REQUEST_HOLD | REQUEST_GONE)) != 0;
    pthread_mutex_unlock(&vm->lock);
    return held;
}
