/* SPDX-License-Identifier: Apache-2.0 */
/* Between the library and its module of libslirp: plain functions and numbers, so that the module
 * needs nothing of the library's. All calls of the module are made under one lock a network. */
#ifndef VSDK_NET_USER_H
#define VSDK_NET_USER_H

#include <stddef.h>
#include <stdint.h>

enum { NET_SLIRP_ABI = 1 };
#define NET_SLIRP_ENTRY "vsdk_net_slirp_module"

/* Addresses as numbers. */
typedef struct net_slirp_config {
    uint32_t network, mask, host, first, resolver;
    uint32_t mtu;
    int restricted;
    const char *hostname; /* or NULL */
} net_slirp_config;

/* What the module calls, inside of its functions. */
typedef struct net_slirp_host {
    void (*output)(void *user, const void *frame, size_t length);
    uint64_t (*clock)(void); /* ns */
} net_slirp_host;

typedef struct net_slirp_forward {
    int udp;
    uint32_t host, guest; /* guest 0: the first address that DHCP gives */
    uint16_t host_port, guest_port;
} net_slirp_forward;

typedef struct net_slirp_module {
    uint32_t abi, size;
    /* NULL without memory; `config` is not kept, `host` is. */
    void *(*create)(const net_slirp_config *config, const net_slirp_host *host, void *user);
    void (*destroy)(void *slirp);
    void (*input)(void *slirp, const void *frame, uint32_t length);
    /* Tells what to wait for, as poll does: `add` gives back a number for each. The timeout in ms
     * is made smaller. */
    void (*fill)(void *slirp, uint32_t *timeout, int (*add)(void *user, int fd, short events));
    /* Does what is due; `came` gives what poll said of a number. */
    void (*serve)(void *slirp, int failed, short (*came)(void *user, int index));
    /* 0, or -errno. */
    int (*forward)(void *slirp, const net_slirp_forward *forward);
    int (*unforward)(void *slirp, const net_slirp_forward *forward);
} net_slirp_module;

typedef const net_slirp_module *(*net_slirp_entry)(void);

#endif
