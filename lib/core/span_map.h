/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of addresses that do not overlap, by address: the one sorted lookup of the core. Memory and
 * ranges of devices are kept so.
 *
 * The map is a tree of immutable nodes. A change copies the nodes on the way to its place,
 * publishes the new root and waits for the readers of the old one: O(log n) for one of n. The spans
 * are their owners'; each lies in what it is the address of, as its first member or not.
 *
 * Writers are serialised by their caller. Nodes that were replaced are kept for the next change, so
 * many that taking out never needs memory. */
#ifndef VSDK_CORE_SPAN_MAP_H
#define VSDK_CORE_SPAN_MAP_H

#include "base/readers.h"
#include <stddef.h>

typedef struct span {
    uint64_t first, length; /* not 0, and does not wrap */
} span;

/* What begins last at or before an address is in the last child whose key is not above it. */
enum { SPAN_FANOUT = 32 };

typedef struct span_node {
    uint32_t count, level; /* level 0: the children are spans */
    uint64_t keys[SPAN_FANOUT];
    const void *children[SPAN_FANOUT]; /* span or span_node */
    struct span_node *next;            /* of those that are kept; the writer's */
} span_node;

typedef struct span_map {
    _Atomic(span_node *) root; /* NULL is empty */
    span_node *kept;           /* the writer's, as are the rest */
    uint32_t kept_count;
} span_map;

/* Inside a reader section, or as the writer. */
static inline const span_node *span_map_root(const span_map *map)
{
    return atomic_load(&map->root);
}

/* The last span that begins at or before an address, or NULL. */
const span *span_map_before(const span_node *root, uint64_t address);
/* The span that has an address, or NULL. */
static inline const span *span_map_find(const span_node *root, uint64_t address)
{
    const span *s = span_map_before(root, address);

    return s && address - s->first < s->length ? s : NULL;
}
/* One that overlaps `length` addresses from `first`, which is not 0 and does not wrap; or NULL. */
const span *span_map_overlap(const span_node *root, uint64_t first, uint64_t length);

/* The first span that begins at or after an address, or NULL. */
const span *span_map_after(const span_node *root, uint64_t address);

/* Adds a span that overlaps none of the map's; the map is not changed until it is published. 0 when
 * there is no memory. */
int span_map_add(span_map *map, readers *r, const span *item);
/* Takes out a span that is in the map; never fails. When it returns no reader has it. */
void span_map_take(span_map *map, readers *r, const span *item);
/* Empties it for good, and gives each span back, unless `give` is NULL. */
void span_map_clear(span_map *map, readers *r, void (*give)(const span *item));

#endif
