/* SPDX-License-Identifier: Apache-2.0 */
/* What both sides of a socket between host and guest do: one sends known bytes and compares what
 * comes back, the other sends everything back. */
#ifndef VSDK_TESTS_LINUX_VSOCK_EXCHANGE_H
#define VSDK_TESTS_LINUX_VSOCK_EXCHANGE_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXCHANGE_BYTES = 1 << 20, EXCHANGE_CID = 33 };
/* Ports: two of the host's, one that nobody has, what the guest's server rings at, and its own. */
enum {
    PORT_EMBEDDER = 1000,
    PORT_PATH = 2000,
    PORT_NOBODY = 4000,
    PORT_BELL = 1001,
    PORT_GUEST = 3000
};

static inline uint8_t exchange_byte(uint32_t place)
{
    return (uint8_t)((place * 2654435761u) >> 13);
}

/* How many bytes came back as they were sent, before the end or the first that was not. Both halves
 * are under way at once. */
static inline uint32_t exchange(int fd, uint32_t bytes)
{
    uint8_t buffer[5000];
    uint32_t sent = 0, got = 0;

    for (;;) {
        struct pollfd look = {.fd = fd, .events = (short)(POLLIN | (sent < bytes ? POLLOUT : 0))};
        if (poll(&look, 1, 30000) <= 0)
            return got;
        if (sent < bytes && look.revents & POLLOUT) {
            uint32_t count = bytes - sent < sizeof buffer ? bytes - sent : sizeof buffer;
            for (uint32_t i = 0; i < count; i++)
                buffer[i] = exchange_byte(sent + i);
            ssize_t put = send(fd, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (put < 0 && errno != EAGAIN)
                return got;
            sent += put > 0 ? (uint32_t)put : 0;
            if (sent == bytes)
                shutdown(fd, SHUT_WR);
        }
        if (!(look.revents & (POLLIN | POLLHUP)))
            continue;
        ssize_t came = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (came == 0 || (came < 0 && errno != EAGAIN))
            return got;
        for (ssize_t i = 0; i < came; i++)
            if (buffer[i] != exchange_byte(got++))
                return got - 1;
    }
}

static inline void echo(int fd)
{
    uint8_t buffer[3000];
    ssize_t came;

    while ((came = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t put = 0, now; put < came; put += now)
            if ((now = send(fd, buffer + put, (size_t)(came - put), MSG_NOSIGNAL)) <= 0)
                return;
}

#endif
