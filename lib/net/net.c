/* SPDX-License-Identifier: Apache-2.0 */
/* What all networks have in common: what is checked before a kind is asked, and what errors say.
 *
 * A frame's length and its record are checked here once, on a copy, so that no kind meets a place
 * outside of its frame. The bytes are not looked at: they may lie in a guest's memory, and change.
 */
#include "net/net.h"
#include "base/error.h"
#include "base/process.h"
#include "base/record.h"
#include <string.h>

void net_init(vsdk_net *net, const net_kind *kind, vsdk_net_offloads offloads)
{
    refs_init(&net->refs);
    net->process = process_id();
    net->kind = kind;
    net->offloads = offloads;
}

/* First of all: in a forked child a lock may be held by a thread that is not there. */
vsdk_status net_check(const vsdk_net *net, const char *operation, vsdk_error *error)
{
    if (!net)
        return error_null(error, operation, "net");
    return net->process == process_id() ? VSDK_OK : error_forked(error, operation);
}

vsdk_net *vsdk_net_ref(vsdk_net *net)
{
    if (net && net->process == process_id())
        refs_get(&net->refs);
    return net;
}

void vsdk_net_close(vsdk_net *net)
{
    if (net && net->process == process_id() && refs_put(&net->refs))
        net->kind->close(net);
}

vsdk_status net_check_offloads(vsdk_net_offloads offloads, const char *operation, vsdk_error *error)
{
    if (offloads & ~NET_OFFLOADS)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown offloads 0x%x",
                         offloads & ~NET_OFFLOADS);
    if (offloads && !(offloads & VSDK_NET_CHECKSUM))
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the other offloads need VSDK_NET_CHECKSUM");
    return VSDK_OK;
}

vsdk_status net_read_config(const vsdk_net_config *given, vsdk_net_config *config,
                            const char *operation, vsdk_error *error)
{
    vsdk_status status = record_read(config, sizeof *config, given, 0, operation, error);

    if (status)
        return status;
    if (config->padding || config->reserved[0] || config->reserved[1] || config->reserved[2])
        return record_later(operation, error);
    return net_check_offloads(config->offloads, operation, error);
}

/* `gso` is a known one. */
static vsdk_net_offloads needed_for(const vsdk_net_offload *offload)
{
    static const vsdk_net_offloads gso[] = {
        [VSDK_NET_GSO_TCP4] = VSDK_NET_TSO4,
        [VSDK_NET_GSO_TCP6] = VSDK_NET_TSO6,
        [VSDK_NET_GSO_UDP] = VSDK_NET_USO,
    };

    return gso[offload->gso] | (offload->flags & VSDK_NET_NEEDS_CHECKSUM ? VSDK_NET_CHECKSUM : 0);
}

int net_is_within(const vsdk_net_offload *offload, vsdk_net_offloads accepted)
{
    return !(needed_for(offload) & ~accepted);
}

/* NULL, or what is wrong: the field first, as the message begins. A header's length is a hint that
 * kernels trust, so it is held to the frame. */
const char *net_fault(const vsdk_net_offload *o, uint32_t length)
{
    if (o->flags & ~(VSDK_NET_NEEDS_CHECKSUM | VSDK_NET_CHECKED | VSDK_NET_CONGESTED))
        return "flags: unknown ones";
    if (o->gso > VSDK_NET_GSO_UDP)
        return "gso: unknown";
    if (o->flags & VSDK_NET_NEEDS_CHECKSUM &&
        (uint32_t)o->checksum_start + o->checksum_offset + 2 > length)
        return "checksum_start, checksum_offset: outside of the frame";
    if (o->gso && !(o->flags & VSDK_NET_NEEDS_CHECKSUM))
        return "gso: without VSDK_NET_NEEDS_CHECKSUM";
    if (o->gso && !o->gso_size)
        return "gso_size: 0";
    return o->gso && o->header_length > length ? "header_length: above the frame's" : NULL;
}

/* The sum of the lengths, which stops at UINT32_MAX: more than any frame has. INVALID_ARGUMENT for
 * a piece without memory. */
static vsdk_status measure(const vsdk_net_piece *pieces, uint32_t count, net_frame *frame,
                           const char *operation, vsdk_error *error)
{
    uint64_t length = 0;

    if (count > NET_PIECES_MOST)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%u pieces are more than 1024", count);
    if (count && !pieces)
        return error_null(error, operation, "pieces");
    for (uint32_t i = 0; i < count; i++) {
        if (pieces[i].length && !pieces[i].data)
            return error_null(error, operation, "pieces.data");
        length += pieces[i].length < UINT32_MAX ? pieces[i].length : UINT32_MAX;
    }
    *frame = (net_frame){pieces, count, length < UINT32_MAX ? (uint32_t)length : UINT32_MAX};
    return VSDK_OK;
}

vsdk_status vsdk_net_send(vsdk_net *net, const vsdk_net_offload *offload,
                          const vsdk_net_piece *pieces, uint32_t count, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_send";
    vsdk_net_offload copy = {0};
    net_frame frame;
    vsdk_status status = net_check(net, operation, error);

    if (status)
        return status;
    if (!pieces)
        return error_null(error, operation, "pieces");
    status = measure(pieces, count, &frame, operation, error);
    if (status)
        return status;
    if (frame.length < NET_FRAME_LEAST || frame.length > NET_FRAME_MOST)
        return error_set(error, VSDK_ERROR_RANGE, operation,
                         "a frame has 14 to 65554 bytes, not %u", frame.length);
    if (offload)
        copy = *offload;
    const char *fault = net_fault(&copy, frame.length);
    if (fault)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "offload.%s", fault);
    if (!net_is_within(&copy, net->offloads))
        return error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                         "the network does not know what the frame leaves to it");
    status = net->kind->send(net, &copy, &frame);
    if (status)
        error_set(error, status, operation, "there is no room now");
    return status;
}

/* Not an error for who drains a network: without a record it costs nothing. */
static vsdk_status none_received(vsdk_status status, const char *operation, vsdk_error *error)
{
    if (status == VSDK_ERROR_GONE)
        return error_set(error, status, operation, "the other side is gone");
    return error_set(error, status, operation, "no frame waits");
}

vsdk_status vsdk_net_receive(vsdk_net *net, vsdk_net_offload *offload, const vsdk_net_piece *pieces,
                             uint32_t count, uint64_t *length, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_receive";
    vsdk_net_offload missing = {0};
    net_frame room;
    uint32_t got = 0;
    vsdk_status status = net_check(net, operation, error);

    if (offload)
        *offload = missing;
    if (length)
        *length = 0;
    if (!status && !length)
        status = error_null(error, operation, "length");
    if (!status)
        status = measure(pieces, count, &room, operation, error);
    if (status)
        return status;
    status = net->kind->receive(net, &missing, &room, &got);
    *length = got;
    if (status == VSDK_ERROR_RANGE)
        return error_set(error, status, operation, "the next frame has %u bytes", got);
    if (status)
        return none_received(status, operation, error);
    if (offload)
        *offload = missing;
    return VSDK_OK;
}

vsdk_status vsdk_net_skip(vsdk_net *net, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_skip";
    vsdk_status status = net_check(net, operation, error);

    if (status)
        return status;
    status = net->kind->skip(net);
    return status ? none_received(status, operation, error) : VSDK_OK;
}

/* These two have no status: what is no network, or another process's, has nothing to do. */
vsdk_net_events vsdk_net_ready(vsdk_net *net)
{
    return net && net->process == process_id() ? net->kind->ready(net) : 0;
}

int32_t vsdk_net_descriptor(vsdk_net *net, vsdk_net_events event, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_descriptor";

    if (net_check(net, operation, error))
        return -1;
    if (event != VSDK_NET_READABLE && event != VSDK_NET_WRITABLE)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "unknown event 0x%x",
                         event),
               -1;
    int fd = net->kind->descriptor(net, event);
    if (fd < 0)
        return error_set_errno(error, error_status_of_errno(-fd), -fd, operation,
                               "no descriptor for the network"),
               -1;
    return fd;
}

vsdk_net_offloads vsdk_net_offloads_of(vsdk_net *net)
{
    return net && net->process == process_id() ? net->offloads : 0;
}

/* What the network does not know it never gives. */
vsdk_status vsdk_net_accept(vsdk_net *net, vsdk_net_offloads offloads, vsdk_error *error)
{
    static const char operation[] = "vsdk_net_accept";
    vsdk_status status = net_check(net, operation, error);

    if (!status)
        status = net_check_offloads(offloads, operation, error);
    if (!status)
        net->kind->accept(net, offloads & net->offloads);
    return status;
}

/* Pieces of no bytes may have no memory either. */
void net_scatter(const net_frame *room, uint64_t offset, const void *bytes, uint64_t length)
{
    const uint8_t *from = bytes;

    for (uint32_t i = 0; length; i++) {
        const vsdk_net_piece *piece = &room->pieces[i];
        if (offset >= piece->length) {
            offset -= piece->length;
            continue;
        }
        uint64_t count = piece->length - offset < length ? piece->length - offset : length;
        memcpy((uint8_t *)piece->data + offset, from, count);
        from += count;
        length -= count;
        offset = 0;
    }
}

void net_gather(const net_frame *frame, void *bytes)
{
    uint8_t *to = bytes;

    for (uint32_t i = 0; i < frame->count; i++) {
        if (frame->pieces[i].length)
            memcpy(to, frame->pieces[i].data, frame->pieces[i].length);
        to += frame->pieces[i].length;
    }
}
