/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of `vsdk run`: the one place that builds it from the library's objects. */
#ifndef VSDK_COMMAND_MACHINE_H
#define VSDK_COMMAND_MACHINE_H

#include "console.h"
#include "file.h"
#include "run_options.h"

/* The files of the options of the same names. */
typedef struct machine_files {
    file image, initrd, modules[MODULES_MAX];
} machine_files;

typedef struct machine {
    vsdk_host *host;
    vsdk_pc *pc;
    vsdk_vm *vm; /* the machine's */
    /* This side's ends. console: the hypervisor's, NULL where it has none. */
    vsdk_stream *serial, *console, *debug;
    made_parts parts;
} machine;

vsdk_status machine_open(machine *m, const run_options *o, vsdk_error *error);
vsdk_status machine_make(machine *m, const run_options *o, console *c, vsdk_error *error);
/* Disks, networks and so on. 0, or -1 after a complaint. */
int machine_add_parts(machine *m, const run_options *o, console *c);
vsdk_status machine_boot(machine *m, const run_options *o, const machine_files *files,
                         vsdk_error *error);
/* Where what is typed goes: the console that the kernel's command line names last, as Linux reads
 * from that one. */
vsdk_stream *machine_input(const machine *m, const run_options *o);
/* One processor's registers while it stands: 1, or 0 if there is no such one or they can't be had.
 */
int machine_registers(const machine *m, uint32_t vcpu, vsdk_x86_regs *regs, vsdk_x86_sregs *sregs);
/* Where each processor stands whose last exit had that reason. */
void machine_tell_where(const machine *m, vsdk_exit_reason reason);
/* 1 with the reason if kernel mode is emulated here. Measured when it is first asked (8 ms): never
 * on the way of a start. */
int machine_emulates(const machine *m, vsdk_capability_info *info);
/* A guest outlives the process that dies without giving it back. */
int machine_outlives(const machine *m);

void machine_release(machine *m);

#endif
