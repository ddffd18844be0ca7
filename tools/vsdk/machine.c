/* SPDX-License-Identifier: Apache-2.0 */
/* Everything about the machine that the command must say to the library is said here, and nothing
 * is asked that a start does not need. */
#include "machine.h"
#include "command.h"
#include <string.h>

vsdk_status machine_open(machine *m, const run_options *o, vsdk_error *error)
{
    vsdk_host_config config = {.size = sizeof config,
                               .log = print_log,
                               .log_level = o->verbose ? VSDK_LOG_INFO : VSDK_LOG_WARNING};

    return vsdk_host_open(o->backend, &config, &m->host, error);
}

static int has_console(const machine *m)
{
    vsdk_capability_info info = {.size = sizeof info};

    return !vsdk_host_query(m->host, VSDK_CAPABILITY_CONSOLE, &info, NULL) &&
           info.answer == VSDK_ANSWER_YES;
}

vsdk_status machine_make(machine *m, const run_options *o, console *c, vsdk_error *error)
{
    vsdk_pc_config config = {.size = sizeof config,
                             .memory = o->memory,
                             .vcpus = o->vcpus,
                             .irqchip = o->irqchip,
                             .exit_port = o->exit_port};
    vsdk_status status = VSDK_OK;

    if (!parts_have(&o->parts, PART_CONSOLE) && has_console(m))
        status = vsdk_stream_create(NULL, &config.console, &m->console, error);
    if (!status && m->console)
        status = vsdk_stream_set_handler(m->console, console_output, c, NULL, error);
    if (!status)
        status = vsdk_stream_create(NULL, &config.serial, &m->serial, error);
    if (!status)
        status = vsdk_stream_set_handler(m->serial, console_output, c, NULL, error);
    if (!status && o->debug_console)
        status = vsdk_stream_create(NULL, &config.debug_output, &m->debug, error);
    if (!status && o->debug_console)
        status = vsdk_stream_set_handler(m->debug, console_debug, c, NULL, error);
    if (!status)
        status = vsdk_pc_create(m->host, &config, &m->pc, error);
    m->vm = vsdk_pc_vm(m->pc);
    vsdk_stream_close(config.console); /* the machine has its own references */
    vsdk_stream_close(config.serial);
    vsdk_stream_close(config.debug_output);
    return status;
}

int machine_add_parts(machine *m, const run_options *o, console *c)
{
    vsdk_error error;

    if (parts_make(&o->parts, m->pc, &m->parts))
        return -1;
    if (!m->parts.console)
        return 0;
    m->console = vsdk_stream_ref(m->parts.console);
    if (vsdk_stream_set_handler(m->console, console_output, c, NULL, &error))
        return report(&error), -1;
    return 0;
}

vsdk_status machine_boot(machine *m, const run_options *o, const machine_files *files,
                         vsdk_error *error)
{
    vsdk_boot_module modules[MODULES_MAX];
    vsdk_boot_config boot = {.size = sizeof boot,
                             .format = o->format,
                             .mode = o->mode,
                             .image = files->image.bytes,
                             .image_length = files->image.length,
                             .initrd = files->initrd.bytes,
                             .initrd_length = files->initrd.length,
                             .modules = modules,
                             .module_count = o->module_count,
                             .command_line = o->command_line,
                             .image_name = o->image};

    for (uint32_t i = 0; i < o->module_count; i++)
        modules[i] = (vsdk_boot_module){.bytes = files->modules[i].bytes,
                                        .length = files->modules[i].length,
                                        .string = o->modules[i].string};
    if (o->format == VSDK_BOOT_FLAT)
        boot.address = o->address;
    return vsdk_pc_boot(m->pc, &boot, error);
}

vsdk_stream *machine_input(const machine *m, const run_options *o)
{
    static const char word[] = "console=";
    const char *last = NULL;

    for (const char *at = o->command_line; at && (at = strstr(at, word)) != NULL; at++)
        if (at == o->command_line || at[-1] == ' ')
            last = at + sizeof word - 1;
    return last && m->console && !strncmp(last, "hvc", 3) ? m->console : m->serial;
}

static int registers(vsdk_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_x86_sregs *sregs)
{
    return !vsdk_vcpu_get_state(vcpu, VSDK_X86_REGS, regs, sizeof *regs, NULL) &&
           !vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, sregs, sizeof *sregs, NULL);
}

int machine_registers(const machine *m, uint32_t vcpu, vsdk_x86_regs *regs, vsdk_x86_sregs *sregs)
{
    vsdk_vcpu *which = vsdk_pc_vcpu(m->pc, vcpu);

    return which && registers(which, regs, sregs);
}

void machine_tell_where(const machine *m, vsdk_exit_reason reason)
{
    vsdk_vcpu *vcpu;
    vsdk_x86_regs regs;
    vsdk_x86_sregs sregs;

    for (uint32_t i = 0; (vcpu = vsdk_pc_vcpu(m->pc, i)) != NULL; i++)
        if (vsdk_vcpu_record(vcpu)->reason == reason && registers(vcpu, &regs, &sregs))
            complain("vCPU %u is at %#llx (rip %#llx)", i,
                     (unsigned long long)(sregs.cs.base + regs.rip), (unsigned long long)regs.rip);
}

int machine_emulates(const machine *m, vsdk_capability_info *info)
{
    *info = (vsdk_capability_info){.size = sizeof *info};
    return !vsdk_host_query(m->host, VSDK_CAPABILITY_KERNEL_MODE, info, NULL) &&
           info->answer == VSDK_ANSWER_EMULATED;
}

int machine_outlives(const machine *m)
{
    vsdk_capability_info info = {.size = sizeof info};

    return vsdk_host_query(m->host, VSDK_CAPABILITY_ORPHANS, &info, NULL) ||
           info.answer != VSDK_ANSWER_NO;
}

void machine_release(machine *m)
{
    if (m->vm)
        vsdk_vm_destroy(m->vm, NULL);
    parts_release(&m->parts);
    vsdk_pc_close(m->pc);
    vsdk_host_close(m->host);
    vsdk_stream_close(m->serial);
    vsdk_stream_close(m->console);
    vsdk_stream_close(m->debug);
}
