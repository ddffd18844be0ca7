/* Messages to the embedder's log callback; nothing is written anywhere else, nothing allocated. */
#ifndef VSDK_CORE_LOG_H
#define VSDK_CORE_LOG_H

#include "core/object.h"

void host_log(vsdk_host *host, vsdk_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For messages that a guest can cause: at most `burst` at once and that many a second. */
typedef struct log_limit {
    _Atomic uint64_t second; /* CLOCK_MONOTONIC, in seconds, of the window */
    _Atomic uint32_t used;   /* messages in it */
} log_limit;
int log_allowed(log_limit *limit, uint32_t burst);

/* core_table.log */
void log_from_backend(backend_host *host, vsdk_log_level level, const char *text);

#endif
