/* SPDX-License-Identifier: Apache-2.0 */
/* The record of an exit, filled from the interpreter's access or from why it stands still, and the
 * answer taken back. A single element lies in the record, the elements of a string in the
 * processor's buffer; what is to be read is preset to ones. */
#include "backends/mock/mock.h"
#include <string.h>

static void start(mock_vcpu *vcpu, vsdk_exit_reason reason, uint64_t native)
{
    *vcpu->backend->exit = (vsdk_exit){.reason = reason, .native = native};
}

static void fill_elements(mock_vcpu *vcpu, vsdk_exit *exit, const cpu_access *access)
{
    if (access->count == 1) {
        exit->value = access->write ? access->value : UINT64_MAX;
        exit->data = (uint64_t)(uintptr_t)&exit->value;
        return;
    }
    exit->data = (uint64_t)(uintptr_t)vcpu->cpu.buffer;
    if (!access->write)
        memset(vcpu->cpu.buffer, 0xff, (size_t)access->count * access->width);
}

static void fill_access(mock_vcpu *vcpu)
{
    const cpu_access *access = &vcpu->cpu.access;
    vsdk_exit *exit = vcpu->backend->exit;

    exit->reason = access->port ? VSDK_EXIT_PIO : VSDK_EXIT_MMIO;
    exit->flags = access->settable ? VSDK_EXIT_REGS_SETTABLE : 0;
    exit->address = access->address;
    exit->value = 0;
    exit->count = access->count;
    exit->width = access->width;
    exit->direction = access->write ? VSDK_DIRECTION_WRITE : VSDK_DIRECTION_READ;
    exit->reserved = 0;
    exit->detail = 0;
    exit->tag = 0;
    exit->native = access->port ? MOCK_NATIVE_PORT : MOCK_NATIVE_MEMORY;
    fill_elements(vcpu, exit, access);
}

static void fill_other(mock_vcpu *vcpu, step s)
{
    vsdk_exit *exit = vcpu->backend->exit;

    switch (s) {
    case STEP_HALT:
        start(vcpu, VSDK_EXIT_HALT, MOCK_NATIVE_HALT);
        break;
    case STEP_CRASH:
        start(vcpu, VSDK_EXIT_CRASH, MOCK_NATIVE_TRIPLE_FAULT);
        exit->flags = VSDK_EXIT_TERMINAL;
        exit->detail = VSDK_CRASH_TRIPLE_FAULT;
        break;
    case STEP_DOWN:
        start(vcpu, VSDK_EXIT_HALTED, MOCK_NATIVE_ALL_DOWN);
        exit->flags = VSDK_EXIT_TERMINAL;
        break;
    default:
        start(vcpu, VSDK_EXIT_INTERNAL_ERROR, vcpu->cpu.unknown.native);
        exit->detail = vcpu->cpu.unknown.kind;
    }
}

static void sync_registers(mock_vcpu *vcpu)
{
    backend_vcpu *backend = vcpu->backend;

    if (!backend->sync_regs && !backend->sync_sregs)
        return;
    if (backend->sync_regs)
        mock_regs_read(&vcpu->cpu, backend->sync_regs);
    if (backend->sync_sregs)
        mock_sregs_read(&vcpu->cpu, backend->sync_sregs);
    backend->exit->flags |= VSDK_EXIT_REGS_SYNCED;
}

void mock_exit_fill(mock_vcpu *vcpu, step s)
{
    if (s == STEP_EXIT)
        fill_access(vcpu);
    else
        fill_other(vcpu, s);
    vcpu->shown = s == STEP_EXIT ? SHOWN_ACCESS : SHOWN_OTHER;
    sync_registers(vcpu);
}

void mock_exit_kicked(mock_vcpu *vcpu, uint32_t detail)
{
    start(vcpu, VSDK_EXIT_KICKED, MOCK_NATIVE_KICKED);
    vcpu->backend->exit->detail = detail;
    if (!vcpu->cpu.vm->autonomous)
        sync_registers(vcpu);
}

void mock_exit_none(mock_vcpu *vcpu)
{
    start(vcpu, VSDK_EXIT_NONE, 0);
    sync_registers(vcpu);
}

void mock_exit_answer(mock_vcpu *vcpu)
{
    vcpu->shown = SHOWN_NOTHING;
    if (vcpu->cpu.held)
        cpu_answer(&vcpu->cpu, vcpu->backend->exit->value);
}
