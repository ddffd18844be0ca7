/* SPDX-License-Identifier: Apache-2.0 */
/* A machine of the benches by KVM's own calls, without the library. Whatever fails ends the bench.
 */
#include "raw.h"
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CPUID_ROOM = 256, LARGE = 2 << 20 };

static int must(int result, const char *what)
{
    if (result >= 0)
        return result;
    perror(what);
    exit(1);
}

void raw_open(raw_host *host)
{
    struct kvm_cpuid2 *cpuid;
    host->fd = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    if (must(ioctl(host->fd, KVM_GET_API_VERSION, 0), "KVM_GET_API_VERSION") != 12)
        exit(1);
    host->run_bytes = must(ioctl(host->fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    cpuid = calloc(1, sizeof *cpuid + CPUID_ROOM * sizeof cpuid->entries[0]);
    if (!cpuid)
        exit(1);
    cpuid->nent = CPUID_ROOM;
    must(ioctl(host->fd, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
    host->cpuid = cpuid;
}

void raw_close(raw_host *host)
{
    free(host->cpuid);
    close(host->fd);
}

static void create_memory(raw_vm *vm)
{
    vm->mapping = mmap(NULL, vm->bytes + LARGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (vm->mapping == MAP_FAILED)
        exit(1);
    vm->memory = (void *)(((uintptr_t)vm->mapping + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
    madvise(vm->memory, vm->bytes, MADV_HUGEPAGE);
    madvise(vm->memory, vm->bytes, MADV_DONTFORK);
    struct kvm_userspace_memory_region region = {.memory_size = vm->bytes,
                                                 .userspace_addr = (uintptr_t)vm->memory};
    must(ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
    guest_fill_long(vm->memory);
}

static void set_memory_types(int vcpu)
{
    struct {
        uint32_t count, padding;
        struct kvm_msr_entry entry;
    } msrs = {.count = 1, .entry = {.index = 0x2ff, .data = 0x806}};
    ioctl(vcpu, KVM_SET_MSRS, &msrs);
}

static void set_signal_mask(int vcpu)
{
    struct {
        uint32_t length;
        uint8_t set[8];
    } arg = {.length = sizeof arg.set};
    sigset_t kick, mask;
    sigemptyset(&kick);
    sigaddset(&kick, SIGRTMAX - 1);
    pthread_sigmask(SIG_BLOCK, &kick, &mask);
    sigdelset(&mask, SIGRTMAX - 1);
    memcpy(arg.set, &mask, sizeof arg.set);
    must(ioctl(vcpu, KVM_SET_SIGNAL_MASK, &arg), "KVM_SET_SIGNAL_MASK");
}

static void set_state(raw_vm *vm)
{
    struct kvm_sregs s;
    must(ioctl(vm->vcpu, KVM_GET_SREGS, &s), "KVM_GET_SREGS");
    struct kvm_segment cs = {.limit = UINT32_MAX,
                             .selector = GUEST_CS,
                             .type = 11,
                             .present = 1,
                             .dpl = 3,
                             .s = 1,
                             .l = 1,
                             .g = 1};
    struct kvm_segment ds = {.limit = UINT32_MAX,
                             .selector = GUEST_DS,
                             .type = 3,
                             .present = 1,
                             .dpl = 3,
                             .db = 1,
                             .s = 1,
                             .g = 1};
    s.cs = cs;
    s.ds = s.es = s.fs = s.gs = s.ss = ds;
    s.cr0 = GUEST_CR0;
    s.cr3 = GUEST_TABLES;
    s.cr4 = GUEST_CR4;
    s.efer = GUEST_EFER;
    must(ioctl(vm->vcpu, KVM_SET_SREGS, &s), "KVM_SET_SREGS");
    raw_set_count(vm, 1);
}

void raw_set_count(raw_vm *vm, uint64_t count)
{
    struct kvm_regs *regs = &vm->run->s.regs.regs;
    memset(regs, 0, sizeof *regs);
    regs->rip = GUEST_CODE;
    regs->rflags = GUEST_RFLAGS;
    regs->rax = GUEST_LETTER;
    regs->rdx = GUEST_PORT;
    regs->rcx = regs->rsi = count;
    vm->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

void raw_create(raw_vm *vm, const raw_host *host, size_t bytes)
{
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};
    uint64_t identity = 0xfeff8000;
    vm->bytes = bytes;
    vm->run_bytes = host->run_bytes;
    do
        vm->vm = ioctl(host->fd, KVM_CREATE_VM, 0);
    while (vm->vm < 0 && errno == EINTR);
    must(vm->vm, "KVM_CREATE_VM");
    must(ioctl(vm->vm, KVM_ENABLE_CAP, &split), "KVM_CAP_SPLIT_IRQCHIP");
    must(ioctl(vm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity), "KVM_SET_IDENTITY_MAP_ADDR");
    must(ioctl(vm->vm, KVM_SET_TSS_ADDR, 0xfeff9000), "KVM_SET_TSS_ADDR");
    create_memory(vm);
    vm->vcpu = must(ioctl(vm->vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    vm->run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
    if (vm->run == MAP_FAILED)
        exit(1);
    must(ioctl(vm->vcpu, KVM_SET_CPUID2, host->cpuid), "KVM_SET_CPUID2");
    set_memory_types(vm->vcpu);
    set_signal_mask(vm->vcpu);
    set_state(vm);
}

void raw_destroy(raw_vm *vm)
{
    munmap(vm->run, vm->run_bytes);
    close(vm->vcpu);
    close(vm->vm);
    munmap(vm->mapping, vm->bytes + LARGE);
}

static uint32_t value_of(const struct kvm_run *run)
{
    uint32_t value = 0;
    memcpy(&value, (const char *)run + run->io.data_offset, run->io.size);
    return value;
}

uint64_t raw_run(raw_vm *vm, raw_port_fn port, void *user)
{
    struct kvm_run *run = vm->run;
    for (uint64_t exits = 0;; exits++) {
        if (ioctl(vm->vcpu, KVM_RUN, 0) < 0) {
            if (errno == EINTR || errno == EAGAIN)
                continue;
            must(-1, "KVM_RUN");
        }
        if (run->exit_reason != KVM_EXIT_IO) {
            fprintf(stderr, "exit %u\n", run->exit_reason);
            exit(1);
        }
        if (run->io.port == GUEST_DONE)
            return exits;
        port(user, run->io.port, value_of(run));
    }
}
