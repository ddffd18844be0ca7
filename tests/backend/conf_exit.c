/* SPDX-License-Identifier: Apache-2.0 */
/* The exit record, byte by byte, by kind of access. */
#include "common.h"

static struct machine m;

static void setup(void)
{
    machine_make(&m);
}

static void teardown(void)
{
    machine_end(&m);
}

TestSuite(exit, .init = setup, .fini = teardown);

enum { ELEMENTS = 10 };

/* The record of an access of one element, but for `native`. */
static void expect_access(const vsdk_exit *exit, vsdk_exit expected)
{
    vsdk_exit got = *exit;

    cr_assert_eq(got.data, (uint64_t)(uintptr_t)&exit->value, "data is not the address of value");
    expected.count = 1;
    got.native = expected.native = 0;
    got.data = expected.data = 0;
    cr_assert(memcmp(&got, &expected, sizeof got) == 0,
              "%s %s at %#llx, width %u, value %#llx, flags %#x, detail %#llx, tag %#llx; "
              "expected at %#llx, width %u, value %#llx, flags %#x",
              vsdk_exit_reason_name(got.reason), vsdk_direction_name(got.direction),
              (unsigned long long)got.address, got.width, (unsigned long long)got.value, got.flags,
              (unsigned long long)got.detail, (unsigned long long)got.tag,
              (unsigned long long)expected.address, expected.width,
              (unsigned long long)expected.value, expected.flags);
}

static void expect_pio_write(uint64_t port, uint16_t width, uint64_t value)
{
    expect_access(run(&m), (vsdk_exit){.reason = VSDK_EXIT_PIO,
                                       .flags = VSDK_EXIT_REGS_SETTABLE,
                                       .address = port,
                                       .width = width,
                                       .value = value,
                                       .direction = VSDK_DIRECTION_WRITE});
}

static void expect_mmio_write(uint64_t address, uint16_t width, uint64_t value)
{
    expect_access(run(&m), (vsdk_exit){.reason = VSDK_EXIT_MMIO,
                                       .address = address,
                                       .width = width,
                                       .value = value,
                                       .direction = VSDK_DIRECTION_WRITE});
}

static uint64_t ones(unsigned width)
{
    return width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
}

/* A read shows all ones in its width until it is answered; beyond the width nothing is said. */
static void expect_read(vsdk_exit_reason reason, uint64_t address, uint16_t width, uint64_t reply)
{
    const vsdk_exit *exit = run(&m);

    cr_assert_eq(exit->reason, reason);
    cr_assert_eq(exit->value & ones(width), ones(width), "not preset to ones");
    m.exit->value = 0;
    expect_access(exit, (vsdk_exit){.reason = reason, .address = address, .width = width});
    answer(exit, reply);
}

Test(exit, port_writes_of_each_width)
{
    machine_start(&m, &guest_widths_out, NULL);
    expect_pio_write(PORT_OUT, 1, 0x11);
    expect_pio_write(PORT_OUT, 2, 0x2211);
    expect_pio_write(PORT_OUT, 4, 0x44332211);
    expect_pio_write(PORT_WIDE, 1, 0x11);
    expect_pio_write(PORT_WIDE, 2, 0x2211);
    expect_pio_write(PORT_WIDE, 4, 0x44332211);
    expect_pio_write(PORT_END, 1, 0x11);
}

static uint64_t result(unsigned index)
{
    uint64_t value;
    ok(vsdk_vm_read(m.vm, RESULT + 8 * index, &value, 8, E));
    return value;
}

/* Narrow reads keep the rest of RAX, 32-bit ones clear its upper half. */
Test(exit, port_reads_of_each_width)
{
    machine_start(&m, &guest_widths_in, &(vsdk_x86_regs){.rdi = RESULT});
    for (unsigned i = 0; i < 2; i++) {
        uint64_t port = i ? PORT_WIDE : PORT_IN;
        expect_read(VSDK_EXIT_PIO, port, 1, 0xa1);
        expect_read(VSDK_EXIT_PIO, port, 2, 0xb1b2);
        expect_read(VSDK_EXIT_PIO, port, 4, 0xc1c2c3c4);
    }
    run_to_end(&m);
    for (unsigned i = 0; i < 6; i += 3) {
        cr_assert_eq(result(i), 0x11223344556677a1);
        cr_assert_eq(result(i + 1), 0x112233445566b1b2);
        cr_assert_eq(result(i + 2), 0xc1c2c3c4);
    }
}

/* A string instruction may come in pieces; its elements come in order whatever the pieces. */
static void expect_elements(const uint8_t *bytes, unsigned elements, uint16_t width, int down)
{
    for (unsigned done = 0; done < elements;) {
        const vsdk_exit *exit = run_to_write(&m, PORT_WIDE);
        const uint8_t *data = (const uint8_t *)(uintptr_t)exit->data;

        cr_assert_eq(exit->width, width);
        cr_assert(exit->count >= 1 && exit->count <= elements - done, "count %u", exit->count);
        if (exit->count > 1)
            cr_assert_eq(exit->value, 0);
        for (uint32_t i = 0; i < exit->count; i++, done++) {
            unsigned at = down ? elements - 1 - done : done;
            cr_assert(memcmp(data + i * width, bytes + at * width, width) == 0, "element %u", done);
        }
    }
}

Test(exit, string_writes_in_each_width_and_downwards)
{
    uint8_t bytes[ELEMENTS * 7];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i + 1);
    ok(vsdk_vm_write(m.vm, DATA, bytes, sizeof bytes, E));
    machine_start(&m, &guest_strings_out, &(vsdk_x86_regs){.rsi = DATA, .rbx = ELEMENTS});
    expect_elements(bytes, ELEMENTS, 1, 0);
    expect_elements(bytes + ELEMENTS, ELEMENTS, 2, 0);
    expect_elements(bytes + 3 * ELEMENTS, ELEMENTS, 4, 0);
    expect_elements(bytes + 6 * ELEMENTS, ELEMENTS, 1, 1);
    run_to_end(&m);
}

static uint8_t next_byte;

static void answer_elements(unsigned elements, uint16_t width)
{
    for (unsigned done = 0; done < elements;) {
        const vsdk_exit *exit = run_to_read(&m, PORT_WIDE);
        uint8_t *data = (uint8_t *)(uintptr_t)exit->data;

        cr_assert_eq(exit->width, width);
        cr_assert(exit->count >= 1 && exit->count <= elements - done, "count %u", exit->count);
        for (uint32_t i = 0; i < exit->count * width; i++) {
            cr_assert_eq(data[i], 0xff, "not preset to ones");
            data[i] = next_byte++;
        }
        done += exit->count;
    }
}

Test(exit, string_reads_in_each_width)
{
    uint8_t bytes[ELEMENTS * 7 + 1];

    machine_start(&m, &guest_strings_in, &(vsdk_x86_regs){.rdi = RESULT, .rbx = ELEMENTS});
    answer_elements(ELEMENTS, 1);
    answer_elements(ELEMENTS, 2);
    answer_elements(ELEMENTS, 4);
    cr_assert_eq(run_to_write(&m, PORT_OUT)->value, RESULT + ELEMENTS * 7);
    ok(vsdk_vm_read(m.vm, RESULT, bytes, sizeof bytes, E));
    for (unsigned i = 0; i < ELEMENTS * 7; i++)
        cr_assert_eq(bytes[i], i);
    cr_assert_eq(bytes[ELEMENTS * 7], 0, "one byte too many");
}

Test(exit, memory_writes_of_each_width)
{
    machine_start(&m, &guest_mmio_out, &(vsdk_x86_regs){.rbx = MMIO});
    expect_mmio_write(MMIO, 1, 0x11);
    expect_mmio_write(MMIO + 2, 2, 0x2211);
    expect_mmio_write(MMIO + 4, 4, 0x44332211);
    expect_mmio_write(MMIO + 8, 8, 0x8877665544332211);
    run_to_end(&m);
}

Test(exit, memory_reads_of_each_width)
{
    machine_start(&m, &guest_mmio_in, &(vsdk_x86_regs){.rbx = MMIO, .rdi = RESULT});
    expect_read(VSDK_EXIT_MMIO, MMIO, 1, 0xa1);
    expect_read(VSDK_EXIT_MMIO, MMIO + 2, 2, 0xb1b2);
    expect_read(VSDK_EXIT_MMIO, MMIO + 4, 4, 0xc1c2c3c4);
    expect_read(VSDK_EXIT_MMIO, MMIO + 8, 8, 0xd1d2d3d4d5d6d7d8);
    run_to_end(&m);
    cr_assert_eq(result(0), 0x11223344556677a1);
    cr_assert_eq(result(1), 0x112233445566b1b2);
    cr_assert_eq(result(2), 0xc1c2c3c4);
    cr_assert_eq(result(3), 0xd1d2d3d4d5d6d7d8);
}

Test(exit, unanswered_reads_are_all_ones)
{
    machine_start(&m, &guest_mmio_in, &(vsdk_x86_regs){.rbx = MMIO, .rdi = RESULT});
    for (int i = 0; i < 4; i++)
        cr_assert_eq(run(&m)->reason, VSDK_EXIT_MMIO);
    run_to_end(&m);
    cr_assert_eq(result(0), 0x11223344556677ff);
    cr_assert_eq(result(1), 0x112233445566ffff);
    cr_assert_eq(result(2), 0xffffffff);
    cr_assert_eq(result(3), UINT64_MAX);
}

/* Collects the fragments of one access: bytes by address. */
static void collect(uint8_t *bytes, uint64_t address, unsigned length, vsdk_direction direction)
{
    for (unsigned done = 0; done < length;) {
        const vsdk_exit *exit = run(&m);
        uint8_t *data = (uint8_t *)(uintptr_t)exit->data;

        cr_assert_eq(exit->reason, VSDK_EXIT_MMIO);
        cr_assert_eq(exit->direction, direction);
        cr_assert_eq(exit->address, address + done, "fragments are not ascending");
        cr_assert(exit->width <= length - done);
        if (direction == VSDK_DIRECTION_WRITE)
            memcpy(bytes + done, data, exit->width);
        else
            memcpy(data, bytes + done, exit->width);
        done += exit->width;
    }
}

Test(exit, write_across_a_page)
{
    const uint64_t at = MMIO + 0xffc, value = 0x8877665544332211;
    uint64_t got = 0;

    machine_start(&m, &guest_put, &(vsdk_x86_regs){.rbx = at, .r8 = value});
    collect((uint8_t *)&got, at, 8, VSDK_DIRECTION_WRITE);
    cr_assert_eq(got, value);
    run_to_end(&m);
}

Test(exit, read_across_a_page)
{
    const uint64_t at = MMIO + 0xffd;
    uint64_t value = 0x8877665544332211;

    machine_start(&m, &guest_copy, &(vsdk_x86_regs){.rbx = at, .rdi = RESULT});
    collect((uint8_t *)&value, at, 8, VSDK_DIRECTION_READ);
    run_to_end(&m);
    cr_assert_eq(result(0), value);
}

Test(exit, write_to_read_only_memory)
{
    const uint64_t value = 0x1122334455667788;
    uint64_t before = 0x99, after = 0, seen = 0;

    need(m.host, VSDK_CAPABILITY_READONLY);
    ok(vsdk_vm_unmap(m.vm, 0, RAM_BYTES, E));
    ok(vsdk_vm_map(m.vm, 0, m.ram, 0, SPARE, 0, E));
    ok(vsdk_vm_map(m.vm, SPARE, m.ram, SPARE, RAM_BYTES - SPARE, 0, E));
    ok(vsdk_vm_write(m.vm, SPARE + 8, &before, 8, E));
    ok(vsdk_vm_protect(m.vm, SPARE, RAM_BYTES - SPARE, VSDK_MAP_READONLY, E));
    machine_start(&m, &guest_put, &(vsdk_x86_regs){.rbx = SPARE + 8, .r8 = value});
    collect((uint8_t *)&seen, SPARE + 8, 8, VSDK_DIRECTION_WRITE);
    cr_assert_eq(seen, value);
    run_to_end(&m);
    ok(vsdk_vm_read(m.vm, SPARE + 8, &after, 8, E));
    cr_assert_eq(after, before, "the memory was written");
}

Test(exit, registers_may_be_set_at_a_port_write)
{
    vsdk_x86_regs regs;

    machine_start(&m, &guest_out_rax, &(vsdk_x86_regs){.rax = 0x1000});
    for (uint64_t value = 0x1000; value < 0x1005; value++) {
        const vsdk_exit *exit = run_to_write(&m, PORT_OUT);

        cr_assert(exit->flags & VSDK_EXIT_REGS_SETTABLE);
        cr_assert_eq(exit->value, value);
        ok(vsdk_vcpu_get_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
        cr_assert_eq(regs.rax, value);
        regs.rax = value + 1;
        regs.rip++; /* what the access belongs to */
        fails(STATE, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
        regs.rip--;
        ok(vsdk_vcpu_set_state(m.vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), E));
    }
}

Test(exit, registers_come_with_the_exit_when_asked)
{
    vsdk_vcpu_config config = {.size = sizeof config, .flags = VSDK_VCPU_SYNC_GENERAL};
    const vsdk_x86_regs *regs;
    struct machine other;

    need(m.host, VSDK_CAPABILITY_SYNC_GENERAL);
    machine_make_bare(&other, NULL);
    ok(vsdk_vcpu_create(other.vm, 0, &config, &other.vcpu, E));
    other.exit = vsdk_vcpu_record(other.vcpu);
    regs = vsdk_x86_vcpu_sync_regs(other.vcpu);
    cr_assert(regs);
    machine_start(&other, &guest_out_forever, &(vsdk_x86_regs){.r12 = 0x1234567890, .rsi = 5});
    for (uint64_t value = 1; value < 4; value++) {
        const vsdk_exit *exit = run_to_write(&other, PORT_OUT);

        cr_assert(exit->flags & VSDK_EXIT_REGS_SYNCED);
        cr_assert_eq(regs->rax, value);
        cr_assert_eq(regs->r12, 0x1234567890);
        cr_assert_eq(regs->rsi, 5);
        cr_assert(vsdk_x86_vcpu_sync_regs(other.vcpu) == regs);
    }
    machine_end(&other);
}

Test(exit, record_stays_where_it_is)
{
    cr_assert_eq(sizeof(vsdk_exit), 64);
    cr_assert_eq((uintptr_t)m.exit % 64, 0);
    cr_assert_eq(m.exit->reason, VSDK_EXIT_NONE);
    machine_start(&m, &guest_out_forever, NULL);
    run_to_write(&m, PORT_OUT);
    cr_assert(vsdk_vcpu_record(m.vcpu) == m.exit);
}

Test(exit, counters_count)
{
    vsdk_vcpu_counters counters = {.size = sizeof counters};

    machine_start(&m, &guest_widths_out, NULL);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(run(&m)->reason, VSDK_EXIT_PIO);
    ok(vsdk_vcpu_kick(m.vcpu, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    cr_assert_eq(m.exit->reason, VSDK_EXIT_KICKED);
    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    cr_assert_eq(counters.pio, 7);
    cr_assert_eq(counters.mmio, 0);
    cr_assert_eq(counters.claimed, 0);
    cr_assert_eq(counters.returned, 7);
    cr_assert_eq(counters.kicked, 1);
    cr_assert(counters.runs >= 8 && counters.exits >= 7);
    ok(vsdk_vm_stop(m.vm, VSDK_EXIT_STOP, 0, 0, E));
    ok(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    ok(vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    cr_assert_eq(counters.returned, 8);
    counters.size = 8;
    fails(INVALID_ARGUMENT, vsdk_vcpu_get_counters(m.vcpu, &counters, E));
    fails(INVALID_ARGUMENT, vsdk_vcpu_get_counters(m.vcpu, NULL, E));
}
