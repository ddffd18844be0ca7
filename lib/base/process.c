/* SPDX-License-Identifier: Apache-2.0 */
/* The process's id, kept in a page that the kernel clears in a child of fork (MADV_WIPEONFORK), so
 * that no system call is needed to notice that one is such a child. It works for every kind of
 * fork, also those that run no handlers. The page is never given back: a thread may read it. */
#include "base/process.h"
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* In .data, whose first page the loader has written already: the zeros' pages are nobody's yet, and
 * a start would pay for one more. */
__attribute__((section(".data"))) static _Atomic(_Atomic uint32_t *) known;

/* NULL where the kernel can't do it: then each question is a system call. */
static _Atomic uint32_t *page_make(void)
{
    _Atomic uint32_t *none = NULL, *made;

    made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    if (madvise(made, PAGE, MADV_WIPEONFORK)) {
        munmap(made, PAGE);
        return NULL;
    }
    /* Written before it is read: the kernel gives a page that is read first twice. */
    atomic_store_explicit(made, (uint32_t)getpid(), memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&known, &none, made)) {
        munmap(made, PAGE);
        return none;
    }
    return made;
}

uint32_t process_id(void)
{
    _Atomic uint32_t *page = atomic_load_explicit(&known, memory_order_acquire);

    if (!page && !(page = page_make()))
        return (uint32_t)getpid();
    uint32_t id = atomic_load_explicit(page, memory_order_relaxed);
    if (!id) {
        id = (uint32_t)getpid();
        atomic_store_explicit(page, id, memory_order_relaxed);
    }
    return id;
}
