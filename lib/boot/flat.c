/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "boot/gate.h"

static const uint64_t REAL_TOP = 0x100000, PROTECTED_TOP = UINT64_C(1) << 32;

vsdk_status boot_load_flat(boot_gate *gate)
{
    const vsdk_boot_config *config = gate->config;
    uint64_t begin = config->entry ? config->entry : config->address;
    vsdk_status status;

    if (begin < config->address || begin - config->address >= gate->image.length ||
        begin >= (config->mode == VSDK_BOOT_REAL ? REAL_TOP : PROTECTED_TOP))
        return error_set(gate->error, VSDK_ERROR_INVALID_ARGUMENT, "vsdk_boot_load",
                         "entry: 0x%llx is not in the image or not in reach of its mode",
                         (unsigned long long)begin);
    gate->entry->mode = config->mode;
    gate->entry->rip = begin;
    status = boot_take_image(gate, config->address, gate->image.length, "image");
    if (!status)
        status = boot_write(gate, config->address, gate->image.bytes, gate->image.length, "image");
    if (!status)
        status = boot_load_tables(gate);
    return status ? status : boot_load_initrd(gate, PROTECTED_TOP);
}
