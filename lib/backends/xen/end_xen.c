/* SPDX-License-Identifier: Apache-2.0 */
/* How a guest ended, as an exit. Xen gives a shutdown code, which tells less than is known:
 *
 *   poweroff   the guest asked for it, or its last processor halted for good
 *   crash      the guest said that it panicked, or Xen ended it
 *   soft reset the guest asked for it, or a triple fault: TRIPLE_FAULT_CODE is what we had Xen use
 *
 * What tells them apart is asked once, when the end is learned of: whether all processors are down,
 * and whether one stands behind the hypercall by which guests shut down. */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/sched.h>

_Static_assert(TRIPLE_FAULT_CODE == SHUTDOWN_soft_reset, "a code that only hypercalls give");

/* Bytes of the guest at an address as the processor sees it, up to the end of the page. */
static int read_code(xen_vm *vm, uint32_t vcpu, uint64_t address, uint8_t *to, uint32_t length)
{
    uint64_t frame;
    xen_pfn_t gfn;
    uint8_t *page;
    int failed = 0, result = compat_translate(vm->host->control, vm->domid, vcpu, address, &frame);

    if (result < 0)
        return result;
    gfn = frame;
    page = xenforeignmemory_map(vm->host->memory, vm->domid, PROT_READ, 1, &gfn, &failed);
    if (!page)
        return -errno;
    if (!failed)
        memcpy(to, page + address % XEN_PAGE, length);
    xenforeignmemory_unmap(vm->host->memory, page, 1);
    return failed;
}

/* A processor that has just made a hypercall: VMCALL or VMMCALL is behind it and the answer, 0, in
 * RAX. */
static int stands_behind_call(xen_vm *vm, uint32_t vcpu)
{
    enum { LENGTH = 3 };
    compat_general general;
    uint8_t code[LENGTH];
    uint64_t from;

    if (compat_get_general(vm->host->control, vm->domid, vcpu, &general) < 0 || !general.online ||
        (uint32_t)general.regs.rax)
        return 0;
    from = general.regs.rip - LENGTH;
    for (uint32_t done = 0, some; done < LENGTH; done += some) {
        uint64_t left = XEN_PAGE - (from + done) % XEN_PAGE;
        some = left < LENGTH - done ? (uint32_t)left : LENGTH - done;
        if (read_code(vm, vcpu, from + done, code + done, some) < 0)
            return 0;
    }
    return code[0] == 0x0f && code[1] == 0x01 && (code[2] == 0xc1 || code[2] == 0xd9);
}

void end_inquire(xen_vm *vm, int32_t code)
{
    uint32_t count = vm->vm->config.vcpus_max;

    vm->end_asker = -1;
    vm->end_halted =
        code == SHUTDOWN_poweroff && compat_all_down(vm->host->control, vm->domid, count) == 1;
    if (code != SHUTDOWN_suspend && code != SHUTDOWN_crash && code != SHUTDOWN_soft_reset)
        return;
    for (uint32_t i = 0; vm->end_asker < 0 && i < count; i++)
        if (stands_behind_call(vm, i))
            vm->end_asker = (int32_t)i;
}

/* A line of Xen's log is about a domain if it names it: d5v0, d5:, Dom5 or HVM5. */
static int is_about(const char *line, uint32_t domid)
{
    static const char *const forms[] = {"d%uv", "d%u ", "d%u:", "Dom%u ", "HVM%u "};
    char name[24];

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(name, sizeof name, forms[i], domid);
        for (const char *at = strstr(line, name); at; at = strstr(at + 1, name))
            if (at == line || !isalnum((unsigned char)at[-1]))
                return 1;
    }
    return 0;
}

/* Why Xen ended a guest is in Xen's log alone: the last lines about it go to ours. Older ones may
 * be of another domain that had the number. */
static void tell_log(xen_vm *vm)
{
    enum { PART = 16384, PARTS = 64, LINES = 8, WIDTH = 200 };
    char *part = alloc_zeroed(PART + 1), (*lines)[WIDTH] = alloc_array(LINES, WIDTH);
    uint32_t position = 0;
    unsigned found = 0;

    for (int i = 0, length = PART; part && lines && i < PARTS && length == PART; i++) {
        length = compat_log(vm->host->control, &position, part, PART);
        part[length > 0 ? length : 0] = 0;
        for (char *line = part, *next; line; line = next) {
            next = strchr(line, '\n');
            if (next)
                *next++ = 0;
            if (is_about(line, vm->domid))
                snprintf(lines[found++ % LINES], WIDTH, "%s", line);
        }
    }
    for (unsigned i = found > LINES ? found - LINES : 0; i < found; i++)
        xen_log(vm->host->host, VSDK_LOG_WARNING, "Xen about domain %u: %s", vm->domid,
                lines[i % LINES]);
    alloc_free(lines);
    alloc_free(part);
}

static vsdk_exit_reason reason_of(const xen_vm *vm, int32_t code)
{
    static const vsdk_exit_reason reasons[] = {VSDK_EXIT_POWEROFF, VSDK_EXIT_RESET,
                                               VSDK_EXIT_SUSPEND,  VSDK_EXIT_CRASH,
                                               VSDK_EXIT_WATCHDOG, VSDK_EXIT_SOFT_RESET};

    if (code < 0 || code >= (int32_t)(sizeof reasons / sizeof *reasons))
        return VSDK_EXIT_STOP;
    if (code == SHUTDOWN_poweroff && vm->end_halted)
        return VSDK_EXIT_HALTED;
    if (code == TRIPLE_FAULT_CODE && vm->end_asker < 0)
        return VSDK_EXIT_CRASH;
    return reasons[code];
}

void end_tell(xen_vcpu *vcpu)
{
    xen_vm *vm = vcpu->vm;
    int32_t code = vm->ended;
    vsdk_exit end = {.reason = reason_of(vm, code),
                     .flags = VSDK_EXIT_TERMINAL,
                     .native = (uint64_t)(int64_t)code};

    if (end.reason == VSDK_EXIT_CRASH && code == TRIPLE_FAULT_CODE)
        end.detail = VSDK_CRASH_TRIPLE_FAULT;
    else if (end.reason == VSDK_EXIT_CRASH && vm->end_asker >= 0)
        end.detail = VSDK_CRASH_PANIC;
    *vcpu->vcpu->exit = end;
    if (end.reason == VSDK_EXIT_CRASH && end.detail != VSDK_CRASH_PANIC &&
        !atomic_exchange(&vm->end_logged, 1))
        tell_log(vm);
}
