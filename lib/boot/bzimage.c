/* SPDX-License-Identifier: Apache-2.0 */
/* Linux x86 boot protocol 2.12 and later, 64-bit entry. The setup header is checked once, and its
 * fields are copied into boot_params as they are, but for those that a loader fills in. */
#include "base/checked.h"
#include "base/error.h"
#include "boot/gate.h"

#include <string.h>

/* Offsets in the image, and in boot_params. */
enum {
    BP_RSDP = 0x70,
    BP_E820_COUNT = 0x1e8,
    BP_SETUP_SECTS = 0x1f1,
    BP_SYSSIZE = 0x1f4,
    BP_BOOT_FLAG = 0x1fe,
    BP_JUMP = 0x201,
    BP_HEADER = 0x202,
    BP_VERSION = 0x206,
    BP_LOADER = 0x210,
    BP_LOADFLAGS = 0x211,
    BP_RAMDISK = 0x218,
    BP_RAMDISK_SIZE = 0x21c,
    BP_CMDLINE = 0x228,
    BP_INITRD_MAX = 0x22c,
    BP_ALIGNMENT = 0x230,
    BP_RELOCATABLE = 0x234,
    BP_XLOADFLAGS = 0x236,
    BP_CMDLINE_SIZE = 0x238,
    BP_PREF_ADDRESS = 0x258,
    BP_INIT_SIZE = 0x260,
    BP_HEADER_END = 0x290,
    BP_E820 = 0x2d0,
};
enum { HEADER_MAGIC = 0x53726448, BOOT_FLAG = 0xaa55, VERSION_2_12 = 0x20c };
enum { LOADED_HIGH = 1, XLF_KERNEL_64 = 1, LOADER_UNDEFINED = 0xff };
enum { SECTOR = 512, SIZE_UNIT = 16, ENTRY_64 = 0x200, E820_ENTRY = 20 };

static const uint64_t LOWEST = 0x100000, TOP = UINT64_C(1) << 32; /* where a kernel may lie */

typedef struct bzimage {
    uint64_t payload, length; /* of the protected-mode part, in the image */
    uint64_t missing;         /* bytes after it that the header counts and the image lacks */
    uint64_t address, init_size;
    uint64_t cmdline, cmdline_size, initrd_max;
    uint32_t header_length; /* from BP_SETUP_SECTS on */
} bzimage;

int boot_is_bzimage(const image *i)
{
    return image_u16(i, BP_BOOT_FLAG) == BOOT_FLAG && image_u32(i, BP_HEADER) == HEADER_MAGIC;
}

static vsdk_status bzimage_check_header(boot_gate *gate, bzimage *bz)
{
    const image *i = &gate->image;
    uint32_t version = image_u16(i, BP_VERSION), end = BP_HEADER + image_u8(i, BP_JUMP);

    if (!image_at(i, 0, BP_HEADER_END))
        return boot_malformed(gate, "setup header", "the image ends in it");
    if (image_u16(i, BP_BOOT_FLAG) != BOOT_FLAG)
        return boot_malformed(gate, "boot_flag", "not 0xaa55");
    if (image_u32(i, BP_HEADER) != HEADER_MAGIC)
        return boot_malformed(gate, "header", "not HdrS");
    if (version < VERSION_2_12)
        return boot_malformed(gate, "version", "protocol 0x%x is older than 2.12", version);
    if (end < BP_INIT_SIZE + 4 || end > BP_HEADER_END)
        return boot_malformed(gate, "jump", "the setup header ends at 0x%x", end);
    if (!(image_u8(i, BP_LOADFLAGS) & LOADED_HIGH))
        return boot_malformed(gate, "loadflags", "not loaded high (zImage)");
    if (!(image_u16(i, BP_XLOADFLAGS) & XLF_KERNEL_64)) {
        boot_malformed(gate, "xloadflags", "no 64-bit entry");
        return error_hint(gate->error, VSDK_ERROR_FORMAT,
                          "a kernel for 32-bit processors: take its 64-bit build");
    }
    bz->header_length = end - BP_SETUP_SECTS;
    return VSDK_OK;
}

static vsdk_status bzimage_check_payload(boot_gate *gate, bzimage *bz)
{
    const image *i = &gate->image;
    uint64_t sectors = image_u8(i, BP_SETUP_SECTS), size;

    size = image_u32(i, BP_SYSSIZE) * (uint64_t)SIZE_UNIT;
    bz->payload = ((sectors ? sectors : 4) + 1) * SECTOR;
    if (bz->payload >= i->length)
        return boot_malformed(gate, "setup_sects", "%llu sectors reach beyond the image",
                              (unsigned long long)sectors);
    bz->length = i->length - bz->payload;
    /* The size is told in units of 16 bytes, and not every image is filled up to them. */
    bz->missing = size > bz->length ? size - bz->length : 0;
    if (bz->missing >= SIZE_UNIT)
        return boot_malformed(gate, "syssize", "0x%llx bytes, of which 0x%llx are there",
                              (unsigned long long)size, (unsigned long long)bz->length);
    if (bz->length <= ENTRY_64)
        return boot_malformed(gate, "syssize", "the image ends before its 64-bit entry");
    bz->init_size = image_u32(i, BP_INIT_SIZE);
    if (bz->init_size < bz->length + bz->missing)
        bz->init_size = bz->length + bz->missing;
    return VSDK_OK;
}

static uint64_t bzimage_relocate(const boot_gate *gate, const bzimage *bz, uint64_t align)
{
    for (uint32_t i = 0; i < gate->config->memory_count; i++) {
        const vsdk_memory_range *range = &gate->config->memory[i];
        uint64_t first = range->address < LOWEST ? LOWEST : range->address, at;

        at = (first + align - 1) & ~(align - 1);
        if (at >= first && boot_is_free(gate, at, bz->init_size))
            return at;
    }
    return 0;
}

/* It fits nowhere. The message asks for as much memory as the lowest place takes, with the initial
 * RAM disk behind it. */
static vsdk_status bzimage_no_room(boot_gate *gate, const bzimage *bz, uint64_t lowest)
{
    const uint64_t mib = UINT64_C(1) << 20;
    uint64_t need = lowest + bz->init_size;

    for (uint32_t n = 0; n < gate->modules; n++)
        need = add_capped(need, gate->module[n].length);
    error_set(
        gate->error, VSDK_ERROR_RANGE, "vsdk_boot_load",
        "init_size: 0x%llx bytes of free RAM at 0x%llx or above are wanted, and the guest has "
        "none: this kernel needs at least %llu MiB of memory",
        (unsigned long long)bz->init_size, (unsigned long long)lowest,
        (unsigned long long)(need / mib + (need % mib ? 1 : 0)));
    return boot_advise(gate, need);
}

static vsdk_status bzimage_choose_address(boot_gate *gate, bzimage *bz)
{
    const image *i = &gate->image;
    uint64_t align = image_u32(i, BP_ALIGNMENT), moved = 0, lowest;
    int relocatable = image_u8(i, BP_RELOCATABLE) != 0;

    bz->address = image_u64(i, BP_PREF_ADDRESS);
    if (!align || align & (align - 1))
        return boot_malformed(gate, "kernel_alignment", "0x%llx is no power of two",
                              (unsigned long long)align);
    if (relocatable && !boot_is_free(gate, bz->address, bz->init_size))
        moved = bzimage_relocate(gate, bz, align);
    lowest = relocatable ? (LOWEST + align - 1) & ~(align - 1) : bz->address;
    if (moved)
        bz->address = moved;
    else if (relocatable && bz->address >= TOP)
        bz->address = lowest; /* the message is about what could be */
    if (!checked_within(bz->address, bz->init_size, TOP))
        return boot_malformed(gate, "pref_address", "0x%llx is not below 4 GiB",
                              (unsigned long long)bz->address);
    if (!boot_is_ram(gate, bz->address, bz->init_size))
        return bzimage_no_room(gate, bz, lowest);
    gate->reach = bz->address + bz->init_size;
    return boot_take_image(gate, bz->address, bz->init_size, "init_size");
}

static void bzimage_e820(const boot_gate *gate, uint8_t *params)
{
    const vsdk_boot_config *config = gate->config;

    params[BP_E820_COUNT] = (uint8_t)config->memory_count;
    for (uint32_t i = 0; i < config->memory_count; i++) {
        uint8_t *to = params + BP_E820 + i * E820_ENTRY;

        memcpy(to, &config->memory[i].address, 8);
        memcpy(to + 8, &config->memory[i].length, 8);
        memcpy(to + 16, &config->memory[i].type, 4);
    }
}

static void bzimage_params(const boot_gate *gate, const bzimage *bz, uint8_t *params)
{
    uint32_t initrd = (uint32_t)gate->entry->initrd, cmdline = (uint32_t)bz->cmdline;
    uint32_t initrd_length = (uint32_t)gate->module[0].length;

    image_read(&gate->image, BP_SETUP_SECTS, params + BP_SETUP_SECTS, bz->header_length);
    params[BP_LOADER] = LOADER_UNDEFINED;
    memcpy(params + BP_CMDLINE, &cmdline, 4);
    memcpy(params + BP_RAMDISK, &initrd, 4);
    memcpy(params + BP_RAMDISK_SIZE, &initrd_length, 4);
    memcpy(params + BP_RSDP, &gate->config->rsdp, 8);
    bzimage_e820(gate, params);
}

static vsdk_status bzimage_check(boot_gate *gate, bzimage *bz)
{
    const image *i = &gate->image;
    vsdk_status status = bzimage_check_header(gate, bz);
    uint64_t most = image_u32(i, BP_INITRD_MAX);

    if (!status)
        status = bzimage_check_payload(gate, bz);
    if (!status)
        status = bzimage_choose_address(gate, bz);
    bz->initrd_max = most ? most + 1 : TOP;
    bz->cmdline_size = image_u32(i, BP_CMDLINE_SIZE);
    return status;
}

vsdk_status boot_load_bzimage(boot_gate *gate)
{
    uint8_t params[BOOT_PAGE] = {0};
    bzimage bz = {0};
    vsdk_boot_entry *entry = gate->entry;
    vsdk_status status = bzimage_check(gate, &bz);

    entry->mode = VSDK_BOOT_LONG;
    entry->rip = bz.address + ENTRY_64;
    if (!status)
        status = boot_load_tables(gate);
    if (!status)
        status = boot_place(gate, BOOT_INFO, sizeof params, "boot_params", &entry->info);
    if (!status)
        status =
            boot_load_cmdline(gate, (boot_cmdline){.for_linux = 1}, bz.cmdline_size, &bz.cmdline);
    if (!status)
        status = boot_load_initrd(gate, bz.initrd_max);
    if (status)
        return status;
    entry->rsi = entry->info;
    bzimage_params(gate, &bz, params);
    status = boot_write(gate, entry->info, params, sizeof params, "boot_params");
    if (!status)
        status = boot_write(gate, bz.address, gate->image.bytes + bz.payload, bz.length, "kernel");
    return status ? status : boot_zero(gate, bz.address + bz.length, bz.missing, "kernel");
}
