/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values in one piece of memory: a sorted list of entries, each two lengths, the path and
 * the value. It is small, so that all is found by walking, and a copy of it is a snapshot. */
#include "backends/xen/store.h"
#include <string.h>

typedef struct head {
    uint16_t path_length, value_length;
} head;

int tree_next(const store_tree *tree, uint32_t *at, store_entry *entry)
{
    head lengths;

    if (*at >= tree->used)
        return 0;
    memcpy(&lengths, tree->bytes + *at, sizeof lengths);
    *at += (uint32_t)sizeof lengths;
    *entry = (store_entry){.path = (const char *)tree->bytes + *at,
                           .value = tree->bytes + *at + lengths.path_length,
                           .path_length = lengths.path_length,
                           .value_length = lengths.value_length};
    *at += (uint32_t)lengths.path_length + lengths.value_length;
    return 1;
}

int path_compare(const store_entry *a, const store_entry *b)
{
    uint32_t common = a->path_length < b->path_length ? a->path_length : b->path_length;
    int order = memcmp(a->path, b->path, common);

    if (order)
        return order;
    return a->path_length < b->path_length ? -1 : a->path_length > b->path_length;
}

int path_is_below(const char *path, uint32_t length, const char *top, uint32_t top_length)
{
    return length > top_length && path[top_length] == '/' && memcmp(path, top, top_length) == 0;
}

/* Where the entry is or would be; 1 if it is there. */
static int place_of(const store_tree *tree, const char *path, uint32_t length, uint32_t *place,
                    store_entry *entry)
{
    const store_entry wanted = {.path = path, .path_length = length};
    int order = -1;

    for (uint32_t at = 0; order < 0;) {
        *place = at;
        if (!tree_next(tree, &at, entry))
            return 0;
        order = path_compare(entry, &wanted);
    }
    return order == 0;
}

int tree_find(const store_tree *tree, const char *path, uint32_t length, store_entry *entry)
{
    uint32_t place;

    if (length)
        return place_of(tree, path, length, &place, entry);
    *entry = (store_entry){.path = path};
    return 1;
}

static uint32_t size_of(uint32_t path_length, uint32_t value_length)
{
    return (uint32_t)sizeof(head) + path_length + value_length;
}

/* Makes room of `size` bytes in place of `old` at a place. */
static void tree_move(store_tree *tree, uint32_t place, uint32_t old, uint32_t size)
{
    memmove(tree->bytes + place + size, tree->bytes + place + old, tree->used - place - old);
    tree->used += size - old;
}

static void tree_put(store_tree *tree, const char *path, uint32_t length, const void *value,
                     uint32_t value_length)
{
    const head lengths = {(uint16_t)length, (uint16_t)value_length};
    store_entry entry;
    uint32_t place, old = 0;

    if (place_of(tree, path, length, &place, &entry))
        old = size_of(entry.path_length, entry.value_length);
    tree_move(tree, place, old, size_of(length, value_length));
    memcpy(tree->bytes + place, &lengths, sizeof lengths);
    memcpy(tree->bytes + place + sizeof lengths, path, length);
    if (value_length)
        memcpy(tree->bytes + place + sizeof lengths + length, value, value_length);
}

int tree_write(store_tree *tree, const char *path, uint32_t length, const void *value,
               uint32_t value_length)
{
    store_entry entry;
    uint32_t more = size_of(length, value_length), known = 0;

    if (!length || length > STORE_PATH_MAX || value_length > XENSTORE_PAYLOAD_MAX)
        return 0;
    if (tree_find(tree, path, length, &entry)) {
        more -= size_of(entry.path_length, entry.value_length);
        known = length;
    }
    /* Parents from below, up to one that is there. */
    for (uint32_t end = length; end-- > 1 && !known;)
        if (path[end] == '/') {
            if (tree_find(tree, path, end, &entry))
                known = end;
            else
                more += size_of(end, 0);
        }
    if ((int32_t)more > (int32_t)(STORE_TREE_BYTES - tree->used))
        return 0;
    for (uint32_t end = known + 1; end < length; end++)
        if (path[end] == '/')
            tree_put(tree, path, end, NULL, 0);
    tree_put(tree, path, length, value, value_length);
    return 1;
}

void tree_remove(store_tree *tree, const char *path, uint32_t length)
{
    store_entry entry;

    for (uint32_t at = 0, from = 0; tree_next(tree, &at, &entry); from = at)
        if ((entry.path_length == length && memcmp(entry.path, path, length) == 0) ||
            path_is_below(entry.path, entry.path_length, path, length)) {
            tree_move(tree, from, at - from, 0);
            at = from;
        }
}
