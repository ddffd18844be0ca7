/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: files that a guest is given beside its image. Each lies on pages of its own, as high as
 * it goes, so that what a guest puts behind its own image does not meet them. */
#include "base/checked.h"
#include "base/error.h"
#include "boot/gate.h"

#include <string.h>

enum { STRINGS_MOST = 0xffff };

static const char operation[] = "vsdk_boot_load";

/* The highest page below `top` from which `length` bytes are free down to `bottom`; 0 for none. */
static uint64_t module_fit(const boot_gate *gate, uint64_t bottom, uint64_t top, uint64_t length)
{
    while (top > bottom && top - bottom >= length) {
        uint64_t at = (top - length) & ~(uint64_t)(BOOT_PAGE - 1), lowest = at;

        if (at < bottom)
            return 0;
        if (boot_is_free(gate, at, length))
            return at;
        for (uint32_t i = 0; i < gate->count; i++)
            if (ranges_overlap(at, length, gate->taken[i].start, gate->taken[i].length) &&
                gate->taken[i].start < top)
                lowest = gate->taken[i].start;
        top = lowest < top ? lowest : at;
    }
    return 0;
}

static uint64_t module_find(const boot_gate *gate, uint64_t limit, uint64_t length)
{
    for (uint32_t i = gate->config->memory_count; i-- > 0;) {
        const vsdk_memory_range *range = &gate->config->memory[i];
        uint64_t top = range->address + range->length, at;

        if (range->type != VSDK_MEMORY_RAM || range->address >= limit)
            continue;
        at = module_fit(gate, range->address, top < limit ? top : limit, length);
        if (at)
            return at;
    }
    return 0;
}

/* In one block below 640 KiB, one after the other. */
static vsdk_status module_strings(boot_gate *gate)
{
    static const char what[] = "modules' strings";
    uint64_t total = 0, at, length;
    vsdk_status status;

    for (uint32_t n = 0; n < gate->modules; n++) {
        const char *string = gate->module[n].string;

        length = string ? strnlen(string, STRINGS_MOST) : 0;
        total += length ? length + 1 : 0;
        if (total > STRINGS_MOST)
            return error_set(gate->error, VSDK_ERROR_LIMIT, operation,
                             "%s: longer than %d bytes together", what, STRINGS_MOST);
    }
    if (!total)
        return VSDK_OK;
    status = boot_place(gate, BOOT_STRINGS, total, what, &at);
    for (uint32_t n = 0; !status && n < gate->modules; n++) {
        boot_module *module = &gate->module[n];

        if (!module->string || !*module->string)
            continue;
        length = strlen(module->string) + 1;
        module->text = at;
        status = boot_write(gate, at, module->string, length, what);
        at += length;
    }
    return status;
}

vsdk_status boot_load_modules(boot_gate *gate, uint64_t limit)
{
    const char *what = "initrd";
    vsdk_status status = VSDK_OK;

    for (uint32_t n = 0; !status && n < gate->modules; n++, what = "modules") {
        boot_module *module = &gate->module[n];

        module->address = module_find(gate, limit, module->length);
        if (!module->address) {
            error_set(gate->error, VSDK_ERROR_RANGE, operation,
                      "%s: no 0x%llx bytes of RAM are free below 0x%llx", what,
                      (unsigned long long)module->length, (unsigned long long)limit);
            return boot_advise(gate, add_capped(gate->reach, module->length));
        }
        status = boot_take(gate, module->address, module->length, what);
        if (!status)
            status = boot_write(gate, module->address, module->bytes, module->length, what);
    }
    gate->entry->initrd = gate->module[0].address;
    return status ? status : module_strings(gate);
}

vsdk_status boot_load_initrd(boot_gate *gate, uint64_t limit)
{
    if (gate->modules > 1)
        return error_set(gate->error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "module_count: %u modules, and %s takes an initial RAM disk only",
                         gate->modules, vsdk_boot_format_name(gate->entry->format));
    return boot_load_modules(gate, limit);
}
