/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a guest: names and values, as xenstored would keep them, for one guest alone. It is
 * in this process's memory, of a fixed size, and nothing of it outlives the domain. */
#ifndef VSDK_XEN_STORE_H
#define VSDK_XEN_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

enum { STORE_TREE_BYTES = 32768, STORE_PATH_MAX = 512 };

/* Paths are absolute, without a slash at the end, not terminated; the root has length 0. Entries
 * are sorted by path. */
typedef struct store_tree {
    uint32_t used;
    uint8_t bytes[STORE_TREE_BYTES];
} store_tree;

typedef struct store_entry {
    const char *path;
    const uint8_t *value;
    uint32_t path_length, value_length;
} store_entry;

/* store_tree_xen.c. `at` begins with 0; 0 at the end. */
int tree_next(const store_tree *tree, uint32_t *at, store_entry *entry);
int tree_find(const store_tree *tree, const char *path, uint32_t length, store_entry *entry);
/* With all parents that are missing: 1, or 0 when there is no room, and then nothing is changed. */
int tree_write(store_tree *tree, const char *path, uint32_t length, const void *value,
               uint32_t value_length);
void tree_remove(store_tree *tree, const char *path, uint32_t length); /* and what is below */
int path_is_below(const char *path, uint32_t length, const char *top, uint32_t top_length);
int path_compare(const store_entry *a, const store_entry *b);

/* store_xen.c */
typedef struct store store;

store *store_create(void);
void store_free(store *s);
void store_reset(store *s, uint32_t domid, uint32_t vcpus); /* as a new guest finds it */

/* Serves requests of the guest's for a bounded time, from the ring that it shares with us. All in
 * the ring is the guest's: it is copied once and then checked. */
enum store_served {
    STORE_MOVED = 1, /* the guest is to be notified */
    STORE_MORE = 2,  /* there is more to do at once */
    STORE_BROKE = 4, /* it broke the rules of the ring: nothing is served any more; told once */
    STORE_LOST = 8   /* events were lost, as the guest does not read; told once */
};
int store_serve(store *s, struct xenstore_domain_interface *ring);

#endif
