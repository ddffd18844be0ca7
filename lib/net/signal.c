/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that are readable while there is something to do. One is made when it is first asked
 * for: who never waits pays for none. The eventfd is written and read only where the answer
 * changes, so that a batch of frames costs one of each. */
#include "base/sys.h"
#include "net/net.h"

void net_signal_init(net_signal *signal)
{
    *signal = (net_signal){.fd = -1};
}

void net_signal_end(net_signal *signal)
{
    sys_close(signal->fd);
}

void net_signal_set(net_signal *signal, uint32_t raised)
{
    uint64_t rings;

    if (signal->fd < 0 || raised == signal->raised)
        return;
    signal->raised = raised;
    if (raised)
        sys_eventfd_write(signal->fd, 1);
    else
        sys_eventfd_read(signal->fd, &rings);
}

int net_signal_descriptor(net_signal *signal, uint32_t raised)
{
    if (signal->fd < 0) {
        int fd = sys_eventfd();
        if (fd < 0)
            return fd;
        signal->fd = fd;
        net_signal_set(signal, raised);
    }
    return signal->fd;
}
