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

static void ignore_timer(void *user)
{
    (void)user;
}

static void ignore_watch(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    (void)user, (void)descriptor, (void)events;
}

static void ignore_line(void *user, uint32_t gsi, uint32_t level)
{
    (void)user, (void)gsi, (void)level;
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
    released_once(
        fails(EXISTS, vsdk_watch_create(loop, NULL, pipes[0], VSDK_LOOP_READ, ignore_watch,
                                        &released, count_release, &second, E)));
    released_once(vsdk_watch_close(watch));
}

Test(release, timer_and_watch_of_a_device_that_is_gone)
{
    vsdk_device *device;
    vsdk_timer *timer;
    vsdk_watch *watch;
    int pipes[2];

    cr_assert(pipe(pipes) == 0);
    ok(vsdk_device_create(vm, &(vsdk_device_ops){.size = sizeof ops}, NULL, NULL, &device, E));
    ok(vsdk_vm_destroy(vm, E));
    released_once(fails(
        GONE, vsdk_timer_create(loop, device, ignore_timer, &released, count_release, &timer, E)));
    released_once(
        fails(GONE, vsdk_watch_create(loop, device, pipes[0], VSDK_LOOP_READ, ignore_watch,
                                      &released, count_release, &watch, E)));
    vsdk_device_close(device);
}

Test(release, deferred_work)
{
    uint32_t ran;

    released_once(
        fails(INVALID_ARGUMENT, vsdk_loop_defer(NULL, ignore_timer, &released, count_release, E)));
    released_once(
        fails(INVALID_ARGUMENT, vsdk_loop_defer(loop, NULL, &released, count_release, E)));
    released = 0;
    ok(vsdk_loop_defer(loop, ignore_timer, &released, count_release, E));
    cr_assert_eq(released, 0);
    released_once(ok(vsdk_loop_dispatch(loop, 0, &ran, E)));
    cr_assert_eq(ran, 1);
    released = 0;
    ok(vsdk_loop_defer(loop, ignore_timer, &released, count_release, E));
    released_once((vsdk_loop_close(loop), loop = NULL));
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

static void detach_itself(void *user, uint32_t gsi, uint32_t level)
{
    (void)gsi;
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
