/* SPDX-License-Identifier: Apache-2.0 */
/* The step of the networks: one of each kind that needs nothing of the host's, and a device of one.
 * All are made and thrown away, so that the step may be done again. */
#include "scenario.h"
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RELEASE = 10, NETS = 5 };

static void released(void *user)
{
    ++*(uint32_t *)user;
}

static vsdk_status make_own(struct scenario *s, vsdk_net **net, vsdk_error *error)
{
    vsdk_net_ops ops = {.size = sizeof ops, .release = released};

    s->promised[RELEASE]++;
    return vsdk_net_create(&ops, &s->releases[RELEASE], NULL, net, error);
}

/* Where close would end a cancelled thread, the system's call does not. */
static vsdk_status make_socket(vsdk_net **net, vsdk_error *error)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return VSDK_ERROR_SYSTEM;
    vsdk_status status = vsdk_net_create_socket(ends[0], net, error);
    syscall(SYS_close, ends[0]);
    syscall(SYS_close, ends[1]);
    return status;
}

/* With a limit each way, so that both have their descriptors. */
static vsdk_status make_filter(vsdk_net *inner, vsdk_net **net, vsdk_error *error)
{
    vsdk_net_filter_config config = {
        .size = sizeof config, .send_bytes = 1000, .receive_frames = 10};

    return vsdk_net_create_filter(inner, &config, net, error);
}

/* With an address: a random one would be a wish. */
static vsdk_status make_card(vsdk_vm *vm, vsdk_net *net, vsdk_error *error)
{
    vsdk_virtio_net_config config = {
        .size = sizeof config, .net = net, .mac = {0x52, 0x54, 0, 1, 2, 3}};
    vsdk_device *device = NULL;
    vsdk_status status = vsdk_virtio_net_create(vm, &config, &device, error);

    vsdk_device_close(device);
    return status;
}

vsdk_status scenario_networks(struct scenario *s, vsdk_error *error)
{
    vsdk_net *nets[NETS] = {NULL};
    vsdk_status status = vsdk_net_create_pair(NULL, &nets[0], &nets[1], error);

    if (!status)
        status = make_own(s, &nets[2], error);
    if (!status)
        status = make_socket(&nets[3], error);
    if (!status)
        status = make_filter(nets[0], &nets[4], error);
    if (!status)
        status = make_card(s->vm, nets[1], error);
    for (unsigned i = 0; i < NETS; i++)
        vsdk_net_close(nets[i]);
    return status;
}
