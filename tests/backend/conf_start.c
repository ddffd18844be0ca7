/* SPDX-License-Identifier: Apache-2.0 */
/* Start and stop of devices: when each comes, in which mode, how long a stop may take, and what a
 * device may do in between. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(start, .init = setup, .fini = teardown);

enum { MS = 1000000 };

/* A device that notes what it is told in a text that it shares with others: its letter, in upper
 * case for a start; s or p (parked) behind it for a stop, r for a reset. It is static in each test:
 * the end of the machine stops devices. */
struct told {
    char letter;
    char *text;
    int pends;             /* its stop stays pending */
    atomic_int *inside;    /* as long as a callback runs */
    uint64_t dma_in_start; /* a status + 1000, of DMA in its callbacks */
    uint64_t dma_in_stop;
};

static void say(struct told *told, const char *what)
{
    size_t used = strlen(told->text);

    snprintf(told->text + used, 1000 - used, "%c%s ", told->letter, what);
}

static uint64_t try_dma(vsdk_device *device)
{
    uint8_t byte;
    return (uint64_t)(1000 + vsdk_dma_read(device, RESULT, &byte, 1, NULL));
}

static void on_start(void *user, vsdk_device *device)
{
    struct told *told = user;

    told->dma_in_start = try_dma(device);
    say(told, "+");
}

static vsdk_stop_answer on_stop(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    struct told *told = user;

    told->dma_in_stop = try_dma(device);
    say(told, mode == VSDK_STOP_PARK ? "p" : "-");
    return told->pends ? VSDK_STOP_PENDING : VSDK_STOP_DONE;
}

static void on_reset(void *user, vsdk_device *device)
{
    say(user, "r");
}

static const vsdk_device_ops told_ops = {
    .size = sizeof told_ops, .start = on_start, .stop = on_stop, .reset = on_reset};

static char text[1000];

static vsdk_device *make_told(struct told *told, char letter)
{
    told->letter = letter;
    told->text = text;
    return make_device(m.vm, &told_ops, told, 0);
}

static vsdk_device *attach_told(struct told *told, char letter)
{
    vsdk_device *device = make_told(told, letter);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500 + (uint64_t)(letter - 'a'), 1, 0, E));
    return device;
}

#define expect(expected)                                                                           \
    do {                                                                                           \
        cr_assert_str_eq(text, expected, "%s", text);                                              \
        text[0] = 0;                                                                               \
    } while (0)

static vsdk_status pause_now(void)
{
    return vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, E);
}

/* Start at every entry into RUNNING, stop at every leaving, once each, in the order in which the
 * devices were made. */
Test(start, comes_with_every_entry_into_running)
{
    static struct told a, b;
    vsdk_device *first = attach_told(&a, 'a'), *second = attach_told(&b, 'b');

    ok(pause_now());
    expect("");
    machine_start(&m, &guest_spin, NULL);
    expect("a+ b+ ");
    ok(vsdk_vm_resume(m.vm, E));
    expect("");
    ok(pause_now());
    expect("a- b- ");
    ok(pause_now());
    expect("");
    ok(vsdk_vm_resume(m.vm, E));
    expect("a+ b+ ");
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 1, 0, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_STOP);
    expect("a- b- ");
    ok(vsdk_vm_destroy(m.vm, E));
    expect("");
    vsdk_device_close(second);
    vsdk_device_close(first);
}

/* In its start callback a device acts already, in its stop callback it still does. */
Test(start, device_acts_from_its_start_to_its_stop)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');

    machine_start(&m, &guest_spin, NULL);
    ok(pause_now());
    cr_assert_eq(a.dma_in_start, 1000);
    cr_assert_eq(a.dma_in_stop, 1000);
    vsdk_device_close(device);
}

/* A guest that turns itself off: its exit comes when the devices have stopped. */
Test(start, guest_that_ends_stops_its_devices)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');
    vsdk_x86_sregs sregs;

    machine_load(&m, &guest_crash, native_cpl(m.host), NULL);
    ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs, E));
    sregs.idt.limit = 0;
    ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_SREGS, &sregs, sizeof sregs, E));
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run(&m)->reason, VSDK_EXIT_CRASH);
    expect("a+ a- ");
    vsdk_device_close(device);
}

/* Nobody is inside: STOPPED at once, nothing acts any more, and the next call that makes
 * transitions stops the devices. Raising a line or looking is no such call. */
static void stop_while_nobody_is_inside(vsdk_device *device)
{
    uint8_t byte;
    vsdk_vm_info info = {.size = sizeof info};

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vcpu_run(m.vcpu, MS, E));
    expect("a+ ");
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_POWEROFF, 7, 0, E));
    ok(vsdk_vm_get_info(m.vm, &info, E));
    cr_assert_eq(info.state, VSDK_VM_STOPPED);
    cr_assert_eq(info.stop_code, 7);
    fails(STATE, vsdk_dma_read(device, RESULT, &byte, 1, E));
    fails(STATE, vsdk_dma_write(device, RESULT, &byte, 1, E));
    fails(STATE, vsdk_device_enter(device, E));
    ok(vsdk_vm_read(m.vm, RESULT, &byte, 1, E));
    expect("");
}

Test(start, stopped_while_nobody_is_inside_then_run)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');

    stop_while_nobody_is_inside(device);
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_POWEROFF);
    expect("a- ");
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    expect("");
    vsdk_device_close(device);
}

Test(start, stopped_while_nobody_is_inside_then_dispatched)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');
    vsdk_loop *loop = loop_of(m.vm);

    stop_while_nobody_is_inside(device);
    ok(vsdk_loop_dispatch(loop, 0, NULL, E));
    expect("a- ");
    vsdk_device_close(device);
}

Test(start, stopped_while_nobody_is_inside_then_paused)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');

    stop_while_nobody_is_inside(device);
    fails(STATE, pause_now());
    expect("a- ");
    fails(STATE, vsdk_vm_resume(m.vm, E));
    expect("");
    vsdk_device_close(device);
}

Test(start, stopped_while_nobody_is_inside_then_destroyed)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');

    stop_while_nobody_is_inside(device);
    ok(vsdk_vm_destroy(m.vm, E));
    expect("a- ");
    vsdk_device_close(device);
}

/* Whatever the device owns: here it is nothing. */
Test(start, needs_no_range)
{
    static struct told a;
    vsdk_device *device = make_told(&a, 'a');

    machine_start(&m, &guest_spin, NULL);
    expect("a+ ");
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    expect("");
    ok(pause_now());
    expect("a- ");
    vsdk_device_close(device);
}

/* One that is made in RUNNING starts with its first range. */
Test(start, comes_with_the_first_range)
{
    static struct told a;

    machine_start(&m, &guest_spin, NULL);
    vsdk_device *device = make_told(&a, 'a');
    expect("");
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    expect("a+ ");
    ok(vsdk_device_add_range(device, VSDK_SPACE_MMIO, MMIO, 1, 0, E));
    ok(vsdk_device_remove_range(device, VSDK_SPACE_PIO, 0x500, E));
    ok(vsdk_device_remove_range(device, VSDK_SPACE_MMIO, MMIO, E));
    expect("");
    ok(pause_now()); /* it goes on without a range until it is detached */
    expect("a- ");
    ok(vsdk_vm_resume(m.vm, E));
    expect("a+ ");
    ok(vsdk_device_detach(device, E));
    expect("");
    ok(pause_now());
    expect("");
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    expect("");
    ok(vsdk_vm_resume(m.vm, E));
    expect("a+ ");
    vsdk_device_close(device);
}

struct attaching {
    struct told told;
    vsdk_device *device;
    vsdk_status status;
    int calls;
};

static void attach_other(void *user, vsdk_device *device, const vsdk_access *access)
{
    struct attaching *attaching = user;

    if (attaching->calls++ == 0)
        attaching->status =
            vsdk_device_add_range(attaching->device, VSDK_SPACE_PIO, 0x500, 1, 0, NULL);
}

Test(start, comes_with_a_first_range_that_a_callback_adds)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .write = attach_other};
    static struct attaching attaching = {.status = 1};
    vsdk_device *device = make_device(m.vm, &ops, &attaching, 0);

    attaching.device = make_told(&attaching.told, 'a');
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_OUT, 4, 0, E));
    machine_start(&m, &guest_widths_out, NULL);
    run_to_write(&m, PORT_WIDE);
    ok(attaching.status);
    expect("a+ ");
    vsdk_device_close(attaching.device);
    vsdk_device_close(device);
}

/* The mode is what the pauser asks for; an end is always finished. */
Test(start, mode_of_a_stop_is_the_pauses)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');

    machine_start(&m, &guest_spin, NULL);
    expect("a+ ");
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_PARK, VSDK_FOREVER, E));
    expect("ap ");
    ok(vsdk_vm_resume(m.vm, E));
    expect("a+ ");
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_PARK | VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    expect("ap ");
    ok(vsdk_vm_resume(m.vm, E));
    expect("a+ ");
    ok(pause_now());
    expect("a- ");
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    fails(STATE, vsdk_vm_pause(m.vm, VSDK_PAUSE_PARK, VSDK_FOREVER, E));
    expect("a+ a- ");
    vsdk_device_close(device);
}

/* A stop that is pending: what is under way goes on, on another thread, until it says so. */
struct finishing {
    struct told told;
    vsdk_device *device;
    atomic_int stopping, finish;
    vsdk_status dma, stopped;
    int is_paused;
    pthread_t thread;
};

static vsdk_stop_answer stop_later(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    struct finishing *finishing = user;

    on_stop(&finishing->told, device, mode);
    atomic_store(&finishing->stopping, 1);
    return VSDK_STOP_PENDING;
}

static void start_finishing(void *user, vsdk_device *device)
{
    struct finishing *finishing = user;

    on_start(&finishing->told, device);
    atomic_store(&finishing->stopping, 0);
}

static const vsdk_device_ops finishing_ops = {
    .size = sizeof finishing_ops, .start = start_finishing, .stop = stop_later};

static vsdk_device *attach_finishing(struct finishing *finishing)
{
    finishing->told = (struct told){.letter = 'a', .text = text};
    finishing->device = make_device(m.vm, &finishing_ops, finishing, 0);
    ok(vsdk_device_add_range(finishing->device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    return finishing->device;
}

static int is_stopping(void *user)
{
    return atomic_load(&((struct finishing *)user)->stopping);
}

static void *finish_main(void *user)
{
    struct finishing *finishing = user;
    uint64_t value = 0x1234567812345678;

    while (!atomic_load(&finishing->stopping) || !atomic_load(&finishing->finish))
        sleep_ms(1);
    finishing->is_paused = vm_state(m.vm) == VSDK_VM_PAUSED;
    finishing->dma = vsdk_dma_write(finishing->device, RESULT, &value, sizeof value, NULL);
    finishing->stopped = vsdk_device_stopped(finishing->device, NULL);
    return NULL;
}

static void finishing_thread(struct finishing *finishing)
{
    cr_assert(pthread_create(&finishing->thread, NULL, finish_main, finishing) == 0);
}

static uint64_t result(void)
{
    uint64_t value = 0;

    ok(vsdk_vm_read(m.vm, RESULT, &value, sizeof value, E));
    return value;
}

Test(start, pending_stop_is_finished_by_another_thread)
{
    static struct finishing finishing = {.finish = 1};
    static struct told b;
    vsdk_device *device = attach_finishing(&finishing), *second = attach_told(&b, 'b');
    uint8_t byte;

    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < 5; i++) {
        expect("a+ b+ ");
        finishing_thread(&finishing);
        ok(pause_now());
        expect("a- b- ");
        pthread_join(finishing.thread, NULL);
        cr_assert(!finishing.is_paused, "PAUSED while a stop was pending");
        ok(finishing.dma);
        ok(finishing.stopped);
        cr_assert_eq(result(), 0x1234567812345678);
        fails(STATE, vsdk_dma_read(device, RESULT, &byte, 1, E));
        ok(vsdk_device_stopped(device, E)); /* nothing is pending */
        ok(vsdk_vm_write(m.vm, RESULT, "        ", 8, E));
        ok(vsdk_vm_resume(m.vm, E));
    }
    ok(vsdk_device_detach(device, E));
    vsdk_device_close(second);
    vsdk_device_close(device);
}

/* The same at the guest's end: the terminal exit waits for nobody, a reset and a run of all do. */
Test(start, pending_stop_at_the_end)
{
    static struct finishing finishing;
    vsdk_device *device = attach_finishing(&finishing);
    uint8_t byte;

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 3, 0, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->value, 3);
    cr_assert(is_stopping(&finishing));
    fails(STATE, vsdk_dma_read(device, RESULT, &byte, 1, E));
    fails(TIMEOUT, vsdk_vm_reset(m.vm, 5 * MS, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_STOPPED);
    ok(vsdk_device_stopped(device, E));
    expect("a+ a- ");
    vsdk_device_close(device);
}

/* vsdk_device_stopped may come before the stop callback has returned. */
static vsdk_stop_answer stop_at_once(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    on_stop(user, device, mode);
    *(&((struct told *)user)->dma_in_start) = (uint64_t)(1000 + vsdk_device_stopped(device, NULL));
    return VSDK_STOP_PENDING;
}

Test(start, stop_that_is_over_before_its_callback_returns)
{
    static const vsdk_device_ops ops = {
        .size = sizeof ops, .start = on_start, .stop = stop_at_once};
    static struct told a = {.letter = 'a', .text = text};
    vsdk_device *device = make_device(m.vm, &ops, &a, 0);

    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < 3; i++) {
        ok(pause_now());
        cr_assert_eq(a.dma_in_start, 1000);
        cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
        ok(vsdk_vm_resume(m.vm, E));
    }
    expect("a+ a- a+ a- a+ a- a+ ");
    vsdk_device_close(device);
}

/* Of a device that finishes on the machine's loop, which nobody else dispatches: the pause does. */
static void finish_by_work(void *user, vsdk_work *work)
{
    struct finishing *finishing = user;

    finishing->stopped = vsdk_device_stopped(finishing->device, NULL);
}

static vsdk_stop_answer stop_by_work(void *user, vsdk_device *device, vsdk_stop_mode mode)
{
    struct finishing *finishing = user;

    on_stop(&finishing->told, device, mode);
    vsdk_work_post((vsdk_work *)(uintptr_t)finishing->told.dma_in_start, NULL);
    return VSDK_STOP_PENDING;
}

Test(start, pending_stop_that_needs_the_loop)
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .stop = stop_by_work};
    static struct finishing finishing = {.told = {.letter = 'a', .text = text}, .stopped = 1};
    vsdk_work *work = NULL;

    finishing.device = make_device(m.vm, &ops, &finishing, 0);
    ok(vsdk_device_add_range(finishing.device, VSDK_SPACE_PIO, 0x500, 1, 0, E));
    ok(vsdk_work_create(loop_of(m.vm), finishing.device, finish_by_work, &finishing, NULL, &work,
                        E));
    finishing.told.dma_in_start = (uint64_t)(uintptr_t)work;
    machine_start(&m, &guest_spin, NULL);
    for (int i = 0; i < 3; i++) {
        finishing.stopped = 1;
        ok(pause_now());
        ok(finishing.stopped);
        ok(vsdk_vm_resume(m.vm, E));
    }
    ok(vsdk_device_detach(finishing.device, E));
    vsdk_work_close(work);
    vsdk_device_close(finishing.device);
}

static uint64_t counter(void)
{
    return result();
}

static int has_counted(void *above)
{
    return counter() > *(uint64_t *)above;
}

/* A pause that gives up. Without time the vCPU may not even have come out of the guest; with time
 * it gets as much as it takes until the devices have been told. */
static void expect_timeout(int with_time)
{
    uint64_t time = with_time ? 3 * MS : 0;

    do {
        fails(TIMEOUT, vsdk_vm_pause(m.vm, 0, time, E));
        cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
        time *= 2;
    } while (with_time && !text[0]);
    if (text[0])
        expect("a- b- a+ b+ ");
}

/* The time is over before a device has stopped: the guest goes on, and devices that had stopped are
 * started again. A stop that ends after that ends nothing. */
Test(start, pause_that_times_out_goes_on)
{
    static struct finishing finishing;
    static struct told b;
    vsdk_device *device = attach_finishing(&finishing), *second = attach_told(&b, 'b');
    struct runner runner = {.vcpu = m.vcpu, .until_kicked = 1};
    uint64_t at = 0;
    uint8_t byte;

    machine_start(&m, &guest_count, &(vsdk_x86_regs){.rbx = RESULT});
    runner_start(&runner);
    expect("a+ b+ ");
    for (int i = 0; i < 6; i++) {
        expect_timeout(i % 2);
        cr_assert(!is_stopping(&finishing));
        ok(vsdk_device_stopped(device, E));
        cr_assert_eq(vm_state(m.vm), VSDK_VM_RUNNING);
        ok(vsdk_dma_read(device, RESULT, &byte, 1, E));
        ok(vsdk_dma_read(second, RESULT, &byte, 1, E));
        at = counter();
        wait_for(has_counted, &at, "the guest to go on");
    }
    finishing.finish = 1;
    finishing_thread(&finishing);
    ok(pause_now());
    expect("a- b- ");
    pthread_join(finishing.thread, NULL);
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_device_detach(device, E));
    ok(vsdk_vcpu_kick(m.vcpu, E));
    runner_join(&runner);
    ok(runner.status);
    vsdk_device_close(second);
    vsdk_device_close(device);
}

/* Time 0 is enough where nothing has to be waited for. */
Test(start, pause_without_time)
{
    static struct told a;
    vsdk_device *device = attach_told(&a, 'a');

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vcpu_run(m.vcpu, MS, E));
    ok(vsdk_vm_pause(m.vm, 0, 0, E));
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    expect("a+ a- ");
    ok(vsdk_vm_pause(m.vm, 0, 0, E));
    vsdk_device_close(device);
}

static void *pause_main(void *user)
{
    *(vsdk_status *)user = vsdk_vm_pause(m.vm, 0, VSDK_FOREVER, NULL);
    return NULL;
}

/* While a stop is pending, who waits longer gets his pause; a resume comes after it. */
Test(start, several_wait_for_one_pause)
{
    static struct finishing finishing;
    vsdk_device *device = attach_finishing(&finishing);
    vsdk_status status = 1;
    pthread_t thread;

    machine_start(&m, &guest_spin, NULL);
    cr_assert(pthread_create(&thread, NULL, pause_main, &status) == 0);
    wait_for(is_stopping, &finishing, "the stop");
    fails(TIMEOUT, vsdk_vm_pause(m.vm, 0, 2 * MS, E));
    cr_assert(is_stopping(&finishing), "the other one still waits");
    ok(vsdk_device_stopped(device, E));
    pthread_join(thread, NULL);
    ok(status);
    cr_assert_eq(vm_state(m.vm), VSDK_VM_PAUSED);
    expect("a+ a- ");
    ok(vsdk_device_detach(device, E));
    vsdk_device_close(device);
}

/* A stop, or the guest's end, while a pause waits for a device. */
Test(start, guest_that_ends_while_a_stop_is_pending)
{
    static struct finishing finishing;
    vsdk_device *device = attach_finishing(&finishing);
    vsdk_status status = 1;
    pthread_t thread;

    machine_start(&m, &guest_spin, NULL);
    cr_assert(pthread_create(&thread, NULL, pause_main, &status) == 0);
    wait_for(is_stopping, &finishing, "the stop");
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_CRASH, 0, VSDK_CRASH_PANIC, E));
    pthread_join(thread, NULL);
    cr_assert_eq(status, VSDK_ERROR_STATE, "%s", vsdk_status_name(status));
    ok(vsdk_device_stopped(device, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_CRASH);
    expect("a+ a- ");
    vsdk_device_close(device);
}

/* Destroy tells the devices and does not wait for one that takes its time. */
Test(start, destroy_does_not_wait_for_a_pending_stop)
{
    static struct finishing finishing;
    vsdk_device *device = attach_finishing(&finishing);

    machine_start(&m, &guest_spin, NULL);
    ok(vsdk_vm_destroy(m.vm, E));
    expect("a+ a- ");
    ok(vsdk_device_stopped(device, E));
    vsdk_device_close(device);
}

Test(start, pending_stops_are_checked)
{
    fails(INVALID_ARGUMENT, vsdk_device_stopped(NULL, E));
    fails(INVALID_ARGUMENT, vsdk_device_enter(NULL, E));
    vsdk_device_leave(NULL);
    cr_assert_str_eq(vsdk_stop_mode_name(VSDK_STOP_PARK), "park");
}
