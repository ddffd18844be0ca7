/* SPDX-License-Identifier: Apache-2.0 */
/* What a Xen host has given out; for tests in dom0 alone. */
#ifndef VSDK_TESTS_THREADS_XEN_RESOURCES_H
#define VSDK_TESTS_THREADS_XEN_RESOURCES_H

#include <stdint.h>

struct xen_resources {
    uint64_t free_pages;
    unsigned domains;        /* dying ones included */
    unsigned event_channels; /* of dom0 that are not closed */
};

/* 0 if this program can't ask: no hypervisor, or built without its library. */
int xen_resources_read(struct xen_resources *resources);

#endif
