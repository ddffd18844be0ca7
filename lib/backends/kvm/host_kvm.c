/* SPDX-License-Identifier: Apache-2.0 */
/* A host: an open /dev/kvm, and all that is asked of it once. Whatever is missing in an old kernel
 * is noted here, and each capability and operation looks at the note. */
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

/* A question that is refused is noted: the host can't be known then. */
static int extension(host_kvm *h, uintptr_t capability)
{
    int r = sys_ioctl_retry(h->fd, KVM_CHECK_EXTENSION, capability);
    if (r < 0)
        h->refusal = r;
    return r < 0 ? 0 : r;
}

static vsdk_status check_refusal(const host_kvm *h, vsdk_error *error)
{
    return h->refusal ? kvm_error(error, h->refusal, "KVM_CHECK_EXTENSION",
                                  "KVM did not tell what it can do")
                      : VSDK_OK;
}

static vsdk_status check_required(host_kvm *h, vsdk_error *error)
{
    static const struct {
        int capability;
        const char *name;
    } required[] = {
        {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
        {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
        {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
    };
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        if (!extension(h, required[i].capability) && !h->refusal)
            return error_set(error, VSDK_ERROR_VERSION, "KVM_CHECK_EXTENSION",
                             "this kernel's KVM lacks %s", required[i].name);
    return VSDK_OK;
}

static uint32_t at_most(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void read_extensions(host_kvm *h)
{
    uint32_t vcpus = extension(h, KVM_CAP_MAX_VCPUS);
    uint32_t ids = extension(h, KVM_CAP_MAX_VCPU_ID);
    h->vcpus_max = at_most(vcpus ? vcpus : 4, KVM_VCPUS_MOST);
    if (ids)
        h->vcpus_max = at_most(h->vcpus_max, (ids + 1) / 2);
    h->slots_max = extension(h, KVM_CAP_NR_MEMSLOTS);
    if (!h->slots_max)
        h->slots_max = 32;
    h->sync_regs = extension(h, KVM_CAP_SYNC_REGS);
    h->split_irqchip = extension(h, KVM_CAP_SPLIT_IRQCHIP);
    h->kernel_irqchip = extension(h, KVM_CAP_IRQCHIP) && extension(h, KVM_CAP_PIT2);
    h->readonly = extension(h, KVM_CAP_READONLY_MEM);
    h->ioeventfd = extension(h, KVM_CAP_IOEVENTFD);
    h->ioeventfd_any_length = extension(h, KVM_CAP_IOEVENTFD_NO_LENGTH);
    h->signal_msi = extension(h, KVM_CAP_SIGNAL_MSI);
    h->tsc_deadline = extension(h, KVM_CAP_TSC_DEADLINE_TIMER);
    h->user_nmi = extension(h, KVM_CAP_USER_NMI);
    h->xcrs = extension(h, KVM_CAP_XCRS) > 0;
    h->nested = extension(h, KVM_CAP_NESTED_STATE) > 0;
    h->irqfd = extension(h, KVM_CAP_IRQFD) > 0;
    h->routes_max = extension(h, KVM_CAP_IRQ_ROUTING);
    h->mce = extension(h, KVM_CAP_MCE) > 0;
    if (extension(h, KVM_CAP_XSAVE)) {
        uint32_t bytes = extension(h, KVM_CAP_XSAVE2);
        h->xsave_bytes = bytes > sizeof(struct kvm_xsave) ? bytes : sizeof(struct kvm_xsave);
    }
}

static vsdk_status read_host(host_kvm *h, vsdk_error *error)
{
    vsdk_status status = check_version(h->fd, error);
    if (!status)
        status = check_required(h, error);
    if (status)
        return status;
    int bytes = sys_ioctl(h->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (bytes < (int)sizeof(struct kvm_run))
        return kvm_error(error, bytes < 0 ? bytes : -EINVAL, "KVM_GET_VCPU_MMAP_SIZE",
                         "KVM did not tell the size of a vCPU's shared pages");
    h->run_bytes = bytes;
    read_extensions(h);
    status = check_refusal(h, error);
    return status ? status : kvm_cpuid_read_supported(h, error);
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
