/* SPDX-License-Identifier: Apache-2.0 */
/* A host: an open /dev/kvm, and what it told. What every machine needs is asked when the host is
 * opened, the rest when something needs it for the first time: a start asks nothing else. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static vsdk_status open_failed(int result, vsdk_error *error)
{
    const char *op = "open /dev/kvm";
    vsdk_status code;
    const char *hint;
    if (result == -EACCES || result == -EPERM) {
        code = VSDK_ERROR_PERMISSION;
        hint = "join the group that owns /dev/kvm (usually kvm), or pass an open descriptor";
    } else if (result == -ENOENT || result == -ENODEV || result == -ENXIO) {
        code = VSDK_ERROR_UNAVAILABLE;
        hint = "load kvm_intel or kvm_amd; in a virtual machine nested virtualization must be on";
    } else {
        return kvm_error(error, result, op, "/dev/kvm can't be opened");
    }
    error_set_errno(error, code, -result, op, "/dev/kvm can't be opened");
    return error_hint(error, code, "%s", hint);
}

static vsdk_status open_device(const vsdk_host_config *config, int *fd, vsdk_error *error)
{
    if (!(config->flags & VSDK_HOST_DESCRIPTOR)) {
        *fd = sys_open("/dev/kvm", O_RDWR);
        return *fd < 0 ? open_failed(*fd, error) : VSDK_OK;
    }
    *fd = sys_dup(config->descriptor);
    return *fd < 0 ? kvm_error(error, *fd, "dup", "the descriptor can't be duplicated") : VSDK_OK;
}

static vsdk_status check_version(int fd, vsdk_error *error)
{
    int version = sys_ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version < 0)
        return error_set_errno(error, VSDK_ERROR_SYSTEM, -version, "KVM_GET_API_VERSION",
                               "the descriptor is not a KVM device");
    if (version != KVM_API_VERSION)
        return error_set(error, VSDK_ERROR_VERSION, "KVM_GET_API_VERSION",
                         "KVM has interface version %d, not %d", version, KVM_API_VERSION);
    return VSDK_OK;
}

static const int capabilities[KVM_QUESTIONS] = {
    [KVM_ASK_IMMEDIATE_EXIT] = KVM_CAP_IMMEDIATE_EXIT,
    [KVM_ASK_VCPUS] = KVM_CAP_MAX_VCPUS,
    [KVM_ASK_VCPU_IDS] = KVM_CAP_MAX_VCPU_ID,
    [KVM_ASK_SPLIT_IRQCHIP] = KVM_CAP_SPLIT_IRQCHIP,
    [KVM_ASK_IRQCHIP] = KVM_CAP_IRQCHIP,
    [KVM_ASK_PIT2] = KVM_CAP_PIT2,
    [KVM_ASK_SLOTS] = KVM_CAP_NR_MEMSLOTS,
    [KVM_ASK_SYNC_REGS] = KVM_CAP_SYNC_REGS,
    [KVM_ASK_READONLY] = KVM_CAP_READONLY_MEM,
    [KVM_ASK_IOEVENTFD] = KVM_CAP_IOEVENTFD,
    [KVM_ASK_IOEVENTFD_ANY_LENGTH] = KVM_CAP_IOEVENTFD_NO_LENGTH,
    [KVM_ASK_SIGNAL_MSI] = KVM_CAP_SIGNAL_MSI,
    [KVM_ASK_TSC_DEADLINE] = KVM_CAP_TSC_DEADLINE_TIMER,
    [KVM_ASK_USER_NMI] = KVM_CAP_USER_NMI,
    [KVM_ASK_XCRS] = KVM_CAP_XCRS,
    [KVM_ASK_NESTED] = KVM_CAP_NESTED_STATE,
    [KVM_ASK_IRQFD] = KVM_CAP_IRQFD,
    [KVM_ASK_ROUTES] = KVM_CAP_IRQ_ROUTING,
    [KVM_ASK_MCE] = KVM_CAP_MCE,
    [KVM_ASK_XSAVE] = KVM_CAP_XSAVE,
    [KVM_ASK_XSAVE_BYTES] = KVM_CAP_XSAVE2,
};

/* A question that is refused is asked again the next time. */
static int ask(host_kvm *h, kvm_question question)
{
    int r = sys_ioctl_retry(h->fd, KVM_CHECK_EXTENSION, (uintptr_t)capabilities[question]);
    if (r >= 0)
        atomic_store_explicit(&h->told[question], (uint32_t)r + 1, memory_order_relaxed);
    return r;
}

uint32_t kvm_has(host_kvm *h, kvm_question question)
{
    uint32_t told = atomic_load_explicit(&h->told[question], memory_order_relaxed);
    if (told)
        return told - 1;
    int r = ask(h, question);
    return r < 0 ? 0 : (uint32_t)r;
}

uint32_t kvm_slots_max(host_kvm *h)
{
    uint32_t slots = kvm_has(h, KVM_ASK_SLOTS);
    return slots ? slots : KVM_SLOTS_LEAST;
}

uint32_t kvm_xsave_bytes(host_kvm *h)
{
    if (!kvm_has(h, KVM_ASK_XSAVE))
        return 0;
    uint32_t bytes = kvm_has(h, KVM_ASK_XSAVE_BYTES);
    return bytes > sizeof(struct kvm_xsave) ? bytes : sizeof(struct kvm_xsave);
}

/* What every machine needs is asked when the host is opened. A kernel with KVM_CAP_IMMEDIATE_EXIT
 * has the memory slots and CPUID of older ones. */
static vsdk_status ask_first(host_kvm *h, vsdk_error *error)
{
    for (kvm_question i = KVM_ASK_IMMEDIATE_EXIT; i <= KVM_ASK_PIT2; i++) {
        int r = ask(h, i);
        if (r < 0)
            return kvm_error(error, r, "KVM_CHECK_EXTENSION", "KVM did not tell what it can do");
        if (r == 0 && i == KVM_ASK_IMMEDIATE_EXIT)
            return error_set(error, VSDK_ERROR_VERSION, "KVM_CHECK_EXTENSION",
                             "this kernel's KVM lacks KVM_CAP_IMMEDIATE_EXIT");
    }
    return VSDK_OK;
}

static uint32_t at_most(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t vcpus_max(host_kvm *h)
{
    uint32_t vcpus = kvm_has(h, KVM_ASK_VCPUS), ids = kvm_has(h, KVM_ASK_VCPU_IDS);
    uint32_t most = at_most(vcpus ? vcpus : 4, KVM_VCPUS_MOST);
    return ids ? at_most(most, (ids + 1) / 2) : most;
}

static vsdk_status read_host(host_kvm *h, vsdk_error *error)
{
    vsdk_status status = check_version(h->fd, error);
    if (!status)
        status = ask_first(h, error);
    if (status)
        return status;
    int bytes = sys_ioctl(h->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (bytes < (int)sizeof(struct kvm_run))
        return kvm_error(error, bytes < 0 ? bytes : -EINVAL, "KVM_GET_VCPU_MMAP_SIZE",
                         "KVM did not tell the size of a vCPU's shared pages");
    h->run_bytes = bytes;
    h->vcpus_max = vcpus_max(h);
    return kvm_cpuid_read_supported(h, error);
}

static vsdk_status check_signal(const vsdk_host_config *config, int *signal, vsdk_error *error)
{
    *signal = config->kick_signal ? (int)config->kick_signal : SIGRTMAX - 1;
    if (config->kick_signal > INT32_MAX || *signal < SIGRTMIN || *signal > SIGRTMAX)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_host_open",
                         "kick_signal %u is not a real-time signal (%d to %d)", config->kick_signal,
                         SIGRTMIN, SIGRTMAX);
    return VSDK_OK;
}

static void host_free(host_kvm *h)
{
    sys_close(h->fd);
    alloc_free(h->cpuid);
    alloc_free(h);
}

vsdk_status kvm_host_open(backend_host *host, const vsdk_host_config *config, vsdk_error *error)
{
    int signal;
    vsdk_status status = check_signal(config, &signal, error);
    if (status)
        return status;
    host_kvm *h = alloc_zeroed(sizeof *h);
    if (!h)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_host_open", "no memory for a host");
    h->fd = -1;
    h->kick_signal = signal;
    h->pid = getpid();
    status = open_device(config, &h->fd, error);
    if (!status)
        status = read_host(h, error);
    if (status) {
        host_free(h);
        return status;
    }
    host->data = h;
    return VSDK_OK;
}

void kvm_host_close(backend_host *host)
{
    host_free(host->data);
    host->data = NULL;
}
