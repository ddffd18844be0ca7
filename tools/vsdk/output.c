/* SPDX-License-Identifier: Apache-2.0 */
/* Writing that never waits in the kernel. The threads that run the guest have all signals blocked,
 * so one that sat in write(2) on a terminal or pipe that nobody reads could not be brought back,
 * and the command could not be left.
 *
 * O_NONBLOCK belongs to the open file that the shell and others share, so it is not set on what was
 * given to us: a terminal or pipe is opened once more, for ourselves. */
#include "output.h"
#include "command.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PLAIN,  /* a write does not wait for a reader: a file, or opened for ourselves */
    POLLED, /* looked at before each write, and then no more than a pipe takes at once */
    SOCKET
};

static int open_again(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void output_borrow(output *out, int fd, const char *port)
{
    struct stat about;

    *out = (output){.fd = fd, .port = port, .kind = PLAIN};
    if (fstat(fd, &about))
        return; /* a write will tell */
    if (S_ISSOCK(about.st_mode)) {
        out->kind = SOCKET;
    } else if (S_ISFIFO(about.st_mode) || (S_ISCHR(about.st_mode) && isatty(fd))) {
        int again = open_again(fd);

        if (again < 0) {
            out->kind = POLLED;
        } else {
            out->fd = again;
            out->mine = 1;
        }
    }
}

int output_create(output *out, const char *path, const char *port)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);

    if (fd < 0)
        return complain("%s: %s", path, strerror(errno)), -1;
    output_borrow(out, fd, port);
    if (out->fd != fd)
        close(fd);
    out->mine = 1;
    return 0;
}

static int is_ready(int fd, int ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    return poll(&ready, 1, ms) > 0;
}

long output_try(output *out, const void *bytes, size_t length)
{
    ssize_t done;

    if (out->fd < 0)
        return -1;
    if (out->kind == POLLED && !is_ready(out->fd, 0))
        return 0;
    if (out->kind == POLLED && length > PIPE_BUF)
        length = PIPE_BUF;
    if (out->kind == SOCKET)
        done = send(out->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        done = write(out->fd, bytes, length);
    if (done >= 0)
        return done;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    complain("what the %s says from here on is lost: %s", out->port, strerror(errno));
    output_close(out);
    return -1;
}

void output_wait(const output *out, int ms)
{
    is_ready(out->fd, ms);
}

void output_close(output *out)
{
    if (out->mine && out->fd >= 0)
        close(out->fd);
    out->fd = -1;
}
