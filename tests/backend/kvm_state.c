/* SPDX-License-Identifier: Apache-2.0 */
/* What a vCPU is when it is made, what a halt does to it, and which registers it takes. */
#include "backends/kvm/objects_kvm.h"
#include "kvm_rig.h"
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { MSR_MCG_CAP = 0x179 };

static rig r;

static int get_msr(const backend_vcpu *vcpu, uint32_t index, uint64_t *value)
{
    struct {
        uint32_t count, padding;
        struct kvm_msr_entry entry;
    } msrs = {.count = 1, .entry = {.index = index}};
    int got = ioctl(((const vcpu_kvm *)vcpu->data)->fd, KVM_GET_MSRS, &msrs);
    *value = msrs.entry.data;
    return got == 1;
}

/* Without banks Linux meets an MSR that does not exist at each of its looks for one. */
TEST(machine_check_banks)
{
    uint64_t value = 0;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    CHECK(get_msr(&r.vcpu, MSR_MCG_CAP, &value));
    CHECK((value & 0xff) == 1);
    rig_close(&r);
}

GUEST(halt_for_good_code, "cli; out %al, $0x10; 1: hlt; jmp 1b");
GUEST(halt_code, "sti; out %al, $0x10; 1: hlt; jmp 1b");
GUEST(after_code, "out %al, $0x11; 1: jmp 1b");

static uint64_t soon(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec + 20000000u;
}

static void run_to_halt(const char *begin, const char *end)
{
    rig_load(&r, begin, end);
    rig_set_kernel_mode(&r);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO && r.exit.address == 0x10);
    CHECK(!rig_ops->vcpu_is_halted(&r.vcpu));
    r.vcpu.deadline_ns = soon();
    CHECK(rig_run(&r) == VSDK_OK && r.exit.detail == VSDK_KICK_DEADLINE);
    r.vcpu.deadline_ns = 0;
}

TEST(halted_for_good)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    CHECK(!rig_ops->vcpu_is_halted(&r.vcpu));
    run_to_halt(halt_for_good_code, halt_for_good_code_end);
    CHECK(rig_ops->vcpu_is_halted(&r.vcpu));
    CHECK(rig_ops->vm_send_msi(&r.vm, 0xfee00000, 0x40, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_is_halted(&r.vcpu));
    rig_close(&r);
}

TEST(halted_until_an_interrupt)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    run_to_halt(halt_code, halt_code_end);
    CHECK(!rig_ops->vcpu_is_halted(&r.vcpu));
    rig_close(&r);
}

/* A guest that stopped itself is given another program. */
static void restarted_after_a_halt(uint32_t flags)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, flags);
    run_to_halt(halt_for_good_code, halt_for_good_code_end);
    rig_load(&r, after_code, after_code_end);
    CHECK(!rig_ops->vcpu_is_halted(&r.vcpu));
    r.vcpu.deadline_ns = soon() + 2000000000u;
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_PIO && r.exit.address == 0x11);
    rig_close(&r);
}

TEST(registers_end_a_halt)
{
    restarted_after_a_halt(0);
    restarted_after_a_halt(VSDK_VCPU_SYNC_GENERAL);
}

GUEST(two_writes_code, "out %al, $0x10; out %al, $0x12; 1: jmp 1b");

/* A loop that sets a start address after each write must not run on in silence. */
TEST(another_rip_at_a_write_is_refused)
{
    vsdk_x86_regs regs;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, two_writes_code, two_writes_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x10);
    CHECK(rig_ops->vcpu_get_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    regs.rax = 0x77;
    CHECK(rig_ops->vcpu_set_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    regs.rip = RIG_CODE;
    regs.rax = 0x99;
    CHECK(rig_ops->vcpu_set_regs(&r.vcpu, &regs, &r.error) == VSDK_ERROR_STATE);
    CHECK(r.error.hint[0]);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x12);
    CHECK(r.exit.value == 0x77);
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_set_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x10 && r.exit.value == 0x99);
    rig_close(&r);
}

/* The local APICs take messages once one of them is on. */
GUEST(start_code, "mov $0xfee00300, %edi; movl $0x1ff, -0x210(%rdi); movl $0x02000000, 16(%rdi); "
                  "movl $0x4500, (%rdi);"
                  "movl $0x4607, (%rdi); out %al, $0x10; 1: jmp 1b");
GUEST(second_code, ".code16; out %al, $0x20; 1: jmp 1b; .code64");

/* Registers that are set before a processor is started are not those that it starts with. */
TEST(waiting_processor_starts_at_its_vector)
{
    _Alignas(64) vsdk_exit exit;
    backend_vcpu second = {.vm = &r.vm, .index = 1, .exit = &exit};
    vsdk_x86_regs regs = {.rip = 0x5555, .rax = 0x33, .rflags = 2};
    rig_vcpus = 2;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_vcpus = 1;
    CHECK(rig_ops->vcpu_create(&second, &r.error) == VSDK_OK);
    r.vcpus[1] = &second;
    memcpy((char *)r.ram.memory + 0x7000, second_code, second_code_end - second_code);
    CHECK(rig_ops->vcpu_set_regs(&second, &regs, &r.error) == VSDK_OK);
    rig_load(&r, start_code, start_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x10);
    second.deadline_ns = soon() + 2000000000u;
    CHECK(rig_ops->vcpu_enter(&second, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_run(&second, &r.error) == VSDK_OK);
    rig_ops->vcpu_leave(&second);
    CHECK(exit.reason == VSDK_EXIT_PIO && exit.address == 0x20 && exit.value == 0);
    CHECK(rig_ops->vcpu_get_regs(&second, &regs, &r.error) == VSDK_OK);
    CHECK(regs.rip < 0x10);
    rig_ops->vm_destroy(&r.vm);
    rig_ops->vcpu_destroy(&second);
    r.vcpus[1] = NULL;
    rig_close(&r);
}

int main(void)
{
    rig_begin();
    RUN(machine_check_banks);
    RUN(halted_for_good);
    RUN(halted_until_an_interrupt);
    RUN(registers_end_a_halt);
    RUN(another_rip_at_a_write_is_refused);
    RUN(waiting_processor_starts_at_its_vector);
    return rig_finish();
}
