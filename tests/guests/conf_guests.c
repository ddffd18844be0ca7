/* SPDX-License-Identifier: Apache-2.0 */
/* The guests through the library, on the host that $VSDK_TEST_BACKEND names: what they do must be
 * the same in every place, element by element. */
#include "start.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { VCPUS = 3, SLICE_NS = 20000000, ROUNDS_MOST = 3000 };
#define ROM 0x8000000

typedef struct machine {
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    uint8_t *memory;
    vsdk_vcpu *vcpu[VCPUS];
    vsdk_exit *exit; /* of vCPU 0 */
    uint32_t vcpus;
    vsdk_error error;
} machine;

static machine m;

static void ok(vsdk_status status)
{
    cr_assert_eq(status, VSDK_OK, "%s: %s (%s)", m.error.operation, m.error.message, m.error.hint);
}

static int can(vsdk_capability capability)
{
    vsdk_capability_info info = {.size = sizeof info};

    ok(vsdk_host_query(m.host, capability, &info, &m.error));
    return info.answer != VSDK_ANSWER_NO;
}

static void open_host(void)
{
    const char *name = getenv("VSDK_TEST_BACKEND");

    m = (machine){0};
    ok(vsdk_host_open(name ? name : "mock", NULL, &m.host, &m.error));
}

static void make(uint32_t vcpus, vsdk_irqchip irqchip)
{
    vsdk_vm_config config = {.size = sizeof config, .vcpus_max = vcpus, .irqchip = irqchip};

    ok(vsdk_vm_create(m.host, &config, &m.vm, &m.error));
    ok(vsdk_ram_create(m.vm, RAM_BYTES, NULL, &m.ram, &m.error));
    ok(vsdk_vm_map(m.vm, 0, m.ram, 0, RAM_BYTES, 0, &m.error));
    m.memory = vsdk_ram_data(m.ram);
    cr_assert_not_null(m.memory);
    m.vcpus = vcpus;
    for (uint32_t i = 0; i < vcpus; i++)
        ok(vsdk_vcpu_create(m.vm, i, NULL, &m.vcpu[i], &m.error));
    m.exit = vsdk_vcpu_record(m.vcpu[0]);
}

static void start(const struct guest *image, unsigned cpl, uint64_t argument)
{
    ok(start_load(m.vm, image, &m.error));
    ok(start_vcpu(m.vcpu[0], cpl, argument, &m.error));
    ok(vsdk_vm_resume(m.vm, &m.error));
}

/* A machine with one processor that runs a guest. */
static void run_guest(const struct guest *image, unsigned cpl, uint64_t argument)
{
    make(1, VSDK_IRQCHIP_PORTABLE);
    start(image, cpl, argument);
}

static void end(void)
{
    for (uint32_t i = 0; i < VCPUS; i++)
        vsdk_vcpu_close(m.vcpu[i]);
    vsdk_ram_close(m.ram);
    if (m.vm)
        vsdk_vm_destroy(m.vm, NULL);
    vsdk_vm_close(m.vm);
    vsdk_host_close(m.host);
    m = (machine){0};
}

/* Nothing is torn down after a skip, and a guest may outlive the process. */
static void skip(const char *what, const char *reason)
{
    end();
    cr_skip_test("%s: %s", what, reason);
}

static void need(vsdk_capability capability)
{
    vsdk_capability_info info = {.size = sizeof info};

    ok(vsdk_host_query(m.host, capability, &info, &m.error));
    if (info.answer == VSDK_ANSWER_NO)
        skip(vsdk_capability_name(capability), info.reason);
}

TestSuite(guests, .init = open_host, .fini = end, .timeout = 120);

static void run(void)
{
    do {
        ok(vsdk_vcpu_run(m.vcpu[0], VSDK_FOREVER, &m.error));
    } while (m.exit->reason == VSDK_EXIT_KICKED);
}

static void expect(vsdk_exit_reason reason, vsdk_direction direction, uint64_t address,
                   unsigned width)
{
    run();
    cr_assert_eq(m.exit->reason, reason, "%s at 0x%llx, native 0x%llx",
                 vsdk_exit_reason_name(m.exit->reason), (unsigned long long)m.exit->address,
                 (unsigned long long)m.exit->native);
    cr_assert_eq(m.exit->direction, direction);
    cr_assert_eq(m.exit->address, address, "0x%llx, not 0x%llx",
                 (unsigned long long)m.exit->address, (unsigned long long)address);
    cr_assert_eq(m.exit->width, width);
}

static void written(vsdk_exit_reason reason, uint64_t address, unsigned width, uint64_t value)
{
    expect(reason, VSDK_DIRECTION_WRITE, address, width);
    cr_assert_eq(m.exit->count, 1);
    cr_assert_eq(m.exit->value, value, "0x%llx, not 0x%llx", (unsigned long long)m.exit->value,
                 (unsigned long long)value);
}

static void read(vsdk_exit_reason reason, uint64_t address, unsigned width, uint64_t value)
{
    expect(reason, VSDK_DIRECTION_READ, address, width);
    cr_assert_eq(m.exit->count, 1);
    memcpy((void *)(uintptr_t)m.exit->data, &value, width);
}

static void ends(uint8_t status)
{
    written(VSDK_EXIT_PIO, PORT_END, 1, status);
}

/* Elements of string instructions, however they are cut into exits. */
static void elements(vsdk_direction direction, uint64_t port, unsigned width, unsigned count,
                     uint8_t *bytes)
{
    for (unsigned had = 0; had < count; had += m.exit->count) {
        expect(VSDK_EXIT_PIO, direction, port, width);
        cr_assert_leq(had + m.exit->count, count);
        void *data = (void *)(uintptr_t)m.exit->data;
        uint8_t *place = bytes + (size_t)had * width;
        if (direction == VSDK_DIRECTION_WRITE)
            memcpy(place, data, (size_t)m.exit->count * width);
        else
            memcpy(data, place, (size_t)m.exit->count * width);
    }
}

static void echo(unsigned cpl)
{
    run_guest(&guest_pio_echo, cpl, 0);
    read(VSDK_EXIT_PIO, PORT_BYTE, 1, 0x5a);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 0x5a);
    cr_assert(m.exit->flags & VSDK_EXIT_REGS_SETTABLE);
    read(VSDK_EXIT_PIO, PORT_WORD, 2, 0xbeef);
    written(VSDK_EXIT_PIO, PORT_WORD, 2, 0xbeef);
    read(VSDK_EXIT_PIO, PORT_LONG, 4, 0xdeadbeef);
    written(VSDK_EXIT_PIO, PORT_LONG, 4, 0xdeadbeef);
    ends(0);
}

Test(guests, ports_at_level_0)
{
    echo(0);
}

Test(guests, ports_at_level_3)
{
    echo(3);
}

Test(guests, memory_of_each_width)
{
    static const uint64_t values[] = {0x10, 0x1110, 0x33221100, 0x7766554433221100};

    run_guest(&guest_mmio_widths, 3, 0);
    for (unsigned i = 0; i < 4; i++) {
        read(VSDK_EXIT_MMIO, MMIO + 8 * i, 1u << i, values[i]);
        written(VSDK_EXIT_MMIO, MMIO + 0x100 + 8 * i, 1u << i, values[i] + 1);
    }
    ends(0);
}

Test(guests, strings)
{
    uint16_t words[] = {0x1111, 0x2222, 0x3333};
    uint8_t letters[] = "abcdefghij", bytes[10];
    uint32_t dwords[3];

    run_guest(&guest_rep_string, 3, 0);
    elements(VSDK_DIRECTION_WRITE, PORT_BYTE, 1, 10, bytes);
    cr_assert_arr_eq(bytes, "0123456789", 10);
    elements(VSDK_DIRECTION_WRITE, PORT_LONG, 4, 3, (uint8_t *)dwords);
    cr_assert(dwords[0] == 0x11111111 && dwords[2] == 0x33333333);
    elements(VSDK_DIRECTION_READ, PORT_BYTE, 1, 10, letters);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 1015);
    elements(VSDK_DIRECTION_READ, PORT_WORD, 2, 3, (uint8_t *)words);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 0x3333);
    for (unsigned i = 0; i < 3; i++)
        written(VSDK_EXIT_MMIO, MMIO + 4 * i, 4, 0x11111111u * (i + 1));
    for (unsigned i = 0; i < 3; i++)
        written(VSDK_EXIT_MMIO, MMIO + 0x40 + i, 1, 0x5a);
    read(VSDK_EXIT_MMIO, MMIO + 0x80, 2, 0xcdef);
    read(VSDK_EXIT_MMIO, MMIO + 0x82, 2, 0x89ab);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 0x89abcdef);
    ends(0);
}

/* How a dword or qword is cut at a page is the processor's; the bytes are not. */
static uint64_t cut(vsdk_direction direction, uint64_t address, unsigned bytes, uint64_t value)
{
    uint64_t got = 0;

    for (unsigned done = 0; done < bytes; done += m.exit->width) {
        run();
        cr_assert_eq(m.exit->reason, VSDK_EXIT_MMIO);
        cr_assert_eq(m.exit->direction, direction);
        cr_assert_eq(m.exit->address, address + done);
        cr_assert_leq(done + m.exit->width, bytes);
        if (direction == VSDK_DIRECTION_READ)
            m.exit->value = value >> 8 * done;
        else
            got |= m.exit->value << 8 * done;
    }
    return got;
}

Test(guests, accesses_that_cross_a_page)
{
    run_guest(&guest_page_cross, 3, 0);
    cut(VSDK_DIRECTION_READ, MMIO + 0xffe, 4, 0x44332211);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 0x44332211);
    cr_assert_eq(cut(VSDK_DIRECTION_WRITE, MMIO + 0x1ffc, 8, 0), 0x8877665544332211);
    ends(0);
}

Test(guests, writes_to_read_only_memory)
{
    vsdk_ram *rom;
    uint32_t *memory;

    need(VSDK_CAPABILITY_READONLY);
    make(1, VSDK_IRQCHIP_PORTABLE);
    ok(vsdk_ram_create(m.vm, 0x1000, NULL, &rom, &m.error));
    ok(vsdk_vm_map(m.vm, ROM, rom, 0, 0x1000, VSDK_MAP_READONLY, &m.error));
    memory = vsdk_ram_data(rom);
    cr_assert_not_null(memory);
    *memory = 41;
    start(&guest_readonly_write, 3, ROM);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 41);
    written(VSDK_EXIT_MMIO, ROM, 4, 42);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 41);
    ends(0);
    vsdk_ram_close(rom);
}

Test(guests, halts_without_controller)
{
    need(VSDK_CAPABILITY_IRQCHIP_NONE);
    need(VSDK_CAPABILITY_HALT_EXIT);
    make(1, VSDK_IRQCHIP_NONE);
    start(&guest_hlt, 0, 0);
    for (unsigned i = 1; i < 3; i++) {
        written(VSDK_EXIT_PIO, PORT_BYTE, 1, i);
        run();
        cr_assert_eq(m.exit->reason, VSDK_EXIT_HALT);
    }
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 3);
    ends(0);
}

static void send(uint32_t vector)
{
    ok(vsdk_vm_send_msi(m.vm, 0xfee00000, vector, &m.error));
}

Test(guests, interrupts)
{
    run_guest(&guest_vectors, 0, 0);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 1);
    send(0x31);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 0x31);
    send(0x30);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 0x30);
    send(0x3f);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 0x3f);
    ends(0);
}

/* The library's IOAPIC sends a level pin again when the guest ends its interrupt while the line is
 * high, and not after that. */
Test(guests, level_line)
{
    vsdk_device *ioapic;
    vsdk_irq *irq;

    make(1, VSDK_IRQCHIP_PORTABLE);
    ok(vsdk_ioapic_create(m.vm, NULL, &ioapic, &m.error));
    ok(vsdk_irq_create(m.vm, &(vsdk_irq_config){.size = sizeof(vsdk_irq_config), .gsi = LINE}, &irq,
                       &m.error));
    start(&guest_level_line, 0, 0);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 1);
    for (int i = 0; i < 3; i++) {
        ok(vsdk_irq_raise(irq, &m.error));
        for (int again = 0; again < 3; again++)
            written(VSDK_EXIT_PIO, PORT_BYTE, 1, LINE_VECTOR);
        ok(vsdk_irq_lower(irq, &m.error));
    }
    send(LINE_LAST);
    ends(0);
    vsdk_irq_close(irq);
    vsdk_device_close(ioapic);
}

Test(guests, non_maskable_interrupts)
{
    need(VSDK_CAPABILITY_NMI);
    run_guest(&guest_nmi, 0, 0);
    written(VSDK_EXIT_PIO, PORT_REPORT, 4, 1);
    for (int i = 0; i < 2; i++) {
        ok(vsdk_x86_vcpu_inject_nmi(m.vcpu[0], &m.error));
        written(VSDK_EXIT_PIO, PORT_BYTE, 1, 2);
    }
    ends(0);
}

Test(guests, exceptions)
{
    run_guest(&guest_exceptions, 0, 0);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 6);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 14);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 0);
    ends(0);
}

/* An emulator of CPL 0 beside native code knows less than the rest. */
Test(guests, software_interrupts)
{
    vsdk_capability_info info = {.size = sizeof info};

    ok(vsdk_host_query(m.host, VSDK_CAPABILITY_KERNEL_MODE, &info, &m.error));
    if (info.answer != VSDK_ANSWER_YES && !strcmp(vsdk_host_backend(m.host), "kvm"))
        skip("CPL 0", info.reason);
    run_guest(&guest_software_interrupt, 0, 0);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 0x80);
    written(VSDK_EXIT_PIO, PORT_BYTE, 1, 3);
    ends(0);
}

/* Every processor in its turn, for a while. */
static int report_of(uint32_t i, uint32_t *reports)
{
    const vsdk_exit *exit = vsdk_vcpu_record(m.vcpu[i]);

    ok(vsdk_vcpu_run(m.vcpu[i], SLICE_NS, &m.error));
    if (exit->reason == VSDK_EXIT_KICKED)
        return 0;
    cr_assert_eq(exit->reason, VSDK_EXIT_PIO);
    if (exit->address == PORT_END)
        return 1;
    cr_assert_eq(exit->address, PORT_REPORT);
    cr_assert_eq(exit->value, 2 * i);
    *reports |= 1u << i;
    return 0;
}

Test(guests, processors_start)
{
    uint32_t reports = 0;
    int over = 0;

    make(VCPUS, VSDK_IRQCHIP_PORTABLE);
    start(&guest_smp, 0, VCPUS - 1);
    for (int round = 0; !over; round++) {
        cr_assert_lt(round, ROUNDS_MOST);
        for (uint32_t i = 0; i < VCPUS && !over; i++)
            over = report_of(i, &reports);
    }
    cr_assert_eq(reports, (1u << VCPUS) - 1);
}

Test(guests, triple_fault)
{
    run_guest(&guest_triple_fault, 0, 0);
    for (int i = 0; i < 2; i++) {
        run();
        cr_assert_eq(m.exit->reason, VSDK_EXIT_CRASH, "%s", vsdk_exit_reason_name(m.exit->reason));
        if (can(VSDK_CAPABILITY_CRASH_DETAIL))
            cr_assert_eq(m.exit->detail, VSDK_CRASH_TRIPLE_FAULT);
    }
}

Test(guests, memory_written_by_a_device)
{
    uint8_t bytes[64];

    run_guest(&guest_dma, 3, 0);
    written(VSDK_EXIT_PIO, PORT_LONG, 4, BUFFER);
    written(VSDK_EXIT_PIO, PORT_LONG, 4, BUFFER_SECOND);
    read(VSDK_EXIT_PIO, PORT_BYTE, 1, 0);
    ok(vsdk_vm_read(m.vm, BUFFER_SECOND, bytes, sizeof bytes, &m.error));
    cr_assert_eq(bytes[2], 2 * PATTERN_STEP + PATTERN_FIRST);
    ok(vsdk_vm_write(m.vm, BUFFER, bytes, sizeof bytes, &m.error));
    ends(0);
}

Test(guests, registers_come_out_and_go_in)
{
    uint64_t first[16], changed;
    vsdk_x86_regs regs;

    run_guest(&guest_regs, 3, 0x123456789abcdef0);
    written(VSDK_EXIT_PIO, PORT_LOOK, 1, 1);
    memcpy(first, m.memory + DATA, sizeof first);
    cr_assert_eq(first[5], 0x123456789abcdef0);
    ok(vsdk_vcpu_get_state(m.vcpu[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), &m.error));
    for (uint64_t i = 0; i < 16; i++)
        cr_assert_eq((&regs.rax)[i], (i + 1) * 0x0101010101010101);
    regs.rax = 0xabcdef;
    ok(vsdk_vcpu_set_state(m.vcpu[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), &m.error));
    ends(0);
    memcpy(&changed, m.memory + DATA + 0x80, sizeof changed);
    cr_assert_eq(changed, 0xabcdef);
}

Test(guests, real_and_protected_mode)
{
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;

    make(1, VSDK_IRQCHIP_PORTABLE);
    ok(start_load(m.vm, &guest_real_mode, &m.error));
    ok(vsdk_vcpu_get_state(m.vcpu[0], VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), &m.error));
    start_set_real_mode(&sregs);
    start_set_real_regs(&regs);
    ok(vsdk_vcpu_set_state(m.vcpu[0], VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), &m.error));
    ok(vsdk_vcpu_set_state(m.vcpu[0], VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), &m.error));
    ok(vsdk_vm_resume(m.vm, &m.error));
    written(VSDK_EXIT_PIO, PORT_WORD, 2, 0x1234);
    written(VSDK_EXIT_PIO, PORT_WORD, 2, 0x2121);
    written(VSDK_EXIT_PIO, PORT_LONG, 4, 0x12345678);
    written(VSDK_EXIT_MMIO, MMIO, 4, 0x87654321);
    ends(0);
}

Test(guests, writes_of_doorbell_and_exit_port)
{
    run_guest(&guest_rings, 3, 0);
    for (unsigned i = 1; i <= 3; i++)
        written(VSDK_EXIT_PIO, PORT_WORD, 2, i);
    for (unsigned i = 1; i <= 3; i++)
        written(VSDK_EXIT_MMIO, MMIO, 4, i);
    ends(0);
}

Test(guests, exit_code_is_the_argument)
{
    run_guest(&guest_exit_port, 3, 0x1234567890ab42);
    ends(0x42);
}
