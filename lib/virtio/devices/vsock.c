/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio socket device (virtio 1.2, section 5.10): made, reset, saved, loaded, and what calls
 * its parts.
 *
 * Its three queues, its timer and its watches are on one loop. Connections are of this process and
 * of this life of the driver: a reset ends them, and a loaded state has none, which the guest is
 * told by an event. Who listens stays. */
#include "virtio/devices/vsock.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "virtio/devices/device.h"
#include <errno.h>
#include <string.h>

enum {
    DEVICE_TYPE = 19,
    QUEUE_SIZE = 256,
    CONNECTIONS = 1024,
    CONNECTIONS_MOST = 65536,
    BUFFER = 64 << 10,
    GREETERS_MOST = 64,
    HOST_BACKLOG = 128
};
#define TIMEOUT UINT64_C(2000000000)
#define CID_ANY UINT32_MAX
#define F_STREAM UINT64_C(1)

/* Under the lock of the queue. A queue that was given another loop (vsdk_virtio_set_loop) only
 * rings there: connections are at home on the device's. */
static void notify(void *user, vsdk_device *device, uint32_t queue)
{
    vsock *s = user;
    int is_home = vsdk_virtio_queue_loop(device, queue) == s->loop;

    if (queue == VSOCK_EVENT)
        vsock_event(s);
    else if (!is_home)
        vsdk_work_post(queue == VSOCK_TX ? s->receiver : s->sender, NULL);
    else if (queue == VSOCK_TX)
        vsock_receive(s);
    else
        vsock_send(s);
}

/* The driver's thread: what the loop has in hand may go on until it looks. */
static void reset(void *user, vsdk_device *device)
{
    vsock *s = user;

    (void)device;
    atomic_fetch_add(&s->resets, 1);
    atomic_store(&s->event_due, 0);
    vsock_want_send(s);
}

/* The guest knows this number for itself, and packets carry it. */
static vsdk_status save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                        vsdk_error *error)
{
    vsock *s = user;

    (void)device;
    return vsdk_state_put_number(writer, "vsock.cid", s->cid, error);
}

/* Connections that this device has now are of a guest that is no more. */
static vsdk_status load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                        vsdk_error *error)
{
    vsock *s = user;
    uint64_t cid;
    vsdk_status status = vsdk_state_get_number(reader, "vsock.cid", CID_ANY - 1, &cid, error);

    (void)device;
    if (status)
        return status;
    if (cid <= VSOCK_HOST)
        return error_set(error, VSDK_ERROR_FORMAT, "vsdk_device_load", "vsock.cid is %u",
                         (uint32_t)cid);
    s->cid = cid;
    atomic_fetch_add(&s->resets, 1);
    atomic_store(&s->event_due, 1);
    return VSDK_OK;
}

/* Every queue is gone, and no callback runs. */
static void release(void *user)
{
    vsock *s = user;

    vsdk_watch_close(s->accepts);
    s->accepts = NULL; /* nobody else is taken in */
    connection_end_all(s, 1);
    host_end(s);
    vsdk_timer_close(s->timer);
    vsdk_work_close(s->sender);
    vsdk_work_close(s->receiver);
    vsdk_loop_close(s->loop);
    lock_destroy(&s->lock);
    alloc_free(s->scratch);
    alloc_free(s);
}

const vsdk_virtio_ops vsock_ops = {.size = sizeof vsock_ops,
                                   .notify = notify,
                                   .reset = reset,
                                   .save = save,
                                   .load = load,
                                   .release = release};

/* Under the lock of RX, as the timer and all watches. */
static void sender_runs(void *user, vsdk_work *work)
{
    (void)work;
    vsock_send(user);
}

/* Under the lock of TX, where nobody signals for it. */
static void receiver_runs(void *user, vsdk_work *work)
{
    vsock *s = user;

    (void)work;
    vsock_receive(s);
    vsdk_virtio_signal(s->device, VSOCK_TX, NULL);
}

static void timer_runs(void *user, vsdk_timer *timer)
{
    vsock *s = user;

    (void)timer;
    vsock_catch_up(s);
    connection_expire(s);
    vsock_send(s);
}

/* A path leaves room for the longest port, since the guest chooses ports. */
static vsdk_status check_vsock(const vsdk_virtio_vsock_config *c, const char *operation,
                               vsdk_error *error)
{
    const char *what = NULL;

    if (c->cid <= VSOCK_HOST || c->cid >= CID_ANY)
        what = "cid is no guest's: 3 to 4294967294";
    else if (c->path && (!*c->path || strlen(c->path) > VSOCK_PATH_MOST))
        what = "path has 1 to 96 bytes";
    else if (c->connections > CONNECTIONS_MOST)
        what = "connections is above 65536";
    else if (c->buffer && (c->buffer < VSOCK_BUFFER_LEAST || c->buffer > VSOCK_BUFFER_MOST))
        what = "buffer is not 4096 to 4194304";
    else if (c->timeout_ns > UINT64_MAX / 64)
        what = "timeout_ns is too long";
    return what ? error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s", what) : VSDK_OK;
}

/* Before the device: a path that is taken shall not cost a device, and no guest waits here. */
static vsdk_status listen_at_path(vsock *s, const char *operation, vsdk_error *error)
{
    int result = socket_listen(s->path, HOST_BACKLOG, s->identity);

    s->listening = result;
    if (result >= 0)
        return VSDK_OK;
    vsdk_status status = result == -EADDRINUSE                     ? VSDK_ERROR_EXISTS
                         : result == -ENOENT || result == -ENOTDIR ? VSDK_ERROR_NOT_FOUND
                         : result == -EROFS                        ? VSDK_ERROR_PERMISSION
                                                                   : error_status_of_errno(-result);
    error_set_errno(error, status, -result, operation, "can't listen at path %s", s->path);
    return status == VSDK_ERROR_EXISTS
               ? error_hint(error, status, "remove the file if nobody listens there any more")
               : status;
}

/* Nothing in it but what the configuration says; NULL without memory. */
static vsock *new_vsock(vsdk_loop *loop, const vsdk_virtio_vsock_config *c)
{
    vsock *s = alloc_zeroed(sizeof *s);

    if (s)
        s->scratch = alloc_unset(VSOCK_SCRATCH);
    if (!s || !s->scratch) {
        alloc_free(s);
        return NULL;
    }
    lock_init(&s->lock, RANK_LEAF);
    s->loop = vsdk_loop_ref(loop);
    s->cid = c->cid;
    s->buffer = c->buffer ? c->buffer : BUFFER;
    s->most = c->connections ? c->connections : CONNECTIONS;
    s->greeters_most = s->most < GREETERS_MOST ? s->most : GREETERS_MOST;
    s->timeout = c->timeout_ns ? c->timeout_ns : TIMEOUT;
    s->listening = -1;
    s->last_wish = &s->wishes;
    s->all.next = s->all.before = &s->all;
    s->ready.next = s->ready.before = &s->ready;
    if (c->path)
        memcpy(s->path, c->path, strlen(c->path));
    return s;
}

/* What runs on the loop is part of the queue whose lock it needs. */
static vsdk_status make_sources(vsock *s, vsdk_error *error)
{
    vsdk_device *rx = vsdk_virtio_queue_device(s->device, VSOCK_RX);
    vsdk_device *tx = vsdk_virtio_queue_device(s->device, VSOCK_TX);
    vsdk_status status = vsdk_work_create(s->loop, tx, receiver_runs, s, NULL, &s->receiver, error);

    if (!status)
        status = vsdk_work_create(s->loop, rx, sender_runs, s, NULL, &s->sender, error);
    if (!status)
        status = vsdk_timer_create(s->loop, rx, timer_runs, s, NULL, &s->timer, error);
    if (!status && s->listening >= 0)
        status = vsdk_watch_create(s->loop, rx, s->listening, VSDK_LOOP_READ, host_accept, s, NULL,
                                   &s->accepts, error);
    return status;
}

static vsdk_status make_device(vsdk_vm *vm, vsock *s, const char *name, vsdk_error *error)
{
    const uint64_t space = s->cid;
    vsdk_virtio_config config = {.size = sizeof config,
                                 .name = name ? name : "vsock",
                                 .features = F_STREAM,
                                 .type = DEVICE_TYPE,
                                 .queues = VSOCK_QUEUES,
                                 .queue_size = QUEUE_SIZE,
                                 .space = &space,
                                 .space_length = sizeof space,
                                 .loop = s->loop};
    vsdk_device *device;
    vsdk_status status = vsdk_virtio_create(vm, &vsock_ops, s, &config, &device, error);

    if (status)
        return status;
    s->device = device;
    status = make_sources(s, error);
    if (status)
        vsdk_device_close(device);
    return status;
}

vsdk_status vsdk_virtio_vsock_create(vsdk_vm *vm, const vsdk_virtio_vsock_config *config,
                                     vsdk_device **device, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_vsock_create";
    vsdk_virtio_vsock_config c;
    int foreign;
    vsdk_status status = virtio_device_begin(vm, device, &foreign, operation, error);

    if (!status && !config)
        status = error_null(error, operation, "config");
    if (!status)
        status = virtio_device_config(&c, sizeof c, offsetof(vsdk_virtio_vsock_config, reserved),
                                      config, 0, operation, error);
    if (!status)
        status = check_vsock(&c, operation, error);
    if (status)
        return status;
    vsdk_error why = {0};
    vsdk_loop *loop = c.loop ? c.loop : vsdk_vm_loop(vm, &why);
    if (!loop) {
        if (error)
            *error = why;
        return why.code;
    }
    vsock *s = new_vsock(loop, &c);
    if (!s)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    status = c.path ? listen_at_path(s, operation, error) : VSDK_OK;
    if (status)
        release(s);
    else
        status = make_device(vm, s, c.name, error); /* which has s from here on */
    if (!status)
        *device = s->device;
    return status;
}
