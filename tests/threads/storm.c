/* SPDX-License-Identifier: Apache-2.0 */
#include "storm.h"
#include <string.h>

static void enter(struct storm *storm)
{
    if (!atomic_load(&storm->started))
        atomic_fetch_add(&storm->stopped_calls, 1);
    if (atomic_fetch_add(&storm->inside, 1) != 0)
        atomic_fetch_add(&storm->overlaps, 1);
    if (!atomic_load(&storm->attached))
        atomic_fetch_add(&storm->late, 1);
    if (!storm->concurrent)
        storm->plain++;
}

static void leave(struct storm *storm)
{
    atomic_fetch_sub(&storm->inside, 1);
}

static uint64_t on_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct storm *storm = user;

    (void)device;
    (void)access;
    enter(storm);
    uint64_t value = atomic_fetch_add(&storm->reads, 1);
    leave(storm);
    return value;
}

static void on_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct storm *storm = user;

    (void)device;
    (void)access;
    enter(storm);
    atomic_fetch_add(&storm->writes, 1);
    leave(storm);
}

/* Starts and stops take turns, as callbacks of the device: alone, and never after a detach. */
static void event(struct storm *storm, uint32_t started)
{
    if (atomic_fetch_add(&storm->inside, 1) != 0)
        atomic_fetch_add(&storm->overlaps, 1);
    if (!atomic_load(&storm->attached))
        atomic_fetch_add(&storm->late, 1);
    if (atomic_exchange(&storm->started, started) == started)
        atomic_fetch_add(&storm->repeated, 1);
    storm->events++;
    leave(storm);
}

static void on_start(void *user, vsdk_device *device)
{
    (void)device;
    event(user, 1);
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    (void)device;
    (void)mode;
    event(user, 0);
    return VSDK_STOP_DONE;
}

static void on_reset(void *user, vsdk_device *device)
{
    struct storm *storm = user;

    (void)device;
    if (atomic_load(&storm->started))
        atomic_fetch_add(&storm->repeated, 1);
    atomic_fetch_add(&storm->resets, 1);
}

static void on_release(void *user)
{
    atomic_fetch_add(&((struct storm *)user)->released, 1);
}

static const vsdk_device_ops ops = {.size = sizeof ops,
                                    .read = on_read,
                                    .write = on_write,
                                    .start = on_start,
                                    .stop = on_stop,
                                    .reset = on_reset,
                                    .release = on_release};

void storm_make(struct storm *storm, vsdk_host *host, unsigned vcpus, uint32_t device_flags)
{
    vsdk_device_config config = {.size = sizeof config, .flags = device_flags, .name = "storm"};

    memset(storm, 0, sizeof *storm);
    storm->concurrent = device_flags & VSDK_DEVICE_CONCURRENT;
    rig_make(&storm->rig, host, vcpus, vcpus > 1 ? &guest_hammers : &guest_hammer, vcpus == 1);
    if (vcpus > 1)
        rig_second(&storm->rig, &guest_hammers_second);
    atomic_store(&storm->attached, 1); /* it hears of starts from its creation */
    must(vsdk_device_create(storm->rig.vm, &ops, storm, &config, &storm->device, E));
}

void storm_attach(struct storm *storm)
{
    atomic_store(&storm->attached, 1);
    must(vsdk_device_add_range(storm->device, VSDK_SPACE_PIO, PORT_IN, 4, 0, E));
}

void storm_detach(struct storm *storm)
{
    must(vsdk_device_detach(storm->device, E));
    atomic_store(&storm->attached, 0);
    atomic_store(&storm->started, 0);
}

void storm_run(struct storm *storm)
{
    must(vsdk_vm_resume(storm->rig.vm, E));
    for (unsigned i = 0; i < RIG_VCPUS && storm->rig.vcpus[i]; i++) {
        storm->runners[i].vcpu = storm->rig.vcpus[i];
        runner_start(&storm->runners[i]);
    }
}

void storm_end(struct storm *storm)
{
    for (unsigned i = 0; i < RIG_VCPUS && storm->rig.vcpus[i] && !storm->joined; i++) {
        runner_stop(&storm->runners[i]);
        check(storm->runners[i].status == VSDK_OK, "run: %s",
              vsdk_status_name(storm->runners[i].status));
    }
    vsdk_device_close(storm->device);
    rig_end(&storm->rig);
    check(atomic_load(&storm->released) == 1, "%u releases", atomic_load(&storm->released));
    check(!atomic_load(&storm->started), "released without a stop");
    check(!atomic_load(&storm->repeated), "%u starts or stops too many",
          atomic_load(&storm->repeated));
    check(!atomic_load(&storm->stopped_calls), "%u accesses of a stopped device",
          atomic_load(&storm->stopped_calls));
}

void *storm_pause(void *vm)
{
    must(vsdk_vm_pause(vm, 0, VSDK_FOREVER, E));
    return NULL;
}

void *storm_resume_later(void *vm)
{
    rig_sleep_us(200);
    must(vsdk_vm_resume(vm, E));
    return NULL;
}

void *storm_ranges(void *argument)
{
    struct storm *storm = argument;

    uint32_t seed = rig_seed(1);

    for (uint32_t i = 0; i < storm->rounds; i++) {
        uint64_t port = 0x1000 + rig_random(&seed, 16);

        must(vsdk_vm_add_range(storm->rig.vm, VSDK_SPACE_PIO, port, 1, 5, E));
        must(vsdk_vm_remove_range(storm->rig.vm, VSDK_SPACE_PIO, port, E));
        storm_detach(storm);
        storm_attach(storm);
    }
    return NULL;
}

void *storm_maps(void *argument)
{
    struct storm *storm = argument;
    vsdk_vm *vm = storm->rig.vm;
    vsdk_ram *ram = NULL;
    uint32_t seed = rig_seed(2);

    must(vsdk_ram_create(vm, 0x10000, NULL, &ram, E));
    for (uint32_t i = 0; i < storm->rounds; i++) {
        must(vsdk_vm_map(vm, EXTRA_RAM, ram, 0, 0x10000, 0, E));
        if (rig_random(&seed, 4) == 0)
            must(vsdk_vm_protect(vm, EXTRA_RAM, 0x10000, VSDK_MAP_READONLY, E));
        must(vsdk_vm_unmap(vm, EXTRA_RAM, 0x10000, E));
    }
    vsdk_ram_close(ram);
    return NULL;
}

/* The memory that comes and goes, and memory that stays; for the embedder, and for a device that
 * stays started. */
void *storm_gate(void *argument)
{
    static const vsdk_device_ops none = {.size = sizeof none};
    struct storm *storm = argument;
    vsdk_vm *vm = storm->rig.vm;
    vsdk_device *device = NULL;
    uint64_t value = 0;

    must(vsdk_device_create(vm, &none, NULL, NULL, &device, E));
    must(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x4000, 1, 0, E));
    for (uint32_t i = 0; i < storm->rounds * 4; i++) {
        vsdk_dma_view view = {.size = sizeof view};
        vsdk_status status = vsdk_vm_read(vm, EXTRA_RAM, &value, sizeof value, NULL);

        check(status == VSDK_OK || status == VSDK_ERROR_RANGE, "%s", vsdk_status_name(status));
        must(vsdk_vm_write(vm, DATA, &i, sizeof i, E));
        must(vsdk_vm_read(vm, DATA, &value, sizeof i, E));
        check(value == i, "%llu", (unsigned long long)value);
        must(vsdk_dma_write(device, DATA + 8, &i, sizeof i, E));
        status = vsdk_dma_map(device, EXTRA_RAM, 64, VSDK_DMA_FROM_GUEST, &view, NULL);
        check(status == VSDK_OK || status == VSDK_ERROR_RANGE, "%s", vsdk_status_name(status));
        if (status == VSDK_OK)
            *(volatile uint8_t *)view.data;
        vsdk_dma_unmap(&view);
    }
    must(vsdk_device_detach(device, E));
    vsdk_device_close(device);
    return NULL;
}

void *storm_doorbells(void *argument)
{
    struct storm *storm = argument;

    for (uint32_t i = 0; i < storm->rounds / 4; i++) {
        vsdk_doorbell_config config = {.size = sizeof config, .address = 0x2000, .width = 4};
        vsdk_doorbell *doorbell = NULL;
        vsdk_irq *irq = NULL;

        must(vsdk_doorbell_create(storm->rig.vm, &config, &doorbell, E));
        must(vsdk_irq_create(
            storm->rig.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4}, &irq, E));
        vsdk_irq_close(irq);
        vsdk_doorbell_close(doorbell);
    }
    return NULL;
}

void *storm_looks(void *argument)
{
    struct storm *storm = argument;
    uint32_t seed = rig_seed(3);

    for (uint32_t i = 0; i < storm->rounds * 4; i++) {
        vsdk_vm_info info = {.size = sizeof info};
        vsdk_vcpu_counters counters = {.size = sizeof counters};
        vsdk_vcpu_phase state;
        vsdk_vcpu *vcpu = storm->rig.vcpus[rig_random(&seed, 2)];
        vsdk_x86_regs regs;

        must(vsdk_vm_get_info(storm->rig.vm, &info, E));
        must(vsdk_vcpu_get_counters(vcpu, &counters, E));
        must(vsdk_vcpu_get_phase(vcpu, &state, E));
        vsdk_status status =
            vsdk_vcpu_get_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL);
        check(status == VSDK_OK || status == VSDK_ERROR_STATE, "%s", vsdk_status_name(status));
        must(vsdk_vcpu_kick(vcpu, E));
    }
    return NULL;
}
