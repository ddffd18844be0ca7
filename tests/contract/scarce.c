/* SPDX-License-Identifier: Apache-2.0 */
/* calloc and mmap, that fail when they are told to. */
#include "scarce.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local unsigned fail_at;
_Thread_local int fail_map;

int allocations_can_fail(void)
{
#ifdef SANITIZED
    return 0;
#else
    const char *before = getenv("LD_PRELOAD");
    return !before || !strstr(before, "vgpreload");
#endif
}

#ifndef SANITIZED
extern void *__libc_calloc(size_t count, size_t bytes);

void *calloc(size_t count, size_t bytes)
{
    if (fail_at && !--fail_at) {
        errno = ENOMEM; /* libc relies on it */
        return NULL;
    }
    return __libc_calloc(count, bytes);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && fail_map) {
        errno = fail_map;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}
#endif
