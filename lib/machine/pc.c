/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's life: a description, a virtual machine made by it, and what the machine puts into
 * that. Everything hangs on the virtual machine, and the machine's reference is the only one until
 * creation has succeeded: so a failure at any step gives all of it back by closing that. */
#include "machine/pc.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include <stddef.h>

static const uint64_t MEMORY_DEFAULT = 256 << 20, MEMORY_LEAST = 2 << 20, PAGE = 4096;

static const char operation[] = "vsdk_pc_create";

/* The configurations in the description are checked here as far as their functions are called only
 * later; the others check themselves. */
static vsdk_status pc_read_parts(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_status status =
        record_read(&pc->vcpu_config, sizeof pc->vcpu_config, pc->config.vcpu,
                    VSDK_VCPU_SYNC_GENERAL | VSDK_VCPU_SYNC_SREGS, operation, error);

    if (!status && pc->vcpu_config.exit)
        status = error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                           "vcpu: one exit record for all processors");
    if (!status && (pc->vcpu_config.reserved[0] || pc->vcpu_config.reserved[1]))
        status = record_later(operation, error);
    if (!status)
        status = record_read(&pc->ram_config, sizeof pc->ram_config, pc->config.ram,
                             VSDK_RAM_DESCRIPTOR | VSDK_RAM_TRACKED, operation, error);
    pc->config.vcpu = &pc->vcpu_config;
    pc->config.ram = &pc->ram_config;
    return status;
}

/* Leaves in pc->config the description with its defaults filled in. */
static vsdk_status pc_describe(vsdk_pc *pc, const vsdk_pc_config *given, vsdk_error *error)
{
    vsdk_pc_config *c = &pc->config;
    vsdk_status status = record_read(c, sizeof *c, given, VSDK_PC_PCI, operation, error);

    if (status)
        return status;
    for (size_t i = 0; i < sizeof c->reserved2 / sizeof *c->reserved2; i++)
        if (c->reserved || c->reserved2[i])
            return record_later(operation, error);
    if (c->node_count && !c->nodes)
        return error_null(error, operation, "nodes");
    c->memory = c->memory ? c->memory : MEMORY_DEFAULT;
    c->memory_max = c->memory_max ? c->memory_max : c->memory;
    c->vcpus = c->vcpus ? c->vcpus : 1;
    c->exit_port = c->exit_port ? c->exit_port : PC_EXIT_PORT;
    if (c->memory < MEMORY_LEAST || c->memory % PAGE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "memory of %llu bytes is below 2 MiB or no multiple of 4096",
                         (unsigned long long)c->memory);
    if (c->memory_max < c->memory)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "memory_max, %llu bytes, is less than memory, %llu",
                         (unsigned long long)c->memory_max, (unsigned long long)c->memory);
    if (pc_has_pci(pc) && c->irqchip == VSDK_IRQCHIP_NONE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "PCI: a machine without interrupt controllers has no tables and no "
                         "messages");
    if (c->vcpus > PC_VCPUS_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%u vCPUs, at most %d", c->vcpus,
                         PC_VCPUS_MAX);
    return pc_read_parts(pc, error);
}

static vsdk_status pc_make_vm(vsdk_pc *pc, vsdk_host *host, vsdk_error *error)
{
    const vsdk_vm_config config = {
        .size = sizeof config,
        .flags = pc->config.vm_flags,
        .vcpus_max = pc->config.vcpus,
        .irqchip = pc->config.irqchip,
        .memory_max = pc->config.memory_max,
        .console = pc->config.console,
    };

    return vsdk_vm_create(host, &config, &pc->vm, error);
}

static vsdk_status pc_list_served(vsdk_pc *pc, vsdk_error *error)
{
    uint32_t count = 0;
    vsdk_status status = vsdk_vm_list_reserved(pc->vm, NULL, 0, &count, error);

    if (status)
        return status;
    pc->served = alloc_array(count ? count : 1, sizeof *pc->served);
    if (!pc->served)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for a list");
    status = vsdk_vm_list_reserved(pc->vm, pc->served, count, &pc->served_count, error);
    if (pc->served_count > count)
        pc->served_count = count;
    return status;
}

/* In the description are the caller's until they have become the machine's. */
static vsdk_status pc_take_nodes(vsdk_pc *pc, vsdk_error *error)
{
    const vsdk_pc_node *given = pc->config.nodes;
    uint32_t count = pc->config.node_count;
    vsdk_status status = VSDK_OK;

    pc->config.nodes = NULL;
    pc->config.node_count = 0;
    for (uint32_t i = 0; !status && i < count; i++)
        status = pc_add_node(pc, &given[i], operation, error);
    return status;
}

static vsdk_status pc_make(vsdk_pc *pc, vsdk_host *host, vsdk_error *error)
{
    vsdk_status status = pc_make_vm(pc, host, error);

    if (!status)
        status = pc_list_served(pc, error);
    if (!status)
        status = pc_take_nodes(pc, error);
    if (!status)
        status = pc_make_memory(pc, error);
    if (!status)
        status = pc_make_devices(pc, error);
    pc_make_map(pc);
    pc->config.serial = pc->config.debug_output = pc->config.console = NULL; /* have owners */
    return status;
}

static void pc_free(vsdk_pc *pc)
{
    for (uint32_t i = 0; i < PC_VCPUS_MAX; i++)
        vsdk_vcpu_close(pc->vcpu[i]);
    for (uint32_t i = 0; i < PC_PARTS; i++)
        vsdk_device_close(pc->device[i]);
    vsdk_device_close(pc->absent);
    vsdk_vm_close(pc->vm);
    alloc_free(pc->served);
    alloc_free(pc->nodes);
    alloc_free(pc->claims);
    alloc_free(pc);
}

vsdk_status vsdk_pc_create(vsdk_host *host, const vsdk_pc_config *config, vsdk_pc **pc,
                           vsdk_error *error)
{
    vsdk_pc *made;
    vsdk_status status;

    if (pc)
        *pc = NULL;
    if (!host || !pc)
        return error_null(error, operation, host ? "pc" : "host");
    made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for a machine");
    refs_init(&made->refs);
    status = pc_describe(made, config, error);
    if (!status)
        status = pc_make(made, host, error);
    if (status)
        pc_free(made);
    else
        *pc = made;
    return status;
}

vsdk_pc *vsdk_pc_ref(vsdk_pc *pc)
{
    if (pc)
        refs_get(&pc->refs);
    return pc;
}

void vsdk_pc_close(vsdk_pc *pc)
{
    if (pc && refs_put(&pc->refs))
        pc_free(pc);
}

vsdk_vm *vsdk_pc_vm(vsdk_pc *pc)
{
    return pc ? pc->vm : NULL;
}

vsdk_vcpu *vsdk_pc_vcpu(vsdk_pc *pc, uint32_t index)
{
    return pc && index < PC_VCPUS_MAX ? pc->vcpu[index] : NULL;
}

vsdk_device *vsdk_pc_device(vsdk_pc *pc, vsdk_pc_part part)
{
    return pc && part < PC_PARTS ? pc->device[part] : NULL;
}

vsdk_status vsdk_pc_get_config(vsdk_pc *pc, vsdk_pc_config *config, vsdk_error *error)
{
    vsdk_status status;

    record_clear(config, sizeof *config);
    if (!pc || !config)
        return error_null(error, __func__, pc ? "config" : "pc");
    status = pc_check_process(pc, __func__, error);
    if (status)
        return status;
    return record_write(config, &pc->config, sizeof pc->config, sizeof pc->config, __func__, error);
}

vsdk_status vsdk_pc_get_memory_map(vsdk_pc *pc, vsdk_memory_range *ranges, uint32_t capacity,
                                   uint32_t *needed, vsdk_error *error)
{
    vsdk_status status;

    if (needed)
        *needed = 0;
    if (!pc || !needed || (!ranges && capacity))
        return error_null(error, __func__, !pc ? "pc" : needed ? "ranges" : "needed");
    status = pc_check_process(pc, __func__, error);
    if (status)
        return status;
    *needed = pc->map_count;
    for (uint32_t i = 0; i < pc->map_count && i < capacity; i++)
        ranges[i] = pc->map[i];
    return VSDK_OK;
}
