/* SPDX-License-Identifier: Apache-2.0 */
/* Whether guest code at CPL 0 runs natively can only be measured: a machine of one page of code
 * counts down in kernel mode. A run of one instruction is the price of the exit, which is taken
 * off.
 */
#include "backends/kvm/objects_kvm.h"
#include "base/sys.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum {
    MEMORY = 0x10000,
    PML4 = 0x1000,
    PDPT = 0x2000,
    PD = 0x3000,
    CODE = 0x4000,
    INSTRUCTIONS = 4000,
    TRIES = 3
};

typedef struct probe {
    int vm, vcpu;
    char *memory;
    struct kvm_run *run;
    uint32_t run_bytes;
} probe;

/* 1: dec ecx; jnz 1b; out 0x10, al; jmp 1b */
static const uint8_t code[] = {0xff, 0xc9, 0x75, 0xfc, 0xe6, 0x10, 0xeb, 0xf8};

static void fill_memory(char *memory)
{
    uint64_t pml4 = PDPT | 3, pdpt = PD | 3, pd = 0x83;
    memcpy(memory + PML4, &pml4, sizeof pml4);
    memcpy(memory + PDPT, &pdpt, sizeof pdpt);
    memcpy(memory + PD, &pd, sizeof pd);
    memcpy(memory + CODE, code, sizeof code);
}

static int open_probe(const host_kvm *host, probe *p)
{
    p->vm = sys_ioctl_retry(host->fd, KVM_CREATE_VM, 0);
    if (p->vm < 0)
        return p->vm;
    p->vm = sys_high(p->vm);
    p->memory = sys_map_anonymous(MEMORY, 4096, 0, PROT_READ | PROT_WRITE);
    if (!p->memory)
        return -ENOMEM;
    fill_memory(p->memory);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY,
                                                 .userspace_addr = (uintptr_t)p->memory};
    int r = sys_ioctl_retry(p->vm, KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region);
    if (r < 0)
        return r;
    sys_ioctl_retry(p->vm, KVM_SET_TSS_ADDR, KVM_TSS);
    p->vcpu = sys_ioctl_retry(p->vm, KVM_CREATE_VCPU, 0);
    if (p->vcpu < 0)
        return p->vcpu;
    p->vcpu = sys_high(p->vcpu);
    p->run_bytes = host->run_bytes;
    p->run = sys_map_fd(p->vcpu, p->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
    return p->run ? 0 : -ENOMEM;
}

static void close_probe(probe *p)
{
    sys_unmap(p->run, p->run_bytes);
    sys_close(p->vcpu);
    sys_close(p->vm);
    sys_unmap(p->memory, MEMORY);
}

static int enter_long_mode(const probe *p)
{
    struct kvm_sregs s;
    int r = sys_ioctl_retry(p->vcpu, KVM_GET_SREGS, (uintptr_t)&s);
    if (r < 0)
        return r;
    struct kvm_segment code_segment = {
        .limit = UINT32_MAX, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data_segment = code_segment;
    data_segment.selector = 16;
    data_segment.type = 3;
    data_segment.l = 0;
    data_segment.db = 1;
    s.cs = code_segment;
    s.ds = s.es = s.fs = s.gs = s.ss = data_segment;
    s.cr0 = 0x80000033;
    s.cr3 = PML4;
    s.cr4 = 0x20;
    s.efer = 0x500;
    return sys_ioctl_retry(p->vcpu, KVM_SET_SREGS, (uintptr_t)&s);
}

/* Nanoseconds of a run of `count` loop turns up to its exit. */
static int64_t time_run(const probe *p, uint32_t count)
{
    struct kvm_regs regs = {.rip = CODE, .rcx = count, .rflags = 2};
    int r = sys_ioctl_retry(p->vcpu, KVM_SET_REGS, (uintptr_t)&regs);
    if (r < 0)
        return r;
    uint64_t start = sys_clock();
    r = sys_ioctl_retry(p->vcpu, KVM_RUN, 0);
    if (r < 0)
        return r;
    return p->run->exit_reason == KVM_EXIT_IO ? (int64_t)(sys_clock() - start) : -ENOEXEC;
}

static int64_t best_run(const probe *p, uint32_t count)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t ns = time_run(p, count);
        if (ns < 0)
            return ns;
        best = ns < best ? ns : best;
    }
    return best;
}

static int64_t measure(const host_kvm *host)
{
    probe p = {.vm = -1, .vcpu = -1};
    int64_t result = open_probe(host, &p);
    if (result == 0)
        result = enter_long_mode(&p);
    if (result == 0)
        result = best_run(&p, 1);
    if (result >= 0) {
        int64_t exit_ns = result;
        result = best_run(&p, INSTRUCTIONS / 2);
        if (result >= 0)
            result = result > exit_ns ? (result - exit_ns) * 1000 / INSTRUCTIONS : 0;
    }
    close_probe(&p);
    return result;
}

int64_t kvm_kernel_mode_ps(const host_kvm *host)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int64_t known = -EAGAIN;
    pthread_mutex_lock(&lock);
    if (known < 0)
        known = measure(host);
    int64_t result = known;
    pthread_mutex_unlock(&lock);
    return result;
}
