/* SPDX-License-Identifier: Apache-2.0 */
/* The API of work: a callback that any thread posts and the loop's dispatcher runs. It is made
 * once, so that a post takes a lock for a moment and can't fail. */
#include "base/alloc.h"
#include "base/error.h"
#include "core/loop.h"

vsdk_status vsdk_work_create(vsdk_loop *loop, vsdk_device *device, vsdk_work_fn fn, void *user,
                             vsdk_release_fn release, vsdk_work **work, vsdk_error *error)
{
    static const char operation[] = "vsdk_work_create";
    vsdk_status status = VSDK_OK;
    vsdk_work *made = NULL;

    if (work)
        *work = NULL;
    if (loop && loop_is_foreign(loop))
        return vm_forked(operation, error);
    if (!loop || !fn || !work)
        status = error_null(error, operation, !loop ? "loop" : !fn ? "fn" : "work");
    else if (!(made = alloc_zeroed(sizeof *made)))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the work");
    if (!status) {
        source_init(&made->source, SOURCE_WORK, loop, device, user, release);
        made->fn = fn;
        status = source_link(&made->source, operation, error);
    }
    if (status) {
        if (made)
            source_put(&made->source);
        if (release)
            release(user);
        return status;
    }
    *work = made;
    return VSDK_OK;
}

vsdk_status vsdk_work_post(vsdk_work *work, vsdk_error *error)
{
    static const char operation[] = "vsdk_work_post";

    if (!work)
        return error_null(error, operation, "work");
    vsdk_loop *loop = work->source.loop;
    if (loop_is_foreign(loop))
        return vm_forked(operation, error);
    lock_take(&loop->lock);
    if (!work->source.dead && !work->posted) {
        work->posted = 1;
        if (!work->source.parked && !loop->gone) {
            work_queue(work);
            loop_wake(loop);
        }
    }
    lock_give(&loop->lock);
    return VSDK_OK;
}

vsdk_work *vsdk_work_ref(vsdk_work *work)
{
    if (work && !loop_is_foreign(work->source.loop))
        refs_get(&work->source.handles);
    return work;
}

void vsdk_work_close(vsdk_work *work)
{
    if (work && !loop_is_foreign(work->source.loop))
        source_close(&work->source);
}
