/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `vsdk run`. */
#ifndef VSDK_RUN_OPTIONS_H
#define VSDK_RUN_OPTIONS_H

#include "parts.h"

enum { MODULES_MAX = 64 }; /* as boot.h has it */

typedef struct run_module {
    const char *path, *string; /* string: or NULL */
} run_module;

typedef struct run_options {
    const char *backend; /* NULL: the first that works */
    vsdk_irqchip irqchip;
    uint64_t memory;
    uint32_t vcpus;
    const char *image;
    const char *initrd;
    run_module modules[MODULES_MAX];
    uint32_t module_count;
    const char *command_line;
    const char *serial;        /* "stdio", "none" or a file */
    const char *debug_console; /* a file, or NULL */
    parts parts;               /* devices */
    vsdk_boot_format format;
    vsdk_boot_mode mode;
    uint64_t address;
    uint32_t exit_port;
    int exit_port_qemu;
    uint32_t reset_status;
    uint64_t timeout_ns; /* 0: no end */
    uint64_t silence_ns; /* 0: not spoken of */
    int verbose;
} run_options;

/* 0 to go on, 1 when help was printed, -1 after a complaint. */
int run_options_parse(run_options *options, int argc, char **argv);

#endif
