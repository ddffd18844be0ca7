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
