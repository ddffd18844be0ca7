/* SPDX-License-Identifier: Apache-2.0 */
/* The module of user-mode networks: libslirp behind a table of plain functions. IPv4 alone.
 *
 * libslirp calls back only inside of its own functions. What a guest does wrong it tells as a text,
 * which nobody hears. Its timers serve IPv6, and are never armed here. */
#include "net/user.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>

typedef struct instance {
    Slirp *slirp;
    const net_slirp_host *host;
    void *user;
    int (*add)(void *user, int fd, short events);
    short (*came)(void *user, int index);
} instance;

static ssize_t send_packet(const void *bytes, size_t length, void *opaque)
{
    const instance *i = opaque;

    i->host->output(i->user, bytes, length);
    return (ssize_t)length;
}

static void guest_error(const char *text, void *opaque)
{
    (void)text, (void)opaque;
}

/* Its time-outs are of connections, not of the guest's clock: it is the host's. */
static int64_t clock_now(void *opaque)
{
    return (int64_t)((const instance *)opaque)->host->clock();
}

/* A timer that never expires: any address will do, but not NULL. */
static void *timer_make(SlirpTimerCb fn, void *context, void *opaque)
{
    (void)fn, (void)context;
    return opaque;
}

static void timer_end(void *timer, void *opaque)
{
    (void)timer, (void)opaque;
}

static void timer_arm(void *timer, int64_t when, void *opaque)
{
    (void)timer, (void)when, (void)opaque;
}

/* The library asks for all sockets after each call. */
static void ignore_fd(int fd, void *opaque)
{
    (void)fd, (void)opaque;
}

/* All that it does it does inside of a call, after which the library asks what to wait for. */
static void notify(void *opaque)
{
    (void)opaque;
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_now,
    .timer_new = timer_make,
    .timer_free = timer_end,
    .timer_mod = timer_arm,
    .register_poll_fd = ignore_fd,
    .unregister_poll_fd = ignore_fd,
    .notify = notify,
};

static void *create(const net_slirp_config *c, const net_slirp_host *host, void *user)
{
    instance *i = calloc(1, sizeof *i);

    if (!i)
        return NULL;
    /* Version 3: what later ones have is off. `enable_emu` looks into connections: never. */
    SlirpConfig config = {
        .version = 3,
        .restricted = c->restricted,
        .in_enabled = true,
        .vnetwork.s_addr = htonl(c->network),
        .vnetmask.s_addr = htonl(c->mask),
        .vhost.s_addr = htonl(c->host),
        .vdhcp_start.s_addr = htonl(c->first),
        .vnameserver.s_addr = htonl(c->resolver),
        .vhostname = c->hostname,
        .if_mtu = c->mtu,
        .if_mru = c->mtu,
    };
    i->host = host;
    i->user = user;
    i->slirp = slirp_new(&config, &callbacks, i);
    if (!i->slirp) {
        free(i);
        return NULL;
    }
    return i;
}

/* Closes all sockets. */
static void destroy(void *slirp)
{
    instance *i = slirp;

    slirp_cleanup(i->slirp);
    free(i);
}

static void input(void *slirp, const void *frame, uint32_t length)
{
    slirp_input(((instance *)slirp)->slirp, frame, (int)length);
}

static const struct {
    int theirs;
    short ours;
} bits[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};
enum { BITS = sizeof bits / sizeof *bits };

/* The number that the library gives back comes with the answer; -1 has none. */
static int add_poll(int fd, int events, void *opaque)
{
    const instance *i = opaque;
    short ours = 0;

    for (unsigned k = 0; k < BITS; k++)
        if (events & bits[k].theirs)
            ours = (short)(ours | bits[k].ours);
    return i->add(i->user, fd, ours);
}

static int get_revents(int index, void *opaque)
{
    const instance *i = opaque;
    short came = i->came(i->user, index);
    int theirs = 0;

    for (unsigned k = 0; k < BITS; k++)
        if (came & bits[k].ours)
            theirs |= bits[k].theirs;
    return theirs;
}

static void fill(void *slirp, uint32_t *timeout, int (*add)(void *user, int fd, short events))
{
    instance *i = slirp;

    i->add = add;
    slirp_pollfds_fill(i->slirp, timeout, add_poll, i);
}

static void serve(void *slirp, int failed, short (*came)(void *user, int index))
{
    instance *i = slirp;

    i->came = came;
    slirp_pollfds_poll(i->slirp, failed, get_revents, i);
}

/* libslirp answers -1 and leaves errno as its last call had it. */
static int forward(void *slirp, const net_slirp_forward *f)
{
    struct in_addr host = {htonl(f->host)}, guest = {htonl(f->guest)};

    errno = 0;
    if (slirp_add_hostfwd(((instance *)slirp)->slirp, f->udp, host, f->host_port, guest,
                          f->guest_port) >= 0)
        return 0;
    return errno ? -errno : -EINVAL;
}

static int unforward(void *slirp, const net_slirp_forward *f)
{
    struct in_addr host = {htonl(f->host)};

    return slirp_remove_hostfwd(((instance *)slirp)->slirp, f->udp, host, f->host_port) < 0
               ? -ENOENT
               : 0;
}

__attribute__((visibility("default"))) const net_slirp_module *vsdk_net_slirp_module(void);

const net_slirp_module *vsdk_net_slirp_module(void)
{
    static const net_slirp_module module = {
        .abi = NET_SLIRP_ABI,
        .size = sizeof module,
        .create = create,
        .destroy = destroy,
        .input = input,
        .fill = fill,
        .serve = serve,
        .forward = forward,
        .unforward = unforward,
    };

    return &module;
}
