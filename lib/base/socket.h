/* SPDX-License-Identifier: Apache-2.0 */
/* The system-call seam's sockets. As those of sys.h: -errno on failure, descriptors are CLOEXEC and
 * above 2. Nothing here waits for a peer, and nothing raises SIGPIPE. */
#ifndef VSDK_BASE_SOCKET_H
#define VSDK_BASE_SOCKET_H

#include <stddef.h>
#include <stdint.h>

/* The longest path that an address of a Unix socket has room for. */
enum { SOCKET_PATH_MOST = 107 };
enum { SOCKET_NO_MORE_READS = 1, SOCKET_NO_MORE_WRITES = 2 };

/* A stream socket that listens at a new path. `identity` is the file's, for socket_unlink. */
int socket_listen(const char *path, int backlog, uint64_t identity[2]);
/* Removes the path if it is still that file. */
void socket_unlink(const char *path, const uint64_t identity[2]);
/* -EAGAIN when the listener's queue is full. */
int socket_connect(const char *path);
int socket_accept(int fd);
int socket_pair(int pair[2]);
/* How many bytes; receive: 0 at the end. -EAGAIN when there are none, or no room. */
int socket_receive(int fd, void *to, size_t bytes);
int socket_peek(int fd, void *to, size_t bytes);
int socket_send(int fd, const void *from, size_t bytes);
void socket_shutdown(int fd, unsigned what);
/* Whether the peer neither reads nor writes any more. */
int socket_is_hung_up(int fd);

#endif
