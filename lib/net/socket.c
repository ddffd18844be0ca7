/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets. In a stream a frame follows its length, four bytes in network order; any other socket
 * has a frame in each message.
 *
 * Of a stream much is read at once, and cut into frames in the buffer. A frame is written from a
 * copy, since the socket may take a part of it: the rest goes before the next one. A length that no
 * frame has means that the two ends do not speak of the same thing: nothing that follows could be
 * trusted, and the network has ended. */
#include "base/socket.h"
#include "base/error.h"
#include "base/sys.h"
#include "net/fd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PREFIX = 4, STREAM_ROOM = 2 * (PREFIX + NET_FRAME_MOST), TRIES = 64 };

/* What is not a moment's lack of something: the peer is gone. */
static int is_over(int os_errno)
{
    return os_errno != EAGAIN && os_errno != EINTR && os_errno != ENOBUFS && os_errno != ENOMEM;
}

/* The next frame of what was read; 0 if there is less than one, -1 for a length of none. */
static int cut_frame(fd_net *f)
{
    uint32_t length;

    if (f->in.held < PREFIX)
        return 0;
    memcpy(&length, f->in.bytes + f->in.first, PREFIX);
    length = ntohl(length);
    if (length < NET_FRAME_LEAST || length > NET_FRAME_MOST)
        return -1;
    if (f->in.held - PREFIX < length)
        return 0;
    f->in.frame = f->in.first + PREFIX;
    f->in.length = length;
    f->in.offload = (vsdk_net_offload){0};
    f->in.first += PREFIX + length;
    f->in.held -= PREFIX + length;
    return 1;
}

static vsdk_status stream_read(fd_net *f)
{
    int cut = cut_frame(f);

    if (!cut && !atomic_load(&f->ended)) {
        memmove(f->in.bytes, f->in.bytes + f->in.first, f->in.held);
        f->in.first = 0;
        int got = socket_receive(f->fd, f->in.bytes + f->in.held, STREAM_ROOM - f->in.held);
        if (!got || (got < 0 && is_over(-got)))
            cut = -1;
        if (got > 0) {
            f->in.held += (uint32_t)got;
            cut = cut_frame(f);
        }
    }
    if (cut > 0)
        return VSDK_OK;
    if (cut < 0)
        f->in.held = 0;
    return cut < 0 || atomic_load(&f->ended) ? VSDK_ERROR_GONE : VSDK_ERROR_NOT_FOUND;
}

static void stream_flush(fd_net *f)
{
    int sent = socket_send(f->fd, f->out.bytes + f->out.first, f->out.held);

    if (sent < 0 && is_over(-sent))
        sent = (int)f->out.held; /* nobody will read it; the reader hears of the end */
    if (sent > 0) {
        f->out.first += (uint32_t)sent;
        f->out.held -= (uint32_t)sent;
    }
}

/* One of which not a byte was taken is refused. */
static vsdk_status stream_write(fd_net *f, const vsdk_net_offload *offload, const net_frame *frame)
{
    uint32_t prefix = htonl(frame->length);

    (void)offload;
    memcpy(f->out.bytes, &prefix, PREFIX);
    net_gather(frame, f->out.bytes + PREFIX);
    f->out.first = 0;
    f->out.held = PREFIX + frame->length;
    stream_flush(f);
    if (f->out.first)
        return VSDK_OK;
    f->out.held = 0;
    return VSDK_ERROR_BUSY;
}

static const fd_form stream_form = {
    .room = STREAM_ROOM, .read = stream_read, .write = stream_write, .flush = stream_flush};

/* Bounded: a peer that sends what is no frame has its turn again at the next call. */
static vsdk_status message_read(fd_net *f)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        ssize_t got = recv(f->fd, f->in.bytes, NET_FRAME_MOST, MSG_DONTWAIT | MSG_TRUNC);
        if (got < 0 && (errno == ECONNREFUSED || !is_over(errno)))
            return VSDK_ERROR_NOT_FOUND;
        if (got < 0 || (!got && f->form->ends))
            return VSDK_ERROR_GONE;
        if (got >= NET_FRAME_LEAST && got <= NET_FRAME_MOST) {
            f->in.frame = 0;
            f->in.length = (uint32_t)got;
            f->in.offload = (vsdk_net_offload){0};
            return VSDK_OK;
        }
    }
    return VSDK_ERROR_NOT_FOUND;
}

/* A piece is an iovec. One that the peer does not want is lost, as on a wire without an end. */
static vsdk_status message_write(fd_net *f, const vsdk_net_offload *offload, const net_frame *frame)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)frame->pieces,
                             .msg_iovlen = frame->count};

    (void)offload;
    if (sendmsg(f->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EAGAIN)
        return VSDK_ERROR_BUSY;
    return VSDK_OK;
}

_Static_assert(sizeof(struct iovec) == sizeof(vsdk_net_piece) &&
                   offsetof(struct iovec, iov_len) == offsetof(vsdk_net_piece, length),
               "pieces are given to the kernel as they are");

static const fd_form message_form = {
    .room = NET_FRAME_MOST, .read = message_read, .write = message_write};

static const fd_form packet_form = {
    .room = NET_FRAME_MOST, .ends = 1, .read = message_read, .write = message_write};

static const net_kind socket_kind = {
    .send = fd_net_send,
    .receive = fd_net_receive,
    .skip = fd_net_skip,
    .ready = fd_net_ready,
    .descriptor = fd_net_descriptor,
    .accept = fd_net_accept,
    .close = fd_net_close,
};

vsdk_status vsdk_net_create_socket(int32_t descriptor, vsdk_net **net, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_create_socket";
    int type;
    socklen_t length = sizeof type;

    if (!net)
        return error_null(error, operation, "net");
    *net = NULL;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length))
        return error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, errno, operation,
                               "descriptor %d is no socket", descriptor);
    int fd = sys_dup(descriptor);
    if (fd < 0)
        return error_set_errno(error, error_status_of_errno(-fd), -fd, operation,
                               "no descriptor for the network");
    const fd_form *form = type == SOCK_STREAM      ? &stream_form
                          : type == SOCK_SEQPACKET ? &packet_form
                                                   : &message_form;
    return fd_net_make(fd, form, &socket_kind, 0,
                       form == &stream_form ? PREFIX + NET_FRAME_MOST : 0, net, operation, error);
}
