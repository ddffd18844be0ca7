/* SPDX-License-Identifier: Apache-2.0 */
/* What a host can do, and why not; lists that it gives. */
#include "base/error.h"
#include "base/record.h"
#include "core/host.h"
#include <stdio.h>
#include <string.h>

enum { FIRST_SIZE = 224 };

vsdk_status host_ask(vsdk_host *host, vsdk_capability capability, vsdk_capability_info *info,
                     vsdk_error *error)
{
    memset(info, 0, sizeof *info);
    vsdk_status status = host->backend.ops->host_query(&host->backend, capability, info, error);
    if (status)
        return status;
    info->size = sizeof *info;
    info->flags = 0;
    info->reserved = 0;
    info->reason[sizeof info->reason - 1] = 0;
    if (info->answer != VSDK_ANSWER_YES && !info->reason[0])
        snprintf(info->reason, sizeof info->reason, "the %s backend does not offer it",
                 host->backend.ops->name);
    return VSDK_OK;
}

vsdk_status host_need_capability(vsdk_host *host, vsdk_capability capability, const char *what,
                                 const char *operation, vsdk_error *error)
{
    vsdk_capability_info info;
    vsdk_status status = host_ask(host, capability, &info, error);

    if (status || info.answer != VSDK_ANSWER_NO)
        return status;
    return error_set(error, VSDK_ERROR_UNSUPPORTED, operation, "%s%s", what, info.reason);
}

vsdk_capability host_irqchip_capability(uint32_t irqchip)
{
    static const vsdk_capability capabilities[] = {
        [VSDK_IRQCHIP_PORTABLE] = VSDK_CAPABILITY_IRQCHIP_PORTABLE,
        [VSDK_IRQCHIP_KERNEL] = VSDK_CAPABILITY_IRQCHIP_KERNEL,
        [VSDK_IRQCHIP_NONE] = VSDK_CAPABILITY_IRQCHIP_NONE,
    };

    return capabilities[irqchip];
}

void host_ask_limits(vsdk_host *host)
{
    vsdk_capability_info info;

    host->vcpus_max = 1;
    if (!host_ask(host, VSDK_CAPABILITY_VCPUS_MAX, &info, NULL) && info.value)
        host->vcpus_max = info.value > 4096 ? 4096 : (uint32_t)info.value;
    for (uint32_t i = 0; i <= VSDK_IRQCHIP_NONE; i++)
        if (host_ask(host, host_irqchip_capability(i), &info, NULL) ||
            info.answer == VSDK_ANSWER_NO)
            host->irqchip_missing |= 1u << i;
}

vsdk_status vsdk_host_query(vsdk_host *host, vsdk_capability capability, vsdk_capability_info *info,
                            vsdk_error *error)
{
    const char *operation = "vsdk_host_query";
    vsdk_capability_info answer;

    if (!host)
        return error_null(error, operation, "host");
    if (host_is_foreign(host))
        return vm_forked(operation, error);
    if (!info)
        return error_null(error, operation, "info");
    memset(&answer, 0, sizeof answer);
    vsdk_status status = record_write(info, &answer, sizeof answer, FIRST_SIZE, operation, error);
    if (status)
        return status;
    if (capability < VSDK_CAPABILITY_AUTONOMOUS || capability > VSDK_CAPABILITY_PCI_LINES)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "no capability %u in this version",
                         capability);
    status = host_ask(host, capability, &answer, error);
    if (status)
        return status;
    return record_write(info, &answer, sizeof answer, FIRST_SIZE, operation, error);
}

vsdk_status host_check_list(const vsdk_host *host, const void *entries, const char *name,
                            uint32_t capacity, uint32_t *needed, const char *operation,
                            vsdk_error *error)
{
    if (needed)
        *needed = 0;
    if (!host)
        return error_null(error, operation, "host");
    if (host_is_foreign(host))
        return vm_forked(operation, error);
    if (!needed)
        return error_null(error, operation, "needed");
    return !entries && capacity ? error_null(error, operation, name) : VSDK_OK;
}

vsdk_status vsdk_host_list_orphans(vsdk_host *host, vsdk_orphan *orphans, uint32_t capacity,
                                   uint32_t *needed, vsdk_error *error)
{
    const char *operation = "vsdk_host_list_orphans";
    vsdk_status status =
        host_check_list(host, orphans, "orphans", capacity, needed, operation, error);

    if (status || !host->backend.ops->host_list_orphans)
        return status;
    return host->backend.ops->host_list_orphans(&host->backend, orphans, capacity, needed, error);
}

vsdk_status vsdk_host_reap(vsdk_host *host, uint64_t id, vsdk_error *error)
{
    const char *operation = "vsdk_host_reap";

    if (!host)
        return error_null(error, operation, "host");
    if (host_is_foreign(host))
        return vm_forked(operation, error);
    if (!host->backend.ops->host_reap)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation,
                         "guests of the %s backend die with their owner", host->backend.ops->name);
    return host->backend.ops->host_reap(&host->backend, id, error);
}
