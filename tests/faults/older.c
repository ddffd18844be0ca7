/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel whose KVM lacks one thing: what depends on it is refused with UNSUPPORTED, the
 * capability says so with a reason that names it, and the rest works. Without what it can't do
 * without the host does not open. */
#include "rig.h"
#include "seam.h"
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#define fails(name, call) expect(VSDK_ERROR_##name, (call), #call)

static vsdk_host *host;

static void expect(vsdk_status expected, vsdk_status status, const char *call)
{
    check(status == expected, "%s: %s", call, vsdk_status_name(status));
    check(rig_error.code == expected && rig_error.message[0], "%s: an empty record", call);
}

/* The host of a kernel that answers 0 for an extension. */
static void open_without(int extension)
{
    vsdk_host_close(host);
    seam_answer(KVM_CHECK_EXTENSION, (uint64_t)extension, 0);
    must(vsdk_host_open("kvm", NULL, &host, E));
}

static void answers(vsdk_capability what, vsdk_answer answer, const char *lacks)
{
    vsdk_capability_info info = {.size = sizeof info};

    must(vsdk_host_query(host, what, &info, E));
    check(info.answer == answer, "%s: %s", vsdk_capability_name(what),
          vsdk_answer_name(info.answer));
    check(strstr(info.reason, lacks) != NULL, "%s: %s", vsdk_capability_name(what), info.reason);
}

static vsdk_status try_vm(vsdk_irqchip irqchip)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = irqchip};
    vsdk_vm *vm = NULL;
    vsdk_status status = vsdk_vm_create(host, &config, &vm, E);

    vsdk_vm_close(vm);
    return status;
}

/* A machine with 64 KiB at 0 and a vCPU. */
struct machine {
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_vcpu *vcpu;
};

static struct machine make(vsdk_irqchip irqchip)
{
    vsdk_vm_config config = {.size = sizeof config, .irqchip = irqchip};
    struct machine m = {0};

    must(vsdk_vm_create(host, &config, &m.vm, E));
    must(vsdk_ram_create(m.vm, 0x10000, NULL, &m.ram, E));
    must(vsdk_vm_map(m.vm, 0, m.ram, 0, 0x8000, 0, E));
    must(vsdk_vcpu_create(m.vm, 0, NULL, &m.vcpu, E));
    return m;
}

/* Its guest still runs. */
static void end(struct machine *m)
{
    static const uint8_t image[] = {0xb0, 0x41, 0xe6, 0x42, 0xf4}; /* out 0x42, 0x41 */
    vsdk_boot_config config = {
        .size = sizeof config,
        .format = VSDK_BOOT_FLAT,
        .image = image,
        .image_length = sizeof image,
        .address = 0x1000,
    };
    vsdk_boot_entry entry = {.size = sizeof entry};
    const vsdk_exit *exit = vsdk_vcpu_record(m->vcpu);

    must(vsdk_boot_load(m->vm, &config, &entry, E));
    must(vsdk_boot_apply(m->vcpu, &entry, E));
    must(vsdk_vm_resume(m->vm, E));
    must(vsdk_vcpu_run(m->vcpu, VSDK_FOREVER, E));
    check(exit->reason == VSDK_EXIT_PIO && exit->value == 0x41, "reason %u", exit->reason);
    vsdk_vcpu_close(m->vcpu);
    vsdk_ram_close(m->ram);
    vsdk_vm_close(m->vm);
}

static void needs_its_version(void)
{
    vsdk_host *none = NULL;

    seam_answer(KVM_GET_API_VERSION, 0, 11);
    fails(VERSION, vsdk_host_open("kvm", NULL, &none, E));
    seam_answer(KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT, 0);
    fails(VERSION, vsdk_host_open("kvm", NULL, &none, E));
    check(strstr(rig_error.message, "KVM_CAP_IMMEDIATE_EXIT") != NULL, "%s", rig_error.message);
}

/* A question is asked when something needs the answer, and once. */
static void asks_when_it_must(void)
{
    vsdk_host_close(host);
    seam_answer(0, 0, 0); /* nothing is lacking */
    must(vsdk_host_open("kvm", NULL, &host, E));
    seam_answer(KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM, 0);
    answers(VSDK_CAPABILITY_READONLY, VSDK_ANSWER_NO, "KVM_CAP_READONLY_MEM");
    seam_answer(KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM, 1);
    answers(VSDK_CAPABILITY_READONLY, VSDK_ANSWER_NO, "KVM_CAP_READONLY_MEM");
    seam_answer(0, 0, 0);
}

static void without_readonly_memory(void)
{
    open_without(KVM_CAP_READONLY_MEM);
    answers(VSDK_CAPABILITY_READONLY, VSDK_ANSWER_NO, "KVM_CAP_READONLY_MEM");
    struct machine m = make(VSDK_IRQCHIP_PORTABLE);
    fails(UNSUPPORTED, vsdk_vm_map(m.vm, 0x8000, m.ram, 0x8000, 0x8000, VSDK_MAP_READONLY, E));
    fails(UNSUPPORTED, vsdk_vm_protect(m.vm, 0, 0x8000, VSDK_MAP_READONLY, E));
    must(vsdk_vm_protect(m.vm, 0, 0x8000, 0, E));
    end(&m);
}

static void without_floating_point(void)
{
    vsdk_x86_fpu fpu = {0};

    open_without(KVM_CAP_XSAVE);
    answers(VSDK_CAPABILITY_FPU, VSDK_ANSWER_NO, "KVM_CAP_XSAVE");
    struct machine m = make(VSDK_IRQCHIP_PORTABLE);
    fails(UNSUPPORTED, vsdk_vcpu_get_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    fails(UNSUPPORTED, vsdk_vcpu_set_state(m.vcpu, VSDK_X86_FPU, &fpu, sizeof(vsdk_x86_fpu), E));
    end(&m);
}

static void without_messages(void)
{
    open_without(KVM_CAP_SIGNAL_MSI);
    answers(VSDK_CAPABILITY_MSI, VSDK_ANSWER_NO, "KVM_CAP_SIGNAL_MSI");
    answers(VSDK_CAPABILITY_MSI_ALL_MODES, VSDK_ANSWER_NO, "KVM_CAP_SIGNAL_MSI");
    answers(VSDK_CAPABILITY_NMI, VSDK_ANSWER_NO, "KVM_CAP_SIGNAL_MSI");
    struct machine m = make(VSDK_IRQCHIP_PORTABLE);
    fails(UNSUPPORTED, vsdk_vm_send_msi(m.vm, 0xfee00000, 0x40, E));
    fails(UNSUPPORTED, vsdk_x86_vcpu_inject_nmi(m.vcpu, E));
    end(&m);
}

static void without_messages_by_descriptor(void)
{
    static const int lacks[] = {KVM_CAP_IRQFD, KVM_CAP_IRQ_ROUTING};

    for (unsigned i = 0; i < 2; i++) {
        open_without(lacks[i]);
        answers(VSDK_CAPABILITY_MSI_DESCRIPTOR, VSDK_ANSWER_NO,
                i ? "KVM_CAP_IRQ_ROUTING" : "KVM_CAP_IRQFD");
        struct machine m = make(VSDK_IRQCHIP_PORTABLE);
        end(&m);
    }
}

/* Linux would find no banks; that is all. */
static void without_machine_checks(void)
{
    open_without(KVM_CAP_MCE);
    struct machine m = make(VSDK_IRQCHIP_PORTABLE);
    end(&m);
}

static void without_nmi(void)
{
    open_without(KVM_CAP_USER_NMI);
    answers(VSDK_CAPABILITY_NMI, VSDK_ANSWER_NO, "KVM_CAP_USER_NMI");
    struct machine m = make(VSDK_IRQCHIP_NONE);
    fails(UNSUPPORTED, vsdk_x86_vcpu_inject_nmi(m.vcpu, E));
    end(&m);
}

static void without_registers_at_exits(void)
{
    vsdk_vcpu_config config = {.size = sizeof config, .flags = VSDK_VCPU_SYNC_GENERAL};
    vsdk_vm_config two = {.size = sizeof two, .vcpus_max = 2};
    vsdk_vm *vm = NULL;
    vsdk_vcpu *vcpu = NULL;

    open_without(KVM_CAP_SYNC_REGS);
    answers(VSDK_CAPABILITY_SYNC_GENERAL, VSDK_ANSWER_NO, "KVM_CAP_SYNC_REGS");
    must(vsdk_vm_create(host, &two, &vm, E));
    fails(UNSUPPORTED, vsdk_vcpu_create(vm, 0, &config, &vcpu, E));
    answers(VSDK_CAPABILITY_SYNC_SREGS, VSDK_ANSWER_NO, "KVM_CAP_SYNC_REGS");
    config.flags = VSDK_VCPU_SYNC_SREGS;
    fails(UNSUPPORTED, vsdk_vcpu_create(vm, 0, &config, &vcpu, E));
    vsdk_vm_close(vm);
    struct machine m = make(VSDK_IRQCHIP_PORTABLE);
    end(&m);
}

static void without_controllers(void)
{
    open_without(KVM_CAP_SPLIT_IRQCHIP);
    answers(VSDK_CAPABILITY_IRQCHIP_PORTABLE, VSDK_ANSWER_NO, "KVM_CAP_SPLIT_IRQCHIP");
    fails(UNSUPPORTED, try_vm(VSDK_IRQCHIP_PORTABLE));
    must(try_vm(VSDK_IRQCHIP_NONE));
    open_without(KVM_CAP_PIT2);
    answers(VSDK_CAPABILITY_IRQCHIP_KERNEL, VSDK_ANSWER_NO, "KVM_CAP_PIT2");
    fails(UNSUPPORTED, try_vm(VSDK_IRQCHIP_KERNEL));
    must(try_vm(VSDK_IRQCHIP_PORTABLE));
}

/* The vCPU's thread rings them. */
static void without_doorbells(void)
{
    vsdk_doorbell_config config = {.size = sizeof config, .address = 0x42};
    vsdk_doorbell *bell = NULL;
    uint64_t rings = 0;

    open_without(KVM_CAP_IOEVENTFD);
    answers(VSDK_CAPABILITY_DOORBELL_KERNEL, VSDK_ANSWER_EMULATED, "KVM_CAP_IOEVENTFD");
    struct machine m = make(VSDK_IRQCHIP_NONE);
    must(vsdk_doorbell_create(m.vm, &config, &bell, E));
    static const uint8_t image[] = {0xe6, 0x42, 0xe6, 0x42, 0xf4};
    must(vsdk_vm_write(m.vm, 0x1000, image, sizeof image, E));
    vsdk_boot_entry entry = {.size = sizeof entry, .mode = VSDK_BOOT_REAL, .rip = 0x1000};
    must(vsdk_boot_apply(m.vcpu, &entry, E));
    must(vsdk_vm_resume(m.vm, E));
    must(vsdk_vcpu_run(m.vcpu, VSDK_FOREVER, E));
    check(vsdk_vcpu_record(m.vcpu)->reason == VSDK_EXIT_HALT, "no halt");
    must(vsdk_doorbell_take(bell, &rings, E));
    check(rings == 2, "%llu rings", (unsigned long long)rings);
    vsdk_doorbell_close(bell);
    vsdk_vcpu_close(m.vcpu);
    vsdk_ram_close(m.ram);
    vsdk_vm_close(m.vm);
}

int main(void)
{
    static const struct tap_test tests[] = {
        {"another version is refused", needs_its_version},
        {"a question is asked at its first need, and once", asks_when_it_must},
        {"without read-only memory", without_readonly_memory},
        {"without floating point", without_floating_point},
        {"without messages", without_messages},
        {"without messages by descriptor", without_messages_by_descriptor},
        {"without machine checks", without_machine_checks},
        {"without NMI", without_nmi},
        {"without registers at exits", without_registers_at_exits},
        {"without interrupt controllers", without_controllers},
        {"without doorbells", without_doorbells},
    };
    unsigned unknown;

    if (!seam_install(&unknown))
        tap_bail("the library's imports were not found");
    return tap_run(tests, sizeof tests / sizeof *tests, NULL);
}
