/* SPDX-License-Identifier: Apache-2.0 */
/* Backends that are modules: which file, is it there, is it of this build.
 *
 * No environment variable is read: a module comes from the directory that the caller names, from
 * the folder beside the library, or from the one compiled in. So whoever starts a privileged
 * program does not choose its modules. A module that was loaded is never unloaded: its functions
 * are in the operations table of hosts, and threads may be inside them. */
#include "base/module.h"
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

static const char operation[] = "load a backend module";

/* One line of a small file, without its end: its length, or -errno. */
static int read_line(const char *path, char *line, size_t room)
{
    int fd = sys_open(path, O_RDONLY);

    if (fd < 0)
        return fd;
    int length = sys_read(fd, line, room - 1);
    sys_close(fd);
    if (length < 0)
        return length;
    line[length] = 0;
    line[strcspn(line, "\n")] = 0;
    return (int)strlen(line);
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
    if (module_may_not("/proc/xen", F_OK) && module_may_not("/dev/xen/privcmd", F_OK))
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
    if (!module_may_not("/dev/xen/privcmd", R_OK | W_OK) || errno == ENOENT)
        return VSDK_OK;
    return errno == EACCES || errno == EPERM ? privilege(errno, error) : VSDK_OK;
}

/* xen-RELEASE for the Xen that runs, as far as this process may use it. */
static vsdk_status xen_file(const char *directory, char *file, size_t room, vsdk_error *error)
{
    char release[24];
    vsdk_status status = xen_release(release, sizeof release, error);

    if (!status)
        status = check_privilege(error);
    if (status)
        return status;
    if (!release[0])
        any_release(directory, release, sizeof release);
    snprintf(file, room, "xen-%s", release);
    return VSDK_OK;
}

/* A backend, and where it is. */
static const struct module {
    const char *backend;
    const char
        *file; /* without .so; NULL: `choose` tells it, or why no module can be of use here */
    vsdk_status (*choose)(const char *directory, char *file, size_t room, vsdk_error *error);
    const char *entry; /* the function that it exports, a backend_module_fn */
    const char *needs; /* what is missing where its file is there and can't be loaded */
} modules[] = {
    {"xen", NULL, xen_file, "vsdk_backend_module", "the Xen libraries that the module needs"},
    {"mock", "mock", NULL, "vsdk_backend_module", "library and module from one build"},
    {"mock-autonomous", "mock", NULL, "vsdk_backend_module_autonomous",
     "library and module from one build"},
};
enum { MODULES = sizeof modules / sizeof modules[0] };

static const struct module *module_of(const char *backend)
{
    for (unsigned i = 0; i < MODULES; i++)
        if (!strcmp(modules[i].backend, backend))
            return &modules[i];
    return NULL;
}

/* The path of a module, and whether it may be there. */
static vsdk_status find(const struct module *module, const char *directory, char *path, size_t room,
                        vsdk_error *error)
{
    char beside[PATH_MAX], file[32];
    const char *wanted = directory ? directory : VSDK_MODULE_DIRECTORY;
    vsdk_status status = VSDK_OK;

    if (!directory && module_beside_library(beside, sizeof beside) && !module_may_not(beside, F_OK))
        wanted = beside;
    if (module->choose)
        status = module->choose(wanted, file, sizeof file, error);
    else
        snprintf(file, sizeof file, "%s", module->file);
    if (status)
        return status;
    if (module_join(path, room, wanted, file))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "module_directory is too long");
    if (wanted == beside && module_may_not(path, F_OK))
        module_join(path, room, VSDK_MODULE_DIRECTORY, file);
    if (!module_may_not(path, F_OK))
        return VSDK_OK;
    return error_hint(error,
                      error_set(error, VSDK_ERROR_UNAVAILABLE, operation,
                                "backend %s needs the module %s, which is not there",
                                module->backend, path),
                      "install libvsdk's module %s.so, or set module_directory", file);
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

static vsdk_status load(const struct module *module, const char *path, const backend_ops **ops,
                        vsdk_error *error)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!handle)
        return error_hint(error,
                          error_set(error, VSDK_ERROR_UNAVAILABLE, operation, "%s", dlerror()),
                          "install %s", module->needs);
    backend_module_fn entry = (backend_module_fn)dlsym(handle, module->entry);
    if (!entry)
        return error_set(error, VSDK_ERROR_VERSION, operation, "%s is no module of backend %s",
                         path, module->backend);
    const backend_ops *found = entry(&core_functions);
    vsdk_status status = check_module(found, path, error);
    if (!status)
        *ops = found;
    return status;
}

vsdk_status module_load(const char *backend, const char *directory, const backend_ops **ops,
                        vsdk_error *error)
{
    const struct module *module = module_of(backend);
    char path[PATH_MAX];

    if (!module)
        return error_set(error, VSDK_ERROR_UNAVAILABLE, operation, "backend %s has no module",
                         backend);
    vsdk_status status = find(module, directory, path, sizeof path, error);
    return status ? status : load(module, path, ops, error);
}
