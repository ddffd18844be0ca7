/* SPDX-License-Identifier: Apache-2.0 */
/* The network device from the inside (virtio 1.2, section 5.1). */
#ifndef VSDK_VIRTIO_DEVICES_NET_H
#define VSDK_VIRTIO_DEVICES_NET_H

#include <stdatomic.h>
#include <vsdk/vsdk.h>

#define NET_BIT(n) (UINT64_C(1) << (n))
#define NET_F_CSUM NET_BIT(0)
#define NET_F_GUEST_CSUM NET_BIT(1)
#define NET_F_MTU NET_BIT(3)
#define NET_F_MAC NET_BIT(5)
#define NET_F_GUEST_TSO4 NET_BIT(7)
#define NET_F_GUEST_TSO6 NET_BIT(8)
#define NET_F_HOST_TSO4 NET_BIT(11)
#define NET_F_HOST_TSO6 NET_BIT(12)
#define NET_F_MRG_RXBUF NET_BIT(15)
#define NET_F_STATUS NET_BIT(16)
#define NET_F_CTRL_VQ NET_BIT(17)
#define NET_F_CTRL_RX NET_BIT(18)
#define NET_F_GUEST_ANNOUNCE NET_BIT(21)
#define NET_F_CTRL_MAC_ADDR NET_BIT(23)
#define NET_F_GUEST_USO4 NET_BIT(54)
#define NET_F_GUEST_USO6 NET_BIT(55)
#define NET_F_HOST_USO NET_BIT(56)

enum { NET_RECEIVE = 0, NET_SEND = 1, NET_CONTROL = 2, NET_QUEUES = 3 };
enum { NET_LINK_UP = 1, NET_ANNOUNCE = 2 }; /* of the status */
enum { NET_CHAIN_MOST = 128, NET_VIEWS = 256, NET_MERGED_MOST = 64 };

/* The configuration space. */
typedef struct net_space {
    uint8_t mac[6];
    uint16_t status, pairs, mtu;
} net_space;

/* What precedes every frame in a buffer. Little-endian. */
typedef struct net_header {
    uint8_t flags, gso;
    uint16_t header_length, gso_size, checksum_start, checksum_offset, buffers;
} net_header;

/* Of the guest's memory, while a frame goes through it. */
typedef struct net_views {
    vsdk_dma_view view[NET_VIEWS];
    vsdk_net_piece piece[NET_VIEWS];
    uint32_t count;
} net_views;

typedef struct net_card {
    vsdk_net *net;
    vsdk_device *device;       /* not counted: it ends after it */
    _Atomic uint32_t ready;    /* there is a driver */
    _Atomic uint32_t status;   /* as in the configuration space */
    _Atomic uint32_t announce; /* a state was loaded */
    _Atomic uint64_t features;
    _Atomic uint64_t sent, received, send_dropped, receive_dropped;
    /* Under the lock of queue 0. */
    struct {
        vsdk_watch *watch; /* of frames that wait */
        uint32_t blocked;  /* the driver has no buffers: the watch sleeps */
        vsdk_virtio_chain chain[NET_MERGED_MOST];
        uint32_t views[NET_MERGED_MOST]; /* of each chain */
        uint32_t held;                   /* chains that were popped and have no frame yet */
        net_views mapped;
    } receive;
    /* Under the lock of queue 1. */
    struct {
        vsdk_watch *watch; /* of room */
        vsdk_work *more;   /* the next turn */
        vsdk_virtio_chain chain;
        uint32_t held; /* the network has no room for this one: the watch is awake */
        net_views mapped;
    } send;
} net_card;

/* Writes the status into the configuration space (net.c). */
void net_card_tell_status(net_card *card);
/* Commands of the driver's (net_control.c), in notify of the control queue. */
void net_card_control(net_card *card);

#endif
