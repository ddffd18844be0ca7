/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the mocks, and where it is mapped. The slots of a virtual machine are sorted by address
 * and never overlap; a change counts up the generation, by which processors forget what they know.
 * The autonomous mock's memory is emptied with its guest, as a domain's is. */
#include "backends/mock/mock.h"
#include "base/alloc.h"
#include "base/bits.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

static void *map_ram(const backend_ram *ram)
{
    size_t align = ram->bytes < LARGE_PAGE ? PAGE_BYTES : LARGE_PAGE;

    if (ram->backing == VSDK_RAM_CALLER)
        return ram->caller;
    if (ram->backing == VSDK_RAM_ANONYMOUS)
        return sys_map_anonymous(ram->bytes, align, 0, PROT_READ | PROT_WRITE);
    return sys_map_file(ram->fd, ram->offset, ram->bytes, align,
                        ram->sharing == VSDK_RAM_SHARED ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE);
}

vsdk_status mock_ram_create(backend_ram *ram, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(ram->vm);
    mock_ram *mock = alloc_zeroed(sizeof *mock);
    void *memory = mock ? map_ram(ram) : NULL;

    if (!memory) {
        int why = mock ? errno : ENOMEM;

        alloc_free(mock);
        return error_set_errno(error, error_status_of_map(why), why, "vsdk_ram_create",
                               "%llu bytes can't be mapped", (unsigned long long)ram->bytes);
    }
    if (ram->backing != VSDK_RAM_CALLER)
        madvise(memory, ram->bytes, MADV_DONTFORK); /* as on the others */
    mock->ram = ram;
    ram->memory = memory;
    ram->data = mock;
    turn_take(&vm->turn);
    mock->next = vm->rams;
    vm->rams = mock;
    turn_give(&vm->turn);
    return VSDK_OK;
}

void mock_ram_free(backend_ram *ram)
{
    mock_vm *vm = mock_vm_of(ram->vm);
    mock_ram **link = &vm->rams;

    turn_take(&vm->turn);
    while (*link != ram->data)
        link = &(*link)->next;
    *link = (*link)->next;
    turn_give(&vm->turn);
    if (ram->backing != VSDK_RAM_CALLER)
        sys_unmap(ram->memory, ram->bytes);
    alloc_free(ram->data);
    ram->memory = ram->data = NULL;
}

void mock_ram_forget(mock_vm *vm)
{
    for (mock_ram *mock = vm->rams; mock; mock = mock->next)
        if (madvise(mock->ram->memory, mock->ram->bytes, MADV_DONTNEED))
            memset(mock->ram->memory, 0, mock->ram->bytes);
}

/* Slots are kept by address. */

static uint32_t position(const mock_vm *vm, uint64_t gpa)
{
    uint32_t low = 0, high = vm->slot_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (vm->slots[middle].gpa <= gpa)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint8_t *mock_vm_memory(const mock_vm *vm, uint64_t gpa, int write)
{
    uint32_t after = position(vm, gpa);
    const mock_slot *slot;

    if (!after)
        return NULL;
    slot = &vm->slots[after - 1];
    if (gpa - slot->gpa >= slot->length || (write && (slot->flags & VSDK_MAP_READONLY)))
        return NULL;
    return slot->host + (gpa - slot->gpa);
}

/* Of all mappings that show it: the caller's pages may be in two memory objects. */
void mock_ram_wrote(const mock_vm *vm, const uint8_t *host)
{
    for (uint32_t i = 0; i < vm->slot_count; i++) {
        const mock_slot *slot = &vm->slots[i];
        uint64_t at = (uint64_t)(uintptr_t)host - (uintptr_t)slot->host;

        if (at < slot->length && slot->ram->dirty)
            bits_set(slot->ram->dirty, (uint64_t)(host - (uint8_t *)slot->ram->memory) / PAGE_BYTES,
                     1);
    }
}

static mock_slot *find(mock_vm *vm, const backend_slot *slot)
{
    uint32_t after = position(vm, slot->gpa);

    return after && vm->slots[after - 1].gpa == slot->gpa ? &vm->slots[after - 1] : NULL;
}

static int make_room(mock_vm *vm)
{
    uint32_t room = vm->slot_room ? 2 * vm->slot_room : 8;

    if (vm->slot_count < vm->slot_room)
        return 1;
    mock_slot *slots = alloc_array(room, sizeof *slots);
    if (!slots)
        return 0;
    if (vm->slot_count)
        memcpy(slots, vm->slots, vm->slot_count * sizeof *slots);
    alloc_free(vm->slots);
    vm->slots = slots;
    vm->slot_room = room;
    return 1;
}

vsdk_status mock_vm_map(backend_vm *backend, backend_slot *slot, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);
    uint8_t *memory = slot->ram->memory;
    vsdk_status status = VSDK_OK;

    mock_enter(vm);
    if (vm->slot_count == MOCK_SLOTS_MAX) {
        status = error_set(error, VSDK_ERROR_LIMIT, "vsdk_vm_map",
                           "the mock has %u mappings at most", MOCK_SLOTS_MAX);
        goto out;
    }
    if (!make_room(vm)) {
        status = error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_map", "no memory for the mapping");
        goto out;
    }
    uint32_t at = position(vm, slot->gpa);
    memmove(&vm->slots[at + 1], &vm->slots[at], (vm->slot_count - at) * sizeof vm->slots[0]);
    vm->slots[at] =
        (mock_slot){slot->gpa, slot->length, memory + slot->offset, slot->flags, slot->ram};
    vm->tracked += slot->ram->dirty != NULL;
    vm->slot_count++;
    vm->generation++;
out:
    mock_leave(vm);
    return status;
}

vsdk_status mock_vm_unmap(backend_vm *backend, backend_slot *slot, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);

    mock_enter(vm);
    mock_slot *found = find(vm, slot);
    if (found) {
        uint32_t at = (uint32_t)(found - vm->slots);

        vm->slot_count--;
        vm->tracked -= slot->ram->dirty != NULL;
        memmove(found, found + 1, (vm->slot_count - at) * sizeof *found);
        vm->generation++;
    }
    mock_leave(vm);
    return found ? VSDK_OK
                 : error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_vm_unmap", "no such mapping");
}

vsdk_status mock_vm_protect(backend_vm *backend, backend_slot *slot, uint32_t flags,
                            vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);

    mock_enter(vm);
    mock_slot *found = find(vm, slot);
    if (found) {
        found->flags = flags;
        vm->generation++;
    }
    mock_leave(vm);
    return found ? VSDK_OK
                 : error_set(error, VSDK_ERROR_NOT_FOUND, "vsdk_vm_protect", "no such mapping");
}
