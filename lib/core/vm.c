/* SPDX-License-Identifier: Apache-2.0 */
/* Making a virtual machine: its configuration is checked against what the host can do, then the
 * backend makes its part. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "core/console.h"
#include "core/host.h"
#include "core/life_moves.h"
#include <inttypes.h>

#define DEFAULT_MEMORY (UINT64_C(4) << 30)

static const char creating[] = "vsdk_vm_create";

static vsdk_status check_values(const vsdk_host *host, const vsdk_vm_config *config,
                                vsdk_error *error)
{
    for (unsigned i = 0; i < sizeof config->reserved / sizeof config->reserved[0]; i++)
        if (config->reserved[i])
            return record_later(creating, error);
    if (config->irqchip > VSDK_IRQCHIP_NONE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, creating, "irqchip %u is unknown",
                         config->irqchip);
    if (config->vcpus_max > host->vcpus_max)
        return error_set(error, VSDK_ERROR_LIMIT, creating,
                         "vcpus_max %u is above the limit of the %s backend, %u", config->vcpus_max,
                         host->backend.ops->name, host->vcpus_max);
    return VSDK_OK;
}

static vsdk_status check_irqchip(vsdk_host *host, const vsdk_vm_config *config, vsdk_error *error)
{
    vsdk_capability_info info;

    if (!(host->irqchip_missing & 1u << config->irqchip))
        return VSDK_OK;
    if (host_ask(host, host_irqchip_capability(config->irqchip), &info, NULL))
        info.reason[0] = 0;
    return error_set(error, VSDK_ERROR_UNSUPPORTED, creating, "no irqchip %s here: %s",
                     vsdk_irqchip_name(config->irqchip), info.reason);
}

static vsdk_status check_memory(vsdk_host *host, const vsdk_vm_config *config, vsdk_error *error)
{
    vsdk_capability_info info;

    if (!config->memory_max || host_ask(host, VSDK_CAPABILITY_MEMORY_MAX, &info, NULL))
        return VSDK_OK;
    if (!info.value || config->memory_max <= info.value)
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_LIMIT, creating,
                     "memory_max %" PRIu64 " is above what the %s backend has, %" PRIu64,
                     config->memory_max, host->backend.ops->name, info.value);
}

static vsdk_status read_config(vsdk_host *host, const vsdk_vm_config *given, vsdk_vm_config *config,
                               vsdk_error *error)
{
    vsdk_status status =
        record_read(config, sizeof *config, given, VSDK_VM_HIDE_HYPERVISOR, creating, error);

    if (!status)
        status = check_values(host, config, error);
    if (!status)
        status = check_irqchip(host, config, error);
    if (!status)
        status = check_memory(host, config, error);
    if (!status && config->console)
        status = host_need_capability(host, VSDK_CAPABILITY_CONSOLE, "no console here: ", creating,
                                      error);
    if (!config->vcpus_max)
        config->vcpus_max = 1;
    if (!config->memory_max)
        config->memory_max = DEFAULT_MEMORY;
    return status;
}

/* NULL when there is no memory: everything that vm_drop takes back is there otherwise. */
static vsdk_vm *vm_alloc(vsdk_host *host, const vsdk_vm_config *config)
{
    vsdk_vm *vm = alloc_aligned(64, sizeof *vm);

    if (!vm)
        return NULL;
    vm->vcpus = alloc_array(config->vcpus_max, sizeof *vm->vcpus);
    vm->backend.vcpus = alloc_array(config->vcpus_max, sizeof *vm->backend.vcpus);
    if (!vm->vcpus || !vm->backend.vcpus) {
        alloc_free(vm->vcpus);
        alloc_free(vm->backend.vcpus);
        alloc_free(vm);
        return NULL;
    }
    vm->host = host;
    host_get(host);
    vm->backend.host = &host->backend;
    vm->backend.config = *config;
    refs_init(&vm->refs);
    refs_init(&vm->memory);
    readers_init(&vm->readers);
    lock_init(&vm->serial, RANK_SERIAL);
    lock_init(&vm->life.lock, RANK_LIFE);
    lock_init(&vm->bus.lock, RANK_TOPOLOGY);
    lock_init(&vm->irq.lock, RANK_CONTROLLERS);
    return vm;
}

vsdk_status vsdk_vm_create(vsdk_host *host, const vsdk_vm_config *config, vsdk_vm **vm,
                           vsdk_error *error)
{
    vsdk_vm_config checked;

    if (vm)
        *vm = NULL;
    if (!host)
        return error_null(error, creating, "host");
    if (!vm)
        return error_null(error, creating, "vm");
    if (host_is_foreign(host))
        return vm_forked(creating, error);
    vsdk_status status = read_config(host, config, &checked, error);
    if (status)
        return status;
    vsdk_vm *made = vm_alloc(host, &checked);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, creating,
                         "no memory for the virtual machine");
    status = host->backend.ops->vm_create(&made->backend, error);
    if (status) {
        vm_free(made);
        return status;
    }
    status = console_open(made, checked.console, creating, error);
    if (status) {
        host->backend.ops->vm_destroy(&made->backend);
        vm_drop(made);
        return status;
    }
    *vm = made;
    return VSDK_OK;
}

vsdk_vm *vsdk_vm_ref(vsdk_vm *vm)
{
    if (vm && !vm_is_foreign(vm))
        refs_get(&vm->refs);
    return vm;
}

void vsdk_vm_close(vsdk_vm *vm)
{
    if (vm && !vm_is_foreign(vm))
        vm_leave(vm);
}

vsdk_status vsdk_vm_list_reserved(vsdk_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error)
{
    const char *operation = "vsdk_vm_list_reserved";
    vm_use use;

    if (needed)
        *needed = 0;
    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!needed)
        return error_null(error, operation, "needed");
    if (!ranges && capacity)
        return error_null(error, operation, "ranges");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    lock_take(&vm->serial);
    status = vm->backend.host->ops->vm_list_reserved(&vm->backend, ranges, capacity, needed, error);
    lock_give(&vm->serial);
    vm_use_end(use);
    return status;
}
