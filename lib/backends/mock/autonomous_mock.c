/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include <errno.h>

enum { STEPS_AT_MOST = 128 };

static uint64_t draw(mock_vm *vm)
{
    vm->random ^= vm->random << 13;
    vm->random ^= vm->random >> 7;
    vm->random ^= vm->random << 17;
    return vm->random * 0x2545f4914f6cdd1du >> 32;
}

static void refresh_map(cpu *c)
{
    if (c->map_seen == c->vm->generation)
        return;
    c->map_seen = c->vm->generation;
    cpu_flush(c);
}

static void wake_all(mock_vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus_max; i++) {
        cpu *c = mock_vm_cpu(vm, i);

        if (c)
            mock_wake(c);
    }
}

static int all_down(mock_vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus_max; i++) {
        const cpu *c = mock_vm_cpu(vm, i);

        if (c && c->activity != CPU_WAIT_SIPI)
            return 0;
    }
    return 1;
}

static void end(mock_vm *vm, step why)
{
    vm->ended = why;
    wake_all(vm);
}

/* A processor that stopped executing: for an exit, or for good with its whole machine. */
static void stand(mock_vcpu *vcpu, step why)
{
    mock_vm *vm = vcpu->cpu.vm;

    if (why == STEP_CRASH)
        end(vm, why);
    else if (why == STEP_DOWN && all_down(vm))
        end(vm, why);
    else if (why != STEP_IDLE && why != STEP_DOWN) {
        vcpu->outcome = why;
        mock_wake(&vcpu->cpu);
    }
}

/* 1 if it executed anything. */
static int execute(mock_vcpu *vcpu, uint64_t steps)
{
    step s = STEP_DONE;
    uint64_t done = 0;

    refresh_map(&vcpu->cpu);
    while (done < steps && s == STEP_DONE) {
        s = cpu_step(&vcpu->cpu);
        done++;
    }
    if (s != STEP_DONE)
        stand(vcpu, s);
    return s != STEP_IDLE || done > 1;
}

/* Every processor that may executes a number of steps. 1 if one did. */
static int advance(mock_vm *vm)
{
    int any = 0;

    if (!vm->running || vm->ended)
        return 0;
    for (uint32_t i = 0; i < vm->vcpus_max && !vm->ended; i++) {
        mock_vcpu *vcpu = atomic_load_explicit(&vm->vcpus[i], memory_order_acquire);
        uint64_t steps = 1 + draw(vm) % STEPS_AT_MOST;

        if (vcpu && vcpu->outcome == STEP_DONE)
            any |= execute(vcpu, steps);
    }
    return any;
}

void mock_enter(mock_vm *vm)
{
    if (!vm->autonomous)
        return;
    turn_take(&vm->turn);
    advance(vm);
}

void mock_leave(mock_vm *vm)
{
    if (vm->autonomous)
        turn_give(&vm->turn);
}

vsdk_status mock_autonomous_resume(backend_vm *backend, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);

    turn_take(&vm->turn);
    vm->running = 1;
    wake_all(vm);
    turn_give(&vm->turn);
    return VSDK_OK;
}

vsdk_status mock_autonomous_pause(backend_vm *backend, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);

    turn_take(&vm->turn);
    advance(vm);
    vm->running = 0;
    turn_give(&vm->turn);
    return VSDK_OK;
}

/* The answer is given: the instruction finishes, and the guest goes on from now. */
static void answer(mock_vcpu *vcpu)
{
    cpu *c = &vcpu->cpu;
    step s = STEP_DONE;

    refresh_map(c);
    mock_exit_answer(vcpu);
    vcpu->outcome = STEP_DONE;
    if (vcpu->cpu.vm->ended)
        wake_all(vcpu->cpu.vm);
    if (c->held)
        s = cpu_finish(c);
    if (s != STEP_DONE)
        stand(vcpu, s);
}

/* As on Xen an end is told when every access that was shown has been answered. */
static int others_at_access(mock_vm *vm, const mock_vcpu *but)
{
    for (uint32_t i = 0; i < vm->vcpus_max; i++) {
        const mock_vcpu *vcpu = atomic_load_explicit(&vm->vcpus[i], memory_order_acquire);

        if (vcpu && vcpu != but && vcpu->shown == SHOWN_ACCESS)
            return 1;
    }
    return 0;
}

/* What the run returns now, or STEP_DONE. An exit comes before a kick alone: kicks that follow each
 * other closely would keep it from the embedder. */
static step look(mock_vcpu *vcpu, int answered, uint32_t *detail)
{
    backend_vcpu *backend = vcpu->backend;
    mock_vm *vm = vcpu->cpu.vm;
    uint32_t asked = atomic_load(&backend->requests);

    if (vm->ended && !others_at_access(vm, vcpu))
        return vm->ended;
    if (vcpu->outcome != STEP_DONE && (!asked || answered || asked == REQUEST_KICK))
        return vcpu->outcome;
    if (asked)
        return STEP_KICKED;
    if (backend->deadline_ns && mock_now() >= backend->deadline_ns) {
        *detail = VSDK_KICK_DEADLINE;
        return STEP_KICKED;
    }
    return STEP_DONE;
}

/* Nothing can execute: until something wakes this processor or its thread. */
static void wait_aside(mock_vcpu *vcpu, uint32_t seen, step *s, uint32_t *detail)
{
    mock_vm *vm = vcpu->cpu.vm;
    int result;

    turn_give(&vm->turn);
    result = mock_wait(&vcpu->cpu, seen, vcpu->backend->deadline_ns);
    turn_take(&vm->turn);
    if (result == EINTR && !atomic_load(&vcpu->backend->requests)) {
        *s = STEP_KICKED;
        *detail = VSDK_KICK_SIGNAL;
    }
}

static step run(mock_vcpu *vcpu, uint32_t *detail)
{
    mock_vm *vm = vcpu->cpu.vm;
    int answered = vcpu->shown != 0;
    step s;

    if (vcpu->shown)
        answer(vcpu);
    else
        advance(vm);
    for (;;) {
        uint32_t seen = atomic_load(&vcpu->cpu.wake);

        s = look(vcpu, answered, detail);
        if (s != STEP_DONE)
            return s;
        answered = 0;
        if (!advance(vm)) {
            wait_aside(vcpu, seen, &s, detail);
            if (s == STEP_KICKED)
                return s;
            continue;
        }
        turn_give(&vm->turn);
        turn_take(&vm->turn);
    }
}

vsdk_status mock_autonomous_run(backend_vcpu *backend, vsdk_error *error)
{
    mock_vcpu *vcpu = mock_vcpu_of(backend);
    uint32_t detail = 0;
    step s;

    turn_take(&vcpu->cpu.vm->turn);
    s = run(vcpu, &detail);
    if (s == STEP_KICKED) {
        mock_exit_kicked(vcpu, detail);
    } else {
        mock_exit_fill(vcpu, s);
    }
    turn_give(&vcpu->cpu.vm->turn);
    return VSDK_OK;
}
