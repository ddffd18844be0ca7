/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual machines of the mocks: made, given their power-on state, freed. Each has a schedule of
 * its own, drawn from the host's seed and the number of machines before it, so that a run can be
 * repeated. */
#include "backends/mock/mock.h"
#include "base/alloc.h"
#include "base/error.h"
#include <stdio.h>

static vsdk_status check(const vsdk_vm_config *config, vsdk_error *error)
{
    if (config->irqchip == VSDK_IRQCHIP_KERNEL)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_vm_create",
                         "the mock interprets local APICs, but no PIC, PIT or IOAPIC");
    if (config->vcpus_max > MOCK_VCPUS_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, "vsdk_vm_create",
                         "%u processors wanted, the mock has %u at most", config->vcpus_max,
                         MOCK_VCPUS_MAX);
    return VSDK_OK;
}

/* Seeds that differ by one give schedules that have nothing in common. */
static uint64_t scatter(uint64_t seed)
{
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111ebu;
    seed ^= seed >> 31;
    return seed ? seed : 1;
}

static uint64_t first_random(backend_host *host)
{
    mock_host *mock = host->data;
    uint64_t number = atomic_fetch_add(&mock->machines, 1) + 1;

    return scatter(mock->seed + number * 0x9e3779b97f4a7c15u);
}

vsdk_status mock_vm_create(backend_vm *backend, vsdk_error *error)
{
    mock_vm *vm = NULL;
    vsdk_status status = check(&backend->config, error);

    if (status)
        return status;
    vm = alloc_zeroed(sizeof *vm);
    if (vm)
        vm->vcpus = alloc_array(backend->config.vcpus_max, sizeof *vm->vcpus);
    if (!vm || !vm->vcpus) {
        alloc_free(vm);
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_create",
                         "no memory for a virtual machine");
    }
    vm->backend = backend;
    vm->irqchip = backend->config.irqchip;
    vm->vcpus_max = backend->config.vcpus_max;
    vm->autonomous = (backend->host->ops->traits & BACKEND_AUTONOMOUS) != 0;
    vm->random = first_random(backend->host);
    vm->generation = 1;
    turn_init(&vm->turn);
    backend->data = vm;
    return VSDK_OK;
}

void mock_vm_destroy(backend_vm *backend)
{
    mock_vm *vm = mock_vm_of(backend);

    turn_take(&vm->turn);
    vm->running = 0;
    vm->slot_count = 0;
    vm->doorbell_count = 0;
    vm->generation++;
    if (vm->autonomous)
        mock_ram_forget(vm);
    turn_give(&vm->turn);
}

void mock_vm_free(backend_vm *backend)
{
    mock_vm *vm = mock_vm_of(backend);

    backend->data = NULL;
    turn_free(&vm->turn);
    alloc_free(vm->slots);
    alloc_free(vm->vcpus);
    alloc_free(vm);
}

/* What an access waited for is forgotten with it; the map, and what the decoder knows of memory, is
 * found anew. */
static void power_on_again(mock_vm *vm, mock_vcpu *vcpu)
{
    cpu_power_on(&vcpu->cpu, vm, vcpu->cpu.index);
    vcpu->shown = SHOWN_NOTHING;
    vcpu->outcome = STEP_DONE;
    vcpu->until_clock = 1;
}

vsdk_status mock_vm_reset(backend_vm *backend, vsdk_error *error)
{
    mock_vm *vm = mock_vm_of(backend);

    turn_take(&vm->turn);
    vm->ended = STEP_DONE;
    for (uint32_t i = 0; i < vm->vcpus_max; i++) {
        mock_vcpu *vcpu = atomic_load_explicit(&vm->vcpus[i], memory_order_acquire);

        if (vcpu)
            power_on_again(vm, vcpu);
    }
    turn_give(&vm->turn);
    return VSDK_OK;
}

vsdk_status mock_vm_list_reserved(backend_vm *backend, vsdk_vm_range *ranges, uint32_t capacity,
                                  uint32_t *needed, vsdk_error *error)
{
    *needed = backend->config.irqchip == VSDK_IRQCHIP_NONE ? 0 : 1;
    if (*needed && capacity) {
        ranges[0] =
            (vsdk_vm_range){.space = VSDK_SPACE_MMIO, .address = LAPIC_BASE, .length = LAPIC_BYTES};
        snprintf(ranges[0].reason, sizeof ranges[0].reason, "the local APICs");
    }
    return VSDK_OK;
}
