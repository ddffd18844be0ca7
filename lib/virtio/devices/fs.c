/* SPDX-License-Identifier: Apache-2.0 */
/* The file system device (virtio 1.2, section 5.11): each chain is one request of FUSE, which the
 * share answers. Queue 0 is for requests that must not wait behind others, and is served as the
 * rest.
 *
 * A chain's buffers are pinned, so that files are read into the guest's memory and written from it.
 * Where that can't be (no more pins), the request goes through a buffer of ours, which is made the
 * first time. What is pinned is given back before the push; nothing is kept from one request to the
 * next, so a stop has nothing to wait for. */
#include "base/alloc.h"
#include "base/error.h"
#include "virtio/devices/device.h"
#include <stddef.h>
#include <string.h>
#include <vsdk/virtio.h>
#include <vsdk/virtio_fs.h>

enum {
    TYPE = 26,
    TAG = 36,
    QUEUES_MOST = 16,
    QUEUE_SIZE = 512, /* Linux asks for no more than the queue has entries: 1 MiB and the headers */
    CHAIN_MOST = 512,
    VIEWS = CHAIN_MOST + 32, /* a buffer may lie in more than one piece of memory */
    BOUNCE = (1 << 20) + 4096
};

/* What one request needs; each queue has its own, since each may run on a thread of its own. */
typedef struct fs_queue {
    vsdk_dma_view views[VIEWS];
    vsdk_share_buffer buffers[VIEWS];
    uint8_t *bounce; /* BOUNCE bytes for the request, then as many for the answer; or NULL */
} fs_queue;

typedef struct fs_device {
    vsdk_share *share;
    uint32_t queue_count;
    fs_queue *queues[];
} fs_device;

typedef struct fs_space {
    uint8_t tag[TAG];
    uint32_t queues;
} fs_space;

static const vsdk_virtio_ops fs_ops;

static void unmap_parts(fs_queue *q, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vsdk_dma_unmap(&q->views[i]);
}

/* Both parts of the chain, one after the other in the lists. */
static vsdk_status map_parts(vsdk_device *device, const vsdk_virtio_chain *chain, fs_queue *q,
                             uint32_t *readable, uint32_t *all)
{
    uint32_t more = 0;
    vsdk_status status;

    *readable = *all = 0;
    status = vsdk_virtio_map(device, chain, VSDK_DMA_FROM_GUEST, 0, chain->readable, q->views,
                             VIEWS, readable, NULL);
    if (!status && chain->writable)
        status = vsdk_virtio_map(device, chain, VSDK_DMA_TO_GUEST, 0, chain->writable,
                                 q->views + *readable, VIEWS - *readable, &more, NULL);
    *all = *readable + more;
    for (uint32_t i = 0; i < *all; i++) {
        q->buffers[i].data = q->views[i].data;
        q->buffers[i].length = q->views[i].length;
    }
    return status;
}

/* 1 when it was answered. */
static int answer_in_place(fs_device *fs, vsdk_device *device, const vsdk_virtio_chain *chain,
                           fs_queue *q, uint64_t *written)
{
    uint32_t readable, all;
    vsdk_status status = map_parts(device, chain, q, &readable, &all);

    if (!status)
        vsdk_share_request(fs->share, q->buffers, readable, q->buffers + readable, all - readable,
                           written, NULL);
    unmap_parts(q, all);
    return !status;
}

/* The same by copies. A request that has no room here is none that this device asked for. */
static void answer_by_copy(fs_device *fs, vsdk_device *device, const vsdk_virtio_chain *chain,
                           fs_queue *q, uint64_t *written)
{
    uint64_t room = chain->writable < BOUNCE ? chain->writable : BOUNCE;

    if (!q->bounce)
        q->bounce = alloc_unset(2 * (size_t)BOUNCE);
    if (!q->bounce || chain->readable > BOUNCE ||
        vsdk_virtio_read(device, chain, 0, q->bounce, chain->readable, NULL))
        return;
    vsdk_share_buffer request = {.data = q->bounce, .length = chain->readable};
    vsdk_share_buffer reply = {.data = q->bounce + BOUNCE, .length = room};
    if (vsdk_share_request(fs->share, &request, 1, &reply, 1, written, NULL) ||
        vsdk_virtio_write(device, chain, 0, reply.data, *written, NULL))
        *written = 0;
}

static void fs_notify(void *user, vsdk_device *device, uint32_t queue)
{
    fs_device *fs = user;
    fs_queue *q = fs->queues[queue];
    vsdk_virtio_chain chain;

    while (!vsdk_virtio_pop(device, queue, &chain, NULL)) {
        uint64_t written = 0;
        if (chain.readable && !answer_in_place(fs, device, &chain, q, &written))
            answer_by_copy(fs, device, &chain, q, &written);
        vsdk_virtio_push(device, &chain, (uint32_t)written, NULL);
    }
}

/* The driver that comes next has no use for what the last one had open. */
static void fs_reset(void *user, vsdk_device *device)
{
    fs_device *fs = user;

    (void)device;
    vsdk_share_reset(fs->share, NULL);
}

static vsdk_status fs_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                           vsdk_error *error)
{
    fs_device *fs = user;

    (void)device;
    return vsdk_share_save(fs->share, writer, error);
}

static vsdk_status fs_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                           vsdk_error *error)
{
    fs_device *fs = user;

    (void)device;
    return vsdk_share_load(fs->share, reader, error);
}

static void fs_release(void *user)
{
    fs_device *fs = user;

    for (uint32_t i = 0; i < fs->queue_count; i++) {
        if (fs->queues[i])
            alloc_free(fs->queues[i]->bounce);
        alloc_free(fs->queues[i]);
    }
    vsdk_share_close(fs->share);
    alloc_free(fs);
}

static const vsdk_virtio_ops fs_ops = {
    .size = sizeof(vsdk_virtio_ops),
    .notify = fs_notify,
    .reset = fs_reset,
    .save = fs_save,
    .load = fs_load,
    .release = fs_release,
};

static vsdk_status read_config(const vsdk_virtio_fs_config *given, vsdk_virtio_fs_config *c,
                               const char *operation, vsdk_error *error)
{
    vsdk_status status = virtio_device_config(
        c, sizeof *c, offsetof(vsdk_virtio_fs_config, reserved0), given, 0, operation, error);

    if (status)
        return status;
    if (!c->share || !c->tag)
        return error_null(error, operation, c->share ? "config->tag" : "config->share");
    if (!*c->tag || strnlen(c->tag, TAG + 1) > TAG)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "a tag has 1 to %d bytes",
                         TAG);
    if (c->queues > QUEUES_MOST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "queues %u is above %d",
                         c->queues, QUEUES_MOST);
    c->queues = c->queues ? c->queues : 1;
    return VSDK_OK;
}

static fs_device *fs_make(const vsdk_virtio_fs_config *c)
{
    uint32_t count = 1 + c->queues;
    fs_device *fs = alloc_zeroed(sizeof *fs + count * sizeof(fs_queue *));

    if (!fs)
        return NULL;
    fs->share = vsdk_share_ref(c->share);
    fs->queue_count = count;
    for (uint32_t i = 0; i < count; i++) {
        fs->queues[i] = alloc_unset(sizeof(fs_queue));
        if (!fs->queues[i]) {
            fs_release(fs);
            return NULL;
        }
        fs->queues[i]->bounce = NULL;
    }
    return fs;
}

vsdk_status vsdk_virtio_fs_create(vsdk_vm *vm, const vsdk_virtio_fs_config *config,
                                  vsdk_device **device, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_fs_create";
    vsdk_virtio_fs_config c;
    fs_space space = {{0}, 0};
    int foreign;
    vsdk_status status = virtio_device_begin(vm, device, &foreign, operation, error);

    if (!status && !config)
        status = error_null(error, operation, "config");
    if (!status)
        status = read_config(config, &c, operation, error);
    if (status)
        return status;
    fs_device *fs = fs_make(&c);
    if (!fs)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the device");
    memcpy(space.tag, c.tag, strnlen(c.tag, TAG));
    space.queues = c.queues;
    vsdk_virtio_config virtio = {.size = sizeof virtio,
                                 .name = "virtio-fs",
                                 .type = TYPE,
                                 .queues = fs->queue_count,
                                 .queue_size = QUEUE_SIZE,
                                 .chain_max = CHAIN_MOST,
                                 .space = &space,
                                 .space_length = sizeof space,
                                 .loop = c.loop};
    return vsdk_virtio_create(vm, &fs_ops, fs, &virtio, device, error);
}
