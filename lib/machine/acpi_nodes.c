/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes as AML: ACPI 6.5, chapter 20 for the objects, 6.4 for resources. A node has been checked;
 * here only the room is bounded. An object's length comes before its contents and is itself one or
 * two bytes long, so contents are written first and moved when their length is known. */
#include "machine/acpi_tables.h"

#include <string.h>

enum {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_NAME = 0x08,
    AML_BYTE = 0x0a,
    AML_WORD = 0x0b,
    AML_DWORD = 0x0c,
    AML_STRING = 0x0d,
    AML_SCOPE = 0x10,
    AML_BUFFER = 0x11,
    AML_EXTENDED = 0x5b,
    AML_DEVICE = 0x82,
};
enum { RES_PORTS = 0x47, RES_MEMORY32 = 0x86, RES_WORD = 0x88, RES_LINES = 0x89, RES_QWORD = 0x8a };
enum { RES_END = 0x79, RES_END_CHECKSUM = 0 /* none */ };
enum { SPACE_MEMORY = 0, SPACE_PORTS = 1 };
enum { CONSUMER = 1 << 0, EDGE = 1 << 1, FIXED_MIN = 1 << 2, FIXED_MAX = 1 << 3 };
enum { READ_WRITE = 1, ENTIRE_RANGE = 3, PORTS_DECODE_16 = 1, PORTS_SHORT = 255 };
enum { LENGTH_ONE_BYTE = 0x40 /* first that needs two, itself counted */ };
enum { LENGTH_MOST = 0xfff /* that two say */ };

/* `length` goes on beyond the capacity, so that the end sees that it was too small. */
typedef struct aml {
    uint8_t *bytes;
    uint32_t capacity, length;
} aml;

static void emit(aml *a, uint64_t value, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++, a->length++)
        if (a->length < a->capacity)
            a->bytes[a->length] = (uint8_t)(value >> (8 * i));
}

static void put_text(aml *a, const char *text)
{
    while (*text)
        emit(a, (uint8_t)*text++, 1);
}

/* The shortest form, as a compiler chooses it: the tables of one machine are the same bytes. */
static void put_integer(aml *a, uint32_t value)
{
    uint32_t width = value <= 0xff ? 1 : value <= 0xffff ? 2 : 4;

    if (value <= 1) {
        emit(a, value ? AML_ONE : AML_ZERO, 1);
        return;
    }
    emit(a, width == 1 ? AML_BYTE : width == 2 ? AML_WORD : AML_DWORD, 1);
    emit(a, value, width);
}

/* Puts before all that was written since `start` how long it is. */
static void put_length_before(aml *a, uint32_t start)
{
    uint32_t length = a->length - start, width = length + 1 < LENGTH_ONE_BYTE ? 1 : 2;

    length += width;
    a->length += width;
    if (a->length > a->capacity)
        return;
    memmove(a->bytes + start + width, a->bytes + start, length - width);
    a->bytes[start] = (uint8_t)(width == 1 ? length : LENGTH_ONE_BYTE | (length & 0xf));
    if (width == 2)
        a->bytes[start + 1] = (uint8_t)(length >> 4);
}

static void put_name(aml *a, const char *name)
{
    emit(a, AML_NAME, 1);
    put_text(a, name);
}

static uint32_t digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Seven characters are compressed into four bytes: 5 bits a letter, 4 a digit, the highest first.
 */
static void put_id(aml *a, const char *name, const char *id)
{
    put_name(a, name);
    if (strlen(id) == 7) {
        uint32_t vendor = (uint32_t)((id[0] - '@') << 10 | (id[1] - '@') << 5 | (id[2] - '@'));

        emit(a, AML_DWORD, 1);
        emit(a, vendor >> 8, 1);
        emit(a, vendor, 1);
        emit(a, digit(id[3]) << 4 | digit(id[4]), 1);
        emit(a, digit(id[5]) << 4 | digit(id[6]), 1);
        return;
    }
    emit(a, AML_STRING, 1);
    put_text(a, id);
    emit(a, 0, 1);
}

/* Both ends fixed; `width` bytes each: granularity, first, last, translation, length. */
static void put_space(aml *a, uint8_t tag, uint8_t space, uint8_t specific, uint32_t width,
                      const vsdk_pc_resource *r)
{
    emit(a, tag, 1);
    emit(a, 3 + 5 * width, 2);
    emit(a, space, 1);
    emit(a, CONSUMER | FIXED_MIN | FIXED_MAX, 1);
    emit(a, specific, 1);
    emit(a, 0, width);
    emit(a, r->address, width);
    emit(a, r->address + r->length - 1, width);
    emit(a, 0, width);
    emit(a, r->length, width);
}

/* The short descriptor has one byte for the length. */
static void put_ports(aml *a, const vsdk_pc_resource *r)
{
    if (r->length > PORTS_SHORT) {
        put_space(a, RES_WORD, SPACE_PORTS, ENTIRE_RANGE, 2, r);
        return;
    }
    emit(a, RES_PORTS, 1);
    emit(a, PORTS_DECODE_16, 1);
    emit(a, r->address, 2);
    emit(a, r->address, 2);
    emit(a, 1, 1);
    emit(a, r->length, 1);
}

/* Of a 32-bit descriptor both address and length fit, as it does not begin at 0: there is RAM. */
static void put_memory(aml *a, const vsdk_pc_resource *r)
{
    if (r->address + r->length > UINT64_C(1) << 32) {
        put_space(a, RES_QWORD, SPACE_MEMORY, READ_WRITE, 8, r);
        return;
    }
    emit(a, RES_MEMORY32, 1);
    emit(a, 9, 2);
    emit(a, READ_WRITE, 1);
    emit(a, r->address, 4);
    emit(a, r->length, 4);
}

/* Active high, and nobody else's. */
static void put_lines(aml *a, const vsdk_pc_resource *r)
{
    emit(a, RES_LINES, 1);
    emit(a, 2 + 4 * r->length, 2);
    emit(a, CONSUMER | (r->flags & VSDK_PC_LEVEL ? 0 : EDGE), 1);
    emit(a, r->length, 1);
    for (uint32_t i = 0; i < r->length; i++)
        emit(a, r->address + i, 4);
}

static void put_resources(aml *a, const vsdk_pc_node *node)
{
    uint8_t bytes[ACPI_AREA];
    aml inner = {bytes, sizeof bytes, 0};
    uint32_t start;

    if (!node->resource_count)
        return;
    for (uint32_t i = 0; i < node->resource_count; i++) {
        const vsdk_pc_resource *r = &node->resources[i];

        if (r->kind == VSDK_PC_PORTS)
            put_ports(&inner, r);
        else if (r->kind == VSDK_PC_MEMORY)
            put_memory(&inner, r);
        else
            put_lines(&inner, r);
    }
    emit(&inner, RES_END, 1);
    emit(&inner, RES_END_CHECKSUM, 1);
    put_name(a, "_CRS");
    emit(a, AML_BUFFER, 1);
    start = a->length;
    put_integer(a, inner.length);
    for (uint32_t i = 0; i < inner.length; i++)
        emit(a, bytes[i], 1);
    put_length_before(a, start);
}

static void put_node(aml *a, const vsdk_pc_node *node, uint32_t index)
{
    static const char digits[] = "0123456789ABCDEF";
    const char name[] = {'N', 'O', digits[index >> 4 & 15], digits[index & 15], 0};
    uint32_t start;

    emit(a, AML_EXTENDED, 1);
    emit(a, AML_DEVICE, 1);
    start = a->length;
    put_text(a, name);
    put_id(a, "_HID", node->hid);
    if (node->cid[0])
        put_id(a, "_CID", node->cid);
    put_name(a, "_UID");
    put_integer(a, node->uid);
    put_resources(a, node);
    put_length_before(a, start);
}

uint32_t acpi_put_nodes(const vsdk_pc_node *nodes, uint32_t count, uint8_t *to, uint32_t capacity)
{
    aml a = {to, capacity < LENGTH_MOST ? capacity : LENGTH_MOST, 0};
    uint32_t start;

    emit(&a, AML_SCOPE, 1);
    start = a.length;
    put_text(&a, "_SB_");
    for (uint32_t i = 0; i < count; i++)
        put_node(&a, &nodes[i], i);
    put_length_before(&a, start);
    return a.length <= a.capacity ? a.length : 0;
}
