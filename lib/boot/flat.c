/* SPDX-License-Identifier: Apache-2.0 */
/* Plain bytes at an address: whatever was asked for, so what can't be is the caller's mistake and
 * not the image's. */
#include "base/error.h"
#include "boot/gate.h"

static const uint64_t REAL_TOP = 0x100000, PROTECTED_TOP = UINT64_C(1) << 32;

static vsdk_status check_entry(boot_gate *gate, uint64_t begin)
{
    const vsdk_boot_config *config = gate->config;
    uint64_t top = config->mode == VSDK_BOOT_REAL ? REAL_TOP : PROTECTED_TOP;

    if (!gate->image.length)
        return error_hint(
            gate->error,
            error_set(gate->error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_boot_load", "image: empty"),
            "the file has no bytes: was it written to its end?");
    if (begin < config->address || begin - config->address >= gate->image.length)
        return error_set(gate->error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_boot_load",
                         "entry: 0x%llx is not in the image of 0x%llx bytes at 0x%llx",
                         (unsigned long long)begin, (unsigned long long)gate->image.length,
                         (unsigned long long)config->address);
    if (begin >= top)
        return error_set(gate->error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_boot_load",
                         "entry: 0x%llx is not below 0x%llx, where %s mode can begin",
                         (unsigned long long)begin, (unsigned long long)top,
                         vsdk_boot_mode_name(config->mode));
    return VSDK_OK;
}

vsdk_status boot_load_flat(boot_gate *gate)
{
    const vsdk_boot_config *config = gate->config;
    uint64_t begin = config->entry ? config->entry : config->address;
    vsdk_status status = check_entry(gate, begin);

    if (status)
        return status;
    gate->entry->mode = config->mode;
    gate->entry->rip = begin;
    status = boot_take_image(gate, config->address, gate->image.length, "image");
    if (!status)
        status = boot_write(gate, config->address, gate->image.bytes, gate->image.length, "image");
    if (!status)
        status = boot_load_tables(gate);
    return status ? status : boot_load_initrd(gate, PROTECTED_TOP);
}
