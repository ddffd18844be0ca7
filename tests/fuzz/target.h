/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzing the loaders: one image of one format into a small guest on the fake core. */
#ifndef VSDK_TESTS_FUZZ_TARGET_H
#define VSDK_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <vsdk/boot.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Loads, and checks that what the loader says of a guest that it took holds. */
void target_load(const vsdk_boot_config *config);

/* The configuration that every format uses: a memory map of 4 MiB, a command line, a module. */
vsdk_boot_config target_config(vsdk_boot_format format, const uint8_t *bytes, size_t length);

#endif
