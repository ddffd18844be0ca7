/* SPDX-License-Identifier: Apache-2.0 */
/* Saving and loading a device as a program sees them: each documented error, on the mock. */
#include "scarce.h"
#include <string.h>
#include <vsdk/vsdk.h>

static vsdk_host *host;
static vsdk_vm *vm;
static vsdk_device *device;
static vsdk_status answer; /* of the callbacks that have nothing else to say */
static uint8_t bytes[4096];
static uint64_t length;

static void setup(void)
{
    ok(vsdk_host_open("mock", NULL, &host, E));
    ok(vsdk_vm_create(host, NULL, &vm, E));
    answer = VSDK_OK;
}

static void teardown(void)
{
    vsdk_device_close(device);
    vsdk_vm_close(vm);
    vsdk_host_close(host);
    device = NULL;
}

static void make(vsdk_device_save_fn save, vsdk_device_load_fn load)
{
    vsdk_device_ops ops = {.size = sizeof ops, .save = save, .load = load};

    ok(vsdk_device_create(vm, &ops, NULL, NULL, &device, E));
}

static vsdk_status save(void)
{
    return vsdk_device_save(device, bytes, sizeof bytes, &length, E);
}

static vsdk_status load(void)
{
    return vsdk_device_load(device, bytes, length, E);
}

static vsdk_status save_answer(void *user, vsdk_device *self, vsdk_state_writer *writer,
                               vsdk_error *error)
{
    return answer;
}

static vsdk_status load_answer(void *user, vsdk_device *self, vsdk_state_reader *reader,
                               vsdk_error *error)
{
    return answer;
}

TestSuite(saving, .init = setup, .fini = teardown);

Test(saving, one_way_only)
{
    make(save_answer, NULL);
    ok(save());
    fails(UNSUPPORTED, load());
    vsdk_device_close(device);
    make(NULL, load_answer);
    fails(UNSUPPORTED, save());
}

Test(saving, what_a_callback_answers_comes_out)
{
    make(save_answer, load_answer);
    ok(save());
    answer = VSDK_ERROR_NO_MEMORY;
    cr_assert_eq(save(), VSDK_ERROR_NO_MEMORY);
    length = 0;
    answer = VSDK_OK;
    ok(save());
    answer = VSDK_ERROR_NO_MEMORY;
    cr_assert_eq(load(), VSDK_ERROR_NO_MEMORY);
}

Test(saving, to_nowhere)
{
    make(save_answer, load_answer);
    ok(vsdk_device_save(device, NULL, 0, &length, E));
    cr_assert(length > 0);
    fails(INVALID_ARGUMENT, vsdk_device_save(device, NULL, sizeof bytes, &length, E));
    cr_assert_eq(length, 0);
}

Test(saving, after_the_end)
{
    make(save_answer, load_answer);
    ok(save());
    uint64_t saved = length;
    ok(vsdk_vm_destroy(vm, E));
    fails(GONE, save());
    length = saved;
    fails(GONE, load());
}

static vsdk_status save_inside(void *user, vsdk_device *self, vsdk_state_writer *writer,
                               vsdk_error *error)
{
    uint8_t inner[256];
    uint64_t needed;

    fails(BUSY, vsdk_device_save(self, inner, sizeof inner, &needed, E));
    return VSDK_OK;
}

static vsdk_status load_inside(void *user, vsdk_device *self, vsdk_state_reader *reader,
                               vsdk_error *error)
{
    fails(BUSY, vsdk_device_load(self, bytes, length, E));
    return VSDK_OK;
}

Test(saving, not_from_a_callback)
{
    make(save_inside, load_inside);
    ok(save());
    ok(load());
}

static vsdk_status save_fields(void *user, vsdk_device *self, vsdk_state_writer *writer,
                               vsdk_error *error)
{
    vsdk_status status = vsdk_state_put_number(writer, "number", 7, error);

    return status ? status : vsdk_state_put_bytes(writer, "bytes", "abc", 3, error);
}

static vsdk_status save_twice(void *user, vsdk_device *self, vsdk_state_writer *writer,
                              vsdk_error *error)
{
    ok(save_fields(user, self, writer, E));
    fails(EXISTS, vsdk_state_put_number(writer, "bytes", 1, E));
    fails(EXISTS, vsdk_state_put_bytes(writer, "number", "x", 1, E));
    fails(LIMIT, vsdk_state_put_bytes(writer, "huge", "x", UINT64_C(1) << 32, E));
    return VSDK_OK;
}

static vsdk_status load_fields(void *user, vsdk_device *self, vsdk_state_reader *reader,
                               vsdk_error *error)
{
    cr_assert(vsdk_state_has(reader, "number"));
    cr_assert(vsdk_state_has(reader, "bytes"));
    cr_assert(!vsdk_state_has(reader, "huge"));
    return VSDK_OK;
}

Test(saving, one_field_per_name)
{
    make(save_twice, load_fields);
    ok(save());
    ok(load());
}

/* A callback that begins with a large field, so that each of its fields needs more room. */
static uint8_t large[1 << 12];

static vsdk_status save_large(void *user, vsdk_device *self, vsdk_state_writer *writer,
                              vsdk_error *error)
{
    return vsdk_state_put_bytes(writer, "large", large, sizeof large, error);
}

static vsdk_status save_many(void *user, vsdk_device *self, vsdk_state_writer *writer,
                             vsdk_error *error)
{
    vsdk_status status = VSDK_OK;

    for (char name[] = "a"; !status && *name < 'z'; ++*name)
        status = vsdk_state_put_number(writer, name, 1, error);
    return status;
}

static vsdk_status needed_by(vsdk_device *one)
{
    uint64_t needed;

    return vsdk_device_save(one, NULL, 0, &needed, E);
}

Test(saving, without_memory)
{
    make(save_large, load_answer);
    out_of_memory(needed_by(device));
    vsdk_device_close(device);
    make(save_many, load_answer);
    out_of_memory(needed_by(device));
}

static vsdk_status enter(void)
{
    vsdk_status status = vsdk_device_enter(device, E);

    if (!status)
        vsdk_device_leave(device);
    return status;
}

Test(saving, entering_without_memory)
{
    vsdk_device_ops ops = {.size = sizeof ops};
    vsdk_device_config config = {.size = sizeof config, .flags = VSDK_DEVICE_CONCURRENT};

    ok(vsdk_device_create(vm, &ops, NULL, &config, &device, E));
    vsdk_vcpu *vcpu;
    ok(vsdk_vcpu_create(vm, 0, NULL, &vcpu, E));
    ok(vsdk_device_add_range(device, VSDK_SPACE_PIO, 0x100, 1, 0, E));
    ok(vsdk_vm_resume(vm, E));
    out_of_memory(enter());
    vsdk_vcpu_close(vcpu);
}
