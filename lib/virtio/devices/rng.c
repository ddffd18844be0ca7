/* SPDX-License-Identifier: Apache-2.0 */
/* Entropy (virtio 1.2, section 5.4): each buffer of the driver's gets some random bytes.
 *
 * Bytes are fetched before a chain is popped, so that no chain is ever kept: when there are none,
 * or the rate is used up, chains stay in the ring and a timer looks again. A byte that was given is
 * wiped. All of it runs under the queue's lock, but the clock, which starts with the queue. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "virtio/devices/device.h"
#include <string.h>

enum { TYPE_ENTROPY = 4, QUEUE_SIZE = 16, POOL = 1024, CHAINS_A_TURN = 64 };
#define SECOND UINT64_C(1000000000)
#define RETRY (SECOND / 100)
#define RATE_MOST (UINT64_C(1) << 40)

typedef struct rng {
    vsdk_virtio_rng_fn source;
    void *user;
    vsdk_release_fn release;
    vsdk_device *device;
    vsdk_timer *timer;
    uint64_t rate, burst;
    uint64_t allowed; /* bytes, of the rate */
    uint64_t since;   /* the clock for which `allowed` was computed */
    uint32_t held;    /* bytes of the pool's end that nobody got */
    uint8_t pool[POOL];
} rng;

static uint64_t host_bytes(void *user, void *bytes, uint64_t length)
{
    int got = sys_random(bytes, length);

    (void)user;
    return got > 0 ? (uint64_t)got : 0;
}

/* Behind those that are there. An answer above what was asked for is not believed. */
static void fetch(rng *r)
{
    uint8_t fresh[POOL];
    uint64_t room = POOL - r->held;
    uint64_t got = r->source(r->user, fresh, room);

    if (got > room)
        got = room;
    memmove(r->pool + (room - got), r->pool + room, r->held);
    memcpy(r->pool + POOL - got, fresh, got);
    r->held += (uint32_t)got;
    explicit_bzero(fresh, sizeof fresh);
}

/* What the time has brought, to the byte: the rest of it counts next time. */
static void refill(rng *r)
{
    uint64_t now, gone, whole, part;

    if (!r->rate)
        return;
    now = vsdk_vm_clock(vsdk_device_vm(r->device));
    gone = now > r->since ? now - r->since : 0;
    whole = gone / SECOND;
    if (whole > r->burst / r->rate) {
        r->allowed = r->burst;
        r->since = now;
        return;
    }
    /* Below 2^40 bytes a second and 2^30 ns: the product needs 70 bits. */
    part = (uint64_t)((unsigned __int128)(gone % SECOND) * r->rate / SECOND);
    uint64_t came = whole * r->rate + part;
    if (!came)
        return;
    r->since += whole * SECOND + (uint64_t)((unsigned __int128)part * SECOND / r->rate);
    r->allowed = came < r->burst - r->allowed ? r->allowed + came : r->burst;
}

/* How many bytes may go now. Below one that is worth an interrupt it waits on. */
static uint64_t may_give(rng *r)
{
    if (r->held < POOL / 2)
        fetch(r);
    refill(r);
    return r->rate && r->allowed < r->held ? r->allowed : r->held;
}

/* Until at least one byte may go. */
static void wait_for_bytes(rng *r)
{
    uint64_t delay = RETRY;

    if (r->held && SECOND / r->rate > RETRY)
        delay = SECOND / r->rate + 1;
    vsdk_timer_arm(r->timer, delay, 0, NULL);
}

/* A buffer that is not there gets nothing; the driver sees that. */
static void give(rng *r, const vsdk_virtio_chain *chain, uint64_t count)
{
    uint8_t *from = r->pool + POOL - r->held;

    if (count > chain->writable)
        count = chain->writable;
    if (count && vsdk_virtio_write(r->device, chain, 0, from, count, NULL))
        count = 0;
    explicit_bzero(from, count);
    r->held -= (uint32_t)count;
    if (r->rate)
        r->allowed -= count;
    vsdk_virtio_push(r->device, chain, (uint32_t)count, NULL);
}

/* Others of the loop have their turn after some chains. */
static void feed(rng *r)
{
    vsdk_virtio_chain chain;

    for (unsigned i = 0; i < CHAINS_A_TURN; i++) {
        uint64_t count = may_give(r);
        if (!count) {
            wait_for_bytes(r);
            return;
        }
        if (vsdk_virtio_pop(r->device, 0, &chain, NULL))
            return;
        give(r, &chain, count);
    }
    vsdk_timer_arm(r->timer, 0, 0, NULL);
}

/* The signal comes when this returns. */
static void rng_notify(void *user, vsdk_device *device, uint32_t queue)
{
    (void)device, (void)queue;
    feed(user);
}

/* Outside of notify the driver is told by hand. */
static void rng_again(void *user, vsdk_timer *timer)
{
    rng *r = user;

    (void)timer;
    feed(r);
    vsdk_virtio_signal(r->device, 0, NULL);
}

/* Nothing is kept of a queue; that this is there says that one may be reset. */
static void rng_queue_reset(void *user, vsdk_device *device, uint32_t queue)
{
    (void)user, (void)device, (void)queue;
}

/* The clock of another machine is another one: what it brought until the stop is saved. */
static void rng_start(void *user, vsdk_device *device, uint32_t queue)
{
    rng *r = user;

    (void)queue;
    r->since = vsdk_vm_clock(vsdk_device_vm(device));
}

static vsdk_stop_answer rng_stop(void *user, vsdk_device *device, uint32_t queue,
                                 vsdk_stop_mode mode)
{
    (void)device, (void)queue, (void)mode;
    refill(user);
    return VSDK_STOP_DONE;
}

static vsdk_status rng_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                            vsdk_error *error)
{
    const rng *r = user;

    (void)device;
    return vsdk_state_put_number(writer, "allowed", r->allowed, error);
}

/* A rate is the embedder's, and may be another one here. */
static vsdk_status rng_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                            vsdk_error *error)
{
    rng *r = user;
    uint64_t allowed;
    vsdk_status status = vsdk_state_get_number(reader, "allowed", RATE_MOST, &allowed, error);

    (void)device;
    if (!status)
        r->allowed = allowed < r->burst ? allowed : r->burst;
    return status;
}

static void rng_release(void *user)
{
    rng *r = user;

    vsdk_timer_close(r->timer);
    if (r->release)
        r->release(r->user);
    explicit_bzero(r->pool, sizeof r->pool);
    alloc_free(r);
}

static const vsdk_virtio_ops rng_ops = {
    .size = sizeof rng_ops,
    .notify = rng_notify,
    .start = rng_start,
    .stop = rng_stop,
    .save = rng_save,
    .load = rng_load,
    .release = rng_release,
    .queue_reset = rng_queue_reset,
};

static vsdk_status check_rate(const vsdk_virtio_rng_config *c, const char *operation,
                              vsdk_error *error)
{
    if (c->rate <= RATE_MOST && c->burst <= RATE_MOST)
        return VSDK_OK;
    return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "%s is above 2^40",
                     c->rate > RATE_MOST ? "rate" : "burst");
}

/* At first a burst may go. */
static rng *make_rng(const vsdk_virtio_rng_config *c)
{
    rng *r = alloc_zeroed(sizeof *r);

    if (!r)
        return NULL;
    r->source = c->source ? c->source : host_bytes;
    r->user = c->user;
    r->release = c->release;
    r->rate = c->rate;
    r->burst = c->burst ? c->burst : c->rate;
    r->allowed = r->burst;
    return r;
}

/* The timer is part of the queue, so it is made when there is one; no guest is there yet. */
static vsdk_status make_entropy(vsdk_vm *vm, rng *r, vsdk_loop *loop, vsdk_device **device,
                                vsdk_error *error)
{
    vsdk_virtio_config config = {.size = sizeof config,
                                 .name = "entropy",
                                 .type = TYPE_ENTROPY,
                                 .queues = 1,
                                 .queue_size = QUEUE_SIZE,
                                 .loop = loop};
    vsdk_status status = vsdk_virtio_create(vm, &rng_ops, r, &config, &r->device, error);

    if (status)
        return status;
    vsdk_device *made = r->device;
    status = vsdk_timer_create(vsdk_virtio_queue_loop(made, 0), vsdk_virtio_queue_device(made, 0),
                               rng_again, r, NULL, &r->timer, error);
    if (status)
        vsdk_device_close(made);
    else
        *device = made;
    return status;
}

vsdk_status vsdk_virtio_rng_create(vsdk_vm *vm, const vsdk_virtio_rng_config *config,
                                   vsdk_device **device, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_rng_create";
    vsdk_virtio_rng_config c;
    int foreign;
    vsdk_status status = virtio_device_begin(vm, device, &foreign, operation, error);
    rng *r = NULL;

    if (foreign)
        return status;
    vsdk_status read =
        virtio_device_config(&c, sizeof c, offsetof(vsdk_virtio_rng_config, reserved), config, 0,
                             operation, status ? NULL : error);
    if (!status)
        status = read;
    if (!status)
        status = check_rate(&c, operation, error);
    if (!status && !(r = make_rng(&c)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for a device");
    if (!status)
        return make_entropy(vm, r, c.loop, device, error);
    if (c.release) /* a copy that was refused before it was taken has none */
        c.release(c.user);
    return status;
}
