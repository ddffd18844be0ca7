#include "file.h"
#include "command.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_whole(file *f, int fd)
{
    uint64_t done = 0;

    while (done < f->length) {
        ssize_t got = read(fd, (char *)f->bytes + done, f->length - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : EIO;
        done += (uint64_t)got;
    }
    return 0;
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
        f->bytes = malloc(f->length + 1);
        failure = f->bytes ? read_whole(f, fd) : ENOMEM;
    }
    close(fd);
    if (failure)
        complain("%s: %s", path, strerror(failure));
    return failure ? -1 : 0;
}

void file_close(file *f)
{
    free(f->bytes);
    f->bytes = NULL;
}
