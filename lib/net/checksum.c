/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum: the one's complement of the one's complement sum of 16-bit words. A sum
 * may be made of pieces: a word's place is counted from the start of what is summed, so a piece
 * that begins at an odd place has its bytes swapped. */
#include "net/net.h"
#include <string.h>

static uint64_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* A frame has 64 KiB: 32 Ki words of 16 bits fit into the sum many times over. */
uint64_t net_sum(uint64_t sum, const uint8_t *bytes, uint64_t length, uint64_t offset)
{
    uint64_t here = 0;
    uint16_t word;

    for (; length >= 2; bytes += 2, length -= 2) {
        memcpy(&word, bytes, 2);
        here += word;
    }
    if (length) {
        word = 0;
        memcpy(&word, bytes, 1);
        here += word;
    }
    here = fold(here);
    if (offset & 1)
        here = (here >> 8 | here << 8) & 0xffff;
    return sum + here;
}

uint16_t net_sum_end(uint64_t sum)
{
    return (uint16_t)~fold(sum);
}

/* 0 means "no checksum" in UDP, and both zeros are the same number: it is sent as the other. */
void net_complete(uint8_t *frame, uint32_t length, vsdk_net_offload *offload)
{
    uint32_t start = offload->checksum_start;
    uint16_t sum = net_sum_end(net_sum(0, frame + start, length - start, 0));

    if (!sum)
        sum = 0xffff;
    memcpy(frame + start + offload->checksum_offset, &sum, 2);
    *offload = (vsdk_net_offload){.flags = VSDK_NET_CHECKED};
}
