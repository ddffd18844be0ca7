/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the library takes memory, so that tests can make each allocation fail. calloc
 * rather than malloc and memset: pages that are fresh from the kernel are zero already. */
#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>

void *alloc_zeroed(size_t bytes)
{
    return calloc(1, bytes);
}

void *alloc_array(size_t count, size_t bytes)
{
    return calloc(count, bytes);
}

void *alloc_unset(size_t bytes)
{
    return malloc(bytes);
}

void *alloc_aligned(size_t align, size_t bytes)
{
    void *memory = NULL;

    if (posix_memalign(&memory, align, bytes) != 0)
        return NULL;
    return memset(memory, 0, bytes);
}

void alloc_free(void *memory)
{
    free(memory);
}
