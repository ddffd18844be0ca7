/* SPDX-License-Identifier: Apache-2.0 */
/* Finding modules, and loading one that knows nothing of backends. A module that was loaded is
 * never unloaded: threads may be inside. */
#include "base/module.h"
#include "base/error.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int module_may_not(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}

int module_join(char *path, size_t room, const char *directory, const char *file)
{
    int length = snprintf(path, room, "%s/%s.so", directory, file);

    return length < 0 || (size_t)length >= room;
}

/* Of a program into which the library was linked the linker knows what it was called as, which is
 * for its caller to choose, and a relative name means another file once the current folder has
 * changed: neither counts. */
int module_beside_library(char *directory, size_t room)
{
    static const char here;
    Dl_info info;
    struct link_map *map = NULL;

    if (!dladdr1(&here, &info, (void **)&map, RTLD_DL_LINKMAP) || !map || map->l_name[0] != '/')
        return 0;
    int length = (int)(strrchr(map->l_name, '/') - map->l_name);
    int printed = snprintf(directory, room, "%.*s/vsdk", length, map->l_name);
    return printed > 0 && (size_t)printed < room;
}

vsdk_status module_open(const char *directory, const char *compiled, const char *file,
                        const char *entry, void **found, const char *operation, vsdk_error *error)
{
    char beside[PATH_MAX], path[PATH_MAX];
    const char *wanted = directory ? directory : compiled;
    int is_beside = !directory && module_beside_library(beside, sizeof beside) &&
                    !module_join(path, sizeof path, beside, file) && !module_may_not(path, F_OK);

    if (!is_beside && module_join(path, sizeof path, wanted, file))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "module_directory is too long");
    if (module_may_not(path, F_OK))
        return error_hint(
            error,
            error_set(error, VSDK_ERROR_UNAVAILABLE, operation, "the module %s is not there", path),
            "install libvsdk's module %s.so, or set module_directory", file);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return error_hint(error,
                          error_set(error, VSDK_ERROR_UNAVAILABLE, operation, "%s", dlerror()),
                          "install the libraries that the module needs");
    *found = dlsym(handle, entry);
    if (!*found)
        return error_set(error, VSDK_ERROR_VERSION, operation, "%s has no %s", path, entry);
    return VSDK_OK;
}
