/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of tests/linux/vsock.c, a static program, for busybox knows no such sockets.
 *
 *   vsock-guest cid               its own address
 *   vsock-guest connect PORT      exchanges bytes with a port of the host's
 *   vsock-guest serve COUNT       sends back what comes at its port, of so many clients */
#include "vsock_exchange.h"
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int connect_to(unsigned port)
{
    struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port};
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    return connect(fd, (const struct sockaddr *)&to, sizeof to) ? -errno : fd;
}

static void serve(int clients)
{
    struct sockaddr_vm at = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = PORT_GUEST};
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    if (bind(fd, (const struct sockaddr *)&at, sizeof at) || listen(fd, 4)) {
        printf("cannot listen: %s", strerror(errno));
        return;
    }
    close(connect_to(PORT_BELL));
    for (int i = 0; i < clients; i++) {
        int client = accept(fd, NULL, NULL);
        echo(client);
        close(client);
        printf("client ");
    }
}

int main(int count, char **words)
{
    unsigned cid = 0;

    if (count == 2 && !strcmp(words[1], "cid")) {
        int fd = open("/dev/vsock", O_RDONLY);
        ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid);
        printf("%u", cid);
    } else if (count == 3 && !strcmp(words[1], "connect")) {
        int fd = connect_to((unsigned)atoi(words[2]));
        if (fd < 0)
            printf("%s", strerror(-fd));
        else
            printf("%u bytes", exchange(fd, EXCHANGE_BYTES));
    } else if (count == 3 && !strcmp(words[1], "serve")) {
        serve(atoi(words[2]));
    }
    return 0;
}
