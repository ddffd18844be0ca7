/* SPDX-License-Identifier: Apache-2.0 */
/* Reset: whatever a guest did, its vCPUs are afterwards what the kernel makes them. */
#include "backends/kvm/objects_kvm.h"
#include "kvm_rig.h"
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { MSRS = 600, MSR_TSC = 0x10, XSAVE_BYTES = 16384 };

/* All that the kernel tells of a vCPU. */
typedef struct state {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xcrs xcrs;
    struct kvm_lapic_state lapic;
    struct kvm_mp_state mp_state;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debug;
    char xsave[XSAVE_BYTES];
    uint64_t msr[MSRS];
} state;

static rig r;
static backend_vcpu second;
static _Alignas(64) vsdk_exit second_exit;
static state was[2], is;
static struct {
    uint32_t count;
    uint32_t indices[MSRS];
} msrs;

static int fd_of(const backend_vcpu *vcpu)
{
    return ((const vcpu_kvm *)vcpu->data)->fd;
}

static int one_msr(const backend_vcpu *vcpu, unsigned long request, uint32_t index, uint64_t *value)
{
    struct {
        uint32_t count, padding;
        struct kvm_msr_entry entry;
    } list = {.count = 1, .entry = {.index = index, .data = *value}};
    int done = ioctl(fd_of(vcpu), request, &list);
    *value = list.entry.data;
    return done == 1;
}

static void set_msr(const backend_vcpu *vcpu, uint32_t index, uint64_t value)
{
    CHECK(one_msr(vcpu, KVM_SET_MSRS, index, &value));
}

/* The kernel's list, and the memory types and machine-check registers that it leaves out. */
static void list_msrs(void)
{
    msrs.count = MSRS - 40;
    CHECK(ioctl(((const host_kvm *)r.host.data)->fd, KVM_GET_MSR_INDEX_LIST, &msrs) == 0);
    for (uint32_t i = 0; i < 16; i++)
        msrs.indices[msrs.count++] = 0x200 + i;
    for (uint32_t i = 0; i < 8; i++)
        msrs.indices[msrs.count++] = 0x268 + i;
    for (uint32_t i = 0; i < 4; i++)
        msrs.indices[msrs.count++] = 0x400 + i;
    msrs.indices[msrs.count++] = 0x250;
    msrs.indices[msrs.count++] = 0x2ff;
}

static void take(const backend_vcpu *vcpu, state *s)
{
    int fd = fd_of(vcpu);
    memset(s, 0, sizeof *s);
    CHECK(ioctl(fd, KVM_GET_MP_STATE, &s->mp_state) == 0);
    CHECK(ioctl(fd, KVM_GET_REGS, &s->regs) == 0);
    CHECK(ioctl(fd, KVM_GET_SREGS, &s->sregs) == 0);
    CHECK(ioctl(fd, KVM_GET_XCRS, &s->xcrs) == 0);
    CHECK(ioctl(fd, KVM_GET_VCPU_EVENTS, &s->events) == 0);
    CHECK(ioctl(fd, KVM_GET_DEBUGREGS, &s->debug) == 0);
    CHECK(ioctl(fd, KVM_GET_XSAVE2, s->xsave) == 0);
    if (r.vm.config.irqchip != VSDK_IRQCHIP_NONE)
        CHECK(ioctl(fd, KVM_GET_LAPIC, &s->lapic) == 0);
    for (uint32_t i = 0; i < msrs.count; i++)
        if (msrs.indices[i] != MSR_TSC)
            one_msr(vcpu, KVM_GET_MSRS, msrs.indices[i], &s->msr[i]);
}

/* A machine of two processors whose state has been taken before anything was set. */
static void open_new(vsdk_irqchip irqchip)
{
    rig_vcpus = 2;
    rig_long_mode = 0;
    rig_open(&r, irqchip, 0);
    rig_vcpus = 1;
    rig_long_mode = 1;
    second = (backend_vcpu){.vm = &r.vm, .index = 1, .exit = &second_exit};
    CHECK(rig_ops->vcpu_create(&second, &r.error) == VSDK_OK);
    r.vcpus[1] = &second;
    list_msrs();
    take(&r.vcpu, &was[0]);
    take(&second, &was[1]);
    rig_set_long_mode(&r);
}

static void close_new(void)
{
    rig_ops->vm_destroy(&r.vm);
    rig_ops->vcpu_destroy(&second);
    r.vcpus[1] = NULL;
    rig_close(&r);
}

#define SAME(field)                                                                                \
    rig_check(memcmp(&is.field, &before->field, sizeof is.field) == 0, #field, __FILE__, __LINE__)

static void expect_new(const backend_vcpu *vcpu)
{
    const state *before = &was[vcpu->index];
    take(vcpu, &is);
    SAME(regs);
    SAME(sregs);
    SAME(xcrs);
    SAME(lapic);
    SAME(mp_state);
    SAME(events);
    SAME(debug);
    SAME(xsave);
    for (uint32_t i = 0; i < msrs.count; i++)
        if (is.msr[i] != before->msr[i])
            printf("# msr 0x%x is %llx, was %llx\n", msrs.indices[i], (long long)is.msr[i],
                   (long long)before->msr[i]);
    SAME(msr);
}

static void reset(void)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    vsdk_status status = rig_ops->vm_reset(&r.vm, &r.error);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(status == VSDK_OK);
    printf("# %ld us %s\n",
           (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000,
           status == VSDK_OK ? "" : r.error.message);
}

/* By the host, where the guest here may not: it is at CPL 3. */
static void disturb(const backend_vcpu *vcpu)
{
    struct kvm_debugregs debug = {.db = {1, 2, 3, 4}, .dr6 = 0xffff0ff0, .dr7 = 0x400};
    struct kvm_xcrs xcrs = was[0].xcrs;
    CHECK(ioctl(fd_of(vcpu), KVM_SET_DEBUGREGS, &debug) == 0);
    xcrs.xcrs[0].value |= 7;
    ioctl(fd_of(vcpu), KVM_SET_XCRS, &xcrs);
    set_msr(vcpu, 0xc0000082, 0x1234);
    set_msr(vcpu, 0xc0000102, 0x5678);
    set_msr(vcpu, 0x174, 8);
    set_msr(vcpu, 0x277, 0x0007040600070406);
    set_msr(vcpu, 0x2ff, 0x800);
    set_msr(vcpu, 0x200, 0x80000006);
    set_msr(vcpu, 0x250, 0x0606060606060606);
    set_msr(vcpu, 0x400, 0);
}

GUEST(busy_code, "mov $0x1ff, %eax; mov $0xfee00000, %edi; mov %eax, 0xf0(%rdi);"
                 "movl $0x20040, 0x320(%rdi); movl $0x100000, 0x380(%rdi);"
                 "movl $0x02000000, 0x310(%rdi); movl $0x4500, 0x300(%rdi);"
                 "movl $0x4607, 0x300(%rdi);"
                 "mov $0x123456789abcdef, %rbx; movq %rbx, %xmm3;"
                 "mov %rbx, 0x18000; out %al, $0x10; in $0x90, %al; 1: jmp 1b");
GUEST(second_code, ".code16; out %al, $0x90; 1: jmp 1b; .code64");

static void run_second(void)
{
    CHECK(rig_ops->vcpu_enter(&second, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_run(&second, &r.error) == VSDK_OK);
    rig_ops->vcpu_leave(&second);
    CHECK(second_exit.reason == VSDK_EXIT_PIO && second_exit.address == 0x90);
}

/* Twice: the second reset has what the first read. */
static void as_created(vsdk_irqchip irqchip)
{
    open_new(irqchip);
    for (int i = 0; i < 2; i++) {
        memcpy((char *)r.ram.memory + 0x7000, second_code, second_code_end - second_code);
        rig_load(&r, busy_code, busy_code_end);
        CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x10);
        CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x90);
        run_second();
        disturb(&r.vcpu);
        disturb(&second);
        reset();
        CHECK(r.exit.address == 0x90); /* its reader may be at it */
        expect_new(&r.vcpu);
        expect_new(&second);
        CHECK(*(uint64_t *)((char *)r.ram.memory + 0x18000) == 0x123456789abcdef);
        rig_set_long_mode(&r);
    }
    close_new();
}

TEST(as_created_with_the_portable_controllers)
{
    as_created(VSDK_IRQCHIP_PORTABLE);
}

TEST(as_created_with_the_kernels_controllers)
{
    as_created(VSDK_IRQCHIP_KERNEL);
}

GUEST(alone_code, "out %al, $0x10; in $0x90, %al; 1: jmp 1b");

TEST(as_created_without_controllers)
{
    open_new(VSDK_IRQCHIP_NONE);
    rig_load(&r, alone_code, alone_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x10);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x90);
    disturb(&r.vcpu);
    CHECK(rig_ops->vcpu_inject_nmi(&r.vcpu, &r.error) == VSDK_OK);
    reset();
    expect_new(&r.vcpu);
    expect_new(&second);
    rig_set_long_mode(&r);
    rig_load(&r, alone_code, alone_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO && r.exit.address == 0x10);
    close_new();
}

/* A processor that was told to start, and has not been run since, waits again. */
TEST(a_start_under_way_is_forgotten)
{
    open_new(VSDK_IRQCHIP_PORTABLE);
    rig_load(&r, busy_code, busy_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x10);
    reset();
    expect_new(&second);
    atomic_store(&second.requests, REQUEST_KICK);
    CHECK(rig_ops->vcpu_enter(&second, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_run(&second, &r.error) == VSDK_OK);
    rig_ops->vcpu_leave(&second);
    CHECK(second_exit.reason == VSDK_EXIT_KICKED);
    close_new();
}

/* The access is not finished with an answer of the guest that is no more. */
GUEST(read_code, "mov (%rdi), %rax; out %eax, $0x30; 1: jmp 1b");

TEST(a_pending_access_is_dropped)
{
    vsdk_x86_regs regs;
    open_new(VSDK_IRQCHIP_PORTABLE);
    rig_load(&r, read_code, read_code_end);
    rig_set(&r, 0, 0, 0, RIG_MMIO + 0xffd);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_MMIO);
    reset();
    CHECK(r.exit.reason == VSDK_EXIT_MMIO);
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK && r.exit.reason == VSDK_EXIT_NONE);
    CHECK(rig_ops->vcpu_get_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    CHECK(regs.rax == 0 && regs.rip == 0xfff0);
    close_new();
}

GUEST(fault_code, "ud2");

TEST(after_a_triple_fault)
{
    open_new(VSDK_IRQCHIP_PORTABLE);
    rig_load(&r, fault_code, fault_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_CRASH);
    reset();
    expect_new(&r.vcpu);
    rig_set_long_mode(&r);
    rig_load(&r, alone_code, alone_code_end);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO && r.exit.address == 0x10);
    close_new();
}

TEST(the_kernels_controllers_too)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC}, new;
    struct kvm_pit_state2 pit, new_pit;
    open_new(VSDK_IRQCHIP_KERNEL);
    int fd = ((const vm_kvm *)r.vm.data)->fd;
    CHECK(ioctl(fd, KVM_GET_IRQCHIP, &chip) == 0);
    CHECK(ioctl(fd, KVM_GET_PIT2, &pit) == 0);
    new = chip;
    new_pit = pit;
    chip.chip.ioapic.redirtbl[3].bits = 0x33;
    pit.channels[0].mode = 2;
    pit.channels[0].count = 0x1000;
    CHECK(ioctl(fd, KVM_SET_IRQCHIP, &chip) == 0);
    CHECK(ioctl(fd, KVM_SET_PIT2, &pit) == 0);
    reset();
    CHECK(ioctl(fd, KVM_GET_IRQCHIP, &chip) == 0);
    CHECK(ioctl(fd, KVM_GET_PIT2, &pit) == 0);
    CHECK(memcmp(&chip, &new, sizeof new) == 0);
    CHECK(pit.channels[0].mode == new_pit.channels[0].mode);
    CHECK(pit.channels[0].count == new_pit.channels[0].count);
    close_new();
}

TEST(time_begins_again)
{
    uint64_t before = 0, after = 0, others = 0;
    open_new(VSDK_IRQCHIP_PORTABLE);
    for (int i = 0; i < 2; i++)
        set_msr(i ? &second : &r.vcpu, MSR_TSC, UINT64_C(1) << 50);
    CHECK(one_msr(&r.vcpu, KVM_GET_MSRS, MSR_TSC, &before));
    if (!(before >> 50)) {
        printf("# this KVM gives its guests the host's time stamps as they are\n");
        close_new();
        return;
    }
    reset();
    CHECK(one_msr(&r.vcpu, KVM_GET_MSRS, MSR_TSC, &after) && !(after >> 45));
    CHECK(one_msr(&second, KVM_GET_MSRS, MSR_TSC, &others) && !(others >> 45));
    close_new();
}

static int fails; /* allocations */
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails ? NULL : __real_calloc(count, bytes);
}

TEST(without_memory)
{
    open_new(VSDK_IRQCHIP_PORTABLE);
    fails = 1;
    vsdk_status status = rig_ops->vm_reset(&r.vm, &r.error);
    fails = 0;
    CHECK(status == VSDK_ERROR_NO_MEMORY && r.error.code == status);
    reset();
    expect_new(&r.vcpu);
    close_new();
}

int main(void)
{
    rig_begin();
    RUN(without_memory);
    RUN(as_created_with_the_portable_controllers);
    RUN(as_created_with_the_kernels_controllers);
    RUN(as_created_without_controllers);
    RUN(a_start_under_way_is_forgotten);
    RUN(a_pending_access_is_dropped);
    RUN(after_a_triple_fault);
    RUN(the_kernels_controllers_too);
    RUN(time_begins_again);
    return rig_finish();
}
