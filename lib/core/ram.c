/* SPDX-License-Identifier: Apache-2.0 */
/* Memory objects: what they are made of is checked here, once for all backends; a backend maps.
 *
 * Invariants: a descriptor in the object is the library's own duplicate and is closed with it; the
 * caller's pages are never unmapped, and nothing about their mapping is changed. A file was long
 * enough when the object was made. */
#include "core/ram.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "core/host.h"
#include <errno.h>
#include <inttypes.h>

enum { PAGE = 4096 };

static const char creating[] = "vsdk_ram_create";

static vsdk_status contradiction(const char *what, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, creating, "%s", what);
}

/* Fields that belong to another backing must be what they are in a cleared structure. */
static vsdk_status check_fields(const vsdk_ram_config *config, uint64_t bytes, vsdk_error *error)
{
    int file = config->backing == VSDK_RAM_MEMFD || config->backing == VSDK_RAM_FILE;
    int given = (config->flags & VSDK_RAM_DESCRIPTOR) != 0;
    uintptr_t address = (uintptr_t)config->address;

    if (given && !file)
        return contradiction("a descriptor is for a memfd or file", error);
    if (!given && config->backing == VSDK_RAM_FILE)
        return contradiction("a file needs VSDK_RAM_DESCRIPTOR and its descriptor", error);
    if (!given && (config->descriptor || config->offset))
        return contradiction("a descriptor or offset without VSDK_RAM_DESCRIPTOR", error);
    if (config->sharing == VSDK_RAM_SHARED && !file)
        return contradiction("only a memfd or file can be shared", error);
    if (config->offset % PAGE)
        return contradiction("the offset is not a multiple of 4096", error);
    if (address && config->backing != VSDK_RAM_CALLER)
        return contradiction("an address is for the caller's own pages", error);
    if (config->backing == VSDK_RAM_CALLER &&
        (!address || address % PAGE || bytes > UINTPTR_MAX - address))
        return contradiction("the address is NULL, not a multiple of 4096 or too high", error);
    return VSDK_OK;
}

static vsdk_status read_config(const vsdk_ram_config *given, uint64_t bytes,
                               vsdk_ram_config *config, vsdk_error *error)
{
    vsdk_status status = record_read(config, sizeof *config, given,
                                     VSDK_RAM_DESCRIPTOR | VSDK_RAM_TRACKED, creating, error);

    if (status)
        return status;
    if (config->reserved || config->reserved2)
        return record_later(creating, error);
    if (config->sharing > VSDK_RAM_SHARED)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, creating, "sharing %u is unknown",
                         config->sharing);
    if (config->backing > VSDK_RAM_CALLER)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, creating, "backing %u is unknown",
                         config->backing);
    if (config->backing == VSDK_RAM_HUGE)
        return error_hint(error,
                          error_set(error, VSDK_ERROR_UNSUPPORTED, creating,
                                    "the host's reserved huge pages are not in this version"),
                          "memory of 2 MiB and more gets transparent huge pages where it can");
    return check_fields(config, bytes, error);
}

static vsdk_status check_backend(vsdk_host *host, const vsdk_ram_config *config, vsdk_error *error)
{
    vsdk_capability backing = VSDK_CAPABILITY_RAM_CALLER;
    vsdk_status status = VSDK_OK;

    if (config->backing != VSDK_RAM_CALLER)
        backing = config->sharing == VSDK_RAM_SHARED ? VSDK_CAPABILITY_RAM_SHARED
                                                     : VSDK_CAPABILITY_RAM_PRIVATE;
    if (config->backing != VSDK_RAM_ANONYMOUS)
        status = host_need_capability(host, backing, "", creating, error);
    if (!status && config->flags & VSDK_RAM_TRACKED)
        status = host_need_capability(host, VSDK_CAPABILITY_DIRTY, "", creating, error);
    return status;
}

/* The object's own descriptor. A file that is too short now would be SIGBUS later. */
static vsdk_status take_descriptor(vsdk_ram *ram, const vsdk_ram_config *config, vsdk_error *error)
{
    backend_ram *b = &ram->backend;
    int given = (config->flags & VSDK_RAM_DESCRIPTOR) != 0;
    uint64_t length = 0;

    b->fd = given ? sys_dup(config->descriptor) : sys_memfd("vsdk", b->bytes);
    if (b->fd < 0)
        return error_set_errno(
            error, b->fd == -EBADF ? VSDK_ERROR_INVALID_ARGUMENT : error_status_of_errno(-b->fd),
            -b->fd, creating, "no descriptor for the memory");
    int result = sys_file_size(b->fd, &length);
    if (result < 0)
        return error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, -result, creating,
                               "descriptor %d is no memfd and no regular file", config->descriptor);
    if (!checked_within(config->offset, b->bytes, length))
        return error_set(error, VSDK_ERROR_RANGE, creating,
                         "the file has %" PRIu64 " bytes; %" PRIu64 " from %" PRIu64 " are wanted",
                         length, b->bytes, config->offset);
    return VSDK_OK;
}

static vsdk_status take_source(vsdk_ram *ram, const vsdk_ram_config *config, vsdk_error *error)
{
    ram->backend.backing = config->backing;
    ram->backend.sharing = config->sharing;
    ram->backend.offset = config->offset;
    ram->backend.caller = config->address;
    if (config->backing == VSDK_RAM_MEMFD || config->backing == VSDK_RAM_FILE)
        return take_descriptor(ram, config, error);
    if (config->backing == VSDK_RAM_CALLER &&
        sys_is_mapped(config->address, ram->backend.bytes) < 0)
        return error_set(error, VSDK_ERROR_RANGE, creating,
                         "the %" PRIu64 " bytes at %p are not all mapped", ram->backend.bytes,
                         config->address);
    return VSDK_OK;
}

static vsdk_status backing_create(vsdk_ram *ram, vsdk_error *error)
{
    vsdk_vm *vm = ram->vm;
    vm_use use;
    vsdk_status status = vm_use_begin(vm, &use, creating, error);

    if (status)
        return status;
    lock_take(&vm->serial);
    status = vm->host->backend.ops->ram_create(&ram->backend, error);
    lock_give(&vm->serial);
    vm_use_end(use);
    return status;
}

vsdk_status vsdk_ram_create(vsdk_vm *vm, uint64_t bytes, const vsdk_ram_config *given,
                            vsdk_ram **ram, vsdk_error *error)
{
    vsdk_ram_config config;

    if (!ram)
        return error_null(error, creating, "ram");
    *ram = NULL;
    if (!vm)
        return error_null(error, creating, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(creating, error);
    if (!bytes || bytes % PAGE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, creating,
                         "%" PRIu64 " bytes is not a multiple of 4096 above 0", bytes);
    vsdk_status status = read_config(given, bytes, &config, error);
    if (!status)
        status = check_backend(vm->host, &config, error);
    if (status)
        return status;
    if (bytes > PTRDIFF_MAX)
        return error_set(error, VSDK_ERROR_NO_MEMORY, creating,
                         "%" PRIu64 " bytes is more than this process can address", bytes);

    vsdk_ram *made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, creating, "no memory for the object");
    refs_init(&made->refs);
    made->vm = vm;
    made->backend.vm = &vm->backend;
    made->backend.bytes = bytes;
    made->backend.fd = -1;
    status = take_source(made, &config, error);
    if (!status && config.flags & VSDK_RAM_TRACKED)
        status = dirty_begin(made, creating, error);
    if (!status)
        status = backing_create(made, error);
    if (status) {
        dirty_end(made);
        sys_close(made->backend.fd);
        alloc_free(made);
        return status;
    }
    vm_keep(vm);
    *ram = made;
    return VSDK_OK;
}

void ram_put(vsdk_ram *ram)
{
    if (!refs_put(&ram->refs))
        return;
    lock_take(&ram->vm->serial);
    ram->vm->host->backend.ops->ram_free(&ram->backend);
    lock_give(&ram->vm->serial);
    dirty_end(ram);
    sys_close(ram->backend.fd);
    span_map_clear(&ram->placed, NULL, NULL);
    alloc_free(ram);
}

vsdk_ram *vsdk_ram_ref(vsdk_ram *ram)
{
    if (ram && !vm_is_foreign(ram->vm)) {
        refs_get(&ram->refs);
        vm_keep(ram->vm);
    }
    return ram;
}

void vsdk_ram_close(vsdk_ram *ram)
{
    if (!ram || vm_is_foreign(ram->vm))
        return;
    vsdk_vm *vm = ram->vm;
    ram_put(ram);
    vm_drop(vm);
}

void *vsdk_ram_data(vsdk_ram *ram)
{
    return ram ? ram->backend.memory : NULL;
}

uint64_t vsdk_ram_size(const vsdk_ram *ram)
{
    return ram ? ram->backend.bytes : 0;
}
