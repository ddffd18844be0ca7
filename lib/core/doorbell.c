/* SPDX-License-Identifier: Apache-2.0 */
/* Doorbells: a write of the guest's that becomes readable in a descriptor. Each stands in the table
 * of its space, sorted by address, also when the hypervisor rings it: a write may come to the core
 * all the same. Two of them never take the same write. */
#include "core/doorbell.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/device.h"
#include <errno.h>
#include <inttypes.h>

enum { PORTS = 0x10000 };

typedef struct bell_entry {
    uint64_t address, match;
    uint32_t width; /* 0: any */
    uint32_t has_match;
    int32_t fd;
    vsdk_doorbell *bell;
} bell_entry;

struct vsdk_doorbell {
    refs refs;
    vsdk_vm *vm;         /* its memory is counted */
    vsdk_device *device; /* its memory is counted; or NULL */
    vsdk_space space;
    bell_entry entry;
    uint32_t assigned; /* the hypervisor rings it */
};

static const bell_entry *entry_at(const snapshot *s, uint32_t index)
{
    return (const bell_entry *)s->items + index;
}

/* How many lie below an address. */
static uint32_t index_of(const snapshot *s, uint64_t address)
{
    uint32_t low = 0, high = snapshot_count(s);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entry_at(s, middle)->address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int doorbell_ring(const snapshot *bells, uint64_t address, uint32_t width, uint64_t value)
{
    uint32_t count = snapshot_count(bells);

    for (uint32_t i = index_of(bells, address); i < count; i++) {
        const bell_entry *e = entry_at(bells, i);
        if (e->address != address)
            return 0;
        if ((e->width && e->width != width) || (e->has_match && e->match != value))
            continue;
        sys_eventfd_write(e->fd, 1);
        return 1;
    }
    return 0;
}

int doorbell_within(const vsdk_vm *vm, uint64_t gpa, uint64_t length)
{
    const snapshot *s = snapshot_live(&vm->bus.bells[VSDK_SPACE_MMIO]);

    for (uint32_t i = 0; i < snapshot_count(s); i++) {
        const bell_entry *e = entry_at(s, i);
        if (ranges_overlap(e->address, e->width ? e->width : 1, gpa, length))
            return 1;
    }
    return 0;
}

/* One write could ring both. */
static int collide(const bell_entry *a, const bell_entry *b)
{
    if (a->address != b->address)
        return 0;
    if (!a->width || !b->width)
        return 1;
    return a->width == b->width && (!a->has_match || !b->has_match || a->match == b->match);
}

static vsdk_status config_check(vsdk_doorbell_config *copy, const vsdk_doorbell_config *config,
                                const char *operation, vsdk_error *error)
{
    vsdk_status status =
        record_read(copy, sizeof *copy, config, VSDK_DOORBELL_MATCH, operation, error);
    uint32_t width = copy->width;

    if (status)
        return status;
    if (copy->reserved)
        return record_later(operation, error);
    if (copy->space > VSDK_SPACE_MMIO)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "space %u is unknown",
                         copy->space);
    if (width > 8 || (width & (width - 1)))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "width %u is none of 0, 1, 2, 4, 8", width);
    if (!width && (copy->flags & VSDK_DOORBELL_MATCH))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "a match needs a width");
    if (!checked_within(copy->address, width ? width : 1,
                        copy->space == VSDK_SPACE_PIO ? PORTS : GPA_LIMIT))
        return error_set(error, VSDK_ERROR_RANGE, operation, "%s %#" PRIx64 " leaves the space",
                         vsdk_space_name(copy->space), copy->address);
    return VSDK_OK;
}

/* With bus.lock held. */
static vsdk_status place_check(const vsdk_doorbell *bell, const char *operation, vsdk_error *error)
{
    vsdk_vm *vm = bell->vm;
    const bell_entry *e = &bell->entry;
    const snapshot *s = snapshot_live(&vm->bus.bells[bell->space]);
    uint64_t length = e->width ? e->width : 1;
    vsdk_status status = atomic_load(&vm->gone) ? vm_gone(operation, error) : VSDK_OK;

    if (!status)
        status = bus_check_reserved(vm, bell->space, e->address, length, operation, error);
    if (status)
        return status;
    if (bell->space == VSDK_SPACE_MMIO && gpa_map_overlaps(vm, e->address, length))
        return error_set(error, VSDK_ERROR_EXISTS, operation, "there is guest memory at %#" PRIx64,
                         e->address);
    for (uint32_t i = index_of(s, e->address); i < snapshot_count(s); i++) {
        if (collide(entry_at(s, i), e))
            return error_set(error, VSDK_ERROR_EXISTS, operation,
                             "another doorbell at %s %#" PRIx64 " would take the same writes",
                             vsdk_space_name(bell->space), e->address);
    }
    return VSDK_OK;
}

static int is_of_bell(const void *entry, void *bell)
{
    return ((const bell_entry *)entry)->bell == bell;
}

/* With bus.lock held: a backend that cannot serve this one leaves it to the core. */
static vsdk_status assign(vsdk_doorbell *bell, vsdk_error *error)
{
    const backend_ops *ops = bell->vm->host->backend.ops;
    const bell_entry *e = &bell->entry;
    vsdk_error why = {0};

    if (!ops->doorbell_assign)
        return VSDK_OK;
    lock_take(&bell->vm->serial);
    vsdk_status status = ops->doorbell_assign(&bell->vm->backend, bell->space, e->address, e->width,
                                              e->has_match ? &e->match : NULL, e->fd, &why);
    lock_give(&bell->vm->serial);
    bell->assigned = status == VSDK_OK;
    if (!status || status == VSDK_ERROR_UNSUPPORTED)
        return VSDK_OK;
    if (error)
        *error = why;
    return status;
}

static vsdk_status publish(vsdk_doorbell *bell, const char *operation, vsdk_error *error)
{
    vsdk_vm *vm = bell->vm;
    snapshot_box *box = &vm->bus.bells[bell->space];
    vsdk_status status;

    lock_take(&vm->bus.lock);
    status = place_check(bell, operation, error);
    if (status)
        goto out;
    if (!snapshot_insert(box, &vm->readers, sizeof bell->entry,
                         index_of(snapshot_live(box), bell->entry.address), &bell->entry)) {
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation,
                           "no memory for the table of doorbells");
        goto out;
    }
    status = assign(bell, error);
    if (status)
        snapshot_remove(box, &vm->readers, sizeof bell->entry, is_of_bell, bell);
out:
    lock_give(&vm->bus.lock);
    return status;
}

static vsdk_status descriptor_make(vsdk_doorbell *bell, const char *operation, vsdk_error *error)
{
    int fd = sys_eventfd();

    bell->entry.fd = fd;
    if (fd >= 0)
        return VSDK_OK;
    vsdk_status code =
        fd == -EMFILE || fd == -ENFILE ? VSDK_ERROR_LIMIT : error_status_of_errno(-fd);
    return error_set_errno(error, code, -fd, operation, "no descriptor for the doorbell");
}

vsdk_status vsdk_doorbell_create(vsdk_vm *vm, const vsdk_doorbell_config *config,
                                 vsdk_doorbell **doorbell, vsdk_error *error)
{
    static const char operation[] = "vsdk_doorbell_create";
    vsdk_doorbell_config copy;

    if (!doorbell)
        return error_null(error, operation, "doorbell");
    *doorbell = NULL;
    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!config)
        return error_null(error, operation, "config");
    vsdk_status status = config_check(&copy, config, operation, error);
    if (!status && copy.device && copy.device->vm != vm)
        status = error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                           "the device is of another virtual machine");
    if (status)
        return status;

    vsdk_doorbell *bell = alloc_zeroed(sizeof *bell);
    if (!bell)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the doorbell");
    refs_init(&bell->refs);
    bell->vm = vm;
    bell->device = copy.device;
    bell->space = copy.space;
    bell->entry = (bell_entry){.address = copy.address,
                               .match = copy.match,
                               .width = copy.width,
                               .has_match = copy.flags & VSDK_DOORBELL_MATCH,
                               .bell = bell};
    status = descriptor_make(bell, operation, error);
    if (!status)
        status = publish(bell, operation, error);
    if (status) {
        sys_close(bell->entry.fd);
        alloc_free(bell);
        return status;
    }
    vm_keep(vm);
    if (bell->device)
        refs_get(&bell->device->memory);
    *doorbell = bell;
    return VSDK_OK;
}

static void deassign(const vsdk_doorbell *bell)
{
    const backend_ops *ops = bell->vm->host->backend.ops;
    const bell_entry *e = &bell->entry;

    if (!bell->assigned)
        return;
    lock_take(&bell->vm->serial);
    ops->doorbell_deassign(&bell->vm->backend, bell->space, e->address, e->width,
                           e->has_match ? &e->match : NULL, e->fd);
    lock_give(&bell->vm->serial);
}

vsdk_doorbell *vsdk_doorbell_ref(vsdk_doorbell *bell)
{
    if (bell && !vm_is_foreign(bell->vm))
        refs_get(&bell->refs);
    return bell;
}

void vsdk_doorbell_close(vsdk_doorbell *bell)
{
    if (!bell || vm_is_foreign(bell->vm) || !refs_put(&bell->refs))
        return;
    vsdk_vm *vm = bell->vm;
    lock_take(&vm->bus.lock);
    if (!atomic_load(&vm->gone)) {
        snapshot_remove(&vm->bus.bells[bell->space], &vm->readers, sizeof bell->entry, is_of_bell,
                        bell);
        deassign(bell);
    }
    lock_give(&vm->bus.lock);
    sys_close(bell->entry.fd);
    if (bell->device)
        device_memory_put(bell->device);
    alloc_free(bell);
    vm_drop(vm);
}

int32_t vsdk_doorbell_descriptor(vsdk_doorbell *bell)
{
    return bell ? bell->entry.fd : -1;
}

vsdk_status vsdk_doorbell_take(vsdk_doorbell *bell, uint64_t *rings, vsdk_error *error)
{
    static const char operation[] = "vsdk_doorbell_take";

    if (!rings)
        return error_null(error, operation, "rings");
    *rings = 0;
    if (!bell)
        return error_null(error, operation, "doorbell");
    if (vm_is_foreign(bell->vm))
        return vm_forked(operation, error);
    if (sys_eventfd_read(bell->entry.fd, rings))
        *rings = 0;
    return VSDK_OK;
}
