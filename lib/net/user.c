/* SPDX-License-Identifier: Apache-2.0 */
/* A network of a stack in this process: one end of a pair is the guest's, at the other end libslirp
 * is served by a loop.
 *
 * libslirp wants to be called as by a program around poll: asked what to wait for, told what came.
 * Its sockets are kept in an epoll of their own, which the loop watches; so are frames of the
 * guest's, and its timeout is a timer. Each of the three leads to the same turn. All calls of it
 * are made under one lock, so that a forward may be added by any thread.
 *
 * The memory is counted by the handle and by the three sources: it ends when none of their
 * callbacks runs any more, and the stack and its sockets with it. */
#include "net/user.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/module.h"
#include "base/process.h"
#include "base/record.h"
#include "base/sys.h"
#include "net/net.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { TURN = 256, CAPACITY = 4 << 20, MTU = 1500, MTU_LEAST = 68, MTU_MOST = 65521 };
enum { HOST = 2, RESOLVER = 3, FIRST = 15, PREFIX_LEAST = 8, PREFIX_MOST = 27 };

typedef struct user_net {
    vsdk_net net;
    refs memory;
    vsdk_net *near, *far; /* the guest's end, and the stack's */
    vsdk_watch *frames, *sockets;
    vsdk_timer *timer;
    vsdk_work *work; /* a turn, for who is not on the loop */
    lock lock;       /* RANK_NET_USER */
    const net_slirp_module *module;
    void *slirp;
    int32_t epoll;
    struct pollfd *polls, *before; /* what is waited for, and what was */
    uint32_t count, before_count, capacity;
    uint8_t frame[NET_FRAME_MOST];
} user_net;

static void memory_put(user_net *u)
{
    if (!refs_put(&u->memory))
        return;
    int cancel = sys_cancel_off();
    if (u->slirp)
        u->module->destroy(u->slirp);
    sys_cancel_back(cancel);
    sys_close(u->epoll);
    vsdk_net_close(u->near);
    vsdk_net_close(u->far);
    alloc_free(u->polls);
    alloc_free(u->before);
    lock_destroy(&u->lock);
    alloc_free(u);
}

/* The callback of a source has returned for the last time. */
static void source_gone(void *user)
{
    memory_put(user);
}

/* What the module calls, with the lock held. */

/* A guest that does not read loses frames, as on any network. */
static void take_output(void *user, const void *frame, size_t length)
{
    user_net *u = user;
    vsdk_net_piece piece = {(void *)(uintptr_t)frame, length};

    vsdk_net_send(u->far, NULL, &piece, 1, NULL);
}

static const net_slirp_host host_functions = {.output = take_output, .clock = sys_clock};

/* Twice as many, or 0 without memory: then all is as it was. */
static int grow(user_net *u)
{
    uint32_t capacity = u->capacity ? 2 * u->capacity : 64;
    struct pollfd *polls = alloc_array(capacity, sizeof *polls);
    struct pollfd *before = alloc_array(capacity, sizeof *before);

    if (!polls || !before) {
        alloc_free(polls);
        alloc_free(before);
        return 0;
    }
    if (u->capacity) {
        memcpy(polls, u->polls, u->count * sizeof *polls);
        memcpy(before, u->before, u->before_count * sizeof *before);
    }
    alloc_free(u->polls);
    alloc_free(u->before);
    u->polls = polls;
    u->before = before;
    u->capacity = capacity;
    return 1;
}

/* A number may mean another socket than at the last turn: the kernel knows which it watches.
 * Without memory the socket is not waited for until the next turn. */
static int add_socket(void *user, int fd, short events)
{
    user_net *u = user;
    struct epoll_event event = {.events = (uint16_t)events, .data.fd = fd};

    if (u->count == u->capacity && !grow(u))
        return -1;
    if (epoll_ctl(u->epoll, EPOLL_CTL_MOD, fd, &event) && errno == ENOENT)
        epoll_ctl(u->epoll, EPOLL_CTL_ADD, fd, &event);
    u->polls[u->count] = (struct pollfd){.fd = fd, .events = events};
    return (int)u->count++;
}

/* What poll said at the beginning of this turn. */
static short came_for(void *user, int index)
{
    user_net *u = user;

    return index < 0 || (uint32_t)index >= u->before_count ? 0 : u->before[index].revents;
}

/* From `at` on and around; it is moved behind what was found. */
static int is_waited_for(const user_net *u, int fd, uint32_t *at)
{
    for (uint32_t i = 0; i < u->count; i++) {
        uint32_t here = (*at + i) % u->count;
        if (u->polls[here].fd == fd) {
            *at = here + 1;
            return 1;
        }
    }
    return 0;
}

/* What was waited for and is not any more would keep the loop awake. libslirp tells its sockets in
 * one order, so each is looked for behind the last. */
static void forget_others(user_net *u)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < u->before_count; i++)
        if (!is_waited_for(u, u->before[i].fd, &at))
            epoll_ctl(u->epoll, EPOLL_CTL_DEL, u->before[i].fd, NULL);
}

/* A guest that never stops sending has its turns: the watch tells again of what is left. */
static void take_frames(user_net *u)
{
    vsdk_net_piece room = {u->frame, sizeof u->frame};
    uint64_t length;

    for (unsigned i = 0; i < TURN; i++) {
        if (vsdk_net_receive(u->far, NULL, &room, 1, &length, NULL))
            return;
        u->module->input(u->slirp, u->frame, (uint32_t)length);
    }
}

/* Sockets first, then the guest's frames, then what to wait for. */
static void turn(user_net *u)
{
    uint32_t timeout = UINT32_MAX;
    int cancel = sys_cancel_off();

    lock_take(&u->lock);
    struct pollfd *polls = u->polls;
    u->polls = u->before;
    u->before = polls;
    u->before_count = u->count;
    u->count = 0;
    int failed = u->before_count && poll(u->before, u->before_count, 0) < 0;
    u->module->serve(u->slirp, failed, came_for);
    take_frames(u);
    u->module->fill(u->slirp, &timeout, add_socket);
    forget_others(u);
    lock_give(&u->lock);
    sys_cancel_back(cancel);
    if (timeout == UINT32_MAX)
        vsdk_timer_disarm(u->timer, NULL);
    else
        vsdk_timer_arm(u->timer, (uint64_t)timeout * 1000000, 0, NULL);
}

static void watched(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)watch, (void)descriptor, (void)events;
    turn(user);
}

static void expired(void *user, vsdk_timer *timer)
{
    (void)timer;
    turn(user);
}

static void posted(void *user, vsdk_work *work)
{
    (void)work;
    turn(user);
}

/* The guest's side is the pair's. */

static vsdk_status user_send(vsdk_net *net, const vsdk_net_offload *offload, const net_frame *frame)
{
    vsdk_net *near = ((user_net *)net)->near;

    return near->kind->send(near, offload, frame);
}

static vsdk_status user_receive(vsdk_net *net, vsdk_net_offload *offload, const net_frame *room,
                                uint32_t *length)
{
    vsdk_net *near = ((user_net *)net)->near;

    return near->kind->receive(near, offload, room, length);
}

static vsdk_status user_skip(vsdk_net *net)
{
    return vsdk_net_skip(((user_net *)net)->near, NULL);
}

static vsdk_net_events user_ready(vsdk_net *net)
{
    return vsdk_net_ready(((user_net *)net)->near);
}

static int user_descriptor(vsdk_net *net, vsdk_net_events event)
{
    vsdk_net *near = ((user_net *)net)->near;

    return near->kind->descriptor(near, event);
}

/* The stack finishes all that it sends. */
static void user_accept(vsdk_net *net, vsdk_net_offloads offloads)
{
    (void)net, (void)offloads;
}

/* Without a callback that runs just now the stack ends here, and its ports are free. */
static void user_close(vsdk_net *net)
{
    user_net *u = (user_net *)net;

    vsdk_watch_close(u->frames);
    vsdk_watch_close(u->sockets);
    vsdk_timer_close(u->timer);
    vsdk_work_close(u->work);
    memory_put(u);
}

static const net_kind user_kind = {
    .send = user_send,
    .receive = user_receive,
    .skip = user_skip,
    .ready = user_ready,
    .descriptor = user_descriptor,
    .accept = user_accept,
    .close = user_close,
};

/* "10.0.2.0/24": what follows the prefix is refused. */
static int read_network(const char *text, net_slirp_config *c)
{
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    struct in_addr network;
    char *end;

    if (!slash || (size_t)(slash - text) >= sizeof address)
        return 0;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = 0;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (inet_pton(AF_INET, address, &network) != 1 || end == slash + 1 || *end ||
        bits < PREFIX_LEAST || bits > PREFIX_MOST)
        return 0;
    c->network = ntohl(network.s_addr);
    c->mask = UINT32_MAX << (32 - bits);
    c->host = c->network + HOST;
    c->resolver = c->network + RESOLVER;
    c->first = c->network + FIRST;
    return !(c->network & ~c->mask);
}

static vsdk_status read_user_config(const vsdk_net_user_config *given, vsdk_net_user_config *c,
                                    net_slirp_config *slirp, const char *operation,
                                    vsdk_error *error)
{
    vsdk_status status = record_read(c, sizeof *c, given, VSDK_NET_RESTRICTED, operation, error);

    if (status)
        return status;
    if (c->padding || c->reserved[0] || c->reserved[1] || c->reserved[2])
        return record_later(operation, error);
    if (!c->loop)
        return error_null(error, operation, "config.loop");
    if (c->mtu && (c->mtu < MTU_LEAST || c->mtu > MTU_MOST))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "mtu: %u is not of 68 to 65521", c->mtu);
    *slirp = (net_slirp_config){.mtu = c->mtu ? c->mtu : MTU,
                                .restricted = !!(c->flags & VSDK_NET_RESTRICTED),
                                .hostname = c->hostname};
    if (!read_network(c->network ? c->network : "10.0.2.0/24", slirp))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "network: %.40s is no IPv4 network with 8 to 27 bits", c->network);
    return VSDK_OK;
}

/* A module of another build would be called with other tables. */
static vsdk_status load_module(const char *directory, const net_slirp_module **module,
                               const char *operation, vsdk_error *error)
{
    void *entry;
    vsdk_status status = module_open(directory, VSDK_MODULE_DIRECTORY, "slirp", NET_SLIRP_ENTRY,
                                     &entry, operation, error);

    if (status)
        return status;
    *module = ((net_slirp_entry)entry)();
    if ((*module)->abi != NET_SLIRP_ABI || (*module)->size != sizeof **module)
        return error_set(error, VSDK_ERROR_VERSION, operation,
                         "slirp.so is of another version of libvsdk");
    return VSDK_OK;
}

/* Each source that could not be made has given its reference back itself. */
static vsdk_status make_sources(user_net *u, vsdk_loop *loop, const char *operation,
                                vsdk_error *error)
{
    vsdk_error why = {0};
    int32_t frames = vsdk_net_descriptor(u->far, VSDK_NET_READABLE, &why);

    if (frames < 0) {
        if (error)
            *error = why;
        return why.code;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    u->epoll = epoll < 0 ? -errno : sys_high(epoll);
    if (u->epoll < 0) {
        int os_errno = -u->epoll;
        u->epoll = -1;
        return error_set_errno(error, error_status_of_errno(os_errno), os_errno, operation,
                               "no descriptor for the sockets");
    }
    refs_get(&u->memory);
    vsdk_status status = vsdk_timer_create(loop, NULL, expired, u, source_gone, &u->timer, error);
    if (!status) {
        refs_get(&u->memory);
        status = vsdk_work_create(loop, NULL, posted, u, source_gone, &u->work, error);
    }
    if (!status) {
        refs_get(&u->memory);
        status = vsdk_watch_create(loop, NULL, frames, VSDK_LOOP_READ, watched, u, source_gone,
                                   &u->frames, error);
    }
    if (!status) {
        refs_get(&u->memory);
        status = vsdk_watch_create(loop, NULL, u->epoll, VSDK_LOOP_READ, watched, u, source_gone,
                                   &u->sockets, error);
    }
    return status;
}

vsdk_status vsdk_net_create_user(const vsdk_net_user_config *given, vsdk_net **net,
                                 vsdk_error *error)
{
    static const char operation[] = "vsdk_net_create_user";
    vsdk_net_config pair = {.size = sizeof pair, .capacity = CAPACITY};
    const net_slirp_module *module;
    net_slirp_config slirp;
    vsdk_net_user_config c;

    if (net)
        *net = NULL;
    if (!given || !net)
        return error_null(error, operation, given ? "net" : "config");
    vsdk_status status = read_user_config(given, &c, &slirp, operation, error);
    if (!status)
        status = load_module(c.module_directory, &module, operation, error);
    if (status)
        return status;
    user_net *u = alloc_zeroed(sizeof *u);
    if (!u)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the network");
    net_init(&u->net, &user_kind, 0);
    refs_init(&u->memory);
    lock_init(&u->lock, RANK_NET_USER);
    u->epoll = -1;
    u->module = module;
    status = vsdk_net_create_pair(&pair, &u->near, &u->far, error);
    if (!status && !grow(u))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the network");
    if (!status)
        status = make_sources(u, c.loop, operation, error);
    if (!status && !(u->slirp = module->create(&slirp, &host_functions, u)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "libslirp was not made");
    if (status) {
        user_close(&u->net);
        return status;
    }
    *net = &u->net;
    return VSDK_OK;
}

/* Forwards. */

/* No names: a resolver would be waited for. */
static vsdk_status read_address(const char *text, const char *field, uint32_t *address,
                                const char *operation, vsdk_error *error)
{
    struct in_addr in;

    if (!text)
        return VSDK_OK;
    if (inet_pton(AF_INET, text, &in) != 1)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "%s: %.40s is no IPv4 address", field, text);
    *address = ntohl(in.s_addr);
    return VSDK_OK;
}

static vsdk_status read_forward(vsdk_net *net, const vsdk_net_forward *given, net_slirp_forward *f,
                                const char *operation, vsdk_error *error)
{
    vsdk_net_forward c;

    if (!net || !given)
        return error_null(error, operation, net ? "forward" : "net");
    if (net->process != process_id())
        return error_forked(error, operation);
    if (net->kind != &user_kind)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the network is none of vsdk_net_create_user");
    vsdk_status status = record_read(&c, sizeof c, given, VSDK_NET_FORWARD_UDP, operation, error);
    if (status)
        return status;
    if (c.reserved[0] || c.reserved[1])
        return record_later(operation, error);
    if (c.host_port > UINT16_MAX || !c.guest_port || c.guest_port > UINT16_MAX)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s: %u is no port",
                         c.host_port > UINT16_MAX ? "host_port" : "guest_port",
                         c.host_port > UINT16_MAX ? c.host_port : c.guest_port);
    *f = (net_slirp_forward){.udp = !!(c.flags & VSDK_NET_FORWARD_UDP),
                             .host = INADDR_LOOPBACK,
                             .host_port = (uint16_t)c.host_port,
                             .guest_port = (uint16_t)c.guest_port};
    status = read_address(c.host_address, "host_address", &f->host, operation, error);
    if (!status)
        status = read_address(c.guest_address, "guest_address", &f->guest, operation, error);
    return status;
}

/* What the system said of the port. */
static vsdk_status refused(const net_slirp_forward *f, int os_errno, const char *operation,
                           vsdk_error *error)
{
    vsdk_status status = os_errno == EADDRINUSE                    ? VSDK_ERROR_EXISTS
                         : os_errno == EACCES || os_errno == EPERM ? VSDK_ERROR_PERMISSION
                                                                   : VSDK_ERROR_SYSTEM;

    return error_set_errno(error, status, os_errno, operation,
                           "%s port %u of %u.%u.%u.%u can't be forwarded", f->udp ? "UDP" : "TCP",
                           f->host_port, f->host >> 24, f->host >> 16 & 255, f->host >> 8 & 255,
                           f->host & 255);
}

/* A port that is free just now: libslirp does not tell which one it got. Or -errno. */
static int free_port(const net_slirp_forward *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(f->host)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, (f->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    int failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) ||
                 getsockname(fd, (struct sockaddr *)&address, &length);
    int result = failed ? -errno : ntohs(address.sin_port);

    sys_close(fd);
    return result;
}

/* Another program may have taken the port meanwhile. */
static int forward_any(user_net *u, net_slirp_forward *f)
{
    int result = -EADDRINUSE;

    for (unsigned tries = 0; result == -EADDRINUSE && tries < 16; tries++) {
        int port = free_port(f);
        if (port < 0)
            return port;
        f->host_port = (uint16_t)port;
        result = u->module->forward(u->slirp, f);
    }
    return result;
}

vsdk_status vsdk_net_add_forward(vsdk_net *net, const vsdk_net_forward *forward, uint32_t *port,
                                 vsdk_error *error)
{
    static const char operation[] = "vsdk_net_add_forward";
    net_slirp_forward f;
    user_net *u = (user_net *)net;

    if (port)
        *port = 0;
    vsdk_status status = read_forward(net, forward, &f, operation, error);
    if (status)
        return status;
    int cancel = sys_cancel_off();
    lock_take(&u->lock);
    int result = f.host_port ? u->module->forward(u->slirp, &f) : forward_any(u, &f);
    lock_give(&u->lock);
    sys_cancel_back(cancel);
    if (result)
        return refused(&f, -result, operation, error);
    if (port)
        *port = f.host_port;
    vsdk_work_post(u->work, NULL); /* it is waited for from now on */
    return VSDK_OK;
}

vsdk_status vsdk_net_remove_forward(vsdk_net *net, const vsdk_net_forward *forward,
                                    vsdk_error *error)
{
    static const char operation[] = "vsdk_net_remove_forward";
    net_slirp_forward f;
    user_net *u = (user_net *)net;
    vsdk_status status = read_forward(net, forward, &f, operation, error);

    if (status)
        return status;
    int cancel = sys_cancel_off();
    lock_take(&u->lock);
    int result = u->module->unforward(u->slirp, &f);
    lock_give(&u->lock);
    sys_cancel_back(cancel);
    if (result)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "%s port %u is not forwarded",
                         f.udp ? "UDP" : "TCP", f.host_port);
    return VSDK_OK;
}
