/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device that an embedder wrote, used by Debian's own driver: an entropy device whose
 * bytes are known, so that what the guest reads says whether each buffer was filled.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz. */
#include "../contract/tap.h"
#include "guest.h"
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

    map_file("vmlinuz", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
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
    printf("# virtio: %s\n", said_in(text, "virtio"));
    printf("# random: %s\n", said_in(text, "random"));
    tap(end.reason == VSDK_EXIT_POWEROFF, "it ends by itself");
    tap(strstr(said_in(text, "virtio"), "0x0004 0x0000000f ") != NULL, "its driver is ready");
    tap(strstr(said_in(text, "random"), "2048 vsdk-rng-123456;") != NULL,
        "each line is the device's");
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
