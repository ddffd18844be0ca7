/* SPDX-License-Identifier: Apache-2.0 */
/* Handles are closed in every order, and what they named is released exactly once. */
#include "check.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

enum { HANDLES = 15, RELEASES = 7, RANDOM_ORDERS = 3000 };

/* One of everything. */
struct everything {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_vcpu *vcpu;
    vsdk_ram *ram;
    vsdk_device *device;
    vsdk_irq *irq;
    vsdk_doorbell *doorbell;
    vsdk_loop *loop;
    vsdk_timer *timer;
    vsdk_watch *watch;
    vsdk_timer *free_timer;
    vsdk_work *work;
    vsdk_msi *msi;
    vsdk_stream *near_end, *far_end;
    int released[RELEASES]; /* log, device, timer, watch, work, controller, handler */
};

static struct everything all;

static void count_release(void *user)
{
    ++*(int *)user;
}

static void ignore_log(void *user, vsdk_log_level level, const char *text)
{
    (void)user, (void)level, (void)text;
}

static void ignore_timer(void *user, vsdk_timer *timer)
{
    (void)user, (void)timer;
}

static void ignore_work(void *user, vsdk_work *work)
{
    (void)user, (void)work;
}

static void ignore_stream(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)stream, (void)events;
}

static void ignore_watch(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    (void)user, (void)descriptor, (void)events;
}

static void ignore_line(void *user, vsdk_vm *of, uint32_t gsi, uint32_t level)
{
    (void)user, (void)of, (void)gsi, (void)level;
}

static void make_guest(int mapped)
{
    vsdk_host_config config = {.size = sizeof config,
                               .log = ignore_log,
                               .log_user = &all.released[0],
                               .log_release = count_release};

    ok(vsdk_host_open("mock", &config, &all.host, E));
    ok(vsdk_vm_create(all.host, NULL, &all.vm, E));
    ok(vsdk_vcpu_create(all.vm, 0, NULL, &all.vcpu, E));
    ok(vsdk_ram_create(all.vm, 4096, NULL, &all.ram, E));
    if (mapped)
        ok(vsdk_vm_map(all.vm, 0x1000, all.ram, 0, 4096, 0, E));
}

static void make_devices(int attached, int watched)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .release = count_release};
    vsdk_doorbell_config doorbell = {.size = sizeof doorbell, .address = 0x510};

    ok(vsdk_device_create(all.vm, &ops, &all.released[1], NULL, &all.device, E));
    if (attached)
        ok(vsdk_device_add_range(all.device, VSDK_SPACE_PIO, 0x500, 4, 0, E));
    ok(vsdk_irq_controller_attach(all.vm, 0, 24, ignore_line, &all.released[5], count_release, E));
    ok(vsdk_irq_create(all.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = 4},
                       &all.irq, E));
    ok(vsdk_irq_raise(all.irq, E));
    ok(vsdk_doorbell_create(all.vm, &doorbell, &all.doorbell, E));
    ok(vsdk_loop_create(&all.loop, E));
    ok(vsdk_timer_create(all.loop, all.device, ignore_timer, &all.released[2], count_release,
                         &all.timer, E));
    ok(vsdk_timer_arm(all.timer, 1000000000, 0, E));
    ok(vsdk_timer_create(all.loop, NULL, ignore_timer, NULL, NULL, &all.free_timer, E));
    ok(vsdk_watch_create(all.loop, all.device, watched, VSDK_LOOP_READ, ignore_watch,
                         &all.released[3], count_release, &all.watch, E));
    ok(vsdk_work_create(all.loop, all.device, ignore_work, &all.released[4], count_release,
                        &all.work, E));
    ok(vsdk_work_post(all.work, E));
}

static void make_messages(void)
{
    vsdk_msi_config config = {.size = sizeof config, .device = all.device};

    ok(vsdk_msi_create(all.vm, &config, &all.msi, E));
    ok(vsdk_stream_create(NULL, &all.near_end, &all.far_end, E));
    ok(vsdk_stream_set_handler(all.near_end, ignore_stream, &all.released[6], count_release, E));
    ok(vsdk_stream_write(all.near_end, "near", 4, NULL, E));
    ok(vsdk_stream_write(all.far_end, "far", 3, NULL, E));
}

static void close_one(int which)
{
    switch (which) {
    case 0:
        return vsdk_host_close(all.host);
    case 1:
        return vsdk_vm_close(all.vm);
    case 2:
        return vsdk_vcpu_close(all.vcpu);
    case 3:
        return vsdk_ram_close(all.ram);
    case 4:
        return vsdk_device_close(all.device);
    case 5:
        return vsdk_irq_close(all.irq);
    case 6:
        return vsdk_doorbell_close(all.doorbell);
    case 7:
        return vsdk_loop_close(all.loop);
    case 8:
        return vsdk_timer_close(all.timer);
    case 9:
        return vsdk_watch_close(all.watch);
    case 10:
        return vsdk_timer_close(all.free_timer);
    case 11:
        return vsdk_work_close(all.work);
    case 12:
        return vsdk_msi_close(all.msi);
    case 13:
        return vsdk_stream_close(all.near_end);
    default:
        return vsdk_stream_close(all.far_end);
    }
}

static void ref_all(void)
{
    cr_assert_eq(vsdk_host_ref(all.host), all.host);
    cr_assert_eq(vsdk_vm_ref(all.vm), all.vm);
    cr_assert_eq(vsdk_vcpu_ref(all.vcpu), all.vcpu);
    cr_assert_eq(vsdk_ram_ref(all.ram), all.ram);
    cr_assert_eq(vsdk_device_ref(all.device), all.device);
    cr_assert_eq(vsdk_irq_ref(all.irq), all.irq);
    cr_assert_eq(vsdk_doorbell_ref(all.doorbell), all.doorbell);
    cr_assert_eq(vsdk_loop_ref(all.loop), all.loop);
    cr_assert_eq(vsdk_timer_ref(all.timer), all.timer);
    cr_assert_eq(vsdk_watch_ref(all.watch), all.watch);
    cr_assert_eq(vsdk_timer_ref(all.free_timer), all.free_timer);
    cr_assert_eq(vsdk_work_ref(all.work), all.work);
    cr_assert_eq(vsdk_msi_ref(all.msi), all.msi);
    cr_assert_eq(vsdk_stream_ref(all.near_end), all.near_end);
    cr_assert_eq(vsdk_stream_ref(all.far_end), all.far_end);
}

static void make_all(unsigned variant, int watched)
{
    memset(&all, 0, sizeof all);
    make_guest(variant & 1);
    make_devices((variant & 2) != 0, watched);
    make_messages();
    if (variant & 4)
        ok(vsdk_vm_resume(all.vm, E));
    if (variant & 8)
        ok(vsdk_vm_destroy(all.vm, E));
}

static void expect_released(const int *order)
{
    char text[128] = "";

    for (int i = 0; i < HANDLES; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %d", order[i]);
    for (int i = 0; i < RELEASES; i++)
        cr_assert_eq(all.released[i], 1, "closed in order%s: release %d ran %d times", text, i,
                     all.released[i]);
}

static void swap(int *a, int *b)
{
    int c = *a;
    *a = *b;
    *b = c;
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % limit;
}

Test(closing, any_order_of_all_handles)
{
    int order[HANDLES], pipes[2];

    cr_assert(pipe(pipes) == 0);
    for (int i = 0; i < HANDLES; i++)
        order[i] = i;
    for (unsigned n = 0; n < RANDOM_ORDERS; n++) {
        for (int i = HANDLES - 1; i > 0; i--)
            swap(&order[i], &order[random_below((uint32_t)i + 1)]);
        make_all(n, pipes[0]);
        for (int i = 0; i < HANDLES; i++)
            close_one(order[i]);
        expect_released(order);
    }
}

/* Every order of some handles; the others are closed before or after, as the caller says. */
static void permute(int *order, int from, int to, unsigned variant, int watched)
{
    if (from == to) {
        make_all(variant, watched);
        for (int i = 0; i < HANDLES; i++)
            close_one(order[i]);
        expect_released(order);
        return;
    }
    for (int i = from; i < to; i++) {
        swap(&order[from], &order[i]);
        permute(order, from + 1, to, variant, watched);
        swap(&order[from], &order[i]);
    }
}

Test(closing, every_order_of_guest_handles)
{
    int order[HANDLES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, pipes[2];

    cr_assert(pipe(pipes) == 0);
    for (unsigned variant = 0; variant < 16; variant += 5)
        permute(order, 0, 6, variant, pipes[0]);
}

Test(closing, every_order_of_loop_handles)
{
    int order[HANDLES] = {0, 2, 3, 5, 6, 12, 13, 14, 10, 1, 4, 7, 8, 9, 11}, pipes[2];

    cr_assert(pipe(pipes) == 0);
    for (unsigned variant = 0; variant < 16; variant += 5)
        permute(order, 9, 15, variant, pipes[0]);
}

static int released_in_all(void)
{
    int count = 0;

    for (int i = 0; i < RELEASES; i++)
        count += all.released[i];
    return count;
}

/* With a reference more of each a first close of each is nothing but that. */
Test(closing, one_of_two_references)
{
    int order[HANDLES], pipes[2];

    cr_assert(pipe(pipes) == 0);
    for (unsigned variant = 0; variant < 8; variant++) {
        make_all(variant, pipes[0]);
        ref_all();
        for (int i = 0; i < HANDLES; i++)
            close_one(order[i] = i);
        cr_assert_eq(released_in_all(), 0);
        ok(vsdk_vm_get_info(all.vm, &(vsdk_vm_info){.size = sizeof(vsdk_vm_info)}, E));
        ok(vsdk_irq_lower(all.irq, E));
        ok(vsdk_timer_disarm(all.free_timer, E));
        cr_assert_eq(vsdk_stream_ready(all.near_end), VSDK_STREAM_READABLE | VSDK_STREAM_WRITABLE);
        for (int i = 0; i < HANDLES; i++)
            close_one(i);
        expect_released(order);
    }
}

Test(closing, null_does_nothing)
{
    memset(&all, 0, sizeof all);
    for (int i = 0; i < HANDLES; i++)
        close_one(i);
}
