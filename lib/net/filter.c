/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: limits, and a record of the frames, before another network.
 *
 * A limit is a bucket that fills with time. A frame goes when there is something in it, and takes
 * what it is worth: so the bucket may hold less than nothing, and the next frame waits until that
 * is paid. What is pollable is an epoll each way, of the inner network's descriptor and of a timer:
 * while a limit holds a frame back the first sleeps and the second is set.
 *
 * No lock is held while the inner network is called. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/record.h"
#include "base/sys.h"
#include "net/net.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define BURST (SECOND / 10)
#define RATE_MOST (UINT64_C(1) << 60)
#define TIME_MOST (UINT64_C(1) << 57)

/* In billionths of a byte or frame, so that time times rate is exact. */
typedef struct bucket {
    uint64_t rate; /* a second; 0: no limit */
    __int128 level, most;
} bucket;

typedef struct gate {
    lock lock; /* RANK_NET */
    bucket bytes, frames;
    uint64_t then; /* when the buckets were filled last */
    uint32_t limited;
    int32_t inner, timer, epoll; /* -1 without a limit */
} gate;

typedef struct filter {
    vsdk_net net;
    vsdk_net *inner;
    gate out, in;
    lock pcap_lock; /* RANK_LEAF */
    _Atomic int32_t pcap;
    uint32_t snap;
    uint8_t record[16 + NET_FRAME_MOST];
} filter;

/* The record of frames. */

static uint32_t gather_some(const net_frame *frame, uint8_t *to, uint32_t length)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < frame->count && done < length; i++) {
        uint64_t count = frame->pieces[i].length;
        if (count > length - done)
            count = length - done;
        if (count)
            memcpy(to + done, frame->pieces[i].data, count);
        done += (uint32_t)count;
    }
    return done;
}

/* A frame in one write. A file that can't be written any more is left as it is. */
static void record_frame(filter *f, const net_frame *frame, uint32_t length)
{
    struct timespec now;

    if (atomic_load(&f->pcap) < 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    int cancel = sys_cancel_off();
    lock_take(&f->pcap_lock);
    uint32_t kept = gather_some(frame, f->record + 16, length < f->snap ? length : f->snap);
    uint32_t head[4] = {(uint32_t)now.tv_sec, (uint32_t)now.tv_nsec, kept, length};
    memcpy(f->record, head, sizeof head);
    int32_t fd = atomic_load(&f->pcap);
    if (fd >= 0 && write(fd, f->record, 16 + kept) != (ssize_t)(16 + kept)) {
        atomic_store(&f->pcap, -1);
        sys_close(fd);
    }
    lock_give(&f->pcap_lock);
    sys_cancel_back(cancel);
}

/* A pipe or a socket would be waited for, and raise a signal. */
static vsdk_status open_pcap(filter *f, const char *path, const char *operation, vsdk_error *error)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, figures, snap, link;
    } head = {0xa1b23c4d, 2, 4, 0, 0, f->snap, 1};
    int cancel = sys_cancel_off();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0600);
    int os_errno = fd < 0 ? errno : 0;
    uint64_t bytes;

    if (!os_errno && (fd = sys_high(fd)) < 0)
        os_errno = -fd;
    if (!os_errno && (os_errno = -sys_file_size(fd, &bytes)))
        sys_close(fd);
    errno = 0; /* a short write has none */
    if (!os_errno && write(fd, &head, sizeof head) != (ssize_t)sizeof head) {
        os_errno = errno ? errno : EIO;
        sys_close(fd);
    }
    sys_cancel_back(cancel);
    if (os_errno) {
        vsdk_status status = error_status_of_errno(os_errno);
        if (os_errno == ENOENT || os_errno == ENOTDIR)
            status = VSDK_ERROR_NOT_FOUND;
        else if (status != VSDK_ERROR_PERMISSION && status != VSDK_ERROR_LIMIT &&
                 status != VSDK_ERROR_NO_MEMORY)
            status = VSDK_ERROR_SYSTEM;
        return error_set_errno(error, status, os_errno, operation, "pcap: %.200s", path);
    }
    atomic_store(&f->pcap, fd);
    return VSDK_OK;
}

/* Limits. */

/* Rates and times are cut to what can be multiplied: years, and more than any memory carries. */
static void bucket_fill(bucket *b, uint64_t passed)
{
    if (!b->rate)
        return;
    b->level += (__int128)b->rate * (passed < TIME_MOST ? passed : TIME_MOST);
    if (b->level > b->most)
        b->level = b->most;
}

/* How long until there is something in it. */
static uint64_t bucket_wait(const bucket *b)
{
    if (!b->rate || b->level > 0)
        return 0;
    __int128 wait = -b->level / b->rate + 1;
    return wait > (__int128)(UINT64_MAX / 2) ? UINT64_MAX / 2 : (uint64_t)wait;
}

/* With the lock held: what is pollable follows from whether a limit holds. */
static void set_limited(gate *g, uint64_t wait)
{
    struct itimerspec when = {.it_value = {(time_t)(wait / SECOND), (long)(wait % SECOND)}};
    struct epoll_event event = {.events = wait ? 0 : EPOLLIN};

    if (!wait && !g->limited)
        return;
    timerfd_settime(g->timer, 0, &when, NULL);
    if (g->limited != (wait != 0))
        epoll_ctl(g->epoll, EPOLL_CTL_MOD, g->inner, &event);
    g->limited = wait != 0;
}

/* Whether a frame may go now. */
static int may_pass(gate *g)
{
    if (g->epoll < 0)
        return 1;
    lock_take(&g->lock);
    uint64_t now = sys_clock(), bytes, frames;
    bucket_fill(&g->bytes, now - g->then);
    bucket_fill(&g->frames, now - g->then);
    g->then = now;
    bytes = bucket_wait(&g->bytes);
    frames = bucket_wait(&g->frames);
    set_limited(g, bytes > frames ? bytes : frames);
    int may = !g->limited;
    lock_give(&g->lock);
    return may;
}

/* After the frame has gone: one that the inner network refuses costs nothing. */
static void pay(gate *g, uint32_t length)
{
    if (g->epoll < 0)
        return;
    lock_take(&g->lock);
    g->bytes.level -= (__int128)length * SECOND;
    g->frames.level -= SECOND;
    lock_give(&g->lock);
}

static vsdk_status filter_send(vsdk_net *net, const vsdk_net_offload *offload,
                               const net_frame *frame)
{
    filter *f = (filter *)net;

    if (!may_pass(&f->out))
        return VSDK_ERROR_BUSY;
    vsdk_status status = f->inner->kind->send(f->inner, offload, frame);
    if (!status) {
        pay(&f->out, frame->length);
        record_frame(f, frame, frame->length);
    }
    return status;
}

/* A frame that has no room is looked at, and does not pay. */
static vsdk_status filter_receive(vsdk_net *net, vsdk_net_offload *offload, const net_frame *room,
                                  uint32_t *length)
{
    filter *f = (filter *)net;

    if (!may_pass(&f->in))
        return VSDK_ERROR_NOT_FOUND;
    vsdk_status status = f->inner->kind->receive(f->inner, offload, room, length);
    if (!status) {
        pay(&f->in, *length);
        record_frame(f, room, *length);
    }
    return status;
}

/* One that is dropped behind the filter costs nothing: it went no further. */
static vsdk_status filter_skip(vsdk_net *net)
{
    return vsdk_net_skip(((filter *)net)->inner, NULL);
}

static vsdk_net_events filter_ready(vsdk_net *net)
{
    filter *f = (filter *)net;
    vsdk_net_events ready = vsdk_net_ready(f->inner);

    if (!may_pass(&f->in))
        ready &= ~(vsdk_net_events)VSDK_NET_READABLE;
    if (!may_pass(&f->out))
        ready &= ~(vsdk_net_events)VSDK_NET_WRITABLE;
    return ready;
}

/* Without a limit in this direction nothing stands before the inner network's. */
static int filter_descriptor(vsdk_net *net, vsdk_net_events event)
{
    filter *f = (filter *)net;
    gate *g = event == VSDK_NET_READABLE ? &f->in : &f->out;

    return g->epoll < 0 ? f->inner->kind->descriptor(f->inner, event) : g->epoll;
}

static void filter_accept(vsdk_net *net, vsdk_net_offloads offloads)
{
    vsdk_net_accept(((filter *)net)->inner, offloads, NULL);
}

static void gate_end(gate *g)
{
    sys_close(g->epoll);
    sys_close(g->timer);
    lock_destroy(&g->lock);
}

static void filter_close(vsdk_net *net)
{
    filter *f = (filter *)net;

    gate_end(&f->in);
    gate_end(&f->out);
    sys_close(atomic_load(&f->pcap));
    lock_destroy(&f->pcap_lock);
    vsdk_net_close(f->inner);
    alloc_free(f);
}

static const net_kind filter_kind = {
    .send = filter_send,
    .receive = filter_receive,
    .skip = filter_skip,
    .ready = filter_ready,
    .descriptor = filter_descriptor,
    .accept = filter_accept,
    .close = filter_close,
};

static void bucket_init(bucket *b, uint64_t rate, uint64_t burst)
{
    b->rate = rate < RATE_MOST ? rate : RATE_MOST;
    b->most = (__int128)b->rate * burst;
    if (b->most < (__int128)SECOND)
        b->most = SECOND; /* one byte, or one frame */
    b->level = b->most;
}

/* The inner descriptor is the inner network's, which lives as long. 0, or -errno. */
static int gate_open(gate *g, vsdk_net *inner, vsdk_net_events event)
{
    struct epoll_event of_inner = {.events = EPOLLIN}, of_timer = {.events = EPOLLIN};

    g->inner = inner->kind->descriptor(inner, event);
    if (g->inner < 0)
        return g->inner;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if ((g->timer = fd < 0 ? -errno : sys_high(fd)) < 0)
        return g->timer;
    fd = epoll_create1(EPOLL_CLOEXEC);
    if ((g->epoll = fd < 0 ? -errno : sys_high(fd)) < 0)
        return g->epoll;
    if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->inner, &of_inner) ||
        epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->timer, &of_timer))
        return -errno;
    return 0;
}

static vsdk_status gate_make(gate *g, vsdk_net *inner, vsdk_net_events event, uint64_t bytes,
                             uint64_t frames, uint64_t burst, const char *operation,
                             vsdk_error *error)
{
    if (!bytes && !frames)
        return VSDK_OK;
    bucket_init(&g->bytes, bytes, burst);
    bucket_init(&g->frames, frames, burst);
    g->then = sys_clock();
    int result = gate_open(g, inner, event);
    if (!result)
        return VSDK_OK;
    return error_set_errno(error, error_status_of_errno(-result), -result, operation,
                           "no descriptor for the limits");
}

vsdk_status vsdk_net_create_filter(vsdk_net *inner, const vsdk_net_filter_config *given,
                                   vsdk_net **net, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_create_filter";
    vsdk_net_filter_config c;

    if (net)
        *net = NULL;
    if (!inner || !given || !net)
        return error_null(error, operation, !inner ? "inner" : given ? "net" : "config");
    vsdk_status status = net_check(inner, operation, error);
    if (!status)
        status = record_read(&c, sizeof c, given, 0, operation, error);
    if (!status && (c.padding || c.reserved[0] || c.reserved[1]))
        status = record_later(operation, error);
    if (!status && c.burst_ns > 10 * SECOND)
        status = error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                           "burst_ns: more than 10 seconds");
    if (status)
        return status;
    filter *f = alloc_zeroed(sizeof *f);
    if (!f)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the network");
    net_init(&f->net, &filter_kind, inner->offloads);
    f->inner = vsdk_net_ref(inner);
    lock_init(&f->in.lock, RANK_NET);
    lock_init(&f->out.lock, RANK_NET);
    lock_init(&f->pcap_lock, RANK_LEAF);
    f->in.epoll = f->in.timer = f->out.epoll = f->out.timer = -1;
    atomic_init(&f->pcap, -1);
    f->snap = c.snap && c.snap < NET_FRAME_MOST ? c.snap : NET_FRAME_MOST;
    uint64_t burst = c.burst_ns ? c.burst_ns : BURST;
    status = gate_make(&f->out, inner, VSDK_NET_WRITABLE, c.send_bytes, c.send_frames, burst,
                       operation, error);
    if (!status)
        status = gate_make(&f->in, inner, VSDK_NET_READABLE, c.receive_bytes, c.receive_frames,
                           burst, operation, error);
    if (!status && c.pcap)
        status = open_pcap(f, c.pcap, operation, error);
    if (status) {
        filter_close(&f->net);
        return status;
    }
    *net = &f->net;
    return VSDK_OK;
}
