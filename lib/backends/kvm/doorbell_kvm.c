/* SPDX-License-Identifier: Apache-2.0 */
/* Doorbells: ioeventfds. Taking one away costs the kernel milliseconds, for a grace period of its
 * own. */
#include "backends/kvm/objects_kvm.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>

static int set_doorbell(const backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                        const uint64_t *match, int fd, uint32_t flags)
{
    const vm_kvm *k = vm->data;
    struct kvm_ioeventfd bell = {
        .datamatch = match ? *match : 0,
        .addr = address,
        .len = width,
        .fd = fd,
        .flags = flags | (match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
                 (space == VSDK_SPACE_PIO ? KVM_IOEVENTFD_FLAG_PIO : 0),
    };
    return sys_ioctl_retry(k->fd, KVM_IOEVENTFD, (uintptr_t)&bell);
}

vsdk_status kvm_doorbell_assign(backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                                const uint64_t *match, int fd, vsdk_error *error)
{
    host_kvm *h = kvm_host_of(vm);
    if (!kvm_has(h, KVM_ASK_IOEVENTFD) || (!width && !kvm_has(h, KVM_ASK_IOEVENTFD_ANY_LENGTH)))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "KVM_IOEVENTFD",
                         "this kernel's KVM has no doorbells of that kind");
    int r = set_doorbell(vm, space, address, width, match, fd, 0);
    if (r == -EEXIST)
        return error_set_errno(error, VSDK_ERROR_EXISTS, EEXIST, "KVM_IOEVENTFD",
                               "a doorbell is at 0x%llx already", (unsigned long long)address);
    if (r == -ENOSPC)
        return error_set_errno(error, VSDK_ERROR_LIMIT, ENOSPC, "KVM_IOEVENTFD",
                               "KVM has no room for another doorbell");
    return r < 0 ? kvm_error(error, r, "KVM_IOEVENTFD", "the doorbell can't be hung") : VSDK_OK;
}

void kvm_doorbell_deassign(backend_vm *vm, vsdk_space space, uint64_t address, uint32_t width,
                           const uint64_t *match, int fd)
{
    set_doorbell(vm, space, address, width, match, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
