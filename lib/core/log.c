/* SPDX-License-Identifier: Apache-2.0 */
/* What is told to the host's log function: no more than the level that is wanted, and of a backend
 * that a guest can make talk a bounded number of messages per second. Some messages come while
 * locks are held, or inside a reader section: so the function may call nothing of the library's. */
#include "core/log.h"
#include "base/sys.h"
#include <stdarg.h>
#include <stdio.h>

enum { BACKEND_BURST = 100 };

static int is_wanted(const vsdk_host *host, vsdk_log_level level)
{
    return host->log && level && level <= host->log_level;
}

void host_log(vsdk_host *host, vsdk_log_level level, const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (!is_wanted(host, level))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    host->log(host->log_user, level, text);
}

/* The text may have newlines at its end; the callback gets one line without. */
void log_from_backend(backend_host *backend, vsdk_log_level level, const char *text)
{
    vsdk_host *host = (vsdk_host *)backend;
    size_t length = 0;

    if (!is_wanted(host, level) || !log_allowed(&host->backend_messages, BACKEND_BURST))
        return;
    while (text[length] && text[length] != '\n')
        length++;
    if (length)
        host_log(host, level, "%.*s", (int)length, text);
}

int log_allowed(log_limit *limit, uint32_t burst)
{
    uint64_t now = sys_clock() / 1000000000u;
    uint64_t second = atomic_load_explicit(&limit->second, memory_order_relaxed);

    if (second != now && atomic_compare_exchange_strong(&limit->second, &second, now))
        atomic_store_explicit(&limit->used, 0, memory_order_relaxed);
    if (atomic_load_explicit(&limit->used, memory_order_relaxed) >= burst)
        return 0;
    return atomic_fetch_add_explicit(&limit->used, 1, memory_order_relaxed) < burst;
}
