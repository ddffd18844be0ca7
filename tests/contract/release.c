/* SPDX-License-Identifier: Apache-2.0 */
/* A user pointer's release is called exactly once, on failure of the function that took it too. */
#include "check.h"
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_loop *loop;
static int released;

static void setup(void)
{
    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
    ok(vsdk_loop_create(&loop, E));
}

static void teardown(void)
{
    vsdk_loop_close(loop);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

TestSuite(release, .init = setup, .fini = teardown);

static void count_release(void *user)
{
    ++*(int *)user;
}

static void ignore_timer(void *user, vsdk_timer *timer)
{
    (void)user, (void)timer;
}

static void ignore_work(void *user, vsdk_work *work)
{
    (void)user, (void)work;
}

static void ignore_stream(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)stream, (void)events;
}

static void ignore_watch(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    (void)user, (void)descriptor, (void)events;
}

static void ignore_line(void *user, vsdk_vm *of, uint32_t gsi, uint32_t level)
{
    (void)user, (void)of, (void)gsi, (void)level;
}

static const vsdk_device_ops ops = {.size = sizeof ops, .release = count_release};

#define released_once(call)                                                                        \
    do {                                                                                           \
        released = 0;                                                                              \
        call;                                                                                      \
        cr_assert_eq(released, 1, "%s: released %d times", #call, released);                       \
    } while (0)

Test(release, device_that_could_not_be_made)
{
    vsdk_device_ops later = ops;
    vsdk_device_config bad = {.size = sizeof bad, .flags = 0x40000000};
    vsdk_device *device;

    released_once(
        fails(INVALID_ARGUMENT, vsdk_device_create(NULL, &ops, &released, NULL, &device, E)));
    released_once(fails(INVALID_ARGUMENT, vsdk_device_create(vm, &ops, &released, NULL, NULL, E)));
    released_once(
        fails(INVALID_ARGUMENT, vsdk_device_create(vm, &ops, &released, &bad, &device, E)));
    later.flags = 0x40000000;
    released_once(
        fails(INVALID_ARGUMENT, vsdk_device_create(vm, &later, &released, NULL, &device, E)));
    ok(vsdk_vm_destroy(vm, E));
    released_once(fails(GONE, vsdk_device_create(vm, &ops, &released, NULL, &device, E)));
}

Test(release, device_that_is_closed)
{
    vsdk_device *device;

    ok(vsdk_device_create(vm, &ops, &released, NULL, &device, E));
    released_once(vsdk_device_close(device));
}

Test(release, device_that_is_detached_last)
{
    vsdk_device *device;

    ok(vsdk_device_create(vm, &ops, &released, NULL, &device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, 1, 0, E));
    ok(vsdk_device_detach(device, E));
    cr_assert_eq(released, 0);
    released_once(vsdk_device_close(device));
}

Test(release, attached_device_when_the_machine_is_destroyed)
{
    vsdk_device *device;

    ok(vsdk_device_create(vm, &ops, &released, NULL, &device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, 1, 0, E));
    vsdk_device_close(device);
    cr_assert_eq(released, 0);
    released_once(ok(vsdk_vm_destroy(vm, E)));
}

/* The last close of the virtual machine destroys it; the device was released by then, or is kept by
 * its own handle. */
Test(release, attached_device_when_the_machine_is_closed)
{
    vsdk_device *device, *held;
    int released_held = 0;

    ok(vsdk_device_create(vm, &ops, &released, NULL, &device, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 1, 1, 0, E));
    ok(vsdk_device_create(vm, &ops, &released_held, NULL, &held, E));
    ok(vsdk_device_add_range(held, VSDK_SPACE_PIO, 2, 1, 0, E));
    vsdk_device_close(device);
    cr_assert_eq(vsdk_vm_ref(vm), vm);
    vsdk_vm_close(vm);
    cr_assert_eq(released, 0);
    released_once(vsdk_vm_close(vm));
    vm = NULL;
    cr_assert_eq(released_held, 0);
    fails(GONE, vsdk_device_add_range(held, VSDK_SPACE_PIO, 3, 1, 0, E));
    vsdk_device_close(held);
    cr_assert_eq(released_held, 1);
}

Test(release, timer)
{
    vsdk_timer *timer;

    released_once(fails(INVALID_ARGUMENT, vsdk_timer_create(NULL, NULL, ignore_timer, &released,
                                                            count_release, &timer, E)));
    released_once(fails(INVALID_ARGUMENT,
                        vsdk_timer_create(loop, NULL, NULL, &released, count_release, &timer, E)));
    released_once(fails(INVALID_ARGUMENT, vsdk_timer_create(loop, NULL, ignore_timer, &released,
                                                            count_release, NULL, E)));
    released = 0;
    ok(vsdk_timer_create(loop, NULL, ignore_timer, &released, count_release, &timer, E));
    cr_assert_eq(released, 0);
    released_once(vsdk_timer_close(timer));
}

Test(release, watch)
{
    vsdk_watch *watch, *second;
    int pipes[2];

    cr_assert(pipe(pipes) == 0);
    released_once(
        fails(INVALID_ARGUMENT, vsdk_watch_create(loop, NULL, -1, VSDK_LOOP_READ, ignore_watch,
                                                  &released, count_release, &watch, E)));
    released_once(
        fails(INVALID_ARGUMENT, vsdk_watch_create(loop, NULL, pipes[0], 0x100, ignore_watch,
                                                  &released, count_release, &watch, E)));
    released_once(
        fails(INVALID_ARGUMENT, vsdk_watch_create(loop, NULL, pipes[0], VSDK_LOOP_READ, NULL,
                                                  &released, count_release, &watch, E)));
    released = 0;
    ok(vsdk_watch_create(loop, NULL, pipes[0], VSDK_LOOP_READ, ignore_watch, &released,
                         count_release, &watch, E));
    cr_assert_eq(released, 0);
    ok(vsdk_watch_create(loop, NULL, pipes[0], VSDK_LOOP_READ, ignore_watch, &released,
                         count_release, &second, E)); /* of the same descriptor */
    cr_assert_eq(released, 0);
    released_once(vsdk_watch_close(watch));
    released_once(vsdk_watch_close(second));
}

Test(release, timer_watch_and_work_of_a_device_that_is_gone)
{
    vsdk_device *device;
    vsdk_timer *timer;
    vsdk_watch *watch;
    vsdk_work *work;
    int pipes[2];

    cr_assert(pipe(pipes) == 0);
    ok(vsdk_device_create(vm, &(vsdk_device_ops){.size = sizeof ops}, NULL, NULL, &device, E));
    ok(vsdk_vm_destroy(vm, E));
    released_once(fails(
        GONE, vsdk_timer_create(loop, device, ignore_timer, &released, count_release, &timer, E)));
    released_once(
        fails(GONE, vsdk_watch_create(loop, device, pipes[0], VSDK_LOOP_READ, ignore_watch,
                                      &released, count_release, &watch, E)));
    released_once(fails(
        GONE, vsdk_work_create(loop, device, ignore_work, &released, count_release, &work, E)));
    vsdk_device_close(device);
}

static void count_work(void *user, vsdk_work *work)
{
    (void)user;
    cr_assert_not_null(work);
    cr_assert_eq(released, 0);
}

Test(release, work)
{
    vsdk_work *work;
    uint32_t ran;

    released_once(fails(INVALID_ARGUMENT, vsdk_work_create(NULL, NULL, ignore_work, &released,
                                                           count_release, &work, E)));
    released_once(fails(INVALID_ARGUMENT,
                        vsdk_work_create(loop, NULL, NULL, &released, count_release, &work, E)));
    released_once(fails(INVALID_ARGUMENT, vsdk_work_create(loop, NULL, ignore_work, &released,
                                                           count_release, NULL, E)));
    released = 0;
    ok(vsdk_work_create(loop, NULL, count_work, &released, count_release, &work, E));
    ok(vsdk_work_post(work, E));
    ok(vsdk_loop_dispatch(loop, 0, &ran, E));
    cr_assert_eq(ran, 1);
    cr_assert_eq(released, 0);
    ok(vsdk_work_post(work, E));
    released_once(vsdk_work_close(work)); /* it was posted, and runs no more */
    ok(vsdk_loop_dispatch(loop, 0, &ran, E));
    cr_assert_eq(ran, 0);
    released = 0;
    ok(vsdk_work_create(loop, NULL, ignore_work, &released, count_release, &work, E));
    ok(vsdk_work_post(work, E));
    vsdk_loop_close(loop);
    loop = NULL;
    cr_assert_eq(released, 0);
    released_once(vsdk_work_close(work));
}

/* A callback closes what it is called for: the release comes when it has returned. */
static vsdk_timer *own_timer;
static vsdk_watch *own_watch;
static vsdk_work *own_work;

static void close_timer(void *user, vsdk_timer *timer)
{
    (void)user;
    cr_assert_eq(timer, own_timer);
    vsdk_timer_close(timer);
    cr_assert_eq(released, 0);
}

static void close_watch(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)user, (void)descriptor, (void)events;
    cr_assert_eq(watch, own_watch);
    vsdk_watch_close(watch);
    cr_assert_eq(released, 0);
}

static void close_work(void *user, vsdk_work *work)
{
    (void)user;
    cr_assert_eq(work, own_work);
    vsdk_work_close(work);
    cr_assert_eq(released, 0);
}

Test(release, closed_by_its_own_callback)
{
    int pipes[2];

    cr_assert(pipe(pipes) == 0 && write(pipes[1], "", 1) == 1);
    ok(vsdk_timer_create(loop, NULL, close_timer, &released, count_release, &own_timer, E));
    ok(vsdk_timer_arm(own_timer, 0, 0, E));
    released_once(ok(vsdk_loop_dispatch(loop, VSDK_FOREVER, NULL, E)));
    ok(vsdk_watch_create(loop, NULL, pipes[0], VSDK_LOOP_READ, close_watch, &released,
                         count_release, &own_watch, E));
    released_once(ok(vsdk_loop_dispatch(loop, VSDK_FOREVER, NULL, E)));
    ok(vsdk_work_create(loop, NULL, close_work, &released, count_release, &own_work, E));
    ok(vsdk_work_post(own_work, E));
    released_once(ok(vsdk_loop_dispatch(loop, VSDK_FOREVER, NULL, E)));
}

Test(release, handler_of_a_stream)
{
    vsdk_stream *near_end, *far_end;

    released_once(fails(INVALID_ARGUMENT,
                        vsdk_stream_set_handler(NULL, ignore_stream, &released, count_release, E)));
    ok(vsdk_stream_create(NULL, &near_end, &far_end, E));
    released = 0;
    ok(vsdk_stream_set_handler(near_end, ignore_stream, &released, count_release, E));
    cr_assert_eq(released, 0);
    released_once(
        ok(vsdk_stream_set_handler(near_end, ignore_stream, &released, count_release, E)));
    released_once(ok(vsdk_stream_set_handler(near_end, NULL, NULL, NULL, E)));
    released = 0;
    ok(vsdk_stream_set_handler(near_end, ignore_stream, &released, count_release, E));
    vsdk_stream_close(far_end); /* the handler is told, and stays */
    cr_assert_eq(released, 0);
    released_once(vsdk_stream_close(near_end));
}

static vsdk_run_answer end_run(void *user, vsdk_vcpu *vcpu, vsdk_exit *exit)
{
    (void)user, (void)vcpu, (void)exit;
    return VSDK_RUN_END;
}

Test(release, run)
{
    vsdk_run_config config = {
        .size = sizeof config, .exit = end_run, .user = &released, .release = count_release};
    vsdk_run_config bad = config;
    vsdk_vcpu *vcpu;

    bad.flags = 1;
    released_once(fails(INVALID_ARGUMENT, vsdk_vm_run(NULL, &config, 0, NULL, E)));
    released_once(fails(INVALID_ARGUMENT, vsdk_vm_run(vm, &bad, 0, NULL, E)));
    released_once(fails(STATE, vsdk_vm_run(vm, &config, 0, NULL, E))); /* no processor */
    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    released_once(ok(vsdk_vm_run(vm, &config, 0, NULL, E)));
    vsdk_vcpu_close(vcpu);
    ok(vsdk_vm_destroy(vm, E));
    released_once(fails(GONE, vsdk_vm_run(vm, &config, 0, NULL, E)));
}

Test(release, controller)
{
    released_once(fails(INVALID_ARGUMENT, vsdk_irq_controller_attach(NULL, 0, 1, ignore_line,
                                                                     &released, count_release, E)));
    released_once(fails(INVALID_ARGUMENT,
                        vsdk_irq_controller_attach(vm, 0, 1, NULL, &released, count_release, E)));
    released_once(fails(INVALID_ARGUMENT, vsdk_irq_controller_attach(vm, 0, 0, ignore_line,
                                                                     &released, count_release, E)));
    released_once(fails(
        LIMIT, vsdk_irq_controller_attach(vm, 1020, 8, ignore_line, &released, count_release, E)));
    released = 0;
    ok(vsdk_irq_controller_attach(vm, 0, 24, ignore_line, &released, count_release, E));
    cr_assert_eq(released, 0);
    released_once(fails(
        EXISTS, vsdk_irq_controller_attach(vm, 20, 8, ignore_line, &released, count_release, E)));
    released_once(ok(vsdk_irq_controller_detach(vm, 0, E)));
    released = 0;
    ok(vsdk_irq_controller_attach(vm, 0, 24, ignore_line, &released, count_release, E));
    released_once(ok(vsdk_vm_destroy(vm, E)));
    released_once(fails(
        GONE, vsdk_irq_controller_attach(vm, 0, 1, ignore_line, &released, count_release, E)));
}

static void detach_itself(void *user, vsdk_vm *of, uint32_t gsi, uint32_t level)
{
    (void)gsi;
    cr_assert_eq(of, vm);
    if (level)
        fails(BUSY, vsdk_irq_controller_detach(user, 0, E));
}

Test(release, controller_does_not_wait_for_itself)
{
    vsdk_irq *irq;

    ok(vsdk_irq_controller_attach(vm, 0, 24, detach_itself, vm, NULL, E));
    ok(vsdk_irq_create(vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4}, &irq, E));
    ok(vsdk_irq_pulse(irq, E));
    ok(vsdk_irq_controller_detach(vm, 0, E));
    vsdk_irq_close(irq);
}
