/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device that an embedder wrote, used by Debian's own driver: an entropy device whose
 * bytes are known, so that what the guest reads says whether each buffer was filled. With the
 * argument "pci" it is a PCI function, which the guest then has to let go, and gets again: "pci
 * kernel" in the kernel machine.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz. */
#include "../contract/tap.h"
#include "guest.h"
#include <vsdk/vsdk.h>

static const char pattern[] = "vsdk-rng-123456\n";
static struct guest_log said_all;
static const char *const text = said_all.bytes;
static unsigned notified, chains, gone;
static vsdk_device *cold, *hot;
static vsdk_pc *pc;

/* What the guest is told to do over PCI: it says what it sees, then waits for a device to come and
 * to go. Warnings of the kernel's that are no device's were there before the drivers. */
static const char script[] =
    "load virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio-rng\n"
    "slots() { for f in /sys/bus/pci/devices/*; do echo -n \"${f##*/} $(cat $f/vendor $f/device "
    "$f/class | tr '\\n' ' ')$(head -n 1 $f/resource | cut -d' ' -f1,2) \"; done; }\n"
    "wait_for() { n=0; while [ $n -lt 300 ] && ! eval \"$1\"; do sleep 0.1; n=$((n+1)); done; }\n"
    "random() { dd if=/dev/hwrng bs=16 count=2048 iflag=fullblock 2>/dev/null | sort | uniq -c | "
    "head -n 3 | tr '\\n' ';'; }\n"
    "state() { for d in /sys/bus/virtio/devices/*; do [ -e $d ] && echo -n \"$(cat $d/device "
    "$d/status | tr '\\n' ' ')\"; done; }\n"
    "say \"slots: $(slots)\"\n"
    "say \"state: $(state)\"\n"
    "say \"random: $(random)\"\n"
    "say \"lines: $(grep -c 'PCI-MSI.*virtio' /proc/interrupts)\"\n"
    "say \"plug: now\"\n"
    "wait_for '[ -e /sys/bus/pci/devices/0000:00:09.0/driver ]'\n"
    "say \"plugged: $(slots)\"\n"
    "wait_for '[ -e /sys/bus/virtio/devices/virtio1/status ] && grep -q f "
    "/sys/bus/virtio/devices/virtio1/status'\n"
    "say \"plugged state: $(state)\"\n"
    "say \"unplug: now\"\n"
    "wait_for '[ ! -e /sys/bus/pci/devices/0000:00:09.0 ]'\n"
    "say \"unplugged: $(slots)\"\n"
    "say \"random again: $(random)\"\n"
    "dmesg | grep -iE 'pci|virtio|acpi.*error|hotplug' | sed 's/^/VSDK-LOG /'\n"
    "say \"warnings: $(dmesg -r | grep -E '^<[0-4]>' | grep -iE 'virtio|0000:00|hotplug|slot|BAR' "
    "| tr '\\n' ';')\"\n";

static vsdk_device *add_device(vsdk_pc *to, uint64_t slot, vsdk_error *error);

/* The guest says when; it is the terminal's thread that hears it. */
static void obey(void)
{
    static int plugged, unplugged;
    vsdk_error error = {0};

    if (!plugged && strstr(text, "plug: now")) {
        plugged = 1;
        hot = add_device(pc, 9, &error);
        printf("# plugged: %s\n", error.code ? error.message : "yes");
    }
    if (!unplugged && strstr(text, "unplug: now")) {
        unplugged = 1;
        vsdk_device *function = vsdk_virtio_function(hot);
        vsdk_pci_function_eject(function, 0, &error);
        vsdk_device_close(function);
        printf("# asked: %s\n", error.code ? error.message : "yes");
    }
}

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)events;
    hear_guest(&said_all, stream);
    obey();
}

static void ejected(void *user, vsdk_device *device, vsdk_pci_ejected what)
{
    (void)user;
    gone += device == hot && what == VSDK_PCI_EJECTED && !vsdk_virtio_function(device);
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

static vsdk_device *add_device(vsdk_pc *to, uint64_t slot, vsdk_error *error)
{
    static const vsdk_virtio_ops ops = {.size = sizeof ops, .notify = notify, .ejected = ejected};
    vsdk_virtio_config config = {.size = sizeof config, .name = "pattern", .type = 4, .queues = 1};
    vsdk_virtio_place place = {.size = sizeof place,
                               .transport = slot ? VSDK_VIRTIO_PCI : VSDK_VIRTIO_MMIO,
                               .address = slot ? slot : VSDK_PC_ANY,
                               .pc = to};
    vsdk_device *device = NULL;

    if (!vsdk_virtio_create(vsdk_pc_vm(to), &ops, NULL, &config, &device, error))
        vsdk_virtio_attach(device, &place, error);
    return device;
}

static void look_at_mmio(void)
{
    printf("# virtio: %s\n", said_in(text, "virtio"));
    tap(strstr(said_in(text, "virtio"), "0x0004 0x0000000f ") != NULL, "its driver is ready");
}

static void look_at_pci(void)
{
    static const char *const what[] = {"slots",         "state",     "lines",        "plugged",
                                       "plugged state", "unplugged", "random again", "warnings"};
    char slots[512];

    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        printf("# %s: %s\n", what[i], said_in(text, what[i]));
    snprintf(slots, sizeof slots, "%s", said_in(text, "slots"));
    tap(!strcmp(slots, "0000:00:02.0 0x1af4 0x1044 0x00ff00 0x00000000c0000000 "
                       "0x00000000c0007fff "),
        "the guest sees one function, where it was put");
    tap(!strcmp(said_in(text, "state"), "0x0004 0x0000000f "), "its driver is ready");
    tap(atoi(said_in(text, "lines")) == 2, "it has two messages");
    tap(strstr(said_in(text, "plugged"), " 0000:00:09.0 0x1af4 0x1044 ") != NULL,
        "one comes while the guest runs");
    tap(!strcmp(said_in(text, "plugged state"), "0x0004 0x0000000f 0x0004 0x0000000f "),
        "and its driver is ready");
    tap(gone == 1 && !strcmp(said_in(text, "unplugged"), slots), "it goes when it is asked to");
    tap(strstr(said_in(text, "random again"), "2048 vsdk-rng-123456;") != NULL,
        "the other one still works");
    tap(strstr(text, "VSDK-GUEST warnings: \r") != NULL, "nobody warns of them");
}

int main(int argc, char **argv)
{
    int pci = argc > 1, kernel = argc > 2;
    const char *backend = getenv("VSDK_TEST_BACKEND");
    vsdk_pc_config machine = {.size = sizeof machine,
                              .flags = pci ? VSDK_PC_PCI : 0,
                              .memory = 256 << 20,
                              .irqchip = kernel ? VSDK_IRQCHIP_KERNEL : VSDK_IRQCHIP_PORTABLE};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line =
                                 pci ? "console=ttyS0 panic=-1 quiet wait=1 act=poweroff"
                                     : "console=ttyS0 panic=-1 quiet virtio=1 wait=1 act=poweroff"};
    vsdk_host *host = NULL;
    vsdk_stream *terminal = NULL;
    vsdk_error error = {0};
    vsdk_exit end = {0};

    map_file("vmlinuz", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    if (pci)
        add_script(&load.initrd, &load.initrd_length, script);
    tap(!vsdk_host_open(backend, NULL, &host, &error) &&
            !vsdk_stream_create(NULL, &machine.serial, &terminal, &error) &&
            !vsdk_stream_set_handler(terminal, output, NULL, NULL, &error) &&
            !vsdk_pc_create(host, &machine, &pc, &error),
        "a machine is made: %s", error.message);
    cold = add_device(pc, pci ? 2 : 0, &error);
    tap(cold && !error.code, "the device is attached: %s", error.message);
    tap(!vsdk_pc_boot(pc, &load, &error) &&
            !vsdk_vm_run(vsdk_pc_vm(pc), NULL, 900 * UINT64_C(1000000000), &end, &error),
        "the guest runs: %s", error.message);
    printf("# ended: %s (%llu); %u notified, %u chains\n", vsdk_exit_reason_name(end.reason),
           (unsigned long long)end.detail, notified, chains);
    printf("# random: %s\n", said_in(text, "random"));
    tap(end.reason == VSDK_EXIT_POWEROFF, "it ends by itself");
    if (pci)
        look_at_pci();
    else
        look_at_mmio();
    tap(strstr(said_in(text, "random"), "2048 vsdk-rng-123456;") != NULL,
        "each line is the device's");
    tap(chains >= 512 && notified >= 1, "by chains");
    if (tap_failed)
        printf("%s\n", text);
    vsdk_device_close(cold);
    vsdk_device_close(hot);
    vsdk_stream_close(machine.serial);
    vsdk_stream_close(terminal);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
    return tap_end();
}
