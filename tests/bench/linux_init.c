/* SPDX-License-Identifier: Apache-2.0 */
/* Boots Debian's kernel to its init on KVM and tells what that took by KVM's own statistics
 * (debugfs), as one JSON object.
 *
 *   linux-init FOLDER    with vmlinux and initrd.gz, as tools/guest makes it */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

static const char marker[] = "VSDK-GUEST uname";

typedef struct boot {
    vsdk_vm *vm;
    vsdk_pc *pc;
    struct timespec start;
    size_t matched;
    int seen;
} boot;

static vsdk_error error;

static void must(vsdk_status status)
{
    if (status == VSDK_OK)
        return;
    fprintf(stderr, "%s: %s %s\n", error.operation, error.message, error.hint);
    exit(1);
}

/* All statistics of this process's machine, and the time: one JSON object. */
static void tell_all(const boot *b)
{
    struct timespec now;
    char pattern[64];
    glob_t found;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("{\"ms\": %lld", (long long)(now.tv_sec - b->start.tv_sec) * 1000 +
                                (now.tv_nsec - b->start.tv_nsec) / 1000000);
    snprintf(pattern, sizeof pattern, "/sys/kernel/debug/kvm/%d-*/*", getpid());
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            FILE *file = fopen(found.gl_pathv[i], "re");
            long long value;
            if (file && fscanf(file, "%lld", &value) == 1)
                printf(", \"%s\": %lld", strrchr(found.gl_pathv[i], '/') + 1, value);
            if (file)
                fclose(file);
        }
        globfree(&found);
    }
    printf("}\n");
    fflush(stdout);
}

static void look(boot *b, const char *text, uint64_t length)
{
    for (uint64_t i = 0; i < length && !b->seen; i++) {
        b->matched = text[i] == marker[b->matched] ? b->matched + 1 : text[i] == marker[0];
        b->seen = b->matched == sizeof marker - 1;
    }
    if (b->seen == 1) {
        b->seen = 2;
        tell_all(b);
    }
}

static void output(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    char text[256];
    uint64_t got;
    (void)events;
    while (!vsdk_stream_read(stream, text, sizeof text, &got, NULL) && got)
        look(user, text, got);
}

static void *map_file(const char *folder, const char *name, uint64_t *length)
{
    char path[512];
    struct stat found;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) != 0) {
        perror(path);
        exit(1);
    }
    void *bytes = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    *length = (uint64_t)found.st_size;
    return bytes;
}

int main(int count, char **argument)
{
    boot b = {0};
    vsdk_host *host;
    vsdk_exit end;
    vsdk_stream *terminal;
    vsdk_pc_config machine = {.size = sizeof machine, .memory = 256 << 20};
    vsdk_boot_config load = {.size = sizeof load,
                             .command_line = "console=ttyS0 panic=-1 quiet wait=1 act=poweroff"};
    if (count != 2)
        return 2;
    load.image = map_file(argument[1], "vmlinux", &load.image_length);
    load.initrd = map_file(argument[1], "initrd.gz", &load.initrd_length);
    must(vsdk_host_open("kvm", NULL, &host, &error));
    clock_gettime(CLOCK_MONOTONIC, &b.start);
    must(vsdk_stream_create(NULL, &machine.serial, &terminal, &error));
    must(vsdk_stream_set_handler(terminal, output, &b, NULL, &error));
    must(vsdk_pc_create(host, &machine, &b.pc, &error));
    b.vm = vsdk_pc_vm(b.pc);
    vsdk_stream_close(machine.serial);
    must(vsdk_pc_boot(b.pc, &load, &error));
    must(vsdk_vm_run(b.vm, NULL, UINT64_C(240000000000), &end, &error));
    must(vsdk_vm_destroy(b.vm, &error));
    vsdk_pc_close(b.pc);
    vsdk_host_close(host);
    vsdk_stream_close(terminal);
    return b.seen != 2;
}
