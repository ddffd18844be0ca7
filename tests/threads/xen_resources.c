/* SPDX-License-Identifier: Apache-2.0 */
#include "xen_resources.h"
#include <xenctrl.h>

enum { PORTS = 4096, DOMAINS = 256 };

static unsigned count_event_channels(xc_interface *xc)
{
    unsigned open = 0;

    for (unsigned port = 0; port < PORTS; port++) {
        xc_evtchn_status_t status = {.dom = DOMID_SELF, .port = port};

        open += xc_evtchn_status(xc, &status) == 0 && status.status != EVTCHNSTAT_closed;
    }
    return open;
}

int xen_resources_read(struct xen_resources *resources)
{
    static xc_dominfo_t domains[DOMAINS];
    xc_physinfo_t physical;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);

    if (!xc)
        return 0;
    int count = xc_domain_getinfo(xc, 0, DOMAINS, domains);
    int known = count >= 0 && xc_physinfo(xc, &physical) == 0;
    if (known) {
        resources->domains = (unsigned)count;
        resources->free_pages = physical.free_pages;
        resources->event_channels = count_event_channels(xc);
    }
    xc_interface_close(xc);
    return known;
}
