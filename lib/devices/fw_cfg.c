/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware configuration device of QEMU's specification: items that guests read by ports or by
 * DMA. A transfer is bounded by the item and 1 MiB of zeros after it. */
#include "base/alloc.h"
#include "base/error.h"
#include "devices/device.h"

#include <string.h>
#include <vsdk/dma.h>

enum { FW_CFG_PORT = 0x510, REGION_REGISTERS = 0, REGION_DMA = 1 };
enum {
    KEY_SIGNATURE = 0x00,
    KEY_FEATURES = 0x01,
    KEY_RAM = 0x03,
    KEY_VCPUS = 0x05,
    KEY_VCPUS_MAX = 0x0f,
    KEY_DIRECTORY = 0x19,
    KEY_FILES = 0x20,
    FILES = 64,
    KEYS = KEY_FILES + FILES,
    NAME_LENGTH = 56,
};
enum { FEATURE_REGISTERS = 1, FEATURE_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { DMA_BEYOND = 1 << 20 }; /* zeros after an item that one transfer may ask for */

static const uint64_t DMA_SIGNATURE = 0x51454d5520434647; /* "QEMU CFG" */

typedef struct fw_cfg_item {
    uint8_t *bytes; /* NULL: no such item */
    uint32_t length;
} fw_cfg_item;

/* An entry of the directory, big-endian. */
typedef struct fw_cfg_file {
    uint32_t length;
    uint16_t key;
    uint16_t reserved;
    char name[NAME_LENGTH];
} fw_cfg_file;

typedef struct fw_cfg_directory {
    uint32_t count;
    fw_cfg_file file[FILES];
} fw_cfg_directory;

/* What the guest puts in its memory for a transfer, big-endian. */
typedef struct fw_cfg_access {
    uint32_t control, length;
    uint64_t address;
} fw_cfg_access;

typedef struct fw_cfg {
    fw_cfg_item item[KEYS];
    fw_cfg_directory directory;
    uint32_t files;
    uint32_t key, offset; /* what is selected, and how far it was read */
    uint32_t dma_high;
} fw_cfg;

static void fw_cfg_select(fw_cfg *cfg, uint32_t key)
{
    cfg->key = key & 0xffff;
    cfg->offset = 0;
}

static fw_cfg_item fw_cfg_selected(const fw_cfg *cfg)
{
    return cfg->key < KEYS ? cfg->item[cfg->key] : (fw_cfg_item){0};
}

/* Up to `most` bytes of the selected item as one piece; how many there were. */
static uint32_t fw_cfg_next(fw_cfg *cfg, const uint8_t **bytes, uint32_t most)
{
    fw_cfg_item item = fw_cfg_selected(cfg);
    uint32_t left = item.length - cfg->offset, n = left < most ? left : most;

    *bytes = n ? item.bytes + cfg->offset : (const uint8_t *)"";
    cfg->offset += n;
    return n;
}

static uint64_t fw_cfg_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    fw_cfg *cfg = user;
    const uint8_t *byte;

    if (access->region == REGION_DMA)
        return __builtin_bswap64(DMA_SIGNATURE) >> (access->offset * 8);
    if (access->offset == 0)
        return cfg->key;
    return fw_cfg_next(cfg, &byte, 1) ? *byte : 0;
}

/* 0 when it leaves the guest's RAM, or goes too far beyond the item. */
static int fw_cfg_copy(fw_cfg *cfg, vsdk_device *device, uint64_t address, uint32_t length)
{
    static const uint8_t zero[4096];
    const uint8_t *bytes;
    uint32_t n = fw_cfg_next(cfg, &bytes, length);
    int copied = length - n <= DMA_BEYOND && !vsdk_dma_write(device, address, bytes, n, NULL);

    while (copied && n < length) {
        uint32_t piece = length - n < sizeof zero ? length - n : (uint32_t)sizeof zero;

        copied = !vsdk_dma_write(device, address + n, zero, piece, NULL);
        n += piece;
    }
    return copied;
}

/* One transfer; the answer for the guest's control field. */
static uint32_t fw_cfg_transfer(fw_cfg *cfg, vsdk_device *device, uint32_t control, uint32_t length,
                                uint64_t address)
{
    const uint8_t *skipped;

    if (control & DMA_SELECT)
        fw_cfg_select(cfg, control >> 16);
    if (control & DMA_READ)
        return fw_cfg_copy(cfg, device, address, length) ? 0 : DMA_ERROR;
    if (control & DMA_WRITE)
        return DMA_ERROR;
    if (control & DMA_SKIP)
        fw_cfg_next(cfg, &skipped, length);
    return 0;
}

static void fw_cfg_dma(fw_cfg *cfg, vsdk_device *device, uint64_t gpa)
{
    fw_cfg_access access;
    uint32_t answer = DMA_ERROR;

    if (!vsdk_dma_read(device, gpa, &access, sizeof access, NULL))
        answer =
            fw_cfg_transfer(cfg, device, __builtin_bswap32(access.control),
                            __builtin_bswap32(access.length), __builtin_bswap64(access.address));
    answer = __builtin_bswap32(answer);
    vsdk_dma_write(device, gpa, &answer, sizeof answer, NULL);
}

static void fw_cfg_write_dma(fw_cfg *cfg, vsdk_device *device, const vsdk_access *access)
{
    uint64_t offset = access->offset, value = access->value;
    uint32_t width = access->width;

    if (width == 8 && offset == 0) {
        fw_cfg_dma(cfg, device, __builtin_bswap64(value));
    } else if (width == 4 && offset == 0) {
        cfg->dma_high = __builtin_bswap32((uint32_t)value);
    } else if (width == 4 && offset == 4) {
        uint64_t gpa = (uint64_t)cfg->dma_high << 32 | __builtin_bswap32((uint32_t)value);

        cfg->dma_high = 0;
        fw_cfg_dma(cfg, device, gpa);
    }
}

static void fw_cfg_write(void *user, vsdk_device *device, const vsdk_access *access)
{
    fw_cfg *cfg = user;

    if (access->region == REGION_DMA)
        fw_cfg_write_dma(cfg, device, access);
    else if (access->offset == 0 && access->width == 2)
        fw_cfg_select(cfg, (uint32_t)access->value);
}

static void fw_cfg_release(void *user)
{
    fw_cfg *cfg = user;

    for (uint32_t key = 0; key < KEYS; key++)
        if (key != KEY_DIRECTORY)
            alloc_free(cfg->item[key].bytes);
    alloc_free(cfg);
}

static void fw_cfg_reset(void *user, vsdk_device *device)
{
    fw_cfg *cfg = user;

    cfg->key = cfg->offset = cfg->dma_high = 0;
}

/* The items are the embedder's: whoever loads the state has made the same ones. */
static vsdk_status fw_cfg_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                               vsdk_error *error)
{
    const fw_cfg *cfg = user;
    vsdk_status status = vsdk_state_put_number(writer, "key", cfg->key, error);

    if (!status)
        status = vsdk_state_put_number(writer, "offset", cfg->offset, error);
    return status ? status : vsdk_state_put_number(writer, "dma_high", cfg->dma_high, error);
}

static vsdk_status fw_cfg_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                               vsdk_error *error)
{
    fw_cfg *cfg = user;
    uint64_t key, offset, dma_high;
    vsdk_status status = vsdk_state_get_number(reader, "key", UINT16_MAX, &key, error);

    if (!status)
        status = vsdk_state_get_number(reader, "dma_high", UINT32_MAX, &dma_high, error);
    if (status)
        return status;
    uint32_t length = key < KEYS ? cfg->item[key].length : 0;
    status = vsdk_state_get_number(reader, "offset", length, &offset, error);
    if (status)
        return status;
    cfg->key = (uint32_t)key;
    cfg->offset = (uint32_t)offset;
    cfg->dma_high = (uint32_t)dma_high;
    return VSDK_OK;
}

const vsdk_device_ops fw_cfg_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = fw_cfg_read,
    .write = fw_cfg_write,
    .reset = fw_cfg_reset,
    .save = fw_cfg_save,
    .load = fw_cfg_load,
    .release = fw_cfg_release,
};

static int fw_cfg_set(fw_cfg *cfg, uint32_t key, const void *bytes, uint32_t length)
{
    uint8_t *copy = alloc_zeroed(length ? length : 1);

    if (!copy)
        return 0;
    if (length)
        memcpy(copy, bytes, length);
    cfg->item[key] = (fw_cfg_item){copy, length};
    return 1;
}

static fw_cfg *fw_cfg_alloc(const vsdk_fw_cfg_config *config, uint16_t vcpus)
{
    uint32_t features = FEATURE_REGISTERS | FEATURE_DMA;
    fw_cfg *cfg = alloc_zeroed(sizeof *cfg);

    if (!cfg)
        return NULL;
    cfg->item[KEY_DIRECTORY] = (fw_cfg_item){(uint8_t *)&cfg->directory, 4};
    if (fw_cfg_set(cfg, KEY_SIGNATURE, "QEMU", 4) &&
        fw_cfg_set(cfg, KEY_FEATURES, &features, sizeof features) &&
        fw_cfg_set(cfg, KEY_VCPUS, &vcpus, sizeof vcpus) &&
        fw_cfg_set(cfg, KEY_VCPUS_MAX, &vcpus, sizeof vcpus) &&
        (!config->ram || fw_cfg_set(cfg, KEY_RAM, &config->ram, sizeof config->ram)))
        return cfg;
    fw_cfg_release(cfg);
    return NULL;
}

vsdk_status vsdk_fw_cfg_create(vsdk_vm *vm, const vsdk_fw_cfg_config *config, vsdk_device **device,
                               vsdk_error *error)
{
    vsdk_fw_cfg_config c;
    vsdk_vm_info info = {.size = sizeof info};
    vsdk_device_config make = {.size = sizeof make, .name = "fw_cfg"};
    vsdk_status status = device_begin(vm, device, __func__, error);
    fw_cfg *cfg;

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_fw_cfg_config, reserved2), config,
                                    __func__, error);
    if (!status)
        status = vsdk_vm_get_info(vm, &info, error);
    if (status)
        return status;
    cfg = fw_cfg_alloc(&c, c.vcpus ? c.vcpus : (uint16_t)info.vcpus_max);
    if (!cfg)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a device");
    uint64_t port = c.address ? c.address : FW_CFG_PORT;
    device_range ranges[] = {{VSDK_SPACE_PIO, port, 2, REGION_REGISTERS},
                             {VSDK_SPACE_PIO, port + 4, 8, REGION_DMA}};
    return device_make(vm, &fw_cfg_ops, cfg, &make, ranges, 2, device, error);
}

static uint32_t fw_cfg_find(const fw_cfg *cfg, const char *name)
{
    uint32_t i = 0;

    while (i < cfg->files && strcmp(cfg->directory.file[i].name, name))
        i++;
    return i;
}

static void fw_cfg_list(fw_cfg *cfg, const char *name, uint32_t key, uint32_t length)
{
    fw_cfg_file *file = &cfg->directory.file[cfg->files++];

    file->length = __builtin_bswap32(length);
    file->key = __builtin_bswap16((uint16_t)key);
    strncpy(file->name, name, NAME_LENGTH - 1);
    cfg->directory.count = __builtin_bswap32(cfg->files);
    cfg->item[KEY_DIRECTORY].length = (uint32_t)(4 + cfg->files * sizeof *file);
}

static vsdk_status fw_cfg_add(fw_cfg *cfg, uint32_t key, const char *name, const void *bytes,
                              uint32_t length, vsdk_error *error)
{
    static const char operation[] = "vsdk_fw_cfg_add";

    if (name && fw_cfg_find(cfg, name) < cfg->files)
        return error_set(error, VSDK_ERROR_EXISTS, operation, "file %s is there", name);
    if (name && cfg->files == FILES)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%d files are there", FILES);
    if (name)
        key = KEY_FILES + cfg->files;
    else if (cfg->item[key].bytes)
        return error_set(error, VSDK_ERROR_EXISTS, operation, "key 0x%x is taken", key);
    if (!fw_cfg_set(cfg, key, bytes, length))
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for an item");
    if (name)
        fw_cfg_list(cfg, name, key, length);
    return VSDK_OK;
}

vsdk_status vsdk_fw_cfg_add(vsdk_device *device, uint32_t key, const char *name, const void *bytes,
                            uint64_t length, vsdk_error *error)
{
    fw_cfg *cfg = device_of(device, &fw_cfg_ops, "firmware configuration device", __func__, error);
    vsdk_status status;

    if (!cfg)
        return VSDK_ERROR_INVALID_ARGUMENT;
    if (!bytes && length)
        return error_null(error, __func__, "bytes");
    if (name ? !*name : key == KEY_SIGNATURE || key >= KEY_FILES || key == KEY_DIRECTORY)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, __func__,
                         name ? "the name is empty" : "key 0x%x is no item's", key);
    if (length > UINT32_MAX || (name && strlen(name) >= NAME_LENGTH))
        return error_set(error, VSDK_ERROR_LIMIT, __func__, "the %s is too long",
                         length > UINT32_MAX ? "item" : "name");
    status = device_check_process(vsdk_device_vm(device), __func__, error);
    if (status)
        return status;
    int inside = !vsdk_device_enter(device, NULL); /* else no guest reads it */
    status = fw_cfg_add(cfg, key, name, bytes, (uint32_t)length, error);
    if (inside)
        vsdk_device_leave(device);
    return status;
}
