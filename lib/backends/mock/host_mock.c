/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/mock/mock.h"
#include "base/alloc.h"
#include "base/error.h"

vsdk_status mock_host_open(backend_host *host, const vsdk_host_config *config, vsdk_error *error)
{
    mock_host *mock;

    if (config->flags & VSDK_HOST_DESCRIPTOR)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_host_open",
                         "the mock has no device to open from a descriptor");
    mock = alloc_zeroed(sizeof *mock);
    if (!mock)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_host_open", "no memory for a host");
    mock->seed = config->seed;
    host->data = mock;
    return VSDK_OK;
}

void mock_host_close(backend_host *host)
{
    alloc_free(host->data);
    host->data = NULL;
}
