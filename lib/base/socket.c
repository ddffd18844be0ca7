/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets for those who must not wait: each call answers at once, whatever mode the descriptor is
 * in, and no thread is cancelled inside one. */
#include "base/socket.h"
#include "base/sys.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What connects must not wait for a listener whose queue is full, so it is non-blocking from the
 * start. */
static int new_socket(const char *path, struct sockaddr_un *address)
{
    size_t length = strlen(path);

    if (length > SOCKET_PATH_MOST)
        return -ENAMETOOLONG;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : sys_high(fd);
}

/* The file is there from the bind on: what fails later takes it away again. */
int socket_listen(const char *path, int backlog, uint64_t identity[2])
{
    struct sockaddr_un address;
    struct stat file;
    int fd = new_socket(path, &address), result = 0;

    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address)) {
        result = -errno;
    } else if (listen(fd, backlog) || stat(path, &file)) {
        result = -errno;
        unlink(path);
    }
    if (result) {
        sys_close(fd);
        return result;
    }
    identity[0] = file.st_dev;
    identity[1] = file.st_ino;
    return fd;
}

/* Another's socket may stand there by now. */
void socket_unlink(const char *path, const uint64_t identity[2])
{
    struct stat file;

    if (!stat(path, &file) && file.st_dev == identity[0] && file.st_ino == identity[1])
        unlink(path);
}

int socket_connect(const char *path)
{
    struct sockaddr_un address;
    int fd = new_socket(path, &address), before = sys_cancel_off(), result = fd;

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address)) {
        result = -errno;
        sys_close(fd);
    }
    sys_cancel_back(before);
    return result;
}

/* -EAGAIN when nobody waits. */
int socket_accept(int fd)
{
    int before = sys_cancel_off();
    int made = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    made = made < 0 ? -errno : sys_high(made);
    sys_cancel_back(before);
    return made;
}

/* Both ends block: what is given away is as a program expects it, and the calls below don't wait.
 */
int socket_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    pair[0] = sys_high(pair[0]);
    pair[1] = sys_high(pair[1]);
    if (pair[0] >= 0 && pair[1] >= 0)
        return 0;
    int result = pair[0] < 0 ? pair[0] : pair[1];
    sys_close(pair[0]);
    sys_close(pair[1]);
    return result;
}

/* A signal counts as "nothing there": the loop comes back. */
static int receive(int fd, void *to, size_t bytes, int flags)
{
    int before = sys_cancel_off();
    ssize_t got = recv(fd, to, bytes, flags | MSG_DONTWAIT);
    int result = got < 0 ? -errno : (int)got;

    sys_cancel_back(before);
    return result == -EINTR ? -EAGAIN : result;
}

int socket_receive(int fd, void *to, size_t bytes)
{
    return receive(fd, to, bytes, 0);
}

int socket_peek(int fd, void *to, size_t bytes)
{
    return receive(fd, to, bytes, MSG_PEEK);
}

int socket_send(int fd, const void *from, size_t bytes)
{
    int before = sys_cancel_off();
    ssize_t put = send(fd, from, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    int result = put < 0 ? -errno : (int)put;

    sys_cancel_back(before);
    return result == -EINTR ? -EAGAIN : result;
}

void socket_shutdown(int fd, unsigned what)
{
    if (what)
        shutdown(fd, what == SOCKET_NO_MORE_READS    ? SHUT_RD
                     : what == SOCKET_NO_MORE_WRITES ? SHUT_WR
                                                     : SHUT_RDWR);
}

/* The end of the bytes alone does not say that: the peer may have shut down one half. */
int socket_is_hung_up(int fd)
{
    struct pollfd look = {.fd = fd};
    int before = sys_cancel_off(), found = poll(&look, 1, 0);

    sys_cancel_back(before);
    return found > 0 && look.revents & (POLLHUP | POLLERR);
}
