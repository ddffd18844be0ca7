/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lamps.
 *
 * A lamp is ON or OFF. This paragraph is long enough that it must be wrapped in the header, where a
 * comment ends before column 100.
 *
 * - a first point
 * - a second point, whose text is also much longer than the line on which it begins, so it goes on
 *   below
 *
 *     verbatim lines stay as they are
 *
 * A pointer must not be NULL unless it says that it may be. An error may always be NULL; it is
 * filled in when the call fails.
 *
 * Generated from abi/lamp.toml by abi/generate.py.
 */

#ifndef VSDK_LAMP_H
#define VSDK_LAMP_H

#include <stddef.h>
#include <stdint.h>

#include <vsdk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* A lamp. Counted. Since 0.1. */
typedef struct vsdk_lamp vsdk_lamp;

/* Luminous flux. Since 0.1. */
typedef uint64_t vsdk_lumen;

/*
 * State of a lamp.
 *
 * Since 0.1.
 */
enum vsdk_lamp_state_values {
    VSDK_LAMP_OFF = 0,       /* Dark */
    VSDK_LAMP_ON = 1,        /* Bright */
    VSDK_LAMP_BURNT_OUT = 2, /* Dark for good. Since 0.2. */
};
typedef uint32_t vsdk_lamp_state;

/*
 * Flags of vsdk_lamp_config.
 *
 * Since 0.1.
 */
enum vsdk_lamp_flags_values {
    VSDK_LAMP_DIMMABLE = 0x10, /* It has a dimmer, so that brightness says something; this text
                                  needs a second line */
};
typedef uint32_t vsdk_lamp_flags;

/*
 * Red, green and blue.
 *
 * Source: IEC 61966-2-1. 4 bytes. Since 0.1.
 */
typedef struct vsdk_colour {
    uint8_t channels[4]; /* The last is zero */
} vsdk_colour;

/*
 * How to make a lamp.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 40 bytes. Since 0.1.
 */
typedef struct vsdk_lamp_config {
    uint32_t size;         /* sizeof(vsdk_lamp_config) */
    uint32_t flags;        /* vsdk_lamp_flags */
    const char *name;      /* (may be NULL) For people. Copied. */
    vsdk_lamp_state state; /* At first */
    vsdk_colour colour;    /* Of its light */
    vsdk_lumen limit;      /* (lumens) At most. Since 0.2. */
    uint32_t reserved[2];  /* Zero */
} vsdk_lamp_config;

typedef struct vsdk_lamp_ops vsdk_lamp_ops;

/*
 * Told that a lamp was switched.
 *
 *   user  (may be NULL) The pointer given with it.
 *   ops   Where it stands.
 *
 * Returns zero to be told again.
 * Runs on: the one that switched it.
 * May call: nothing.
 * Since 0.1.
 */
typedef uint32_t (*vsdk_lamp_fn)(void *user, const vsdk_lamp_ops *ops);

/*
 * What a lamp calls.
 *
 * The caller sets size to sizeof, and may leave the rest zero. 24 bytes. Since 0.1.
 */
struct vsdk_lamp_ops {
    uint32_t size;           /* sizeof(vsdk_lamp_ops) */
    uint32_t flags;          /* Zero */
    vsdk_lamp_fn switched;   /* (may be NULL) It was switched */
    vsdk_release_fn release; /* (may be NULL) It is gone */
};

/*
 * The name of a vsdk_lamp_state: off, on, burnt_out.
 *
 *   value  Any value.
 *
 * Returns the name in lower case, unknown for a value without one (static).
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
const char *vsdk_lamp_state_name(vsdk_lamp_state value);

/*
 * Make a lamp.
 *
 * It is dark.
 *
 *   config  NULL for the defaults.
 *   lamp    Out, new reference.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer that must not be NULL is
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 *
 * Example:
 *     vsdk_lamp *lamp;
 *     vsdk_status status = vsdk_lamp_create(NULL, &lamp, NULL);
 */
vsdk_status vsdk_lamp_create(const vsdk_lamp_config *config, vsdk_lamp **lamp, vsdk_error *error);

/*
 * Drop a reference.
 *
 *   lamp  May be NULL.
 *
 * Given NULL: does nothing.
 * Threads: any. Blocks: no. From callbacks: yes. States: any. Backends: all. Since 0.1.
 */
void vsdk_lamp_close(vsdk_lamp *lamp);

/*
 * Be told when a lamp is switched.
 *
 *   bytes    (length bytes) A message in Morse code.
 *   length   (bytes) How many.
 *   fn       What to call.
 *   user     (may be NULL) The reference to drop.
 *   release  (may be NULL) Called exactly once with user when it is no longer needed, on failure
 *            too.
 *
 * Errors, VSDK_ERROR_...:
 *   INVALID_ARGUMENT  a pointer that must not be NULL is
 *   STATE             the lamp is OFF
 *   GONE              the lamp was thrown away
 *   BUSY              called from a callback
 * Threads: the lamp's own. Blocks: until it is light. From callbacks: no. States: ON. Backends:
 * kvm, mock. Since 0.2.
 * Source: ITU-R M.1677.
 */
vsdk_status vsdk_lamp_watch(vsdk_lamp *lamp, const void *bytes, size_t length, vsdk_lamp_fn fn,
                            void *user, vsdk_release_fn release, vsdk_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* VSDK_LAMP_H */
