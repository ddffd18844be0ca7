/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of a descriptor.
 *
 * A frame is read into a buffer and copied from there: its length is known then, and it can wait
 * for a reader with more room. What is pollable is an epoll each way, of the descriptor itself and
 * of a signal for what the descriptor does not tell: that a frame lies in the buffer, that all is
 * over. The reader's tells of room too while a frame was written in part, for it is the one that is
 * always watched.
 *
 * The two locks are never held together. */
#include "net/fd.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

/* Watches the descriptor for other events; nobody has asked for it if there is no epoll yet. */
static void watch(int32_t epoll, int32_t fd, uint32_t events)
{
    struct epoll_event event = {.events = events};

    if (epoll >= 0)
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static int make_epoll(const fd_net *f, uint32_t events, net_signal *signal, uint32_t raised)
{
    struct epoll_event of_fd = {.events = events}, of_signal = {.events = EPOLLIN};
    int told = net_signal_descriptor(signal, raised);

    if (told < 0)
        return told;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll = epoll < 0 ? -errno : sys_high(epoll);
    if (epoll >= 0 && (epoll_ctl(epoll, EPOLL_CTL_ADD, f->fd, &of_fd) ||
                       epoll_ctl(epoll, EPOLL_CTL_ADD, told, &of_signal))) {
        int result = -errno;
        sys_close(epoll);
        return result;
    }
    return epoll;
}

/* With the lock of the way out. */
static void flush(fd_net *f)
{
    uint32_t before = f->out.held;

    if (!before)
        return;
    f->form->flush(f);
    if (!f->out.held)
        watch(f->in.epoll, f->fd, EPOLLIN);
}

vsdk_status fd_net_send(vsdk_net *net, const vsdk_net_offload *offload, const net_frame *frame)
{
    fd_net *f = (fd_net *)net;
    int cancel = sys_cancel_off();
    vsdk_status status = VSDK_OK;

    lock_take(&f->out.lock);
    if (!atomic_load(&f->ended)) {
        flush(f);
        status = f->out.held ? VSDK_ERROR_BUSY : f->form->write(f, offload, frame);
        uint32_t refused = status == VSDK_ERROR_BUSY;
        if (refused != f->out.refused)
            watch(f->out.epoll, f->fd, refused ? EPOLLOUT : 0);
        f->out.refused = refused;
        if (f->out.held && !refused)
            watch(f->in.epoll, f->fd, EPOLLIN | EPOLLOUT);
    }
    net_signal_set(&f->out.signal, atomic_load(&f->ended));
    lock_give(&f->out.lock);
    sys_cancel_back(cancel);
    return status;
}

static void flush_from_reader(fd_net *f)
{
    if (!f->form->flush)
        return;
    lock_take(&f->out.lock);
    flush(f);
    lock_give(&f->out.lock);
}

/* With the lock of the way in. What the reader does not take is finished here, or dropped. */
static vsdk_status read_next(fd_net *f)
{
    vsdk_status status = f->in.length ? VSDK_OK : f->form->read(f);

    if (status)
        return status;
    if (f->in.offload.gso && !net_is_within(&f->in.offload, f->in.accepted)) {
        f->in.length = 0;
        return VSDK_ERROR_NOT_FOUND;
    }
    if (!net_is_within(&f->in.offload, f->in.accepted))
        net_complete(f->in.bytes + f->in.frame, f->in.length, &f->in.offload);
    return VSDK_OK;
}

static vsdk_status take(fd_net *f, vsdk_net_offload *offload, const net_frame *room,
                        uint32_t *length)
{
    int cancel = sys_cancel_off();

    flush_from_reader(f);
    lock_take(&f->in.lock);
    vsdk_status status = read_next(f);
    if (!status) {
        *length = f->in.length;
        *offload = f->in.offload;
        if (room && room->length < f->in.length)
            status = VSDK_ERROR_RANGE;
        else if (room)
            net_scatter(room, 0, f->in.bytes + f->in.frame, f->in.length);
        if (!status)
            f->in.length = 0;
    }
    int ended = status == VSDK_ERROR_GONE;
    if (ended)
        atomic_store(&f->ended, 1);
    /* What is held may be less than a frame: the next call finds out. */
    net_signal_set(&f->in.signal, f->in.length || (!status && f->in.held) || ended);
    lock_give(&f->in.lock);
    if (ended) {
        lock_take(&f->out.lock);
        net_signal_set(&f->out.signal, 1);
        lock_give(&f->out.lock);
    }
    sys_cancel_back(cancel);
    return status;
}

vsdk_status fd_net_receive(vsdk_net *net, vsdk_net_offload *offload, const net_frame *room,
                           uint32_t *length)
{
    return take((fd_net *)net, offload, room, length);
}

vsdk_status fd_net_skip(vsdk_net *net)
{
    vsdk_net_offload offload;
    uint32_t length;

    return take((fd_net *)net, &offload, NULL, &length);
}

/* A frame is read for that, and kept. */
vsdk_net_events fd_net_ready(vsdk_net *net)
{
    fd_net *f = (fd_net *)net;
    struct pollfd p = {.fd = f->fd, .events = POLLOUT};
    int cancel = sys_cancel_off();
    vsdk_net_events ready = 0;

    lock_take(&f->in.lock);
    vsdk_status status = read_next(f);
    if (!status || status == VSDK_ERROR_GONE)
        ready |= VSDK_NET_READABLE;
    if (status == VSDK_ERROR_GONE)
        atomic_store(&f->ended, 1);
    net_signal_set(&f->in.signal, ready != 0);
    lock_give(&f->in.lock);
    lock_take(&f->out.lock);
    if (atomic_load(&f->ended))
        net_signal_set(&f->out.signal, 1);
    if (!f->out.held && poll(&p, 1, 0) > 0 && p.revents & POLLOUT)
        ready |= VSDK_NET_WRITABLE;
    lock_give(&f->out.lock);
    sys_cancel_back(cancel);
    if (atomic_load(&f->ended))
        ready |= VSDK_NET_READABLE | VSDK_NET_WRITABLE | VSDK_NET_ENDED;
    return ready;
}

static int in_descriptor(fd_net *f)
{
    lock_take(&f->in.lock);
    int fd = atomic_load(&f->in.epoll);
    if (fd < 0) {
        fd = make_epoll(f, EPOLLIN, &f->in.signal,
                        f->in.length || f->in.held || atomic_load(&f->ended));
        if (fd >= 0)
            atomic_store(&f->in.epoll, fd);
    }
    lock_give(&f->in.lock);
    /* A frame may have been written in part before. */
    lock_take(&f->out.lock);
    if (f->out.held)
        watch(fd, f->fd, EPOLLIN | EPOLLOUT);
    lock_give(&f->out.lock);
    return fd;
}

int fd_net_descriptor(vsdk_net *net, vsdk_net_events event)
{
    fd_net *f = (fd_net *)net;

    if (event == VSDK_NET_READABLE)
        return in_descriptor(f);
    lock_take(&f->out.lock);
    int fd = f->out.epoll;
    if (fd < 0) {
        fd = make_epoll(f, f->out.refused ? EPOLLOUT : 0, &f->out.signal, atomic_load(&f->ended));
        if (fd >= 0)
            f->out.epoll = fd;
    }
    lock_give(&f->out.lock);
    return fd;
}

void fd_net_accept(vsdk_net *net, vsdk_net_offloads offloads)
{
    fd_net *f = (fd_net *)net;

    lock_take(&f->in.lock);
    f->in.accepted = offloads;
    lock_give(&f->in.lock);
}

void fd_net_close(vsdk_net *net)
{
    fd_net *f = (fd_net *)net;

    sys_close(f->in.epoll);
    sys_close(f->out.epoll);
    net_signal_end(&f->in.signal);
    net_signal_end(&f->out.signal);
    sys_close(f->fd);
    lock_destroy(&f->in.lock);
    lock_destroy(&f->out.lock);
    alloc_free(f->in.bytes);
    alloc_free(f->out.bytes);
    alloc_free(f);
}

vsdk_status fd_net_make(int32_t fd, const fd_form *form, const net_kind *kind,
                        vsdk_net_offloads offloads, uint32_t out_room, vsdk_net **net,
                        const char *operation, vsdk_error *error)
{
    fd_net *f = alloc_zeroed(sizeof *f);

    if (!f) {
        sys_close(fd);
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the network");
    }
    net_init(&f->net, kind, offloads);
    lock_init(&f->in.lock, RANK_NET);
    lock_init(&f->out.lock, RANK_NET);
    net_signal_init(&f->in.signal);
    net_signal_init(&f->out.signal);
    f->form = form;
    f->fd = fd;
    atomic_init(&f->in.epoll, -1);
    f->out.epoll = -1;
    f->in.bytes = alloc_unset(form->room);
    f->out.bytes = out_room ? alloc_unset(out_room) : NULL;
    if (!f->in.bytes || (out_room && !f->out.bytes)) {
        fd_net_close(&f->net);
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for frames");
    }
    *net = &f->net;
    return VSDK_OK;
}
