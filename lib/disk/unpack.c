/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading compress.so, once for the process: from the folder `vsdk` beside the library,
 * as the dynamic linker found it, else from the one compiled in. No environment variable is read,
 * so who starts a privileged program does not choose its modules. A module is never unloaded. */
#include "disk/unpack.h"
#include "base/error.h"
#include "disk/format.h"
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef VSDK_MODULE_DIRECTORY
#define VSDK_MODULE_DIRECTORY "/usr/lib/vsdk"
#endif

static pthread_mutex_t unpack_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(const disk_unpack_ops *) unpack_ops;

/* A name that is not absolute was chosen by who started the program: it does not count. */
static void unpack_path(char *path, size_t room)
{
    static const char here;
    Dl_info info;
    struct link_map *map = NULL;

    if (dladdr1(&here, &info, (void **)&map, RTLD_DL_LINKMAP) && map && map->l_name[0] == '/') {
        int length = (int)(strrchr(map->l_name, '/') - map->l_name);
        int printed = snprintf(path, room, "%.*s/vsdk/compress.so", length, map->l_name);
        if (printed > 0 && (size_t)printed < room && !access(path, F_OK))
            return;
    }
    snprintf(path, room, "%s/compress.so", VSDK_MODULE_DIRECTORY);
}

/* NULL with what is wrong in `text`. */
static const disk_unpack_ops *unpack_open(char *text, size_t room)
{
    char path[PATH_MAX];

    unpack_path(path, sizeof path);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        snprintf(text, room, "%s", dlerror());
        return NULL;
    }
    disk_unpack_fn entry = (disk_unpack_fn)dlsym(handle, DISK_UNPACK_ENTRY);
    const disk_unpack_ops *ops = entry ? entry() : NULL;
    if (ops && ops->abi == DISK_UNPACK_ABI && ops->size == sizeof *ops)
        return ops;
    snprintf(text, room, "%s is of another version of libvsdk", path);
    return NULL;
}

vsdk_status disk_unpack_load(const char *operation, const disk_unpack_ops **ops, vsdk_error *error)
{
    char text[PATH_MAX + 64] = "";

    *ops = atomic_load_explicit(&unpack_ops, memory_order_acquire);
    if (*ops)
        return VSDK_OK;
    pthread_mutex_lock(&unpack_mutex);
    *ops = unpack_ops ? unpack_ops : unpack_open(text, sizeof text);
    atomic_store_explicit(&unpack_ops, *ops, memory_order_release);
    pthread_mutex_unlock(&unpack_mutex);
    if (*ops)
        return VSDK_OK;
    return error_hint(error,
                      error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                                "compressed data needs the module compress.so: %s", text),
                      "install libvsdk's module compress.so, and zlib");
}
