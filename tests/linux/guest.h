/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests with Debian's kernel share: its files, which lie in $VSDK_GUEST_DIR, and what its
 * init says (tools/lab.d/guest-init). */
#ifndef VSDK_TESTS_LINUX_GUEST_H
#define VSDK_TESTS_LINUX_GUEST_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vsdk/vsdk.h>

/* Ends the test where there is no such file. */
static inline void map_file(const char *name, const void **bytes, uint64_t *length)
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
    *length = (uint64_t)found.st_size;
    *bytes = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
}

/* One entry of an archive that Linux lays over those before it (newc: cpio's format of 13 fields).
 */
static inline size_t put_entry(uint8_t *to, const char *name, unsigned mode, const void *bytes,
                               size_t length)
{
    size_t name_end = strlen(name) + 1, head = (110 + name_end + 3) & ~(size_t)3;

    memset(to, 0, head + length + 3);
    snprintf((char *)to, 111, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0u,
             mode, 0u, 0u, 1u, 0u, (unsigned)length, 0u, 0u, 0u, 0u, (unsigned)name_end, 0u);
    memcpy(to + 110, name, name_end);
    memcpy(to + head, bytes, length);
    return (head + length + 3) & ~(size_t)3;
}

/* Puts a file more into an initrd that map_file has mapped: /test is a script that the guest's init
 * reads. The memory lasts as long as the test. */
static inline void add_file(const void **initrd, uint64_t *initrd_length, const char *name,
                            unsigned mode, const void *bytes, size_t length)
{
    size_t start = (*initrd_length + 3) & ~(size_t)3;
    uint8_t *both = calloc(1, start + length + 1024);

    if (!both)
        exit(1);
    memcpy(both, *initrd, *initrd_length);
    size_t end = start + put_entry(both + start, name, 0100000 | mode, bytes, length);
    end += put_entry(both + end, "TRAILER!!!", 0, "", 0);
    *initrd = both;
    *initrd_length = end;
}

static inline void add_script(const void **initrd, uint64_t *initrd_length, const char *text)
{
    add_file(initrd, initrd_length, "test", 0755, text, strlen(text));
}

/* What the guest has written to its serial port, always with a zero behind it. More than there is
 * room for is lost. */
enum { LOG = 1 << 20 };
struct guest_log {
    size_t length;
    char bytes[LOG + 1];
};

static inline void hear_guest(struct guest_log *log, vsdk_stream *terminal)
{
    char bytes[256];
    uint64_t got;

    while (!vsdk_stream_read(terminal, bytes, sizeof bytes, &got, NULL) && got) {
        if (got <= LOG - log->length) {
            memcpy(log->bytes + log->length, bytes, got);
            log->length += got;
        }
    }
}

/* What the guest said after "VSDK-GUEST WHAT: ", or ""; until the next call. */
static inline const char *said_in(const char *log, const char *what)
{
    static char line[512];
    char key[64];

    snprintf(key, sizeof key, "VSDK-GUEST %s: ", what);
    const char *at = strstr(log, key);
    snprintf(line, sizeof line, "%.*s", at ? (int)strcspn(at + strlen(key), "\r\n") : 0,
             at ? at + strlen(key) : "");
    return line;
}

#endif
