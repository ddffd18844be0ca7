/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's kernel on the machine: by both entries, with several processors, to each of its ends.
 *
 *   linux_boot [ROW...]    rows by number from 0; all without
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz, vmlinux and initrd.gz. The
 * guest's init reports, asks a question that only it can answer at that moment, and ends. */
#include "../contract/tap.h"
#include "guest.h"

#include <sys/random.h>
#include <vsdk/vsdk.h>

enum { NONCE = 32 };

typedef struct row {
    const char *name;
    vsdk_irqchip irqchip;
    const char *image;
    uint32_t vcpus;
    const char *act;
    vsdk_exit_reason end;
    uint64_t tables; /* hash of the firmware area: the same on every backend */
    int nodes;       /* with devices of the embedder's */
} row;

static const row rows[] = {
    {"portable, bzImage, 1 vCPU", VSDK_IRQCHIP_PORTABLE, "vmlinuz", 1, "poweroff",
     VSDK_EXIT_POWEROFF, 0xed8bfb88c583a7e8, 0},
    {"portable, PVH, 1 vCPU", VSDK_IRQCHIP_PORTABLE, "vmlinux", 1, "reboot", VSDK_EXIT_RESET,
     0xed8bfb88c583a7e8, 0},
    {"portable, bzImage, 2 vCPUs", VSDK_IRQCHIP_PORTABLE, "vmlinuz", 2, "panic", VSDK_EXIT_CRASH,
     0x1503b43665ae2102, 0},
    {"portable, PVH, 2 vCPUs", VSDK_IRQCHIP_PORTABLE, "vmlinux", 2, "poweroff", VSDK_EXIT_POWEROFF,
     0x1503b43665ae2102, 0},
    {"portable, bzImage, 4 vCPUs", VSDK_IRQCHIP_PORTABLE, "vmlinuz", 4, "reboot", VSDK_EXIT_RESET,
     0xe6ecceb5d651f156, 0},
    {"portable, PVH, 4 vCPUs", VSDK_IRQCHIP_PORTABLE, "vmlinux", 4, "panic", VSDK_EXIT_CRASH,
     0xe6ecceb5d651f156, 0},
    {"kernel, bzImage, 1 vCPU", VSDK_IRQCHIP_KERNEL, "vmlinuz", 1, "poweroff", VSDK_EXIT_POWEROFF,
     0xf17f56cbaf93632b, 0},
    {"kernel, bzImage, 2 vCPUs", VSDK_IRQCHIP_KERNEL, "vmlinuz", 2, "reboot", VSDK_EXIT_RESET,
     0x62e6cbf83d01fa5d, 0},
    {"kernel, bzImage, 2 vCPUs", VSDK_IRQCHIP_KERNEL, "vmlinuz", 2, "panic", VSDK_EXIT_CRASH,
     0x62e6cbf83d01fa5d, 0},
    {"portable with nodes, bzImage, 1 vCPU", VSDK_IRQCHIP_PORTABLE, "vmlinuz", 1, "poweroff",
     VSDK_EXIT_POWEROFF, 0x376db65051fd1216, 1},
};
enum { ROWS = sizeof rows / sizeof *rows };

typedef struct guest {
    const row *row;
    vsdk_vm *vm;
    vsdk_pc *pc;
    vsdk_stream *terminal; /* our end of the serial port's stream */
    vsdk_error error;
    vsdk_exit end;
    vsdk_status status;
    int asked;
    char nonce[NONCE + 1];
    size_t length;
    char log[LOG + 1];
} guest;

/* Called inside the guest's write of the question: the port takes an answer there, too. */
static void type(guest *g)
{
    static const char digits[] = "0123456789abcdef";
    char line[NONCE + 2];
    uint8_t random[NONCE / 2];
    uint64_t taken = 0;

    if (getrandom(random, sizeof random, 0) != sizeof random)
        abort();
    for (int i = 0; i < NONCE; i++)
        g->nonce[i] = digits[random[i / 2] >> (i & 1 ? 0 : 4) & 15];
    int length = snprintf(line, sizeof line, "%s\n", g->nonce);
    if (vsdk_stream_write(g->terminal, line, (uint64_t)length, &taken, NULL) ||
        taken != (uint64_t)length)
        printf("# only %llu bytes of the answer were taken\n", (unsigned long long)taken);
}

static void keep(guest *g, const char *bytes, uint64_t length)
{
    if (length > LOG - g->length)
        return;
    memcpy(g->log + g->length, bytes, length);
    g->length += length;
    if (!g->asked && g->length > 11 && !memcmp(g->log + g->length - 11, "challenge? ", 11)) {
        g->asked = 1;
        type(g);
    }
}

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    char bytes[256];
    uint64_t got;

    (void)events;
    while (!vsdk_stream_read(stream, bytes, sizeof bytes, &got, NULL) && got)
        keep(user, bytes, got);
}

static const char *said(guest *g, const char *what)
{
    return said_in(g->log, what);
}

static int answer_is_right(guest *g)
{
    char command[128], want[65] = "";
    FILE *pipe;

    snprintf(command, sizeof command, "printf %%s %s | sha256sum", g->nonce);
    pipe = popen(command, "r");
    if (!pipe || fread(want, 1, 64, pipe) != 64)
        want[0] = 0;
    if (pipe)
        pclose(pipe);
    return *want && strstr(g->log, want) != NULL;
}

static uint64_t fnv(uint64_t hash, const uint8_t *bytes, size_t length)
{
    while (length--)
        hash = (hash ^ *bytes++) * 0x100000001b3;
    return hash;
}

/* The bytes that a guest is given: the firmware area, and boot information. */
static uint64_t hash_tables(guest *g)
{
    static uint8_t area[0x20000], info[0x1000];
    const uint64_t start = 0xcbf29ce484222325;

    vsdk_vm_read(g->vm, 0xe0000, area, sizeof area, NULL);
    vsdk_vm_read(g->vm, 0x7000, info, sizeof info, NULL);
    printf("# tables %016llx information %016llx\n",
           (unsigned long long)fnv(start, area, sizeof area),
           (unsigned long long)fnv(start, info, sizeof info));
    return fnv(start, area, sizeof area);
}

/* A second serial port, which Linux has a driver for, and a device that it has none for. */
static vsdk_status add_devices(guest *g)
{
    vsdk_serial_config config = {.size = sizeof config};
    vsdk_device *port = NULL;
    uint64_t address = 0, line = 0, other = 0, memory = 0;
    vsdk_status status = vsdk_pc_claim(g->pc, VSDK_PC_PORTS, VSDK_PC_ANY, 8, &address, &g->error);

    if (!status)
        status = vsdk_pc_claim(g->pc, VSDK_PC_LINES, VSDK_PC_ANY, 1, &line, &g->error);
    if (!status)
        status = vsdk_pc_claim(g->pc, VSDK_PC_LINES, VSDK_PC_ANY, 1, &other, &g->error);
    if (!status)
        status = vsdk_pc_claim(g->pc, VSDK_PC_MEMORY, VSDK_PC_ANY, 0x200, &memory, &g->error);
    if (status)
        return status;
    config.address = address;
    config.gsi = (uint32_t)line;
    const vsdk_pc_node serial = {
        .hid = "PNP0501",
        .uid = 2,
        .resource_count = 2,
        .resources = {{VSDK_PC_PORTS, 0, address, 8}, {VSDK_PC_LINES, 0, line, 1}}};
    const vsdk_pc_node plain = {
        .hid = "LNRO0005",
        .uid = 5,
        .resource_count = 2,
        .resources = {{VSDK_PC_MEMORY, 0, memory, 0x200}, {VSDK_PC_LINES, 0, other, 1}}};
    status = vsdk_serial_create(g->vm, &config, &port, &g->error);
    vsdk_device_close(port);
    if (!status)
        status = vsdk_pc_add_node(g->pc, &serial, &g->error);
    return status ? status : vsdk_pc_add_node(g->pc, &plain, &g->error);
}

static vsdk_status boot(guest *g, vsdk_host *host)
{
    char options[128];
    vsdk_pc_config machine = {.size = sizeof machine,
                              .memory = 256 << 20,
                              .vcpus = g->row->vcpus,
                              .irqchip = g->row->irqchip};
    vsdk_boot_config load = {
        .size = sizeof load,
        .command_line = options,
    };

    map_file(g->row->image, &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    snprintf(options, sizeof options, "console=ttyS0 panic=-1 quiet act=%s", g->row->act);
    g->status = vsdk_stream_create(NULL, &machine.serial, &g->terminal, &g->error);
    if (!g->status)
        g->status = vsdk_stream_set_handler(g->terminal, output, g, NULL, &g->error);
    if (!g->status)
        g->status = vsdk_pc_create(host, &machine, &g->pc, &g->error);
    g->vm = vsdk_pc_vm(g->pc);
    vsdk_stream_close(machine.serial); /* the port has its own reference */
    if (!g->status && g->row->nodes)
        g->status = add_devices(g);
    if (!g->status)
        g->status = vsdk_pc_boot(g->pc, &load, &g->error);
    munmap((void *)load.image, load.image_length);
    munmap((void *)load.initrd, load.initrd_length);
    return g->status;
}

static void show_counters(guest *g)
{
    for (uint32_t i = 0; i < g->row->vcpus; i++) {
        vsdk_vcpu_counters c = {.size = sizeof c};

        if (!vsdk_vcpu_get_counters(vsdk_pc_vcpu(g->pc, i), &c, NULL))
            printf("# vCPU %u: %llu exits, %llu pio, %llu mmio, %llu internal\n", i,
                   (unsigned long long)c.exits, (unsigned long long)c.pio,
                   (unsigned long long)c.mmio, (unsigned long long)c.internal);
    }
}

static void run(guest *g)
{
    tap(hash_tables(g) == g->row->tables, "%s: tables are the known bytes", g->row->name);
    g->status = vsdk_vm_run(g->vm, NULL, 240 * UINT64_C(1000000000), &g->end, &g->error);
    printf("# ended: %s code %llu detail %s\n", vsdk_exit_reason_name(g->end.reason),
           (unsigned long long)g->end.value,
           vsdk_crash_detail_name((vsdk_crash_detail)g->end.detail));
    show_counters(g);
    printf("# %s\n", said(g, "uname"));
    printf("# hypervisor: %s\n", said(g, "hypervisor"));
    printf("# clock: %s\n", said(g, "clock"));
    printf("# devices: %s\n", said(g, "devices"));
    printf("# topology: %s\n", said(g, "topology"));
}

static int topology_is_right(guest *g)
{
    const char *text = said(g, "topology");

    for (uint32_t i = 0; i < g->row->vcpus; i++) {
        char want[64];

        snprintf(want, sizeof want, "cpu%u apicid=%u package=0 core=%u;", i, 2 * i, 2 * i);
        if (!strstr(text, want))
            return 0;
    }
    return 1;
}

/* Their names, and what they have. Linux numbers interrupts itself; the line is the table's. */
static int devices_are_right(guest *g)
{
    const char *text = said(g, "devices");
    const char *port = strstr(text, "PNP0501 state = active io 0x1000-0x1007 irq ");
    const char *line = port ? strstr(port, "line ") : NULL;

    return strstr(text, "LNRO0005:00 uid=5;") &&
           strstr(text, "LNRO0005:00 memory f0000000-f00001ff;") && line &&
           !strncmp(line, "line 16 ;", 9);
}

static void check(guest *g)
{
    const row *r = g->row;

    tap(!strncmp(said(g, "uname"), "Linux ", 6), "%s: reaches init", r->name);
    tap((uint32_t)atoi(said(g, "cpus")) == r->vcpus, "%s: sees %u processors", r->name, r->vcpus);
    if (r->nodes)
        tap(devices_are_right(g), "%s: finds the devices", r->name);
    tap(topology_is_right(g), "%s: one package, APIC and core ids 2 * i", r->name);
    tap(answer_is_right(g), "%s: answers what was typed", r->name);
    tap(g->end.reason == r->end, "%s: %s is told as %s", r->name, r->act,
        vsdk_exit_reason_name(r->end));
}

static void boot_row(vsdk_host *host, const row *r)
{
    static guest g;
    int failed = tap_failed;

    memset(&g, 0, sizeof g);
    g.row = r;
    tap(!boot(&g, host), "%s: loads", r->name);
    if (!g.status)
        run(&g);
    if (g.status)
        printf("# %s: %s %s\n", g.error.operation, g.error.message, g.error.hint);
    check(&g);
    if (tap_failed > failed)
        for (char *line = strtok(g.log, "\r\n"); line; line = strtok(NULL, "\r\n"))
            printf("# | %s\n", line);
    vsdk_pc_close(g.pc);
    tap(vsdk_stream_ready(g.terminal) & VSDK_STREAM_ENDED, "%s: its stream ends with it", r->name);
    vsdk_stream_close(g.terminal);
}

int main(int argc, char **argv)
{
    const char *backend = getenv("VSDK_TEST_BACKEND");
    vsdk_host *host;
    vsdk_error error;

    if (vsdk_host_open(backend, NULL, &host, &error)) {
        printf("Bail out! %s: %s %s\n", error.operation, error.message, error.hint);
        return 1;
    }
    for (int i = 0; i < ROWS; i++) {
        int wanted = argc < 2;

        for (int k = 1; k < argc; k++)
            wanted |= atoi(argv[k]) == i;
        if (wanted)
            boot_row(host, &rows[i]);
    }
    vsdk_host_close(host);
    return tap_end();
}
