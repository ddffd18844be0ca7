/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of sorted nodes that are never changed once a reader may see them.
 *
 * Invariants: a child's key is the first address of the spans below it, but that of the first child
 * of a node with level, which stands for every address down to 0 and is not looked at. (A lower key
 * would not do: what is before an address may then end in another child.) No node is empty. A node
 * that becomes empty goes, a node that is not full is not joined with another: so the height is
 * logarithmic in the number of spans that were ever added, and no change is more than one way from
 * the root to a leaf. A span that is added at the end leaves full nodes behind: memory and devices
 * mostly come in rising order.
 *
 * Taking out one span replaces at most one node a level, by nodes that were kept. Adding one makes
 * two a level and a root, and gives back one a level: before it begins it makes sure of so many,
 * and of one more, that afterwards enough are kept again. */
#include "core/span_map.h"
#include "base/alloc.h"
#include <string.h>

/* Of children in a node: the last whose key is not above the address, or the first. */
static uint32_t child_of(const span_node *node, uint64_t address)
{
    uint32_t low = 1, high = node->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (node->keys[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

const span *span_map_before(const span_node *node, uint64_t address)
{
    if (!node)
        return NULL;
    while (node->level)
        node = node->children[child_of(node, address)];
    uint32_t at = child_of(node, address);
    return node->keys[at] <= address ? node->children[at] : NULL;
}

const span *span_map_overlap(const span_node *root, uint64_t first, uint64_t length)
{
    const span *s = span_map_before(root, first + (length - 1));

    return s && (s->first >= first || first - s->first < s->length) ? s : NULL;
}

const span *span_map_after(const span_node *node, uint64_t address)
{
    for (uint32_t i = node ? child_of(node, address) : 0; node && i < node->count; i++) {
        const span *s = node->children[i];
        if (node->level)
            s = span_map_after(node->children[i], address);
        else if (node->keys[i] < address)
            continue;
        if (s)
            return s;
    }
    return NULL;
}

/* Makes sure of so many nodes; 0 when there is no memory. */
static int keep_ready(span_map *map, uint32_t nodes)
{
    while (map->kept_count < nodes) {
        span_node *node = alloc_zeroed(sizeof *node);
        if (!node)
            return 0;
        node->next = map->kept;
        map->kept = node;
        map->kept_count++;
    }
    return 1;
}

static span_node *node_take(span_map *map, uint32_t level)
{
    span_node *node = map->kept;

    map->kept = node->next;
    map->kept_count--;
    node->level = level;
    node->count = 0;
    return node;
}

static void node_copy(span_node *to, const span_node *from, uint32_t first, uint32_t count)
{
    memcpy(to->keys + to->count, from->keys + first, count * sizeof to->keys[0]);
    memcpy(to->children + to->count, from->children + first, count * sizeof to->children[0]);
    to->count += count;
}

static void node_append(span_node *node, uint64_t key, const void *child)
{
    node->keys[node->count] = key;
    node->children[node->count++] = child;
}

/* A change under way: the nodes that it replaces, which readers may still see. */
typedef struct change {
    span_map *map;
    span_node *replaced;
} change;

static void replace(change *c, const span_node *node)
{
    span_node *old = (span_node *)node; /* the writer's again, when the readers have left */

    old->next = c->replaced;
    c->replaced = old;
}

/* Nodes beyond what the next change may need are given back. */
static void publish(change *c, readers *r, span_node *root)
{
    span_map *map = c->map;
    uint32_t levels = root ? root->level + 1 : 0;

    atomic_store(&map->root, root);
    if (r)
        readers_wait(r);
    while (c->replaced) {
        span_node *node = c->replaced;
        c->replaced = node->next;
        if (map->kept_count >= 2 * levels + 2) {
            alloc_free(node);
            continue;
        }
        node->next = map->kept;
        map->kept = node;
        map->kept_count++;
    }
}

/* What stands in the place of a node: one node, or two with the first key of the second. */
typedef struct grown {
    span_node *node, *more;
    uint64_t key;
} grown;

/* A copy of `node` with `added` children in the place of those from `until` up to `from`, which may
 * be none. More than fit into one node are shared between two, half and half; at the end the first
 * stays full. */
static grown node_grow(change *c, const span_node *node, uint32_t until, uint32_t from,
                       const uint64_t *keys, const void *const *children, uint32_t added)
{
    uint32_t count = until + added + (node->count - from);
    grown g = {.node = node_take(c->map, node->level)};

    if (count <= SPAN_FANOUT) {
        node_copy(g.node, node, 0, until);
        for (uint32_t i = 0; i < added; i++)
            node_append(g.node, keys[i], children[i]);
        node_copy(g.node, node, from, node->count - from);
        return g;
    }
    g.more = node_take(c->map, node->level);
    uint32_t left = from == node->count ? SPAN_FANOUT : count / 2;
    for (uint32_t i = 0; i < count; i++) {
        span_node *to = i < left ? g.node : g.more;
        if (i < until)
            node_append(to, node->keys[i], node->children[i]);
        else if (i < until + added)
            node_append(to, keys[i - until], children[i - until]);
        else
            node_append(to, node->keys[i - until - added + from],
                        node->children[i - until - added + from]);
    }
    g.key = g.more->keys[0];
    return g;
}

static grown add_below(change *c, const span_node *node, const span *item)
{
    uint32_t at = child_of(node, item->first);

    replace(c, node);
    if (!node->level) {
        uint32_t before = node->keys[at] <= item->first ? at + 1 : at;
        const void *child = item;
        return node_grow(c, node, before, before, &item->first, &child, 1);
    }
    grown below = add_below(c, node->children[at], item);
    const uint64_t keys[2] = {node->keys[at], below.key};
    const void *const children[2] = {below.node, below.more};
    return node_grow(c, node, at, at + 1, keys, children, below.more ? 2 : 1);
}

int span_map_add(span_map *map, readers *r, const span *item)
{
    const span_node *root = span_map_root(map);
    change c = {.map = map};
    grown g = {0};

    if (!keep_ready(map, 2 * (root ? root->level + 1 : 0) + 2))
        return 0;
    if (root) {
        g = add_below(&c, root, item);
    } else {
        g.node = node_take(map, 0);
        node_append(g.node, item->first, item);
    }
    if (g.more) {
        span_node *top = node_take(map, g.node->level + 1);
        node_append(top, g.node->keys[0], g.node);
        node_append(top, g.key, g.more);
        g.node = top;
    }
    publish(&c, r, g.node);
    return 1;
}

static uint64_t first_below(const span_node *node)
{
    while (node->level)
        node = node->children[0];
    return node->keys[0];
}

/* NULL: nothing is left. */
static span_node *take_below(change *c, const span_node *node, const span *item)
{
    uint32_t at = child_of(node, item->first);
    const span_node *below = NULL;

    replace(c, node);
    if (node->level)
        below = take_below(c, node->children[at], item);
    if (!below && node->count == 1)
        return NULL;
    span_node *copy = node_take(c->map, node->level);
    node_copy(copy, node, 0, at);
    if (below)
        node_append(copy, first_below(below), below);
    node_copy(copy, node, at + 1, node->count - at - 1);
    return copy;
}

/* A root with one child is none: the child is. */
void span_map_take(span_map *map, readers *r, const span *item)
{
    change c = {.map = map};
    span_node *root = take_below(&c, span_map_root(map), item);

    while (root && root->level && root->count == 1) {
        const span_node *child = root->children[0];
        replace(&c, root);
        root = (span_node *)child;
    }
    publish(&c, r, root);
}

static void clear_below(const span_node *node, void (*give)(const span *item))
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->level)
            clear_below(node->children[i], give);
        else if (give)
            give(node->children[i]);
    }
    alloc_free((span_node *)node);
}

void span_map_clear(span_map *map, readers *r, void (*give)(const span *item))
{
    const span_node *root = atomic_exchange(&map->root, NULL);

    if (r)
        readers_wait(r);
    if (root)
        clear_below(root, give);
    while (map->kept) {
        span_node *node = map->kept;
        map->kept = node->next;
        alloc_free(node);
    }
    map->kept_count = 0;
}
