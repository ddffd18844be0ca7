/* SPDX-License-Identifier: Apache-2.0 */
/* Xen itself: its device nodes and libraries are opened, its version and abilities looked at. A
 * host that can't be had says which of these is missing. Xen's libraries open descriptors without
 * asking where: while one does, descriptors 0 to 2 are plugged, so that none of theirs becomes one.
 */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include "base/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static lock opening = LOCK_INITIALIZER(RANK_LEAF);

void descriptor_plug_in(descriptor_plug *plug)
{
    plug->cancel = sys_cancel_off();
    lock_take(&opening);
    for (int i = 0; i < 3; i++) {
        plug->fd[i] = -1;
        if (fcntl(i, F_GETFD) < 0)
            plug->fd[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
}

void descriptor_plug_out(descriptor_plug *plug)
{
    for (int i = 0; i < 3; i++)
        sys_close(plug->fd[i]);
    lock_give(&opening);
    sys_cancel_back(plug->cancel);
}

vsdk_status xen_failed(vsdk_error *error, int failure, const char *operation, const char *what)
{
    vsdk_status status = failure == -ENOMEM ? VSDK_ERROR_NO_MEMORY : VSDK_ERROR_SYSTEM;

    return error_set_errno(error, status, -failure, operation, "%s", what);
}

vsdk_status xen_refused(vsdk_error *error, int failure, const char *operation, const char *what)
{
    return error_set_errno(error, VSDK_ERROR_SYSTEM, -failure, operation, "%s", what);
}

void xen_log(backend_host *host, vsdk_log_level level, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    host->core->log(host, level, text);
}

/* What the libraries complain of comes back as a status too: their words are for the curious. */
static void logger_message(xentoollog_logger *base, xentoollog_level level, int os_errno,
                           const char *context, const char *format, va_list arguments)
{
    xen_logger *logger = (xen_logger *)base;
    char text[256];

    if (!logger->host || level < XTL_INFO)
        return;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = 0;
    xen_log(logger->host, VSDK_LOG_DEBUG, "%s: %s (errno %d)", context ? context : "xen", text,
            os_errno);
}

static void logger_destroy(xentoollog_logger *logger)
{
    (void)logger;
}

void xen_logger_init(xen_logger *logger, backend_host *host)
{
    logger->base = (xentoollog_logger){.vmessage = logger_message, .destroy = logger_destroy};
    logger->host = host;
}

static vsdk_status node_missing(const char *path, int failure, vsdk_error *error)
{
    vsdk_status status;

    if (failure == -EACCES || failure == -EPERM) {
        status = error_set_errno(error, VSDK_ERROR_PERMISSION, -failure, "open",
                                 "%s may not be opened", path);
        return error_hint(error, status, "run as root, or give this user access to %s", path);
    }
    if (failure == -EMFILE || failure == -ENFILE || failure == -ENOMEM)
        return error_set_errno(error, VSDK_ERROR_SYSTEM, -failure, "open", "%s", path);
    status = error_set_errno(error, VSDK_ERROR_UNAVAILABLE, -failure, "open",
                             "%s is not there: this is not the control domain of a Xen host", path);
    return error_hint(error, status,
                      "boot Linux as dom0 under Xen and load xen-privcmd and xen-evtchn");
}

static vsdk_status look_for_nodes(vsdk_error *error)
{
    static const char *const paths[] = {"/dev/xen/privcmd", "/dev/xen/evtchn"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int fd = sys_open(paths[i], O_RDWR);
        if (fd < 0)
            return node_missing(paths[i], fd, error);
        sys_close(fd);
    }
    return VSDK_OK;
}

static vsdk_status wrong_version(uint32_t major, uint32_t minor, vsdk_error *error)
{
    vsdk_status status = error_set(error, VSDK_ERROR_VERSION, "XENVER_version",
                                   "Xen %u.%u runs, and this module is for Xen %d.%d", major, minor,
                                   COMPAT_MAJOR, COMPAT_MINOR);

    return error_hint(error, status, "install the module that was built for Xen %u.%u", major,
                      minor);
}

static vsdk_status first_refused(int failure, vsdk_error *error)
{
    vsdk_status status;

    if (failure == -EACCES) {
        status = error_set_errno(error, VSDK_ERROR_VERSION, EACCES, "XEN_SYSCTL_getdomaininfolist",
                                 "Xen has another control interface than this module");
        return error_hint(error, status, "build the module with the headers of the Xen that runs");
    }
    if (failure == -EPERM) {
        status =
            error_set_errno(error, VSDK_ERROR_PERMISSION, EPERM, "XEN_SYSCTL_getdomaininfolist",
                            "this domain may not control others");
        return error_hint(error, status, "run in dom0; with XSM, allow it by the policy");
    }
    return xen_failed(error, failure, "XEN_SYSCTL_getdomaininfolist",
                      "Xen refused the first question");
}

static vsdk_status look_for_version(xen_host *host, vsdk_error *error)
{
    compat_domain domain;
    uint32_t major, minor;
    int result = compat_version(host->control, &major, &minor);

    if (result < 0)
        return xen_failed(error, result, "XENVER_version", "Xen does not tell its version");
    if (major != COMPAT_MAJOR || minor != COMPAT_MINOR)
        return wrong_version(major, minor, error);
    result = compat_domains(host->control, 0, 1, &domain);
    return result < 0 ? first_refused(result, error) : VSDK_OK;
}

/* Guests are HVM domains, and what Xen serves for them needs nested paging. */
static vsdk_status look_for_abilities(xen_host *host, vsdk_error *error)
{
    int hvm, hap, result = compat_abilities(host->control, &hvm, &hap);
    vsdk_status status;

    if (result < 0)
        return xen_failed(error, result, "XEN_SYSCTL_physinfo", "Xen does not tell its abilities");
    if (hvm && hap)
        return VSDK_OK;
    status = error_set(error, VSDK_ERROR_UNAVAILABLE, "XEN_SYSCTL_physinfo",
                       hvm ? "this Xen has no hardware-assisted paging for guests"
                           : "this Xen runs no HVM guests");
    return error_hint(error, status,
                      hvm ? "boot Xen without hap=0, on a processor with EPT or NPT"
                          : "enable VT-x or AMD-V in the firmware, or in the outer hypervisor");
}

static vsdk_status open_handles(xen_host *host, vsdk_error *error)
{
    descriptor_plug plug;
    vsdk_status status = VSDK_OK;
    int result;

    descriptor_plug_in(&plug);
    result = compat_open(&host->logger.base, &host->control);
    if (result < 0)
        status = xen_failed(error, result, "xc_interface_open", "Xen's device nodes don't open");
    if (!status) {
        host->memory = xenforeignmemory_open(&host->logger.base, 0);
        if (!host->memory)
            status =
                xen_failed(error, -errno, "xenforeignmemory_open", "Xen's device nodes don't open");
    }
    descriptor_plug_out(&plug);
    return status;
}

static void host_free(xen_host *host)
{
    int before = sys_cancel_off();

    if (host->watches_deaths)
        death_close();
    if (host->memory)
        xenforeignmemory_close(host->memory);
    compat_close(host->control);
    sys_cancel_back(before);
    alloc_free(host->cpuid);
    alloc_free(host);
}

static void watch_deaths(xen_host *host)
{
    int result = death_open();

    host->watches_deaths = 1;
    if (result < 0)
        xen_log(host->host, VSDK_LOG_INFO,
                "VIRQ_DOM_EXC belongs to another program (errno %d): guests' ends are polled for",
                -result);
}

vsdk_status xen_host_open(backend_host *host, const vsdk_host_config *config, vsdk_error *error)
{
    xen_host *made;
    vsdk_status status;
    int result;

    if (config->flags & VSDK_HOST_DESCRIPTOR)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_host_open",
                         "Xen needs several device nodes and is not opened from a descriptor");
    made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_host_open", "no memory");
    made->host = host;
    xen_logger_init(&made->logger, host);
    status = look_for_nodes(error);
    if (!status)
        status = open_handles(made, error);
    if (!status)
        status = look_for_version(made, error);
    if (!status)
        status = look_for_abilities(made, error);
    if (status)
        goto out;
    result = compat_cpuid_default(made->control, &made->cpuid, &made->cpuid_count);
    if (result < 0) {
        status = xen_failed(error, result, "xc_cpu_policy_get_system", "no CPUID policy");
        goto out;
    }
    watch_deaths(made);
    host->data = made;
    orphan_report(made);
out:
    if (status)
        host_free(made);
    return status;
}

void xen_host_close(backend_host *host)
{
    host_free(xen_host_of(host));
    host->data = NULL;
}

vsdk_status xen_host_get_cpuid(backend_host *host, vsdk_x86_cpuid_entry *entries, uint32_t capacity,
                               uint32_t *needed, vsdk_error *error)
{
    xen_host *made = xen_host_of(host);
    uint32_t count = capacity < made->cpuid_count ? capacity : made->cpuid_count;

    (void)error;
    if (count)
        memcpy(entries, made->cpuid, count * sizeof *entries);
    *needed = made->cpuid_count;
    return VSDK_OK;
}
