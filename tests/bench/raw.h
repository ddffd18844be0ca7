/* SPDX-License-Identifier: Apache-2.0 */
/* What a program does that calls KVM itself, in the best order known: CPUID asked once, interrupt
 * controllers before memory, memory before the vCPU, a signal mask instead of a handler. It makes
 * the same machine as the library does. */
#ifndef TESTS_BENCH_RAW_H
#define TESTS_BENCH_RAW_H

#include <stddef.h>
#include <stdint.h>

typedef struct raw_host {
    int fd;
    int run_bytes;
    void *cpuid;
} raw_host;

typedef struct raw_vm {
    int vm, vcpu;
    void *memory, *mapping;
    size_t bytes;
    struct kvm_run *run;
    int run_bytes;
} raw_vm;

typedef void (*raw_port_fn)(void *user, uint16_t port, uint32_t value);

void raw_open(raw_host *host);
void raw_close(raw_host *host);
void raw_create(raw_vm *vm, const raw_host *host, size_t bytes);
void raw_destroy(raw_vm *vm);
void raw_set_count(raw_vm *vm, uint64_t count);
/* Runs until the write to GUEST_DONE; the others go to `port`. Returns how many they were. */
uint64_t raw_run(raw_vm *vm, raw_port_fn port, void *user);

#endif
