/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device's state: the negotiation, the transport's selections, the configuration space,
 * and for each queue where its ring is and what chains the device had. What a chain consists of is
 * saved, since in a packed ring others may lie there by now. The ring's memory is the guest's.
 *
 * A loaded state is not trusted. It is read into copies and checked as a driver's writes are; the
 * rings are opened when their queues start, since a stopped device reaches no memory. */
#include "base/alloc.h"
#include "base/error.h"
#include "virtio/virtio.h"
#include <stdio.h>
#include <string.h>

/* What comes before the parts of a saved chain: id, entries, parts, whether it was pushed (with
 * IN_ORDER one may wait for others), bytes written. */
enum { NAME = 32, HEAD_WORDS = 5, CHAIN_HEAD = HEAD_WORDS * sizeof(uint32_t) };

typedef struct queue_state {
    uint64_t size, ready, vector, descriptors, driver, device_area;
    uint64_t next, used, wrap, used_wrap;
    uint8_t *chains;
    uint64_t chains_length;
} queue_state;

typedef struct field {
    const char *name;
    size_t offset;
    uint64_t most;
} field;

#define FIELD(name, most)                                                                          \
    {                                                                                              \
#name, offsetof(queue_state, name), most                                                   \
    }
static const field queue_fields[] = {
    FIELD(size, UINT32_MAX),
    FIELD(ready, 1),
    FIELD(vector, VIRTIO_NO_VECTOR),
    FIELD(descriptors, UINT64_MAX),
    FIELD(driver, UINT64_MAX),
    FIELD(device_area, UINT64_MAX),
    FIELD(next, UINT16_MAX),
    FIELD(used, UINT16_MAX),
    FIELD(wrap, 1),
    FIELD(used_wrap, 1),
};
enum { QUEUE_FIELDS = sizeof queue_fields / sizeof *queue_fields };

/* Fields of a queue carry its number. */
static const char *name_of(char *text, uint32_t queue, const char *field_name)
{
    snprintf(text, NAME, "queue%u.%s", queue, field_name);
    return text;
}

/* Chains one behind the other: head and parts. NULL without memory. */
static uint8_t *chains_of(const virtio_queue *q, uint64_t *length)
{
    const ring *r = &q->ring;
    uint64_t bytes = 0;

    for (uint32_t i = RING_NO_SLOT; ring_each_busy(r, &i);)
        bytes += CHAIN_HEAD + r->slots[i].count * sizeof(vsdk_virtio_part);
    uint8_t *all = alloc_unset(bytes ? bytes : 1), *to = all;
    for (uint32_t i = RING_NO_SLOT; all && ring_each_busy(r, &i);) {
        const ring_slot *s = &r->slots[i];
        uint32_t head[HEAD_WORDS] = {s->id, s->entries, s->count, s->done, s->written};
        memcpy(to, head, CHAIN_HEAD);
        memcpy(to + CHAIN_HEAD, ring_parts(r, i), s->count * sizeof(vsdk_virtio_part));
        to += CHAIN_HEAD + s->count * sizeof(vsdk_virtio_part);
    }
    *length = bytes;
    return all;
}

/* What was loaded and not taken up yet is saved as it was. */
static queue_state state_of(const virtio_queue *q)
{
    if (q->loaded)
        return *q->loaded;
    return (queue_state){.size = q->size,
                         .ready = q->ready,
                         .vector = atomic_load(&q->vector),
                         .descriptors = q->descriptors,
                         .driver = q->driver,
                         .device_area = q->device_area,
                         .next = q->ring.next,
                         .used = q->ring.used,
                         .wrap = q->ring.wrap,
                         .used_wrap = q->ring.used_wrap};
}

/* Registers and places, then the chains. */
static vsdk_status save_queue(const virtio_queue *q, vsdk_state_writer *writer, vsdk_error *error)
{
    queue_state state = state_of(q);
    vsdk_status status = VSDK_OK;
    char name[NAME];

    for (unsigned i = 0; !status && i < QUEUE_FIELDS; i++)
        status = vsdk_state_put_number(
            writer, name_of(name, q->index, queue_fields[i].name),
            *(const uint64_t *)((const uint8_t *)&state + queue_fields[i].offset), error);
    if (status)
        return status;
    uint64_t length = state.chains_length;
    uint8_t *chains = q->loaded ? state.chains : chains_of(q, &length);
    if (!chains && length)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_device_save", "no memory");
    status = vsdk_state_put_bytes(writer, name_of(name, q->index, "chains"), chains, length, error);
    if (!q->loaded)
        alloc_free(chains);
    return status;
}

/* The device is stopped: nothing changes meanwhile. The embedder's own fields come last. */
vsdk_status virtio_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                        vsdk_error *error)
{
    virtio *v = user;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"status", atomic_load(&v->status)},
        {"driver_bits", v->driver_bits},
        {"interrupts", atomic_load(&v->interrupts)},
        {"generation", atomic_load(&v->generation)},
        {"selected.device_features", v->selected.device_features},
        {"selected.driver_features", v->selected.driver_features},
        {"selected.queue", v->selected.queue},
        {"queues", v->queue_count},
    };
    vsdk_status status = VSDK_OK;

    for (unsigned i = 0; !status && i < sizeof numbers / sizeof *numbers; i++)
        status = vsdk_state_put_number(writer, numbers[i].name, numbers[i].value, error);
    if (!status)
        status = vsdk_state_put_bytes(writer, "space", v->space, v->space_length, error);
    for (uint32_t i = 0; !status && i < v->queue_count; i++)
        status = save_queue(&v->queues[i], writer, error);
    const virtio_transport *transport = atomic_load(&v->transport);
    if (!status && transport && transport->save)
        status = transport->save(v, writer, error);
    if (!status && v->ops.save)
        status = v->ops.save(v->user, device, writer, error);
    return status;
}

/* The chains of a loaded state are the queue's until it starts. */
static void state_free(queue_state **state)
{
    if (*state)
        alloc_free((*state)->chains);
    alloc_free(*state);
    *state = NULL;
}

void state_forget(virtio_queue *q)
{
    state_free(&q->loaded);
}

/* Beside what the queue has: that stays until all of the state was read. */
static vsdk_status load_queue(virtio_queue *q, vsdk_state_reader *reader, vsdk_error *error)
{
    uint64_t most =
        (uint64_t)q->ring.size_most * (CHAIN_HEAD + q->ring.chain_most * sizeof(vsdk_virtio_part));
    queue_state *state = alloc_zeroed(sizeof *state);
    vsdk_status status = VSDK_OK;
    char name[NAME];

    if (!state)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_device_load", "no memory");
    q->incoming = state;
    for (unsigned i = 0; !status && i < QUEUE_FIELDS; i++)
        status = vsdk_state_get_number(
            reader, name_of(name, q->index, queue_fields[i].name), queue_fields[i].most,
            (uint64_t *)((uint8_t *)state + queue_fields[i].offset), error);
    if (status)
        return status;
    state->chains = alloc_unset(most);
    if (!state->chains)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_device_load", "no memory");
    return vsdk_state_get_bytes(reader, name_of(name, q->index, "chains"), state->chains, most,
                                &state->chains_length, error);
}

/* As a driver's they are checked part by part. 0 if one is not sound. */
static int restore_chains(ring *r, const queue_state *state)
{
    const uint8_t *at = state->chains;
    uint64_t left = state->chains_length;

    while (left >= CHAIN_HEAD) {
        uint32_t head[HEAD_WORDS];
        memcpy(head, at, CHAIN_HEAD);
        uint64_t bytes = head[2] * sizeof(vsdk_virtio_part);
        if (head[2] > r->chain_most || bytes > left - CHAIN_HEAD || r->again_end >= r->size)
            return 0;
        memcpy(ring_parts(r, r->again_end), at + CHAIN_HEAD, bytes);
        int slot = ring_add_again(r, head[0], head[1], head[2]);
        if (slot < 0 || head[4] > r->slots[slot].writable)
            return 0;
        if (head[3] && !r->in_order)
            return 0;
        if (head[3])
            ring_again_is_done(r, (uint32_t)slot, head[4]);
        at += CHAIN_HEAD + bytes;
        left -= CHAIN_HEAD + bytes;
    }
    return !left;
}

/* Under the queue's lock, or where nothing of it runs. The driver may have been told to be silent
 * by whoever was saved: it is listened to at the next empty pop. */
void state_restore(virtio_queue *q)
{
    queue_state *state = q->loaded;

    if (state->ready) {
        queue_put_doorbell(q);
        q->ready = 0;
        if (queue_open(q)) {
            ring_go_to(&q->ring, (ring_place){.next = (uint16_t)state->next,
                                              .used = (uint16_t)state->used,
                                              .wrap = (uint8_t)state->wrap,
                                              .used_wrap = (uint8_t)state->used_wrap});
            q->heard = 0; /* whoever had it may have silenced the driver */
            if (!restore_chains(&q->ring, state) ||
                (q->ring.packed && (state->next >= q->ring.size || state->used >= q->ring.size)))
                ring_break(&q->ring, "a saved state that is not sound");
        }
    }
    state_forget(q);
}

/* First everything is read and checked, then taken: a state that is refused changes nothing. */
vsdk_status virtio_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                        vsdk_error *error)
{
    virtio *v = user;
    enum {
        STATUS,
        DRIVER_BITS,
        INTERRUPTS,
        GENERATION,
        SELECT_DEVICE,
        SELECT_DRIVER,
        SELECT_QUEUE,
        QUEUES,
        NUMBERS
    };
    static const struct {
        const char *name;
        uint64_t most;
    } fields[NUMBERS] = {
        {"status", 0xff},
        {"driver_bits", UINT64_MAX},
        {"interrupts", INTERRUPT_QUEUE | INTERRUPT_CONFIG},
        {"generation", UINT32_MAX},
        {"selected.device_features", UINT32_MAX},
        {"selected.driver_features", UINT32_MAX},
        {"selected.queue", UINT32_MAX},
        {"queues", VIRTIO_QUEUES_MOST},
    };
    uint64_t numbers[NUMBERS], length = 0;
    uint8_t space[VIRTIO_SPACE_MOST];
    vsdk_status status = VSDK_OK;

    for (unsigned i = 0; !status && i < NUMBERS; i++)
        status = vsdk_state_get_number(reader, fields[i].name, fields[i].most, &numbers[i], error);
    if (!status)
        status = vsdk_state_get_bytes(reader, "space", space, v->space_length, &length, error);
    if (status)
        return status;
    uint32_t bits = (uint32_t)numbers[STATUS];
    if (numbers[QUEUES] != v->queue_count || length != v->space_length ||
        (bits & STATUS_FEATURES_OK &&
         (numbers[DRIVER_BITS] & ~v->offered || !(numbers[DRIVER_BITS] & VIRTIO_F_VERSION_1))) ||
        (bits & STATUS_DRIVER_OK && !(bits & STATUS_FEATURES_OK)))
        return error_set(error, VSDK_ERROR_FORMAT, "vsdk_device_load",
                         "the state is of another device, or not sound");
    for (uint32_t i = 0; !status && i < v->queue_count; i++)
        status = load_queue(&v->queues[i], reader, error);
    if (!status && v->ops.load)
        status = v->ops.load(v->user, device, reader, error);
    const virtio_transport *transport = atomic_load(&v->transport);
    if (!status && transport && transport->load)
        status = transport->load(v, reader, error);
    if (status) {
        for (uint32_t i = 0; i < v->queue_count; i++)
            state_free(&v->queues[i].incoming);
        return status;
    }
    /* The rings of before are closed; those of the state are opened by the start. */
    for (uint32_t i = 0; i < v->queue_count; i++) {
        virtio_queue *q = &v->queues[i];
        queue_reset(q);
        q->loaded = q->incoming;
        q->incoming = NULL;
        q->size = (uint32_t)q->loaded->size;
        q->ready = (uint32_t)q->loaded->ready;
        atomic_store(&q->vector, (uint32_t)q->loaded->vector);
        q->descriptors = q->loaded->descriptors;
        q->driver = q->loaded->driver;
        q->device_area = q->loaded->device_area;
    }
    atomic_store(&v->status, bits);
    v->driver_bits = numbers[DRIVER_BITS];
    atomic_store(&v->accepted, bits & STATUS_FEATURES_OK ? v->driver_bits : 0);
    atomic_store(&v->interrupts, (uint32_t)numbers[INTERRUPTS]);
    atomic_store(&v->generation, (uint32_t)numbers[GENERATION]);
    v->selected.device_features = (uint32_t)numbers[SELECT_DEVICE];
    v->selected.driver_features = (uint32_t)numbers[SELECT_DRIVER];
    v->selected.queue = (uint32_t)numbers[SELECT_QUEUE];
    lock_take(&v->lock);
    memcpy(v->space, space, v->space_length);
    lock_give(&v->lock);
    return VSDK_OK;
}
