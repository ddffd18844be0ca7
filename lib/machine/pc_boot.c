/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a guest into the machine: the configuration is the embedder's, the memory map the
 * machine's with the embedder's ranges between. Tables are written here and only here, of what the
 * machine is at this moment: the guest before a reset had them in its memory. */
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include "machine/pc.h"

static const char operation[] = "vsdk_pc_boot";

enum { FLAGS = VSDK_BOOT_NO_PCI | VSDK_BOOT_EXACT_COMMAND_LINE, RANGES_MOST = 32 };

typedef struct pc_map {
    vsdk_memory_range range[RANGES_MOST];
    uint32_t count;
} pc_map;

/* Puts a range where it belongs by its address. */
static vsdk_status pc_map_insert(pc_map *map, const vsdk_memory_range *range, vsdk_error *error)
{
    uint64_t end;
    uint32_t at = map->count;

    if (!range->length || !checked_add(range->address, range->length, &end))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "memory: 0x%llx bytes at 0x%llx are none, or wrap",
                         (unsigned long long)range->length, (unsigned long long)range->address);
    for (uint32_t i = 0; i < map->count; i++) {
        const vsdk_memory_range *other = &map->range[i];

        if (ranges_overlap(range->address, range->length, other->address, other->length))
            return error_set(error, VSDK_ERROR_EXISTS, operation,
                             "memory: 0x%llx bytes at 0x%llx overlap 0x%llx bytes at 0x%llx",
                             (unsigned long long)range->length, (unsigned long long)range->address,
                             (unsigned long long)other->length, (unsigned long long)other->address);
    }
    for (map->count++; at > 0 && map->range[at - 1].address > range->address; at--)
        map->range[at] = map->range[at - 1];
    map->range[at] = *range;
    return VSDK_OK;
}

static vsdk_status pc_make_map_told(const vsdk_pc *pc, const vsdk_boot_config *config, pc_map *map,
                                    vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    if (config->memory_count && !config->memory)
        return error_null(error, operation, "memory");
    if (config->memory_count > RANGES_MOST - pc->map_count)
        return error_set(error, VSDK_ERROR_LIMIT, operation,
                         "memory_count: %u ranges beside the machine's, at most %u",
                         config->memory_count, RANGES_MOST - pc->map_count);
    for (; map->count < pc->map_count; map->count++)
        map->range[map->count] = pc->map[map->count];
    for (uint32_t i = 0; !status && i < config->memory_count; i++)
        status = pc_map_insert(map, &config->memory[i], error);
    return status;
}

static vsdk_status pc_complete(const vsdk_pc *pc, const vsdk_boot_config *given,
                               vsdk_boot_config *config, pc_map *map, vsdk_error *error)
{
    vsdk_status status = record_read(config, sizeof *config, given, FLAGS, operation, error);

    if (!status && config->rsdp)
        status = error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                           "rsdp is the machine's to fill in");
    if (!status)
        status = pc_make_map_told(pc, config, map, error);
    if (status)
        return status;
    config->flags |= pc_has_pci(pc) ? 0 : VSDK_BOOT_NO_PCI;
    config->memory = map->range;
    config->memory_count = map->count;
    config->rsdp = pc->config.irqchip == VSDK_IRQCHIP_NONE ? 0 : PC_ACPI;
    return VSDK_OK;
}

static vsdk_status pc_make_vcpus(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    for (uint32_t i = 0; !status && i < pc->config.vcpus; i++)
        if (!pc->vcpu[i])
            status = vsdk_vcpu_create(pc->vm, i, &pc->vcpu_config, &pc->vcpu[i], error);
    return status;
}

vsdk_status vsdk_pc_boot(vsdk_pc *pc, const vsdk_boot_config *config, vsdk_error *error)
{
    vsdk_boot_config c;
    vsdk_boot_entry entry = {.size = sizeof entry};
    pc_map map = {.count = 0};
    vsdk_status status;

    if (!pc || !config)
        return error_null(error, __func__, pc ? "config" : "pc");
    status = pc_check_created(pc, operation, error);
    if (!status)
        status = pc_complete(pc, config, &c, &map, error);
    if (!status)
        status = pc_write_firmware(pc, error);
    if (!status)
        status = vsdk_boot_load(pc->vm, &c, &entry, error);
    if (!status)
        status = pc_make_vcpus(pc, error);
    return status ? status : vsdk_boot_apply(pc->vcpu[0], &entry, error);
}
