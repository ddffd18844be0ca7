/* SPDX-License-Identifier: Apache-2.0 */
/* Networks from the inside. Each kind has a structure that begins with a vsdk_net, and a table.
 *
 * A kind's functions are called with what net.c has checked: the lengths, and that the record of
 * what is missing is sound and of the kind's offloads. */
#ifndef VSDK_NET_NET_H
#define VSDK_NET_NET_H

#include "base/refs.h"
#include <vsdk/vsdk.h>

enum { NET_FRAME_LEAST = 14, NET_FRAME_MOST = 65554, NET_PIECES_MOST = 1024 };

#define NET_OFFLOADS (VSDK_NET_CHECKSUM | VSDK_NET_TSO4 | VSDK_NET_TSO6 | VSDK_NET_USO)

/* A frame that is sent, or the room for one that is received. */
typedef struct net_frame {
    const vsdk_net_piece *pieces;
    uint32_t count, length; /* length: the sum, at most UINT32_MAX for room */
} net_frame;

typedef struct net_kind {
    /* VSDK_OK, or VSDK_ERROR_BUSY. */
    vsdk_status (*send)(vsdk_net *net, const vsdk_net_offload *offload, const net_frame *frame);
    /* VSDK_OK, VSDK_ERROR_NOT_FOUND, VSDK_ERROR_RANGE (with the length) or VSDK_ERROR_GONE. */
    vsdk_status (*receive)(vsdk_net *net, vsdk_net_offload *offload, const net_frame *room,
                           uint32_t *length);
    /* The same without RANGE: the next one is dropped. */
    vsdk_status (*skip)(vsdk_net *net);
    vsdk_net_events (*ready)(vsdk_net *net);
    int (*descriptor)(vsdk_net *net, vsdk_net_events event); /* or -errno */
    void (*accept)(vsdk_net *net, vsdk_net_offloads offloads);
    void (*close)(vsdk_net *net); /* the last reference is gone */
} net_kind;

struct vsdk_net {
    refs refs;
    uint32_t process;
    const net_kind *kind;
    vsdk_net_offloads offloads; /* that it knows */
};

void net_init(vsdk_net *net, const net_kind *kind, vsdk_net_offloads offloads);

/* NULL, or a forked child. */
vsdk_status net_check(const vsdk_net *net, const char *operation, vsdk_error *error);
/* NULL, or what is wrong with the record of a frame of this length. */
const char *net_fault(const vsdk_net_offload *offload, uint32_t length);
/* Whether a frame leaves no more to its reader than that one takes. */
int net_is_within(const vsdk_net_offload *offload, vsdk_net_offloads accepted);
/* VSDK_ERROR_INVALID_ARGUMENT if there are unknown ones, or no checksum below them. */
vsdk_status net_check_offloads(vsdk_net_offloads offloads, const char *operation,
                               vsdk_error *error);
/* A configuration copied and checked. */
vsdk_status net_read_config(const vsdk_net_config *given, vsdk_net_config *config,
                            const char *operation, vsdk_error *error);

/* Copies `length` bytes into pieces, from their byte `offset` on. They have room. */
void net_scatter(const net_frame *room, uint64_t offset, const void *bytes, uint64_t length);
/* All of a frame. */
void net_gather(const net_frame *frame, void *bytes);

/* A descriptor that says whether there is something to do: an eventfd that holds 1 while there is
 * (signal.c). Under its owner's lock. */
typedef struct net_signal {
    int32_t fd; /* -1: nobody has asked for it */
    uint32_t raised;
} net_signal;

void net_signal_init(net_signal *signal);
void net_signal_end(net_signal *signal);
int net_signal_descriptor(net_signal *signal, uint32_t raised); /* or -errno */
void net_signal_set(net_signal *signal, uint32_t raised);

/* The Internet checksum (checksum.c): sums of pieces are added up, each with where it begins. */
uint64_t net_sum(uint64_t sum, const uint8_t *bytes, uint64_t length, uint64_t offset);
uint16_t net_sum_end(uint64_t sum); /* as it stands in memory */
/* Writes the checksum that is missing into a frame that lies in one piece. */
void net_complete(uint8_t *frame, uint32_t length, vsdk_net_offload *offload);

#endif
