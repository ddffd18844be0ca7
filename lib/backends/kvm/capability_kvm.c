/* SPDX-License-Identifier: Apache-2.0 */
/* What this host's KVM can do, and why not. The kernel is asked once for each thing; only the
 * speed of kernel mode is measured, when it is asked for. */
#include "backends/kvm/objects_kvm.h"
#include <stdio.h>
#include <string.h>

enum { EMULATED_ABOVE_PS = 100000 }; /* native code takes a tenth of it even in a lab */

#define LATER "not in this version"

typedef struct answer {
    vsdk_answer answer;
    uint64_t value;
    const char *reason;
} answer;

static answer when(int have, const char *yes, const char *no)
{
    return (answer){have ? VSDK_ANSWER_YES : VSDK_ANSWER_NO, 0, have ? yes : no};
}

static answer with_value(uint64_t value, const char *reason)
{
    return (answer){VSDK_ANSWER_YES, value, reason};
}

static answer no(const char *reason)
{
    return (answer){VSDK_ANSWER_NO, 0, reason};
}

static answer yes(const char *reason)
{
    return (answer){VSDK_ANSWER_YES, 0, reason};
}

static answer of_nmi(host_kvm *h)
{
    if (!kvm_has(h, KVM_ASK_SIGNAL_MSI))
        return no("this kernel's KVM lacks KVM_CAP_SIGNAL_MSI");
    return when(kvm_has(h, KVM_ASK_USER_NMI), "a message in NMI mode; KVM_NMI without a local APIC",
                "this kernel's KVM lacks KVM_CAP_USER_NMI");
}

/* Without it the vCPU's thread rings. */
static answer of_doorbell(host_kvm *h)
{
    if (kvm_has(h, KVM_ASK_IOEVENTFD))
        return yes("KVM_IOEVENTFD");
    return (answer){VSDK_ANSWER_EMULATED, 0,
                    "this kernel's KVM lacks KVM_CAP_IOEVENTFD: the vCPU's thread rings"};
}

static answer of_irqchip(host_kvm *h, vsdk_capability capability)
{
    switch (capability) {
    case VSDK_CAPABILITY_IRQCHIP_PORTABLE:
        return when(kvm_has(h, KVM_ASK_SPLIT_IRQCHIP), "KVM_CAP_SPLIT_IRQCHIP",
                    "this kernel's KVM lacks KVM_CAP_SPLIT_IRQCHIP");
    case VSDK_CAPABILITY_IRQCHIP_KERNEL:
        return when(kvm_has_kernel_irqchip(h), "KVM_CREATE_IRQCHIP and KVM_CREATE_PIT2",
                    "this kernel's KVM lacks KVM_CAP_IRQCHIP or KVM_CAP_PIT2");
    case VSDK_CAPABILITY_IRQCHIP_NONE:
        return yes("KVM without an interrupt controller");
    case VSDK_CAPABILITY_HALT_EXIT:
        return yes("KVM_EXIT_HLT, in machines without an interrupt controller");
    case VSDK_CAPABILITY_IRQ_LEVEL:
        return no("lines are delivered by KVM_SIGNAL_MSI, which is edge-triggered");
    case VSDK_CAPABILITY_MSI:
    case VSDK_CAPABILITY_MSI_ALL_MODES:
        return when(kvm_has(h, KVM_ASK_SIGNAL_MSI), "KVM_SIGNAL_MSI",
                    "this kernel's KVM lacks KVM_CAP_SIGNAL_MSI");
    default:
        return of_nmi(h);
    }
}

static answer of_memory(host_kvm *h, vsdk_capability capability)
{
    switch (capability) {
    case VSDK_CAPABILITY_MEMORY_MAX:
        return with_value(0, "KVM sets no limit of its own; the host's memory does");
    case VSDK_CAPABILITY_READONLY:
        return when(kvm_has(h, KVM_ASK_READONLY), "KVM_MEM_READONLY",
                    "this kernel's KVM lacks KVM_CAP_READONLY_MEM");
    case VSDK_CAPABILITY_RAM_ALIAS:
        return yes("two memory slots may show the same pages");
    case VSDK_CAPABILITY_RAM_SHARED:
        return yes("a shared mapping of the memfd or file");
    case VSDK_CAPABILITY_RAM_PRIVATE:
        return yes("a private mapping of the memfd or file");
    case VSDK_CAPABILITY_RAM_CALLER:
        return yes("guest memory is this process's own");
    default:
        return yes("KVM_MEM_LOG_DIRTY_PAGES and KVM_GET_DIRTY_LOG");
    }
}

static answer of_exits(host_kvm *h, vsdk_capability capability)
{
    switch (capability) {
    case VSDK_CAPABILITY_EXIT_DEBUG:
        return no("DEBUG exits: " LATER);
    case VSDK_CAPABILITY_EXIT_MSR:
        return no("MSR exits: " LATER);
    case VSDK_CAPABILITY_EXIT_CPUID:
        return no("KVM answers CPUID itself and has no exit for it");
    case VSDK_CAPABILITY_EXIT_IRQ_WINDOW:
        return no("IRQ_WINDOW exits: " LATER);
    case VSDK_CAPABILITY_CRASH_DETAIL:
        return yes("KVM_EXIT_SHUTDOWN is a triple fault");
    case VSDK_CAPABILITY_COMPLETE_EXACT:
        return yes("KVM_RUN with immediate_exit");
    case VSDK_CAPABILITY_SYNC_GENERAL:
        return when(kvm_has(h, KVM_ASK_SYNC_REGS) & KVM_SYNC_X86_REGS, "KVM_CAP_SYNC_REGS",
                    "this kernel's KVM lacks KVM_CAP_SYNC_REGS");
    default:
        return when(kvm_has(h, KVM_ASK_SYNC_REGS) & KVM_SYNC_X86_SREGS, "KVM_CAP_SYNC_REGS",
                    "this kernel's KVM lacks KVM_CAP_SYNC_REGS for control registers");
    }
}

static answer of_rest(host_kvm *h, vsdk_capability capability)
{
    switch (capability) {
    case VSDK_CAPABILITY_AUTONOMOUS:
        return no("a KVM guest executes only inside vsdk_vcpu_run");
    case VSDK_CAPABILITY_VCPUS_MAX:
        return with_value(h->vcpus_max, "KVM_CAP_MAX_VCPUS, and 127 at most without x2APIC ids");
    case VSDK_CAPABILITY_DOORBELL_KERNEL:
        return of_doorbell(h);
    case VSDK_CAPABILITY_DIRECT_IO:
        return yes("guest memory is this process's own");
    case VSDK_CAPABILITY_DEATH_EVENT:
        return yes("a KVM guest ends by an exit");
    case VSDK_CAPABILITY_DOWN_REGS:
        return yes("KVM reads every register of every vCPU");
    case VSDK_CAPABILITY_DESCRIPTOR:
        return yes("an open descriptor of /dev/kvm");
    case VSDK_CAPABILITY_ORPHANS:
        return no("a KVM guest dies with its process");
    case VSDK_CAPABILITY_CPUID_SET:
        return yes("KVM_SET_CPUID2");
    case VSDK_CAPABILITY_FPU:
        return when(kvm_xsave_bytes(h) != 0, "KVM_GET_XSAVE",
                    "this kernel's KVM lacks KVM_CAP_XSAVE");
    case VSDK_CAPABILITY_MSI_DESCRIPTOR:
        return when(kvm_has(h, KVM_ASK_IRQFD) && kvm_has(h, KVM_ASK_ROUTES),
                    "KVM_IRQFD, in machines with local APICs",
                    "this kernel's KVM lacks KVM_CAP_IRQFD or KVM_CAP_IRQ_ROUTING");
    case VSDK_CAPABILITY_CONSOLE:
        return no("KVM has no console of its own: guests have serial ports");
    case VSDK_CAPABILITY_PCI_LINES:
        return no("functions send messages (MSI-X) only");
    default:
        return no(LATER);
    }
}

static void put(vsdk_capability_info *info, answer a)
{
    info->answer = a.answer;
    info->value = a.value;
    /* Not by printf: three pages of the C library that a start needs for nothing else. */
    size_t length = strlen(a.reason), most = sizeof info->reason - 1;
    length = length < most ? length : most;
    memcpy(info->reason, a.reason, length);
    info->reason[length] = 0;
}

static void put_kernel_mode(host_kvm *h, vsdk_capability_info *info)
{
    int64_t ps = kvm_kernel_mode_ps(h);
    if (ps < 0) {
        info->answer = VSDK_ANSWER_NO;
        snprintf(info->reason, sizeof info->reason,
                 "a loop at CPL 0 did not run to its end here: %s", strerrordesc_np((int)-ps));
        return;
    }
    int native = ps <= EMULATED_ABOVE_PS;
    info->answer = native ? VSDK_ANSWER_YES : VSDK_ANSWER_EMULATED;
    snprintf(info->reason, sizeof info->reason, "measured: %lld.%lld ns an instruction at CPL 0%s",
             (long long)ps / 1000, (long long)ps / 100 % 10,
             native ? ""
                    : "; KVM emulates kernel mode here, slowly and not every instruction, so "
                      "unmodified kernels do not boot");
}

vsdk_status kvm_host_query(backend_host *host, vsdk_capability capability,
                           vsdk_capability_info *info, vsdk_error *error)
{
    host_kvm *h = host->data;
    switch (capability) {
    case VSDK_CAPABILITY_KERNEL_MODE:
        put_kernel_mode(h, info);
        break;
    case VSDK_CAPABILITY_IRQCHIP_PORTABLE:
    case VSDK_CAPABILITY_IRQCHIP_KERNEL:
    case VSDK_CAPABILITY_IRQCHIP_NONE:
    case VSDK_CAPABILITY_HALT_EXIT:
    case VSDK_CAPABILITY_IRQ_LEVEL:
    case VSDK_CAPABILITY_MSI:
    case VSDK_CAPABILITY_MSI_ALL_MODES:
    case VSDK_CAPABILITY_NMI:
        put(info, of_irqchip(h, capability));
        break;
    case VSDK_CAPABILITY_MEMORY_MAX:
    case VSDK_CAPABILITY_READONLY:
    case VSDK_CAPABILITY_RAM_ALIAS:
    case VSDK_CAPABILITY_RAM_SHARED:
    case VSDK_CAPABILITY_RAM_PRIVATE:
    case VSDK_CAPABILITY_RAM_CALLER:
    case VSDK_CAPABILITY_DIRTY:
        put(info, of_memory(h, capability));
        break;
    case VSDK_CAPABILITY_EXIT_DEBUG:
    case VSDK_CAPABILITY_EXIT_MSR:
    case VSDK_CAPABILITY_EXIT_CPUID:
    case VSDK_CAPABILITY_EXIT_IRQ_WINDOW:
    case VSDK_CAPABILITY_CRASH_DETAIL:
    case VSDK_CAPABILITY_COMPLETE_EXACT:
    case VSDK_CAPABILITY_SYNC_GENERAL:
    case VSDK_CAPABILITY_SYNC_SREGS:
        put(info, of_exits(h, capability));
        break;
    default:
        put(info, of_rest(h, capability));
    }
    return VSDK_OK;
}
