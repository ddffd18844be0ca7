/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the command line of `vsdk run`. vsdk(1) describes each option too: a test holds the two
 * together. */
#include "run_options.h"
#include "command.h"
#include "words.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: vsdk run [OPTION]... IMAGE\n"
    "  --backend NAME        kvm, xen, mock or mock-autonomous; without it the first that works\n"
    "  --machine NAME        portable (default), or kernel: all interrupt controllers and timers\n"
    "                        in the hypervisor, for old guests\n"
    "  --memory SIZE         bytes, or with suffix K, M, G or T (default 256M)\n"
    "  --vcpus N             processors (default 1)\n"
    "  --kernel FILE         the same as IMAGE\n"
    "  --initrd FILE         initial RAM disk\n"
    "  --module FILE[,TEXT]  module of a multiboot or PVH guest, with its text; may be repeated\n"
    "  --append TEXT         command line\n"
    "  --format NAME         auto (default), bzimage, pvh, multiboot or flat\n"
    "  --mode NAME           flat images: real (default), protected or long\n"
    "  --address N           flat images: where to load and begin (default 0x7c00)\n"
    "  --serial stdio|none|FILE\n"
    "                        where the serial port goes (default stdio; Ctrl-A X leaves);\n"
    "                        on Xen the console hvc0 too\n"
    "  --debug-console FILE  where the debug console at port 0x402 goes\n"
    "  --disk FILE[,ro][,format=NAME][,backing=FILE][,overlay=FILE][,cache=NAME][,serial=TEXT]\n"
    "                        a disk, /dev/vda and so on; with an overlay FILE is only read.\n"
    "                        cache: writeback (default), writethrough, unsafe, none\n"
    "  --net user[,hostfwd=tcp:[ADDRESS]:PORT-[ADDRESS]:PORT][,restrict][,mac=ADDRESS]\n"
    "  --net tap=NAME|fd=NUMBER[,mac=ADDRESS]\n"
    "                        a network device\n"
    "  --share FOLDER:TAG[,ro]\n"
    "                        a folder of the host's: mount -t virtiofs TAG /mnt\n"
    "  --vsock CID[,uds=PATH]\n"
    "                        sockets between guest and host\n"
    "  --console             a virtio console, hvc0, on the terminal beside the serial port\n"
    "  --exit-port PORT      port of the exit port (default 0xf4)\n"
    "  --exit-port-qemu      exit status (v << 1) | 1 of the value v written there\n"
    "  --reset-status N      exit status when the guest asks for a reset (default 0)\n"
    "  --timeout SECONDS     end with status 124 after that time\n"
    "  --silence SECONDS     say why a guest may be silent after that time (default 1, 0: never)\n"
    "  --verbose             the library's messages, and how the guest ended\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 for a power-off or a reset; the byte that the guest wrote to the exit port;\n"
    "134 for a crash; 133 when all processors are halted for good; 120 suspended, 121 watchdog, "
    "122\n"
    "soft reset; 124 timeout; 130 when left by Ctrl-A X or a signal; 125 a failure of vsdk "
    "itself.\n";

enum {
    BACKEND = 1,
    MACHINE,
    MEMORY,
    VCPUS,
    KERNEL,
    INITRD,
    MODULE,
    APPEND,
    FORMAT,
    MODE,
    ADDRESS,
    SERIAL,
    DEBUG_CONSOLE,
    DISK,
    NET,
    SHARE,
    VSOCK,
    CONSOLE,
    EXIT_PORT,
    EXIT_PORT_QEMU,
    RESET_STATUS,
    TIMEOUT,
    SILENCE,
    VERBOSE,
    HELP = 'h'
};

static const struct option table[] = {{"backend", required_argument, NULL, BACKEND},
                                      {"machine", required_argument, NULL, MACHINE},
                                      {"memory", required_argument, NULL, MEMORY},
                                      {"vcpus", required_argument, NULL, VCPUS},
                                      {"kernel", required_argument, NULL, KERNEL},
                                      {"initrd", required_argument, NULL, INITRD},
                                      {"module", required_argument, NULL, MODULE},
                                      {"append", required_argument, NULL, APPEND},
                                      {"format", required_argument, NULL, FORMAT},
                                      {"mode", required_argument, NULL, MODE},
                                      {"address", required_argument, NULL, ADDRESS},
                                      {"serial", required_argument, NULL, SERIAL},
                                      {"debug-console", required_argument, NULL, DEBUG_CONSOLE},
                                      {"disk", required_argument, NULL, DISK},
                                      {"net", required_argument, NULL, NET},
                                      {"share", required_argument, NULL, SHARE},
                                      {"vsock", required_argument, NULL, VSOCK},
                                      {"console", no_argument, NULL, CONSOLE},
                                      {"exit-port", required_argument, NULL, EXIT_PORT},
                                      {"exit-port-qemu", no_argument, NULL, EXIT_PORT_QEMU},
                                      {"reset-status", required_argument, NULL, RESET_STATUS},
                                      {"timeout", required_argument, NULL, TIMEOUT},
                                      {"silence", required_argument, NULL, SILENCE},
                                      {"verbose", no_argument, NULL, VERBOSE},
                                      {"help", no_argument, NULL, HELP},
                                      {NULL, 0, NULL, 0}};

/* A whole number up to `most`, decimal or 0x. */
static int number(const char *name, const char *text, uint64_t most, uint64_t *value)
{
    int base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;
    char *end;

    errno = 0;
    *value = strtoull(text, &end, base);
    if (end == text || strchr(text, '-') || *end)
        return complain("--%s %s is not a number", name, text), -1;
    if (errno || *value > most)
        return complain("--%s %s is too large", name, text), -1;
    return 0;
}

static int seconds(const char *name, const char *text, uint64_t *ns)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= 0 && value < 1e9))
        return complain("--%s %s is not a number of seconds", name, text), -1;
    *ns = (uint64_t)(value * 1e9) + (value > 0); /* 0 means another thing */
    return 0;
}

static int number32(const char *name, const char *text, uint64_t most, uint32_t *value)
{
    uint64_t wide;

    if (number(name, text, most, &wide))
        return -1;
    *value = (uint32_t)wide;
    return 0;
}

/* FILE or FILE,TEXT: a name has no comma. */
static int module(run_options *o, char *text)
{
    run_module *m = &o->modules[o->module_count];

    if (o->module_count == MODULES_MAX)
        return complain("--module: %d at most", MODULES_MAX), -1;
    m->path = text;
    m->string = words_cut(text);
    o->module_count++;
    return 0;
}

static int take(run_options *o, int option, const char *name)
{
    switch (option) {
    case BACKEND:
        o->backend = optarg;
        return 0;
    case MACHINE:
        return words_choice(name, optarg, vsdk_irqchip_name, VSDK_IRQCHIP_KERNEL + 1, &o->irqchip);
    case MEMORY:
        return words_size("--memory", optarg, &o->memory);
    case VCPUS:
        return number32(name, optarg, 4096, &o->vcpus);
    case KERNEL:
        o->image = optarg;
        return 0;
    case INITRD:
        o->initrd = optarg;
        return 0;
    case MODULE:
        return module(o, optarg);
    case APPEND:
        o->command_line = optarg;
        return 0;
    case FORMAT:
        return words_choice(name, optarg, vsdk_boot_format_name, VSDK_BOOT_FLAT + 1, &o->format);
    case MODE:
        return words_choice(name, optarg, vsdk_boot_mode_name, VSDK_BOOT_LONG + 1, &o->mode);
    case ADDRESS:
        return number(name, optarg, UINT64_MAX, &o->address);
    case SERIAL:
        o->serial = optarg;
        return 0;
    case DEBUG_CONSOLE:
        o->debug_console = optarg;
        return 0;
    case DISK:
        return parts_add(&o->parts, PART_DISK, optarg);
    case NET:
        return parts_add(&o->parts, PART_NET, optarg);
    case SHARE:
        return parts_add(&o->parts, PART_SHARE, optarg);
    case VSOCK:
        return parts_add(&o->parts, PART_VSOCK, optarg);
    case CONSOLE:
        return parts_add(&o->parts, PART_CONSOLE, NULL);
    case EXIT_PORT:
        return number32(name, optarg, 0xffff, &o->exit_port);
    case EXIT_PORT_QEMU:
        o->exit_port_qemu = 1;
        return 0;
    case RESET_STATUS:
        return number32(name, optarg, 0xff, &o->reset_status);
    case TIMEOUT:
        if (seconds(name, optarg, &o->timeout_ns))
            return -1;
        return o->timeout_ns ? 0 : (complain("--timeout 0: give it more than 0 seconds"), -1);
    case SILENCE:
        return seconds(name, optarg, &o->silence_ns);
    case VERBOSE:
        o->verbose = 1;
        return 0;
    default:
        return complain("see vsdk run --help"), -1;
    }
}

int run_options_parse(run_options *options, int argc, char **argv)
{
    int option, which = 0;

    *options = (run_options){.memory = 256 << 20,
                             .vcpus = 1,
                             .serial = "stdio",
                             .address = 0x7c00,
                             .silence_ns = 1000000000};
    while ((option = getopt_long(argc, argv, "h", table, &which)) != -1) {
        if (option == HELP)
            return fputs(usage, stdout), 1;
        if (take(options, option, table[which].name))
            return -1;
    }
    if (optind < argc && !options->image)
        options->image = argv[optind++];
    if (optind < argc)
        return complain("one image only: %s", argv[optind]), -1;
    if (!options->image)
        return complain("no image; see vsdk run --help"), -1;
    if (!options->memory)
        return complain("--memory 0: give the guest 2M at least"), -1;
    if (!options->vcpus)
        return complain("--vcpus 0: give the guest 1 processor at least"), -1;
    return 0;
}
