/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <string.h>

/* Mode, address and entry are the first 17 bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    vsdk_boot_config config;

    if (length < 17)
        return 0;
    config = target_config(VSDK_BOOT_FLAT, bytes + 17, length - 17);
    config.mode = bytes[0] % 3;
    memcpy(&config.address, bytes + 1, 8);
    memcpy(&config.entry, bytes + 9, 8);
    target_load(&config);
    return 0;
}
