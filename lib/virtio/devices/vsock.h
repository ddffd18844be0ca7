/* SPDX-License-Identifier: Apache-2.0 */
/* The socket device from the inside.
 *
 * Who runs where. Queues, watches, the timer and the work all belong to one loop, which one thread
 * at a time dispatches: so connections need no lock. What sends to the guest runs under the lock of
 * the queue RX; who has something for it in another callback posts the work `sender`. Other threads
 * reach only what `lock` guards, and a reset only raises `resets`: the loop notices that before it
 * looks at another packet. */
#ifndef VSDK_VIRTIO_DEVICES_VSOCK_H
#define VSDK_VIRTIO_DEVICES_VSOCK_H

#include "base/lock.h"
#include "base/socket.h"
#include <stdatomic.h>
#include <vsdk/vsdk.h>

/* Virtio 1.2, section 5.10. */
enum { VSOCK_RX, VSOCK_TX, VSOCK_EVENT, VSOCK_QUEUES };
enum { VSOCK_HOST = 2, VSOCK_STREAM = 1 };
enum { NO_MORE_READS = 1, NO_MORE_WRITES = 2, NO_MORE = 3 }; /* of a shutdown's sender */
typedef enum vsock_op {
    OP_INVALID,
    OP_REQUEST,
    OP_RESPONSE,
    OP_RESET,
    OP_SHUTDOWN,
    OP_DATA,
    OP_CREDIT_UPDATE,
    OP_CREDIT_REQUEST
} vsock_op;

/* As it lies in the buffers; little-endian, as all processors that this library knows. */
typedef struct vsock_header {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port, length;
    uint16_t type, op;
    uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed)) vsock_header;
_Static_assert(sizeof(vsock_header) == 44, "the specification's header");

enum {
    VSOCK_LINE_MOST = 32,     /* "CONNECT 4294967295\n" is shorter */
    VSOCK_REPLIES_MOST = 256, /* resets for packets of no connection that wait for a buffer */
    VSOCK_TURN = 256,         /* packets that one callback takes or sends */
    VSOCK_SCRATCH = 64 << 10, /* the most that one packet carries to the guest */
    VSOCK_PATH_MOST = SOCKET_PATH_MOST - (sizeof "_4294967295" - 1),
    VSOCK_BUFFER_LEAST = 4096,
    VSOCK_BUFFER_MOST = 4 << 20
};

typedef struct vsock vsock;

typedef struct list_link {
    struct list_link *next, *before;
} list_link;

typedef enum connection_state {
    CONNECTION_GREETS,    /* the host's end has not said which port it wants */
    CONNECTION_REQUESTED, /* the guest has not answered */
    CONNECTION_OPEN,
    CONNECTION_RESETS, /* over, but for a reset that the guest is to be sent */
    CONNECTION_LINGERS /* over for the guest; the host's end has not taken everything */
} connection_state;

/* What is to be sent, beside bytes. */
enum {
    DUE_REQUEST = 1,
    DUE_RESPONSE = 2,
    DUE_CREDIT = 4,
    DUE_CREDIT_REQUEST = 8,
    DUE_SHUTDOWN = 16,
    DUE_RESET = 32
};

/* Bytes from the guest that the host's end has not taken lie in `bytes`, a ring. The guest was
 * promised that much room, and no more. */
typedef struct connection {
    vsock *s;
    list_link all, ready;    /* ready: has something for the guest, or may have */
    struct connection *same; /* with this hash; of wishes the next */
    int fd;                  /* the host's end; -1 when it is gone */
    vsdk_watch *watch;
    uint32_t watched; /* events */
    uint32_t guest_port, host_port;
    connection_state state;
    uint8_t greets; /* the host's end is told of the connection in words */
    uint8_t due, is_ready, is_hashed;
    uint8_t readable; /* the host's end may have bytes */
    uint8_t asked;    /* the guest knows that its credit is missing */
    uint8_t guest_shut, host_shut;
    uint32_t guest_room, guest_took, sent; /* bytes to the guest, modulo 2^32 */
    uint32_t forwarded, told;              /* bytes from it, and what it knows of them */
    uint32_t first, held;
    uint64_t deadline; /* 0: none */
    uint8_t bytes[];
} connection;

typedef struct vsock_reply {
    uint64_t host_cid;
    uint32_t guest_port, host_port;
    uint16_t type;
} vsock_reply;

/* A port that the embedder listens at. */
typedef struct listener {
    struct listener *next;
    uint32_t port, most, first, count;
    int event; /* readable while there are some */
    struct {
        int fd;
        uint32_t peer;
    } waiting[];
} listener;

struct vsock {
    vsdk_device *device;
    vsdk_loop *loop;
    uint32_t buffer, most, greeters_most;
    uint64_t timeout;
    uint64_t cid;
    _Atomic uint32_t resets, event_due;
    uint32_t resets_seen;
    /* The loop's. */
    list_link all, ready;
    uint32_t greeters;
    connection *hash[256];
    uint32_t next_port;
    vsock_reply replies[VSOCK_REPLIES_MOST];
    uint32_t reply_first, reply_count;
    uint32_t has_chain; /* a buffer of the guest's for the next packet */
    vsdk_virtio_chain chain;
    uint8_t tx_waits; /* packets were left, for want of room for replies */
    vsdk_work *sender, *receiver;
    vsdk_timer *timer;
    uint64_t timer_due;
    uint8_t *scratch;
    /* The socket of the host's programs. */
    char path[VSOCK_PATH_MOST + 1];
    int listening;
    uint64_t identity[2];
    vsdk_watch *accepts;
    uint32_t accepts_stopped;
    /* Any thread's. */
    lock lock;
    uint32_t count; /* connections, with those */
    listener *listeners;
    connection *wishes, **last_wish; /* the embedder's, until the loop takes them over */
};

/* Packets (vsock_packet.c). */
void vsock_receive(vsock *s);   /* TX has some */
void vsock_send(vsock *s);      /* RX's lock is held */
void vsock_event(vsock *s);     /* EVENT has a buffer */
void vsock_catch_up(vsock *s);  /* a reset came meanwhile */
void vsock_want_send(vsock *s); /* anywhere */
/* 0 when there is no room. */
int vsock_reply_reset(vsock *s, const vsock_header *to);

/* Connections (vsock_connection.c). */
/* Any thread: not in any list yet. A failure closes fd. */
vsdk_status connection_new(vsock *s, int fd, connection_state state, connection **made,
                           const char *operation, vsdk_error *error);
void connection_join(connection *c);
connection *connection_make(vsock *s, int fd, connection_state state); /* both; NULL: neither */
void connection_end(connection *c);
void connection_end_all(vsock *s, int greeters_too);
connection *connection_find(const vsock *s, uint32_t guest_port, uint32_t host_port);
void connection_name(connection *c, uint32_t guest_port, uint32_t host_port);
void connection_request(connection *c, uint32_t guest_port);
void connection_mark(connection *c, unsigned due);
void connection_reset(connection *c); /* by us: the guest is told */
void connection_take(connection *c, const vsock_header *h, const vsdk_virtio_chain *chain);
void connection_sent_data(connection *c);
/* Bytes for the guest, at most `most`, into the scratch; 0: none now. */
uint32_t connection_pull(connection *c, uint32_t most);
void connection_expire(vsock *s);
/* The timer runs after so long at the latest; the moment of it. */
uint64_t connection_wake(vsock *s, uint64_t delay);
uint32_t connection_credit(const connection *c);

/* The host's side (vsock_host.c). */
void host_accept(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events);
void host_greeting(connection *c);
void host_may_accept(vsock *s);
/* A connection of the guest's to a port: -1 if nobody is there. What the embedder's end is to be
 * stays in *given until host_give. */
int host_reach(vsock *s, uint32_t port, int *given);
void host_give(vsock *s, uint32_t port, uint32_t peer, int given, int made);
void host_take_wishes(vsock *s);
void host_end(vsock *s);
int host_count_up(vsock *s); /* 0: there are as many as may be */
void host_count_down(vsock *s);

extern const vsdk_virtio_ops vsock_ops;

#endif
