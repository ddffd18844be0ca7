/* SPDX-License-Identifier: Apache-2.0 */
/* State as named, typed fields: the writer and the reader behind vsdk_state_*. The format is in
 * state.h; the first field, `kind`, says whose they are: for a device its name. */
#ifndef VSDK_CORE_FIELDS_H
#define VSDK_CORE_FIELDS_H

#include <vsdk/state.h>

struct vsdk_state_writer {
    uint8_t *bytes;
    uint64_t length, room;
    uint32_t failed; /* no memory: what is there is not whole */
};

struct vsdk_state_reader {
    const uint8_t *bytes; /* checked by fields_open: fields follow each other to the end */
    uint64_t length;
};

void fields_begin(vsdk_state_writer *writer, const char *kind);
/* Copies what was written if it fits. */
vsdk_status fields_take(const vsdk_state_writer *writer, void *bytes, uint64_t capacity,
                        uint64_t *needed, const char *operation, vsdk_error *error);
void fields_end(vsdk_state_writer *writer);

/* FORMAT where the bytes are no such fields, or those of something of another name. The bytes are
 * the caller's for as long as the reader is used. */
vsdk_status fields_open(vsdk_state_reader *reader, const char *kind, const void *bytes,
                        uint64_t length, const char *operation, vsdk_error *error);

#endif
