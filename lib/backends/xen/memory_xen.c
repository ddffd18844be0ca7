/* Guest memory. Host memory can't enter a domain, so RAM has two lives: unmapped it is anonymous
 * memory of this process, mapped it is pages of the domain, seen at the same address. */
#include "backends/xen/page_x86_64.h"
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE (2u << 20)
#define VIEW_PART (64ull << 20)

struct xen_slot {
    backend_slot *slot;
    uint32_t flags; /* as the hypervisor has them */
    xen_slot *next;
};

static uint8_t *view_of(const backend_slot *slot)
{
    return (uint8_t *)slot->ram->memory + slot->offset;
}

vsdk_status xen_ram_create(backend_ram *ram, vsdk_error *error)
{
    ram->memory = sys_map_anonymous(ram->bytes, LARGE, 0, PROT_READ | PROT_WRITE);
    if (!ram->memory)
        return error_set_errno(error, VSDK_ERROR_NO_MEMORY, errno, "mmap",
                               "no address space for %llu MiB",
                               (unsigned long long)(ram->bytes >> 20));
    return VSDK_OK;
}

void xen_ram_free(backend_ram *ram)
{
    sys_unmap(ram->memory, ram->bytes);
    ram->memory = NULL;
}

/* Puts fresh anonymous memory at an address, in one step. */
static int make_anonymous(void *address, uint64_t bytes)
{
    void *made = mmap(address, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

    return made == MAP_FAILED ? -errno : 0;
}

/* One byte a page: is there anything, in memory or swapped out? */
static void find_touched(const uint8_t *memory, uint64_t pages, uint8_t *touched)
{
    enum { BATCH = 512 };
    uint64_t entries[BATCH];
    int fd = sys_open("/proc/self/pagemap", O_RDONLY);

    memset(touched, 1, pages);
    for (uint64_t done = 0; fd >= 0 && done < pages;) {
        uint64_t count = pages - done < BATCH ? pages - done : BATCH;
        off_t from = (off_t)(((uintptr_t)memory / XEN_PAGE + done) * sizeof *entries);
        ssize_t got = pread(fd, entries, count * sizeof *entries, from);

        if (got < (ssize_t)sizeof *entries)
            break;
        count = (uint64_t)got / sizeof *entries;
        for (uint64_t i = 0; i < count; i++)
            touched[done + i] = entries[i] >> 62 != 0;
        done += count;
    }
    sys_close(fd);
}

/* Moves what is at `memory` away; anonymous memory stays in its place. NULL with errno set. */
static uint8_t *move_away(uint8_t *memory, uint64_t bytes, const uint8_t *touched)
{
    uint8_t *backup = mremap(memory, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

    if (backup != MAP_FAILED)
        return backup;
    backup = sys_map_anonymous(bytes, XEN_PAGE, 0, PROT_READ | PROT_WRITE);
    for (uint64_t at = 0; backup && at < bytes; at += XEN_PAGE)
        if (touched[at / XEN_PAGE])
            page_copy(backup + at, memory + at);
    page_done();
    return backup;
}

static int move_back(uint8_t *backup, uint8_t *memory, uint64_t bytes)
{
    void *moved = mremap(backup, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, memory);

    return moved == MAP_FAILED ? -errno : 0;
}

/* Maps a domain's pages over the address. On failure nothing is mapped there. */
static int view_part(xen_vm *vm, uint8_t *address, uint64_t gpa, uint64_t bytes)
{
    uint64_t pages = bytes / XEN_PAGE;
    xen_pfn_t *frames = alloc_array(pages, sizeof *frames);
    int *failed = alloc_array(pages, sizeof *failed);
    int result = -ENOMEM;

    if (!frames || !failed)
        goto out;
    for (uint64_t i = 0; i < pages; i++)
        frames[i] = gpa / XEN_PAGE + i;
    result = xenforeignmemory_map2(vm->host->memory, vm->domid, address, PROT_READ | PROT_WRITE,
                                   MAP_FIXED | MAP_SHARED, pages, frames, failed)
                 ? 0
                 : -errno;
    for (uint64_t i = 0; result == 0 && i < pages; i++)
        if (failed[i])
            result = failed[i] < 0 ? failed[i] : -EFAULT;
out:
    alloc_free(failed);
    alloc_free(frames);
    return result;
}

/* In parts: the lists of frames, ours and the kernel's, are 20 bytes a page. */
static int view_open(xen_vm *vm, uint8_t *address, uint64_t gpa, uint64_t bytes)
{
    int result = 0;

    for (uint64_t at = 0, part; result == 0 && at < bytes; at += part) {
        part = bytes - at < VIEW_PART ? bytes - at : VIEW_PART;
        result = view_part(vm, address + at, gpa + at, part);
    }
    return result;
}

/* Xen does not promise that a page comes clean. */
static void fill(uint8_t *view, const uint8_t *backup, uint64_t bytes, const uint8_t *touched)
{
    for (uint64_t at = 0; at < bytes; at += XEN_PAGE)
        if (touched[at / XEN_PAGE])
            page_copy(view + at, backup + at);
        else
            page_clear(view + at);
    page_done();
}

static vsdk_status replace_by_view(xen_vm *vm, backend_slot *slot, vsdk_error *error)
{
    uint8_t *view = view_of(slot), *backup = NULL;
    uint8_t *touched = alloc_array(slot->length / XEN_PAGE, 1);
    vsdk_status status = VSDK_OK;
    int result;

    if (!touched)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_map", "no memory for a page list");
    find_touched(view, slot->length / XEN_PAGE, touched);
    backup = move_away(view, slot->length, touched);
    if (!backup) {
        status = xen_failed(error, -errno, "mremap", "the contents could not be moved");
        goto out;
    }
    result = view_open(vm, view, slot->gpa, slot->length);
    if (result == 0) {
        fill(view, backup, slot->length, touched);
        sys_unmap(backup, slot->length);
        goto out;
    }
    status =
        xen_failed(error, result, "xenforeignmemory_map2", "the guest's pages were not mapped");
    result = move_back(backup, view, slot->length);
    if (result < 0)
        xen_log(vm->host->host, VSDK_LOG_ERROR, "contents of RAM are lost (errno %d)", -result);
out:
    alloc_free(touched);
    return status;
}

/* Copies a view into anonymous memory and puts that in its place in one step. */
static int replace_by_copy(uint8_t *view, uint64_t bytes)
{
    uint8_t *copy = sys_map_anonymous(bytes, XEN_PAGE, 0, PROT_READ | PROT_WRITE);
    int result;

    if (!copy)
        return -errno;
    for (uint64_t at = 0; at < bytes; at += XEN_PAGE)
        if (!page_is_clear(view + at))
            page_copy(copy + at, view + at);
    page_done();
    result = move_back(copy, view, bytes);
    if (result < 0)
        sys_unmap(copy, bytes);
    return result;
}

static vsdk_status set_type(xen_vm *vm, const backend_slot *slot, uint32_t flags, vsdk_error *error)
{
    hvmmem_type_t type = flags & VSDK_MAP_READONLY ? HVMMEM_ioreq_server : HVMMEM_ram_rw;
    int result;

    pthread_mutex_lock(&vm->device_lock);
    result = xendevicemodel_set_mem_type(vm->device, (domid_t)vm->domid, type, slot->gpa / XEN_PAGE,
                                         (uint32_t)(slot->length / XEN_PAGE));
    result = result < 0 ? -errno : 0;
    pthread_mutex_unlock(&vm->device_lock);
    if (result < 0)
        return xen_refused(error, result, "XEN_DMOP_set_mem_type",
                           "Xen refused to change the kind of the pages");
    return VSDK_OK;
}

static vsdk_status change_type(xen_vm *vm, backend_slot *slot, uint32_t flags, vsdk_error *error)
{
    xen_slot *entry = slot->data;
    vsdk_status status = VSDK_OK;

    if ((entry->flags ^ flags) & VSDK_MAP_READONLY)
        status = set_type(vm, slot, flags, error);
    if (!status)
        entry->flags = flags;
    return status;
}

static void remember(xen_vm *vm, backend_slot *slot, xen_slot *made)
{
    made->slot = slot;
    made->next = vm->slots;
    vm->slots = made;
    slot->data = made;
}

static void forget(xen_vm *vm, backend_slot *slot)
{
    for (xen_slot **at = &vm->slots; *at; at = &(*at)->next)
        if (*at == slot->data) {
            *at = (*at)->next;
            break;
        }
    alloc_free(slot->data);
    slot->data = NULL;
}

/* A view that stays keeps a destroyed domain's memory: the pointer stays valid, the contents go. */
static void abandon(xen_vm *vm, backend_slot *slot)
{
    int result = make_anonymous(view_of(slot), slot->length);

    if (result < 0)
        xen_log(vm->host->host, VSDK_LOG_ERROR, "a view keeps %llu MiB of domain %u (errno %d)",
                (unsigned long long)(slot->length >> 20), vm->domid, -result);
    forget(vm, slot);
}

vsdk_status xen_vm_map(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    xen_slot *entry;
    vsdk_status status;

    if (ranges_overlap(slot->gpa, slot->length, XEN_SPECIAL_FIRST, XEN_SPECIAL_PAGES * XEN_PAGE))
        return error_set(error, VSDK_ERROR_EXISTS, "vsdk_vm_map",
                         "feff8000-feffffff holds pages that Xen needs");
    entry = alloc_zeroed(sizeof *entry);
    if (!entry)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_map", "no memory");
    status = populate(made, slot->gpa, slot->length, error);
    if (status)
        goto out;
    status = replace_by_view(made, slot, error);
    if (status) {
        depopulate(made, slot->gpa, slot->length);
        goto out;
    }
    remember(made, slot, entry);
    entry = NULL;
    status = change_type(made, slot, slot->flags, error);
    if (status && xen_vm_unmap(vm, slot, NULL)) {
        abandon(made, slot);
        depopulate(made, slot->gpa, slot->length);
    }
out:
    alloc_free(entry);
    return status;
}

vsdk_status xen_vm_unmap(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    int result = replace_by_copy(view_of(slot), slot->length);

    if (result < 0)
        return xen_refused(error, result, "mremap", "no memory for the contents");
    change_type(made, slot, 0, NULL);
    depopulate(made, slot->gpa, slot->length);
    forget(made, slot);
    return VSDK_OK;
}

vsdk_status xen_vm_protect(backend_vm *vm, backend_slot *slot, uint32_t flags, vsdk_error *error)
{
    return change_type(xen_vm_of(vm), slot, flags, error);
}

void memory_abandon(xen_vm *vm)
{
    while (vm->slots)
        abandon(vm, vm->slots->slot);
}

/* Four-megabyte pages that map low memory to itself, for processors that can't run without
 * paging. */
static vsdk_status write_identity(xen_vm *vm, vsdk_error *error)
{
    xen_pfn_t frame = XEN_IDENTITY_TABLE / XEN_PAGE;
    int failed = 0;
    uint32_t *table = xenforeignmemory_map(vm->host->memory, vm->domid, PROT_READ | PROT_WRITE, 1,
                                           &frame, &failed);

    if (!table || failed) {
        int failure = failed ? failed : -errno;
        if (table)
            xenforeignmemory_unmap(vm->host->memory, table, 1);
        return xen_failed(error, failure, "xenforeignmemory_map", "special pages were not mapped");
    }
    for (uint32_t i = 0; i < XEN_PAGE / sizeof *table; i++)
        table[i] = i << 22 | 0xe7;
    xenforeignmemory_unmap(vm->host->memory, table, 1);
    return VSDK_OK;
}

vsdk_status memory_special(xen_vm *vm, vsdk_error *error)
{
    vsdk_status status = populate(vm, XEN_SPECIAL_FIRST, XEN_SPECIAL_PAGES * XEN_PAGE, error);

    return status ? status : write_identity(vm, error);
}
