/* SPDX-License-Identifier: Apache-2.0 */
/* A multiboot guest that knows nothing of this library, with several processors.
 *
 *   multiboot IMAGE
 *
 * Its code and what it prints are in multiboot_smp.S. */
#include "../contract/tap.h"

#include <stdlib.h>
#include <string.h>
#include <vsdk/vsdk.h>

static char printed[256];
static size_t length;

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    char bytes[64];
    uint64_t got;

    (void)user, (void)events;
    while (!vsdk_stream_read(stream, bytes, sizeof bytes, &got, NULL) && got)
        if (got < sizeof printed - length) {
            memcpy(printed + length, bytes, got);
            length += got;
        }
}

static void *slurp(const char *path, uint64_t *count)
{
    static char bytes[1 << 20];
    FILE *file = path ? fopen(path, "rb") : NULL;

    *count = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    return bytes;
}

static vsdk_status boot(vsdk_host *host, vsdk_pc_config machine, const char *path, vsdk_exit *end,
                        vsdk_error *error)
{
    static const vsdk_boot_module modules[] = {{"one", 3, "first a b"}, {"2", 1, NULL}};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line = "a b",
                             .image_name = "guest",
                             .initrd = "disk",
                             .initrd_length = 4,
                             .modules = modules,
                             .module_count = 2};
    vsdk_pc *pc = NULL;
    vsdk_stream *terminal = NULL;
    vsdk_status status = vsdk_stream_create(NULL, &machine.serial, &terminal, error);

    if (!status)
        status = vsdk_stream_set_handler(terminal, output, NULL, NULL, error);
    if (!status)
        status = vsdk_pc_create(host, &machine, &pc, error);
    vsdk_stream_close(machine.serial); /* the port has its own reference */
    load.image = slurp(path, &load.image_length);
    if (!status)
        status = vsdk_pc_boot(pc, &load, error);
    if (!status)
        status = vsdk_vm_run(vsdk_pc_vm(pc), NULL, 120 * UINT64_C(1000000000), end, error);
    vsdk_pc_close(pc);
    vsdk_stream_close(terminal);
    return status;
}

static void run(vsdk_host *host, vsdk_irqchip irqchip, uint32_t vcpus, const char *path)
{
    vsdk_pc_config machine = {
        .size = sizeof machine, .memory = 32 << 20, .vcpus = vcpus, .irqchip = irqchip};
    vsdk_exit end = {0};
    vsdk_error error = {0};
    char want[64];

    length = 0;
    memset(printed, 0, sizeof printed);
    snprintf(want, sizeof want, "guest a b\n:disk\nfirst a b:one\n:2\ncpus %u\n", vcpus);
    if (boot(host, machine, path, &end, &error))
        printf("# %s: %s %s\n", error.operation, error.message, error.hint);
    tap(end.reason == VSDK_EXIT_GUEST_EXIT && end.value == vcpus,
        "%s, %u vCPUs: every processor starts", vsdk_irqchip_name(irqchip), vcpus);
    printf("# ended: %s %llu\n", vsdk_exit_reason_name(end.reason), (unsigned long long)end.value);
    tap(!strcmp(printed, want), "%s, %u vCPUs: prints its command line, modules and their number",
        vsdk_irqchip_name(irqchip), vcpus);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    vsdk_host *host;
    vsdk_error error;

    if (vsdk_host_open(getenv("VSDK_TEST_BACKEND"), NULL, &host, &error)) {
        printf("1..0 # SKIP %s: %s\n", error.operation, error.message);
        return 0;
    }
    for (uint32_t vcpus = 1; vcpus <= 4; vcpus *= 2)
        run(host, VSDK_IRQCHIP_PORTABLE, vcpus, path);
    for (uint32_t vcpus = 1; vcpus <= 2; vcpus *= 2)
        run(host, VSDK_IRQCHIP_KERNEL, vcpus, path);
    vsdk_host_close(host);
    return tap_end();
}
