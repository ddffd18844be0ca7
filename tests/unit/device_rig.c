/* SPDX-License-Identifier: Apache-2.0 */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

vsdk_vm vm;
char got[256];
uint32_t got_length, spaces, ended, echo;
vsdk_stream *wire;

void rig_begin(void)
{
    memset(&vm, 0, sizeof vm);
    vm.vcpus_max = 3;
    got_length = spaces = ended = echo = 0;
    wire = NULL;
}

void rig_end(void)
{
    fake_end(&vm);
    vsdk_stream_close(wire);
    cr_assert(eq(u32, vm.devices, 0));
    cr_assert(zero(fake_leaks()));
}

static void take(vsdk_stream *stream)
{
    char bytes[16];
    uint64_t n = 0;

    while (!vsdk_stream_read(stream, bytes, sizeof bytes, &n, NULL) && n) {
        cr_assert(got_length + n <= sizeof got);
        memcpy(got + got_length, bytes, n);
        got_length += (uint32_t)n;
        if (echo)
            cr_assert(eq(u64, rig_input(bytes, n), n));
    }
}

static void happened(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    cr_assert(eq(ptr, user, &got));
    cr_assert(eq(ptr, stream, wire));
    if (events & VSDK_STREAM_READABLE)
        take(stream);
    spaces += events & VSDK_STREAM_WRITABLE ? 1 : 0;
    ended += events & VSDK_STREAM_ENDED ? 1 : 0;
}

/* One that reads nothing is told of the rest all the same. */
static void happened_unread(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    happened(user, stream, events & ~(uint32_t)VSDK_STREAM_READABLE);
}

vsdk_stream *rig_stream(uint64_t capacity, int listens)
{
    vsdk_stream_config config = {.size = sizeof config, .capacity = capacity};
    vsdk_stream *far;

    cr_assert(eq(ptr, wire, NULL));
    cr_assert(eq(i32, vsdk_stream_create(&config, &wire, &far, NULL), VSDK_OK));
    cr_assert(eq(
        i32, vsdk_stream_set_handler(wire, listens ? happened : happened_unread, &got, NULL, NULL),
        VSDK_OK));
    return far;
}

uint64_t rig_input(const void *bytes, uint64_t length)
{
    uint64_t accepted;

    cr_assert(eq(i32, vsdk_stream_write(wire, bytes, length, &accepted, NULL), VSDK_OK));
    return accepted;
}

vsdk_device *rig_serial_on(vsdk_stream *end)
{
    vsdk_serial_config config = {.size = sizeof config, .stream = end};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_serial_create(&vm, &config, &device, NULL), VSDK_OK));
    vsdk_stream_close(end);
    return device;
}

vsdk_device *rig_serial(void)
{
    return rig_serial_on(rig_stream(0, 1));
}
