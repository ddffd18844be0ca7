/* SPDX-License-Identifier: Apache-2.0 */
/* Named fields in memory. A reader's bytes may be anybody's: fields_open walks them once and
 * accepts nothing that leaves them or names a field twice; what reads a field after that need not
 * check lengths again, but what the caller asks for. */
#include "core/fields.h"
#include "base/alloc.h"
#include "base/error.h"
#include <inttypes.h>
#include <string.h>

enum { NAME_MOST = 63, TYPE_NUMBER = 1, TYPE_BYTES = 2, FIELDS_MOST = 4096 };
static const char KIND[] = "kind"; /* the first field */

typedef struct field {
    const uint8_t *name;
    uint32_t name_length, type;
    uint64_t number;
    const uint8_t *bytes;
    uint64_t length;
} field;

/* The field at `at` and where the next one is; 0 if there is none that is whole. */
static int field_next(const uint8_t *bytes, uint64_t length, uint64_t *at, field *f)
{
    uint64_t left = length - *at;
    uint32_t size;

    if (left < 2) /* no bytes at all may be NULL */
        return 0;
    const uint8_t *p = bytes + *at;
    if (!p[0] || p[0] > NAME_MOST || left < 2u + p[0])
        return 0;
    *f = (field){.name = p + 1, .name_length = p[0], .type = p[1 + p[0]]};
    p += 2 + f->name_length;
    left -= 2 + f->name_length;
    if (f->type == TYPE_NUMBER && left >= 8) {
        memcpy(&f->number, p, 8);
        *at = length - left + 8;
        return 1;
    }
    if (f->type != TYPE_BYTES || left < 4)
        return 0;
    memcpy(&size, p, 4);
    if (size > left - 4)
        return 0;
    f->bytes = p + 4;
    f->length = size;
    *at = length - left + 4 + size;
    return 1;
}

static int find(const uint8_t *bytes, uint64_t length, const char *name, uint32_t name_length,
                field *f)
{
    for (uint64_t at = 0; field_next(bytes, length, &at, f);)
        if (f->name_length == name_length && !memcmp(f->name, name, name_length))
            return 1;
    return 0;
}

static int room_make(vsdk_state_writer *writer, uint64_t more)
{
    uint64_t room = writer->room ? writer->room : 256;

    while (room - writer->length < more)
        room *= 2;
    if (room == writer->room)
        return 1;
    uint8_t *bytes = alloc_zeroed(room);
    if (!bytes)
        return 0;
    if (writer->length)
        memcpy(bytes, writer->bytes, writer->length);
    alloc_free(writer->bytes);
    writer->bytes = bytes;
    writer->room = room;
    return 1;
}

static void put(vsdk_state_writer *writer, const void *bytes, uint64_t length)
{
    if (length)
        memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static vsdk_status put_head(vsdk_state_writer *writer, const char *name, uint8_t type,
                            uint64_t more, const char *operation, vsdk_error *error)
{
    size_t length = strnlen(name, NAME_MOST + 1);
    field f;

    if (!length || length > NAME_MOST)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the name of the field has no or more than 63 bytes");
    if (find(writer->bytes, writer->length, name, (uint32_t)length, &f))
        return error_set(error, VSDK_ERROR_EXISTS, operation, "a field is called %s already", name);
    if (!room_make(writer, length + 2 + more)) {
        writer->failed = 1;
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for field %s", name);
    }
    uint8_t name_length = (uint8_t)length;
    put(writer, &name_length, 1);
    put(writer, name, length);
    put(writer, &type, 1);
    return VSDK_OK;
}

vsdk_status vsdk_state_put_number(vsdk_state_writer *writer, const char *name, uint64_t value,
                                  vsdk_error *error)
{
    static const char operation[] = "vsdk_state_put_number";

    if (!writer || !name)
        return error_null(error, operation, writer ? "name" : "writer");
    vsdk_status status = put_head(writer, name, TYPE_NUMBER, 8, operation, error);
    if (!status)
        put(writer, &value, 8);
    return status;
}

vsdk_status vsdk_state_put_bytes(vsdk_state_writer *writer, const char *name, const void *bytes,
                                 uint64_t length, vsdk_error *error)
{
    static const char operation[] = "vsdk_state_put_bytes";
    uint32_t size = (uint32_t)length;

    if (!writer || !name || (!bytes && length))
        return error_null(error, operation, !writer ? "writer" : name ? "bytes" : "name");
    if (length > UINT32_MAX)
        return error_set(error, VSDK_ERROR_LIMIT, operation,
                         "%" PRIu64 " bytes are more than 4 GiB - 1", length);
    vsdk_status status = put_head(writer, name, TYPE_BYTES, 4 + length, operation, error);
    if (!status) {
        put(writer, &size, 4);
        put(writer, bytes, length);
    }
    return status;
}

static vsdk_status field_of(const vsdk_state_reader *reader, const char *name, uint32_t type,
                            field *f, const char *operation, vsdk_error *error)
{
    if (!find(reader->bytes, reader->length, name, (uint32_t)strnlen(name, NAME_MOST + 1), f))
        return error_set(error, VSDK_ERROR_FORMAT, operation, "field %s is missing", name);
    if (f->type != type)
        return error_set(error, VSDK_ERROR_FORMAT, operation, "field %s is no %s", name,
                         type == TYPE_NUMBER ? "number" : "run of bytes");
    return VSDK_OK;
}

vsdk_status vsdk_state_get_number(vsdk_state_reader *reader, const char *name, uint64_t most,
                                  uint64_t *value, vsdk_error *error)
{
    static const char operation[] = "vsdk_state_get_number";
    field f;

    if (value)
        *value = 0;
    if (!reader || !name || !value)
        return error_null(error, operation, !reader ? "reader" : name ? "value" : "name");
    vsdk_status status = field_of(reader, name, TYPE_NUMBER, &f, operation, error);
    if (status)
        return status;
    if (f.number > most)
        return error_set(error, VSDK_ERROR_FORMAT, operation,
                         "field %s is %" PRIu64 ", above %" PRIu64, name, f.number, most);
    *value = f.number;
    return VSDK_OK;
}

vsdk_status vsdk_state_get_bytes(vsdk_state_reader *reader, const char *name, void *bytes,
                                 uint64_t capacity, uint64_t *length, vsdk_error *error)
{
    static const char operation[] = "vsdk_state_get_bytes";
    field f;

    if (length)
        *length = 0;
    if (!reader || !name || !length || (!bytes && capacity))
        return error_null(error, operation,
                          !reader   ? "reader"
                          : !name   ? "name"
                          : !length ? "length"
                                    : "bytes");
    vsdk_status status = field_of(reader, name, TYPE_BYTES, &f, operation, error);
    if (status)
        return status;
    if (f.length > capacity)
        return error_set(error, VSDK_ERROR_FORMAT, operation,
                         "field %s has %" PRIu64 " bytes, more than %" PRIu64, name, f.length,
                         capacity);
    if (f.length)
        memcpy(bytes, f.bytes, f.length);
    *length = f.length;
    return VSDK_OK;
}

uint32_t vsdk_state_has(vsdk_state_reader *reader, const char *name)
{
    field f;

    return reader && name &&
           find(reader->bytes, reader->length, name, (uint32_t)strnlen(name, NAME_MOST + 1), &f);
}

void fields_begin(vsdk_state_writer *writer, const char *kind)
{
    *writer = (vsdk_state_writer){.bytes = NULL};
    vsdk_state_put_bytes(writer, KIND, kind, strlen(kind), NULL);
}

vsdk_status fields_take(const vsdk_state_writer *writer, void *bytes, uint64_t capacity,
                        uint64_t *needed, const char *operation, vsdk_error *error)
{
    if (writer->failed)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the state");
    *needed = writer->length;
    if (writer->length <= capacity)
        memcpy(bytes, writer->bytes, writer->length);
    return VSDK_OK;
}

void fields_end(vsdk_state_writer *writer)
{
    alloc_free(writer->bytes);
}

static vsdk_status malformed(uint64_t at, const char *what, const char *operation,
                             vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_FORMAT, operation,
                     "the state is malformed at byte %" PRIu64 ": %s", at, what);
}

vsdk_status fields_open(vsdk_state_reader *reader, const char *kind, const void *bytes,
                        uint64_t length, const char *operation, vsdk_error *error)
{
    uint32_t count = 0;
    field f, other;

    for (uint64_t at = 0, next = 0; at < length; at = next, count++) {
        if (!field_next(bytes, length, &next, &f))
            return malformed(at, "no whole field", operation, error);
        if (find(bytes, at, (const char *)f.name, f.name_length, &other))
            return malformed(at, "a field comes twice", operation, error);
        if (count >= FIELDS_MOST)
            return malformed(at, "too many fields", operation, error);
    }
    if (!find(bytes, length, KIND, sizeof KIND - 1, &f) || f.type != TYPE_BYTES)
        return malformed(0, "it does not say of what kind it is", operation, error);
    if (f.length != strlen(kind) || memcmp(f.bytes, kind, f.length))
        return error_set(error, VSDK_ERROR_FORMAT, operation, "it is the state of %.*s, not of %s",
                         (int)(f.length < 64 ? f.length : 64), (const char *)f.bytes, kind);
    *reader = (vsdk_state_reader){.bytes = bytes, .length = length};
    return VSDK_OK;
}
