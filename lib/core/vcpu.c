/* SPDX-License-Identifier: Apache-2.0 */
/* vCPUs: made while a writer has the topology, owned by their virtual machine, reached by handles.
 * The record is at one address for the vCPU's life; when it is the caller's and the last handle
 * goes, it moves home. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/callback.h"
#include "core/vcpu_state.h"
#include <string.h>

static const char creating[] = "vsdk_vcpu_create";

static vsdk_status read_config(const vsdk_vcpu_config *given, vsdk_vcpu_config *config,
                               vsdk_error *error)
{
    const uint32_t flags = VSDK_VCPU_SYNC_GENERAL | VSDK_VCPU_SYNC_SREGS;
    vsdk_status status = record_read(config, sizeof *config, given, flags, creating, error);

    if (status)
        return status;
    if (config->reserved[0] || config->reserved[1])
        return record_later(creating, error);
    if ((uintptr_t)config->exit % 64)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, creating,
                         "the memory for the exit record is not aligned to 64 bytes");
    return VSDK_OK;
}

static vsdk_vcpu *vcpu_alloc(vsdk_vm *vm, uint32_t index, const vsdk_vcpu_config *config)
{
    vsdk_vcpu *vcpu = alloc_aligned(64, sizeof *vcpu);

    if (!vcpu)
        return NULL;
    refs_init(&vcpu->refs);
    vcpu->vm = vm;
    vcpu->backend.vm = &vm->backend;
    vcpu->backend.index = index;
    vcpu->backend.flags = config->flags;
    vcpu->backend.exit = config->exit ? config->exit : &vcpu->exit;
    vcpu->backend.sync_regs = config->flags & VSDK_VCPU_SYNC_GENERAL ? &vcpu->regs : NULL;
    vcpu->backend.sync_sregs = config->flags & VSDK_VCPU_SYNC_SREGS ? &vcpu->sregs : NULL;
    atomic_init(&vcpu->backend.requests, REQUEST_HOLD);
    lock_init(&vcpu->loan.lock, RANK_LEAF);
    vcpu->frame = (callback_frame){.vm = vm, .vcpu = vcpu};
    return vcpu;
}

static vsdk_status check_place(vsdk_vm *vm, uint32_t index, vsdk_error *error)
{
    if (index < vm->backend.config.vcpus_max && !vm->vcpus[index])
        return VSDK_OK;
    if (index < vm->backend.config.vcpus_max)
        return error_set(error, VSDK_ERROR_EXISTS, creating, "vCPU %u exists already", index);
    error_set(error, VSDK_ERROR_LIMIT, creating, "index %u is not below vcpus_max %u", index,
              vm->backend.config.vcpus_max);
    return error_hint(error, VSDK_ERROR_LIMIT, "set vcpus_max of vsdk_vm_config");
}

/* While a writer is at work the state can only become STOPPED. */
static vsdk_status check_state(vsdk_vm *vm, vsdk_error *error)
{
    lock_take(&vm->life.lock);
    vsdk_vm_state state = atomic_load(&vm->life.state);
    lock_give(&vm->life.lock);
    if (state == VSDK_VM_CREATED)
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_STATE, creating, "the virtual machine is %s already",
                     vsdk_vm_state_name(state));
}

static void publish(vsdk_vm *vm, vsdk_vcpu *vcpu)
{
    uint32_t index = vcpu->backend.index;

    vm_keep(vm);
    readers_add_slot(&vm->readers, &vcpu->reading);
    lock_take(&vm->life.lock);
    vm->backend.vcpus[index] = &vcpu->backend;
    __atomic_store_n(&vm->vcpus[index], vcpu, __ATOMIC_RELEASE); /* vsdk_vm_send_msi looks */
    vm->vcpu_count++;
    if (atomic_load(&vm->life.state) == VSDK_VM_STOPPED)
        atomic_fetch_or(&vcpu->backend.requests, REQUEST_STOP);
    if (atomic_load(&vm->gone))
        atomic_fetch_or(&vcpu->backend.requests, REQUEST_GONE);
    lock_give(&vm->life.lock);
}

static vsdk_status create(vsdk_vm *vm, uint32_t index, const vsdk_vcpu_config *config,
                          vsdk_vcpu **out, vsdk_error *error)
{
    vsdk_status status = check_place(vm, index, error);

    if (!status)
        status = check_state(vm, error);
    if (status)
        return status;
    vsdk_vcpu *vcpu = vcpu_alloc(vm, index, config);
    if (!vcpu)
        return error_set(error, VSDK_ERROR_NO_MEMORY, creating, "no memory for the vCPU");
    memset(vcpu->backend.exit, 0, sizeof *vcpu->backend.exit);
    lock_take(&vm->serial);
    status = vm->backend.host->ops->vcpu_create(&vcpu->backend, error);
    lock_give(&vm->serial);
    if (status) {
        lock_destroy(&vcpu->loan.lock);
        alloc_free(vcpu);
        return status;
    }
    publish(vm, vcpu);
    *out = vcpu;
    return VSDK_OK;
}

vsdk_status vsdk_vcpu_create(vsdk_vm *vm, uint32_t index, const vsdk_vcpu_config *given,
                             vsdk_vcpu **vcpu, vsdk_error *error)
{
    vsdk_vcpu_config config;

    if (vcpu)
        *vcpu = NULL;
    if (!vm)
        return error_null(error, creating, "vm");
    if (!vcpu)
        return error_null(error, creating, "vcpu");
    vsdk_status status = read_config(given, &config, error);
    if (status)
        return status;
    if (callback_in_vm(vm))
        return callback_busy(creating, error);
    status = life_hold(vm, 0, creating, error);
    if (status)
        return status;
    status = create(vm, index, &config, vcpu, error);
    life_release(vm, 0);
    return status;
}

/* The caller's record may go with the last reference; the virtual machine keeps the vCPU. A thread
 * that is inside run keeps using the record: it is the caller's to let it return first. */
static void take_record_home(vsdk_vcpu *vcpu)
{
    vsdk_exit *given = vcpu->backend.exit;

    if (given == &vcpu->exit)
        return;
    while (!vcpu_lock_place(vcpu, 0)) {
        if (!(atomic_load(&vcpu->place) & PLACE_LOCKED))
            return;
        vcpu_await_place(vcpu); /* a call of the backend's, no callback */
    }
    vcpu->exit = *given;
    if (given->data == (uintptr_t)&given->value)
        vcpu->exit.data = (uintptr_t)&vcpu->exit.value;
    if (vcpu->answer.data == (uintptr_t)&given->value)
        vcpu->answer.data = (uintptr_t)&vcpu->exit.value;
    vcpu->backend.exit = &vcpu->exit;
    vcpu_unlock_place_tell(vcpu);
}

int vcpu_keep_record(vsdk_vcpu *vcpu)
{
    if (refs_try_get(&vcpu->refs))
        return 1;
    while (!atomic_load(&vcpu->closed))
        sys_futex_wait(&vcpu->closed, 0, 0);
    return 0;
}

vsdk_vcpu *vsdk_vcpu_ref(vsdk_vcpu *vcpu)
{
    if (vcpu && !vm_is_foreign(vcpu->vm))
        refs_get(&vcpu->refs);
    return vcpu;
}

void vsdk_vcpu_close(vsdk_vcpu *vcpu)
{
    if (!vcpu || vm_is_foreign(vcpu->vm) || !refs_put(&vcpu->refs))
        return;
    vsdk_vm *vm = vcpu->vm;
    take_record_home(vcpu);
    atomic_store(&vcpu->closed, 1);
    sys_futex_wake(&vcpu->closed);
    vm_drop(vm);
}

vsdk_exit *vsdk_vcpu_record(vsdk_vcpu *vcpu)
{
    return vcpu ? vcpu->backend.exit : NULL;
}

static vsdk_vcpu_phase phase_now(vsdk_vcpu *vcpu)
{
    vsdk_vm *vm = vcpu->vm;
    uint32_t place = atomic_load(&vcpu->place) & (PLACE_LOCKED - 1);
    int pending = atomic_load_explicit(&vcpu->pending, memory_order_relaxed) != 0;

    if (place == PLACE_OUT && pending)
        return VSDK_VCPU_AT_EXIT;
    if (atomic_load(&vm->life.state) != VSDK_VM_RUNNING && !guest_executes(vm))
        return VSDK_VCPU_HELD;
    if (vm_autonomous(vm))
        return VSDK_VCPU_IN_GUEST;
    if (place == PLACE_PARKED)
        return VSDK_VCPU_HELD;
    return place == PLACE_OUT ? VSDK_VCPU_AT_EXIT : VSDK_VCPU_IN_GUEST;
}

vsdk_status vsdk_vcpu_get_phase(vsdk_vcpu *vcpu, vsdk_vcpu_phase *phase, vsdk_error *error)
{
    const char *operation = "vsdk_vcpu_get_phase";
    vm_use use;

    if (phase)
        *phase = VSDK_VCPU_HELD;
    if (!vcpu)
        return error_null(error, operation, "vcpu");
    if (!phase)
        return error_null(error, operation, "phase");
    vsdk_status status = vm_use_begin(vcpu->vm, &use, operation, error);
    if (status)
        return status;
    *phase = phase_now(vcpu);
    vm_use_end(use);
    return VSDK_OK;
}
