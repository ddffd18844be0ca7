/* SPDX-License-Identifier: Apache-2.0 */
/* Of a stream's ends that the library has itself. */
#ifndef VSDK_CORE_STREAM_H
#define VSDK_CORE_STREAM_H

#include <vsdk/stream.h>

/* Beside its capacity, room for what this end writes last. Once an end; again changes nothing. */
vsdk_status stream_reserve(vsdk_stream *stream, uint64_t bytes, const char *operation,
                           vsdk_error *error);
/* Writes with the reserve; returns how many bytes had room. */
uint64_t stream_write_last(vsdk_stream *stream, const void *bytes, uint64_t length);

#endif
