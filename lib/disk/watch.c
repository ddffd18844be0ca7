/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of another capacity. A watch is in its disk's list as long as it has a handle; it is
 * called without the lock, and counted meanwhile, so that its release comes after its last call. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "disk/disk.h"

struct vsdk_disk_watch {
    refs handles;
    refs memory; /* handles together, and each call under way */
    vsdk_disk *disk;
    vsdk_disk_resized_fn fn;
    void *user;
    vsdk_release_fn release;
    vsdk_disk_watch *next; /* under the disk's lock, as round */
    uint32_t round;        /* the last one that it was told in */
};

/* The last call or the last handle, whichever is later. The watch keeps its disk until then. */
static void watch_put(vsdk_disk_watch *watch)
{
    vsdk_disk *disk = watch->disk;

    if (!refs_put(&watch->memory))
        return;
    if (watch->release)
        watch->release(watch->user);
    alloc_free(watch);
    disk_put(disk);
}

vsdk_status vsdk_disk_watch_create(vsdk_disk *disk, vsdk_disk_resized_fn fn, void *user,
                                   vsdk_release_fn release, vsdk_disk_watch **watch,
                                   vsdk_error *error)
{
    static const char operation[] = "vsdk_disk_watch_create";
    vsdk_disk_watch *made = NULL;
    vsdk_status status = disk_begin(disk, operation, error);

    if (watch)
        *watch = NULL;
    if (status == VSDK_ERROR_STATE)
        return status; /* in a forked child nobody is called */
    if (!status && (!fn || !watch))
        status = error_null(error, operation, fn ? "watch" : "fn");
    if (!status && !(made = alloc_zeroed(sizeof *made)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory");
    if (!made) {
        if (release)
            release(user);
        return status;
    }
    refs_init(&made->handles);
    refs_init(&made->memory);
    refs_get(&disk->refs);
    made->disk = disk;
    made->fn = fn;
    made->user = user;
    made->release = release;
    lock_take(&disk->lock);
    made->round = disk->round; /* a round that runs is not for it */
    made->next = disk->watches;
    disk->watches = made;
    lock_give(&disk->lock);
    *watch = made;
    return VSDK_OK;
}

vsdk_disk_watch *vsdk_disk_watch_ref(vsdk_disk_watch *watch)
{
    if (watch && watch->disk->process == process_id())
        refs_get(&watch->handles);
    return watch;
}

/* Out of the list first: from then on nobody begins to call it. */
void vsdk_disk_watch_close(vsdk_disk_watch *watch)
{
    if (!watch || watch->disk->process != process_id() || !refs_put(&watch->handles))
        return;
    vsdk_disk *disk = watch->disk;
    lock_take(&disk->lock);
    vsdk_disk_watch **at = &disk->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    lock_give(&disk->lock);
    watch_put(watch);
}

/* The next one that was told neither in this round nor in a later one; counted. */
static vsdk_disk_watch *next_of(vsdk_disk *disk, uint32_t round)
{
    lock_take(&disk->lock);
    vsdk_disk_watch *watch = disk->watches;
    while (watch && (int32_t)(watch->round - round) >= 0)
        watch = watch->next;
    if (watch) {
        watch->round = round;
        refs_get(&watch->memory);
    }
    lock_give(&disk->lock);
    return watch;
}

/* Of two who resize at once the later one tells a watch last; both tell what the capacity is by
 * then. */
void watch_tell_all(vsdk_disk *disk)
{
    vsdk_disk_watch *watch;

    lock_take(&disk->lock);
    uint32_t round = ++disk->round;
    lock_give(&disk->lock);
    while ((watch = next_of(disk, round))) {
        lock_assert_none();
        watch->fn(watch->user, disk, atomic_load(&disk->image->capacity));
        watch_put(watch);
    }
}
