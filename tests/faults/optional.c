/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the system that the library can do without, and what it does then. What is not in
 * this list must be told when it fails. */
#include "optional.h"
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#define MEASURED                                                                                   \
    "the answer about KERNEL_MODE is no, with the reason, and it is measured again when asked "    \
    "again"

static const struct optional_call list[] = {
    {"ioctl", KVM_RUN, EINTR, "host_query", "tried again"},
    {"ioctl", KVM_RUN, EINTR, NULL, "a foreign signal: the run returns KICKED with that detail"},
    {"ioctl", 0, EINTR, NULL, "tried again"},
    {"ioctl", 0, 0, "host_query", MEASURED},
    {"mmap", 0, 0, "host_query", MEASURED},
    {"ioctl", KVM_SET_MSRS, 0, NULL, "the guest finds MTRRs off, as after a reset"},
    {"ioctl", KVM_CHECK_EXTENSION, 0, NULL, "what the kernel does not tell counts as absent"},
    {"ioctl", KVM_X86_SETUP_MCE, 0, NULL, "the guest finds no machine-check banks"},
    {"ioctl", KVM_SIGNAL_MSI, EPERM, NULL, "KVM's own way to say that no processor takes it"},
    {"open", 0, EINTR, NULL, "tried again"},
    {"write", 0, 0, NULL, "to an eventfd: one that takes no ring is readable already"},
    {"read", 0, 0, NULL, "of an eventfd: nothing is taken, and it stays readable"},
    {"epoll_pwait2", 0, EINTR, NULL, "tried again with the time that is left"},
    {"epoll_pwait2", 0, 0, NULL, "epoll_pwait, in milliseconds, as on a kernel without it"},
    {"madvise", 0, 0, NULL, "huge pages and no copy for children are wishes; zeros are written"},
    {"memfd_create", 0, EINVAL, NULL, "tried again without the flag that older kernels lack"},
    {"fstat", 0, EIO, "disks", "nobody knows how much the host's disk has of it"},
    {"sigtimedwait", 0, 0, NULL, "a signal that is left ends one entry of the guest, not its run"},
    {"stat64", 0, 0, NULL, "a file that can't be looked at is left alone"},
    {"nanosleep", 0, EINTR, NULL, "a short sleep that is over early"},
};

const struct optional_call *optional_find(const struct seam_call *call, int error, const char *step)
{
    for (unsigned i = 0; i < sizeof list / sizeof *list; i++) {
        const struct optional_call *entry = &list[i];

        if (strcmp(entry->function, call->function) == 0 &&
            (!entry->request || entry->request == call->request) &&
            (!entry->error || entry->error == error) &&
            (!entry->step || (step && strcmp(entry->step, step) == 0)))
            return entry;
    }
    return NULL;
}

static const struct {
    uint64_t request;
    const char *name;
} names[] = {
#define NAME(request)                                                                              \
    {                                                                                              \
        request, #request                                                                          \
    }
    NAME(KVM_GET_API_VERSION),
    NAME(KVM_CREATE_VM),
    NAME(KVM_CHECK_EXTENSION),
    NAME(KVM_GET_VCPU_MMAP_SIZE),
    NAME(KVM_GET_SUPPORTED_CPUID),
    NAME(KVM_CREATE_VCPU),
    NAME(KVM_SET_USER_MEMORY_REGION),
    NAME(KVM_SET_TSS_ADDR),
    NAME(KVM_SET_IDENTITY_MAP_ADDR),
    NAME(KVM_CREATE_IRQCHIP),
    NAME(KVM_IRQ_LINE),
    NAME(KVM_CREATE_PIT2),
    NAME(KVM_IOEVENTFD),
    NAME(KVM_SIGNAL_MSI),
    NAME(KVM_RUN),
    NAME(KVM_GET_REGS),
    NAME(KVM_SET_REGS),
    NAME(KVM_GET_SREGS),
    NAME(KVM_SET_SREGS),
    NAME(KVM_GET_MSRS),
    NAME(KVM_SET_MSRS),
    NAME(KVM_SET_CPUID2),
    NAME(KVM_GET_CPUID2),
    NAME(KVM_GET_FPU),
    NAME(KVM_SET_FPU),
    NAME(KVM_GET_XSAVE),
    NAME(KVM_SET_XSAVE),
    NAME(KVM_GET_XCRS),
    NAME(KVM_SET_XCRS),
    NAME(KVM_SET_SIGNAL_MASK),
    NAME(KVM_GET_MP_STATE),
    NAME(KVM_SET_MP_STATE),
    NAME(KVM_NMI),
    NAME(KVM_ENABLE_CAP),
    NAME(KVM_GET_LAPIC),
    NAME(KVM_SET_LAPIC),
    NAME(KVM_GET_VCPU_EVENTS),
    NAME(KVM_SET_VCPU_EVENTS),
    NAME(KVM_SET_TSC_KHZ),
    NAME(KVM_GET_TSC_KHZ),
    NAME(KVM_SET_GSI_ROUTING),
    NAME(KVM_GET_MSR_INDEX_LIST),
    NAME(KVM_GET_XSAVE2),
    NAME(KVM_X86_SETUP_MCE),
    NAME(KVM_IRQFD),
#undef NAME
};

const char *optional_name(const struct seam_call *call)
{
    static char text[64];

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(call->function, "ioctl") == 0 && call->request == names[i].request)
            return names[i].name;
    if (!call->request)
        return call->function;
    snprintf(text, sizeof text, "%s %#llx", call->function, (unsigned long long)call->request);
    return text;
}
