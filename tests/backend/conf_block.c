/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio block device as each backend makes it: refusals, and a request of a guest whose memory
 * the backend gives us. tests/unit/block.c has what needs no guest. */
#include "common.h"
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct machine m;
static vsdk_disk *disk;
static vsdk_device *device;

static void begin(void)
{
    vsdk_disk_custom config = {.size = sizeof config, .capacity = 1 << 20};

    machine_make(&m);
    ok(vsdk_disk_create_memory(&config, &disk, E));
    device = NULL;
}

static void end(void)
{
    vsdk_device_close(device);
    vsdk_disk_close(disk);
    machine_end(&m);
}

TestSuite(block, .init = begin, .fini = end);

static vsdk_virtio_block_config config_of(void)
{
    return (vsdk_virtio_block_config){.size = sizeof(vsdk_virtio_block_config), .disk = disk};
}

Test(block, making_one_refuses_what_it_must)
{
    vsdk_loop *none[1] = {NULL};
    vsdk_device *made;

#define REFUSED(code, field, bad)                                                                  \
    do {                                                                                           \
        vsdk_virtio_block_config config = config_of();                                             \
        config.field = bad;                                                                        \
        fails(code, vsdk_virtio_block_create(m.vm, &config, &made, E));                            \
        cr_assert_null(made);                                                                      \
    } while (0)
    REFUSED(INVALID_ARGUMENT, flags, 2);
    REFUSED(INVALID_ARGUMENT, disk, NULL);
    REFUSED(INVALID_ARGUMENT, queues, 65);
    REFUSED(INVALID_ARGUMENT, queue_size, 3);
    REFUSED(INVALID_ARGUMENT, queue_size, 2048);
    REFUSED(INVALID_ARGUMENT, loop_count, 1);
    REFUSED(UNSUPPORTED, reserved32, 1);
    REFUSED(UNSUPPORTED, reserved[0], 1);
#undef REFUSED
    vsdk_virtio_block_config config = config_of();
    fails(INVALID_ARGUMENT, vsdk_virtio_block_create(NULL, &config, &made, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_block_create(m.vm, NULL, &made, E));
    fails(INVALID_ARGUMENT, vsdk_virtio_block_create(m.vm, &config, NULL, E));
    config.loops = none;
    config.loop_count = 1;
    fails(INVALID_ARGUMENT, vsdk_virtio_block_create(m.vm, &config, &made, E));
}

Test(block, it_is_made_with_loops_of_its_own)
{
    vsdk_virtio_block_config config = config_of();
    vsdk_loop *loops[2];

    ok(vsdk_loop_create(&loops[0], E));
    ok(vsdk_loop_create(&loops[1], E));
    config.loops = loops;
    config.loop_count = 2;
    config.queues = 4;
    ok(vsdk_virtio_block_create(m.vm, &config, &device, E));
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(vsdk_virtio_queue_loop(device, i), loops[i % 2]);
    vsdk_loop_close(loops[0]);
    vsdk_loop_close(loops[1]);
}

Test(block, a_machine_that_is_gone_gets_none)
{
    vsdk_virtio_block_config config = config_of();
    vsdk_device *made;

    /* The processor's handle keeps the memory of its machine. */
    vsdk_vm *vm = m.vm;
    vsdk_vm_close(m.vm);
    m.vm = NULL;
    fails(GONE, vsdk_virtio_block_create(vm, &config, &made, E));
}

/* The machine's own loop is made when it is asked for. */
Test(block, without_descriptors_there_is_no_loop)
{
    vsdk_virtio_block_config config = config_of();
    const struct rlimit few = {64, 64};
    vsdk_device *made;

    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (dup(2) >= 0)
        ;
    fails(LIMIT, vsdk_virtio_block_create(m.vm, &config, &made, E));
}
