/* SPDX-License-Identifier: Apache-2.0 */
/* The assembled guests on both mocks, below the core. */
#include "mock_rig.h"
#include <criterion/criterion.h>
#include <string.h>

static void echo(int autonomous, unsigned cpl)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_pio_echo, cpl, 0);
    rig_start(&r);
    rig_answer(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x5a);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x5a);
    cr_assert_eq(r.exit->flags, VSDK_EXIT_REGS_SETTABLE);
    rig_answer(&r, VSDK_EXIT_PIO, PORT_WORD, 2, 0xbeef);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_WORD, 2, 0xbeef);
    rig_answer(&r, VSDK_EXIT_PIO, PORT_LONG, 4, 0xdeadbeef);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_LONG, 4, 0xdeadbeef);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

BOTH(guests, ports_at_both_levels)
{
    echo(autonomous, 0);
    echo(autonomous, 3);
}

BOTH(guests, memory_of_each_width)
{
    static const uint64_t values[] = {0x10, 0x1110, 0x33221100, 0x7766554433221100};
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_mmio_widths, 3, 0);
    rig_start(&r);
    for (unsigned i = 0; i < 4; i++) {
        rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 8 * i, 1u << i, values[i]);
        rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO + 0x100 + 8 * i, 1u << i, values[i] + 1);
        cr_assert_eq(r.exit->flags, 0);
    }
    rig_expect_end(&r, 0);
    rig_close(&r);
}

/* The elements of string instructions, however they are cut into exits. */
static void take_elements(rig *r, uint64_t port, unsigned width, unsigned count, void *to)
{
    unsigned had = 0;

    while (had < count) {
        rig_expect(r, VSDK_EXIT_PIO, VSDK_DIRECTION_WRITE, port, width);
        cr_assert_eq(r->exit->flags, 0);
        cr_assert_leq(had + r->exit->count, count);
        memcpy((uint8_t *)to + had * width, (void *)(uintptr_t)r->exit->data,
               (size_t)r->exit->count * width);
        had += r->exit->count;
    }
}

static void give_elements(rig *r, uint64_t port, unsigned width, unsigned count, const void *from)
{
    unsigned had = 0;

    while (had < count) {
        rig_expect(r, VSDK_EXIT_PIO, VSDK_DIRECTION_READ, port, width);
        cr_assert_leq(had + r->exit->count, count);
        memcpy((void *)(uintptr_t)r->exit->data, (const uint8_t *)from + had * width,
               (size_t)r->exit->count * width);
        had += r->exit->count;
    }
}

BOTH(guests, strings)
{
    static const uint16_t words[] = {0x1111, 0x2222, 0x3333};
    uint8_t bytes[10];
    uint32_t dwords[3];
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_rep_string, 3, 0);
    rig_start(&r);
    take_elements(&r, PORT_BYTE, 1, 10, bytes);
    cr_assert_eq(r.exit->count, autonomous ? 1u : 10u);
    cr_assert_arr_eq(bytes, "0123456789", 10);
    take_elements(&r, PORT_LONG, 4, 3, dwords);
    cr_assert_eq(dwords[2], 0x33333333);
    give_elements(&r, PORT_BYTE, 1, 10, "abcdefghij");
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 1015);
    give_elements(&r, PORT_WORD, 2, 3, words);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 0x3333);
    for (unsigned i = 0; i < 3; i++)
        rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO + 4 * i, 4, 0x11111111u * (i + 1));
    for (unsigned i = 0; i < 3; i++)
        rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO + 0x40 + i, 1, 0x5a);
    rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 0x80, 2, 0xcdef);
    rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 0x82, 2, 0x89ab);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 0x89abcdef);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

BOTH(guests, writes_to_read_only_memory)
{
    const uint64_t at = 0x8000000;
    backend_slot slot;
    rig r = {0};

    rig_open(&r, autonomous);
    backend_ram ram = {.vm = &r.vm, .bytes = 0x1000};
    cr_assert_eq(r.host.ops->ram_create(&ram, NULL), VSDK_OK);
    slot = (backend_slot){
        .ram = &ram, .gpa = at, .length = 0x1000, .flags = VSDK_MAP_READONLY, .index = 1};
    cr_assert_eq(r.host.ops->vm_map(&r.vm, &slot, NULL), VSDK_OK);
    *(uint32_t *)ram.memory = 41;
    rig_load(&r, &guest_readonly_write, 3, at);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 41);
    rig_expect_write(&r, VSDK_EXIT_MMIO, at, 4, 42);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 41);
    rig_expect_end(&r, 0);
    if (r.host.ops->vm_pause)
        r.host.ops->vm_pause(&r.vm, NULL);
    cr_assert_eq(r.host.ops->vm_unmap(&r.vm, &slot, NULL), VSDK_OK);
    r.host.ops->ram_free(&ram);
    rig_close(&r);
}

BOTH(guests, halt_without_controller)
{
    rig r = {.irqchip = VSDK_IRQCHIP_NONE};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_hlt, 0, 0);
    rig_start(&r);
    for (unsigned i = 1; i < 3; i++) {
        rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, i);
        rig_run(&r, 0);
        cr_assert_eq(r.exit->reason, VSDK_EXIT_HALT);
    }
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 3);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

static void send(rig *r, uint8_t vector)
{
    cr_assert_eq(r->host.ops->vm_send_msi(&r->vm, 0xfee00000, vector, &r->error), VSDK_OK);
}

BOTH(guests, interrupts)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_vectors, 0, 0);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 1);
    send(&r, 0x31);
    send(&r, 0x33);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x33);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x31);
    send(&r, 0x30);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x30);
    send(&r, 0x3f);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0x3f);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

BOTH(guests, non_maskable_interrupts)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_nmi, 0, 0);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 1);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(r.host.ops->vcpu_inject_nmi(&r.vcpu[0], &r.error), VSDK_OK);
        rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 2);
    }
    rig_expect_end(&r, 0);
    rig_close(&r);
}

/* One run of a vCPU that is not to wait long. */
static int try_run(rig *r, uint32_t vcpu)
{
    rig_run_for(r, vcpu, 2000000);
    return r->exits[vcpu].reason != VSDK_EXIT_KICKED;
}

BOTH(guests, processors_start)
{
    uint32_t reports = 0, rounds = 0;
    rig r = {.vcpu_count = RIG_VCPUS};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_smp, 0, RIG_VCPUS - 1);
    rig_start(&r);
    while (r.exits[0].address != PORT_END) {
        for (uint32_t i = 0; i < RIG_VCPUS; i++) {
            if (!try_run(&r, i) || r.exits[i].address == PORT_END)
                continue;
            cr_assert_eq(r.exits[i].reason, VSDK_EXIT_PIO);
            cr_assert_eq(r.exits[i].address, PORT_REPORT);
            cr_assert_eq(r.exits[i].value, 2 * i);
            reports |= 1u << i;
        }
        cr_assert_lt(++rounds, 1000u);
    }
    cr_assert_eq(reports, (1u << RIG_VCPUS) - 1);
    cr_assert_eq(r.exits[0].value, 0);
    rig_close(&r);
}

BOTH(guests, triple_fault)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_triple_fault, 0, 0);
    rig_start(&r);
    for (int i = 0; i < 2; i++) {
        rig_run(&r, 0);
        cr_assert_eq(r.exit->reason, VSDK_EXIT_CRASH);
        cr_assert_eq(r.exit->detail, VSDK_CRASH_TRIPLE_FAULT);
    }
    rig_close(&r);
}

BOTH(guests, exceptions)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_exceptions, 0, 0);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 6);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 14);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

BOTH(guests, memory_written_by_a_device)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_dma, 3, 0);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_LONG, 4, BUFFER);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_LONG, 4, BUFFER_SECOND);
    rig_answer(&r, VSDK_EXIT_PIO, PORT_BYTE, 1, 0);
    memcpy(r.memory + BUFFER, r.memory + BUFFER_SECOND, 64);
    cr_assert_eq(r.memory[BUFFER + 2], 2 * PATTERN_STEP + PATTERN_FIRST);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

BOTH(guests, registers_come_out)
{
    uint64_t first[16], changed = 0xabcdef;
    vsdk_x86_regs regs;
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_regs, 3, 0x123456789abcdef0);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_LOOK, 1, 1);
    memcpy(first, r.memory + DATA, sizeof first);
    cr_assert_eq(first[5], 0x123456789abcdef0);
    cr_assert_eq(first[6], STACK - 0x100);
    cr_assert_eq(r.host.ops->vcpu_get_regs(&r.vcpu[0], &regs, &r.error), VSDK_OK);
    for (uint64_t i = 0; i < 16; i++)
        cr_assert_eq((&regs.rax)[i], (i + 1) * 0x0101010101010101);
    regs.rax = changed;
    cr_assert_eq(r.host.ops->vcpu_set_regs(&r.vcpu[0], &regs, &r.error), VSDK_OK);
    rig_expect_end(&r, 0);
    memcpy(&changed, r.memory + DATA + 0x80, 8);
    cr_assert_eq(changed, 0xabcdef);
    rig_close(&r);
}

BOTH(guests, accesses_that_cross_a_page)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_page_cross, 3, 0);
    rig_start(&r);
    rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 0xffe, 2, 0x2211);
    rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 0x1000, 2, 0x4433);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 0x44332211);
    rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO + 0x1ffc, 4, 0x44332211);
    rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO + 0x2000, 4, 0x88776655);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

BOTH(guests, real_and_protected_mode)
{
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;
    rig r = {0};

    rig_open(&r, autonomous);
    const backend_ops *ops = r.host.ops;
    memcpy(r.memory + CODE, guest_real_mode.code,
           (size_t)(guest_real_mode.end - guest_real_mode.code));
    cr_assert_eq(ops->vcpu_get_sregs(&r.vcpu[0], &sregs, &r.error), VSDK_OK);
    start_set_real_mode(&sregs);
    start_set_real_regs(&regs);
    cr_assert_eq(ops->vcpu_set_sregs(&r.vcpu[0], &sregs, &r.error), VSDK_OK);
    cr_assert_eq(ops->vcpu_set_regs(&r.vcpu[0], &regs, &r.error), VSDK_OK);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_WORD, 2, 0x1234);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_WORD, 2, 0x2121);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_LONG, 4, 0x12345678);
    rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO, 4, 0x87654321);
    rig_expect_end(&r, 0);
    rig_close(&r);
}

/* The embedder's device of device_trace.S, told in its order. */
static void probe_interrupt(rig *r, uint64_t command, uint8_t vector)
{
    rig_expect_write(r, VSDK_EXIT_MMIO, PROBE_MMIO + PROBE_COMMAND, 4, command);
    send(r, vector);
}

static uint64_t sum_of(const uint8_t *bytes)
{
    uint64_t sum = 0;

    for (int i = 0; i < 64; i++)
        sum += bytes[i];
    return sum;
}

BOTH(guests, device_trace)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_device_trace, 0, 0);
    rig_start(&r);
    rig_answer(&r, VSDK_EXIT_PIO, PROBE_PORT + PROBE_ID, 4, 0x70726f62);
    rig_expect_write(&r, VSDK_EXIT_PIO, PROBE_PORT + PROBE_ECHO, 4, 0x70726f63);
    rig_expect_write(&r, VSDK_EXIT_MMIO, PROBE_MMIO + PROBE_ADDRESS, 4, BUFFER);
    rig_expect_write(&r, VSDK_EXIT_MMIO, PROBE_MMIO + PROBE_LENGTH, 4, 64);
    for (int i = 0; i < 64; i++)
        r.memory[BUFFER + i] = (uint8_t)(i * PATTERN_STEP + PATTERN_FIRST);
    probe_interrupt(&r, PROBE_FILL, PROBE_VECTOR_FILL);
    rig_expect_write(&r, VSDK_EXIT_MMIO, PROBE_MMIO + PROBE_SUM, 8, sum_of(r.memory + BUFFER));
    rig_expect_write(&r, VSDK_EXIT_MMIO, PROBE_MMIO + PROBE_ADDRESS, 4, BUFFER_SECOND);
    probe_interrupt(&r, PROBE_DRAIN, PROBE_VECTOR_DRAIN);
    rig_answer(&r, VSDK_EXIT_MMIO, PROBE_MMIO + PROBE_TOTAL, 8, sum_of(r.memory + BUFFER_SECOND));
    for (unsigned i = 1; i <= PROBE_TIMER_TICKS; i++) {
        probe_interrupt(&r, PROBE_TIMER, PROBE_VECTOR_TIMER);
        rig_expect_write(&r, VSDK_EXIT_MMIO, PROBE_MMIO + PROBE_TICKS, 4, i);
    }
    rig_expect_end(&r, 0);
    rig_close(&r);
}

/* INT is for gates that the level may call, whatever their handler's level. */
Test(guests, a_gate_of_level_0_is_not_called_from_level_3)
{
    const uint64_t stack_of_level_0 = STACKS;
    rig r = {0};

    rig_open(&r, 0);
    rig_load(&r, &guest_software_interrupt, 3, 0);
    memcpy(r.memory + TSS + 4, &stack_of_level_0, sizeof stack_of_level_0);
    rig_start(&r);
    rig_run(&r, 0);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_CRASH, "%s", vsdk_exit_reason_name(r.exit->reason));
    rig_close(&r);
}
