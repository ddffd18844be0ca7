/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device that an embedder wrote, used by Debian's own driver: an entropy device whose
 * bytes are known, so that what the guest reads says whether each buffer was filled.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz. */
#include "../contract/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

enum { LOG = 1 << 20 };

static const char pattern[] = "vsdk-rng-123456\n";
static char text[LOG + 1];
static size_t length;
static unsigned notified, chains;

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    char bytes[256];
    uint64_t got;

    (void)user, (void)events;
    while (!vsdk_stream_read(stream, bytes, sizeof bytes, &got, NULL) && got) {
        if (got <= LOG - length) {
            memcpy(text + length, bytes, got);
            length += got;
        }
    }
}

static void notify(void *user, vsdk_device *device, uint32_t queue)
{
    vsdk_virtio_chain chain;

    (void)user;
    notified++;
    while (!vsdk_virtio_pop(device, queue, &chain, NULL)) {
        uint32_t written = 0;
        for (; chain.writable - written >= 16; written += 16)
            if (vsdk_virtio_write(device, &chain, written, pattern, 16, NULL))
                break;
        vsdk_virtio_push(device, &chain, written, NULL);
        chains++;
    }
}

static vsdk_device *add_device(vsdk_pc *pc, vsdk_error *error)
{
    static const vsdk_virtio_ops ops = {.size = sizeof ops, .notify = notify};
    vsdk_virtio_config config = {.size = sizeof config, .name = "pattern", .type = 4, .queues = 1};
    vsdk_virtio_place place = {.size = sizeof place, .address = VSDK_PC_ANY, .pc = pc};
    vsdk_device *device = NULL;

    if (!vsdk_virtio_create(vsdk_pc_vm(pc), &ops, NULL, &config, &device, error))
        vsdk_virtio_attach(device, &place, error);
    return device;
}

static void *map_file(const char *name, uint64_t *bytes)
{
    const char *folder = getenv("VSDK_GUEST_DIR");
    char path[512];
    struct stat found;

    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found)) {
        printf("Bail out! %s is not there\n", path);
        exit(1);
    }
    *bytes = (uint64_t)found.st_size;
    return mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
}

/* What the guest said after "VSDK-GUEST WHAT: ". */
static const char *said(const char *what)
{
    static char line[512];
    char key[64];

    snprintf(key, sizeof key, "VSDK-GUEST %s: ", what);
    const char *at = strstr(text, key);
    snprintf(line, sizeof line, "%.*s", at ? (int)strcspn(at + strlen(key), "\r\n") : 0,
             at ? at + strlen(key) : "");
    return line;
}

int main(void)
{
    const char *backend = getenv("VSDK_TEST_BACKEND");
    vsdk_pc_config machine = {
        .size = sizeof machine, .memory = 256 << 20, .irqchip = VSDK_IRQCHIP_PORTABLE};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line =
                                 "console=ttyS0 panic=-1 quiet virtio=1 wait=1 act=poweroff"};
    vsdk_host *host = NULL;
    vsdk_stream *terminal = NULL;
    vsdk_pc *pc = NULL;
    vsdk_error error = {0};
    vsdk_exit end = {0};

    load.image = map_file("vmlinuz", &load.image_length);
    load.initrd = map_file("initrd.gz", &load.initrd_length);
    tap(!vsdk_host_open(backend, NULL, &host, &error) &&
            !vsdk_stream_create(NULL, &machine.serial, &terminal, &error) &&
            !vsdk_stream_set_handler(terminal, output, NULL, NULL, &error) &&
            !vsdk_pc_create(host, &machine, &pc, &error),
        "a machine is made: %s", error.message);
    vsdk_device *device = add_device(pc, &error);
    tap(device && !error.code, "the device is attached: %s", error.message);
    tap(!vsdk_pc_boot(pc, &load, &error) &&
            !vsdk_vm_run(vsdk_pc_vm(pc), NULL, 900 * UINT64_C(1000000000), &end, &error),
        "the guest runs: %s", error.message);
    printf("# ended: %s (%llu); %u notified, %u chains\n", vsdk_exit_reason_name(end.reason),
           (unsigned long long)end.detail, notified, chains);
    printf("# virtio: %s\n", said("virtio"));
    printf("# random: %s\n", said("random"));
    tap(end.reason == VSDK_EXIT_POWEROFF, "it ends by itself");
    tap(strstr(said("virtio"), "0x0004 0x0000000f ") != NULL, "its driver is ready");
    tap(strstr(said("random"), "2048 vsdk-rng-123456;") != NULL, "each line is the device's");
    tap(chains >= 512 && notified >= 1, "by chains");
    if (tap_failed)
        printf("%s\n", text);
    vsdk_device_close(device);
    vsdk_stream_close(machine.serial);
    vsdk_stream_close(terminal);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
    return tap_end();
}
