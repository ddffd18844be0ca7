/* SPDX-License-Identifier: Apache-2.0 */
/* A queue as a device: where its ring lies, who serves it, what the embedder pops and pushes.
 *
 * `open` of the ring, the views and the life change under the queue's lock, or where nothing runs.
 * A ring that was broken answers nothing until the reset. The driver is asked to tell of new chains
 * only when a pop has found none; so it is silent as long as the device is at work.
 *
 * The doorbell is made when the queue is enabled for the first time, and stays: taking one away
 * costs the kernel milliseconds. A ring for a queue that is not open is ignored. */
#include "base/error.h"
#include "virtio/virtio.h"

/* How many chains one call of notify takes before others have their turn. */
enum { TURN = 256 };

static int read_guest(void *context, uint64_t gpa, void *to, uint64_t length)
{
    virtio_queue *q = context;
    vsdk_status status = vsdk_dma_read(q->device, gpa, to, length, NULL);

    return status ? -1 : 0;
}

/* Whether it may be served: between DRIVER_OK and a reset, or a rule that is broken. */
static int is_alive(const virtio_queue *q)
{
    uint32_t status = atomic_load(&q->v->status);

    return q->ring.open && status & STATUS_DRIVER_OK && !(status & STATUS_NEEDS_RESET);
}

static void signal_driver(virtio_queue *q)
{
    if (ring_wants_signal(&q->ring))
        virtio_interrupt(q->v, q->index, INTERRUPT_QUEUE);
}

/* Under the queue's lock, on its loop. What is pushed is signalled once, at the end. Who has had
 * its turn posts itself again, so that a driver which never stops keeps no loop from its other
 * work. */
static void serve(virtio_queue *q)
{
    virtio *v = q->v;

    if (!is_alive(q))
        return;
    q->turn = TURN;
    q->more = 0;
    q->serving = 1;
    if (v->ops.notify)
        v->ops.notify(v->user, v->device, q->index);
    q->serving = 0;
    signal_driver(q);
    if (q->more)
        queue_wake(q);
}

static void rung(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    virtio_queue *q = user;
    uint64_t rings;

    (void)watch, (void)descriptor, (void)events;
    if (!q->doorbell) /* it went while this waited for the lock */
        return;
    vsdk_doorbell_take(q->doorbell, &rings, NULL);
    serve(q);
}

static void woken(void *user, vsdk_work *work)
{
    (void)work;
    serve(user);
}

void queue_wake(virtio_queue *q)
{
    vsdk_work_post(q->work, NULL);
}

/* Without one the driver's writes come to the registers. */
void queue_put_doorbell(virtio_queue *q)
{
    vsdk_doorbell_config config = {.size = sizeof config, .device = q->device};

    if (q->doorbell || !q->v->transport)
        return;
    q->v->transport->place_doorbell(q->v, q->index, &config);
    if (!config.width ||
        vsdk_doorbell_create(vsdk_device_vm(q->device), &config, &q->doorbell, NULL))
        return;
    if (vsdk_watch_create(q->loop, q->device, vsdk_doorbell_descriptor(q->doorbell), VSDK_LOOP_READ,
                          rung, q, NULL, &q->watch, NULL)) {
        vsdk_doorbell_close(q->doorbell);
        q->doorbell = NULL;
    }
}

int queue_enter(virtio_queue *q)
{
    return !vsdk_device_enter(q->device, NULL);
}

void queue_leave(virtio_queue *q, int entered)
{
    if (entered)
        vsdk_device_leave(q->device);
}

void queue_take_doorbell(virtio_queue *q)
{
    int entered = queue_enter(q);

    vsdk_watch_close(q->watch);
    vsdk_doorbell_close(q->doorbell);
    q->watch = NULL;
    q->doorbell = NULL;
    queue_leave(q, entered);
}

/* The ring's memory stays pinned while the queue is ready. */
static void unpin(virtio_queue *q)
{
    for (int i = 0; i < 3; i++)
        vsdk_dma_unmap(&q->views[i]);
}

/* Both sides write the descriptors of a packed ring. 0 where there is no such memory, or where it
 * is not aligned as the specification wants (2.7, 2.8). */
static int pin(virtio_queue *q, int packed)
{
    const struct {
        uint64_t gpa, length, align;
        vsdk_dma_intent intent;
    } areas[3] = {
        {q->descriptors, ring_descriptors_size(q->size), 16,
         packed ? VSDK_DMA_FROM_GUEST | VSDK_DMA_TO_GUEST : VSDK_DMA_FROM_GUEST},
        {q->driver, ring_driver_size(q->size, packed), packed ? 4 : 2, VSDK_DMA_FROM_GUEST},
        {q->device_area, ring_device_size(q->size, packed), 4, VSDK_DMA_TO_GUEST},
    };

    for (int i = 0; i < 3; i++) {
        q->views[i] = (vsdk_dma_view){.size = sizeof *q->views};
        if (areas[i].gpa % areas[i].align || vsdk_dma_map(q->device, areas[i].gpa, areas[i].length,
                                                          areas[i].intent, &q->views[i], NULL)) {
            unpin(q);
            return 0;
        }
    }
    return 1;
}

static int size_is_sound(const virtio_queue *q, int packed)
{
    return q->size && q->size <= q->v->queue_size && (packed || !(q->size & (q->size - 1)));
}

int queue_open(virtio_queue *q)
{
    uint64_t features = atomic_load(&q->v->accepted);
    int packed = !!(features & VIRTIO_F_RING_PACKED);

    if (!size_is_sound(q, packed) || !pin(q, packed)) {
        virtio_needs_reset(q->v);
        return 0;
    }
    ring_open(&q->ring, q->size, features,
              (ring_memory){q->views[0].data, q->views[1].data, q->views[2].data});
    q->ready = 1;
    q->heard = 1;
    return 1;
}

/* Queues are set up between FEATURES_OK and DRIVER_OK, or later. */
void queue_enable(virtio_queue *q)
{
    if (!(atomic_load(&q->v->status) & STATUS_FEATURES_OK))
        return;
    queue_put_doorbell(q);
    if (vsdk_device_enter(q->device, NULL)) {
        virtio_needs_reset(q->v);
        return;
    }
    queue_open(q);
    vsdk_device_leave(q->device);
    if (q->ready && atomic_load(&q->v->status) & STATUS_DRIVER_OK)
        queue_wake(q);
}

/* Chains that are with the device are forgotten: their life is over. */
static void close_ring(virtio_queue *q)
{
    state_forget(q);
    ring_close(&q->ring);
    unpin(q);
    q->life++;
    q->ready = 0;
    q->more = 0;
}

/* The device hears of it as of a reset of all: outside of the queue's lock, so that it can wait for
 * what it has under way. */
void queue_disable(virtio_queue *q)
{
    if (vsdk_device_enter(q->device, NULL))
        return;
    close_ring(q);
    vsdk_device_leave(q->device);
    if (q->v->ops.queue_reset)
        q->v->ops.queue_reset(q->v->user, q->v->device, q->index);
}

static void forget_place(virtio_queue *q)
{
    q->size = q->v->queue_size;
    q->descriptors = q->driver = q->device_area = 0;
    atomic_store(&q->vector, VIRTIO_NO_VECTOR);
}

void queue_reset(virtio_queue *q)
{
    close_ring(q);
    forget_place(q);
}

void queue_reset_alone(virtio_queue *q)
{
    if (!(atomic_load(&q->v->accepted) & VIRTIO_F_RING_RESET))
        return;
    queue_disable(q);
    if (!q->ready)
        forget_place(q);
}

/* What was given up by a broken rule stays with the device until the reset. */
static vsdk_status broken(virtio_queue *q, const char *operation, vsdk_error *error)
{
    virtio_needs_reset(q->v);
    return error_set(error, VSDK_ERROR_FORMAT, operation, "queue %u: %s", q->index, q->ring.broken);
}

/* An empty ring is listened to before it is called empty, and looked at once more: what came in
 * between would be told by nobody. */
static ring_answer pop_or_listen(virtio_queue *q, uint32_t *slot)
{
    for (;;) {
        ring_answer answer = ring_pop(&q->ring, slot);
        if (answer == RING_CHAIN && q->heard) {
            ring_quiet(&q->ring);
            q->heard = 0;
        }
        if (answer != RING_EMPTY || q->heard)
            return answer;
        q->heard = 1;
        if (!ring_listen(&q->ring))
            return RING_EMPTY;
    }
}

static void fill_chain(const virtio_queue *q, uint32_t slot, vsdk_virtio_chain *chain)
{
    const ring_slot *s = &q->ring.slots[slot];

    *chain = (vsdk_virtio_chain){.parts = ring_parts(&q->ring, slot),
                                 .writable = s->writable,
                                 .count = s->count,
                                 .readable_count = s->readable,
                                 .queue = q->index,
                                 .slot = slot,
                                 .life = q->life};
    for (uint32_t i = 0; i < s->readable; i++)
        chain->readable += chain->parts[i].length;
}

vsdk_status vsdk_virtio_pop(vsdk_device *device, uint32_t queue, vsdk_virtio_chain *chain,
                            vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_pop";
    uint32_t slot;

    if (!chain)
        return error_null(error, operation, "chain");
    *chain = (vsdk_virtio_chain){0};
    virtio_queue *q;
    vsdk_status status = virtio_get_queue(device, queue, &q, operation, error);
    if (status)
        return status;
    if (!is_alive(q))
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "queue %u is not ready", queue);
    if (q->serving && !q->turn) {
        q->more = 1;
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "the turn of queue %u is over",
                         queue);
    }
    ring_answer answer = pop_or_listen(q, &slot);
    if (answer == RING_BROKEN)
        return broken(q, operation, error);
    if (answer == RING_EMPTY)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "queue %u has no chain", queue);
    if (q->serving)
        q->turn--;
    fill_chain(q, slot, chain);
    return VSDK_OK;
}

/* 0 for one of before a reset. */
static int is_current(const virtio_queue *q, const vsdk_virtio_chain *chain)
{
    return q->ring.open && chain->life == q->life;
}

/* What the caller gives is the library's own record, but the caller may have changed it: only slot
 * and life are used of it, and both are checked. */
static vsdk_status check_chain(const virtio_queue *q, const vsdk_virtio_chain *chain,
                               const char *operation, vsdk_error *error)
{
    if (!is_current(q, chain))
        return error_set(error, VSDK_ERROR_STATE, operation, "queue %u was reset", q->index);
    if (chain->slot >= q->ring.size || !q->ring.slots[chain->slot].busy ||
        q->ring.slots[chain->slot].done)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "queue %u has given no such chain", q->index);
    return VSDK_OK;
}

vsdk_status vsdk_virtio_push(vsdk_device *device, const vsdk_virtio_chain *chain, uint32_t written,
                             vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_push";

    if (!chain)
        return error_null(error, operation, "chain");
    virtio_queue *q;
    vsdk_status status = virtio_get_queue(device, chain->queue, &q, operation, error);
    if (status)
        return status;
    if (!is_current(q, chain))
        return VSDK_OK;
    status = check_chain(q, chain, operation, error);
    if (status)
        return status;
    if (written > q->ring.slots[chain->slot].writable)
        return error_set(error, VSDK_ERROR_RANGE, operation, "%u bytes are more than is writable",
                         written);
    ring_push(&q->ring, chain->slot, written);
    return VSDK_OK;
}

vsdk_status vsdk_virtio_signal(vsdk_device *device, uint32_t queue, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_signal";
    virtio_queue *q;
    vsdk_status status = virtio_get_queue(device, queue, &q, operation, error);
    if (status)
        return status;
    signal_driver(q);
    return VSDK_OK;
}

/* Bytes of a chain, part by part: `found` gets each piece. */
typedef vsdk_status (*piece_fn)(void *context, uint64_t gpa, uint64_t length, vsdk_error *error);

static vsdk_status each_piece(const virtio_queue *q, const vsdk_virtio_chain *chain, int writable,
                              uint64_t offset, uint64_t length, piece_fn found, void *context,
                              const char *operation, vsdk_error *error)
{
    vsdk_status status = check_chain(q, chain, operation, error);
    if (status)
        return status;
    const ring_slot *s = &q->ring.slots[chain->slot];
    const vsdk_virtio_part *parts = ring_parts(&q->ring, chain->slot);
    uint32_t at = writable ? s->readable : 0, end = writable ? s->count : s->readable;

    for (; length && at < end; at++) {
        uint64_t here = parts[at].length;
        if (offset >= here) {
            offset -= here;
            continue;
        }
        uint64_t count = here - offset < length ? here - offset : length;
        status = found(context, parts[at].gpa + offset, count, error);
        if (status)
            return status;
        offset = 0;
        length -= count;
    }
    return length ? error_set(error, VSDK_ERROR_RANGE, operation, "the chain has not so many bytes")
                  : VSDK_OK;
}

typedef struct copy {
    vsdk_device *device;
    uint8_t *to;
    const uint8_t *from;
} copy;

static vsdk_status copy_in(void *context, uint64_t gpa, uint64_t length, vsdk_error *error)
{
    copy *c = context;
    vsdk_status status = vsdk_dma_read(c->device, gpa, c->to, length, error);

    c->to += length;
    return status;
}

static vsdk_status copy_out(void *context, uint64_t gpa, uint64_t length, vsdk_error *error)
{
    copy *c = context;
    vsdk_status status = vsdk_dma_write(c->device, gpa, c->from, length, error);

    c->from += length;
    return status;
}

/* `buffer` is asked for; the piece function says which way. */
static vsdk_status copy_chain(vsdk_device *device, const vsdk_virtio_chain *chain, int writable,
                              uint64_t offset, const void *buffer, copy *c, uint64_t length,
                              const char *operation, vsdk_error *error)
{
    virtio_queue *q;

    if (!chain || (!buffer && length))
        return error_null(error, operation, chain ? "buffer" : "chain");
    vsdk_status status = virtio_get_queue(device, chain->queue, &q, operation, error);
    if (status)
        return status;
    c->device = q->device;
    return each_piece(q, chain, writable, offset, length, writable ? copy_out : copy_in, c,
                      operation, error);
}

vsdk_status vsdk_virtio_read(vsdk_device *device, const vsdk_virtio_chain *chain, uint64_t offset,
                             void *buffer, uint64_t length, vsdk_error *error)
{
    return copy_chain(device, chain, 0, offset, buffer, &(copy){.to = buffer}, length,
                      "vsdk_virtio_read", error);
}

vsdk_status vsdk_virtio_write(vsdk_device *device, const vsdk_virtio_chain *chain, uint64_t offset,
                              const void *buffer, uint64_t length, vsdk_error *error)
{
    return copy_chain(device, chain, 1, offset, buffer, &(copy){.from = buffer}, length,
                      "vsdk_virtio_write", error);
}

typedef struct pins {
    vsdk_device *device;
    vsdk_dma_intent intent;
    vsdk_dma_view *views;
    uint32_t capacity, count;
} pins;

/* Bytes that lie in two mappings are halved until each half lies in one. */
static vsdk_status pin_piece(void *context, uint64_t gpa, uint64_t length, vsdk_error *error)
{
    pins *p = context;

    while (length) {
        uint64_t count = length;
        vsdk_status status;
        if (p->count == p->capacity)
            return error_set(error, VSDK_ERROR_LIMIT, "vsdk_virtio_map", "%u views are too few",
                             p->capacity);
        vsdk_dma_view *view = &p->views[p->count];
        for (;; count /= 2) {
            *view = (vsdk_dma_view){.size = sizeof *view};
            status = vsdk_dma_map(p->device, gpa, count, p->intent, view, error);
            if (status != VSDK_ERROR_RANGE || count == 1)
                break;
        }
        if (status)
            return status;
        p->count++;
        gpa += count;
        length -= count;
    }
    return VSDK_OK;
}

vsdk_status vsdk_virtio_map(vsdk_device *device, const vsdk_virtio_chain *chain,
                            vsdk_dma_intent intent, uint64_t offset, uint64_t length,
                            vsdk_dma_view *views, uint32_t capacity, uint32_t *count,
                            vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_map";

    if (count)
        *count = 0;
    if (!chain || !count || (!views && capacity))
        return error_null(error, operation, !chain ? "chain" : count ? "views" : "count");
    if (intent != VSDK_DMA_FROM_GUEST && intent != VSDK_DMA_TO_GUEST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown intent %u",
                         intent);
    virtio_queue *q;
    vsdk_status status = virtio_get_queue(device, chain->queue, &q, operation, error);
    if (status)
        return status;
    pins p = {.device = q->device, .intent = intent, .views = views, .capacity = capacity};
    status = each_piece(q, chain, intent == VSDK_DMA_TO_GUEST, offset, length, pin_piece, &p,
                        operation, error);
    while (status && p.count)
        vsdk_dma_unmap(&views[--p.count]);
    *count = p.count;
    return status;
}

/* A state that was loaded is taken up here: a stopped device reaches no memory. What the driver has
 * done meanwhile nobody tells. */
static void queue_start(void *user, vsdk_device *device)
{
    virtio_queue *q = user;

    (void)device;
    if (q->loaded)
        state_restore(q);
    if (q->v->ops.start)
        q->v->ops.start(q->v->user, q->v->device, q->index);
    if (q->ring.open)
        queue_wake(q);
}

static vsdk_stop_answer queue_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    virtio_queue *q = user;

    (void)device;
    return q->v->ops.stop ? q->v->ops.stop(q->v->user, q->v->device, q->index, mode)
                          : VSDK_STOP_DONE;
}

static void queue_release(void *user)
{
    virtio_queue *q = user;

    state_forget(q);
    ring_end(&q->ring);
    virtio_put(q->v);
}

const vsdk_device_ops virtio_queue_ops = {
    .size = sizeof(vsdk_device_ops),
    .start = queue_start,
    .stop = queue_stop,
    .release = queue_release,
};

vsdk_status queue_make(virtio *v, uint32_t index, const vsdk_virtio_config *config, vsdk_loop *loop,
                       vsdk_error *error)
{
    virtio_queue *q = &v->queues[index];
    vsdk_device_config make = {.size = sizeof make, .name = config->name};
    uint32_t chain_most = config->chain_max ? config->chain_max : 128;

    q->v = v;
    q->index = index;
    q->size = v->queue_size;
    q->life = 1;
    atomic_store(&q->vector, VIRTIO_NO_VECTOR);
    if (ring_init(&q->ring, v->queue_size, chain_most, read_guest, q))
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_virtio_create", "no memory");
    refs_get(&v->memory);
    vsdk_status status = vsdk_device_create(vsdk_device_vm(v->device), &virtio_queue_ops, q, &make,
                                            &q->device, error);
    if (status)
        return status;
    return queue_set_loop(q, loop, error);
}

/* Who asks is the only one who uses the queue. */
vsdk_status queue_set_loop(virtio_queue *q, vsdk_loop *loop, vsdk_error *error)
{
    vsdk_work *work;
    vsdk_status status = vsdk_work_create(loop, q->device, woken, q, NULL, &work, error);

    if (status)
        return status;
    vsdk_work_close(q->work);
    vsdk_loop_close(q->loop);
    q->work = work;
    q->loop = vsdk_loop_ref(loop);
    return VSDK_OK;
}

void queue_end(virtio_queue *q)
{
    if (!q->device)
        return;
    queue_take_doorbell(q);
    int entered = queue_enter(q);
    close_ring(q);
    vsdk_work_close(q->work);
    q->work = NULL;
    queue_leave(q, entered);
    vsdk_loop_close(q->loop);
    vsdk_device_close(q->device);
}
