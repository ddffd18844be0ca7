/* SPDX-License-Identifier: Apache-2.0 */
/* The Xen backend through its operations table alone: xen_ops MODULE, in a dom0. Prints TAP. */
#include "../generated/api_table.h"
#include "core/backend.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CODE = 0x10000, TABLES = 0x1000, IDT = 0x7000, STACK = 0x7000, RAM = 4 << 20, VCPUS = 2 };

#define GUEST(name) extern const uint8_t guest_##name[], guest_##name##_end[]
GUEST(port);
GUEST(memory);
GUEST(string);
GUEST(spin);
GUEST(readonly);
GUEST(interrupt);
GUEST(handler);
GUEST(halt);
GUEST(fault);
GUEST(config);
GUEST(floating);
GUEST(identity);
GUEST(second);
GUEST(trampoline);
GUEST(line);
GUEST(brand);
GUEST(neighbour);
GUEST(counter);
GUEST(suspend);
GUEST(shutdown);
GUEST(channels);
GUEST(timer);
GUEST(console);
GUEST(balloon);

static const backend_ops *ops;
static backend_host host;
static int checks, failures;
static vsdk_error error;
static int verbose;
static char log_lines[4096];

static void check_at(int line, int good, const char *text)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++checks, text);
    if (good)
        return;
    failures++;
    printf("# line %d; error %d %s: %s (%s)\n", line, error.code, error.operation, error.message,
           error.hint);
}
#define CHECK(expression) check_at(__LINE__, !!(expression), #expression)

static void log_line(backend_host *of, vsdk_log_level level, const char *text)
{
    (void)of;
    snprintf(log_lines + strlen(log_lines), sizeof log_lines - strlen(log_lines), "%s\n", text);
    if (verbose || level <= VSDK_LOG_WARNING)
        printf("# log %u: %s\n", level, text);
}

typedef struct machine {
    backend_vm vm;
    backend_vcpu *list[VCPUS];
    backend_vcpu vcpu[VCPUS];
    vsdk_exit exit[VCPUS] __attribute__((aligned(64)));
    backend_ram ram;
    backend_slot slot;
    uint8_t *memory;
} machine;

static vsdk_status gate(backend_vm *vm, uint64_t gpa, void *buffer, uint64_t length, int write)
{
    machine *m = (machine *)vm;

    if (gpa > RAM || length > RAM - gpa)
        return VSDK_ERROR_RANGE;
    memcpy(write ? m->memory + gpa : buffer, write ? buffer : m->memory + gpa, length);
    return VSDK_OK;
}

static vsdk_status gate_read(backend_vm *vm, uint64_t gpa, void *to, uint64_t length)
{
    return gate(vm, gpa, to, length, 0);
}

static vsdk_status gate_write(backend_vm *vm, uint64_t gpa, const void *from, uint64_t length)
{
    return gate(vm, gpa, (void *)(uintptr_t)from, length, 1);
}

static char console_text[64];

static const core_table core = {.size = sizeof core,
                                .abi = BACKEND_ABI,
                                .log = log_line,
                                .gate_read = gate_read,
                                .gate_write = gate_write};

static void page_tables(uint8_t *ram)
{
    uint64_t *table = (uint64_t *)(ram + TABLES);

    memset(ram + TABLES, 0, 0x6000);
    table[0] = (TABLES + 0x1000) | 7;
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t *large = table + 1024 + i * 512;
        table[512 + i] = (TABLES + 0x2000 + i * 0x1000) | 7;
        for (uint64_t k = 0; k < 512; k++)
            large[k] = i << 30 | k << 21 | 0x87;
    }
}

static vsdk_x86_segment flat(uint16_t selector, uint16_t access)
{
    return (vsdk_x86_segment){.limit = ~0u, .selector = selector, .access = access};
}

static void long_mode(backend_vcpu *vcpu, uint64_t argument)
{
    vsdk_x86_regs regs = {.rip = CODE, .rsp = STACK, .rdi = argument, .rflags = 2};
    vsdk_x86_segment data = flat(0x18, 0xc093);
    vsdk_x86_sregs sregs = {.cs = flat(0x10, 0xa09b),
                            .ds = data,
                            .es = data,
                            .fs = data,
                            .gs = data,
                            .ss = data,
                            .tr = {.limit = 0x67, .access = 0x8b},
                            .ldt = {.access = 0x82},
                            .gdt = {.base = 0x800, .limit = 31},
                            .idt = {.base = IDT, .limit = 0xfff},
                            .cr0 = 0x80050033,
                            .cr3 = TABLES,
                            .cr4 = 0x620,
                            .efer = 0x500};

    ops->vcpu_set_regs(vcpu, &regs, &error);
    CHECK(ops->vcpu_set_sregs(vcpu, &sregs, &error) == VSDK_OK);
}

static void gate_descriptor(uint8_t *ram, int vector, uint64_t handler)
{
    uint64_t *entry = (uint64_t *)(ram + IDT + vector * 16);

    entry[0] = (handler & 0xffff) | 0x10ull << 16 | 0x8eull << 40 | (handler >> 16 & 0xffff) << 48;
    entry[1] = 0;
}

static int open_machine(machine *m, vsdk_irqchip irqchip, uint32_t vcpus)
{
    memset(m, 0, sizeof *m);
    m->vm.host = &host;
    m->vm.config = (vsdk_vm_config){
        .size = sizeof m->vm.config, .vcpus_max = vcpus, .irqchip = irqchip, .memory_max = 1 << 30};
    m->vm.vcpus = m->list;
    m->ram = (backend_ram){.vm = &m->vm, .bytes = RAM};
    m->slot = (backend_slot){.ram = &m->ram, .length = RAM};
    if (ops->vm_create(&m->vm, &error) || ops->ram_create(&m->ram, &error))
        return 0;
    m->memory = m->ram.memory;
    page_tables(m->memory);
    ((uint64_t *)(m->memory + 0x800))[2] = 0x00af9b000000ffff;
    ((uint64_t *)(m->memory + 0x800))[3] = 0x00cf93000000ffff;
    return 1;
}

static void open_vcpus(machine *m, uint32_t vcpus, uint64_t argument)
{
    for (uint32_t i = 0; i < vcpus; i++) {
        m->vcpu[i].vm = &m->vm;
        m->vcpu[i].index = i;
        m->vcpu[i].exit = &m->exit[i];
        m->list[i] = &m->vcpu[i];
        CHECK(ops->vcpu_create(&m->vcpu[i], &error) == VSDK_OK);
    }
    long_mode(&m->vcpu[0], argument);
}

static void load(machine *m, uint64_t at, const uint8_t *code, const uint8_t *end)
{
    memcpy(m->memory + at, code, (size_t)(end - code));
}
#define LOAD(m, at, name) load(m, at, guest_##name, guest_##name##_end)

/* A machine with one processor that runs the guest; 0 if it could not be made. */
static int start_at(machine *m, vsdk_irqchip irqchip, const uint8_t *code, const uint8_t *end,
                    uint64_t argument)
{
    if (!open_machine(m, irqchip, 1)) {
        CHECK(!"machine");
        return 0;
    }
    load(m, CODE, code, end);
    CHECK(ops->vm_map(&m->vm, &m->slot, &error) == VSDK_OK);
    open_vcpus(m, 1, argument);
    CHECK(ops->vm_resume(&m->vm, &error) == VSDK_OK);
    return 1;
}
#define START(m, name, argument)                                                                   \
    start_at(m, VSDK_IRQCHIP_PORTABLE, guest_##name, guest_##name##_end, argument)

static void close_machine(machine *m)
{
    ops->vm_destroy(&m->vm);
    for (int i = 0; i < VCPUS; i++)
        if (m->list[i])
            ops->vcpu_destroy(m->list[i]);
    ops->ram_free(&m->ram);
    ops->vm_free(&m->vm);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static vsdk_exit *run_for(machine *m, int i, uint64_t ns)
{
    vsdk_exit *exit = &m->exit[i];

    m->vcpu[i].deadline_ns = now() + ns;
    do { /* as core does, which looks at the console in between */
        m->vm.console_due = 0;
        if (ops->vcpu_run(&m->vcpu[i], &error))
            exit->reason = VSDK_EXIT_NONE;
    } while (exit->reason == VSDK_EXIT_KICKED && m->vm.console_due);
    if (verbose)
        printf("# exit %u flags %x address %llx value %llx count %u width %u dir %u detail %llx "
               "native %llx\n",
               exit->reason, exit->flags, (unsigned long long)exit->address,
               (unsigned long long)exit->value, exit->count, exit->width, exit->direction,
               (unsigned long long)exit->detail, (unsigned long long)exit->native);
    return exit;
}

static vsdk_exit *run(machine *m)
{
    return run_for(m, 0, 10000000000);
}

static int is_out(const vsdk_exit *e, uint64_t port, uint64_t value)
{
    return e->reason == VSDK_EXIT_PIO && e->direction == VSDK_DIRECTION_WRITE &&
           e->address == port && e->count == 1 && e->value == value;
}

static int is_memory(const vsdk_exit *e, vsdk_direction direction, uint64_t address, uint32_t width)
{
    return e->reason == VSDK_EXIT_MMIO && e->direction == direction && e->address == address &&
           e->width == width && e->count == 1 && e->data == (uint64_t)(uintptr_t)&e->value;
}

static void test_host(void)
{
    uint32_t needed = 0;
    int silent = 0;
    vsdk_x86_cpuid_entry entries[256];

    for (vsdk_capability i = VSDK_CAPABILITY_AUTONOMOUS; i <= API_LAST_CAPABILITY; i++) {
        vsdk_capability_info info = {.size = sizeof info};
        if (ops->host_query(&host, i, &info, &error) || !info.reason[0])
            silent++;
        printf("# capability %u: %u %llu %s\n", i, info.answer, (unsigned long long)info.value,
               info.reason);
    }
    CHECK(silent == 0);
    CHECK(ops->host_get_cpuid(&host, entries, 256, &needed, &error) == VSDK_OK && needed > 10);
}

static void test_refusals(void)
{
    machine m = {.vm = {.host = &host}};

    m.vm.config = (vsdk_vm_config){.vcpus_max = 1, .irqchip = VSDK_IRQCHIP_NONE};
    CHECK(ops->vm_create(&m.vm, &error) == VSDK_ERROR_UNSUPPORTED);
    m.vm.config = (vsdk_vm_config){.vcpus_max = 128};
    CHECK(ops->vm_create(&m.vm, &error) == VSDK_ERROR_LIMIT);
    m.vm.config = (vsdk_vm_config){.vcpus_max = 1, .flags = VSDK_VM_HIDE_HYPERVISOR};
    CHECK(ops->vm_create(&m.vm, &error) == VSDK_ERROR_UNSUPPORTED);
}

static void test_port(void)
{
    machine m;
    vsdk_x86_regs regs;

    if (!START(&m, port, 0))
        return;
    CHECK(is_out(run(&m), 0x100, 0x1234abcd) && m.exit->width == 4);
    CHECK(m.exit->flags & VSDK_EXIT_REGS_SETTABLE);
    CHECK(ops->vcpu_get_regs(&m.vcpu[0], &regs, &error) == VSDK_OK && regs.rdx == 0x100);
    regs.rbx = 0xbbb;
    regs.rip += 2; /* what the access belongs to */
    CHECK(ops->vcpu_set_regs(&m.vcpu[0], &regs, &error) == VSDK_ERROR_STATE);
    regs.rip -= 2;
    CHECK(ops->vcpu_set_regs(&m.vcpu[0], &regs, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 0x5a) && m.exit->width == 1);
    run(&m);
    CHECK(m.exit->reason == VSDK_EXIT_PIO && m.exit->direction == VSDK_DIRECTION_READ &&
          m.exit->address == 0x104 && m.exit->width == 2 && m.exit->value == 0xffff);
    m.exit->value = 0x9876;
    CHECK(is_out(run(&m), 0x100, 0x9876));
    CHECK(is_out(run(&m), 0x100, 0xbbb));
    CHECK(run(&m)->reason == VSDK_EXIT_HALTED);
    CHECK(run(&m)->reason == VSDK_EXIT_HALTED && m.exit->flags & VSDK_EXIT_TERMINAL);
    close_machine(&m);
}

static void test_memory(void)
{
    machine m;

    if (!START(&m, memory, 0))
        return;
    CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0x3f000000, 1) && m.exit->value == 0x11);
    CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0x3f000002, 2) && m.exit->value == 0x2222);
    CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0x3f000004, 4) && m.exit->value == 0x33333333);
    CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0x3f000008, 8) &&
          m.exit->value == 0x4444444455555555);
    CHECK(is_memory(run(&m), VSDK_DIRECTION_READ, 0x3f000010, 8) && m.exit->value == ~0ull);
    m.exit->value = 0xabcdef;
    CHECK(is_memory(run(&m), VSDK_DIRECTION_READ, 0x3f000018, 1) && m.exit->value == 0xff);
    m.exit->value = 0x6611;
    CHECK(is_out(run(&m), 0x100, 0xabcdef));
    CHECK(is_out(run(&m), 0x100, 0x11));
    for (uint64_t i = 0; i < 3; i++)
        CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0x3f000100 + 4 * i, 4) &&
              m.exit->value == 0x77);
    for (uint64_t i = 0; i < 2; i++) {
        CHECK(is_memory(run(&m), VSDK_DIRECTION_READ, 0x3f000200 + 4 * i, 4));
        m.exit->value = 0x1000 + i;
    }
    CHECK(is_out(run(&m), 0x100, 0x1000));
    CHECK(is_out(run(&m), 0x100, 0x1001));
    close_machine(&m);
}

/* The elements of string writes to port 0x100, however many an exit has, up to one that is wider.
 */
static uint32_t collect(machine *m, uint8_t *to, uint32_t most)
{
    uint32_t count = 0;

    while (run(m)->reason == VSDK_EXIT_PIO && m->exit->width == 1)
        for (uint32_t i = 0; i < m->exit->count && count < most; i++)
            to[count++] = ((uint8_t *)(uintptr_t)m->exit->data)[i];
    return count;
}

static void test_string(void)
{
    machine m;
    uint32_t given = 0;
    uint8_t got[16] = {0};

    if (!START(&m, string, 0))
        return;
    while (given < 4 && run(&m)->reason == VSDK_EXIT_PIO &&
           m.exit->direction == VSDK_DIRECTION_READ)
        for (uint32_t i = 0; i < m.exit->count; i++)
            ((uint8_t *)(uintptr_t)m.exit->data)[i] = (uint8_t)(0x10 + given++);
    CHECK(is_out(run(&m), 0x100, 0x13121110));
    CHECK(collect(&m, got, 16) == 8 && memcmp(got, "\x10\x11\x12\x13\x13\x12\x11\x10", 8) == 0);
    close_machine(&m);
}

static void *kicker(void *of)
{
    backend_vcpu *vcpu = of;

    usleep(50000);
    atomic_fetch_or(&vcpu->requests, REQUEST_KICK);
    ops->vcpu_interrupt(vcpu);
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
}

static void test_kick(void)
{
    machine m;
    pthread_t thread;
    struct sigaction action = {.sa_handler = on_signal};
    vsdk_x86_regs regs;
    uint64_t begin;

    if (!START(&m, spin, 0))
        return;
    run(&m);
    m.vcpu[0].requests = REQUEST_KICK;
    CHECK(run(&m)->reason == VSDK_EXIT_KICKED && m.exit->detail == 0);
    m.vcpu[0].requests = 0;
    pthread_create(&thread, NULL, kicker, &m.vcpu[0]);
    CHECK(run(&m)->reason == VSDK_EXIT_KICKED && m.exit->detail == 0);
    pthread_join(thread, NULL);
    m.vcpu[0].requests = 0;
    begin = now();
    CHECK(run_for(&m, 0, 30000000)->reason == VSDK_EXIT_KICKED &&
          m.exit->detail == VSDK_KICK_DEADLINE && now() - begin >= 30000000);
    sigaction(SIGALRM, &action, NULL);
    ualarm(50000, 0);
    CHECK(run(&m)->reason == VSDK_EXIT_KICKED && m.exit->detail == VSDK_KICK_SIGNAL);
    CHECK(ops->vm_pause(&m.vm, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_regs(&m.vcpu[0], &regs, &error) == VSDK_OK && regs.rbx > 1000);
    usleep(20000);
    uint64_t seen = *(volatile uint64_t *)(m.memory + 0x8000);
    usleep(20000);
    CHECK(seen == *(volatile uint64_t *)(m.memory + 0x8000) && seen + 1 >= regs.rbx);
    regs.r15 = 0x1515;
    CHECK(ops->vcpu_set_regs(&m.vcpu[0], &regs, &error) == VSDK_OK);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 0x1515));
    close_machine(&m);
}

static void test_sregs(void)
{
    machine m;
    vsdk_x86_sregs sregs, again;
    vsdk_x86_regs regs;

    if (!START(&m, spin, 0))
        return;
    run(&m);
    run_for(&m, 0, 20000000);
    CHECK(ops->vm_pause(&m.vm, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_sregs(&m.vcpu[0], &sregs, &error) == VSDK_OK);
    CHECK(sregs.cs.access == 0xa09b && sregs.cs.selector == 0x10 && sregs.cr3 == TABLES &&
          sregs.efer == 0x500 && sregs.gdt.base == 0x800 && sregs.idt.limit == 0xfff);
    sregs.fs.base = 0x123456;
    sregs.cr2 = 0x7000;
    CHECK(ops->vcpu_set_sregs(&m.vcpu[0], &sregs, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_sregs(&m.vcpu[0], &again, &error) == VSDK_OK);
    CHECK(memcmp(&sregs, &again, sizeof sregs) == 0);
    ops->vcpu_get_regs(&m.vcpu[0], &regs, &error);
    regs.r15 = 5;
    ops->vcpu_set_regs(&m.vcpu[0], &regs, &error);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 5));
    close_machine(&m);
}

static void test_readonly(void)
{
    machine m;
    backend_ram rom;
    backend_slot slot;

    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1))
        return;
    LOAD(&m, CODE, readonly);
    rom = (backend_ram){.vm = &m.vm, .bytes = 2 << 20};
    slot = (backend_slot){
        .ram = &rom, .gpa = 0x8000000, .length = 2 << 20, .flags = VSDK_MAP_READONLY};
    CHECK(ops->ram_create(&rom, &error) == VSDK_OK);
    *(uint32_t *)rom.memory = 0x1111;
    CHECK(ops->vm_map(&m.vm, &m.slot, &error) == VSDK_OK);
    CHECK(ops->vm_map(&m.vm, &slot, &error) == VSDK_OK);
    CHECK(*(uint32_t *)rom.memory == 0x1111);
    open_vcpus(&m, 1, 0x8000000);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 0x1111));
    CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0x8000000, 4) && m.exit->value == 0x99);
    CHECK(is_out(run(&m), 0x100, 0x1111));
    ops->vm_pause(&m.vm, &error);
    CHECK(ops->vm_protect(&m.vm, &slot, 0, &error) == VSDK_OK);
    ops->vm_resume(&m.vm, &error);
    CHECK(is_out(run(&m), 0x100, 0x98));
    CHECK(*(uint32_t *)rom.memory == 0x98);
    close_machine(&m);
    CHECK(*(volatile uint32_t *)rom.memory == 0);
    ops->ram_free(&rom);
}

static void test_hot(void)
{
    machine m;
    backend_ram more;
    backend_slot slot;
    uint8_t *bytes;
    int wrong = 0;

    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1))
        return;
    more = (backend_ram){.vm = &m.vm, .bytes = 8 << 20};
    slot = (backend_slot){.ram = &more, .gpa = 0x10000000, .offset = 0x1000, .length = 5 << 20};
    CHECK(ops->ram_create(&more, &error) == VSDK_OK);
    bytes = more.memory;
    for (int i = 0; i < 8 << 20; i += 8192)
        bytes[i] = (uint8_t)(i >> 13 | 1);
    for (int round = 0; round < 3; round++) {
        CHECK(ops->vm_map(&m.vm, &slot, &error) == VSDK_OK);
        bytes[0x2001] = (uint8_t)round;
        CHECK(ops->vm_unmap(&m.vm, &slot, &error) == VSDK_OK);
        wrong += bytes[0x2001] != round;
        slot.gpa += 0x201000;
    }
    for (int i = 0; i < 8 << 20; i += 8192)
        wrong += bytes[i] != (uint8_t)(i >> 13 | 1) || bytes[i + 4096] != 0;
    CHECK(wrong == 0);
    slot.length = 7 << 20;
    more.bytes = 8 << 20;
    close_machine(&m);
    ops->ram_free(&more);
}

static void test_no_memory(void)
{
    machine m;
    backend_ram huge;
    backend_slot slot;

    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1))
        return;
    huge = (backend_ram){.vm = &m.vm, .bytes = 64ull << 30};
    slot = (backend_slot){.ram = &huge, .gpa = 0x100000000, .length = 64ull << 30};
    CHECK(ops->ram_create(&huge, &error) == VSDK_OK);
    *(uint8_t *)huge.memory = 0x5c;
    CHECK(ops->vm_map(&m.vm, &slot, &error) == VSDK_ERROR_NO_MEMORY && error.hint[0]);
    CHECK(*(uint8_t *)huge.memory == 0x5c);
    close_machine(&m);
    ops->ram_free(&huge);
}

static void test_interrupt(void)
{
    machine m;

    if (!START(&m, interrupt, 0))
        return;
    LOAD(&m, 0x20000, handler);
    gate_descriptor(m.memory, 0x41, 0x20000);
    gate_descriptor(m.memory, 2, 0x20000);
    CHECK(is_out(run(&m), 0x100, 1));
    CHECK(run_for(&m, 0, 20000000)->reason == VSDK_EXIT_KICKED);
    CHECK(ops->irq_lines(&m.vm) == 0);
    CHECK(ops->vm_send_msi(&m.vm, 0xfee00000, 0x41, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x102, 0x77));
    CHECK(run_for(&m, 0, 20000000)->reason == VSDK_EXIT_KICKED);
    CHECK(ops->vm_send_msi(&m.vm, 0xfee00000, 0x141, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x102, 0x77));
    CHECK(ops->vm_send_msi(&m.vm, 0xfee00000, 0x441, &error) == VSDK_ERROR_UNSUPPORTED);
    CHECK(run_for(&m, 0, 20000000)->reason == VSDK_EXIT_KICKED);
    CHECK(ops->vcpu_inject_nmi(&m.vcpu[0], &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x102, 0x77));
    close_machine(&m);
}

static void test_ends(void)
{
    machine m;

    if (START(&m, halt, 0)) {
        CHECK(run(&m)->reason == VSDK_EXIT_HALTED);
        close_machine(&m);
    }
    log_lines[0] = 0;
    if (START(&m, fault, 0x9000)) {
        CHECK(run(&m)->reason == VSDK_EXIT_CRASH && m.exit->flags & VSDK_EXIT_TERMINAL &&
              m.exit->detail == VSDK_CRASH_TRIPLE_FAULT);
        CHECK(strstr(log_lines, "Triple fault"));
        close_machine(&m);
    }
}

static const struct shutdown {
    uint64_t code;
    vsdk_exit_reason reason;
    uint64_t detail;
} shutdowns[] = {{0, VSDK_EXIT_POWEROFF, 0},
                 {1, VSDK_EXIT_RESET, 0},
                 {3, VSDK_EXIT_CRASH, VSDK_CRASH_PANIC},
                 {4, VSDK_EXIT_WATCHDOG, 0},
                 {5, VSDK_EXIT_SOFT_RESET, 0}};

/* One machine that is reset after each end. */
static void test_shutdowns(void)
{
    machine m;

    if (!START(&m, shutdown, shutdowns[0].code))
        return;
    for (size_t i = 0; i < sizeof shutdowns / sizeof *shutdowns; i++) {
        if (i) {
            CHECK(ops->vm_reset(&m.vm, &error) == VSDK_OK);
            long_mode(&m.vcpu[0], shutdowns[i].code);
            CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
        }
        run(&m);
        CHECK(m.exit->reason == shutdowns[i].reason && m.exit->detail == shutdowns[i].detail &&
              m.exit->flags == VSDK_EXIT_TERMINAL);
    }
    close_machine(&m);
}

static void test_suspend(void)
{
    machine m;

    if (!START(&m, suspend, 0))
        return;
    CHECK(is_out(run(&m), 0x100, 0));
    for (int i = 0; i < 3; i++) {
        CHECK(run(&m)->reason == VSDK_EXIT_SUSPEND && m.exit->flags & VSDK_EXIT_TERMINAL);
        if (i == 1)
            CHECK(ops->vm_pause(&m.vm, &error) == VSDK_OK);
        CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
        CHECK(is_out(run(&m), 0x100, 1));
    }
    close_machine(&m);
}

static void reset(machine *m, uint64_t argument)
{
    vsdk_x86_regs regs;

    CHECK(ops->vm_pause(&m->vm, &error) == VSDK_OK);
    CHECK(ops->vm_reset(&m->vm, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_regs(&m->vcpu[0], &regs, &error) == VSDK_OK && regs.rip == 0xfff0);
    long_mode(&m->vcpu[0], argument);
    CHECK(ops->vm_resume(&m->vm, &error) == VSDK_OK);
}

static void test_reset(void)
{
    machine m;

    /* At each access of a guest: the next life begins at the beginning, with nothing of the last.
     */
    if (START(&m, memory, 0)) {
        for (int stop = 1; stop < 14; stop++) {
            for (int i = 1; i <= stop; i++)
                run(&m);
            m.memory[0x9999] = (uint8_t)stop;
            reset(&m, 0);
            CHECK(m.memory[0x9999] == stop);
            CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0x3f000000, 1));
            reset(&m, 0);
        }
        close_machine(&m);
    }
    /* At one that nobody has seen. */
    if (START(&m, port, 0)) {
        usleep(50000);
        reset(&m, 0);
        CHECK(is_out(run(&m), 0x100, 0x1234abcd));
        CHECK(is_out(run(&m), 0x100, 0x5a));
        run(&m);
        CHECK(m.exit->direction == VSDK_DIRECTION_READ);
        reset(&m, 0);
        CHECK(is_out(run(&m), 0x100, 0x1234abcd));
        close_machine(&m);
    }
    /* A timer of the last life does not interrupt. */
    if (START(&m, timer, 1)) {
        LOAD(&m, 0x20000, handler);
        gate_descriptor(m.memory, 0x41, 0x20000);
        CHECK(is_out(run(&m), 0x100, 1));
        CHECK(is_out(run(&m), 0x102, 0x77));
        CHECK(is_out(run(&m), 0x102, 0x77));
        reset(&m, 0);
        CHECK(is_out(run(&m), 0x100, 0));
        CHECK(run_for(&m, 0, 100000000)->reason == VSDK_EXIT_KICKED);
        close_machine(&m);
    }
}

/* A line that was up before is not afterwards. */
static void test_reset_full(void)
{
    machine m;

    if (!start_at(&m, VSDK_IRQCHIP_KERNEL, guest_line, guest_line_end, 21))
        return;
    LOAD(&m, 0x20000, handler);
    gate_descriptor(m.memory, 0x40, 0x20000);
    for (int i = 0; i < 2; i++) {
        CHECK(run(&m)->reason == VSDK_EXIT_PIO);
        CHECK(run_for(&m, 0, 50000000)->reason == VSDK_EXIT_KICKED);
        CHECK(ops->irq_set_line(&m.vm, 21, 1, &error) == VSDK_OK);
        CHECK(is_out(run(&m), 0x102, 0x77));
        reset(&m, 21);
    }
    close_machine(&m);
}

static void test_reset_second(void)
{
    machine m;
    vsdk_x86_regs regs;

    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 2))
        return;
    LOAD(&m, CODE, second);
    LOAD(&m, 0x9000, trampoline);
    CHECK(ops->vm_map(&m.vm, &m.slot, &error) == VSDK_OK);
    open_vcpus(&m, 2, 0);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    for (int i = 0; i < 3; i++) {
        CHECK(is_out(run(&m), 0x100, 0));
        CHECK(!ops->vcpu_is_halted(&m.vcpu[1]));
        CHECK(run(&m)->reason == VSDK_EXIT_PIO);
        CHECK(is_out(run_for(&m, 1, 10000000000), 0x110, 0x5432));
        if (i == 1) {
            CHECK(run_for(&m, 1, 200000000)->reason == VSDK_EXIT_KICKED);
            CHECK(ops->vcpu_is_halted(&m.vcpu[1]) && !ops->vcpu_is_halted(&m.vcpu[0]));
            ops->vm_pause(&m.vm, &error);
            CHECK(ops->vcpu_get_regs(&m.vcpu[1], &regs, &error) == VSDK_OK);
            regs.rip = 0;
            CHECK(ops->vcpu_set_regs(&m.vcpu[1], &regs, &error) == VSDK_OK);
            ops->vm_resume(&m.vm, &error);
            CHECK(is_out(run_for(&m, 1, 10000000000), 0x110, 0x5432));
        }
        reset(&m, 0);
    }
    close_machine(&m);
}

static void test_console(void)
{
    machine m;

    if (!START(&m, console, 0))
        return;
    for (int i = 0; i < 2; i++) {
        memset(console_text, 0, sizeof console_text);
        CHECK(ops->console_input(&m.vm, "Az", 2) == 2);
        CHECK(is_out(run(&m), 0x100, 'A'));
        CHECK(run(&m)->reason == VSDK_EXIT_HALTED);
        ops->console_output(&m.vm, console_text, sizeof console_text);
        CHECK(strcmp(console_text, "Hi!\nbye.") == 0);
        reset(&m, 0);
    }
    close_machine(&m);
}

/* The view of a page that the guest gave away and took again; and the memory is Xen's again. */
static void test_balloon(void)
{
    enum { PAGE = 0x200000 };
    machine m;
    volatile uint32_t *word;

    if (!START(&m, balloon, PAGE))
        return;
    word = (volatile uint32_t *)(m.memory + PAGE);
    CHECK(is_out(run(&m), 0x100, 1));
    CHECK(*word == 0x11);
    word[1024] = 0x77;
    CHECK(ops->vm_pause(&m.vm, &error) == VSDK_OK);
    ops->vm_settled(&m.vm);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(*word == 0 && word[1023] == 0 && word[1024] == 0x77);
    *word = 0x99;
    CHECK(is_out(run(&m), 0x100, 1));
    CHECK(*word == 0x99);
    CHECK(ops->vm_pause(&m.vm, &error) == VSDK_OK);
    ops->vm_settled(&m.vm);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(*word == 0x22 && word[1024] == 0x77);
    *word = 0x33;
    CHECK(is_out(run(&m), 0x100, 0x33));
    CHECK(word[1024] == 0x77);
    /* Given away, and back after a reset. */
    reset(&m, PAGE);
    CHECK(is_out(run(&m), 0x100, 1));
    CHECK(ops->vm_pause(&m.vm, &error) == VSDK_OK && ops->vm_reset(&m.vm, &error) == VSDK_OK);
    CHECK(*word == 0 && word[1024] == 0x77);
    long_mode(&m.vcpu[0], PAGE);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 1));
    close_machine(&m);
}

static void test_channels(void)
{
    machine m;

    if (!START(&m, channels, 0))
        return;
    run(&m);
    printf("# the guest got %llu event channels\n", (unsigned long long)m.exit->value - 1);
    CHECK(m.exit->reason == VSDK_EXIT_PIO && m.exit->value > 900 && m.exit->value <= 1024);
    close_machine(&m);
}

static void test_config(void)
{
    machine m;

    if (!START(&m, config, 0))
        return;
    CHECK(is_out(run(&m), 0xcf8, 0x80001804));
    run(&m);
    CHECK(m.exit->reason == VSDK_EXIT_PIO && m.exit->address == 0xcfe && m.exit->width == 2 &&
          m.exit->direction == VSDK_DIRECTION_READ);
    CHECK(is_out(run(&m), 0xcfc, 0xfeed));
    CHECK(is_out(run(&m), 0xcf8, 0x80002008));
    run(&m);
    CHECK(m.exit->reason == VSDK_EXIT_PIO && m.exit->address == 0xcfc && m.exit->width == 4);
    CHECK(is_out(run(&m), 0xcf8, 0));
    run(&m);
    CHECK(m.exit->reason == VSDK_EXIT_PIO && m.exit->address == 0xcfd && m.exit->width == 1);
    close_machine(&m);
}

static void test_floating(void)
{
    machine m;
    vsdk_x86_fpu fpu;
    uint32_t two = 0x40000000, one;

    if (!START(&m, floating, 0))
        return;
    run(&m);
    ops->vm_pause(&m.vm, &error);
    CHECK(ops->vcpu_get_fpu(&m.vcpu[0], &fpu, &error) == VSDK_OK);
    memcpy(&one, fpu.xmm + 48, 4);
    CHECK(one == 0x3f800000 && fpu.fcw == 0x37f && fpu.ftw == 0x80 && fpu.mxcsr == 0x1f80);
    memcpy(fpu.xmm + 80, &two, 4);
    CHECK(ops->vcpu_set_fpu(&m.vcpu[0], &fpu, &error) == VSDK_OK);
    ops->vm_resume(&m.vm, &error);
    CHECK(is_out(run(&m), 0x100, 0x40000000));
    vsdk_x86_regs regs;
    CHECK(ops->vcpu_get_regs(&m.vcpu[0], &regs, &error) == VSDK_OK &&
          ops->vcpu_set_regs(&m.vcpu[0], &regs, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 0x3f800000));
    close_machine(&m);
}

static void test_identity(void)
{
    machine m;
    vsdk_x86_cpuid_entry one = {0}, eleven = {0}, cores = {0};

    if (!START(&m, identity, 0))
        return;
    CHECK(ops->vcpu_get_cpuid(&m.vcpu[0], 1, 0, &one, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_cpuid(&m.vcpu[0], 0xb, 1, &eleven, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_cpuid(&m.vcpu[0], 0x80000008, 0, &cores, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_cpuid(&m.vcpu[0], 0x12345678, 0, &eleven, &error) == VSDK_ERROR_NOT_FOUND);
    CHECK(is_out(run(&m), 0x100, one.ebx));
    CHECK(is_out(run(&m), 0x100, 0));
    CHECK(is_out(run(&m), 0x100, cores.ecx));
    close_machine(&m);
}

static void test_second(void)
{
    machine m;
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;

    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 2))
        return;
    LOAD(&m, CODE, second);
    LOAD(&m, 0x9000, trampoline);
    CHECK(ops->vm_map(&m.vm, &m.slot, &error) == VSDK_OK);
    open_vcpus(&m, 2, 0);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 0));
    CHECK(run_for(&m, 1, 20000000)->reason == VSDK_EXIT_KICKED);
    CHECK(ops->vcpu_get_regs(&m.vcpu[1], &regs, &error) == VSDK_OK);
    CHECK(ops->vcpu_get_sregs(&m.vcpu[1], &sregs, &error) == VSDK_OK);
    CHECK(ops->vcpu_set_sregs(&m.vcpu[1], &sregs, &error) == VSDK_ERROR_STATE);
    CHECK(run(&m)->reason == VSDK_EXIT_PIO);
    CHECK(is_out(run_for(&m, 1, 10000000000), 0x110, 0x5432));
    CHECK(ops->vcpu_get_sregs(&m.vcpu[1], &sregs, &error) == VSDK_OK && sregs.cs.base == 0x9000);
    close_machine(&m);
}

static void test_full(void)
{
    machine m;
    uint32_t needed = 0;
    uint32_t gsis[] = {5, 21};

    for (int i = 0; i < 2; i++) {
        if (!start_at(&m, VSDK_IRQCHIP_KERNEL, guest_line, guest_line_end, gsis[i]))
            return;
        LOAD(&m, 0x20000, handler);
        gate_descriptor(m.memory, 0x40, 0x20000);
        CHECK(ops->irq_lines(&m.vm) == 48);
        CHECK(run(&m)->reason == VSDK_EXIT_PIO);
        CHECK(run_for(&m, 0, 20000000)->reason == VSDK_EXIT_KICKED);
        CHECK(ops->irq_set_line(&m.vm, gsis[i], 1, &error) == VSDK_OK);
        CHECK(is_out(run(&m), 0x102, 0x77));
        CHECK(ops->irq_set_line(&m.vm, gsis[i], 0, &error) == VSDK_OK);
        CHECK(ops->vm_list_reserved(&m.vm, NULL, 0, &needed, &error) == VSDK_OK && needed > 8);
        close_machine(&m);
    }
}

static void test_leaves(void)
{
    machine m;
    vsdk_x86_cpuid_entry wanted = {.leaf = 0x80000002, .eax = 0x6b647376},
                         strange = {.leaf = 0x77777777};

    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1))
        return;
    LOAD(&m, CODE, brand);
    CHECK(ops->vm_set_cpuid(&m.vm, &strange, 1, &error) == VSDK_ERROR_UNSUPPORTED);
    CHECK(ops->vm_set_cpuid(&m.vm, &wanted, 1, &error) == VSDK_OK);
    CHECK(ops->vm_map(&m.vm, &m.slot, &error) == VSDK_OK);
    open_vcpus(&m, 1, 0);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(is_out(run(&m), 0x100, 0x6b647376));
    close_machine(&m);
}

static const char *self, *module_path;

/* While this process has the event of ended guests, another has to ask for them. */
static void test_polled(void)
{
    int status = 1;
    pid_t child = fork();

    if (child == 0) {
        close(1);
        execl(self, self, module_path, "polled_ends", "0", NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    CHECK(status == 0);
}

static void test_polled_ends(void)
{
    vsdk_capability_info info = {.size = sizeof info};

    CHECK(!ops->host_query(&host, VSDK_CAPABILITY_DEATH_EVENT, &info, &error) &&
          info.answer == VSDK_ANSWER_EMULATED);
    test_ends();
}

static void test_neighbour(void)
{
    machine m;

    if (!open_machine(&m, VSDK_IRQCHIP_KERNEL, 1))
        return;
    LOAD(&m, CODE, neighbour);
    backend_slot low = {.ram = &m.ram, .length = 0xa0000};
    CHECK(ops->vm_map(&m.vm, &low, &error) == VSDK_OK);
    open_vcpus(&m, 1, 0);
    CHECK(ops->vm_resume(&m.vm, &error) == VSDK_OK);
    CHECK(run(&m)->reason == VSDK_EXIT_PIO && m.exit->address == 0xe9);
    CHECK(run(&m)->reason == VSDK_EXIT_PIO && m.exit->address == 0x62);
    CHECK(is_memory(run(&m), VSDK_DIRECTION_WRITE, 0xa0000, 1));
    CHECK(is_memory(run(&m), VSDK_DIRECTION_READ, 0xa0000, 1));
    CHECK(run(&m)->reason == VSDK_EXIT_PIO && m.exit->address == 0x100);
    close_machine(&m);
}

/* What the capability says: a device of dom0's can't write into a guest by itself. */
static void test_direct_io(void)
{
    vsdk_capability_info info = {.size = sizeof info};
    machine m;
    int fd = open("/dev/vda", O_RDONLY | O_DIRECT | O_CLOEXEC);

    if (fd < 0 || !open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1)) {
        printf("# no disk to read from\n");
        return;
    }
    CHECK(pread(fd, m.memory + 0x100000, 4096, 0) == 4096);
    CHECK(ops->vm_map(&m.vm, &m.slot, &error) == VSDK_OK);
    int got = (int)pread(fd, m.memory + 0x100000, 4096, 0), failure = errno;
    printf("# a direct read into a guest's page gives %d, errno %d\n", got, failure);
    CHECK(!ops->host_query(&host, VSDK_CAPABILITY_DIRECT_IO, &info, &error) &&
          (info.answer == VSDK_ANSWER_NO) == (got < 0));
    close(fd);
    close_machine(&m);
}

static void test_special(void)
{
    machine m;
    backend_slot slot;

    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1))
        return;
    slot = (backend_slot){.ram = &m.ram, .gpa = 0xfeff0000, .length = 0x9000};
    CHECK(ops->vm_map(&m.vm, &slot, &error) == VSDK_ERROR_EXISTS);
    close_machine(&m);
}

static void test_speed(void)
{
    enum { ROUNDS = 2000 };
    machine m;
    backend_ram big;
    backend_slot slot;
    uint64_t begin;

    if (!START(&m, counter, 0))
        return;
    begin = now();
    for (int i = 0; i < ROUNDS; i++)
        run(&m);
    printf("# an exit takes %llu ns\n", (unsigned long long)(now() - begin) / ROUNDS);
    CHECK(m.exit->value == ROUNDS - 1);
    big = (backend_ram){.vm = &m.vm, .bytes = 128 << 20};
    slot = (backend_slot){.ram = &big, .gpa = 0x10000000, .length = big.bytes};
    CHECK(ops->ram_create(&big, &error) == VSDK_OK);
    begin = now();
    CHECK(ops->vm_map(&m.vm, &slot, &error) == VSDK_OK);
    printf("# mapping 128 MiB takes %llu us\n", (unsigned long long)(now() - begin) / 1000);
    begin = now();
    CHECK(ops->vm_unmap(&m.vm, &slot, &error) == VSDK_OK);
    printf("# unmapping them %llu us\n", (unsigned long long)(now() - begin) / 1000);
    close_machine(&m);
    ops->ram_free(&big);
}

/* In a child without standard input: whatever opens must not become descriptor 0, nor live on in
 * a program that is executed. */
static int descriptors_are_good(void)
{
    backend_host own = {.ops = ops, .core = &core};
    vsdk_host_config config = {.size = sizeof config};
    static machine m;
    int good = 1;

    close(0);
    if (ops->host_open(&own, &config, &error))
        return 0;
    host = own;
    if (!open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1))
        return 0;
    m.vcpu[0] = (backend_vcpu){.vm = &m.vm, .exit = &m.exit[0]};
    m.list[0] = &m.vcpu[0];
    good = !ops->vcpu_create(&m.vcpu[0], &error) && fcntl(0, F_GETFD) < 0;
    for (int fd = 3; fd < 64; fd++)
        good = good && (fcntl(fd, F_GETFD) < 0 || fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close_machine(&m);
    ops->host_close(&own);
    return good;
}

static void test_descriptors(void)
{
    int status = 1;
    pid_t child = fork();

    if (child == 0)
        _exit(!descriptors_are_good());
    waitpid(child, &status, 0);
    CHECK(status == 0);
}

static void test_orphan(void)
{
    int pipes[2];
    uint32_t needed = 9;
    vsdk_orphan orphan;
    pid_t child;
    char byte;

    CHECK(ops->host_list_orphans(&host, &orphan, 1, &needed, &error) == VSDK_OK && needed == 0);
    CHECK(pipe(pipes) == 0);
    child = fork();
    if (child == 0) {
        static machine m;
        backend_host own = {.ops = ops, .core = &core};
        vsdk_host_config config = {.size = sizeof config};
        if (ops->host_open(&own, &config, &error))
            _exit(1);
        host = own;
        byte = (char)open_machine(&m, VSDK_IRQCHIP_PORTABLE, 1);
        if (write(pipes[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    CHECK(read(pipes[0], &byte, 1) == 1 && byte == 1);
    CHECK(ops->host_list_orphans(&host, &orphan, 1, &needed, &error) == VSDK_OK && needed == 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK(ops->host_list_orphans(&host, &orphan, 1, &needed, &error) == VSDK_OK && needed == 1);
    CHECK(orphan.owner_pid == (uint32_t)child && orphan.memory >= 32768);
    CHECK(ops->host_reap(&host, orphan.id + 1, &error) == VSDK_ERROR_NOT_FOUND);
    CHECK(ops->host_reap(&host, orphan.id, &error) == VSDK_OK);
    CHECK(ops->host_reap(&host, orphan.id, &error) == VSDK_ERROR_NOT_FOUND);
    CHECK(ops->host_list_orphans(&host, &orphan, 1, &needed, &error) == VSDK_OK && needed == 0);
    close(pipes[0]);
    close(pipes[1]);
}

static uint64_t free_memory(void)
{
    vsdk_capability_info info = {.size = sizeof info};

    ops->host_query(&host, VSDK_CAPABILITY_MEMORY_MAX, &info, &error);
    return info.value;
}

/* Xen gives the last pages of a domain back a moment later. */
static int memory_is(uint64_t wanted)
{
    for (int i = 0; i < 100 && free_memory() != wanted; i++)
        usleep(20000);
    return free_memory() == wanted;
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static int mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    int count = 0, byte;

    while (file && (byte = getc(file)) != EOF)
        count += byte == '\n';
    if (file)
        fclose(file);
    return count;
}

static void test_cycles(int count)
{
    uint64_t before, begin;
    int bad = 0;

    if (count == 0)
        return;
    usleep(200000);
    before = free_memory();
    int descriptors = open_descriptors(), maps = mappings();
    begin = now();
    for (int i = 0; i < count; i++) {
        machine m;
        if (!START(&m, port, 0) || !is_out(run(&m), 0x100, 0x1234abcd))
            bad++;
        close_machine(&m);
    }
    printf("# %d cycles of %llu us; free memory before %llu, after %llu\n", count,
           (unsigned long long)((now() - begin) / 1000 / (uint64_t)count),
           (unsigned long long)before, (unsigned long long)free_memory());
    CHECK(bad == 0);
    CHECK(descriptors == open_descriptors());
    CHECK(maps == mappings());
    CHECK(memory_is(before));
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"host", test_host},
                 {"refusals", test_refusals},
                 {"port", test_port},
                 {"memory", test_memory},
                 {"string", test_string},
                 {"kick", test_kick},
                 {"sregs", test_sregs},
                 {"readonly", test_readonly},
                 {"hot", test_hot},
                 {"no_memory", test_no_memory},
                 {"interrupt", test_interrupt},
                 {"ends", test_ends},
                 {"shutdowns", test_shutdowns},
                 {"suspend", test_suspend},
                 {"reset", test_reset},
                 {"reset_full", test_reset_full},
                 {"reset_second", test_reset_second},
                 {"console", test_console},
                 {"balloon", test_balloon},
                 {"channels", test_channels},
                 {"config", test_config},
                 {"floating", test_floating},
                 {"identity", test_identity},
                 {"second", test_second},
                 {"full", test_full},
                 {"leaves", test_leaves},
                 {"polled", test_polled},
                 {"neighbour", test_neighbour},
                 {"direct_io", test_direct_io},
                 {"special", test_special},
                 {"speed", test_speed},
                 {"descriptors", test_descriptors},
                 {"orphan", test_orphan}};
    vsdk_host_config config = {.size = sizeof config};
    self = "/proc/self/exe";
    module_path = count > 1 ? arguments[1] : "./xen-4.17.so";
    void *module = dlopen(module_path, RTLD_NOW | RTLD_LOCAL);
    backend_module_fn enter = module ? (backend_module_fn)dlsym(module, "vsdk_backend_module") : 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    verbose = getenv("VERBOSE") != NULL;
    if (!enter || !(ops = enter(&core))) {
        printf("1..0 # SKIP no module: %s\n", module ? "another version" : dlerror());
        return 0;
    }
    host = (backend_host){.ops = ops, .core = &core};
    if (ops->host_open(&host, &config, &error)) {
        printf("1..0 # SKIP %s: %s; %s\n", error.operation, error.message, error.hint);
        return 0;
    }
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (count > 2 && strcmp(arguments[2], tests[i].name))
            continue;
        printf("# %s\n", tests[i].name);
        tests[i].run();
    }
    if (count > 2 && !strcmp(arguments[2], "polled_ends"))
        test_polled_ends();
    test_cycles(count > 3 ? atoi(arguments[3]) : 3);
    ops->host_close(&host);
    printf("1..%d\n", checks);
    return failures != 0;
}
