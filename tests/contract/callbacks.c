/* SPDX-License-Identifier: Apache-2.0 */
/* What may be called from a callback, and is not what a device does every day. */
#include "check.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_irq *irq;
static int called;

static void on_line(void *user, vsdk_vm *of, uint32_t gsi, uint32_t level)
{
    cr_assert_eq(of, vm);
    if (level)
        ((void (*)(void))user)();
    called += (int)level;
}

/* The callback of line 50 calls `what`. */
static void inside(void (*what)(void))
{
    vsdk_vm_config config = {.size = sizeof config, .memory_max = 64 << 20};

    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, &config, &vm, E));
    ok(vsdk_irq_controller_attach(vm, 50, 1, on_line, (void *)what, NULL, E));
    ok(vsdk_irq_create(vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 50}, &irq,
                       E));
    called = 0;
    ok(vsdk_irq_pulse(irq, E));
    cr_assert_eq(called, 1);
    vsdk_irq_close(irq);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

static void make_machine(void)
{
    vsdk_pc_config config = {.size = sizeof config, .memory = 2 << 20};
    vsdk_pc *pc;

    ok(vsdk_pc_create(host, &config, &pc, E));
    vsdk_pc_close(pc);
}

static void make_controllers(void)
{
    vsdk_ioapic_config config = {.size = sizeof config, .first_gsi = 100};
    vsdk_device *device;

    ok(vsdk_ioapic_create(vm, &config, &device, E));
    ok(vsdk_device_detach(device, E));
    vsdk_device_close(device);
    ok(vsdk_irq_controller_attach(vm, 51, 1, on_line, NULL, NULL, E));
    fails(BUSY, vsdk_irq_controller_detach(vm, 51, E));
}

static void choose_cpuid(void)
{
    const vsdk_x86_cpuid_entry entry = {0};

    fails(UNSUPPORTED, vsdk_x86_vm_set_cpuid(vm, &entry, 1, E));
}

static void reap(void)
{
    fails(NOT_FOUND, vsdk_host_reap(host, 1, E));
}

/* Transitions start and stop devices, and wait for callbacks. */
static void move(void)
{
    vsdk_exit end;

    fails(BUSY, vsdk_vm_resume(vm, E));
    fails(BUSY, vsdk_vm_pause(vm, 0, VSDK_FOREVER, E));
    fails(BUSY, vsdk_vm_pause(vm, VSDK_PAUSE_SETTLE, 0, E));
    fails(BUSY, vsdk_vm_reset(vm, VSDK_FOREVER, E));
    fails(BUSY, vsdk_vm_run(vm, NULL, 0, &end, E));
    fails(BUSY, vsdk_vm_destroy(vm, E));
    ok(vsdk_vm_pause_request(vm, E));
}

static void ignore_work(void *user, vsdk_work *work)
{
}

/* Handles of every kind that no hypervisor is asked for. */
static void make_handles(void)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_stream *near_end, *far_end;
    vsdk_device *device;
    vsdk_work *work;
    vsdk_msi *msi;

    ok(vsdk_stream_create(NULL, &near_end, &far_end, E));
    ok(vsdk_stream_write(near_end, "x", 1, NULL, E));
    vsdk_stream_close(near_end);
    vsdk_stream_close(far_end);
    ok(vsdk_device_create(vm, &ops, NULL, NULL, &device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 4, 0, E));
    ok(vsdk_device_remove_range(device, VSDK_SPACE_PIO, 0x500, E));
    fails(STATE, vsdk_device_enter(device, E)); /* it is not started */
    cr_assert_not_null(vsdk_vm_loop(vm, E));
    ok(vsdk_work_create(vsdk_vm_loop(vm, E), device, ignore_work, NULL, NULL, &work, E));
    ok(vsdk_work_post(work, E));
    vsdk_work_close(work);
    ok(vsdk_device_detach(device, E));
    vsdk_device_close(device);
    ok(vsdk_msi_create(vm, NULL, &msi, E));
    fails(STATE, vsdk_msi_send(msi, E)); /* there is no processor yet */
    vsdk_msi_close(msi);
}

Test(callbacks, make_no_transition)
{
    inside(move);
}

Test(callbacks, make_handles)
{
    inside(make_handles);
}

Test(callbacks, make_a_machine)
{
    inside(make_machine);
}

Test(callbacks, make_controllers)
{
    inside(make_controllers);
}

Test(callbacks, choose_cpuid)
{
    inside(choose_cpuid);
}

Test(callbacks, reap)
{
    inside(reap);
}

/* From enter to leave a thread is as in a callback of the device. */
Test(callbacks, enter_is_like_one)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device;
    vsdk_vcpu *vcpu;
    vsdk_pool *pool;
    uint8_t byte;

    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
    ok(vsdk_pool_create(NULL, &pool, E));
    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    ok(vsdk_device_create(vm, &ops, NULL, NULL, &device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 4, 0, E));
    fails(STATE, vsdk_device_enter(device, E));
    fails(STATE, vsdk_dma_read(device, 0, &byte, 1, E));
    vsdk_device_leave(device); /* without an enter: nothing */
    ok(vsdk_vm_resume(vm, E));
    ok(vsdk_device_enter(device, E));
    fails(BUSY, vsdk_device_enter(device, E));
    fails(BUSY, vsdk_device_detach(device, E));
    fails(BUSY, vsdk_vcpu_run(vcpu, 0, E));
    fails(BUSY, vsdk_vm_pause(vm, 0, VSDK_FOREVER, E));
    fails(BUSY, vsdk_vm_destroy(vm, E));
    fails(BUSY, vsdk_pool_stop(pool, E)); /* a thread of it may wait for the device */
    fails(RANGE, vsdk_dma_read(device, 0, &byte, 1, E)); /* it is started; there is no memory */
    vsdk_device_leave(device);
    ok(vsdk_vm_pause(vm, 0, VSDK_FOREVER, E));
    fails(STATE, vsdk_device_enter(device, E));
    ok(vsdk_vm_resume(vm, E));
    ok(vsdk_device_enter(device, E));
    vsdk_device_leave(device);
    ok(vsdk_pool_stop(pool, E));
    vsdk_pool_close(pool);
    vsdk_vcpu_close(vcpu);
    vsdk_vm_close(vm);
    fails(GONE, vsdk_device_enter(device, E));
    vsdk_device_close(device);
    vsdk_host_close(host);
}

static vsdk_device *pair[2];
static pthread_barrier_t both_inside;

/* Of one device into the other. */
static void *enter_across(void *from)
{
    uint32_t self = from != &pair[0];
    vsdk_error error;

    ok(vsdk_device_enter(pair[self], &error));
    pthread_barrier_wait(&both_inside);
    vsdk_status status = vsdk_device_enter(pair[!self], &error);
    if (!status)
        vsdk_device_leave(pair[!self]);
    vsdk_device_leave(pair[self]);
    return status == VSDK_ERROR_BUSY ? from : NULL;
}

/* As the two ends of a cable do that send at one time: the virtual machines differ, and so do their
 * hosts. */
Test(callbacks, devices_of_two_machines_do_not_wait_for_each_other, .timeout = 60)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_host *hosts[2];
    vsdk_vm *vms[2];
    vsdk_vcpu *vcpu;
    pthread_t thread;
    void *refused;

    for (int i = 0; i < 2; i++) {
        ok(vsdk_host_open("mock", NULL, &hosts[i], E));
        ok(vsdk_vm_create(hosts[i], NULL, &vms[i], E));
        ok(vsdk_vcpu_create(vms[i], 0, NULL, &vcpu, E));
        vsdk_vcpu_close(vcpu);
        ok(vsdk_device_create(vms[i], &ops, NULL, NULL, &pair[i], E));
        ok(vsdk_device_add_range(pair[i], VSDK_SPACE_PIO, 0x500, 4, 0, E));
        ok(vsdk_vm_resume(vms[i], E));
    }
    pthread_barrier_init(&both_inside, NULL, 2);
    pthread_create(&thread, NULL, enter_across, &pair[1]);
    int busy = enter_across(&pair[0]) != NULL;
    pthread_join(thread, &refused);
    cr_assert_eq(busy + (refused != NULL), 1);
    for (int i = 0; i < 2; i++) {
        vsdk_device_close(pair[i]);
        vsdk_vm_close(vms[i]);
        vsdk_host_close(hosts[i]);
    }
}
