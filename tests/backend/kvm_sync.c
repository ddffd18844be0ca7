/* SPDX-License-Identifier: Apache-2.0 */
/* What registers at exits cost on KVM: requests are counted. Registers that come with an exit, are
 * changed and set again cost none but KVM_RUN. */
#include "backends/kvm/kvm_uapi.h"
#include "kvm_rig.h"
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static rig r;
static unsigned requests;

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    requests++;
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

GUEST(fs_code, "1: mov %fs:0x8000, %eax; out %al, $0x10; jmp 1b");

static void look(uint32_t classes)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, classes);
    for (unsigned i = 0; i < 64; i++)
        ((uint8_t *)r.ram.memory)[0x8000 + i] = (uint8_t)i;
    rig_load(&r, fs_code, fs_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.value == 0);
}

static void complete(void)
{
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
}

TEST(both_classes_cost_one_request_an_exit)
{
    const uint32_t both = VSDK_VCPU_SYNC_GENERAL | VSDK_VCPU_SYNC_SREGS;
    look(both);
    complete(); /* a request of its own, as it was asked for */
    for (unsigned i = 1; i < 32; i++) {
        r.sync_sregs.fs.base = i;
        r.sync.rbx = 1000 + i;
        unsigned before = requests;
        CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &r.sync_sregs, &r.error) == VSDK_OK);
        CHECK(rig_ops->vcpu_set_regs(&r.vcpu, &r.sync, &r.error) == VSDK_OK);
        CHECK(requests == before);
        CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x10);
        CHECK(requests == before + 1);
        CHECK(r.exit.value == i && r.sync.rbx == 1000 + i && r.sync_sregs.fs.base == i);
        CHECK(r.exit.flags & VSDK_EXIT_REGS_SYNCED);
        complete();
    }
    rig_close(&r);
}

/* Also where control registers do not come with exits: one request to read them, none to set. */
TEST(control_registers_wait_for_the_next_entry)
{
    vsdk_x86_sregs s;
    look(0);
    complete();
    unsigned before = requests;
    CHECK(rig_ops->vcpu_get_sregs(&r.vcpu, &s, &r.error) == VSDK_OK);
    s.fs.base = 7;
    CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &s, &r.error) == VSDK_OK);
    CHECK(requests == before + 1);
    s.fs.base = 0;
    CHECK(rig_ops->vcpu_get_sregs(&r.vcpu, &s, &r.error) == VSDK_OK && s.fs.base == 7);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.value == 7);
    CHECK(rig_ops->vcpu_get_sregs(&r.vcpu, &s, &r.error) == VSDK_OK && s.fs.base == 7);
    rig_close(&r);
}

/* What the kernel alone can judge is told by who sets it, not by a run that fails later. */
TEST(refused_control_registers_are_told_at_once)
{
    vsdk_x86_sregs s;
    look(VSDK_VCPU_SYNC_SREGS);
    complete();
    s = r.sync_sregs;
    s.fs.base = 5;
    CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &s, &r.error) == VSDK_OK);
    s.fs.base = 6;
    s.cr4 |= UINT64_C(1) << 62;
    CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &s, &r.error) == VSDK_ERROR_INVALID_ARGUMENT);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.value == 5);
    rig_close(&r);
}

/* A request undoes what waited for the next entry. */
TEST(a_request_comes_after_what_waits)
{
    vsdk_x86_sregs s;
    look(VSDK_VCPU_SYNC_SREGS);
    complete();
    s = r.sync_sregs;
    s.fs.base = 5;
    CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &s, &r.error) == VSDK_OK);
    s.fs.base = 6;
    s.cr0 ^= 1 << 16;
    unsigned before = requests;
    CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &s, &r.error) == VSDK_OK);
    CHECK(requests == before + 1);
    CHECK(rig_ops->vcpu_get_sregs(&r.vcpu, &s, &r.error) == VSDK_OK && s.fs.base == 6);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.value == 6);
    CHECK(r.sync_sregs.cr0 == s.cr0);
    rig_close(&r);
}

int main(void)
{
    rig_begin();
    RUN(both_classes_cost_one_request_an_exit);
    RUN(control_registers_wait_for_the_next_entry);
    RUN(refused_control_registers_are_told_at_once);
    RUN(a_request_comes_after_what_waits);
    return rig_finish();
}
