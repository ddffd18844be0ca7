/* SPDX-License-Identifier: Apache-2.0 */
/* What only the driven mock does, and what both do below the core. */
#include "../generated/api_table.h"
#include "backends/mock/mock.h"
#include "base/sys.h"
#include "mock_rig.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

Test(driven, complete_finishes_an_access_and_nothing_else)
{
    vsdk_x86_regs regs;
    rig r = {0};

    rig_open(&r, 0);
    rig_load(&r, &guest_page_cross, 3, 0);
    const backend_ops *ops = r.host.ops;
    rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 0xffe, 2, 0x2211);
    cr_assert_eq(ops->vcpu_complete(&r.vcpu[0], NULL), VSDK_OK);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_MMIO);
    cr_assert_eq(r.exit->address, MMIO + 0x1000);
    r.exit->value = 0x4433;
    cr_assert_eq(ops->vcpu_complete(&r.vcpu[0], NULL), VSDK_OK);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_NONE);
    cr_assert_eq(ops->vcpu_get_regs(&r.vcpu[0], &regs, NULL), VSDK_OK);
    cr_assert_eq(regs.rax, 0x44332211);
    cr_assert_eq(ops->vcpu_complete(&r.vcpu[0], NULL), VSDK_OK);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 0x44332211);
    rig_close(&r);
}

BOTH(requests, finish_the_access_and_leave)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_page_cross, 3, 0);
    rig_start(&r);
    rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 0xffe, 2, 0x2211);
    atomic_store(&r.vcpu[0].requests, REQUEST_HOLD);
    rig_answer(&r, VSDK_EXIT_MMIO, MMIO + 0x1000, 2, 0x4433);
    for (int i = 0; i < 2; i++) {
        rig_run(&r, 0);
        cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
        cr_assert_eq(r.exit->detail, 0);
    }
    atomic_store(&r.vcpu[0].requests, 0);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 0x44332211);
    rig_close(&r);
}

BOTH(requests, deadline_passes)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_count_loop, 3, 0);
    rig_start(&r);
    for (int i = 0; !r.memory[DATA] && !r.memory[DATA + 1]; i++) {
        cr_assert_lt(i, 100);
        rig_run_for(&r, 0, 5000000);
        cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
        cr_assert_eq(r.exit->detail, VSDK_KICK_DEADLINE);
    }
    rig_close(&r);
}

BOTH(requests, deadline_passes_for_a_halted_guest)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_code(&r, "\xfb\xf4\xeb\xfd", 4, 0);
    rig_start(&r);
    rig_run_for(&r, 0, 5000000);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
    cr_assert_eq(r.exit->detail, VSDK_KICK_DEADLINE);
    rig_close(&r);
}

typedef struct kicker {
    rig *r;
    const char *what;
} kicker;

static void *act(void *user)
{
    kicker *k = user;
    backend_vcpu *vcpu = &k->r->vcpu[0];
    const backend_ops *ops = k->r->host.ops;

    usleep(20000);
    if (!strcmp(k->what, "kick")) {
        atomic_fetch_or(&vcpu->requests, (uint32_t)REQUEST_KICK);
        ops->vcpu_interrupt(vcpu);
    } else if (!strcmp(k->what, "message")) {
        ops->vm_send_msi(&k->r->vm, 0xfee00000, 0x3f, NULL);
    } else {
        ops->vcpu_inject_nmi(vcpu, NULL);
    }
    return NULL;
}

static void while_waiting(rig *r, const char *what)
{
    kicker k = {r, what};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, act, &k), 0);
    rig_run(r, 0);
    pthread_join(thread, NULL);
}

BOTH(waiting, a_kick_ends_it)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_code(&r, "\xfb\xf4\xeb\xfd", 4, 0);
    rig_start(&r);
    while_waiting(&r, "kick");
    cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
    cr_assert_eq(r.exit->detail, 0);
    rig_close(&r);
}

BOTH(waiting, a_kick_ends_a_loop)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_count_loop, 0, 0);
    rig_start(&r);
    while_waiting(&r, "kick");
    cr_assert_eq(r.exit->reason, VSDK_EXIT_KICKED);
    rig_close(&r);
}

BOTH(waiting, an_interrupt_ends_it)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_vectors, 0, 0);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 1);
    while_waiting(&r, "message");
    cr_assert_eq(r.exit->value, 0x3f);
    rig_close(&r);
}

/* Halted with interrupts off: an NMI wakes the driven one, the other is down. */
BOTH(waiting, halted_for_good)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_load(&r, &guest_nmi, 0, 0);
    rig_start(&r);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_REPORT, 4, 1);
    size_t bytes = (size_t)(guest_nmi.end - guest_nmi.code);
    memcpy(r.memory + CODE + bytes, "\xfa\xf4\xeb\xfd", 4);
    /* The loop of the guest becomes CLI and HLT: its first instruction there is PAUSE. */
    uint8_t *loop = memmem(r.memory + CODE, bytes, "\xf3\x90\x83\xf9\x02", 5);
    cr_assert_not_null(loop);
    memcpy(loop, "\xfa\xf4", 2);
    if (autonomous) {
        rig_run(&r, 0);
        cr_assert_eq(r.exit->reason, VSDK_EXIT_HALTED);
        rig_close(&r);
        return;
    }
    while_waiting(&r, "nmi");
    cr_assert_eq(r.exit->reason, VSDK_EXIT_PIO);
    cr_assert_eq(r.exit->address, PORT_BYTE);
    rig_close(&r);
}

Test(driven, memory_at_two_addresses)
{
    static const char code[] = "\x8b\x03\xff\x01\x2b\x03\xe7\xf2"; /* eax = [rbx]; ++[rcx]; - */
    vsdk_x86_regs regs;
    rig r = {0};

    rig_open(&r, 0);
    rig_code(&r, code, sizeof code - 1, 3);
    const backend_ops *ops = r.host.ops;
    backend_slot alias = {
        .ram = &r.ram, .gpa = 0x8000000, .offset = DATA, .length = 0x1000, .index = 1};
    cr_assert_eq(ops->vm_map(&r.vm, &alias, NULL), VSDK_OK);
    cr_assert_eq(ops->vcpu_get_regs(&r.vcpu[0], &regs, NULL), VSDK_OK);
    regs.rbx = DATA;
    regs.rcx = 0x8000000;
    cr_assert_eq(ops->vcpu_set_regs(&r.vcpu[0], &regs, NULL), VSDK_OK);
    rig_expect_write(&r, VSDK_EXIT_PIO, PORT_LOOK, 4, 0xffffffff);
    cr_assert_eq(ops->vm_unmap(&r.vm, &alias, NULL), VSDK_OK);
    rig_close(&r);
}

Test(driven, doorbells_ring_without_an_exit)
{
    const uint64_t match = 2;
    uint64_t rings = 0;
    rig r = {0};

    rig_open(&r, 0);
    rig_load(&r, &guest_rings, 3, 0);
    const backend_ops *ops = r.host.ops;
    int bell = sys_eventfd(), other = sys_eventfd();
    cr_assert_eq(ops->doorbell_assign(&r.vm, VSDK_SPACE_PIO, PORT_WORD, 2, NULL, bell, NULL),
                 VSDK_OK);
    cr_assert_eq(ops->doorbell_assign(&r.vm, VSDK_SPACE_MMIO, MMIO, 4, &match, other, NULL),
                 VSDK_OK);
    rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO, 4, 1);
    rig_expect_write(&r, VSDK_EXIT_MMIO, MMIO, 4, 3);
    rig_expect_end(&r, 0);
    cr_assert_eq(sys_eventfd_read(bell, &rings), 0);
    cr_assert_eq(rings, 3);
    cr_assert_eq(sys_eventfd_read(other, &rings), 0);
    cr_assert_eq(rings, 1);
    ops->doorbell_deassign(&r.vm, VSDK_SPACE_PIO, PORT_WORD, 2, NULL, bell);
    ops->doorbell_deassign(&r.vm, VSDK_SPACE_MMIO, MMIO, 4, &match, other);
    sys_close(bell);
    sys_close(other);
    rig_close(&r);
}

BOTH(unknown, instructions_say_their_bytes)
{
    rig r = {0};

    rig_open(&r, autonomous);
    rig_code(&r, "\x0f\x58\xc1\x90\x90\x90\x90\x90\x90", 9, 3);
    rig_start(&r);
    for (int i = 0; i < 2; i++) {
        rig_run(&r, 0);
        cr_assert_eq(r.exit->reason, VSDK_EXIT_INTERNAL_ERROR);
        cr_assert_eq(r.exit->native & 0xffffff, 0xc1580f);
        cr_assert_eq(r.exit->detail, 1);
    }
    rig_close(&r);
}

BOTH(unknown, code_outside_memory)
{
    vsdk_x86_regs regs;
    rig r = {0};

    rig_open(&r, autonomous);
    rig_code(&r, "\xff\xe3", 2, 3);
    r.host.ops->vcpu_get_regs(&r.vcpu[0], &regs, NULL);
    regs.rbx = RIG_RAM_BYTES - 1;
    r.memory[RIG_RAM_BYTES - 1] = 0x48;
    r.host.ops->vcpu_set_regs(&r.vcpu[0], &regs, NULL);
    rig_start(&r);
    rig_run(&r, 0);
    cr_assert_eq(r.exit->reason, VSDK_EXIT_INTERNAL_ERROR);
    cr_assert_eq(r.exit->native, RIG_RAM_BYTES);
    cr_assert_eq(r.exit->detail, 2);
    rig_close(&r);
}

BOTH(machine, limits_and_kinds)
{
    const backend_ops *ops = autonomous ? backend_mock_autonomous() : backend_mock();
    vsdk_host_config config = {.size = sizeof config};
    backend_host host = {.ops = ops};
    backend_vm vm = {.host = &host};
    vsdk_error error;

    cr_assert_eq(ops->host_open(&host, &config, &error), VSDK_OK);
    vm.config = (vsdk_vm_config){.vcpus_max = 1, .irqchip = VSDK_IRQCHIP_KERNEL};
    cr_assert_eq(ops->vm_create(&vm, &error), VSDK_ERROR_UNSUPPORTED);
    vm.config = (vsdk_vm_config){.vcpus_max = 128};
    cr_assert_eq(ops->vm_create(&vm, &error), VSDK_ERROR_LIMIT);
    ops->host_close(&host);
    config.flags = VSDK_HOST_DESCRIPTOR;
    cr_assert_eq(ops->host_open(&host, &config, &error), VSDK_ERROR_UNSUPPORTED);
}

BOTH(machine, capabilities_have_reasons)
{
    rig r = {0};

    rig_open(&r, autonomous);
    for (vsdk_capability c = VSDK_CAPABILITY_AUTONOMOUS; c <= API_LAST_CAPABILITY; c++) {
        vsdk_capability_info info = {.size = sizeof info};

        cr_assert_eq(r.host.ops->host_query(&r.host, c, &info, NULL), VSDK_OK);
        cr_assert_neq(info.reason[0], 0);
        cr_assert_str_neq(info.reason, "not known to the mock", "capability %u", c);
    }
    rig_close(&r);
}

BOTH(machine, messages_that_are_refused)
{
    rig none = {.irqchip = VSDK_IRQCHIP_NONE}, r = {0};
    vsdk_error error;

    rig_open(&none, autonomous);
    cr_assert_eq(none.host.ops->vm_send_msi(&none.vm, 0xfee00000, 0x40, &error),
                 VSDK_ERROR_UNSUPPORTED);
    rig_close(&none);
    rig_open(&r, autonomous);
    cr_assert_eq(r.host.ops->vm_send_msi(&r.vm, 0xfee00000, 0x240, &error), VSDK_ERROR_UNSUPPORTED);
    cr_assert_eq(r.host.ops->vm_send_msi(&r.vm, 0xfee00000, 0x440, &error),
                 autonomous ? VSDK_ERROR_UNSUPPORTED : VSDK_OK);
    rig_close(&r);
}

BOTH(machine, sregs_that_are_refused)
{
    vsdk_x86_sregs sregs;
    vsdk_x86_fpu fpu;
    rig r = {0};

    rig_open(&r, autonomous);
    const backend_ops *ops = r.host.ops;
    cr_assert_eq(ops->vcpu_get_sregs(&r.vcpu[0], &sregs, NULL), VSDK_OK);
    cr_assert_eq(sregs.apic_base, 0xfee00900);
    sregs.cr0 = 0x80000001;
    cr_assert_eq(ops->vcpu_set_sregs(&r.vcpu[0], &sregs, NULL), VSDK_ERROR_SYSTEM);
    cr_assert_eq(ops->vcpu_get_fpu(&r.vcpu[0], &fpu, NULL), VSDK_OK);
    fpu.xmm[5] = 7;
    cr_assert_eq(ops->vcpu_set_fpu(&r.vcpu[0], &fpu, NULL), VSDK_OK);
    cr_assert_eq(ops->vcpu_get_fpu(&r.vcpu[0], &fpu, NULL), VSDK_OK);
    cr_assert_eq(fpu.xmm[5], 7);
    rig_close(&r);
}

BOTH(machine, cpuid_has_the_topology)
{
    vsdk_x86_cpuid_entry entry;
    rig r = {.vcpu_count = 2};

    rig_open(&r, autonomous);
    const backend_ops *ops = r.host.ops;
    cr_assert_eq(ops->vcpu_get_cpuid(&r.vcpu[1], 1, 0, &entry, NULL), VSDK_OK);
    cr_assert_eq(entry.ebx >> 24, 2);
    cr_assert_eq(ops->vcpu_get_cpuid(&r.vcpu[1], 0xb, 0, &entry, NULL), VSDK_OK);
    cr_assert_eq(entry.edx, 2);
    cr_assert_eq(ops->vcpu_get_cpuid(&r.vcpu[1], 0x12345, 0, &entry, NULL), VSDK_ERROR_NOT_FOUND);
    rig_close(&r);
}

/* How many of two processors have a vector in IRR. */
static int requests_of(const rig *r, uint8_t vector)
{
    int count = 0;

    for (uint32_t i = 0; i < 2; i++) {
        const lapic *l = &mock_vm_cpu(r->vm.data, i)->apic;

        count += atomic_load(&l->requested[vector >> 5]) >> (vector & 31) & 1;
    }
    return count;
}

Test(driven, lowest_priority_is_for_one)
{
    rig r = {.vcpu_count = 2};

    rig_open(&r, 0);
    for (uint32_t i = 0; i < 2; i++)
        atomic_store(&mock_vm_cpu(r.vm.data, i)->apic.spurious, 0x1ff);
    cr_assert_eq(r.host.ops->vm_send_msi(&r.vm, 0xfeeff000, LAPIC_FIXED << 8 | 0x40, NULL), 0);
    cr_assert_eq(r.host.ops->vm_send_msi(&r.vm, 0xfeeff000, LAPIC_LOWEST << 8 | 0x41, NULL), 0);
    cr_assert_eq(requests_of(&r, 0x40), 2);
    cr_assert_eq(requests_of(&r, 0x41), 1);
    rig_close(&r);
}
