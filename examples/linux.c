/* SPDX-License-Identifier: Apache-2.0 */
/* linux: boot Linux.
 *
 * The portable PC (or one with everything in the hypervisor), a kernel, an initial RAM disk, the
 * serial port on standard input and output. The same program on KVM and on Xen.
 *
 *   cc linux.c $(pkg-config --cflags --libs vsdk) -o linux
 *   ./linux kvm|xen portable|kernel VCPUS KERNEL INITRD "console=ttyS0"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static const void *slurp(const char *path, uint64_t *length)
{
    FILE *file = fopen(path, "rb");
    char *bytes = file && !fseek(file, 0, SEEK_END) ? malloc((size_t)ftell(file) + 1) : NULL;

    *length = bytes ? (uint64_t)ftell(file) : 0;
    if (!bytes || (rewind(file), fread(bytes, 1, *length, file)) != *length)
        exit((perror(path), 1));
    return fclose(file), bytes;
}

static void show(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    char text[256];
    uint64_t got;

    while (!vsdk_stream_read(stream, text, sizeof text, &got, NULL) && got)
        fwrite(text, 1, got, stdout);
    fflush(stdout);
}

static void typed(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    char line[256];
    ssize_t got = read(descriptor, line, sizeof line);

    if (got > 0)
        vsdk_stream_write(user, line, (uint64_t)got, NULL, NULL);
    else
        vsdk_watch_set_events(watch, 0, NULL); /* the end of the input */
}

int main(int argc, char **argv)
{
    vsdk_stream *port, *terminal;
    vsdk_host *host;
    vsdk_pc *pc;
    vsdk_watch *watch = NULL;
    vsdk_exit end;
    vsdk_error error;

    if (argc != 7)
        return fprintf(stderr, "usage: see the beginning of linux.c\n"), 1;
    vsdk_pc_config machine = {.size = sizeof machine, .vcpus = (uint32_t)atoi(argv[3])};
    vsdk_boot_config boot = {.size = sizeof boot, .command_line = argv[6]};
    machine.irqchip = strcmp(argv[2], "kernel") ? VSDK_IRQCHIP_PORTABLE : VSDK_IRQCHIP_KERNEL;
    boot.image = slurp(argv[4], &boot.image_length);
    boot.initrd = slurp(argv[5], &boot.initrd_length);

    if (vsdk_stream_create(NULL, &port, &terminal, &error) ||
        vsdk_stream_set_handler(terminal, show, NULL, NULL, &error) ||
        (machine.serial = port, vsdk_host_open(argv[1], NULL, &host, &error)) ||
        vsdk_pc_create(host, &machine, &pc, &error) || vsdk_pc_boot(pc, &boot, &error) ||
        (vsdk_watch_create(vsdk_vm_loop(vsdk_pc_vm(pc), &error), NULL, 0, VSDK_LOOP_READ, typed,
                           terminal, NULL, &watch, NULL),
         0) || /* a file or /dev/null can't be polled: the guest has no input then */
        vsdk_vm_run(vsdk_pc_vm(pc), NULL, VSDK_FOREVER, &end, &error))
        return fprintf(stderr, "%s: %s\n  %s\n", error.operation, error.message, error.hint), 1;
    printf("the guest ended: %s\n", vsdk_exit_reason_name(end.reason));
    vsdk_watch_close(watch);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
    vsdk_stream_close(port);
    return vsdk_stream_close(terminal), 0;
}
