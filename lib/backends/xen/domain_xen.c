/* SPDX-License-Identifier: Apache-2.0 */
/* The domain of a virtual machine: made, furnished, let go on, stopped, destroyed. */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include "base/sys.h"
#include <errno.h>
#include <string.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

enum { TIMER_NO_DELAY = 1, PM_PORTS_AT_B000 = 1 };

static vsdk_status check(const vsdk_vm_config *config, vsdk_error *error)
{
    if (config->irqchip == VSDK_IRQCHIP_NONE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_create",
                         "every processor of a Xen HVM guest has a local APIC");
    if (config->flags & VSDK_VM_HIDE_HYPERVISOR)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_create",
                         "Xen's CPUID leaves can't be hidden from a guest");
    if (config->vcpus_max > XEN_VCPUS_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_vm_create",
                         "%u vCPUs are more than %d, the most with 8-bit APIC ids of 2 * index",
                         config->vcpus_max, XEN_VCPUS_MAX);
    return VSDK_OK;
}

static vsdk_status create_domain(xen_vm *vm, vsdk_error *error)
{
    const vsdk_vm_config *config = &vm->vm->config;
    compat_request request = {.vcpus = config->vcpus_max,
                              .full_emulation = config->irqchip == VSDK_IRQCHIP_KERNEL};
    int result;

    orphan_mark(vm->handle);
    memcpy(request.handle, vm->handle, sizeof request.handle);
    result = compat_create(vm->host->control, &request, &vm->domid);
    if (result < 0)
        return xen_failed(error, result, "XEN_DOMCTL_createdomain", "no domain was created");
    vm->exists = 1;
    vm->vm->domain = vm->domid;
    return VSDK_OK;
}

typedef struct parameter {
    uint32_t number;
    uint64_t value;
    int full_only;
    const char *name;
} parameter;

static vsdk_status set_parameters(xen_vm *vm, vsdk_error *error)
{
    static const parameter list[] = {
        {HVM_PARAM_IDENT_PT, XEN_IDENTITY_TABLE, 0, "HVM_PARAM_IDENT_PT"},
        {HVM_PARAM_TIMER_MODE, TIMER_NO_DELAY, 0, "HVM_PARAM_TIMER_MODE"},
        {HVM_PARAM_TRIPLE_FAULT_REASON, TRIPLE_FAULT_CODE, 0, "HVM_PARAM_TRIPLE_FAULT_REASON"},
        {HVM_PARAM_ACPI_IOPORTS_LOCATION, PM_PORTS_AT_B000, 1, "HVM_PARAM_ACPI_IOPORTS_LOCATION"},
        {HVM_PARAM_HPET_ENABLED, 0, 1, "HVM_PARAM_HPET_ENABLED"},
    };
    int full = vm->vm->config.irqchip == VSDK_IRQCHIP_KERNEL;

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int result = 0;
        if (full || !list[i].full_only)
            result = compat_set_param(vm->host->control, vm->domid, list[i].number, list[i].value);
        if (result < 0)
            return xen_failed(error, result, list[i].name, "Xen refused the parameter");
    }
    return VSDK_OK;
}

static vsdk_status open_device(xen_vm *vm, vsdk_error *error)
{
    descriptor_plug plug;
    int failure;

    descriptor_plug_in(&plug);
    vm->device = xendevicemodel_open(&vm->host->logger.base, 0);
    failure = -errno;
    descriptor_plug_out(&plug);
    return vm->device ? VSDK_OK
                      : xen_failed(error, failure, "xendevicemodel_open", "no device handle");
}

static vsdk_status furnish(xen_vm *vm, vsdk_error *error)
{
    vsdk_status status;
    int result = compat_never_emulate_tsc(vm->host->control, vm->domid);

    if (result < 0)
        return xen_failed(error, result, "XEN_DOMCTL_settscinfo", "Xen refused the TSC mode");
    status = cpuid_open(vm, error);
    if (!status)
        status = memory_special(vm, error);
    if (!status)
        status = set_parameters(vm, error);
    if (!status)
        status = pv_open(vm, error);
    if (!status)
        status = open_device(vm, error);
    if (!status)
        status = ioreq_open(vm, error);
    return status;
}

vsdk_status xen_vm_create(backend_vm *vm, vsdk_error *error)
{
    xen_vm *made;
    vsdk_status status = check(&vm->config, error);

    if (status)
        return status;
    made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_create", "no memory");
    made->vm = vm;
    made->host = xen_host_of(vm->host);
    made->ended = COMPAT_ALIVE;
    made->paused = 1; /* as every new domain */
    lock_init(&made->device_lock, RANK_LEAF);
    lock_init(&made->memory_lock, RANK_BACKEND_PART);
    lock_init(&made->pv.lock, RANK_BACKEND_PART);
    vm->data = made;
    status = create_domain(made, error);
    if (!status)
        status = furnish(made, error);
    if (status) {
        xen_vm_destroy(vm);
        xen_vm_free(vm);
        return status;
    }
    death_add(made);
    return VSDK_OK;
}

/* Numbers of domains are used again: the handle says whether this is still ours. */
static void destroy_domain(xen_vm *vm)
{
    compat_domain now;
    int result = compat_domain_get(vm->host->control, vm->domid, &now);

    if (result == 0 && memcmp(now.handle, vm->handle, sizeof now.handle) == 0)
        result = compat_destroy(vm->host->control, vm->domid);
    if (result < 0 && result != -ESRCH)
        xen_log(vm->host->host, VSDK_LOG_ERROR, "domain %u was not destroyed (errno %d)", vm->domid,
                -result);
    vm->exists = 0;
}

void xen_vm_destroy(backend_vm *vm)
{
    xen_vm *made = xen_vm_of(vm);
    int before = sys_cancel_off();

    death_remove(made);
    for (uint32_t i = 0; i < XEN_VCPUS_MAX; i++)
        if (made->vcpus[i])
            vcpu_disconnect(made->vcpus[i]);
    memory_abandon(made);
    pv_close(made);
    ioreq_close(made);
    if (made->device)
        xendevicemodel_close(made->device);
    made->device = NULL;
    if (made->exists)
        destroy_domain(made);
    cpuid_close(made);
    regs_close(made);
    sys_cancel_back(before);
}

void xen_vm_free(backend_vm *vm)
{
    xen_vm *made = xen_vm_of(vm);

    lock_destroy(&made->device_lock);
    lock_destroy(&made->memory_lock);
    lock_destroy(&made->pv.lock);
    alloc_free(made);
    vm->data = NULL;
}

/* Its number may be another's by now. Nothing executes, and a run tells of the end. */
static int is_gone(const xen_vm *vm)
{
    return vm->ended == COMPAT_DYING;
}

vsdk_status xen_vm_resume(backend_vm *vm, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    vsdk_status status = VSDK_OK;
    int result = 0;

    if (is_gone(made))
        return VSDK_OK;
    if (!made->started)
        status = regs_start(made, error);
    else if (made->ended == SHUTDOWN_suspend)
        status = reset_suspend(made, error);
    if (status)
        return status;
    if (made->paused)
        result = compat_unpause(made->host->control, made->domid);
    if (result < 0)
        return xen_refused(error, result, "XEN_DOMCTL_unpausedomain", "the guest does not go on");
    made->started = 1;
    made->paused = 0;
    return VSDK_OK;
}

/* Xen counts pauses: one is enough. */
vsdk_status xen_vm_pause(backend_vm *vm, vsdk_error *error)
{
    xen_vm *made = xen_vm_of(vm);
    int result;

    if (is_gone(made) || made->paused)
        return VSDK_OK;
    result = compat_pause(made->host->control, made->domid);
    if (result < 0)
        return xen_refused(error, result, "XEN_DOMCTL_pausedomain", "the guest does not stop");
    made->paused = 1;
    return VSDK_OK;
}

void xen_vm_settled(backend_vm *vm)
{
    xen_vm *made = xen_vm_of(vm);

    if (!is_gone(made) && made->paused)
        memory_catch_up(made);
}
