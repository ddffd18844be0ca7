/* SPDX-License-Identifier: Apache-2.0 */
/* The constructors of the library's virtio devices where memory or descriptors are scarce: each
 * gives back what it was given, once. virtio_fs.c has that of a shared folder. */
#include "scarce.h"
#include <sys/resource.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;
static unsigned made, released;

static void setup(void)
{
    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
}

static void teardown(void)
{
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    cr_assert_eq(made, released, "%u made, %u released", made, released);
}

TestSuite(virtio_devices, .init = setup, .fini = teardown);

static void release(void *user)
{
    ++*(unsigned *)user;
}

static vsdk_status make_rng(void)
{
    vsdk_virtio_rng_config config = {.size = sizeof config, .user = &released, .release = release};
    vsdk_device *device;

    made++;
    vsdk_status status = vsdk_virtio_rng_create(vm, &config, &device, E);
    vsdk_device_close(device);
    return status;
}

/* With a stream, so that there is something to listen to. */
static vsdk_status make_console(void)
{
    vsdk_virtio_port port = {.name = "port"};
    vsdk_virtio_console_config config = {.size = sizeof config,
                                         .ports = &port,
                                         .port_count = 1,
                                         .user = &released,
                                         .release = release};
    vsdk_stream *near;
    vsdk_device *device;
    unsigned after = fail_at;

    fail_at = 0;
    ok(vsdk_stream_create(NULL, &near, &port.stream, E));
    fail_at = after;
    made++;
    vsdk_status status = vsdk_virtio_console_create(vm, &config, &device, E);
    vsdk_device_close(device);
    vsdk_stream_close(near);
    vsdk_stream_close(port.stream);
    return status;
}

static vsdk_status make_card(void)
{
    vsdk_virtio_net_config config = {.size = sizeof config};
    vsdk_net *far;
    vsdk_device *device;
    unsigned after = fail_at;

    fail_at = 0;
    ok(vsdk_net_create_pair(NULL, &config.net, &far, E));
    fail_at = after;
    vsdk_status status = vsdk_virtio_net_create(vm, &config, &device, E);
    vsdk_device_close(device);
    vsdk_net_close(config.net);
    vsdk_net_close(far);
    return status;
}

Test(virtio_devices, without_memory)
{
    out_of_memory(make_rng());
    out_of_memory(make_console());
    out_of_memory(make_card());
}

Test(virtio_devices, a_port_without_memory)
{
    vsdk_stream *near, *far;
    vsdk_device *device;

    ok(vsdk_stream_create(NULL, &near, &far, E));
    ok(vsdk_virtio_console_create(vm, NULL, &device, E));
    out_of_memory(vsdk_virtio_console_connect(device, 0, far, E));
    vsdk_device_close(device);
    vsdk_stream_close(near);
    vsdk_stream_close(far);
}

/* The loop is made by the first that needs it. */
Test(virtio_devices, without_descriptors)
{
    struct rlimit before, few = {.rlim_cur = 3};
    vsdk_status statuses[3];

    cr_assert(!getrlimit(RLIMIT_NOFILE, &before));
    few.rlim_max = before.rlim_max;
    cr_assert(!setrlimit(RLIMIT_NOFILE, &few));
    statuses[0] = make_rng();
    statuses[1] = make_console();
    statuses[2] = make_card();
    cr_assert(!setrlimit(RLIMIT_NOFILE, &before));
    for (unsigned i = 0; i < sizeof statuses / sizeof *statuses; i++)
        cr_assert_eq(statuses[i], VSDK_ERROR_LIMIT, "%u: %s", i, vsdk_status_name(statuses[i]));
}
