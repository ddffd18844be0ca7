/* SPDX-License-Identifier: Apache-2.0 */
/* What the module compress.so gives to the library: decompression of whole pieces. The library
 * itself needs libc alone, so it loads the module when an image first needs it. */
#ifndef VSDK_DISK_UNPACK_H
#define VSDK_DISK_UNPACK_H

#include <stddef.h>
#include <vsdk/types.h>

enum { DISK_UNPACK_ABI = 2 };

/* How a piece was compressed. */
typedef enum disk_packing {
    DISK_PACKING_DEFLATE, /* without any header; window of 4 KiB and more */
    DISK_PACKING_ZSTD,
} disk_packing;

typedef struct disk_unpack_ops {
    unsigned abi;  /* DISK_UNPACK_ABI */
    unsigned size; /* of this */
    /* Fills `to` completely: 1, or 0 when `from` is malformed or too short. Bytes of `from` behind
     * what fills it are not looked at. -1: this build can't. */
    int (*unpack)(disk_packing packing, const void *from, size_t length, void *to, size_t room);
} disk_unpack_ops;

typedef const disk_unpack_ops *(*disk_unpack_fn)(void);
#define DISK_UNPACK_ENTRY "vsdk_disk_unpack_module"

/* Loads the module, once. UNSUPPORTED, with a hint, without it. */
vsdk_status disk_unpack_load(const char *operation, const disk_unpack_ops **ops, vsdk_error *error);

#endif
