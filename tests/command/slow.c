/* SPDX-License-Identifier: Apache-2.0 */
/* LD_PRELOAD: a disk that hangs while a file is read, whichever way, and a machine that takes for
 * ever to be built. VSDK_SLOW says which: disk or build. It says so on standard error, and no
 * signal that is handled brings it back. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

int vsdk_pc_boot(void *pc, const void *config, void *error);

static void hang(const char *where)
{
    const struct timespec hour = {.tv_sec = 3600};
    const char *slow = getenv("VSDK_SLOW");

    if (!slow || strcmp(slow, where))
        return;
    if (write(2, "hangs\n", 6) == 6)
        while (1)
            nanosleep(&hour, NULL);
}

ssize_t read(int fd, void *bytes, size_t room)
{
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    struct stat about;

    if (!fstat(fd, &about) && S_ISREG(about.st_mode))
        hang("disk");
    return real(fd, bytes, room);
}

int madvise(void *bytes, size_t length, int advice)
{
    int (*real)(void *, size_t, int) = dlsym(RTLD_NEXT, "madvise");

    if (advice == MADV_POPULATE_READ)
        hang("disk");
    return real(bytes, length, advice);
}

int vsdk_pc_boot(void *pc, const void *config, void *error)
{
    int (*real)(void *, const void *, void *) = dlsym(RTLD_NEXT, "vsdk_pc_boot");

    hang("build");
    return real(pc, config, error);
}
