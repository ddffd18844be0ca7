/* SPDX-License-Identifier: Apache-2.0 */
/* What a forked child has of a machine, and what is left of one when it is gone. */
#include "backends/kvm/objects_kvm.h"
#include "kvm_rig.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static rig r;

GUEST(busy_code, "1: out %al, $0x10; jmp 1b");

/* Runs in a child; the number of the check that failed, or 0. */
static void in_a_child(int (*main)(void))
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(main());
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        printf("# the child ended with %#x\n", status);
}

static int is_mapped(const void *address)
{
    unsigned char resident;
    return mincore((void *)((uintptr_t)address & ~(uintptr_t)4095), 4096, &resident) == 0;
}

static void *run_page;

static int sees_no_memory(void)
{
    if (is_mapped(r.ram.memory))
        return 1;
    if (is_mapped((char *)r.ram.memory + RIG_BYTES - 1))
        return 2;
    return is_mapped(run_page) ? 3 : 0;
}

/* Guest memory would be copied page by page while the child lives, and kvm_run shared with it. */
TEST(memory_does_not_go_to_a_child)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    run_page = atomic_load(&((vcpu_kvm *)r.vcpu.data)->run);
    CHECK(is_mapped(r.ram.memory) && is_mapped(run_page));
    in_a_child(sees_no_memory);
    rig_close(&r);
}

/* What the child has mapped in the meantime may lie where the machine's memory was. */
static int closes_what_it_has(void)
{
    char *ram = r.ram.memory, *run = run_page;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (mmap(ram, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) != ram)
        return 1;
    if (mmap(run, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) != run)
        return 2;
    *ram = *run = 5;
    rig_close(&r);
    if (!is_mapped(ram) || !is_mapped(run))
        return 3;
    return *ram == 5 && *run == 5 ? 0 : 4;
}

TEST(a_child_that_closes_touches_nothing)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, busy_code, busy_code_end);
    run_page = atomic_load(&((vcpu_kvm *)r.vcpu.data)->run);
    r.vcpu.deadline_ns = UINT64_MAX / 2; /* there is a timer */
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO);
    in_a_child(closes_what_it_has);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO);
    rig_close(&r);
}

/* The kernel itself lets nobody but the creator reach a machine. */
static int reaches_nothing(void)
{
    struct kvm_regs regs;
    struct kvm_userspace_memory_region gone = {.slot = 0};
    if (ioctl(((vcpu_kvm *)r.vcpu.data)->fd, KVM_GET_REGS, &regs) == 0 || errno != EIO)
        return 1;
    if (ioctl(((vm_kvm *)r.vm.data)->fd, KVM_SET_USER_MEMORY_REGION, &gone) == 0 || errno != EIO)
        return 2;
    return ioctl(((vm_kvm *)r.vm.data)->fd, KVM_CREATE_VCPU, 9) >= 0 || errno != EIO ? 3 : 0;
}

TEST(a_child_reaches_nothing)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    in_a_child(reaches_nothing);
    rig_close(&r);
}

GUEST(string_code, "cld; rep insl; 1: jmp 1b");

/* A handle of the vCPU, and so its record, may outlive the machine and the pages that it shared. */
TEST(the_record_points_to_no_page_that_is_gone)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, string_code, string_code_end);
    rig_set(&r, 10, 0x40, 0, 0x18000);
    run_page = atomic_load(&((vcpu_kvm *)r.vcpu.data)->run);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO);
    if (r.exit.count == 1) {
        printf("# this KVM gives a string's elements one by one\n");
    } else {
        CHECK(r.exit.data - (uintptr_t)run_page < ((vcpu_kvm *)r.vcpu.data)->run_bytes);
        rig_ops->vm_destroy(&r.vm);
        CHECK(r.exit.count == 0 && r.exit.data == (uintptr_t)&r.exit.value);
    }
    rig_close(&r);
}

int main(void)
{
    rig_begin();
    RUN(memory_does_not_go_to_a_child);
    RUN(a_child_that_closes_touches_nothing);
    RUN(a_child_reaches_nothing);
    RUN(the_record_points_to_no_page_that_is_gone);
    return rig_finish();
}
