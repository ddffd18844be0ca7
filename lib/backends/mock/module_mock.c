/* SPDX-License-Identifier: Apache-2.0 */
/* What mock.so exports: one function for each personality, so that both come from one file. Not
 * part of a program that has the mocks linked in. */
#include "backends/mock/mock.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED const backend_ops *vsdk_backend_module(const core_table *core);
EXPORTED const backend_ops *vsdk_backend_module_autonomous(const core_table *core);

static int fits(const core_table *core)
{
    return core && core->size >= sizeof *core && core->abi == BACKEND_ABI;
}

const backend_ops *vsdk_backend_module(const core_table *core)
{
    return fits(core) ? backend_mock() : NULL;
}

const backend_ops *vsdk_backend_module_autonomous(const core_table *core)
{
    return fits(core) ? backend_mock_autonomous() : NULL;
}
