/* vsdk run: boots an image with its serial port on the terminal or in a file. */
#include "command.h"
#include "console.h"
#include "file.h"
#include "run_options.h"
#include "signals.h"
#include "terminal.h"
#include <signal.h>
#include <stdio.h>

typedef struct machine {
    run_options options;
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_pc *pc;
    file image, initrd;
    console console;
} machine;

static vsdk_error error;
static machine *volatile running; /* for the signal handler */

static void leave(int signal_number)
{
    (void)signal_number;
    if (!running)
        return;
    running->console.left = 1;
    if (running->vm)
        vsdk_vm_run_cancel(running->vm, NULL);
}

/* Before there is a guest, so that none is left behind. */
static void catch_signals(machine *m)
{
    running = m;
    signal_catch(SIGINT, leave);
    signal_catch(SIGTERM, leave);
    signal_catch(SIGHUP, leave);
    signal(SIGPIPE, SIG_IGN);
}

/* There a kernel hangs without a word. */
static void warn_if_emulated(vsdk_host *host)
{
    vsdk_capability_info info = {.size = sizeof info};

    if (vsdk_host_query(host, VSDK_CAPABILITY_KERNEL_MODE, &info, NULL) == VSDK_OK &&
        info.answer == VSDK_ANSWER_EMULATED)
        complain("warning: kernel_mode: %s", info.reason);
}

static vsdk_status make_vm(machine *m)
{
    const run_options *o = &m->options;
    vsdk_host_config host_config = {.size = sizeof host_config,
                                    .log = print_log,
                                    .log_level = o->verbose ? VSDK_LOG_INFO : VSDK_LOG_WARNING};
    vsdk_vm_config vm_config = {.size = sizeof vm_config,
                                .vcpus_max = o->vcpus,
                                .irqchip = o->irqchip,
                                .memory_max = o->memory + (16 << 20)};
    vsdk_status status = vsdk_host_open(o->backend, &host_config, &m->host, &error);

    if (status != VSDK_OK)
        return status;
    if (o->format != VSDK_BOOT_FLAT)
        warn_if_emulated(m->host);
    return vsdk_vm_create(m->host, &vm_config, &m->vm, &error);
}

static vsdk_status make_machine(machine *m)
{
    const run_options *o = &m->options;
    vsdk_pc_config pc_config = {.size = sizeof pc_config,
                                .memory = o->memory,
                                .output = console_output,
                                .output_user = &m->console,
                                .debug = o->debug_console ? console_debug : NULL,
                                .debug_user = &m->console,
                                .exit_port = o->exit_port};
    vsdk_boot_config boot = {.size = sizeof boot,
                             .format = o->format,
                             .mode = o->mode,
                             .image = m->image.bytes,
                             .image_length = m->image.length,
                             .initrd = m->initrd.bytes,
                             .initrd_length = m->initrd.length,
                             .command_line = o->command_line,
                             .image_name = o->image};
    vsdk_status status = vsdk_pc_create(m->vm, &pc_config, &m->pc, &error);

    if (o->format == VSDK_BOOT_FLAT)
        boot.address = o->address;
    return status == VSDK_OK ? vsdk_pc_boot(m->pc, &boot, &error) : status;
}

/* Where each processor is that the guest could not go on with. */
static void tell_where(const machine *m, vsdk_exit_reason reason)
{
    vsdk_vcpu *vcpu;
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;

    for (uint32_t i = 0; (vcpu = vsdk_pc_vcpu(m->pc, i)) != NULL; i++)
        if (vsdk_vcpu_record(vcpu)->reason == reason &&
            vsdk_vcpu_get_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), NULL) ==
                VSDK_OK &&
            vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), NULL) ==
                VSDK_OK)
            complain("vCPU %u is at %#llx (rip %#llx)", i,
                     (unsigned long long)(sregs.cs.base + regs.rip), (unsigned long long)regs.rip);
}

static int tell_end(const vsdk_exit *end)
{
    return complain("the guest ended: %s, %#llx", vsdk_exit_reason_name(end->reason),
                    (unsigned long long)end->value);
}

static int cannot_go_on(const machine *m, const vsdk_exit *end)
{
    complain("the guest can't go on: %s (native %#llx, detail %#llx)",
             vsdk_exit_reason_name(end->reason), (unsigned long long)end->native,
             (unsigned long long)end->detail);
    tell_where(m, end->reason);
    if (m->options.format == VSDK_BOOT_FLAT) /* else it was said before */
        warn_if_emulated(m->host);
    return STATUS_FAILED;
}

static int exit_status(const machine *m, const vsdk_exit *end)
{
    if (m->options.verbose)
        tell_end(end);
    switch (end->reason) {
    case VSDK_EXIT_GUEST_EXIT:
        return m->options.exit_port_qemu ? (int)((end->value << 1 | 1) & 0xff)
                                         : (int)(end->value & 0xff);
    case VSDK_EXIT_POWEROFF:
    case VSDK_EXIT_RESET:
        return 0;
    case VSDK_EXIT_CRASH:
        return STATUS_CRASH;
    case VSDK_EXIT_KICKED:
        return end->detail == VSDK_KICK_DEADLINE ? STATUS_TIMEOUT : STATUS_LEFT;
    default: /* what no status tells */
        if (!(end->flags & VSDK_EXIT_TERMINAL))
            return cannot_go_on(m, end);
        return m->options.verbose ? STATUS_FAILED : tell_end(end);
    }
}

static int run(machine *m)
{
    uint64_t timeout = m->options.timeout_ns ? m->options.timeout_ns : VSDK_FOREVER;
    vsdk_exit end;
    vsdk_status status;

    if (console_attach(&m->console, m->vm, vsdk_pc_device(m->pc, VSDK_PC_SERIAL),
                       m->options.timeout_ns, &error) != VSDK_OK)
        return report(&error);
    if (m->console.left) /* before there was anything to cancel */
        vsdk_vm_run_cancel(m->vm, NULL);
    status = vsdk_vm_run(m->vm, NULL, timeout, &end, &error);
    console_detach(&m->console);
    terminal_restore();
    return status == VSDK_OK ? exit_status(m, &end) : report(&error);
}

static void release(machine *m)
{
    vsdk_pc_close(m->pc);
    if (m->vm)
        vsdk_vm_destroy(m->vm, NULL);
    vsdk_vm_close(m->vm);
    vsdk_host_close(m->host);
    console_close(&m->console);
    file_close(&m->image);
    file_close(&m->initrd);
}

int cmd_run(int argc, char **argv)
{
    machine m = {0};
    int result = run_options_parse(&m.options, argc, argv);

    if (result)
        return result < 0 ? STATUS_FAILED : 0;
    catch_signals(&m);
    if (file_open(&m.image, m.options.image) ||
        (m.options.initrd && file_open(&m.initrd, m.options.initrd)) ||
        console_open(&m.console, m.options.serial, m.options.debug_console))
        result = STATUS_FAILED;
    else if (make_vm(&m) != VSDK_OK || make_machine(&m) != VSDK_OK)
        result = report(&error);
    else
        result = run(&m);
    running = NULL;
    release(&m);
    return result;
}
