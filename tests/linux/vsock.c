/* SPDX-License-Identifier: Apache-2.0 */
/* The socket device with Debian's own driver: a mebibyte both ways at once on each of the four ways
 * to connect, each byte compared by who has sent it.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz; the argument is the
 * guest's program. The host's programs are one thread, beside the one that runs the guest. */
#include "../contract/tap.h"
#include "guest.h"
#include "vsock_exchange.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <vsdk/vsdk.h>

static const char script[] =
    "load virtio_ring virtio virtio_mmio vsock vmw_vsock_virtio_transport_common "
    "vmw_vsock_virtio_transport\n"
    "say \"cid: $(/vsock-guest cid)\"\n"
    "say \"embedder: $(/vsock-guest connect 1000)\"\n"
    "say \"path: $(/vsock-guest connect 2000)\"\n"
    "say \"nobody: $(/vsock-guest connect 4000)\"\n"
    "say \"server: $(/vsock-guest serve 2)\"\n"
    "say \"kernel: $(dmesg | grep -e WARNING: -e BUG: -e 'vsock.*fail' | tr '\\n' ';')\"\n";

static struct guest_log said_all;
static const char *const text = said_all.bytes;
static char path[64];
static vsdk_device *device;
static int path_listens;
static _Atomic uint32_t by_embedder, by_path, greeted;

static void output(void *user, vsdk_stream *stream, vsdk_stream_events stream_events)
{
    (void)user, (void)stream_events;
    hear_guest(&said_all, stream);
}

/* As a program does that can't be called back. */
static int accept_at(uint32_t port)
{
    struct pollfd look = {.fd = vsdk_virtio_vsock_descriptor(device, port), .events = POLLIN};
    int32_t fd;

    while (poll(&look, 1, -1) < 0)
        ;
    return vsdk_virtio_vsock_accept(device, port, &fd, NULL, NULL) ? -1 : fd;
}

static int unix_socket(const char *at, int listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", at);
    if (listens ? bind(fd, (void *)&address, sizeof address) || listen(fd, 4)
                : connect(fd, (void *)&address, sizeof address))
        return -1;
    return fd;
}

/* "OK PORT", read byte by byte: what follows is the guest's. */
static int is_greeted(int fd)
{
    char said[32];
    size_t count = 0;

    if (send(fd, "CONNECT 3000\n", 13, MSG_NOSIGNAL) != 13)
        return 0;
    while (count < sizeof said - 1 && read(fd, said + count, 1) == 1)
        if (said[count++] == '\n')
            break;
    said[count] = 0;
    return !strncmp(said, "OK ", 3) && count > 4;
}

/* In the order of the guest's script. */
static void *programs(void *none)
{
    int32_t fd = accept_at(PORT_EMBEDDER);

    echo(fd);
    close(fd);
    fd = accept(path_listens, NULL, NULL);
    echo(fd);
    close(fd);
    close(accept_at(PORT_BELL));
    if (!vsdk_virtio_vsock_connect(device, PORT_GUEST, &fd, NULL)) {
        by_embedder = exchange(fd, EXCHANGE_BYTES);
        close(fd);
    }
    fd = unix_socket(path, 0);
    greeted = (uint32_t)is_greeted(fd);
    by_path = exchange(fd, EXCHANGE_BYTES);
    close(fd);
    return none;
}

static int add_device(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_virtio_vsock_config config = {.size = sizeof config, .cid = EXCHANGE_CID, .path = path};
    vsdk_virtio_place place = {.size = sizeof place, .address = VSDK_PC_ANY, .pc = pc};

    return !vsdk_virtio_vsock_create(vsdk_pc_vm(pc), &config, &device, error) &&
           !vsdk_virtio_attach(device, &place, error) &&
           !vsdk_virtio_vsock_listen(device, PORT_EMBEDDER, 0, error) &&
           !vsdk_virtio_vsock_listen(device, PORT_BELL, 0, error);
}

static int add_program(vsdk_boot_config *load, const char *name)
{
    static uint8_t bytes[4 << 20];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);

    close(fd);
    if (got <= 0 || got == sizeof bytes)
        return 0;
    add_file(&load->initrd, &load->initrd_length, "vsock-guest", 0755, bytes, (size_t)got);
    add_script(&load->initrd, &load->initrd_length, script);
    return 1;
}

int main(int count, char **words)
{
    vsdk_pc_config machine = {
        .size = sizeof machine, .memory = 256 << 20, .irqchip = VSDK_IRQCHIP_PORTABLE};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line = "console=ttyS0 panic=-1 quiet wait=1 act=poweroff"};
    char beside[80], whole[32];
    vsdk_host *host = NULL;
    vsdk_stream *terminal = NULL;
    vsdk_pc *pc = NULL;
    vsdk_error error = {0};
    vsdk_exit end = {0};
    pthread_t thread;

    map_file("vmlinuz", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    tap(count == 2 && add_program(&load, words[1]), "the guest has a program");
    snprintf(path, sizeof path, "/tmp/vsdk-linux-vsock-%d", getpid());
    snprintf(beside, sizeof beside, "%s_%d", path, PORT_PATH);
    snprintf(whole, sizeof whole, "%d bytes", EXCHANGE_BYTES);
    tap((path_listens = unix_socket(beside, 1)) >= 0, "a program listens beside the path");
    tap(!vsdk_host_open(getenv("VSDK_TEST_BACKEND"), NULL, &host, &error) &&
            !vsdk_stream_create(NULL, &machine.serial, &terminal, &error) &&
            !vsdk_stream_set_handler(terminal, output, NULL, NULL, &error) &&
            !vsdk_pc_create(host, &machine, &pc, &error),
        "a machine is made: %s", error.message);
    tap(add_device(pc, &error), "the device is attached: %s", error.message);
    tap(!pthread_create(&thread, NULL, programs, NULL), "programs of the host run");
    tap(!vsdk_pc_boot(pc, &load, &error) &&
            !vsdk_vm_run(vsdk_pc_vm(pc), NULL, 900 * UINT64_C(1000000000), &end, &error),
        "the guest runs: %s", error.message);
    printf("# ended: %s\n", vsdk_exit_reason_name(end.reason));
    tap(end.reason == VSDK_EXIT_POWEROFF, "it ends by itself");
    tap(!strcmp(said_in(text, "cid"), "33"), "its driver has the address: %s",
        said_in(text, "cid"));
    tap(!strcmp(said_in(text, "embedder"), whole), "guest to embedder: %s",
        said_in(text, "embedder"));
    tap(!strcmp(said_in(text, "path"), whole), "guest to a path: %s", said_in(text, "path"));
    tap(strstr(said_in(text, "nobody"), "reset") != NULL, "guest to nobody: %s",
        said_in(text, "nobody"));
    tap(by_embedder == EXCHANGE_BYTES, "embedder to guest: %u bytes", by_embedder);
    tap(greeted && by_path == EXCHANGE_BYTES, "a program to guest: %u bytes", by_path);
    tap(!strstr(said_in(text, "kernel"), "vsock") && !strstr(said_in(text, "kernel"), "virtio"),
        "its kernel complains of no socket: %s", said_in(text, "kernel"));
    if (tap_failed)
        printf("%s\n", text);
    vsdk_device_close(device);
    vsdk_stream_close(machine.serial);
    vsdk_stream_close(terminal);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
    unlink(beside);
    return tap_end();
}
