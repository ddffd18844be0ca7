/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual machine of the mock backend for tests of the core's parts: no guest, accesses are given
 * to the bus by hand. */
#ifndef VSDK_TESTS_UNIT_CORE_RIG_H
#define VSDK_TESTS_UNIT_CORE_RIG_H

#include "core/object.h"
#include <criterion/criterion.h>

struct core_rig {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_exit exit; /* of the last access */
};

void rig_make(struct core_rig *rig); /* one vCPU, CREATED */
void rig_make_with(struct core_rig *rig, const vsdk_vm_config *config);
void rig_run(struct core_rig *rig); /* RUNNING: devices are started; nobody runs the vCPU */
void rig_end(struct core_rig *rig);

bus_answer rig_write(struct core_rig *rig, vsdk_space space, uint64_t address, uint16_t width,
                     uint64_t value);
/* What was read is in exit.value, which was all ones before. */
bus_answer rig_read(struct core_rig *rig, vsdk_space space, uint64_t address, uint16_t width);
bus_answer rig_write_many(struct core_rig *rig, uint64_t port, uint16_t width, void *data,
                          uint32_t count);

vsdk_ram *rig_ram(struct core_rig *rig, uint64_t gpa, uint64_t bytes, uint32_t flags);

/* A device that notes its callbacks; `user` of it is this. */
struct notes {
    uint32_t reads, writes, starts, stops, resets, releases;
    uint32_t region, width;
    uint64_t offset, value, answer;
    vsdk_device *device;
    vsdk_status (*inside)(struct notes *notes); /* called by write */
    vsdk_status status;                         /* what it returned */
    void *context;
};

extern const vsdk_device_ops notes_ops;
vsdk_device *rig_device(struct core_rig *rig, struct notes *notes, uint32_t flags);

#define ok(call) cr_assert_eq((call), VSDK_OK, "%s", #call)
#define fails(want, call)                                                                          \
    do {                                                                                           \
        vsdk_error error_ = {0}, *E = &error_;                                                     \
        vsdk_status status_ = (call);                                                              \
        cr_assert_eq(status_, VSDK_ERROR_##want, "%s gave %s", #call, vsdk_status_name(status_));  \
        cr_assert_eq(error_.code, VSDK_ERROR_##want, "%s left the record alone", #call);           \
        cr_assert(error_.operation[0] && error_.message[0]);                                       \
    } while (0)

#endif
