/* SPDX-License-Identifier: Apache-2.0 */
/* linux/kvm.h, and what the kernel has that an older copy of it lacks. The running kernel is asked
 * before any of it is used. */
#ifndef VSDK_BACKENDS_KVM_UAPI_H
#define VSDK_BACKENDS_KVM_UAPI_H

#include <linux/kvm.h>
#include <stdint.h>

/* Linux 6.8: KVM_RUN fails with EFAULT or EHWPOISON and this reason says where. */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif

struct kvm_uapi_memory_fault {
    uint64_t flags;
    uint64_t gpa;
    uint64_t size;
};

static inline struct kvm_uapi_memory_fault kvm_uapi_memory_fault_of(const struct kvm_run *run)
{
    struct kvm_uapi_memory_fault fault;
    __builtin_memcpy(&fault, &run->hw, sizeof fault);
    return fault;
}

#ifndef KVM_SYSTEM_EVENT_WAKEUP
#define KVM_SYSTEM_EVENT_WAKEUP 4
#endif
#ifndef KVM_SYSTEM_EVENT_SUSPEND
#define KVM_SYSTEM_EVENT_SUSPEND 5
#endif
#ifndef KVM_CAP_XSAVE2
#define KVM_CAP_XSAVE2 208
#define KVM_GET_XSAVE2 _IOR(KVMIO, 0xcf, struct kvm_xsave)
#endif

#endif
