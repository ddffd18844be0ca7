/* SPDX-License-Identifier: Apache-2.0 */
/* A state of somebody's. It is taken exactly where a parser that is written for clearness takes it,
 * each field reads as that parser says, and written again it is the same bytes. */
#include "core/fields.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { FIELDS = 4096, NAME = 63 };
static const char kind[] = "k";

typedef struct plain_field {
    char name[NAME + 1];
    uint32_t name_length, type;
    uint64_t number; /* or length */
    const uint8_t *bytes;
} plain_field;

static plain_field fields[FIELDS + 1];

static uint64_t little(const uint8_t *bytes, unsigned width)
{
    uint64_t value = 0;

    while (width--)
        value = value << 8 | bytes[width];
    return value;
}

/* One field off the front; how many bytes it had, 0 for none that is whole. */
static size_t parse(const uint8_t *bytes, size_t length, plain_field *f)
{
    size_t at = 1;

    if (length < 1 || !bytes[0] || bytes[0] > NAME || length < 2 + (size_t)bytes[0])
        return 0;
    *f = (plain_field){.name_length = bytes[0]};
    memcpy(f->name, bytes + at, f->name_length);
    at += f->name_length;
    f->type = bytes[at++];
    unsigned width = f->type == 1 ? 8 : f->type == 2 ? 4 : 0;
    if (!width || length - at < width)
        return 0;
    f->number = little(bytes + at, width);
    at += width;
    if (f->type == 1)
        return at;
    f->bytes = bytes + at;
    return length - at < f->number ? 0 : at + f->number;
}

static int is_known(uint32_t count, const plain_field *f)
{
    for (uint32_t i = 0; i < count; i++)
        if (fields[i].name_length == f->name_length &&
            !memcmp(fields[i].name, f->name, f->name_length))
            return 1;
    return 0;
}

/* How many fields there are, or -1. */
static int parse_all(const uint8_t *bytes, size_t length)
{
    uint32_t count = 0, kinds = 0;

    while (length) {
        plain_field *f = &fields[count];
        size_t used = parse(bytes, length, f);
        if (!used || count >= FIELDS || is_known(count, f))
            return -1;
        if (f->name_length == 4 && !memcmp(f->name, "kind", 4))
            kinds = f->type == 2 && f->number == sizeof kind - 1 &&
                    !memcmp(f->bytes, kind, sizeof kind - 1);
        count++;
        bytes += used;
        length -= used;
    }
    return kinds ? (int)count : -1;
}

static void must(int holds)
{
    if (!holds)
        abort();
}

static void read_field(vsdk_state_reader *reader, const plain_field *f)
{
    static uint8_t copy[1 << 16];
    uint64_t value;

    if (strlen(f->name) != f->name_length)
        return; /* a zero inside: nobody asks for such a name */
    must(vsdk_state_has(reader, f->name));
    if (f->type == 1) {
        must(!vsdk_state_get_number(reader, f->name, f->number, &value, NULL) &&
             value == f->number);
        must(!f->number || vsdk_state_get_number(reader, f->name, f->number - 1, &value, NULL) ==
                               VSDK_ERROR_FORMAT);
        must(vsdk_state_get_bytes(reader, f->name, copy, sizeof copy, &value, NULL) ==
             VSDK_ERROR_FORMAT);
    } else if (f->number <= sizeof copy) {
        must(!vsdk_state_get_bytes(reader, f->name, copy, f->number, &value, NULL) &&
             value == f->number && !memcmp(copy, f->bytes, f->number));
        must(!f->number || vsdk_state_get_bytes(reader, f->name, copy, f->number - 1, &value,
                                                NULL) == VSDK_ERROR_FORMAT);
    }
}

/* As a writer would have made it: the kind first, no name with a zero inside. */
static void write_again(const uint8_t *bytes, size_t length, int count)
{
    vsdk_state_writer writer;
    uint64_t needed = 0;

    if (strcmp(fields[0].name, "kind"))
        return;
    fields_begin(&writer, kind);
    for (int i = 1; i < count; i++) {
        const plain_field *f = &fields[i];
        if (strlen(f->name) != f->name_length) {
            fields_end(&writer);
            return;
        }
        must(!(f->type == 1 ? vsdk_state_put_number(&writer, f->name, f->number, NULL)
                            : vsdk_state_put_bytes(&writer, f->name, f->bytes, f->number, NULL)));
        must(vsdk_state_put_number(&writer, f->name, 0, NULL) == VSDK_ERROR_EXISTS);
    }
    uint8_t *copy = malloc(length);
    must(copy && !fields_take(&writer, copy, length, &needed, "fuzz", NULL));
    must(needed == length && !memcmp(copy, bytes, length));
    free(copy);
    fields_end(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    vsdk_state_reader reader;
    vsdk_error error;

    if (length > 1 << 16)
        return 0;
    int count = parse_all(bytes, length);
    vsdk_status status = fields_open(&reader, kind, bytes, length, "fuzz", &error);
    must(status == (count < 0 ? VSDK_ERROR_FORMAT : VSDK_OK));
    if (status)
        return 0;
    for (int i = 0; i < count; i++)
        read_field(&reader, &fields[i]);
    write_again(bytes, length, count);
    return 0;
}
