/* SPDX-License-Identifier: Apache-2.0 */
/* The constructor of a shared folder's device where memory or descriptors are scarce. */
#include "scarce.h"
#include <sys/resource.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;

static void setup(void)
{
    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
}

static void teardown(void)
{
    vsdk_vm_close(vm);
    vsdk_host_close(host);
}

TestSuite(virtio_fs, .init = setup, .fini = teardown);

static vsdk_status make_fs(void)
{
    vsdk_share_config given = {.size = sizeof given, .path = "/tmp"};
    vsdk_virtio_fs_config config = {.size = sizeof config, .tag = "fs"};
    struct rlimit now, all;
    vsdk_device *device;
    unsigned after = fail_at;

    /* The share has its descriptors, however few there are for the device. */
    fail_at = 0;
    cr_assert(!getrlimit(RLIMIT_NOFILE, &now));
    all = (struct rlimit){now.rlim_max, now.rlim_max};
    cr_assert(!setrlimit(RLIMIT_NOFILE, &all));
    ok(vsdk_share_open(&given, &config.share, E));
    cr_assert(!setrlimit(RLIMIT_NOFILE, &now));
    fail_at = after;
    vsdk_status status = vsdk_virtio_fs_create(vm, &config, &device, E);
    vsdk_device_close(device);
    vsdk_share_close(config.share);
    return status;
}

Test(virtio_fs, without_memory)
{
    out_of_memory(make_fs());
}

/* The loop is made by the first that needs it. */
Test(virtio_fs, without_descriptors)
{
    struct rlimit before, few = {.rlim_cur = 3};

    cr_assert(!getrlimit(RLIMIT_NOFILE, &before));
    few.rlim_max = before.rlim_max;
    cr_assert(!setrlimit(RLIMIT_NOFILE, &few));
    vsdk_status status = make_fs();
    cr_assert(!setrlimit(RLIMIT_NOFILE, &before));
    cr_assert_eq(status, VSDK_ERROR_LIMIT, "%s", vsdk_status_name(status));
}
