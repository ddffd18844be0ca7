/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
/* clang-format off */
#include "null_calls.h"

static int64_t call_vsdk_status_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_status_name(0);
}

static int64_t call_vsdk_version(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_version();
}

static int64_t call_vsdk_host_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_host_ref(NULL);
}

static int64_t call_vsdk_capability_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_capability_name(0);
}

static int64_t call_vsdk_answer_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_answer_name(0);
}

static int64_t call_vsdk_log_level_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_log_level_name(0);
}

static int64_t call_vsdk_host_open(vsdk_error *error)
{
    return (int64_t)vsdk_host_open(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_host_close(vsdk_error *error)
{
    (void)error;
    vsdk_host_close(NULL);
    return 0;
}

static int64_t call_vsdk_host_backend(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_host_backend(NULL);
}

static int64_t call_vsdk_backend_at(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_backend_at(0);
}

static int64_t call_vsdk_host_query(vsdk_error *error)
{
    return (int64_t)vsdk_host_query(NULL, 0, NULL, error);
}

static int64_t call_vsdk_host_list_orphans(vsdk_error *error)
{
    return (int64_t)vsdk_host_list_orphans(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_host_reap(vsdk_error *error)
{
    return (int64_t)vsdk_host_reap(NULL, 0, error);
}

static int64_t call_vsdk_exit_reason_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_exit_reason_name(0);
}

static int64_t call_vsdk_direction_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_direction_name(0);
}

static int64_t call_vsdk_space_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_space_name(0);
}

static int64_t call_vsdk_kick_detail_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_kick_detail_name(0);
}

static int64_t call_vsdk_crash_detail_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_crash_detail_name(0);
}

static int64_t call_vsdk_vm_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_vm_ref(NULL);
}

static int64_t call_vsdk_vm_state_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_vm_state_name(0);
}

static int64_t call_vsdk_irqchip_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_irqchip_name(0);
}

static int64_t call_vsdk_vm_create(vsdk_error *error)
{
    return (int64_t)vsdk_vm_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_vm_close(vsdk_error *error)
{
    (void)error;
    vsdk_vm_close(NULL);
    return 0;
}

static int64_t call_vsdk_vm_destroy(vsdk_error *error)
{
    return (int64_t)vsdk_vm_destroy(NULL, error);
}

static int64_t call_vsdk_vm_resume(vsdk_error *error)
{
    return (int64_t)vsdk_vm_resume(NULL, error);
}

static int64_t call_vsdk_vm_pause(vsdk_error *error)
{
    return (int64_t)vsdk_vm_pause(NULL, 0, 0, error);
}

static int64_t call_vsdk_vm_pause_request(vsdk_error *error)
{
    return (int64_t)vsdk_vm_pause_request(NULL, error);
}

static int64_t call_vsdk_vm_reset(vsdk_error *error)
{
    return (int64_t)vsdk_vm_reset(NULL, 0, error);
}

static int64_t call_vsdk_vm_stop(vsdk_error *error)
{
    return (int64_t)vsdk_vm_stop(NULL, 0, 0, 0, error);
}

static int64_t call_vsdk_vm_get_info(vsdk_error *error)
{
    return (int64_t)vsdk_vm_get_info(NULL, NULL, error);
}

static int64_t call_vsdk_vm_list_reserved(vsdk_error *error)
{
    return (int64_t)vsdk_vm_list_reserved(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_vm_add_range(vsdk_error *error)
{
    return (int64_t)vsdk_vm_add_range(NULL, 0, 0, 0, 0, error);
}

static int64_t call_vsdk_vm_remove_range(vsdk_error *error)
{
    return (int64_t)vsdk_vm_remove_range(NULL, 0, 0, error);
}

static int64_t call_vsdk_vcpu_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_vcpu_ref(NULL);
}

static int64_t call_vsdk_vcpu_phase_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_vcpu_phase_name(0);
}

static int64_t call_vsdk_vcpu_create(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_create(NULL, 0, NULL, NULL, error);
}

static int64_t call_vsdk_vcpu_close(vsdk_error *error)
{
    (void)error;
    vsdk_vcpu_close(NULL);
    return 0;
}

static int64_t call_vsdk_vcpu_record(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_vcpu_record(NULL);
}

static int64_t call_vsdk_vcpu_run(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_run(NULL, 0, error);
}

static int64_t call_vsdk_vcpu_complete(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_complete(NULL, error);
}

static int64_t call_vsdk_vcpu_kick(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_kick(NULL, error);
}

static int64_t call_vsdk_vcpu_get_phase(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_get_phase(NULL, NULL, error);
}

static int64_t call_vsdk_vcpu_get_state(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_get_state(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_vcpu_set_state(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_set_state(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_vcpu_get_counters(vsdk_error *error)
{
    return (int64_t)vsdk_vcpu_get_counters(NULL, NULL, error);
}

static int64_t call_vsdk_x86_host_get_cpuid(vsdk_error *error)
{
    return (int64_t)vsdk_x86_host_get_cpuid(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_x86_vm_set_cpuid(vsdk_error *error)
{
    return (int64_t)vsdk_x86_vm_set_cpuid(NULL, NULL, 0, error);
}

static int64_t call_vsdk_x86_vcpu_get_cpuid(vsdk_error *error)
{
    return (int64_t)vsdk_x86_vcpu_get_cpuid(NULL, 0, 0, NULL, error);
}

static int64_t call_vsdk_x86_vcpu_inject_nmi(vsdk_error *error)
{
    return (int64_t)vsdk_x86_vcpu_inject_nmi(NULL, error);
}

static int64_t call_vsdk_x86_vcpu_sync_regs(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_x86_vcpu_sync_regs(NULL);
}

static int64_t call_vsdk_x86_vcpu_sync_sregs(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_x86_vcpu_sync_sregs(NULL);
}

static int64_t call_vsdk_x86_vcpu_sync_write(vsdk_error *error)
{
    return (int64_t)vsdk_x86_vcpu_sync_write(NULL, 0, error);
}

static int64_t call_vsdk_ram_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_ram_ref(NULL);
}

static int64_t call_vsdk_ram_backing_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_ram_backing_name(0);
}

static int64_t call_vsdk_ram_sharing_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_ram_sharing_name(0);
}

static int64_t call_vsdk_ram_create(vsdk_error *error)
{
    return (int64_t)vsdk_ram_create(NULL, 0, NULL, NULL, error);
}

static int64_t call_vsdk_ram_close(vsdk_error *error)
{
    (void)error;
    vsdk_ram_close(NULL);
    return 0;
}

static int64_t call_vsdk_ram_data(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_ram_data(NULL);
}

static int64_t call_vsdk_ram_mark_dirty(vsdk_error *error)
{
    return (int64_t)vsdk_ram_mark_dirty(NULL, 0, 0, error);
}

static int64_t call_vsdk_ram_get_dirty(vsdk_error *error)
{
    return (int64_t)vsdk_ram_get_dirty(NULL, 0, NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_ram_size(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_ram_size(NULL);
}

static int64_t call_vsdk_vm_map(vsdk_error *error)
{
    return (int64_t)vsdk_vm_map(NULL, 0, NULL, 0, 0, 0, error);
}

static int64_t call_vsdk_vm_unmap(vsdk_error *error)
{
    return (int64_t)vsdk_vm_unmap(NULL, 0, 0, error);
}

static int64_t call_vsdk_vm_protect(vsdk_error *error)
{
    return (int64_t)vsdk_vm_protect(NULL, 0, 0, 0, error);
}

static int64_t call_vsdk_stream_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_stream_ref(NULL);
}

static int64_t call_vsdk_stream_create(vsdk_error *error)
{
    return (int64_t)vsdk_stream_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_stream_close(vsdk_error *error)
{
    (void)error;
    vsdk_stream_close(NULL);
    return 0;
}

static int64_t call_vsdk_stream_read(vsdk_error *error)
{
    return (int64_t)vsdk_stream_read(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_stream_write(vsdk_error *error)
{
    return (int64_t)vsdk_stream_write(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_stream_ready(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_stream_ready(NULL);
}

static int64_t call_vsdk_stream_descriptor(vsdk_error *error)
{
    return (int64_t)vsdk_stream_descriptor(NULL, error);
}

static int64_t call_vsdk_stream_set_handler(vsdk_error *error)
{
    return (int64_t)vsdk_stream_set_handler(NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_disk_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_disk_ref(NULL);
}

static int64_t call_vsdk_disk_channel_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_disk_channel_ref(NULL);
}

static int64_t call_vsdk_disk_watch_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_disk_watch_ref(NULL);
}

static int64_t call_vsdk_disk_format_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_disk_format_name(0);
}

static int64_t call_vsdk_disk_cache_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_disk_cache_name(0);
}

static int64_t call_vsdk_disk_operation_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_disk_operation_name(0);
}

static int64_t call_vsdk_disk_open(vsdk_error *error)
{
    return (int64_t)vsdk_disk_open(NULL, NULL, error);
}

static int64_t call_vsdk_disk_create(vsdk_error *error)
{
    return (int64_t)vsdk_disk_create(NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_disk_create_memory(vsdk_error *error)
{
    return (int64_t)vsdk_disk_create_memory(NULL, NULL, error);
}

static int64_t call_vsdk_disk_create_image(vsdk_error *error)
{
    return (int64_t)vsdk_disk_create_image(NULL, error);
}

static int64_t call_vsdk_disk_close(vsdk_error *error)
{
    (void)error;
    vsdk_disk_close(NULL);
    return 0;
}

static int64_t call_vsdk_disk_get_info(vsdk_error *error)
{
    return (int64_t)vsdk_disk_get_info(NULL, NULL, error);
}

static int64_t call_vsdk_disk_read(vsdk_error *error)
{
    return (int64_t)vsdk_disk_read(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_disk_write(vsdk_error *error)
{
    return (int64_t)vsdk_disk_write(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_disk_flush(vsdk_error *error)
{
    return (int64_t)vsdk_disk_flush(NULL, error);
}

static int64_t call_vsdk_disk_discard(vsdk_error *error)
{
    return (int64_t)vsdk_disk_discard(NULL, 0, 0, error);
}

static int64_t call_vsdk_disk_write_zeroes(vsdk_error *error)
{
    return (int64_t)vsdk_disk_write_zeroes(NULL, 0, 0, 0, error);
}

static int64_t call_vsdk_disk_resize(vsdk_error *error)
{
    return (int64_t)vsdk_disk_resize(NULL, 0, error);
}

static int64_t call_vsdk_disk_check(vsdk_error *error)
{
    return (int64_t)vsdk_disk_check(NULL, 0, NULL, error);
}

static int64_t call_vsdk_disk_channel_create(vsdk_error *error)
{
    return (int64_t)vsdk_disk_channel_create(NULL, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_disk_channel_close(vsdk_error *error)
{
    (void)error;
    vsdk_disk_channel_close(NULL);
    return 0;
}

static int64_t call_vsdk_disk_submit(vsdk_error *error)
{
    return (int64_t)vsdk_disk_submit(NULL, NULL, 0, error);
}

static int64_t call_vsdk_disk_drain(vsdk_error *error)
{
    return (int64_t)vsdk_disk_drain(NULL, 0, error);
}

static int64_t call_vsdk_disk_watch_create(vsdk_error *error)
{
    return (int64_t)vsdk_disk_watch_create(NULL, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_disk_watch_close(vsdk_error *error)
{
    (void)error;
    vsdk_disk_watch_close(NULL);
    return 0;
}

static int64_t call_vsdk_state_put_number(vsdk_error *error)
{
    return (int64_t)vsdk_state_put_number(NULL, NULL, 0, error);
}

static int64_t call_vsdk_state_put_bytes(vsdk_error *error)
{
    return (int64_t)vsdk_state_put_bytes(NULL, NULL, NULL, 0, error);
}

static int64_t call_vsdk_state_get_number(vsdk_error *error)
{
    return (int64_t)vsdk_state_get_number(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_state_get_bytes(vsdk_error *error)
{
    return (int64_t)vsdk_state_get_bytes(NULL, NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_state_has(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_state_has(NULL, NULL);
}

static int64_t call_vsdk_device_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_device_ref(NULL);
}

static int64_t call_vsdk_stop_mode_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_stop_mode_name(0);
}

static int64_t call_vsdk_device_create(vsdk_error *error)
{
    return (int64_t)vsdk_device_create(NULL, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_device_close(vsdk_error *error)
{
    (void)error;
    vsdk_device_close(NULL);
    return 0;
}

static int64_t call_vsdk_device_add_range(vsdk_error *error)
{
    return (int64_t)vsdk_device_add_range(NULL, 0, 0, 0, 0, error);
}

static int64_t call_vsdk_device_remove_range(vsdk_error *error)
{
    return (int64_t)vsdk_device_remove_range(NULL, 0, 0, error);
}

static int64_t call_vsdk_device_detach(vsdk_error *error)
{
    return (int64_t)vsdk_device_detach(NULL, error);
}

static int64_t call_vsdk_device_stopped(vsdk_error *error)
{
    return (int64_t)vsdk_device_stopped(NULL, error);
}

static int64_t call_vsdk_device_user(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_device_user(NULL, NULL);
}

static int64_t call_vsdk_device_vm(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_device_vm(NULL);
}

static int64_t call_vsdk_device_enter(vsdk_error *error)
{
    return (int64_t)vsdk_device_enter(NULL, error);
}

static int64_t call_vsdk_device_leave(vsdk_error *error)
{
    (void)error;
    vsdk_device_leave(NULL);
    return 0;
}

static int64_t call_vsdk_device_save(vsdk_error *error)
{
    return (int64_t)vsdk_device_save(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_device_load(vsdk_error *error)
{
    return (int64_t)vsdk_device_load(NULL, NULL, 0, error);
}

static int64_t call_vsdk_vm_read(vsdk_error *error)
{
    return (int64_t)vsdk_vm_read(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_vm_write(vsdk_error *error)
{
    return (int64_t)vsdk_vm_write(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_vm_probe(vsdk_error *error)
{
    return (int64_t)vsdk_vm_probe(NULL, 0, 0, 0, error);
}

static int64_t call_vsdk_dma_read(vsdk_error *error)
{
    return (int64_t)vsdk_dma_read(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_dma_write(vsdk_error *error)
{
    return (int64_t)vsdk_dma_write(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_dma_map(vsdk_error *error)
{
    return (int64_t)vsdk_dma_map(NULL, 0, 0, 0, NULL, error);
}

static int64_t call_vsdk_dma_unmap(vsdk_error *error)
{
    (void)error;
    vsdk_dma_unmap(NULL);
    return 0;
}

static int64_t call_vsdk_irq_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_irq_ref(NULL);
}

static int64_t call_vsdk_msi_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_msi_ref(NULL);
}

static int64_t call_vsdk_irq_trigger_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_irq_trigger_name(0);
}

static int64_t call_vsdk_irq_create(vsdk_error *error)
{
    return (int64_t)vsdk_irq_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_irq_close(vsdk_error *error)
{
    (void)error;
    vsdk_irq_close(NULL);
    return 0;
}

static int64_t call_vsdk_irq_raise(vsdk_error *error)
{
    return (int64_t)vsdk_irq_raise(NULL, error);
}

static int64_t call_vsdk_irq_lower(vsdk_error *error)
{
    return (int64_t)vsdk_irq_lower(NULL, error);
}

static int64_t call_vsdk_irq_pulse(vsdk_error *error)
{
    return (int64_t)vsdk_irq_pulse(NULL, error);
}

static int64_t call_vsdk_vm_send_msi(vsdk_error *error)
{
    return (int64_t)vsdk_vm_send_msi(NULL, 0, 0, error);
}

static int64_t call_vsdk_msi_create(vsdk_error *error)
{
    return (int64_t)vsdk_msi_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_msi_close(vsdk_error *error)
{
    (void)error;
    vsdk_msi_close(NULL);
    return 0;
}

static int64_t call_vsdk_msi_set(vsdk_error *error)
{
    return (int64_t)vsdk_msi_set(NULL, 0, 0, error);
}

static int64_t call_vsdk_msi_send(vsdk_error *error)
{
    return (int64_t)vsdk_msi_send(NULL, error);
}

static int64_t call_vsdk_msi_descriptor(vsdk_error *error)
{
    return (int64_t)vsdk_msi_descriptor(NULL, error);
}

static int64_t call_vsdk_irq_controller_attach(vsdk_error *error)
{
    return (int64_t)vsdk_irq_controller_attach(NULL, 0, 0, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_irq_controller_detach(vsdk_error *error)
{
    return (int64_t)vsdk_irq_controller_detach(NULL, 0, error);
}

static int64_t call_vsdk_doorbell_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_doorbell_ref(NULL);
}

static int64_t call_vsdk_doorbell_create(vsdk_error *error)
{
    return (int64_t)vsdk_doorbell_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_doorbell_close(vsdk_error *error)
{
    (void)error;
    vsdk_doorbell_close(NULL);
    return 0;
}

static int64_t call_vsdk_doorbell_descriptor(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_doorbell_descriptor(NULL);
}

static int64_t call_vsdk_doorbell_take(vsdk_error *error)
{
    return (int64_t)vsdk_doorbell_take(NULL, NULL, error);
}

static int64_t call_vsdk_loop_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_loop_ref(NULL);
}

static int64_t call_vsdk_watch_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_watch_ref(NULL);
}

static int64_t call_vsdk_timer_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_timer_ref(NULL);
}

static int64_t call_vsdk_work_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_work_ref(NULL);
}

static int64_t call_vsdk_loop_create(vsdk_error *error)
{
    return (int64_t)vsdk_loop_create(NULL, error);
}

static int64_t call_vsdk_loop_close(vsdk_error *error)
{
    (void)error;
    vsdk_loop_close(NULL);
    return 0;
}

static int64_t call_vsdk_vm_loop(vsdk_error *error)
{
    return (int64_t)(intptr_t)vsdk_vm_loop(NULL, error);
}

static int64_t call_vsdk_loop_descriptor(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_loop_descriptor(NULL);
}

static int64_t call_vsdk_loop_dispatch(vsdk_error *error)
{
    return (int64_t)vsdk_loop_dispatch(NULL, 0, NULL, error);
}

static int64_t call_vsdk_loop_wake(vsdk_error *error)
{
    return (int64_t)vsdk_loop_wake(NULL, error);
}

static int64_t call_vsdk_watch_create(vsdk_error *error)
{
    return (int64_t)vsdk_watch_create(NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_watch_set_events(vsdk_error *error)
{
    return (int64_t)vsdk_watch_set_events(NULL, 0, error);
}

static int64_t call_vsdk_watch_close(vsdk_error *error)
{
    (void)error;
    vsdk_watch_close(NULL);
    return 0;
}

static int64_t call_vsdk_timer_create(vsdk_error *error)
{
    return (int64_t)vsdk_timer_create(NULL, NULL, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_timer_arm(vsdk_error *error)
{
    return (int64_t)vsdk_timer_arm(NULL, 0, 0, error);
}

static int64_t call_vsdk_timer_disarm(vsdk_error *error)
{
    return (int64_t)vsdk_timer_disarm(NULL, error);
}

static int64_t call_vsdk_timer_close(vsdk_error *error)
{
    (void)error;
    vsdk_timer_close(NULL);
    return 0;
}

static int64_t call_vsdk_work_create(vsdk_error *error)
{
    return (int64_t)vsdk_work_create(NULL, NULL, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_work_post(vsdk_error *error)
{
    return (int64_t)vsdk_work_post(NULL, error);
}

static int64_t call_vsdk_work_close(vsdk_error *error)
{
    (void)error;
    vsdk_work_close(NULL);
    return 0;
}

static int64_t call_vsdk_vm_clock(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_vm_clock(NULL);
}

static int64_t call_vsdk_pool_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pool_ref(NULL);
}

static int64_t call_vsdk_pool_create(vsdk_error *error)
{
    return (int64_t)vsdk_pool_create(NULL, NULL, error);
}

static int64_t call_vsdk_pool_close(vsdk_error *error)
{
    (void)error;
    vsdk_pool_close(NULL);
    return 0;
}

static int64_t call_vsdk_pool_add_loop(vsdk_error *error)
{
    return (int64_t)vsdk_pool_add_loop(NULL, NULL, error);
}

static int64_t call_vsdk_pool_remove_loop(vsdk_error *error)
{
    return (int64_t)vsdk_pool_remove_loop(NULL, NULL, error);
}

static int64_t call_vsdk_pool_stop(vsdk_error *error)
{
    return (int64_t)vsdk_pool_stop(NULL, error);
}

static int64_t call_vsdk_vm_run(vsdk_error *error)
{
    return (int64_t)vsdk_vm_run(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_vm_run_cancel(vsdk_error *error)
{
    return (int64_t)vsdk_vm_run_cancel(NULL, error);
}

static int64_t call_vsdk_serial_create(vsdk_error *error)
{
    return (int64_t)vsdk_serial_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_rtc_create(vsdk_error *error)
{
    return (int64_t)vsdk_rtc_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_i8042_create(vsdk_error *error)
{
    return (int64_t)vsdk_i8042_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_acpi_pm_kind_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_acpi_pm_kind_name(0);
}

static int64_t call_vsdk_acpi_pm_create(vsdk_error *error)
{
    return (int64_t)vsdk_acpi_pm_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_exit_port_create(vsdk_error *error)
{
    return (int64_t)vsdk_exit_port_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_debug_console_create(vsdk_error *error)
{
    return (int64_t)vsdk_debug_console_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_fw_cfg_create(vsdk_error *error)
{
    return (int64_t)vsdk_fw_cfg_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_fw_cfg_add(vsdk_error *error)
{
    return (int64_t)vsdk_fw_cfg_add(NULL, 0, NULL, NULL, 0, error);
}

static int64_t call_vsdk_pvpanic_create(vsdk_error *error)
{
    return (int64_t)vsdk_pvpanic_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_ioapic_create(vsdk_error *error)
{
    return (int64_t)vsdk_ioapic_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_port92_create(vsdk_error *error)
{
    return (int64_t)vsdk_port92_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_ged_create(vsdk_error *error)
{
    return (int64_t)vsdk_ged_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_ged_raise(vsdk_error *error)
{
    return (int64_t)vsdk_ged_raise(NULL, 0, error);
}

static int64_t call_vsdk_boot_format_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_boot_format_name(0);
}

static int64_t call_vsdk_boot_mode_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_boot_mode_name(0);
}

static int64_t call_vsdk_memory_type_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_memory_type_name(0);
}

static int64_t call_vsdk_boot_probe(vsdk_error *error)
{
    return (int64_t)vsdk_boot_probe(NULL, 0, NULL, error);
}

static int64_t call_vsdk_boot_load(vsdk_error *error)
{
    return (int64_t)vsdk_boot_load(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_boot_apply(vsdk_error *error)
{
    return (int64_t)vsdk_boot_apply(NULL, NULL, error);
}

static int64_t call_vsdk_pc_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pc_ref(NULL);
}

static int64_t call_vsdk_pc_part_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pc_part_name(0);
}

static int64_t call_vsdk_pc_resource_kind_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pc_resource_kind_name(0);
}

static int64_t call_vsdk_pc_create(vsdk_error *error)
{
    return (int64_t)vsdk_pc_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_pc_close(vsdk_error *error)
{
    (void)error;
    vsdk_pc_close(NULL);
    return 0;
}

static int64_t call_vsdk_pc_vm(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pc_vm(NULL);
}

static int64_t call_vsdk_pc_get_config(vsdk_error *error)
{
    return (int64_t)vsdk_pc_get_config(NULL, NULL, error);
}

static int64_t call_vsdk_pc_claim(vsdk_error *error)
{
    return (int64_t)vsdk_pc_claim(NULL, 0, 0, 0, NULL, error);
}

static int64_t call_vsdk_pc_unclaim(vsdk_error *error)
{
    return (int64_t)vsdk_pc_unclaim(NULL, 0, 0, error);
}

static int64_t call_vsdk_pc_add_node(vsdk_error *error)
{
    return (int64_t)vsdk_pc_add_node(NULL, NULL, error);
}

static int64_t call_vsdk_pc_remove_node(vsdk_error *error)
{
    return (int64_t)vsdk_pc_remove_node(NULL, NULL, 0, error);
}

static int64_t call_vsdk_pc_boot(vsdk_error *error)
{
    return (int64_t)vsdk_pc_boot(NULL, NULL, error);
}

static int64_t call_vsdk_pc_vcpu(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pc_vcpu(NULL, 0);
}

static int64_t call_vsdk_pc_device(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pc_device(NULL, 0);
}

static int64_t call_vsdk_pc_get_memory_map(vsdk_error *error)
{
    return (int64_t)vsdk_pc_get_memory_map(NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_pci_ejected_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pci_ejected_name(0);
}

static int64_t call_vsdk_pci_create(vsdk_error *error)
{
    return (int64_t)vsdk_pci_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_pci_function_create(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_create(NULL, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_pci_function_attach(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_attach(NULL, NULL, 0, error);
}

static int64_t call_vsdk_pci_function_detach(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_detach(NULL, error);
}

static int64_t call_vsdk_pci_function_eject(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_eject(NULL, 0, error);
}

static int64_t call_vsdk_pci_function_interrupt(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_interrupt(NULL, 0, error);
}

static int64_t call_vsdk_pci_function_get_info(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_get_info(NULL, NULL, error);
}

static int64_t call_vsdk_pci_function_user(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_pci_function_user(NULL, NULL);
}

static int64_t call_vsdk_pci_function_save(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_save(NULL, NULL, error);
}

static int64_t call_vsdk_pci_function_load(vsdk_error *error)
{
    return (int64_t)vsdk_pci_function_load(NULL, NULL, error);
}

static int64_t call_vsdk_share_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_share_ref(NULL);
}

static int64_t call_vsdk_share_open(vsdk_error *error)
{
    return (int64_t)vsdk_share_open(NULL, NULL, error);
}

static int64_t call_vsdk_share_close(vsdk_error *error)
{
    (void)error;
    vsdk_share_close(NULL);
    return 0;
}

static int64_t call_vsdk_share_request(vsdk_error *error)
{
    return (int64_t)vsdk_share_request(NULL, NULL, 0, NULL, 0, NULL, error);
}

static int64_t call_vsdk_share_reset(vsdk_error *error)
{
    return (int64_t)vsdk_share_reset(NULL, error);
}

static int64_t call_vsdk_share_save(vsdk_error *error)
{
    return (int64_t)vsdk_share_save(NULL, NULL, error);
}

static int64_t call_vsdk_share_load(vsdk_error *error)
{
    return (int64_t)vsdk_share_load(NULL, NULL, error);
}

static int64_t call_vsdk_virtio_transport_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_virtio_transport_name(0);
}

static int64_t call_vsdk_virtio_create(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_create(NULL, NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_attach(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_attach(NULL, NULL, error);
}

static int64_t call_vsdk_virtio_detach(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_detach(NULL, error);
}

static int64_t call_vsdk_virtio_user(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_virtio_user(NULL, NULL);
}

static int64_t call_vsdk_virtio_queue_device(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_virtio_queue_device(NULL, 0);
}

static int64_t call_vsdk_virtio_queue_loop(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_virtio_queue_loop(NULL, 0);
}

static int64_t call_vsdk_virtio_set_loop(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_set_loop(NULL, 0, NULL, error);
}

static int64_t call_vsdk_virtio_features(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_virtio_features(NULL);
}

static int64_t call_vsdk_virtio_get_space(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_get_space(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_virtio_set_space(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_set_space(NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_virtio_fail(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_fail(NULL, error);
}

static int64_t call_vsdk_virtio_pop(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_pop(NULL, 0, NULL, error);
}

static int64_t call_vsdk_virtio_read(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_read(NULL, NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_virtio_write(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_write(NULL, NULL, 0, NULL, 0, error);
}

static int64_t call_vsdk_virtio_map(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_map(NULL, NULL, 0, 0, 0, NULL, 0, NULL, error);
}

static int64_t call_vsdk_virtio_push(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_push(NULL, NULL, 0, error);
}

static int64_t call_vsdk_virtio_signal(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_signal(NULL, 0, error);
}

static int64_t call_vsdk_virtio_function(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_virtio_function(NULL);
}

static int64_t call_vsdk_virtio_fs_create(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_fs_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_block_create(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_block_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_vsock_create(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_vsock_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_vsock_listen(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_vsock_listen(NULL, 0, 0, error);
}

static int64_t call_vsdk_virtio_vsock_unlisten(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_vsock_unlisten(NULL, 0, error);
}

static int64_t call_vsdk_virtio_vsock_descriptor(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_virtio_vsock_descriptor(NULL, 0);
}

static int64_t call_vsdk_virtio_vsock_accept(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_vsock_accept(NULL, 0, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_vsock_connect(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_vsock_connect(NULL, 0, NULL, error);
}

static int64_t call_vsdk_virtio_rng_create(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_rng_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_console_create(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_console_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_console_connect(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_console_connect(NULL, 0, NULL, error);
}

static int64_t call_vsdk_virtio_console_resize(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_console_resize(NULL, 0, 0, 0, error);
}

static int64_t call_vsdk_virtio_console_is_open(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_virtio_console_is_open(NULL, 0);
}

static int64_t call_vsdk_net_ref(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_net_ref(NULL);
}

static int64_t call_vsdk_net_gso_name(vsdk_error *error)
{
    (void)error;
    return (int64_t)(intptr_t)vsdk_net_gso_name(0);
}

static int64_t call_vsdk_net_create_pair(vsdk_error *error)
{
    return (int64_t)vsdk_net_create_pair(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_net_create(vsdk_error *error)
{
    return (int64_t)vsdk_net_create(NULL, NULL, NULL, NULL, error);
}

static int64_t call_vsdk_net_notify(vsdk_error *error)
{
    return (int64_t)vsdk_net_notify(NULL, 0, error);
}

static int64_t call_vsdk_net_close(vsdk_error *error)
{
    (void)error;
    vsdk_net_close(NULL);
    return 0;
}

static int64_t call_vsdk_net_send(vsdk_error *error)
{
    return (int64_t)vsdk_net_send(NULL, NULL, NULL, 0, error);
}

static int64_t call_vsdk_net_receive(vsdk_error *error)
{
    return (int64_t)vsdk_net_receive(NULL, NULL, NULL, 0, NULL, error);
}

static int64_t call_vsdk_net_skip(vsdk_error *error)
{
    return (int64_t)vsdk_net_skip(NULL, error);
}

static int64_t call_vsdk_net_ready(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_net_ready(NULL);
}

static int64_t call_vsdk_net_descriptor(vsdk_error *error)
{
    return (int64_t)vsdk_net_descriptor(NULL, 0, error);
}

static int64_t call_vsdk_net_offloads_of(vsdk_error *error)
{
    (void)error;
    return (int64_t)vsdk_net_offloads_of(NULL);
}

static int64_t call_vsdk_net_accept(vsdk_error *error)
{
    return (int64_t)vsdk_net_accept(NULL, 0, error);
}

static int64_t call_vsdk_net_create_user(vsdk_error *error)
{
    return (int64_t)vsdk_net_create_user(NULL, NULL, error);
}

static int64_t call_vsdk_net_add_forward(vsdk_error *error)
{
    return (int64_t)vsdk_net_add_forward(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_net_remove_forward(vsdk_error *error)
{
    return (int64_t)vsdk_net_remove_forward(NULL, NULL, error);
}

static int64_t call_vsdk_net_create_socket(vsdk_error *error)
{
    return (int64_t)vsdk_net_create_socket(0, NULL, error);
}

static int64_t call_vsdk_net_create_tap(vsdk_error *error)
{
    return (int64_t)vsdk_net_create_tap(NULL, NULL, error);
}

static int64_t call_vsdk_net_create_filter(vsdk_error *error)
{
    return (int64_t)vsdk_net_create_filter(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_net_create(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_net_create(NULL, NULL, NULL, error);
}

static int64_t call_vsdk_virtio_net_set_link(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_net_set_link(NULL, 0, error);
}

static int64_t call_vsdk_virtio_net_get_counts(vsdk_error *error)
{
    return (int64_t)vsdk_virtio_net_get_counts(NULL, NULL, error);
}

const struct null_call null_calls[] = {
    {"vsdk_status_name", NULL_NO_CRASH, 0, call_vsdk_status_name},
    {"vsdk_version", NULL_NO_CRASH, 0, call_vsdk_version},
    {"vsdk_host_ref", NULL_HARMLESS, 0, call_vsdk_host_ref},
    {"vsdk_capability_name", NULL_NO_CRASH, 0, call_vsdk_capability_name},
    {"vsdk_answer_name", NULL_NO_CRASH, 0, call_vsdk_answer_name},
    {"vsdk_log_level_name", NULL_NO_CRASH, 0, call_vsdk_log_level_name},
    {"vsdk_host_open", NULL_REFUSED, 1, call_vsdk_host_open},
    {"vsdk_host_close", NULL_HARMLESS, 0, call_vsdk_host_close},
    {"vsdk_host_backend", NULL_HARMLESS, 0, call_vsdk_host_backend},
    {"vsdk_backend_at", NULL_NO_CRASH, 0, call_vsdk_backend_at},
    {"vsdk_host_query", NULL_REFUSED, 1, call_vsdk_host_query},
    {"vsdk_host_list_orphans", NULL_REFUSED, 1, call_vsdk_host_list_orphans},
    {"vsdk_host_reap", NULL_REFUSED, 1, call_vsdk_host_reap},
    {"vsdk_exit_reason_name", NULL_NO_CRASH, 0, call_vsdk_exit_reason_name},
    {"vsdk_direction_name", NULL_NO_CRASH, 0, call_vsdk_direction_name},
    {"vsdk_space_name", NULL_NO_CRASH, 0, call_vsdk_space_name},
    {"vsdk_kick_detail_name", NULL_NO_CRASH, 0, call_vsdk_kick_detail_name},
    {"vsdk_crash_detail_name", NULL_NO_CRASH, 0, call_vsdk_crash_detail_name},
    {"vsdk_vm_ref", NULL_HARMLESS, 0, call_vsdk_vm_ref},
    {"vsdk_vm_state_name", NULL_NO_CRASH, 0, call_vsdk_vm_state_name},
    {"vsdk_irqchip_name", NULL_NO_CRASH, 0, call_vsdk_irqchip_name},
    {"vsdk_vm_create", NULL_REFUSED, 1, call_vsdk_vm_create},
    {"vsdk_vm_close", NULL_HARMLESS, 0, call_vsdk_vm_close},
    {"vsdk_vm_destroy", NULL_REFUSED, 1, call_vsdk_vm_destroy},
    {"vsdk_vm_resume", NULL_REFUSED, 1, call_vsdk_vm_resume},
    {"vsdk_vm_pause", NULL_REFUSED, 1, call_vsdk_vm_pause},
    {"vsdk_vm_pause_request", NULL_REFUSED, 1, call_vsdk_vm_pause_request},
    {"vsdk_vm_reset", NULL_REFUSED, 1, call_vsdk_vm_reset},
    {"vsdk_vm_stop", NULL_REFUSED, 1, call_vsdk_vm_stop},
    {"vsdk_vm_get_info", NULL_REFUSED, 1, call_vsdk_vm_get_info},
    {"vsdk_vm_list_reserved", NULL_REFUSED, 1, call_vsdk_vm_list_reserved},
    {"vsdk_vm_add_range", NULL_REFUSED, 1, call_vsdk_vm_add_range},
    {"vsdk_vm_remove_range", NULL_REFUSED, 1, call_vsdk_vm_remove_range},
    {"vsdk_vcpu_ref", NULL_HARMLESS, 0, call_vsdk_vcpu_ref},
    {"vsdk_vcpu_phase_name", NULL_NO_CRASH, 0, call_vsdk_vcpu_phase_name},
    {"vsdk_vcpu_create", NULL_REFUSED, 1, call_vsdk_vcpu_create},
    {"vsdk_vcpu_close", NULL_HARMLESS, 0, call_vsdk_vcpu_close},
    {"vsdk_vcpu_record", NULL_HARMLESS, 0, call_vsdk_vcpu_record},
    {"vsdk_vcpu_run", NULL_REFUSED, 1, call_vsdk_vcpu_run},
    {"vsdk_vcpu_complete", NULL_REFUSED, 1, call_vsdk_vcpu_complete},
    {"vsdk_vcpu_kick", NULL_REFUSED, 1, call_vsdk_vcpu_kick},
    {"vsdk_vcpu_get_phase", NULL_REFUSED, 1, call_vsdk_vcpu_get_phase},
    {"vsdk_vcpu_get_state", NULL_REFUSED, 1, call_vsdk_vcpu_get_state},
    {"vsdk_vcpu_set_state", NULL_REFUSED, 1, call_vsdk_vcpu_set_state},
    {"vsdk_vcpu_get_counters", NULL_REFUSED, 1, call_vsdk_vcpu_get_counters},
    {"vsdk_x86_host_get_cpuid", NULL_REFUSED, 1, call_vsdk_x86_host_get_cpuid},
    {"vsdk_x86_vm_set_cpuid", NULL_REFUSED, 1, call_vsdk_x86_vm_set_cpuid},
    {"vsdk_x86_vcpu_get_cpuid", NULL_REFUSED, 1, call_vsdk_x86_vcpu_get_cpuid},
    {"vsdk_x86_vcpu_inject_nmi", NULL_REFUSED, 1, call_vsdk_x86_vcpu_inject_nmi},
    {"vsdk_x86_vcpu_sync_regs", NULL_HARMLESS, 0, call_vsdk_x86_vcpu_sync_regs},
    {"vsdk_x86_vcpu_sync_sregs", NULL_HARMLESS, 0, call_vsdk_x86_vcpu_sync_sregs},
    {"vsdk_x86_vcpu_sync_write", NULL_REFUSED, 1, call_vsdk_x86_vcpu_sync_write},
    {"vsdk_ram_ref", NULL_HARMLESS, 0, call_vsdk_ram_ref},
    {"vsdk_ram_backing_name", NULL_NO_CRASH, 0, call_vsdk_ram_backing_name},
    {"vsdk_ram_sharing_name", NULL_NO_CRASH, 0, call_vsdk_ram_sharing_name},
    {"vsdk_ram_create", NULL_REFUSED, 1, call_vsdk_ram_create},
    {"vsdk_ram_close", NULL_HARMLESS, 0, call_vsdk_ram_close},
    {"vsdk_ram_data", NULL_HARMLESS, 0, call_vsdk_ram_data},
    {"vsdk_ram_mark_dirty", NULL_REFUSED, 1, call_vsdk_ram_mark_dirty},
    {"vsdk_ram_get_dirty", NULL_REFUSED, 1, call_vsdk_ram_get_dirty},
    {"vsdk_ram_size", NULL_HARMLESS, 0, call_vsdk_ram_size},
    {"vsdk_vm_map", NULL_REFUSED, 1, call_vsdk_vm_map},
    {"vsdk_vm_unmap", NULL_REFUSED, 1, call_vsdk_vm_unmap},
    {"vsdk_vm_protect", NULL_REFUSED, 1, call_vsdk_vm_protect},
    {"vsdk_stream_ref", NULL_HARMLESS, 0, call_vsdk_stream_ref},
    {"vsdk_stream_create", NULL_REFUSED, 1, call_vsdk_stream_create},
    {"vsdk_stream_close", NULL_HARMLESS, 0, call_vsdk_stream_close},
    {"vsdk_stream_read", NULL_REFUSED, 1, call_vsdk_stream_read},
    {"vsdk_stream_write", NULL_REFUSED, 1, call_vsdk_stream_write},
    {"vsdk_stream_ready", NULL_HARMLESS, 0, call_vsdk_stream_ready},
    {"vsdk_stream_descriptor", NULL_HARMLESS, 1, call_vsdk_stream_descriptor},
    {"vsdk_stream_set_handler", NULL_REFUSED, 1, call_vsdk_stream_set_handler},
    {"vsdk_disk_ref", NULL_HARMLESS, 0, call_vsdk_disk_ref},
    {"vsdk_disk_channel_ref", NULL_HARMLESS, 0, call_vsdk_disk_channel_ref},
    {"vsdk_disk_watch_ref", NULL_HARMLESS, 0, call_vsdk_disk_watch_ref},
    {"vsdk_disk_format_name", NULL_NO_CRASH, 0, call_vsdk_disk_format_name},
    {"vsdk_disk_cache_name", NULL_NO_CRASH, 0, call_vsdk_disk_cache_name},
    {"vsdk_disk_operation_name", NULL_NO_CRASH, 0, call_vsdk_disk_operation_name},
    {"vsdk_disk_open", NULL_REFUSED, 1, call_vsdk_disk_open},
    {"vsdk_disk_create", NULL_REFUSED, 1, call_vsdk_disk_create},
    {"vsdk_disk_create_memory", NULL_REFUSED, 1, call_vsdk_disk_create_memory},
    {"vsdk_disk_create_image", NULL_REFUSED, 1, call_vsdk_disk_create_image},
    {"vsdk_disk_close", NULL_HARMLESS, 0, call_vsdk_disk_close},
    {"vsdk_disk_get_info", NULL_REFUSED, 1, call_vsdk_disk_get_info},
    {"vsdk_disk_read", NULL_REFUSED, 1, call_vsdk_disk_read},
    {"vsdk_disk_write", NULL_REFUSED, 1, call_vsdk_disk_write},
    {"vsdk_disk_flush", NULL_REFUSED, 1, call_vsdk_disk_flush},
    {"vsdk_disk_discard", NULL_REFUSED, 1, call_vsdk_disk_discard},
    {"vsdk_disk_write_zeroes", NULL_REFUSED, 1, call_vsdk_disk_write_zeroes},
    {"vsdk_disk_resize", NULL_REFUSED, 1, call_vsdk_disk_resize},
    {"vsdk_disk_check", NULL_REFUSED, 1, call_vsdk_disk_check},
    {"vsdk_disk_channel_create", NULL_REFUSED, 1, call_vsdk_disk_channel_create},
    {"vsdk_disk_channel_close", NULL_HARMLESS, 0, call_vsdk_disk_channel_close},
    {"vsdk_disk_submit", NULL_REFUSED, 1, call_vsdk_disk_submit},
    {"vsdk_disk_drain", NULL_REFUSED, 1, call_vsdk_disk_drain},
    {"vsdk_disk_watch_create", NULL_REFUSED, 1, call_vsdk_disk_watch_create},
    {"vsdk_disk_watch_close", NULL_HARMLESS, 0, call_vsdk_disk_watch_close},
    {"vsdk_state_put_number", NULL_REFUSED, 1, call_vsdk_state_put_number},
    {"vsdk_state_put_bytes", NULL_REFUSED, 1, call_vsdk_state_put_bytes},
    {"vsdk_state_get_number", NULL_REFUSED, 1, call_vsdk_state_get_number},
    {"vsdk_state_get_bytes", NULL_REFUSED, 1, call_vsdk_state_get_bytes},
    {"vsdk_state_has", NULL_HARMLESS, 0, call_vsdk_state_has},
    {"vsdk_device_ref", NULL_HARMLESS, 0, call_vsdk_device_ref},
    {"vsdk_stop_mode_name", NULL_NO_CRASH, 0, call_vsdk_stop_mode_name},
    {"vsdk_device_create", NULL_REFUSED, 1, call_vsdk_device_create},
    {"vsdk_device_close", NULL_HARMLESS, 0, call_vsdk_device_close},
    {"vsdk_device_add_range", NULL_REFUSED, 1, call_vsdk_device_add_range},
    {"vsdk_device_remove_range", NULL_REFUSED, 1, call_vsdk_device_remove_range},
    {"vsdk_device_detach", NULL_REFUSED, 1, call_vsdk_device_detach},
    {"vsdk_device_stopped", NULL_REFUSED, 1, call_vsdk_device_stopped},
    {"vsdk_device_user", NULL_HARMLESS, 0, call_vsdk_device_user},
    {"vsdk_device_vm", NULL_HARMLESS, 0, call_vsdk_device_vm},
    {"vsdk_device_enter", NULL_REFUSED, 1, call_vsdk_device_enter},
    {"vsdk_device_leave", NULL_HARMLESS, 0, call_vsdk_device_leave},
    {"vsdk_device_save", NULL_REFUSED, 1, call_vsdk_device_save},
    {"vsdk_device_load", NULL_REFUSED, 1, call_vsdk_device_load},
    {"vsdk_vm_read", NULL_REFUSED, 1, call_vsdk_vm_read},
    {"vsdk_vm_write", NULL_REFUSED, 1, call_vsdk_vm_write},
    {"vsdk_vm_probe", NULL_REFUSED, 1, call_vsdk_vm_probe},
    {"vsdk_dma_read", NULL_REFUSED, 1, call_vsdk_dma_read},
    {"vsdk_dma_write", NULL_REFUSED, 1, call_vsdk_dma_write},
    {"vsdk_dma_map", NULL_REFUSED, 1, call_vsdk_dma_map},
    {"vsdk_dma_unmap", NULL_HARMLESS, 0, call_vsdk_dma_unmap},
    {"vsdk_irq_ref", NULL_HARMLESS, 0, call_vsdk_irq_ref},
    {"vsdk_msi_ref", NULL_HARMLESS, 0, call_vsdk_msi_ref},
    {"vsdk_irq_trigger_name", NULL_NO_CRASH, 0, call_vsdk_irq_trigger_name},
    {"vsdk_irq_create", NULL_REFUSED, 1, call_vsdk_irq_create},
    {"vsdk_irq_close", NULL_HARMLESS, 0, call_vsdk_irq_close},
    {"vsdk_irq_raise", NULL_REFUSED, 1, call_vsdk_irq_raise},
    {"vsdk_irq_lower", NULL_REFUSED, 1, call_vsdk_irq_lower},
    {"vsdk_irq_pulse", NULL_REFUSED, 1, call_vsdk_irq_pulse},
    {"vsdk_vm_send_msi", NULL_REFUSED, 1, call_vsdk_vm_send_msi},
    {"vsdk_msi_create", NULL_REFUSED, 1, call_vsdk_msi_create},
    {"vsdk_msi_close", NULL_HARMLESS, 0, call_vsdk_msi_close},
    {"vsdk_msi_set", NULL_REFUSED, 1, call_vsdk_msi_set},
    {"vsdk_msi_send", NULL_REFUSED, 1, call_vsdk_msi_send},
    {"vsdk_msi_descriptor", NULL_HARMLESS, 1, call_vsdk_msi_descriptor},
    {"vsdk_irq_controller_attach", NULL_REFUSED, 1, call_vsdk_irq_controller_attach},
    {"vsdk_irq_controller_detach", NULL_REFUSED, 1, call_vsdk_irq_controller_detach},
    {"vsdk_doorbell_ref", NULL_HARMLESS, 0, call_vsdk_doorbell_ref},
    {"vsdk_doorbell_create", NULL_REFUSED, 1, call_vsdk_doorbell_create},
    {"vsdk_doorbell_close", NULL_HARMLESS, 0, call_vsdk_doorbell_close},
    {"vsdk_doorbell_descriptor", NULL_HARMLESS, 0, call_vsdk_doorbell_descriptor},
    {"vsdk_doorbell_take", NULL_REFUSED, 1, call_vsdk_doorbell_take},
    {"vsdk_loop_ref", NULL_HARMLESS, 0, call_vsdk_loop_ref},
    {"vsdk_watch_ref", NULL_HARMLESS, 0, call_vsdk_watch_ref},
    {"vsdk_timer_ref", NULL_HARMLESS, 0, call_vsdk_timer_ref},
    {"vsdk_work_ref", NULL_HARMLESS, 0, call_vsdk_work_ref},
    {"vsdk_loop_create", NULL_REFUSED, 1, call_vsdk_loop_create},
    {"vsdk_loop_close", NULL_HARMLESS, 0, call_vsdk_loop_close},
    {"vsdk_vm_loop", NULL_HARMLESS, 1, call_vsdk_vm_loop},
    {"vsdk_loop_descriptor", NULL_HARMLESS, 0, call_vsdk_loop_descriptor},
    {"vsdk_loop_dispatch", NULL_REFUSED, 1, call_vsdk_loop_dispatch},
    {"vsdk_loop_wake", NULL_REFUSED, 1, call_vsdk_loop_wake},
    {"vsdk_watch_create", NULL_REFUSED, 1, call_vsdk_watch_create},
    {"vsdk_watch_set_events", NULL_REFUSED, 1, call_vsdk_watch_set_events},
    {"vsdk_watch_close", NULL_HARMLESS, 0, call_vsdk_watch_close},
    {"vsdk_timer_create", NULL_REFUSED, 1, call_vsdk_timer_create},
    {"vsdk_timer_arm", NULL_REFUSED, 1, call_vsdk_timer_arm},
    {"vsdk_timer_disarm", NULL_REFUSED, 1, call_vsdk_timer_disarm},
    {"vsdk_timer_close", NULL_HARMLESS, 0, call_vsdk_timer_close},
    {"vsdk_work_create", NULL_REFUSED, 1, call_vsdk_work_create},
    {"vsdk_work_post", NULL_REFUSED, 1, call_vsdk_work_post},
    {"vsdk_work_close", NULL_HARMLESS, 0, call_vsdk_work_close},
    {"vsdk_vm_clock", NULL_HARMLESS, 0, call_vsdk_vm_clock},
    {"vsdk_pool_ref", NULL_HARMLESS, 0, call_vsdk_pool_ref},
    {"vsdk_pool_create", NULL_REFUSED, 1, call_vsdk_pool_create},
    {"vsdk_pool_close", NULL_HARMLESS, 0, call_vsdk_pool_close},
    {"vsdk_pool_add_loop", NULL_REFUSED, 1, call_vsdk_pool_add_loop},
    {"vsdk_pool_remove_loop", NULL_REFUSED, 1, call_vsdk_pool_remove_loop},
    {"vsdk_pool_stop", NULL_REFUSED, 1, call_vsdk_pool_stop},
    {"vsdk_vm_run", NULL_REFUSED, 1, call_vsdk_vm_run},
    {"vsdk_vm_run_cancel", NULL_REFUSED, 1, call_vsdk_vm_run_cancel},
    {"vsdk_serial_create", NULL_REFUSED, 1, call_vsdk_serial_create},
    {"vsdk_rtc_create", NULL_REFUSED, 1, call_vsdk_rtc_create},
    {"vsdk_i8042_create", NULL_REFUSED, 1, call_vsdk_i8042_create},
    {"vsdk_acpi_pm_kind_name", NULL_NO_CRASH, 0, call_vsdk_acpi_pm_kind_name},
    {"vsdk_acpi_pm_create", NULL_REFUSED, 1, call_vsdk_acpi_pm_create},
    {"vsdk_exit_port_create", NULL_REFUSED, 1, call_vsdk_exit_port_create},
    {"vsdk_debug_console_create", NULL_REFUSED, 1, call_vsdk_debug_console_create},
    {"vsdk_fw_cfg_create", NULL_REFUSED, 1, call_vsdk_fw_cfg_create},
    {"vsdk_fw_cfg_add", NULL_REFUSED, 1, call_vsdk_fw_cfg_add},
    {"vsdk_pvpanic_create", NULL_REFUSED, 1, call_vsdk_pvpanic_create},
    {"vsdk_ioapic_create", NULL_REFUSED, 1, call_vsdk_ioapic_create},
    {"vsdk_port92_create", NULL_REFUSED, 1, call_vsdk_port92_create},
    {"vsdk_ged_create", NULL_REFUSED, 1, call_vsdk_ged_create},
    {"vsdk_ged_raise", NULL_REFUSED, 1, call_vsdk_ged_raise},
    {"vsdk_boot_format_name", NULL_NO_CRASH, 0, call_vsdk_boot_format_name},
    {"vsdk_boot_mode_name", NULL_NO_CRASH, 0, call_vsdk_boot_mode_name},
    {"vsdk_memory_type_name", NULL_NO_CRASH, 0, call_vsdk_memory_type_name},
    {"vsdk_boot_probe", NULL_REFUSED, 1, call_vsdk_boot_probe},
    {"vsdk_boot_load", NULL_REFUSED, 1, call_vsdk_boot_load},
    {"vsdk_boot_apply", NULL_REFUSED, 1, call_vsdk_boot_apply},
    {"vsdk_pc_ref", NULL_HARMLESS, 0, call_vsdk_pc_ref},
    {"vsdk_pc_part_name", NULL_NO_CRASH, 0, call_vsdk_pc_part_name},
    {"vsdk_pc_resource_kind_name", NULL_NO_CRASH, 0, call_vsdk_pc_resource_kind_name},
    {"vsdk_pc_create", NULL_REFUSED, 1, call_vsdk_pc_create},
    {"vsdk_pc_close", NULL_HARMLESS, 0, call_vsdk_pc_close},
    {"vsdk_pc_vm", NULL_HARMLESS, 0, call_vsdk_pc_vm},
    {"vsdk_pc_get_config", NULL_REFUSED, 1, call_vsdk_pc_get_config},
    {"vsdk_pc_claim", NULL_REFUSED, 1, call_vsdk_pc_claim},
    {"vsdk_pc_unclaim", NULL_REFUSED, 1, call_vsdk_pc_unclaim},
    {"vsdk_pc_add_node", NULL_REFUSED, 1, call_vsdk_pc_add_node},
    {"vsdk_pc_remove_node", NULL_REFUSED, 1, call_vsdk_pc_remove_node},
    {"vsdk_pc_boot", NULL_REFUSED, 1, call_vsdk_pc_boot},
    {"vsdk_pc_vcpu", NULL_HARMLESS, 0, call_vsdk_pc_vcpu},
    {"vsdk_pc_device", NULL_HARMLESS, 0, call_vsdk_pc_device},
    {"vsdk_pc_get_memory_map", NULL_REFUSED, 1, call_vsdk_pc_get_memory_map},
    {"vsdk_pci_ejected_name", NULL_NO_CRASH, 0, call_vsdk_pci_ejected_name},
    {"vsdk_pci_create", NULL_REFUSED, 1, call_vsdk_pci_create},
    {"vsdk_pci_function_create", NULL_REFUSED, 1, call_vsdk_pci_function_create},
    {"vsdk_pci_function_attach", NULL_REFUSED, 1, call_vsdk_pci_function_attach},
    {"vsdk_pci_function_detach", NULL_REFUSED, 1, call_vsdk_pci_function_detach},
    {"vsdk_pci_function_eject", NULL_REFUSED, 1, call_vsdk_pci_function_eject},
    {"vsdk_pci_function_interrupt", NULL_REFUSED, 1, call_vsdk_pci_function_interrupt},
    {"vsdk_pci_function_get_info", NULL_REFUSED, 1, call_vsdk_pci_function_get_info},
    {"vsdk_pci_function_user", NULL_HARMLESS, 0, call_vsdk_pci_function_user},
    {"vsdk_pci_function_save", NULL_REFUSED, 1, call_vsdk_pci_function_save},
    {"vsdk_pci_function_load", NULL_REFUSED, 1, call_vsdk_pci_function_load},
    {"vsdk_share_ref", NULL_HARMLESS, 0, call_vsdk_share_ref},
    {"vsdk_share_open", NULL_REFUSED, 1, call_vsdk_share_open},
    {"vsdk_share_close", NULL_HARMLESS, 0, call_vsdk_share_close},
    {"vsdk_share_request", NULL_REFUSED, 1, call_vsdk_share_request},
    {"vsdk_share_reset", NULL_REFUSED, 1, call_vsdk_share_reset},
    {"vsdk_share_save", NULL_REFUSED, 1, call_vsdk_share_save},
    {"vsdk_share_load", NULL_REFUSED, 1, call_vsdk_share_load},
    {"vsdk_virtio_transport_name", NULL_NO_CRASH, 0, call_vsdk_virtio_transport_name},
    {"vsdk_virtio_create", NULL_REFUSED, 1, call_vsdk_virtio_create},
    {"vsdk_virtio_attach", NULL_REFUSED, 1, call_vsdk_virtio_attach},
    {"vsdk_virtio_detach", NULL_REFUSED, 1, call_vsdk_virtio_detach},
    {"vsdk_virtio_user", NULL_HARMLESS, 0, call_vsdk_virtio_user},
    {"vsdk_virtio_queue_device", NULL_HARMLESS, 0, call_vsdk_virtio_queue_device},
    {"vsdk_virtio_queue_loop", NULL_HARMLESS, 0, call_vsdk_virtio_queue_loop},
    {"vsdk_virtio_set_loop", NULL_REFUSED, 1, call_vsdk_virtio_set_loop},
    {"vsdk_virtio_features", NULL_HARMLESS, 0, call_vsdk_virtio_features},
    {"vsdk_virtio_get_space", NULL_REFUSED, 1, call_vsdk_virtio_get_space},
    {"vsdk_virtio_set_space", NULL_REFUSED, 1, call_vsdk_virtio_set_space},
    {"vsdk_virtio_fail", NULL_REFUSED, 1, call_vsdk_virtio_fail},
    {"vsdk_virtio_pop", NULL_REFUSED, 1, call_vsdk_virtio_pop},
    {"vsdk_virtio_read", NULL_REFUSED, 1, call_vsdk_virtio_read},
    {"vsdk_virtio_write", NULL_REFUSED, 1, call_vsdk_virtio_write},
    {"vsdk_virtio_map", NULL_REFUSED, 1, call_vsdk_virtio_map},
    {"vsdk_virtio_push", NULL_REFUSED, 1, call_vsdk_virtio_push},
    {"vsdk_virtio_signal", NULL_REFUSED, 1, call_vsdk_virtio_signal},
    {"vsdk_virtio_function", NULL_HARMLESS, 0, call_vsdk_virtio_function},
    {"vsdk_virtio_fs_create", NULL_REFUSED, 1, call_vsdk_virtio_fs_create},
    {"vsdk_virtio_block_create", NULL_REFUSED, 1, call_vsdk_virtio_block_create},
    {"vsdk_virtio_vsock_create", NULL_REFUSED, 1, call_vsdk_virtio_vsock_create},
    {"vsdk_virtio_vsock_listen", NULL_REFUSED, 1, call_vsdk_virtio_vsock_listen},
    {"vsdk_virtio_vsock_unlisten", NULL_REFUSED, 1, call_vsdk_virtio_vsock_unlisten},
    {"vsdk_virtio_vsock_descriptor", NULL_HARMLESS, 0, call_vsdk_virtio_vsock_descriptor},
    {"vsdk_virtio_vsock_accept", NULL_REFUSED, 1, call_vsdk_virtio_vsock_accept},
    {"vsdk_virtio_vsock_connect", NULL_REFUSED, 1, call_vsdk_virtio_vsock_connect},
    {"vsdk_virtio_rng_create", NULL_REFUSED, 1, call_vsdk_virtio_rng_create},
    {"vsdk_virtio_console_create", NULL_REFUSED, 1, call_vsdk_virtio_console_create},
    {"vsdk_virtio_console_connect", NULL_REFUSED, 1, call_vsdk_virtio_console_connect},
    {"vsdk_virtio_console_resize", NULL_REFUSED, 1, call_vsdk_virtio_console_resize},
    {"vsdk_virtio_console_is_open", NULL_HARMLESS, 0, call_vsdk_virtio_console_is_open},
    {"vsdk_net_ref", NULL_HARMLESS, 0, call_vsdk_net_ref},
    {"vsdk_net_gso_name", NULL_NO_CRASH, 0, call_vsdk_net_gso_name},
    {"vsdk_net_create_pair", NULL_REFUSED, 1, call_vsdk_net_create_pair},
    {"vsdk_net_create", NULL_REFUSED, 1, call_vsdk_net_create},
    {"vsdk_net_notify", NULL_REFUSED, 1, call_vsdk_net_notify},
    {"vsdk_net_close", NULL_HARMLESS, 0, call_vsdk_net_close},
    {"vsdk_net_send", NULL_REFUSED, 1, call_vsdk_net_send},
    {"vsdk_net_receive", NULL_REFUSED, 1, call_vsdk_net_receive},
    {"vsdk_net_skip", NULL_REFUSED, 1, call_vsdk_net_skip},
    {"vsdk_net_ready", NULL_HARMLESS, 0, call_vsdk_net_ready},
    {"vsdk_net_descriptor", NULL_HARMLESS, 1, call_vsdk_net_descriptor},
    {"vsdk_net_offloads_of", NULL_HARMLESS, 0, call_vsdk_net_offloads_of},
    {"vsdk_net_accept", NULL_REFUSED, 1, call_vsdk_net_accept},
    {"vsdk_net_create_user", NULL_REFUSED, 1, call_vsdk_net_create_user},
    {"vsdk_net_add_forward", NULL_REFUSED, 1, call_vsdk_net_add_forward},
    {"vsdk_net_remove_forward", NULL_REFUSED, 1, call_vsdk_net_remove_forward},
    {"vsdk_net_create_socket", NULL_REFUSED, 1, call_vsdk_net_create_socket},
    {"vsdk_net_create_tap", NULL_REFUSED, 1, call_vsdk_net_create_tap},
    {"vsdk_net_create_filter", NULL_REFUSED, 1, call_vsdk_net_create_filter},
    {"vsdk_virtio_net_create", NULL_REFUSED, 1, call_vsdk_virtio_net_create},
    {"vsdk_virtio_net_set_link", NULL_REFUSED, 1, call_vsdk_virtio_net_set_link},
    {"vsdk_virtio_net_get_counts", NULL_REFUSED, 1, call_vsdk_virtio_net_get_counts},
};
const size_t null_calls_count = sizeof(null_calls) / sizeof(null_calls[0]);
