/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that a loaded library imports: each is a word in its memory that can be changed, so
 * that the library's calls, and nobody else's, come to the test. */
#ifndef VSDK_TESTS_FAULTS_IMPORTS_H
#define VSDK_TESTS_FAULTS_IMPORTS_H

#include <stdint.h>

struct import {
    const char *name;
    void **slot;
};

/* Calls `each` for every imported function of the library whose file name contains `library`.
 * Returns how many; 0 if there is no such library. */
unsigned imports_each(const char *library, void (*each)(const struct import *import, void *user),
                      void *user);
void import_replace(const struct import *import, void *function);

/* Where an address is in the library: its distance from the beginning. */
uint64_t imports_offset(const char *library, const void *address);

#endif
