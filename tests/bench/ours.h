/* SPDX-License-Identifier: Apache-2.0 */
/* The same as raw.h, by the library. */
#ifndef TESTS_BENCH_OURS_H
#define TESTS_BENCH_OURS_H

#include <stddef.h>
#include <stdint.h>
#include <vsdk/vsdk.h>

typedef struct ours_vm {
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_ram *ram;
    const vsdk_exit *exit;
    void *memory;
} ours_vm;

typedef enum ours_guest { GUEST_LONG, GUEST_REAL, GUEST_REAL_WITHOUT_EXITS } ours_guest;

vsdk_host *ours_open(const char *backend);
void ours_create(ours_vm *vm, vsdk_host *host, size_t bytes, ours_guest guest);
/* A device at GUEST_PORT. */
void ours_attach(ours_vm *vm, vsdk_device_write_fn write, void *user);
void ours_destroy(ours_vm *vm);
void ours_set_count(ours_vm *vm, uint64_t count);
/* Runs until the write to GUEST_DONE. Returns how many exits came back before it. */
uint64_t ours_run(ours_vm *vm);

#endif
