/* SPDX-License-Identifier: Apache-2.0 */
/* A processor's registers as the neutral records have them. What a record asks for is checked whole
 * before any of it is taken. */
#include "backends/mock/mock.h"
#include "base/error.h"

enum { MXCSR_KNOWN = 0xffff };

/* The neutral record's order is not the encoding's. */
void mock_regs_read(const cpu *c, vsdk_x86_regs *regs)
{
    *regs = (vsdk_x86_regs){.rax = c->r[R_AX],
                            .rbx = c->r[R_BX],
                            .rcx = c->r[R_CX],
                            .rdx = c->r[R_DX],
                            .rsi = c->r[R_SI],
                            .rdi = c->r[R_DI],
                            .rsp = c->r[R_SP],
                            .rbp = c->r[R_BP],
                            .r8 = c->r[8],
                            .r9 = c->r[9],
                            .r10 = c->r[10],
                            .r11 = c->r[11],
                            .r12 = c->r[12],
                            .r13 = c->r[13],
                            .r14 = c->r[14],
                            .r15 = c->r[15],
                            .rip = c->r[R_IP],
                            .rflags = c->flags};
}

static void write_general(cpu *c, const vsdk_x86_regs *regs)
{
    const uint64_t low[8] = {regs->rax, regs->rcx, regs->rdx, regs->rbx,
                             regs->rsp, regs->rbp, regs->rsi, regs->rdi};
    const uint64_t high[8] = {regs->r8,  regs->r9,  regs->r10, regs->r11,
                              regs->r12, regs->r13, regs->r14, regs->r15};
    const uint64_t keep = F_POPPED | F_IF | F_IOPL | F_RF;

    for (int i = 0; i < 8; i++) {
        c->r[i] = low[i];
        c->r[8 + i] = high[i];
    }
    c->flags = (regs->rflags & keep) | F_FIXED;
}

/* An autonomous processor can be reached at an exit that was shown, or while it is paused. */
static vsdk_status reach(backend_vcpu *backend, const char *operation, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend->vm);
    const mock_vcpu *vcpu = mock_vcpu_of(backend);

    mock_enter(vm);
    if (!vm->autonomous || !vm->running || vm->ended || vcpu->shown)
        return VSDK_OK;
    mock_leave(vm);
    return error_set(error, VSDK_ERROR_STATE, operation, "processor %u is executing",
                     backend->index);
}

vsdk_status mock_vcpu_get_regs(backend_vcpu *backend, vsdk_x86_regs *regs, vsdk_error *error)
{
    vsdk_status status = reach(backend, "vsdk_vcpu_get_state", error);

    if (status)
        return status;
    mock_regs_read(&mock_vcpu_of(backend)->cpu, regs);
    mock_leave(mock_vm_of(backend->vm));
    return VSDK_OK;
}

/* The instruction of the access is finished afterwards: it needs its own RIP. */
static vsdk_status other_rip(const backend_vcpu *backend, uint64_t rip, vsdk_error *error)
{
    error_set(error, VSDK_ERROR_STATE, "vsdk_vcpu_set_state",
              "RIP is 0x%llx, not 0x%llx, while the access of vCPU %u is unfinished",
              (unsigned long long)mock_vcpu_of((backend_vcpu *)backend)->cpu.r[R_IP],
              (unsigned long long)rip, backend->index);
    if (backend->vm->host->ops->traits & BACKEND_EXACT_COMPLETE)
        return error_hint(error, VSDK_ERROR_STATE, "finish it with vsdk_vcpu_complete first");
    return error_hint(error, VSDK_ERROR_STATE,
                      "finish it by vsdk_vm_pause with VSDK_PAUSE_SETTLE first");
}

/* New registers are a new program, which begins to execute. */
static void end_halt(cpu *c)
{
    if (c->activity == CPU_HALTED || c->down)
        c->activity = CPU_RUNNING;
    c->down = 0;
}

vsdk_status mock_vcpu_set_regs(backend_vcpu *backend, const vsdk_x86_regs *regs, vsdk_error *error)
{
    mock_vcpu *vcpu = mock_vcpu_of(backend);
    vsdk_status status = reach(backend, "vsdk_vcpu_set_state", error);

    if (status)
        return status;
    if (vcpu->shown == SHOWN_ACCESS && regs->rip != vcpu->cpu.r[R_IP]) {
        status = other_rip(backend, regs->rip, error);
    } else {
        write_general(&vcpu->cpu, regs);
        vcpu->cpu.r[R_IP] = regs->rip;
        end_halt(&vcpu->cpu);
        atomic_store(&vcpu->cpu.attention, 1);
    }
    mock_leave(mock_vm_of(backend->vm));
    return status;
}

int mock_vcpu_is_halted(backend_vcpu *backend)
{
    mock_vm *vm = mock_vm_of(backend->vm);
    const cpu *c = &mock_vcpu_of(backend)->cpu;
    int halted;

    mock_enter(vm);
    halted = c->down || (c->activity == CPU_HALTED && !(c->flags & F_IF) &&
                         !(atomic_load(&c->signals) & (SIGNAL_NMI | SIGNAL_INIT)));
    mock_leave(vm);
    return halted;
}

/* Segment, table and control registers. */

void mock_sregs_read(const cpu *c, vsdk_x86_sregs *sregs)
{
    *sregs = (vsdk_x86_sregs){.cs = c->segment[S_CS],
                              .ds = c->segment[S_DS],
                              .es = c->segment[S_ES],
                              .fs = c->segment[S_FS],
                              .gs = c->segment[S_GS],
                              .ss = c->segment[S_SS],
                              .tr = c->tr,
                              .ldt = c->ldt,
                              .gdt = c->gdt,
                              .idt = c->idt,
                              .cr0 = c->cr0,
                              .cr2 = c->cr2,
                              .cr3 = c->cr3,
                              .cr4 = c->cr4,
                              .efer = c->efer,
                              .apic_base = cpu_apic_base(c)};
}

vsdk_status mock_vcpu_get_sregs(backend_vcpu *backend, vsdk_x86_sregs *sregs, vsdk_error *error)
{
    vsdk_status status = reach(backend, "vsdk_vcpu_get_state", error);

    if (status)
        return status;
    mock_sregs_read(&mock_vcpu_of(backend)->cpu, sregs);
    mock_leave(mock_vm_of(backend->vm));
    return VSDK_OK;
}

static vsdk_status check(const vsdk_x86_sregs *s, vsdk_error *error)
{
    static const char operation[] = "vsdk_vcpu_set_state";

    if ((s->cr0 & CR0_PG) && !(s->efer & EFER_LMA))
        return error_set(error, VSDK_ERROR_SYSTEM, operation,
                         "the mock interprets paging in long mode only (EFER.LMA)");
    if (s->cr4 >> 32)
        return error_set(error, VSDK_ERROR_SYSTEM, operation, "reserved bits of CR4");
    return VSDK_OK;
}

static void write_segments(cpu *c, const vsdk_x86_sregs *s)
{
    c->segment[S_CS] = s->cs;
    c->segment[S_DS] = s->ds;
    c->segment[S_ES] = s->es;
    c->segment[S_FS] = s->fs;
    c->segment[S_GS] = s->gs;
    c->segment[S_SS] = s->ss;
    c->tr = s->tr;
    c->ldt = s->ldt;
    c->gdt = s->gdt;
    c->idt = s->idt;
}

vsdk_status mock_vcpu_set_sregs(backend_vcpu *backend, const vsdk_x86_sregs *sregs,
                                vsdk_error *error)
{
    cpu *c = &mock_vcpu_of(backend)->cpu;
    vsdk_status status = check(sregs, error);

    if (!status)
        status = reach(backend, "vsdk_vcpu_set_state", error);
    if (status)
        return status;
    write_segments(c, sregs);
    c->cr0 = sregs->cr0 | CR0_ET;
    c->cr2 = sregs->cr2;
    c->cr3 = sregs->cr3;
    c->cr4 = sregs->cr4;
    c->efer = sregs->efer & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    cpu_refresh(c);
    mock_leave(mock_vm_of(backend->vm));
    return VSDK_OK;
}

/* Floating point is kept and nothing uses it. */

vsdk_status mock_vcpu_get_fpu(backend_vcpu *backend, vsdk_x86_fpu *fpu, vsdk_error *error)
{
    vsdk_status status = reach(backend, "vsdk_vcpu_get_state", error);

    if (status)
        return status;
    *fpu = mock_vcpu_of(backend)->cpu.fpu;
    mock_leave(mock_vm_of(backend->vm));
    return VSDK_OK;
}

vsdk_status mock_vcpu_set_fpu(backend_vcpu *backend, const vsdk_x86_fpu *fpu, vsdk_error *error)
{
    cpu *c = &mock_vcpu_of(backend)->cpu;
    vsdk_status status = reach(backend, "vsdk_vcpu_set_state", error);

    if (status)
        return status;
    c->fpu = *fpu;
    c->fpu.mxcsr_mask = MXCSR_KNOWN;
    mock_leave(mock_vm_of(backend->vm));
    return VSDK_OK;
}

vsdk_status mock_vcpu_get_cpuid(backend_vcpu *backend, uint32_t leaf, uint32_t subleaf,
                                vsdk_x86_cpuid_entry *entry, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend->vm);
    int found;

    mock_enter(vm);
    found = mock_cpuid(&mock_vcpu_of(backend)->cpu, leaf, subleaf, entry);
    mock_leave(vm);
    if (found)
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_x86_vcpu_get_cpuid",
                     "the vCPU has no leaf 0x%x, subleaf 0x%x", leaf, subleaf);
}
