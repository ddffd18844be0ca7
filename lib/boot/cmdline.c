/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "boot/gate.h"

#include <string.h>

vsdk_status boot_load_cmdline(boot_gate *gate, const char *name, uint64_t most, uint64_t *start)
{
    static const char what[] = "command_line";
    const char *text = gate->config->command_line ? gate->config->command_line : "";
    uint64_t before = name ? strlen(name) : 0, length = strnlen(text, most + 1);
    uint64_t space = before && length ? 1 : 0, total = before + space + length;
    vsdk_status status;

    *start = 0;
    if (before > most || total > most)
        return error_set(gate->error, VSDK_ERROR_LIMIT, "vsdk_boot_load",
                         "%s: longer than the %llu bytes that this guest takes", what,
                         (unsigned long long)most);
    if (!total)
        return VSDK_OK;
    status = boot_place(gate, BOOT_COMMAND_LINE, total + 1, what, start);
    if (!status)
        status = boot_write(gate, *start, name, before, what);
    if (!status)
        status = boot_write(gate, *start + before, " ", space, what);
    if (!status)
        status = boot_write(gate, *start + before + space, text, length, what);
    return status ? status : boot_write(gate, *start + total, "", 1, what);
}
