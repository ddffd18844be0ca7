/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the embedder's log callback; nothing is written anywhere else, nothing allocated. */
#ifndef VSDK_CORE_LOG_H
#define VSDK_CORE_LOG_H

#include "core/object.h"

void host_log(vsdk_host *host, vsdk_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For messages that a guest can cause: 1 for `burst` of them a second. */
int log_allowed(log_limit *limit, uint32_t burst);

/* core_table.log, with a limit: a guest may cause what a hypervisor's library complains about. */
void log_from_backend(backend_host *host, vsdk_log_level level, const char *text);

#endif
