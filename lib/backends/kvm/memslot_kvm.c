/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory: mappings of this process, and the slots that show them to the guest. The kernel
 * grows no slot, moves none to another host address and toggles no protection in place. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/bits.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <sys/mman.h>

enum { PAGE = 4096, LARGE_PAGE = 2 << 20 };

/* Large pages reach the guest when host and guest addresses agree modulo 2 MiB; guest addresses of
 * large RAM are multiples of that. */
static void *map_ram(const backend_ram *ram, size_t align)
{
    if (ram->bytes > SIZE_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    if (ram->backing == VSDK_RAM_ANONYMOUS)
        return sys_map_anonymous(ram->bytes, align, 0, PROT_READ | PROT_WRITE);
    return sys_map_file(ram->fd, ram->offset, ram->bytes, align,
                        ram->sharing == VSDK_RAM_SHARED ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE);
}

/* Where the kernel's log of a mapping is read to: no mapping has more pages than its memory. */
static vsdk_status make_log(backend_ram *ram, vsdk_error *error)
{
    if (!ram->dirty)
        return VSDK_OK;
    ram->data = alloc_array(bits_words(ram->bytes / PAGE), sizeof(uint64_t));
    return ram->data ? VSDK_OK
                     : error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_ram_create",
                                 "no memory for the log of written pages");
}

static vsdk_status make_memory(backend_ram *ram, vsdk_error *error)
{
    size_t align = ram->bytes >= LARGE_PAGE ? LARGE_PAGE : PAGE;
    if (ram->backing == VSDK_RAM_CALLER) {
        ram->memory = ram->caller;
        return VSDK_OK;
    }
    void *memory = map_ram(ram, align);
    if (!memory && errno == ENOMEM)
        return error_set_errno(error, VSDK_ERROR_NO_MEMORY, errno, "mmap",
                               "no address space for %llu bytes of guest memory",
                               (unsigned long long)ram->bytes);
    if (!memory)
        return error_set_errno(error, error_status_of_map(errno), errno, "mmap",
                               "the memory can't be mapped");
    if (align == LARGE_PAGE)
        madvise(memory, ram->bytes, MADV_HUGEPAGE);
    madvise(memory, ram->bytes, MADV_DONTFORK);
    ram->memory = memory;
    return VSDK_OK;
}

vsdk_status kvm_ram_create(backend_ram *ram, vsdk_error *error)
{
    vsdk_status status = make_log(ram, error);
    if (status)
        return status;
    status = make_memory(ram, error);
    if (status) {
        alloc_free(ram->data);
        ram->data = NULL;
    }
    return status;
}

/* The caller's pages stay. */
void kvm_ram_free(backend_ram *ram)
{
    alloc_free(ram->data);
    ram->data = NULL;
    if (kvm_is_ours(ram->vm) && ram->backing != VSDK_RAM_CALLER)
        sys_unmap(ram->memory, ram->bytes);
    ram->memory = NULL;
}

/* The kernel makes no log of a mapping that the guest can't write. */
static uint32_t kernel_flags(const backend_slot *slot, uint32_t flags)
{
    if (flags & VSDK_MAP_READONLY)
        return KVM_MEM_READONLY;
    return slot->ram->dirty ? KVM_MEM_LOG_DIRTY_PAGES : 0;
}

static int set_slot(const backend_vm *vm, const backend_slot *slot, uint64_t bytes, uint32_t flags)
{
    const vm_kvm *k = vm->data;
    struct kvm_userspace_memory_region region = {
        .slot = slot->index,
        .flags = bytes ? kernel_flags(slot, flags) : 0,
        .guest_phys_addr = slot->gpa,
        .memory_size = bytes,
        .userspace_addr = (uintptr_t)slot->ram->memory + slot->offset,
    };
    return sys_ioctl_retry(k->fd, KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region);
}

static vsdk_status slot_failed(const backend_slot *slot, int result, vsdk_error *error)
{
    const char *request = "KVM_SET_USER_MEMORY_REGION";
    if (result == -EEXIST)
        return error_set_errno(error, VSDK_ERROR_EXISTS, EEXIST, request,
                               "guest address 0x%llx is in use by KVM or another mapping",
                               (unsigned long long)slot->gpa);
    return kvm_error(error, result, request, "the guest's memory map can't be extended");
}

static vsdk_status change_failed(int result, vsdk_error *error)
{
    return kvm_system_error(error, result, "KVM_SET_USER_MEMORY_REGION",
                            "the guest's memory map can't be changed");
}

static vsdk_status check_slot(const backend_vm *vm, const backend_slot *slot, vsdk_error *error)
{
    host_kvm *h = kvm_host_of(vm);
    uint64_t top = UINT64_C(1) << h->physical_bits;
    if (slot->index >= KVM_SLOTS_LEAST && slot->index >= kvm_slots_max(h))
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_vm_map", "KVM has %u memory slots",
                         kvm_slots_max(h));
    if (slot->gpa >= top || slot->length > top - slot->gpa)
        return error_set(error, VSDK_ERROR_RANGE, "vsdk_vm_map",
                         "guest physical addresses have %u bits", h->physical_bits);
    if (slot->flags & VSDK_MAP_READONLY && !kvm_has(h, KVM_ASK_READONLY))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_map",
                         "this kernel's KVM lacks KVM_CAP_READONLY_MEM");
    return VSDK_OK;
}

vsdk_status kvm_vm_map(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    vsdk_status status = check_slot(vm, slot, error);
    if (status)
        return status;
    int r = set_slot(vm, slot, slot->length, slot->flags);
    return r < 0 ? slot_failed(slot, r, error) : VSDK_OK;
}

vsdk_status kvm_vm_unmap(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    int r = set_slot(vm, slot, 0, 0);
    return r < 0 ? change_failed(r, error) : VSDK_OK;
}

/* A slot can't become read-only or writable in place: it goes and comes back. */
vsdk_status kvm_vm_protect(backend_vm *vm, backend_slot *slot, uint32_t flags, vsdk_error *error)
{
    if ((flags ^ slot->flags) & VSDK_MAP_READONLY && !kvm_has(kvm_host_of(vm), KVM_ASK_READONLY))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_protect",
                         "this kernel's KVM lacks KVM_CAP_READONLY_MEM");
    if (flags == slot->flags)
        return VSDK_OK;
    int r = set_slot(vm, slot, 0, 0);
    if (r < 0)
        return change_failed(r, error);
    r = set_slot(vm, slot, slot->length, flags);
    if (r == 0)
        return VSDK_OK;
    slot->lost = set_slot(vm, slot, slot->length, slot->flags) < 0;
    return change_failed(r, error);
}

/* The kernel hands its log out and begins a new one in one step: each write is in one of them. */
vsdk_status kvm_slot_dirty(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    const vm_kvm *k = vm->data;
    struct kvm_dirty_log log = {.slot = slot->index, .dirty_bitmap = slot->ram->data};
    int r = sys_ioctl_retry(k->fd, KVM_GET_DIRTY_LOG, (uintptr_t)&log);
    if (r < 0)
        return kvm_system_error(error, r, "KVM_GET_DIRTY_LOG",
                                "the log of written pages can't be read");
    bits_or(slot->ram->dirty, slot->offset / PAGE, slot->ram->data, slot->length / PAGE);
    return VSDK_OK;
}
