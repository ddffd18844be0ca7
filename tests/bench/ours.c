/* SPDX-License-Identifier: Apache-2.0 */
/* A machine of the benches by the library. Whatever fails ends the bench with what the library
 * said: a figure is of calls that all succeeded. */
#include "ours.h"
#include "guest.h"
#include <stdio.h>
#include <stdlib.h>

static vsdk_error error;

static void must(vsdk_status status)
{
    if (status == VSDK_OK)
        return;
    fprintf(stderr, "%s: %s %s\n", error.operation, error.message, error.hint);
    exit(1);
}

vsdk_host *ours_open(const char *backend)
{
    vsdk_host *host;
    must(vsdk_host_open(backend, NULL, &host, &error));
    return host;
}

static void create_memory(ours_vm *vm, size_t bytes, ours_guest guest)
{
    must(vsdk_ram_create(vm->vm, bytes, NULL, &vm->ram, &error));
    must(vsdk_vm_map(vm->vm, 0, vm->ram, 0, bytes, 0, &error));
    vm->memory = vsdk_ram_data(vm->ram);
    if (guest == GUEST_LONG)
        guest_fill_long(vm->memory);
    else
        guest_fill_real(vm->memory, guest == GUEST_REAL);
}

static void set_long_mode(vsdk_x86_sregs *s)
{
    const vsdk_x86_segment cs = {
        .limit = UINT32_MAX, .selector = GUEST_CS, .access = GUEST_CS_ACCESS};
    const vsdk_x86_segment ds = {
        .limit = UINT32_MAX, .selector = GUEST_DS, .access = GUEST_DS_ACCESS};
    s->cs = cs;
    s->ds = s->es = s->fs = s->gs = s->ss = ds;
    s->cr0 = GUEST_CR0;
    s->cr3 = GUEST_TABLES;
    s->cr4 = GUEST_CR4;
    s->efer = GUEST_EFER;
}

static void set_state(ours_vm *vm, ours_guest guest)
{
    vsdk_x86_sregs s;
    must(vsdk_vcpu_get_state(vm->vcpu, VSDK_X86_SREGS, &s, sizeof(vsdk_x86_sregs), &error));
    if (guest == GUEST_LONG) {
        set_long_mode(&s);
    } else {
        s.cs.base = 0;
        s.cs.selector = 0;
    }
    must(vsdk_vcpu_set_state(vm->vcpu, VSDK_X86_SREGS, &s, sizeof(vsdk_x86_sregs), &error));
    ours_set_count(vm, 1);
}

void ours_create(ours_vm *vm, vsdk_host *host, size_t bytes, ours_guest guest)
{
    vsdk_vm_config config = {.size = sizeof config, .memory_max = bytes};
    must(vsdk_vm_create(host, &config, &vm->vm, &error));
    create_memory(vm, bytes, guest);
    must(vsdk_vcpu_create(vm->vm, 0, NULL, &vm->vcpu, &error));
    vm->exit = vsdk_vcpu_record(vm->vcpu);
    set_state(vm, guest);
    must(vsdk_vm_resume(vm->vm, &error));
}

void ours_attach(ours_vm *vm, vsdk_device_write_fn write, void *user)
{
    const vsdk_device_ops ops = {.size = sizeof ops, .write = write};
    vsdk_device *device;
    must(vsdk_device_create(vm->vm, &ops, user, NULL, &device, &error));
    must(vsdk_device_add_range(device, VSDK_SPACE_PIO, GUEST_PORT, 1, 0, &error));
    vsdk_device_close(device);
}

void ours_destroy(ours_vm *vm)
{
    vsdk_ram_close(vm->ram);
    vsdk_vcpu_close(vm->vcpu);
    must(vsdk_vm_destroy(vm->vm, &error));
    vsdk_vm_close(vm->vm);
}

/* Before the first run, or at the exit of a write, where RIP stays. */
void ours_set_count(ours_vm *vm, uint64_t count)
{
    vsdk_x86_regs regs = {.rip = GUEST_CODE};
    if (vm->exit->reason == VSDK_EXIT_PIO)
        must(vsdk_vcpu_get_state(vm->vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), &error));
    regs = (vsdk_x86_regs){.rip = regs.rip,
                           .rflags = GUEST_RFLAGS,
                           .rax = GUEST_LETTER,
                           .rdx = GUEST_PORT,
                           .rcx = count,
                           .rsi = count};
    must(vsdk_vcpu_set_state(vm->vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), &error));
}

uint64_t ours_run(ours_vm *vm)
{
    for (uint64_t exits = 0;; exits++) {
        must(vsdk_vcpu_run(vm->vcpu, VSDK_FOREVER, &error));
        if (vm->exit->reason != VSDK_EXIT_PIO) {
            fprintf(stderr, "exit: %s\n", vsdk_exit_reason_name(vm->exit->reason));
            exit(1);
        }
        if (vm->exit->address == GUEST_DONE)
            return exits;
    }
}
