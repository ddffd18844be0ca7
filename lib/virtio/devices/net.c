/* SPDX-License-Identifier: Apache-2.0 */
/* A network device: frames between a driver's buffers and a vsdk_net, copied once.
 *
 * Two loops that never wait. What came is received when the network's descriptor says so, and goes
 * into buffers that the driver has given; without buffers the watch sleeps until the driver adds
 * some. What the driver sends is sent in its notification; without room in the network the chain is
 * held and the other watch wakes. So each side slows the other, and nothing is lost on the way.
 *
 * Guest memory is pinned only while a queue's lock is held, chains may be held longer. One of
 * before a reset is found by its first use, which answers STATE, and is forgotten: so a reset has
 * nothing to wait for.
 *
 * The header of a frame is copied once and checked; so are lengths. The frame's own bytes are
 * nobody's business here. */
#include "virtio/devices/net.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "base/sys.h"
#include "virtio/devices/device.h"
#include <endian.h>
#include <string.h>

enum { TURN = 256, FRAME_LEAST = 14, FRAME_MOST = 65554, NET_TYPE = 1, MTU_LEAST = 68 };
enum { HEADER_NEEDS_CSUM = 1, HEADER_DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCP4 = 1, GSO_TCP6 = 4, GSO_UDP = 5, GSO_ECN = 0x80 };

/* What both sides call the same thing. */
static const struct {
    vsdk_net_offloads offload;
    uint64_t host, guest; /* the driver sends it; it takes it */
} offload_bits[] = {
    {VSDK_NET_CHECKSUM, NET_F_CSUM, NET_F_GUEST_CSUM},
    {VSDK_NET_TSO4, NET_F_HOST_TSO4, NET_F_GUEST_TSO4},
    {VSDK_NET_TSO6, NET_F_HOST_TSO6, NET_F_GUEST_TSO6},
    {VSDK_NET_USO, NET_F_HOST_USO, NET_F_GUEST_USO4 | NET_F_GUEST_USO6},
};
enum { OFFLOADS = sizeof offload_bits / sizeof *offload_bits };

static const struct {
    uint8_t header;
    vsdk_net_gso gso;
    vsdk_net_offloads offload;
} gso_types[] = {
    {GSO_NONE, VSDK_NET_GSO_NONE, 0},
    {GSO_TCP4, VSDK_NET_GSO_TCP4, VSDK_NET_TSO4},
    {GSO_TCP6, VSDK_NET_GSO_TCP6, VSDK_NET_TSO6},
    {GSO_UDP, VSDK_NET_GSO_UDP, VSDK_NET_USO},
};
enum { GSO_TYPES = sizeof gso_types / sizeof *gso_types };

static uint64_t features_of(vsdk_net_offloads offloads)
{
    uint64_t features = NET_F_MAC | NET_F_MRG_RXBUF | NET_F_STATUS | NET_F_CTRL_VQ | NET_F_CTRL_RX |
                        NET_F_GUEST_ANNOUNCE | NET_F_CTRL_MAC_ADDR;

    for (unsigned i = 0; i < OFFLOADS; i++)
        if (offloads & offload_bits[i].offload)
            features |= offload_bits[i].host | offload_bits[i].guest;
    return features;
}

/* What the driver does in one direction. */
static vsdk_net_offloads offloads_of(uint64_t features, int guest)
{
    vsdk_net_offloads offloads = 0;

    for (unsigned i = 0; i < OFFLOADS; i++) {
        uint64_t bits = guest ? offload_bits[i].guest : offload_bits[i].host;
        if ((features & bits) == bits)
            offloads |= offload_bits[i].offload;
    }
    return offloads & VSDK_NET_CHECKSUM ? offloads : 0;
}

static int is_up(const net_card *card)
{
    return !!(atomic_load(&card->status) & NET_LINK_UP);
}

/* Who changes the status while this writes it is written by this one or by itself, later. */
void net_card_tell_status(net_card *card)
{
    uint32_t status;

    do {
        status = atomic_load(&card->status);
        uint16_t word = htole16((uint16_t)status);
        vsdk_virtio_set_space(card->device, offsetof(net_space, status), &word, sizeof word, NULL);
    } while (status != atomic_load(&card->status));
}

static void unmap(net_views *v)
{
    while (v->count)
        vsdk_dma_unmap(&v->view[--v->count]);
}

/* Pins bytes of a chain behind those that are pinned. */
static vsdk_status map(net_card *card, net_views *v, const vsdk_virtio_chain *chain,
                       vsdk_dma_intent intent, uint64_t offset, uint64_t length)
{
    uint32_t count;
    vsdk_status status = vsdk_virtio_map(card->device, chain, intent, offset, length,
                                         &v->view[v->count], NET_VIEWS - v->count, &count, NULL);

    for (uint32_t i = 0; i < count; i++, v->count++)
        v->piece[v->count] = (vsdk_net_piece){v->view[v->count].data, v->view[v->count].length};
    return status;
}

/* Sending. */

/* What the driver says of its frame, if it may say so. 0 if not. That it fits the frame is for
 * vsdk_net_send to check. */
static int read_header(const net_card *card, const net_header *h, vsdk_net_offload *o)
{
    vsdk_net_offloads may = offloads_of(atomic_load(&card->features), 0);
    unsigned type = 0;

    *o = (vsdk_net_offload){0};
    while (type < GSO_TYPES && gso_types[type].header != (h->gso & ~GSO_ECN))
        type++;
    if (type == GSO_TYPES || gso_types[type].offload & ~may)
        return 0;
    if (h->flags & HEADER_NEEDS_CSUM) {
        o->flags = VSDK_NET_NEEDS_CHECKSUM;
        o->checksum_start = le16toh(h->checksum_start);
        o->checksum_offset = le16toh(h->checksum_offset);
        if (!(may & VSDK_NET_CHECKSUM))
            return 0;
    }
    o->gso = gso_types[type].gso;
    if (o->gso) {
        o->gso_size = le16toh(h->gso_size);
        o->header_length = le16toh(h->header_length);
        o->flags |= h->gso & GSO_ECN ? VSDK_NET_CONGESTED : 0;
    }
    return 1;
}

/* BUSY: there is no room. STATE: the chain is one of before a reset. Everything else is dropped. */
static vsdk_status send_chain(net_card *card, const vsdk_virtio_chain *chain)
{
    net_views *v = &card->send.mapped;
    net_header header;
    vsdk_net_offload offload;
    vsdk_status status = VSDK_ERROR_RANGE;

    if (chain->readable < sizeof header + FRAME_LEAST ||
        chain->readable > sizeof header + FRAME_MOST)
        return status;
    uint64_t length = chain->readable - sizeof header;
    status = vsdk_virtio_read(card->device, chain, 0, &header, sizeof header, NULL);
    if (status)
        return status;
    if (!read_header(card, &header, &offload) || !is_up(card))
        return VSDK_ERROR_RANGE;
    status = map(card, v, chain, VSDK_DMA_FROM_GUEST, sizeof header, length);
    if (!status)
        status = vsdk_net_send(card->net, &offload, v->piece, v->count, NULL);
    unmap(v);
    return status;
}

/* Under the lock of its queue. Nobody tells of chains that are left when the turn is over: the
 * driver is told to be silent until a pop finds none. */
static void send_all(net_card *card)
{
    vsdk_virtio_chain *chain = &card->send.chain;
    uint32_t was_held = card->send.held;

    for (unsigned turn = 0;; turn++) {
        if (turn == TURN) {
            vsdk_work_post(card->send.more, NULL);
            break;
        }
        if (!card->send.held && vsdk_virtio_pop(card->device, NET_SEND, chain, NULL))
            break;
        vsdk_status status = send_chain(card, chain);
        card->send.held = status == VSDK_ERROR_BUSY;
        if (card->send.held)
            break;
        atomic_fetch_add(status ? &card->send_dropped : &card->sent, 1);
        vsdk_virtio_push(card->device, chain, 0, NULL);
    }
    if (was_held != card->send.held)
        vsdk_watch_set_events(card->send.watch, card->send.held ? VSDK_LOOP_READ : 0, NULL);
}

static void send_turn(void *user, vsdk_work *work)
{
    net_card *card = user;

    (void)work;
    send_all(card);
    vsdk_virtio_signal(card->device, NET_SEND, NULL);
}

static void room_came(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)watch, (void)descriptor, (void)events;
    send_turn(user, NULL);
}

/* Receiving. */

/* Pins one chain more: NOT_FOUND if the driver has none, LIMIT if it can't be pinned beside the
 * others. One that is of no use is given back empty. */
static vsdk_status hold_chain(net_card *card)
{
    uint32_t held = card->receive.held;

    if (held == NET_MERGED_MOST)
        return VSDK_ERROR_LIMIT;
    vsdk_virtio_chain *chain = &card->receive.chain[held];
    vsdk_status status = vsdk_virtio_pop(card->device, NET_RECEIVE, chain, NULL);
    if (status)
        return status;
    card->receive.held++;
    card->receive.views[held] = 0;
    return VSDK_OK;
}

static vsdk_status map_chain(net_card *card, uint32_t index)
{
    const vsdk_virtio_chain *chain = &card->receive.chain[index];
    net_views *v = &card->receive.mapped;
    uint32_t before = v->count;
    uint64_t most = sizeof(net_header) + FRAME_MOST;
    uint64_t length = chain->writable < most ? chain->writable : most;

    if (!index && length < sizeof(net_header))
        return VSDK_ERROR_RANGE;
    vsdk_status status = map(card, v, chain, VSDK_DMA_TO_GUEST, 0, length);
    card->receive.views[index] = v->count - before;
    return status;
}

/* The first chain that is held can't be used: it goes back, or was forgotten by a reset. */
static void give_back_last(net_card *card)
{
    card->receive.held--;
    vsdk_virtio_push(card->device, &card->receive.chain[card->receive.held], 0, NULL);
}

/* Pins all that is held. 0 if there is none left. */
static int map_held(net_card *card)
{
    for (uint32_t i = 0; i < card->receive.held; i++) {
        if (map_chain(card, i)) {
            while (card->receive.held > i)
                give_back_last(card);
        }
    }
    return card->receive.held > 0;
}

/* Copies the header over the beginning of the first chain. */
static void put_header(net_views *v, const net_header *header)
{
    const uint8_t *from = (const uint8_t *)header;
    uint64_t left = sizeof *header;

    for (uint32_t i = 0; left; i++) {
        uint64_t count = v->view[i].length < left ? v->view[i].length : left;
        memcpy(v->view[i].data, from, count);
        from += count;
        left -= count;
    }
}

/* The pieces are the views without the header. */
static void make_pieces(net_views *v)
{
    uint64_t left = sizeof(net_header);

    for (uint32_t i = 0; i < v->count; i++) {
        uint64_t skip = v->view[i].length < left ? v->view[i].length : left;
        v->piece[i].data = (uint8_t *)v->view[i].data + skip;
        v->piece[i].length = v->view[i].length - skip;
        left -= skip;
    }
}

static net_header header_of(const vsdk_net_offload *o, uint16_t buffers)
{
    net_header h = {.buffers = htole16(buffers)};

    if (o->flags & VSDK_NET_NEEDS_CHECKSUM) {
        h.flags = HEADER_NEEDS_CSUM;
        h.checksum_start = htole16(o->checksum_start);
        h.checksum_offset = htole16(o->checksum_offset);
    } else if (o->flags & VSDK_NET_CHECKED) {
        h.flags = HEADER_DATA_VALID;
    }
    for (unsigned i = 1; i < GSO_TYPES; i++)
        if (o->gso == gso_types[i].gso)
            h.gso = gso_types[i].header;
    if (o->gso) {
        h.gso_size = htole16(o->gso_size);
        h.header_length = htole16(o->header_length);
    }
    return h;
}

static uint64_t bytes_of(const net_views *v, uint32_t first, uint32_t count)
{
    uint64_t bytes = 0;

    for (uint32_t i = first; i < first + count; i++)
        bytes += v->view[i].length;
    return bytes;
}

/* A frame lies in the chains: they are given to the driver, each with what was written into it.
 * What is left of them is unpinned, and held. */
static void give_frame(net_card *card, const vsdk_net_offload *offload, uint64_t length)
{
    net_views *v = &card->receive.mapped;
    uint64_t left = length + sizeof(net_header), part[NET_MERGED_MOST];
    uint32_t used = 0, at = 0;

    for (; left; used++) {
        uint64_t room = bytes_of(v, at, card->receive.views[used]);
        part[used] = room < left ? room : left;
        left -= part[used];
        at += card->receive.views[used];
    }
    net_header header = header_of(offload, (uint16_t)used);
    /* Bits that a driver did not ask for it may not understand. */
    if (!(atomic_load(&card->features) & NET_F_GUEST_CSUM))
        header.flags = 0;
    put_header(v, &header);
    unmap(v);
    for (uint32_t i = 0; i < used; i++)
        vsdk_virtio_push(card->device, &card->receive.chain[i], (uint32_t)part[i], NULL);
    card->receive.held -= used;
    memmove(card->receive.chain, card->receive.chain + used,
            card->receive.held * sizeof *card->receive.chain);
    atomic_fetch_add(&card->received, 1);
}

static void drop_frame(net_card *card)
{
    if (!vsdk_net_skip(card->net, NULL))
        atomic_fetch_add(&card->receive_dropped, 1);
}

/* BUSY: the driver has no buffers. OK: go on. Else what the network says. */
static vsdk_status receive_frame(net_card *card)
{
    net_views *v = &card->receive.mapped;
    int merges = !!(atomic_load(&card->features) & NET_F_MRG_RXBUF);

    if (!v->count && !map_held(card) && hold_chain(card))
        return VSDK_ERROR_BUSY;
    for (;;) {
        vsdk_net_offload offload;
        uint64_t length;
        if (!v->count && !map_held(card))
            return VSDK_OK; /* it was of no use: the next one may be */
        make_pieces(v);
        vsdk_status status =
            vsdk_net_receive(card->net, &offload, v->piece, v->count, &length, NULL);
        if (!status)
            give_frame(card, &offload, length);
        if (status != VSDK_ERROR_RANGE)
            return status;
        status = merges ? hold_chain(card) : VSDK_ERROR_LIMIT;
        if (status && status != VSDK_ERROR_LIMIT)
            return VSDK_ERROR_BUSY;
        if (status || map_chain(card, card->receive.held - 1)) {
            if (!status)
                give_back_last(card);
            drop_frame(card);
            return VSDK_OK;
        }
    }
}

/* Under the lock of its queue. The watch tells again of what is left. */
static void receive_all(net_card *card)
{
    vsdk_status status = VSDK_OK;

    if (atomic_load(&card->ready) && is_up(card)) {
        for (unsigned turn = 0; !status && turn < TURN; turn++)
            status = receive_frame(card);
        unmap(&card->receive.mapped);
        vsdk_virtio_signal(card->device, NET_RECEIVE, NULL);
    } else {
        for (unsigned turn = 0; !status && turn < TURN; turn++) {
            status = vsdk_net_skip(card->net, NULL);
            if (!status)
                atomic_fetch_add(&card->receive_dropped, 1);
        }
    }
    uint32_t blocked = status == VSDK_ERROR_BUSY;
    /* A reset, or the link, may have woken a watch that slept. */
    if (blocked || card->receive.blocked)
        vsdk_watch_set_events(card->receive.watch, blocked ? 0 : VSDK_LOOP_READ, NULL);
    card->receive.blocked = blocked;
    /* One that came meanwhile found it awake. */
    if (blocked && !(atomic_load(&card->ready) && is_up(card)))
        vsdk_watch_set_events(card->receive.watch, VSDK_LOOP_READ, NULL);
    if (status == VSDK_ERROR_GONE)
        vsdk_watch_set_events(card->receive.watch, 0, NULL);
}

static void frame_came(void *user, vsdk_watch *watch, int32_t descriptor, uint32_t events)
{
    (void)watch, (void)descriptor, (void)events;
    receive_all(user);
}

/* The device. */

static void card_notify(void *user, vsdk_device *device, uint32_t queue)
{
    net_card *card = user;

    (void)device;
    if (queue == NET_CONTROL)
        net_card_control(card);
    else if (queue == NET_SEND)
        send_all(card);
    else if (card->receive.blocked)
        receive_all(card);
}

static void card_ready(void *user, vsdk_device *device)
{
    net_card *card = user;
    uint64_t features = vsdk_virtio_features(device);

    atomic_store(&card->features, features);
    vsdk_net_accept(card->net, offloads_of(features, 1), NULL);
    atomic_store(&card->ready, 1);
}

/* Frames that come now are dropped: the watch must be awake for that. */
static void card_reset(void *user, vsdk_device *device)
{
    net_card *card = user;

    (void)device;
    atomic_store(&card->ready, 0);
    vsdk_watch_set_events(card->receive.watch, VSDK_LOOP_READ, NULL);
}

/* A chain of before is found by its next use, as after a reset of all. */
static void card_queue_reset(void *user, vsdk_device *device, uint32_t queue)
{
    (void)user, (void)device, (void)queue;
}

/* What a loaded state says is taken up by the start of the first queue; then nothing runs yet. */
static void card_start(void *user, vsdk_device *device, uint32_t queue)
{
    net_card *card = user;
    uint16_t status = 0;

    if (queue || !atomic_exchange(&card->announce, 0))
        return;
    vsdk_virtio_get_space(device, offsetof(net_space, status), &status, sizeof status, NULL);
    status = le16toh(status);
    uint64_t features = vsdk_virtio_features(device);
    atomic_store(&card->status, status);
    card->receive.held = card->send.held = 0;
    card->receive.blocked = 0;
    vsdk_watch_set_events(card->receive.watch, VSDK_LOOP_READ, NULL);
    vsdk_watch_set_events(card->send.watch, 0, NULL);
    if (!features)
        return;
    card_ready(card, device);
    if (features & NET_F_GUEST_ANNOUNCE && status & NET_LINK_UP) {
        atomic_fetch_or(&card->status, NET_ANNOUNCE);
        net_card_tell_status(card);
    }
}

/* The rings and the configuration space are the library's to load. The guest is elsewhere now: the
 * switches of the network should hear of it. */
static vsdk_status card_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                             vsdk_error *error)
{
    net_card *card = user;

    (void)device, (void)reader, (void)error;
    atomic_store(&card->announce, 1);
    return VSDK_OK;
}

static void card_release(void *user)
{
    net_card *card = user;

    vsdk_watch_close(card->receive.watch);
    vsdk_watch_close(card->send.watch);
    vsdk_work_close(card->send.more);
    vsdk_net_close(card->net);
    alloc_free(card);
}

static const vsdk_virtio_ops card_ops = {
    .size = sizeof(vsdk_virtio_ops),
    .notify = card_notify,
    .ready = card_ready,
    .reset = card_reset,
    .queue_reset = card_queue_reset,
    .start = card_start,
    .load = card_load,
    .release = card_release,
};

static vsdk_status check_net_config(const vsdk_virtio_net_config *given, vsdk_virtio_net_config *c,
                                    const char *operation, vsdk_error *error)
{
    vsdk_status status = virtio_device_config(
        c, sizeof *c, offsetof(vsdk_virtio_net_config, reserved), given, 0, operation, error);

    if (status)
        return status;
    if (c->padding)
        return record_later(operation, error);
    if (!c->net)
        return error_null(error, operation, "config.net");
    if (c->mac[0] & 1)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "mac: the address of a group");
    if (c->mtu && c->mtu < MTU_LEAST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "mtu: %u is below 68",
                         c->mtu);
    return VSDK_OK;
}

/* Locally administered. Without random numbers the address of the card makes one of its own. */
static void choose_mac(uint8_t mac[6], const void *seed)
{
    uint64_t number = (uintptr_t)seed >> 4;

    if (sys_random(&number, sizeof number) < 0)
        number *= UINT64_C(0x9e3779b97f4a7c15);
    memcpy(mac, &number, 6);
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

static vsdk_status make_watch(net_card *card, vsdk_loop *loop, uint32_t queue,
                              vsdk_net_events event, uint32_t events, vsdk_watch_fn fn,
                              vsdk_watch **watch, vsdk_error *error)
{
    vsdk_error why = {0};
    int32_t fd = vsdk_net_descriptor(card->net, event, &why);

    if (fd < 0) {
        if (error)
            *error = why;
        return why.code;
    }
    return vsdk_watch_create(loop, vsdk_virtio_queue_device(card->device, queue), fd, events, fn,
                             card, NULL, watch, error);
}

/* The sources belong to the queues' devices, which are there now. */
static vsdk_status make_card(vsdk_vm *vm, net_card *card, const vsdk_virtio_config *config,
                             vsdk_error *error)
{
    vsdk_status status = vsdk_virtio_create(vm, &card_ops, card, config, &card->device, error);

    if (status)
        return status;
    vsdk_device *device = card->device;
    vsdk_loop *loop = vsdk_virtio_queue_loop(device, NET_RECEIVE);
    status = make_watch(card, loop, NET_RECEIVE, VSDK_NET_READABLE, VSDK_LOOP_READ, frame_came,
                        &card->receive.watch, error);
    if (!status)
        status = make_watch(card, loop, NET_SEND, VSDK_NET_WRITABLE, 0, room_came,
                            &card->send.watch, error);
    if (!status)
        status = vsdk_work_create(loop, vsdk_virtio_queue_device(device, NET_SEND), send_turn, card,
                                  NULL, &card->send.more, error);
    if (status)
        vsdk_device_close(device);
    return status;
}

vsdk_status vsdk_virtio_net_create(vsdk_vm *vm, const vsdk_virtio_net_config *given,
                                   vsdk_device **device, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_net_create";
    vsdk_virtio_net_config c;
    int foreign;
    vsdk_status status = virtio_device_begin(vm, device, &foreign, operation, error);

    if (!status && !given)
        status = error_null(error, operation, "config");
    if (!status)
        status = check_net_config(given, &c, operation, error);
    if (status)
        return status;
    net_card *card = alloc_zeroed(sizeof *card);
    if (!card)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the device");
    net_space space = {.status = htole16(NET_LINK_UP), .pairs = htole16(1), .mtu = htole16(c.mtu)};
    static const uint8_t none[6];
    memcpy(space.mac, c.mac, sizeof space.mac);
    if (!memcmp(c.mac, none, sizeof none))
        choose_mac(space.mac, card);
    card->net = vsdk_net_ref(c.net);
    atomic_init(&card->status, NET_LINK_UP);
    vsdk_virtio_config config = {.size = sizeof config,
                                 .name = c.name ? c.name : "net",
                                 .features = features_of(vsdk_net_offloads_of(c.net)) |
                                             (c.mtu ? NET_F_MTU : 0),
                                 .type = NET_TYPE,
                                 .queues = NET_QUEUES,
                                 .queue_size = c.queue_size,
                                 .chain_max = NET_CHAIN_MOST,
                                 .space = &space,
                                 .space_length = sizeof space,
                                 .loop = c.loop};
    status = make_card(vm, card, &config, error);
    if (!status)
        *device = card->device;
    return status;
}

static vsdk_status get_card(vsdk_device *device, net_card **card, const char *operation,
                            vsdk_error *error)
{
    vsdk_status status;

    *card = virtio_device_of(device, &card_ops, "network device", operation, &status, error);
    return status;
}

/* With the link, what waits is dropped or given: the watch must be awake. */
vsdk_status vsdk_virtio_net_set_link(vsdk_device *device, uint32_t up, vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_net_set_link";
    net_card *card;
    vsdk_status status = get_card(device, &card, operation, error);

    if (status)
        return status;
    if (up > 1)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "up: %u is neither", up);
    uint32_t before = up ? atomic_fetch_or(&card->status, NET_LINK_UP)
                         : atomic_fetch_and(&card->status, ~(uint32_t)NET_LINK_UP);
    if ((before & NET_LINK_UP) == up)
        return VSDK_OK;
    net_card_tell_status(card);
    vsdk_watch_set_events(card->receive.watch, VSDK_LOOP_READ, NULL);
    return VSDK_OK;
}

vsdk_status vsdk_virtio_net_get_counts(vsdk_device *device, vsdk_virtio_net_counts *counts,
                                       vsdk_error *error)
{
    static const char operation[] = "vsdk_virtio_net_get_counts";
    net_card *card;
    vsdk_status status = get_card(device, &card, operation, error);

    if (status)
        return status;
    if (!counts)
        return error_null(error, operation, "counts");
    vsdk_virtio_net_counts now = {.sent = atomic_load(&card->sent),
                                  .received = atomic_load(&card->received),
                                  .send_dropped = atomic_load(&card->send_dropped),
                                  .receive_dropped = atomic_load(&card->receive_dropped)};
    return record_write(counts, &now, sizeof now, sizeof now, operation, error);
}
