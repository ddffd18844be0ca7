/* SPDX-License-Identifier: Apache-2.0 */
/* A disk of the embedder's as a layer like any other. No lock of ours is held over its functions.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "disk/disk.h"

typedef struct custom {
    vsdk_disk_ops ops;
    void *user;
} custom;

/* The last thing that the embedder's functions hear. */
static void custom_close(disk_image *image)
{
    custom *c = image->state;

    if (c->ops.release)
        c->ops.release(c->user);
    alloc_free(c);
}

/* Whatever it answers, it is the disk that fails. Its own words are kept when it has some. */
static vsdk_status answer(vsdk_status status, const char *operation, vsdk_error *error)
{
    if (!status || (status == VSDK_ERROR_SYSTEM && error && error->code == status))
        return status;
    return error_set(error, VSDK_ERROR_SYSTEM, operation, "the embedder's disk answered %s",
                     vsdk_status_name(status));
}

/* The embedder's function may leave the record alone: then it says nothing of an earlier failure.
 */
static void forget(vsdk_error *error)
{
    if (error)
        *error = (vsdk_error){0};
}

static vsdk_status custom_read(disk_image *image, uint64_t offset, void *buffer, uint64_t length,
                               vsdk_error *error)
{
    custom *c = image->state;

    forget(error);
    return answer(c->ops.read(c->user, offset, buffer, length, error), "vsdk_disk_read", error);
}

static vsdk_status custom_write(disk_image *image, uint64_t offset, const void *buffer,
                                uint64_t length, vsdk_error *error)
{
    custom *c = image->state;

    forget(error);
    return answer(c->ops.write(c->user, offset, buffer, length, error), "vsdk_disk_write", error);
}

/* Without a flush each write is safe when it returns. */
static vsdk_status custom_flush(disk_image *image, vsdk_error *error)
{
    custom *c = image->state;

    if (!c->ops.flush)
        return VSDK_OK;
    forget(error);
    return answer(c->ops.flush(c->user, error), "vsdk_disk_flush", error);
}

/* A discard is a hint, which may be lost. */
static vsdk_status custom_discard(disk_image *image, uint64_t offset, uint64_t length,
                                  vsdk_error *error)
{
    custom *c = image->state;

    if (!c->ops.discard)
        return VSDK_OK;
    forget(error);
    return answer(c->ops.discard(c->user, offset, length, 0, error), "vsdk_disk_discard", error);
}

static vsdk_status custom_zero(disk_image *image, uint64_t offset, uint64_t length, uint32_t flags,
                               vsdk_error *error)
{
    custom *c = image->state;

    if (!c->ops.write_zeroes)
        return disk_image_write_zeros(image, offset, length, error);
    forget(error);
    return answer(c->ops.write_zeroes(c->user, offset, length,
                                      flags & DISK_ZERO_MAY_UNMAP ? VSDK_DISK_MAY_UNMAP : 0, error),
                  "vsdk_disk_write_zeroes", error);
}

/* It runs alone, so that the capacity and what the functions believe change together. */
static vsdk_status custom_resize(disk_image *image, uint64_t capacity, vsdk_error *error)
{
    custom *c = image->state;

    if (!c->ops.resize)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_disk_resize",
                         "the embedder's disk has no resize");
    forget(error);
    vsdk_status status = answer(c->ops.resize(c->user, capacity, error), "vsdk_disk_resize", error);
    if (!status)
        atomic_store(&image->capacity, capacity);
    return status;
}

/* Only the embedder knows. */
static uint64_t custom_allocated(disk_image *image)
{
    (void)image;
    return 0;
}

static const disk_format custom_format = {
    .name = "custom",
    .id = VSDK_DISK_CUSTOM,
    .close = custom_close,
    .read = custom_read,
    .write = custom_write,
    .zero = custom_zero,
    .discard = custom_discard,
    .flush = custom_flush,
    .resize = custom_resize,
    .allocated = custom_allocated,
};

vsdk_status custom_make(const vsdk_disk_ops *ops, void *user, uint64_t capacity,
                        uint32_t block_size, disk_image **image, vsdk_error *error)
{
    disk_image *made = alloc_zeroed(sizeof *made);
    custom *c = alloc_zeroed(sizeof *c);

    *image = NULL;
    if (!made || !c) {
        alloc_free(made);
        alloc_free(c);
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_disk_create", "no memory");
    }
    c->ops = *ops;
    c->user = user;
    made->format = &custom_format;
    made->state = c;
    made->block_size = block_size;
    made->flags = ops->write ? 0 : DISK_IMAGE_READ_ONLY;
    atomic_store(&made->capacity, capacity);
    *image = made;
    return VSDK_OK;
}
