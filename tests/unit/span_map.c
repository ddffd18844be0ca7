/* SPDX-License-Identifier: Apache-2.0 */
/* The map of spans against a model, an array of units that knows who has each, through thousands of
 * changes in random order, with and without memory; and its readers while it changes. */
#include "core/span_map.h"
#include "base/alloc.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

enum { UNITS = 6000, UNIT = 16, LONGEST = 6 };

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
static int no_memory;

void *__wrap_calloc(size_t count, size_t bytes)
{
    return no_memory ? NULL : __real_calloc(count, bytes);
}

static readers section;
static span_map map;
static span *owner[UNITS]; /* the model: who has a unit */
static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % n);
}

/* Every unit's first and last address, and what a range of several overlaps. */
static int agrees(uint32_t from, uint32_t until)
{
    const span_node *root = span_map_root(&map);

    for (uint32_t i = from; i < until; i++) {
        uint64_t address = (uint64_t)i * UNIT;
        uint32_t length = 1 + random_below(LONGEST), here = 0;
        if (span_map_find(root, address) != owner[i] ||
            span_map_find(root, address + UNIT - 1) != owner[i])
            return 0;
        const span *over = span_map_overlap(root, address, (uint64_t)length * UNIT);
        for (uint32_t j = i; j < i + length && j < UNITS; j++)
            here |= owner[j] && (!over || owner[j] == over);
        for (uint32_t j = i; j < i + length && j < UNITS; j++)
            here |= (owner[j] && !over) << 1;
        if ((over && !(here & 1)) || here & 2)
            return 0;
    }
    return 1;
}

static void owner_set(const span *s, span *to)
{
    for (uint64_t i = s->first / UNIT; i < (s->first + s->length) / UNIT; i++)
        owner[i] = to;
}

static int add(uint32_t unit, uint32_t units)
{
    for (uint32_t i = unit; i < unit + units; i++)
        if (i >= UNITS || owner[i])
            return 1;
    span *s = malloc(sizeof *s);
    *s = (span){(uint64_t)unit * UNIT, (uint64_t)units * UNIT};
    if (!span_map_add(&map, &section, s)) {
        free(s);
        return 0;
    }
    owner_set(s, s);
    return 1;
}

static void take(uint32_t unit)
{
    span *s = owner[unit];

    if (!s)
        return;
    owner_set(s, NULL);
    span_map_take(&map, &section, s);
    free(s);
}

static void give_back(const span *s)
{
    owner_set(s, NULL);
    free((span *)s);
}

static void end(void)
{
    span_map_clear(&map, &section, give_back);
    for (uint32_t i = 0; i < UNITS; i++)
        cr_assert_null(owner[i], "unit %u was not given back", i);
    cr_assert(!map.kept && !map.kept_count);
    readers_destroy(&section);
}

static void begin(void)
{
    readers_init(&section);
    seed = 7;
}

TestSuite(span_map, .init = begin, .fini = end);

Test(span_map, an_empty_one_has_nothing)
{
    cr_assert_null(span_map_find(span_map_root(&map), 0));
    cr_assert_null(span_map_overlap(span_map_root(&map), 0, UINT64_MAX));
}

/* Periods in which it grows and in which it shrinks. */
Test(span_map, it_is_as_its_model_through_random_changes)
{
    for (uint32_t step = 0; step < 30000; step++) {
        uint32_t unit = random_below(UNITS);
        if (random_below(100) < (step / 5000 % 2 ? 25u : 75u))
            cr_assert(add(unit, 1 + random_below(LONGEST)));
        else
            take(unit);
        cr_assert(agrees(unit > 20 ? unit - 20 : 0, unit + 20 < UNITS ? unit + 20 : UNITS),
                  "after step %u", step);
        if (step % 3000 == 0)
            cr_assert(agrees(0, UNITS), "after step %u", step);
    }
    cr_assert(agrees(0, UNITS));
}

/* A span that is put where the first ones of a node were, and reaches into it. */
Test(span_map, a_span_may_lie_across_what_two_nodes_had)
{
    for (uint32_t i = 0; i < UNITS; i++)
        cr_assert(add(i, 1));
    for (uint32_t i = 100; i + LONGEST < UNITS; i += 50) {
        for (uint32_t at = i; at < i + LONGEST; at++)
            take(at);
        cr_assert(add(i, LONGEST));
        cr_assert(agrees(i - 10, i + LONGEST));
    }
    cr_assert(agrees(0, UNITS));
}

Test(span_map, rising_and_falling_order)
{
    for (uint32_t i = 0; i < UNITS; i += 2)
        cr_assert(add(i, 1));
    cr_assert(agrees(0, UNITS));
    cr_assert_leq(span_map_root(&map)->level, 2, "added at the end, nodes are full");
    for (uint32_t i = 0; i < UNITS; i++)
        take(UNITS - 1 - i);
    cr_assert_null(span_map_root(&map));
    for (uint32_t i = 0; i < UNITS; i += 2)
        cr_assert(add(UNITS - 1 - i, 1));
    cr_assert(agrees(0, UNITS));
    for (uint32_t i = 0; i < UNITS; i++)
        take(i);
    cr_assert_null(span_map_root(&map));
}

/* An add that has no memory changes nothing; taking out never needs any. */
Test(span_map, without_memory_spans_can_be_taken_out)
{
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t i = 0; i < 300; i++)
            cr_assert(add(random_below(UNITS), 1 + random_below(LONGEST)));
        no_memory = 1;
        for (uint32_t i = 0; i < 200; i++) {
            add(random_below(UNITS), 1);
            take(random_below(UNITS));
            take(random_below(UNITS));
        }
        no_memory = 0;
        cr_assert(agrees(0, UNITS));
    }
    no_memory = 1;
    cr_assert(!add(UNITS - 1, 1) || owner[UNITS - 1]);
    for (uint32_t i = 0; i < UNITS; i++)
        take(i);
    no_memory = 0;
}

static _Atomic int over;
static _Atomic unsigned wrong;

/* Units 1 mod 4 always have a span; what else there is comes and goes. */
static void *look_always(void *slot)
{
    uint64_t mine = 99;

    while (!atomic_load(&over)) {
        readers_slot_enter(slot);
        const span_node *root = span_map_root(&map);
        for (uint32_t i = 0; i < 20; i++) {
            mine = mine * UINT64_C(6364136223846793005) + 1;
            uint64_t unit = (mine >> 33) % UNITS / 4 * 4 + 1;
            const span *s = span_map_find(root, unit * UNIT);
            if (!s || s->first != unit * UNIT || s->length != UNIT)
                atomic_store(&wrong, 1);
            s = span_map_find(root, (unit + 2) * UNIT);
            if (s && s->first != (unit + 2) * UNIT)
                atomic_store(&wrong, 1);
        }
        readers_slot_leave(&section, slot);
    }
    return NULL;
}

Test(span_map, readers_see_whole_tables)
{
    static readers_slot slot;
    pthread_t reader;

    readers_add_slot(&section, &slot);
    for (uint32_t i = 1; i < UNITS; i += 4)
        cr_assert(add(i, 1));
    pthread_create(&reader, NULL, look_always, &slot);
    for (uint32_t step = 0; step < 5000; step++) {
        uint32_t unit = random_below(UNITS / 4) * 4 + 3;
        if (owner[unit])
            take(unit);
        else
            cr_assert(add(unit, 1));
    }
    atomic_store(&over, 1);
    pthread_join(reader, NULL);
    cr_assert(!atomic_load(&wrong));
}
