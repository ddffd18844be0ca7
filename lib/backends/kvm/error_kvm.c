/* SPDX-License-Identifier: Apache-2.0 */
/* Failed requests as statuses: one code for one cause, in every call, with advice where there is
 * some. */
#include "backends/kvm/objects_kvm.h"
#include "base/error.h"
#include <errno.h>

static const char *advice(int os_errno)
{
    switch (os_errno) {
    case ENOMEM:
        return "free memory, or raise the memory limit of the control group";
    case EACCES:
    case EPERM:
        return "a security policy or a control group forbids it; see the kernel's log";
    case EMFILE:
        return "raise the limit of open descriptors (ulimit -n), or close some";
    case ENFILE:
        return "the system has no more descriptors (sysctl fs.file-max)";
    case EIO:
        return "the machine is dead, or belongs to another process: do not use it after fork";
    case EINTR:
        return "signals came too fast; try again";
    default:
        return NULL;
    }
}

static vsdk_status failed(vsdk_error *error, vsdk_status code, int os_errno, const char *request,
                          const char *what)
{
    const char *hint = advice(os_errno);
    error_set_errno(error, code, os_errno, request, "%s", what);
    return hint ? error_hint(error, code, "%s", hint) : code;
}

vsdk_status kvm_error(vsdk_error *error, int result, const char *request, const char *what)
{
    vsdk_status code = error_status_of_errno(-result);
    if (code != VSDK_ERROR_NO_MEMORY && code != VSDK_ERROR_LIMIT)
        code = VSDK_ERROR_SYSTEM;
    return failed(error, code, -result, request, what);
}

vsdk_status kvm_system_error(vsdk_error *error, int result, const char *request, const char *what)
{
    return failed(error, VSDK_ERROR_SYSTEM, -result, request, what);
}
