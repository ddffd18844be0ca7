/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware configuration by its registers, on the fake. */
#include "device_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(fw_cfg, .init = rig_begin, .fini = rig_end);

static vsdk_device *fw_cfg(void)
{
    vsdk_fw_cfg_config config = {.size = sizeof config, .ram = UINT64_C(5) << 30};
    vsdk_device *device;

    cr_assert(eq(i32, vsdk_fw_cfg_create(&vm, &config, &device, NULL), VSDK_OK));
    return device;
}

static uint64_t item(uint16_t key, uint32_t length)
{
    uint64_t value = 0;

    fake_write(&vm, VSDK_SPACE_PIO, 0x510, 2, key);
    for (uint32_t i = 0; i < length; i++)
        value |= (uint64_t)fake_in(&vm, 0x511) << (8 * i);
    return value;
}

Test(fw_cfg, usual_keys)
{
    vsdk_device_close(fw_cfg());
    cr_assert(eq(u64, item(0, 4), 0x554d4551));
    cr_assert(eq(u64, item(1, 4), 3));
    cr_assert(eq(u64, item(3, 8), UINT64_C(5) << 30));
    cr_assert(eq(u64, item(5, 2), 3));
    cr_assert(eq(u64, item(0xf, 2), 3));
    cr_assert(eq(u64, item(0x19, 4), 0));
    cr_assert(eq(u64, item(0x18, 8), 0)); /* not there */
    cr_assert(eq(u64, item(0xffff, 8), 0));
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x510, 1), 0xff)); /* what is selected */
    item(5, 2);
    cr_assert(eq(u8, fake_in(&vm, 0x511), 0)); /* beyond the end */
    fake_write(&vm, VSDK_SPACE_PIO, 0x510, 2, 0);
    fake_out(&vm, 0x510, 5); /* the selector is a word */
    cr_assert(eq(u8, fake_in(&vm, 0x511), 'Q'));
}

Test(fw_cfg, files_are_listed)
{
    vsdk_device *device = fw_cfg();
    char name[56];

    cr_assert(eq(i32, vsdk_fw_cfg_add(device, 0, "opt/one", "1234", 4, NULL), VSDK_OK));
    cr_assert(eq(i32, vsdk_fw_cfg_add(device, 0, "opt/two", NULL, 0, NULL), VSDK_OK));
    cr_assert(eq(u64, item(0x19, 4), 0x02000000));
    cr_assert(eq(u64, item(0x20, 4), 0x34333231));
    item(0x19, 4);
    for (int i = 0; i < 4; i++)
        cr_assert(eq(u8, fake_in(&vm, 0x511), i == 3 ? 4 : 0)); /* length */
    cr_assert(eq(u8, fake_in(&vm, 0x511), 0));
    cr_assert(eq(u8, fake_in(&vm, 0x511), 0x20)); /* key */
    fake_in(&vm, 0x511);
    fake_in(&vm, 0x511);
    for (int i = 0; i < 56; i++)
        name[i] = (char)fake_in(&vm, 0x511);
    cr_assert(eq(str, name, "opt/one"));
    cr_assert(eq(u64, item(0x60, 8), 0)); /* after the last file that there can be */
    vsdk_device_close(device);
}

Test(fw_cfg, add_checks)
{
    static const struct {
        uint32_t key;
        const char *name, *bytes;
        uint64_t length;
        vsdk_status status;
    } row[] = {
        {0, NULL, "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {0x19, NULL, "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {0x20, NULL, "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {0, "", "x", 1, VSDK_ERROR_INVALID_ARGUMENT},
        {7, NULL, NULL, 1, VSDK_ERROR_INVALID_ARGUMENT},
        {5, NULL, "x", 1, VSDK_ERROR_EXISTS},
        {0, "a", "x", UINT64_C(1) << 32, VSDK_ERROR_LIMIT},
        {0, "56 bytes: 0123456789abcdef0123456789abcdef0123456789abcde", "x", 1, VSDK_ERROR_LIMIT},
        {7, NULL, "x", 1, VSDK_OK},
        {7, NULL, "x", 1, VSDK_ERROR_EXISTS},
        {0, "a", "x", 1, VSDK_OK},
        {0, "a", "x", 1, VSDK_ERROR_EXISTS},
    };
    vsdk_device *device = fw_cfg();
    char name[] = "f00";

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        cr_assert(
            eq(i32,
               vsdk_fw_cfg_add(device, row[i].key, row[i].name, row[i].bytes, row[i].length, NULL),
               row[i].status),
            "row %zu", i);
    for (int i = 1; i < 65; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        cr_assert(eq(i32, vsdk_fw_cfg_add(device, 0, name, "", 0, NULL),
                     i < 64 ? VSDK_OK : VSDK_ERROR_LIMIT));
    }
    vsdk_device_close(device);
}

static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
    uint32_t head[2] = {__builtin_bswap32(control), __builtin_bswap32(length)}, answer;
    uint64_t to = __builtin_bswap64(address);

    vsdk_vm_write(&vm, 0x1000, head, 8, NULL);
    vsdk_vm_write(&vm, 0x1008, &to, 8, NULL);
    fake_write(&vm, VSDK_SPACE_PIO, 0x514, 4, 0);
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, __builtin_bswap32(0x1000));
    vsdk_vm_read(&vm, 0x1000, &answer, 4, NULL);
    return __builtin_bswap32(answer);
}

Test(fw_cfg, dma)
{
    char bytes[8];

    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, 0x10000);
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x514, 4), 0x554d4551)); /* QEMU */
    cr_assert(eq(u64, fake_read(&vm, VSDK_SPACE_PIO, 0x518, 4), 0x47464320)); /* " CFG" */
    memset(vm.block[0].bytes + 0x2000, 0xff, 16);
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 8, 0x2000), 0));
    vsdk_vm_read(&vm, 0x2000, bytes, 8, NULL);
    cr_assert(zero(memcmp(bytes, "QEMU\0\0\0\0", 8)));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 4, 2, 0), 0));
    cr_assert(eq(u32, dma(2, 2, 0x2000), 0));
    vsdk_vm_read(&vm, 0x2000, bytes, 2, NULL);
    cr_assert(zero(memcmp(bytes, "MU", 2)));
    cr_assert(eq(u32, dma(8 | 16, 4, 0x2000), 1));         /* items are read-only */
    cr_assert(eq(u32, dma(8 | 2, UINT32_MAX, 0x2000), 1)); /* leaves RAM */
    cr_assert(eq(u32, dma(8 | 2, 4, UINT64_MAX - 2), 1));
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, 0xffffffff); /* no RAM there: nothing happens */
}

/* Each transfer has an address of its own. */
Test(fw_cfg, dma_forgets_the_high_half_of_its_address)
{
    uint32_t head[4] = {__builtin_bswap32(8 | 2), __builtin_bswap32(4), 0,
                        __builtin_bswap32(0x2000)};
    char bytes[4];

    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, 0x10000);
    vsdk_vm_write(&vm, 0x1000, head, sizeof head, NULL);
    fake_write(&vm, VSDK_SPACE_PIO, 0x514, 4, __builtin_bswap32(7));
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, __builtin_bswap32(0x1000));
    fake_write(&vm, VSDK_SPACE_PIO, 0x518, 4, __builtin_bswap32(0x1000));
    vsdk_vm_read(&vm, 0x2000, bytes, sizeof bytes, NULL);
    cr_assert(zero(memcmp(bytes, "QEMU", 4)));
}

static uint32_t fw_cfg_word(uint64_t gpa)
{
    uint32_t word;

    vsdk_vm_read(&vm, gpa, &word, sizeof word, NULL);
    return word;
}

/* A guest asks for 4 GiB of nothing: it gets an error, not a callback that lasts. */
Test(fw_cfg, dma_beyond_an_item_is_bounded)
{
    enum { BEYOND = 1 << 20 };

    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, UINT64_C(5) << 30);
    memset(vm.block[0].bytes + 0x2000, 0xff, 8);
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, UINT32_MAX, 0x2000), 1));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 4 + BEYOND + 1, 0x2000), 1));
    cr_assert(eq(u32, dma(0x18 << 16 | 8 | 2, BEYOND + 1, 0x2000), 1)); /* no such item */
    cr_assert(eq(u32, fw_cfg_word(0x2000), UINT32_MAX));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 4 + BEYOND, 0x2000), 0));
    cr_assert(eq(u32, fw_cfg_word(0x2000), 0x554d4551));
    cr_assert(eq(u32, fw_cfg_word(0x2004), 0));
    cr_assert(eq(u32, dma(0 << 16 | 8 | 4, UINT32_MAX, 0), 0)); /* skipping costs nothing */
}

/* The guest waits until its control field changes, so that a descriptor that leaves RAM is told. */
Test(fw_cfg, dma_descriptor_at_the_end_of_ram)
{
    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, 0x10000);
    fake_write(&vm, VSDK_SPACE_PIO, 0x514, 8, __builtin_bswap64(0xfff8));
    cr_assert(eq(u32, fw_cfg_word(0xfff8), __builtin_bswap32(1)));
    cr_assert(eq(u32, fw_cfg_word(0xfffc), 0));
}

/* A device that is stopped makes no DMA: the guest's request finds nobody. */
Test(fw_cfg, makes_no_dma_while_stopped)
{
    vsdk_device_close(fw_cfg());
    fake_ram(&vm, 0, 0x10000);
    memset(vm.block[0].bytes + 0x2000, 0xff, 8);
    vm.paused = 1;
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 4, 0x2000), 0 << 16 | 8 | 2));
    cr_assert(eq(u32, fw_cfg_word(0x2000), UINT32_MAX));
    vm.paused = 0;
    cr_assert(eq(u32, dma(0 << 16 | 8 | 2, 4, 0x2000), 0));
    cr_assert(eq(u32, fw_cfg_word(0x2000), 0x554d4551));
}
