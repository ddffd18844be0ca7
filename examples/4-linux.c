/* 4: boot Linux.
 *
 * The portable PC (or one with everything in the hypervisor), a kernel, an initial RAM disk, the
 * serial port on standard input and output. The same program on KVM and on Xen.
 *
 *   cc 4-linux.c $(pkg-config --cflags --libs vsdk) -o 4-linux
 *   ./4-linux kvm|xen portable|kernel VCPUS KERNEL INITRD "console=ttyS0"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static void *slurp(const char *path, uint64_t *length)
{
    FILE *file = fopen(path, "rb");
    char *bytes = file && !fseek(file, 0, SEEK_END) ? malloc((size_t)ftell(file) + 1) : NULL;

    *length = bytes ? (uint64_t)ftell(file) : 0;
    if (!bytes || (rewind(file), fread(bytes, 1, *length, file)) != *length)
        exit((perror(path), 1));
    fclose(file);
    return bytes;
}

static void show(void *user, const void *bytes, uint64_t length)
{
    (void)user;
    fwrite(bytes, 1, length, stdout);
    fflush(stdout);
}

static vsdk_watch *watch;

static void typed(void *user, vsdk_watch *watch_, int32_t descriptor, uint32_t events)
{
    char line[256];
    ssize_t got = read(descriptor, line, sizeof line);

    (void)events;
    if (got > 0)
        vsdk_serial_input(vsdk_pc_device(user, VSDK_PC_SERIAL), line, (uint64_t)got, NULL, NULL);
    else
        vsdk_watch_set_events(watch, 0, NULL); /* the end of the input */
}

int main(int argc, char **argv)
{
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_pc *pc;
    vsdk_loop *loop;
    vsdk_exit end;
    vsdk_error error;

    if (argc != 7)
        return fprintf(stderr, "usage: see the beginning of 4-linux.c\n"), 1;
    vsdk_vm_config config = {.size = sizeof config,
                             .vcpus_max = (uint32_t)atoi(argv[3]),
                             .irqchip = strcmp(argv[2], "kernel") ? VSDK_IRQCHIP_PORTABLE
                                                                  : VSDK_IRQCHIP_KERNEL};
    vsdk_pc_config machine = {.size = sizeof machine, .memory = 256 << 20, .output = show};
    vsdk_boot_config boot = {.size = sizeof boot, .command_line = argv[6]};
    boot.image = slurp(argv[4], &boot.image_length);
    boot.initrd = slurp(argv[5], &boot.initrd_length);

    if (vsdk_host_open(argv[1], NULL, &host, &error) ||
        vsdk_vm_create(host, &config, &vm, &error) || vsdk_pc_create(vm, &machine, &pc, &error) ||
        vsdk_pc_boot(pc, &boot, &error) || vsdk_vm_get_loop(vm, &loop, &error))
        return fprintf(stderr, "%s: %s %s\n", error.operation, error.message, error.hint), 1;
    vsdk_watch_create(loop, NULL, 0, VSDK_LOOP_READ, typed, pc, NULL, &watch, NULL);
    if (vsdk_vm_run(vm, NULL, VSDK_FOREVER, &end, &error))
        return fprintf(stderr, "%s: %s %s\n", error.operation, error.message, error.hint), 1;
    printf("the guest ended: %s\n", vsdk_exit_reason_name(end.reason));
    vsdk_watch_close(watch);
    vsdk_pc_close(pc);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    return 0;
}
