/* SPDX-License-Identifier: Apache-2.0 */
/* The library, loaded at run time: every function is there, it works, and it goes away. */
#include "api_table.h"
#include "tap.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static int has_all(void *library)
{
    int missing = 0;

    for (size_t i = 0; i < sizeof api_functions / sizeof api_functions[0]; i++) {
        if (!dlsym(library, api_functions[i].name)) {
            printf("# missing: %s\n", api_functions[i].name);
            missing++;
        }
    }
    return !missing;
}

static int makes_a_machine(void *library)
{
    __typeof__(&vsdk_host_open) host_open = dlsym(library, "vsdk_host_open");
    __typeof__(&vsdk_host_close) host_close = dlsym(library, "vsdk_host_close");
    __typeof__(&vsdk_vm_create) vm_create = dlsym(library, "vsdk_vm_create");
    __typeof__(&vsdk_vm_close) vm_close = dlsym(library, "vsdk_vm_close");
    vsdk_host *host = NULL;
    vsdk_vm *vm = NULL;
    int made;

    if (host_open("mock", NULL, &host, NULL) != VSDK_OK)
        return 0;
    made = vm_create(host, NULL, &vm, NULL) == VSDK_OK;
    vm_close(vm);
    host_close(host);
    return made;
}

static int is_mapped(const char *path)
{
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps && fgets(line, sizeof line, maps))
        found |= strstr(line, path) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

/* Loaded by a relative name it does not look for modules beside itself: that name means another
 * folder once the program has changed its own. */
static void by_a_relative_name(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    char folder[512], relative[512];
    vsdk_error error = {0};
    vsdk_host *host = NULL;

    snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
    snprintf(relative, sizeof relative, "./%s", name);
    void *library = chdir(folder) == 0 ? dlopen(relative, RTLD_NOW | RTLD_LOCAL) : NULL;
    tap(library != NULL, "the library is loaded by a relative name");
    if (!library)
        return;
    __typeof__(&vsdk_host_open) host_open = dlsym(library, "vsdk_host_open");
    __typeof__(&vsdk_host_close) host_close = dlsym(library, "vsdk_host_close");
    vsdk_status status = host_open("mock", NULL, &host, &error);
    tap(status == VSDK_OK || strstr(error.message, " /"),
        "it loads no module by a relative name: %s", error.message);
    host_close(host);
    dlclose(library);
}

int main(void)
{
    const char *path = getenv("VSDK_LIBRARY");

    for (int round = 1; round <= 3; round++) {
        void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

        tap(library != NULL, "round %d: the library is loaded", round);
        if (!library) {
            printf("# %s\n", path ? dlerror() : "VSDK_LIBRARY is not set");
            break;
        }
        tap(has_all(library), "round %d: every function is there", round);
        tap(makes_a_machine(library), "round %d: it makes a machine", round);
        tap(dlclose(library) == 0, "round %d: it is unloaded", round);
    }
    if (path)
        by_a_relative_name(path);
    if (path && !getenv("LD_PRELOAD"))
        tap(!is_mapped("libvsdk.so"), "nothing of it is left");
    return tap_end();
}
