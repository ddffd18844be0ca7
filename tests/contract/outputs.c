/* SPDX-License-Identifier: Apache-2.0 */
/* When a function fails its outputs are NULL or zero, whatever was there before. A structure keeps
 * the size that the caller set. */
#include "check.h"
#include <criterion/criterion.h>
#include <string.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_vcpu *vcpu;
static vsdk_device *device;
static vsdk_stream *ended;

static void setup(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_stream *other_end;

    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    ok(vsdk_device_create(vm, &ops, NULL, NULL, &device, E));
    ok(vsdk_stream_create(NULL, &ended, &other_end, E));
    vsdk_stream_close(other_end);
    ok(vsdk_vm_destroy(vm, E));
}

static void teardown(void)
{
    vsdk_stream_close(ended);
    vsdk_device_close(device);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

TestSuite(outputs, .init = setup, .fini = teardown);

static int is_zero(const void *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (((const uint8_t *)bytes)[i])
            return 0;
    return 1;
}

/* `call` fails and fills `out`, which begins with `kept` bytes of the caller's. */
#define zeroed_after(type, kept, call)                                                             \
    do {                                                                                           \
        type out;                                                                                  \
        uint32_t size = sizeof out;                                                                \
        memset(&out, 0xee, sizeof out);                                                            \
        memcpy(&out, &size, kept);                                                                 \
        cr_expect_neq((call), VSDK_OK, "%s", #call);                                               \
        cr_expect(is_zero(&out, kept, sizeof out), "%s", #call);                                   \
    } while (0)
#define zeroed(type, call) zeroed_after(type, 0, call)
#define zeroed_struct(type, call) zeroed_after(type, sizeof(uint32_t), call)

Test(outputs, handles)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    const vsdk_doorbell_config bell = {.size = sizeof bell};
    const vsdk_pc_config bad = {.size = sizeof bad, .memory = 1};

    zeroed(vsdk_host *, vsdk_host_open("none", NULL, &out, E));
    zeroed(vsdk_vm *, vsdk_vm_create(NULL, NULL, &out, E));
    zeroed(vsdk_vcpu *, vsdk_vcpu_create(NULL, 0, NULL, &out, E));
    zeroed(vsdk_vcpu *, vsdk_vcpu_create(vm, 0, NULL, &out, E));
    zeroed(vsdk_ram *, vsdk_ram_create(NULL, 4096, NULL, &out, E));
    zeroed(vsdk_ram *, vsdk_ram_create(vm, 4096, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_device_create(NULL, &ops, NULL, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_device_create(vm, &ops, NULL, NULL, &out, E));
    zeroed(vsdk_irq *,
           vsdk_irq_create(NULL, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 0},
                           &out, E));
    zeroed(vsdk_irq *,
           vsdk_irq_create(vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 0}, &out,
                           E));
    zeroed(vsdk_doorbell *, vsdk_doorbell_create(NULL, &bell, &out, E));
    zeroed(vsdk_doorbell *, vsdk_doorbell_create(vm, &bell, &out, E));
    zeroed(vsdk_msi *, vsdk_msi_create(NULL, NULL, &out, E));
    zeroed(vsdk_msi *, vsdk_msi_create(vm, NULL, &out, E));
    zeroed(vsdk_work *, vsdk_work_create(NULL, NULL, NULL, NULL, NULL, &out, E));
    zeroed(vsdk_pool *, vsdk_pool_create(&(vsdk_pool_config){.size = 4}, &out, E));
    zeroed(vsdk_watch *, vsdk_watch_create(NULL, NULL, 0, 0, NULL, NULL, NULL, &out, E));
    zeroed(vsdk_timer *, vsdk_timer_create(NULL, NULL, NULL, NULL, NULL, &out, E));
    zeroed(vsdk_pc *, vsdk_pc_create(NULL, NULL, &out, E));
    zeroed(vsdk_pc *, vsdk_pc_create(host, &bad, &out, E));
    zeroed(vsdk_share *, vsdk_share_open(NULL, &out, E));
    zeroed(vsdk_share *, vsdk_share_open(&(vsdk_share_config){.size = 4}, &out, E));
    zeroed(vsdk_device *, vsdk_virtio_fs_create(vm, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_serial_create(NULL, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_serial_create(vm, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_ioapic_create(vm, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_fw_cfg_create(vm, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_acpi_pm_create(vm, NULL, &out, E));
    zeroed(vsdk_device *, vsdk_debug_console_create(vm, NULL, &out, E));
}

Test(outputs, both_ends_of_a_stream)
{
    const vsdk_stream_config large = {.size = sizeof large, .capacity = UINT64_MAX};
    vsdk_stream *other;

    zeroed(vsdk_stream *, vsdk_stream_create(&large, &out, &other, E));
    zeroed(vsdk_stream *, vsdk_stream_create(&large, &other, &out, E));
    zeroed(vsdk_stream *, vsdk_stream_create(NULL, &out, NULL, E));
    zeroed(vsdk_stream *, vsdk_stream_create(NULL, NULL, &out, E));
}

Test(outputs, claims)
{
    uint64_t got = 7;

    fails(INVALID_ARGUMENT, vsdk_pc_claim(NULL, VSDK_PC_PORTS, VSDK_PC_ANY, 1, &got, E));
    cr_assert_eq(got, 0);
}

/* What is no status says NULL or -1, and fills the record. */
Test(outputs, of_functions_without_a_status)
{
    cr_assert_null(vsdk_vm_loop(vm, E));
    cr_assert_eq(E->code, VSDK_ERROR_GONE);
    cr_assert_null(vsdk_vm_loop(NULL, E));
    cr_assert_eq(E->code, VSDK_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(vsdk_stream_descriptor(NULL, E), -1);
    cr_assert_eq(E->code, VSDK_ERROR_INVALID_ARGUMENT);
    E->code = VSDK_OK;
    cr_assert_eq(vsdk_msi_descriptor(NULL, E), -1);
    cr_assert_eq(E->code, VSDK_ERROR_INVALID_ARGUMENT);
}

Test(outputs, numbers)
{
    uint8_t byte;

    zeroed(vsdk_vcpu_phase, vsdk_vcpu_get_phase(NULL, &out, E));
    zeroed(vsdk_vcpu_phase, vsdk_vcpu_get_phase(vcpu, &out, E));
    zeroed(uint64_t, vsdk_doorbell_take(NULL, &out, E));
    zeroed(vsdk_boot_format, vsdk_boot_probe(NULL, 0, &out, E));
    zeroed(uint64_t, vsdk_stream_read(NULL, &byte, 1, &out, E));
    zeroed(uint64_t, vsdk_stream_read(ended, &byte, 1, &out, E));
    zeroed(uint64_t, vsdk_stream_write(NULL, "x", 1, &out, E));
    zeroed(uint64_t, vsdk_stream_write(ended, NULL, 1, &out, E));
    zeroed(uint64_t, vsdk_device_save(NULL, NULL, 0, &out, E));
    zeroed(uint64_t, vsdk_device_save(device, NULL, 0, &out, E));
    zeroed(uint32_t, vsdk_loop_dispatch(NULL, 0, &out, E));
    zeroed(uint32_t, vsdk_x86_host_get_cpuid(NULL, NULL, 0, &out, E));
    zeroed(uint32_t, vsdk_host_list_orphans(NULL, NULL, 0, &out, E));
    zeroed(uint32_t, vsdk_vm_list_reserved(NULL, NULL, 0, &out, E));
    zeroed(uint32_t, vsdk_vm_list_reserved(vm, NULL, 0, &out, E));
    zeroed(uint32_t, vsdk_pc_get_memory_map(NULL, NULL, 0, &out, E));
}

Test(outputs, structures)
{
    const vsdk_boot_config none = {.size = sizeof none};

    zeroed(vsdk_x86_regs, vsdk_vcpu_get_state(NULL, VSDK_X86_REGS, &out, sizeof(vsdk_x86_regs), E));
    zeroed(vsdk_x86_regs, vsdk_vcpu_get_state(vcpu, VSDK_X86_REGS, &out, sizeof(vsdk_x86_regs), E));
    zeroed(vsdk_x86_sregs,
           vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &out, sizeof(vsdk_x86_sregs), E));
    zeroed(vsdk_x86_fpu, vsdk_vcpu_get_state(vcpu, VSDK_X86_FPU, &out, sizeof(vsdk_x86_fpu), E));
    zeroed(vsdk_x86_cpuid_entry, vsdk_x86_vcpu_get_cpuid(vcpu, 0, 0, &out, E));
    zeroed(vsdk_exit, vsdk_vm_run(NULL, NULL, VSDK_FOREVER, &out, E));
    zeroed(vsdk_exit, vsdk_vm_run(vm, NULL, VSDK_FOREVER, &out, E));
    zeroed_struct(vsdk_capability_info, vsdk_host_query(host, 0, &out, E));
    zeroed_struct(vsdk_vm_info, vsdk_vm_get_info(NULL, &out, E));
    zeroed_struct(vsdk_vm_info, vsdk_vm_get_info(vm, &out, E));
    zeroed_struct(vsdk_vcpu_counters, vsdk_vcpu_get_counters(NULL, &out, E));
    zeroed_struct(vsdk_vcpu_counters, vsdk_vcpu_get_counters(vcpu, &out, E));
    zeroed_struct(vsdk_dma_view, vsdk_dma_map(NULL, 0, 1, VSDK_DMA_FROM_GUEST, &out, E));
    zeroed_struct(vsdk_dma_view, vsdk_dma_map(device, 0, 1, VSDK_DMA_FROM_GUEST, &out, E));
    zeroed_struct(vsdk_dma_view, vsdk_dma_map(device, 0, 0, VSDK_DMA_FROM_GUEST, &out, E));
    zeroed_struct(vsdk_boot_entry, vsdk_boot_load(NULL, &none, &out, E));
    zeroed_struct(vsdk_boot_entry, vsdk_boot_load(vm, &none, &out, E));
    zeroed_struct(vsdk_boot_entry, vsdk_boot_load(vm, NULL, &out, E));
}
