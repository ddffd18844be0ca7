/* SPDX-License-Identifier: Apache-2.0 */
/* The module compress.so: zlib, and zstd where it was there when this was built. Each call has a
 * state of its own, so any number of threads may be here. Input is hostile: nothing is written past
 * `room`, and the work ends with it. */
#include "disk/unpack.h"
#include <stdint.h>
#include <zlib.h>
#ifdef VSDK_ZSTD
#include <zstd.h>
#endif

const disk_unpack_ops *vsdk_disk_unpack_module(void);

static int compress_inflate(const void *from, size_t length, void *to, size_t room)
{
    z_stream stream = {0};

    if (length > UINT32_MAX || room > UINT32_MAX || inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return 0;
    stream.next_in = (Bytef *)(uintptr_t)from;
    stream.avail_in = (uInt)length;
    stream.next_out = to;
    stream.avail_out = (uInt)room;
    /* Z_BUF_ERROR: all room is filled, and the end was not looked at. */
    int result = inflate(&stream, Z_FINISH);
    int filled = !stream.avail_out && (result == Z_STREAM_END || result == Z_BUF_ERROR);
    inflateEnd(&stream);
    return filled;
}

#ifdef VSDK_ZSTD
/* As a stream: what lies behind the last frame is not of this piece. */
static int compress_zstd(const void *from, size_t length, void *to, size_t room)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {from, length, 0};
    ZSTD_outBuffer out = {to, room, 0};

    while (context && out.pos < room) {
        size_t before = in.pos + out.pos;
        size_t result = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(result) || in.pos + out.pos == before)
            break;
    }
    ZSTD_freeDCtx(context);
    return out.pos == room;
}
#endif

static int compress_unpack(disk_packing packing, const void *from, size_t length, void *to,
                           size_t room)
{
    switch (packing) {
    case DISK_PACKING_DEFLATE:
        return compress_inflate(from, length, to, room);
    case DISK_PACKING_ZSTD:
        break;
    }
#ifdef VSDK_ZSTD
    return compress_zstd(from, length, to, room);
#else
    return -1;
#endif
}

static const disk_unpack_ops ops = {
    .abi = DISK_UNPACK_ABI,
    .size = sizeof ops,
    .unpack = compress_unpack,
};

__attribute__((visibility("default"))) const disk_unpack_ops *vsdk_disk_unpack_module(void)
{
    return &ops;
}
