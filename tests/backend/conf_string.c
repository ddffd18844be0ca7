/* SPDX-License-Identifier: Apache-2.0 */
/* Long strings of elements for a device that is slow: a kick, a deadline, a pause and an end come
 * between two elements, and no element is lost or comes twice. One backend brings a string as one
 * exit, another as an exit an element; a device can't tell. */
#include "common.h"
#include <stdatomic.h>

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(string, .init = setup, .fini = teardown);

enum { MS = 1000000, ELEMENTS = 64, STRINGS = 4, ALL = ELEMENTS * STRINGS, EVERY = 16 };

/* What a device does at each 16th element, that with remainder 5. */
struct slow {
    void (*at)(struct slow *slow, vsdk_device *device, const vsdk_access *access);
    atomic_int seen;
    uint32_t values[ALL + 1]; /* of writes, and their widths */
    uint8_t widths[ALL + 1];
    vsdk_status status;
};

static struct slow slow;

static int note(vsdk_device *device, const vsdk_access *access)
{
    int index = atomic_load(&slow.seen);

    if (index < ALL) {
        slow.values[index] = (uint32_t)access->value;
        slow.widths[index] = (uint8_t)access->width;
    }
    atomic_fetch_add(&slow.seen, 1);
    if (index % EVERY == 5)
        slow.at(&slow, device, access);
    return index;
}

static void note_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    note(device, access);
}

static uint64_t note_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    return (uint64_t)note(device, access) * 0x01010101;
}

static vsdk_device *attach(void (*at)(struct slow *, vsdk_device *, const vsdk_access *))
{
    static const vsdk_device_ops ops = {.size = sizeof ops, .read = note_read, .write = note_write};
    vsdk_device *device = make_device(m.vm, &ops, NULL, 0);

    slow.at = at;
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, E));
    return device;
}

/* Strings of bytes, words and dwords upwards, and one of bytes downwards. */
static void load_writes(void)
{
    uint8_t bytes[ELEMENTS * 7];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    ok(vsdk_vm_write(m.vm, DATA, bytes, sizeof bytes, E));
    machine_load(&m, &guest_strings_out, native_cpl(m.host),
                 &(vsdk_x86_regs){.rsi = DATA, .rbx = ELEMENTS});
}

static void expect_writes(void)
{
    static const uint8_t widths[STRINGS] = {1, 2, 4, 1};
    uint32_t at = 0;

    cr_assert_eq(atomic_load(&slow.seen), ALL);
    for (uint32_t i = 0; i < ALL; i++) {
        uint32_t string = i / ELEMENTS, value = 0;

        if (i == ALL - ELEMENTS) /* from the last byte of the dwords downwards */
            at = ELEMENTS * 7 - 1;
        ok(vsdk_vm_read(m.vm, DATA + at, &value, widths[string], E));
        cr_assert(slow.widths[i] == widths[string] && slow.values[i] == value,
                  "element %u has %u bytes and is %#x, not %#x", i, slow.widths[i], slow.values[i],
                  value);
        at = string == 3 ? at - 1 : at + widths[string];
    }
}

static void load_reads(void)
{
    machine_load(&m, &guest_strings_in, native_cpl(m.host),
                 &(vsdk_x86_regs){.rdi = RESULT, .rbx = ELEMENTS});
}

static void expect_reads(void)
{
    uint32_t at = 0;

    cr_assert_eq(atomic_load(&slow.seen), 3 * ELEMENTS);
    for (uint32_t i = 0; i < 3 * ELEMENTS; i++)
        for (uint32_t byte = 0; byte < 1u << i / ELEMENTS; byte++, at++)
            cr_assert_eq(m.memory[RESULT + at], i, "element %u", i);
}

/* Runs until the guest's last write, and counts how often it was kicked in the midst of strings. */
static int run_kicked(uint64_t timeout_ns, vsdk_kick_detail detail, uint16_t last_port)
{
    int kicked = 0;

    for (;;) {
        int before = atomic_load(&slow.seen), now;

        ok(vsdk_vcpu_run(m.vcpu, timeout_ns, E));
        if (m.exit->reason != VSDK_EXIT_KICKED)
            break;
        now = atomic_load(&slow.seen);
        cr_assert_eq(m.exit->detail, detail);
        cr_assert(now - before <= EVERY, "%d elements in a run that was to end before",
                  now - before);
        kicked += now % ELEMENTS != 0;
    }
    cr_assert_eq(m.exit->address, last_port);
    return kicked;
}

static void kick(struct slow *of, vsdk_device *device, const vsdk_access *access)
{
    of->status = vsdk_vcpu_kick(access->vcpu, NULL);
}

Test(string, kick_comes_between_writes)
{
    vsdk_device *device = attach(kick);

    load_writes();
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_kicked(VSDK_FOREVER, VSDK_KICK_REQUEST, PORT_END), ALL / EVERY);
    ok(slow.status);
    expect_writes();
    vsdk_device_close(device);
}

/* What a device had not been given when it went away is the embedder's: no element is lost. */
Test(string, rest_is_the_embedders_when_the_device_is_gone)
{
    vsdk_device *device = attach(kick);
    uint32_t given = 0;

    load_writes();
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    ok(vsdk_device_detach(device, E));
    for (;;) {
        ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
        cr_assert_eq(m.exit->reason, VSDK_EXIT_PIO, "%s", vsdk_exit_reason_name(m.exit->reason));
        if (m.exit->address != PORT_WIDE)
            break;
        given += m.exit->count;
    }
    cr_assert_eq(m.exit->address, PORT_END);
    cr_assert_geq(given + (uint32_t)atomic_load(&slow.seen), ALL);
    vsdk_device_close(device);
}

Test(string, kick_comes_between_reads)
{
    vsdk_device *device = attach(kick);

    load_reads();
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert_eq(run_kicked(VSDK_FOREVER, VSDK_KICK_REQUEST, PORT_OUT), 3 * ELEMENTS / EVERY);
    expect_reads();
    vsdk_device_close(device);
}

static void dawdle(struct slow *of, vsdk_device *device, const vsdk_access *access)
{
    sleep_ms(60);
}

/* The time is over inside the device: it has this one element, and the run returns. */
Test(string, deadline_comes_between_writes)
{
    vsdk_device *device = attach(dawdle);

    load_writes();
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert(run_kicked(50 * MS, VSDK_KICK_DEADLINE, PORT_END) >= ALL / EVERY);
    expect_writes();
    vsdk_device_close(device);
}

Test(string, deadline_comes_between_reads)
{
    vsdk_device *device = attach(dawdle);

    load_reads();
    ok(vsdk_vm_resume(m.vm, E));
    cr_assert(run_kicked(50 * MS, VSDK_KICK_DEADLINE, PORT_OUT) >= 3 * ELEMENTS / EVERY);
    expect_reads();
    vsdk_device_close(device);
}

/* A deadline that has always passed lets an element through a run, or it would never end. */
Test(string, deadline_that_has_passed_lets_it_go_on)
{
    static void (*const nothing)(struct slow *, vsdk_device *, const vsdk_access *) = dawdle;
    vsdk_device *device = attach(nothing);
    int last = -1, stuck = 0;

    load_writes();
    ok(vsdk_vm_resume(m.vm, E));
    while (atomic_load(&slow.seen) == 0)
        ok(vsdk_vcpu_run(m.vcpu, 50 * MS, E));
    while (atomic_load(&slow.seen) < 5 && stuck < 100000) {
        ok(vsdk_vcpu_run(m.vcpu, 1, E));
        cr_assert(m.exit->reason == VSDK_EXIT_KICKED || m.exit->address == PORT_END);
        stuck = atomic_load(&slow.seen) == last ? stuck + 1 : 0;
        last = atomic_load(&slow.seen);
    }
    cr_assert(stuck < 100000);
    cr_assert(run_kicked(50 * MS, VSDK_KICK_DEADLINE, PORT_END) > 0);
    expect_writes();
    vsdk_device_close(device);
}

static void request_pause(struct slow *of, vsdk_device *device, const vsdk_access *access)
{
    of->status = vsdk_vm_pause_request(vsdk_device_vm(device), NULL);
}

static int ends_at_port(struct runner *runner, vsdk_exit *exit)
{
    return 0;
}

/* The elements that are left wait for the resume: with the thread inside run, or settled. */
static void pause_between(uint32_t flags)
{
    struct runner runner = {.vcpu = m.vcpu, .on_exit = ends_at_port};
    vsdk_device *device = attach(request_pause);

    load_writes();
    ok(vsdk_vm_resume(m.vm, E));
    runner_start(&runner);
    for (int i = 0; i < ALL / EVERY; i++) {
        int seen;

        wait_for_vm(m.vm, VSDK_VM_PAUSED);
        seen = atomic_load(&slow.seen);
        cr_assert(seen > i * EVERY + 5 && seen <= (i + 1) * EVERY + 5, "%d elements", seen);
        if (flags) {
            vsdk_status status = vsdk_vm_pause(m.vm, flags, VSDK_FOREVER, E);

            cr_assert(!status || status == VSDK_ERROR_BUSY || status == VSDK_ERROR_STATE);
        }
        sleep_ms(2);
        cr_assert_eq(atomic_load(&slow.seen), seen, "an element came in PAUSED");
        ok(vsdk_vm_resume(m.vm, E));
    }
    runner_join(&runner);
    ok(runner.status);
    cr_assert_eq(runner.last.address, PORT_END);
    expect_writes();
    vsdk_device_close(device);
}

Test(string, pause_comes_between_elements)
{
    pause_between(0);
}

Test(string, settling_in_that_pause_does_no_harm)
{
    pause_between(VSDK_PAUSE_SETTLE);
}

/* A pause that settles finishes the string first, while the device is started. */
Test(string, settling_pause_finishes_what_it_is_at)
{
    vsdk_device *device = attach(kick);
    vsdk_vcpu_phase phase;

    load_writes();
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    ok(vsdk_vcpu_get_phase(m.vcpu, &phase, E));
    cr_assert_eq(phase, VSDK_VCPU_HELD);
    ok(vsdk_vm_resume(m.vm, E));
    run_to_end(&m);
    expect_writes();
    vsdk_device_close(device);
}

/* However long the guest has made it: what is settled is the part that it is at. */
Test(string, settling_pause_does_not_finish_an_endless_string)
{
    vsdk_device *device = attach(kick);
    int seen;

    machine_load(&m, &guest_strings_out, native_cpl(m.host),
                 &(vsdk_x86_regs){.rsi = DATA, .rbx = UINT64_C(1) << 40});
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    ok(vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    seen = atomic_load(&slow.seen);
    cr_assert(seen <= 4096 + 1, "%d elements", seen);
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, 20 * MS, E));
    cr_assert(atomic_load(&slow.seen) >= seen);
    vsdk_device_close(device);
}

static void stop_guest(struct slow *of, vsdk_device *device, const vsdk_access *access)
{
    of->status = vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_STOP, 12, 0, NULL);
}

Test(string, end_comes_between_elements)
{
    vsdk_device *device = attach(stop_guest);

    load_writes();
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_STOP);
    cr_assert_eq(m.exit->value, 12);
    cr_assert_eq(atomic_load(&slow.seen), 6);
    vsdk_device_close(device);
}

static vsdk_device *late;

/* At the second time: the guest ends, and the rest is another device's, which never started. */
static void end_and_hand_over(struct slow *of, vsdk_device *device, const vsdk_access *access)
{
    if (atomic_load(&of->seen) < EVERY) {
        vsdk_vcpu_kick(access->vcpu, NULL);
        return;
    }
    of->status = vsdk_vm_stop(vsdk_device_vm(device), VSDK_EXIT_STOP, 13, 0, NULL);
    if (!of->status)
        of->status = vsdk_device_remove_range(device, VSDK_SPACE_PIO, PORT_WIDE, NULL);
    if (!of->status)
        of->status = vsdk_device_add_range(late, VSDK_SPACE_PIO, PORT_WIDE, 4, 0, NULL);
}

Test(string, end_while_it_is_settled)
{
    const vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device *device = attach(end_and_hand_over);
    vsdk_status status;

    late = make_device(m.vm, &ops, NULL, 0);
    load_reads();
    ok(vsdk_vm_resume(m.vm, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    status = (check_clear(), vsdk_vm_pause(m.vm, VSDK_PAUSE_SETTLE, VSDK_FOREVER, E));
    if (atomic_load(&slow.seen) > EVERY) { /* the string was one exit */
        ok(slow.status);
        cr_assert_eq(status, VSDK_ERROR_STATE, "%s", vsdk_status_name(status));
        ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
        cr_assert_eq(m.exit->reason, VSDK_EXIT_STOP);
        cr_assert_eq(m.exit->value, 13);
    } else {
        ok(status);
    }
    vsdk_device_close(late);
    vsdk_device_close(device);
}
