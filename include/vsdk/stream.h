/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of bytes.
 *
 * A stream carries bytes between two ends, in both directions. One end goes to a device of the
 * library's, such as a serial port, the other stays with the embedder. Both ends are used by the
 * same functions, so an embedder's own device may have one too.
 *
 * What is written at one end waits until it is read at the other: at most capacity bytes each way.
 * A write takes what fits and never waits; a writer that was refused hears when there is room. So a
 * reader that is slow slows the writer, and nothing is lost.
 *
 * There are two ways to hear of bytes. A handler is called on the thread that wrote or read at the
 * other end. Or the end is pulled: vsdk_stream_descriptor is pollable, and reading and writing
 * never wait. A language that can't be called from foreign threads pulls.
 *
 * Closing the last reference of an end ends the stream: the other end reads what is left, then
 * VSDK_ERROR_GONE; what it writes is dropped.
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/stream.toml by abi/generate.py.
 */

#ifndef VSDK_STREAM_H
#define VSDK_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* One end of a stream. Counted. Since 0.1. */
typedef struct vsdk_stream vsdk_stream;

/*
 * What happened at an end.
 *
 * Since 0.1.
 */
enum vsdk_stream_events_values {
    VSDK_STREAM_READABLE = 0x1, /* Bytes wait to be read */
    VSDK_STREAM_WRITABLE = 0x2, /* There is room again after a write that took less than all */
    VSDK_STREAM_ENDED = 0x4,    /* The other end was closed */
};
typedef uint32_t vsdk_stream_events;

/*
 * Something happened at this end. One call at a time per end; what happens during a call makes
 * another one after it, on the same thread. What is left unread is told again only when more comes.
 *
 *   user    (may be NULL) The pointer given with it.
 *   stream  (inout) This end; borrowed.
 *   events  What happened.
 *
 * Runs on: The thread that wrote, read or closed at the other end.
 * May call: what the other end's caller may; read and write of this end.
 * Since 0.1.
 */
typedef void (*vsdk_stream_fn)(void *user, vsdk_stream *stream, vsdk_stream_events events);

/*
 * How to make a stream.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 32 bytes. Since 0.1.
 */
typedef struct vsdk_stream_config {
    uint32_t size;        /* sizeof(vsdk_stream_config) */
    uint32_t flags;       /* Zero */
    uint64_t capacity;    /* (bytes) Most bytes that wait in each direction; 0 for 4096, at most
                             16 MiB */
    uint64_t reserved[2]; /* Zero */
} vsdk_stream_config;

/*
 * Take a reference more.
 *
 *   stream  Inout.
 *
 * Returns the same handle (new reference).
 * Given NULL: returns NULL.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_stream *vsdk_stream_ref(vsdk_stream *stream);

/*
 * Make a stream.
 *
 *   config  NULL for all defaults.
 *   near    Out, new reference.
 *   far     (out, new reference) The other.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL or a flag is unknown
 *   LIMIT             the capacity is above 16 MiB
 *   UNSUPPORTED       the configuration has a later version's field
 *   NO_MEMORY         no memory
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_stream_create(const vsdk_stream_config *config, vsdk_stream **near,
                               vsdk_stream **far, vsdk_error *error);

/*
 * Drop a reference to an end; the last one ends the stream.
 *
 *   stream  (may be NULL) The reference to drop.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: while the other end's handler runs on this thread. From callbacks: yes.
 * States: any. Backends: all. Since 0.1.
 */
void vsdk_stream_close(vsdk_stream *stream);

/*
 * Take bytes that the other end wrote.
 *
 *   stream    This end.
 *   buffer    (out, capacity bytes) Filled from its first byte on.
 *   capacity  (bytes) Room in it.
 *   got       (out, bytes) How many were read; 0 when none wait.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   GONE              the other end was closed and all was read
 *   STATE             called in a forked child
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_stream_read(vsdk_stream *stream, void *buffer, uint64_t capacity, uint64_t *got,
                             vsdk_error *error);

/*
 * Give bytes to the other end.
 *
 * Takes as many as there is room for and tells how many. After a write that took less than all,
 * VSDK_STREAM_WRITABLE comes once half of the room is free.
 *
 *   stream    This end.
 *   bytes     Length bytes.
 *   length    (bytes) How many; 0 does nothing.
 *   accepted  (out, bytes, may be NULL) How many were taken, from the first on.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer is NULL
 *   STATE             called in a forked child
 * Threads: any. Blocks: while the other end's handler runs on this thread. From callbacks: yes.
 * States: any. Backends: all. Since 0.1.
 */
vsdk_status vsdk_stream_write(vsdk_stream *stream, const void *bytes, uint64_t length,
                              uint64_t *accepted, vsdk_error *error);

/*
 * What may be done at an end now.
 *
 *   stream  This end.
 *
 * Returns: VSDK_STREAM_READABLE when bytes wait, VSDK_STREAM_WRITABLE when there is room,
 * VSDK_STREAM_ENDED when the other end was closed.
 * Given NULL: returns 0.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
vsdk_stream_events vsdk_stream_ready(vsdk_stream *stream);

/*
 * A descriptor that is readable while there is something to do at this end.
 *
 * That is: bytes wait, room came back after a write that took less than all, or the other end was
 * closed. It is made when it is first asked for.
 *
 *   stream  This end.
 *
 * Returns: a pollable descriptor, the end's: neither read nor close it; -1 when it fails, and error
 * says why (borrowed).
 * Given NULL: returns -1.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
int32_t vsdk_stream_descriptor(vsdk_stream *stream, vsdk_error *error);

/*
 * Be called when something happens at this end.
 *
 * Replaces the handler before it. What happened already is told at once, on this thread. NULL for
 * none; the old one does not start any more then, and its release comes when a call of it that runs
 * has returned.
 *
 *   stream   This end.
 *   fn       (may be NULL) The handler.
 *   user     (may be NULL) Given to it.
 *   release  (may be NULL) Called once when the handler is gone, on failure too.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  stream is NULL
 *   NO_MEMORY         no memory
 *   STATE             called in a forked child
 * Threads: any. Blocks: while the handler runs on this thread. From callbacks: yes. States: any.
 * Backends: all. Since 0.1.
 */
vsdk_status vsdk_stream_set_handler(vsdk_stream *stream, vsdk_stream_fn fn, void *user,
                                    vsdk_release_fn release, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_STREAM_H */
