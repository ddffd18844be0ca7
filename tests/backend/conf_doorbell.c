/* SPDX-License-Identifier: Apache-2.0 */
/* Doorbells: a write becomes a readable descriptor. */
#include "common.h"
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(doorbell, .init = setup, .fini = teardown);

static vsdk_doorbell *make_doorbell(vsdk_doorbell_config config)
{
    vsdk_doorbell *doorbell = NULL;

    config.size = sizeof config;
    ok(vsdk_doorbell_create(m.vm, &config, &doorbell, E));
    return doorbell;
}

static uint64_t take(vsdk_doorbell *doorbell)
{
    uint64_t rings = 0;
    ok(vsdk_doorbell_take(doorbell, &rings, E));
    return rings;
}

static int is_readable(vsdk_doorbell *doorbell)
{
    struct pollfd poll_for = {.fd = vsdk_doorbell_descriptor(doorbell), .events = POLLIN};
    return poll(&poll_for, 1, 0) == 1;
}

static void start(void)
{
    machine_start(&m, &guest_doorbell, &(vsdk_x86_regs){.rbx = MMIO});
}

Test(doorbell, of_any_width_takes_all_writes)
{
    vsdk_doorbell *port = make_doorbell((vsdk_doorbell_config){.address = PORT_WIDE});
    vsdk_doorbell *memory = make_doorbell(
        (vsdk_doorbell_config){.space = VSDK_SPACE_MMIO, .address = MMIO, .width = 4});
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    cr_assert(vsdk_doorbell_descriptor(port) >= 3);
    cr_assert(!is_readable(port));
    start();
    run_to_end(&m);
    cr_assert(is_readable(port));
    cr_assert_eq(take(port), 3);
    cr_assert(!is_readable(port));
    cr_assert_eq(take(port), 0);
    cr_assert_eq(take(memory), 2);
    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    cr_assert_eq(counters.claimed, 0, "a doorbell is no device");
    cr_assert_eq(counters.returned, 1);
    vsdk_doorbell_close(memory);
    vsdk_doorbell_close(port);
}

Test(doorbell, of_one_width_leaves_the_others)
{
    vsdk_doorbell *doorbell =
        make_doorbell((vsdk_doorbell_config){.address = PORT_WIDE, .width = 2});

    start();
    cr_assert_eq(run_to_write(&m, PORT_WIDE)->width, 1);
    cr_assert_eq(run_to_write(&m, PORT_WIDE)->width, 4);
    cr_assert_eq(take(doorbell), 1);
    vsdk_doorbell_close(doorbell);
}

Test(doorbell, with_a_match_rings_for_that_value)
{
    vsdk_doorbell_config config = {.flags = VSDK_DOORBELL_MATCH,
                                   .space = VSDK_SPACE_MMIO,
                                   .address = MMIO,
                                   .width = 4,
                                   .match = 2};
    vsdk_doorbell *second = make_doorbell(config), *other;

    config.match = 7;
    other = make_doorbell(config);
    start();
    for (int i = 0; i < 3; i++)
        run_to_write(&m, PORT_WIDE);
    cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
    cr_assert_eq(m.exit->value, 1);
    run_to_end(&m);
    cr_assert_eq(take(second), 1);
    cr_assert_eq(take(other), 0);
    vsdk_doorbell_close(other);
    vsdk_doorbell_close(second);
}

Test(doorbell, is_not_for_reads)
{
    vsdk_doorbell *doorbell = make_doorbell((vsdk_doorbell_config){.address = PORT_IN});

    machine_start(&m, &guest_echo, NULL);
    answer(run_to_read(&m, PORT_IN), 5);
    cr_assert_eq(run_to_write(&m, PORT_ECHO)->value, 5);
    cr_assert_eq(take(doorbell), 0);
    vsdk_doorbell_close(doorbell);
}

static void count_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    ++*(int *)user;
}

Test(doorbell, comes_before_devices_and_tags)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = count_write};
    int writes = 0;
    vsdk_device *device = make_device(m.vm, &ops, &writes, 0);
    vsdk_doorbell *doorbell =
        make_doorbell((vsdk_doorbell_config){.address = PORT_WIDE, .width = 1});

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    ok(vsdk_vm_add_range(m.vm, VSDK_SPACE_MMIO, MMIO, 8, 5, E));
    start();
    cr_assert_eq(run(&m)->tag, 5);
    cr_assert_eq(writes, 2);
    cr_assert_eq(take(doorbell), 1);
    vsdk_doorbell_close(doorbell);
    vsdk_device_close(device);
}

Test(doorbell, closed_rings_no_more)
{
    vsdk_doorbell *doorbell = make_doorbell((vsdk_doorbell_config){.address = PORT_WIDE});

    vsdk_doorbell_close(doorbell);
    start();
    run_to_write(&m, PORT_WIDE);
}

Test(doorbell, made_and_closed_while_running)
{
    vsdk_doorbell *doorbell;

    start();
    cr_assert_eq(run_to_write(&m, PORT_WIDE)->width, 1);
    doorbell = make_doorbell((vsdk_doorbell_config){.address = PORT_WIDE, .width = 2});
    cr_assert_eq(run_to_write(&m, PORT_WIDE)->width, 4);
    cr_assert_eq(take(doorbell), 1);
    vsdk_doorbell_close(doorbell);
    cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
}

static vsdk_status create(const vsdk_doorbell_config *config)
{
    vsdk_doorbell *doorbell = (vsdk_doorbell *)1;
    vsdk_status status = vsdk_doorbell_create(m.vm, config, &doorbell, E);

    if (status == VSDK_OK)
        vsdk_doorbell_close(doorbell);
    else
        cr_assert(doorbell == NULL);
    return status;
}

Test(doorbell, arguments_are_checked)
{
    vsdk_doorbell_config config = {.size = sizeof config, .address = 0x500, .width = 4};
    vsdk_doorbell *first = make_doorbell(config), *doorbell;

    fails(EXISTS, create(&config));
    config.width = 3;
    fails(INVALID_ARGUMENT, create(&config));
    config.width = 0;
    config.flags = VSDK_DOORBELL_MATCH;
    fails(INVALID_ARGUMENT, create(&config));
    config.flags = 0x80;
    fails(INVALID_ARGUMENT, create(&config));
    config.flags = 0;
    config.space = 5;
    fails(INVALID_ARGUMENT, create(&config));
    config.space = VSDK_SPACE_PIO;
    config.address = 0x10000;
    fails(RANGE, create(&config));
    config.address = 0xffff;
    config.width = 2;
    fails(RANGE, create(&config));
    config.space = VSDK_SPACE_MMIO;
    config.address = 0x1000;
    fails(EXISTS, create(&config));
    fails(INVALID_ARGUMENT, vsdk_doorbell_create(m.vm, NULL, &doorbell, E));
    fails(INVALID_ARGUMENT, vsdk_doorbell_create(m.vm, &config, NULL, E));
    vsdk_doorbell_close(first);
}

Test(doorbell, take_is_checked)
{
    vsdk_doorbell *doorbell = make_doorbell((vsdk_doorbell_config){.address = 0x500});
    uint64_t rings;

    fails(INVALID_ARGUMENT, vsdk_doorbell_take(doorbell, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_doorbell_take(NULL, &rings, E));
    vsdk_doorbell_close(doorbell);
}

Test(doorbell, descriptors_are_limited)
{
    vsdk_doorbell_config config = {.size = sizeof config, .address = 0x500, .width = 1};
    struct rlimit limit, none;
    int next = dup(0);

    cr_assert(next > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    close(next);
    none = limit;
    none.rlim_cur = (rlim_t)next;
    cr_assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
    fails(LIMIT, create(&config));
    cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    ok(create(&config));
}
