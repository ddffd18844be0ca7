#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

vsdk_vm vm;
char got[256];
uint32_t got_length, released, spaces;
vsdk_device *echo;

void rig_begin(void)
{
    memset(&vm, 0, sizeof vm);
    vm.vcpus_max = 3;
    got_length = released = spaces = 0;
    echo = NULL;
}

void rig_end(void)
{
    fake_end(&vm);
    cr_assert(eq(u32, vm.devices, 0));
    cr_assert(zero(fake_leaks()));
}

void rig_output(void *user, const void *bytes, uint64_t length)
{
    cr_assert(eq(ptr, user, &got));
    memcpy(got + got_length, bytes, length);
    got_length += (uint32_t)length;
    if (echo)
        cr_assert(eq(i32, vsdk_serial_input(echo, bytes, length, NULL, NULL), VSDK_OK));
}

void rig_space(void *user)
{
    spaces++;
}

void rig_release(void *user)
{
    cr_assert(eq(ptr, user, &got));
    released++;
}

vsdk_device *rig_serial(void)
{
    vsdk_serial_config config = {.size = sizeof config,
                                 .output = rig_output,
                                 .space = rig_space,
                                 .user = &got,
                                 .release = rig_release};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_serial_create(&vm, &config, &device, NULL), VSDK_OK));
    return device;
}
