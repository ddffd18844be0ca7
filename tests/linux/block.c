/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's kernel on a raw disk through the virtio block device: it reads what the host has
 * written, makes a file system, mounts it by its ext4 driver, writes a file with fsync, and finds
 * it again when the cache is gone. The host then finds that file's content in the image.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz. */
#include "../contract/tap.h"
#include "guest.h"
#include <vsdk/vsdk.h>

enum { DISK = 64 << 20, LINES = 60000 };

/* The script of the guest. 60000 lines of a known text are about a megabyte. */
static const char script[] =
    "load virtio_ring virtio virtio_mmio virtio_blk crc16 crc32c_generic libcrc32c mbcache jbd2 "
    "ext4\n"
    "say \"size: $(cat /sys/block/vda/size) $(cat /sys/block/vda/serial) "
    "$(cat /sys/block/vda/queue/write_cache)\"\n"
    "say \"before: $(crc32 /dev/vda)\"\n"
    "mke2fs /dev/vda >/dev/null\n"
    "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && say \"mounted: $(grep /mnt /proc/mounts)\"\n"
    "awk 'BEGIN { for (i = 1; i <= 60000; i++) printf \"vsdk-disk-line-%06d\\n\", i }' "
    ">/tmp/lines\n"
    "dd if=/tmp/lines of=/mnt/lines bs=64k conv=fsync 2>/dev/null\n"
    "dd if=/dev/zero of=/mnt/hole bs=1M count=16 conv=fsync 2>/dev/null; rm /mnt/hole; sync\n"
    "fstrim /mnt && say \"trimmed: yes\"\n"
    "umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext4 /dev/vda /mnt\n"
    "cmp /tmp/lines /mnt/lines && say \"same: $(wc -l </mnt/lines)\"\n"
    "umount /mnt\n"
    "say \"after: $(crc32 /dev/vda)\"\n"
    "say \"dmesg: $(dmesg | grep -i -c 'vda.*error')\"\n";

static struct guest_log said_all;
static const char *const text = said_all.bytes;

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)events;
    hear_guest(&said_all, stream);
}

/* The usual one: reflected, 0xedb88320. */
static uint32_t crc32_of(const uint8_t *bytes, size_t count)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static uint8_t *make_image(const char *path)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, DISK))
        return NULL;
    uint8_t *bytes = mmap(NULL, DISK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return NULL;
    for (uint32_t i = 0, x = 1; i < 8 << 20; i += 4) {
        x = x * 1664525 + 1013904223;
        memcpy(bytes + i, &x, 4);
    }
    return bytes;
}

/* How many of the lines are there, each at a place of its own. */
static unsigned count_lines(const uint8_t *bytes)
{
    static const char prefix[] = "vsdk-disk-line-";
    static uint8_t seen[LINES + 1];
    unsigned count = 0;

    for (const uint8_t *at = bytes;
         (at = memmem(at, (size_t)(bytes + DISK - at), prefix, sizeof prefix - 1)); at++) {
        unsigned number = (unsigned)strtoul((const char *)at + sizeof prefix - 1, NULL, 10);
        if (number && number <= LINES && !seen[number]) {
            seen[number] = 1;
            count++;
        }
    }
    return count;
}

static vsdk_device *add_device(vsdk_pc *pc, vsdk_disk *disk, vsdk_error *error)
{
    vsdk_virtio_block_config config = {
        .size = sizeof config, .disk = disk, .serial = "vsdk-test", .queues = 2};
    vsdk_virtio_place place = {.size = sizeof place, .address = VSDK_PC_ANY, .pc = pc};
    vsdk_device *device = NULL;

    if (!vsdk_virtio_block_create(vsdk_pc_vm(pc), &config, &device, error))
        vsdk_virtio_attach(device, &place, error);
    return device;
}

/* `expected` as the guest says it: eight digits first. */
static int said_crc(const char *what, uint32_t expected)
{
    return strtoul(said_in(text, what), NULL, 16) == expected;
}

int main(void)
{
    const char *backend = getenv("VSDK_TEST_BACKEND");
    static const char path[] = "/tmp/vsdk-block.raw";
    vsdk_pc_config machine = {
        .size = sizeof machine, .memory = 256 << 20, .irqchip = VSDK_IRQCHIP_PORTABLE};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line = "console=ttyS0 panic=-1 quiet wait=1 act=poweroff"};
    vsdk_disk_config config = {.size = sizeof config, .path = path, .format = VSDK_DISK_RAW};
    vsdk_host *host = NULL;
    vsdk_stream *terminal = NULL;
    vsdk_pc *pc = NULL;
    vsdk_disk *disk = NULL;
    vsdk_error error = {0};
    vsdk_exit end = {0};

    map_file("vmlinuz", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    add_script(&load.initrd, &load.initrd_length, script);
    uint8_t *bytes = make_image(path);
    uint32_t before = bytes ? crc32_of(bytes, DISK) : 0;
    tap(bytes && !vsdk_pool_create(NULL, &config.pool, &error) &&
            !vsdk_disk_open(&config, &disk, &error),
        "a raw disk is opened: %s", error.message);
    tap(!vsdk_host_open(backend, NULL, &host, &error) &&
            !vsdk_stream_create(NULL, &machine.serial, &terminal, &error) &&
            !vsdk_stream_set_handler(terminal, output, NULL, NULL, &error) &&
            !vsdk_pc_create(host, &machine, &pc, &error),
        "a machine is made: %s", error.message);
    vsdk_device *device = add_device(pc, disk, &error);
    tap(device && !error.code, "the device is attached: %s", error.message);
    tap(!vsdk_pc_boot(pc, &load, &error) &&
            !vsdk_vm_run(vsdk_pc_vm(pc), NULL, 900 * UINT64_C(1000000000), &end, &error),
        "the guest runs: %s", error.message);
    printf("# ended: %s (%llu)\n", vsdk_exit_reason_name(end.reason),
           (unsigned long long)end.detail);
    for (const char *at = text; (at = strstr(at, "VSDK-GUEST ")); at++)
        printf("# %.*s\n", (int)strcspn(at, "\r\n"), at);
    tap(end.reason == VSDK_EXIT_POWEROFF, "it ends by itself");
    tap(!strcmp(said_in(text, "size"), "131072 vsdk-test write back"), "it sees what the disk is");
    tap(bytes && said_crc("before", before), "it reads what the host wrote: %08x", before);
    tap(strstr(said_in(text, "mounted"), "/dev/vda /mnt ext4 rw") != NULL, "it mounts it");
    tap(!strcmp(said_in(text, "trimmed"), "yes"), "it discards what is free");
    tap(strtoul(said_in(text, "same"), NULL, 10) == LINES, "it reads its file again");
    tap(bytes && said_crc("after", crc32_of(bytes, DISK)), "the host sees the same bytes");
    tap(bytes && count_lines(bytes) == LINES, "and finds the file in them");
    tap(!strcmp(said_in(text, "dmesg"), "0"), "no error was logged");
    if (tap_failed)
        printf("%s\n", text);
    vsdk_device_close(device);
    vsdk_stream_close(machine.serial);
    vsdk_stream_close(terminal);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
    vsdk_disk_close(disk);
    vsdk_pool_close(config.pool);
    unlink(path);
    return tap_end();
}
