#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "core/host.h"
#include "core/vm_state.h"
#include <inttypes.h>
#include <stddef.h>

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
    static const vsdk_capability capabilities[] = {
        VSDK_CAPABILITY_IRQCHIP_PORTABLE,
        VSDK_CAPABILITY_IRQCHIP_KERNEL,
        VSDK_CAPABILITY_IRQCHIP_NONE,
    };
    vsdk_capability_info info;

    if (!(host->irqchip_missing & 1u << config->irqchip))
        return VSDK_OK;
    if (host_ask(host, capabilities[config->irqchip], &info, NULL))
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
    if (!config->vcpus_max)
        config->vcpus_max = 1;
    if (!config->memory_max)
        config->memory_max = DEFAULT_MEMORY;
    return status;
}

static vsdk_status no_memory(vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_NO_MEMORY, creating, "no memory for the virtual machine");
}

static int fill(vsdk_vm *vm, vsdk_host *host, const vsdk_vm_config *config)
{
    vm->host = host;
    vm->backend.host = &host->backend;
    vm->backend.config = *config;
    vm->vcpus = alloc_array(config->vcpus_max, sizeof *vm->vcpus);
    vm->backend.vcpus = alloc_array(config->vcpus_max, sizeof *vm->backend.vcpus);
    return vm->vcpus && vm->backend.vcpus;
}

static void free_memory(vsdk_vm *vm)
{
    for (uint32_t i = 0; vm->vcpus && i < vm->backend.config.vcpus_max; i++)
        alloc_free(vm->vcpus[i]);
    vsdk_loop_close(vm->loop);
    alloc_free(vm->vcpus);
    alloc_free(vm->backend.vcpus);
    pthread_mutex_destroy(&vm->lock);
    pthread_mutex_destroy(&vm->serial);
    alloc_free(vm);
}

static vsdk_vm *vm_alloc(void)
{
    vsdk_vm *vm = alloc_aligned(64, sizeof *vm);

    if (!vm)
        return NULL;
    refs_init(&vm->refs);
    refs_init(&vm->memory);
    pthread_mutex_init(&vm->lock, NULL);
    pthread_mutex_init(&vm->serial, NULL);
    bus_init(vm);
    gpa_map_init(vm);
    irq_init(vm);
    return vm;
}

static vsdk_status create(vsdk_host *host, const vsdk_vm_config *config, vsdk_vm **out,
                          vsdk_error *error)
{
    vsdk_vm *vm = vm_alloc();

    if (!vm)
        return no_memory(error);
    vsdk_status status = fill(vm, host, config) ? VSDK_OK : no_memory(error);
    if (!status)
        status = host->backend.ops->vm_create(&vm->backend, error);
    if (status) {
        free_memory(vm);
        return status;
    }
    host_get(host);
    *out = vm;
    return VSDK_OK;
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
    vsdk_status status = read_config(host, config, &checked, error);
    return status ? status : create(host, &checked, vm, error);
}

void vm_get(vsdk_vm *vm)
{
    refs_get(&vm->refs);
}

void vm_put(vsdk_vm *vm)
{
    if (!refs_put(&vm->refs))
        return;
    vm_destroy_all(vm);
    vm_drop(vm);
}

void vm_keep(vsdk_vm *vm)
{
    refs_get(&vm->memory);
}

void vm_drop(vsdk_vm *vm)
{
    if (!refs_put(&vm->memory))
        return;
    vm->backend.host->ops->vm_free(&vm->backend);
    vsdk_host *host = vm->host;
    free_memory(vm);
    host_put(host);
}

void vsdk_vm_close(vsdk_vm *vm)
{
    if (vm && !host_is_foreign(vm->host))
        vm_put(vm);
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
    if (!needed)
        return error_null(error, operation, "needed");
    if (!ranges && capacity)
        return error_null(error, operation, "ranges");
    vsdk_status status = vm_use_begin(vm, &use, operation, error);
    if (status)
        return status;
    pthread_mutex_lock(&vm->serial);
    status = vm->backend.host->ops->vm_list_reserved(&vm->backend, ranges, capacity, needed, error);
    pthread_mutex_unlock(&vm->serial);
    vm_use_end(use);
    return status;
}
