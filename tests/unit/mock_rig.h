/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual machine of a mock below the core: it fills the backend's structs itself, and does for
 * an autonomous one what the core would. */
#ifndef TESTS_UNIT_MOCK_RIG_H
#define TESTS_UNIT_MOCK_RIG_H

#include "core/backend.h"
#include "start.h"

enum { RIG_VCPUS = 4, RIG_RAM_BYTES = 0x400000 };

typedef struct rig {
    backend_host host;
    backend_vm vm;
    backend_vcpu vcpu[RIG_VCPUS];
    backend_vcpu *vcpus[RIG_VCPUS];
    _Alignas(64) vsdk_exit exits[RIG_VCPUS];
    backend_ram ram;
    backend_slot slot;
    vsdk_exit *exit; /* of vCPU 0 */
    uint8_t *memory;
    uint64_t seed;
    uint32_t irqchip, vcpu_count;
    vsdk_error error;
} rig;

/* Zero fields are defaults. `autonomous` chooses the personality. */
void rig_open(rig *r, int autonomous);
void rig_load(rig *r, const struct guest *image, unsigned cpl, uint64_t argument);
void rig_code(rig *r, const void *code, size_t bytes, unsigned cpl);
void rig_start(rig *r);
void rig_run(rig *r, uint32_t vcpu); /* KICKED after a long while */
void rig_run_for(rig *r, uint32_t vcpu, uint64_t nanoseconds);
void rig_close(rig *r);
/* The next exit of vCPU 0 is an access of this kind. */
void rig_expect(rig *r, vsdk_exit_reason reason, vsdk_direction direction, uint64_t address,
                unsigned width);
void rig_expect_write(rig *r, vsdk_exit_reason reason, uint64_t address, unsigned width,
                      uint64_t value);
void rig_answer(rig *r, vsdk_exit_reason reason, uint64_t address, unsigned width, uint64_t value);
void rig_expect_end(rig *r, uint8_t status);

/* Each test in both personalities. */
#define BOTH(suite, name)                                                                          \
    static void suite##_##name(int autonomous);                                                    \
    Test(suite, name##_driven)                                                                     \
    {                                                                                              \
        suite##_##name(0);                                                                         \
    }                                                                                              \
    Test(suite, name##_autonomous)                                                                 \
    {                                                                                              \
        suite##_##name(1);                                                                         \
    }                                                                                              \
    static void suite##_##name(int autonomous)

#endif
