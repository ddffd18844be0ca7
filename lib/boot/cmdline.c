/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. What the library adds is left out where it does not fit: it must not be the
 * reason that a guest is refused. */
#include "base/error.h"
#include "boot/gate.h"

#include <string.h>

static const char what[] = "command_line";

/* 1 if a word of the text begins with `pci=`. */
static int cmdline_has_pci(const char *text, uint64_t length)
{
    for (uint64_t at = 0; at + 4 <= length; at++)
        if (!memcmp(text + at, "pci=", 4) && (!at || strchr(" \t\n\"", text[at - 1])))
            return 1;
    return 0;
}

vsdk_status boot_load_cmdline(boot_gate *gate, boot_cmdline how, uint64_t most, uint64_t *start)
{
    static const char no_pci[] = "pci=off";
    const char *text = gate->config->command_line ? gate->config->command_line : "";
    const char *parts[] = {how.name ? how.name : "", "", text};
    const uint32_t flags = gate->config->flags;
    uint64_t length[] = {strlen(parts[0]), 0, strnlen(text, most + 1)};
    uint64_t total = length[0] + length[2] + (length[0] && length[2] ? 1 : 0), at;
    vsdk_status status;

    *start = 0;
    if (length[0] > most || total > most)
        return error_set(gate->error, VSDK_ERROR_LIMIT, "vsdk_boot_load",
                         "%s: longer than the %llu bytes that this guest takes", what,
                         (unsigned long long)most);
    /* In front: what stands behind a word `--` is not for the kernel. */
    if (how.for_linux && flags & VSDK_BOOT_NO_PCI && !(flags & VSDK_BOOT_EXACT_COMMAND_LINE) &&
        !cmdline_has_pci(text, length[2]) && total + sizeof no_pci <= most) {
        parts[1] = no_pci;
        length[1] = sizeof no_pci - 1;
        total += sizeof no_pci - (total ? 0 : 1);
    }
    if (!total)
        return VSDK_OK;
    status = boot_place(gate, BOOT_COMMAND_LINE, total + 1, what, &at);
    *start = at;
    for (uint32_t n = 0; !status && n < 3; n++) {
        if (length[n] && at > *start)
            status = boot_write(gate, at++, " ", 1, what);
        if (!status)
            status = boot_write(gate, at, parts[n], length[n], what);
        at += length[n];
    }
    return status ? status : boot_write(gate, at, "", 1, what);
}
