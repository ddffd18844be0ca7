/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    vsdk_boot_config config = target_config(VSDK_BOOT_MULTIBOOT, bytes, length);

    if (length)
        target_load(&config);
    return 0;
}
