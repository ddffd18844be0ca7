/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/record.h"
#include "machine/pc.h"

static const char OPERATION[] = "vsdk_pc_boot";

static vsdk_status pc_check_created(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_status status = vsdk_vm_get_info(pc->vm, &info, error);

    if (!status && info.state != VSDK_VM_CREATED)
        status = error_set(error, VSDK_ERROR_STATE, OPERATION, "the guest was started already");
    return status;
}

static vsdk_status pc_complete(const vsdk_pc *pc, const vsdk_boot_config *given,
                               vsdk_boot_config *config, vsdk_error *error)
{
    vsdk_status status = record_read(config, sizeof *config, given, 0, OPERATION, error);

    if (status)
        return status;
    if (config->memory || config->memory_count || config->rsdp)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, OPERATION,
                         "memory, memory_count and rsdp are the machine's to fill in");
    config->memory = pc->map;
    config->memory_count = pc->map_count;
    config->rsdp = pc->irqchip == VSDK_IRQCHIP_NONE ? 0 : PC_ACPI;
    return VSDK_OK;
}

static vsdk_status pc_make_vcpus(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    for (uint32_t i = 0; !status && i < pc->vcpus; i++)
        if (!pc->vcpu[i])
            status = vsdk_vcpu_create(pc->vm, i, NULL, &pc->vcpu[i], error);
    return status;
}

vsdk_status vsdk_pc_boot(vsdk_pc *pc, const vsdk_boot_config *config, vsdk_error *error)
{
    vsdk_boot_config c;
    vsdk_boot_entry entry = {.size = sizeof entry};
    vsdk_status status;

    if (!pc || !config)
        return error_null(error, __func__, pc ? "config" : "pc");
    status = pc_check_created(pc, error);
    if (!status)
        status = pc_complete(pc, config, &c, error);
    if (!status)
        status = vsdk_boot_load(pc->vm, &c, &entry, error);
    if (!status)
        status = pc_make_vcpus(pc, error);
    return status ? status : vsdk_boot_apply(pc->vcpu[0], &entry, error);
}
