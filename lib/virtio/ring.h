/* SPDX-License-Identifier: Apache-2.0 */
/* A virtqueue's ring (virtio 1.2, sections 2.7 and 2.8): chains out, used buffers in, and who wants
 * to be told of what. It knows no device: memory is given as pointers into the guest's, and one
 * function reads what a descriptor names.
 *
 * The driver changes this memory whenever it likes. Every value is copied once, checked, and the
 * copy used; what breaks a rule makes the ring BROKEN, and it stays so until ring_close. One thread
 * at a time. Nothing is allocated after ring_init. */
#ifndef VSDK_VIRTIO_RING_H
#define VSDK_VIRTIO_RING_H

#include <stdint.h>
#include <vsdk/virtio.h>

enum { RING_SIZE_MOST = 32768, RING_CHAIN_MOST = 1024 };
enum { RING_NO_SLOT = 0xffff };

typedef struct ring_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next; /* packed: the id comes before the flags */
} ring_descriptor;

/* The memory of a ring, pinned: for a split ring the available and the used ring, for a packed one
 * the driver's and the device's event suppression. */
typedef struct ring_memory {
    void *descriptors, *driver, *device;
} ring_memory;

/* A chain that is with the device. */
typedef struct ring_slot {
    uint32_t busy;
    uint32_t id;       /* the head, or a packed ring's buffer id */
    uint32_t entries;  /* of the ring itself: a packed ring goes on by so many */
    uint32_t count;    /* parts */
    uint32_t readable; /* parts of them */
    uint32_t next;     /* the next free one, or the next in order */
    uint32_t done;     /* pushed before one that was popped earlier */
    uint32_t written;  /* by then, in bytes */
    uint64_t writable; /* bytes */
} ring_slot;

typedef enum ring_answer { RING_EMPTY, RING_CHAIN, RING_BROKEN } ring_answer;

/* Reads guest memory; 0 if it is there. */
typedef int (*ring_read_fn)(void *context, uint64_t gpa, void *to, uint64_t length);

typedef struct ring {
    /* Of the owner. */
    uint32_t size_most, chain_most;
    ring_read_fn read;
    void *context;
    /* Of the driver's choice, while it is open. */
    uint32_t open, packed, event_index, indirect, in_order;
    uint32_t size;
    ring_memory memory;
    /* Where it is. */
    const char *broken;       /* the rule, or NULL */
    uint16_t next, seen;      /* split: of the available ring, and how far it is known to go */
    uint16_t used, signalled; /* split: of the used ring; packed: places */
    uint8_t wrap, used_wrap;  /* packed: the counters, which begin at 1 */
    uint8_t signalled_known, unsignalled;
    /* Chains that are with the device, and their parts: chain_most a slot, and once more for a
     * table that is being read. */
    ring_slot *slots;
    uint32_t free, busy;
    uint32_t first, last; /* in_order: popped first and last; no slot when none is busy */
    /* Slots of a loaded state, from the first on, that are to be popped again. */
    uint32_t again, again_end;
    vsdk_virtio_part *parts;
} ring;

/* What of a ring is saved beside its memory. */
typedef struct ring_place {
    uint16_t next, used;
    uint8_t wrap, used_wrap;
} ring_place;

/* 0, or -1 without memory. */
int ring_init(ring *r, uint32_t size_most, uint32_t chain_most, ring_read_fn read, void *context);
void ring_end(ring *r);

/* The driver has made it: the size and the memory are checked. */
void ring_open(ring *r, uint32_t size, uint64_t features, ring_memory memory);
/* After ring_open: goes on from there. */
void ring_go_to(ring *r, ring_place place);
/* A chain that was with the device when it was saved: its slot, or -1 if it is no sound one. Its
 * parts are filled in by the caller first, in those of slot `r->again_end`. */
int ring_add_again(ring *r, uint32_t id, uint32_t entries, uint32_t count);
/* And it was pushed already, but waited for another one. */
void ring_again_is_done(ring *r, uint32_t slot, uint32_t written);
/* Every slot that is busy: with in_order in the order of the pops. `slot` begins at RING_NO_SLOT;
 * 0 when there is no further one. */
int ring_each_busy(const ring *r, uint32_t *slot);
/* Everything is forgotten, chains too. */
void ring_close(ring *r);
uint64_t ring_descriptors_size(uint32_t size);
uint64_t ring_driver_size(uint32_t size, int packed);
uint64_t ring_device_size(uint32_t size, int packed);

/* The next chain is in a slot of this number. */
ring_answer ring_pop(ring *r, uint32_t *slot);
/* The slot is busy. With in_order the driver sees it when it sees all that were popped before. */
void ring_push(ring *r, uint32_t slot, uint32_t written);
vsdk_virtio_part *ring_parts(const ring *r, uint32_t slot);

/* The driver need not tell of new chains. */
void ring_quiet(ring *r);
/* It shall. 1 when some are there that it has not told of. */
int ring_listen(ring *r);
/* Since the last time that it was asked: 1 when the driver wants to be told of what was pushed. */
int ring_wants_signal(ring *r);

/* The two kinds. */
ring_answer split_pop(ring *r, uint32_t *slot);
void split_push(ring *r, const ring_slot *s, uint32_t written);
void split_quiet(ring *r);
int split_listen(ring *r);
int split_wants_signal(ring *r);
ring_answer packed_pop(ring *r, uint32_t *slot);
void packed_push(ring *r, const ring_slot *s, uint32_t written);
void packed_quiet(ring *r);
int packed_listen(ring *r);
int packed_wants_signal(ring *r);

/* What they share. */
enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, DESCRIPTOR_INDIRECT = 4 };

ring_answer ring_break(ring *r, const char *why);
ring_slot *ring_take_slot(ring *r, uint32_t *number);
void ring_give_slot(ring *r, uint32_t number);
/* A buffer of a chain. NULL, or the rule that it breaks. */
const char *ring_add_part(ring *r, uint32_t slot, uint64_t address, uint32_t length,
                          uint16_t flags);
/* A table of descriptors is in the spare place: how many, or 0 with a rule that it breaks. */
uint32_t ring_read_table(ring *r, uint64_t address, uint32_t length, const char **why);
const ring_descriptor *ring_table(const ring *r);

/* Whether an index passed `event` on the way from `before` to `now`. */
static inline int ring_passed(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

#endif
