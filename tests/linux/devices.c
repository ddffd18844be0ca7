/* SPDX-License-Identifier: Apache-2.0 */
/* The library's virtio devices, used by Debian's own drivers: entropy, a console with a shell on it
 * and a named port, both ways.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz. */
#include "../contract/tap.h"
#include "guest.h"
#include <ctype.h>
#include <vsdk/vsdk.h>

enum { LINES = 2000 };

/* What the guest does: a shell on its console (on Xen the hypervisor's own is the first) that runs
 * until it is told to exit, and meanwhile a port that sends back what it gets, in capitals. */
static const char script[] =
    "load virtio_ring virtio virtio_mmio virtio-rng virtio_console\n"
    "say \"rng: $(cat /sys/class/misc/hw_random/rng_current)\"\n"
    "say \"random: $(dd if=/dev/hwrng bs=64 count=64 iflag=fullblock 2>/dev/null | wc -c)\"\n"
    "for try in 1 2 3 4 5 6 7 8 9 10; do [ -e /dev/vport0p1 ] && break; sleep 1; done\n"
    "say \"ports: $(cd /sys/class/virtio-ports && for p in *; do echo -n \"$p $(cat $p/name) \"; "
    "done)\"\n"
    "tr a-z A-Z </dev/vport0p1 >/tmp/heard & heard=$!\n"
    "tty=/dev/hvc0; [ ! -e /sys/hypervisor/type ] || tty=/dev/hvc1\n"
    "sh -i <$tty >$tty 2>&1\n"
    "wait $heard\n"
    "say \"heard: $(sha256sum </tmp/heard | cut -c -16) $(wc -l </tmp/heard)\"\n"
    "cat /tmp/heard >/dev/vport0p1\n"
    "warned() { dmesg -r | grep -e '^<[0-4]>.*virtio' -e '^<[0-4]>.*vport' | tr '\\n' ';'; }\n"
    "say \"warnings: $(warned)\"\n";

typedef struct text {
    char bytes[LOG + 1];
    size_t length;
} text;

static text serial, console, port;
static vsdk_stream *console_end, *port_end;
static vsdk_device *console_device, *rng_device;
static size_t asked, given; /* commands of the shell; bytes of the port */
static unsigned opened, closed;

static void take(text *t, vsdk_stream *stream)
{
    uint64_t got;

    while (!vsdk_stream_read(stream, t->bytes + t->length, LOG - t->length, &got, NULL) && got)
        t->length += got;
}

static void on_serial(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)events;
    take(&serial, stream);
}

static void type(const char *line)
{
    vsdk_stream_write(console_end, line, strlen(line), NULL, NULL);
}

/* One command after another, each when what the one before it says was seen. */
static void on_console(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)events;
    take(&console, stream);
    if (asked == 0 && strstr(console.bytes, "# ")) {
        asked++;
        type("stty -echo; stty size; echo one=$((40+2))\n");
    } else if (asked == 1 && strstr(console.bytes, "one=42")) {
        asked++;
        vsdk_virtio_console_resize(console_device, 0, 101, 31, NULL);
        type("for t in 1 2 3 4 5 6 7 8 9; do [ \"$(stty size)\" = '31 101' ] && break; sleep 1; "
             "done; stty size; seq 1 3000; echo two=$((40+3))\n");
    } else if (asked == 2 && strstr(console.bytes, "two=43")) {
        asked++;
        type("exit\n");
    }
}

static char lines[LINES * 16];

/* As long as there is room: far more than the stream holds. When all is written our end is closed,
 * and the guest's reader comes to its end after the last byte. */
static void push(vsdk_stream *stream)
{
    uint64_t accepted;

    do {
        vsdk_stream_write(stream, lines + given, strlen(lines) - given, &accepted, NULL);
        given += accepted;
    } while (accepted && given < strlen(lines));
    if (given < strlen(lines))
        return;
    port_end = NULL;
    vsdk_stream_close(stream);
}

static void on_room(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)events;
    if (port_end)
        push(stream);
}

static void on_answer(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)events;
    take(&port, stream);
}

static vsdk_stream *make_stream(vsdk_stream **far, vsdk_stream_fn fn)
{
    vsdk_stream *near = NULL;

    if (vsdk_stream_create(NULL, far, &near, NULL) ||
        vsdk_stream_set_handler(near, fn, NULL, NULL, NULL))
        exit(1);
    return near;
}

/* After the reader has closed the port another stream takes what the guest writes. */
static void on_change(void *user, vsdk_device *device, uint32_t number, uint32_t open)
{
    vsdk_stream *far = NULL;

    (void)user;
    if (number != 1)
        return;
    ++*(open ? &opened : &closed);
    if (open || closed != 1)
        return;
    port_end = make_stream(&far, on_answer);
    vsdk_virtio_console_connect(device, 1, far, NULL);
    vsdk_stream_close(far);
}

static void make_lines(void)
{
    char *to = lines;

    for (unsigned i = 0; i < LINES; i++)
        to += sprintf(to, "line %u\n", i);
}

/* What the guest sends back. */
static int came_back(void)
{
    size_t at = 0;

    while (at < port.length && lines[at] && toupper((unsigned char)lines[at]) == port.bytes[at])
        at++;
    return at == port.length && !lines[at];
}

static vsdk_status add_devices(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_virtio_port ports[2] = {{.flags = VSDK_VIRTIO_PORT_CONSOLE}, {.name = "org.vsdk.lines"}};
    vsdk_virtio_console_config config = {.size = sizeof config,
                                         .ports = ports,
                                         .port_count = 2,
                                         .columns = 90,
                                         .rows = 29,
                                         .changed = on_change};
    vsdk_virtio_place place = {.size = sizeof place, .address = VSDK_PC_ANY, .pc = pc};

    console_end = make_stream(&ports[0].stream, on_console);
    port_end = make_stream(&ports[1].stream, on_room);
    vsdk_status status =
        vsdk_virtio_console_create(vsdk_pc_vm(pc), &config, &console_device, error);
    if (!status)
        status = vsdk_virtio_attach(console_device, &place, error);
    if (!status)
        status = vsdk_virtio_rng_create(vsdk_pc_vm(pc), NULL, &rng_device, error);
    if (!status)
        status = vsdk_virtio_attach(rng_device, &place, error);
    vsdk_stream_close(ports[0].stream);
    vsdk_stream_close(ports[1].stream);
    push(port_end);
    return status;
}

int main(void)
{
    const char *backend = getenv("VSDK_TEST_BACKEND");
    vsdk_pc_config machine = {
        .size = sizeof machine, .memory = 256 << 20, .irqchip = VSDK_IRQCHIP_PORTABLE};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line = "console=ttyS0 panic=-1 quiet wait=1 act=poweroff"};
    vsdk_host *host = NULL;
    vsdk_stream *terminal = NULL;
    vsdk_pc *pc = NULL;
    vsdk_error error = {0};
    vsdk_exit end = {0};

    make_lines();
    map_file("vmlinuz", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    add_script(&load.initrd, &load.initrd_length, script);
    tap(!vsdk_host_open(backend, NULL, &host, &error) &&
            !vsdk_stream_create(NULL, &machine.serial, &terminal, &error) &&
            !vsdk_stream_set_handler(terminal, on_serial, NULL, NULL, &error) &&
            !vsdk_pc_create(host, &machine, &pc, &error) && !add_devices(pc, &error),
        "a machine is made: %s", error.message);
    tap(!vsdk_pc_boot(pc, &load, &error) &&
            !vsdk_vm_run(vsdk_pc_vm(pc), NULL, 900 * UINT64_C(1000000000), &end, &error),
        "the guest runs: %s", error.message);
    printf("# ended: %s (%llu)\n", vsdk_exit_reason_name(end.reason),
           (unsigned long long)end.detail);
    printf("# rng: %s\n", said_in(serial.bytes, "rng"));
    printf("# ports: %s\n", said_in(serial.bytes, "ports"));
    printf("# console: %zu bytes, port: %zu bytes in, %zu out; opened %u, closed %u\n",
           console.length, port.length, given, opened, closed);
    tap(end.reason == VSDK_EXIT_POWEROFF, "it ends by itself");
    tap(strstr(said_in(serial.bytes, "rng"), "virtio_rng.0") != NULL &&
            strcmp(said_in(serial.bytes, "random"), "4096") == 0,
        "its random bytes are the device's");
    tap(strstr(said_in(serial.bytes, "ports"), "vport0p1 org.vsdk.lines") != NULL,
        "the port has its name");
    tap(strstr(console.bytes, "29 90") && strstr(console.bytes, "31 101"),
        "the terminal's size, and its change");
    tap(strstr(console.bytes, "\n2999\r\n3000\r\n") && asked == 3, "the shell is heard and hears");
    tap(came_back(), "the port, both ways");
    tap(opened >= 2 && closed >= 2, "it was opened and closed");
    tap(strstr(serial.bytes, "warnings: ") && !said_in(serial.bytes, "warnings")[0],
        "the kernel warns of none of them: %s", said_in(serial.bytes, "warnings"));
    if (tap_failed)
        printf("%s\n--- console\n%s\n", serial.bytes, console.bytes);
    vsdk_device_close(console_device);
    vsdk_device_close(rng_device);
    vsdk_stream_close(console_end);
    vsdk_stream_close(port_end);
    vsdk_stream_close(machine.serial);
    vsdk_stream_close(terminal);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
    return tap_end();
}
