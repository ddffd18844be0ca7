/* SPDX-License-Identifier: Apache-2.0 */
/* Named fields: what is written is read back by name, and bytes that are no such state are refused
 * before anybody reads of them. */
#include "core/fields.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ok(call) cr_assert_eq((call), VSDK_OK, "%s", #call)
#define fails(want, call)                                                                          \
    do {                                                                                           \
        vsdk_error error_ = {0}, *E = &error_;                                                     \
        cr_assert_eq((call), VSDK_ERROR_##want, "%s", #call);                                      \
        cr_assert_eq(error_.code, VSDK_ERROR_##want, "%s left the record alone", #call);           \
        cr_assert(error_.operation[0] && error_.message[0]);                                       \
    } while (0)

static vsdk_state_writer w;
static uint8_t state[1 << 16];
static uint64_t length;

static void begin(void)
{
    fields_begin(&w, "kind");
}

static void end(void)
{
    fields_end(&w);
}

TestSuite(fields, .init = begin, .fini = end);

static void take(void)
{
    ok(fields_take(&w, state, sizeof state, &length, "op", NULL));
    cr_assert_leq(length, sizeof state);
}

/* From memory of exactly that length, so that a sanitizer sees a read beyond it. */
static vsdk_status open_copy(const void *bytes, uint64_t size, vsdk_state_reader *r, uint8_t **copy)
{
    vsdk_error error = {0};

    *copy = malloc(size ? size : 1);
    if (size)
        memcpy(*copy, bytes, size);
    vsdk_status status = fields_open(r, "kind", *copy, size, "op", &error);
    cr_assert_eq(error.code, status);
    return status;
}

static vsdk_status opens(const void *bytes, uint64_t size)
{
    vsdk_state_reader r;
    uint8_t *copy;
    vsdk_status status = open_copy(bytes, size, &r, &copy);

    free(copy);
    return status;
}

static void put_some(void)
{
    ok(vsdk_state_put_number(&w, "small", 0, NULL));
    ok(vsdk_state_put_number(&w, "large", UINT64_MAX, NULL));
    ok(vsdk_state_put_bytes(&w, "bytes", "\0\1\2", 3, NULL));
    ok(vsdk_state_put_bytes(&w, "none", NULL, 0, NULL));
}

Test(fields, come_back_by_name_in_any_order)
{
    vsdk_state_reader r;
    uint64_t n;
    uint8_t bytes[4] = {9, 9, 9, 9};

    put_some();
    take();
    ok(fields_open(&r, "kind", state, length, "op", NULL));
    ok(vsdk_state_get_bytes(&r, "none", NULL, 0, &n, NULL));
    cr_assert_eq(n, 0);
    ok(vsdk_state_get_bytes(&r, "bytes", bytes, 4, &n, NULL));
    cr_assert_eq(n, 3);
    cr_assert_arr_eq(bytes, "\0\1\2\11", 4);
    ok(vsdk_state_get_number(&r, "large", UINT64_MAX, &n, NULL));
    cr_assert_eq(n, UINT64_MAX);
    ok(vsdk_state_get_number(&r, "small", 0, &n, NULL));
    cr_assert_eq(n, 0);
    ok(vsdk_state_get_number(&r, "small", 5, &n, NULL)); /* as often as one likes */
    cr_assert(vsdk_state_has(&r, "bytes") && vsdk_state_has(&r, "kind"));
    cr_assert(!vsdk_state_has(&r, "byte") && !vsdk_state_has(&r, "bytess"));
    cr_assert(!vsdk_state_has(NULL, "x") && !vsdk_state_has(&r, NULL) && !vsdk_state_has(&r, ""));
}

/* The format is what the header says, on every machine. */
Test(fields, have_these_bytes)
{
    static const uint8_t wanted[] = {4,   'k', 'i', 'n', 'd', 2, 4, 0, 0, 0,    'k', 'i',
                                     'n', 'd', 1,   'n', 1,   8, 7, 6, 5, 4,    3,   2,
                                     1,   2,   'b', 'b', 2,   2, 0, 0, 0, 0xaa, 0xbb};

    ok(vsdk_state_put_number(&w, "n", 0x0102030405060708, NULL));
    ok(vsdk_state_put_bytes(&w, "bb", "\xaa\xbb", 2, NULL));
    take();
    cr_assert_eq(length, sizeof wanted);
    cr_assert_arr_eq(state, wanted, sizeof wanted);
}

Test(fields, are_refused_where_they_do_not_fit)
{
    vsdk_state_reader r;
    uint8_t bytes[4] = {0};
    uint64_t n = 7;

    put_some();
    take();
    ok(fields_open(&r, "kind", state, length, "op", NULL));
    fails(FORMAT, vsdk_state_get_number(&r, "missing", 1, &n, E));
    cr_assert_eq(n, 0);
    fails(FORMAT, vsdk_state_get_number(&r, "bytes", UINT64_MAX, &n, E));
    fails(FORMAT, vsdk_state_get_number(&r, "large", UINT64_MAX - 1, &n, E));
    cr_assert_eq(n, 0);
    n = 7;
    fails(FORMAT, vsdk_state_get_bytes(&r, "small", bytes, 4, &n, E));
    cr_assert_eq(n, 0);
    fails(FORMAT, vsdk_state_get_bytes(&r, "bytes", bytes, 2, &n, E));
    cr_assert_eq(n, 0);
    cr_assert_eq(bytes[1], 0);
    fails(FORMAT, vsdk_state_get_bytes(&r, "missing", bytes, 4, &n, E));
    fails(INVALID_ARGUMENT, vsdk_state_get_bytes(&r, "bytes", NULL, 4, &n, E));
    fails(INVALID_ARGUMENT, vsdk_state_get_bytes(&r, "bytes", bytes, 4, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_state_get_bytes(&r, NULL, bytes, 4, &n, E));
    fails(INVALID_ARGUMENT, vsdk_state_get_bytes(NULL, "bytes", bytes, 4, &n, E));
    fails(INVALID_ARGUMENT, vsdk_state_get_number(&r, "small", 1, NULL, E));
    fails(INVALID_ARGUMENT, vsdk_state_get_number(&r, NULL, 1, &n, E));
    fails(INVALID_ARGUMENT, vsdk_state_get_number(NULL, "small", 1, &n, E));
}

Test(fields, are_written_once_and_by_a_name)
{
    char name[65];

    memset(name, 'x', sizeof name);
    name[64] = 0;
    fails(INVALID_ARGUMENT, vsdk_state_put_number(&w, name, 1, E));
    name[63] = 0;
    ok(vsdk_state_put_number(&w, name, 1, NULL));
    fails(EXISTS, vsdk_state_put_number(&w, name, 1, E));
    fails(EXISTS, vsdk_state_put_bytes(&w, name, "x", 1, E));
    fails(EXISTS, vsdk_state_put_bytes(&w, "kind", "x", 1, E)); /* whose state it is */
    fails(INVALID_ARGUMENT, vsdk_state_put_number(&w, "", 1, E));
    fails(INVALID_ARGUMENT, vsdk_state_put_number(&w, NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_state_put_number(NULL, "n", 1, E));
    fails(INVALID_ARGUMENT, vsdk_state_put_bytes(&w, "n", NULL, 1, E));
    fails(INVALID_ARGUMENT, vsdk_state_put_bytes(NULL, "n", "x", 1, E));
    fails(LIMIT, vsdk_state_put_bytes(&w, "n", "x", UINT64_C(1) << 32, E));
    ok(vsdk_state_put_number(&w, "n", 1, NULL)); /* what was refused has left nothing */
    take();
    ok(opens(state, length));
    cr_assert_eq(length, 14 + 2 + 63 + 8 + 3 + 8);
}

Test(fields, ask_for_the_room_that_they_need)
{
    uint64_t needed = 0;

    put_some();
    ok(fields_take(&w, NULL, 0, &needed, "op", NULL));
    memset(state, 0x55, sizeof state);
    ok(fields_take(&w, state, needed - 1, &length, "op", NULL));
    cr_assert_eq(length, needed);
    cr_assert_eq(state[0], 0x55); /* all or nothing */
    ok(fields_take(&w, state, needed, &length, "op", NULL));
    ok(opens(state, needed));
}

Test(fields, grow)
{
    static uint8_t many[20000];
    vsdk_state_reader r;
    char name[16];
    uint64_t n;

    memset(many, 7, sizeof many);
    ok(vsdk_state_put_bytes(&w, "many", many, sizeof many, NULL));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "field %d", i);
        ok(vsdk_state_put_number(&w, name, (uint64_t)i, NULL));
    }
    take();
    ok(fields_open(&r, "kind", state, length, "op", NULL));
    ok(vsdk_state_get_number(&r, "field 299", 299, &n, NULL));
    cr_assert_eq(n, 299);
}

Test(fields, of_another_kind_are_refused)
{
    vsdk_state_reader r;

    put_some();
    take();
    fails(FORMAT, fields_open(&r, "king", state, length, "op", E));
    fails(FORMAT, fields_open(&r, "kin", state, length, "op", E));
    fails(FORMAT, fields_open(&r, "kinds", state, length, "op", E));
    fails(FORMAT, fields_open(&r, "", state, length, "op", E));
    state[5] = 1; /* the kind is a number */
    fails(FORMAT, fields_open(&r, "kind", state, length, "op", E));
    fails(FORMAT, fields_open(&r, "kind", state, 0, "op", E));
    fails(FORMAT, fields_open(&r, "kind", state + 14, length - 14, "op", E)); /* it says no kind */
}

/* Cut at every byte: refused, but where a field ends. */
Test(fields, cut_short_are_refused)
{
    vsdk_state_reader r;
    unsigned whole = 0;
    uint8_t *copy;
    uint64_t n;

    put_some();
    take();
    for (uint64_t cut = 0; cut < length; cut++)
        if (!open_copy(state, cut, &r, &copy)) {
            whole++;
            fails(FORMAT, vsdk_state_get_bytes(&r, "none", NULL, 0, &n, E));
            free(copy);
        } else {
            free(copy);
        }
    cr_assert_eq(whole, 4); /* after the kind and three of four fields */
}

/* Each byte changed in each bit: refused, or whole fields; nothing is read beyond. */
Test(fields, with_any_bit_changed_stay_inside)
{
    uint8_t bytes[64];
    uint64_t n;

    put_some();
    take();
    for (uint64_t at = 0; at < length; at++)
        for (int bit = 0; bit < 8; bit++) {
            vsdk_state_reader r;
            uint8_t *copy;
            state[at] ^= (uint8_t)(1 << bit);
            if (!open_copy(state, length, &r, &copy)) {
                vsdk_state_get_bytes(&r, "bytes", bytes, sizeof bytes, &n, NULL);
                cr_assert_leq(n, sizeof bytes);
                vsdk_state_get_number(&r, "large", UINT64_MAX, &n, NULL);
            }
            free(copy);
            state[at] ^= (uint8_t)(1 << bit);
        }
}

static void append(const void *bytes, uint64_t size)
{
    memcpy(state + length, bytes, size);
    length += size;
}

Test(fields, that_are_hostile_are_refused)
{
    static const struct {
        const char *bytes;
        uint64_t size;
    } rows[] = {
        {"\1a", 2},                                 /* no type */
        {"\0\1\0\0\0\0\0\0\0\0", 10},               /* no name */
        {"\100a", 2},                               /* a name that is too long */
        {"\1a\3\0\0\0\0\0\0\0\0", 11},              /* no such type */
        {"\1a\0\0\0\0\0\0\0\0\0", 11},              /* nor this */
        {"\1a\2\377\377\377\377x", 8},              /* a length beyond the end */
        {"\1a\2\2\0\0\0x", 8},                      /* by one */
        {"\1a\1\0\0\0\0\0\0\0", 10},                /* a number of seven bytes */
        {"\4kind\2\4\0\0\0kind", 14},               /* the kind twice */
        {"\1a\1\0\0\0\0\0\0\0\0\1a\2\0\0\0\0", 18}, /* a name twice, of two types */
        {"\377", 1},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        take();
        append(rows[i].bytes, rows[i].size);
        cr_assert_eq(opens(state, length), VSDK_ERROR_FORMAT, "row %u", i);
    }
    take();
    append("\1a\1\0\0\0\0\0\0\0\0", 11);
    ok(opens(state, length)); /* the rows' neighbour */
}

/* How much work a state may make is bounded. */
Test(fields, that_are_too_many_are_refused)
{
    enum { MOST = 4096 };

    take();
    for (unsigned i = 0; i < MOST; i++) {
        const uint8_t field[] = {2, (uint8_t)(1 + i % 64), (uint8_t)(1 + i / 64), 2, 0, 0, 0, 0};
        append(field, sizeof field);
        if (i == MOST - 2)
            ok(opens(state, length));
    }
    cr_assert_eq(opens(state, length), VSDK_ERROR_FORMAT);
}
