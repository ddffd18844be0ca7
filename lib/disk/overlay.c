/* SPDX-License-Identifier: Apache-2.0 */
/* An overlay in memory: what is written stays in blocks of this process, and the layer below is
 * only read. At most `most` bytes are taken, tables included; then writing fails, and what was
 * written stays.
 *
 * Leaves of LEAF_BLOCKS blocks are found by a hash of their number. A leaf or a block may be a mark
 * instead: all zeros. So zeros over a whole disk take little. A block that is not there is the
 * layer below's, as far as that was never cut off by a resize.
 *
 * One lock: readers side by side, a writer alone. It is held over the layer below, which is allowed
 * for a lock of this kind since layers are entered from the top down. */
#include "disk/overlay.h"
#include "base/alloc.h"
#include "base/error.h"
#include <pthread.h>
#include <string.h>

enum { BLOCK = 4096, LEAF_BLOCKS = 512, LEAF_BYTES = BLOCK * LEAF_BLOCKS, CELLS_LEAST = 64 };

typedef struct leaf {
    uint8_t *blocks[LEAF_BLOCKS]; /* NULL: the layer below's */
} leaf;

typedef struct cell {
    uint64_t key; /* the leaf's number plus 1; 0: empty */
    leaf *leaf;
} cell;

typedef struct overlay {
    pthread_rwlock_t lock;
    cell *cells;
    uint64_t room, count;  /* of cells; room is a power of two, half of it is used at most */
    _Atomic uint64_t used; /* bytes; changes under `lock` */
    uint64_t most;
    uint64_t visible; /* of the layer below: behind it are zeros */
} overlay;

/* The marks: never read or written, only compared with. */
static uint8_t zero_block[1];
static leaf zero_leaf;

static vsdk_status overlay_full(const overlay *o, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_LIMIT, "vsdk_disk_write",
                     "the overlay has its %llu bytes of memory, and can't take more",
                     (unsigned long long)o->most);
}

/* Memory that counts; NULL where the limit or the host says no. */
static void *overlay_take(overlay *o, size_t bytes)
{
    void *memory = bytes <= o->most - o->used ? alloc_zeroed(bytes) : NULL;

    if (memory)
        o->used += bytes;
    return memory;
}

static void overlay_drop(overlay *o, void *memory, size_t bytes)
{
    if (!memory)
        return;
    alloc_free(memory);
    o->used -= bytes;
}

/* The cell of a leaf, or the empty one where it would be. */
static cell *cell_of(const overlay *o, uint64_t number)
{
    uint64_t at = (number * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (o->room - 1);

    while (o->cells[at].key && o->cells[at].key != number + 1)
        at = (at + 1) & (o->room - 1);
    return &o->cells[at];
}

/* Never smaller again: at most 32 bytes for each leaf that there was. */
static int cells_grow(overlay *o)
{
    overlay bigger = *o;

    bigger.room = o->room ? o->room * 2 : CELLS_LEAST;
    bigger.cells = overlay_take(o, bigger.room * sizeof(cell));
    if (!bigger.cells)
        return 0;
    for (uint64_t i = 0; i < o->room; i++)
        if (o->cells[i].key)
            *cell_of(&bigger, o->cells[i].key - 1) = o->cells[i];
    overlay_drop(o, o->cells, o->room * sizeof(cell));
    o->cells = bigger.cells;
    o->room = bigger.room;
    return 1;
}

/* The cell to be filled; NULL without memory. */
static cell *cell_add(overlay *o, uint64_t number)
{
    if (2 * (o->count + 1) > o->room && !cells_grow(o))
        return NULL;
    cell *found = cell_of(o, number);
    if (!found->key) {
        found->key = number + 1;
        found->leaf = NULL;
        o->count++;
    }
    return found;
}

/* What is at an offset: a block, the mark of zeros, or NULL for the layer below. */
static uint8_t *block_look(const overlay *o, uint64_t offset)
{
    const cell *found = o->room ? cell_of(o, offset / LEAF_BYTES) : NULL;

    if (!found || !found->key || !found->leaf)
        return NULL;
    return found->leaf == &zero_leaf ? zero_block
                                     : found->leaf->blocks[offset / BLOCK % LEAF_BLOCKS];
}

/* Where the pointer to a block is, in a leaf of its own; NULL without memory. */
static uint8_t **block_slot(overlay *o, uint64_t offset)
{
    cell *found = cell_add(o, offset / LEAF_BYTES);

    if (!found)
        return NULL;
    if (!found->leaf || found->leaf == &zero_leaf) {
        leaf *made = overlay_take(o, sizeof *made);
        if (!made)
            return NULL;
        for (unsigned i = 0; found->leaf && i < LEAF_BLOCKS; i++)
            made->blocks[i] = zero_block;
        found->leaf = made;
    }
    return &found->leaf->blocks[offset / BLOCK % LEAF_BLOCKS];
}

static void block_drop(overlay *o, uint8_t *block)
{
    if (block != zero_block)
        overlay_drop(o, block, BLOCK);
}

static void leaf_drop(overlay *o, leaf *of)
{
    if (!of || of == &zero_leaf)
        return;
    for (unsigned i = 0; i < LEAF_BLOCKS; i++)
        block_drop(o, of->blocks[i]);
    overlay_drop(o, of, sizeof *of);
}

static vsdk_status below_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                              vsdk_error *error)
{
    const overlay *o = image->state;
    uint64_t there = offset < o->visible ? o->visible - offset : 0;

    if (there > length)
        there = length;
    memset((uint8_t *)buffer + there, 0, length - there);
    return there ? disk_read_backing(image, offset, buffer, there, error) : VSDK_OK;
}

/* How much of a range lies in its first block. */
static uint64_t block_piece(uint64_t offset, uint64_t length)
{
    uint64_t piece = BLOCK - offset % BLOCK;

    return piece < length ? piece : length;
}

static vsdk_status overlay_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                                vsdk_error *error)
{
    overlay *o = image->state;
    uint8_t *to = buffer;
    vsdk_status status = VSDK_OK;

    pthread_rwlock_rdlock(&o->lock);
    while (!status && length) {
        uint64_t piece = block_piece(offset, length);
        const uint8_t *block = block_look(o, offset);
        /* What the layer below has in one piece is read in one. */
        while (!block && piece < length && !block_look(o, offset + piece))
            piece += block_piece(offset + piece, length - piece);
        if (!block)
            status = below_read(image, offset, to, piece, error);
        else if (block == zero_block)
            memset(to, 0, piece);
        else
            memcpy(to, block + offset % BLOCK, piece);
        offset += piece;
        to += piece;
        length -= piece;
    }
    pthread_rwlock_unlock(&o->lock);
    return status;
}

/* A block that may be written, with what was there; all of it if it is not written whole. */
static vsdk_status block_own(disk_image *image, uint64_t offset, int whole, uint8_t **block,
                             vsdk_error *error)
{
    overlay *o = image->state;
    uint8_t **slot = block_slot(o, offset);
    vsdk_status status = VSDK_OK;

    if (!slot)
        return overlay_full(o, error);
    *block = *slot;
    if (*slot && *slot != zero_block)
        return VSDK_OK;
    *block = overlay_take(o, BLOCK);
    if (!*block)
        return overlay_full(o, error);
    if (!*slot && !whole)
        status = below_read(image, offset - offset % BLOCK, *block, BLOCK, error);
    if (status)
        overlay_drop(o, *block, BLOCK);
    else
        *slot = *block;
    return status;
}

/* When memory ends half way, what was written before that stays. */
static vsdk_status overlay_write(disk_image *image, uint64_t offset, const void *buffer,
                                 uint64_t length, vsdk_error *error)
{
    overlay *o = image->state;
    const uint8_t *from = buffer;
    vsdk_status status = VSDK_OK;

    pthread_rwlock_wrlock(&o->lock);
    while (!status && length) {
        uint64_t piece = block_piece(offset, length);
        uint8_t *block;
        status = block_own(image, offset, piece == BLOCK, &block, error);
        if (status)
            break;
        memcpy(block + offset % BLOCK, from, piece);
        offset += piece;
        from += piece;
        length -= piece;
    }
    pthread_rwlock_unlock(&o->lock);
    return status;
}

static vsdk_status zero_piece(disk_image *image, uint64_t offset, uint64_t piece, vsdk_error *error)
{
    overlay *o = image->state;
    uint8_t *block, **slot;

    if (block_look(o, offset) == zero_block)
        return VSDK_OK;
    if (piece < BLOCK) {
        vsdk_status status = block_own(image, offset, 0, &block, error);
        if (!status)
            memset(block + offset % BLOCK, 0, piece);
        return status;
    }
    slot = block_slot(o, offset);
    if (!slot)
        return overlay_full(o, error);
    block_drop(o, *slot);
    *slot = zero_block;
    return VSDK_OK;
}

static vsdk_status overlay_zero(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                                vsdk_error *error)
{
    overlay *o = image->state;
    vsdk_status status = VSDK_OK;
    uint64_t piece;

    pthread_rwlock_wrlock(&o->lock);
    for (; !status && length; offset += piece, length -= piece) {
        if (offset % LEAF_BYTES || length < LEAF_BYTES) {
            piece = block_piece(offset, length);
            status = zero_piece(image, offset, piece, error);
            continue;
        }
        piece = LEAF_BYTES;
        cell *found = cell_add(o, offset / LEAF_BYTES);
        if (!found) {
            status = overlay_full(o, error);
            break;
        }
        leaf_drop(o, found->leaf);
        found->leaf = &zero_leaf;
    }
    pthread_rwlock_unlock(&o->lock);
    return status;
}

/* Whole blocks of our own give their memory back. What the layer below has stays as it is. */
static vsdk_status overlay_discard(disk_image *image, uint64_t offset, uint64_t length,
                                   vsdk_error *error)
{
    overlay *o = image->state;
    vsdk_status status = VSDK_OK;
    uint64_t piece;

    pthread_rwlock_wrlock(&o->lock);
    for (; !status && length; offset += piece, length -= piece) {
        piece = block_piece(offset, length);
        if (piece == BLOCK && block_look(o, offset))
            status = zero_piece(image, offset, piece, error);
    }
    pthread_rwlock_unlock(&o->lock);
    return status;
}

/* What lies behind the new end is never seen again: neither ours nor the layer below's. */
static void overlay_cut(overlay *o, uint64_t capacity)
{
    for (uint64_t i = 0; i < o->room; i++) {
        leaf *of = o->cells[i].leaf;
        uint64_t start = (o->cells[i].key - 1) * LEAF_BYTES;
        if (!o->cells[i].key || !of || of == &zero_leaf)
            continue;
        for (uint64_t at = start; at < start + LEAF_BYTES; at += BLOCK) {
            uint8_t **block = &of->blocks[at / BLOCK % LEAF_BLOCKS];
            if (!*block || *block == zero_block || at + BLOCK <= capacity)
                continue;
            if (at < capacity) {
                memset(*block + (capacity - at), 0, BLOCK - (capacity - at));
                continue;
            }
            block_drop(o, *block);
            *block = NULL;
        }
    }
    if (o->visible > capacity)
        o->visible = capacity;
}

static vsdk_status overlay_resize(disk_image *image, uint64_t capacity, vsdk_error *error)
{
    overlay *o = image->state;

    pthread_rwlock_wrlock(&o->lock);
    overlay_cut(o, capacity);
    atomic_store(&image->capacity, capacity);
    pthread_rwlock_unlock(&o->lock);
    return VSDK_OK;
}

static vsdk_status overlay_flush(disk_image *image, vsdk_error *error)
{
    return VSDK_OK;
}

static void overlay_close(disk_image *image)
{
    overlay *o = image->state;

    for (uint64_t i = 0; i < o->room; i++)
        leaf_drop(o, o->cells[i].leaf);
    alloc_free(o->cells);
    pthread_rwlock_destroy(&o->lock);
    alloc_free(o);
}

static uint64_t overlay_allocated(disk_image *image)
{
    overlay *o = image->state;

    return atomic_load(&o->used);
}

static const disk_format overlay_format = {
    .name = "memory",
    .id = VSDK_DISK_MEMORY,
    .close = overlay_close,
    .read = overlay_read,
    .write = overlay_write,
    .zero = overlay_zero,
    .discard = overlay_discard,
    .flush = overlay_flush,
    .resize = overlay_resize,
    .allocated = overlay_allocated,
};

vsdk_status overlay_make(disk_image *below, uint64_t most, disk_image **image, vsdk_error *error)
{
    disk_image *made = alloc_zeroed(sizeof *made);
    overlay *o = alloc_zeroed(sizeof *o);

    *image = NULL;
    if (!made || !o) {
        alloc_free(made);
        alloc_free(o);
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_open", "no memory");
    }
    pthread_rwlock_init(&o->lock, NULL);
    o->most = most;
    o->visible = atomic_load(&below->capacity);
    made->format = &overlay_format;
    made->state = o;
    made->backing = below;
    made->block_size = BLOCK;
    atomic_store(&made->capacity, o->visible);
    *image = made;
    return VSDK_OK;
}
