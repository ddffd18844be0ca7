/* SPDX-License-Identifier: Apache-2.0 */
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

/* capability.c: the arguments of a function that fills a list. *needed becomes 0. */
vsdk_status host_check_list(const vsdk_host *host, const void *entries, const char *name,
                            uint32_t capacity, uint32_t *needed, const char *operation,
                            vsdk_error *error);
/* What vm_create asks each time, cached in the host. */
void host_ask_limits(vsdk_host *host);
/* The answer of the backend, with a reason unless it is yes. */
vsdk_status host_ask(vsdk_host *host, vsdk_capability capability, vsdk_capability_info *info,
                     vsdk_error *error);
/* UNSUPPORTED with the reason, where the answer is no; `what` stands before it. */
vsdk_status host_need_capability(vsdk_host *host, vsdk_capability capability, const char *what,
                                 const char *operation, vsdk_error *error);
/* The capability that says whether a host has an irqchip (vsdk_irqchip). */
vsdk_capability host_irqchip_capability(uint32_t irqchip);

#endif
