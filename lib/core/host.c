/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a host: by name, or the first backend that works. What fails says why for each that was
 * tried. */
#include "core/host.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/fence.h"
#include "base/process.h"
#include "base/record.h"
#include "core/device.h"
#include "core/log.h"
#include <signal.h>
#include <string.h>

static const char operation[] = "vsdk_host_open";

const core_table core_functions = {
    .size = sizeof core_functions,
    .abi = BACKEND_ABI,
    .log = log_from_backend,
    .gate_read = gate_read,
    .gate_write = gate_write,
};

/* Only tests of the inside and fuzzers link the mocks in; elsewhere these are NULL. */
#pragma weak backend_mock
#pragma weak backend_mock_autonomous

/* In the order in which they are tried; `probed`: without a name too. */
static const struct known_backend {
    const char *name;
    const backend_ops *(*built_in)(void); /* NULL: a module, see module.c */
    int probed;
    int takes_descriptor;
} backends[] = {
    {"kvm", backend_kvm, 1, 1},
    {"xen", NULL, 1, 0},
    {"mock", backend_mock, 0, 0},
    {"mock-autonomous", backend_mock_autonomous, 0, 0},
};
enum { BACKENDS = sizeof backends / sizeof backends[0] };

const char *vsdk_backend_at(uint32_t index)
{
    return index < BACKENDS ? backends[index].name : NULL;
}

static vsdk_status find_ops(const struct known_backend *backend, const vsdk_host_config *config,
                            const backend_ops **ops, vsdk_error *error)
{
    if ((config->flags & VSDK_HOST_DESCRIPTOR) && !backend->takes_descriptor)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "backend %s cannot be opened from a descriptor", backend->name);
    if (!backend->built_in)
        return module_load(backend->name, config->module_directory, ops, error);
    *ops = backend->built_in();
    return VSDK_OK;
}

static vsdk_status open_ops(vsdk_host *host, const backend_ops *ops, const vsdk_host_config *config,
                            vsdk_error *error)
{
    host->backend = (backend_host){.ops = ops, .core = &core_functions};
    return ops->host_open(&host->backend, config, error);
}

static vsdk_status open_backend(vsdk_host *host, const struct known_backend *backend,
                                const vsdk_host_config *config, vsdk_error *error)
{
    const backend_ops *ops = NULL;
    vsdk_status status = find_ops(backend, config, &ops, error);

    return status ? status : open_ops(host, ops, config, error);
}

static vsdk_status open_named(vsdk_host *host, const char *name, const vsdk_host_config *config,
                              vsdk_error *error)
{
    for (unsigned i = 0; i < BACKENDS; i++)
        if (!strcmp(name, backends[i].name))
            return open_backend(host, &backends[i], config, error);
    return error_hint(
        error, error_set(error, VSDK_ERROR_NOT_FOUND, operation, "no backend is called %s", name),
        "kvm, xen, mock and mock-autonomous are known");
}

/* Both reasons have to fit into one message. */
static vsdk_status none_works(const vsdk_error *why, vsdk_error *error)
{
    vsdk_status status =
        error_set(error, VSDK_ERROR_UNAVAILABLE, operation,
                  "no backend works: kvm: %.100s; xen: %.100s", why[0].message, why[1].message);

    if (error)
        error->os_errno = why[0].os_errno;
    return error_hint(error, status, "%s", why[0].hint[0] ? why[0].hint : why[1].hint);
}

static vsdk_status open_first(vsdk_host *host, const vsdk_host_config *config, vsdk_error *error)
{
    vsdk_error why[2];
    unsigned asked = 0;

    memset(why, 0, sizeof why);
    for (unsigned i = 0; i < BACKENDS; i++) {
        if (!backends[i].probed)
            continue;
        if (!open_backend(host, &backends[i], config, &why[asked]))
            return VSDK_OK;
        asked++;
    }
    return none_works(why, error);
}

static vsdk_status check_config(const vsdk_host_config *config, vsdk_error *error)
{
    int signal = (int)config->kick_signal;

    if (config->reserved)
        return record_later(operation, error);
    if (signal && (signal < SIGRTMIN || signal > SIGRTMAX))
        return error_hint(error,
                          error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                                    "kick_signal %d is not a real-time signal", signal),
                          "use SIGRTMIN (%d) to SIGRTMAX (%d), or 0 for the default", SIGRTMIN,
                          SIGRTMAX);
    if (config->log_level > VSDK_LOG_DEBUG)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "log_level %u is unknown",
                         config->log_level);
    if ((config->flags & VSDK_HOST_DESCRIPTOR) && config->descriptor < 0)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "descriptor is %d",
                         config->descriptor);
    return VSDK_OK;
}

static vsdk_host *host_alloc(const vsdk_host_config *config)
{
    vsdk_host *host = alloc_zeroed(sizeof *host);

    if (!host)
        return NULL;
    refs_init(&host->refs);
    host->process = process_id();
    host->log = config->log;
    host->log_user = config->log_user;
    host->log_level = config->log_level ? config->log_level : VSDK_LOG_WARNING;
    return host;
}

/* By operations, by name, or the first that works. */
static vsdk_status open_checked(const backend_ops *ops, const char *name,
                                const vsdk_host_config *config, vsdk_host **out, vsdk_error *error)
{
    vsdk_status status = check_config(config, error);

    if (status)
        return status;
    device_waits_prepare();
    vsdk_host *host = host_alloc(config);
    if (!host)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the host");
    if (ops)
        status = open_ops(host, ops, config, error);
    else
        status = name ? open_named(host, name, config, error) : open_first(host, config, error);
    if (status) {
        alloc_free(host);
        return status;
    }
    host->log_release = config->log_release;
    fence_prepare();
    host_ask_limits(host);
    *out = host;
    return VSDK_OK;
}

/* What a malformed configuration says about its release callback, as far as it has one. */
static void release_unread(const vsdk_host_config *config)
{
    if (config && config->size >= offsetof(vsdk_host_config, log_level) && config->log_release)
        config->log_release(config->log_user);
}

static vsdk_status open_host(const backend_ops *ops, const char *name,
                             const vsdk_host_config *given, vsdk_host **host, vsdk_error *error)
{
    vsdk_host_config config;
    vsdk_status status;

    if (host)
        *host = NULL;
    status =
        host ? record_read(&config, sizeof config, given, VSDK_HOST_DESCRIPTOR, operation, error)
             : error_null(error, operation, "host");
    if (!status)
        status = open_checked(ops, name, &config, host, error);
    if (status)
        release_unread(given);
    return status;
}

vsdk_status host_open_with(const backend_ops *ops, const vsdk_host_config *config, vsdk_host **host,
                           vsdk_error *error)
{
    return open_host(ops, NULL, config, host, error);
}

vsdk_status vsdk_host_open(const char *backend, const vsdk_host_config *config, vsdk_host **host,
                           vsdk_error *error)
{
    return open_host(NULL, backend, config, host, error);
}

vsdk_host *vsdk_host_ref(vsdk_host *host)
{
    if (host && !host_is_foreign(host))
        host_get(host);
    return host;
}

void vsdk_host_close(vsdk_host *host)
{
    if (host && !host_is_foreign(host))
        host_put(host);
}

const char *vsdk_host_backend(const vsdk_host *host)
{
    return host ? host->backend.ops->name : "";
}
