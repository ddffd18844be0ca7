/* SPDX-License-Identifier: Apache-2.0 */
/* Xen's libraries as the backend calls them, without a hypervisor. Every call can be made to fail,
 * requests may hold anything, domains die and lose their number at will. What is given out is
 * counted. One thread, but for fake_virq and fake_notify. */
#ifndef VSDK_TESTS_XEN_FAKE_H
#define VSDK_TESTS_XEN_FAKE_H

#include <stdint.h>
#include <xen/hvm/ioreq.h>
#include <xenctrl.h>

enum { FAKE_DOMAINS = 4, FAKE_VCPUS = 2, FAKE_FRAMES = 1 << 20, FAKE_FREE_PAGES = 1 << 16 };

/* Channels of the guest for which nobody waited when it was made, and what they are to who binds
 * them. */
enum { FAKE_OWN_PORT = 200, FAKE_OWN_LOCAL = 20 };

#define FAKE_MEMORY_BYTES (4096ll * FAKE_FRAMES)

struct fake_domain {
    uint32_t domid; /* 0: none */
    int dying, shut, code;
    uint8_t handle[16];
    unsigned vcpus, pauses;
    uint64_t pages, most_pages;
    uint8_t *populated; /* a frame a byte */
    int memory;         /* a file, its offsets are guest addresses; then the page of requests */
    struct ioreq *requests;
    int events[FAKE_VCPUS];             /* eventfds of who waits for requests, -1: nobody */
    unsigned responses;                 /* notified */
    int eager;                          /* makes the next request while it is notified */
    uint32_t ports_most;                /* event channels that it may have */
    uint64_t config_first, config_last; /* PCI devices that were claimed */
    int config_claimed;
    uint32_t online;      /* a bit a processor: it executes or waits */
    uint32_t initialised; /* a bit a processor: it was started once */
    unsigned resumed, soft_resets;
    uint64_t params[64];
    int own_event;        /* eventfd of who serves the guest's own channels, -1: nobody */
    unsigned own_ports;   /* how many there are */
    unsigned own_told[2]; /* how often the guest was notified by them */
    unsigned timers;      /* a bit a processor: its local timer runs */
    vcpu_guest_context_any_t *context;
};

struct fake {
    uint32_t version, capabilities;
    uint64_t free_pages, promised_pages;
    uint32_t populate_most; /* extents that one call gives */
    int no_large;           /* order 0 only */
    xen_pfn_t kept_frame;   /* is not taken from a guest; 0: none */
    xen_pfn_t bad_frame;    /* can't be mapped; 0: none */
    int virq;               /* eventfd of who has VIRQ_DOM_EXC, -1: nobody */
    int virq_taken;         /* by another program */
    int no_kinds;           /* the kind of a page can't be changed */
    int no_files;           /* that the process may open */
    int no_mappings;        /* that the process may add */
    int refused;            /* errno of every sysctl and domctl */
    unsigned handles;       /* open ones, resources and buffers */
    unsigned destroyed;
    unsigned calls, fail; /* the number of the call that fails; 0: none */
    int error;
    const char *failed; /* its name */
    unsigned asked;     /* how often domains were listed */
    const char *log;    /* Xen's own, NULL: empty */
    struct fake_domain domains[FAKE_DOMAINS];
};

extern struct fake fake;

void fake_reset(void);
int fake_fails(const char *function);
#define FAKE_CALL(failure)                                                                         \
    if (fake_fails(__func__))                                                                      \
    return failure

struct fake_domain *fake_find(uint32_t domid);
void fake_remove(struct fake_domain *domain);

/* The guest makes a request; it stands in the page, and the waiting processor is woken. */
void fake_request(struct fake_domain *domain, unsigned vcpu, struct ioreq request);
/* The guest gives pages away, and takes (other) ones again. */
void fake_give(struct fake_domain *domain, xen_pfn_t frame, unsigned count);
void fake_take(struct fake_domain *domain, xen_pfn_t frame, unsigned count);
/* The guest notifies by a channel of its own. */
void fake_notify(struct fake_domain *domain);
/* The guest has ended. */
void fake_shut(struct fake_domain *domain, int code);

#endif
