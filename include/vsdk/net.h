/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks.
 *
 * A network is something that carries Ethernet frames: the far end of a pair, a tap of the host's,
 * a socket, a network stack in this process, or functions of the embedder's. A network device
 * (virtio_net.h) is given one. An embedder may use one itself, by the same functions.
 *
 * A frame begins with the destination's address and has no check sequence at its end. It is sent
 * whole or not at all: where there is no room the sender is told so, and hears when there is room
 * again. It is received whole too. So a reader that is slow slows the writer; a kind that can't do
 * that drops frames, as networks do, and says so.
 *
 * No call waits. To hear of frames, and of room, watch a descriptor: vsdk_net_descriptor with
 * VSDK_NET_READABLE or VSDK_NET_WRITABLE, by vsdk_watch_create on any loop or by poll. So a
 * program's code runs on threads of its own choice only.
 *
 * Offloads. Where both sides know how, a frame may be sent with its checksum unfinished, or larger
 * than the wire takes, with a note of what is missing (vsdk_net_offload). What may be sent so tells
 * vsdk_net_offloads_of, what a reader takes it says by vsdk_net_accept; a reader that has said
 * nothing gets frames as they are on a wire.
 *
 * Sending and receiving have a lock each. One network has one reader and one writer: with several
 * threads each frame goes to one of them.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/net.toml by abi/generate.py.
 */

#ifndef VSDK_NET_H
#define VSDK_NET_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/loop.h>
#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* A network, or one end of it. Counted. Since 0.1. */
typedef struct vsdk_net vsdk_net;

/*
 * What may be done.
 *
 * Since 0.1.
 */
enum vsdk_net_events_values {
    VSDK_NET_READABLE = 0x1, /* A frame waits, or the network has ended */
    VSDK_NET_WRITABLE = 0x2, /* There is room. Of a descriptor: there is room again after a frame
                                that was refused. */
    VSDK_NET_ENDED = 0x4,    /* The other side is gone */
};
typedef uint32_t vsdk_net_events;

/*
 * What a frame may leave to who gets it.
 *
 * Since 0.1.
 */
enum vsdk_net_offloads_values {
    VSDK_NET_CHECKSUM = 0x1, /* The checksum of its transport layer. Each of the others needs
                                this one too. */
    VSDK_NET_TSO4 = 0x2,     /* To be cut into TCP segments, over IPv4 */
    VSDK_NET_TSO6 = 0x4,     /* The same over IPv6 */
    VSDK_NET_USO = 0x8,      /* To be cut into UDP datagrams */
};
typedef uint32_t vsdk_net_offloads;

/*
 * Flags of vsdk_net_offload.
 *
 * Since 0.1.
 */
enum vsdk_net_missing_values {
    VSDK_NET_NEEDS_CHECKSUM = 0x1, /* The sum of the bytes from checksum_start to the end is to
                                      be written there. What stands there is the part that the
                                      pseudo header adds. */
    VSDK_NET_CHECKED = 0x2,        /* Its checksums were found right */
    VSDK_NET_CONGESTED = 0x4,      /* Of a frame to be cut into TCP segments: the first one alone
                                      has CWR */
};
typedef uint32_t vsdk_net_missing;

/*
 * How a frame is to be cut.
 *
 * Since 0.1.
 */
enum vsdk_net_gso_values {
    VSDK_NET_GSO_NONE = 0, /* Not at all */
    VSDK_NET_GSO_TCP4 = 1, /* TCP over IPv4 */
    VSDK_NET_GSO_TCP6 = 2, /* TCP over IPv6 */
    VSDK_NET_GSO_UDP = 3,  /* UDP over either */
};
typedef uint32_t vsdk_net_gso;

/*
 * A part of a frame's bytes. Frozen: 16 bytes.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_net_piece {
    void *data;      /* (may be NULL) First byte. A send only reads it. */
    uint64_t length; /* (bytes) How many; may be 0 */
} vsdk_net_piece;

/*
 * What a frame leaves to who gets it. Zero: nothing. Frozen: 16 bytes.
 *
 * 16 bytes. Since 0.1.
 */
typedef struct vsdk_net_offload {
    vsdk_net_missing flags;   /* What is missing */
    vsdk_net_gso gso;         /* How it is to be cut; not VSDK_NET_GSO_NONE only with
                                 VSDK_NET_NEEDS_CHECKSUM */
    uint16_t gso_size;        /* (bytes) Payload of each segment; not 0 where it is to be cut */
    uint16_t header_length;   /* (bytes) Of all headers together; a hint */
    uint16_t checksum_start;  /* (bytes) From the first byte of the frame */
    uint16_t checksum_offset; /* (bytes) Where the checksum stands, from checksum_start */
} vsdk_net_offload;

/*
 * A frame was sent into the embedder's network. The lengths were checked, and the record too.
 *
 *   user     (may be NULL) The pointer given with it.
 *   net      (inout) The network; borrowed.
 *   offload  What is missing in it: no more than the network was made for.
 *   pieces   (count elements) The frame. It may lie in a guest's memory and change meanwhile: copy
 *            it, then look at the copy.
 *   count    How many pieces.
 *   length   (bytes) Their sum.
 *
 * Returns: VSDK_OK: it was taken, or is dropped. VSDK_ERROR_BUSY: there is no room; vsdk_net_notify
 * will tell when there is. Anything else counts as dropped.
 * Runs on: The thread that sends. Calls for one network may come at the same time.
 * May call: what the sender may; for a device as vsdk_device_write_fn.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_net_send_fn)(void *user, vsdk_net *net, const vsdk_net_offload *offload,
                                        const vsdk_net_piece *pieces, uint32_t count,
                                        uint32_t length);

/*
 * The next frame out of the embedder's network is wanted. After VSDK_ERROR_NOT_FOUND it is asked
 * for again when vsdk_net_notify has told of one.
 *
 *   user      (may be NULL) The pointer given with it.
 *   net       (inout) The network; borrowed.
 *   offload   (out) Zero; to be filled in where something is missing.
 *   bytes     (out, capacity bytes) For the frame.
 *   capacity  (bytes) Room in it: enough for the largest frame.
 *   length    (out, bytes) How long it is. One that is too short, or claims more than the capacity,
 *             is dropped.
 *
 * Returns: VSDK_OK, VSDK_ERROR_NOT_FOUND when none waits, VSDK_ERROR_GONE when none will ever come.
 * Runs on: The thread that receives. One call at a time.
 * May call: as vsdk_net_send_fn.
 * Since 0.1.
 */
typedef vsdk_status (*vsdk_net_receive_fn)(void *user, vsdk_net *net, vsdk_net_offload *offload,
                                           void *bytes, uint64_t capacity, uint64_t *length);

/*
 * The functions of an embedder's network. Copied when it is made.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_net_ops {
    uint32_t size;               /* sizeof(vsdk_net_ops) */
    uint32_t flags;              /* Zero */
    vsdk_net_send_fn send;       /* A frame was sent. NULL: all are dropped. */
    vsdk_net_receive_fn receive; /* A frame is wanted. NULL: none ever comes. */
    vsdk_release_fn release;     /* (may be NULL) The network is gone: called once, on failure
                                    too */
    uint64_t reserved[2];        /* Zero */
} vsdk_net_ops;

/*
 * How to make a network.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_net_config {
    uint32_t size;              /* sizeof(vsdk_net_config) */
    uint32_t flags;             /* Zero */
    uint64_t capacity;          /* (bytes) Of a pair: how many bytes of frames wait in each
                                   direction; 0 for 256 KiB, up to 64 MiB. A network of the
                                   embedder's keeps none. */
    vsdk_net_offloads offloads; /* What frames in it may leave to who gets them */
    uint32_t padding;           /* Zero */
    uint64_t reserved[3];       /* Zero */
} vsdk_net_config;

/*
 * Flags of vsdk_net_user_config.
 *
 * Since 0.1.
 */
enum vsdk_net_user_flags_values {
    VSDK_NET_RESTRICTED = 0x1, /* The guest reaches the addresses of the network alone: no host,
                                  and nothing beyond it. Forwards work. */
};
typedef uint32_t vsdk_net_user_flags;

/*
 * A network stack in this process. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 72 bytes. Since 0.1.
 */
typedef struct vsdk_net_user_config {
    uint32_t size;                /* sizeof(vsdk_net_user_config) */
    uint32_t flags;               /* vsdk_net_user_flags */
    vsdk_loop *loop;              /* Where it runs: somebody has to dispatch it. Kept. */
    const char *network;          /* An IPv4 network with its prefix of 8 to 27 bits; NULL for
                                     10.0.2.0/24. In it the host has number 2, the resolver
                                     number 3, and guests get addresses from number 15 on. */
    const char *hostname;         /* Given to the guest by DHCP; NULL for none */
    const char *module_directory; /* Where slirp.so is; NULL as for backends (vsdk_host_config) */
    uint32_t mtu;                 /* (bytes) 68 to 65521; 0 for 1500 */
    uint32_t padding;             /* Zero */
    uint64_t reserved[3];         /* Zero */
} vsdk_net_user_config;

/*
 * Flags of vsdk_net_forward.
 *
 * Since 0.1.
 */
enum vsdk_net_forward_flags_values {
    VSDK_NET_FORWARD_UDP = 0x1, /* Datagrams. Without it connections by TCP. */
};
typedef uint32_t vsdk_net_forward_flags;

/*
 * A port of the host's that leads to one of the guest's.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 48 bytes. Since 0.1.
 */
typedef struct vsdk_net_forward {
    uint32_t size;             /* sizeof(vsdk_net_forward) */
    uint32_t flags;            /* vsdk_net_forward_flags */
    const char *host_address;  /* An IPv4 address of the host's; NULL for 127.0.0.1 */
    const char *guest_address; /* NULL for the first one that DHCP gives */
    uint32_t host_port;        /* 0: the system chooses one */
    uint32_t guest_port;       /* 1 to 65535 */
    uint64_t reserved[2];      /* Zero */
} vsdk_net_forward;

/*
 * A tap interface of the host's.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 40 bytes. Since 0.1.
 */
typedef struct vsdk_net_tap_config {
    uint32_t size;              /* sizeof(vsdk_net_tap_config) */
    uint32_t flags;             /* Zero */
    const char *name;           /* The interface, up to 15 bytes. It is made where it is not
                                   there, and goes with the network then. NULL: descriptor says
                                   which one. */
    int32_t descriptor;         /* Without a name: one that is attached to a tap with
                                   IFF_VNET_HDR, and that nobody else reads. It stays the
                                   caller's, and becomes non-blocking. */
    vsdk_net_offloads offloads; /* What is wanted; vsdk_net_offloads_of tells what the host has
                                   of it */
    uint64_t reserved[2];       /* Zero */
} vsdk_net_tap_config;

/*
 * What a filter does. A limit of 0 is none. Pointers are borrowed for the call.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 80 bytes. Since 0.1.
 */
typedef struct vsdk_net_filter_config {
    uint32_t size;           /* sizeof(vsdk_net_filter_config) */
    uint32_t flags;          /* Zero */
    uint64_t send_bytes;     /* (bytes) The most that is sent in a second */
    uint64_t send_frames;    /* The same in frames */
    uint64_t receive_bytes;  /* (bytes) The most that is received in a second */
    uint64_t receive_frames; /* The same in frames */
    uint64_t burst_ns;       /* (ns) After a rest as much goes at once as in this time, and one
                                frame at least; 0 for 100 ms, up to 10 s */
    const char *pcap;        /* (may be NULL) A regular file that becomes a record of all frames,
                                in both directions, in the format of pcap with nanoseconds. It is
                                made anew. Recording ends when the file can't be written. */
    uint32_t snap;           /* (bytes) How much of each frame is recorded; 0 for all */
    uint32_t padding;        /* Zero */
    uint64_t reserved[2];    /* Zero */
} vsdk_net_filter_config;

/*
 * Take a reference more.
 *
 *   net  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_net *vsdk_net_ref(vsdk_net *net);

/*
 * The name of a vsdk_net_gso: none, tcp4, tcp6 and so on.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_net_gso_name(vsdk_net_gso value);

/*
 * Make a network of two ends: what is sent at one is received at the other.
 *
 * For two guests, or a guest and code of the embedder's. Frames wait in memory, in the order in
 * which they were sent.
 *
 *   config  NULL for all defaults.
 *   near    (out, new reference) One end.
 *   far     (out, new reference) The other.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or a flag or an offload is unknown or lacks the checksum
 *   LIMIT             the capacity is not 0 and below 256 KiB, or above 64 MiB
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_create_pair(const vsdk_net_config *config, vsdk_net **near, vsdk_net **far,
                                 vsdk_error *error);

/*
 * Make a network of the embedder's own functions.
 *
 *   ops     Its functions.
 *   user    (may be NULL) Given to them. ops->release is called once with it, on failure too.
 *   config  NULL for all defaults.
 *   net     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag or an offload is unknown or lacks the checksum, or
 *                     there is a capacity
 *   UNSUPPORTED       a structure has a later version's field
 *   NO_MEMORY         no memory
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_create(const vsdk_net_ops *ops, void *user, const vsdk_net_config *config,
                            vsdk_net **net, vsdk_error *error);

/*
 * Say that a network of the embedder's has frames, or room again, or has ended.
 *
 * The descriptors are readable then: that of READABLE until a receive finds none, that of WRITABLE
 * until the next send, both for ever after ENDED.
 *
 *   events  What happened.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  net is NULL or not of vsdk_net_create, or an event is unknown
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_notify(vsdk_net *net, vsdk_net_events events, vsdk_error *error);

/*
 * Drop a reference; the last one ends the network, or this end of it.
 *
 * The other end of a pair receives what is left, then VSDK_ERROR_GONE; what it sends is dropped.
 *
 *   net  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_net_close(vsdk_net *net);

/*
 * Send a frame.
 *
 * It is copied or passed on before this returns. Where the other side is gone it is dropped.
 *
 *   offload  What is missing in it; NULL for nothing.
 *   pieces   (count elements) Its bytes.
 *   count    How many pieces, up to 1024.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, or the record is not sound: a flag is unknown, or a place
 *                     is outside of the frame
 *   RANGE             the frame has fewer than 14 bytes, or more than 65554
 *   LIMIT             there are more than 1024 pieces
 *   UNSUPPORTED       it leaves more to who gets it than this network knows
 *   BUSY              there is no room now: VSDK_NET_WRITABLE will tell
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_send(vsdk_net *net, const vsdk_net_offload *offload,
                          const vsdk_net_piece *pieces, uint32_t count, vsdk_error *error);

/*
 * Receive a frame.
 *
 *   offload  (out, may be NULL) What is missing in it; no more than was accepted.
 *   pieces   (count elements) Where its bytes go, from the first piece on; NULL for none.
 *   count    How many pieces, up to 1024.
 *   length   (out, bytes) How long it is, also where it had no room; 0 when none waits.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   LIMIT             there are more than 1024 pieces
 *   NOT_FOUND         no frame waits: VSDK_NET_READABLE will tell
 *   RANGE             the frame is longer than the pieces; it stays the next one
 *   GONE              the other side is gone and all was received
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_receive(vsdk_net *net, vsdk_net_offload *offload, const vsdk_net_piece *pieces,
                             uint32_t count, uint64_t *length, vsdk_error *error);

/*
 * Drop the next frame, if one waits.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  net is NULL
 *   NOT_FOUND         no frame waits
 *   GONE              the other side is gone and all was received
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_skip(vsdk_net *net, vsdk_error *error);

/*
 * What may be done now.
 *
 * Returns: VSDK_NET_READABLE when a frame waits, VSDK_NET_WRITABLE when there is room for one,
 * VSDK_NET_ENDED when the other side is gone.
 * Given NULL: returns 0.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_net_events vsdk_net_ready(vsdk_net *net);

/*
 * A descriptor that is readable while there is something to do.
 *
 * Of VSDK_NET_READABLE: a frame waits. Of VSDK_NET_WRITABLE: room came back after a frame that was
 * refused. Both when the network has ended. It is made when it is first asked for.
 *
 *   event  VSDK_NET_READABLE or VSDK_NET_WRITABLE.
 *
 * Returns: a pollable descriptor, the network's: neither read nor close it; -1 when it fails, and
 * error says why: VSDK_ERROR_INVALID_ARGUMENT for an event that is neither, VSDK_ERROR_LIMIT when
 * there are no more descriptors, VSDK_ERROR_NO_MEMORY or VSDK_ERROR_SYSTEM when the system has no
 * memory for one, or refuses it (borrowed).
 * Given NULL: returns -1.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
int32_t vsdk_net_descriptor(vsdk_net *net, vsdk_net_events event, vsdk_error *error);

/*
 * What frames that are sent into a network may leave to it.
 *
 * Returns the offloads; what it gives to its reader is of these too.
 * Given NULL: returns 0.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_net_offloads vsdk_net_offloads_of(vsdk_net *net);

/*
 * Say what the reader of a network takes.
 *
 * A frame whose checksum is missing is completed for a reader that does not take it so. One that is
 * to be cut is dropped then: make a network with no more offloads than its readers know.
 *
 *   offloads  What it takes; what the network does not know is ignored.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  net is NULL, or an offload is unknown or lacks the checksum
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_accept(vsdk_net *net, vsdk_net_offloads offloads, vsdk_error *error);

/*
 * Make a network of a stack in this process: the guest reaches what this process reaches.
 *
 * No privilege is needed. The guest gets an address by DHCP, its names are resolved by the host's
 * resolver, and its connections and datagrams are this process's own sockets; ping works where the
 * system lets processes ping. IPv4 only. Frames for a guest that does not read them are dropped. By
 * libslirp, in a module.
 *
 *   config  How.
 *   net     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, or a field has a value that it can't
 *                     have
 *   UNSUPPORTED       the configuration has a later version's field
 *   UNAVAILABLE       the module is not there, or what it needs is not
 *   VERSION           the module is of another version
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 * Threads: any. Blocks: while the module is loaded. From callbacks: yes. States: any. Backends:
 * all. Since 0.1.
 */
vsdk_status vsdk_net_create_user(const vsdk_net_user_config *config, vsdk_net **net,
                                 vsdk_error *error);

/*
 * Forward a port of the host's to a guest.
 *
 *   net      A network of vsdk_net_create_user.
 *   forward  From where to where.
 *   port     (out, may be NULL) The host's port.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the network is no user-mode one, a flag is unknown, or an
 *                     address or port is none
 *   UNSUPPORTED       the structure has a later version's field
 *   EXISTS            the port is in use
 *   PERMISSION        the process may not have this port
 *   SYSTEM            the system refused, for instance an address that is none of the host's;
 *                     os_errno says why
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_add_forward(vsdk_net *net, const vsdk_net_forward *forward, uint32_t *port,
                                 vsdk_error *error);

/*
 * End a forward. Connections that are open stay.
 *
 *   net      A network of vsdk_net_create_user.
 *   forward  As it was added, with the host's port; the guest's side is not looked at.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, the network is no user-mode one, a flag is unknown, or an
 *                     address or port is none
 *   UNSUPPORTED       the structure has a later version's field
 *   NOT_FOUND         there is no such forward
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_remove_forward(vsdk_net *net, const vsdk_net_forward *forward,
                                    vsdk_error *error);

/*
 * Make a network of a socket that somebody else has connected.
 *
 * A stream carries each frame behind its length, four bytes in network order, as passt and QEMU do.
 * Any other socket carries a frame in each message. A stream whose peer closes it, or sends a
 * length that no frame has, has ended; a message that is no frame is dropped. A datagram that the
 * peer refuses is dropped too. No frame in it leaves anything to who gets it.
 *
 *   descriptor  The socket; stays the caller's: the network has a duplicate, and needs nothing set.
 *   net         Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  net is NULL, or the descriptor is no socket
 *   PERMISSION        a policy of the system's forbids the duplicate
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_create_socket(int32_t descriptor, vsdk_net **net, vsdk_error *error);

/*
 * Make a network of a tap interface of the host's.
 *
 * Addresses and bridges of the interface are the host's business. While it is down frames for it
 * are dropped.
 *
 *   config  Which one.
 *   net     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag or an offload is unknown, the name is no name of an
 *                     interface, or the descriptor is none of a tap with IFF_VNET_HDR
 *   UNSUPPORTED       the configuration has a later version's field
 *   UNAVAILABLE       the host has no taps
 *   PERMISSION        the process may not attach to it
 *   BUSY              somebody else has it
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_create_tap(const vsdk_net_tap_config *config, vsdk_net **net,
                                vsdk_error *error);

/*
 * Make a network that leads to another, with limits or a record of its frames.
 *
 * A frame that a limit has no room for is refused, or waits, as where the other side is slow;
 * nothing is dropped. A frame goes when there is some room left, also one that is larger than that:
 * the next one waits the longer. Filters may be put on filters.
 *
 *   inner   The other network. Kept; nobody else should use it any more.
 *   config  What it does.
 *   net     Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL, a flag is unknown, or the burst is longer than 10 s
 *   UNSUPPORTED       the configuration has a later version's field
 *   NOT_FOUND         the file's folder is not there
 *   PERMISSION        the file may not be written
 *   SYSTEM            the system refused the file, or it is no regular one
 *   LIMIT             no more descriptors
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: while the file is opened; with a file each frame is written to it. From
 * callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_net_create_filter(vsdk_net *inner, const vsdk_net_filter_config *config,
                                   vsdk_net **net, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_NET_H */
