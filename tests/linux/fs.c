/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of the host's that Debian mounts as a file system: what the guest does there is there on
 * the host, what the host puts there the guest reads, and what leads out of it does not.
 *
 * $VSDK_TEST_BACKEND is the backend, $VSDK_GUEST_DIR has vmlinuz and initrd.gz; the argument is
 * mmap_write. */
#include "../contract/tap.h"
#include "guest.h"
#include <dirent.h>
#include <ftw.h>
#include <vsdk/vsdk.h>

enum { BLOB = 6 << 20, ENTRIES = 2000 };

static struct guest_log said_all;
static const char *const text = said_all.bytes;
static char top[64], root[96];

/* After each step it says what it saw. Caches are dropped where the host is to be asked. */
static const char script[] =
    "load virtio_ring virtio virtio_mmio fuse virtiofs\n"
    "sum() { sha256sum $1 | cut -c -64; }\n"
    "mkdir -p /mnt\n"
    "say \"mount: $(mount -t virtiofs work /mnt 2>&1 && echo yes)\"\n"
    "cd /mnt\n"
    "say \"df: $(df -P /mnt | tail -n 1 | awk '{ print ($2 > 0) }')\"\n"
    "say \"blob: $(sum blob)\"\n"
    "cp blob copy\n"
    "dd if=blob of=odd bs=7919 2>/dev/null\n"
    "sync\n"
    "echo 3 >/proc/sys/vm/drop_caches\n"
    "say \"copy: $(sum copy) $(sum odd)\"\n"
    "mkdir -p a/b && echo moved >a/x && mv a/x a/b/y && ln -s b/y a/link && ln a/b/y a/hard\n"
    "say \"names: $(cat a/link) $(stat -c '%h %a %s %u' a/hard) $(readlink a/link)\"\n"
    "chmod 640 a/hard && touch -d '2001-02-03 04:05:06' a/hard\n"
    "rm a/b/y && rmdir a/b\n"
    "say \"removed: $(cat a/link 2>&1) $(cat a/hard)\"\n"
    "mkdir many; i=0; while [ $i -lt 2000 ]; do : >many/e$i; i=$((i+1)); done\n"
    "say \"many: $(ls many | wc -l) $(ls hosts | wc -l) $(ls -l hosts | wc -l)\"\n"
    "echo one >app; echo two >>app; echo 1234567890 >cut; truncate -s 5 cut; truncate -s 9000 "
    "long\n"
    "say \"cut: $(cat cut) $(stat -c %s long)\"\n"
    "echo 0123456789abcdef >map; /mmap_write map; say \"map: $? $(cat map)\"\n"
    "mkdir /tmp/tree; i=0; while [ $i -lt 300 ]; do mkdir -p /tmp/tree/d$((i%7));"
    " echo \"file $i\" >/tmp/tree/d$((i%7))/f$i; i=$((i+1)); done\n"
    "tar cf tree.tar -C /tmp tree; mkdir un; tar xf tree.tar -C un\n"
    "echo 3 >/proc/sys/vm/drop_caches\n"
    "sums() { (cd $1 && find . -type f | sort | xargs sha256sum | sha256sum); }\n"
    "say \"tree: $([ \"$(sums /tmp/tree)\" = \"$(sums un/tree)\" ] && echo same) $(find un -type f "
    "| wc -l)\"\n"
    "say \"out: $(cat out relative 2>&1 | tr '\\n' ' ')\"\n"
    "echo evil >relative; ln -s ../../../../../../../../secret deep; echo evil >deep\n"
    "mkdir /tmp/up; echo guest >/secret\n"
    "say \"own: $(cat relative)\"\n"
    "say \"node: $(mknod dev c 1 3 2>&1) $(mkfifo pipe 2>&1)\"\n"
    "cd /; umount /mnt && say 'umount: yes'\n"
    "say \"again: $(mount -t virtiofs work /mnt 2>&1 && cat /mnt/app | tr '\\n' ' ')\"\n"
    "umount /mnt\n";

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    (void)user, (void)events;
    hear_guest(&said_all, stream);
}

static const char *at(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void put_file(const char *path, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0 || write(fd, bytes, count) != (ssize_t)count)
        printf("Bail out! %s can't be written\n", path);
    close(fd);
}

/* All of a file, in memory that the next call takes. */
static const uint8_t *read_file(const char *path, size_t *count)
{
    static uint8_t bytes[BLOB + 1];
    int fd = open(path, O_RDONLY);
    ssize_t got = 0, part;

    while (fd >= 0 && (part = read(fd, bytes + got, (size_t)(BLOB - got))) > 0)
        got += part;
    close(fd);
    bytes[got] = 0;
    *count = (size_t)got;
    return bytes;
}

static int has(const char *name, const char *what)
{
    size_t count;

    return !strcmp((const char *)read_file(at(name), &count), what);
}

/* By the host's own program. */
static const char *sum_of(const char *name)
{
    static char said[65];
    char command[600];

    snprintf(command, sizeof command, "sha256sum %s", at(name));
    FILE *out = popen(command, "r");
    if (!out || fread(said, 1, 64, out) != 64)
        strcpy(said, "none");
    if (out)
        pclose(out);
    return said;
}

static unsigned entries(const char *name)
{
    DIR *list = opendir(at(name));
    unsigned count = 0;

    while (list && readdir(list))
        count++;
    if (list)
        closedir(list);
    return count < 2 ? 0 : count - 2;
}

static int take(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static void make_folder(void)
{
    static uint8_t blob[BLOB];
    uint32_t state = 1;
    char name[64];

    strcpy(top, "/tmp/vsdk-fs-XXXXXX");
    if (!mkdtemp(top))
        printf("Bail out! no folder in /tmp\n");
    snprintf(root, sizeof root, "%s/root", top);
    mkdir(root, 0755);
    mkdir(at("hosts"), 0755);
    for (size_t i = 0; i < BLOB; i++)
        blob[i] = (uint8_t)((state = state * 1103515245 + 12345) >> 16);
    put_file(at("blob"), blob, BLOB - 77);
    put_file(at("../secret"), "outside", 7);
    snprintf(name, sizeof name, "%s/secret", top);
    if (symlink(name, at("out")) || symlink("../secret", at("relative")))
        printf("Bail out! no links in %s\n", root);
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "hosts/name-%u", i);
        put_file(at(name), "", 0);
    }
}

static vsdk_device *add_device(vsdk_pc *pc, vsdk_error *error)
{
    vsdk_share_config folder = {.size = sizeof folder, .path = root};
    vsdk_virtio_fs_config config = {.size = sizeof config, .tag = "work"};
    vsdk_virtio_place place = {.size = sizeof place, .address = VSDK_PC_ANY, .pc = pc};
    vsdk_device *device = NULL;

    if (!vsdk_share_open(&folder, &config.share, error) &&
        !vsdk_virtio_fs_create(vsdk_pc_vm(pc), &config, &device, error))
        vsdk_virtio_attach(device, &place, error);
    vsdk_share_close(config.share);
    return device;
}

static void said(const char *what, const char *wanted)
{
    const char *line = said_in(text, what);

    tap(!strcmp(line, wanted), "%s: %s (wanted %s)", what, line, wanted);
}

static void check_data(void)
{
    char wanted[65], twice[140];
    struct stat status;

    strcpy(wanted, sum_of("blob"));
    snprintf(twice, sizeof twice, "%s %s", wanted, wanted);
    said("blob", wanted);
    said("copy", twice);
    tap(!strcmp(sum_of("copy"), wanted), "the copy on the host is the same");
    tap(!strcmp(sum_of("odd"), wanted), "that in odd pieces too");
    tap(has("app", "one\ntwo\n"), "what was appended is there");
    tap(has("cut", "12345"), "what was cut is gone");
    tap(has("map", "0123mapp89abcdef\n"), "what was written to a mapping is there");
    tap(!stat(at("a/hard"), &status) && status.st_mode == (S_IFREG | 0640) &&
            status.st_nlink == 1 && status.st_mtime == 981173106,
        "mode, time and count of names are as the guest made them");
}

static void check_names(void)
{
    size_t count;

    said("names", "moved 2 644 6 0 b/y");
    said("many", "2000 2000 2001");
    tap(entries("many") == ENTRIES && entries("a") == 2, "so many names are on the host");
    said("tree", "same 300");
    said("own", "guest");
    tap(entries("un/tree") == 7, "the tree is on the host");
    tap(access(at("dev"), F_OK) && access(at("pipe"), F_OK), "no device and no FIFO: %s",
        said_in(text, "node"));
    tap(!strcmp((const char *)read_file(at("../secret"), &count), "outside"),
        "what lies outside is as it was");
    tap(!strstr(said_in(text, "out"), "outside"), "and is not read: %s", said_in(text, "out"));
}

int main(int argc, char **argv)
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
    size_t count;

    make_folder();
    map_file("vmlinuz", &load.image, &load.image_length);
    map_file("initrd.gz", &load.initrd, &load.initrd_length);
    if (argc > 1) {
        const uint8_t *program = read_file(argv[1], &count);
        add_file(&load.initrd, &load.initrd_length, "mmap_write", 0755, program, count);
    }
    add_script(&load.initrd, &load.initrd_length, script);
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
    tap(end.reason == VSDK_EXIT_POWEROFF, "it ends by itself");
    said("mount", "yes");
    said("df", "1");
    check_data();
    check_names();
    said("umount", "yes");
    said("again", "one two ");
    if (tap_failed)
        printf("%s\n", text);
    vsdk_device_close(device);
    vsdk_stream_close(machine.serial);
    vsdk_stream_close(terminal);
    vsdk_pc_close(pc);
    vsdk_host_close(host);
    nftw(top, take, 16, FTW_DEPTH | FTW_PHYS);
    return tap_end();
}
