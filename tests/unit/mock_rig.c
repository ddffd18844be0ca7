/* SPDX-License-Identifier: Apache-2.0 */
#include "mock_rig.h"
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#define RUN_NS 20000000000u

static void must(rig *r, vsdk_status status, const char *what)
{
    cr_assert_eq(status, VSDK_OK, "%s: %s: %s", what, r->error.operation, r->error.message);
}

static void make_vcpus(rig *r)
{
    const backend_ops *ops = r->host.ops;

    for (uint32_t i = 0; i < r->vcpu_count; i++) {
        r->vcpu[i] = (backend_vcpu){.vm = &r->vm, .index = i, .exit = &r->exits[i]};
        r->vcpus[i] = &r->vcpu[i];
        must(r, ops->vcpu_create(&r->vcpu[i], &r->error), "vcpu_create");
    }
}

static void make_memory(rig *r)
{
    const backend_ops *ops = r->host.ops;

    r->ram = (backend_ram){.vm = &r->vm, .bytes = RIG_RAM_BYTES};
    must(r, ops->ram_create(&r->ram, &r->error), "ram_create");
    r->memory = r->ram.memory;
    r->slot = (backend_slot){.ram = &r->ram, .length = RIG_RAM_BYTES};
    must(r, ops->vm_map(&r->vm, &r->slot, &r->error), "vm_map");
}

void rig_open(rig *r, int autonomous)
{
    vsdk_host_config config = {.size = sizeof config, .seed = r->seed};
    const backend_ops *ops = autonomous ? backend_mock_autonomous() : backend_mock();

    r->vcpu_count = r->vcpu_count ? r->vcpu_count : 1;
    r->exit = &r->exits[0];
    r->host = (backend_host){.ops = ops};
    must(r, ops->host_open(&r->host, &config, &r->error), "host_open");
    r->vm = (backend_vm){.host = &r->host, .vcpus = r->vcpus};
    r->vm.config = (vsdk_vm_config){.size = sizeof r->vm.config,
                                    .vcpus_max = r->vcpu_count,
                                    .irqchip = r->irqchip,
                                    .memory_max = 1 << 30};
    must(r, ops->vm_create(&r->vm, &r->error), "vm_create");
    make_memory(r);
    make_vcpus(r);
}

void rig_code(rig *r, const void *code, size_t bytes, unsigned cpl)
{
    struct guest image = {code, (const uint8_t *)code + bytes};

    rig_load(r, &image, cpl, 0);
}

void rig_load(rig *r, const struct guest *image, unsigned cpl, uint64_t argument)
{
    const backend_ops *ops = r->host.ops;
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;

    start_write_tables(r->memory);
    memcpy(r->memory + CODE, image->code, (size_t)(image->end - image->code));
    must(r, ops->vcpu_get_sregs(&r->vcpu[0], &sregs, &r->error), "get_sregs");
    start_set_long_mode(&sregs, cpl);
    start_set_regs(&regs, cpl);
    regs.rdi = argument;
    must(r, ops->vcpu_set_sregs(&r->vcpu[0], &sregs, &r->error), "set_sregs");
    must(r, ops->vcpu_set_regs(&r->vcpu[0], &regs, &r->error), "set_regs");
}

void rig_start(rig *r)
{
    if (r->host.ops->vm_resume)
        must(r, r->host.ops->vm_resume(&r->vm, &r->error), "vm_resume");
}

void rig_run_for(rig *r, uint32_t vcpu, uint64_t nanoseconds)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    r->vcpu[vcpu].deadline_ns =
        (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + nanoseconds;
    must(r, r->host.ops->vcpu_run(&r->vcpu[vcpu], &r->error), "vcpu_run");
}

void rig_run(rig *r, uint32_t vcpu)
{
    rig_run_for(r, vcpu, RUN_NS);
}

void rig_close(rig *r)
{
    const backend_ops *ops = r->host.ops;

    ops->vm_destroy(&r->vm);
    for (uint32_t i = 0; i < r->vcpu_count; i++)
        ops->vcpu_destroy(&r->vcpu[i]);
    ops->ram_free(&r->ram);
    ops->vm_free(&r->vm);
    ops->host_close(&r->host);
}

void rig_expect(rig *r, vsdk_exit_reason reason, vsdk_direction direction, uint64_t address,
                unsigned width)
{
    rig_run(r, 0);
    cr_assert_eq(r->exit->reason, reason, "reason %u, native 0x%llx", r->exit->reason,
                 (unsigned long long)r->exit->native);
    cr_assert_eq(r->exit->direction, direction);
    cr_assert_eq(r->exit->address, address, "address 0x%llx", (unsigned long long)r->exit->address);
    cr_assert_eq(r->exit->width, width);
    cr_assert_eq(r->exit->reserved, 0);
    cr_assert_eq(r->exit->tag, 0);
}

void rig_expect_write(rig *r, vsdk_exit_reason reason, uint64_t address, unsigned width,
                      uint64_t value)
{
    rig_expect(r, reason, VSDK_DIRECTION_WRITE, address, width);
    cr_assert_eq(r->exit->count, 1);
    cr_assert_eq(r->exit->value, value, "value 0x%llx", (unsigned long long)r->exit->value);
    cr_assert_eq(r->exit->data, (uint64_t)(uintptr_t)&r->exit->value);
}

void rig_answer(rig *r, vsdk_exit_reason reason, uint64_t address, unsigned width, uint64_t value)
{
    rig_expect(r, reason, VSDK_DIRECTION_READ, address, width);
    cr_assert_eq(r->exit->count, 1);
    cr_assert_eq(r->exit->value, UINT64_MAX);
    memcpy((void *)(uintptr_t)r->exit->data, &value, width);
}

void rig_expect_end(rig *r, uint8_t status)
{
    rig_expect_write(r, VSDK_EXIT_PIO, PORT_END, 1, status);
}
