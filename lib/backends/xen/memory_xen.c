/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory. Host memory can't enter a domain, so RAM has two lives: unmapped it is anonymous
 * memory of this process, mapped it is pages of the domain, seen at the same address.
 *
 * A view shows the pages that the guest had when it was made. When the guest gives some away, or
 * has others put in their place, Xen says so without saying which: we look for them at once and
 * make the view anew when the guest is paused next and no device acts. Not before, because Linux
 * can neither change a part of a foreign mapping nor put a new one in place of an old in one step,
 * and an access of another thread in between would be SIGBUS. Until then the old page stays,
 * harmlessly. Where the guest has no page a zero page of ours is in view.
 *
 * `memory_lock` is held around the list of slots and what is known of their pages. */
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
#include <xen/sched.h>

#define LARGE (2u << 20)

enum { PARTS = 4096, HOLE_RUNS = 1024, LOOK = 1024 };

/* A view consists of parts, each a mapping that is made and dropped as a whole. */
struct xen_slot {
    backend_slot *slot;
    uint32_t flags; /* as the hypervisor has them */
    int viewed;     /* the domain's pages are at the address; else memory of ours is */
    uint64_t part;  /* pages a part; the last one may be shorter */
    uint8_t *gone;  /* a bit a page: the guest gave away what is in view */
    uint8_t *holes; /* a bit a page: a zero page of ours is in view */
    int has_gone, has_holes;
    uint64_t populated, counted; /* bytes from its start that were given, and that it may own */
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
        int before = sys_cancel_off();
        ssize_t got = pread(fd, entries, count * sizeof *entries, from);
        sys_cancel_back(before);

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

static int view_open(xen_vm *vm, const backend_slot *slot)
{
    const xen_slot *entry = slot->data;
    uint64_t bytes = entry->part * XEN_PAGE;
    int result = 0;

    for (uint64_t at = 0; result == 0 && at < slot->length; at += bytes)
        result = view_part(vm, view_of(slot) + at, slot->gpa + at,
                           slot->length - at < bytes ? slot->length - at : bytes);
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
    result = view_open(vm, slot);
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

static vsdk_status set_type(xen_vm *vm, uint64_t gpa, uint64_t bytes, uint32_t flags,
                            vsdk_error *error)
{
    hvmmem_type_t type = flags & VSDK_MAP_READONLY ? HVMMEM_ioreq_server : HVMMEM_ram_rw;
    int result;

    lock_take(&vm->device_lock);
    result = xendevicemodel_set_mem_type(vm->device, (domid_t)vm->domid, type, gpa / XEN_PAGE,
                                         (uint32_t)(bytes / XEN_PAGE));
    result = result < 0 ? -errno : 0;
    lock_give(&vm->device_lock);
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
        status = set_type(vm, slot->gpa, slot->length, flags, error);
    if (!status)
        entry->flags = flags;
    return status;
}

static int has_bit(const uint8_t *bits, uint64_t page)
{
    return bits[page / 8] >> page % 8 & 1;
}

static void set_bit(uint8_t *bits, uint64_t page, int on)
{
    uint8_t mask = (uint8_t)(1 << page % 8);

    bits[page / 8] = on ? bits[page / 8] | mask : bits[page / 8] & (uint8_t)~mask;
}

/* In how many places of a part of a view zero pages are. */
static uint32_t hole_runs_of(const xen_slot *entry, uint64_t first, uint64_t count)
{
    uint32_t runs = 0;

    for (uint64_t i = first; i < first + count; i++)
        runs += has_bit(entry->holes, i) && (i == first || !has_bit(entry->holes, i - 1));
    return runs;
}

static void slot_free(xen_slot *entry)
{
    alloc_free(entry->gone);
    alloc_free(entry->holes);
    alloc_free(entry);
}

static xen_slot *remember(xen_vm *vm, backend_slot *slot)
{
    xen_slot *made = alloc_zeroed(sizeof *made);
    uint64_t pages = slot->length / XEN_PAGE;

    if (!made)
        return NULL;
    made->gone = alloc_zeroed(pages / 8 + 1);
    made->holes = alloc_zeroed(pages / 8 + 1);
    if (!made->gone || !made->holes) {
        slot_free(made);
        return NULL;
    }
    made->slot = slot;
    /* Few enough for the process, whatever the size. */
    for (made->part = LARGE / XEN_PAGE; pages / made->part > PARTS; made->part *= 2)
        ;
    lock_take(&vm->memory_lock);
    made->next = vm->slots;
    vm->slots = made;
    lock_give(&vm->memory_lock);
    slot->data = made;
    return made;
}

static void forget(xen_vm *vm, backend_slot *slot)
{
    xen_slot *entry = slot->data;

    lock_take(&vm->memory_lock);
    for (xen_slot **at = &vm->slots; *at; at = &(*at)->next)
        if (*at == entry) {
            *at = entry->next;
            break;
        }
    vm->hole_runs -= entry->has_holes ? hole_runs_of(entry, 0, slot->length / XEN_PAGE) : 0;
    lock_give(&vm->memory_lock);
    slot_free(entry);
    slot->data = NULL;
}

/* A view that stays keeps a destroyed domain's memory: the pointer stays valid, the contents go. */
static void abandon(xen_vm *vm, backend_slot *slot)
{
    xen_slot *entry = slot->data;
    int result = entry->viewed ? make_anonymous(view_of(slot), slot->length) : 0;

    if (result < 0)
        xen_log(vm->host->host, VSDK_LOG_ERROR, "a view keeps %llu MiB of domain %u (errno %d)",
                (unsigned long long)(slot->length >> 20), vm->domid, -result);
    forget(vm, slot);
}

/* Takes the guest's pages away. Where Xen keeps some the slot lives on, for the next try or the
 * domain's end, and a guest whose memory is not what it was must not execute: it ends. */
static vsdk_status take_away(xen_vm *vm, backend_slot *slot, vsdk_error *error)
{
    xen_slot *entry = slot->data;
    uint64_t left = depopulate(vm, slot->gpa, entry->populated);

    release_limit(vm, entry->counted - left);
    entry->counted = left;
    if (!left) {
        forget(vm, slot);
        return VSDK_OK;
    }
    xen_log(vm->host->host, VSDK_LOG_ERROR,
            "domain %u keeps %llu KiB of the memory at %#llx that was taken from it: it is ended",
            vm->domid, (unsigned long long)(left >> 10), (unsigned long long)slot->gpa);
    compat_shutdown(vm->host->control, vm->domid, SHUTDOWN_crash);
    return error_set(error, VSDK_ERROR_SYSTEM, "XENMEM_decrease_reservation",
                     "the guest keeps %llu KiB of the memory and was ended",
                     (unsigned long long)(left >> 10));
}

vsdk_status xen_vm_map(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    xen_slot *entry;
    vsdk_status status;

    if (ranges_overlap(slot->gpa, slot->length, XEN_SPECIAL_FIRST, XEN_SPECIAL_PAGES * XEN_PAGE))
        return error_set(error, VSDK_ERROR_EXISTS, "vsdk_vm_map",
                         "feff8000-feffffff holds pages that Xen needs");
    entry = remember(made, slot);
    if (!entry)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_map", "no memory");
    entry->counted = slot->length;
    status = populate(made, slot->gpa, slot->length, &entry->populated, error);
    if (!status) {
        status = replace_by_view(made, slot, error);
        entry->viewed = !status;
    }
    if (!status)
        status = change_type(made, slot, slot->flags, error);
    if (!status)
        return VSDK_OK;
    if (!entry->viewed) {
        take_away(made, slot, NULL);
    } else if (xen_vm_unmap(vm, slot, NULL) && slot->data && entry->viewed) {
        make_anonymous(view_of(slot),
                       slot->length); /* the contents are lost, but not the address */
        entry->viewed = 0;
        take_away(made, slot, NULL);
    }
    return status;
}

vsdk_status xen_vm_unmap(backend_vm *vm, backend_slot *slot, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    xen_slot *entry = slot->data;
    int result = entry->viewed ? replace_by_copy(view_of(slot), slot->length) : 0;

    if (result < 0)
        return xen_refused(error, result, "mremap", "no memory for the contents");
    entry->viewed = 0;
    change_type(made, slot, 0, NULL);
    return take_away(made, slot, error);
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

/* Marks what is missing among at most LOOK pages. What can't be asked is taken to be there. */
static void look_for_gone(xen_vm *vm, xen_slot *entry, uint64_t page, uint32_t count)
{
    uint8_t missing[LOOK];

    if (compat_missing(vm->host->control, vm->domid, entry->slot->gpa / XEN_PAGE + page, count,
                       missing) < 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (missing[i] && !has_bit(entry->holes, page + i)) {
            set_bit(entry->gone, page + i, 1);
            entry->has_gone = 1;
        }
}

/* The slot with memory at the address or the next one above it. */
static xen_slot *slot_from(const xen_vm *vm, uint64_t gpa)
{
    xen_slot *found = NULL;

    for (xen_slot *entry = vm->slots; entry; entry = entry->next)
        if (entry->viewed && entry->slot->gpa + entry->slot->length > gpa &&
            (!found || entry->slot->gpa < found->slot->gpa))
            found = entry;
    return found;
}

int memory_follow(xen_vm *vm, uint64_t *gpa, uint32_t turns)
{
    xen_slot *entry = NULL;

    lock_take(&vm->memory_lock);
    for (uint32_t i = 0; i < turns; i++) {
        uint64_t page, left;
        entry = slot_from(vm, *gpa);
        if (!entry)
            break;
        page = *gpa > entry->slot->gpa ? (*gpa - entry->slot->gpa) / XEN_PAGE : 0;
        left = entry->slot->length / XEN_PAGE - page;
        if (left > LOOK)
            left = LOOK;
        look_for_gone(vm, entry, page, (uint32_t)left);
        *gpa = entry->slot->gpa + (page + left) * XEN_PAGE;
    }
    lock_give(&vm->memory_lock);
    if (entry)
        return 0;
    *gpa = 0;
    return 1;
}

/* New pages for a run of frames that have none. */
static int give(xen_vm *vm, uint64_t frame, uint64_t count)
{
    uint64_t frames[LOOK];

    while (count) {
        uint32_t some = count < LOOK ? (uint32_t)count : LOOK;
        int done;
        for (uint32_t i = 0; i < some; i++)
            frames[i] = frame + i;
        done = compat_populate(vm->host->control, vm->domid, frames, some, 0);
        if (done <= 0)
            return done < 0 ? done : -ENOMEM;
        frame += (uint64_t)done;
        count -= (uint64_t)done;
    }
    return 0;
}

/* How many pages from one on are alike. */
static uint64_t run_of(const uint8_t *missing, uint64_t from, uint64_t count)
{
    uint64_t run = 1;

    while (from + run < count && missing[from + run] == missing[from])
        run++;
    return run;
}

static int ask_missing(xen_vm *vm, uint64_t frame, uint64_t count, uint8_t *missing)
{
    int result = 0;

    for (uint64_t done = 0, some; result >= 0 && done < count; done += some) {
        some = count - done < LOOK ? count - done : LOOK;
        result = compat_missing(vm->host->control, vm->domid, frame + done, (uint32_t)some,
                                missing + done);
    }
    return result;
}

/* Makes a part of a view anew: each run of what the guest has is a mapping, between zero pages
 * where it has nothing. */
static int renew(xen_vm *vm, xen_slot *entry, uint64_t first, uint64_t count,
                 const uint8_t *missing)
{
    uint64_t gpa = entry->slot->gpa + first * XEN_PAGE;
    uint8_t *view = view_of(entry->slot) + first * XEN_PAGE;
    int result = make_anonymous(view, count * XEN_PAGE);

    for (uint64_t i = 0, run; result >= 0 && i < count; i += run) {
        run = run_of(missing, i, count);
        if (!missing[i])
            result = view_part(vm, view + i * XEN_PAGE, gpa + i * XEN_PAGE, run * XEN_PAGE);
        if (result < 0) /* no hole in the process's memory */
            make_anonymous(view + i * XEN_PAGE, (count - i) * XEN_PAGE);
        for (uint64_t k = i; k < (result < 0 ? count : i + run); k++) {
            set_bit(entry->gone, first + k, 0);
            set_bit(entry->holes, first + k, result < 0 || missing[k]);
        }
    }
    return result;
}

/* The guest gets new pages where it has nothing, and all of the part is in view again. */
static int refill(xen_vm *vm, xen_slot *entry, uint64_t first, uint64_t count, uint8_t *missing)
{
    uint64_t gpa = entry->slot->gpa + first * XEN_PAGE;
    uint8_t *view = view_of(entry->slot) + first * XEN_PAGE;
    uint8_t *none = alloc_array(count, 1);
    /* First the old view goes: a page in view counts as the guest's. */
    int result = none ? make_anonymous(view, count * XEN_PAGE) : -ENOMEM;

    for (uint64_t i = 0, run; result >= 0 && i < count; i += run) {
        run = run_of(missing, i, count);
        if (missing[i])
            result = give(vm, gpa / XEN_PAGE + i, run);
    }
    if (result >= 0)
        result = renew(vm, entry, first, count, none);
    else if (none)
        renew(vm, entry, first, count, missing);
    for (uint64_t i = 0; result >= 0 && i < count; i++)
        if (missing[i])
            page_clear(view + i * XEN_PAGE);
    page_done();
    alloc_free(none);
    return result;
}

/* Whether what is in view of a part is not what it should be. */
static int is_stale(const xen_slot *entry, uint64_t first, uint64_t count, const uint8_t *missing)
{
    for (uint64_t i = 0; i < count; i++)
        if (has_bit(entry->gone, first + i) || has_bit(entry->holes, first + i) != missing[i])
            return 1;
    return 0;
}

/* Zero pages are mappings of the process: a guest that gives pages away in too many places keeps
 * its old ones in view. */
static int is_too_much(xen_vm *vm, const xen_slot *entry, uint64_t first, uint64_t count,
                       const uint8_t *missing)
{
    uint32_t runs = vm->hole_runs - hole_runs_of(entry, first, count);

    for (uint64_t i = 0; i < count; i += run_of(missing, i, count))
        runs += missing[i];
    if (runs > HOLE_RUNS) {
        if (!vm->holes_told)
            xen_log(vm->host->host, VSDK_LOG_WARNING,
                    "domain %u gave away pages in too many places: they stay in view", vm->domid);
        vm->holes_told = 1;
        return 1;
    }
    vm->hole_runs = runs;
    return 0;
}

static int renew_slot(xen_vm *vm, xen_slot *entry, uint8_t *missing, int fill)
{
    uint64_t pages = entry->slot->length / XEN_PAGE;
    int result = 0;

    for (uint64_t first = 0, count; result >= 0 && first < pages; first += count) {
        count = pages - first < entry->part ? pages - first : entry->part;
        result = ask_missing(vm, entry->slot->gpa / XEN_PAGE + first, count, missing);
        if (result < 0 ||
            !(is_stale(entry, first, count, missing) || (fill && memchr(missing, 1, count))))
            continue;
        if (fill)
            result = refill(vm, entry, first, count, missing);
        else if (!is_too_much(vm, entry, first, count, missing))
            result = renew(vm, entry, first, count, missing);
        if (entry->flags & VSDK_MAP_READONLY)
            set_type(vm, entry->slot->gpa + first * XEN_PAGE, count * XEN_PAGE, entry->flags, NULL);
    }
    entry->has_gone = entry->has_holes = 0;
    for (uint64_t i = 0; i < pages / 8 + 1; i++) {
        entry->has_gone |= entry->gone[i] != 0;
        entry->has_holes |= entry->holes[i] != 0;
    }
    return result;
}

static int renew_all(xen_vm *vm, int fill)
{
    int result = 0;

    lock_take(&vm->memory_lock);
    if (fill)
        vm->hole_runs = 0;
    for (xen_slot *entry = vm->slots; result >= 0 && entry; entry = entry->next) {
        uint8_t *missing;
        if (!entry->viewed || !(fill || entry->has_gone || entry->has_holes))
            continue;
        missing = alloc_array(entry->part, 1);
        result = missing ? renew_slot(vm, entry, missing, fill) : -ENOMEM;
        alloc_free(missing);
    }
    lock_give(&vm->memory_lock);
    return result;
}

void memory_catch_up(xen_vm *vm)
{
    int result = renew_all(vm, 0);

    if (result < 0)
        xen_log(vm->host->host, VSDK_LOG_WARNING,
                "views of domain %u's memory did not follow it (errno %d)", vm->domid, -result);
}

int memory_refill(xen_vm *vm)
{
    return renew_all(vm, 1);
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
    uint64_t done;
    vsdk_status status =
        populate(vm, XEN_SPECIAL_FIRST, XEN_SPECIAL_PAGES * XEN_PAGE, &done, error);

    return status ? status : write_identity(vm, error);
}
