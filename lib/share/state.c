/* SPDX-License-Identifier: Apache-2.0 */
/* The session as bytes, and back: a head, the inodes, the open files, all numbers little-endian.
 * An inode is its number, its place (the number of its folder and a name) and its identity.
 *
 * What is read is not trusted. It makes a table of its own, which takes the place of the session's
 * when it is whole; nothing is opened before that but what it had open, beneath the folder. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "share/share.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, HEAD = 40, INODE = 88, FILE_BYTES = 24, BEGUN = 1 };

typedef struct session_bytes {
    uint8_t *bytes;
    size_t length, at;
} session_bytes;

static void put(session_bytes *s, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++, value >>= 8)
        s->bytes[s->at++] = (uint8_t)value;
}

static void put_run(session_bytes *s, const void *bytes, size_t length)
{
    memcpy(s->bytes + s->at, bytes, length);
    s->at += length;
}

static uint64_t get(session_bytes *s, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)s->bytes[s->at + i] << 8 * i;
    s->at += width;
    return value;
}

static size_t name_length(const share_inode *inode)
{
    return inode->name ? strlen(inode->name) : 0;
}

static size_t session_length(const share_table *t, uint32_t *inodes, uint32_t *files)
{
    size_t length = HEAD;

    *inodes = *files = 0;
    for (uint32_t i = SHARE_ROOT + 1; i < t->inodes.count; i++) {
        if (!t->inodes.list[i].object)
            continue;
        ++*inodes;
        length += INODE + name_length(t->inodes.list[i].object);
    }
    for (uint32_t i = 1; i < t->files.count; i++)
        *files += t->files.list[i].object != NULL;
    return length + (size_t)*files * FILE_BYTES;
}

/* Its lookups are the guest's to take back, so they go with it. A descriptor does not. */
static void put_inode(session_bytes *s, const share_inode *inode)
{
    size_t length = name_length(inode);

    put(s, inode->id, 8);
    put(s, inode->lookups, 8);
    put(s, length ? inode->parent->id : 0, 8);
    put(s, inode->type, 4);
    put(s, length, 4);
    put(s, inode->identity.device, 8);
    put(s, inode->identity.number, 8);
    put(s, inode->identity.handle.length, 4);
    put(s, (uint32_t)inode->identity.handle.type, 4);
    put_run(s, inode->identity.handle.bytes, SHARE_HANDLE_MOST);
    put_run(s, inode->name ? inode->name : "", length);
}

static void put_all(session_bytes *s, const share_table *t, uint32_t inodes, uint32_t files)
{
    const share_inode *root = t->inodes.list[SHARE_ROOT].object;

    put(s, VERSION, 4);
    put(s, t->begun ? BEGUN : 0, 4);
    put(s, inodes, 8);
    put(s, files, 8);
    put(s, root->identity.device, 8);
    put(s, root->identity.number, 8);
    for (uint32_t i = SHARE_ROOT + 1; i < t->inodes.count; i++)
        if (t->inodes.list[i].object)
            put_inode(s, t->inodes.list[i].object);
    for (uint32_t i = 1; i < t->files.count; i++) {
        const share_file *file = t->files.list[i].object;
        if (!file)
            continue;
        put(s, file->id, 8);
        put(s, file->inode->id, 8);
        put(s, file->flags, 8);
    }
}

vsdk_status vsdk_share_save(vsdk_share *share, vsdk_state_writer *writer, vsdk_error *error)
{
    static const char operation[] = "vsdk_share_save";
    session_bytes s = {0};
    uint32_t inodes, files;

    if (!share || !writer)
        return error_null(error, operation, share ? "writer" : "share");
    if (share->process != process_id())
        return error_forked(error, operation);
    lock_take(&share->lock);
    s.length = session_length(&share->table, &inodes, &files);
    s.bytes = alloc_unset(s.length);
    if (s.bytes)
        put_all(&s, &share->table, inodes, files);
    lock_give(&share->lock);
    if (!s.bytes)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the session");
    vsdk_status status = vsdk_state_put_number(writer, "share_bytes", s.length, error);
    if (!status)
        status = vsdk_state_put_bytes(writer, "share", s.bytes, s.length, error);
    alloc_free(s.bytes);
    return status;
}

/* A saved inode while its folder may not be there yet. */
typedef struct saved_inode {
    uint64_t id, lookups, folder;
    uint32_t type, name_length;
    share_identity identity;
    const char *name;
    uint32_t placed;
    struct saved_inode *below; /* on the way to the one that is asked for */
} saved_inode;

/* As call_take_name has it: it goes to the host as the last part of a path. */
static int is_name(const char *name, uint32_t length)
{
    return length <= NAME_MAX && !memchr(name, '/', length) && !memchr(name, '\0', length) &&
           !(length == 1 && name[0] == '.') && !(length == 2 && name[0] == '.' && name[1] == '.');
}

/* A name and its folder are there together, or neither: then the inode is stale from the beginning.
 */
static int read_inode(session_bytes *s, saved_inode *inode)
{
    if (s->length - s->at < INODE)
        return -EINVAL;
    inode->id = get(s, 8);
    inode->lookups = get(s, 8);
    inode->folder = get(s, 8);
    inode->type = (uint32_t)get(s, 4);
    inode->name_length = (uint32_t)get(s, 4);
    inode->identity.device = get(s, 8);
    inode->identity.number = get(s, 8);
    inode->identity.handle.length = (uint32_t)get(s, 4);
    inode->identity.handle.type = (int32_t)get(s, 4);
    memcpy(inode->identity.handle.bytes, s->bytes + s->at, SHARE_HANDLE_MOST);
    s->at += SHARE_HANDLE_MOST;
    inode->name = (const char *)s->bytes + s->at;
    inode->placed = 0;
    if (inode->name_length > s->length - s->at || inode->type & ~(uint32_t)S_IFMT ||
        inode->identity.handle.length > SHARE_HANDLE_MOST || !inode->folder != !inode->name_length)
        return -EINVAL;
    s->at += inode->name_length;
    return is_name(inode->name, inode->name_length) ? 0 : -EINVAL;
}

/* A folder that is closed to the guest's users is closed to a state, too. */
static int search_as_owner(vsdk_share *share, const share_inode *folder, const char *name)
{
    int failure = folder->fd < 0 ? -ESTALE : host_become_owner(share, folder->fd);

    if (failure)
        return failure;
    int fd = host_open_name(share, folder->fd, name);
    host_return(share);
    return fd;
}

/* Looks at the file by its place. In a copy of the folder it has another identity; in the same one
 * it must be the same. What is gone keeps the identity that it had, and is stale. A handle of
 * somebody else's making would reach any file of the file system: it is compared, not opened, so
 * only one that was found here may stay. */
static void identify(vsdk_share *share, const share_inode *folder, const char *name,
                     const saved_inode *saved, int is_copy, share_identity *identity, int *is_here)
{
    struct stat status;
    share_identity found;
    int fd = search_as_owner(share, folder, name);

    *identity = saved->identity;
    memset(&identity->handle, 0, sizeof identity->handle);
    *is_here = 0;
    if (fd >= 0 && !host_identify(fd, &found, &status) &&
        (status.st_mode & S_IFMT) == saved->type) {
        int same = found.device == saved->identity.device &&
                   found.number == saved->identity.number &&
                   (!found.handle.length || !saved->identity.handle.length ||
                    !memcmp(&found.handle, &saved->identity.handle, sizeof found.handle));
        *is_here = same || is_copy;
    }
    if (*is_here)
        *identity = found;
    sys_close(fd);
}

/* A folder that is stale has nothing in it: what is in there is stale too. */
static int restore_inode(vsdk_share *share, saved_inode *saved, int is_copy)
{
    share_inode *folder = slots_get(&share->table.inodes, saved->folder);
    share_identity identity = saved->identity;
    share_name name;
    int is_here = 0;

    memset(&identity.handle, 0, sizeof identity.handle);
    memcpy(name, saved->name, saved->name_length);
    name[saved->name_length] = '\0';
    if (folder && folder->type != S_IFDIR)
        return -EINVAL;
    if (folder && !inode_open(share, folder))
        identify(share, folder, name, saved, is_copy, &identity, &is_here);
    saved->placed = 1;
    return inode_restore(share, saved->id, saved->lookups, saved->type, &identity,
                         is_here ? folder : NULL, name);
}

static int by_id(const void *a, const void *b)
{
    const saved_inode *left = a, *right = b;

    return left->id < right->id ? -1 : left->id > right->id;
}

static saved_inode *find(saved_inode *list, uint64_t count, uint64_t id)
{
    saved_inode key = {.id = id};

    return bsearch(&key, list, count, sizeof *list, by_id);
}

/* Folders before what is in them: from an inode up to one whose folder is there, then down again.
 * Who goes up for longer than there are inodes goes in a circle. */
static int restore_with_folders(vsdk_share *share, saved_inode *list, uint64_t count,
                                saved_inode *inode, int is_copy)
{
    saved_inode *top = inode->placed ? NULL : inode, *above;
    uint64_t steps = 0;
    int failure = 0;

    inode->below = NULL;
    while (top && (above = find(list, count, top->folder)) && !above->placed) {
        if (++steps > count)
            return -EINVAL;
        above->below = top;
        top = above;
    }
    for (; top && !failure; top = top->below)
        failure = restore_inode(share, top, is_copy);
    return failure;
}

/* What the guest could not open today it could not have had open. */
static int restore_files(vsdk_share *share, session_bytes *s, uint64_t files)
{
    const uint32_t known = O_ACCMODE | O_DIRECTORY | O_SYNC | O_DSYNC;

    for (uint64_t i = 0; i < files; i++) {
        uint64_t id = get(s, 8), node = get(s, 8), flags = get(s, 8);
        share_inode *inode = slots_get(&share->table.inodes, node);
        int writes = (flags & O_ACCMODE) != O_RDONLY;
        if (!inode || flags & ~(uint64_t)known || (writes && share->flags & VSDK_SHARE_READ_ONLY) ||
            !(flags & O_DIRECTORY) != (inode->type != S_IFDIR))
            return -EINVAL;
        int failure = file_restore(share, id, inode, (uint32_t)flags);
        if (failure)
            return failure;
    }
    return 0;
}

/* With the share's lock, into a table that is empty but for the root. */
static int restore(vsdk_share *share, session_bytes *s)
{
    const share_inode *root = share->table.inodes.list[SHARE_ROOT].object;
    saved_inode *list = NULL;
    int failure = s->length < HEAD || get(s, 4) != VERSION ? -EINVAL : 0;

    if (failure)
        return failure;
    uint64_t begun = get(s, 4), inodes = get(s, 8), files = get(s, 8);
    int is_copy = get(s, 8) != root->identity.device;
    is_copy |= get(s, 8) != root->identity.number;
    if (begun > BEGUN || inodes > share->inodes_max || files > share->files_max ||
        inodes > s->length / INODE)
        return -EINVAL;
    /* Not more than there are bytes for, so the memory is bounded by the state's. */
    if (inodes && !(list = alloc_array(inodes, sizeof *list)))
        return -ENOMEM;
    for (uint64_t i = 0; !failure && i < inodes; i++)
        failure = read_inode(s, &list[i]);
    if (!failure && s->length - s->at != files * FILE_BYTES)
        failure = -EINVAL;
    if (!failure && inodes)
        qsort(list, inodes, sizeof *list, by_id);
    for (uint64_t i = 0; !failure && i < inodes; i++)
        failure = restore_with_folders(share, list, inodes, &list[i], is_copy);
    if (!failure)
        failure = restore_files(share, s, files);
    alloc_free(list);
    slots_order(&share->table.inodes);
    slots_order(&share->table.files);
    share->table.begun = (uint32_t)begun;
    return failure;
}

/* The one that was comes back when the new one fails, with all that it has open. */
static int replace(vsdk_share *share, session_bytes *s)
{
    share_table before;

    lock_take(&share->lock);
    before = share->table;
    int failure = inode_table_begin(share);
    if (!failure)
        failure = restore(share, s);
    if (failure) {
        inode_table_end(&share->table);
        share->table = before;
    } else {
        inode_table_end(&before);
    }
    lock_give(&share->lock);
    return failure;
}

/* The new table before the old one goes: without memory nothing changes. */
int share_reset(vsdk_share *share)
{
    share_table before;
    int cancel = sys_cancel_off();

    lock_take(&share->lock);
    before = share->table;
    int failure = inode_table_begin(share);
    if (failure)
        share->table = before;
    else
        inode_table_end(&before);
    lock_give(&share->lock);
    sys_cancel_back(cancel);
    return failure;
}

vsdk_status vsdk_share_load(vsdk_share *share, vsdk_state_reader *reader, vsdk_error *error)
{
    static const char operation[] = "vsdk_share_load";
    session_bytes s = {0};
    uint64_t length;

    if (!share || !reader)
        return error_null(error, operation, share ? "reader" : "share");
    if (share->process != process_id())
        return error_forked(error, operation);
    vsdk_status status = vsdk_state_get_number(reader, "share_bytes", UINT32_MAX, &length, error);
    if (status)
        return status;
    s.bytes = alloc_unset(length ? length : 1);
    if (!s.bytes)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the session");
    status = vsdk_state_get_bytes(reader, "share", s.bytes, length, &length, error);
    s.length = length;
    int before = sys_cancel_off();
    int failure = status ? 0 : replace(share, &s);
    sys_cancel_back(before);
    alloc_free(s.bytes);
    if (failure == -ENOMEM)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the session");
    if (failure)
        return error_set(error, VSDK_ERROR_FORMAT, operation,
                         "field share is no session that this share can have");
    return status;
}
