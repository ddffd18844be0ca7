/* SPDX-License-Identifier: Apache-2.0 */
/* Event channels as the library uses them. Xen's libraries read, write, poll and close by libc's
 * functions, which are cancellation points. So a run calls them with cancellation off: a thread
 * that was cancelled comes out of it as any other. */
#include "backends/xen/xen.h"
#include "base/sys.h"
#include <poll.h>

int events_take(xenevtchn_handle *events)
{
    int before = sys_cancel_off(), port = xenevtchn_pending(events);

    if (port >= 0)
        xenevtchn_unmask(events, (evtchn_port_t)port);
    sys_cancel_back(before);
    return port;
}

int events_are_there(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    int before = sys_cancel_off(), ready = poll(&poller, 1, 0);

    sys_cancel_back(before);
    return ready > 0;
}

void events_close(xenevtchn_handle *events)
{
    int before = sys_cancel_off();

    xenevtchn_close(events);
    sys_cancel_back(before);
}
