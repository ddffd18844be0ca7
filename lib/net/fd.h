/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of a descriptor: sockets (socket.c) and taps (tap.c). Here is what they share: events,
 * and the frames that were read and not yet taken. */
#ifndef VSDK_NET_FD_H
#define VSDK_NET_FD_H

#include "base/lock.h"
#include "net/net.h"

typedef struct fd_net fd_net;

/* What one kind of descriptor does. */
typedef struct fd_form {
    uint32_t room; /* of the buffer, in bytes */
    uint32_t ends; /* a read of no bytes is the end */
    /* With the lock of its direction. VSDK_OK: the next frame lies in the buffer at `frame`, with
     * `length` and `offload`. Else NOT_FOUND, or GONE. */
    vsdk_status (*read)(fd_net *f);
    /* VSDK_OK, also for one that is dropped, or BUSY. */
    vsdk_status (*write)(fd_net *f, const vsdk_net_offload *offload, const net_frame *frame);
    /* Writes what is left of the last frame; NULL if a write is whole. */
    void (*flush)(fd_net *f);
} fd_form;

struct fd_net {
    vsdk_net net;
    const fd_form *form;
    int32_t fd;
    _Atomic uint32_t ended;
    struct {
        lock lock;             /* RANK_NET */
        _Atomic int32_t epoll; /* the way out changes what it waits for */
        net_signal signal;     /* a frame is in the buffer, or it has ended */
        uint8_t *bytes;
        uint32_t first, held;   /* of a stream: what was read and is no frame yet */
        uint32_t frame, length; /* the next frame; length 0: none */
        vsdk_net_offload offload;
        vsdk_net_offloads accepted;
    } in;
    struct {
        lock lock; /* RANK_NET */
        int32_t epoll;
        net_signal signal; /* it has ended */
        uint32_t refused;
        uint8_t *bytes; /* of a stream: a frame that was written in part */
        uint32_t first, held;
    } out;
};

/* Takes the descriptor over, on failure too. */
vsdk_status fd_net_make(int32_t fd, const fd_form *form, const net_kind *kind,
                        vsdk_net_offloads offloads, uint32_t out_room, vsdk_net **net,
                        const char *operation, vsdk_error *error);

vsdk_status fd_net_send(vsdk_net *net, const vsdk_net_offload *offload, const net_frame *frame);
vsdk_status fd_net_receive(vsdk_net *net, vsdk_net_offload *offload, const net_frame *room,
                           uint32_t *length);
vsdk_status fd_net_skip(vsdk_net *net);
vsdk_net_events fd_net_ready(vsdk_net *net);
int fd_net_descriptor(vsdk_net *net, vsdk_net_events event);
void fd_net_accept(vsdk_net *net, vsdk_net_offloads offloads);
void fd_net_close(vsdk_net *net);

#endif
