/* SPDX-License-Identifier: Apache-2.0 */
/* Loading compress.so, once for the process, from where modules are (base/module.h). It is asked
 * for with every cluster, so who finds it loaded takes no lock. */
#include "disk/unpack.h"
#include "base/error.h"
#include "base/module.h"
#include "disk/format.h"
#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t unpack_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(const disk_unpack_ops *) unpack_ops;

/* A module of another build would be called with another table. NULL with what is wrong. */
static const disk_unpack_ops *unpack_open(const char *operation, vsdk_error *why)
{
    void *entry;

    if (module_open(NULL, VSDK_MODULE_DIRECTORY, "compress", DISK_UNPACK_ENTRY, &entry, operation,
                    why))
        return NULL;
    const disk_unpack_ops *ops = ((disk_unpack_fn)entry)();
    if (ops && ops->abi == DISK_UNPACK_ABI && ops->size == sizeof *ops)
        return ops;
    error_set(why, VSDK_ERROR_VERSION, operation, "compress.so is of another version of libvsdk");
    return NULL;
}

vsdk_status disk_unpack_load(const char *operation, const disk_unpack_ops **ops, vsdk_error *error)
{
    vsdk_error why = {0};

    *ops = atomic_load_explicit(&unpack_ops, memory_order_acquire);
    if (*ops)
        return VSDK_OK;
    pthread_mutex_lock(&unpack_mutex);
    *ops = unpack_ops ? unpack_ops : unpack_open(operation, &why);
    atomic_store_explicit(&unpack_ops, *ops, memory_order_release);
    pthread_mutex_unlock(&unpack_mutex);
    if (*ops)
        return VSDK_OK;
    return error_hint(error,
                      error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                                "compressed data needs the module compress.so: %s", why.message),
                      "install libvsdk's module compress.so, and zlib");
}
