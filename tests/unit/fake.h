/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual machine for tests of devices, loaders and machine: a bus, RAM, lines and a stop reason,
 * no hypervisor, no guest. It stands in for the core under the public functions that they call. */
#ifndef VSDK_TESTS_UNIT_FAKE_H
#define VSDK_TESTS_UNIT_FAKE_H

#include <stddef.h>
#include <vsdk/vsdk.h>

enum { FAKE_RANGES = 64, FAKE_BLOCKS = 8, FAKE_LINES = 32, FAKE_MESSAGES = 64, FAKE_VCPUS = 128 };

typedef struct fake_message {
    uint64_t address;
    uint32_t data;
} fake_message;

typedef struct fake_range {
    vsdk_device *device;
    vsdk_space space;
    uint64_t address, length;
    uint32_t region;
} fake_range;

typedef struct fake_block {
    uint64_t gpa, length;
    uint8_t *bytes;
    uint64_t offset; /* in its RAM object */
} fake_block;

struct vsdk_vcpu {
    vsdk_vm *vm;
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
};

/* Gives one virtual machine, again and again. */
struct vsdk_host {
    vsdk_vm *vm;
};

struct vsdk_vm {
    uint32_t refs;
    vsdk_vm_state state;
    uint32_t paused;    /* devices are stopped */
    uint32_t vcpus_max; /* as configured, like the next two */
    vsdk_irqchip irqchip;
    uint64_t memory_max;
    uint64_t clock;
    vsdk_exit_reason stop;
    uint64_t stop_code, stop_detail;
    fake_range range[FAKE_RANGES];
    uint32_t ranges;
    fake_block block[FAKE_BLOCKS];
    uint32_t blocks;
    vsdk_vm_range served[8];
    uint32_t served_count;
    uint32_t level[FAKE_LINES], edges[FAKE_LINES]; /* as raised by users of lines */
    vsdk_irq_line_fn set_line;
    void *controller;
    vsdk_release_fn controller_release;
    fake_message message[FAKE_MESSAGES];
    uint32_t messages;
    vsdk_vcpu vcpu[FAKE_VCPUS];
    vsdk_vcpu_config vcpu_config; /* of the last one */
    vsdk_ram_config ram_config;
    vsdk_timer *timer;      /* the last one made */
    vsdk_work *work;        /* the same */
    uint64_t delay;         /* that it was armed for; UINT64_MAX: disarmed */
    uint32_t devices, rams; /* alive */
    uint32_t fail;          /* the n-th allocation of an object fails, from 1; 0: none */
};

void fake_ram(vsdk_vm *vm, uint64_t gpa, uint64_t length);
void fake_end(vsdk_vm *vm); /* what destroy does: detaches all, frees RAM */

/* With a leak checker, 1 if something is lost. */
int fake_leaks(void);

/* An access of the guest's. */
uint64_t fake_read(vsdk_vm *vm, vsdk_space space, uint64_t address, uint32_t width);
void fake_write(vsdk_vm *vm, vsdk_space space, uint64_t address, uint32_t width, uint64_t value);
const fake_range *fake_find(vsdk_vm *vm, vsdk_space space, uint64_t address, uint32_t width);
void fake_pause(vsdk_vm *vm, int pause);
void fake_reset(vsdk_device *device); /* what a reset of its virtual machine does to it */
void fake_expire(vsdk_vm *vm);        /* of the timer, whatever it was armed for */
void fake_work(vsdk_vm *vm); /* what a dispatch of the loop does: runs it if it is posted */

static inline uint8_t fake_in(vsdk_vm *vm, uint16_t port)
{
    return (uint8_t)fake_read(vm, VSDK_SPACE_PIO, port, 1);
}

static inline void fake_out(vsdk_vm *vm, uint16_t port, uint8_t value)
{
    fake_write(vm, VSDK_SPACE_PIO, port, 1, value);
}

#endif
