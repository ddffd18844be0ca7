/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the descriptions in abi by abi/generate.py. */
/* clang-format off */
/*
 * Preloaded by the tests. Each public function is forwarded to the real one; the first time in a
 * process that a function ends in a certain way, one line "function<TAB>kind" is appended to the
 * file that $VSDK_SHIM_LOG names. Kinds: success, the error's name, and NULL when a pointer that is
 * required was NULL and the call was refused. No allocation, no lock, one write(2) a line, so that
 * async-signal-safe functions stay so and any number of processes share the file.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vsdk/vsdk.h>

/* Far from the numbers that tests count, fill and close. */
enum { LOG_DESCRIPTOR = 1000, LOG_DESCRIPTOR_LOW = 200 };

enum kind {
    KIND_SUCCESS,
    KIND_NULL,
    KIND_UNKNOWN,
    KIND_ERROR, /* and the errors from here on, in the order of kind_names */
};

static const char *const kind_names[] = {
    "success",
    "NULL",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "NO_MEMORY",
    "UNSUPPORTED",
    "PERMISSION",
    "NOT_FOUND",
    "EXISTS",
    "STATE",
    "BUSY",
    "GONE",
    "RANGE",
    "LIMIT",
    "FORMAT",
    "UNAVAILABLE",
    "VERSION",
    "SYSTEM",
    "TIMEOUT",
    "RESERVED",
};

enum function {
    FUNCTION_vsdk_status_name,
    FUNCTION_vsdk_version,
    FUNCTION_vsdk_host_ref,
    FUNCTION_vsdk_capability_name,
    FUNCTION_vsdk_answer_name,
    FUNCTION_vsdk_log_level_name,
    FUNCTION_vsdk_host_open,
    FUNCTION_vsdk_host_close,
    FUNCTION_vsdk_host_backend,
    FUNCTION_vsdk_backend_at,
    FUNCTION_vsdk_host_query,
    FUNCTION_vsdk_host_list_orphans,
    FUNCTION_vsdk_host_reap,
    FUNCTION_vsdk_exit_reason_name,
    FUNCTION_vsdk_direction_name,
    FUNCTION_vsdk_space_name,
    FUNCTION_vsdk_kick_detail_name,
    FUNCTION_vsdk_crash_detail_name,
    FUNCTION_vsdk_vm_ref,
    FUNCTION_vsdk_vm_state_name,
    FUNCTION_vsdk_irqchip_name,
    FUNCTION_vsdk_vm_create,
    FUNCTION_vsdk_vm_close,
    FUNCTION_vsdk_vm_destroy,
    FUNCTION_vsdk_vm_resume,
    FUNCTION_vsdk_vm_pause,
    FUNCTION_vsdk_vm_pause_request,
    FUNCTION_vsdk_vm_reset,
    FUNCTION_vsdk_vm_stop,
    FUNCTION_vsdk_vm_get_info,
    FUNCTION_vsdk_vm_list_reserved,
    FUNCTION_vsdk_vm_add_range,
    FUNCTION_vsdk_vm_remove_range,
    FUNCTION_vsdk_vcpu_ref,
    FUNCTION_vsdk_vcpu_phase_name,
    FUNCTION_vsdk_vcpu_create,
    FUNCTION_vsdk_vcpu_close,
    FUNCTION_vsdk_vcpu_record,
    FUNCTION_vsdk_vcpu_run,
    FUNCTION_vsdk_vcpu_complete,
    FUNCTION_vsdk_vcpu_kick,
    FUNCTION_vsdk_vcpu_get_phase,
    FUNCTION_vsdk_vcpu_get_state,
    FUNCTION_vsdk_vcpu_set_state,
    FUNCTION_vsdk_vcpu_get_counters,
    FUNCTION_vsdk_x86_host_get_cpuid,
    FUNCTION_vsdk_x86_vm_set_cpuid,
    FUNCTION_vsdk_x86_vcpu_get_cpuid,
    FUNCTION_vsdk_x86_vcpu_inject_nmi,
    FUNCTION_vsdk_x86_vcpu_sync_regs,
    FUNCTION_vsdk_x86_vcpu_sync_sregs,
    FUNCTION_vsdk_x86_vcpu_sync_write,
    FUNCTION_vsdk_ram_ref,
    FUNCTION_vsdk_ram_backing_name,
    FUNCTION_vsdk_ram_sharing_name,
    FUNCTION_vsdk_ram_create,
    FUNCTION_vsdk_ram_close,
    FUNCTION_vsdk_ram_data,
    FUNCTION_vsdk_ram_mark_dirty,
    FUNCTION_vsdk_ram_get_dirty,
    FUNCTION_vsdk_ram_size,
    FUNCTION_vsdk_vm_map,
    FUNCTION_vsdk_vm_unmap,
    FUNCTION_vsdk_vm_protect,
    FUNCTION_vsdk_stream_ref,
    FUNCTION_vsdk_stream_create,
    FUNCTION_vsdk_stream_close,
    FUNCTION_vsdk_stream_read,
    FUNCTION_vsdk_stream_write,
    FUNCTION_vsdk_stream_ready,
    FUNCTION_vsdk_stream_descriptor,
    FUNCTION_vsdk_stream_set_handler,
    FUNCTION_vsdk_disk_ref,
    FUNCTION_vsdk_disk_channel_ref,
    FUNCTION_vsdk_disk_watch_ref,
    FUNCTION_vsdk_disk_format_name,
    FUNCTION_vsdk_disk_cache_name,
    FUNCTION_vsdk_disk_operation_name,
    FUNCTION_vsdk_disk_open,
    FUNCTION_vsdk_disk_create,
    FUNCTION_vsdk_disk_create_memory,
    FUNCTION_vsdk_disk_create_image,
    FUNCTION_vsdk_disk_close,
    FUNCTION_vsdk_disk_get_info,
    FUNCTION_vsdk_disk_read,
    FUNCTION_vsdk_disk_write,
    FUNCTION_vsdk_disk_flush,
    FUNCTION_vsdk_disk_discard,
    FUNCTION_vsdk_disk_write_zeroes,
    FUNCTION_vsdk_disk_resize,
    FUNCTION_vsdk_disk_check,
    FUNCTION_vsdk_disk_channel_create,
    FUNCTION_vsdk_disk_channel_close,
    FUNCTION_vsdk_disk_submit,
    FUNCTION_vsdk_disk_drain,
    FUNCTION_vsdk_disk_watch_create,
    FUNCTION_vsdk_disk_watch_close,
    FUNCTION_vsdk_state_put_number,
    FUNCTION_vsdk_state_put_bytes,
    FUNCTION_vsdk_state_get_number,
    FUNCTION_vsdk_state_get_bytes,
    FUNCTION_vsdk_state_has,
    FUNCTION_vsdk_device_ref,
    FUNCTION_vsdk_stop_mode_name,
    FUNCTION_vsdk_device_create,
    FUNCTION_vsdk_device_close,
    FUNCTION_vsdk_device_add_range,
    FUNCTION_vsdk_device_remove_range,
    FUNCTION_vsdk_device_detach,
    FUNCTION_vsdk_device_stopped,
    FUNCTION_vsdk_device_user,
    FUNCTION_vsdk_device_vm,
    FUNCTION_vsdk_device_enter,
    FUNCTION_vsdk_device_leave,
    FUNCTION_vsdk_device_save,
    FUNCTION_vsdk_device_load,
    FUNCTION_vsdk_vm_read,
    FUNCTION_vsdk_vm_write,
    FUNCTION_vsdk_vm_probe,
    FUNCTION_vsdk_dma_read,
    FUNCTION_vsdk_dma_write,
    FUNCTION_vsdk_dma_map,
    FUNCTION_vsdk_dma_unmap,
    FUNCTION_vsdk_irq_ref,
    FUNCTION_vsdk_msi_ref,
    FUNCTION_vsdk_irq_trigger_name,
    FUNCTION_vsdk_irq_create,
    FUNCTION_vsdk_irq_close,
    FUNCTION_vsdk_irq_raise,
    FUNCTION_vsdk_irq_lower,
    FUNCTION_vsdk_irq_pulse,
    FUNCTION_vsdk_vm_send_msi,
    FUNCTION_vsdk_msi_create,
    FUNCTION_vsdk_msi_close,
    FUNCTION_vsdk_msi_set,
    FUNCTION_vsdk_msi_send,
    FUNCTION_vsdk_msi_descriptor,
    FUNCTION_vsdk_irq_controller_attach,
    FUNCTION_vsdk_irq_controller_detach,
    FUNCTION_vsdk_doorbell_ref,
    FUNCTION_vsdk_doorbell_create,
    FUNCTION_vsdk_doorbell_close,
    FUNCTION_vsdk_doorbell_descriptor,
    FUNCTION_vsdk_doorbell_take,
    FUNCTION_vsdk_loop_ref,
    FUNCTION_vsdk_watch_ref,
    FUNCTION_vsdk_timer_ref,
    FUNCTION_vsdk_work_ref,
    FUNCTION_vsdk_loop_create,
    FUNCTION_vsdk_loop_close,
    FUNCTION_vsdk_vm_loop,
    FUNCTION_vsdk_loop_descriptor,
    FUNCTION_vsdk_loop_dispatch,
    FUNCTION_vsdk_loop_wake,
    FUNCTION_vsdk_watch_create,
    FUNCTION_vsdk_watch_set_events,
    FUNCTION_vsdk_watch_close,
    FUNCTION_vsdk_timer_create,
    FUNCTION_vsdk_timer_arm,
    FUNCTION_vsdk_timer_disarm,
    FUNCTION_vsdk_timer_close,
    FUNCTION_vsdk_work_create,
    FUNCTION_vsdk_work_post,
    FUNCTION_vsdk_work_close,
    FUNCTION_vsdk_vm_clock,
    FUNCTION_vsdk_pool_ref,
    FUNCTION_vsdk_pool_create,
    FUNCTION_vsdk_pool_close,
    FUNCTION_vsdk_pool_add_loop,
    FUNCTION_vsdk_pool_remove_loop,
    FUNCTION_vsdk_pool_stop,
    FUNCTION_vsdk_vm_run,
    FUNCTION_vsdk_vm_run_cancel,
    FUNCTION_vsdk_serial_create,
    FUNCTION_vsdk_rtc_create,
    FUNCTION_vsdk_i8042_create,
    FUNCTION_vsdk_acpi_pm_kind_name,
    FUNCTION_vsdk_acpi_pm_create,
    FUNCTION_vsdk_exit_port_create,
    FUNCTION_vsdk_debug_console_create,
    FUNCTION_vsdk_fw_cfg_create,
    FUNCTION_vsdk_fw_cfg_add,
    FUNCTION_vsdk_pvpanic_create,
    FUNCTION_vsdk_ioapic_create,
    FUNCTION_vsdk_port92_create,
    FUNCTION_vsdk_ged_create,
    FUNCTION_vsdk_ged_raise,
    FUNCTION_vsdk_boot_format_name,
    FUNCTION_vsdk_boot_mode_name,
    FUNCTION_vsdk_memory_type_name,
    FUNCTION_vsdk_boot_probe,
    FUNCTION_vsdk_boot_load,
    FUNCTION_vsdk_boot_apply,
    FUNCTION_vsdk_pc_ref,
    FUNCTION_vsdk_pc_part_name,
    FUNCTION_vsdk_pc_resource_kind_name,
    FUNCTION_vsdk_pc_create,
    FUNCTION_vsdk_pc_close,
    FUNCTION_vsdk_pc_vm,
    FUNCTION_vsdk_pc_get_config,
    FUNCTION_vsdk_pc_claim,
    FUNCTION_vsdk_pc_unclaim,
    FUNCTION_vsdk_pc_add_node,
    FUNCTION_vsdk_pc_remove_node,
    FUNCTION_vsdk_pc_boot,
    FUNCTION_vsdk_pc_vcpu,
    FUNCTION_vsdk_pc_device,
    FUNCTION_vsdk_pc_get_memory_map,
    FUNCTION_vsdk_pci_ejected_name,
    FUNCTION_vsdk_pci_create,
    FUNCTION_vsdk_pci_function_create,
    FUNCTION_vsdk_pci_function_attach,
    FUNCTION_vsdk_pci_function_detach,
    FUNCTION_vsdk_pci_function_eject,
    FUNCTION_vsdk_pci_function_interrupt,
    FUNCTION_vsdk_pci_function_get_info,
    FUNCTION_vsdk_pci_function_user,
    FUNCTION_vsdk_pci_function_save,
    FUNCTION_vsdk_pci_function_load,
    FUNCTION_vsdk_share_ref,
    FUNCTION_vsdk_share_open,
    FUNCTION_vsdk_share_close,
    FUNCTION_vsdk_share_request,
    FUNCTION_vsdk_share_reset,
    FUNCTION_vsdk_share_save,
    FUNCTION_vsdk_share_load,
    FUNCTION_vsdk_virtio_transport_name,
    FUNCTION_vsdk_virtio_create,
    FUNCTION_vsdk_virtio_attach,
    FUNCTION_vsdk_virtio_detach,
    FUNCTION_vsdk_virtio_user,
    FUNCTION_vsdk_virtio_queue_device,
    FUNCTION_vsdk_virtio_queue_loop,
    FUNCTION_vsdk_virtio_set_loop,
    FUNCTION_vsdk_virtio_features,
    FUNCTION_vsdk_virtio_get_space,
    FUNCTION_vsdk_virtio_set_space,
    FUNCTION_vsdk_virtio_fail,
    FUNCTION_vsdk_virtio_pop,
    FUNCTION_vsdk_virtio_read,
    FUNCTION_vsdk_virtio_write,
    FUNCTION_vsdk_virtio_map,
    FUNCTION_vsdk_virtio_push,
    FUNCTION_vsdk_virtio_signal,
    FUNCTION_vsdk_virtio_function,
    FUNCTION_vsdk_virtio_fs_create,
    FUNCTION_vsdk_virtio_block_create,
    FUNCTION_vsdk_virtio_vsock_create,
    FUNCTION_vsdk_virtio_vsock_listen,
    FUNCTION_vsdk_virtio_vsock_unlisten,
    FUNCTION_vsdk_virtio_vsock_descriptor,
    FUNCTION_vsdk_virtio_vsock_accept,
    FUNCTION_vsdk_virtio_vsock_connect,
    FUNCTION_vsdk_virtio_rng_create,
    FUNCTION_vsdk_virtio_console_create,
    FUNCTION_vsdk_virtio_console_connect,
    FUNCTION_vsdk_virtio_console_resize,
    FUNCTION_vsdk_virtio_console_is_open,
    FUNCTION_vsdk_net_ref,
    FUNCTION_vsdk_net_gso_name,
    FUNCTION_vsdk_net_create_pair,
    FUNCTION_vsdk_net_create,
    FUNCTION_vsdk_net_notify,
    FUNCTION_vsdk_net_close,
    FUNCTION_vsdk_net_send,
    FUNCTION_vsdk_net_receive,
    FUNCTION_vsdk_net_skip,
    FUNCTION_vsdk_net_ready,
    FUNCTION_vsdk_net_descriptor,
    FUNCTION_vsdk_net_offloads_of,
    FUNCTION_vsdk_net_accept,
    FUNCTION_vsdk_net_create_user,
    FUNCTION_vsdk_net_add_forward,
    FUNCTION_vsdk_net_remove_forward,
    FUNCTION_vsdk_net_create_socket,
    FUNCTION_vsdk_net_create_tap,
    FUNCTION_vsdk_net_create_filter,
    FUNCTION_vsdk_virtio_net_create,
    FUNCTION_vsdk_virtio_net_set_link,
    FUNCTION_vsdk_virtio_net_get_counts,
    FUNCTIONS,
};

static const char *const function_names[FUNCTIONS] = {
    "vsdk_status_name",
    "vsdk_version",
    "vsdk_host_ref",
    "vsdk_capability_name",
    "vsdk_answer_name",
    "vsdk_log_level_name",
    "vsdk_host_open",
    "vsdk_host_close",
    "vsdk_host_backend",
    "vsdk_backend_at",
    "vsdk_host_query",
    "vsdk_host_list_orphans",
    "vsdk_host_reap",
    "vsdk_exit_reason_name",
    "vsdk_direction_name",
    "vsdk_space_name",
    "vsdk_kick_detail_name",
    "vsdk_crash_detail_name",
    "vsdk_vm_ref",
    "vsdk_vm_state_name",
    "vsdk_irqchip_name",
    "vsdk_vm_create",
    "vsdk_vm_close",
    "vsdk_vm_destroy",
    "vsdk_vm_resume",
    "vsdk_vm_pause",
    "vsdk_vm_pause_request",
    "vsdk_vm_reset",
    "vsdk_vm_stop",
    "vsdk_vm_get_info",
    "vsdk_vm_list_reserved",
    "vsdk_vm_add_range",
    "vsdk_vm_remove_range",
    "vsdk_vcpu_ref",
    "vsdk_vcpu_phase_name",
    "vsdk_vcpu_create",
    "vsdk_vcpu_close",
    "vsdk_vcpu_record",
    "vsdk_vcpu_run",
    "vsdk_vcpu_complete",
    "vsdk_vcpu_kick",
    "vsdk_vcpu_get_phase",
    "vsdk_vcpu_get_state",
    "vsdk_vcpu_set_state",
    "vsdk_vcpu_get_counters",
    "vsdk_x86_host_get_cpuid",
    "vsdk_x86_vm_set_cpuid",
    "vsdk_x86_vcpu_get_cpuid",
    "vsdk_x86_vcpu_inject_nmi",
    "vsdk_x86_vcpu_sync_regs",
    "vsdk_x86_vcpu_sync_sregs",
    "vsdk_x86_vcpu_sync_write",
    "vsdk_ram_ref",
    "vsdk_ram_backing_name",
    "vsdk_ram_sharing_name",
    "vsdk_ram_create",
    "vsdk_ram_close",
    "vsdk_ram_data",
    "vsdk_ram_mark_dirty",
    "vsdk_ram_get_dirty",
    "vsdk_ram_size",
    "vsdk_vm_map",
    "vsdk_vm_unmap",
    "vsdk_vm_protect",
    "vsdk_stream_ref",
    "vsdk_stream_create",
    "vsdk_stream_close",
    "vsdk_stream_read",
    "vsdk_stream_write",
    "vsdk_stream_ready",
    "vsdk_stream_descriptor",
    "vsdk_stream_set_handler",
    "vsdk_disk_ref",
    "vsdk_disk_channel_ref",
    "vsdk_disk_watch_ref",
    "vsdk_disk_format_name",
    "vsdk_disk_cache_name",
    "vsdk_disk_operation_name",
    "vsdk_disk_open",
    "vsdk_disk_create",
    "vsdk_disk_create_memory",
    "vsdk_disk_create_image",
    "vsdk_disk_close",
    "vsdk_disk_get_info",
    "vsdk_disk_read",
    "vsdk_disk_write",
    "vsdk_disk_flush",
    "vsdk_disk_discard",
    "vsdk_disk_write_zeroes",
    "vsdk_disk_resize",
    "vsdk_disk_check",
    "vsdk_disk_channel_create",
    "vsdk_disk_channel_close",
    "vsdk_disk_submit",
    "vsdk_disk_drain",
    "vsdk_disk_watch_create",
    "vsdk_disk_watch_close",
    "vsdk_state_put_number",
    "vsdk_state_put_bytes",
    "vsdk_state_get_number",
    "vsdk_state_get_bytes",
    "vsdk_state_has",
    "vsdk_device_ref",
    "vsdk_stop_mode_name",
    "vsdk_device_create",
    "vsdk_device_close",
    "vsdk_device_add_range",
    "vsdk_device_remove_range",
    "vsdk_device_detach",
    "vsdk_device_stopped",
    "vsdk_device_user",
    "vsdk_device_vm",
    "vsdk_device_enter",
    "vsdk_device_leave",
    "vsdk_device_save",
    "vsdk_device_load",
    "vsdk_vm_read",
    "vsdk_vm_write",
    "vsdk_vm_probe",
    "vsdk_dma_read",
    "vsdk_dma_write",
    "vsdk_dma_map",
    "vsdk_dma_unmap",
    "vsdk_irq_ref",
    "vsdk_msi_ref",
    "vsdk_irq_trigger_name",
    "vsdk_irq_create",
    "vsdk_irq_close",
    "vsdk_irq_raise",
    "vsdk_irq_lower",
    "vsdk_irq_pulse",
    "vsdk_vm_send_msi",
    "vsdk_msi_create",
    "vsdk_msi_close",
    "vsdk_msi_set",
    "vsdk_msi_send",
    "vsdk_msi_descriptor",
    "vsdk_irq_controller_attach",
    "vsdk_irq_controller_detach",
    "vsdk_doorbell_ref",
    "vsdk_doorbell_create",
    "vsdk_doorbell_close",
    "vsdk_doorbell_descriptor",
    "vsdk_doorbell_take",
    "vsdk_loop_ref",
    "vsdk_watch_ref",
    "vsdk_timer_ref",
    "vsdk_work_ref",
    "vsdk_loop_create",
    "vsdk_loop_close",
    "vsdk_vm_loop",
    "vsdk_loop_descriptor",
    "vsdk_loop_dispatch",
    "vsdk_loop_wake",
    "vsdk_watch_create",
    "vsdk_watch_set_events",
    "vsdk_watch_close",
    "vsdk_timer_create",
    "vsdk_timer_arm",
    "vsdk_timer_disarm",
    "vsdk_timer_close",
    "vsdk_work_create",
    "vsdk_work_post",
    "vsdk_work_close",
    "vsdk_vm_clock",
    "vsdk_pool_ref",
    "vsdk_pool_create",
    "vsdk_pool_close",
    "vsdk_pool_add_loop",
    "vsdk_pool_remove_loop",
    "vsdk_pool_stop",
    "vsdk_vm_run",
    "vsdk_vm_run_cancel",
    "vsdk_serial_create",
    "vsdk_rtc_create",
    "vsdk_i8042_create",
    "vsdk_acpi_pm_kind_name",
    "vsdk_acpi_pm_create",
    "vsdk_exit_port_create",
    "vsdk_debug_console_create",
    "vsdk_fw_cfg_create",
    "vsdk_fw_cfg_add",
    "vsdk_pvpanic_create",
    "vsdk_ioapic_create",
    "vsdk_port92_create",
    "vsdk_ged_create",
    "vsdk_ged_raise",
    "vsdk_boot_format_name",
    "vsdk_boot_mode_name",
    "vsdk_memory_type_name",
    "vsdk_boot_probe",
    "vsdk_boot_load",
    "vsdk_boot_apply",
    "vsdk_pc_ref",
    "vsdk_pc_part_name",
    "vsdk_pc_resource_kind_name",
    "vsdk_pc_create",
    "vsdk_pc_close",
    "vsdk_pc_vm",
    "vsdk_pc_get_config",
    "vsdk_pc_claim",
    "vsdk_pc_unclaim",
    "vsdk_pc_add_node",
    "vsdk_pc_remove_node",
    "vsdk_pc_boot",
    "vsdk_pc_vcpu",
    "vsdk_pc_device",
    "vsdk_pc_get_memory_map",
    "vsdk_pci_ejected_name",
    "vsdk_pci_create",
    "vsdk_pci_function_create",
    "vsdk_pci_function_attach",
    "vsdk_pci_function_detach",
    "vsdk_pci_function_eject",
    "vsdk_pci_function_interrupt",
    "vsdk_pci_function_get_info",
    "vsdk_pci_function_user",
    "vsdk_pci_function_save",
    "vsdk_pci_function_load",
    "vsdk_share_ref",
    "vsdk_share_open",
    "vsdk_share_close",
    "vsdk_share_request",
    "vsdk_share_reset",
    "vsdk_share_save",
    "vsdk_share_load",
    "vsdk_virtio_transport_name",
    "vsdk_virtio_create",
    "vsdk_virtio_attach",
    "vsdk_virtio_detach",
    "vsdk_virtio_user",
    "vsdk_virtio_queue_device",
    "vsdk_virtio_queue_loop",
    "vsdk_virtio_set_loop",
    "vsdk_virtio_features",
    "vsdk_virtio_get_space",
    "vsdk_virtio_set_space",
    "vsdk_virtio_fail",
    "vsdk_virtio_pop",
    "vsdk_virtio_read",
    "vsdk_virtio_write",
    "vsdk_virtio_map",
    "vsdk_virtio_push",
    "vsdk_virtio_signal",
    "vsdk_virtio_function",
    "vsdk_virtio_fs_create",
    "vsdk_virtio_block_create",
    "vsdk_virtio_vsock_create",
    "vsdk_virtio_vsock_listen",
    "vsdk_virtio_vsock_unlisten",
    "vsdk_virtio_vsock_descriptor",
    "vsdk_virtio_vsock_accept",
    "vsdk_virtio_vsock_connect",
    "vsdk_virtio_rng_create",
    "vsdk_virtio_console_create",
    "vsdk_virtio_console_connect",
    "vsdk_virtio_console_resize",
    "vsdk_virtio_console_is_open",
    "vsdk_net_ref",
    "vsdk_net_gso_name",
    "vsdk_net_create_pair",
    "vsdk_net_create",
    "vsdk_net_notify",
    "vsdk_net_close",
    "vsdk_net_send",
    "vsdk_net_receive",
    "vsdk_net_skip",
    "vsdk_net_ready",
    "vsdk_net_descriptor",
    "vsdk_net_offloads_of",
    "vsdk_net_accept",
    "vsdk_net_create_user",
    "vsdk_net_add_forward",
    "vsdk_net_remove_forward",
    "vsdk_net_create_socket",
    "vsdk_net_create_tap",
    "vsdk_net_create_filter",
    "vsdk_virtio_net_create",
    "vsdk_virtio_net_set_link",
    "vsdk_virtio_net_get_counts",
};

static _Atomic(void *) real[FUNCTIONS];
static _Atomic uint64_t seen[FUNCTIONS];
static int log_descriptor = -1;

static int move_high(int descriptor)
{
    int high = fcntl(descriptor, F_DUPFD_CLOEXEC, LOG_DESCRIPTOR);
    if (high < 0)
        high = fcntl(descriptor, F_DUPFD_CLOEXEC, LOG_DESCRIPTOR_LOW);
    if (high < 0)
        return descriptor;
    close(descriptor);
    return high;
}

__attribute__((constructor)) static void prepare(void)
{
    const char *path = getenv("VSDK_SHIM_LOG");
    int saved = errno;

    for (int i = 0; i < FUNCTIONS; i++)
        atomic_store(&real[i], dlsym(RTLD_NEXT, function_names[i]));
    if (path != NULL && path[0] != '\0')
        log_descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log_descriptor >= 0)
        log_descriptor = move_high(log_descriptor);
    errno = saved;
}

/* The constructor has found them all, unless libvsdk was loaded after it. */
static void *find(enum function function)
{
    void *address = atomic_load_explicit(&real[function], memory_order_acquire);

    if (address == NULL) {
        address = dlsym(RTLD_NEXT, function_names[function]);
        if (address == NULL)
            abort();
        atomic_store_explicit(&real[function], address, memory_order_release);
    }
    return address;
}

static void append(enum function function, uint32_t kind)
{
    char line[128];
    size_t name = strlen(function_names[function]);
    size_t text = strlen(kind_names[kind]);
    int saved = errno, cancel;
    ssize_t written;

    memcpy(line, function_names[function], name);
    line[name] = '\t';
    memcpy(line + name + 1, kind_names[kind], text);
    line[name + 1 + text] = '\n';
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* as the library does */
    do
        written = syscall(SYS_write, log_descriptor, line, name + text + 2); /* cancels nobody */
    while (written < 0 && errno == EINTR);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
}

static void note(enum function function, uint32_t kind)
{
    uint64_t bit = UINT64_C(1) << kind;

    if (log_descriptor < 0 || (atomic_load_explicit(&seen[function], memory_order_relaxed) & bit))
        return;
    if (!(atomic_fetch_or_explicit(&seen[function], bit, memory_order_relaxed) & bit))
        append(function, kind);
}

static uint32_t status_kind(vsdk_status status)
{
    if (status >= VSDK_OK)
        return KIND_SUCCESS;
    switch (status) {
    case VSDK_ERROR_INVALID_ARGUMENT:
        return KIND_ERROR + 0;
    case VSDK_ERROR_NO_MEMORY:
        return KIND_ERROR + 1;
    case VSDK_ERROR_UNSUPPORTED:
        return KIND_ERROR + 2;
    case VSDK_ERROR_PERMISSION:
        return KIND_ERROR + 3;
    case VSDK_ERROR_NOT_FOUND:
        return KIND_ERROR + 4;
    case VSDK_ERROR_EXISTS:
        return KIND_ERROR + 5;
    case VSDK_ERROR_STATE:
        return KIND_ERROR + 6;
    case VSDK_ERROR_BUSY:
        return KIND_ERROR + 7;
    case VSDK_ERROR_GONE:
        return KIND_ERROR + 8;
    case VSDK_ERROR_RANGE:
        return KIND_ERROR + 9;
    case VSDK_ERROR_LIMIT:
        return KIND_ERROR + 10;
    case VSDK_ERROR_FORMAT:
        return KIND_ERROR + 11;
    case VSDK_ERROR_UNAVAILABLE:
        return KIND_ERROR + 12;
    case VSDK_ERROR_VERSION:
        return KIND_ERROR + 13;
    case VSDK_ERROR_SYSTEM:
        return KIND_ERROR + 14;
    case VSDK_ERROR_TIMEOUT:
        return KIND_ERROR + 15;
    case VSDK_ERROR_RESERVED:
        return KIND_ERROR + 16;
    default:
        return KIND_UNKNOWN;
    }
}

static void note_status(enum function function, vsdk_status status, int null)
{
    note(function, status_kind(status));
    if (null && status < VSDK_OK)
        note(function, KIND_NULL);
}

static void note_return(enum function function, int null)
{
    note(function, null ? KIND_NULL : KIND_SUCCESS);
}

#pragma GCC visibility push(default)

const char *vsdk_status_name(vsdk_status value)
{
    __typeof__(&vsdk_status_name) call_ = find(FUNCTION_vsdk_status_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_status_name, 0);
    return result_;
}

uint32_t vsdk_version(void)
{
    __typeof__(&vsdk_version) call_ = find(FUNCTION_vsdk_version);
    uint32_t result_ = call_();
    note_return(FUNCTION_vsdk_version, 0);
    return result_;
}

vsdk_host *vsdk_host_ref(vsdk_host *host)
{
    __typeof__(&vsdk_host_ref) call_ = find(FUNCTION_vsdk_host_ref);
    vsdk_host *result_ = call_(host);
    note_return(FUNCTION_vsdk_host_ref, host == NULL);
    return result_;
}

const char *vsdk_capability_name(vsdk_capability value)
{
    __typeof__(&vsdk_capability_name) call_ = find(FUNCTION_vsdk_capability_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_capability_name, 0);
    return result_;
}

const char *vsdk_answer_name(vsdk_answer value)
{
    __typeof__(&vsdk_answer_name) call_ = find(FUNCTION_vsdk_answer_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_answer_name, 0);
    return result_;
}

const char *vsdk_log_level_name(vsdk_log_level value)
{
    __typeof__(&vsdk_log_level_name) call_ = find(FUNCTION_vsdk_log_level_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_log_level_name, 0);
    return result_;
}

vsdk_status vsdk_host_open(const char *backend, const vsdk_host_config *config, vsdk_host **host,
                           vsdk_error *error)
{
    __typeof__(&vsdk_host_open) call_ = find(FUNCTION_vsdk_host_open);
    vsdk_status result_ = call_(backend, config, host, error);
    note_status(FUNCTION_vsdk_host_open, result_, host == NULL);
    return result_;
}

void vsdk_host_close(vsdk_host *host)
{
    __typeof__(&vsdk_host_close) call_ = find(FUNCTION_vsdk_host_close);
    call_(host);
    note_return(FUNCTION_vsdk_host_close, host == NULL);
}

const char *vsdk_host_backend(const vsdk_host *host)
{
    __typeof__(&vsdk_host_backend) call_ = find(FUNCTION_vsdk_host_backend);
    const char *result_ = call_(host);
    note_return(FUNCTION_vsdk_host_backend, host == NULL);
    return result_;
}

const char *vsdk_backend_at(uint32_t index)
{
    __typeof__(&vsdk_backend_at) call_ = find(FUNCTION_vsdk_backend_at);
    const char *result_ = call_(index);
    note_return(FUNCTION_vsdk_backend_at, 0);
    return result_;
}

vsdk_status vsdk_host_query(vsdk_host *host, vsdk_capability capability, vsdk_capability_info *info,
                            vsdk_error *error)
{
    __typeof__(&vsdk_host_query) call_ = find(FUNCTION_vsdk_host_query);
    vsdk_status result_ = call_(host, capability, info, error);
    note_status(FUNCTION_vsdk_host_query, result_, host == NULL || info == NULL);
    return result_;
}

vsdk_status vsdk_host_list_orphans(vsdk_host *host, vsdk_orphan *orphans, uint32_t capacity,
                                   uint32_t *needed, vsdk_error *error)
{
    __typeof__(&vsdk_host_list_orphans) call_ = find(FUNCTION_vsdk_host_list_orphans);
    vsdk_status result_ = call_(host, orphans, capacity, needed, error);
    note_status(FUNCTION_vsdk_host_list_orphans, result_, host == NULL || needed == NULL);
    return result_;
}

vsdk_status vsdk_host_reap(vsdk_host *host, uint64_t id, vsdk_error *error)
{
    __typeof__(&vsdk_host_reap) call_ = find(FUNCTION_vsdk_host_reap);
    vsdk_status result_ = call_(host, id, error);
    note_status(FUNCTION_vsdk_host_reap, result_, host == NULL);
    return result_;
}

const char *vsdk_exit_reason_name(vsdk_exit_reason value)
{
    __typeof__(&vsdk_exit_reason_name) call_ = find(FUNCTION_vsdk_exit_reason_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_exit_reason_name, 0);
    return result_;
}

const char *vsdk_direction_name(vsdk_direction value)
{
    __typeof__(&vsdk_direction_name) call_ = find(FUNCTION_vsdk_direction_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_direction_name, 0);
    return result_;
}

const char *vsdk_space_name(vsdk_space value)
{
    __typeof__(&vsdk_space_name) call_ = find(FUNCTION_vsdk_space_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_space_name, 0);
    return result_;
}

const char *vsdk_kick_detail_name(vsdk_kick_detail value)
{
    __typeof__(&vsdk_kick_detail_name) call_ = find(FUNCTION_vsdk_kick_detail_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_kick_detail_name, 0);
    return result_;
}

const char *vsdk_crash_detail_name(vsdk_crash_detail value)
{
    __typeof__(&vsdk_crash_detail_name) call_ = find(FUNCTION_vsdk_crash_detail_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_crash_detail_name, 0);
    return result_;
}

vsdk_vm *vsdk_vm_ref(vsdk_vm *vm)
{
    __typeof__(&vsdk_vm_ref) call_ = find(FUNCTION_vsdk_vm_ref);
    vsdk_vm *result_ = call_(vm);
    note_return(FUNCTION_vsdk_vm_ref, vm == NULL);
    return result_;
}

const char *vsdk_vm_state_name(vsdk_vm_state value)
{
    __typeof__(&vsdk_vm_state_name) call_ = find(FUNCTION_vsdk_vm_state_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_vm_state_name, 0);
    return result_;
}

const char *vsdk_irqchip_name(vsdk_irqchip value)
{
    __typeof__(&vsdk_irqchip_name) call_ = find(FUNCTION_vsdk_irqchip_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_irqchip_name, 0);
    return result_;
}

vsdk_status vsdk_vm_create(vsdk_host *host, const vsdk_vm_config *config, vsdk_vm **vm,
                           vsdk_error *error)
{
    __typeof__(&vsdk_vm_create) call_ = find(FUNCTION_vsdk_vm_create);
    vsdk_status result_ = call_(host, config, vm, error);
    note_status(FUNCTION_vsdk_vm_create, result_, host == NULL || vm == NULL);
    return result_;
}

void vsdk_vm_close(vsdk_vm *vm)
{
    __typeof__(&vsdk_vm_close) call_ = find(FUNCTION_vsdk_vm_close);
    call_(vm);
    note_return(FUNCTION_vsdk_vm_close, vm == NULL);
}

vsdk_status vsdk_vm_destroy(vsdk_vm *vm, vsdk_error *error)
{
    __typeof__(&vsdk_vm_destroy) call_ = find(FUNCTION_vsdk_vm_destroy);
    vsdk_status result_ = call_(vm, error);
    note_status(FUNCTION_vsdk_vm_destroy, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_resume(vsdk_vm *vm, vsdk_error *error)
{
    __typeof__(&vsdk_vm_resume) call_ = find(FUNCTION_vsdk_vm_resume);
    vsdk_status result_ = call_(vm, error);
    note_status(FUNCTION_vsdk_vm_resume, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_pause(vsdk_vm *vm, vsdk_pause_flags flags, uint64_t timeout_ns,
                          vsdk_error *error)
{
    __typeof__(&vsdk_vm_pause) call_ = find(FUNCTION_vsdk_vm_pause);
    vsdk_status result_ = call_(vm, flags, timeout_ns, error);
    note_status(FUNCTION_vsdk_vm_pause, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_pause_request(vsdk_vm *vm, vsdk_error *error)
{
    __typeof__(&vsdk_vm_pause_request) call_ = find(FUNCTION_vsdk_vm_pause_request);
    vsdk_status result_ = call_(vm, error);
    note_status(FUNCTION_vsdk_vm_pause_request, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_reset(vsdk_vm *vm, uint64_t timeout_ns, vsdk_error *error)
{
    __typeof__(&vsdk_vm_reset) call_ = find(FUNCTION_vsdk_vm_reset);
    vsdk_status result_ = call_(vm, timeout_ns, error);
    note_status(FUNCTION_vsdk_vm_reset, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_stop(vsdk_vm *vm, vsdk_exit_reason reason, uint64_t code, uint64_t detail,
                         vsdk_error *error)
{
    __typeof__(&vsdk_vm_stop) call_ = find(FUNCTION_vsdk_vm_stop);
    vsdk_status result_ = call_(vm, reason, code, detail, error);
    note_status(FUNCTION_vsdk_vm_stop, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_get_info(vsdk_vm *vm, vsdk_vm_info *info, vsdk_error *error)
{
    __typeof__(&vsdk_vm_get_info) call_ = find(FUNCTION_vsdk_vm_get_info);
    vsdk_status result_ = call_(vm, info, error);
    note_status(FUNCTION_vsdk_vm_get_info, result_, vm == NULL || info == NULL);
    return result_;
}

vsdk_status vsdk_vm_list_reserved(vsdk_vm *vm, vsdk_vm_range *ranges, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error)
{
    __typeof__(&vsdk_vm_list_reserved) call_ = find(FUNCTION_vsdk_vm_list_reserved);
    vsdk_status result_ = call_(vm, ranges, capacity, needed, error);
    note_status(FUNCTION_vsdk_vm_list_reserved, result_, vm == NULL || needed == NULL);
    return result_;
}

vsdk_status vsdk_vm_add_range(vsdk_vm *vm, vsdk_space space, uint64_t address, uint64_t length,
                              uint64_t tag, vsdk_error *error)
{
    __typeof__(&vsdk_vm_add_range) call_ = find(FUNCTION_vsdk_vm_add_range);
    vsdk_status result_ = call_(vm, space, address, length, tag, error);
    note_status(FUNCTION_vsdk_vm_add_range, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_remove_range(vsdk_vm *vm, vsdk_space space, uint64_t address, vsdk_error *error)
{
    __typeof__(&vsdk_vm_remove_range) call_ = find(FUNCTION_vsdk_vm_remove_range);
    vsdk_status result_ = call_(vm, space, address, error);
    note_status(FUNCTION_vsdk_vm_remove_range, result_, vm == NULL);
    return result_;
}

vsdk_vcpu *vsdk_vcpu_ref(vsdk_vcpu *vcpu)
{
    __typeof__(&vsdk_vcpu_ref) call_ = find(FUNCTION_vsdk_vcpu_ref);
    vsdk_vcpu *result_ = call_(vcpu);
    note_return(FUNCTION_vsdk_vcpu_ref, vcpu == NULL);
    return result_;
}

const char *vsdk_vcpu_phase_name(vsdk_vcpu_phase value)
{
    __typeof__(&vsdk_vcpu_phase_name) call_ = find(FUNCTION_vsdk_vcpu_phase_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_vcpu_phase_name, 0);
    return result_;
}

vsdk_status vsdk_vcpu_create(vsdk_vm *vm, uint32_t index, const vsdk_vcpu_config *config,
                             vsdk_vcpu **vcpu, vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_create) call_ = find(FUNCTION_vsdk_vcpu_create);
    vsdk_status result_ = call_(vm, index, config, vcpu, error);
    note_status(FUNCTION_vsdk_vcpu_create, result_, vm == NULL || vcpu == NULL);
    return result_;
}

void vsdk_vcpu_close(vsdk_vcpu *vcpu)
{
    __typeof__(&vsdk_vcpu_close) call_ = find(FUNCTION_vsdk_vcpu_close);
    call_(vcpu);
    note_return(FUNCTION_vsdk_vcpu_close, vcpu == NULL);
}

vsdk_exit *vsdk_vcpu_record(vsdk_vcpu *vcpu)
{
    __typeof__(&vsdk_vcpu_record) call_ = find(FUNCTION_vsdk_vcpu_record);
    vsdk_exit *result_ = call_(vcpu);
    note_return(FUNCTION_vsdk_vcpu_record, vcpu == NULL);
    return result_;
}

vsdk_status vsdk_vcpu_run(vsdk_vcpu *vcpu, uint64_t timeout_ns, vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_run) call_ = find(FUNCTION_vsdk_vcpu_run);
    vsdk_status result_ = call_(vcpu, timeout_ns, error);
    note_status(FUNCTION_vsdk_vcpu_run, result_, vcpu == NULL);
    return result_;
}

vsdk_status vsdk_vcpu_complete(vsdk_vcpu *vcpu, vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_complete) call_ = find(FUNCTION_vsdk_vcpu_complete);
    vsdk_status result_ = call_(vcpu, error);
    note_status(FUNCTION_vsdk_vcpu_complete, result_, vcpu == NULL);
    return result_;
}

vsdk_status vsdk_vcpu_kick(vsdk_vcpu *vcpu, vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_kick) call_ = find(FUNCTION_vsdk_vcpu_kick);
    vsdk_status result_ = call_(vcpu, error);
    note_status(FUNCTION_vsdk_vcpu_kick, result_, vcpu == NULL);
    return result_;
}

vsdk_status vsdk_vcpu_get_phase(vsdk_vcpu *vcpu, vsdk_vcpu_phase *phase, vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_get_phase) call_ = find(FUNCTION_vsdk_vcpu_get_phase);
    vsdk_status result_ = call_(vcpu, phase, error);
    note_status(FUNCTION_vsdk_vcpu_get_phase, result_, vcpu == NULL || phase == NULL);
    return result_;
}

vsdk_status vsdk_vcpu_get_state(vsdk_vcpu *vcpu, uint32_t state_class, void *state, uint64_t bytes,
                                vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_get_state) call_ = find(FUNCTION_vsdk_vcpu_get_state);
    vsdk_status result_ = call_(vcpu, state_class, state, bytes, error);
    note_status(FUNCTION_vsdk_vcpu_get_state, result_, vcpu == NULL || state == NULL);
    return result_;
}

vsdk_status vsdk_vcpu_set_state(vsdk_vcpu *vcpu, uint32_t state_class, const void *state,
                                uint64_t bytes, vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_set_state) call_ = find(FUNCTION_vsdk_vcpu_set_state);
    vsdk_status result_ = call_(vcpu, state_class, state, bytes, error);
    note_status(FUNCTION_vsdk_vcpu_set_state, result_, vcpu == NULL || state == NULL);
    return result_;
}

vsdk_status vsdk_vcpu_get_counters(vsdk_vcpu *vcpu, vsdk_vcpu_counters *counters, vsdk_error *error)
{
    __typeof__(&vsdk_vcpu_get_counters) call_ = find(FUNCTION_vsdk_vcpu_get_counters);
    vsdk_status result_ = call_(vcpu, counters, error);
    note_status(FUNCTION_vsdk_vcpu_get_counters, result_, vcpu == NULL || counters == NULL);
    return result_;
}

vsdk_status vsdk_x86_host_get_cpuid(vsdk_host *host, vsdk_x86_cpuid_entry *entries,
                                    uint32_t capacity, uint32_t *needed, vsdk_error *error)
{
    __typeof__(&vsdk_x86_host_get_cpuid) call_ = find(FUNCTION_vsdk_x86_host_get_cpuid);
    vsdk_status result_ = call_(host, entries, capacity, needed, error);
    note_status(FUNCTION_vsdk_x86_host_get_cpuid, result_, host == NULL || needed == NULL);
    return result_;
}

vsdk_status vsdk_x86_vm_set_cpuid(vsdk_vm *vm, const vsdk_x86_cpuid_entry *entries, uint32_t count,
                                  vsdk_error *error)
{
    __typeof__(&vsdk_x86_vm_set_cpuid) call_ = find(FUNCTION_vsdk_x86_vm_set_cpuid);
    vsdk_status result_ = call_(vm, entries, count, error);
    note_status(FUNCTION_vsdk_x86_vm_set_cpuid, result_, vm == NULL || entries == NULL);
    return result_;
}

vsdk_status vsdk_x86_vcpu_get_cpuid(vsdk_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                    vsdk_x86_cpuid_entry *entry, vsdk_error *error)
{
    __typeof__(&vsdk_x86_vcpu_get_cpuid) call_ = find(FUNCTION_vsdk_x86_vcpu_get_cpuid);
    vsdk_status result_ = call_(vcpu, leaf, subleaf, entry, error);
    note_status(FUNCTION_vsdk_x86_vcpu_get_cpuid, result_, vcpu == NULL || entry == NULL);
    return result_;
}

vsdk_status vsdk_x86_vcpu_inject_nmi(vsdk_vcpu *vcpu, vsdk_error *error)
{
    __typeof__(&vsdk_x86_vcpu_inject_nmi) call_ = find(FUNCTION_vsdk_x86_vcpu_inject_nmi);
    vsdk_status result_ = call_(vcpu, error);
    note_status(FUNCTION_vsdk_x86_vcpu_inject_nmi, result_, vcpu == NULL);
    return result_;
}

vsdk_x86_regs *vsdk_x86_vcpu_sync_regs(vsdk_vcpu *vcpu)
{
    __typeof__(&vsdk_x86_vcpu_sync_regs) call_ = find(FUNCTION_vsdk_x86_vcpu_sync_regs);
    vsdk_x86_regs *result_ = call_(vcpu);
    note_return(FUNCTION_vsdk_x86_vcpu_sync_regs, vcpu == NULL);
    return result_;
}

vsdk_x86_sregs *vsdk_x86_vcpu_sync_sregs(vsdk_vcpu *vcpu)
{
    __typeof__(&vsdk_x86_vcpu_sync_sregs) call_ = find(FUNCTION_vsdk_x86_vcpu_sync_sregs);
    vsdk_x86_sregs *result_ = call_(vcpu);
    note_return(FUNCTION_vsdk_x86_vcpu_sync_sregs, vcpu == NULL);
    return result_;
}

vsdk_status vsdk_x86_vcpu_sync_write(vsdk_vcpu *vcpu, vsdk_vcpu_flags classes, vsdk_error *error)
{
    __typeof__(&vsdk_x86_vcpu_sync_write) call_ = find(FUNCTION_vsdk_x86_vcpu_sync_write);
    vsdk_status result_ = call_(vcpu, classes, error);
    note_status(FUNCTION_vsdk_x86_vcpu_sync_write, result_, vcpu == NULL);
    return result_;
}

vsdk_ram *vsdk_ram_ref(vsdk_ram *ram)
{
    __typeof__(&vsdk_ram_ref) call_ = find(FUNCTION_vsdk_ram_ref);
    vsdk_ram *result_ = call_(ram);
    note_return(FUNCTION_vsdk_ram_ref, ram == NULL);
    return result_;
}

const char *vsdk_ram_backing_name(vsdk_ram_backing value)
{
    __typeof__(&vsdk_ram_backing_name) call_ = find(FUNCTION_vsdk_ram_backing_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_ram_backing_name, 0);
    return result_;
}

const char *vsdk_ram_sharing_name(vsdk_ram_sharing value)
{
    __typeof__(&vsdk_ram_sharing_name) call_ = find(FUNCTION_vsdk_ram_sharing_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_ram_sharing_name, 0);
    return result_;
}

vsdk_status vsdk_ram_create(vsdk_vm *vm, uint64_t bytes, const vsdk_ram_config *config,
                            vsdk_ram **ram, vsdk_error *error)
{
    __typeof__(&vsdk_ram_create) call_ = find(FUNCTION_vsdk_ram_create);
    vsdk_status result_ = call_(vm, bytes, config, ram, error);
    note_status(FUNCTION_vsdk_ram_create, result_, vm == NULL || ram == NULL);
    return result_;
}

void vsdk_ram_close(vsdk_ram *ram)
{
    __typeof__(&vsdk_ram_close) call_ = find(FUNCTION_vsdk_ram_close);
    call_(ram);
    note_return(FUNCTION_vsdk_ram_close, ram == NULL);
}

void *vsdk_ram_data(vsdk_ram *ram)
{
    __typeof__(&vsdk_ram_data) call_ = find(FUNCTION_vsdk_ram_data);
    void *result_ = call_(ram);
    note_return(FUNCTION_vsdk_ram_data, ram == NULL);
    return result_;
}

vsdk_status vsdk_ram_mark_dirty(vsdk_ram *ram, uint64_t offset, uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_ram_mark_dirty) call_ = find(FUNCTION_vsdk_ram_mark_dirty);
    vsdk_status result_ = call_(ram, offset, length, error);
    note_status(FUNCTION_vsdk_ram_mark_dirty, result_, ram == NULL);
    return result_;
}

vsdk_status vsdk_ram_get_dirty(vsdk_ram *ram, vsdk_dirty_flags flags, uint64_t *cursor,
                               vsdk_ram_range *ranges, uint32_t capacity, uint32_t *count,
                               vsdk_error *error)
{
    __typeof__(&vsdk_ram_get_dirty) call_ = find(FUNCTION_vsdk_ram_get_dirty);
    vsdk_status result_ = call_(ram, flags, cursor, ranges, capacity, count, error);
    note_status(FUNCTION_vsdk_ram_get_dirty, result_, ram == NULL || cursor == NULL || ranges == NULL || count == NULL);
    return result_;
}

uint64_t vsdk_ram_size(const vsdk_ram *ram)
{
    __typeof__(&vsdk_ram_size) call_ = find(FUNCTION_vsdk_ram_size);
    uint64_t result_ = call_(ram);
    note_return(FUNCTION_vsdk_ram_size, ram == NULL);
    return result_;
}

vsdk_status vsdk_vm_map(vsdk_vm *vm, uint64_t gpa, vsdk_ram *ram, uint64_t offset, uint64_t length,
                        uint32_t flags, vsdk_error *error)
{
    __typeof__(&vsdk_vm_map) call_ = find(FUNCTION_vsdk_vm_map);
    vsdk_status result_ = call_(vm, gpa, ram, offset, length, flags, error);
    note_status(FUNCTION_vsdk_vm_map, result_, vm == NULL || ram == NULL);
    return result_;
}

vsdk_status vsdk_vm_unmap(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_vm_unmap) call_ = find(FUNCTION_vsdk_vm_unmap);
    vsdk_status result_ = call_(vm, gpa, length, error);
    note_status(FUNCTION_vsdk_vm_unmap, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_protect(vsdk_vm *vm, uint64_t gpa, uint64_t length, uint32_t flags,
                            vsdk_error *error)
{
    __typeof__(&vsdk_vm_protect) call_ = find(FUNCTION_vsdk_vm_protect);
    vsdk_status result_ = call_(vm, gpa, length, flags, error);
    note_status(FUNCTION_vsdk_vm_protect, result_, vm == NULL);
    return result_;
}

vsdk_stream *vsdk_stream_ref(vsdk_stream *stream)
{
    __typeof__(&vsdk_stream_ref) call_ = find(FUNCTION_vsdk_stream_ref);
    vsdk_stream *result_ = call_(stream);
    note_return(FUNCTION_vsdk_stream_ref, stream == NULL);
    return result_;
}

vsdk_status vsdk_stream_create(const vsdk_stream_config *config, vsdk_stream **near,
                               vsdk_stream **far, vsdk_error *error)
{
    __typeof__(&vsdk_stream_create) call_ = find(FUNCTION_vsdk_stream_create);
    vsdk_status result_ = call_(config, near, far, error);
    note_status(FUNCTION_vsdk_stream_create, result_, near == NULL || far == NULL);
    return result_;
}

void vsdk_stream_close(vsdk_stream *stream)
{
    __typeof__(&vsdk_stream_close) call_ = find(FUNCTION_vsdk_stream_close);
    call_(stream);
    note_return(FUNCTION_vsdk_stream_close, stream == NULL);
}

vsdk_status vsdk_stream_read(vsdk_stream *stream, void *buffer, uint64_t capacity, uint64_t *got,
                             vsdk_error *error)
{
    __typeof__(&vsdk_stream_read) call_ = find(FUNCTION_vsdk_stream_read);
    vsdk_status result_ = call_(stream, buffer, capacity, got, error);
    note_status(FUNCTION_vsdk_stream_read, result_, stream == NULL || buffer == NULL || got == NULL);
    return result_;
}

vsdk_status vsdk_stream_write(vsdk_stream *stream, const void *bytes, uint64_t length,
                              uint64_t *accepted, vsdk_error *error)
{
    __typeof__(&vsdk_stream_write) call_ = find(FUNCTION_vsdk_stream_write);
    vsdk_status result_ = call_(stream, bytes, length, accepted, error);
    note_status(FUNCTION_vsdk_stream_write, result_, stream == NULL || bytes == NULL);
    return result_;
}

vsdk_stream_events vsdk_stream_ready(vsdk_stream *stream)
{
    __typeof__(&vsdk_stream_ready) call_ = find(FUNCTION_vsdk_stream_ready);
    vsdk_stream_events result_ = call_(stream);
    note_return(FUNCTION_vsdk_stream_ready, stream == NULL);
    return result_;
}

int32_t vsdk_stream_descriptor(vsdk_stream *stream, vsdk_error *error)
{
    __typeof__(&vsdk_stream_descriptor) call_ = find(FUNCTION_vsdk_stream_descriptor);
    int32_t result_ = call_(stream, error);
    note_return(FUNCTION_vsdk_stream_descriptor, stream == NULL);
    return result_;
}

vsdk_status vsdk_stream_set_handler(vsdk_stream *stream, vsdk_stream_fn fn, void *user,
                                    vsdk_release_fn release, vsdk_error *error)
{
    __typeof__(&vsdk_stream_set_handler) call_ = find(FUNCTION_vsdk_stream_set_handler);
    vsdk_status result_ = call_(stream, fn, user, release, error);
    note_status(FUNCTION_vsdk_stream_set_handler, result_, stream == NULL);
    return result_;
}

vsdk_disk *vsdk_disk_ref(vsdk_disk *disk)
{
    __typeof__(&vsdk_disk_ref) call_ = find(FUNCTION_vsdk_disk_ref);
    vsdk_disk *result_ = call_(disk);
    note_return(FUNCTION_vsdk_disk_ref, disk == NULL);
    return result_;
}

vsdk_disk_channel *vsdk_disk_channel_ref(vsdk_disk_channel *disk_channel)
{
    __typeof__(&vsdk_disk_channel_ref) call_ = find(FUNCTION_vsdk_disk_channel_ref);
    vsdk_disk_channel *result_ = call_(disk_channel);
    note_return(FUNCTION_vsdk_disk_channel_ref, disk_channel == NULL);
    return result_;
}

vsdk_disk_watch *vsdk_disk_watch_ref(vsdk_disk_watch *disk_watch)
{
    __typeof__(&vsdk_disk_watch_ref) call_ = find(FUNCTION_vsdk_disk_watch_ref);
    vsdk_disk_watch *result_ = call_(disk_watch);
    note_return(FUNCTION_vsdk_disk_watch_ref, disk_watch == NULL);
    return result_;
}

const char *vsdk_disk_format_name(vsdk_disk_format value)
{
    __typeof__(&vsdk_disk_format_name) call_ = find(FUNCTION_vsdk_disk_format_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_disk_format_name, 0);
    return result_;
}

const char *vsdk_disk_cache_name(vsdk_disk_cache value)
{
    __typeof__(&vsdk_disk_cache_name) call_ = find(FUNCTION_vsdk_disk_cache_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_disk_cache_name, 0);
    return result_;
}

const char *vsdk_disk_operation_name(vsdk_disk_operation value)
{
    __typeof__(&vsdk_disk_operation_name) call_ = find(FUNCTION_vsdk_disk_operation_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_disk_operation_name, 0);
    return result_;
}

vsdk_status vsdk_disk_open(const vsdk_disk_config *config, vsdk_disk **disk, vsdk_error *error)
{
    __typeof__(&vsdk_disk_open) call_ = find(FUNCTION_vsdk_disk_open);
    vsdk_status result_ = call_(config, disk, error);
    note_status(FUNCTION_vsdk_disk_open, result_, config == NULL || disk == NULL);
    return result_;
}

vsdk_status vsdk_disk_create(const vsdk_disk_ops *ops, void *user, const vsdk_disk_custom *config,
                             vsdk_disk **disk, vsdk_error *error)
{
    __typeof__(&vsdk_disk_create) call_ = find(FUNCTION_vsdk_disk_create);
    vsdk_status result_ = call_(ops, user, config, disk, error);
    note_status(FUNCTION_vsdk_disk_create, result_, ops == NULL || config == NULL || disk == NULL);
    return result_;
}

vsdk_status vsdk_disk_create_memory(const vsdk_disk_custom *config, vsdk_disk **disk,
                                    vsdk_error *error)
{
    __typeof__(&vsdk_disk_create_memory) call_ = find(FUNCTION_vsdk_disk_create_memory);
    vsdk_status result_ = call_(config, disk, error);
    note_status(FUNCTION_vsdk_disk_create_memory, result_, config == NULL || disk == NULL);
    return result_;
}

vsdk_status vsdk_disk_create_image(const vsdk_disk_image *image, vsdk_error *error)
{
    __typeof__(&vsdk_disk_create_image) call_ = find(FUNCTION_vsdk_disk_create_image);
    vsdk_status result_ = call_(image, error);
    note_status(FUNCTION_vsdk_disk_create_image, result_, image == NULL);
    return result_;
}

void vsdk_disk_close(vsdk_disk *disk)
{
    __typeof__(&vsdk_disk_close) call_ = find(FUNCTION_vsdk_disk_close);
    call_(disk);
    note_return(FUNCTION_vsdk_disk_close, disk == NULL);
}

vsdk_status vsdk_disk_get_info(vsdk_disk *disk, vsdk_disk_info *info, vsdk_error *error)
{
    __typeof__(&vsdk_disk_get_info) call_ = find(FUNCTION_vsdk_disk_get_info);
    vsdk_status result_ = call_(disk, info, error);
    note_status(FUNCTION_vsdk_disk_get_info, result_, disk == NULL || info == NULL);
    return result_;
}

vsdk_status vsdk_disk_read(vsdk_disk *disk, uint64_t offset, void *buffer, uint64_t length,
                           vsdk_error *error)
{
    __typeof__(&vsdk_disk_read) call_ = find(FUNCTION_vsdk_disk_read);
    vsdk_status result_ = call_(disk, offset, buffer, length, error);
    note_status(FUNCTION_vsdk_disk_read, result_, disk == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_disk_write(vsdk_disk *disk, uint64_t offset, const void *buffer, uint64_t length,
                            vsdk_error *error)
{
    __typeof__(&vsdk_disk_write) call_ = find(FUNCTION_vsdk_disk_write);
    vsdk_status result_ = call_(disk, offset, buffer, length, error);
    note_status(FUNCTION_vsdk_disk_write, result_, disk == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_disk_flush(vsdk_disk *disk, vsdk_error *error)
{
    __typeof__(&vsdk_disk_flush) call_ = find(FUNCTION_vsdk_disk_flush);
    vsdk_status result_ = call_(disk, error);
    note_status(FUNCTION_vsdk_disk_flush, result_, disk == NULL);
    return result_;
}

vsdk_status vsdk_disk_discard(vsdk_disk *disk, uint64_t offset, uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_disk_discard) call_ = find(FUNCTION_vsdk_disk_discard);
    vsdk_status result_ = call_(disk, offset, length, error);
    note_status(FUNCTION_vsdk_disk_discard, result_, disk == NULL);
    return result_;
}

vsdk_status vsdk_disk_write_zeroes(vsdk_disk *disk, uint64_t offset, uint64_t length,
                                   vsdk_disk_request_flags flags, vsdk_error *error)
{
    __typeof__(&vsdk_disk_write_zeroes) call_ = find(FUNCTION_vsdk_disk_write_zeroes);
    vsdk_status result_ = call_(disk, offset, length, flags, error);
    note_status(FUNCTION_vsdk_disk_write_zeroes, result_, disk == NULL);
    return result_;
}

vsdk_status vsdk_disk_resize(vsdk_disk *disk, uint64_t capacity, vsdk_error *error)
{
    __typeof__(&vsdk_disk_resize) call_ = find(FUNCTION_vsdk_disk_resize);
    vsdk_status result_ = call_(disk, capacity, error);
    note_status(FUNCTION_vsdk_disk_resize, result_, disk == NULL);
    return result_;
}

vsdk_status vsdk_disk_check(vsdk_disk *disk, vsdk_disk_check_flags flags, vsdk_disk_report *report,
                            vsdk_error *error)
{
    __typeof__(&vsdk_disk_check) call_ = find(FUNCTION_vsdk_disk_check);
    vsdk_status result_ = call_(disk, flags, report, error);
    note_status(FUNCTION_vsdk_disk_check, result_, disk == NULL || report == NULL);
    return result_;
}

vsdk_status vsdk_disk_channel_create(vsdk_disk *disk, vsdk_disk_done_fn done, void *user,
                                     vsdk_release_fn release, vsdk_disk_channel **channel,
                                     vsdk_error *error)
{
    __typeof__(&vsdk_disk_channel_create) call_ = find(FUNCTION_vsdk_disk_channel_create);
    vsdk_status result_ = call_(disk, done, user, release, channel, error);
    note_status(FUNCTION_vsdk_disk_channel_create, result_, disk == NULL || done == NULL || channel == NULL);
    return result_;
}

void vsdk_disk_channel_close(vsdk_disk_channel *channel)
{
    __typeof__(&vsdk_disk_channel_close) call_ = find(FUNCTION_vsdk_disk_channel_close);
    call_(channel);
    note_return(FUNCTION_vsdk_disk_channel_close, channel == NULL);
}

vsdk_status vsdk_disk_submit(vsdk_disk_channel *channel, vsdk_disk_request *const *requests,
                             uint32_t count, vsdk_error *error)
{
    __typeof__(&vsdk_disk_submit) call_ = find(FUNCTION_vsdk_disk_submit);
    vsdk_status result_ = call_(channel, requests, count, error);
    note_status(FUNCTION_vsdk_disk_submit, result_, channel == NULL || requests == NULL);
    return result_;
}

vsdk_status vsdk_disk_drain(vsdk_disk_channel *channel, uint64_t timeout_ns, vsdk_error *error)
{
    __typeof__(&vsdk_disk_drain) call_ = find(FUNCTION_vsdk_disk_drain);
    vsdk_status result_ = call_(channel, timeout_ns, error);
    note_status(FUNCTION_vsdk_disk_drain, result_, channel == NULL);
    return result_;
}

vsdk_status vsdk_disk_watch_create(vsdk_disk *disk, vsdk_disk_resized_fn fn, void *user,
                                   vsdk_release_fn release, vsdk_disk_watch **watch,
                                   vsdk_error *error)
{
    __typeof__(&vsdk_disk_watch_create) call_ = find(FUNCTION_vsdk_disk_watch_create);
    vsdk_status result_ = call_(disk, fn, user, release, watch, error);
    note_status(FUNCTION_vsdk_disk_watch_create, result_, disk == NULL || fn == NULL || watch == NULL);
    return result_;
}

void vsdk_disk_watch_close(vsdk_disk_watch *watch)
{
    __typeof__(&vsdk_disk_watch_close) call_ = find(FUNCTION_vsdk_disk_watch_close);
    call_(watch);
    note_return(FUNCTION_vsdk_disk_watch_close, watch == NULL);
}

vsdk_status vsdk_state_put_number(vsdk_state_writer *writer, const char *name, uint64_t value,
                                  vsdk_error *error)
{
    __typeof__(&vsdk_state_put_number) call_ = find(FUNCTION_vsdk_state_put_number);
    vsdk_status result_ = call_(writer, name, value, error);
    note_status(FUNCTION_vsdk_state_put_number, result_, writer == NULL || name == NULL);
    return result_;
}

vsdk_status vsdk_state_put_bytes(vsdk_state_writer *writer, const char *name, const void *bytes,
                                 uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_state_put_bytes) call_ = find(FUNCTION_vsdk_state_put_bytes);
    vsdk_status result_ = call_(writer, name, bytes, length, error);
    note_status(FUNCTION_vsdk_state_put_bytes, result_, writer == NULL || name == NULL);
    return result_;
}

vsdk_status vsdk_state_get_number(vsdk_state_reader *reader, const char *name, uint64_t most,
                                  uint64_t *value, vsdk_error *error)
{
    __typeof__(&vsdk_state_get_number) call_ = find(FUNCTION_vsdk_state_get_number);
    vsdk_status result_ = call_(reader, name, most, value, error);
    note_status(FUNCTION_vsdk_state_get_number, result_, reader == NULL || name == NULL || value == NULL);
    return result_;
}

vsdk_status vsdk_state_get_bytes(vsdk_state_reader *reader, const char *name, void *bytes,
                                 uint64_t capacity, uint64_t *length, vsdk_error *error)
{
    __typeof__(&vsdk_state_get_bytes) call_ = find(FUNCTION_vsdk_state_get_bytes);
    vsdk_status result_ = call_(reader, name, bytes, capacity, length, error);
    note_status(FUNCTION_vsdk_state_get_bytes, result_, reader == NULL || name == NULL || length == NULL);
    return result_;
}

uint32_t vsdk_state_has(vsdk_state_reader *reader, const char *name)
{
    __typeof__(&vsdk_state_has) call_ = find(FUNCTION_vsdk_state_has);
    uint32_t result_ = call_(reader, name);
    note_return(FUNCTION_vsdk_state_has, reader == NULL || name == NULL);
    return result_;
}

vsdk_device *vsdk_device_ref(vsdk_device *device)
{
    __typeof__(&vsdk_device_ref) call_ = find(FUNCTION_vsdk_device_ref);
    vsdk_device *result_ = call_(device);
    note_return(FUNCTION_vsdk_device_ref, device == NULL);
    return result_;
}

const char *vsdk_stop_mode_name(vsdk_stop_mode value)
{
    __typeof__(&vsdk_stop_mode_name) call_ = find(FUNCTION_vsdk_stop_mode_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_stop_mode_name, 0);
    return result_;
}

vsdk_status vsdk_device_create(vsdk_vm *vm, const vsdk_device_ops *ops, void *user,
                               const vsdk_device_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    __typeof__(&vsdk_device_create) call_ = find(FUNCTION_vsdk_device_create);
    vsdk_status result_ = call_(vm, ops, user, config, device, error);
    note_status(FUNCTION_vsdk_device_create, result_, vm == NULL || ops == NULL || device == NULL);
    return result_;
}

void vsdk_device_close(vsdk_device *device)
{
    __typeof__(&vsdk_device_close) call_ = find(FUNCTION_vsdk_device_close);
    call_(device);
    note_return(FUNCTION_vsdk_device_close, device == NULL);
}

vsdk_status vsdk_device_add_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                  uint64_t length, uint32_t region, vsdk_error *error)
{
    __typeof__(&vsdk_device_add_range) call_ = find(FUNCTION_vsdk_device_add_range);
    vsdk_status result_ = call_(device, space, address, length, region, error);
    note_status(FUNCTION_vsdk_device_add_range, result_, device == NULL);
    return result_;
}

vsdk_status vsdk_device_remove_range(vsdk_device *device, vsdk_space space, uint64_t address,
                                     vsdk_error *error)
{
    __typeof__(&vsdk_device_remove_range) call_ = find(FUNCTION_vsdk_device_remove_range);
    vsdk_status result_ = call_(device, space, address, error);
    note_status(FUNCTION_vsdk_device_remove_range, result_, device == NULL);
    return result_;
}

vsdk_status vsdk_device_detach(vsdk_device *device, vsdk_error *error)
{
    __typeof__(&vsdk_device_detach) call_ = find(FUNCTION_vsdk_device_detach);
    vsdk_status result_ = call_(device, error);
    note_status(FUNCTION_vsdk_device_detach, result_, device == NULL);
    return result_;
}

vsdk_status vsdk_device_stopped(vsdk_device *device, vsdk_error *error)
{
    __typeof__(&vsdk_device_stopped) call_ = find(FUNCTION_vsdk_device_stopped);
    vsdk_status result_ = call_(device, error);
    note_status(FUNCTION_vsdk_device_stopped, result_, device == NULL);
    return result_;
}

void *vsdk_device_user(vsdk_device *device, const vsdk_device_ops *ops)
{
    __typeof__(&vsdk_device_user) call_ = find(FUNCTION_vsdk_device_user);
    void *result_ = call_(device, ops);
    note_return(FUNCTION_vsdk_device_user, device == NULL || ops == NULL);
    return result_;
}

vsdk_vm *vsdk_device_vm(vsdk_device *device)
{
    __typeof__(&vsdk_device_vm) call_ = find(FUNCTION_vsdk_device_vm);
    vsdk_vm *result_ = call_(device);
    note_return(FUNCTION_vsdk_device_vm, device == NULL);
    return result_;
}

vsdk_status vsdk_device_enter(vsdk_device *device, vsdk_error *error)
{
    __typeof__(&vsdk_device_enter) call_ = find(FUNCTION_vsdk_device_enter);
    vsdk_status result_ = call_(device, error);
    note_status(FUNCTION_vsdk_device_enter, result_, device == NULL);
    return result_;
}

void vsdk_device_leave(vsdk_device *device)
{
    __typeof__(&vsdk_device_leave) call_ = find(FUNCTION_vsdk_device_leave);
    call_(device);
    note_return(FUNCTION_vsdk_device_leave, device == NULL);
}

vsdk_status vsdk_device_save(vsdk_device *device, void *bytes, uint64_t capacity, uint64_t *needed,
                             vsdk_error *error)
{
    __typeof__(&vsdk_device_save) call_ = find(FUNCTION_vsdk_device_save);
    vsdk_status result_ = call_(device, bytes, capacity, needed, error);
    note_status(FUNCTION_vsdk_device_save, result_, device == NULL || needed == NULL);
    return result_;
}

vsdk_status vsdk_device_load(vsdk_device *device, const void *bytes, uint64_t length,
                             vsdk_error *error)
{
    __typeof__(&vsdk_device_load) call_ = find(FUNCTION_vsdk_device_load);
    vsdk_status result_ = call_(device, bytes, length, error);
    note_status(FUNCTION_vsdk_device_load, result_, device == NULL || bytes == NULL);
    return result_;
}

vsdk_status vsdk_vm_read(vsdk_vm *vm, uint64_t gpa, void *buffer, uint64_t length,
                         vsdk_error *error)
{
    __typeof__(&vsdk_vm_read) call_ = find(FUNCTION_vsdk_vm_read);
    vsdk_status result_ = call_(vm, gpa, buffer, length, error);
    note_status(FUNCTION_vsdk_vm_read, result_, vm == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_vm_write(vsdk_vm *vm, uint64_t gpa, const void *buffer, uint64_t length,
                          vsdk_error *error)
{
    __typeof__(&vsdk_vm_write) call_ = find(FUNCTION_vsdk_vm_write);
    vsdk_status result_ = call_(vm, gpa, buffer, length, error);
    note_status(FUNCTION_vsdk_vm_write, result_, vm == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_vm_probe(vsdk_vm *vm, uint64_t gpa, uint64_t length, vsdk_dma_intent intent,
                          vsdk_error *error)
{
    __typeof__(&vsdk_vm_probe) call_ = find(FUNCTION_vsdk_vm_probe);
    vsdk_status result_ = call_(vm, gpa, length, intent, error);
    note_status(FUNCTION_vsdk_vm_probe, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_dma_read(vsdk_device *device, uint64_t gpa, void *buffer, uint64_t length,
                          vsdk_error *error)
{
    __typeof__(&vsdk_dma_read) call_ = find(FUNCTION_vsdk_dma_read);
    vsdk_status result_ = call_(device, gpa, buffer, length, error);
    note_status(FUNCTION_vsdk_dma_read, result_, device == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_dma_write(vsdk_device *device, uint64_t gpa, const void *buffer, uint64_t length,
                           vsdk_error *error)
{
    __typeof__(&vsdk_dma_write) call_ = find(FUNCTION_vsdk_dma_write);
    vsdk_status result_ = call_(device, gpa, buffer, length, error);
    note_status(FUNCTION_vsdk_dma_write, result_, device == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_dma_map(vsdk_device *device, uint64_t gpa, uint64_t length, vsdk_dma_intent intent,
                         vsdk_dma_view *view, vsdk_error *error)
{
    __typeof__(&vsdk_dma_map) call_ = find(FUNCTION_vsdk_dma_map);
    vsdk_status result_ = call_(device, gpa, length, intent, view, error);
    note_status(FUNCTION_vsdk_dma_map, result_, device == NULL || view == NULL);
    return result_;
}

void vsdk_dma_unmap(vsdk_dma_view *view)
{
    __typeof__(&vsdk_dma_unmap) call_ = find(FUNCTION_vsdk_dma_unmap);
    call_(view);
    note_return(FUNCTION_vsdk_dma_unmap, view == NULL);
}

vsdk_irq *vsdk_irq_ref(vsdk_irq *irq)
{
    __typeof__(&vsdk_irq_ref) call_ = find(FUNCTION_vsdk_irq_ref);
    vsdk_irq *result_ = call_(irq);
    note_return(FUNCTION_vsdk_irq_ref, irq == NULL);
    return result_;
}

vsdk_msi *vsdk_msi_ref(vsdk_msi *msi)
{
    __typeof__(&vsdk_msi_ref) call_ = find(FUNCTION_vsdk_msi_ref);
    vsdk_msi *result_ = call_(msi);
    note_return(FUNCTION_vsdk_msi_ref, msi == NULL);
    return result_;
}

const char *vsdk_irq_trigger_name(vsdk_irq_trigger value)
{
    __typeof__(&vsdk_irq_trigger_name) call_ = find(FUNCTION_vsdk_irq_trigger_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_irq_trigger_name, 0);
    return result_;
}

vsdk_status vsdk_irq_create(vsdk_vm *vm, const vsdk_irq_config *config, vsdk_irq **irq,
                            vsdk_error *error)
{
    __typeof__(&vsdk_irq_create) call_ = find(FUNCTION_vsdk_irq_create);
    vsdk_status result_ = call_(vm, config, irq, error);
    note_status(FUNCTION_vsdk_irq_create, result_, vm == NULL || config == NULL || irq == NULL);
    return result_;
}

void vsdk_irq_close(vsdk_irq *irq)
{
    __typeof__(&vsdk_irq_close) call_ = find(FUNCTION_vsdk_irq_close);
    call_(irq);
    note_return(FUNCTION_vsdk_irq_close, irq == NULL);
}

vsdk_status vsdk_irq_raise(vsdk_irq *irq, vsdk_error *error)
{
    __typeof__(&vsdk_irq_raise) call_ = find(FUNCTION_vsdk_irq_raise);
    vsdk_status result_ = call_(irq, error);
    note_status(FUNCTION_vsdk_irq_raise, result_, irq == NULL);
    return result_;
}

vsdk_status vsdk_irq_lower(vsdk_irq *irq, vsdk_error *error)
{
    __typeof__(&vsdk_irq_lower) call_ = find(FUNCTION_vsdk_irq_lower);
    vsdk_status result_ = call_(irq, error);
    note_status(FUNCTION_vsdk_irq_lower, result_, irq == NULL);
    return result_;
}

vsdk_status vsdk_irq_pulse(vsdk_irq *irq, vsdk_error *error)
{
    __typeof__(&vsdk_irq_pulse) call_ = find(FUNCTION_vsdk_irq_pulse);
    vsdk_status result_ = call_(irq, error);
    note_status(FUNCTION_vsdk_irq_pulse, result_, irq == NULL);
    return result_;
}

vsdk_status vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    __typeof__(&vsdk_vm_send_msi) call_ = find(FUNCTION_vsdk_vm_send_msi);
    vsdk_status result_ = call_(vm, address, data, error);
    note_status(FUNCTION_vsdk_vm_send_msi, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_msi_create(vsdk_vm *vm, const vsdk_msi_config *config, vsdk_msi **msi,
                            vsdk_error *error)
{
    __typeof__(&vsdk_msi_create) call_ = find(FUNCTION_vsdk_msi_create);
    vsdk_status result_ = call_(vm, config, msi, error);
    note_status(FUNCTION_vsdk_msi_create, result_, vm == NULL || msi == NULL);
    return result_;
}

void vsdk_msi_close(vsdk_msi *msi)
{
    __typeof__(&vsdk_msi_close) call_ = find(FUNCTION_vsdk_msi_close);
    call_(msi);
    note_return(FUNCTION_vsdk_msi_close, msi == NULL);
}

vsdk_status vsdk_msi_set(vsdk_msi *msi, uint64_t address, uint32_t data, vsdk_error *error)
{
    __typeof__(&vsdk_msi_set) call_ = find(FUNCTION_vsdk_msi_set);
    vsdk_status result_ = call_(msi, address, data, error);
    note_status(FUNCTION_vsdk_msi_set, result_, msi == NULL);
    return result_;
}

vsdk_status vsdk_msi_send(vsdk_msi *msi, vsdk_error *error)
{
    __typeof__(&vsdk_msi_send) call_ = find(FUNCTION_vsdk_msi_send);
    vsdk_status result_ = call_(msi, error);
    note_status(FUNCTION_vsdk_msi_send, result_, msi == NULL);
    return result_;
}

int32_t vsdk_msi_descriptor(vsdk_msi *msi, vsdk_error *error)
{
    __typeof__(&vsdk_msi_descriptor) call_ = find(FUNCTION_vsdk_msi_descriptor);
    int32_t result_ = call_(msi, error);
    note_return(FUNCTION_vsdk_msi_descriptor, msi == NULL);
    return result_;
}

vsdk_status vsdk_irq_controller_attach(vsdk_vm *vm, uint32_t first_gsi, uint32_t count,
                                       vsdk_irq_line_fn set_line, void *user,
                                       vsdk_release_fn release, vsdk_error *error)
{
    __typeof__(&vsdk_irq_controller_attach) call_ = find(FUNCTION_vsdk_irq_controller_attach);
    vsdk_status result_ = call_(vm, first_gsi, count, set_line, user, release, error);
    note_status(FUNCTION_vsdk_irq_controller_attach, result_, vm == NULL || set_line == NULL);
    return result_;
}

vsdk_status vsdk_irq_controller_detach(vsdk_vm *vm, uint32_t first_gsi, vsdk_error *error)
{
    __typeof__(&vsdk_irq_controller_detach) call_ = find(FUNCTION_vsdk_irq_controller_detach);
    vsdk_status result_ = call_(vm, first_gsi, error);
    note_status(FUNCTION_vsdk_irq_controller_detach, result_, vm == NULL);
    return result_;
}

vsdk_doorbell *vsdk_doorbell_ref(vsdk_doorbell *doorbell)
{
    __typeof__(&vsdk_doorbell_ref) call_ = find(FUNCTION_vsdk_doorbell_ref);
    vsdk_doorbell *result_ = call_(doorbell);
    note_return(FUNCTION_vsdk_doorbell_ref, doorbell == NULL);
    return result_;
}

vsdk_status vsdk_doorbell_create(vsdk_vm *vm, const vsdk_doorbell_config *config,
                                 vsdk_doorbell **doorbell, vsdk_error *error)
{
    __typeof__(&vsdk_doorbell_create) call_ = find(FUNCTION_vsdk_doorbell_create);
    vsdk_status result_ = call_(vm, config, doorbell, error);
    note_status(FUNCTION_vsdk_doorbell_create, result_, vm == NULL || config == NULL || doorbell == NULL);
    return result_;
}

void vsdk_doorbell_close(vsdk_doorbell *doorbell)
{
    __typeof__(&vsdk_doorbell_close) call_ = find(FUNCTION_vsdk_doorbell_close);
    call_(doorbell);
    note_return(FUNCTION_vsdk_doorbell_close, doorbell == NULL);
}

int32_t vsdk_doorbell_descriptor(vsdk_doorbell *doorbell)
{
    __typeof__(&vsdk_doorbell_descriptor) call_ = find(FUNCTION_vsdk_doorbell_descriptor);
    int32_t result_ = call_(doorbell);
    note_return(FUNCTION_vsdk_doorbell_descriptor, doorbell == NULL);
    return result_;
}

vsdk_status vsdk_doorbell_take(vsdk_doorbell *doorbell, uint64_t *rings, vsdk_error *error)
{
    __typeof__(&vsdk_doorbell_take) call_ = find(FUNCTION_vsdk_doorbell_take);
    vsdk_status result_ = call_(doorbell, rings, error);
    note_status(FUNCTION_vsdk_doorbell_take, result_, doorbell == NULL || rings == NULL);
    return result_;
}

vsdk_loop *vsdk_loop_ref(vsdk_loop *loop)
{
    __typeof__(&vsdk_loop_ref) call_ = find(FUNCTION_vsdk_loop_ref);
    vsdk_loop *result_ = call_(loop);
    note_return(FUNCTION_vsdk_loop_ref, loop == NULL);
    return result_;
}

vsdk_watch *vsdk_watch_ref(vsdk_watch *watch)
{
    __typeof__(&vsdk_watch_ref) call_ = find(FUNCTION_vsdk_watch_ref);
    vsdk_watch *result_ = call_(watch);
    note_return(FUNCTION_vsdk_watch_ref, watch == NULL);
    return result_;
}

vsdk_timer *vsdk_timer_ref(vsdk_timer *timer)
{
    __typeof__(&vsdk_timer_ref) call_ = find(FUNCTION_vsdk_timer_ref);
    vsdk_timer *result_ = call_(timer);
    note_return(FUNCTION_vsdk_timer_ref, timer == NULL);
    return result_;
}

vsdk_work *vsdk_work_ref(vsdk_work *work)
{
    __typeof__(&vsdk_work_ref) call_ = find(FUNCTION_vsdk_work_ref);
    vsdk_work *result_ = call_(work);
    note_return(FUNCTION_vsdk_work_ref, work == NULL);
    return result_;
}

vsdk_status vsdk_loop_create(vsdk_loop **loop, vsdk_error *error)
{
    __typeof__(&vsdk_loop_create) call_ = find(FUNCTION_vsdk_loop_create);
    vsdk_status result_ = call_(loop, error);
    note_status(FUNCTION_vsdk_loop_create, result_, loop == NULL);
    return result_;
}

void vsdk_loop_close(vsdk_loop *loop)
{
    __typeof__(&vsdk_loop_close) call_ = find(FUNCTION_vsdk_loop_close);
    call_(loop);
    note_return(FUNCTION_vsdk_loop_close, loop == NULL);
}

vsdk_loop *vsdk_vm_loop(vsdk_vm *vm, vsdk_error *error)
{
    __typeof__(&vsdk_vm_loop) call_ = find(FUNCTION_vsdk_vm_loop);
    vsdk_loop *result_ = call_(vm, error);
    note_return(FUNCTION_vsdk_vm_loop, vm == NULL);
    return result_;
}

int32_t vsdk_loop_descriptor(vsdk_loop *loop)
{
    __typeof__(&vsdk_loop_descriptor) call_ = find(FUNCTION_vsdk_loop_descriptor);
    int32_t result_ = call_(loop);
    note_return(FUNCTION_vsdk_loop_descriptor, loop == NULL);
    return result_;
}

vsdk_status vsdk_loop_dispatch(vsdk_loop *loop, uint64_t timeout_ns, uint32_t *dispatched,
                               vsdk_error *error)
{
    __typeof__(&vsdk_loop_dispatch) call_ = find(FUNCTION_vsdk_loop_dispatch);
    vsdk_status result_ = call_(loop, timeout_ns, dispatched, error);
    note_status(FUNCTION_vsdk_loop_dispatch, result_, loop == NULL);
    return result_;
}

vsdk_status vsdk_loop_wake(vsdk_loop *loop, vsdk_error *error)
{
    __typeof__(&vsdk_loop_wake) call_ = find(FUNCTION_vsdk_loop_wake);
    vsdk_status result_ = call_(loop, error);
    note_status(FUNCTION_vsdk_loop_wake, result_, loop == NULL);
    return result_;
}

vsdk_status vsdk_watch_create(vsdk_loop *loop, vsdk_device *device, int32_t descriptor,
                              uint32_t events, vsdk_watch_fn fn, void *user,
                              vsdk_release_fn release, vsdk_watch **watch, vsdk_error *error)
{
    __typeof__(&vsdk_watch_create) call_ = find(FUNCTION_vsdk_watch_create);
    vsdk_status result_ = call_(loop, device, descriptor, events, fn, user, release, watch, error);
    note_status(FUNCTION_vsdk_watch_create, result_, loop == NULL || fn == NULL || watch == NULL);
    return result_;
}

vsdk_status vsdk_watch_set_events(vsdk_watch *watch, uint32_t events, vsdk_error *error)
{
    __typeof__(&vsdk_watch_set_events) call_ = find(FUNCTION_vsdk_watch_set_events);
    vsdk_status result_ = call_(watch, events, error);
    note_status(FUNCTION_vsdk_watch_set_events, result_, watch == NULL);
    return result_;
}

void vsdk_watch_close(vsdk_watch *watch)
{
    __typeof__(&vsdk_watch_close) call_ = find(FUNCTION_vsdk_watch_close);
    call_(watch);
    note_return(FUNCTION_vsdk_watch_close, watch == NULL);
}

vsdk_status vsdk_timer_create(vsdk_loop *loop, vsdk_device *device, vsdk_timer_fn fn, void *user,
                              vsdk_release_fn release, vsdk_timer **timer, vsdk_error *error)
{
    __typeof__(&vsdk_timer_create) call_ = find(FUNCTION_vsdk_timer_create);
    vsdk_status result_ = call_(loop, device, fn, user, release, timer, error);
    note_status(FUNCTION_vsdk_timer_create, result_, loop == NULL || fn == NULL || timer == NULL);
    return result_;
}

vsdk_status vsdk_timer_arm(vsdk_timer *timer, uint64_t delay_ns, uint64_t period_ns,
                           vsdk_error *error)
{
    __typeof__(&vsdk_timer_arm) call_ = find(FUNCTION_vsdk_timer_arm);
    vsdk_status result_ = call_(timer, delay_ns, period_ns, error);
    note_status(FUNCTION_vsdk_timer_arm, result_, timer == NULL);
    return result_;
}

vsdk_status vsdk_timer_disarm(vsdk_timer *timer, vsdk_error *error)
{
    __typeof__(&vsdk_timer_disarm) call_ = find(FUNCTION_vsdk_timer_disarm);
    vsdk_status result_ = call_(timer, error);
    note_status(FUNCTION_vsdk_timer_disarm, result_, timer == NULL);
    return result_;
}

void vsdk_timer_close(vsdk_timer *timer)
{
    __typeof__(&vsdk_timer_close) call_ = find(FUNCTION_vsdk_timer_close);
    call_(timer);
    note_return(FUNCTION_vsdk_timer_close, timer == NULL);
}

vsdk_status vsdk_work_create(vsdk_loop *loop, vsdk_device *device, vsdk_work_fn fn, void *user,
                             vsdk_release_fn release, vsdk_work **work, vsdk_error *error)
{
    __typeof__(&vsdk_work_create) call_ = find(FUNCTION_vsdk_work_create);
    vsdk_status result_ = call_(loop, device, fn, user, release, work, error);
    note_status(FUNCTION_vsdk_work_create, result_, loop == NULL || fn == NULL || work == NULL);
    return result_;
}

vsdk_status vsdk_work_post(vsdk_work *work, vsdk_error *error)
{
    __typeof__(&vsdk_work_post) call_ = find(FUNCTION_vsdk_work_post);
    vsdk_status result_ = call_(work, error);
    note_status(FUNCTION_vsdk_work_post, result_, work == NULL);
    return result_;
}

void vsdk_work_close(vsdk_work *work)
{
    __typeof__(&vsdk_work_close) call_ = find(FUNCTION_vsdk_work_close);
    call_(work);
    note_return(FUNCTION_vsdk_work_close, work == NULL);
}

uint64_t vsdk_vm_clock(vsdk_vm *vm)
{
    __typeof__(&vsdk_vm_clock) call_ = find(FUNCTION_vsdk_vm_clock);
    uint64_t result_ = call_(vm);
    note_return(FUNCTION_vsdk_vm_clock, vm == NULL);
    return result_;
}

vsdk_pool *vsdk_pool_ref(vsdk_pool *pool)
{
    __typeof__(&vsdk_pool_ref) call_ = find(FUNCTION_vsdk_pool_ref);
    vsdk_pool *result_ = call_(pool);
    note_return(FUNCTION_vsdk_pool_ref, pool == NULL);
    return result_;
}

vsdk_status vsdk_pool_create(const vsdk_pool_config *config, vsdk_pool **pool, vsdk_error *error)
{
    __typeof__(&vsdk_pool_create) call_ = find(FUNCTION_vsdk_pool_create);
    vsdk_status result_ = call_(config, pool, error);
    note_status(FUNCTION_vsdk_pool_create, result_, pool == NULL);
    return result_;
}

void vsdk_pool_close(vsdk_pool *pool)
{
    __typeof__(&vsdk_pool_close) call_ = find(FUNCTION_vsdk_pool_close);
    call_(pool);
    note_return(FUNCTION_vsdk_pool_close, pool == NULL);
}

vsdk_status vsdk_pool_add_loop(vsdk_pool *pool, vsdk_loop *loop, vsdk_error *error)
{
    __typeof__(&vsdk_pool_add_loop) call_ = find(FUNCTION_vsdk_pool_add_loop);
    vsdk_status result_ = call_(pool, loop, error);
    note_status(FUNCTION_vsdk_pool_add_loop, result_, pool == NULL || loop == NULL);
    return result_;
}

vsdk_status vsdk_pool_remove_loop(vsdk_pool *pool, vsdk_loop *loop, vsdk_error *error)
{
    __typeof__(&vsdk_pool_remove_loop) call_ = find(FUNCTION_vsdk_pool_remove_loop);
    vsdk_status result_ = call_(pool, loop, error);
    note_status(FUNCTION_vsdk_pool_remove_loop, result_, pool == NULL || loop == NULL);
    return result_;
}

vsdk_status vsdk_pool_stop(vsdk_pool *pool, vsdk_error *error)
{
    __typeof__(&vsdk_pool_stop) call_ = find(FUNCTION_vsdk_pool_stop);
    vsdk_status result_ = call_(pool, error);
    note_status(FUNCTION_vsdk_pool_stop, result_, pool == NULL);
    return result_;
}

vsdk_status vsdk_vm_run(vsdk_vm *vm, const vsdk_run_config *config, uint64_t timeout_ns,
                        vsdk_exit *end, vsdk_error *error)
{
    __typeof__(&vsdk_vm_run) call_ = find(FUNCTION_vsdk_vm_run);
    vsdk_status result_ = call_(vm, config, timeout_ns, end, error);
    note_status(FUNCTION_vsdk_vm_run, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_vm_run_cancel(vsdk_vm *vm, vsdk_error *error)
{
    __typeof__(&vsdk_vm_run_cancel) call_ = find(FUNCTION_vsdk_vm_run_cancel);
    vsdk_status result_ = call_(vm, error);
    note_status(FUNCTION_vsdk_vm_run_cancel, result_, vm == NULL);
    return result_;
}

vsdk_status vsdk_serial_create(vsdk_vm *vm, const vsdk_serial_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    __typeof__(&vsdk_serial_create) call_ = find(FUNCTION_vsdk_serial_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_serial_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_rtc_create(vsdk_vm *vm, const vsdk_rtc_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    __typeof__(&vsdk_rtc_create) call_ = find(FUNCTION_vsdk_rtc_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_rtc_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_i8042_create(vsdk_vm *vm, const vsdk_i8042_config *config, vsdk_device **device,
                              vsdk_error *error)
{
    __typeof__(&vsdk_i8042_create) call_ = find(FUNCTION_vsdk_i8042_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_i8042_create, result_, vm == NULL || device == NULL);
    return result_;
}

const char *vsdk_acpi_pm_kind_name(vsdk_acpi_pm_kind value)
{
    __typeof__(&vsdk_acpi_pm_kind_name) call_ = find(FUNCTION_vsdk_acpi_pm_kind_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_acpi_pm_kind_name, 0);
    return result_;
}

vsdk_status vsdk_acpi_pm_create(vsdk_vm *vm, const vsdk_acpi_pm_config *config,
                                vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_acpi_pm_create) call_ = find(FUNCTION_vsdk_acpi_pm_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_acpi_pm_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_exit_port_create(vsdk_vm *vm, const vsdk_exit_port_config *config,
                                  vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_exit_port_create) call_ = find(FUNCTION_vsdk_exit_port_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_exit_port_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_debug_console_create(vsdk_vm *vm, const vsdk_debug_console_config *config,
                                      vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_debug_console_create) call_ = find(FUNCTION_vsdk_debug_console_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_debug_console_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_fw_cfg_create(vsdk_vm *vm, const vsdk_fw_cfg_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    __typeof__(&vsdk_fw_cfg_create) call_ = find(FUNCTION_vsdk_fw_cfg_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_fw_cfg_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_fw_cfg_add(vsdk_device *device, uint32_t key, const char *name, const void *bytes,
                            uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_fw_cfg_add) call_ = find(FUNCTION_vsdk_fw_cfg_add);
    vsdk_status result_ = call_(device, key, name, bytes, length, error);
    note_status(FUNCTION_vsdk_fw_cfg_add, result_, device == NULL || bytes == NULL);
    return result_;
}

vsdk_status vsdk_pvpanic_create(vsdk_vm *vm, const vsdk_pvpanic_config *config,
                                vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_pvpanic_create) call_ = find(FUNCTION_vsdk_pvpanic_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_pvpanic_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_ioapic_create(vsdk_vm *vm, const vsdk_ioapic_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    __typeof__(&vsdk_ioapic_create) call_ = find(FUNCTION_vsdk_ioapic_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_ioapic_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_port92_create(vsdk_vm *vm, const vsdk_port92_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    __typeof__(&vsdk_port92_create) call_ = find(FUNCTION_vsdk_port92_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_port92_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_ged_create(vsdk_vm *vm, const vsdk_ged_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    __typeof__(&vsdk_ged_create) call_ = find(FUNCTION_vsdk_ged_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_ged_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_ged_raise(vsdk_device *device, uint32_t events, vsdk_error *error)
{
    __typeof__(&vsdk_ged_raise) call_ = find(FUNCTION_vsdk_ged_raise);
    vsdk_status result_ = call_(device, events, error);
    note_status(FUNCTION_vsdk_ged_raise, result_, device == NULL);
    return result_;
}

const char *vsdk_boot_format_name(vsdk_boot_format value)
{
    __typeof__(&vsdk_boot_format_name) call_ = find(FUNCTION_vsdk_boot_format_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_boot_format_name, 0);
    return result_;
}

const char *vsdk_boot_mode_name(vsdk_boot_mode value)
{
    __typeof__(&vsdk_boot_mode_name) call_ = find(FUNCTION_vsdk_boot_mode_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_boot_mode_name, 0);
    return result_;
}

const char *vsdk_memory_type_name(vsdk_memory_type value)
{
    __typeof__(&vsdk_memory_type_name) call_ = find(FUNCTION_vsdk_memory_type_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_memory_type_name, 0);
    return result_;
}

vsdk_status vsdk_boot_probe(const void *image, uint64_t length, vsdk_boot_format *format,
                            vsdk_error *error)
{
    __typeof__(&vsdk_boot_probe) call_ = find(FUNCTION_vsdk_boot_probe);
    vsdk_status result_ = call_(image, length, format, error);
    note_status(FUNCTION_vsdk_boot_probe, result_, image == NULL || format == NULL);
    return result_;
}

vsdk_status vsdk_boot_load(vsdk_vm *vm, const vsdk_boot_config *config, vsdk_boot_entry *entry,
                           vsdk_error *error)
{
    __typeof__(&vsdk_boot_load) call_ = find(FUNCTION_vsdk_boot_load);
    vsdk_status result_ = call_(vm, config, entry, error);
    note_status(FUNCTION_vsdk_boot_load, result_, vm == NULL || config == NULL || entry == NULL);
    return result_;
}

vsdk_status vsdk_boot_apply(vsdk_vcpu *vcpu, const vsdk_boot_entry *entry, vsdk_error *error)
{
    __typeof__(&vsdk_boot_apply) call_ = find(FUNCTION_vsdk_boot_apply);
    vsdk_status result_ = call_(vcpu, entry, error);
    note_status(FUNCTION_vsdk_boot_apply, result_, vcpu == NULL || entry == NULL);
    return result_;
}

vsdk_pc *vsdk_pc_ref(vsdk_pc *pc)
{
    __typeof__(&vsdk_pc_ref) call_ = find(FUNCTION_vsdk_pc_ref);
    vsdk_pc *result_ = call_(pc);
    note_return(FUNCTION_vsdk_pc_ref, pc == NULL);
    return result_;
}

const char *vsdk_pc_part_name(vsdk_pc_part value)
{
    __typeof__(&vsdk_pc_part_name) call_ = find(FUNCTION_vsdk_pc_part_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_pc_part_name, 0);
    return result_;
}

const char *vsdk_pc_resource_kind_name(vsdk_pc_resource_kind value)
{
    __typeof__(&vsdk_pc_resource_kind_name) call_ = find(FUNCTION_vsdk_pc_resource_kind_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_pc_resource_kind_name, 0);
    return result_;
}

vsdk_status vsdk_pc_create(vsdk_host *host, const vsdk_pc_config *config, vsdk_pc **pc,
                           vsdk_error *error)
{
    __typeof__(&vsdk_pc_create) call_ = find(FUNCTION_vsdk_pc_create);
    vsdk_status result_ = call_(host, config, pc, error);
    note_status(FUNCTION_vsdk_pc_create, result_, host == NULL || pc == NULL);
    return result_;
}

void vsdk_pc_close(vsdk_pc *pc)
{
    __typeof__(&vsdk_pc_close) call_ = find(FUNCTION_vsdk_pc_close);
    call_(pc);
    note_return(FUNCTION_vsdk_pc_close, pc == NULL);
}

vsdk_vm *vsdk_pc_vm(vsdk_pc *pc)
{
    __typeof__(&vsdk_pc_vm) call_ = find(FUNCTION_vsdk_pc_vm);
    vsdk_vm *result_ = call_(pc);
    note_return(FUNCTION_vsdk_pc_vm, pc == NULL);
    return result_;
}

vsdk_status vsdk_pc_get_config(vsdk_pc *pc, vsdk_pc_config *config, vsdk_error *error)
{
    __typeof__(&vsdk_pc_get_config) call_ = find(FUNCTION_vsdk_pc_get_config);
    vsdk_status result_ = call_(pc, config, error);
    note_status(FUNCTION_vsdk_pc_get_config, result_, pc == NULL || config == NULL);
    return result_;
}

vsdk_status vsdk_pc_claim(vsdk_pc *pc, vsdk_pc_resource_kind kind, uint64_t address,
                          uint64_t length, uint64_t *got, vsdk_error *error)
{
    __typeof__(&vsdk_pc_claim) call_ = find(FUNCTION_vsdk_pc_claim);
    vsdk_status result_ = call_(pc, kind, address, length, got, error);
    note_status(FUNCTION_vsdk_pc_claim, result_, pc == NULL || got == NULL);
    return result_;
}

vsdk_status vsdk_pc_unclaim(vsdk_pc *pc, vsdk_pc_resource_kind kind, uint64_t address,
                            vsdk_error *error)
{
    __typeof__(&vsdk_pc_unclaim) call_ = find(FUNCTION_vsdk_pc_unclaim);
    vsdk_status result_ = call_(pc, kind, address, error);
    note_status(FUNCTION_vsdk_pc_unclaim, result_, pc == NULL);
    return result_;
}

vsdk_status vsdk_pc_add_node(vsdk_pc *pc, const vsdk_pc_node *node, vsdk_error *error)
{
    __typeof__(&vsdk_pc_add_node) call_ = find(FUNCTION_vsdk_pc_add_node);
    vsdk_status result_ = call_(pc, node, error);
    note_status(FUNCTION_vsdk_pc_add_node, result_, pc == NULL || node == NULL);
    return result_;
}

vsdk_status vsdk_pc_remove_node(vsdk_pc *pc, const char *hid, uint32_t uid, vsdk_error *error)
{
    __typeof__(&vsdk_pc_remove_node) call_ = find(FUNCTION_vsdk_pc_remove_node);
    vsdk_status result_ = call_(pc, hid, uid, error);
    note_status(FUNCTION_vsdk_pc_remove_node, result_, pc == NULL || hid == NULL);
    return result_;
}

vsdk_status vsdk_pc_boot(vsdk_pc *pc, const vsdk_boot_config *config, vsdk_error *error)
{
    __typeof__(&vsdk_pc_boot) call_ = find(FUNCTION_vsdk_pc_boot);
    vsdk_status result_ = call_(pc, config, error);
    note_status(FUNCTION_vsdk_pc_boot, result_, pc == NULL || config == NULL);
    return result_;
}

vsdk_vcpu *vsdk_pc_vcpu(vsdk_pc *pc, uint32_t index)
{
    __typeof__(&vsdk_pc_vcpu) call_ = find(FUNCTION_vsdk_pc_vcpu);
    vsdk_vcpu *result_ = call_(pc, index);
    note_return(FUNCTION_vsdk_pc_vcpu, pc == NULL);
    return result_;
}

vsdk_device *vsdk_pc_device(vsdk_pc *pc, vsdk_pc_part part)
{
    __typeof__(&vsdk_pc_device) call_ = find(FUNCTION_vsdk_pc_device);
    vsdk_device *result_ = call_(pc, part);
    note_return(FUNCTION_vsdk_pc_device, pc == NULL);
    return result_;
}

vsdk_status vsdk_pc_get_memory_map(vsdk_pc *pc, vsdk_memory_range *ranges, uint32_t capacity,
                                   uint32_t *needed, vsdk_error *error)
{
    __typeof__(&vsdk_pc_get_memory_map) call_ = find(FUNCTION_vsdk_pc_get_memory_map);
    vsdk_status result_ = call_(pc, ranges, capacity, needed, error);
    note_status(FUNCTION_vsdk_pc_get_memory_map, result_, pc == NULL || needed == NULL);
    return result_;
}

const char *vsdk_pci_ejected_name(vsdk_pci_ejected value)
{
    __typeof__(&vsdk_pci_ejected_name) call_ = find(FUNCTION_vsdk_pci_ejected_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_pci_ejected_name, 0);
    return result_;
}

vsdk_status vsdk_pci_create(vsdk_vm *vm, const vsdk_pci_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    __typeof__(&vsdk_pci_create) call_ = find(FUNCTION_vsdk_pci_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_pci_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_create(vsdk_vm *vm, const vsdk_pci_function_ops *ops, void *user,
                                     const vsdk_pci_function_config *config, vsdk_device **function,
                                     vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_create) call_ = find(FUNCTION_vsdk_pci_function_create);
    vsdk_status result_ = call_(vm, ops, user, config, function, error);
    note_status(FUNCTION_vsdk_pci_function_create, result_, vm == NULL || ops == NULL || config == NULL || function == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_attach(vsdk_device *function, vsdk_device *host, uint32_t slot,
                                     vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_attach) call_ = find(FUNCTION_vsdk_pci_function_attach);
    vsdk_status result_ = call_(function, host, slot, error);
    note_status(FUNCTION_vsdk_pci_function_attach, result_, function == NULL || host == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_detach(vsdk_device *function, vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_detach) call_ = find(FUNCTION_vsdk_pci_function_detach);
    vsdk_status result_ = call_(function, error);
    note_status(FUNCTION_vsdk_pci_function_detach, result_, function == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_eject(vsdk_device *function, uint64_t timeout_ns, vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_eject) call_ = find(FUNCTION_vsdk_pci_function_eject);
    vsdk_status result_ = call_(function, timeout_ns, error);
    note_status(FUNCTION_vsdk_pci_function_eject, result_, function == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_interrupt(vsdk_device *function, uint32_t vector, vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_interrupt) call_ = find(FUNCTION_vsdk_pci_function_interrupt);
    vsdk_status result_ = call_(function, vector, error);
    note_status(FUNCTION_vsdk_pci_function_interrupt, result_, function == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_get_info(vsdk_device *function, vsdk_pci_function_info *info,
                                       vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_get_info) call_ = find(FUNCTION_vsdk_pci_function_get_info);
    vsdk_status result_ = call_(function, info, error);
    note_status(FUNCTION_vsdk_pci_function_get_info, result_, function == NULL || info == NULL);
    return result_;
}

void *vsdk_pci_function_user(vsdk_device *function, const vsdk_pci_function_ops *ops)
{
    __typeof__(&vsdk_pci_function_user) call_ = find(FUNCTION_vsdk_pci_function_user);
    void *result_ = call_(function, ops);
    note_return(FUNCTION_vsdk_pci_function_user, function == NULL || ops == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_save(vsdk_device *function, vsdk_state_writer *writer,
                                   vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_save) call_ = find(FUNCTION_vsdk_pci_function_save);
    vsdk_status result_ = call_(function, writer, error);
    note_status(FUNCTION_vsdk_pci_function_save, result_, function == NULL || writer == NULL);
    return result_;
}

vsdk_status vsdk_pci_function_load(vsdk_device *function, vsdk_state_reader *reader,
                                   vsdk_error *error)
{
    __typeof__(&vsdk_pci_function_load) call_ = find(FUNCTION_vsdk_pci_function_load);
    vsdk_status result_ = call_(function, reader, error);
    note_status(FUNCTION_vsdk_pci_function_load, result_, function == NULL || reader == NULL);
    return result_;
}

vsdk_share *vsdk_share_ref(vsdk_share *share)
{
    __typeof__(&vsdk_share_ref) call_ = find(FUNCTION_vsdk_share_ref);
    vsdk_share *result_ = call_(share);
    note_return(FUNCTION_vsdk_share_ref, share == NULL);
    return result_;
}

vsdk_status vsdk_share_open(const vsdk_share_config *config, vsdk_share **share, vsdk_error *error)
{
    __typeof__(&vsdk_share_open) call_ = find(FUNCTION_vsdk_share_open);
    vsdk_status result_ = call_(config, share, error);
    note_status(FUNCTION_vsdk_share_open, result_, config == NULL || share == NULL);
    return result_;
}

void vsdk_share_close(vsdk_share *share)
{
    __typeof__(&vsdk_share_close) call_ = find(FUNCTION_vsdk_share_close);
    call_(share);
    note_return(FUNCTION_vsdk_share_close, share == NULL);
}

vsdk_status vsdk_share_request(vsdk_share *share, const vsdk_share_buffer *request,
                               uint32_t request_count, const vsdk_share_buffer *reply,
                               uint32_t reply_count, uint64_t *written, vsdk_error *error)
{
    __typeof__(&vsdk_share_request) call_ = find(FUNCTION_vsdk_share_request);
    vsdk_status result_ = call_(share, request, request_count, reply, reply_count, written, error);
    note_status(FUNCTION_vsdk_share_request, result_, share == NULL || request == NULL || written == NULL);
    return result_;
}

vsdk_status vsdk_share_reset(vsdk_share *share, vsdk_error *error)
{
    __typeof__(&vsdk_share_reset) call_ = find(FUNCTION_vsdk_share_reset);
    vsdk_status result_ = call_(share, error);
    note_status(FUNCTION_vsdk_share_reset, result_, share == NULL);
    return result_;
}

vsdk_status vsdk_share_save(vsdk_share *share, vsdk_state_writer *writer, vsdk_error *error)
{
    __typeof__(&vsdk_share_save) call_ = find(FUNCTION_vsdk_share_save);
    vsdk_status result_ = call_(share, writer, error);
    note_status(FUNCTION_vsdk_share_save, result_, share == NULL || writer == NULL);
    return result_;
}

vsdk_status vsdk_share_load(vsdk_share *share, vsdk_state_reader *reader, vsdk_error *error)
{
    __typeof__(&vsdk_share_load) call_ = find(FUNCTION_vsdk_share_load);
    vsdk_status result_ = call_(share, reader, error);
    note_status(FUNCTION_vsdk_share_load, result_, share == NULL || reader == NULL);
    return result_;
}

const char *vsdk_virtio_transport_name(vsdk_virtio_transport value)
{
    __typeof__(&vsdk_virtio_transport_name) call_ = find(FUNCTION_vsdk_virtio_transport_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_virtio_transport_name, 0);
    return result_;
}

vsdk_status vsdk_virtio_create(vsdk_vm *vm, const vsdk_virtio_ops *ops, void *user,
                               const vsdk_virtio_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    __typeof__(&vsdk_virtio_create) call_ = find(FUNCTION_vsdk_virtio_create);
    vsdk_status result_ = call_(vm, ops, user, config, device, error);
    note_status(FUNCTION_vsdk_virtio_create, result_, vm == NULL || ops == NULL || config == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_attach(vsdk_device *device, const vsdk_virtio_place *place,
                               vsdk_error *error)
{
    __typeof__(&vsdk_virtio_attach) call_ = find(FUNCTION_vsdk_virtio_attach);
    vsdk_status result_ = call_(device, place, error);
    note_status(FUNCTION_vsdk_virtio_attach, result_, device == NULL || place == NULL);
    return result_;
}

vsdk_status vsdk_virtio_detach(vsdk_device *device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_detach) call_ = find(FUNCTION_vsdk_virtio_detach);
    vsdk_status result_ = call_(device, error);
    note_status(FUNCTION_vsdk_virtio_detach, result_, device == NULL);
    return result_;
}

void *vsdk_virtio_user(vsdk_device *device, const vsdk_virtio_ops *ops)
{
    __typeof__(&vsdk_virtio_user) call_ = find(FUNCTION_vsdk_virtio_user);
    void *result_ = call_(device, ops);
    note_return(FUNCTION_vsdk_virtio_user, device == NULL || ops == NULL);
    return result_;
}

vsdk_device *vsdk_virtio_queue_device(vsdk_device *device, uint32_t queue)
{
    __typeof__(&vsdk_virtio_queue_device) call_ = find(FUNCTION_vsdk_virtio_queue_device);
    vsdk_device *result_ = call_(device, queue);
    note_return(FUNCTION_vsdk_virtio_queue_device, device == NULL);
    return result_;
}

vsdk_loop *vsdk_virtio_queue_loop(vsdk_device *device, uint32_t queue)
{
    __typeof__(&vsdk_virtio_queue_loop) call_ = find(FUNCTION_vsdk_virtio_queue_loop);
    vsdk_loop *result_ = call_(device, queue);
    note_return(FUNCTION_vsdk_virtio_queue_loop, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_set_loop(vsdk_device *device, uint32_t queue, vsdk_loop *loop,
                                 vsdk_error *error)
{
    __typeof__(&vsdk_virtio_set_loop) call_ = find(FUNCTION_vsdk_virtio_set_loop);
    vsdk_status result_ = call_(device, queue, loop, error);
    note_status(FUNCTION_vsdk_virtio_set_loop, result_, device == NULL || loop == NULL);
    return result_;
}

uint64_t vsdk_virtio_features(vsdk_device *device)
{
    __typeof__(&vsdk_virtio_features) call_ = find(FUNCTION_vsdk_virtio_features);
    uint64_t result_ = call_(device);
    note_return(FUNCTION_vsdk_virtio_features, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_get_space(vsdk_device *device, uint64_t offset, void *bytes,
                                  uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_get_space) call_ = find(FUNCTION_vsdk_virtio_get_space);
    vsdk_status result_ = call_(device, offset, bytes, length, error);
    note_status(FUNCTION_vsdk_virtio_get_space, result_, device == NULL || bytes == NULL);
    return result_;
}

vsdk_status vsdk_virtio_set_space(vsdk_device *device, uint64_t offset, const void *bytes,
                                  uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_set_space) call_ = find(FUNCTION_vsdk_virtio_set_space);
    vsdk_status result_ = call_(device, offset, bytes, length, error);
    note_status(FUNCTION_vsdk_virtio_set_space, result_, device == NULL || bytes == NULL);
    return result_;
}

vsdk_status vsdk_virtio_fail(vsdk_device *device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_fail) call_ = find(FUNCTION_vsdk_virtio_fail);
    vsdk_status result_ = call_(device, error);
    note_status(FUNCTION_vsdk_virtio_fail, result_, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_pop(vsdk_device *device, uint32_t queue, vsdk_virtio_chain *chain,
                            vsdk_error *error)
{
    __typeof__(&vsdk_virtio_pop) call_ = find(FUNCTION_vsdk_virtio_pop);
    vsdk_status result_ = call_(device, queue, chain, error);
    note_status(FUNCTION_vsdk_virtio_pop, result_, device == NULL || chain == NULL);
    return result_;
}

vsdk_status vsdk_virtio_read(vsdk_device *device, const vsdk_virtio_chain *chain, uint64_t offset,
                             void *buffer, uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_read) call_ = find(FUNCTION_vsdk_virtio_read);
    vsdk_status result_ = call_(device, chain, offset, buffer, length, error);
    note_status(FUNCTION_vsdk_virtio_read, result_, device == NULL || chain == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_virtio_write(vsdk_device *device, const vsdk_virtio_chain *chain, uint64_t offset,
                              const void *buffer, uint64_t length, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_write) call_ = find(FUNCTION_vsdk_virtio_write);
    vsdk_status result_ = call_(device, chain, offset, buffer, length, error);
    note_status(FUNCTION_vsdk_virtio_write, result_, device == NULL || chain == NULL || buffer == NULL);
    return result_;
}

vsdk_status vsdk_virtio_map(vsdk_device *device, const vsdk_virtio_chain *chain,
                            vsdk_dma_intent intent, uint64_t offset, uint64_t length,
                            vsdk_dma_view *views, uint32_t capacity, uint32_t *count,
                            vsdk_error *error)
{
    __typeof__(&vsdk_virtio_map) call_ = find(FUNCTION_vsdk_virtio_map);
    vsdk_status result_ = call_(device, chain, intent, offset, length, views, capacity, count, error);
    note_status(FUNCTION_vsdk_virtio_map, result_, device == NULL || chain == NULL || views == NULL || count == NULL);
    return result_;
}

vsdk_status vsdk_virtio_push(vsdk_device *device, const vsdk_virtio_chain *chain, uint32_t written,
                             vsdk_error *error)
{
    __typeof__(&vsdk_virtio_push) call_ = find(FUNCTION_vsdk_virtio_push);
    vsdk_status result_ = call_(device, chain, written, error);
    note_status(FUNCTION_vsdk_virtio_push, result_, device == NULL || chain == NULL);
    return result_;
}

vsdk_status vsdk_virtio_signal(vsdk_device *device, uint32_t queue, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_signal) call_ = find(FUNCTION_vsdk_virtio_signal);
    vsdk_status result_ = call_(device, queue, error);
    note_status(FUNCTION_vsdk_virtio_signal, result_, device == NULL);
    return result_;
}

vsdk_device *vsdk_virtio_function(vsdk_device *device)
{
    __typeof__(&vsdk_virtio_function) call_ = find(FUNCTION_vsdk_virtio_function);
    vsdk_device *result_ = call_(device);
    note_return(FUNCTION_vsdk_virtio_function, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_fs_create(vsdk_vm *vm, const vsdk_virtio_fs_config *config,
                                  vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_fs_create) call_ = find(FUNCTION_vsdk_virtio_fs_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_virtio_fs_create, result_, vm == NULL || config == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_block_create(vsdk_vm *vm, const vsdk_virtio_block_config *config,
                                     vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_block_create) call_ = find(FUNCTION_vsdk_virtio_block_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_virtio_block_create, result_, vm == NULL || config == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_vsock_create(vsdk_vm *vm, const vsdk_virtio_vsock_config *config,
                                     vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_vsock_create) call_ = find(FUNCTION_vsdk_virtio_vsock_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_virtio_vsock_create, result_, vm == NULL || config == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_vsock_listen(vsdk_device *device, uint32_t port, uint32_t backlog,
                                     vsdk_error *error)
{
    __typeof__(&vsdk_virtio_vsock_listen) call_ = find(FUNCTION_vsdk_virtio_vsock_listen);
    vsdk_status result_ = call_(device, port, backlog, error);
    note_status(FUNCTION_vsdk_virtio_vsock_listen, result_, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_vsock_unlisten(vsdk_device *device, uint32_t port, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_vsock_unlisten) call_ = find(FUNCTION_vsdk_virtio_vsock_unlisten);
    vsdk_status result_ = call_(device, port, error);
    note_status(FUNCTION_vsdk_virtio_vsock_unlisten, result_, device == NULL);
    return result_;
}

int32_t vsdk_virtio_vsock_descriptor(vsdk_device *device, uint32_t port)
{
    __typeof__(&vsdk_virtio_vsock_descriptor) call_ = find(FUNCTION_vsdk_virtio_vsock_descriptor);
    int32_t result_ = call_(device, port);
    note_return(FUNCTION_vsdk_virtio_vsock_descriptor, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_vsock_accept(vsdk_device *device, uint32_t port, int32_t *descriptor,
                                     uint32_t *peer, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_vsock_accept) call_ = find(FUNCTION_vsdk_virtio_vsock_accept);
    vsdk_status result_ = call_(device, port, descriptor, peer, error);
    note_status(FUNCTION_vsdk_virtio_vsock_accept, result_, device == NULL || descriptor == NULL);
    return result_;
}

vsdk_status vsdk_virtio_vsock_connect(vsdk_device *device, uint32_t port, int32_t *descriptor,
                                      vsdk_error *error)
{
    __typeof__(&vsdk_virtio_vsock_connect) call_ = find(FUNCTION_vsdk_virtio_vsock_connect);
    vsdk_status result_ = call_(device, port, descriptor, error);
    note_status(FUNCTION_vsdk_virtio_vsock_connect, result_, device == NULL || descriptor == NULL);
    return result_;
}

vsdk_status vsdk_virtio_rng_create(vsdk_vm *vm, const vsdk_virtio_rng_config *config,
                                   vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_rng_create) call_ = find(FUNCTION_vsdk_virtio_rng_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_virtio_rng_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_console_create(vsdk_vm *vm, const vsdk_virtio_console_config *config,
                                       vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_console_create) call_ = find(FUNCTION_vsdk_virtio_console_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_virtio_console_create, result_, vm == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_console_connect(vsdk_device *device, uint32_t port, vsdk_stream *stream,
                                        vsdk_error *error)
{
    __typeof__(&vsdk_virtio_console_connect) call_ = find(FUNCTION_vsdk_virtio_console_connect);
    vsdk_status result_ = call_(device, port, stream, error);
    note_status(FUNCTION_vsdk_virtio_console_connect, result_, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_console_resize(vsdk_device *device, uint32_t port, uint16_t columns,
                                       uint16_t rows, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_console_resize) call_ = find(FUNCTION_vsdk_virtio_console_resize);
    vsdk_status result_ = call_(device, port, columns, rows, error);
    note_status(FUNCTION_vsdk_virtio_console_resize, result_, device == NULL);
    return result_;
}

uint32_t vsdk_virtio_console_is_open(vsdk_device *device, uint32_t port)
{
    __typeof__(&vsdk_virtio_console_is_open) call_ = find(FUNCTION_vsdk_virtio_console_is_open);
    uint32_t result_ = call_(device, port);
    note_return(FUNCTION_vsdk_virtio_console_is_open, device == NULL);
    return result_;
}

vsdk_net *vsdk_net_ref(vsdk_net *net)
{
    __typeof__(&vsdk_net_ref) call_ = find(FUNCTION_vsdk_net_ref);
    vsdk_net *result_ = call_(net);
    note_return(FUNCTION_vsdk_net_ref, net == NULL);
    return result_;
}

const char *vsdk_net_gso_name(vsdk_net_gso value)
{
    __typeof__(&vsdk_net_gso_name) call_ = find(FUNCTION_vsdk_net_gso_name);
    const char *result_ = call_(value);
    note_return(FUNCTION_vsdk_net_gso_name, 0);
    return result_;
}

vsdk_status vsdk_net_create_pair(const vsdk_net_config *config, vsdk_net **near, vsdk_net **far,
                                 vsdk_error *error)
{
    __typeof__(&vsdk_net_create_pair) call_ = find(FUNCTION_vsdk_net_create_pair);
    vsdk_status result_ = call_(config, near, far, error);
    note_status(FUNCTION_vsdk_net_create_pair, result_, near == NULL || far == NULL);
    return result_;
}

vsdk_status vsdk_net_create(const vsdk_net_ops *ops, void *user, const vsdk_net_config *config,
                            vsdk_net **net, vsdk_error *error)
{
    __typeof__(&vsdk_net_create) call_ = find(FUNCTION_vsdk_net_create);
    vsdk_status result_ = call_(ops, user, config, net, error);
    note_status(FUNCTION_vsdk_net_create, result_, ops == NULL || net == NULL);
    return result_;
}

vsdk_status vsdk_net_notify(vsdk_net *net, vsdk_net_events events, vsdk_error *error)
{
    __typeof__(&vsdk_net_notify) call_ = find(FUNCTION_vsdk_net_notify);
    vsdk_status result_ = call_(net, events, error);
    note_status(FUNCTION_vsdk_net_notify, result_, net == NULL);
    return result_;
}

void vsdk_net_close(vsdk_net *net)
{
    __typeof__(&vsdk_net_close) call_ = find(FUNCTION_vsdk_net_close);
    call_(net);
    note_return(FUNCTION_vsdk_net_close, net == NULL);
}

vsdk_status vsdk_net_send(vsdk_net *net, const vsdk_net_offload *offload,
                          const vsdk_net_piece *pieces, uint32_t count, vsdk_error *error)
{
    __typeof__(&vsdk_net_send) call_ = find(FUNCTION_vsdk_net_send);
    vsdk_status result_ = call_(net, offload, pieces, count, error);
    note_status(FUNCTION_vsdk_net_send, result_, net == NULL || pieces == NULL);
    return result_;
}

vsdk_status vsdk_net_receive(vsdk_net *net, vsdk_net_offload *offload, const vsdk_net_piece *pieces,
                             uint32_t count, uint64_t *length, vsdk_error *error)
{
    __typeof__(&vsdk_net_receive) call_ = find(FUNCTION_vsdk_net_receive);
    vsdk_status result_ = call_(net, offload, pieces, count, length, error);
    note_status(FUNCTION_vsdk_net_receive, result_, net == NULL || length == NULL);
    return result_;
}

vsdk_status vsdk_net_skip(vsdk_net *net, vsdk_error *error)
{
    __typeof__(&vsdk_net_skip) call_ = find(FUNCTION_vsdk_net_skip);
    vsdk_status result_ = call_(net, error);
    note_status(FUNCTION_vsdk_net_skip, result_, net == NULL);
    return result_;
}

vsdk_net_events vsdk_net_ready(vsdk_net *net)
{
    __typeof__(&vsdk_net_ready) call_ = find(FUNCTION_vsdk_net_ready);
    vsdk_net_events result_ = call_(net);
    note_return(FUNCTION_vsdk_net_ready, net == NULL);
    return result_;
}

int32_t vsdk_net_descriptor(vsdk_net *net, vsdk_net_events event, vsdk_error *error)
{
    __typeof__(&vsdk_net_descriptor) call_ = find(FUNCTION_vsdk_net_descriptor);
    int32_t result_ = call_(net, event, error);
    note_return(FUNCTION_vsdk_net_descriptor, net == NULL);
    return result_;
}

vsdk_net_offloads vsdk_net_offloads_of(vsdk_net *net)
{
    __typeof__(&vsdk_net_offloads_of) call_ = find(FUNCTION_vsdk_net_offloads_of);
    vsdk_net_offloads result_ = call_(net);
    note_return(FUNCTION_vsdk_net_offloads_of, net == NULL);
    return result_;
}

vsdk_status vsdk_net_accept(vsdk_net *net, vsdk_net_offloads offloads, vsdk_error *error)
{
    __typeof__(&vsdk_net_accept) call_ = find(FUNCTION_vsdk_net_accept);
    vsdk_status result_ = call_(net, offloads, error);
    note_status(FUNCTION_vsdk_net_accept, result_, net == NULL);
    return result_;
}

vsdk_status vsdk_net_create_user(const vsdk_net_user_config *config, vsdk_net **net,
                                 vsdk_error *error)
{
    __typeof__(&vsdk_net_create_user) call_ = find(FUNCTION_vsdk_net_create_user);
    vsdk_status result_ = call_(config, net, error);
    note_status(FUNCTION_vsdk_net_create_user, result_, config == NULL || net == NULL);
    return result_;
}

vsdk_status vsdk_net_add_forward(vsdk_net *net, const vsdk_net_forward *forward, uint32_t *port,
                                 vsdk_error *error)
{
    __typeof__(&vsdk_net_add_forward) call_ = find(FUNCTION_vsdk_net_add_forward);
    vsdk_status result_ = call_(net, forward, port, error);
    note_status(FUNCTION_vsdk_net_add_forward, result_, net == NULL || forward == NULL);
    return result_;
}

vsdk_status vsdk_net_remove_forward(vsdk_net *net, const vsdk_net_forward *forward,
                                    vsdk_error *error)
{
    __typeof__(&vsdk_net_remove_forward) call_ = find(FUNCTION_vsdk_net_remove_forward);
    vsdk_status result_ = call_(net, forward, error);
    note_status(FUNCTION_vsdk_net_remove_forward, result_, net == NULL || forward == NULL);
    return result_;
}

vsdk_status vsdk_net_create_socket(int32_t descriptor, vsdk_net **net, vsdk_error *error)
{
    __typeof__(&vsdk_net_create_socket) call_ = find(FUNCTION_vsdk_net_create_socket);
    vsdk_status result_ = call_(descriptor, net, error);
    note_status(FUNCTION_vsdk_net_create_socket, result_, net == NULL);
    return result_;
}

vsdk_status vsdk_net_create_tap(const vsdk_net_tap_config *config, vsdk_net **net,
                                vsdk_error *error)
{
    __typeof__(&vsdk_net_create_tap) call_ = find(FUNCTION_vsdk_net_create_tap);
    vsdk_status result_ = call_(config, net, error);
    note_status(FUNCTION_vsdk_net_create_tap, result_, config == NULL || net == NULL);
    return result_;
}

vsdk_status vsdk_net_create_filter(vsdk_net *inner, const vsdk_net_filter_config *config,
                                   vsdk_net **net, vsdk_error *error)
{
    __typeof__(&vsdk_net_create_filter) call_ = find(FUNCTION_vsdk_net_create_filter);
    vsdk_status result_ = call_(inner, config, net, error);
    note_status(FUNCTION_vsdk_net_create_filter, result_, inner == NULL || config == NULL || net == NULL);
    return result_;
}

vsdk_status vsdk_virtio_net_create(vsdk_vm *vm, const vsdk_virtio_net_config *config,
                                   vsdk_device **device, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_net_create) call_ = find(FUNCTION_vsdk_virtio_net_create);
    vsdk_status result_ = call_(vm, config, device, error);
    note_status(FUNCTION_vsdk_virtio_net_create, result_, vm == NULL || config == NULL || device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_net_set_link(vsdk_device *device, uint32_t up, vsdk_error *error)
{
    __typeof__(&vsdk_virtio_net_set_link) call_ = find(FUNCTION_vsdk_virtio_net_set_link);
    vsdk_status result_ = call_(device, up, error);
    note_status(FUNCTION_vsdk_virtio_net_set_link, result_, device == NULL);
    return result_;
}

vsdk_status vsdk_virtio_net_get_counts(vsdk_device *device, vsdk_virtio_net_counts *counts,
                                       vsdk_error *error)
{
    __typeof__(&vsdk_virtio_net_get_counts) call_ = find(FUNCTION_vsdk_virtio_net_get_counts);
    vsdk_status result_ = call_(device, counts, error);
    note_status(FUNCTION_vsdk_virtio_net_get_counts, result_, device == NULL || counts == NULL);
    return result_;
}

#pragma GCC visibility pop
