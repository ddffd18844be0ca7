/* SPDX-License-Identifier: Apache-2.0 */
/* What this backend can do and why not, one row a capability. */
#include "backends/xen/xen.h"
#include <stdio.h>

typedef struct answer {
    vsdk_answer answer;
    uint64_t value;
    const char *reason;
} answer;

#define LATER "not in this version of the library"

static const answer answers[] = {
    [VSDK_CAPABILITY_AUTONOMOUS] = {VSDK_ANSWER_YES, 0,
                                    "Xen schedules a domain's processors itself"},
    [VSDK_CAPABILITY_KERNEL_MODE] = {VSDK_ANSWER_YES, 0, "hardware runs all privilege levels"},
    [VSDK_CAPABILITY_VCPUS_MAX] = {VSDK_ANSWER_YES, XEN_VCPUS_MAX,
                                   "8-bit APIC ids of 2 * index, without x2APIC"},
    [VSDK_CAPABILITY_IRQCHIP_PORTABLE] = {VSDK_ANSWER_YES, 0,
                                          "an HVM domain with local APICs only"},
    [VSDK_CAPABILITY_IRQCHIP_KERNEL] = {VSDK_ANSWER_YES, 0, "an HVM domain with full emulation"},
    [VSDK_CAPABILITY_IRQCHIP_NONE] = {VSDK_ANSWER_NO, 0,
                                      "every processor of a Xen HVM guest has a local APIC"},
    [VSDK_CAPABILITY_COMPLETE_EXACT] = {VSDK_ANSWER_NO, 0,
                                        "after an answer the processor goes on by itself"},
    [VSDK_CAPABILITY_SYNC_GENERAL] = {VSDK_ANSWER_EMULATED, 0,
                                      "one XEN_DOMCTL_getvcpucontext an exit"},
    [VSDK_CAPABILITY_SYNC_SREGS] = {VSDK_ANSWER_EMULATED, 0,
                                    "one XEN_DOMCTL_gethvmcontext_partial an exit"},
    [VSDK_CAPABILITY_DOORBELL_KERNEL] = {VSDK_ANSWER_EMULATED, 0,
                                         "Xen has no doorbells: the vCPU's thread rings them"},
    [VSDK_CAPABILITY_IRQ_LEVEL] = {VSDK_ANSWER_NO, 0,
                                   "Xen does not tell the end of an interrupt to our IOAPIC"},
    [VSDK_CAPABILITY_MSI] = {VSDK_ANSWER_YES, 0, "XEN_DMOP_inject_msi"},
    [VSDK_CAPABILITY_MSI_ALL_MODES] = {VSDK_ANSWER_NO, 0,
                                       "Xen takes fixed and lowest-priority delivery only"},
    [VSDK_CAPABILITY_NMI] = {VSDK_ANSWER_YES, 0, "XEN_DOMCTL_SENDTRIGGER_NMI"},
    [VSDK_CAPABILITY_READONLY] = {VSDK_ANSWER_YES, 0, "pages of the kind HVMMEM_ioreq_server"},
    [VSDK_CAPABILITY_RAM_ALIAS] = {VSDK_ANSWER_NO, 0, "a page of a domain has one guest address"},
    [VSDK_CAPABILITY_RAM_SHARED] = {VSDK_ANSWER_NO, 0,
                                    "host memory can't enter a domain: its memory is Xen's"},
    [VSDK_CAPABILITY_RAM_PRIVATE] = {VSDK_ANSWER_NO, 0, LATER},
    [VSDK_CAPABILITY_RAM_CALLER] = {VSDK_ANSWER_NO, 0, LATER},
    [VSDK_CAPABILITY_DIRTY] = {VSDK_ANSWER_NO, 0,
                               "Xen's log of written pages is of the whole domain at once; " LATER},
    [VSDK_CAPABILITY_HALT_EXIT] = {VSDK_ANSWER_NO, 0,
                                   "Xen waits for the interrupt itself; the last processor that "
                                   "halts with interrupts off ends the guest"},
    [VSDK_CAPABILITY_CRASH_DETAIL] = {VSDK_ANSWER_YES, 0,
                                      "by the shutdown code, and by where the processors stand"},
    [VSDK_CAPABILITY_EXIT_DEBUG] = {VSDK_ANSWER_NO, 0, LATER},
    [VSDK_CAPABILITY_EXIT_MSR] = {VSDK_ANSWER_NO, 0, LATER},
    [VSDK_CAPABILITY_EXIT_CPUID] = {VSDK_ANSWER_NO, 0, LATER},
    [VSDK_CAPABILITY_EXIT_IRQ_WINDOW] = {VSDK_ANSWER_NO, 0, LATER},
    [VSDK_CAPABILITY_DIRECT_IO] = {VSDK_ANSWER_NO, 0,
                                   "guest memory is a foreign mapping, whose pages dom0's kernel "
                                   "pins for nobody"},
    [VSDK_CAPABILITY_DOWN_REGS] = {VSDK_ANSWER_NO, 0,
                                   "Xen gives general and control registers only of a processor "
                                   "that is down"},
    [VSDK_CAPABILITY_DESCRIPTOR] = {VSDK_ANSWER_NO, 0, "Xen needs several device nodes"},
    [VSDK_CAPABILITY_ORPHANS] = {VSDK_ANSWER_YES, 0,
                                 "a domain lives on, and carries its owner's mark"},
    [VSDK_CAPABILITY_CPUID_SET] = {VSDK_ANSWER_YES, 0, "leaves that Xen's policy has"},
    [VSDK_CAPABILITY_FPU] = {VSDK_ANSWER_YES, 0, "XEN_DOMCTL_getvcpuextstate"},
    [VSDK_CAPABILITY_CONSOLE] = {VSDK_ANSWER_YES, 0, "Xen's console ring (hvc0 of Linux)"},
    [VSDK_CAPABILITY_PCI_LINES] = {VSDK_ANSWER_NO, 0, "functions send messages (MSI-X) only"},
    [VSDK_CAPABILITY_MSI_DESCRIPTOR] = {VSDK_ANSWER_NO, 0,
                                        "dom0's kernel would have to send it, and 6.1's does not"},
};

static answer memory_now(xen_host *host)
{
    uint64_t bytes = 0;

    if (compat_free_memory(host->control, &bytes) < 0)
        return (answer){VSDK_ANSWER_NO, 0, "Xen does not tell its free memory"};
    return (answer){VSDK_ANSWER_YES, bytes, "Xen's free memory; the library takes none from dom0"};
}

static answer death_now(void)
{
    if (death_fd() >= 0)
        return (answer){VSDK_ANSWER_YES, 0, "VIRQ_DOM_EXC"};
    return (answer){VSDK_ANSWER_EMULATED, 0,
                    "VIRQ_DOM_EXC belongs to another program (xenstored?): asked for every 50 ms"};
}

vsdk_status xen_host_query(backend_host *host, vsdk_capability capability,
                           vsdk_capability_info *info, vsdk_error *error)
{
    answer found = {VSDK_ANSWER_NO, 0, "not known to this backend"};

    (void)error;
    if (capability == VSDK_CAPABILITY_MEMORY_MAX)
        found = memory_now(xen_host_of(host));
    else if (capability == VSDK_CAPABILITY_DEATH_EVENT)
        found = death_now();
    else if (capability < sizeof answers / sizeof *answers && answers[capability].reason)
        found = answers[capability];
    info->answer = found.answer;
    info->value = found.value;
    snprintf(info->reason, sizeof info->reason, "%s", found.reason);
    return VSDK_OK;
}
