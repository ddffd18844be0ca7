/* SPDX-License-Identifier: Apache-2.0 */
/* Files are mapped and not read: a kernel of 65 MB would be copied twice otherwise. The mapping
 * stays until the process ends, since taking one away costs a look at every virtual machine in it.
 *
 * The pages are brought in here, before there is a virtual machine: a disk that is slow or hangs is
 * waited for while a signal still ends the command at once. A file that is cut short afterwards is
 * seen by SIGBUS, which cmd_run.c explains. */
#include "file.h"
#include "command.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* 0 or an errno. */
static int bring_in(void *bytes, size_t length)
{
    if (!madvise(bytes, length, MADV_POPULATE_READ))
        return 0;
    if (errno == EFAULT)
        return EIO; /* a page that can't be read: a bad disk, or a file that became shorter */
    madvise(bytes, length, MADV_WILLNEED); /* a kernel before 5.14 */
    return 0;
}

static int map(file *f, int fd)
{
    void *bytes;

    if (!f->length) {
        f->bytes = ""; /* nothing can be mapped; what is empty is for the loader to say */
        return 0;
    }
    bytes = mmap(NULL, f->length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return errno;
    f->bytes = bytes;
    return bring_in(bytes, f->length);
}

int file_open(file *f, const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), failure = 0;
    struct stat about;

    if (fd < 0)
        return complain("%s: %s", path, strerror(errno)), -1;
    if (fstat(fd, &about)) {
        failure = errno;
    } else if (!S_ISREG(about.st_mode)) {
        close(fd);
        return complain("%s: not a regular file", path), -1;
    } else {
        f->length = (uint64_t)about.st_size;
        failure = map(f, fd);
    }
    close(fd);
    if (failure)
        complain("%s: %s", path, strerror(failure));
    return failure ? -1 : 0;
}
