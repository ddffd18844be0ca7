/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's life: what its creation made is taken back when a later step fails, but the memory
 * stays in the virtual machine, which then can only be destroyed. */
#include "machine/pc.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include <stddef.h>
#include <string.h>

static const uint64_t MEMORY_DEFAULT = 256 << 20, MEMORY_LEAST = 2 << 20, PAGE = 4096;

static vsdk_status pc_check(const vsdk_pc *pc, const vsdk_vm_info *info, vsdk_error *error)
{
    static const char operation[] = "vsdk_pc_create";

    if (pc->memory < MEMORY_LEAST || pc->memory % PAGE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "memory of %llu bytes is below 2 MiB or no multiple of 4096",
                         (unsigned long long)pc->memory);
    if (info->vcpus_max > PC_VCPUS_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%u vCPUs, at most %d",
                         info->vcpus_max, PC_VCPUS_MAX);
    if (info->state != VSDK_VM_CREATED)
        return error_set(error, VSDK_ERROR_STATE, operation, "the guest was started already");
    return VSDK_OK;
}

static vsdk_status pc_list_served(vsdk_pc *pc, vsdk_error *error)
{
    uint32_t count = 0;
    vsdk_status status = vsdk_vm_list_reserved(pc->vm, NULL, 0, &count, error);

    if (status)
        return status;
    pc->served = alloc_array(count ? count : 1, sizeof *pc->served);
    if (!pc->served)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_pc_create", "no memory for a list");
    status = vsdk_vm_list_reserved(pc->vm, pc->served, count, &pc->served_count, error);
    if (pc->served_count > count)
        pc->served_count = count;
    return status;
}

static vsdk_status pc_make(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_status status = vsdk_vm_get_info(pc->vm, &info, error);

    if (!status)
        status = pc_check(pc, &info, error);
    if (status)
        return status;
    pc->vcpus = info.vcpus_max;
    pc->irqchip = info.irqchip;
    pc_make_map(pc);
    status = pc_list_served(pc, error);
    if (!status)
        status = pc_make_memory(pc, error);
    if (!status)
        status = pc_write_firmware(pc, error);
    if (!status)
        status = pc_make_devices(pc, error);
    alloc_free(pc->served);
    pc->served = NULL;
    pc->served_count = 0;
    return status;
}

static vsdk_status pc_configure(vsdk_pc *pc, vsdk_vm *vm, const vsdk_pc_config *config,
                                vsdk_error *error)
{
    vsdk_pc_config c;
    vsdk_status status = record_read(&c, sizeof c, config, 0, "vsdk_pc_create", error);

    if (!status && (c.reserved || c.reserved2[0] || c.reserved2[1] || c.reserved2[2]))
        status = record_later("vsdk_pc_create", error);
    if (status)
        return status;
    pc->vm = vm;
    pc->memory = c.memory ? c.memory : MEMORY_DEFAULT;
    pc->serial = c.serial;
    pc->debug_output = c.debug_output;
    pc->exit_port = c.exit_port ? c.exit_port : PC_EXIT_PORT;
    return vm ? VSDK_OK : error_null(error, "vsdk_pc_create", "vm");
}

vsdk_status vsdk_pc_create(vsdk_vm *vm, const vsdk_pc_config *config, vsdk_pc **pc,
                           vsdk_error *error)
{
    vsdk_pc *made = NULL, refused = {0};
    vsdk_status status;

    if (pc)
        *pc = NULL;
    status = pc ? pc_configure(&refused, vm, config, error) : error_null(error, __func__, "pc");
    if (!status) {
        made = alloc_zeroed(sizeof *made);
        if (!made)
            status = error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a machine");
    }
    if (status)
        return status;
    *made = refused;
    refs_init(&made->refs);
    status = pc_make(made, error);
    if (!status) {
        *pc = made;
        return VSDK_OK;
    }
    pc_unmake_devices(made);
    alloc_free(made);
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
    if (!pc || !refs_put(&pc->refs))
        return;
    for (uint32_t i = 0; i < PC_VCPUS_MAX; i++)
        vsdk_vcpu_close(pc->vcpu[i]);
    for (uint32_t i = 0; i < PC_PARTS; i++)
        vsdk_device_close(pc->device[i]);
    vsdk_device_close(pc->absent);
    alloc_free(pc);
}

vsdk_vcpu *vsdk_pc_vcpu(vsdk_pc *pc, uint32_t index)
{
    return pc && index < PC_VCPUS_MAX ? pc->vcpu[index] : NULL;
}

vsdk_device *vsdk_pc_device(vsdk_pc *pc, vsdk_pc_part part)
{
    return pc && part < PC_PARTS ? pc->device[part] : NULL;
}

vsdk_status vsdk_pc_get_memory_map(vsdk_pc *pc, vsdk_memory_range *ranges, uint32_t capacity,
                                   uint32_t *needed, vsdk_error *error)
{
    if (needed)
        *needed = 0;
    if (!pc || !needed || (!ranges && capacity))
        return error_null(error, __func__, !pc ? "pc" : needed ? "ranges" : "needed");
    vsdk_vm_info info = {.size = sizeof info};
    if (vsdk_vm_get_info(pc->vm, &info, NULL) == VSDK_ERROR_STATE)
        return error_set(error, VSDK_ERROR_STATE, __func__,
                         "this process was forked after the object was made");
    *needed = pc->map_count;
    for (uint32_t i = 0; i < pc->map_count && i < capacity; i++)
        ranges[i] = pc->map[i];
    return VSDK_OK;
}
