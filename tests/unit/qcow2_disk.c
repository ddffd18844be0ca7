/* SPDX-License-Identifier: Apache-2.0 */
/* qcow2 through the public API, on files of the host: an overlay above an allowed base, compressed
 * clusters by the module beside the library, and qemu-img's opinion of what we made. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

enum { CAPACITY = 8 << 20, PIECE = 65536 };

static char folder[] = "/tmp/vsdk-qcow2-disk-XXXXXX";
static char base[64], top[64];
static vsdk_error error;

static void begin(void)
{
    cr_assert(mkdtemp(folder));
    snprintf(base, sizeof base, "%s/base", folder);
    snprintf(top, sizeof top, "%s/top", folder);
}

static void end(void)
{
    unlink(base);
    unlink(top);
    rmdir(folder);
}

TestSuite(qcow2_disk, .init = begin, .fini = end);

static int shell(const char *format, const char *first, const char *second)
{
    char line[256];

    snprintf(line, sizeof line, format, first, second);
    return system(line);
}

static vsdk_disk *open_disk(const char *path, uint32_t flags, const char *allowed)
{
    vsdk_disk_config config = {.size = sizeof config, .flags = flags, .path = path};
    vsdk_disk *disk = NULL;

    config.format = VSDK_DISK_QCOW2;
    config.allowed = &allowed;
    config.allowed_count = allowed != NULL;
    cr_assert(!vsdk_disk_open(&config, &disk, &error), "%s", error.message);
    return disk;
}

static void expect_value(vsdk_disk *disk, uint64_t offset, int value)
{
    static uint8_t bytes[PIECE];

    cr_assert(!vsdk_disk_read(disk, offset, bytes, sizeof bytes, &error), "%s", error.message);
    for (unsigned i = 0; i < sizeof bytes; i++)
        cr_assert_eq(bytes[i], value);
}

static void write_value(vsdk_disk *disk, uint64_t offset, uint64_t length, int value)
{
    static uint8_t bytes[PIECE];

    memset(bytes, value, sizeof bytes);
    cr_assert(!vsdk_disk_write(disk, offset, bytes, length, &error), "%s", error.message);
}

static void make(const char *path, const char *backing)
{
    vsdk_disk_image image = {.size = sizeof image, .path = path, .format = VSDK_DISK_QCOW2};

    image.capacity = CAPACITY;
    image.backing = backing;
    image.backing_format = backing ? VSDK_DISK_QCOW2 : VSDK_DISK_AUTO;
    cr_assert(!vsdk_disk_create_image(&image, &error), "%s", error.message);
}

Test(qcow2_disk, an_overlay_in_a_file_leaves_its_base_as_it_is)
{
    make(base, NULL);
    vsdk_disk *disk = open_disk(base, 0, NULL);
    for (uint64_t at = 0; at < CAPACITY; at += PIECE)
        write_value(disk, at, PIECE, 1);
    vsdk_disk_close(disk);
    cr_assert(!shell("cp %s %s.kept", base, base));
    make(top, "base");
    vsdk_disk_config refused = {.size = sizeof refused, .path = top, .format = VSDK_DISK_QCOW2};
    cr_assert_eq(vsdk_disk_open(&refused, &disk, &error), VSDK_ERROR_PERMISSION);
    disk = open_disk(top, 0, base);
    write_value(disk, 3 * PIECE + 512, 512, 2);
    cr_assert(!vsdk_disk_flush(disk, &error), "%s", error.message);
    expect_value(disk, 5 * PIECE, 1);
    cr_assert(!vsdk_disk_discard(disk, 7 * PIECE, PIECE, &error), "%s", error.message);
    expect_value(disk, 7 * PIECE, 0);
    cr_assert(!vsdk_disk_resize(disk, 2 * CAPACITY, &error), "%s", error.message);
    expect_value(disk, CAPACITY + PIECE, 0);
    vsdk_disk_close(disk);
    cr_assert(!shell("qemu-img check -q %s && qemu-img check -q %s", top, base));
    cr_assert(!shell("cmp %s %s.kept", base, base));
    shell("rm -f %s.kept%s", base, "");
}

Test(qcow2_disk, compressed_clusters_are_read_by_the_module_beside_the_library)
{
    cr_assert(!shell("head -c 8388608 /dev/zero | tr '\\0' '\\7' > %s%s", base, ""));
    cr_assert(!shell("qemu-img convert -c -f raw -O qcow2 %s %s", base, top));
    vsdk_disk *disk = open_disk(top, VSDK_DISK_READ_ONLY, NULL);
    expect_value(disk, 0, 7);
    expect_value(disk, CAPACITY - PIECE, 7);
    vsdk_disk_close(disk);
    disk = open_disk(top, 0, NULL);
    write_value(disk, 512, 512, 9);
    expect_value(disk, PIECE, 7);
    vsdk_disk_close(disk);
    cr_assert(!shell("qemu-img check -q %s%s", top, ""));
}

Test(qcow2_disk, what_is_made_passes_a_check)
{
    vsdk_disk_report report = {.size = sizeof report};

    make(base, NULL);
    vsdk_disk *disk = open_disk(base, 0, NULL);
    write_value(disk, PIECE, 512, 4);
    cr_assert(!vsdk_disk_check(disk, 0, &report, &error), "%s", error.message);
    cr_assert_eq(report.errors + report.leaks, 0, "%s", report.first);
    cr_assert_eq(report.clusters, CAPACITY / PIECE);
    cr_assert_eq(report.allocated, 1);
    vsdk_disk_close(disk);
}
