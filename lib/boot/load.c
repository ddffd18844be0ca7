/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions: the configuration is copied and checked here, before a loader looks at the
 * image. The caller's structures are not read again afterwards, but what they point to is. */
#include "base/checked.h"
#include "base/error.h"
#include "base/record.h"
#include "boot/gate.h"

#include <stddef.h>

enum { FLAGS = VSDK_BOOT_NO_PCI | VSDK_BOOT_EXACT_COMMAND_LINE };

static vsdk_boot_format boot_probe(const image *i)
{
    if (boot_is_bzimage(i))
        return VSDK_BOOT_BZIMAGE;
    if (boot_is_pvh(i))
        return VSDK_BOOT_PVH;
    return boot_is_multiboot(i) ? VSDK_BOOT_MULTIBOOT : VSDK_BOOT_AUTO;
}

vsdk_status vsdk_boot_probe(const void *bytes, uint64_t length, vsdk_boot_format *format,
                            vsdk_error *error)
{
    image i = {bytes, length};

    if (format)
        *format = VSDK_BOOT_AUTO;
    if (!bytes || !format)
        return error_null(error, __func__, bytes ? "format" : "image");
    *format = boot_probe(&i);
    return VSDK_OK;
}

static vsdk_status boot_check_map(const vsdk_boot_config *config, vsdk_error *error)
{
    uint64_t free = 0;

    if (config->memory_count > BOOT_RANGES)
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_boot_load",
                         "memory_count: %u ranges, at most %d", config->memory_count, BOOT_RANGES);
    if (config->memory_count && !config->memory)
        return error_null(error, "vsdk_boot_load", "memory");
    for (uint32_t i = 0; i < config->memory_count; i++) {
        const vsdk_memory_range *range = &config->memory[i];

        if (range->address < free || !checked_add(range->address, range->length, &free))
            return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_boot_load",
                             "memory: range %u is not above the one before it, or wraps", i);
    }
    return VSDK_OK;
}

static vsdk_status boot_check_modules(boot_gate *gate)
{
    const vsdk_boot_config *config = gate->config;

    if (config->module_count > BOOT_MODULES)
        return error_set(gate->error, VSDK_ERROR_LIMIT, "vsdk_boot_load",
                         "module_count: %u modules, at most %d", config->module_count,
                         BOOT_MODULES);
    if (config->module_count && !config->modules)
        return error_null(gate->error, "vsdk_boot_load", "modules");
    if (config->initrd_length)
        gate->module[gate->modules++] =
            (boot_module){.bytes = config->initrd, .length = config->initrd_length};
    for (uint32_t n = 0; n < config->module_count; n++) {
        const vsdk_boot_module *module = &config->modules[n];

        if (!module->bytes || !module->length)
            return error_set(gate->error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_boot_load",
                             "modules: module %u has no bytes", n);
        gate->module[gate->modules++] = (boot_module){
            .bytes = module->bytes, .length = module->length, .string = module->string};
    }
    return VSDK_OK;
}

static vsdk_status boot_check(const vsdk_boot_config *config, vsdk_error *error)
{
    static const char operation[] = "vsdk_boot_load";

    if (config->reserved[0] || config->reserved[1])
        return record_later(operation, error);
    if (!config->image)
        return error_null(error, operation, "image");
    if (config->initrd_length && !config->initrd)
        return error_null(error, operation, "initrd");
    if (config->format > VSDK_BOOT_FLAT || config->mode > VSDK_BOOT_LONG)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s %u is unknown",
                         config->format > VSDK_BOOT_FLAT ? "format" : "mode",
                         config->format > VSDK_BOOT_FLAT ? config->format : config->mode);
    return boot_check_map(config, error);
}

static vsdk_status boot_load(boot_gate *gate, vsdk_boot_format format)
{
    switch (format) {
    case VSDK_BOOT_BZIMAGE:
        return boot_load_bzimage(gate);
    case VSDK_BOOT_PVH:
        return boot_load_pvh(gate);
    case VSDK_BOOT_MULTIBOOT:
        return boot_load_multiboot(gate);
    case VSDK_BOOT_FLAT:
        return boot_load_flat(gate);
    default:
        return boot_refuse(gate);
    }
}

vsdk_status vsdk_boot_load(vsdk_vm *vm, const vsdk_boot_config *config, vsdk_boot_entry *entry,
                           vsdk_error *error)
{
    vsdk_boot_config c;
    vsdk_boot_entry made = {.size = sizeof made};
    boot_gate gate = {.vm = vm, .config = &c, .entry = &made, .error = error};
    vsdk_status status;

    record_clear(entry, sizeof *entry);
    if (!vm || !config || !entry)
        return error_null(error, __func__, !vm ? "vm" : !config ? "config" : "entry");
    status = record_write(entry, &made, sizeof made, offsetof(vsdk_boot_entry, reserved), __func__,
                          error);
    if (!status)
        status = record_read(&c, sizeof c, config, FLAGS, __func__, error);
    if (!status)
        status = boot_check(&c, error);
    if (!status)
        status = boot_check_modules(&gate);
    if (status)
        return status;
    gate.image = (image){c.image, c.image_length};
    made.format = c.format ? c.format : boot_probe(&gate.image);
    status = boot_load(&gate, made.format);
    if (status)
        return status;
    return record_write(entry, &made, sizeof made, offsetof(vsdk_boot_entry, reserved), __func__,
                        error);
}
