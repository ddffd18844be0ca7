/* SPDX-License-Identifier: Apache-2.0 */
/* The KVM operations on their own: memory, exits, completion, registers, doorbells, messages. */
#include "../generated/api_table.h"
#include "backends/kvm/objects_kvm.h"
#include "kvm_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

static rig r;

static void expect_access(vsdk_exit_reason reason, uint64_t address, uint32_t width,
                          vsdk_direction direction)
{
    CHECK(r.exit.reason == reason);
    CHECK(r.exit.address == address);
    CHECK(r.exit.width == width);
    CHECK(r.exit.direction == direction);
    CHECK(r.exit.count == 1);
    CHECK(r.exit.data == (uintptr_t)&r.exit.value);
    if (r.exit.reason != reason)
        printf("# reason %u detail %llu native %llu\n", r.exit.reason,
               (unsigned long long)r.exit.detail, (unsigned long long)r.exit.native);
}

GUEST(pio_code, "mov $0x11223344, %eax; out %al, $0x10; out %ax, $0x12; out %eax, $0x14;"
                "xor %eax, %eax; in $0x20, %al; in $0x22, %ax; in $0x24, %eax;"
                "out %eax, $0x30; 1: jmp 1b");

TEST(pio)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, pio_code, pio_code_end);
    static const uint32_t width[] = {1, 2, 4};
    for (unsigned i = 0; i < 3; i++) {
        CHECK(rig_run(&r) == VSDK_OK);
        expect_access(VSDK_EXIT_PIO, 0x10 + 2 * i, width[i], VSDK_DIRECTION_WRITE);
        CHECK(r.exit.value == (0x11223344u & (0xffffffffu >> (32 - 8 * width[i]))));
        CHECK(r.exit.flags == VSDK_EXIT_REGS_SETTABLE);
    }
    for (unsigned i = 0; i < 3; i++) {
        CHECK(rig_run(&r) == VSDK_OK);
        expect_access(VSDK_EXIT_PIO, 0x20 + 2 * i, width[i], VSDK_DIRECTION_READ);
        CHECK(r.exit.value == UINT64_MAX);
        r.exit.value = 0xa1b2c3d4;
    }
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_PIO, 0x30, 4, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.value == 0xa1b2c3d4);
    rig_close(&r);
}

GUEST(mmio_code, "mov $0x1122334455667788, %rax; mov %al, (%rdi); mov %ax, 8(%rdi);"
                 "mov %eax, 16(%rdi); mov %rax, 24(%rdi);"
                 "mov 32(%rdi), %rbx; mov %rbx, 40(%rdi); 1: jmp 1b");

TEST(mmio)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, mmio_code, mmio_code_end);
    rig_set(&r, 0, 0, 0, RIG_MMIO);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(rig_run(&r) == VSDK_OK);
        expect_access(VSDK_EXIT_MMIO, RIG_MMIO + 8 * i, 1u << i, VSDK_DIRECTION_WRITE);
        CHECK(r.exit.value == (0x1122334455667788u & (UINT64_MAX >> (64 - (8u << i)))));
        CHECK(r.exit.flags == 0);
    }
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_MMIO + 32, 8, VSDK_DIRECTION_READ);
    CHECK(r.exit.value == UINT64_MAX);
    r.exit.value = 0x8877665544332211;
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_MMIO + 40, 8, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.value == 0x8877665544332211);
    rig_close(&r);
}

GUEST(crossing_code, "mov $0x1122334455667788, %rax; mov %rax, 0xffd(%rdi);"
                     "mov 0xffd(%rdi), %rbx; mov %rbx, (%rdi); 1: jmp 1b");

/* Three bytes below the page's end and five above: parts of 2, 1, 4 and 1. */
static void expect_parts(vsdk_direction direction)
{
    static const struct {
        unsigned offset, width;
    } part[] = {{0xffd, 2}, {0xfff, 1}, {0x1000, 4}, {0x1004, 1}};
    for (unsigned i = 0; i < 4; i++) {
        unsigned shift = 8 * (part[i].offset - 0xffd);
        CHECK(rig_run(&r) == VSDK_OK);
        expect_access(VSDK_EXIT_MMIO, RIG_MMIO + part[i].offset, part[i].width, direction);
        uint64_t bytes = 0x1122334455667788u >> shift & (UINT64_MAX >> (64 - 8 * part[i].width));
        if (direction == VSDK_DIRECTION_WRITE)
            CHECK(r.exit.value == bytes);
        else
            r.exit.value = bytes;
    }
}

TEST(mmio_across_pages)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, crossing_code, crossing_code_end);
    rig_set(&r, 0, 0, 0, RIG_MMIO);
    expect_parts(VSDK_DIRECTION_WRITE);
    expect_parts(VSDK_DIRECTION_READ);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_MMIO, 8, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.value == 0x1122334455667788);
    rig_close(&r);
}

GUEST(string_code, "cld; rep insl; out %al, $0x30; 1: jmp 1b");

TEST(string_input)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, string_code, string_code_end);
    rig_set(&r, 10, 0x40, 0, 0x18000);
    uint32_t next = 100, seen = 0;
    while (seen < 10 && rig_run(&r) == VSDK_OK && r.exit.reason == VSDK_EXIT_PIO &&
           r.exit.address == 0x40) {
        uint32_t *elements = (uint32_t *)(uintptr_t)r.exit.data;
        CHECK(r.exit.width == 4 && r.exit.direction == VSDK_DIRECTION_READ);
        for (uint32_t i = 0; i < r.exit.count; i++, seen++) {
            CHECK(elements[i] == UINT32_MAX);
            elements[i] = next++;
        }
    }
    CHECK(seen == 10);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.address == 0x30);
    const uint32_t *memory = (const uint32_t *)((char *)r.ram.memory + 0x18000);
    for (uint32_t i = 0; i < 10; i++)
        CHECK(memory[i] == 100 + i);
    rig_close(&r);
}

TEST(complete_finishes_exactly)
{
    vsdk_x86_regs regs;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, mmio_code, mmio_code_end);
    rig_set(&r, 0, 0, 0, RIG_MMIO);
    for (unsigned i = 0; i < 5; i++)
        CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_MMIO + 32, 8, VSDK_DIRECTION_READ);
    r.exit.value = 0x5a5a;
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_NONE);
    CHECK(rig_ops->vcpu_get_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    CHECK(regs.rbx == 0x5a5a);
    CHECK(regs.rax == 0x1122334455667788);
    regs.rbx = 0xbeef;
    CHECK(rig_ops->vcpu_set_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_MMIO + 40, 8, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.value == 0xbeef);
    rig_close(&r);
}

TEST(complete_shows_fragments)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, crossing_code, crossing_code_end);
    rig_set(&r, 0, 0, 0, RIG_MMIO);
    CHECK(rig_run(&r) == VSDK_OK);
    unsigned parts = 0;
    for (; r.exit.reason == VSDK_EXIT_MMIO && parts < 9; parts++)
        CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(parts == 4 && r.exit.reason == VSDK_EXIT_NONE);
    rig_close(&r);
}

TEST(request_finishes_the_access)
{
    vsdk_x86_regs regs;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, mmio_code, mmio_code_end);
    rig_set(&r, 0, 0, 0, RIG_MMIO);
    for (unsigned i = 0; i < 5; i++)
        CHECK(rig_run(&r) == VSDK_OK);
    r.exit.value = 0x77;
    atomic_store(&r.vcpu.requests, REQUEST_KICK);
    rig_ops->vcpu_interrupt(&r.vcpu);
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_KICKED && r.exit.detail == 0);
    CHECK(rig_ops->vcpu_get_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    CHECK(regs.rbx == 0x77);
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_KICKED);
    atomic_store(&r.vcpu.requests, 0);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_MMIO + 40, 8, VSDK_DIRECTION_WRITE);
    rig_close(&r);
}

TEST(registers_with_a_pending_write)
{
    vsdk_x86_regs regs;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, VSDK_VCPU_SYNC_GENERAL);
    rig_load(&r, pio_code, pio_code_end);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_PIO, 0x10, 1, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.flags == (VSDK_EXIT_REGS_SETTABLE | VSDK_EXIT_REGS_SYNCED));
    CHECK(r.sync.rax == 0x11223344);
    CHECK(rig_ops->vcpu_get_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    CHECK(memcmp(&regs, &r.sync, sizeof regs) == 0);
    regs.rax = 0x99;
    CHECK(rig_ops->vcpu_set_regs(&r.vcpu, &regs, &r.error) == VSDK_OK);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_PIO, 0x12, 2, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.value == 0x99);
    CHECK(r.sync.rax == 0x99);
    rig_close(&r);
}

TEST(control_registers)
{
    vsdk_x86_sregs s, t;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    CHECK(rig_ops->vcpu_get_sregs(&r.vcpu, &s, &r.error) == VSDK_OK);
    CHECK(s.cs.access == 0xa0fb && s.cs.selector == 0x0b);
    CHECK(s.cr3 == 0x2000 && s.efer == 0x500 && s.apic_base == 0xfee00900);
    s.gdt.base = 0x5000;
    s.gdt.limit = 23;
    s.ldt.access = 0;
    CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &s, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_get_sregs(&r.vcpu, &t, &r.error) == VSDK_OK);
    CHECK(t.gdt.base == 0x5000 && t.gdt.limit == 23);
    CHECK(!(t.ldt.access & 0x80));
    s.cr4 = 0;
    CHECK(rig_ops->vcpu_set_sregs(&r.vcpu, &s, &r.error) == VSDK_ERROR_INVALID_ARGUMENT);
    CHECK(r.error.os_errno == EINVAL);
    rig_close(&r);
}

GUEST(fpu_code, "movdqu %xmm1, (%rdi); out %al, $0x10; 1: jmp 1b");

TEST(floating_point)
{
    vsdk_x86_fpu fpu, back;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, fpu_code, fpu_code_end);
    rig_set(&r, 0, 0, 0, 0x18000);
    CHECK(rig_ops->vcpu_get_fpu(&r.vcpu, &fpu, &r.error) == VSDK_OK);
    CHECK(fpu.fcw == 0x37f || fpu.fcw == 0x40);
    for (unsigned i = 0; i < sizeof fpu.xmm; i++)
        fpu.xmm[i] = (uint8_t)(i * 7);
    fpu.st[3] = 0x55;
    fpu.mxcsr = 0x1fa0;
    CHECK(rig_ops->vcpu_set_fpu(&r.vcpu, &fpu, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_get_fpu(&r.vcpu, &back, &r.error) == VSDK_OK);
    CHECK(memcmp(fpu.xmm, back.xmm, sizeof fpu.xmm) == 0);
    CHECK(memcmp(fpu.st, back.st, sizeof fpu.st) == 0 && back.mxcsr == 0x1fa0);
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(memcmp((char *)r.ram.memory + 0x18000, fpu.xmm + 16, 16) == 0);
    fpu.mxcsr = 0xffffffff;
    CHECK(rig_ops->vcpu_set_fpu(&r.vcpu, &fpu, &r.error) == VSDK_ERROR_INVALID_ARGUMENT);
    rig_close(&r);
}

GUEST(rom_code, "mov (%rdi), %eax; out %eax, $0x10; movl $0x1234, (%rdi);"
                "mov (%rdi), %eax; out %eax, $0x10; jmp 1f; 1: jmp 1b");

TEST(read_only_memory)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_load(&r, rom_code, rom_code_end);
    rig_set(&r, 0, 0, 0, RIG_ROM);
    backend_slot rom = {.ram = &r.ram,
                        .gpa = RIG_ROM,
                        .offset = 0x100000,
                        .length = 0x1000,
                        .flags = VSDK_MAP_READONLY,
                        .index = 1};
    uint32_t *word = (uint32_t *)((char *)r.ram.memory + 0x100000);
    *word = 0xcafe;
    CHECK(rig_ops->vm_map(&r.vm, &rom, &r.error) == VSDK_OK);
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_PIO && r.exit.value == 0xcafe);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_ROM, 4, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.value == 0x1234 && *word == 0xcafe);
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_PIO && r.exit.value == 0xcafe);
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(rig_ops->vm_protect(&r.vm, &rom, 0, &r.error) == VSDK_OK);
    rom.flags = 0;
    rig_set(&r, 0, 0, 0, RIG_ROM);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.value == 0xcafe);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.value == 0x1234);
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(rig_ops->vm_unmap(&r.vm, &rom, &r.error) == VSDK_OK);
    rig_set(&r, 0, 0, 0, RIG_ROM);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_MMIO, RIG_ROM, 4, VSDK_DIRECTION_READ);
    rig_close(&r);
}

TEST(map_refuses)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    backend_slot slot = {.ram = &r.ram, .length = 0x1000, .index = 1};
    slot.gpa = 0x2000;
    CHECK(rig_ops->vm_map(&r.vm, &slot, &r.error) == VSDK_ERROR_EXISTS);
    slot.gpa = UINT64_C(1) << 60;
    CHECK(rig_ops->vm_map(&r.vm, &slot, &r.error) == VSDK_ERROR_RANGE);
    slot.gpa = RIG_ROM;
    slot.index = 1u << 30;
    CHECK(rig_ops->vm_map(&r.vm, &slot, &r.error) == VSDK_ERROR_LIMIT);
    backend_ram huge = {.vm = &r.vm, .bytes = UINT64_C(1) << 62};
    CHECK(rig_ops->ram_create(&huge, &r.error) == VSDK_ERROR_NO_MEMORY);
    rig_close(&r);
}

GUEST(bell_code, "mov $5, %al; out %al, $0x50; mov $6, %al; out %al, $0x50;"
                 "mov %eax, (%rdi); mov %al, (%rdi); out %al, $0x10; 1: jmp 1b");

static uint64_t rings(int fd)
{
    uint64_t count = 0;
    return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

TEST(doorbells)
{
    uint64_t six = 6;
    int port = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        page = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    CHECK(rig_ops->doorbell_assign(&r.vm, VSDK_SPACE_PIO, 0x50, 1, &six, port, &r.error) ==
          VSDK_OK);
    CHECK(rig_ops->doorbell_assign(&r.vm, VSDK_SPACE_MMIO, RIG_MMIO, 0, NULL, page, &r.error) ==
          VSDK_OK);
    CHECK(rig_ops->doorbell_assign(&r.vm, VSDK_SPACE_PIO, 0x50, 1, &six, port, &r.error) ==
          VSDK_ERROR_EXISTS);
    rig_load(&r, bell_code, bell_code_end);
    rig_set(&r, 0, 0, 0, RIG_MMIO);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_PIO, 0x50, 1, VSDK_DIRECTION_WRITE);
    CHECK(r.exit.value == 5);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_PIO, 0x10, 1, VSDK_DIRECTION_WRITE);
    CHECK(rings(port) == 1);
    CHECK(rings(page) == 2);
    rig_ops->doorbell_deassign(&r.vm, VSDK_SPACE_PIO, 0x50, 1, &six, port);
    CHECK(rig_ops->vcpu_complete(&r.vcpu, &r.error) == VSDK_OK);
    rig_set(&r, 0, 0, 0, RIG_MMIO);
    CHECK(rig_run(&r) == VSDK_OK && r.exit.value == 5);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_PIO, 0x50, 1, VSDK_DIRECTION_WRITE);
    rig_close(&r);
    close(port);
    close(page);
}

TEST(messages_and_lines)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    CHECK(rig_ops->irq_lines(&r.vm) == 0);
    CHECK(rig_ops->vm_send_msi(&r.vm, 0xfee00000, 0x40, &r.error) == VSDK_OK);
    CHECK(rig_ops->vm_send_msi(&r.vm, 0xfee80000, 0x40, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_inject_nmi(&r.vcpu, &r.error) == VSDK_OK);
    rig_close(&r);
    rig_open(&r, VSDK_IRQCHIP_KERNEL, 0);
    CHECK(rig_ops->irq_lines(&r.vm) == 24);
    CHECK(rig_ops->irq_set_line(&r.vm, 4, 1, &r.error) == VSDK_OK);
    CHECK(rig_ops->irq_set_line(&r.vm, 4, 0, &r.error) == VSDK_OK);
    rig_close(&r);
}

GUEST(halt_code, "1: hlt; out %al, $0x10; jmp 1b");

TEST(halt_and_triple_fault)
{
    rig_open(&r, VSDK_IRQCHIP_NONE, 0);
    rig_load(&r, halt_code, halt_code_end);
    rig_set_kernel_mode(&r);
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_HALT);
    CHECK(rig_run(&r) == VSDK_OK);
    expect_access(VSDK_EXIT_PIO, 0x10, 1, VSDK_DIRECTION_WRITE);
    CHECK(rig_ops->vm_send_msi(&r.vm, 0xfee00000, 0x40, &r.error) == VSDK_ERROR_UNSUPPORTED);
    CHECK(rig_ops->vcpu_inject_nmi(&r.vcpu, &r.error) == VSDK_OK);
    CHECK(rig_run(&r) == VSDK_OK);
    CHECK(r.exit.reason == VSDK_EXIT_CRASH && r.exit.detail == VSDK_CRASH_TRIPLE_FAULT);
    rig_close(&r);
}

TEST(cpuid)
{
    vsdk_x86_cpuid_entry entry;
    uint32_t needed = 0;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    CHECK(rig_ops->host_get_cpuid(&r.host, NULL, 0, &needed, &r.error) == VSDK_OK && needed > 10);
    CHECK(rig_ops->vcpu_get_cpuid(&r.vcpu, 1, 0, &entry, &r.error) == VSDK_OK);
    CHECK(entry.ebx >> 24 == 0 && (entry.ebx >> 16 & 0xff) == 2 && entry.ecx >> 31);
    CHECK(rig_ops->vcpu_get_cpuid(&r.vcpu, 0xb, 1, &entry, &r.error) == VSDK_OK);
    CHECK(entry.ecx == 1 && entry.edx == 0);
    /* The kernel goes by the first of two entries for one leaf. */
    enum { MOST = 256 };
    struct kvm_cpuid2 *list = calloc(1, sizeof *list + MOST * sizeof list->entries[0]);
    list->nent = MOST;
    CHECK(ioctl(((const vcpu_kvm *)r.vcpu.data)->fd, KVM_GET_CPUID2, list) == 0);
    unsigned topologies = 0;
    for (uint32_t i = 0; i < list->nent; i++)
        topologies += list->entries[i].function == 0xb && list->entries[i].index == 0;
    CHECK(topologies == 1);
    free(list);
    CHECK(rig_ops->vcpu_get_cpuid(&r.vcpu, 0x12345, 0, &entry, &r.error) == VSDK_ERROR_NOT_FOUND);
    rig_close(&r);
}

TEST(reserved_ranges)
{
    vsdk_vm_range ranges[16];
    uint32_t needed = 0;
    rig_open(&r, VSDK_IRQCHIP_KERNEL, 0);
    CHECK(rig_ops->vm_list_reserved(&r.vm, NULL, 0, &needed, &r.error) == VSDK_OK);
    CHECK(needed > 3 && needed <= 16);
    CHECK(rig_ops->vm_list_reserved(&r.vm, ranges, 16, &needed, &r.error) == VSDK_OK);
    for (uint32_t i = 0; i < needed; i++)
        CHECK(ranges[i].length && ranges[i].reason[0]);
    rig_close(&r);
}

TEST(capabilities)
{
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    for (vsdk_capability c = VSDK_CAPABILITY_AUTONOMOUS; c <= API_LAST_CAPABILITY; c++) {
        vsdk_capability_info info = {.size = sizeof info};
        CHECK(rig_ops->host_query(&r.host, c, &info, &r.error) == VSDK_OK);
        CHECK(info.answer == VSDK_ANSWER_YES || info.reason[0]);
        printf("# %s %s %llu %s\n", vsdk_capability_name(c), vsdk_answer_name(info.answer),
               (unsigned long long)info.value, info.reason);
    }
    rig_close(&r);
}

static vsdk_status open_with(vsdk_host_config *config)
{
    backend_host host = {.ops = rig_ops};
    config->size = sizeof *config;
    vsdk_status status = rig_ops->host_open(&host, config, &r.error);
    if (status == VSDK_OK)
        rig_ops->host_close(&host);
    return status;
}

TEST(host_configurations)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    vsdk_host_config config = {.flags = VSDK_HOST_DESCRIPTOR, .descriptor = null};
    CHECK(open_with(&config) == VSDK_ERROR_SYSTEM && r.error.os_errno == ENOTTY);
    config.descriptor = kvm;
    CHECK(open_with(&config) == VSDK_OK);
    config.descriptor = -1;
    CHECK(open_with(&config) == VSDK_ERROR_SYSTEM && r.error.os_errno == EBADF);
    config = (vsdk_host_config){.kick_signal = 9};
    CHECK(open_with(&config) == VSDK_ERROR_INVALID_ARGUMENT);
    config = (vsdk_host_config){.kick_signal = UINT32_MAX};
    CHECK(open_with(&config) == VSDK_ERROR_INVALID_ARGUMENT);
    config = (vsdk_host_config){.kick_signal = (uint32_t)SIGRTMIN};
    CHECK(open_with(&config) == VSDK_OK);
    close(null);
    close(kvm);
}

/* No further descriptor can be opened until the limit is set back. */
static struct rlimit use_up_descriptors(void)
{
    struct rlimit was, now;
    int next = dup(STDOUT_FILENO);
    CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
    now = (struct rlimit){(rlim_t)next, was.rlim_max};
    close(next);
    CHECK(setrlimit(RLIMIT_NOFILE, &now) == 0);
    return was;
}

static void expect_limit(vsdk_status status)
{
    CHECK(status == VSDK_ERROR_LIMIT && r.error.code == status);
    CHECK(r.error.os_errno == EMFILE && r.error.hint[0]);
}

/* One code for one cause, in every call. */
TEST(no_more_descriptors)
{
    static _Alignas(64) vsdk_exit exit;
    backend_vcpu second = {.vm = &r.vm, .index = 1, .exit = &exit};
    backend_vcpu *none[1] = {NULL};
    rig_vcpus = 2;
    rig_open(&r, VSDK_IRQCHIP_PORTABLE, 0);
    rig_vcpus = 1;
    backend_vm other = {.host = &r.host, .config = r.vm.config, .vcpus = none};
    other.config.vcpus_max = 1;
    vsdk_host_config config = {.flags = VSDK_HOST_DESCRIPTOR,
                               .descriptor = ((const host_kvm *)r.host.data)->fd};
    vsdk_host_config by_name = {0};
    struct rlimit was = use_up_descriptors();
    expect_limit(open_with(&by_name));
    expect_limit(open_with(&config));
    expect_limit(rig_ops->vm_create(&other, &r.error));
    expect_limit(rig_ops->vcpu_create(&second, &r.error));
    expect_limit(rig_ops->vm_reset(&r.vm, &r.error));
    CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
    CHECK(rig_ops->vm_reset(&r.vm, &r.error) == VSDK_OK);
    rig_close(&r);
}

/* What the caller can do something about has a code of its own and advice. */
TEST(codes_of_failed_requests)
{
    vsdk_error error = {0};
    CHECK(kvm_error(&error, -ENOMEM, "request", "failed") == VSDK_ERROR_NO_MEMORY && error.hint[0]);
    CHECK(kvm_error(&error, -EMFILE, "request", "failed") == VSDK_ERROR_LIMIT && error.hint[0]);
    CHECK(kvm_error(&error, -EBUSY, "request", "failed") == VSDK_ERROR_SYSTEM && !error.hint[0]);
    CHECK(kvm_error(&error, -EINVAL, "request", "failed") == VSDK_ERROR_SYSTEM && !error.hint[0]);
    CHECK(error.os_errno == EINVAL && error.code == VSDK_ERROR_SYSTEM);
    static const struct {
        int os_errno;
        const char *advice;
    } told[] = {{ENOMEM, "free memory"}, {EACCES, "policy"}, {EPERM, "policy"}, {EMFILE, "ulimit"},
                {ENFILE, "file-max"},    {EIO, "fork"},      {EINTR, "again"}};
    for (unsigned i = 0; i < sizeof told / sizeof *told; i++) {
        kvm_error(&error, -told[i].os_errno, "request", "failed");
        CHECK(strstr(error.hint, told[i].advice) != NULL);
    }
}

static void expect_report(int is_exit, vsdk_exit_reason reason, uint64_t detail)
{
    vcpu_kvm *v = r.vcpu.data;
    r.exit = (vsdk_exit){.reason = VSDK_EXIT_NONE};
    CHECK(kvm_exit_fill(v) == is_exit);
    CHECK(r.exit.reason == reason && r.exit.detail == detail);
}

/* What no guest here makes the kernel say. An end is an end, what the next entry goes on from is no
 * exit, and what is not known keeps its number. */
TEST(reports_of_the_kernel)
{
    rig_open(&r, VSDK_IRQCHIP_NONE, 0);
    struct kvm_run *run = atomic_load(&((vcpu_kvm *)r.vcpu.data)->run);
    static const struct {
        uint32_t event;
        vsdk_exit_reason reason;
        uint64_t detail;
    } events[] = {{KVM_SYSTEM_EVENT_SHUTDOWN, VSDK_EXIT_POWEROFF, 0},
                  {KVM_SYSTEM_EVENT_RESET, VSDK_EXIT_RESET, 0},
                  {KVM_SYSTEM_EVENT_CRASH, VSDK_EXIT_CRASH, VSDK_CRASH_PANIC},
                  {KVM_SYSTEM_EVENT_SUSPEND, VSDK_EXIT_SUSPEND, 0},
                  {77, VSDK_EXIT_UNKNOWN, 77}};
    run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
    for (unsigned i = 0; i < sizeof events / sizeof *events; i++) {
        run->system_event.type = events[i].event;
        expect_report(1, events[i].reason, events[i].detail);
    }
    CHECK(r.exit.native == KVM_EXIT_SYSTEM_EVENT);
    run->system_event.type = KVM_SYSTEM_EVENT_WAKEUP;
    expect_report(0, VSDK_EXIT_NONE, 0);
    static const uint32_t inside[] = {KVM_EXIT_INTR, KVM_EXIT_IOAPIC_EOI, KVM_EXIT_SET_TPR,
                                      KVM_EXIT_IRQ_WINDOW_OPEN};
    for (unsigned i = 0; i < sizeof inside / sizeof *inside; i++) {
        run->exit_reason = inside[i];
        expect_report(0, VSDK_EXIT_NONE, 0);
    }
    run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    run->internal.suberror = 3;
    expect_report(1, VSDK_EXIT_INTERNAL_ERROR, 3);
    CHECK(r.exit.native == KVM_EXIT_INTERNAL_ERROR);
    run->exit_reason = KVM_EXIT_FAIL_ENTRY;
    run->fail_entry.hardware_entry_failure_reason = UINT64_C(0x80000021);
    expect_report(1, VSDK_EXIT_FAIL_ENTRY, UINT64_C(0x80000021));
    run->exit_reason = 999;
    run->hw.hardware_exit_reason = 55;
    expect_report(1, VSDK_EXIT_UNKNOWN, 55);
    CHECK(r.exit.native == 999);
    rig_close(&r);
}

/* The kernel says ENOSPC, which is true of its page tables and tells nobody anything. */
TEST(machine_without_memory)
{
    rig_open(&r, VSDK_IRQCHIP_NONE, 0);
    static _Alignas(64) vsdk_exit exit;
    backend_vcpu *vcpus[1] = {NULL};
    backend_vm empty = {.host = &r.host, .config = r.vm.config, .vcpus = vcpus};
    backend_vcpu vcpu = {.vm = &empty, .exit = &exit};
    CHECK(rig_ops->vm_create(&empty, &r.error) == VSDK_OK);
    CHECK(rig_ops->vcpu_create(&vcpu, &r.error) == VSDK_OK);
    vcpus[0] = &vcpu;
    CHECK(rig_ops->vcpu_enter(&vcpu, &r.error) == VSDK_OK);
    vsdk_status status = rig_ops->vcpu_run(&vcpu, &r.error);
    rig_ops->vcpu_leave(&vcpu);
    if (status == VSDK_OK)
        CHECK(exit.reason != VSDK_EXIT_MEMORY_FAULT && exit.reason != VSDK_EXIT_NONE);
    else
        CHECK(status == VSDK_ERROR_SYSTEM && r.error.code == status &&
              strstr(r.error.message, "no memory is mapped") &&
              strstr(r.error.hint, "vsdk_vm_map"));
    rig_ops->vm_destroy(&empty);
    rig_ops->vcpu_destroy(&vcpu);
    rig_ops->vm_free(&empty);
    rig_close(&r);
}

static unsigned refused_slots; /* the next ones that are to be made are refused */

int __real_sys_ioctl_retry(int fd, unsigned long request, uintptr_t argument);
int __wrap_sys_ioctl_retry(int fd, unsigned long request, uintptr_t argument);

int __wrap_sys_ioctl_retry(int fd, unsigned long request, uintptr_t argument)
{
    if (request == KVM_SET_USER_MEMORY_REGION && refused_slots &&
        ((struct kvm_userspace_memory_region *)argument)->memory_size) {
        refused_slots--;
        return -ENOMEM;
    }
    return __real_sys_ioctl_retry(fd, request, argument);
}

/* Changing protection takes the slot away. Where neither the new one nor the old one comes back,
 * that is told. */
TEST(a_slot_is_lost)
{
    for (unsigned refused = 1; refused <= 2; refused++) {
        rig_open(&r, VSDK_IRQCHIP_NONE, 0);
        refused_slots = refused;
        CHECK(rig_ops->vm_protect(&r.vm, &r.slot, VSDK_MAP_READONLY, &r.error) ==
              VSDK_ERROR_SYSTEM);
        CHECK(!refused_slots && r.error.os_errno == ENOMEM);
        CHECK(r.slot.lost == (refused == 2));
        CHECK((rig_ops->vm_unmap(&r.vm, &r.slot, &r.error) == VSDK_OK) == (refused == 1));
        rig_close(&r);
    }
}

int main(void)
{
    rig_begin();
    RUN(pio);
    RUN(mmio);
    RUN(mmio_across_pages);
    RUN(string_input);
    RUN(complete_finishes_exactly);
    RUN(complete_shows_fragments);
    RUN(request_finishes_the_access);
    RUN(registers_with_a_pending_write);
    RUN(control_registers);
    RUN(floating_point);
    RUN(read_only_memory);
    RUN(map_refuses);
    RUN(a_slot_is_lost);
    RUN(doorbells);
    RUN(messages_and_lines);
    RUN(halt_and_triple_fault);
    RUN(cpuid);
    RUN(reserved_ranges);
    RUN(capabilities);
    RUN(host_configurations);
    RUN(no_more_descriptors);
    RUN(codes_of_failed_requests);
    RUN(reports_of_the_kernel);
    RUN(machine_without_memory);
    return rig_finish();
}
