/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation: zeroed but for alloc_unset, or an error. */
#ifndef VSDK_BASE_ALLOC_H
#define VSDK_BASE_ALLOC_H

#include <stddef.h>

void *alloc_zeroed(size_t bytes);                /* NULL when there is none */
void *alloc_array(size_t count, size_t bytes);   /* zeroed, overflow checked */
/* Whatever was there: for what is filled before it is read. Pages that nobody writes cost nothing. */
void *alloc_unset(size_t bytes);
void *alloc_aligned(size_t align, size_t bytes); /* zeroed; freed with alloc_free */
void alloc_free(void *memory);

#endif
