/* SPDX-License-Identifier: Apache-2.0 */
/* One table for all backends: a status goes by the reason of the end alone, so that a guest that
 * ends in one way has one status on KVM and on Xen.
 *
 * What a status tells by itself (a power-off, a reset, a code) is said under --verbose only; what
 * went wrong is always said, in one line. */
#include "ending.h"
#include "command.h"
#include <string.h>

static int crashed(const machine *m, const vsdk_exit *end)
{
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;
    unsigned long long rip;

    switch (end->detail) {
    case VSDK_CRASH_TRIPLE_FAULT: /* a processor is reset by it, and its registers tell nothing */
        complain("the guest crashed: triple fault (a fault while a double fault was handled)");
        break;
    case VSDK_CRASH_PANIC:
        /* With more processors it is not known whose panic it was. */
        if (machine_registers(m, 1, &regs, &sregs) || !machine_registers(m, 0, &regs, &sregs)) {
            complain("the guest crashed: its system said that it panicked");
            break;
        }
        rip = regs.rip;
        complain("the guest crashed: its system said that it panicked (rip %#llx)", rip);
        break;
    default:
        complain("the guest crashed: the hypervisor does not tell why (native %#llx, detail %#llx)",
                 (unsigned long long)end->native, (unsigned long long)end->detail);
    }
    return STATUS_CRASH;
}

static int interrupted(const run_options *o, const vsdk_exit *end, int left_by)
{
    if (end->detail == VSDK_KICK_DEADLINE) {
        complain("the guest was ended after %.12g s (--timeout)",
                 (double)(o->timeout_ns / 1000) / 1e6);
        return STATUS_TIMEOUT;
    }
    if (o->verbose && left_by)
        complain("left by signal %d (%s)", left_by, strsignal(left_by));
    else if (o->verbose)
        complain("left by Ctrl-A X");
    return STATUS_LEFT;
}

static int cannot_go_on(const machine *m, const vsdk_exit *end)
{
    vsdk_capability_info info;

    complain("the guest can't go on: %s (native %#llx, detail %#llx)",
             vsdk_exit_reason_name(end->reason), (unsigned long long)end->native,
             (unsigned long long)end->detail);
    machine_tell_where(m, end->reason);
    if (machine_emulates(m, &info))
        complain("kernel_mode: %s", info.reason);
    return STATUS_FAILED;
}

int ending_status(const run_options *o, const machine *m, const vsdk_exit *end, int left_by)
{
    unsigned long long value = end->value;

    switch (end->reason) {
    case VSDK_EXIT_GUEST_EXIT:
        if (o->verbose)
            complain("the guest ended with %#llx at its exit port", value);
        return (int)((o->exit_port_qemu ? end->value << 1 | 1 : end->value) & 0xff);
    case VSDK_EXIT_POWEROFF:
        if (o->verbose)
            complain("the guest turned itself off");
        return 0;
    case VSDK_EXIT_RESET:
        if (o->verbose)
            complain("the guest asked for a reset");
        return (int)o->reset_status;
    case VSDK_EXIT_CRASH:
        return crashed(m, end);
    case VSDK_EXIT_HALTED:
        complain("the guest has halted for good: every processor is halted with interrupts off");
        return STATUS_HALTED;
    case VSDK_EXIT_SUSPEND:
        complain("the guest suspended itself (sleep type %llu)", value);
        return STATUS_SUSPENDED;
    case VSDK_EXIT_WATCHDOG:
        complain("the guest was ended by its watchdog");
        return STATUS_WATCHDOG;
    case VSDK_EXIT_SOFT_RESET:
        complain("the guest asked to be started again in its own memory");
        return STATUS_SOFT_RESET;
    case VSDK_EXIT_KICKED:
        return interrupted(o, end, left_by);
    default:
        return cannot_go_on(m, end);
    }
}
