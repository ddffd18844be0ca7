#include "base/error.h"
#include "base/sys.h"
#include "core/host.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef VSDK_MODULE_DIRECTORY
#define VSDK_MODULE_DIRECTORY "/usr/lib/vsdk"
#endif

static const char operation[] = "load the Xen module";

/* One line of a small file, without its end: its length, or -errno. */
static int read_line(const char *path, char *line, size_t room)
{
    int fd = sys_open(path, O_RDONLY);

    if (fd < 0)
        return fd;
    ssize_t length = read(fd, line, room - 1);
    int failure = length < 0 ? -errno : 0;
    sys_close(fd);
    if (failure)
        return failure;
    line[length] = 0;
    line[strcspn(line, "\n")] = 0;
    return (int)strlen(line);
}

/* By the ids that open goes by: access asks for those of the user who started a setuid program. */
static int may_not(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}

static vsdk_status no_hypervisor(vsdk_error *error, const char *what)
{
    return error_hint(error, error_set(error, VSDK_ERROR_UNAVAILABLE, operation, "%s", what),
                      "boot the Xen hypervisor and run in its dom0");
}

/* The release that runs, such as 4.17. */
static vsdk_status xen_release(char *release, size_t room, vsdk_error *error)
{
    char type[32], major[16], minor[16];

    if (read_line("/sys/hypervisor/type", type, sizeof type) < 0)
        return no_hypervisor(error, "no Xen hypervisor: /sys/hypervisor/type is not there");
    if (strcmp(type, "xen"))
        return no_hypervisor(error, "the hypervisor is not Xen: /sys/hypervisor/type differs");
    if (may_not("/proc/xen", F_OK) && may_not("/dev/xen/privcmd", F_OK))
        return no_hypervisor(error, "this is not a dom0: neither /proc/xen nor /dev/xen/privcmd");
    if (read_line("/sys/hypervisor/version/major", major, sizeof major) <= 0 ||
        read_line("/sys/hypervisor/version/minor", minor, sizeof minor) <= 0)
        release[0] = 0;
    else
        snprintf(release, room, "%.8s.%.8s", major, minor);
    return VSDK_OK;
}

/* Where the release is not told: a module that is there. */
static void any_release(const char *directory, char *release, size_t room)
{
    DIR *entries = opendir(directory);
    struct dirent *entry;
    char found[16];

    snprintf(release, room, "unknown");
    while (entries && (entry = readdir(entries)))
        if (sscanf(entry->d_name, "xen-%15[0-9.]so", found) == 1) {
            found[strlen(found) - 1] = 0;
            snprintf(release, room, "%s", found);
        }
    if (entries)
        closedir(entries);
}

static vsdk_status no_module(const char *path, const char *release, vsdk_error *error)
{
    return error_hint(error,
                      error_set(error, VSDK_ERROR_UNAVAILABLE, operation,
                                "Xen %s runs, but there is no module %s", release, path),
                      "install libvsdk's module for Xen %s, or set module_directory", release);
}

static vsdk_status privilege(int os_errno, vsdk_error *error)
{
    return error_hint(error,
                      error_set_errno(error, VSDK_ERROR_PERMISSION, os_errno, operation,
                                      "/dev/xen/privcmd may not be opened"),
                      "run as root in dom0");
}

/* Said before the module's libraries fail with less. */
static vsdk_status check_privilege(vsdk_error *error)
{
    if (!may_not("/dev/xen/privcmd", R_OK | W_OK) || errno == ENOENT)
        return VSDK_OK;
    return errno == EACCES || errno == EPERM ? privilege(errno, error) : VSDK_OK;
}

static vsdk_status check_module(const backend_ops *ops, const char *path, vsdk_error *error)
{
    if (ops && ops->abi == BACKEND_ABI && ops->size == sizeof *ops)
        return VSDK_OK;
    return error_hint(error,
                      error_set(error, VSDK_ERROR_VERSION, operation,
                                "%s is of another version of libvsdk (interface %u, wanted %u)",
                                path, ops ? ops->abi : 0, (unsigned)BACKEND_ABI),
                      "install library and module from one build");
}

static vsdk_status load(const char *path, const backend_ops **ops, vsdk_error *error)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!handle)
        return error_hint(error,
                          error_set(error, VSDK_ERROR_UNAVAILABLE, operation, "%s", dlerror()),
                          "install the Xen libraries that the module needs");
    backend_module_fn entry = (backend_module_fn)dlsym(handle, "vsdk_backend_module");
    if (!entry)
        return error_set(error, VSDK_ERROR_VERSION, operation, "%s is no backend module", path);
    *ops = entry(&core_functions);
    return check_module(*ops, path, error);
}

vsdk_status module_load_xen(const char *directory, const backend_ops **ops, vsdk_error *error)
{
    char release[24], path[PATH_MAX];
    vsdk_status status = xen_release(release, sizeof release, error);

    if (status)
        return status;
    status = check_privilege(error);
    if (status)
        return status;
    if (!directory)
        directory = VSDK_MODULE_DIRECTORY;
    if (!release[0])
        any_release(directory, release, sizeof release);
    int length = snprintf(path, sizeof path, "%s/xen-%s.so", directory, release);
    if (length < 0 || (size_t)length >= sizeof path)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "module_directory is too long");
    if (may_not(path, F_OK))
        return no_module(path, release, error);
    return load(path, ops, error);
}
