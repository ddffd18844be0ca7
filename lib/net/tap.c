/* SPDX-License-Identifier: Apache-2.0 */
/* Taps of the host's. Each frame has the kernel's record of what is missing before it, which is
 * virtio's. The kernel is told what its reader takes when that one says so. */
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "net/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <linux/if_tun.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { HEADER_NEEDS_CSUM = 1, HEADER_CHECKED = 2, GSO_ECN = 0x80, TRIES = 64 };

/* Little-endian on every host that we run on. */
typedef struct header {
    uint8_t flags, gso;
    uint16_t header_length, gso_size, checksum_start, checksum_offset, buffers;
} header;

static const uint8_t gso_numbers[] = {0, 1, 4, 5}; /* of vsdk_net_gso */

/* The kernel checks it too, but by the bytes of the frame. */
static header to_header(const vsdk_net_offload *o)
{
    header h = {
        .gso = gso_numbers[o->gso], .header_length = o->header_length, .gso_size = o->gso_size};

    if (o->flags & VSDK_NET_CONGESTED && o->gso)
        h.gso |= GSO_ECN;
    if (o->flags & VSDK_NET_NEEDS_CHECKSUM) {
        h.flags = HEADER_NEEDS_CSUM;
        h.checksum_start = o->checksum_start;
        h.checksum_offset = o->checksum_offset;
    }
    return h;
}

/* 0 for what this network does not know: the kernel was not told to send it. */
static int from_header(const fd_net *f, const header *h, uint32_t length, vsdk_net_offload *o)
{
    *o = (vsdk_net_offload){0};
    while (gso_numbers[o->gso] != (h->gso & ~GSO_ECN))
        if (++o->gso > VSDK_NET_GSO_UDP)
            return 0;
    if (h->flags & HEADER_NEEDS_CSUM) {
        o->flags = VSDK_NET_NEEDS_CHECKSUM;
        o->checksum_start = h->checksum_start;
        o->checksum_offset = h->checksum_offset;
    } else if (h->flags & HEADER_CHECKED) {
        o->flags = VSDK_NET_CHECKED;
    }
    if (o->gso) {
        o->gso_size = h->gso_size;
        o->header_length = h->header_length;
        o->flags |= h->gso & GSO_ECN ? VSDK_NET_CONGESTED : 0;
    }
    /* A checksum that is missing all the same is completed. */
    return !net_fault(o, length) && net_is_within(o, f->net.offloads | VSDK_NET_CHECKSUM);
}

/* What is no frame is skipped, a number of times: then others have their turn. */
static vsdk_status tap_read(fd_net *f)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        header h;
        struct iovec to[2] = {{&h, sizeof h}, {f->in.bytes, NET_FRAME_MOST}};
        ssize_t got = readv(f->fd, to, 2);
        if (got < 0)
            return errno == EBADFD ? VSDK_ERROR_GONE : VSDK_ERROR_NOT_FOUND;
        if (got < (ssize_t)sizeof h + NET_FRAME_LEAST)
            continue;
        uint32_t length = (uint32_t)got - (uint32_t)sizeof h;
        if (!from_header(f, &h, length, &f->in.offload))
            continue;
        f->in.frame = 0;
        f->in.length = length;
        return VSDK_OK;
    }
    return VSDK_ERROR_NOT_FOUND;
}

/* A tap that is down, or a frame that the kernel finds wrong: it is lost. */
static vsdk_status tap_write(fd_net *f, const vsdk_net_offload *offload, const net_frame *frame)
{
    enum { PIECES = 64 };
    struct iovec from[1 + PIECES];
    header h = to_header(offload);
    int count = 1;

    from[0] = (struct iovec){&h, sizeof h};
    if (frame->count > PIECES) {
        net_gather(frame, f->out.bytes);
        from[count++] = (struct iovec){f->out.bytes, frame->length};
    } else {
        for (uint32_t i = 0; i < frame->count; i++)
            from[count++] = (struct iovec){frame->pieces[i].data, frame->pieces[i].length};
    }
    return writev(f->fd, from, count) < 0 && errno == EAGAIN ? VSDK_ERROR_BUSY : VSDK_OK;
}

static const fd_form tap_form = {.room = NET_FRAME_MOST, .read = tap_read, .write = tap_write};

/* Which frames the kernel may give unfinished. Those that it is given always may be. */
static int set_offloads(int fd, vsdk_net_offloads offloads)
{
    static const struct {
        vsdk_net_offloads offload;
        unsigned bits;
    } known[] = {{VSDK_NET_CHECKSUM, TUN_F_CSUM},
                 {VSDK_NET_TSO4, TUN_F_TSO4},
                 {VSDK_NET_TSO6, TUN_F_TSO6},
                 {VSDK_NET_USO, TUN_F_USO4 | TUN_F_USO6}};
    unsigned bits = 0;

    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (offloads & known[i].offload)
            bits |= known[i].bits;
    return sys_ioctl(fd, TUNSETOFFLOAD, bits);
}

/* What the kernel has queued by then may still leave more: the reader's part sorts that out. */
static void tap_accept(vsdk_net *net, vsdk_net_offloads offloads)
{
    set_offloads(((fd_net *)net)->fd, offloads);
    fd_net_accept(net, offloads);
}

static const net_kind tap_kind = {
    .send = fd_net_send,
    .receive = fd_net_receive,
    .skip = fd_net_skip,
    .ready = fd_net_ready,
    .descriptor = fd_net_descriptor,
    .accept = tap_accept,
    .close = fd_net_close,
};

/* An old kernel knows no USO: then the rest is asked for. */
static vsdk_net_offloads probe_offloads(int fd, vsdk_net_offloads wanted)
{
    if (set_offloads(fd, wanted)) {
        wanted &= ~(vsdk_net_offloads)VSDK_NET_USO;
        if (set_offloads(fd, wanted))
            wanted = 0;
    }
    set_offloads(fd, 0);
    return wanted;
}

/* By errno: a missing device is a host without taps, and a wrong type or name is the caller's. */
static vsdk_status refuse(int os_errno, const char *what, const char *operation, vsdk_error *error)
{
    vsdk_status status = error_status_of_errno(os_errno);

    if (os_errno == ENOENT || os_errno == ENODEV || os_errno == ENXIO)
        status = VSDK_ERROR_UNAVAILABLE;
    else if (os_errno == EINVAL)
        status = VSDK_ERROR_INVALID_ARGUMENT;
    return error_set_errno(error, status, os_errno, operation, "%.60s", what);
}

/* A name with a place for a number would make an interface that the caller does not know. */
static vsdk_status open_tap(const char *name, int *fd, const char *operation, vsdk_error *error)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

    if (!*name || strlen(name) >= sizeof request.ifr_name || strchr(name, '%'))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "name: %.40s is no name of an interface", name);
    memcpy(request.ifr_name, name, strlen(name));
    *fd = sys_open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (*fd < 0)
        return refuse(-*fd, "/dev/net/tun", operation, error);
    int result = sys_ioctl(*fd, TUNSETIFF, (uintptr_t)&request);
    if (result < 0) {
        sys_close(*fd);
        return refuse(-result, name, operation, error);
    }
    return VSDK_OK;
}

/* The mode is the open file's, which the caller shares. */
static vsdk_status take_tap(int32_t descriptor, int *fd, const char *operation, vsdk_error *error)
{
    struct ifreq request = {0};
    int result = sys_ioctl(descriptor, TUNGETIFF, (uintptr_t)&request);

    if (result < 0 || !(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_VNET_HDR) ||
        !(request.ifr_flags & IFF_NO_PI))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "descriptor %d is none of a tap with IFF_VNET_HDR and IFF_NO_PI",
                         descriptor);
    *fd = sys_dup(descriptor);
    if (*fd < 0)
        return refuse(-*fd, "no descriptor for the tap", operation, error);
    fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK);
    return VSDK_OK;
}

vsdk_status vsdk_net_create_tap(const vsdk_net_tap_config *given, vsdk_net **net, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_create_tap";
    vsdk_net_tap_config c;
    int fd = -1, bytes = sizeof(header);

    if (net)
        *net = NULL;
    if (!given || !net)
        return error_null(error, operation, given ? "net" : "config");
    vsdk_status status = record_read(&c, sizeof c, given, 0, operation, error);
    if (!status && (c.reserved[0] || c.reserved[1]))
        status = record_later(operation, error);
    if (!status)
        status = net_check_offloads(c.offloads, operation, error);
    if (!status)
        status = c.name ? open_tap(c.name, &fd, operation, error)
                        : take_tap(c.descriptor, &fd, operation, error);
    if (status)
        return status;
    int result = sys_ioctl(fd, TUNSETVNETHDRSZ, (uintptr_t)&bytes);
    if (result < 0) {
        sys_close(fd);
        return refuse(-result, "the length of the header", operation, error);
    }
    return fd_net_make(fd, &tap_form, &tap_kind, probe_offloads(fd, c.offloads), NET_FRAME_MOST,
                       net, operation, error);
}
