/* Backends: the table of those built in, and modules. */
#ifndef VSDK_CORE_HOST_H
#define VSDK_CORE_HOST_H

#include "core/object.h"

extern const core_table core_functions;

/* module.c: the operations of a backend that is a module. Loaded modules stay. `directory` NULL:
 * `vsdk` beside the library where the module is there, else the directory compiled in. */
vsdk_status module_load(const char *backend, const char *directory, const backend_ops **ops,
                        vsdk_error *error);

/* A host on operations of the caller's own: how tests bring a backend. */
vsdk_status host_open_with(const backend_ops *ops, const vsdk_host_config *config, vsdk_host **host,
                           vsdk_error *error);

void host_get(vsdk_host *host);
void host_put(vsdk_host *host);
/* In a child that was forked after the open: nothing of the hypervisor may be touched, and locks
 * may be held by threads that the child does not have. A close there does nothing at all. */
int host_is_foreign(const vsdk_host *host);

/* capability.c: the arguments of a function that fills a list. *needed becomes 0. */
vsdk_status host_check_list(const void *host, const void *entries, const char *name,
                            uint32_t capacity, uint32_t *needed, const char *operation,
                            vsdk_error *error);
/* What vm_create asks each time, cached in the host. */
void host_ask_limits(vsdk_host *host);
/* The answer of the backend, with a reason unless it is yes. */
vsdk_status host_ask(vsdk_host *host, vsdk_capability capability, vsdk_capability_info *info,
                     vsdk_error *error);

#endif
