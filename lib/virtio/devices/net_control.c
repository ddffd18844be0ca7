/* SPDX-License-Identifier: Apache-2.0 */
/* The control queue of a network device: a command is a class, a command and its data, which the
 * device reads, and one byte that it writes: done, or refused.
 *
 * Filters are accepted and not applied: the specification lets a device give more than was asked
 * for. A command that is too short, too long or unknown is refused; one that has no room for the
 * answer is given back as it is. */
#include "virtio/devices/net.h"
#include <stddef.h>
#include <string.h>

enum { CLASS_RECEIVE = 0, CLASS_MAC = 1, CLASS_ANNOUNCE = 3 };
enum { MODE_LAST = 5, MAC_TABLE = 0, MAC_ADDRESS = 1, ANNOUNCE_ACK = 0 };
enum { DONE = 0, REFUSED = 1, HEAD = 2, MAC_BYTES = 6 };

/* Two tables: how many entries, then the entries. Each must end within the command. */
static uint8_t check_tables(net_card *card, const vsdk_virtio_chain *chain)
{
    uint64_t at = HEAD;
    uint32_t entries;

    for (int i = 0; i < 2; i++) {
        if (chain->readable - at < sizeof entries ||
            vsdk_virtio_read(card->device, chain, at, &entries, sizeof entries, NULL))
            return REFUSED;
        at += sizeof entries;
        if ((chain->readable - at) / MAC_BYTES < entries)
            return REFUSED;
        at += (uint64_t)entries * MAC_BYTES;
    }
    return at == chain->readable ? DONE : REFUSED;
}

static uint8_t set_address(net_card *card, const vsdk_virtio_chain *chain)
{
    uint8_t mac[MAC_BYTES];

    if (chain->readable != HEAD + sizeof mac ||
        !(atomic_load(&card->features) & NET_F_CTRL_MAC_ADDR) ||
        vsdk_virtio_read(card->device, chain, HEAD, mac, sizeof mac, NULL) || mac[0] & 1)
        return REFUSED;
    return vsdk_virtio_set_space(card->device, offsetof(net_space, mac), mac, sizeof mac, NULL)
               ? REFUSED
               : DONE;
}

static uint8_t execute(net_card *card, const vsdk_virtio_chain *chain)
{
    uint8_t head[HEAD];

    if (chain->readable < HEAD || vsdk_virtio_read(card->device, chain, 0, head, sizeof head, NULL))
        return REFUSED;
    switch (head[0]) {
    case CLASS_RECEIVE:
        return head[1] <= MODE_LAST && chain->readable == HEAD + 1 ? DONE : REFUSED;
    case CLASS_MAC:
        if (head[1] == MAC_TABLE)
            return check_tables(card, chain);
        return head[1] == MAC_ADDRESS ? set_address(card, chain) : REFUSED;
    case CLASS_ANNOUNCE:
        if (head[1] != ANNOUNCE_ACK || !(atomic_load(&card->features) & NET_F_GUEST_ANNOUNCE))
            return REFUSED;
        atomic_fetch_and(&card->status, ~(uint32_t)NET_ANNOUNCE);
        net_card_tell_status(card);
        return DONE;
    default:
        return REFUSED;
    }
}

void net_card_control(net_card *card)
{
    vsdk_virtio_chain chain;

    while (!vsdk_virtio_pop(card->device, NET_CONTROL, &chain, NULL)) {
        uint8_t answer = execute(card, &chain);
        uint32_t written = chain.writable > 0;
        if (written && vsdk_virtio_write(card->device, &chain, 0, &answer, 1, NULL))
            written = 0;
        vsdk_virtio_push(card->device, &chain, written, NULL);
    }
}
