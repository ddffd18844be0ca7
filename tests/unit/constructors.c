/* SPDX-License-Identifier: Apache-2.0 */
/* What all constructors of devices share, on the fake. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(constructors, .init = rig_begin, .fini = rig_end);

#define CONSTRUCTORS(X)                                                                            \
    X(serial)                                                                                      \
    X(rtc)                                                                                         \
    X(i8042)                                                                                       \
    X(acpi_pm) X(exit_port) X(debug_console) X(fw_cfg) X(pvpanic) X(port92) X(ioapic) X(ged)

/* A configuration of any kind begins with size, flags, address. */
typedef struct any_config {
    uint32_t size, flags;
    uint64_t address;
    uint8_t rest[240];
} any_config;

#define ROW(name)                                                                                  \
    static vsdk_status make_##name##_any(any_config *config, vsdk_device **device,                 \
                                         vsdk_error *error)                                        \
    {                                                                                              \
        return vsdk_##name##_create(&vm, (void *)config, device, error);                           \
    }                                                                                              \
    static vsdk_status make_##name##_null(vsdk_device **device, int which, vsdk_error *error)      \
    {                                                                                              \
        return vsdk_##name##_create(which ? NULL : &vm, NULL, which ? device : NULL, error);       \
    }
CONSTRUCTORS(ROW)

#define ENTRY(name) {#name, make_##name##_any, make_##name##_null, sizeof(vsdk_##name##_config)},
static const struct {
    const char *name;
    vsdk_status (*any)(any_config *, vsdk_device **, vsdk_error *);
    vsdk_status (*null)(vsdk_device **, int, vsdk_error *);
    uint32_t size;
} constructor[] = {CONSTRUCTORS(ENTRY)};
enum { CONSTRUCTORS_COUNT = sizeof constructor / sizeof *constructor };

static void expect(uint32_t i, any_config config, vsdk_status status)
{
    vsdk_device *device = (vsdk_device *)&vm;
    vsdk_error error = {0};

    cr_assert(eq(i32, constructor[i].any(&config, &device, &error), status), "%s",
              constructor[i].name);
    cr_assert(eq(i32, error.code, status), "%s", constructor[i].name);
    if (status)
        cr_assert(eq(ptr, device, NULL), "%s", constructor[i].name);
    else
        vsdk_device_close(device);
}

Test(constructors, check_pointers)
{
    for (uint32_t i = 0; i < CONSTRUCTORS_COUNT; i++) {
        vsdk_device *device = (vsdk_device *)&vm;

        cr_assert(eq(i32, constructor[i].null(&device, 0, NULL), VSDK_ERROR_INVALID_ARGUMENT));
        cr_assert(eq(i32, constructor[i].null(&device, 1, NULL), VSDK_ERROR_INVALID_ARGUMENT));
        cr_assert(eq(ptr, device, NULL));
    }
}

Test(constructors, check_configurations)
{
    for (uint32_t i = 0; i < CONSTRUCTORS_COUNT; i++) {
        any_config later = {.size = sizeof later}, inside = {.size = constructor[i].size};

        expect(i, (any_config){.size = constructor[i].size, .flags = 0x80000000},
               VSDK_ERROR_INVALID_ARGUMENT);
        later.rest[sizeof later.rest - 1] = 1;
        expect(i, later, VSDK_ERROR_UNSUPPORTED);
        ((uint8_t *)&inside)[constructor[i].size - 1] = 1;
        expect(i, inside, VSDK_ERROR_UNSUPPORTED);
        expect(i, (any_config){.size = sizeof later}, VSDK_OK);
        expect(i, (any_config){.size = sizeof later}, VSDK_ERROR_EXISTS);
        fake_end(&vm);
        if (strcmp(constructor[i].name, "ioapic"))
            expect(i, (any_config){.size = constructor[i].size, .address = 0xffff8},
                   VSDK_ERROR_RANGE);
    }
}

Test(constructors, survive_every_failure)
{
    for (uint32_t i = 0; i < CONSTRUCTORS_COUNT; i++) {
        vsdk_status status = VSDK_ERROR_NO_MEMORY;

        for (uint32_t n = 1; status; n++) {
            any_config config = {.size = constructor[i].size};
            vsdk_device *device;

            vm.fail = n;
            status = constructor[i].any(&config, &device, NULL);
            cr_assert(status == VSDK_OK || status == VSDK_ERROR_NO_MEMORY);
            if (status)
                cr_assert(eq(u32, vm.devices, 0), "%s %u", constructor[i].name, n);
            else
                vsdk_device_close(device);
        }
        vm.fail = 0;
        fake_end(&vm);
    }
}

/* A constructor that fails has kept nothing of the stream: it ends with the caller's reference. */
static void fails_with_stream(vsdk_status (*make)(vsdk_stream *end, int flags), int flags,
                              uint32_t fail, vsdk_status status)
{
    vsdk_stream *end = rig_stream(0, 0);

    ended = 0;
    vm.fail = fail;
    cr_assert(eq(i32, make(end, flags), status));
    vm.fail = 0;
    cr_assert(eq(u32, ended, 0)); /* nor has it dropped one that it did not take */
    vsdk_stream_close(end);
    cr_assert(eq(u32, ended, 1));
    vsdk_stream_close(wire);
    wire = NULL;
}

enum { OTHER_LINE = 2, NO_VM = 4 };

static vsdk_status make_serial(vsdk_stream *end, int flags)
{
    vsdk_serial_config c = {
        .size = sizeof c, .flags = flags & 1, .gsi = flags & OTHER_LINE ? 1024 : 0, .stream = end};
    vsdk_device *device;

    return vsdk_serial_create(flags & NO_VM ? NULL : &vm, &c, &device, NULL);
}

static vsdk_status make_console(vsdk_stream *end, int flags)
{
    vsdk_debug_console_config c = {.size = sizeof c, .flags = flags & 1, .stream = end};
    vsdk_device *device;

    return vsdk_debug_console_create(flags & NO_VM ? NULL : &vm, &c, &device, NULL);
}

Test(constructors, keep_no_stream_when_they_fail)
{
    vsdk_status (*make[])(vsdk_stream * end, int flags) = {make_serial, make_console};

    for (int i = 0; i < 2; i++) {
        fails_with_stream(make[i], 1, 0, VSDK_ERROR_INVALID_ARGUMENT);
        fails_with_stream(make[i], NO_VM, 0, VSDK_ERROR_INVALID_ARGUMENT);
        for (uint32_t n = 1; n <= (i ? 2 : 3); n++)
            fails_with_stream(make[i], 0, n, VSDK_ERROR_NO_MEMORY);
    }
    fails_with_stream(make_serial, OTHER_LINE, 0, VSDK_ERROR_LIMIT);
}

Test(constructors, values_out_of_range)
{
    vsdk_acpi_pm_config pm = {.size = sizeof pm, .kind = 3};
    vsdk_ioapic_config io = {.size = sizeof io, .id = 16};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_acpi_pm_create(&vm, &pm, &device, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    cr_assert(eq(i32, vsdk_ioapic_create(&vm, &io, &device, NULL), VSDK_ERROR_INVALID_ARGUMENT));
    io.id = 0;
    io.first_gsi = 1001;
    cr_assert(eq(i32, vsdk_ioapic_create(&vm, &io, &device, NULL), VSDK_ERROR_LIMIT));
}
