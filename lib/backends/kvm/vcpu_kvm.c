/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU's life, and its run: one KVM_RUN an exit.
 *
 * `pending` says that the kernel waits for the next KVM_RUN to finish an access. What leaves the
 * guest finishes it first, by a KVM_RUN with immediate_exit, so that registers are exact
 * afterwards. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/exit_path.h"
#include "base/sys.h"
#include "base/topology_x86_64.h"
#include <errno.h>
#include <sys/mman.h>

enum { MSR_MTRR_DEFAULT_TYPE = 0x2ff, MTRR_ON_WRITE_BACK = 0x806, MCE_BANKS = 1 };

/* Firmware would have done this; without it Linux does not use page attributes. It may fail. */
static void enable_mtrr(int fd)
{
    struct {
        uint32_t count, padding;
        struct kvm_msr_entry entry;
    } msrs = {
        .count = 1,
        .entry = {.index = MSR_MTRR_DEFAULT_TYPE, .data = MTRR_ON_WRITE_BACK},
    };
    sys_ioctl_retry(fd, KVM_SET_MSRS, (uintptr_t)&msrs);
}

/* CPUID says that there is a machine-check architecture; with no bank in it Linux looks again and
 * again, 185 MSR exits a boot. It may fail. */
static void give_mce_bank(host_kvm *host, int fd)
{
    uint64_t capabilities = MCE_BANKS;
    if (kvm_has(host, KVM_ASK_MCE))
        sys_ioctl_retry(fd, KVM_X86_SETUP_MCE, (uintptr_t)&capabilities);
}

vsdk_status kvm_vcpu_set_up(backend_vcpu *vcpu, int fd, vsdk_error *error)
{
    vsdk_status status = kvm_cpuid_install(vcpu, fd, error);
    if (status)
        return status;
    if (vcpu->index == 0)
        enable_mtrr(fd);
    give_mce_bank(kvm_host_of(vcpu->vm), fd);
    return VSDK_OK;
}

static uint32_t wanted_classes(const backend_vcpu *vcpu)
{
    return (vcpu->sync_regs ? KVM_SYNC_X86_REGS : 0) | (vcpu->sync_sregs ? KVM_SYNC_X86_SREGS : 0);
}

static vsdk_status create_vcpu(backend_vcpu *vcpu, vcpu_kvm *v, vsdk_error *error)
{
    vm_kvm *k = vcpu->vm->data;
    int fd = k->kept[vcpu->index];
    if (!fd)
        fd = sys_ioctl_retry(k->fd, KVM_CREATE_VCPU, topology_apic_id(vcpu->index));
    if (fd >= 0)
        fd = sys_high(fd);
    if (fd < 0)
        return kvm_error(error, fd, "KVM_CREATE_VCPU", "the vCPU can't be created");
    k->kept[vcpu->index] = 0;
    v->fd = fd;
    struct kvm_run *run = sys_map_fd(fd, v->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (!run)
        return kvm_error(error, -errno, "mmap", "the vCPU's shared pages can't be mapped");
    madvise(run, v->run_bytes, MADV_DONTFORK);
    atomic_store(&v->run, run);
    vsdk_status status = kvm_vcpu_set_up(vcpu, fd, error);
    if (status)
        return status;
    v->synced = wanted_classes(vcpu);
    run->kvm_valid_regs = v->synced;
    return VSDK_OK;
}

static void keep_descriptor(vm_kvm *k, vcpu_kvm *v)
{
    if (v->fd >= 0)
        k->kept[v->vcpu->index] = v->fd;
    v->fd = -1;
}

static vsdk_status check_config(const backend_vcpu *vcpu, vsdk_error *error)
{
    if (wanted_classes(vcpu) & ~kvm_has(kvm_host_of(vcpu->vm), KVM_ASK_SYNC_REGS))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vcpu_create",
                         "this kernel's KVM lacks KVM_CAP_SYNC_REGS");
    return VSDK_OK;
}

vsdk_status kvm_vcpu_create(backend_vcpu *vcpu, vsdk_error *error)
{
    const host_kvm *h = kvm_host_of(vcpu->vm);
    vsdk_status status = check_config(vcpu, error);
    if (status)
        return status;
    vcpu_kvm *v = alloc_aligned(64, sizeof *v);
    if (!v)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vcpu_create", "no memory for a vCPU");
    v->fd = -1;
    v->vcpu = vcpu;
    v->run_bytes = h->run_bytes;
    v->started = vcpu->index == 0;
    kvm_kick_init(v, h);
    vcpu->data = v;
    status = create_vcpu(vcpu, v, error);
    if (status) {
        keep_descriptor(vcpu->vm->data, v);
        kvm_vcpu_destroy(vcpu);
    }
    return status;
}

/* The record may show elements that are in the shared pages. */
static void hide_shared_data(const vcpu_kvm *v, const struct kvm_run *run)
{
    vsdk_exit *x = v->vcpu->exit;
    if (x->data - (uintptr_t)run < v->run_bytes) {
        x->count = 0;
        x->data = (uintptr_t)&x->value;
    }
}

void kvm_vcpu_release(backend_vcpu *vcpu)
{
    vcpu_kvm *v = vcpu->data;
    if (!v)
        return;
    struct kvm_run *run = atomic_exchange(&v->run, NULL);
    kvm_kick_close(v);
    if (run && kvm_is_ours(vcpu->vm)) { /* a forked child has something else there, or nothing */
        hide_shared_data(v, run);
        sys_unmap(run, v->run_bytes);
    }
    sys_close(v->fd);
    v->fd = -1;
}

void kvm_vcpu_destroy(backend_vcpu *vcpu)
{
    kvm_vcpu_release(vcpu);
    alloc_free(vcpu->data);
    vcpu->data = NULL;
}

static inline int must_leave(const vcpu_kvm *v)
{
    return atomic_load_explicit(&v->vcpu->requests, memory_order_seq_cst) | v->kick.expired;
}

static inline int kvm_run(vcpu_kvm *v)
{
    int r = sys_ioctl(v->fd, KVM_RUN, 0);
    v->in_run = v->synced;
    v->sregs_known = 0;
    if (__builtin_expect(r < 0, 0)) {
        v->may_be_halted = 1; /* a halt is left by a signal, an interrupt or new registers only */
        return r;
    }
    v->started = 1;
    v->may_be_halted = 0;
    return r;
}

static void handled_inside(vcpu_kvm *v)
{
    atomic_fetch_add_explicit(&v->vcpu->internal, 1, memory_order_relaxed);
}

/* Finishes the pending access without executing what follows. 1 if the record shows the next
 * fragment of it, 0 if it is finished, -errno. */
static int finish_access(vcpu_kvm *v)
{
    struct kvm_run *run = atomic_load_explicit(&v->run, memory_order_relaxed);
    while (v->pending) {
        __atomic_store_n(&run->immediate_exit, 1, __ATOMIC_RELAXED);
        int r = kvm_run(v);
        __atomic_store_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        if (r < 0 && r != -EINTR)
            return r;
        v->may_be_halted = 0; /* it stands at the end of an instruction that accessed something */
        v->pending = 0;
        if (r >= 0 && kvm_exit_fill(v))
            return 1;
    }
    return 0;
}

OFF_EXIT_PATH static vsdk_status run_failed(vcpu_kvm *v, int result, vsdk_error *error)
{
    const struct kvm_run *run = atomic_load_explicit(&v->run, memory_order_relaxed);
    if ((result == -EFAULT || result == -EHWPOISON) && run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
        kvm_exit_memory_fault(v);
        return VSDK_OK;
    }
    if (result == -EFAULT)
        return error_set_errno(error, VSDK_ERROR_SYSTEM, EFAULT, "KVM_RUN",
                               "the host could not provide a page of guest memory");
    if (result == -ENOSPC) { /* KVM makes room for page tables by the memory that is there */
        error_set_errno(error, VSDK_ERROR_SYSTEM, ENOSPC, "KVM_RUN",
                        "no memory is mapped in the virtual machine");
        return error_hint(error, VSDK_ERROR_SYSTEM,
                          "create memory with vsdk_ram_create and map it with vsdk_vm_map");
    }
    return kvm_system_error(error, result, "KVM_RUN", "the vCPU can't run");
}

/* The kernel waits for an answer, and would finish the access at the next entry: so it gets ones,
 * as the record has them, for each part. An element of a string read ends in memory even so. The
 * record is left to the thread that may be reading it: the parts go where nobody looks. */
OFF_EXIT_PATH vsdk_status kvm_vcpu_forget(vcpu_kvm *v, vsdk_error *error)
{
    struct kvm_run *run = atomic_load_explicit(&v->run, memory_order_relaxed);
    int r = 0;
    backend_vcpu *own = v->vcpu;
    vsdk_exit unseen = {.reason = VSDK_EXIT_NONE};
    backend_vcpu aside = {.vm = own->vm, .index = own->index, .flags = own->flags, .exit = &unseen};
    uint32_t synced = v->synced;
    v->synced = 0; /* `aside` has nowhere to put registers */
    v->vcpu = &aside;
    do {
        v->answer = NULL;
        v->unanswered = 0;
        r = finish_access(v);
    } while (r > 0);
    v->vcpu = own;
    v->synced = synced;
    if (r < 0)
        return kvm_error(error, r, "KVM_RUN", "the pending access can't be dropped");
    run->kvm_dirty_regs = 0;
    v->in_run = 0;
    v->sregs_known = 0;
    v->may_be_halted = 0;
    v->started = v->vcpu->index == 0;
    atomic_store(&v->nmi, 0);
    return VSDK_OK;
}

OFF_EXIT_PATH static vsdk_status leave_guest(vcpu_kvm *v, vsdk_error *error)
{
    int r = finish_access(v);
    if (r < 0)
        return run_failed(v, r, error);
    if (r == 0)
        kvm_exit_kicked(v, atomic_load(&v->vcpu->requests) ? 0 : VSDK_KICK_DEADLINE);
    return VSDK_OK;
}

OFF_EXIT_PATH static void inject_nmi(vcpu_kvm *v)
{
    if (atomic_exchange(&v->nmi, 0))
        sys_ioctl_retry(v->fd, KVM_NMI, 0);
}

/* 1 when run is to return with the record as it is. */
OFF_EXIT_PATH static int interrupted(vcpu_kvm *v)
{
    v->pending = 0;
    if (kvm_kick_take(v) || must_leave(v)) {
        handled_inside(v);
        return 0;
    }
    kvm_exit_kicked(v, VSDK_KICK_SIGNAL);
    return 1;
}

static vsdk_status run_guest(vcpu_kvm *v, vsdk_error *error)
{
    for (;;) {
        if (__builtin_expect(must_leave(v), 0))
            return leave_guest(v, error);
        if (__builtin_expect(atomic_load_explicit(&v->nmi, memory_order_relaxed), 0))
            inject_nmi(v);
        int r = kvm_run(v);
        if (__builtin_expect(r >= 0, 1)) {
            v->pending = 0;
            if (kvm_exit_fill(v))
                return VSDK_OK;
            handled_inside(v);
        } else if (r == -EINTR) {
            if (interrupted(v))
                return VSDK_OK;
        } else if (r == -EAGAIN) {
            handled_inside(v);
        } else {
            return run_failed(v, r, error);
        }
    }
}

EXIT_PATH vsdk_status kvm_vcpu_run(backend_vcpu *vcpu, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    if (v->unanswered && kvm_exit_answer(v))
        return VSDK_OK;
    if (vcpu->deadline_ns && vcpu->deadline_ns != v->kick.armed && !v->kick.expired) {
        vsdk_status status = kvm_kick_arm(v, error);
        if (status)
            return status;
    }
    return run_guest(v, error);
}

vsdk_status kvm_vcpu_complete(backend_vcpu *vcpu, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    if (v->unanswered && kvm_exit_answer(v))
        return VSDK_OK;
    int r = finish_access(v);
    if (r < 0)
        return run_failed(v, r, error);
    if (r == 0)
        kvm_exit_none(v);
    return VSDK_OK;
}
