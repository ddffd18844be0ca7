/* SPDX-License-Identifier: Apache-2.0 */
/* The inodes that the guest knows: found by number and by identity, kept as long as the guest has
 * lookups, files or children of them.
 *
 * Each has a descriptor (O_PATH), or is opened again by its place: names up to an inode that has
 * one. What comes out must be the same file, else it is the handle's turn, else the inode is stale.
 * Those with a descriptor stand in a list by use; when there are too many, the oldest that is not
 * busy loses it. One without a place is opened again by nothing, so it is spared while there are
 * others.
 *
 * A reset takes the table away under calls that are under way: the inodes that they use are dead,
 * belong to nobody, and go with the last of these calls. */
#include "base/alloc.h"
#include "base/sys.h"
#include "share/share.h"
#include <errno.h>
#include <string.h>

enum { FIRST_CHAINS = 256, LOOK_MOST = 64, SPARE = 16, DEEPEST = 4096 };

/* Numbers of inodes follow each other, and devices are few: both are mixed. */
static uint32_t chain_of(const share_table *t, const share_identity *identity)
{
    uint64_t mixed = (identity->number ^ identity->device << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(mixed >> 32) & (t->chain_count - 1);
}

/* A handle tells a file from a later one with the same number. */
static int is_same(const share_identity *a, const share_identity *b)
{
    if (a->device != b->device || a->number != b->number)
        return 0;
    if (!a->handle.length || !b->handle.length)
        return 1;
    return a->handle.length == b->handle.length && a->handle.type == b->handle.type &&
           !memcmp(a->handle.bytes, b->handle.bytes, a->handle.length);
}

static share_inode *chain_find(const share_table *t, const share_identity *identity, uint32_t type)
{
    for (share_inode *i = t->chains[chain_of(t, identity)]; i; i = i->chained)
        if (i->type == type && is_same(&i->identity, identity))
            return i;
    return NULL;
}

static void chain_add(share_table *t, share_inode *inode)
{
    share_inode **first = &t->chains[chain_of(t, &inode->identity)];

    inode->chained = *first;
    *first = inode;
}

static void chain_remove(share_table *t, share_inode *inode)
{
    share_inode **at = &t->chains[chain_of(t, &inode->identity)];

    while (*at != inode)
        at = &(*at)->chained;
    *at = inode->chained;
}

/* Without memory the chains are longer, and that is all. */
static void chains_grow(share_table *t)
{
    share_inode **old = t->chains;
    uint32_t count = t->chain_count;
    share_inode **more = alloc_array(2 * (size_t)count, sizeof(share_inode *));

    if (!more)
        return;
    t->chains = more;
    t->chain_count = 2 * count;
    for (uint32_t i = 0; i < count; i++) {
        while (old[i]) {
            share_inode *inode = old[i];
            old[i] = inode->chained;
            chain_add(t, inode);
        }
    }
    alloc_free(old);
}

static void list_remove(share_table *t, share_inode *inode)
{
    *(inode->older ? &inode->older->newer : &t->oldest) = inode->newer;
    *(inode->newer ? &inode->newer->older : &t->newest) = inode->older;
}

static void list_add(share_table *t, share_inode *inode)
{
    inode->older = t->newest;
    inode->newer = NULL;
    *(t->newest ? &t->newest->newer : &t->oldest) = inode;
    t->newest = inode;
}

static void take_descriptor(share_table *t, share_inode *inode, int fd)
{
    inode->fd = fd;
    t->descriptors++;
    list_add(t, inode);
}

static void drop_descriptor(share_table *t, share_inode *inode)
{
    list_remove(t, inode);
    sys_close(inode->fd);
    inode->fd = -1;
    t->descriptors--;
}

/* 1: some inode lost its descriptor. */
static int evict(share_table *t)
{
    share_inode *inode = t->oldest, *spared = NULL;

    for (int i = 0; inode && i < LOOK_MOST; i++) {
        share_inode *next = inode->newer;
        if (!inode->busy && inode->name) {
            drop_descriptor(t, inode);
            return 1;
        }
        if (!inode->busy && !spared)
            spared = inode;
        /* Not to be looked at the next time. */
        list_remove(t, inode);
        list_add(t, inode);
        inode = next;
    }
    if (spared)
        drop_descriptor(t, spared);
    return spared != NULL;
}

/* Those that are busy may be more than the limit; they are trimmed when they are given back. */
static void trim(vsdk_share *share)
{
    while (share->table.descriptors > share->descriptors_max && evict(&share->table))
        ;
}

int inode_spare(vsdk_share *share)
{
    int spared = 0;

    lock_take(&share->lock);
    while (spared < SPARE && evict(&share->table))
        spared++;
    lock_give(&share->lock);
    return spared;
}

/* The root's descriptor is the share's. */
static void inode_free(share_inode *inode)
{
    if (inode->id != SHARE_ROOT)
        sys_close(inode->fd);
    alloc_free(inode->name);
    alloc_free(inode);
}

/* A folder goes when the last that was in it has gone, and so on up. */
static void release(vsdk_share *share, share_inode *inode)
{
    share_table *t = &share->table;

    while (inode && inode->id != SHARE_ROOT && !inode->lookups && !inode->busy && !inode->refs) {
        share_inode *parent = inode->parent;
        if (inode->fd >= 0) {
            list_remove(t, inode);
            t->descriptors--;
        }
        chain_remove(t, inode);
        slots_remove(&t->inodes, inode->id);
        t->inode_count--;
        inode_free(inode);
        if (parent)
            parent->refs--;
        inode = parent;
    }
}

/* The root is known from the start, and is never forgotten. */
int inode_table_begin(vsdk_share *share)
{
    share_table *t = &share->table;
    struct stat status;
    share_inode *root = alloc_zeroed(sizeof *root);

    memset(t, 0, sizeof *t);
    t->inodes.most = share->inodes_max + 2;
    t->files.most = share->files_max + 1;
    t->chains = alloc_array(FIRST_CHAINS, sizeof(share_inode *));
    t->chain_count = FIRST_CHAINS;
    if (!root || !t->chains || slots_put(&t->inodes, root, SHARE_ROOT)) {
        alloc_free(root);
        alloc_free(t->chains);
        alloc_free(t->inodes.list);
        memset(t, 0, sizeof *t);
        return -ENOMEM;
    }
    slots_order(&t->inodes);
    root->id = SHARE_ROOT;
    root->fd = share->root;
    root->type = S_IFDIR;
    host_identify(share->root, &root->identity, &status);
    chain_add(t, root);
    return 0;
}

void inode_table_end(share_table *t)
{
    for (uint32_t i = 1; i < t->files.count; i++) {
        share_file *file = t->files.list[i].object;
        if (!file)
            continue;
        file->dead = 1;
        file->inode = NULL;
        if (!file->busy)
            file_free(file);
    }
    for (uint32_t i = 1; i < t->inodes.count; i++) {
        share_inode *inode = t->inodes.list[i].object;
        if (!inode)
            continue;
        inode->dead = 1;
        if (!inode->busy)
            inode_free(inode);
    }
    alloc_free(t->files.list);
    alloc_free(t->inodes.list);
    alloc_free(t->chains);
    memset(t, 0, sizeof *t);
}

/* The names from an inode that has a descriptor down to this one; NULL if they are too long. */
static const char *path_of(const share_inode *inode, char *room, size_t length, int *from)
{
    char *at = room + length - 1;

    *at = '\0';
    while (inode->fd < 0) {
        size_t name = inode->name ? strlen(inode->name) : 0;
        if (!name || !inode->parent || (size_t)(at - room) < name + 1)
            return NULL;
        if (*at)
            *--at = '/';
        at -= name;
        memcpy(at, inode->name, name);
        inode = inode->parent;
    }
    *from = inode->fd;
    return at;
}

/* Who is here by its place now may be somebody else. */
static int check(const share_inode *inode, int fd)
{
    share_identity found;
    struct stat status;

    if (fd < 0)
        return fd;
    if (!host_identify(fd, &found, &status) && is_same(&found, &inode->identity) &&
        (status.st_mode & S_IFMT) == inode->type)
        return fd;
    sys_close(fd);
    return -ESTALE;
}

static int open_again(vsdk_share *share, const share_inode *inode)
{
    char room[PATH_MAX];
    int from, fd = -ESTALE;
    const char *path = path_of(inode, room, sizeof room, &from);

    if (path)
        fd = check(inode, host_open_name(share, from, path));
    if (fd < 0 && fd != -EMFILE && fd != -ENFILE)
        fd = check(inode, host_open_handle(share, &inode->identity.handle));
    return fd;
}

/* Moves it to the young end of the list too. Errors that pass are told as they are; all others mean
 * that the file is not where it was. */
int inode_open(vsdk_share *share, share_inode *inode)
{
    share_table *t = &share->table;

    if (inode->id == SHARE_ROOT)
        return 0;
    if (inode->fd >= 0) {
        list_remove(t, inode);
        list_add(t, inode);
        return 0;
    }
    int fd = open_again(share, inode);
    while ((fd == -EMFILE || fd == -ENFILE) && evict(t))
        fd = open_again(share, inode);
    if (fd < 0)
        return fd == -EMFILE || fd == -ENFILE || fd == -EACCES || fd == -ENOMEM ? fd : -ESTALE;
    take_descriptor(t, inode, fd);
    inode->busy++;
    trim(share);
    inode->busy--;
    return 0;
}

int inode_get(vsdk_share *share, uint64_t id, int with_descriptor, share_inode **inode)
{
    lock_take(&share->lock);
    share_inode *found = slots_get(&share->table.inodes, id);
    int failure = !found ? -ESTALE : with_descriptor ? inode_open(share, found) : 0;
    if (!failure)
        found->busy++;
    lock_give(&share->lock);
    *inode = failure ? NULL : found;
    return failure;
}

void inode_put(vsdk_share *share, share_inode *inode)
{
    if (!inode)
        return;
    lock_take(&share->lock);
    inode->busy--;
    if (inode->dead && !inode->busy) {
        inode_free(inode);
    } else if (!inode->dead) {
        release(share, inode);
        trim(share);
    }
    lock_give(&share->lock);
}

/* A folder that the host has moved into what was below it would be its own ancestor. */
static int is_above(const share_inode *inode, const share_inode *folder)
{
    if (inode->type != S_IFDIR)
        return 0;
    for (int i = 0; folder && i < DEEPEST; i++, folder = folder->parent)
        if (folder == inode)
            return 1;
    return folder != NULL;
}

static int is_at(const share_inode *inode, const share_inode *folder, const char *name)
{
    return inode->parent == folder && inode->name && !strcmp(inode->name, name);
}

/* A folder is kept by what is in it, so that the way up exists. Without memory for the name the
 * place stays as it was: it leads to another file, or to none, and that is noticed. */
static void set_place(vsdk_share *share, share_inode *inode, share_inode *folder, const char *name)
{
    share_inode *before = inode->parent;
    char *copy = folder && !is_at(inode, folder, name) && !is_above(inode, folder)
                     ? alloc_unset(strlen(name) + 1)
                     : NULL;

    if (inode->id == SHARE_ROOT || (folder && !copy))
        return;
    if (copy)
        strcpy(copy, name);
    alloc_free(inode->name);
    inode->name = copy;
    inode->parent = folder;
    if (folder)
        folder->refs++;
    if (before) {
        before->refs--;
        release(share, before);
    }
}

void inode_place(vsdk_share *share, share_inode *inode, share_inode *folder, const char *name)
{
    lock_take(&share->lock);
    if (!inode->dead && !folder->dead)
        set_place(share, inode, folder, name);
    lock_give(&share->lock);
}

void inode_unplace(vsdk_share *share, share_inode *inode, const share_inode *folder,
                   const char *name)
{
    lock_take(&share->lock);
    if (!inode->dead && is_at(inode, folder, name))
        set_place(share, inode, NULL, NULL);
    lock_give(&share->lock);
}

static share_inode *inode_new(const share_identity *identity, uint32_t type)
{
    share_inode *inode = alloc_zeroed(sizeof *inode);

    if (!inode)
        return NULL;
    inode->fd = -1;
    inode->type = type;
    inode->identity = *identity;
    return inode;
}

static void table_has(share_table *t, share_inode *inode)
{
    if (++t->inode_count > 2 * t->chain_count)
        chains_grow(t);
    chain_add(t, inode);
}

/* With the lock: the one with this identity, known or new, counted as busy. Takes the descriptor.
 */
static int remember(vsdk_share *share, share_inode *folder, const char *name, int fd,
                    const share_identity *identity, uint32_t type, share_inode **inode)
{
    share_table *t = &share->table;
    share_inode *found = folder->dead ? NULL : chain_find(t, identity, type);
    int failure = folder->dead ? -ESTALE : 0;

    if (!failure && !found) {
        found = inode_new(identity, type);
        failure = found ? slots_add(&t->inodes, found, &found->id) : -ENOMEM;
        if (!failure)
            table_has(t, found);
        else
            alloc_free(found);
    }
    if (failure) {
        sys_close(fd);
        return failure;
    }
    found->busy++;
    if (found->fd < 0)
        take_descriptor(t, found, fd);
    else
        sys_close(fd);
    set_place(share, found, folder, name);
    trim(share);
    *inode = found;
    return 0;
}

static int open_name(vsdk_share *share, const share_inode *folder, const char *name)
{
    int fd = host_open_name(share, folder->fd, name);

    if ((fd == -EMFILE || fd == -ENFILE) && inode_spare(share))
        fd = host_open_name(share, folder->fd, name);
    return fd;
}

int inode_lookup(vsdk_share *share, share_inode *folder, const char *name, share_inode **inode,
                 struct stat *status)
{
    share_identity identity;
    int fd = open_name(share, folder, name);
    int failure = fd < 0 ? fd : host_identify(fd, &identity, status);

    if (failure) {
        sys_close(fd);
        return failure;
    }
    lock_take(&share->lock);
    failure = remember(share, folder, name, fd, &identity, status->st_mode & S_IFMT, inode);
    if (!failure)
        (*inode)->lookups++;
    lock_give(&share->lock);
    return failure;
}

/* By identity, not by name: the table has no names of a folder, and the host's may have changed. */
int inode_find(vsdk_share *share, share_inode *folder, const char *name, share_inode **inode)
{
    share_identity identity;
    struct stat status;
    int fd = open_name(share, folder, name);
    int failure = fd < 0 ? fd : host_identify(fd, &identity, &status);

    *inode = NULL;
    lock_take(&share->lock);
    share_inode *found = failure || folder->dead
                             ? NULL
                             : chain_find(&share->table, &identity, status.st_mode & S_IFMT);
    if (found) {
        found->busy++;
        if (found->fd < 0) {
            take_descriptor(&share->table, found, fd);
            fd = -1;
        }
        *inode = found;
    }
    lock_give(&share->lock);
    sys_close(fd);
    return failure;
}

/* More than it has is what a broken guest says; numbers that are nobody's too. */
void inode_forget(vsdk_share *share, uint64_t id, uint64_t count)
{
    lock_take(&share->lock);
    share_inode *inode = slots_get(&share->table.inodes, id);
    if (inode) {
        inode->lookups -= count < inode->lookups ? count : inode->lookups;
        release(share, inode);
    }
    lock_give(&share->lock);
}

int inode_restore(vsdk_share *share, uint64_t id, uint64_t lookups, uint32_t type,
                  const share_identity *identity, share_inode *parent, const char *name)
{
    share_table *t = &share->table;
    share_inode *inode = inode_new(identity, type);

    if (!inode)
        return -ENOMEM;
    int failure = slots_put(&t->inodes, inode, id);
    if (failure) {
        alloc_free(inode);
        return failure;
    }
    inode->id = id;
    inode->lookups = lookups;
    table_has(t, inode);
    if (parent)
        set_place(share, inode, parent, name);
    return parent && !inode->name ? -ENOMEM : 0;
}
