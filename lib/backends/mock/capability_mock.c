/* SPDX-License-Identifier: Apache-2.0 */
/* What the two mocks can do, and why not: one table by the numbers of vsdk_capability. A capability
 * without a row is answered no. */
#include "backends/mock/mock.h"
#include <stdio.h>

/* What each personality answers: `driven` for mock, `autonomous` for mock-autonomous. */
typedef struct reply {
    vsdk_answer answer;
    const char *reason;
} reply;

typedef struct pair {
    reply driven, autonomous;
} pair;

#define YES(text)                                                                                  \
    {                                                                                              \
        VSDK_ANSWER_YES, text                                                                      \
    }
#define NO(text)                                                                                   \
    {                                                                                              \
        VSDK_ANSWER_NO, text                                                                       \
    }
#define EMULATED(text)                                                                             \
    {                                                                                              \
        VSDK_ANSWER_EMULATED, text                                                                 \
    }
#define BOTH(one)                                                                                  \
    {                                                                                              \
        one, one                                                                                   \
    }
#define GUESTS_OWN NO("memory is the guest's own, and goes with it, as on Xen")
#define LATER(what) BOTH(NO(what ": not in this version"))

static const pair pairs[] = {
    [VSDK_CAPABILITY_AUTONOMOUS] = {NO("a mock guest executes only inside vsdk_vcpu_run"),
                                    YES("every call first lets the guest execute")},
    [VSDK_CAPABILITY_KERNEL_MODE] = BOTH(EMULATED("a part of x86-64 is interpreted at all levels")),
    [VSDK_CAPABILITY_VCPUS_MAX] = BOTH(YES("local APIC ids of eight bits")),
    [VSDK_CAPABILITY_MEMORY_MAX] = BOTH(YES("the host's memory is the limit")),
    [VSDK_CAPABILITY_IRQCHIP_PORTABLE] = BOTH(YES("local APICs are interpreted")),
    [VSDK_CAPABILITY_IRQCHIP_KERNEL] = BOTH(NO("no PIC, PIT and IOAPIC are interpreted")),
    [VSDK_CAPABILITY_IRQCHIP_NONE] = BOTH(YES("local APICs can be left out")),
    [VSDK_CAPABILITY_COMPLETE_EXACT] = {YES("an instruction is finished alone"),
                                        NO("the guest goes on as soon as it has its answer")},
    [VSDK_CAPABILITY_SYNC_GENERAL] = BOTH(YES("registers are copied at each exit")),
    [VSDK_CAPABILITY_SYNC_SREGS] = BOTH(YES("registers are copied at each exit")),
    [VSDK_CAPABILITY_DOORBELL_KERNEL] = {YES("the interpreter rings it"),
                                         EMULATED("the thread inside vsdk_vcpu_run rings it")},
    [VSDK_CAPABILITY_IRQ_LEVEL] = BOTH(NO("messages are edges, and EOI is not reported")),
    [VSDK_CAPABILITY_MSI] = BOTH(YES("messages go to the local APICs")),
    [VSDK_CAPABILITY_MSI_ALL_MODES] = {YES("fixed, lowest priority, NMI and INIT"),
                                       NO("fixed and lowest priority only, as on Xen")},
    [VSDK_CAPABILITY_NMI] = BOTH(YES("delivered by vector 2")),
    [VSDK_CAPABILITY_READONLY] = BOTH(YES("writes come as MMIO exits")),
    [VSDK_CAPABILITY_RAM_ALIAS] = {YES("mappings are pointers"),
                                   NO("memory is the guest's own, at one address, as on Xen")},
    [VSDK_CAPABILITY_RAM_SHARED] = {YES("a shared mapping of the memfd or file"), GUESTS_OWN},
    [VSDK_CAPABILITY_RAM_PRIVATE] = {YES("a private mapping of the memfd or file"), GUESTS_OWN},
    [VSDK_CAPABILITY_RAM_CALLER] = {YES("mappings are pointers"), GUESTS_OWN},
    [VSDK_CAPABILITY_DIRTY] = BOTH(YES("the interpreter marks what it writes")),
    [VSDK_CAPABILITY_HALT_EXIT] = BOTH(YES("with VSDK_IRQCHIP_NONE")),
    [VSDK_CAPABILITY_CRASH_DETAIL] = BOTH(YES("a triple fault is seen by the interpreter")),
    [VSDK_CAPABILITY_EXIT_DEBUG] = LATER("DEBUG exits"),
    [VSDK_CAPABILITY_EXIT_MSR] = LATER("MSR exits"),
    [VSDK_CAPABILITY_EXIT_CPUID] = LATER("CPUID exits"),
    [VSDK_CAPABILITY_EXIT_IRQ_WINDOW] = LATER("IRQ_WINDOW exits"),
    [VSDK_CAPABILITY_DIRECT_IO] = BOTH(YES("guest memory is this process's own")),
    [VSDK_CAPABILITY_DEATH_EVENT] = BOTH(YES("the end is seen by the interpreter")),
    [VSDK_CAPABILITY_DOWN_REGS] = BOTH(YES("registers are always at hand")),
    [VSDK_CAPABILITY_DESCRIPTOR] = BOTH(NO("there is no device to open")),
    [VSDK_CAPABILITY_ORPHANS] = BOTH(NO("a mock guest dies with its process")),
    [VSDK_CAPABILITY_CPUID_SET] = BOTH(NO("the mock has one fixed table of leaves")),
    [VSDK_CAPABILITY_FPU] = BOTH(EMULATED("the state is kept, and no instruction uses it")),
    [VSDK_CAPABILITY_MSI_DESCRIPTOR] = BOTH(NO("no kernel is there to send it")),
    [VSDK_CAPABILITY_CONSOLE] = BOTH(NO("guests of the mock have serial ports only")),
    [VSDK_CAPABILITY_PCI_LINES] = BOTH(NO("functions send messages (MSI-X) only")),
};

vsdk_status mock_host_query(backend_host *host, vsdk_capability capability,
                            vsdk_capability_info *info, vsdk_error *error)
{
    int autonomous = (host->ops->traits & BACKEND_AUTONOMOUS) != 0;
    reply answer = NO("not known to the mock");

    if (capability < sizeof pairs / sizeof pairs[0] && pairs[capability].driven.reason)
        answer = autonomous ? pairs[capability].autonomous : pairs[capability].driven;
    info->answer = answer.answer;
    info->value = capability == VSDK_CAPABILITY_VCPUS_MAX ? MOCK_VCPUS_MAX : 0;
    snprintf(info->reason, sizeof info->reason, "%s", answer.reason);
    return VSDK_OK;
}
