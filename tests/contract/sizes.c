/* SPDX-License-Identifier: Apache-2.0 */
/* Structures of other versions: shorter, longer with a tail of zeros, longer with more. */
#include "check.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vsdk/vsdk.h>

enum { LATER = 24, LEAST = 8 };

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_vcpu *vcpu;
static vsdk_pc *pc;
static uint32_t next_vcpu;

static void setup(void)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = 8};

    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, &config, &vm, E));
    ok(vsdk_vcpu_create(vm, next_vcpu++, NULL, &vcpu, E));
    ok(vsdk_pc_create(host, NULL, &pc, E));
}

static void teardown(void)
{
    vsdk_pc_close(pc);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

TestSuite(sizes, .init = setup, .fini = teardown);

static vsdk_status use_host(const void *record)
{
    vsdk_host *other = NULL;
    vsdk_status status = vsdk_host_open("mock", record, &other, E);
    vsdk_host_close(other);
    return status;
}

static vsdk_status use_vm(const void *record)
{
    vsdk_vm *other = NULL;
    vsdk_status status = vsdk_vm_create(host, record, &other, E);
    vsdk_vm_close(other);
    return status;
}

static vsdk_status use_vcpu(const void *record)
{
    vsdk_vcpu *other = NULL;
    vsdk_status status = vsdk_vcpu_create(vm, next_vcpu, record, &other, E);

    next_vcpu += status == VSDK_OK;
    vsdk_vcpu_close(other);
    return status;
}

static vsdk_status use_ram(const void *record)
{
    vsdk_ram *other = NULL;
    vsdk_status status = vsdk_ram_create(vm, 4096, record, &other, E);
    vsdk_ram_close(other);
    return status;
}

static vsdk_status use_device(const void *record)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *other = NULL;
    vsdk_status status = vsdk_device_create(vm, &ops, NULL, record, &other, E);
    vsdk_device_close(other);
    return status;
}

static vsdk_status use_ops(const void *record)
{
    vsdk_device *other = NULL;
    vsdk_status status = vsdk_device_create(vm, record, NULL, NULL, &other, E);
    vsdk_device_close(other);
    return status;
}

static vsdk_status use_doorbell(const void *record)
{
    vsdk_doorbell *other = NULL;
    vsdk_status status = vsdk_doorbell_create(vm, record, &other, E);
    vsdk_doorbell_close(other);
    return status;
}

static vsdk_status use_irq(const void *record)
{
    vsdk_irq *other = NULL;
    vsdk_status status = vsdk_irq_create(vm, record, &other, E);
    vsdk_irq_close(other);
    return status;
}

static vsdk_status use_msi(const void *record)
{
    vsdk_msi *other = NULL;
    vsdk_status status = vsdk_msi_create(vm, record, &other, E);
    vsdk_msi_close(other);
    return status;
}

static vsdk_status use_stream(const void *record)
{
    vsdk_stream *near_end = NULL, *far_end = NULL;
    vsdk_status status = vsdk_stream_create(record, &near_end, &far_end, E);
    vsdk_stream_close(near_end);
    vsdk_stream_close(far_end);
    return status;
}

static vsdk_status use_pool(const void *record)
{
    vsdk_pool *other = NULL;
    vsdk_status status = vsdk_pool_create(record, &other, E);
    vsdk_pool_close(other);
    return status;
}

static vsdk_status use_pc(const void *record)
{
    vsdk_pc *other = NULL;
    vsdk_status status = vsdk_pc_create(host, record, &other, E);
    vsdk_pc_close(other);
    return status;
}

static vsdk_status use_run(const void *record)
{
    return vsdk_vm_run(vm, record, 0, NULL, E);
}

static const struct {
    const char *name;
    uint32_t size;
    vsdk_status (*use)(const void *record);
} configs[] = {
    {"vsdk_host_config", sizeof(vsdk_host_config), use_host},
    {"vsdk_vm_config", sizeof(vsdk_vm_config), use_vm},
    {"vsdk_vcpu_config", sizeof(vsdk_vcpu_config), use_vcpu},
    {"vsdk_ram_config", sizeof(vsdk_ram_config), use_ram},
    {"vsdk_device_config", sizeof(vsdk_device_config), use_device},
    {"vsdk_device_ops", sizeof(vsdk_device_ops), use_ops},
    {"vsdk_doorbell_config", sizeof(vsdk_doorbell_config), use_doorbell},
    {"vsdk_irq_config", sizeof(vsdk_irq_config), use_irq},
    {"vsdk_msi_config", sizeof(vsdk_msi_config), use_msi},
    {"vsdk_stream_config", sizeof(vsdk_stream_config), use_stream},
    {"vsdk_pool_config", sizeof(vsdk_pool_config), use_pool},
    {"vsdk_pc_config", sizeof(vsdk_pc_config), use_pc},
    {"vsdk_run_config", sizeof(vsdk_run_config), use_run}, /* last: it starts the guest */
};

/* A record of exactly `size` bytes, so that a sanitizer sees a read beyond it. */
static vsdk_status use_size(unsigned which, uint32_t size, uint8_t last)
{
    uint8_t *record = calloc(1, size < sizeof size ? sizeof size : size);
    vsdk_status status;

    memcpy(record, &size, sizeof size);
    if (last)
        record[size - 1] = last;
    status = configs[which].use(record);
    free(record);
    return status;
}

Test(sizes, configurations_of_other_versions)
{
    for (unsigned i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        uint32_t size = configs[i].size;

        fails(INVALID_ARGUMENT, use_size(i, 0, 0));
        fails(INVALID_ARGUMENT, use_size(i, LEAST - 1, 0));
        ok(use_size(i, LEAST, 0));
        ok(use_size(i, size, 0));
        ok(use_size(i, size + LATER, 0));
        fails(UNSUPPORTED, use_size(i, size + LATER, 1));
    }
}

/* What a structure that was not cleared looks like; of a host the last field is no reserve. */
Test(sizes, reserved_fields_are_zero)
{
    for (unsigned i = 1; i < sizeof configs / sizeof configs[0]; i++) {
        fails(UNSUPPORTED, use_size(i, configs[i].size, 1));
        cr_expect(strstr(E->hint, "clear"), "%s: %s", configs[i].name, E->hint);
    }
}

static vsdk_status fill_vm_info(void *record)
{
    return vsdk_vm_get_info(vm, record, E);
}

static vsdk_status fill_counters(void *record)
{
    return vsdk_vcpu_get_counters(vcpu, record, E);
}

static vsdk_status fill_capability(void *record)
{
    return vsdk_host_query(host, VSDK_CAPABILITY_AUTONOMOUS, record, E);
}

static vsdk_status fill_pc(void *record)
{
    return vsdk_pc_get_config(pc, record, E);
}

static const struct {
    const char *name;
    uint32_t size;
    vsdk_status (*fill)(void *record);
} outputs[] = {
    {"vsdk_vm_info", sizeof(vsdk_vm_info), fill_vm_info},
    {"vsdk_vcpu_counters", sizeof(vsdk_vcpu_counters), fill_counters},
    {"vsdk_capability_info", sizeof(vsdk_capability_info), fill_capability},
    {"vsdk_pc_config", sizeof(vsdk_pc_config), fill_pc},
};

static vsdk_status fill_size(unsigned which, uint32_t size, uint8_t **filled)
{
    uint8_t *record = malloc(size < sizeof size ? sizeof size : size);
    vsdk_status status;

    memset(record, 0xee, size);
    memcpy(record, &size, sizeof size);
    status = outputs[which].fill(record);
    if (status == VSDK_OK)
        cr_assert(memcmp(record, &size, sizeof size) == 0, "%s: size was changed",
                  outputs[which].name);
    *filled = record;
    return status;
}

Test(sizes, outputs_of_other_versions)
{
    for (unsigned i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        uint32_t size = outputs[i].size;
        uint8_t *exact, *longer, *bad;

        fails(INVALID_ARGUMENT, fill_size(i, LEAST - 4, &bad));
        free(bad);
        ok(fill_size(i, size, &exact));
        ok(fill_size(i, size + LATER, &longer));
        cr_assert(memcmp(exact + 4, longer + 4, size - 4) == 0, "%s", outputs[i].name);
        for (unsigned at = 0; at < LATER; at++)
            cr_assert_eq(longer[size + at], 0, "%s: the tail is not zero", outputs[i].name);
        free(exact);
        free(longer);
    }
}

Test(sizes, unknown_flags_are_refused)
{
    for (unsigned i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        uint32_t head[64] = {configs[i].size, 0x40000000};

        fails(INVALID_ARGUMENT, configs[i].use(head));
    }
}
