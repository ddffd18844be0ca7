/* SPDX-License-Identifier: Apache-2.0 */
/* The constructors of networks where memory or descriptors are scarce, or the host has no taps.
 * What can't be had here is skipped. */
#include "scarce.h"
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static vsdk_net *near, *far;
static vsdk_loop *loop;
static int ends[2];

static void setup(void)
{
    ok(vsdk_net_create_pair(NULL, &near, &far, E));
    ok(vsdk_loop_create(&loop, E));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void teardown(void)
{
    vsdk_net_close(near);
    vsdk_net_close(far);
    vsdk_loop_close(loop);
    close(ends[0]);
    close(ends[1]);
}

TestSuite(networks, .init = setup, .fini = teardown);

static vsdk_status make_socket(void)
{
    vsdk_net *net;
    vsdk_status status = vsdk_net_create_socket(ends[0], &net, E);

    vsdk_net_close(net);
    return status;
}

/* With a limit, which needs descriptors. */
static vsdk_status make_filter(void)
{
    vsdk_net_filter_config config = {.size = sizeof config, .send_bytes = 1000};
    vsdk_net *net;
    vsdk_status status = vsdk_net_create_filter(near, &config, &net, E);

    vsdk_net_close(net);
    return status;
}

static vsdk_status make_user(void)
{
    vsdk_net_user_config config = {.size = sizeof config, .loop = loop};
    vsdk_net *net;
    vsdk_status status = vsdk_net_create_user(&config, &net, E);

    vsdk_net_close(net);
    return status;
}

static vsdk_status make_tap(void)
{
    vsdk_net_tap_config config = {.size = sizeof config, .name = "vsdk0"};
    vsdk_net *net;
    vsdk_status status = vsdk_net_create_tap(&config, &net, E);

    vsdk_net_close(net);
    return status;
}

/* With its first allocation failing, where one can. */
static vsdk_status first_fails(vsdk_status (*make)(void))
{
    fail_at = 1;
    vsdk_status status = make();
    fail_at = 0;
    return status || allocations_can_fail() ? status : VSDK_ERROR_NO_MEMORY;
}

static vsdk_status without_descriptors(vsdk_status (*make)(void))
{
    struct rlimit before, few;

    cr_assert(!getrlimit(RLIMIT_NOFILE, &before));
    few = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    cr_assert(!setrlimit(RLIMIT_NOFILE, &few));
    vsdk_status status = make();
    cr_assert(!setrlimit(RLIMIT_NOFILE, &before));
    return status;
}

static void is_scarce(vsdk_status (*make)(void))
{
    cr_assert_eq(without_descriptors(make), VSDK_ERROR_LIMIT, "%s", test_error.message);
    cr_assert_eq(first_fails(make), VSDK_ERROR_NO_MEMORY, "%s", test_error.message);
    ok(make());
}

Test(networks, of_sockets)
{
    is_scarce(make_socket);
}

Test(networks, of_filters)
{
    is_scarce(make_filter);
}

/* The first one loads the module. What libslirp allocates itself it can't do without. */
Test(networks, of_a_stack)
{
    vsdk_status status = make_user();

    if (status == VSDK_ERROR_UNAVAILABLE)
        cr_skip_test("no module of libslirp");
    cr_assert_eq(status, VSDK_OK, "%s", test_error.message);
    is_scarce(make_user);
}

/* In a network of the test's own. */
Test(networks, of_taps)
{
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        cr_skip_test("no network of one's own");
    vsdk_status status = make_tap();
    if (status == VSDK_ERROR_UNAVAILABLE || status == VSDK_ERROR_PERMISSION)
        cr_skip_test("no taps here");
    cr_assert_eq(status, VSDK_OK, "%s", test_error.message);
    is_scarce(make_tap);
}

/* An empty folder lies over that of the device, for this process alone. */
Test(networks, without_taps)
{
    if (access("/dev/net", F_OK) == 0) {
        if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
            cr_skip_test("no mounts of one's own");
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("none", "/dev/net", "tmpfs", 0, NULL))
            cr_skip_test("no mounts here");
    }
    fails(UNAVAILABLE, make_tap());
}
