/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include "base/alloc.h"
#include "base/error.h"
#include <errno.h>

enum { STEPS_A_CLOCK = 256 };

static cpu_halt halt_kind(const mock_vm *vm)
{
    if (vm->irqchip == VSDK_IRQCHIP_NONE)
        return HALT_EXITS;
    return vm->autonomous ? HALT_DOWN : HALT_WAITS;
}

vsdk_status mock_vcpu_create(backend_vcpu *backend, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend->vm);
    mock_vcpu *vcpu = alloc_zeroed(sizeof *vcpu);

    if (!vcpu)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vcpu_create",
                         "no memory for processor %u", backend->index);
    vcpu->backend = backend;
    vcpu->until_clock = 1;
    vcpu->cpu.halt = halt_kind(vm);
    vcpu->cpu.one_by_one = vm->autonomous;
    cpu_power_on(&vcpu->cpu, vm, backend->index);
    backend->data = vcpu;
    atomic_store_explicit(&vm->vcpus[backend->index], vcpu, memory_order_release);
    return VSDK_OK;
}

void mock_vcpu_destroy(backend_vcpu *backend)
{
    mock_vcpu *vcpu = mock_vcpu_of(backend);
    mock_vm *vm = mock_vm_of(backend->vm);

    if (!vcpu)
        return;
    turn_take(&vm->turn);
    vm->vcpus[backend->index] = NULL;
    turn_give(&vm->turn);
    backend->data = NULL;
    alloc_free(vcpu);
}

void mock_vcpu_interrupt(backend_vcpu *backend)
{
    mock_wake(&mock_vcpu_of(backend)->cpu);
}

static int deadline_passed(mock_vcpu *vcpu)
{
    uint64_t deadline = vcpu->backend->deadline_ns;

    if (--vcpu->until_clock)
        return 0;
    vcpu->until_clock = STEPS_A_CLOCK;
    return deadline && mock_now() >= deadline;
}

/* Halted: until there is something to look at, a request, the deadline or a signal. */
static step wait_for_work(mock_vcpu *vcpu, uint32_t *detail)
{
    cpu *c = &vcpu->cpu;
    uint32_t seen = atomic_load(&c->wake);
    int result;

    if (atomic_load(&c->attention) || atomic_load(&vcpu->backend->requests))
        return STEP_DONE;
    result = mock_wait(c, seen, vcpu->backend->deadline_ns);
    if (!result || atomic_load(&vcpu->backend->requests))
        return STEP_DONE;
    *detail = result == EINTR ? VSDK_KICK_SIGNAL : VSDK_KICK_DEADLINE;
    return STEP_KICKED;
}

/* A write that rings a doorbell is answered here. */
static step ring(mock_vcpu *vcpu)
{
    cpu *c = &vcpu->cpu;

    if (!c->vm->doorbell_count || !mock_doorbell_ring(c->vm, &c->access))
        return STEP_EXIT;
    if (c->held)
        cpu_answer(c, 0);
    atomic_fetch_add_explicit(&vcpu->backend->internal, 1, memory_order_relaxed);
    return STEP_DONE;
}

static step execute_one(mock_vcpu *vcpu, uint32_t *detail)
{
    cpu *c = &vcpu->cpu;

    if (c->held)
        return cpu_finish(c);
    if (atomic_load_explicit(&vcpu->backend->requests, memory_order_acquire))
        return STEP_KICKED;
    if (deadline_passed(vcpu)) {
        *detail = VSDK_KICK_DEADLINE;
        return STEP_KICKED;
    }
    return cpu_step(c);
}

static step execute(mock_vcpu *vcpu, uint32_t *detail)
{
    step s;

    do {
        s = execute_one(vcpu, detail);
        if (s == STEP_EXIT)
            s = ring(vcpu);
        else if (s == STEP_IDLE)
            s = wait_for_work(vcpu, detail);
    } while (s == STEP_DONE);
    return s;
}

static void begin(mock_vcpu *vcpu)
{
    cpu *c = &vcpu->cpu;

    if (c->map_seen != c->vm->generation) {
        c->map_seen = c->vm->generation;
        cpu_flush(c);
    }
    if (vcpu->shown)
        mock_exit_answer(vcpu);
}

vsdk_status mock_vcpu_run(backend_vcpu *backend, vsdk_error *error)
{
    mock_vcpu *vcpu = mock_vcpu_of(backend);
    uint32_t detail = 0;
    step s;

    begin(vcpu);
    s = execute(vcpu, &detail);
    if (s == STEP_KICKED)
        mock_exit_kicked(vcpu, detail);
    else
        mock_exit_fill(vcpu, s);
    return VSDK_OK;
}

vsdk_status mock_vcpu_complete(backend_vcpu *backend, vsdk_error *error)
{
    mock_vcpu *vcpu = mock_vcpu_of(backend);
    step s = STEP_DONE;

    begin(vcpu);
    while (vcpu->cpu.held && s == STEP_DONE) {
        s = cpu_finish(&vcpu->cpu);
        if (s == STEP_EXIT)
            s = ring(vcpu);
    }
    if (s == STEP_DONE)
        mock_exit_none(vcpu);
    else
        mock_exit_fill(vcpu, s);
    return VSDK_OK;
}
